/* Schema work of the jobs role: indexes are built without blocking writers, changes that found the table busy are made, tables of deleted
 * collections are dropped.
 *
 * The rows are the book: `processing` and `deleting` say what is left to do, so the work can stop anywhere and begin again. One worker at a
 * time settles a collection (model/turn.h); should there be two, each change of a row is made under the collection's lock by whoever finds it not
 * made, and an index that somebody builds is left to him. */
#include "svc/databases/collection.h"

#include "core/log.h"
#include "core/loop.h"
#include "model/job.h"
#include "model/turn.h"
#include "schema_priv.h"

#define BUILD_MS (24 * 3600 * 1000ull)	/* longest build of one index */
enum { ROUNDS_MAX = 2000, SWEEP_MAX = 10000, WRITERS_MS = 5000, PAUSE_MAX = 320 };

/* ---- shared with the requests ---- */

bool
schema_in_use(const struct ctx *cx, err_t e)
{
	/* the last: the catalogue's own row was changed between, by the drop of an index beside us */
	return e == ERR_DB_CONFLICT ||
	    (e == ERR_DB && strcmp(db_sqlstate(cx), "XX000") == 0 && cx->detail != NULL && strstr(cx->detail, "tuple concurrently") != NULL);
}

bool
schema_columns_full(const struct ctx *cx)
{
	return strcmp(db_sqlstate(cx), "54011") == 0;
}

err_t
schema_lock(struct db_tx *tx, const struct project *p, const struct collection *c, const char *wait, struct collection **out)
{
	struct ctx *cx = tx_ctx(tx);
	const char *internal = pg_i64(cx->arena, c->internal);
	struct db_res *r;
	err_t e;

	tx_add(tx, "SET LOCAL lock_timeout = '5s'", DB0);
	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.collections WHERE internal = $1::bigint FOR NO KEY UPDATE", p->schema),
	    DB(internal));
	tx_add(tx, arena_printf(cx->arena, "SET LOCAL lock_timeout = '%s'", wait), DB0);
	/* a statement of its own: it must see what the last holder of the lock wrote */
	e = tx_query(tx, &r, arena_printf(cx->arena, "SELECT %s FROM %s.collections WHERE internal = $1::bigint",
	    collection_columns(cx, p->schema), p->schema), DB(internal));
	if (schema_in_use(cx, e))
		return fail(cx, ERR_BUSY, "the schema of %s is being changed", c->id);
	TRY(e);
	if (db_rows(r) == 0)
		return fail(cx, ERR_COLLECTION_NOT_FOUND, "id=%s", c->id);
	TRY(collection_read(cx, r, 0, 0, c->database, c->database_id, out));
	defer(cx, collection_unref, *out);
	return OK;
}

err_t
schema_delete(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key, schema_delete_fn fn)
{
	const struct collection *c;
	err_t e;

	TRY(collection_get(cx, p, db, col, &c));
	e = TX_RUN(cx, tx, fn(tx, p, actor, c, key, true));
	if (!schema_in_use(cx, e))
		return e;
	return TX_RUN(cx, tx, fn(tx, p, actor, c, key, false));
}

void
schema_job(struct db_tx *tx, const struct project *p, const struct collection *c)
{
	struct buf b;
	struct jw w;

	buf_init(&b, tx_ctx(tx)->arena, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "project");
	jw_cstr(&w, p->id);
	if (c != NULL) {
		JW_KEY(&w, "database");
		jw_cstr(&w, c->database_id);
		JW_KEY(&w, "collection");
		jw_cstr(&w, c->id);
	}
	jw_obj_end(&w);
	tx_job(tx, "schema", buf_view(&b));
}

/* ---- one change each ---- */

static bool
is(const char *status, const char *what)
{
	return strcmp(status, what) == 0;
}

/* Errors that another try may not meet. */
static bool
schema_work_passing(const struct ctx *cx, err_t e)
{
	const char *state = db_sqlstate(cx);

	if (e != ERR_DB)
		return e != ERR_DB_UNIQUE && e != ERR_DB_DATA;
	return strncmp(state, "53", 2) == 0 || strncmp(state, "57", 2) == 0 || strncmp(state, "08", 2) == 0 ||
	    is(state, "") || is(state, "42P01") || is(state, "42P07") || schema_in_use(cx, e);
}

