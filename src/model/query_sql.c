/* From the tree of queries to the conditions of one SQL statement with parameters; query_page.c makes the statement.
 *
 * Columns come from the list's table, values are always parameters. */
#include "query_priv.h"

#include "core/vtime.h"

enum { NULLS_REFUSED = 1007000 };	/* by servers since that version, where a cursor's row has one to order by */

int
query_param(struct query_plan *p, const char *v)
{
	if (p->n_v == p->cap_v) {
		int cap = p->cap_v ? p->cap_v * 2 : 16;
		const char **more = arena_array(p->cx->arena, const char *, cap);

		if (p->n_v)
			memcpy(more, p->v, sizeof *more * (size_t)p->n_v);
		p->v = more;
		p->cap_v = cap;
	}
	p->v[p->n_v++] = v;
	return p->n_v;
}

static bool
is_id(const struct query_attr *a)
{
	return strcmp(a->key, "$id") == 0;
}

static bool
is_sequence(const struct query_attr *a)
{
	return strcmp(a->key, QUERY_SEQUENCE) == 0;
}

const char *
query_column(struct query_plan *p, const struct query_attr *a)
{
	if (is_sequence(a))
		return p->l->seq;
	return is_id(a) ? arena_printf(p->cx->arena, "lower(%s)", p->l->id) : a->column;
}

/* The functions for words live in the schema of each project; lists of the platform borrow the console's. */
static const char *
schema_of(struct query_plan *p)
{
	const char *dot = strchr(p->l->from, '.');

	if (dot == NULL || strncmp(p->l->from, "p_", 2) != 0)
		return "p_0";
	return arena_printf(p->cx->arena, "%.*s", (int)(dot - p->l->from), p->l->from);
}

static const char *
cast_of(enum attr_type t)
{
	static const char *const casts[] = {"text", "bigint", "float8", "boolean", "timestamptz", "text"};

	return casts[t];
}

const char *
query_whole_cast(const struct query_attr *a)
{
	static const char *const lists[] = {"text[]", "bigint[]", "float8[]", "boolean[]", "timestamptz[]", "text[]"};

	return a->array ? lists[a->type] : cast_of(a->type);
}

static const char *
query_sql_float_text(struct arena *a, double f)
{
	return arena_printf(a, "%.17g", f);
}

static const char *
value_text(struct query_plan *p, const struct query_attr *a, const struct query_value *v)
{
	struct arena *mem = p->cx->arena;
	int64_t ms;

	switch (a->type) {
	case ATTR_STRING:
		return is_id(a) || a->lower ? str_dup(mem, str_lower(mem, v->s)) : v->s.p;
	case ATTR_INTEGER:
		return pg_i64(mem, v->i);
	case ATTR_FLOAT:
		return v->type == QV_INT ? pg_i64(mem, v->i) : query_sql_float_text(mem, v->f);
	case ATTR_BOOLEAN:
		return pg_bool(v->b);
	case ATTR_DATETIME:
		return time_parse(v->s, &ms) ? pg_time(mem, ms) : NULL;
	case ATTR_GEO:
		return v->s.p;
	}
	return NULL;
}

static int
param_of(struct query_plan *p, const struct query *q, int i)
{
	return query_param(p, value_text(p, q->on, &q->v[i]));
}

static int
param_array(struct query_plan *p, const struct query *q)
{
	const char **v = arena_array(p->cx->arena, const char *, q->n);

	for (int i = 0; i < q->n; i++)
		v[i] = value_text(p, q->on, &q->v[i]);
	return query_param(p, pg_array(p->cx->arena, v, q->n));
}

static void
sql_compare(struct query_plan *p, struct buf *b, const struct query *q, const char *op)
{
	const char *column = query_column(p, q->on), *cast = cast_of(q->on->type);

	if (q->n == 1)
		buf_printf(b, "%s %s $%d::%s", column, op, param_of(p, q, 0), cast);
	else	/* one parameter, however many values: a statement for each number would be one too many */
		buf_printf(b, "%s %s ANY ($%d::%s[])", column, op, param_array(p, q), cast);
}

static void
sql_between(struct query_plan *p, struct buf *b, const struct query *q)
{
	const char *cast = cast_of(q->on->type);
	int low = param_of(p, q, 0), high = param_of(p, q, 1);

	buf_printf(b, "%s %sBETWEEN $%d::%s AND $%d::%s", query_column(p, q->on), q->method == Q_NOT_BETWEEN ? "NOT " : "", low, cast, high,
	    cast);
}

