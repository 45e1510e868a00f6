/* The queue from PostgreSQL to Redis.
 *
 * One batch is under way at a time: the head of the queue, split by lanes. Each lane's part is one script that writes all of it and the
 * lane's new position, or nothing: so a refused write (memory, disk) can never leave a hole behind which later entries of the lane land.
 * What is acknowledged to PostgreSQL is what all lanes have. The script first compares the position with the one this relay knows: a former
 * leader whose last batch was still on the wire cannot double a job, and it is found out. */
#include "relay_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/event.h"
#include "model/job.h"

enum {
	BATCH_ITEMS = 512, BATCH_BYTES = 1 << 20,
	QUEUE_ITEMS = 16384, QUEUE_BYTES = 16 << 20,	/* more: PostgreSQL waits */
	REFUSED_WAIT = 500,	/* ms before a refused batch is tried again */
	VISIBLE_WAIT = 1,	/* ms between two looks */
	KIND_MAX = 40, KEY_ROOM = KIND_MAX + sizeof JOB_KEYS,
	KINDS_MAX = 32		/* job streams of one batch */
};

/* -1: the position is not the one we know; else how many entries were there already. */
static const char write_lua[] =
    "if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end\n"
    "local double = 0\n"
    "for i = 3, #ARGV, 4 do\n"
    "  local r = redis.pcall('XADD', KEYS[tonumber(ARGV[i])], ARGV[i + 1], 'h', ARGV[i + 2], 'b', ARGV[i + 3])\n"
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
	n = (size_t)sprintf(it->data, JOB_KEYS "%.*s", STR_FMT(kind));
	it->key = (struct str){it->data, n};
	return true;
}

static void
relay_malformed(struct stream_pos pos)
{
	log_error(NULL, "a message in the WAL is malformed", "lsn=%llu index=%llu", (unsigned long long)pos.lsn, (unsigned long long)pos.index);
}

