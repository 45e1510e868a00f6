/* Shapes: rows into structs, structs into JSON, both by the model's table. */
#include "model/shape.h"

#include <assert.h>
#include <stdlib.h>

#include "core/json.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "core/words.h"
#include "model/seal.h"

/* The column lists, made once per shape. A shape is static, so its address is its name. */
struct columns {
	struct columns *next;
	const struct shape *shape;
	char *text;
};

static const char *
columns_made(struct columns **made, const struct shape *s, const char *before, void (*put)(struct buf *b, const struct field *f), const char *after)
{
	struct columns *c;
	struct buf b;
	bool more = false;

	for (c = *made; c != NULL; c = c->next)
		if (c->shape == s)
			return c->text;
	buf_init(&b, NULL, 256);
	buf_c(&b, before);
	for (int i = 0; i < s->n; i++) {
		if (s->fields[i].column == NULL)
			continue;
		if (more)
			BUF_LIT(&b, ", ");
		put(&b, &s->fields[i]);
		more = true;
	}
	buf_c(&b, after);
	c = mem_zalloc(sizeof *c);
	c->shape = s;
	c->text = b.p;
	c->next = *made;
	*made = c;
	return c->text;
}

static void
put_column(struct buf *b, const struct field *f)
{
	buf_c(b, f->column);
}

const char *
shape_columns(const struct shape *s)
{
	static struct columns *made;

	return columns_made(&made, s, "", put_column, "");
}

static const char *
columns_in(struct arena *a, const char *sql, const char *schema)
{
	static const char schema_mark[] = ":schema";
	const char *at;
	struct buf b;

	if (strstr(sql, schema_mark) == NULL)
		return sql;
	buf_init(&b, a, strlen(sql) + 64);
	for (; (at = strstr(sql, schema_mark)) != NULL; sql = at + sizeof schema_mark - 1) {
		buf_str(&b, (struct str){sql, (size_t)(at - sql)});
		buf_c(&b, schema);
	}
	buf_c(&b, sql);
	return buf_view(&b).p;
}

const char *
shape_columns_in(struct arena *a, const struct shape *s, const char *schema)
{
	return columns_in(a, shape_columns(s), schema);
}

bool
shape_has(const struct shape *s, struct str key)
{
	for (int i = 0; i < s->n; i++)
		if (!s->fields[i].hidden && str_is(key, s->fields[i].key))
			return true;
	return false;
}

/* What has a size of its own costs nothing, and a made-up one would say something. */
static bool
shape_may_spare(const struct field *f)
{
	switch (f->type) {
	case F_STR:
	case F_DATA:
	case F_STRS:
	case F_JSON:
	case F_LIST:
		return !f->hidden;
	default:
		return false;
	}
}

static bool
shape_names(const struct strs *chosen, const char *key)
{
	for (int i = 0; i < chosen->n; i++)
		if (strcmp(chosen->v[i], key) == 0 || strcmp(chosen->v[i], "*") == 0)
			return true;
	return false;
}

static bool
shape_is_chosen(const struct shape *s, const struct field *f, const struct strs *chosen)
{
	for (int i = 0; i < s->n; i++) {
		const struct field *g = &s->fields[i];

		if (!g->hidden && (g->off == f->off || (g->tag != 0 && g->tag == f->off)) && shape_names(chosen, g->key))
			return true;
	}
	return false;
}

const char *
shape_columns_chosen(struct arena *a, const struct shape *s, const char *schema, const struct strs *chosen)
{
	const char *glue = "";
	struct buf b;

	buf_init(&b, a, 512);
	for (int i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];
		const char *name = f->column != NULL ? strrchr(f->column, '.') : NULL;

		if (f->column == NULL)
			continue;
		buf_c(&b, glue);
		glue = ", ";
		if (!shape_may_spare(f) || shape_is_chosen(s, f, chosen))
			put_column(&b, f);
		else if (f->column[0] == '(' || name == NULL)
			BUF_LIT(&b, "NULL");
		else
			buf_printf(&b, "NULL AS %s", name + 1);
	}
	return columns_in(a, buf_view(&b).p, schema);
}

/* Times as milliseconds: JSON has no other that is cheap to read. */
static void
put_json_column(struct buf *b, const struct field *f)
{
	if (f->type == F_TIME || f->type == F_TIME_OR_NONE)
		buf_printf(b, "(extract(epoch FROM %s) * 1000)::bigint", f->column);
	else
		buf_c(b, f->column);
}

