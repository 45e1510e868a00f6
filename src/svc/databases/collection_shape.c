/* The models of collections, attributes, indexes and documents for the OpenAPI document: what these are written as (collection_json.c,
 * document_json.c) depends on types and schemas, so the shapes only tell. t/50-api compares them with replies. */
#include "svc/databases/collection.h"

#define TELL(name, model, rows) const struct shape name = {model, 0, (int)(sizeof(rows) / sizeof(rows[0])), rows, NULL}
#define ROW(key_, type_, doc_) {.key = key_, .type = type_, .doc = doc_}
#define ROW_OR_NULL(key_, type_, doc_) {.key = key_, .type = type_, .doc = doc_, .nullable = true}
#define ROWS_OF(key_, sub_, doc_) {.key = key_, .type = F_LIST, .doc = doc_, .sub = sub_}

/* ---- attributes ---- */

#define BASE                                                                                        \
	ROW("key", F_STR, "Attribute key."), ROW("type", F_STR, "Attribute type."),                 \
	    ROW("status", F_STR, "available, processing, deleting, stuck or failed."),              \
	    ROW("required", F_BOOL, "Documents must have a value."), ROW("array", F_BOOL, "Values are lists.")
#define DEFAULT(type) ROW_OR_NULL("default", type, "Value of documents that give none.")
#define FORMAT ROW("format", F_STR, "Format of the values.")

static const struct field string_fields[] = {BASE, ROW("size", F_INT, "Most characters of a value."), DEFAULT(F_STR)};
static const struct field format_fields[] = {BASE, FORMAT, DEFAULT(F_STR)};
static const struct field enum_fields[] = {BASE, ROW("elements", F_STRS, "The values."), FORMAT, DEFAULT(F_STR)};
static const struct field integer_fields[] = {BASE, ROW("min", F_INT, "Smallest value."), ROW("max", F_INT, "Largest value."), DEFAULT(F_INT)};
static const struct field float_fields[] = {BASE, ROW("min", F_FLOAT, "Smallest value."), ROW("max", F_FLOAT, "Largest value."),
    DEFAULT(F_FLOAT)};
static const struct field boolean_fields[] = {BASE, DEFAULT(F_BOOL)};

TELL(attribute_string_shape, "attributeString", string_fields);
TELL(attribute_email_shape, "attributeEmail", format_fields);
TELL(attribute_enum_shape, "attributeEnum", enum_fields);
TELL(attribute_ip_shape, "attributeIp", format_fields);
TELL(attribute_url_shape, "attributeUrl", format_fields);
TELL(attribute_integer_shape, "attributeInteger", integer_fields);
TELL(attribute_float_shape, "attributeFloat", float_fields);
TELL(attribute_boolean_shape, "attributeBoolean", boolean_fields);
TELL(attribute_datetime_shape, "attributeDatetime", format_fields);

static const struct shape *const attributes[] = {&attribute_boolean_shape, &attribute_integer_shape, &attribute_float_shape,
    &attribute_email_shape, &attribute_enum_shape, &attribute_url_shape, &attribute_ip_shape, &attribute_datetime_shape,
    &attribute_string_shape, NULL};
const struct shape attribute_shape = {.model = "attribute", .any = attributes};

/* ---- the rest ---- */

static const struct field index_fields[] = {
    ROW("key", F_STR, "Index key."),
    ROW("type", F_STR, "Index type."),
    ROW("status", F_STR, "available, processing, deleting, stuck or failed."),
    ROWS_OF("attributes", NULL, "Keys of attributes."),
    ROWS_OF("orders", NULL, "Their orders; missing ones ascend."),
};
TELL(index_shape, "index", index_fields);

static const struct field collection_fields[] = {
    ROW("$id", F_STR, "Collection ID."),
    ROW("$createdAt", F_TIME, "Creation date in ISO 8601."),
    ROW("$updatedAt", F_TIME, "Date of the last change in ISO 8601."),
    ROW("$permissions", F_STRS, "Permissions on all documents."),
    ROW("databaseId", F_STR, "Database ID."),
    ROW("name", F_STR, "Collection name."),
    ROW("enabled", F_BOOL, "false: the documents are hidden from everybody but admins."),
    ROW("documentSecurity", F_BOOL, "Documents have permissions of their own, too."),
    ROWS_OF("attributes", &attribute_shape, "Attributes, whatever their status."),
    ROWS_OF("indexes", &index_shape, "Indexes, whatever their status."),
};
TELL(collection_shape, "collection", collection_fields);

static const struct field document_fields[] = {
    ROW("$id", F_STR, "Document ID."),
    ROW("$createdAt", F_TIME, "Creation date in ISO 8601."),
    ROW("$updatedAt", F_TIME, "Date of the last change in ISO 8601."),
    ROW("$permissions", F_STRS, "Permissions on the document."),
    ROW("$collectionId", F_STR, "Collection ID."),
    ROW("$databaseId", F_STR, "Database ID."),
};
TELL(document_shape, "document", document_fields);
