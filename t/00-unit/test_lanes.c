/* Fair queues, and the lanes of heavy work: order, turns, bounds, what is taken back. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fair.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/offload.h"

/* ---- fair queues ---- */

/* An item's name is its project, its client and a number: "ax1". */
struct named {
	struct fair_item item;
	char name[4];
};

static struct fair queue;
static struct named items[400];
static int n_items;

static struct fair_key
key_of(const char *name)
{
	char project[2] = {name[0], '\0'}, client[2] = {name[1], '\0'};
	const struct ctx cx = {.project = project, .client = client};

	return fair_key(&cx);
}

static struct named *
put(const char *name)
{
	struct named *n = &items[n_items++];

	snprintf(n->name, sizeof n->name, "%s", name);
	fair_put(&queue, &n->item, key_of(name));
	return n;
}

static void
put_all(const char *names)
{
	char one[4];

	for (const char *p = names; *p != '\0'; p += strspn(p + 3, " ") + 3) {
		snprintf(one, sizeof one, "%.3s", p);
		put(one);
	}
}

/* Takes all and compares the order. */
static void
expect(const char *names)
{
	char got[1024] = "";
	struct fair_item *it;

	while ((it = fair_take(&queue)) != NULL) {
		strcat(got, got[0] ? " " : "");
		strcat(got, ((struct named *)it)->name);
	}
	cr_expect_str_eq(got, names);
	cr_expect_eq(queue.n, 0);
	cr_expect(queue.turn == NULL);
}

Test(fair, projects_take_turns_and_clients_within_them)
{
	static const struct { const char *in, *out; } rows[] = {
	    {"", ""},
	    {"ax1 ax2 ax3", "ax1 ax2 ax3"},
	    {"ax1 ax2 ax3 bx1", "ax1 bx1 ax2 ax3"},
	    {"ax1 ax2 ax3 ay1", "ax1 ay1 ax2 ax3"},
	    /* many clients are one project */
	    {"ax1 ay1 az1 ax2 bx1 bx2", "ax1 bx1 ay1 bx2 az1 ax2"},
	    {"ax1 ax2 bx1 bx2 cx1", "ax1 bx1 cx1 ax2 bx2"}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		n_items = 0;
		memset(items, 0, sizeof items);
		put_all(rows[i].in);
		expect(rows[i].out);
	}
}

Test(fair, who_comes_anew_enters_at_the_end_of_the_round)
{
	put_all("ax1 ax2 ax3 bx1 bx2");
	cr_expect_str_eq(((struct named *)fair_take(&queue))->name, "ax1");
	put_all("cx1");
	expect("bx1 ax2 cx1 bx2 ax3");
}

Test(fair, who_leaves_leaves_the_others_in_order)
{
	struct named *first = put("ax1"), *middle, *last, *only;

	middle = put("ax2");
	put("ax3");
	last = put("ax4");
	only = put("bx1");
	put("ay1");
	cr_expect_eq(fair_of_client(&queue, key_of("ax")), 4);
	cr_expect_eq(fair_of_project(&queue, key_of("ax")), 5);
	fair_remove(&queue, &middle->item);
	fair_remove(&queue, &last->item);
	fair_remove(&queue, &only->item);
	fair_remove(&queue, &first->item);
	cr_expect_eq(fair_of_client(&queue, key_of("ax")), 1);
	cr_expect_eq(fair_of_project(&queue, key_of("bx")), 0);
	n_items = 10;
	put("ax5");	/* behind a last one that has left */
	expect("ax3 ay1 ax5");
}

static bool
may(const struct fair_item *it, void *arg)
{
	return ((const struct named *)it)->name[1] != *(const char *)arg;
}

Test(fair, who_may_not_is_passed_over)
{
	char not = 'x';

	put_all("ax1 ay1 bx1 by1 cx1");
	cr_expect_str_eq(((struct named *)fair_take_if(&queue, may, &not))->name, "ay1");
	cr_expect_str_eq(((struct named *)fair_take_if(&queue, may, &not))->name, "by1");
	cr_expect_null(fair_take_if(&queue, may, &not));
	cr_expect_eq(queue.n, 3);
	expect("cx1 ax1 bx1");
}

