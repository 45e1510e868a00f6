/* Taking over a data directory that a former version ran as another system user (postgres, nobody): what that user owns in it becomes ours.
 *
 * We are root here, and that user may still run programs. So nothing is named twice: an entry is opened without following a link, looked at, and changed through
 * what was opened. What somebody else owns is left alone, a hard link to a file of root's among it. The directory itself comes last: a take-over that was cut short goes on at the next start. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "main_priv.h"

enum { DEPTH_MAX = 64 };

static bool place_take_all(const struct place *p, int dir, uid_t from, int depth);

static bool
place_take_one(const struct place *p, int dir, const char *name, uid_t from, int depth)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), below;
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0;

	if (ok && S_ISDIR(st.st_mode) && st.st_uid == from) {
		below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		ok = below >= 0 && place_take_all(p, below, from, depth + 1);	/* closes it */
	}
	if (ok && st.st_uid == from)
		ok = fchownat(fd, "", p->uid, p->gid, AT_EMPTY_PATH) == 0;
	if (fd >= 0)
		close(fd);
	return ok || errno == ENOENT;	/* it went meanwhile */
}

static bool
place_take_all(const struct place *p, int dir, uid_t from, int depth)
{
	DIR *d = depth < DEPTH_MAX ? fdopendir(dir) : NULL;
	struct dirent *x;
	bool ok = d != NULL;

	while (ok && (x = readdir(d)) != NULL)
		if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
			ok = place_take_one(p, dirfd(d), x->d_name, from, depth);
	if (d != NULL)
		closedir(d);
	else
		close(dir);
	return ok;
}

/* Those that versions before ran as. */
static bool
former(uid_t uid)
{
	static const char *const names[] = {"postgres", "nobody"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const struct passwd *pw = getpwnam(names[i]);

		if (pw != NULL && pw->pw_uid == uid && uid != 0)
			return true;
	}
	return false;
}

/* It has what our directories have, and nobody serves it. */
static bool
free_to_take(const struct place *p, int dir)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = openat(dir, "badal.lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	bool held = fd >= 0 && (fcntl(fd, F_GETLK, &l) != 0 || l.l_type != F_UNLCK);

	if (fd >= 0)
		close(fd);
	if (held)
		log_error(NULL, "another badal serves this data directory", "data_dir=%s pid=%d", p->data, (int)l.l_pid);
	return !held && fd >= 0 && fstatat(dir, "master.key", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
place_take_over(const struct place *p)
{
	int dir = p->root ? open(p->data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct stat st;
	bool ok;

	if (dir < 0)
		return true;	/* not there yet */
	if (fstat(dir, &st) != 0 || st.st_uid == p->uid || !former(st.st_uid)) {
		close(dir);
		return true;	/* place_own says whose it is */
	}
	ok = free_to_take(p, dir) && embed_clear(&embed_redis, p) && embed_clear(&embed_postgres, p);
	if (ok)
		log_warn(NULL, "taking over the data directory of a former user", "data_dir=%s from=%u to=%s", p->data, (unsigned)st.st_uid, p->user);
	ok = ok && place_take_all(p, dup(dir), st.st_uid, 0) && fchown(dir, p->uid, p->gid) == 0;
	if (!ok)
		log_error(NULL, "cannot take over the data directory", "data_dir=%s owner=%u wanted=%s", p->data, (unsigned)st.st_uid, p->user);
	close(dir);
	return ok;
}
