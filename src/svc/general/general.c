/* Routes outside of the services: files at the root, the API's own description, metrics. */
#include <stdio.h>

#include "config.h"
#include "core/conf.h"
#include "core/metric.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "gate/gate.h"
#include "model/origin.h"

#define EVENT EVENT_DECLARE
#include "svc/general/events.h"
#undef EVENT

#define PLAIN "text/plain; charset=UTF-8"
#define HTML "text/html; charset=UTF-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"

static const int64_t page_life_ms = INT64_C(3888000) * 1000;

static err_t
general_get_robots(struct req *rq, void *in)
{
	(void)in;
	return reply_raw(rq, 200, PLAIN, STR("# robotstxt.org/\n\nUser-agent: *\n"));
}

static err_t
general_get_humans(struct req *rq, void *in)
{
	(void)in;
	return reply_raw(rq, 200, PLAIN, STR("# humanstxt.org/\n# A realtime backend, made by people who like small programs.\n"));
}

static err_t
general_get_manifest(struct req *rq, void *in)
{
	(void)in;
	return reply_json(rq, 200,
	    STR("{\"name\":\"Appwrite\",\"short_name\":\"Appwrite\",\"start_url\":\".\",\"url\":\"https:\\/\\/appwrite.io\\/\",\"display\":\"standalone\","
		"\"background_color\":\"#fff\",\"theme_color\":\"#f02e65\",\"description\":\"A backend for web and mobile applications.\","
		"\"icons\":[{\"src\":\"images\\/favicon.png\",\"sizes\":\"256x256\",\"type\":\"image\\/png\"}]}"));
}

static err_t
general_get_versions(struct req *rq, void *in)
{
	char date[30];

	(void)in;
	reply_static(rq, "Cache-Control", "public, max-age=3888000");
	reply_header(rq, "Expires", time_http(time_now_ms() + page_life_ms, ' ', date));
	reply_static(rq, "X-Frame-Options", "SAMEORIGIN");
	reply_static(rq, "X-XSS-Protection", arena_printf(rq->cx.arena, "1; mode=block; report=/v1/xss?url=%s",
	    rq->route->path[1] == 'v' && rq->route->path[2] == '1' ? "%2Fv1%2Fversions" : "%2Fversions"));
	reply_static(rq, "X-UA-Compatible", "IE=Edge");
	return reply_json(rq, 200,
	    STR("{\"server\":\"1.0.2\",\"client-web\":\"10.1.0\",\"client-flutter\":\"8.1.0\",\"client-apple\":\"1.1.0\",\"client-android\":\"1.1.0\","
		"\"console-web\":\"7.1.0\",\"console-cli\":\"1.1.1\",\"server-nodejs\":\"8.1.0\",\"server-deno\":\"6.1.0\",\"server-php\":\"7.1.0\","
		"\"server-python\":\"1.1.0\",\"server-ruby\":\"7.1.0\",\"server-dart\":\"7.1.0\",\"server-kotlin\":\"1.1.0\",\"server-swift\":\"1.1.0\"}"));
}

/* Not in this version of the API. */
static err_t
general_post_graphql(struct req *rq, void *in)
{
	(void)rq;
	(void)in;
	return ERR_GRAPHQL;
}

struct openapi_in { const char *format; };
static const struct param openapi_params[] = {
    OPTIONAL("format", P_TEXT, struct openapi_in, format, "A format (X-Appwrite-Response-Format) such as 1.8.0, or newest: what its clients get, and no more. Without: all of them, with x-since and x-until.", .max = 32),
};

static err_t
general_get_openapi(struct req *rq, void *arg)
{
	const struct openapi_in *in = arg;
	struct str s = str_c(in->format ? in->format : ""), text;
	int64_t format = str_is(s, "newest") ? PROTOCOL_NEWEST : protocol_version(s);

	if (format == 0)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid format: Value must be a version such as 1.8.0, or newest");
	TRY(api_openapi(&rq->cx, format < 0 ? 0 : format, &text));
	return reply_json(rq, 200, text);
}

