/* Targets: statements of their own for those that accounts have of their own accord, a record for the others. */
#include "svc/users/target.h"

#include "core/id.h"
#include "core/vtime.h"
#include "model/format.h"
#include "model/roles.h"

const char *const target_types[] = {"email", "sms", "push", NULL};

static void
target_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct target *t = obj;

	ev->ids[0] = t->user_id;
	ev->ids[1] = t->id;
	ev->roles = roles_one(cx->arena, "user", t->user_id);
	ev->user = t->user_id;
	ev->stale[0] = user_stale_key(cx, p->id, t->user_id);
}

static const struct record targets = {
	.shape = &target_shape,
	.table = ":schema.targets",
	.alias = "g",
	.entity = "Target",
	.missing = ERR_USER_TARGET_NOT_FOUND,
	.taken = ERR_USER_TARGET_ALREADY_EXISTS,
	.concerns = target_concerns,
};

/* ---- those of the account ---- */

#define PUT_COLUMNS "(id, user_internal, user_id, provider_type, identifier, created, updated)"

/* One each, where the address is one. */
static const char *
target_put_sql(struct ctx *cx, const struct project *p)
{
	return arena_printf(cx->arena,
	    "INSERT INTO %s.targets AS g " PUT_COLUMNS " SELECT x.id, $1::bigint, $2, x.type, x.address, $3::timestamptz, $3::timestamptz "
	    "FROM (VALUES ($4, 'email', lower($5::text)), ($6, 'sms', $7::text)) AS x(id, type, address) WHERE x.address IS NOT NULL ON CONFLICT DO NOTHING RETURNING %s",
	    p->schema, shape_columns(&target_shape));
}

err_t
target_put_own(struct db_tx *tx, const struct project *p, struct user *u)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	u->targets = (struct objs){0};
	if (u->email == NULL && u->phone == NULL)
		return OK;
	TRY(tx_query(tx, &r, target_put_sql(cx, p), DB(pg_i64(cx->arena, u->internal), u->id, pg_time(cx->arena, time_now_ms()), id_unique(cx->arena), u->email,
	    id_unique(cx->arena), u->phone)));
	u->targets = shape_rows(cx, &target_shape, r);
	return OK;
}

void
target_renew(struct db_tx *tx, const struct project *p, const struct user *u)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.targets WHERE user_internal = $1::bigint", p->schema), DB(pg_i64(cx->arena, u->internal)));
	tx_add(tx, target_put_sql(cx, p), DB(pg_i64(cx->arena, u->internal), u->id, pg_time(cx->arena, time_now_ms()), id_unique(cx->arena), u->email,
	    id_unique(cx->arena), u->phone));
}

/* One that somebody made for the new address gives way to the one that the account had. */
void
target_move(struct db_tx *tx, const struct project *p, const struct user *u, const char *type, const char *was, const char *is)
{
	struct ctx *cx = tx_ctx(tx);
	const char *user = pg_i64(cx->arena, u->internal);

	if (was != NULL && is != NULL && strcmp(was, is) == 0)
		return;
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.targets WHERE user_internal = $1::bigint AND provider_type = $3 AND identifier = $2", p->schema),
	    DB(user, is ? is : was, type));
	if (is == NULL)
		return;
	tx_add(tx,
	    arena_printf(cx->arena,
		"WITH moved AS (UPDATE %s.targets SET identifier = $4, expired = false, updated = $5::timestamptz WHERE user_internal = $1::bigint AND provider_type = $3::text "
		"AND identifier = $6::text RETURNING 1) "
		"INSERT INTO %s.targets " PUT_COLUMNS " SELECT $7, $1::bigint, $2, $3::text, $4, $5::timestamptz, $5::timestamptz WHERE NOT EXISTS (SELECT 1 FROM moved)",
		p->schema, p->schema),
	    DB(user, u->id, type, is, pg_time(cx->arena, time_now_ms()), was, id_unique(cx->arena)));
}

void
target_pass_on(struct db_tx *tx, const struct project *p, const struct user *u, const char *from, const char *to)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx,
	    arena_printf(cx->arena,
		"UPDATE %s.targets g SET session_internal = n.internal FROM %s.sessions o, %s.sessions n WHERE g.session_internal = o.internal "
		"AND o.user_internal = $1::bigint AND n.user_internal = $1::bigint AND o.id = $2 AND n.id = $3",
		p->schema, p->schema, p->schema),
	    DB(pg_i64(cx->arena, u->internal), from, to));
}

/* ---- those that are made ---- */

static err_t
check_identifier(struct ctx *cx, const char *type, const char *identifier)
{
	if (strcmp(type, "email") == 0 && !format_email(str_c(identifier)))
		return fail(cx, ERR_GENERAL_INVALID_EMAIL, "target %s", identifier);
	if (strcmp(type, "sms") == 0 && !(format_phone(str_c(identifier)) && format_calling_code(str_c(identifier))))
		return fail(cx, ERR_GENERAL_INVALID_PHONE, "target %s", identifier);
	return OK;
}

