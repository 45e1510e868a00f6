/* Embedded servers: processes of ours in the data directory, which end when we do.
 *
 * After a hard kill parts of the former run may still be there (a server without its supervisor, workers without their server).
 * They are found by where they work, told to end, and only then a new one starts: two on one directory would be the end of the data. */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/log.h"
#include "main_priv.h"

enum { LOG_KEEP = 8 * 1024 * 1024, STEP_MS = 5, LEFTOVER_MS = 6000, TAIL = 2000 };

static int64_t
embed_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
pause_ms(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

const char *
program_find(const char *name, char out[PATH_MAX])
{
	const char *path = getenv("PATH");
	char all[8192], *next = all, *dir;

	snprintf(all, sizeof all, "%s:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", path ? path : "");
	while ((dir = strsep(&next, ":")) != NULL) {
		snprintf(out, PATH_MAX, "%.3000s/%.200s", dir, name);
		if (dir[0] == '/' && access(out, X_OK) == 0)
			return out;
	}
	return NULL;
}

/* ---- what a crash left ---- */

static bool
read_small(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, size - 1) : -1;

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool
works_in(const struct embed *e, const char *pid)
{
	char path[300], link[PATH_MAX], name[64];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	if (!read_small(path, name, sizeof name) || strncmp(name, e->process, strlen(e->process)) != 0)
		return false;
	snprintf(path, sizeof path, "/proc/%.20s/cwd", pid);
	n = readlink(path, link, sizeof link - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	return strcmp(link, e->dir) == 0;
}

/* Sends `signo` (0: nothing) to every process of this server on this directory; tells how many there are. */
static int
leftovers(const struct embed *e, int signo)
{
	DIR *d = opendir("/proc");
	struct dirent *x;
	int n = 0;

	while (d != NULL && (x = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)x->d_name[0]) || !works_in(e, x->d_name))
			continue;
		n++;
		if (signo != 0)
			kill((pid_t)atoi(x->d_name), signo);
	}
	if (d != NULL)
		closedir(d);
	return n;
}

static bool
clear_leftovers(const struct embed *e)
{
	static const int orders[] = {0, SIGTERM, SIGINT, SIGQUIT, SIGKILL};
	int n = leftovers(e, 0);

	if (n == 0)
		return true;
	log_warn(NULL, "ending what the former run left", "server=%s processes=%d", e->name, n);
	for (size_t i = 1; i < sizeof orders / sizeof orders[0]; i++) {
		int64_t end = embed_now_ms() + LEFTOVER_MS / 4;

		leftovers(e, i == 1 ? e->stop_signal : orders[i]);
		while (embed_now_ms() < end) {
			if (leftovers(e, 0) == 0)
				return true;
			pause_ms(STEP_MS * 4);
		}
	}
	log_error(NULL, "the former run's server does not end", "server=%s directory=%s", e->name, e->dir);
	return false;
}

/* ---- starting ---- */

static void
child_side(const struct embed *e, const struct place *p, pid_t parent)
{
	sigset_t none;
	int in = open("/dev/null", O_RDONLY), out;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();	/* Ctrl-C is for the supervisor; it ends us in order */
	for (size_t i = 0; i < 3; i++)	/* PostgreSQL, too, would tell the service manager that it is ready; that is ours to say */
		unsetenv(((const char *const[]){"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"})[i]);
	if (!place_become(p))
		_exit(126);
	out = open(e->log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);	/* by who owns the directory: what links lead to is their matter */
	/* after the change of user, which would clear it */
	prctl(PR_SET_PDEATHSIG, e->stop_signal);
	if (getppid() != parent || in < 0 || out < 0)
		_exit(126);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (chdir(e->dir) != 0 && chdir("/") != 0)
		_exit(126);
}

