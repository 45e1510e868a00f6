/* The consumer of jobs against a real Redis: once, again, given up, crashed, stopped. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/jobs/jobs_priv.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/bus.h"
#include "jobs/jobs.h"
#include "model/job.h"
#include "model/line.h"
#include "svc/services.h"
#include "servers.h"

/* What the handlers of all processes saw. */
static struct seen {
	volatile int calls, tries[16], tasks;
	volatile char payload[64], id[64];
} *seen;

static bool finished;

static err_t
do_note(struct ctx *cx, const struct job *job)
{
	(void)cx;
	snprintf((char *)(uintptr_t)seen->payload, sizeof seen->payload, "%.*s", STR_FMT(job->payload));
	snprintf((char *)(uintptr_t)seen->id, sizeof seen->id, "%s", job->id);
	seen->tries[seen->calls++ % 16] = job->tries;
	return OK;
}

static err_t
do_third(struct ctx *cx, const struct job *job)
{
	(void)do_note(cx, job);	/* never fails */
	return job->tries < 2 ? fail(cx, ERR_FETCH, "not yet") : OK;
}

static err_t
do_never(struct ctx *cx, const struct job *job)
{
	(void)do_note(cx, job);	/* never fails */
	return fail(cx, ERR_FETCH, "never");
}

static err_t
do_hang(struct ctx *cx, const struct job *job)
{
	(void)do_note(cx, job);	/* never fails */
	return fib_sleep(cx, 60000);
}

static err_t
do_crash(struct ctx *cx, const struct job *job)
{
	(void)do_note(cx, job);	/* never fails */
	_exit(3);
}

static err_t
do_slow(struct ctx *cx, const struct job *job)
{
	err_t e = fib_sleep(cx, 3500);

	return e == OK ? do_note(cx, job) : e;
}

/* The first try waits for ever, in a context of its own. */
static err_t
do_late(struct ctx *outer, const struct job *job)
{
	struct ctx cx;
	err_t e;

	(void)do_note(outer, job);	/* never fails */
	if (job->tries > 0)
		return OK;
	ctx_init(&cx);
	e = fib_sleep(&cx, 600000);
	ctx_fini(&cx);
	return e;
}

static err_t
a_task(struct ctx *cx)
{
	(void)cx;
	seen->tasks++;
	return OK;
}

static const struct job_task tasks[] = {{"test", 600000, a_task}};
#define SETUP(list)                                                                            \
	{.kinds = (list), .n_kinds = sizeof(list) / sizeof((list)[0]), .tasks = tasks, .n_tasks = 1, \
	    .backoff_ms = 30, .claim_ms = 2000, .upkeep_ms = 100}
#define KIND(name, handler, tries) {name, handler, tries, .width = 4, .limit_ms = 20000, .connections = 1}

/* The same names with other handlers: what another process makes of it. */
static const struct job_kind kinds[] = {KIND("note", do_note, 3), KIND("third", do_third, 3), KIND("never", do_never, 2), KIND("hang", do_note, 3),
    KIND("slow", do_slow, 3), KIND("crash", do_note, 2),
    {"late", do_late, 1, .width = 2, .limit_ms = 60, .connections = 1}};
static const struct job_kind bad_kinds[] = {KIND("hang", do_hang, 3), KIND("crash", do_crash, 2)};
static const struct jobs_setup set = SETUP(kinds), bad_set = SETUP(bad_kinds);

static struct server *redis;

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", getenv("TEST_LOG") ? getenv("TEST_LOG") : "error", false);
	redis = server_redis();
	conf.redis_url = server_url(redis);
	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

TestSuite(jobs, .init = setup, .fini = servers_clean, .timeout = 300);

/* A consumer in a process of its own. */
static pid_t
consumer_fork(const struct jobs_setup *s)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	loop_init();
	bus_init();
	jobs_start(s);
	loop_run();
	_exit(0);
}

static void
run(fib_fn fn)
{
	loop_init();
	bus_init();
	fib_spawn_new("test", 240000, fn, NULL);
	loop_run();
	cr_assert(finished);
}

