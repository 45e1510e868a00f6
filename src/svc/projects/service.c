/* The projects service: for people of the console. */
#include "gate/gate.h"
#include "svc/projects/project.h"
#include "svc/projects/spare.h"
#include "model/job.h"
#include "model/service.h"

extern const struct routes project_routes, setting_routes, project_usage_routes, policy_routes, mock_number_routes, oauth2_setting_routes, organization_routes,
    console_routes, platform_routes, key_routes, dev_key_routes, owned_key_routes, looks_routes, hook_routes, project_mail_routes;

static const struct routes *const routes[] = {
	&project_routes,
	&setting_routes,
	&project_usage_routes,
	&policy_routes,
	&mock_number_routes,
	&oauth2_setting_routes,
	&organization_routes,
	&console_routes,
	&platform_routes,
	&key_routes,
	&dev_key_routes,
	&owned_key_routes,
	&looks_routes,
	&hook_routes,
	&project_mail_routes,
	NULL,
};

extern const struct shape stage_shape, stage_list_shape, platform_web_shape, platform_apple_shape, platform_android_shape, platform_windows_shape, platform_linux_shape, platform_kind_shape;
extern const struct shape policy_shape, policy_dictionary_shape, policy_history_shape, policy_strength_shape, policy_personal_shape, policy_alert_shape,
    policy_duration_shape, policy_invalidation_shape, policy_sessions_shape, policy_users_shape, policy_privacy_shape, policy_factors_shape, oauth2_provider_shape, console_variables_shape, console_scope_shape, console_parameter_shape,
    console_provider_shape;

#define FIELDS(provider, ...) extern const struct shape oauth2_##provider##_shape;
#define PAIR FIELDS
#include "tbl/provider_fields.h"
#undef FIELDS
#define FIELDS(provider, ...) &oauth2_##provider##_shape,

static const struct shape *const shapes[] = {&project_shape, &platform_shape, &key_shape, &ephemeral_key_shape, &key_jwt_shape, &dev_key_shape, &platform_web_shape, &platform_apple_shape, &platform_android_shape, &platform_windows_shape, &platform_linux_shape,
	&platform_kind_shape, &webhook_shape, &domain_shape, &mock_number_shape, &project_method_shape,
	&project_service_shape, &project_protocol_shape, &project_provider_shape, &policy_shape, &policy_dictionary_shape, &policy_history_shape,
	&policy_strength_shape, &policy_personal_shape, &policy_alert_shape, &policy_duration_shape, &policy_invalidation_shape, &policy_sessions_shape,
	&policy_users_shape, &policy_privacy_shape, &policy_factors_shape, &console_variables_shape, &console_scope_shape,
	&console_parameter_shape, &console_provider_shape, &oauth2_provider_shape, &stage_shape, &stage_list_shape,
#include "tbl/provider_fields.h"
	NULL};
#undef PAIR
#undef FIELDS

static const struct scope scopes[] = {
	{"projects.read", "u", 0},
	{"projects.write", "u", 0},
	{"devKeys.read", "ua", 0},
	{"devKeys.write", "ua", 0},
	{"organization.keys.read", "", 0},	/* of keys of organizations alone */
	{"organization.keys.write", "", 0},
	{"project.read", "a", 34},
	{"project.write", "a", 35},
	{"keys.read", "a", 36},
	{"keys.write", "a", 37},
	{"platforms.read", "a", 38},
	{"platforms.write", "a", 39},
	{"mocks.read", "a", 40},
	{"mocks.write", "a", 41},
	{"project.policies.read", "a", 42},
	{"project.policies.write", "a", 43},
	{"project.oauth2.read", "a", 44},
	{"project.oauth2.write", "a", 45},
	{"templates.read", "a", 46},
	{"templates.write", "a", 47},
	{"webhooks.read", "a", 48},
	{"webhooks.write", "a", 49},
	{"policies.read", "", 50},
	{"policies.write", "", 51},
	/* of what has no room, or none yet: keys may have them */
	{"tokens.read", "a", 52},
	{"tokens.write", "a", 53},
	{"sites.read", "a", 56},
	{"sites.write", "a", 57},
	{"log.read", "a", 58},
	{"log.write", "a", 59},
	{"providers.read", "a", 60},
	{"providers.write", "a", 61},
	{"topics.read", "a", 62},
	{"topics.write", "a", 63},
	{"messages.read", "a", 64},
	{"messages.write", "a", 65},
	{"migrations.read", "a", 66},
	{"migrations.write", "a", 67},
	{"schedules.read", "a", 68},
	{"schedules.write", "a", 69},
	{"vcs.read", "a", 70},
	{"vcs.write", "a", 71},
	{"insights.read", "a", 72},
	{"insights.write", "a", 73},
	{"reports.read", "a", 74},
	{"reports.write", "a", 75},
	{"stages.read", "a", 76},
	{"stages.write", "a", 77},
	{"subscribers.read", "ua", 78},
	{"subscribers.write", "ua", 79},
	{"targets.read", "ua", 80},
	{"targets.write", "ua", 81},
	{"rules.read", "ua", 84},
	{"rules.write", "a", 85},
	{"embeddings.write", "gua", 86},
	{"assistant.read", "u", 87},
	{0},
};

#define ROOM_EVENTS "svc/projects/events.h"
#include "model/room_events.h"

static const struct older older[] = {
	{FORMAT_15, "usageProject", "executions", "functions"},
	{0},
};

static err_t
projects_drop_deleted(struct ctx *cx, const struct job *job)
{
	(void)job;
	return project_sweep(cx);
}

static err_t
projects_make_spares(struct ctx *cx, const struct job *job)
{
	(void)job;
	return spare_fill(cx);
}

static const struct job_kind jobs[] = {
	{"spare", projects_make_spares, 4, 1, JOB_MINUTES(10), 1, "Makes data spaces in advance, so that creating a project is quick."},
	{"sweep", projects_drop_deleted, 8, 1, JOB_MINUTES(30), 1, "Drops the data spaces of deleted projects."},
	{0},
};
static const struct job_task tasks[] = {
	{"project-spares", 60 * 1000, spare_fill},		/* after an upgrade the old ones are of no use */
	{"project-sweep", 10 * 60 * 1000, project_sweep},	/* those whose job was lost with a Redis */
	{0},
};

static const char *const mails[] = {"smtpTest", NULL};

/* As the paths were in the version that brought them. */
static const struct path_alias aliases[] = {
	{"PATCH", "/v1/project/services/:/status", "/v1/project/services/:", NULL, .later = true},
	{"PATCH", "/v1/project/protocols/:/status", "/v1/project/protocols/:", NULL, .later = true},
	{0},
};

const struct service projects_service = {
	.name = "projects",
	.routes = routes,
	.aliases = aliases,
	.shapes = shapes,
	.events = events,
	.scopes = scopes,
	.older = older,
	.jobs = jobs,
	.tasks = tasks,
	.mails = mails,
};
