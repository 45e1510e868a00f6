/* The routes of transactions, and writes that are staged. The rules are the model's; here are parameters, and what an operation must look like. */
#include "databases_priv.h"
#include "core/id.h"
#include "gate/caller.h"
#include "svc/databases/transaction.h"

#include "core/words.h"

/* ---- what is staged by the routes of documents ---- */

/* Nothing is done yet: it is neither in the log nor counted. */
static err_t
stage(struct req *rq, const char *transaction, struct tx_op *op, const char *db, const char *col, struct str *shown)
{
	struct doc_caller who = databases_caller(rq);
	struct transaction t;
	struct str document = STR_NONE;

	op->db = db;
	op->col = col;
	op->rows = rq->cx.words != NULL;
	TRY(databases_take_seen(rq, &who));
	TRY(transaction_stage(&rq->cx, rq->project, &who, transaction, op, 1, &t, &document));
	rq->partial = true;
	*shown = document;
	return OK;
}

err_t
databases_stage(struct req *rq, const char *transaction, struct tx_op op, const char *db, const char *col, int status)
{
	struct str shown;

	TRY(stage(rq, transaction, &op, db, col, &shown));
	return status == 204 ? reply_none(rq) : reply_json(rq, status, shown);
}

static bool
write_nothing(struct buf *b, int i, const void *arg)
{
	(void)b;
	(void)i;
	(void)arg;
	return false;
}

err_t
databases_stage_many(struct req *rq, const char *transaction, struct tx_op op, const char *db, const char *col, int status, int64_t total)
{
	struct str shown;

	if (!rq->bypass)
		return fail_msg(&rq->cx, ERR_GENERAL_UNAUTHORIZED_SCOPE, "Many documents at once are written by API keys and admins alone.");
	TRY(stage(rq, transaction, &op, db, col, &shown));
	return reply_members(rq, &(struct member_list){&document_shape, "documents", total, 0, write_nothing, NULL, NULL, status});
}

static json_t *
shared(const json_t *j)
{
	return json_incref((json_t *)(uintptr_t)j);	/* jansson's counts are not const */
}

err_t
databases_stage_found(struct req *rq, const char *transaction, enum tx_action action, const json_t *data, const struct strs *queries, const char *db, const char *col)
{
	json_t *j = json_keep(&rq->cx, json_object()), *copy;

	(void)json_object_set_new(j, "queries", transaction_texts(queries));
	if (data != NULL) {
		TRY(databases_permitted(rq, data, &copy));
		(void)json_object_set(j, "data", copy);
	}
	return databases_stage_many(rq, transaction, (struct tx_op){.action = action, .data = j}, db, col, 200, 0);
}

err_t
databases_stage_step(struct req *rq, const char *transaction, enum tx_action action, const char *key, const json_t *by, const json_t *bound, const char *id,
    const char *db, const char *col)
{
	json_t *j = json_keep(&rq->cx, json_object());

	(void)json_object_set_new(j, "attribute", json_string(key));
	(void)json_object_set_new(j, "value", shared(by));
	if (json_is_number(bound))
		(void)json_object_set_new(j, action == TX_DECREMENT ? "min" : "max", shared(bound));
	return databases_stage(rq, transaction, (struct tx_op){.action = action, .id = id, .data = j}, db, col, 200);
}

/* A copy, for the body is not ours to change. */
err_t
databases_permitted(struct req *rq, const json_t *data, json_t **out)
{
	struct strs perms = {0};

	TRY(databases_take_perms(rq, data, &perms));
	*out = json_keep(&rq->cx, json_copy((json_t *)(uintptr_t)data));
	if (perms.set)
		(void)json_object_set_new(*out, "$permissions", transaction_texts(&perms));
	else
		(void)json_object_del(*out, "$permissions");
	return OK;
}

static const struct param id_of_new = OPTIONAL("documentId", P_CUSTOM_ID, struct tx_op, id, "Document ID.");

err_t
databases_named(struct req *rq, const json_t *list, json_t **out)
{
	json_t *v = json_keep(&rq->cx, json_array());

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *id = NULL;
		json_t *one;

		TRY(param_take_json(rq, &id_of_new, json_object_get(json_array_get(list, i), "$id"), &id));
		TRY(databases_permitted(rq, json_array_get(list, i), &one));
		(void)json_object_set_new(one, "$id", json_string(id ? id : id_unique(rq->cx.arena)));
		(void)json_array_append(v, one);
	}
	*out = v;
	return OK;
}

