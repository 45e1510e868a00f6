/* The account service: signing in, recovering and verifying by a secret that comes by mail or SMS. */
#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "gate/caller.h"
#include "account_priv.h"
#include "model/jwt.h"
#include "model/link.h"
#include "svc/messages/mail.h"
#include "model/origin.h"
#include "svc/messages/sms.h"
#include "model/usage.h"
#include "svc/users/linked.h"

/* The user with this e-mail or phone; a new one when there is none, unless the address is somebody's at a provider. Two requests at once may both have found none. */
static err_t
account_token_find_or_create(struct req *rq, err_t (*find)(struct ctx *, const struct project *, const char *, struct user **), const char *by,
    const struct user_in *in, bool with_code, struct user **out)
{
	bool linked = false;
	err_t e = find(&rq->cx, rq->project, by, out);

	if (e != ERR_USER_NOT_FOUND)
		return e;
	TRY(account_may_sign_up(rq, in->email));
	if (in->email != NULL && rq->cx.format >= SINCE_1_5)
		TRY(linked_has_email(&rq->cx, rq->project, in->email, NULL, &linked));
	if (linked)
		return with_code ? user_refuse(&rq->cx, "the address is that of an identity") : fail(&rq->cx, ERR_USER_EMAIL_ALREADY_EXISTS, "of an identity");
	e = user_create(&rq->cx, rq->project, in, USER_LIMIT | USER_UNCHOSEN, out);
	if (e == ERR_USER_ALREADY_EXISTS && find(&rq->cx, rq->project, by, out) == OK)
		return OK;
	return e;
}

/* Only the project's team and its servers may see the secret that was sent to somebody else. */
static bool
shows_secret(const struct req *rq)
{
	return caller_is_server(rq);
}

static err_t
reply_token(struct req *rq, const struct token *t)
{
	struct token shown = *t;

	if (!shows_secret(rq))
		shown.secret = "";
	return reply(rq, 201, &token_shape, &shown);
}

static void
send_mail(struct db_tx *tx, const struct token *t, void *arg)
{
	const struct letter *l = arg;
	char expire[24];
	const struct link_param v[] = {{"userId", t->user_id}, {"secret", t->secret}, {"expire", time_sql(t->expire, expire)},
		{"project", l->rq->project->id}};
	const struct mail mail = {
		.kind = l->kind,
		.to = l->to->email,
		.name = strcmp(l->kind, "magicSession") != 0 && l->to->name ? l->to->name : "",
		.link = l->url != NULL ? link_with(l->rq->cx.arena, l->url, v, l->with_project ? 4 : 3) : "",
		.code = l->url != NULL ? "" : t->secret,
		.phrase = l->phrase ? l->phrase : "",
		.locale = l->rq->locale,
		.device = l->agent.device_name,
		.client = l->agent.client_name,
		.os = l->agent.os_name,
	};

	mail_send(tx, l->rq->project, &mail);
}

/* Before anything is looked up or made. The words differ by the letter that would have been sent, and clients compare them. */
static err_t
mail_may_link(struct req *rq, const char *url, const char *what, const char *words)
{
	if (mail_ready(rq->project) && mail_link_ok(rq->project, rq->host, url))
		return OK;
	rq->cx.message = words;
	if (!mail_ready(rq->project))
		return fail(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "%s", what);
	if (log_may_client(rq->ip))
		log_warn(&rq->cx, "no mail may lead to the host of a request: set domain", "mail=\"%s\" host=%s", what, rq->host);
	return fail(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "%s to host=%s without domain", what, rq->host);
}

/* Of what verifies and lets in: an hour at most for later clients. */
static int64_t
link_life(const struct req *rq, int64_t life_ms)
{
	enum { HOUR = 3600 * 1000 };

	return rq->cx.format >= SINCE_1_5 && life_ms > HOUR ? HOUR : life_ms;
}

