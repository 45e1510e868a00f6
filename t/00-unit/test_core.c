/* Units of src/core that need no loop: strings, buffers, JSON, time, ids, maps, generations, errors, configuration. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <criterion/redirect.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/ctx.h"
#include "core/gen.h"
#include "core/id.h"
#include "core/json.h"
#include "core/machine.h"
#include "core/map.h"
#include "core/vtime.h"
#include "core/words.h"

static struct arena *a;

static void
setup(void)
{
	a = arena_new();
}

static void
teardown(void)
{
	arena_free(&a);
}

TestSuite(str, .init = setup, .fini = teardown);
TestSuite(json, .init = setup, .fini = teardown);
TestSuite(vtime);
TestSuite(id, .init = setup, .fini = teardown);

Test(str, cut_gives_head_and_leaves_tail)
{
	struct str s = STR("a,b");

	cr_assert(str_is(str_cut(&s, ','), "a"));
	cr_assert(str_is(str_cut(&s, ','), "b"));
	cr_assert_null(s.p);
}

Test(str, integers)
{
	static const struct { const char *text; bool ok; int64_t v; } rows[] = {
	    {"0", true, 0}, {"-1", true, -1}, {"+7", true, 7}, {"9223372036854775807", true, INT64_MAX},
	    {"-9223372036854775808", true, INT64_MIN}, {"9223372036854776000", false, 0}, {"9223372036854775808", false, 0}, {"", false, 0}, {"-", false, 0},
	    {"1 ", false, 0}, {" 1", false, 0}, {"0x1", false, 0}, {"99999999999999999999", false, 0}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t v = 0;

		cr_expect_eq(str_to_i64(str_c(rows[i].text), &v), rows[i].ok, "%s", rows[i].text);
		if (rows[i].ok)
			cr_expect_eq(v, rows[i].v, "%s", rows[i].text);
	}
}

Test(str, utf8)
{
	static const struct { const char *text; bool ok; size_t points; } rows[] = {
	    {"", true, 0}, {"abc", true, 3}, {"h\xc3\xa9", true, 2}, {"\xf0\x9f\x98\x80", true, 1}, {"\xc0\x80", false, 0},
	    {"\xed\xa0\x80", false, 0}, {"\xe0\x80\x80", false, 0}, {"\xf4\x90\x80\x80", false, 0}, {"\xff", false, 0}, {"\xc3", false, 0}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t points = 0;

		cr_expect_eq(str_utf8(str_c(rows[i].text), &points), rows[i].ok, "row %zu", i);
		if (rows[i].ok)
			cr_expect_eq(points, rows[i].points, "row %zu", i);
	}
}

Test(str, url_decode_keeps_malformed_escapes)
{
	cr_assert(str_is(str_url_decode(a, STR("a%20b+c%zz%4"), true), "a b c%zz%4"));
	cr_assert(str_is(str_url_decode(a, STR("a+%2B"), false), "a++"));
}

Test(str, secrets_compare_by_content)
{
	cr_assert(str_eq_secret(STR("abc"), STR("abc")));
	cr_assert_not(str_eq_secret(STR("abc"), STR("abd")));
	cr_assert_not(str_eq_secret(STR("abc"), STR("ab")));
}

Test(str, buffers_grow_in_an_arena_and_alone)
{
	struct buf in_arena, alone;

	buf_init(&in_arena, a, 0);
	buf_init(&alone, NULL, 0);
	for (int i = 0; i < 5000; i++) {
		buf_i64(&in_arena, i);
		buf_i64(&alone, i);
	}
	buf_i64(&alone, INT64_MIN);
	cr_assert(strncmp(in_arena.p, alone.p, in_arena.n) == 0);
	cr_assert(str_ends(buf_view(&alone), "-9223372036854775808"));
	buf_fini(&alone);
}

Test(str, arena_holds_large_and_small)
{
	size_t before = arena_used(a);
	char *big = arena_alloc(a, 1 << 20), *text = arena_printf(a, "%0400d", 7);

	memset(big, 1, 1 << 20);
	cr_assert_eq(strlen(text), 400);
	cr_assert_geq(arena_used(a) - before, 1 << 20);
}

static const char *
written(double v)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, 32);
	jw_init(&w, &b);
	jw_f64(&w, v);
	return b.p;
}

Test(json, floats_as_the_protocol_prints_them)
{
	static const struct { double v; const char *text; } rows[] = {{0, "0"}, {5, "5"}, {-3, "-3"}, {0.1, "0.1"}, {0.001, "0.001"}, {-0.005, "-0.005"}, {-12.25, "-12.25"}, {123456789.5, "123456789.5"}, {0.0005, "0.0005"}, {0.30000000000000004, "0.30000000000000004"}, {999999999.999, "999999999.999"}, {1000000000.001, "1000000000.001"}, {2.0005, "2.0005"}, {1e20, "1.0e+20"}, {1e15, "1000000000000000"}, {12345678901234567.0, "12345678901234568"}, {1e17, "1.0e+17"},
	    {-0.0, "-0"}, {5e-324, "5.0e-324"}, {0.0001, "0.0001"}, {0.00001, "1.0e-5"},
	    {1.5e-7, "1.5e-7"}, {1.7976931348623157e308, "1.7976931348623157e+308"}, {3.14159265, "3.14159265"}, {NAN, "null"}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_expect_str_eq(written(rows[i].v), rows[i].text);
}

Test(json, round_trip_with_escapes)
{
	struct ctx cx;
	struct buf b;
	struct jw w;
	json_t *j;

	ctx_init(&cx);
	j = json_parse(&cx, STR("{\"a\":[1,2.5,true,null,\"x\\/\\u00e9\\n\"],\"e\":{},\"big\":12345678901234567890}"), NULL);
	cr_assert_not_null(j);
	buf_init(&b, a, 0);
	jw_init(&w, &b);
	jw_value(&w, j);
	cr_expect_str_eq(b.p, "{\"a\":[1,2.5,true,null,\"x\\/\xc3\xa9\\n\"],\"e\":{},\"big\":1.2345678901234567e+19}");
	buf_init(&b, a, 0);
	jw_init(&w, &b);
	w.ascii = w.empty_as_list = true;
	jw_value(&w, j);
	cr_expect_str_eq(b.p, "{\"a\":[1,2.5,true,null,\"x\\/\\u00e9\\n\"],\"e\":[],\"big\":1.2345678901234567e+19}");
	ctx_fini(&cx);
}

Test(json, astral_characters_become_surrogate_pairs)
{
	struct buf b;
	struct jw w;

	buf_init(&b, a, 0);
	jw_init(&w, &b);
	w.ascii = true;
	jw_str(&w, STR("\xf0\x9f\x98\x80"));
	cr_expect_str_eq(b.p, "\"\\ud83d\\ude00\"");
}

Test(json, only_big_integers_become_floats)
{
	struct ctx cx;
	json_t *j;

	ctx_init(&cx);
	j = json_parse(&cx, STR("{\"a\":5,\"s\":\"\\\"99999999999999999999\",\"big\":[100000000000000000000,-9223372036854775808,-9223372036854775809]}"), NULL);
	cr_assert_not_null(j);
	cr_expect(json_is_integer(json_object_get(j, "a")));
	cr_expect_str_eq(json_string_value(json_object_get(j, "s")), "\"99999999999999999999");
	cr_expect_float_eq(json_real_value(json_array_get(json_object_get(j, "big"), 0)), 1e20, 1);
	cr_expect(json_is_integer(json_array_get(json_object_get(j, "big"), 1)));
	cr_expect(json_is_real(json_array_get(json_object_get(j, "big"), 2)));
	cr_expect_null(json_parse(&cx, STR("[100000000000000000000,1e400]"), NULL));
	ctx_fini(&cx);
}

static bool
ends(const char *text, const char *with)
{
	size_t n = strlen(text), m = strlen(with);

	return n >= m && strcmp(text + n - m, with) == 0;
}

/* What a tree takes is not more than was said before it was made. */
Test(json, weighs_what_it_makes)
{
	static const char *const of[] = {"{}", "[]", "1", "\"a\"", "{\"a\":1}", "[1,[]]", "1.5"};
	enum { N = 5000 };

	for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
		struct json_weight w = JSON_WEIGHT;
		struct ctx cx;
		struct buf b;

		ctx_init(&cx);
		buf_init(&b, NULL, 1 << 16);
		for (int i = 0; i < N; i++)
			buf_printf(&b, "%c%s", i == 0 ? '[' : ',', of[k]);
		buf_ch(&b, ']');
		json_weigh(&w, buf_view(&b));
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
		size_t before = mallinfo2().uordblks;

		cr_assert_not_null(json_parse(&cx, buf_view(&b), NULL));
		cr_expect_leq(mallinfo2().uordblks - before, w.bytes, "%s", of[k]);
#endif
		cr_expect_geq(w.values, (size_t)N);
		ctx_fini(&cx);
		buf_fini(&b);
	}
}

