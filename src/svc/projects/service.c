/* The projects service. */
#include "gate/gate.h"
#include "model/service.h"
#include "model/project.h"

extern const struct routes project_routes;

static const struct routes *const routes[] = {
	&project_routes,
	NULL,
};

static const struct shape *const shapes[] = {&project_shape, &platform_shape, &key_shape, &webhook_shape, &domain_shape, NULL};

const struct service projects_service = {
	.name = "projects",
	.routes = routes,
	.shapes = shapes,
};
