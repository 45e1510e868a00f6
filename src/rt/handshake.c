/* The handshake (spec realtime.md A2, B2): project, user, limit, origin, channels; every refusal is an error frame. */
#include "rt_priv.h"

#include <stdlib.h>

#include "core/addr.h"
#include "core/fiber.h"
#include "core/id.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/origin.h"

struct greeting {		/* what the handshake finds out */
	struct ctx *cx;
	struct peer *c;
	struct http_msg *up;
	struct client from;
	struct ask ask;
	struct project *project, *home;	/* home: whose users are looked at */
	const struct api_key *dev_key;	/* NULL: it came with none that is good */
	struct login_tokens tokens;
	struct str jwt;
	struct login *login;
	const char *session;
	int64_t expire, epoch;	/* of the JWT, and of its user; epoch -1: it came with a session */
	bool gap;
};

enum { DEV_KEY_TIMES = 10, SPACES_MAX = 128 };

/* Returned after the peer has been told. */
#define REFUSE(g, code, message)                       \
	do {                                           \
		peer_refuse((g)->c, (code), (message)); \
		return false;                          \
	} while (0)

static bool
broken(struct greeting *g, err_t e)
{
	const struct err_info *i = err_info(e);

	if (g->c->ws == NULL)
		return false;
	if (log_may_client(g->cx->client))
		log_warn(g->cx, "handshake failed", "error=%s detail=\"%s\"", i->name, g->cx->detail ? g->cx->detail : "");
	REFUSE(g, i->status, "Error: Server Error");
}

/* One that is none, or is over, counts for nothing. In the turn in which its place is taken: who looks at that meanwhile must find the key. */
static void
handshake_find_key(struct greeting *g)
{
	struct str secret = g->ask.dev_key.n > 0 ? g->ask.dev_key : g->up->hdr[HDR_X_DEV_KEY];
	const char *why;

	if (secret.n == 0 || (g->dev_key = project_dev_key_find(g->project, secret)) == NULL)
		return;
	if (!place_origin_good(g->c, g->cx->arena, g->project, &why))
		place_take_key(g->c, g->dev_key);
	project_dev_key_touch(g->cx, g->project, g->dev_key, g->up->hdr[HDR_X_SDK_NAME]);
}

/* The project's data space is being brought up to date: all of its clients may come at once, and others are let in meanwhile. */
static err_t
handshake_wait_project(struct greeting *g, struct str id)
{
	static int waiting;
	err_t e;

	if (waiting >= SPACES_MAX)
		return fail(g->cx, ERR_PROJECT_BEHIND, "%d handshakes wait for data spaces", waiting);
	waiting++;
	task_step_aside(true);
	e = project_get(g->cx, id, &g->project);
	task_step_aside(false);
	waiting--;
	return e;
}

static bool
handshake_find_project(struct greeting *g)
{
	struct str id = g->ask.project, mode = g->ask.mode;
	err_t e;

	if (id.p == NULL)
		id = g->up->hdr[HDR_X_PROJECT];
	if (id.p == NULL)
		id = STR("console");
	if (mode.p == NULL)
		mode = g->up->hdr[HDR_X_MODE];
	e = id.n == 0 ? ERR_PROJECT_NOT_FOUND : project_get_ready(g->cx, id, &g->project);
	if (e == ERR_PROJECT_BEHIND)
		e = handshake_wait_project(g, id);
	if (e == ERR_PROJECT_NOT_FOUND)
		REFUSE(g, 1008, "Missing or unknown project ID");
	if (e != OK)
		return broken(g, e);
	g->cx->project = g->project->id;
	place_take(g->c, g->project, g->up->hdr[HDR_ORIGIN], g->from.host);
	handshake_find_key(g);
	g->c->admin = str_is(mode, "admin") && !g->project->console;
	g->home = g->project;
	if (g->c->admin && (e = project_get(g->cx, STR("console"), &g->home)) != OK)
		return broken(g, e);
	return true;
}