/* Wherever a text is cut. */
Test(json, weighs_in_pieces)
{
	struct str text = STR("{\"a\\\"[,\":[1,\"\\\\\",{}],\"[{,\\\"[\":\",,,\"}");
	struct json_weight whole = JSON_WEIGHT;

	json_weigh(&whole, text);
	cr_expect_eq(whole.values, 7);
	for (size_t i = 0; i <= text.n; i++) {
		struct json_weight w = JSON_WEIGHT;

		json_weigh(&w, (struct str){text.p, i});
		json_weigh(&w, (struct str){text.p + i, text.n - i});
		cr_expect_eq(w.values, whole.values, "%zu", i);
		cr_expect_eq(w.bytes, whole.bytes, "%zu", i);
	}
}

Test(json, refuses_depth_and_garbage)
{
	char deep[2 * JSON_DEPTH_MAX + 4];
	const char *why = NULL;
	struct ctx cx;

	ctx_init(&cx);
	memset(deep, '[', sizeof deep);
	cr_expect_null(json_parse(&cx, (struct str){deep, sizeof deep}, &why));
	cr_expect_str_eq(why, "nested too deeply at byte 65");
	cr_expect_eq(json_values(STR("5")), 1);
	cr_expect_eq(json_values(STR("{\"a\":[1,2,{}],\"[{,\\\"[\":\",,,\"}")), 7);
	/* integers beyond 64 bits are written anew before a second try, in more letters or fewer: the place is one in what was sent */
	cr_expect_null(json_parse(&cx, STR("[1,]"), &why));
	cr_expect(ends(why, " at byte 4"), "%s", why);
	cr_expect_null(json_parse(&cx, STR("[100000000000000000000,100000000000000000000,]"), &why));
	cr_expect(ends(why, " at byte 46"), "%s", why);
	cr_expect_null(json_parse(&cx, STR("[9223372036854775808,1,]"), &why));
	cr_expect(ends(why, " at byte 24"), "%s", why);
	cr_expect_null(json_parse(&cx, STR("{\"a\":}"), &why));
	cr_expect_null(json_parse(&cx, STR("\"\xff\""), NULL));
	cr_expect_null(json_parse(&cx, STR(""), &why));
	ctx_fini(&cx);
}

