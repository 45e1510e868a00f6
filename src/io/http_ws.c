/* WebSocket: the handshake, frames in, frames out, and who is still there.
 *
 * A socket that nobody reads slowly has no queue: a frame is header and text in one piece of memory, written straight from the
 * fan-out. What the kernel does not take of one frame lws keeps; every further frame is queued as a reference until that is out.
 *
 * Nobody has a timer. Which of three lists a socket is on says what is due (http_priv.h): whatever the client sends puts it at the end of LIST_WS,
 * so the head of that list is who has been silent longest. It is asked with a ping, and closed when it does not answer that either. A message has
 * its deadline from the first byte to the last, however it drips. Why lws does not do all this: doc/architecture.md. */
#include "http_priv.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum { HEADROOM = 16, KEY_TEXT = 24, QUEUE_FIRST = 8, GATHER = 64 * 1024, CONTROL_MAX = 125 };
enum { SWEEP_SLICE = 200 };	/* pings at once: about a millisecond */
enum { CODE_PROTOCOL = 1002, CODE_POLICY = 1008, CODE_RESTART = 1012, CODE_SLOW = 1013, CODE_TIMEOUT = 3008 };
enum opcode { OP_MORE = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/* One frame of the peer, as far as its head. */
struct incoming {
	bool fin;
	unsigned op;
	size_t head, len;	/* of the header with mask, of the payload */
	unsigned char mask[4];
};

/* ---- frames out ---- */

static size_t
head_size(size_t len)
{
	return len < 126 ? 2 : len < 65536 ? 4 : 10;
}

static size_t
put_head(unsigned char *to, unsigned op, size_t len)
{
	size_t n = head_size(len), bytes = n - 2;

	to[0] = (unsigned char)(0x80 | op);
	to[1] = (unsigned char)(n == 2 ? len : n == 4 ? 126 : 127);
	for (size_t i = 0; i < bytes; i++)
		to[2 + i] = (unsigned char)(len >> (8 * (bytes - 1 - i)));
	return n;
}

/* Room for `len` bytes at data, with the header already in front of it. The opcode of a control frame is in that header. */
static struct frame *
frame_make(unsigned op, size_t len)
{
	struct frame *f = mem_alloc(sizeof *f + HEADROOM + len + 1);
	char *room = (char *)(f + 1);

	f->refs = 1;
	f->queued = 0;
	f->len = len;
	f->data = room + HEADROOM;
	f->data[len] = '\0';
	put_head((unsigned char *)f->data - head_size(len), op, len);
	return f;
}

struct frame *
frame_new(struct str text)
{
	struct frame *f = frame_make(OP_TEXT, text.n);

	mem_copy(f->data, text.p, text.n);
	return f;
}

struct frame *
frame_ref(struct frame *f)
{
	assert(f->refs > 0);
	f->refs++;
	return f;
}

void
frame_unref(struct frame *f)
{
	assert(f->refs > 0);
	if (--f->refs == 0)
		free(f);
}

static struct str
frame_wire(const struct frame *f)
{
	size_t h = head_size(f->len);

	return (struct str){f->data - h, f->len + h};
}

/* ---- states ---- */

static struct ws *
ws_cast(struct ws *w)
{
	assert(w != NULL && w->magic == WS_MAGIC);
	return w;
}

static struct ws *
ws_of(const struct conn *c)
{
	struct ws *w = ws_cast(c->ws);

	assert(c->proto == PROTO_WS && w->conn == c && w->state != WS_GONE);
	return w;
}

static void
ws_move(struct ws *w, enum ws_state to)
{
	assert(ws_cast(w)->state < to && to <= WS_GONE);
	w->state = (uint8_t)to;
	if (to == WS_GONE) {
		w->conn = NULL;
		return;
	}
	conn_move(w->conn, LIST_CLOSING);
	if (to == WS_ENDING && w->q_n == 0)
		conn_finish(w->conn);
}

static bool
open_for(const struct ws *w)
{
	assert(w->magic == WS_MAGIC);
	return w->state == WS_OPEN && w->conn->list != LIST_DOOMED;
}

/* ---- the queue ---- */

/* A frame that waits is charged once, in however many queues it stands. */
static struct budget queued;

/* ---- whom it counts for ---- */

/* A frame that waits in several queues of one client counts in each: they stopped reading at different times, so each keeps others alive. */
static void
http_ws_count(struct ws *w)
{
	size_t n = w->conn == NULL ? 0 : w->q_bytes + w->text.cap + w->conn->in.cap + w->conn->unread.held;

	if (w->purse != NULL) {
		assert(w->purse->held >= w->in_purse);
		w->purse->held += n - w->in_purse;
	}
	w->in_purse = w->purse != NULL ? n : 0;
}

void
ws_set_purse(struct ws *w, struct purse *p)
{
	assert(w->magic == WS_MAGIC);
	if (w->purse != NULL)
		w->purse->held -= w->in_purse;
	w->in_purse = 0;
	w->purse = p;
	http_ws_count(w);
}

/* ---- the queue, on ---- */

static void
set_lagging(struct ws *w, bool on)
{
	if (w->lagging == on)
		return;
	w->lagging = on;
	metric_add(M_rt_lagging, on ? 1 : -1);
}

static void
queue_pop(struct ws *w)
{
	struct frame *f = w->queue[w->q_head];

	assert(w->q_n > 0 && w->q_bytes >= f->len);
	w->q_bytes -= f->len;
	if (--f->queued == 0)
		budget_release(&queued, f->len);
	w->q_head = (w->q_head + 1) % w->q_cap;
	w->q_n--;
	http_ws_count(w);
	frame_unref(f);
	if (w->q_n == 0) {
		free(w->queue);
		w->queue = NULL;
		w->q_cap = w->q_head = 0;
	}
	if (w->lagging && w->q_bytes <= (size_t)conf.rt_queue_soft / 2)
		set_lagging(w, false);
}

static void
queue_clear(struct ws *w)
{
	while (w->q_n > 0)
		queue_pop(w);
}

static void
queue_grow(struct ws *w)
{
	uint32_t cap = w->q_cap ? w->q_cap * 2 : QUEUE_FIRST;
	struct frame **q = mem_alloc(cap * sizeof(struct frame *));

	for (uint32_t i = 0; i < w->q_n; i++)
		q[i] = w->queue[(w->q_head + i) % w->q_cap];
	free(w->queue);
	w->queue = q;
	w->q_cap = cap;
	w->q_head = 0;
}

/* Takes over the caller's reference. */
static void
queue_push(struct ws *w, struct frame *f)
{
	if (w->q_n == w->q_cap)
		queue_grow(w);
	w->queue[(w->q_head + w->q_n) % w->q_cap] = f;
	w->q_n++;
	w->q_bytes += f->len;
	if (f->queued++ == 0)
		budget_force(&queued, f->len);
	http_ws_count(w);
	if (w->q_bytes > (size_t)conf.rt_queue_soft)
		set_lagging(w, true);
	conn_want_write(w->conn);
}

static bool
queue_full(const struct ws *w, size_t more)
{
	return w->q_bytes + more > (size_t)conf.rt_queue_hard || w->q_n >= (uint64_t)conf.rt_queue_frames;
}

static bool
direct(const struct ws *w)
{
	return w->q_n == 0 && conn_clear(w->conn);
}

static struct frame *
close_frame(int code, struct str reason)
{
	struct frame *f;

	if (reason.n > CONTROL_MAX - 2)
		reason.n = CONTROL_MAX - 2;
	f = frame_make(OP_CLOSE, code == 0 ? 0 : 2 + reason.n);
	if (code != 0) {
		f->data[0] = (char)(code >> 8);
		f->data[1] = (char)code;
		mem_copy(f->data + 2, reason.p, reason.n);
	}
	return f;
}

/* Sends or queues the last frame; the peer's Close, or the deadline of the closing list, ends the connection. */
static void
begin_close(struct ws *w, struct frame *last)
{
	struct str wire = frame_wire(last);

	ws_move(w, WS_CLOSING);
	if (direct(w)) {
		conn_write(w->conn, wire.p, wire.n);
		frame_unref(last);
	} else
		queue_push(w, last);
}

static void
too_slow(struct ws *w)
{
	metric_add(M_rt_dropped, 1);
	queue_clear(w);
	begin_close(w, close_frame(CODE_SLOW, STR("too slow")));
}

/* Takes over the caller's reference. */
static void
enqueue(struct ws *w, struct frame *f)
{
	if (queue_full(w, f->len) || !purse_room(w->purse, f->len) || (f->queued == 0 && budget_room(&queued, f->len) != OK)) {
		frame_unref(f);
		too_slow(w);
		return;
	}
	metric_add(M_rt_queued, 1);
	queue_push(w, f);
}

/* Past the queue. What the kernel does not take of a frame is kept, and nobody shares it: above a bound its reader goes, in the middle of the frame. */
static void
http_ws_write(struct ws *w, const char *p, size_t n)
{
	conn_write(w->conn, p, n);
	if (w->conn->unread.held == 0 && w->in_purse == 0)
		return;
	http_ws_count(w);
	if (w->conn->unread.held == 0 || (purse_room(w->purse, 0) && budget_room(&queued, 0) == OK))
		return;
	metric_add(M_rt_dropped, 1);
	conn_doom(w->conn);
}

void
ws_send(struct ws *w, struct frame *f)
{
	struct str wire;

	if (!open_for(w))
		return;
	if (!direct(w)) {
		enqueue(w, frame_ref(f));
		return;
	}
	wire = frame_wire(f);
	http_ws_write(w, wire.p, wire.n);
}

void
ws_send_tail(struct ws *w, struct frame *f, struct str tail)
{
	size_t len = f->len + tail.n, h;
	struct frame *whole;

	if (!open_for(w))
		return;
	if (direct(w) && len + HEADROOM <= SCRATCH_SIZE) {
		h = put_head((unsigned char *)conn_scratch, OP_TEXT, len);
		memcpy(conn_scratch + h, f->data, f->len);
		mem_copy(conn_scratch + h + f->len, tail.p, tail.n);
		http_ws_write(w, conn_scratch, h + len);
		return;
	}
	whole = frame_make(OP_TEXT, len);
	memcpy(whole->data, f->data, f->len);
	mem_copy(whole->data + f->len, tail.p, tail.n);
	ws_send(w, whole);
	frame_unref(whole);
}

void
ws_send_text(struct ws *w, struct str text)
{
	struct frame *f;

	if (!open_for(w))
		return;
	f = frame_new(text);
	ws_send(w, f);
	frame_unref(f);
}

void
ws_close(struct ws *w, int code, const char *reason)
{
	if (open_for(w))
		begin_close(w, close_frame(code, str_c(reason)));
}

void
ws_drop(struct ws *w)
{
	if (open_for(w))
		ws_move(w, WS_ENDING);
}

void
ws_writable(struct conn *c)
{
	struct ws *w = ws_of(c);

	if (c->list == LIST_WS_ASKED)
		conn_move(c, LIST_WS);	/* it reads: the ping may be behind a lot */
	while (w->q_n > 0 && conn_clear(c) && c->list != LIST_DOOMED) {
		struct str wire = frame_wire(w->queue[w->q_head]);
		size_t n = 0;

		if (wire.n > GATHER) {
			http_ws_write(w, wire.p, wire.n);
			queue_pop(w);
			continue;
		}
		while (n + wire.n <= GATHER) {	/* several small frames in one write */
			memcpy(conn_scratch + n, wire.p, wire.n);
			n += wire.n;
			queue_pop(w);
			if (w->q_n == 0)
				break;
			wire = frame_wire(w->queue[w->q_head]);
		}
		http_ws_write(w, conn_scratch, n);
	}
	http_ws_count(w);
	if (w->q_n > 0)
		conn_want_write(c);
	else if (w->state == WS_ENDING)
		conn_finish(c);
}

void
ws_set_data(struct ws *w, void *data)
{
	ws_cast(w)->data = data;
}

void *
ws_data(const struct ws *w)
{
	assert(w->magic == WS_MAGIC);
	return w->data;
}

bool
ws_lagging(const struct ws *w)
{
	return w->lagging;
}

/* ---- frames in ---- */

/* Reads a frame's head. 1: complete, 0: more bytes needed, -1: against the protocol. */
static int
http_ws_read_head(const unsigned char *p, size_t n, struct incoming *in)
{
	size_t extra;

	if (n < 2)
		return 0;
	in->fin = (p[0] & 0x80) != 0;
	in->op = p[0] & 15;
	in->len = p[1] & 127;
	if ((p[0] & 0x70) != 0 || (p[1] & 0x80) == 0 || (in->op > OP_BINARY && in->op < OP_CLOSE) || in->op > OP_PONG)
		return -1;
	if (in->op >= OP_CLOSE && (!in->fin || in->len > CONTROL_MAX))
		return -1;
	extra = in->len == 126 ? 2 : in->len == 127 ? 8 : 0;
	in->head = 2 + extra + 4;
	if (n < in->head)
		return 0;
	if (extra > 0)
		in->len = 0;
	for (size_t i = 0; i < extra; i++)
		in->len = in->len << 8 | p[2 + i];
	memcpy(in->mask, p + 2 + extra, 4);
	return 1;
}

static void
unmask(char *p, size_t n, const unsigned char mask[4])
{
	uint64_t wide, m = 0;
	size_t i = 0;

	memcpy(&m, mask, 4);
	memcpy((char *)&m + 4, mask, 4);
	for (; i + 8 <= n; i += 8) {
		memcpy(&wide, p + i, 8);
		wide ^= m;
		memcpy(p + i, &wide, 8);
	}
	for (; i < n; i++)
		p[i] = (char)((unsigned char)p[i] ^ mask[i & 3]);
}

static void
on_close(struct ws *w, struct str payload)
{
	struct frame *f;

	if (w->state == WS_OPEN) {
		f = frame_make(OP_CLOSE, payload.n);
		mem_copy(f->data, payload.p, payload.n);
		begin_close(w, f);
	}
	if (w->state == WS_CLOSING)
		ws_move(w, WS_ENDING);
}

static void
send_control(struct ws *w, enum opcode op, struct str payload)
{
	struct frame *f = frame_make(op, payload.n);

	mem_copy(f->data, payload.p, payload.n);
	ws_send(w, f);
	frame_unref(f);
}

static void
protocol_error(struct ws *w)
{
	ws_close(w, CODE_PROTOCOL, "protocol error");
	if (w->state < WS_ENDING)
		ws_move(w, WS_ENDING);	/* nothing sensible can follow */
}

/* Pings that all want an answer, fragments of nothing: what comes after the last of them is not looked at. */
static void
flooded(struct ws *w)
{
	if (w->state == WS_OPEN)
		conn_flooded(w->conn, "too many WebSocket frames");
	ws_close(w, CODE_POLICY, "too many frames");
	if (w->state < WS_ENDING)
		ws_move(w, WS_ENDING);
}

static void
http_ws_on_data(struct ws *w, const struct incoming *in, struct str payload)
{
	struct rest whole;

	if (w->in_message != (in->op == OP_MORE)) {
		protocol_error(w);
		return;
	}
	if (in->fin && !w->in_message) {
		http_handler->ws_message(w, payload);
		return;
	}
	w->in_message = !in->fin;
	rest_add(&w->text, payload.p, payload.n);
	if (!in->fin)
		return;
	whole = w->text;
	w->text = (struct rest){0};
	http_handler->ws_message(w, (struct str){whole.p ? whole.p : "", whole.n});
	rest_free(&whole);
}

static void
http_ws_on_frame(struct ws *w, const struct incoming *in, char *payload)
{
	struct str s = {payload, in->len};

	unmask(payload, in->len, in->mask);
	if (in->op == OP_CLOSE)
		on_close(w, s);
	else if (w->state != WS_OPEN)
		return;
	else if (in->op == OP_PING)
		send_control(w, OP_PONG, s);
	else if (in->op != OP_PONG)
		http_ws_on_data(w, in, s);
}

/* One frame from p. Returns its size, 0 when it is not complete or the connection is ending. */
static size_t
take_frame(struct conn *c, char *p, size_t n)
{
	struct ws *w = ws_of(c);
	struct incoming in;
	int r = http_ws_read_head((const unsigned char *)p, n, &in);

	if (r < 0) {
		protocol_error(w);
		return 0;
	}
	if (r == 0)
		return 0;
	if (in.op < OP_CLOSE && (in.len > (size_t)conf.rt_message_max || w->text.n + in.len > (size_t)conf.rt_message_max)) {
		conn_doom(c);
		return 0;
	}
	if (n < in.head + in.len)
		return 0;
	allowance_earn(&w->frames, conf.rt_frame_rate, in.len);
	if (!allowance_spend(&w->frames, conf.rt_frame_rate, 1000)) {
		flooded(w);
		return 0;
	}
	http_ws_on_frame(w, &in, p + in.head);
	return in.head + in.len;
}

static bool
reading(const struct conn *c)
{
	return c->list != LIST_DOOMED && !c->fin_due;
}

/* The client has said something. `rested`: it was between two messages meanwhile, so what has begun by now began just now. */
static void
heard(struct conn *c, bool rested)
{
	const struct ws *w = ws_of(c);

	if (!open_for(w))
		return;
	if (c->in.n == 0 && !w->in_message)
		conn_move(c, LIST_WS);
	else if (rested || c->list != LIST_WS_PART)
		conn_move(c, LIST_WS_PART);
}

size_t
ws_part(const struct conn *c)
{
	return ws_of(c)->text.cap;
}

void
ws_no_room(struct conn *c)
{
	struct ws *w = ws_of(c);

	ws_close(w, CODE_SLOW, "no room for this message");
	if (w->state < WS_ENDING)
		ws_move(w, WS_ENDING);	/* its end is not waited for */
}

void
ws_input(struct conn *c, char *p, size_t n)
{
	const struct ws *w = ws_of(c);
	struct rest old = c->in;
	size_t at = 0, used;
	bool rested = false;

	if (old.n > 0) {
		rest_add(&old, p, n);
		p = old.p;
		n = old.n;
	}
	c->in = (struct rest){0};
	while (at < n && reading(c) && (used = take_frame(c, p + at, n - at)) > 0) {
		at += used;
		rested |= !w->in_message;
	}
	if (at < n && reading(c)) {
		if (old.n > 0) {
			rest_cut(&old, at);
			c->in = old;
			old = (struct rest){0};
		} else
			rest_add(&c->in, p + at, n - at);
	}
	rest_free(&old);
	heard(c, rested);
	if (c->in.cap + w->text.cap == 0 && w->in_purse == 0)
		return;
	http_ws_count(c->ws);
	if (c->in.cap + w->text.cap > 0 && open_for(w) && !purse_room(w->purse, 0))
		ws_no_room(c);
}

/* ---- deadlines ---- */

static void
http_ws_ask(struct conn *c)
{
	conn_move(c, LIST_WS_ASKED);
	metric_add(M_rt_pings, 1);
	send_control(ws_of(c), OP_PING, STR_NONE);
	c->unsent = conn_unsent(c);
}

/* No answer. As long as the peer takes what is on the way to it, the ping may be behind that. */
static void
silent(struct conn *c)
{
	int before = c->unsent;

	c->unsent = conn_unsent(c);
	if (c->unsent < before) {
		conn_move(c, LIST_WS_ASKED);
		return;
	}
	metric_add(M_rt_silent, 1);
	ws_close(ws_of(c), CODE_TIMEOUT, "no answer to a ping");
}

static void
http_ws_late(struct conn *c)
{
	metric_add(M_rt_late, 1);
	ws_close(ws_of(c), CODE_TIMEOUT, "message takes too long");
}

/* What is overdue on one list, `left` at most; returns how many more may be. Each leaves the head of its list. */
static unsigned
overdue(enum conn_list l, int64_t ms, void (*act)(struct conn *), unsigned left)
{
	struct conn *c;

	if (ms <= 0)
		return left;
	for (; left > 0 && (c = conn_oldest(l, (uint64_t)ms)) != NULL; left--)
		act(c);
	return left;
}

static void
sweep_on(void *arg)
{
	bool *sweeping = arg;

	*sweeping = false;
	ws_sweep();
}

void
ws_sweep(void)
{
	static bool sweeping;
	unsigned left = SWEEP_SLICE;

	left = overdue(LIST_WS_PART, conf.rt_message_timeout, http_ws_late, left);
	left = overdue(LIST_WS_ASKED, conf.rt_ping_interval, silent, left);
	left = overdue(LIST_WS, conf.rt_ping_interval, http_ws_ask, left);
	if (left > 0 || sweeping)
		return;
	sweeping = true;	/* thousands may have come in one moment: the loop turns between the slices */
	loop_soon(sweep_on, &sweeping);
}

void
ws_drain(void)
{
	static const enum conn_list of_sockets[] = {LIST_WS, LIST_WS_ASKED, LIST_WS_PART};
	struct conn *c;

	for (size_t i = 0; i < sizeof of_sockets / sizeof of_sockets[0]; i++)
		while ((c = conn_oldest(of_sockets[i], 0)) != NULL)
			ws_close(ws_of(c), CODE_RESTART, "restart");
}

/* ---- opening and closing ---- */

bool
ws_path_is(struct str path)
{
	size_t n = http_ws_path ? strlen(http_ws_path) : 0;

	return n > 0 && path.n >= n && memcmp(path.p, http_ws_path, n) == 0 &&
	    (path.n == n || (path.n == n + 1 && path.p[n] == '/'));
}

static bool
key_ok(struct str key)
{
	unsigned char raw[KEY_TEXT];

	return key.n == KEY_TEXT && key.p[22] == '=' && key.p[23] == '=' && key.p[21] != '=' &&
	    EVP_DecodeBlock(raw, (const unsigned char *)key.p, KEY_TEXT) == 18;
}

static void
accept_key(struct str key, char out[32])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	unsigned char text[KEY_TEXT + sizeof guid - 1], sum[SHA_DIGEST_LENGTH];

