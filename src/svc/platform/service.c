/* The platform service. */
#include "gate/gate.h"
#include "model/service.h"

extern const struct routes platform_routes;

static const struct routes *const routes[] = {
	&platform_routes,
	NULL,
};

const struct service platform_service = {
	.name = "platform",
	.routes = routes,
};
