/* Jobs: work that a write leaves for the jobs role. A job is a WAL message (prefix "job") of the write's own transaction, so it exists
 * exactly when the write does. It runs at least once; its id is the same at every try, so handlers can make themselves idempotent. */
#ifndef BADAL_MODEL_JOB_H
#define BADAL_MODEL_JOB_H

#include "io/db.h"

/* Before all keys of jobs in Redis. The braces are the hash tag: consumers read all kinds with one command and settle with one script, so in
 * a cluster all of it lies in one slot. */
#define JOB_KEYS "{jobs}:"

struct job {			/* what a handler gets; valid while it runs */
	const char *kind, *id;
	const char *project;	/* for whom it is, "": unknown */
	int tries;		/* before this one */
	int64_t created;	/* ms */
	struct str payload;
};

/* Awaits. OK: done. ERR_JOB_HOPELESS: given up at once. Any other error: tried again later; ERR_CANCELLED while stopping: another consumer
 * repeats it. The same job may run twice, even at once: its effects must not add up. */
typedef err_t (*job_fn)(struct ctx *cx, const struct job *job);

struct job_kind {		/* a service's list of them ends with a row of zeros */
	const char *kind;	/* stream {jobs}:<kind>, metrics, health */
	job_fn fn;
	int retries;
	int width;		/* how many run at once in each process of the jobs role; nobody waits for another kind */
	uint64_t limit_ms;	/* of one try: then it is cancelled, and has failed */
	unsigned connections;	/* to PostgreSQL that they have together, at most */
	const char *doc;
	int each;		/* how many of one project run at once in each of these processes; 0: as many as there is room for */
	bool lines;		/* each looks after a line (model/line.h): what waits are their entries */
};

#define JOB_MINUTES(n) ((n) * 60 * 1000ull)	/* for limit_ms */

/* This process takes no more jobs: what runs comes to an end soon. */
extern bool jobs_drained;

struct job_task {		/* done once per interval by one process of all machines */
	const char *name;
	uint64_t every_ms;
	err_t (*fn)(struct ctx *cx);
};

/* Some service has jobs of this kind. */
bool job_known(struct str kind);

/* Adds a job to the transaction, in the name of the context's project: projects take turns. `kind` must be known; the payload (JSON, may be empty) is copied. No wait. */
void tx_job(struct db_tx *tx, const char *kind, struct str payload);
/* Awaits. How many jobs of a kind wait, run or wait for their next try / have failed for good. ERR_BUS. */
err_t job_depth(struct ctx *cx, const char *kind, int64_t *out) MUST_CHECK;
err_t job_dead(struct ctx *cx, const char *kind, int64_t *out) MUST_CHECK;

#endif
