/* The local device: a directory.
 *
 * What is being written has no name (O_TMPFILE), so a crash leaves nothing; where the file system has no such files it has one in tmp/. It gets its name
 * when it is whole, and then file and directory are synced: until that is done no row promises it, so the order of name and sync does not
 * matter, and a journal commits both at once. Directories are made when they are needed and synced up to the root; a process remembers which ones it has seen
 * so. Paths are resolved by the kernel beneath the root, through no link. Everything that may wait for a disk is done by threads. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/log.h"
#include "core/offload.h"
#include "core/vtime.h"
#include "device_priv.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

enum {
	SEEN_DIRS = 4096,	/* directories that are known to be synced */
	DEPTH = 8,		/* of keys */
	WALK_BATCH = 256, SWEEP_BATCH = 1000,
	LINK_TRIES = 5,		/* the directory may go away between making it and using it */
	SWEEP_TRIES = 100
};

struct local {			/* own of the device */
	_Atomic(uint64_t) seen[SEEN_DIRS];
};

static int
local_open_at(int root, const char *path, int flags, unsigned resolve)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve};

	return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

/* ---- directories ---- */

static bool
dir_seen(struct local *l, const char *path, bool now)
{
	uint64_t h = str_hash_stable(str_c(path)) | 1;

	if (now)
		atomic_store(&l->seen[h % SEEN_DIRS], h);
	return atomic_load(&l->seen[h % SEEN_DIRS]) == h;
}

/* Makes what is missing, and syncs each directory that holds one of the path, whoever made that. */
static int
make_dirs(const struct device *d, const char *path)
{
	char part[DEVICE_KEY_MAX + 1];
	int at = openat(d->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), next;

	for (const char *s = path; at >= 0 && *s != '\0'; at = next) {
		size_t n = strcspn(s, "/");

		memcpy(part, s, n);
		part[n] = '\0';
		s += n + (s[n] == '/');
		next = -1;
		if ((mkdirat(at, part, 0700) == 0 || errno == EEXIST) && fsync(at) == 0)
			next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			int error = errno;

			close(at);
			errno = error;
		} else {
			close(at);
		}
	}
	if (at >= 0)
		dir_seen(d->own, path, true);
	return at;
}

/* The directory of a key, to be written to. *base_out: the name in it. */
static int
key_dir(const struct device *d, const char *key, const char **base_out)
{
	char path[DEVICE_KEY_MAX + 1];
	const char *slash = strrchr(key, '/');
	int fd = -1;

	*base_out = slash != NULL ? slash + 1 : key;
	snprintf(path, sizeof path, "%.*s", slash != NULL ? (int)(slash - key) : 0, key);
	if (dir_seen(d->own, path, false))
		fd = local_open_at(d->root, path, O_RDONLY | O_DIRECTORY, 0);
	return fd >= 0 ? fd : make_dirs(d, path);
}

bool
device_root(struct device *d, char *why, size_t why_size)
{
	if (mkdir(d->s.dir, 0700) != 0 && errno != EEXIST) {
		snprintf(why, why_size, "%s cannot be made: %s", d->s.dir, strerror(errno));
		return false;
	}
	d->root = open(d->s.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0 || (mkdirat(d->root, "tmp", 0700) != 0 && errno != EEXIST)) {
		snprintf(why, why_size, "%s cannot be used: %s", d->s.dir, strerror(errno));
		if (d->root >= 0)
			close(d->root);
		return false;
	}
	return true;
}

bool
device_local_begin(struct device *d, char *why, size_t why_size)
{
	int fd;

	if (!device_root(d, why, why_size))
		return false;
	fd = local_open_at(d->root, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0) {
		snprintf(why, why_size, "%s cannot be used: openat2: %s%s", d->s.dir, strerror(errno),
		    errno == ENOSYS || errno == EPERM ? " (Linux before 5.6, or a sandbox that refuses it, as RestrictSUIDSGID= of systemd does)" : "");
		close(d->root);
		return false;
	}
	close(fd);
	snprintf(d->name, sizeof d->name, "local %s", d->s.dir);
	d->kind = &device_local;
	d->own = mem_zalloc(sizeof(struct local));
	return true;
}

/* ---- writing ---- */

