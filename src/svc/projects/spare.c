/* Data spaces made in advance: badal.spares has their numbers, taken from the sequence of the projects' own. */
#include "svc/projects/spare.h"

#include "core/conf.h"
#include "core/log.h"
#include "core/metric.h"

/* Taken by somebody whose transaction is not over: the next. */
static const char take_sql[] =
    "DELETE FROM badal.spares WHERE internal = (SELECT internal FROM badal.spares WHERE version = $1::int "
    "ORDER BY internal LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING internal";
static const char drop_sql[] =
    "WITH old AS (DELETE FROM badal.spares WHERE internal IN (SELECT internal FROM badal.spares WHERE version < $1::int "
    "FOR UPDATE SKIP LOCKED) RETURNING 'p_' || internal AS schema), book AS (DELETE FROM badal.project_migrations WHERE schema IN (SELECT schema FROM old)) "
    "INSERT INTO badal.trash (schema) SELECT schema FROM old ON CONFLICT DO NOTHING";
/* None beside a newer program's. */
static const char missing_sql[] =
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM badal.spares WHERE version > $1::int) THEN 0 ELSE least($2::bigint, "
    "(SELECT count(*) FROM (SELECT 1 FROM badal.projects LIMIT $2::bigint) x)) - (SELECT count(*) FROM badal.spares) END";

err_t
spare_take(struct db_tx *tx, int64_t *internal_out)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, take_sql, DB(pg_i64(tx_ctx(tx)->arena, db_migrate_newest()))));
	*internal_out = db_rows(r) > 0 ? db_i64(r, 0, 0) : 0;
	if (*internal_out == 0)
		metric_add(M_spares_missed, 1);
	return OK;
}

/* One more, or *done_out: there are enough, or another process makes them. */
static err_t
make_one(struct db_tx *tx, bool *done_out)
{
	struct ctx *cx = tx_ctx(tx);
	const char *newest = pg_i64(cx->arena, db_migrate_newest()), *internal;
	struct db_res *r;

	*done_out = true;
	TRY(tx_query(tx, &r, "SELECT pg_try_advisory_xact_lock(4247163)", DB0));
	if (db_bool(r, 0, 0)) {
		tx_add(tx, drop_sql, DB(newest));
		TRY(tx_query(tx, &r, missing_sql, DB(newest, pg_i64(cx->arena, conf.project_spares))));
		*done_out = db_i64(r, 0, 0) <= 0;
	}
	if (!*done_out) {
		TRY(tx_query(tx, &r, "SELECT nextval(pg_get_serial_sequence('badal.projects', 'internal'))", DB0));
		internal = pg_i64(cx->arena, db_i64(r, 0, 0));
		TRY(db_migrate_project(tx, arena_printf(cx->arena, "p_%s", internal)));
		tx_add(tx, "INSERT INTO badal.spares (internal, version) VALUES ($1::bigint, $2::int)", DB(internal, newest));
	}
	return OK;
}

err_t
spare_fill(struct ctx *cx)
{
	bool done = false;

	TRY(db_migrate_load(cx));
	while (!done) {
		struct ctx one;
		err_t e;

		ctx_init_part(&one, cx);
		e = TX_RUN(&one, tx, make_one(tx, &done));
		if (e != OK)
			e = fail(cx, e, "%s", one.detail ? one.detail : err_info(e)->name);
		ctx_fini(&one);
		TRY(e);
	}
	return OK;
}
