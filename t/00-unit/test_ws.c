/* WebSockets by the clock: who is asked for a sign of life, who is given up, and how long a message may take. */
#include "ws_world.h"

#include <criterion/criterion.h>

enum { PING = 1000, WHOLE = 600, MANY = 1000 };

static unsigned n_messages;

static void
on_message(struct ws *w, struct str text)
{
	(void)w;
	(void)text;
	n_messages++;
}

static void
on_gone(struct ws *w)
{
	cr_expect_eq(w->state, WS_GONE);
	ws_send_text(w, STR("to nobody"));	/* as a handler may try */
}

static void
setup(void)
{
	static const struct http_handler handler = {.ws_message = on_message, .ws_close = on_gone};

	metric_init(1);
	metric_slot(0);
	http_handler = &handler;
	conf.rt_message_max = 4000;
	conf.rt_queue_soft = 1000;
	conf.rt_queue_hard = 4000;
	conf.rt_queue_frames = 20;
	conf.rt_ping_interval = PING;
	conf.rt_message_timeout = WHOLE;
}

TestSuite(ws, .init = setup);

/* A frame with a mask of zeroes. */
static size_t
put(char *to, bool fin, unsigned op, size_t n)
{
	memset(to, 0, 6 + n);
	to[0] = (char)((fin ? 0x80 : 0) | op);
	to[1] = (char)(0x80 | n);
	return 6 + n;
}

static void
say(struct conn *c, const char *p, size_t n)
{
	char *piece = mem_alloc(n);

	memcpy(piece, p, n);
	ws_input(c, piece, n);
	free(piece);
}

/* What was written since the last time is one frame of this kind; a Close also of this code. */
static void
wrote(enum opcode op, int code)
{
	cr_assert(world_n_out >= 2, "nothing was written");
	cr_expect_eq(world_out[0], (char)(0x80 | op));
	if (code != 0)
		cr_expect_eq((unsigned char)world_out[2] << 8 | (unsigned char)world_out[3], code);
	cr_expect_eq(world_n_out, 2 + (size_t)world_out[1]);
	world_n_out = 0;
}

Test(ws, a_silent_one_is_asked_then_given_up)
{
	struct conn *c = world_open();

	world_pass(PING - 1);
	cr_expect_eq(world_n_out, 0);
	world_pass(1);
	wrote(OP_PING, 0);
	cr_expect_eq(metric_value(M_rt_pings), 1);
	world_pass(PING - 1);
	cr_expect_eq(world_n_out, 0);
	world_pass(1);
	wrote(OP_CLOSE, 3008);
	cr_expect_eq(metric_value(M_rt_silent), 1);
	cr_expect_eq(c->list, LIST_CLOSING);
	world_close(c);
}

Test(ws, whatever_is_said_is_an_answer)
{
	struct conn *c = world_open();
	char f[200];
	const struct { bool fin; enum opcode op; } answer[] = {{true, OP_PONG}, {true, OP_TEXT}, {true, OP_PING}};

	for (size_t i = 0; i < sizeof answer / sizeof answer[0]; i++) {
		world_pass(PING);
		wrote(OP_PING, 0);
		world_pass(PING - 1);
		say(c, f, put(f, answer[i].fin, answer[i].op, 5));
		world_n_out = 0;	/* a pong */
		world_pass(PING - 1);
		cr_expect_eq(world_n_out, 0);
		world_now -= PING - 1;
	}
	cr_expect_eq(metric_value(M_rt_silent), 0);
	cr_expect_eq(n_messages, 1);
	world_close(c);
}

Test(ws, off_is_off)
{
	struct conn *c = world_open();
	char f[200];

	conf.rt_ping_interval = conf.rt_message_timeout = 0;
	world_pass(1000 * PING);
	say(c, f, put(f, true, OP_TEXT, 100) - 1);
	world_pass(1000 * PING);
	cr_expect_eq(world_n_out, 0);
	cr_expect_eq(c->list, LIST_WS_PART);
	world_close(c);
}

Test(ws, one_that_reads_slowly_is_waited_for)
{
	struct conn *c = world_open();

	world_unsent = 3000;
	world_pass(PING);
	wrote(OP_PING, 0);
	for (world_unsent = 2000; world_unsent > 0; world_unsent -= 500) {
		world_pass(PING);
		cr_expect_eq(world_n_out, 0);
	}
	world_choked = true;		/* lws keeps bytes; then it gets rid of them */
	world_pass(PING / 2);
	ws_writable(c);
	cr_expect_eq(c->list, LIST_WS);
	world_choked = false;
	world_pass(PING);
	wrote(OP_PING, 0);
	world_pass(PING);
	wrote(OP_CLOSE, 3008);
	world_close(c);
}

Test(ws, a_dripping_message_ends)
{
	struct conn *c = world_open();
	char f[200];
	size_t n = put(f, true, OP_TEXT, 100);

	for (size_t i = 0; i + 1 < n && i < WHOLE / 10; i++) {
		say(c, f + i, 1);
		world_pass(10);
	}
	wrote(OP_CLOSE, 3008);
	cr_expect_eq(metric_value(M_rt_late), 1);
	cr_expect_eq(metric_value(M_rt_pings), 0);
	cr_expect_eq(n_messages, 0);
	world_close(c);
}

