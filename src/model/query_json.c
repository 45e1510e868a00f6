/* The JSON grammar of queries: {"method": …, "attribute": …, "values": […]}. */
#include "query_priv.h"

#include "core/json.h"

static bool
query_json_value_of(struct ctx *cx, const json_t *j, struct query_value *v, const char **why_out)
{
	*v = (struct query_value){.type = QV_NULL};
	switch (json_typeof(j)) {
	case JSON_NULL:
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
		v->type = QV_BOOL;
		v->b = json_is_true(j);
		return true;
	case JSON_INTEGER:
		v->type = QV_INT;
		v->i = json_integer_value(j);
		return true;
	case JSON_REAL:
		v->type = QV_FLOAT;
		v->f = json_real_value(j);
		return true;
	case JSON_STRING:
		v->type = QV_TEXT;
		v->s = json_str(j);
		if (memchr(v->s.p, '\0', v->s.n) == NULL) {
			v->s.p = arena_memdup(cx->arena, v->s.p, v->s.n);
			return true;
		}
		break;
	case JSON_ARRAY:
		v->type = QV_LIST;
		v->list = j;
		return true;
	case JSON_OBJECT:
		break;
	}
	*why_out = "a value of a query is text, a number, a boolean or null";
	return false;
}

/* What a query says of itself that is no query at all. */
static const char *
type_said(const json_t *j)
{
	static const char *const names[] = {[JSON_OBJECT] = "object", [JSON_ARRAY] = "array", [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
	    [JSON_REAL] = "double", [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null"};

	return j ? names[json_typeof(j)] : "null";
}

/* Methods of servers that keep documents without a schema, or vectors. */
static const struct {
	const char *name, *why;
} elsewhere[] = {
    {"elemMatch", "elemMatch is not supported by the database"},
    {"exists", "Attribute not found in schema: "},
    {"notExists", "Attribute not found in schema: "},
    {"vectorCosine", "Vector queries can only be used on vector attributes"},
    {"vectorDot", "Vector queries can only be used on vector attributes"},
    {"vectorEuclidean", "Vector queries can only be used on vector attributes"},
};

static const char *
no_method(struct ctx *cx, struct str name)
{
	for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
		if (str_is(name, elsewhere[i].name))
			return elsewhere[i].why;
	return arena_printf(cx->arena, "Invalid query method: %.*s", STR_FMT(name));
}

static bool from_json(struct ctx *cx, const json_t *j, struct query *out, const char **why_out);

static bool
take_sub(struct ctx *cx, const json_t *values, struct query *q, const char **why_out)
{
	size_t n = json_array_size(values);

	q->sub = arena_array(cx->arena, struct query, n ? n : 1);
	for (size_t i = 0; i < n; i++)
		if (!from_json(cx, json_array_get(values, i), &q->sub[q->n_sub++], why_out))
			return false;
	return true;
}

static bool
query_json_take_values(struct ctx *cx, const json_t *values, struct query *q, const char **why_out)
{
	size_t n = json_array_size(values);

	q->v = arena_array(cx->arena, struct query_value, n ? n : 1);
	for (size_t i = 0; i < n; i++)
		if (!query_json_value_of(cx, json_array_get(values, i), &q->v[q->n++], why_out))
			return false;
	return true;
}

/* Recursion is bounded by json_parse's depth. */
static bool
from_json(struct ctx *cx, const json_t *j, struct query *q, const char **why_out)
{
	const json_t *method = json_object_get(j, "method");
	const json_t *attr = json_object_get(j, "attribute");
	const json_t *values = json_object_get(j, "values");
	const char *own;

	*q = (struct query){.json = true, .later = true, .attr = ""};
	if (!json_is_object(j)) {
		*why_out = arena_printf(cx->arena, "Invalid query. Must be an object, got %s", type_said(j));
		return false;
	}
	if (!json_is_string(method)) {
		*why_out = arena_printf(cx->arena, "Invalid query method. Must be a string, got %s", type_said(method));
		return false;
	}
	if ((q->method = query_method_of(json_str(method), &own, &q->word)) == Q_N) {
		*why_out = no_method(cx, json_str(method));
		return false;
	}
	if (attr != NULL && !json_is_null(attr) && !json_is_string(attr)) {
		*why_out = arena_printf(cx->arena, "Invalid query attribute. Must be a string, got %s", type_said(attr));
		return false;
	}
	if (json_is_string(attr) && strlen(json_string_value(attr)) != json_string_length(attr)) {
		*why_out = "Invalid query attribute. Must be a string without U+0000";
		return false;
	}
	if (values != NULL && !json_is_array(values) && !json_is_null(values)) {
		*why_out = arena_printf(cx->arena, "Invalid query values. Must be an array, got %s", type_said(values));
		return false;
	}
	q->sugar = own != NULL;
	if (own != NULL)
		q->attr = own;
	else if (json_is_string(attr))
		q->attr = str_dup(cx->arena, json_str(attr));
	if (query_methods[q->method].kind == QK_LOGIC)
		return take_sub(cx, values, q, why_out);
	return query_json_take_values(cx, values, q, why_out);
}

bool
query_parse_json(struct ctx *cx, struct str text, struct query *out, const char **why_out)
{
	json_t *j = json_parse_outside(cx, text, why_out);

	*out = (struct query){.json = true, .attr = ""};
	if (j == NULL)
		*why_out = arena_printf(cx->arena, "Invalid query: %s", *why_out);
	return j != NULL && from_json(cx, j, out, why_out);
}
