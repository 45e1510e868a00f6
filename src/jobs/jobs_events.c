/* Triggers: reads the event stream, asks the services that hear (model/hear.h), and puts the jobs that follow where they belong.
 *
 * An event makes its jobs exactly once. The jobs of some events and the position behind those events are one script in one slot, and the script first
 * compares the position with the one that this reader knows: who was taken for dead, and goes on, finds that out and begins anew from what is
 * written. So nothing needs to be acknowledged one by one: the events are read by XREAD from that position, and the group "triggers" of the
 * stream only tells the relay, a little late, what may be trimmed; when the one Redis forgets its last second, the other still has it.
 *
 * One process reads a shard: it has a lease. A stream that was replaced (BUS_CURRENT) is read to its end on all shards before the next one is begun,
 * because projects move between shards. When positions go on across that change, the first events of the new stream may be those that were the last
 * of the old one; the old positions tell.
 *
 * {jobs}:triggers             hash: g n l the stream's name, its number of shards, its life; p<k> the position in shard k; d<k> shard k is at its end;
 *                             w "<n> <position>,…" of the stream before, when this one has the same life
 * {jobs}:triggers:lease:<k>   who reads shard k */
#include "jobs_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/event.h"
#include "model/hear.h"
#include "model/line.h"
#include "model/project.h"
#include "model/service.h"

enum {
	BATCH = 64, ROUND = 4 * BATCH, OPS_MAX = 2000, OPS_BYTES = 4 << 20, LEASE_MS = 5000, SAVE_MS = 1000, MARK_MS = 2000, LOOK_MS = 1000, AGAIN = 500,
	RENEW_MS = 1000, NAP_MS = 5,
	TRIES_MAX = 5,		/* of an event that a service fails at, although all it needs is there */
	LIFE_MAX = 64
};
#define BLOCK_MS "1000"
#define STATE JOB_KEYS "triggers"
#define GROUP "triggers"

struct place {			/* in a shard */
	struct stream_pos pos;
	int64_t read;		/* whole entries, since begun */
	uint64_t at;		/* loop time */
};

struct ear {			/* a shard of the stream */
	int shard;
	struct fib *fib;
	struct bus_link *link;
	char stream[BUS_NAME_MAX];	/* that it has begun; "": none */
	struct place now, mark;	/* mark: what the group is told next */
	char saved[42];		/* the position as it is written, "": none */
	uint64_t saved_at;
	uint64_t leased_at;	/* when the lease was renewed */
	int asked;		/* entries, at most, by a read */
	int taken;		/* events of what was read */
	bool dull;		/* the last entries were nobody's */
	int64_t caused;		/* jobs so far */
	int64_t base;		/* entries of the shard before we began; -1: not known */
	bool ended;		/* an old stream, read to its end */
	struct stream_pos stuck;	/* an event that failed */
	int tries;
};

static struct {
	struct ear ears[BUS_SHARDS_MAX];
	int n_ears;		/* that have a fiber */
	char stream[BUS_NAME_MAX], life[LIFE_MAX];
	int shards;
	bool newer;		/* there is a later stream */
	struct strs was;	/* of the stream before: a position for each of its shards; n 0: nothing to compare with */
	struct fib *fib;
} me;

/* ---- scripts ---- */

/* KEYS: the state, then what the jobs name by number. ARGV: stream, field, position expected and new, now, number of bodies, the bodies, the
 * jobs: 'j' key head body | 'l' line kind name head body max jobhead all. Gives what was dropped: for want of room in its line, in
 * its project. The keys of lines and sizes follow that of their kind. */
