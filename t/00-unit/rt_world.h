/* A world for realtime without PostgreSQL, Redis and sockets: a stream in memory, users whose roles change, sockets that keep what
 * they were sent. Included by one test program. */
#ifndef BADAL_T_RT_WORLD_H
#define BADAL_T_RT_WORLD_H

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "../../src/rt/rt_priv.h"
#include "core/gen.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/db.h"
#include "model/origin.h"
#include "rt/rt.h"
#include "model/service.h"

/* ---- the stream ---- */

enum { ENTRIES = 2000 };
static struct bus_entry stream[ENTRIES];
static int n_stream, n_shown, n_trimmed;	/* shown to the follower; gone from the front */
static struct bus_follow follower;
static bool stream_paused, range_fails;
static const char *stream_name = "1";
static bool stream_known = true;	/* the follower has found its place */

void bus_follow_start(const struct bus_follow *f) { follower = *f; }
void bus_follow_stop(void) {}
void bus_follow_pause(bool on) { stream_paused = on; }
void bus_follow_pace(uint64_t ms) { (void)ms; }
const char *bus_stream_name(void) { return stream_name; }
int bus_stream_shards(void) { return 1; }
int stream_shard(struct str project, int n) { (void)project, (void)n; return 0; }
bool bus_follow_ready(int shard) { (void)shard; return stream_known; }
bool bus_post(int argc, const struct str *argv) { (void)argc; (void)argv; return true; }

struct stream_pos
bus_follow_pos(int shard)
{
	(void)shard;
	return n_shown > 0 ? stream[n_shown - 1].pos : (struct stream_pos){100, 0};
}

int
stream_pos_cmp(struct stream_pos a, struct stream_pos b)
{
	return a.lsn != b.lsn ? (a.lsn < b.lsn ? -1 : 1) : a.index < b.index ? -1 : a.index > b.index;
}

char *
stream_pos_text(struct stream_pos p, char out[42])
{
	snprintf(out, 42, "%llu-%llu", (unsigned long long)p.lsn, (unsigned long long)p.index);
	return out;
}

bool
stream_pos_parse(struct str s, struct stream_pos *out)
{
	unsigned long long a, b;
	char text[64];

	snprintf(text, sizeof text, "%.*s", STR_FMT(s));
	if (sscanf(text, "%llu-%llu", &a, &b) != 2)
		return false;
	*out = (struct stream_pos){a, b};
	return true;
}

struct stream_pos
bus_entry_first(const struct bus_entry *e)
{
	return (struct stream_pos){e->pos.lsn, e->pos.index - (uint64_t)(e->many > 0 ? e->many - 1 : 0)};
}

int
bus_entries_for(int events, int had_entries, int had_events)
{
	return had_events > had_entries ? 4 : events;
}

err_t
bus_range(struct ctx *cx, int shard, struct stream_pos after, struct stream_pos upto, int count, struct bus_entry **out, int *n_out)
{
	(void)shard;
	TRY(fib_sleep(cx, 1));
	if (range_fails)
		return ERR_BUS;
	*out = arena_array(cx->arena, struct bus_entry, count);
	*n_out = 0;
	for (int i = n_trimmed; i < n_stream && *n_out < count; i++)
		if (stream_pos_cmp(stream[i].pos, after) > 0 && stream_pos_cmp(bus_entry_first(&stream[i]), upto) <= 0)
			(*out)[(*n_out)++] = stream[i];
	return OK;
}

err_t
bus_gap(struct ctx *cx, int shard, struct stream_pos after, bool *gap_out)
{
	(void)shard;
	TRY(fib_sleep(cx, 1));
	*gap_out = n_trimmed > 0 && stream_pos_cmp(after, stream[n_trimmed - 1].pos) < 0;
	return OK;
}

static uint64_t wal_ahead;	/* so much of the WAL the relay has not got to */
static unsigned wal_asked, reach_asked;
static bool wal_fails;

static uint64_t
wal_end(void)
{
	return n_stream > 0 ? stream[n_stream - 1].pos.lsn + 1 : 101;
}

err_t
db_wal_end(struct ctx *cx, uint64_t *lsn_out)
{
	*lsn_out = wal_end() + wal_ahead;
	wal_asked++;
	TRY(fib_sleep(cx, 1));
	return wal_fails ? ERR_DB_DOWN : OK;
}

