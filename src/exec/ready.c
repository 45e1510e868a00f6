/* A network that is ready before a process needs one: to make it takes as long as the rest of a sandbox, and it is the same for all. It knows addresses of this
 * machine and of its name servers, so that it is not kept for long. */
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "exec_priv.h"

enum { NEXT_MS = 100, KEPT_MS = 60 * 1000, MAKE_MS = 10 * 1000 };

static struct {
	struct net *net;		/* NULL: there is none */
	uint64_t since;
	bool making, lost, ended;
} ready;

static void
ready_lost(void *arg)
{
	(void)arg;
	ready.lost = true;
}

static void
ready_drop(void)
{
	if (ready.net != NULL)
		net_on_lost(ready.net, NULL, NULL);
	net_free(&ready.net);
}

static void
ready_fiber(struct ctx *cx, void *arg)
{
	struct net *n = NULL;

	(void)arg;
	if (!ready.ended && net_open(cx, &n) == OK) {
		ready.net = n;
		ready.since = loop_now();
		ready.lost = false;
		net_on_lost(n, ready_lost, NULL);
	}
	ready.making = false;
	if (ready.ended)
		ready_drop();
}

static void
ready_make(void *arg)
{
	(void)arg;
	fib_spawn_new("ready", MAKE_MS, ready_fiber, NULL);
}

void
ready_tick(void)
{
	if (ready.net != NULL && (ready.lost || loop_now() - ready.since > KEPT_MS))
		ready_drop();
	if (ready.net != NULL || ready.making || ready.ended || !net_on())
		return;
	ready.making = true;
	loop_after(NEXT_MS, ready_make, NULL);	/* not beside what needed the last one */
}

err_t
ready_take(struct ctx *cx, struct net **out)
{
	*out = ready.lost ? NULL : ready.net;
	if (*out == NULL)
		return net_open(cx, out);
	net_on_lost(*out, NULL, NULL);
	ready.net = NULL;
	ready_tick();
	return OK;
}

void
ready_end(void)
{
	ready.ended = true;
	ready_drop();
}
