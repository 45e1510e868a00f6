/* PostgreSQL over libpq: the pool, connections in pipeline mode, prepared statements.
 *
 * A flight is what goes out between two Syncs: statements are put into libpq's buffer, sent at once, and their results collected until
 * the Sync comes back. A fiber waits for a whole flight; one that gives up leaves the connection to drain by itself. */
#include "db_priv.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <uv.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"

enum {
	BACKOFF_MIN = 50,	/* ms between attempts to connect while PostgreSQL is away */
	BACKOFF_MAX = 2000,
	DRAIN_MAX = 10000,	/* ms an abandoned flight may still take before its connection is dropped */
	CONNECT_MAX = 10000
};

enum conn_state {
	CONN_CONNECTING,
	CONN_IDLE,	/* on the idle list */
	CONN_OWNED,	/* a fiber uses it */
	CONN_DRAINING,	/* its fiber left with a flight in the air */
	CONN_DEAD	/* closed; freed when libuv let go of the handle */
};

enum slot_kind { SLOT_PREPARE, SLOT_EXEC, SLOT_DISCARD };

struct slot {			/* one message of the flight that is answered by a result */
	enum slot_kind kind;
	PGresult *res;
	const char *sql;	/* SLOT_PREPARE: key in the cache; borrowed from the statement */
};

struct stmt {
	struct db_conn *conn;
	char name[16];
	char *sql;
};

struct db_conn {
	enum conn_state state;
	PGconn *pg;
	uv_poll_t poll;
	bool polling, want_write;
	struct db_conn *next;		/* idle list */
	struct fib_event done;		/* the flight ended, or the connection is up or gone */
	struct slot *slots;
	int n_slots, cap_slots, at;
	bool flying, in_tx, broken;
	struct lru *stmts;
	unsigned n_names;
	char (*discard)[16];		/* names of evicted statements */
	int n_discard, cap_discard;
	uint64_t since;			/* loop_now() when it began to connect or drain */
	int64_t sent_us;
};

struct waiter {
	struct waiter *next;
	struct fib_event ev;
	struct db_conn *given;
	err_t err;
};

static struct db_conn *idle;
static struct waiter *first_waiter, **last_waiter = &first_waiter;
static unsigned n_open, n_busy, n_waiting;
static uint64_t retry_at, backoff;
static struct db_conn **all;		/* every connection, for the sweep */
static unsigned n_all, cap_all;
static struct loop_timer *sweeper;
static bool closing;
static char *last_failure;		/* why connecting failed last */

static void conn_broken(struct db_conn *c);
static void pool_next(void);

static void
gauges(void)
{
	metric_set(M_db_open, n_open);
	metric_set(M_db_busy, n_busy);
	metric_set(M_db_waiting, n_waiting);
}

unsigned
db_pool_busy(void)
{
	return n_busy;
}

unsigned
db_pool_waiting(void)
{
	return n_waiting;
}

unsigned
db_pool_open(void)
{
	return n_open;
}

/* ---- connections ---- */

static void
stmt_drop(void *p)
{
	struct stmt *s = p;
	struct db_conn *c = s->conn;

	if (c->state != CONN_DEAD) {
		if (c->n_discard == c->cap_discard) {
			c->cap_discard = c->cap_discard ? c->cap_discard * 2 : 16;
			c->discard = mem_realloc(c->discard, (size_t)c->cap_discard * sizeof *c->discard);
		}
		memcpy(c->discard[c->n_discard++], s->name, sizeof s->name);
	}
	free(s->sql);
	free(s);
}

static void
slots_clear(struct db_conn *c)
{
	for (int i = 0; i < c->n_slots; i++)
		PQclear(c->slots[i].res);
	c->n_slots = c->at = 0;
}

static void
conn_closed(uv_handle_t *h)
{
	struct db_conn *c = h->data;

	free(c);
}

/* Closes the socket and frees what it can now; the struct itself goes when libuv has let go of it. */
static void
conn_close(struct db_conn *c)
{
	assert(c->state != CONN_DEAD);
	c->state = CONN_DEAD;
	for (unsigned i = 0; i < n_all; i++)
		if (all[i] == c)
			all[i] = all[--n_all];
	n_open--;
	gauges();
	slots_clear(c);
	lru_free(&c->stmts);
	free(c->slots);
	free(c->discard);
	if (c->polling)
		uv_poll_stop(&c->poll);
	PQfinish(c->pg);
	if (c->polling)
		uv_close((uv_handle_t *)&c->poll, conn_closed);
	else
		free(c);
}

