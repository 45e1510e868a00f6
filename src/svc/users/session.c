/* Sessions: a random secret whose hash is stored; the cookie carries user id and secret. */
#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/vtime.h"
#include "io/country.h"
#include "model/agent.h"
#include "model/event.h"
#include "model/roles.h"
#include "model/seal.h"
#include "svc/users/target.h"
#include "svc/users/user.h"

enum { SECRET_BYTES = 128, SESSIONS_MAX = 1000, OLD_AT_ONCE = 20 };
_Static_assert(SESSIONS_MAX == 1000, "the range of sessions_per_user_max");

struct event
session_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const struct user *u, const char *session_id, struct str payload)
{
	return (struct event){
		.kind = kind,
		.project = p->id,
		.ids = {u->id, session_id},
		.roles = roles_one(cx->arena, "user", u->id),
		.payload = payload,
		.user = u->id,
		.actor = u->id,
	};
}

static void
session_client(struct ctx *cx, struct session *s, const char *user_agent)
{
	struct country c;
	struct agent g;

	s->user_agent = user_agent && user_agent[0] ? user_agent : "UNKNOWN";
	g = agent_of(cx, str_c(s->user_agent), loop_now() + AGENT_PATIENCE_MS);
	s->os_code = g.os_code;
	s->os_name = g.os_name;
	s->os_version = g.os_version;
	s->client_type = g.client_type;
	s->client_code = g.client_code;
	s->client_name = g.client_name;
	s->client_version = g.client_version;
	s->client_engine = g.client_engine;
	s->client_engine_version = g.client_engine_version;
	s->device_name = g.device_name;
	s->device_brand = g.device_brand;
	s->device_model = g.device_model;
	c = country_of(cx->arena, s->ip, cx->locale);
	s->country_code = c.code;
	s->country_name = c.name;
}

static char *
session_token(struct ctx *cx, const char *user_id, const char *secret)
{
	const char *text = arena_printf(cx->arena, "{\"id\":\"%s\",\"secret\":\"%s\"}", user_id, secret);	/* ids need no escapes */

	return base64_encode(cx->arena, str_c(text), false);
}

/* ---- provider tokens: sealed in the database, clear in the program ---- */

static const char *
sealed(struct ctx *cx, const char *token)
{
	return token[0] != '\0' ? seal_text(cx->arena, token) : "";
}

/* By provider; what is none of these is an OAuth2 provider, which counts as two. */
static struct strs
factors_of(struct ctx *cx, const struct session_in *in)
{
	static const char *const of[][2] = {{"email", "password"}, {"anonymous", "anonymous"}, {"magic-url", "email"}, {"phone", "phone"}};
	struct strs s = {.set = true, .v = arena_array(cx->arena, const char *, 2)};

	if (in->factor != NULL)
		s.v[s.n++] = in->factor;
	for (size_t i = 0; s.n == 0 && i < sizeof of / sizeof *of; i++)
		if (strcmp(in->provider, of[i][0]) == 0)
			s.v[s.n++] = of[i][1];
	if (s.n == 0) {
		s.v[s.n++] = "email";
		s.v[s.n++] = "oauth2";
	}
	return s;
}

/* The user is locked while the session goes in: a change of the password that was checked, and the end of the sessions where it brings that
 * along, comes wholly before or wholly after it. */
