/* The way of a request from its route to its parameters (spec platform.md 5): every check in the order of the contract, the first
 * failure answers. What the handler learns about its caller is decided here and nowhere else. */
#include "core/protocol.h"
#include "gate/caller.h"
#include "gate_priv.h"
#include "core/conf.h"
#include "core/vtime.h"
#include "io/names.h"
#include "model/key.h"
#include "model/origin.h"
#include "model/roles.h"

bool
api_locale_known(const char *locale)
{
	return names_locale(str_c(locale)) != NULL;
}

static void
choose_locale(struct req *rq)
{
	rq->locale = names_locale(body_text(rq, "locale"));
	if (rq->locale == NULL)
		rq->locale = names_locale(rq->http->hdr[HDR_X_LOCALE]);
	if (rq->locale == NULL)
		rq->locale = names_locale(str_c(conf.locale));
	if (rq->locale == NULL)
		rq->locale = "en";
	rq->cx.locale = rq->locale;
}

/* A parameter of the request wins over the header; without both it is `none`. A header that is sent empty is a value. */
static struct str
setting(const struct req *rq, const char *name, enum http_hdr header, struct str none)
{
	struct str s = body_text(rq, name);

	if (s.n > 0)
		return s;
	return rq->http->hdr[header].p != NULL ? rq->http->hdr[header] : none;
}

/* Whether this is the route of a project below the console's. */
static bool
below_projects(const struct route *r)
{
	const char *at = r->flags & ROUTE_CONSOLE ? strchr(r->path + 4, '/') : NULL;	/* behind "/v1/" and one more segment */

	return at != NULL && str_starts(str_c(at), "/:projectId");
}

/* A project may be named twice, in the path and as the one that the request is about: it is the console that answers, and knows who asks. Keys of the project
 * are none of the console's. */
static bool
names_twice(const struct req *rq, struct str id)
{
	struct str key = rq->http->hdr[HDR_X_KEY];

	if (rq->cx.format < SINCE_1_8 || !below_projects(rq->route) || !str_ieq(rq->path_arg[0], id))
		return false;
	return key.n == 0 || key_kind(key) == KEY_ORGANIZATION || key_kind(key) == KEY_ACCOUNT;
}

/* Clients of today are told that they have named two projects. */
static err_t
check_named(struct req *rq)
{
	if (rq->cx.format < SINCE_1_9 || rq->project->console || !below_projects(rq->route) || str_ieq(rq->path_arg[0], str_c(rq->project->id)))
		return OK;
	return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "project=%s is not that of the path", rq->project->id);
}

static err_t
gate_find_project(struct req *rq)
{
	struct str id = setting(rq, "project", HDR_X_PROJECT, STR("console"));

	if (names_twice(rq, id)) {
		rq->admin_mode = false;
		id = STR("console");
	}
	TRY(project_get(&rq->cx, id, &rq->project));
	rq->cx.project = rq->project->id;
	return OK;
}

/* One that is none, or is over, counts for nothing. */
static void
find_dev_key(struct req *rq)
{
	struct str secret = setting(rq, "devKey", HDR_X_DEV_KEY, STR_NONE);
	const struct api_key *k = secret.n > 0 ? project_dev_key_find(rq->project, secret) : NULL;

	if (k == NULL)
		return;
	rq->dev_key = true;
	project_dev_key_touch(&rq->cx, rq->project, k, rq->http->hdr[HDR_X_SDK_NAME]);
}

/* ---- identity ---- */

static const struct membership_role *
member_of(const struct login *l, const char *team_id)
{
	for (int i = 0; team_id != NULL && i < l->n_members; i++)
		if (strcmp(l->members[i].team_id, team_id) == 0)
			return &l->members[i];
	return NULL;
}

