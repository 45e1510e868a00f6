/* The projects service: for people of the console. */
#include "gate/gate.h"
#include "svc/projects/project.h"
#include "svc/projects/spare.h"
#include "model/job.h"
#include "model/service.h"

extern const struct routes project_routes, platform_routes, key_routes;

static const struct routes *const routes[] = {
	&project_routes,
	&platform_routes,
	&key_routes,
	NULL,
};

static const struct shape *const shapes[] = {&project_shape, &platform_shape, &key_shape, &webhook_shape, &domain_shape, &mock_number_shape, NULL};

static const struct scope scopes[] = {
	{"projects.read", "u", 0},
	{"projects.write", "u", 0},
	{"platforms.read", "a", 0},
	{"platforms.write", "a", 0},
	{"keys.read", "a", 0},
	{"keys.write", "a", 0},
	{"webhooks.read", "a", 0},
	{"webhooks.write", "a", 0},
	{0},
};

static const struct older older[] = {
	{FORMAT_15, "usageProject", "executions", "functions"},
	{0},
};

static err_t
projects_drop_deleted(struct ctx *cx, const struct job *job)
{
	(void)job;
	return project_sweep(cx);
}

static err_t
projects_make_spares(struct ctx *cx, const struct job *job)
{
	(void)job;
	return spare_fill(cx);
}

static const struct job_kind jobs[] = {
	{"spare", projects_make_spares, 4, 1, JOB_MINUTES(10), 1, "Makes data spaces in advance, so that creating a project is quick."},
	{"sweep", projects_drop_deleted, 8, 1, JOB_MINUTES(30), 1, "Drops the data spaces of deleted projects."},
	{0},
};
static const struct job_task tasks[] = {
	{"project-spares", 60 * 1000, spare_fill},		/* after an upgrade the old ones are of no use */
	{"project-sweep", 10 * 60 * 1000, project_sweep},	/* those whose job was lost with a Redis */
	{0},
};

/* Of later versions. */
static const struct path_absent absent[] = {
	{"PATCH", "/v1/projects/:/auth/duration"},
	{"PATCH", "/v1/projects/:/auth/max-sessions"},
	{"PATCH", "/v1/projects/:/auth/memberships-privacy"},
	{"PATCH", "/v1/projects/:/auth/mock-numbers"},
	{"PATCH", "/v1/projects/:/auth/password-dictionary"},
	{"PATCH", "/v1/projects/:/auth/password-history"},
	{"PATCH", "/v1/projects/:/auth/personal-data"},
	{"PATCH", "/v1/projects/:/auth/session-alerts"},
	{"PATCH", "/v1/projects/:/auth/session-invalidation"},
	{0},
};

const struct service projects_service = {
	.name = "projects",
	.routes = routes,
	.absent = absent,
	.shapes = shapes,
	.scopes = scopes,
	.older = older,
	.jobs = jobs,
	.tasks = tasks,
};
