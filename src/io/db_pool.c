/* The pool: connections lent to fibers in turns (db_share.c), opened when somebody waits.
 *
 * The rule: a connection is reused only when nothing of its last user is left on it. One whose flight was abandoned drains first, is
 * cancelled when that takes long, and is then closed, since a late cancel request could hit somebody else's statement. */
#include "db_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum {
	BACKOFF_MIN = 50,	/* ms between attempts to connect while PostgreSQL is away */
	BACKOFF_MAX = 2000,
	DRAIN_CANCEL = 1000,	/* ms until an abandoned flight is cancelled */
	DRAIN_MAX = 10000,	/* ms until its connection is dropped */
	ROLLBACKS_MAX = 2,
	DEAD_MAX = 32,		/* dropped statements a connection may leave on the server */
	SHRINK_TICK = 1000	/* ms between looks for idle connections */
};

struct cancel {			/* outlives a connection that is dropped meanwhile */
	uv_work_t work;
	PGcancel *request;
	struct db_conn *conn;	/* NULL: gone */
};

static struct db_conn *all, *idle;
static unsigned n_open, n_busy, n_connecting, n_waiting;
static uint64_t backoff;
static struct loop_timer *retry;	/* set: no attempt to connect before it fires */
static struct loop_timer *shrink;	/* set: while connections are open */
static char *last_failure;		/* why connecting failed last */
static bool closing;

static void hand_out(void);

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

err_t
dbp_check(struct ctx *cx)
{
	struct fib_event now = {.set = true};

	if (cx->deadline != 0 && loop_now() >= cx->deadline)
		return fail(cx, ERR_TIMEOUT, "deadline passed");
	return fib_await(cx, &now);
}

/* ---- the set of all connections ---- */

static void
unlink_conn(struct db_conn *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		all = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	n_open--;
}

static void
db_pool_drop(struct db_conn *c)
{
	if (c->state == DBC_BUSY || c->state == DBC_DRAINING || c->state == DBC_BROKEN)
		n_busy--;
	else if (c->state == DBC_CONNECTING)
		n_connecting--;
	dbs_returned(c);
	unlink_conn(c);
	dbc_free(c);
	gauges();
	hand_out();
}

static void
idle_remove(struct db_conn *c)
{
	for (struct db_conn **p = &idle; *p != NULL; p = &(*p)->below) {
		if (*p == c) {
			*p = c->below;
			return;
		}
	}
}

/* At the bottom of the stack. */
static struct db_conn *
longest_idle(void)
{
	struct db_conn *c = idle;

	while (c != NULL && c->below != NULL)
		c = c->below;
	return c;
}

/* What a burst has opened is closed when the burst is over: each costs PostgreSQL some MiB. */
static void
db_pool_shrink(void *arg)
{
	struct db_conn *c;

	(void)arg;
	while (conf.db_idle > 0 && (c = longest_idle()) != NULL && loop_now() - c->idle_since >= (uint64_t)conf.db_idle) {
		metric_add(M_db_idle_closed, 1);
		idle_remove(c);
		db_pool_drop(c);
	}
	if (n_open == 0)
		loop_timer_stop(&shrink);
}

/* A connection with nothing on it goes onto the stack of the idle, and from there to whose turn it is. */
static void
db_pool_settle(struct db_conn *c)
{
	if (closing || n_open > (unsigned)conf.db_pool_size) {	/* the pool may have been made smaller */
		db_pool_drop(c);
		return;
	}
	dbs_returned(c);
	n_busy--;
	dbc_move(c, DBC_IDLE);
	c->idle_since = loop_now();
	c->below = idle;
	idle = c;
	if (shrink == NULL)
		shrink = loop_every(SHRINK_TICK, db_pool_shrink, NULL);
	hand_out();
}

/* ---- opening ---- */

static void
retry_now(void *arg)
{
	(void)arg;
	retry = NULL;
	hand_out();
}

