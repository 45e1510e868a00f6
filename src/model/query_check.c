/* The rules of queries: which values a method takes, which types an attribute compares with, which index a filter needs. */
#include "query_priv.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/vtime.h"

#include <ctype.h>

enum { VALUES_TEXT_MAX = 100, VALUES_JSON_MAX = 500 };

static const struct query_attr builtin[] = {
    {"$id", NULL, ATTR_STRING, false, true},
    {"$createdAt", "created", ATTR_DATETIME, false, true},
    {"$updatedAt", "updated", ATTR_DATETIME, false, true},
    {QUERY_SEQUENCE, NULL, ATTR_INTEGER, false, true, .digits = true},
};

static const struct query_attr *
find_attr(const struct query_list *l, const char *key)
{
	for (int i = 0; i < l->n_attrs; i++)
		if (strcmp(l->attrs[i].key, key) == 0)
			return &l->attrs[i];
	for (size_t i = 0; i < sizeof builtin / sizeof builtin[0]; i++)
		if (strcmp(builtin[i].key, key) == 0)
			return &builtin[i];
	return NULL;
}

/* In the client's words: createdAfter says no attribute. */
static const char *
subject(const struct query *q)
{
	return q->sugar ? q->word : q->attr;
}

static bool
type_fits(const struct query *q, const struct query_value *v)
{
	switch (q->on->type) {
	case ATTR_STRING:
	case ATTR_DATETIME:
		return v->type == QV_TEXT;
	case ATTR_INTEGER:
		return v->type == QV_INT;
	case ATTR_FLOAT:	/* the text grammar of 1.0 tells 5 from 5.0 */
		return v->type == QV_FLOAT || (q->later && v->type == QV_INT);
	case ATTR_BOOLEAN:
		return v->type == QV_BOOL;
	case ATTR_GEO:	/* query_geo_check */
		break;
	}
	return false;
}

/* Clients that do not hold 64 bits send digits, and later servers write the creation number as text. */
static void
number_of_text(const struct query *q, struct query_value *v)
{
	if (q->on->digits && v->type == QV_TEXT && str_to_i64_rounded(v->s, &v->i))
		v->type = QV_INT;
}

/* What no value of the attribute can be. */
static bool
out_of_range(const struct query *q, const struct query_value *v)
{
	if (!q->later || v->type != QV_INT)
		return false;
	return (q->on->narrow && (v->i > INT32_MAX || v->i < -(int64_t)INT32_MAX)) || (strcmp(q->on->key, QUERY_SEQUENCE) == 0 && v->i < 1);
}

static bool
query_check_check_values(struct ctx *cx, struct query *q, const char **why_out)
{
	if (q->on->type == ATTR_GEO)
		return query_geo_check(cx, q, why_out);
	for (int i = 0; i < q->n; i++) {
		int64_t ms;

		number_of_text(q, &q->v[i]);
		if (!type_fits(q, &q->v[i]) || out_of_range(q, &q->v[i]) || (q->on->type == ATTR_DATETIME && !time_parse(q->v[i].s, &ms))) {
			*why_out = arena_printf(cx->arena, "Query value is invalid for attribute \"%s\"", subject(q));
			return false;
		}
	}
	return true;
}

static bool
for_text(enum query_method m)
{
	switch (m) {
	case Q_SEARCH:
	case Q_NOT_SEARCH:
	case Q_STARTS:
	case Q_NOT_STARTS:
	case Q_ENDS:
	case Q_NOT_ENDS:
		return true;
	default:
		return false;
	}
}

static bool
for_content(enum query_method m)
{
	return m == Q_CONTAINS || m == Q_CONTAINS_ANY || m == Q_CONTAINS_ALL || m == Q_NOT_CONTAINS;
}

/* Which methods go with which attribute; the text grammar of 1.0 has no methods to tell apart but search, and knew lists of documents alone. */
static bool
check_method(struct ctx *cx, const struct query_list *l, const struct query *q, const char **why_out)
{
	const struct query_attr *a = q->on;
	bool lists = q->later || !(l->flags & QUERY_NEEDS_INDEX);
	const char *because = NULL;

	if (a->link && (for_text(q->method) || for_content(q->method))) {
		*why_out = arena_printf(cx->arena, "Cannot query %s on related attribute \"%s\".", q->word, q->attr);
		return false;
	}
	if (query_geo_only(q->method) && a->type != ATTR_GEO)
		because = "it is not spatial";
	else if (a->type == ATTR_GEO && !query_geo_also(q->method))
		because = "it is spatial";
	else if (a->type == ATTR_GEO)
		return true;
	else if (a->via == NULL && q->method == Q_CONTAINS_ALL && !a->array)
		because = "it is not an array";
	else if (for_content(q->method) && !a->array && a->type != ATTR_STRING && !(a->via != NULL && q->method == Q_CONTAINS_ALL))
		because = "it is not an array, string, or object";
	else if (for_text(q->method) && a->type != ATTR_STRING)
		because = "it is not a string";
	else if (a->array && lists && !for_content(q->method) && q->method != Q_IS_NULL && q->method != Q_IS_NOT_NULL &&
	    (q->later || !for_text(q->method)))
		because = "it is an array";
	if (because != NULL)
		*why_out = arena_printf(cx->arena, "Cannot query %s on attribute \"%s\" because %s.", q->word, q->attr, because);
	return because == NULL;
}

