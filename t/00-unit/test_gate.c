/* The dispatcher's parts that need no server: routes, parameters, bodies, limits. */
#include <criterion/criterion.h>
#include <signal.h>

#include "../../src/gate/gate_priv.h"
#include "core/conf.h"
#include "core/vtime.h"
#include "svc/services.h"

static struct ctx cx;
static struct req *rq;
static struct http_msg msg;

static void
setup(void)
{
	ctx_init(&cx);
	rq = arena_new_of(cx.arena, struct req);
	ctx_init(&rq->cx);
	msg = (struct http_msg){.arena = rq->cx.arena, .peer = "192.0.2.1"};
	rq->http = &msg;
	rq->host = "api.example.org";
	rq->ip = "192.0.2.1";
	rq->user_agent = "";
}

static void
teardown(void)
{
	ctx_fini(&rq->cx);
	ctx_fini(&cx);
}

TestSuite(router, .init = setup, .fini = teardown);
TestSuite(params, .init = setup, .fini = teardown);
TestSuite(body, .init = setup, .fini = teardown);
TestSuite(limit, .init = setup, .fini = teardown);

static err_t
nothing(struct req *r, void *in)
{
	(void)r;
	(void)in;
	return OK;
}

/* ---- routes ---- */

#define R(m, p) {.method = m, .path = p, .handler = nothing}

struct places_in {
	const char *x, *y, *z;
};
static const struct param places[] = {PATH("x", P_UID, struct places_in, x, ""), PATH("y", P_UID, struct places_in, y, ""),
	OPTIONAL("z", P_UID, struct places_in, z, "")};
static const struct route few[] = {R("GET", "/"), R("GET", "/v1/users"), R("GET", "/v1/users/usage"), R("GET", "/v1/users/:userId"),
	R("DELETE", "/v1/users/:userId"), R("GET", "/v1/users/:userId/logs"), {.method = "POST", .path = "/v1/a/:x/b/:y/c", .handler = nothing, .params = places, .n_params = 3}, R("GET", "/v1/a/fixed/b/:y")};

static const struct path_alias aliases[] = {
	{"GET", "/v1/people", "/v1/users", NULL},
	{NULL, "/v1/b", "/v1/a/:/b", "one", .below = true},
	{NULL, "/v1/z/:", "/v1/users/:", NULL, .below = true},
	{0},
};
static const struct route_info *found;

static const char *
route_of(const char *method, const char *path, struct str *args)
{
	static const struct routes table = ROUTES(few);
	static const struct routes *const tables[] = {&table, NULL};
	static const struct service service = {.name = "test", .routes = tables, .aliases = aliases}, *const services[] = {&service};
	static struct router *r;
	const struct route_info *i;
	enum method m;

	services_init();
	if (r == NULL)
		r = router_new(services, 1);
	if (!method_parse(str_c(method), &m))
		return NULL;
	i = router_find(r, m, str_c(path), args);
	found = i;
	return i ? i->route->path : NULL;
}