Test(fair, an_ipv6_client_is_its_network)
{
	static const struct { const char *a, *b; bool same; } rows[] = {
	    {"2001:db8::1", "2001:db8:0:0:ffff::2", true}, {"2001:db8::1", "2001:db8:0:1::1", false},
	    {"10.0.0.1", "10.0.0.1", true}, {"10.0.0.1", "10.0.0.2", false}, {"no:address", "no:address", true}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct ctx a = {.client = rows[i].a}, b = {.client = rows[i].b};

		cr_expect_eq(fair_key_same(fair_key(&a), fair_key(&b)), rows[i].same, "%s %s", rows[i].a, rows[i].b);
	}
}

/* ---- heavy work ---- */

enum { WORKS = 64 };

static struct work {
	struct ctx cx;
	struct fib *fib;
	enum lane lane;
	atomic_bool begun, release, ended;
	err_t result;
	bool returned;
} works[WORKS];
static atomic_int order[WORKS], n_order;
static bool directed;

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	loop_init();
	conf.offload_password_threads = 1;
	conf.offload_password_queue = 1000;
}

TestSuite(lanes, .init = setup, .timeout = 60);

static void
blocks(void *arg)
{
	struct work *w = arg;

	atomic_store(&order[atomic_fetch_add(&n_order, 1)], (int)(w - works));
	atomic_store(&w->begun, true);
	while (!atomic_load(&w->release))
		usleep(1000);
	atomic_store(&w->ended, true);
}

static void
offloads(struct ctx *cx, void *arg)
{
	struct work *w = arg;

	w->fib = fib_current();
	w->result = offload(cx, w->lane, blocks, w);
	cr_expect(!atomic_load(&w->begun) || atomic_load(&w->ended), "work that began is waited for");
	w->returned = true;
	ctx_fini(cx);
}

static void
begin(int i, enum lane lane, const char *project, const char *client)
{
	struct work *w = &works[i];

	w->lane = lane;
	ctx_init(&w->cx);
	w->cx.project = project;
	w->cx.client = client;
	fib_spawn(&w->cx, offloads, w);
}

