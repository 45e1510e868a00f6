/* Executions that events cause are written when they have ended, whole, and many in one statement: what ends while a statement is under way joins the next
 * one. One that runs for longer is written before, so that it can be seen.
 *
 * Until then only the line knows of them, which repeats what it has no end of: it asks what is there already before it runs anything. */
#include "execution.h"

#include <assert.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "model/project.h"

enum { BATCH = 64, BATCH_BYTES = 1 << 20, WRITE_MS = 30 * 1000 };

enum value_type { V_BIGINT, V_TEXT, V_DOUBLE, V_TIME, V_TEXTS };
static const char *const types[] = {"bigint", "text", "double precision", "timestamptz", "text"};

/* Columns of a new row, and whether an end changes them. */
static const struct {
	const char *name;
	enum value_type type;
	bool changes;
} columns[] = {
	{"function", V_BIGINT, false}, {"id", V_TEXT, false}, {"created", V_TIME, false}, {"updated", V_TIME, true}, {"permissions", V_TEXTS, false},
	{"read", V_TEXTS, false}, {"deployment", V_TEXT, true}, {"trigger", V_TEXT, false}, {"event", V_TEXT, false}, {"cause", V_TEXT, false},
	{"depth", V_BIGINT, false}, {"user_id", V_TEXT, false}, {"status", V_TEXT, true}, {"status_code", V_BIGINT, true}, {"response", V_TEXT, true},
	{"stdout", V_TEXT, true}, {"stderr", V_TEXT, true}, {"duration", V_DOUBLE, true}, {"method", V_TEXT, false}, {"path", V_TEXT, false},
	{"request_headers", V_TEXT, false}, {"response_headers", V_TEXT, true}, {"began", V_TIME, true},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

struct write {			/* an execution that waits to be written; its fiber waits, too */
	struct write *next;
	const char *values[COLUMNS], *message;	/* message NULL: nobody is told */
	size_t bytes;
	struct fib_event change;
	bool taken, over;
	err_t e;
	char detail[256];
};

struct writer {			/* of a data space, while something waits */
	struct writer *next;
	char *schema, *project;
	struct db_share *share;
	struct write *first, **last;
};

static struct writer *writers;

/* ---- a statement ---- */

/* Parameters: an array for each column, and one of the messages. What has ended stays as it is, and of a function that is gone nothing is written. */
static const char *
write_sql(struct arena *a, const char *schema)
{
	struct buf names, picked, changes, params;

	buf_init(&names, a, 512);
	buf_init(&picked, a, 512);
	buf_init(&changes, a, 512);
	buf_init(&params, a, 512);
	for (int i = 0; i < COLUMNS; i++) {
		const char *comma = i > 0 ? ", " : "";

		buf_printf(&names, "%s%s", comma, columns[i].name);
		buf_printf(&picked, "%sv.%s%s", comma, columns[i].name, columns[i].type == V_TEXTS ? "::text[]" : "");
		buf_printf(&params, "$%d::%s[], ", i + 1, types[columns[i].type]);
		if (columns[i].changes)
			buf_printf(&changes, "%s = excluded.%s, ", columns[i].name, columns[i].name);
	}
	return arena_printf(a, "WITH v AS (SELECT * FROM unnest(%s$%d::text[]) AS v (%s, message)), w AS (INSERT INTO %s.executions AS e (%s) SELECT %s FROM v "
	    "WHERE EXISTS (SELECT FROM %s.functions f WHERE f.internal = v.function) ON CONFLICT (lower(id)) DO UPDATE SET %spending = NULL "
	    "WHERE e.status IN ('waiting', 'processing') RETURNING e.id) SELECT pg_logical_emit_message(true, 'event', v.message) FROM w JOIN v USING (id) "
	    "WHERE v.message IS NOT NULL", params.p, COLUMNS + 1, names.p, schema, names.p, picked.p, schema, changes.p);
}

static void
write_values(struct ctx *cx, const struct execution *e, struct write *w)
{
	struct arena *a = cx->arena;
	const char *const v[COLUMNS] = {pg_i64(a, e->function), e->id, pg_time(a, e->created), pg_time(a, e->updated),
		pg_array(a, e->permissions.v, e->permissions.n), pg_array(a, e->read.v, e->read.n), e->deployment, e->trigger, e->event, e->cause,
		pg_i64(a, e->depth), e->user_id, e->status, pg_i64(a, e->status_code), shape_data_column(a, e->response), shape_data_column(a, e->out),
		shape_data_column(a, e->err), arena_printf(a, "%.17g", e->duration), e->method, e->path, shape_data_column(a, e->request_headers),
		shape_data_column(a, e->response_headers), pg_time(a, e->began)};

	memcpy(w->values, v, sizeof v);
	w->bytes = e->response.n + e->out.n + e->err.n + (w->message ? strlen(w->message) : 0);
}

static err_t
write_some(struct ctx *cx, const char *schema, struct write *const *v, int n)
{
	const char *arrays[COLUMNS + 1], *one[BATCH];
	struct db_res *r;

	for (int c = 0; c <= COLUMNS; c++) {
		for (int i = 0; i < n; i++)
			one[i] = c < COLUMNS ? v[i]->values[c] : v[i]->message;
		arrays[c] = pg_array(cx->arena, one, n);
	}
	metric_add(M_executions_writes, 1);
	return db_query(cx, &r, write_sql(cx->arena, schema), COLUMNS + 1, arrays);
}

/* ---- one after the other, of a data space ---- */

static int
writer_take(struct writer *w, struct write **v)
{
	size_t bytes = 0;
	int n = 0;

	while (n < BATCH && w->first != NULL && (n == 0 || bytes + w->first->bytes <= BATCH_BYTES)) {
		struct write *one = w->first;

		w->first = one->next;
		one->taken = true;
		bytes += one->bytes;
		v[n++] = one;
	}
	if (w->first == NULL)
		w->last = &w->first;
	return n;
}

static void
writer_try(struct writer *w, struct fib *fib, struct write **v, int n)
{
	struct ctx cx;
	err_t e;

	ctx_init(&cx);
	cx.fib = fib;
	cx.deadline = loop_now() + WRITE_MS;
	cx.project = w->project;
	cx.share = w->share;
	e = write_some(&cx, w->schema, v, n);
	if (e == OK || n == 1 || e == ERR_DB_DOWN || e == ERR_DB_BUSY || e == ERR_TIMEOUT || e == ERR_CANCELLED)
		for (int i = 0; i < n; i++) {
			v[i]->e = e;
			snprintf(v[i]->detail, sizeof v[i]->detail, "%s", e != OK && cx.detail ? cx.detail : "");
			v[i]->over = true;
			fib_signal(&v[i]->change);
		}
	else			/* one of them cannot be written: the others can */
		for (int i = 0; i < n; i++)
			writer_try(w, fib, &v[i], 1);
	ctx_fini(&cx);
}

static void
writer_fiber(struct ctx *cx, void *arg)
{
	struct writer *w = arg, **at;
	struct write *v[BATCH];

	while (w->first != NULL)
		writer_try(w, cx->fib, v, writer_take(w, v));
	for (at = &writers; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	free(w->schema);
	free(w->project);
	free(w);
}

static struct writer *
writer_of(struct ctx *cx, const struct project *p)
{
	struct writer *w;

	for (w = writers; w != NULL; w = w->next)
		if (strcmp(w->schema, p->schema) == 0)
			return w;
	w = mem_zalloc(sizeof *w);
	*w = (struct writer){.next = writers, .schema = mem_strdup(p->schema), .project = mem_strdup(p->id), .share = cx->share, .last = &w->first};
	writers = w;
	fib_spawn_new("executions", 0, writer_fiber, w);
	return w;
}

/* ---- who writes ---- */

static void
writer_forget(struct writer *w, const struct write *one)
{
	for (struct write **at = &w->first; *at != NULL; at = &(*at)->next)
		if (*at == one) {
			*at = one->next;
			break;
		}
	w->last = &w->first;
	while (*w->last != NULL)
		w->last = &(*w->last)->next;
}

/* Awaits. What is under way uses our memory, and is waited for whatever happens. */
static err_t
write_await(struct ctx *cx, struct writer *w, struct write *one)
{
	uint64_t deadline = cx->deadline;
	err_t e = fib_await(cx, &one->change);

	if (e != OK && !one->taken) {
		writer_forget(w, one);
		return e;
	}
	fib_shield(cx, true);
	cx->deadline = 0;
	while (!one->over) {
		fib_event_reset(&one->change);
		if (fib_await(cx, &one->change) != OK)
			log_debug(cx, "waiting for an execution to be written", NULL);
	}
	cx->deadline = deadline;
	fib_shield(cx, false);
	return one->e == OK ? OK : fail(cx, one->e, "%s", one->detail);
}

err_t
execution_write(struct ctx *cx, const struct project *p, const struct execution *e, const struct event *ev)
{
	struct write one = {.message = NULL};
	struct writer *w;
	int depth = cx->depth;

	if (ev != NULL) {
		cx->depth = (int)e->depth + 1;	/* what follows from it was led to by one execution more */
		one.message = event_message(cx, ev).p;
		cx->depth = depth;
	}
	write_values(cx, e, &one);
	w = writer_of(cx, p);
	*w->last = &one;
	w->last = &one.next;
	return write_await(cx, w, &one);
}

err_t
executions_known(struct ctx *cx, const struct project *p, struct execution_known *v, int n)
{
	const char **ids = arena_array(cx->arena, const char *, n + 1);
	struct db_res *r;

	for (int i = 0; i < n; i++) {
		v[i].status = NULL;
		ids[i] = v[i].id;
	}
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT lower(id), status, created FROM %s.executions WHERE lower(id) = ANY ($1::text[])", p->schema),
	    DB(pg_array(cx->arena, ids, n))));
	for (int k = 0; k < db_rows(r); k++)
		for (int i = 0; i < n; i++)
			if (strcmp(v[i].id, db_cstr(r, k, 0)) == 0) {
				v[i].created = db_time(r, k, 2);
				for (int s = 0; execution_states[s] != NULL; s++)
					if (strcmp(db_cstr(r, k, 1), execution_states[s]) == 0)
						v[i].status = execution_states[s];
			}
	return OK;
}
