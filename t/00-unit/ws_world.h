/* The WebSocket part of the adapter without sockets, on a clock of the test's own: what http.c and http_h1.c would do, in small. Included
 * by the unit test and by the fuzz program, before anything else. */
#ifndef WS_WORLD_H
#define WS_WORLD_H

#define loop_soon world_soon
#include "../../src/io/http_ws.c"
#include "../../src/io/http_flood.c"

#include <stdio.h>

const struct http_handler *http_handler;
const char *http_ws_path = "/v1/realtime";
bool http_draining;
unsigned http_sockets;
char conn_scratch[SCRATCH_SIZE];

static uint64_t world_now = 1000;		/* the clock, ms */
static struct conn *world_first[LIST_N], *world_last[LIST_N];
static bool world_choked;			/* nothing goes out */
static int world_unsent;			/* what the kernel holds */
static struct { void (*fn)(void *); void *arg; } world_turn;	/* the next turn of the loop */
static char world_out[1 << 16];			/* what was written, as much as fits */
static size_t world_n_out;

void
world_soon(void (*fn)(void *), void *arg)
{
	assert(world_turn.fn == NULL);
	world_turn.fn = fn;
	world_turn.arg = arg;
}

static void
world_take(struct conn *c)
{
	*(c->prev ? &c->prev->next : &world_first[c->list]) = c->next;
	*(c->next ? &c->next->prev : &world_last[c->list]) = c->prev;
}

static void
world_put(struct conn *c, enum conn_list to)
{
	c->list = (uint8_t)to;
	c->since = world_now;
	c->next = NULL;
	c->prev = world_last[to];
	*(c->prev ? &c->prev->next : &world_first[to]) = c;
	world_last[to] = c;
}

void
conn_move(struct conn *c, enum conn_list to)
{
	assert(c->magic == CONN_MAGIC && (to == LIST_WS || to == LIST_WS_ASKED || to == LIST_WS_PART || to == LIST_CLOSING || to == LIST_DOOMED));
	if (c->list == LIST_DOOMED)
		return;
	assert(c->list != LIST_CLOSING || to == LIST_CLOSING || to == LIST_DOOMED);
	world_take(c);
	world_put(c, to);
}

struct conn *
conn_oldest(enum conn_list l, uint64_t ms)
{
	return world_first[l] != NULL && world_now - world_first[l]->since >= ms ? world_first[l] : NULL;
}

void
conn_write(struct conn *c, const void *p, size_t n)
{
	assert(c->magic == CONN_MAGIC && p != NULL && n > 0);
	if (n > sizeof world_out - world_n_out)
		n = sizeof world_out - world_n_out;
	mem_copy(world_out + world_n_out, p, n);
	world_n_out += n;
}

bool conn_clear(const struct conn *c) { (void)c; return !world_choked; }
int conn_unsent(const struct conn *c) { (void)c; return world_unsent; }
void conn_want_write(struct conn *c) { (void)c; }
err_t http_charge_head(struct http_msg *m) { (void)m; return OK; }
void conn_finish(struct conn *c) { c->fin_due = true; conn_move(c, LIST_CLOSING); }
void conn_doom(struct conn *c) { conn_move(c, LIST_DOOMED); }
void msg_upgraded(struct msg *x) { (void)x; }
void budget_force(struct budget *b, size_t n) { b->held += n; }
void budget_release(struct budget *b, size_t n) { assert(n <= b->held); b->held -= n; }
err_t budget_room(const struct budget *b, size_t n) { return b->held + n > 1000000 ? ERR_BYTES_SPENT : OK; }
bool
purse_room(const struct purse *p, size_t more)
{
	bool room = p == NULL || p->held + more <= (size_t)conf.rt_bytes_per_client;

	metric_add(M_rt_bytes_refused, !room);
	return room;
}

bool far_calm(const struct far *f) { (void)f; return false; }
void far_flooded(struct far *f) { (void)f; }
void far_text(int family, const void *addr, char out[FAR_TEXT_MAX]) { (void)family; (void)addr; strcpy(out, "-"); }
void msg_free(struct msg *x) { (void)x; }
void h1_reply(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh, struct str body) { (void)c, (void)x, (void)status, (void)h, (void)nh, (void)body; }
struct str error_body(err_t e) { (void)e; return STR("{}"); }
int error_headers(struct msg *x, struct http_header out[REFUSAL_HEADERS]) { (void)x; (void)out; return 0; }

void
rest_add(struct rest *r, const void *p, size_t n)
{
	if (n == 0)
		return;
	r->p = mem_realloc(r->p, r->n + n);
	memcpy(r->p + r->n, p, n);
	r->n += (uint32_t)n;
	r->cap = r->n;
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

static struct conn *
world_open(void)
{
	struct conn *c = mem_zalloc(sizeof *c);

	c->magic = CONN_MAGIC;
	c->proto = PROTO_WS;
	c->ws = mem_zalloc(sizeof *c->ws);
	c->ws->magic = WS_MAGIC;
	c->ws->conn = c;
	allowance_begin(&c->ws->frames, conf.rt_frame_rate, NULL);
	http_sockets++;
	world_put(c, LIST_WS);
	return c;
}

static void
world_close(struct conn *c)
{
	world_take(c);
	rest_free(&c->in);
	ws_closed(c);
	free(c);
}

/* Time passes, and the loop turns as often as it is asked to. Returns how often. */
static unsigned
world_pass(uint64_t ms)
{
	unsigned turns = 0;

	world_now += ms;
	ws_sweep();
	for (; world_turn.fn != NULL; turns++) {
		void (*fn)(void *) = world_turn.fn;

		world_turn.fn = NULL;
		fn(world_turn.arg);
	}
	return turns;
}

#endif
