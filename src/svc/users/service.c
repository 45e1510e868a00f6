/* The users service. */
#include "gate/gate.h"
#include "model/service.h"
#include "model/identity.h"
#include "model/audit.h"

extern const struct routes user_routes;
extern const struct routes usage_routes;

static const struct routes *const routes[] = {
	&user_routes,
	&usage_routes,
	NULL,
};

static const struct shape *const shapes[] = {&user_shape, &session_shape, &audit_shape, NULL};

const struct service users_service = {
	.name = "users",
	.routes = routes,
	.shapes = shapes,
};
