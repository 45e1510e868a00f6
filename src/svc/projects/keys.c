/* API keys of a project: by its people in the console, by members in admin mode, and by keys that may.
 *
 * What must stay true: a key gets nobody further than they are, nor for longer: a token that ends by itself makes none. One that may write keys makes none that stays, and what it makes, changes or is shown the
 * secret of may no more than it may itself, and ends no later. One that cannot be called back makes, changes and deletes none: it would go on
 * for ever. */
#include "core/id.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/key.h"
#include "svc/projects/projects_priv.h"

enum { SCOPES_OF_KEY = 200, EPHEMERAL_MAX = 3600 };

struct key_in {
	const char *project, *id, *name;
	struct strs scopes;
	int64_t expire;
	struct opt_int duration;
};
#define KEY_SCOPES REQUIRED("scopes", P_ENUMS, struct key_in, scopes, "Allowed scopes.", .list = key_scopes, .count = SCOPES_OF_KEY, .nullable = true)
#define KEY_FIELDS                                                              \
	REQUIRED("name", P_TEXT, struct key_in, name, "Key name.", .max = 128), \
	    KEY_SCOPES, OPTIONAL("expire", P_DATETIME, struct key_in, expire, "Expiration date; null: never.")
#define KEY_NEW(must_) must_("keyId", P_CUSTOM_ID, struct key_in, id, "Key ID, or unique() for a generated one.")
#define KEY_LIFE(must_, ...) must_("duration", P_RANGE, struct key_in, duration, "Seconds until it ends.", .min = 1, .max = EPHEMERAL_MAX, __VA_ARGS__)
#define KEY_ID(st) PATH("keyId", P_UID, st, id, "Key ID.")
static const struct param key_create_params[] = {PROJECT(struct key_in), KEY_NEW(OPTIONAL), KEY_FIELDS};
static const struct param key_update_params[] = {PROJECT(struct key_in), KEY_ID(struct key_in), KEY_FIELDS};
static const struct param key_path[] = {PROJECT(struct one_in), KEY_ID(struct one_in)};
static const struct param key_jwt_params[] = {PROJECT(struct key_in), KEY_SCOPES, KEY_LIFE(OPTIONAL, .def = "900")};
static const struct param keys_of_path[] = {PROJECT(struct children_in), CHILDREN_ASKED("Queries over the keys: name, scopes, expire, accessedAt.")};
static const struct param own_create_params[] = {KEY_NEW(REQUIRED), KEY_FIELDS};
static const struct param own_update_params[] = {KEY_ID(struct key_in), KEY_FIELDS};
static const struct param own_path[] = {KEY_ID(struct one_in)};
static const struct param own_jwt_params[] = {KEY_SCOPES, KEY_LIFE(REQUIRED)};
static const struct param own_list_params[] = {CHILDREN_ASKED("Queries over the keys: name, scopes, expire, accessedAt.")};

/* ---- what a key may ---- */

static bool
scopes_within(const struct strs *asked, const struct strs *held)
{
	for (int i = 0; i < asked->n; i++) {
		bool found = false;

		for (int k = 0; k < held->n && !found; k++)
			found = strcmp(asked->v[i], held->v[k]) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* TIME_NONE: never. */
static bool
ends_later(int64_t expire, int64_t than)
{
	return than != TIME_NONE && (expire == TIME_NONE || expire > than);
}

bool
key_within(const struct api_key *k, const struct api_key *most)
{
	return !key_is_ephemeral(most) && scopes_within(&k->scopes, &most->scopes) && !ends_later(k->expire, most->expire);
}

bool
caller_is_lent(const struct req *rq)
{
	return rq->jwt || rq->impersonator != NULL;
}

err_t
caller_makes_keys(struct req *rq)
{
	return caller_is_lent(rq) ? fail(&rq->cx, ERR_KEY_CREATION_DENIED, "by a token, or in another's name") : OK;
}

/* A key with these scopes and this end, which the caller makes, changes, or makes of another. */
static err_t
check_bound(struct req *rq, const struct api_key *k)
{
	if (rq->key == NULL || key_within(k, rq->key))
		return OK;
	return fail(&rq->cx, ERR_KEY_CREATION_DENIED, "a key with more than its maker");
}

struct api_key *
key_shown(struct req *rq, const struct api_key *k)
{
	struct api_key *shown = arena_new_of(rq->cx.arena, struct api_key);

	*shown = *k;
	if (caller_is_lent(rq) || (rq->key != NULL && !key_within(k, rq->key)))
		shown->secret = "";
	return shown;
}

/* ---- requests ---- */

static err_t
projects_create_key(struct req *rq, void *arg)
{
	const struct key_in *in = arg;
	const struct api_key asked = {.id = in->id, .name = in->name, .scopes = in->scopes, .expire = in->expire};
	struct api_key *made;
	struct project *p;

	if (rq->key != NULL)
		return fail(&rq->cx, ERR_KEY_CREATION_DENIED, "by a key");
	TRY(caller_makes_keys(rq));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(key_create(&rq->cx, p, &asked, &made));
	return reply(rq, 201, &key_shape, made);
}

/* Not stored anywhere: it ends by itself, and with the key that made it. */
static err_t
projects_create_key_jwt(struct req *rq, void *arg)
{
	const struct key_in *in = arg;
	int64_t now = time_now_ms(), life = (in->duration.set ? in->duration.v : 900) * 1000;
	struct api_key made = {.id = id_unique(rq->cx.arena), .name = "", .scopes = in->scopes, .created = now, .updated = now, .expire = now + life, .accessed = TIME_NONE};
	const struct api_key *most = rq->key;
	struct project *p;

	TRY(caller_makes_keys(rq));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	if (most != NULL && ends_later(made.expire, most->expire)) {
		made.expire = most->expire;
		life = made.expire - now;
	}
	TRY(check_bound(rq, &made));
	made.secret = key_ephemeral(&rq->cx, p, &in->scopes, life);
	if (rq->cx.format < SINCE_1_9_3)
		return reply(rq, 201, &key_jwt_shape, &(struct key_jwt){p->id, made.secret, in->scopes});
	return reply(rq, 201, &ephemeral_key_shape, &made);
}

static err_t
projects_list_keys(struct req *rq, void *arg)
{
	const struct children_in *in = arg;
	struct objs list;
	struct project *p;
	int64_t total;

	TRY(project_of(rq, in->project, RIGHT_READ, &p));
	TRY(key_list(&rq->cx, p, &in->queries, &list, &total));
	for (int i = 0; i < list.n; i++) {
		struct api_key *k = list.v[i] = key_shown(rq, list.v[i]);

		if (in->project != NULL && !project_right(rq, p, RIGHT_CHANGE))
			k->secret = "";
	}
	return reply_list(rq, &key_shape, "keys", total, &list);
}

static err_t
projects_get_key(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct api_key *found;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_READ, &p));
	if ((found = key_find(in->project != NULL ? project_shown(rq, p) : p, in->id)) == NULL)
		return fail(&rq->cx, ERR_KEY_NOT_FOUND, "id=%s", in->id);
	return reply(rq, 200, &key_shape, key_shown(rq, found));
}

