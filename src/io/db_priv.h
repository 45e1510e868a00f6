/* PostgreSQL, private: connections (db_conn.c, db_connect.c), their statements (db_stmt.c), the pool (db_pool.c) and its shares (db_share.c).
 *
 * A connection is lent to one fiber at a time and stays in libpq's pipeline mode. What a fiber sends up to one sync point is a
 * flight: one send, and the fiber sleeps until the sync point has come back. Results live in the connection until the fiber
 * takes them, so a fiber that left early leaves nothing behind that a late result could touch. */
#ifndef BADAL_IO_DB_PRIV_H
#define BADAL_IO_DB_PRIV_H

#include <libpq-fe.h>
#include <uv.h>

#include "core/fair.h"
#include "io/db.h"

enum { DBC_MAGIC = 0x70676378, STMT_BUCKETS = 512, STMT_SEEN = 1024 };

enum dbc_state {
	DBC_CONNECTING,	/* names, handshake, session settings */
	DBC_IDLE,	/* on the pool's stack */
	DBC_BUSY,	/* lent to a fiber */
	DBC_DRAINING,	/* given back with a flight or a transaction open; or tidying up */
	DBC_BROKEN	/* dead, but still lent: freed when it is given back */
};

struct stmt {			/* a prepared statement of one connection */
	struct stmt *chain;	/* of its bucket */
	struct stmt *prev, *next;	/* ring by use, the oldest first */
	uint64_t hash;
	size_t len;
	unsigned flight;	/* the last that used it: it must not be dropped before that ends */
	bool ready;		/* the server has confirmed it */
	char name[12];
	char *sql;		/* behind the struct */
};

struct stmts {
	struct stmt *buckets[STMT_BUCKETS];
	struct stmt ring;
	unsigned count;
	size_t bytes;		/* of their texts: what PostgreSQL keeps of each grows with it */
	unsigned last_id;
	uint32_t seen[STMT_SEEN];	/* parts of the hashes of statements that came lately */
	char (*dead)[12];	/* dropped here, not yet on the server */
	unsigned n_dead, cap_dead;
	size_t dead_bytes;
};

enum step_kind { STEP_PREPARE, STEP_PLAIN, STEP_WANTED };

struct step {			/* one command of a flight */
	enum step_kind kind;
	struct stmt *stmt;	/* used or made, NULL: neither */
};

struct resolve;
struct cancel;

struct db_conn {
	unsigned magic;
	enum dbc_state state;		/* moved by dbc_move only */
	struct db_conn *prev, *next;	/* of all connections */
	struct db_conn *below;		/* of the idle */
	uint64_t idle_since;		/* loop_now() */
	struct db_share *share;		/* it is lent to, or not clean since; NULL: nobody's */
	struct fair_key borrower;	/* who has it, or had it last */
	PGconn *pg;
	uv_poll_t *poll;		/* NULL: not watched */
	int events;			/* it is watched for */
	struct loop_timer *timer;	/* connecting: gives up; draining: cancels, then gives up */
	struct resolve *resolve;
	struct cancel *cancel;		/* a cancel request that is on its way */
	uint64_t drain_since;
	bool cancelled;			/* one was sent for this flight */
	int rollbacks;			/* tried while draining */
	char *why;			/* what broke it */
	struct stmts stmts;
	/* the flight */
	bool flying;
	bool script;			/* simple protocol, outside pipeline mode */
	bool stale;			/* a prepared statement had outlived its tables: it was dropped, try again */
	unsigned flight;		/* its number */
	struct step *steps;
	int n_steps, cap_steps, at;	/* at: whose results come now */
	uint64_t sent;			/* uv_hrtime */
	PGresult *wanted;		/* of the STEP_WANTED */
	PGresult *error;		/* the first refusal */
	struct fib_event done;
};

