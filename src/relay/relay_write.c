/* From the queue to Redis.
 *
 * One batch is under way at a time: the head of the queue, split by lanes. Each lane's part is one script that writes all of it and the
 * lane's new position, or nothing: so a refused write (memory, disk) can never leave a hole behind which later entries of the lane land.
 * What is acknowledged to PostgreSQL is what all lanes have. The script first compares the position with the one this relay knows: a former
 * leader whose last batch was still on the wire cannot double a job, and it is found out. */
#include "relay_priv.h"

#include <assert.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/job.h"

enum {
	BATCH_ITEMS = 512, BATCH_BYTES = 1 << 20,
	REFUSED_WAIT = 500,	/* ms before a refused batch is tried again */
	VISIBLE_WAIT = 1,	/* ms between two looks */
	KINDS_MAX = 32		/* job streams of one batch */
};

/* ARGV: the position expected, the new one, for a shard the step of its marks of size, else ''; then of each entry its stream's number in KEYS, its id, head and body,
 * or 'm', its id, the number of its events and their text. -1: the position is not the one we know; else how many events were there already.
 * The memory of an entry is reckoned as Redis 7 with jemalloc takes it, within some per cent. Where the sum on record is not of the position (an earlier version wrote,
 * Redis has lost it) what is there is measured, once. A script that has written is not refused for want of memory: nothing is written before the first entry, and a mark
 * that fails is missed by nobody. */
static const char write_lua[] =
    "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end\n"
    "local double, step, all, mark, pos = 0, tonumber(ARGV[3])\n"
    "if step then\n"
    "  all, mark, pos = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+) (.*)$')\n"
    "  if pos == ARGV[1] then all, mark = tonumber(all), tonumber(mark)\n"
    "  else all, mark = redis.call('MEMORY', 'USAGE', KEYS[2], 'SAMPLES', 0) or 0, nil end\n"
    "end\n"
    "for i = 4, #ARGV, 4 do\n"
    "  local many, r = ARGV[i] == 'm'\n"
    "  if many then r = redis.pcall('XADD', KEYS[2], ARGV[i + 1], 'n', ARGV[i + 2], 'm', ARGV[i + 3])\n"
    "  else r = redis.pcall('XADD', KEYS[tonumber(ARGV[i])], ARGV[i + 1], 'h', ARGV[i + 2], 'b', ARGV[i + 3]) end\n"
    "  if type(r) == 'table' and r.err then\n"
    "    if not string.find(r.err, 'equal or smaller', 1, true) then return r end\n"
    "    double = double + (many and tonumber(ARGV[i + 2]) or 1)\n"
    "  elseif step then\n"
    "    local n = #ARGV[i + 2] + #ARGV[i + 3]\n"
    "    if not mark then redis.pcall('DEL', KEYS[4]) end\n"
    "    if not mark or all - mark >= step then\n"
    "      redis.pcall('ZADD', KEYS[4], all, ARGV[i + 1])\n"
    "      mark = all\n"
    "    end\n"
    "    all = all + n + 32 + math.floor(math.min(n / 4, n / 16 + 800))\n"
    "  end\n"
    "end\n"
    "redis.call('SET', KEYS[1], ARGV[2])\n"
    "if mark then redis.pcall('SET', KEYS[3], string.format('%.0f %.0f %s', all, mark, ARGV[2])) end\n"
    "return double";

static struct lane *
lane_of(struct session *s, struct item *it)
{
	if (it->lane < 0)
		it->lane = it->key.n > 0 ? s->shards : stream_shard(queue_project(it->head), s->shards);
	assert(it->lane <= s->shards);
	return &s->lanes[it->lane];
}

/* Redis has it already: decoding began again before it, or another lane's part of the batch was refused. */
static bool
is_known(struct session *s, struct item *it)
{
	return stream_pos_cmp(it->pos, lane_of(s, it)->written) <= 0;
}

static void
skip_known(struct session *s)
{
	while (s->first != NULL && is_known(s, s->first)) {
		metric_add(M_relay_duplicates, s->first->n);
		queue_pop(s);
	}
}

struct part {			/* of a batch, for one lane */
	int lane, n;		/* n: events */
	struct stream_pos last;
	char pos[42];
	int n_keys;
	struct str *keys, *args;	/* of the script: KEYS, ARGV */
	int n_args;
};

struct batch {
	int n;			/* items at the head of the queue */
	int64_t commit_ms;
	int n_parts;
	struct part *parts;
	struct bus_call *calls;	/* of the parts */
};