static bool
check_arity(struct ctx *cx, const struct query *q, const char **why_out)
{
	const struct query_method_info *m = &query_methods[q->method];
	int max = !q->later ? VALUES_TEXT_MAX : m->max < 0 ? VALUES_JSON_MAX : m->max;

	if (q->n > max && (!q->later || m->max < 0))
		*why_out = arena_printf(cx->arena, "Query on attribute has greater than %d values: %s", max, subject(q));
	else if (q->n > max || q->n < m->min)
		*why_out = arena_printf(cx->arena, "%s takes %s%d value%s", q->word, m->max < 0 ? "at least " : "", m->min,
		    m->min == 1 ? "" : "s");
	else
		return true;
	return false;
}

static bool
resolve(struct ctx *cx, const struct query_list *l, struct query *q, const char **why_out)
{
	if ((q->on = find_attr(l, q->attr)) == NULL)
		*why_out = arena_printf(cx->arena, "Attribute not found in schema: %s", q->attr);
	else if (q->on->sealed)
		*why_out = arena_printf(cx->arena, "Cannot query encrypted attribute: %s", q->attr);
	else if (q->on->list_side)
		*why_out = arena_printf(cx->arena, "Cannot query on virtual relationship attribute: %s", q->attr);
	return q->on != NULL && !q->on->sealed && !q->on->list_side;
}

static bool
check_filter(struct ctx *cx, const struct query_list *l, struct query *q, const char **why_out)
{
	if (!resolve(cx, l, q, why_out) || !check_method(cx, l, q, why_out) || !check_arity(cx, q, why_out) ||
	    !query_check_check_values(cx, q, why_out))
		return false;
	if ((q->method == Q_SEARCH || q->method == Q_NOT_SEARCH) && (q->later || !(l->flags & QUERY_NEEDS_INDEX)) &&
	    query_fulltext(l, q->attr) == NULL && q->on->words == NULL) {
		*why_out = arena_printf(cx->arena, "Searching by attribute \"%s\" requires a fulltext index.", q->attr);
		return false;
	}
	return true;
}

/* "And" of "and". */
static const char *
capital(struct ctx *cx, const char *word)
{
	char *text = arena_strdup(cx->arena, word);

	text[0] = (char)toupper((unsigned char)text[0]);
	return text;
}

static bool
check_logic(struct ctx *cx, const struct query_list *l, struct query *q, const char **why_out)
{
	if (q->n_sub < query_methods[q->method].min || q->n_sub > VALUES_JSON_MAX) {
		*why_out = arena_printf(cx->arena, "%s queries require at least two queries", capital(cx, q->word));
		return false;
	}
	for (int i = 0; i < q->n_sub; i++) {
		enum query_kind kind = query_methods[q->sub[i].method].kind;

		if (kind != QK_FILTER && kind != QK_LOGIC) {
			*why_out = arena_printf(cx->arena, "%s queries can only contain filter queries", capital(cx, q->word));
			return false;
		}
		if (!query_check(cx, l, &q->sub[i], why_out))
			return false;
	}
	return true;
}

/* limit and offset: whole numbers, in quotes too. Leaves the number in v[0].i. */
static bool
query_check_check_number(struct ctx *cx, const struct query_list *l, struct query *q, int64_t min, int64_t max, const char **why_out)
{
	const char *name = q->word;
	bool ok = q->n >= 1 && (!q->json || q->n == 1);

	if (ok && q->v[0].type == QV_TEXT)
		ok = str_to_i64_rounded(q->v[0].s, &q->v[0].i);
	else if (ok)
		ok = q->v[0].type == QV_INT;
	if (ok && (q->v[0].i < min || (max >= 0 && q->v[0].i > max)))
		ok = false;
	if (!ok && max >= 0)
		*why_out = arena_printf(cx->arena, "%s is a whole number from %lld to %lld", name, (long long)min, (long long)max);
	else if (!ok)
		*why_out = arena_printf(cx->arena, "%s is a whole number of at least %lld", name, (long long)min);
	(void)l;
	return ok;
}

