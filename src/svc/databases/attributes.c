/* Attributes of a collection: one endpoint for each type that makes one. What depends on the collection is checked by the model. */
#include "databases_priv.h"
#include "model/format.h"

#include "core/vtime.h"

enum { EMAIL_SIZE = 254, IP_SIZE = 39, URL_SIZE = 2000 };

struct base_in {		/* first in each input */
	const char *db, *col, *key;
	int required, array;
};
#define WHERE(st) PATH("databaseId", P_UID, st, base.db, "Database ID."), PATH("collectionId", P_UID, st, base.col, "Collection ID.")
#define BASE(st)                                                                      \
	WHERE(st), REQUIRED("key", P_KEY, st, base.key, "Attribute key."),            \
	    REQUIRED("required", P_BOOL, st, base.required, "Documents must have a value.")
#define ARRAY(st) OPTIONAL("array", P_BOOL, st, base.array, "Values are lists.", .def = "false")

static err_t
attributes_create(struct req *rq, const struct base_in *base, struct attribute_in *in)
{
	struct str json;

	in->key = base->key;
	in->required = base->required == 1;
	in->array = base->array == 1;
	TRY(attribute_create(&rq->cx, rq->project, databases_actor(rq), base->db, base->col, in, &json));
	return reply_json(rq, 202, json);
}

static const char *
json_text(struct req *rq, const char *s)
{
	struct buf b;

	if (s == NULL)
		return NULL;
	buf_init(&b, rq->cx.arena, strlen(s) + 16);
	json_escape(&b, str_c(s));
	return b.p;
}

static const char *
json_float(struct req *rq, double v)
{
	struct buf b;
	struct jw w;

	buf_init(&b, rq->cx.arena, 32);
	jw_init(&w, &b);
	jw_f64(&w, v);
	return b.p;
}

/* ---- text ---- */

struct string_in {
	struct base_in base;
	struct opt_int size;
	const char *def;
};
static const struct param string_params[] = {
    WHERE(struct string_in),
    REQUIRED("key", P_KEY, struct string_in, base.key, "Attribute key."),
    REQUIRED("size", P_RANGE, struct string_in, size, "Most characters of a value.", .min = 1, .max = 1073741824),
    REQUIRED("required", P_BOOL, struct string_in, base.required, "Documents must have a value."),
    OPTIONAL("default", P_TEXT, struct string_in, def, "Value of documents that give none."),
    ARRAY(struct string_in),
};

static err_t
databases_create_string_attribute(struct req *rq, void *arg)
{
	const struct string_in *in = arg;
	struct attribute_in a = {.type = ATTR_STRING, .size = in->size.v, .def = json_text(rq, in->def)};
	size_t points = 0;

	if (in->def != NULL && (!str_utf8(str_c(in->def), &points) || (int64_t)points > in->size.v))
		return fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "%s", tail_text(rq->cx.arena, in->size.v));
	return attributes_create(rq, &in->base, &a);
}

struct text_in {		/* e-mail, IP, URL, datetime */
	struct base_in base;
	const char *def;
};
#define TEXT_PARAMS(type) \
	{BASE(struct text_in), OPTIONAL("default", type, struct text_in, def, "Value of documents that give none."), ARRAY(struct text_in)}
static const struct param email_params[] = TEXT_PARAMS(P_EMAIL);
static const struct param ip_params[] = TEXT_PARAMS(P_IP);
static const struct param url_params[] = TEXT_PARAMS(P_URL);
static const struct param datetime_params[] = TEXT_PARAMS(P_TEXT);

/* Whether it is an address at all the parameter's type has told. */
static err_t
create_text(struct req *rq, const struct text_in *in, enum attr_format format, int64_t size, const char *tail)
{
	struct attribute_in a = {.type = ATTR_STRING, .format = format, .size = size, .def = json_text(rq, in->def)};

	if (in->def != NULL && strlen(in->def) > (size_t)size)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid default: %s", tail);
	return attributes_create(rq, &in->base, &a);
}

static err_t
databases_create_email_attribute(struct req *rq, void *arg)
{
	return create_text(rq, arg, FORMAT_EMAIL, EMAIL_SIZE, TAIL_EMAIL);
}

static err_t
databases_create_ip_attribute(struct req *rq, void *arg)
{
	return create_text(rq, arg, FORMAT_IP, IP_SIZE, TAIL_IP);
}

static err_t
databases_create_url_attribute(struct req *rq, void *arg)
{
	return create_text(rq, arg, FORMAT_URL, URL_SIZE, TAIL_URL);
}

