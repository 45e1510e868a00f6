/* One list: parse, check, find the cursor, read the page. */
#include "query_priv.h"

#include "core/conf.h"
#include "core/metric.h"
#include "core/protocol.h"
#include "io/budget.h"

enum { RESULT_SMALL = 256 * 1024 };	/* results that are not charged to the budget of bytes */

const struct query_method_info query_methods[Q_N] = {
#define M(name, word, kind, text, min, max) {word, kind, text, min, max},
    QUERY_METHODS(M)
#undef M
};

enum query_method
query_method_by(struct str name)
{
	for (int i = 0; i < Q_N; i++)
		if (str_is(name, query_methods[i].name))
			return (enum query_method)i;
	return Q_N;
}

/* What SDKs make of createdAfter and the like; some send the name itself. */
static const struct {
	const char *name, *attr;
	enum query_method method;
} sugar[] = {
    {"createdAfter", "$createdAt", Q_GREATER},
    {"createdBefore", "$createdAt", Q_LESS},
    {"createdBetween", "$createdAt", Q_BETWEEN},
    {"updatedAfter", "$updatedAt", Q_GREATER},
    {"updatedBefore", "$updatedAt", Q_LESS},
    {"updatedBetween", "$updatedAt", Q_BETWEEN},
};

enum query_method
query_method_of(struct str name, const char **attr_out, const char **word_out)
{
	enum query_method m = query_method_by(name);

	*attr_out = NULL;
	*word_out = m != Q_N ? query_methods[m].name : "";
	for (size_t i = 0; i < sizeof sugar / sizeof *sugar; i++)
		if (str_is(name, sugar[i].name)) {
			*attr_out = sugar[i].attr;
			*word_out = sugar[i].name;
			return sugar[i].method;
		}
	return m;
}

bool
query_parse(struct ctx *cx, struct str text, struct query *out, const char **why_out)
{
	size_t i = 0;

	while (i < text.n && (text.p[i] == ' ' || text.p[i] == '\t' || text.p[i] == '\n' || text.p[i] == '\r'))
		i++;
	if (i < text.n && text.p[i] == '{')
		return query_parse_json(cx, text, out, why_out);
	return query_parse_text(cx, text, out, why_out);
}

static err_t
query_refuse(struct ctx *cx, const struct query_list *l, const struct query *q, const char *why)
{
	bool whole = l->flags & QUERY_DOCUMENT_ERRORS;
	err_t e = ERR_GENERAL_ARGUMENT_INVALID;
	size_t n = strlen(why);

	/* of documents the contract has the bare reason; what is no JSON is a text to those alone that had texts */
	if (whole && !q->json && cx->format < SINCE_1_5)
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "%s", why);
	if (whole)
		return fail_msg(cx, ERR_GENERAL_QUERY_INVALID, "%s%s", strncmp(why, "Invalid query", 13) == 0 ? "" : "Invalid query: ", why);
	if ((l->flags & QUERY_CURSOR_ERRORS) && q->method < Q_N && query_methods[q->method].kind == QK_CURSOR)	/* Q_N: it names no method */
		e = ERR_GENERAL_QUERY_INVALID;
	return fail_msg(cx, e,
	    "Invalid queries: %s%s", why, n && why[n - 1] == '.' ? "" : ".");
}

/* It and what is in it. */
static int64_t
query_filters(const struct query *q)
{
	int64_t n = query_methods[q->method].kind == QK_FILTER;

	for (int i = 0; i < q->n_sub; i++)
		n += query_filters(&q->sub[i]);
	return n;
}

static bool
has_links(const struct query_list *l)
{
	int i = 0;

	while (i < l->n_attrs && !l->attrs[i].link)
		i++;
	return i < l->n_attrs;
}

/* Awaits, when there are polygons. */
static err_t
parse_all(struct ctx *cx, const struct query_list *l, const struct strs *queries, struct query *q)
{
	const char *why = NULL;
	struct query text = {.json = false};
	int64_t filters = 0;
	bool sound;

	for (int i = 0; i < queries->n; i++) {
		if (!query_parse(cx, str_c(queries->v[i]), &q[i], &why) || !query_check(cx, l, &q[i], &why))
			return query_refuse(cx, l, &q[i], why);
		if ((filters += query_filters(&q[i])) > conf.query_filters_max)
			return fail_msg(cx, ERR_GENERAL_QUERY_LIMIT_EXCEEDED, "Invalid queries: more than %lld filters.", (long long)conf.query_filters_max);
	}
	TRY(query_geo_sound(cx, q, queries->n, &sound));
	if (!sound)
		return query_refuse(cx, l, &q[0], "a polygon's rings cross each other, or themselves");
	if (has_links(l) && !query_check_twice(cx, q, queries->n, &why))
		return query_refuse(cx, l, &q[0], why);
	if ((l->flags & QUERY_NEEDS_INDEX) && !query_check_indexes(cx, l, q, queries->n, &why))
		return query_refuse(cx, l, &text, why);
	return OK;
}