err_t
bus_reached(struct ctx *cx, int shard, uint64_t *lsn_out, struct stream_pos *end_out)
{
	(void)shard;
	reach_asked++;
	*lsn_out = wal_end();
	*end_out = n_stream > 0 ? stream[n_stream - 1].pos : (struct stream_pos){0, 0};
	return fib_sleep(cx, 1);
}

err_t
bus_cmd(struct ctx *cx, struct bus_reply **out, int argc, const struct str *argv)
{
	(void)out, (void)argc, (void)argv;
	return fail(cx, ERR_BUS, "no Redis");
}

static int64_t connects;

err_t
bus_script(struct ctx *cx, struct bus_reply **out, const char *lua, int nkeys, int argc, const struct str *argv)
{
	(void)lua, (void)nkeys, (void)argc, (void)argv;
	*out = arena_new_of(cx->arena, struct bus_reply);
	(*out)->type = BUS_INT;
	(*out)->i = ++connects;
	return OK;
}

/* ---- users and projects ---- */

struct person {
	const char *id, *session;	/* session NULL: ended */
	const char *roles[8];
	int64_t since[8];	/* when it got them */
	bool blocked;
	int64_t expire;
};
static struct person people[64];
static int n_people;
static int login_ms = 1;		/* how long the database takes; 0: the cache has it */
static unsigned logins;
static void (*during_login)(void);	/* something happens meanwhile, once */

static struct person *
person(const char *id)
{
	for (int i = 0; i < n_people; i++)
		if (strcmp(people[i].id, id) == 0)
			return &people[i];
	people[n_people] = (struct person){.id = id, .session = "s", .roles = {"any", "users"}, .expire = INT64_MAX};
	return &people[n_people++];
}

static err_t
login_of(struct ctx *cx, struct person *p, const char *session, struct login **out)
{
	struct login *l = arena_new_of(cx->arena, struct login), seen = {0};
	bool ok = p->session != NULL && (session == NULL || strcmp(session, p->session) == 0);

	logins++;
	l->user = arena_new_of(cx->arena, struct user);
	*l->user = (struct user){.id = p->id, .name = "", .email = "", .phone = "", .status = !p->blocked, .created = 0, .updated = 0};
	l->session = arena_new_of(cx->arena, struct session);
	*l->session = (struct session){.id = p->session ? p->session : "", .expire = p->expire};
	int64_t *since = arena_array(cx->arena, int64_t, 10);

	l->roles = (struct strs){.set = true, .v = arena_array(cx->arena, const char *, 10)};
	l->since = since;
	for (int i = 0; i < 8 && p->roles[i] != NULL; i++) {
		since[l->roles.n] = p->since[i];
		l->roles.v[l->roles.n++] = p->roles[i];
	}
	l->roles.v[l->roles.n++] = arena_printf(cx->arena, "user:%s", p->id);
	seen = *l;
	if (during_login != NULL) {
		void (*fn)(void) = during_login;

		during_login = NULL;
		fn();
	}
	if (login_ms > 0)
		TRY(fib_sleep(cx, (uint64_t)login_ms));
	*l = seen;
	*out = ok ? l : NULL;
	return OK;
}

err_t
login_by_token(struct ctx *cx, const struct project *p, struct str token, struct login **out)
{
	(void)p;
	*out = NULL;
	for (int i = 0; i < n_people; i++)
		if (str_is(token, people[i].id))
			return login_of(cx, &people[i], NULL, out);
	return OK;
}

err_t
login_by_jwt(struct ctx *cx, const struct project *p, struct str jwt, struct login **out)
{
	(void)p, (void)jwt;
	*out = NULL;
	return fail_msg(cx, ERR_USER_JWT_INVALID, "Failed to verify JWT. No.");
}

int64_t login_jwt_expiry(struct ctx *cx, struct str jwt) { (void)cx, (void)jwt; return INT64_MAX; }

err_t
login_by_id(struct ctx *cx, const struct project *p, const char *user_id, const char *session_id, struct login **out)
{
	(void)p;
	return login_of(cx, person(user_id), session_id, out);
}

/* Nobody is found by an address. */
err_t
login_by_address(struct ctx *cx, const struct project *p, const char *id, const char *email, const char *phone, struct login **out)
{
	(void)email, (void)phone;
	*out = NULL;
	return id != NULL ? login_by_id(cx, p, id, NULL, out) : OK;
}

void
login_tokens_of(struct ctx *cx, const char *project_id, const struct login_headers *h, struct login_tokens *out)
{
	(void)cx, (void)project_id;
	out->n = h->cookie.n > 0;
	out->v[0].token = h->cookie;
}

