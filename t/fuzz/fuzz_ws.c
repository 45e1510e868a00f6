/* WebSocket frames of a client, in pieces of every size while time passes: whatever comes, messages are bounded, deadlines hold and
 * memory is freed. The first byte chooses how the rest is cut. */
#include "../00-unit/ws_world.h"
#include "fuzz.h"

static void
on_message(struct ws *w, struct str text)
{
	FUZZ_CHECK(text.n <= (size_t)conf.rt_message_max, "too long a message", STR(""));
	ws_send_text(w, text);	/* an echo: the queue and its limits */
}

static void
on_gone(struct ws *w)
{
	ws_send_text(w, STR("nobody hears this"));
}

static void
limits(void)
{
	conf.rt_message_max = 2000;
	conf.rt_queue_soft = 1000;
	conf.rt_queue_hard = 5000;
	conf.rt_queue_frames = 20;
	conf.rt_ping_interval = 100;
	conf.rt_message_timeout = 150;
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	static const struct http_handler handler = {.ws_message = on_message, .ws_close = on_gone};
	unsigned char how = input.n > 0 ? (unsigned char)input.p[0] : 0;
	size_t step = (how & 63) + 1;
	struct conn *c;

	(void)cx;
	http_handler = &handler;
	limits();
	world_n_out = 0;
	world_choked = (how & 64) == 0;		/* whether the socket takes what is written */
	c = world_open();
	for (size_t at = 1; at < input.n && c->list != LIST_DOOMED && !c->fin_due; at += step) {
		size_t n = input.n - at < step ? input.n - at : step;
		char *piece = mem_alloc(n);

		memcpy(piece, input.p + at, n);
		ws_input(c, piece, n);
		free(piece);
		world_unsent = (int)(at & 8);
		world_pass(step * 3);
		FUZZ_CHECK(c->list == LIST_CLOSING || c->list == LIST_DOOMED || world_now - c->since < 150, "overdue", STR(""));
		if (how & 128) {
			world_choked = false;
			ws_writable(c);
		}
	}
	world_close(c);
}
