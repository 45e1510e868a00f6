/* Fibers.
 *
 * Stacks are mmapped with a guard page and pooled. That takes the lock of the whole address space, which a thread may hold for many milliseconds
 * (a password hash has 64 MiB mapped and filled, and given back), and for longer when it has no core meanwhile. So they are made many at a time, the
 * first ones before there are threads, and are not given back: their pages are, by a timer, a few at a time. Wakers never switch: they put the fiber on the run queue, which the loop
 * drains before polling and right after (uv_prepare, uv_check), so all callbacks of one turn run first and none is re-entered.
 * Deadlines of waiting fibers are looked at by one timer, every DEADLINE_TICK ms: cheaper than a timer per await, and a
 * deadline need not be exact. A fiber that yields stands in a queue of its own, of which one goes on per turn, or as many as fit into a share: however
 * many work long, a turn costs about one share, and who waits for little is served between. In that queue projects and clients take turns (core/fair.h):
 * who makes a lot of long work waits for it, not the others for theirs. */
#include "core/fiber.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include "core/fair.h"
#include "core/loop.h"
#include "fiber_priv.h"

#ifdef FIB_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

void fib_loop_setup(uv_loop_t *loop);

enum { SHARE_NS = 500000 };
enum { STACK_SIZE = 256 * 1024, DEADLINE_TICK = 20, FIB_MAGIC = 0x66696265 };
enum { STACKS_AT_ONCE = 512, STACKS_WARM = 32, COOL_MS = 50, COOL_AT_ONCE = 8 };

enum fib_state {
	FIB_READY,	/* on the run queue */
	FIB_RUNNING,
	FIB_WAITING,	/* in an await, on the waiting list */
	FIB_YIELDED,	/* in fib_yield, in `yielded` */
	FIB_DONE
};

struct fib {
	unsigned magic;
	enum fib_state state;		/* moved by fib_move only */
	struct fib *next, *prev;	/* run queue, or ring of the waiting */
	struct fair_item place;		/* in `yielded` */
	struct registers registers;
	char *stack;			/* lowest usable address */
	struct ctx *cx;
	fib_fn fn;
	void *arg;
	struct fib_event *event;	/* awaited */
	uint64_t deadline;		/* of this await, loop_now() ms; 0 none */
	err_t result;			/* of the await, when not the event's */
	bool cancelled;
	int shield;			/* > 0: awaits ignore cancellation */
	void *fake;			/* ASan's fake stack */
};

static struct fib *running;
static struct fib *ready_first, **ready_last = &ready_first;
static struct fair yielded;
static uint64_t share_began;		/* uv_hrtime() when one that had yielded went on, or of the first fib_yield in this turn; 0: neither yet */
static uv_idle_t awake;			/* runs while somebody has yielded, so that polling does not block */
static struct fib waiting = {.next = &waiting, .prev = &waiting};
static struct registers loop_registers;
static unsigned alive;
static struct stack {
	char *low;
	bool warm;		/* it has been used, and its pages have not been given back since */
} *stacks;			/* free ones; the last is taken first */
static unsigned n_stacks, all_stacks, peak;	/* peak: the most that were in use since all was cool */
static bool cooling;
static uv_timer_t cooler;
static uv_prepare_t prepare;
static uv_check_t check;
static uv_timer_t ticker;

#ifdef FIB_ASAN
static const void *loop_stack;
static size_t loop_stack_size;
#endif

/* ---- stacks ---- */

/* Behind the others, so that the first is taken last. */
static void
stacks_make(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), each = STACK_SIZE + page;
	char *p = mmap(NULL, each * STACKS_AT_ONCE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (p == MAP_FAILED)
		mem_fatal(each * STACKS_AT_ONCE);
	all_stacks += STACKS_AT_ONCE;
	stacks = mem_realloc(stacks, all_stacks * sizeof *stacks);
	for (size_t i = 0; i < STACKS_AT_ONCE; i++) {
		if (mprotect(p + i * each, page, PROT_NONE) != 0)
			mem_fatal(each);
		stacks[n_stacks++] = (struct stack){.low = p + i * each + page};
	}
}

static char *
stack_get(void)
{
	if (n_stacks == 0)
		stacks_make();
	n_stacks--;
	if (all_stacks - n_stacks > peak)
		peak = all_stacks - n_stacks;
	return stacks[n_stacks].low;
}

/* A burst must not leave its pages resident for ever. The warm ones are the last, since those are taken first and come back there. */
static void
stacks_cool(uv_timer_t *t)
{
	unsigned warm = 0, cooled = 0;

	for (unsigned i = n_stacks; i-- > 0 && cooled < COOL_AT_ONCE;) {
		if (!stacks[i].warm || ++warm <= STACKS_WARM)
			continue;
		madvise(stacks[i].low, STACK_SIZE, MADV_DONTNEED);
		stacks[i].warm = false;
		cooled++;
	}
	cooling = cooled == COOL_AT_ONCE;
	if (cooling)
		uv_timer_start(t, stacks_cool, COOL_MS, 0);
	else
		peak = all_stacks - n_stacks;
}