static err_t
read_cursor(struct query_plan *p, struct db_res **out)
{
	struct ctx *cx = p->cx;
	const struct query_list *l = p->l;
	const char **v = arena_array(cx->arena, const char *, l->n + 1);

	for (int i = 0; i < l->n; i++)
		v[i] = l->v[i];
	v[l->n] = str_dup(cx->arena, str_lower(cx->arena, str_c(p->cursor)));
	TRY(db_query(cx, out, query_plan_cursor(p), l->n + 1, v));
	if (db_rows(*out) == 0)
		return fail_msg(cx, ERR_GENERAL_CURSOR_NOT_FOUND, "%s '%s' for the 'cursor' value not found.", l->entity, p->cursor);
	return OK;
}

static err_t
read_count(struct query_plan *p, int n_where, int64_t *total_out)
{
	struct db_res *r;

	metric_add(M_totals_counted, 1);
	TRY(db_query(p->cx, &r, arena_printf(p->cx->arena, "%s%s", p->begin, query_plan_count(p, 0)), n_where, p->v));
	*total_out = db_i64(r, 0, 0);
	return OK;
}

/* The statement counted, or the total was known, or the page tells (-1), or it was empty. */
static err_t
total_of(struct query_plan *p, const struct db_res *r, int n_where, int64_t counted, int64_t *out)
{
	int rows = db_rows(r);

	*out = 0;
	if (p->cx->uncounted)
		return OK;
	if (counted >= 0)
		*out = counted;
	else if (rows == 0 && (p->offset > 0 || p->cursor != NULL))
		return read_count(p, n_where, out);
	else
		*out = p->offset + rows;
	if (*out > QUERY_TOTAL_MAX)
		*out = QUERY_TOTAL_MAX;
	return OK;
}

/* Later servers have no place beside the rows whose value is null. */
static err_t
refuse_null(const struct query_plan *p, const struct db_res *cursor)
{
	if (!p->cursor_later)
		return OK;
	for (int i = 0; i < p->n_orders; i++)
		if (db_null(cursor, 0, 1 + i))
			return fail_msg(p->cx, ERR_DATABASE_QUERY_ORDER_NULL, "Order attribute '%s' of the cursor is null.", p->orders[i]->attr);
	return OK;
}

/* Parses and checks everything and finds the cursor's row (NULL: no cursor). */
static err_t
query_prepare(struct ctx *cx, const struct query_list *l, const struct strs *queries, const char *search, struct query_plan **out,
    struct db_res **cursor_out)
{
	struct query *q = arena_array(cx->arena, struct query, queries->n + 1);

	*cursor_out = NULL;
	*out = arena_new_of(cx->arena, struct query_plan);
	TRY(parse_all(cx, l, queries, q));
	query_plan_init(*out, cx, l, q, queries->n, search);
	if ((*out)->cursor == NULL)
		return OK;
	TRY(read_cursor(*out, cursor_out));
	return refuse_null(*out, *cursor_out);
}

static const char *
columns_of(const struct query_plan *p, const struct shape *shape)
{
	const struct query_list *l = p->l;

	if (l->chosen != NULL && p->select.set)
		return shape_columns_chosen(p->cx->arena, l->chosen, l->schema, &p->select);
	return l->columns ? l->columns : shape_columns(shape);
}

static err_t
send_page(struct query_plan *p, const char *sql, struct db_res **out)
{
	err_t e = db_query(p->cx, out, sql, p->n_v, p->v);

	if (e == ERR_DB_DATA && strcmp(db_sqlstate(p->cx), "22012") == 0)	/* sql_bound's division */
		return fail_msg(p->cx, ERR_GENERAL_ARGUMENT_INVALID, "The page holds more than %lld bytes: ask for fewer entries at a time.",
		    (long long)conf.list_bytes_max);
	return e;
}

