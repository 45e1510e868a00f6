/* Transactions as records: begun, looked up, listed, given up. */
#include "svc/databases/transaction.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/record.h"

enum {
	FINISHED_KEPT = 100,	/* newest ones of a user that are over; of keys and guests together ten times as many */
	DROP_MAX = 50,		/* older ones that go when another begins */
	EXPIRED_KEPT = 600	/* seconds */
};

static const char *const statuses[] = {"pending", "committed", "failed", NULL};

static const struct field transaction_fields[] = {
    FIELD(F_ID, struct transaction, id, "$id", "t.id", "Transaction ID.", .flags = COL_ASKED),
    FIELD(F_TIME, struct transaction, created, "$createdAt", "t.created", "Creation date in ISO 8601.", .flags = COL_ASKED),
    FIELD(F_TIME, struct transaction, updated, "$updatedAt", "t.updated", "Date of the last change in ISO 8601.", .flags = COL_ASKED),
    FIELD_ENUM(statuses, struct transaction, status, "status", "t.status", "What has become of it; failed also after a rollback.", .flags = COL_ASKED),
    FIELD(F_INT, struct transaction, operations, "operations", "t.operations", "How many operations were staged."),
    FIELD(F_TIME, struct transaction, expires, "expiresAt", "t.expires", "When its time is over, in ISO 8601.", .flags = COL_ASKED),
    FIELD_HIDDEN(F_INT, struct transaction, internal, "t.internal"),
    FIELD_HIDDEN(F_INT, struct transaction, bytes, "t.bytes"),
    FIELD_HIDDEN(F_INT, struct transaction, documents, "t.documents"),
};
const struct shape transaction_shape = SHAPE("transaction", struct transaction, transaction_fields);

static const struct record transactions = {
	.shape = &transaction_shape,
	.table = ":schema.transactions",
	.alias = "t",
	.entity = "Transaction",
	.missing = ERR_TRANSACTION_NOT_FOUND,
	.taken = ERR_TRANSACTION_NOT_FOUND,
};

/* Those of the caller, and of these the one with the id. A guest has none: owner 0 is nobody's. */
static struct rows
own_one(struct ctx *cx, const struct doc_caller *who, const char *id)
{
	if (who->bypass)
		return rows_id(id);
	return (struct rows){"lower(@.id) = $1 AND @.owner = $2::bigint", 2, {str_lower(cx->arena, str_c(id)).p, pg_i64(cx->arena, who->owner)}};
}

err_t
transaction_get(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, struct transaction *out)
{
	return record_get(cx, p, &transactions, own_one(cx, who, id), out);
}

err_t
transaction_list(struct ctx *cx, const struct project *p, const struct doc_caller *who, const struct strs *queries, struct query_page *out)
{
	struct rows w = {0};

	if (!who->bypass)
		w = (struct rows){"@.owner = $1::bigint", 1, {pg_i64(cx->arena, who->owner)}};
	return record_list(cx, p, &transactions, w, queries, NULL, out);
}

err_t
transaction_open(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, struct db_tx *tx, bool final,
    struct transaction *out)
{
	if (tx != NULL)
		TRY(record_lock(tx, p, &transactions, own_one(cx, who, id), out));
	else
		TRY(transaction_get(cx, p, who, id, out));
	if (strcmp(out->status, "pending") != 0)
		return final ? fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "Invalid or non-pending transaction") : ERR_TRANSACTION_NOT_READY;
	return out->expires > time_now_ms() ? OK : ERR_TRANSACTION_EXPIRED;
}

/* ---- what the files share ---- */

json_t *
transaction_texts(const struct strs *list)
{
	json_t *v = json_array();

	for (int i = 0; i < list->n; i++)
		(void)json_array_append_new(v, json_string(list->v[i]));
	return v;
}

/* ---- begin ---- */

/* What nobody needs any more of this owner's goes, so that records do not pile up until somebody cleans up. */
static void
drop_transactions(struct ctx *cx, const struct project *p, struct db_tx *tx, const struct doc_caller *who)
{
	const char *t = arena_printf(cx->arena, "%s.transactions", p->schema);

	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s WHERE internal IN (SELECT internal FROM %s WHERE coalesce(owner, 0) = $1::bigint AND status <> 'pending' "
	    "ORDER BY internal DESC OFFSET %d LIMIT %d)", t, t, who->owner ? FINISHED_KEPT : 10 * FINISHED_KEPT, DROP_MAX), DB(pg_i64(cx->arena, who->owner)));
	tx_add(tx, arena_printf(cx->arena, "DELETE FROM %s WHERE internal IN (SELECT internal FROM %s WHERE expires < now() - interval '%d seconds' ORDER BY expires "
	    "LIMIT %d FOR UPDATE SKIP LOCKED)", t, t, EXPIRED_KEPT, DROP_MAX), DB0);
}

static err_t
too_many_open(struct ctx *cx, const char *whose)
{
	metric_add(M_transactions_refused, 1);
	return fail_msg(cx, ERR_TRANSACTION_LIMIT_EXCEEDED, "Too many transactions of %s are open: end one first.", whose);
}

/* Guests are one user together: what they begin only keys can use. */
static err_t
create_within(struct ctx *cx, const struct project *p, const struct doc_caller *who, struct db_tx *tx, struct transaction *t)
{
	const char *owner = who->owner ? pg_i64(cx->arena, who->owner) : NULL;
	bool guest = !who->bypass && who->owner == 0;
	struct db_res *r;

	drop_transactions(cx, p, tx, who);
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT count(*), count(*) FILTER (WHERE owner = $1::bigint), count(*) FILTER (WHERE guest) FROM %s.transactions "
	    "WHERE status = 'pending' AND expires > now()", p->schema), DB(owner)));
	if (db_i64(r, 0, 0) >= conf.transactions_max)
		return too_many_open(cx, "the project");
	if (!who->bypass && db_i64(r, 0, guest ? 2 : 1) >= conf.transactions_user_max)
		return too_many_open(cx, guest ? "guests" : "the user");
	return tx_query(tx, &r, arena_printf(cx->arena, "INSERT INTO %s.transactions (id, owner, guest, created, updated, expires) VALUES "
	    "($1, $2::bigint, $3::boolean, $4::timestamptz, $4::timestamptz, $5::timestamptz)", p->schema),
	    DB(t->id, owner, pg_bool(guest), pg_time(cx->arena, t->created), pg_time(cx->arena, t->expires)));
}

err_t
transaction_create(struct ctx *cx, const struct project *p, const struct doc_caller *who, int64_t ttl, struct transaction *out)
{
	int64_t now = time_now_ms();
	err_t e;

	*out = (struct transaction){.id = id_unique(cx->arena), .status = statuses[0], .created = now, .updated = now, .expires = now + ttl * 1000};
	e = TX_RUN(cx, tx, create_within(cx, p, who, tx, out));
	if (e == ERR_DB && strcmp(db_sqlstate(cx), "23503") == 0)	/* foreign key */
		return fail(cx, ERR_USER_UNAUTHORIZED, "its user was deleted meanwhile");
	TRY(e);
	metric_add(M_transactions_begun, 1);
	return OK;
}

/* ---- given up ---- */

static err_t
transaction_delete_within(struct ctx *cx, const struct project *p, const struct doc_caller *who, struct db_tx *tx, const char *id)
{
	struct transaction t;

	return record_delete(tx, p, &transactions, own_one(cx, who, id), &t);
}

err_t
transaction_delete(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id)
{
	return TX_RUN(cx, tx, transaction_delete_within(cx, p, who, tx, id));
}
