/* Transactions: statements are queued and go out together with the first one whose result is wanted, or with COMMIT. */
#include <assert.h>

#include "db_priv.h"

struct db_tx {
	struct ctx *cx;
	struct db_conn *c;	/* NULL once it ended */
	bool begun;		/* BEGIN was queued */
	bool open;		/* a flight is being filled */
};

static void
end(void *arg)
{
	tx_rollback(arg);
}

err_t
tx_begin(struct ctx *cx, struct db_tx **tx_out)
{
	struct db_tx *tx = arena_new_of(cx->arena, struct db_tx);

	TRY(dbp_get(cx, &tx->c));
	tx->cx = cx;
	defer(cx, end, tx);
	*tx_out = tx;
	return OK;
}

struct ctx *
tx_ctx(struct db_tx *tx)
{
	return tx->cx;
}

static void
queue(struct db_tx *tx, enum step_kind kind, const char *sql, int n, const char *const *v)
{
	if (!tx->open)
		dbc_begin(tx->c);
	tx->open = true;
	if (!tx->begun)
		dbc_statement(tx->c, STEP_PLAIN, "BEGIN", 0, NULL);
	tx->begun = true;
	dbc_statement(tx->c, kind, sql, n, v);
}

/* Awaits. Sends what is queued; *out (may be NULL) gets the wanted result. */
static err_t
fly(struct db_tx *tx, PGresult **out)
{
	PGresult *r;

	TRY(dbp_check(tx->cx));
	tx->open = false;
	dbc_sync(tx->c);
	TRY(dbc_await(tx->cx, tx->c));
	TRY(dbc_result(tx->cx, tx->c, out ? out : &r));
	if (out == NULL)
		PQclear(r);
	return OK;
}

static err_t
over(struct db_tx *tx)
{
	return fail(tx->cx, ERR_DB, "the transaction is over");
}

void
tx_add(struct db_tx *tx, const char *sql, int n, const char *const *v)
{
	assert(tx->c != NULL);
	queue(tx, STEP_PLAIN, sql, n, v);
}

err_t
tx_query(struct db_tx *tx, struct db_res **out, const char *sql, int n, const char *const *v)
{
	PGresult *r;

	if (tx->c == NULL)
		return over(tx);
	queue(tx, STEP_WANTED, sql, n, v);
	TRY(fly(tx, &r));
	*out = db_keep(tx->cx, r);
	return OK;
}

err_t
tx_script(struct db_tx *tx, const char *sql)
{
	PGresult *r;

	if (tx->c == NULL)
		return over(tx);
	if (!tx->begun)
		queue(tx, STEP_PLAIN, "SELECT 1", 0, NULL);
	if (tx->open)
		TRY(fly(tx, NULL));
	dbc_script(tx->c, sql);
	TRY(dbc_await(tx->cx, tx->c));
	TRY(dbc_result(tx->cx, tx->c, &r));
	PQclear(r);
	return OK;
}

err_t
tx_commit(struct db_tx *tx)
{
	PGresult *r;
	bool kept;
	err_t e;

	if (tx->c == NULL)
		return over(tx);
	e = dbp_check(tx->cx);	/* before: what is queued cannot be taken back */
	if (e == OK) {
		queue(tx, STEP_WANTED, "COMMIT", 0, NULL);
		e = fly(tx, &r);
	}
	if (db_maybe_done(e))
		tx->cx->acted = true;
	if (e != OK) {
		tx_rollback(tx);
		return e;
	}
	/* the server answers ROLLBACK when a statement had failed before */
	kept = r != NULL && strcmp(PQcmdStatus(r), "COMMIT") == 0;
	PQclear(r);
	tx_rollback(tx);
	return kept ? OK : fail(tx->cx, ERR_DB, "the transaction had failed before its commit");
}

void
tx_rollback(struct db_tx *tx)
{
	struct db_conn *c = tx->c;

	if (c == NULL)
		return;
	tx->c = NULL;
	if (tx->open)	/* what was queued cannot be taken back: it flies, and is rolled back */
		dbc_sync(c);
	dbp_put(c);
}