static const char write_lua[] =
    "if redis.call('HGET', KEYS[1], 'g') ~= ARGV[1] or (redis.call('HGET', KEYS[1], ARGV[2]) or '') ~= ARGV[3] then return -1 end\n"
    "local function key(i) return KEYS[tonumber(ARGV[i])] end\n"
    "local function body(i) return ARGV[6 + tonumber(ARGV[i])] end\n"
    "local i, dropped = 7 + tonumber(ARGV[6]), {0, 0}\n"
    "while i <= #ARGV do\n"
    "  if ARGV[i] == 'j' then\n"
    "    redis.call('XADD', key(i + 1), '*', 'h', ARGV[i + 2], 'b', body(i + 3))\n"
    "    i = i + 4\n"
    "  else\n"
    "    local k = tonumber(ARGV[i + 2])\n"
    "    local n = put(key(i + 1), KEYS[k], KEYS[k + 1], KEYS[k + 2], ARGV[i + 3], ARGV[i + 4], body(i + 5), ARGV[i + 6], ARGV[5], ARGV[i + 7], ARGV[i + 8])\n"
    "    if n < 1 then dropped[1 - n] = dropped[1 - n] + 1 end\n"
    "    i = i + 9\n"
    "  end\n"
    "end\n"
    "redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])\n"
    "return dropped";

/* Goes on to the next stream, unless somebody has. ARGV: the stream so far ("": none), name, shards, life of the next, w. */
static const char next_lua[] =
    "if (redis.call('HGET', KEYS[1], 'g') or '') ~= ARGV[1] then return 0 end\n"
    "redis.call('DEL', KEYS[1])\n"
    "redis.call('HSET', KEYS[1], 'g', ARGV[2], 'n', ARGV[3], 'l', ARGV[4], 'w', ARGV[5])\n"
    "return 1";

/* ARGV: stream, field. */
static const char end_lua[] =
    "if redis.call('HGET', KEYS[1], 'g') ~= ARGV[1] then return 0 end\n"
    "return redis.call('HSET', KEYS[1], ARGV[2], 1)";

/* What the relay may trim. ARGV: group, position, entries read up to it ("": not known), our own position. Gives the number of entries ever added when
 * that is the last. */
static const char mark_lua[] =
    "if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end\n"
    "local function group(verb, n)\n"
    "  local r\n"
    "  if n ~= '' then r = redis.pcall('XGROUP', verb, KEYS[1], ARGV[1], ARGV[2], 'ENTRIESREAD', n)\n"
    "  else r = redis.pcall('XGROUP', verb, KEYS[1], ARGV[1], ARGV[2]) end\n"
    "  return not r.err\n"
    "end\n"
    "local _ = group('SETID', ARGV[3]) or group('SETID', '') or group('CREATE', ARGV[3]) or group('CREATE', '')\n"
    "local v = redis.call('XINFO', 'STREAM', KEYS[1])\n"
    "local last, added = '', -1\n"
    "for i = 1, #v, 2 do\n"
    "  if v[i] == 'last-generated-id' then last = v[i + 1] elseif v[i] == 'entries-added' then added = v[i + 1] end\n"
    "end\n"
    "return last == ARGV[4] and added or -1";

static const char *
write_script(void)
{
	static struct buf lua;

	if (lua.n == 0) {
		buf_init(&lua, NULL, 4096);
		buf_c(&lua, line_put_lua);
		buf_c(&lua, write_lua);
	}
	return lua.p;
}

/* ---- small things ---- */

static struct str
shard_field(struct ctx *cx, char what, int shard)
{
	return str_c(arena_printf(cx->arena, "%c%d", what, shard));
}

static struct str
events_key(struct ctx *cx, const struct ear *e)
{
	return str_c(stream_key(STREAM_EVENTS, e->shard, e->stream, arena_alloc(cx->arena, BUS_KEY_MAX)));
}

/* ---- writing ---- */

struct writing {		/* the script's words */
	struct ctx *cx;
	struct str *keys, *argv;
	int n_keys, n_argv, n_bodies;
	struct map *known;	/* key or body -> its number */
};

static void
writing_free(void *arg)
{
	struct writing *w = arg;

	map_free(&w->known);
}

static int
number_of(struct writing *w, struct str what, const char *kind, int next)
{
	struct str name = str_c(arena_printf(w->cx->arena, "%s%.*s", kind, STR_FMT(what)));
	int known = (int)(intptr_t)map_get(w->known, name);

	if (known == 0)
		map_set(w->known, name, (void *)(intptr_t)next);
	return known;
}

