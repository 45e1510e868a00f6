/* The account service: signing in through an OAuth2 provider. The browser goes from here to the provider, comes back to the callback with a
 * code, and is sent on to the redirect step, which trades the code and signs in.
 *
 * A sign-in must end in the browser that began it: the sealed state holds a nonce that this browser has in a cookie, so a link with somebody
 * else's code signs nobody in. Where a server with a key began it on a browser's behalf there is no such cookie; it ends with a token, which
 * the server takes. */
#include "gate/caller.h"
#include "account_priv.h"
#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/vtime.h"
#include "model/format.h"
#include "model/jwt.h"
#include "model/link.h"
#include "model/origin.h"
#include "model/usage.h"
#include "svc/account/oauth.h"
#include "svc/users/linked.h"
#include "svc/users/token.h"

enum { NONCE_BYTES = 16, VERIFIER_BYTES = 32, CODE_MAX = 2048, SAID_MAX = 256, FAILED_DEPENDENCY = 424 };

#define SUCCESS_PAGE "/v1/auth/oauth2/success"
#define FAILURE_PAGE "/v1/auth/oauth2/failure"
#define COOKIE_PATH "/v1/account/sessions/oauth2"

static const char *const providers[] = {
#define PROVIDER(key, label) #key,
#include "tbl/providers.h"
#undef PROVIDER
    NULL};

/* ---- where we are ---- */

const char *
account_self_of(struct req *rq)
{
	struct str text = client_authority(rq->http), port;
	bool tls = strcmp(rq->scheme, "https") == 0;

	port = origin_parse(arena_printf(rq->cx.arena, "http://%.*s", STR_FMT(text))).port;
	if (port.n == 0 || str_is(port, tls ? "443" : "80"))
		return arena_printf(rq->cx.arena, "%s://%s", rq->scheme, rq->host);
	return arena_printf(rq->cx.arena, "%s://%s:%.*s", rq->scheme, rq->host, STR_FMT(port));
}

static const char *
callback_of(struct req *rq, const char *provider, const struct project *p)
{
	return arena_printf(rq->cx.arena, "%s/v1/account/sessions/oauth2/callback/%s/%s", account_self_of(rq), provider, p->id);
}

static err_t
go(struct req *rq, const char *url)
{
	reply_static(rq, "Cache-Control", "no-store, no-cache, must-revalidate, max-age=0");
	reply_static(rq, "Pragma", "no-cache");
	reply_static(rq, "Location", url);
	return reply_raw(rq, 301, "text/html", STR_NONE);
}

/* ---- the cookie of a browser that began ---- */

static const char *
cookie_name(struct req *rq)
{
	return arena_printf(rq->cx.arena, "a_oauth2_%s", str_lower(rq->cx.arena, str_c(rq->project->id)).p);
}

static struct str
cookie_nonce(struct req *rq)
{
	struct str rest = rq->http->hdr[HDR_COOKIE];
	const char *name = cookie_name(rq);

	while (rest.p != NULL) {
		struct str value = str_trim(str_cut(&rest, ';')), key = str_cut(&value, '=');

		if (str_is(key, name) && value.n == NONCE_BYTES * 2)
			return value;
	}
	return STR_NONE;
}

/* Two tabs share it: the second one must not undo the first. */
static const char *
give_nonce(struct req *rq)
{
	struct str had = cookie_nonce(rq);
	bool keep = had.n > 0;
	const char *nonce;
	char date[30];

	for (size_t i = 0; i < had.n; i++)
		keep = keep && strchr("0123456789abcdef", had.p[i]) != NULL;
	nonce = keep ? str_dup(rq->cx.arena, had) : secret_hex(rq->cx.arena, NONCE_BYTES);
	reply_static(rq, "Set-Cookie",
	    arena_printf(rq->cx.arena, "%s=%s; expires=%s; path=" COOKIE_PATH "%s; httponly; samesite=Lax", cookie_name(rq), nonce,
		time_http(time_now_ms() + conf.life_oauth2_state, '-', date), strcmp(rq->scheme, "https") == 0 ? "; secure" : ""));
	return nonce;
}

/* ---- the way there ---- */

