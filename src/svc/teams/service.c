/* The teams service. */
#include "gate/gate.h"
#include "model/service.h"
#include "svc/teams/team.h"

extern const struct routes team_routes;

static const struct routes *const routes[] = {
	&team_routes,
	NULL,
};

static const struct shape *const shapes[] = {&team_shape, &membership_shape, NULL};

const struct service teams_service = {
	.name = "teams",
	.routes = routes,
	.shapes = shapes,
};
