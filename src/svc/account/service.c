/* The account service: the caller's own user, its sessions and its ways to sign in. */
#include "gate/gate.h"
#include "model/identity.h"
#include "model/service.h"
#include "svc/users/token.h"

extern const struct routes account_routes;
extern const struct routes account_code_routes;
extern const struct routes account_link_routes;
extern const struct routes account_mfa_routes;
extern const struct routes account_token_routes;
extern const struct routes account_oauth_routes;
extern const struct routes account_id_token_routes;
extern const struct routes page_routes;

static const struct routes *const routes[] = {
	&account_routes,
	&account_link_routes,
	&account_token_routes,
	&account_code_routes,
	&account_mfa_routes,
	&account_oauth_routes,
	&account_id_token_routes,
	&page_routes,
	NULL,
};

static const struct shape *const shapes[] = {&account_shape, &preferences_shape, NULL};

static const struct scope scopes[] = {
	{"account", "u", 0},
	{0},
};

#define ROOM_EVENTS "svc/account/events.h"
#include "model/room_events.h"

static const struct event_secret secrets[] = {
	{"users.[userId].recovery.", NULL, {NULL}, {"secret"}},
	{"users.[userId].verification.", NULL, {NULL}, {"secret"}},
	{0},
};

static const char *const acted_on[] = {"account", NULL};

static const char *const mails[] = {"verification", "verificationCode", "magicSession", "otpSession", "mfaChallenge", "sessionAlert", "recovery", "recoveryCode", NULL};

static const struct older older[] = {
	{FORMAT_14, "token", "$createdAt", NULL},
	{0},
};

/* Later names of requests, where they mean the same thing; and what reaches a route in the contract that matches parts of paths. */
static const struct path_alias aliases[] = {
	{"POST", "/v1/account/anonymous", "/v1/account", NULL},
	{"POST", "/v1/account/mfa/challenge", "/v1/account/mfa/challenges", NULL, .later = true},
	{"PUT", "/v1/account/mfa/challenge", "/v1/account/mfa/challenges", NULL, .later = true},
	{"POST", "/v1/account/tokens/magic-url", "/v1/account/sessions/magic-url", NULL, .later = true},
	{"POST", "/v1/account/tokens/phone", "/v1/account/sessions/phone", NULL, .later = true},
	{"POST", "/v1/account/verifications/email", "/v1/account/verification", NULL, .later = true},
	{"PUT", "/v1/account/verifications/email", "/v1/account/verification", NULL, .later = true},
	{"POST", "/v1/account/verifications/phone", "/v1/account/verification/phone", NULL, .later = true},
	{"PUT", "/v1/account/verifications/phone", "/v1/account/verification/phone", NULL, .later = true},
	{0},
};

static const struct made_id made_ids[] = {{"/v1/account", "userId"}, {"/v1/account/sessions/magic-url", "userId"}, {0}};

const struct service account_service = {
	.name = "account",
	.own = true,
	.routes = routes,
	.aliases = aliases,
	.shapes = shapes,
	.scopes = scopes,
	.events = events,
	.secrets = secrets,
	.acted_on = acted_on,
	.mails = mails,
	.older = older,
	.made_ids = made_ids,
};
