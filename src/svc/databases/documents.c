/* The documents of a collection. The rules are the model's; here are parameters, and who the caller is to it. */
#include "databases_priv.h"
#include "core/id.h"
#include "gate/caller.h"
#include "svc/databases/transaction.h"

enum { KEYS_SEE_ALL = 1004000 };	/* since that version keys see disabled collections */

/* X-Appwrite-Timestamp: when the client saw what it writes to. */
static const struct param seen_param = OPTIONAL("X-Appwrite-Timestamp", P_DATETIME, struct doc_caller, seen, "When the client saw the document.");

err_t
databases_take_seen(struct req *rq, struct doc_caller *who)
{
	struct str text = rq->http->hdr[HDR_X_TIMESTAMP];

	who->dated = text.n > 0;
	return who->dated ? param_take(rq, &seen_param, text, &who->seen) : OK;
}

static const char *const verbs[] = {"read", "update", "delete", "write", NULL};
static const struct param perms_within = OPTIONAL("$permissions", P_PERMISSIONS, struct doc_in, perms, "Permissions.", .list = verbs);

/* "$permissions" of the data. */
err_t
databases_take_perms(struct req *rq, const json_t *data, struct strs *out)
{
	err_t e = json_is_object(data) ? param_take_json(rq, &perms_within, json_object_get(data, "$permissions"), out) : OK;

	return e == ERR_GENERAL_ARGUMENT_INVALID ? ERR_GENERAL_BAD_REQUEST : e;
}

static err_t
perms_within_data(void *rq, const json_t *data, struct strs *out)
{
	return databases_take_perms(rq, data, out);
}

struct doc_caller
databases_caller(const struct req *rq)
{
	/* whom documents are left to: the contract has it so for admins of the console too, whose ids are none of the project */
	const struct user *user = rq->caller == CALLER_ADMIN ? rq->login->user : caller_user(rq);

	return (struct doc_caller){.take_perms = perms_within_data, .arg = (struct req *)(uintptr_t)rq, .bypass = rq->bypass, .see_disabled = rq->caller == CALLER_ADMIN || (rq->bypass && rq->cx.format >= KEYS_SEE_ALL), .roles = &rq->roles,
	    .owner = caller_user(rq) ? caller_user(rq)->internal : 0, .user = user ? user->id : NULL,
	    .actor = caller_id(rq), .label = rq->role_label};
}

#define DOCUMENT(st) PATH("documentId", P_UID, st, id, "Document ID.")
#define PERMISSIONS(st)                                                                                                              \
	OPTIONAL("permissions", P_PERMISSIONS, st, perms, "Permissions: read, update, delete and write, with a role each.",          \
	    .list = verbs)

/* ---- many at once ---- */

static const struct param id_within = OPTIONAL("$id", P_CUSTOM_ID, struct doc_in, id, "Document ID.");
static err_t
take_many(struct req *rq, const json_t *list, struct doc_in **out, int *n_out)
{
	size_t n = json_array_size(list);

	*out = arena_array(rq->cx.arena, struct doc_in, (int)n + 1);
	for (size_t i = 0; i < n; i++) {
		struct doc_in *in = &(*out)[i];

		in->data = json_array_get(list, i);
		TRY(param_take_json(rq, &id_within, json_object_get(in->data, "$id"), &in->id));
		if (in->id == NULL)
			in->id = id_unique(rq->cx.arena);
		TRY(databases_take_perms(rq, in->data, &in->perms));
	}
	*n_out = (int)n;
	return OK;
}

static bool
write_one_of_many(struct buf *b, int i, const void *arg)
{
	buf_str(b, ((const struct doc_many *)arg)->json[i]);
	return true;
}

static err_t
reply_many(struct req *rq, int status, const struct doc_many *m)
{
	return reply_members(rq, &(struct member_list){&document_shape, "documents", m->total, m->n, write_one_of_many, m, NULL, status});
}

/* ---- create ---- */

