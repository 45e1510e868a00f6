/* Both grammars of queries: what parses into what, the rules, and the SQL that comes out. */
#include <criterion/criterion.h>

#include "../../src/model/query_priv.h"
#include "core/conf.h"

static struct ctx cx;

static void
setup(void)
{
	ctx_init(&cx);
	conf.list_rows_max = 20000;
}

static void
teardown(void)
{
	ctx_fini(&cx);
}

TestSuite(query, .init = setup, .fini = teardown);

/* ---- a tree as text: method attr [values] or method(sub, sub) ---- */

static void
dump_value(struct buf *b, const struct query_value *v)
{
	switch (v->type) {
	case QV_NULL:
		buf_c(b, "null");
		break;
	case QV_BOOL:
		buf_c(b, v->b ? "true" : "false");
		break;
	case QV_INT:
		buf_printf(b, "%lldi", (long long)v->i);
		break;
	case QV_FLOAT:
		buf_printf(b, "%gf", v->f);
		break;
	case QV_TEXT:
		buf_printf(b, "<%.*s>", STR_FMT(v->s));
		break;
	case QV_LIST:
		buf_printf(b, "[%zu]", json_array_size(v->list));
		break;
	}
}

static void
dump(struct buf *b, const struct query *q)
{
	buf_printf(b, "%s %s", query_methods[q->method].name, q->attr);
	for (int i = 0; i < q->n; i++) {
		buf_c(b, i ? "," : " ");
		dump_value(b, &q->v[i]);
	}
	for (int i = 0; i < q->n_sub; i++) {
		buf_c(b, i ? " | " : " ( ");
		dump(b, &q->sub[i]);
	}
	if (q->n_sub)
		buf_c(b, " )");
}

struct sample {
	const char *text, *tree;	/* tree NULL: refused */
};

static void
check_samples(const struct sample *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *why = NULL;
		struct query q;
		struct buf b;
		bool ok = query_parse(&cx, str_c(s[i].text), &q, &why);

		if (s[i].tree == NULL) {
			cr_expect(!ok, "%s was taken", s[i].text);
			cr_expect(why != NULL, "%s: no reason", s[i].text);
			continue;
		}
		cr_expect(ok, "%s: %s", s[i].text, why);
		if (!ok)
			continue;
		buf_init(&b, cx.arena, 64);
		dump(&b, &q);
		cr_expect_str_eq(b.p, s[i].tree, "%s gave %s, not %s", s[i].text, b.p, s[i].tree);
	}
}
#define CHECK(samples) check_samples(samples, sizeof samples / sizeof samples[0])