static err_t
session_insert(struct ctx *cx, const struct project *p, const struct user *u, const struct session *s, const char *password, int64_t *before_out)
{
	struct event ev = session_event(cx, p, &ev_session_create, u, s->id, shape_json(cx, &session_shape, s));
	struct db_res *r;

	ev.actor = NULL;	/* a guest asked */
	TRY(event_write(cx, &ev, &r,
	    arena_printf(cx->arena,
		"INSERT INTO %s.sessions AS s (id, user_internal, user_id, secret_hash, provider, provider_uid, expire, ip, user_agent, os_code, os_name, "
		"os_version, client_type, client_code, client_name, client_version, client_engine, client_engine_version, device_name, device_brand, "
		"device_model, country_code, country_name, created, provider_access_token, provider_access_token_expiry, provider_refresh_token, factors) "
		"SELECT $1, u.internal, $3, $4, $5, $6, $7::timestamptz, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, "
		"$24::timestamptz, $25, $26::timestamptz, $27, $30::text[] FROM %s.users u "
		"WHERE u.internal = $2::bigint AND u.epoch = $29::bigint AND ($28::text IS NULL OR u.password = $28::text) FOR SHARE "
		"RETURNING (SELECT count(*) FROM %s.sessions o WHERE o.user_internal = s.user_internal)",
		p->schema, p->schema, p->schema),
	    DB(s->id, pg_i64(cx->arena, u->internal), s->user_id, s->secret_hash, s->provider, s->provider_uid, pg_time(cx->arena, s->expire), s->ip,
		s->user_agent, s->os_code, s->os_name, s->os_version, s->client_type, s->client_code, s->client_name, s->client_version, s->client_engine,
		s->client_engine_version, s->device_name, s->device_brand, s->device_model, s->country_code, s->country_name,
		pg_time(cx->arena, s->created), sealed(cx, s->provider_access_token), pg_time(cx->arena, s->provider_access_token_expiry),
		sealed(cx, s->provider_refresh_token), password, pg_i64(cx->arena, u->epoch), pg_array(cx->arena, s->factors.v, s->factors.n))));
	if (db_rows(r) > 0) {
		*before_out = db_i64(r, 0, 0);
		return OK;
	}
	return fail(cx, password ? ERR_USER_INVALID_CREDENTIALS : ERR_USER_NOT_FOUND, "user=%s was deleted or changed meanwhile", u->id);
}

/* As if it had signed out there. */
static struct event
session_end_event(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct session *s)
{
	struct event ev = session_event(cx, p, &ev_session_delete, u, s->id, by == NULL ? shape_json(cx, &session_shape, s) : STR("[]"));

	ev.flags = EVENT_LOGOUT;
	if (by != NULL)
		ev.actor = by->actor;
	ev.stale[0] = user_stale_key(cx, p->id, u->id);
	return ev;
}

/* A user may have so many, and so many that lack the second factor: the oldest end, those without it first. One that lacks it ends none that has it, for who
 * found out the password alone must not sign the others out. Where the setting was lowered, some at each sign-in. The user is locked, and one that has ended
 * meanwhile ends no other: of sign-ins at the same time one works. */
static err_t
drop_old_sessions(struct db_tx *tx, const struct project *p, const struct user *now, const struct session *s, int64_t max)
{
	struct ctx *cx = tx_ctx(tx);
	/* whether it lacks the second factor: of who wants none, none does, and the thousand that there may be are not looked at one by one */
	const char *half = user_wants_more(now, &(struct strs){0}) ? "(SELECT count(DISTINCT f) < 2 FROM unnest(" SESSION_FACTORS ") f)" : "false";
	struct objs old;
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena,
		"WITH me AS (SELECT internal FROM %s.sessions WHERE lower(id) = lower($3) AND user_internal = $1::bigint) "
		"SELECT %s FROM %s.sessions s WHERE s.internal IN "	/* what stays is passed over before anything is locked */
		"(SELECT s.internal FROM me, %s.sessions s, LATERAL (SELECT %s AS half) h "
		"WHERE s.user_internal = $1::bigint AND s.internal <> me.internal AND (h.half OR NOT $4::boolean) ORDER BY h.half, s.internal DESC OFFSET $2::bigint LIMIT %d) "
		"ORDER BY s.internal FOR UPDATE OF s",
		p->schema, shape_columns(&session_shape), p->schema, p->schema, half, OLD_AT_ONCE),
	    DB(pg_i64(cx->arena, now->internal), pg_i64(cx->arena, max - 1), s->id, pg_bool(user_wants_more(now, &s->factors)))));
	old = shape_rows(cx, &session_shape, r);
	for (int i = 0; i < old.n; i++) {
		const struct session *end = old.v[i];
		struct event ev = session_end_event(cx, p, now, NULL, end);

		tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.sessions WHERE lower(id) = lower($1) AND user_internal = $2::bigint", p->schema),
		    DB(end->id, pg_i64(cx->arena, now->internal)));
		event_emit(tx, &ev);
	}
	return OK;
}