static err_t
finish_index(struct ctx *cx, const struct project *p, const struct collection *c, const struct index *x, const char *status,
    const char *why)
{
	struct event ev = collection_done(cx, &ev_index_update, p, NULL, c, x->key, index_payload(cx, c, x, status));
	const char *sql = arena_printf(cx->arena, "UPDATE %s.indexes SET status = $2, error = $3 WHERE internal = $1::bigint AND status = "
	    "'processing' RETURNING internal", p->schema);

	log_info(cx, "index settled", "schema=%s collection=%s index=%s status=%s reason=%s", p->schema, c->id, x->key, status, why);
	return event_write(cx, &ev, NULL, sql, DB(pg_i64(cx->arena, x->internal), status, why));
}

/* Outside a transaction, beside readers and writers. */
static err_t
drop_built(struct ctx *cx, const struct project *p, const char *name)
{
	return db_exec(cx, NULL, arena_printf(cx->arena, "DROP INDEX CONCURRENTLY IF EXISTS %s.%s", p->schema, name), DB0);
}

static err_t
drop_all(struct ctx *cx, const struct project *p, const struct index *x)
{
	TRY(drop_built(cx, p, arena_printf(cx->arena, "i_%lld", (long long)x->internal)));
	return drop_built(cx, p, arena_printf(cx->arena, "i_%lld_h", (long long)x->internal));
}

/* A build that was interrupted leaves an index that is kept up but never used. But PostgreSQL notices only at the end of a build that its client
 * has died: then the index is not good yet, and will be. */
static err_t
is_built(struct ctx *cx, const struct project *p, const char *name, bool *built_out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT x.indisvalid, EXISTS (SELECT 1 FROM pg_stat_progress_create_index g WHERE g.relid = x.indrelid AND g.datname = "
	    "current_database()) FROM pg_index x JOIN pg_class k ON k.oid = x.indexrelid JOIN pg_namespace n ON n.oid = "
	    "k.relnamespace WHERE n.nspname = $1 AND k.relname = $2", DB(p->schema, name)));
	*built_out = db_rows(r) > 0 && db_bool(r, 0, 0);
	if (db_rows(r) == 0 || *built_out)
		return OK;
	if (db_bool(r, 0, 1))
		return fail(cx, ERR_BUSY, "%s.%s is being built", p->schema, name);
	return drop_built(cx, p, name);
}

/* What is kept as `error`, for whoever lists attributes and indexes: words of ours. PostgreSQL's, with its names of tables, are for the log. */
static const char *
schema_work_reason(struct ctx *cx, err_t e)
{
	static const struct { const char *state, *words; } rows[] = {
		{"23505", "documents have equal values"},
		{"54", "a value is too large, or there are too many columns"},
		{"22", "a value does not fit"},
		{"", "the database refused it"},
	};
	size_t i = 0;

	while (!str_starts(str_c(db_sqlstate(cx)), rows[i].state))
		i++;
	log_warn(cx, "the database refuses a change of a schema", "error=%s detail=%s", err_info(e)->name, cx->detail ? cx->detail : "");
	return rows[i].words;
}

/* A large table takes longer than a job may otherwise. */
static err_t
build(struct ctx *cx, const char *sql)
{
	uint64_t deadline = cx->deadline;
	err_t e;

	cx->deadline = loop_now() + BUILD_MS;
	e = db_exec(cx, NULL, sql, DB0);
	cx->deadline = deadline > loop_now() || deadline == 0 ? deadline : loop_now() + 60000;
	return e;
}

/* What words are common is known of the index alone; PostgreSQL would look at it only after many more writes. Other indexes need nothing:
 * the columns were looked at. Without, plans are worse and nothing is wrong. */
static void
schema_work_learn(struct ctx *cx, const struct project *p, const struct collection *c, const struct index *x)
{
	if (!is(x->type, "fulltext"))
		return;
	if (build(cx, arena_printf(cx->arena, "ANALYZE %s.c_%lld", p->schema, (long long)c->internal)) != OK)
		log_warn(cx, "an index is not analyzed", "schema=%s collection=%s index=%s detail=%s", p->schema, c->id, x->key,
		    cx->detail ? cx->detail : "");
}

