/* PostgreSQL over libpq: single statements, errors, and reading results. */
#include "db_priv.h"

#include <stdlib.h>

#include "core/metric.h"
#include "core/vtime.h"

/* ---- errors ---- */

enum {
	RETRIES_MAX = 4,
	PAUSE = 10	/* ms */
};

struct refusal {
	const char *state;	/* SQLSTATE or its class */
	err_t err;
};

static const struct refusal refusals[] = {
	{"23505", ERR_DB_UNIQUE},
	{"22", ERR_DB_DATA},
	{"08", ERR_DB_DOWN},	/* connection */
	{"40", ERR_DB_CONFLICT},	/* deadlock, serialization failure */
	{"55P03", ERR_DB_CONFLICT},	/* lock_timeout */
	{"57014", ERR_TIMEOUT},	/* statement_timeout, or a cancel request of the operator's */
	{"57P01", ERR_DB_DOWN},	/* shutting down */
	{"57P02", ERR_DB_DOWN},	/* crashed */
	{"57P03", ERR_DB_DOWN},	/* starting up */
	{"53", ERR_DB_BUSY},	/* out of connections, memory or disk */
};

err_t
db_fail(struct ctx *cx, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE), *constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	err_t e = ERR_DB;

	metric_add(M_db_errors, 1);
	cx->code = arena_strdup(cx->arena, state ? state : "");
	cx->subject = arena_strdup(cx->arena, constraint ? constraint : "");
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (str_starts(str_c(cx->code), refusals[i].state))
			e = refusals[i].err;
	if (e == ERR_DB_CONFLICT)
		metric_add(M_db_conflicts, 1);
	return fail(cx, e, "sqlstate=%s constraint=%s %s", cx->code, cx->subject, text ? text : PQresultErrorMessage(r));
}

const char *
db_sqlstate(const struct ctx *cx)
{
	return cx->code ? cx->code : "";
}

/* Who waited for a lock has waited enough; who lost a race wins the next. The pause lets the other one end, and is not the same for all. */
bool
db_again(struct ctx *cx, err_t e)
{
	if (e != ERR_DB_CONFLICT || strcmp(db_sqlstate(cx), "55P03") == 0 || cx->retries >= RETRIES_MAX)
		return false;
	if (fib_sleep(cx, (uint64_t)++cx->retries * PAUSE + (uint64_t)time_now_us() % PAUSE) != OK)
		return false;
	metric_add(M_db_retries, 1);
	return true;
}

const char *
db_constraint(const struct ctx *cx)
{
	return cx->subject ? cx->subject : "";
}

bool
db_maybe_done(err_t e)
{
	return e == OK || e == ERR_TIMEOUT || e == ERR_CANCELLED || e == ERR_DB_DOWN;
}

/* ---- single statements ---- */

static void
clear_result(void *arg)
{
	PQclear(arg);
}

struct db_res *
db_keep(struct ctx *cx, PGresult *r)
{
	defer(cx, clear_result, r);
	return (struct db_res *)r;
}

static err_t
query_once(struct ctx *cx, struct db_conn *c, PGresult **out, const char *sql, int n, const char *const *v)
{
	dbc_begin(c);
	dbc_statement(c, STEP_WANTED, sql, n, v);
	dbc_sync(c);
	TRY(dbc_await(cx, c));
	return dbc_result(cx, c, out);
}

static err_t
query_fresh(struct ctx *cx, PGresult **out, const char *sql, int n, const char *const *v)
{
	struct db_conn *c;
	err_t e;

	TRY(dbp_get(cx, &c));
	e = query_once(cx, c, out, sql, n, v);
	if (e == ERR_DB && c->stale && !c->flying)	/* its plan was older than its tables: nothing was done */
		e = query_once(cx, c, out, sql, n, v);
	dbp_put(c);
	return e;
}

err_t
db_query(struct ctx *cx, struct db_res **out, const char *sql, int n, const char *const *v)
{
	PGresult *r;
	err_t e;

	if (cx->within != NULL)
		return tx_query(cx->within, out, sql, n, v);
	do
		e = query_fresh(cx, &r, sql, n, v);
	while (db_again(cx, e));	/* a statement that fails does nothing */
	if (e == OK)
		*out = db_keep(cx, r);
	return e;
}

err_t
db_exec(struct ctx *cx, int *affected_out, const char *sql, int n, const char *const *v)
{
	struct db_res *r;

	TRY(db_query(cx, &r, sql, n, v));
	if (affected_out != NULL)
		*affected_out = db_affected(r);
	return OK;
}

/* The simple protocol makes one transaction of the whole text. */
err_t
db_script(struct ctx *cx, const char *sql)
{
	struct db_conn *c;
	PGresult *r = NULL;
	err_t e;

	TRY(dbp_get(cx, &c));
	dbc_script(c, sql);
	e = dbc_await(cx, c);
	if (e == OK)
		e = dbc_result(cx, c, &r);
	PQclear(r);
	dbp_put(c);
	return e;
}

/* ---- reading results ---- */

static const PGresult *
pg(const struct db_res *r)
{
	return (const PGresult *)r;
}

int
db_rows(const struct db_res *r)
{
	return PQntuples(pg(r));
}

int
db_cols(const struct db_res *r)
{
	return PQnfields(pg(r));
}

size_t
db_bytes(const struct db_res *r)
{
	return PQresultMemorySize(pg(r));
}

int
db_affected(const struct db_res *r)
{
	return atoi(PQcmdTuples((PGresult *)(uintptr_t)r));
}

bool
db_null(const struct db_res *r, int row, int col)
{
	return PQgetisnull(pg(r), row, col);
}

struct str
db_str(const struct db_res *r, int row, int col)
{
	if (PQgetisnull(pg(r), row, col))
		return STR_NONE;
	return (struct str){PQgetvalue(pg(r), row, col), (size_t)PQgetlength(pg(r), row, col)};
}

const char *
db_cstr(const struct db_res *r, int row, int col)
{
	return PQgetisnull(pg(r), row, col) ? NULL : PQgetvalue(pg(r), row, col);
}

int64_t
db_i64(const struct db_res *r, int row, int col)
{
	return strtoll(PQgetvalue(pg(r), row, col), NULL, 10);
}

bool
db_bool(const struct db_res *r, int row, int col)
{
	return PQgetvalue(pg(r), row, col)[0] == 't';
}

int64_t
db_time(const struct db_res *r, int row, int col)
{
	return time_from_pg(db_str(r, row, col));
}

struct strs
db_strs(struct ctx *cx, const struct db_res *r, int row, int col)
{
	return pg_array_parse(cx->arena, db_str(r, row, col));
}