const char *
shape_json_columns(const struct shape *s)
{
	static struct columns *made;

	return columns_made(&made, s, "json_build_array(", put_json_column, ")");
}

/* ---- reading ---- */

/* What is sealed is opened; what is no seal of ours is nothing. */
static const char *
shape_text_of(struct ctx *cx, const struct field *f, const char *text)
{
	const char *clear;

	if (!(f->flags & COL_SEALED))
		return text;
	clear = text != NULL && text[0] != '\0' ? seal_open(cx->arena, str_c(text)) : NULL;
	return clear ? clear : "";
}

enum { DATA_ESCAPE = 1, DATA_NUL = 2 };

const char *
shape_data_column(struct arena *a, struct str text)
{
	struct buf b;

	if (text.p == NULL || (memchr(text.p, '\0', text.n) == NULL && memchr(text.p, DATA_ESCAPE, text.n) == NULL && text.p[text.n] == '\0'))
		return text.p != NULL ? text.p : "";
	buf_init(&b, a, text.n + 16);
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\0' || c == DATA_ESCAPE)
			buf_ch(&b, DATA_ESCAPE);
		buf_ch(&b, c == '\0' ? DATA_NUL : c);
	}
	return b.n > 0 ? b.p : "";
}

struct str
shape_data_text(struct arena *a, struct str column)
{
	struct buf b;

	if (column.n == 0 || memchr(column.p, DATA_ESCAPE, column.n) == NULL)
		return column;
	buf_init(&b, a, column.n);
	for (size_t i = 0; i < column.n; i++) {
		bool escaped = column.p[i] == DATA_ESCAPE && i + 1 < column.n;

		i += escaped;
		buf_ch(&b, escaped && column.p[i] == DATA_NUL ? '\0' : column.p[i]);
	}
	return buf_view(&b);
}

static void
field_read(struct ctx *cx, const struct field *f, void *at, const struct db_res *r, int row, int col)
{
	switch (f->type) {
	case F_STR:
	case F_ID:
	case F_ENUM:
		*(const char **)at = shape_text_of(cx, f, db_cstr(r, row, col));
		return;
	case F_TIME:
	case F_TIME_OR_NONE:
		*(int64_t *)at = db_time(r, row, col);
		return;
	case F_BOOL:
		*(bool *)at = db_bool(r, row, col);
		return;
	case F_INT:
		*(int64_t *)at = db_i64(r, row, col);
		return;
	case F_FLOAT:
		*(double *)at = db_null(r, row, col) ? 0 : strtod(db_cstr(r, row, col), NULL);
		return;
	case F_STRS:
		*(struct strs *)at = db_strs(cx, r, row, col);
		return;
	case F_DATA:
		*(struct str *)at = shape_data_text(cx->arena, db_str(r, row, col));
		return;
	case F_JSON:
		*(struct str *)at = db_str(r, row, col);
		return;
	case F_LIST:
		*(struct objs *)at = db_null(r, row, col) ? (struct objs){0} : shape_rows_json(cx, f->sub, json_parse(cx, db_str(r, row, col), NULL));
		return;
	case F_CONST:
		return;
	}
}

void
shape_read(struct ctx *cx, const struct shape *s, void *obj, const struct db_res *r, int row, int col)
{
	for (int i = 0; i < s->n; i++)
		if (s->fields[i].column != NULL)
			field_read(cx, &s->fields[i], (char *)obj + s->fields[i].off, r, row, col++);
}

static struct strs
shape_strs_of_json(struct ctx *cx, const json_t *list)
{
	struct strs s = {.set = list != NULL && !json_is_null(list), .v = arena_array(cx->arena, const char *, json_array_size(list) + 1)};

	for (size_t i = 0; i < json_array_size(list); i++)
		s.v[s.n++] = json_string_value(json_array_get(list, i));
	return s;
}

