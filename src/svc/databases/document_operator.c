/* Operators: {"method":"increment","values":[1]} in the place of a value says what becomes of the value that is there. What one does is an SQL
 * expression in a table; the write's own statement carries it out, so that two of them never see the same value.
 *
 * In the expressions {c} is the value that is there, {v} the same with nothing as 0, "" or an empty list, {1} and {2} the operator's values, {i} all of
 * them as a list, {n} the type that is counted in, {t} the type of one value, {k} what makes texts compare letter by letter, {f} the condition of a
 * filter, {l} whether an element x is among the values, {s} the size of a text, and no more than a request could bring. A bound that is not given is NULL, and no comparison with that is true. */
#include "document_priv.h"

#include "core/conf.h"
#include "core/vtime.h"

enum { ITEMS_MAX = 10000, ITEM_BYTES = 30 };	/* ITEM_BYTES: about, of what is no text */

enum operand { ON_NUMBER, ON_TEXT, ON_BOOLEAN, ON_LIST, ON_DATE };
static const char *const operand_words[] = {"non-numeric", "non-string", "non-boolean", "non-array", "non-datetime"};

/* What the values are. */
enum takes {
	TAKES_NONE,
	TAKES_NUMBERS,		/* one, 1 by default, and a bound */
	TAKES_DIVISOR,		/* the same, and not 0; there is no default */
	TAKES_FACTOR,		/* the same, which may be 0 */
	TAKES_TEXTS,
	TAKES_ITEMS,		/* of the list */
	TAKES_PLACE,		/* a place in the list, and an item */
	TAKES_CONDITION,	/* of filter_conditions, and what to compare with */
	TAKES_DAYS
};

struct doc_operator {
	const char *method;
	enum operand on;
	enum takes takes;
	int min, max;		/* values; max -1: as many as a list may have */
	const char *sql, *sql_float;	/* sql_float: of floats; NULL: the same */
	bool partial;		/* NULL comes of it where it cannot be done */
};

#define STEP(sign, beyond) "CASE WHEN {v}::{n} " sign " {1} " beyond " {2} THEN {c} ELSE ({v}::{n} " sign " {1})::{t} END"
#define KEPT(cond) "ARRAY(SELECT x FROM unnest({v}) WITH ORDINALITY AS u(x, n) WHERE " cond " ORDER BY n)"

static const struct doc_operator operators[] = {
    {"increment", ON_NUMBER, TAKES_NUMBERS, 0, 2, STEP("+", ">"), NULL, false},
    {"decrement", ON_NUMBER, TAKES_NUMBERS, 0, 2, STEP("-", "<"), NULL, false},
    {"multiply", ON_NUMBER, TAKES_FACTOR, 1, 2, STEP("*", ">"), NULL, false},
    {"divide", ON_NUMBER, TAKES_DIVISOR, 1, 2, STEP("/", "<"), NULL, false},
    {"modulo", ON_NUMBER, TAKES_DIVISOR, 1, 1, "mod({v}::{n}, {1})::{t}", "({v} - {1} * trunc({v} / {1}))", false},
    /* what would be no number, or beyond all numbers, is not worked out where there is a bound */
    {"power", ON_NUMBER, TAKES_FACTOR, 1, 2,
	"CASE WHEN ({v} = 0 AND {1} < 0) OR ({v} < 0 AND {1} <> trunc({1})) THEN {c} WHEN {v} <> 0 AND {1}::float8 * ln(abs({v}::float8)) < -700 THEN 0 "
	"WHEN {v} <> 0 AND {1}::float8 * ln(abs({v}::float8)) > 709 AND {2} IS NOT NULL THEN {c} "
	"WHEN power({v}::float8, {1}::float8) > {2} THEN {c} ELSE power({v}::float8, {1}::float8)::{t} END", NULL, false},
    {"stringConcat", ON_TEXT, TAKES_TEXTS, 1, 1, "{v} || {1}", NULL, false},
    /* how long it becomes is known before it is made, and too long is an error */
    {"stringReplace", ON_TEXT, TAKES_TEXTS, 2, 2,
	"CASE WHEN {1} = '' THEN {c} WHEN char_length({c}) + (char_length({c}) - char_length(replace({c}{k}, {1}{k}, ''{k}))) / char_length({1})::bigint * "
	"(char_length({2}) - char_length({1})) > {s} THEN (1 / (char_length({c}) * 0))::text ELSE replace({c}{k}, {1}{k}, {2}{k}) END", NULL, false},
    {"toggle", ON_BOOLEAN, TAKES_NONE, 0, 0, "NOT coalesce({c}, false)", NULL, false},
    {"arrayAppend", ON_LIST, TAKES_ITEMS, 0, -1, "{v} || {i}", NULL, false},
    {"arrayPrepend", ON_LIST, TAKES_ITEMS, 0, -1, "{i} || {v}", NULL, false},
    {"arrayInsert", ON_LIST, TAKES_PLACE, 2, 2, "CASE WHEN {1} > cardinality({v}) THEN NULL ELSE ({v})[1:{1}] || {2} || ({v})[{1} + 1:] END", NULL, true},
    {"arrayRemove", ON_LIST, TAKES_ITEMS, 1, 1, KEPT("{l} IS NOT TRUE"), NULL, false},
    {"arrayUnique", ON_LIST, TAKES_NONE, 0, 0,
	"ARRAY(SELECT x FROM (SELECT DISTINCT ON (x{k}) x, n FROM unnest({v}) WITH ORDINALITY AS u(x, n) ORDER BY x{k}, n) AS d ORDER BY n)", NULL, false},
    {"arrayIntersect", ON_LIST, TAKES_ITEMS, 1, -1, KEPT("{l}"), NULL, false},
    {"arrayDiff", ON_LIST, TAKES_ITEMS, 0, -1, KEPT("{l} IS NOT TRUE"), NULL, false},
    {"arrayFilter", ON_LIST, TAKES_CONDITION, 1, 2, KEPT("{f}"), NULL, false},
    {"dateAddDays", ON_DATE, TAKES_DAYS, 1, 1, "{c} + make_interval(days => {1})", NULL, false},
    {"dateSubDays", ON_DATE, TAKES_DAYS, 1, 1, "{c} - make_interval(days => {1})", NULL, false},
    {"dateSetNow", ON_DATE, TAKES_NONE, 0, 0, "coalesce({1}, {c})", NULL, false},	/* {c} is a parameter that has to be named */
};

