/* From the tree of queries to one SQL statement with parameters.
 *
 * Columns come from the list's table, values are always parameters. NULLs are the smallest values of every order: first when it
 * ascends, last when it descends; a cursor compares with that in mind over all orders and the creation number at the end. */
#include "query_priv.h"

#include "core/vtime.h"

static int
param(struct query_plan *p, const char *v)
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

/* The column of an attribute; ids compare without regard to case. */
static const char *
column(struct query_plan *p, const struct query_attr *a)
{
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
	static const char *const casts[] = {"text", "bigint", "float8", "boolean", "timestamptz"};

	return casts[t];
}

/* What a value of the whole attribute is cast to. */
static const char *
whole_cast(const struct query_attr *a)
{
	static const char *const lists[] = {"text[]", "bigint[]", "float8[]", "boolean[]", "timestamptz[]"};

	return a->array ? lists[a->type] : cast_of(a->type);
}

static const char *
float_text(struct arena *a, double f)
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
		return is_id(a) ? str_dup(mem, str_lower(mem, v->s)) : v->s.p;
	case ATTR_INTEGER:
		return pg_i64(mem, v->i);
	case ATTR_FLOAT:
		return v->type == QV_INT ? pg_i64(mem, v->i) : float_text(mem, v->f);
	case ATTR_BOOLEAN:
		return pg_bool(v->b);
	case ATTR_DATETIME:
		return time_parse(v->s, &ms) ? pg_time(mem, ms) : NULL;
	}
	return NULL;
}

static int
param_of(struct query_plan *p, const struct query *q, int i)
{
	return param(p, value_text(p, q->on, &q->v[i]));
}

static int
param_array(struct query_plan *p, const struct query *q)
{
	const char **v = arena_array(p->cx->arena, const char *, q->n);

	for (int i = 0; i < q->n; i++)
		v[i] = value_text(p, q->on, &q->v[i]);
	return param(p, pg_array(p->cx->arena, v, q->n));
}

static void
sql_compare(struct query_plan *p, struct buf *b, const struct query *q, const char *op)
{
	buf_ch(b, '(');
	for (int i = 0; i < q->n; i++)
		buf_printf(b, "%s%s %s $%d::%s", i ? " OR " : "", column(p, q->on), op, param_of(p, q, i), cast_of(q->on->type));
	buf_ch(b, ')');
}

static void
sql_equal(struct query_plan *p, struct buf *b, const struct query *q)
{
	if (q->n == 1)
		sql_compare(p, b, q, "=");
	else
		buf_printf(b, "%s = ANY ($%d::%s[])", column(p, q->on), param_array(p, q), cast_of(q->on->type));
}

static void
sql_between(struct query_plan *p, struct buf *b, const struct query *q)
{
	const char *cast = cast_of(q->on->type);
	int low = param_of(p, q, 0), high = param_of(p, q, 1);

	buf_printf(b, "%s %sBETWEEN $%d::%s AND $%d::%s", column(p, q->on), q->method == Q_NOT_BETWEEN ? "NOT " : "", low, cast, high,
	    cast);
}

/* Prefix, suffix and substring work on folded text, because the collation of text columns knows equality and order only. */
static const char *
folded(struct query_plan *p, const struct query *q)
{
	return arena_printf(p->cx->arena, "%s.fold(%s COLLATE \"C\")", schema_of(p), column(p, q->on));
}

static void
sql_affix(struct query_plan *p, struct buf *b, const struct query *q)
{
	const char *schema = schema_of(p), *text = folded(p, q);
	int n = param_of(p, q, 0);

	if (q->method == Q_NOT_STARTS || q->method == Q_NOT_ENDS)
		BUF_LIT(b, "NOT ");
	if (q->method == Q_STARTS || q->method == Q_NOT_STARTS)
		buf_printf(b, "starts_with(%s, %s.fold($%d::text))", text, schema, n);
	else
		buf_printf(b, "right(%s, length(%s.fold($%d::text))) = %s.fold($%d::text)", text, schema, n, schema, n);
}

