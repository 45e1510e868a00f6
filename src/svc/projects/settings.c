/* Settings of a project that are switches, its labels, its team, and the project as its own members and keys see it. */
#include "core/protocol.h"
#include "gate/caller.h"
#include "model/project_write.h"
#include "svc/projects/projects_priv.h"

/* NULL-terminated copies of what the model counts, for parameters. */
static const char *const service_ids[] = {
#define FIXED(room)
#define SERVICE(room, label) #room,
#define FAMILY(name, label, since) #name,
#include "tbl/services.h"
#undef FIXED
	NULL};
static const char *const method_paths[] = {
#define AUTH(path, key, label, words, since) path,
#include "tbl/sign_in.h"
	NULL};
static const char *const protocol_ids[] = {"rest", "graphql", "websocket", NULL};
static const char *const protocol_words[] = {"rest", "graphql", "realtime", "websocket", NULL};	/* of clients before 1.9.1, and today's */

struct switch_in {
	const char *project, *name;
	int on;
};

static err_t
projects_update_service(struct req *rq, void *arg)
{
	const struct switch_in *in = arg;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_switch(&rq->cx, p, &ev_project_service_update, "services", in->name, in->name, in->on == 1, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_update_protocol(struct req *rq, void *arg)
{
	const struct switch_in *in = arg;
	const char *name = strcmp(in->name, "realtime") == 0 ? "websocket" : in->name;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_switch(&rq->cx, p, &ev_project_protocol_update, "protocols", name, name, in->on == 1, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_update_method(struct req *rq, void *arg)
{
	const struct switch_in *in = arg;
	const char *key = NULL;
	struct project *p;

	for (int i = 0; i < PROJECT_AUTHS; i++)
		if (strcmp(method_paths[i], in->name) == 0)
			key = project_auth_keys[i];
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_switch(&rq->cx, p, &ev_project_method_update, "auths", key, in->name, in->on == 1, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_update_services(struct req *rq, void *arg)
{
	const struct switch_in *in = arg;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_switch_all(&rq->cx, p, "services", project_service_names, PROJECT_SERVICES, in->on == 1, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_update_protocols(struct req *rq, void *arg)
{
	const struct switch_in *in = arg;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_switch_all(&rq->cx, p, "protocols", project_protocol_names, PROJECT_PROTOCOLS, in->on == 1, &p));
	return project_reply(rq, 200, p);
}

/* ---- labels, team ---- */

struct labels_in {
	const char *project, *team;
	struct strs labels;
};

static err_t
projects_update_labels(struct req *rq, void *arg)
{
	const struct labels_in *in = arg;
	struct project *p;

	for (int i = 0; i < in->labels.n; i++)
		if (!role_label_ok(str_c(in->labels.v[i])))
			return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid labels: a label has 1 to 36 letters and digits.");
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_set(&rq->cx, p,
	    &(struct project_setting){.event = &ev_project_labels_update, .n = 1, .v = (const char *const[]){pg_array(rq->cx.arena, in->labels.v, in->labels.n)},
		.set = "labels = ARRAY(SELECT l FROM unnest($3::text[]) WITH ORDINALITY AS t (l, n) GROUP BY l ORDER BY min(n))"}, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_update_team(struct req *rq, void *arg)
{
	const struct labels_in *in = arg;
	const struct project there = {.team_id = in->team};
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_DELETE, &p));
	if (!project_right(rq, &there, RIGHT_READ))
		return fail(&rq->cx, ERR_TEAM_NOT_FOUND, "not a member: %s", in->team);
	if (!project_right(rq, &there, RIGHT_CHANGE))
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "team=%s", in->team);
	TRY(project_move(&rq->cx, p, in->team, &p));
	return project_reply(rq, 200, p);
}

/* ---- the project itself ---- */

static err_t
projects_get_own(struct req *rq, void *arg)
{
	struct project *p;

	(void)arg;
	TRY(project_of(rq, NULL, RIGHT_READ, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_delete_own(struct req *rq, void *arg)
{
	struct project *p;

	(void)arg;
	TRY(project_of(rq, NULL, RIGHT_DELETE, &p));
	TRY(project_delete(&rq->cx, p, caller_id(rq), false));
	return reply_none(rq);
}

/* ---- rows ---- */

#define ON REQUIRED("enabled", P_BOOL, struct switch_in, on, "On or off.")
static const struct param own_service_params[] = {PATH("serviceId", P_ENUM, struct switch_in, name, "Service.", .list = service_ids), ON};
static const struct param own_protocol_params[] = {PATH("protocolId", P_ENUM, struct switch_in, name, "Protocol.", .list = protocol_ids), ON};
static const struct param own_method_params[] = {PATH("methodId", P_ENUM, struct switch_in, name, "Sign-in method.", .list = method_paths), ON};
static const struct param own_labels_params[] = {REQUIRED("labels", P_TEXTS, struct labels_in, labels, "Labels of letters and digits; they replace the former ones.",
    .count = 1000, .max = 36)};

#define STATUS(later_since_) \
	REQUIRED("status", P_BOOL, struct switch_in, on, "On or off.", .later = "enabled", .later_since = later_since_)
static const struct param service_params[] = {PROJECT(struct switch_in),
	REQUIRED("service", P_ENUM, struct switch_in, name, "Service.", .list = service_ids, .later = "serviceId", .later_since = SINCE_1_9_1), STATUS(SINCE_1_9_1)};
static const struct param protocol_params[] = {PROJECT(struct switch_in),
	REQUIRED("api", P_ENUM, struct switch_in, name, "Protocol.", .list = protocol_words, .later = "protocolId", .later_since = SINCE_1_9_1), STATUS(SINCE_1_9_1)};
static const struct param all_params[] = {PROJECT(struct switch_in), REQUIRED("status", P_BOOL, struct switch_in, on, "On or off.")};
static const struct param method_params[] = {PROJECT(struct switch_in),
	{.name = "method", .type = P_ENUM, .off = offsetof(struct switch_in, name), .required = true, .doc = "Sign-in method.", .path = "method", .list = method_paths},
	OPTIONAL("status", P_BOOL_LOOSE, struct switch_in, on, "On or off.", .def = "false", .later = "enabled", .later_since = SINCE_1_9_2)};
static const struct param labels_params[] = {PROJECT(struct labels_in),
	REQUIRED("labels", P_TEXTS, struct labels_in, labels, "Labels of letters and digits; they replace the former ones.", .count = 1000, .max = 36)};
static const struct param team_params[] = {PROJECT(struct labels_in), REQUIRED("teamId", P_UID, struct labels_in, team, "Team that it is to belong to.")};

static const struct route setting_rows[] = {
	{.method = "GET", .path = "/v1/project", .service = "project", .name = "get", .scope = "project.read", .limit = "", .handler = projects_get_own,
	    .model = &project_shape, .status = 200, .doc = "The project itself.", .since = SINCE_1_9_1},
	{.method = "DELETE", .path = "/v1/project", .service = "project", .name = "delete", .scope = "project.write", .limit = "", .handler = projects_delete_own,
	    .status = 204, .doc = "Delete the project with everything in it.", .since = SINCE_1_9_1},
	OWN(SINCE_1_9_1, "PATCH", "/services/:serviceId", "updateService", "project.write", projects_update_service, &project_shape, 200,
	    "Switch a service on or off.", struct switch_in, own_service_params),
	OWN(SINCE_1_9_1, "PATCH", "/protocols/:protocolId", "updateProtocol", "project.write", projects_update_protocol, &project_shape, 200,
	    "Switch a protocol on or off.", struct switch_in, own_protocol_params),
	OWN(SINCE_1_9_2, "PATCH", "/auth-methods/:methodId", "updateAuthMethod", "project.write", projects_update_method, &project_shape, 200,
	    "Switch a sign-in method on or off.", struct switch_in, own_method_params),
	OWN(SINCE_1_9, "PUT", "/labels", "updateLabels", "project.write", projects_update_labels, &project_shape, 200, "Set the project's labels.", struct labels_in,
	    own_labels_params),

	PROJECTS("PATCH", "/:projectId/service", "updateServiceStatus", "write", projects_update_service, &project_shape, 200, "Switch a service on or off.",
	    struct switch_in, service_params),
	PROJECTS_SINCE(SINCE_1_4, "PATCH", "/:projectId/service/all", "updateServiceStatusAll", projects_update_services, "Switch all services on or off.",
	    struct switch_in, all_params),
	PROJECTS_SINCE(SINCE_1_5, "PATCH", "/:projectId/api", "updateAPIStatus", projects_update_protocol, "Switch a protocol on or off.", struct switch_in,
	    protocol_params),
	PROJECTS_SINCE(SINCE_1_5, "PATCH", "/:projectId/api/all", "updateAPIStatusAll", projects_update_protocols, "Switch all protocols on or off.",
	    struct switch_in, all_params),
	PROJECTS("PATCH", "/:projectId/auth/:method", "updateAuthStatus", "write", projects_update_method, &project_shape, 200, "Switch a sign-in method on or off.",
	    struct switch_in, method_params),
	PROJECTS_SINCE(SINCE_1_9, "PUT", "/:projectId/labels", "updateLabels", projects_update_labels, "Set the project's labels.", struct labels_in, labels_params),
	PROJECTS_SINCE(SINCE_1_4, "PATCH", "/:projectId/team", "updateTeam", projects_update_team, "Move the project to another team.", struct labels_in,
	    team_params),
};
const struct routes setting_routes = ROUTES(setting_rows);
