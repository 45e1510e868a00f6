/* The presences service: what requests say. Users say it of themselves, keys and admins of anybody. */
#include "core/protocol.h"
#include "core/vtime.h"
#include "gate/caller.h"
#include "model/usage.h"
#include "svc/presences/presence.h"

enum { LIFE_MS = 15 * 60 * 1000 };

static const char *const verbs[] = {"read", "update", "delete", "write", NULL};

struct presence_args {
	const char *id, *user, *status, *range;
	struct strs permissions, queries;
	int64_t expires;
	json_t *metadata;
	int purge;
	struct opt_int ttl;
};
#define PRESENCE_PATH(type_) PATH("presenceId", type_, struct presence_args, id, "Presence ID.")
#define PRESENCE_MEMBERS                                                                                                            \
	OPTIONAL("permissions", P_PERMISSIONS, struct presence_args, permissions, "Who may see it; the user alone if nothing is said.", .list = verbs), \
	    OPTIONAL("expiresAt", P_DATETIME, struct presence_args, expires, "When it ends by itself; in the future.")
#define PRESENCE_USER OPTIONAL("userId", P_UID, struct presence_args, user, "User that it is of; for servers.")

static const struct param put_params[] = {
	PRESENCE_PATH(P_CUSTOM_ID),
	PRESENCE_USER,
	REQUIRED("status", P_TEXT, struct presence_args, status, "What the user says of themselves.", .max = 255),
	PRESENCE_MEMBERS,
	OPTIONAL("metadata", P_ASSOC, struct presence_args, metadata, "What the client keeps with it.", .def = "[]"),
};
static const struct param patch_params[] = {
	PRESENCE_PATH(P_UID),
	PRESENCE_USER,
	OPTIONAL("status", P_TEXT, struct presence_args, status, "What the user says of themselves.", .max = 255),
	OPTIONAL("metadata", P_ASSOC, struct presence_args, metadata, "What the client keeps with it."),
	PRESENCE_MEMBERS,
	OPTIONAL("purge", P_BOOL_LOOSE, struct presence_args, purge, "Of no effect: lists are always read anew.", .def = "false"),
};
static const struct param get_params[] = {PRESENCE_PATH(P_UID)};
static const struct param list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct presence_args, queries, "Queries over userId, expiresAt, status and source.", .def = "[]"),
	LIST_TOTAL,
	OPTIONAL("ttl", P_RANGE, struct presence_args, ttl, "Seconds that the list may be old; it is always read anew.", .def = "0", .min = 0, .max = 86400),
};

static struct presence_who
presence_caller(const struct req *rq)
{
	const struct user *u = caller_user(rq);

	return (struct presence_who){.bypass = rq->bypass, .roles = &rq->roles, .user = u ? u->internal : 0, .actor = caller_id(rq)};
}

/* Whose presence is meant: a user's own; to servers whom they name. */
static err_t
presence_whose(struct req *rq, const struct presence_args *in, const char **out)
{
	const struct user *u = caller_user(rq);

	*out = in->user;
	if (caller_is_server(rq))
		return in->user != NULL ? OK : fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"userId\" is not optional.");
	if (u == NULL || (in->user != NULL && strcmp(in->user, u->id) != 0))
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "user=%s", in->user ? in->user : "");
	*out = u->id;
	return OK;
}

static err_t
in_future(struct req *rq, int64_t expires)
{
	if (expires == TIME_NONE || expires > time_now_ms())
		return OK;
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid expiresAt: It must be a date in the future.");
}

static err_t
presences_upsert(struct req *rq, void *arg)
{
	const struct presence_args *in = arg;
	const struct presence_who who = presence_caller(rq);
	const struct presence_in say = {.id = in->id, .status = in->status, .permissions = in->permissions, .metadata = in->metadata,
		.expires = in->expires != TIME_NONE ? in->expires : time_now_ms() + LIFE_MS};
	const char *user;
	struct presence s;

	TRY(in_future(rq, in->expires));
	TRY(presence_whose(rq, in, &user));
	TRY(presence_put(&rq->cx, rq->project, &who, user, &say, &s));
	return reply(rq, 200, &presence_shape, &s);
}