static const char *
identifier_text(struct ctx *cx, const char *type, const char *identifier)
{
	return strcmp(type, "email") == 0 ? str_lower(cx->arena, str_c(identifier)).p : identifier;
}

/* The session may not end meanwhile: it stays locked until the target is there, which ends with it. */
static err_t
tie_to_session(struct db_tx *tx, const struct project *p, const struct target *t, const char *session)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT s.internal FROM %s.sessions s WHERE lower(s.id) = lower($1) AND s.user_internal = $2::bigint FOR KEY SHARE", p->schema),
	    DB(session, pg_i64(cx->arena, t->user_internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_SESSION_NOT_FOUND, "session=%s", session);
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.targets SET session_internal = $2::bigint WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, t->internal), db_cstr(r, 0, 0)));
	return OK;
}

static err_t
target_insert(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by, struct target *t, const char *session)
{
	struct ctx *cx = tx_ctx(tx);
	struct user now;
	struct db_res *r;

	TRY(user_lock_by(tx, p, by, u, &now));
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT count(*) FROM %s.targets WHERE user_internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, u->internal))));
	if (db_i64(r, 0, 0) >= TARGETS_SHOWN)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "The user has as many targets as there can be.");
	TRY(record_insert(tx, p, &targets, t));
	if (session != NULL)
		TRY(tie_to_session(tx, p, t, session));
	record_emit(tx, p, &targets, &ev_target_create, by ? by->actor : u->id, t);
	return OK;
}

err_t
target_create(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct target_in *in, struct target **out)
{
	struct target *t = arena_new_of(cx->arena, struct target);

	TRY(check_identifier(cx, in->type, in->identifier));
	t->id = in->id;
	t->user_internal = u->internal;
	t->user_id = u->id;
	t->provider_type = in->type;
	t->identifier = identifier_text(cx, in->type, in->identifier);
	t->name = in->name ? in->name : "";
	record_init(cx, &targets, t);
	*out = t;
	return TX_RUN(cx, tx, target_insert(tx, p, u, by, t, in->session));
}

static struct rows
own_target(struct ctx *cx, const struct user *u, const char *id)
{
	return (struct rows){"lower(@.id) = lower($1) AND @.user_internal = $2::bigint", 2, {id, pg_i64(cx->arena, u->internal)}};
}

err_t
target_get(struct ctx *cx, const struct project *p, const struct user *u, const char *id, const char *type, struct target **out)
{
	struct target *t = *out = arena_new_of(cx->arena, struct target);

	TRY(record_get(cx, p, &targets, own_target(cx, u, id), t));
	return type == NULL || strcmp(type, t->provider_type) == 0 ? OK : fail(cx, ERR_USER_TARGET_NOT_FOUND, "%s is of type %s", id, t->provider_type);
}

static err_t
target_set(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by, const char *set, const struct target *n, struct target *now)
{
	struct ctx *cx = tx_ctx(tx);
	err_t e = record_set(tx, p, &targets, own_target(cx, u, n->id), set, n, now);

	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_USER_TARGET_ALREADY_EXISTS, "identifier=%s", n->identifier);
	TRY(e);
	record_emit(tx, p, &targets, &ev_target_update, by ? by->actor : u->id, now);
	return OK;
}

err_t
target_update(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct target *t, const char *identifier,
    const char *name, struct target **out)
{
	struct target n = *t;
	bool other = identifier != NULL && identifier[0] != '\0', named = name != NULL && name[0] != '\0';

	if (other) {
		TRY(check_identifier(cx, t->provider_type, identifier));
		n.identifier = identifier_text(cx, t->provider_type, identifier);
		n.expired = false;
	}
	if (named)
		n.name = name;
	*out = arena_new_of(cx->arena, struct target);
	return TX_RUN(cx, tx, target_set(tx, p, u, by, other ? named ? "identifier expired name" : "identifier expired" : "name", &n, *out));
}

static err_t
target_remove(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by, const char *id)
{
	struct target gone;

	TRY(record_delete(tx, p, &targets, own_target(tx_ctx(tx), u, id), &gone));
	record_emit(tx, p, &targets, &ev_target_delete, by ? by->actor : u->id, &gone);
	return OK;
}

err_t
target_delete(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct target *t)
{
	return TX_RUN(cx, tx, target_remove(tx, p, u, by, t->id));
}

err_t
target_list(struct ctx *cx, const struct project *p, const struct user *u, const struct strs *queries, struct query_page *out)
{
	return record_list(cx, p, &targets, (struct rows){"@.user_internal = $1::bigint", 1, {pg_i64(cx->arena, u->internal)}}, queries, NULL, out);
}
