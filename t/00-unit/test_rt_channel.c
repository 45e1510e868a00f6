/* Channel names, the query string of a handshake, and subscription queries. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "../../src/rt/rt_priv.h"
#include "svc/services.h"

static struct ctx cx;

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	ctx_init(&cx);
	services_init();
}

static void
teardown(void)
{
	ctx_fini(&cx);
}

TestSuite(rt_channel, .init = setup, .fini = teardown);

Test(rt_channel, reads_the_query_string)
{
	struct ask q;

	ask_parse(cx.arena, STR("project=p1&channels%5B%5D=documents&channels[3]=a%20b&since=x-1&mode=admin&jwt=j"), &q);
	cr_expect(str_is(q.project, "p1") && str_is(q.mode, "admin") && str_is(q.since, "x-1") && str_is(q.jwt, "j"));
	cr_assert_eq(q.n_channels, 2);
	cr_expect(str_is(q.channels[0], "documents") && str_is(q.channels[1], "a b"));
	cr_expect(q.has_channels && !q.bad_channels);
}

Test(rt_channel, tells_absent_from_empty_and_lists_from_others)
{
	struct ask q;

	ask_parse(cx.arena, STR_NONE, &q);
	cr_expect(q.project.p == NULL && !q.has_channels);
	ask_parse(cx.arena, STR("project="), &q);
	cr_expect(q.project.p != NULL && q.project.n == 0);
	ask_parse(cx.arena, STR("channels=documents"), &q);
	cr_expect(q.bad_channels);
	ask_parse(cx.arena, STR("channels[]="), &q);
	cr_expect(q.n_channels == 1 && q.channels[0].n == 0);
	ask_parse(cx.arena, STR("&&="), &q);
	cr_expect(!q.has_channels && q.n_queries == 0 && q.wrong == NULL);
	ask_parse(cx.arena, STR("channels[=x"), &q);
	cr_expect(q.bad_channels);
	ask_parse(cx.arena, STR("channels[a][b]=x"), &q);
	cr_expect(q.bad_channels);
}

Test(rt_channel, reads_queries_of_slots)
{
	struct ask q;

	ask_parse(cx.arena, STR("channels[]=documents&documents[0][]=one&documents[1][]=two&a.b[99][7]=three&documents=four&documents[3]=five"), &q);
	cr_expect_null(q.wrong);
	cr_assert_eq(q.n_queries, 5);
	cr_expect(q.queries[1].slot == 1 && str_is(q.queries[1].query, "two") && str_is(q.queries[1].name, "documents"));
	cr_expect(q.queries[2].slot == 99 && str_is(q.queries[2].name, "a.b") && !q.queries[2].plain);
	cr_expect(q.queries[3].slot == 0 && q.queries[3].plain);
	cr_expect(q.queries[4].slot == 3 && !q.queries[4].plain);
}

Test(rt_channel, passes_over_no_query)
{
	static const char *const bad[] = {"a[100][]=x", "a[-1][]=x", "a[x][]=x", "a[]=x", "a[][]=x", "a[0=x", "a[0][=x", "a[0][b][c]=x", "a[0]b=x", "[0]=x", "[=", "a[99999999999999999999][]=x"};
	struct ask q;
	struct buf many;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ask_parse(cx.arena, str_c(bad[i]), &q);
		cr_expect(q.wrong != NULL && q.n_queries == 0, "%s", bad[i]);
	}
	buf_init(&many, cx.arena, 20000);
	for (int i = 0; i < 5000; i++)
		buf_c(&many, "&");
	buf_c(&many, "channels[]=a");
	ask_parse(cx.arena, buf_view(&many), &q);
	cr_expect(q.wrong != NULL && q.n_channels == 0, "more than can be read");
}

Test(rt_channel, rewrites_what_is_asked_for)
{
	static const struct { const char *asked, *uid; int n; const char *out[2]; } row[] = {
		{"documents", "u", 1, {"documents"}},
		{"account", "", 1, {"account"}},
		{"account", "u", 2, {"account", "account.u"}},
		{"account.other", "u", 0, {NULL}},
		{"account.", "u", 0, {NULL}},
		{"account.u", "u", 0, {NULL}},
		{"account.u.update", "u", 0, {NULL}},
		{"account.update", "u", 1, {"account.u.update"}},
		{"account.update", "", 1, {"account.update"}},
		{"accounts.x", "u", 1, {"accounts.x"}},
		{"", "u", 1, {""}},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
		struct str out[2];
		int n = channel_rewrite(cx.arena, str_c(row[i].asked), str_c(row[i].uid), out);

		cr_expect_eq(n, row[i].n, "%s", row[i].asked);
		for (int k = 0; k < n && k < row[i].n; k++)
			cr_expect(str_is(out[k], row[i].out[k]), "%s: %.*s", row[i].asked, STR_FMT(out[k]));
	}
}

static const char *
channels(const char *pattern, const char *a, const char *b, const char *c, const char *base)
{
	const char *ids[3] = {a, b, c};
	struct strs list = {.set = true, .v = arena_array(cx.arena, const char *, 8)};
	struct str rest = str_c(base);
	struct channel *v;
	struct buf out;
	int n;

	while (rest.p != NULL)
		list.v[list.n++] = str_dup(cx.arena, str_cut(&rest, ' '));
	n = channels_of_event(cx.arena, STR("p"), str_c(pattern), ids, &list, &v);
	buf_init(&out, cx.arena, 64);
	for (int i = 0; i < n; i++)
		buf_printf(&out, "%s%.*s", i > 0 ? " " : "", STR_FMT(v[i].name));
	return buf_view(&out).p;
}

Test(rt_channel, an_id_may_end_as_another_one)
{
	static const char *const ids[] = {"x", "page.main", "page.c", "main"};

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		const char *base = arena_printf(cx.arena, "databases.main.collections.c.documents.%s", ids[i]);
		const char *got = channels("databases.[databaseId].collections.[collectionId].documents.[documentId].create", "main", "c", ids[i], base);

		cr_expect_not_null(strstr(got, arena_printf(cx.arena, "%s.create", base)), "%s: %s", ids[i], got);
	}
}

Test(rt_channel, derives_the_later_names)
{
	cr_expect_str_eq(channels("databases.[databaseId].collections.[collectionId].documents.[documentId].create", "d", "c", "x",
			     "documents databases.d.collections.c.documents databases.d.collections.c.documents.x"),
	    "documents databases.d.collections.c.documents databases.d.collections.c.documents.x rows "
	    "databases.d.tables.c.rows databases.d.tables.c.rows.x tablesdb.d.tables.c.rows tablesdb.d.tables.c.rows.x "
	    "documents.create databases.d.collections.c.documents.create databases.d.collections.c.documents.x.create rows.create "
	    "databases.d.tables.c.rows.create databases.d.tables.c.rows.x.create tablesdb.d.tables.c.rows.create "
	    "tablesdb.d.tables.c.rows.x.create");
	cr_expect_str_eq(channels("buckets.[bucketId].files.[fileId].create", "b.files", "x.1", NULL, "files buckets.b.files.files buckets.b.files.files.x.1"),
	    "files buckets.b.files.files buckets.b.files.files.x.1 files.create buckets.b.files.files.create buckets.b.files.files.x.1.create");
	cr_expect_str_eq(channels("users.[userId].update.email", "u", NULL, NULL, "account account.u"),
	    "account account.u account.update account.u.update");
	cr_expect_str_eq(channels("users.[userId].sessions.[sessionId].create", "u", "s", NULL, "account account.u"), "account account.u");
	cr_expect_str_eq(channels("teams.[teamId].memberships.[membershipId].update.status", "t", "m", NULL, "memberships memberships.m"),
	    "memberships memberships.m memberships.update memberships.m.update");
	cr_expect_str_eq(channels("functions.[functionId].executions.[executionId].create", "f", "e", NULL,
			     "console executions executions.e functions.f"),
	    "console executions executions.e functions.f projects.p executions.create executions.e.create functions.f.create");
}

/* ---- queries ---- */