Test(ws, pings_inside_do_not_prolong_a_message)
{
	struct conn *c = world_open();
	char f[200];
	unsigned n = 0;

	say(c, f, put(f, false, OP_TEXT, 10));
	while (c->list == LIST_WS_PART && ++n < 100) {
		say(c, f, put(f, true, OP_PING, 0));
		wrote(OP_PONG, 0);
		world_pass(10);
	}
	cr_expect_eq(n, WHOLE / 10);
	wrote(OP_CLOSE, 3008);
	cr_expect_eq(metric_value(M_rt_late), 1);
	world_close(c);
}

Test(ws, each_message_has_its_own_time)
{
	struct conn *c = world_open();
	char two[400];
	size_t n = put(two, true, OP_TEXT, 100);

	put(two + n, true, OP_TEXT, 100);
	say(c, two, n / 2);
	for (int i = 0; i < 10; i++) {		/* the end of one and the beginning of the next: never between two */
		world_pass(WHOLE - 1);
		say(c, two + n / 2, n);
		cr_assert_eq(c->list, LIST_WS_PART);
	}
	cr_expect_eq(n_messages, 10);
	cr_expect_eq(world_n_out, 0);
	world_pass(WHOLE - 1);
	say(c, two + n / 2, n - n / 2);
	cr_expect_eq(c->list, LIST_WS);
	world_close(c);
}

Test(ws, empty_fragments_make_an_empty_message)
{
	struct conn *c = world_open();
	char f[20];

	say(c, f, put(f, false, OP_TEXT, 0));
	say(c, f, put(f, true, OP_MORE, 0));
	cr_expect_eq(n_messages, 1);
	cr_expect_eq(c->list, LIST_WS);
	world_close(c);
}

Test(ws, a_crowd_is_asked_in_slices)
{
	static struct conn *c[MANY];

	for (size_t i = 0; i < MANY; i++)
		c[i] = world_open();
	cr_expect_eq(world_pass(PING), MANY / SWEEP_SLICE);
	cr_expect_eq(world_n_out, 2 * MANY);
	cr_expect_eq(world_pass(PING), MANY / SWEEP_SLICE);
	cr_expect_eq(metric_value(M_rt_silent), MANY);
	for (size_t i = 0; i < MANY; i++)
		world_close(c[i]);
	cr_expect_eq(http_sockets, 0);
}

Test(ws, draining_reaches_all_of_them)
{
	struct conn *quiet = world_open(), *asked, *part;
	char f[200];

	world_pass(PING);
	asked = quiet;
	quiet = world_open();
	part = world_open();
	say(part, f, put(f, true, OP_TEXT, 100) - 1);
	cr_assert_eq(asked->list, LIST_WS_ASKED);
	cr_assert_eq(part->list, LIST_WS_PART);
	world_n_out = 0;
	ws_drain();
	cr_expect_eq(quiet->list, LIST_CLOSING);
	cr_expect_eq(asked->list, LIST_CLOSING);
	cr_expect_eq(part->list, LIST_CLOSING);
	cr_expect_eq(world_n_out, 3 * (2 + 2 + strlen("restart")));
	world_close(quiet);
	world_close(asked);
	world_close(part);
}

static void
send_one(struct conn *c, size_t n)
{
	struct str text = {mem_zalloc(n), n};

	ws_send_text(c->ws, text);
	free((char *)(uintptr_t)text.p);
}

Test(ws, what_sockets_of_one_client_hold_is_bounded_together)
{
	struct conn *a = world_open(), *b = world_open(), *other = world_open();
	struct purse mine = {0}, theirs = {0};
	char f[200];

	conf.rt_bytes_per_client = 5000;
	ws_set_purse(a->ws, &mine);
	ws_set_purse(b->ws, &mine);
	ws_set_purse(other->ws, &theirs);
	world_choked = true;
	for (int i = 0; i < 4; i++)
		send_one(a, 900);
	send_one(b, 900);
	cr_expect_eq(mine.held, 4500);
	send_one(other, 900);
	send_one(b, 900);
	cr_expect_eq(b->ws->state, WS_CLOSING, "it has no room, though its own queue has");
	cr_expect_eq(a->ws->state, WS_OPEN);
	cr_expect_eq(other->ws->state, WS_OPEN);
	cr_expect_eq(metric_value(M_rt_bytes_refused), 1);
	cr_expect_eq(metric_value(M_rt_dropped), 1);
	world_close(b);
	cr_expect_eq(mine.held, 3600);
	ws_set_purse(a->ws, &theirs);	/* another user's by now */
	cr_expect_eq(mine.held, 0);
	cr_expect_eq(theirs.held, 4500);
	world_choked = false;
	ws_writable(a);
	cr_expect_eq(theirs.held, 900);
	say(a, f, put(f, true, OP_TEXT, 100) - 1);	/* half a message counts, too */
	cr_expect_eq(theirs.held, 900 + a->in.cap);
	world_close(a);
	world_close(other);
	cr_expect_eq(theirs.held, 0);
}

Test(ws, half_messages_of_one_client_are_bounded_together)
{
	struct conn *a = world_open(), *b = world_open();
	struct purse mine = {0};
	char f[200];

	conf.rt_bytes_per_client = 150;
	ws_set_purse(a->ws, &mine);
	ws_set_purse(b->ws, &mine);
	say(a, f, put(f, true, OP_TEXT, 100) - 1);
	cr_expect_eq(a->ws->state, WS_OPEN);
	say(b, f, put(f, false, OP_TEXT, 100));
	cr_expect_neq(b->ws->state, WS_OPEN);
	cr_expect_eq(metric_value(M_rt_bytes_refused), 1);
	world_close(a);
	world_close(b);
	cr_expect_eq(mine.held, 0);
}