/* The name of what this expression makes of each row. */
static const char *
once(struct query_plan *p, const char *sql)
{
	int i = 0;

	while (i < p->once.n && strcmp(p->once.v[i], sql) != 0)
		i++;
	if (i == p->once.n && (i & (i - 1)) == 0) {	/* full at 1, 2, 4, … */
		const char **more = arena_array(p->cx->arena, const char *, 2 * i + 1);

		for (int k = 0; k < i; k++)
			more[k] = p->once.v[k];
		p->once.v = more;
	}
	if (i == p->once.n)
		p->once.v[p->once.n++] = sql;
	return arena_printf(p->cx->arena, "_o%d", i);
}

/* OFFSET keeps the planner from putting the expressions where they are used, and that is once for each value. */
static const char *
sql_from(struct query_plan *p)
{
	struct buf b;

	if (p->once.n == 0)
		return p->l->from;
	buf_init(&b, p->cx->arena, 256);
	buf_printf(&b, "%s, LATERAL (SELECT ", p->l->from);
	for (int i = 0; i < p->once.n; i++)
		buf_printf(&b, "%s%s AS _o%d", i ? ", " : "", p->once.v[i], i);
	BUF_LIT(&b, " OFFSET 0) AS _once");
	return b.p;
}

/* Prefix, suffix and substring work on folded text, because the collation of text columns knows equality and order only. */
static const char *
folded(struct query_plan *p, const struct query *q)
{
	const char *text = arena_printf(p->cx->arena, "%s.fold(%s COLLATE \"C\")", schema_of(p), query_column(p, q->on));

	return q->on->via != NULL ? text : once(p, text);	/* a related record is not beside the row: it is in a sub-query */
}

/* A value folded, once for the statement. */
static const char *
folded_value(struct query_plan *p, const struct query *q)
{
	return arena_printf(p->cx->arena, "(SELECT %s.fold($%d::text))", schema_of(p), param_of(p, q, 0));
}

static void
sql_affix(struct query_plan *p, struct buf *b, const struct query *q)
{
	const char *text = folded(p, q), *value = folded_value(p, q);

	if (q->method == Q_NOT_STARTS || q->method == Q_NOT_ENDS)
		BUF_LIT(b, "NOT ");
	if (q->method == Q_STARTS || q->method == Q_NOT_STARTS)
		buf_printf(b, "starts_with(%s, %s)", text, value);
	else
		buf_printf(b, "right(%s, length(%s)) = %s", text, value, value);
}

static void
sql_elements(struct query_plan *p, struct buf *b, const struct query *q)
{
	const char *op = q->method == Q_CONTAINS_ALL ? "@>" : "&&", *cast = cast_of(q->on->type);
	int n = param_array(p, q);

	buf_printf(b, "(%s %s $%d::%s[]", q->on->column, op, n, cast);
	/* An index may hold the hashes of elements that are too long for it; none serves what they do not contain. Without the index they are made last:
	 * that takes a hundred times longer than to compare. */
	if (q->on->hashes != NULL && q->method != Q_NOT_CONTAINS)
		buf_printf(b, " AND %s %s %s.hashes($%d::text[])", q->on->hashes, op, schema_of(p), n);
	buf_ch(b, ')');
}

static const char *
folded_values(struct query_plan *p, const struct query *q)
{
	return arena_printf(p->cx->arena, "unnest((SELECT array_agg(DISTINCT %s.fold(v)) FROM unnest($%d::text[]) AS v)) AS v", schema_of(p), param_array(p, q));
}

/* The text is folded once for all values. */
static void
sql_contains_related(struct query_plan *p, struct buf *b, const struct query *q, const char *text)
{
	if (q->method == Q_NOT_CONTAINS)
		buf_printf(b, "%s IS NOT NULL AND NOT ", query_column(p, q->on));
	buf_printf(b, "EXISTS (SELECT FROM (SELECT %s AS t OFFSET 0) AS f, %s WHERE strpos(t, v) > 0)", text, folded_values(p, q));
}

