/* Commit and rollback.
 *
 * A commit locks its own record, then what it has met: ids that were free by a lock of their name, rows in the order of their collections and numbers, whoever
 * comes, so that two commits do not wait for each other. Then each row must have the version that it had. From there to the end nobody else changes them. */
#include "document_priv.h"
#include "svc/databases/transaction.h"

#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"

enum { MET_COLLECTION, MET_DOCUMENT, MET_VERSION, MET_WRITTEN, MET_GONE };

static err_t
conflict(struct ctx *cx, const char *id)
{
	return fail(cx, ERR_TRANSACTION_CONFLICT, "id=%s", id);
}

struct commit {
	const struct project *p;
	const struct doc_caller *who;
	const char *id;
	struct tx_staged *staged;
	struct transaction *t;
	int64_t made;		/* documents */
	bool begun;		/* it was the caller's, and pending */
	bool grown;		/* somebody has staged more meanwhile: that has to be read, too */
};

/* ---- locks ---- */

/* Two that found the same id free do not both go on from that. The same locks as of many upserts. */
static void
lock_free_ids(struct ctx *cx, const struct project *p, struct db_tx *tx, const struct db_res *met)
{
	const char **names = arena_array(cx->arena, const char *, db_rows(met) + 1);
	int n = 0;

	for (int i = 0; i < db_rows(met); i++)
		if (db_null(met, i, MET_VERSION))
			names[n++] = arena_printf(cx->arena, "%s.c_%lld %s", p->schema, (long long)db_i64(met, i, MET_COLLECTION), db_cstr(met, i, MET_DOCUMENT));
	doc_lock_names(cx, tx, names, n);
}

static err_t
compare(struct ctx *cx, const struct db_res *met, int i, struct str now)
{
	struct str then = db_str(met, i, MET_VERSION);

	if (now.p == NULL && then.p != NULL && db_bool(met, i, MET_WRITTEN))
		return fail(cx, ERR_DOCUMENT_NOT_FOUND, "id=%s", db_cstr(met, i, MET_DOCUMENT));
	return (now.p == NULL) == (then.p == NULL) && str_eq(now, then) ? OK : conflict(cx, db_cstr(met, i, MET_DOCUMENT));
}

/* Rows `from` to before `to` are of one collection. */
static err_t
compare_collection(struct ctx *cx, const struct project *p, struct db_tx *tx, const struct db_res *met, int from, int to)
{
	const char **ids = arena_array(cx->arena, const char *, to - from);
	struct map *rows = map_for(cx);
	struct db_res *r;

	for (int i = from; i < to; i++)
		ids[i - from] = db_cstr(met, i, MET_DOCUMENT);
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT lower(_id), xmin::text FROM %s.c_%lld WHERE lower(_id) = ANY ($1::text[]) ORDER BY _seq FOR NO KEY UPDATE",
	    p->schema, (long long)db_i64(met, from, MET_COLLECTION)), DB(pg_array(cx->arena, ids, to - from))));
	for (int row = 0; row < db_rows(r); row++)
		(void)map_set(rows, db_str(r, row, 0), (void *)(uintptr_t)db_cstr(r, row, 1));
	for (int i = from; i < to; i++) {
		const char *now = map_get(rows, db_str(met, i, MET_DOCUMENT));

		TRY(compare(cx, met, i, now ? str_c(now) : STR_NONE));
	}
	return OK;
}

/* A collection is gone: perhaps with its database. */
static err_t
collection_gone(struct ctx *cx, const struct project *p, const struct tx_staged *s, int64_t collection)
{
	const struct collection *c;

	for (int i = 0; i < s->n; i++)
		if (s->collections[i] == collection)
			TRY(collection_get(cx, p, s->ops[i].db, s->ops[i].col, &c));
	return fail(cx, ERR_COLLECTION_NOT_FOUND, "one that the transaction has met is gone");
}

err_t
transaction_unchanged(struct ctx *cx, const struct project *p, const struct transaction *t, const struct tx_staged *s, struct db_tx *tx, bool written,
    int64_t collection)
{
	struct db_res *met;
	int to;

	TRY(tx_query(tx, &met, arena_printf(cx->arena, "SELECT d.collection, d.document, d.version, d.written, c.internal IS NULL FROM %s.transaction_documents d "
	    "LEFT JOIN %s.collections c ON c.internal = d.collection WHERE d.transaction = $1::bigint AND $2::bigint IN (0, d.collection) AND (d.written OR NOT $3::boolean) ORDER BY d.collection, d.document",
	    p->schema, p->schema), DB(pg_i64(cx->arena, t->internal), pg_i64(cx->arena, collection), pg_bool(written))));
	lock_free_ids(cx, p, tx, met);
	for (int from = 0; from < db_rows(met); from = to) {
		for (to = from + 1; to < db_rows(met) && db_i64(met, to, MET_COLLECTION) == db_i64(met, from, MET_COLLECTION);)
			to++;
		if (db_bool(met, from, MET_GONE))
			return collection_gone(cx, p, s, db_i64(met, from, MET_COLLECTION));
		TRY(compare_collection(cx, p, tx, met, from, to));
	}
	return OK;
}

/* ---- the end ---- */

static void
settle(struct ctx *cx, const struct project *p, struct db_tx *tx, struct transaction *t, const char *status)
{
	const char *internal = pg_i64(cx->arena, t->internal);

	t->status = status;
	t->updated = time_now_ms();
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.transactions SET status = $2, updated = $3::timestamptz, bytes = 0 WHERE internal = $1::bigint", p->schema),
	    DB(internal, status, pg_time(cx->arena, t->updated)));
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.transaction_operations WHERE transaction = $1::bigint", p->schema), DB(internal));
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s.transaction_documents WHERE transaction = $1::bigint", p->schema), DB(internal));
}