/* A total that turns out to be no longer known makes it read once more: page and total are of one snapshot. */
static err_t
read_page(struct query_plan *p, const struct shape *shape, const struct db_res *cursor, struct query_page *out)
{
	const struct query_list *l = p->l;
	struct ctx *cx = p->cx;
	int n_where = p->n_v;
	int64_t counted;

	TRY(query_cost(p));
	if (p->limit == 0)
		return cx->uncounted ? OK : read_count(p, n_where, &out->total);
	out->slim = p->slim = l->slim != NULL && p->limit > conf.list_whole_max / l->width_max;
	do {
		p->n_v = n_where;
		query_total_plan(p);
		TRY(send_page(p, query_plan_page(p, p->slim ? l->slim : columns_of(p, shape), cursor), &out->res));
	} while (!query_total_answer(p, out->res, db_cols(out->res) - (p->before ? 2 : 1), &counted));
	if (db_bytes(out->res) > RESULT_SMALL)
		TRY(budget_hold(cx, db_bytes(out->res)));
	return total_of(p, out->res, n_where, counted, &out->total);
}

err_t
query_list(struct ctx *cx, const struct query_list *l, const struct shape *shape, const struct strs *queries, const char *search,
    struct query_page *out)
{
	struct db_res *cursor;
	struct query_plan *p;
	err_t e;

	*out = (struct query_page){0};
	TRY(query_prepare(cx, l, queries, search, &p, &cursor));
	out->select = p->select;
	e = read_page(p, shape, cursor, out);
	query_cost_end(p);
	return e;
}

err_t
query_explain(struct ctx *cx, const struct query_list *l, const struct shape *shape, const struct strs *queries, const char **sql_out,
    struct str *plan_out)
{
	struct db_res *cursor, *r;
	struct query_plan *p;

	TRY(query_prepare(cx, l, queries, NULL, &p, &cursor));
	*sql_out = p->limit ? query_plan_page(p, columns_of(p, shape), cursor)
			    : arena_printf(cx->arena, "%s%s", p->begin, query_plan_count(p, 0));
	TRY(db_query(cx, &r, arena_printf(cx->arena, "EXPLAIN (FORMAT JSON) %s", *sql_out), p->n_v, p->v));
	*plan_out = db_str(r, 0, 0);
	return OK;
}

err_t
query_window(struct ctx *cx, const struct strs *queries, int n, int *from_out, int *to_out)
{
	static const struct query_list l = {.entity = "", .from = "", .seq = "", .id = "", .flags = QUERY_ONLY_PAGE};
	struct query_plan *p;
	struct db_res *cursor;

	TRY(query_prepare(cx, &l, queries, NULL, &p, &cursor));
	*from_out = p->offset < n ? (int)p->offset : n;
	*to_out = p->limit < n - *from_out ? *from_out + (int)p->limit : n;
	return OK;
}

static bool
limited(const struct query_plan *p)
{
	for (int i = 0; i < p->n; i++)
		if (p->q[i].method == Q_LIMIT)
			return true;
	return false;
}

err_t
query_rows(struct ctx *cx, const struct query_list *l, const struct strs *queries, int64_t max, const char *columns, struct query_found *out)
{
	struct db_res *cursor;
	struct query_plan *p;
	err_t e;

	TRY(query_prepare(cx, l, queries, NULL, &p, &cursor));
	if (!limited(p) || p->limit > max)
		p->limit = max + 1;
	e = query_cost(p);
	query_cost_end(p);
	TRY(e);
	out->n_where = p->n_v;
	out->lock = query_plan_lock(p);
	out->find = query_plan_rows(p, columns, cursor);
	out->n_find = p->n_v;
	out->v = p->v;
	return OK;
}

err_t
query_select(struct ctx *cx, const struct query_list *l, const struct strs *queries, struct strs *out)
{
	struct query *q = arena_array(cx->arena, struct query, queries->n + 1);
	struct query_plan *p = arena_new_of(cx->arena, struct query_plan);

	TRY(parse_all(cx, l, queries, q));
	for (int i = 0; i < queries->n; i++)
		if (q[i].method != Q_SELECT)
			return query_refuse(cx, l, &q[i], "only select is possible here");
	query_plan_init(p, cx, l, q, queries->n, NULL);
	*out = p->select;
	return OK;
}
