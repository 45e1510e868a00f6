/* badal-pose: makes a picture of a page, in a sandbox, and writes it as PNG to its standard output.
 *
 *   badal-pose BROWSER ASK
 *
 * ASK is a JSON object: url, headers, width, height, scale, theme, userAgent, locale, timezone, latitude, longitude, accuracy, permissions (in the browser's words),
 * touch, fullpage, sleep (seconds). It starts the browser with the two pipes of --remote-debugging-pipe and speaks the
 * Chrome DevTools Protocol over them: JSON texts that a NUL ends (https://chromedevtools.github.io/devtools-protocol/). What comes from there may be a
 * stranger's word, for the page may have taken the browser over: it is bounded, and whoever takes the picture looks at it as at a stranger's.
 *
 * Ends with POSE_DONE, or with why not, and a line for people on its standard error. */
#include "pose.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TO_BROWSER = 3, FROM_BROWSER = 4, MESSAGE_MAX = 96 * 1024 * 1024, PIECE = 256 * 1024, HEADERS_MAX = 64, LOAD_MS = 12 * 1000, FULL_HEIGHT_MAX = 8000, PIXELS_MAX = 40 * 1000 * 1000, ORIGIN_MAX = 1024 };

static struct {
	int to, from;
	char *in;		/* what has come and was not taken */
	size_t n, looked, room;	/* looked: so much of it holds no end */
	int64_t next_id;
	char session[128];	/* of the page */
	bool loaded;
	const json_t *headers;	/* for the page's own host alone */
	char origin[ORIGIN_MAX];	/* of the page that was asked for */
} browser = {.to = -1, .from = -1, .next_id = 1};

