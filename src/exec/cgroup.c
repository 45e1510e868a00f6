/* Control groups. The kernel's files are small and answer at once, so they are read and written where they are needed.
 *
 * Version 2: a group with children must be empty, so this process moves into a leaf of its own, and sandboxes are its sisters. The root group is never used:
 * it has no limits, and other people's processes are in it. Version 1: each controller has a tree of its own.
 *
 * To move a process waits for all processors to pass a point of rest, 5 to 20 ms, and who forks meanwhile waits as well. So nobody is moved: with version 2 a
 * process is born in its group (CLONE_INTO_CGROUP, Linux 5.7), with version 1 its only thread joins by itself, which needs no such wait (`tasks`, Linux 5.12). */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/child.h"

enum { TEXT_MAX = 16 * 1024, CPU_PERIOD_US = 100000, PAGE_FULL = 2048 };
enum { MEMORY, PROCESSES, CPU };	/* version 2: all are in the first */

static char *places[CGROUP_DIRS];	/* below which groups are made */
static bool two;			/* version 2 */
static bool born;			/* version 2: processes can begin in a group */

static const char *const controllers[CGROUP_DIRS] = {"memory", "pids", "cpu"};
const char *const cgroup_bounds[CGROUP_DIRS] = {"memory", "processes", "processors"};

/* ---- files ---- */

static bool
cgroup_file_read(const char *dir, const char *name, char out[TEXT_MAX])
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path || (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	n = read(fd, out, TEXT_MAX - 1);
	close(fd);
	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

static bool
cgroup_file_write(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	bool ok;
	int fd;

	if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path || (fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

static bool
cgroup_file_write_number(const char *dir, const char *name, int64_t n)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)n);
	return cgroup_file_write(dir, name, text);
}

/* The number behind a word at the beginning of a line; -1: there is none. */
static int64_t
cgroup_number_after(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, word, n) == 0 && line[n] == ' ')
			return strtoll(line + n, NULL, 10);
		if (*line == '\0')
			break;
	}
	return -1;
}

/* ---- where groups are ---- */

static bool
cgroup_word_in(const char *list, const char *word, char sep)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == sep) && (p[n] == sep || p[n] == '\0' || p[n] == '\n'))
			return true;
	return false;
}

/* Our path in a hierarchy, from a text of /proc/self/cgroup: "4:memory:/x", "0::/x". */
static bool
cgroup_own_path(const char *text, const char *controller, char out[PATH_MAX])
{
	char line[PATH_MAX + 64];

	for (const char *p = text, *end; *p != '\0'; p = end + (*end == '\n')) {
		char *names, *path;

		end = strchrnul(p, '\n');
		snprintf(line, sizeof line, "%.*s", (int)(end - p), p);
		if ((names = strchr(line, ':')) == NULL || (path = strchr(++names, ':')) == NULL)
			continue;
		*path++ = '\0';
		if (*controller == '\0' ? *names == '\0' : cgroup_word_in(names, controller, ',')) {
			snprintf(out, PATH_MAX, "%s", path);
			return true;
		}
	}
	return false;
}

/* Where a hierarchy is mounted, from a text of /proc/self/mountinfo. */
static bool
cgroup_mount_of(const char *text, const char *type, const char *controller, char out[PATH_MAX])
{
	char line[PATH_MAX + 512], point[PATH_MAX], fs[32], options[512];

	for (const char *p = text, *end; *p != '\0'; p = end + (*end == '\n')) {
		const char *tail;

		end = strchrnul(p, '\n');
		snprintf(line, sizeof line, "%.*s", (int)(end - p), p);
		if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1 || (tail = strstr(line, " - ")) == NULL ||
		    sscanf(tail, " - %31s %*s %511s", fs, options) != 2 || strcmp(fs, type) != 0)
			continue;
		if (*controller == '\0' || cgroup_word_in(options, controller, ',')) {
			snprintf(out, PATH_MAX, "%s", point);
			return true;
		}
	}
	return false;
}