struct create_in {
	const char *db, *col, *id;
	json_t *data;
	struct strs perms;
	json_t *documents;
	const char *transaction;
};
static const struct param create_params[] = {
    DATABASE(struct create_in),
    COLLECTION(struct create_in),
    OPTIONAL("documentId", P_CUSTOM_ID, struct create_in, id, "Document ID: one of your own, or unique(). Needed with data."),
    OPTIONAL("data", P_JSON_OBJECT, struct create_in, data, "Document data as a JSON object.", .def = "[]"),
    PERMISSIONS(struct create_in),
    OPTIONAL("documents", P_OBJECTS, struct create_in, documents, "For keys and admins: a list of up to 100 documents instead, each with $id and $permissions."),
    TRANSACTION(struct create_in),
};

static err_t
create_documents(struct req *rq, const struct create_in *in)
{
	struct doc_many *m = arena_new_of(rq->cx.arena, struct doc_many);
	struct doc_caller who = databases_caller(rq);
	json_t *named;
	struct doc_in *v;
	int n;

	if (in->id != NULL || in->perms.set || json_object_size(in->data) > 0)
		return fail_msg(&rq->cx, ERR_GENERAL_BAD_REQUEST, "With documents there is neither documentId nor data nor permissions.");
	if (in->transaction != NULL && json_array_size(in->documents) > 0) {
		TRY(databases_named(rq, in->documents, &named));
		return databases_stage_many(rq, in->transaction, (struct tx_op){.action = TX_BULK_CREATE, .data = named}, in->db, in->col, 201, (int64_t)json_array_size(named));
	}
	TRY(take_many(rq, in->documents, &v, &n));
	if (n == 0)
		return ERR_DOCUMENT_MISSING_DATA;
	TRY(document_create_many(&rq->cx, rq->project, &who, in->db, in->col, v, n, m));
	return reply_many(rq, 201, m);
}

static err_t
databases_create_document(struct req *rq, void *arg)
{
	const struct create_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct str json;

	if (in->documents != NULL)
		return create_documents(rq, in);
	if (in->id == NULL)
		return document_id_missing(&rq->cx);
	if (in->transaction != NULL && json_object_size(in->data) > 0)
		return databases_stage(rq, in->transaction, (struct tx_op){.action = TX_CREATE, .id = in->id, .data = in->data, .perms = in->perms}, in->db, in->col, 201);
	TRY(document_create(&rq->cx, rq->project, &who, in->db, in->col, in->id, in->data, &in->perms, &json));
	return reply_json(rq, 201, json);
}

struct upsert_many_in {
	const char *db, *col;
	json_t *documents;
	const char *transaction;
};
static const struct param upsert_many_params[] = {
    DATABASE(struct upsert_many_in),
    COLLECTION(struct upsert_many_in),
    REQUIRED("documents", P_OBJECTS, struct upsert_many_in, documents, "Up to 100 documents, each with $id and $permissions.", .def = "[]"),
    TRANSACTION(struct upsert_many_in),
};

static err_t
databases_upsert_documents(struct req *rq, void *arg)
{
	const struct upsert_many_in *in = arg;
	struct doc_many *m = arena_new_of(rq->cx.arena, struct doc_many);
	struct doc_caller who = databases_caller(rq);
	json_t *named;
	struct doc_in *v;
	int n;

	if (in->transaction != NULL) {
		TRY(databases_named(rq, in->documents, &named));
		return databases_stage_many(rq, in->transaction, (struct tx_op){.action = TX_BULK_UPSERT, .data = named}, in->db, in->col, 200, (int64_t)json_array_size(named));
	}
	TRY(take_many(rq, in->documents, &v, &n));
	TRY(document_upsert_many(&rq->cx, rq->project, &who, in->db, in->col, v, n, m));
	return reply_many(rq, 200, m);
}