static bool
check_cursor(struct query *q, const char **why_out)
{
	if (q->n >= 1 && (!q->json || q->n == 1) && q->v[0].type == QV_TEXT && id_valid(q->v[0].s))
		return true;
	*why_out = "a cursor is the id of a record";
	return false;
}

/* At most VALUES_JSON_MAX names. */
static bool
check_distinct(const struct query *q, const char **why_out)
{
	for (int i = 0; q->later && i < q->n; i++)
		for (int k = 0; k < i; k++)
			if (q->v[i].type == QV_TEXT && q->v[k].type == QV_TEXT && str_eq(q->v[i].s, q->v[k].s)) {
				*why_out = "Duplicate attributes selected";
				return false;
			}
	return true;
}

/* "author.name" of a relationship "author"; whether there is such a name the reader of related records sees. */
static bool
is_of_relation(const struct query_list *l, struct str name)
{
	for (int i = 0; i < l->n_attrs; i++) {
		size_t n = l->attrs[i].link ? strlen(l->attrs[i].key) : name.n;

		if (name.n > n && name.p[n] == '.' && memcmp(name.p, l->attrs[i].key, n) == 0)
			return true;
	}
	return false;
}

static bool
is_relation(const struct query_list *l, const struct query_value *v)
{
	for (int i = 0; i < l->n_attrs; i++)
		if (v->type == QV_TEXT && l->attrs[i].link && str_is(v->s, l->attrs[i].key))
			return true;
	return false;
}

static bool
check_select(struct ctx *cx, const struct query_list *l, struct query *q, const char **why_out)
{
	static const char *const system[] = {"*", "$permissions", "$collectionId", "$tableId", "$databaseId"};

	if (!(l->flags & QUERY_SELECT) && l->chosen == NULL) {
		*why_out = "select is not possible here";
		return false;
	}
	if (q->n == 0) {
		*why_out = "No attributes selected";
		return false;
	}
	if (!check_arity(cx, q, why_out) || !check_distinct(q, why_out))
		return false;
	for (int i = 0; i < q->n; i++) {
		bool known = false;

		for (size_t k = 0; k < sizeof system / sizeof system[0] && q->v[i].type == QV_TEXT; k++)
			known = known || str_is(q->v[i].s, system[k]);
		if (is_relation(l, &q->v[i])) {
			*why_out = arena_printf(cx->arena, "Cannot select attributes: %s", q->v[i].s.p);
			return false;
		}
		if (known || (q->v[i].type == QV_TEXT && (is_of_relation(l, q->v[i].s) || find_attr(l, q->v[i].s.p) != NULL || (l->chosen != NULL && shape_has(l->chosen, q->v[i].s)))))
			continue;
		*why_out = q->v[i].type == QV_TEXT ? arena_printf(cx->arena, "Attribute not found in schema: %s", q->v[i].s.p)
						   : "select takes keys of attributes";
		return false;
	}
	return true;
}

static bool
check_order(struct ctx *cx, const struct query *q, const char **why_out)
{
	if (q->on->via != NULL)
		*why_out = arena_printf(cx->arena, "Cannot order by nested attribute: %s", q->attr);
	else if (q->on->type == ATTR_GEO)
		*why_out = arena_printf(cx->arena, "Cannot order by spatial attribute: %s", q->attr);
	return q->on->via == NULL && q->on->type != ATTR_GEO;
}

static bool
equals_related(const struct query *q)
{
	return q->method == Q_EQUAL && q->on->via != NULL && !q->on->link;
}

/* Of one related record both would be true, or of none. */
static bool
check_apart(struct ctx *cx, const struct query *q, int n, const char **why_out)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; equals_related(&q[i]) && k < i; k++)
			if (equals_related(&q[k]) && q[k].on == q[i].on) {
				*why_out = arena_printf(cx->arena, "Two equal queries on \"%s\": one related record is to fulfil both. For one of each value there is containsAll.",
				    q[i].attr);
				return false;
			}
	return true;
}

/* Those within one `and` go together, as those of the whole request do; of an `or` each stands for itself. */
static bool
check_apart_within(struct ctx *cx, const struct query *q, const char **why_out)
{
	if (q->method == Q_AND && !check_apart(cx, q->sub, q->n_sub, why_out))
		return false;
	for (int i = 0; i < q->n_sub; i++)
		if (!check_apart_within(cx, &q->sub[i], why_out))
			return false;
	return true;
}