static char *
cgroup_text(const char *path)	/* a whole file of /proc; NULL: it cannot be read */
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t n = 0;

	if (f == NULL)
		return NULL;
	if (getdelim(&text, &n, '\0', f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

/* A directory, new or not; NULL: it cannot be. */
static char *
cgroup_dir(const char *parent, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s%s", parent, *name != '\0' ? "/" : "", name) < 0)
		abort();
	if (mkdir(path, 0755) == 0 || (errno == EEXIST && access(path, W_OK) == 0))	/* somebody else's is of no use */
		return path;
	free(path);
	return NULL;
}

/* Whether a child can begin in the group at `dir`. */
static bool
cgroup_bears(const char *dir)
{
	int group = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), pid = group >= 0 ? child_fork_into(group) : -1;

	if (pid == 0)
		_exit(0);
	if (group >= 0)
		close(group);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return pid > 0;
}

/* A directory with the controllers for its children, this process in a leaf of it. */
static bool
cgroup_setup_two(const char *cgroups, const char *mounts)
{
	char mount[PATH_MAX], own[PATH_MAX], have[TEXT_MAX];
	char *base, *leaf;

	if (!cgroup_mount_of(mounts, "cgroup2", "", mount) || !cgroup_own_path(cgroups, "", own))
		return false;
	if (strcmp(own, "/") != 0)
		strncat(mount, own, sizeof mount - strlen(mount) - 1);
	base = cgroup_dir(mount, strcmp(own, "/") == 0 ? "badal-executor" : "");
	if (base == NULL || !cgroup_file_read(base, "cgroup.controllers", have) || !cgroup_word_in(have, "memory", ' ') ||
	    (leaf = cgroup_dir(base, "executor")) == NULL) {
		free(base);
		return false;
	}
	two = cgroup_file_write_number(leaf, "cgroup.procs", getpid()) && cgroup_file_write(base, "cgroup.subtree_control", "+memory +pids +cpu");
	born = two && cgroup_bears(leaf);
	free(leaf);
	if (two)
		places[0] = base;
	else
		free(base);
	return two;
}

static void
cgroup_setup_one(const char *cgroups, const char *mounts)
{
	char mount[PATH_MAX], own[PATH_MAX];

	for (int i = 0; i < CGROUP_DIRS; i++)
		if (cgroup_mount_of(mounts, "cgroup", controllers[i], mount) && cgroup_own_path(cgroups, controllers[i], own)) {
			if (strcmp(own, "/") != 0)
				strncat(mount, own, sizeof mount - strlen(mount) - 1);
			places[i] = cgroup_dir(mount, "badal-executor");
		}
}

const char *
cgroup_setup(void)
{
	static char missing[64];
	static const struct cgroup_limits limits = {.memory = 64 << 20, .processes = 64, .cpus = 1};
	struct cgroup probe;
	char name[32];
	char *cgroups = cgroup_text("/proc/self/cgroup"), *mounts = cgroup_text("/proc/self/mountinfo");

	if (cgroups != NULL && mounts != NULL && !cgroup_setup_two(cgroups, mounts))
		cgroup_setup_one(cgroups, mounts);
	free(cgroups);
	free(mounts);
	missing[0] = '\0';
	snprintf(name, sizeof name, "probe-%d", (int)getpid());
	cgroup_open(&probe, name, &limits);
	for (int i = 0; i < CGROUP_DIRS; i++)
		if ((!two && places[i] == NULL) || probe.unset[i])
			snprintf(missing + strlen(missing), sizeof missing - strlen(missing), "%s%s", missing[0] ? ", " : "", cgroup_bounds[i]);
	cgroup_close(&probe);
	return missing;
}

/* ---- one group ---- */

/* A file that machines may be without. */
static bool
cgroup_file_write_if(const char *dir, const char *name, const char *text)
{
	return cgroup_file_write(dir, name, text) || errno == ENOENT;
}

static void
cgroup_limit_two(struct cgroup *g, const struct cgroup_limits *l)
{
	const char *dir = g->dirs[0];
	char quota[64];

	if (l->memory > 0)
		g->unset[MEMORY] = !cgroup_file_write_number(dir, "memory.max", l->memory) || !cgroup_file_write_if(dir, "memory.swap.max", "0") ||	/* there is none without swap */
		    !cgroup_file_write_if(dir, "memory.oom.group", "1");
	if (l->processes > 0)
		g->unset[PROCESSES] = !cgroup_file_write_number(dir, "pids.max", l->processes);
	snprintf(quota, sizeof quota, "%lld %d", (long long)(l->cpus * CPU_PERIOD_US), CPU_PERIOD_US);
	if (l->cpus > 0)
		g->unset[CPU] = !cgroup_file_write(dir, "cpu.max", quota);
}

static void
cgroup_limit_one(struct cgroup *g, const struct cgroup_limits *l)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)l->memory);
	if (g->dirs[MEMORY] != NULL && l->memory > 0)
		g->unset[MEMORY] = !cgroup_file_write(g->dirs[MEMORY], "memory.limit_in_bytes", text) ||
		    !cgroup_file_write_if(g->dirs[MEMORY], "memory.memsw.limit_in_bytes", text);	/* there is none without swap accounting */
	if (g->dirs[PROCESSES] != NULL && l->processes > 0)
		g->unset[PROCESSES] = !cgroup_file_write_number(g->dirs[PROCESSES], "pids.max", l->processes);
	if (g->dirs[CPU] != NULL && l->cpus > 0)
		g->unset[CPU] = !cgroup_file_write_number(g->dirs[CPU], "cpu.cfs_period_us", CPU_PERIOD_US) ||
		    !cgroup_file_write_number(g->dirs[CPU], "cpu.cfs_quota_us", (int64_t)(l->cpus * CPU_PERIOD_US));
}

