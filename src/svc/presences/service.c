/* The presences service: who is there, and what they say of themselves. */
#include "gate/gate.h"
#include "model/service.h"
#include "model/usage.h"
#include "svc/presences/presence.h"

extern const struct routes presence_routes;

static const struct routes *const routes[] = {&presence_routes, NULL};

static const struct shape *const shapes[] = {&presence_shape, NULL};

static const struct scope scopes[] = {
	{"presences.read", "ua", 82},
	{"presences.write", "ua", 83},
	{0},
};

#define ROOM_EVENTS "svc/presences/events.h"
#include "model/room_events.h"

/* What is over is not gone at once. */
static const char *
presences_gauges(struct arena *a, const char *schema)
{
	return usage_gauge(a, schema, "presences", "expires > now()");
}

static const char *const acted_on[] = {"presences", NULL};

static const struct shown_now shown[] = {
	{"presences.[presenceId].", presences_shown},
	{0},
};

static const struct socket_word sockets[] = {
	{"presence", presences_said, presence_left},
	{0},
};

static const struct job_task tasks[] = {
	{"presences-expire", 30 * 1000, presences_expire},
	{"presences-walk", 3600 * 1000, presences_walk},
	{0},
};

const struct service presences_service = {
	.name = "presences",
	.routes = routes,
	.shapes = shapes,
	.scopes = scopes,
	.events = events,
	.gauges = presences_gauges,
	.acted_on = acted_on,
	.shown = shown,
	.sockets = sockets,
	.tasks = tasks,
};