err_t
account_mail_token(struct req *rq, enum token_type type, int64_t life_ms, const struct event_info *event, struct letter *l)
{
	const struct token_in in = {.type = type, .life_ms = life_ms, .ip = rq->ip, .user_agent = rq->user_agent, .sent_to = l->to->email,
		.shown = shows_secret(rq), .event = event, .send = send_mail, .arg = l};
	struct token *t;

	l->rq = rq;
	if (l->url == NULL)
		l->agent = agent_of(&rq->cx, str_c(rq->user_agent), loop_now() + AGENT_PATIENCE_MS);
	TRY(token_create(&rq->cx, rq->project, l->to, &in, &t));
	t->phrase = l->phrase;
	audit_as(rq, l->to);
	return reply_token(rq, t);
}

struct text_message {
	struct req *rq;
	const struct user *to;
};

static void
send_code(struct db_tx *tx, const struct token *t, void *arg)
{
	const struct text_message *m = arg;

	sms_send(tx, m->rq->project, &(struct sms){.to = m->to->phone, .text = t->secret, .locale = m->rq->cx.format >= SINCE_1_5 ? m->rq->locale : NULL});
}

static err_t
sms_token(struct req *rq, int64_t life_ms, const struct event_info *event, const struct user *to)
{
	struct text_message m = {rq, to};
	const char *mock = project_mock_otp(rq->project, to->phone);
	/* the code of a mock number is no secret: whoever knows it has not shown to read there */
	const struct token_in in = {.type = TOKEN_PHONE, .code = mock, .life_ms = life_ms, .ip = rq->ip, .user_agent = rq->user_agent,
		.sent_to = to->phone, .shown = shows_secret(rq) || mock != NULL, .event = event, .send = mock ? NULL : send_code, .arg = &m};
	struct token *t;

	TRY(token_create(&rq->cx, rq->project, to, &in, &t));
	audit_as(rq, to);
	return reply_token(rq, t);
}

/* ---- the second half of each way: a secret that was sent ---- */

struct proof_in {
	const char *user, *secret, *password, *again;
};
static const struct param proof_params[] = {
	REQUIRED("userId", P_UID, struct proof_in, user, "User ID."),
	REQUIRED("secret", P_TEXT, struct proof_in, secret, "Secret of the mail or SMS.", .max = 256),
};

/* Those that sign in take the id as its creation did: unique() is one that nobody has. */
static const struct param sign_in_params[] = {
	REQUIRED("userId", P_CUSTOM_ID, struct proof_in, user, "User ID."),
	REQUIRED("secret", P_TEXT, struct proof_in, secret, "Secret of the mail or SMS.", .max = 256),
};

err_t
account_take_token(struct req *rq, struct user **u, const struct token_use *use, struct token **out)
{
	TRY(token_redeem(&rq->cx, rq->project, u, use, out));
	if ((*out)->took_over)
		audit_takeover(rq, *u);
	return OK;
}

/* It is used, and nobody's any more; 1.0 showed its hash. */
err_t
account_reply_used(struct req *rq, const struct token *t)
{
	struct token shown = *t;

	if (rq->cx.format >= SINCE_1_5)
		shown.secret = "";
	return reply(rq, 200, &token_shape, &shown);
}

/* What the sessions by each are called. */
static const struct {
	enum token_type type;
	const char *provider;
	const char *factor;	/* what they prove; NULL: the provider says it */
} sign_ins[] = {
	{TOKEN_MAGIC, "magic-url", NULL},
	{TOKEN_PHONE, "phone", NULL},
	{TOKEN_OAUTH2, "oauth2", NULL},	/* the provider's own name */
	{TOKEN_EMAIL, "token", "email"},
	{TOKEN_GENERIC, "token", "token"},
};
enum { SIGN_INS = sizeof sign_ins / sizeof *sign_ins };

