/* What the rest asks of executors, against a real one: a build from a sealed archive into a sealed blob, a run of it, and an executor that is killed. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/metric.h"
#include "io/bus.h"
#include "io/fetch.h"
#include "model/exec.h"
#include "space.h"

static struct project p = {.id = "proj", .internal = 1, .schema = "p_1", .name = "Project"};
static char dir[64];
static pid_t executor;

static void
executor_start(void)
{
	char bus[256], place[128], data[128];
	const char *badal = getenv("BADAL");

	snprintf(bus, sizeof bus, "--redis-url=%s", conf.redis_url);
	snprintf(place, sizeof place, "--executor-dir=%s/executor", dir);
	snprintf(data, sizeof data, "--data-dir=%s/data", dir);
	executor = fork();
	if (executor != 0)
		return;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	clearenv();
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	execl(badal != NULL ? badal : "./badal", "badal", "serve", "--roles=executor", bus, place, data, "--master-key=a key of tests", geteuid() == 0 ? "--run-user=nobody" : NULL, NULL);
	_exit(127);
}

static void
run(void (*fn)(struct ctx *cx))
{
	char command[128];

	cr_assert_geq(sodium_init(), 0);
	cr_assert(conf_load(NULL, 0, NULL, false));
	snprintf(dir, sizeof dir, "/tmp/badal-exec-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chmod(dir, 0755), 0);
	conf.master_key = "a key of tests";
	conf.storage_dir = dir;
	conf.redis_url = server_url(server_redis());
	metric_init(1);
	executor_start();
	space_run((const char *[]){p.schema, NULL}, 240000, fn);
	kill(executor, SIGTERM);
	waitpid(executor, NULL, 0);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
	cr_assert_eq(failures, 0);
}

/* A deployment: a sealed blob of a tar.gz that holds index.js. */
static struct exec_code
deployment(struct ctx *cx, const char *id, const char *text)
{
	char path[128], command[256], bytes[8192];
	struct blob_part *part = arena_new_of(cx->arena, struct blob_part);
	struct exec_code code = {.at = {&p, "deployments", 1}, .parts = part, .n_parts = 1, .id = id};
	struct blob_writer *w;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "%s/index.js", dir);
	f = fopen(path, "w");
	cr_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
	snprintf(command, sizeof command, "tar -czf - -C %s index.js", dir);
	f = popen(command, "r");
	n = fread(bytes, 1, sizeof bytes, f);
	pclose(f);
	part->bind = "deployment";
	CHECK(blob_create(cx, &code.at, BLOB_NONE, true, part->bind, &w) == OK && blob_write(w, (struct str){bytes, n}) == OK && blob_finish(w, &part->blob) == OK);
	blob_keep(w);
	code.size = n;
	return code;
}

static void
progress(struct ctx *cx, struct str out, struct str err, void *arg)
{
	(void)cx;
	*(size_t *)arg += out.n + err.n;
}

/* Awaits the executor: it tries a sandbox first. */
static bool
runtimes(struct ctx *cx, const struct exec_runtime **v, int *n)
{
	const char *why = "";

	for (int i = 0; i < 600 && exec_runtimes(cx, v, n, &why) == OK && *n == 0; i++)
		if (fib_sleep(cx, 50) != OK)
			break;
	if (*n == 0)
		fprintf(stderr, "no runtimes: %s\n", why);
	return *n > 0;
}

static struct exec_run
asked(const struct exec_function *f, const char *data)
{
	return (struct exec_run){.f = *f, .execution = "e", .method = STR("POST"), .path = STR("/"), .data = str_c(data), .trigger = "http", .event = "", .user = "", .jwt = "", .limit_ms = 30000};
}

