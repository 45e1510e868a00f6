/* Databases and their collections. The rules are the model's; here are the parameters and the routes. */
#include "databases_priv.h"

/* ---- databases ---- */

struct create_in {
	const char *id, *name;
	int enabled;
};
static const struct param create_params[] = {
    REQUIRED("databaseId", P_CUSTOM_ID, struct create_in, id, "Database ID: one of your own, or unique()."),
    REQUIRED("name", P_TEXT, struct create_in, name, "Database name, at most 128 characters.", .max = 128),
    OPTIONAL("enabled", P_BOOL, struct create_in, enabled, "false hides the documents from everybody but keys and admins.", .def = "true"),
};

static err_t
databases_create(struct req *rq, void *arg)
{
	const struct create_in *in = arg;
	struct database d;

	TRY(database_create(&rq->cx, rq->project, databases_actor(rq), in->id, in->name, in->enabled != 0, &d));
	return reply(rq, 201, &database_shape, &d);
}

struct list_in {
	struct strs queries;
	const char *search;
};
static const struct param list_params[] = {
    OPTIONAL("queries", P_QUERIES, struct list_in, queries, "Queries on name, $id, $createdAt and $updatedAt."),
    OPTIONAL("search", P_TEXT, struct list_in, search, "Words of the id or name.", .max = 256),
    LIST_TOTAL,
};

static err_t
databases_list(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	struct query_page page;
	struct objs list = {0};

	TRY(database_list(&rq->cx, rq->project, &in->queries, in->search, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &database_shape, page.res);
	return reply_list(rq, &database_shape, "databases", page.total, &list);
}

struct database_in {
	const char *db;
};
static const struct param database_params[] = {DATABASE(struct database_in)};

static err_t
databases_get(struct req *rq, void *arg)
{
	const struct database_in *in = arg;
	struct database d;

	TRY(database_get(&rq->cx, rq->project, in->db, &d));
	return reply(rq, 200, &database_shape, &d);
}

static err_t
databases_delete(struct req *rq, void *arg)
{
	const struct database_in *in = arg;

	TRY(database_delete(&rq->cx, rq->project, databases_actor(rq), in->db));
	return reply_none(rq);
}

struct update_in {
	const char *db, *name;
	int enabled;
};
static const struct param update_params[] = {
    DATABASE(struct update_in),
    REQUIRED("name", P_TEXT, struct update_in, name, "Database name, at most 128 characters; omitted: it stays.", .max = 128,
	.optional_since = 1009000),
    OPTIONAL("enabled", P_BOOL, struct update_in, enabled, "false hides the documents from everybody but keys and admins.", .def = "true"),
};

static err_t
databases_update(struct req *rq, void *arg)
{
	const struct update_in *in = arg;
	struct database d;

	TRY(database_update(&rq->cx, rq->project, databases_actor(rq), in->db, in->name, in->enabled != 0, &d));
	return reply(rq, 200, &database_shape, &d);
}

/* ---- collections ---- */

static const char *const verbs[] = {"create", "read", "update", "delete", "write", NULL};

/* ---- what an index is asked for with ---- */

struct create_index_in {
	const char *db, *col, *key, *type;
	struct strs attributes, orders;
	json_t *lengths;
};
/* The last two ended failed on servers of 1.0, like any type in other letters; later ones refuse them. */
static const char *const types[] = {"key", "fulltext", "unique", "spatial", "array", "case-insensitive", NULL};
static const char *const types_today[] = {"key", "fulltext", "unique", "spatial", NULL};
static const char *const system_keys[] = {"$id", "$createdAt", "$updatedAt", NULL};
static const struct param create_index_params[] = {
    DATABASE(struct create_index_in),
    COLLECTION(struct create_index_in),
    REQUIRED("key", P_KEY, struct create_index_in, key, "Index key."),
    REQUIRED("type", P_ENUM_NOCASE, struct create_index_in, type, "Index type.", .list = types),
    REQUIRED("attributes", P_KEYS, struct create_index_in, attributes, "Keys of attributes, at most 100.", .list = system_keys),
    OPTIONAL("orders", P_TEXTS, struct create_index_in, orders, "ASC or DESC for each attribute; missing ones ascend.", .def = "[]",
	.max = 4),
    OPTIONAL("lengths", P_INTS, struct create_index_in, lengths, "How many characters of each attribute count; null: all.", .def = "[]"),
};

static void
lengths_of(struct req *rq, const json_t *list, struct index *x)
{
	int64_t *v = arena_array(rq->cx.arena, int64_t, json_array_size(list) + 1);

	x->n_lengths = (int)json_array_size(list);
	for (int i = 0; i < x->n_lengths; i++)
		v[i] = json_integer_value(json_array_get(list, (size_t)i));
	x->lengths = v;
}

static bool
is_type_today(const char *type)
{
	for (const char *const *t = types_today; *t != NULL; t++)
		if (strcmp(*t, type) == 0)
			return true;
	return false;
}

/* The definition as the route takes it; `today`: by the rules since 1.4.0. */
static err_t
index_of(struct req *rq, const struct create_index_in *in, bool today, struct index *x)
{
	if (today && !is_type_today(in->type))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid type: Value must be one of (key, fulltext, unique, spatial)");
	for (int i = 0; i < in->orders.n; i++)
		if (!str_ieq(str_c(in->orders.v[i]), STR("asc")) && !str_ieq(str_c(in->orders.v[i]), STR("desc")))
			return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid orders: an order is ASC or DESC.");
	*x = (struct index){.key = in->key, .type = in->type, .attributes = in->attributes, .orders = in->orders};
	lengths_of(rq, in->lengths, x);
	return OK;
}

/* Orders may be null or empty here: those ascend. */
static json_t *
orders_said(const json_t *list)
{
	json_t *said = json_array();

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *o = json_array_get(list, i);
		bool none = json_is_null(o) || (json_is_string(o) && json_string_length(o) == 0);

		json_array_append_new(said, none ? json_string("ASC") : json_incref(o));
	}
	return said;
}

