/* The projects of one team, which clients of today call an organization: it is named by a header, and they are managed by its members in the console. */
#include "core/protocol.h"
#include "core/vtime.h"
#include "gate/caller.h"
#include "svc/projects/projects_priv.h"

struct organization_in {
	const char *id, *name, *region;
};

/* The team that the request names, if the caller is in it. */
static err_t
organization_of(struct req *rq, const char **out)
{
	struct str id = rq->http->hdr[HDR_X_ORGANIZATION];

	*out = str_dup(rq->cx.arena, id);
	if (id.n == 0 || !project_right(rq, &(struct project){.team_id = *out}, RIGHT_READ))
		return fail(&rq->cx, ERR_TEAM_NOT_FOUND, "organization=%.*s", STR_FMT(id));
	return OK;
}

/* A project of it. */
static err_t
organization_project(struct req *rq, const char *id, enum right right, struct project **out)
{
	const char *team;

	TRY(organization_of(rq, &team));
	TRY(project_for(rq, id, right, out));
	return str_ieq(str_c((*out)->team_id), str_c(team)) ? OK : fail(&rq->cx, ERR_PROJECT_NOT_FOUND, "project=%s is of another team", id);
}

static err_t
projects_list_organization(struct req *rq, void *arg)
{
	const char *team;

	TRY(organization_of(rq, &team));
	team = str_lower(rq->cx.arena, str_c(team)).p;
	return project_reply_list(rq, pg_array(rq->cx.arena, &team, 1), arg);
}

static err_t
projects_create_organization(struct req *rq, void *arg)
{
	const struct organization_in *in = arg;
	struct project_in made = {.id = in->id, .name = in->name};

	TRY(organization_of(rq, &made.team_id));
	return project_make(rq, &made, in->region);
}

static err_t
projects_get_organization(struct req *rq, void *arg)
{
	const struct organization_in *in = arg;
	struct project *p;

	TRY(organization_project(rq, in->id, RIGHT_READ, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_update_organization(struct req *rq, void *arg)
{
	const struct organization_in *in = arg;
	const char *const v[] = {in->name};
	struct project *p;

	TRY(organization_project(rq, in->id, RIGHT_CHANGE, &p));
	TRY(project_set(&rq->cx, p,
	    &(struct project_setting){.event = &ev_project_update, .set = "name = $3, search = p.id || ' ' || $3", .n = 1, .v = v}, &p));
	return project_reply(rq, 200, p);
}

static err_t
projects_delete_organization(struct req *rq, void *arg)
{
	const struct organization_in *in = arg;
	struct project *p;

	TRY(organization_project(rq, in->id, RIGHT_DELETE, &p));
	TRY(project_delete(&rq->cx, p, caller_id(rq), false));
	return reply_none(rq);
}

#define ORGANIZATION_PROJECT PATH("projectId", P_UID, struct organization_in, id, "Project ID.")
#define ORGANIZATION_NAME REQUIRED("name", P_TEXT, struct organization_in, name, "Project name.", .max = 128)
static const struct param organization_list_params[] = {PROJECTS_ASKED};
static const struct param organization_create_params[] = {
	REQUIRED("projectId", P_CUSTOM_ID, struct organization_in, id, "Project ID, or unique() for a generated one."), ORGANIZATION_NAME,
	OPTIONAL("region", P_TEXT, struct organization_in, region, "Where its data are: there is one place, default.", .max = 64)};
static const struct param organization_path[] = {ORGANIZATION_PROJECT};
static const struct param organization_update_params[] = {ORGANIZATION_PROJECT, ORGANIZATION_NAME};

#define ORGANIZATION(method_, tail, name_, scope_, handler_, status_, doc_, st, rows_, ...)                                                             \
	{                                                                                                                                               \
		.method = method_, .path = "/v1/organization/projects" tail, .service = "organization", .name = name_, .scope = "projects." scope_,     \
		.limit = "", .handler = handler_, .status = status_, .doc = doc_, .flags = ROUTE_CONSOLE | ROUTE_KEYS, .since = SINCE_1_9_5, PARAMS(st, rows_),      \
		__VA_ARGS__                                                                                                                             \
	}
static const struct route organization_rows[] = {
	ORGANIZATION("GET", "", "listProjects", "read", projects_list_organization, 200, "The projects of an organization.", struct projects_asked,
	    organization_list_params, .model = &project_shape, .list = "projects"),
	ORGANIZATION("POST", "", "createProject", "write", projects_create_organization, 201, "Create a project in it.", struct organization_in,
	    organization_create_params, .model = &project_shape),
	ORGANIZATION("GET", "/:projectId", "getProject", "read", projects_get_organization, 200, "One of its projects.", struct organization_in, organization_path,
	    .model = &project_shape),
	ORGANIZATION("PATCH", "/:projectId", "updateProject", "write", projects_update_organization, 200, "Rename it.", struct organization_in,
	    organization_update_params, .model = &project_shape),
	ORGANIZATION("DELETE", "/:projectId", "deleteProject", "write", projects_delete_organization, 204, "Delete it with everything in it.",
	    struct organization_in, organization_path, .model = NULL),
};
const struct routes organization_routes = ROUTES(organization_rows);
