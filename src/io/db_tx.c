/* Transactions: statements are queued and go out together with the first one whose result is wanted, or with COMMIT.
 *
 * What must stay true: a context has one transaction at the most, TX_RUN ends it whatever its body does, and while it is open nothing
 * but its own statements is awaited: its rows are locked and its connection is one of few. */
#include <assert.h>

#include "core/gen.h"
#include "db_priv.h"

enum { TX_MAGIC = 0x74786e73, REPLANS_MAX = 4 };

enum tx_state {
	TX_NEW,		/* of TX_RUN: not begun yet */
	TX_OPEN,	/* it has a connection */
	TX_OVER
};

struct db_tx {
	unsigned magic;
	enum tx_state state;	/* moved by tx_move only */
	struct ctx *cx;
	struct db_conn *c;	/* while it is open */
	bool begun;		/* BEGIN was queued */
	bool filling;		/* a flight is being filled */
	bool undone;		/* it ends with ROLLBACK */
	int replans;		/* how often it was begun anew because of a plan that was older than its tables */
	uint64_t *stale;	/* hashes of the cache keys that it makes stale */
	int n_stale, cap_stale;
};

static const char held[] = "a transaction";

static void
tx_move(struct db_tx *tx, enum tx_state to)
{
	assert(tx->magic == TX_MAGIC && tx->state == (to == TX_OPEN ? TX_NEW : to == TX_NEW ? TX_OVER : TX_OPEN));
	tx->state = to;
	assert(tx->cx->holds == (to == TX_OVER ? held : NULL));
	tx->cx->holds = to == TX_OPEN ? held : NULL;
}

struct db_tx *
tx_new(struct ctx *cx)
{
	struct db_tx *tx = arena_new_of(cx->arena, struct db_tx);

	tx->magic = TX_MAGIC;
	tx->cx = cx;
	return tx;
}

/* Awaits a connection. */
static err_t
db_tx_begin(struct db_tx *tx)
{
	TRY(dbp_get(tx->cx, &tx->c));
	tx->begun = tx->filling = tx->undone = false;
	tx->n_stale = 0;
	tx_move(tx, TX_OPEN);
	return OK;
}

struct ctx *
tx_ctx(struct db_tx *tx)
{
	assert(tx->magic == TX_MAGIC);
	return tx->cx;
}

static void
queue(struct db_tx *tx, enum step_kind kind, const char *sql, int n, const char *const *v)
{
	if (!tx->filling)
		dbc_begin(tx->c);
	tx->filling = true;
	if (!tx->begun)
		dbc_statement(tx->c, STEP_PLAIN, "BEGIN", 0, NULL);
	tx->begun = true;
	dbc_statement(tx->c, kind, sql, n, v);
}

/* Its own waiting is allowed. */
static void
let_wait(struct db_tx *tx, bool on)
{
	tx->cx->holds = on ? NULL : held;
}

/* Awaits what was sent; *out (may be NULL) gets the wanted result. */
static err_t
land(struct db_tx *tx, PGresult **out)
{
	PGresult *r;
	err_t e;

	let_wait(tx, true);
	e = dbc_await(tx->cx, tx->c);
	let_wait(tx, false);
	TRY(e);
	TRY(dbc_result(tx->cx, tx->c, out ? out : &r));
	if (out == NULL)
		PQclear(r);
	return OK;
}

/* OK unless it is too late to send anything. */
static err_t
in_time(struct db_tx *tx)
{
	err_t e;

	let_wait(tx, true);
	e = dbp_check(tx->cx);
	let_wait(tx, false);
	return e;
}

/* Awaits. Sends what is queued. */
static err_t
fly(struct db_tx *tx, PGresult **out)
{
	TRY(in_time(tx));
	tx->filling = false;
	dbc_sync(tx->c);
	return land(tx, out);
}