Test(router, finds)
{
	static const struct { const char *method, *path, *route, *arg; } rows[] = {
		{"GET", "/", "/", NULL},
		{"GET", "/v1/users", "/v1/users", NULL},
		{"HEAD", "/v1/users", "/v1/users", NULL},
		{"GET", "/v1/users/usage", "/v1/users/usage", NULL},
		{"DELETE", "/v1/users/usage", "/v1/users/:userId", "usage"},
		{"GET", "/v1/users/usage/logs", "/v1/users/:userId/logs", "usage"},
		{"GET", "/v1/users/a%20b", "/v1/users/:userId", "a%20b"},
		{"POST", "/v1/a/fixed/b/2/c", "/v1/a/:x/b/:y/c", "fixed"},
		{"GET", "/v1/a/fixed/b/2", "/v1/a/fixed/b/:y", "2"},
		{"GET", "/v1/users/", "/v1/users", NULL},
		{"GET", "/v1/users//", NULL, NULL},
		{"GET", "/v1/users//logs", NULL, NULL},
		{"GET", "/v1/users/x/y", NULL, NULL},
		{"GET", "//v1/users", NULL, NULL},
		{"GET", "/foo/v1/users", NULL, NULL},
		{"GET", "/v1/usersx", NULL, NULL},
		{"POST", "/v1/users", NULL, NULL},
		{"BREW", "/v1/users", NULL, NULL},
		{"get", "/v1/users", NULL, NULL},
		{"GET", "", NULL, NULL},
		{"GET", "v1/users", NULL, NULL},
		{"GET", "/v1/people", "/v1/users", NULL},
		{"POST", "/v1/people", NULL, NULL},
		{"GET", "/v1/people/x", NULL, NULL},
		{"POST", "/v1/b/7/c", "/v1/a/:x/b/:y/c", "7"},
		{"GET", "/v1/b/7", NULL, NULL},
		{"GET", "/v1/z/7", "/v1/users/:userId", "7"},
		{"GET", "/v1/z/7/logs", "/v1/users/:userId/logs", "7"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str args[ROUTE_ARGS_MAX];
		const char *got = route_of(rows[i].method, rows[i].path, args);

		cr_assert_str_eq(got ? got : "-", rows[i].route ? rows[i].route : "-", "%s %s", rows[i].method, rows[i].path);
		if (rows[i].arg != NULL)
			cr_assert(str_is(args[0], rows[i].arg), "%s", rows[i].path);
	}
}

Test(router, binds_what_an_alias_lacks)
{
	struct str args[ROUTE_ARGS_MAX];

	cr_assert_not_null(route_of("POST", "/v1/b/7/c", args));
	cr_assert_str_eq(found->path, "/v1/b/:y/c");
	cr_assert_str_eq(found->alias->bound, "one");
	cr_assert_eq(found->places[0], PLACE_BOUND);
	cr_assert_eq(found->places[1], 0);
	cr_assert_eq(found->places[2], PLACE_BODY);
	cr_assert_not_null(route_of("POST", "/v1/a/5/b/7/c", args));
	cr_assert_eq(found->places[0], 0);
	cr_assert_eq(found->places[1], 1);
}

static void
compile(const struct route *r, int n)
{
	const struct routes table = {r, n}, *const tables[] = {&table, NULL};
	const struct service service = {.name = "test", .routes = tables}, *const services[] = {&service};

	services_init();
	router_new(services, 1);
}

Test(router, refuses_two_rows, .signal = SIGABRT)
{
	static const struct route twice[] = {R("GET", "/v1/a/:x"), R("GET", "/v1/a/:y")};

	compile(twice, 2);
}

Test(router, refuses_method, .signal = SIGABRT)
{
	compile(&(struct route)R("TRACE", "/"), 1);
}

Test(router, refuses_limit, .signal = SIGABRT)
{
	compile(&(struct route){.method = "GET", .path = "/", .handler = nothing, .limit = "many"}, 1);
}

struct one {
	union {
		const char *text;
		int flag;
		int64_t time;
		struct opt_int i;
		struct opt_float f;
		struct strs list;
		json_t *json;
	} v;
};

Test(router, refuses_default, .signal = SIGABRT)
{
	static const struct param p[] = {OPTIONAL("a", P_TEXT, struct one, v, "", .def = "{")};

	compile(&(struct route){.method = "GET", .path = "/", .handler = nothing, PARAMS(struct one, p)}, 1);
}

/* ---- parameters ---- */

static struct param row;

/* Reads one parameter from a body of JSON; the words of the failure, or NULL. */
static const char *
read_one(struct param p, const char *json, struct one **out)
{
	static struct route_info info;
	static struct route route;
	static json_t *def[1];
	void *in = NULL;
	err_t e;

	static int places[1] = {-1};

	row = p;
	route = (struct route){.method = "POST", .path = "/", .params = &row, .n_params = 1, .in_size = sizeof(struct one)};
	json_decref(def[0]);
	def[0] = p.def ? json_loads(p.def, JSON_DECODE_ANY, NULL) : NULL;
	info = (struct route_info){.route = &route, .places = places, .defaults = def};
	rq->route = &route;
	rq->info = &info;
	rq->body = json_parse(&rq->cx, str_c(json), NULL);
	rq->cx.message = NULL;
	cr_assert_not_null(rq->body, "%s", json);
	e = params_read(rq, PARAMS_ALL, &in);
	*out = in;
	cr_assert_eq(e == OK, rq->cx.message == NULL);
	return rq->cx.message;
}

static const char *const abc[] = {"a", "b", "Cc", NULL};
static const char *const verbs[] = {"create", "read", "update", "delete", "write", NULL};
static const char *const document_verbs[] = {"read", "update", "delete", "write", NULL};
static const char *const web[] = {"http", "https", NULL};
static const char *const extra[] = {"$id", NULL};

Test(params, accepts_and_refuses)
{
	static const struct { enum param_type type; int64_t min, max; const char *const *list; const char *good[10], *bad[12]; } rows[] = {
		{P_UID, .good = {"\"a\"", "\"A-z_0.9\"", "\"012345678901234567890123456789012345\""},
		 .bad = {"\"_a\"", "\".a\"", "\"-a\"", "\"a b\"", "\"0123456789012345678901234567890123456\"", "1", "[\"a\"]", "{}", "\"a\\u0000\"", "true", "\"unique()\""}},
		{P_CUSTOM_ID, .good = {"\"a\"", "\"unique()\""}, .bad = {"\"unique(\"", "\"_\""}},
		{P_KEY, .good = {"\"a.b\""}, .bad = {"\"$id\""}},
		{P_TEXT, 0, 3, .good = {"\"abc\"", "\"\xc3\xa4\xc3\xb6\xc3\xbc\""}, .bad = {"\"abcd\"", "1", "true", "[]", "\"a\\u0000\""}},
		{P_TEXT, .good = {"\"0123456789\""}, .bad = {"{}"}},
		{P_EMAIL, .good = {"\"a@b.co\"", "\"a@[127.0.0.1]\""}, .bad = {"\"a@localhost\"", "\"a\"", "\"@b.co\"", "1", "\"a..b@c.de\""}},
		{P_PASSWORD, .good = {"\"12345678\"", "\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\""}, .bad = {"\"1234567\"", "12345678", "\"12345678\\u0000\""}},
		{P_PHONE, .good = {"\"+12\"", "\"+123456789012345\""}, .bad = {"\"+1\"", "\"12\"", "\"+02\"", "\"+1234567890123456\"", "\"+1 2\"", "12"}},
		{P_HOSTNAME, .good = {"\"a.b\"", "\"*\"", "\" A.b. \"", "\"a.b:80\"", "\"*.b.:80\""}, .bad = {"\"a:1:2\"", "\"a:65536\"", "\"*.*\"", "\"[::1]:80\"", "\"a/b\"", "\"a*\"", "1"}},
		{P_URL, .good = {"\"http://a.b\"", "\"custom://x\"", "\"mailto:a@b\""}, .bad = {"\"//a\"", "\"a.b/c\"", "\"http://a b\"", "1"}},
		{P_URL, .list = web, .good = {"\"http://a.b/c?d\"", "\"https://a\"", "\"http://u:p%40@a/\\\\\""}, .bad = {"\"ftp://a\"", "\"HTTP://a\"", "\"http://b\\\\@a/\""}},
		{P_ENUM, .list = abc, .good = {"\"a\"", "\"Cc\""}, .bad = {"\"A\"", "\"d\"", "1"}},
		{P_ENUM_NOCASE, .list = abc, .good = {"\"A\"", "\"cc\""}, .bad = {"\"d\""}},
		{P_BOOL, .good = {"true", "false"}, .bad = {"\"true\"", "1", "0", "\"1\""}},
		{P_BOOL_LOOSE, .good = {"true", "false", "\"true\"", "\"false\"", "\"0\"", "1", "0"}, .bad = {"2", "\"yes\"", "1.0", "[]"}},
		{P_INT, .good = {"1", "-5", "9223372036854775807"}, .bad = {"1.0", "\"1\"", "true", "9223372036854775808"}},
		{P_RANGE, -2, 5, .good = {"5", "-2", "\"3\"", "\" 3 \"", "\"003\""}, .bad = {"6", "-3", "5.0", "\"0x1\"", "\"1e0\"", "true", "\"9223372036854775808\""}},
		{P_NUMBER, .good = {"1", "1.5", "-1e3"}, .bad = {"\"1\"", "true"}},
		{P_DATETIME, .good = {"\"2022-10-04T12:34:56.789+00:00\"", "\"2022-10-04\""}, .bad = {"\"12\"", "\"soon or late\"", "12"}},
		{P_TEXTS, 0, 2, .good = {"[]", "[\"ab\",\"\"]"}, .bad = {"[\"abc\"]", "[1]", "\"ab\"", "{\"a\":\"b\"}"}},
		{P_ENUMS, .list = abc, .good = {"[\"a\",\"b\"]", "[]"}, .bad = {"[\"x\"]", "\"a\""}},
		{P_KEYS, .list = extra, .good = {"[\"a\",\"$id\"]"}, .bad = {"[\"$x\"]", "[\"\"]", "[null]"}},
		{P_ROLES, .good = {"[\"any\",\"guests\",\"users\",\"users/verified\",\"user:a\",\"user:a/unverified\",\"team:t\",\"team:t/owner\",\"member:m\"]"},
		 .bad = {"[\"*\"]", "[\"role:all\"]", "[\"any:a\"]", "[\"users:a\"]", "[\"user\"]", "[\"user:\"]", "[\"user:a/x\"]", "[\"user:a/\"]", "[\"member:m/x\"]", "[\"team:a/b/c\"]", "[\"user:a:b\"]"}},
		{P_PERMISSIONS, .list = verbs, .good = {"[\"read(\\\"any\\\")\"]", "[\"create(\\\"users\\\")\",\"write(\\\"user:a\\\")\"]", "[]"},
		 .bad = {"[\"readfoo(\\\"any\\\")\"]", "[\"read('any')\"]", "[\"read(any)\"]", "[\"read(\\\"\\\")\"]", "[1]", "\"read(\\\"any\\\")\"", "[\"read(\\\"any\\\") \"]", "[\"(\\\"any\\\")\"]", "[\"read(\\\")\"]"}},
		{P_PERMISSIONS, .list = document_verbs, .good = {"[\"read(\\\"any\\\")\"]"}, .bad = {"[\"create(\\\"any\\\")\"]"}},
		{P_QUERIES, .good = {"[\"limit(1)\"]", "[]"}, .bad = {"\"limit(1)\"", "[1]", "{\"a\":\"b\"}"}},
		{P_DATA, 0, 3, .good = {"\"abc\"", "\"a\\u0000\xc3\xa4\""}, .bad = {"\"abcd\"", "1", "true", "[]", "\"a\\u0000bc\""}},
		{P_JSON_OBJECT, .good = {"{}", "{\"a\":1}", "[]", "\"{}\""}, .bad = {"\"x\"", "1", "\"1\""}},
		{P_ASSOC, .good = {"{}", "[]", "{\"a\":[1]}", "{\"1\":1}"}, .bad = {"[1]", "\"{}\"", "{\"0\":1}", "1"}},
		{P_ANY, .good = {"1", "[]", "\"x\"", "{}"}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct param p = {.name = "p", .type = rows[i].type, .min = rows[i].min, .max = rows[i].max, .list = rows[i].list, .required = true};
		struct one *in;

		for (int k = 0; k < 10 && rows[i].good[k] != NULL; k++) {
			const char *why = read_one(p, arena_printf(cx.arena, "{\"p\":%s}", rows[i].good[k]), &in);

			cr_assert_null(why, "type %d, %s: %s", rows[i].type, rows[i].good[k], why);
		}
		for (int k = 0; k < 12 && rows[i].bad[k] != NULL; k++) {
			const char *why = read_one(p, arena_printf(cx.arena, "{\"p\":%s}", rows[i].bad[k]), &in);

			cr_assert_not_null(why, "type %d takes %s", rows[i].type, rows[i].bad[k]);
			cr_assert(strncmp(why, "Invalid p: ", 11) == 0, "%s", why);
		}
	}
}

Test(params, values)
{
	struct one *in;

	cr_assert_null(read_one((struct param){.name = "p", .type = P_CUSTOM_ID}, "{\"p\":\"unique()\"}", &in));
	cr_assert_eq(strlen(in->v.text), 20);
	cr_assert_null(read_one((struct param){.name = "p", .type = P_BOOL_LOOSE}, "{\"p\":\"false\"}", &in));
	cr_assert_eq(in->v.flag, 0);
	cr_assert_null(read_one((struct param){.name = "p", .type = P_RANGE, .min = 0, .max = 9}, "{\"p\":\" 7\"}", &in));
	cr_assert(in->v.i.set && in->v.i.v == 7);
	cr_assert_null(read_one((struct param){.name = "p", .type = P_DATETIME}, "{\"p\":\"1970-01-01T00:00:01.500+00:00\"}", &in));
	cr_assert_eq(in->v.time, 1500);
	cr_assert_null(read_one((struct param){.name = "p", .type = P_PERMISSIONS, .list = verbs},
	    "{\"p\":[\"write(\\\"any\\\")\",\"update(\\\"any\\\")\",\"read(\\\"any\\\")\"]}", &in));
	cr_assert_eq(in->v.list.n, 4);
	cr_assert_str_eq(in->v.list.v[0], "create(\"any\")");
	cr_assert_str_eq(in->v.list.v[3], "read(\"any\")");
	cr_assert_null(read_one((struct param){.name = "p", .type = P_PERMISSIONS, .list = document_verbs}, "{\"p\":[\"write(\\\"any\\\")\"]}", &in));
	cr_assert_eq(in->v.list.n, 2);
}

Test(params, absent)
{
	struct one *in;
	static const char *const nothings[] = {"{}", "{\"p\":null}", "{\"p\":\"\"}"};

	for (int i = 0; i < 3; i++) {
		cr_assert_str_eq(read_one((struct param){.name = "p", .type = P_TEXT, .required = true}, nothings[i], &in),
		    "Param \"p\" is not optional.");
		cr_assert_null(read_one((struct param){.name = "p", .type = P_TEXT, .required = true, .def = "\"x\""}, nothings[i], &in));
		cr_assert_str_eq(in->v.text, "x");
		cr_assert_null(read_one((struct param){.name = "p", .type = P_BOOL}, nothings[i], &in));
		cr_assert_eq(in->v.flag, -1);
		cr_assert_null(read_one((struct param){.name = "p", .type = P_DATETIME}, nothings[i], &in));
		cr_assert_eq(in->v.time, TIME_NONE);
		cr_assert_null(read_one((struct param){.name = "p", .type = P_TEXTS}, nothings[i], &in));
		cr_assert_not(in->v.list.set);
		cr_assert_null(read_one((struct param){.name = "p", .type = P_INT}, nothings[i], &in));
		cr_assert_not(in->v.i.set);
	}
}

Test(params, wire_words)
{
	static const struct { struct param p; const char *json, *words; } rows[] = {
		{{.name = "p", .type = P_TEXT, .max = 128}, "{\"p\":1}", "Invalid p: Value must be a valid string and no longer than 128 chars"},
		{{.name = "p", .type = P_TEXT}, "{\"p\":1}", "Invalid p: Value must be a valid string"},
		{{.name = "p", .type = P_INT}, "{\"p\":\"1\"}", "Invalid p: Value must be a valid integer"},
		{{.name = "p", .type = P_NUMBER}, "{\"p\":\"1\"}", "Invalid p: Value must be a valid float"},
		{{.name = "p", .type = P_BOOL}, "{\"p\":\"1\"}", "Invalid p: Value must be a valid boolean"},
		{{.name = "p", .type = P_RANGE, .min = 0, .max = 10000}, "{\"p\":-1}", "Invalid p: Value must be a valid range between 0 and 10,000"},
		{{.name = "p", .type = P_ENUM, .list = abc}, "{\"p\":\"x\"}", "Invalid p: Value must be one of (a, b, Cc)"},
		{{.name = "p", .type = P_EMAIL}, "{\"p\":\"x\"}", "Invalid p: Value must be a valid email address"},
		{{.name = "p", .type = P_URL, .list = web}, "{\"p\":\"x\"}", "Invalid p: Value must be a valid URL with following schemes (http, https)"},
		{{.name = "p", .type = P_TEXTS, .max = 2}, "{\"p\":[\"abc\"]}",
		 "Invalid p: Value must a valid array and Value must be a valid string and no longer than 2 chars"},
	};
	struct one *in;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_assert_str_eq(read_one(rows[i].p, rows[i].json, &in), rows[i].words);
}

Test(params, long_lists)
{
	struct buf b;
	struct one *in;

	buf_init(&b, cx.arena, 1024);
	BUF_LIT(&b, "{\"p\":[");
	for (int i = 0; i < 101; i++)
		buf_printf(&b, "%s\"a\"", i ? "," : "");
	BUF_LIT(&b, "]}");
	cr_assert_not_null(read_one((struct param){.name = "p", .type = P_TEXTS}, b.p, &in));
	cr_assert_not_null(read_one((struct param){.name = "p", .type = P_QUERIES}, b.p, &in));
	cr_assert_null(read_one((struct param){.name = "p", .type = P_TEXTS, .count = 101}, b.p, &in));
}

/* ---- bodies ---- */

/* What jansson has made is jansson's to free. */
static void
drop(char *dump)
{
	json_free_t give_back;

	json_get_alloc_funcs(NULL, &give_back);
	give_back(dump);
}

static const char *
form(const char *text)
{
	json_t *j = json_object();
	const char *why = NULL;
	char *dump;

	if (!body_form(&rq->cx, str_c(text), j, &why)) {
		json_decref(j);
		return why;
	}
	dump = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	why = arena_strdup(cx.arena, dump);
	drop(dump);
	return why;
}

Test(body, forms)
{
	static const struct { const char *text, *json; } rows[] = {
		{"", "{}"},
		{"a=1&b=%41+c", "{\"a\":\"1\",\"b\":\"A c\"}"},
		{"a=1&a=2", "{\"a\":\"2\"}"},
		{"queries[]=a&queries[]=b", "{\"queries\":[\"a\",\"b\"]}"},
		{"queries%5B%5D=a", "{\"queries\":[\"a\"]}"},
		{"queries[0]=a&queries[1]=b", "{\"queries\":[\"a\",\"b\"]}"},
		{"q[1]=a&q[0]=b", "{\"q\":{\"1\":\"a\",\"0\":\"b\"}}"},
		{"q[2]=a&q[]=b", "{\"q\":{\"2\":\"a\",\"1\":\"b\"}}"},
		{"data[title]=x&data[tags][]=1&data[tags][]=2", "{\"data\":{\"title\":\"x\",\"tags\":[\"1\",\"2\"]}}"},
		{"a.b=1&c+d=2", "{\"a_b\":\"1\",\"c_d\":\"2\"}"},
		{"a=1&a[b]=2", "{\"a\":{\"b\":\"2\"}}"},
		{"a[b]=2&a=1", "{\"a\":\"1\"}"},
		{"a&b=&=c&&", "{\"a\":\"\",\"b\":\"\"}"},
		{"a[=1", "{\"a[\":\"1\"}"},
		{"[a]=1", "{\"[a]\":\"1\"}"},
		{"a[b]c=1", "{\"a\":{\"b\":\"1\"}}"},
		{"a=%zz%", "It has a percent sign without two hexadecimal digits at byte 3."},
		{"a=1&b=%4", "It has a percent sign without two hexadecimal digits at byte 7."},
		{"%=1", "It has a percent sign without two hexadecimal digits at byte 1."},
		{"a=%c3%a4%ff", "It is not valid UTF-8 at byte 9."},
		{"a=%c3%28", "It is not valid UTF-8 at byte 3."},
		{"a=b%00", "It holds a NUL at byte 4."},
		{"=%ff", "It is not valid UTF-8 at byte 2."},
		{"a=%25zz", "{\"a\":\"%zz\"}"},
		{"a=%ff", "It is not valid UTF-8 at byte 3."},
		{"a%ff=1", "It is not valid UTF-8 at byte 2."},
		{"a%00b=1", "It holds a NUL at byte 2."},
		{"a[1][2][3][4][5][6][7][8][9][1][2][3][4][5][6][7][8]=1", "A field's name is too long or nested too deeply at byte 1."},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_assert_str_eq(form(rows[i].text), rows[i].json, "%s: %s", rows[i].text, form(rows[i].text));
}

Test(body, many_fields)
{
	struct buf b;

	buf_init(&b, cx.arena, 8192);
	for (int i = 0; i < 1001; i++)
		BUF_LIT(&b, "a[]=&");
	cr_assert_str_eq(form(b.p), "It has too many fields at byte 5001.");
	b.n = 0;
	for (int i = 0; i < 1001; i++)
		buf_ch(&b, '&');
	cr_assert_str_eq(form(b.p), "It has too many fields at byte 1001.");
}

/* Keys in the way of a list's next number are passed by, but not any number of them: each [] would look through all. */
Test(body, numbers_in_the_way)
{
	struct buf b;

	cr_assert_str_eq(form("a[2]=x&a[3]=x&a[]=y"), "{\"a\":{\"2\":\"x\",\"3\":\"x\",\"4\":\"y\"}}");
	buf_init(&b, cx.arena, 1024);
	for (int i = 20; i < 40; i++)
		buf_printf(&b, "a[%d]=&", i);
	BUF_LIT(&b, "a[]=");
	cr_assert_str_eq(form(b.p), "A field's name is too long or nested too deeply at byte 141.");
}

static const char *
multipart(const char *text)
{
	json_t *j = json_object();
	const char *why = NULL;
	char *dump;

	if (!body_multipart(&rq->cx, str_c(text), STR("XX"), j, &why)) {
		json_decref(j);
		return why;
	}
	dump = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	why = arena_strdup(cx.arena, dump);
	drop(dump);
	return why;
}

#define FIELD_HEAD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"

Test(body, multipart)
{
	static const struct { const char *text, *json; } rows[] = {
		{"--XX--", "{}"},
		{"--XX\r\n" FIELD_HEAD("a") "1\r\n--XX--\r\n", "{\"a\":\"1\"}"},
		{"preamble\r\n--XX\r\n" FIELD_HEAD("a") "1\r\n2\r\n--XX\r\n" FIELD_HEAD("b[]") "\r\n--XX--", "{\"a\":\"1\\r\\n2\",\"b\":[\"\"]}"},
		{"--XX\r\ncontent-type: text/plain\r\ncontent-disposition:form-data; x; name=\"q\\\"r\"\r\n\r\n1\r\n--XX--", "{\"q\\\"r\":\"1\"}"},
		{"--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n\xff\xfe\r\n--XX--", "{}"},
		{"--XX\r\n\r\nno head\r\n--XX--", "{}"},
		{"", "It is not valid multipart/form-data at byte 0."},
		{"--XX", "It is not valid multipart/form-data at byte 4."},
		{"--XX\r\n", "It is not valid multipart/form-data at byte 6."},
		{"--XX\r\nhead only\r\n--XX--", "It is not valid multipart/form-data at byte 23."},
		{"--XX\r\n" FIELD_HEAD("a") "1", "It is not valid multipart/form-data at byte 51."},
		{"--XXY\r\n" FIELD_HEAD("a") "1\r\n--XX--", "It is not valid multipart/form-data at byte 5."},
		{"--XX\r\n" FIELD_HEAD("a") "b\xff\r\n--XX--", "It is not valid UTF-8 at byte 52."},
		{"--XX\r\n" FIELD_HEAD("a\xff") "b\r\n--XX--", "The head of a part is not valid UTF-8 or holds a NUL at byte 7."},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_assert_str_eq(multipart(rows[i].text), rows[i].json, "row %zu: %s", i, multipart(rows[i].text));
}

/* ---- limits ---- */

/* Of the program they live as long as it does. */
static void
drop_keys(struct limit_rule *r)
{
	for (int i = 0; i < ROUTE_LIMITS_MAX; i++) {
		free((void *)(uintptr_t)r[i].key);
		r[i].key = NULL;
	}
}

Test(limit, texts)
{
	struct limit_rule r[ROUTE_LIMITS_MAX] = {0};

	cr_assert_eq(limit_parse("10/3600 url:{url},email:{param-email};5/60 ip:{ip}", r), 2);
	cr_assert(r[0].max == 10 && r[0].period == 3600 && strcmp(r[0].key, "url:{url},email:{param-email}") == 0);
	cr_assert(r[1].max == 5 && r[1].period == 60 && strcmp(r[1].key, "ip:{ip}") == 0);
	drop_keys(r);
	cr_assert_eq(limit_parse("10", r), 1);
	cr_assert(r[0].period == 3600 && strcmp(r[0].key, "url:{url},ip:{ip}") == 0);
	drop_keys(r);
	cr_assert_eq(limit_parse("10/3600 ~a;guess_client/60 ~-b;guess_session -c", r), 3);
	cr_assert(r[0].brake && !r[0].give_back && r[0].setting == NULL && strcmp(r[0].key, "a") == 0);
	cr_assert(r[1].brake && r[1].give_back && r[1].setting == &conf.guess_client && r[1].period == 60 && strcmp(r[1].key, "b") == 0);
	cr_assert(!r[2].brake && r[2].give_back && r[2].setting == &conf.guess_session && r[2].period == 3600);
	drop_keys(r);
	cr_assert_eq(limit_parse("guess_nothing/60 a", r), -1);
	cr_assert_eq(limit_parse("x/60 a", r), -1);
	cr_assert_eq(limit_parse("10/0 a", r), -1);
	cr_assert_eq(limit_parse("0/60 a", r), -1);
	cr_assert_eq(limit_parse("1;1;1;1;1", r), -1);
	drop_keys(r);
}

Test(limit, keys)
{
	static const struct route route = {.method = "POST", .path = "/v1/a/:b"};
	static const struct { const char *key, *text; } rows[] = {
		{"url:{url},ip:{ip}", "url:/v1/a/:b,ip:192.0.2.1"},
		{"ip:{ip},method:{method},userId:{userId}", "ip:192.0.2.1,method:post,userid:"},
		{"email:{param-email}", "email:x@y.z"},
		{"email:{param-none}", "email:{param-none}"},
		{"email:{param-shout}", "email:x@y.z"},
		{"{param-list}", "[]"},
		{"{param-object}", "[]"},
		{"{param-number}", "5"},
		{"{unknown} {", "{unknown} {"},
	};

	rq->route = &route;
	rq->body = json_parse(&rq->cx, STR("{\"email\":\"x@y.z\",\"list\":[1,2],\"object\":{\"a\":1},\"number\":5,\"none\":\"\",\"shout\":\"X@y.Z\"}"), NULL);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str got = limit_key(rq, rows[i].key);

		cr_assert(str_is(got, rows[i].text), "%.*s", STR_FMT(got));
	}
	/* no longer than what can be valid */
	rq->body = json_object();
	json_object_set_new(rq->body, "email", json_string(arena_printf(cx.arena, "%0*d", 100000, 0)));
	cr_assert_eq(limit_key(rq, "{param-email}").n, 512);
	json_decref(rq->body);
}
