/* Presences as rows. What must stay true: a user has one; whoever may have read of it is told how it ends, whatever ends it.
 *
 * Writers lock the user first, then the presence. A presence of realtime lives as long as one of the connections that said it; one that a request wrote, as
 * long as its time says. */
#include "svc/presences/presence.h"

#include "core/vtime.h"
#include "io/bus.h"
#include "model/permission.h"
#include "model/record.h"

enum { SWEEP_MAX = 500 };

#define PRESENCE_HEAD                                                                                                                \
	FIELD_HIDDEN(F_INT, struct presence, internal, "s.internal"),                                                               \
	    FIELD_HIDDEN(F_INT, struct presence, user_internal, "s.user_internal"),                                                 \
	    FIELD_HIDDEN(F_STRS, struct presence, read, "s.read"),                                                                  \
	    FIELD(F_ID, struct presence, id, "$id", "s.id", "Presence ID.", .flags = COL_ASKED)
#define PRESENCE_TAIL                                                                                                                                      \
	FIELD(F_TIME, struct presence, created, "$createdAt", "s.created", "Presence creation date in ISO 8601 format.", .flags = COL_ASKED),              \
	    FIELD(F_TIME, struct presence, updated, "$updatedAt", "s.updated", "Presence update date in ISO 8601 format.", .flags = COL_ASKED),            \
	    FIELD(F_STRS, struct presence, permissions, "$permissions", "s.permissions", "Permissions of the presence."),                                  \
	    FIELD(F_ID, struct presence, user_id, "userId", "s.user_id", "User ID.", .flags = COL_ASKED | COL_LOWER),                                      \
	    FIELD(F_STR, struct presence, status, "status", "s.status", "What the user says of themselves.", .flags = COL_ASKED),                          \
	    FIELD(F_STR, struct presence, source, "source", "s.source", "Whether it came by a request (rest) or by a connection (realtime).", .flags = COL_ASKED), \
	    FIELD(F_TIME, struct presence, expires, "expiresAt", "s.expires", "When it ends by itself, in ISO 8601 format.", .flags = COL_ASKED),          \
	    FIELD(F_JSON, struct presence, metadata, "metadata", "s.metadata", "What the client keeps with it.")

static const struct field presence_fields[] = {PRESENCE_HEAD, PRESENCE_TAIL};
const struct shape presence_shape = SHAPE("presence", struct presence, presence_fields);

static const struct field presence_said_fields[] = {
	PRESENCE_HEAD,
	FIELD(F_STR, struct presence, sequence, "$sequence", NULL, "Number of the presence."),
	PRESENCE_TAIL,
};
const struct shape presence_said_shape = SHAPE("presenceSaid", struct presence, presence_said_fields);

static void
presence_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct presence *s = obj;

	(void)cx;
	(void)p;
	ev->ids[0] = s->id;
	ev->roles = s->read;
}

static const struct record presences = {
	.shape = &presence_shape,
	.table = ":schema.presences",
	.alias = "s",
	.entity = "Presence",
	.width = "octet_length(metadata)",
	.width_max = 65535,
	.missing = ERR_PRESENCE_NOT_FOUND,
	.taken = ERR_PRESENCE_ALREADY_EXISTS,
	.concerns = presence_concerns,
};

/* ---- who may ---- */

static bool
presence_over(const struct presence *s)
{
	return s->expires <= time_now_ms();
}

static bool
presence_may(struct ctx *cx, const struct presence_who *who, const struct presence *s, struct str verb)
{
	struct strs roles;

	if (who->bypass || (who->user != 0 && who->user == s->user_internal))
		return true;
	roles = perms_roles(cx->arena, &s->permissions, verb);
	return roles_meet(who->roles, &roles);
}

/* Whoever may not read it learns nothing of it. */
static err_t
presence_check(struct ctx *cx, const struct presence_who *who, const struct presence *s, struct str verb)
{
	if (presence_over(s) || !presence_may(cx, who, s, STR("read")))
		return fail(cx, ERR_PRESENCE_NOT_FOUND, "over, or not readable: %s", s->id);
	return presence_may(cx, who, s, verb) ? OK : fail(cx, ERR_USER_UNAUTHORIZED, "no permission: %s", s->id);
}

static err_t
check_grants(struct ctx *cx, const struct presence_who *who, const struct strs *permissions)
{
	const char *foreign = who->bypass || !permissions->set ? NULL : perms_foreign(cx->arena, permissions, who->roles);

	if (foreign == NULL)
		return OK;
	cx->detail = arena_printf(cx->arena, "not held: %s", foreign);
	return fail_msg(cx, ERR_USER_UNAUTHORIZED, "Permissions must be one of: (%s)", str_join(cx->arena, who->roles->v, who->roles->n));
}

/* ---- writing ---- */

