/* Child processes. A child has three things that end on their own: its two outputs and its process, each with a handle of the loop. What must stay true: `left`
 * counts the handles that are open; the last one to close tells of the end. */
#include "io/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "core/loop.h"

enum { CHILD_MAGIC = 0x6368696c, NO_PROGRAM = 127, NOT_READY = 126, FIRST_FD = 3, HIGH_FD = 64 };
enum { OUT, ERR, PROCESS, HANDLES };	/* handles; an output's number is one less than its descriptor in the child */

struct child {
	unsigned magic;
	struct child_spec spec;
	pid_t pid;
	int status;
	int fds[HANDLES];		/* the reading ends, and the pidfd */
	uv_poll_t polls[HANDLES];
	int left;
	bool held;
};

/* ---- in the child ---- */

static _Noreturn void
child_become(const struct child_spec *s, int out, int err)
{
	int null = open("/dev/null", O_RDONLY), high[CHILD_FDS_MAX];
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int n = 1; n < NSIG; n++)
		signal(n, SIG_DFL);
	for (int i = 0; i < s->n_fds; i++)	/* out of the way first: they may be each other's places */
		if ((high[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, HIGH_FD)) < 0)
			_exit(NOT_READY);
	if ((out = fcntl(out, F_DUPFD_CLOEXEC, HIGH_FD)) < 0 || (err = fcntl(err, F_DUPFD_CLOEXEC, HIGH_FD)) < 0)
		_exit(NOT_READY);
	if (s->before != NULL && !s->before(s->arg))
		_exit(NOT_READY);
	if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(NOT_READY);
	for (int i = 0; i < s->n_fds; i++)
		if (dup2(high[i], FIRST_FD + i) < 0)
			_exit(NOT_READY);
	if (syscall(SYS_close_range, FIRST_FD + s->n_fds, ~0U, 0) != 0)	/* Linux 5.9; the others are closed by the exec */
		for (int i = FIRST_FD + s->n_fds; i < HIGH_FD; i++)
			close(i);
	execve(s->program, (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)s->env);
	_exit(NO_PROGRAM);
}

/* ---- here ---- */

static void
child_handle_closed(uv_handle_t *h)
{
	struct child *c = h->data;

	assert(c->magic == CHILD_MAGIC && c->left > 0);
	if (--c->left > 0)
		return;
	if (c->spec.end != NULL)
		c->spec.end(c, c->status, c->spec.arg);
	c->magic = 0;
	free(c);
}

static void
child_close(struct child *c, int i)
{
	uv_close((uv_handle_t *)&c->polls[i], child_handle_closed);
	close(c->fds[i]);
}

static void
child_on_output(uv_poll_t *h, int status, int events)
{
	struct child *c = h->data;
	int i = (int)(h - c->polls);
	char piece[CHILD_PIECE];
	ssize_t n;

	(void)events;
	assert(c->magic == CHILD_MAGIC);
	n = status < 0 ? 0 : read(c->fds[i], piece, sizeof piece);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		child_close(c, i);
	else if (c->spec.output != NULL)
		c->spec.output(c, i + 1, (struct str){piece, (size_t)n}, c->spec.arg);
}

static void
child_on_exit(uv_poll_t *h, int status, int events)
{
	struct child *c = h->data;

	(void)status;
	(void)events;
	assert(c->magic == CHILD_MAGIC);
	if (waitpid(c->pid, &c->status, WNOHANG) == 0)
		return;
	c->pid = 0;
	child_close(c, PROCESS);
}

static void
child_watch(struct child *c, int i, uv_poll_cb fn)
{
	uv_poll_init(loop_uv(), &c->polls[i], c->fds[i]);
	c->polls[i].data = c;
	c->left++;
	uv_poll_start(&c->polls[i], UV_READABLE, fn);
}

int
child_fork_into(int group)
{
	struct clone_args a = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)group};

	return (int)syscall(SYS_clone3, &a, sizeof a);
}

/* Between fork and exec signals of ours must not be answered in the child. */
static pid_t
child_fork(const struct child_spec *s, int out, int err)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = s->group > 0 ? child_fork_into(s->group) : fork();
	if (pid == 0)
		child_become(s, out, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void
child_close_all(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* The process and the reading ends of its outputs; false: nothing of it is there. */
static bool
child_begin(struct child *c)
{
	int pipes[4] = {-1, -1, -1, -1};	/* out, err: reading and writing end */

	if (pipe2(pipes, O_CLOEXEC) == 0 && pipe2(pipes + 2, O_CLOEXEC) == 0 && (c->pid = child_fork(&c->spec, pipes[1], pipes[3])) > 0 &&
	    (c->fds[PROCESS] = (int)syscall(SYS_pidfd_open, c->pid, 0)) >= 0) {
		close(pipes[1]);
		close(pipes[3]);
		c->fds[OUT] = pipes[0];
		c->fds[ERR] = pipes[2];
		return true;
	}
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	child_close_all(pipes, 4);
	return false;
}

struct child *
child_start(const struct child_spec *s)
{
	struct child *c = calloc(1, sizeof *c);

	assert(s->n_fds <= CHILD_FDS_MAX);
	if (c == NULL)
		abort();
	*c = (struct child){.magic = CHILD_MAGIC, .spec = *s};
	if (!child_begin(c)) {
		free(c);
		return NULL;
	}
	fcntl(c->fds[OUT], F_SETFL, O_NONBLOCK);
	fcntl(c->fds[ERR], F_SETFL, O_NONBLOCK);
	child_watch(c, OUT, child_on_output);
	child_watch(c, ERR, child_on_output);
	child_watch(c, PROCESS, child_on_exit);
	return c;
}

void
child_kill(struct child *c)
{
	assert(c->magic == CHILD_MAGIC);
	if (c->pid > 0)
		(void)syscall(SYS_pidfd_send_signal, c->fds[PROCESS], SIGKILL, NULL, 0);
}

void
child_hold(struct child *c, bool on)
{
	assert(c->magic == CHILD_MAGIC);
	if (on == c->held)
		return;
	c->held = on;
	for (int i = OUT; i <= ERR; i++) {
		if (uv_is_closing((uv_handle_t *)&c->polls[i]))
			continue;
		if (on)
			uv_poll_stop(&c->polls[i]);
		else
			uv_poll_start(&c->polls[i], UV_READABLE, child_on_output);
	}
}

int
child_pid(const struct child *c)
{
	return (int)c->pid;
}