static err_t
build_index(struct ctx *cx, const struct project *p, const struct collection *c, const struct index *x)
{
	struct index_plan plan;
	const char *why = "";

	if (!index_plan(cx, p->schema, c, x, &plan, &why))
		return finish_index(cx, p, c, x, "failed", why);
	for (int i = 0; i < plan.n; i++) {
		bool built;
		err_t e;

		TRY(is_built(cx, p, plan.name[i], &built));
		e = built ? OK : build(cx, plan.sql[i]);
		if (e == OK)
			continue;
		if (schema_work_passing(cx, e))
			return e;
		why = schema_work_reason(cx, e);
		TRY(drop_all(cx, p, x));
		return finish_index(cx, p, c, x, "failed", why);
	}
	schema_work_learn(cx, p, c, x);
	return finish_index(cx, p, c, x, "available", "");
}

static err_t
remove_index(struct ctx *cx, const struct project *p, const struct collection *c, const struct index *x)
{
	struct event ev = collection_done(cx, &ev_index_delete, p, NULL, c, x->key, index_payload(cx, c, x, NULL));

	TRY(drop_all(cx, p, x));
	return event_write(cx, &ev, NULL, arena_printf(cx->arena, "DELETE FROM %s.indexes WHERE internal = $1::bigint AND status = 'deleting' "
	    "RETURNING internal", p->schema), DB(pg_i64(cx->arena, x->internal)));
}

/* An ALTER TABLE in a transaction with its row, waiting longer than a request may. */
static err_t
change_within(struct db_tx *tx, const struct project *p, const struct collection *known, const struct attribute *asked)
{
	struct ctx *cx = tx_ctx(tx);
	const struct attribute *a;
	struct collection *c;
	struct event ev;
	bool adds;

	TRY(schema_lock(tx, p, known, SCHEMA_WAIT_JOB, &c));
	a = collection_attribute(c, str_c(asked->key));
	adds = a != NULL && is(a->status, "processing");
	if (a == NULL || a->internal != asked->internal || !(adds || is(a->status, "deleting")))
		return OK;
	if (adds) {
		attribute_add_column(tx, p->schema, c, a);
		tx_add(tx, arena_printf(cx->arena, "UPDATE %s.attributes SET status = 'available' WHERE internal = $1::bigint", p->schema),
		    DB(pg_i64(cx->arena, a->internal)));
	} else {
		attribute_drop(tx, p, c, a);
	}
	ev = collection_done(cx, adds ? &ev_attribute_update : &ev_attribute_delete, p, NULL, c, a->key,
	    attribute_payload(cx, a, adds ? "available" : NULL));
	event_emit(tx, &ev);
	return OK;
}

static err_t
fail_attribute(struct ctx *cx, const struct project *p, const struct collection *c, const struct attribute *a, const char *why)
{
	bool adds = is(a->status, "processing");
	const char *status = adds ? "failed" : "stuck";
	struct event ev = collection_done(cx, &ev_attribute_update, p, NULL, c, a->key, attribute_payload(cx, a, status));

	log_warn(cx, "attribute settled", "schema=%s collection=%s attribute=%s status=%s reason=%s", p->schema, c->id, a->key, status, why);
	return event_write(cx, &ev, NULL, arena_printf(cx->arena, "UPDATE %s.attributes SET status = $2, error = $3 WHERE internal = "
	    "$1::bigint RETURNING internal", p->schema), DB(pg_i64(cx->arena, a->internal), status, why));
}

static err_t
settle_attribute(struct ctx *cx, const struct project *p, const struct collection *c, const struct attribute *a)
{
	err_t e = TX_RUN(cx, tx, change_within(tx, p, c, a));

	if (e == ERR_DB && schema_columns_full(cx)) {
		TRY(schema_rebuild(cx, p, c));
		e = TX_RUN(cx, tx, change_within(tx, p, c, a));
	}
	if (schema_in_use(cx, e))
		return fail(cx, ERR_BUSY, "the table of %s is in use", c->id);
	if (e != OK && !schema_work_passing(cx, e))
		return fail_attribute(cx, p, c, a, schema_work_reason(cx, e));
	return e;
}

/* The next thing to do on a collection that has work. */
static err_t
settle_one(struct ctx *cx, const struct project *p, const struct collection *c)
{
	for (int i = 0; i < c->n_attrs; i++)
		if (is(c->attrs[i].status, "processing") || is(c->attrs[i].status, "deleting"))
			return settle_attribute(cx, p, c, &c->attrs[i]);
	for (int i = 0; i < c->n_indexes; i++)
		if (is(c->indexes[i].status, "deleting"))
			return remove_index(cx, p, c, &c->indexes[i]);
	for (int i = 0; i < c->n_indexes; i++)
		if (is(c->indexes[i].status, "processing"))
			return build_index(cx, p, c, &c->indexes[i]);
	return OK;
}

