/* The users service: who users are at OAuth2 providers. */
#include "core/protocol.h"
#include "gate/caller.h"
#include "svc/users/linked.h"

struct identities_in {
	struct strs queries;
	const char *search, *id;
};
static const struct param list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct identities_in, queries, "Queries over userId, provider, providerUid, providerEmail and providerAccessTokenExpiry.", .def = "[]"),
	OPTIONAL("search", P_TEXT, struct identities_in, search, "Words to look for.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};
static const struct param id_params[] = {PATH("identityId", P_UID, struct identities_in, id, "Identity ID.")};

static err_t
users_list_identities(struct req *rq, void *arg)
{
	const struct identities_in *in = arg;
	struct query_page page;
	struct objs list = {0};

	TRY(linked_list(&rq->cx, rq->project, NULL, &in->queries, in->search, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &linked_shape, page.res);
	return reply_list(rq, &linked_shape, "identities", page.total, &list);
}

static err_t
users_delete_identity(struct req *rq, void *arg)
{
	const struct identities_in *in = arg;

	TRY(linked_delete(&rq->cx, rq->project, NULL, in->id, caller_id(rq)));
	return reply_none(rq);
}

static const struct route rows[] = {
	{.method = "GET", .path = "/v1/users/identities", .service = "users", .name = "listIdentities", .scope = "users.read", .limit = "", .handler = users_list_identities,
	    .model = &linked_shape, .list = "identities", .status = 200, .doc = "Who the project's users are at providers.", PARAMS(struct identities_in, list_params),
	    .usage = "users.read", .since = SINCE_1_4},
	{.method = "DELETE", .path = "/v1/users/identities/:identityId", .service = "users", .name = "deleteIdentity", .scope = "users.write", .limit = "",
	    .handler = users_delete_identity, .status = 204, .doc = "Unlink a user from a provider.", PARAMS(struct identities_in, id_params),
	    .audit = "identity.delete identity/{identityId}", .usage = "users.update", .since = SINCE_1_4},
};
const struct routes user_identity_routes = ROUTES(rows);
