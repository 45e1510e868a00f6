/* Queries of a subscription (spec realtime.md B4): a few methods of the JSON grammar, evaluated against the top-level members of an
 * event's payload. An attribute that the payload lacks matches nothing.
 *
 * A filter is read once, whoever asks for the same: subscriptions share it, and its answer about an event is found once for all of them. Its values
 * are sorted by what they can be equal to, and of what they order only the ends are kept: a thousand values cost a query a few comparisons. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

enum { DEPTH_MAX = 8, NODES_MAX = 500, FILTER_MAGIC = 0x66696c74 };

enum method { Q_EQUAL, Q_NOT_EQUAL, Q_LESS, Q_LESS_EQUAL, Q_GREATER, Q_GREATER_EQUAL, Q_NULL, Q_NOT_NULL, Q_AND, Q_OR, Q_SELECT, Q_N };

static const char *const names[Q_N] = {"equal", "notEqual", "lessThan", "lessThanEqual", "greaterThan", "greaterThanEqual", "isNull",
	"isNotNull", "and", "or", "select"};

/* The least and the greatest of some. */
struct span {
	bool any;
	int64_t whole[2];
	double real[2];
	struct str text[2];
};

struct node {
	enum method method;
	int n;			/* of Q_AND and Q_OR */
	struct node *kids;
	struct str attribute;
	/* values of equal and notEqual, each kind in order */
	bool null, yes, no;
	int n_wholes, n_reals, n_texts;
	int64_t *wholes;
	double *reals;
	struct str *texts;
	/* values of the orders: whole numbers; other numbers and texts that are some; all texts; texts that are no numbers */
	struct span in_wholes, in_reals, in_texts, in_words;
};

struct filter {
	unsigned magic;		/* FILTER_MAGIC */
	unsigned refs;
	struct arena *arena;	/* holds all of it, itself included */
	struct str key;		/* in the table: the texts as they were asked for */
	size_t size;		/* bytes */
	unsigned steps;		/* nodes */
	bool all;		/* a select is among them */
	struct node top;	/* Q_AND over the queries */
	struct str *canonical;	/* the queries again; top.n of them */
	uint64_t asked;		/* number of the event that `matched` is about */
	bool matched;
};

static struct map *filters;	/* by key */

/* What is being read: how much is left of the limits. */
struct reading {
	struct ctx *cx;
	struct arena *a;
	int nodes;
	int64_t values;
};

void
filter_free(struct filter **fp)
{
	struct filter *f = *fp;
	struct arena *a;

	*fp = NULL;
	if (f == NULL)
		return;
	assert(f->magic == FILTER_MAGIC && f->refs > 0);
	if (--f->refs > 0)
		return;
	(void)map_del(filters, f->key);
	if (map_count(filters) == 0)
		map_free(&filters);
	f->magic = 0;
	a = f->arena;
	arena_free(&a);
}

struct filter *
filter_ref(struct filter *f)
{
	assert(f->magic == FILTER_MAGIC && f->refs > 0);
	f->refs++;
	return f;
}

static const char *
not_supported(struct reading *rd, struct str method)
{
	struct buf b;

	buf_init(&b, rd->cx->arena, 200);
	buf_printf(&b, "Query method '%.*s' is not supported in Realtime queries. Allowed: ", (int)(method.n > 40 ? 40 : method.n),
	    method.p ? method.p : "");
	for (int i = 0; i < Q_N; i++)
		buf_printf(&b, "%s%s", i > 0 ? ", " : "", names[i]);
	return b.p;
}

/* ---- values ---- */