static int
cgroup_file_open(const char *dir, const char *name, int flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return open(path, flags | O_CLOEXEC);
}

void
cgroup_open(struct cgroup *g, const char *name, const struct cgroup_limits *limits)
{
	*g = (struct cgroup){.procs = -1, .starved = -1};
	for (int i = 0; i < CGROUP_DIRS; i++) {
		g->dirs[i] = places[i] != NULL ? cgroup_dir(places[i], name) : NULL;
		g->join[i] = g->dirs[i] != NULL && !born ? cgroup_file_open(g->dirs[i], two ? "cgroup.procs" : "tasks", O_WRONLY) : -1;
	}
	for (int i = 0; i < CGROUP_DIRS && g->procs < 0; i++)
		if (g->dirs[i] != NULL)
			g->procs = cgroup_file_open(g->dirs[i], two ? "cgroup.procs" : "", two ? O_RDONLY : O_PATH | O_DIRECTORY);
	if (born && g->dirs[0] != NULL)
		g->group = cgroup_file_open(g->dirs[0], "", O_RDONLY | O_DIRECTORY);
	if (!two && g->dirs[MEMORY] != NULL)
		g->starved = cgroup_file_open(g->dirs[MEMORY], "memory.oom_control", O_RDONLY);
	if (two && g->dirs[0] != NULL)
		cgroup_limit_two(g, limits);
	else if (!two)
		cgroup_limit_one(g, limits);
}

const char *
cgroup_refusal(const struct cgroup *g, bool (*accepted)(const char *bound), int *unset_out)
{
	const char *first = NULL;

	*unset_out = 0;
	for (int i = 0; i < CGROUP_DIRS; i++) {
		*unset_out += g->unset[i];
		if (g->unset[i] && first == NULL && !accepted(cgroup_bounds[i]))
			first = cgroup_bounds[i];
	}
	return first;
}

