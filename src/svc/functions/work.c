/* Work of the jobs role besides builds: what deleted functions and deployments leave, uploads that nobody went on with, and what a crash left. */
#include "core/conf.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "functions_priv.h"
#include "model/job.h"

enum { BATCH = 500, LOST_MS = 24 * 3600 * 1000 };

/* ---- deletion ---- */

static err_t
remove_waste(struct ctx *cx, const struct project *p)
{
	TRY(waste_remove(cx, p, &deployment_waste));
	return waste_remove(cx, p, &build_waste);
}

/* Of a function that is gone: nobody adds any. In a project that was made anew meanwhile the number may be that of another, which is there. */
static err_t
remove_executions(struct ctx *cx, const struct project *p, int64_t function)
{
	int n = BATCH;

	while (n == BATCH) {
		struct ctx part;
		err_t e;

		ctx_init_part(&part, cx);
		e = db_exec(&part, &n,
		    arena_printf(part.arena, "DELETE FROM %s.executions WHERE internal IN (SELECT internal FROM %s.executions WHERE function = $1::bigint LIMIT %d) "
		    "AND NOT EXISTS (SELECT 1 FROM %s.functions WHERE internal = $1::bigint)", p->schema, p->schema, BATCH, p->schema), DB(pg_i64(part.arena, function)));
		ctx_fini(&part);
		TRY(e);
	}
	return OK;
}

err_t
functions_delete(struct ctx *cx, const struct job *job)
{
	const json_t *j = json_parse(cx, job->payload, NULL);
	const char *function = json_string_value(json_object_get(j, "function")), *deployment = json_string_value(json_object_get(j, "deployment"));
	int64_t internal = json_integer_value(json_object_get(j, "internal"));
	struct project *p;

	TRY(waste_project(cx, job, &p));
	if (p == NULL)
		return OK;
	if (function != NULL && function[0] != '\0')
		(void)exec_retire(cx, p, function, deployment != NULL && deployment[0] != '\0' ? deployment : NULL);	/* whom it does not reach lets them idle out */
	TRY(remove_waste(cx, p));
	return internal != 0 ? remove_executions(cx, p, internal) : OK;
}

/* ---- what nobody goes on with ---- */

static err_t
expire_uploads_tx(struct db_tx *tx, const struct project *p, int64_t before, int *n_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "WITH old AS (SELECT internal, function FROM %s.deployments WHERE NOT complete AND updated < $1::timestamptz LIMIT %d "
	    "FOR UPDATE SKIP LOCKED), waste AS (INSERT INTO %s.deployment_waste (function, blob) SELECT o.function, p.blob FROM old o "
	    "JOIN %s.deployment_parts p ON p.deployment = o.internal) DELETE FROM %s.deployments d USING old o WHERE d.internal = o.internal RETURNING d.internal",
	    p->schema, BATCH, p->schema, p->schema, p->schema),
	    DB(pg_time(cx->arena, before))));
	*n_out = db_rows(r);
	return OK;
}

static err_t
expire_uploads(struct ctx *cx, const struct project *p)
{
	int64_t before = time_now_ms() - conf.storage_upload_expiry;
	int n = BATCH;

	while (n == BATCH) {
		TRY(TX_RUN(cx, tx, expire_uploads_tx(tx, p, before, &n)));
		metric_add(M_storage_expired, n);
	}
	return OK;
}

/* A job that was given up for reasons of its own: what is built has news all the time. */
static err_t
end_lost_builds(struct ctx *cx, const struct project *p)
{
	return db_exec(cx, NULL,
	    arena_printf(cx->arena, "UPDATE %s.deployments SET status = 'failed', build = CASE build WHEN '' THEN id ELSE build END, updated = $2, "
	    "build_stderr = build_stderr || 'The build broke off: try it again.' WHERE complete AND status IN ('processing', 'building') AND "
	    "updated < $1::timestamptz", p->schema),
	    DB(pg_time(cx->arena, time_now_ms() - LOST_MS), pg_time(cx->arena, time_now_ms())));
}

/* What badal.schedules and badal.warm should know, and do not. */
static err_t
note_due(struct ctx *cx, const struct project *p)
{
	TRY(db_exec(cx, NULL, arena_printf(cx->arena, "INSERT INTO badal.warm (schema, project, function, since) SELECT $1, $2, id, $3::timestamptz FROM %s.functions "
	    "WHERE keep_warm ON CONFLICT DO NOTHING", p->schema), DB(p->schema, p->id, pg_time(cx->arena, time_now_ms()))));
	return db_exec(cx, NULL,
	    arena_printf(cx->arena, "INSERT INTO badal.schedules (schema, project, kind, what, due) "
	    "SELECT $1, $2, 'function', internal, schedule_next FROM %s.functions WHERE schedule_next IS NOT NULL UNION ALL "
	    "SELECT $1, $2, 'execution', internal, scheduled FROM %s.executions WHERE status = 'scheduled' AND scheduled IS NOT NULL "
	    "ON CONFLICT DO NOTHING", p->schema, p->schema), DB(p->schema, p->id));
}

static err_t
functions_expire_project(struct ctx *cx, const char *id)
{
	struct project *p;

	TRY(project_get(cx, str_c(id), &p));
	TRY(expire_uploads(cx, p));
	TRY(end_lost_builds(cx, p));
	TRY(note_due(cx, p));
	return remove_waste(cx, p);
}

err_t
functions_expire(struct ctx *cx)
{
	return project_each(cx, "functions-expire", functions_expire_project);
}

err_t
functions_find_orphans(struct ctx *cx)
{
	TRY(waste_find_orphans(cx, &deployment_waste));
	return waste_find_orphans(cx, &build_waste);
}