static int
key_number(struct writing *w, struct str key)
{
	int known = number_of(w, key, "k", w->n_keys + 1);

	if (known == 0)
		w->keys[w->n_keys++] = key;
	return known ? known : w->n_keys;
}

/* A kind's stream, and behind it what its lines have. */
static int
kind_number(struct writing *w, const char *kind)
{
	int known = number_of(w, str_c(kind), "K", w->n_keys + 1);

	if (known != 0)
		return known;
	known = w->n_keys + 1;
	w->keys[w->n_keys++] = line_key(w->cx, kind, "", NULL);
	w->keys[w->n_keys++] = line_key(w->cx, kind, "lines", NULL);
	w->keys[w->n_keys++] = line_key(w->cx, kind, "sizes", NULL);
	return known;
}

/* By its place in memory: what several jobs share is sent once. */
static int
body_number(struct writing *w, struct str body)
{
	int known = number_of(w, str_c(arena_printf(w->cx->arena, "%p %zu", (const void *)body.p, body.n)), "b", w->n_bodies + 1);

	if (known == 0) {
		w->argv[6 + w->n_bodies] = body;
		known = ++w->n_bodies;
	}
	return known;
}

static void
word(struct writing *w, struct str s)
{
	w->argv[w->n_argv++] = s;
}

static void
write_op(struct writing *w, const struct heard_op *op)
{
	struct ctx *cx = w->cx;
	struct str head = str_c(arena_printf(cx->arena, "%s 0 %lld %s", op->id, (long long)time_now_ms(), op->project));
	int body = body_number(w, op->body);

	if (op->line == NULL) {
		word(w, STR("j"));
		word(w, bus_number(cx, key_number(w, line_key(cx, op->kind, "", NULL))));
		word(w, head);
		word(w, bus_number(cx, body));
		return;
	}
	word(w, STR("l"));
	word(w, bus_number(cx, key_number(w, line_key(cx, op->kind, "line", op->line))));
	word(w, bus_number(cx, kind_number(w, op->kind)));
	word(w, str_c(op->line));
	word(w, op->head);
	word(w, bus_number(cx, body));
	word(w, bus_number(cx, op->max));
	word(w, head);
	word(w, bus_number(cx, op->max_project));
}

/* Bodies are found while the jobs are written, and stand before them: the jobs are written behind the room that they may take. */
static struct writing *
writing_of(struct ctx *cx, const struct heard_out *out)
{
	struct writing *w = arena_new_of(cx->arena, struct writing);
	int jobs_at = 6 + out->n;

	*w = (struct writing){.cx = cx, .keys = arena_array(cx->arena, struct str, 1 + 5 * out->n), .argv = arena_array(cx->arena, struct str, jobs_at + 9 * out->n),
	    .n_keys = 1, .n_argv = jobs_at, .known = map_new()};
	defer(cx, writing_free, w);
	w->keys[0] = STR(STATE);
	for (int i = 0; i < out->n; i++)
		write_op(w, &out->v[i]);
	memmove(w->argv + 6 + w->n_bodies, w->argv + jobs_at, sizeof *w->argv * (size_t)(w->n_argv - jobs_at));
	w->n_argv -= jobs_at - 6 - w->n_bodies;
	return w;
}