static int
by_whole(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int
by_real(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* For equality only: the length first, so that long texts are hardly ever read. */
static int
subquery_by_text(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return x->n > 0 ? memcmp(x->p, y->p, x->n) : 0;
}

static int
subquery_order(struct str a, struct str b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

static struct str
kept(struct reading *rd, const json_t *j)
{
	struct str s = json_str(j);

	return (struct str){arena_memdup(rd->a, s.p, s.n), s.n};
}

static void
read_equals(struct reading *rd, const json_t *values, struct node *q)
{
	size_t n = json_array_size(values);

	q->wholes = arena_array(rd->a, int64_t, n);
	q->reals = arena_array(rd->a, double, n);
	q->texts = arena_array(rd->a, struct str, n);
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(values, i);

		if (json_is_integer(v))
			q->wholes[q->n_wholes++] = json_integer_value(v);
		else if (json_is_real(v))
			q->reals[q->n_reals++] = json_real_value(v);
		else if (json_is_string(v))
			q->texts[q->n_texts++] = kept(rd, v);
		q->null |= json_is_null(v);
		q->yes |= json_is_true(v);
		q->no |= json_is_false(v);
	}
	qsort(q->wholes, (size_t)q->n_wholes, sizeof *q->wholes, by_whole);
	qsort(q->reals, (size_t)q->n_reals, sizeof *q->reals, by_real);
	qsort(q->texts, (size_t)q->n_texts, sizeof *q->texts, subquery_by_text);
}

static void
span_text(struct span *p, struct str s)
{
	if (!p->any || subquery_order(s, p->text[0]) < 0)
		p->text[0] = s;
	if (!p->any || subquery_order(s, p->text[1]) > 0)
		p->text[1] = s;
	p->any = true;
}

static void
span_real(struct span *p, double d)
{
	if (!p->any || d < p->real[0])
		p->real[0] = d;
	if (!p->any || d > p->real[1])
		p->real[1] = d;
	p->any = true;
}

static void
span_whole(struct span *p, int64_t i)
{
	if (!p->any || i < p->whole[0])
		p->whole[0] = i;
	if (!p->any || i > p->whole[1])
		p->whole[1] = i;
	p->any = true;
}

static void
read_orders(struct reading *rd, const json_t *values, struct node *q)
{
	for (size_t i = 0; i < json_array_size(values); i++) {
		const json_t *v = json_array_get(values, i);
		double d;

		if (json_is_integer(v))
			span_whole(&q->in_wholes, json_integer_value(v));
		else if (json_is_real(v))
			span_real(&q->in_reals, json_real_value(v));
		if (!json_is_string(v))
			continue;
		span_text(&q->in_texts, json_str(v));
		if (facts_number(json_str(v), &d))
			span_real(&q->in_reals, d);
		else
			span_text(&q->in_words, json_str(v));
	}
	for (int end = 0; end < 2; end++) {	/* the tree that they are of goes */
		struct str *t = &q->in_texts.text[end], *w = &q->in_words.text[end];

		t->p = t->p ? arena_memdup(rd->a, t->p, t->n) : NULL;
		w->p = w->p ? arena_memdup(rd->a, w->p, w->n) : NULL;
	}
}

/* ---- reading ---- */

static const char *read_node(struct reading *rd, const json_t *j, int depth, struct node *q);

static const char *
read_kids(struct reading *rd, const json_t *values, int depth, struct node *q)
{
	size_t n = json_array_size(values);
	const char *why = NULL;

	if (n == 0)
		return "A group of queries is empty.";
	if (n > NODES_MAX)
		return "There are too many queries.";
	q->kids = arena_array(rd->a, struct node, n);
	for (size_t i = 0; i < n && why == NULL; i++) {
		q->n++;
		why = read_node(rd, json_array_get(values, i), depth + 1, &q->kids[i]);
	}
	return why;
}

static bool
all_plain(const json_t *values)
{
	for (size_t i = 0; i < json_array_size(values); i++) {
		const json_t *v = json_array_get(values, i);

		if (json_is_array(v) || json_is_object(v))
			return false;
	}
	return true;
}

static bool
is_star(const json_t *values)
{
	return json_array_size(values) == 1 && str_is(json_str(json_array_get(values, 0)), "*");
}

static const char *
read_leaf(struct reading *rd, const json_t *j, const json_t *values, struct node *q)
{
	struct str attribute = json_str(json_object_get(j, "attribute"));
	bool null_check = q->method == Q_NULL || q->method == Q_NOT_NULL;

	if (attribute.n == 0 || memchr(attribute.p, '\0', attribute.n) != NULL)
		return "An attribute is missing.";
	if (!null_check && (json_array_size(values) == 0 || !all_plain(values)))
		return "Values must be a list of plain values.";
	q->attribute = (struct str){arena_memdup(rd->a, attribute.p, attribute.n), attribute.n};
	if (null_check)
		return NULL;
	rd->values += (int64_t)json_array_size(values);
	if (rd->values > conf.rt_values_max)
		return "There are too many values.";
	if (q->method == Q_EQUAL || q->method == Q_NOT_EQUAL)
		read_equals(rd, values, q);
	else
		read_orders(rd, values, q);
	return NULL;
}

static const char *
read_node(struct reading *rd, const json_t *j, int depth, struct node *q)
{
	struct str method = json_str(json_object_get(j, "method"));
	const json_t *values = json_object_get(j, "values");

	if (!json_is_object(j) || method.n == 0)
		return "A query is no object with a method.";
	if (depth > DEPTH_MAX || rd->nodes++ >= NODES_MAX)
		return "There are too many queries.";
	for (q->method = 0; q->method < Q_N && !str_is(method, names[q->method]); q->method++)
		;
	if (q->method == Q_N)
		return not_supported(rd, method);
	if (values != NULL && !json_is_array(values))
		return "Values must be a list.";
	if (q->method == Q_AND || q->method == Q_OR)
		return read_kids(rd, values, depth, q);
	if (q->method == Q_SELECT)
		return is_star(values) ? NULL : "Only [\"*\"] can be selected.";
	return read_leaf(rd, j, values, q);
}

/* ---- the canonical form: method, attribute if any, values ---- */

static void
node_write(struct jw *w, const struct node *q, const json_t *j)
{
	const json_t *values = json_object_get(j, "values");

	jw_obj(w);
	JW_KEY(w, "method");
	jw_cstr(w, names[q->method]);
	if (q->attribute.n > 0) {
		JW_KEY(w, "attribute");
		jw_str(w, q->attribute);
	}
	JW_KEY(w, "values");
	if (q->n > 0 || values == NULL || q->method == Q_NULL || q->method == Q_NOT_NULL) {
		jw_arr(w);
		for (int i = 0; i < q->n; i++)
			node_write(w, &q->kids[i], json_array_get(values, (size_t)i));
		jw_arr_end(w);
	} else
		jw_value(w, values);
	jw_obj_end(w);
}

static const char *
read_query(struct reading *rd, struct str text, struct node *q, struct str *canonical)
{
	const char *why;
	const json_t *j;
	struct buf b;
	struct jw w;

	/* what there is is counted before a tree is made of it: members and values of each node, and the values */
	if (json_values(text) > (size_t)conf.rt_values_max + 8 * NODES_MAX)
		return "There are too many values.";
	j = json_parse_outside(rd->cx, text, NULL);
	if (j == NULL)
		return "A query is no JSON.";
	if ((why = read_node(rd, j, 1, q)) != NULL)
		return why;
	buf_init(&b, rd->a, text.n + 16);
	jw_init(&w, &b);
	node_write(&w, q, j);
	*canonical = buf_view(&b);
	return NULL;
}

static const char *
read_queries_of(struct reading *rd, const struct str *queries, int n, struct filter *f)
{
	const char *why = NULL;

	f->top.method = Q_AND;
	f->top.kids = arena_array(rd->a, struct node, n);
	f->canonical = arena_array(rd->a, struct str, n);
	for (int i = 0; i < n && why == NULL; i++) {
		f->top.n++;
		why = read_query(rd, queries[i], &f->top.kids[i], &f->canonical[i]);
		f->all |= f->top.kids[i].method == Q_SELECT;
	}
	f->steps = (unsigned)rd->nodes + 1;
	return why;
}

/* The queries one after the other, each with its length. */
static struct str
subquery_key(struct arena *a, const struct str *queries, int n)
{
	struct buf b;
	size_t all = 0;

	for (int i = 0; i < n; i++)
		all += queries[i].n + sizeof queries[i].n;
	buf_init(&b, a, all);
	for (int i = 0; i < n; i++) {
		buf_add(&b, &queries[i].n, sizeof queries[i].n);
		buf_str(&b, queries[i]);
	}
	return buf_view(&b);
}

static const char *
filter_make(struct ctx *cx, const struct str *queries, int n, struct str key, struct filter **out)
{
	struct arena *a = arena_new();
	struct filter *f = arena_new_of(a, struct filter);
	struct reading rd = {.cx = cx, .a = a};
	const char *why = read_queries_of(&rd, queries, n, f);

	if (why != NULL) {
		arena_free(&a);
		return why;
	}
	f->magic = FILTER_MAGIC;
	f->refs = 1;
	f->arena = a;
	f->key = (struct str){arena_memdup(a, key.p, key.n), key.n};
	f->size = arena_used(a) + key.n;
	if (filters == NULL)
		filters = map_new();
	(void)map_set(filters, f->key, f);
	*out = f;
	return NULL;
}

const char *
filter_new(struct ctx *cx, const struct str *queries, int n, struct filter **out)
{
	struct str key;
	struct filter *f;

	*out = NULL;
	if (n == 0)
		return NULL;
	if (n > NODES_MAX)
		return "There are too many queries.";
	key = subquery_key(cx->arena, queries, n);
	f = filters ? map_get(filters, key) : NULL;
	if (f == NULL)
		return filter_make(cx, queries, n, key, out);
	*out = filter_ref(f);
	return NULL;
}

size_t
filter_size(const struct filter *f)
{
	return f ? f->size : 0;
}

unsigned
filter_steps(const struct filter *f)
{
	return f ? f->steps : 0;
}

size_t
filter_count(void)
{
	return filters ? map_count(filters) : 0;
}

void
filter_write(struct jw *w, const struct filter *f)
{
	for (int i = 0; f != NULL && i < f->top.n; i++)
		jw_str(w, f->canonical[i]);
}

/* ---- evaluation ---- */

static bool
among_wholes(const struct node *q, int64_t i)
{
	return bsearch(&i, q->wholes, (size_t)q->n_wholes, sizeof i, by_whole) != NULL;
}

static bool
among_reals(const struct node *q, double d)
{
	return bsearch(&d, q->reals, (size_t)q->n_reals, sizeof d, by_real) != NULL;
}

/* A whole number of the values equals d. As real numbers the whole ones are in order, too. */
static bool
a_whole_is(const struct node *q, double d)
{
	int from = 0, to = q->n_wholes;

	while (from < to) {
		int mid = from + (to - from) / 2;

		if ((double)q->wholes[mid] < d)
			from = mid + 1;
		else
			to = mid;
	}
	return from < q->n_wholes && (double)q->wholes[from] == d;
}

static bool
equals(const struct node *q, const struct fact *have)
{
	switch (have->kind) {
	case FACT_NULL:
		return q->null;
	case FACT_TRUE:
		return q->yes;
	case FACT_FALSE:
		return q->no;
	case FACT_WHOLE:
		return among_wholes(q, have->whole) || among_reals(q, have->real);
	case FACT_REAL:
		return a_whole_is(q, have->real) || among_reals(q, have->real);
	case FACT_TEXT:
		return bsearch(&have->text, q->texts, (size_t)q->n_texts, sizeof have->text, subquery_by_text) != NULL;
	default:
		return false;
	}
}

/* Whether what compares so to the end of the values holds for one of them: for less the greatest decides, for greater the least. */
static bool
holds(enum method m, int order)
{
	switch (m) {
	case Q_LESS:
		return order < 0;
	case Q_LESS_EQUAL:
		return order <= 0;
	case Q_GREATER:
		return order > 0;
	default:
		return order >= 0;
	}
}

static bool
holds_real(enum method m, double have, double want)
{
	return holds(m, have < want ? -1 : have > want);
}

/* Numbers and texts that are numbers order as numbers, two texts else as texts; two whole numbers exactly. */
static bool
orders(const struct node *q, const struct fact *have)
{
	enum method m = q->method;
	int end = m == Q_LESS || m == Q_LESS_EQUAL;

	if (have->kind == FACT_TEXT && !have->numeric)
		return q->in_texts.any && holds(m, subquery_order(have->text, q->in_texts.text[end]));
	if (have->kind == FACT_TEXT && q->in_words.any && holds(m, subquery_order(have->text, q->in_words.text[end])))
		return true;
	if (!have->numeric)
		return false;
	if (q->in_reals.any && holds_real(m, have->real, q->in_reals.real[end]))
		return true;
	if (!q->in_wholes.any)
		return false;
	if (have->kind == FACT_WHOLE)
		return holds(m, have->whole < q->in_wholes.whole[end] ? -1 : have->whole > q->in_wholes.whole[end]);
	return holds_real(m, have->real, (double)q->in_wholes.whole[end]);
}

static bool
leaf_match(const struct node *q, struct facts *payload)
{
	const struct fact *have = facts_get(payload, q->attribute);

	if (have == NULL)
		return false;
	switch (q->method) {
	case Q_NULL:
	case Q_NOT_NULL:
		return (have->kind == FACT_NULL) == (q->method == Q_NULL);
	case Q_EQUAL:
	case Q_NOT_EQUAL:
		return equals(q, have) == (q->method == Q_EQUAL);
	default:
		return orders(q, have);
	}
}

static bool
node_match(const struct node *q, struct facts *payload)
{
	if (q->method == Q_SELECT)
		return true;
	if (q->method != Q_AND && q->method != Q_OR)
		return leaf_match(q, payload);
	for (int i = 0; i < q->n; i++)
		if (node_match(&q->kids[i], payload) == (q->method == Q_OR))
			return q->method == Q_OR;
	return q->method == Q_AND;
}

bool
filter_match(struct filter *f, struct facts *payload, uint64_t event)
{
	if (f == NULL || f->all)
		return true;
	if (event == 0 || f->asked != event) {
		f->asked = event;
		f->matched = payload->object && node_match(&f->top, payload);
	}
	return f->matched;
}