static void
idle_remove(struct db_conn *c)
{
	for (struct db_conn **p = &idle; *p != NULL; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			return;
		}
	}
}

static void
want(struct db_conn *c, bool write)
{
	if (c->want_write == write)
		return;
	c->want_write = write;
	uv_poll_start(&c->poll, UV_READABLE | (write ? UV_WRITABLE : 0), c->poll.poll_cb);
}

static void
flush(struct db_conn *c)
{
	int r = PQflush(c->pg);

	if (r < 0)
		conn_broken(c);
	else
		want(c, r > 0);
}

/* ---- results ---- */

static void
flight_over(struct db_conn *c)
{
	c->flying = false;
	metric_observe(M_db_latency, (uint64_t)(time_now_us() - c->sent_us));
	if (c->state == CONN_DRAINING) {
		slots_clear(c);
		db_release(c);
		return;
	}
	fib_signal(&c->done);
}

/* A prepare that failed, or was skipped after an earlier failure, left no statement behind. */
static void
forget_unprepared(struct db_conn *c)
{
	for (int i = 0; i < c->n_slots; i++) {
		struct slot *s = &c->slots[i];

		if (s->kind == SLOT_PREPARE && s->sql != NULL && PQresultStatus(s->res) != PGRES_COMMAND_OK) {
			int before = c->n_discard;

			lru_del(c->stmts, str_c(s->sql));
			c->n_discard = before;
		}
	}
}

static void
collect(struct db_conn *c)
{
	while (c->flying && !PQisBusy(c->pg)) {
		PGresult *r = PQgetResult(c->pg);

		if (r == NULL) {
			if (c->at < c->n_slots)
				c->at++;
			else
				break;
		} else if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			PQclear(r);
			forget_unprepared(c);
			flight_over(c);
			return;
		} else if (c->at < c->n_slots) {
			PQclear(c->slots[c->at].res);
			c->slots[c->at].res = r;
		} else {
			PQclear(r);
		}
	}
}

static void
on_poll(uv_poll_t *h, int status, int events)
{
	struct db_conn *c = h->data;

	if (status < 0) {
		conn_broken(c);
		return;
	}
	if (events & UV_WRITABLE) {
		flush(c);
		if (c->state == CONN_DEAD || c->broken)
			return;
	}
	if (events & UV_READABLE) {
		if (!PQconsumeInput(c->pg) || PQstatus(c->pg) == CONNECTION_BAD) {
			conn_broken(c);
			return;
		}
		collect(c);
	}
}

/* The connection is lost: whoever waits is told; an owner still holds it and gives it back. */
static void
conn_broken(struct db_conn *c)
{
	if (c->broken)
		return;
	c->broken = true;
	c->flying = false;
	log_debug(NULL, "database connection lost", "error=%s", PQerrorMessage(c->pg));
	uv_poll_stop(&c->poll);
	if (c->state == CONN_OWNED) {
		fib_signal(&c->done);
		return;
	}
	if (c->state == CONN_IDLE)
		idle_remove(c);
	else
		n_busy--;
	conn_close(c);
	pool_next();
}

/* ---- connecting ---- */

/* Host names are resolved by the caller into hostaddr, because libpq would block on them. */
static char *host_name, *host_addr;

static PGconn *
start_connect(void)
{
	const char *keys[] = {"dbname", "hostaddr", "options", "application_name", "client_encoding", "fallback_application_name", NULL};
	const char *values[] = {conf.db_url, host_addr,
	    "-c TimeZone=UTC -c DateStyle=ISO -c random_page_cost=1.1 -c jit=off -c standard_conforming_strings=on", "badal", "UTF8", "badal",
	    NULL};
	const char *k[8], *v[8];
	int n = 0;

	for (int i = 0; keys[i] != NULL; i++) {
		if (values[i] == NULL)
			continue;
		k[n] = keys[i];
		v[n++] = values[i];
	}
	k[n] = v[n] = NULL;
	return PQconnectStartParams(k, v, 1);
}


