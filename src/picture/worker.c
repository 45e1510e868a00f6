/* An image worker: `badal picture-worker`, started by the supervisor on a socket (src/main/launch.c), for nobody else.
 *
 * It loads the libraries once and touches no picture itself: each is made by a process that it forks, which has the source, a file in memory for the
 * result, and nothing else: no socket, not the next picture, no system call that opens, connects, starts or asks (filter.c), and limits on memory,
 * CPU and output. A picture that crashes takes that one with it. Then the worker ends too, so that nobody can try the same memory
 * layout twice. */
#include "worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "filter.h"
#include "io/worker.h"
#include "libs.h"
#include "picture_priv.h"

enum { CONTROL = 0, THREADS_MAX = 4096, USAGE = 2, ALONE_TRIES = 1000, ALONE_US = 1000 };

static struct picture_limits limits;
static struct picture_able able;
static rlim_t own_memory;	/* address space before any picture */

/* ---- the process of one picture ---- */

static void
limit(int what, rlim_t n)
{
	const struct rlimit r = {n, what == RLIMIT_CPU ? n + 1 : n};	/* a second to say so */

	if (setrlimit(what, &r) != 0)
		_exit(1);
}

static void
set_limits(size_t source)
{
#ifndef BADAL_SANITIZE	/* whose shadow takes terabytes of addresses */
	limit(RLIMIT_AS, own_memory + source + (rlim_t)limits.memory);
#else
	(void)source;
#endif
	limit(RLIMIT_CPU, (rlim_t)limits.seconds);
	limit(RLIMIT_FSIZE, PICTURE_RESULT_MAX + sizeof(struct picture_result));
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_NPROC, THREADS_MAX);	/* of the user in all: decoders may have threads, not all that there are */
	limit(RLIMIT_CORE, 0);
}

static bool
write_all(int fd, const void *p, size_t n, off_t at)
{
	while (n > 0) {
		ssize_t w = pwrite(fd, p, n, at);

		if (w <= 0)
			return false;
		p = (const char *)p + w;
		n -= (size_t)w;
		at += w;
	}
	return true;
}

/* The header is written last: without it there is no result. */
static void
answer(int fd, enum picture_outcome o, const struct made *m)
{
	struct picture_result r = {.magic = PICTURE_WIRE, .outcome = o};

	if (o == OUTCOME_MADE && m->n > PICTURE_RESULT_MAX)
		r.outcome = OUTCOME_LARGE;
	if (r.outcome == OUTCOME_MADE) {
		r.format = m->format;
		r.width = (uint32_t)m->w;
		r.height = (uint32_t)m->h;
		r.bytes = (uint32_t)m->n;
		if (!write_all(fd, m->p, m->n, sizeof r))
			_exit(1);
	}
	_exit(write_all(fd, &r, sizeof r, 0) ? 0 : 1);
}

static int result_fd = -1;

/* Out of CPU time; nothing is written but the header, by a call that is safe here. */
static void
on_late(int signo)
{
	struct picture_result r = {.magic = PICTURE_WIRE, .outcome = OUTCOME_LARGE};

	(void)signo;
	_exit(pwrite(result_fd, &r, sizeof r, 0) == (ssize_t)sizeof r ? 0 : 1);
}

static enum picture_outcome
work_of(const struct picture_task *t, uint8_t *p, size_t n, struct made *made)
{
	switch (t->kind) {
	case TASK_INITIALS:
		return initials_work(p, n, t, made);
	case TASK_PAGE:
		return page_work(p, n, made);
	default:
		return picture_work(p, n, &limits, t, &able, made);
	}
}

static _Noreturn void
one_picture(const struct picture_task *t, int source, int result, pid_t parent)
{
	struct made made = {0};
	struct stat st;
	uint8_t *p = NULL;
	size_t n = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || fstat(source, &st) != 0)
		_exit(1);
	close(CONTROL);
	n = (size_t)st.st_size;
	result_fd = result;
	signal(SIGXCPU, on_late);
	set_limits(n);
	/* ours to change, and only here */
	if (n > 0 && (p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE, source, 0)) == MAP_FAILED)
		_exit(1);
	close(source);
	if (!filter_enter(t->kind == TASK_INITIALS ? FILTER_FILES : FILTER_BYTES))
		_exit(1);
	answer(result, work_of(t, p, n, &made), &made);
	_exit(0);
}

/* ---- the worker ---- */

static rlim_t
address_space(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f != NULL && fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* A fork takes no other thread along, but the locks that it holds: there must be none. One that was joined is there for a moment yet. A directory's
 * links are itself, its name above, and those within. */
static bool
alone(void)
{
	struct stat st;

	for (int i = 0; i < ALONE_TRIES; i++) {
		if (stat("/proc/self/task", &st) != 0 || st.st_nlink <= 3)
			return true;
		usleep(ALONE_US);
	}
	return false;
}

/* How the process of one picture ended: 0, or a signal. */
static uint32_t
one_task(const struct picture_task *t, const int fds[2])
{
	pid_t parent = getpid(), pid;
	int status = 0;

	if (t->kind == TASK_INITIALS)
		initials_warm_up();
	if (!alone())
		return SIGABRT;
	pid = fork();
	if (pid == 0)
		one_picture(t, fds[0], fds[1], parent);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return SIGABRT;
	return WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : SIGABRT;
}

/* False: the other side is gone, or it is time to begin anew. */
static bool
worker_turn(void)
{
	struct picture_end end = {.magic = PICTURE_WIRE};
	struct picture_task t;
	int fds[PASS_MAX];

	if (pass_recv(CONTROL, &t, sizeof t, fds, 0) != (ssize_t)sizeof t || fds[0] < 0 || fds[1] < 0 || !picture_task_sound(&t))
		return false;
	end.crashed = one_task(&t, fds);
	close(fds[0]);
	close(fds[1]);
	return pass_send(CONTROL, &end, sizeof end, NULL, 0) && end.crashed == 0;
}

static bool
worker_setup(void)
{
	int fds[PASS_MAX];

	if (pass_recv(CONTROL, &limits, sizeof limits, fds, 0) != (ssize_t)sizeof limits || limits.magic != PICTURE_WIRE)
		return false;
	if (!picture_setup(&limits, &able) || !filter_make())
		able.reads = able.writes = 0;
	else
		picture_warm_up(&able);
	own_memory = address_space();
	(void)fence_enter();	/* where there is one */
	return pass_send(CONTROL, &able, sizeof able, NULL, 0);
}

uint32_t
picture_abilities(uint32_t *writes_out, uint32_t *moving_out)
{
	limits = (struct picture_limits){.magic = PICTURE_WIRE, .frames = 1, .pixels = 1000000, .memory = 64 << 20, .seconds = 1};
	if (!picture_setup(&limits, &able))
		able.reads = able.writes = 0;
	*writes_out = able.writes;
	*moving_out = webpdemux.here && webpmux.here;
	return able.reads;
}

int
picture_worker_main(int argc, char **argv)
{
	struct stat st;

	if (argc > 2 && strcmp(argv[2], "probe") == 0)
		return filter_probe();
	if (fstat(CONTROL, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		fprintf(stderr, "badal: %s is started by badal serve\n", argv[1]);
		return USAGE;
	}
	prctl(PR_SET_NAME, "badal-picture");
	if (!worker_setup())
		return 1;
	while (worker_turn())
		continue;
	return 0;
}
