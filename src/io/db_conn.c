/* A connection that is up: sending flights and taking their results apart.
 *
 * libpq sends nothing before the sync point (or 64 KiB), so a flight is one send and usually one recv. Every command of a flight
 * has a step; results come in that order. After a refusal the server skips to the sync point. */
#include "db_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum { PREPARE_MAX = 16 * 1024 };	/* longer statements are not kept */

/* ---- watching the socket ---- */

static void take_results(struct db_conn *c);

static void
db_conn_poll_closed(uv_handle_t *h)
{
	free(h);
}

/* Sends what libpq still holds; watches for writability only while something is left. False: the server is gone. */
static bool
db_conn_flush(struct db_conn *c)
{
	int left = PQflush(c->pg);

	if (left < 0)
		return false;
	dbc_watch(c, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
	return true;
}

static void
db_conn_on_poll(uv_poll_t *h, int status, int events)
{
	struct db_conn *c = h->data;

	assert(c->magic == DBC_MAGIC);
	if (c->state == DBC_CONNECTING && !c->flying) {
		dbc_connect_step(c);
		return;
	}
	if (status < 0 || ((events & UV_WRITABLE) && !db_conn_flush(c)) || !PQconsumeInput(c->pg)) {
		dbp_lost(c, PQerrorMessage(c->pg));
		return;
	}
	if (c->flying)
		take_results(c);
	else if (PQisBusy(c->pg), PQstatus(c->pg) == CONNECTION_BAD)	/* PQisBusy reads parameter changes and notices */
		dbp_lost(c, PQerrorMessage(c->pg));
}

/* A handle lives only as long as its socket: libpq may close a socket and get the same number for the next one. */
void
dbc_watch(struct db_conn *c, int events)
{
	if (events == c->events)
		return;
	c->events = events;
	if (events == 0) {
		uv_close((uv_handle_t *)c->poll, db_conn_poll_closed);
		c->poll = NULL;
		return;
	}
	if (c->poll == NULL) {
		c->poll = mem_zalloc(sizeof *c->poll);
		if (uv_poll_init(loop_uv(), c->poll, PQsocket(c->pg)) != 0)
			abort();	/* the socket is open and nobody else's */
		c->poll->data = c;
	}
	uv_poll_start(c->poll, events, db_conn_on_poll);
}

/* ---- life ---- */

void
dbc_move(struct db_conn *c, enum dbc_state to)
{
	assert(c->magic == DBC_MAGIC);
	c->state = to;
}

/* Forgets the results of the last flight. */
static void
clear(struct db_conn *c)
{
	PQclear(c->wanted);
	PQclear(c->error);
	c->wanted = c->error = NULL;
}

void
dbc_free(struct db_conn *c)
{
	assert(c->magic == DBC_MAGIC && c->done.waiter == NULL);
	c->magic = 0;
	loop_timer_stop(&c->timer);
	dbc_resolve_stop(c);
	dbp_cancel_forget(c);
	dbc_watch(c, 0);
	clear(c);
	PQfinish(c->pg);
	stmts_fini(&c->stmts);
	free(c->steps);
	free(c->why);
	free(c);
}

bool
dbc_in_tx(const struct db_conn *c)
{
	return PQtransactionStatus(c->pg) != PQTRANS_IDLE;
}

/* ---- sending ---- */

/* Not true of what begins with DB_PLAN_ANEW. */
bool
sql_is_dml(const char *sql)
{
	static const char *const words[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"};

	while (*sql == ' ' || *sql == '\n' || *sql == '\t')
		sql++;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strncmp(sql, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

void
dbc_begin(struct db_conn *c)
{
	assert(!c->flying);
	clear(c);
	c->flight++;
	c->n_steps = c->at = 0;
	c->stale = c->script = c->cancelled = false;
	fib_event_reset(&c->done);
}

static void
add_step(struct db_conn *c, enum step_kind kind, struct stmt *st)
{
	if (c->n_steps == c->cap_steps) {
		c->cap_steps = c->cap_steps ? c->cap_steps * 2 : 8;
		c->steps = mem_realloc(c->steps, (size_t)c->cap_steps * sizeof *c->steps);
	}
	c->steps[c->n_steps++] = (struct step){kind, st};
}

/* The prepared form of a statement; one that comes for the second time is prepared in this flight, NULL: it comes for the first. */
static struct stmt *
prepared(struct db_conn *c, const char *sql, size_t len)
{
	uint64_t hash = sql_hash(sql, len);
	struct stmt *st = stmts_find(&c->stmts, sql, len, hash);

	if (st == NULL && !stmts_again(&c->stmts, hash))
		return NULL;
	if (st == NULL) {
		st = stmts_add(&c->stmts, sql, len, hash);
		st->flight = c->flight;
		stmts_trim(&c->stmts, (unsigned)conf.db_prepared_max, (size_t)conf.db_prepared_bytes, c->flight);
		if (PQsendPrepare(c->pg, st->name, sql, 0, NULL))
			add_step(c, STEP_PREPARE, st);
	}
	st->flight = c->flight;
	return st;
}

void
dbc_statement(struct db_conn *c, enum step_kind kind, const char *sql, int n, const char *const *v)
{
	size_t len = strlen(sql);
	struct stmt *st = NULL;
	int sent;

	assert(n >= 0 && n <= 65535);
	if (c->state == DBC_BROKEN)
		return;
	if (conf.db_prepared && conf.db_prepared_max > 0 && len <= PREPARE_MAX && sql_is_dml(sql))
		st = prepared(c, sql, len);
	if (st != NULL) {
		sent = PQsendQueryPrepared(c->pg, st->name, n, v, NULL, NULL, 0);
	} else {
		sent = PQsendQueryParams(c->pg, sql, n, NULL, v, NULL, NULL, 0);
	}
	if (sent)
		add_step(c, kind, st);
	metric_add(M_db_queries, 1);
	/* a failure to send is that of the connection: dbc_sync meets it again */
}

static void
take_off(struct db_conn *c, int sent)
{
	c->flying = true;
	c->sent = uv_hrtime();
	if (!sent || !db_conn_flush(c))
		dbp_lost(c, PQerrorMessage(c->pg));
}

void
dbc_sync(struct db_conn *c)
{
	if (c->state != DBC_BROKEN)
		take_off(c, PQpipelineSync(c->pg));
}

void
dbc_script(struct db_conn *c, const char *sql)
{
	dbc_begin(c);
	if (c->state == DBC_BROKEN)
		return;
	c->script = true;
	metric_add(M_db_queries, 1);
	take_off(c, PQexitPipelineMode(c->pg) && PQsendQuery(c->pg, sql));
}

/* ---- results ---- */

static void
flight_end(struct db_conn *c)
{
	c->flying = false;
	metric_observe(M_db_latency, (uv_hrtime() - c->sent) / 1000);
	if (c->script)
		PQenterPipelineMode(c->pg);
	if (c->state == DBC_BUSY)
		fib_signal(&c->done);
	else if (c->state == DBC_DRAINING)
		dbp_flight_ended(c);
	else
		dbc_settings_done(c);
}

static void
forget_statement(struct db_conn *c, struct stmt *st)
{
	for (int i = 0; i < c->n_steps; i++)
		if (c->steps[i].stmt == st)
			c->steps[i].stmt = NULL;
	stmts_drop(&c->stmts, st);
}

/* 0A000: the result type of a cached plan changed with its table. 26000: the server lost the statement. */
static bool
plan_is_stale(const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

	return state != NULL && (strcmp(state, "0A000") == 0 || strcmp(state, "26000") == 0);
}

static void
take_error(struct db_conn *c, struct step *s, PGresult *r)
{
	struct stmt *st = s != NULL ? s->stmt : NULL;

	if (st != NULL && s->kind == STEP_PREPARE) {
		forget_statement(c, st);
	} else if (st != NULL && plan_is_stale(r)) {
		c->stale = true;
		forget_statement(c, st);
	}
	if (c->error == NULL)
		c->error = r;
	else
		PQclear(r);
}

static void
db_conn_take(struct db_conn *c, PGresult *r)
{
	struct step *s = c->at < c->n_steps ? &c->steps[c->at] : NULL;

	switch (PQresultStatus(r)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		if (s != NULL && s->kind == STEP_PREPARE && s->stmt != NULL)
			s->stmt->ready = true;
		if (s != NULL && s->kind == STEP_WANTED && c->wanted == NULL)
			c->wanted = r;
		else
			PQclear(r);
		return;
	case PGRES_PIPELINE_ABORTED:
		if (s != NULL && s->kind == STEP_PREPARE && s->stmt != NULL)
			forget_statement(c, s->stmt);
		PQclear(r);
		return;
	default:
		take_error(c, s, r);
	}
}

static bool
is_copy(const PGresult *r)
{
	switch (PQresultStatus(r)) {
	case PGRES_COPY_IN:
	case PGRES_COPY_OUT:
	case PGRES_COPY_BOTH:
		return true;
	default:
		return false;
	}
}

static void
take_results(struct db_conn *c)
{
	while (!PQisBusy(c->pg)) {
		PGresult *r = PQgetResult(c->pg);

		if (r == NULL && c->script) {
			flight_end(c);
			return;
		}
		if (r == NULL) {
			/* the end of one command; more ends than commands mean that libpq has given up */
			if (c->at++ <= c->n_steps)
				continue;
			dbp_lost(c, PQerrorMessage(c->pg));
			return;
		}
		if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			PQclear(r);
			flight_end(c);
			return;
		}
		if (is_copy(r)) {	/* nobody would feed or read it */
			PQclear(r);
			dbp_lost(c, "COPY is not supported");
			return;
		}
		db_conn_take(c, r);
	}
	if (PQstatus(c->pg) == CONNECTION_BAD)
		dbp_lost(c, PQerrorMessage(c->pg));
}

err_t
dbc_await(struct ctx *cx, struct db_conn *c)
{
	err_t e;

	if (c->state == DBC_BROKEN)
		return OK;	/* dbc_result tells */
	e = cx->statement_max ? fib_await_for(cx, &c->done, cx->statement_max) : fib_await(cx, &c->done);
	if (c->done.set)	/* it may have ended in the very turn in which the wait did */
		return OK;
	if (e == ERR_TIMEOUT && cx->statement_max)
		metric_add(M_db_late, 1);
	return e;
}

err_t
dbc_result(struct ctx *cx, struct db_conn *c, PGresult **out)
{
	*out = NULL;
	if (c->error != NULL && c->state != DBC_BROKEN)
		return db_fail(cx, c->error);
	if (c->state == DBC_BROKEN) {
		/* the server may have said why before it hung up */
		if (c->error != NULL && db_fail(cx, c->error) == ERR_DB_DOWN)
			return ERR_DB_DOWN;
		return fail(cx, ERR_DB_DOWN, "%s", c->why ? c->why : "connection lost");
	}
	*out = c->wanted;
	c->wanted = NULL;
	return OK;
}
