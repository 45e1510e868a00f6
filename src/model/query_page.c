/* The statements of a list: its page, the row of its cursor, its count.
 *
 * NULLs are the smallest values of every order: first when it ascends, last when it descends; a cursor compares with that in mind over
 * all orders and the creation number at the end. */
#include "query_priv.h"

#include "core/conf.h"

enum {
	ORDERS_MAX = sizeof((struct query_plan *)0)->orders / sizeof((struct query_plan *)0)->orders[0],
	STEPS_MAX = 8	/* more are not worth their planning */
};

static bool
descends(const struct query_plan *p, int i)
{
	return (p->orders[i]->method == Q_ORDER_DESC) != p->before;
}

/* Later servers let the creation number go the way of a date of the system that is ordered by first. */
static bool
led_down(const struct query_plan *p)
{
	const struct query *first = p->n_orders ? p->orders[0] : NULL;

	return first != NULL && first->json && first->method == Q_ORDER_DESC &&
	    (strcmp(first->attr, "$createdAt") == 0 || strcmp(first->attr, "$updatedAt") == 0);
}

/* The creation number follows at the end, ascending, unless the ids decide, it is the only order and descends, or a date leads it. */
static bool
seq_descends(const struct query_plan *p)
{
	return ((p->n_orders == 0 && p->natural_desc) || led_down(p)) != p->before;
}

static void
sql_order(struct query_plan *p, struct buf *b)
{
	if (p->random && p->n_orders == 0) {
		BUF_LIT(b, " ORDER BY random()");
		return;
	}
	BUF_LIT(b, " ORDER BY ");
	/* processes write their entries when they get to it: the numbers tell less than the time */
	if (p->l->flags & QUERY_ONLY_PAGE)
		BUF_LIT(b, "created DESC, ");
	for (int i = 0; i < p->n_orders; i++) {
		const struct query_attr *a = p->orders[i]->on;
		const char *nulls = a->not_null ? "" : descends(p, i) ? " NULLS LAST" : " NULLS FIRST";

		buf_printf(b, "%s%s%s%s", i ? ", " : "", query_column(p, a), descends(p, i) ? " DESC" : "", nulls);
	}
	if (!p->by_id)
		buf_printf(b, "%s%s%s", p->n_orders ? ", " : "", p->l->seq, seq_descends(p) ? " DESC" : "");
}

/* ---- rows beyond the cursor's ---- */

struct keyset {			/* the cursor's row */
	int n[ORDERS_MAX];	/* parameter of its value for each order, 0: NULL */
	int seq;		/* of its creation number; 0: an id leaves no tie to break */
};

static void
keyset_read(struct query_plan *p, const struct db_res *row, struct keyset *k)
{
	k->seq = p->by_id ? 0 : query_param(p, db_cstr(row, 0, 0));
	for (int i = 0; i < p->n_orders; i++)
		k->n[i] = db_null(row, 0, 1 + i) ? 0 : query_param(p, db_cstr(row, 0, 1 + i));
}

static const char *
seq_beyond(struct query_plan *p, const struct keyset *k)
{
	return arena_printf(p->cx->arena, "%s %s $%d::bigint", p->l->seq, seq_descends(p) ? "<" : ">", k->seq);
}

/* Equal in the first n orders. */
static const char *
tied(struct query_plan *p, const struct keyset *k, int n)
{
	struct buf b;

	buf_init(&b, p->cx->arena, 128);
	for (int i = 0; i < n; i++) {
		const struct query_attr *a = p->orders[i]->on;

		if (k->n[i])
			buf_printf(&b, "%s = $%d::%s AND ", query_column(p, a), k->n[i], query_whole_cast(a));
		else
			buf_printf(&b, "%s IS NULL AND ", query_column(p, a));
	}
	return buf_view(&b).p;
}

/* One index scan each, the nearest rows first: ties by the creation number, then ties of one order less, and so on. NULLs are a block of
 * their own, behind the values when the order descends, before them when it ascends. */
