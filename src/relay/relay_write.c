/* The queue from PostgreSQL to Redis.
 *
 * One batch is under way at a time, one script that writes all of it and the new position, or nothing: so a refused write (memory,
 * disk) can never leave a hole behind which later events land. The script first compares the position with the one this relay knows:
 * a former leader whose last batch was still on the wire cannot double a job, and it is found out. */
#include "relay_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"

enum {
	BATCH_ITEMS = 512, BATCH_BYTES = 1 << 20,
	QUEUE_ITEMS = 16384, QUEUE_BYTES = 16 << 20,	/* more: PostgreSQL waits */
	REFUSED_WAIT = 500,	/* ms before a refused batch is tried again */
	VISIBLE_WAIT = 1,	/* ms between two looks */
	KIND_MAX = 40
};

static const char write_lua[] =
    "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return redis.error_reply('STALE') end\n"
    "local double = 0\n"
    "for i = 3, #ARGV, 4 do\n"
    "  local r = redis.pcall('XADD', ARGV[i], ARGV[i + 1], 'h', ARGV[i + 2], 'b', ARGV[i + 3])\n"
    "  if type(r) == 'table' and r.err then\n"
    "    if not string.find(r.err, 'equal or smaller', 1, true) then return r end\n"
    "    double = double + 1\n"
    "  end\n"
    "end\n"
    "redis.call('SET', KEYS[1], ARGV[2])\n"
    "return double";

/* ---- in ---- */

static bool
kind_valid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-' || s.p[i] == '_'))
			return false;
	return s.n > 0 && s.n <= KIND_MAX;
}

/* "header\nbody"; of a job the header's first word is its kind. */
static bool
item_parse(struct item *it, bool job, struct str content)
{
	struct str kind;
	size_t n;

	it->body = content;
	it->head = str_cut(&it->body, '\n');
	if (!job)
		return it->head.n > 0;
	kind = str_cut(&it->head, ' ');
	if (!kind_valid(kind) || it->head.n == 0)
		return false;
	n = (size_t)sprintf(it->data, "jobs:%.*s", STR_FMT(kind));
	it->key = (struct str){it->data, n};
	return true;
}

void
queue_message(struct session *s, const struct repl_tx *tx, uint64_t index, struct str prefix, struct str content)
{
	bool job = str_is(prefix, "job");
	struct item *it;
	char *text;

	if (!job && !str_is(prefix, "event"))
		return;
	it = mem_alloc(sizeof *it + KIND_MAX + 8 + content.n);
	*it = (struct item){.pos = {tx->commit_lsn, index}, .commit_ms = tx->commit_ms, .xid = tx->xid, .size = sizeof *it + content.n};
	text = it->data + KIND_MAX + 8;
	memcpy(text, content.p, content.n);
	if (!item_parse(it, job, (struct str){text, content.n})) {
		log_error(NULL, "a message in the WAL is malformed", "lsn=%llu index=%llu",
		    (unsigned long long)tx->commit_lsn, (unsigned long long)index);
		free(it);
		return;
	}
	if (s->last != NULL)
		s->last->next = it;
	else
		s->first = it;
	s->last = it;
	s->n++;
	s->bytes += it->size;
	if (s->n >= QUEUE_ITEMS || s->bytes >= QUEUE_BYTES)
		repl_pause(s->repl);
	fib_signal(&s->more);
}

void
queue_progress(struct session *s, uint64_t lsn)
{
	if (s->last != NULL)
		s->last->end = lsn;
	else if (lsn > s->acked)
		s->acked = lsn;
}

/* ---- out ---- */

static void
pop(struct session *s)
{
	struct item *it = s->first;

	s->first = it->next;
	if (s->first == NULL)
		s->last = NULL;
	s->n--;
	s->bytes -= it->size;
	if (it->end > s->acked)
		s->acked = it->end;
	free(it);
}

void
queue_clear(struct session *s)
{
	while (s->first != NULL)
		pop(s);
}

/* What the stream has already: decoding began again before it. */
static void
skip_known(struct session *s)
{
	while (s->first != NULL && stream_pos_cmp(s->first->pos, s->written) <= 0) {
		metric_add(M_relay_duplicates, 1);
		pop(s);
	}
}

struct batch {
	int n, events;
	struct stream_pos last;
	int64_t commit_ms;
	char pos[42];
	int argc;
	struct str *argv;
};

static void
batch_make(struct ctx *cx, const struct session *s, struct batch *b)
{
	const struct item *it = s->first;
	size_t bytes = 0;

	*b = (struct batch){.argc = 3, .argv = arena_array(cx->arena, struct str, 3 + 4 * BATCH_ITEMS)};
	for (; it != NULL && b->n < BATCH_ITEMS && (b->n == 0 || bytes + it->size <= BATCH_BYTES); it = it->next) {
		bool job = it->key.n > 0;
		struct str *v = b->argv + b->argc;

		v[0] = job ? it->key : str_c(s->key);
		v[1] = job ? STR("*") : str_c(stream_pos_text(it->pos, arena_alloc(cx->arena, 42)));
		v[2] = it->head;
		v[3] = it->body;
		b->argc += 4;
		b->n++;
		b->events += !job;
		b->last = it->pos;
		b->commit_ms = it->commit_ms;
		bytes += it->size;
	}
	stream_pos_text(b->last, b->pos);
	b->argv[0] = str_c(arena_printf(cx->arena, RELAY_POS "%s", s->key));
	b->argv[1] = str_c(s->pos);
	b->argv[2] = str_c(b->pos);
}

static void
batch_done(struct session *s, const struct batch *b, int64_t doubles)
{
	int64_t lag = time_now_ms() - b->commit_ms;

	for (int i = 0; i < b->n; i++)
		pop(s);
	memcpy(s->pos, b->pos, sizeof s->pos);
	s->written = b->last;
	metric_add(M_relay_events, b->events - doubles);
	metric_add(M_relay_duplicates, doubles);
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
	if (str_starts(r->s, "STALE"))
		return fail(cx, ERR_BUS, "another relay has written meanwhile");
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
	struct bus_reply *r;
	struct batch b;
	err_t e;

	batch_make(cx, s, &b);
	TRY(wait_visible(cx, s, b.n));
	e = bus_link_script(cx, s->link, &r, write_lua, 1, b.argc, b.argv);
	if (e == ERR_BUS && r != NULL && r->type == BUS_ERROR)
		return wait_refused(cx, s, r);
	TRY(e);
	batch_done(s, &b, r->type == BUS_INT ? r->i : 0);
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
