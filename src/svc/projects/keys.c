/* API keys of a project. */
#include "svc/projects/projects_priv.h"

struct key_in {
	const char *project, *id, *name;
	struct strs scopes;
	int64_t expire;
};
#define KEY_FIELDS                                                                                       \
	REQUIRED("name", P_TEXT, struct key_in, name, "Key name.", .max = 128),                          \
	    REQUIRED("scopes", P_ENUMS, struct key_in, scopes, "Allowed scopes.", .list = key_scopes),   \
	    OPTIONAL("expire", P_DATETIME, struct key_in, expire, "Expiration date; null: never.")
#define KEY_ID(st) PATH("keyId", P_UID, st, id, "Key ID.")
static const struct param key_create_params[] = {PROJECT(struct key_in), KEY_FIELDS};
static const struct param key_update_params[] = {PROJECT(struct key_in), KEY_ID(struct key_in), KEY_FIELDS};
static const struct param keys_of_path[] = {PROJECT(struct one_in)};
static const struct param key_path[] = {PROJECT(struct one_in), KEY_ID(struct one_in)};

static err_t
projects_create_key(struct req *rq, void *arg)
{
	const struct key_in *in = arg;
	struct api_key *made;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(key_create(&rq->cx, p, in->name, &in->scopes, in->expire, &made));
	return reply(rq, 201, &key_shape, made);
}

static err_t
projects_list_keys(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	return reply_list(rq, &key_shape, "keys", p->keys.n, &project_shown(rq, p)->keys);
}

static err_t
projects_get_key(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct api_key *found;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	if ((found = key_find(project_shown(rq, p), in->id)) == NULL)
		return fail(&rq->cx, ERR_KEY_NOT_FOUND, "id=%s", in->id);
	return reply(rq, 200, &key_shape, found);
}

static err_t
projects_update_key(struct req *rq, void *arg)
{
	const struct key_in *in = arg;
	struct api_key *now;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(key_update(&rq->cx, p, in->id, in->name, &in->scopes, in->expire, &now));
	return reply(rq, 200, &key_shape, now);
}

static err_t
projects_delete_key(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(key_delete(&rq->cx, p, in->id));
	return reply_none(rq);
}

/* ---- routes ---- */

static const struct route rows[] = {
	PROJECTS("POST", "/:projectId/keys", "createKey", "write", projects_create_key, &key_shape, 201, "Create an API key.", struct key_in, key_create_params),
	LISTS("/:projectId/keys", "listKeys", projects_list_keys, &key_shape, "keys", "List API keys.", struct one_in, keys_of_path),
	PROJECTS("GET", "/:projectId/keys/:keyId", "getKey", "read", projects_get_key, &key_shape, 200, "One API key.", struct one_in, key_path),
	PROJECTS("PUT", "/:projectId/keys/:keyId", "updateKey", "write", projects_update_key, &key_shape, 200, "Change an API key.", struct key_in,
	    key_update_params),
	PROJECTS("DELETE", "/:projectId/keys/:keyId", "deleteKey", "write", projects_delete_key, NULL, 204, "Delete an API key.", struct one_in, key_path),
};
const struct routes key_routes = ROUTES(rows);
