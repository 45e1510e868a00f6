/* Bodies and answers in pieces: what the fiber of a request awaits of its client.
 *
 * Back-pressure both ways: while pieces of a body wait for the handler the socket is not read (HTTP/2: no window is given back), and
 * while a piece of an answer waits for the client the handler does not go on. So a transfer of any size holds a few pieces. Time that
 * passes while the client is waited for is the client's: the deadline of the request stands still, those of the transfer run. */
#include "http_priv.h"

#include <assert.h>

enum {
	AHEAD = 2 * PIECE,	/* bytes of a body that are read before they are asked for */
	LONG_AFTER = PIECE / 2	/* a body that goes on behind so many takes turns */
};

/* ---- waiting for the client ---- */

void
stream_wake(struct msg *x)
{
	fib_signal(&x->event);
}

void
stream_fini(struct msg *x)
{
	rest_free(&x->arrived);
	rest_free(&x->taken);
}

err_t
stream_gone(struct ctx *cx, const struct msg *x)
{
	if (x->conn == NULL || x->conn->list == LIST_DOOMED)
		return fail(cx, ERR_CANCELLED, "the client left");
	return OK;
}

/* Milliseconds that the client has left for its next bytes, when `bytes` have passed. */
static uint64_t
patience(const struct msg *x, uint64_t bytes)
{
	uint64_t left = (uint64_t)conf.transfer_stall, all = (uint64_t)conf.transfer_timeout, slow;

	if (client_too_slow(bytes, x->waited) || x->waited >= all)
		return 0;
	if (conf.rate_min > 0) {
		slow = (uint64_t)conf.head_timeout + bytes * 1000 / (uint64_t)conf.rate_min + 1 - x->waited;
		left = slow < left ? slow : left;
	}
	return all - x->waited < left ? all - x->waited : left;
}

/* Awaits the event that the caller has reset. ERR_TIMEOUT when the client's patience is over. */
static err_t
await_client(struct ctx *cx, struct msg *x, uint64_t bytes)
{
	uint64_t began = loop_now(), deadline = cx->deadline, ms = patience(x, bytes);
	err_t e;

	if (ms == 0)
		return fail(cx, ERR_TIMEOUT, "the client is too slow: bytes=%llu ms=%llu", (unsigned long long)bytes, (unsigned long long)x->waited);
	cx->deadline = 0;
	e = fib_await_for(cx, &x->event, ms);
	cx->deadline = deadline ? deadline + (loop_now() - began) : 0;
	x->waited += loop_now() - began;
	return e;
}

/* ---- bodies ---- */

static void
stream_arrived(struct msg *x)
{
	if (x->conn->proto == PROTO_H1 && x->m.received >= LONG_AFTER && (x->m.length < 0 || x->m.received < (uint64_t)x->m.length))
		bulk_enter(x->conn);
	if (x->conn->proto == PROTO_H1 && (x->arrived.n >= AHEAD || x->refused != OK))
		conn_listen(x->conn, false);
	stream_wake(x);
}

void
stream_body(struct msg *x, const char *p, size_t n)
{
	x->m.received += n;
	if (x->unwanted || x->refused != OK)
		return;
	x->held.address = x->m.client;
	x->refused = budget_charge(&x->held, n);
	if (x->refused == OK)
		rest_add(&x->arrived, p, n);
	stream_arrived(x);
}

char *
stream_room_in(struct msg *x, size_t *room_out)
{
	uint64_t left = (uint64_t)x->m.length - x->m.received;

	if (x->collecting || x->unwanted || x->refused != OK || x->in_chunks || x->m.length < 0 || x->arrived.n >= AHEAD)
		return NULL;
	if (x->arrived.cap < AHEAD)
		x->arrived.p = mem_realloc(x->arrived.p, x->arrived.cap = AHEAD);
	*room_out = left < AHEAD - x->arrived.n ? (size_t)left : AHEAD - x->arrived.n;
	return x->arrived.p + x->arrived.n;
}

void
stream_took_in(struct msg *x, size_t n)
{
	x->m.received += n;
	x->held.address = x->m.client;
	x->refused = budget_charge(&x->held, n);
	if (x->refused == OK)
		x->arrived.n += (uint32_t)n;
	stream_arrived(x);
}

/* What the handler gets; room that it does not fill goes back. */
static void
stream_take(struct msg *x)
{
	x->taken = x->arrived;
	x->arrived = (struct rest){0};
	if (x->taken.n < x->taken.cap / 2)
		x->taken.p = mem_realloc(x->taken.p, x->taken.cap = x->taken.n);
}

/* The piece that the handler is done with. */
static void
http_stream_put_back(struct msg *x)
{
	size_t n = x->taken.n;

	if (n == 0)
		return;
	rest_free(&x->taken);
	budget_release(&x->held, n);
	if (x->conn != NULL && x->conn->proto == PROTO_H2)
		h2_took(x->conn, x, n);
}

static err_t
await_piece(struct ctx *cx, struct msg *x)
{
	err_t e;

	fib_event_reset(&x->event);
	if (x->conn->proto == PROTO_H1)
		conn_listen(x->conn, true);
	e = await_client(cx, x, x->m.received);
	if (e != ERR_TIMEOUT)
		return e;
	metric_add(M_http_slow, 1);
	x->keep = false;	/* nobody waits for the rest */
	return fail(cx, ERR_REQUEST_TIMEOUT, "the body stalls");
}

