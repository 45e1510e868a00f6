/* Control groups: what a sandbox may take of memory, processors and processes. Version 2 where the machine has its controllers there, else version 1. */
#ifndef BADAL_EXEC_CGROUP_H
#define BADAL_EXEC_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CGROUP_DIRS = 3 };		/* one of version 2, or memory, pids and cpu of version 1 */

struct cgroup {
	char *dirs[CGROUP_DIRS];		/* NULL: that bound cannot be set here */
	int join[CGROUP_DIRS];		/* a file that the child joins by; -1: none */
	int group;			/* version 2: its directory, for the child to begin in; 0: it joins */
	int procs;			/* to list processes: version 2 cgroup.procs, open to be read; version 1 the directory that has it; -1: none */
	int starved;			/* version 1: memory.oom_control, open to be read; -1: none */
	bool unset[CGROUP_DIRS];		/* of cgroup_bounds: was to be set, and the kernel did not take it */
};
extern const char *const cgroup_bounds[CGROUP_DIRS];	/* "memory", "processes", "processors" */
struct cgroup_limits {
	int64_t memory;			/* bytes, swap included; 0: no bound */
	int64_t processes;		/* 0: no bound */
	double cpus;			/* 0: no bound */
};

/* Finds where groups can be made, and makes room for them; once. The bounds that cannot be set here are named: "memory, processes"; "": all can. */
const char *cgroup_setup(void);
/* A group by this name, which must be new. Bounds that cannot be set here at all are left out: cgroup_setup has said so. */
void cgroup_open(struct cgroup *g, const char *name, const struct cgroup_limits *limits);
/* The first of its bounds that is not set and must be; NULL: there is none, *unset_out says how many are not set. */
const char *cgroup_refusal(const struct cgroup *g, bool (*accepted)(const char *bound), int *unset_out);
/* The calling process joins; safe after a fork. */
bool cgroup_join(const struct cgroup *g);
/* Some process of it was killed for want of memory. */
bool cgroup_out_of_memory(const struct cgroup *g);
/* Whether a group that lacks memory is killed as a whole, by the kernel. */
bool cgroup_kills_whole(void);
/* Bytes in use; -1: unknown. */
int64_t cgroup_memory(const struct cgroup *g);
/* Calls fn with each process in it; how many there are, -1: unknown. */
int cgroup_each(const struct cgroup *g, void (*fn)(pid_t pid, void *arg), void *arg);
/* Kills all that is in it. */
void cgroup_kill(const struct cgroup *g);
/* Removes it; all in it must have ended. */
void cgroup_close(struct cgroup *g);

#endif