static err_t
presences_list(struct req *rq, void *arg)
{
	const struct presence_args *in = arg;
	const struct presence_who who = presence_caller(rq);
	struct query_page page;
	struct objs list = {0};

	TRY(presence_list(&rq->cx, rq->project, &who, &in->queries, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &presence_shape, page.res);
	return reply_list(rq, &presence_shape, "presences", page.total, &list);
}

static err_t
presences_get(struct req *rq, void *arg)
{
	const struct presence_args *in = arg;
	const struct presence_who who = presence_caller(rq);
	struct presence s;

	TRY(presence_get(&rq->cx, rq->project, &who, in->id, &s));
	return reply(rq, 200, &presence_shape, &s);
}

static err_t
presences_update(struct req *rq, void *arg)
{
	const struct presence_args *in = arg;
	const struct presence_who who = presence_caller(rq);
	const struct presence_in say = {.status = in->status, .permissions = in->permissions, .metadata = in->metadata, .expires = in->expires};
	struct presence s;

	TRY(in_future(rq, in->expires));
	if (in->user != NULL && !caller_is_server(rq))
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "user=%s", in->user);
	TRY(presence_change(&rq->cx, rq->project, &who, in->id, in->user, &say, &s));
	return reply(rq, 200, &presence_shape, &s);
}

static err_t
presences_delete(struct req *rq, void *arg)
{
	const struct presence_args *in = arg;
	const struct presence_who who = presence_caller(rq);

	TRY(presence_delete(&rq->cx, rq->project, &who, in->id));
	return reply_none(rq);
}

static const struct param presence_usage_params[] = {OPTIONAL("range", P_ENUM, struct presence_args, range, "How far back.", .def = "\"30d\"", .list = usage_ranges)};

static const struct field presence_usage_fields[] = {
	USAGE_RANGE,
	TOLD("usersOnlineTotal", F_INT, "Users who are there."),
	USAGE_ROW("presences", "How many there were."),
};
static const struct shape presence_usage_shape = SHAPE_TOLD("usagePresence", presence_usage_fields);

/* How many there are whom one may not see is nothing for users. */
static err_t
presences_get_usage(struct req *rq, void *arg)
{
	static const struct usage_series v[] = {
		{"usersOnlineTotal", "presences.$all.count.total", {NULL}, USAGE_NEWEST},
		{"presences", "presences.$all.count.total"},
	};
	const struct presence_args *in = arg;

	if (!rq->bypass)
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "usage");
	return reply_usage(rq, rq->project, in->range, v, sizeof v / sizeof v[0]);
}

static const struct route rows[] = {
	{"GET", "/v1/presences", "presences", "list", "presences.read", "", NULL, presences_list, &presence_shape, 200, "Who is there, of those whom the caller may see.",
	    PARAMS(struct presence_args, list_params), .list = "presences", .since = SINCE_1_9_5},
	{"GET", "/v1/presences/usage", "presences", "getUsage", "presences.read", "", NULL, presences_get_usage, &presence_usage_shape, 200,
	    "How many were there; for keys and admins.", PARAMS(struct presence_args, presence_usage_params), .since = SINCE_1_9_5},
	{"GET", "/v1/presences/:presenceId", "presences", "get", "presences.read", "", NULL, presences_get, &presence_shape, 200, "One presence.",
	    PARAMS(struct presence_args, get_params), .since = SINCE_1_9_5},
	{"PUT", "/v1/presences/:presenceId", "presences", "upsert", "presences.write", "", NULL, presences_upsert, &presence_shape, 200,
	    "Say that a user is there; whoever is there already keeps the presence that they have.", PARAMS(struct presence_args, put_params), .since = SINCE_1_9_5},
	{"PATCH", "/v1/presences/:presenceId", "presences", "update", "presences.write", "", NULL, presences_update, &presence_shape, 200, "Change a presence.",
	    PARAMS(struct presence_args, patch_params), .since = SINCE_1_9_5},
	{"DELETE", "/v1/presences/:presenceId", "presences", "delete", "presences.write", "", NULL, presences_delete, NULL, 204, "End a presence.",
	    PARAMS(struct presence_args, get_params), .since = SINCE_1_9_5},
};
const struct routes presence_routes = ROUTES(rows);
