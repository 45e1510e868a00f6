/* The loop: one libuv loop per process, timers, signals. Fibers hook their run queue into it (fiber.c). */
#include "core/loop.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "core/arena.h"

void fib_loop_setup(uv_loop_t *loop);	/* fiber.c: hooks the run queue into the loop */

struct loop_timer {
	uv_timer_t uv;
	void (*fn)(void *);
	void *arg;
	bool once;
	bool closing;
};

struct soon {
	struct soon *next;
	void (*fn)(void *);
	void *arg;
};

static uv_loop_t loop;
static bool ready;
static uv_prepare_t soon_handle;
static uv_idle_t soon_awake;	/* runs while work is queued, so that polling does not block */
static struct soon *soon_first, **soon_last = &soon_first;

static void
run_soon(uv_prepare_t *h)
{
	struct soon *list = soon_first;

	(void)h;
	soon_first = NULL;
	soon_last = &soon_first;
	uv_idle_stop(&soon_awake);
	while (list != NULL) {
		struct soon *s = list;

		list = s->next;
		s->fn(s->arg);
		free(s);
	}
}

static void
loop_stay_awake(uv_idle_t *h)
{
	(void)h;
}

void
loop_init(void)
{
	assert(!ready);
	signal(SIGPIPE, SIG_IGN);
	setenv("UV_THREADPOOL_SIZE", "2", 1);	/* host names and cancelled queries; heavy work has its own pool (offload.c) */
	if (uv_loop_init(&loop) != 0)
		abort();
	uv_prepare_init(&loop, &soon_handle);
	uv_prepare_start(&soon_handle, run_soon);
	uv_unref((uv_handle_t *)&soon_handle);
	uv_idle_init(&loop, &soon_awake);
	uv_unref((uv_handle_t *)&soon_awake);
	fib_loop_setup(&loop);
	ready = true;
}

struct uv_loop_s *
loop_uv(void)
{
	assert(ready);
	return &loop;
}

void
loop_run(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
}

void
loop_stop(void)
{
	uv_stop(&loop);
}

uint64_t
loop_now(void)
{
	return uv_now(&loop);
}

static void
loop_timer_closed(uv_handle_t *h)
{
	free(h->data);
}

void
loop_timer_stop(struct loop_timer **tp)
{
	struct loop_timer *t = *tp;

	*tp = NULL;
	if (t == NULL || t->closing)
		return;
	t->closing = true;
	uv_close((uv_handle_t *)&t->uv, loop_timer_closed);
}

static void
timer_fired(uv_timer_t *h)
{
	struct loop_timer *t = h->data;
	void (*fn)(void *) = t->fn;
	void *arg = t->arg;

	if (t->once) {
		struct loop_timer *gone = t;

		loop_timer_stop(&gone);
	}
	fn(arg);
}

static struct loop_timer *
timer_new(uint64_t ms, uint64_t repeat, void (*fn)(void *), void *arg)
{
	struct loop_timer *t = mem_zalloc(sizeof *t);

	t->fn = fn;
	t->arg = arg;
	t->once = repeat == 0;
	uv_timer_init(loop_uv(), &t->uv);
	t->uv.data = t;
	uv_timer_start(&t->uv, timer_fired, ms, repeat);
	return t;
}

struct loop_timer *
loop_every(uint64_t ms, void (*fn)(void *), void *arg)
{
	return timer_new(ms, ms, fn, arg);
}

struct loop_timer *
loop_after(uint64_t ms, void (*fn)(void *), void *arg)
{
	return timer_new(ms, 0, fn, arg);
}

void
loop_soon(void (*fn)(void *), void *arg)
{
	struct soon *s = mem_zalloc(sizeof *s);

	s->fn = fn;
	s->arg = arg;
	*soon_last = s;
	soon_last = &s->next;
	uv_idle_start(&soon_awake, loop_stay_awake);
}

struct signal_hook {
	uv_signal_t uv;
	void (*fn)(int);
};

static void
signal_fired(uv_signal_t *h, int signo)
{
	struct signal_hook *s = h->data;

	s->fn(signo);
}

void
loop_on_signal(int signo, void (*fn)(int signo))
{
	struct signal_hook *s = mem_zalloc(sizeof *s);

	s->fn = fn;
	s->uv.data = s;
	uv_signal_init(loop_uv(), &s->uv);
	uv_signal_start(&s->uv, signal_fired, signo);
	uv_unref((uv_handle_t *)&s->uv);
}
