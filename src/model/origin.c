/* Clients behind proxies, and origins against a project's platforms. Everything here comes from outside: a text that is not what it
 * should be counts as absent. */
#include "model/origin.h"

#include "core/conf.h"
#include "core/log.h"
#include "core/metric.h"
#include "model/format.h"
#include "model/proxy.h"

enum { HOST_MAX = 253, SHOWN = 300, LOG_AGAIN_MS = 60000 };

bool
host_is_address(struct str host)
{
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct str){host.p + 1, host.n - 2};
	return proxy_is_address(host);
}

static bool
host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* "host", "host:port" or "[v6]:port" without the port; empty when malformed. */
static struct str
host_part(struct str s)
{
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '[') {
		const char *end = memchr(s.p, ']', s.n);
		struct str whole = {s.p, end ? (size_t)(end - s.p) + 1 : 0};

		return host_is_address(whole) ? whole : STR_NONE;
	}
	while (n < s.n && host_char(s.p[n]))
		n++;
	if (n > HOST_MAX || (n < s.n && s.p[n] != ':'))
		return STR_NONE;
	return (struct str){s.p, n};
}

/* The root's dot at the end of a name says nothing. */
static struct str
no_root(struct str host)
{
	return host.n > 1 && host.p[host.n - 1] == '.' ? (struct str){host.p, host.n - 1} : host;
}

static struct str
authority_told(const struct http_msg *m, const struct told *t)
{
	return t->host.p != NULL ? t->host : str_trim(m->hdr[HDR_HOST]);
}

struct str
client_authority(const struct http_msg *m)
{
	struct told t;

	proxy_told(m, &t);
	return authority_told(m, &t);
}

static const char *
client_scheme(const struct http_msg *m, struct str told)
{
	if (told.p == NULL)
		return m->tls ? "https" : "http";
	return str_ieq(told, STR("http")) || str_ieq(told, STR("ws")) ? "http" : "https";
}

void
client_of(const struct http_msg *m, struct client *out)
{
	/* an Origin without a word is one that hides; without one, a Referer without a word is none: some people's browsers leave it empty */
	struct str origin = m->hdr[HDR_ORIGIN].p != NULL ? m->hdr[HDR_ORIGIN] : m->hdr[HDR_REFERER], host;
	struct told t;

	proxy_told(m, &t);
	host = no_root(host_part(authority_told(m, &t)));
	out->ip = t.ip;
	out->host = host.n > 0 ? str_lower(m->arena, host).p : "localhost";
	out->scheme = client_scheme(m, t.scheme);
	out->origin = origin.n > 0 || m->hdr[HDR_ORIGIN].p != NULL ? str_dup(m->arena, origin) : NULL;
}

static bool
scheme_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
}

/* What RFC 3986 lets stand before the path, 3.2. A browser takes a backslash for a slash, so that the host of "http://a\\@b" is a. */
static bool
authority_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!host_char(s.p[i]) && strchr("@:[]~!$&'()*+,;=%", s.p[i]) == NULL)
			return false;
	return true;
}

struct origin
origin_parse(const char *text)
{
	struct origin o = {STR_NONE, STR_NONE, STR_NONE, false, false};
	struct str s = str_c(text), host;
	size_t n = 0;

	while (n < s.n && scheme_char(s.p[n]))
		n++;
	if (n == 0 || s.n < n + 3 || memcmp(s.p + n, "://", 3) != 0)
		return o;
	s = (struct str){s.p + n + 3, s.n - n - 3};
	for (n = 0; n < s.n && s.p[n] != '/' && s.p[n] != '?' && s.p[n] != '#'; n++)
		;
	s.n = n;
	if (!authority_ok(s))
		return o;
	for (n = s.n; n > 0; n--)	/* what stands before the last @ is a user, never the host */
		if (s.p[n - 1] == '@') {
			s = (struct str){s.p + n, s.n - n};
			o.user = true;
			break;
		}
	host = host_part(s);
	if (host.n == 0)
		return o;
	o.scheme = (struct str){text, strcspn(text, ":")};
	o.host = host;
	if (s.n > host.n + 1 && format_port((struct str){s.p + host.n + 1, s.n - host.n - 1}))
		o.port = (struct str){s.p + host.n + 1, s.n - host.n - 1};
	o.odd = s.n > host.n && o.port.n == 0;
	return o;
}

static bool
always_allowed(struct str host, const char *own_host)
{
	host = no_root(host);
	return str_ieq(host, STR("localhost")) || str_is(host, "127.0.0.1") || str_is(host, "[::1]") || (own_host != NULL && str_ieq(host, str_c(own_host)));
}

/* The platforms of each type that authorise an origin, and the scheme of it: NULL for a page, known by its host and not by a key. `today`: they do
 * so to clients since 1.9 alone. */