#define UNTIL(cond)                                                       \
	do {                                                              \
		for (int tries_ = 0; !(cond); tries_++) {                 \
			cr_assert_lt(tries_, 4000, "waited for %s", #cond);  \
			cr_assert_eq(fib_sleep(cx, 5), OK);               \
		}                                                         \
	} while (0)

static void
direct(fib_fn fn)
{
	fib_spawn_new("director", 0, fn, NULL);
	loop_run();	/* ends when the last work is back */
	cr_assert(directed);
	cr_expect_eq(offload_queued(), 0);
	cr_expect_eq(fib_count(), 0);
}

/* The single thread is busy with the first; the second waits in the queue, then is cancelled; the third finds the queue full. */
static void
cancels(struct ctx *cx, void *arg)
{
	(void)arg;
	begin(0, LANE_password, "p", "a");
	UNTIL(atomic_load(&works[0].begun));
	begin(1, LANE_password, "p", "a");
	UNTIL(offload_queued_in(LANE_password) == 2);
	begin(2, LANE_password, "q", "b");
	UNTIL(works[2].returned);
	cr_expect_eq(works[2].result, ERR_BUSY);
	fib_cancel(works[1].fib);
	fib_cancel(works[0].fib);
	UNTIL(works[1].returned);
	cr_expect_not(atomic_load(&works[1].begun), "work that no thread began is taken back");
	cr_expect_not(works[0].returned);
	cr_expect_eq(offload_queued(), 1);
	atomic_store(&works[0].release, true);
	directed = true;
}

Test(lanes, work_that_began_is_waited_for_and_other_work_taken_back)
{
	conf.offload_password_queue = 1;
	direct(cancels);
	cr_expect(works[0].returned);
	cr_expect_eq(works[0].result, ERR_CANCELLED);
	cr_expect_eq(works[1].result, ERR_CANCELLED);
	cr_expect_eq(metric_value(M_offload_refused), 1);
}

static void
crowds(struct ctx *cx, void *arg)
{
	(void)arg;
	begin(0, LANE_password, "p", "crowd");
	UNTIL(atomic_load(&works[0].begun));
	for (int i = 1; i < 41; i++)
		begin(i, LANE_password, "p", "crowd");
	UNTIL(offload_queued_in(LANE_password) == 41);
	begin(41, LANE_password, "p", "honest");
	begin(42, LANE_password, "q", "other");
	UNTIL(offload_queued_in(LANE_password) == 43);
	for (int i = 0; i < WORKS; i++)
		atomic_store(&works[i].release, true);
	directed = true;
}

Test(lanes, one_client_of_many_requests_costs_another_one_turn)
{
	int honest = -1, other = -1;

	direct(crowds);
	cr_assert_eq(atomic_load(&n_order), 43);
	for (int i = 0; i < 43; i++) {
		honest = order[i] == 41 ? i : honest;
		other = order[i] == 42 ? i : other;
	}
	/* the first ran, one of the crowd was next */
	cr_expect(other >= 1 && other <= 2, "%d", other);
	cr_expect(honest >= 1 && honest <= 3, "%d", honest);
}

static void
fills(struct ctx *cx, void *arg)
{
	(void)arg;
	begin(0, LANE_password, "p", "crowd");
	UNTIL(atomic_load(&works[0].begun));
	for (int i = 1; i < 6; i++)
		begin(i, LANE_password, "p", "crowd");	/* two of 16 may wait */
	UNTIL(works[3].returned && works[4].returned && works[5].returned);
	for (int i = 6; i < 16; i++)
		begin(i, LANE_password, "p", (const char *const[]){"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}[i - 6]);	/* 8 of the project */
	UNTIL(works[12].returned && works[15].returned);
	begin(16, LANE_password, "q", "honest");
	UNTIL(offload_queued_in(LANE_password) == 1 + 8 + 1);
	for (int i = 0; i < WORKS; i++)
		atomic_store(&works[i].release, true);
	directed = true;
}

Test(lanes, nobody_fills_the_queue_for_the_others)
{
	conf.offload_password_queue = 16;
	direct(fills);
	for (int i = 0; i <= 16; i++)
		cr_expect_eq(works[i].result, (i >= 3 && i <= 5) || (i >= 12 && i <= 15) ? ERR_BUSY : OK, "%d", i);
}

static void
neighbours(struct ctx *cx, void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		begin(i, LANE_password, "p", "a");
	UNTIL(atomic_load(&works[0].begun));
	begin(3, LANE_agent, "p", "a");
	UNTIL(atomic_load(&works[3].begun));
	cr_expect_not(atomic_load(&works[1].begun));
	for (int i = 0; i < WORKS; i++)
		atomic_store(&works[i].release, true);
	directed = true;
}

Test(lanes, one_does_not_wait_for_another)
{
	direct(neighbours);
}

static void
outwaits(struct ctx *cx, void *arg)
{
	(void)arg;
	begin(0, LANE_password, "p", "a");
	UNTIL(atomic_load(&works[0].begun));
	begin(1, LANE_password, "p", "a");
	UNTIL(works[1].returned);
	cr_expect_eq(works[1].result, ERR_BUSY);
	cr_expect_eq(metric_value(M_offload_late), 1);
	cr_expect_not(works[0].returned, "what has begun is past waiting");
	atomic_store(&works[0].release, true);
	directed = true;
}

Test(lanes, work_waits_for_a_thread_only_so_long)
{
	conf.offload_wait = 40;
	direct(outwaits);
	cr_expect_eq(works[0].result, OK);
	cr_expect_not(atomic_load(&works[1].begun));
}

static void
widens(struct ctx *cx, void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++)
		begin(i, LANE_password, "p", "a");
	UNTIL(atomic_load(&n_order) == 3);
	cr_expect_eq(offload_queued(), 5);
	for (int i = 0; i < WORKS; i++)
		atomic_store(&works[i].release, true);
	directed = true;
}

Test(lanes, have_as_many_threads_as_they_may_and_no_more)
{
	conf.offload_password_threads = 3;
	direct(widens);
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
		cr_expect_eq(offload(cx, (enum lane)(i % 2), adds, arg), OK);
}

Test(lanes, lose_no_work)
{
	conf.offload_password_threads = 4;
	conf.offload_password_queue = conf.offload_agent_queue = 10000;
	for (int i = 0; i < 200; i++)
		fib_spawn_new("a", 0, offloads_many, (void *)(intptr_t)1);
	loop_run();
	cr_expect_eq(atomic_load(&sum), 200 * 50);
	cr_expect_eq(offload_queued(), 0);
	cr_expect_eq(fib_count(), 0);
}

static void
leaves_some(struct ctx *cx, void *arg)
{
	(void)cx;
	for (int i = 0; i < 50; i++)
		offload_leave(LANE_password, adds, arg);
}

/* With a queue of 3 some are done by who leaves them. */
Test(lanes, what_is_left_is_done_by_somebody)
{
	conf.offload_password_threads = 2;
	conf.offload_password_queue = 3;
	fib_spawn_new("a", 0, leaves_some, (void *)(intptr_t)1);
	loop_run();
	cr_expect_eq(atomic_load(&sum), 50);
	cr_expect_eq(offload_queued(), 0);
}