Test(vtime, wire_forms)
{
	char out[30];

	cr_expect_str_eq(time_iso(1664886896789, out), "2022-10-04T12:34:56.789+00:00");
	cr_expect_str_eq(time_sql(1664886896789, out), "2022-10-04 12:34:56.789");
	cr_expect_str_eq(time_http(1664886896000, '-', out), "Tue, 04-Oct-2022 12:34:56 GMT");
	cr_expect_str_eq(time_iso(-1, out), "1969-12-31T23:59:59.999+00:00");
	cr_expect_eq(time_from_pg(STR("2022-10-04 12:34:56.7+00")), 1664886896700);
	cr_expect_eq(time_from_pg(STR("2022-10-04 12:34:56+00")), 1664886896000);
	cr_expect_eq(time_from_pg(STR("")), TIME_NONE);
}

Test(vtime, lenient_dates)
{
	static const struct { const char *text, *iso; } rows[] = {
	    {"2022-01-02", "2022-01-02T00:00:00.000+00:00"}, {"2022-1-2", "2022-01-02T00:00:00.000+00:00"},
	    {"2022/01/02", "2022-01-02T00:00:00.000+00:00"}, {"20220102", "2022-01-02T00:00:00.000+00:00"},
	    {"2022-01", "2022-01-01T00:00:00.000+00:00"}, {"2022-01-02T03:04", "2022-01-02T03:04:00.000+00:00"},
	    {"2022-01-02 03:04:05.6789", "2022-01-02T03:04:05.678+00:00"}, {"2022-01-02T03:04:05Z", "2022-01-02T03:04:05.000+00:00"},
	    {"2022-01-02T03:04:05+02:00", "2022-01-02T01:04:05.000+00:00"}, {"2022-01-02T03:04:05-0130", "2022-01-02T04:34:05.000+00:00"},
	    {"2022-01-02T03:04:05 EST", "2022-01-02T08:04:05.000+00:00"}, {"01/02/2022", "2022-01-02T00:00:00.000+00:00"},
	    {"Sun, 02 Jan 2022 03:04:05 +0000", "2022-01-02T03:04:05.000+00:00"}, {"@1664886896", "2022-10-04T12:34:56.000+00:00"},
	    {"2022-02-30", "2022-03-02T00:00:00.000+00:00"}, {"2022-01-01T24:00:00", "2022-01-02T00:00:00.000+00:00"},
	    {"2022-01-01T23:59:60", "2022-01-02T00:00:00.000+00:00"}, {"2022-13-01", NULL}, {"2022-01-01T25:00", NULL}, {"0", NULL},
	    {"hello", NULL}, {"12", NULL}, {"", NULL}, {"2022-01-02T", NULL}, {"2022-01-02 03:04:05 Nowhere", NULL},
	    {"2022-01-02 03:04:05 Nowhere/City", NULL}, {"2022-01-02 03:04:05 Etc/../UTC", NULL}, {"2022-01-02 03:04:05 /etc/passwd", NULL},
	    {"2022-01-02 03:04:05 Etc/", NULL},
	    {"+500000 weeks", NULL}, {"-500000 weeks", NULL}, {"@253402300800", NULL}, {"9999-12-31T23:59:59-01:00", NULL}};
	char out[30];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ms = 0;
		bool ok = time_parse(str_c(rows[i].text), &ms);

		cr_expect_eq(ok, rows[i].iso != NULL, "%s", rows[i].text);
		if (ok && rows[i].iso != NULL)
			cr_expect_str_eq(time_iso(ms, out), rows[i].iso, "%s -> %s", rows[i].text, out);
	}
}

