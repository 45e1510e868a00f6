/* Records: SQL from the columns of a shape. What is made of a record, a verb and a set of columns is made once, with the schema left out. */
#include "record_priv.h"

#include <assert.h>
#include <stdio.h>

#include "core/map.h"
#include "model/project.h"

enum { KEY_MAX = 512, PARTS_MAX = 16 };

static const char own_schema[] = ":schema";

/* ---- columns ---- */

/* The name of the record's own column behind the alias; NULL: it is no column, or another table's. */
const char *
record_own(const struct record *rec, const struct field *f)
{
	size_t n = strlen(rec->alias);

	return f->column != NULL && strncmp(f->column, rec->alias, n) == 0 && f->column[n] == '.' ? f->column + n + 1 : NULL;
}

bool
record_is_number(const char *name)
{
	return strcmp(name, "internal") == 0;
}

const struct field *
record_field(const struct record *rec, struct str name)
{
	for (int i = 0; i < rec->shape->n; i++) {
		const char *own = record_own(rec, &rec->shape->fields[i]);

		if (own != NULL && str_is(name, own))
			return &rec->shape->fields[i];
	}
	return NULL;
}

static const char *
sql_type(enum field_type t)
{
	switch (t) {
	case F_STR:
	case F_ID:
	case F_ENUM:
	case F_DATA:
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

struct statement {
	int n;
	struct str part[PARTS_MAX];
};

static struct map *made;

void
record_put_where(struct buf *b, const struct record *rec, const char *sql)
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
	record_put_where(b, rec, where);
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
		while (rest.p != NULL && !(given = str_is(str_cut(&rest, ' '), record_own(rec, f))))
			n++;
		if (given)
			buf_printf(b, ", nullif($%d::text, '')", n);
		else
			buf_printf(b, ", nullif(%s, '')", f->column);
	}
	BUF_LIT(b, ")");
}

bool
record_searchable(const struct record *rec, const char *set)
{
	for (int i = 0; i < rec->shape->n; i++) {
		const struct field *f = &rec->shape->fields[i];
		struct str rest = set ? str_c(set) : STR_NONE;

		if (f->flags & COL_SEARCH && set == NULL)
			return true;
		while (f->flags & COL_SEARCH && rest.p != NULL)
			if (str_is(str_cut(&rest, ' '), record_own(rec, f)))
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
		const char *name = record_own(rec, &rec->shape->fields[i]);

		if (name == NULL || record_is_number(name))
			continue;
		n += (size_t)snprintf(text + n, size - n, "%s%s", n ? " " : "", name);
		assert(n < size);
	}
	return text;
}

static void
put_insert(struct buf *b, const struct record *rec)
{
	bool search = record_searchable(rec, NULL);
	char names[KEY_MAX];
	struct str rest;
	int n = 0;

	buf_printf(b, "INSERT INTO %s AS %s (", rec->table, rec->alias);
	for (const char *p = own_names(rec, names, sizeof names); *p != '\0'; p++)
		buf_c(b, *p == ' ' ? ", " : (char[]){*p, '\0'});
	buf_printf(b, "%s) SELECT ", search ? ", search" : "");
	rest = str_c(names);
	while (rest.p != NULL) {
		buf_printf(b, "%s$%d::%s", n ? ", " : "", n + 1, sql_type(record_field(rec, str_cut(&rest, ' '))->type));
		n++;
	}
	if (search) {
		BUF_LIT(b, ", ");
		put_search(b, rec, names, 1);
	}
	buf_printf(b, " RETURNING %s.internal", rec->alias);
}

bool
record_has_updated(const struct record *rec)
{
	return record_field(rec, STR("updated")) != NULL;
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
		const struct field *f = record_field(rec, name);

		assert(f != NULL);
		buf_printf(b, "%s%.*s = $%d::%s", n > first ? ", " : "", STR_FMT(name), n, sql_type(f->type));
		n++;
	}
	if (record_has_updated(rec))
		buf_printf(b, ", updated = $%d::timestamptz", n);
	if (record_searchable(rec, set)) {
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
	case VERB_COLUMNS:
		buf_c(b, shape_columns(rec->shape));
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

const char *
record_statement(struct ctx *cx, const struct project *p, const struct record *rec, enum verb verb, const char *where, const char *set)
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