static void
presence_grant(struct ctx *cx, struct presence *s, const struct strs *permissions)
{
	s->permissions = *permissions;
	s->read = perms_roles(cx->arena, permissions, STR("read"));
}

static struct str
metadata_text(struct ctx *cx, const json_t *metadata)
{
	struct buf b;
	struct jw w;

	if (metadata == NULL || !json_is_object(metadata))
		return STR("{}");
	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	jw_value(&w, metadata);
	return buf_view(&b);
}

/* Nobody deletes the user, or gives them another presence, meanwhile. */
static err_t
presence_lock_user(struct db_tx *tx, const struct project *p, const char *id, struct presence *s)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT internal, id FROM %s.users WHERE lower(id) = lower($1) FOR NO KEY UPDATE", p->schema), DB(id)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_NOT_FOUND, "id=%s", id);
	s->user_internal = db_i64(r, 0, 0);
	s->user_id = db_cstr(r, 0, 1);
	return OK;
}

static void
bind_socket(struct db_tx *tx, const struct project *p, const struct presence *s, const struct socket *socket)
{
	struct ctx *cx = tx_ctx(tx);
	const char *number = pg_i64(cx->arena, s->internal);

	if (socket == NULL)
		tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.presence_sockets WHERE presence = $1::bigint", p->schema), DB(number));
	else
		tx_add(tx, arena_printf(cx->arena, "INSERT INTO %s.presence_sockets (process, socket, presence) VALUES ($1, $2, $3::bigint) ON CONFLICT DO NOTHING", p->schema),
		    DB(socket->process, socket->id, number));
}

static err_t
presence_end(struct db_tx *tx, const struct project *p, int64_t internal, const char *actor)
{
	struct presence gone;

	TRY(record_delete(tx, p, &presences, rows_internal(tx_ctx(tx), internal), &gone));
	record_emit(tx, p, &presences, &ev_presence_delete, actor, &gone);
	return OK;
}

/* Of who could read it and cannot any more it is gone; it is there still, so nobody else is told. */
static void
tell_shut_out(struct db_tx *tx, const struct project *p, const char *actor, const struct presence *was, const struct presence *now)
{
	struct ctx *cx = tx_ctx(tx);
	struct presence lost = *was;
	struct event ev;

	lost.read = (struct strs){.set = true, .v = arena_array(cx->arena, const char *, was->read.n + 1)};
	for (int i = 0; i < was->read.n; i++)
		if (!roles_meet(&now->read, &(struct strs){.n = 1, .set = true, .v = &was->read.v[i]}))
			lost.read.v[lost.read.n++] = was->read.v[i];
	if (lost.read.n == 0)
		return;
	ev = record_event(cx, p, &presences, &ev_presence_delete, actor, &lost);
	ev.flags |= EVENT_UNSEEN;
	event_emit(tx, &ev);
}

/* What is over and not swept yet keeps its id from nobody. */
static err_t
end_over(struct db_tx *tx, const struct project *p, const char *id)
{
	struct presence was;
	err_t e = id != NULL ? record_lock(tx, p, &presences, rows_id(id), &was) : ERR_PRESENCE_NOT_FOUND;

	if (e == OK && presence_over(&was))
		return presence_end(tx, p, was.internal, NULL);
	return e == ERR_PRESENCE_NOT_FOUND ? OK : e;
}

static struct rows
rows_user(struct ctx *cx, int64_t user)
{
	return (struct rows){"@.user_internal = $1::bigint", 1, {pg_i64(cx->arena, user)}};
}

static err_t
put_over(struct db_tx *tx, const struct project *p, const char *actor, const struct presence *was, struct presence *s, const struct presence_in *in,
    struct presence *out)
{
	presence_grant(tx_ctx(tx), s, in->permissions.set ? &in->permissions : &was->permissions);
	tell_shut_out(tx, p, actor, was, s);
	return record_set(tx, p, &presences, rows_internal(tx_ctx(tx), was->internal), "status source expires metadata permissions read", s, out);
}

static err_t
put_new(struct db_tx *tx, const struct project *p, struct presence *s, const struct presence_in *in, struct presence *out)
{
	struct ctx *cx = tx_ctx(tx);
	const struct strs own = perms_own(cx->arena, s->user_id);

	TRY(end_over(tx, p, in->id));
	s->id = in->id;
	record_init(cx, &presences, s);
	presence_grant(cx, s, in->permissions.set ? &in->permissions : &own);
	TRY(record_insert(tx, p, &presences, s));
	*out = *s;
	return OK;
}

