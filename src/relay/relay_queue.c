/* What comes from PostgreSQL, and waits for Redis.
 *
 * A message of many events (event_pack_add) goes on as it is where all read that (relay_readers.c), in pieces of a bounded size: an entry of the stream each, whose id is the position of its last event.
 * What is one by one is put together where it is read. */
#include "relay_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "model/event.h"
#include "model/job.h"

enum {
	KIND_MAX = 40, KEY_ROOM = KIND_MAX + sizeof JOB_KEYS,
	PIECE_EVENTS = 128, PIECE_BYTES = 64 * 1024
};

struct str
queue_project(struct str head)
{
	static const char before[] = "{\"p\":\"";

	if (!str_starts(head, before))
		return STR_NONE;
	head = (struct str){head.p + sizeof before - 1, head.n - (sizeof before - 1)};
	return str_cut(&head, '"');
}

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
queue_put(struct session *s, struct item *it)
{
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

static void
queue_add(struct session *s, const struct repl_tx *tx, uint64_t index, bool job, struct str content)
{
	struct item *it;
	char *text;

	it = mem_alloc(sizeof *it + KEY_ROOM + content.n);
	*it = (struct item){.pos = {tx->commit_lsn, index}, .n = 1, .commit_ms = tx->commit_ms, .xid = tx->xid, .lane = -1, .size = sizeof *it + content.n};
	text = it->data + KEY_ROOM;
	memcpy(text, content.p, content.n);
	if (!item_parse(it, job, (struct str){text, content.n})) {
		relay_malformed(it->pos);
		free(it);
		return;
	}
	queue_put(s, it);
}

/* ---- many at once ---- */

/* Of the first of them. */
static void
item_look(struct item *it)
{
	struct event_unpack u;

	event_unpack_init(&u, it->body);
	it->head = event_unpack_next(&u) ? event_unpack_header(&u) : STR_NONE;
	event_unpack_fini(&u);
}

struct piece {			/* of a message, as it grows */
	struct session *s;
	const struct repl_tx *tx;
	uint64_t index;		/* of its first event */
	int n;			/* events */
	struct str project;	/* whose they are: another may be in another shard */
	struct buf text;	/* the header that is in force where it begins */
	struct str raw;		/* the events, as they stand in the message */
};

static void
piece_many(struct piece *p)
{
	struct item *it = mem_alloc(sizeof *it + p->text.n);

	*it = (struct item){.pos = {p->tx->commit_lsn, p->index + (uint64_t)p->n - 1}, .n = p->n, .many = true, .commit_ms = p->tx->commit_ms, .xid = p->tx->xid, .lane = -1,
	    .size = sizeof *it + p->text.n};
	memcpy(it->data, p->text.p, p->text.n);
	it->body = (struct str){it->data, p->text.n};
	item_look(it);
	queue_put(p->s, it);
}

static void
piece_alone(struct piece *p)
{
	struct event_unpack u;
	struct str head, body;
	struct buf whole;

	event_unpack_init(&u, buf_view(&p->text));
	if (!event_unpack_next(&u))
		assert(!"it was read before");
	event_unpack_whole(&u, &head, &body);
	buf_init(&whole, NULL, head.n + 1 + body.n);
	buf_str(&whole, head);
	buf_ch(&whole, '\n');
	buf_str(&whole, body);
	queue_add(p->s, p->tx, p->index, false, buf_view(&whole));
	buf_fini(&whole);
	event_unpack_fini(&u);
}

static void
piece_end(struct piece *p)
{
	if (p->n == 0)
		return;
	buf_str(&p->text, p->raw);
	if (p->n > 1)
		piece_many(p);
	else
		piece_alone(p);
	p->index += (uint64_t)p->n;
	p->n = 0;
}

/* The event at hand goes into it; into another when it has no room. */
static void
piece_add(struct piece *p, const struct event_unpack *u)
{
	struct str project = queue_project(event_unpack_header(u));
	size_t whole = p->n > 0 ? p->text.n + (size_t)(u->left.p - p->raw.p) : 0;

	if (p->n >= (conf.event_packs && p->s->packs ? PIECE_EVENTS : 1) || whole > PIECE_BYTES || !str_eq(project, p->project))
		piece_end(p);
	if (p->n == 0) {
		p->project = project;
		p->text.n = 0;
		event_unpack_head_put(u, &p->text);
		p->raw.p = u->at;
	}
	p->raw.n = (size_t)(u->left.p - p->raw.p);
	p->n++;
}

/* How many there are of them. */
static uint64_t
queue_many(struct session *s, const struct repl_tx *tx, uint64_t index, struct str content)
{
	struct piece p = {.s = s, .tx = tx, .index = index};
	struct event_unpack u;

	buf_init(&p.text, NULL, 1024);
	event_unpack_init(&u, content);
	while (event_unpack_next(&u)) {
		if (event_unpack_header(&u).n > 0) {
			piece_add(&p, &u);
			continue;
		}
		piece_end(&p);
		relay_malformed((struct stream_pos){tx->commit_lsn, p.index++});
	}
	piece_end(&p);
	if (u.bad)
		relay_malformed((struct stream_pos){tx->commit_lsn, p.index});
	event_unpack_fini(&u);
	buf_fini(&p.text);
	return p.index - index;
}

int
queue_cut(struct session *s, struct item *it, uint64_t upto)
{
	int n = (int)(upto + (uint64_t)it->n - it->pos.index);
	struct event_unpack u;
	struct buf b;

	assert(it->many && n > 0 && n < it->n);
	event_unpack_init(&u, it->body);
	for (int i = 0; i <= n; i++)
		if (!event_unpack_next(&u))
			assert(!"it was read before");
	buf_init(&b, NULL, it->body.n);
	event_unpack_head_put(&u, &b);
	buf_add(&b, u.at, (size_t)(it->body.p + it->body.n - u.at));
	assert(b.n < it->body.n);
	memcpy(it->data, b.p, b.n);
	s->bytes -= it->body.n - b.n;
	it->size -= it->body.n - b.n;
	it->body = (struct str){it->data, b.n};
	it->n -= n;
	buf_fini(&b);
	event_unpack_fini(&u);
	item_look(it);
	return n;
}

/* ---- messages ---- */

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
	else if (str_is(prefix, "events") && (n = queue_many(s, tx, index, content)) > 0)
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

void
queue_pop(struct session *s)
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
		queue_pop(s);
}