static void
finish(void)
{
	finished = true;
	loop_stop();
}

#define OKAY(expr)                                                                                          \
	do {                                                                                                \
		err_t e_ = (expr);                                                                          \
		cr_assert_eq(e_, OK, "%s: %s: %s", #expr, err_info(e_)->name, cx->detail ? cx->detail : "");   \
	} while (0)
#define UNTIL(cond)                                                               \
	do {                                                                      \
		for (int tries_ = 0; !(cond); tries_++) {                         \
			cr_assert_lt(tries_, 6000, "waited for %s", #cond);          \
			OKAY(fib_sleep(cx, 20));                                  \
		}                                                                 \
	} while (0)

static void
put(struct ctx *cx, const char *kind, const char *head, const char *body)
{
	struct bus_reply *r;

	OKAY(bus_cmd(cx, &r, BUS(STR("XADD"), str_c(arena_printf(cx->arena, JOB_KEYS "%s", kind)), STR("*"), STR("h"), str_c(head), STR("b"),
	    str_c(body))));
}

static int64_t
number(struct ctx *cx, const char *command, const char *key)
{
	struct bus_reply *r;

	OKAY(bus_cmd(cx, &r, BUS(str_c(command), str_c(key))));
	return r->i;
}

static void
good(struct ctx *cx, void *arg)
{
	(void)arg;
	put(cx, "note", "early 0 5", "{}");	/* before there is a consumer */
	jobs_start(&set);
	UNTIL(seen->calls == 1 && number(cx, "XLEN", JOB_KEYS "note") == 0);
	put(cx, "note", "id1 0 5", "{\"a\":1}");
	UNTIL(seen->calls == 2 && number(cx, "XLEN", JOB_KEYS "note") == 0);
	cr_expect_str_eq((const char *)(uintptr_t)seen->payload, "{\"a\":1}");
	cr_expect_str_eq((const char *)(uintptr_t)seen->id, "id1");
	/* a second copy is dropped; the next job shows that it was looked at */
	put(cx, "note", "id1 0 5", "{\"a\":1}");
	put(cx, "note", "id2", "");
	UNTIL(seen->calls == 3 && number(cx, "XLEN", JOB_KEYS "note") == 0);
	cr_expect_str_eq((const char *)(uintptr_t)seen->id, "id2");
	cr_expect_str_eq((const char *)(uintptr_t)seen->payload, "");
	for (int i = 0; i < 200; i++)
		put(cx, "note", arena_printf(cx->arena, "many%d 0 0", i), "x");
	UNTIL(seen->calls == 203 && number(cx, "XLEN", JOB_KEYS "note") == 0);
	UNTIL(seen->tasks == 1);
	finish();
}

Test(jobs, run_once_and_leave_the_stream)
{
	run(good);
}

static void
failing(struct ctx *cx, void *arg)
{
	struct bus_reply *r;

	(void)arg;
	jobs_start(&set);
	put(cx, "third", "t 0 7", "line\nline");
	UNTIL(seen->calls == 3 && number(cx, "XLEN", JOB_KEYS "third") == 0);
	cr_expect(seen->tries[0] == 0 && seen->tries[1] == 1 && seen->tries[2] == 2);
	cr_expect_str_eq((const char *)(uintptr_t)seen->payload, "line\nline");
	cr_expect_eq(number(cx, "XLEN", JOB_KEYS "third:dead"), 0);

	put(cx, "never", "n 0 7", "p");
	UNTIL(number(cx, "XLEN", JOB_KEYS "never:dead") == 1);
	cr_expect_eq(seen->calls, 6);
	cr_expect(number(cx, "XLEN", JOB_KEYS "never") == 0 && number(cx, "ZCARD", JOB_KEYS "never:later") == 0);
	OKAY(bus_cmd(cx, &r, BUS(STR("XRANGE"), STR(JOB_KEYS "never:dead"), STR("-"), STR("+"))));
	cr_expect(str_is(r->v[0].v[1].v[1].s, "n 3 7") && str_is(r->v[0].v[1].v[3].s, "p") && str_is(r->v[0].v[1].v[5].s, "FETCH: never"));

	put(cx, "note", "\x01", "p");
	put(cx, "note", "", "p");
	put(cx, "note", "id -1 0", "p");
	put(cx, "note", "id x 0", "p");
	UNTIL(number(cx, "XLEN", JOB_KEYS "note:dead") == 4);
	cr_expect_eq(seen->calls, 6);
	finish();
}

Test(jobs, are_tried_again_and_given_up)
{
	run(failing);
}

static pid_t other;

static void
crash(struct ctx *cx, void *arg)
{
	(void)arg;
	put(cx, "hang", "h 0 0", "");
	UNTIL(seen->calls == 1);	/* the other has it, and shows life beyond the time after which it could be claimed */
	jobs_start(&set);
	OKAY(fib_sleep(cx, 3500));
	cr_expect_eq(seen->calls, 1);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	UNTIL(seen->calls == 2 && number(cx, "XLEN", JOB_KEYS "hang") == 0);
	finish();
}

Test(jobs, of_a_consumer_that_died_are_taken_over)
{
	other = consumer_fork(&bad_set);
	run(crash);
}

/* The loop cannot be forked: the processes that crash are made by one that has none. */
static pid_t
breeder_fork(void)
{
	pid_t pid = fork();

	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		pid_t c = consumer_fork(&bad_set);

		waitpid(c, NULL, 0);
	}
}

static void
deadly(struct ctx *cx, void *arg)
{
	(void)arg;
	put(cx, "crash", "c 0 0", "");
	UNTIL(number(cx, "XLEN", JOB_KEYS "crash:dead") == 1);
	cr_expect_eq(number(cx, "XLEN", JOB_KEYS "crash"), 0);
	cr_expect(seen->calls >= 3 && seen->calls <= 5, "%d", seen->calls);
	finish();
}

Test(jobs, that_kill_their_consumers_are_given_up)
{
	pid_t breeder = breeder_fork();

	run(deadly);
	kill(breeder, SIGKILL);
	waitpid(breeder, NULL, 0);
}

static void
stopping(struct ctx *cx, void *arg)
{
	int64_t depth;

	(void)arg;
	put(cx, "slow", "s 0 0", "");
	jobs_start(&set);
	UNTIL(jobs.n_runs == 1);
	jobs_drain();
	put(cx, "note", "later 0 0", "");
	finished = true;
	/* the depth by the interface; kinds of this table only */
	OKAY(job_depth(cx, "sweep", &depth));
	cr_expect_eq(depth, 0);
	OKAY(job_dead(cx, "sweep", &depth));
	cr_expect_eq(depth, 0);
	services_init();
	cr_expect(job_known(STR("sweep")));
	cr_expect_not(job_known(STR("swee")));
}

/* ---- lanes ---- */

static struct {
	char name;
	struct fib_event *release;
} gates[64];
static int n_gates, most_at_once;
static char begun[600];
static int n_begun;

/* Notes the project, and waits to be released. */
static err_t
do_gate(struct ctx *cx, const struct job *job)
{
	struct fib_event release = {0};
	int i = n_gates++;
	err_t e;

	cr_expect(cx->share != NULL);
	cr_expect_str_eq(cx->project, job->project);
	gates[i].release = &release;
	begun[n_begun++] = job->project[0];
	most_at_once = jobs.lanes[0].n_runs > most_at_once ? jobs.lanes[0].n_runs : most_at_once;
	e = fib_await(cx, &release);
	n_gates--;
	for (int k = 0; k <= n_gates; k++)
		if (gates[k].release == &release)
			gates[k] = gates[n_gates];
	return e;
}

static err_t
do_quick(struct ctx *cx, const struct job *job)
{
	(void)cx;
	begun[n_begun++] = job->project[0];
	return OK;
}

static const struct job_kind gated_kinds[] = {
    {"gate", do_gate, 1, .width = 2, .limit_ms = 20000, .connections = 1}, KIND("note", do_note, 1)};
static const struct job_kind quick_kinds[] = {{"quick", do_quick, 1, .width = 1, .limit_ms = 20000, .connections = 1}};
static const struct jobs_setup gated_set = SETUP(gated_kinds), quick_set = SETUP(quick_kinds);

static void
lanes(struct ctx *cx, void *arg)
{
	int64_t aside;

	(void)arg;
	for (int i = 0; i < 300; i++)
		put(cx, "gate", arena_printf(cx->arena, "a%d 0 0 a", i), "x");
	put(cx, "gate", "b0 0 0 b", "x");
	jobs_start(&gated_set);
	UNTIL(n_gates == 2 && (aside = number(cx, "ZCARD", JOB_KEYS "gate:aside")) == 300 - 2 - 2);	/* two run, two of a and that of b are in hand */
	cr_expect_eq(jobs.lanes[0].hand.n, 3);
	put(cx, "note", "n 0 0 a", "");	/* another kind does not wait */
	UNTIL(seen->calls == 1);
	while (memchr(begun, 'b', (size_t)n_begun) == NULL) {
		int before = n_begun;

		fib_signal(gates[0].release);
		UNTIL(n_begun > before);
	}
	cr_expect_leq(n_begun, 2 + 2, "%s", begun);
	/* nothing is lost, and all are there */
	while (n_begun < 301 || n_gates > 0) {
		int before = n_begun;

		UNTIL(n_gates > 0);
		fib_signal(gates[0].release);
		UNTIL(n_begun > before || n_begun == 301);
		if (n_begun == 301 && n_gates > 0)
			OKAY(fib_sleep(cx, 5));
	}
	UNTIL(number(cx, "XLEN", JOB_KEYS "gate") == 0 && number(cx, "ZCARD", JOB_KEYS "gate:aside") == 0);
	cr_expect_eq(most_at_once, 2);
	cr_expect_eq(number(cx, "EXISTS", JOB_KEYS "gate:turns"), 0);
	finish();
}

Test(jobs, a_project_of_many_does_not_keep_others_waiting)
{
	run(lanes);
}

/* Two projects with many aside take turns from there, too. */
static void
aside(struct ctx *cx, void *arg)
{
	int a = 0, b = 0;

	(void)arg;
	for (int i = 0; i < 200; i++)
		put(cx, "quick", arena_printf(cx->arena, "a%d 0 0 a", i), "x");
	for (int i = 0; i < 100; i++)
		put(cx, "quick", arena_printf(cx->arena, "b%d 0 0 b", i), "x");
	jobs_start(&quick_set);
	UNTIL(n_begun == 300 && number(cx, "XLEN", JOB_KEYS "quick") == 0);
	for (int i = 0; i < 300; i++) {
		a += begun[i] == 'a';
		b += begun[i] == 'b';
		if (b == 100)
			break;
	}
	cr_expect(a < 190, "b had to wait for %d of a", a);
	finish();
}

Test(jobs, of_two_projects_take_turns_when_put_aside)
{
	run(aside);
}

static void
late(struct ctx *cx, void *arg)
{
	(void)arg;
	jobs_start(&set);
	put(cx, "late", "l 0 0", "");
	UNTIL(seen->calls == 2 && number(cx, "XLEN", JOB_KEYS "late") == 0);
	cr_expect(seen->tries[0] == 0 && seen->tries[1] == 1);
	cr_expect_eq(metric_value(M_jobs_late), 1);
	cr_expect_eq(metric_value(M_jobs_retried), 1);
	finish();
}

Test(jobs, over_their_time_are_cancelled_and_tried_again)
{
	run(late);
}

static void
leaving(struct ctx *cx, void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++)
		put(cx, "gate", arena_printf(cx->arena, "%c 0 0 %c", 'a' + i, 'a' + i), "");
	jobs_start(&gated_set);
	UNTIL(n_gates == 2 && jobs.lanes[0].hand.n == 2);
	jobs_drain();
	UNTIL(number(cx, "ZCARD", JOB_KEYS "gate:aside") == 2);
	cr_expect_eq(jobs.lanes[0].hand.n, 0);
	while (n_gates > 0) {
		fib_signal(gates[0].release);
		OKAY(fib_sleep(cx, 5));
	}
	finished = true;
}

