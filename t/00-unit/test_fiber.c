/* Fibers on the loop: awaits, deadlines, cancellation, offload. */
#include <criterion/criterion.h>
#include <fenv.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/offload.h"

static int order[16], n_order;

static void
note(int what)
{
	order[n_order++] = what;
}

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	loop_init();
	n_order = 0;
}

TestSuite(fiber, .init = setup);

static struct fib_event shared;

static void
waiter(struct ctx *cx, void *arg)
{
	note(1);
	cr_expect_eq(fib_await(cx, &shared), OK);
	note(3);
	(void)arg;
}

static void
waker(struct ctx *cx, void *arg)
{
	(void)cx;
	(void)arg;
	fib_signal(&shared);
	note(2);
}

Test(fiber, a_signal_resumes_after_the_waker_goes_on)
{
	shared = (struct fib_event){0};
	fib_spawn_new("a", 0, waiter, NULL);
	fib_spawn_new("b", 0, waker, NULL);
	loop_run();
	cr_assert_eq(n_order, 3);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(order[i], i + 1);
	cr_expect_eq(fib_count(), 0);
}

static void
times_out(struct ctx *cx, void *arg)
{
	struct fib_event never = {0};

	(void)arg;
	cr_expect_eq(fib_await_for(cx, &never, 30), ERR_TIMEOUT);
	cr_expect_null(never.waiter);
	cr_expect_eq(fib_sleep(cx, 5), OK);
	note(1);
}

Test(fiber, deadlines_end_awaits)
{
	fib_spawn_new("a", 0, times_out, NULL);
	loop_run();
	cr_expect_eq(n_order, 1);
}

static struct fib *victim;

static void
is_cancelled(struct ctx *cx, void *arg)
{
	struct fib_event never = {0};

	(void)arg;
	victim = fib_current();
	cr_expect_eq(fib_await(cx, &never), ERR_CANCELLED);
	cr_expect_eq(fib_sleep(cx, 1), ERR_CANCELLED, "later awaits fail as well");
	fib_shield(cx, true);
	cr_expect_eq(fib_sleep(cx, 1), OK, "but not behind the shield");
	fib_shield(cx, false);
	note(1);
}

static void
cancel(void *arg)
{
	if (victim == NULL)	/* timers may come before the first fiber runs */
		loop_after(1, cancel, arg);
	else
		fib_cancel(victim);
}

Test(fiber, cancellation_reaches_awaits)
{
	fib_spawn_new("a", 0, is_cancelled, NULL);
	loop_after(5, cancel, NULL);
	loop_run();
	cr_expect_eq(n_order, 1);
}

/* ---- registers ---- */

/* Many values that live across a switch, and a mode of arithmetic of its own. */
static void
computes(struct ctx *cx, void *arg)
{
	int mode = *(int *)arg;
	unsigned long a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7;
	double x = 1.5;

	cr_expect_eq(fegetround(), FE_TONEAREST);
	fesetround(mode);
	for (unsigned long i = 0; i < 100; i++) {
		a += b + i, b ^= c * 3, c += d, d ^= e + i, e += f * 5, f ^= g, g += a;
		x = x * 1.25 + (double)i;
		cr_expect_eq(fib_sleep(cx, i % 3), OK);
		cr_expect_eq(fegetround(), mode);
	}
	fesetround(FE_TONEAREST);
	for (unsigned long i = 100; i-- > 0;) {	/* back to the beginning */
		g -= a, f ^= g, e -= f * 5, d ^= e + i, c -= d, b ^= c * 3, a -= b + i;
	}
	cr_expect(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7);
	cr_expect(x > 1e9);
	note(1);
}

Test(fiber, keep_their_registers_and_their_arithmetic)
{
	static int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};

	for (int i = 0; i < 4; i++)
		fib_spawn_new("a", 0, computes, &modes[i]);
	loop_run();
	cr_expect_eq(n_order, 4);
	cr_expect_eq(fegetround(), FE_TONEAREST);
}

/* ---- offload ---- */

enum { JOBS = 3 };

