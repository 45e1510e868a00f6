/* Queries of a subscription (spec realtime.md B4): a few methods of the JSON grammar, evaluated against the top-level members of an
 * event's payload. An attribute that the payload lacks matches nothing. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

enum { DEPTH_MAX = 8, NODES_MAX = 500 };

enum method { Q_EQUAL, Q_NOT_EQUAL, Q_LESS, Q_LESS_EQUAL, Q_GREATER, Q_GREATER_EQUAL, Q_NULL, Q_NOT_NULL, Q_AND, Q_OR, Q_SELECT, Q_N };

static const char *const names[Q_N] = {"equal", "notEqual", "lessThan", "lessThanEqual", "greaterThan", "greaterThanEqual", "isNull",
	"isNotNull", "and", "or", "select"};

struct node {
	enum method method;
	int n;			/* of Q_AND and Q_OR */
	struct node *kids;
	char *attribute;
	json_t *values;		/* a list; a reference of ours */
};

struct filter {
	size_t size;		/* rough memory, for the limit of a connection */
	bool all;		/* a select is among them */
	struct node top;	/* Q_AND over the queries */
};

/* What is being read: how much is left of the limits. */
struct reading {
	struct ctx *cx;
	int nodes;
};

static void
node_fini(struct node *q)
{
	for (int i = 0; i < q->n; i++)
		node_fini(&q->kids[i]);
	free(q->kids);
	free(q->attribute);
	json_decref(q->values);
}

void
filter_free(struct filter **fp)
{
	struct filter *f = *fp;

	*fp = NULL;
	if (f == NULL)
		return;
	node_fini(&f->top);
	free(f);
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

static const char *read_node(struct reading *rd, const json_t *j, int depth, struct node *q);

static const char *
read_kids(struct reading *rd, const json_t *values, int depth, struct node *q)
{
	size_t n = json_array_size(values);
	const char *why = NULL;

	if (n == 0)
		return "A group of queries is empty.";
	q->kids = mem_zalloc(n * sizeof *q->kids);
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

	(void)rd;
	if (attribute.n == 0 || memchr(attribute.p, '\0', attribute.n) != NULL)
		return "An attribute is missing.";
	if (!null_check && (json_array_size(values) == 0 || !all_plain(values)))
		return "Values must be a list of plain values.";
	q->attribute = mem_alloc(attribute.n + 1);
	memcpy(q->attribute, attribute.p, attribute.n);
	q->attribute[attribute.n] = '\0';
	q->values = null_check ? json_array() : json_incref(json_object_get(j, "values"));
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
	if (q->method == Q_N) {
		q->method = Q_AND;
		return not_supported(rd, method);
	}
	if (values != NULL && !json_is_array(values))
		return "Values must be a list.";
	if (q->method == Q_AND || q->method == Q_OR)
		return read_kids(rd, values, depth, q);
	if (q->method == Q_SELECT) {
		q->values = json_pack("[s]", "*");
		return is_star(values) ? NULL : "Only [\"*\"] can be selected.";
	}
	return read_leaf(rd, j, values, q);
}

const char *
filter_new(struct ctx *cx, const struct str *queries, int n, struct filter **out)
{
	struct reading rd = {.cx = cx};
	struct filter *f;
	const char *why = NULL;

	*out = NULL;
	if (n == 0)
		return NULL;
	f = mem_zalloc(sizeof *f);
	f->top.method = Q_AND;
	f->top.kids = mem_zalloc((size_t)n * sizeof(struct node));
	f->size = sizeof *f;
	for (int i = 0; i < n && why == NULL; i++) {
		const json_t *j = json_parse(cx, queries[i], NULL);

		f->top.n++;
		f->size += 256 + 4 * queries[i].n;
		why = j ? read_node(&rd, j, 1, &f->top.kids[i]) : "A query is no JSON.";
		f->all |= f->top.kids[i].method == Q_SELECT;
	}
	if (why != NULL)
		filter_free(&f);
	*out = f;
	return why;
}

size_t
filter_size(const struct filter *f)
{
	return f ? f->size : 0;
}

/* ---- evaluation ---- */

/* Text that is a number as a whole. */
static bool
subquery_numeric(const json_t *j, double *out)
{
	const char *s;
	char *end;

	if (json_is_number(j)) {
		*out = json_number_value(j);
		return true;
	}
	s = json_string_value(j);
	if (s == NULL || *s == '\0' || strspn(s, "+-.0123456789eE") != strlen(s))
		return false;
	*out = strtod(s, &end);
	return *end == '\0';
}

static bool
subquery_same(const json_t *a, const json_t *b)
{
	if (json_is_number(a) && json_is_number(b))
		return json_is_integer(a) && json_is_integer(b) ? json_integer_value(a) == json_integer_value(b)
								 : json_number_value(a) == json_number_value(b);
	return json_equal(a, b);
}

/* <0, 0, >0; false when the two cannot be ordered. */
static bool
compare(const json_t *a, const json_t *b, int *out)
{
	double x, y;

	if (json_is_integer(a) && json_is_integer(b)) {
		*out = json_integer_value(a) < json_integer_value(b) ? -1 : json_integer_value(a) > json_integer_value(b);
		return true;
	}
	if (subquery_numeric(a, &x) && subquery_numeric(b, &y)) {
		*out = x < y ? -1 : x > y;
		return true;
	}
	if (!json_is_string(a) || !json_is_string(b))
		return false;
	*out = strcmp(json_string_value(a), json_string_value(b));
	return true;
}

static bool
subquery_holds(enum method m, const json_t *have, const json_t *want)
{
	int order;

	if (m == Q_EQUAL)
		return subquery_same(have, want);
	if (!compare(have, want, &order))
		return false;
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
leaf_match(const struct node *q, const json_t *payload)
{
	const json_t *have = json_object_get(payload, q->attribute);
	enum method m = q->method == Q_NOT_EQUAL ? Q_EQUAL : q->method;

	if (have == NULL)
		return false;
	if (q->method == Q_NULL || q->method == Q_NOT_NULL)
		return json_is_null(have) == (q->method == Q_NULL);
	for (size_t i = 0; i < json_array_size(q->values); i++)
		if (subquery_holds(m, have, json_array_get(q->values, i)))
			return q->method != Q_NOT_EQUAL;
	return q->method == Q_NOT_EQUAL;
}

static bool
node_match(const struct node *q, const json_t *payload)
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
filter_match(const struct filter *f, const json_t *payload)
{
	return f == NULL || f->all || (json_is_object(payload) && node_match(&f->top, payload));
}

/* ---- the canonical form ---- */

static void
node_write(struct jw *w, const struct node *q)
{
	jw_obj(w);
	JW_KEY(w, "method");
	jw_cstr(w, names[q->method]);
	if (q->attribute != NULL) {
		JW_KEY(w, "attribute");
		jw_cstr(w, q->attribute);
	}
	JW_KEY(w, "values");
	if (q->n > 0) {
		jw_arr(w);
		for (int i = 0; i < q->n; i++)
			node_write(w, &q->kids[i]);
		jw_arr_end(w);
	} else
		jw_value(w, q->values);
	jw_obj_end(w);
}

void
filter_write(struct jw *w, const struct filter *f)
{
	for (int i = 0; f != NULL && i < f->top.n; i++) {
		struct buf b;
		struct jw inner;

		buf_init(&b, NULL, 128);
		jw_init(&inner, &b);
		node_write(&inner, &f->top.kids[i]);
		jw_str(w, buf_view(&b));
		buf_fini(&b);
	}
}