Test(jobs, that_were_not_begun_are_given_back)
{
	run(leaving);
	cr_expect_eq(n_begun, 2);
}

Test(jobs, a_running_one_ends_before_the_process_does)
{
	run(stopping);		/* returns when jobs_drain has stopped the loop */
	cr_expect_eq(seen->calls, 1);
	cr_expect_str_eq((const char *)(uintptr_t)seen->id, "s");
}

static void
redis_dies(struct ctx *cx, void *arg)
{
	struct bus_reply *r;

	(void)arg;
	jobs_start(&set);
	put(cx, "note", "a 0 0", "");
	UNTIL(seen->calls == 1 && number(cx, "XLEN", JOB_KEYS "note") == 0);	/* one that is not settled would run again */
	server_kill(redis);
	OKAY(fib_sleep(cx, 200));
	server_start(redis);
	UNTIL(bus_cmd(cx, &r, BUS(STR("PING"))) == OK);
	put(cx, "note", "b 0 0", "");
	UNTIL(seen->calls == 2 && number(cx, "XLEN", JOB_KEYS "note") == 0);
	/* and when it forgot everything, groups included */
	OKAY(bus_cmd(cx, &r, BUS(STR("FLUSHALL"))));
	put(cx, "note", "c 0 0", "");
	UNTIL(seen->calls == 3 && number(cx, "XLEN", JOB_KEYS "note") == 0);
	finish();
}