static err_t
projects_update_key(struct req *rq, void *arg)
{
	const struct key_in *in = arg;
	const struct api_key values = {.name = in->name, .scopes = in->scopes, .expire = in->expire};
	const struct api_key *former;
	struct api_key *now;
	struct project *p;

	TRY(caller_makes_keys(rq));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(check_bound(rq, &values));
	if (rq->key != NULL && (former = key_find(p, in->id)) != NULL)
		TRY(check_bound(rq, former));
	TRY(key_update(&rq->cx, p, in->id, &values, rq->key, &now));
	return reply(rq, 200, &key_shape, now);
}

static err_t
projects_delete_key(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	if (rq->key != NULL && key_is_ephemeral(rq->key))
		return fail(&rq->cx, ERR_KEY_CREATION_DENIED, "by a key that cannot be called back");
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(key_delete(&rq->cx, p, in->id));
	return reply_none(rq);
}

/* ---- routes ---- */

static const struct route rows[] = {
	PROJECTS("POST", "/:projectId/keys", "createKey", "write", projects_create_key, &key_shape, 201, "Create an API key.", struct key_in, key_create_params),
	LISTS("/:projectId/keys", "listKeys", projects_list_keys, &key_shape, "keys", "List API keys.", struct children_in, keys_of_path),
	PROJECTS("GET", "/:projectId/keys/:keyId", "getKey", "read", projects_get_key, &key_shape, 200, "One API key.", struct one_in, key_path),
	PROJECTS("PUT", "/:projectId/keys/:keyId", "updateKey", "write", projects_update_key, &key_shape, 200, "Change an API key.", struct key_in,
	    key_update_params),
	PROJECTS("DELETE", "/:projectId/keys/:keyId", "deleteKey", "write", projects_delete_key, NULL, 204, "Delete an API key.", struct one_in, key_path),
	{.method = "POST", .path = "/v1/projects/:projectId/jwts", .service = "projects", .name = "createJWT", .scope = "projects.write", .limit = "",
	    .handler = projects_create_key_jwt, .model = &key_jwt_shape, .or_model = &ephemeral_key_shape, .status = 201, .doc = "Make a key that ends by itself.",
	    .flags = ROUTE_CONSOLE, .since = SINCE_1_6, PARAMS(struct key_in, key_jwt_params)},

	OWN(SINCE_1_9, "POST", "/keys", "createKey", "keys.write", projects_create_key, &key_shape, 201, "Create an API key.", struct key_in, own_create_params),
	{.method = "POST", .path = "/v1/project/keys/ephemeral", .service = "project", .name = "createEphemeralKey", .scope = "keys.write", .limit = "",
	    .handler = projects_create_key_jwt, .model = &ephemeral_key_shape, .or_model = &key_jwt_shape, .status = 201, .doc = "Make a key that ends by itself.",
	    .since = SINCE_1_9, PARAMS(struct key_in, own_jwt_params)},
	OWN_LIST(SINCE_1_9, "/keys", "listKeys", "keys.read", projects_list_keys, &key_shape, "keys", "List API keys.", struct children_in, own_list_params),
	OWN(SINCE_1_9, "GET", "/keys/:keyId", "getKey", "keys.read", projects_get_key, &key_shape, 200, "One API key.", struct one_in, own_path),
	OWN(SINCE_1_9, "PUT", "/keys/:keyId", "updateKey", "keys.write", projects_update_key, &key_shape, 200, "Change an API key.", struct key_in,
	    own_update_params),
	OWN(SINCE_1_9, "DELETE", "/keys/:keyId", "deleteKey", "keys.write", projects_delete_key, NULL, 204, "Delete an API key.", struct one_in, own_path),
};
const struct routes key_routes = ROUTES(rows);