static void
trim_log(struct embed *e)
{
	int fd = place_open(e->log, O_WRONLY);
	struct stat st;

	e->log_from = 0;
	if (fd < 0)
		return;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		log_warn(NULL, "a log is no file of its own", "path=%s", e->log);
	else if (st.st_size <= LOG_KEEP)
		e->log_from = st.st_size;
	else if (ftruncate(fd, 0) != 0)
		log_warn(NULL, "cannot shorten a log", "path=%s error=\"%s\"", e->log, strerror(errno));
	close(fd);
}

bool
embed_run(const struct embed *e, const struct place *p, char *const *argv)
{
	pid_t self = getpid(), pid = fork();
	int status = -1;

	if (pid == 0) {
		child_side(e, p, self);
		execv(argv[0], argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	log_error(NULL, "a program failed", "program=%s status=%d log=%s", argv[0], status, e->log);
	embed_log_tail(e);
	return false;
}

bool
embed_clear(struct embed *e, const struct place *p)
{
	snprintf(e->dir, sizeof e->dir, "%.*s/%s", PATH_MAX - 64, p->data, e->name);
	snprintf(e->log, sizeof e->log, "%.*s/log/%s.log", PATH_MAX - 64, p->data, e->name);
	return clear_leftovers(e);
}

bool
embed_start(struct embed *e, const struct place *p)
{
	pid_t self = getpid();
	bool clear = embed_clear(e, p);

	trim_log(e);
	if (!clear || !e->prepare(e, p))
		return false;
	e->pid = fork();
	if (e->pid == 0) {
		child_side(e, p, self);
		e->exec(e, p);
		_exit(127);
	}
	if (e->pid < 0) {
		log_error(NULL, "cannot start a process", "server=%s error=\"%s\"", e->name, strerror(errno));
		return false;
	}
	e->state = EMBED_STARTING;
	e->started = embed_now_ms();
	return true;
}

/* True once; the supervisor's own waitpid must not meet it. */
static bool
ended(struct embed *e)
{
	int status;

	if (e->pid <= 0)
		return true;
	if (waitpid(e->pid, &status, WNOHANG) != e->pid)
		return false;
	if (e->state != EMBED_STOPPING)
		log_warn(NULL, "an embedded server ended", "server=%s status=%d", e->name, status);
	e->pid = 0;
	e->state = EMBED_DOWN;
	return true;
}

bool
embed_wait(struct embed *e, const struct place *p, int ms)
{
	int64_t end = embed_now_ms() + ms;

	while (e->state == EMBED_STARTING) {
		if (e->ready(e, p)) {
			e->state = EMBED_UP;
			return true;
		}
		if (ended(e))
			break;
		if (embed_now_ms() > end) {
			log_error(NULL, "an embedded server does not answer", "server=%s ms=%d", e->name, ms);
			break;
		}
		pause_ms(STEP_MS);
	}
	if (e->state != EMBED_UP)
		embed_log_tail(e);
	return e->state == EMBED_UP;
}

bool
embed_stop(struct embed *e, int ms)
{
	static const int harder[] = {SIGQUIT, SIGKILL};
	int64_t end = embed_now_ms() + ms;
	int i = 0;

	if (e->pid <= 0)
		return true;
	e->state = EMBED_STOPPING;
	kill(e->pid, e->stop_signal);
	while (!ended(e)) {
		if (embed_now_ms() > end && i < 2) {
			log_warn(NULL, "an embedded server does not end in order", "server=%s", e->name);
			kill(e->pid, harder[i++]);
			end = embed_now_ms() + 5000;
		}
		pause_ms(STEP_MS);
	}
	return i == 0;
}

void
embed_log_tail(const struct embed *e)
{
	char text[4096], *line, *rest = text;
	int fd = place_open(e->log, O_RDONLY);
	ssize_t n = -1;

	if (fd >= 0) {
		off_t size = lseek(fd, 0, SEEK_END);

		n = pread(fd, text, sizeof text - 1, size - e->log_from > TAIL ? size - TAIL : e->log_from);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '\0')
			log_error(NULL, "its log says", "server=%s line=\"%s\"", e->name, line);
}