Test(jobs, survive_a_restart_of_redis)
{
	run(redis_dies);
}

/* An earlier version had other keys; its jobs go on, the tries to come and the dead letters too. */
static void
earlier(struct ctx *cx, void *arg)
{
	struct bus_reply *r;

	(void)arg;
	for (int i = 0; i < 450; i++)
		OKAY(bus_cmd(cx, &r, BUS(STR("XADD"), STR("jobs:note"), STR("*"), STR("h"), str_c(arena_printf(cx->arena, "old%d 0 1", i)),
		    STR("b"), STR("{}"))));
	/* one is held by a consumer that is no more */
	OKAY(bus_cmd(cx, &r, BUS(STR("XGROUP"), STR("CREATE"), STR("jobs:note"), STR("workers"), STR("0"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("XREADGROUP"), STR("GROUP"), STR("workers"), STR("gone"), STR("COUNT"), STR("1"), STR("STREAMS"),
	    STR("jobs:note"), STR(">"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("ZADD"), STR("jobs:note:later"), STR("1"), STR("due 1 1\n{}"), STR("99999999999999"), STR("later 1 1\n{}"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("XADD"), STR("jobs:third:dead"), STR("*"), STR("h"), STR("dead 3 1"), STR("b"), STR("{}"), STR("e"),
	    STR("no"))));
	jobs_start(&set);
	UNTIL(seen->calls == 451 && number(cx, "XLEN", JOB_KEYS "note") == 0);
	cr_expect_eq(number(cx, "ZCARD", JOB_KEYS "note:later"), 1);
	cr_expect_eq(number(cx, "XLEN", JOB_KEYS "third:dead"), 1);
	UNTIL(number(cx, "EXISTS", "jobs:note") == 0 && number(cx, "EXISTS", "jobs:third:dead") == 0);
	finish();
}

Test(jobs, of_an_earlier_version_go_on)
{
	run(earlier);
}

/* A line is read by entries and by bytes: one at least, and then no more than it takes to have so many. */
static void
a_line(struct ctx *cx, void *arg)
{
	static const struct { size_t bytes; int count, got; bool more; } rows[] = {
	    {0, 64, 1, true}, {1, 64, 1, true}, {2500, 64, 3, true}, {1 << 20, 64, 20, false}, {1 << 20, 5, 5, true}, {1 << 20, 20, 20, true}, {20 * 1001, 64, 20, false}};
	const struct job job = {.kind = "note", .id = "x", .project = "p", .payload = STR("p/w")};
	struct str body = {memset(arena_alloc(cx->arena, 1000), 'x', 1000), 1000};
	struct line_entry *v;
	struct line l;
	bool more, put;
	int n;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		OKAY(line_put(cx, "note", "p/w", "p", str_c(arena_printf(cx->arena, "%c", 'a' + i)), body, 0, 0, &put));
		cr_assert(put);
	}
	OKAY(line_hold(cx, &job, &l));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		OKAY(line_read(cx, &l, NULL, rows[i].count, rows[i].bytes, &v, &n, &more));
		cr_expect(n == rows[i].got && more == rows[i].more, "row %zu: %d, more %d", i, n, more);
		for (int k = 0; k < n; k++)
			cr_expect(v[k].head.n == 1 && v[k].head.p[0] == 'a' + k && str_eq(v[k].body, body));
	}
	OKAY(line_read(cx, &l, v[9].at, 64, 1 << 20, &v, &n, &more));
	cr_expect(n == 10 && !more && v[0].head.p[0] == 'k');
	finish();
}

Test(jobs, lines_are_read_by_bytes)
{
	run(a_line);
}

/* What all lines of a project have is bounded, too; what is done makes room again, and nothing is left of it at the end. */
static void
all_lines(struct ctx *cx, void *arg)
{
	static const struct { const char *line; bool put; } rows[] = {{"p/a", true}, {"p/a", true}, {"p/b", true}, {"p/b", false}, {"p/a", false}, {"p/c", false}, {"q/a", true}, {"pp/a", true}};
	const struct job job = {.kind = "note", .id = "x", .project = "p", .payload = STR("p/a")};
	struct str body = {memset(arena_alloc(cx->arena, 900), 'x', 900), 900};
	struct bus_reply *r;
	struct line_entry *v;
	struct line l;
	bool more, put, mine;
	int n;

	(void)arg;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		OKAY(line_put(cx, "note", rows[i].line, "p", STR("h"), body, 2500, 3500, &put));
		cr_expect_eq(put, rows[i].put, "row %zu", i);
	}
	OKAY(line_put(cx, "note", "p/a", "p", STR("h"), body, 2500, 0, &put));
	cr_expect(!put);	/* its own bound */
	OKAY(line_hold(cx, &job, &l));
	OKAY(line_read(cx, &l, NULL, 64, 1 << 20, &v, &n, &more));
	cr_assert_eq(n, 2);
	OKAY(line_done(cx, &l, (const char *const[]){v[0].at}, 1, &mine));
	OKAY(line_put(cx, "note", "p/c", "p", STR("h"), body, 2500, 3500, &put));
	cr_expect(mine && put);
	OKAY(line_put(cx, "note", "p/c", "p", STR("h"), body, 2500, 3500, &put));
	cr_expect(!put);
	OKAY(line_done(cx, &l, (const char *const[]){v[1].at}, 1, &mine));
	OKAY(line_leave(cx, &l, 0));
	for (int i = 0; i < 2; i++) {
		const struct job other = {.kind = "note", .id = "y", .project = "p", .payload = i == 0 ? STR("p/b") : STR("p/c")};

		OKAY(line_hold(cx, &other, &l));
		OKAY(line_read(cx, &l, NULL, 64, 1 << 20, &v, &n, &more));
		cr_assert_eq(n, 1);
		OKAY(line_done(cx, &l, (const char *const[]){v[0].at}, 1, &mine));
		OKAY(line_leave(cx, &l, 0));
	}
	OKAY(bus_cmd(cx, &r, BUS(STR("HKEYS"), line_key(cx, "note", "sizes", NULL))));
	cr_assert_eq(r->n, 5);	/* q/a, q/, pp/a, pp/ and the count */
	for (int i = 0; i < r->n; i++)
		cr_expect(!str_starts(r->v[i].s, "p/"), "%.*s", STR_FMT(r->v[i].s));
	finish();
}

Test(jobs, all_lines_of_a_project_have_one_bound)
{
	run(all_lines);
}

static void
cluster_setup(void)
{
	setup();
	redis = server_redis_cluster();
	conf.redis_url = server_url(redis);
}

Test(jobs, run_on_a_cluster, .init = cluster_setup)
{
	run(failing);
}