static void
say_how(int64_t type, struct session_in *how)
{
	int i = 0;

	while (sign_ins[i].type != (enum token_type)type)
		i++;
	how->provider = sign_ins[i].provider;
	how->factor = sign_ins[i].factor;
}

static unsigned
any_type(void)
{
	unsigned types = 0;

	for (int i = 0; i < SIGN_INS; i++)
		types |= TOKEN_BIT(sign_ins[i].type);
	return types;
}

/* Who comes from a provider has a session of that provider, with what it gave: so the identity must still be there. */
static err_t
say_provider(struct req *rq, const struct user *u, const char *provider, struct session_in *how)
{
	struct linked *l;
	err_t e = linked_newest(&rq->cx, rq->project, u, provider, &l);

	if (e != OK)
		return e == ERR_USER_IDENTITY_NOT_FOUND ? fail(&rq->cx, ERR_USER_INVALID_TOKEN, "the identity is gone") : e;
	how->provider = l->provider;
	how->provider_uid = l->provider_uid;
	how->access_token = l->access_token[0] ? l->access_token : NULL;
	how->refresh_token = l->refresh_token;
	how->access_token_expiry = l->access_token_expiry;
	return OK;
}

/* What a sign-in at a provider ended with is signed by us, for a minute, and says which provider that was. */
static bool
open_signed(struct req *rq, struct proof_in *in, const char **provider_out)
{
	const json_t *j;
	struct str secret, provider;

	if (jwt_read(&rq->cx, str_c(in->secret), 0, &j) != NULL)
		return false;
	secret = json_str(json_object_get(j, "secret"));
	provider = json_str(json_object_get(j, "provider"));
	if (secret.n == 0 || provider.n == 0)
		return false;
	in->secret = str_dup(rq->cx.arena, secret);
	*provider_out = str_dup(rq->cx.arena, provider);
	return true;
}

static err_t
sign_in(struct req *rq, const struct proof_in *in, unsigned types, const char *from)
{
	struct session_in how = {.provider_uid = ""};
	struct token *t;
	struct user *u;
	err_t e;

	if ((e = user_by_id(&rq->cx, rq->project, in->user, &u)) == ERR_USER_NOT_FOUND && (rq->cx.format >= SINCE_1_5 || from != NULL || (types & (types - 1)) != 0))
		return fail(&rq->cx, ERR_USER_INVALID_TOKEN, "no user=%s", in->user);	/* 1.0 tells nobody from a wrong secret */
	TRY(e);
	TRY(account_take_token(rq, &u, &(struct token_use){.types = types, .secret = in->secret, .event = NULL, .actor = u->id}, &t));
	say_how(t->type, &how);
	if (from != NULL)
		TRY(say_provider(rq, u, from, &how));
	return account_sign_in(rq, u, &how);
}

/* ---- magic URL ---- */

struct start_in {
	const char *id, *email, *url, *phone;
	int phrase;
};
static const struct param magic_params[] = {
	REQUIRED("userId", P_CUSTOM_ID, struct start_in, id, "ID of the user, when it is a new one; unique() for a generated one."),
	REQUIRED("email", P_EMAIL, struct start_in, email, "E-mail address."),
	OPTIONAL("url", P_MAIL_LINK, struct start_in, url, "Page of the app that the mail links to.", .def = "\"\""),
	OPTIONAL("phrase", P_BOOL, struct start_in, phrase, "Show words in the answer and in the mail, for the user to compare.", .def = "false"),
};

/* Our own page. Whoever tries things on this machine is at a port that few others use; to other machines servers have the usual ones. */
static const char *
magic_page(struct req *rq)
{
	const char *host = host_for_mails(rq->project, rq->host);
	bool here = host_is_loopback(host) && strcmp(host, rq->host) == 0;

	return arena_printf(rq->cx.arena, "%s/auth/magic-url", here ? account_self_of(rq) : arena_printf(rq->cx.arena, "%s://%s", rq->scheme, host));
}