err_t
http_body_read(struct ctx *cx, struct http_msg *m, struct str *piece_out)
{
	struct msg *x = msg_cast(m);

	assert(x->given && !x->collecting && !x->answered && !x->begun);
	*piece_out = STR("");
	http_stream_put_back(x);
	if (x->conn != NULL && !x->ended)
		msg_body_wanted(x);
	while (x->arrived.n == 0) {
		TRY(stream_gone(cx, x));
		if (x->refused != OK)
			return fail(cx, x->refused, "the body is not taken: received=%llu", (unsigned long long)m->received);
		if (x->ended)
			return OK;
		TRY(await_piece(cx, x));
		TRY(fib_yield(cx));	/* a thousand bodies may go on at once */
	}
	TRY(stream_gone(cx, x));
	stream_take(x);
	if (x->conn->proto == PROTO_H1 && !x->ended)	/* the next is read while the handler works on this one */
		conn_listen(x->conn, true);
	*piece_out = (struct str){x->taken.p, x->taken.n};
	return OK;
}

/* ---- answers ---- */

/* The client has its answer, so it may send the next request; but the message is still its handler's, which may have something else to wait for. What comes
 * by then stays in the socket: it is no request behind an unanswered one. */
static void
all_sent(struct msg *x)
{
	struct conn *c = x->conn;

	if (c != NULL && c->proto == PROTO_H1 && (x->bodiless || x->out == (uint64_t)x->out_length))
		conn_listen(c, false);
}

void
http_begin(struct http_msg *m, int status, const struct http_header *h, int nh, int64_t length)
{
	struct msg *x = msg_cast(m);
	struct conn *c = x->conn;

	assert(x->given && !x->answered && !x->begun);
	x->begun = x->unwanted = true;
	x->out_length = length;
	x->waited = 0;
	x->bodiless = x->head || status == 204 || status == 304;
	http_stream_put_back(x);
	rest_free(&x->arrived);
	budget_close(&x->held);
	if (c == NULL)
		return;
	if (c->proto == PROTO_H2)
		h2_begin(c, x, status, h, nh);
	else
		h1_begin(c, x, status, h, nh);
	all_sent(x);
}

static bool
http_stream_room(const struct msg *x)
{
	const struct conn *c = x->conn;

	return c->proto == PROTO_H2 ? h2_room(c, x) : conn_clear(c) && !x->choked;
}

/* A socket becomes writable only when a good part of its buffer is free: a slow client has taken something before that. */
static bool
took_some(const struct msg *x, int *unsent)
{
	int now = conn_unsent(x->conn), before = *unsent;

	if (x->conn->proto == PROTO_H2 && loop_now() - h2_moved(x->conn, x) < (uint64_t)conf.transfer_stall)
		return true;
	*unsent = now;
	return now < before;
}

err_t
stream_room(struct ctx *cx, struct msg *x)
{
	int unsent = 0;
	err_t e;

	TRY(stream_gone(cx, x));
	while (!http_stream_room(x)) {
		fib_event_reset(&x->event);
		conn_want_write(x->conn);
		if (unsent == 0)
			unsent = conn_unsent(x->conn);
		e = await_client(cx, x, x->out);
		TRY(stream_gone(cx, x));
		if (e == ERR_TIMEOUT && !(patience(x, x->out) > 0 && took_some(x, &unsent))) {
			metric_add(M_http_slow, 1);
			return fail(cx, ERR_CANCELLED, "the client takes too little: bytes=%llu", (unsigned long long)x->out);
		}
		if (e != OK && e != ERR_TIMEOUT)
			return e;
		TRY(fib_yield(cx));	/* a thousand sockets may have become writable at once */
		TRY(stream_gone(cx, x));
	}
	return OK;
}

static err_t
http_stream_write(struct ctx *cx, struct msg *x, struct str piece, bool last)
{
	assert(x->begun && !x->answered);
	assert(x->out_length < 0 || x->out + piece.n <= (uint64_t)x->out_length);
	while (piece.n > 0) {
		struct str part = {piece.p, piece.n < PIECE ? piece.n : PIECE};

		TRY(stream_room(cx, x));
		if (!x->bodiless && x->conn->proto == PROTO_H2)
			h2_write(x->conn, x, part);
		else if (!x->bodiless)
			h1_write(x->conn, x, part, last && part.n == piece.n);
		x->out += part.n;
		piece = (struct str){piece.p + part.n, piece.n - part.n};
		if (piece.n > 0)	/* a client that reads as fast as this writes is not the only one */
			TRY(fib_yield(cx));
	}
	all_sent(x);
	return stream_gone(cx, x);
}

err_t
http_write(struct ctx *cx, struct http_msg *m, struct str piece)
{
	return http_stream_write(cx, msg_cast(m), piece, false);
}

err_t
http_write_last(struct ctx *cx, struct http_msg *m, struct str piece)
{
	TRY(http_stream_write(cx, msg_cast(m), piece, true));
	http_end(m);
	return OK;
}

void
http_end(struct http_msg *m)
{
	struct msg *x = msg_cast(m);
	struct conn *c = x->conn;

	assert(x->begun && !x->answered);
	assert(x->out_length < 0 || x->bodiless || c == NULL || x->out == (uint64_t)x->out_length);
	x->answered = true;
	x->conn = NULL;
	if (c == NULL)
		return;
	if (c->proto == PROTO_H2)
		h2_end(c, x);
	else
		h1_end(c, x);
}
