/* Teams and memberships. What must stay true: a team's total is the number of its confirmed memberships, and whoever gains or loses a
 * membership is told with the same commit. So whoever writes memberships first locks what they belong to, always in this order: the user,
 * then the team, then the memberships (user_delete too). */
#include "svc/teams/team.h"

#include "core/id.h"
#include "core/vtime.h"
#include "model/event.h"
#include "model/roles.h"

enum { MEMBERSHIPS_MAX = 1000 };

static const struct field team_fields[] = {
	FIELD_HIDDEN(F_INT, struct team, internal, "t.internal"),
	FIELD(F_ID, struct team, id, "$id", "t.id", "Team ID."),
	FIELD(F_TIME, struct team, created, "$createdAt", "t.created", "Team creation date in ISO 8601 format."),
	FIELD(F_TIME, struct team, updated, "$updatedAt", "t.updated", "Team update date in ISO 8601 format."),
	FIELD(F_STR, struct team, name, "name", "t.name", "Team name."),
	FIELD(F_INT, struct team, total, "total", "t.total", "Number of members who accepted."),
};
const struct shape team_shape = SHAPE("team", struct team, team_fields);

static const struct field membership_fields[] = {
	FIELD_HIDDEN(F_INT, struct membership, internal, "m.internal"),
	FIELD_HIDDEN(F_INT, struct membership, user_internal, "m.user_internal"),
	FIELD_HIDDEN(F_INT, struct membership, team_internal, "m.team_internal"),
	FIELD_HIDDEN(F_STR, struct membership, secret_hash, "m.secret_hash"),
	FIELD(F_ID, struct membership, id, "$id", "m.id", "Membership ID."),
	FIELD(F_TIME, struct membership, created, "$createdAt", "m.created", "Membership creation date in ISO 8601 format."),
	FIELD(F_TIME, struct membership, updated, "$updatedAt", "m.updated", "Membership update date in ISO 8601 format."),
	FIELD(F_ID, struct membership, user_id, "userId", "m.user_id", "User ID."),
	FIELD(F_STR, struct membership, user_name, "userName", "u.name", "User name."),
	FIELD(F_STR, struct membership, user_email, "userEmail", "u.email", "User e-mail address."),
	FIELD(F_ID, struct membership, team_id, "teamId", "m.team_id", "Team ID."),
	FIELD(F_STR, struct membership, team_name, "teamName", "t.name", "Team name."),
	FIELD(F_TIME, struct membership, invited, "invited", "m.invited", "When the user was invited, in ISO 8601 format."),
	FIELD(F_TIME_OR_NONE, struct membership, joined, "joined", "m.joined", "When the user accepted, in ISO 8601 format."),
	FIELD(F_BOOL, struct membership, confirm, "confirm", "m.confirm", "True when the invitation was accepted."),
	FIELD(F_STRS, struct membership, roles, "roles", "m.roles", "Roles in the team."),
};
const struct shape membership_shape = SHAPE("membership", struct membership, membership_fields);

static struct event
team_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const struct team *t, const char *actor)
{
	return (struct event){
		.kind = kind,
		.project = p->id,
		.ids = {t->id},
		.roles = roles_one(cx->arena, "team", t->id),
		.payload = shape_json(cx, &team_shape, t),
		.actor = actor,
	};
}

/* Every change of a membership may change what its user is allowed to see. */
static struct event
membership_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const struct membership *m, const char *actor)
{
	return (struct event){
		.kind = kind,
		.project = p->id,
		.ids = {m->team_id, m->id},
		.roles = roles_one(cx->arena, "team", m->team_id),
		.payload = shape_json(cx, &membership_shape, m),
		.flags = EVENT_ROLES,
		.user = m->user_id,
		.actor = actor,
		.stale = {user_stale_key(cx, p->id, m->user_id)},
	};
}

static const char *
two_words(struct ctx *cx, const char *a, const char *b)
{
	return arena_printf(cx->arena, "%s %s", a, b);
}

/* ---- teams ---- */