/* ---- settle ---- */

/* A job can be here before its write is visible: it comes with the WAL, and the writer is listed as running a little longer. But every writer
 * of a schema holds the collection's row until it is not. It is looked at again and again: waiting for its lock would keep a connection. */
static err_t
await_writers(struct ctx *cx, const struct project *p, const char *db, const char *col)
{
	const char *rows = arena_printf(cx->arena, "SELECT c.internal FROM %s.collections c JOIN %s.databases d ON d.internal = c.database WHERE "
	    "lower(d.id) = $1 AND lower(c.id) = $2", p->schema, p->schema);
	const char *sql = arena_printf(cx->arena, "WITH held AS (%s FOR SHARE OF c SKIP LOCKED) SELECT count(*) FROM (%s) AS all_rows WHERE internal NOT "
	    "IN (SELECT internal FROM held)", rows, rows);
	uint64_t until = loop_now() + WRITERS_MS, pause = 5;
	struct db_res *r;

	for (;;) {
		TRY(db_query(cx, &r, sql, DB(str_lower(cx->arena, str_c(db)).p, str_lower(cx->arena, str_c(col)).p)));
		if (db_i64(r, 0, 0) == 0)
			return OK;
		if (loop_now() >= until)
			return fail(cx, ERR_BUSY, "the schema of %s is being changed", col);
		TRY(fib_sleep(cx, pause));
		pause = pause < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
	}
}

static err_t
read_now(struct ctx *cx, const struct project *p, const char *db, const char *col, const struct collection **out)
{
	err_t e;

	/* another machine's write may not have reached this cache yet */
	collection_forget(p, db, col);
	e = collection_get(cx, p, db, col, out);
	if (e != ERR_COLLECTION_NOT_FOUND && e != ERR_DATABASE_NOT_FOUND)
		return e;
	*out = NULL;
	return OK;
}

static bool
has_work(const struct collection *c)
{
	for (int i = 0; c != NULL && i < c->n_attrs; i++)
		if (is(c->attrs[i].status, "processing") || is(c->attrs[i].status, "deleting"))
			return true;
	for (int i = 0; c != NULL && i < c->n_indexes; i++)
		if (is(c->indexes[i].status, "processing") || is(c->indexes[i].status, "deleting"))
			return true;
	return false;
}

/* All there is to do on the collection with this number. */
static err_t
settle_all(struct ctx *cx, const struct turn *turn, const struct project *p, const char *db, const char *col, int64_t internal)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		const struct collection *c;
		err_t e;

		TRY(read_now(cx, p, db, col, &c));
		if (!has_work(c) || c->internal != internal)
			return OK;
		if (!turn_ours(turn))
			return fail(cx, ERR_BUSY, "the turn at %s was lost", col);
		e = settle_one(cx, p, c);
		if (e != OK && e != ERR_COLLECTION_NOT_FOUND)	/* deleted meanwhile: the next look finds nothing */
			return e;
	}
	return fail(cx, ERR_BUSY, "%s is changed all the time", col);
}

/* A job that finds another job at its turn leaves: the other looks again after it has given the turn back, so it sees what was written before.
 * If its process dies it is repeated, and takes the turn from itself. The turn is one of a number: a collection that is made anew does not wait
 * for the work on the one that had its id. */
err_t
schema_settle(struct ctx *cx, const struct project *p, const char *db, const char *col, const char *job)
{
	const struct collection *c;
	enum turn_found found;
	struct turn *turn;

	TRY(await_writers(cx, p, db, col));
	TRY(read_now(cx, p, db, col, &c));
	while (has_work(c)) {
		err_t e, given_back;

		TRY(turn_take(cx, arena_printf(cx->arena, "%s:%lld", p->schema, (long long)c->internal), job, &found, &turn));
		if (found == TURN_ELSEWHERE)
			return fail(cx, ERR_BUSY, "somebody is at %s", col);
		if (found == TURN_AT_A_JOB)
			return OK;
		e = settle_all(cx, turn, p, db, col, c->internal);
		given_back = turn_give(cx, &turn);	/* awaited: the look comes after it */
		TRY(e);
		TRY(given_back);
		TRY(read_now(cx, p, db, col, &c));
	}
	return OK;
}

/* ---- tables of deleted collections ---- */

