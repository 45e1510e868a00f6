/* Reading within a transaction: what is staged for the collection, or for all where relationships lead from one to another, is carried out in a transaction of
 * PostgreSQL, the question is asked there as anywhere, and all of it is taken back. So filters, orders, cursors, totals and permissions are those of any list.
 *
 * What was shown is remembered with the version that it had. */
#include "document_priv.h"
#include "svc/databases/transaction.h"

#include "core/conf.h"
#include "core/metric.h"

struct view {
	const struct doc_op *o;
	err_t (*read)(struct ctx *, const struct doc_op *);
	struct transaction t;
	const struct collection *c;
	struct tx_staged staged;
};

/* Of what is staged, whether it is more than what was staged for the collection that is read. */
static bool
reaches_others(const struct view *v)
{
	int i = 0;

	while (i < v->staged.n && v->staged.collections[i] == v->c->internal)
		i++;
	return i < v->staged.n;
}

/* As a commit by the same caller would: with the versions that were met, and with nobody's permissions but the caller's. */
static err_t
apply_staged(struct ctx *cx, const struct view *v, struct db_tx *tx)
{
	struct db_res *r;
	int64_t made;	/* and taken back */
	err_t e = transaction_unchanged(cx, v->o->p, &v->t, &v->staged, tx, true, reaches_others(v) ? 0 : v->c->internal);

	if (e == OK)
		e = transaction_apply(cx, v->o->p, v->o->who, tx, &v->staged, &made);
	if (e == OK)	/* what is queued comes to its end, so that the question has no errors but its own */
		e = tx_query(tx, &r, "SELECT 1", DB0);
	return e == ERR_DOCUMENT_NOT_FOUND ? ERR_TRANSACTION_CONFLICT : e;
}

static err_t
view_within(struct ctx *cx, const struct view *v, struct db_tx *tx, err_t *asked)
{
	struct db_res *r;
	err_t e;

	/* what is read was read before: nobody commits it while it is looked at as staged */
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s.transactions WHERE internal = $1::bigint AND status = 'pending' FOR SHARE", v->o->p->schema),
	    DB(pg_i64(cx->arena, v->t.internal))));
	if (db_rows(r) == 0)
		return ERR_TRANSACTION_NOT_READY;
	tx_undo(tx);	/* from the start: nothing of it is told, either */
	cx->within = tx;
	e = apply_staged(cx, v, tx);
	if (e == OK)
		*asked = e = v->read(cx, v->o);
	cx->within = NULL;
	return e;
}

/* ---- what was shown ---- */

/* Rows that the transaction itself has written have no version. */
static int
shown_rows(struct ctx *cx, const struct view *v, const char **ids, const char **versions)
{
	const struct doc_list *l = v->o->list;
	int n = 0;

	for (int i = 0; l->res != NULL && i < l->n; i++)
		if (!db_null(l->res, i, DOC_ATTRS + l->c->n_live)) {	/* of the collection as it was read last */
			ids[n] = str_dup(cx->arena, str_lower(cx->arena, db_str(l->res, i, DOC_ID)));
			versions[n++] = db_cstr(l->res, i, DOC_ATTRS + l->c->n_live);
		}
	return n;
}

static err_t
remember_within(struct ctx *cx, const struct view *v, struct db_tx *tx, const char *ids, const char *versions)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s.transactions WHERE internal = $1::bigint AND status = 'pending' FOR NO KEY UPDATE", v->o->p->schema),
	    DB(pg_i64(cx->arena, v->t.internal))));
	if (db_rows(r) == 0)
		return ERR_TRANSACTION_NOT_READY;
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "WITH i AS (INSERT INTO %s.transaction_documents (transaction, collection, document, version, written, there) "
	    "SELECT $1::bigint, $2::bigint, u.d, u.v, false, u.v IS NOT NULL FROM unnest($3::text[], $4::text[]) AS u(d, v) ON CONFLICT DO NOTHING RETURNING 1) "
	    "UPDATE %s.transactions SET documents = documents + (SELECT count(*) FROM i) WHERE internal = $1::bigint RETURNING documents", v->o->p->schema, v->o->p->schema),
	    DB(pg_i64(cx->arena, v->t.internal), pg_i64(cx->arena, v->c->internal), ids, versions)));
	if (db_rows(r) == 1 && db_i64(r, 0, 0) <= conf.transaction_documents_max)
		return OK;
	metric_add(M_transactions_refused, 1);
	return fail_msg(cx, ERR_TRANSACTION_LIMIT_EXCEEDED, "The transaction may have %lld documents at most, those that it reads among them.",
	    (long long)conf.transaction_documents_max);
}

