/* Jobs, private: the consumer (jobs.c), where it gets jobs from (jobs_lane.c), what is done from time to time (jobs_upkeep.c), what an earlier
 * version left (jobs_old.c), what events cause (jobs_events.c), the role (jobs_role.c).
 *
 * {jobs}:<kind>         stream: entries wait or run; group "workers"; an entry is removed when its try has ended
 * {jobs}:<kind>:aside   sorted set: jobs of projects that have many, by their turn; the member is "header\npayload"
 * {jobs}:<kind>:turns   hash: the last turn of each project with jobs aside, and of all (""): that of the one that came back last
 * {jobs}:<kind>:later   sorted set: tries to come, by their time; the member is "header\npayload"
 * {jobs}:<kind>:dead    stream: given up, with the reason (e)
 * {jobs}:done:<id>      marks for an hour that a job has succeeded: a second copy of it is dropped
 * The header h is "<id> <tries so far> <ms of its making>[ <project>]", the payload b. */
#ifndef BADAL_JOBS_JOBS_PRIV_H
#define BADAL_JOBS_JOBS_PRIV_H

#include "core/ctx.h"
#include "core/fair.h"
#include "core/fiber.h"
#include "io/bus.h"
#include "model/job.h"

struct jobs_setup {
	const struct job_kind *kinds;
	int n_kinds;
	const struct job_task *tasks;
	int n_tasks;
	uint64_t backoff_ms;	/* before the first retry; doubles, an hour at most */
	uint64_t claim_ms;	/* a consumer that shows no life for this long loses its jobs */
	uint64_t upkeep_ms;
};

void jobs_start(const struct jobs_setup *s);	/* borrowed: static */

/* ---- between the files ---- */
enum { DRAIN_EXTRA = 2000 };

struct lane {			/* a kind of job */
	const struct job_kind *info;
	struct db_share *share;
	struct bus_link *link;
	struct fib *reader;		/* NULL: not begun, or ended */
	struct fair hand;		/* read, not begun; turns by project */
	int n_runs;
	bool held;			/* there is room, and what is in hand is of projects that have their share of it */
	int64_t aside;			/* in {jobs}:<kind>:aside, as last heard */
	bool tick;			/* some of those aside come back now, whatever is in hand */
	struct fib_event room;		/* a run ended, a tick, or stopping; the reader waits */
};

struct run {			/* a job that is held here, begun or not */
	struct fair_item item;	/* in the lane's hand until it is begun. First: the queue gives it back */
	unsigned magic;
	struct run *prev, *next;
	struct lane *lane;
	const struct job_kind *info;
	job_fn fn;
	struct fib *fib;
	struct loop_timer *limit;
	struct job job;
	char entry[48];		/* id of its stream entry */
	char *text;		/* owns what job points to */
	int64_t deaths;		/* times that it was begun by a consumer that died */
	bool begun, late;
	bool lowered;		/* Redis was told that this delivery does not count, since it is not begun */
};

struct jobs_state {
	const struct jobs_setup *set;
	const char *me;		/* the consumer's name */
	struct lane *lanes;	/* one for each kind */
	struct run *runs;	/* all that are held */
	int n_runs;		/* begun */
	bool stopping;
	struct fib_event stop;	/* stopping; the upkeep waits */
	struct fib_event news;	/* of the event stream: who looks for it waits */
	unsigned fibers;	/* of ours that are alive, runs excluded */
};
extern struct jobs_state jobs;

/* ---- jobs.c ---- */
/* A job from its stream entry, held from now on; NULL: it is held already, or gone. `deliveries`: how often Redis has handed it out; one whose
 * consumers died again and again goes to the dead letters. */
struct run *run_new(struct lane *l, const struct bus_reply *entry, int64_t deliveries);
void run_begin(struct run *r);		/* on a fiber of its own */
void run_forget(struct run *r);		/* one that is not begun, or has ended */
/* Shows Redis that its consumer lives. A job that waits for its turn here is not guilty of the consumer's death: the count of its deliveries, by
 * which is judged, is set. */
bool run_claim(const struct run *r, int64_t deliveries);
struct str job_head(struct arena *a, const struct job *j, int tries);
/* Awaits. It ends early only when the process stops, which every loop here looks at. */
void jobs_pause(struct ctx *cx, uint64_t ms);

/* ---- jobs_lane.c ---- */
void lane_start(struct lane *l, const struct job_kind *info);
void lane_stop(struct lane *l);		/* takes no more, and gives back what is not begun */
void lane_go_on(struct lane *l);	/* begins what may begin */
void lane_put(struct lane *l, struct run *r);	/* into the hand */
int lane_room(const struct lane *l);	/* for so many more in the hand */
/* Awaits. Counts those aside, and has some come back when the next of them is of a project that has nothing in hand. */
err_t lane_look_aside(struct ctx *cx, struct lane *l) MUST_CHECK;

/* ---- jobs_events.c ---- */
void jobs_events_start(void);
void jobs_events_stop(void);

/* ---- jobs_spaces.c ---- */
/* Brings data spaces up to date in the background. */
void jobs_spaces_start(void);
void jobs_spaces_stop(void);

/* ---- jobs_old.c ---- */
/* Awaits. Takes over the jobs of this kind that an earlier version left under its keys; nothing when there are none. */
err_t jobs_adopt(struct ctx *cx, struct bus_link *link, const char *kind) MUST_CHECK;

/* ---- jobs_upkeep.c ---- */
void upkeep_fiber(struct ctx *cx, void *arg);
/* Awaits. This process has the turn that the key stands for, and keeps it for so long. */
err_t jobs_lead(struct ctx *cx, const char *key, int ms, bool *mine_out) MUST_CHECK;
void jobs_fiber_ended(void);

#endif