struct start_in {
	const char *provider, *success, *failure;
	struct strs scopes;
};
static const struct param start_params[] = {
    {.name = "provider", .type = P_ENUM, .off = offsetof(struct start_in, provider), .required = true, .doc = "Provider.", .path = "provider",
	.list = providers},
    OPTIONAL("success", P_REDIRECT, struct start_in, success, "Where to go after a sign-in.", .def = "\"\""),
    OPTIONAL("failure", P_REDIRECT, struct start_in, failure, "Where to go after a failure.", .def = "\"\""),
    OPTIONAL("scopes", P_TEXTS, struct start_in, scopes, "Scopes besides the provider's usual ones.", .max = 4096, .def = "[]"),
};

static const char *
or_page(struct req *rq, const char *url, const char *page)
{
	return url && url[0] ? url : arena_printf(rq->cx.arena, "%s%s", account_self_of(rq), page);
}

static const char *
signed_in(const struct req *rq)
{
	const struct user *u = caller_user(rq);

	return u ? u->id : "";
}

static err_t
account_oauth_start(struct req *rq, const struct start_in *in, bool token)
{
	struct oauth_state s = {.project = rq->project->id, .provider = in->provider, .token = token, .user = "", .nonce = "", .verifier = ""};
	struct oauth_trip trip = {.scopes = in->scopes};
	struct oauth_app app;
	const char *url;

	if (!token)
		TRY(account_no_jwt(rq));
	TRY(oauth_open(&rq->cx, rq->project, in->provider, account_self_of(rq), &app));
	s.success = or_page(rq, in->success, SUCCESS_PAGE);
	s.failure = or_page(rq, in->failure, FAILURE_PAGE);
	if (oauth_wants_verifier(&app))
		s.verifier = trip.verifier = secret_hex(rq->cx.arena, VERIFIER_BYTES);
	if (!token) {
		s.user = signed_in(rq);
		s.epoch = s.user[0] ? rq->login->user->epoch : 0;
	}
	if (!token || !caller_is_server(rq))
		s.nonce = give_nonce(rq);
	trip.redirect = callback_of(rq, in->provider, rq->project);
	trip.state = oauth_state_seal(&rq->cx, &s);
	if (trip.state == NULL)
		return fail_msg(&rq->cx, ERR_PROJECT_INVALID_SUCCESS_URL, "The success and failure URLs are too long.");
	TRY(oauth_authorize_url(&rq->cx, &app, &trip, &url));
	return go(rq, url);
}

static err_t
account_create_oauth2_session(struct req *rq, void *arg)
{
	return account_oauth_start(rq, arg, false);
}

static err_t
account_create_oauth2_token(struct req *rq, void *arg)
{
	return account_oauth_start(rq, arg, true);
}

/* ---- the way back ---- */

struct back_in {
	const char *provider, *project, *code, *state, *error, *description;
};
#define BACK_PARAMS \
	{.name = "provider", .type = P_ENUM, .off = offsetof(struct back_in, provider), .required = true, .doc = "Provider.", .path = "provider", \
	    .list = providers}, \
	    OPTIONAL("code", P_TEXT, struct back_in, code, "Code of the provider."), \
	    OPTIONAL("state", P_TEXT, struct back_in, state, "State, given back.", .max = OAUTH_STATE_MAX), \
	    OPTIONAL("error", P_TEXT, struct back_in, error, "What the provider says instead of a code."), \
	    OPTIONAL("error_description", P_TEXT, struct back_in, description, "And in words for people.")
static const struct param callback_params[] = {
    PATH("projectId", P_TEXT, struct back_in, project, "Project ID.", .max = 1024),
    BACK_PARAMS,
};
static const struct param redirect_params[] = {BACK_PARAMS};

static bool
account_oauth_has(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* Whatever the provider says, the state may be good, and then the app is to hear of it: nothing of it is refused before that is opened. */
static void
cut_back(struct req *rq, struct back_in *in)
{
	if (account_oauth_has(in->code) && strlen(in->code) > CODE_MAX) {
		in->code = NULL;
		in->error = "a code that is too long";
	}
	if (account_oauth_has(in->error))
		in->error = str_dup(rq->cx.arena, str_head(str_c(in->error), SAID_MAX));
	if (account_oauth_has(in->description))
		in->description = str_dup(rq->cx.arena, str_head(str_c(in->description), SAID_MAX));
}

static err_t
no_code(struct req *rq, const struct back_in *in, err_t e)
{
	const char *more = account_oauth_has(in->error) && account_oauth_has(in->description) ? in->description : "";

	return fail_msg(&rq->cx, e, "%s%s%s%s", "Param \"code\" is not optional.",
	    account_oauth_has(in->error) ? arena_printf(rq->cx.arena, " The provider said: %s", in->error) : "", more[0] != '\0' ? ": " : "", more);
}

/* The cookie is bound to the step that follows, and Apple posts here from its own site: so nothing is decided yet. */
static err_t
account_callback(struct req *rq, void *arg)
{
	struct back_in *in = arg;
	const struct {
		const char *name, *const *value;
	} v[] = {{"code", &in->code}, {"state", &in->state}, {"error", &in->error}, {"error_description", &in->description}};
	struct oauth_state s;
	struct buf b;

	cut_back(rq, in);
	if (!account_oauth_has(in->code) && !oauth_state_open(&rq->cx, in->state, &s))
		return no_code(rq, in, ERR_GENERAL_ARGUMENT_INVALID);
	buf_init(&b, rq->cx.arena, 512);
	buf_printf(&b, "%s/v1/account/sessions/oauth2/%s/redirect?project=", account_self_of(rq), in->provider);
	link_encode(&b, str_c(in->project));
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		if (!account_oauth_has(*v[i].value))
			continue;
		buf_printf(&b, "&%s=", v[i].name);
		link_encode(&b, str_c(*v[i].value));
	}
	return go(rq, b.p);
}

