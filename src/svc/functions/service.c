/* The functions service: what projects and keys can be told of it. */
#include "model/service.h"

static const struct scope scopes[] = {
	{"execution.read", "ua", 21},
	{"execution.write", "gua", 22},
	{"functions.read", "a", 19},
	{"functions.write", "a", 20},
	{0},
};

#define ROOM_EVENTS "svc/functions/events.h"
#include "model/room_events.h"

static const struct event_secret secrets[] = {
	{"functions.[functionId].executions.", NULL, {NULL}, {"stdout", "stderr"}},
	{0},
};

static const char *const acted_on[] = {"executions", "functions", NULL};

static const struct made_id made_ids[] = {{"/v1/functions", "functionId"}, {0}};

const struct service functions_service = {
	.name = "functions",
	.scopes = scopes,
	.events = events,
	.secrets = secrets,
	.acted_on = acted_on,
	.made_ids = made_ids,
};
