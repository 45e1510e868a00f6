/* HTTP/2 on one connection, through nghttp2: over TLS by ALPN, in the clear by prior knowledge.
 *
 * A stream is one message. nghttp2 checks the protocol and the flow; the limits on heads, bodies, streams, resets and time are
 * ours. Nothing is submitted to the socket while lws still keeps bytes, so a client that does not read holds at most its windows. */
#include "http_priv.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

enum { STREAMS_MAX = 100, RESETS_MAX = 1000, BODIES = 4, HEADERS_MAX = 64, WINDOW = 1 << 20 };

struct answer {			/* a body on its way out */
	size_t n, at;
	char data[];
};

struct stream {
	struct stream *prev, *next;
	int32_t id;
	struct msg *msg;	/* NULL once answered */
	struct answer *out;
	uint64_t since;		/* last part of the request */
	size_t head_bytes;
	err_t bad;		/* refused when the head is complete */
	size_t held;		/* its part of the connection's */
	bool has_length;
};

struct h2 {
	nghttp2_session *s;
	struct stream *streams;
	unsigned resets;
	uint64_t heard;		/* last input */
	size_t held;		/* bytes of bodies of requests that no handler has yet */
	bool busy;		/* inside nghttp2: output waits */
};

static void
free_stream(struct h2 *h, struct stream *st)
{
	*(st->prev ? &st->prev->next : &h->streams) = st->next;
	if (st->next != NULL)
		st->next->prev = st->prev;
	h->held -= st->held;
	if (st->msg != NULL)
		msg_gone(st->msg);
	free(st->out);
	free(st);
}

/* Moves what nghttp2 wants to say to the socket, in pieces of the scratch buffer. */
static void
pump(struct conn *c)
{
	struct h2 *h = c->h2;

	if (h->busy)
		return;
	h->busy = true;
	while (conn_clear(c) && c->list != LIST_DOOMED) {
		size_t at = 0;
		const uint8_t *p;
		ssize_t n = 1;

		while (at < SCRATCH_SIZE / 2 && (n = nghttp2_session_mem_send(h->s, &p)) > 0) {
			if ((size_t)n > SCRATCH_SIZE - at) {	/* a frame is at most 16 KiB unless the peer's settings say so */
				conn_write(c, conn_scratch, at);
				conn_write(c, p, (size_t)n);
				at = 0;
				continue;
			}
			memcpy(conn_scratch + at, p, (size_t)n);
			at += (size_t)n;
		}
		conn_write(c, conn_scratch, at);
		if (n < 0)
			conn_doom(c);
		if (n <= 0)
			break;
	}
	h->busy = false;
	if (c->list == LIST_DOOMED)
		return;
	if (nghttp2_session_want_write(h->s))
		conn_want_write(c);
	else if (!nghttp2_session_want_read(h->s) || (http_draining && h->streams == NULL))
		conn_finish(c);
}

/* ---- requests ---- */

static int
on_begin(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
	struct conn *c = user;
	struct h2 *h = c->h2;
	struct stream *st;

	if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	st = mem_zalloc(sizeof *st);
	st->id = f->hd.stream_id;
	st->since = loop_now();
	st->msg = msg_new(c);
	st->msg->stream = st->id;
	st->msg->m.version = 20;
	st->msg->keep = true;
	st->msg->m.query = STR("");
	st->next = h->streams;
	if (h->streams != NULL)
		h->streams->prev = st;
	h->streams = st;
	nghttp2_session_set_stream_user_data(s, st->id, st);
	return 0;
}

static struct str
keep_text(struct msg *x, const uint8_t *p, size_t n)
{
	return (struct str){arena_memdup(x->m.arena, p, n), n};
}

static void
set_path(struct msg *x, struct str t)
{
	const char *q = memchr(t.p, '?', t.n);

	x->m.path = (struct str){t.p, q ? (size_t)(q - t.p) : t.n};
	if (q != NULL)
		x->m.query = (struct str){q + 1, t.n - x->m.path.n - 1};
}

static void
set_length(struct stream *st, struct str v)
{
	int64_t n;

	if (!str_to_i64(v, &n) || n < 0)
		st->bad = ERR_REQUEST_MALFORMED;
	else if (n > conf.body_max)
		st->bad = ERR_REQUEST_TOO_LARGE;
	else {
		st->has_length = true;
		st->msg->body_due = (size_t)n;
	}
}