/* The definition of an index that comes with its collection, by the rules of the route that creates one. */
static err_t
index_read_inline(struct req *rq, json_t *o, struct index *out)
{
	const json_t *orders = json_object_get(o, "orders");
	json_t *with = json_keep(&rq->cx, json_copy(o));
	struct create_index_in in = {0};

	if (json_is_array(orders))
		json_object_set_new(with, "orders", orders_said(orders));
	TRY(params_take(rq, create_index_params, (int)(sizeof create_index_params / sizeof *create_index_params), with, &in));
	if (in.attributes.n == 0)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid attributes: there is none.");
	TRY(index_of(rq, &in, true, out));
	if ((out->orders.n > 0 && out->orders.n != out->attributes.n) || (out->n_lengths > 0 && out->n_lengths != out->attributes.n))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Orders and lengths are as many as attributes.");
	for (int i = 0; i < out->n_lengths; i++)
		if (out->lengths[i] < 0)
			return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid lengths: a length is not negative.");
	return OK;
}

/* ---- collections, with all that is in them ---- */

struct create_collection_in {
	const char *db, *id, *name;
	struct strs perms;
	int security, enabled;
	json_t *attributes, *indexes;
};
static const struct param create_collection_params[] = {
    DATABASE(struct create_collection_in),
    REQUIRED("collectionId", P_CUSTOM_ID, struct create_collection_in, id, "Collection ID: one of your own, or unique()."),
    REQUIRED("name", P_TEXT, struct create_collection_in, name, "Collection name, at most 128 characters.", .max = 128),
    OPTIONAL("permissions", P_PERMISSIONS, struct create_collection_in, perms, "Permissions on all documents.", .list = verbs),
    OPTIONAL("documentSecurity", P_BOOL_LOOSE, struct create_collection_in, security, "Documents have permissions of their own, too.",
	.def = "false"),
    OPTIONAL("enabled", P_BOOL, struct create_collection_in, enabled, "false hides the documents from everybody but keys and admins.",
	.def = "true"),
    OPTIONAL("attributes", P_OBJECTS, struct create_collection_in, attributes, "Attributes that it has from the beginning, at most 100."),
    OPTIONAL("indexes", P_OBJECTS, struct create_collection_in, indexes, "Indexes that it has from the beginning, at most 59."),
};

/* What is wrong with a definition is wrong with the parameter that it stands in. */
static err_t
inline_error(struct req *rq, err_t e, const char *param, size_t i)
{
	if (e == OK || err_info(e)->status != 400)
		return e;
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid %s: definition %zu: %s", words_say(rq->cx.arena, rq->cx.words, param), i,
	    rq->cx.message ? rq->cx.message : err_info(e)->message);
}