err_t
login_by_tokens(struct ctx *cx, const struct project *p, const struct login_tokens *t, struct login **out, int *which_out)
{
	*which_out = 0;
	return login_by_token(cx, p, t->v[0].token, out);
}

static bool project_gone, project_fails;
static const char *foreign = "evil";	/* the origin that the project does not let in */

err_t
project_get(struct ctx *cx, struct str id, struct project **out)
{
	static struct project p = {.id = "p", .team_id = "owners", .protocols = {[PROTOCOL_WEBSOCKET] = true}}, console = {.id = "console", .console = true, .protocols = {[PROTOCOL_WEBSOCKET] = true}};

	if (project_fails)
		return fail(cx, ERR_TIMEOUT, "no database");
	if (project_gone)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "gone");
	*out = str_is(id, "console") ? &console : &p;
	return str_is(id, "p") || str_is(id, "console") ? OK : fail(cx, ERR_PROJECT_NOT_FOUND, "no");
}

err_t
project_get_ready(struct ctx *cx, struct str id, struct project **out)
{
	return project_get(cx, id, out);
}

err_t
project_get_bare(struct ctx *cx, struct str id, struct project **out)
{
	return project_get(cx, id, out);
}

struct api_key *project_dev_key_find(const struct project *p, struct str secret) { (void)p, (void)secret; return NULL; }
void project_dev_key_touch(struct ctx *cx, const struct project *p, const struct api_key *k, struct str sdk) { (void)cx, (void)p, (void)k, (void)sdk; }
void client_of(const struct http_msg *m, struct client *out) { *out = (struct client){.ip = m->peer, .host = "localhost"}; }

enum origin_kind
origin_kind(const struct project *p, const char *text, const char *own, struct origin *o)
{
	(void)p, (void)own;
	if (o != NULL)
		*o = (struct origin){.host = str_c(text)};
	return text == NULL ? ORIGIN_NONE : strcmp(text, "null") == 0 ? ORIGIN_HIDDEN : strcmp(text, foreign) == 0 ? ORIGIN_FOREIGN : ORIGIN_OURS;
}

bool
origin_brings_cookies(const struct project *of, const char *text, const char *own_host)
{
	enum origin_kind kind = origin_kind(of, text, own_host, NULL);

	return kind != ORIGIN_HIDDEN && kind != ORIGIN_FOREIGN;
}

const char *
origin_wrong(struct arena *a, const struct project *p, const char *text, const char *own, const char *what)
{
	(void)a, (void)what;
	return origin_kind(p, text, own, NULL) == ORIGIN_FOREIGN ? "Invalid Origin." : NULL;
}

struct origin origin_parse(const char *text) { return (struct origin){.host = str_c(text)}; }
void origin_refused(struct ctx *cx, const struct project *p, const char *text, const struct origin *o) { (void)cx, (void)p, (void)text, (void)o; }
const char *origin_refusal(struct arena *a, const struct origin *o) { (void)a, (void)o; return "Invalid Origin."; }

/* ---- sockets ---- */

struct ws {
	void *data;
	struct buf got;			/* frames, one a line */
	int code;			/* of the close; -1: dropped */
	struct purse *purse;
	bool lagging;
};

static struct frame *
frame_of(struct str text)
{
	struct frame *f = mem_alloc(sizeof *f + text.n + 1);

	*f = (struct frame){.refs = 1, .len = text.n, .data = (char *)(f + 1)};
	memcpy(f->data, text.p, text.n);
	return f;
}

struct frame *frame_new(struct str text) { return frame_of(text); }
struct frame *frame_ref(struct frame *f) { f->refs++; return f; }
void frame_unref(struct frame *f) { if (--f->refs == 0) free(f); }
void ws_set_data(struct ws *w, void *data) { w->data = data; }
void *ws_data(const struct ws *w) { return w->data; }
bool ws_lagging(const struct ws *w) { return w->lagging; }
void http_done(struct http_msg *m) { struct arena *a = m->arena; arena_free(&a); }

void
ws_send_text(struct ws *w, struct str text)
{
	if (w->code != 0)
		return;
	buf_str(&w->got, text);
	buf_ch(&w->got, '\n');
}

void ws_send(struct ws *w, struct frame *f) { ws_send_text(w, (struct str){f->data, f->len}); }

void
ws_send_tail(struct ws *w, struct frame *f, struct str tail)
{
	if (w->code != 0)
		return;
	buf_add(&w->got, f->data, f->len);
	ws_send_text(w, tail);
}