static err_t
bad_state(struct req *rq, const char *why)
{
	rq->cx.message = "Invalid state: the sign-in took too long or was not begun here. Start again.";
	return fail(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "state %s", why);
}

static err_t
open_state(struct req *rq, const struct back_in *in, struct oauth_state *s)
{
	if (!oauth_state_open(&rq->cx, in->state, s))
		return bad_state(rq, "unknown or expired");
	if (strcmp(s->project, rq->project->id) != 0 || strcmp(s->provider, in->provider) != 0)
		return bad_state(rq, "of another project or provider");
	return OK;
}

/* Is it this browser's sign-in, and of who is signed in there still? */
static err_t
check_state(struct req *rq, const struct oauth_state *s)
{
	if (s->token && s->nonce[0] == '\0')
		return OK;
	if (!str_eq_secret(str_c(s->nonce), cookie_nonce(rq)))
		return bad_state(rq, "of another browser");
	if (s->token)
		return OK;
	if (strcmp(s->user, signed_in(rq)) != 0)
		return bad_state(rq, "of another user");
	if (s->user[0] != '\0' && s->epoch != rq->login->user->epoch)
		return bad_state(rq, "of before the account changed");
	return OK;
}

/* Platforms may have changed meanwhile. */
static err_t
account_oauth_check_url(struct req *rq, const char *url, err_t e)
{
	return api_redirect_ok(rq, url, rq->host) ? OK : fail(&rq->cx, e, "url=%s", url);
}

static err_t
account_oauth_identify(struct req *rq, const struct back_in *in, const struct oauth_state *s, const struct user *current, struct user **user_out,
    struct session_in *session)
{
	const struct oauth_trip trip = {.redirect = callback_of(rq, in->provider, rq->project), .state = in->state, .code = in->code,
		.verifier = s->verifier[0] ? s->verifier : NULL};
	struct oauth_profile who;
	struct linked_in from;
	struct oauth_tokens t;
	struct oauth_app app;
	bool took_over;

	if (in->code == NULL || in->code[0] == '\0')	/* an error of the provider's: there is nothing to trade */
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"code\" is not optional.");
	TRY(oauth_open(&rq->cx, rq->project, in->provider, account_self_of(rq), &app));
	TRY(oauth_exchange(&rq->cx, &app, &trip, &t));
	TRY(oauth_profile(&rq->cx, &app, &t, &who));
	from = (struct linked_in){.provider = app.key, .uid = who.id, .email = who.email, .access_token = t.access, .refresh_token = t.refresh,
		.access_token_expiry = t.expiry, .vouched = who.verified};
	TRY(oauth_user(&rq->cx, rq->project, &from, &who, current, user_out, &took_over));
	if (took_over)
		audit_takeover(rq, *user_out);
	*session = (struct session_in){.provider = app.key, .provider_uid = who.id, .ip = rq->ip, .user_agent = rq->user_agent,
		.access_token = t.access, .refresh_token = t.refresh, .access_token_expiry = t.expiry};
	return OK;
}

static int64_t
port_of(const struct origin *o)
{
	int64_t n = str_is(o->scheme, "https") ? 443 : 80;

	return o->port.n > 0 && !str_to_i64(o->port, &n) ? -1 : n;
}