static void
queue_add(struct session *s, const struct repl_tx *tx, uint64_t index, bool job, struct str content)
{
	struct item *it;
	char *text;

	it = mem_alloc(sizeof *it + KEY_ROOM + content.n);
	*it = (struct item){.pos = {tx->commit_lsn, index}, .commit_ms = tx->commit_ms, .xid = tx->xid, .lane = -1, .size = sizeof *it + content.n};
	text = it->data + KEY_ROOM;
	memcpy(text, content.p, content.n);
	if (!item_parse(it, job, (struct str){text, content.n})) {
		relay_malformed(it->pos);
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

struct pack {			/* a message of many events (event_pack_add), as it is taken apart */
	struct str left, head;
	struct str event;	/* the one at hand */
	struct buf text;	/* where it was put together */
};

static bool
pack_count(struct pack *p, size_t *out)
{
	int64_t n;

	if (!str_to_i64(str_cut(&p->left, ' '), &n) || n < 0)
		return false;
	*out = (size_t)n;
	return true;
}

static bool
pack_take(struct pack *p, size_t n, struct str *out)
{
	if (n > p->left.n)
		return false;
	*out = (struct str){p->left.p, n};
	p->left = (struct str){p->left.p + n, p->left.n - n};
	return true;
}

/* An event as it would be alone. */
static void
pack_put(struct pack *p, struct str id, size_t number_at, struct str body)
{
	struct str rest = p->head;

	p->text.n = 0;
	while (rest.p != NULL) {
		struct str part = str_cut(&rest, EVENT_PACK_ID[0]);

		buf_str(&p->text, part);
		if (rest.p != NULL)
			buf_str(&p->text, id);
	}
	if (number_at > 0) {
		BUF_LIT(&p->text, ",\"q\":");
		buf_i64(&p->text, (int64_t)number_at);
	}
	BUF_LIT(&p->text, "}\n");
	buf_str(&p->text, body);
	p->event = buf_view(&p->text);
}

/* The next event; false: it is malformed. */
static bool
pack_next(struct pack *p)
{
	size_t n, number_at, n_body;
	struct str id, body;

	while (str_eat(&p->left, 'h'))
		if (!pack_count(p, &n) || !pack_take(p, n, &p->head))
			return false;
	if (!str_eat(&p->left, 'e'))
		return pack_count(p, &n) && n > 0 && pack_take(p, n, &p->event);
	if (p->head.n == 0 || !pack_count(p, &n) || !pack_count(p, &number_at) || !pack_count(p, &n_body) || !pack_take(p, n, &id) || !pack_take(p, n_body, &body))
		return false;
	pack_put(p, id, number_at, body);
	return true;
}

/* How many there are of them. */
static uint64_t
queue_pack(struct session *s, const struct repl_tx *tx, uint64_t index, struct str content)
{
	struct pack p = {.left = content};
	uint64_t n = 0;

	buf_init(&p.text, NULL, 1024);
	while (p.left.n > 0) {
		if (!pack_next(&p)) {
			relay_malformed((struct stream_pos){tx->commit_lsn, index + n});
			break;
		}
		queue_add(s, tx, index + n++, false, p.event);
	}
	buf_fini(&p.text);
	return n;
}

/* Within a transaction each event has a place of its own, the same whenever it is decoded. */
void
queue_message(struct session *s, const struct repl_tx *tx, uint64_t index, struct str prefix, struct str content)
{
	uint64_t n;

	if (tx->commit_lsn != s->pack_lsn)
		s->pack_more = 0;
	s->pack_lsn = tx->commit_lsn;
	index += s->pack_more;
	if (str_is(prefix, "event") || str_is(prefix, "job"))
		queue_add(s, tx, index, str_is(prefix, "job"), content);
	else if (str_is(prefix, "events") && (n = queue_pack(s, tx, index, content)) > 0)
		s->pack_more += n - 1;
}

void
queue_progress(struct session *s, uint64_t lsn)
{
	if (s->last != NULL)
		s->last->end = lsn;
	else if (lsn > s->acked) {
		s->acked = lsn;
		fib_signal(&s->more);
	}
}

/* ---- out ---- */

static void
relay_write_pop(struct session *s)
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
		relay_write_pop(s);
}

/* The project of an event: the header's first member, as we write it ourselves. Ids need no escapes. */
static struct str
project_of(struct str head)
{
	static const char before[] = "{\"p\":\"";

	if (!str_starts(head, before))
		return STR_NONE;
	head = (struct str){head.p + sizeof before - 1, head.n - (sizeof before - 1)};
	return str_cut(&head, '"');
}

static struct lane *
lane_of(struct session *s, struct item *it)
{
	if (it->lane < 0)
		it->lane = it->key.n > 0 ? s->shards : stream_shard(project_of(it->head), s->shards);
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
		metric_add(M_relay_duplicates, 1);
		relay_write_pop(s);
	}
}

struct part {			/* of a batch, for one lane */
	int lane, n;
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
	struct part *p;
	bool jobs = lane == s->shards;

	for (int i = 0; i < b->n_parts; i++)
		if (b->parts[i].lane == lane)
			return &b->parts[i];
	p = &b->parts[b->n_parts++];
	*p = (struct part){.lane = lane, .n_keys = 1, .n_args = 2};
	p->keys = arena_array(cx->arena, struct str, 1 + KINDS_MAX);
	p->args = arena_array(cx->arena, struct str, 2 + 4 * b->n);
	if (jobs) {
		p->keys[0] = str_c(jobs_pos_key(cx, s));
	} else {
		p->keys[0] = str_c(stream_key(STREAM_POS, lane, s->name, arena_alloc(cx->arena, BUS_KEY_MAX)));
		p->keys[p->n_keys++] = str_c(stream_key(STREAM_EVENTS, lane, s->name, arena_alloc(cx->arena, BUS_KEY_MAX)));
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
	v[0] = job ? str_c(arena_printf(cx->arena, "%d", index)) : STR("2");
	v[1] = job ? STR("*") : str_c(stream_pos_text(it->pos, arena_alloc(cx->arena, 42)));
	v[2] = it->head;
	v[3] = it->body;
	p->n_args += 4;
	p->n++;
	p->last = it->pos;
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
		if (!is_known(s, it) && !part_add(cx, part_of(cx, b, s, it->lane), it))
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
		relay_write_pop(s);
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