static err_t
remember(struct ctx *cx, const struct view *v)
{
	const char **ids = arena_array(cx->arena, const char *, v->o->list->n + 1), **versions = arena_array(cx->arena, const char *, v->o->list->n + 1);
	int n = shown_rows(cx, v, ids, versions);

	return n == 0 ? OK : TX_RUN(cx, tx, remember_within(cx, v, tx, pg_array(cx->arena, ids, n), pg_array(cx->arena, versions, n)));
}

/* That there is none of this id is remembered, too; but not that one may not be read, or that the transaction deletes it. */
static err_t
remember_none(struct ctx *cx, const struct view *v)
{
	const char *id = str_dup(cx->arena, str_lower(cx->arena, str_c(v->o->id))), *one[1] = {id}, *none[1] = {NULL};
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s WHERE lower(_id) = $1", v->c->table), DB(id)));
	return db_rows(r) > 0 ? OK : TX_RUN(cx, tx, remember_within(cx, v, tx, pg_array(cx->arena, one, 1), pg_array(cx->arena, none, 1)));
}

/* ---- the doors ---- */

/* What is staged runs in a few connections: each such read holds locks for a moment. */
static err_t
read_once(struct ctx *cx, struct view *v, err_t *asked)
{
	struct db_share *share = cx->share;
	err_t e;

	*asked = OK;
	if (v->staged.n == 0) {
		*asked = v->read(cx, v->o);
		return *asked;
	}
	if (share == NULL)
		cx->share = doc_large_share();
	e = TX_RUN(cx, tx, view_within(cx, v, tx, asked));
	cx->share = share;
	return e;
}

static err_t
view_read(struct ctx *cx, struct view *v, const char *id)
{
	const struct doc_op *o = v->o;
	err_t e, asked;

	TRY(doc_collection(cx, o, &v->c));
	TRY(transaction_open(cx, o->p, o->who, id, NULL, false, &v->t));
	TRY(transaction_staged(cx, o->p, &v->t, v->c->n_rels > 0 ? 0 : v->c->internal, &v->staged));
	e = read_once(cx, v, &asked);
	if (e == OK)
		return remember(cx, v);
	if (asked == ERR_DOCUMENT_NOT_FOUND && o->id != NULL) {
		TRY(remember_none(cx, v));
		return fail(cx, ERR_DOCUMENT_NOT_FOUND, "id=%s", o->id);
	}
	return e == asked || doc_stale(cx, e) ? e : transaction_error(cx, e);
}

/* Anew when a cached collection was older than its table. */
static err_t
view_run(struct ctx *cx, const struct doc_op *o, const char *id, err_t (*read)(struct ctx *, const struct doc_op *))
{
	struct view v = {.o = o, .read = read};
	err_t e = view_read(cx, &v, id);

	for (int i = 0; i < DOC_STALE_MAX && doc_stale(cx, e); i++) {
		doc_forget(cx, o->p, o->db, o->col);
		for (int n = 0; n < v.staged.n; n++)
			doc_forget(cx, o->p, v.staged.ops[n].db, v.staged.ops[n].col);
		e = view_read(cx, &v, id);
	}
	if (doc_stale(cx, e))
		return doc_restless(cx, o->col);
	return e == ERR_DB_DATA ? ERR_GENERAL_ARGUMENT_INVALID : e;
}

err_t
transaction_document(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, const char *db, const char *col, const char *doc,
    const struct strs *queries, struct str *json_out)
{
	struct doc_list one = {0};
	const struct doc_op o = {.p = p, .who = who, .db = db, .col = col, .id = doc, .queries = queries, .out = json_out, .list = &one, .seen = true};

	return view_run(cx, &o, id, document_get_row);
}

err_t
transaction_documents(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, const char *db, const char *col,
    const struct strs *queries, struct doc_list *out)
{
	const struct doc_op o = {.p = p, .who = who, .db = db, .col = col, .queries = queries, .list = out, .asks = true, .seen = true};

	return view_run(cx, &o, id, doc_list_page);
}
