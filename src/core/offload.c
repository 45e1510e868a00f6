/* Lanes of threads.
 *
 * libuv's own pool would do, but for the way it reports that work is done: uv_async_send writes to a descriptor, which wakes the
 * loop, and takes its mark back only then. The threads here are nicer than the loop, so the loop preempts them right between the
 * two and spins on that mark, against the very thread that has no turn to clear it: 5 to 15 ms in which nothing is served. Here
 * the write is the last thing that a thread does with a job. And host names and cancelled queries, which libuv's pool
 * goes on to serve, do not queue behind a thousand password hashes.
 *
 * Nor does anything else: each kind of work is a lane with threads and a queue of its own, and the kernel shares the processor among the threads. A
 * thread is started when work comes and none is free, up to the lane's width; it stays, since starting costs more than sleeping. Within a
 * lane who waits takes turns (core/fair.h), and no client can fill the queue for the others. */
#include "core/offload.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "core/conf.h"
#include "core/fair.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"

enum { POOL_NICE = 10, CLIENT_PART = 8, PROJECT_PART = 2, WORK_MAGIC = 0x776f726b };

struct work {
	struct fair_item item;		/* in `waiting` of its lane until a thread begins it; under the lock. First: the queue gives it back */
	unsigned magic;
	struct work *next;		/* in `finished` */
	struct lane_state *lane;
	bool begun;			/* under the lock */
	bool left;			/* nobody waits: it is its own, and freed once it is done */
	uint64_t given, taken;		/* uv_hrtime */
	void (*fn)(void *);
	void *arg;
	struct fib_event done;		/* the loop's */
};

struct lane_state {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct fair waiting;		/* under the lock */
	unsigned idle;			/* threads that wait for work; under the lock */
	unsigned threads, n;		/* n: works that wait or run. The loop's */
	const int64_t *width, *bound;	/* settings */
	enum metric gauge;
};

static struct lane_state lanes[LANE_N] = {
#define LANE(name, n_threads, queue, doc)                                                                                   \
	[LANE_##name] = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER,                                \
	    .width = &conf.offload_##name##_threads, .bound = &conf.offload_##name##_queue, .gauge = M_offload_queue_##name},
#include "tbl/lanes.h"
#undef LANE
};

static _Atomic(struct work *) finished;	/* a stack: latest first */
static int bell = -1;			/* eventfd: rung after each push on `finished` */
static uv_poll_t bell_handle;		/* keeps the loop running while n_offloaded > 0 */
static unsigned n_offloaded;

/* ---- threads ---- */

static struct work *
offload_take(struct lane_state *l)
{
	struct work *w;

	pthread_mutex_lock(&l->lock);
	while ((w = (struct work *)fair_take(&l->waiting)) == NULL) {
		l->idle++;
		pthread_cond_wait(&l->more, &l->lock);
		l->idle--;
	}
	assert(w->magic == WORK_MAGIC && !w->begun);
	w->begun = true;
	w->taken = uv_hrtime();
	pthread_mutex_unlock(&l->lock);
	return w;
}

/* Once w is on the stack its caller may be gone at any moment. */
static void
offload_give(struct work *w)
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
		struct work *w = offload_take(arg);

		w->fn(w->arg);
		offload_give(w);
	}
	return arg;
}

/* One more, unless the lane has all it may have. False: the lane has no thread at all. */
static bool
thread_start(struct lane_state *l)
{
	unsigned width = *l->width > 0 ? (unsigned)*l->width : 1;
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t t;

	if (l->threads >= width)
		return true;
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);	/* signals are the loop's */
	if (pthread_create(&t, &attr, thread, l) == 0)
		l->threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return l->threads > 0;
}

/* ---- the loop's side ---- */

static void
offload_count(struct lane_state *l, int by)
{
	if (n_offloaded == 0)
		uv_ref((uv_handle_t *)&bell_handle);
	n_offloaded += (unsigned)by;
	l->n += (unsigned)by;
	if (n_offloaded == 0)
		uv_unref((uv_handle_t *)&bell_handle);
	metric_set(M_offload_queue, n_offloaded);
	metric_set(l->gauge, l->n);
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

		assert(w->magic == WORK_MAGIC && w->begun);
		first = w->next;
		offload_count(w->lane, -1);
		metric_observe(M_offload_wait, (w->taken - w->given) / 1000);
		if (w->left)
			free(w);
		else
			fib_signal(&w->done);
	}
}