/* Summer time is skipped into and left twice; behind the last known change a rule goes on. */
Test(vtime, zones_by_name)
{
	static const struct {
		const char *text, *iso;
	} rows[] = {{"2022-01-02 03:04:05 Etc/UTC", "2022-01-02T03:04:05.000+00:00"},
	    {"2022-01-02T03:04:05.678 Asia/Kolkata", "2022-01-01T21:34:05.678+00:00"},
	    {"2022-07-01 12:00 Europe/Paris", "2022-07-01T10:00:00.000+00:00"}, {"2022-03-27 01:59 Europe/Paris", "2022-03-27T00:59:00.000+00:00"},
	    {"2022-03-27 02:30 Europe/Paris", "2022-03-27T01:30:00.000+00:00"}, {"2022-03-27 03:00 Europe/Paris", "2022-03-27T01:00:00.000+00:00"},
	    {"2022-10-30 02:30 Europe/Paris", "2022-10-30T00:30:00.000+00:00"}, {"2022-10-30 03:00 Europe/Paris", "2022-10-30T02:00:00.000+00:00"},
	    {"2400-07-01 12:00 Europe/Paris", "2400-07-01T10:00:00.000+00:00"}, {"2400-07-01 12:00 Australia/Sydney", "2400-07-01T02:00:00.000+00:00"},
	    {"2400-01-01 12:00 America/New_York", "2400-01-01T17:00:00.000+00:00"}, {"1880-01-01 00:00 Europe/Paris", "1879-12-31T23:50:39.000+00:00"}};
	char out[30];

	if (access("/usr/share/zoneinfo/Europe/Paris", R_OK) != 0)
		cr_skip_test("no zone files here");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ms = 0;

		cr_expect(time_parse(str_c(rows[i].text), &ms), "%s", rows[i].text);
		cr_expect_str_eq(time_iso(ms, out), rows[i].iso, "%s -> %s", rows[i].text, out);
	}
}

