/* Projects: creation, settings, deletion. Every write tells the stream, so that caches everywhere drop the former state. */
#include "core/protocol.h"
#include "svc/projects/project.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/vtime.h"
#include "model/event.h"
#include "model/job.h"
#include "model/picture.h"
#include "model/project_write.h"
#include "model/seal.h"
#include "svc/projects/spare.h"
#include "svc/teams/team.h"
#include "svc/webhooks/webhooks.h"

enum {
	DROP_BATCH = 50,	/* tables dropped in one transaction: each needs a lock, and locks are limited */
	FORGOTTEN_MAX = 1000	/* webhooks whose lines are cleared away with their project */
};

/* Whose clients cannot set how many sessions a user has, what they know of members and what a new password ends, gets what there was before one could. */
static const char insert_sql[] =
    "INSERT INTO badal.projects AS p (internal, id, name, team_id, description, logo, url, legal_name, legal_country, legal_state, legal_city, "
    "legal_address, legal_tax_id, search, created, updated, version, needs, sessions_limit, invalidate_sessions, members_user_name, members_user_email, "
    "members_user_id, members_mfa) OVERRIDING SYSTEM VALUE VALUES (coalesce($15::bigint, "
    "nextval(pg_get_serial_sequence('badal.projects', 'internal'))), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $16::int, "
    "$17::int, CASE WHEN $18::boolean THEN 0 ELSE 10 END, NOT $18, $18, $18, $18, $18) RETURNING p.internal";
static const char update_sql[] =
    "UPDATE badal.projects AS p SET name = $2, description = $3, logo = $4, url = $5, legal_name = $6, legal_country = $7, legal_state = $8, "
    "legal_city = $9, legal_address = $10, legal_tax_id = $11, search = $12, updated = $13 WHERE p.internal = $1 RETURNING p.internal";

static const char *
text(const char *s)
{
	return s ? s : "";
}

/* ---- creation ---- */

/* The team must stay as long as the project is being made. */
static err_t
project_lock_team(struct db_tx *tx, const char *team_id, const char **id_out)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT id FROM p_0.teams WHERE lower(id) = lower($1) FOR SHARE", DB(team_id)));
	if (db_rows(r) == 0)
		return fail(tx_ctx(tx), ERR_TEAM_NOT_FOUND, "team=%s", team_id);
	*id_out = db_cstr(r, 0, 0);
	return OK;
}

static err_t
project_insert(struct db_tx *tx, const struct project_in *in, const char *id, const char *team, int64_t spare, int64_t *internal_out)
{
	struct ctx *cx = tx_ctx(tx);
	int version = db_migrate_newest();
	struct db_res *r;
	err_t e = tx_query(tx, &r, insert_sql,
	    DB(id, in->name, team, text(in->description), text(in->logo), text(in->url), text(in->legal_name), text(in->legal_country),
		text(in->legal_state), text(in->legal_city), text(in->legal_address), text(in->legal_tax_id),
		arena_printf(cx->arena, "%s %s", id, in->name), pg_time(cx->arena, time_now_ms()), spare ? pg_i64(cx->arena, spare) : NULL,
		pg_i64(cx->arena, version), pg_i64(cx->arena, db_migrate_needed(version)), pg_bool(cx->format < SINCE_1_6_1)));

	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_PROJECT_ALREADY_EXISTS, "id=%s", id);
	TRY(e);
	*internal_out = db_i64(r, 0, 0);
	return OK;
}

static err_t
project_create_tx(struct db_tx *tx, const struct project_in *in, const char *id)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev = project_event(cx, &ev_project_create, id, NULL);
	const char *team = NULL;
	int64_t internal = 0, spare = 0;

	TRY(project_lock_team(tx, in->team_id, &team));
	if (str_ieq(str_c(id), STR("console")))
		return fail(cx, ERR_PROJECT_RESERVED_PROJECT, "id=%s", id);
	TRY(spare_take(tx, &spare));
	TRY(project_insert(tx, in, id, team, spare, &internal));
	if (spare == 0)
		TRY(db_migrate_project(tx, arena_printf(cx->arena, "p_%lld", (long long)internal)));
	if (conf.project_spares > 0)
		tx_job(tx, "spare", STR_NONE);
	event_emit(tx, &ev);
	return OK;
}

