/* Documents: the check of data against a schema, and SQL's text as JSON. */
#include <criterion/criterion.h>

#include "../../src/svc/databases/document_priv.h"
#include "core/map.h"

static struct ctx cx;
static struct collection col;
static struct attribute attrs[16];
static const struct attribute *live[16];
static struct doc_value vals[16];

static void
add(const char *key, enum attr_type type, struct attribute more)
{
	struct attribute *a = &attrs[col.n_attrs++];

	*a = more;
	a->key = key;
	a->type = type;
	a->available = true;
	a->json_key = str_c(arena_printf(cx.arena, "\"%s\":", key));
	a->place = col.n_live;
	live[col.n_live++] = a;
	(void)map_set(col.by_key, str_c(key), a);
}

static void
setup(void)
{
	static const char *states[] = {"new", "used"};

	ctx_init(&cx);
	col = (struct collection){.by_key = map_new(), .attrs = attrs, .live = live, .json_tails = {STR("\"$collectionId\":\"c\",\"$databaseId\":\"d\"}")}};
	add("title", ATTR_STRING, (struct attribute){.size = 8, .required = true});
	add("genre", ATTR_STRING, (struct attribute){.size = 8, .def = "\"novel\"", .def_value = "novel"});
	add("pages", ATTR_INTEGER, (struct attribute){.int_min = -10, .int_max = 1000});
	add("big", ATTR_INTEGER, (struct attribute){.int_min = INT64_MIN, .int_max = INT64_MAX});
	add("price", ATTR_FLOAT, (struct attribute){.float_min = -1e300, .float_max = 1e300});
	add("lent", ATTR_BOOLEAN, (struct attribute){0});
	add("released", ATTR_DATETIME, (struct attribute){0});
	add("mail", ATTR_STRING, (struct attribute){.size = 254, .format = FORMAT_EMAIL});
	add("state", ATTR_STRING, (struct attribute){.size = 4, .format = FORMAT_ENUM, .elements = {2, true, states}});
	add("tags", ATTR_STRING, (struct attribute){.size = 8, .array = true});
	add("years", ATTR_INTEGER, (struct attribute){.int_min = 0, .int_max = 3000, .array = true});
	/* one that is not available yet */
	attrs[col.n_attrs] = (struct attribute){.key = "late", .place = -1};
	(void)map_set(col.by_key, STR("late"), &attrs[col.n_attrs++]);
}

static void
teardown(void)
{
	map_free(&col.by_key);
	ctx_fini(&cx);
}

TestSuite(document, .init = setup, .fini = teardown);

static err_t
check(const char *data, const bool *stored)
{
	cx.message = NULL;
	return doc_check(&cx, &col, json_parse(&cx, str_c(data), NULL), stored, vals);
}

/* One member beside the title. */
static err_t
check_one(const char *key, const char *value)
{
	return check(arena_printf(cx.arena, "{\"title\":\"t\",\"%s\":%s}", key, value), NULL);
}