Test(vtime, words_are_relative_to_now)
{
	int64_t now = time_now_ms(), ms = 0;

	cr_expect(time_parse(STR("+1 day"), &ms) && ms >= now + 86400000);
	cr_expect(time_parse(STR("tomorrow"), &ms) && ms > now);
	cr_expect(time_parse(STR("noon"), &ms) && ms % 86400000 == 43200000);
}

Test(id, unique_ids_are_valid_and_differ)
{
	char *x = id_unique(a), *y = id_unique(a);

	cr_expect_eq(strlen(x), ID_LEN);
	cr_expect(id_valid(str_c(x)));
	cr_expect_str_neq(x, y);
}

Test(id, rule)
{
	cr_expect(id_valid(STR("a.b-c_1")));
	cr_expect_not(id_valid(STR("")));
	cr_expect_not(id_valid(STR(".a")));
	cr_expect_not(id_valid(STR("a b")));
	cr_expect_not(id_valid(STR("a%20b")));
	cr_expect(id_valid(STR("123456789012345678901234567890123456")));
	cr_expect_not(id_valid(STR("1234567890123456789012345678901234567")));
}

Test(id, digests_and_base64)
{
	unsigned char mac[32];
	struct str back;

	cr_expect_str_eq(sha256_hex(a, STR("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	cr_expect_str_eq(base64_encode(a, STR("hi?>"), false), "aGk/Pg==");
	cr_expect_str_eq(base64_encode(a, STR("hi?>"), true), "aGk_Pg");
	cr_expect(base64_decode(a, STR("aGk/Pg=="), false, &back) && str_is(back, "hi?>"));
	cr_expect_not(base64_decode(a, STR("aGk/Pg==x"), false, &back));
	/* RFC 4231, test case 2 */
	hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), mac);
	cr_expect_str_eq(hex_encode(a, mac, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

Test(map, random_operations_agree_with_an_array)
{
	enum { KEYS = 500 };
	struct map *m = map_new();
	void *model[KEYS] = {0};
	size_t count = 0;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		int k = rand() % KEYS;
		char key[16];
		struct str s = {key, (size_t)snprintf(key, sizeof key, "key%d", k)};
		void *v = rand() % 3 ? (void *)(uintptr_t)(i + 1) : NULL;

		cr_assert_eq(map_get(m, s), model[k]);
		count += (v != NULL) - (model[k] != NULL);
		cr_assert_eq(v != NULL ? map_set(m, s, v) : map_del(m, s), model[k]);
		model[k] = v;
		cr_assert_eq(map_count(m), count);
	}
	map_free(&m);
}

static int dropped;

static void
count_drop(void *v)
{
	(void)v;
	dropped++;
}

Test(map, lru_drops_the_least_recent)
{
	struct lru *l = lru_new(2, count_drop);
	int x, y, z;

	lru_put(l, STR("x"), &x);
	lru_put(l, STR("y"), &y);
	cr_expect_eq(lru_get(l, STR("x")), &x);
	lru_put(l, STR("z"), &z);
	cr_expect_null(lru_get(l, STR("y")));
	cr_expect_eq(dropped, 1);
	cr_expect(lru_drop_last(l));
	cr_expect_null(lru_get(l, STR("x")));
	cr_expect_eq(lru_get(l, STR("z")), &z);
	cr_expect_eq(dropped, 2);
	lru_free(&l);
	cr_expect_eq(dropped, 3);
	l = lru_new(2, count_drop);
	cr_expect_not(lru_drop_last(l));
	lru_free(&l);
}

Test(gen, a_bump_is_seen)
{
	uint32_t before = gen_of(STR("user:p:u"));

	gen_bump(STR("user:p:u"));
	cr_expect_neq(gen_of(STR("user:p:u")), before);
	before = gen_of(STR("user:p:other"));
	gen_bump_all();
	cr_expect_neq(gen_of(STR("user:p:other")), before);
}

Test(err, every_row_has_a_type_and_an_allowed_status)
{
	for (int e = 1; e < ERR_N; e++) {
		const struct err_info *i = err_info((err_t)e);

		cr_expect_not_null(i->type);
		cr_expect(i->status >= 400 && i->status < 600, "%s", i->name);
		cr_expect(strlen(i->message) > 3, "%s", i->name);
	}
	cr_expect_eq(err_info((err_t)9999)->status, 500);
}

Test(err, defers_run_in_reverse)
{
	struct ctx cx;

	dropped = 0;
	ctx_init(&cx);
	defer(&cx, count_drop, NULL);
	defer(&cx, count_drop, NULL);
	cr_expect_eq(fail(&cx, ERR_BUSY, "n=%d", 3), ERR_BUSY);
	cr_expect_str_eq(cx.detail, "n=3");
	ctx_fini(&cx);
	cr_expect_eq(dropped, 2);
}

Test(conf, sources_and_units, .init = cr_redirect_stderr)
{
	char path[] = "/tmp/badal-conf-XXXXXX", a0[32] = "port=9999", a1[] = "rt-queue-soft=2k", *args[] = {a0, a1};
	const char *file = "# comment\nport = 1234\nlog_level = \"debug\"\nrequest_timeout = 5s\nrate_limits = off\nrt_ping_interval = 0\n";
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && write(fd, file, strlen(file)) > 0);
	setenv("BADAL_LISTEN", "127.0.0.9", 1);
	cr_assert(conf_load(path, 2, args, false));
	cr_expect_eq(conf.port, 9999);
	cr_expect_eq(conf.rt_queue_soft, 2048);
	cr_expect_eq(conf.rt_ping_interval, 0);
	cr_expect_eq(conf.request_timeout, 5000);
	cr_expect_not(conf.rate_limits);
	cr_expect_str_eq(conf.log_level, "debug");
	cr_expect_str_eq(conf.listen, "127.0.0.9");
	strcpy(a0, "port=1");
	cr_assert(conf_load(path, 1, args, true));
	cr_expect_eq(conf.port, 9999, "a START row moved on reload");
	strcpy(a0, "nonsense=1");
	cr_expect_not(conf_load(NULL, 1, args, false));
	strcpy(a0, "port=many");
	cr_expect_not(conf_load(NULL, 1, args, false));
	close(fd);
	unlink(path);
}

/* Every byte at every place of a word. */
Test(json, escapes_wherever_the_byte_stands)
{
	char text[20];

	for (int c = 0; c < 256; c++)
		for (size_t at = 0; at < sizeof text; at++) {
			struct buf fast, slow;

			memset(text, 'x', sizeof text);
			text[at] = (char)c;
			text[(at + 5) % sizeof text] = (char)0xff;
			buf_init(&fast, NULL, 0);
			buf_init(&slow, NULL, 0);
			json_escape_part(&fast, (struct str){text, sizeof text});
			for (size_t i = 0; i < sizeof text; i++)
				json_escape_part(&slow, (struct str){text + i, 1});
			cr_assert(str_eq(buf_view(&fast), buf_view(&slow)), "byte %d at %zu", c, at);
			buf_fini(&fast);
			buf_fini(&slow);
		}
}

Test(str, heads_end_with_whole_characters)
{
	static const struct {
		const char *text;
		size_t max;
		const char *head;
	} rows[] = {{"abc", 5, "abc"}, {"abc", 3, "abc"}, {"abc", 2, "ab"}, {"a\u00e9", 2, "a"}, {"a\u00e9", 3, "a\u00e9"}, {"\u20ac", 2, ""}, {"\u20ac\u20ac", 5, "\u20ac"},
		{"\U0001f600x", 3, ""}, {"\U0001f600x", 4, "\U0001f600"}, {"", 0, ""}, {"x", 0, ""}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str head = str_head(str_c(rows[i].text), rows[i].max);

		cr_expect(str_is(head, rows[i].head), "%s, %zu: %.*s", rows[i].text, rows[i].max, STR_FMT(head));
	}
}

Test(str, strangers_text_is_kept)
{
	static const struct {
		const char *given, *text;
	} rows[] = {{"Mozilla", "Mozilla"}, {"Br\u00f6wser", "Br\u00f6wser"}, {"Br\u00f6wser \xe2\x82", "Br\u00f6wser "}, {"x\xc3", "x"}, {"x\xf0\x9f\x98", "x"}, {"\xc3(", "?("},
		{"\xff\xfe", "??"}, {"\xed\xa0\x80", "???"}, {"\xc0\xaf", "??"}, {"\u00f6\xff\u00f6", "\u00f6?\u00f6"}, {"\xe2\x28", "?("}, {"", ""}, {"\x80", "?"}};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *text = str_text(a, str_c(rows[i].given));

		cr_expect(str_utf8(str_c(text), NULL));
		cr_expect_str_eq(text, rows[i].text);
	}
	arena_free(&a);
}

Test(json, nested_empty_objects_become_lists)
{
	static const char *const rows[][2] = {{"{}", "{}"}, {"{\"a\":{}}", "{\"a\":[]}"}, {"{\"a\":[{},{\"b\":{}}],\"{}\":\"{}\\\"{}\"}", "{\"a\":[[],{\"b\":[]}],\"{}\":\"{}\\\"{}\"}"},
		{"", ""}, {"{", "{"}, {"{\"a\":{", "{\"a\":{"}, {"\"\\", "\"\\"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[64];

		strcpy(text, rows[i][0]);
		json_empties_to_lists(text, strlen(text));
		cr_expect_str_eq(text, rows[i][1]);
	}
}

Test(conf, what_is_forgotten_is_wiped_and_stays_so)
{
	static const char *const names[] = {"master_key", "master_key_old", NULL};
	char a[] = "master_key=a long secret", b[] = "master_key_old=another", c[] = "port=81", *args[] = {a, b, c};
	const char *key;

	cr_assert(conf_load(NULL, 3, args, false));
	key = conf.master_key;
	cr_assert_str_eq(key, "a long secret");
	conf_forget(names);
	for (size_t i = 0; i < strlen("a long secret"); i++)
		cr_assert_eq(key[i], '\0');
	for (int i = 0; i < 2; i++) {
		cr_assert_str_empty(conf.master_key);
		cr_assert_str_empty(conf.master_key_old);
		cr_assert_eq(conf.port, 81);
		cr_assert(conf_load(NULL, 3, args, true));
	}
}

/* ---- machine ---- */

static void
put_file(const char *root, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof full, "%s/%s", root, path);
	for (char *p = full + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		(void)mkdir(full, 0700);
		*p = '/';
	}
	f = fopen(full, "w");
	cr_assert_not_null(f, "%s", full);
	fputs(text, f);
	fclose(f);
}

/* Each a machine with 8 GiB and 8 cores, as files of the kernel; the least limit of all groups around counts. */
Test(machine, least_of_all_groups)
{
#define TWO "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define ONE "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	static const struct {
		const char *what, *cgroup, *mounts;
		const char *files[12];	/* path, text, … */
		size_t memory;
		unsigned cores;
	} rows[] = {
		{"nothing", "", "", {NULL}, 8192, 8},
		{"two, no limits", "0::/a/b\n", TWO, {"sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/b/cpu.max", "max 100000\n", "sys/fs/cgroup/a/memory.max", "max\n"}, 8192, 8},
		{"two, of its own", "0::/a/b\n", TWO, {"sys/fs/cgroup/a/b/memory.max", "1073741824\n", "sys/fs/cgroup/a/b/cpu.max", "200000 100000\n"}, 1024, 2},
		{"two, of the outer", "0::/a/b\n", TWO, {"sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/memory.max", "536870912\n", "sys/fs/cgroup/a/cpu.max", "50000 100000\n"}, 512, 1},
		{"two, the inner is less", "0::/a/b\n", TWO, {"sys/fs/cgroup/a/b/memory.max", "268435456\n", "sys/fs/cgroup/a/memory.max", "536870912\n"}, 256, 8},
		{"two, high", "0::/a\n", TWO, {"sys/fs/cgroup/a/memory.high", "134217728\n", "sys/fs/cgroup/a/memory.max", "536870912\n"}, 128, 8},
		{"two, in a namespace", "0::/\n", TWO, {"sys/fs/cgroup/memory.max", "536870912\n", "sys/fs/cgroup/cpu.max", "150000 100000\n"}, 512, 2},
		{"two, more than there is", "0::/a\n", TWO, {"sys/fs/cgroup/a/memory.max", "1099511627776\n", "sys/fs/cgroup/a/cpu.max", "6400000 100000\n"}, 8192, 8},
		{"two, bound mount of a container", "0::/docker/x/y\n", "30 23 0:26 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		    {"sys/fs/cgroup/y/memory.max", "max\n", "sys/fs/cgroup/memory.max", "536870912\n"}, 512, 8},
		{"two, elsewhere", "0::/../z\n", TWO, {"sys/fs/cgroup/memory.max", "536870912\n"}, 512, 8},
		{"two, not what is above", "0::/a\n", TWO, {"sys/fs/memory.max", "1048576\n"}, 8192, 8},
		{"one", "4:cpu,cpuacct:/c\n3:memory:/m/n\n2:pids:/\n", ONE, {"sys/fs/cgroup/memory/m/n/memory.limit_in_bytes", "9223372036854771712\n", "sys/fs/cgroup/memory/m/memory.limit_in_bytes",
		    "1073741824\n", "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us", "250000\n", "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us", "100000\n"}, 1024, 3},
		{"one, no limits", "4:cpu,cpuacct:/\n3:memory:/\n", ONE, {"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n",
		    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}, 8192, 8},
		{"both", "3:memory:/m\n0::/u\n", "29 23 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n" ONE,
		    {"sys/fs/cgroup/memory/m/memory.limit_in_bytes", "1073741824\n", "sys/fs/cgroup/unified/u/cpu.max", "100000 100000\n"}, 1024, 1},
		{"nonsense", "0::/a\nx\n0\n::::\n", "x - \n - cgroup2\n" TWO, {"sys/fs/cgroup/a/memory.max", "much\n", "sys/fs/cgroup/a/cpu.max", "-5 0\n", "sys/fs/cgroup/memory.max", ""}, 8192, 8},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char root[] = "/tmp/badal-machine-XXXXXX", rm[64];
		size_t memory;
		unsigned cores;

		cr_assert_not_null(mkdtemp(root));
		put_file(root, "proc/self/cgroup", rows[i].cgroup);
		put_file(root, "proc/self/mountinfo", rows[i].mounts);
		for (int k = 0; rows[i].files[k] != NULL; k += 2)
			put_file(root, rows[i].files[k], rows[i].files[k + 1]);
		memory = machine_memory_at(root, (size_t)8192 << 20);
		cores = machine_cores_at(root, 8);
		cr_expect_eq(memory, rows[i].memory << 20, "%s: %zu", rows[i].what, memory >> 20);
		cr_expect_eq(cores, rows[i].cores, "%s: %u", rows[i].what, cores);
		snprintf(rm, sizeof rm, "rm -r %s", root);
		cr_assert_eq(system(rm), 0);
	}
	cr_expect_gt(machine_memory(), 0);
	cr_expect_geq(machine_cores(), 1);
}

/* ---- words ---- */

static const struct word_twin stems[] = {{"an attribute", "a column"}, {"attribute", "column"}, {"document", "row"}, {0}};
static const struct word_twin names[] = {{"index", "columnIndex"}, {"index_", "column_index_"}, {0}};
static const struct words words = {names, stems};

Test(words, names_and_their_parts)
{
	static const char *const rows[][2] = {
		{"documentId", "rowId"}, {"createDocument", "createRow"}, {"$attributes", "$columns"}, {"index", "columnIndex"}, {"indexes", "indexes"},
		{"index_not_found", "column_index_not_found"}, {"an index_", "an index_"}, {"An attribute.", "A column."}, {"", ""}, {"documen", "documen"},
		{"/:documentId/documents", "/:rowId/rows"},
	};
	char out[WORD_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_str_eq(words_put(&words, rows[i][0], out), rows[i][1]);
}

Test(words, what_is_said_alike_is_no_copy)
{
	static const char key[] = "name", *said;	/* it is for the process */
	char out[WORD_MAX];

	cr_expect_eq(words_put(NULL, key, out), key);
	cr_expect_eq(words_say(NULL, &words, key), key);
	said = words_say(NULL, &words, "documents");
	cr_expect_str_eq(said, "rows");
}

Test(words, a_long_name_is_cut)
{
	char name[2 * WORD_MAX], out[WORD_MAX];

	memset(name, 'd', sizeof name);
	memcpy(name + WORD_MAX - 3, "document", sizeof "document");
	words_put(&words, name, out);
	cr_expect_eq(strlen(out), (size_t)WORD_MAX - 1);
	cr_expect(memcmp(out + WORD_MAX - 3, "ro", 2) == 0);
}
