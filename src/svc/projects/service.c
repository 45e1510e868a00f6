/* The projects service: for people of the console. */
#include "gate/gate.h"
#include "model/project.h"
#include "model/service.h"

extern const struct routes project_routes;

static const struct routes *const routes[] = {
	&project_routes,
	NULL,
};

static const struct shape *const shapes[] = {&project_shape, &platform_shape, &key_shape, &webhook_shape, &domain_shape, NULL};

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

const struct service projects_service = {
	.name = "projects",
	.routes = routes,
	.shapes = shapes,
	.scopes = scopes,
	.older = older,
	.usage_model = "usageProject",
};