static void
connect_failed(struct db_conn *c)
{
	const char *why = PQerrorMessage(c->pg);

	free(last_failure);
	last_failure = mem_strdup(why);
	backoff = backoff == 0 ? BACKOFF_MIN : backoff * 2 > BACKOFF_MAX ? BACKOFF_MAX : backoff * 2;
	retry_at = loop_now() + backoff;
	log_debug(NULL, "cannot connect to the database", "error=%s", why);
	n_busy--;
	conn_close(c);
	pool_next();
}

static void on_connect_poll(uv_poll_t *h, int status, int events);

/* libpq may change the socket while it tries addresses: the handle follows. */
static void
watch_connect(struct db_conn *c, PostgresPollingStatusType want_io)
{
	int ev = want_io == PGRES_POLLING_WRITING ? UV_WRITABLE : UV_READABLE;

	uv_poll_start(&c->poll, ev, on_connect_poll);
}

static void
connected(struct db_conn *c)
{
	if (PQsetnonblocking(c->pg, 1) != 0 || PQenterPipelineMode(c->pg) != 1) {
		connect_failed(c);
		return;
	}
	backoff = 0;
	retry_at = 0;
	metric_add(M_db_connects, 1);
	c->want_write = false;
	uv_poll_start(&c->poll, UV_READABLE, on_poll);
	c->state = CONN_OWNED;
	db_release(c);
}

static void
on_connect_poll(uv_poll_t *h, int status, int events)
{
	struct db_conn *c = h->data;
	int fd = PQsocket(c->pg);
	PostgresPollingStatusType st;

	(void)events;
	if (status < 0) {
		connect_failed(c);
		return;
	}
	st = PQconnectPoll(c->pg);
	if (st == PGRES_POLLING_FAILED)
		connect_failed(c);
	else if (PQsocket(c->pg) != fd)
		connect_failed(c);	/* a further address was begun: the next attempt starts there, through the list again */
	else if (st == PGRES_POLLING_OK)
		connected(c);
	else
		watch_connect(c, st);
}

static void
conn_open(void)
{
	struct db_conn *c = mem_zalloc(sizeof *c);

	c->state = CONN_CONNECTING;
	c->since = loop_now();
	c->stmts = lru_new((size_t)(conf.db_prepared_max > 0 ? conf.db_prepared_max : 1), stmt_drop);
	c->pg = start_connect();
	if (c->pg == NULL)
		mem_fatal(0);
	n_open++;
	n_busy++;
	if (n_all == cap_all) {
		cap_all = cap_all ? cap_all * 2 : 16;
		all = mem_realloc(all, cap_all * sizeof *all);
	}
	all[n_all++] = c;
	gauges();
	if (PQstatus(c->pg) == CONNECTION_BAD || uv_poll_init(loop_uv(), &c->poll, PQsocket(c->pg)) != 0) {
		connect_failed(c);
		return;
	}
	c->poll.data = c;
	c->polling = true;
	watch_connect(c, PGRES_POLLING_WRITING);
}

/* ---- the pool ---- */

static void
waiter_remove(struct waiter *w)
{
	for (struct waiter **p = &first_waiter; *p != NULL; p = &(*p)->next) {
		if (*p == w) {
			*p = w->next;
			if (*p == NULL)
				last_waiter = p;
			n_waiting--;
			return;
		}
	}
}

static struct waiter *
waiter_pop(void)
{
	struct waiter *w = first_waiter;

	first_waiter = w->next;
	if (first_waiter == NULL)
		last_waiter = &first_waiter;
	n_waiting--;
	return w;
}

static void
own(struct db_conn *c)
{
	c->state = CONN_OWNED;
	n_busy++;
	gauges();
}

/* Opens what the waiters need, as far as the pool may grow and PostgreSQL is there. */
static void
pool_next(void)
{
	unsigned connecting = 0;

	if (closing || first_waiter == NULL)
		return;
	for (unsigned i = 0; i < n_all; i++)
		connecting += all[i]->state == CONN_CONNECTING;
	if (connecting >= n_waiting || n_open >= (unsigned)conf.db_pool_size || loop_now() < retry_at)
		return;
	conn_open();
}

/* Rarely: connections that take too long, and another try after a failed one. */
static void
sweep(void *arg)
{
	uint64_t now = loop_now();

	(void)arg;
	for (unsigned i = 0; i < n_all; i++) {
		struct db_conn *c = all[i];

		if (c->state == CONN_DRAINING && now - c->since > DRAIN_MAX) {
			n_busy--;
			conn_close(c);
			break;
		}
		if (c->state == CONN_CONNECTING && now - c->since > CONNECT_MAX) {
			connect_failed(c);
			break;
		}
	}
	pool_next();
}

