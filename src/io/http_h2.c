/* HTTP/2 on one connection, through nghttp2: over TLS by ALPN, in the clear by prior knowledge.
 *
 * A stream is one message. nghttp2 checks the protocol and the flow; the limits on heads, bodies, streams, resets and time are
 * ours. Nothing is submitted to the socket while lws still keeps bytes, so a client that does not read holds at most its windows.
 *
 * Windows: that of a stream is given back when its bytes were taken, so a handler that does not ask stops its client; that of the
 * connection at once, so that one such stream does not stop the others. What waits then is charged to the budget. */
#include "http_priv.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

enum { STREAMS_MAX = 100, RESETS_MAX = 1000, HEADERS_MAX = 64, VALUE_FOR_REFUSAL = 1024, FRAME_HEAD = 9, WINDOW = 256 * 1024, CONNECTION_WINDOW = 4 * WINDOW };

/* Heads are small on the wire and large here: a byte may name a field of 4 kB. Of one head: most fields; so many times that, or head_max, is a bomb. What costs
 * another frame: bytes of fields (each is counted as some, at least), bytes of a head on the wire, those of them that are no fields. What comes in one read is
 * taken in slices, so that a flood is seen soon. */
enum { FIELDS_MAX = 512, BOMB = 4, FIELD_LEAST = 128, FIELD_HEAD = 8, UNPACKED_PER_FRAME = 16 * 1024, HEAD_PER_FRAME = 4096, BARE_PER_FRAME = 64, BARE_FREE = 256,
	INPUT_SLICE = 8 * 1024 };

enum { STREAM_MAGIC = 0x53545232 };

struct stream {
	unsigned magic;
	struct stream *prev, *next;
	struct conn *conn;
	int32_t id;
	struct msg *msg;	/* NULL once answered */
	struct rest out;	/* of the answer: what nghttp2 has not taken; charged to `held` */
	size_t out_at;		/* of it, what has been taken */
	struct budget held;
	bool more;		/* further pieces of the answer may follow */
	bool heard_all;		/* the request has ended */
	bool lingering;		/* its answer is out, and the client still sends: that is thrown away for a while */
	uint64_t since, bytes;	/* loop_now() when that began, or when nobody writes to the answer any more; bytes that went by since */
	struct watch watch;	/* until the head is complete; then an answer that nobody writes to any more, until it is taken; then lingering */
	uint64_t moved;		/* loop_now() when it began, then when some of the answer was taken, then of lingering bytes */
	size_t head_bytes;
	unsigned fields;
	uint64_t seen;		/* header_once */
	err_t bad;		/* refused when the head is complete */
	bool has_length;
	int64_t length;
};

struct h2 {
	nghttp2_session *s;
	struct stream *streams;
	unsigned resets;
	int64_t passed;		/* bytes that came, less those of frames that were begun */
	struct allowance frames;	/* that may still come */
	size_t unpacked;	/* bytes of fields since the last frame that they cost */
	size_t head;		/* bytes of the last head on the wire, */
	size_t told;		/* and of its fields, as they would be without packing */
	uint64_t heard;		/* when the last request began or ended */
	bool busy;		/* inside nghttp2: output waits */
	bool calmed;		/* it was told that this is enough */
};

static void http_h2_pump(struct conn *c);

static struct stream *
http_h2_stream_of(const struct conn *c, int32_t id)
{
	struct stream *st = nghttp2_session_get_stream_user_data(c->h2->s, id);

	assert(st == NULL || (st->magic == STREAM_MAGIC && st->conn == c));
	return st;
}

static void
free_stream(struct h2 *h, struct stream *st)
{
	assert(st->magic == STREAM_MAGIC);
	*(st->prev ? &st->prev->next : &h->streams) = st->next;
	if (st->next != NULL)
		st->next->prev = st->prev;
	if (st->msg != NULL)
		msg_gone(st->msg);
	watch_remove(&st->watch);
	rest_free(&st->out);
	budget_close(&st->held);
	st->magic = 0;
	free(st);
}

/* ---- floods ---- */