/* null holds nothing, yet nothing but isNull finds it */
static void
sql_contains(struct query_plan *p, struct buf *b, const struct query *q)
{
	const char *text = q->on->array ? NULL : folded(p, q);

	if (q->on->via != NULL && !q->on->array && q->n > 1) {
		sql_contains_related(p, b, q, text);
		return;
	}
	if (q->method == Q_NOT_CONTAINS)
		buf_printf(b, "%s IS NOT NULL AND NOT ", q->on->array ? q->on->column : text);
	if (q->on->array)
		sql_elements(p, b, q);
	else if (q->n == 1)
		buf_printf(b, "strpos(%s, %s) > 0", text, folded_value(p, q));
	else
		buf_printf(b, "EXISTS (SELECT FROM %s WHERE strpos(%s, v) > 0)", folded_values(p, q), text);
}

static struct str
despaced(struct query_plan *p, struct str s, const char *drop)
{
	char *c = arena_memdup(p->cx->arena, s.p, s.n);

	for (size_t i = 0; i < s.n; i++)
		if (strchr(drop, c[i]) != NULL)
			c[i] = ' ';
	return str_trim((struct str){c, s.n});
}

/* What the text of a search becomes: operators turn into blanks; later servers know a phrase only as the whole text. */
static struct str
cleaned(struct query_plan *p, struct str s, bool later)
{
	struct str w = despaced(p, s, "@+-*()<>~");
	bool phrase = w.n >= 2 && w.p[0] == '"' && w.p[w.n - 1] == '"';

	return later && !phrase ? despaced(p, w, "\"") : w;
}

static const char *
query_sql_wanted(struct query_plan *p, struct str s, bool later)
{
	struct arena *mem = p->cx->arena;
	struct str text = cleaned(p, s, later);
	const char *query = query_wanted(mem, text);

	/* a rare word is looked up and its rows sorted, a common one met soon on any walk */
	p->begin = DB_PLAN_ANEW;
	if (query != NULL)
		return arena_printf(mem, "$%d::tsquery", query_param(p, query));
	return arena_printf(mem, "%s.wanted($%d::text)", schema_of(p), query_param(p, str_dup(mem, text)));
}

static void
sql_search(struct query_plan *p, struct buf *b, const struct query *q)
{
	const struct query_index *x = query_fulltext(p->l, q->attr);
	const char *schema = schema_of(p), *column = query_column(p, q->on), *words;

	/* a composite fulltext index that holds the attribute serves the column's own words without the index */
	if (x != NULL || q->on->words != NULL)
		words = x != NULL ? x->words : q->on->words;
	else if (q->on->array)
		words = arena_printf(p->cx->arena, "%s.words(%s.flat(%s))", schema, schema, column);
	else
		words = arena_printf(p->cx->arena, "%s.words(%s)", schema, column);
	if (q->on->via == NULL && (x == NULL || q->method == Q_NOT_SEARCH))	/* no index finds it */
		words = once(p, words);
	if (q->method == Q_NOT_SEARCH)	/* null has no words, yet nothing but isNull finds it */
		buf_printf(b, "%s IS NOT NULL AND NOT ", column);
	buf_printf(b, "%s @@ ", words);
	for (int i = 0; i < q->n; i++)
		buf_printf(b, "%s%s", i ? " || " : q->n > 1 ? "(" : "", query_sql_wanted(p, q->v[i].s, q->later));
	if (q->n > 1)
		buf_ch(b, ')');
}

static void sql_all(struct query_plan *p, struct buf *b, const struct query *q, int n, const char *glue);
static void sql_filter(struct query_plan *p, struct buf *b, const struct query *q);

static void
sql_logic(struct query_plan *p, struct buf *b, const struct query *q)
{
	buf_ch(b, '(');
	if (q->method == Q_AND)
		sql_all(p, b, q->sub, q->n_sub, "");
	for (int i = 0; i < q->n_sub && q->method == Q_OR; i++) {
		buf_c(b, i ? " OR " : "");
		sql_filter(p, b, &q->sub[i]);
	}
	buf_ch(b, ')');
}