static err_t
drop_old_tx(struct db_tx *tx, const struct project *p, const struct user *u, const struct session *s, int64_t max)
{
	struct user now;

	TRY(user_lock(tx, p, u, &now));
	return drop_old_sessions(tx, p, &now, s, max);
}

static bool
session_limited(const struct project *p, int64_t *max_out)
{
	bool limited = p->sessions_limit > 0 && p->sessions_limit < conf.sessions_per_user_max;

	*max_out = limited ? p->sessions_limit : conf.sessions_per_user_max;
	return limited;
}

err_t
session_make_room(struct db_tx *tx, const struct project *p, const struct user *now, const struct session *s)
{
	int64_t max;

	(void)session_limited(p, &max);
	return drop_old_sessions(tx, p, now, s, max);
}

static err_t
session_pass_on(struct db_tx *tx, const struct project *p, const struct user *u, const char *from, const char *to)
{
	target_pass_on(tx, p, u, from, to);
	return OK;
}

/* Before others are counted, so that it is no old one which ends with its push targets. */
static err_t
session_replace(struct ctx *cx, const struct project *p, const struct user *u, const struct session *was, const struct session *s)
{
	err_t e;

	TRY(TX_RUN(cx, tx, session_pass_on(tx, p, u, was->id, s->id)));
	e = session_delete(cx, p, u, NULL, was);
	return e == ERR_USER_SESSION_NOT_FOUND ? OK : e;
}

/* The session is there, and nobody but the client is told its secret: what is left over ends at the next sign-in. */
static err_t
drop_others(struct ctx *cx, const struct project *p, const struct user *u, const struct session *s, int64_t max)
{
	err_t e = TX_RUN(cx, tx, drop_old_tx(tx, p, u, s, max));

	if (e == OK || e == ERR_CANCELLED)
		return e;
	log_warn(cx, "cannot end old sessions", "user=%s error=%s", u->id, cx->detail ? cx->detail : "");
	return OK;
}

err_t
session_create(struct ctx *cx, const struct project *p, const struct user *u, const struct session_in *in, struct session **out, char **token_out)
{
	struct session *s = arena_new_of(cx->arena, struct session);
	char *secret = secret_hex(cx->arena, SECRET_BYTES);
	int64_t before, max = conf.sessions_per_user_max;
	bool limited = !in->unlimited && session_limited(p, &max);

	s->id = id_unique(cx->arena);
	s->user_id = u->id;
	s->secret_hash = sha256_hex(cx->arena, str_c(secret));
	s->provider = in->provider;
	s->provider_uid = in->provider_uid ? in->provider_uid : "";
	s->provider_access_token = in->access_token ? in->access_token : "";
	s->provider_refresh_token = in->refresh_token ? in->refresh_token : "";
	s->provider_access_token_expiry = in->access_token ? in->access_token_expiry : TIME_NONE;
	s->created = s->updated = time_now_ms();
	s->factors = factors_of(cx, in);
	s->mfa_updated = TIME_NONE;
	s->expire = s->created + session_life(p);
	s->ip = in->ip ? in->ip : "";
	s->current = true;
	session_client(cx, s, in->user_agent);
	TRY(session_insert(cx, p, u, s, in->password, &before));
	s->only = before == 0;
	if (in->replaces != NULL)
		TRY(session_replace(cx, p, u, in->replaces, s));
	if (limited || before >= max)	/* of two at once neither counts the other: where few are allowed it is looked after each */
		TRY(drop_others(cx, p, u, s, max));
	*out = s;
	*token_out = session_token(cx, u->id, secret);
	return OK;
}

/* A country's name is in the reader's language; where the database does not know it any more, in that of the sign-in. */
static void
name_country(struct ctx *cx, struct session *s)
{
	struct country c = country_of(cx->arena, s->ip, cx->locale);

	if (strcmp(c.code, s->country_code) == 0)
		s->country_name = c.name;
}

static void
mark_current(struct session *s, const char *current_hash)
{
	s->current = current_hash != NULL && str_eq_secret(str_c(s->secret_hash), str_c(current_hash));
}

