/* Keys of developers: no rate limits and any origin, for whoever builds an app, and no right that a guest has not. They end, and soon: a forgotten one leaves a
 * project open to whoever guesses passwords. */
#include "core/protocol.h"
#include "core/vtime.h"
#include "svc/projects/projects_priv.h"

static const int64_t LIFE_MAX = INT64_C(366) * 24 * 3600 * 1000;	/* ms */

struct dev_key_in {
	const char *project, *id, *name;
	int64_t expire;
};
#define DEV_KEY_FIELDS                                                                       \
	REQUIRED("name", P_TEXT, struct dev_key_in, name, "Key name.", .max = 128),          \
	    REQUIRED("expire", P_DATETIME, struct dev_key_in, expire, "When it ends, within a year.")
#define DEV_KEY_ID(st) PATH("keyId", P_UID, st, id, "Key ID.")
static const struct param dev_key_create_params[] = {PROJECT(struct dev_key_in), DEV_KEY_FIELDS};
static const struct param dev_key_update_params[] = {PROJECT(struct dev_key_in), DEV_KEY_ID(struct dev_key_in), DEV_KEY_FIELDS};
static const struct param dev_key_path[] = {PROJECT(struct one_in), DEV_KEY_ID(struct one_in)};
static const struct param dev_keys_of_path[] = {PROJECT(struct children_in), CHILDREN_ASKED("Queries over the keys: name, expire, accessedAt.")};

/* Secrets are for those who may make keys. */
static bool
shows_secrets(struct req *rq, const struct project *p)
{
	bool may = rq->caller != CALLER_ORGANIZATION;

	for (int i = 0; !may && i < rq->key->scopes.n; i++)
		may = strcmp(rq->key->scopes.v[i], "devKeys.write") == 0;
	return may && !caller_is_lent(rq) && project_right(rq, p, RIGHT_CHANGE);
}

static err_t
check_end(struct req *rq, int64_t expire)
{
	if (expire <= time_now_ms() + LIFE_MAX)
		return OK;
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid expire: A key of a developer ends within a year.");
}

static err_t
reply_dev_key(struct req *rq, int status, const struct project *p, const struct api_key *k)
{
	struct api_key shown = *k;

	if (!shows_secrets(rq, p))
		shown.secret = "";
	return reply(rq, status, &dev_key_shape, &shown);
}

static err_t
projects_create_dev_key(struct req *rq, void *arg)
{
	const struct dev_key_in *in = arg;
	struct api_key *made;
	struct project *p;

	TRY(caller_makes_keys(rq));
	TRY(check_end(rq, in->expire));
	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(dev_key_create(&rq->cx, p, &(struct api_key){.name = in->name, .expire = in->expire}, &made));
	return reply_dev_key(rq, 201, p, made);
}

static err_t
projects_list_dev_keys(struct req *rq, void *arg)
{
	const struct children_in *in = arg;
	struct objs list;
	struct project *p;
	int64_t total;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	TRY(dev_key_list(&rq->cx, p, &in->queries, &list, &total));
	for (int i = 0; i < list.n && !shows_secrets(rq, p); i++) {
		struct api_key *shown = arena_new_of(rq->cx.arena, struct api_key);

		*shown = *(const struct api_key *)list.v[i];
		shown->secret = "";
		list.v[i] = shown;
	}
	return reply_list(rq, &dev_key_shape, "devKeys", total, &list);
}

static err_t
projects_get_dev_key(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct api_key *found;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	if ((found = dev_key_find(p, in->id)) == NULL)
		return fail(&rq->cx, ERR_KEY_NOT_FOUND, "id=%s", in->id);
	return reply_dev_key(rq, 200, p, found);
}

static err_t
projects_update_dev_key(struct req *rq, void *arg)
{
	const struct dev_key_in *in = arg;
	struct api_key *now;
	struct project *p;

	TRY(caller_makes_keys(rq));
	TRY(check_end(rq, in->expire));
	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(dev_key_update(&rq->cx, p, in->id, &(struct api_key){.name = in->name, .expire = in->expire}, &now));
	return reply_dev_key(rq, 200, p, now);
}

static err_t
projects_delete_dev_key(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(dev_key_delete(&rq->cx, p, in->id));
	return reply_none(rq);
}

/* ---- routes ---- */

#define DEV_KEYS(method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows, ...)                                      \
	{                                                                                                                           \
		.method = method_, .path = "/v1/projects/:projectId/dev-keys" tail, .service = "projects", .name = name_,            \
		.scope = "devKeys." scope_, .limit = "", .handler = handler_, .model = model_, .status = status_, .doc = doc_,      \
		.flags = ROUTE_CONSOLE | ROUTE_KEYS, .since = SINCE_1_7, PARAMS(st, rows), __VA_ARGS__                                            \
	}

static const struct route rows[] = {
	DEV_KEYS("POST", "", "createDevKey", "write", projects_create_dev_key, &dev_key_shape, 201, "Make a key of a developer.", struct dev_key_in,
	    dev_key_create_params),
	DEV_KEYS("GET", "", "listDevKeys", "read", projects_list_dev_keys, &dev_key_shape, 200, "List keys of developers.", struct children_in, dev_keys_of_path,
	    .list = "devKeys"),
	DEV_KEYS("GET", "/:keyId", "getDevKey", "read", projects_get_dev_key, &dev_key_shape, 200, "One key of a developer.", struct one_in, dev_key_path),
	DEV_KEYS("PUT", "/:keyId", "updateDevKey", "write", projects_update_dev_key, &dev_key_shape, 200, "Change a key of a developer.", struct dev_key_in,
	    dev_key_update_params),
	DEV_KEYS("DELETE", "/:keyId", "deleteDevKey", "write", projects_delete_dev_key, NULL, 204, "Delete a key of a developer.", struct one_in, dev_key_path),
};
const struct routes dev_key_routes = ROUTES(rows);
