/* Records: SQL from the columns of a shape. What is made of a record, a verb and a set of columns is made once, with the schema left out. */
#include "model/record.h"

#include <assert.h>
#include <stdio.h>

#include "core/id.h"
#include "core/map.h"
#include "core/vtime.h"
#include "model/project.h"
#include "model/seal.h"

enum { KEY_MAX = 512, PARTS_MAX = 8, OWN_MAX = 40 };

static const char own_schema[] = ":schema";

/* ---- columns ---- */

/* The name of the record's own column behind the alias; NULL: it is no column, or another table's. */
static const char *
own_name(const struct record *rec, const struct field *f)
{
	size_t n = strlen(rec->alias);

	return f->column != NULL && strncmp(f->column, rec->alias, n) == 0 && f->column[n] == '.' ? f->column + n + 1 : NULL;
}

static bool
is_number(const char *name)
{
	return strcmp(name, "internal") == 0;
}

static const struct field *
own_field(const struct record *rec, struct str name)
{
	for (int i = 0; i < rec->shape->n; i++) {
		const char *own = own_name(rec, &rec->shape->fields[i]);

		if (own != NULL && str_is(name, own))
			return &rec->shape->fields[i];
	}
	return NULL;
}

static void *
record_member(const void *obj, const struct field *f)
{
	return (char *)(uintptr_t)obj + f->off;
}

static const char *
sql_type(enum field_type t)
{
	switch (t) {
	case F_STR:
	case F_ID:
	case F_ENUM:
	case F_JSON:
		return "text";
	case F_TIME:
	case F_TIME_OR_NONE:
		return "timestamptz";
	case F_BOOL:
		return "boolean";
	case F_INT:
		return "bigint";
	case F_FLOAT:
		return "double precision";
	case F_STRS:
		return "text[]";
	case F_LIST:
	case F_CONST:
		break;
	}
	assert(!"not a column");
	return NULL;
}

static const char *
text_value(struct arena *a, const struct field *f, const char *s)
{
	if (s == NULL)
		return f->flags & COL_NULL ? NULL : "";
	return f->flags & COL_SEALED && s[0] != '\0' ? seal_text(a, s) : s;
}

/* The parameter that stores a member. */
static const char *
value(struct arena *a, const struct field *f, const void *obj)
{
	const void *at = record_member(obj, f);

	switch (f->type) {
	case F_STR:
	case F_ID:
	case F_ENUM:
		return text_value(a, f, *(const char *const *)at);
	case F_JSON:
		return ((const struct str *)at)->p ? ((const struct str *)at)->p : "{}";
	case F_TIME:
	case F_TIME_OR_NONE:
		return pg_time(a, *(const int64_t *)at);
	case F_BOOL:
		return pg_bool(*(const bool *)at);
	case F_INT:
		return pg_i64(a, *(const int64_t *)at);
	case F_FLOAT:
		return arena_printf(a, "%.17g", *(const double *)at);
	case F_STRS:
		return pg_array(a, ((const struct strs *)at)->v, ((const struct strs *)at)->n);
	case F_LIST:
	case F_CONST:
		break;
	}
	assert(!"not a column");
	return NULL;
}

