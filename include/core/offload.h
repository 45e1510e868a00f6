/* Heavy work off the loop: a small pool of threads for password hashes, lookups in files, and what else would hold the loop up. */
#ifndef BADAL_CORE_OFFLOAD_H
#define BADAL_CORE_OFFLOAD_H

#include "core/ctx.h"

/* Awaits: runs fn(arg) on the thread pool (conf.offload_threads threads, started at the first call). fn must not touch the loop,
 * fibers or the context's arena (one of its own is fine). `arg` stays the caller's: when the wait ends early, work that no thread has begun is taken back, and work
 * that one has begun is waited for, so that nothing uses `arg` after the return (bounded by fn itself).
 * ERR_BUSY when conf.offload_queue jobs wait already, or when no thread can be started; else as fib_await. */
err_t offload(struct ctx *cx, void (*fn)(void *), void *arg) MUST_CHECK;
/* Jobs that wait or run. */
unsigned offload_queued(void);

#endif