static struct membership *
membership_new(struct ctx *cx, const struct team *t, const struct user *u, const struct strs *roles, bool confirm)
{
	struct membership *m = arena_new_of(cx->arena, struct membership);

	m->id = id_unique(cx->arena);
	m->user_internal = u->internal;
	m->user_id = u->id;
	m->user_name = u->name;
	m->user_email = u->email;
	m->team_internal = t->internal;
	m->team_id = t->id;
	m->team_name = t->name;
	m->secret_hash = "";
	m->created = m->updated = m->invited = time_now_ms();
	m->joined = confirm ? m->created : TIME_NONE;
	m->confirm = confirm;
	m->roles = *roles;
	return m;
}

static err_t
membership_insert(struct db_tx *tx, const struct project *p, struct membership *m)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena,
		"INSERT INTO %s.memberships (id, user_internal, user_id, team_internal, team_id, roles, invited, joined, confirm, secret_hash, search, "
		"created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $7, $7) RETURNING internal",
		p->schema),
	    DB(m->id, pg_i64(cx->arena, m->user_internal), m->user_id, pg_i64(cx->arena, m->team_internal), m->team_id,
		pg_array(cx->arena, m->roles.v, m->roles.n), pg_time(cx->arena, m->created), pg_time(cx->arena, m->joined), pg_bool(m->confirm),
		m->secret_hash, two_words(cx, m->id, m->user_id))));
	m->internal = db_i64(r, 0, 0);
	return OK;
}

/* What a violated constraint of the table means. */
static err_t
membership_failed(struct ctx *cx, const struct membership *m, err_t e)
{
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_TEAM_INVITE_ALREADY_EXISTS, "team=%s user=%s", m->team_id, m->user_id);
	if (e != ERR_DB || strcmp(db_sqlstate(cx), "23503") != 0)
		return e;
	/* foreign key: one of them went away */
	if (strstr(db_constraint(cx), "user") != NULL)
		return fail(cx, ERR_USER_NOT_FOUND, "user=%s", m->user_id);
	return fail(cx, ERR_TEAM_NOT_FOUND, "team=%s", m->team_id);
}

/* Keeps the user, if there still is one, from being deleted. */
static void
lock_user(struct db_tx *tx, const struct project *p, int64_t internal)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.users WHERE internal = $1::bigint FOR KEY SHARE", p->schema), DB(pg_i64(cx->arena, internal)));
}

static void
lock_team(struct db_tx *tx, const struct project *p, int64_t internal)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.teams WHERE internal = $1::bigint FOR NO KEY UPDATE", p->schema),
	    DB(pg_i64(cx->arena, internal)));
}

static err_t
create(struct db_tx *tx, const struct project *p, struct team *t, const struct user *owner, const struct strs *roles)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev;
	struct db_res *r;
	err_t e;

	if (owner != NULL)
		lock_user(tx, p, owner->internal);
	e = tx_query(tx, &r,
	    arena_printf(cx->arena,
		"INSERT INTO %s.teams AS t (id, name, total, search, created, updated) VALUES ($1, $2, $3, $4, $5, $5) RETURNING t.internal",
		p->schema),
	    DB(t->id, t->name, pg_i64(cx->arena, t->total), two_words(cx, t->id, t->name), pg_time(cx->arena, t->created)));
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_TEAM_ALREADY_EXISTS, "id=%s", t->id);
	TRY(e);
	t->internal = db_i64(r, 0, 0);
	ev = team_event(cx, p, &ev_team_create, t, owner ? owner->id : NULL);
	if (owner != NULL) {
		struct membership *m = membership_new(cx, t, owner, roles, true);

		TRY(membership_failed(cx, m, membership_insert(tx, p, m)));
		ev.flags = EVENT_ROLES;
		ev.user = owner->id;
		ev.stale[0] = user_stale_key(cx, p->id, owner->id);
	}
	event_emit(tx, &ev);
	return OK;
}

err_t
team_create(struct ctx *cx, const struct project *p, const char *id, const char *name, const struct user *owner, const struct strs *roles,
    struct team **out)
{
	struct team *t = arena_new_of(cx->arena, struct team);