err_t
db_acquire(struct ctx *cx, struct db_conn **out)
{
	struct db_conn *c = idle;
	struct waiter w = {0};
	err_t e;

	if (c != NULL) {
		idle = c->next;
		own(c);
		*out = c;
		return OK;
	}
	*last_waiter = &w;
	last_waiter = &w.next;
	n_waiting++;
	pool_next();
	gauges();
	e = fib_await(cx, &w.ev);
	if (w.given != NULL && e == OK) {
		*out = w.given;
		return OK;
	}
	if (w.given != NULL)
		db_release(w.given);
	else
		waiter_remove(&w);
	gauges();
	if (e != ERR_TIMEOUT)
		return e == OK ? ERR_DB : e;
	metric_add(M_db_wait_timeouts, 1);
	return fail(cx, n_open == 0 ? ERR_DB_DOWN : ERR_DB_BUSY, "no connection: %s", n_open == 0 && last_failure ? last_failure : "pool is busy");
}

void
db_release(struct db_conn *c)
{
	if (c->broken || closing) {
		n_busy--;
		conn_close(c);
		pool_next();
		return;
	}
	slots_clear(c);
	if (c->in_tx) {
		c->in_tx = false;
		db_put(c, "ROLLBACK", 0, NULL, false);
		PQpipelineSync(c->pg);
		c->flying = true;
		c->sent_us = time_now_us();
		c->state = CONN_DRAINING;
		c->since = loop_now();
		flush(c);
		return;
	}
	if (n_open > (unsigned)conf.db_pool_size) {	/* the pool was made smaller */
		n_busy--;
		conn_close(c);
		return;
	}
	if (first_waiter != NULL) {
		struct waiter *w = waiter_pop();

		w->given = c;
		c->state = CONN_OWNED;
		fib_signal(&w->ev);
		return;
	}
	n_busy--;
	c->state = CONN_IDLE;
	c->next = idle;
	idle = c;
	gauges();
}

/* ---- flights ---- */

static struct slot *
slot_new(struct db_conn *c, enum slot_kind kind)
{
	struct slot *s;

	if (c->n_slots == c->cap_slots) {
		c->cap_slots = c->cap_slots ? c->cap_slots * 2 : 8;
		c->slots = mem_realloc(c->slots, (size_t)c->cap_slots * sizeof *c->slots);
	}
	s = &c->slots[c->n_slots++];
	*s = (struct slot){.kind = kind};
	return s;
}

static void
put_discards(struct db_conn *c)
{
	while (c->n_discard > 0 && !c->in_tx) {
		char sql[40];

		snprintf(sql, sizeof sql, "DEALLOCATE %s", c->discard[--c->n_discard]);
		if (PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0))
			slot_new(c, SLOT_DISCARD);
	}
}

/* The prepared statement for this text, prepared in this same flight when it is new. */
static struct stmt *
stmt_of(struct db_conn *c, const char *sql)
{
	struct str key = str_c(sql);
	struct stmt *s = lru_get(c->stmts, key);

	if (s != NULL)
		return s;
	put_discards(c);
	s = mem_zalloc(sizeof *s);
	s->conn = c;
	s->sql = mem_strdup(sql);
	snprintf(s->name, sizeof s->name, "b%u", c->n_names++);
	if (PQsendPrepare(c->pg, s->name, sql, 0, NULL))
		slot_new(c, SLOT_PREPARE)->sql = s->sql;
	lru_put(c->stmts, key, s);
	return s;
}

void
db_put(struct db_conn *c, const char *sql, int n, const char *const *v, bool keep)
{
	int sent;

	if (c->broken)
		return;
	metric_add(M_db_queries, 1);
	if (keep && conf.db_prepared)
		sent = PQsendQueryPrepared(c->pg, stmt_of(c, sql)->name, n, v, NULL, NULL, 0);
	else
		sent = PQsendQueryParams(c->pg, sql, n, NULL, v, NULL, NULL, 0);
	if (sent)
		slot_new(c, SLOT_EXEC);
	else
		conn_broken(c);
}