static err_t
account_create_magic_url_session(struct req *rq, void *arg)
{
	const struct start_in *in = arg;
	struct letter l = {.kind = "magicSession", .url = in->url, .with_project = true, .phrase = in->phrase == 1 ? phrase_new(rq->cx.arena) : ""};
	struct user *u;

	if (l.url == NULL || l.url[0] == '\0')
		l.url = magic_page(rq);
	TRY(mail_may_link(rq, l.url, "magic URL", "SMTP disabled"));
	TRY(account_token_find_or_create(rq, user_by_email, in->email, &(struct user_in){.id = in->id, .email = in->email, .for_reader = !shows_secret(rq)}, false, &u));
	l.to = u;
	return account_mail_token(rq, TOKEN_MAGIC, link_life(rq, conf.life_magic_url), NULL, &l);
}

static err_t
account_update_magic_url_session(struct req *rq, void *in)
{
	return sign_in(rq, in, TOKEN_BIT(TOKEN_MAGIC), NULL);
}

/* ---- phone ---- */

static const struct param phone_params[] = {
	REQUIRED("userId", P_CUSTOM_ID, struct start_in, id, "ID of the user, when it is a new one; unique() for a generated one."),
	REQUIRED("phone", P_PHONE, struct start_in, phone, "Phone number: + and digits."),
};

static err_t
account_phone_start(struct req *rq, void *arg)
{
	const struct start_in *in = arg;
	bool mock = project_mock_otp(rq->project, in->phone) != NULL;
	struct user *u;

	if (!sms_ready() && !mock)
		return fail_msg(&rq->cx, ERR_GENERAL_PHONE_DISABLED, "Phone provider not configured");
	TRY(account_token_find_or_create(rq, user_by_phone, in->phone, &(struct user_in){.id = in->id, .phone = in->phone, .for_reader = !shows_secret(rq) && !mock}, true, &u));
	return sms_token(rq, conf.life_phone_code, NULL, u);
}

static err_t
account_phone_finish(struct req *rq, void *in)
{
	return sign_in(rq, in, TOKEN_BIT(TOKEN_PHONE), NULL);
}

/* ---- a code by mail ---- */

static const struct param email_params[] = {
	REQUIRED("userId", P_CUSTOM_ID, struct start_in, id, "ID of the user, when it is a new one; unique() for a generated one."),
	REQUIRED("email", P_EMAIL, struct start_in, email, "E-mail address."),
	OPTIONAL("phrase", P_BOOL, struct start_in, phrase, "Show words in the answer and in the mail, for the user to compare.", .def = "false"),
};

static err_t
account_email_start(struct req *rq, void *arg)
{
	const struct start_in *in = arg;
	struct letter l = {.kind = "otpSession", .phrase = in->phrase == 1 ? phrase_new(rq->cx.arena) : ""};
	struct user *u;

	if (!mail_ready(rq->project))
		return fail_msg(&rq->cx, ERR_GENERAL_SMTP_DISABLED, "SMTP disabled");
	TRY(account_token_find_or_create(rq, user_by_email, in->email, &(struct user_in){.id = in->id, .email = in->email, .for_reader = !shows_secret(rq)}, true, &u));
	l.to = u;
	return account_mail_token(rq, TOKEN_EMAIL, conf.life_email_code, NULL, &l);
}

/* Later clients have one request for all ways, for what an OAuth2 sign-in ended with, and for what a server made. */
static err_t
account_any_finish(struct req *rq, void *arg)
{
	struct proof_in *in = arg;
	const char *from = NULL;

	if (strchr(in->secret, '.') != NULL)
		return open_signed(rq, in, &from) ? sign_in(rq, in, TOKEN_BIT(TOKEN_OAUTH2), from) : fail(&rq->cx, ERR_USER_INVALID_TOKEN, "not signed by us, or not any more");
	return sign_in(rq, in, any_type() & ~TOKEN_BIT(TOKEN_OAUTH2), NULL);
}

