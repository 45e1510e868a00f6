/* What the definition of an attribute must fulfil, whichever way it comes: alone, as a change, or with its collection. */
#include "svc/databases/collection.h"

#include <stdlib.h>

#include "core/vtime.h"
#include "schema_priv.h"
#include "svc/databases/document.h"

enum { ATTRIBUTES_MAX = 1012, VALUE_TEXT_MAX = 16384, ENCRYPT_SIZE_MIN = 150 };

void
attribute_read_bounds(struct attribute *a)
{
	if (a->type == ATTR_INTEGER) {
		a->int_min = a->min ? strtoll(a->min, NULL, 10) : INT64_MIN;
		a->int_max = a->max ? strtoll(a->max, NULL, 10) : INT64_MAX;
	} else if (a->type == ATTR_FLOAT) {
		a->float_min = a->min ? strtod(a->min, NULL) : -1.7976931348623157e308;
		a->float_max = a->max ? strtod(a->max, NULL) : 1.7976931348623157e308;
	}
}

struct attribute
attribute_of(const struct attribute_in *in)
{
	struct attribute a = {.key = in->key, .kind = in->kind, .type = attr_kinds[in->kind].type, .format = in->format, .size = in->size,
	    .required = in->required, .array = in->array, .encrypt = in->encrypt, .min = in->min, .max = in->max, .elements = in->elements,
	    .def = in->def, .status = "available", .error = "", .created = time_now_ms()};

	a.updated = a.created;
	if (attr_kinds[in->kind].bytes > 0)
		a.size = attr_kinds[in->kind].bytes;
	attribute_read_bounds(&a);
	return a;
}

/* ---- by itself ---- */

static size_t
characters_of(const char *text)
{
	size_t points;

	return str_utf8(str_c(text), &points) ? points : strlen(text);
}

err_t
attribute_check_values(struct ctx *cx, const struct attribute_in *in)
{
	size_t n = 0;

	if (in->def != NULL && in->required)
		return fail_msg(cx, ERR_ATTRIBUTE_DEFAULT_UNSUPPORTED, "Cannot set default value for required attribute");
	if (in->def != NULL && in->array)
		return fail_msg(cx, ERR_ATTRIBUTE_DEFAULT_UNSUPPORTED, "Cannot set default value for array attributes");
	for (int i = 0; i < in->elements.n; i++)
		n += characters_of(in->elements.v[i]);
	if (n > VALUE_TEXT_MAX)
		return fail_msg(cx, ERR_ATTRIBUTE_VALUE_INVALID, "The elements have more than %d characters.", VALUE_TEXT_MAX);
	if (in->def != NULL && characters_of(in->def) > VALUE_TEXT_MAX)
		return fail_msg(cx, ERR_ATTRIBUTE_VALUE_INVALID, "The default has more than %d characters.", VALUE_TEXT_MAX);
	return OK;
}

static err_t
check_default(struct ctx *cx, const struct attribute *a)
{
	const json_t *j = json_parse(cx, str_c(a->def), NULL);
	const char *check, *why;
	struct str sql;

	if (doc_value_ok(cx, a, j, &sql, &check, &why))
		return OK;
	return fail_msg(cx, ERR_ATTRIBUTE_VALUE_INVALID, "%s", a->format == FORMAT_ENUM ? "Default value not found in elements" : why);
}

err_t
attribute_check_rules(struct ctx *cx, const struct attribute_in *in)
{
	struct attribute a = attribute_of(in);

	if (in->encrypt && attr_kinds[in->kind].bytes == 0 && in->size < ENCRYPT_SIZE_MIN)
		return fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "An encrypted attribute has a size of at least %d.", ENCRYPT_SIZE_MIN);
	for (int i = 0; i < in->elements.n; i++)
		if (*in->elements.v[i] == '\0')
			return fail_msg(cx, ERR_ATTRIBUTE_VALUE_INVALID, "Each enum element must not be empty");
	if ((a.type == ATTR_INTEGER && a.int_min > a.int_max) || (a.type == ATTR_FLOAT && a.float_min > a.float_max))
		return fail_msg(cx, ERR_ATTRIBUTE_VALUE_INVALID, "Minimum value must be lesser than maximum value");
	return in->def != NULL ? check_default(cx, &a) : OK;
}

err_t
attribute_check_geo(struct ctx *cx, enum attr_kind kind, const char *def, const char **geo_out)
{
	const char *why;
	struct str sql;
	bool sound;

	*geo_out = NULL;
	if (attr_kinds[kind].type != ATTR_GEO)
		return OK;
	TRY(geo_schema(cx, geo_out));
	if (def == NULL || !geo_read(cx->arena, attr_kinds[kind].geo, json_parse(cx, str_c(def), NULL), &sql, &why))
		return OK;
	TRY(geo_sound(cx, *geo_out, attr_kinds[kind].geo, sql, &sound));
	return sound ? OK : fail_msg(cx, ERR_ATTRIBUTE_VALUE_INVALID, "The rings of a polygon cross each other, or themselves.");
}

/* ---- in its collection ---- */

const struct attribute *
attribute_lookup(const struct collection *c, const char *key)
{
	for (int i = 0; i < c->n_attrs; i++)
		if (str_ieq(str_c(c->attrs[i].key), str_c(key)))
			return &c->attrs[i];
	return NULL;
}

err_t
attribute_check_width(struct ctx *cx, int64_t width)
{
	return width < ROW_WIDTH_MAX ? OK : fail(cx, ERR_ATTRIBUTE_LIMIT_EXCEEDED, "width=%lld", (long long)width);
}

err_t
attribute_check_new(struct ctx *cx, const struct collection *c, const struct attribute *a)
{
	if (c->n_attrs >= ATTRIBUTES_MAX)
		return fail(cx, ERR_ATTRIBUTE_LIMIT_EXCEEDED, "attributes=%d", c->n_attrs);
	TRY(attribute_check_width(cx, collection_width(c) + attribute_width(a)));
	return attribute_lookup(c, a->key) ? fail(cx, ERR_ATTRIBUTE_ALREADY_EXISTS, "key=%s", a->key) : OK;
}