static void
stack_put(char *stack)
{
	stacks[n_stacks++] = (struct stack){stack, true};
	if (cooling || peak <= STACKS_WARM)
		return;
	cooling = true;
	uv_timer_start(&cooler, stacks_cool, COOL_MS, 0);
	uv_unref((uv_handle_t *)&cooler);
}

/* ---- switching ---- */

/* Leaves the running fiber for the loop, or the loop for `to` (NULL: the loop). */
static void
switch_out(struct fib *from, bool last)
{
#ifdef FIB_ASAN
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake, loop_stack, loop_stack_size);
#endif
	(void)last;
	registers_swap(&from->registers, &loop_registers);
#ifdef FIB_ASAN
	__sanitizer_finish_switch_fiber(from->fake, &loop_stack, &loop_stack_size);
#endif
}

static void
switch_in(struct fib *to)
{
#ifdef FIB_ASAN
	void *fake;

	__sanitizer_start_switch_fiber(&fake, to->stack, STACK_SIZE);
#endif
	registers_swap(&loop_registers, &to->registers);
#ifdef FIB_ASAN
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void
entry(void)
{
	struct fib *f = running;

#ifdef FIB_ASAN
	__sanitizer_finish_switch_fiber(NULL, &loop_stack, &loop_stack_size);
#endif
	f->fn(f->cx, f->arg);
	f->state = FIB_DONE;
	switch_out(f, true);
	abort();	/* a finished fiber is never resumed */
}

/* ---- states ---- */

static void
unlink_waiting(struct fib *f)
{
	f->prev->next = f->next;
	f->next->prev = f->prev;
}

static void
fib_move(struct fib *f, enum fib_state to)
{
	if (f->state == FIB_WAITING)
		unlink_waiting(f);
	f->state = to;
	if (to == FIB_WAITING) {
		f->next = &waiting;
		f->prev = waiting.prev;
		waiting.prev->next = f;
		waiting.prev = f;
	} else if (to == FIB_READY) {
		f->next = NULL;
		*ready_last = f;
		ready_last = &f->next;
	}
}

static void
fib_end(struct fib *f)
{
	stack_put(f->stack);
	f->magic = 0;
	free(f);
	alive--;
}

/* Runs what is ready now; fibers made ready meanwhile run in the next round, within the same call, up to a bound. */
static void
run_ready(void)
{
	for (int rounds = 0; ready_first != NULL && rounds < 16; rounds++) {
		struct fib *list = ready_first;

		ready_first = NULL;
		ready_last = &ready_first;
		while (list != NULL) {
			struct fib *f = list;

			assert(f->magic == FIB_MAGIC && f->state == FIB_READY);
			list = f->next;
			fib_move(f, FIB_RUNNING);
			running = f;
			switch_in(f);
			running = NULL;
			if (f->state == FIB_DONE)
				fib_end(f);
		}
	}
}

static void
fiber_stay_awake(uv_idle_t *h)
{
	(void)h;
}

static void
resume_yielded(void)
{
	struct fair_item *it = fair_take(&yielded);
	struct fib *f = (struct fib *)((char *)it - offsetof(struct fib, place));

	assert(f->magic == FIB_MAGIC && f->state == FIB_YIELDED);
	if (yielded.n == 0)
		uv_idle_stop(&awake);
	fib_move(f, FIB_READY);
}

/* One of those that yielded goes on, or several that take little. */
static void
on_prepare(uv_prepare_t *h)
{
	(void)h;
	share_began = yielded.n > 0 ? uv_hrtime() : 0;
	do {
		if (yielded.n > 0)
			resume_yielded();
		run_ready();
	} while (yielded.n > 0 && uv_hrtime() - share_began < SHARE_NS);
}

static void
on_check(uv_check_t *h)
{
	(void)h;
	run_ready();
}

static void
wake_with(struct fib *f, err_t result)
{
	if (f->event != NULL)
		f->event->waiter = NULL;
	f->event = NULL;
	f->result = result;
	fib_move(f, FIB_READY);
}

static void
fiber_on_tick(uv_timer_t *h)
{
	uint64_t now = loop_now();
	struct fib *f, *next;

	(void)h;
	for (f = waiting.next; f != &waiting; f = next) {
		next = f->next;
		if (f->deadline != 0 && f->deadline <= now)
			wake_with(f, ERR_TIMEOUT);
	}
	if (alive == 0)
		uv_timer_stop(&ticker);
}

void
fib_loop_setup(uv_loop_t *loop)
{
	uv_prepare_init(loop, &prepare);
	uv_prepare_start(&prepare, on_prepare);
	uv_unref((uv_handle_t *)&prepare);
	uv_check_init(loop, &check);
	uv_check_start(&check, on_check);
	uv_unref((uv_handle_t *)&check);
	uv_timer_init(loop, &ticker);
	uv_timer_init(loop, &cooler);
	uv_unref((uv_handle_t *)&cooler);
	stacks_make();
	uv_idle_init(loop, &awake);
	uv_unref((uv_handle_t *)&awake);
}

/* ---- interface ---- */

void
fib_spawn(struct ctx *cx, fib_fn fn, void *arg)
{
	struct fib *f = mem_zalloc(sizeof *f);

	f->magic = FIB_MAGIC;
	f->stack = stack_get();
	f->cx = cx;
	f->fn = fn;
	f->arg = arg;
	cx->fib = f;
	registers_make(&f->registers, f->stack, STACK_SIZE, entry);
	alive++;
	if (!uv_is_active((uv_handle_t *)&ticker))
		uv_timer_start(&ticker, fiber_on_tick, DEADLINE_TICK, DEADLINE_TICK);
	fib_move(f, FIB_READY);
}

struct spawned {
	struct ctx cx;
	fib_fn fn;
	void *arg;
};

static void
run_spawned(struct ctx *cx, void *arg)
{
	struct spawned *s = arg;

	s->fn(cx, s->arg);
	ctx_fini(cx);
	free(s);
}

void
fib_spawn_new(const char *id, uint64_t timeout_ms, fib_fn fn, void *arg)
{
	struct spawned *s = mem_zalloc(sizeof *s);

	ctx_init(&s->cx);
	s->cx.id = arena_strdup(s->cx.arena, id);
	s->cx.deadline = timeout_ms ? loop_now() + timeout_ms : 0;
	s->fn = fn;
	s->arg = arg;
	fib_spawn(&s->cx, run_spawned, s);
}

struct fib *
fib_current(void)
{
	return running;
}

unsigned
fib_count(void)
{
	return alive;
}

static err_t
await(struct ctx *cx, struct fib_event *ev, uint64_t deadline)
{
	struct fib *f = running;

	assert(f != NULL);
	assert(cx->holds == NULL);	/* e.g. a transaction: its locks and its connection would wait, too */
	cx->fib = f;
	if (f->cancelled && f->shield == 0)
		return fail(cx, ERR_CANCELLED, "cancelled");
	if (ev != NULL && ev->set)
		return OK;
	if (deadline != 0 && deadline <= loop_now())
		return fail(cx, ERR_TIMEOUT, "deadline passed");
	if (ev != NULL) {
		assert(ev->waiter == NULL);
		ev->waiter = f;
	}
	f->event = ev;
	f->deadline = deadline;
	f->result = OK;
	fib_move(f, FIB_WAITING);
	switch_out(f, false);
	if (f->result == ERR_CANCELLED)
		return fail(cx, ERR_CANCELLED, "cancelled");
	if (f->result == ERR_TIMEOUT)
		return fail(cx, ERR_TIMEOUT, "deadline passed");
	return OK;
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

err_t
fib_await(struct ctx *cx, struct fib_event *ev)
{
	return await(cx, ev, cx->deadline);
}

err_t
fib_await_for(struct ctx *cx, struct fib_event *ev, uint64_t timeout_ms)
{
	return await(cx, ev, sooner(cx->deadline, loop_now() + timeout_ms));
}

void
fib_signal(struct fib_event *ev)
{
	struct fib *f = ev->waiter;

	ev->set = true;
	if (f != NULL)
		wake_with(f, OK);
}

void
fib_event_reset(struct fib_event *ev)
{
	assert(ev->waiter == NULL);
	ev->set = false;
}

err_t
fib_yield(struct ctx *cx)
{
	struct fib *f = running;
	uint64_t now = uv_hrtime();

	if (f == NULL)
		return OK;	/* at a start, and in trials: there is nobody to give way to */
	if (share_began == 0)
		share_began = now;
	if (now - share_began < SHARE_NS)
		return OK;
	cx->fib = f;
	if (yielded.n == 0)
		uv_idle_start(&awake, fiber_stay_awake);
	fib_move(f, FIB_YIELDED);
	fair_put(&yielded, &f->place, fair_key(cx));
	switch_out(f, false);
	if (f->cancelled && f->shield == 0)
		return fail(cx, ERR_CANCELLED, "cancelled");
	if (cx->deadline != 0 && cx->deadline <= loop_now())
		return fail(cx, ERR_TIMEOUT, "deadline passed");
	return OK;
}

static void
on_slept(void *arg)
{
	fib_signal(arg);
}

err_t
fib_sleep(struct ctx *cx, uint64_t ms)
{
	struct fib_event ev = {0};
	struct loop_timer *t;
	err_t e;

	t = loop_after(ms, on_slept, &ev);
	e = await(cx, &ev, cx->deadline);
	if (!ev.set)
		loop_timer_stop(&t);
	return e;
}

void
fib_cancel(struct fib *f)
{
	assert(f->magic == FIB_MAGIC);
	f->cancelled = true;
	if (f->state == FIB_WAITING && f->shield == 0)
		wake_with(f, ERR_CANCELLED);
}

bool
fib_cancelled(const struct fib *f)
{
	return f->cancelled;
}

void
fib_shield(struct ctx *cx, bool on)
{
	cx->fib->shield += on ? 1 : -1;
	assert(cx->fib->shield >= 0);
}