struct update_many_in {
	const char *db, *col;
	json_t *data;
	struct strs queries;
	const char *transaction;
};
static const struct param update_many_params[] = {
    DATABASE(struct update_many_in),
    COLLECTION(struct update_many_in),
    OPTIONAL("data", P_JSON_OBJECT, struct update_many_in, data, "Attributes to change, and $permissions; others stay.", .def = "[]"),
    OPTIONAL("queries", P_QUERIES, struct update_many_in, queries, "Queries: which documents; without any it is all of them."),
    TRANSACTION(struct update_many_in),
};

static err_t
databases_update_documents(struct req *rq, void *arg)
{
	const struct update_many_in *in = arg;
	struct doc_many *m = arena_new_of(rq->cx.arena, struct doc_many);
	struct doc_caller who = databases_caller(rq);
	struct strs perms = {0};

	if (in->transaction != NULL && json_object_size(in->data) > 0)
		return databases_stage_found(rq, in->transaction, TX_BULK_UPDATE, in->data, &in->queries, in->db, in->col);
	TRY(databases_take_perms(rq, in->data, &perms));
	TRY(document_update_many(&rq->cx, rq->project, &who, in->db, in->col, in->data, &perms, &in->queries, m));
	return reply_many(rq, 200, m);
}

struct delete_many_in {
	const char *db, *col;
	struct strs queries;
	const char *transaction;
};
static const struct param delete_many_params[] = {
    DATABASE(struct delete_many_in),
    COLLECTION(struct delete_many_in),
    OPTIONAL("queries", P_QUERIES, struct delete_many_in, queries, "Queries: which documents; without any it is all of them."),
    TRANSACTION(struct delete_many_in),
};

static err_t
databases_delete_documents(struct req *rq, void *arg)
{
	const struct delete_many_in *in = arg;
	struct doc_many *m = arena_new_of(rq->cx.arena, struct doc_many);
	struct doc_caller who = databases_caller(rq);

	if (in->transaction != NULL)
		return databases_stage_found(rq, in->transaction, TX_BULK_DELETE, NULL, &in->queries, in->db, in->col);
	TRY(document_delete_many(&rq->cx, rq->project, &who, in->db, in->col, &in->queries, m));
	return reply_many(rq, 200, m);
}

/* ---- list ---- */

struct list_in {
	const char *db, *col;
	struct strs queries;
	int explain;
	struct opt_int ttl;
	const char *transaction;
};
static const struct param list_params[] = {
    DATABASE(struct list_in),
    COLLECTION(struct list_in),
    OPTIONAL("queries", P_QUERIES, struct list_in, queries, "Queries: filters, orders, limit, offset, cursor, select."),
    LIST_TOTAL,
    OPTIONAL("ttl", P_RANGE, struct list_in, ttl, "Seconds that the page may be old; 0: it is read now.", .def = "0", .min = 0, .max = 86400),
    OPTIONAL("explain", P_BOOL_LOOSE, struct list_in, explain, "For keys and admins: how the list would be read."),
    TRANSACTION_SEEN(struct list_in),
};

static bool
write_document(struct buf *b, int i, const void *arg)
{
	return document_list_write(arg, i, b);
}

static err_t
ready_document(struct ctx *cx, int i, const void *arg)
{
	return document_list_ready(cx, (struct doc_list *)(uintptr_t)arg, i);
}

static void
end_list(void *arg)
{
	document_list_end(arg);
}

static err_t
reply_list_of(struct req *rq, struct doc_list *list)
{
	defer(&rq->cx, end_list, list);
	return reply_members(rq, &(struct member_list){&document_shape, "documents", list->total, list->n, write_document, list, ready_document});
}

static err_t
reply_kept(struct req *rq, const struct list_in *in, const struct doc_caller *who)
{
	struct doc_list *list = arena_new_of(rq->cx.arena, struct doc_list);
	struct doc_kept *kept = arena_new_of(rq->cx.arena, struct doc_kept);

	kept->ttl = in->ttl.v;
	TRY(document_list_kept(&rq->cx, rq->project, who, in->db, in->col, &in->queries, kept, list));
	reply_static(rq, "X-Appwrite-Cache", kept->hit ? "hit" : "miss");
	return kept->whole ? reply_many(rq, 200, &kept->page) : reply_list_of(rq, list);
}

