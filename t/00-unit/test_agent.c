/* User agents: what the session model says of each. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "model/agent.h"

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
    /* hostile or cut short: nothing to find, nothing to trip over */
    {"Android", "AND|Android|", "|||||", "tablet||"},
    {"Android;;;;)", "AND|Android|", "|||||", "tablet||"},
    {"Chrome/", "||", "browser|CH|Chrome||Blink|", "||"},
    {"Chrome/1_._2..", "||", "browser|CH|Chrome|1|Blink|1", "||"},
};

Test(agent, rows_of_the_contract)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct agent g = agent_parse(a, str_c(rows[i].ua));

		cr_expect_str_eq(arena_printf(a, "%s|%s|%s", g.os_code, g.os_name, g.os_version), rows[i].os, "%s", rows[i].ua);
		cr_expect_str_eq(arena_printf(a, "%s|%s|%s|%s|%s|%s", g.client_type, g.client_code, g.client_name, g.client_version, g.client_engine,
				     g.client_engine_version),
		    rows[i].client, "%s", rows[i].ua);
		cr_expect_str_eq(arena_printf(a, "%s|%s|%s", g.device_name, g.device_brand, g.device_model), rows[i].device, "%s", rows[i].ua);
	}
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
	g = agent_parse(a, str_c(long_text));
	cr_assert_str_eq(g.client_name, "Chrome");
	cr_assert_lt(strlen(g.client_version), 2048);
	arena_free(&a);
}