__attribute__((format(printf, 2, 3), noreturn)) static void
give_up(int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	_exit(code);		/* nothing is cleared away: the sandbox ends with it, and the browser, too */
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the browser ---- */

static const char *const switches[] = {"--headless=new", "--remote-debugging-pipe", "--no-sandbox" /* it is in ours */, "--no-zygote", "--disable-gpu", "--hide-scrollbars", "--mute-audio",
	"--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-component-update", "--disable-background-networking", "--disable-sync",
	"--disable-breakpad", "--disable-crash-reporter", "--disable-dev-tools", "--disable-default-apps", "--disable-client-side-phishing-detection", "--password-store=basic",
	"--use-mock-keychain", "--disable-features=Translate,MediaRouter,OptimizationHints,InterestFeedContentSuggestions", "--user-data-dir=/tmp/profile",
	"--force-color-profile=srgb", "about:blank"};

static void
browser_exec(const char *program, int in, int out)
{
	enum { N = sizeof switches / sizeof *switches };
	const char *argv[N + 2] = {program};
	int a = fcntl(in, F_DUPFD, 10), b = fcntl(out, F_DUPFD, 10), nowhere = open("/dev/null", O_RDWR);

	memcpy(argv + 1, switches, sizeof switches);
	if (a < 0 || b < 0 || nowhere < 0 || dup2(nowhere, 0) < 0 || dup2(nowhere, 1) < 0 || dup2(nowhere, 2) < 0 || dup2(a, TO_BROWSER) < 0 || dup2(b, FROM_BROWSER) < 0)
		_exit(POSE_NO_BROWSER);
	execv(program, (char *const *)(const void *)argv);
	_exit(POSE_NO_BROWSER);
}

static void
browser_start(const char *program)
{
	int to[2], from[2];
	pid_t pid;

	if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		give_up(POSE_NO_BROWSER, "no browser can be started: %s", strerror(errno));
	if (pid == 0)
		browser_exec(program, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	browser.to = to[1];
	browser.from = from[0];
}

/* ---- messages ---- */

static void
message_write(const char *text)
{
	size_t n = strlen(text) + 1;	/* with the NUL */
	ssize_t got;

	for (; n > 0; text += got, n -= (size_t)got)
		if ((got = write(browser.to, text, n)) <= 0)
			give_up(POSE_NO_BROWSER, "the browser has ended");
}

/* Takes params. */
static int64_t
message_send(const char *method, json_t *params)
{
	json_t *m = json_pack("{s:I, s:s, s:o}", "id", (json_int_t)browser.next_id, "method", method, "params", params != NULL ? params : json_object());
	char *text;

	if (m != NULL && browser.session[0] != '\0')
		json_object_set_new(m, "sessionId", json_string(browser.session));
	text = m != NULL ? json_dumps(m, JSON_COMPACT) : NULL;
	if (text == NULL)
		give_up(POSE_REFUSED, "%s cannot be said", method);
	message_write(text);
	free(text);
	json_decref(m);
	return browser.next_id++;
}

/* The next one, to be freed; NULL: none has come by then. */
static json_t *
message_take(int64_t until)
{
	for (;;) {
		char *end = browser.n > browser.looked ? memchr(browser.in + browser.looked, '\0', browser.n - browser.looked) : NULL;
		struct pollfd p = {browser.from, POLLIN, 0};
		int64_t left = until - now_ms();
		ssize_t got;

		if (end != NULL) {
			size_t n = (size_t)(end - browser.in);
			json_t *m = json_loadb(browser.in, n, 0, NULL);

			browser.n -= n + 1;
			browser.looked = 0;
			memmove(browser.in, end + 1, browser.n);
			if (m == NULL)
				give_up(POSE_NO_BROWSER, "the browser says what is no JSON");
			return m;
		}
		browser.looked = browser.n;
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return NULL;
		if (browser.n + PIECE > browser.room && (browser.room = 2 * browser.n + PIECE) <= 2 * (size_t)MESSAGE_MAX + PIECE)
			browser.in = realloc(browser.in, browser.room);
		if (browser.in == NULL || browser.n > MESSAGE_MAX)
			give_up(POSE_NO_BROWSER, "the browser says too much");
		if ((got = read(browser.from, browser.in + browser.n, browser.room - browser.n)) <= 0)
			give_up(POSE_NO_BROWSER, "the browser has ended");
		browser.n += (size_t)got;
	}
}

/* ---- what the page asks ---- */

static const char *
member_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* Whose page it is: "https://example.org:8443", lower case, without a user and without the port that goes without saying. False: of nobody. */
static bool
origin_of(const char *url, char out[ORIGIN_MAX])
{
	static const struct { const char *scheme, *port; } known[] = {{"http://", ":80"}, {"https://", ":443"}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t scheme = strlen(known[i].scheme), port = strlen(known[i].port), n;
		const char *host = url + scheme;

		if (strncasecmp(url, known[i].scheme, scheme) != 0)
			continue;
		n = strcspn(host, "/?#");
		for (size_t k = n; k > 0; k--)
			if (host[k - 1] == '@') {
				host += k;
				n -= k;
				break;
			}
		if (n > port && strncmp(host + n - port, known[i].port, port) == 0)
			n -= port;
		if (n == 0 || scheme + n >= ORIGIN_MAX)
			return false;
		memcpy(out, known[i].scheme, scheme);
		for (size_t k = 0; k < n; k++)
			out[scheme + k] = (char)tolower((unsigned char)host[k]);
		out[scheme + n] = '\0';
		return true;
	}
	return false;
}

static bool
header_asked(const char *name)
{
	const char *asked;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)browser.headers, asked, value)
		if (strcasecmp(asked, name) == 0)
			return true;
	return false;
}

/* A request of the page: the headers that were asked for go to its own host, and to no other one. */
static void
on_paused(const json_t *params)
{
	const json_t *request = json_object_get(params, "request"), *had = json_object_get(request, "headers");
	json_t *answer = json_pack("{s:s}", "requestId", member_text(params, "requestId")), *list;
	char origin[ORIGIN_MAX];
	const char *name;
	json_t *value;

	if (origin_of(member_text(request, "url"), origin) && strcmp(origin, browser.origin) == 0) {
		list = json_array();
		json_object_foreach((json_t *)(uintptr_t)had, name, value)
			if (!header_asked(name))
				json_array_append_new(list, json_pack("{s:s, s:O}", "name", name, "value", value));
		json_object_foreach((json_t *)(uintptr_t)browser.headers, name, value)
			json_array_append_new(list, json_pack("{s:s, s:O}", "name", name, "value", value));
		json_object_set_new(answer, "headers", list);
	}
	message_send("Fetch.continueRequest", answer);
}