/* What SDKs are tried out with: a project that is there answers, the console is none. */
/* The first ping of all is noted, once, and told to who looks after the project. */
static err_t
note_ping(struct req *rq)
{
	struct ctx *cx = &rq->cx;
	const struct project *p = rq->project;
	const char *team = arena_printf(cx->arena, "team:%s", p->team_id);
	const struct event ev = {.kind = &ev_project_ping, .project = p->id, .ids = {p->id}, .roles = {.n = 1, .set = true, .v = &team}, .stale = {project_stale_key(cx, p->id)}};

	return event_write(cx, &ev, NULL, "UPDATE badal.projects SET ping_count = 1, pinged = $2 WHERE internal = $1::bigint AND ping_count = 0 RETURNING internal",
	    DB(pg_i64(cx->arena, p->internal), pg_time(cx->arena, time_now_ms())));
}

static err_t
general_ping(struct req *rq, void *in)
{
	(void)in;
	if (rq->project->console)
		return ERR_PROJECT_NOT_FOUND;
	if (rq->project->ping_count == 0)
		TRY(note_ping(rq));
	return reply_raw(rq, 200, PLAIN, STR("Pong!"));
}

enum { CHALLENGE_MAX = 100 };

/* ---- the first page, for who opens the server's address in a browser: text alone, the same for everybody ---- */