static struct part *
part_of(struct ctx *cx, struct batch *b, const struct session *s, int lane)
{
	static const enum stream_key keys[] = {STREAM_POS, STREAM_EVENTS, STREAM_BYTES, STREAM_SIZES};
	bool jobs = lane == s->shards;
	struct part *p;
	int64_t step;

	for (int i = 0; i < b->n_parts; i++)
		if (b->parts[i].lane == lane)
			return &b->parts[i];
	p = &b->parts[b->n_parts++];
	*p = (struct part){.lane = lane, .n_keys = 1, .n_args = 3};
	p->keys = arena_array(cx->arena, struct str, 1 + KINDS_MAX);
	p->args = arena_array(cx->arena, struct str, 3 + 4 * b->n);
	if (jobs) {
		p->keys[0] = str_c(jobs_pos_key(cx, s));
		p->args[2] = STR("");
	} else {
		for (p->n_keys = 0; p->n_keys < (int)(sizeof keys / sizeof *keys); p->n_keys++)
			p->keys[p->n_keys] = str_c(stream_key(keys[p->n_keys], lane, s->name, arena_alloc(cx->arena, BUS_KEY_MAX)));
		stream_bound(s, &step);
		p->args[2] = bus_number(cx, step);
	}
	p->args[0] = str_c(s->lanes[lane].pos);
	return p;
}

/* Its number in KEYS; 0: too many streams. */
static int
key_index(struct part *p, struct str key)
{
	for (int i = 1; i < p->n_keys; i++)
		if (str_eq(p->keys[i], key))
			return i + 1;
	if (p->n_keys > KINDS_MAX)
		return 0;
	p->keys[p->n_keys++] = key;
	return p->n_keys;
}

/* False when the batch must end before it. */
static bool
part_add(struct ctx *cx, struct part *p, const struct item *it)
{
	bool job = it->key.n > 0;
	int index = job ? key_index(p, it->key) : 2;
	struct str *v = p->args + p->n_args;

	if (index == 0)
		return false;
	v[0] = job ? bus_number(cx, index) : it->many ? STR("m") : STR("2");
	v[1] = job ? STR("*") : str_c(stream_pos_text(it->pos, arena_alloc(cx->arena, 42)));
	v[2] = it->many ? bus_number(cx, it->n) : it->head;
	v[3] = it->body;
	p->n_args += 4;
	p->n += it->n;
	p->last = it->pos;
	return true;
}

/* What of it Redis has not. Pieces were cut elsewhere, or events went one by one, when a relay of another version or setting was the leader. */
static bool
is_news(struct session *s, struct item *it)
{
	struct stream_pos written = lane_of(s, it)->written;

	if (is_known(s, it))
		return false;
	if (it->many && written.lsn == it->pos.lsn && written.index + (uint64_t)it->n > it->pos.index)
		metric_add(M_relay_duplicates, queue_cut(s, it, written.index));
	return true;
}

/* How many items a batch takes, by number and size. */
static int
batch_size(const struct session *s)
{
	size_t bytes = 0;
	int n = 0;

	for (const struct item *it = s->first; it != NULL && n < BATCH_ITEMS && (n == 0 || bytes + it->size <= BATCH_BYTES); it = it->next) {
		bytes += it->size;
		n++;
	}
	return n;
}

static struct bus_call
part_call(struct ctx *cx, struct part *p)
{
	struct str *v = arena_array(cx->arena, struct str, p->n_keys + p->n_args);

	stream_pos_text(p->last, p->pos);
	p->args[1] = str_c(p->pos);
	memcpy(v, p->keys, (size_t)p->n_keys * sizeof *v);
	memcpy(v + p->n_keys, p->args, (size_t)p->n_args * sizeof *v);
	return (struct bus_call){.nkeys = p->n_keys, .argc = p->n_keys + p->n_args, .argv = v};
}

static void
batch_make(struct ctx *cx, struct session *s, struct batch *b)
{
	struct item *it = s->first;
	int n = 0;

	*b = (struct batch){.n = batch_size(s), .parts = arena_array(cx->arena, struct part, s->shards + 1)};
	for (; n < b->n; n++, it = it->next) {
		if (is_news(s, it) && !part_add(cx, part_of(cx, b, s, it->lane), it))
			break;
		b->commit_ms = it->commit_ms;
	}
	b->n = n;
	b->calls = arena_array(cx->arena, struct bus_call, b->n_parts);
	for (int i = 0; i < b->n_parts; i++)
		b->calls[i] = part_call(cx, &b->parts[i]);
}

