/* The account service: the caller's second factors, and proving one. What a session that lacks one may call has ROUTE_HALF. */
#include "core/protocol.h"
#include "gate/caller.h"
#include "account_priv.h"
#include "svc/messages/mail.h"
#include "svc/messages/sms.h"
#include "svc/users/mfa.h"

/* NULL for who comes by a JWT. */
static const char *
own_session(const struct req *rq)
{
	return caller_session_hash(rq) != NULL ? rq->login->session->id : NULL;
}

/* ---- whether it is asked for ---- */

struct mfa_in {
	int on;
	const char *type, *otp, *factor, *challenge;
};
static const struct param mfa_params[] = {REQUIRED("mfa", P_BOOL, struct mfa_in, on, "Ask for a second factor at each sign-in from now on.")};

static err_t
account_update_mfa(struct req *rq, void *arg)
{
	const struct mfa_in *in = arg;
	struct project *home;
	struct user *u;

	TRY(account_home(rq, &home));
	TRY(mfa_set(&rq->cx, home, rq->login->user, NULL, own_session(rq), in->on == 1, &u));
	return reply(rq, 200, &account_shape, u);
}

/* After a recovery the mailbox is the first factor, and no second one for who has another that can be asked for. */
static bool
mailbox_again(const struct req *rq, const struct project *home)
{
	const struct user *u = rq->login->user;

	return u->password_mailed && rq->login->session != NULL && session_by_password(rq->login->session) &&
	       ((u->totp && mfa_allowed(home, MFA_TOTP)) || (address_proved(u->phone, u->phone_verification) && mfa_allowed(home, MFA_PHONE) && sms_ready()));
}

static err_t
account_list_mfa_factors(struct req *rq, void *arg)
{
	struct mfa_factors f;
	struct project *home;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(mfa_usable(&rq->cx, home, rq->login->user, &f));
	f.email = f.email && !mailbox_again(rq, home);
	return reply(rq, 200, &mfa_factors_shape, &f);
}

/* ---- authenticator apps ---- */

static const char *const types[] = {"totp", NULL};
#define TYPE PATH("type", P_ENUM_NOCASE, struct mfa_in, type, "Kind of authenticator.", .list = types)
static const struct param type_params[] = {TYPE};
static const struct param verify_params[] = {TYPE, REQUIRED("otp", P_TEXT, struct mfa_in, otp, "Code that the app shows.", .max = 256)};

static err_t
account_create_mfa_authenticator(struct req *rq, void *arg)
{
	struct project *home;
	struct mfa_type t;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(mfa_totp_begin(&rq->cx, home, rq->login->user, &t));
	return reply(rq, 200, &mfa_type_shape, &t);
}

static err_t
account_update_mfa_authenticator(struct req *rq, void *arg)
{
	const struct mfa_in *in = arg;
	struct project *home;
	struct user *u;

	TRY(account_home(rq, &home));
	TRY(mfa_totp_verify(&rq->cx, home, rq->login->user, own_session(rq), in->otp, &u));
	return reply(rq, 200, &account_shape, u);
}

static err_t
account_delete_mfa_authenticator(struct req *rq, void *arg)
{
	struct project *home;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(mfa_totp_remove(&rq->cx, home, rq->login->user, NULL));
	return reply_none(rq);
}

/* ---- recovery codes ---- */

static err_t
account_create_mfa_recovery_codes(struct req *rq, void *arg)
{
	struct mfa_codes codes;
	struct project *home;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(mfa_codes_create(&rq->cx, home, rq->login->user, NULL, &codes));
	return reply(rq, 201, &mfa_codes_shape, &codes);
}

static err_t
account_update_mfa_recovery_codes(struct req *rq, void *arg)
{
	struct mfa_codes codes;
	struct project *home;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(mfa_codes_renew(&rq->cx, home, rq->login->user, NULL, &codes));
	return reply(rq, 200, &mfa_codes_shape, &codes);
}

