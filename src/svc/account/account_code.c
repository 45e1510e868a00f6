/* The account service: recovering and verifying by a code of the mail instead of a link. What each does is what the link does (account_token.c); a code of one kind is none of
 * another. Codes are short: how often they may be tried is bounded by the routes' limits, and for each code (token.c). */
#include "core/conf.h"
#include "core/protocol.h"
#include "gate/caller.h"
#include "account_priv.h"
#include "svc/messages/mail.h"

struct code_in {
	const char *email, *user, *secret, *password;
	int phrase;
};
#define CODE_PHRASE OPTIONAL("phrase", P_BOOL, struct code_in, phrase, "Show words in the answer and in the mail, for the user to compare.", .def = "false")
#define CODE_USED                                                         \
	REQUIRED("userId", P_UID, struct code_in, user, "User ID."), \
	REQUIRED("secret", P_TEXT, struct code_in, secret, "Code of the mail.", .max = 256)

static err_t
send_mail_code(struct req *rq, enum token_type type, const char *kind, const struct event_info *event, const struct user *to, int phrase)
{
	struct letter l = {.kind = kind, .to = to, .phrase = phrase == 1 ? phrase_new(rq->cx.arena) : ""};

	return account_mail_token(rq, type, conf.life_email_code, event, &l);
}

/* ---- recovery ---- */

static const struct param start_recovery_params[] = {
	REQUIRED("email", P_EMAIL, struct code_in, email, "E-mail address."),
	CODE_PHRASE,
};
static const struct param finish_recovery_params[] = {
	CODE_USED,
	REQUIRED("password", P_PASSWORD, struct code_in, password, "New password of at least 8 bytes."),
};

static err_t
account_recovery_code_start(struct req *rq, void *arg)
{
	const struct code_in *in = arg;
	struct user *u;

	if (!mail_ready(rq->project))
		return fail(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "recovery");
	TRY(user_by_email(&rq->cx, rq->project, in->email, &u));
	if (!u->status)
		return fail(&rq->cx, ERR_USER_BLOCKED, "user=%s", u->id);
	return send_mail_code(rq, TOKEN_RECOVERY_CODE, "recoveryCode", &ev_recovery_create, u, in->phrase);
}

static err_t
account_recovery_code_finish(struct req *rq, void *arg)
{
	const struct code_in *in = arg;
	struct token *t;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->user, &u));
	TRY(account_take_token(rq, &u,
	    &(struct token_use){.types = TOKEN_BIT(TOKEN_RECOVERY_CODE), .secret = in->secret, .event = &ev_recovery_update, .password = in->password, .actor = u->id}, &t));
	audit_as(rq, u);
	return account_reply_used(rq, t);
}

/* ---- verification ---- */

static const struct param start_verification_params[] = {CODE_PHRASE};
static const struct param finish_verification_params[] = {CODE_USED};

static err_t
account_verification_code_start(struct req *rq, void *arg)
{
	const struct code_in *in = arg;
	const struct user *u;

	if (!mail_ready(rq->project))
		return fail(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "verification");
	if ((u = caller_user(rq)) == NULL)
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "no user of this project");
	if (u->email == NULL || u->email[0] == '\0')
		return fail(&rq->cx, ERR_USER_EMAIL_NOT_FOUND, "user=%s", u->id);
	if (u->email_verification)
		return fail(&rq->cx, ERR_USER_EMAIL_ALREADY_VERIFIED, "user=%s", u->id);
	return send_mail_code(rq, TOKEN_VERIFICATION_CODE, "verificationCode", &ev_verification_create, u, in->phrase);
}

static err_t
account_verification_code_finish(struct req *rq, void *arg)
{
	const struct code_in *in = arg;
	const struct user *caller = caller_user(rq);
	struct token *t;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->user, &u));
	TRY(account_take_token(rq, &u,
	    &(struct token_use){.types = TOKEN_BIT(TOKEN_VERIFICATION_CODE), .secret = in->secret, .event = &ev_verification_update,
		.how = caller != NULL && caller->internal == u->internal ? PROOF_BY_HOLDER : PROOF_BY_LINK, .actor = caller_id(rq)}, &t));
	return account_reply_used(rq, t);
}

#define ROW(method_, tail, name_, scope_, limit_, handler_, status_, doc_, rows_, audit_, ...)                                                          \
	{.method = method_, .path = "/v1/account" tail, .service = "account", .name = name_, .scope = scope_, .limit = limit_, .handler = handler_,     \
	    .model = &token_shape, .status = status_, .doc = doc_, PARAMS(struct code_in, rows_), .audit = audit_, .usage = "users.update", .since = SINCE_2_3, \
	    __VA_ARGS__}
#define TRIES "10/3600 ~url:{url},userId:{param-userId}"

static const struct route rows[] = {
	ROW("POST", "/recovery/otp", "createRecoveryOTP", SCOPE_SIGN_IN, "10/3600 ~url:{url},email:{param-email};10/3600 url:/v1/account/recovery,ip:{ip}", account_recovery_code_start, 201,
	    "Mail a code to set a new password.", start_recovery_params, "recovery.create user/{user}", .flags = ROUTE_SIGN_IN),
	ROW("PUT", "/recovery/otp", "updateRecoveryOTP", SCOPE_SIGN_IN, TRIES LIMIT_GUESSES LIMIT_CODES_DAY, account_recovery_code_finish, 200, "Set a new password with the code of the mail.",
	    finish_recovery_params, "recovery.update user/{user}", .flags = ROUTE_SIGN_IN),
	ROW("POST", "/verifications/email/otp", "createEmailVerificationOTP", "account", "10/3600 !url:{url},userId:{userId};50/3600 url:{url},ip:{ip}",
	    account_verification_code_start, 201,
	    "Mail a code that verifies the address.", start_verification_params, "verification.create user/{user}"),
	ROW("PUT", "/verifications/email/otp", "updateEmailVerificationOTP", "public", TRIES LIMIT_PROOFS, account_verification_code_finish, 200,
	    "Verify the address with the code of the mail.", finish_verification_params, "verification.update user/{userId}", .flags = ROUTE_SIGN_IN),
};
const struct routes account_code_routes = ROUTES(rows);
