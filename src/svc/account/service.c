/* The account service. */
#include "gate/gate.h"
#include "model/service.h"
#include "model/identity.h"
#include "svc/account/token.h"

extern const struct routes account_routes;
extern const struct routes account_token_routes;
extern const struct routes account_oauth_routes;
extern const struct routes page_routes;

static const struct routes *const routes[] = {
	&account_routes,
	&account_token_routes,
	&account_oauth_routes,
	&page_routes,
	NULL,
};

static const struct shape *const shapes[] = {&account_shape, &token_shape, NULL};

const struct service account_service = {
	.name = "account",
	.routes = routes,
	.shapes = shapes,
};