#define STYLE ":root{color-scheme:light dark}body{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem}pre{overflow:auto;padding:1rem;border:1px solid #8886;border-radius:.4rem}"
#define STYLE_HASH "sha256-z6dY1loYTPEsB48eSnJtYnanqZraAm4XqgOh8WerrNw="	/* of STYLE; t/90-compat/chromium_page.test.mjs sees it applied */
static const char page_policy[] = "default-src 'none'; style-src '" STYLE_HASH "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
static const char page[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Badal</title><style>" STYLE "</style>\n"
    "<h1>Badal</h1>\n<p>A realtime backend server, version " PACKAGE_VERSION ". It is running.</p>\n"
    "<ul>\n<li>The API is at <a href=\"/v1\">/v1</a>, for the Appwrite SDKs: <code>setEndpoint('…/v1')</code>.</li>\n"
    "<li>Every operation is described in <a href=\"/v1/openapi.json\">/v1/openapi.json</a>.</li>\n"
    "<li>Health is at <a href=\"/v1/health/version\">/v1/health/version</a>; on the machine itself, metrics are at <a href=\"/metrics\">/metrics</a>, and <code>badal doctor</code> looks over all of it.</li>\n"
    "<li>The manual is <code>man badal</code>, or <code>badal manual | man -l -</code>; README.md and doc/ have the rest.</li>\n</ul>\n"
    "<h2>The first project</h2>\n<p>On the machine that this runs on:</p>\n<pre><code>badal init --email you@example.org</code></pre>\n"
    "<p>makes a user of the console, a project, its web platform and an API key, and prints code that uses them.</p>\n</html>\n";

static err_t
general_get_page(struct req *rq, void *in)
{
	(void)in;
	reply_static(rq, "Content-Security-Policy", page_policy);
	reply_static(rq, "X-Content-Type-Options", "nosniff");
	reply_static(rq, "Referrer-Policy", "no-referrer");
	return reply_raw(rq, 200, HTML, str_c(page));
}

/* Who tries the endpoint itself is shown where to go on. */
static err_t
general_get_index(struct req *rq, void *in)
{
	(void)in;
	return reply_json(rq, 200, STR("{\"name\":\"Badal\",\"version\":\"" PACKAGE_VERSION "\",\"openapi\":\"\\/v1\\/openapi.json\",\"health\":\"\\/v1\\/health\\/version\"}"));
}

struct challenge_in { const char *token; };
static const struct param challenge_params[] = {PATH("token", P_TEXT, struct challenge_in, token, "Token of the challenge.")};

/* Certificates are not fetched here, so there is no challenge to answer: what asks for one is told so as the contract has it. */
static err_t
general_get_challenge(struct req *rq, void *in_)
{
	const struct challenge_in *in = in_;
	size_t n = strlen(in->token);

	if (n > CHALLENGE_MAX || strspn(in->token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != n)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid challenge token.");
	return fail_msg(&rq->cx, ERR_GENERAL_ROUTE_NOT_FOUND, "Unknown path");
}

/* ---- metrics ---- */

/* With a token whoever has it; without, this machine only. What a proxy brings comes from elsewhere. */
static bool
may_scrape(const struct http_msg *m)
{
	struct str auth = m->hdr[HDR_AUTHORIZATION];

	if (conf.metrics_token[0] != '\0')
		return str_starts(auth, "Bearer ") && str_eq_secret((struct str){auth.p + 7, auth.n - 7}, str_c(conf.metrics_token));
	return request_is_local(m);
}

static err_t
general_get_metrics(struct req *rq, void *in)
{
	struct buf b;

	(void)in;
	if (!may_scrape(rq->http))
		return ERR_GENERAL_ROUTE_NOT_FOUND;
	buf_init(&b, rq->cx.arena, 16384);
	metric_write(&b);
	return reply_raw(rq, 200, METRICS, buf_view(&b));
}

static const struct field icon_fields[] = {
    TOLD("src", F_STR, "Where it is."),
    TOLD("sizes", F_STR, "Width x height."),
    TOLD("type", F_STR, "Media type."),
};
static const struct shape icon_shape = SHAPE_TOLD("icon", icon_fields);
static const struct field manifest_fields[] = {
    TOLD("name", F_STR, "Name."),
    TOLD("short_name", F_STR, "Name where there is little room."),
    TOLD("start_url", F_STR, "Where it starts."),
    TOLD("url", F_STR, "Website."),
    TOLD("display", F_STR, "How it is shown."),
    TOLD("background_color", F_STR, "Background colour."),
    TOLD("theme_color", F_STR, "Colour."),
    TOLD("description", F_STR, "Description."),
    TOLD("icons", F_LIST, "Icons.", .sub = &icon_shape),
};
static const struct shape manifest_shape = SHAPE_TOLD("manifest", manifest_fields);
static const struct field versions_fields[] = {
    TOLD("server", F_STR, "Version of the API; the other members are those of SDKs."),
};
static const struct shape versions_shape = {.model = "versions", .n = 1, .fields = versions_fields, .open = true};
static const struct field entrance_fields[] = {
    TOLD("name", F_STR, "Name of the server."),
    TOLD("version", F_STR, "Its version."),
    TOLD("openapi", F_STR, "Path of the description of the API."),
    TOLD("health", F_STR, "Path that tells whether it is well."),
};
static const struct shape entrance_shape = SHAPE_TOLD("entrance", entrance_fields);
static const struct shape description_shape = {.model = "openapi", .open = true};

#define PAGE(path_, handler_, doc_, ...)                                                                                            \
	{.method = "GET", .path = path_, .scope = "public", .limit = "", .handler = handler_, .status = 200, .doc = doc_, __VA_ARGS__}
static const struct route rows[] = {
    PAGE("/", general_get_page, "A page for people.", .media = HTML, .flags = ROUTE_PLAIN),
    PAGE("/v1", general_get_index, "Where to go on from here.", .model = &entrance_shape, .flags = ROUTE_PLAIN),
    PAGE("/robots.txt", general_get_robots, "For robots.", .media = PLAIN),
    PAGE("/v1/robots.txt", general_get_robots, "For robots.", .media = PLAIN),
    PAGE("/humans.txt", general_get_humans, "For humans.", .media = PLAIN),
    PAGE("/v1/humans.txt", general_get_humans, "For humans.", .media = PLAIN),
    PAGE("/manifest.json", general_get_manifest, "The web application manifest.", .model = &manifest_shape),
    PAGE("/v1/manifest.json", general_get_manifest, "The web application manifest.", .model = &manifest_shape),
    PAGE("/versions", general_get_versions, "Versions of server and SDKs.", .model = &versions_shape),
    PAGE("/v1/versions", general_get_versions, "Versions of server and SDKs.", .model = &versions_shape),
    {.method = "POST", .path = "/v1/graphql", .scope = "public", .limit = "", .handler = general_post_graphql, .status = 503, .doc = "Reserved."},
    {.method = "GET", .path = "/v1/ping", .scope = "global", .limit = "", .handler = general_ping, .status = 200, .doc = "Whether a project is there.",
	.media = PLAIN},
    PAGE("/.well-known/acme-challenge/:token", general_get_challenge, "Challenges of certificate authorities: there are none.", .media = PLAIN,
	.flags = ROUTE_BELOW, PARAMS(struct challenge_in, challenge_params)),
    PAGE("/v1/openapi.json", general_get_openapi, "This description of the API.", .model = &description_shape, PARAMS(struct openapi_in, openapi_params)),
    {.method = "GET", .path = "/metrics", .handler = general_get_metrics, .status = 200, .doc = "Metrics for Prometheus.", .flags = ROUTE_PLAIN,
	.media = METRICS},
};
const struct routes general_routes = ROUTES(rows);
