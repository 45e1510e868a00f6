/* Cross-origin requests (spec platform.md 8). */
#include <assert.h>

#include "gate_priv.h"
#include "core/conf.h"
#include "core/protocol.h"
#include "model/format.h"
#include "model/origin.h"

#define ALLOW_METHODS "GET, POST, PUT, PATCH, DELETE"
#define ALLOW_HEADERS                                                                                                         \
	"Origin, Cookie, Set-Cookie, X-Requested-With, Content-Type, Access-Control-Allow-Origin, "                           \
	"Access-Control-Request-Headers, Accept, X-Appwrite-Project, X-Appwrite-Key, X-Appwrite-Locale, X-Appwrite-Mode, "    \
	"X-Appwrite-JWT, X-Appwrite-Response-Format, X-SDK-Version, X-SDK-Name, X-SDK-Language, X-SDK-Platform, X-Appwrite-ID, " \
	"Content-Range, Range, Cache-Control, Expires, Pragma"
/* Of today, and what SDKs of today send besides. */
#define ALLOW_TODAY                                                                                                           \
	"Accept, Origin, Cookie, Set-Cookie, Content-Type, Content-Range, X-Appwrite-Project, X-Appwrite-Key, X-Appwrite-Dev-Key, "    \
	"X-Appwrite-Locale, X-Appwrite-Mode, X-Appwrite-JWT, X-Appwrite-Organization, X-Appwrite-Response-Format, X-Appwrite-Timeout, " \
	"X-Appwrite-ID, X-Appwrite-Timestamp, X-Appwrite-Session, X-Appwrite-Platform, X-Appwrite-Impersonate-User-Id, "          \
	"X-Appwrite-Impersonate-User-Email, X-Appwrite-Impersonate-User-Phone, X-SDK-Version, X-SDK-Name, X-SDK-Language, X-SDK-Platform, " \
	"X-SDK-GraphQL, X-SDK-Profile, Range, Cache-Control, Expires, Pragma, X-Fallback-Cookies, X-Requested-With, X-Forwarded-For, " \
	"X-Forwarded-User-Agent, Authorization"
#define EXPOSE_HEADERS "X-Fallback-Cookies"
#define EXPOSE_TODAY "X-Appwrite-Session, X-Fallback-Cookies, X-Appwrite-Warning"

/* An allowed host, else localhost, so that a browser refuses the answer elsewhere; scheme and port as they came. */
static const char *
allow_origin(struct arena *a, const struct project *p, const struct client *who, bool any, bool today)
{
	struct origin o = origin_parse(who->origin);

	if (o.host.n == 0 || !origin_readable(who->origin))
		return arena_printf(a, "%s://localhost", who->scheme);
	if (!any && !host_allowed(p, o.host, who->host) && (!today || p == NULL || origin_wrong(a, p, who->origin, who->host, "Origin") != NULL))
		o.host = STR("localhost");
	return arena_printf(a, "%.*s://%.*s%s%.*s", STR_FMT(o.scheme), STR_FMT(o.host), o.port.n ? ":" : "", STR_FMT(o.port));
}

/* What every answer says to browsers (`today`: those of clients since 1.9); returns how many headers. That our own TLS is to be used again is said where heads are written. */
static int
cors_common(struct arena *a, const char *origin, bool tls, bool https, bool today, struct http_header *h)
{
	const struct http_header all[] = {
		{"Server", "Appwrite"},
		{"X-Content-Type-Options", "nosniff"},
		{"Access-Control-Allow-Methods", ALLOW_METHODS},
		{"Access-Control-Allow-Headers", today ? ALLOW_TODAY : ALLOW_HEADERS},
		{"Access-Control-Expose-Headers", today ? EXPOSE_TODAY : EXPOSE_HEADERS},
		{"Access-Control-Allow-Origin", origin},
		{"Access-Control-Allow-Credentials", "true"},
		{"Vary", "Origin"},
	};
	int n = sizeof all / sizeof *all;

	memcpy(h, all, sizeof all);
	if (!tls && conf.force_https && https && conf.hsts_max_age > 0)
		h[n++] = (struct http_header){"Strict-Transport-Security", arena_printf(a, "max-age=%lld", (long long)conf.hsts_max_age / 1000)};
	return n;
}