/* ---- db_conn.c: a connection that is up ---- */
void dbc_move(struct db_conn *c, enum dbc_state to);
void dbc_watch(struct db_conn *c, int events);		/* 0: not at all */
void dbc_free(struct db_conn *c);
/* Sends: statements, then dbc_sync; or one script. Nothing is awaited; a dead connection shows at the end of the flight. */
void dbc_begin(struct db_conn *c);
void dbc_statement(struct db_conn *c, enum step_kind kind, const char *sql, int n, const char *const *v);
void dbc_sync(struct db_conn *c);
void dbc_script(struct db_conn *c, const char *sql);
/* Awaits the end of the flight. */
err_t dbc_await(struct ctx *cx, struct db_conn *c) MUST_CHECK;
/* The wanted result (may be NULL; the caller's), or the error of the flight, noted in cx. */
err_t dbc_result(struct ctx *cx, struct db_conn *c, PGresult **out) MUST_CHECK;
bool dbc_in_tx(const struct db_conn *c);
/* True for SELECT, INSERT, UPDATE, DELETE and WITH: what is worth preparing and safe in an implicit transaction. */
bool sql_is_dml(const char *sql);

/* ---- db_connect.c ---- */
/* A new connection on its way up; dbp_connected or dbp_connect_failed (which frees it) follow, perhaps before this returns. */
void dbc_open(struct db_conn *c);
void dbc_connect_step(struct db_conn *c);
void dbc_settings_done(struct db_conn *c);
void dbc_resolve_stop(struct db_conn *c);

/* ---- db_stmt.c ---- */
void stmts_init(struct stmts *s);
void stmts_fini(struct stmts *s);
struct stmt *stmts_find(struct stmts *s, const char *sql, size_t len, uint64_t hash);	/* and makes it the newest */
struct stmt *stmts_add(struct stmts *s, const char *sql, size_t len, uint64_t hash);
void stmts_drop(struct stmts *s, struct stmt *st);
/* Whether a statement with this hash came lately, too; the next time it did. */
bool stmts_again(struct stmts *s, uint64_t hash);
/* Drops the oldest until no more than `max` of `bytes` remain, except those of `flight`. */
void stmts_trim(struct stmts *s, unsigned max, size_t bytes, unsigned flight);
uint64_t sql_hash(const char *sql, size_t len);

/* ---- db_pool.c ---- */
/* Awaits. A connection for this fiber; give it back with dbp_put, in whatever condition. */
err_t dbp_get(struct ctx *cx, struct db_conn **out) MUST_CHECK;
void dbp_put(struct db_conn *c);
/* OK unless the context was cancelled or is past its deadline. */
err_t dbp_check(struct ctx *cx) MUST_CHECK;
void dbp_connected(struct db_conn *c);
void dbp_connect_failed(struct db_conn *c, const char *why);
void dbp_flight_ended(struct db_conn *c);	/* of one that drains */
void dbp_lost(struct db_conn *c, const char *why);	/* the server is gone; c may be freed */
void dbp_cancel_forget(struct db_conn *c);

/* ---- db_share.c ---- */
struct db_waiter {		/* a fiber that waits for a connection. First the item: the queue gives it back */
	struct fair_item item;
	struct db_share *share;
	const struct ctx *cx;
	struct fib_event ev;
	struct db_conn *given;
};
struct db_share *dbs_of(const struct ctx *cx);
bool dbs_has_room(const struct db_share *s);
void dbs_lend(struct db_conn *c, struct db_share *s, const struct ctx *cx);
/* Whether this context may have an idle connection at once. `all`: the connections. */
bool dbs_may_have(const struct db_conn *all, const struct db_share *s, const struct ctx *cx);
void dbs_returned(struct db_conn *c);	/* clean, or gone */
void dbs_wait(struct db_waiter *w, struct db_share *s, const struct ctx *cx);
void dbs_leave(struct db_waiter *w);
/* How many of those who wait could have a connection. */
unsigned dbs_wanted(void);
/* Takes out who is next, NULL: nobody that may have one. `all`: the connections. */
struct db_waiter *dbs_next(const struct db_conn *all);

/* ---- db.c ---- */
/* Notes what PostgreSQL said in cx and maps its SQLSTATE. */
err_t db_fail(struct ctx *cx, const PGresult *r) MUST_CHECK;
/* Awaits. After a statement or a transaction failed with e: true when it lost against another (deadlock, serialization failure) and is to be
 * begun anew; a little pause has passed. A context has a few such retries, whatever they are for. */
bool db_again(struct ctx *cx, err_t e);
/* A result that lives as long as cx. */
struct db_res *db_keep(struct ctx *cx, PGresult *r);

/* ---- db_tx.c ---- */
/* Awaits. Several statements in one string within the transaction, simple protocol. */
err_t tx_script(struct db_tx *tx, const char *sql) MUST_CHECK;

#endif
