/* Between the files of the projects service: who may do what to a project, and the rows of routes below one. */
#ifndef BADAL_SVC_PROJECTS_PROJECTS_PRIV_H
#define BADAL_SVC_PROJECTS_PROJECTS_PRIV_H

#include "gate/gate.h"
#include "model/record.h"
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

/* Awaits. A project of a team that the caller may give one. */
err_t project_make(struct req *rq, const struct project_in *in, const char *region) MUST_CHECK;
/* Awaits. The projects of these teams, a literal of their ids in lower case. */
struct projects_asked {
	struct strs queries;
	const char *search;
};
#define PROJECTS_ASKED                                                                                                                                   \
	OPTIONAL("queries", P_QUERIES, struct projects_asked, queries, "Queries over name, teamId, labels, search and accessedAt.", .def = "[]"),        \
	    OPTIONAL("search", P_TEXT, struct projects_asked, search, "Words to look for.", .def = "\"\"", .max = 256),                                  \
	    LIST_TOTAL
err_t project_reply_list(struct req *rq, const char *teams, const struct projects_asked *in) MUST_CHECK;

/* ---- keys (keys.c) ---- */

/* Who comes by a token that ends by itself, or in another's name, makes no key and is shown the secret of none: it would outlast that. */
bool caller_is_lent(const struct req *rq);
err_t caller_makes_keys(struct req *rq) MUST_CHECK;
/* The one may no more than the other, and ends no later. */
bool key_within(const struct api_key *k, const struct api_key *most);
/* The key as the caller may see it: one without its secret, to a key that it is not within. */
struct api_key *key_shown(struct req *rq, const struct api_key *k);
extern const char *const organization_key_scopes[], *const account_key_scopes[];	/* NULL at the end */

/* ---- what belongs to a project ---- */

/* Each begins with its id. NULL: none. */
void *project_child_find(const struct objs *list, const char *id);
/* Awaits. Id, unless there is one, and times are made here; `siblings` are those there are. */
err_t project_child_add(struct ctx *cx, const struct project *p, const struct record *rec, void *child) MUST_CHECK;
/* Awaits. The columns `set` from `values`; *out is the row as it is then. */
err_t project_child_change(struct ctx *cx, const struct project *p, const struct record *rec, const char *id, const char *set, const void *values,
    void **out) MUST_CHECK;
err_t project_child_delete(struct ctx *cx, const struct project *p, const struct record *rec, const char *id) MUST_CHECK;
/* Awaits when there are queries. Without them `all`, in an array of its own. */
err_t project_child_list(struct ctx *cx, const struct project *p, const struct record *rec, const struct objs *all, const struct strs *queries,
    struct objs *out, int64_t *total_out) MUST_CHECK;
struct rows project_child_rows(struct ctx *cx, const struct project *p, const char *id);

/* ---- parameters and rows ---- */

#define PROJECT(st) PATH("projectId", P_UID, st, project, "Project ID.")
struct one_in {
	const char *project, *id;
};
struct children_in {
	const char *project;
	struct strs queries;
};
#define CHILDREN_ASKED(doc_)                                                                                                        \
	OPTIONAL("queries", P_QUERIES, struct children_in, queries, doc_),                                                           \
	    LIST_TOTAL

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
#define OWN(since_, method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows, ...)                                    \
	{                                                                                                                           \
		.method = method_, .path = "/v1/project" tail, .service = "project", .name = name_, .scope = scope_,                \
		.limit = "", .handler = handler_, .model = model_, .status = status_, .doc = doc_, .since = since_, PARAMS(st, rows), \
		__VA_ARGS__                                                                                                         \
	}
#define OWN_LIST(since_, tail, name_, scope_, handler_, model_, list_, doc_, st, rows, ...)                                          \
	{                                                                                                                           \
		.method = "GET", .path = "/v1/project" tail, .service = "project", .name = name_, .scope = scope_,                  \
		.limit = "", .handler = handler_, .model = model_, .list = list_, .status = 200, .doc = doc_, .since = since_,      \
		PARAMS(st, rows), __VA_ARGS__                                                                                       \
	}
#define LISTS(tail, name_, handler_, model_, list_, doc_, st, rows)                                                                 \
	{                                                                                                                           \
		.method = "GET", .path = "/v1/projects" tail, .service = "projects", .name = name_, .scope = "projects.read",       \
		.limit = "", .handler = handler_, .model = model_, .list = list_, .status = 200, .doc = doc_,                       \
		.flags = ROUTE_CONSOLE, PARAMS(st, rows)                                                                            \
	}

#endif
