/* The health service. */
#include "gate/gate.h"
#include "model/service.h"

extern const struct routes health_routes;

static const struct routes *const routes[] = {
	&health_routes,
	NULL,
};

static const struct scope scopes[] = {
	{"health.read", "ak", 25},
	{0},
};

const struct service health_service = {
	.name = "health",
	.routes = routes,
	.scopes = scopes,
};