/* Opens what the waiters need, as far as the pool may grow and PostgreSQL is there. */
static void
db_pool_grow(void)
{
	if (n_waiting == 0)
		return;
	while (!closing && retry == NULL && n_open < (unsigned)conf.db_pool_size && n_connecting < dbs_wanted()) {
		struct db_conn *c = mem_zalloc(sizeof *c);

		c->magic = DBC_MAGIC;
		c->state = DBC_CONNECTING;
		stmts_init(&c->stmts);
		c->next = all;
		if (all != NULL)
			all->prev = c;
		all = c;
		n_open++;
		n_connecting++;
		gauges();
		dbc_open(c);
	}
}

void
dbp_connected(struct db_conn *c)
{
	backoff = 0;
	n_connecting--;
	n_busy++;
	dbc_move(c, DBC_BUSY);
	db_pool_settle(c);
}

void
dbp_connect_failed(struct db_conn *c, const char *why)
{
	free(last_failure);
	last_failure = mem_strdup(why);
	if (backoff == 0)	/* once per outage */
		log_warn(NULL, "cannot connect to PostgreSQL", "error=%.*s", (int)strcspn(last_failure, "\n"), last_failure);
	backoff = backoff == 0 ? BACKOFF_MIN : backoff * 2 > BACKOFF_MAX ? BACKOFF_MAX : backoff * 2;
	if (retry == NULL && !closing)
		retry = loop_after(backoff, retry_now, NULL);
	db_pool_drop(c);
}

/* ---- lending ---- */

static void
lend(struct db_share *s, const struct ctx *cx, struct db_conn **out)
{
	struct db_conn *c = idle;

	idle = c->below;
	n_busy++;
	dbc_move(c, DBC_BUSY);
	dbs_lend(c, s, cx);
	*out = c;
}

/* Idle connections to those who wait, and more when they are too few. */
static void
hand_out(void)
{
	struct db_waiter *w;

	while (!closing && n_waiting > 0 && idle != NULL && (w = dbs_next(all)) != NULL) {
		n_waiting--;
		lend(w->share, w->cx, &w->given);
		fib_signal(&w->ev);
	}
	db_pool_grow();
	gauges();
}

static err_t
no_connection(struct ctx *cx, err_t e)
{
	bool down = n_open == n_connecting && last_failure != NULL;

	if (e != ERR_TIMEOUT)
		return e;
	metric_add(M_db_wait_timeouts, 1);
	return fail(cx, down ? ERR_DB_DOWN : ERR_DB_BUSY, "no connection: %s", down ? last_failure : "the pool is busy");
}

err_t
dbp_get(struct ctx *cx, struct db_conn **out)
{
	struct db_share *s = dbs_of(cx);
	struct db_waiter w = {0};
	err_t e;

	TRY(dbp_check(cx));
	if (closing)
		return fail(cx, ERR_STOPPING, "the pool is closed");
	if (idle != NULL && dbs_may_have(all, s, cx)) {
		lend(s, cx, out);
		gauges();
		return OK;
	}
	dbs_wait(&w, s, cx);
	n_waiting++;
	hand_out();
	e = conf.db_wait > 0 ? fib_await_for(cx, &w.ev, (uint64_t)conf.db_wait) : fib_await(cx, &w.ev);
	if (e != OK && w.given != NULL) {
		dbp_put(w.given);	/* it came in the very turn in which the wait ended */
	} else if (e != OK) {
		dbs_leave(&w);
		n_waiting--;
	}
	gauges();
	*out = w.given;
	return e == OK ? OK : no_connection(cx, e);
}

/* ---- draining ---- */

static void
cancel_run(uv_work_t *work)
{
	struct cancel *k = work->data;
	char error[256];

	PQcancel(k->request, error, sizeof error);	/* opens a connection of its own: blocks */
}

static void
cancel_done(uv_work_t *work, int status)
{
	struct cancel *k = work->data;

	(void)status;
	if (k->conn != NULL)
		k->conn->cancel = NULL;
	PQfreeCancel(k->request);
	free(k);
}

void
dbp_cancel_forget(struct db_conn *c)
{
	if (c->cancel != NULL)
		c->cancel->conn = NULL;
	c->cancel = NULL;
}

