/* The account service: what a signed-in user does with the own account, and how people sign up and in.
 *
 * An account lives where its user does: in admin mode that is the console, whatever project the request names. */
#include "gate/caller.h"
#include "account_priv.h"
#include "svc/account/oauth.h"
#include "core/protocol.h"
#include "model/origin.h"
#include "model/seal.h"
#include "model/usage.h"
#include "svc/messages/mail.h"
#include "svc/users/access.h"
#include "svc/users/linked.h"
#include "svc/users/user.h"

err_t
account_home(struct req *rq, struct project **out)
{
	if (rq->admin_mode && !rq->project->console)
		return project_get(&rq->cx, STR("console"), out);
	*out = rq->project;
	return OK;
}

/* ---- signing up and in ---- */

err_t
account_may_sign_up(struct req *rq, const char *email)
{
	struct ctx *cx = &rq->cx;
	struct db_res *r;

	TRY(user_signup_allowed(cx, rq->project, email ? email : "", rq->ip));
	if (!rq->project->console || request_is_owners(rq->http))
		return OK;
	if (str_eq_secret(rq->http->hdr[HDR_X_SIGNUP_TOKEN], str_c(seal_signup_token(cx->arena))))
		return OK;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s.users LIMIT 1", rq->project->schema), DB0));
	return db_rows(r) > 0 ? OK : fail(cx, ERR_USER_SIGNUP_TOKEN, "first sign-up from %s", rq->ip);
}

err_t
account_no_jwt(struct req *rq)
{
	if (rq->login == NULL || !rq->jwt)
		return OK;
	rq->cx.message = "Creation of a session is prohibited by a JSON web token.";
	return fail(&rq->cx, ERR_USER_SESSION_ALREADY_EXISTS, "a session by a token of user=%s", rq->login->user->id);
}

/* By what it proved: who reads the mails knows of the sign-in already. */
static bool
proved_by_mail(const struct session *s)
{
	return s->factors.n == 1 && strcmp(s->factors.v[0], "email") == 0;
}

static err_t
send_alert(struct db_tx *tx, struct req *rq, const struct user *u, const struct session *s)
{
	const struct mail mail = {.kind = "sessionAlert", .to = u->email, .name = u->name ? u->name : "", .locale = rq->locale,
		.device = s->device_name, .client = s->client_name, .os = s->os_name, .ip = s->ip, .country = s->country_name};

	mail_send(tx, rq->project, &mail);
	return OK;
}

err_t
account_alert(struct req *rq, const struct user *u, const struct session *s)
{
	if (!rq->project->session_alerts || s->only || u->email == NULL || u->email[0] == '\0' || proved_by_mail(s) || !mail_ready(rq->project))
		return OK;
	return TX_RUN(&rq->cx, tx, send_alert(tx, rq, u, s));
}

/* To later clients: an address that somebody has at a provider is nobody's to sign up with. */
static err_t
check_address(struct req *rq, const struct project *home, const char *email, const struct user *u)
{
	bool taken = false;

	if (rq->cx.format >= SINCE_1_5)
		TRY(linked_has_email(&rq->cx, home, email, u, &taken));
	return taken ? user_refuse(&rq->cx, "the address is that of an identity") : OK;
}

struct create_in {
	const char *id, *email, *password, *name;
};
static const struct param create_params[] = {
	REQUIRED("userId", P_CUSTOM_ID, struct create_in, id, "User ID, or unique() for a generated one."),
	REQUIRED("email", P_EMAIL, struct create_in, email, "E-mail address."),
	REQUIRED("password", P_PASSWORD, struct create_in, password, "Password of at least 8 bytes."),
	OPTIONAL("name", P_TEXT, struct create_in, name, "User name.", .def = "\"\"", .max = 128),
};

static err_t
account_create(struct req *rq, void *arg)
{
	const struct create_in *in = arg;
	struct user *u;

	TRY(account_may_sign_up(rq, in->email));
	TRY(check_address(rq, rq->project, in->email, NULL));
	TRY(user_create(&rq->cx, rq->project,
	    &(struct user_in){.id = in->id, .email = in->email, .password = in->password, .name = in->name ? in->name : ""}, USER_LIMIT | USER_AS_ACCOUNT,
	    &u));
	audit_as(rq, u);
	return reply(rq, 201, &account_shape, u);
}