void
cors_headers(struct req *rq)
{
	const struct client who = {.host = rq->host, .scheme = rq->scheme, .origin = rq->origin};
	const struct project *p = rq->project ? rq->project : project_known(rq->cx.arena, rq->http->hdr[HDR_X_PROJECT]);
	struct http_header h[REFUSAL_HEADERS];
	int n = cors_common(rq->cx.arena, allow_origin(rq->cx.arena, p, &who, (rq->route->flags & ROUTE_NO_ORIGIN) || rq->dev_key, rq->cx.format >= SINCE_1_9), rq->http->tls, strcmp(rq->scheme, "https") == 0,
	    rq->cx.format >= SINCE_1_9, h);

	for (int i = 0; i < n; i++)
		reply_static(rq, h[i].name, h[i].value);
	rq->cors = true;
}

int
cors_refusal(struct http_msg *m, struct http_header out[REFUSAL_HEADERS])
{
	static const struct http_header more[NO_CACHE_JSON] = {{"Cache-Control", "no-cache, no-store, must-revalidate"}, {"Expires", "0"}, {"Pragma", "no-cache"},
		{"Content-Type", "application/json; charset=UTF-8"}};
	struct client who;
	int n;

	client_of(m, &who);
	n = cors_common(m->arena, allow_origin(m->arena, project_known(m->arena, m->hdr[HDR_X_PROJECT]), &who, false, false), m->tls, strcmp(who.scheme, "https") == 0, false, out);
	assert(n + NO_CACHE_JSON <= REFUSAL_HEADERS);
	memcpy(out + n, more, sizeof more);
	return n + NO_CACHE_JSON;
}

/* Names of headers that the server honours and the list lacks, or that SDKs of later versions send. */
static bool
may_be_sent(struct str name)
{
	static const char *const more[] = {"if-none-match", "accept-language"};
	struct str today = STR(ALLOW_TODAY);

	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] != '-' && (name.p[i] < '0' || name.p[i] > '9') && (name.p[i] < 'a' || name.p[i] > 'z'))
			return false;	/* browsers write them small */
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		if (str_is(name, more[i]))
			return true;
	while (today.p != NULL)
		if (str_ieq(str_trim(str_cut(&today, ',')), name))
			return true;
	return str_starts(name, "x-appwrite-") || str_starts(name, "x-sdk-");
}

/* The list of the contract, and what else was asked for and may be sent: one name that is refused, and the browser sends nothing. */
static const char *
preflight_headers(struct http_msg *m)
{
	struct str asked = m->hdr[HDR_ASKED_HEADERS];
	struct buf b;

	buf_init(&b, m->arena, sizeof ALLOW_HEADERS + asked.n + 64);
	BUF_LIT(&b, ALLOW_HEADERS);
	while (asked.n > 0) {
		struct str name = str_trim(str_cut(&asked, ','));

		if (may_be_sent(name)) {
			BUF_LIT(&b, ", ");
			buf_str(&b, name);
		}
	}
	BUF_LIT(&b, ", X-Fallback-Cookies");
	buf_ch(&b, '\0');
	return b.p;
}

