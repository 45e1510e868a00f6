/* The models of collections, attributes, indexes and documents for the OpenAPI document: what these are written as (collection_json.c,
 * document_json.c) depends on types and schemas, so the shapes only tell. Every reply in the tests is held against them. */
#include "model/usage.h"
#include "svc/databases/collection.h"

#define LIST_OF(key_, sub_, doc_) TOLD(key_, F_LIST, doc_, .sub = sub_)
#define ONE_OF(key_, doc_, ...) TOLD(key_, F_ENUM, doc_, .values = (const char *const[]){__VA_ARGS__, NULL})

/* ---- attributes ---- */

#define STATUS ONE_OF("status", "State of the change.", "available", "processing", "deleting", "stuck", "failed")
#define REASON TOLD("error", F_STR, "Why it failed or is stuck, else empty. Told since 1.4.0.", .since = SINCE_1_4)
#define DATES                                                                                                                                \
	TOLD("$createdAt", F_TIME, "Creation date in ISO 8601. Told since 1.6.0.", .since = SINCE_1_6),                                     \
	    TOLD("$updatedAt", F_TIME, "Date of the last change in ISO 8601. Told since 1.6.0.", .since = SINCE_1_6)
#define ENCRYPT TOLD("encrypt", F_BOOL, "Values are sealed at rest. Told since 1.8.0.", .since = SINCE_1_8)
#define BASE(type_) \
	TOLD("key", F_STR, "Attribute key."), ONE_OF("type", "Attribute type.", type_), STATUS, REASON,                                     \
	    TOLD("required", F_BOOL, "Documents must have a value."), TOLD("array", F_BOOL, "Values are lists."), DATES
#define BOUND(key_, type_, doc_) TOLD(key_, type_, doc_, .nullable = true)
#define DEFAULT(type_) TOLD("default", type_, "Value of documents that give none.", .nullable = true)
#define FORMAT(name) ONE_OF("format", "Format of the values.", name)

#define SIZE TOLD("size", F_INT, "Most characters of a value.")

static const struct field string_fields[] = {BASE("string"), SIZE, DEFAULT(F_STR), ENCRYPT};
static const struct field varchar_fields[] = {BASE("varchar"), SIZE, DEFAULT(F_STR), ENCRYPT};
static const struct field text_fields[] = {BASE("text"), DEFAULT(F_STR), ENCRYPT};
static const struct field mediumtext_fields[] = {BASE("mediumtext"), DEFAULT(F_STR), ENCRYPT};
static const struct field longtext_fields[] = {BASE("longtext"), DEFAULT(F_STR), ENCRYPT};
static const struct field email_fields[] = {BASE("string"), FORMAT("email"), DEFAULT(F_STR)};
static const struct field ip_fields[] = {BASE("string"), FORMAT("ip"), DEFAULT(F_STR)};
static const struct field url_fields[] = {BASE("string"), FORMAT("url"), DEFAULT(F_STR)};
static const struct field datetime_fields[] = {BASE("datetime"), FORMAT(""), DEFAULT(F_STR)};
static const struct field enum_fields[] = {BASE("string"), TOLD("elements", F_STRS, "The values."), FORMAT("enum"), DEFAULT(F_STR)};
static const struct field integer_fields[] = {BASE("integer"), BOUND("min", F_INT, "Smallest value."), BOUND("max", F_INT, "Largest value."),
    DEFAULT(F_INT)};
static const struct field bigint_fields[] = {BASE("bigint"), BOUND("min", F_INT, "Smallest value."), BOUND("max", F_INT, "Largest value."),
    DEFAULT(F_INT)};
static const struct field float_fields[] = {BASE("double"), BOUND("min", F_FLOAT, "Smallest value."), BOUND("max", F_FLOAT, "Largest value."),
    DEFAULT(F_FLOAT)};
static const struct field boolean_fields[] = {BASE("boolean"), DEFAULT(F_BOOL)};
#define PLACE(items) TOLD("default", F_LIST, "Value of documents that give none.", .nullable = true, .text = items)
static const struct field point_fields[] = {BASE("point"), PLACE("{\"type\":\"number\"}")};
static const struct field line_fields[] = {BASE("linestring"), PLACE("{\"type\":\"array\",\"items\":{\"type\":\"number\"}}")};
static const struct field polygon_fields[] = {BASE("polygon"),
    PLACE("{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"number\"}}}")};

