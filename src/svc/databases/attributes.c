/* Attributes of a collection: one endpoint for each type that makes one. What depends on the collection is checked by the model. */
#include "databases_priv.h"
#include "model/format.h"

#include "core/vtime.h"

enum { EMAIL_SIZE = 254, IP_SIZE = 39, URL_SIZE = 2000, VARCHAR_MAX = 16381, ELEMENT_MAX = 4096, ELEMENT_TODAY = 255 };

struct base_in {		/* first in each input */
	const char *db, *col, *key;
	int required, array;
	const char *new_key;	/* of changes */
};
#define WHERE(st) PATH("databaseId", P_UID, st, base.db, "Database ID."), PATH("collectionId", P_UID, st, base.col, "Collection ID.")
#define REQUIRED_PARAM(st) REQUIRED("required", P_BOOL, st, base.required, "Documents must have a value.")
#define NEW(st) WHERE(st), REQUIRED("key", P_KEY, st, base.key, "Attribute key.")
#define BASE(st) NEW(st), REQUIRED_PARAM(st)
#define ARRAY(st) OPTIONAL("array", P_BOOL, st, base.array, "Values are lists.", .def = "false")
#define DEFAULT_WORDS "Value of documents that give none."
#define DEFAULT(type, st, ...) OPTIONAL("default", type, st, def, DEFAULT_WORDS, __VA_ARGS__)
/* A change says what it becomes, so the default has to be there. */
#define CHANGED(st) WHERE(st), PATH("key", P_KEY, st, base.key, "Attribute key.")
#define DEFAULT_NOW(type, st, ...) REQUIRED("default", type, st, def, DEFAULT_WORDS " null: none.", .nullable = true, __VA_ARGS__)
#define NEW_KEY(st) OPTIONAL("newKey", P_KEY, st, base.new_key, "Another key of the attribute.")

enum { ANY_VERSION = 1, EMPTY_DEFAULTS = SINCE_1_4 };	/* from which version on the empty text may be a default */

static void
take_base(const struct base_in *base, struct attribute_in *in)
{
	in->key = base->key;
	in->required = base->required == 1;
	in->array = base->array == 1;
}

static err_t
attributes_create(struct req *rq, const struct base_in *base, struct attribute_in *in)
{
	struct str json;

	take_base(base, in);
	TRY(attribute_check_rules(&rq->cx, in));
	TRY(attribute_create(&rq->cx, rq->project, databases_actor(rq), base->db, base->col, in, &json));
	return reply_json(rq, 202, json);
}