/* ---- recovery ---- */

static const struct param recovery_params[] = {
	REQUIRED("email", P_EMAIL, struct start_in, email, "E-mail address."),
	REQUIRED("url", P_MAIL_LINK, struct start_in, url, "Page of the app that the mail links to."),
};
static const struct param recover_params[] = {
	REQUIRED("userId", P_UID, struct proof_in, user, "User ID."),
	REQUIRED("secret", P_TEXT, struct proof_in, secret, "Secret of the mail.", .max = 256),
	REQUIRED("password", P_PASSWORD, struct proof_in, password, "New password of at least 8 bytes."),
	OPTIONAL("passwordAgain", P_PASSWORD, struct proof_in, again, "The same again; later clients compare on their own."),
};

static err_t
account_recovery_start(struct req *rq, void *arg)
{
	const struct start_in *in = arg;
	struct letter l = {.kind = "recovery", .url = in->url};
	struct user *u;

	TRY(mail_may_link(rq, in->url, "recovery", "SMTP Disabled"));
	TRY(user_by_email(&rq->cx, rq->project, in->email, &u));
	if (!u->status)
		return fail(&rq->cx, ERR_USER_BLOCKED, "user=%s", u->id);
	l.to = u;
	return account_mail_token(rq, TOKEN_RECOVERY, conf.life_recovery, &ev_recovery_create, &l);
}

static err_t
account_recovery_finish(struct req *rq, void *arg)
{
	const struct proof_in *in = arg;
	struct token *t;
	struct user *u;

	if (in->again != NULL && strcmp(in->password, in->again) != 0)
		return fail(&rq->cx, ERR_USER_PASSWORD_MISMATCH, "recovery");
	TRY(user_by_id(&rq->cx, rq->project, in->user, &u));
	TRY(account_take_token(rq, &u,
	    &(struct token_use){.types = TOKEN_BIT(TOKEN_RECOVERY), .secret = in->secret, .event = &ev_recovery_update,
		.password = in->password, .actor = u->id},
	    &t));
	audit_as(rq, u);
	return account_reply_used(rq, t);
}

/* ---- verification ---- */

static const struct param verification_params[] = {
	REQUIRED("url", P_MAIL_LINK, struct start_in, url, "Page of the app that the mail links to."),
};

static err_t
account_verification_start(struct req *rq, void *arg)
{
	const struct start_in *in = arg;
	struct letter l = {.kind = "verification", .url = in->url, .to = rq->login->user};

	TRY(mail_may_link(rq, in->url, "verification", "SMTP Disabled"));
	if (caller_user(rq) == NULL)
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "no user of this project");
	if (l.to->email == NULL || l.to->email[0] == '\0')
		return fail_msg(&rq->cx, rq->cx.format >= SINCE_1_5 ? ERR_USER_EMAIL_NOT_FOUND : ERR_GENERAL_ARGUMENT_INVALID, "The account has no e-mail address.");
	if (l.to->email_verification && rq->cx.format >= SINCE_1_5)
		return fail(&rq->cx, ERR_USER_EMAIL_ALREADY_VERIFIED, "user=%s", l.to->id);
	return account_mail_token(rq, TOKEN_VERIFICATION, link_life(rq, conf.life_verification), &ev_verification_create, &l);
}

static err_t
account_verification_finish(struct req *rq, void *arg)
{
	const struct proof_in *in = arg;
	const struct user *caller = caller_user(rq);
	struct token *t;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->user, &u));
	TRY(account_take_token(rq, &u,
	    &(struct token_use){.types = TOKEN_BIT(TOKEN_VERIFICATION), .secret = in->secret, .event = &ev_verification_update,
		.how = caller && caller->internal == u->internal ? PROOF_BY_HOLDER : PROOF_BY_LINK, .actor = caller_id(rq)},
	    &t));
	return account_reply_used(rq, t);
}

