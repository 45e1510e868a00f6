/* Runs that a client waits for. Most are over in a few milliseconds: their row is written once, as what became of them, in one statement with the event. The row of one that is
 * not over so soon is written while it runs, so that it can be seen, and is looked after should this process die (execution_care.c); its end is another statement then. */
#include "execution.h"

#include <assert.h>

#include "core/fiber.h"
#include "core/loop.h"

enum { NOW_MAGIC = 0x6e6f7721, SOON_MS = 20, WRITE_MS = 10 * 1000 };

struct execution_now {
	unsigned magic;
	const struct project *p;
	struct execution *e;		/* what it is about to be; the caller's */
	struct loop_timer *timer;
	/* of one that is not over soon */
	bool late;			/* a fiber writes the row, or has */
	struct ctx cx;			/* its */
	struct execution row;
	struct fib_event written;
	err_t err;
};

static void
now_fiber(struct ctx *cx, void *arg)
{
	struct execution_now *n = arg;

	assert(n->magic == NOW_MAGIC);
	n->err = record_put(cx, n->p, &execution_whole_record, &n->row);
	if (n->err == OK)
		execution_watch(cx, n->p, &n->row);
	fib_signal(&n->written);
}

static void
now_late(void *arg)
{
	struct execution_now *n = arg;

	assert(n->magic == NOW_MAGIC);
	n->timer = NULL;
	n->late = true;
	n->cx.deadline = loop_now() + WRITE_MS;
	fib_spawn(&n->cx, now_fiber, n);
}

struct execution_now *
execution_now_begin(struct ctx *cx, const struct project *p, struct execution *e)
{
	struct execution_now *n = arena_new_of(cx->arena, struct execution_now);

	*n = (struct execution_now){.magic = NOW_MAGIC, .p = p, .e = e, .row = *e};
	ctx_init_part(&n->cx, cx);
	n->timer = loop_after(SOON_MS, now_late, n);
	return n;
}

/* Awaits the fiber, whatever happens: it has our memory, and is bounded in time. True: the row is there. The time for the run may be over: what became of it is written all the same. */
static bool
now_wait(struct ctx *cx, struct execution_now *n)
{
	err_t e = OK;

	loop_timer_stop(&n->timer);
	cx->deadline = 0;
	fib_shield(cx, true);
	if (n->late)
		e = fib_await(cx, &n->written);
	fib_shield(cx, false);
	assert(e == OK);
	cx->deadline = loop_now() + WRITE_MS;
	n->e->internal = n->row.internal;
	return n->late && n->err == OK;
}

err_t
execution_now_end(struct ctx *cx, struct execution_now *n, const struct event_info *kind, struct str payload)
{
	bool there = now_wait(cx, n);
	err_t err;

	assert(n->magic == NOW_MAGIC);
	err = there ? execution_end(cx, n->p, n->e, kind, payload) : execution_remember(cx, n->p, n->e, kind, payload);
	if (n->late && (err == OK || !there))
		execution_unwatch(cx, n->p, n->e);
	else if (n->late)
		execution_give_up(cx, n->p, n->e);
	ctx_fini(&n->cx);
	n->magic = 0;
	return err;
}