/* A console user counts only as a confirmed member of the team that owns the project; its roles there decide what it is. */
static err_t
find_admin(struct req *rq, const struct login_tokens *t, int *which_out)
{
	static const char *const ranks[] = {"owner", "admin", "developer"};	/* the best comes first */
	const char *here[sizeof ranks / sizeof *ranks];	/* the same for this project alone */
	const struct membership_role *m;
	struct project *console;
	int best = 3;

	if (rq->project->console)
		return OK;
	TRY(project_get(&rq->cx, STR("console"), &console));
	TRY(login_by_tokens(&rq->cx, console, t, &rq->login, which_out));
	if (rq->login == NULL)
		return OK;
	if ((m = member_of(rq->login, rq->project->team_id)) == NULL) {
		rq->login = NULL;
		return rq->cx.format >= SINCE_1_9 ? fail(&rq->cx, ERR_USER_UNAUTHORIZED, "in none of the project's teams") : OK;
	}
	rq->caller = CALLER_USER;
	rq->role_label = "users";
	for (int k = 0; k < best; k++)
		here[k] = role_of_project(rq->cx.arena, rq->project->id, ranks[k]);
	for (int i = 0; i < m->roles.n; i++)
		for (int k = 0; k < best; k++)
			if (strcmp(m->roles.v[i], ranks[k]) == 0 || strcmp(m->roles.v[i], here[k]) == 0)
				best = k;
	if (best < 3) {
		rq->caller = CALLER_ADMIN;
		rq->role_label = ranks[best];
	}
	return OK;
}

/* None of a page that hides its origin or whose origin we cannot read. Writes are left to cors_check, which says so; a provider of OAuth2 that
 * sends a browser back may hide. */
static bool
cookies_count(struct req *rq)
{
	bool open = rq->route->flags & ROUTE_NO_ORIGIN;

	if (origin_readable(rq->origin))
		return true;
	return open ? strstr(rq->origin, "://") == NULL : strcmp(rq->route->method, "GET") != 0;
}

/* A cookie of the console counts for pages that the console lets in, not for those of the project's platforms. What a client says beside it is
 * looked at all the same. */
static err_t
find_cookies(struct req *rq, struct str *out)
{
	struct project *console;

	*out = cookies_count(rq) ? rq->http->hdr[HDR_COOKIE] : STR_NONE;
	if (rq->dev_key && !origin_brings_cookies(rq->project, rq->origin, rq->host))
		*out = STR_NONE;	/* it lets any page in, but not with what a browser adds by itself */
	if (!rq->admin_mode || out->n == 0)
		return OK;
	TRY(project_get(&rq->cx, STR("console"), &console));
	if (!origin_brings_cookies(console, rq->origin, rq->host))
		*out = STR_NONE;
	return OK;
}

/* Clients of today are told that a token beside a session that is one cannot be: who they are would be a guess. */
static err_t
check_one_login(struct req *rq, const struct login_tokens *t)
{
	struct project *home = rq->project;
	struct login *l = NULL;
	int which;

	if (rq->cx.format < SINCE_1_9 || t->n == 0)
		return OK;
	if (rq->admin_mode)
		TRY(project_get(&rq->cx, STR("console"), &home));
	TRY(login_by_tokens(&rq->cx, home, t, &l, &which));
	return l != NULL ? ERR_USER_JWT_AND_COOKIE_SET : OK;
}

static err_t
gate_find_user(struct req *rq)
{
	const struct http_msg *m = rq->http;
	const char *space = rq->admin_mode ? "console" : rq->project->id;
	struct login_tokens t;
	struct str cookies;
	int which = -1;

	TRY(find_cookies(rq, &cookies));
	login_tokens_of(&rq->cx, space, &(struct login_headers){cookies, m->hdr[HDR_X_FALLBACK_COOKIES], m->hdr[HDR_X_SESSION]}, &t);
	rq->fallback = t.n == 0 || !t.v[0].cookie;
	if (m->hdr[HDR_X_JWT].n > 0) {
		TRY(check_one_login(rq, &t));
		rq->jwt = true;
		rq->admin_mode = false;
		TRY(login_by_jwt(&rq->cx, rq->project, m->hdr[HDR_X_JWT], &rq->login));
	} else if (t.n > 0) {
		TRY(rq->admin_mode ? find_admin(rq, &t, &which) : login_by_tokens(&rq->cx, rq->project, &t, &rq->login, &which));
	}
	if (which >= 0)
		rq->fallback = !t.v[which].cookie;
	rq->dead_session = t.n > 0 && which < 0;
	if (rq->login == NULL)
		return OK;
	if (!rq->login->user->status && (rq->route->flags & ROUTE_SIGN_IN)) {
		rq->login = NULL;	/* a blocked user may sign in as somebody else, or be told so by what they sign in with */
		rq->caller = CALLER_GUEST;
		rq->role_label = "guests";
		return OK;
	}
	rq->cx.user = rq->login->user->id;
	if (rq->caller == CALLER_GUEST) {
		rq->caller = CALLER_USER;
		rq->role_label = "users";
	}
	return OK;
}