static const char *
matches(const char *query, const char *payload)
{
	struct str q = str_c(query);
	struct facts facts;
	struct filter *f;
	const char *why = filter_new(&cx, &q, 1, &f);
	bool hit;

	if (why != NULL)
		return why;
	facts_init(&facts, &cx, str_c(payload), NULL);
	while (!facts_scan(&facts, 3))
		;
	hit = filter_match(f, &facts, 0);
	facts_fini(&facts);
	filter_free(&f);
	return hit ? "yes" : "no";
}

Test(rt_channel, evaluates_queries)
{
	static const struct { const char *query, *payload, *want; } row[] = {
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[1,2.0]}", "{\"a\":2}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[1,3]}", "{\"a\":3.0}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[9007199254740993]}", "{\"a\":9007199254740992}", "no"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[null,\"x\",false]}", "{\"a\":null}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[null,\"x\",false]}", "{\"a\":false}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[null,\"x\",false]}", "{\"a\":\"x\"}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[null,\"x\",false]}", "{\"a\":[]}", "no"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[\"q\\\"\"]}", "{\"z\":{\"a\":\"y\"},\"a\":\"q\\\"\",\"b\":[{}]}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[1]}", "{\"a\":2,\"a\":1}", "yes"},
		{"{\"method\":\"notEqual\",\"attribute\":\"a\",\"values\":[1]}", "{\"a\":{}}", "yes"},
		{"{\"method\":\"lessThan\",\"attribute\":\"a\",\"values\":[1,\"b\"]}", "{\"a\":\"5\"}", "yes"},
		{"{\"method\":\"lessThan\",\"attribute\":\"a\",\"values\":[1,\"4\"]}", "{\"a\":\"5\"}", "no"},
		{"{\"method\":\"greaterThan\",\"attribute\":\"a\",\"values\":[\"b\",\"10\"]}", "{\"a\":9}", "no"},
		{"{\"method\":\"greaterThan\",\"attribute\":\"a\",\"values\":[\"b\",\"10\"]}", "{\"a\":11}", "yes"},
		{"{\"method\":\"greaterThan\",\"attribute\":\"a\",\"values\":[9007199254740992]}", "{\"a\":9007199254740993}", "yes"},
		{"{\"method\":\"lessThanEqual\",\"attribute\":\"a\",\"values\":[3,2.5]}", "{\"a\":2.75}", "yes"},
		{"{\"method\":\"lessThanEqual\",\"attribute\":\"a\",\"values\":[true,null]}", "{\"a\":1}", "no"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[1,2]}", "{\"a\":2}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[2]}", "{\"a\":\"2\"}", "no"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[true]}", "{\"a\":true}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[2.5]}", "{\"a\":2.5}", "yes"},
		{"{\"method\":\"equal\",\"attribute\":\"b\",\"values\":[2]}", "{\"a\":2}", "no"},
		{"{\"method\":\"notEqual\",\"attribute\":\"a\",\"values\":[1]}", "{\"a\":2}", "yes"},
		{"{\"method\":\"notEqual\",\"attribute\":\"b\",\"values\":[1]}", "{\"a\":2}", "no"},
		{"{\"method\":\"lessThan\",\"attribute\":\"a\",\"values\":[3]}", "{\"a\":2}", "yes"},
		{"{\"method\":\"lessThan\",\"attribute\":\"a\",\"values\":[\"10\"]}", "{\"a\":\"9\"}", "yes"},
		{"{\"method\":\"lessThan\",\"attribute\":\"a\",\"values\":[\"b\"]}", "{\"a\":\"a\"}", "yes"},
		{"{\"method\":\"greaterThanEqual\",\"attribute\":\"a\",\"values\":[2]}", "{\"a\":2}", "yes"},
		{"{\"method\":\"greaterThan\",\"attribute\":\"a\",\"values\":[2]}", "{\"a\":null}", "no"},
		{"{\"method\":\"isNull\",\"attribute\":\"a\"}", "{\"a\":null}", "yes"},
		{"{\"method\":\"isNull\",\"attribute\":\"b\"}", "{\"a\":null}", "no"},
		{"{\"method\":\"isNotNull\",\"attribute\":\"a\"}", "{\"a\":1}", "yes"},
		{"{\"method\":\"select\",\"values\":[\"*\"]}", "{}", "yes"},
		{"{\"method\":\"or\",\"values\":[{\"method\":\"isNull\",\"attribute\":\"x\"},{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[1]}]}",
		    "{\"a\":1}", "yes"},
		{"{\"method\":\"and\",\"values\":[{\"method\":\"isNotNull\",\"attribute\":\"a\"},{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[2]}]}",
		    "{\"a\":1}", "no"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[1]}", "[1]", "no"},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":1}", "{}", "Values must be a list."},
		{"{\"method\":\"equal\",\"values\":[1]}", "{}", "An attribute is missing."},
		{"{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[[1]]}", "{}", "Values must be a list of plain values."},
		{"{\"method\":\"select\",\"values\":[\"a\"]}", "{}", "Only [\"*\"] can be selected."},
		{"{\"method\":\"and\",\"values\":[]}", "{}", "A group of queries is empty."},
		{"[]", "{}", "A query is no object with a method."},
		{"equal(\"a\",1)", "{}", "A query is no JSON."},
		{"{\"method\":\"search\",\"attribute\":\"a\",\"values\":[1]}", "{}",
		    "Query method 'search' is not supported in Realtime queries. Allowed: equal, notEqual, lessThan, lessThanEqual, "
		    "greaterThan, greaterThanEqual, isNull, isNotNull, and, or, select"},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		cr_expect_str_eq(matches(row[i].query, row[i].payload), row[i].want, "%s on %s", row[i].query, row[i].payload);
}

Test(rt_channel, bounds_queries)
{
	struct buf b;
	struct str q;
	struct filter *f;

	buf_init(&b, cx.arena, 4096);
	for (int i = 0; i < 12; i++)
		buf_c(&b, "{\"method\":\"and\",\"values\":[");
	buf_c(&b, "{\"method\":\"isNull\",\"attribute\":\"a\"}");
	for (int i = 0; i < 12; i++)
		buf_c(&b, "]}");
	q = buf_view(&b);
	cr_expect_str_eq(filter_new(&cx, &q, 1, &f), "There are too many queries.");
	cr_expect_null(f);
}

Test(rt_channel, writes_queries_canonically)
{
	struct str q[2] = {STR("{ \"values\": [1, 2.0], \"attribute\":\"a\", \"extra\":1, \"method\":\"equal\" }"),
		STR("{\"method\":\"isNull\",\"attribute\":\"b\"}")};
	struct filter *f;
	struct buf b;
	struct jw w;

	cr_assert_null(filter_new(&cx, q, 2, &f));
	buf_init(&b, cx.arena, 64);
	jw_init(&w, &b);
	jw_arr(&w);
	filter_write(&w, f);
	jw_arr_end(&w);
	cr_expect_str_eq(b.p, "[\"{\\\"method\\\":\\\"equal\\\",\\\"attribute\\\":\\\"a\\\",\\\"values\\\":[1,2]}\","
			      "\"{\\\"method\\\":\\\"isNull\\\",\\\"attribute\\\":\\\"b\\\",\\\"values\\\":[]}\"]");
	filter_free(&f);
}

/* Who asks for the same has the same, and is answered from the first answer about an event. */
Test(rt_channel, filters_are_shared)
{
	struct str q = STR("{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[1]}");
	struct filter *one, *two;
	struct facts yes, no;

	facts_init(&yes, &cx, STR("{\"a\":1}"), NULL);
	facts_init(&no, &cx, STR("{\"a\":2}"), NULL);
	cr_assert(facts_scan(&yes, 100) && facts_scan(&no, 100));
	cr_assert_null(filter_new(&cx, &q, 1, &one));
	cr_assert_null(filter_new(&cx, &q, 1, &two));
	cr_expect_eq(one, two);
	cr_expect_eq(filter_count(), 1);
	cr_expect(filter_match(one, &yes, 7));
	cr_expect(filter_match(two, &no, 7), "event 7 was asked about already");
	cr_expect_not(filter_match(two, &no, 8));
	filter_free(&one);
	cr_expect_eq(filter_count(), 1);
	filter_free(&two);
	cr_expect_eq(filter_count(), 0);
	facts_fini(&yes);
	facts_fini(&no);
}

/* Many values are looked up, and a long text of digits is no number. */
Test(rt_channel, bounds_values_and_numbers)
{
	struct buf b;
	struct str q;
	struct filter *f;
	double d;

	cr_assert(conf_load(NULL, 0, NULL, false));
	buf_init(&b, cx.arena, 60000);
	buf_c(&b, "{\"method\":\"equal\",\"attribute\":\"a\",\"values\":[0");
	for (int64_t i = 1; i <= conf.rt_values_max; i++)
		buf_printf(&b, ",%lld", (long long)i);
	buf_c(&b, "]}");
	q = buf_view(&b);
	cr_expect_str_eq(filter_new(&cx, &q, 1, &f), "There are too many values.");
	conf.rt_values_max++;
	cr_expect_null(filter_new(&cx, &q, 1, &f));
	cr_expect_eq(filter_steps(f), 2);
	filter_free(&f);
	b.n = 0;
	for (int i = 0; i < 401; i++)
		buf_c(&b, "1");
	cr_expect_not(facts_number(buf_view(&b), &d));
	cr_expect(facts_number((struct str){b.p, 300}, &d));
}

Test(rt_channel, patches_empty_objects_outside_of_texts)
{
	static const struct { const char *from, *to; } row[] = {
		{"{\"a\":{},\"b\":\"{}\",\"c\":[{},{\"d\":{}}],\"e\":\"\\\"{}\"}", "{\"a\":[],\"b\":\"{}\",\"c\":[[],{\"d\":[]}],\"e\":\"\\\"{}\"}"},
		{"{}", "[]"},
	};

	for (size_t i = 0; i < sizeof row / sizeof *row; i++)
		for (size_t step = 1; step < 9; step++) {
			char *copy = arena_strdup(cx.arena, row[i].from);
			struct facts f;

			facts_init(&f, &cx, str_c(row[i].from), copy);
			while (!facts_scan(&f, step))
				;
			facts_fini(&f);
			cr_expect_str_eq(copy, row[i].to);
		}
}
