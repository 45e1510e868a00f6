/* Answers that the clients' own tests ask for; in development only. */
#include "gate/gate.h"
#include "model/service.h"

extern const struct routes mock_routes;

static const struct routes *const routes[] = {
	&mock_routes,
	NULL,
};

const struct service mock_service = {
	.name = "mock",
	.routes = routes,
};
