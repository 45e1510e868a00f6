/* PostgreSQL: a bounded pool of asynchronous libpq connections, prepared statements, pipelined transactions.
 *
 * Values travel in text form as const char * (NULL is SQL NULL) and are always parameters; schema, table and column names come
 * from internal ids and are formatted into the SQL by the model, never from user text. All calls marked "awaits" suspend. */
#ifndef BADAL_IO_DB_H
#define BADAL_IO_DB_H

#include "core/ctx.h"
#include "core/fiber.h"
#include "core/json.h"

struct db_res;		/* a result; freed with the context that asked */
struct db_tx;

/* A list of strings, e.g. a text[]; set tells an empty list from none. */
struct strs {
	int n;
	bool set;
	const char **v;		/* n NUL-terminated strings in the owner's arena */
};

/* Parameters: db_query(cx, &res, "… $1 … $2", DB(a, b)) ; DB0 when there are none. */
#define DB(...)                                                                              \
	(int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)),            \
	    (const char *const[]){__VA_ARGS__}
#define DB0 0, NULL

/* Begins a statement that is not kept prepared: its best plan depends so much on the values that PostgreSQL must see them each time. */
#define DB_PLAN_ANEW "/* planned anew */ "

/* Opens the pool (per process, lazily connected). Settings come from conf. */
void db_init(void);
const char *db_url_wrong(const char *url);	/* NULL: it can be read, or is empty; else what it must be (static) */
/* Connections opened from now on serve requests: their statements are bounded by conf.db_statement_timeout and conf.db_lock_timeout. */
void db_bound_statements(void);
void db_fini(void);		/* closes idle connections; busy ones when they are given back */

/* Shares: a context whose `share` is set has at most `max` connections at a time together with all others of that share (and leaves one of the
 * pool to others). Who waits takes turns by project and client. Whoever asks for a second connection while holding one needs a share of more
 * than one, and may still wait for itself: avoid it. Lives as long as the process. */
struct db_share *db_share_new(unsigned max);

/* Awaits. Runs one statement in its own transaction. Errors: ERR_DB_UNIQUE (23505), ERR_DB_DATA (22xxx), ERR_DB (others),
 * ERR_DB_CONFLICT (a deadlock or a serialization failure, after some more tries, or a lock timeout: nothing was done),
 * ERR_DB_BUSY (no free connection within the deadline), ERR_DB_DOWN (cannot connect), ERR_TIMEOUT, ERR_CANCELLED. The message
 * of PostgreSQL goes into cx->detail. A statement that was sent is never assumed undone after TIMEOUT or CANCELLED. */
err_t db_query(struct ctx *cx, struct db_res **out, const char *sql, int n, const char *const *v) MUST_CHECK;
/* The same for statements whose rows do not matter; *affected_out (may be NULL) gets the number of rows. */
err_t db_exec(struct ctx *cx, int *affected_out, const char *sql, int n, const char *const *v) MUST_CHECK;
/* Awaits. Whatever could be seen before the call was committed before this position of the WAL. */
err_t db_wal_end(struct ctx *cx, uint64_t *lsn_out) MUST_CHECK;
/* Awaits. Several statements without parameters in one text, in one transaction. */
err_t db_script(struct ctx *cx, const char *sql) MUST_CHECK;

/* Awaits. A transaction: `body`, an expression of type err_t in which `tx` is a struct db_tx *, between BEGIN and COMMIT.
 *
 *	return TX_RUN(cx, tx, rename_locked(tx, p, t, name, out));
 *
 * It commits when the body's value is OK, and then bumps what tx_stale named; anything else is rolled back, and the connection is given back
 * before the value comes out. A deadlock, a serialization failure and a plan older than its tables begin the body anew a few times: it
 * does nothing but to read and to write through `tx`, and has nothing in it that returns. Bodies await nothing but tx_query: asserted, as is that
 * a context has one transaction at a time. Where it calls what knows db_query alone, cx->within is `tx` as long. BEGIN goes out with the first statement, COMMIT with the last: "lock and read; write, emit,
 * commit" is two round trips. Errors as db_query. */
#define TX_RUN(cx, tx, body)                         \
	__extension__({                              \
		struct db_tx *tx = tx_new(cx);       \
		err_t tx_err_ = OK;                  \
		while (tx_next(tx, &tx_err_))        \
			tx_err_ = (body);            \
		tx_err_;                             \
	})
