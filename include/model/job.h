/* Jobs: work that a write leaves for the jobs role. A job is a WAL message (prefix "job") of the write's own transaction, so it exists
 * exactly when the write does. It runs at least once; its id is the same at every try, so handlers can make themselves idempotent. */
#ifndef BADAL_MODEL_JOB_H
#define BADAL_MODEL_JOB_H

#include "io/db.h"

enum job_kind {
#define JOB(kind, handler, retries, doc) JOB_##kind,
#include "tbl/jobs.h"
#undef JOB
	JOB_N
};

/* "sweep", …: the name in keys (jobs:<kind>), metrics and the health endpoints. Static. */
const char *job_name(enum job_kind k);
/* The kind with this name, or JOB_N. */
enum job_kind job_by_name(struct str name);

/* Adds a job to the transaction. The payload (JSON, may be empty) is copied. No wait. */
void tx_job(struct db_tx *tx, enum job_kind kind, struct str payload);
/* Awaits. How many jobs of a kind wait, run or wait for their next try / have failed for good. ERR_BUS. */
err_t job_depth(struct ctx *cx, enum job_kind kind, int64_t *out) MUST_CHECK;
err_t job_dead(struct ctx *cx, enum job_kind kind, int64_t *out) MUST_CHECK;

#endif