Test(query, text_grammar)
{
	static const struct sample samples[] = {
	    {"equal(\"a\", [\"x\"])", "equal a <x>"},
	    {"equal(\"a\", \"x\")", "equal a <x>"},
	    {"equal('a', 'x')", "equal a <x>"},
	    {"equal(\"a\", ['x', \"y\"])", "equal a <x>,<y>"},
	    {"equal(\"a\", [1, 2.5, true, false, null])", "equal a 1i,2.5f,true,false,null"},
	    {"equal(\"a\", [\"1\", \"true\"])", "equal a <1>,<true>"},
	    {"equal(\"a\", -5)", "equal a -5i"},
	    {"equal(\"a\", +5)", "equal a 5i"},
	    {"equal(\"a\", .5)", "equal a 0.5f"},
	    {"equal(\"a\", 5.)", "equal a 5f"},
	    {"equal(\"a\", 1e3)", "equal a 1000f"},
	    {"equal(\"a\", 9223372036854775807)", "equal a 9223372036854775807i"},
	    {"equal(\"a\", 9223372036854775808)", "equal a 9.22337e+18f"},
	    {"equal(\"a\", 0x10)", "equal a <0x10>"},
	    {"equal(\"a\", 1e)", "equal a <1e>"},
	    {"equal(\"a\", bare word)", "equal a <bareword>"},
	    {"equal(\"a\", bare\t)", "equal a <bare>"},
	    {"equal(\"a\", \"x y\")", "equal a <x y>"},
	    {"equal(\"a\", \"it's\")", "equal a <it's>"},
	    {"equal(\"a\", 'say \"hi\"')", "equal a <say \"hi\">"},
	    {"equal(\"a\", \"x,y\")", "equal a <x,y>"},
	    {"equal(\"a\", \"x[1](2)\")", "equal a <x[1](2)>"},
	    {"equal(\"a\", \"q\\\"q\")", "equal a <q\"q>"},
	    {"equal(\"a\", \"q\\\\q\")", "equal a <q\\\\q>"},
	    {"equal(\"a\", \"q\\nq\")", "equal a <q\\nq>"},
	    {"equal(\"a\", x\\,y)", "equal a <x,y>"},
	    {"equal(\"a\")", "equal a"},
	    {"equal(\"a\", [])", "equal a"},
	    {"equal(\"a\", \"x\", \"y\")", "equal a <x>"},
	    {"limit(25)", "limit  25i"},
	    {"limit(\"25\")", "limit  <25>"},
	    {"limit(25", "limit  2i"},
	    {"limit()", "limit "},
	    {"offset(0)", "offset  0i"},
	    {"orderAsc(\"a\")", "orderAsc a"},
	    {"orderDesc(\"\")", "orderDesc "},
	    {"orderDesc()", "orderDesc "},
	    {"cursorAfter(\"abc\")", "cursorAfter  <abc>"},
	    {"cursorBefore(abc)", "cursorBefore  <abc>"},
	    {"search(\"a\", \"two words\")", "search a <two words>"},
	    {"notEqual(\"$id\", \"x\")", "notEqual $id <x>"},
	    {"equal(\"a\", \"\xc3\xa9\")", "equal a <\xc3\xa9>"},
	    /* refused */
	    {"", NULL},
	    {"limit", NULL},
	    {" limit(1)", NULL},
	    {"Limit(1)", NULL},
	    {"a.equal(1)", NULL},
	    {"near(\"a\", 1)", NULL},
	    {"contains(\"a\", \"x\")", NULL},
	    {"isNull(\"a\")", "isNull a"},
	    {"or(\"a\", 1)", NULL},
	    {"equal([\"a\"], 1)", NULL},
	    {"equal(\"a\", [1, 2)", NULL},
	    {"equal(\"a\", 1])", NULL},
	    {"equal(\"a\", [1]2)", NULL},
	    {"equal(\"a\", [[1]])", NULL},
	    {"equal(\"a\", \"x)", NULL},
	    {"equal(\"a\", \"x\"", NULL},	/* the last byte is never looked at, but the quote it cost is missed */
	    {"equal()", NULL},
	    {"equal(\"a\", \"\xff\")", NULL},
	    {"equal(\"a\", \"x\"\xc3\xa9)", NULL},	/* the byte that is cut off belonged to a character */
	    {"equal(\"a\"\xc3\xa9, 1)", NULL},
	    {"equal(\"a\", \xc3\xa9", NULL},
	    {"orderAsc(\"a\"\xc3\xa9)", NULL},
	};

	CHECK(samples);
}

/* What clients of 1.3 and 1.4 say. */
Test(query, text_grammar_of_later_clients)
{
	static const struct sample samples[] = {
	    {"isNull(\"a\")", "isNull a"},
	    {"isNotNull(\"a\")", "isNotNull a"},
	    {"between(\"a\", 1, 2)", "between a 1i,2i"},
	    {"between(\"a\", \"x,y\", \"z\")", "between a <x,y>,<z>"},
	    {"between(\"a\", [1, 2])", "between a 1i,2i"},
	    {"between(\"a\", 1, 2, 3)", "between a 1i,2i"},
	    {"startsWith(\"a\", [\"x\"])", "startsWith a <x>"},
	    {"endsWith(\"a\", \"x\")", "endsWith a <x>"},
	    {"select([\"a\",\"b\"])", "select  <a>,<b>"},
	    {"equal(\"a\", \"x\", \"y\")", "equal a <x>"},
	    {"createdAfter(\"2020-01-01\")", "greaterThan $createdAt <2020-01-01>"},
	    {"createdBefore([\"2020-01-01\"])", "lessThan $createdAt <2020-01-01>"},
	    {"createdBetween(\"2020-01-01\", \"2021-01-01\")", "between $createdAt <2020-01-01>,<2021-01-01>"},
	    {"updatedAfter(\"2020-01-01\")", "greaterThan $updatedAt <2020-01-01>"},
	    {"updatedBefore(\"2020-01-01\")", "lessThan $updatedAt <2020-01-01>"},
	    {"updatedBetween([\"2020-01-01\", \"2021-01-01\"])", "between $updatedAt <2020-01-01>,<2021-01-01>"},
	    {"contains(\"a\", [\"x\"])", NULL},
	    {"notBetween(\"a\", 1, 2)", NULL},
	    {"or(\"a\", 1)", NULL},
	    {"orderRandom()", NULL},
	};

	cx.format = 1004000;
	CHECK(samples);
	cx.format = 1005000;	/* every client may use them */
	CHECK(samples);
	cx.format = 0;
	CHECK(samples);
}