/* The session that a JWT names, which has been verified; NULL: none. */
static const char *
session_of_jwt(struct ctx *cx, struct str jwt)
{
	struct str text, part, id;

	str_cut(&jwt, '.');
	part = str_cut(&jwt, '.');
	if (!base64_decode(cx->arena, part, true, &text))
		return NULL;
	id = json_str(json_object_get(json_parse(cx, text, NULL), "sessionId"));
	return id.n > 0 ? id.p : NULL;
}

static struct str
header_or(const struct greeting *g, enum http_hdr header, struct str param)
{
	return g->up->hdr[header].n > 0 ? g->up->hdr[header] : param;
}

/* Whose JWT it is has met their own second factor already; whether the other's, too, their session says. */
static err_t
handshake_as_other(struct greeting *g)
{
	const struct ask *q = &g->ask;
	bool jwt = g->jwt.n > 0;

	if (!g->login->user->impersonator || (!jwt && g->login->half))
		return OK;
	return who_as_other(g->cx, g->home, header_or(g, HDR_X_IMPERSONATE_ID, q->as_id), header_or(g, HDR_X_IMPERSONATE_EMAIL, q->as_email),
	    header_or(g, HDR_X_IMPERSONATE_PHONE, q->as_phone), &g->login);
}

static err_t
handshake_read_once(struct greeting *g)
{
	g->login = NULL;
	g->session = NULL;
	g->expire = INT64_MAX;
	g->epoch = -1;
	if (g->jwt.n > 0) {
		TRY(who_by_jwt(g->cx, g->home, g->jwt, &g->login));
		g->session = session_of_jwt(g->cx, g->jwt);
		g->expire = login_jwt_expiry(g->cx, g->jwt);
	} else if (g->tokens.n > 0) {
		TRY(who_by_tokens(g->cx, g->home, &g->tokens, &g->login));
		if (g->login != NULL)
			g->session = g->login->session->id;
	}
	if (g->login != NULL && g->c->admin && !who_owns(g->cx, g->project, g->login))
		g->login = NULL;
	if (g->login != NULL && g->jwt.n > 0)
		g->epoch = g->login->user->epoch;
	return g->login != NULL && !g->c->admin ? handshake_as_other(g) : OK;
}

/* The other is read after the caller, of whom something may have been told meanwhile: both are as fresh as the later of them. */
static err_t
handshake_read_login(struct greeting *g)
{
	enum { TRIES_MAX = 20 };

	for (int i = 0; i < TRIES_MAX; i++) {
		uint64_t before = fanout_role_changes();

		TRY(handshake_read_once(g));
		if (before == fanout_role_changes())
			return OK;
	}
	return fail(g->cx, ERR_BUSY, "roles change too fast");
}

/* A page's script does not add cookies, its browser does, and there is no preflight. On the console, which refuses no origin, or from a hidden
 * one they must not open the user's events to any page. */
static struct str
cookies(struct greeting *g)
{
	const struct client *from = &g->from;

	if (!conf.rt_origin_check || origin_brings_cookies(g->home, from->origin, from->host))
		return g->up->hdr[HDR_COOKIE];
	if (g->home->console || from->origin == NULL || origin_wrong(g->cx->arena, g->home, from->origin, from->host, "Origin") != NULL)
		return STR_NONE;
	return g->up->hdr[HDR_COOKIE];
}

static bool
handshake_find_user(struct greeting *g)
{
	err_t e;

	login_tokens_of(g->cx, g->home->id, &(struct login_headers){cookies(g), g->up->hdr[HDR_X_FALLBACK_COOKIES], g->up->hdr[HDR_X_SESSION]}, &g->tokens);
	g->jwt = g->up->hdr[HDR_X_JWT].n > 0 ? g->up->hdr[HDR_X_JWT] : g->ask.jwt;
	e = handshake_read_login(g);
	if (e == ERR_USER_JWT_INVALID)
		REFUSE(g, 401, g->cx->message ? g->cx->message : err_info(e)->message);
	return e == OK || broken(g, e);
}