static err_t
error_of(struct ctx *cx, const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE), *constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);

	metric_add(M_db_errors, 1);
	cx->code = arena_strdup(cx->arena, state ? state : "");
	cx->subject = arena_strdup(cx->arena, constraint ? constraint : "");
	if (state != NULL && strcmp(state, "23505") == 0)
		return fail(cx, ERR_DB_UNIQUE, "constraint=%s", cx->subject);
	if (state != NULL && strncmp(state, "22", 2) == 0)
		return fail(cx, ERR_DB_DATA, "sqlstate=%s %s", state, text ? text : "");
	/* 57P01-57P03: shutting down, crashed, starting up */
	if (state != NULL && strncmp(state, "57P", 3) == 0)
		return fail(cx, ERR_DB_DOWN, "sqlstate=%s %s", state, text ? text : "");
	return fail(cx, ERR_DB, "sqlstate=%s %s", state ? state : "", text ? text : PQresultErrorMessage(r));
}

static bool
failed(const PGresult *r)
{
	ExecStatusType st = PQresultStatus(r);

	return st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK && st != PGRES_SINGLE_TUPLE;
}

static err_t
first_error(struct ctx *cx, const struct db_conn *c)
{
	for (int i = 0; i < c->n_slots; i++) {
		const struct slot *s = &c->slots[i];

		if (s->kind != SLOT_DISCARD && failed(s->res) && PQresultStatus(s->res) != PGRES_PIPELINE_ABORTED)
			return error_of(cx, s->res);
	}
	return OK;
}

err_t
db_fly(struct ctx *cx, struct db_conn *c)
{
	err_t e;

	if (c->broken)
		return fail(cx, ERR_DB_DOWN, "connection lost");
	fib_event_reset(&c->done);
	c->at = 0;
	c->flying = true;
	c->sent_us = time_now_us();
	if (!PQpipelineSync(c->pg)) {
		conn_broken(c);
		return fail(cx, ERR_DB_DOWN, "connection lost");
	}
	flush(c);
	if (!c->broken) {
		e = fib_await(cx, &c->done);
		if (e != OK)
			return e;
	}
	if (c->broken)
		return fail(cx, ERR_DB_DOWN, "connection lost: %s", PQerrorMessage(c->pg));
	return first_error(cx, c);
}

bool
db_stale_plan(const struct db_conn *c)
{
	for (int i = 0; i < c->n_slots; i++) {
		const char *state = PQresultErrorField(c->slots[i].res, PG_DIAG_SQLSTATE);

		/* "cached plan must not change result type", "prepared statement does not exist" */
		if (state != NULL && (strcmp(state, "0A000") == 0 || strcmp(state, "26000") == 0))
			return true;
	}
	return false;
}

static void
clear_result(void *p)
{
	PQclear(p);
}

struct db_res *
db_take(struct ctx *cx, struct db_conn *c)
{
	struct slot *s = &c->slots[c->n_slots - 1];
	PGresult *r = s->res;

	s->res = NULL;
	defer(cx, clear_result, r);
	return (struct db_res *)r;
}

void
db_set_in_tx(struct db_conn *c, bool in_tx)
{
	c->in_tx = in_tx;
}

/* Leaves a connection whose flight we no longer wait for. */
static void
leave(struct db_conn *c)
{
	if (!c->flying || c->broken) {
		db_release(c);
		return;
	}
	c->state = CONN_DRAINING;
	c->since = loop_now();
}

static err_t
query_once(struct ctx *cx, struct db_conn *c, struct db_res **out, const char *sql, int n, const char *const *v)
{
	slots_clear(c);
	db_put(c, sql, n, v, true);
	TRY(db_fly(cx, c));
	*out = db_take(cx, c);
	return OK;
}