struct db_tx *tx_new(struct ctx *cx);			/* for TX_RUN */
bool tx_next(struct db_tx *tx, err_t *e) MUST_CHECK;	/* for TX_RUN: ends a try, begins the first one or another */

void tx_add(struct db_tx *tx, const char *sql, int n, const char *const *v);	/* queued; the values are copied; no wait */
err_t tx_query(struct db_tx *tx, struct db_res **out, const char *sql, int n, const char *const *v) MUST_CHECK; /* awaits */
/* The generation of this cache key (gen.h) is bumped when tx is committed, or may be. */
void tx_stale(struct db_tx *tx, const char *key);
/* Whatever the body gives, nothing of it is kept; what it would tell from here on (event_emit) is not even written. */
void tx_undo(struct db_tx *tx);
bool tx_undone(const struct db_tx *tx);
struct ctx *tx_ctx(struct db_tx *tx);

int db_rows(const struct db_res *r);
int db_cols(const struct db_res *r);
size_t db_bytes(const struct db_res *r);	/* memory that it takes */
int db_affected(const struct db_res *r);
bool db_null(const struct db_res *r, int row, int col);
struct str db_str(const struct db_res *r, int row, int col);	/* STR_NONE for NULL; borrowed from the result, NUL-terminated */
const char *db_cstr(const struct db_res *r, int row, int col);	/* NULL for NULL */
int64_t db_i64(const struct db_res *r, int row, int col);	/* 0 for NULL */
bool db_bool(const struct db_res *r, int row, int col);
int64_t db_time(const struct db_res *r, int row, int col);	/* TIME_NONE for NULL */
struct strs db_strs(struct ctx *cx, const struct db_res *r, int row, int col);	/* a text[] */

/* What went wrong last on this context: SQLSTATE (5 characters or "") and constraint name (or ""). */
const char *db_sqlstate(const struct ctx *cx);
const char *db_constraint(const struct ctx *cx);

/* A statement with this outcome was or may have been carried out: its answer was good, or lost. */
bool db_maybe_done(err_t e);

/* The literal of a text[] ({"a","b"}), escaped. NULL entries become NULL. */
const char *pg_array(struct arena *a, const char *const *v, int n);
/* The elements of such a literal, in any form PostgreSQL writes for one dimension; NULL for NULL. An absent value gives an unset list,
 * a malformed one an empty list. */
struct strs pg_array_parse(struct arena *a, struct str literal);
/* Decimal text of v, for parameters. */
const char *pg_i64(struct arena *a, int64_t v);
/* "2022-10-04 12:34:56.789+00" for a timestamptz parameter; NULL for TIME_NONE. */
const char *pg_time(struct arena *a, int64_t ms);
static inline const char *
pg_bool(bool v)
{
	return v ? "t" : "f";
}

/* Awaits. Brings schema badal and the console's schema p_0 up to date from sql/ (forward only, each file in a transaction, advisory
 * lock). ERR_DB when the database is newer than the binary. The schemas of the projects: model/space.h. */
err_t db_migrate(struct ctx *cx, const char *sql_dir) MUST_CHECK;
/* Reads the migration files into memory, where the processes that are forked later find them: they may not be allowed to read the files.
 * Does nothing when they are there; the calls below need them. */
err_t db_migrate_load(struct ctx *cx) MUST_CHECK;
/* The number of the newest file in sql/project. */
int db_migrate_newest(void);
/* The newest file up to `at` that programs must know to use a schema (one that does not begin with "-- compatible"). */
int db_migrate_needed(int at);
/* Awaits. The newest file that was applied to a schema; 0: none. */
err_t db_migrate_at(struct db_tx *tx, const char *schema, int *at_out) MUST_CHECK;
/* Awaits. Applies the next file after *at to an existing schema, inside tx, and moves *at to its number. There must be one. */
err_t db_migrate_next(struct db_tx *tx, const char *schema, int *at) MUST_CHECK;
/* Awaits. Makes one project's schema by all files of sql/project, inside tx (they use the token :schema). Reads them when nobody has. */
err_t db_migrate_project(struct db_tx *tx, const char *schema) MUST_CHECK;

unsigned db_pool_busy(void), db_pool_waiting(void), db_pool_open(void);

#endif