static err_t
databases_create_datetime_attribute(struct req *rq, void *arg)
{
	const struct text_in *in = arg;
	struct attribute_in a = {.type = ATTR_DATETIME, .def = json_text(rq, in->def)};
	int64_t ms;

	if (in->def != NULL && !time_parse(str_c(in->def), &ms))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid default: it is no date.");
	return attributes_create(rq, &in->base, &a);
}

struct enum_in {
	struct base_in base;
	struct strs elements;
	const char *def;
};
static const struct param enum_params[] = {
    WHERE(struct enum_in),
    REQUIRED("key", P_KEY, struct enum_in, base.key, "Attribute key."),
    REQUIRED("elements", P_TEXTS, struct enum_in, elements, "The values, at most 100 of 4096 characters.", .def = "[]", .max = 4096),
    REQUIRED("required", P_BOOL, struct enum_in, base.required, "Documents must have a value."),
    OPTIONAL("default", P_TEXT, struct enum_in, def, "Value of documents that give none."),
    ARRAY(struct enum_in),
};

static err_t
databases_create_enum_attribute(struct req *rq, void *arg)
{
	const struct enum_in *in = arg;
	struct attribute_in a = {.type = ATTR_STRING, .format = FORMAT_ENUM, .elements = in->elements, .def = json_text(rq, in->def)};
	bool found = in->def == NULL;

	for (int i = 0; i < in->elements.n; i++) {
		int64_t n = (int64_t)strlen(in->elements.v[i]);

		if (n == 0)
			return fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "Each enum element must not be empty");
		a.size = n > a.size ? n : a.size;
		found = found || strcmp(in->elements.v[i], in->def) == 0;
	}
	if (!found)
		return fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "Default value not found in elements");
	return attributes_create(rq, &in->base, &a);
}

/* ---- numbers ---- */

struct integer_in {
	struct base_in base;
	struct opt_int min, max, def;
};
static const struct param integer_params[] = {
    BASE(struct integer_in),
    OPTIONAL("min", P_INT, struct integer_in, min, "Smallest value."),
    OPTIONAL("max", P_INT, struct integer_in, max, "Largest value."),
    OPTIONAL("default", P_INT, struct integer_in, def, "Value of documents that give none."),
    ARRAY(struct integer_in),
};

static err_t
databases_create_integer_attribute(struct req *rq, void *arg)
{
	const struct integer_in *in = arg;
	int64_t min = in->min.set ? in->min.v : INT64_MIN, max = in->max.set ? in->max.v : INT64_MAX;
	struct attribute_in a = {.type = ATTR_INTEGER, .min = pg_i64(rq->cx.arena, min), .max = pg_i64(rq->cx.arena, max)};

	if (min > max)
		return fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "Minimum value must be lesser than maximum value");
	if (in->def.set && (in->def.v < min || in->def.v > max))
		return fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "%s", tail_range(rq->cx.arena, (double)min, (double)max));
	if (in->def.set)
		a.def = pg_i64(rq->cx.arena, in->def.v);
	return attributes_create(rq, &in->base, &a);
}

struct float_in {
	struct base_in base;
	struct opt_float min, max, def;
};
static const struct param float_params[] = {
    BASE(struct float_in),
    OPTIONAL("min", P_NUMBER, struct float_in, min, "Smallest value."),
    OPTIONAL("max", P_NUMBER, struct float_in, max, "Largest value."),
    OPTIONAL("default", P_NUMBER, struct float_in, def, "Value of documents that give none."),
    ARRAY(struct float_in),
};

static err_t
databases_create_float_attribute(struct req *rq, void *arg)
{
	const struct float_in *in = arg;
	double min = in->min.set ? in->min.v : -1.7976931348623157e308, max = in->max.set ? in->max.v : 1.7976931348623157e308;
	struct attribute_in a = {.type = ATTR_FLOAT, .min = json_float(rq, min), .max = json_float(rq, max)};

	if (min > max)
		return fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "Minimum value must be lesser than maximum value");
	if (in->def.set && (in->def.v < min || in->def.v > max))
		return fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "%s", tail_range(rq->cx.arena, min, max));
	if (in->def.set)
		a.def = json_float(rq, in->def.v);
	return attributes_create(rq, &in->base, &a);
}