err_t
project_create(struct ctx *cx, const struct project_in *in, struct project **out)
{
	const char *id = in->id ? in->id : id_unique(cx->arena);

	TRY(db_migrate_load(cx));
	TRY(TX_RUN(cx, tx, project_create_tx(tx, in, id)));
	return project_get_bare(cx, str_c(id), out);
}

/* ---- settings ---- */

err_t
project_update(struct ctx *cx, const struct project *p, const struct project_in *in, struct project **out)
{
	struct arena *a = cx->arena;

	TRY(project_write(cx, p, ERR_PROJECT_NOT_FOUND, update_sql,
	    DB(pg_i64(a, p->internal), in->name, text(in->description), text(in->logo), text(in->url), text(in->legal_name),
		text(in->legal_country), text(in->legal_state), text(in->legal_city), text(in->legal_address), text(in->legal_tax_id),
		arena_printf(a, "%s %s", p->id, in->name), pg_time(a, time_now_ms()))));
	return project_get_bare(cx, str_c(p->id), out);
}

err_t
project_set(struct ctx *cx, const struct project *p, const struct project_setting *s, struct project **out)
{
	const char **v = arena_array(cx->arena, const char *, s->n + 2);
	struct event ev = project_event(cx, s->event, p->id, NULL);
	struct db_res *r;

	ev.ids[1] = s->what;
	v[0] = pg_i64(cx->arena, p->internal);
	v[1] = pg_time(cx->arena, time_now_ms());
	for (int i = 0; i < s->n; i++)
		v[i + 2] = s->v[i];
	TRY(event_write(cx, &ev, &r, arena_printf(cx->arena, "UPDATE badal.projects AS p SET %s, updated = $2 WHERE p.internal = $1 RETURNING p.internal", s->set),
	    s->n + 2, v));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", p->id);
	return project_get_bare(cx, str_c(p->id), out);
}

err_t
project_switch(struct ctx *cx, const struct project *p, const struct event_info *event, const char *column, const char *key, const char *what, bool on,
    struct project **out)
{
	const char *const v[] = {key, pg_bool(on)};

	return project_set(cx, p,
	    &(struct project_setting){.event = event, .what = what, .n = 2, .v = v,
		.set = arena_printf(cx->arena, "%s = %s || jsonb_build_object($3::text, $4::boolean)", column, column)}, out);
}

err_t
project_switch_all(struct ctx *cx, const struct project *p, const char *column, const char *const *keys, int n, bool on, struct project **out)
{
	const char *const v[] = {pg_array(cx->arena, keys, n), pg_bool(on)};

	return project_set(cx, p,
	    &(struct project_setting){.event = &ev_project_update, .n = 2, .v = v,
		.set = arena_printf(cx->arena, "%s = %s || (SELECT jsonb_object_agg(k, $4::boolean) FROM unnest($3::text[]) k)", column, column)}, out);
}