static err_t
read_inline(struct req *rq, const struct create_collection_in *in, struct collection_in *c)
{
	size_t n_attrs = json_array_size(in->attributes), n_indexes = json_array_size(in->indexes);
	struct attribute_in *attrs = arena_array(rq->cx.arena, struct attribute_in, n_attrs + 1);
	struct index *indexes = arena_array(rq->cx.arena, struct index, n_indexes + 1);

	for (size_t i = 0; i < n_attrs; i++)
		TRY(inline_error(rq, attribute_read_inline(rq, json_array_get(in->attributes, i), &attrs[i]), "attributes", i));
	for (size_t i = 0; i < n_indexes; i++)
		TRY(inline_error(rq, index_read_inline(rq, json_array_get(in->indexes, i), &indexes[i]), "indexes", i));
	c->attrs = attrs;
	c->n_attrs = (int)n_attrs;
	c->indexes = indexes;
	c->n_indexes = (int)n_indexes;
	return OK;
}

static err_t
databases_create_collection(struct req *rq, void *arg)
{
	const struct create_collection_in *in = arg;
	struct collection_in c = {.id = in->id, .name = in->name, .permissions = in->perms, .enabled = in->enabled != 0,
	    .document_security = in->security == 1};
	struct str json;

	/* whether there is a place for it is said before what is wrong with it */
	if (json_array_size(in->attributes) + json_array_size(in->indexes) > 0) {
		TRY(collection_check_free(&rq->cx, rq->project, in->db, in->id));
		TRY(read_inline(rq, in, &c));
	}
	TRY(collection_create(&rq->cx, rq->project, databases_actor(rq), in->db, &c, &json));
	return reply_json(rq, 201, json);
}

struct list_collections_in {
	const char *db, *search;
	struct strs queries;
};
static const struct param list_collections_params[] = {
    DATABASE(struct list_collections_in),
    OPTIONAL("queries", P_QUERIES, struct list_collections_in, queries,
	"Queries on name, enabled, documentSecurity, $id, $createdAt and $updatedAt."),
    OPTIONAL("search", P_TEXT, struct list_collections_in, search, "Words of the id or name.", .max = 256),
    LIST_TOTAL,
};

static err_t
databases_list_collections(struct req *rq, void *arg)
{
	const struct list_collections_in *in = arg;
	struct str json;

	TRY(collection_list(&rq->cx, rq->project, in->db, &in->queries, in->search, &json));
	return reply_json(rq, 200, json);
}

struct collection_path {
	const char *db, *col;
};
static const struct param collection_params[] = {DATABASE(struct collection_path), COLLECTION(struct collection_path)};

static err_t
databases_get_collection(struct req *rq, void *arg)
{
	const struct collection_path *in = arg;
	const struct collection *c;

	TRY(collection_get(&rq->cx, rq->project, in->db, in->col, &c));
	return reply_json(rq, 200, collection_json(&rq->cx, c, false));
}

static err_t
databases_delete_collection(struct req *rq, void *arg)
{
	const struct collection_path *in = arg;

	TRY(collection_delete(&rq->cx, rq->project, databases_actor(rq), in->db, in->col));
	return reply_none(rq);
}

struct update_collection_in {
	const char *db, *col, *name;
	struct strs perms;
	int security, enabled, purge;
};
static const struct param update_collection_params[] = {
    DATABASE(struct update_collection_in),
    COLLECTION(struct update_collection_in),
    REQUIRED("name", P_TEXT, struct update_collection_in, name, "Collection name, at most 128 characters; omitted: it stays.",
	.max = 128, .optional_since = 1009000),
    OPTIONAL("permissions", P_PERMISSIONS, struct update_collection_in, perms, "Permissions on all documents; omitted: they stay.",
	.list = verbs),
    OPTIONAL("documentSecurity", P_BOOL_LOOSE, struct update_collection_in, security, "Documents have permissions of their own, too.",
	.def = "false"),
    OPTIONAL("enabled", P_BOOL, struct update_collection_in, enabled, "false hides the documents from everybody but keys and admins.",
	.def = "true"),
    OPTIONAL("purge", P_BOOL_LOOSE, struct update_collection_in, purge, "Drop the pages of documents that are kept; any change of the collection does.",
	.def = "false"),
};

static err_t
databases_update_collection(struct req *rq, void *arg)
{
	const struct update_collection_in *in = arg;
	struct collection_in c = {.name = in->name, .permissions = in->perms, .enabled = in->enabled != 0,
	    .document_security = in->security == 1};
	struct str json;

	TRY(collection_update(&rq->cx, rq->project, databases_actor(rq), in->db, in->col, &c, &json));
	return reply_json(rq, 200, json);
}

/* ---- indexes ---- */

static err_t
databases_create_index(struct req *rq, void *arg)
{
	const struct create_index_in *in = arg;
	struct index x;
	struct str json;

	TRY(index_of(rq, in, rq->cx.format >= SINCE_1_4, &x));
	TRY(index_create(&rq->cx, rq->project, databases_actor(rq), in->db, in->col, &x, &json));
	return reply_json(rq, 202, json);
}