static void
field_read_json(struct ctx *cx, const struct field *f, void *at, const json_t *j)
{
	switch (f->type) {
	case F_STR:
	case F_ID:
	case F_ENUM:
		*(const char **)at = shape_text_of(cx, f, json_string_value(j));
		return;
	case F_TIME:
	case F_TIME_OR_NONE:
		*(int64_t *)at = json_is_integer(j) ? json_integer_value(j) : TIME_NONE;
		return;
	case F_BOOL:
		*(bool *)at = json_is_true(j);
		return;
	case F_INT:
		*(int64_t *)at = json_integer_value(j);
		return;
	case F_FLOAT:
		*(double *)at = json_number_value(j);
		return;
	case F_STRS:
		*(struct strs *)at = shape_strs_of_json(cx, j);
		return;
	case F_DATA:
		*(struct str *)at = shape_data_text(cx->arena, json_str(j));
		return;
	case F_JSON:	/* of columns that are texts */
		*(struct str *)at = json_str(j);
		return;
	case F_LIST:
	case F_CONST:
		return;
	}
}

void
shape_read_json(struct ctx *cx, const struct shape *s, void *obj, const json_t *row)
{
	size_t at = 0;

	for (int i = 0; i < s->n; i++)
		if (s->fields[i].column != NULL)
			field_read_json(cx, &s->fields[i], (char *)obj + s->fields[i].off, json_array_get(row, at++));
}

struct objs
shape_rows_json(struct ctx *cx, const struct shape *s, const json_t *list)
{
	struct objs out = {.v = arena_array(cx->arena, void *, json_array_size(list) + 1)};

	for (; (size_t)out.n < json_array_size(list); out.n++) {
		out.v[out.n] = arena_zalloc(cx->arena, s->size);
		shape_read_json(cx, s, out.v[out.n], json_array_get(list, (size_t)out.n));
	}
	return out;
}

struct objs
shape_rows(struct ctx *cx, const struct shape *s, const struct db_res *r)
{
	struct objs out = {.v = arena_array(cx->arena, void *, db_rows(r) + 1)};

	for (; out.n < db_rows(r); out.n++) {
		out.v[out.n] = arena_zalloc(cx->arena, s->size);
		shape_read(cx, s, out.v[out.n], r, out.n, 0);
	}
	return out;
}

/* ---- writing ---- */

static void
write_time(struct jw *w, int64_t ms)
{
	char text[30];

	jw_cstr(w, ms == TIME_NONE ? "" : time_iso(ms, text));
}

static void
shape_write_texts(struct jw *w, const struct strs *v)
{
	jw_arr(w);
	for (int i = 0; i < v->n; i++)
		jw_cstr(w, v->v[i]);
	jw_arr_end(w);
}

static void
write_objs(struct jw *w, const struct shape *s, const struct objs *list)
{
	jw_arr(w);
	for (int i = 0; i < list->n; i++)
		shape_write(w, s, list->v[i]);
	jw_arr_end(w);
}

/* {"type":"tag", and the members of the object. The tag is a word of ours. */
static void
write_tagged(struct jw *w, const char *tag, struct str object)
{
	size_t at = 0;

	while (at < object.n && object.p[at] != '"')
		at++;
	jw_raw(w, STR("{\"type\":\""));
	buf_str(w->b, str_c(tag != NULL ? tag : ""));
	buf_str(w->b, at < object.n ? STR("\",") : STR("\"}"));
	buf_str(w->b, (struct str){object.p + at, object.n - at});
}

static void
field_write(struct jw *w, const struct field *f, const void *at)
{
	switch (f->type) {
	case F_STR:
	case F_ID:
	case F_ENUM:
		if (f->nullable && *(const char *const *)at == NULL)
			jw_null(w);
		else
			jw_cstr(w, *(const char *const *)at);
		return;
	case F_DATA:
		jw_str(w, *(const struct str *)at);
		return;
	case F_TIME:
	case F_TIME_OR_NONE:
		write_time(w, *(const int64_t *)at);
		return;
	case F_BOOL:
		jw_bool(w, *(const bool *)at);
		return;
	case F_INT:
		jw_i64(w, *(const int64_t *)at);
		return;
	case F_FLOAT:
		jw_f64(w, *(const double *)at);
		return;
	case F_STRS:
		shape_write_texts(w, at);
		return;
	case F_JSON: {
		const struct str *j = at;
		size_t begin = w->b->n;

		if (f->tag > 0 && w->format >= SINCE_1_2)
			write_tagged(w, *(const char *const *)((const char *)at - f->off + f->tag), *j);
		else
			jw_raw(w, j->n > 0 ? *j : STR("{}"));
		if (w->empty_as_list)
			json_empties_to_lists(w->b->p + begin, w->b->n - begin);
		return;
	}
	case F_LIST:
		write_objs(w, f->sub, at);
		return;
	case F_CONST:
		if (f->say != NULL)
			f->say(w, at);
		else
			jw_raw(w, str_c(f->text));
		return;
	}
}

