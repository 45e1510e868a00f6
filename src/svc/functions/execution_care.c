/* Executions whose end nobody else writes. A run that a client waits for is one of a web process: while that process lives it says so in Redis, and when
 * it dies the jobs role ends what it left. Jobs are repeated by themselves; what even that does not find is looked for in the rows, slowly.
 *
 * {executions}:watched   sorted set: "<project> <function> <execution>" by the time (ms) up to which its process has said that it lives */
#include "execution.h"

#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "io/bus.h"
#include "model/project.h"
#include "model/waste.h"

#define WATCHED "{executions}:watched"

enum { SAY_MS = 5000, BELIEVE_MS = 20000, CARE_BATCH = 100, SWEEP_BATCH = 500, TRIM_BATCH = 1000, TAKE_BACK_MS = 100, TAKE_BACK_MAX = 64 };
#define SLACK_MS (15 * 60 * INT64_C(1000))	/* a cold start, and what a busy machine takes longer */

struct watched {
	struct watched *next;
	char *member;
};

static struct watched *mine;
static struct loop_timer *saying;
static struct watched *ended;		/* said to run, and do not any more */
static struct loop_timer *taking_back;

static const char *
watched_name(struct ctx *cx, const struct project *p, const struct execution *e)
{
	return arena_printf(cx->arena, "%s %s %s", p->id, e->function_id, e->id);
}

/* Lost: then the slow search ends it. */
static void
say_one(const char *member, int64_t believe_ms)
{
	char until[24];

	snprintf(until, sizeof until, "%lld", (long long)(time_now_ms() + believe_ms));
	(void)bus_post(BUS(STR("ZADD"), STR(WATCHED), str_c(until), str_c(member)));
}

static void
say_all(void *arg)
{
	(void)arg;
	for (const struct watched *w = mine; w != NULL; w = w->next)
		say_one(w->member, BELIEVE_MS);
}

void
execution_watch(struct ctx *cx, const struct project *p, const struct execution *e)
{
	struct watched *w = mem_zalloc(sizeof *w);

	w->member = mem_strdup(watched_name(cx, p, e));
	w->next = mine;
	mine = w;
	if (saying == NULL)
		saying = loop_every(SAY_MS, say_all, NULL);
	say_one(w->member, BELIEVE_MS);
}

/* In good time: until then whoever looks finds that they have ended. */
static void
unwatch_all(void *arg)
{
	struct str v[2 + TAKE_BACK_MAX] = {STR("ZREM"), STR(WATCHED)};

	(void)arg;
	taking_back = NULL;
	while (ended != NULL) {
		struct watched *w = ended, *all = NULL;
		int n = 0;

		for (; w != NULL && n < TAKE_BACK_MAX; w = ended) {
			v[2 + n++] = str_c(w->member);
			ended = w->next;
			w->next = all;
			all = w;
		}
		(void)bus_post(2 + n, v);
		for (; all != NULL; all = w) {
			w = all->next;
			free(all->member);
			free(all);
		}
	}
}

/* Takes it off our list; NULL: it was not there. */
static struct watched *
watched_take(struct ctx *cx, const struct project *p, const struct execution *e)
{
	const char *member = watched_name(cx, p, e);
	struct watched **wp = &mine, *w;

	while (*wp != NULL && strcmp((*wp)->member, member) != 0)
		wp = &(*wp)->next;
	w = *wp;
	if (w != NULL)
		*wp = w->next;
	if (mine == NULL)
		loop_timer_stop(&saying);
	return w;
}

void
execution_unwatch(struct ctx *cx, const struct project *p, const struct execution *e)
{
	struct watched *w = watched_take(cx, p, e);

	if (w == NULL)
		return;
	w->next = ended;
	ended = w;
	if (taking_back == NULL)
		taking_back = loop_after(TAKE_BACK_MS, unwatch_all, NULL);
}

/* From now on nobody says that it runs. */
void
execution_give_up(struct ctx *cx, const struct project *p, const struct execution *e)
{
	struct watched *w = watched_take(cx, p, e);

	if (w == NULL)
		return;
	say_one(w->member, 0);
	free(w->member);
	free(w);
}

/* ---- of processes that died ---- */

/* Awaits. Function, execution or project may be gone: then there is nothing to end. */
static err_t
end_lost(struct ctx *cx, struct str member)
{
	struct str project = str_cut(&member, ' '), function = str_cut(&member, ' ');
	struct execution e;
	struct function f;
	struct project *p;
	err_t err = project_get(cx, project, &p);

	if (err == OK)
		err = function_get(cx, p, str_dup(cx->arena, function), &f);
	if (err == OK)
		err = execution_get(cx, p, &execution_record, &f, str_dup(cx->arena, member), &e);
	if (err == ERR_PROJECT_NOT_FOUND || err == ERR_FUNCTION_NOT_FOUND || err == ERR_EXECUTION_NOT_FOUND)
		return OK;
	TRY(err);
	cx->project = p->id;
	if (strcmp(e.status, "processing") != 0)
		return OK;
	metric_add(M_executions_lost, 1);
	return execution_fail(cx, p, &e, "The server that ran it was stopped, or crashed, before it ended, or could not write its end.");
}

