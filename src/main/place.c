/* The data directory: where it is, whose it is, and the names of the sockets in it.
 *
 * The names follow from data_dir alone, so a verb of the shell finds the servers of a running instance without asking it. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "main_priv.h"

/* sun_path is 108 bytes; the longest name in it is ".s.PGSQL.5432.lock" */
enum { SOCKET_DIR_MAX = 107 - 19 };

static bool
place_find_user(struct place *p)
{
	const char *name = *conf.run_user ? conf.run_user : "badal";
	const struct passwd *pw;

	p->root = geteuid() == 0;
	if (!p->root) {
		pw = getpwuid(geteuid());
		p->uid = geteuid();
		p->gid = getegid();
		snprintf(p->user, sizeof p->user, "%s", pw ? pw->pw_name : "");
		return true;
	}
	pw = getpwnam(name);
	if (pw == NULL || pw->pw_uid == 0) {
		log_error(NULL, "as root, badal needs an unprivileged user of its own to run as",
		    "user=%s advice=\"useradd --system --home-dir /var/lib/badal --no-create-home --shell /usr/sbin/nologin badal, or set run_user\"", name);
		return false;
	}
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	snprintf(p->user, sizeof p->user, "%s", pw->pw_name);
	return true;
}

/* The same for the server and for the verbs beside it, wherever they are called; "" when nothing tells a home. */
static void
usual_data(const struct place *p, char *out, size_t size)
{
	const char *share = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	const struct passwd *pw = getpwuid(p->uid);

	if (home == NULL || *home != '/')
		home = pw != NULL ? pw->pw_dir : "";
	if (p->root)
		snprintf(out, size, "/var/lib/badal");
	else if (share != NULL && *share == '/')
		snprintf(out, size, "%s/badal", share);
	else
		snprintf(out, size, "%s%s", home, *home ? "/.local/share/badal" : "");
}

/* Absolute, without links where it exists already: two ways of writing it are one place. */
static bool
find_data(struct place *p)
{
	char cwd[PATH_MAX], given[PATH_MAX], whole[2 * PATH_MAX];

	if (*conf.data_dir != '\0')
		snprintf(given, sizeof given, "%s", conf.data_dir);
	else
		usual_data(p, given, sizeof given);
	if (realpath(given, p->data) != NULL)
		return true;
	if (given[0] != '/' && getcwd(cwd, sizeof cwd) == NULL) {
		log_error(NULL, "the current directory cannot be read", "error=\"%s\"", strerror(errno));
		return false;
	}
	snprintf(whole, sizeof whole, "%s%s%s", given[0] == '/' ? "" : cwd, given[0] == '/' ? "" : "/", given);
	if (given[0] == '\0' || strlen(whole) >= sizeof p->data - 64) {
		log_error(NULL, given[0] ? "data_dir is too long" : "no home directory: set data_dir", "data_dir=%.100s", given);
		return false;
	}
	snprintf(p->data, sizeof p->data, "%.*s", (int)sizeof p->data - 64, whole);
	return true;
}

/* In the data directory, unless its name is too long for a socket's or has letters that connection strings treat apart. */
static void
find_sockets(struct place *p)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+";
	size_t n = strlen(p->data);
	uint64_t h;

	if (n + sizeof "/run" - 1 <= SOCKET_DIR_MAX && strspn(p->data, plain) == n) {
		snprintf(p->sockets, sizeof p->sockets, "%.*s/run", (int)n, p->data);
		return;
	}
	h = str_hash_stable(str_c(p->data));
	snprintf(p->sockets, sizeof p->sockets, "%s/badal-%u-%016llx", access("/run", W_OK) == 0 ? "/run" : "/tmp", (unsigned)p->uid,
	    (unsigned long long)h);
}

bool
place_find(struct place *p)
{
	memset(p, 0, sizeof *p);
	if (!place_find_user(p) || !find_data(p))
		return false;
	find_sockets(p);
	return true;
}

/* mkdir -p of what is above; these stay ours. */
static bool
make_parents(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof part, "%s", path);
	for (char *s = strchr(part + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST) {
			log_error(NULL, "cannot make a directory", "path=%s error=\"%s\"", part, strerror(errno));
			return false;
		}
		*s = '/';
	}
	return true;
}