/* Counts exactly, over all processes, and before the database is asked who it is; without Redis nobody is refused. Of a developer's key, which pages are opened again
 * and again with, ten times as many may come: it is anybody's. */
static bool
within_limit(struct greeting *g)
{
	static const char lua[] = "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('PEXPIRE', KEYS[1], 120000) end return n";
	int64_t most = conf.rt_connect_rate * (g->dev_key != NULL ? DEV_KEY_TIMES : 1);
	struct bus_reply *r;
	char net[ADDR_NET_MAX];
	const char *key;

	if (!conf.rate_limits)
		return true;
	key = arena_printf(g->cx->arena, "limit:rt:%s:%s:%lld", g->project->id, addr_net(g->cx->client, net), (long long)(time_now_ms() / 60000));
	if (bus_script(g->cx, &r, lua, 1, BUS(str_c(key))) != OK || r->type != BUS_INT || r->i <= most)
		return true;
	metric_add(M_rate_limited, 1);
	REFUSE(g, 1013, "Too many requests");
}

/* It counts for its user or address from here on. */
static bool
admitted(struct greeting *g)
{
	struct peer *c = g->c;

	c->address = atom_get(ATOM_ADDRESS, str_c(g->cx->client));
	if (g->login == NULL)
		c->text.address = atom_text(c->address).p;
	if (g->login != NULL)
		peer_set_patron(c, patron_of_user(str_c(g->home->id), str_c(g->login->user->impersonated_by ? g->login->user->impersonated_by : g->login->user->id), false));
	else
		peer_set_patron(c, patron_of_guest(g->cx->client, false));
	if (c->patron == NULL)
		REFUSE(g, 1013, "Too many connections");
	if (!patron_may_work(c->patron))
		REFUSE(g, 1013, "Too many requests");
	return true;
}

/* It may be spoken to, and from there. */
static bool
origin_good(struct greeting *g)
{
	const char *why;
	struct origin o;

	if (!place_protocol_good(g->c->admin && g->login != NULL, g->project, &why))
		REFUSE(g, 1008, why);
	if (place_origin_good(g->c, g->cx->arena, g->project, &why))
		return true;
	o = origin_parse(atom_text(g->c->origin).p);
	origin_refused(g->cx, g->project, atom_text(g->c->origin).p, &o);
	REFUSE(g, 1008, why);
}

static bool
subscribe(struct greeting *g)
{
	struct ask *q = &g->ask;
	const char *why;

	if (!peer_room(g->c, 4 * g->up->query.n))
		REFUSE(g, 1013, "Try again later");
	why = url_subscribe(g->cx, g->c, q);
	patron_worked(g->c->patron, 1 + g->up->query.n / 16 + peer_steps(g->c));
	if (why == NULL && g->c->by_url && g->c->n_subs == 0)
		why = "Missing channels";
	if (why != NULL)
		REFUSE(g, 1008, why);
	if (!peer_room(g->c, 0))
		REFUSE(g, 1013, "Try again later");
	return tail_open(g->cx, g->c);
}

static bool
handshake_find_place(struct greeting *g)
{
	err_t e;

	if (g->ask.since.n == 0)
		e = resume_now(g->cx, g->c);
	else
		e = resume_check(g->cx, g->c, g->ask.since, &g->gap);
	if (e == ERR_GENERAL_ARGUMENT_INVALID)
		REFUSE(g, 1008, "Invalid since");
	if (e == ERR_BUS && g->c->ws != NULL)
		REFUSE(g, 1013, "Try again later");
	return e == OK || broken(g, e);
}

/* ---- connected ---- */

static int
slot_of(const struct sub *s)
{
	return (int)strtol(atom_text(s->id).p, NULL, 16);
}

