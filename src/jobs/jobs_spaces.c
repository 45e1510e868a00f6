/* Data spaces in the background: brings up what is behind as soon as the role runs, and looks again from time to time. */
#include "jobs_priv.h"

#include "core/log.h"
#include "model/space.h"

enum { LOOK_MS = 60 * 1000 };

static struct fib_event stop;
static struct fib *walker;

static void
spaces_fiber(struct ctx *outer, void *arg)
{
	(void)arg;
	walker = outer->fib;
	while (!jobs.stopping) {
		struct ctx cx;
		err_t e;

		ctx_init(&cx);
		cx.fib = walker;
		e = space_walk(&cx, true);
		if (e != OK && !jobs.stopping)
			log_warn(&cx, "projects are not looked after", "error=%s detail=%s", err_info(e)->name, cx.detail ? cx.detail : "");
		if (!jobs.stopping && (e = fib_await_for(&cx, &stop, LOOK_MS)) != OK && e != ERR_TIMEOUT)
			log_debug(&cx, "a pause was cut short", NULL);
		ctx_fini(&cx);
	}
	walker = NULL;
	jobs.fibers--;
	jobs_fiber_ended();
}

void
jobs_spaces_start(void)
{
	jobs.fibers++;
	fib_spawn_new("spaces", 0, spaces_fiber, NULL);
}

void
jobs_spaces_stop(void)
{
	fib_signal(&stop);
	if (walker != NULL)
		fib_cancel(walker);
}