err_t
db_query(struct ctx *cx, struct db_res **out, const char *sql, int n, const char *const *v)
{
	struct db_conn *c;
	err_t e;

	TRY(db_acquire(cx, &c));
	e = query_once(cx, c, out, sql, n, v);
	if (e == ERR_DB && db_stale_plan(c)) {
		lru_del(c->stmts, str_c(sql));
		e = query_once(cx, c, out, sql, n, v);
	}
	leave(c);
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

/* ---- transactions ---- */

struct db_tx {
	struct ctx *cx;
	struct db_conn *c;	/* NULL once it ended */
	bool begun;
};

static void
tx_end(void *p)
{
	tx_rollback(p);
}

err_t
tx_begin(struct ctx *cx, struct db_tx **tx_out)
{
	struct db_tx *tx = arena_new_of(cx->arena, struct db_tx);

	TRY(db_acquire(cx, &tx->c));
	slots_clear(tx->c);
	tx->cx = cx;
	defer(cx, tx_end, tx);
	*tx_out = tx;
	return OK;
}

struct ctx *
tx_ctx(struct db_tx *tx)
{
	return tx->cx;
}

static void
begin_once(struct db_tx *tx)
{
	if (tx->begun)
		return;
	tx->begun = true;
	db_put(tx->c, "BEGIN", 0, NULL, true);
	tx->c->in_tx = true;
}

void
tx_add(struct db_tx *tx, const char *sql, int n, const char *const *v)
{
	assert(tx->c != NULL);
	begin_once(tx);
	db_put(tx->c, sql, n, v, true);
}

err_t
tx_query(struct db_tx *tx, struct db_res **out, const char *sql, int n, const char *const *v)
{
	if (tx->c == NULL)
		return fail(tx->cx, ERR_DB, "transaction is over");
	tx_add(tx, sql, n, v);
	TRY(db_fly(tx->cx, tx->c));
	*out = db_take(tx->cx, tx->c);
	slots_clear(tx->c);
	return OK;
}

err_t
tx_commit(struct db_tx *tx)
{
	err_t e;

	if (tx->c == NULL)
		return fail(tx->cx, ERR_DB, "transaction is over");
	tx_add(tx, "COMMIT", 0, NULL);
	e = db_fly(tx->cx, tx->c);
	if (e == OK)
		tx->c->in_tx = false;
	tx_rollback(tx);
	return e;
}

void
tx_rollback(struct db_tx *tx)
{
	struct db_conn *c = tx->c;

	if (c == NULL)
		return;
	tx->c = NULL;
	if (!c->flying && !c->broken && c->in_tx && c->n_slots > 0 && c->slots[0].res == NULL) {
		/* statements were put but never sent: let them fly into the rollback's flight */
		db_put(c, "ROLLBACK", 0, NULL, false);
		c->in_tx = false;
		c->at = 0;
		c->flying = true;
		c->sent_us = time_now_us();
		PQpipelineSync(c->pg);
		c->state = CONN_DRAINING;
		c->since = loop_now();
		flush(c);
		return;
	}
	leave(c);
}

/* ---- start and end ---- */

static void
resolved(uv_getaddrinfo_t *g, int status, struct addrinfo *list)
{
	char text[64];

	if (status == 0 && list != NULL && uv_ip_name(list->ai_addr, text, sizeof text) == 0) {
		free(host_addr);
		host_addr = mem_strdup(text);
	} else {
		log_warn(NULL, "cannot resolve the database host", "host=%s error=%s", host_name, uv_strerror(status));
	}
	uv_freeaddrinfo(list);
	free(g);
	pool_next();
}

/* A single host given by name is resolved on the thread pool; lists, addresses and socket directories are libpq's. */
static void
resolve_host(void)
{
	PQconninfoOption *o = PQconninfoParse(conf.db_url, NULL);
	unsigned char ip[16];

	for (PQconninfoOption *p = o; p != NULL && p->keyword != NULL; p++) {
		if (strcmp(p->keyword, "host") == 0 && p->val != NULL && p->val[0] != '/' && strchr(p->val, ',') == NULL &&
		    uv_inet_pton(AF_INET, p->val, ip) != 0 && uv_inet_pton(AF_INET6, p->val, ip) != 0) {
			uv_getaddrinfo_t *g = mem_zalloc(sizeof *g);

			host_name = mem_strdup(p->val);
			if (uv_getaddrinfo(loop_uv(), g, resolved, host_name, NULL, NULL) != 0)
				free(g);
		}
	}
	PQconninfoFree(o);
}

void
db_init(void)
{
	closing = false;
	resolve_host();
	sweeper = loop_every(100, sweep, NULL);
}

void
db_fini(void)
{
	closing = true;
	loop_timer_stop(&sweeper);
	while (idle != NULL) {
		struct db_conn *c = idle;

		idle = c->next;
		conn_close(c);
	}
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

const char *
db_sqlstate(const struct ctx *cx)
{
	return cx->code ? cx->code : "";
}

const char *
db_constraint(const struct ctx *cx)
{
	return cx->subject ? cx->subject : "";
}
