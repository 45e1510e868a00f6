/* The limits of control groups. A group lies in others, and each of them may have a limit: the least counts. Version 2 has one tree, version 1 one for each
 * controller; a machine may have both. What cannot be read sets no limit. */
#include "core/machine.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VALUE_MAX = 128, LINE_SIZE = 2 * PATH_MAX };

struct place {			/* of this process in a tree */
	char dir[PATH_MAX];
	size_t mount;		/* bytes of it that are the tree's own directory: what is above is another thing */
};

/* ---- where ---- */

static bool
machine_has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ',') && (p[n] == ',' || p[n] == '\0' || p[n] == '\n'))
			return true;
	return false;
}

/* Of /proc/self/cgroup: "4:memory:/x", "0::/x". */
static bool
own_group(const char *root, const char *controller, char out[PATH_MAX])
{
	char line[LINE_SIZE];
	bool found = false;
	FILE *f;

	snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
	f = fopen(line, "re");
	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
		char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

		if (path == NULL)
			continue;
		*path++ = '\0';
		names++;
		path[strcspn(path, "\n")] = '\0';
		found = *controller == '\0' ? *names == '\0' : machine_has_word(names, controller);
		if (found)
			snprintf(out, PATH_MAX, "%s", path);
	}
	if (f != NULL)
		fclose(f);
	return found;
}

/* Of /proc/self/mountinfo: where the tree is, and which of its groups is seen there. */
static bool
mounted(const char *root, const char *controller, char top[PATH_MAX], char point[PATH_MAX])
{
	const char *type = *controller == '\0' ? "cgroup2" : "cgroup";
	char line[LINE_SIZE], fs[32], options[512];
	bool found = false;
	FILE *f;

	snprintf(line, sizeof line, "%s/proc/self/mountinfo", root);
	f = fopen(line, "re");
	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
		const char *tail = strstr(line, " - ");

		found = tail != NULL && sscanf(line, "%*s %*s %*s %4095s %4095s", top, point) == 2 && sscanf(tail, " - %31s %*s %511s", fs, options) == 2 &&
		    strcmp(fs, type) == 0 && (*controller == '\0' || machine_has_word(options, controller));
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static bool
place_find(const char *root, const char *controller, struct place *out)
{
	char own[PATH_MAX], top[PATH_MAX], point[PATH_MAX];
	size_t n;
	char *path = own;

	if (!own_group(root, controller, own) || !mounted(root, controller, top, point))
		return false;
	n = strcmp(top, "/") == 0 ? 0 : strlen(top);
	if (strstr(own, "..") != NULL || strncmp(own, top, n) != 0 || (own[n] != '/' && own[n] != '\0'))
		*path = '\0';		/* it is not below what is seen there: the groups of that are all there is to know */
	else
		path = own + n;
	if (strcmp(path, "/") == 0)
		*path = '\0';
	out->mount = strlen(root) + strlen(point);
	return snprintf(out->dir, sizeof out->dir, "%s%s%s", root, point, path) < (int)sizeof out->dir;
}

/* The group around it; false: there is none. */
static bool
place_up(struct place *p)
{
	char *slash = strrchr(p->dir, '/');

	if (slash == NULL || (size_t)(slash - p->dir) < p->mount)
		return false;
	*slash = '\0';
	return true;
}

/* ---- what ---- */

/* The number at the beginning of a file, and the one after it; INT64_MAX: there is none ("max"). */
static void
read_numbers(const struct place *p, const char *name, int64_t out[2])
{
	char path[PATH_MAX + 64], text[VALUE_MAX], *at = text;
	ssize_t n = -1;
	int fd;

	out[0] = out[1] = INT64_MAX;
	snprintf(path, sizeof path, "%s/%s", p->dir, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		n = read(fd, text, sizeof text - 1);
		close(fd);
	}
	if (n <= 0)
		return;
	text[n] = '\0';
	for (int i = 0; i < 2; i++) {
		char *end;
		long long v = strtoll(at, &end, 10);

		if (end != at)
			out[i] = v;
		at = end == at ? at + strcspn(at, " \n") : end;
	}
}

static void
least_memory(const char *root, const char *controller, const char *const *files, size_t *least)
{
	struct place p;
	int64_t v[2];

	if (!place_find(root, controller, &p))
		return;
	do
		for (const char *const *f = files; *f != NULL; f++) {
			read_numbers(&p, *f, v);
			if (v[0] > 0 && (uint64_t)v[0] < *least)
				*least = (size_t)v[0];
		}
	while (place_up(&p));
}

size_t
machine_memory_at(const char *root, size_t have)
{
	static const char *const two[] = {"memory.max", "memory.high", NULL}, *const one[] = {"memory.limit_in_bytes", NULL};

	least_memory(root, "", two, &have);
	least_memory(root, "memory", one, &have);
	return have;
}

static void
least_cores(int64_t quota, int64_t period, unsigned *least)
{
	int64_t n;

	if (quota <= 0 || quota == INT64_MAX || period <= 0 || period == INT64_MAX)
		return;
	n = quota / period + (quota % period != 0);
	if (n < *least)
		*least = (unsigned)n;
}

unsigned
machine_cores_at(const char *root, unsigned have)
{
	unsigned least = have > 0 ? have : 1;
	int64_t v[2], period[2];
	struct place p;

	if (place_find(root, "", &p))
		do {
			read_numbers(&p, "cpu.max", v);
			least_cores(v[0], v[1], &least);
		} while (place_up(&p));
	if (place_find(root, "cpu", &p))
		do {
			read_numbers(&p, "cpu.cfs_quota_us", v);
			read_numbers(&p, "cpu.cfs_period_us", period);
			least_cores(v[0], period[0], &least);
		} while (place_up(&p));
	return least;
}

size_t
machine_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return machine_memory_at("", pages > 0 && size > 0 ? (size_t)pages * (size_t)size : SIZE_MAX);
}

unsigned
machine_cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0 && (n <= 0 || CPU_COUNT(&set) < n))
		n = CPU_COUNT(&set);
	return machine_cores_at("", n > 0 ? (unsigned)n : 1);
}