bool
query_check_twice(struct ctx *cx, const struct query *q, int n, const char **why_out)
{
	for (int i = 0; i < n; i++)
		if (!check_apart_within(cx, &q[i], why_out))
			return false;
	return check_apart(cx, q, n, why_out);
}

bool
query_check(struct ctx *cx, const struct query_list *l, struct query *q, const char **why_out)
{
	enum query_kind kind = query_methods[q->method].kind;

	if ((l->flags & QUERY_ONLY_PAGE) && kind != QK_LIMIT && kind != QK_OFFSET) {
		*why_out = arena_printf(cx->arena, "%s is not possible here", q->word);
		return false;
	}
	switch (kind) {
	case QK_FILTER:
		return check_filter(cx, l, q, why_out);
	case QK_LOGIC:
		return check_logic(cx, l, q, why_out);
	case QK_ORDER:
		return q->method == Q_ORDER_RANDOM || *q->attr == '\0' || (resolve(cx, l, q, why_out) && check_order(cx, q, why_out));
	case QK_LIMIT:
		return query_check_check_number(cx, l, q, q->json ? 1 : 0, q->later ? conf.list_rows_max : 100, why_out);
	case QK_OFFSET:
		return query_check_check_number(cx, l, q, 0, q->later ? -1 : 5000, why_out);
	case QK_CURSOR:
		return check_cursor(q, why_out);
	case QK_SELECT:
		return check_select(cx, l, q, why_out);
	}
	return false;
}

const struct query_index *
query_fulltext(const struct query_list *l, const char *attr)
{
	for (int i = 0; i < l->n_indexes; i++) {
		const struct query_index *x = &l->indexes[i];

		if (x->words != NULL && x->available && x->attributes.n == 1 && strcmp(x->attributes.v[0], attr) == 0)
			return x;
	}
	return NULL;
}

static bool
query_check_has(const struct strs *s, const char *key)
{
	for (int i = 0; i < s->n; i++)
		if (strcmp(s->v[i], key) == 0)
			return true;
	return false;
}

static bool
same_set(const struct strs *a, const struct strs *b)
{
	for (int i = 0; i < a->n; i++)
		if (!query_check_has(b, a->v[i]))
			return false;
	for (int i = 0; i < b->n; i++)
		if (!query_check_has(a, b->v[i]))
			return false;
	return true;
}

static bool
same_list(const struct strs *a, const struct strs *b)
{
	for (int i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return a->n == b->n;
}

/* $id, $createdAt and $updatedAt have indexes of their own from the start. */
static bool
built_in(const struct strs *s)
{
	if (s->n != 1)
		return false;
	for (size_t i = 0; i < sizeof builtin / sizeof builtin[0]; i++)
		if (strcmp(builtin[i].key, s->v[0]) == 0)
			return true;
	return false;
}

static const char *
query_check_joined(struct ctx *cx, const struct strs *s)
{
	struct buf b;

	buf_init(&b, cx->arena, 64);
	for (int i = 0; i < s->n; i++)
		buf_printf(&b, "%s%s", i ? "," : "", s->v[i]);
	return b.p ? b.p : "";
}

bool
query_check_indexes(struct ctx *cx, const struct query_list *l, const struct query *q, int n, const char **why_out)
{
	struct strs filters = {.v = arena_array(cx->arena, const char *, n + 1)};
	struct strs orders = {.v = arena_array(cx->arena, const char *, n + 1)};
	bool search = false, found = false, words = false, sorted = false;

	for (int i = 0; i < n; i++) {
		enum query_kind kind = query_methods[q[i].method].kind;

		if (q[i].later)
			continue;
		if (kind == QK_FILTER && !query_check_has(&filters, q[i].attr))
			filters.v[filters.n++] = q[i].attr;
		if (kind == QK_ORDER && *q[i].attr)
			orders.v[orders.n++] = q[i].attr;
		search = search || q[i].method == Q_SEARCH;
	}
	for (int i = 0; i < l->n_indexes; i++) {
		bool same = same_set(&l->indexes[i].attributes, &filters);

		found = found || same;
		words = words || (same && l->indexes[i].words != NULL && l->indexes[i].available);
		sorted = sorted || (l->indexes[i].available && same_list(&l->indexes[i].attributes, &orders));
	}
	if (filters.n && !found && !built_in(&filters))
		*why_out = arena_printf(cx->arena, "Index not found: %s", query_check_joined(cx, &filters));
	else if (search && !words)
		*why_out = arena_printf(cx->arena, "search needs a fulltext index: %s", query_check_joined(cx, &filters));
	else if (orders.n && !sorted && !built_in(&orders))
		*why_out = arena_printf(cx->arena, "Index not found: %s", query_check_joined(cx, &orders));
	else
		return true;
	return false;
}
