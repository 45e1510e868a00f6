/* WebSocket frames of a client, in pieces of every size: whatever comes, messages are bounded and memory is freed. The first byte
 * chooses how the rest is cut. */
#include "../../src/io/http_ws.c"
#include "fuzz.h"

/* What http.c would do, without sockets. */
const struct http_handler *http_handler;
const char *http_ws_path = "/v1/realtime";
bool http_draining;
unsigned http_sockets;
char conn_scratch[SCRATCH_SIZE];

void conn_move(struct conn *c, enum conn_list to) { if (c->list != LIST_DOOMED) c->list = (uint8_t)to; }
void conn_write(struct conn *c, const void *p, size_t n) { (void)c; FUZZ_CHECK(n == 0 || p != NULL, "nothing to write", STR("")); }
bool conn_clear(const struct conn *c) { return c->first; }
void conn_want_write(struct conn *c) { (void)c; }
void conn_finish(struct conn *c) { c->fin_due = true; conn_move(c, LIST_CLOSING); }
void conn_doom(struct conn *c) { conn_move(c, LIST_DOOMED); }
void msg_upgraded(struct msg *x) { (void)x; }
void msg_free(struct msg *x) { (void)x; }
void h1_reply(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh, struct str body) { (void)c, (void)x, (void)status, (void)h, (void)nh, (void)body; }
struct str error_body(err_t e) { (void)e; return STR("{}"); }

void
rest_add(struct rest *r, const void *p, size_t n)
{
	r->p = mem_realloc(r->p, r->n + n + 1);
	memcpy(r->p + r->n, p, n);
	r->n += (uint32_t)n;
}

void
rest_cut(struct rest *r, size_t n)
{
	r->n -= (uint32_t)n;
	memmove(r->p, r->p + n, r->n);
}

void
rest_free(struct rest *r)
{
	free(r->p);
	*r = (struct rest){0};
}

static void
on_message(struct ws *w, struct str text)
{
	FUZZ_CHECK(text.n <= (size_t)conf.rt_message_max, "too long a message", STR(""));
	ws_send_text(w, text);	/* an echo: the queue and its limits */
}

static void
on_gone(struct ws *w)
{
	(void)w;
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	static const struct http_handler handler = {.ws_message = on_message, .ws_close = on_gone};
	struct conn c = {.magic = CONN_MAGIC, .list = LIST_WS, .proto = PROTO_WS};
	unsigned char how = input.n > 0 ? (unsigned char)input.p[0] : 0;
	size_t step = (how & 63) + 1;

	(void)cx;
	http_handler = &handler;
	conf.rt_message_max = 2000;
	conf.rt_queue_soft = 1000;
	conf.rt_queue_hard = 5000;
	conf.rt_queue_frames = 20;
	c.first = (how & 64) != 0;	/* whether the socket takes what is written */
	c.ws = mem_zalloc(sizeof *c.ws);
	c.ws->magic = WS_MAGIC;
	c.ws->conn = &c;
	for (size_t at = 1; at < input.n && c.list != LIST_DOOMED && !c.fin_due; at += step) {
		size_t n = input.n - at < step ? input.n - at : step;
		char *piece = mem_alloc(n);

		memcpy(piece, input.p + at, n);
		ws_input(&c, piece, n);
		free(piece);
		if (how & 128) {
			c.first = true;
			ws_writable(&c);
		}
	}
	rest_free(&c.in);
	http_sockets++;
	ws_closed(&c);
}