static err_t
presence_put_tx(struct db_tx *tx, const struct project *p, const struct presence_who *who, const char *user_id, const struct presence_in *in,
    struct presence *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct presence was, s = {.status = in->status, .source = in->socket ? "realtime" : "rest", .expires = in->expires, .metadata = metadata_text(cx, in->metadata)};
	err_t e;

	TRY(presence_lock_user(tx, p, user_id, &s));
	e = record_lock(tx, p, &presences, rows_user(cx, s.user_internal), &was);
	if (e != OK && e != ERR_PRESENCE_NOT_FOUND)
		return e;
	if (e == OK && presence_over(&was)) {
		TRY(presence_end(tx, p, was.internal, NULL));
		e = ERR_PRESENCE_NOT_FOUND;
	}
	TRY(e == OK ? put_over(tx, p, who->actor, &was, &s, in, out) : put_new(tx, p, &s, in, out));
	bind_socket(tx, p, out, in->socket);
	record_emit(tx, p, &presences, &ev_presence_upsert, who->actor, out);
	return OK;
}

err_t
presence_put(struct ctx *cx, const struct project *p, const struct presence_who *who, const char *user_id, const struct presence_in *in, struct presence *out)
{
	TRY(check_grants(cx, who, &in->permissions));
	TRY(TX_RUN(cx, tx, presence_put_tx(tx, p, who, user_id, in, out)));
	(void)bus_post(BUS(STR("SADD"), STR(PRESENCE_PROJECTS), str_c(p->id)));	/* a lost one is found by presences_walk */
	return OK;
}

static err_t
presence_change_tx(struct db_tx *tx, const struct project *p, const struct presence_who *who, const char *id, const char *user_id, const struct presence_in *in,
    struct presence *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct presence was, s = {0};
	err_t e;

	if (user_id != NULL)
		TRY(presence_lock_user(tx, p, user_id, &s));
	TRY(record_lock(tx, p, &presences, rows_id(id), &was));
	TRY(presence_check(cx, who, &was, STR("update")));
	if (user_id == NULL) {
		s.user_internal = was.user_internal;
		s.user_id = was.user_id;
	}
	s.status = in->status ? in->status : was.status;
	s.expires = in->expires != TIME_NONE ? in->expires : was.expires;
	s.metadata = in->metadata ? metadata_text(cx, in->metadata) : was.metadata;
	presence_grant(cx, &s, in->permissions.set ? &in->permissions : &was.permissions);
	e = record_set(tx, p, &presences, rows_internal(cx, was.internal), "status expires metadata permissions read user_internal user_id", &s, out);
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_PRESENCE_ALREADY_EXISTS, "user=%s", s.user_id);
	TRY(e);
	tell_shut_out(tx, p, who->actor, &was, &s);
	record_emit(tx, p, &presences, &ev_presence_update, who->actor, out);
	return OK;
}

err_t
presence_change(struct ctx *cx, const struct project *p, const struct presence_who *who, const char *id, const char *user_id, const struct presence_in *in,
    struct presence *out)
{
	TRY(check_grants(cx, who, &in->permissions));
	return TX_RUN(cx, tx, presence_change_tx(tx, p, who, id, user_id, in, out));
}

static err_t
presence_delete_tx(struct db_tx *tx, const struct project *p, const struct presence_who *who, const char *id)
{
	struct presence s;

	TRY(record_lock(tx, p, &presences, rows_id(id), &s));
	TRY(presence_check(tx_ctx(tx), who, &s, STR("delete")));
	return presence_end(tx, p, s.internal, who->actor);
}

err_t
presence_delete(struct ctx *cx, const struct project *p, const struct presence_who *who, const char *id)
{
	return TX_RUN(cx, tx, presence_delete_tx(tx, p, who, id));
}

/* ---- reading ---- */

err_t
presence_get(struct ctx *cx, const struct project *p, const struct presence_who *who, const char *id, struct presence *out)
{
	TRY(record_get(cx, p, &presences, rows_id(id), out));
	return presence_check(cx, who, out, STR("read"));
}

err_t
presence_list(struct ctx *cx, const struct project *p, const struct presence_who *who, const struct strs *queries, struct query_page *out)
{
	struct rows w = {"@.expires > $1::timestamptz", 1, {pg_time(cx->arena, time_now_ms())}};

	if (!who->bypass) {
		w = (struct rows){"@.expires > $1::timestamptz AND (@.read && $2::text[] OR @.user_internal = $3::bigint)", 3,
			{w.v[0], pg_array(cx->arena, who->roles->v, who->roles->n), pg_i64(cx->arena, who->user)}};
	}
	return record_list(cx, p, &presences, w, queries, NULL, out);
}

/* ---- ending ---- */

