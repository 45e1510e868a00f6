/* Fibers: straight-line code on the event loop (pooled mmap stacks with a guard page).
 *
 * One fiber runs at a time, on the loop's thread; nothing else runs between two awaits. An adapter that waits holds a
 * struct fib_event; its callback calls fib_signal, and the fiber is resumed from the run queue, never inside the callback. */
#ifndef BADAL_CORE_FIBER_H
#define BADAL_CORE_FIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ctx.h"

struct fib_event {		/* embed it in the operation that is waited for; all zero at first */
	struct fib *waiter;	/* at most one */
	bool set;		/* signalled; stays so until fib_event_reset */
};

typedef void (*fib_fn)(struct ctx *cx, void *arg);

/* Starts fn on a fiber of its own at the next turn of the run queue. `cx` must outlive it; fn frees what it owns at its end
 * (the fiber does not touch cx after fn returned). Sets cx->fib. Aborts only when no stack can be mapped. */
void fib_spawn(struct ctx *cx, fib_fn fn, void *arg);
/* The same with a context made for it, finished when fn returns. `timeout_ms` 0: no deadline. */
void fib_spawn_new(const char *id, uint64_t timeout_ms, fib_fn fn, void *arg);
/* The fiber that runs now, or NULL on the loop itself. */
struct fib *fib_current(void);
/* Number of fibers alive. */
unsigned fib_count(void);

/* Awaits. OK once `ev` is set (at once if it is already); ERR_TIMEOUT when cx->deadline passes; ERR_CANCELLED after
 * fib_cancel. After an error ev->waiter is cleared: the operation may still finish later and must cope with nobody waiting. */
err_t fib_await(struct ctx *cx, struct fib_event *ev) MUST_CHECK;
/* The same with a shorter deadline of its own, in ms from now. */
err_t fib_await_for(struct ctx *cx, struct fib_event *ev, uint64_t timeout_ms) MUST_CHECK;
void fib_signal(struct fib_event *ev);		/* loop or fiber; never suspends */
void fib_event_reset(struct fib_event *ev);

/* Awaits a turn of the loop once fibers that work long have had their share of this one (half a millisecond), else returns at once:
 * call it before something large and between its pieces. Of those that wait one goes on per turn, or as many as fit into a share; projects, and
 * within a project clients (of the context), take turns. */
err_t fib_yield(struct ctx *cx) MUST_CHECK;
/* Awaits ms milliseconds. */
err_t fib_sleep(struct ctx *cx, uint64_t ms) MUST_CHECK;
/* Makes the current and every later await of f fail with ERR_CANCELLED (client gone, server stopping). */
void fib_cancel(struct fib *f);
bool fib_cancelled(const struct fib *f);
/* Runs the body of critical work to its end although the client left: awaits ignore cancellation (not deadlines) while > 0. */
void fib_shield(struct ctx *cx, bool on);

#endif
