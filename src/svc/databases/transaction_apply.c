/* What was staged, carried out in an open transaction by what the routes of single and of many documents call. */
#include "document_priv.h"
#include "svc/databases/transaction.h"

#include "core/conf.h"
#include "io/budget.h"
#include "model/seal.h"

enum { OP_ACTION, OP_DATABASE, OP_COLLECTION, OP_INTERNAL, OP_DOCUMENT, OP_DATA, OP_PERMS, OP_ROWS, OP_SEALED, OP_ROLES };

enum {
	TURN = 20,		/* writes that are queued in one turn of the loop */
	SMALL = 16 * 1024	/* texts that hold up nobody */
};

/* ---- what was staged ---- */

static err_t
staged_operation(struct ctx *cx, const struct db_res *r, int row, struct tx_op *op)
{
	struct str sealed = db_str(r, row, OP_SEALED), text = sealed.n > 0 ? str_c(seal_open(cx->arena, sealed)) : db_str(r, row, OP_DATA);
	json_t *data;

	if (text.n > SMALL)
		TRY(json_parse_aside(cx, text, &data));
	else
		data = json_parse(cx, text, NULL);
	*op = (struct tx_op){.action = transaction_action(db_str(r, row, OP_ACTION)), .rows = db_bool(r, row, OP_ROWS), .db = db_cstr(r, row, OP_DATABASE),
	    .col = db_cstr(r, row, OP_COLLECTION), .id = db_cstr(r, row, OP_DOCUMENT), .data = data, .perms = db_strs(cx, r, row, OP_PERMS),
	    .roles = db_strs(cx, r, row, OP_ROLES)};
	return op->action < TX_ACTIONS && data != NULL ? OK : fail(cx, ERR_GENERAL_UNKNOWN, "an operation is none");
}

err_t
transaction_staged(struct ctx *cx, const struct project *p, const struct transaction *t, int64_t collection, struct tx_staged *s)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT action, database, collection, collection_internal, document, data, permissions, rows, sealed, roles "
	    "FROM %s.transaction_operations WHERE transaction = $1::bigint AND ($2::bigint IN (0, collection_internal) OR EXISTS (SELECT 1 FROM %s.transaction_operations o "
	    "JOIN %s.attributes a ON a.collection = o.collection_internal AND a.relation IS NOT NULL WHERE o.transaction = $1::bigint)) ORDER BY n", p->schema, p->schema, p->schema),
	    DB(pg_i64(cx->arena, t->internal), pg_i64(cx->arena, collection))));
	TRY(budget_hold(cx, db_bytes(r)));
	*s = (struct tx_staged){.ops = arena_array(cx->arena, struct tx_op, db_rows(r) + 1), .collections = arena_array(cx->arena, int64_t, db_rows(r) + 1)};
	for (; s->n < db_rows(r); s->n++) {
		TRY(staged_operation(cx, r, s->n, &s->ops[s->n]));
		s->collections[s->n] = db_i64(r, s->n, OP_INTERNAL);
	}
	return OK;
}

/* ---- of many ---- */

struct strs
transaction_strs(struct ctx *cx, const json_t *list)
{
	size_t n = json_array_size(list);
	struct strs out = {.set = json_is_array(list), .v = arena_array(cx->arena, const char *, (int)n + 1)};

	for (size_t i = 0; i < n; i++)
		out.v[out.n++] = json_string_value(json_array_get(list, i));
	return out;
}

static void
take_documents(struct ctx *cx, struct doc_op *o, const json_t *list)
{
	size_t n = json_array_size(list);
	struct doc_in *in = arena_array(cx->arena, struct doc_in, (int)n + 1);

	for (size_t i = 0; i < n; i++) {
		in[i].data = json_array_get(list, i);
		in[i].id = json_string_value(json_object_get(in[i].data, "$id"));
		in[i].perms = transaction_strs(cx, json_object_get(in[i].data, "$permissions"));
	}
	o->in = in;
	o->n = (int)n;
}

static err_t
apply_many(struct ctx *cx, struct doc_op *o, const struct collection *c, struct db_tx *tx, enum tx_action action, const json_t *data)
{
	struct strs queries, perms;

	if (!o->who->bypass)
		return doc_unauthorized(cx, "many documents at once are for keys and admins");
	o->today = o->many = true;
	switch (action) {
	case TX_BULK_CREATE:
		take_documents(cx, o, data);
		return doc_create_all_within(cx, o, c, tx);
	case TX_BULK_UPSERT:
		take_documents(cx, o, data);
		return o->n > 0 ? doc_upsert_all_within(cx, o, c, tx) : OK;
	case TX_BULK_UPDATE:
		queries = transaction_strs(cx, json_object_get(data, "queries"));
		o->data = json_object_get(data, "data");
		perms = transaction_strs(cx, json_object_get(o->data, "$permissions"));
		o->queries = &queries;
		o->perms = &perms;
		return doc_update_found_within(cx, o, c, tx);
	default:
		queries = transaction_strs(cx, json_object_get(data, "queries"));
		o->queries = &queries;
		return doc_delete_found_within(cx, o, c, tx);
	}
}

/* ---- of one ---- */

static err_t
apply_upsert(struct ctx *cx, struct doc_op *o, const struct collection *c, struct db_tx *tx)
{
	bool there;

	o->today = true;
	TRY(doc_upsert_within(cx, o, c, tx, &ev_document_update, &there));
	return there ? OK : doc_create_within(cx, o, c, tx, &ev_document_update);
}

