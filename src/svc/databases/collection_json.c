/* What replies and events show of a collection, its attributes and its indexes. */
#include "svc/databases/collection.h"

#include "core/vtime.h"

static const char *const type_names[] = {"string", "integer", "double", "boolean", "datetime"};
static const char *const format_names[] = {"", "email", "enum", "ip", "url"};

const char *
attribute_type_name(enum attr_type t)
{
	return type_names[t];
}

const char *
attribute_format_name(enum attr_format f)
{
	return format_names[f];
}

enum attr_type
attribute_type_by(const char *name)
{
	for (int i = 0; i < (int)(sizeof type_names / sizeof *type_names); i++)
		if (strcmp(type_names[i], name) == 0)
			return (enum attr_type)i;
	return ATTR_STRING;
}

enum attr_format
attribute_format_by(const char *name)
{
	for (int i = 0; i < (int)(sizeof format_names / sizeof *format_names); i++)
		if (strcmp(format_names[i], name) == 0)
			return (enum attr_format)i;
	return FORMAT_NONE;
}

static void
collection_json_write_texts(struct jw *w, const struct strs *s)
{
	jw_arr(w);
	for (int i = 0; i < s->n; i++)
		jw_cstr(w, s->v[i]);
	jw_arr_end(w);
}

static void
write_json_or_null(struct jw *w, const char *json)
{
	if (json == NULL)
		jw_null(w);
	else
		jw_raw(w, str_c(json));
}

/* The members between `array` and `default`, in their order on the wire. */
static void
write_specifics(struct jw *w, const struct attribute *a)
{
	if (a->type == ATTR_STRING && a->format == FORMAT_NONE) {
		JW_KEY(w, "size");
		jw_i64(w, a->size);
	}
	if (a->format == FORMAT_ENUM) {
		JW_KEY(w, "elements");
		collection_json_write_texts(w, &a->elements);
	}
	if (a->format != FORMAT_NONE || a->type == ATTR_DATETIME) {
		JW_KEY(w, "format");
		jw_cstr(w, format_names[a->format]);
	}
	if (a->type == ATTR_INTEGER || a->type == ATTR_FLOAT) {
		JW_KEY(w, "min");
		write_json_or_null(w, a->min);
		JW_KEY(w, "max");
		write_json_or_null(w, a->max);
	}
}

void
attribute_write(struct jw *w, const struct attribute *a, const char *status)
{
	jw_obj(w);
	JW_KEY(w, "key");
	jw_cstr(w, a->key);
	JW_KEY(w, "type");
	jw_cstr(w, type_names[a->type]);
	JW_KEY(w, "status");
	jw_cstr(w, status ? status : a->status);
	JW_KEY(w, "required");
	jw_bool(w, a->required);
	JW_KEY(w, "array");
	jw_bool(w, a->array);
	write_specifics(w, a);
	JW_KEY(w, "default");
	write_json_or_null(w, a->def);
	jw_obj_end(w);
}

void
index_write(struct jw *w, const struct index *x, const char *status)
{
	jw_obj(w);
	JW_KEY(w, "key");
	jw_cstr(w, x->key);
	JW_KEY(w, "type");
	jw_cstr(w, x->type);
	JW_KEY(w, "status");
	jw_cstr(w, status ? status : x->status);
	jw_word(w, "attributes");
	collection_json_write_texts(w, &x->attributes);
	JW_KEY(w, "orders");
	collection_json_write_texts(w, &x->orders);
	jw_obj_end(w);
}

struct str
attribute_json(struct ctx *cx, const struct attribute *a, const char *status)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	w.words = cx->words;
	attribute_write(&w, a, status);
	return buf_view(&b);
}

struct str
index_json(struct ctx *cx, const struct index *x, const char *status)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	w.words = cx->words;
	index_write(&w, x, status);
	return buf_view(&b);
}

void
collection_write(struct jw *w, const struct collection *c)
{
	char iso[30];

	jw_obj(w);
	JW_KEY(w, "$id");
	jw_cstr(w, c->id);
	JW_KEY(w, "$createdAt");
	jw_cstr(w, time_iso(c->created, iso));
	JW_KEY(w, "$updatedAt");
	jw_cstr(w, time_iso(c->updated, iso));
	JW_KEY(w, "$permissions");
	collection_json_write_texts(w, &c->permissions);
	JW_KEY(w, "databaseId");
	jw_cstr(w, c->database_id);
	JW_KEY(w, "name");
	jw_cstr(w, c->name);
	JW_KEY(w, "enabled");
	jw_bool(w, c->enabled);
	jw_word(w, "documentSecurity");
	jw_bool(w, c->document_security);
	jw_word(w, "attributes");
	jw_arr(w);
	for (int i = 0; i < c->n_attrs; i++)
		attribute_write(w, &c->attrs[i], NULL);
	jw_arr_end(w);
	JW_KEY(w, "indexes");
	jw_arr(w);
	for (int i = 0; i < c->n_indexes; i++)
		index_write(w, &c->indexes[i], NULL);
	jw_arr_end(w);
	jw_obj_end(w);
}

struct str
collection_json(struct ctx *cx, const struct collection *c)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 512);
	jw_init(&w, &b);
	w.words = cx->words;
	collection_write(&w, c);
	return buf_view(&b);
}