	t->id = id ? id : id_unique(cx->arena);
	t->name = name;
	t->total = owner ? 1 : 0;
	t->created = t->updated = time_now_ms();
	*out = t;
	return TX_RUN(cx, tx, create(tx, p, t, owner, roles));
}

err_t
team_get(struct ctx *cx, const struct project *p, const char *id, struct team **out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT %s FROM %s.teams t WHERE lower(t.id) = lower($1)", shape_columns(&team_shape), p->schema),
	    DB(id)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_TEAM_NOT_FOUND, "id=%s", id);
	*out = arena_new_of(cx->arena, struct team);
	shape_read(cx, &team_shape, *out, r, 0, 0);
	return OK;
}

err_t
team_list(struct ctx *cx, const struct project *p, const struct user *member, const struct strs *queries, const char *search,
    struct query_page *out)
{
	static const struct query_attr attrs[] = {
		{"name", "t.name", ATTR_STRING, false, true},
		{"total", "t.total", ATTR_INTEGER, false, true},
		{"$id", "t.id", ATTR_STRING, false, true},
		{"$createdAt", "t.created", ATTR_DATETIME, false, true},
		{"$updatedAt", "t.updated", ATTR_DATETIME, false, true},
	};
	struct query_list l = {.entity = "Team", .from = arena_printf(cx->arena, "%s.teams t", p->schema), .seq = "t.internal", .id = "t.id",
		.search = "t.search", .attrs = attrs, .n_attrs = (int)(sizeof attrs / sizeof *attrs)};
	const char *v[1];

	if (member != NULL) {
		v[0] = pg_i64(cx->arena, member->internal);
		l.where = arena_printf(cx->arena,
		    "t.internal IN (SELECT m.team_internal FROM %s.memberships m WHERE m.user_internal = $1::bigint AND m.confirm)", p->schema);
		l.n = 1;
		l.v = v;
	}
	return query_list(cx, &l, &team_shape, queries, search, out);
}

static err_t
rename_locked(struct db_tx *tx, const struct project *p, const struct team *t, const char *name, const char *actor, struct team *out)
{
	struct ctx *cx = tx_ctx(tx);
	const char *internal = pg_i64(cx->arena, t->internal);
	struct event ev;
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s.teams t WHERE t.internal = $1::bigint FOR NO KEY UPDATE", shape_columns(&team_shape), p->schema),
	    DB(internal)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_TEAM_NOT_FOUND, "id=%s", t->id);
	shape_read(cx, &team_shape, out, r, 0, 0);	/* the total may be another one than when the team was found */
	out->name = name;
	out->updated = time_now_ms();
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.teams SET name = $2, search = $3, updated = $4 WHERE internal = $1::bigint", p->schema),
	    DB(internal, name, two_words(cx, out->id, name), pg_time(cx->arena, out->updated)));
	ev = team_event(cx, p, &ev_team_update, out, actor);
	event_emit(tx, &ev);
	return OK;
}

err_t
team_rename(struct ctx *cx, const struct project *p, const struct team *t, const char *name, const char *actor, struct team **out)
{
	*out = arena_new_of(cx->arena, struct team);
	return TX_RUN(cx, tx, rename_locked(tx, p, t, name, actor, *out));
}

/* One internal event for each member: their connections lose the team's roles. */
static void
emit_roles(struct db_tx *tx, const struct project *p, const char *user_id)
{
	event_emit(tx, &(struct event){
		.kind = &ev_roles_update,
		.project = p->id,
		.ids = {user_id},
		.flags = EVENT_ROLES,
		.user = user_id,
		.stale = {user_stale_key(tx_ctx(tx), p->id, user_id)},
	});
}