static const struct filter_condition {
	const char *name, *sql;
	int values;		/* with the name */
} filter_conditions[] = {
    {"equal", "x{k} = {2}", 2},
    {"notEqual", "x{k} <> {2}", 2},
    {"greaterThan", "x{k} > {2}", 2},
    {"greaterThanEqual", "x{k} >= {2}", 2},
    {"lessThan", "x{k} < {2}", 2},
    {"lessThanEqual", "x{k} <= {2}", 2},
    {"isNull", "x IS NULL", 1},
    {"isNotNull", "x IS NOT NULL", 1},
};

static const struct doc_operator *
operator_by(const char *method)
{
	for (size_t i = 0; method != NULL && i < sizeof operators / sizeof *operators; i++)
		if (strcmp(operators[i].method, method) == 0)
			return &operators[i];
	return NULL;
}

static const struct filter_condition *
condition_of(const json_t *values)
{
	const char *name = json_string_value(json_array_get(values, 0));

	for (size_t i = 0; name != NULL && i < sizeof filter_conditions / sizeof *filter_conditions; i++)
		if (strcmp(filter_conditions[i].name, name) == 0)
			return &filter_conditions[i];
	return NULL;
}

/* ---- types ---- */

static const char *
element_type(const struct attribute *a)
{
	switch (a->type) {
	case ATTR_STRING:
		return "text";
	case ATTR_INTEGER:
		return "bigint";
	case ATTR_FLOAT:
		return "float8";
	case ATTR_BOOLEAN:
		return "boolean";
	case ATTR_DATETIME:
		return "timestamptz";
	case ATTR_GEO:	/* doc_cast */
		break;
	}
	return NULL;
}

const char *
doc_cast(struct arena *mem, const struct attribute *a)
{
	if (a->type == ATTR_GEO)
		return arena_printf(mem, "%s.geometry", a->geo);
	return a->array && !a->encrypt ? arena_printf(mem, "%s[]", element_type(a)) : element_type(a);
}

static bool
works_on(enum operand on, const struct attribute *a)
{
	if (on == ON_LIST || a->array)
		return on == ON_LIST && a->array;
	switch (on) {
	case ON_NUMBER:
		return a->type == ATTR_INTEGER || a->type == ATTR_FLOAT;
	case ON_TEXT:
		return a->type == ATTR_STRING;
	case ON_BOOLEAN:
		return a->type == ATTR_BOOLEAN;
	case ON_DATE:
		return a->type == ATTR_DATETIME;
	case ON_LIST:
		break;
	}
	return false;
}

