/* Clients behind proxies, origins, public suffixes. */
#include <criterion/criterion.h>

#include "core/conf.h"
#include "io/idna.h"
#include "io/psl.h"
#include "model/origin.h"
#include "model/proxy.h"

Test(origin, parse)
{
	static const struct { const char *text, *scheme, *host, *port; } rows[] = {
		{"http://localhost", "http", "localhost", ""},
		{"http://localhost:3000", "http", "localhost", "3000"},
		{"https://a.b.c/page?x=http://evil", "https", "a.b.c", ""},
		{"appwrite-ios://com.example.app", "appwrite-ios", "com.example.app", ""},
		{"http://good@evil.example", "http", "evil.example", ""},
		{"http://good.example:80@evil.example:81", "http", "evil.example", "81"},
		{"http://evil.example#@localhost", "http", "evil.example", ""},
		{"http://evil.example\\@localhost", "", "", ""},
		{"http://localhost\\@evil.example", "", "", ""},
		{"http://evil.example\t@localhost", "", "", ""},
		{"http://evil.example%2f@localhost", "http", "localhost", ""},
		{"http://evil.example%5c@localhost", "http", "localhost", ""},
		{"http://\xc3\xa9vil.example@localhost", "", "", ""},
		{"http://[::1]:8080", "http", "[::1]", "8080"},
		{"http://a:80x", "http", "a", ""},
		{"null", "", "", ""},
		{"example.org", "", "", ""},
		{"://a", "", "", ""},
		{"http://", "", "", ""},
		{"http://a b", "", "", ""},
		{"http://[x]", "", "", ""},
		{"", "", "", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct origin o = origin_parse(rows[i].text);

		cr_assert(str_is(o.scheme, rows[i].scheme) || (o.scheme.n == 0 && !*rows[i].scheme), "%s", rows[i].text);
		cr_assert(str_is(o.host, rows[i].host) || (o.host.n == 0 && !*rows[i].host), "%s: %.*s", rows[i].text, STR_FMT(o.host));
		cr_assert(str_is(o.port, rows[i].port) || (o.port.n == 0 && !*rows[i].port), "%s", rows[i].text);
	}
	cr_assert_eq(origin_parse(NULL).host.n, 0);
}

Test(origin, allowed)
{
	struct platform rows[] = {{.type = "web", .hostname = " *.Example.org. ", .key = ""}, {.type = "android", .hostname = "", .key = "com.example.app"},
		{.type = "apple-macos", .hostname = "", .key = "com.example.mac"}, {.type = "web", .hostname = "", .key = "webkey"}};
	void *v[] = {&rows[0], &rows[1], &rows[2], &rows[3]};
	struct project p = {.platforms = {4, v}};
	static const struct { const char *origin; bool origin_ok, host_ok; } cases[] = {
		{"http://localhost", true, true},
		{"http://own.test:80", true, true},
		{"https://a.example.org", true, true},
		{"https://A.example.org.", true, true},
		{"https://example.org", false, false},
		{"https://a.b.example.org", false, false},
		{"https://aexample.org", false, false},
		{"appwrite-android://com.example.app", true, false},
		{"Appwrite-ANDROID://com.example.app", true, false},
		{"Appwrite-Android://a.example.org", false, true},
		{"appwrite-ios://com.example.app", false, false},
		{"http://com.example.app", false, false},
		{"https://com.example.app", false, false},
		{"appwrite-android://a.example.org", false, true},
		{"appwrite-macos://com.example.mac", false, false},
		{"http://webkey", false, false},
		{"http://[::1]", true, true},
		{"http://127.0.0.1:3000", true, true},
		{"http://127.0.0.2", false, false},
		{"http://[::2]", false, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct origin o = origin_parse(cases[i].origin);

		cr_assert_eq(origin_kind(&p, cases[i].origin, "own.test", NULL) == ORIGIN_OURS, cases[i].origin_ok, "%s", cases[i].origin);
		cr_assert_eq(host_allowed(&p, o.host, "own.test"), cases[i].host_ok, "%s", cases[i].origin);
	}
}

Test(origin, kind)
{
	struct platform any = {.type = "web", .hostname = "*", .key = ""};
	void *v[] = {&any};
	struct project none = {0}, all = {.platforms = {1, v}};
	static const struct { const char *text; enum origin_kind kind, to_all; bool readable; } rows[] = {
		{NULL, ORIGIN_NONE, ORIGIN_NONE, true},
		{"", ORIGIN_HIDDEN, ORIGIN_HIDDEN, false},
		{"null", ORIGIN_HIDDEN, ORIGIN_HIDDEN, false},
		{"example.org", ORIGIN_HIDDEN, ORIGIN_HIDDEN, false},
		{"//own.test", ORIGIN_HIDDEN, ORIGIN_HIDDEN, false},
		{"http:/own.test", ORIGIN_HIDDEN, ORIGIN_HIDDEN, false},
		{"about:blank", ORIGIN_HIDDEN, ORIGIN_HIDDEN, false},
		{"HTTP://OWN.Test", ORIGIN_OURS, ORIGIN_OURS, true},
		{"http://LocalHost.:80", ORIGIN_OURS, ORIGIN_OURS, true},
		{"http://user@own.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://user:word@own.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://own.test@evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"Appwrite-Android://evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, true},
		{"http://localhost:3000", ORIGIN_OURS, ORIGIN_OURS, true},
		{"https://own.test", ORIGIN_OURS, ORIGIN_OURS, true},
		{"https://evil.test/page?x=http://own.test", ORIGIN_FOREIGN, ORIGIN_OURS, true},
		{"http://a$b.evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://a!b.evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://a,b.evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://a'b.evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://a~b.evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://a`b.evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://a%2eb.evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://localhost:x", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://localhost:", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://localhost:1234567", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://localhost:65536", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://localhost\\@evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://localhost, http://evil.test", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://[::1", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"://", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
		{"http://", ORIGIN_FOREIGN, ORIGIN_FOREIGN, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cr_assert_eq(origin_kind(&none, rows[i].text, "own.test", NULL), rows[i].kind, "%s", rows[i].text);
		cr_assert_eq(origin_kind(&all, rows[i].text, "own.test", NULL), rows[i].to_all, "%s", rows[i].text);
		cr_assert_eq(origin_readable(rows[i].text), rows[i].readable, "%s", rows[i].text);
	}
	cr_assert_eq(origin_kind(NULL, "http://own.test", NULL, NULL), ORIGIN_FOREIGN);
}

Test(origin, host_for_mails)
{
	struct domain mine = {.domain = "Mine.example", .verification = true}, claimed = {.domain = "claimed.example"};
	const void *v[] = {&claimed, &mine};
	const struct project p = {.domains = {.n = 2, .v = (void *)v}};
	static const struct { const char *domain, *asked, *host; } cases[] = {
		{"", "any.example", "any.example"},
		{"localhost", "any.example", "any.example"},
		{"Api.example", "any.example", "Api.example"},
		{"Api.example", "api.example", "api.example"},
		{"Api.example", "mine.example", "mine.example"},
		{"Api.example", "claimed.example", "Api.example"},
		{"Api.example", "localhost", "Api.example"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		conf.domain = cases[i].domain;
		cr_assert_str_eq(host_for_mails(&p, cases[i].asked), cases[i].host, "%s %s", cases[i].domain, cases[i].asked);
	}
}

Test(origin, client)
{
	struct http_msg m = {.arena = arena_new(), .peer = "192.0.2.9"};
	struct client c;

	conf.trust_proxy = "on";
	conf.proxy_headers = "x-forwarded-for";
	client_of(&m, &c);
	cr_assert_str_eq(c.ip, "192.0.2.9");
	cr_assert_str_eq(c.host, "localhost");
	cr_assert_str_eq(c.scheme, "http");
	cr_assert_null(c.origin);
	m.hdr[HDR_HOST] = STR("Api.Example.org:8080");
	m.hdr[HDR_X_FORWARDED_FOR] = STR(" 2001:db8::1 , 10.0.0.1");
	m.hdr[HDR_X_FORWARDED_PROTO] = STR("https");
	m.hdr[HDR_REFERER] = STR("http://x/y");
	client_of(&m, &c);
	cr_assert_str_eq(c.ip, "2001:db8::1");
	cr_assert_str_eq(c.host, "api.example.org");
	cr_assert_str_eq(c.scheme, "https");
	cr_assert_str_eq(c.origin, "http://x/y");
	m.hdr[HDR_X_FORWARDED_FOR] = STR("not an address, 10.0.0.1");
	m.hdr[HDR_HOST] = STR("a;b");
	client_of(&m, &c);
	cr_assert_str_eq(c.ip, "10.0.0.1");
	cr_assert_str_eq(c.host, "localhost");
	conf.trust_proxy = "off";
	m.hdr[HDR_X_FORWARDED_FOR] = STR("203.0.113.1");
	m.hdr[HDR_X_FORWARDED_HOST] = STR("evil.example");
	client_of(&m, &c);
	cr_assert_str_eq(c.ip, "192.0.2.9");
	cr_assert_str_eq(c.scheme, "http");
	arena_free(&m.arena);
}

Test(origin, hops)
{
	static const struct { const char *trust, *list, *ip; } rows[] = {
		{"on", "203.0.113.7", "203.0.113.7"},
		{"on", "203.0.113.7, 198.51.100.1", "203.0.113.7"},
		{"private", "203.0.113.7", "203.0.113.7"},
		{"private", "1.2.3.4, 203.0.113.7", "203.0.113.7"},
		{"private", "1.2.3.4, 203.0.113.7, 10.0.0.2,192.168.0.1", "203.0.113.7"},
		{"private", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"private", "203.0.113.7:51022", "203.0.113.7"},
		{"private", "[2001:db8::1]:443", "2001:db8::1"},
		{"private", "[2001:db8::1]", "2001:db8::1"},
		{"private", "2001:db8::1", "2001:db8::1"},
		{"private", "203.0.113.7, fe80::1%eth0", "203.0.113.7"},
		{"private", "fe80::1%eth0", "fe80::1"},
		{"private", "[fe80::1%eth0]:1", "fe80::1"},
		{"private", "203.0.113.7, unknown", "10.0.0.1"},
		{"private", "unknown, 10.0.0.2", "10.0.0.2"},
		{"private", "203.0.113.7,", "10.0.0.1"},
		{"private", ",", "10.0.0.1"},
		{"private", "203.0.113.7:", "10.0.0.1"},
		{"private", "203.0.113.7:x", "10.0.0.1"},
		{"private", "203.0.113.7:123456", "10.0.0.1"},
		{"private", "203.0.113.7:65536", "10.0.0.1"},
		{"private", "203.0.113.7%eth0", "10.0.0.1"},
		{"private", "[203.0.113.7]", "10.0.0.1"},
		{"private", "[2001:db8::1", "10.0.0.1"},
		{"private", "[2001:db8::1]443", "10.0.0.1"},
		{"private", "[]", "10.0.0.1"},
		{"private", "[", "10.0.0.1"},
		{"private", "%", "10.0.0.1"},
		{"private", "::1::", "10.0.0.1"},
		{"private", "1.2.3", "10.0.0.1"},
		{"private", "1.2.3.4'; --", "10.0.0.1"},
		{"off", "203.0.113.7", "10.0.0.1"},
	};
	struct arena *a = arena_new();

	conf.proxy_headers = "x-forwarded-for";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct http_msg m = {.arena = a, .peer = "10.0.0.1"};
		struct client c;

		conf.trust_proxy = rows[i].trust;
		m.hdr[HDR_X_FORWARDED_FOR] = str_c(rows[i].list);
		client_of(&m, &c);
		cr_assert_str_eq(c.ip, rows[i].ip, "%s", rows[i].list);
	}
	arena_free(&a);
}

/* Host and scheme are those that the farthest of the trusted proxies added; what stands before them the client may have written. */
Test(origin, lists)
{
	static const struct { const char *addresses, *hosts, *schemes, *host, *scheme; } rows[] = {
		{"203.0.113.7", "api.example", "https", "api.example", "https"},
		{"203.0.113.7", "evil.example, api.example", "http, https", "api.example", "https"},
		{"1.2.3.4, 203.0.113.7", "evil.example,api.example", "https,http", "api.example", "http"},
		{"203.0.113.7, 10.0.0.2", "api.example, inner", "https, http", "api.example", "https"},
		{"1.2.3.4, 203.0.113.7, 10.0.0.2", "evil.example, api.example, inner", "http, https, http", "api.example", "https"},
		{"203.0.113.7, 10.0.0.2", "api.example", "https", "api.example", "https"},
		{"", "evil.example, Api.example:8443", "http, WSS", "api.example", "https"},
		{"203.0.113.7", "api.example,", "WS", "localhost", "http"},
	};
	struct arena *a = arena_new();

	conf.trust_proxy = "private";
	conf.proxy_headers = "x-forwarded-for";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct http_msg m = {.arena = a, .peer = "10.0.0.1"};
		struct client c;

		m.hdr[HDR_HOST] = STR("behind");
		m.hdr[HDR_X_FORWARDED_FOR] = str_c(rows[i].addresses);
		m.hdr[HDR_X_FORWARDED_HOST] = str_c(rows[i].hosts);
		m.hdr[HDR_X_FORWARDED_PROTO] = str_c(rows[i].schemes);
		client_of(&m, &c);
		cr_assert_str_eq(c.host, rows[i].host, "row %zu", i);
		cr_assert_str_eq(c.scheme, rows[i].scheme, "row %zu", i);
	}
	arena_free(&a);
}

/* Only what is named counts, from trusted proxies; of several the first that is there, and no other when it cannot be read. */
Test(origin, proxy_headers)
{
	static const struct { const char *names, *peer; enum http_hdr hdr; const char *value, *ip; } rows[] = {
		{"x-real-ip", "10.0.0.1", HDR_X_REAL_IP, "203.0.113.7", "203.0.113.7"},
		{"x-real-ip", "10.0.0.1", HDR_X_REAL_IP, " [2001:db8::1]:443 ", "2001:db8::1"},
		{"x-real-ip", "10.0.0.1", HDR_X_REAL_IP, "10.0.0.9", "10.0.0.9"},
		{"x-real-ip", "10.0.0.1", HDR_X_REAL_IP, "1.2.3.4, 203.0.113.7", "10.0.0.1"},
		{"x-real-ip", "10.0.0.1", HDR_X_REAL_IP, "unknown", "10.0.0.1"},
		{"x-real-ip", "10.0.0.1", HDR_X_REAL_IP, "", "10.0.0.1"},
		{"x-real-ip", "203.0.113.9", HDR_X_REAL_IP, "203.0.113.7", "203.0.113.9"},
		{"x-real-ip", "10.0.0.1", HDR_X_FORWARDED_FOR, "203.0.113.7", "10.0.0.1"},
		{"x-real-ip", "10.0.0.1", HDR_CF_CONNECTING_IP, "203.0.113.7", "10.0.0.1"},
		{"x-forwarded-for", "10.0.0.1", HDR_CF_CONNECTING_IP, "203.0.113.7", "10.0.0.1"},
		{"x-forwarded-for", "10.0.0.1", HDR_X_REAL_IP, "203.0.113.7", "10.0.0.1"},
		{"x-forwarded-for", "10.0.0.1", HDR_FORWARDED, "for=203.0.113.7", "10.0.0.1"},
		{"cf-connecting-ip", "10.0.0.1", HDR_CF_CONNECTING_IP, "203.0.113.7", "203.0.113.7"},
		{"True-Client-IP x-forwarded-for", "10.0.0.1", HDR_TRUE_CLIENT_IP, "203.0.113.7", "203.0.113.7"},
		{"true-client-ip,x-forwarded-for", "10.0.0.1", HDR_X_FORWARDED_FOR, "203.0.113.7", "203.0.113.7"},
		{"fastly-client-ip", "10.0.0.1", HDR_FASTLY_CLIENT_IP, "203.0.113.7", "203.0.113.7"},
		{"fly-client-ip", "10.0.0.1", HDR_FLY_CLIENT_IP, "203.0.113.7", "203.0.113.7"},
		{"x-client-ip", "10.0.0.1", HDR_X_CLIENT_IP, "203.0.113.7", "203.0.113.7"},
		{"x-cluster-client-ip", "10.0.0.1", HDR_X_CLUSTER_CLIENT_IP, "203.0.113.7", "203.0.113.7"},
		{"x-azure-clientip", "10.0.0.1", HDR_X_AZURE_CLIENTIP, "203.0.113.7", "203.0.113.7"},
		{"x-envoy-external-address", "10.0.0.1", HDR_X_ENVOY_EXTERNAL_ADDRESS, "203.0.113.7", "203.0.113.7"},
		{"", "10.0.0.1", HDR_X_FORWARDED_FOR, "203.0.113.7", "10.0.0.1"},
	};
	struct arena *a = arena_new();
	struct client c;

	conf.trust_proxy = "private";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct http_msg m = {.arena = a, .peer = rows[i].peer};

		conf.proxy_headers = rows[i].names;
		cr_assert_null(proxy_wrong_header(conf.proxy_headers), "%s", rows[i].names);
		m.hdr[rows[i].hdr] = str_c(rows[i].value);
		client_of(&m, &c);
		cr_expect_str_eq(c.ip, rows[i].ip, "row %zu: %s", i, c.ip);
	}
	conf.proxy_headers = "cf-connecting-ip, x-forwarded-for";	/* what cannot be read is not made up for by what a client may have written */
	client_of(&(struct http_msg){.arena = a, .peer = "10.0.0.1", .hdr[HDR_CF_CONNECTING_IP] = STR("?"), .hdr[HDR_X_FORWARDED_FOR] = STR("203.0.113.7")}, &c);
	cr_expect_str_eq(c.ip, "10.0.0.1");
	cr_expect_not_null(proxy_wrong_header("x-forwarded-for, via"));
	cr_expect_not_null(proxy_wrong_header("on"));
	arena_free(&a);
}

/* RFC 7239. */
Test(origin, forwarded)
{
	static const struct { const char *value, *ip, *host, *scheme; } rows[] = {
		{"for=203.0.113.7", "203.0.113.7", "behind", "http"},
		{"For=203.0.113.7;Proto=https;Host=Api.example:8443;by=10.0.0.1", "203.0.113.7", "api.example", "https"},
		{"for=\"203.0.113.7:51022\" ; proto=\"https\"", "203.0.113.7", "behind", "https"},
		{"for=\"[2001:db8::1]:4711\";host=\"api.example\"", "2001:db8::1", "api.example", "http"},
		{"for=\"[2001:db8::1]\";secret=x", "2001:db8::1", "behind", "http"},
		{"for=1.2.3.4;host=evil.example;proto=https, for=203.0.113.7;host=api.example;proto=http", "203.0.113.7", "api.example", "http"},
		{"for=1.2.3.4;host=evil.example, for=203.0.113.7;host=api.example, for=10.0.0.2;host=inner", "203.0.113.7", "api.example", "http"},
		{"for=203.0.113.7;host=api.example, for=10.0.0.2", "203.0.113.7", "api.example", "http"},
		{"for=1.2.3.4, for=unknown;host=api.example", "10.0.0.1", "api.example", "http"},
		{"for=1.2.3.4, for=_hidden", "10.0.0.1", "behind", "http"},
		{"for=1.2.3.4, for=_hidden, for=10.0.0.2", "10.0.0.2", "behind", "http"},
		{"for=1.2.3.4, by=10.0.0.1", "10.0.0.1", "behind", "http"},
		{"for=\"1.2.3.4, for=203.0.113.7", "203.0.113.7", "behind", "http"},	/* a quote that a client leaves open hides nothing */
		{"for=\"1.2.3.4;x=\\\", for=203.0.113.7;proto=https", "203.0.113.7", "behind", "https"},
		{"for=1.2.3.4, for=\"203.0.113.7", "10.0.0.1", "behind", "http"},
		{"for=1.2.3.4;for=203.0.113.7", "10.0.0.1", "behind", "http"},
		{"for=1.2.3.4, for=2001:db8::1", "2001:db8::1", "behind", "http"},	/* should be quoted and in brackets; it is clear what is meant */
		{"for=1.2.3.4 5.6.7.8", "10.0.0.1", "behind", "http"},
		{"1.2.3.4", "10.0.0.1", "behind", "http"},
		{"for=\"\\1.2.3.4\"", "10.0.0.1", "behind", "http"},
		{"for=", "10.0.0.1", "behind", "http"},
		{";;,;", "10.0.0.1", "behind", "http"},
		{"", "10.0.0.1", "behind", "http"},
	};
	struct arena *a = arena_new();
	struct client c;

	conf.trust_proxy = "private";
	conf.proxy_headers = "forwarded";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		/* the others are what a client wrote, for such a proxy hands them on */
		struct http_msg m = {.arena = a, .peer = "10.0.0.1", .hdr[HDR_HOST] = STR("behind"), .hdr[HDR_X_FORWARDED_HOST] = STR("evil.example"),
			.hdr[HDR_X_FORWARDED_PROTO] = STR("https"), .hdr[HDR_X_FORWARDED_FOR] = STR("192.0.2.1")};

		m.hdr[HDR_FORWARDED] = str_c(rows[i].value);
		client_of(&m, &c);
		cr_expect_str_eq(c.ip, rows[i].ip, "%s: %s", rows[i].value, c.ip);
		cr_expect_str_eq(c.host, rows[i].host, "%s: %s", rows[i].value, c.host);
		cr_expect_str_eq(c.scheme, rows[i].scheme, "%s: %s", rows[i].value, c.scheme);
		m.peer = "203.0.113.99";
		client_of(&m, &c);
		cr_expect_str_eq(c.ip, m.peer, "%s", rows[i].value);
		cr_expect_str_eq(c.host, "behind", "%s", rows[i].value);
	}
	arena_free(&a);
}

/* Each header that tells of a proxy: who sends it is not on this machine, whatever the setting names. */
Test(origin, signs_of_a_proxy)
{
	static const enum http_hdr signs[] = {
#define PROXY(id, name, how) HDR_##id,
#include "tbl/proxies.h"
#undef PROXY
	};
	struct arena *a = arena_new();

	conf.trust_proxy = "private";
	for (int k = 0; k < 2; k++) {
		struct http_msg m = {.arena = a, .peer = "127.0.0.1", .version = 11, .hdr[HDR_HOST] = STR("localhost")};

		conf.proxy_headers = k == 0 ? "x-forwarded-for" : "";
		cr_assert(request_is_local(&m));
		for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
			m.hdr[signs[i]] = STR("");
			cr_expect(!request_is_local(&m), "sign %zu", i);
			m.hdr[signs[i]] = STR_NONE;
		}
		cr_assert(request_is_local(&m));
	}
	arena_free(&a);
}

/* A name as browsers write it, whatever somebody typed. */
Test(origin, idna)
{
	static const struct { const char *host, *ascii; } rows[] = {
		{"Example.ORG", "example.org"},
		{"b\xc3\xbc" "cher.example", "xn--bcher-kva.example"},
		{"B\xc3\x9c" "CHER.example", "xn--bcher-kva.example"},
		{"bu\xcc\x88" "cher.example", "xn--bcher-kva.example"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"stra\xc3\x9f" "e.example", "xn--strae-oqa.example"},
		{"a\xe3\x80\x82test", "a.test"},
		{"\xef\xbd\x81.test", "a.test"},
		{"*.\xc3\xbc.test", "*.xn--tda.test"},
		{"a_b.-c-.test", "a_b.-c-.test"},
		{"xn--a.test", NULL},
		{"a..b", NULL},
		{"a b\xc3\xbc\xe2\x80\x8d.test", NULL},
		{"", NULL},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test", NULL},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str s = idna_ascii(a, str_c(rows[i].host));

		cr_assert(rows[i].ascii ? str_is(s, rows[i].ascii) : s.n == 0, "%s: %.*s", rows[i].host, STR_FMT(s));
	}
	arena_free(&a);
}

Test(origin, proxies)
{
	static const struct { const char *trust, *peer; bool trusted; } rows[] = {
		{"on", "203.0.113.1", true},
		{"on", "2001:db8::1", true},
		{"off", "127.0.0.1", false},
		{"", "127.0.0.1", false},
		{"private", "127.0.0.1", true},
		{"private", "127.66.0.9", false},	/* a sandbox: on this machine, and a stranger */
		{"on", "127.66.255.254", false},
		{"private", "::ffff:127.66.1.1", false},
		{"private", "127.67.0.1", true},
		{"private", "::1", true},
		{"private", "::2", false},
		{"private", "10.255.255.255", true},
		{"private", "11.0.0.0", false},
		{"private", "172.15.255.255", false},
		{"private", "172.16.0.0", true},
		{"private", "172.31.255.255", true},
		{"private", "172.32.0.0", false},
		{"private", "192.168.1.1", true},
		{"private", "fe80::1", true},
		{"private", "fe80::1%eth0", true},
		{"private", "fec0::1", false},
		{"private", "fd00::1", true},
		{"private", "203.0.113.1", false},
		{"private", "", false},
		{"203.0.113.1", "203.0.113.1", true},
		{"203.0.113.1", "203.0.113.2", false},
		{" 203.0.113.8/29, private", "203.0.113.15", true},
		{"203.0.113.8/29 private", "203.0.113.16", false},
		{"203.0.113.8/29,private", "127.0.0.1", true},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"0.0.0.0/0", "203.0.113.1", true},
		{"0.0.0.0/0", "2001:db8::1", false},
	};
	static const char *const wrong[] = {"perhaps", "203.0.113.1/33", "::1/129", "::1/-1", "::1/x", "::1/", "203.0.113.1 10.0.0", "private/8",
		"1234:1234:1234:1234:1234:1234:1234:1234:1234:1234"};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct http_msg m = {.peer = rows[i].peer};

		conf.trust_proxy = rows[i].trust;
		cr_assert_eq(proxy_trusted(&m), rows[i].trusted, "%s %s", rows[i].trust, rows[i].peer);
		cr_assert_null(proxy_wrong_entry(conf.trust_proxy), "%s", rows[i].trust);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		conf.trust_proxy = wrong[i];
		cr_assert_not_null(proxy_wrong_entry(conf.trust_proxy), "%s", wrong[i]);
		cr_assert(!proxy_trusted(&(struct http_msg){.peer = "203.0.113.1"}), "%s", wrong[i]);
	}
}