/* Awaits. The jobs and the position, all or nothing. ERR_BUS when the shard is another's by now, too. */
static err_t
events_save(struct ctx *cx, struct ear *e, struct heard_out *out)
{
	struct writing *w = writing_of(cx, out);
	int64_t line_full, project_full;
	struct bus_reply *r;
	struct str *v;
	char pos[42];

	stream_pos_text(e->now.pos, pos);
	w->argv[0] = str_c(e->stream);
	w->argv[1] = shard_field(cx, 'p', e->shard);
	w->argv[2] = str_c(e->saved);
	w->argv[3] = str_c(pos);
	w->argv[4] = bus_number(cx, time_now_ms());
	w->argv[5] = bus_number(cx, w->n_bodies);
	v = arena_array(cx->arena, struct str, w->n_keys + w->n_argv);
	memcpy(v, w->keys, sizeof *v * (size_t)w->n_keys);
	memcpy(v + w->n_keys, w->argv, sizeof *v * (size_t)w->n_argv);
	TRY(bus_link_script(cx, e->link, &r, write_script(), w->n_keys, w->n_keys + w->n_argv, v));
	if (r->type != BUS_LIST || r->n != 2)
		return fail(cx, ERR_BUS, "another reads shard %d", e->shard);
	line_full = r->v[0].i;
	project_full = r->v[1].i;
	snprintf(e->saved, sizeof e->saved, "%s", pos);
	e->saved_at = loop_now();
	e->caused += out->n;
	metric_add(M_triggers_jobs, out->n - line_full - project_full);
	metric_add(M_triggers_full, line_full);
	metric_add(M_triggers_full_project, project_full);
	if (line_full + project_full > 0)
		log_warn(cx, "a line is full: what an event should have caused is dropped", "dropped=%lld of_full_projects=%lld", (long long)(line_full + project_full),
		    (long long)project_full);
	*out = (struct heard_out){.cx = cx};
	return OK;
}

/* ---- listening ---- */

/* Ids are of the stream's life and the position: a database that comes back from a backup has the same positions again. */
static const char *
event_id(struct ctx *cx, struct stream_pos pos)
{
	return arena_printf(cx->arena, "%08x-%llx-%llx", (unsigned)str_hash_stable(str_c(me.life[0] ? me.life : me.stream)), (unsigned long long)pos.lsn,
	    (unsigned long long)pos.index);
}

static err_t
listen_to(struct ctx *cx, struct stream_pos pos, struct str project, struct str header, struct str body, struct heard_out *out)
{
	int n;
	const struct service *const *v = service_all(&n);
	struct project *p;
	struct heard ev;
	err_t err = project_get_bare(cx, project, &p);

	if (err == ERR_PROJECT_NOT_FOUND)	/* deleted meanwhile */
		return OK;
	TRY(err);
	if (!heard_read(cx, event_id(cx, pos), header, body, &ev) || (ev.flags & (EVENT_UNSEEN | EVENT_DONE)))
		return OK;
	ev.project = p;
	out->ev = &ev;
	for (int i = 0; i < n && err == OK; i++)
		if (v[i]->hears != NULL)
			err = v[i]->hears->look(cx, &ev, out);
	out->ev = NULL;
	return err;
}

/* The end of the stream before has it already. */
static bool
was_there(struct stream_pos pos, struct str project)
{
	struct stream_pos end;

	return me.was.n > 0 && stream_pos_parse(str_c(me.was.v[stream_shard(project, me.was.n)]), &end) && stream_pos_cmp(pos, end) <= 0;
}

static err_t
take_event(struct ctx *cx, struct stream_pos pos, struct str header, struct str body, struct heard_out *out)
{
	struct str project, pattern;
	bool wanted;

	heard_bump(header);
	if (!heard_peek(header, &project, &pattern) || was_there(pos, project))
		return OK;
	TRY(ears_prick(cx, project, pattern, &wanted));
	return wanted ? listen_to(cx, pos, project, header, body, out) : OK;
}

/* What is wrong here is the event, or what a service makes of it: something else may be down as long as it likes. */
static bool
give_up(struct ctx *cx, struct ear *e, struct stream_pos pos, err_t err)
{
	if (err == ERR_BUS || err == ERR_DB_DOWN || err == ERR_DB_BUSY || err == ERR_DB_CONFLICT || err == ERR_TIMEOUT || err == ERR_CANCELLED || err == ERR_BUSY)
		return false;
	if (stream_pos_cmp(pos, e->stuck) != 0)
		e->tries = 0;
	e->stuck = pos;
	if (++e->tries < TRIES_MAX)
		return false;
	metric_add(M_triggers_lost, 1);
	log_error(cx, "an event causes nothing: a service fails at it", "event=%s why=\"%s %s\"", event_id(cx, pos), err_info(err)->name, cx->detail ? cx->detail : "");
	return true;
}