static bool
bell_start(void)
{
	if (bell >= 0)
		return true;
	if ((bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		return false;
	uv_poll_init(loop_uv(), &bell_handle, bell);
	uv_poll_start(&bell_handle, UV_READABLE, on_bell);
	uv_unref((uv_handle_t *)&bell_handle);
	return true;
}

/* Room in the queue for one more of this client: a full queue is refused to all, so nobody may fill it alone. Under the lock. */
static bool
has_room(const struct lane_state *l, struct fair_key key)
{
	return fair_room(&l->waiting, key, *l->bound > 0 ? (unsigned)*l->bound : 1, CLIENT_PART, PROJECT_PART);
}

/* *short_out: fewer threads are free than works wait. (One that was woken and has not looked yet is free, and its work waits.) */
static bool
offload_put(struct work *w, struct fair_key key, bool *short_out)
{
	struct lane_state *l = w->lane;
	bool room;

	pthread_mutex_lock(&l->lock);
	room = has_room(l, key);
	if (room)
		fair_put(&l->waiting, &w->item, key);
	*short_out = l->idle < l->waiting.n;
	pthread_mutex_unlock(&l->lock);
	if (room) {
		pthread_cond_signal(&l->more);
		offload_count(l, 1);
	}
	return room;
}

/* True when no thread had begun w, and none will. */
static bool
take_back(struct work *w)
{
	struct lane_state *l = w->lane;
	bool mine;

	pthread_mutex_lock(&l->lock);
	mine = !w->begun;
	if (mine)
		fair_remove(&l->waiting, &w->item);
	pthread_mutex_unlock(&l->lock);
	if (mine)
		offload_count(l, -1);
	return mine;
}

/* What a thread has begun ends, whatever the caller's deadline. */
static void
wait_for(struct ctx *cx, struct work *w)
{
	uint64_t deadline = cx->deadline;

	fib_shield(cx, true);
	cx->deadline = 0;
	while (!w->done.set)
		if (fib_await(cx, &w->done) != OK)
			break;
	assert(w->done.set);
	cx->deadline = deadline;
	fib_shield(cx, false);
}

/* Awaits the end of the work; for its begin conf.offload_wait at most. */
static err_t
wait_in_turn(struct ctx *cx, struct work *w)
{
	err_t e = conf.offload_wait > 0 ? fib_await_for(cx, &w->done, (uint64_t)conf.offload_wait) : fib_await(cx, &w->done);
	bool late = e == ERR_TIMEOUT && (cx->deadline == 0 || cx->deadline > loop_now());

	if (w->done.set)
		return e;
	if (take_back(w) && late) {
		metric_add(M_offload_late, 1);
		return fail(cx, ERR_BUSY, "no thread was free for this heavy work in %lld ms", (long long)conf.offload_wait);
	}
	if (w->begun && late)
		e = fib_await(cx, &w->done);
	if (w->begun && !w->done.set)
		wait_for(cx, w);
	return e;
}

static err_t
work_begin(struct ctx *cx, struct work *w, enum lane lane, void (*fn)(void *), void *arg)
{
	bool too_few;

	assert(lane < LANE_N);
	*w = (struct work){.magic = WORK_MAGIC, .lane = &lanes[lane], .given = uv_hrtime(), .fn = fn, .arg = arg};
	if (!bell_start())
		return fail(cx, ERR_BUSY, "no descriptor for the threads' bell");
	if (!offload_put(w, fair_key(cx), &too_few)) {
		metric_add(M_offload_refused, 1);
		return fail(cx, ERR_BUSY, "the queue of this heavy work is full");
	}
	metric_add(M_offload_jobs, 1);
	if (too_few && !thread_start(w->lane) && take_back(w))
		return fail(cx, ERR_BUSY, "no thread can be started");
	return OK;
}

err_t
offload(struct ctx *cx, enum lane lane, void (*fn)(void *), void *arg)
{
	struct work w;

	TRY(work_begin(cx, &w, lane, fn, arg));
	return wait_in_turn(cx, &w);
}

void
offload_leave(enum lane lane, void (*fn)(void *), void *arg)
{
	struct work *w = mem_alloc(sizeof *w);
	bool too_few, given;

	assert(lane < LANE_N);
	*w = (struct work){.magic = WORK_MAGIC, .lane = &lanes[lane], .given = uv_hrtime(), .left = true, .fn = fn, .arg = arg};
	given = bell_start() && offload_put(w, (struct fair_key){0}, &too_few);
	if (given && (!too_few || thread_start(w->lane) || !take_back(w))) {
		metric_add(M_offload_jobs, 1);
		return;
	}
	free(w);
	fn(arg);
}

/* ---- in two halves ---- */

struct offload {
	struct work w;
	bool busy;
};

struct offload *
offload_new(struct ctx *cx)
{
	return arena_new_of(cx->arena, struct offload);
}

err_t
offload_begin(struct ctx *cx, struct offload *o, enum lane lane, void (*fn)(void *), void *arg)
{
	assert(!o->busy);
	TRY(work_begin(cx, &o->w, lane, fn, arg));
	o->busy = true;
	return OK;
}

err_t
offload_end(struct ctx *cx, struct offload *o)
{
	assert(o->busy);
	o->busy = false;
	return wait_in_turn(cx, &o->w);
}

bool
offload_busy(const struct offload *o)
{
	return o->busy;
}

void
offload_drop(struct ctx *cx, struct offload *o)
{
	if (o->busy && !o->w.done.set && !take_back(&o->w))
		wait_for(cx, &o->w);
	o->busy = false;
}

unsigned
offload_queued_in(enum lane lane)
{
	return lanes[lane].n;
}

unsigned
offload_queued(void)
{
	return n_offloaded;
}