static err_t
project_move_tx(struct db_tx *tx, const struct project *p, const char *team_id)
{
	struct ctx *cx = tx_ctx(tx);
	const struct event ev = project_event(cx, &ev_project_update, p->id, NULL);
	const char *team = NULL;
	struct db_res *r;

	TRY(project_lock_team(tx, team_id, &team));
	TRY(tx_query(tx, &r, "UPDATE badal.projects SET team_id = $2, updated = $3 WHERE internal = $1 RETURNING internal",
	    DB(pg_i64(cx->arena, p->internal), team, pg_time(cx->arena, time_now_ms()))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", p->id);
	event_emit(tx, &ev);
	return OK;
}

err_t
project_move(struct ctx *cx, const struct project *p, const char *team_id, struct project **out)
{
	TRY(TX_RUN(cx, tx, project_move_tx(tx, p, team_id)));
	return project_get_bare(cx, str_c(p->id), out);
}

/* ---- apps at providers of OAuth2 ---- */

/* The object that the secret is from now on; what was stored before there were members is its clientSecret. */
static const char *
merged_secret(struct ctx *cx, const char *was, const struct provider_change *c)
{
	const json_t *old = was != NULL && was[0] == '{' ? json_parse(cx, str_c(was), NULL) : NULL;
	json_t *now = json_keep(cx, json_is_object(old) ? json_copy((json_t *)(uintptr_t)old) : json_object()), *v;
	const char *key;
	struct buf b;
	struct jw w;

	if (!json_is_object(old) && was != NULL && was[0] != '\0')
		json_object_set_new(now, "clientSecret", json_string(was));
	if (c->secret != NULL)
		json_object_set_new(now, "clientSecret", json_string(c->secret));
	json_object_foreach(c->members, key, v) {
		if (json_is_null(v))
			json_object_del(now, key);
		else
			json_object_set(now, key, v);
	}
	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	jw_value(&w, now);
	return str_dup(cx->arena, buf_view(&b));
}

/* Nobody is told a secret, so nobody has it sent to a place of their own either: who knows it says it again. */
static err_t
check_places(struct ctx *cx, const char *was, const struct provider_change *c)
{
	const json_t *old = was != NULL && was[0] == '{' ? json_parse(cx, str_c(was), NULL) : NULL;

	if (c->places == NULL || c->secret != NULL || was == NULL || was[0] == '\0' || (old != NULL && json_str(json_object_get(old, "clientSecret")).n == 0))
		return OK;
	for (const char *const *at = c->places; *at != NULL; at++) {
		struct str to = json_str(json_object_get(c->members, *at));

		if (to.n > 0 && !str_eq(to, json_str(json_object_get(old, *at))))
			return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "The secret of the app must be given anew when the place changes to which it is sent.");
	}
	return OK;
}

static err_t
project_set_provider_tx(struct db_tx *tx, const struct project *p, const struct provider_change *c)
{
	struct ctx *cx = tx_ctx(tx);
	struct arena *a = cx->arena;
	struct event ev = project_event(cx, &ev_project_provider_update, p->id, NULL);
	const char *app, *secret;
	struct db_res *r;
	bool on;

	ev.ids[1] = c->key;
	TRY(tx_query(tx, &r,
	    "SELECT providers->>($2::text || 'Appid'), providers->>($2 || 'Secret'), providers->>($2 || 'Enabled') FROM badal.projects WHERE internal = $1 FOR UPDATE",
	    DB(pg_i64(a, p->internal), c->key)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", p->id);
	app = db_null(r, 0, 0) ? NULL : seal_open(a, db_str(r, 0, 0));
	secret = db_null(r, 0, 1) ? NULL : seal_open(a, db_str(r, 0, 1));
	on = text(app)[0] != '\0' && (db_null(r, 0, 2) || !str_is(db_str(r, 0, 2), "false"));
	if (c->anew || c->app_id != NULL)
		app = c->app_id;
	TRY(check_places(cx, secret, c));
	if (c->members != NULL)
		secret = merged_secret(cx, secret, c);
	else if (c->anew || c->secret != NULL)
		secret = c->secret;
	if (c->enabled >= 0)
		on = c->enabled == 1;
	else if (c->anew)
		on = true;
	tx_add(tx,
	    "UPDATE badal.projects SET providers = providers || jsonb_build_object($2::text || 'Appid', $3::text, $2 || 'Secret', $4::text, $2 || 'Enabled', $5::boolean), "
	    "updated = $6 WHERE internal = $1",
	    DB(pg_i64(a, p->internal), c->key, seal_text(a, text(app)), seal_text(a, text(secret)), pg_bool(on), pg_time(a, time_now_ms())));
	event_emit(tx, &ev);
	return OK;
}

err_t
project_set_provider(struct ctx *cx, const struct project *p, const struct provider_change *change, struct project **out)
{
	TRY(TX_RUN(cx, tx, project_set_provider_tx(tx, p, change)));
	return project_get_bare(cx, str_c(p->id), out);
}

/* ---- deletion ---- */

/* A team exists for its projects: with the last one it goes, too. */
static err_t
delete_team(struct ctx *cx, const char *team_id, const char *actor)
{
	struct project *console;
	struct team *t;
	err_t e;

	TRY(project_get(cx, STR("console"), &console));
	e = team_get(cx, console, team_id, &t);
	if (e == OK)
		e = team_delete(cx, console, t, actor);
	return e == ERR_TEAM_NOT_FOUND || e == ERR_TEAM_NOT_EMPTY ? OK : e;
}

static err_t
project_delete_tx(struct db_tx *tx, const struct project *p, const char *actor)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev = project_event(cx, &ev_project_delete, p->id, actor);
	struct db_res *r;

	TRY(tx_query(tx, &r, "DELETE FROM badal.projects WHERE internal = $1 RETURNING 1", DB(pg_i64(cx->arena, p->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", p->id);
	tx_add(tx, "INSERT INTO badal.trash (schema) VALUES ($1) ON CONFLICT DO NOTHING", DB(p->schema));
	tx_add(tx, "DELETE FROM badal.project_migrations WHERE schema = $1", DB(p->schema));
	for (int i = 0; i < p->webhooks.n && i < FORGOTTEN_MAX; i++)	/* of more than that it goes by itself, in a week */
		webhook_forget(tx, p->id, ((const struct webhook *)p->webhooks.v[i])->id);
	event_emit(tx, &ev);
	return OK;
}

err_t
project_delete(struct ctx *cx, const struct project *p, const char *actor, bool with_team)
{
	TRY(TX_RUN(cx, tx, project_delete_tx(tx, p, actor)));
	return with_team ? delete_team(cx, p->team_id, actor) : OK;
}

/* One batch of a schema's tables, or the empty schema itself. Who finds another at it leaves it to him; a table that somebody still uses is
 * come back for: waiting would keep a connection. */
static err_t
sweep_step(struct db_tx *tx, const char *schema, bool *done_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	*done_out = true;
	tx_add(tx, "SET LOCAL lock_timeout = '2s'", DB0);
	TRY(tx_query(tx, &r, "SELECT 1 FROM badal.trash WHERE schema = $1 FOR UPDATE SKIP LOCKED", DB(schema)));
	if (db_rows(r) == 0)
		return OK;
	TRY(tx_query(tx, &r, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = $1 LIMIT $2",
	    DB(schema, pg_i64(cx->arena, DROP_BATCH))));
	for (int i = 0; i < db_rows(r); i++)
		tx_add(tx, arena_printf(cx->arena, "DROP TABLE IF EXISTS %s CASCADE", db_cstr(r, i, 0)), DB0);
	*done_out = db_rows(r) < DROP_BATCH;
	if (*done_out) {
		tx_add(tx, arena_printf(cx->arena, "DROP SCHEMA IF EXISTS %s CASCADE", schema), DB0);
		tx_add(tx, "DELETE FROM badal.trash WHERE schema = $1", DB(schema));
		log_info(cx, "data space is dropped", "schema=%s", schema);
	}
	return OK;
}

err_t
project_sweep(struct ctx *cx)
{
	struct db_res *r;

	/* names are ours, but they go into statements as they are */
	TRY(db_query(cx, &r, "SELECT schema FROM badal.trash WHERE schema ~ '^p_[1-9][0-9]*$' ORDER BY created", DB0));
	for (int i = 0; i < db_rows(r); i++) {
		bool done = false;

		while (!done)
			TRY(TX_RUN(cx, tx, sweep_step(tx, db_cstr(r, i, 0), &done)));
		picture_forget(cx, db_cstr(r, i, 0));
	}
	return OK;
}