/* The header is good for the call, the body until the jobs are written. */
static err_t
hear_event(struct ctx *cx, struct ear *e, struct stream_pos pos, struct str header, struct str body, struct heard_out *out)
{
	struct heard_out before = *out;
	err_t err = take_event(cx, pos, header, body, out);

	if (err != OK) {
		*out = before;
		if (!give_up(cx, e, pos, err))
			return err;
	}
	e->now.pos = pos;
	metric_add(M_triggers_events, 1);
	e->taken++;
	if (out->n >= OPS_MAX || out->bytes >= OPS_BYTES)
		TRY(events_save(cx, e, out));
	return e->taken % BATCH == 0 ? fib_yield(cx) : OK;
}

/* Those that have not been heard yet: it may have been left in its middle. */
static err_t
hear_many(struct ctx *cx, struct ear *e, const struct bus_entry *x, struct heard_out *out)
{
	struct stream_pos pos = bus_entry_first(x);
	struct event_unpack u;
	err_t err = OK;

	event_unpack_init(&u, x->body);
	for (int i = 0; i < x->many && err == OK; i++, pos.index++) {
		struct str header = STR_NONE, body = STR_NONE;

		if (event_unpack_next(&u))
			event_unpack_whole(&u, &header, &body);
		if (stream_pos_cmp(pos, e->now.pos) > 0)
			err = hear_event(cx, e, pos, header, body, out);
	}
	event_unpack_fini(&u);
	return err;
}

static err_t
jobs_events_take_entry(struct ctx *cx, struct ear *e, const struct bus_reply *entry, struct heard_out *out)
{
	struct bus_entry x;

	if (!bus_entry_of(entry, &x) || stream_pos_cmp(x.pos, e->now.pos) <= 0)
		return OK;
	TRY(x.many > 0 ? hear_many(cx, e, &x, out) : hear_event(cx, e, x.pos, x.header, x.body, out));
	e->now.read++;
	return OK;
}

static err_t
read_events(struct ctx *cx, struct ear *e, bool block, const struct bus_reply **list_out)
{
	int argc = 0;
	struct str v[8];
	struct bus_reply *r;
	char pos[42];

	v[argc++] = STR("XREAD");
	v[argc++] = STR("COUNT");
	v[argc++] = bus_number(cx, e->asked);
	if (block) {
		v[argc++] = STR("BLOCK");
		v[argc++] = STR(BLOCK_MS);
	}
	v[argc++] = STR("STREAMS");
	v[argc++] = events_key(cx, e);
	v[argc++] = str_c(stream_pos_text(e->now.pos, pos));
	TRY(bus_link_cmd(cx, e->link, &r, argc, v));
	*list_out = r->type == BUS_LIST && r->n == 1 && r->v[0].type == BUS_LIST && r->v[0].n == 2 && r->v[0].v[1].type == BUS_LIST ? &r->v[0].v[1] : NULL;
	return OK;
}

/* ---- what the relay may trim ---- */

static err_t
mark(struct ctx *cx, struct ear *e)
{
	struct bus_reply *r;
	char pos[42], now[42];

	if (e->mark.at + MARK_MS > loop_now())
		return OK;
	TRY(bus_link_script(cx, e->link, &r, mark_lua, 1, BUS(events_key(cx, e), STR(GROUP), str_c(stream_pos_text(e->mark.pos, pos)),
	    e->base >= 0 ? bus_number(cx, e->base + e->mark.read) : STR(""), str_c(stream_pos_text(e->now.pos, now)))));
	if (r->type == BUS_INT && r->i >= 0)
		e->base = r->i - e->now.read;
	e->mark = e->now;
	e->mark.at = loop_now();
	return OK;
}

/* ---- a shard ---- */