static err_t
account_get_mfa_recovery_codes(struct req *rq, void *arg)
{
	struct mfa_codes codes;
	struct project *home;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(mfa_codes_get(&rq->cx, home, rq->login->user, &codes));
	return reply(rq, 200, &mfa_codes_shape, &codes);
}

/* ---- challenges ---- */

static const struct param challenge_params[] = {
	REQUIRED("factor", P_ENUM_NOCASE, struct mfa_in, factor, "What will be proved.", .list = mfa_names),
};
static const struct param solve_params[] = {
	REQUIRED("challengeId", P_TEXT, struct mfa_in, challenge, "Challenge ID.", .max = 256),
	REQUIRED("otp", P_TEXT, struct mfa_in, otp, "The code.", .max = 256),
};

struct parcel {
	struct req *rq;
	const struct project *home;
};

static void
mail_code(struct db_tx *tx, const struct user *now, const char *code, void *arg)
{
	const struct parcel *l = arg;
	const struct session *s = l->rq->login->session;
	const struct mail m = {.kind = "mfaChallenge", .to = now->email, .name = now->name ? now->name : "", .link = "", .code = code, .locale = l->rq->locale,
		.device = s->device_name, .client = s->client_name, .os = s->os_name};

	mail_send(tx, l->home, &m);
}

static void
text_code(struct db_tx *tx, const struct user *now, const char *code, void *arg)
{
	const struct parcel *l = arg;

	sms_send(tx, l->home, &(struct sms){.to = now->phone, .text = code, .locale = l->rq->cx.format >= SINCE_1_5 ? l->rq->locale : NULL});
}

static enum mfa_factor
factor_named(const char *name)
{
	int i = 0;

	while (!str_ieq(str_c(name), str_c(mfa_names[i])))
		i++;
	return (enum mfa_factor)i;
}

/* What cannot be sent is not asked for. */
static err_t
account_choose_sender(struct req *rq, const struct project *home, struct mfa_challenge_in *ch)
{
	if (ch->factor == MFA_EMAIL && !mail_ready(home))
		return fail_msg(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "SMTP disabled");
	if (ch->factor == MFA_PHONE && !sms_ready())
		return fail_msg(&rq->cx, ERR_GENERAL_PHONE_DISABLED, "Phone provider not configured");
	ch->send = ch->factor == MFA_EMAIL ? mail_code : ch->factor == MFA_PHONE ? text_code : NULL;
	return OK;
}

static err_t
account_create_mfa_challenge(struct req *rq, void *arg)
{
	const struct mfa_in *in = arg;
	struct mfa_challenge_in ch = {.factor = factor_named(in->factor), .session = own_session(rq)};
	struct mfa_challenge *c;
	struct project *home;
	struct parcel parcel;

	TRY(account_home(rq, &home));
	if (ch.session == NULL)
		return fail(&rq->cx, ERR_USER_SESSION_NOT_FOUND, "no session that it could be for");
	if (!mfa_allowed(home, ch.factor))
		return fail_msg(&rq->cx, ERR_USER_AUTH_METHOD_UNSUPPORTED, "The factor %s is disabled for this project", mfa_names[ch.factor]);
	if (ch.factor == MFA_EMAIL && mailbox_again(rq, home))
		return fail_msg(&rq->cx, ERR_USER_MORE_FACTORS_REQUIRED, "The password was set by mail to this address: another factor is needed.");
	TRY(account_choose_sender(rq, home, &ch));
	parcel = (struct parcel){rq, home};
	ch.arg = &parcel;
	TRY(mfa_challenge_create(&rq->cx, home, rq->login->user, &ch, &c));
	return reply(rq, 201, &mfa_challenge_shape, c);
}