err_t
session_list(struct ctx *cx, const struct project *p, const struct user *u, const char *current_hash, struct objs *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s.sessions s WHERE s.user_internal = $1::bigint ORDER BY s.internal LIMIT %d",
		shape_columns(&session_shape), p->schema, SESSIONS_MAX),
	    DB(pg_i64(cx->arena, u->internal))));
	*out = shape_rows(cx, &session_shape, r);
	for (int i = 0; i < out->n; i++) {
		name_country(cx, out->v[i]);
		mark_current(out->v[i], current_hash);
	}
	return OK;
}

err_t
session_newest(struct ctx *cx, const struct project *p, const struct user *u, const char **id_out)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT s.id FROM %s.sessions s WHERE s.user_internal = $1::bigint AND s.expire >= $2::timestamptz ORDER BY s.internal DESC LIMIT 1",
		p->schema),
	    DB(pg_i64(cx->arena, u->internal), pg_time(cx->arena, time_now_ms()))));
	*id_out = db_rows(r) > 0 ? db_cstr(r, 0, 0) : "";
	return OK;
}

err_t
session_get(struct ctx *cx, const struct project *p, const struct user *u, const char *id, const char *current_hash, struct session **out)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT %s FROM %s.sessions s WHERE lower(s.id) = lower($1) AND s.user_internal = $2::bigint",
		shape_columns(&session_shape), p->schema),
	    DB(id, pg_i64(cx->arena, u->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_SESSION_NOT_FOUND, "session=%s", id);
	*out = arena_new_of(cx->arena, struct session);
	shape_read(cx, &session_shape, *out, r, 0, 0);
	name_country(cx, *out);
	mark_current(*out, current_hash);
	return OK;
}

err_t
session_update_tokens(struct ctx *cx, const struct project *p, const struct user *u, struct session *s)
{
	struct db_res *r;
	struct event ev;

	s->updated = time_now_ms();
	ev = session_event(cx, p, &ev_session_update, u, s->id, shape_json(cx, &session_shape, s));
	ev.stale[0] = user_stale_key(cx, p->id, u->id);
	TRY(event_write(cx, &ev, &r,
	    arena_printf(cx->arena,
		"UPDATE %s.sessions AS s SET provider_access_token = $3, provider_access_token_expiry = $4, provider_refresh_token = $5, updated = $6::timestamptz "
		"WHERE lower(s.id) = lower($1) AND s.user_internal = $2::bigint RETURNING s.internal",
		p->schema),
	    DB(s->id, pg_i64(cx->arena, u->internal), sealed(cx, s->provider_access_token), pg_time(cx->arena, s->provider_access_token_expiry),
		sealed(cx, s->provider_refresh_token), pg_time(cx->arena, s->updated))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_SESSION_NOT_FOUND, "session=%s", s->id);
	return OK;
}

/* One that is over stays over: the row may still be there. */
err_t
session_prolong(struct ctx *cx, const struct project *p, const struct user *u, struct session *s)
{
	int64_t now = time_now_ms();
	struct db_res *r;
	struct event ev;

	s->updated = now;
	s->expire = now + session_life(p);
	ev = session_event(cx, p, &ev_session_update, u, s->id, shape_json(cx, &session_shape, s));
	ev.stale[0] = user_stale_key(cx, p->id, u->id);
	TRY(event_write(cx, &ev, &r,
	    arena_printf(cx->arena,
		"UPDATE %s.sessions AS s SET expire = $3::timestamptz, updated = $4::timestamptz WHERE lower(s.id) = lower($1) AND s.user_internal = $2::bigint "
		"AND s.expire >= $4::timestamptz RETURNING s.internal",
		p->schema),
	    DB(s->id, pg_i64(cx->arena, u->internal), pg_time(cx->arena, s->expire), pg_time(cx->arena, now))));
	return db_rows(r) > 0 ? OK : fail(cx, ERR_USER_SESSION_NOT_FOUND, "session=%s", s->id);
}

static void
add_factor(struct strs *to, const char *factor)
{
	for (int i = 0; i < to->n; i++)
		if (strcmp(to->v[i], factor) == 0)
			return;
	to->v[to->n++] = factor;
}

err_t
session_add_factors(struct db_tx *tx, const struct project *p, const struct user *u, const char *id, const struct strs *factors, int64_t solved, struct session *out)
{
	struct ctx *cx = tx_ctx(tx);
	int64_t now = time_now_ms();
	struct strs all = {.set = true};
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena,
		"SELECT %s FROM %s.sessions s WHERE lower(s.id) = lower($1) AND s.user_internal = $2::bigint AND s.expire >= $3::timestamptz FOR UPDATE",
		shape_columns(&session_shape), p->schema),
	    DB(id, pg_i64(cx->arena, u->internal), pg_time(cx->arena, now))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_SESSION_NOT_FOUND, "session=%s", id);
	shape_read(cx, &session_shape, out, r, 0, 0);
	all.v = arena_array(cx->arena, const char *, out->factors.n + factors->n + 1);
	for (int i = 0; i < out->factors.n; i++)
		add_factor(&all, out->factors.v[i]);
	for (int i = 0; i < factors->n; i++)
		add_factor(&all, factors->v[i]);
	out->factors = all;
	out->updated = now;
	if (solved != TIME_NONE) {
		out->mfa_updated = solved;
		out->two_shown = out->two_shown || (factors->n > 0 && strcmp(factors->v[0], all.v[0]) != 0);	/* the first is the sign-in's */
	}
	name_country(cx, out);
	tx_add(tx,
	    arena_printf(cx->arena,
		"UPDATE %s.sessions SET factors = $3::text[], updated = $4::timestamptz, mfa_updated = $5::timestamptz, two_shown = $6::boolean "
		"WHERE lower(id) = lower($1) AND user_internal = $2::bigint",
		p->schema),
	    DB(id, pg_i64(cx->arena, u->internal), pg_array(cx->arena, all.v, all.n), pg_time(cx->arena, now), pg_time(cx->arena, out->mfa_updated),
		pg_bool(out->two_shown)));
	return OK;
}