/* Is it that page of ours, on which a sign-in without an address ends? Behind a proxy the scheme may be another one, and the port with it. */
static bool
own_page(struct req *rq, const char *url, const char *page)
{
	struct origin o = origin_parse(url), self = origin_parse(account_self_of(rq));
	struct str rest = str_c(url), path = str_cut(&rest, '#');

	if ((!str_is(o.scheme, "http") && !str_is(o.scheme, "https")) || !str_eq(o.host, self.host))
		return false;
	if (str_eq(o.scheme, self.scheme) ? port_of(&o) != port_of(&self) : !str_eq(o.port, self.port))
		return false;
	path = str_cut(&path, '?');
	path.n -= o.scheme.n + 3;
	path.p += o.scheme.n + 3;
	(void)str_cut(&path, '/');
	return str_is(path, &page[1]);
}

/* Our own page hands the session over to an app; no page of anybody else ever sees it. */
static const char *
with_secret(struct req *rq, const char *url, const char *token)
{
	bool named = strcmp(rq->host, "localhost") != 0 && !host_is_address(str_c(rq->host));
	const char *key = arena_printf(rq->cx.arena, "a_session_%s", rq->project->id);
	struct link_param v[4];
	int n = 0;

	if (!own_page(rq, url, SUCCESS_PAGE))
		return url;
	v[n++] = (struct link_param){"project", rq->project->id};
	if (named)
		v[n++] = (struct link_param){"domain", arena_printf(rq->cx.arena, ".%s", rq->host)};
	v[n++] = (struct link_param){"key", str_lower(rq->cx.arena, str_c(key)).p};
	v[n++] = (struct link_param){"secret", token};
	return link_with(rq->cx.arena, url, v, n);
}

static err_t
finish_session(struct req *rq, const struct back_in *in, const struct oauth_state *s)
{
	const struct user *current = caller_user(rq);
	struct session_in si;
	struct session *made;
	struct user *u;
	char *token;

	TRY(account_no_jwt(rq));
	TRY(account_oauth_identify(rq, in, s, current, &u, &si));
	si.replaces = current ? rq->login->session : NULL;
	TRY(session_create(&rq->cx, rq->project, u, &si, &made, &token));
	TRY(account_alert(rq, u, made));
	rq->usage_scope = si.provider;
	known_client(rq, u, made);
	reply_session(rq, token);
	return go(rq, with_secret(rq, s->success, token));
}

static void
send_nothing(struct db_tx *tx, const struct token *t, void *arg)
{
	(void)tx;
	(void)t;
	(void)arg;
}

static err_t
finish_token(struct req *rq, const struct back_in *in, const struct oauth_state *s)
{
	const struct token_in ti = {.type = TOKEN_OAUTH2, .life_ms = conf.life_oauth2_token, .ip = rq->ip, .user_agent = rq->user_agent, .event = NULL,
		.send = send_nothing};
	struct session_in si;
	const char *secret;
	struct token *t;
	struct user *u;

	TRY(account_oauth_identify(rq, in, s, NULL, &u, &si));
	TRY(token_create(&rq->cx, rq->project, u, &ti, &t));
	secret = jwt_make(&rq->cx, arena_printf(rq->cx.arena, "{\"secret\":\"%s\",\"provider\":\"%s\",\"exp\":%lld}", t->secret, si.provider, (long long)(t->expire / 1000)));
	return go(rq, link_with(rq->cx.arena, s->success, (struct link_param[]){{"userId", u->id}, {"secret", secret}}, 2));
}

/* Once it is known where a sign-in was to end, whatever goes wrong ends there: the app's failure page, or ours, which hands over to an app. */
static err_t
fail_to(struct req *rq, const struct oauth_state *s, err_t e)
{
	const struct err_info *i = err_info(e);
	struct link_param v[2] = {{"project", rq->project->id}};
	bool own = own_page(rq, s->failure, FAILURE_PAGE);
	struct buf b;
	struct jw w;

	buf_init(&b, rq->cx.arena, 256);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "message");
	jw_cstr(&w, rq->cx.message ? rq->cx.message : i->message);
	JW_KEY(&w, "type");
	jw_cstr(&w, i->type);
	JW_KEY(&w, "code");
	jw_i64(&w, e == ERR_USER_OAUTH2_PROVIDER_ERROR || e == ERR_USER_OAUTH2_PROVIDER_FAILURE ? FAILED_DEPENDENCY : i->status);
	jw_obj_end(&w);
	v[own] = (struct link_param){"error", buf_view(&b).p};
	log_info(&rq->cx, "oauth2 sign-in failed", "error=%s detail=%s", i->name, rq->cx.detail ? rq->cx.detail : "");
	rq->failed = true;
	return go(rq, link_with(rq->cx.arena, s->failure, v, own ? 2 : 1));
}