static void
drain_too_long(void *arg)
{
	struct db_conn *c = arg;

	c->timer = NULL;
	log_warn(NULL, "a statement would not end: connection dropped", "after_ms=%d", DRAIN_MAX);
	db_pool_drop(c);
}

static void
drain_cancel(void *arg)
{
	struct db_conn *c = arg;
	struct cancel *k = mem_zalloc(sizeof *k);

	c->cancelled = true;
	k->work.data = k;
	k->conn = c;
	k->request = PQgetCancel(c->pg);
	c->timer = loop_after(DRAIN_MAX - DRAIN_CANCEL, drain_too_long, c);
	if (k->request == NULL || uv_queue_work(loop_uv(), &k->work, cancel_run, cancel_done) != 0) {
		PQfreeCancel(k->request);
		free(k);
		return;
	}
	c->cancel = k;
}

static void
db_pool_drain(struct db_conn *c)
{
	dbc_move(c, DBC_DRAINING);
	if (c->timer == NULL)
		c->timer = loop_after(DRAIN_CANCEL, drain_cancel, c);
}

static void
roll_back(struct db_conn *c)
{
	c->rollbacks++;
	db_pool_drain(c);
	dbc_begin(c);
	dbc_statement(c, STEP_PLAIN, "ROLLBACK", 0, NULL);
	dbc_sync(c);
}

/* Statements that the cache dropped are still known to the server. */
static void
deallocate(struct db_conn *c)
{
	char sql[32];

	db_pool_drain(c);
	dbc_begin(c);
	c->stmts.dead_bytes = 0;
	while (c->stmts.n_dead > 0) {
		snprintf(sql, sizeof sql, "DEALLOCATE %s", c->stmts.dead[--c->stmts.n_dead]);
		dbc_statement(c, STEP_PLAIN, sql, 0, NULL);
	}
	dbc_sync(c);
}

/* What is left to do before the connection may be lent again. */
static void
tidy(struct db_conn *c)
{
	if (dbc_in_tx(c) && c->rollbacks >= ROLLBACKS_MAX) {
		db_pool_drop(c);
	} else if (dbc_in_tx(c)) {
		roll_back(c);
	} else if (c->stmts.n_dead >= DEAD_MAX || c->stmts.dead_bytes > (size_t)conf.db_prepared_bytes / 4) {
		deallocate(c);
	} else {
		loop_timer_stop(&c->timer);
		c->rollbacks = 0;
		db_pool_settle(c);
	}
}

void
dbp_flight_ended(struct db_conn *c)
{
	if (c->cancelled)
		db_pool_drop(c);
	else
		tidy(c);
}

void
dbp_put(struct db_conn *c)
{
	assert(c->state == DBC_BUSY || c->state == DBC_BROKEN);
	if (c->state == DBC_BROKEN || closing)
		db_pool_drop(c);
	else if (c->flying)
		db_pool_drain(c);
	else
		tidy(c);
}

void
dbp_lost(struct db_conn *c, const char *why)
{
	c->flying = false;
	switch (c->state) {
	case DBC_CONNECTING:
		dbp_connect_failed(c, why);
		return;
	case DBC_BUSY:
		c->why = mem_strdup(why);
		dbc_watch(c, 0);
		dbc_move(c, DBC_BROKEN);
		fib_signal(&c->done);
		return;
	case DBC_IDLE:
		idle_remove(c);
		break;
	case DBC_DRAINING:
		break;
	case DBC_BROKEN:
		return;
	}
	log_debug(NULL, "connection to PostgreSQL lost", "error=%s", why);
	db_pool_drop(c);
}

/* ---- start and end ---- */

void
db_init(void)
{
	closing = false;
	backoff = 0;
}

void
db_fini(void)
{
	struct db_conn *c, *next;

	closing = true;
	loop_timer_stop(&retry);
	loop_timer_stop(&shrink);
	for (c = all; c != NULL; c = next) {
		next = c->next;
		if (c->state == DBC_BUSY || c->state == DBC_BROKEN)
			continue;	/* dropped when it is given back */
		if (c->state == DBC_IDLE)
			idle_remove(c);
		db_pool_drop(c);
	}
}