static void
sql_contains(struct query_plan *p, struct buf *b, const struct query *q)
{
	if (q->method == Q_NOT_CONTAINS)
		BUF_LIT(b, "NOT ");
	if (q->on->array) {
		buf_printf(b, "(%s %s $%d::%s[])", q->on->column, q->method == Q_CONTAINS_ALL ? "@>" : "&&", param_array(p, q),
		    cast_of(q->on->type));
		return;
	}
	buf_ch(b, '(');
	for (int i = 0; i < q->n; i++)
		buf_printf(b, "%sstrpos(%s, %s.fold($%d::text)) > 0", i ? " OR " : "", folded(p, q), schema_of(p), param_of(p, q, i));
	buf_ch(b, ')');
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

/* What the text of a search becomes: operators turn into blanks; the later grammar knows a phrase only as the whole text. */
static const char *
wanted(struct query_plan *p, struct str s, bool json)
{
	struct str w = despaced(p, s, "@+-*()<>~");
	bool phrase = w.n >= 2 && w.p[0] == '"' && w.p[w.n - 1] == '"';

	if (json && !phrase)
		w = despaced(p, w, "\"");
	return str_dup(p->cx->arena, w);
}

static void
sql_search(struct query_plan *p, struct buf *b, const struct query *q)
{
	const struct query_index *x = query_fulltext(p->l, q->attr);
	const char *schema = schema_of(p);
	const char *words = x ? x->words : arena_printf(p->cx->arena, "%s.words(%s)", schema, column(p, q->on));

	/* a composite fulltext index that holds the attribute serves the column's own words without the index */
	if (q->on->array && x == NULL)
		words = arena_printf(p->cx->arena, "%s.words(%s.flat(%s))", schema, schema, q->on->column);
	buf_ch(b, '(');
	for (int i = 0; i < q->n; i++)
		buf_printf(b, "%s%s%s @@ %s.wanted($%d::text)", i ? " OR " : "", q->method == Q_NOT_SEARCH ? "NOT " : "", words, schema,
		    param(p, wanted(p, q->v[i].s, q->json)));
	buf_ch(b, ')');
}

static void sql_filter(struct query_plan *p, struct buf *b, const struct query *q);

static void
sql_logic(struct query_plan *p, struct buf *b, const struct query *q)
{
	buf_ch(b, '(');
	for (int i = 0; i < q->n_sub; i++) {
		if (i)
			buf_c(b, q->method == Q_AND ? " AND " : " OR ");
		sql_filter(p, b, &q->sub[i]);
	}
	buf_ch(b, ')');
}

static void
sql_filter(struct query_plan *p, struct buf *b, const struct query *q)
{
	/* the text grammar compares a whole array with a value: it never equals one */
	if (q->on != NULL && q->on->array && !q->json && q->method != Q_SEARCH) {
		buf_printf(b, q->method == Q_NOT_EQUAL ? "%s IS NOT NULL" : "false", q->on->column);
		return;
	}
	switch (q->method) {
	case Q_EQUAL:
		sql_equal(p, b, q);
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
		buf_printf(b, "%s IS NULL", column(p, q->on));
		break;
	case Q_IS_NOT_NULL:
		buf_printf(b, "%s IS NOT NULL", column(p, q->on));
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

static void
take(struct query_plan *p, const struct query *q)
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
			p->by_id = p->by_id || is_id(q->on);
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
			p->cursor = q->v[0].s.p ? q->v[0].s.p : pg_i64(p->cx->arena, q->v[0].i);
			p->before = q->method == Q_CURSOR_BEFORE;
		}
		break;
	case QK_SELECT:
		if (p->select.v == NULL)
			p->select.v = arena_array(p->cx->arena, const char *, q->n);
		for (int i = 0; i < q->n && !p->select.set; i++)
			p->select.v[p->select.n++] = q->v[i].s.p;
		p->select.set = true;
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
	for (int i = 0; i < p->n; i++) {
		enum query_kind kind = query_methods[p->q[i].method].kind;

		if (kind != QK_FILTER && kind != QK_LOGIC)
			continue;
		buf_c(&b, glue);
		sql_filter(p, &b, &p->q[i]);
		glue = " AND ";
	}
	if (p->search != NULL && *p->search && p->l->search != NULL)
		buf_printf(&b, "%s%s.words(%s) @@ %s.wanted($%d::text)", glue, schema_of(p), p->l->search, schema_of(p),
		    param(p, wanted(p, str_c(p->search), false)));
	p->where = buf_view(&b);
}

void
query_plan_init(struct query_plan *p, struct ctx *cx, const struct query_list *l, const struct query *q, int n, const char *search)
{
	*p = (struct query_plan){.l = l, .cx = cx, .q = q, .n = n, .search = search, .limit = -1, .offset = -1};
	p->natural_desc = l->flags & QUERY_ONLY_PAGE;
	for (int i = 0; i < l->n; i++)
		param(p, l->v[i]);
	for (int i = 0; i < n; i++)
		take(p, &q[i]);
	if (p->limit < 0)
		p->limit = l->flags & QUERY_ONLY_PAGE ? QUERY_LOG_LIMIT : QUERY_DEFAULT_LIMIT;
	if (p->limit > QUERY_ROWS_MAX)
		p->limit = QUERY_ROWS_MAX;
	if (p->offset < 0)
		p->offset = 0;
	sql_where(p);
}

/* ---- order and cursor ---- */

static bool
descends(const struct query_plan *p, int i)
{
	return (p->orders[i]->method == Q_ORDER_DESC) != p->before;
}

/* The creation number follows at the end, ascending, unless the ids decide or it is the only order and descends. */
static bool
seq_descends(const struct query_plan *p)
{
	return (p->n_orders == 0 && p->natural_desc) != p->before;
}

static void
sql_order(struct query_plan *p, struct buf *b)
{
	if (p->random && p->n_orders == 0) {
		BUF_LIT(b, " ORDER BY random()");
		return;
	}
	BUF_LIT(b, " ORDER BY ");
	for (int i = 0; i < p->n_orders; i++) {
		const struct query_attr *a = p->orders[i]->on;
		const char *nulls = a->not_null ? "" : descends(p, i) ? " NULLS LAST" : " NULLS FIRST";

		buf_printf(b, "%s%s%s%s", i ? ", " : "", column(p, a), descends(p, i) ? " DESC" : "", nulls);
	}
	if (!p->by_id)
		buf_printf(b, "%s%s%s", p->n_orders ? ", " : "", p->l->seq, seq_descends(p) ? " DESC" : "");
}

/* Rows beyond the cursor's in one order alone. */
static void
sql_beyond(struct buf *b, const char *col, bool desc, int n, const char *cast)
{
	if (n == 0)
		buf_printf(b, desc ? "false" : "%s IS NOT NULL", col);
	else if (desc)
		buf_printf(b, "(%s < $%d::%s OR %s IS NULL)", col, n, cast, col);
	else
		buf_printf(b, "%s > $%d::%s", col, n, cast);
}

/* Rows after the cursor's: further in the first order, or equal in it and further in the second, and so on. */
static void
sql_cursor(struct query_plan *p, struct buf *b, const struct db_res *row)
{
	int n[sizeof p->orders / sizeof p->orders[0]];	/* parameter of each value, 0: NULL */
	int seq = p->by_id ? 0 : param(p, db_cstr(row, 0, 0));	/* an id leaves no tie to break */

	if (p->n_orders == 0) {
		buf_printf(b, "%s %s $%d::bigint", p->l->seq, seq_descends(p) ? "<" : ">", seq);
		return;
	}
	for (int i = 0; i < p->n_orders; i++)
		n[i] = db_null(row, 0, 1 + i) ? 0 : param(p, db_cstr(row, 0, 1 + i));
	/* a bound that an index on the first order can use as it is */
	if (n[0] && !descends(p, 0))
		buf_printf(b, "%s >= $%d::%s AND ", column(p, p->orders[0]->on), n[0], whole_cast(p->orders[0]->on));
	else if (n[0] && p->orders[0]->on->not_null)
		buf_printf(b, "%s <= $%d::%s AND ", column(p, p->orders[0]->on), n[0], whole_cast(p->orders[0]->on));
	buf_ch(b, '(');
	for (int i = 0; i <= p->n_orders; i++) {
		if (i == p->n_orders && p->by_id)
			break;
		buf_c(b, i ? " OR (" : "(");
		for (int k = 0; k < i; k++) {
			const struct query_attr *a = p->orders[k]->on;

			if (n[k])
				buf_printf(b, "%s = $%d::%s AND ", column(p, a), n[k], whole_cast(a));
			else
				buf_printf(b, "%s IS NULL AND ", column(p, a));
		}
		if (i < p->n_orders)
			sql_beyond(b, column(p, p->orders[i]->on), descends(p, i), n[i], whole_cast(p->orders[i]->on));
		else
			buf_printf(b, "%s %s $%d::bigint", p->l->seq, seq_descends(p) ? "<" : ">", seq);
		buf_ch(b, ')');
	}
	buf_ch(b, ')');
}

const char *
query_plan_cursor(struct query_plan *p)
{
	struct buf b;

	buf_init(&b, p->cx->arena, 256);
	buf_printf(&b, "SELECT %s", p->l->seq);
	for (int i = 0; i < p->n_orders; i++)
		buf_printf(&b, ", %s", column(p, p->orders[i]->on));
	buf_printf(&b, " FROM %s WHERE lower(%s) = $%d", p->l->from, p->l->id, p->l->n + 1);
	if (p->l->where != NULL)
		buf_printf(&b, " AND (%s)", p->l->where);
	return b.p;
}

const char *
query_plan_count(struct query_plan *p)
{
	const char *fence = p->l->flags & QUERY_WHERE_FIRST ? " OFFSET 0) AS d" : "";

	return arena_printf(p->cx->arena, "SELECT count(*) FROM (SELECT 1 FROM %s%s%.*s%s LIMIT %d) AS x", *fence ? "(SELECT 1 FROM " : "",
	    p->l->from, STR_FMT(p->where), fence, QUERY_TOTAL_MAX);
}

/* The total beside the rows: counted only when the page cannot tell it, and then by the same statement. */
static void
sql_total(struct query_plan *p, struct buf *b)
{
	if (p->l->flags & QUERY_NO_TOTAL)
		BUF_LIT(b, "-1");
	else if (p->cursor != NULL)
		buf_printf(b, "(%s)", query_plan_count(p));
	else
		buf_printf(b, "CASE WHEN count(*) OVER () < %lld THEN -1 ELSE (%s) END", (long long)p->limit, query_plan_count(p));
}

const char *
query_plan_page(struct query_plan *p, const char *columns, const struct db_res *cursor)
{
	bool first = p->l->flags & QUERY_WHERE_FIRST;
	struct buf b;

	buf_init(&b, p->cx->arena, 1024);
	BUF_LIT(&b, "SELECT q.*, ");
	sql_total(p, &b);
	if (p->before)
		BUF_LIT(&b, ", row_number() OVER () AS _place");
	buf_printf(&b, " FROM (SELECT %s FROM %s%s%.*s", columns, first ? "(SELECT * FROM " : "", p->l->from, STR_FMT(p->where));
	if (cursor != NULL) {
		buf_c(&b, p->where.n ? " AND " : " WHERE ");
		sql_cursor(p, &b, cursor);
	}
	if (first)	/* OFFSET keeps the planner from looking through it */
		BUF_LIT(&b, " OFFSET 0) AS d");
	sql_order(p, &b);
	/* limits are written out: the planner must know that 25 rows are few */
	buf_printf(&b, " LIMIT %lld", (long long)p->limit);
	if (p->offset > 0)
		buf_printf(&b, " OFFSET $%d::bigint", param(p, pg_i64(p->cx->arena, p->offset)));
	BUF_LIT(&b, ") AS q");
	if (p->before)
		BUF_LIT(&b, " ORDER BY _place DESC");
	return b.p;
}