const struct query_attr *
shape_asked(const struct shape *s, int *n_out)
{
	static const enum attr_type types[] = {[F_STR] = ATTR_STRING, [F_ID] = ATTR_STRING, [F_ENUM] = ATTR_STRING, [F_TIME] = ATTR_DATETIME,
		[F_TIME_OR_NONE] = ATTR_DATETIME, [F_BOOL] = ATTR_BOOLEAN, [F_INT] = ATTR_INTEGER,
		[F_FLOAT] = ATTR_FLOAT, [F_STRS] = ATTR_STRING};
	struct asked {
		struct asked *next;
		const struct shape *shape;
		int n;
		struct query_attr v[];
	};
	static struct asked *made;
	struct asked *m = made;

	while (m != NULL && m->shape != s)
		m = m->next;
	if (m == NULL) {
		m = mem_zalloc(sizeof *m + sizeof *m->v * (size_t)s->n);
		m->shape = s;
		m->next = made;
		made = m;
		for (int i = 0; i < s->n; i++) {
			const struct field *f = &s->fields[i];
			bool lower = f->flags & COL_LOWER;
			char *column = NULL;

			if (!(f->flags & COL_ASKED))
				continue;
			if (lower && asprintf(&column, "lower(%s)", f->column) < 0)
				mem_fatal(strlen(f->column));
			m->v[m->n++] = (struct query_attr){.key = f->key, .column = lower ? column : f->column, .type = types[f->type],
				.array = f->type == F_STRS, .not_null = !(f->flags & COL_NULL), .lower = lower};
		}
	}
	*n_out = m->n;
	return m->v;
}

/* ---- statements: made once, cut where the schema goes ---- */

enum verb { VERB_GET, VERB_ALL, VERB_LOCK, VERB_LOCK_KEY, VERB_INSERT, VERB_SET, VERB_DELETE, VERB_FROM };

struct statement {
	int n;
	struct str part[PARTS_MAX];
};

static struct map *made;

/* SQL with "@." as the alias. */
static void
put_aliased(struct buf *b, const struct record *rec, const char *sql)
{
	for (const char *at; (at = strstr(sql, "@.")) != NULL; sql = at + 1) {
		buf_str(b, (struct str){sql, (size_t)(at - sql)});
		buf_c(b, rec->alias);
	}
	buf_c(b, sql);
}

static void
put_where(struct buf *b, const struct record *rec, const char *where)
{
	BUF_LIT(b, " WHERE ");
	if (rec->on != NULL)
		buf_printf(b, "%s AND ", rec->on);
	put_aliased(b, rec, where);
}

static void
put_from(struct buf *b, const struct record *rec)
{
	buf_printf(b, "%s %s%s%s", rec->table, rec->alias, rec->with ? ", " : "", rec->with ? rec->with : "");
}

static void
put_select(struct buf *b, const struct record *rec, const char *where)
{
	buf_printf(b, "SELECT %s FROM ", shape_columns(rec->shape));
	put_from(b, rec);
	put_where(b, rec, where);
}

/* What searches look at: the parts that there are. Those of `set` have their parameters from $first on, the others are read from the row. */
static void
put_search(struct buf *b, const struct record *rec, const char *set, int first)
{
	BUF_LIT(b, "concat_ws(' '");
	for (int i = 0; i < rec->shape->n; i++) {
		const struct field *f = &rec->shape->fields[i];
		struct str rest = set ? str_c(set) : STR_NONE;
		int n = first;
		bool given = false;

		if (!(f->flags & COL_SEARCH))
			continue;
		while (rest.p != NULL && !(given = str_is(str_cut(&rest, ' '), own_name(rec, f))))
			n++;
		if (given)
			buf_printf(b, ", nullif($%d::text, '')", n);
		else
			buf_printf(b, ", nullif(%s, '')", f->column);
	}
	BUF_LIT(b, ")");
}

static bool
searchable(const struct record *rec, const char *set)
{
	for (int i = 0; i < rec->shape->n; i++) {
		const struct field *f = &rec->shape->fields[i];
		struct str rest = set ? str_c(set) : STR_NONE;

		if (f->flags & COL_SEARCH && set == NULL)
			return true;
		while (f->flags & COL_SEARCH && rest.p != NULL)
			if (str_is(str_cut(&rest, ' '), own_name(rec, f)))
				return true;
	}
	return false;
}

/* The names of the own columns, in order, as `set` takes them. */
static const char *
own_names(const struct record *rec, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (int i = 0; i < rec->shape->n; i++) {
		const char *name = own_name(rec, &rec->shape->fields[i]);

		if (name == NULL || is_number(name))
			continue;
		n += (size_t)snprintf(text + n, size - n, "%s%s", n ? " " : "", name);
		assert(n < size);
	}
	return text;
}