static err_t
finish(struct req *rq, const struct back_in *in, const struct oauth_state *s)
{
	TRY(check_state(rq, s));
	TRY(account_oauth_check_url(rq, s->success, ERR_PROJECT_INVALID_SUCCESS_URL));
	if (!account_oauth_has(in->code))
		return no_code(rq, in, ERR_USER_OAUTH2_PROVIDER_ERROR);
	return s->token ? finish_token(rq, in, s) : finish_session(rq, in, s);
}

static err_t
account_redirect(struct req *rq, void *arg)
{
	struct back_in *in = arg;
	struct oauth_state s;
	err_t e;

	cut_back(rq, in);
	TRY(open_state(rq, in, &s));
	TRY(account_oauth_check_url(rq, s.failure, ERR_PROJECT_INVALID_FAILURE_URL));
	e = finish(rq, in, &s);
	return e == OK || e == ERR_CANCELLED || rq->replied ? e : fail_to(rq, &s, e);
}

/* ---- new tokens ---- */

err_t
oauth_refresh_session(struct req *rq, const struct project *home, struct session *s)
{
	struct linked_in from;
	struct oauth_tokens t;
	struct oauth_app app;
	err_t e;

	TRY(oauth_open(&rq->cx, home, s->provider, account_self_of(rq), &app));
	if (s->provider_refresh_token[0] == '\0')
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "The provider gave no refresh token for this session.");
	e = oauth_refresh(&rq->cx, &app, callback_of(rq, app.key, home), s->provider_refresh_token, &t);
	TRY(e == ERR_USER_OAUTH2_PROVIDER_FAILURE ? ERR_GENERAL_SERVER_ERROR : e);
	s->provider_access_token = t.access;
	s->provider_refresh_token = t.refresh;
	s->provider_access_token_expiry = t.expiry;
	s->current = false;	/* the contract has it so in this reply */
	s->country_name = "";
	TRY(session_update_tokens(&rq->cx, home, rq->login->user, s));
	from = (struct linked_in){.provider = app.key, .uid = s->provider_uid, .access_token = t.access, .refresh_token = t.refresh, .access_token_expiry = t.expiry};
	return linked_renew(&rq->cx, home, rq->login->user, &from);
}

#define START "50/3600 ip:{ip}"
#define ROW(method_, path_, name_, handler_, status_, doc_, ...)                                                                              \
	{.method = method_, .path = "/v1/account/" path_, .name = name_, .handler = handler_, .status = status_, .doc = doc_, __VA_ARGS__}

static const struct route rows[] = {
    ROW("GET", "sessions/oauth2/:provider", "createOAuth2Session", account_create_oauth2_session, 301, "Go to a provider to sign in there.", .service = "account",
	.scope = "public", .limit = START, .flags = ROUTE_HTML | ROUTE_SIGN_IN, PARAMS(struct start_in, start_params)),
    ROW("GET", "sessions/oauth2/callback/:provider/:projectId", NULL, account_callback, 301, "Where providers send the browser back.", .scope = "public",
	.limit = "", .flags = ROUTE_HTML | ROUTE_SIGN_IN, PARAMS(struct back_in, callback_params)),
    ROW("POST", "sessions/oauth2/callback/:provider/:projectId", NULL, account_callback, 301, "The same for a provider that posts.", .scope = "public",
	.limit = "", .flags = ROUTE_HTML | ROUTE_NO_ORIGIN | ROUTE_SIGN_IN, PARAMS(struct back_in, callback_params)),
    ROW("GET", "sessions/oauth2/:provider/redirect", NULL, account_redirect, 301, "Trade the provider's code for a session.", .scope = "public",
	.limit = START, .flags = ROUTE_HTML | ROUTE_SIGN_IN, PARAMS(struct back_in, redirect_params), .audit = "session.create user/{user}", .usage = "sessions.create"),
    /* of later versions; a server may call it with its key. The token is for POST sessions/token (account_token.c) */
    ROW("GET", "tokens/oauth2/:provider", "createOAuth2Token", account_create_oauth2_token, 301, "Go to a provider for a token that makes a session.",
	.service = "account", .limit = START, .flags = ROUTE_HTML | ROUTE_SIGN_IN, PARAMS(struct start_in, start_params)),
};
const struct routes account_oauth_routes = ROUTES(rows);