struct list_indexes_in {
	const char *db, *col;
	struct strs queries;
};
static const struct param list_indexes_params[] = {
    DATABASE(struct list_indexes_in), COLLECTION(struct list_indexes_in),
    OPTIONAL("queries", P_QUERIES, struct list_indexes_in, queries, "Queries on key, type, status, attributes and error."),
    LIST_TOTAL,
};

static err_t
databases_list_indexes(struct req *rq, void *arg)
{
	const struct list_indexes_in *in = arg;
	struct str json;

	TRY(index_list_json(&rq->cx, rq->project, in->db, in->col, &in->queries, &json));
	return reply_json(rq, 200, json);
}

struct index_path {
	const char *db, *col, *key;
};
static const struct param index_params[] = {
    DATABASE(struct index_path), COLLECTION(struct index_path), PATH("key", P_KEY, struct index_path, key, "Index key.")};

static err_t
databases_get_index(struct req *rq, void *arg)
{
	const struct index_path *in = arg;
	const struct collection *c;
	const struct index *x;

	TRY(collection_get(&rq->cx, rq->project, in->db, in->col, &c));
	TRY(index_find(&rq->cx, c, in->key, &x));
	return reply_json(rq, 200, index_json(&rq->cx, c, x, NULL));
}

static err_t
databases_delete_index(struct req *rq, void *arg)
{
	const struct index_path *in = arg;

	TRY(index_delete(&rq->cx, rq->project, databases_actor(rq), in->db, in->col, in->key));
	return reply_none(rq);
}

/* ---- logs ---- */

struct logs_in {
	const char *db, *col;
	struct strs queries;
};
static const struct param database_logs_params[] = {
    DATABASE(struct logs_in), OPTIONAL("queries", P_QUERIES, struct logs_in, queries, "Queries: limit and offset.")};
static const struct param collection_logs_params[] = {
    DATABASE(struct logs_in), COLLECTION(struct logs_in),
    OPTIONAL("queries", P_QUERIES, struct logs_in, queries, "Queries: limit and offset.")};

static err_t
databases_list_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	struct database d;

	TRY(database_get(&rq->cx, rq->project, in->db, &d));
	/* an earlier database of this id is not this one */
	return reply_logs(rq, AUDIT_OF_RESOURCE, arena_printf(rq->cx.arena, "database/%s", d.id), d.created, &in->queries, false);
}

static err_t
databases_list_collection_logs(struct req *rq, void *arg)
{
	const struct logs_in *in = arg;
	const struct collection *c;

	TRY(collection_get(&rq->cx, rq->project, in->db, in->col, &c));
	return reply_logs(rq, AUDIT_OF_RESOURCE, arena_printf(rq->cx.arena, "database/%s/collection/%s", c->database_id, c->id), 0, &in->queries, false);
}

/* ---- usage ---- */

struct usage_in {
	const char *db, *col, *range;
};
#define RANGE(st) OPTIONAL("range", P_ENUM, st, range, "How far back.", .def = "\"30d\"", .list = usage_ranges)
static const struct param usage_params[] = {RANGE(struct usage_in)};
static const struct param database_usage_params[] = {DATABASE(struct usage_in), RANGE(struct usage_in)};
static const struct param collection_usage_params[] = {DATABASE(struct usage_in), COLLECTION(struct usage_in), RANGE(struct usage_in)};

static err_t
databases_get_usage(struct req *rq, void *arg)
{
	const struct usage_in *in = arg;

	return database_usage_reply(rq, USAGE_OF_ALL, "$all", in->range);
}

static err_t
databases_get_database_usage(struct req *rq, void *arg)
{
	const struct usage_in *in = arg;

	return database_usage_reply(rq, USAGE_OF_DATABASE, in->db, in->range);
}

static err_t
databases_get_collection_usage(struct req *rq, void *arg)
{
	const struct usage_in *in = arg;
	const struct collection *c;

	TRY(collection_get(&rq->cx, rq->project, in->db, in->col, &c));
	return database_usage_reply(rq, USAGE_OF_COLLECTION, arena_printf(rq->cx.arena, "%s/%s", c->database_id, c->id), in->range);
}

/* ---- routes ---- */

#define DB_ROUTE(method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows, ...)                              \
	{                                                                                                                   \
		.method = method_, .path = "/v1/databases" tail, .service = "databases", .name = name_, .scope = scope_,    \
		.limit = "", .handler = handler_, .model = model_, .status = status_, .doc = doc_, PARAMS(st, rows),        \
		__VA_ARGS__                                                                                                 \
	}