/* ---- the check ---- */

static const char *
why_numbers(const struct doc_operator *op, const json_t *values)
{
	for (size_t i = 0; i < json_array_size(values); i++) {
		const json_t *v = json_array_get(values, i);

		if (!json_is_number(v) && !(i == 1 && json_is_null(v)))
			return "its values are numbers";
	}
	return op->takes == TAKES_DIVISOR && json_number_value(json_array_get(values, 0)) == 0 ? "nothing can be divided by 0" : NULL;
}

/* Whether an item may be in the list, by the rules of the attribute. */
static const char *
why_item(struct ctx *cx, const struct attribute *a, const json_t *item)
{
	const char *check, *why;
	struct str text;

	if (json_is_null(item) && !a->required)
		return NULL;
	return json_is_null(item) || !doc_value_ok(cx, a, item, &text, &check, &why) ? "its items are none of the attribute's" : NULL;
}

static const char *
why_items(struct ctx *cx, const struct doc_act *act, size_t from)
{
	const char *why = NULL;

	for (size_t i = from; i < json_array_size(act->values) && why == NULL; i++)
		why = why_item(cx, act->a, json_array_get(act->values, i));
	return why;
}

static const char *
why_values(struct ctx *cx, const struct doc_act *act)
{
	const json_t *values = act->values, *first = json_array_get(values, 0);
	const struct filter_condition *f;

	switch (act->op->takes) {
	case TAKES_NONE:
		return NULL;
	case TAKES_NUMBERS:
	case TAKES_DIVISOR:
	case TAKES_FACTOR:
		return why_numbers(act->op, values);
	case TAKES_TEXTS:
		for (size_t i = 0; i < json_array_size(values); i++)
			if (!json_is_string(json_array_get(values, i)) || memchr(json_str(json_array_get(values, i)).p, '\0', json_str(json_array_get(values, i)).n))
				return "its values are texts";
		return NULL;
	case TAKES_ITEMS:
		return why_items(cx, act, 0);
	case TAKES_PLACE:
		if (!json_is_integer(first) || json_integer_value(first) < 0 || json_integer_value(first) > INT32_MAX)
			return "the place is a whole number of at least 0";
		return why_items(cx, act, 1);
	case TAKES_CONDITION:
		f = condition_of(values);
		if (f == NULL || (int)json_array_size(values) < f->values)
			return "its values are a condition, and what to compare with";
		return f->values > 1 ? why_items(cx, act, 1) : NULL;
	case TAKES_DAYS:
		return !json_is_integer(first) || json_integer_value(first) > 10000000 || json_integer_value(first) < -10000000 ? "days are a whole number" : NULL;
	}
	return NULL;
}

static err_t
act_check(struct ctx *cx, const char *key, const struct doc_act *act, const json_t *values)
{
	const struct doc_operator *op = act->op;
	size_t n = json_array_size(values);
	const char *why = NULL;

	if (!json_is_array(values))
		why = "its values are a list";
	else if (n < (size_t)op->min || n > (size_t)(op->max < 0 ? ITEMS_MAX : op->max))
		why = op->max < 0 && n > ITEMS_MAX ? "it has more than 10000 values" : "it has another number of values";
	if (why == NULL && (act->a->encrypt || !works_on(op->on, act->a)))
		return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "Invalid document structure: Cannot apply %s operator to %s field '%s'", op->method,
		    operand_words[op->on], key);
	if (why == NULL)
		why = why_values(cx, act);
	return why != NULL ? fail_msg(cx, ERR_GENERAL_BAD_REQUEST, "Invalid operator for attribute \"%s\": %s.", key, why) : OK;
}

/* The object of an operator; NULL: it is an ordinary value. A text with more values than any operator has is none, and is not parsed. */
static const json_t *
operator_in(struct ctx *cx, const json_t *v)
{
	struct str s = json_str(v);
	const json_t *j = v;

	if (s.n > 0 && s.p[0] == '{' && memmem(s.p, s.n, "\"method\"", 8) != NULL && json_values(s) <= ITEMS_MAX + 8)
		j = json_parse_outside(cx, s, NULL);
	return json_is_object(j) && operator_by(json_string_value(json_object_get(j, "method"))) != NULL ? j : NULL;
}