Test(query, json_grammar)
{
	static const struct sample samples[] = {
	    {"{\"method\":\"limit\",\"values\":[25]}", "limit  25i"},
	    {"  {\"method\":\"limit\",\"values\":[25]}", "limit  25i"},
	    {"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[\"x\",1,2.5,true,null]}", "equal a <x>,1i,2.5f,true,null"},
	    {"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[5.0]}", "equal a 5f"},
	    {"{\"method\":\"isNull\",\"attribute\":\"a\"}", "isNull a"},
	    {"{\"method\":\"createdAfter\",\"values\":[\"x\"]}", "greaterThan $createdAt <x>"},
	    {"{\"method\":\"updatedBetween\",\"attribute\":\"\",\"values\":[\"x\",\"y\"]}", "between $updatedAt <x>,<y>"},
	    {"{\"method\":\"isNull\",\"attribute\":\"a\",\"values\":null}", "isNull a"},
	    {"{\"method\":\"orderRandom\"}", "orderRandom "},
	    {"{\"method\":\"orderDesc\",\"attribute\":null}", "orderDesc "},
	    {"{\"method\":\"select\",\"values\":[\"a\",\"b\"]}", "select  <a>,<b>"},
	    {"{\"method\":\"between\",\"attribute\":\"n\",\"values\":[1,5]}", "between n 1i,5i"},
	    {"{\"method\":\"or\",\"values\":[{\"method\":\"equal\",\"attribute\":\"t\",\"values\":[\"a\"]},{\"method\":\"isNull\",\"attribute\":\"t\"}]}",
		"or  ( equal t <a> | isNull t )"},
	    {"{\"method\":\"and\",\"values\":[{\"method\":\"or\",\"values\":[]},{\"method\":\"limit\",\"values\":[1]}]}",
		"and  ( or  | limit  1i )"},
	    /* refused */
	    {"{", NULL},
	    {"{}", NULL},
	    {"{\"method\":5}", NULL},
	    {"{\"method\":\"near\"}", NULL},
	    {"{\"method\":\"equal\",\"attribute\":5}", NULL},
	    {"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":\"x\"}", NULL},
	    {"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[[1]]}", "equal a [1]"},
	    {"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[{}]}", NULL},
	    {"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[\"\\u0000\"]}", NULL},
	    {"{\"method\":\"isNull\",\"attribute\":\"a\\u0000b\"}", NULL},
	    {"{\"method\":\"or\",\"values\":[\"x\",\"y\"]}", NULL},
	    {"{\"method\":\"equal\"} trailing", NULL},
	};

	CHECK(samples);
}

/* ---- rules ---- */

static const struct query_attr attrs[] = {
    {"s", "a_1", ATTR_STRING, false, false}, {"i", "a_2", ATTR_INTEGER, false, false}, {"f", "a_3", ATTR_FLOAT, false, false},
    {"b", "a_4", ATTR_BOOLEAN, false, false}, {"d", "a_5", ATTR_DATETIME, false, false}, {"ss", "a_6", ATTR_STRING, true, false},
    {"ii", "a_7", ATTR_INTEGER, true, false}, {.key = "ll", .column = "a_8", .type = ATTR_STRING, .array = true, .hashes = "p_1.hashes(a_8)"}, {"$createdAt", "_created", ATTR_DATETIME, false, true},
    {"$updatedAt", "_updated", ATTR_DATETIME, false, true}};

static struct strs
keys(const char *list)
{
	struct strs s = {.set = true, .v = arena_array(cx.arena, const char *, 8)};
	struct str rest = str_c(list);

	while (rest.p != NULL)
		s.v[s.n++] = str_dup(cx.arena, str_cut(&rest, ','));
	return s;
}

static struct query_list
list(void)
{
	struct query_index *x = arena_array(cx.arena, struct query_index, 8);

	x[0] = (struct query_index){keys("s"), true, "words_s"};
	x[1] = (struct query_index){keys("i"), true, NULL};
	x[2] = (struct query_index){keys("s,i"), true, NULL};
	x[3] = (struct query_index){keys("d"), false, NULL};
	return (struct query_list){.entity = "Document", .from = "p_1.c_1", .columns = "_id", .seq = "_seq", .id = "_id", .attrs = attrs,
	    .n_attrs = sizeof attrs / sizeof attrs[0], .indexes = x, .n_indexes = 4,
	    .flags = QUERY_NEEDS_INDEX | QUERY_DOCUMENT_ERRORS | QUERY_SELECT};
}