struct boolean_in {
	struct base_in base;
	int def;
};
static const struct param boolean_params[] = {
    BASE(struct boolean_in),
    OPTIONAL("default", P_BOOL, struct boolean_in, def, "Value of documents that give none."),
    ARRAY(struct boolean_in),
};

static err_t
databases_create_boolean_attribute(struct req *rq, void *arg)
{
	const struct boolean_in *in = arg;
	struct attribute_in a = {.type = ATTR_BOOLEAN, .def = in->def < 0 ? NULL : in->def ? "true" : "false"};

	return attributes_create(rq, &in->base, &a);
}

/* ---- reading and deleting ---- */

struct list_in {
	struct base_in base;
	struct strs queries;
	int total;
};
static const struct param list_params[] = {
    WHERE(struct list_in),
    OPTIONAL("queries", P_QUERIES, struct list_in, queries, "Queries on key, type, size, required, array, status and error."),
    OPTIONAL("total", P_BOOL_LOOSE, struct list_in, total, "false: do not count; total is 0."),
};

static err_t
databases_list_attributes(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	struct str json;

	TRY(attribute_list_json(&rq->cx, rq->project, in->base.db, in->base.col, &in->queries, in->total != 0, &json));
	return reply_json(rq, 200, json);
}

static const struct param one_params[] = {
    WHERE(struct list_in), PATH("key", P_KEY, struct list_in, base.key, "Attribute key.")};

static err_t
databases_get_attribute(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	const struct attribute *a;
	const struct collection *c;

	TRY(collection_get(&rq->cx, rq->project, in->base.db, in->base.col, &c));
	TRY(attribute_find(&rq->cx, c, in->base.key, &a));
	return reply_json(rq, 200, attribute_json(&rq->cx, a, NULL));
}

static err_t
databases_delete_attribute(struct req *rq, void *arg)
{
	const struct list_in *in = arg;

	TRY(attribute_delete(&rq->cx, rq->project, databases_actor(rq), in->base.db, in->base.col, in->base.key));
	return reply_none(rq);
}

/* ---- routes ---- */

#define CREATE(type, name, handler, shape, st, params, doc) \
	BELOW("POST", "/:collectionId/attributes/" type, name, "collections.write", handler, 202, doc, st, params, \
	    .model = &shape, ON_COLLECTION("attribute.create"), CHANGES)

static const struct route rows[] = {
    CREATE("string", "createStringAttribute", databases_create_string_attribute, attribute_string_shape, struct string_in, string_params, "Create a text attribute."),
    CREATE("email", "createEmailAttribute", databases_create_email_attribute, attribute_email_shape, struct text_in, email_params, "Create an e-mail attribute."),
    CREATE("enum", "createEnumAttribute", databases_create_enum_attribute, attribute_enum_shape, struct enum_in, enum_params, "Create an attribute with a list of values."),
    CREATE("ip", "createIpAttribute", databases_create_ip_attribute, attribute_ip_shape, struct text_in, ip_params, "Create an IP address attribute."),
    CREATE("url", "createUrlAttribute", databases_create_url_attribute, attribute_url_shape, struct text_in, url_params, "Create a URL attribute."),
    CREATE("integer", "createIntegerAttribute", databases_create_integer_attribute, attribute_integer_shape, struct integer_in, integer_params, "Create an integer attribute."),
    CREATE("float", "createFloatAttribute", databases_create_float_attribute, attribute_float_shape, struct float_in, float_params, "Create a floating point attribute."),
    CREATE("boolean", "createBooleanAttribute", databases_create_boolean_attribute, attribute_boolean_shape, struct boolean_in, boolean_params, "Create a boolean attribute."),
    CREATE("datetime", "createDatetimeAttribute", databases_create_datetime_attribute, attribute_datetime_shape, struct text_in, datetime_params, "Create a date attribute."),
    BELOW("GET", "/:collectionId/attributes", "listAttributes", "collections.read", databases_list_attributes, 200, "List attributes.", struct list_in,
	list_params, .model = &attribute_shape, .list = "attributes", READS),
    BELOW("GET", "/:collectionId/attributes/:key", "getAttribute", "collections.read", databases_get_attribute, 200, "Get an attribute.", struct list_in,
	one_params, .model = &attribute_shape, READS),
    BELOW("DELETE", "/:collectionId/attributes/:key", "deleteAttribute", "collections.write", databases_delete_attribute, 204,
	"Delete an attribute with its values.", struct list_in, one_params,
	ON_COLLECTION("attribute.delete"), CHANGES),
};
const struct routes attribute_routes = ROUTES(rows);