err_t
doc_acts_take(struct ctx *cx, const struct doc_op *o, const struct collection *c, const json_t *data, struct doc_acts *out)
{
	json_t *all = (json_t *)(uintptr_t)data, *rest = NULL;	/* jansson's iterators take a non-const pointer although they change nothing */

	(void)o;
	*out = (struct doc_acts){.rest = data};
	for (void *it = json_object_iter(all); it != NULL; it = json_object_iter_next(all, it)) {
		const char *key = json_object_iter_key(it);
		const struct attribute *a = key[0] == '$' ? NULL : collection_attribute(c, str_c(key));
		const json_t *j = a != NULL && a->place >= 0 ? operator_in(cx, json_object_iter_value(it)) : NULL;

		if (j == NULL)
			continue;
		if (out->v == NULL) {
			out->v = arena_array(cx->arena, struct doc_act, (int)json_object_size(data));
			rest = json_copy(all);
			(void)json_keep(cx, rest);
			out->rest = rest;
		}
		out->v[out->n] = (struct doc_act){.op = operator_by(json_string_value(json_object_get(j, "method"))), .a = a,
		    .values = json_object_get(j, "values")};
		TRY(act_check(cx, key, &out->v[out->n], out->v[out->n].values));
		out->n++;
		(void)json_object_del(rest, key);
	}
	return OK;
}

/* ---- the expression ---- */

static const char *
number_sql(struct ctx *cx, const json_t *j)
{
	if (json_is_integer(j))
		return pg_i64(cx->arena, json_integer_value(j));
	return json_is_real(j) ? doc_float_text(cx->arena, json_real_value(j)).p : NULL;
}

/* The i-th value (from 0) as SQL text, and its type. */
static const char *
operator_value(struct ctx *cx, const struct doc_act *act, int i, const char **type_out)
{
	const json_t *j = json_array_get(act->values, (size_t)i);
	const char *check, *why;
	struct str s = STR_NONE;

	*type_out = "text";
	switch (act->op->takes) {
	case TAKES_NONE:	/* dateSetNow */
		*type_out = "timestamptz";
		return pg_time(cx->arena, time_now_ms());
	case TAKES_NUMBERS:
	case TAKES_DIVISOR:
	case TAKES_FACTOR:
		*type_out = act->a->type == ATTR_INTEGER ? "numeric" : "float8";
		return j == NULL && i == 0 ? "1" : number_sql(cx, j);
	case TAKES_TEXTS:
		return json_str(j).p;
	case TAKES_DAYS:
		*type_out = "int";
		return number_sql(cx, j);
	case TAKES_PLACE:
		if (i == 0) {
			*type_out = "int";
			return number_sql(cx, j);
		}
		break;
	case TAKES_ITEMS:
	case TAKES_CONDITION:
		break;
	}
	*type_out = element_type(act->a);
	if (j != NULL && !json_is_null(j))
		(void)doc_value_ok(cx, act->a, j, &s, &check, &why);	/* it was when it was checked */
	return s.p;
}

struct expression {
	struct ctx *cx;
	const struct doc_act *act;
	const char *current;
	struct doc_params *ps;
	int param[2], list;	/* numbers of parameters that have been made; 0: not yet */
	struct buf *b;
};

static void
put_value(struct expression *x, int i)
{
	const char *type, *v = operator_value(x->cx, x->act, i, &type);

	if (x->param[i] == 0) {
		x->ps->v[x->ps->n++] = v;
		x->param[i] = x->ps->n;
	}
	buf_printf(x->b, "$%d::%s", x->param[i], type);
}

static void
put_items(struct expression *x)
{
	struct str s;

	if (x->list == 0) {
		if (doc_check_array(x->cx, x->act->a, x->act->values, &s) != OK)	/* it was fine when it was checked */
			s = STR("{}");
		x->ps->v[x->ps->n++] = s.p;
		x->list = x->ps->n;
	}
	buf_printf(x->b, "$%d::%s[]", x->list, element_type(x->act->a));
}

static void
put_nothing(struct expression *x)
{
	const struct attribute *a = x->act->a;

	buf_printf(x->b, "coalesce(%s, %s)", x->current, a->array ? arena_printf(x->cx->arena, "'{}'::%s", doc_cast(x->cx->arena, a)) : a->type == ATTR_STRING ? "''" : "0");
}

static void put_expression(struct expression *x, const char *sql);