static struct query *
parsed(const char *const *texts, int n)
{
	struct query *q = arena_array(cx.arena, struct query, n + 1);

	for (int i = 0; i < n; i++) {
		const char *why = "";

		cr_assert(query_parse(&cx, str_c(texts[i]), &q[i], &why), "%s: %s", texts[i], why);
	}
	return q;
}

/* Checks one query; "" when it is fine, else the reason. */
static const char *
verdict(const char *text)
{
	struct query_list l = list();
	const char *why = "no reason";
	struct query *q = parsed(&text, 1);

	return query_check(&cx, &l, q, &why) ? "" : why;
}

/* A refusal names what the client wrote, not what it stands for. */
Test(query, says_what_was_written)
{
	static const char *const sugar[] = {"createdAfter", "createdBefore", "createdBetween", "updatedAfter", "updatedBefore", "updatedBetween"};
	static const char *const wrong[] = {"%s()", "%s(5, 6)", "%s(\"some day\", \"never\")", "%s(\"2020-01-01\", \"2020-01-01\", 7)", "%s([1, 2, 3])",
	    "{\"method\":\"%s\"}", "{\"method\":\"%s\",\"values\":[]}", "{\"method\":\"%s\",\"values\":[5, 5]}", "{\"method\":\"%s\",\"values\":[\"2020-01-01\",\"2021-01-01\",\"2022-01-01\"]}",
	    "{\"method\":\"%s\",\"attribute\":\"s\",\"values\":[null, null]}"};
	static const char *const named[] = {"greaterThan", "lessThan", "between", "$createdAt", "$updatedAt"};

	for (size_t i = 0; i < sizeof sugar / sizeof *sugar; i++)
		for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
			char text[200];
			const char *why;

			snprintf(text, sizeof text, wrong[k], sugar[i]);
			why = verdict(text);
			cr_expect(*why != '\0' || k == 3, "%s was taken", text);	/* the text grammar takes no third value */
			cr_expect(*why == '\0' || strstr(why, sugar[i]) != NULL, "%s: %s", text, why);
			for (size_t n = 0; n < sizeof named / sizeof *named; n++)
				cr_expect_null(strstr(why, named[n]), "%s: %s", text, why);
		}
}