static void
sql_own(struct query_plan *p, struct buf *b, const struct query *q)
{
	if (q->on != NULL && q->on->type == ATTR_GEO && query_geo_sql(p, b, q))
		return;
	/* the text grammar of 1.0 compares a whole array with a value: it never equals one */
	if (q->on != NULL && q->on->array && !q->later && q->method != Q_SEARCH) {
		buf_printf(b, q->method == Q_NOT_EQUAL ? "%s IS NOT NULL" : "false", q->on->column);
		return;
	}
	switch (q->method) {
	case Q_EQUAL:
		sql_compare(p, b, q, "=");
		break;
	case Q_NOT_EQUAL:
		sql_compare(p, b, q, "<>");
		break;
	case Q_LESS:
		sql_compare(p, b, q, "<");
		break;
	case Q_LESS_EQUAL:
		sql_compare(p, b, q, "<=");
		break;
	case Q_GREATER:
		sql_compare(p, b, q, ">");
		break;
	case Q_GREATER_EQUAL:
		sql_compare(p, b, q, ">=");
		break;
	case Q_BETWEEN:
	case Q_NOT_BETWEEN:
		sql_between(p, b, q);
		break;
	case Q_IS_NULL:
		buf_printf(b, "%s IS NULL", query_column(p, q->on));
		break;
	case Q_IS_NOT_NULL:
		buf_printf(b, "%s IS NOT NULL", query_column(p, q->on));
		break;
	case Q_STARTS:
	case Q_NOT_STARTS:
	case Q_ENDS:
	case Q_NOT_ENDS:
		sql_affix(p, b, q);
		break;
	case Q_CONTAINS:
	case Q_CONTAINS_ANY:
	case Q_CONTAINS_ALL:
	case Q_NOT_CONTAINS:
		sql_contains(p, b, q);
		break;
	case Q_SEARCH:
	case Q_NOT_SEARCH:
		sql_search(p, b, q);
		break;
	case Q_AND:
	case Q_OR:
		sql_logic(p, b, q);
		break;
	default:
		BUF_LIT(b, "true");
	}
}

/* ---- filters on related records ---- */

/* The begin of the condition, up to what is asked of the record. */
static void
sql_via(struct query_plan *p, struct buf *b, const struct query_via *via)
{
	p->related++;
	if (via->of != NULL) {
		sql_via(p, b, via->of);
		BUF_LIT(b, " AND ");
	}
	buf_c(b, via->begin);
	if (via->none)
		BUF_LIT(b, "false");
	else if (via->roles != NULL)
		buf_printf(b, "_read && $%d::text[]", query_param(p, via->roles));
	else
		BUF_LIT(b, "true");
}

static void
sql_via_end(struct buf *b, const struct query_via *via)
{
	for (; via != NULL; via = via->of)
		buf_ch(b, ')');
}

/* For each value a record of its own: as many that differ as there are values that differ. */
static void
sql_each(struct query_plan *p, struct buf *b, const struct query *q)
{
	const char *column = query_column(p, q->on), *cast = cast_of(q->on->type);
	const char *collation = q->on->type == ATTR_STRING && !q->on->lower ? arena_printf(p->cx->arena, " COLLATE %s.ci", schema_of(p)) : "";
	int n = param_array(p, q);

	sql_via(p, b, q->on->via);
	buf_printf(b, " AND %s = ANY ($%d::%s[]) GROUP BY 1 HAVING count(DISTINCT %s) = (SELECT count(DISTINCT v%s) FROM unnest($%d::%s[]) AS v)", column, n, cast, column,
	    collation, n, cast);
	sql_via_end(b, q->on->via);
}

/* That there is none is asked of all records, and so by a sub-query of its own. */
static bool
is_none(const struct query *q)
{
	return q->on->link && q->method == Q_IS_NULL;
}

/* There is a record, and it fulfils all of them. */
static void
sql_related(struct query_plan *p, struct buf *b, const struct query *const *q, int n)
{
	bool none = is_none(q[0]);

	if (none)
		BUF_LIT(b, "NOT ");
	sql_via(p, b, q[0]->on->via);
	for (int i = 0; i < n && !none; i++) {
		BUF_LIT(b, " AND ");
		sql_own(p, b, q[i]);
	}
	sql_via_end(b, q[0]->on->via);
}

static void
sql_filter(struct query_plan *p, struct buf *b, const struct query *q)
{
	if (q->on == NULL || q->on->via == NULL)
		sql_own(p, b, q);
	else if (q->method == Q_CONTAINS_ALL && !q->on->array)
		sql_each(p, b, q);
	else
		sql_related(p, b, &q, 1);
}

static bool
goes_alone(const struct query *q)
{
	return q->on == NULL || q->on->via == NULL || (q->method == Q_CONTAINS_ALL && !q->on->array) || is_none(q);
}

static bool
goes_with(const struct query *a, const struct query *b)
{
	return !goes_alone(a) && !goes_alone(b) && b->on->via == a->on->via;
}

