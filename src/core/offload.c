/* The thread pool.
 *
 * libuv's own would do, but for the way it reports that work is done: uv_async_send writes to a descriptor, which wakes the
 * loop, and takes its mark back only then. The threads here are nicer than the loop, so the loop preempts them right between the
 * two and spins on that mark, against the very thread that has no turn to clear it: 5 to 15 ms in which nothing is served. Here
 * the write is the last thing that a thread does with a job. And host names and cancelled queries, which libuv's pool
 * goes on to serve, do not queue behind a thousand password hashes. */
#include "core/offload.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"

enum { POOL_NICE = 10 };

struct work {
	TAILQ_ENTRY(work) link;		/* in `waiting` until a thread begins it; under the lock */
	struct work *next;		/* in `finished` */
	bool begun;			/* under the lock */
	void (*fn)(void *);
	void *arg;
	struct fib_event done;		/* the loop's */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static TAILQ_HEAD(, work) waiting = TAILQ_HEAD_INITIALIZER(waiting);
static _Atomic(struct work *) finished;	/* a stack: latest first */
static int bell = -1;			/* eventfd: rung after each push on `finished` */
static uv_poll_t bell_handle;		/* keeps the loop running while n_offloaded > 0 */
static unsigned n_threads, n_offloaded;

/* ---- threads ---- */

static struct work *
take(void)
{
	struct work *w;

	pthread_mutex_lock(&lock);
	while ((w = TAILQ_FIRST(&waiting)) == NULL)
		pthread_cond_wait(&more, &lock);
	TAILQ_REMOVE(&waiting, w, link);
	w->begun = true;
	pthread_mutex_unlock(&lock);
	return w;
}

/* Once w is on the stack its caller may be gone at any moment. */
static void
give(struct work *w)
{
	w->next = atomic_load(&finished);
	while (!atomic_compare_exchange_weak(&finished, &w->next, w))
		continue;
	(void)eventfd_write(bell, 1);
}

static void *
thread(void *arg)
{
	/* a thousand password hashes must not delay a request by a time slice */
	(void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), POOL_NICE);
	for (;;) {
		struct work *w = take();

		w->fn(w->arg);
		give(w);
	}
	return arg;
}

static void
threads_start(void)
{
	unsigned wanted = conf.offload_threads > 0 ? (unsigned)conf.offload_threads : 1;
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t t;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);	/* signals are the loop's */
	while (n_threads < wanted && pthread_create(&t, &attr, thread, NULL) == 0)
		n_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
}

/* ---- the loop's side ---- */

static void
count(int by)
{
	if (n_offloaded == 0)
		uv_ref((uv_handle_t *)&bell_handle);
	n_offloaded += (unsigned)by;
	if (n_offloaded == 0)
		uv_unref((uv_handle_t *)&bell_handle);
	metric_set(M_offload_queue, n_offloaded);
}

static void
on_bell(uv_poll_t *h, int status, int events)
{
	struct work *latest, *first = NULL;
	eventfd_t rings;

	(void)h, (void)status, (void)events;
	(void)eventfd_read(bell, &rings);
	latest = atomic_exchange(&finished, NULL);
	while (latest != NULL) {
		struct work *w = latest;

		latest = w->next;
		w->next = first;
		first = w;
	}
	while (first != NULL) {
		struct work *w = first;

		first = w->next;
		count(-1);
		fib_signal(&w->done);
	}
}

static bool
pool_start(void)
{
	if (bell < 0) {
		if ((bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
			return false;
		uv_poll_init(loop_uv(), &bell_handle, bell);
		uv_poll_start(&bell_handle, UV_READABLE, on_bell);
		uv_unref((uv_handle_t *)&bell_handle);
	}
	if (n_threads == 0)
		threads_start();
	return n_threads > 0;
}

static void
put(struct work *w)
{
	pthread_mutex_lock(&lock);
	TAILQ_INSERT_TAIL(&waiting, w, link);
	pthread_mutex_unlock(&lock);
	pthread_cond_signal(&more);
}

/* True when no thread had begun w, and none will. */
static bool
take_back(struct work *w)
{
	bool mine;

	pthread_mutex_lock(&lock);
	mine = !w->begun;
	if (mine)
		TAILQ_REMOVE(&waiting, w, link);
	pthread_mutex_unlock(&lock);
	return mine;
}

static void
wait_for(struct ctx *cx, struct work *w)
{
	uint64_t deadline = cx->deadline;

	fib_shield(cx, true);
	cx->deadline = 0;
	while (!w->done.set)
		if (fib_await(cx, &w->done) != OK)
			break;
	cx->deadline = deadline;
	fib_shield(cx, false);
}

err_t
offload(struct ctx *cx, void (*fn)(void *), void *arg)
{
	struct work w = {.fn = fn, .arg = arg};
	err_t e;

	if (n_offloaded >= (unsigned)conf.offload_queue)
		return fail(cx, ERR_BUSY, "offload queue is full");
	if (!pool_start())
		return fail(cx, ERR_BUSY, "no thread can be started");
	put(&w);
	count(1);
	metric_add(M_offload_jobs, 1);
	e = fib_await(cx, &w.done);
	if (w.done.set)
		return e;
	if (take_back(&w))
		count(-1);
	else
		wait_for(cx, &w);
	return e;
}

unsigned
offload_queued(void)
{
	return n_offloaded;
}