/* ---- in another's name (spec today/identity.md 2.6) ---- */

/* Whether a route is about the caller itself, whoever it acts as. Signing in always is, on the way back from a provider too. */
static bool
acts_on_caller(const struct route *r)
{
	int n;
	const struct service *const *v = service_all(&n);

	if (r->flags & ROUTE_SIGN_IN)
		return true;
	for (int i = 0; r->service != NULL && i < n; i++)
		if (strcmp(v[i]->name, r->service) == 0)
			return v[i]->own && !(r->flags & ROUTE_AS_OTHER);
	return false;
}

/* May act as others, as far as the project goes and while nothing stands in their own way. */
static bool
may_impersonate(const struct req *rq)
{
	const struct user *u = rq->login ? rq->login->user : NULL;

	return u != NULL && u->impersonator && rq->caller == CALLER_USER && rq->key == NULL && !rq->admin_mode && u->status && !u->reset && !caller_half(rq);
}

static const char *
wish(const struct req *rq, enum http_hdr header, const char *param)
{
	struct str s = rq->http->hdr[header];

	if (s.n == 0)
		s = body_text(rq, param);
	return s.n > 0 ? str_dup(rq->cx.arena, s) : NULL;
}

static void
be_other(struct req *rq, const struct login *other)
{
	struct login *l = arena_new_of(rq->cx.arena, struct login);
	struct user *u = arena_new_of(rq->cx.arena, struct user);

	*l = *other;
	*u = *other->user;
	user_seen_by_other(u, rq->login->user->id);
	l->user = u;
	rq->impersonator = rq->login->user;
	rq->login = l;
	rq->cx.user = u->id;
}

/* The other's wish for a second factor is for whoever comes in the other's name, by a session or by a token of one. */
static err_t
check_others_factors(const struct req *rq, const struct user *other)
{
	return other->status && user_wants_two(other) && !rq->login->twofold ? ERR_USER_MORE_FACTORS_REQUIRED : OK;
}

/* An unknown wish counts for nothing. The other has no session here, so nothing that stands on one is theirs. */
static err_t
find_other(struct req *rq)
{
	const char *id, *email, *phone;
	struct login *other;

	if (!may_impersonate(rq) || acts_on_caller(rq->route))
		return OK;
	id = wish(rq, HDR_X_IMPERSONATE_ID, "impersonateUserId");
	email = wish(rq, HDR_X_IMPERSONATE_EMAIL, "impersonateEmail");
	phone = wish(rq, HDR_X_IMPERSONATE_PHONE, "impersonatePhone");
	if (id == NULL && email == NULL && phone == NULL)
		return OK;
	TRY(login_by_address(&rq->cx, rq->project, id, email, phone, &other));
	if (other == NULL || other->user->internal == rq->login->user->internal)
		return OK;
	TRY(check_others_factors(rq, other->user));
	be_other(rq, other);
	return OK;
}

/* One of the '|'-separated scopes. */
static bool
scope_among(const char *scopes, const char *name)
{
	struct str rest = str_c(scopes);

	while (rest.p != NULL)
		if (str_is(str_cut(&rest, '|'), name))
			return true;
	return false;
}