static const struct field relationship_fields[] = {BASE("relationship"), TOLD("relatedCollection", F_STR, "ID of the other collection."),
    ONE_OF("relationType", "How many there are of each side: of the parent's, then of the child's.", "oneToOne", "oneToMany", "manyToOne", "manyToMany"),
    TOLD("twoWay", F_BOOL, "The other collection has an attribute for it, too."), TOLD("twoWayKey", F_STR, "Key of that attribute."),
    ONE_OF("onDelete", "What comes of related documents when one is deleted.", "restrict", "cascade", "setNull"),
    ONE_OF("side", "Which side this is.", "parent", "child")};

const struct shape attribute_string_shape = SHAPE_TOLD("attributeString", string_fields);
const struct shape attribute_varchar_shape = SHAPE_TOLD("attributeVarchar", varchar_fields);
const struct shape attribute_text_shape = SHAPE_TOLD("attributeText", text_fields);
const struct shape attribute_mediumtext_shape = SHAPE_TOLD("attributeMediumtext", mediumtext_fields);
const struct shape attribute_longtext_shape = SHAPE_TOLD("attributeLongtext", longtext_fields);
const struct shape attribute_email_shape = SHAPE_TOLD("attributeEmail", email_fields);
const struct shape attribute_enum_shape = SHAPE_TOLD("attributeEnum", enum_fields);
const struct shape attribute_ip_shape = SHAPE_TOLD("attributeIp", ip_fields);
const struct shape attribute_url_shape = SHAPE_TOLD("attributeUrl", url_fields);
const struct shape attribute_integer_shape = SHAPE_TOLD("attributeInteger", integer_fields);
const struct shape attribute_bigint_shape = SHAPE_TOLD("attributeBigint", bigint_fields);
const struct shape attribute_float_shape = SHAPE_TOLD("attributeFloat", float_fields);
const struct shape attribute_boolean_shape = SHAPE_TOLD("attributeBoolean", boolean_fields);
const struct shape attribute_datetime_shape = SHAPE_TOLD("attributeDatetime", datetime_fields);
const struct shape attribute_point_shape = SHAPE_TOLD("attributePoint", point_fields);
const struct shape attribute_line_shape = SHAPE_TOLD("attributeLine", line_fields);
const struct shape attribute_polygon_shape = SHAPE_TOLD("attributePolygon", polygon_fields);

const struct shape attribute_relationship_shape = SHAPE_TOLD("attributeRelationship", relationship_fields);

static const struct shape *const attributes[] = {&attribute_boolean_shape, &attribute_integer_shape, &attribute_float_shape,
    &attribute_email_shape, &attribute_enum_shape, &attribute_url_shape, &attribute_ip_shape, &attribute_datetime_shape,
    &attribute_bigint_shape, &attribute_varchar_shape, &attribute_text_shape, &attribute_mediumtext_shape, &attribute_longtext_shape,
    &attribute_point_shape, &attribute_line_shape, &attribute_polygon_shape, &attribute_relationship_shape, &attribute_string_shape, NULL};
const struct shape attribute_shape = {.model = "attribute", .any = attributes};

/* ---- the rest ---- */

static const struct field index_fields[] = {
    TOLD("$id", F_STR, "Index ID. Told since 1.8.0.", .since = SINCE_1_8),
    DATES,
    TOLD("key", F_STR, "Index key."),
    TOLD("type", F_STR, "key, unique, fulltext or spatial; indexes of any other type end failed."),
    STATUS,
    REASON,
    TOLD("attributes", F_STRS, "Keys of attributes."),
    TOLD("lengths", F_LIST, "How many characters of each attribute count; null: all. Told since 1.7.0.",
	.text = "{\"type\":\"integer\",\"nullable\":true}", .since = SINCE_1_7),
    TOLD("orders", F_STRS, "Their orders; missing ones ascend."),
};
const struct shape index_shape = SHAPE_TOLD("index", index_fields);

static const struct field collection_fields[] = {
    TOLD("$id", F_ID, "Collection ID."),
    TOLD("$createdAt", F_TIME, "Creation date in ISO 8601."),
    TOLD("$updatedAt", F_TIME, "Date of the last change in ISO 8601."),
    TOLD("$permissions", F_STRS, "Permissions on all documents."),
    TOLD("databaseId", F_ID, "Database ID."),
    TOLD("name", F_STR, "Collection name.", .column = "name", .flags = COL_ASKED),
    TOLD("enabled", F_BOOL, "false: the documents are hidden from everybody but admins and, since 1.4.0, keys.", .column = "enabled", .flags = COL_ASKED),
    TOLD("documentSecurity", F_BOOL, "Documents have permissions of their own, too.", .column = "document_security", .flags = COL_ASKED),
    LIST_OF("attributes", &attribute_shape, "Attributes, whatever their status."),
    LIST_OF("indexes", &index_shape, "Indexes, whatever their status."),
    TOLD("bytesMax", F_INT, "Bytes that a row may have. Told since 1.8.0.", .since = SINCE_CONSOLES),
    TOLD("bytesUsed", F_INT, "Bytes that a row of these attributes has. Told since 1.8.0.", .since = SINCE_CONSOLES),
};
const struct shape collection_shape = SHAPE_TOLD("collection", collection_fields);

