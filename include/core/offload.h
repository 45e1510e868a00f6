/* Heavy work off the loop: lanes of threads for password hashes, look-ups in files, and what else would hold the loop up. */
#ifndef BADAL_CORE_OFFLOAD_H
#define BADAL_CORE_OFFLOAD_H

#include "core/ctx.h"

enum lane {
#define LANE(name, threads, queue, doc) LANE_##name,
#include "tbl/lanes.h"
#undef LANE
	LANE_N
};

/* Awaits: runs fn(arg) on a thread of the lane (include/tbl/lanes.h); projects, and within a project clients, take turns. fn must not touch the
 * loop, fibers or the context's arena (one of its own is fine). `arg` stays the caller's: when the wait ends early, work that no thread has begun
 * is taken back, and work that one has begun is waited for, so that nothing uses `arg` after the return (bounded by fn itself).
 * ERR_BUSY when the lane's queue is full (or the part of it that one client or project may have), when the work has waited for conf.offload_wait,
 * or when no thread can be started; else as fib_await. */
err_t offload(struct ctx *cx, enum lane lane, void (*fn)(void *), void *arg) MUST_CHECK;
/* The same in two halves, for who has something else to do meanwhile: one piece of work at a time. `cx` is the one that begins it. */
struct offload;
struct offload *offload_new(struct ctx *cx);	/* lives as long as cx */
err_t offload_begin(struct ctx *cx, struct offload *o, enum lane lane, void (*fn)(void *), void *arg) MUST_CHECK;	/* no wait */
err_t offload_end(struct ctx *cx, struct offload *o) MUST_CHECK;	/* awaits; errors as offload: the work was not done, or has ended */
bool offload_busy(const struct offload *o);	/* begun, and not ended by offload_end or offload_drop */
void offload_drop(struct ctx *cx, struct offload *o);	/* takes it back, or waits for it whatever the deadline; nothing to do is fine */
/* Nobody waits for it: fn(arg) on a thread of the lane, some time, and `arg` is its own; here and now when there is no room. */
void offload_leave(enum lane lane, void (*fn)(void *), void *arg);
/* What waits or runs, in one lane; in all. */
unsigned offload_queued_in(enum lane lane);
unsigned offload_queued(void);

#endif