static void
on_loaded(const json_t *params)
{
	(void)params;
	browser.loaded = true;
}

static void
on_dialog(const json_t *params)
{
	(void)params;
	message_send("Page.handleJavaScriptDialog", json_pack("{s:b}", "accept", 0));
}

static const struct {
	const char *event;
	void (*on)(const json_t *params);
} events[] = {{"Page.loadEventFired", on_loaded}, {"Page.javascriptDialogOpening", on_dialog}, {"Fetch.requestPaused", on_paused}};

static void
heard_event(const json_t *m)
{
	const char *method = member_text(m, "method");

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (strcmp(method, events[i].event) == 0 && strcmp(member_text(m, "sessionId"), browser.session) == 0)
			events[i].on(json_object_get(m, "params"));
}

/* ---- calls ---- */

enum { CALL_MS = 600 * 1000 };	/* the sandbox has an end of its own */

/* The answer, to be freed. NULL: the browser says no, *why (of 200 bytes) why. */
static json_t *
call_quietly(const char *method, json_t *params, char *why)
{
	int64_t id = message_send(method, params), until = now_ms() + CALL_MS;
	json_t *m, *result;

	while ((m = message_take(until)) != NULL) {
		if (json_integer_value(json_object_get(m, "id")) == id)
			break;
		heard_event(m);
		json_decref(m);
	}
	if (m == NULL)
		give_up(POSE_NO_PAGE, "the browser does not answer in time: %s", method);
	result = json_incref(json_object_get(m, "result"));
	if (result == NULL)
		snprintf(why, 200, "%s", member_text(json_object_get(m, "error"), "message"));
	json_decref(m);
	return result;
}

static json_t *
call(const char *method, json_t *params)
{
	char why[200] = "";
	json_t *result = call_quietly(method, params, why);

	if (result == NULL)
		give_up(POSE_REFUSED, "%s: %s", method, why[0] != '\0' ? why : "no");
	return result;
}

static void
browser_tell(const char *method, json_t *params)
{
	json_decref(call(method, params));
}

/* ---- how the page is to be seen ---- */

static double
ask_number(const json_t *ask, const char *key)
{
	return json_number_value(json_object_get(ask, key));
}

static void
pose_page(void)
{
	json_t *made = call("Target.createTarget", json_pack("{s:s}", "url", "about:blank"));
	json_t *on = call("Target.attachToTarget", json_pack("{s:s, s:b}", "targetId", member_text(made, "targetId"), "flatten", 1));

	snprintf(browser.session, sizeof browser.session, "%s", member_text(on, "sessionId"));
	json_decref(made);
	json_decref(on);
}

static void
pose_metrics(const json_t *ask, double height)
{
	browser_tell("Emulation.setDeviceMetricsOverride", json_pack("{s:f, s:f, s:f, s:b}", "width", ask_number(ask, "width"), "height", height, "deviceScaleFactor",
	    ask_number(ask, "scale"), "mobile", 0));
}

static void
pose_agent(const json_t *ask)
{
	const char *agent = member_text(ask, "userAgent"), *locale = member_text(ask, "locale");
	json_t *version = call("Browser.getVersion", NULL), *params = json_pack("{s:s}", "userAgent", agent[0] != '\0' ? agent : member_text(version, "userAgent"));

	if (locale[0] != '\0')
		json_object_set_new(params, "acceptLanguage", json_string(locale));
	browser_tell("Emulation.setUserAgentOverride", params);
	json_decref(version);
}

static void
pose_place(const json_t *ask, const char *origin)
{
	json_t *permissions = json_object_get(ask, "permissions");

	if (json_array_size(permissions) > 0)
		browser_tell("Browser.grantPermissions", json_pack("{s:O, s:s}", "permissions", permissions, "origin", origin));
	if (json_object_get(ask, "latitude") != NULL)
		browser_tell("Emulation.setGeolocationOverride", json_pack("{s:f, s:f, s:f}", "latitude", ask_number(ask, "latitude"), "longitude", ask_number(ask, "longitude"), "accuracy",
		    ask_number(ask, "accuracy")));
}