static int
beyond_steps(struct query_plan *p, const struct keyset *k, const char **steps)
{
	struct arena *mem = p->cx->arena;
	int n = 0;

	if (k->seq)
		steps[n++] = arena_printf(mem, "%s%s", tied(p, k, p->n_orders), seq_beyond(p, k));
	for (int i = p->n_orders - 1; i >= 0; i--) {
		const struct query_attr *a = p->orders[i]->on;
		const char *ties = tied(p, k, i), *col = query_column(p, a);

		if (k->n[i])
			steps[n++] = arena_printf(mem, "%s%s %s $%d::%s", ties, col, descends(p, i) ? "<" : ">", k->n[i], query_whole_cast(a));
		if (k->n[i] && descends(p, i) && !a->not_null)
			steps[n++] = arena_printf(mem, "%s%s IS NULL", ties, col);
		if (!k->n[i] && !descends(p, i))
			steps[n++] = arena_printf(mem, "%s%s IS NOT NULL", ties, col);
	}
	return n;
}

/* Whether comparing whole rows says it: all orders run one way, and no NULL is where that comparison would lose it. */
static bool
rows_compare(const struct query_plan *p, const struct keyset *k)
{
	bool desc = descends(p, 0);

	for (int i = 0; i < p->n_orders; i++)
		if (k->n[i] == 0 || descends(p, i) != desc || (desc && i > 0 && !p->orders[i]->on->not_null))
			return false;
	return p->by_id || seq_descends(p) == desc;
}

static const char *
row_beyond(struct query_plan *p, const struct keyset *k)
{
	struct buf b, v;

	buf_init(&b, p->cx->arena, 128);
	buf_init(&v, p->cx->arena, 64);
	for (int i = 0; i < p->n_orders; i++) {
		buf_printf(&b, "%s%s", i ? ", " : "(", query_column(p, p->orders[i]->on));
		buf_printf(&v, "%s$%d::%s", i ? ", " : "(", k->n[i], query_whole_cast(p->orders[i]->on));
	}
	if (k->seq) {
		buf_printf(&b, ", %s", p->l->seq);
		buf_printf(&v, ", $%d::bigint", k->seq);
	}
	buf_printf(&b, ") %s %s)", descends(p, 0) ? "<" : ">", buf_view(&v).p);
	return b.p;
}

/* The rows after the cursor's as conditions that exclude each other, nearest first. */
static int
beyond(struct query_plan *p, const struct db_res *row, const char **steps)
{
	struct keyset k;

	keyset_read(p, row, &k);
	if (p->n_orders == 0) {
		steps[0] = seq_beyond(p, &k);
		return 1;
	}
	if (!rows_compare(p, &k))
		return beyond_steps(p, &k, steps);
	steps[0] = row_beyond(p, &k);
	if (!descends(p, 0) || p->orders[0]->on->not_null)
		return 1;
	steps[1] = arena_printf(p->cx->arena, "%s IS NULL", query_column(p, p->orders[0]->on));
	return 2;
}

/* The steps as one condition. */
static const char *
any_of(struct query_plan *p, const char **steps, int n)
{
	struct buf b;

	if (n == 1)
		return steps[0];
	buf_init(&b, p->cx->arena, 256);
	buf_ch(&b, '(');
	for (int i = 0; i < n; i++)
		buf_printf(&b, "%s(%s)", i ? " OR " : "", steps[i]);
	buf_ch(&b, ')');
	return n > 0 ? b.p : "false";
}

/* ---- the statements ---- */

const char *
query_plan_cursor(struct query_plan *p)
{
	struct buf b;

	buf_init(&b, p->cx->arena, 256);
	buf_printf(&b, "SELECT %s", p->l->seq);
	for (int i = 0; i < p->n_orders; i++)
		buf_printf(&b, ", %s", query_column(p, p->orders[i]->on));
	buf_printf(&b, " FROM %s WHERE lower(%s) = $%d", p->l->from, p->l->id, p->l->n + 1);
	if (p->l->where != NULL)
		buf_printf(&b, " AND (%s)", p->l->where);
	return b.p;
}

const char *
query_plan_count(struct query_plan *p, int more)
{
	const char *fence = p->l->flags & QUERY_WHERE_FIRST ? " OFFSET 0) AS d" : "";

	return arena_printf(p->cx->arena, "SELECT count(*) FROM (SELECT 1 FROM %s%s%.*s%s LIMIT %d) AS x", *fence ? "(SELECT 1 FROM " : "",
	    p->from, STR_FMT(p->where), fence, QUERY_TOTAL_MAX + more);
}