err_t
executions_care(struct ctx *cx)
{
	struct bus_reply *list, *r;

	TRY(bus_cmd(cx, &list, BUS(STR("ZRANGEBYSCORE"), STR(WATCHED), STR("-inf"), bus_number(cx, time_now_ms()), STR("LIMIT"), STR("0"), bus_number(cx, CARE_BATCH))));
	for (int i = 0; list->type == BUS_LIST && i < list->n; i++) {
		struct ctx one;
		err_t err;

		ctx_init_part(&one, cx);
		err = end_lost(&one, list->v[i].s);
		if (err != OK)
			log_warn(&one, "a lost execution is not ended", "execution=\"%.*s\" error=%s", STR_FMT(list->v[i].s), err_info(err)->name);
		ctx_fini(&one);
		TRY(err);
		TRY(bus_cmd(cx, &r, BUS(STR("ZREM"), STR(WATCHED), list->v[i].s)));
	}
	return OK;
}

/* ---- what nobody found ---- */

/* Awaits. Those of one project that have run for longer than any run, or waited for longer than anybody tries. */
static err_t
sweep_executions(struct ctx *cx, const char *id)
{
	int64_t longest = time_now_ms() - conf.functions_timeout * 1000 - SLACK_MS;
	struct project *p;
	struct db_res *r;

	TRY(project_get(cx, str_c(id), &p));
	cx->project = p->id;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT f.id, e.id FROM %s.executions e JOIN %s.functions f ON f.internal = e.function WHERE "
	    "(e.status = 'processing' AND e.updated < $1::timestamptz) OR (e.status = 'waiting' AND e.updated < $2::timestamptz) LIMIT %d", p->schema, p->schema, SWEEP_BATCH),
	    DB(pg_time(cx->arena, longest), pg_time(cx->arena, longest - conf.functions_give_up))));
	for (int i = 0; i < db_rows(r); i++) {
		struct function f;
		struct execution e;

		TRY(function_get(cx, p, db_cstr(r, i, 0), &f));
		TRY(execution_get(cx, p, &execution_record, &f, db_cstr(r, i, 1), &e));
		metric_add(M_executions_lost, 1);
		TRY(execution_fail(cx, p, &e, "It was lost: nobody runs it, or knows what became of it."));
	}
	return OK;
}

err_t
executions_sweep(struct ctx *cx)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT id FROM badal.projects ORDER BY internal", DB0));
	for (int i = 0; i < db_rows(r); i++) {
		struct ctx one;
		err_t err;

		ctx_init_part(&one, cx);
		err = sweep_executions(&one, db_cstr(r, i, 0));
		if (err != OK && err != ERR_PROJECT_NOT_FOUND)
			log_warn(&one, "executions of a project are not looked through", "project=%s error=%s", db_cstr(r, i, 0), err_info(err)->name);
		ctx_fini(&one);
		if (err == ERR_CANCELLED)
			return err;
	}
	return OK;
}

/* ---- what is too much ---- */

/* Awaits. The number that the newest to go has, by the order in which they came about. *over_out false: there are not so many. */
static err_t
trim_from(struct ctx *cx, const char *schema, const char *function, int64_t *last_out, bool *over_out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT internal FROM %s.executions WHERE function = $1::bigint ORDER BY internal DESC OFFSET $2::bigint LIMIT 1",
	    schema), DB(function, pg_i64(cx->arena, conf.executions_max))));
	*over_out = db_rows(r) > 0;
	*last_out = *over_out ? db_i64(r, 0, 0) : 0;
	return OK;
}

static err_t
trim_function(struct ctx *cx, const char *schema, const char *function)
{
	int64_t last;
	int n = TRIM_BATCH;
	bool over;

	TRY(trim_from(cx, schema, function, &last, &over));
	while (over && n == TRIM_BATCH) {
		TRY(db_exec(cx, &n, arena_printf(cx->arena, "DELETE FROM %s.executions WHERE internal IN (SELECT internal FROM %s.executions WHERE function = $1::bigint "
		    "AND internal <= $2::bigint AND status IN ('completed', 'failed') ORDER BY internal LIMIT %d)", schema, schema, TRIM_BATCH),
		    DB(function, pg_i64(cx->arena, last))));
		metric_add(M_executions_trimmed, n);
	}
	return OK;
}

/* Numbers are given once: a function whose first and last are no farther apart than the bound need not be counted. */
err_t
executions_trim(struct ctx *cx, const char *schema)
{
	struct db_res *r;

	if (conf.executions_max <= 0)
		return OK;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT f.internal FROM %s.functions f WHERE (SELECT max(internal) FROM %s.executions WHERE function = f.internal) - "
	    "(SELECT min(internal) FROM %s.executions WHERE function = f.internal) >= $1::bigint", schema, schema, schema), DB(pg_i64(cx->arena, conf.executions_max))));
	for (int i = 0; i < db_rows(r); i++)
		TRY(trim_function(cx, schema, db_cstr(r, i, 0)));
	return OK;
}

static err_t
trim_project(struct ctx *cx, const char *id)
{
	struct project *p;

	TRY(project_get(cx, str_c(id), &p));
	return executions_trim(cx, p->schema);
}

err_t
executions_bound(struct ctx *cx)
{
	return project_each(cx, "executions-bound", trim_project);
}