int
device_spool(const struct device *d, const char *name, bool *named_out)
{
	char path[DEVICE_KEY_MAX + 8];
	int fd = openat(d->root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	*named_out = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
	if (!*named_out)
		return fd;
	snprintf(path, sizeof path, "tmp/%s", name);
	return openat(d->root, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static const char *
key_base(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash != NULL ? slash + 1 : key;
}

struct local_job {
	const struct device *d;
	struct device_file *f;
	const char *key;
	int fd, error;
};

static void
create_blocking(void *arg)
{
	struct local_job *j = arg;

	snprintf(j->f->spool, sizeof j->f->spool, "%s", key_base(j->f->key));
	j->fd = device_spool(j->d, j->f->spool, &j->f->named);
	if (j->fd < 0 && j->f->named && errno == EEXIST) {	/* somebody who shares it is at work, or was and died */
		snprintf(j->f->spool, sizeof j->f->spool, "%.*s-%08x", DEVICE_KEY_MAX - 9, key_base(j->f->key), randombytes_random());
		j->fd = device_spool(j->d, j->f->spool, &j->f->named);
	}
	j->error = errno;
}

static err_t
local_create(struct ctx *cx, struct device_file *f)
{
	struct local_job j = {.d = f->d, .f = f, .fd = -1};
	err_t e = offload(cx, LANE_file, create_blocking, &j);

	f->fd = j.fd;
	if (e != OK && f->fd >= 0)
		device_drop(&(struct device_file *){f});
	TRY(e);
	return f->fd >= 0 ? OK : device_errno(cx, f->d, "create", f->key, j.error);
}

/* errno, or 0. */
static int
give_name(const struct device *d, const struct device_file *f, int dir, const char *base)
{
	char from[DEVICE_KEY_MAX + 8];

	if (f->named) {
		snprintf(from, sizeof from, "tmp/%s", f->spool);
		return renameat2(d->root, from, dir, base, RENAME_NOREPLACE) == 0 ? 0 : errno;
	}
	snprintf(from, sizeof from, "/proc/self/fd/%d", f->fd);
	return linkat(AT_FDCWD, from, dir, base, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

/* Who shares brings the same bytes as others: one of them was first. Its name is safe once the directory is synced, its bytes were before it had one. */
static bool
another_was_first(const struct local_job *j, int dir, const char *base)
{
	char spool[DEVICE_KEY_MAX + 8];
	struct stat ours, theirs;

	if (j->error != EEXIST || !j->f->shared || fstat(j->f->fd, &ours) != 0 || fstatat(dir, base, &theirs, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(theirs.st_mode) || theirs.st_size != ours.st_size)
		return false;
	snprintf(spool, sizeof spool, "tmp/%s", j->f->spool);
	if (j->f->named)
		unlinkat(j->d->root, spool, 0);
	return true;
}

static void
finish_blocking(void *arg)
{
	struct local_job *j = arg;
	const char *base;
	int dir = -1, tries = 0;

	if (j->f->shared && fsync(j->f->fd) != 0) {	/* rows promise it already: under its name there is the whole of it or nothing */
		j->error = errno;
		return;
	}
	do {	/* who removes the place takes the directory away */
		if (dir >= 0)
			close(dir);
		dir = key_dir(j->d, j->f->key, &base);
		j->error = dir < 0 ? errno : give_name(j->d, j->f, dir, base);
	} while (j->error == ENOENT && ++tries < LINK_TRIES);
	j->f->maybe = j->error == 0;
	if (another_was_first(j, dir, base))
		j->error = 0;
	if (j->error == 0 && (fsync(j->f->fd) != 0 || fsync(dir) != 0))
		j->error = errno;
	if (dir >= 0)
		close(dir);
}

static void remove_blocking(void *arg);

static void
close_blocking(void *arg)
{
	struct local_job *j = arg;
	char path[DEVICE_KEY_MAX + 8];

	if (j->f->named && !j->f->finished) {
		snprintf(path, sizeof path, "tmp/%s", j->f->spool);
		unlinkat(j->d->root, path, 0);
	}
	j->key = j->f->key;
	if (device_file_undo(j->f))	/* it could not be synced, or whoever waited for that has left */
		remove_blocking(j);
	close(j->f->fd);
}

static err_t
local_finish(struct ctx *cx, struct device_file *f)
{
	struct local_job j = {.d = f->d, .f = f};

	TRY(offload(cx, LANE_sync, finish_blocking, &j));
	return j.error == 0 ? OK : device_errno(cx, f->d, "finish", f->key, j.error);
}

static void
local_drop(struct ctx *cx, struct device_file *f)
{
	struct local_job j = {.d = f->d, .f = f};

	if (f->fd >= 0 && offload(cx, LANE_file, close_blocking, &j) != OK)
		close_blocking(&j);	/* a descriptor that stays open would be worse */
}

/* ---- reading ---- */

static void
open_blocking(void *arg)
{
	struct local_job *j = arg;

	j->fd = local_open_at(j->d->root, j->key, O_RDONLY, 0);
	j->error = errno;
}

/* What the kernel knows the way to is opened at once. */
static err_t
local_open(struct ctx *cx, struct device_source *s, uint64_t *size_out)
{
	struct local_job j = {.d = s->d, .key = s->key};
	struct device_kept *kept = device_kept_get(s->d, s->key, size_out);
	struct stat st;

	if (kept != NULL) {
		s->own = kept;
		s->fd = device_kept_fd(kept);
		return OK;
	}
	j.fd = local_open_at(s->d->root, s->key, O_RDONLY, RESOLVE_CACHED);
	if (j.fd < 0) {
		err_t e = offload(cx, LANE_file, open_blocking, &j);

		if (e != OK && j.fd >= 0)
			close(j.fd);
		TRY(e);
	}
	if (j.fd < 0 && j.error == ENOENT)
		return fail(cx, ERR_BLOB_GONE, "%s is not there", s->key);
	if (j.fd < 0)
		return device_errno(cx, s->d, "open", s->key, j.error);
	s->fd = j.fd;
	if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*size_out = (uint64_t)st.st_size;
		s->own = device_kept_put(s->d, s->key, s->fd, *size_out);
		return OK;
	}
	close(s->fd);
	return device_errno(cx, s->d, "open", s->key, EISDIR);
}

static void
local_close(struct device_source *s)
{
	struct device_kept *kept = s->own;

	if (kept != NULL)
		device_kept_unref(&kept);
	else
		close(s->fd);
	s->own = NULL;
	s->fd = -1;
}

/* ---- removing ---- */

static void
remove_blocking(void *arg)
{
	struct local_job *j = arg;
	char path[DEVICE_KEY_MAX + 1];
	const char *base = key_base(j->key);
	int dir;

	snprintf(path, sizeof path, "%.*s", (int)(base - j->key), j->key);
	dir = local_open_at(j->d->root, path[0] ? path : ".", O_RDONLY | O_DIRECTORY, 0);
	j->error = dir < 0 || unlinkat(dir, base, 0) != 0 ? errno : 0;
	if (dir >= 0)
		close(dir);
}

static err_t
local_remove(struct ctx *cx, struct device *d, const char *key)
{
	struct local_job j = {.d = d, .key = key};

	TRY(offload(cx, LANE_file, remove_blocking, &j));
	return j.error == 0 || j.error == ENOENT ? OK : device_errno(cx, d, "remove", key, j.error);
}

struct sweep {
	const struct device *d;
	const char *prefix;
	int left, error;
	bool done;
};

/* Removes what is in the directory, and closes it. True: it is empty now, as far as we saw. */
static bool
sweep_dir(struct sweep *s, int fd, int depth)
{
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;
	bool all = dir != NULL;

	if (dir == NULL && fd >= 0)
		close(fd);
	while (all && s->left > 0 && s->error == 0 && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		s->left--;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if ((errno != EISDIR && errno != EPERM) || depth == 0) {
			s->error = errno;
			break;
		}
		if (sweep_dir(s, openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), depth - 1) &&
		    unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR) != 0 && errno != ENOTEMPTY && errno != ENOENT)
			s->error = errno;
	}
	all = all && s->left > 0 && s->error == 0;
	if (dir != NULL)
		closedir(dir);
	return all;
}

/* Somebody may put something in meanwhile: then once more. */
static void
sweep_blocking(void *arg)
{
	struct sweep *s = arg;
	char path[DEVICE_KEY_MAX + 1];
	int fd;

	snprintf(path, sizeof path, "%.*s", (int)strlen(s->prefix) - 1, s->prefix);
	fd = local_open_at(s->d->root, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0) {
		s->error = errno == ENOENT ? 0 : errno;
		s->done = true;
		return;
	}
	if (sweep_dir(s, fd, DEPTH)) {
		s->done = unlinkat(s->d->root, path, AT_REMOVEDIR) == 0 || errno == ENOENT;
		s->error = s->done || errno == ENOTEMPTY ? 0 : errno;
	}
}

static err_t
local_remove_below(struct ctx *cx, struct device *d, const char *prefix)
{
	struct sweep s = {.d = d, .prefix = prefix};

	for (int again = 0; !s.done && s.error == 0 && again < SWEEP_TRIES; again += s.left > 0) {
		s.left = SWEEP_BATCH;
		TRY(offload(cx, LANE_file, sweep_blocking, &s));
	}
	return s.error == 0 ? OK : device_errno(cx, d, "remove", prefix, s.error);
}

/* ---- listing ---- */

struct walk_entry {
	char key[DEVICE_KEY_MAX + 1];
	int64_t size, changed;
};

struct walk {
	const struct device *d;
	DIR *dir[DEPTH];	/* the way to where we are */
	size_t len[DEPTH];	/* of path, up to each */
	char path[DEVICE_KEY_MAX + 1];
	int depth;		/* directories open; 0: at the end */
	bool names;		/* directories of the first one, and nothing else */
	struct walk_entry v[WALK_BATCH];
	int n, error;
};

static void
walk_enter(struct walk *w, int fd)
{
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL) {
		if (errno != ENOENT)	/* removed meanwhile */
			w->error = errno;
		if (fd >= 0)
			close(fd);
		return;
	}
	w->dir[w->depth] = dir;
	w->len[w->depth++] = strlen(w->path);
}

static void
walk_leave(struct walk *w)
{
	closedir(w->dir[--w->depth]);
	if (w->depth > 0)
		w->path[w->len[w->depth - 1]] = '\0';
}

static void
walk_entry(struct walk *w, const char *name)
{
	size_t len = w->len[w->depth - 1];
	int fd = dirfd(w->dir[w->depth - 1]);
	struct stat st;

	if (name[0] == '.' || len + strlen(name) + 1 > DEVICE_KEY_MAX || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (S_ISDIR(st.st_mode) && !w->names) {
		snprintf(w->path + len, sizeof w->path - len, "%s/", name);
		if (w->depth < DEPTH)
			walk_enter(w, openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
		return;
	}
	if (w->names ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)) {
		struct walk_entry *e = &w->v[w->n++];

		snprintf(e->key, sizeof e->key, "%.*s%s", w->names ? 0 : (int)len, w->path, name);
		e->size = st.st_size;
		e->changed = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	}
}

static void
walk_blocking(void *arg)
{
	struct walk *w = arg;

	w->n = 0;
	while (w->depth > 0 && w->n < WALK_BATCH && w->error == 0) {
		const struct dirent *e = readdir(w->dir[w->depth - 1]);

		if (e == NULL)
			walk_leave(w);
		else
			walk_entry(w, e->d_name);
	}
}

static void
walk_begin_blocking(void *arg)
{
	struct walk *w = arg;
	char path[DEVICE_KEY_MAX + 2];

	snprintf(path, sizeof path, "%s.", w->path);	/* "p_1/files/." */
	walk_enter(w, local_open_at(w->d->root, path, O_RDONLY | O_DIRECTORY, 0));
	if (w->depth > 0)
		walk_blocking(w);
}

static void
walk_end_blocking(void *arg)
{
	struct walk *w = arg;

	while (w->depth > 0)
		walk_leave(w);
}

static void
walk_free(void *arg)
{
	walk_end_blocking(arg);
	free(arg);
}

struct walk_told {
	device_seen_fn seen;
	device_name_fn name;
	void *arg;
};

static err_t
walk_tell(struct ctx *cx, const struct walk *w, const struct walk_told *t)
{
	for (int i = 0; i < w->n; i++)
		TRY(t->name != NULL ? t->name(cx, w->v[i].key, t->arg) : t->seen(cx, w->v[i].key, w->v[i].size, w->v[i].changed, t->arg));
	return OK;
}

static err_t
walk_all(struct ctx *cx, struct device *d, const char *prefix, const struct walk_told *t)
{
	struct walk *w = mem_zalloc(sizeof *w);

	defer(cx, walk_free, w);
	w->d = d;
	w->names = t->name != NULL;
	snprintf(w->path, sizeof w->path, "%s", prefix);
	TRY(offload(cx, LANE_file, walk_begin_blocking, w));
	TRY(walk_tell(cx, w, t));
	while (w->depth > 0 && w->error == 0) {
		TRY(offload(cx, LANE_file, walk_blocking, w));
		TRY(walk_tell(cx, w, t));
	}
	return w->error == 0 ? OK : device_errno(cx, d, "list", prefix, w->error);
}

static err_t
local_walk(struct ctx *cx, struct device *d, const char *prefix, device_seen_fn fn, void *arg)
{
	const struct walk_told t = {.seen = fn, .arg = arg};

	return walk_all(cx, d, prefix, &t);
}

static err_t
local_names(struct ctx *cx, struct device *d, const char *prefix, device_name_fn fn, void *arg)
{
	const struct walk_told t = {.name = fn, .arg = arg};

	return walk_all(cx, d, prefix, &t);
}

struct tidying {
	struct device *d;
	int removed;
};

static err_t
tidy_one(struct ctx *cx, const char *key, int64_t size, int64_t changed, void *arg)
{
	struct tidying *t = arg;

	(void)size;
	if (changed > time_now_ms() - DEVICE_STALE_MS)
		return OK;
	t->removed++;
	return local_remove(cx, t->d, key);
}

static err_t
local_tidy(struct ctx *cx, struct device *d, int *removed_out)
{
	struct tidying t = {.d = d};
	err_t e = local_walk(cx, d, "tmp/", tidy_one, &t);

	*removed_out = t.removed;
	return e;
}

const struct device_kind device_local = {
	.create = local_create, .finish = local_finish, .drop = local_drop, .open = local_open, .close = local_close, .remove = local_remove,
	.remove_below = local_remove_below, .walk = local_walk, .names = local_names, .tidy = local_tidy,
};