/* Raises an error before the first row is sent when the rows hold more than a page may: what PostgreSQL sends, libpq keeps in memory. */
static void
sql_bound(const struct query_plan *p, struct buf *b)
{
	const struct query_list *l = p->l;

	if (l->width != NULL && p->limit > conf.list_bytes_max / l->width_max)
		buf_printf(b, "1 / (sum(%s) OVER () <= %lld)::int, ", p->slim ? "_width" : l->width, (long long)conf.list_bytes_max);
}

static void
sql_rows(struct query_plan *p, struct buf *b, const char *columns, const char *step)
{
	bool first = p->l->flags & QUERY_WHERE_FIRST;

	buf_printf(b, "SELECT %s FROM %s%s%.*s", columns, first ? "(SELECT * FROM " : "", p->from, STR_FMT(p->where));
	if (step != NULL)
		buf_printf(b, "%s%s", p->where.n ? " AND " : " WHERE ", step);
	if (first)	/* OFFSET keeps the planner from looking through it */
		BUF_LIT(b, " OFFSET 0) AS d");
	sql_order(p, b);
}

/* Each step is read only when those before it gave too few rows; one condition for all of them would leave an index nothing to begin at. */
static void
sql_steps(struct query_plan *p, struct buf *b, const char *columns, const char **steps, int n)
{
	int64_t enough = p->offset < INT64_MAX - p->limit ? p->limit + p->offset : INT64_MAX;

	for (int i = 0; i < n; i++) {
		buf_c(b, i ? " UNION ALL (" : "(");
		sql_rows(p, b, columns, steps[i]);
		buf_printf(b, " LIMIT %lld)", (long long)enough);
	}
}

const char *
query_plan_page(struct query_plan *p, const char *columns, const struct db_res *cursor)
{
	const char *steps[2 * ORDERS_MAX + 1];
	int n = cursor != NULL ? beyond(p, cursor, steps) : 1;
	struct buf b;

	if (cursor == NULL)
		steps[0] = NULL;
	else if (n == 0 || n > STEPS_MAX || (p->l->flags & QUERY_WHERE_FIRST)) {
		steps[0] = any_of(p, steps, n);
		n = 1;
	}
	buf_init(&b, p->cx->arena, 1024);
	buf_printf(&b, "%sSELECT q.*, ", p->begin);
	sql_bound(p, &b);
	buf_c(&b, query_total_sql(p));
	if (p->before)
		BUF_LIT(&b, ", row_number() OVER () AS _place");
	BUF_LIT(&b, " FROM (");
	if (n == 1)
		sql_rows(p, &b, columns, steps[0]);
	else
		sql_steps(p, &b, columns, steps, n);
	/* limits are written out: the planner must know that 25 rows are few */
	buf_printf(&b, " LIMIT %lld", (long long)p->limit);
	if (p->offset > 0)
		buf_printf(&b, " OFFSET $%d::bigint", query_param(p, pg_i64(p->cx->arena, p->offset)));
	BUF_LIT(&b, ") AS q");
	if (p->before)
		BUF_LIT(&b, " ORDER BY _place DESC");
	return b.p;
}

const char *
query_plan_rows(struct query_plan *p, const char *columns, const struct db_res *cursor)
{
	const char *steps[2 * ORDERS_MAX + 1], *step = NULL;
	struct buf b;

	if (cursor != NULL)
		step = any_of(p, steps, beyond(p, cursor, steps));
	buf_init(&b, p->cx->arena, 512);
	buf_c(&b, p->begin);
	sql_rows(p, &b, columns, step);
	buf_printf(&b, " LIMIT %lld", (long long)p->limit);
	if (p->offset > 0)
		buf_printf(&b, " OFFSET $%d::bigint", query_param(p, pg_i64(p->cx->arena, p->offset)));
	return b.p;
}

const char *
query_plan_lock(struct query_plan *p)
{
	const char *seq = p->l->seq;

	return arena_printf(p->cx->arena, "SELECT %s FROM %s%.*s%s%s = ANY ($%d::bigint[]) ORDER BY %s FOR NO KEY UPDATE", seq, p->from, STR_FMT(p->where),
	    p->where.n ? " AND " : " WHERE ", seq, p->n_v + 1, seq);
}
