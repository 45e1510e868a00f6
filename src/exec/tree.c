/* Directories that strangers have filled: they may be deep, full, locked, and hold links to anywhere. Nothing here follows a link, goes by a path that they
 * made, or goes deeper than one level at a time. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/offload.h"
#include "exec_priv.h"

enum { DEPTH_MAX = 256 };

static bool
tree_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static int
tree_open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno != EACCES)
		return fd;
	return fchmodat(at, name, 0700, 0) == 0 ? openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
}

/* Empties the directory `name` of top: its directories become top's, so that none is entered deeper than once. */
static bool
tree_flatten(int top, const char *name, unsigned *n)
{
	int fd = tree_open_dir(top, name);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	char moved[32];
	bool ok = true;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	(void)fchmod(fd, 0700);
	while ((e = readdir(d)) != NULL) {
		if (tree_dots(e->d_name) || unlinkat(fd, e->d_name, 0) == 0)
			continue;
		(void)fchmodat(fd, e->d_name, 0700, 0);	/* a directory of ours can be moved only when it can be written to */
		do
			snprintf(moved, sizeof moved, ".gone-%u", (*n)++);
		while (faccessat(top, moved, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
		ok = renameat(fd, e->d_name, top, moved) == 0 && ok;
	}
	closedir(d);
	return ok && unlinkat(top, name, AT_REMOVEDIR) == 0;
}

bool
tree_remove(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	bool more = d != NULL;
	unsigned n = 0;

	while (more) {
		more = false;
		rewinddir(d);
		while ((e = readdir(d)) != NULL)
			if (!tree_dots(e->d_name) && unlinkat(fd, e->d_name, 0) != 0)
				more = tree_flatten(fd, e->d_name, &n) || more;
	}
	if (d != NULL)
		closedir(d);
	return rmdir(path) == 0 || errno == ENOENT;
}

static void
tree_remove_free(void *arg)
{
	char *path = arg;

	(void)tree_remove(path);	/* what stays is of a broken disk; the next start tries again */
	free(path);
}

void
tree_leave(const char *path)
{
	static unsigned n;
	char *aside;

	if (asprintf(&aside, "%s.gone-%d-%u", path, (int)getpid(), n++) < 0)
		abort();
	if (rename(path, aside) != 0) {	/* its name is free at once */
		free(aside);
		return;
	}
	offload_leave(LANE_file, tree_remove_free, aside);
}

struct sizing {
	const char *path;
	int64_t most, bytes;
};

static bool
tree_sum(int fd, int depth, struct sizing *s)
{
	DIR *d = fdopendir(fd);
	const struct dirent *e;
	struct stat st;
	bool ok = d != NULL && depth < DEPTH_MAX;

	while (ok && s->bytes <= s->most && (e = readdir(d)) != NULL) {
		if (tree_dots(e->d_name) || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;	/* it went meanwhile */
		s->bytes += (int64_t)st.st_blocks * 512 + 256;
		if (S_ISDIR(st.st_mode)) {
			int below = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			ok = below < 0 || tree_sum(below, depth + 1, s);
		}
	}
	if (d != NULL)
		closedir(d);
	else
		close(fd);
	return ok;
}

static void
tree_size_work(void *arg)
{
	struct sizing *s = arg;
	int fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || !tree_sum(fd, 0, s))
		s->bytes = -1;
}

err_t
tree_size(struct ctx *cx, const char *path, int64_t most, int64_t *out)
{
	struct sizing s = {path, most, 0};

	TRY(offload(cx, LANE_file, tree_size_work, &s));
	*out = s.bytes;
	return OK;
}

bool
tree_make(const char *path, uid_t owner)
{
	return mkdir(path, 0755) == 0 && chmod(path, 0755) == 0 && (owner == 0 || chown(path, owner, owner) == 0);
}

/* ---- waiting ---- */

err_t
waiters_wait(struct ctx *cx, struct waiters *w, uint64_t ms)
{
	struct waiter me = {0}, **at;
	err_t e;

	for (at = &w->first; *at != NULL; at = &(*at)->next)
		;
	*at = &me;
	e = ms > 0 ? fib_await_for(cx, &me.event, ms) : fib_await(cx, &me.event);
	for (at = &w->first; *at != NULL && *at != &me; at = &(*at)->next)
		;
	if (*at == &me)
		*at = me.next;
	return e;
}

void
waiters_wake(struct waiters *w)
{
	struct waiter *v = w->first, *next;

	w->first = NULL;
	for (; v != NULL; v = next) {
		next = v->next;
		v->next = NULL;
		fib_signal(&v->event);
	}
}