static int
on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t nn, const uint8_t *value, size_t nv,
    uint8_t flags, void *user)
{
	struct stream *st = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
	const char *key = (const char *)name;
	struct msg *x;
	struct str v;
	int id;

	(void)flags;
	(void)user;
	if (st == NULL || st->msg == NULL || f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	x = st->msg;
	st->head_bytes += nn + nv + 4;
	if (st->head_bytes > (size_t)conf.head_max) {
		st->bad = ERR_HEADERS_TOO_LARGE;
		return 0;
	}
	if (nn > 0 && key[0] == ':') {
		if (nn == 7 && memcmp(key, ":method", 7) == 0)
			x->m.method = keep_text(x, value, nv);
		else if (nn == 5 && memcmp(key, ":path", 5) == 0)
			set_path(x, keep_text(x, value, nv));
		else if (nn == 10 && memcmp(key, ":authority", 10) == 0)
			header_set(&x->m, HDR_HOST, keep_text(x, value, nv));
		return 0;
	}
	id = header_known(key, nn);
	if (id < 0)
		return 0;
	v = str_trim(keep_text(x, value, nv));
	if (id == HDR_CONTENT_LENGTH)
		set_length(st, v);
	header_set(&x->m, id, v);
	return 0;
}

/* An error of the adapter's own; what else arrives on the stream is thrown away. */
static void
refuse(struct conn *c, struct stream *st, err_t e)
{
	static const struct http_header json = {"content-type", "application/json; charset=UTF-8"};
	struct msg *x = st->msg;

	metric_add(M_http_refused, 1);
	h2_reply(c, x, err_info(e)->status, &json, 1, error_body(e));
	st->msg = NULL;
	arena_free(&x->m.arena);
}

static void
on_head(struct conn *c, struct stream *st)
{
	struct msg *x = st->msg;

	x->head = str_is(x->m.method, "HEAD");
	if (st->bad == OK && (x->m.path.n == 0 || (x->m.path.p[0] != '/' && !str_is(x->m.path, "*"))))
		st->bad = ERR_REQUEST_MALFORMED;
	if (st->bad != OK)
		refuse(c, st, st->bad);
	else if (st->has_length && x->body_due > 0)
		x->m.body.p = x->body = arena_alloc(x->m.arena, x->body_due + 1);
}

static int
on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
	struct stream *st = nghttp2_session_get_stream_user_data(s, id);
	struct msg *x = st ? st->msg : NULL;
	struct h2 *h = ((struct conn *)user)->h2;

	(void)flags;
	if (x == NULL || x->given)
		return 0;
	st->since = loop_now();
	h->held += n;
	st->held += n;
	if (x->m.body.n + n > (size_t)conf.body_max || h->held > BODIES * (size_t)conf.body_max) {
		refuse(user, st, ERR_REQUEST_TOO_LARGE);
		return 0;
	}
	if (x->m.body.n + n > x->body_due) {	/* no length was given: room doubles, the arena keeps the old pieces until the end */
		size_t room = (x->m.body.n + n) * 2 + 4096;
		char *bigger = arena_alloc(x->m.arena, room + 1);

		if (x->m.body.n > 0)
			memcpy(bigger, x->body, x->m.body.n);
		x->m.body.p = x->body = bigger;
		x->body_due = room;
	}
	memcpy(x->body + x->m.body.n, p, n);
	x->m.body.n += n;
	x->body[x->m.body.n] = '\0';
	return 0;
}

static int
on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
	struct conn *c = user;
	struct stream *st;

	if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
		return 0;
	st = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
	if (st == NULL || st->msg == NULL || st->msg->given)
		return 0;
	if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
		on_head(c, st);
	if (st->msg != NULL && (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
		c->h2->held -= st->held;
		st->held = 0;
		msg_give(st->msg);
	}
	return 0;
}

static int
on_stream_close(nghttp2_session *s, int32_t id, uint32_t code, void *user)
{
	struct conn *c = user;
	struct stream *st = nghttp2_session_get_stream_user_data(s, id);

	if (st == NULL)
		return 0;
	if (code != NGHTTP2_NO_ERROR && ++c->h2->resets > RESETS_MAX)
		nghttp2_session_terminate_session(s, NGHTTP2_ENHANCE_YOUR_CALM);
	nghttp2_session_set_stream_user_data(s, id, NULL);
	free_stream(c->h2, st);
	return 0;
}

/* ---- answers ---- */

