/* The virus scanner: `badal scan-worker`, started by the supervisor when somebody first asks for a connection (src/main/launch.c), one per machine.
 *
 * It reads the signatures, which takes memory and time, and touches no file itself: each connection is a process that it forks, so that the signatures are
 * shared, behind a jail (jail.h). A file that crashes its process ends one connection. Signatures that change on disk are noticed before each file: the connection
 * says so and ends, and the scanner begins anew with the next one. */
#include "worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clam.h"
#include "config.h"
#include "io/worker.h"
#include "jail.h"
#include "model/scan_wire.h"

enum { CONTROL = 0, IDLE_MS = 60000, TICK_MS = 1000, SLOTS_MAX = 64, USAGE_ERROR = 2 };

static const char *signatures_dir, *files_dir;
static int signatures_fd = -1, program = -1;	/* a jailed process can still look at the former */
static struct clam clam;
static uint64_t loaded_state;	/* of the directory when it was read */
static int sessions;

const char *
scan_library(void)
{
	return clam_library();
}

/* Names, sizes and times of the signature files, as one number. */
static uint64_t
directory_state(void)
{
	DIR *d = fdopendir(dup(signatures_fd));
	uint64_t sum = 0;
	const struct dirent *e;
	struct stat st;

	if (d != NULL)
		rewinddir(d);
	while (d != NULL && (e = readdir(d)) != NULL) {
		uint64_t h = 14695981039346656037ull;

		if (e->d_name[0] == '.' || fstatat(signatures_fd, e->d_name, &st, 0) != 0)
			continue;
		for (const char *c = e->d_name; *c != '\0'; c++)
			h = (h ^ (unsigned char)*c) * 1099511628211ull;
		h = (h ^ (uint64_t)st.st_size) * 1099511628211ull;
		h = (h ^ (uint64_t)st.st_mtim.tv_sec) * 1099511628211ull;
		sum += (h ^ (uint64_t)st.st_mtim.tv_nsec) * 1099511628211ull;
	}
	if (d != NULL)
		closedir(d);
	return sum;
}

static int
unlink_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type;
	if (at->level > 0)
		(void)remove(path);
	return 0;
}

/* What crashed processes left. */
static void
empty_directory(const char *dir)
{
	(void)nftw(dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* ---- one connection, a process of its own ---- */

static void
scan_text(char to[SCAN_TEXT_MAX], const char *text)
{
	snprintf(to, SCAN_TEXT_MAX, "%s", text ? text : "");
}

/* A limit that was reached is told by libclamav as something that was found. */
static struct scan_end
scan_one(int fd)
{
	struct scan_end end = {.magic = SCAN_WIRE};
	const char *name = "";

	switch (clam_scan(&clam, fd, &name)) {
	case CLAM_CLEAN:
		end.outcome = SCAN_CLEAN;
		break;
	case CLAM_FOUND:
		end.outcome = strstr(name, "Limits.Exceeded") != NULL ? SCAN_LIMIT : SCAN_FOUND;
		break;
	case CLAM_FAILED:
		end.outcome = SCAN_FAILED;
	}
	scan_text(end.name, name);
	return end;
}

static bool
session_greet(int fd, struct scan_limits *l)
{
	struct scan_hello hello = {.magic = SCAN_WIRE, .signatures = clam.signatures};
	int fds[PASS_MAX];

	if (pass_recv(fd, l, sizeof *l, fds, 0) != (ssize_t)sizeof *l || l->magic != SCAN_WIRE)
		return false;
	scan_text(hello.engine, clam_library());
	clam_limit(&clam, l->bytes, l->depth, l->files, l->seconds * 1000);
	return pass_send(fd, &hello, sizeof hello, NULL, 0);
}

static bool
session_turn(int fd)
{
	struct scan_end end;
	struct scan_task t;
	int fds[PASS_MAX];

	if (pass_recv(fd, &t, sizeof t, fds, 0) != (ssize_t)sizeof t || t.magic != SCAN_WIRE || fds[0] < 0)
		return false;
	end = directory_state() == loaded_state ? scan_one(fds[0]) : (struct scan_end){.magic = SCAN_WIRE, .outcome = SCAN_STALE};
	close(fds[0]);
	return pass_send(fd, &end, sizeof end, NULL, 0) && end.outcome != SCAN_STALE;
}

static _Noreturn void
scan_session(int fd, pid_t parent)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct scan_limits l;
	bool ok;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "badal-scan");
	signal(SIGCHLD, SIG_DFL);
	if (getppid() != parent || self < 0 || !pass_send(fd, "p", 1, &self, 1) || !session_greet(fd, &l))
		_exit(1);
	close(self);
	close(CONTROL);
	ok = jail_enter(files_dir, l.bytes);
	while (ok && session_turn(fd))
		;
	_exit(ok ? 0 : 1);
}

/* ---- the scanner ---- */

static bool
load(void)
{
	const char *why = "";

	loaded_state = directory_state();
	if (clam_load(&clam, signatures_dir, files_dir, &why))
		return true;
	fprintf(stderr, "badal: no signatures: %s\n", why);
	return false;
}

/* Reads them anew, as a new program: one that has read them once gives little of that memory back. Connections go on with the old ones until they notice. */
static _Noreturn void
scan_anew(char **argv)
{
	syscall(SYS_execveat, program, "", argv, environ, AT_EMPTY_PATH);
	_exit(1);
}

static void
scan_bury(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		sessions -= sessions > 0;	/* those of before are not counted */
}

/* A socket from the supervisor: somebody wants a connection. */
static bool
take_order(void)
{
	pid_t parent = getpid(), pid;
	int fds[PASS_MAX];
	char byte;

	if (pass_recv(CONTROL, &byte, 1, fds, 0) != 1)
		return false;
	if (fds[0] < 0)
		return true;
	if (sessions < SLOTS_MAX) {
		pid = fork();
		if (pid == 0)
			scan_session(fds[0], parent);
		sessions += pid > 0;
	}
	for (int i = 0; i < PASS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return true;
}

/* Nobody has asked for long. The supervisor finds the socket shut and starts another one for the next; what it had sent by then is still ours. */
static void
retire(void)
{
	shutdown(CONTROL, SHUT_RD);
	while (take_order())
		;
	while (sessions > 0 && waitpid(-1, NULL, 0) > 0)
		sessions--;
}

static bool
setup(char **argv)
{
	struct stat st;

	signatures_dir = argv[2];
	files_dir = argv[3];
	if (fstat(CONTROL, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	prctl(PR_SET_NAME, "badal-scan");
	program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	signatures_fd = open(signatures_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	empty_directory(files_dir);
	return program >= 0 && signatures_fd >= 0;
}

int
scan_worker_main(int argc, char **argv)
{
	struct pollfd p = {.fd = CONTROL, .events = POLLIN};

	if (argc < 4 || !setup(argv)) {
		fprintf(stderr, "badal: %s is started by badal serve\n", argv[1]);
		return USAGE_ERROR;
	}
	if (!load())
		return 1;
	for (int quiet = 0; quiet < IDLE_MS;) {
		int n = poll(&p, 1, TICK_MS);

		scan_bury();
		quiet = n > 0 || sessions > 0 ? 0 : quiet + TICK_MS;
		if (n > 0 && directory_state() != loaded_state)
			scan_anew(argv);
		if (n > 0 && !take_order())	/* the supervisor is gone */
			return 0;
	}
	retire();
	return 0;
}
