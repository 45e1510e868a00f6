/* Messages: a request from its head to its answer, whatever the protocol, and bodies that are kept until they are complete.
 *
 * A message is the adapter's while its head or a body to be kept arrives (msg_free), and the handler's from then until http_done. What
 * is kept is charged to the budget as it arrives, not as it is announced: who announces much and sends little takes nobody's room. */
#include "http_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

/* SMALL: bodies in the message's arena; SMALL_HEAD: that is as short-lived as any other request; MANY: what one tick looks at, so that a crowd of slow clients does not hold up the loop. */
enum { SMALL = 16 * 1024, SMALL_HEAD = 8 * 1024, MANY = 1000 };

unsigned msgs_given;
static unsigned msgs_collecting;	/* of which the body is still awaited: they are requests in flight, too */

static struct watch watched = {.prev = &watched, .next = &watched};

/* ---- who waits for a client without a fiber ---- */

void
watch_add(struct watch *w, void (*check)(struct watch *w, uint64_t now))
{
	assert(w->next == NULL);
	w->check = check;
	w->next = &watched;
	w->prev = watched.prev;
	watched.prev->next = w;
	watched.prev = w;
}

void
watch_remove(struct watch *w)
{
	if (w->next == NULL)
		return;
	w->prev->next = w->next;
	w->next->prev = w->prev;
	w->prev = w->next = NULL;
}

/* Each goes to the end before it is looked at: it may be gone afterwards. */
void
watch_tick(void)
{
	struct watch *last = watched.prev, *w;
	uint64_t now = loop_now();

	for (int i = 0; i < MANY && (w = watched.next) != &watched; i++) {
		bool end = w == last;

		watch_remove(w);
		watch_add(w, w->check);
		w->check(w, now);
		if (end)
			return;
	}
}

bool
client_too_slow(uint64_t bytes, uint64_t ms)
{
	uint64_t rate = (uint64_t)conf.rate_min;

	return rate > 0 && ms > (uint64_t)conf.head_timeout + bytes * 1000 / rate;
}

/* ---- life ---- */

struct msg *
msg_new(struct conn *c)
{
	struct arena *a = arena_new();
	struct msg *x = arena_new_of(a, struct msg);
	char *peer = arena_alloc(a, FAR_TEXT_MAX);

	x->magic = MSG_MAGIC;
	x->conn = c;
	x->m.conn = x;
	x->m.arena = a;
	x->m.start_us = (int64_t)(uv_hrtime() / 1000);
	x->m.tls = c->tls != NULL;
	far_text(c->family, c->addr, peer);
	x->m.peer = peer;
	x->m.client = c->far ? peer : NULL;
	return x;
}

struct msg *
msg_cast(const struct http_msg *m)
{
	struct msg *x = m->conn;

	assert(x->magic == MSG_MAGIC && &x->m == m);
	return x;
}

static void
msg_end(struct msg *x)
{
	struct arena *a = x->m.arena;

	assert(x->event.waiter == NULL);
	x->magic = 0;
	watch_remove(&x->watch);
	stream_fini(x);
	free(x->kept);
	if (x->collecting) {
		assert(msgs_collecting > 0);
		msgs_collecting--;
	}
	budget_close(&x->held);
	budget_close(&x->besides);
	arena_free(&a);
}

void
msg_free(struct msg *x)
{
	assert(x->magic == MSG_MAGIC && !x->given);
	msg_end(x);
}

static void
http_msg_give(struct msg *x, void (*to)(struct http_msg *m))
{
	x->given = true;
	msgs_given++;
	to(&x->m);
}

void
msg_give(struct msg *x)
{
	x->ended = x->m.length == 0;
	http_msg_give(x, http_handler->request);
}

void
msg_upgraded(struct msg *x)
{
	x->conn = NULL;
	x->given = x->answered = true;
	msgs_given++;
}

void
msg_gone(struct msg *x)
{
	bool waiting = x->given && !x->answered;

	x->conn = NULL;
	if (!x->given) {
		msg_free(x);
		return;
	}
	if (!waiting)
		return;
	metric_add(M_http_gone, 1);
	stream_wake(x);		/* a fiber that is shielded from the cancellation must look */
	http_handler->gone(&x->m);
}

static void
msg_refuse(struct msg *x, err_t e)
{
	if (x->conn->proto == PROTO_H2)
		h2_refuse(x->conn, x, e);
	else
		h1_refuse(x->conn, x, e);
}

/* ---- bodies that are kept ---- */

static void
collect_check(struct watch *w, uint64_t now)
{
	struct msg *x = (struct msg *)(void *)((char *)w - offsetof(struct msg, watch));
	uint64_t all = now - x->started;

	assert(x->magic == MSG_MAGIC && x->collecting && x->conn != NULL);
	if (now - x->heard < (uint64_t)conf.head_timeout && all < (uint64_t)conf.body_timeout && !client_too_slow(x->m.received, all))
		return;
	metric_add(M_http_slow, 1);
	msg_refuse(x, ERR_REQUEST_TIMEOUT);
}