static void
build_and_run(struct ctx *cx)
{
	static const struct exec_variable v = {STR("NAME"), STR("value")};
	const struct exec_runtime *all;
	struct blob_place builds = {&p, "builds", 1};
	struct exec_function f = {.project = &p, .function = "f", .deployment = "d", .runtime = "node-16.0", .entrypoint = "index.js", .variables = &v, .n_variables = 1, .revision = "1"};
	struct exec_built built;
	struct blob_part part;
	struct exec_run r;
	struct exec_ran ran;
	size_t said = 0;
	int n;

	bus_init();
	CHECK(runtimes(cx, &all, &n));
	CHECK(exec_runtime_named(all, n, "node-16.0") != NULL && exec_runtime_named(all, n, "cobol-1.0") == NULL);
	f.code = deployment(cx, "d", "module.exports = async (req, res) => { console.log('out'); if (req.payload === 'hang') await new Promise(() => {}); res.send(req.variables.NAME + req.payload) }");
	GOOD(exec_build(cx, &f, &builds, "build", progress, &said, &built));
	CHECK(built.ok && built.blob.size > 0 && said == built.out.n + built.err.n);
	blob_keep(built.writer);
	part = (struct blob_part){built.blob, "build"};
	f.code = (struct exec_code){builds, &part, 1, (uint64_t)built.blob.size, "b"};
	for (int i = 0; i < 2; i++) {
		r = asked(&f, "!");
		GOOD(exec_run(cx, &r, &ran));
		CHECK(ran.why == EXEC_DONE && ran.status == 200 && str_is(ran.body, "value!") && str_is(ran.logs, "out") && ran.cold == (i == 0));
	}
	CHECK(exec_retire(cx, &p, "f", NULL) == OK);
	r = asked(&f, "?");
	GOOD(exec_run(cx, &r, &ran));
	CHECK(ran.cold && str_is(ran.body, "value?"));
	f.code = deployment(cx, "bad", "x");
	f.entrypoint = "other.js";
	GOOD(exec_build(cx, &f, &builds, "build", NULL, NULL, &built));
	CHECK(!built.ok && strstr(built.why, "other.js") != NULL && str_ends(built.err, "other.js. What there is: index.js.\n"));
	bus_fini();
	fetch_fini();
}

Test(exec, builds_and_runs, .timeout = 600)
{
	run(build_and_run);
}

/* The executor and all that belongs to it, in the middle of a run. */
static void
killer(struct ctx *cx, void *arg)
{
	char command[128];

	(void)arg;
	CHECK(fib_sleep(cx, 1500) == OK);
	snprintf(command, sizeof command, "kill -9 $(pgrep -P %d)", (int)executor);
	CHECK(system(command) == 0);
}

static void
killed_in_a_run(struct ctx *cx)
{
	const struct exec_runtime *all;
	struct exec_function f = {.project = &p, .function = "f", .deployment = "d", .runtime = "node-16.0", .entrypoint = "index.js", .revision = "1"};
	struct exec_run r;
	struct exec_ran ran;
	int n;

	bus_init();
	CHECK(runtimes(cx, &all, &n));
	f.code = deployment(cx, "d", "module.exports = async (req, res) => { if (req.payload === 'hang') await new Promise(() => {}); res.send('fine') }");
	r = asked(&f, "");
	GOOD(exec_run(cx, &r, &ran));
	fib_spawn_new("killer", 0, killer, NULL);
	r = asked(&f, "hang");
	GOOD(exec_run(cx, &r, &ran));
	CHECK(ran.why == EXEC_LOST && ran.reason != NULL);
	r = asked(&f, "");
	GOOD(exec_run(cx, &r, &ran));	/* the next one is waited for, and gets the code */
	CHECK(ran.why == EXEC_DONE && str_is(ran.body, "fine"));
	/* one that waits for its process has not begun: it is asked for anew */
	f.code = deployment(cx, "slow", "for (const t = Date.now(); Date.now() - t < 3000;); module.exports = async (req, res) => res.send('late')");
	fib_spawn_new("killer", 0, killer, NULL);
	r = asked(&f, "");
	while (exec_run(cx, &r, &ran) == ERR_EXEC)
		CHECK(fib_sleep(cx, 100) == OK);
	CHECK(ran.why == EXEC_DONE && str_is(ran.body, "late"));
	bus_fini();
	fetch_fini();
}

Test(exec, that_is_killed_in_a_run_is_told_and_the_next_one_serves, .timeout = 600)
{
	run(killed_in_a_run);
}

static void
nobody(struct ctx *cx)
{
	const struct exec_runtime *v;
	struct exec_function f = {.project = &p, .function = "f", .deployment = "d", .runtime = "node-16.0", .entrypoint = "index.js", .revision = "1"};
	struct exec_run r;
	struct exec_ran ran;
	const char *why;
	int n;

	kill(executor, SIGKILL);
	bus_init();
	for (n = 1; n > 0;) {	/* what it said of itself is good for some seconds */
		CHECK(fib_sleep(cx, 50) == OK);
		if (exec_runtimes(cx, &v, &n, &why) != OK)
			n = 1;
	}
	CHECK( strcmp(why, "no executor runs") == 0);
	f.code = deployment(cx, "d", "x");
	r = asked(&f, "");
	FAILS(exec_run(cx, &r, &ran), EXEC);
	CHECK(exec_retire(cx, &p, "f", NULL) == OK);
	bus_fini();
	fetch_fini();
}

Test(exec, that_is_not_there_is_told, .timeout = 300)
{
	run(nobody);
}