/* All of the filters, those of one relationship together; `glue` is before the first. */
static void
sql_all(struct query_plan *p, struct buf *b, const struct query *q, int n, const char *glue)
{
	const struct query **group = arena_array(p->cx->arena, const struct query *, n + 1);
	bool *done = arena_array(p->cx->arena, bool, n + 1);

	for (int i = 0; i < n; i++) {
		enum query_kind kind = query_methods[q[i].method].kind;
		int k = 0;

		if ((kind != QK_FILTER && kind != QK_LOGIC) || done[i])
			continue;
		for (int j = i; j < n; j++)
			if (goes_with(&q[i], &q[j])) {
				group[k++] = &q[j];
				done[j] = true;
			}
		buf_c(b, glue);
		if (k > 0)
			sql_related(p, b, group, k);
		else
			sql_filter(p, b, &q[i]);
		glue = " AND ";
	}
}

/* ---- what the queries ask for ---- */

/* A second order by the same attribute decides nothing. */
static bool
ordered_by(const struct query_plan *p, const struct query_attr *a)
{
	for (int i = 0; i < p->n_orders; i++)
		if (p->orders[i]->on == a)
			return true;
	return false;
}

/* Several selects ask for what any of them names. */
static void
select_more(struct query_plan *p, const struct query *q)
{
	const char **v = arena_array(p->cx->arena, const char *, p->select.n + q->n + 1);

	for (int i = 0; i < p->select.n; i++)
		v[i] = p->select.v[i];
	for (int i = 0; i < q->n; i++)
		v[p->select.n++] = q->v[i].s.p;
	p->select.v = v;
	p->select.set = true;
}

static void
query_sql_take(struct query_plan *p, const struct query *q)
{
	static const int orders_max = (int)(sizeof p->orders / sizeof p->orders[0]);

	switch (query_methods[q->method].kind) {
	case QK_ORDER:
		if (q->method == Q_ORDER_RANDOM) {
			p->random = true;
		} else if (q->on == NULL) {
			p->natural_desc = p->natural_desc || q->method == Q_ORDER_DESC;
		} else if (p->n_orders < orders_max && !ordered_by(p, q->on)) {
			p->orders[p->n_orders++] = q;
			p->by_id = p->by_id || is_id(q->on) || is_sequence(q->on);
		}
		break;
	case QK_LIMIT:
		if (p->limit < 0)
			p->limit = q->v[0].i;
		break;
	case QK_OFFSET:
		if (p->offset < 0)
			p->offset = q->v[0].i;
		break;
	case QK_CURSOR:
		if (p->cursor == NULL) {
			p->cursor = q->v[0].s.p;
			p->before = q->method == Q_CURSOR_BEFORE;
			p->cursor_later = q->json && (p->cx->format == 0 || p->cx->format >= NULLS_REFUSED);
		}
		break;
	case QK_SELECT:
		select_more(p, q);
		break;
	case QK_FILTER:
	case QK_LOGIC:
		break;
	}
}

static void
sql_where(struct query_plan *p)
{
	const char *glue = " WHERE ";
	struct buf b;

	buf_init(&b, p->cx->arena, 256);
	if (p->l->where != NULL) {
		buf_printf(&b, "%s(%s)", glue, p->l->where);
		glue = " AND ";
	}
	sql_all(p, &b, p->q, p->n, glue);
	glue = b.n > 0 ? " AND " : glue;
	if (p->search != NULL && *p->search && p->l->search != NULL)
		buf_printf(&b, "%s%s.words(%s) @@ %s", glue, schema_of(p), p->l->search, query_sql_wanted(p, str_c(p->search), false));
	p->where = buf_view(&b);
	p->from = sql_from(p);
}

void
query_plan_init(struct query_plan *p, struct ctx *cx, const struct query_list *l, const struct query *q, int n, const char *search)
{
	*p = (struct query_plan){.l = l, .cx = cx, .q = q, .n = n, .search = search, .begin = "", .limit = -1, .offset = -1};
	p->total.how = cx->uncounted ? TOTAL_NONE : TOTAL_COUNT;
	p->natural_desc = l->flags & QUERY_ONLY_PAGE;
	for (int i = 0; i < l->n; i++)
		query_param(p, l->v[i]);
	for (int i = 0; i < n; i++)
		query_sql_take(p, &q[i]);
	if (p->limit < 0)
		p->limit = l->flags & QUERY_ONLY_PAGE ? QUERY_LOG_LIMIT : l->page ? l->page : QUERY_DEFAULT_LIMIT;
	if (p->offset < 0)
		p->offset = 0;
	sql_where(p);
}