err_t
account_sign_in(struct req *rq, const struct user *u, const struct session_in *in)
{
	struct session_in how = *in;
	struct session *s;
	char *token;

	how.ip = rq->ip;
	how.user_agent = rq->user_agent;
	TRY(session_create(&rq->cx, rq->project, u, &how, &s, &token));
	TRY(account_alert(rq, u, s));
	audit_as(rq, u);
	rq->usage_scope = how.provider;
	known_client(rq, u, s);
	reply_session(rq, token);
	s->secret = rq->bypass ? token : NULL;
	return reply(rq, 201, &session_shape, s);
}

static err_t
start_session(struct req *rq, const struct user *u, const char *provider, const char *uid)
{
	return account_sign_in(rq, u, &(struct session_in){.provider = provider, .provider_uid = uid, .password = u->password});
}

struct email_session_in {
	const char *email, *password;
};
static const struct param email_session_params[] = {
	REQUIRED("email", P_EMAIL, struct email_session_in, email, "E-mail address."),
	REQUIRED("password", P_PASSWORD, struct email_session_in, password, "Password."),
};

static err_t
account_session_by_email(struct req *rq, void *arg)
{
	const struct email_session_in *in = arg;
	struct user *u;

	TRY(user_sign_in(&rq->cx, rq->project, in->email, in->password, &u));
	return start_session(rq, u, "email", str_lower(rq->cx.arena, str_c(in->email)).p);
}

static err_t
account_create_anonymous_session(struct req *rq, void *arg)
{
	struct user *u;

	(void)arg;
	if (rq->project->console)
		return fail(&rq->cx, ERR_USER_ANONYMOUS_CONSOLE_PROHIBITED, "console");
	if (rq->login != NULL)
		return fail(&rq->cx, ERR_USER_SESSION_ALREADY_EXISTS, "user=%s", rq->login->user->id);
	TRY(user_create(&rq->cx, rq->project, &(struct user_in){0}, USER_LIMIT | USER_UNCHOSEN, &u));
	return start_session(rq, u, "anonymous", "");
}

struct jwt_in {
	struct opt_int seconds;
};
static const struct param jwt_params[] = {JWT_DURATION(struct jwt_in, seconds)};

static err_t
account_create_jwt(struct req *rq, void *arg)
{
	const struct jwt_in *in = arg;

	if (rq->jwt && rq->cx.format >= SINCE_1_9)
		return fail(&rq->cx, ERR_USER_JWT_CREATION_DENIED, "a token by a token");
	if (caller_session_hash(rq) == NULL)
		return fail(&rq->cx, ERR_USER_SESSION_NOT_FOUND, "no session to stand for");
	return reply(rq, 201, &jwt_shape, &(struct user_jwt){login_jwt(&rq->cx, rq->project, rq->login->user, rq->login->session->id, jwt_life(&in->seconds))});
}

/* ---- reading ---- */

static err_t
account_get(struct req *rq, void *arg)
{
	(void)arg;
	return reply(rq, 200, &account_shape, rq->login->user);
}

static err_t
account_get_prefs(struct req *rq, void *arg)
{
	const struct user *u = rq->login->user;

	(void)arg;
	return reply_json(rq, 200, u->prefs.n > 0 ? u->prefs : STR("{}"));
}

/* What opens the person's account at a provider is not the key's. */
static struct session *
session_for_key(const struct req *rq, struct session *s)
{
	if (rq->key != NULL)
		s->provider_access_token = s->provider_refresh_token = "";
	return s;
}

static err_t
account_get_sessions(struct req *rq, void *arg)
{
	struct project *home;
	struct objs list;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(session_list(&rq->cx, home, rq->login->user, caller_session_hash(rq), &list));
	for (int i = 0; i < list.n; i++)
		list.v[i] = session_for_key(rq, list.v[i]);
	return reply_list(rq, &session_shape, "sessions", list.n, &list);
}

struct session_in_path {
	const char *id;
};
static const struct param session_params[] = {PATH("sessionId", P_UID, struct session_in_path, id, "Session ID, or current.")};

/* The session named in the path, which must be the caller's own. */
static err_t
named_session(struct req *rq, const struct project *home, const char *id, struct session **out)
{
	if (strcmp(id, "current") != 0)
		return session_get(&rq->cx, home, rq->login->user, id, caller_session_hash(rq), out);
	if (caller_session_hash(rq) == NULL)
		return fail(&rq->cx, ERR_USER_SESSION_NOT_FOUND, "no current session");
	return session_get(&rq->cx, home, rq->login->user, rq->login->session->id, caller_session_hash(rq), out);
}

static err_t
account_get_session(struct req *rq, void *arg)
{
	const struct session_in_path *in = arg;
	struct project *home;
	struct session *s;

	TRY(account_home(rq, &home));
	TRY(named_session(rq, home, in->id, &s));
	return reply(rq, 200, &session_shape, session_for_key(rq, s));
}