static bool
key_has(const struct api_key *k, const char *scopes)
{
	for (int i = 0; i < k->scopes.n; i++)
		if (scope_among(scopes, k->scopes.v[i]))
			return true;
	return false;
}

static void
be_guest(struct req *rq)
{
	rq->login = NULL;
	rq->jwt = rq->admin_mode = false;
	rq->cx.user = NULL;
	rq->caller = CALLER_GUEST;
	rq->role_label = "guests";
}

/* Whoever sends a key that is none is no guest to clients of today. *out NULL: it counts for nothing. */
static err_t
find_stored_key(struct req *rq, struct str secret, struct api_key **out)
{
	if ((*out = project_key_find(rq->project, secret)) != NULL || rq->cx.format < SINCE_1_9)
		return OK;
	return fail(&rq->cx, rq->http->hdr[HDR_X_PROJECT].n == 0 ? ERR_PROJECT_ID_MISSING : ERR_USER_UNAUTHORIZED, "no such key");
}

/* Keys of teams and of users of the console, which the request has to name as well. */
static err_t
find_owned_key(struct req *rq, struct str secret, enum key_kind kind, struct api_key **out)
{
	bool person = kind == KEY_ACCOUNT;
	err_t missing = person ? ERR_USER_ID_MISSING : ERR_ORGANIZATION_ID_MISSING;
	struct str owner = rq->http->hdr[person ? HDR_X_USER : HDR_X_ORGANIZATION];
	struct owned_key *k = NULL;

	if (person && rq->login != NULL)
		return ERR_USER_API_KEY_AND_SESSION_SET;
	if (rq->project->console && owner.n > 0)
		TRY(owned_key_find(&rq->cx, kind, secret, &k));
	if (k != NULL && str_ieq(owner, str_c(k->k.owner))) {
		*out = &k->k;
		return OK;
	}
	if (rq->cx.format < SINCE_1_9)
		return OK;
	return fail(&rq->cx, k != NULL || owner.n == 0 ? missing : ERR_USER_UNAUTHORIZED, "no such key");
}

static err_t
key_sent(struct req *rq, struct str secret, struct api_key **out)
{
	*out = NULL;
	switch (key_kind(secret)) {
	case KEY_STANDARD:
		return find_stored_key(rq, secret, out);
	case KEY_ORGANIZATION:
	case KEY_ACCOUNT:
		return find_owned_key(rq, secret, key_kind(secret), out);
	case KEY_EPHEMERAL:
		*out = key_of_ephemeral(&rq->cx, rq->project, secret);
		break;
	case KEY_UNKNOWN:
		break;
	}
	if (*out == NULL && rq->cx.format >= SINCE_1_9)
		be_guest(rq);	/* whoever else sent it */
	return OK;
}

/* Beside a session or a token the key decides, but for what no key can have the scope of: that is for people. */
static bool
key_yields(const struct req *rq, const struct api_key *k)
{
	if (rq->login == NULL || rq->route->scope == NULL || scopes_met(&rq->info->scope, "apps"))
		return false;
	if (k->kind == KEY_ORGANIZATION)
		return !(rq->route->flags & ROUTE_KEYS);
	for (const char *const *s = key_scopes; *s != NULL; s++)
		if (scope_among(rq->route->scope, *s))
			return false;
	return true;
}

static void
gate_note_key(struct req *rq, struct api_key *k)
{
	struct str sdk = rq->http->hdr[HDR_X_SDK_NAME];

	if (k->owner != NULL)
		owned_key_touch(&rq->cx, (struct owned_key *)k, sdk);
	else if (!key_is_ephemeral(k))
		project_key_touch(&rq->cx, rq->project, k, sdk);
}

/* Whoever has a key of an account is that person, as far as the key goes. */
static err_t
be_owner(struct req *rq)
{
	TRY(login_by_id(&rq->cx, rq->project, rq->key->owner, NULL, &rq->login));
	if (rq->login == NULL || rq->login->user->internal != ((struct owned_key *)rq->key)->user)	/* gone meanwhile */
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "user=%s", rq->key->owner);
	rq->cx.user = rq->login->user->id;
	rq->caller = CALLER_USER;
	rq->role_label = "users";
	rq->admin_mode = false;
	return OK;
}

