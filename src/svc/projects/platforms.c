/* Platforms of a project: whose pages and apps may call it. */
#include "svc/projects/projects_priv.h"

struct platform_in {
	const char *project, *id;
	struct platform in;
};
#define PLATFORM_FIELDS                                                                                             \
	REQUIRED("name", P_TEXT, struct platform_in, in.name, "Platform name.", .max = 128),                        \
	    OPTIONAL("key", P_TEXT, struct platform_in, in.key, "Package name or bundle ID.", .max = 256),          \
	    OPTIONAL("store", P_TEXT, struct platform_in, in.store, "App store ID.", .max = 256),                   \
	    OPTIONAL("hostname", P_HOSTNAME, struct platform_in, in.hostname, "Host name of a web app.")
#define PLATFORM_ID(st) PATH("platformId", P_UID, st, id, "Platform ID.")
static const struct param platform_create_params[] = {
	PROJECT(struct platform_in),
	REQUIRED("type", P_ENUM, struct platform_in, in.type, "Platform type.", .list = platform_types),
	PLATFORM_FIELDS,
};
static const struct param platform_update_params[] = {PROJECT(struct platform_in), PLATFORM_ID(struct platform_in), PLATFORM_FIELDS};
static const struct param platforms_of_path[] = {PROJECT(struct one_in)};
static const struct param platform_path[] = {PROJECT(struct one_in), PLATFORM_ID(struct one_in)};

static err_t
projects_create_platform(struct req *rq, void *arg)
{
	const struct platform_in *in = arg;
	struct platform *made;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(platform_create(&rq->cx, p, &in->in, &made));
	return reply(rq, 201, &platform_shape, made);
}

static err_t
projects_list_platforms(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	return reply_list(rq, &platform_shape, "platforms", p->platforms.n, &p->platforms);
}

static err_t
projects_get_platform(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct platform *found;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	if ((found = platform_find(p, in->id)) == NULL)
		return fail(&rq->cx, ERR_PLATFORM_NOT_FOUND, "id=%s", in->id);
	return reply(rq, 200, &platform_shape, found);
}

static err_t
projects_update_platform(struct req *rq, void *arg)
{
	const struct platform_in *in = arg;
	struct platform *now;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(platform_update(&rq->cx, p, in->id, &in->in, &now));
	return reply(rq, 200, &platform_shape, now);
}

static err_t
projects_delete_platform(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(platform_delete(&rq->cx, p, in->id));
	return reply_none(rq);
}

/* ---- routes ---- */

static const struct route rows[] = {
	PROJECTS("POST", "/:projectId/platforms", "createPlatform", "write", projects_create_platform, &platform_shape, 201, "Add a platform.",
	    struct platform_in, platform_create_params),
	LISTS("/:projectId/platforms", "listPlatforms", projects_list_platforms, &platform_shape, "platforms", "List platforms.", struct one_in,
	    platforms_of_path),
	PROJECTS("GET", "/:projectId/platforms/:platformId", "getPlatform", "read", projects_get_platform, &platform_shape, 200, "One platform.", struct one_in,
	    platform_path),
	PROJECTS("PUT", "/:projectId/platforms/:platformId", "updatePlatform", "write", projects_update_platform, &platform_shape, 200, "Change a platform.",
	    struct platform_in, platform_update_params),
	PROJECTS("DELETE", "/:projectId/platforms/:platformId", "deletePlatform", "write", projects_delete_platform, NULL, 204, "Remove a platform.",
	    struct one_in, platform_path),
};
const struct routes platform_routes = ROUTES(rows);