static void
put_insert(struct buf *b, const struct record *rec)
{
	bool search = searchable(rec, NULL);
	char names[KEY_MAX];
	struct str rest;
	int n = 0;

	buf_printf(b, "INSERT INTO %s AS %s (", rec->table, rec->alias);
	for (const char *p = own_names(rec, names, sizeof names); *p != '\0'; p++)
		buf_c(b, *p == ' ' ? ", " : (char[]){*p, '\0'});
	buf_printf(b, "%s) SELECT ", search ? ", search" : "");
	rest = str_c(names);
	while (rest.p != NULL) {
		buf_printf(b, "%s$%d::%s", n ? ", " : "", n + 1, sql_type(own_field(rec, str_cut(&rest, ' '))->type));
		n++;
	}
	if (search) {
		BUF_LIT(b, ", ");
		put_search(b, rec, names, 1);
	}
	buf_printf(b, " RETURNING %s.internal", rec->alias);
}

static bool
has_updated(const struct record *rec)
{
	return own_field(rec, STR("updated")) != NULL;
}

static int
count_params(const char *where)
{
	int n = 0;

	for (; *where != '\0'; where++)
		if (where[0] == '$' && where[1] - '0' > n)
			n = where[1] - '0';
	return n;
}

static void
put_set(struct buf *b, const struct record *rec, const char *where, const char *set)
{
	struct str rest = str_c(set);
	int first = count_params(where) + 1, n = first;

	buf_printf(b, "UPDATE %s AS %s SET ", rec->table, rec->alias);
	while (rest.p != NULL) {
		struct str name = str_cut(&rest, ' ');
		const struct field *f = own_field(rec, name);

		assert(f != NULL);
		buf_printf(b, "%s%.*s = $%d::%s", n > first ? ", " : "", STR_FMT(name), n, sql_type(f->type));
		n++;
	}
	if (has_updated(rec))
		buf_printf(b, ", updated = $%d::timestamptz", n);
	if (searchable(rec, set)) {
		BUF_LIT(b, ", search = ");
		put_search(b, rec, set, first);
	}
	if (rec->with != NULL)
		buf_printf(b, " FROM %s", rec->with);
	put_where(b, rec, where);
	buf_printf(b, " RETURNING %s", shape_columns(rec->shape));
}

static void
put_delete(struct buf *b, const struct record *rec, const char *where)
{
	buf_printf(b, "DELETE FROM %s AS %s", rec->table, rec->alias);
	if (rec->with != NULL)
		buf_printf(b, " USING %s", rec->with);
	put_where(b, rec, where);
	buf_printf(b, " RETURNING %s", shape_columns(rec->shape));
}

static void
put_statement(struct buf *b, const struct record *rec, enum verb verb, const char *where, const char *set)
{
	switch (verb) {
	case VERB_GET:
		put_select(b, rec, where);
		return;
	case VERB_ALL:
		put_select(b, rec, where);
		buf_printf(b, " ORDER BY %s.internal LIMIT ", rec->alias);
		return;
	case VERB_LOCK:
	case VERB_LOCK_KEY:
		put_select(b, rec, where);
		buf_printf(b, " FOR %sUPDATE OF %s", verb == VERB_LOCK ? "NO KEY " : "", rec->alias);
		return;
	case VERB_INSERT:
		put_insert(b, rec);
		return;
	case VERB_SET:
		put_set(b, rec, where, set);
		return;
	case VERB_DELETE:
		put_delete(b, rec, where);
		return;
	case VERB_FROM:
		put_from(b, rec);
		return;
	}
}