static err_t
find_key(struct req *rq)
{
	struct str secret = rq->http->hdr[HDR_X_KEY], agent = rq->http->hdr[HDR_X_FORWARDED_USER_AGENT];
	struct api_key *k;

	if (secret.n == 0 || (rq->login != NULL && rq->cx.format < SINCE_1_9))
		return OK;
	TRY(key_sent(rq, secret, &k));
	if (k == NULL)
		return OK;
	if (k->expire != TIME_NONE && k->expire < time_now_ms()) {
		rq->role_label = "apps";
		return k->kind == KEY_ACCOUNT ? ERR_ACCOUNT_KEY_EXPIRED : ERR_PROJECT_KEY_EXPIRED;
	}
	gate_note_key(rq, k);
	if (agent.n > 0)
		rq->user_agent = user_agent_text(rq->cx.arena, agent);
	if (key_yields(rq, k))
		return OK;
	if (rq->login != NULL)
		be_guest(rq);
	rq->key = k;
	rq->caller = k->kind == KEY_ORGANIZATION ? CALLER_ORGANIZATION : CALLER_KEY;
	rq->role_label = "apps";
	return k->kind == KEY_ACCOUNT ? be_owner(rq) : OK;
}

/* Of a team's key: those of an owner of it, who is nobody besides. */
static struct strs
roles_of_team_key(struct req *rq)
{
	struct strs r = {.n = 3, .set = true, .v = arena_array(rq->cx.arena, const char *, 3)};

	r.v[0] = "any";
	r.v[1] = arena_printf(rq->cx.arena, "team:%s", rq->key->owner);
	r.v[2] = arena_printf(rq->cx.arena, "team:%s/owner", rq->key->owner);
	return r;
}

/* Roles for permission checks. Keys and admins hold few, since for them no permission is evaluated. Whoever comes from the console is no user of
 * the project and in none of its teams, whatever ids the teams of both have: of their roles none counts here. */
static void
find_roles(struct req *rq)
{
	const char **v;

	rq->bypass = gate_trusted(rq);
	if (rq->caller == CALLER_GUEST || caller_half(rq))
		rq->roles = *roles_guest();
	if (rq->caller == CALLER_USER && !rq->admin_mode && !caller_half(rq))
		rq->roles = rq->login->roles;
	if (rq->caller == CALLER_ORGANIZATION)
		rq->roles = roles_of_team_key(rq);
	if (!rq->bypass && !(rq->caller == CALLER_USER && rq->admin_mode))
		return;
	v = arena_array(rq->cx.arena, const char *, 2);
	v[0] = "any";
	v[1] = rq->role_label;
	rq->roles = (struct strs){.n = 2, .set = true, .v = v};
}

/* ---- what it may do ---- */

static err_t
check_https(struct req *rq)
{
	if (!conf.force_https || strcmp(rq->scheme, "https") == 0)
		return OK;
	if (strcmp(rq->route->method, "GET") != 0)
		return ERR_GENERAL_PROTOCOL_UNSUPPORTED;
	reply_static(rq, "Location", arena_printf(rq->cx.arena, "https://%s%.*s", rq->host, STR_FMT(rq->http->path)));
	return reply_raw(rq, 301, "text/html", STR_NONE);
}

bool
gate_trusted(const struct req *rq)
{
	return (rq->caller == CALLER_KEY || rq->caller == CALLER_ADMIN) && !caller_half(rq);
}

static err_t
check_service(struct req *rq)
{
	const char *service = rq->route->service;

	if (!gate_trusted(rq) && !rq->project->protocols[PROTOCOL_REST])
		return ERR_GENERAL_API_DISABLED;
	if (service == NULL || gate_trusted(rq) || project_service_on(rq->project, service))
		return OK;
	return ERR_GENERAL_SERVICE_DISABLED;
}