	memcpy(text, key.p, KEY_TEXT);
	memcpy(text + KEY_TEXT, guid, sizeof guid - 1);
	SHA1(text, sizeof text, sum);
	EVP_EncodeBlock((unsigned char *)out, sum, sizeof sum);
}

static void
refuse_upgrade(struct conn *c, struct msg *x, err_t e)
{
	struct http_header h[REFUSAL_HEADERS + 1];
	int n = error_headers(x, h);

	h[n++] = (struct http_header){"Sec-WebSocket-Version", "13"};
	metric_add(M_http_refused, 1);
	h1_reply(c, x, err_info(e)->status, h, n, error_body(e));
	msg_free(x);
}

static err_t
may_upgrade(const struct conn *c, struct msg *x)
{
	if (http_draining)
		return ERR_STOPPING;
	if (!x->upgrade || x->m.length != 0 || c->surplus || !key_ok(x->ws_key))
		return ERR_REQUEST_MALFORMED;
	return http_charge_head(&x->m);
}

void
ws_upgrade(struct conn *c, struct msg *x)
{
	static const char before[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				     "Sec-WebSocket-Accept: ";
	char text[sizeof before + 40];
	struct ws *w;
	err_t e;

	if ((e = may_upgrade(c, x)) != OK) {
		refuse_upgrade(c, x, e);
		return;
	}
	memcpy(text, before, sizeof before - 1);
	accept_key(x->ws_key, text + sizeof before - 1);
	memcpy(text + sizeof before - 1 + 28, "\r\n\r\n", 4);
	w = mem_zalloc(sizeof *w);
	w->magic = WS_MAGIC;
	w->conn = c;
	allowance_begin(&w->frames, conf.rt_frame_rate, c->far);
	c->proto = PROTO_WS;
	c->ws = w;
	http_sockets++;
	conn_move(c, LIST_WS);
	conn_write(c, text, sizeof before - 1 + 32);
	msg_upgraded(x);
	http_handler->ws_open(w, &x->m);
}

void
ws_closed(struct conn *c)
{
	struct ws *w = ws_of(c);

	ws_move(w, WS_GONE);
	queue_clear(w);
	ws_set_purse(w, NULL);
	set_lagging(w, false);
	rest_free(&w->text);
	http_sockets--;
	http_handler->ws_close(w);
	w->magic = 0;
	free(w);
}