static err_t
attributes_update(struct req *rq, const struct base_in *base, const struct attribute_in *in)
{
	struct attribute_change ch = {.kind = in->kind, .format = in->format, .required = base->required == 1, .def = in->def, .size = in->size,
	    .min = in->min, .max = in->max, .elements = in->elements, .new_key = base->new_key};
	struct str json;

	TRY(attribute_update(&rq->cx, rq->project, databases_actor(rq), base->db, base->col, base->key, &ch, &json));
	return reply_json(rq, 200, json);
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
json_float(struct req *rq, struct opt_float f, double otherwise)
{
	struct buf b;
	struct jw w;

	buf_init(&b, rq->cx.arena, 32);
	jw_init(&w, &b);
	jw_f64(&w, f.set ? f.v : otherwise);
	return b.p;
}

/* A bound that a change does not mention stays. */
static const char *
float_or_none(struct req *rq, struct opt_float f)
{
	return f.set ? json_float(rq, f, 0) : NULL;
}

static const char *
int_or_none(struct req *rq, struct opt_int v)
{
	return v.set ? pg_i64(rq->cx.arena, v.v) : NULL;
}

/* The routes of a type whose input is read in one way for both. */
#define HANDLERS(name)                                                                       \
	static err_t databases_create_##name##_attribute(struct req *rq, void *arg)         \
	{                                                                                    \
		struct attribute_in a;                                                       \
                                                                                             \
		TRY(read_##name(rq, arg, &a));                                               \
		return attributes_create(rq, arg, &a);                                       \
	}                                                                                    \
	static err_t databases_update_##name##_attribute(struct req *rq, void *arg)         \
	{                                                                                    \
		struct attribute_in a;                                                       \
                                                                                             \
		TRY(read_##name(rq, arg, &a));                                               \
		return attributes_update(rq, arg, &a);                                       \
	}

/* ---- text ---- */

struct string_in {
	struct base_in base;
	struct opt_int size;
	const char *def;
	int encrypt;
};
#define ENCRYPT OPTIONAL("encrypt", P_BOOL, struct string_in, encrypt, "Values are sealed at rest; they cannot be asked for.", .def = "false")
#define SIZED_PARAMS(largest)                                                                                                                \
	{                                                                                                                                    \
		NEW(struct string_in), REQUIRED("size", P_RANGE, struct string_in, size, "Most characters of a value.", .min = 1, .max = largest), \
		    REQUIRED_PARAM(struct string_in), DEFAULT(P_TEXT, struct string_in, .empty_since = EMPTY_DEFAULTS), ARRAY(struct string_in), \
		    ENCRYPT,                                                                                                                 \
	}
#define SIZED_CHANGES(largest)                                                                                                               \
	{                                                                                                                                    \
		CHANGED(struct string_in), REQUIRED_PARAM(struct string_in), DEFAULT_NOW(P_TEXT, struct string_in, .empty_since = ANY_VERSION), \
		    OPTIONAL("size", P_RANGE, struct string_in, size, "Most characters of a value; omitted: as it is.", .min = 1, .max = largest), \
		    NEW_KEY(struct string_in),                                                                                               \
	}
static const struct param string_params[] = SIZED_PARAMS(1073741824);
static const struct param string_changes[] = SIZED_CHANGES(1073741824);
static const struct param varchar_params[] = SIZED_PARAMS(VARCHAR_MAX);
static const struct param varchar_changes[] = SIZED_CHANGES(VARCHAR_MAX);
static const struct param unsized_params[] = {
    BASE(struct string_in), DEFAULT(P_TEXT, struct string_in, .empty_since = EMPTY_DEFAULTS), ARRAY(struct string_in), ENCRYPT};
static const struct param unsized_changes[] = {
    CHANGED(struct string_in), REQUIRED_PARAM(struct string_in), DEFAULT_NOW(P_TEXT, struct string_in, .empty_since = ANY_VERSION),
    NEW_KEY(struct string_in)};

static struct attribute_in
string_of(struct req *rq, const struct string_in *in, enum attr_kind kind)
{
	return (struct attribute_in){.kind = kind, .size = in->size.set ? in->size.v : 0, .encrypt = in->encrypt == 1, .def = json_text(rq, in->def)};
}

#define STRING_HANDLERS(name, kind)                                                          \
	static err_t read_##name(struct req *rq, const void *arg, struct attribute_in *out)  \
	{                                                                                    \
		*out = string_of(rq, arg, kind);                                             \
		return OK;                                                                   \
	}                                                                                    \
	HANDLERS(name)
STRING_HANDLERS(string, KIND_STRING)
STRING_HANDLERS(varchar, KIND_VARCHAR)
STRING_HANDLERS(text, KIND_TEXT)
STRING_HANDLERS(mediumtext, KIND_MEDIUMTEXT)
STRING_HANDLERS(longtext, KIND_LONGTEXT)

struct text_in {		/* e-mail, IP, URL, datetime */
	struct base_in base;
	const char *def;
};
#define TEXT_PARAMS(type) {BASE(struct text_in), DEFAULT(type, struct text_in, ), ARRAY(struct text_in)}
#define TEXT_CHANGES(type) {CHANGED(struct text_in), REQUIRED_PARAM(struct text_in), DEFAULT_NOW(type, struct text_in, ), NEW_KEY(struct text_in)}
static const struct param email_params[] = TEXT_PARAMS(P_EMAIL);
static const struct param email_changes[] = TEXT_CHANGES(P_EMAIL);
static const struct param ip_params[] = TEXT_PARAMS(P_IP);
static const struct param ip_changes[] = TEXT_CHANGES(P_IP);
static const struct param url_params[] = TEXT_PARAMS(P_URL);
static const struct param url_changes[] = TEXT_CHANGES(P_URL);
static const struct param datetime_params[] = TEXT_PARAMS(P_TEXT);
static const struct param datetime_changes[] = TEXT_CHANGES(P_TEXT);

/* Whether it is an address at all the parameter's type has told. */
static err_t
address_of(struct req *rq, const struct text_in *in, enum attr_format format, int64_t size, const char *tail, struct attribute_in *out)
{
	*out = (struct attribute_in){.kind = KIND_STRING, .format = format, .size = size, .def = json_text(rq, in->def)};
	if (in->def != NULL && strlen(in->def) > (size_t)size)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid default: %s", tail);
	return OK;
}

static err_t
datetime_of(struct req *rq, const struct text_in *in, struct attribute_in *out)
{
	int64_t ms;

	*out = (struct attribute_in){.kind = KIND_DATETIME, .def = json_text(rq, in->def)};
	if (in->def != NULL && !time_parse(str_c(in->def), &ms))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid default: it is no date.");
	return OK;
}

#define TEXT_HANDLERS(name, read)                                                            \
	static err_t read_##name(struct req *rq, const void *arg, struct attribute_in *out)  \
	{                                                                                    \
		const struct text_in *in = arg;                                              \
                                                                                             \
		return read;                                                                 \
	}                                                                                    \
	HANDLERS(name)
TEXT_HANDLERS(email, address_of(rq, in, FORMAT_EMAIL, EMAIL_SIZE, TAIL_EMAIL, out))
TEXT_HANDLERS(ip, address_of(rq, in, FORMAT_IP, IP_SIZE, TAIL_IP, out))
TEXT_HANDLERS(url, address_of(rq, in, FORMAT_URL, URL_SIZE, TAIL_URL, out))
TEXT_HANDLERS(datetime, datetime_of(rq, in, out))

struct enum_in {
	struct base_in base;
	struct strs elements;
	const char *def;
};
static const struct param enum_params[] = {
    NEW(struct enum_in),
    REQUIRED("elements", P_TEXTS, struct enum_in, elements, "The values, at most 100 of 4096 characters, since 1.9.0 of 255.", .def = "[]",
	.max = ELEMENT_MAX),
    REQUIRED_PARAM(struct enum_in),
    DEFAULT(P_TEXT, struct enum_in, ),
    ARRAY(struct enum_in),
};
static const struct param enum_changes[] = {
    CHANGED(struct enum_in),
    REQUIRED("elements", P_TEXTS, struct enum_in, elements, "The values, at most 100 of 255 characters.", .max = ELEMENT_TODAY),
    REQUIRED_PARAM(struct enum_in),
    DEFAULT_NOW(P_TEXT, struct enum_in, ),
    NEW_KEY(struct enum_in),
};

/* `today`: by the rules since 1.9.0. */
static err_t
enum_of(struct req *rq, const struct enum_in *in, bool today, struct attribute_in *out)
{
	*out = (struct attribute_in){.kind = KIND_STRING, .format = FORMAT_ENUM, .elements = in->elements, .def = json_text(rq, in->def)};
	for (int i = 0; i < in->elements.n; i++) {
		int64_t n = (int64_t)strlen(in->elements.v[i]);
		size_t points;

		if (today && (n == 0 || (str_utf8(str_c(in->elements.v[i]), &points) && points > ELEMENT_TODAY)))
			return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid elements: an element has 1 to %d characters.", ELEMENT_TODAY);
		out->size = n > out->size ? n : out->size;
	}
	return OK;
}

static err_t
read_enum(struct req *rq, const void *arg, struct attribute_in *out)
{
	const struct enum_in *in = arg;

	TRY(enum_of(rq, in, true, out));
	return in->elements.n > 0 ? OK : fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "Enum elements must not be empty");
}

static err_t
databases_create_enum_attribute(struct req *rq, void *arg)
{
	const struct enum_in *in = arg;
	struct attribute_in a;

	TRY(enum_of(rq, in, rq->cx.format >= SINCE_1_9, &a));
	return attributes_create(rq, &in->base, &a);
}

static err_t
databases_update_enum_attribute(struct req *rq, void *arg)
{
	const struct enum_in *in = arg;
	struct attribute_in a;

	TRY(enum_of(rq, in, rq->cx.format >= SINCE_1_9, &a));
	if (in->elements.n == 0)
		return fail_msg(&rq->cx, ERR_ATTRIBUTE_VALUE_INVALID, "Enum elements must not be empty");
	return attributes_update(rq, &in->base, &a);
}

/* ---- numbers ---- */

struct integer_in {
	struct base_in base;
	struct opt_int min, max, def;
};
#define BOUNDS(type, st) OPTIONAL("min", type, st, min, "Smallest value."), OPTIONAL("max", type, st, max, "Largest value.")
static const struct param integer_params[] = {
    BASE(struct integer_in), BOUNDS(P_INT, struct integer_in), DEFAULT(P_INT, struct integer_in, ), ARRAY(struct integer_in)};
static const struct param integer_changes[] = {CHANGED(struct integer_in), REQUIRED_PARAM(struct integer_in), BOUNDS(P_INT, struct integer_in),
    DEFAULT_NOW(P_INT, struct integer_in, ), NEW_KEY(struct integer_in)};

static struct attribute_in
integer_of(struct req *rq, const struct integer_in *in, enum attr_kind kind)
{
	return (struct attribute_in){.kind = kind, .min = int_or_none(rq, in->min), .max = int_or_none(rq, in->max), .def = int_or_none(rq, in->def)};
}

static err_t
read_integer(struct req *rq, const void *arg, struct attribute_in *out)
{
	*out = integer_of(rq, arg, KIND_INTEGER);
	return OK;
}

static err_t
read_bigint(struct req *rq, const void *arg, struct attribute_in *out)
{
	*out = integer_of(rq, arg, KIND_BIGINT);
	return OK;
}

static err_t
create_integer(struct req *rq, const struct integer_in *in, enum attr_kind kind)
{
	struct attribute_in a = integer_of(rq, in, kind);

	if (a.min == NULL)
		a.min = pg_i64(rq->cx.arena, INT64_MIN);
	if (a.max == NULL)
		a.max = pg_i64(rq->cx.arena, INT64_MAX);
	return attributes_create(rq, &in->base, &a);
}

static err_t
databases_create_integer_attribute(struct req *rq, void *arg)
{
	return create_integer(rq, arg, KIND_INTEGER);
}

static err_t
databases_create_bigint_attribute(struct req *rq, void *arg)
{
	return create_integer(rq, arg, KIND_BIGINT);
}

static err_t
databases_update_integer_attribute(struct req *rq, void *arg)
{
	struct attribute_in a;

	TRY(read_integer(rq, arg, &a));
	return attributes_update(rq, arg, &a);
}

static err_t
databases_update_bigint_attribute(struct req *rq, void *arg)
{
	struct attribute_in a;

	TRY(read_bigint(rq, arg, &a));
	return attributes_update(rq, arg, &a);
}

struct float_in {
	struct base_in base;
	struct opt_float min, max, def;
};
static const struct param float_params[] = {
    BASE(struct float_in), BOUNDS(P_NUMBER, struct float_in), DEFAULT(P_NUMBER, struct float_in, ), ARRAY(struct float_in)};
static const struct param float_changes[] = {CHANGED(struct float_in), REQUIRED_PARAM(struct float_in), BOUNDS(P_NUMBER, struct float_in),
    DEFAULT_NOW(P_NUMBER, struct float_in, ), NEW_KEY(struct float_in)};

static err_t
databases_create_float_attribute(struct req *rq, void *arg)
{
	const struct float_in *in = arg;
	struct attribute_in a = {.kind = KIND_FLOAT, .min = json_float(rq, in->min, -1.7976931348623157e308),
	    .max = json_float(rq, in->max, 1.7976931348623157e308), .def = float_or_none(rq, in->def)};

	return attributes_create(rq, &in->base, &a);
}

static err_t
read_float(struct req *rq, const void *arg, struct attribute_in *out)
{
	const struct float_in *in = arg;

	*out = (struct attribute_in){.kind = KIND_FLOAT, .min = float_or_none(rq, in->min), .max = float_or_none(rq, in->max), .def = float_or_none(rq, in->def)};
	return OK;
}

static err_t
databases_update_float_attribute(struct req *rq, void *arg)
{
	struct attribute_in a;

	TRY(read_float(rq, arg, &a));
	return attributes_update(rq, arg, &a);
}

struct boolean_in {
	struct base_in base;
	int def;
};
static const struct param boolean_params[] = {BASE(struct boolean_in), DEFAULT(P_BOOL, struct boolean_in, ), ARRAY(struct boolean_in)};
static const struct param boolean_changes[] = {CHANGED(struct boolean_in), REQUIRED_PARAM(struct boolean_in), DEFAULT_NOW(P_BOOL, struct boolean_in, ),
    NEW_KEY(struct boolean_in)};

static err_t
read_boolean(struct req *rq, const void *arg, struct attribute_in *out)
{
	const struct boolean_in *in = arg;

	(void)rq;
	*out = (struct attribute_in){.kind = KIND_BOOLEAN, .def = in->def < 0 ? NULL : in->def ? "true" : "false"};
	return OK;
}
HANDLERS(boolean)

/* ---- places ---- */

struct place_in {
	struct base_in base;
	json_t *def;
};
static const struct param place_params[] = {BASE(struct place_in), DEFAULT(P_ANY, struct place_in, )};
static const struct param place_changes[] = {CHANGED(struct place_in), REQUIRED_PARAM(struct place_in),
    OPTIONAL("default", P_ANY, struct place_in, def, DEFAULT_WORDS " null, or nothing: none."), NEW_KEY(struct place_in)};

static err_t
read_place(struct req *rq, const struct place_in *in, enum attr_kind kind, struct attribute_in *out)
{
	const char *why;
	struct str sql;
	struct buf b;

	*out = (struct attribute_in){.kind = kind};
	if (in->def == NULL || json_is_null(in->def))
		return OK;
	if (!geo_read(rq->cx.arena, attr_kinds[kind].geo, in->def, &sql, &why))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid default: %s.", why);
	buf_init(&b, rq->cx.arena, 64);
	geo_write(&b, sql);	/* as documents will have it */
	buf_ch(&b, '\0');
	out->def = b.p;
	return OK;
}

#define PLACE_HANDLERS(name, kind)                                                           \
	static err_t read_##name(struct req *rq, const void *arg, struct attribute_in *out)  \
	{                                                                                    \
		return read_place(rq, arg, kind, out);                                         \
	}                                                                                    \
	HANDLERS(name)
PLACE_HANDLERS(point, KIND_POINT)
PLACE_HANDLERS(line, KIND_LINE)
PLACE_HANDLERS(polygon, KIND_POLYGON)

/* ---- with their collection ---- */

/* A type as it is stored, or a format that is one to clients: what the route of the type reads, read from an object. */
struct inline_kind {
	const char *type, *format;	/* format NULL: the type says it */
	const struct param *params;
	int n;
	size_t size;			/* of the input */
	err_t (*read)(struct req *rq, const void *in, struct attribute_in *out);
	bool bounded;			/* a number: `signed` says something */
};
#define INLINE(type_, format_, params_, st, read_, ...) \
	{type_, format_, params_, (int)(sizeof(params_) / sizeof(params_[0])), sizeof(struct st), read_, __VA_ARGS__}
#define INLINE_FORMAT(name, st) \
	INLINE("string", #name, name##_params, st, read_##name, false), INLINE("varchar", #name, name##_params, st, read_##name, false), \
	    INLINE(#name, NULL, name##_params, st, read_##name, false)
static const struct inline_kind inline_kinds[] = {
    INLINE("string", "", string_params, string_in, read_string, false),
    INLINE("varchar", "", varchar_params, string_in, read_varchar, false),
    INLINE("text", NULL, unsized_params, string_in, read_text, false),
    INLINE("mediumtext", NULL, unsized_params, string_in, read_mediumtext, false),
    INLINE("longtext", NULL, unsized_params, string_in, read_longtext, false),
    INLINE_FORMAT(email, text_in),
    INLINE_FORMAT(ip, text_in),
    INLINE_FORMAT(url, text_in),
    INLINE_FORMAT(enum, enum_in),
    INLINE("datetime", NULL, datetime_params, text_in, read_datetime, false),
    INLINE("integer", NULL, integer_params, integer_in, read_integer, true),
    INLINE("bigint", NULL, integer_params, integer_in, read_bigint, true),
    INLINE("double", NULL, float_params, float_in, read_float, true),
    INLINE("boolean", NULL, boolean_params, boolean_in, read_boolean, false),
    INLINE("point", NULL, place_params, place_in, read_point, false),
    INLINE("linestring", NULL, place_params, place_in, read_line, false),
    INLINE("polygon", NULL, place_params, place_in, read_polygon, false),
};

struct inline_in {
	const char *type, *format;
	int is_signed;
};
static const struct param inline_params[] = {
    REQUIRED("type", P_TEXT, struct inline_in, type, "Type."),
    OPTIONAL("format", P_TEXT, struct inline_in, format, "Format of a text."),
    OPTIONAL("signed", P_BOOL, struct inline_in, is_signed, "false: of numbers, none below 0.", .def = "true"),
};

static err_t
inline_kind_of(struct req *rq, const struct inline_in *in, const struct inline_kind **out)
{
	const char *format = in->format ? in->format : "";
	bool known = false;

	for (size_t i = 0; i < sizeof inline_kinds / sizeof *inline_kinds; i++) {
		*out = &inline_kinds[i];
		if (strcmp((*out)->type, in->type) != 0)
			continue;
		known = true;
		/* a shorthand may say its format once more */
		if (strcmp((*out)->format ? (*out)->format : "", format) == 0 || ((*out)->format == NULL && strcmp(in->type, format) == 0))
			return OK;
	}
	if (known)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid format: it does not go with the type \"%s\".", in->type);
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, strcmp(in->type, "relationship") == 0 ?
	    "Invalid type: a relationship is created by itself." : "Invalid type: there is none of this name.");
}

err_t
attribute_read_inline(struct req *rq, json_t *o, struct attribute_in *out)
{
	json_t *with = json_keep(&rq->cx, json_copy(o));	/* a shallow one: what may be left out here must be said to the route */
	const struct inline_kind *k;
	struct inline_in in = {0};
	struct base_in *base;

	if (json_object_get(with, "required") == NULL)
		json_object_set_new(with, "required", json_false());
	TRY(params_take(rq, inline_params, (int)(sizeof inline_params / sizeof *inline_params), with, &in));
	TRY(inline_kind_of(rq, &in, &k));
	base = arena_zalloc(rq->cx.arena, k->size);
	TRY(params_take(rq, k->params, k->n, with, base));
	TRY(k->read(rq, base, out));
	take_base(base, out);
	if (attr_kinds[out->kind].type == ATTR_GEO && json_is_true(json_object_get(with, "array")))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid array: there are no lists of the type \"%s\".", in.type);
	if (k->bounded && in.is_signed == 0 && (out->min == NULL || *out->min == '-'))
		out->min = "0";
	TRY(attribute_check_rules(&rq->cx, out));
	return attribute_check_values(&rq->cx, out);
}

/* ---- reading and deleting ---- */

struct list_in {
	struct base_in base;
	struct strs queries;
};
static const struct param list_params[] = {
    WHERE(struct list_in),
    OPTIONAL("queries", P_QUERIES, struct list_in, queries, "Queries on key, type, size, required, array, status and error."),
    LIST_TOTAL,
};

static err_t
databases_list_attributes(struct req *rq, void *arg)
{
	const struct list_in *in = arg;
	struct str json;

	TRY(attribute_list_json(&rq->cx, rq->project, in->base.db, in->base.col, &in->queries, &json));
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

#define CHANGE(type, name, handler, shape, st, params, doc)                                                             \
	BELOW("PATCH", "/:collectionId/attributes/" type "/:key", name, "collections.write", handler, 200, doc, st, params, \
	    .model = &shape, ON_COLLECTION("attribute.update"), CHANGES)

static const struct route rows[] = {
    CREATE("string", "createStringAttribute", databases_create_string_attribute, attribute_string_shape, struct string_in, string_params, "Create a text attribute."),
    CHANGE("string", "updateStringAttribute", databases_update_string_attribute, attribute_string_shape, struct string_in, string_changes, "Change a text attribute."),
    CREATE("varchar", "createVarcharAttribute", databases_create_varchar_attribute, attribute_varchar_shape, struct string_in, varchar_params, "Create a text attribute of a size up to 16381."),
    CHANGE("varchar", "updateVarcharAttribute", databases_update_varchar_attribute, attribute_varchar_shape, struct string_in, varchar_changes, "Change a text attribute of a size up to 16381."),
    CREATE("text", "createTextAttribute", databases_create_text_attribute, attribute_text_shape, struct string_in, unsized_params, "Create an attribute of texts up to 64 KiB."),
    CHANGE("text", "updateTextAttribute", databases_update_text_attribute, attribute_text_shape, struct string_in, unsized_changes, "Change an attribute of texts up to 64 KiB."),
    CREATE("mediumtext", "createMediumtextAttribute", databases_create_mediumtext_attribute, attribute_mediumtext_shape, struct string_in, unsized_params, "Create an attribute of texts up to 16 MiB."),
    CHANGE("mediumtext", "updateMediumtextAttribute", databases_update_mediumtext_attribute, attribute_mediumtext_shape, struct string_in, unsized_changes, "Change an attribute of texts up to 16 MiB."),
    CREATE("longtext", "createLongtextAttribute", databases_create_longtext_attribute, attribute_longtext_shape, struct string_in, unsized_params, "Create an attribute of texts up to 2 GiB."),
    CHANGE("longtext", "updateLongtextAttribute", databases_update_longtext_attribute, attribute_longtext_shape, struct string_in, unsized_changes, "Change an attribute of texts up to 2 GiB."),
    CREATE("email", "createEmailAttribute", databases_create_email_attribute, attribute_email_shape, struct text_in, email_params, "Create an e-mail attribute."),
    CHANGE("email", "updateEmailAttribute", databases_update_email_attribute, attribute_email_shape, struct text_in, email_changes, "Change an e-mail attribute."),
    CREATE("enum", "createEnumAttribute", databases_create_enum_attribute, attribute_enum_shape, struct enum_in, enum_params, "Create an attribute with a list of values."),
    CHANGE("enum", "updateEnumAttribute", databases_update_enum_attribute, attribute_enum_shape, struct enum_in, enum_changes, "Change an attribute with a list of values."),
    CREATE("ip", "createIpAttribute", databases_create_ip_attribute, attribute_ip_shape, struct text_in, ip_params, "Create an IP address attribute."),
    CHANGE("ip", "updateIpAttribute", databases_update_ip_attribute, attribute_ip_shape, struct text_in, ip_changes, "Change an IP address attribute."),
    CREATE("url", "createUrlAttribute", databases_create_url_attribute, attribute_url_shape, struct text_in, url_params, "Create a URL attribute."),
    CHANGE("url", "updateUrlAttribute", databases_update_url_attribute, attribute_url_shape, struct text_in, url_changes, "Change a URL attribute."),
    CREATE("integer", "createIntegerAttribute", databases_create_integer_attribute, attribute_integer_shape, struct integer_in, integer_params, "Create an integer attribute."),
    CHANGE("integer", "updateIntegerAttribute", databases_update_integer_attribute, attribute_integer_shape, struct integer_in, integer_changes, "Change an integer attribute."),
    CREATE("bigint", "createBigIntAttribute", databases_create_bigint_attribute, attribute_bigint_shape, struct integer_in, integer_params, "Create an attribute of integers of 64 bits."),
    CHANGE("bigint", "updateBigIntAttribute", databases_update_bigint_attribute, attribute_bigint_shape, struct integer_in, integer_changes, "Change an attribute of integers of 64 bits."),
    CREATE("float", "createFloatAttribute", databases_create_float_attribute, attribute_float_shape, struct float_in, float_params, "Create a floating point attribute."),
    CHANGE("float", "updateFloatAttribute", databases_update_float_attribute, attribute_float_shape, struct float_in, float_changes, "Change a floating point attribute."),
    CREATE("boolean", "createBooleanAttribute", databases_create_boolean_attribute, attribute_boolean_shape, struct boolean_in, boolean_params, "Create a boolean attribute."),
    CHANGE("boolean", "updateBooleanAttribute", databases_update_boolean_attribute, attribute_boolean_shape, struct boolean_in, boolean_changes, "Change a boolean attribute."),
    CREATE("datetime", "createDatetimeAttribute", databases_create_datetime_attribute, attribute_datetime_shape, struct text_in, datetime_params, "Create a date attribute."),
    CHANGE("datetime", "updateDatetimeAttribute", databases_update_datetime_attribute, attribute_datetime_shape, struct text_in, datetime_changes, "Change a date attribute."),
    CREATE("point", "createPointAttribute", databases_create_point_attribute, attribute_point_shape, struct place_in, place_params, "Create an attribute of points."),
    CHANGE("point", "updatePointAttribute", databases_update_point_attribute, attribute_point_shape, struct place_in, place_changes, "Change an attribute of points."),
    CREATE("line", "createLineAttribute", databases_create_line_attribute, attribute_line_shape, struct place_in, place_params, "Create an attribute of lines."),
    CHANGE("line", "updateLineAttribute", databases_update_line_attribute, attribute_line_shape, struct place_in, place_changes, "Change an attribute of lines."),
    CREATE("polygon", "createPolygonAttribute", databases_create_polygon_attribute, attribute_polygon_shape, struct place_in, place_params, "Create an attribute of polygons."),
    CHANGE("polygon", "updatePolygonAttribute", databases_update_polygon_attribute, attribute_polygon_shape, struct place_in, place_changes, "Change an attribute of polygons."),
    BELOW("GET", "/:collectionId/attributes", "listAttributes", "collections.read", databases_list_attributes, 200, "List attributes.", struct list_in,
	list_params, .model = &attribute_shape, .list = "attributes", READS),
    BELOW("GET", "/:collectionId/attributes/:key", "getAttribute", "collections.read", databases_get_attribute, 200, "Get an attribute.", struct list_in,
	one_params, .model = &attribute_shape, READS),
    BELOW("DELETE", "/:collectionId/attributes/:key", "deleteAttribute", "collections.write", databases_delete_attribute, 204,
	"Delete an attribute with its values.", struct list_in, one_params,
	ON_COLLECTION("attribute.delete"), CHANGES),
};
const struct routes attribute_routes = ROUTES(rows);
