/* Sandboxes: commands of strangers. A sandbox has namespaces of its own (bubblewrap makes them), a read-only root, a private /tmp, a filter of system calls, a
 * control group, an identity of its own when we are root, and ends as a whole: with its command, when it is killed, or when we are. */
#ifndef BADAL_EXEC_SANDBOX_H
#define BADAL_EXEC_SANDBOX_H

#include <sys/types.h>

#include "core/ctx.h"
#include "exec/net.h"

struct sandbox;

struct sandbox_mount {
	const char *from, *to;		/* a path outside, and inside; absolute */
	bool writable;			/* as root: it becomes the sandbox's own */
};

struct sandbox_spec {
	const char *name;		/* letters, digits, dots and dashes; unique on this machine while it is there */
	uid_t uid;			/* as root: who it is outside, of sandbox_uid; 0: somebody new */
	const char *root;		/* a directory that is / in there, never written to; NULL: the programs of this machine (/usr), without its data */
	bool bare;			/* there is nothing but its mounts: no programs, no /tmp, /dev or /proc; for one static program */
	bool layer;			/* it may write to its root all the same: to a layer over it that is in memory, at most `tmp` bytes, and goes with it */
	const char *told;		/* of a layer: a directory in there that can be seen from here, sandbox_told; NULL: none */
	const struct sandbox_mount *mounts;
	int n_mounts;
	const char *const *argv;	/* the command, looked up in PATH of `env`; NULL at the end */
	const char *const *env;		/* "NAME=value", NULL at the end: all it has. They do not pass through execve before the sandbox is closed */
	const char *dir;		/* where it begins; inside */
	int64_t memory;			/* bytes, all files in memory included (/tmp, /dev/shm) */
	int64_t tmp;			/* bytes of /tmp */
	int64_t file;			/* bytes of one file */
	int64_t processes, files;	/* at once */
	double cpus;			/* processors; 0: no bound */
	uint64_t limit_ms;		/* until it is killed; 0: no bound */
	struct net *net;		/* the caller's, freed after its end; NULL: it reaches nothing */
	bool machine_net;		/* this machine's network, for programs of ours alone that fetch something */
	/* What it writes to its standard output (1) and error (2), borrowed for the call. On the loop. NULL: it is dropped. */
	void (*output)(int fd, struct str piece, void *arg);
	void *arg;
};

enum sandbox_why { SANDBOX_EXIT, SANDBOX_SIGNAL, SANDBOX_NO_COMMAND, SANDBOX_TIME, SANDBOX_MEMORY, SANDBOX_KILLED, SANDBOX_BROKEN };

struct sandbox_end {			/* how it ended */
	enum sandbox_why why;
	int number;			/* the exit code, the signal, the errno of a command that could not be started */
	const char *said;		/* SANDBOX_BROKEN: what bubblewrap said, in the asker's arena */
};

/* Once per process, before the first sandbox: control groups, and whether what is needed is installed. `dir`: a directory of our own, for what sandboxes
 * are shown of the machine. `init`: the program badal-init, NULL: where it is installed, or beside our own. What cannot be held here is named ("memory, processes"), "" when all can. NULL: there can be no sandboxes, *why_out says why. */
const char *sandbox_setup(const char *dir, const char *init, const char **why_out);

/* As root, a user for sandboxes that work on the same files; 0: we are not, and it is ourselves. They are handed out in turn. */
uid_t sandbox_uid(void);
/* The same for one with a layer over `root`: without mapped mounts it is the user whose files those are. */
uid_t sandbox_layer_uid(const char *root);
/* Whether there are layers here, tried once. Awaits. NULL: there are; else why not. *shared_out: as root, those of one root are the same user outside. */
const char *sandbox_layers(struct ctx *cx, bool *shared_out);
/* Starts one. The strings of s are borrowed for the call. ERR_SANDBOX: it cannot be started. */
err_t sandbox_start(struct ctx *cx, const struct sandbox_spec *s, struct sandbox **out) MUST_CHECK;
/* Awaits its end, and frees it. An error of cx kills it first. */
err_t sandbox_wait(struct ctx *cx, struct sandbox **sp, struct sandbox_end *out) MUST_CHECK;
void sandbox_kill(struct sandbox *s);
/* Stops reading what it writes, which holds it up; and goes on. */
void sandbox_hold(struct sandbox *s, bool on);
/* Some process of it was killed for want of memory, and the others live on, which happens with control groups of version 1 only. */
bool sandbox_starved(const struct sandbox *s);
/* The directory `told` of its layer, which is the caller's then and stays when the sandbox has ended; -1: it is not there yet, or was taken already. */
int sandbox_told(struct sandbox *s);
int64_t sandbox_memory(const struct sandbox *s);	/* bytes in use; -1: unknown */
/* What is in it now stays; sandbox_sweep ends what was begun since then, and says how many. Where processes cannot be counted nothing is ended.
 * *clean_out: nothing of it is left; else it begins processes faster than they end, and all of it is to be ended. */
void sandbox_settle(struct sandbox *s);
int sandbox_sweep(struct sandbox *s, bool *clean_out);
/* "exit code 7", "killed by signal 11 (Segmentation fault)", "out of memory (128 MiB)", …: for people. */
const char *sandbox_end_text(struct arena *a, const struct sandbox_spec *s, const struct sandbox_end *e);

#endif