static err_t
apply_step(struct ctx *cx, struct doc_op *o, const struct collection *c, struct db_tx *tx, bool down)
{
	struct step s = {.key = json_string_value(json_object_get(o->data, "attribute")), .by = json_object_get(o->data, "value"),
	    .bound = json_object_get(o->data, down ? "min" : "max"), .down = down};

	o->today = true;
	o->step = &s;
	TRY(doc_step_check(cx, c, &s));
	return doc_step_within(cx, o, c, tx);
}

static err_t
apply_single(struct ctx *cx, struct doc_op *o, const struct collection *c, struct db_tx *tx, enum tx_action action)
{
	switch (action) {
	case TX_CREATE:
		return doc_create_within(cx, o, c, tx, &ev_document_create);
	case TX_UPDATE:
		return doc_update_within(cx, o, c, tx);
	case TX_UPSERT:
		return apply_upsert(cx, o, c, tx);
	case TX_DELETE:
		return doc_delete_within(cx, o, c, tx);
	default:
		return apply_step(cx, o, c, tx, action == TX_DECREMENT);
	}
}

/* ---- all ---- */

/* A key that commits lends nobody its rights: what the one who staged might not do is not done for it either. */
static struct doc_caller
apply_as(const struct doc_caller *who, const struct tx_op *op)
{
	struct doc_caller as = *who;

	if (who->bypass && op->roles.set) {
		as.bypass = false;
		as.roles = &op->roles;
	}
	return as;
}

struct sums {			/* over all operations */
	int64_t documents;	/* that those of many have written */
	int64_t bytes;		/* of the values of those */
	int64_t made;		/* documents */
	int64_t related;	/* that may still be named, or go with others */
	int64_t links;		/* that may still go with those */
};

static err_t
too_many_related(struct ctx *cx)
{
	return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "One transaction names or deletes at most %lld related documents.", (long long)conf.relation_rows_max);
}

static err_t
apply_one(struct ctx *cx, const struct project *p, const struct doc_caller *who, struct db_tx *tx, const struct tx_op *op, int64_t collection, struct sums *sums)
{
	struct doc_linking linking = {0};
	struct doc_many many = {.spent = sums->bytes};
	struct str shown;
	struct doc_caller as = apply_as(who, op);
	struct doc_op o = {.p = p, .who = &as, .db = op->db, .col = op->col, .id = op->id, .data = op->data, .perms = &op->perms, .staged = true, .out = &shown, .all = &many,
	    .made = &sums->made, .related = &sums->related, .links = &sums->links};
	const struct collection *c;

	TRY(doc_collection(cx, &o, &c));
	if (c->internal != collection)
		return fail(cx, ERR_COLLECTION_NOT_FOUND, "id=%s is another one now", o.col);
	cx->words = databases_words(op->rows);
	if (op->action == TX_CREATE || op->action == TX_UPDATE || op->action == TX_UPSERT) {
		o.linking = &linking;
		TRY(doc_links_take(cx, &o, c));
		if ((sums->related -= linking.named) < 0)
			return too_many_related(cx);
	}
	if (!tx_actions[op->action].many) {
		TRY(apply_single(cx, &o, c, tx, op->action));
		doc_made(&o, linking.made);
		return OK;
	}
	TRY(apply_many(cx, &o, c, tx, op->action, op->data));
	if ((sums->documents += many.total) > conf.bulk_rows_max)
		return doc_too_much(cx, "documents", conf.bulk_rows_max);
	return (sums->bytes += many.bytes) > conf.bulk_bytes_max ? doc_too_much(cx, "bytes", conf.bulk_bytes_max) : OK;
}

/* What is said of an operation outlives its memory. */
static void
keep_text(const char **text, struct arena *a)
{
	*text = *text ? arena_strdup(a, *text) : NULL;
}

/* Each operation in memory of its own, with the rows that it has read: a hundred of them hold no more than one. */
static err_t
apply_apart(struct ctx *cx, const struct project *p, const struct doc_caller *who, struct db_tx *tx, const struct tx_staged *s, int i, struct sums *sums)
{
	struct defer *mark = cx->defers;
	struct arena *whole = cx->arena;
	err_t e;

	cx->arena = arena_new();
	e = apply_one(cx, p, who, tx, &s->ops[i], s->collections[i], sums);
	ctx_unwind(cx, mark);
	keep_text(&cx->message, whole);
	keep_text(&cx->detail, whole);
	keep_text(&cx->code, whole);
	keep_text(&cx->subject, whole);
	arena_free(&cx->arena);
	cx->arena = whole;
	return e;
}

err_t
transaction_apply(struct ctx *cx, const struct project *p, const struct doc_caller *who, struct db_tx *tx, const struct tx_staged *s, int64_t *made_out)
{
	struct sums sums = {.related = conf.relation_rows_max, .links = conf.relation_rows_max * DOC_LINKS_EACH};
	const struct words *words = cx->words;
	struct db_res *r;
	err_t e = OK;

	for (int i = 0; e == OK && i < s->n; i++) {
		e = apply_apart(cx, p, who, tx, s, i, &sums);
		if (e == OK && i % TURN == TURN - 1)	/* what makes documents does not wait for them */
			e = tx_query(tx, &r, "SELECT 1", DB0);
	}
	cx->words = words;
	*made_out = sums.made;
	return e;
}