static void
put_token(struct expression *x, char token)
{
	const struct attribute *a = x->act->a;
	const struct filter_condition *f;

	switch (token) {
	case 'c':
		buf_c(x->b, x->current);
		return;
	case 'v':
		put_nothing(x);
		return;
	case '1':
	case '2':
		put_value(x, token - '1');
		return;
	case 'i':
		put_items(x);
		return;
	case 'n':
		buf_c(x->b, a->type == ATTR_INTEGER ? "numeric" : "float8");
		return;
	case 't':
		buf_c(x->b, element_type(a));
		return;
	case 'k':
		buf_c(x->b, a->type == ATTR_STRING ? " COLLATE \"C\"" : "");
		return;
	case 'l':	/* nothing is among them, too, where it is named; looked for once */
		put_expression(x, "(x{k} = ANY ({i}) OR (x IS NULL AND (SELECT array_position({i}, NULL) IS NOT NULL)))");
		return;
	case 's':
		buf_i64(x->b, a->size < conf.body_max ? a->size : conf.body_max);
		return;
	case 'f':
		if ((f = condition_of(x->act->values)) != NULL)
			put_expression(x, f->sql);
		return;
	default:
		buf_ch(x->b, token);
	}
}

static void
put_expression(struct expression *x, const char *sql)
{
	for (const char *p = sql; *p != '\0'; p++) {
		if (p[0] == '{' && p[1] != '\0' && p[2] == '}') {
			put_token(x, p[1]);
			p += 2;
		} else {
			buf_ch(x->b, *p);
		}
	}
}

void
doc_act_sql(struct ctx *cx, const struct doc_act *act, const char *current, struct doc_params *ps, struct buf *b)
{
	struct expression x = {.cx = cx, .act = act, .current = current, .ps = ps, .b = b};

	put_expression(&x, act->a->type == ATTR_FLOAT && act->op->sql_float ? act->op->sql_float : act->op->sql);
}

/* ---- what comes of it ---- */

static int64_t
bytes_of(const struct doc_act *act, size_t i)
{
	const json_t *v = json_array_get(act->values, i);

	return json_is_string(v) ? (int64_t)json_str(v).n : ITEM_BYTES;
}

int64_t
doc_act_growth(const struct doc_act *act, int64_t width)
{
	int64_t n = 0;

	switch (act->op->takes) {
	case TAKES_TEXTS:
		if (act->op->max == 1)
			return bytes_of(act, 0);
		n = bytes_of(act, 0) > 0 && bytes_of(act, 1) > bytes_of(act, 0) ? width / bytes_of(act, 0) * (bytes_of(act, 1) - bytes_of(act, 0)) : 0;
		return n < 4 * conf.body_max ? n : 4 * conf.body_max;	/* stringReplace makes no more characters */
	case TAKES_ITEMS:
	case TAKES_PLACE:
		for (size_t i = 0; i < json_array_size(act->values); i++)
			n += bytes_of(act, i);
		return n;
	case TAKES_NONE:
	case TAKES_NUMBERS:
	case TAKES_DIVISOR:
	case TAKES_FACTOR:
	case TAKES_CONDITION:
	case TAKES_DAYS:
		break;
	}
	return 0;
}

static bool
bounded(const struct doc_act *act)
{
	return json_is_number(json_array_get(act->values, 1));
}

err_t
doc_act_check(struct ctx *cx, const struct doc_op *o, const struct doc_act *act, struct str before, struct str after)
{
	const struct attribute *a = act->a;
	const char *why = NULL;
	int64_t n;

	if (after.p == NULL && act->op->partial)
		why = "the place is behind the end";
	else if (after.p != NULL && after.n > (size_t)conf.body_max && after.n > before.n)	/* no request could bring it: values would grow without end */
		why = "the value becomes too large";
	else if (after.p == NULL || a->array)
		return after.p == NULL && a->required ? fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE,
		    "Invalid document structure: the required attribute \"%s\" is missing.", a->key) : OK;
	else if (doc_same(cx, a, before, after))
		return OK;
	else if (!doc_outcome_ok(cx, a, after, &why))
		;
	else if (act->op->on == ON_NUMBER && a->type == ATTR_INTEGER && a->kind != KIND_BIGINT && !o->many && !bounded(act) && str_to_i64(after, &n) && (n > INT32_MAX || n < -INT32_MAX))
		why = "without a bound it goes no further than 2147483647";
	else
		return OK;
	return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "Invalid document structure: Cannot apply %s operator to '%s': %s", act->op->method, a->key, why);
}