static bool
scope_held(const struct req *rq)
{
	const char *scope = rq->route->scope;

	/* those of people go as far as they say, where keys of people are let in at all: not to what decides who signs in */
	if (rq->key != NULL && rq->key->owner != NULL)
		return scopes_met(&rq->info->scope, "apps") || ((rq->route->flags & ROUTE_KEYS) && key_has(rq->key, scope));
	if (scopes_met(&rq->info->scope, rq->role_label))
		return true;
	if ((rq->route->flags & ROUTE_FINDS_PEOPLE) && (rq->impersonator != NULL || may_impersonate(rq)))
		return true;
	return rq->caller == CALLER_KEY && key_has(rq->key, scope);
}

/* Whom the words of a missing scope name. */
static const char *
who(struct req *rq)
{
	if (rq->caller == CALLER_KEY || rq->caller == CALLER_ORGANIZATION)
		return arena_printf(rq->cx.arena, "app.%s@service.%s", rq->project->id, rq->host);
	if (rq->login != NULL && rq->login->user->email != NULL && rq->login->user->email[0] != '\0')
		return rq->login->user->email;
	return "User";
}

/* "scope (a)"; to later clients all that would do, "scopes ([\"a\",\"b\"])". */
static const char *
scopes_missing(struct req *rq)
{
	struct str rest = str_c(rq->route->scope);
	struct buf b;
	struct jw w;

	if (rq->cx.format < SINCE_1_8)
		return arena_printf(rq->cx.arena, "scope (%s)", str_dup(rq->cx.arena, str_cut(&rest, '|')));
	buf_init(&b, rq->cx.arena, 128);
	jw_init(&w, &b);
	BUF_LIT(&b, "scopes (");
	jw_arr(&w);
	while (rest.p != NULL) {
		struct str name = str_cut(&rest, '|');

		if (rest.p == NULL || !str_is(name, "public"))	/* where there is another, that: no key can have this one */
			jw_str(&w, name);
	}
	jw_arr_end(&w);
	BUF_LIT(&b, ")");
	buf_ch(&b, '\0');
	return b.p;
}

static err_t
check_scope(struct req *rq)
{
	if (rq->route->scope == NULL || scope_held(rq))
		return OK;
	return fail_msg(&rq->cx, ERR_GENERAL_UNAUTHORIZED_SCOPE, "%s (role: %s) missing %s", who(rq),
	    rq->caller != CALLER_KEY && rq->caller != CALLER_ORGANIZATION ? rq->role_label : rq->cx.format < SINCE_1_9 ? "applications" : "keys", scopes_missing(rq));
}

static err_t
check_user(struct req *rq)
{
	if (rq->login == NULL || (rq->route->flags & ROUTE_SIGN_OUT))
		return OK;
	if (!rq->login->user->status)
		return ERR_USER_BLOCKED;
	return rq->login->user->reset ? ERR_USER_PASSWORD_RESET_REQUIRED : OK;
}

/* Pages for people, and files that any site has, show nothing of anybody. That somebody is blocked is said first. */
static err_t
check_factors(struct req *rq)
{
	const struct route *r = rq->route;
	bool page = (r->scope != NULL && strcmp(r->scope, "home") == 0) || strncmp(r->path, "/v1/", 4) != 0;

	if (!caller_half(rq) || (r->flags & ROUTE_HALF) || page)
		return OK;
	return rq->login->user->status || (r->flags & ROUTE_SIGN_OUT) ? ERR_USER_MORE_FACTORS_REQUIRED : OK;
}

enum { FRESH_MS = 30 * 60 * 1000 };

static err_t
check_fresh(struct req *rq)
{
	const struct session *s = rq->login ? rq->login->session : NULL;

	if (!(rq->route->flags & ROUTE_FRESH) || (s != NULL && s->mfa_updated != TIME_NONE && s->mfa_updated >= time_now_ms() - FRESH_MS))
		return OK;
	return ERR_USER_CHALLENGE_REQUIRED;
}

