/* Routes outside of the services: files at the root, the API's own description, metrics. */
#include "gate/gate.h"
#include "model/service.h"

extern const struct routes general_routes, none_routes;

static const struct routes *const routes[] = {
	&general_routes,
	&none_routes,
	NULL,
};

static const struct scope scopes[] = {
	{"public", "gu", 0},
	{"global", "guak", 0},
	{"home", "gu", 0},
	{"console", "gu", 0},
	{0},
};

#define ROOM_EVENTS "svc/general/events.h"
#include "model/room_events.h"

const struct service general_service = {
	.name = "general",
	.routes = routes,
	.scopes = scopes,
	.events = events,
};
