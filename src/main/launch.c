/* Starts worker processes for the roles (io/worker.h).
 *
 * A role cannot: what it forks has its memory, with keys in it, and it may not become somebody else any more. So it sends the supervisor one end of a
 * socket pair, and the supervisor becomes a worker on it: unprivileged, with an empty environment and no other descriptor, by executing this
 * program anew. Nothing else is read from a role: the byte that says which kind, and a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "core/conf.h"
#include "core/log.h"
#include "io/worker.h"
#include "main_priv.h"

#define WORKER_NICE_TEXT "10"
enum { LAUNCHED_MAX = 1024, ORDERS_AT_ONCE = 64, WORKER_NICE = 10, CANNOT_EXEC = 127 };

static pid_t launched[LAUNCHED_MAX];
static int orders = -1, program = -1;

static const char *const launch_verbs[LAUNCH_N] = {[LAUNCH_PICTURE] = "picture-worker", [LAUNCH_SCAN] = "scan-worker",
    [LAUNCH_PASSWORD] = "password-worker"};

static pid_t scanner;			/* 0: there is none */
static int scanner_control = -1;	/* what it is handed the sockets of its connections by */

int
launch_open(void)
{
	int pair[2];

	program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (program < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0) {
		log_error(NULL, "workers cannot be started", "error=\"%s\"", strerror(errno));
		return -1;
	}
	orders = pair[0];
	worker_launcher(pair[1]);
	return orders;
}

void
launch_close(void)
{
	if (orders >= 0)
		close(orders);
	if (program >= 0)
		close(program);
}

void
launch_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, text, strlen(text));
	close(fd);
}

/* Whoever has the other end may kill us, whatever becomes of us. */
static bool
send_handle(int fd)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	return self >= 0 && pass_send(fd, "p", 1, &self, 1);
}

