/* Jobs, private: the consumer (jobs.c), what is done from time to time (jobs_upkeep.c), what an earlier version left (jobs_old.c), the role
 * (jobs_role.c).
 *
 * {jobs}:<kind>         stream: entries wait or run; group "workers"; an entry is removed when its try has ended
 * {jobs}:<kind>:later   sorted set: tries to come, by their time; the member is "header\npayload"
 * {jobs}:<kind>:dead    stream: given up, with the reason (e)
 * {jobs}:done:<id>      marks for an hour that a job has succeeded: a second copy of it is dropped
 * The header h is "<id> <tries so far> <ms of its making>", the payload b. */
#ifndef BADAL_JOBS_JOBS_PRIV_H
#define BADAL_JOBS_JOBS_PRIV_H

#include "core/ctx.h"
#include "core/fiber.h"
#include "io/bus.h"
#include "model/job.h"

struct jobs_setup {
	const struct job_kind *rows;
	int n_rows;
	const struct job_task *tasks;
	int n_tasks;
	int at_once;		/* jobs that run at a time */
	uint64_t timeout_ms;	/* of one try */
	uint64_t backoff_ms;	/* before the first retry; doubles, an hour at most */
	uint64_t claim_ms;	/* a consumer that shows no life for this long loses its jobs */
	uint64_t upkeep_ms;
};

void jobs_start(const struct jobs_setup *s);	/* borrowed: static */

/* ---- between the files ---- */
enum { DRAIN_EXTRA = 2000 };

struct run {			/* a job that runs here */
	struct run *prev, *next;
	const struct job_kind *row;
	struct fib *fib;
	struct job job;
	char entry[48];		/* id of its stream entry */
	char *text;		/* owns what job points to */
};

struct jobs_state {
	const struct jobs_setup *set;
	const char *me;		/* the consumer's name */
	struct run *runs;
	int n_runs;
	bool stopping;
	struct fib_event room;	/* a run ended, or stopping; the reader waits */
	struct fib_event stop;	/* stopping; the upkeep waits */
	unsigned fibers;	/* of ours that are alive, runs excluded */
};
extern struct jobs_state jobs;

/* Begins a job from its stream entry; nothing when it runs here already. Poisonous: it goes to the dead letters. */
void run_begin(const struct job_kind *row, const struct bus_reply *entry, bool poisonous);
/* Brings data spaces up to date in the background (jobs_spaces.c). */
void jobs_spaces_start(void);
void jobs_spaces_stop(void);
void upkeep_fiber(struct ctx *cx, void *arg);
void jobs_fiber_ended(void);
/* Awaits. Takes over the jobs that an earlier version left under its keys; nothing when there are none. */
err_t jobs_adopt(struct ctx *cx, struct bus_link *link) MUST_CHECK;

#endif