/* The lane has its part. */
static void
part_done(struct session *s, const struct part *p, int64_t doubles)
{
	struct lane *l = &s->lanes[p->lane];

	assert(stream_pos_cmp(l->written, p->last) < 0);
	memcpy(l->pos, p->pos, sizeof l->pos);
	l->written = p->last;
	metric_add(M_relay_events, p->lane < s->shards ? p->n - doubles : 0);
	metric_add(M_relay_duplicates, doubles);
}

static void
batch_done(struct session *s, const struct batch *b)
{
	int64_t lag = time_now_ms() - b->commit_ms;

	for (int i = 0; i < b->n; i++) {
		assert(is_known(s, s->first));
		queue_pop(s);
	}
	metric_set(M_relay_stream_lag, lag > 0 ? lag : 0);
	if (s->n < QUEUE_ITEMS / 2 && s->bytes < QUEUE_BYTES / 2)
		repl_resume(s->repl);
	if (s->refused)
		log_info(NULL, "redis takes events again", NULL);
	s->refused = false;
}

/* Full, or it cannot write its disk: the WAL is the queue meanwhile. */
static err_t
wait_refused(struct ctx *cx, struct session *s, const struct bus_reply *r)
{
	if (!s->refused)
		log_error(NULL, "redis refuses events", "why=%.*s", STR_FMT(r->s));
	s->refused = true;
	return fib_sleep(cx, REFUSED_WAIT);
}

/* ---- not before its rows can be seen ---- */

/* A commit reaches the WAL, and so us, a moment before other sessions see what it wrote; with several commits flushed at once that
 * moment can be long. Who acts on an event (reads roles anew, runs a function, fetches the document) must find the row. The 32 bits
 * of each transaction's number are completed from the snapshot's, which is at most 2^31 away. */
static const char visible_sql[] =
    "WITH t AS (SELECT s, pg_snapshot_xmax(s)::text::bigint AS m FROM pg_current_snapshot() s) "
    "SELECT bool_and(pg_visible_in_snapshot((m + (x - m % 4294967296 + 6442450944) % 4294967296 - 2147483648)::text::xid8, s)) "
    "FROM t, unnest($1::bigint[]) x";

/* The transactions of the batch as an array's text. */
static const char *
batch_xids(struct ctx *cx, const struct session *s, int n)
{
	const struct item *it = s->first;
	uint32_t last = 0;
	struct buf b;

	buf_init(&b, cx->arena, 64);
	for (int i = 0; i < n; i++, it = it->next) {
		if (i > 0 && it->xid == last)
			continue;
		buf_ch(&b, b.n == 0 ? '{' : ',');
		buf_i64(&b, it->xid);
		last = it->xid;
	}
	buf_ch(&b, '}');
	return b.p;
}

static err_t
wait_visible(struct ctx *cx, struct session *s, int n)
{
	const char *xids = batch_xids(cx, s, n);
	struct db_res *r;

	for (;;) {
		TRY(db_query(cx, &r, visible_sql, DB(xids)));
		if (db_bool(r, 0, 0))
			return OK;
		if (s->broken)
			return fail(cx, ERR_BUS, "%s", s->why);
		TRY(fib_sleep(cx, VISIBLE_WAIT));
	}
}

static err_t
batch_write(struct ctx *cx, struct session *s)
{
	const struct bus_reply *refusal = NULL;
	struct batch b;

	batch_make(cx, s, &b);
	TRY(wait_visible(cx, s, b.n));
	TRY(bus_link_scripts(cx, s->link, write_lua, b.calls, b.n_parts));
	for (int i = 0; i < b.n_parts; i++) {
		const struct bus_reply *r = b.calls[i].reply;

		if (r->type == BUS_INT && r->i < 0)
			return fail(cx, ERR_BUS, "another relay has written meanwhile");
		if (r->type == BUS_ERROR)
			refusal = r;
		else
			part_done(s, &b.parts[i], r->type == BUS_INT ? r->i : 0);
	}
	if (refusal != NULL)
		return wait_refused(cx, s, refusal);
	batch_done(s, &b);
	return OK;
}

err_t
queue_write(struct session *s)
{
	struct ctx cx;
	err_t e;

	skip_known(s);
	if (s->first == NULL)
		return OK;
	ctx_init(&cx);
	e = batch_write(&cx, s);
	if (e != OK && !s->broken)
		snprintf(s->why, sizeof s->why, "%s", cx.detail ? cx.detail : err_info(e)->name);
	ctx_fini(&cx);
	return e;
}
