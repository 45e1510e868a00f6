/* User agents: what the session model says of each. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../src/model/agent_priv.h"

#define WEBKIT "AppleWebKit/537.36 (KHTML, like Gecko) "
#define IOS "AppleWebKit/605.1.15 (KHTML, like Gecko) "

static const struct row { const char *ua, *os, *client, *device; } rows[] = {
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " WEBKIT "Chrome/106.0.0.0 Safari/537.36", "WIN|Windows|10",
	"browser|CH|Chrome|106.0|Blink|106.0.0.0", "desktop||"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " WEBKIT "Chrome/70.0.3538.77 Safari/537.36", "WIN|Windows|10",
	"browser|CH|Chrome|70.0|Blink|70.0.3538.77", "desktop||"},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " WEBKIT "Chrome/105.0.0.0 Safari/537.36", "MAC|Mac|10.15",
	"browser|CH|Chrome|105.0|Blink|105.0.0.0", "desktop|Apple|"},
    {"Mozilla/5.0 (X11; Linux x86_64) " WEBKIT "Chrome/105.0.0.0 Safari/537.36", "LIN|GNU/Linux|", "browser|CH|Chrome|105.0|Blink|105.0.0.0",
	"desktop||"},
    {"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:105.0) Gecko/20100101 Firefox/105.0", "UBT|Ubuntu|",
	"browser|FF|Firefox|105.0|Gecko|105.0", "desktop||"},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 12_6) " IOS "Version/16.0 Safari/605.1.15", "MAC|Mac|12.6",
	"browser|SF|Safari|16.0|WebKit|605.1.15", "desktop|Apple|"},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) " WEBKIT "Chrome/106.0.0.0 Safari/537.36 Edg/106.0.1370.34", "WIN|Windows|10",
	"browser|PS|Microsoft Edge|106.0|Blink|106.0.0.0", "desktop||"},
    {"Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) " IOS "Version/16.0 Mobile/15E148 Safari/604.1", "IOS|iOS|16.0",
	"browser|MF|Mobile Safari|16.0|WebKit|605.1.15", "smartphone|Apple|iPhone"},
    {"Mozilla/5.0 (Linux; Android 12; Pixel 6) " WEBKIT "Chrome/105.0.0.0 Mobile Safari/537.36", "AND|Android|12",
	"browser|CM|Chrome Mobile|105.0|Blink|105.0.0.0", "smartphone|Google|Pixel 6"},
    {"Mozilla/5.0 (iPad; CPU OS 15_6 like Mac OS X) " IOS "CriOS/105.0.5195.147 Mobile/15E148 Safari/604.1", "IPA|iPadOS|15.6",
	"browser|CI|Chrome Mobile iOS|105.0|WebKit|605.1.15", "tablet|Apple|iPad"},
    {"Mozilla/5.0 (Android 12; Mobile; rv:105.0) Gecko/105.0 Firefox/105.0", "AND|Android|12", "browser|FM|Firefox Mobile|105.0|Gecko|105.0",
	"smartphone||"},
    {"Mozilla/5.0 (X11; Linux x86_64) " WEBKIT "HeadlessChrome/105.0.5195.102 Safari/537.36", "LIN|GNU/Linux|",
	"browser|HC|Headless Chrome|105.0|Blink|105.0.5195.102", "desktop||"},
    {"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "WIN|Windows|10",
	"browser|IE|Internet Explorer|11.0|Trident|7.0", "desktop||"},
    {"Mozilla/5.0 (Windows NT 6.1) " WEBKIT "Chrome/94.0.4606.61 Safari/537.36 OPR/80.0.4170.16", "WIN|Windows|7",
	"browser|OP|Opera|80.0|Blink|94.0.4606.61", "desktop||"},
    {"curl/7.85.0", "||", "library||curl|7.85||", "||"},
    {"okhttp/4.9.3", "AND|Android|", "library||OkHttp|4.9||", "||"},
    {"python-requests/2.28.1", "||", "library||Python Requests|2.28||", "||"},
    {"Go-http-client/1.1", "||", "library||Go-http-client|1.1||", "||"},
    {"Wget/1.21.3", "||", "library||Wget|1.21||", "||"},
    {"PostmanRuntime/7.29.2", "||", "library||Postman Desktop|7.29||", "||"},
    {"node-fetch/1.0", "||", "library||Node Fetch|1.0||", "||"},
    {"GuzzleHttp/7", "||", "library||Guzzle (PHP HTTP Client)|||", "||"},
    {"AppwriteCLI/1.0.0 (Linux)", "LIN|GNU/Linux|", "desktop|cli|Appwrite CLI|1.0.0||", "||"},
    {"AppwriteCLI", "||", "desktop|cli|Appwrite CLI|||", "||"},
    {"Dart/2.18 (dart:io)", "||", "|||||", "||"},
    {"axios/0.27.2", "||", "|||||", "||"},
    {"undici", "||", "|||||", "||"},
    {"Deno/1.26.0", "||", "|||||", "||"},
    {"UNKNOWN", "||", "|||||", "||"},
    {"", "||", "|||||", "||"},
};

/* hostile or cut short: nothing to find, nothing to trip over */
static const struct row scraps[] = {
    {"Android", "AND|Android|", "|||||", "tablet||"},
    {"Android 9; moto g(7) power) Mobile", "AND|Android|9", "|||||", "smartphone|Motorola|moto g(7) power"},
    {"Android 9; moto g((7) ;;", "AND|Android|9", "|||||", "tablet|Motorola|moto g((7)"},
    {"Android;;;;)", "AND|Android|", "|||||", "tablet||"},
    {"Chrome/", "||", "browser|CH|Chrome||Blink|", "||"},
    {"Chrome/1_._2..", "||", "browser|CH|Chrome|1|Blink|1", "||"},
};