bool
place_own(const struct place *p, const char *path, mode_t mode)
{
	struct stat st;
	int fd;
	bool ok;

	if (mkdir(path, mode) != 0 && errno != EEXIST) {
		log_error(NULL, "cannot make a directory", "path=%s error=\"%s\"", path, strerror(errno));
		return false;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	ok = fd >= 0 && fstat(fd, &st) == 0;
	/* never take over what belongs to somebody else: /tmp is everybody's */
	if (ok && st.st_uid != p->uid && st.st_uid != geteuid()) {
		log_error(NULL, "a directory belongs to another user", "path=%s owner=%u wanted=%s", path, (unsigned)st.st_uid, p->user);
		close(fd);
		return false;
	}
	if (ok && st.st_uid != p->uid)
		ok = fchown(fd, p->uid, p->gid) == 0;
	if (ok && (st.st_mode & 07777) != mode)
		ok = fchmod(fd, mode) == 0;
	if (!ok)
		log_error(NULL, "cannot use a directory", "path=%s error=\"%s\"", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

static int
place_above(const char *path, const char **name_out)
{
	char dir[PATH_MAX + 64];
	const char *slash = strrchr(path, '/');

	assert(slash != NULL && slash > path && (size_t)(slash - path) < sizeof dir);
	*name_out = slash + 1;
	snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
	return open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int
place_open(const char *path, int flags)
{
	const char *name;
	int dir = place_above(path, &name), fd = dir >= 0 ? openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600) : -1;

	if (dir >= 0)
		close(dir);
	return fd;
}

void
place_unlink(const char *path)
{
	const char *name;
	int dir = place_above(path, &name);

	if (dir < 0)
		return;
	unlinkat(dir, name, 0);
	close(dir);
}

/* A lock of the process, not of the descriptor: the roles do not inherit it. */
static bool
take_lock(const struct place *p)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof path, "%s/badal.lock", p->data);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		log_error(NULL, "cannot open the lock file", "path=%s error=\"%s\"", path, strerror(errno));
		return false;
	}
	if (fcntl(fd, F_SETLK, &l) != 0) {
		l.l_pid = 0;
		if (fcntl(fd, F_GETLK, &l) != 0)
			l.l_pid = 0;
		log_error(NULL, "another badal serves this data directory", "data_dir=%s pid=%d", p->data, (int)l.l_pid);
		return false;
	}
	return true;	/* held until the process ends */
}

