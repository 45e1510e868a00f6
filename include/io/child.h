/* Child processes: programs that are run for their output and their end. They are begun by the loop's thread, which lives as long as the process: what asks
 * to die with its parent dies with the thread that began it. */
#ifndef BADAL_IO_CHILD_H
#define BADAL_IO_CHILD_H

#include <stdbool.h>

#include "core/str.h"

enum { CHILD_FDS_MAX = 8, CHILD_PIECE = 64 * 1024 };

struct child;

struct child_spec {
	const char *program;		/* its path */
	const char *const *argv, *const *env;	/* NULL at the end; env: "NAME=value" */
	int fds[CHILD_FDS_MAX], n_fds;	/* become 3, 4, … of the child; they stay the caller's here */
	int group;			/* the directory of a control group, of version 2, that it begins in; 0: ours */
	/* In the child, before it becomes the program; calls that are safe after a fork alone. False: it ends with 126. NULL: nothing. */
	bool (*before)(void *arg);
	/* The next bytes of its standard output (1) or error (2), at most CHILD_PIECE, borrowed for the call. NULL: they are dropped. */
	void (*output)(struct child *c, int fd, struct str piece, void *arg);
	/* Its end: both outputs are closed, and `status` is what waitpid says. c is gone after the call. */
	void (*end)(struct child *c, int status, void *arg);
	void *arg;			/* of all three */
};

/* Starts it, with nothing on its standard input, in a session of its own, with no other descriptor. NULL: there is none, errno says why. */
struct child *child_start(const struct child_spec *s);
/* fork, into that control group: to begin there takes microseconds, to move there 5 to 20 ms, in which nobody else is forked either. What glibc does after a fork
 * is not done: the child keeps to system calls. 0: in the child; -1: the kernel cannot, or may not. */
int child_fork_into(int group);
/* SIGKILL; `end` follows. */
void child_kill(struct child *c);
/* Stops listening to its outputs, which fill, and hold it up; and goes on. */
void child_hold(struct child *c, bool on);
int child_pid(const struct child *c);

#endif