void
shape_write(struct jw *w, const struct shape *s, const void *obj)
{
	jw_obj(w);
	for (int i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];

		if (!field_told(f, w->format))
			continue;
		jw_key(w, str_c(f->key));
		field_write(w, f, (const char *)obj + f->off);
	}
	jw_obj_end(w);
}

struct str
shape_json(struct ctx *cx, const struct shape *s, const void *obj)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 512);
	jw_init(&w, &b);
	shape_write(&w, s, obj);
	return buf_view(&b);
}

/* ---- copies ---- */

static struct strs
copy_texts(struct arena *a, const struct strs *v)
{
	struct strs out = {.n = v->n, .set = v->set, .v = arena_array(a, const char *, v->n + 1)};

	for (int i = 0; i < v->n; i++)
		out.v[i] = arena_strdup(a, v->v[i]);
	return out;
}

static void copy_objs(struct arena *a, const struct shape *s, struct objs *v);

static void
copy_member(struct arena *a, const struct field *f, void *at)
{
	const char **text = at;
	struct str *json = at;

	switch (f->type) {
	case F_STR:
	case F_ID:
	case F_ENUM:
		*text = *text ? arena_strdup(a, *text) : NULL;
		break;
	case F_DATA:
	case F_JSON:
		*json = json->p ? (struct str){str_dup(a, *json), json->n} : STR_NONE;
		break;
	case F_STRS:
		*(struct strs *)at = copy_texts(a, at);
		break;
	case F_TIME:
	case F_TIME_OR_NONE:
	case F_BOOL:
	case F_INT:
	case F_FLOAT:
	case F_CONST:
		break;
	case F_LIST:
		copy_objs(a, f->sub, at);
		break;
	}
}

static void
copy_objs(struct arena *a, const struct shape *s, struct objs *v)
{
	void **copies = arena_array(a, void *, v->n + 1);

	for (int i = 0; i < v->n; i++) {
		copies[i] = arena_zalloc(a, s->size);
		shape_copy(a, s, v->v[i], copies[i]);
	}
	v->v = copies;
}

void
shape_copy(struct arena *a, const struct shape *s, const void *obj, void *out)
{
	memcpy(out, obj, s->size);
	for (int i = 0; i < s->n; i++)
		copy_member(a, &s->fields[i], (char *)out + s->fields[i].off);
}

/* ---- in other words ---- */

struct said {
	struct said *next;
	const struct words *words;
	const struct shape *shape;
	const struct shape *in;
};

static const struct shape *const *
any_in(const struct words *words, const struct shape *const *list)
{
	const struct shape **to;
	int n = 0;

	while (list[n] != NULL)
		n++;
	to = mem_zalloc(sizeof(struct shape *) * (size_t)(n + 1));
	for (int i = 0; i < n; i++)
		to[i] = shape_in(words, list[i]);
	return to;
}

const struct shape *
shape_in(const struct words *words, const struct shape *s)
{
	static struct said *made;
	struct field *fields;
	struct shape *in;
	struct said *t;

	if (words == NULL || s == NULL)
		return s;
	for (t = made; t != NULL; t = t->next)
		if (t->shape == s && t->words == words)
			return t->in;
	in = mem_zalloc(sizeof *in);
	*in = *s;
	t = mem_zalloc(sizeof *t);
	*t = (struct said){made, words, s, in};
	made = t;
	in->model = words_say(NULL, words, s->model);
	in->any = s->any ? any_in(words, s->any) : NULL;
	fields = mem_zalloc(sizeof *fields * (size_t)(s->n + 1));
	for (int i = 0; i < s->n; i++) {
		fields[i] = s->fields[i];
		fields[i].key = words_say(NULL, words, fields[i].key);
		fields[i].doc = words_say(NULL, words, fields[i].doc);
		fields[i].sub = shape_in(words, fields[i].sub);
	}
	in->fields = fields;
	if (in->model == s->model)	/* one model of one name */
		t->in = s;
	return t->in;
}
