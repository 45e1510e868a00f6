/* The avatars service. */
#include "gate/gate.h"
#include "model/service.h"

extern const struct routes drawn_routes, elsewhere_routes, icon_routes, photo_routes, shot_routes;

static const struct routes *const routes[] = {
	&icon_routes,
	&elsewhere_routes,
	&drawn_routes,
	&photo_routes,
	&shot_routes,
	NULL,
};

static const struct scope scopes[] = {
	{"avatars.read", "gua", 24},
	{0},
};

const struct service avatars_service = {
	.name = "avatars",
	.routes = routes,
	.scopes = scopes,
};
