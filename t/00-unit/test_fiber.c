/* Fibers on the loop: awaits, deadlines, cancellation. */
#include <criterion/criterion.h>
#include <fenv.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"

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

/* Mappings of the process. */
static int
mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int n = 0;

	cr_assert_not_null(f);
	for (int ch; (ch = getc(f)) != EOF;)
		n += ch == '\n';
	fclose(f);
	return n;
}

static void
sleeper(struct ctx *cx, void *arg)
{
	cr_expect_eq(fib_sleep(cx, 5), OK);
	++*(int *)arg;
}

/* To map anything waits for threads that map much: hundreds of fibers at once do without, and neither do they give back. */
Test(fiber, stacks_are_there_before_they_are_needed)
{
	int before = mappings(), slept = 0;

	for (int i = 0; i < 500; i++)
		fib_spawn_new("s", 0, sleeper, &slept);
	cr_expect_leq(mappings(), before + 4, "the heap may grow");
	loop_run();
	cr_expect_eq(slept, 500);
	cr_expect_leq(abs(mappings() - before), 4);
}

/* ---- yielding ---- */

static int turns_seen, heavy_left;

static void
count_turn(void *arg)
{
	(void)arg;
	turns_seen++;
	if (heavy_left > 0)
		loop_soon(count_turn, NULL);
}

static void
burn(uint64_t ns)
{
	uint64_t end = uv_hrtime() + ns;

	while (uv_hrtime() < end)
		continue;
}

static void
heavy(struct ctx *cx, void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		burn(1100000);
		cr_expect_eq(fib_yield(cx), OK);
	}
	heavy_left--;
}

/* Each burst is longer than a share, so of all fibers together at most two go on in one turn: the one whose turn it is, and one that found the
 * share fresh. */
Test(fiber, those_who_work_long_take_turns)
{
	for (int i = 0; i < 4; i++)
		fib_spawn_new("h", 0, heavy, NULL);
	heavy_left = 4;
	loop_soon(count_turn, NULL);
	loop_run();
	cr_expect_geq(turns_seen, 38);
	cr_expect_eq(fib_count(), 0);
}

static int bursts, bursts_before_light;

static void
heavy_of_one_client(struct ctx *cx, void *arg)
{
	(void)arg;
	cx->client = "192.0.2.1";
	for (int i = 0; i < 10; i++) {
		cr_expect_eq(fib_yield(cx), OK);
		burn(1100000);
		bursts++;
	}
}

static void
light_of_another(struct ctx *cx, void *arg)
{
	(void)arg;
	cx->client = "192.0.2.2";
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(fib_yield(cx), OK);
		burn(1100000);
	}
	bursts_before_light = bursts;
}

/* However many fibers a client has, another's goes on each second time. */
Test(fiber, clients_take_turns)
{
	for (int i = 0; i < 20; i++)
		fib_spawn_new("h", 0, heavy_of_one_client, NULL);
	fib_spawn_new("l", 0, light_of_another, NULL);
	loop_run();
	cr_expect_eq(bursts, 200);
	cr_expect_leq(bursts_before_light, 5, "%d", bursts_before_light);
}

static int small_ones, small_turns;

static void
small(struct ctx *cx, void *arg)
{
	(void)arg;
	cr_expect_eq(fib_yield(cx), OK);
	small_ones++;
}

static void
burn_then_small(struct ctx *cx, void *arg)
{
	(void)arg;
	cr_expect_eq(fib_yield(cx), OK);
	burn(1100000);
	for (int i = 0; i < 100; i++)
		fib_spawn_new("s", 0, small, NULL);
}

static void
count_small_turn(void *arg)
{
	(void)arg;
	small_turns++;
	if (small_ones < 100)
		loop_soon(count_small_turn, NULL);
}

/* The share was spent when they came, and of the next many fit into one. */
Test(fiber, those_who_take_little_share_a_turn)
{
	fib_spawn_new("b", 0, burn_then_small, NULL);
	loop_soon(count_small_turn, NULL);
	loop_run();
	cr_expect_eq(small_ones, 100);
	cr_expect_leq(small_turns, 60, "%d", small_turns);
}

static void
quick(struct ctx *cx, void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		cr_expect_eq(fib_yield(cx), OK);
	note(7);
}

static void
yield_cancelled(struct ctx *cx, void *arg)
{
	(void)arg;
	cr_expect_eq(fib_yield(cx), OK);	/* the share begins */
	fib_cancel(cx->fib);
	burn(2000000);
	cr_expect_eq(fib_yield(cx), ERR_CANCELLED);
	note(8);
}

Test(fiber, yielding_costs_nothing_while_there_is_time_and_ends_with_a_cancellation)
{
	fib_spawn_new("q", 0, quick, NULL);
	fib_spawn_new("c", 0, yield_cancelled, NULL);
	loop_run();
	cr_expect_eq(n_order, 2);
	cr_expect_eq(order[0], 7);
	cr_expect_eq(order[1], 8);
}
