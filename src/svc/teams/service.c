/* The teams service: teams, memberships, invitations. */
#include "gate/gate.h"
#include "model/service.h"
#include "svc/teams/team.h"

extern const struct routes team_routes;

static const struct routes *const routes[] = {
	&team_routes,
	NULL,
};

static const struct shape *const shapes[] = {&team_shape, &membership_shape, NULL};

static const struct scope scopes[] = {
	{"teams.read", "ua", 3},
	{"teams.write", "ua", 4},
	{"organization.read", "", 0},	/* of keys of organizations alone */
	{"organization.write", "", 0},
	{"organization.memberships.read", "", 0},
	{"organization.memberships.write", "", 0},
	{0},
};

#define ROOM_EVENTS "svc/teams/events.h"
#include "model/room_events.h"

static const char *const acted_on[] = {"teams", "memberships", NULL};

static const struct shown_now shown[] = {
	{"teams.[teamId].memberships.", memberships_shown},
	{0},
};

static const char *const mails[] = {"invitation", NULL};

static const struct older older[] = {
	{FORMAT_14, "team", "$createdAt", NULL},
	{FORMAT_14, "team", "$updatedAt", NULL},
	{FORMAT_14, "membership", "$createdAt", NULL},
	{FORMAT_14, "membership", "$updatedAt", NULL},
	{FORMAT_13, "membership", "userName", "name"},
	{FORMAT_13, "membership", "userEmail", "email"},
	{FORMAT_13, "membership", "teamName", NULL},
	{FORMAT_12, "team", "total", "sum"},
	{0},
};

static const struct made_id made_ids[] = {{"/v1/teams", "teamId"}, {0}};

const struct service teams_service = {
	.name = "teams",
	.routes = routes,
	.shapes = shapes,
	.scopes = scopes,
	.events = events,
	.acted_on = acted_on,
	.shown = shown,
	.mails = mails,
	.older = older,
	.made_ids = made_ids,
};
