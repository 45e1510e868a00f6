/* What is due: functions by their schedules, and executions that were put off. badal.schedules says where to look; the row itself says whether it is so, and
 * is moved on in the transaction that writes the execution: none is lost, and none comes twice. What was missed while nothing ran comes once. */
#include "execution.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/project.h"

enum { DUE_BATCH = 100 };

struct due {
	const char *schema, *project;
	enum due_kind kind;
	int64_t what;
};

/* Awaits. Nobody else looks at it meanwhile; *mine_out false: somebody does, or it is not due any more. */
static err_t
due_claim(struct db_tx *tx, const struct due *d, bool *mine_out)
{
	struct arena *a = tx_ctx(tx)->arena;
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT 1 FROM badal.schedules WHERE schema = $1 AND kind = $2 AND what = $3::bigint AND due <= $4::timestamptz FOR UPDATE SKIP LOCKED",
	    DB(d->schema, due_kinds[d->kind], pg_i64(a, d->what), pg_time(a, time_now_ms()))));
	*mine_out = db_rows(r) > 0;
	return OK;
}

/* Awaits. The run of that time, unless there is one. */
static err_t
write_run(struct db_tx *tx, const struct project *p, const struct function *f, int64_t due)
{
	struct ctx *cx = tx_ctx(tx);
	struct execution e;
	struct db_res *r;
	char time[30];

	execution_init(cx, &e, f, "schedule", arena_printf(cx->arena, "schedule:%s", time_iso(due, time)), NULL);
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s.executions WHERE function = $1::bigint AND cause = $2", p->schema),
	    DB(pg_i64(cx->arena, f->internal), e.cause)));
	if (db_rows(r) > 0)
		return OK;
	TRY(record_insert(tx, p, &execution_whole_record, &e));
	execution_queue(tx, &e);
	metric_add(M_executions_scheduled, 1);
	return OK;
}

static err_t
function_due(struct db_tx *tx, const struct project *p, const struct due *d)
{
	struct ctx *cx = tx_ctx(tx);
	int64_t now = time_now_ms(), due, next;
	struct function f;
	err_t err = record_lock(tx, p, &function_record, rows_internal(cx, d->what), &f);

	if (err == ERR_FUNCTION_NOT_FOUND) {
		schedule_due(tx, p, d->kind, d->what, TIME_NONE);
		return OK;
	}
	TRY(err);
	due = f.schedule_next;
	if (due == TIME_NONE || due > now) {
		schedule_due(tx, p, d->kind, d->what, due);
		return OK;
	}
	next = function_next(&f, now);
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.functions SET schedule_next = $2::timestamptz, schedule_previous = $3::timestamptz WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, d->what), pg_time(cx->arena, next), pg_time(cx->arena, now)));
	schedule_due(tx, p, d->kind, d->what, next);
	return f.enabled && f.deployment[0] != '\0' ? write_run(tx, p, &f, due) : OK;
}

static err_t
execution_due(struct db_tx *tx, const struct project *p, const struct due *d)
{
	struct arena *a = tx_ctx(tx)->arena;
	struct execution e = {.updated = time_now_ms()};
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(a, "UPDATE %s.executions e SET status = 'waiting', updated = $2::timestamptz FROM %s.functions f WHERE e.internal = $1::bigint AND "
	    "e.status = 'scheduled' AND e.scheduled <= $2::timestamptz AND f.internal = e.function RETURNING e.id, f.id", p->schema, p->schema),
	    DB(pg_i64(a, d->what), pg_time(a, e.updated))));
	schedule_due(tx, p, d->kind, d->what, TIME_NONE);
	if (db_rows(r) == 0)
		return OK;
	e.id = db_cstr(r, 0, 0);
	e.function_id = db_cstr(r, 0, 1);
	execution_queue(tx, &e);
	metric_add(M_executions_scheduled, 1);
	return OK;
}

static err_t
due_within(struct db_tx *tx, const struct project *p, const struct due *d)
{
	bool mine;

	TRY(due_claim(tx, d, &mine));
	if (!mine)
		return OK;
	return d->kind == DUE_FUNCTION ? function_due(tx, p, d) : execution_due(tx, p, d);
}

/* Awaits. Of a project that is gone nothing is due. */
static err_t
take_due(struct ctx *cx, const struct due *d)
{
	struct project *p;
	err_t err = project_get(cx, str_c(d->project), &p);

	if (err == ERR_PROJECT_NOT_FOUND || (err == OK && strcmp(p->schema, d->schema) != 0))
		return db_exec(cx, NULL, "DELETE FROM badal.schedules WHERE schema = $1", DB(d->schema));
	TRY(err);
	cx->project = p->id;
	return TX_RUN(cx, tx, due_within(tx, p, d));
}

static bool
due_read(const struct db_res *r, int row, struct due *out)
{
	const char *kind = db_cstr(r, row, 2);

	*out = (struct due){.schema = db_cstr(r, row, 0), .project = db_cstr(r, row, 1), .what = db_i64(r, row, 3)};
	for (int k = DUE_FUNCTION; k <= DUE_EXECUTION; k++)
		if (strcmp(kind, due_kinds[k]) == 0) {
			out->kind = (enum due_kind)k;
			return true;
		}
	return false;
}

/* Each in a context of its own, and its trouble is its own: it is looked at again, the others do not wait for it. */
err_t
functions_schedule(struct ctx *cx)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT schema, project, kind, what FROM badal.schedules WHERE due <= $1::timestamptz ORDER BY due LIMIT %d", DUE_BATCH),
	    DB(pg_time(cx->arena, time_now_ms()))));
	for (int i = 0; i < db_rows(r); i++) {
		struct due d;
		struct ctx one;
		err_t err;

		if (!due_read(r, i, &d))
			continue;
		ctx_init_part(&one, cx);
		err = take_due(&one, &d);
		if (err != OK && err != ERR_CANCELLED)
			log_warn(&one, "what is due is not begun", "project=%s kind=%s what=%lld error=%s detail=%s", d.project, due_kinds[d.kind], (long long)d.what,
			    err_info(err)->name, one.detail ? one.detail : "");
		ctx_fini(&one);
		if (err == ERR_CANCELLED)
			return err;
	}
	return OK;
}