Test(query, rules)
{
	static const char *const good[] = {
	    "equal(\"s\", \"x\")", "equal(\"i\", 5)", "equal(\"f\", 5.5)", "equal(\"b\", true)", "equal(\"d\", \"2020-01-01\")",
	    "equal(\"ss\", \"x\")", "equal(\"$id\", \"x\")", "greaterThan(\"$createdAt\", \"2020-01-01\")", "limit(0)", "limit(100)",
	    "limit(\"7\")", "offset(5000)", "cursorAfter(\"a-b.c_d\")", "orderAsc(\"ss\")", "notEqual(\"i\", [1, 2])",
	    "{\"method\":\"equal\",\"attribute\":\"f\",\"values\":[5]}", "{\"method\":\"limit\",\"values\":[1000]}", "{\"method\":\"limit\",\"values\":[\"1\"]}",
	    "{\"method\":\"offset\",\"values\":[100000]}", "{\"method\":\"contains\",\"attribute\":\"ss\",\"values\":[\"x\"]}",
	    "{\"method\":\"contains\",\"attribute\":\"s\",\"values\":[\"x\",\"y\"]}",
	    "{\"method\":\"containsAll\",\"attribute\":\"ii\",\"values\":[1,2]}", "{\"method\":\"isNull\",\"attribute\":\"ss\"}",
	    "{\"method\":\"search\",\"attribute\":\"s\",\"values\":[\"x\"]}", "{\"method\":\"select\",\"values\":[\"*\",\"$id\",\"s\"]}",
	    "{\"method\":\"between\",\"attribute\":\"d\",\"values\":[\"2020-01-01\",\"2021-01-01\"]}",
	};
	static const char *const bad[] = {
	    "{\"method\":\"equal\",\"attribute\":\"i\",\"values\":[[1]]}", "{\"method\":\"limit\",\"values\":[[1]]}", "{\"method\":\"select\",\"values\":[[\"s\"]]}",
	    "equal(\"x\", 1)", "equal(\"S\", \"x\")", "equal(\"s\", 5)", "equal(\"i\", \"5\")", "equal(\"i\", 5.5)", "equal(\"f\", 5)",
	    "equal(\"b\", \"true\")", "equal(\"b\", 1)", "equal(\"d\", \"some day\")", "equal(\"i\", null)", "equal(\"i\")",
	    "equal(\"i\", [])", "equal(\"$permissions\", \"x\")", "limit(101)", "limit(-1)", "limit(1.5)", "limit(\"x\")", "limit()",
	    "offset(5001)", "offset(-1)", "cursorAfter(\"_x\")", "cursorAfter(\"\")", "cursorAfter()", "cursorAfter(17)", "cursorAfter(007)", "orderAsc(\"x\")",
	    "search(\"i\", \"x\")", "{\"method\":\"limit\",\"values\":[0]}", "{\"method\":\"limit\",\"values\":[1,2]}",
	    "{\"method\":\"limit\",\"values\":[\"x\"]}", "{\"method\":\"offset\",\"values\":[-1]}", "{\"method\":\"select\",\"values\":[\"s\",\"i\",\"s\"]}",
	    "{\"method\":\"equal\",\"attribute\":\"i\",\"values\":[5.5]}", "{\"method\":\"equal\",\"attribute\":\"i\",\"values\":[null]}",
	    "{\"method\":\"equal\",\"attribute\":\"ss\",\"values\":[\"x\"]}", "{\"method\":\"notEqual\",\"attribute\":\"i\",\"values\":[1,2]}",
	    "{\"method\":\"between\",\"attribute\":\"i\",\"values\":[1]}", "{\"method\":\"isNull\",\"attribute\":\"i\",\"values\":[1]}",
	    "{\"method\":\"startsWith\",\"attribute\":\"i\",\"values\":[\"x\"]}",
	    "{\"method\":\"contains\",\"attribute\":\"i\",\"values\":[1]}",
	    "{\"method\":\"containsAll\",\"attribute\":\"s\",\"values\":[\"x\"]}",
	    "{\"method\":\"search\",\"attribute\":\"ss\",\"values\":[\"x\"]}", "{\"method\":\"select\",\"values\":[]}",
	    "{\"method\":\"select\",\"values\":[\"x\"]}", "{\"method\":\"select\",\"values\":[5]}", "{\"method\":\"and\",\"values\":[]}",
	    "{\"method\":\"or\",\"values\":[{\"method\":\"isNull\",\"attribute\":\"s\"}]}",
	    "{\"method\":\"or\",\"values\":[{\"method\":\"isNull\",\"attribute\":\"s\"},{\"method\":\"limit\",\"values\":[1]}]}",
	    "{\"method\":\"or\",\"values\":[{\"method\":\"isNull\",\"attribute\":\"s\"},{\"method\":\"isNull\",\"attribute\":\"x\"}]}",
	    "{\"method\":\"cursorAfter\",\"values\":[5]}", "{\"method\":\"cursorAfter\"}",
	};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		cr_expect_str_eq(verdict(good[i]), "", "%s: %s", good[i], verdict(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_str_neq(verdict(bad[i]), "", "%s was taken", bad[i]);
}

static const char *
many(const char *head, int n, const char *tail)
{
	struct buf b;

	buf_init(&b, cx.arena, 64);
	buf_c(&b, head);
	for (int i = 0; i < n; i++)
		buf_c(&b, i ? ",1" : "1");
	buf_c(&b, tail);
	return b.p;
}

Test(query, numbers_of_values)
{
	cr_expect_str_eq(verdict(many("equal(\"i\", [", 100, "])")), "");
	cr_expect_str_neq(verdict(many("equal(\"i\", [", 101, "])")), "");
	cr_expect_str_eq(verdict(many("{\"method\":\"equal\",\"attribute\":\"i\",\"values\":[", 500, "]}")), "");
	cr_expect_str_neq(verdict(many("{\"method\":\"equal\",\"attribute\":\"i\",\"values\":[", 501, "]}")), "");
}

Test(query, deep_json_is_refused)
{
	const char *why = NULL;
	struct query q;
	struct buf b;

	buf_init(&b, cx.arena, 64);
	for (int i = 0; i < 2000; i++)
		buf_c(&b, "{\"method\":\"or\",\"values\":[");
	cr_expect(!query_parse(&cx, buf_view(&b), &q, &why));
}

static bool
index_ok(const char *const *texts, int n)
{
	struct query_list l = list();
	struct query *q = parsed(texts, n);
	const char *why = NULL;

	for (int i = 0; i < n; i++)
		cr_assert(query_check(&cx, &l, &q[i], &why), "%s: %s", texts[i], why);
	return query_check_indexes(&cx, &l, q, n, &why);
}
#define INDEX_OK(...) \
	index_ok((const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)))

Test(query, index_rule)
{
	cr_expect(INDEX_OK("equal(\"i\", 1)"));
	cr_expect(INDEX_OK("greaterThan(\"i\", 1)", "lessThan(\"i\", 9)"));
	cr_expect(INDEX_OK("equal(\"i\", 1)", "equal(\"s\", \"x\")"), "the set counts, not the order");
	cr_expect(INDEX_OK("equal(\"d\", \"2020-01-01\")"), "the state of an index does not matter to filters");
	cr_expect(INDEX_OK("equal(\"$id\", \"x\")"));
	cr_expect(INDEX_OK("orderAsc(\"s\")", "orderDesc(\"i\")"));
	cr_expect(INDEX_OK("orderAsc(\"\")"));
	cr_expect(INDEX_OK("orderAsc(\"$createdAt\")"));
	cr_expect(INDEX_OK("search(\"s\", \"x\")"));
	cr_expect(INDEX_OK("limit(1)"));
	cr_expect(!INDEX_OK("equal(\"f\", 1.5)"));
	cr_expect(!INDEX_OK("equal(\"i\", 1)", "equal(\"f\", 1.5)"));
	cr_expect(!INDEX_OK("orderAsc(\"i\")", "orderAsc(\"s\")"), "the order of orders counts");
	cr_expect(!INDEX_OK("orderAsc(\"d\")"), "only an available index serves an order");
	cr_expect(!INDEX_OK("orderAsc(\"$createdAt\")", "orderAsc(\"$id\")"));
	cr_expect(!INDEX_OK("search(\"s\", \"x\")", "equal(\"i\", 1)"));
	cr_expect(INDEX_OK("{\"method\":\"equal\",\"attribute\":\"f\",\"values\":[1]}"), "the later grammar needs no index");
}

/* ---- SQL ---- */

struct compiled {
	const char *sql;
	const char *params;	/* joined by | */
};

static struct compiled
compile(const char *const *texts, int n)
{
	struct query_list *l = arena_new_of(cx.arena, struct query_list);
	struct query_plan *p = arena_new_of(cx.arena, struct query_plan);
	struct query *q = parsed(texts, n);
	const char *why = NULL;
	struct compiled c;
	struct buf b;

	*l = list();
	for (int i = 0; i < n; i++)
		cr_assert(query_check(&cx, l, &q[i], &why), "%s: %s", texts[i], why);
	query_plan_init(p, &cx, l, q, n, NULL);
	c.sql = query_plan_page(p, l->columns, NULL);
	buf_init(&b, cx.arena, 64);
	for (int i = 0; i < p->n_v; i++)
		buf_printf(&b, "%s%s", i ? "|" : "", p->v[i]);
	c.params = b.p ? b.p : "";
	return c;
}
#define COMPILE(...) \
	compile((const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)))

