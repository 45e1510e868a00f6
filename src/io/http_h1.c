/* HTTP/1.1 on one connection: read a head, read the body it announced, hand the request over, write the answer, begin again.
 *
 * One request at a time. Bytes that arrive behind an unanswered request are thrown away and the connection is closed after its
 * answer: who pipelines gets the first answer and "Connection: close". */
#include "http_priv.h"

#include <stdio.h>

enum { SURPLUS_MAX = 64 * 1024 };

/* An answer of the adapter's own to a request that no handler sees; the connection ends with it. */
static void
refuse(struct conn *c, err_t e)
{
	static const struct http_header json = {"Content-Type", "application/json; charset=UTF-8"};
	struct msg *x = c->msg;

	metric_add(M_http_refused, 1);
	c->surplus = true;
	h1_reply(c, x, err_info(e)->status, &json, 1, error_body(e));
	if (x != NULL)
		arena_free(&x->m.arena);
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

/* The head is complete and in the message's arena. True when a handler, or nobody, waits for more of this request. */
static bool
begin(struct conn *c, const char *head, size_t n)
{
	struct msg *x = c->msg = msg_new(c);
	err_t e = head_parse(x, arena_memdup(x->m.arena, head, n), n);

	c->first = false;
	if (e != OK) {
		refuse(c, e);
		return false;
	}
	if (x->body_due == 0)
		return true;
	x->m.body.p = x->body = arena_alloc(x->m.arena, x->body_due + 1);
	conn_move(c, LIST_BODY);
	if (x->expects)
		conn_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return true;
}

static size_t
take_body(struct conn *c, const char *p, size_t n)
{
	struct msg *x = c->msg;
	size_t left = x->body_due - x->m.body.n;

	if (n > left)
		n = left;
	memcpy(x->body + x->m.body.n, p, n);
	x->m.body.n += n;
	x->body[x->m.body.n] = '\0';
	return n;
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
		refuse(c, end < 0 ? ERR_REQUEST_MALFORMED : ERR_HEADERS_TOO_LARGE);
		return 0;
	}
	if (end == 0) {
		if (c->list != LIST_HEAD)
			conn_move(c, LIST_HEAD);
		rest_add(&c->in, p, n);
		c->scanned = c->in.n;
		return 0;
	}
	if (!begin(c, p, (size_t)end))
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

/* One request's worth of p. Returns what is used; 0 ends the round. */
static size_t
step(struct conn *c, const char *p, size_t n, size_t scanned)
{
	size_t used;

	if (c->msg != NULL) {
		used = take_body(c, p, n);
		if (c->msg->m.body.n < c->msg->body_due)
			conn_move(c, LIST_BODY);
	} else {
		used = take_head(c, p, n, scanned);
		if (used == 0)
			return 0;
	}
	if (c->msg->m.body.n == c->msg->body_due) {
		if (p + used < p + n)	/* known before the answer is written, so that it says close */
			surplus(c, p + used, n - used);
		if (c->list != LIST_DOOMED)
			dispatch(c);
		return n;
	}
	return used;
}

void
h1_input(struct conn *c, char *p, size_t n)
{
	struct rest old;
	const char *at, *end;
	size_t used, scanned = c->scanned;
	int h2;

	if (c->list == LIST_BUSY) {
		surplus(c, p, n);
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
	at = c->msg == NULL ? skip_empty_lines(p, p + n) : p;
	end = p + n;
	if (at > p)
		scanned = 0;
	while (at < end && !conn_ending(c) && c->list != LIST_BUSY && c->proto == PROTO_H1) {
		used = step(c, at, (size_t)(end - at), scanned);
		scanned = 0;
		if (used == 0)
			break;
		at += used;
	}
	rest_free(&old);
}

/* ---- answers ---- */

static bool
bodiless(int status)
{
	return status == 204 || status == 304 || status < 200;
}

static size_t
put(char *to, size_t at, const char *p, size_t n)
{
	memcpy(to + at, p, n);
	return at + n;
}

/* Status line and headers into the scratch buffer. Headers that do not fit are left out (they are bounded upstream). */
static size_t
build_head(int status, const struct http_header *h, int nh, size_t length, bool none, bool keep)
{
	char *b = conn_scratch;
	size_t at, room = SCRATCH_SIZE / 2;

	at = (size_t)snprintf(b, room, "HTTP/1.1 %d %s\r\n", status, status_text(status));
	for (int i = 0; i < nh; i++) {
		size_t nn = strlen(h[i].name), nv = strlen(h[i].value);

		if (at + nn + nv + 256 > room || !header_sane(&h[i]))
			continue;
		at = put(b, at, h[i].name, nn);
		at = put(b, at, ": ", 2);
		at = put(b, at, h[i].value, nv);
		at = put(b, at, "\r\n", 2);
	}
	if (!none)
		at += (size_t)snprintf(b + at, 64, "Content-Length: %zu\r\n", length);
	at = put(b, at, "Date: ", 6);
	at = put(b, at, http_date(), 29);
	return keep ? put(b, at, "\r\nConnection: keep-alive\r\n\r\n", 28) : put(b, at, "\r\nConnection: close\r\n\r\n", 23);
}

static void
finish_request(struct conn *c, bool keep)
{
	c->msg = NULL;
	if (keep)
		conn_move(c, LIST_IDLE);
	else
		conn_finish(c);
}

void
h1_reply(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh, struct str body)
{
	bool keep = x != NULL && x->keep && !c->surplus && !http_draining;
	bool none = bodiless(status);
	size_t at = build_head(status, h, nh, body.n, none, keep);

	if (!none && (x == NULL || !x->head) && body.n > 0) {
		size_t now = body.n < SCRATCH_SIZE - at ? body.n : SCRATCH_SIZE - at;

		at = put(conn_scratch, at, body.p, now);
		body = (struct str){body.p + now, body.n - now};
	} else
		body.n = 0;
	conn_write(c, conn_scratch, at);
	if (body.n > 0)
		conn_write(c, body.p, body.n);
	finish_request(c, keep);
}

void
h1_timeout(struct conn *c)
{
	if (c->list == LIST_IDLE || (c->list == LIST_HEAD && c->in.n == 0))
		conn_finish(c);
	else
		refuse(c, ERR_REQUEST_TIMEOUT);
}