static void
check(struct arena *a, const struct row *row, const struct found *f)
{
	struct agent g = agent_read(a, str_c(row->ua), f);

	cr_expect_str_eq(arena_printf(a, "%s|%s|%s", g.os_code, g.os_name, g.os_version), row->os, "%s", row->ua);
	cr_expect_str_eq(arena_printf(a, "%s|%s|%s|%s|%s|%s", g.client_type, g.client_code, g.client_name, g.client_version, g.client_engine,
			     g.client_engine_version),
	    row->client, "%s", row->ua);
	cr_expect_str_eq(arena_printf(a, "%s|%s|%s", g.device_name, g.device_brand, g.device_model), row->device, "%s", row->ua);
}

Test(agent, rows_of_the_contract)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check(a, &rows[i], NULL);
	for (size_t i = 0; i < sizeof scraps / sizeof scraps[0]; i++)
		check(a, &scraps[i], NULL);
	arena_free(&a);
}

Test(agent, overlong_text_is_cut)
{
	struct arena *a = arena_new();
	char *long_text = arena_alloc(a, 100001);
	struct agent g;

	memset(long_text, '1', 100000);
	memcpy(long_text, "Chrome/", 7);
	long_text[100000] = '\0';
	g = agent_read(a, str_c(long_text), NULL);
	cr_assert_str_eq(g.client_name, "Chrome");
	cr_assert_lt(strlen(g.client_version), 2048);
	arena_free(&a);
}

/* ---- a rule set: t/rules ---- */