static void
pose(const json_t *ask)
{
	const char *theme = member_text(ask, "theme"), *locale = member_text(ask, "locale"), *zone = member_text(ask, "timezone");

	pose_metrics(ask, ask_number(ask, "height"));
	browser_tell("Emulation.setEmulatedMedia", json_pack("{s:[{s:s, s:s}]}", "features", "name", "prefers-color-scheme", "value", theme));
	pose_agent(ask);
	if (locale[0] != '\0')
		browser_tell("Emulation.setLocaleOverride", json_pack("{s:s}", "locale", locale));
	if (zone[0] != '\0')
		browser_tell("Emulation.setTimezoneOverride", json_pack("{s:s}", "timezoneId", zone));
	if (json_is_true(json_object_get(ask, "touch")))
		browser_tell("Emulation.setTouchEmulationEnabled", json_pack("{s:b, s:i}", "enabled", 1, "maxTouchPoints", 1));
	pose_place(ask, browser.origin);
	browser_tell("Page.enable", NULL);
	if (json_object_size(browser.headers) > 0)
		browser_tell("Fetch.enable", NULL);
}

/* ---- the page ---- */

static void
wait_until(int64_t until, const bool *enough)
{
	json_t *m;

	while (!(enough != NULL && *enough) && (m = message_take(until)) != NULL) {
		heard_event(m);
		json_decref(m);
	}
}

static void
page_load(const char *url, double sleep_s)
{
	json_t *r = call("Page.navigate", json_pack("{s:s}", "url", url));
	const char *error = member_text(r, "errorText");

	if (error[0] != '\0')
		give_up(POSE_NO_PAGE, "the page cannot be loaded: %s", error);
	json_decref(r);
	wait_until(now_ms() + LOAD_MS, &browser.loaded);	/* one that never ends loading is seen as it is then */
	if (sleep_s > 0)
		wait_until(now_ms() + (int64_t)(sleep_s * 1000), NULL);
}

/* All of it that a picture may hold: its height, in pixels of the page. */
static double
page_height(const json_t *ask)
{
	json_t *r = call("Page.getLayoutMetrics", NULL);
	double scale = ask_number(ask, "scale"), height = ask_number(json_object_get(r, "cssContentSize"), "height"), most = PIXELS_MAX / (scale * scale * ask_number(ask, "width"));

	json_decref(r);
	if (most > FULL_HEIGHT_MAX)
		most = FULL_HEIGHT_MAX;
	return height > most ? most : height > ask_number(ask, "height") ? height : ask_number(ask, "height");
}

static void
page_write(void)
{
	json_t *r = call("Page.captureScreenshot", json_pack("{s:s, s:b}", "format", "png", "captureBeyondViewport", 0));
	const char *text = member_text(r, "data");
	size_t n = strlen(text), got = 0;
	unsigned char *bytes = malloc(n + 1);

	if (bytes == NULL || sodium_base642bin(bytes, n + 1, text, n, NULL, &got, NULL, sodium_base64_VARIANT_ORIGINAL) != 0 || got == 0)
		give_up(POSE_NO_PAGE, "the browser makes no picture");
	if (fwrite(bytes, 1, got, stdout) != got || fflush(stdout) != 0)
		give_up(POSE_NO_PAGE, "the picture cannot be written");
	free(bytes);
	json_decref(r);
}

/* ---- the program ---- */

int
main(int argc, char **argv)
{
	json_t *ask = argc == 3 ? json_loads(argv[2], 0, NULL) : NULL;

	if (!json_is_object(ask))
		give_up(POSE_REFUSED, "usage: badal-pose BROWSER ASK");
	signal(SIGPIPE, SIG_IGN);
	if (!origin_of(member_text(ask, "url"), browser.origin))
		give_up(POSE_REFUSED, "this is no address of a page");
	browser.headers = json_object_get(ask, "headers");
	browser_start(argv[1]);
	pose_page();
	pose(ask);
	page_load(member_text(ask, "url"), ask_number(ask, "sleep"));
	if (json_is_true(json_object_get(ask, "fullpage")))
		pose_metrics(ask, page_height(ask));
	page_write();
	_exit(POSE_DONE);
}