/* ---- ending sessions ---- */

static err_t
account_delete_session(struct req *rq, void *arg)
{
	const struct session_in_path *in = arg;
	struct project *home;
	struct session *s;

	TRY(account_home(rq, &home));
	TRY(named_session(rq, home, in->id, &s));
	if (caller_half(rq) && !s->current)	/* whoever knows the first factor alone ends what they began, not what others do */
		return fail(&rq->cx, ERR_USER_MORE_FACTORS_REQUIRED, "session=%s", s->id);
	TRY(session_delete(&rq->cx, home, rq->login->user, NULL, s));
	if (s->current)
		reply_session(rq, NULL);
	return reply_none(rq);
}

static err_t
account_delete_sessions(struct req *rq, void *arg)
{
	struct project *home;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(session_delete_all(&rq->cx, home, rq->login->user, NULL, rq->login->session));
	if (rq->jwt)	/* the request came without a session of its own */
		reply_fallback(rq, "[]");
	else
		reply_session(rq, NULL);
	return reply_none(rq);
}

/* What a provider gave is made new where there is something to do it with. */
static err_t
prolong(struct req *rq, const struct project *home, struct session *s)
{
	bool current = s->current;
	const char *country = s->country_name;

	if (!oauth_refreshes(s->provider))
		return fail(&rq->cx, ERR_PROJECT_PROVIDER_UNSUPPORTED, "%s gives nothing to renew tokens by", s->provider);
	if (s->provider_refresh_token[0] != '\0')
		TRY(oauth_refresh_session(rq, home, s));
	s->current = current;
	s->country_name = country;
	TRY(session_prolong(&rq->cx, home, rq->login->user, s));
	audit_as(rq, rq->login->user);
	return reply(rq, 200, &session_shape, s);
}

static err_t
account_update_session(struct req *rq, void *arg)
{
	const struct session_in_path *in = arg;
	struct project *home;
	struct session *s;

	TRY(account_home(rq, &home));
	TRY(named_session(rq, home, in->id, &s));
	if (rq->cx.format >= SINCE_1_5)	/* whatever made the session; before it was for those of OAuth2 providers */
		return prolong(rq, home, s);
	TRY(oauth_refresh_session(rq, home, s));
	audit_as(rq, rq->login->user);
	return reply(rq, 200, &session_shape, s);
}

/* ---- changes ---- */

struct name_in {
	const char *name;
};
static const struct param name_params[] = {REQUIRED("name", P_TEXT, struct name_in, name, "User name.", .max = 128)};

static err_t
account_update_name(struct req *rq, void *arg)
{
	const struct name_in *in = arg;
	struct project *home;
	struct user *u;

	TRY(account_home(rq, &home));
	TRY(user_set_name(&rq->cx, home, rq->login->user, NULL, in->name, &u));
	return reply(rq, 200, &account_shape, u);
}

struct password_in {
	const char *password, *old;
};
static const struct param password_params[] = {
	REQUIRED("password", P_PASSWORD, struct password_in, password, "New password of at least 8 bytes."),
	OPTIONAL("oldPassword", P_PASSWORD, struct password_in, old, "Current password; not needed as long as none was set.", .def = "\"\""),
};

static err_t
account_update_password(struct req *rq, void *arg)
{
	const struct password_in *in = arg;
	struct project *home;
	struct user *u;

	TRY(account_home(rq, &home));
	TRY(user_set_password(&rq->cx, home, rq->login->user, NULL, in->password, in->old, rq->login->session, &u));
	return reply(rq, 200, &account_shape, u);
}

struct email_in {
	const char *email, *password;
};
static const struct param email_params[] = {
	REQUIRED("email", P_EMAIL, struct email_in, email, "New e-mail address."),
	REQUIRED("password", P_PASSWORD, struct email_in, password, "Current password; the new one of an anonymous user."),
};

static err_t
account_update_email(struct req *rq, void *arg)
{
	const struct email_in *in = arg;
	struct project *home;
	struct user *u;
	err_t e;

	TRY(account_home(rq, &home));
	TRY(check_address(rq, home, in->email, rq->login->user));
	e = user_set_email(&rq->cx, home, rq->login->user, NULL, in->email, in->password, &u);
	if (e == ERR_USER_EMAIL_ALREADY_EXISTS && rq->cx.format >= SINCE_1_5)
		return user_refuse(&rq->cx, "the address is taken");
	TRY(e);
	return reply(rq, 200, &account_shape, u);
}