static void
only_this(int fd)
{
	int null = open("/dev/null", O_RDWR);

	if (dup2(fd, 0) < 0 || dup2(null, 1) < 0)
		_exit(CANNOT_EXEC);
#ifndef BADAL_SANITIZE
	if (dup2(null, 2) < 0)
		_exit(CANNOT_EXEC);
#endif
	if (dup2(program, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0)
		_exit(CANNOT_EXEC);
	if (syscall(SYS_close_range, 4, ~0U, 0) != 0)	/* Linux 5.9 */
		for (int i = 4; i < 4096; i++)
			close(i);
}

/* The directory of the signatures, and one for what it unpacks. */
static bool
scan_places(const struct place *p, char signatures[PATH_MAX], char files[PATH_MAX])
{
	return snprintf(signatures, PATH_MAX, "%s", conf.antivirus_db) < PATH_MAX && snprintf(files, PATH_MAX, "%s/scan", p->data) < PATH_MAX &&
	    place_own(p, files, 0700);
}

static _Noreturn void
launch_become(enum launch_kind kind, int fd, const struct place *p, pid_t parent)
{
	/* without threads of OpenMP; the libraries look for nothing of a user's */
	char threads[] = "OMP_NUM_THREADS=1", locale[] = "LC_ALL=C", home[] = "HOME=/nonexistent", asan[] = "ASAN_OPTIONS=detect_leaks=0";
	char *const environment[] = {threads, locale, home, asan, NULL};
	char name[] = "badal", arg[32], signatures[PATH_MAX], files[PATH_MAX], *argv[] = {name, arg, NULL, NULL, NULL};
	sigset_t none;

	snprintf(arg, sizeof arg, "%s", launch_verbs[kind]);
	if (kind == LAUNCH_SCAN && scan_places(p, signatures, files)) {
		argv[2] = signatures;
		argv[3] = files;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	launch_write("/proc/self/oom_score_adj", "800");
	(void)setpriority(PRIO_PROCESS, 0, WORKER_NICE);
	/* cores are shared among sessions first, and backends of PostgreSQL have some of their own: in ours a worker would come before them */
	if (setsid() >= 0)
		launch_write("/proc/self/autogroup", WORKER_NICE_TEXT);
	only_this(fd);
	if (!place_become(p) || (kind != LAUNCH_SCAN && !send_handle(0)))
		_exit(CANNOT_EXEC);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CANNOT_EXEC);
	syscall(SYS_execveat, 3, "", argv, environment, AT_EMPTY_PATH);
	_exit(CANNOT_EXEC);
}

/* False: it could not be started. */
static bool
launch_start(enum launch_kind kind, int fd, const struct place *p, pid_t *out)
{
	pid_t parent = getpid();

	fflush(NULL);
	*out = fork();
	if (*out == 0)
		launch_become(kind, fd, p, parent);
	if (*out < 0)
		log_error(NULL, "cannot start a worker", "kind=%s error=\"%s\"", launch_verbs[kind], strerror(errno));
	return *out > 0;
}

static void
scanner_forget(void)
{
	if (scanner_control >= 0)
		close(scanner_control);
	scanner_control = -1;
	scanner = 0;
}

/* One more connection to the scanner, which is started when there is none, or the one that there is retires. */
static void
launch_scan(int fd, const struct place *p)
{
	int pair[2];

	if (scanner != 0 && pass_send(scanner_control, "c", 1, &fd, 1))
		return;
	scanner_forget();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return;
	if (launch_start(LAUNCH_SCAN, pair[1], p, &scanner)) {
		scanner_control = pair[0];
		(void)pass_send(scanner_control, "c", 1, &fd, 1);	/* who asked sees its socket close */
	} else {
		scanner = 0;
		close(pair[0]);
	}
	close(pair[1]);
}

static void
launch_one(int kind, int fd, const struct place *p, int at_most)
{
	pid_t pid;
	int place = -1, n = 0;

	for (int i = LAUNCHED_MAX - 1; i >= 0; i--) {
		n += launched[i] != 0;
		if (launched[i] == 0)
			place = i;
	}
	if (place < 0 || n >= at_most) {	/* who asked sees its socket close */
		log_warn(NULL, "too many workers", "workers=%d", n);
		return;
	}
	if (launch_start((enum launch_kind)kind, fd, p, &pid))
		launched[place] = pid;
}

void
launch_orders(const struct place *p, int at_most)
{
	unsigned char kind;
	int fds[PASS_MAX];

	for (int i = 0; i < ORDERS_AT_ONCE; i++) {
		ssize_t got = pass_recv(orders, &kind, 1, fds, MSG_DONTWAIT);

		if (got < 0)
			return;
		if (got == 1 && kind == LAUNCH_SCAN && fds[0] >= 0)
			launch_scan(fds[0], p);
		else if (got == 1 && kind < LAUNCH_N && fds[0] >= 0)
			launch_one(kind, fds[0], p, at_most);
		for (int k = 0; k < PASS_MAX; k++)
			if (fds[k] >= 0)
				close(fds[k]);
	}
}

void
launch_stop(void)
{
	if (scanner > 0 && kill(scanner, SIGKILL) == 0)	/* its connections end with it */
		while (waitpid(scanner, NULL, 0) < 0 && errno == EINTR)
			continue;
	scanner_forget();
}

bool
launch_ended(pid_t pid, int status)
{
	if (pid == scanner && scanner != 0) {
		scanner_forget();
		log_info(NULL, "the scanner ended", "%s=%d", WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		return true;
	}
	for (int i = 0; i < LAUNCHED_MAX; i++) {
		if (launched[i] != pid)
			continue;
		launched[i] = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_EXEC)
			log_error(NULL, "a worker cannot be started", "status=%d", CANNOT_EXEC);
		else
			log_debug(NULL, "a worker ended", "%s=%d", WIFSIGNALED(status) ? "signal" : "status",
			    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		return true;
	}
	return false;
}