static err_t
databases_list_documents(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct doc_list *list = arena_new_of(rq->cx.arena, struct doc_list);
	struct str json;

	if (in->explain == 1 && !rq->bypass)
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "explain is for keys and admins");
	if (in->explain == 1) {
		TRY(document_explain(&rq->cx, rq->project, &who, in->db, in->col, &in->queries, &json));
		return reply_json(rq, 200, json);
	}
	if (in->transaction != NULL) {
		TRY(transaction_documents(&rq->cx, rq->project, &who, in->transaction, in->db, in->col, &in->queries, list));
		return reply_list_of(rq, list);
	}
	if (in->ttl.v > 0)
		return reply_kept(rq, in, &who);
	TRY(document_list(&rq->cx, rq->project, &who, in->db, in->col, &in->queries, list));
	return reply_list_of(rq, list);
}

/* ---- get ---- */

struct get_in {
	const char *db, *col, *id;
	struct strs queries;
	const char *transaction;
};
static const struct param get_params[] = {
    DATABASE(struct get_in),
    COLLECTION(struct get_in),
    DOCUMENT(struct get_in),
    OPTIONAL("queries", P_QUERIES, struct get_in, queries, "Queries: select only."),
    TRANSACTION_SEEN(struct get_in),
};

static err_t
databases_get_document(struct req *rq, void *arg)
{
	const struct get_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct str json;

	if (in->transaction != NULL)
		TRY(transaction_document(&rq->cx, rq->project, &who, in->transaction, in->db, in->col, in->id, &in->queries, &json));
	else
		TRY(document_get(&rq->cx, rq->project, &who, in->db, in->col, in->id, &in->queries, &json));
	return reply_json(rq, 200, json);
}

/* ---- update ---- */

struct update_in {
	const char *db, *col, *id;
	json_t *data;
	struct strs perms;
	const char *transaction;
};
static const struct param update_params[] = {
    DATABASE(struct update_in),
    COLLECTION(struct update_in),
    DOCUMENT(struct update_in),
    OPTIONAL("data", P_JSON_OBJECT, struct update_in, data, "Attributes to change; others stay.", .def = "[]"),
    PERMISSIONS(struct update_in),
    TRANSACTION(struct update_in),
};

/* There is something to stage; what says nothing is refused as ever. */
static bool
stages(const struct update_in *in)
{
	return json_object_size(in->data) > 0 || in->perms.set;
}

static err_t
stage_update(struct req *rq, const struct update_in *in, enum tx_action action, int status)
{
	const json_t *data = json_is_object(in->data) ? in->data : json_parse(&rq->cx, STR("{}"), NULL);

	return databases_stage(rq, in->transaction, (struct tx_op){.action = action, .id = in->id, .data = data, .perms = in->perms}, in->db, in->col, status);
}

static err_t
databases_update_document(struct req *rq, void *arg)
{
	const struct update_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct str json;

	if (in->transaction != NULL && stages(in))
		return stage_update(rq, in, TX_UPDATE, 200);
	TRY(databases_take_seen(rq, &who));
	TRY(document_update(&rq->cx, rq->project, &who, in->db, in->col, in->id, in->data, &in->perms, &json));
	return reply_json(rq, 200, json);
}

/* ---- upsert ---- */

static const struct param upsert_params[] = {
    DATABASE(struct update_in),
    COLLECTION(struct update_in),
    PATH("documentId", P_CUSTOM_ID, struct update_in, id, "Document ID; unique() makes one."),
    OPTIONAL("data", P_JSON_OBJECT, struct update_in, data, "Attributes; where the document is there, others stay.", .def = "[]"),
    PERMISSIONS(struct update_in),
    TRANSACTION(struct update_in),
};

static err_t
databases_upsert_document(struct req *rq, void *arg)
{
	const struct update_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	struct str json;

	if (in->transaction != NULL && stages(in))
		return stage_update(rq, in, TX_UPSERT, 201);
	TRY(document_upsert(&rq->cx, rq->project, &who, in->db, in->col, in->id, in->data, &in->perms, &json));
	return reply_json(rq, 200, json);
}

