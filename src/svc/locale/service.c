/* The locale service. */
#include "gate/gate.h"
#include "model/service.h"

extern const struct routes locale_routes;

static const struct routes *const routes[] = {
	&locale_routes,
	NULL,
};

static const struct scope scopes[] = {
	{"locale.read", "gua", 23},
	{0},
};

const struct service locale_service = {
	.name = "locale",
	.routes = routes,
	.scopes = scopes,
};
