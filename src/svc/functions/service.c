/* The functions service: functions, variables, deployments. */
#include "execution.h"
#include "gate/gate.h"
#include "model/job.h"
#include "model/service.h"
#include "schedules.h"

extern const struct routes function_routes;
extern const struct routes deployment_routes, execution_routes, shared_variable_routes;
extern const struct shape runtime_shape, functions_usage_shape;

static const struct routes *const routes[] = {
	&function_routes,
	&deployment_routes,
	&execution_routes,
	&shared_variable_routes,
	NULL,
};

static const struct shape *const shapes[] = {&function_shape, &runtime_shape, &deployment_shape, &variable_shape, &shared_variable_shape, &execution_shape, &execution_later_shape, &execution_header_shape, &functions_usage_shape, &schedule_shape, NULL};

static const struct scope scopes[] = {
	{"execution.read", "ua", 21},
	{"execution.write", "gua", 22},
	{"functions.read", "a", 19},
	{"functions.write", "a", 20},
	{"executions.read", "ua", 54},
	{"executions.write", "gua", 55},
	{0},
};

#define ROOM_EVENTS "svc/functions/events.h"
#include "model/room_events.h"

static const struct event_secret secrets[] = {
	{"functions.[functionId].executions.", NULL, {NULL}, {"stdout", "stderr"}},
	{0},
};

static const char *const acted_on[] = {"executions", "functions", NULL};

static const struct made_id made_ids[] = {{"/v1/functions", "functionId"}, {0}};

static const struct older older[] = {
	{FORMAT_15, "execution", "stdout", NULL},
	{FORMAT_15, "execution", "duration", "time"},
	{FORMAT_13, "execution", "response", "stdout"},
	{FORMAT_15, "function", "enabled", "status"},
	{FORMAT_12, "function", "deployment", "tag"},
	{0},
};

static const struct job_kind jobs[] = {
	{BUILD, functions_build, BUILD_RETRIES, 4, JOB_MINUTES(24 * 60 + 10), 2, "Builds deployments of functions."},
	{FUNCTIONS, functions_work, 8, 500, JOB_MINUTES(24 * 60 + 10), 8, "Runs what waits for one function.", .lines = true},
	{EXECUTE, execute_work, 30, 32, JOB_MINUTES(1), 4, "Puts an execution to the others that wait for its function."},
	{FUNCTION_DELETE, functions_delete, 30, 2, JOB_MINUTES(60), 1, "Removes what deleted functions and deployments leave."},
	{0},
};
static const struct job_task tasks[] = {
	{"schedule", 1000, functions_schedule},
	{"functions-warm", 1000, functions_keep_warm},
	{"executions-care", 5000, executions_care},
	{"executions-sweep", 10 * 60 * 1000, executions_sweep},
	{"executions-bound", 60 * 1000, executions_bound},
	{"functions-expire", 10 * 60 * 1000, functions_expire},
	{"functions-orphans", 24 * 3600 * 1000, functions_find_orphans},
	{0},
};

static const char *
archives(struct arena *a, const char *schema)
{
	return arena_printf(a, "SELECT d.function AS owner, p.blob AS name, p.stored, p.md5, 'deployment ' || d.id || ' of function ' || f.id AS what "
	    "FROM %s.deployment_parts p JOIN %s.deployments d ON d.internal = p.deployment JOIN %s.functions f ON f.internal = d.function", schema, schema, schema);
}

static const char *
builds(struct arena *a, const char *schema)
{
	return arena_printf(a, "SELECT d.function AS owner, d.blob AS name, d.stored, d.md5, 'build of deployment ' || d.id || ' of function ' || f.id AS what "
	    "FROM %s.deployments d JOIN %s.functions f ON f.internal = d.function WHERE d.blob <> ''", schema, schema);
}
static const struct blob_book books[] = {{"deployments", archives}, {"builds", builds}, {0}};

static const char *
functions_gauges(struct arena *a, const char *schema)
{
	return arena_printf(a, "SELECT 'deployments.$all.storage.size', coalesce(sum(size), 0)::bigint FROM %s.deployments", schema);
}

const struct service functions_service = {
	.name = "functions",
	.routes = routes,
	.shapes = shapes,
	.scopes = scopes,
	.events = events,
	.secrets = secrets,
	.acted_on = acted_on,
	.made_ids = made_ids,
	.hears = &functions_hears,
	.older = older,
	.gauges = functions_gauges,
	.blobs = books,
	.jobs = jobs,
	.tasks = tasks,
};