/* Awaits. From what is written. */
static err_t
begin(struct ctx *cx, struct ear *e)
{
	struct bus_reply *r;
	struct place at = {.at = loop_now()};

	e->saved[0] = e->stream[0] = '\0';
	TRY(bus_link_cmd(cx, e->link, &r, BUS(STR("HMGET"), STR(STATE), shard_field(cx, 'p', e->shard), shard_field(cx, 'd', e->shard), STR("g"))));
	if (r->type != BUS_LIST || r->n != 3 || !str_is(r->v[2].s, me.stream))
		return fail(cx, ERR_BUS, "the stream changes");
	if (r->v[0].type == BUS_STR && stream_pos_parse(r->v[0].s, &at.pos))
		snprintf(e->saved, sizeof e->saved, "%.*s", STR_FMT(r->v[0].s));
	e->asked = BATCH;
	e->now = e->mark = at;
	e->mark.at = 0;		/* the group is there from the beginning */
	e->base = -1;
	e->ended = r->v[1].type == BUS_STR;
	e->saved_at = loop_now();
	snprintf(e->stream, sizeof e->stream, "%s", me.stream);
	log_info(cx, "listening to events", "stream=%s shard=%d from=%s", e->stream, e->shard, e->saved[0] ? e->saved : "its beginning");
	return OK;
}

/* Nothing comes any more to a stream that was replaced. */
static err_t
look_for_end(struct ctx *cx, struct ear *e)
{
	const struct bus_reply *list;
	struct bus_reply *r;

	TRY(read_events(cx, e, false, &list));
	if (list != NULL)
		return OK;	/* the next round has it */
	TRY(bus_link_script(cx, e->link, &r, end_lua, 1, BUS(STR(STATE), str_c(e->stream), shard_field(cx, 'd', e->shard))));
	e->ended = true;
	if (me.fib != NULL)
		fib_signal(&jobs.news);
	return OK;
}

static err_t
hear_some(struct ctx *cx, struct ear *e)
{
	struct heard_out out = {.cx = cx};
	const struct bus_reply *list;
	bool was_newer = me.newer;
	int64_t caused = e->caused;
	int entries = 0;
	char pos[42];

	if (e->dull)		/* many events are nobody's: they are taken by the handful */
		TRY(fib_sleep(cx, NAP_MS));
	TRY(mark(cx, e));
	TRY(read_events(cx, e, !was_newer, &list));
	e->taken = 0;
	for (int i = 0; list != NULL && i < list->n && e->taken < ROUND; i++, entries++)
		TRY(jobs_events_take_entry(cx, e, &list->v[i], &out));
	e->asked = bus_entries_for(BATCH, entries, e->taken);
	if (out.n > 0 || (strcmp(stream_pos_text(e->now.pos, pos), e->saved) != 0 && e->now.read > 0 && (list == NULL || e->saved_at + SAVE_MS <= loop_now())))
		TRY(events_save(cx, e, &out));
	e->dull = list != NULL && e->taken < BATCH && e->caused == caused;
	return list == NULL && was_newer ? look_for_end(cx, e) : OK;
}

/* *idle_out: somebody else has the shard, or there is nothing to do. */
static err_t
ear_round(struct ctx *cx, struct ear *e, bool *idle_out)
{
	bool mine = e->stream[0] != '\0' && loop_now() - e->leased_at < RENEW_MS;

	*idle_out = true;
	if (me.stream[0] == '\0' || e->shard >= me.shards)
		return OK;
	if (!mine) {
		uint64_t now = loop_now();

		TRY(jobs_lead(cx, arena_printf(cx->arena, STATE ":lease:%d", e->shard), LEASE_MS, &mine));
		e->leased_at = now;
	}
	if (!mine) {
		e->stream[0] = '\0';
		return OK;
	}
	if (e->link == NULL)
		e->link = bus_link_open(NULL, NULL);
	if (strcmp(e->stream, me.stream) != 0)
		TRY(begin(cx, e));
	*idle_out = e->ended;
	return e->ended ? OK : hear_some(cx, e);
}

/* So that another need not wait until our silence is noticed. */
static void
let_go(struct ear *e, struct fib *fib)
{
	struct ctx cx;
	bool mine;

	ctx_init(&cx);
	cx.fib = fib;
	cx.deadline = loop_now() + 1000;
	fib_shield(&cx, true);
	if (e->stream[0] != '\0' && jobs_lead(&cx, arena_printf(cx.arena, STATE ":lease:%d", e->shard), 1, &mine) != OK)
		log_debug(&cx, "a lease is left to lapse", "shard=%d", e->shard);
	fib_shield(&cx, false);
	ctx_fini(&cx);
}