static const struct { const char *type, *scheme; bool today; } kinds[] = {
    {"web", NULL},
    {"flutter-web", NULL},
    {"flutter-ios", "appwrite-ios"},
    {"react-native-ios", "appwrite-ios"},
    {"apple-ios", "appwrite-ios"},
    {"apple-macos", "appwrite-macos", true},
    {"apple-watchos", "appwrite-watchos", true},
    {"apple-tvos", "appwrite-tvos", true},
    {"apple", "appwrite-ios"},
    {"apple", "appwrite-macos"},
    {"apple", "appwrite-watchos"},
    {"apple", "appwrite-tvos"},
    {"flutter-android", "appwrite-android"},
    {"react-native-android", "appwrite-android"},
    {"android", "appwrite-android"},
    {"flutter-macos", "appwrite-macos"},
    {"flutter-windows", "appwrite-windows"},
    {"windows", "appwrite-windows"},
    {"flutter-linux", "appwrite-linux"},
    {"linux", "appwrite-linux"},
};

static bool
is_app(struct str scheme)
{
	static const struct str begin = {"appwrite-", 9};

	return scheme.n >= begin.n && str_ieq((struct str){scheme.p, begin.n}, begin);
}

/* What must match the host of an origin of this scheme; NULL: the platform does not speak for such. */
static const char *
platform_rule(const struct platform *f, struct str scheme, bool today)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(f->type, kinds[i].type) != 0 || (kinds[i].today && !today))
			continue;
		if (kinds[i].scheme == NULL)
			return is_app(scheme) ? NULL : f->hostname;
		if (str_ieq(scheme, str_c(kinds[i].scheme)))
			return f->key;
	}
	return NULL;
}

static bool
platforms_have(const struct project *p, struct str scheme, struct str host, bool today)
{
	for (int i = 0; i < p->platforms.n; i++) {
		const char *rule = platform_rule(p->platforms.v[i], scheme, today);

		if (rule != NULL && rule[0] != '\0' && project_host_matches(rule, host))
			return true;
	}
	return false;
}

/* Bracketed addresses match nothing but the own host. */
static bool
may_match(struct str host)
{
	return host.n > 0 && memchr(host.p, ':', host.n) == NULL && memchr(host.p, '/', host.n) == NULL;
}

bool
host_allowed(const struct project *p, struct str host, const char *own_host)
{
	return always_allowed(host, own_host) || (p != NULL && may_match(host) && platforms_have(p, STR("https"), host, false));
}

bool
host_is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 || (strncmp(host, "127.", 4) == 0 && host_is_address(str_c(host)));
}

/* What proxies add. One that adds nothing is known by the host it was asked for, and so is a page whose name leads here; nginx, unless it is told
 * otherwise, names us as the host and speaks HTTP/1.0, as nobody on the machine does. One that hands on whatever host a stranger names and adds
 * nothing cannot be told: where it matters much, `domain` tells that the server is for others (request_is_owners). */
static bool
by_proxy(const struct http_msg *m)
{
	struct client who;

	if (proxy_shows(m))
		return true;
	client_of(m, &who);
	return m->version < 11 || !host_is_loopback(who.host);
}

bool
request_is_local(const struct http_msg *m)
{
	return !by_proxy(m) && !proxy_is_sandbox(m->peer) &&
	    (strncmp(m->peer, "127.", 4) == 0 || strcmp(m->peer, "::1") == 0 || strncmp(m->peer, "::ffff:127.", 11) == 0);
}

static bool
domain_set(void)
{
	return conf.domain[0] != '\0' && strcmp(conf.domain, "localhost") != 0;
}

bool
request_is_owners(const struct http_msg *m)
{
	return request_is_local(m) && (!domain_set() || host_is_loopback(conf.domain));
}

static bool
domain_verified(const struct project *p, const char *asked)
{
	for (int i = 0; i < p->domains.n; i++) {
		const struct domain *d = p->domains.v[i];

		if (d->verification && str_ieq(str_c(asked), str_c(d->domain)))
			return true;
	}
	return false;
}

bool
mail_link_ok(const struct project *p, const char *asked, const char *url)
{
	struct origin o = origin_parse(url);

	return domain_set() || host_is_loopback(asked) || domain_verified(p, asked) || host_allowed(p, o.host, NULL);
}

const char *
host_for_mails(const struct project *p, const char *asked)
{
	if (!domain_set() || str_ieq(str_c(asked), str_c(conf.domain)) || domain_verified(p, asked))
		return asked;
	return conf.domain;
}

static bool
names_place(const char *text)
{
	return strstr(text, "://") != NULL;
}

bool
origin_readable(const char *text)
{
	struct origin o = origin_parse(text);

	return text == NULL || (o.host.n > 0 && !o.odd && !o.user);
}

enum origin_kind
origin_kind(const struct project *p, const char *text, const char *own_host, struct origin *o)
{
	struct origin own;

	if (o == NULL)
		o = &own;
	*o = origin_parse(text);
	if (text == NULL)
		return ORIGIN_NONE;
	if (!names_place(text))
		return ORIGIN_HIDDEN;
	if (!origin_readable(text)) {
		if (!o->user || o->odd)	/* else it can be said whose it is */
			*o = origin_parse(NULL);
		return ORIGIN_FOREIGN;
	}
	return always_allowed(o->host, own_host) || (p != NULL && may_match(o->host) && platforms_have(p, o->scheme, o->host, false)) ? ORIGIN_OURS :
	    ORIGIN_FOREIGN;
}