err_t
session_delete(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct session *s)
{
	struct event ev = session_end_event(cx, p, u, by, s);
	struct db_res *r;

	TRY(event_write(cx, &ev, &r,
	    arena_printf(cx->arena, "DELETE FROM %s.sessions AS s WHERE lower(s.id) = lower($1) AND s.user_internal = $2::bigint RETURNING s.internal",
		p->schema),
	    DB(s->id, pg_i64(cx->arena, u->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_USER_SESSION_NOT_FOUND, "session=%s", s->id);
	return OK;
}

/* One event for all of them: connections of the other sessions find out by the refresh that theirs is gone. */
static struct event
ended_event(struct ctx *cx, const struct project *p, const struct user *u, struct db_res *r, const struct session *current)
{
	int last = 0;

	for (int i = 1; i < db_rows(r); i++)
		if (db_i64(r, i, 0) > db_i64(r, last, 0))
			last = i;
	return session_event(cx, p, &ev_session_delete, u, db_cstr(r, last, 1), current ? shape_json(cx, &session_shape, current) : STR("[]"));
}

static err_t
delete_all(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_by *by, const struct session *current)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;
	struct user now = *u;
	struct event ev;

	if (by != NULL)
		TRY(user_lock(tx, p, u, &now));
	now = user_without_secrets(&now);
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "DELETE FROM %s.sessions AS s WHERE s.user_internal = $1::bigint RETURNING s.internal, s.id", p->schema),
	    DB(pg_i64(cx->arena, u->internal))));
	if (db_rows(r) == 0)
		return OK;
	ev = by != NULL ? user_event(cx, p, &ev_sessions_delete, by, &now) : ended_event(cx, p, u, r, current);
	ev.flags = EVENT_LOGOUT | EVENT_ROLES;
	ev.stale[0] = user_stale_key(cx, p->id, u->id);
	event_emit(tx, &ev);
	return OK;
}

err_t
session_delete_all(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct session *current)
{
	return TX_RUN(cx, tx, delete_all(tx, p, u, by, current));
}