static void
ear_fiber(struct ctx *outer, void *arg)
{
	struct ear *e = arg;
	bool said = false;

	e->fib = outer->fib;
	while (!jobs.stopping) {
		bool idle = true;
		struct ctx cx;
		err_t err;

		ctx_init(&cx);
		cx.fib = e->fib;
		err = ear_round(&cx, e, &idle);
		if (err != OK && !jobs.stopping) {
			e->stream[0] = '\0';	/* begin from what is written */
			if (!said)
				log_warn(&cx, "events are not heard", "shard=%d why=\"%s %s\"", e->shard, err_info(err)->name, cx.detail ? cx.detail : "");
		}
		said = err != OK;
		if (!jobs.stopping && (err != OK || idle))
			jobs_pause(&cx, err != OK ? AGAIN : LOOK_MS);
		ctx_fini(&cx);
	}
	let_go(e, e->fib);
	e->fib = NULL;
	if (e->link != NULL)
		bus_link_close(&e->link);
	jobs.fibers--;
	jobs_fiber_ended();
}

static void
ear_start(int shard)
{
	me.ears[shard] = (struct ear){.shard = shard};
	jobs.fibers++;
	fib_spawn_new("hears", 0, ear_fiber, &me.ears[shard]);
}

/* ---- which stream ---- */

struct announced {
	struct str name, life;
	int64_t shards;
};

static bool
announced_of(const struct bus_reply *entry, struct announced *out)
{
	if (entry->type != BUS_LIST || entry->n != 2)
		return false;
	*out = (struct announced){.name = bus_field(&entry->v[1], "g"), .life = bus_field(&entry->v[1], "l")};
	return out->name.n > 0 && out->name.n < BUS_NAME_MAX && out->life.n < LIFE_MAX && str_to_i64(bus_field(&entry->v[1], "n"), &out->shards) && out->shards >= 1 &&
	    out->shards <= BUS_SHARDS_MAX;
}

/* The one after the stream that is being read: the last when that is none of them. False: there is none. */
static bool
next_of(const struct bus_reply *list, struct str current, struct announced *out)
{
	struct announced a;
	bool found = false, any = false;

	for (int i = list->type == BUS_LIST ? list->n - 1 : -1; i >= 0; i--) {
		if (!announced_of(&list->v[i], &a))
			continue;
		if (str_eq(a.name, current))
			return any;
		if (!any || !str_eq(a.name, out->name))
			*out = a;
		if (!any && current.n == 0)
			return true;
		any = found = true;
	}
	if (found)		/* it was announced too long ago */
		for (int i = list->n - 1; i >= 0; i--)
			if (announced_of(&list->v[i], out))
				return true;
	return found;
}

/* The positions at which the stream that is left was read to its end; "" when those of the next one are not comparable. */
static struct str
left_at(struct ctx *cx, const struct bus_reply *state, int64_t shards, const struct announced *next)
{
	struct str life = bus_field(state, "l");
	struct buf b;

	if (life.n == 0 || !str_eq(life, next->life))
		return STR("");
	buf_init(&b, cx->arena, 64);
	buf_i64(&b, shards);
	for (int i = 0; i < shards; i++) {
		struct str at = bus_field(state, shard_field(cx, 'p', i).p);

		buf_ch(&b, i == 0 ? ' ' : ',');
		buf_str(&b, at.n > 0 ? at : STR("0-0"));
	}
	return buf_view(&b);
}

static bool
all_ended(struct ctx *cx, const struct bus_reply *state, int64_t shards)
{
	for (int i = 0; i < shards; i++)
		if (bus_field(state, shard_field(cx, 'd', i).p).n == 0)
			return false;
	return true;
}