static ssize_t
read_answer(nghttp2_session *s, int32_t id, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *src, void *user)
{
	struct answer *a = src->ptr;
	size_t n = a->n - a->at < room ? a->n - a->at : room;

	(void)s;
	(void)id;
	(void)user;
	memcpy(to, a->data + a->at, n);
	a->at += n;
	if (a->at == a->n)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static nghttp2_nv
pair(char **room, const char *name, const char *value)
{
	nghttp2_nv nv = {.namelen = strlen(name), .valuelen = strlen(value), .flags = NGHTTP2_NV_FLAG_NONE};

	nv.name = (uint8_t *)*room;	/* a lower-cased copy: nghttp2 takes its own at once */
	for (size_t i = 0; i < nv.namelen; i++)
		*(*room)++ = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
	nv.value = (uint8_t *)*room;
	memcpy(*room, value, nv.valuelen);
	*room += nv.valuelen;
	return nv;
}

static bool
hop_by_hop(const char *name)
{
	return strcasecmp(name, "connection") == 0 || strcasecmp(name, "keep-alive") == 0;
}

static size_t
build_headers(nghttp2_nv *nv, int status, const struct http_header *h, int nh, size_t length, bool none)
{
	char *room = conn_scratch, *end = conn_scratch + SCRATCH_SIZE / 2, number[24];
	size_t n = 0;

	snprintf(number, sizeof number, "%d", status);
	nv[n++] = pair(&room, ":status", number);
	for (int i = 0; i < nh && n < HEADERS_MAX - 2; i++) {
		if (room + strlen(h[i].name) + strlen(h[i].value) + 256 > end || hop_by_hop(h[i].name) || !header_sane(&h[i]))
			continue;
		nv[n++] = pair(&room, h[i].name, h[i].value);
	}
	nv[n++] = pair(&room, "date", http_date());
	if (!none) {
		snprintf(number, sizeof number, "%zu", length);
		nv[n++] = pair(&room, "content-length", number);
	}
	return n;
}

void
h2_reply(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh, struct str body)
{
	struct h2 *h2 = c->h2;
	struct stream *st = nghttp2_session_get_stream_user_data(h2->s, x->stream);
	bool none = status == 204 || status == 304;
	nghttp2_data_provider from = {.read_callback = read_answer};
	nghttp2_nv nv[HEADERS_MAX];
	size_t n;

	if (st == NULL)
		return;
	st->msg = NULL;
	n = build_headers(nv, status, h, nh, body.n, none);
	if (!none && !x->head && body.n > 0) {
		st->out = mem_alloc(sizeof *st->out + body.n);
		st->out->n = body.n;
		st->out->at = 0;
		memcpy(st->out->data, body.p, body.n);
		from.source.ptr = st->out;
	}
	if (nghttp2_submit_response(h2->s, x->stream, nv, n, st->out != NULL ? &from : NULL) != 0)
		conn_doom(c);
	pump(c);
}

/* ---- the connection ---- */

static bool
session_new(struct conn *c, struct h2 *h)
{
	nghttp2_session_callbacks *cb;
	nghttp2_option *opt;
	nghttp2_settings_entry set[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)conf.head_max},
	};
	bool ok;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		mem_fatal(sizeof *h);
	if (nghttp2_option_new(&opt) != 0)
		mem_fatal(sizeof *h);
	nghttp2_option_set_max_send_header_block_length(opt, SCRATCH_SIZE);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	ok = nghttp2_session_server_new2(&h->s, cb, c, opt) == 0 &&
	    nghttp2_submit_settings(h->s, NGHTTP2_FLAG_NONE, set, sizeof set / sizeof set[0]) == 0;
	nghttp2_option_del(opt);
	nghttp2_session_callbacks_del(cb);
	return ok;
}

bool
h2_start(struct conn *c)
{
	struct h2 *h = mem_zalloc(sizeof *h);

	c->first = false;
	c->proto = PROTO_H2;
	c->h2 = h;
	conn_move(c, LIST_H2);
	if (!session_new(c, h)) {
		conn_doom(c);
		return false;
	}
	if (http_draining)
		h2_drain(c);
	return true;
}

void
h2_input(struct conn *c, const char *p, size_t n)
{
	struct h2 *h = c->h2;
	ssize_t used;

	h->heard = loop_now();
	conn_move(c, LIST_H2);
	h->busy = true;		/* answers given from inside are sent after it */
	used = nghttp2_session_mem_recv(h->s, (const uint8_t *)p, n);
	h->busy = false;
	if (used < 0) {
		conn_doom(c);
		return;
	}
	pump(c);
}

void
h2_writable(struct conn *c)
{
	pump(c);
}

/* Looked at every head_timeout: ends streams whose request stalled, and a connection that was silent long while no handler works for
 * it (a client that does not fetch its answers is one of these). */
void
h2_timeout(struct conn *c)
{
	struct h2 *h = c->h2;
	uint64_t now = loop_now();
	bool working = false;

	for (struct stream *st = h->streams; st != NULL; st = st->next) {
		if (st->msg != NULL && st->msg->given)
			working = true;
		else if (st->msg != NULL && now - st->since >= (uint64_t)conf.head_timeout)
			nghttp2_submit_rst_stream(h->s, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
	}
	if (!working && now - h->heard >= (uint64_t)conf.keepalive_timeout) {
		nghttp2_session_terminate_session(h->s, NGHTTP2_NO_ERROR);
		pump(c);
		conn_finish(c);
		return;
	}
	pump(c);
}

void
h2_drain(struct conn *c)
{
	struct h2 *h = c->h2;

	nghttp2_submit_goaway(h->s, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->s), NGHTTP2_NO_ERROR, NULL, 0);
	pump(c);
}

void
h2_closed(struct conn *c)
{
	struct h2 *h = c->h2;

	while (h->streams != NULL)
		free_stream(h, h->streams);
	nghttp2_session_del(h->s);
	free(h);
	c->h2 = NULL;
}