static struct statement *
statement_new(const struct record *rec, enum verb verb, const char *where, const char *set)
{
	struct statement *s = mem_zalloc(sizeof *s);
	struct buf b;
	char *at, *text;

	buf_init(&b, NULL, 512);
	put_statement(&b, rec, verb, where, set);
	text = b.p;	/* kept */
	while ((at = strstr(text, own_schema)) != NULL) {
		assert(s->n < PARTS_MAX - 1);
		s->part[s->n++] = (struct str){text, (size_t)(at - text)};
		text = at + sizeof own_schema - 1;
	}
	s->part[s->n++] = str_c(text);
	return s;
}

static const char *
statement(struct ctx *cx, const struct project *p, const struct record *rec, enum verb verb, const char *where, const char *set)
{
	char key[KEY_MAX];
	int n = snprintf(key, sizeof key, "%p %d %s|%s", (const void *)rec, verb, where ? where : "", set ? set : "");
	struct str k = {key, (size_t)n};
	struct statement *s;
	struct buf b;

	assert(n < KEY_MAX);
	if (made == NULL)
		made = map_new();
	if ((s = map_get(made, k)) == NULL) {
		s = statement_new(rec, verb, where, set);
		(void)map_set(made, k, s);
	}
	buf_init(&b, cx->arena, 768);
	for (int i = 0; i < s->n; i++) {
		if (i > 0)
			buf_c(&b, p->schema);
		buf_str(&b, s->part[i]);
	}
	return buf_view(&b).p;
}

/* ---- rows ---- */

struct rows
rows_internal(struct ctx *cx, int64_t internal)
{
	return (struct rows){"@.internal = $1::bigint", 1, {pg_i64(cx->arena, internal)}};
}

struct rows
rows_id(const char *id)
{
	return (struct rows){"lower(@.id) = lower($1)", 1, {id}};
}

static err_t
take_one(struct ctx *cx, const struct record *rec, const struct rows *w, const struct db_res *r, void *out)
{
	if (db_rows(r) == 0)
		return fail(cx, rec->missing, "%s: %s", w->where, w->v[w->n - 1]);
	memset(out, 0, rec->shape->size);
	shape_read(cx, rec->shape, out, r, 0, 0);
	return OK;
}

err_t
record_get(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, void *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, statement(cx, p, rec, VERB_GET, w.where, NULL), w.n, w.v));
	return take_one(cx, rec, &w, r, out);
}

err_t
record_all(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, int max, struct objs *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "%s%d", statement(cx, p, rec, VERB_ALL, w.where, NULL), max), w.n, w.v));
	*out = shape_rows(cx, rec->shape, r);
	return OK;
}

err_t
record_list(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, unsigned flags, const struct strs *queries,
    const char *search, struct query_page *out)
{
	struct arena *a = cx->arena;
	struct query_list l = {.entity = rec->entity, .from = statement(cx, p, rec, VERB_FROM, NULL, NULL), .n = w.n, .v = w.v,
		.seq = arena_printf(a, "%s.internal", rec->alias), .id = arena_printf(a, "%s.id", rec->alias), .width = rec->width,
		.width_max = rec->width_max, .flags = flags};
	struct buf b;

	l.attrs = shape_asked(rec->shape, &l.n_attrs);
	if (searchable(rec, NULL))
		l.search = arena_printf(a, "%s.search", rec->alias);
	buf_init(&b, a, 128);
	if (w.where != NULL)
		put_aliased(&b, rec, w.where);
	l.where = w.where && rec->on ? arena_printf(a, "%s AND %s", rec->on, buf_view(&b).p) : w.where ? buf_view(&b).p : rec->on;
	return query_list(cx, &l, rec->shape, queries, search, out);
}

static err_t
one_within(struct db_tx *tx, const struct project *p, const struct record *rec, enum verb verb, const struct rows *w, void *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, statement(cx, p, rec, verb, w->where, NULL), w->n, w->v));
	return take_one(cx, rec, w, r, out);
}

err_t
record_lock(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out)
{
	return one_within(tx, p, rec, VERB_LOCK, &w, out);
}