static err_t
account_phone_verification_start(struct req *rq, void *arg)
{
	const struct user *u = rq->login->user;

	(void)arg;
	if (!sms_ready() && (u->phone == NULL || project_mock_otp(rq->project, u->phone) == NULL))
		return fail(&rq->cx, ERR_GENERAL_PHONE_DISABLED, "verification");
	if (caller_user(rq) == NULL)
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "no user of this project");
	if (u->phone == NULL || u->phone[0] == '\0')
		return fail(&rq->cx, ERR_USER_PHONE_NOT_FOUND, "user=%s", u->id);
	if (u->phone_verification && rq->cx.format >= SINCE_1_5)
		return fail(&rq->cx, ERR_USER_PHONE_ALREADY_VERIFIED, "user=%s", u->id);
	return sms_token(rq, link_life(rq, conf.life_phone_verification), &ev_verification_create, u);
}

/* A code is short: of clients of before only its own user, signed in, may try it. Later ones may be anybody, as often as the limit lets them. */
static err_t
account_phone_verification_finish(struct req *rq, void *arg)
{
	const struct proof_in *in = arg;
	const struct user *caller = caller_user(rq);
	struct token *t;
	struct user *u;
	bool holder;

	TRY(user_by_id(&rq->cx, rq->project, in->user, &u));
	holder = caller != NULL && caller->internal == u->internal;
	if (!holder && rq->cx.format < SINCE_1_5)
		return fail(&rq->cx, ERR_USER_INVALID_TOKEN, "not the caller");
	TRY(account_take_token(rq, &u,
	    &(struct token_use){.types = TOKEN_BIT(TOKEN_PHONE), .secret = in->secret, .event = &ev_verification_update,
		.how = holder ? PROOF_BY_HOLDER : PROOF_BY_LINK, .actor = u->id}, &t));
	return account_reply_used(rq, t);
}

#define BY_EMAIL "10/3600 ~url:{url},email:{param-email}"
#define BY_USER "10/3600 ~url:{url},userId:{param-userId}" LIMIT_GUESSES
#define BY_USER_PHONE "10/3600 ~url:/v1/account/sessions/phone,userId:{param-userId}" LIMIT_GUESSES	/* no second row of tries at a code */
#define ROW(method_, tail, name_, scope_, limit_, handler_, model_, status_, doc_) \
	.method = method_, .path = "/v1/account" tail, .service = "account", .name = name_, .scope = scope_, .limit = limit_, .handler = handler_, \
	.model = model_, .status = status_, .doc = doc_

