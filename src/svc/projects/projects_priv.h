/* Between the files of the projects service: who may do what to a project, and the rows of routes below one. */
#ifndef BADAL_SVC_PROJECTS_PROJECTS_PRIV_H
#define BADAL_SVC_PROJECTS_PROJECTS_PRIV_H

#include "gate/gate.h"
#include "svc/projects/project.h"

/* ---- who may do what: by the roles in the project's team of people of the console ---- */

enum right { RIGHT_READ, RIGHT_CHANGE, RIGHT_DELETE };
bool project_right(struct req *rq, const struct project *p, enum right right);
/* Awaits. The project, unless the caller may not know of it. Its data space may be behind: settings are not in it. */
err_t project_for(struct req *rq, const char *id, enum right right, struct project **out) MUST_CHECK;
/* Awaits. The project that a request is about: the one in its path, as above; without one (NULL) the request's own, which the scope of the route was asked for. */
err_t project_of(struct req *rq, const char *id, enum right right, struct project **out) MUST_CHECK;
/* The project as the caller may see it, keys and webhooks with it, and in the form that it reads. */
const struct project *project_shown(struct req *rq, const struct project *p);
err_t project_reply(struct req *rq, int status, const struct project *p) MUST_CHECK;

/* ---- parameters and rows ---- */

#define PROJECT(st) PATH("projectId", P_UID, st, project, "Project ID.")
struct one_in {
	const char *project, *id;
};

#define PROJECTS(method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows)                                           \
	{                                                                                                                           \
		.method = method_, .path = "/v1/projects" tail, .service = "projects", .name = name_, .scope = "projects." scope_,  \
		.limit = "", .handler = handler_, .model = model_, .status = status_, .doc = doc_, .flags = ROUTE_CONSOLE,          \
		PARAMS(st, rows)                                                                                                    \
	}
/* The same for later paths. */
#define PROJECTS_SINCE(since_, method_, tail, name_, handler_, doc_, st, rows)                                                      \
	{                                                                                                                           \
		.method = method_, .path = "/v1/projects" tail, .service = "projects", .name = name_, .scope = "projects.write",    \
		.limit = "", .handler = handler_, .model = &project_shape, .status = 200, .doc = doc_, .flags = ROUTE_CONSOLE,      \
		.since = since_, PARAMS(st, rows)                                                                                   \
	}
/* A row below /v1/project, for members of its team in admin mode and for keys. */
#define OWN(since_, method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows)                                         \
	{                                                                                                                           \
		.method = method_, .path = "/v1/project" tail, .service = "project", .name = name_, .scope = scope_,                \
		.limit = "", .handler = handler_, .model = model_, .status = status_, .doc = doc_, .since = since_, PARAMS(st, rows) \
	}
#define OWN_LIST(since_, tail, name_, scope_, handler_, model_, list_, doc_, st, rows)                                               \
	{                                                                                                                           \
		.method = "GET", .path = "/v1/project" tail, .service = "project", .name = name_, .scope = scope_,                  \
		.limit = "", .handler = handler_, .model = model_, .list = list_, .status = 200, .doc = doc_, .since = since_,      \
		PARAMS(st, rows)                                                                                                    \
	}
#define LISTS(tail, name_, handler_, model_, list_, doc_, st, rows)                                                                 \
	{                                                                                                                           \
		.method = "GET", .path = "/v1/projects" tail, .service = "projects", .name = name_, .scope = "projects.read",       \
		.limit = "", .handler = handler_, .model = model_, .list = list_, .status = 200, .doc = doc_,                       \
		.flags = ROUTE_CONSOLE, PARAMS(st, rows)                                                                            \
	}

#endif