/* ---- increment and decrement ---- */

struct count_in {
	const char *db, *col, *id, *key;
	struct opt_float value, bound;
	const char *transaction;
};
#define COUNT_PARAMS(bound_, what)                                                                                   \
	DATABASE(struct count_in), COLLECTION(struct count_in), DOCUMENT(struct count_in),                           \
	    PATH("attribute", P_KEY, struct count_in, key, "Key of an attribute of numbers."),                       \
	    OPTIONAL("value", P_NUMBER, struct count_in, value, "How far to go, more than 0.", .def = "1"),          \
	    OPTIONAL(bound_, P_NUMBER, struct count_in, bound, what), TRANSACTION(struct count_in)
static const struct param increment_params[] = {COUNT_PARAMS("max", "No further than this.")};
static const struct param decrement_params[] = {COUNT_PARAMS("min", "No further than this.")};

/* The numbers as they came: a double does not hold all of them. */
static err_t
count(struct req *rq, const struct count_in *in, const char *bound, bool down)
{
	const json_t *by = json_object_get(rq->body, "value");
	struct doc_caller who = databases_caller(rq);
	struct str json;

	if (!(in->value.v > 0))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid value: it must be more than 0.");
	if (!json_is_number(by))
		by = json_object_get(json_parse(&rq->cx, STR("{\"value\":1}"), NULL), "value");
	if (in->transaction != NULL)
		return databases_stage_step(rq, in->transaction, down ? TX_DECREMENT : TX_INCREMENT, in->key, by, json_object_get(rq->body, bound), in->id, in->db, in->col);
	TRY(document_count(&rq->cx, rq->project, &who, in->db, in->col, in->id, in->key, by, json_object_get(rq->body, bound), down, &json));
	return reply_json(rq, 200, json);
}

static err_t
databases_increment_attribute(struct req *rq, void *arg)
{
	return count(rq, arg, "max", false);
}

static err_t
databases_decrement_attribute(struct req *rq, void *arg)
{
	return count(rq, arg, "min", true);
}

/* ---- delete ---- */

struct delete_in {
	const char *db, *col, *id, *transaction;
};
static const struct param delete_params[] = {DATABASE(struct delete_in), COLLECTION(struct delete_in), DOCUMENT(struct delete_in), TRANSACTION(struct delete_in)};

static err_t
databases_delete_document(struct req *rq, void *arg)
{
	const struct delete_in *in = arg;
	struct doc_caller who = databases_caller(rq);

	if (in->transaction != NULL)
		return databases_stage(rq, in->transaction, (struct tx_op){.action = TX_DELETE, .id = in->id, .data = json_parse(&rq->cx, STR("{}"), NULL)}, in->db, in->col, 204);
	TRY(databases_take_seen(rq, &who));
	TRY(document_delete(&rq->cx, rq->project, &who, in->db, in->col, in->id));
	return reply_none(rq);
}

/* ---- logs ---- */

struct logs_in {
	const char *db, *col, *id;
	struct strs queries;
};
static const struct param logs_params[] = {
    DATABASE(struct logs_in),
    COLLECTION(struct logs_in),
    DOCUMENT(struct logs_in),
    OPTIONAL("queries", P_QUERIES, struct logs_in, queries, "Queries: limit and offset."),
};

static err_t
databases_list_document_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	struct doc_caller who = databases_caller(rq);
	const char *resource;

	TRY(document_resource(&rq->cx, rq->project, &who, in->db, in->col, in->id, &resource));
	return reply_logs(rq, AUDIT_OF_RESOURCE, resource, 0, &in->queries, false);
}

/* ---- routes ---- */

#define OF_COLLECTION(event) .audit = event " database/{databaseId}/collection/{collectionId}"
#define OF_DOCUMENT(event) OF_COLLECTION(event) "/document/{documentId}"
#define COUNTS(op) .usage = "documents." #op
#define LIMIT(n) .limit = n "/60 ip:{ip},method:{method},url:{url},userId:{userId}"