struct phone_in {
	const char *phone, *password;
};
static const struct param phone_params[] = {
	REQUIRED("phone", P_PHONE, struct phone_in, phone, "New phone number: + and digits."),
	REQUIRED("password", P_PASSWORD, struct phone_in, password, "Current password."),
};

static err_t
account_update_phone(struct req *rq, void *arg)
{
	const struct phone_in *in = arg;
	struct project *home;
	struct user *u;

	TRY(account_home(rq, &home));
	TRY(user_set_phone(&rq->cx, home, rq->login->user, NULL, in->phone, in->password, &u));
	return reply(rq, 200, &account_shape, u);
}

struct prefs_in {
	json_t *prefs;
};
static const struct param prefs_params[] = {
	REQUIRED("prefs", P_ASSOC, struct prefs_in, prefs, "Preferences; they replace the former ones.", .def = "[]"),
};

static err_t
account_update_prefs(struct req *rq, void *arg)
{
	const struct prefs_in *in = arg;
	struct project *home;
	struct user *u;

	TRY(account_home(rq, &home));
	TRY(user_set_prefs(&rq->cx, home, rq->login->user, NULL, in->prefs, &u));
	return reply(rq, 200, &account_shape, u);
}

/* Blocks oneself. Sessions stay: they work again when the user is unblocked. */
static err_t
account_update_status(struct req *rq, void *arg)
{
	struct project *home;
	struct user *u;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(user_set_status(&rq->cx, home, rq->login->user, NULL, false, &u));
	reply_fallback(rq, "[]");
	return reply(rq, 200, &account_shape, u);
}

static err_t
account_delete(struct req *rq, void *arg)
{
	struct project *home;

	(void)arg;
	TRY(account_home(rq, &home));
	TRY(user_delete(&rq->cx, home, rq->login->user, NULL));
	reply_session(rq, NULL);
	return reply_none(rq);
}

/* ---- logs ---- */

struct logs_in {
	struct strs queries;
};
static const struct param logs_params[] = {LOG_QUERIES(struct logs_in)};

static err_t
account_get_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	const struct user *u = rq->login->user;

	return reply_logs(rq, AUDIT_OF_USER, u->id, u->created, &in->queries, false);
}