void ws_close(struct ws *w, int code, const char *reason) { (void)reason; if (w->code == 0) w->code = code; }
void ws_set_purse(struct ws *w, struct purse *p) { w->purse = p; }
void ws_drop(struct ws *w) { if (w->code == 0) w->code = -1; }

/* ---- driving it ---- */

static void
turn(int ms)
{
	uint64_t end;

	uv_update_time(loop_uv());
	end = loop_now() + (uint64_t)ms;
	do
		uv_run(loop_uv(), UV_RUN_NOWAIT);
	while (loop_now() < end);
}

/* Until nothing that matters runs any more. */
static void
settle_all(void)
{
	for (int i = 0; i < 200; i++) {
		bool busy = fib_count() > 0;

		turn(1);
		if (!busy && i > 3)
			return;
	}
}

static const char *origin_now;	/* of who connects */

static struct ws *
open_as(const char *user, const char *query)
{
	struct arena *a = arena_new();
	struct http_msg *m = arena_new_of(a, struct http_msg);
	struct ws *w = mem_zalloc(sizeof *w);

	m->arena = a;
	m->query = str_c(arena_strdup(a, query));
	m->hdr[HDR_COOKIE] = str_c(user);
	m->hdr[HDR_ORIGIN] = str_c(origin_now);
	m->peer = "127.0.0.1";
	rt_ws_open(w, m);
	return w;
}

static struct ws *
connect_as(const char *user, const char *query)
{
	struct ws *w = open_as(user, query);

	settle_all();
	return w;
}

static void
close_ws(struct ws *w)
{
	rt_ws_close(w);
	settle_all();
	buf_fini(&w->got);
	free(w);
}

static void
say(struct ws *w, const char *text)
{
	rt_ws_message(w, str_c(text));
	settle_all();
}

/* What was sent since the last call. */
static const char *
heard(struct ws *w)
{
	static char text[64 * 1024];

	snprintf(text, sizeof text, "%s", w->got.n ? w->got.p : "");
	w->got.n = 0;
	return text;
}

/* Payloads of the events among it, "1 2 3". */
static const char *
events(struct ws *w)
{
	static char out[8192];
	const char *p = w->got.n ? w->got.p : "";

	out[0] = '\0';
	while ((p = strstr(p, "\"payload\":{\"n\":")) != NULL) {
		size_t len;

		p += strlen("\"payload\":{\"n\":");
		len = strlen(out);
		snprintf(out + len, sizeof out - len, "%s%d", len ? " " : "", atoi(p));
	}
	w->got.n = 0;
	return out;
}

/* Puts an event into the stream; `show` gives it to the follower. */
static void
append(const char *header, const char *payload)
{
	static uint64_t lsn = 1000;

	stream[n_stream].pos = (struct stream_pos){lsn++, 0};
	stream[n_stream].header = str_c(mem_strdup(header));
	stream[n_stream].body = str_c(mem_strdup(payload));
	n_stream++;
}

static void
show(void)
{
	while (n_shown < n_stream) {
		follower.on_entry(0, &stream[n_shown], follower.arg);
		n_shown++;
	}
}

/* A document event with number n, readable by one role. */
static void
document(const char *role, int n)
{
	char header[700], payload[40];

	snprintf(header, sizeof header,
	    "{\"p\":\"p\",\"e\":\"databases.[databaseId].collections.[collectionId].documents.[documentId].create\",\"v\":[\"d\",\"c\",\"x%d\"],"
	    "\"c\":[\"documents\",\"databases.d.collections.c.documents\",\"databases.d.collections.c.documents.x%d\"],\"r\":[\"%s\"],\"t\":0}",
	    n, n, role);
	snprintf(payload, sizeof payload, "{\"n\":%d}", n);
	append(header, payload);
}

