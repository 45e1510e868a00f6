/* How a child gets into its control group: it is never moved, for that takes the kernel 5 to 20 ms. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "exec/cgroup.c"

#include "core/conf.h"
#include "core/loop.h"

static const char *const argv[] = {"cat", "/proc/self/cgroup", NULL}, *const env[] = {NULL};
static const struct cgroup_limits limits = {.memory = 64 << 20, .processes = 16};
static char said[4096], name[64];
static struct cgroup group;

static bool
joins(void *arg)
{
	(void)arg;
	return cgroup_join(&group);
}

static void
hear(struct child *c, int fd, struct str piece, void *arg)
{
	(void)c;
	(void)arg;
	if (fd == 1 && strlen(said) + piece.n < sizeof said)
		strncat(said, piece.p, piece.n);
}

static void
over(struct child *c, int status, void *arg)
{
	(void)c;
	(void)arg;
	cr_assert_eq(status, 0);
	loop_stop();
}

/* The lines of /proc/self/cgroup of a child in `group`. */
static void
ask_child(void)
{
	const struct child_spec c = {.program = "/usr/bin/cat", .argv = argv, .env = env, .group = group.group, .before = joins, .output = hear, .end = over};

	cr_assert_not_null(child_start(&c));
	loop_run();
}

static void
begin(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	loop_init();
	snprintf(name, sizeof name, "badal-t-%d", (int)getpid());
}

Test(group, of_version_2_a_child_is_born_in_it, .init = begin)
{
	char dir[] = "/tmp/badal-group-XXXXXX", *base;

	cr_assert_not_null(mkdtemp(dir));
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("none", dir, "cgroup2", 0, NULL) != 0) {
		rmdir(dir);
		cr_skip_test("nothing can be mounted here");
	}
	base = cgroup_dir(dir, name);
	cr_assert_not_null(base);
	two = true;
	born = cgroup_bears(base);
	cr_assert(born);
	places[0] = base;
	cgroup_open(&group, "one", &limits);
	cr_assert_gt(group.group, 0);
	cr_assert_lt(group.join[0], 0, "nobody is moved");
	ask_child();
	cgroup_close(&group);
	cr_expect_eq(rmdir(base), 0);
	umount(dir);
	rmdir(dir);
	cr_assert_not_null(strstr(said, name), "%s", said);
	cr_assert_not_null(strstr(strstr(said, name), "/one\n"), "%s", said);
}

Test(group, of_version_1_its_one_thread_joins, .init = begin)
{
	char line[PATH_MAX];

	cgroup_setup();
	if (two || places[MEMORY] == NULL || places[PROCESSES] == NULL)
		cr_skip_test("there are no groups of version 1 here");
	cgroup_open(&group, name, &limits);
	for (int i = 0; i < CGROUP_DIRS; i++) {
		char path[64];
		ssize_t n;

		if (group.join[i] < 0)
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", group.join[i]);
		n = readlink(path, line, sizeof line - 1);
		cr_assert_gt(n, 0);
		line[n] = '\0';
		cr_assert_str_eq(strrchr(line, '/'), "/tasks", "who writes to cgroup.procs is moved as a process");
	}
	ask_child();
	cgroup_close(&group);
	/* one line for each of its bounds */
	for (int i = MEMORY; i <= PROCESSES; i++) {
		const char *found = strstr(said, controllers[i]);

		cr_assert_not_null(found);
		snprintf(line, sizeof line, "%.*s", (int)strcspn(found, "\n"), found);
		cr_assert_not_null(strstr(line, name), "%s", line);
	}
}

/* A group that cannot be joined ends the child before it is anything: nothing runs without its bounds. */
Test(group, nobody_runs_outside_of_his, .init = begin)
{
	group = (struct cgroup){.dirs = {name}, .join = {-1, -1, -1}, .procs = -1, .starved = -1};
	cr_assert_not(cgroup_join(&group));
}

static bool
accepts(const char *bound)
{
	return strcmp(bound, "processors") == 0;
}

/* A directory of no kernel, as a group that exists: files of it are there, or directories that cannot be written to. */
static void
group_of(const char *base, const char *files, const char *dirs, bool second)
{
	char command[512];

	snprintf(command, sizeof command, "cd %s && rm -rf one && mkdir one && cd one && touch x %s && mkdir y %s", base, files, dirs);
	cr_assert_eq(system(command), 0);
	two = second;
	for (int i = 0; i < CGROUP_DIRS; i++)
		places[i] = second && i > 0 ? NULL : strdup(base);
	cgroup_open(&group, "one", &(const struct cgroup_limits){.memory = 64 << 20, .processes = 16, .cpus = 1});
}

/* Limits that the kernel does not take are a reason, unless it is allowed to be without them. */
Test(group, a_limit_that_is_not_taken_is_told, .init = begin)
{
	static const struct {
		const char *files, *dirs;
		bool second, unset[CGROUP_DIRS];
		const char *refusal;
	} rows[] = {
		{"memory.max pids.max cpu.max", "", true, {false, false, false}, NULL},	/* without swap */
		{"memory.max pids.max cpu.max", "memory.swap.max", true, {true, false, false}, "memory"},
		{"memory.max pids.max", "cpu.max", true, {false, false, true}, NULL},
		{"memory.max", "pids.max cpu.max", true, {false, true, true}, "processes"},
		{"", "", true, {true, true, true}, "memory"},
		{"memory.limit_in_bytes pids.max cpu.cfs_period_us cpu.cfs_quota_us", "", false, {false, false, false}, NULL},
		{"memory.limit_in_bytes pids.max cpu.cfs_period_us", "memory.memsw.limit_in_bytes", false, {true, false, true}, "memory"},
		{"memory.limit_in_bytes cpu.cfs_period_us cpu.cfs_quota_us", "", false, {false, true, false}, "processes"},
	};
	char base[] = "/tmp/badal-group-XXXXXX", command[64];

	cr_assert_not_null(mkdtemp(base));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *refusal;
		int n;

		group_of(base, rows[i].files, rows[i].dirs, rows[i].second);
		refusal = cgroup_refusal(&group, accepts, &n);
		for (int k = 0; k < CGROUP_DIRS; k++)
			cr_expect_eq(group.unset[k], rows[i].unset[k], "row %zu: %s", i, cgroup_bounds[k]);
		cr_expect(rows[i].refusal == NULL ? refusal == NULL : refusal != NULL && strcmp(refusal, rows[i].refusal) == 0, "row %zu", i);
		cr_expect_eq(n, rows[i].unset[0] + rows[i].unset[1] + rows[i].unset[2]);
		cgroup_close(&group);
	}
	snprintf(command, sizeof command, "rm -rf %s", base);
	cr_assert_eq(system(command), 0);
}