/* Which client each scheme is of, and what its platform is known by. */
static const struct { const char *scheme, *kind, *by; } clients[] = {
    {"http", "Web", "hostname"},
    {"https", "Web", "hostname"},
    {"appwrite-ios", "iOS", "bundle id"},
    {"appwrite-android", "Android", "package name"},
    {"appwrite-macos", "macOS", "bundle id"},
    {"appwrite-watchos", "watchOS", "bundle id"},
    {"appwrite-tvos", "tvOS", "bundle id"},
    {"appwrite-windows", "Windows", "package name"},
    {"appwrite-linux", "Linux", "package name"},
};

/* NULL: no platform speaks for such. */
static const char *
client_kind(const struct origin *o, const char **by_out)
{
	for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
		if (o->host.n > 0 && str_ieq(o->scheme, str_c(clients[i].scheme))) {
			*by_out = clients[i].by;
			return clients[i].kind;
		}
	return NULL;
}

void
origin_refused(struct ctx *cx, const struct project *p, const char *text, const struct origin *o)
{
	const char *by, *kind = client_kind(o, &by), *key = arena_printf(cx->arena, "origin:%s:%.*s", p->id, STR_FMT(o->host));

	metric_add(M_origins_refused, 1);
	if (!log_may_client(cx->client) || !log_may(str_c(key), 1, LOG_AGAIN_MS))
		return;
	if (kind != NULL)
		log_warn(cx, "origin refused", "origin=\"%.*s\" add=\"a platform of type %s with the %s %.*s\"", SHOWN, text, kind, by, STR_FMT(o->host));
	else
		log_warn(cx, "origin refused", "origin=\"%.*s\" why=\"no platform has such origins\"", SHOWN, text);
}

bool
origin_brings_cookies(const struct project *of, const char *text, const char *own_host)
{
	enum origin_kind kind = origin_kind(of, text, own_host, NULL);

	return kind != ORIGIN_HIDDEN && kind != ORIGIN_FOREIGN;
}

const char *
origin_refusal(struct arena *a, const struct origin *o)
{
	const char *by, *kind = client_kind(o, &by);

	if (kind != NULL)
		return arena_printf(a, "Invalid Origin. Register your new client (%.*s) as a new %s platform on your project console dashboard",
		    STR_FMT(o->host), kind);
	return "Unsupported platform";
}

/* ---- as clients since 1.9 are told ---- */

/* Those of pages and extensions, which are known by their host as a web page is. An app's own are in `kinds`, and each project has one that is always its own. */
static bool
judged_by_host(struct str scheme)
{
	static const char *const schemes[] = {"http", "https", "chrome-extension", "moz-extension", "safari-web-extension", "ms-browser-extension", "tauri"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_ieq(scheme, str_c(schemes[i])))
			return true;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].scheme != NULL && str_ieq(scheme, str_c(kinds[i].scheme)))
			return true;
	return false;
}

static struct str
scheme_of(const char *text)
{
	const char *end = strstr(text, "://");
	struct str s = {text, end != NULL ? (size_t)(end - text) : 0};

	for (size_t i = 0; i < s.n; i++)
		if (!scheme_char(s.p[i]))
			return STR_NONE;
	return s;
}

const char *
origin_wrong(struct arena *a, const struct project *p, const char *text, const char *own_host, const char *what)
{
	struct str scheme = scheme_of(text);
	struct origin o;
	enum origin_kind kind = origin_kind(p, text, own_host, &o);
	const char *by, *client;

	if (scheme.n == 0)
		return arena_printf(a, "Invalid %s.", what);
	if (str_ieq(scheme, str_c(arena_printf(a, "appwrite-callback-%s", p->id))))
		return NULL;
	if (!judged_by_host(scheme))
		return arena_printf(a, "Invalid Scheme. The scheme used (%.*s) in the %s (%.*s) is not supported. If you are using a custom scheme, please change it to "
		    "`appwrite-callback-<PROJECT_ID>`", (int)(scheme.n < SHOWN ? scheme.n : SHOWN), scheme.p, what, SHOWN, text);
	if (kind == ORIGIN_OURS || (origin_readable(text) && may_match(o.host) && platforms_have(p, scheme, o.host, true)) ||
	    (!is_app(scheme) && origin_readable(text) && domain_verified(p, str_dup(a, o.host))))
		return NULL;
	if (!origin_readable(text))
		return arena_printf(a, "Invalid %s.", what);
	client = client_kind(&o, &by);
	return arena_printf(a, "Invalid %s. Register your new client (%.*s) as a new %s platform on your project console dashboard", what, STR_FMT(o.host),
	    client != NULL ? client : "Web");
}