void
cors_preflight(struct http_msg *m)
{
	const char *origin = str_dup(m->arena, m->hdr[HDR_ORIGIN]);
	const struct http_header h[] = {
	    {"Server", "Appwrite"},
	    {"Access-Control-Allow-Methods", ALLOW_METHODS},
	    {"Access-Control-Allow-Headers", preflight_headers(m)},
	    {"Access-Control-Expose-Headers", EXPOSE_TODAY},
	    {"Access-Control-Allow-Origin", origin_readable(origin) ? origin : ""},
	    {"Access-Control-Allow-Credentials", "true"},
	    {"Vary", "Origin, Access-Control-Request-Headers"},
	    {"Content-Type", "text/html"},
	};

	http_reply(m, 204, h, sizeof h / sizeof *h, STR_NONE);
	http_done(m);
}

/* What a browser adds on its own, whatever page asks: cookies, but neither JWTs nor the fallback header. */
static bool
by_cookie(const struct req *rq)
{
	return rq->login != NULL && !rq->jwt && !rq->fallback;
}

/* Of today: whatever the method, by the header Origin alone. */
static err_t
check_today(struct req *rq)
{
	const char *wrong = origin_wrong(rq->cx.arena, rq->project, rq->origin, rq->host, "Origin");
	struct origin o = origin_parse(rq->origin);

	if (wrong == NULL)
		return OK;
	origin_refused(&rq->cx, rq->project, rq->origin, &o);
	return fail_msg(&rq->cx, ERR_GENERAL_UNKNOWN_ORIGIN, "%s", wrong);
}

/* The header of a key switches the check off, for servers; a page that adds one must not ride on somebody's cookie with it. */
err_t
cors_check(struct req *rq)
{
	enum origin_kind kind;
	struct origin o;

	if ((rq->route->flags & ROUTE_NO_ORIGIN) || rq->dev_key)
		return OK;
	if (rq->http->hdr[HDR_X_KEY].n > 0 && !by_cookie(rq))
		return OK;
	if (rq->cx.format >= SINCE_1_9 && rq->http->hdr[HDR_ORIGIN].n > 0)
		return check_today(rq);
	if (strcmp(rq->route->method, "GET") == 0 || (rq->cx.format >= SINCE_1_9 && !by_cookie(rq)))
		return OK;
	kind = origin_kind(rq->project, rq->origin, rq->host, &o);
	if (kind != ORIGIN_FOREIGN && !(by_cookie(rq) && kind == ORIGIN_HIDDEN))
		return OK;
	origin_refused(&rq->cx, rq->project, rq->origin, &o);
	return fail_msg(&rq->cx, ERR_GENERAL_UNKNOWN_ORIGIN, "%s", origin_refusal(rq->cx.arena, &o));
}

bool
cors_may_sign_in(struct req *rq)
{
	enum origin_kind kind = origin_kind(rq->project, rq->origin, rq->host, NULL);

	return kind != ORIGIN_HIDDEN && ((rq->http->hdr[HDR_X_KEY].n == 0 && !rq->dev_key) || kind != ORIGIN_FOREIGN);
}

/* By a developer's key to a developer's own machine, and no further: what is sent there has a secret in it, which anybody who found the key would get. Of OAuth2
 * nothing else could end well: the provider sends the browser back without the key. */
static bool
dev_redirect_ok(struct req *rq, const char *url, const struct origin *o)
{
	if (o->host.n == 0 || !(str_ieq(o->scheme, STR("http")) || str_ieq(o->scheme, STR("https"))) || !format_url(str_c(url)))
		return false;
	return !o->user && !o->odd && strchr(url, '\\') == NULL && host_is_loopback(str_lower(rq->cx.arena, o->host).p);
}

bool
api_redirect_ok(struct req *rq, const char *url, const char *own_host)
{
	struct origin o = origin_parse(url);

	if (rq->dev_key && dev_redirect_ok(rq, url, &o))
		return true;
	if (rq->cx.format < SINCE_1_9 && format_url(str_c(url)) && o.host.n > 0 && host_allowed(rq->project, o.host, own_host))
		return true;
	for (const char *c = url; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"'<>\\`", *c) != NULL)
			return false;
	return origin_wrong(rq->cx.arena, rq->project, url, own_host, "URI") == NULL;
}