/* ---- operations ---- */

struct operation_in {
	const char *db, *col, *id;
	struct strs queries;
	json_t *list;
};
static const struct param operation_db = REQUIRED("databaseId", P_UID, struct operation_in, db, "Database ID.");
static const struct param operation_col = REQUIRED("collectionId", P_UID, struct operation_in, col, "Collection ID.");
static const struct param operation_id = REQUIRED("documentId", P_UID, struct operation_in, id, "Document ID.");
static const struct param operation_queries = OPTIONAL("queries", P_QUERIES, struct operation_in, queries, "Queries.");
static const struct param operation_list = REQUIRED("data", P_OBJECTS, struct operation_in, list, "Documents.");

static err_t
defect(struct req *rq, size_t i, const char *why)
{
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid operations: the operation %zu %s.", i, why);
}

/* In one vocabulary or the other, whichever family of paths it came by. */
static json_t *
either(const json_t *j, const char *key, const char *later)
{
	json_t *v = json_object_get(j, key);

	return v != NULL ? v : json_object_get(j, later);
}

static err_t
needed(struct req *rq, const struct param *p, json_t *v, void *out)
{
	if (v == NULL || json_is_null(v) || str_is(json_str(v), ""))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid operations: \"%s\" is missing.", p->name);
	return param_take_json(rq, p, v, out);
}

static err_t
take_step(struct req *rq, size_t i, const json_t *data, bool down, struct tx_op *op)
{
	const char *key = json_string_value(either(data, "attribute", "column"));
	json_t *by = json_object_get(data, "value"), *bound = json_object_get(data, down ? "min" : "max"), *j;

	if (key == NULL || (by != NULL && !json_is_number(by)) || (bound != NULL && !json_is_number(bound) && !json_is_null(bound)))
		return defect(rq, i, "needs the data of a step: attribute, and perhaps value and a bound, which are numbers");
	if (by != NULL && !(json_number_value(by) > 0))
		return defect(rq, i, "goes by no more than 0");
	op->data = j = json_keep(&rq->cx, json_object());
	(void)json_object_set_new(j, "attribute", json_string(key));
	(void)json_object_set_new(j, "value", by ? shared(by) : json_integer(1));
	if (json_is_number(bound))
		(void)json_object_set(j, down ? "min" : "max", bound);
	return OK;
}

/* {"queries": […]}, and for an update {"data": {…}}. */
static err_t
take_found(struct req *rq, size_t i, const json_t *data, bool update, struct tx_op *op)
{
	json_t *values = json_object_get(data, "data"), *j, *copy;
	struct strs queries = {0};

	if (!json_is_object(data) || (update && json_object_size(values) == 0))
		return defect(rq, i, update ? "needs queries and data" : "needs queries");
	TRY(param_take_json(rq, &operation_queries, json_object_get(data, "queries"), &queries));
	op->data = j = json_keep(&rq->cx, json_object());
	(void)json_object_set_new(j, "queries", transaction_texts(&queries));
	if (!update)
		return OK;
	TRY(databases_permitted(rq, values, &copy));
	(void)json_object_set(j, "data", copy);
	return OK;
}

static err_t
take_list(struct req *rq, size_t i, json_t *data, struct tx_op *op)
{
	json_t *list = NULL, *named;

	if (json_array_size(data) == 0)
		return defect(rq, i, "needs a list of documents");
	TRY(param_take_json(rq, &operation_list, data, &list));
	TRY(databases_named(rq, list, &named));
	op->data = named;
	return OK;
}

static err_t
take_values(struct req *rq, size_t i, const json_t *data, struct tx_op *op)
{
	if (!json_is_object(data))
		return defect(rq, i, "needs data");
	op->data = data;
	return databases_take_perms(rq, data, &op->perms);
}