#define HAS(c, piece) cr_expect(strstr((c).sql, piece) != NULL, "no %s in %s", piece, (c).sql)

Test(query, sql_of_filters)
{
	static const struct {
		const char *text, *piece, *params;
	} rows[] = {
	    {"equal(\"s\", \"x\")", "WHERE a_1 = $1::text", "x"},
	    {"equal(\"i\", [1, 2])", "WHERE a_2 = ANY ($1::bigint[])", "{\"1\",\"2\"}"},
	    {"notEqual(\"i\", [1, 2])", "WHERE a_2 <> ANY ($1::bigint[])", "{\"1\",\"2\"}"},
	    {"lessThan(\"f\", 1.5)", "WHERE a_3 < $1::float8", "1.5"},
	    {"equal(\"b\", true)", "WHERE a_4 = $1::boolean", "t"},
	    {"greaterThanEqual(\"d\", \"2020-01-01T00:00:00+05:30\")", "WHERE a_5 >= $1::timestamptz", "2019-12-31 18:30:00.000+00"},
	    {"equal(\"$id\", \"AbC\")", "WHERE lower(_id) = $1::text", "abc"},
	    {"equal(\"ss\", \"x\")", "WHERE false", ""},
	    {"notEqual(\"ss\", \"x\")", "WHERE a_6 IS NOT NULL", ""},
	    {"{\"method\":\"between\",\"attribute\":\"i\",\"values\":[1,5]}", "WHERE a_2 BETWEEN $1::bigint AND $2::bigint", "1|5"},
	    {"{\"method\":\"notBetween\",\"attribute\":\"i\",\"values\":[1,5]}", "WHERE a_2 NOT BETWEEN $1::bigint AND $2::bigint", "1|5"},
	    {"{\"method\":\"isNull\",\"attribute\":\"ss\"}", "WHERE a_6 IS NULL", ""},
	    {"{\"method\":\"contains\",\"attribute\":\"ss\",\"values\":[\"x\",\"y\"]}", "WHERE (a_6 && $1::text[])", "{\"x\",\"y\"}"},
	    {"{\"method\":\"containsAll\",\"attribute\":\"ii\",\"values\":[1,2]}", "WHERE (a_7 @> $1::bigint[])", "{\"1\",\"2\"}"},
	    {"{\"method\":\"notContains\",\"attribute\":\"ii\",\"values\":[1]}", "WHERE a_7 IS NOT NULL AND NOT (a_7 && $1::bigint[])", "{\"1\"}"},
	    {"{\"method\":\"contains\",\"attribute\":\"ll\",\"values\":[\"x\"]}", "WHERE (a_8 && $1::text[] AND p_1.hashes(a_8) && p_1.hashes($1::text[]))", "{\"x\"}"},
	    {"{\"method\":\"notContains\",\"attribute\":\"ll\",\"values\":[\"x\"]}", "WHERE a_8 IS NOT NULL AND NOT (a_8 && $1::text[])", "{\"x\"}"},
	    {"{\"method\":\"or\",\"values\":[{\"method\":\"isNull\",\"attribute\":\"s\"},{\"method\":\"equal\",\"attribute\":\"i\",\"values\":[1]}]}",
		"WHERE (a_1 IS NULL OR a_2 = $1::bigint)", "1"},
	    {"{\"method\":\"contains\",\"attribute\":\"s\",\"values\":[\"x\"]}", "strpos(_o0, (SELECT p_1.fold($1::text))) > 0", "x"},
	    {"{\"method\":\"contains\",\"attribute\":\"s\",\"values\":[\"x\",\"y\"]}", "FROM unnest($1::text[]) AS v)) AS v WHERE strpos(_o0, v) > 0)", "{\"x\",\"y\"}"},
	    {"{\"method\":\"and\",\"values\":[{\"method\":\"startsWith\",\"attribute\":\"s\",\"values\":[\"x\"]},{\"method\":\"contains\",\"attribute\":\"s\",\"values\":[\"y\"]}]}",
		"LATERAL (SELECT p_1.fold(a_1 COLLATE \"C\") AS _o0 OFFSET 0) AS _once WHERE", "x|y"},
	    {"search(\"s\", [\"alpha\", \"beta\"])", "words_s @@ ($1::tsquery || $2::tsquery)", "('alpha':*)|('beta':*)"},
	    {"search(\"s\", \"+alpha (beta)\")", "words_s @@ $1::tsquery", "('alpha'|'beta':*)"},
	    {"{\"method\":\"search\",\"attribute\":\"s\",\"values\":[\"a \\\"b\"]}", "words_s @@ $1::tsquery", "('b':*)"},
	    {"{\"method\":\"search\",\"attribute\":\"s\",\"values\":[\"\\\"a b\\\"\"]}", "words_s @@ $1::tsquery", ""},
	    {"{\"method\":\"notSearch\",\"attribute\":\"s\",\"values\":[\"alpha\"]}", "LATERAL (SELECT words_s AS _o0 OFFSET 0) AS _once WHERE a_1 IS NOT NULL AND NOT _o0 @@ $1::tsquery", "('alpha':*)"},
	    {"search(\"s\", \"+\u00e9t\u00e9\")", "words_s @@ p_1.wanted($1::text)", "\u00e9t\u00e9"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct compiled c = COMPILE(rows[i].text);

		HAS(c, rows[i].piece);
		cr_expect_str_eq(c.params, rows[i].params, "%s: %s", rows[i].text, c.params);
	}
}

Test(query, sql_of_orders_and_pages)
{
	HAS(COMPILE("limit(7)"), " ORDER BY _seq LIMIT 7)");
	HAS(COMPILE("limit(7)", "limit(9)"), " LIMIT 7)");
	HAS(COMPILE("orderDesc(\"\")"), " ORDER BY _seq DESC LIMIT 25)");
	HAS(COMPILE("orderAsc(\"i\")"), " ORDER BY a_2 NULLS FIRST, _seq LIMIT");
	HAS(COMPILE("orderDesc(\"i\")"), " ORDER BY a_2 DESC NULLS LAST, _seq LIMIT");
	HAS(COMPILE("orderDesc(\"$createdAt\")"), " ORDER BY _created DESC, _seq LIMIT");
	HAS(COMPILE("orderDesc(\"i\")", "orderDesc(\"\")", "orderAsc(\"s\")"), " ORDER BY a_2 DESC NULLS LAST, a_1 NULLS FIRST, _seq LIMIT");
	HAS(COMPILE("orderAsc(\"i\")", "orderDesc(\"i\")"), " ORDER BY a_2 NULLS FIRST, _seq LIMIT");
	HAS(COMPILE("orderAsc(\"$id\")"), " ORDER BY lower(_id) LIMIT");
	HAS(COMPILE("{\"method\":\"orderRandom\"}"), " ORDER BY random() LIMIT");
	HAS(COMPILE("offset(3)"), " OFFSET $1::bigint)");
	HAS(COMPILE("{\"method\":\"limit\",\"values\":[20000]}"), " LIMIT 20000)");
	cr_expect_str_eq(COMPILE("{\"method\":\"offset\",\"values\":[9223372036854775807]}").params, "9223372036854775807");
}

Test(query, words_of_a_search)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"", ""},
	    {"  . ,", ""},
	    {"Alpha", "('alpha':*)"},
	    {"the alpha and Beta_1 x", "('alpha'|'beta_1'|'x':*)"},
	    {"the", "('the':*)"},
	    {"\"one two\"", "('one'<1>'two')"},
	    {"\"one of the two\" three", "('one'<3>'two')|('three':*)"},
	    {"one \"two the\"", "('one')|('two')"},
	    {"one \"two", "('one')|('two')"},
	    {"\"the\"", ""},
	    {"it's", "('s':*)"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_expect_str_eq(query_wanted(cx.arena, str_c(rows[i].text)), rows[i].want, "%s", rows[i].text);
	cr_expect(query_wanted(cx.arena, STR("caf\xc3\xa9")) == NULL);
	cr_expect_str_eq(query_wanted(cx.arena, str_c(arena_printf(cx.arena, "alpha %085d", 1))), "('alpha')", "no index has words so long");
	cr_expect_str_eq(query_wanted(cx.arena, str_c(arena_printf(cx.arena, "%084d", 1))), arena_printf(cx.arena, "('%084d':*)", 1));
}