#define ON_DATABASE(event) .audit = event " database/{databaseId}"

static const struct route rows[] = {
    DB_ROUTE("POST", "", "create", "databases.write", databases_create, &database_shape, 201, "Create a database.", struct create_in,
	create_params, ON_DATABASE("database.create"), .usage = "databases.create"),
    DB_ROUTE("GET", "", "list", "databases.read", databases_list, &database_shape, 200, "List databases.", struct list_in, list_params,
	.list = "databases", .usage = "databases.read"),
    DB_ROUTE("GET", "/usage", "getUsage", "collections.read", databases_get_usage, &databases_usage_shape, 200, "How the databases are used.", struct usage_in,
	usage_params),
    DB_ROUTE("GET", "/:databaseId", "get", "databases.read", databases_get, &database_shape, 200, "Get a database.", struct database_in,
	database_params, .usage = "databases.read"),
    DB_ROUTE("PUT", "/:databaseId", "update", "databases.write", databases_update, &database_shape, 200, "Change a database.",
	struct update_in, update_params, ON_DATABASE("database.update"), .usage = "databases.update"),
    DB_ROUTE("DELETE", "/:databaseId", "delete", "databases.write", databases_delete, NULL, 204,
	"Delete a database with all that is in it.", struct database_in, database_params, ON_DATABASE("database.delete"),
	.usage = "databases.delete"),
    DB_ROUTE("GET", "/:databaseId/logs", "listLogs", "databases.read", databases_list_logs, &audit_shape, 200, "Who changed the database.",
	struct logs_in, database_logs_params, .list = "logs"),
    DB_ROUTE("GET", "/:databaseId/usage", "getDatabaseUsage", "collections.read", databases_get_database_usage, &database_usage_shape, 200,
	"How a database is used.", struct usage_in, database_usage_params),

    BELOW("POST", "", "createCollection", "collections.write", databases_create_collection, 201, "Create a collection.",
	struct create_collection_in, create_collection_params, .model = &collection_shape, ON_COLLECTION("collection.create"), .usage = "collections.create"),
    BELOW("GET", "", "listCollections", "collections.read", databases_list_collections, 200, "List collections.", struct list_collections_in,
	list_collections_params, .model = &collection_shape, .list = "collections", READS),
    BELOW("GET", "/:collectionId", "getCollection", "collections.read", databases_get_collection, 200, "Get a collection.", struct collection_path,
	collection_params, .model = &collection_shape, READS),
    BELOW("PUT", "/:collectionId", "updateCollection", "collections.write", databases_update_collection, 200, "Change a collection.",
	struct update_collection_in, update_collection_params, .model = &collection_shape, ON_COLLECTION("collection.update"), CHANGES),
    BELOW("DELETE", "/:collectionId", "deleteCollection", "collections.write", databases_delete_collection, 204,
	"Delete a collection with its documents.", struct collection_path, collection_params, ON_COLLECTION("collection.delete"),
	.usage = "collections.delete"),
    BELOW("GET", "/:collectionId/logs", "listCollectionLogs", "collections.read", databases_list_collection_logs, 200,
	"Who changed the collection.", struct logs_in, collection_logs_params, .model = &audit_shape, .list = "logs", READS),
    DB_ROUTE("GET", "/:databaseId/collections/:collectionId/usage", "getCollectionUsage", "collections.read", databases_get_collection_usage,
	&collection_usage_shape, 200, "How a collection is used.", struct usage_in, collection_usage_params),

    BELOW("POST", "/:collectionId/indexes", "createIndex", "collections.write", databases_create_index, 202, "Create an index.",
	struct create_index_in, create_index_params, .model = &index_shape, ON_COLLECTION("index.create"), CHANGES),
    BELOW("GET", "/:collectionId/indexes", "listIndexes", "collections.read", databases_list_indexes, 200, "List indexes.", struct list_indexes_in,
	list_indexes_params, .model = &index_shape, .list = "indexes", READS),
    BELOW("GET", "/:collectionId/indexes/:key", "getIndex", "collections.read", databases_get_index, 200, "Get an index.", struct index_path,
	index_params, .model = &index_shape, READS),
    BELOW("DELETE", "/:collectionId/indexes/:key", "deleteIndex", "collections.write", databases_delete_index, 204, "Delete an index.",
	struct index_path, index_params, ON_COLLECTION("index.delete"), CHANGES),
};
const struct routes database_routes = ROUTES(rows);