Test(document, values_that_fit)
{
	static const struct {
		const char *key, *json, *sql;	/* sql NULL: null */
	} rows[] = {
	    {"title", "\"\"", ""}, {"title", "\"12345678\"", "12345678"},
	    {"title", "\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"",
		"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"},
	    {"genre", "null", "novel"}, {"pages", "5", "5"}, {"pages", "\"7\"", "7"}, {"pages", "\"-007\"", "-7"}, {"pages", "null", NULL},
	    {"pages", "-10", "-10"}, {"pages", "1000", "1000"}, {"big", "9223372036854775807", "9223372036854775807"},
	    {"big", "-9223372036854775808", "-9223372036854775808"}, {"price", "5", "5"}, {"price", "9.5", "9.5"}, {"price", "\"1e3\"", "1000"},
	    {"price", "0.1", "0.1"}, {"price", "5.0", "5"}, {"price", "1e20", "1e+20"}, {"price", "9007199254740993", "9007199254740992"},
	    {"lent", "true", "t"}, {"lent", "false", "f"}, {"released", "\"2020-01-01T00:00:00+05:30\"", "2019-12-31 18:30:00.000+00"},
	    {"released", "\"2020-01-01 10:11:12.123456\"", "2020-01-01 10:11:12.123+00"}, {"released", "20220101", "2022-01-01 00:00:00.000+00"},
	    {"mail", "\"A@b.org\"", "A@b.org"}, {"state", "\"used\"", "used"}, {"tags", "[]", "{}"}, {"tags", "\"\"", "{}"}, {"tags", "null", NULL},
	    {"tags", "[\"a\",null,\"q\\\"\\\\\"]", "{\"a\",NULL,\"q\\\"\\\\\"}"}, {"years", "[\"1\",2]", "{\"1\",\"2\"}"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct attribute *a = collection_attribute(&col, str_c(rows[i].key));
		err_t e = check_one(rows[i].key, rows[i].json);

		cr_expect_eq(e, OK, "%s %s: %s", rows[i].key, rows[i].json, cx.message);
		if (rows[i].sql == NULL)
			cr_expect_null(vals[a->place].v.p, "%s %s", rows[i].key, rows[i].json);
		else
			cr_expect_str_eq(vals[a->place].v.p, rows[i].sql, "%s %s: %s", rows[i].key, rows[i].json, vals[a->place].v.p);
		cr_expect(vals[a->place].given);
	}
}

Test(document, values_that_do_not)
{
	static const struct {
		const char *key, *json, *words;	/* words of the message */
	} rows[] = {
	    {"title", "null", "\"title\""}, {"title", "5", "invalid type"}, {"title", "\"123456789\"", "no longer than 8 chars"}, {"title", "\"\\u0000\"", "U+0000"},
	    {"title", "[\"a\"]", "invalid type"}, {"pages", "5.0", "invalid format"}, {"pages", "\"5.0\"", "between -10 and 1,000"}, {"pages", "\"1e3\"", "format"},
	    {"pages", "true", "format"}, {"pages", "1001", "format"}, {"pages", "-11", "format"}, {"pages", "\"\"", "format"},
	    {"big", "9223372036854775808", "between -9,223,372,036,854,775,808 and 9,223,372,036,854,775,808"}, {"price", "\"cheap\"", "format"},
	    {"price", "\"0x10\"", "format"}, {"price", "\"inf\"", "format"}, {"price", "\"nan\"", "format"}, {"price", "1e301", "format"},
	    {"price", "\"1e999\"", "format"}, {"price", "\"\"", "format"}, {"price", "true", "format"}, {"lent", "1", "type"},
	    {"lent", "\"true\"", "type"}, {"released", "\"some day\"", "type"}, {"released", "\"\"", "type"}, {"released", "[]", "type"},
	    {"released", "{}", "type"}, {"released", "true", "type"}, {"mail", "\"a@b\"", "format"}, {"mail", "\"\"", "format"},
	    {"state", "\"NEW\"", "(new, used)"}, {"state", "5", "format"}, {"tags", "\"one\"", "list"}, {"tags", "{}", "list"},
	    {"tags", "[\"a\",5]", "\"tags['1']\""}, {"tags", "[\"123456789\"]", "\"tags['0']\""}, {"years", "[3001]", "\"years['0']\""},
	    {"late", "1", "unknown attribute \"late\""}, {"Title", "\"x\"", "unknown attribute \"Title\""},
	    {"$x", "1", "unknown attribute \"$x\""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		err_t e = check_one(rows[i].key, rows[i].json);

		cr_expect_eq(e, ERR_DOCUMENT_INVALID_STRUCTURE, "%s %s was taken", rows[i].key, rows[i].json);
		cr_expect(cx.message && strstr(cx.message, rows[i].words), "%s %s: %s", rows[i].key, rows[i].json, cx.message);
	}
}

Test(document, required_comes_first)
{
	cr_expect_eq(check("{\"colour\":1}", NULL), ERR_DOCUMENT_INVALID_STRUCTURE);
	cr_expect(strstr(cx.message, "\"title\""), "%s", cx.message);
	cr_expect_eq(check("[1,2]", NULL), ERR_DOCUMENT_INVALID_STRUCTURE);
}

Test(document, system_members_are_ignored)
{
	cr_expect_eq(check("{\"title\":\"t\",\"$createdAt\":5,\"$updatedAt\":[],\"$permissions\":{},\"$collection\":1,\"$internalId\":2,\"$id\":3}",
			 NULL), OK);
}

Test(document, defaults_fill_what_is_absent)
{
	cr_expect_eq(check("{\"title\":\"t\"}", NULL), OK);
	cr_expect(vals[1].set && !vals[1].given);
	cr_expect_str_eq(vals[1].v.p, "novel");
	cr_expect(!vals[2].set);
}

Test(document, a_patch_sees_what_is_stored)
{
	bool stored[16] = {true, true};

	cr_expect_eq(check("{\"pages\":1}", stored), OK);
	cr_expect(!vals[0].set && !vals[1].set && vals[2].set);
	stored[1] = false;
	cr_expect_eq(check("{\"pages\":1}", stored), OK);
	cr_expect(vals[1].set, "a stored null gets the default");
	cr_expect_eq(check("{\"title\":null}", stored), ERR_DOCUMENT_INVALID_STRUCTURE);
	stored[0] = false;
	cr_expect_eq(check("{\"pages\":1}", stored), ERR_DOCUMENT_INVALID_STRUCTURE, "an attribute that became required");
	cr_expect_eq(check("{\"title\":\"x\"}", stored), OK);
}

/* ---- SQL's text to JSON ---- */

static const char *
json_of(enum attr_type type, bool array, const char *sql)
{
	struct attribute a = {.type = type, .array = array};
	struct buf b;

	buf_init(&b, cx.arena, 8);
	doc_write_value(&b, &a, str_c(sql));
	return b.p;
}

Test(document, json_of_sql)
{
	static const struct {
		enum attr_type type;
		bool array;
		const char *sql, *json;
	} rows[] = {
	    {ATTR_STRING, false, NULL, "null"}, {ATTR_STRING, false, "", "\"\""}, {ATTR_STRING, false, "a\"b\\c/d\n\x01", "\"a\\\"b\\\\c\\/d\\n\\u0001\""},
	    {ATTR_INTEGER, false, "-5", "-5"}, {ATTR_FLOAT, false, "9.5", "9.5"}, {ATTR_FLOAT, false, "5", "5"}, {ATTR_FLOAT, false, "1e+20", "1.0e+20"},
	    {ATTR_FLOAT, false, "1.5e-07", "1.5e-7"}, {ATTR_FLOAT, false, "-1e-100", "-1.0e-100"}, {ATTR_BOOLEAN, false, "t", "true"},
	    {ATTR_BOOLEAN, false, "f", "false"}, {ATTR_DATETIME, false, "2022-10-04 12:34:56+00", "\"2022-10-04T12:34:56.000+00:00\""},
	    {ATTR_DATETIME, false, "2022-10-04 12:34:56.7+00", "\"2022-10-04T12:34:56.700+00:00\""},
	    {ATTR_DATETIME, false, "0001-01-01 00:00:00.012+00", "\"0001-01-01T00:00:00.012+00:00\""},
	    {ATTR_STRING, true, NULL, "[]"}, {ATTR_STRING, true, "{}", "[]"}, {ATTR_STRING, true, "{a,NULL,\"NULL\",\"\"}", "[\"a\",null,\"NULL\",\"\"]"},
	    {ATTR_STRING, true, "{\"q\\\"q\",\"b\\\\b\",\"x,y\",\"{z}\",a/b}", "[\"q\\\"q\",\"b\\\\b\",\"x,y\",\"{z}\",\"a\\/b\"]"},
	    {ATTR_STRING, true, "{\"line\nline\"}", "[\"line\\nline\"]"}, {ATTR_INTEGER, true, "{1,-2,NULL}", "[1,-2,null]"},
	    {ATTR_INTEGER, true, "{1,-2}", "[1,-2]"}, {ATTR_INTEGER, true, "{}", "[]"}, {ATTR_FLOAT, true, "{1.5,-2}", "[1.5,-2]"},
	    {ATTR_FLOAT, true, "{1e+20,2,NULL}", "[1.0e+20,2,null]"},
	    {ATTR_FLOAT, true, "{1.5,1e+20}", "[1.5,1.0e+20]"}, {ATTR_FLOAT, true, "{\"1.5\"}", "[1.5]"}, {ATTR_BOOLEAN, true, "{t,f}", "[true,false]"},
	    {ATTR_DATETIME, true, "{\"2022-10-04 12:34:56.7+00\"}", "[\"2022-10-04T12:34:56.700+00:00\"]"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *json = json_of(rows[i].type, rows[i].array, rows[i].sql);

		cr_expect_str_eq(json, rows[i].json, "%s: %s, not %s", rows[i].sql, json, rows[i].json);
	}
}

/* Whatever strings a list holds, what it becomes on the way to PostgreSQL comes back the same. */
Test(document, arrays_go_there_and_back)
{
	static const char *const lists[] = {"[]", "[\"\"]", "[\"NULL\"]", "[\"\\\\\"]", "[\"\\\"\"]", "[\"{\",\"}\",\",\"]", "[\"\\n\\t \"]",
	    "[\"\\\\\\\"\",\"\xc3\xa9\"]", "[null,\"a\"]"};

	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		cr_expect_eq(check_one("tags", lists[i]), OK, "%s: %s", lists[i], cx.message);
		cr_expect_str_eq(json_of(ATTR_STRING, true, vals[9].v.p), lists[i], "%s: %s", lists[i], json_of(ATTR_STRING, true, vals[9].v.p));
	}
}

Test(document, the_reply_to_a_creation)
{
	struct doc_head h = {STR("x"), STR("2022-10-04 12:34:56.789+00"), STR("2022-10-04 12:34:56.789+00"), STR("{\"read(\\\"any\\\")\"}"), STR("5"), DOC_SEQ_TEXT, TAIL_DOCUMENT};
	const char *data = "{\"pages\":\"7\",\"$createdAt\":\"2000-01-01\",\"title\":\"t\"}";
	struct buf b;

	cr_assert_eq(check(data, NULL), OK);
	col.n_live = 3;
	buf_init(&b, cx.arena, 64);
	doc_write_new(&b, &col, &h, json_parse(&cx, str_c(data), NULL), vals);
	cr_expect_str_eq(b.p, "{\"pages\":7,\"$createdAt\":\"2022-10-04T12:34:56.789+00:00\",\"title\":\"t\",\"$id\":\"x\",\"$sequence\":\"5\","
	    "\"$permissions\":[\"read(\\\"any\\\")\"],\"$updatedAt\":\"2022-10-04T12:34:56.789+00:00\",\"genre\":\"novel\","
	    "\"$collectionId\":\"c\",\"$databaseId\":\"d\"}", "%s", b.p);
}

Test(document, the_number_in_each_form)
{
	static const struct { int64_t format; const char *json; } forms[] = {
	    {0, "{\"a\":\"x,y\",\"$id\":\"d\",\"z\":1}"}, {1006999, "{\"a\":\"x,y\",\"$id\":\"d\",\"z\":1}"},
	    {1007000, "{\"a\":\"x,y\",\"$id\":\"d\",\"$sequence\":12,\"z\":1}"}, {1009000, "{\"a\":\"x,y\",\"$id\":\"d\",\"$sequence\":\"12\",\"z\":1}"},
	};
	struct str json = STR("{\"a\":\"x,y\",\"$id\":\"d\",\"$sequence\":\"\",\"z\":1}");
	size_t at = (size_t)(strstr(json.p, "\"$sequence") - json.p);

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct str told;

		cx.format = forms[i].format;
		told = doc_told(&cx, NULL, json, at, STR("12"));
		cr_expect_str_eq(str_dup(cx.arena, told), forms[i].json);
	}
}

/* What a number can be in the text of PostgreSQL, and what an expression may make of an attribute. */
Test(document, outcomes_and_sameness)
{
	static const struct { int attr; const char *text; bool ok; } outcomes[] = {
	    {0, "12345678", true}, {0, "123456789", false}, {2, "1000", true}, {2, "1001", false}, {4, "1e+300", true}, {4, "1e+301", false}, {4, "Infinity", false},
	    {6, "2020-01-01 00:00:00+00", true}, {6, "10000-01-01 00:00:00+00", false}, {6, "0001-01-01 00:00:00+00 BC", false}, {7, "a@example.org", true}, {7, "a", false},
	    {8, "new", true}, {8, "newer", false},
	};
	static const struct { int attr; struct str x, y; bool same; } pairs[] = {
	    {0, STR("a"), STR("a"), true}, {0, STR("a"), STR("A"), false}, {0, STR_NONE, STR(""), false}, {0, STR_NONE, STR_NONE, true}, {4, STR("1e+20"), STR("1e+20"), true},
	    {6, STR("2020-01-01 00:00:00+00"), STR("2020-01-01 00:00:00.000+00"), true}, {6, STR("2020-01-01 00:00:00.5+00"), STR("2020-01-01 00:00:00.500+00"), true},
	    {9, STR_NONE, STR("{}"), true}, {9, STR("{a,b}"), STR("{\"a\",\"b\"}"), true}, {9, STR("{a,b}"), STR("{\"b\",\"a\"}"), false}, {10, STR("{1,NULL}"), STR("{\"1\",NULL}"), true},
	};
	const char *why;

	for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
		cr_expect_eq(doc_outcome_ok(&cx, &attrs[outcomes[i].attr], str_c(outcomes[i].text), &why), outcomes[i].ok, "%s", outcomes[i].text);
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		cr_expect_eq(doc_same(&cx, &attrs[pairs[i].attr], pairs[i].x, pairs[i].y), pairs[i].same, "%zu", i);
}
