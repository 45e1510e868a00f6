/* The users service: where users can be reached. There is no messaging service: providers are nobody's, and none is known. */
#include "core/protocol.h"
#include "gate/caller.h"
#include "svc/users/target.h"

struct targets_in {
	const char *user, *id, *type, *identifier, *provider, *name;
	struct strs queries;
};
#define USER_PATH PATH("userId", P_UID, struct targets_in, user, "User ID.")
#define TARGET_PATH USER_PATH, PATH("targetId", P_UID, struct targets_in, id, "Target ID.")
#define TARGET_PROVIDER OPTIONAL("providerId", P_UID, struct targets_in, provider, "Provider that sends there.", .def = "\"\"")
#define TARGET_NAME OPTIONAL("name", P_TEXT, struct targets_in, name, "Name of the target.", .def = "\"\"", .max = 128)

static const struct param list_params[] = {
	USER_PATH,
	OPTIONAL("queries", P_QUERIES, struct targets_in, queries, "Queries over userId, providerId, identifier and providerType.", .def = "[]"),
	LIST_TOTAL,
};
static const struct param create_params[] = {
	USER_PATH,
	REQUIRED("targetId", P_CUSTOM_ID, struct targets_in, id, "Target ID, or unique() for a generated one."),
	REQUIRED("providerType", P_ENUM, struct targets_in, type, "Kind of the target.", .list = target_types),
	REQUIRED("identifier", P_TEXT, struct targets_in, identifier, "E-mail address, phone number or push token.", .max = 255),
	TARGET_PROVIDER, TARGET_NAME,
};
static const struct param update_params[] = {
	TARGET_PATH,
	OPTIONAL("identifier", P_TEXT, struct targets_in, identifier, "E-mail address, phone number or push token.", .def = "\"\"", .max = 255),
	TARGET_PROVIDER, TARGET_NAME,
};
static const struct param path_params[] = {TARGET_PATH};

static err_t
users_list_targets(struct req *rq, void *arg)
{
	const struct targets_in *in = arg;
	struct query_page page;
	struct objs list = {0};
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->user, &u));
	TRY(target_list(&rq->cx, rq->project, u, &in->queries, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &target_shape, page.res);
	return reply_list(rq, &target_shape, "targets", page.total, &list);
}

/* Awaits. That of the path, and whose it is. */
static err_t
target_named(struct req *rq, const struct targets_in *in, struct user **user_out, struct target **out)
{
	TRY(user_by_id(&rq->cx, rq->project, in->user, user_out));
	return target_get(&rq->cx, rq->project, *user_out, in->id, NULL, out);
}

static err_t
users_get_target(struct req *rq, void *arg)
{
	const struct targets_in *in = arg;
	struct target *t;
	struct user *u;

	TRY(target_named(rq, in, &u, &t));
	return reply(rq, 200, &target_shape, t);
}

/* A provider that is not there is no error here; the contract has it so. */
static err_t
users_create_target(struct req *rq, void *arg)
{
	const struct targets_in *in = arg;
	const struct user_by by = {caller_id(rq)};
	struct target *t;
	struct user *u;

	TRY(user_by_id(&rq->cx, rq->project, in->user, &u));
	TRY(target_create(&rq->cx, rq->project, u, &by, &(struct target_in){.id = in->id, .type = in->type, .identifier = in->identifier, .name = in->name}, &t));
	return reply(rq, 201, &target_shape, t);
}

static err_t
users_update_target(struct req *rq, void *arg)
{
	const struct targets_in *in = arg;
	const struct user_by by = {caller_id(rq)};
	struct target *t;
	struct user *u;

	TRY(target_named(rq, in, &u, &t));
	if (in->provider != NULL && in->provider[0] != '\0')
		return fail(&rq->cx, ERR_PROVIDER_NOT_FOUND, "provider=%s", in->provider);
	TRY(target_update(&rq->cx, rq->project, u, &by, t, in->identifier, in->name, &t));
	return reply(rq, 200, &target_shape, t);
}

static err_t
users_delete_target(struct req *rq, void *arg)
{
	const struct targets_in *in = arg;
	const struct user_by by = {caller_id(rq)};
	struct target *t;
	struct user *u;

	TRY(target_named(rq, in, &u, &t));
	TRY(target_delete(&rq->cx, rq->project, u, &by, t));
	return reply_none(rq);
}

#define ROW(method_, tail, name_, scope_, handler_, model_, status_, doc_, rows_, ...)                                                             \
	{.method = method_, .path = "/v1/users/:userId/targets" tail, .service = "users", .name = name_, .scope = scope_, .limit = "", .handler = handler_, \
	    .model = model_, .status = status_, .doc = doc_, PARAMS(struct targets_in, rows_), .since = SINCE_1_5, __VA_ARGS__}

static const struct route rows[] = {
	ROW("GET", "", "listTargets", "users.read", users_list_targets, &target_shape, 200, "Where a user can be reached.", list_params, .list = "targets", .usage = "users.read"),
	ROW("POST", "", "createTarget", "users.write", users_create_target, &target_shape, 201, "Add a target.", create_params,
	    .audit = "target.create user/{userId}/target/{targetId}", .usage = "users.update"),
	ROW("GET", "/:targetId", "getTarget", "users.read", users_get_target, &target_shape, 200, "One target of a user.", path_params, .usage = "users.read"),
	ROW("PATCH", "/:targetId", "updateTarget", "users.write", users_update_target, &target_shape, 200, "Change a target.", update_params,
	    .audit = "target.update user/{userId}/target/{targetId}", .usage = "users.update"),
	ROW("DELETE", "/:targetId", "deleteTarget", "users.write", users_delete_target, NULL, 204, "Delete a target.", path_params,
	    .audit = "target.delete user/{userId}/target/{targetId}", .usage = "users.update"),
};
const struct routes user_target_routes = ROUTES(rows);