static const struct row more[] = {
    {"Mozilla/5.0 (Linux; Android 12; ACN-T42) " WEBKIT "Chrome/105.0.0.0 Mobile Safari/537.36", "AND|Android|12",
	"browser|CM|Chrome Mobile|105.0|Blink|105.0.0.0", "tablet|Acorn|Leaf 42"},
    {"Mozilla/5.0 (Linux; Android 12; OAK_tree_9 Build/1) " WEBKIT "Chrome/105.0.0.0 Mobile Safari/537.36", "AND|Android|12",
	"browser|CM|Chrome Mobile|105.0|Blink|105.0.0.0", "smartphone|Acorn|Oak tree 9"},
    {"Walnut", "||", "|||||", "feature phone|Walnut|Shell"},
    {"xWalnut", "||", "|||||", "||"},	/* no word begins there */
    {"ACN-W1", "||", "|||||", "wearable|Chestnut|Ring"},
    {"ACN-Z", "||", "|||||", "smartphone|Acorn|"},
    /* old rules know a line of models, the text the model */
    {"Mozilla/5.0 (Linux; Android 12; moto g(7) power) " WEBKIT "Chrome/105.0.0.0 Mobile Safari/537.36", "AND|Android|12",
	"browser|CM|Chrome Mobile|105.0|Blink|105.0.0.0", "smartphone|Motorola|moto g(7) power"},
    {"Mozilla/5.0 (Linux; Android 12; moto e5) " WEBKIT "Chrome/105.0.0.0 Mobile Safari/537.36", "AND|Android|12",
	"browser|CM|Chrome Mobile|105.0|Blink|105.0.0.0", "smartphone|Motorola|Moto Elm"},
    /* a browser whose rule names no engine has that of the one that it is built on */
    {"Mozilla/5.0 (X11; Linux x86_64) " WEBKIT "Chrome/105.0.0.0 Safari/537.36 Candle/4.5.6", "LIN|GNU/Linux|", "browser||Candle|4.5|Blink|105.0.0.0",
	"desktop||"},
    {"Candle/4.5.6", "||", "browser||Candle|4.5||", "||"},
    /* an Apple system is not another's, whatever the rules say */
    {"Mozilla/5.0 (iPhone; CPU iPhone OS 16_0 like Mac OS X) Walnut", "IOS|iOS|16.0", "|||||", "smartphone|Apple|iPhone"},
    /* the families that the table knows are known more exactly, the others stay */
    {"Mozilla/5.0 (Linux; Teapot OS 3_2_1; Mobile) Lantern/2.3.4 Chrome/99.1.2", "|Teapot OS|3.2", "browser||Lantern|2.3|Blink|99.1.2", "||"},
    {"Mozilla/5.0 (X11; Linux; Teapot OS/Kettle) Lantern/2", "|Teapot OS|7.8", "browser||Lantern|2|Blink|", "desktop||"},
    {"Teapot OS/Samovar 5", "|Samovar|5", "|||||", "||"},
    {"Mozilla/5.0 (Windows NT 6.1) Firefox/90.0 NoSuchBrowser Firefox", "WIN|Windows|7", "browser|FF|Firefox|90.0|Gecko|", "desktop||"},
    /* apps come before browsers, libraries after everything */
    {"Gazette/4.5.6 Chrome/1.2", "||", "feed reader||Gazette|4.5||", "||"},
    {"Mozilla/5.0 (Linux; Android 12) Chrome/1.2 Telegraph 8_9_10", "AND|Android|12", "mobile app||The Telegraph|8.9||", "tablet||"},
    {"Pigeon/1.2.3", "||", "library||Pigeon|1.2||", "||"},
    {"curl/7.85.0 Pigeon", "||", "library||curl|7.85||", "||"},
    {"AppwriteCLI/1.0.0 Telegraph 8", "||", "desktop|cli|Appwrite CLI|1.0.0||", "||"},
    {"HbbTV/1.2.1 (;Lumen;Bright_1;)", "||", "|||||", "tv|Lumen|Bright 1"},
    {"HbbTV/1.2.1", "||", "|||||", "tv||"},
    {"Lumen;Bright", "||", "|||||", "||"},
    /* hostile: no text of their own, cut within a character, too long */
    {"Echo:; Echo:abc", "||", "|||||", "||"},
    {"Echo:\xc3\xa4 b ", "||", "mobile app||\xc3\xa4 b|||", "||"},
    {"Echo:\xc3", "||", "|||||", "||"},
    {"Echo:01234567890123456789012345678901234567890123456789012345678901234", "||", "|||||", "||"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "||",
	"mobile app||After It|||", "||"},
};