/* Such events with the numbers from n on, together in one entry. */
static void
documents_together(const char *role, int n, int many)
{
	struct buf b;
	char header[700];

	buf_init(&b, NULL, 4096);
	snprintf(header, sizeof header, "{\"p\":\"p\",\"e\":\"databases.[databaseId].collections.[collectionId].documents.[documentId].create\",\"v\":[\"d\",\"c\",\"\177\"],"
	    "\"c\":[\"documents\",\"databases.d.collections.c.documents\",\"databases.d.collections.c.documents.\177\"],\"r\":[\"%s\"],\"t\":0", role);
	buf_printf(&b, "h%zu %s", strlen(header), header);
	for (int i = 0; i < many; i++) {
		char id[20], payload[40];

		snprintf(id, sizeof id, "x%d", n + i);
		snprintf(payload, sizeof payload, "{\"n\":%d}", n + i);
		buf_printf(&b, "e%zu 0 %zu %s%s", strlen(id), strlen(payload), id, payload);
	}
	append("", b.p);
	stream[n_stream - 1].header = STR_NONE;
	stream[n_stream - 1].many = many;
	stream[n_stream - 1].pos.index = (uint64_t)many;	/* something else was the first of the transaction */
	buf_fini(&b);
}

/* A membership event about a user, received by the team; number n. */
static void
membership(const char *user, unsigned flags, const char *role, int n)
{
	char header[500], payload[40];

	snprintf(header, sizeof header,
	    "{\"p\":\"p\",\"e\":\"teams.[teamId].memberships.[membershipId].create\",\"v\":[\"t\",\"m\"],\"c\":[\"memberships\"],"
	    "\"r\":[\"%s\"],\"t\":0,\"f\":%u,\"u\":\"%s\"}",
	    role, flags, user);
	snprintf(payload, sizeof payload, "{\"n\":%d}", n);
	append(header, payload);
}

static void
session_end(const char *user, const char *session)
{
	char header[500];

	snprintf(header, sizeof header,
	    "{\"p\":\"p\",\"e\":\"users.[userId].sessions.[sessionId].delete\",\"v\":[\"%s\",\"%s\"],\"c\":[\"account\",\"account.%s\"],"
	    "\"r\":[\"user:%s\"],\"t\":0,\"f\":%u,\"u\":\"%s\"}",
	    user, session, user, user, EVENT_LOGOUT, user);
	append(header, "{\"n\":777}");
}

/* Documents that nobody may read now, by the number that they begin with; what was asked so far. */
static const char *unreadable = "";
static unsigned looks, looked_at;
static void (*during_look)(void);	/* something happens meanwhile, once */

static err_t
look(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n)
{
	(void)p, (void)roles;
	looks++;
	looked_at += (unsigned)n;
	for (int i = 0; i < n; i++)
		v[i]->yes = v[i]->gone || strstr(unreadable, arena_printf(cx->arena, "<%s>", v[i]->ids[2])) == NULL;
	if (during_look != NULL) {
		void (*fn)(void) = during_look;

		during_look = NULL;
		fn();
	}
	return fib_sleep(cx, 3);
}

/* What realtime reads of the services' descriptions. */
static void
world_services(void)
{
	static const struct event_secret secrets[] = {
		{"users.[userId].recovery.", NULL, {"secret"}, {NULL}},
		{"users.[userId].verification.", NULL, {"secret"}, {NULL}},
		{"users.[userId].sessions.", NULL, {NULL}, {NULL}},
		{"users.", "$id", {"password", "hash", "hashOptions"}, {NULL}},
		{"functions.[functionId].executions.", NULL, {NULL}, {"stdout", "stderr"}},
		{0},
	};
	static const char *const acted_on[] = {"account", "teams", "memberships", "documents", "rows", "files", "executions", "functions", NULL};
	static const struct channel_twin channels[] = {
		{"databases.[databaseId].collections.[collectionId].documents.",
		    "rows|databases.[databaseId].tables.[collectionId].rows|databases.[databaseId].tables.[collectionId].rows.[documentId]|"
		    "tablesdb.[databaseId].tables.[collectionId].rows|tablesdb.[databaseId].tables.[collectionId].rows.[documentId]"},
		{0},
	};
	static const struct shown_now shown[] = {{"databases.[databaseId].collections.[collectionId].documents.", look}, {0}};
	static const struct word_twin words[] = {{"collections", "tables"}, {"documents", "rows"}, {"attributes", "columns"}, {0}};
	static const struct event_info created = {"databases.[databaseId].collections.[collectionId].documents.[documentId].create", "documents", true, "", ""};
	static const struct event_info *const written[] = {&created, NULL};
	static const struct service databases = {
		.name = "databases", .events = written, .secrets = secrets, .acted_on = acted_on, .channels = channels, .words = words, .shown = shown};
	static const struct service *const all[] = {&databases};

	service_init(all, 1);
}

static void
world_init(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	conf.rate_limits = false;
	gen_init();
	metric_init(1);
	metric_slot(0);
	loop_init();
	world_services();
	rt_init();
}

#endif
