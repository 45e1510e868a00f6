/* The users service: all users of a project, for keys and admins. */
#include "gate/gate.h"
#include "model/audit.h"
#include "model/identity.h"
#include "model/service.h"
#include "svc/users/user.h"

extern const struct routes user_routes;
extern const struct routes usage_routes;

static const struct routes *const routes[] = {
	&user_routes,
	&usage_routes,
	NULL,
};

static const struct shape *const shapes[] = {&user_shape, &session_shape, &audit_shape, NULL};

static const struct scope scopes[] = {
	{"users.read", "a", 1},
	{"users.write", "a", 2},
	{0},
};

#define EVENT EVENT_DEFINE
#include "events.h"
#undef EVENT
static const struct event_info *const events[] = {
#define EVENT EVENT_LISTED
#include "events.h"
#undef EVENT
	NULL,
};

static const struct event_secret secrets[] = {
	{"users.[userId].sessions.", NULL, {NULL}, {NULL}},
	{"users.", "$id", {"password", "hash", "hashOptions"}, {NULL}},
	{0},
};

static const char *const acted_on[] = {"presences", NULL};

const struct service users_service = {
	.name = "users",
	.routes = routes,
	.shapes = shapes,
	.scopes = scopes,
	.events = events,
	.secrets = secrets,
	.acted_on = acted_on,
};