static const struct route rows[] = {
	{ROW("POST", "/sessions/magic-url", "createMagicURLSession", SCOPE_SIGN_IN, BY_EMAIL ";100/3600 url:{url},ip:{ip}", account_create_magic_url_session, &token_shape, 201,
	     "Mail a link that signs in."), PARAMS(struct start_in, magic_params), .auth = "usersAuthMagicURL",
	    .audit = "session.create user/{user}", .flags = ROUTE_SIGN_IN},
	{ROW("PUT", "/sessions/magic-url", "updateMagicURLSession", SCOPE_SIGN_IN, BY_USER, account_update_magic_url_session, &session_shape, 201,
	     "Sign in with the secret of the link."), PARAMS(struct proof_in, sign_in_params), .auth = "usersAuthMagicURL",
	    .audit = "session.update user/{user}", .usage = "sessions.create", .flags = ROUTE_SIGN_IN | ROUTE_SIGNED_OUT},
	{ROW("POST", "/sessions/phone", "createPhoneSession", SCOPE_SIGN_IN, "10/3600 ~url:{url},phone:{param-phone};50/3600 url:{url},ip:{ip}", account_phone_start, &token_shape, 201,
	     "Send a code that signs in."), PARAMS(struct start_in, phone_params), .auth = "phone", .audit = "session.create user/{user}", .flags = ROUTE_SIGN_IN},
	{ROW("PUT", "/sessions/phone", "updatePhoneSession", SCOPE_SIGN_IN, BY_USER, account_phone_finish, &session_shape, 201, "Sign in with the code."),
	    PARAMS(struct proof_in, sign_in_params), .auth = "phone", .usage = "sessions.create", .flags = ROUTE_SIGN_IN | ROUTE_SIGNED_OUT},
	{ROW("POST", "/tokens/email", "createEmailToken", SCOPE_SIGN_IN, BY_EMAIL ";100/3600 url:{url},ip:{ip}", account_email_start, &token_shape, 201,
	     "Mail a code that signs in."), PARAMS(struct start_in, email_params), .auth = "emailOtp", .since = SINCE_1_5,
	    .audit = "session.create user/{user}", .flags = ROUTE_SIGN_IN},
	{ROW("POST", "/sessions/token", "createSession", SCOPE_SIGN_IN, BY_USER_PHONE, account_any_finish, &session_shape, 201, "Sign in with a link's secret or a code."),
	    PARAMS(struct proof_in, sign_in_params), .audit = "session.create user/{user}", .usage = "sessions.create", .flags = ROUTE_SIGN_IN | ROUTE_SIGNED_OUT},
	{ROW("PUT", "/sessions/token", NULL, SCOPE_SIGN_IN, BY_USER_PHONE, account_any_finish, &session_shape, 201, "Sign in with a link's secret or a code."),
	    PARAMS(struct proof_in, sign_in_params), .audit = "session.create user/{user}", .usage = "sessions.create", .flags = ROUTE_SIGN_IN | ROUTE_SIGNED_OUT},
	{ROW("POST", "/recovery", "createRecovery", SCOPE_SIGN_IN, BY_EMAIL ";10/3600 url:{url},ip:{ip}", account_recovery_start, &token_shape, 201,
	     "Mail a link to set a new password."), PARAMS(struct start_in, recovery_params),
	    .audit = "recovery.create user/{user}", .usage = "users.update", .flags = ROUTE_SIGN_IN},
	{ROW("PUT", "/recovery", "updateRecovery", SCOPE_SIGN_IN, BY_USER, account_recovery_finish, &token_shape, 200, "Set a new password with the link's secret."),
	    PARAMS(struct proof_in, recover_params),
	    .audit = "recovery.update user/{user}", .usage = "users.update", .flags = ROUTE_SIGN_IN},
	{ROW("POST", "/verification", "createVerification", "account", "10/3600 !url:{url},userId:{userId}", account_verification_start, &token_shape, 201,
	     "Mail a link that verifies the address."), PARAMS(struct start_in, verification_params),
	    .audit = "verification.create user/{user}", .usage = "users.update"},
	{ROW("PUT", "/verification", "updateVerification", "public", BY_USER, account_verification_finish, &token_shape, 200,
	     "Verify the address with the link's secret."), PARAMS(struct proof_in, proof_params),
	    .audit = "verification.update user/{userId}", .usage = "users.update", .flags = ROUTE_SIGN_IN},
	{ROW("POST", "/verification/phone", "createPhoneVerification", "account", "10/3600 !url:{url},userId:{userId};50/3600 url:{url},ip:{ip}", account_phone_verification_start, &token_shape, 201,
	     "Send a code that verifies the phone."), .auth = "phone",
	    .audit = "verification.create user/{user}", .usage = "users.update"},
	{ROW("PUT", "/verification/phone", "updatePhoneVerification", "public", "10/3600 ~userId:{param-userId}" LIMIT_PROOFS, account_phone_verification_finish, &token_shape,
	     200, "Verify the phone with the code."), PARAMS(struct proof_in, proof_params),
	    .audit = "verification.update user/{user}", .usage = "users.update", .flags = ROUTE_SIGN_IN},
};
const struct routes account_token_routes = ROUTES(rows);