void
msg_body_wanted(struct msg *x)
{
	if (x->expects && x->m.received == 0)
		conn_write(x->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	x->expects = false;
}

void
http_collect(struct http_msg *m, int64_t max)
{
	struct msg *x = msg_cast(m);
	err_t e = OK;

	assert(x->given && !x->answered && !x->begun && m->length != 0 && m->received == 0);
	x->given = false;
	msgs_given--;
	x->collecting = true;
	msgs_collecting++;
	x->limit = max;
	x->held.address = m->client;
	if (m->length > max)
		e = ERR_REQUEST_TOO_LARGE;
	else if (m->length > SMALL)
		e = budget_room(&x->held, (size_t)m->length);
	if (e != OK) {
		msg_refuse(x, e);
		return;
	}
	x->started = x->heard = loop_now();
	watch_add(&x->watch, collect_check);
	if (x->conn->proto == PROTO_H1)
		conn_move(x->conn, LIST_BODY);
	msg_body_wanted(x);
}

/* Room for n bytes in all. A small body of known length is in the arena at once; others double. */
static err_t
make_room(struct msg *x, size_t n)
{
	size_t room = n * 2 < SMALL ? SMALL : n * 2;
	bool first;

	if (n <= x->room)
		return OK;
	if (x->m.length > 0 && room > (size_t)x->m.length)
		room = (size_t)x->m.length;
	if (x->room == 0 && room <= SMALL) {
		x->m.body.p = arena_alloc(x->m.arena, room + 1);
		x->room = room;
		return OK;
	}
	first = x->kept == NULL;
	TRY(budget_charge(&x->held, room - x->held.held));
	x->kept = mem_realloc(x->kept, room + 1);
	if (first && x->m.body.n > 0)
		memcpy(x->kept, x->m.body.p, x->m.body.n);
	x->m.body.p = x->kept;
	x->room = room;
	return OK;
}

static void
http_msg_keep(struct msg *x, const char *p, size_t n)
{
	size_t at = x->m.body.n;
	char *to;
	err_t e = OK;

	if (at + n > (size_t)x->limit)
		e = ERR_REQUEST_TOO_LARGE;
	else
		e = make_room(x, at + n);
	/* what is complete at once is as short-lived as its request; what the rest is awaited of is not */
	if (e == OK && x->kept == NULL && x->held.held == 0 && x->m.length != (int64_t)(at + n))
		e = budget_charge(&x->held, x->room);
	if (e != OK) {
		msg_refuse(x, e);
		return;
	}
	x->heard = loop_now();
	to = x->kept != NULL ? x->kept : (char *)(uintptr_t)x->m.body.p;	/* ours, in the arena */
	memcpy(to + at, p, n);
	to[at + n] = '\0';
	x->m.body.n = at + n;
	x->m.received += n;
}

void
msg_body(struct msg *x, const char *p, size_t n)
{
	assert(x->magic == MSG_MAGIC && !x->ended);
	if (x->collecting)
		http_msg_keep(x, p, n);
	else
		stream_body(x, p, n);
}

void
msg_body_more(struct msg *x, uint64_t n)
{
	if (x->collecting && x->m.received + n > (uint64_t)x->limit)
		msg_refuse(x, ERR_REQUEST_TOO_LARGE);
}

void
msg_body_bad(struct msg *x)
{
	assert(x->magic == MSG_MAGIC && !x->ended);
	if (x->collecting) {
		msg_refuse(x, ERR_REQUEST_MALFORMED);
		return;
	}
	x->refused = ERR_REQUEST_MALFORMED;
	x->keep = false;
	stream_wake(x);
}

void
msg_body_end(struct msg *x)
{
	assert(x->magic == MSG_MAGIC && !x->ended);
	x->ended = true;
	if (!x->collecting) {
		stream_wake(x);
		return;
	}
	x->collecting = false;
	msgs_collecting--;
	watch_remove(&x->watch);
	http_msg_give(x, http_handler->collected);
}

/* ---- for the handler ---- */

void
http_known(struct http_msg *m)
{
	struct msg *x = msg_cast(m);

	m->client = NULL;
	budget_known(&x->held);
	budget_known(&x->besides);
}

err_t
http_charge(struct http_msg *m, size_t n)
{
	struct msg *x = msg_cast(m);

	x->besides.address = m->client;
	return budget_charge(&x->besides, n);
}

err_t
http_charge_head(struct http_msg *m)
{
	size_t n = arena_used(m->arena);

	return n <= SMALL_HEAD ? OK : http_charge(m, n);
}

bool
http_begun(const struct http_msg *m)
{
	const struct msg *x = msg_cast(m);

	return x->answered || x->begun;
}

void
http_wait(struct http_msg *m)
{
	struct msg *x = msg_cast(m);

	assert(x->given && !x->answered && !x->begun);
	if (x->conn != NULL && x->conn->proto == PROTO_H1 && m->version == 11)
		h1_wait(x->conn);
}

void
http_reply(struct http_msg *m, int status, const struct http_header *h, int nh, struct str body)
{
	struct http_header own[REFUSAL_HEADERS];
	struct msg *x = msg_cast(m);
	struct conn *c = x->conn;
	struct budget mine = {0};
	err_t e;

	assert(x->given && !x->answered && !x->begun);
	x->answered = true;
	x->conn = NULL;
	if (c == NULL)
		return;
	if (body.n > PIECE && (e = budget_room(&mine, body.n)) != OK) {	/* the reader may be slow */
		nh = error_headers(x, own);
		h = own;
		status = err_info(e)->status;
		body = error_body(e);
	}
	if (c->proto == PROTO_H2)
		h2_reply(c, x, status, h, nh, body);
	else
		h1_reply(c, x, status, h, nh, body);
}

void
http_done(struct http_msg *m)
{
	struct msg *x = msg_cast(m);
	struct conn *c = x->conn;

	assert(x->given);
	if (c != NULL && c->proto == PROTO_H2)	/* no answer, or one without its end */
		h2_cut(c, x, false);
	else if (c != NULL) {
		c->msg = NULL;
		conn_doom(c);
	}
	msgs_given--;
	msg_end(x);
}

unsigned
http_open_requests(void)
{
	return msgs_given + msgs_collecting;
}