static const struct field document_fields[] = {
    TOLD("$id", F_ID, "Document ID."),
    TOLD("$sequence", F_STR, "Number of the document in its collection, in the order of creation; a number for clients that speak 1.7 or 1.8. Told since 1.7.0.",
	.since = SINCE_1_7),
    TOLD("$createdAt", F_TIME, "Creation date in ISO 8601."),
    TOLD("$updatedAt", F_TIME, "Date of the last change in ISO 8601."),
    TOLD("$permissions", F_STRS, "Permissions on the document."),
    TOLD("$collectionId", F_ID, "Collection ID."),
    TOLD("$databaseId", F_ID, "Database ID."),
};
const struct shape document_shape = {.model = "document", .n = (int)(sizeof document_fields / sizeof *document_fields), .fields = document_fields,
    .open = true};

/* GET …/documents?explain=1 */
static const struct field plan_fields[] = {
    TOLD("sql", F_STR, "The statement, with $1 and so on for its values."),
    TOLD("role", F_STR, "Who reads."),
    ONE_OF("access", "What permissions do: nothing, decide on the collection, or on each document.", "bypass", "collection", "document"),
    TOLD("indexes", F_STRS, "Keys of the indexes that are read."),
    TOLD("plan", F_JSON, "The plan of PostgreSQL."),
};
const struct shape document_plan_shape = SHAPE_TOLD("documentPlan", plan_fields);

/* ---- usage ---- */

/* Until 1.5 there was a series for each count; since then totals, with a series each. */
#define OLD(key_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape, .until = SINCE_1_5)
#define NEW(key_, since_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape, .since = since_)
#define TOTAL(key_, since_, doc_) TOLD(key_, F_INT, doc_, .since = since_)
#define REQUESTS(what) OLD(what "Create", "Creations."), OLD(what "Read", "Reads."), OLD(what "Update", "Updates."), OLD(what "Delete", "Deletions.")
#define OLD_HELD OLD("documentsCount", "Documents."), OLD("collectionsCount", "Collections.")
#define HELD(row, suffix)                                                                                                          \
	row("collections" suffix, SINCE_1_5, "Collections."), row("tables" suffix, SINCE_1_8, "The same."), row("documents" suffix, SINCE_1_5, "Documents."), \
	    row("rows" suffix, SINCE_1_8, "The same."), row("storage" suffix, SINCE_1_6, "Bytes of tables and indexes.")
#define TURNS(row, of, suffix)                                                                      \
	row(of "Reads" suffix, SINCE_1_6, "Requests that read documents."),              \
	    row(of "Writes" suffix, SINCE_1_6, "Requests that wrote documents.")
static const struct field all_usage_fields[] = {USAGE_RANGE, OLD("databasesCount", "Databases."), OLD_HELD, REQUESTS("databases"), REQUESTS("documents"),
    REQUESTS("collections"), TOTAL("databasesTotal", SINCE_1_5, "Databases."), HELD(TOTAL, "Total"), TURNS(TOTAL, "databases", "Total"), NEW("databases", SINCE_1_5, "Databases."),
    HELD(NEW, ""), TURNS(NEW, "databases", "")};
static const struct field database_usage_fields[] = {USAGE_RANGE, OLD_HELD, REQUESTS("documents"), REQUESTS("collections"), HELD(TOTAL, "Total"),
    TURNS(TOTAL, "database", "Total"), HELD(NEW, ""), TURNS(NEW, "database", "")};
static const struct field collection_usage_fields[] = {USAGE_RANGE, OLD("documentsCount", "Documents."), REQUESTS("documents"), TOTAL("documentsTotal", SINCE_1_5, "Documents."),
    NEW("documents", SINCE_1_5, "Documents.")};
const struct shape databases_usage_shape = SHAPE_TOLD("usageDatabases", all_usage_fields);
const struct shape database_usage_shape = SHAPE_TOLD("usageDatabase", database_usage_fields);
const struct shape collection_usage_shape = SHAPE_TOLD("usageCollection", collection_usage_fields);