err_t
record_lock_key(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out)
{
	return one_within(tx, p, rec, VERB_LOCK_KEY, &w, out);
}

err_t
record_delete(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out)
{
	return one_within(tx, p, rec, VERB_DELETE, &w, out);
}

err_t
record_set(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, const char *set, const void *values, void *out)
{
	const char *v[sizeof w.v / sizeof *w.v + OWN_MAX];
	struct ctx *cx = tx_ctx(tx);
	struct str rest = str_c(set);
	struct db_res *r;
	int n = w.n;

	memcpy(v, w.v, sizeof *v * (size_t)n);
	while (rest.p != NULL) {
		assert(n < OWN_MAX);
		v[n++] = value(cx->arena, own_field(rec, str_cut(&rest, ' ')), values);
	}
	if (has_updated(rec))
		v[n++] = pg_time(cx->arena, time_now_ms());
	TRY(tx_query(tx, &r, statement(cx, p, rec, VERB_SET, w.where, set), n, v));
	return take_one(cx, rec, &w, r, out);
}

/* ---- new rows ---- */

void
record_init(struct ctx *cx, const struct record *rec, void *obj)
{
	const struct field *id = own_field(rec, STR("id")), *created = own_field(rec, STR("created")), *updated = own_field(rec, STR("updated"));
	const char **text = record_member(obj, id);
	int64_t now = time_now_ms();

	if (*text == NULL)
		*text = id_unique(cx->arena);
	if (created != NULL)
		*(int64_t *)record_member(obj, created) = now;
	if (updated != NULL)
		*(int64_t *)record_member(obj, updated) = now;
}

static int
own_values(struct ctx *cx, const struct record *rec, const void *obj, const char **v)
{
	int n = 0;

	for (int i = 0; i < rec->shape->n; i++) {
		const struct field *f = &rec->shape->fields[i];
		const char *name = own_name(rec, f);

		if (name == NULL || is_number(name))
			continue;
		assert(n < OWN_MAX);
		v[n++] = value(cx->arena, f, obj);
	}
	return n;
}

static err_t
inserted(struct ctx *cx, const struct record *rec, void *obj, err_t e, const struct db_res *r)
{
	const struct field *number = own_field(rec, STR("internal"));

	if (e == ERR_DB_UNIQUE)
		return fail(cx, rec->taken, "%s", db_constraint(cx));
	TRY(e);
	if (number != NULL)
		*(int64_t *)record_member(obj, number) = db_i64(r, 0, 0);
	return OK;
}

err_t
record_insert(struct db_tx *tx, const struct project *p, const struct record *rec, void *obj)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r = NULL;
	const char *v[OWN_MAX];
	int n = own_values(cx, rec, obj, v);
	err_t e = tx_query(tx, &r, statement(cx, p, rec, VERB_INSERT, NULL, NULL), n, v);

	return inserted(cx, rec, obj, e, r);
}

err_t
record_add(struct ctx *cx, const struct project *p, const struct record *rec, void *obj, const struct event *ev)
{
	struct db_res *r = NULL;
	const char *v[OWN_MAX];
	int n = own_values(cx, rec, obj, v);
	err_t e = event_write(cx, ev, &r, statement(cx, p, rec, VERB_INSERT, NULL, NULL), n, v);

	return inserted(cx, rec, obj, e, r);
}

/* ---- events ---- */

struct event
record_event(struct ctx *cx, const struct project *p, const struct record *rec, const struct event_info *kind, const char *actor, const void *obj)
{
	struct event ev = {.kind = kind, .project = p->id, .payload = shape_json(cx, rec->shape, obj), .actor = actor};

	rec->concerns(cx, p, obj, &ev);
	return ev;
}

void
record_emit(struct db_tx *tx, const struct project *p, const struct record *rec, const struct event_info *kind, const char *actor, const void *obj)
{
	struct event ev = record_event(tx_ctx(tx), p, rec, kind, actor, obj);

	event_emit(tx, &ev);
}