/* `sql` in a transaction that waits for locks as long as `wait`. */
static err_t
patiently(struct db_tx *tx, const char *wait, const char *sql)
{
	tx_add(tx, arena_printf(tx_ctx(tx)->arena, "SET LOCAL lock_timeout = '%s'", wait), DB0);
	tx_add(tx, sql, DB0);
	return OK;
}

err_t
schema_sweep(struct ctx *cx, const struct project *p)
{
	struct db_res *r;
	err_t last = OK;

	/* the deletion that this is about may not be visible yet, see await_writers */
	TRY(TX_RUN(cx, tx, patiently(tx, "5s", arena_printf(cx->arena, "LOCK TABLE %s.collections IN SHARE MODE", p->schema))));
	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT k.relname FROM pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace WHERE n.nspname = $1 AND "
	    "k.relkind = 'r' AND CASE WHEN k.relname ~ '^c_[0-9]+$' THEN NOT EXISTS (SELECT 1 FROM %s.collections c WHERE c.internal = "
	    "substr(k.relname, 3)::bigint) WHEN k.relname ~ '^r_[0-9]+$' THEN NOT EXISTS (SELECT 1 FROM %s.attributes a WHERE a.relation = "
	    "substr(k.relname, 3)::bigint) ELSE false END LIMIT %d", p->schema, p->schema, SWEEP_MAX), DB(p->schema)));
	for (int i = 0; i < db_rows(r); i++) {
		const char *sql = arena_printf(cx->arena, "DROP TABLE IF EXISTS %s.%s", p->schema, db_cstr(r, i, 0));
		err_t e = TX_RUN(cx, tx, patiently(tx, SCHEMA_WAIT_JOB, sql));

		if (schema_in_use(cx, e))
			last = fail(cx, ERR_BUSY, "%s.%s is in use", p->schema, db_cstr(r, i, 0));
		else
			TRY(e);
	}
	return last;
}

/* ---- jobs ---- */

err_t
schema_work(struct ctx *cx, struct str payload, const char *job)
{
	const json_t *j = json_parse(cx, payload, NULL);
	struct str project = json_str(json_object_get(j, "project"));
	const char *db = json_string_value(json_object_get(j, "database")), *col = json_string_value(json_object_get(j, "collection"));
	struct project *p;
	err_t e;

	if (project.n == 0)
		return fail(cx, ERR_GENERAL_UNKNOWN, "a schema job without a project");
	e = project_get(cx, project, &p);
	if (e == ERR_PROJECT_NOT_FOUND)		/* its whole space goes */
		return OK;
	TRY(e);
	return db && col ? schema_settle(cx, p, db, col, job) : schema_sweep(cx, p);
}

/* A table that is in use for long keeps nobody from the others. */
static err_t
recover_project(struct ctx *cx, const char *id, const char *schema)
{
	struct project *p;
	struct db_res *r;
	err_t e = project_get(cx, str_c(id), &p), last;

	if (e == ERR_PROJECT_NOT_FOUND)
		return OK;
	TRY(e);
	last = schema_sweep(cx, p);
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT d.id, c.id FROM %s.collections c JOIN %s.databases d ON d.internal = c.database WHERE "
	    "EXISTS (SELECT 1 FROM %s.attributes a WHERE a.collection = c.internal AND a.status IN ('processing', 'deleting')) OR "
	    "EXISTS (SELECT 1 FROM %s.indexes i WHERE i.collection = c.internal AND i.status IN ('processing', 'deleting'))",
	    schema, schema, schema, schema), DB0));
	for (int i = 0; i < db_rows(r) && last != ERR_CANCELLED && last != ERR_TIMEOUT; i++) {
		e = schema_settle(cx, p, db_cstr(r, i, 0), db_cstr(r, i, 1), NULL);
		if (e != OK)
			last = e;
	}
	return last;
}

err_t
schema_recover(struct ctx *cx)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT id, 'p_' || internal FROM badal.projects ORDER BY internal", DB0));
	for (int i = 0; i < db_rows(r); i++) {
		struct ctx one;
		err_t e;

		/* a context of its own: what one project takes is given back before the next */
		ctx_init_part(&one, cx);
		e = recover_project(&one, db_cstr(r, i, 0), db_cstr(r, i, 1));
		if (e != OK)
			log_warn(&one, "schema work is left over", "project=%s error=%s detail=%s", db_cstr(r, i, 0), err_info(e)->name,
			    one.detail ? one.detail : "");
		ctx_fini(&one);
		if (e == ERR_CANCELLED)
			return e;
	}
	return OK;
}