/* A creation is an entry of the collection's log. */
static const struct route rows[] = {
    BELOW("POST", "/:collectionId/documents", "createDocument", "documents.write", databases_create_document, 201, "Create a document.",
	struct create_in, create_params, .model = &document_shape, .or_model = &document_shape, .or_list = "documents", OF_COLLECTION("document.create"),
	COUNTS(create), LIMIT("120")),
    BELOW("PUT", "/:collectionId/documents", "upsertDocuments", "documents.write", databases_upsert_documents, 200,
	"Make or change many documents, for keys and admins.", struct upsert_many_in, upsert_many_params, .model = &document_shape, .list = "documents",
	OF_COLLECTION("document.create"), COUNTS(update), LIMIT("120")),
    BELOW("PATCH", "/:collectionId/documents", "updateDocuments", "documents.write", databases_update_documents, 200,
	"Change the documents that queries find, for keys and admins.", struct update_many_in, update_many_params, .model = &document_shape,
	.list = "documents", OF_COLLECTION("documents.update"), COUNTS(update), LIMIT("120")),
    BELOW("DELETE", "/:collectionId/documents", "deleteDocuments", "documents.write", databases_delete_documents, 200,
	"Delete the documents that queries find, for keys and admins.", struct delete_many_in, delete_many_params, .model = &document_shape,
	.list = "documents", OF_COLLECTION("documents.delete"), COUNTS(delete), LIMIT("60")),
    BELOW("GET", "/:collectionId/documents", "listDocuments", "documents.read", databases_list_documents, 200, "List documents.", struct list_in,
	list_params, .model = &document_shape, .list = "documents", .or_model = &document_plan_shape, COUNTS(read)),
    BELOW("GET", "/:collectionId/documents/:documentId", "getDocument", "documents.read", databases_get_document, 200, "Get a document.",
	struct get_in, get_params, .model = &document_shape, COUNTS(read)),
    BELOW("PATCH", "/:collectionId/documents/:documentId", "updateDocument", "documents.write", databases_update_document, 200,
	"Change some attributes of a document, or its permissions.", struct update_in, update_params, .model = &document_shape,
	OF_DOCUMENT("document.update"), COUNTS(update), LIMIT("120")),
    BELOW("PUT", "/:collectionId/documents/:documentId", "upsertDocument", "documents.write", databases_upsert_document, 200,
	"Make a document, or change it where it is there.", struct update_in, upsert_params, .model = &document_shape, .or_status = 201,
	OF_DOCUMENT("document.upsert"), COUNTS(update), LIMIT("120")),
    BELOW("PATCH", "/:collectionId/documents/:documentId/:attribute/increment", "incrementDocumentAttribute", "documents.write",
	databases_increment_attribute, 200, "Add to a number.", struct count_in, increment_params, .model = &document_shape,
	OF_COLLECTION("documents.update"), COUNTS(update), LIMIT("120")),
    BELOW("PATCH", "/:collectionId/documents/:documentId/:attribute/decrement", "decrementDocumentAttribute", "documents.write",
	databases_decrement_attribute, 200, "Take away from a number.", struct count_in, decrement_params, .model = &document_shape,
	OF_COLLECTION("documents.update"), COUNTS(update), LIMIT("120")),
    BELOW("DELETE", "/:collectionId/documents/:documentId", "deleteDocument", "documents.write", databases_delete_document, 204,
	"Delete a document.", struct delete_in, delete_params, OF_DOCUMENT("document.delete"), COUNTS(delete), LIMIT("60")),
    BELOW("GET", "/:collectionId/documents/:documentId/logs", "listDocumentLogs", "documents.read", databases_list_document_logs, 200,
	"Who changed the document.", struct logs_in, logs_params, .model = &audit_shape, .list = "logs", COUNTS(read)),
};
const struct routes document_routes = ROUTES(rows);