Test(origin, suffixes)
{
	static const struct { const char *host, *suffix, *registrable; } rows[] = {
		{"www.example.co.uk", "co.uk", "example.co.uk"},
		{"example.com", "com", "example.com"},
		{"com", "com", ""},
		{"localhost", "", ""},
		{"a.test", "", ""},
		{"127.0.0.1", "", ""},
		{"[::1]", "", ""},
		{"", "", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str s = psl_suffix(str_c(rows[i].host)), r = psl_registrable(str_c(rows[i].host));

		cr_assert(s.n == strlen(rows[i].suffix) && memcmp(s.p ? s.p : "", rows[i].suffix, s.n) == 0, "%s", rows[i].host);
		cr_assert(r.n == strlen(rows[i].registrable) && memcmp(r.p ? r.p : "", rows[i].registrable, r.n) == 0, "%s", rows[i].host);
	}
}

/* Calls from sandboxes on this machine come from an address of its loopback, and are no one's of this machine. */
Test(origin, sandboxes_are_strangers)
{
	static const struct { const char *peer; bool local; } rows[] = {
		{"127.0.0.1", true}, {"::ffff:127.0.0.1", true}, {"127.65.255.255", true}, {"127.67.0.0", true}, {"127.66.0.0", false}, {"127.66.3.4", false},
		{"::ffff:127.66.255.255", false}, {"203.0.113.1", false},
	};
	struct arena *a = arena_new();

	conf.trust_proxy = "private";
	conf.domain = "localhost";
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct http_msg m = {.arena = a, .peer = rows[i].peer, .version = 11};

		m.hdr[HDR_HOST] = STR("localhost");
		cr_assert_eq(request_is_local(&m), rows[i].local, "%s", rows[i].peer);
		cr_assert_eq(request_is_owners(&m), rows[i].local, "%s", rows[i].peer);
	}
	arena_free(&a);
}
