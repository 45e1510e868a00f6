/* The jobs role: its table of jobs and its periodic tasks. */
#include "jobs/jobs.h"

#include "jobs_priv.h"
#include "model/expire.h"
#include "svc/databases/collection.h"
#include "svc/projects/project.h"
#include "svc/projects/spare.h"

static const struct job_row rows[] = {
#define JOB(kind, handler, retries, doc) {#kind, handler, retries},
#include "tbl/jobs.h"
#undef JOB
};

static const struct job_task tasks[] = {
    {"project-sweep", 10 * 60 * 1000, project_sweep},	/* those whose job was lost with a Redis */
    {"schema-recover", 10 * 60 * 1000, schema_recover},	/* likewise */
    {"expire", 60 * 60 * 1000, expire_sweep},
};

static const struct jobs_setup setup = {
    .rows = rows, .n_rows = sizeof rows / sizeof rows[0],
    .tasks = tasks, .n_tasks = sizeof tasks / sizeof tasks[0],
    .at_once = 16, .timeout_ms = 30 * 60 * 1000, .backoff_ms = 5000, .claim_ms = 30000, .upkeep_ms = 1000,
};

err_t
job_sweep(struct ctx *cx, const struct job *job)
{
	(void)job;
	return project_sweep(cx);
}

err_t
job_spare(struct ctx *cx, const struct job *job)
{
	(void)job;
	return spare_fill(cx);
}

err_t
job_schema(struct ctx *cx, const struct job *job)
{
	return schema_work(cx, job->payload, job->id);
}

bool
jobs_init(void)
{
	jobs_start(&setup);
	jobs_spaces_start();
	return true;
}