/* Others may have said it since, or a request. */
static err_t
end_unless(struct db_tx *tx, const struct project *p, int64_t internal)
{
	struct ctx *cx = tx_ctx(tx);
	struct presence s;
	struct db_res *r;
	err_t e = record_lock(tx, p, &presences, rows_internal(cx, internal), &s);

	if (e != OK)
		return e == ERR_PRESENCE_NOT_FOUND ? OK : e;
	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "SELECT EXISTS (SELECT 1 FROM %s.presence_sockets WHERE presence = $1::bigint), "
	    "EXISTS (SELECT 1 FROM %s.users WHERE internal = $2::bigint)", p->schema, p->schema),
	    DB(pg_i64(cx->arena, internal), pg_i64(cx->arena, s.user_internal))));
	if (!presence_over(&s) && db_bool(r, 0, 1) && (strcmp(s.source, "realtime") != 0 || db_bool(r, 0, 0)))
		return OK;
	return presence_end(tx, p, internal, NULL);
}

static err_t
leave_tx(struct db_tx *tx, const struct project *p, int64_t internal, const char *process, const char *sockets)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.presences WHERE internal = $1::bigint FOR UPDATE", p->schema), DB(pg_i64(cx->arena, internal)));
	tx_add(tx,
	    arena_printf(cx->arena, "DELETE FROM %s.presence_sockets WHERE presence = $1::bigint AND process = $2 AND ($3::text[] IS NULL OR socket = ANY ($3::text[]))", p->schema),
	    DB(pg_i64(cx->arena, internal), process, sockets));
	return end_unless(tx, p, internal);
}

/* `sockets` NULL: all of the process. */
static err_t
leave_all(struct ctx *cx, const struct project *p, const char *process, const char *sockets)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT DISTINCT presence FROM %s.presence_sockets WHERE process = $1 AND ($2::text[] IS NULL OR socket = ANY ($2::text[]))", p->schema),
	    DB(process, sockets)));
	for (int i = 0; i < db_rows(r); i++)
		TRY(TX_RUN(cx, tx, leave_tx(tx, p, db_i64(r, i, 0), process, sockets)));
	return OK;
}

err_t
presence_left(struct ctx *cx, const struct project *p, const char *process, const char *const *ids, int n)
{
	return leave_all(cx, p, process, pg_array(cx->arena, ids, n));
}

static err_t
leave_dead(struct ctx *cx, const struct project *p)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT DISTINCT process FROM %s.presence_sockets", p->schema), DB0));
	for (int i = 0; i < db_rows(r); i++) {
		bool gone;

		TRY(socket_process_gone(cx, db_cstr(r, i, 0), &gone));
		if (gone)
			TRY(leave_all(cx, p, db_cstr(r, i, 0), NULL));
	}
	return OK;
}

err_t
presence_sweep(struct ctx *cx, const struct project *p, bool *left_out)
{
	struct db_res *r;

	TRY(leave_dead(cx, p));
	do {
		TRY(db_query(cx, &r,
		    arena_printf(cx->arena, "SELECT s.internal FROM %s.presences s WHERE s.expires <= $1::timestamptz "
		    "OR NOT EXISTS (SELECT 1 FROM %s.users u WHERE u.internal = s.user_internal) LIMIT %d", p->schema, p->schema, SWEEP_MAX),
		    DB(pg_time(cx->arena, time_now_ms()))));
		for (int i = 0; i < db_rows(r); i++)
			TRY(TX_RUN(cx, tx, end_unless(tx, p, db_i64(r, i, 0))));
	} while (db_rows(r) == SWEEP_MAX);
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s.presences LIMIT 1", p->schema), DB0));
	*left_out = db_rows(r) > 0;
	return OK;
}

/* ---- who resumes ---- */

static bool
presence_was_readable(struct ctx *cx, const struct strs *roles, const struct shown *x)
{
	struct strs readers = perms_roles(cx->arena, &x->permissions, STR("read"));

	return roles_meet(roles, &readers);
}

/* Of one that is there what may be read of it now; that one is gone, to those who might read it at last. */
err_t
presences_shown(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n)
{
	const char **ids = arena_array(cx->arena, const char *, n);
	struct db_res *r;

	for (int i = 0; i < n; i++)
		ids[i] = str_lower(cx->arena, str_c(v[i]->ids[0])).p;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT lower(id), created FROM %s.presences WHERE lower(id) = ANY ($1::text[]) AND read && $2::text[]", p->schema),
	    DB(pg_array(cx->arena, ids, n), pg_array(cx->arena, roles->v, roles->n))));
	for (int i = 0; i < n; i++) {
		int64_t created;

		v[i]->yes = v[i]->gone && presence_was_readable(cx, roles, v[i]);
		for (int row = 0; row < db_rows(r) && !v[i]->gone && !v[i]->yes; row++)
			v[i]->yes = strcmp(ids[i], db_cstr(r, row, 0)) == 0 && time_parse(str_c(v[i]->created), &created) && created == db_time(r, row, 1);
	}
	return OK;
}
