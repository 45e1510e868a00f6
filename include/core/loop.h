/* The loop: one libuv loop per process, time, signals, and the run queue of fibers. */
#ifndef BADAL_CORE_LOOP_H
#define BADAL_CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;
struct loop_timer;

void loop_init(void);			/* once per process, after fork */
struct uv_loop_s *loop_uv(void);	/* for the adapters in src/io */
void loop_run(void);			/* until loop_stop and no active handles, or loop_stop(now) */
void loop_stop(void);
uint64_t loop_now(void);		/* milliseconds, monotonic, as of this turn */

/* Calls fn(arg) every `ms` (or once) on the loop; returns a timer to stop. The fn must not await. */
struct loop_timer *loop_every(uint64_t ms, void (*fn)(void *), void *arg);
struct loop_timer *loop_after(uint64_t ms, void (*fn)(void *), void *arg);	/* frees itself after it fired */
void loop_timer_stop(struct loop_timer **tp);	/* NULL is fine */
/* Calls fn(arg) once per loop turn after callbacks ran, before polling (for batched work). */
void loop_soon(void (*fn)(void *), void *arg);	/* next turn, once */
void loop_on_signal(int signo, void (*fn)(int signo));

#endif