bool
place_alone(const char *dir, const char *verb)
{
	int fd;

	(void)mkdir(dir, 0700);	/* it is there, or to be made; else the next line says why not */
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (fd >= 0 && errno == EWOULDBLOCK)
		fprintf(stderr, "badal: another badal %s is at work\n", verb);
	else
		fprintf(stderr, "badal: %s cannot be locked: %s\n", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return false;
}

/* As the unprivileged user: can it get there at all? */
static bool
reachable(const struct place *p)
{
	char part[PATH_MAX];
	struct stat st;

	if (!p->root)
		return true;
	snprintf(part, sizeof part, "%s", p->data);
	for (char *s = strchr(part + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (stat(part, &st) != 0 || ((st.st_mode & S_IXOTH) == 0 && st.st_uid != p->uid && st.st_gid != p->gid)) {
			log_error(NULL, "the user that badal runs as cannot enter a directory above data_dir",
			    "user=%s directory=%s advice=\"chmod o+x it, or choose another --data-dir\"", p->user, part);
			return false;
		}
		*s = '/';
	}
	return true;
}

const char *
place_storage(const struct place *p)
{
	static char path[PATH_MAX + 16];

	if (*conf.storage_dir != '\0')
		return conf.storage_dir;
	snprintf(path, sizeof path, "%s/storage", p->data);
	return path;
}

static bool
make_storage(const struct place *p)
{
	return make_parents(place_storage(p)) && place_own(p, place_storage(p), 0700);
}

bool
place_make(struct place *p)
{
	char path[PATH_MAX + 16];

	if (!make_parents(p->data) || !place_take_over(p) || !place_own(p, p->data, 0700) || !place_find(p) || !reachable(p) || !take_lock(p))
		return false;
	snprintf(path, sizeof path, "%s/log", p->data);
	return place_own(p, path, 0700) && place_own(p, p->sockets, 0700) && make_storage(p);
}

static bool
sync_parent(const char *path)
{
	char dir[PATH_MAX + 32];
	int fd;
	bool ok;

	snprintf(dir, sizeof dir, "%s", path);
	if (strrchr(dir, '/') != NULL)
		*strrchr(dir, '/') = '\0';
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

bool
place_write_key(const struct place *p, const char *path, const char *key)
{
	char fresh[PATH_MAX + 32];
	int fd;
	bool ok;

	snprintf(fresh, sizeof fresh, "%s.new", path);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ok = fd >= 0 && write(fd, key, strlen(key)) == (ssize_t)strlen(key) && fsync(fd) == 0 && (!p->root || fchown(fd, p->uid, p->gid) == 0);
	if (fd >= 0)
		close(fd);
	ok = ok && rename(fresh, path) == 0 && sync_parent(path);
	if (!ok)
		log_error(NULL, "cannot keep the master key", "path=%s error=\"%s\"", path, strerror(errno));
	return ok;
}

const char *
place_master_key(const struct place *p, bool make)
{
	static char key[65];
	unsigned char bytes[32];
	char path[PATH_MAX + 16];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "%s/master.key", p->data);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		n = read(fd, key, sizeof key - 1);
		close(fd);
		if (n == (ssize_t)sizeof key - 1)
			return key;
		log_error(NULL, "the master key is damaged", "path=%s", path);
		return NULL;
	}
	if (errno != ENOENT || !make) {
		log_error(NULL, "cannot read the master key", "path=%s error=\"%s\"", path, strerror(errno));
		return NULL;
	}
	randombytes_buf(bytes, sizeof bytes);
	sodium_bin2hex(key, sizeof key, bytes, sizeof bytes);
	return place_write_key(p, path, key) ? key : NULL;
}

bool
place_become(const struct place *p)
{
	if (p->root && (initgroups(p->user, p->gid) != 0 || setgid(p->gid) != 0 || setuid(p->uid) != 0 || setuid(0) == 0)) {
		log_error(NULL, "cannot drop privileges", "user=%s error=\"%s\"", p->user, strerror(errno));
		return false;
	}
#ifdef BADAL_SANITIZE
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);	/* the leak checker looks into us from outside */
#endif
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

const char *
place_db_url(const struct place *p, const char *role)
{
	static char url[PATH_MAX + 64];

	snprintf(url, sizeof url, "host=%s port=5432 user=%s dbname=postgres", p->sockets, role);
	return url;
}

const char *
place_redis_url(const struct place *p)
{
	static char url[PATH_MAX + 32];

	snprintf(url, sizeof url, "unix://%s/redis.sock", p->sockets);
	return url;
}

bool
place_served(const struct place *p)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof path, "%s/.s.PGSQL.5432", p->sockets);
	if (*conf.db_url != '\0' || access(path, F_OK) == 0)
		return true;
	fprintf(stderr, "badal: the database is not reachable: is badal serve running, and is its data directory %s? (--data-dir)\n", p->data);
	return false;
}

bool
place_settings(const struct place *p, struct args *a, bool make)
{
	if (*conf.db_url == '\0') {
		args_setting(a, "db_url", place_db_url(p, ROLE_APP));
		args_setting(a, "relay_db_url", place_db_url(p, ROLE_RELAY));
	}
	if (*conf.redis_url == '\0')
		args_setting(a, "redis_url", place_redis_url(p));
	char key[PATH_MAX + 16];

	if (*conf.data_dir == '\0')
		args_setting(a, "data_dir", p->data);
	if (*conf.storage_dir == '\0')
		args_setting(a, "storage_dir", place_storage(p));
	snprintf(key, sizeof key, "%s/master.key", p->data);
	if (*conf.master_key != '\0' || *conf.master_key_file != '\0')
		return true;
	args_setting(a, "master_key_file", key);
	return place_master_key(p, make) != NULL;
}