static err_t
delete_locked(struct db_tx *tx, const struct project *p, const struct team *t, const char *actor)
{
	struct ctx *cx = tx_ctx(tx);
	const char *internal = pg_i64(cx->arena, t->internal);
	struct db_res *r, *members;
	struct team now;
	struct event ev;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s.teams t WHERE t.internal = $1::bigint FOR UPDATE", shape_columns(&team_shape), p->schema),
	    DB(internal)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_TEAM_NOT_FOUND, "id=%s", t->id);
	shape_read(cx, &team_shape, &now, r, 0, 0);
	TRY(tx_query(tx, &members,
	    arena_printf(cx->arena, "DELETE FROM %s.memberships WHERE team_internal = $1::bigint RETURNING user_id, confirm", p->schema),
	    DB(internal)));
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.teams WHERE internal = $1::bigint", p->schema), DB(internal));
	ev = team_event(cx, p, &ev_team_delete, &now, actor);
	event_emit(tx, &ev);
	for (int i = 0; i < db_rows(members); i++)
		if (db_bool(members, i, 1))
			emit_roles(tx, p, db_cstr(members, i, 0));
	return OK;
}

err_t
team_delete(struct ctx *cx, const struct project *p, const struct team *t, const char *actor)
{
	return TX_RUN(cx, tx, delete_locked(tx, p, t, actor));
}

/* ---- memberships ---- */

static const char *
membership_from(struct ctx *cx, const struct project *p)
{
	return arena_printf(cx->arena, "%s.memberships m JOIN %s.users u ON u.internal = m.user_internal JOIN %s.teams t ON t.internal = m.team_internal",
	    p->schema, p->schema, p->schema);
}

static void
add_to_total(struct db_tx *tx, const struct project *p, const struct membership *m, const char *change, int64_t now)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx,
	    arena_printf(cx->arena, "UPDATE %s.teams SET total = greatest(total %s, 0), updated = $2 WHERE internal = $1::bigint", p->schema, change),
	    DB(pg_i64(cx->arena, m->team_internal), pg_time(cx->arena, now)));
}

static err_t
join(struct db_tx *tx, const struct project *p, struct membership *m, const struct invitation *invite, const char *actor)
{
	struct event ev = membership_event(tx_ctx(tx), p, &ev_membership_create, m, actor);

	lock_user(tx, p, m->user_internal);
	if (m->confirm)
		add_to_total(tx, p, m, "+ 1", m->created);
	else
		ev.flags = 0;
	TRY(membership_failed(tx_ctx(tx), m, membership_insert(tx, p, m)));
	if (invite != NULL && invite->send != NULL)
		invite->send(tx, m, invite->arg);
	event_emit(tx, &ev);
	return OK;
}

err_t
membership_create(struct ctx *cx, const struct project *p, const struct team *t, const struct user *u, const struct strs *roles,
    const struct invitation *invite, const char *actor, struct membership **out)
{
	struct membership *m = membership_new(cx, t, u, roles, invite == NULL);

	if (invite != NULL)
		m->secret_hash = invite->secret_hash;
	*out = m;
	return TX_RUN(cx, tx, join(tx, p, m, invite, actor));
}

err_t
membership_get(struct ctx *cx, const struct project *p, const char *id, struct membership **out)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s WHERE lower(m.id) = lower($1)", shape_columns(&membership_shape), membership_from(cx, p)),
	    DB(id)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_MEMBERSHIP_NOT_FOUND, "id=%s", id);
	*out = arena_new_of(cx->arena, struct membership);
	shape_read(cx, &membership_shape, *out, r, 0, 0);
	return OK;
}

err_t
membership_list(struct ctx *cx, const struct project *p, const struct team *t, const struct strs *queries, const char *search,
    struct query_page *out)
{
	static const struct query_attr attrs[] = {
		{"userId", "lower(m.user_id)", ATTR_STRING, .not_null = true, .lower = true},
		{"teamId", "lower(m.team_id)", ATTR_STRING, .not_null = true, .lower = true},
		{"invited", "m.invited", ATTR_DATETIME, false, true},
		{"joined", "m.joined", ATTR_DATETIME, false, false},
		{"confirm", "m.confirm", ATTR_BOOLEAN, false, true},
		{"$id", "m.id", ATTR_STRING, false, true},
		{"$createdAt", "m.created", ATTR_DATETIME, false, true},
		{"$updatedAt", "m.updated", ATTR_DATETIME, false, true},
	};
	const char *const v[] = {pg_i64(cx->arena, t->internal)};
	const struct query_list l = {.entity = "Membership", .from = membership_from(cx, p), .where = "m.team_internal = $1::bigint", .n = 1, .v = v,
		.seq = "m.internal", .id = "m.id", .search = "m.search", .attrs = attrs, .n_attrs = (int)(sizeof attrs / sizeof *attrs)};

