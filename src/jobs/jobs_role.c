/* The jobs role: the jobs and tasks of all services, and the kernel's own. */
#include "jobs/jobs.h"

#include <assert.h>

#include "jobs_priv.h"
#include "model/expire.h"
#include "model/service.h"

enum { KINDS_MAX = 64, TASKS_MAX = 64 };

static struct job_kind kinds[KINDS_MAX];
static struct job_task tasks[TASKS_MAX] = {{"expire", 60 * 60 * 1000, expire_sweep}};

static struct jobs_setup setup = {
    .kinds = kinds, .tasks = tasks, .n_tasks = 1,
    .backoff_ms = 5000, .claim_ms = 30000, .upkeep_ms = 1000,
};

static void
jobs_role_collect(const struct service *s)
{
	for (const struct job_kind *k = s->jobs; k != NULL && k->kind != NULL; k++) {
		assert(setup.n_kinds < KINDS_MAX);
		kinds[setup.n_kinds++] = *k;
	}
	for (const struct job_task *t = s->tasks; t != NULL && t->name != NULL; t++) {
		assert(setup.n_tasks < TASKS_MAX);
		tasks[setup.n_tasks++] = *t;
	}
}

bool
jobs_init(void)
{
	int n;
	const struct service *const *v = service_all(&n);

	assert(setup.n_kinds == 0);
	for (int i = 0; i < n; i++)
		jobs_role_collect(v[i]);
	jobs_start(&setup);
	jobs_spaces_start();
	jobs_events_start();
	return true;
}
