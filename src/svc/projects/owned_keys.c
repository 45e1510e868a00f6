/* Keys of the console: of a team, which clients of today call an organization, and of a user's account. Owners of the team and the user make them.
 *
 * What must stay true: a key is made, changed and deleted by people alone, signed in and in their own name, and may no more than who made it. One of a team
 * counts while its maker is an owner there, which is looked at whenever it is used (model/key.c); one of an account opens nothing that decides who signs in (ROUTE_KEYS). */
#include "core/id.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "gate/caller.h"
#include "model/key.h"
#include "model/record.h"
#include "model/roles.h"
#include "svc/projects/projects_priv.h"
#include "svc/teams/team.h"

enum { OWNED_SECRET_BYTES = 128, OWNED_MAX = 100 };

/* The last ones are of what this server does not have: they may be given, and open nothing. */
const char *const organization_key_scopes[] = {"projects.read", "projects.write", "devKeys.read", "devKeys.write", "organization.read", "organization.write",
	"organization.keys.read", "organization.keys.write", "organization.memberships.read", "organization.memberships.write", "organization.installations.read",
	"organization.installations.write", "domains.read", "domains.write", "keys.read", "keys.write", NULL};
const char *const account_key_scopes[] = {"account", "teams.read", "teams.write", NULL};

#define OWNED(name, shape_) \
	static const struct record name = {.shape = shape_, .table = "badal." #name, .alias = "c", .entity = "Key", .page = OWNED_MAX, \
		.missing = ERR_KEY_NOT_FOUND, .taken = ERR_KEY_ALREADY_EXISTS}
OWNED(organization_keys, &organization_key_shape);
OWNED(account_keys, &account_key_shape);

/* ---- whose they are ---- */

struct key_owner {
	const struct record *record;
	const char *where, *id;		/* `where`: those of this owner, $1 */
	int64_t internal, user;		/* of the owner, and of who asks */
	int64_t epoch;			/* of who asks */
	const struct event_info *created, *updated, *deleted;
	const char *prefix;
	const struct project *console;
};

/* Awaits. Who is in the team knows of it; its keys are its owners'. */
static err_t
owner_team(struct req *rq, struct key_owner *o)
{
	const struct user *u = rq->login != NULL ? rq->login->user : NULL;
	struct str id = rq->http->hdr[HDR_X_ORGANIZATION];
	struct team *t;

	if (!id_valid(id))
		return fail(&rq->cx, ERR_TEAM_NOT_FOUND, "no organization is named");
	TRY(team_get(&rq->cx, rq->project, str_dup(rq->cx.arena, id), &t));
	if (!roles_in_team(rq->cx.arena, &rq->roles, t->id, NULL))
		return fail(&rq->cx, ERR_TEAM_NOT_FOUND, "not a member: %s", t->id);
	if (!roles_in_team(rq->cx.arena, &rq->roles, t->id, "owner"))
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "not an owner: %s", t->id);
	*o = (struct key_owner){&organization_keys, "@.team_internal = $1::bigint", t->id, t->internal, u != NULL ? u->internal : 0, u != NULL ? u->epoch : 0,
	    &ev_organization_key_create, &ev_organization_key_update, &ev_organization_key_delete, KEY_ORGANIZATION_PREFIX, rq->project};
	return OK;
}

static err_t
key_owner_of(struct req *rq, struct key_owner *o)
{
	const struct user *u = caller_user(rq);

	if (strcmp(rq->route->service, "account") != 0)
		return owner_team(rq, o);
	if (u == NULL)
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "no user of the console");
	*o = (struct key_owner){&account_keys, "@.user_internal = $1::bigint", u->id, u->internal, u->internal, u->epoch, &ev_account_key_create, &ev_account_key_update,
	    &ev_account_key_delete, KEY_ACCOUNT_PREFIX, rq->project};
	return OK;
}

/* The same of a request that changes one. */
static err_t
owner_writes(struct req *rq, struct key_owner *o)
{
	if (rq->key != NULL)
		return fail(&rq->cx, ERR_KEY_CREATION_DENIED, "by a key");
	TRY(caller_makes_keys(rq));
	return key_owner_of(rq, o);
}

