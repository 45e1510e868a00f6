/* The account service: what the caller's account is linked with: identities at OAuth2 providers, and the push tokens of its devices. */
#include "account_priv.h"
#include "core/loop.h"
#include "core/protocol.h"
#include "gate/caller.h"
#include "model/agent.h"
#include "svc/users/linked.h"
#include "svc/users/target.h"

/* ---- identities ---- */

struct identities_in {
	struct strs queries;
	const char *id;
};
static const struct param list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct identities_in, queries, "Queries over userId, provider, providerUid, providerEmail and providerAccessTokenExpiry.", .def = "[]"),
	LIST_TOTAL,
};
static const struct param identity_params[] = {PATH("identityId", P_UID, struct identities_in, id, "Identity ID.")};

static err_t
account_list_identities(struct req *rq, void *arg)
{
	const struct identities_in *in = arg;
	struct project *home;
	struct query_page page;
	struct objs list = {0};

	TRY(account_home(rq, &home));
	TRY(linked_list(&rq->cx, home, rq->login->user, &in->queries, NULL, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &linked_shape, page.res);
	return reply_list(rq, &linked_shape, "identities", page.total, &list);
}

static err_t
account_delete_identity(struct req *rq, void *arg)
{
	const struct identities_in *in = arg;
	struct project *home;

	TRY(account_home(rq, &home));
	TRY(linked_delete(&rq->cx, home, rq->login->user, in->id, rq->login->user->id));
	return reply_none(rq);
}

/* ---- push tokens ---- */

struct target_in_path {
	const char *id, *identifier, *provider;
};
static const struct param create_params[] = {
	REQUIRED("targetId", P_CUSTOM_ID, struct target_in_path, id, "Target ID, or unique() for a generated one."),
	REQUIRED("identifier", P_TEXT, struct target_in_path, identifier, "Push token of the device.", .max = 255),
	OPTIONAL("providerId", P_UID, struct target_in_path, provider, "Provider that sends there; one that there is none of is none.", .def = "\"\""),
};
#define TARGET_PATH PATH("targetId", P_UID, struct target_in_path, id, "Target ID.")
static const struct param update_params[] = {
	TARGET_PATH,
	REQUIRED("identifier", P_TEXT, struct target_in_path, identifier, "Push token of the device.", .max = 255),
};
static const struct param target_params[] = {TARGET_PATH};

/* "Apple iPhone" */
static const char *
device_name(struct req *rq)
{
	struct agent g = agent_of(&rq->cx, str_c(rq->user_agent), loop_now() + AGENT_PATIENCE_MS);
	const char *text = arena_printf(rq->cx.arena, "%s %s", g.device_brand ? g.device_brand : "", g.device_model ? g.device_model : "");

	return str_dup(rq->cx.arena, str_trim(str_c(text)));
}

/* Who calls for somebody of the request's project: a key calls for nobody. */
static err_t
target_owner(struct req *rq, struct project **home_out)
{
	if (rq->login == NULL)
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "nobody's device");
	return account_home(rq, home_out);
}

static err_t
account_create_push_target(struct req *rq, void *arg)
{
	const struct target_in_path *in = arg;
	const struct session *s = rq->login ? rq->login->session : NULL;
	const struct target_in target = {.id = in->id, .type = "push", .identifier = in->identifier, .name = device_name(rq), .session = s ? s->id : NULL};
	struct project *home;
	struct target *t;

	TRY(target_owner(rq, &home));
	TRY(target_create(&rq->cx, home, rq->login->user, NULL, &target, &t));
	return reply(rq, 201, &target_shape, t);
}

static err_t
account_update_push_target(struct req *rq, void *arg)
{
	const struct target_in_path *in = arg;
	const char *name = device_name(rq);
	struct project *home;
	struct target *t;

	TRY(target_owner(rq, &home));
	TRY(target_get(&rq->cx, home, rq->login->user, in->id, "push", &t));
	TRY(target_update(&rq->cx, home, rq->login->user, NULL, t, in->identifier, name, &t));
	return reply(rq, 200, &target_shape, t);
}

static err_t
account_delete_push_target(struct req *rq, void *arg)
{
	const struct target_in_path *in = arg;
	struct project *home;
	struct target *t;

	TRY(target_owner(rq, &home));
	TRY(target_get(&rq->cx, home, rq->login->user, in->id, "push", &t));
	TRY(target_delete(&rq->cx, home, rq->login->user, NULL, t));
	return reply_none(rq);
}

#define ROW(method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows_, ...)                                              \
	{.method = method_, .path = "/v1/account" tail, .service = "account", .name = name_, .scope = scope_, .limit = "", .handler = handler_, \
	    .model = model_, .status = status_, .doc = doc_, PARAMS(st, rows_), __VA_ARGS__}

static const struct route rows[] = {
	ROW("GET", "/identities", "listIdentities", "account", account_list_identities, &linked_shape, 200, "Who the caller is at providers.", struct identities_in, list_params,
	    .list = "identities", .usage = "users.read", .since = SINCE_1_4),
	ROW("DELETE", "/identities/:identityId", "deleteIdentity", "account", account_delete_identity, NULL, 204, "Unlink the account from a provider.", struct identities_in,
	    identity_params, .audit = "identity.delete identity/{identityId}", .usage = "users.update", .since = SINCE_1_4),
	ROW("POST", "/targets/push", "createPushTarget", "targets.write", account_create_push_target, &target_shape, 201, "Let this device be reached, as long as the session lasts.",
	    struct target_in_path, create_params, .audit = "target.create user/{user}", .usage = "users.update", .since = SINCE_1_5),
	ROW("PUT", "/targets/:targetId/push", "updatePushTarget", "targets.write", account_update_push_target, &target_shape, 200, "Give this device another push token.",
	    struct target_in_path, update_params, .audit = "target.update user/{user}", .usage = "users.update", .since = SINCE_1_5),
	ROW("DELETE", "/targets/:targetId/push", "deletePushTarget", "targets.write", account_delete_push_target, NULL, 204, "Let this device be reached no more.",
	    struct target_in_path, target_params, .audit = "target.delete user/{user}", .usage = "users.update", .since = SINCE_1_5),
};
const struct routes account_link_routes = ROUTES(rows);
