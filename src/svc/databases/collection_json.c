/* What replies and events show of a collection, its attributes and its indexes. */
#include "svc/databases/collection.h"

#include "core/vtime.h"

static void
collection_json_write_texts(struct jw *w, const struct strs *s)
{
	jw_arr(w);
	for (int i = 0; i < s->n; i++)
		jw_cstr(w, s->v[i]);
	jw_arr_end(w);
}

static void
write_date(struct jw *w, const char *key, int64_t ms)
{
	char iso[30];

	jw_key(w, str_c(key));
	jw_cstr(w, time_iso(ms, iso));
}

static void
write_json_or_null(struct jw *w, const char *json)
{
	if (json == NULL)
		jw_null(w);
	else
		jw_raw(w, str_c(json));
}

static void
write_relation(struct jw *w, const struct relation *r)
{
	jw_word(w, "relatedCollection");
	jw_cstr(w, r->related_id);
	JW_KEY(w, "relationType");
	jw_cstr(w, relation_kinds[r->kind]);
	JW_KEY(w, "twoWay");
	jw_bool(w, r->two_way);
	JW_KEY(w, "twoWayKey");
	jw_cstr(w, r->two_way_key);
	JW_KEY(w, "onDelete");
	jw_cstr(w, relation_ends[r->end]);
	JW_KEY(w, "side");
	jw_cstr(w, r->child ? "child" : "parent");
}

/* The members between `array` and `default`, in their order on the wire. */
static void
write_specifics(struct jw *w, const struct attribute *a)
{
	if (a->rel != NULL) {
		write_relation(w, a->rel);
		return;
	}
	if (a->type == ATTR_STRING && a->format == FORMAT_NONE && attr_kinds[a->kind].bytes == 0) {
		JW_KEY(w, "size");
		jw_i64(w, a->size);
	}
	if (a->format == FORMAT_ENUM) {
		JW_KEY(w, "elements");
		collection_json_write_texts(w, &a->elements);
	}
	if (a->format != FORMAT_NONE || a->type == ATTR_DATETIME) {
		JW_KEY(w, "format");
		jw_cstr(w, attribute_format_name(a->format));
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
	jw_cstr(w, attr_kinds[a->kind].name);
	JW_KEY(w, "status");
	jw_cstr(w, status ? status : a->status);
	if (w->format >= SINCE_1_4) {
		JW_KEY(w, "error");
		jw_cstr(w, status ? "" : a->error);
	}
	JW_KEY(w, "required");
	jw_bool(w, a->required);
	JW_KEY(w, "array");
	jw_bool(w, a->array);
	if (w->format >= SINCE_1_6) {
		write_date(w, "$createdAt", a->created);
		write_date(w, "$updatedAt", a->updated);
	}
	write_specifics(w, a);
	if (a->rel == NULL) {
		JW_KEY(w, "default");
		write_json_or_null(w, a->def);
	}
	if (w->format >= SINCE_1_8 && a->type == ATTR_STRING && a->format == FORMAT_NONE && a->rel == NULL) {
		JW_KEY(w, "encrypt");
		jw_bool(w, a->encrypt);
	}
	jw_obj_end(w);
}

int64_t
index_length(const struct index *x, int i)
{
	return i < x->n_lengths ? x->lengths[i] : 0;
}

/* One for each attribute; null where none was given. */
static void
write_lengths(struct jw *w, const struct index *x)
{
	jw_arr(w);
	for (int i = 0; i < x->attributes.n; i++) {
		if (index_length(x, i) > 0)
			jw_i64(w, index_length(x, i));
		else
			jw_null(w);
	}
	jw_arr_end(w);
}

void
index_write(struct jw *w, const struct collection *c, const struct index *x, const char *status)
{
	jw_obj(w);
	if (w->format >= SINCE_1_8) {
		JW_KEY(w, "$id");
		jw_cstr(w, arena_printf(w->b->arena, "%lld_%lld_%s", (long long)c->database, (long long)c->internal, x->key));
	}
	if (w->format >= SINCE_1_6) {
		write_date(w, "$createdAt", x->created);
		write_date(w, "$updatedAt", x->updated);
	}
	JW_KEY(w, "key");
	jw_cstr(w, x->key);
	JW_KEY(w, "type");
	jw_cstr(w, x->type);
	JW_KEY(w, "status");
	jw_cstr(w, status ? status : x->status);
	if (w->format >= SINCE_1_4) {
		JW_KEY(w, "error");
		jw_cstr(w, status ? "" : x->error);
	}
	jw_word(w, "attributes");
	collection_json_write_texts(w, &x->attributes);
	if (w->format >= SINCE_1_7) {
		JW_KEY(w, "lengths");
		write_lengths(w, x);
	}
	JW_KEY(w, "orders");
	collection_json_write_texts(w, &x->orders);
	jw_obj_end(w);
}

static void
begin_json(struct jw *w, struct buf *b, struct ctx *cx, int64_t format)
{
	buf_init(b, cx->arena, 512);
	jw_init(w, b);
	w->format = format;
	w->words = format == 0 ? NULL : cx->words;	/* events have the members and the words of 1.0 */
}

static struct str
attribute_text(struct ctx *cx, int64_t format, const struct attribute *a, const char *status)
{
	struct buf b;
	struct jw w;

	begin_json(&w, &b, cx, format);
	attribute_write(&w, a, status);
	return buf_view(&b);
}

struct str
attribute_json(struct ctx *cx, const struct attribute *a, const char *status)
{
	return attribute_text(cx, cx->format, a, status);
}

struct str
attribute_payload(struct ctx *cx, const struct attribute *a, const char *status)
{
	return attribute_text(cx, 0, a, status);
}

static struct str
index_text(struct ctx *cx, int64_t format, const struct collection *c, const struct index *x, const char *status)
{
	struct buf b;
	struct jw w;

	begin_json(&w, &b, cx, format);
	index_write(&w, c, x, status);
	return buf_view(&b);
}

struct str
index_json(struct ctx *cx, const struct collection *c, const struct index *x, const char *status)
{
	return index_text(cx, cx->format, c, x, status);
}

struct str
index_payload(struct ctx *cx, const struct collection *c, const struct index *x, const char *status)
{
	return index_text(cx, 0, c, x, status);
}

void
collection_write(struct jw *w, const struct collection *c)
{
	jw_obj(w);
	JW_KEY(w, "$id");
	jw_cstr(w, c->id);
	write_date(w, "$createdAt", c->created);
	write_date(w, "$updatedAt", c->updated);
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
		index_write(w, c, &c->indexes[i], NULL);
	jw_arr_end(w);
	if (w->format >= SINCE_CONSOLES) {
		JW_KEY(w, "bytesMax");
		jw_i64(w, ROW_WIDTH_MAX);
		JW_KEY(w, "bytesUsed");
		jw_i64(w, collection_width(c));
	}
	jw_obj_end(w);
}

struct str
collection_json(struct ctx *cx, const struct collection *c, bool event)
{
	struct buf b;
	struct jw w;

	begin_json(&w, &b, cx, event ? 0 : cx->format);
	collection_write(&w, c);
	return buf_view(&b);
}
