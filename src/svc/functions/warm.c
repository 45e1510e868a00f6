/* Functions that are to be kept warm (keepWarm): once a second the executors are told which ones these are, with the deployment and the variables that count now.
 * What is switched off, has no deployment that is ready, or is gone is not among them. */
#include "functions_priv.h"

#include "core/log.h"
#include "core/metric.h"

enum { WARM_MAX = 2000 };	/* of all projects: the first of each, then the second of each, … */

/* Awaits. *yes_out false: nothing is to be kept of it now. */
static err_t
warm_function(struct ctx *cx, const char *schema, const char *project, const char *id, struct exec_function *out, bool *yes_out)
{
	struct runnable r;
	struct project *p;
	err_t e = project_get(cx, str_c(project), &p);

	*yes_out = false;
	if (e == OK && strcmp(p->schema, schema) == 0)
		e = function_load(cx, p, id, &r);
	else if (e == OK)
		e = ERR_PROJECT_NOT_FOUND;
	if (e == ERR_PROJECT_NOT_FOUND || e == ERR_FUNCTION_NOT_FOUND)
		return db_exec(cx, NULL, "DELETE FROM badal.warm WHERE schema = $1 AND function = $2", DB(schema, id));
	if (e == ERR_PROJECT_STUCK || e == ERR_PROJECT_NEWER || e == ERR_PROJECT_BEHIND)	/* nothing of it runs now; the others go on */
		return OK;
	TRY(e);
	if (!r.f->keep_warm || !r.f->enabled || runnable_check(cx, &r) != OK)
		return OK;
	*out = r.exec;
	*yes_out = true;
	return OK;
}

static void
warm_told(struct ctx *cx, const struct exec_function *v, const struct exec_kept *kept)
{
	static int left;
	static char why[200];
	bool other = strncmp(why, kept->why, sizeof why - 1) != 0;

	metric_set(M_functions_not_warm, (uint64_t)kept->left);
	if (kept->left > 0 && (kept->left > left || other))
		log_warn(cx, "functions are not kept warm", "count=%d first=%s/%s reason=\"%s\"", kept->left, v[kept->first].project->id, v[kept->first].function, kept->why);
	left = kept->left;
	snprintf(why, sizeof why, "%s", kept->why);
}

static err_t
keep_warm_now(struct ctx *cx)
{
	struct exec_function *v;
	struct exec_kept kept;
	struct db_res *r;
	int n = 0, *turns;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT schema, project, function, row_number() OVER (PARTITION BY schema ORDER BY since, function) AS turn FROM badal.warm "
	    "ORDER BY turn, since, schema, function LIMIT %d", WARM_MAX), DB0));
	v = arena_array(cx->arena, struct exec_function, db_rows(r) + 1);
	turns = arena_array(cx->arena, int, db_rows(r) + 1);
	for (int i = 0; i < db_rows(r); i++) {
		bool yes;

		TRY(warm_function(cx, db_cstr(r, i, 0), db_cstr(r, i, 1), db_cstr(r, i, 2), &v[n], &yes));
		turns[n] = (int)db_i64(r, i, 3);
		n += yes;
	}
	TRY(exec_keep_warm(cx, v, turns, n, &kept));
	warm_told(cx, v, &kept);
	return OK;
}

/* One at a time: it may take longer than its interval. */
err_t
functions_keep_warm(struct ctx *cx)
{
	static bool busy;
	err_t e;

	if (busy)
		return OK;
	busy = true;
	e = keep_warm_now(cx);
	busy = false;
	return e;
}