static void
note_was(struct str was)
{
	static char text[BUS_SHARDS_MAX * 44];
	static const char *v[BUS_SHARDS_MAX];
	struct str n = str_cut(&was, ' '), rest;
	int64_t shards = 0;

	me.was = (struct strs){.v = v};
	if (was.p == NULL || was.n >= sizeof text || !str_to_i64(n, &shards) || shards < 1 || shards > BUS_SHARDS_MAX)
		return;
	snprintf(text, sizeof text, "%.*s", STR_FMT(was));
	rest = str_c(text);
	for (int i = 0; i < shards && rest.p != NULL; i++) {
		struct str at = str_cut(&rest, ',');

		v[i] = at.p;
		text[at.p + at.n - text] = '\0';
		me.was.n++;
	}
	if (me.was.n != shards)
		me.was.n = 0;
}

static err_t
find_stream(struct ctx *cx)
{
	struct bus_reply *list, *state, *r;
	struct str name, life;
	struct announced next;
	int64_t shards = 0;
	bool newer;

	TRY(bus_cmd(cx, &list, BUS(STR("XRANGE"), STR(BUS_CURRENT), STR("-"), STR("+"))));
	TRY(bus_cmd(cx, &state, BUS(STR("HGETALL"), STR(STATE))));
	name = bus_field(state, "g");
	life = bus_field(state, "l");
	newer = next_of(list, name, &next);
	if (name.n > 0 && (name.n >= sizeof me.stream || life.n >= sizeof me.life || !str_to_i64(bus_field(state, "n"), &shards) || shards < 1 || shards > BUS_SHARDS_MAX))
		return fail(cx, ERR_BUS, "%s is malformed", STATE);
	if (newer && (name.n == 0 || all_ended(cx, state, shards))) {
		TRY(bus_script(cx, &r, next_lua, 1, BUS(STR(STATE), name.n > 0 ? name : STR(""), next.name, bus_number(cx, next.shards),
		    next.life.n > 0 ? next.life : STR(""), left_at(cx, state, shards, &next))));
		fib_signal(&jobs.news);	/* look again */
		return OK;
	}
	if (name.n == 0)
		return OK;
	if (!str_is(name, me.stream) || me.shards != shards)
		note_was(bus_field(state, "w"));
	snprintf(me.stream, sizeof me.stream, "%.*s", STR_FMT(name));
	snprintf(me.life, sizeof me.life, "%.*s", life.n > 0 ? (int)life.n : 0, life.n > 0 ? life.p : "");
	me.shards = (int)shards;
	me.newer = newer;
	while (me.n_ears < me.shards && !jobs.stopping)
		ear_start(me.n_ears++);
	return OK;
}

static void
events_fiber(struct ctx *outer, void *arg)
{
	(void)arg;
	me.fib = outer->fib;
	while (!jobs.stopping) {
		struct ctx cx;
		err_t e;

		ctx_init(&cx);
		cx.fib = me.fib;
		fib_event_reset(&jobs.news);
		cx.deadline = loop_now() + 10000;
		if ((e = find_stream(&cx)) != OK && !jobs.stopping)
			log_debug(&cx, "the stream is not known", "why=\"%s %s\"", err_info(e)->name, cx.detail ? cx.detail : "");
		cx.deadline = 0;
		if (!jobs.stopping && (e = fib_await_for(&cx, &jobs.news, me.stream[0] ? LOOK_MS : 50)) != OK && e != ERR_TIMEOUT)
			log_debug(&cx, "a pause was cut short", NULL);
		ctx_fini(&cx);
	}
	me.fib = NULL;
	jobs.fibers--;
	jobs_fiber_ended();
}

/* ---- life ---- */

void
jobs_events_start(void)
{
	jobs.fibers++;
	fib_spawn_new("events", 0, events_fiber, NULL);
}

void
jobs_events_stop(void)
{
	assert(jobs.stopping);
	fib_signal(&jobs.news);
	if (me.fib != NULL)
		fib_cancel(me.fib);
	for (int i = 0; i < me.n_ears; i++)
		if (me.ears[i].fib != NULL)
			fib_cancel(me.ears[i].fib);
}