	return query_list(cx, &l, &membership_shape, queries, search, out);
}

err_t
membership_list_user(struct ctx *cx, const struct project *p, const struct user *u, struct objs *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s WHERE m.user_internal = $1::bigint ORDER BY m.internal LIMIT %d", shape_columns(&membership_shape),
		membership_from(cx, p), MEMBERSHIPS_MAX),
	    DB(pg_i64(cx->arena, u->internal))));
	*out = shape_rows(cx, &membership_shape, r);
	return OK;
}

/* The membership as it is now, locked: since it was found it may have been accepted, or got other roles. */
static err_t
membership_lock(struct db_tx *tx, const struct project *p, const struct membership *m, struct membership *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s WHERE m.internal = $1::bigint FOR NO KEY UPDATE OF m", shape_columns(&membership_shape),
		membership_from(cx, p)),
	    DB(pg_i64(cx->arena, m->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_MEMBERSHIP_NOT_FOUND, "id=%s", m->id);
	shape_read(cx, &membership_shape, out, r, 0, 0);
	return OK;
}

static err_t
set_roles(struct db_tx *tx, const struct project *p, const struct membership *m, const struct strs *roles, const char *actor, struct membership *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev;

	TRY(membership_lock(tx, p, m, out));
	out->roles = *roles;
	out->updated = time_now_ms();
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.memberships SET roles = $2::text[], updated = $3 WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, out->internal), pg_array(cx->arena, roles->v, roles->n), pg_time(cx->arena, out->updated)));
	ev = membership_event(cx, p, &ev_membership_update, out, actor);
	event_emit(tx, &ev);
	return OK;
}

err_t
membership_set_roles(struct ctx *cx, const struct project *p, const struct membership *m, const struct strs *roles, const char *actor,
    struct membership **out)
{
	*out = arena_new_of(cx->arena, struct membership);
	return TX_RUN(cx, tx, set_roles(tx, p, m, roles, actor, *out));
}

static err_t
confirm(struct db_tx *tx, const struct project *p, const struct membership *m, struct membership *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev;

	lock_team(tx, p, m->team_internal);
	TRY(membership_lock(tx, p, m, out));
	if (out->confirm)
		return fail(cx, ERR_MEMBERSHIP_ALREADY_CONFIRMED, "id=%s", m->id);
	out->confirm = true;
	out->joined = out->updated = time_now_ms();
	ev = membership_event(cx, p, &ev_membership_status, out, m->user_id);
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.memberships SET confirm = true, joined = $2, updated = $2 WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, m->internal), pg_time(cx->arena, out->joined)));
	add_to_total(tx, p, out, "+ 1", out->joined);
	event_emit(tx, &ev);
	return OK;
}

err_t
membership_confirm(struct ctx *cx, const struct project *p, const struct membership *m, struct membership **out)
{
	*out = arena_new_of(cx->arena, struct membership);
	return TX_RUN(cx, tx, confirm(tx, p, m, *out));
}

static err_t
leave(struct db_tx *tx, const struct project *p, const struct membership *m, const char *actor)
{
	struct ctx *cx = tx_ctx(tx);
	struct membership now;
	struct event ev;

	lock_team(tx, p, m->team_internal);
	TRY(membership_lock(tx, p, m, &now));
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.memberships WHERE internal = $1::bigint", p->schema), DB(pg_i64(cx->arena, now.internal)));
	if (now.confirm)
		add_to_total(tx, p, &now, "- 1", time_now_ms());
	ev = membership_event(cx, p, &ev_membership_delete, &now, actor);
	event_emit(tx, &ev);
	return OK;
}

err_t
membership_delete(struct ctx *cx, const struct project *p, const struct membership *m, const char *actor)
{
	return TX_RUN(cx, tx, leave(tx, p, m, actor));
}
