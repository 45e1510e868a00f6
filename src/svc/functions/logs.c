/* Executions as the command line tells of them. */
#include "execution.h"

#include <stdlib.h>

#include "functions.h"
#include "model/project.h"

err_t
function_runs(struct ctx *cx, const struct project *p, const char *function, int64_t since, int max, struct function_run **out, int *n_out)
{
	struct function f;
	struct db_res *r;

	*n_out = 0;
	TRY(function_get(cx, p, function, &f));
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT id, trigger, status, updated, status_code, duration, stdout, stderr FROM (SELECT * FROM %s.executions "
	    "WHERE function = $1::bigint ORDER BY internal DESC LIMIT 1000) e WHERE status IN ('completed', 'failed') AND updated >= $2::timestamptz "
	    "ORDER BY updated DESC, internal DESC LIMIT %d", p->schema, max), DB(pg_i64(cx->arena, f.internal), pg_time(cx->arena, since))));
	*out = arena_array(cx->arena, struct function_run, db_rows(r) + 1);
	for (int i = db_rows(r) - 1; i >= 0; i--)
		(*out)[(*n_out)++] = (struct function_run){.id = db_cstr(r, i, 0), .trigger = db_cstr(r, i, 1), .status = db_cstr(r, i, 2), .ended = db_time(r, i, 3),
		    .code = db_i64(r, i, 4), .seconds = strtod(db_cstr(r, i, 5), NULL), .out = shape_data_text(cx->arena, db_str(r, i, 6)),
		    .err = shape_data_text(cx->arena, db_str(r, i, 7))};
	return OK;
}