static err_t
account_update_mfa_challenge(struct req *rq, void *arg)
{
	const struct mfa_in *in = arg;
	struct project *home;
	struct session *s;

	TRY(account_home(rq, &home));
	if (own_session(rq) == NULL)
		return fail(&rq->cx, ERR_USER_SESSION_NOT_FOUND, "no session that it could be for");
	TRY(mfa_challenge_solve(&rq->cx, home, rq->login->user, own_session(rq), in->challenge, in->otp, &s));
	s->current = true;
	known_client(rq, rq->login->user, s);
	return reply(rq, 200, &session_shape, s);
}

/* Codes of six digits, of which an app's has three at a time: so many wrong ones a day and a month, over all challenges. Strangers have the first factor and
 * share them; who has signed in wholly from here before has their own (gate_priv.h). */
#define LIMIT_CODES ";20/86400 ~-mfa,userId:{userId};60/2592000 ~-mfa-month,userId:{userId}"
#define ROW(method_, tail, name_, limit_, handler_, model_, status_, doc_) \
	.method = method_, .path = "/v1/account/mfa" tail, .service = "account", .name = name_, .scope = "account", .limit = limit_, .handler = handler_, \
	.model = model_, .status = status_, .doc = doc_, .since = SINCE_1_5
#define UPDATES .audit = "user.update user/{user}", .usage = "users.update"

static const struct route rows[] = {
	{ROW("PATCH", "", "updateMFA", "", account_update_mfa, &account_shape, 200, "Ask for a second factor, or do not any more."), PARAMS(struct mfa_in, mfa_params), UPDATES},
	{ROW("GET", "/factors", "listMFAFactors", "", account_list_mfa_factors, &mfa_factors_shape, 200, "Second factors that can be used now."), .usage = "users.read",
	    .flags = ROUTE_HALF},
	{ROW("POST", "/authenticators/:type", "createMFAAuthenticator", "", account_create_mfa_authenticator, &mfa_type_shape, 200,
	     "A secret for an authenticator app; it is a factor once it has shown a code."), PARAMS(struct mfa_in, type_params), UPDATES},
	{ROW("PUT", "/authenticators/:type", "updateMFAAuthenticator", "", account_update_mfa_authenticator, &account_shape, 200, "Verify the authenticator app by a code of it."),
	    PARAMS(struct mfa_in, verify_params), UPDATES},
	{ROW("DELETE", "/authenticators/:type", "deleteMFAAuthenticator", "", account_delete_mfa_authenticator, NULL, 204, "Remove the authenticator app."),
	    PARAMS(struct mfa_in, type_params), UPDATES, .flags = ROUTE_FRESH},
	{ROW("POST", "/recovery-codes", "createMFARecoveryCodes", "", account_create_mfa_recovery_codes, &mfa_codes_shape, 201, "Recovery codes, each good once."), UPDATES},
	{ROW("GET", "/recovery-codes", "getMFARecoveryCodes", "", account_get_mfa_recovery_codes, &mfa_codes_shape, 200, "Recovery codes that have not been used."),
	    .usage = "users.read", .flags = ROUTE_FRESH},
	{ROW("PATCH", "/recovery-codes", "updateMFARecoveryCodes", "", account_update_mfa_recovery_codes, &mfa_codes_shape, 200, "New recovery codes in the place of the former ones."),
	    UPDATES, .flags = ROUTE_FRESH},
	{ROW("POST", "/challenges", "createMFAChallenge", "10/3600 ~url:{url},userId:{userId}", account_create_mfa_challenge, &mfa_challenge_shape, 201,
	     "Ask for a second factor with the current session."), PARAMS(struct mfa_in, challenge_params), .audit = "challenge.create user/{user}", .flags = ROUTE_HALF},
	{ROW("PUT", "/challenges", "updateMFAChallenge", "10/3600 url:{url},challengeId:{param-challengeId}" LIMIT_CODES, account_update_mfa_challenge, &session_shape, 200,
	     "Prove the second factor."), PARAMS(struct mfa_in, solve_params), .audit = "challenge.update user/{user}", .usage = "sessions.update", .flags = ROUTE_HALF},
};
const struct routes account_mfa_routes = ROUTES(rows);