Test(agent, rules_complete_the_table)
{
	char why[256] = "";
	struct arena *a = arena_new();
	struct rules *r = rules_load(RULES_DIR, why, sizeof why);
	struct found f;

	cr_assert_not_null(r, "%s", why);
	for (int again = 0; again < 2; again++)
		for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
			rules_find(r, str_c(more[i].ua), &f);
			check(a, &more[i], &f);
		}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		rules_find(r, str_c(rows[i].ua), &f);
		check(a, &rows[i], &f);
	}
	rules_free(&r);
	arena_free(&a);
}

/* Whatever is installed: the contract's results stay. */
Test(agent, installed_rules_keep_the_contract)
{
	glob_t g = {0};
	char why[256] = "";
	struct arena *a = arena_new();
	struct found f;

	(void)glob("/usr/share/rubygems-integration/all/gems/device_detector-*/regexes", 0, NULL, &g);
	for (size_t d = 0; d < g.gl_pathc; d++) {
		struct rules *r = rules_load(g.gl_pathv[d], why, sizeof why);

		cr_assert_not_null(r, "%s", why);
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			rules_find(r, str_c(rows[i].ua), &f);
			check(a, &rows[i], &f);
		}
		rules_free(&r);
	}
	globfree(&g);
	arena_free(&a);
}

/* Texts that are made to be slow end, in a time that does not depend on them. */
Test(agent, hostile_texts_are_bounded, .timeout = 60)
{
	static const char *const parts[] = {"x", "x ", "; ", "(", "1.", "Android ", "ACN-", "\xff", "Telegraph "};
	char why[256] = "", text[4096];
	struct rules *r = rules_load(RULES_DIR, why, sizeof why);
	struct found f;

	cr_assert_not_null(r, "%s", why);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		size_t n = strlen(parts[i]);

		for (size_t at = 0; at + n <= sizeof text; at += n)
			memcpy(text + at, parts[i], n);
		for (int j = 0; j < 20; j++)
			rules_find(r, (struct str){text, sizeof text - sizeof text % n}, &f);
		cr_expect(str_utf8(str_c(f.client_name), NULL));
	}
	rules_find(r, STR_NONE, &f);
	cr_expect_str_empty(f.client_name);
	rules_free(&r);
}

static const char *
load_with(const char *file, const char *text)
{
	static char why[256];
	char dir[] = "/tmp/badal-rules-XXXXXX", path[256];
	struct rules *r;
	FILE *f;

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/%s", dir, file);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
	why[0] = '\0';
	r = rules_load(dir, why, sizeof why);
	if (r != NULL) {
		snprintf(why, sizeof why, "%zu", rules_count(r));
		rules_free(&r);
	}
	unlink(path);
	rmdir(dir);
	return why;
}

Test(agent, broken_rule_sets_are_refused)
{
	char why[256];

	cr_expect_null(rules_load("/nonexistent", why, sizeof why));
	cr_expect_str_eq(why, "no rules");
	cr_expect_str_eq(load_with("oss.yml", ""), "oss.yml: empty");
	cr_expect_str_eq(load_with("oss.yml", "just words"), "no rules");
	cr_expect_str_eq(load_with("oss.yml", "- name: [1, 2"), "oss.yml: line 2: did not find expected ',' or ']'");
	cr_expect_str_eq(load_with("oss.yml", "- 1\n- [2]\n- {regex: [3]}\n- {regex: {a: b}, name: x}\n"), "no rules");
	cr_expect_str_eq(load_with("oss.yml", "- {regex: a, name: [b], version: {c: d}, versions: e}\n- regex: f\n"), "2");
	cr_expect_str_eq(load_with("oss.yml", "- &a\n  regex: x\n  versions:\n    - *a\n"), "2");	/* a circle */
	cr_expect_str_eq(load_with("oss.js", "module.exports = [\n{\"regex\": \"a(\\\\d)\", \"name\": \"b\"}\n];\n"), "1");
}
