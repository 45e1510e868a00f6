/* The users service: all users of a project, for keys and admins. */
#include "core/protocol.h"
#include "gate/gate.h"
#include "model/audit.h"
#include "model/identity.h"
#include "model/service.h"
#include "model/usage.h"
#include "svc/users/access.h"
#include "svc/users/linked.h"
#include "svc/users/mfa.h"
#include "svc/users/token.h"

extern const struct routes user_routes;
extern const struct routes user_access_routes;
extern const struct routes user_identity_routes;
extern const struct routes user_target_routes;
extern const struct routes user_mfa_routes;
extern const struct routes usage_routes;

static const struct routes *const routes[] = {
	&user_routes,
	&user_access_routes,
	&user_identity_routes,
	&user_target_routes,
	&user_mfa_routes,
	&usage_routes,
	NULL,
};

static const struct shape *const shapes[] = {&user_shape, &session_shape, &token_shape, &target_shape, &linked_shape, &jwt_shape, &audit_shape,
    &mfa_factors_shape, &mfa_type_shape, &mfa_codes_shape, &mfa_challenge_shape, &mfa_challenge_secret_shape, NULL};

static const struct scope scopes[] = {
	{"users.read", "a", 1},
	{"users.write", "a", 2},
	{"sessions.read", "", 32},
	{"sessions.write", "", 33},
	{0},
};

#define ROOM_EVENTS "svc/users/events.h"
#include "model/room_events.h"

static const struct event_secret secrets[] = {
	{"users.[userId].sessions.delete", "$id", {"password", "hash", "hashOptions"}, {NULL}},	/* of all: the user */
	{"users.[userId].sessions.", NULL, {NULL}, {NULL}},
	{"users.[userId].tokens.", NULL, {NULL}, {"secret"}},
	{"users.", "$id", {"password", "hash", "hashOptions"}, {NULL}},
	{0},
};

static const struct usage_kind usage[] = {
	{"users", {NULL, NULL}, false},
	{"sessions", {NULL, NULL}, true},	/* by provider */
	{0},
};

static const char *
users_gauges(struct arena *a, const char *schema)
{
	return arena_printf(a, "%s UNION ALL %s", usage_gauge(a, schema, "users", NULL), usage_gauge(a, schema, "sessions", NULL));
}

static const struct older older[] = {
	{FORMAT_15, "user", "password", NULL},
	{FORMAT_15, "user", "hash", NULL},
	{FORMAT_15, "user", "hashOptions", NULL},
	{FORMAT_14, "user", "$createdAt", NULL},
	{FORMAT_14, "user", "$updatedAt", NULL},
	{FORMAT_14, "session", "$createdAt", NULL},
	{FORMAT_12, "session", "providerAccessToken", "providerToken"},
	{FORMAT_12, "session", "providerAccessTokenExpiry", NULL},
	{FORMAT_12, "session", "providerRefreshToken", NULL},
	{FORMAT_11, "log", "userId", NULL},
	{FORMAT_11, "log", "userEmail", NULL},
	{FORMAT_11, "log", "userName", NULL},
	{FORMAT_11, "log", "mode", NULL},
	{0},
};

static const struct made_id made_ids[] = {{"/v1/users", "userId"}, {0}};

const struct service users_service = {
	.name = "users",
	.routes = routes,
	.shapes = shapes,
	.scopes = scopes,
	.events = events,
	.secrets = secrets,
	.usage = usage,
	.gauges = users_gauges,
	.older = older,
	.made_ids = made_ids,
};