static err_t
operation_data(struct req *rq, size_t i, json_t *data, struct tx_op *op)
{
	switch (op->action) {
	case TX_DELETE:
		op->data = json_keep(&rq->cx, json_object());
		return OK;
	case TX_INCREMENT:
	case TX_DECREMENT:
		return take_step(rq, i, data, op->action == TX_DECREMENT, op);
	case TX_BULK_CREATE:
	case TX_BULK_UPSERT:
		return take_list(rq, i, data, op);
	case TX_BULK_UPDATE:
	case TX_BULK_DELETE:
		return take_found(rq, i, data, op->action == TX_BULK_UPDATE, op);
	default:
		return take_values(rq, i, data, op);
	}
}

static bool
take_action(const json_t *name, struct tx_op *op)
{
	op->action = transaction_action(json_str(name));
	return op->action < TX_ACTIONS;
}

static err_t
take_operation(struct req *rq, size_t i, const json_t *j, struct tx_op *op)
{
	bool makes;

	if (!take_action(json_object_get(j, "action"), op))
		return defect(rq, i, "names no action");
	op->rows = rq->cx.words != NULL || json_object_get(j, "tableId") != NULL;
	TRY(needed(rq, &operation_db, json_object_get(j, "databaseId"), &op->db));
	TRY(needed(rq, &operation_col, either(j, "collectionId", "tableId"), &op->col));
	makes = op->action == TX_CREATE || op->action == TX_UPSERT;
	if (!tx_actions[op->action].many)
		TRY(needed(rq, makes ? &id_of_new : &operation_id, either(j, "documentId", "rowId"), &op->id));
	return operation_data(rq, i, json_object_get(j, "data"), op);
}

/* ---- routes ---- */

#define TRANSACTION_PATH(st) PATH("transactionId", P_UID, st, id, "Transaction ID.")

struct create_in {
	struct opt_int ttl;
};
static const struct param create_params[] = {
    OPTIONAL("ttl", P_RANGE, struct create_in, ttl, "Seconds until its time is over.", .def = "300", .min = 60, .max = 3600),
};

static err_t
databases_create_transaction(struct req *rq, void *arg)
{
	const struct create_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct transaction t;

	TRY(transaction_create(&rq->cx, rq->project, &who, in->ttl.v, &t));
	return reply(rq, 201, &transaction_shape, &t);
}

struct list_in {
	struct strs queries;
};
static const struct param list_params[] = {
    OPTIONAL("queries", P_QUERIES, struct list_in, queries, "Queries on status, expiresAt, $id, $createdAt and $updatedAt."),
};