bool
cgroup_join(const struct cgroup *g)
{
	for (int i = 0; i < CGROUP_DIRS; i++) {
		if (g->dirs[i] == NULL && places[i] != NULL)	/* it could not be made: nothing runs without its limits */
			return false;
		if (g->dirs[i] == NULL)
			continue;
		if (!(born && g->group > 0) && (g->join[i] < 0 || write(g->join[i], "0", 1) != 1))
			return false;
	}
	return true;
}

/* A file that is open, from its beginning. */
static bool
cgroup_fd_read(int fd, char out[TEXT_MAX])
{
	ssize_t n = fd >= 0 ? pread(fd, out, TEXT_MAX - 1, 0) : -1;

	out[n > 0 ? n : 0] = '\0';
	return n >= 0;
}

bool
cgroup_out_of_memory(const struct cgroup *g)
{
	char text[TEXT_MAX];

	if (g->starved >= 0)
		return cgroup_fd_read(g->starved, text) && cgroup_number_after(text, "oom_kill") > 0;
	return g->dirs[MEMORY] != NULL && cgroup_file_read(g->dirs[MEMORY], two ? "memory.events" : "memory.oom_control", text) && cgroup_number_after(text, "oom_kill") > 0;
}

bool
cgroup_kills_whole(void)
{
	return two;
}

int64_t
cgroup_memory(const struct cgroup *g)
{
	char text[TEXT_MAX];

	if (g->dirs[MEMORY] == NULL || !cgroup_file_read(g->dirs[MEMORY], two ? "memory.current" : "memory.usage_in_bytes", text))
		return -1;
	return strtoll(text, NULL, 10);
}

/* A page of the list comes with each read; one that is not nearly full is the last. */
static int
cgroup_each_in(int fd, void (*fn)(pid_t pid, void *arg), void *arg)
{
	char text[TEXT_MAX];
	off_t at = 0;
	ssize_t got;
	pid_t pid = 0;
	int n = 0;

	do {
		got = pread(fd, text, sizeof text, at);
		for (const char *p = text; p < text + got; p++)
			if (*p >= '0' && *p <= '9') {
				pid = pid * 10 + (*p - '0');
			} else if (pid > 0) {
				fn(pid, arg);
				pid = 0;
				n++;
			}
		at += got;
	} while (got >= PAGE_FULL);
	return got < 0 ? -1 : n;
}

int
cgroup_each(const struct cgroup *g, void (*fn)(pid_t pid, void *arg), void *arg)
{
	int fd, n;

	if (two)
		return g->procs >= 0 ? cgroup_each_in(g->procs, fn, arg) : -1;
	/* version 1 remembers the list for who has the file open */
	fd = g->procs >= 0 ? openat(g->procs, "cgroup.procs", O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return -1;
	n = cgroup_each_in(fd, fn, arg);
	close(fd);
	return n;
}

static void
cgroup_kill_one(pid_t pid, void *arg)
{
	(void)arg;
	kill(pid, SIGKILL);
}

void
cgroup_kill(const struct cgroup *g)
{
	if (g->dirs[0] == NULL || !two || !cgroup_file_write(g->dirs[0], "cgroup.kill", "1"))
		(void)cgroup_each(g, cgroup_kill_one, NULL);	/* those that it begins meanwhile end with their first process */
}

void
cgroup_close(struct cgroup *g)
{
	if (g->starved >= 0)
		close(g->starved);
	if (g->procs >= 0)
		close(g->procs);
	if (g->group > 0)
		close(g->group);
	g->starved = g->procs = -1;
	g->group = 0;
	for (int i = 0; i < CGROUP_DIRS; i++) {
		if (g->join[i] >= 0)
			close(g->join[i]);
		if (g->dirs[i] != NULL)
			rmdir(g->dirs[i]);
		free(g->dirs[i]);
		g->dirs[i] = NULL;
		g->join[i] = -1;
	}
}
