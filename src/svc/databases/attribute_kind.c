/* The types of attributes: names, what they are to PostgreSQL, and what they take of a row. */
#include "svc/databases/collection.h"

#define N(v) (int)(sizeof(v) / sizeof *(v))

const struct attr_kind_info attr_kinds[] = {
    [KIND_STRING] = {"string", ATTR_STRING},
    [KIND_VARCHAR] = {"varchar", ATTR_STRING},
    [KIND_TEXT] = {"text", ATTR_STRING, .bytes = 65535},
    [KIND_MEDIUMTEXT] = {"mediumtext", ATTR_STRING, .bytes = 16777215},
    [KIND_LONGTEXT] = {"longtext", ATTR_STRING, .bytes = INT32_MAX},
    [KIND_INTEGER] = {"integer", ATTR_INTEGER},
    [KIND_BIGINT] = {"bigint", ATTR_INTEGER},
    [KIND_FLOAT] = {"double", ATTR_FLOAT},
    [KIND_BOOLEAN] = {"boolean", ATTR_BOOLEAN},
    [KIND_DATETIME] = {"datetime", ATTR_DATETIME},
    [KIND_RELATIONSHIP] = {"relationship", ATTR_STRING},
    [KIND_POINT] = {"point", ATTR_GEO, .geo = GEO_POINT},
    [KIND_LINE] = {"linestring", ATTR_GEO, .geo = GEO_LINE},
    [KIND_POLYGON] = {"polygon", ATTR_GEO, .geo = GEO_POLYGON},
};
static const char *const formats[] = {"", "email", "enum", "ip", "url"};

const char *
attribute_format_name(enum attr_format f)
{
	return formats[f];
}

bool
attribute_kind_by(const char *name, enum attr_kind *out)
{
	for (int i = 0; name != NULL && i < N(attr_kinds); i++) {
		*out = (enum attr_kind)i;
		if (strcmp(attr_kinds[i].name, name) == 0)
			return true;
	}
	*out = KIND_STRING;
	return false;
}

bool
attribute_format_by(const char *name, enum attr_format *out)
{
	for (int i = 0; name != NULL && i < N(formats); i++) {
		*out = (enum attr_format)i;
		if (strcmp(formats[i], name) == 0)
			return true;
	}
	*out = FORMAT_NONE;
	return false;
}

int64_t
attribute_bytes(const struct attribute *a)
{
	return attr_kinds[a->kind].bytes > 0 ? attr_kinds[a->kind].bytes : a->size * 4;
}

const char *
attribute_sql_type(struct arena *a, const char *schema, const struct attribute *at)
{
	static const char *const names[] = {"text", "bigint", "float8", "boolean", "timestamptz(3)"};

	if (at->encrypt)	/* the whole value is one sealed text */
		return "text COLLATE \"C\"";
	if (at->type == ATTR_GEO)
		return arena_printf(a, "%s.geometry(%s, 4326)", at->geo, geo_name(attr_kinds[at->kind].geo));
	return arena_printf(a, "%s%s%s", names[at->type], at->array ? "[]" : "", at->type == ATTR_STRING ? arena_printf(a, " COLLATE %s.ci", schema) : "");
}

const char *
attribute_sql_check(struct arena *a, const struct attribute *at)
{
	if (at->kind != KIND_POLYGON)
		return NULL;
	return arena_printf(a, "CHECK (%s.ST_IsValid(%s))", at->geo, at->column);	/* what is not cannot be compared */
}

/* ---- the width of a row, as the contract counts ---- */

static int64_t
string_width(int64_t size)
{
	if (size <= 255)
		return 4 * size + 1;
	if (size <= 16383)
		return 4 * size + 2;
	return size <= 65535 ? 10 : size <= 16777215 ? 11 : 12;
}

int64_t
attribute_width(const struct attribute *a)
{
	switch (a->kind) {
	case KIND_STRING:
	case KIND_VARCHAR:
		return string_width(a->size);
	case KIND_TEXT:
	case KIND_MEDIUMTEXT:
	case KIND_LONGTEXT:
		return 20;
	case KIND_INTEGER:
		return a->int_max > INT32_MAX ? 8 : 4;
	case KIND_BIGINT:
		return 8;
	case KIND_FLOAT:
		return 4;
	case KIND_BOOLEAN:
		return 1;
	case KIND_DATETIME:
		return 19;
	case KIND_POINT:
		return 25;
	case KIND_LINE:
	case KIND_POLYGON:
		return 20;
	case KIND_RELATIONSHIP:
		return 1021;
	}
	return 0;
}

int64_t
collection_width(const struct collection *c)
{
	int64_t width = ROW_WIDTH_BASE;

	for (int i = 0; i < c->n_attrs; i++)
		width += attribute_width(&c->attrs[i]);
	return width;
}