static const struct route rows[] = {
	{"POST", "/v1/account", "account", "create", SCOPE_SIGN_IN, LIMIT_DEFAULT(10), "emailPassword", account_create, &account_shape, 201,
	    "Sign up with e-mail and password.", PARAMS(struct create_in, create_params), .audit = "user.create user/{user}",
	    .usage = "users.create"},
	{"POST", "/v1/account/sessions/email", "account", "createEmailSession", SCOPE_SIGN_IN, "10/3600 ~url:{url},email:{param-email}" LIMIT_GUESSES, "emailPassword",
	    account_session_by_email, &session_shape, 201, "Sign in with e-mail and password.", PARAMS(struct email_session_in, email_session_params),
	    .audit = "session.create user/{user}", .usage = "sessions.create", .flags = ROUTE_SIGN_IN | ROUTE_SIGNED_OUT},
	{"POST", "/v1/account/sessions", "account", NULL, SCOPE_SIGN_IN, "10/3600 ~url:/v1/account/sessions/email,email:{param-email}" LIMIT_GUESSES, "emailPassword", account_session_by_email,
	    &session_shape, 201, "Sign in with e-mail and password (the former path).", PARAMS(struct email_session_in, email_session_params),
	    .audit = "session.create user/{user}", .usage = "sessions.create", .flags = ROUTE_SIGN_IN | ROUTE_SIGNED_OUT},
	{"POST", "/v1/account/sessions/anonymous", "account", "createAnonymousSession", SCOPE_SIGN_IN, "50/3600 ip:{ip}", "anonymous", account_create_anonymous_session,
	    &session_shape, 201, "Begin without an account; it may get an e-mail and a password later.",
	    .audit = "session.create user/{user}", .usage = "sessions.create", .flags = ROUTE_SIGN_IN | ROUTE_SIGNED_OUT},
	{"POST", "/v1/account/jwt", "account", "createJWT", "account", "100/3600 url:{url},userId:{userId}", "JWT", account_create_jwt, &jwt_shape, 201,
	    "A token that stands for the current session for 15 minutes, or as long as is said.", PARAMS(struct jwt_in, jwt_params)},
	{"POST", "/v1/account/jwts", "account", NULL, "account", "120/60 url:{url},userId:{userId}", "JWT", account_create_jwt, &jwt_shape, 201,
	    "The same, under its later name.", PARAMS(struct jwt_in, jwt_params), .since = SINCE_1_5},
	{"GET", "/v1/account", "account", "get", "account", "", NULL, account_get, &account_shape, 200, "The caller's account.",
	    .usage = "users.read", .flags = ROUTE_AS_OTHER | ROUTE_KEYS},
	{"DELETE", "/v1/account", "account", "delete", "account", "", NULL, account_delete, NULL, 204, "Delete the caller's account.", .audit = "user.delete user/{user}",
	    .usage = "users.delete", .since = SINCE_1_5},
	{"GET", "/v1/account/prefs", "account", "getPrefs", "account", "", NULL, account_get_prefs, &preferences_shape, 200, "The caller's preferences.",
	    .usage = "users.read", .flags = ROUTE_KEYS},
	{"GET", "/v1/account/sessions", "account", "getSessions", "account", "", NULL, account_get_sessions, &session_shape, 200,
	    "The caller's sessions.", .list = "sessions", .usage = "users.read", .flags = ROUTE_KEYS},
	{"GET", "/v1/account/sessions/:sessionId", "account", "getSession", "account", "", NULL, account_get_session, &session_shape, 200,
	    "One session of the caller.", PARAMS(struct session_in_path, session_params), .usage = "users.read", .flags = ROUTE_KEYS},
	{"PATCH", "/v1/account/sessions/:sessionId", "account", "updateSession", "account", LIMIT_DEFAULT(10), NULL, account_update_session,
	    &session_shape, 200, "Refresh the provider's tokens of a session; for clients of 1.5 and later, prolong it.", PARAMS(struct session_in_path, session_params),
	    .audit = "session.update user/{user}", .usage = "sessions.update"},
	{"DELETE", "/v1/account/sessions/:sessionId", "account", "deleteSession", "account", LIMIT_DEFAULT(100), NULL, account_delete_session, NULL, 204,
	    "Sign out of one session.", PARAMS(struct session_in_path, session_params), .audit = "session.delete user/{user}",
	    .usage = "sessions.delete", .flags = ROUTE_SIGN_OUT | ROUTE_HALF},
	{"DELETE", "/v1/account/sessions", "account", "deleteSessions", "account", LIMIT_DEFAULT(100), NULL, account_delete_sessions, NULL, 204,
	    "Sign out everywhere.", .audit = "session.delete user/{user}", .usage = "sessions.delete", .flags = ROUTE_SIGN_OUT},
	{"PATCH", "/v1/account/name", "account", "updateName", "account", "", NULL, account_update_name, &account_shape, 200, "Change the name.",
	    PARAMS(struct name_in, name_params), .audit = "user.update user/{user}", .usage = "users.update", .flags = ROUTE_KEYS},
	{"PATCH", "/v1/account/password", "account", "updatePassword", "account", LIMIT_PASSWORD ";" LIMIT_FIRM(10), NULL, account_update_password, &account_shape, 200,
	    "Change the password.", PARAMS(struct password_in, password_params), .audit = "user.update user/{user}",
	    .usage = "users.update"},
	{"PATCH", "/v1/account/email", "account", "updateEmail", "account", LIMIT_PASSWORD, NULL, account_update_email, &account_shape, 200,
	    "Change the e-mail address, or give an anonymous user e-mail and password.", PARAMS(struct email_in, email_params),
	    .audit = "user.update user/{user}", .usage = "users.update"},
	{"PATCH", "/v1/account/phone", "account", "updatePhone", "account", LIMIT_PASSWORD, NULL, account_update_phone, &account_shape, 200,
	    "Change the phone number.", PARAMS(struct phone_in, phone_params), .audit = "user.update user/{user}",
	    .usage = "users.update"},
	{"PATCH", "/v1/account/prefs", "account", "updatePrefs", "account", "", NULL, account_update_prefs, &account_shape, 200,
	    "Replace the preferences.", PARAMS(struct prefs_in, prefs_params), .audit = "user.update user/{user}",
	    .usage = "users.update", .flags = ROUTE_KEYS},
	{"PATCH", "/v1/account/status", "account", "updateStatus", "account", "", NULL, account_update_status, &account_shape, 200, "Block oneself.",
	    .audit = "user.update user/{user}", .usage = "users.delete"},
	LOGS("/v1/account/logs", "account", "account", account_get_logs, "What the caller did.", struct logs_in, logs_params,
	    .flags = ROUTE_KEYS, .usage = "users.read"),
};
const struct routes account_routes = ROUTES(rows);