static err_t
transaction_end(struct ctx *cx, const struct project *p, const struct doc_caller *who, struct db_tx *tx, const char *id, struct transaction *t)
{
	TRY(transaction_open(cx, p, who, id, tx, false, t));
	settle(cx, p, tx, t, "failed");
	return OK;
}

err_t
transaction_rollback(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, struct transaction *out)
{
	TRY(TX_RUN(cx, tx, transaction_end(cx, p, who, tx, id, out)));
	metric_add(M_transactions_rolled_back, 1);
	return OK;
}

/* ---- commit ---- */

/* What is called otherwise than it was has the words of what it is called. */
static err_t
called(struct ctx *cx, err_t e)
{
	cx->message = NULL;
	return e;
}

err_t
transaction_error(struct ctx *cx, err_t e)
{
	switch (e) {
	case ERR_DB_UNIQUE:
	case ERR_DOCUMENT_ALREADY_EXISTS:
	case ERR_DOCUMENT_UNIQUE_CONSTRAINT_VIOLATION:
		return called(cx, ERR_TRANSACTION_CONFLICT);
	case ERR_DB_DATA:
		return ERR_DOCUMENT_INVALID_STRUCTURE;
	case ERR_GENERAL_ARGUMENT_INVALID:
		return ERR_GENERAL_QUERY_INVALID;
	case ERR_DB:
		if (doc_unsound(cx, e))
			return ERR_DOCUMENT_INVALID_STRUCTURE;
		return strncmp(db_sqlstate(cx), "54", 2) == 0 ? ERR_DOCUMENT_INVALID_STRUCTURE : called(cx, ERR_TRANSACTION_FAILED);
	default:
		return e;
	}
}

/* Nobody can say what has become of it, or it was not begun: it is as it was, or done. */
static bool
commit_unknown(err_t e)
{
	return db_maybe_done(e) || e == ERR_DB_CONFLICT || e == ERR_DB_BUSY || e == ERR_STOPPING || e == ERR_BUSY || e == ERR_BYTES_SPENT;
}

static err_t
commit_within(struct ctx *cx, struct commit *k, struct db_tx *tx)
{
	err_t e;

	k->begun = k->grown = false;
	TRY(transaction_open(cx, k->p, k->who, k->id, tx, false, k->t));
	k->begun = true;
	k->grown = k->t->operations != k->staged->n;
	if (k->grown)
		return fail(cx, ERR_BUSY, "more is staged all the time");
	cx->within = tx;
	e = transaction_unchanged(cx, k->p, k->t, k->staged, tx, false, 0);
	if (e == OK)
		e = transaction_apply(cx, k->p, k->who, tx, k->staged, &k->made);
	cx->within = NULL;
	TRY(e);
	settle(cx, k->p, tx, k->t, "committed");
	return OK;
}

static bool
has_many(const struct tx_staged *s)
{
	int i = 0;

	while (i < s->n && !tx_actions[s->ops[i].action].many)
		i++;
	return i < s->n;
}

/* What writes many documents has the connections of large pages, here as by its own routes. */
static err_t
commit_once(struct ctx *cx, struct commit *k)
{
	struct db_share *share = cx->share;
	err_t e;

	k->begun = k->grown = false;
	TRY(transaction_open(cx, k->p, k->who, k->id, NULL, false, k->t));
	TRY(transaction_staged(cx, k->p, k->t, 0, k->staged));
	if (cx->share == NULL && has_many(k->staged))
		cx->share = doc_large_share();
	e = TX_RUN(cx, tx, commit_within(cx, k, tx));
	cx->share = share;
	return e;
}

/* The reason stays the first one, unless it cannot be said that it failed. */
static err_t
commit_failed(struct ctx *cx, const struct commit *k, err_t e)
{
	const char *message, *detail = cx->detail;
	err_t also;

	e = transaction_error(cx, e);
	message = cx->message;
	cx->message = NULL;
	also = TX_RUN(cx, tx, transaction_end(cx, k->p, k->who, tx, k->id, k->t));
	if (also != OK && also != ERR_TRANSACTION_NOT_READY && also != ERR_TRANSACTION_NOT_FOUND && also != ERR_TRANSACTION_EXPIRED)
		return also;	/* it is pending still */
	metric_add(e == ERR_TRANSACTION_CONFLICT ? M_transactions_conflicts : M_transactions_failed, 1);
	cx->message = message;
	cx->detail = detail;
	return e;
}

err_t
transaction_commit(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, struct transaction *out, struct tx_staged *done)
{
	struct commit k = {.p = p, .who = who, .id = id, .t = out, .staged = done};
	err_t e = commit_once(cx, &k);

	for (int i = 0; i < DOC_STALE_MAX && (doc_stale(cx, e) || k.grown); i++) {
		for (int n = 0; n < done->n && !k.grown; n++)
			doc_forget(cx, p, done->ops[n].db, done->ops[n].col);
		e = commit_once(cx, &k);
	}
	if (doc_stale(cx, e))
		e = doc_restless(cx, id);
	if (e != OK)
		return !k.begun || commit_unknown(e) ? e : commit_failed(cx, &k, e);
	metric_add(M_transactions_committed, 1);
	doc_made(&(struct doc_op){.p = p}, k.made);
	return OK;
}
