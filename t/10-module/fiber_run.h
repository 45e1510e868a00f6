/* Tests that run on a fiber, of programs that have no server of their own to begin with: space.h has those. */
#ifndef BADAL_T_FIBER_RUN_H
#define BADAL_T_FIBER_RUN_H

#include <criterion/criterion.h>

#include "core/fiber.h"
#include "core/loop.h"

static bool finished;
static void (*finish_first)(void);	/* what ends before the loop; NULL: nothing */

static void
finish(void)
{
	finished = true;
	if (finish_first != NULL)
		finish_first();
	loop_stop();
}

/* Runs fn on a fiber until it calls finish(). */
static void
run_for(uint64_t ms, fib_fn fn)
{
	fib_spawn_new("test", ms, fn, NULL);
	loop_run();
	cr_assert(finished);
}

#endif