Test(query, sql_that_finds_the_few_first)
{
	const char *roles[] = {"{any}"}, *text = "orderDesc(\"i\")", *why;
	struct query_list l = list();
	struct query_plan *p = arena_new_of(cx.arena, struct query_plan);
	struct query *q = parsed(&text, 1);

	l.where = "_read && $1::text[]";
	l.n = 1;
	l.v = roles;
	l.flags |= QUERY_WHERE_FIRST;
	cr_assert(query_check(&cx, &l, q, &why));
	query_plan_init(p, &cx, &l, q, 1, NULL);
	cr_expect(strstr(query_plan_page(p, "_id", NULL),
	    "FROM (SELECT _id FROM (SELECT * FROM p_1.c_1 WHERE (_read && $1::text[]) OFFSET 0) AS d ORDER BY a_2 DESC NULLS LAST, _seq LIMIT 25)"));
	cr_expect_str_eq(query_plan_count(p, 0),
	    "SELECT count(*) FROM (SELECT 1 FROM (SELECT 1 FROM p_1.c_1 WHERE (_read && $1::text[]) OFFSET 0) AS d LIMIT 5000) AS x");
}

/* No text of a caller may show in the statement itself. */
Test(query, values_are_parameters)
{
	struct compiled c = COMPILE("equal(\"s\", \"'; DROP TABLE x; --\")", "cursorAfter(\"evil\")");

	cr_expect(strstr(c.sql, "DROP") == NULL);
	cr_expect(strstr(c.sql, "evil") == NULL);
}