/* Awaits. Whoever asked still may, and does until the end, in an account that is still theirs (users.epoch): locked in the order that memberships have (svc/teams/team.c). */
static err_t
hold_owner(struct db_tx *tx, const struct key_owner *o, int64_t *membership_out)
{
	struct ctx *cx = tx_ctx(tx);
	const char *user = pg_i64(cx->arena, o->user), *team = pg_i64(cx->arena, o->internal);
	struct db_res *r;

	*membership_out = 0;
	TRY(tx_query(tx, &r, "SELECT 1 FROM p_0.users WHERE internal = $1::bigint AND status AND epoch = $2::bigint FOR NO KEY UPDATE", DB(user, pg_i64(cx->arena, o->epoch))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_UNAUTHORIZED, "gone, blocked, or changed meanwhile");
	if (o->record == &account_keys)
		return OK;
	tx_add(tx, "SELECT 1 FROM p_0.teams WHERE internal = $1::bigint FOR NO KEY UPDATE", DB(team));
	TRY(tx_query(tx, &r, "SELECT internal FROM p_0.memberships WHERE team_internal = $1::bigint AND user_internal = $2::bigint AND confirm AND 'owner' = ANY (roles)",
	    DB(team, user)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_UNAUTHORIZED, "not an owner any more: %s", o->id);
	*membership_out = db_i64(r, 0, 0);
	return OK;
}

/* ---- rows ---- */

static struct rows
rows_of(struct ctx *cx, const struct key_owner *o, const char *id)
{
	bool person = o->record == &account_keys;

	return (struct rows){person ? "@.user_internal = $1::bigint AND lower(@.id) = lower($2)" : "@.team_internal = $1::bigint AND lower(@.id) = lower($2)", 2,
	    {pg_i64(cx->arena, o->internal), id}};
}

static void
tell_key(struct db_tx *tx, const struct key_owner *o, const struct event_info *kind, const char *id)
{
	event_emit(tx, &(struct event){.kind = kind, .project = o->console->id, .ids = {o->id, id}, .actor = tx_ctx(tx)->user});
}

static err_t
owned_add_tx(struct db_tx *tx, const struct key_owner *o, struct owned_key *k)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(hold_owner(tx, o, &k->membership));
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT count(*) FROM %s WHERE %s_internal = $1::bigint", o->record->table, o->record == &account_keys ? "user" : "team"),
	    DB(pg_i64(cx->arena, o->internal))));
	if (db_i64(r, 0, 0) >= OWNED_MAX)
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "There are %d keys already.", OWNED_MAX);
	TRY(record_insert(tx, o->console, o->record, k));
	tell_key(tx, o, o->created, k->k.id);
	return OK;
}

static err_t
owned_set_tx(struct db_tx *tx, const struct key_owner *o, const char *id, const struct owned_key *values, struct owned_key *out)
{
	int64_t membership;

	TRY(hold_owner(tx, o, &membership));
	if (values != NULL)
		TRY(record_set(tx, o->console, o->record, rows_of(tx_ctx(tx), o, id), "name scopes expire", values, out));
	else
		TRY(record_delete(tx, o->console, o->record, rows_of(tx_ctx(tx), o, id), out));
	tell_key(tx, o, values != NULL ? o->updated : o->deleted, out->k.id);
	return OK;
}

/* ---- requests ---- */

struct owned_in {
	const char *id, *name;
	struct strs scopes, queries;
	int64_t expire;
};

static err_t
projects_create_owned_key(struct req *rq, void *arg)
{
	const struct owned_in *in = arg;
	struct owned_key k = {.k = {.id = in->id, .name = in->name, .scopes = in->scopes, .expire = in->expire, .accessed = TIME_NONE}};
	struct key_owner o;

	TRY(owner_writes(rq, &o));
	k.team = o.internal;	/* the table of accounts has no such column */
	k.user = o.user;
	k.k.secret = arena_printf(rq->cx.arena, "%s%s", o.prefix, secret_hex(rq->cx.arena, OWNED_SECRET_BYTES));
	k.k.secret_hash = sha256_hex(rq->cx.arena, str_c(k.k.secret));
	record_init(&rq->cx, o.record, &k);
	TRY(TX_RUN(&rq->cx, tx, owned_add_tx(tx, &o, &k)));
	return reply(rq, 201, &key_shape, &k.k);
}

