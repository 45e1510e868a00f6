/* The list of services: who reads descriptions asks here, so no layer below the rooms names one. */
#include "model/service.h"

#include <assert.h>

#include "model/job.h"

static const struct service *const *services;
static int n_services;

const char *key_scopes[KEY_SCOPES_MAX + 1], *job_kinds[JOB_KINDS_MAX + 1];
bool job_kinds_lined[JOB_KINDS_MAX];

static void
collect_key_scopes(const struct scope *s)
{
	for (; s != NULL && s->name != NULL; s++) {
		if (s->key == 0)
			continue;
		assert(s->key > 0 && s->key <= KEY_SCOPES_MAX && key_scopes[s->key - 1] == NULL);
		key_scopes[s->key - 1] = s->name;
	}
}

static void
collect_job_kinds(const struct job_kind *k)
{
	static int n_kinds;

	for (; k != NULL && k->kind != NULL; k++) {
		assert(n_kinds < JOB_KINDS_MAX && k->fn != NULL && !job_known(str_c(k->kind)));
		job_kinds_lined[n_kinds] = k->lines;
		job_kinds[n_kinds++] = k->kind;
	}
}

void
service_init(const struct service *const *v, int n)
{
	assert(v != NULL && n > 0);
	if (services == v)
		return;
	assert(services == NULL);
	services = v;
	n_services = n;
	for (int i = 0; i < n; i++) {
		assert(v[i]->name != NULL);
		collect_key_scopes(v[i]->scopes);
		collect_job_kinds(v[i]->jobs);
	}
}

const struct service *const *
service_all(int *n_out)
{
	assert(services != NULL);
	*n_out = n_services;
	return services;
}
