/* Processes that work for us on what must not be touched here (hostile pictures, by libraries that nobody trusts), or that would hold the loop up from a
 * thread (password hashes, which map much memory). They hold no connection, no key and no file, are started when there is work, by the supervisor (a process that serves cannot: what it forks has its memory), and end when there was none
 * for a while. One works for one fiber at a time; who waits for one takes turns (core/fair.h). */
#ifndef BADAL_IO_WORKER_H
#define BADAL_IO_WORKER_H

#include <sys/types.h>

#include "core/ctx.h"
#include "core/fair.h"
#include "core/metric.h"

/* Of a scanner there is one for the machine, which makes the workers itself: what it has in memory is large, and theirs too. */
enum launch_kind { LAUNCH_PICTURE, LAUNCH_SCAN, LAUNCH_PASSWORD, LAUNCH_N };

struct worker;

struct worker_pool {		/* of one kind, in this process; static. The first members are its owner's */
	enum launch_kind kind;
	const int64_t *width, *queue, *wait, *idle;	/* settings: processes, how many may wait for one, for how long, ms without work until one ends */
	uint64_t start_ms;	/* until a new one must have spoken; 0: 15 s */
	err_t (*greet)(struct ctx *cx, struct worker *w);	/* awaits: the first words with a new one */
	enum metric started, lost, refused, busy;
	/* private */
	struct fair waiting;
	struct worker *free;
	unsigned n, n_busy;
};

/* The way to the supervisor, inherited from it; -1: there is none, and no worker either. */
void worker_launcher(int fd);
bool worker_can(void);		/* there is one */
/* Whether one more of cx's client may wait for one: ask before work is begun that a refusal makes vain. ERR_BUSY, counted. */
err_t worker_room(struct ctx *cx, struct worker_pool *p) MUST_CHECK;
/* Awaits one; it must be given back. ERR_BUSY: too many wait, the wait was too long, or none can be started. */
err_t worker_take(struct ctx *cx, struct worker_pool *p, struct worker **out) MUST_CHECK;
/* `well` false: it is in the middle of something, or not what it was, and is killed. */
void worker_give(struct worker *w, bool well);

/* One message with descriptors, which stay the caller's. False: it is gone. */
bool worker_send(struct worker *w, const void *p, size_t n, const int *fds, int n_fds);
/* Awaits a message of exactly n bytes until `deadline` (loop_now() ms), the context's own or its cancellation. ERR_FETCH: it is gone, or says
 * something else. */
err_t worker_hear(struct ctx *cx, struct worker *w, void *p, size_t n, uint64_t deadline) MUST_CHECK;

/* ---- the supervisor's side (src/main/launch.c), and messages with descriptors for both ---- */

enum { PASS_MAX = 2 };
bool pass_send(int fd, const void *p, size_t n, const int *fds, int n_fds);
/* The length of the message, -1: none. At most PASS_MAX descriptors are taken (close-on-exec), -1 in the places of those that did not come. */
ssize_t pass_recv(int fd, void *p, size_t n, int fds[PASS_MAX], int flags);

#endif
