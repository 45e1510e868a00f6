/* HTTP/1.1 on one connection: read a head, hand the request over, read the body it announced, write the answer, begin again.
 *
 * One request at a time. What is left of a body that nobody wanted is skipped when it is little; else the connection ends with the answer. Bytes that arrive behind an unanswered request are thrown away and the connection is closed after its
 * answer: who pipelines gets the first answer and "Connection: close". */
#include "http_priv.h"

#include <assert.h>
#include <stdio.h>
#include <sys/socket.h>

enum { SURPLUS_MAX = 64 * 1024, SKIP_MAX = 64 * 1024 };

void
h1_refuse(struct conn *c, struct msg *x, err_t e)
{
	struct http_header h[REFUSAL_HEADERS];
	int n = error_headers(x, h);

	metric_add(M_http_refused, 1);
	c->surplus = true;
	h1_reply(c, x, err_info(e)->status, h, n, error_body(e));
	msg_free(x);
}

/* The same of a request that has no message yet. */
static void
refuse_head(struct conn *c, const char *p, size_t n, err_t e)
{
	struct msg *x = msg_new(c);

	head_guess(x, p, n < (size_t)conf.head_max ? n : (size_t)conf.head_max);
	h1_refuse(c, x, e);
}

static void
dispatch(struct conn *c)
{
	struct msg *x = c->msg;

	if (ws_path_is(x->m.path) && str_is(x->m.method, "GET")) {
		ws_upgrade(c, x);
		return;
	}
	conn_move(c, LIST_BUSY);
	msg_give(x);
}

/* The head is complete and in the message's arena. False: it was refused. */
static bool
http_h1_begin(struct conn *c, const char *head, size_t n)
{
	struct msg *x = c->msg = msg_new(c);
	err_t e = head_parse(x, arena_memdup(x->m.arena, head, n), n);

	c->first = false;
	if (e != OK) {
		head_guess(x, head, n);
		h1_refuse(c, x, e);
	} else if (x->in_chunks)
		chunks_begin(&c->chunks);
	return e == OK;
}

/* Of a body in chunks nobody knows, unless it has ended: then it may be a little. */
static uint64_t
body_left(const struct msg *x)
{
	if (x->in_chunks)
		return x->ended ? 0 : 1;
	return (uint64_t)x->m.length - x->m.received;
}

static const char *
skip_empty_lines(const char *p, const char *end)
{
	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	return p;
}

enum { NOT_H2, IS_H2, MAY_BE_H2 };

/* Whether a connection begins with HTTP/2: over TLS it was negotiated, in the clear the preface tells. */
static int
begins_h2(const struct conn *c, const char *p, size_t n)
{
	if (!c->first)
		return NOT_H2;
	if (c->tls != NULL)
		return tls_is_h2(c) ? IS_H2 : NOT_H2;
	if (memcmp(p, "PRI ", n < 4 ? n : 4) != 0)
		return NOT_H2;
	return n < 4 ? MAY_BE_H2 : IS_H2;
}

/* A head from the start of p; returns the bytes used, 0: all kept for the next read, or an answer was given. */
static size_t
take_head(struct conn *c, const char *p, size_t n, size_t scanned)
{
	ssize_t end = head_end(p, n, scanned);

	if (end < 0 || end > conf.head_max || (end == 0 && n > (size_t)conf.head_max)) {
		conn_move(c, LIST_HEAD);
		refuse_head(c, p, n, end < 0 ? ERR_REQUEST_MALFORMED : ERR_HEADERS_TOO_LARGE);
		return 0;
	}
	if (end == 0) {
		if (c->list != LIST_HEAD)
			conn_move(c, LIST_HEAD);
		rest_add(&c->in, p, n);
		c->scanned = c->in.n;
		return 0;
	}
	if (!http_h1_begin(c, p, (size_t)end))
		return 0;
	return (size_t)end;
}

static void
surplus(struct conn *c, const char *p, size_t n)
{
	if (skip_empty_lines(p, p + n) == p + n)	/* some clients end a body with an empty line */
		return;
	c->surplus = true;
	c->swallowed += (uint32_t)n;
	if (c->swallowed > SURPLUS_MAX)
		conn_doom(c);
}

/* Bytes behind the head of a request: its body, then what should not be there before its answer is. */
static size_t
take_body(struct conn *c, const char *p, size_t n)
{
	struct msg *x = c->msg;
	uint64_t left = body_left(x);
	size_t used = left < n ? (size_t)left : n;

	if (used < left) {
		msg_body(x, p, used);
		return used;
	}
	if (used > 0)
		msg_body(x, p, used);
	if (c->msg != x)	/* refused */
		return used;
	if (used < n)		/* known before the answer is written, so that it says close */
		surplus(c, p + used, n - used);
	if (!x->ended && c->list != LIST_DOOMED)
		msg_body_end(x);
	return n;
}