static err_t
databases_list_transactions(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct query_page page;
	struct objs list = {0};

	TRY(transaction_list(&rq->cx, rq->project, &who, &in->queries, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &transaction_shape, page.res);
	return reply_list(rq, &transaction_shape, "transactions", page.total, &list);
}

struct transaction_in {
	const char *id;
};
static const struct param transaction_params[] = {TRANSACTION_PATH(struct transaction_in)};

static err_t
databases_get_transaction(struct req *rq, void *arg)
{
	const struct transaction_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct transaction t;

	TRY(transaction_get(&rq->cx, rq->project, &who, in->id, &t));
	return reply(rq, 200, &transaction_shape, &t);
}

static err_t
databases_delete_transaction(struct req *rq, void *arg)
{
	const struct transaction_in *in = arg;
	struct doc_caller who = databases_caller(rq);

	TRY(transaction_delete(&rq->cx, rq->project, &who, in->id));
	return reply_none(rq);
}

struct operations_in {
	const char *id;
	json_t *operations;
};
static const struct param operations_params[] = {
    TRANSACTION_PATH(struct operations_in),
    OPTIONAL("operations", P_OBJECTS, struct operations_in, operations, "Operations, each with action, databaseId, collectionId and, of a single document, documentId; and data.",
	.def = "[]"),
};

/* Errors of staging and of a commit are those of documents, whatever the paths call them. */
static err_t
databases_create_operations(struct req *rq, void *arg)
{
	const struct operations_in *in = arg;
	int n = (int)json_array_size(in->operations);
	struct tx_op *ops = arena_array(rq->cx.arena, struct tx_op, n + 1);
	struct doc_caller who = databases_caller(rq);
	struct transaction t;

	if (n == 0)
		return fail_msg(&rq->cx, ERR_GENERAL_BAD_REQUEST, "There are no operations.");
	for (int i = 0; i < n; i++)
		TRY(take_operation(rq, (size_t)i, json_array_get(in->operations, (size_t)i), &ops[i]));
	rq->cx.words = NULL;
	TRY(transaction_stage(&rq->cx, rq->project, &who, in->id, ops, n, &t, NULL));
	return reply(rq, 201, &transaction_shape, &t);
}

struct update_in {
	const char *id;
	int commit, rollback;
};
static const struct param update_params[] = {
    TRANSACTION_PATH(struct update_in),
    OPTIONAL("commit", P_BOOL, struct update_in, commit, "true: what is staged is done.", .def = "false"),
    OPTIONAL("rollback", P_BOOL, struct update_in, rollback, "true: what is staged is forgotten.", .def = "false"),
};

/* What the log says of an operation that was done: what it says of the route. */
static const char *const logged[TX_ACTIONS] = {
	[TX_CREATE] = "document.create", [TX_UPDATE] = "document.update", [TX_UPSERT] = "document.upsert", [TX_DELETE] = "document.delete",
	[TX_INCREMENT] = "documents.update", [TX_DECREMENT] = "documents.update", [TX_BULK_CREATE] = "document.create", [TX_BULK_UPDATE] = "documents.update",
	[TX_BULK_UPSERT] = "document.create", [TX_BULK_DELETE] = "documents.delete",
};

static void
log_done(struct req *rq, const struct tx_staged *done)
{
	for (int i = 0; i < done->n; i++) {
		const struct tx_op *op = &done->ops[i];
		bool one = op->action == TX_UPDATE || op->action == TX_UPSERT || op->action == TX_DELETE;

		audit_also(rq, words_say(rq->cx.arena, databases_words(op->rows), logged[op->action]),
		    arena_printf(rq->cx.arena, "database/%s/collection/%s%s%s", op->db, op->col, one ? "/document/" : "", one ? op->id : ""));
	}
}

static err_t
databases_update_transaction(struct req *rq, void *arg)
{
	const struct update_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct tx_staged done = {0};
	struct transaction t;

	if ((in->commit == 1) == (in->rollback == 1))
		return fail_msg(&rq->cx, ERR_GENERAL_BAD_REQUEST, "Either commit or rollback is true.");
	rq->cx.words = NULL;
	if (in->rollback == 1)
		TRY(transaction_rollback(&rq->cx, rq->project, &who, in->id, &t));
	else
		TRY(transaction_commit(&rq->cx, rq->project, &who, in->id, &t, &done));
	log_done(rq, &done);
	return reply(rq, 200, &transaction_shape, &t);
}

#define ROUTE_OF(method_, tail, name_, scope_, handler_, status_, doc_, st, rows_, ...)                                            \
	{                                                                                                                          \
		.method = method_, .path = "/v1/databases/transactions" tail, .service = "databases", .name = name_, .scope = scope_, \
		.handler = handler_, .status = status_, .doc = doc_, PARAMS(st, rows_), .limit = "", __VA_ARGS__                   \
	}
#define MODEL .model = &transaction_shape
static const struct route rows[] = {
    ROUTE_OF("POST", "", "createTransaction", "documents.write", databases_create_transaction, 201, "Begin a transaction.", struct create_in, create_params, MODEL),
    ROUTE_OF("GET", "", "listTransactions", "documents.read|rows.read", databases_list_transactions, 200, "List transactions.", struct list_in, list_params, MODEL,
	.list = "transactions"),
    ROUTE_OF("GET", "/:transactionId", "getTransaction", "documents.read|rows.read", databases_get_transaction, 200, "Get a transaction.", struct transaction_in,
	transaction_params, MODEL),
    ROUTE_OF("PATCH", "/:transactionId", "updateTransaction", "documents.write", databases_update_transaction, 200, "Commit a transaction, or roll it back.",
	struct update_in, update_params, MODEL),
    ROUTE_OF("DELETE", "/:transactionId", "deleteTransaction", "documents.write", databases_delete_transaction, 204, "Forget a transaction.", struct transaction_in,
	transaction_params),
    ROUTE_OF("POST", "/:transactionId/operations", "createOperations", "documents.write", databases_create_operations, 201, "Stage operations.", struct operations_in,
	operations_params, MODEL),
};
const struct routes transaction_routes = ROUTES(rows);