static void
calm(struct conn *c, const char *what)
{
	if (c->h2->calmed)
		return;
	c->h2->calmed = true;
	conn_flooded(c, what);
	nghttp2_session_terminate_session(c->h2->s, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Each frame costs us something, whatever is in it: pings, settings, resets, windows of a byte, data of none. */
static void
frame_spend(struct conn *c, uint64_t thousandths)
{
	if (!allowance_spend(&c->h2->frames, conf.http2_frame_rate, (int64_t)thousandths))
		calm(c, "too many HTTP/2 frames");
}

/* Each field that is told, as RFC 7541 counts it. */
static void
field_spend(struct conn *c, size_t bytes)
{
	struct h2 *h = c->h2;

	h->told += bytes + FIELD_HEAD;
	h->unpacked += bytes + 32 > FIELD_LEAST ? bytes + 32 : FIELD_LEAST;
	if (h->unpacked < UNPACKED_PER_FRAME)
		return;
	frame_spend(c, h->unpacked * 1000 / UNPACKED_PER_FRAME);
	h->unpacked = 0;
}

/* Frames of kinds that we do not know, and those of streams that are over, begin nowhere: nghttp2 steps over them. They count by their bytes. */
static void
frames_passed_over(struct conn *c)
{
	struct h2 *h = c->h2;

	if (h->passed <= 0)
		return;
	frame_spend(c, (uint64_t)h->passed * 1000 / BYTES_PER_FRAME);
	h->passed %= BYTES_PER_FRAME;
}

/* A head is unpacked even when its stream is over, or one too many, for the table of fields is the connection's: then nobody tells of its fields. Nor does
 * anybody of changes of the table's size. So what was a head and told of nothing counts with the next frame. */
static void
head_spend(struct conn *c, const nghttp2_frame_hd *hd)
{
	struct h2 *h = c->h2;

	if (hd->type != NGHTTP2_CONTINUATION) {
		if (h->head > h->told + BARE_FREE)
			frame_spend(c, (h->head - h->told) * 1000 / BARE_PER_FRAME);
		h->head = h->told = 0;
	}
	if (hd->type != NGHTTP2_HEADERS && hd->type != NGHTTP2_CONTINUATION)
		return;
	h->head += hd->length;
	frame_spend(c, hd->length * 1000 / HEAD_PER_FRAME);
}

static int
on_begin_frame(nghttp2_session *s, const nghttp2_frame_hd *hd, void *user)
{
	struct conn *c = user;

	(void)s;
	c->h2->passed -= (int64_t)(FRAME_HEAD + hd->length);
	if (hd->type == NGHTTP2_DATA)
		allowance_earn(&c->h2->frames, conf.http2_frame_rate, hd->length);
	frame_spend(c, 1000);
	head_spend(c, hd);
	return 0;
}

/* A stream that its client began and gave up; the same for one that we gave up for its mistakes. */
static void
count_reset(struct conn *c)
{
	if (++c->h2->resets > RESETS_MAX)
		calm(c, "too many HTTP/2 streams that were reset");
}

/* Moves what nghttp2 wants to say to the socket, in pieces of the scratch buffer. */
static void
http_h2_pump(struct conn *c)
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

static void
head_check(struct watch *w, uint64_t now)
{
	struct stream *st = (struct stream *)(void *)((char *)w - offsetof(struct stream, watch));

	assert(st->magic == STREAM_MAGIC);
	if (now - st->moved < (uint64_t)conf.head_timeout)
		return;
	metric_add(M_http_slow, 1);
	conn_doom(st->conn);	/* nothing else can arrive before the rest of the head */
}

static int
on_begin(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
	struct conn *c = user;
	struct h2 *h = c->h2;
	struct stream *st;

	if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	st = mem_zalloc(sizeof *st);
	st->magic = STREAM_MAGIC;
	st->conn = c;
	st->id = f->hd.stream_id;
	st->moved = h->heard = loop_now();
	watch_add(&st->watch, head_check);
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
http_h2_keep_text(struct msg *x, const uint8_t *p, size_t n)
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
http_h2_set_length(struct stream *st, struct str v)
{
	int64_t n;

	if (!str_to_i64(v, &n) || n < 0)
		st->bad = ERR_REQUEST_MALFORMED;
	else {
		st->has_length = true;
		st->length = n;
	}
}

/* Of a head that is too large, what an answer needs that its page can read. */
static bool
for_refusal(const struct msg *x, const char *key, size_t nn, size_t nv)
{
	int id = header_known(key, nn);

	return (id == HDR_ORIGIN || id == HDR_X_PROJECT) && x->m.hdr[id].p == NULL && nv <= VALUE_FOR_REFUSAL;
}

static int
http_h2_on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t nn, const uint8_t *value, size_t nv,
    uint8_t flags, void *user)
{
	struct stream *st = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
	const char *key = (const char *)name;
	struct msg *x;
	struct str v;
	int id;

	(void)flags;
	field_spend(user, nn + nv);
	if (((struct conn *)user)->h2->calmed)
		return NGHTTP2_ERR_PAUSE;
	if (st == NULL || st->msg == NULL || f->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	x = st->msg;
	st->head_bytes += nn + nv + 4;
	st->fields++;
	if (st->head_bytes > BOMB * (size_t)conf.head_max || st->fields > BOMB * FIELDS_MAX) {
		calm(user, "a head of HTTP/2 that is large beyond measure");
		return NGHTTP2_ERR_PAUSE;
	}
	if (st->head_bytes > (size_t)conf.head_max || st->fields > FIELDS_MAX) {
		st->bad = ERR_HEADERS_TOO_LARGE;
		if (!for_refusal(x, key, nn, nv))
			return 0;
	}
	if (nn > 0 && key[0] == ':') {
		if (nn == 7 && memcmp(key, ":method", 7) == 0)
			x->m.method = http_h2_keep_text(x, value, nv);
		else if (nn == 5 && memcmp(key, ":path", 5) == 0)
			set_path(x, http_h2_keep_text(x, value, nv));
		else if (nn == 10 && memcmp(key, ":authority", 10) == 0)
			header_set(x, HDR_HOST, http_h2_keep_text(x, value, nv));
		return 0;
	}
	id = header_known(key, nn);
	if (id < 0)
		return 0;
	v = str_trim(http_h2_keep_text(x, value, nv));
	if (id == HDR_CONTENT_LENGTH)
		http_h2_set_length(st, v);
	if (!header_once(&st->seen, id) || (id == HDR_HOST && x->m.hdr[id].p != NULL && !str_ieq(x->m.hdr[id], v)))	/* :authority has named another */
		st->bad = ERR_REQUEST_MALFORMED;
	header_set(x, id, v);
	return 0;
}

void
h2_refuse(struct conn *c, struct msg *x, err_t e)
{
	struct http_header h[REFUSAL_HEADERS];
	int n = error_headers(x, h);

	metric_add(M_http_refused, 1);
	h2_reply(c, x, err_info(e)->status, h, n, error_body(e));
	msg_free(x);
}

static void
on_head(struct conn *c, struct stream *st, bool last)
{
	struct msg *x = st->msg;

	watch_remove(&st->watch);
	x->head = str_is(x->m.method, "HEAD");
	x->m.length = last ? 0 : st->has_length && st->length > 0 ? st->length : -1;
	if (st->bad == OK && (x->m.path.n == 0 || (x->m.path.p[0] != '/' && !str_is(x->m.path, "*"))))
		st->bad = ERR_REQUEST_MALFORMED;
	if (st->bad != OK)
		h2_refuse(c, x, st->bad);
	else
		msg_give(x);
}

/* As http.c does with a connection: a client may not look for its answer before it has sent all, or take the end of the stream for a failure. */
static void
linger_check(struct watch *w, uint64_t now)
{
	struct stream *st = (struct stream *)(void *)((char *)w - offsetof(struct stream, watch));

	assert(st->magic == STREAM_MAGIC && st->lingering);
	if (now - st->since < (uint64_t)conf.linger_timeout && now - st->moved < LINGER_MS)
		return;
	watch_remove(w);
	nghttp2_submit_rst_stream(st->conn->h2->s, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
	http_h2_pump(st->conn);
}

/* False: nghttp2 has lost its way. */
static bool
swallow(nghttp2_session *s, struct stream *st, size_t n)
{
	st->bytes += n;
	st->moved = loop_now();
	if (st->bytes > (uint64_t)conf.linger_bytes)
		return nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR) == 0;
	return nghttp2_session_consume_stream(s, st->id, n) == 0;
}

/* From inside nghttp2. What has come before was not taken, so its window is given back now. */
static void
linger(nghttp2_session *s, struct stream *st)
{
	int32_t before = nghttp2_session_get_stream_effective_recv_data_length(s, st->id);

	assert(st->msg == NULL && !st->lingering);
	st->lingering = true;
	st->since = st->moved = loop_now();
	st->bytes = 0;
	watch_remove(&st->watch);
	watch_add(&st->watch, linger_check);
	if (before > 0 && !swallow(s, st, (size_t)before))
		conn_doom(st->conn);
}

static int
http_h2_on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
	struct conn *c = user;
	struct stream *st = http_h2_stream_of(c, id);
	struct msg *x = st ? st->msg : NULL;

	(void)flags;
	if (nghttp2_session_consume_connection(s, n) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (x == NULL)
		return st == NULL || !st->lingering || swallow(s, st, n) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
	msg_body(x, (const char *)p, n);
	if (st->msg == x && x->collecting && nghttp2_session_consume_stream(s, id, n) != 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

void
h2_took(struct conn *c, const struct msg *x, size_t n)
{
	if (nghttp2_session_consume_stream(c->h2->s, x->stream, n) != 0)
		conn_doom(c);
	http_h2_pump(c);
}

static int
http_h2_on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
	struct conn *c = user;
	struct stream *st;
	bool last = (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

	(void)s;
	if (f->hd.type == NGHTTP2_RST_STREAM && f->rst_stream.error_code == NGHTTP2_NO_ERROR)
		count_reset(c);	/* any other: when it closes */
	if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA)
		return 0;
	st = http_h2_stream_of(c, f->hd.stream_id);
	if (st == NULL)
		return 0;
	st->heard_all = st->heard_all || last;
	if (st->msg == NULL)
		return 0;
	if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST)
		on_head(c, st, last);
	else if (last)
		msg_body_end(st->msg);
	return 0;
}

/* A client that still sends what nobody wants has its answer now. */
static int
on_sent(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
	struct stream *st;

	if ((f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) || (f->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	st = http_h2_stream_of(user, f->hd.stream_id);
	if (st != NULL && st->msg == NULL && !st->heard_all)	/* else: h2_end */
		linger(s, st);
	return 0;
}

static int
on_stream_close(nghttp2_session *s, int32_t id, uint32_t code, void *user)
{
	struct conn *c = user;
	struct stream *st = http_h2_stream_of(c, id);

	if (st == NULL)
		return 0;
	c->h2->heard = loop_now();
	if (code != NGHTTP2_NO_ERROR)
		count_reset(c);
	nghttp2_session_set_stream_user_data(s, id, NULL);
	free_stream(c->h2, st);
	return 0;
}

/* ---- answers ---- */

static size_t
out_left(const struct stream *st)
{
	return st->out.n - st->out_at;
}

static ssize_t
read_answer(nghttp2_session *s, int32_t id, uint8_t *to, size_t room, uint32_t *flags, nghttp2_data_source *src, void *user)
{
	struct stream *st = src->ptr;
	size_t n = out_left(st) < room ? out_left(st) : room;

	(void)s;
	(void)id;
	(void)user;
	assert(st->magic == STREAM_MAGIC);
	if (n == 0 && st->more)
		return NGHTTP2_ERR_DEFERRED;
	if (n > 0)
		memcpy(to, st->out.p + st->out_at, n);
	st->out_at += n;
	st->bytes += n;
	st->moved = loop_now();
	allowance_earn(&st->conn->h2->frames, conf.http2_frame_rate, n);
	if (out_left(st) > 0 && n < BYTES_PER_FRAME)	/* its windows are small: what it makes us send counts as what it sends */
		frame_spend(st->conn, 1000);
	if (out_left(st) == 0) {
		rest_free(&st->out);
		st->out_at = 0;
		budget_close(&st->held);
		if (!st->more)
			*flags |= NGHTTP2_DATA_FLAG_EOF;
		else if (st->msg != NULL)
			stream_wake(st->msg);
	}
	return (ssize_t)n;
}

static void
out_add(struct stream *st, struct str piece)
{
	budget_force(&st->held, piece.n);
	rest_add(&st->out, piece.p, piece.n);
	if (out_left(st) == piece.n)
		st->moved = loop_now();
}

/* The fiber has gone: who does not take the rest of its answer is given up. */
static void
out_check(struct watch *w, uint64_t now)
{
	struct stream *st = (struct stream *)(void *)((char *)w - offsetof(struct stream, watch));

	assert(st->magic == STREAM_MAGIC);
	if (now - st->moved < (uint64_t)conf.transfer_stall && !client_too_slow(st->bytes, now - st->since))
		return;
	metric_add(M_http_slow, 1);
	nghttp2_submit_rst_stream(st->conn->h2->s, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
	watch_remove(w);
	http_h2_pump(st->conn);
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
build_headers(const struct conn *c, nghttp2_nv *nv, int status, const struct http_header *h, int nh, int64_t length)
{
	char *room = conn_scratch, *end = conn_scratch + SCRATCH_SIZE / 2, number[24];
	const char *hsts = http_hsts(c);
	size_t n = 0;

	snprintf(number, sizeof number, "%d", status);
	nv[n++] = pair(&room, ":status", number);
	for (int i = 0; i < nh && n < HEADERS_MAX - 3; i++) {
		if (room + strlen(h[i].name) + strlen(h[i].value) + 256 > end || hop_by_hop(h[i].name) || !header_sane(&h[i]))
			continue;
		nv[n++] = pair(&room, h[i].name, h[i].value);
	}
	nv[n++] = pair(&room, "date", http_date());
	if (hsts != NULL)
		nv[n++] = pair(&room, "strict-transport-security", hsts);
	if (length >= 0 && status != 204 && status != 304) {
		snprintf(number, sizeof number, "%lld", (long long)length);
		nv[n++] = pair(&room, "content-length", number);
	}
	return n;
}

/* The head of an answer, with a body to follow or not. */
static void
submit(struct conn *c, struct stream *st, int status, const struct http_header *h, int nh, int64_t length, bool body)
{
	nghttp2_data_provider from = {.source.ptr = st, .read_callback = read_answer};
	nghttp2_nv nv[HEADERS_MAX];
	size_t n = build_headers(c, nv, status, h, nh, length);

	if (nghttp2_submit_response(c->h2->s, st->id, nv, n, body ? &from : NULL) != 0)
		conn_doom(c);
}

static void
http_h2_let_go(struct stream *st)
{
	st->msg = NULL;
	st->more = false;
	if (out_left(st) == 0)
		return;
	st->since = loop_now();
	st->bytes = 0;
	watch_add(&st->watch, out_check);
}

void
h2_reply(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh, struct str body)
{
	struct stream *st = http_h2_stream_of(c, x->stream);
	bool none = status == 204 || status == 304 || x->head || body.n == 0;

	if (st == NULL)
		return;
	if (!none)
		out_add(st, body);
	http_h2_let_go(st);
	submit(c, st, status, h, nh, (int64_t)body.n, !none);
	http_h2_pump(c);
}

void
h2_begin(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh)
{
	struct stream *st = http_h2_stream_of(c, x->stream);

	assert(st != NULL && st->msg == x);
	st->more = !x->bodiless;
	submit(c, st, status, h, nh, x->out_length, st->more);
	http_h2_pump(c);
}

static void
http_h2_go_on(struct conn *c, const struct stream *st)
{
	int e = nghttp2_session_resume_data(c->h2->s, st->id);

	if (e != 0 && e != NGHTTP2_ERR_INVALID_ARGUMENT)	/* that: it was not deferred */
		conn_doom(c);
	http_h2_pump(c);
}

void
h2_write(struct conn *c, struct msg *x, struct str piece)
{
	struct stream *st = http_h2_stream_of(c, x->stream);

	assert(st != NULL && st->msg == x && st->more);
	out_add(st, piece);
	http_h2_go_on(c, st);
}

bool
h2_room(const struct conn *c, const struct msg *x)
{
	const struct stream *st = http_h2_stream_of(c, x->stream);

	assert(st != NULL && st->msg == x);
	return out_left(st) == 0;
}

uint64_t
h2_moved(const struct conn *c, const struct msg *x)
{
	const struct stream *st = http_h2_stream_of(c, x->stream);

	return st != NULL ? st->moved : 0;
}

void
h2_end(struct conn *c, struct msg *x)
{
	struct stream *st = http_h2_stream_of(c, x->stream);
	bool body = st->more;

	assert(st != NULL && st->msg == x);
	http_h2_let_go(st);
	if (body)
		http_h2_go_on(c, st);
	else if (!st->heard_all)	/* its head was all of it */
		linger(c->h2->s, st);
}

void
h2_cut(struct conn *c, struct msg *x, bool cancel)
{
	struct stream *st = http_h2_stream_of(c, x->stream);

	assert(st != NULL && st->msg == x);
	st->msg = NULL;
	if (!x->given)
		msg_free(x);
	else
		x->conn = NULL;
	nghttp2_submit_rst_stream(c->h2->s, NGHTTP2_FLAG_NONE, st->id, cancel ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
	http_h2_pump(c);
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
	nghttp2_option_set_no_auto_window_update(opt, 1);
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, http_h2_on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, http_h2_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, http_h2_on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	ok = nghttp2_session_server_new2(&h->s, cb, c, opt) == 0 &&
	    nghttp2_submit_settings(h->s, NGHTTP2_FLAG_NONE, set, sizeof set / sizeof set[0]) == 0 &&
	    nghttp2_session_set_local_window_size(h->s, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) == 0;
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
	h->heard = loop_now();
	allowance_begin(&h->frames, conf.http2_frame_rate, c->far);
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
	ssize_t used = 0;

	h->busy = true;		/* answers given from inside are sent after it */
	while (n > 0 && used >= 0 && !h->calmed) {
		size_t slice = n < INPUT_SLICE ? n : INPUT_SLICE;

		h->passed += (int64_t)slice;
		used = nghttp2_session_mem_recv(h->s, (const uint8_t *)p, slice);
		frames_passed_over(c);
		p += slice;
		n -= slice;
	}
	h->busy = false;
	if (used < 0) {
		conn_doom(c);
		return;
	}
	http_h2_pump(c);
}

void
h2_writable(struct conn *c)
{
	http_h2_pump(c);
}

/* Looked at every head_timeout: ends a connection that asked for nothing long, whatever else it says, while no handler works for it and no answer is on its
 * way. Requests that stall and answers that nobody fetches have deadlines of their own. */
void
h2_timeout(struct conn *c)
{
	struct h2 *h = c->h2;
	uint64_t now = loop_now();
	bool working = false;

	for (const struct stream *st = h->streams; st != NULL; st = st->next)
		if (st->msg != NULL || out_left(st) > 0)
			working = true;
	if (!working && now - h->heard >= (uint64_t)conf.keepalive_timeout) {
		nghttp2_session_terminate_session(h->s, NGHTTP2_NO_ERROR);
		http_h2_pump(c);
		conn_finish(c);
		return;
	}
	http_h2_pump(c);
}

void
h2_drain(struct conn *c)
{
	struct h2 *h = c->h2;

	nghttp2_submit_goaway(h->s, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->s), NGHTTP2_NO_ERROR, NULL, 0);
	http_h2_pump(c);
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