/* The same of a body in chunks: a run of data at a time. */
static size_t
take_chunks(struct conn *c, const char *p, size_t n)
{
	struct msg *x = c->msg;
	struct str data;
	size_t used;

	if (x->ended)
		surplus(c, p, n);
	if (x->ended || chunks_bad(&c->chunks))
		return n;
	used = chunks_take(&c->chunks, p, n, &data);
	if (chunks_bad(&c->chunks)) {
		c->surplus = true;
		conn_listen(c, false);	/* until the answer is out */
		msg_body_bad(x);
		return n;
	}
	msg_body_more(x, data.n + c->chunks.left);
	if (c->msg == x && data.n > 0)
		msg_body(x, data.p, data.n);
	if (c->msg != x || !chunks_ended(&c->chunks))	/* refused, or to be continued */
		return used;
	if (used < n)
		surplus(c, p + used, n - used);
	if (c->list != LIST_DOOMED)
		msg_body_end(x);
	return n;
}

/* The next request, or what is left of the body of the last: not before the answer is out, since who asks on and does not read would have
 * us keep one answer after the other. */
static void
await_next(struct conn *c)
{
	if (conn_clear(c)) {
		conn_listen(c, true);
		conn_move(c, c->skip > 0 ? LIST_HEAD : LIST_IDLE);
		return;
	}
	conn_listen(c, false);
	conn_drain(c, LIST_UNSENT);
	conn_want_write(c);
}

static size_t
skip_body(struct conn *c, const char *p, size_t n)
{
	bool in_chunks = c->chunks.state != 0;
	struct str data;

	if (n > c->skip)
		n = (size_t)c->skip;
	if (in_chunks)
		n = chunks_take(&c->chunks, p, n, &data);
	c->skip -= n;
	if (in_chunks && chunks_ended(&c->chunks))
		c->skip = 0;
	else if (in_chunks && (c->skip == 0 || chunks_bad(&c->chunks))) {	/* more than little */
		conn_finish(c);
		return n;
	}
	if (c->skip == 0) {
		c->chunks = (struct chunks){0};
		await_next(c);
	}
	return n;
}

/* One request's worth of p. Returns what is used; 0 ends the round. */
static size_t
http_h1_step(struct conn *c, const char *p, size_t n, size_t scanned)
{
	size_t used;

	if (c->skip > 0)
		return skip_body(c, p, n);
	if (c->msg != NULL)
		return c->msg->in_chunks ? take_chunks(c, p, n) : take_body(c, p, n);
	used = take_head(c, p, n, scanned);
	if (used == 0)
		return 0;
	if (c->msg->m.length == 0 && used < n) {
		surplus(c, p + used, n - used);
		used = n;
	}
	if (c->list != LIST_DOOMED)
		dispatch(c);
	return used;
}

void
h1_input(struct conn *c, char *p, size_t n)
{
	struct rest old;
	const char *at, *end;
	size_t used, scanned = c->scanned;
	int h2;

	if (c->list == LIST_UNSENT) {	/* of the read in which the last request was */
		rest_add(&c->in, p, n);
		return;
	}
	c->scanned = 0;
	if (c->in.n > 0) {	/* the head began in an earlier read */
		rest_add(&c->in, p, n);
		p = c->in.p;
		n = c->in.n;
	}
	h2 = begins_h2(c, p, n);
	if (h2 == MAY_BE_H2) {
		if (p != c->in.p)
			rest_add(&c->in, p, n);
		return;
	}
	old = c->in;
	c->in = (struct rest){0};
	if (h2 == IS_H2) {
		if (h2_start(c))
			h2_input(c, p, n);
		rest_free(&old);
		return;
	}
	at = c->msg == NULL && c->skip == 0 ? skip_empty_lines(p, p + n) : p;
	end = p + n;
	if (at > p)
		scanned = 0;
	while (at < end && !conn_ending(c) && c->proto == PROTO_H1 && c->list != LIST_UNSENT) {
		used = http_h1_step(c, at, (size_t)(end - at), scanned);
		scanned = 0;
		if (used == 0)
			break;
		at += used;
	}
	if (at < end && c->list == LIST_UNSENT)
		rest_add(&c->in, at, (size_t)(end - at));
	rest_free(&old);
}

void
h1_sent(struct conn *c)
{
	assert(c->list == LIST_UNSENT && c->msg == NULL);
	await_next(c);
	if (c->in.n > 0)
		h1_input(c, c->in.p, 0);
}

/* ---- answers ---- */

static bool
bodiless(int status)
{
	return status == 204 || status == 304 || status < 200;
}

static size_t
http_h1_put(char *to, size_t at, const char *p, size_t n)
{
	memcpy(to + at, p, n);
	return at + n;
}