void
tx_add(struct db_tx *tx, const char *sql, int n, const char *const *v)
{
	assert(tx->magic == TX_MAGIC && tx->state == TX_OPEN);
	queue(tx, STEP_PLAIN, sql, n, v);
}

err_t
tx_query(struct db_tx *tx, struct db_res **out, const char *sql, int n, const char *const *v)
{
	PGresult *r;

	assert(tx->magic == TX_MAGIC && tx->state == TX_OPEN);
	queue(tx, STEP_WANTED, sql, n, v);
	TRY(fly(tx, &r));
	*out = db_keep(tx->cx, r);
	return OK;
}

err_t
tx_script(struct db_tx *tx, const char *sql)
{
	assert(tx->magic == TX_MAGIC && tx->state == TX_OPEN);
	if (!tx->begun)
		queue(tx, STEP_PLAIN, "SELECT 1", 0, NULL);
	if (tx->filling)
		TRY(fly(tx, NULL));
	dbc_script(tx->c, sql);
	return land(tx, NULL);
}

void
tx_stale(struct db_tx *tx, const char *key)
{
	assert(tx->magic == TX_MAGIC && tx->state == TX_OPEN);
	if (tx->n_stale == tx->cap_stale) {
		uint64_t *more = arena_array(tx->cx->arena, uint64_t, tx->cap_stale * 2 + 8);

		if (tx->n_stale > 0)
			memcpy(more, tx->stale, sizeof *more * (size_t)tx->n_stale);
		tx->stale = more;
		tx->cap_stale = tx->cap_stale * 2 + 8;
	}
	tx->stale[tx->n_stale++] = str_hash_stable(str_c(key));
}

void
tx_undo(struct db_tx *tx)
{
	assert(tx->magic == TX_MAGIC && tx->state == TX_OPEN);
	tx->undone = true;
}

bool
tx_undone(const struct db_tx *tx)
{
	return tx->undone;
}

/* ---- the end ---- */

static void
end(struct db_tx *tx)
{
	struct db_conn *c = tx->c;

	assert(tx->cx->within == NULL);
	tx->c = NULL;
	tx_move(tx, TX_OVER);
	if (tx->filling)	/* what was queued cannot be taken back: it flies, and is rolled back */
		dbc_sync(c);
	dbp_put(c);
}

static err_t
commit(struct db_tx *tx)
{
	PGresult *r;
	bool kept;

	TRY(in_time(tx));	/* before: what is queued cannot be taken back */
	queue(tx, STEP_WANTED, "COMMIT", 0, NULL);
	TRY(fly(tx, &r));
	/* the server answers ROLLBACK when a statement had failed before */
	kept = r != NULL && strcmp(PQcmdStatus(r), "COMMIT") == 0;
	PQclear(r);
	return kept ? OK : fail(tx->cx, ERR_DB, "the transaction had failed before its commit");
}

/* An answer that was lost may have been a good one: then caches must ask again, too. */
static void
db_tx_bump(const struct db_tx *tx, err_t e)
{
	for (int i = 0; db_maybe_done(e) && i < tx->n_stale; i++)
		gen_bump_hash(tx->stale[i]);
}

/* Awaits a little. Nothing of it was done, and the next try may succeed. */
static bool
again(struct db_tx *tx, err_t e, bool stale_plan)
{
	if (e == ERR_DB && stale_plan)
		return ++tx->replans <= REPLANS_MAX;
	return db_again(tx->cx, e);
}

bool
tx_next(struct db_tx *tx, err_t *e)
{
	bool stale_plan;

	if (tx->state == TX_NEW) {
		*e = db_tx_begin(tx);
		return *e == OK;
	}
	if (*e == OK && !tx->undone) {
		*e = commit(tx);
		db_tx_bump(tx, *e);
	}
	stale_plan = tx->c->stale;
	end(tx);
	if (*e == OK || !again(tx, *e, stale_plan))
		return false;
	tx_move(tx, TX_NEW);
	*e = db_tx_begin(tx);
	return *e == OK;
}