static struct job {
	struct fib *fib;
	atomic_bool begun, release, ended;
	err_t result;
	bool returned;
} jobs[JOBS];

static void
blocks(void *arg)
{
	struct job *j = arg;

	atomic_store(&j->begun, true);
	while (!atomic_load(&j->release))
		usleep(1000);
	atomic_store(&j->ended, true);
}

static void
offloads(struct ctx *cx, void *arg)
{
	struct job *j = arg;

	j->fib = fib_current();
	j->result = offload(cx, blocks, j);
	cr_expect(!atomic_load(&j->begun) || atomic_load(&j->ended), "work that began is waited for");
	j->returned = true;
}

static void
until(struct ctx *cx, atomic_bool *what)
{
	for (int i = 0; i < 2000 && !atomic_load(what); i++)
		cr_assert_eq(fib_sleep(cx, 5), OK);
	cr_assert(atomic_load(what));
}

/* The single thread is busy with the first job; the second waits in the queue, then is cancelled; the third finds the queue full. */
static void
directs(struct ctx *cx, void *arg)
{
	(void)arg;
	fib_spawn_new("first", 0, offloads, &jobs[0]);
	until(cx, &jobs[0].begun);
	fib_spawn_new("second", 0, offloads, &jobs[1]);
	cr_expect_eq(fib_sleep(cx, 5), OK);
	cr_expect_eq(offload_queued(), 2);
	fib_spawn_new("third", 0, offloads, &jobs[2]);
	cr_expect_eq(fib_sleep(cx, 5), OK);
	cr_expect(jobs[2].returned);
	cr_expect_eq(jobs[2].result, ERR_BUSY);
	fib_cancel(jobs[1].fib);
	fib_cancel(jobs[0].fib);
	cr_expect_eq(fib_sleep(cx, 5), OK);
	cr_expect(jobs[1].returned, "work that no thread began is taken back");
	cr_expect_not(atomic_load(&jobs[1].begun));
	cr_expect_not(jobs[0].returned);
	cr_expect_eq(offload_queued(), 1);
	atomic_store(&jobs[0].release, true);
	note(1);
}

Test(fiber, offload_waits_for_what_began_and_takes_back_what_did_not)
{
	conf.offload_threads = 1;
	conf.offload_queue = 2;
	fib_spawn_new("a", 0, directs, NULL);
	loop_run();	/* ends when the last job is back */
	cr_expect_eq(n_order, 1);
	cr_expect(jobs[0].returned);
	cr_expect_eq(jobs[0].result, ERR_CANCELLED);
	cr_expect_eq(jobs[1].result, ERR_CANCELLED);
	cr_expect_not(atomic_load(&jobs[1].begun));
	cr_expect_eq(offload_queued(), 0);
}

static atomic_int sum;

static void
adds(void *arg)
{
	atomic_fetch_add(&sum, (int)(intptr_t)arg);
}

static void
offloads_many(struct ctx *cx, void *arg)
{
	for (int i = 0; i < 50; i++)
		cr_expect_eq(offload(cx, adds, arg), OK);
}

Test(fiber, offload_loses_no_work)
{
	conf.offload_threads = 4;
	for (int i = 0; i < 200; i++)
		fib_spawn_new("a", 0, offloads_many, (void *)(intptr_t)1);
	loop_run();
	cr_expect_eq(atomic_load(&sum), 200 * 50);
	cr_expect_eq(offload_queued(), 0);
	cr_expect_eq(fib_count(), 0);
}

static int finished;

static void
naps(struct ctx *cx, void *arg)
{
	char page[8192];

	memset(page, 1, sizeof page);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(fib_sleep(cx, (uint64_t)(uintptr_t)arg % 7), OK);
	cr_expect_eq(page[sizeof page - 1], 1);
	finished++;
}

Test(fiber, thousands_at_once)
{
	for (uintptr_t i = 0; i < 3000; i++)
		fib_spawn_new("n", 0, naps, (void *)i);
	loop_run();
	cr_expect_eq(finished, 3000);
	cr_expect_eq(fib_count(), 0);
}