static err_t
check_signed_out(struct req *rq)
{
	if (!(rq->route->flags & ROUTE_SIGNED_OUT) || rq->login == NULL || rq->admin_mode || rq->cx.format < SINCE_1_5)
		return OK;
	return fail_msg(&rq->cx, ERR_USER_SESSION_ALREADY_EXISTS, "Creation of a session is prohibited when a session is active.");
}

static err_t
check_auth_method(struct req *rq)
{
	static const struct {
		const char *key, *words;
	} methods[] = {
#define AUTH(path, key, label, words, since) {key, words},
#include "tbl/sign_in.h"
	};
	const char *method = rq->route->auth;

	if (method == NULL || gate_trusted(rq) || project_auth_on(rq->project, method))
		return OK;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strcmp(methods[i].key, method) == 0)
			method = methods[i].words;
	return fail_msg(&rq->cx, ERR_USER_AUTH_METHOD_UNSUPPORTED, "%s authentication is disabled for this project", method);
}

/* Whoever signs out with a session that is over gets rid of its cookies; the current one is ended, as was asked. */
static err_t
sign_out_dead(struct req *rq)
{
	if (!(rq->route->flags & ROUTE_SIGN_OUT) || !rq->dead_session || rq->caller != CALLER_GUEST)
		return OK;
	reply_session(rq, NULL);
	rq->n_gate = rq->n_out;
	return rq->info->n_args > 0 && str_is(rq->path_arg[0], "current") ? reply_none(rq) : OK;
}

/* Of any request of today: when the client saw what it is about. What it means is its service's. */
static err_t
check_timestamp(struct req *rq)
{
	static const struct param row = {.name = "X-Appwrite-Timestamp", .type = P_DATETIME, .doc = "When the client saw it."};
	struct str text = rq->http->hdr[HDR_X_TIMESTAMP];
	int64_t seen;

	if (rq->cx.format < SINCE_1_9 || text.n == 0 || param_take(rq, &row, text, &seen) == OK)
		return OK;
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid X-Appwrite-Timestamp header value");
}

err_t
gate_pass(struct req *rq)
{
	err_t e;

	rq->caller = CALLER_GUEST;
	rq->role_label = "guests";
	rq->admin_mode = str_is(setting(rq, "mode", HDR_X_MODE, STR_NONE), "admin");
	rq->fallback = true;
	choose_locale(rq);
	compat_choose(rq);
	if ((e = gate_find_project(rq)) == OK) {
		find_dev_key(rq);
		e = gate_find_user(rq);
	}
	reply_static(rq, "X-Debug-Fallback", rq->fallback ? "true" : "false");
	rq->n_gate = rq->n_out;
	TRY(e);
	TRY(check_https(rq));
	if (rq->replied)
		return OK;
	cors_headers(rq);
	rq->n_gate = rq->n_out;
	TRY(cors_check(rq));
	TRY(check_named(rq));
	TRY(find_key(rq));
	TRY(find_other(rq));
	find_roles(rq);
	if (rq->caller != CALLER_GUEST)
		http_known(rq->http);
	else
		rq->cx.statement_max = (uint64_t)conf.db_guest_timeout;
	TRY(check_service(rq));
	TRY(sign_out_dead(rq));
	if (rq->replied)
		return OK;
	TRY(check_factors(rq));
	TRY(check_scope(rq));
	TRY(check_user(rq));
	e = rq->route->flags & ROUTE_FORM ? OK : limit_pass(rq, gate_trusted(rq));
	if (rq->route->flags & ROUTE_KEPT)
		reply_static(rq, "X-Appwrite-Cache", "miss");
	rq->n_gate = rq->n_out;
	TRY(e);
	TRY(check_signed_out(rq));
	TRY(check_fresh(rq));
	TRY(check_auth_method(rq));
	if ((rq->route->flags & ROUTE_CONSOLE) && !rq->project->console)
		return ERR_GENERAL_ACCESS_FORBIDDEN;
	TRY(check_timestamp(rq));
	return OK;
}