static err_t
projects_list_owned_keys(struct req *rq, void *arg)
{
	const struct owned_in *in = arg;
	struct query_page page;
	struct objs list = {0};
	struct key_owner o;

	TRY(key_owner_of(rq, &o));
	TRY(record_list(&rq->cx, o.console, o.record, (struct rows){o.where, 1, {pg_i64(rq->cx.arena, o.internal)}}, &in->queries, NULL, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, o.record->shape, page.res);
	for (int i = 0; i < list.n; i++)
		list.v[i] = key_shown(rq, list.v[i]);
	return reply_list(rq, &key_shape, "keys", page.total, &list);
}

static err_t
projects_get_owned_key(struct req *rq, void *arg)
{
	const struct owned_in *in = arg;
	struct owned_key k = {0};
	struct key_owner o;

	TRY(key_owner_of(rq, &o));
	TRY(record_get(&rq->cx, o.console, o.record, rows_of(&rq->cx, &o, in->id), &k));
	return reply(rq, 200, &key_shape, key_shown(rq, &k.k));
}

static err_t
projects_update_owned_key(struct req *rq, void *arg)
{
	const struct owned_in *in = arg;
	const struct owned_key values = {.k = {.name = in->name, .scopes = in->scopes, .expire = in->expire}};
	struct owned_key k = {0};
	struct key_owner o;

	TRY(owner_writes(rq, &o));
	TRY(TX_RUN(&rq->cx, tx, owned_set_tx(tx, &o, in->id, &values, &k)));
	return reply(rq, 200, &key_shape, &k.k);
}

static err_t
projects_delete_owned_key(struct req *rq, void *arg)
{
	const struct owned_in *in = arg;
	struct owned_key k = {0};
	struct key_owner o;

	TRY(owner_writes(rq, &o));
	TRY(TX_RUN(&rq->cx, tx, owned_set_tx(tx, &o, in->id, NULL, &k)));
	return reply_none(rq);
}

/* ---- routes ---- */

#define OWNED_ID PATH("keyId", P_UID, struct owned_in, id, "Key ID.")
#define OWNED_NEW REQUIRED("keyId", P_CUSTOM_ID, struct owned_in, id, "Key ID, or unique() for a generated one.")
#define OWNED_FIELDS(list_)                                                                                                                             \
	REQUIRED("name", P_TEXT, struct owned_in, name, "Key name.", .max = 128),                                                                       \
	    REQUIRED("scopes", P_ENUMS, struct owned_in, scopes, "Allowed scopes.", .list = list_),                                                     \
	    OPTIONAL("expire", P_DATETIME, struct owned_in, expire, "Expiration date; null: never.")
static const struct param organization_key_params[] = {OWNED_NEW, OWNED_FIELDS(organization_key_scopes)};
static const struct param organization_key_update_params[] = {OWNED_ID, OWNED_FIELDS(organization_key_scopes)};
static const struct param account_key_params[] = {OWNED_FIELDS(account_key_scopes)};
static const struct param account_key_update_params[] = {OWNED_ID, OWNED_FIELDS(account_key_scopes)};
static const struct param owned_path[] = {OWNED_ID};
static const struct param owned_list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct owned_in, queries, "Queries over the keys: name, scopes, expire, accessedAt.", .def = "[]"), LIST_TOTAL};

#define OWNED_KEYS(method_, base, tail, service_, name_, scope_, handler_, status_, doc_, rows_, ...)                                                   \
	{                                                                                                                                               \
		.method = method_, .path = "/v1/" base "/keys" tail, .service = service_, .name = name_, .scope = scope_, .limit = "",                  \
		.handler = handler_, .status = status_, .doc = doc_, .flags = ROUTE_CONSOLE | ROUTE_KEYS, .since = SINCE_1_9_5,                         \
		PARAMS(struct owned_in, rows_), __VA_ARGS__                                                                                             \
	}
#define KEYS_OF(base, service_, reads, writes, of_, create_, update_, whose_) \
	OWNED_KEYS("POST", base, "", service_, "createKey", writes, projects_create_owned_key, 201, "Make a key of " of_ ".", create_, \
		.model = &key_shape, .audit = "key.create " whose_), \
	    OWNED_KEYS("GET", base, "", service_, "listKeys", reads, projects_list_owned_keys, 200, "Keys of " of_ ".", owned_list_params,              \
		.model = &key_shape, .list = "keys"),                                                                                                   \
	    OWNED_KEYS("GET", base, "/:keyId", service_, "getKey", reads, projects_get_owned_key, 200, "One of them.", owned_path, .model = &key_shape), \
	    OWNED_KEYS("PUT", base, "/:keyId", service_, "updateKey", writes, projects_update_owned_key, 200, "Change it.", update_, \
		.model = &key_shape, .audit = "key.update " whose_), \
	    OWNED_KEYS("DELETE", base, "/:keyId", service_, "deleteKey", writes, projects_delete_owned_key, 204, "Delete it.", owned_path, \
		.model = NULL, .audit = "key.delete " whose_)
static const struct route owned_rows[] = {
	KEYS_OF("organization", "organization", "teams.read|organization.keys.read", "teams.write|organization.keys.write", "the organization",
	    organization_key_params, organization_key_update_params, "team/{organization}"),
	KEYS_OF("account", "account", "account", "account", "the caller's account", account_key_params, account_key_update_params, "user/{user}"),
};
const struct routes owned_key_routes = ROUTES(owned_rows);