/* A list when the slots are 0..n-1, else an object. The parts of one slot follow each other. */
static void
write_subscriptions(struct jw *w, const struct peer *c)
{
	bool list = true;
	int slot = -1, next = 0;

	for (uint32_t i = 0; i < c->n_subs; i++) {
		int is = slot_of(&c->subs[i]);

		if (is == slot)
			continue;
		slot = is;
		list &= slot == next++;
	}
	if (list)
		jw_arr(w);
	else
		jw_obj(w);
	slot = -1;
	for (uint32_t i = 0; i < c->n_subs; i++) {
		int is = slot_of(&c->subs[i]);
		char key[16];

		if (is == slot)
			continue;
		slot = is;
		snprintf(key, sizeof key, "%d", slot);
		if (!list)
			jw_key(w, str_c(key));
		jw_str(w, atom_text(c->subs[i].id));
	}
	if (list)
		jw_arr_end(w);
	else
		jw_obj_end(w);
}

static void
write_user(struct greeting *g, struct jw *w)
{
	JW_KEY(w, "user");
	if (g->login == NULL || peer_half(g->c, g->login))
		jw_null(w);
	else
		shape_write(w, &account_shape, g->login->user);
}

static void
connected(struct greeting *g)
{
	struct buf b;
	struct jw w;
	char mark[MARK_MAX];

	buf_init(&b, g->cx->arena, 1024);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "type");
	jw_cstr(&w, "connected");
	JW_KEY(&w, "data");
	jw_obj(&w);
	JW_KEY(&w, "channels");
	channels_write(&w, g->cx->arena, g->ask.channels, g->ask.n_channels, peer_uid(g->c));
	if (g->c->by_url)
		write_user(g, &w);
	JW_KEY(&w, "subscriptions");
	write_subscriptions(&w, g->c);
	if (!g->c->by_url)
		write_user(g, &w);
	jw_obj_end(&w);
	if (*mark_text(g->c->at, mark) != '\0') {
		JW_KEY(&w, "id");
		jw_cstr(&w, mark);
	}
	if (g->ask.since.n > 0) {
		JW_KEY(&w, "gap");
		jw_bool(&w, g->gap);
	}
	jw_obj_end(&w);
	ws_send_text(g->c->ws, buf_view(&b));
}

static void
handshake_begin(struct greeting *g)
{
	struct peer *c = g->c;

	c->epoch = g->epoch;
	peer_identify(c, g->home->id, g->login, g->session, g->login && g->login->expire < g->expire ? g->login->expire : g->expire);
	if (c->state == RT_REFUSED)
		return;
	connected(g);
	if (c->ws == NULL)
		return;
	c->counted = true;
	stats_count(c->project, 1);
	if (!c->by_url && g->ask.since.n > 0 && !g->gap) {
		c->resumes = true;
		c->returns = false;	/* not before there is something to serve it */
		c->since = c->at;
		c->at = fanout_pos(c);
	}
	if (g->ask.since.n > 0 && !g->gap)
		c->ahead = c->resumes ? c->since : c->at;
	peer_move(c, RT_CATCHING);	/* the task brings it in, at once when nothing was missed */
}

void
peer_handshake(struct ctx *cx, struct peer *c, struct http_msg *up)
{
	struct greeting g = {.cx = cx, .c = c, .up = up};
	err_t e;

	client_of(up, &g.from);
	cx->client = g.from.ip;
	if (fib_yield(cx) != OK) {	/* many come at once: others are served between */
		peer_refuse(c, 1013, "Try again later");
		return;
	}
	ask_parse(cx->arena, up->query, &g.ask);
	c->by_url = g.ask.has_channels || strcmp(conf.rt_compat, "1.0") == 0;
	if (!handshake_find_project(&g) || !within_limit(&g) || !handshake_find_user(&g) || !admitted(&g) || !origin_good(&g) || !subscribe(&g) || !handshake_find_place(&g))
		return;
	e = handshake_read_login(&g);	/* roles may have changed since; from the cache if not */
	if (c->ws == NULL || c->state == RT_REFUSED)
		return;
	if (e != OK)
		(void)broken(&g, e);
	else
		handshake_begin(&g);
}