/* Status line and headers into the scratch buffer. Headers that do not fit are left out (they are bounded upstream). */
static size_t
build_head(const struct conn *c, int status, const struct http_header *h, int nh, const char *framing, bool keep)
{
	const char *hsts = http_hsts(c);
	char *b = conn_scratch;
	size_t at, room = SCRATCH_SIZE / 2;

	at = (size_t)snprintf(b, room, "HTTP/1.1 %d %s\r\n", status, status_text(status));
	for (int i = 0; i < nh; i++) {
		size_t nn = strlen(h[i].name), nv = strlen(h[i].value);

		if (at + nn + nv + 256 > room || !header_sane(&h[i]))
			continue;
		at = http_h1_put(b, at, h[i].name, nn);
		at = http_h1_put(b, at, ": ", 2);
		at = http_h1_put(b, at, h[i].value, nv);
		at = http_h1_put(b, at, "\r\n", 2);
	}
	at = http_h1_put(b, at, framing, strlen(framing));
	if (hsts != NULL)
		at += (size_t)snprintf(b + at, room - at, "Strict-Transport-Security: %s\r\n", hsts);
	at = http_h1_put(b, at, "Date: ", 6);
	at = http_h1_put(b, at, http_date(), 29);
	return keep ? http_h1_put(b, at, "\r\nConnection: keep-alive\r\n\r\n", 28) : http_h1_put(b, at, "\r\nConnection: close\r\n\r\n", 23);
}

/* Whether the connection lives on after the answer that is about to be given: what was read of the body decides. */
static bool
may_keep(struct conn *c, struct msg *x)
{
	uint64_t left;

	if (!x->keep)
		return false;
	left = body_left(x);
	if (left > SKIP_MAX || (left > 0 && x->expects))	/* who expects "100 Continue" may send the body or not */
		c->surplus = true;
	return !c->surplus && !http_draining;
}

static void
finish_request(struct conn *c, struct msg *x, bool keep)
{
	c->msg = NULL;
	if (!keep) {
		conn_finish(c);
		return;
	}
	c->skip = body_left(x);
	if (c->skip == 0)
		c->chunks = (struct chunks){0};
	else if (x->in_chunks)
		c->skip = SKIP_MAX;
	await_next(c);
}

void
h1_reply(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh, struct str body)
{
	bool keep = may_keep(c, x), none = bodiless(status);
	char framing[64] = "";
	size_t at;

	if (!none)
		snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", body.n);
	at = build_head(c, status, h, nh, framing, keep);
	if (!none && !x->head && body.n > 0) {
		size_t now = body.n < SCRATCH_SIZE - at ? body.n : SCRATCH_SIZE - at;

		at = http_h1_put(conn_scratch, at, body.p, now);
		body = (struct str){body.p + now, body.n - now};
	} else
		body.n = 0;
	conn_write(c, conn_scratch, at);
	if (body.n > 0)
		conn_write(c, body.p, body.n);
	finish_request(c, x, keep);
}

void
h1_wait(struct conn *c)
{
	static const char text[] = "HTTP/1.1 102 Processing\r\n\r\n";

	conn_write(c, text, sizeof text - 1);
}

/* ---- answers in pieces ---- */

void
h1_begin(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh)
{
	char framing[64] = "";

	x->chunked = x->out_length < 0 && x->m.version == 11 && !bodiless(status);
	if (x->out_length < 0 && !x->chunked && !x->bodiless)	/* its end is that of the connection */
		x->keep = false;
	if (x->in_chunks && !x->ended)	/* nobody knows how much is to come while the answer goes out */
		c->surplus = true;
	x->keep = may_keep(c, x);
	if (x->chunked)
		strcpy(framing, "Transfer-Encoding: chunked\r\n");
	else if (x->out_length >= 0 && !bodiless(status))
		snprintf(framing, sizeof framing, "Content-Length: %lld\r\n", (long long)x->out_length);
	conn_write(c, conn_scratch, build_head(c, status, h, nh, framing, x->keep));
	if (c->surplus)		/* a large body that nobody wants must not drown the answer */
		conn_listen(c, false);
}

void
h1_write(struct conn *c, struct msg *x, struct str piece, bool last)
{
	size_t at;

	if (!x->chunked) {
		conn_write(c, piece.p, piece.n);
		return;
	}
	assert(piece.n + 32 < SCRATCH_SIZE);
	at = (size_t)snprintf(conn_scratch, 32, "%zx\r\n", piece.n);
	at = http_h1_put(conn_scratch, at, piece.p, piece.n);
	at = http_h1_put(conn_scratch, at, "\r\n0\r\n\r\n", last ? 7 : 2);
	x->last = last;
	conn_write(c, conn_scratch, at);
}

void
h1_end(struct conn *c, struct msg *x)
{
	if (x->chunked && !x->bodiless && !x->last)
		conn_write(c, "0\r\n\r\n", 5);
	finish_request(c, x, x->keep && !c->surplus && !http_draining);
}

void
h1_no_room(struct conn *c, err_t e)
{
	refuse_head(c, c->in.p, c->in.n, e);
}

void
h1_timeout(struct conn *c)
{
	metric_add(M_http_slow, c->in.n > 0 || c->skip > 0);	/* who says nothing is not slow */
	if (c->list == LIST_IDLE && c->family == AF_UNIX)
		conn_doom(c);	/* at once: what is written into it in this moment is not taken, and its writer is told (struct fetch, once) */
	else if (c->list == LIST_IDLE || (c->list == LIST_HEAD && c->in.n == 0))
		conn_finish(c);
	else
		refuse_head(c, c->in.p, c->in.n, ERR_REQUEST_TIMEOUT);
}
