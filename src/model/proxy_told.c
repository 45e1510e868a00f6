/* What trusted proxies tell of a client, in the headers of tbl/proxies.h that the setting names.
 *
 * What a proxy does not set it hands on as it came, so only what is named counts: the first of the setting that is there, and when that cannot be read, no
 * other. A list is read from its end: there each proxy wrote what it saw, and what stands before the first untrusted one the client may have written. */
#include "model/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "core/conf.h"
#include "model/format.h"

enum { ADDRESS_MAX = 45 };

enum how { LIST, PAIRS, ONE, SIGN };

static const struct {
	enum http_hdr hdr;
	const char *name;
	enum how how;
} headers[] = {
#define PROXY(id, name, how) {HDR_##id, name, how},
#include "tbl/proxies.h"
#undef PROXY
};

enum { HEADERS_N = sizeof headers / sizeof *headers };

static int order[HEADERS_N], n_order;	/* of `headers`: those that count */
static const char *parsed;		/* conf.proxy_headers that `order` is of */
static char wrong[64];

/* ---- the setting ---- */

static bool
order_add(struct str name)
{
	for (int i = 0; i < HEADERS_N; i++)
		if (headers[i].how != SIGN && str_ieq(name, str_c(headers[i].name))) {
			for (int k = 0; k < n_order; k++)
				if (order[k] == i)
					return true;
			order[n_order++] = i;
			return true;
		}
	snprintf(wrong, sizeof wrong, "%.*s", STR_FMT(name));
	return false;
}

static void
order_parse(const char *setting)
{
	struct str rest = str_c(setting);

	if (parsed == setting)
		return;
	parsed = setting;
	n_order = 0;
	wrong[0] = '\0';
	while (rest.n > 0) {
		struct str words = str_cut(&rest, ',');

		while (words.n > 0) {
			struct str one = str_trim(str_cut(&words, ' '));

			if (one.n > 0 && !order_add(one)) {
				n_order = 0;
				return;
			}
		}
	}
}

const char *
proxy_wrong_header(const char *setting)
{
	parsed = NULL;		/* it may be a text of its own */
	order_parse(setting);
	parsed = NULL;
	return wrong[0] == '\0' ? NULL : wrong;
}

static bool
is_named(enum http_hdr hdr)
{
	order_parse(conf.proxy_headers);
	for (int i = 0; i < n_order; i++)
		if (headers[order[i]].hdr == hdr)
			return true;
	return false;
}

/* ---- addresses ---- */

bool
proxy_is_address(struct str s)
{
	char text[ADDRESS_MAX + 1];
	struct in6_addr a;

	if (s.n == 0 || s.n > ADDRESS_MAX)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET, text, &a) == 1 || inet_pton(AF_INET6, text, &a) == 1;
}

/* "a.b.c.d", "a.b.c.d:port", "v6", "[v6]", "[v6]:port"; each v6 may have a zone. The address alone, empty when it is none of these. */
static struct str
hop_part(struct str s)
{
	const char *end = s.n > 0 ? memchr(s.p, s.p[0] == '[' ? ']' : ':', s.n) : NULL, *zone;
	struct str host = s, rest = STR_NONE;

	if (s.n > 0 && s.p[0] == '[') {
		if (end == NULL)
			return STR_NONE;
		host = (struct str){s.p + 1, (size_t)(end - s.p) - 1};
		rest = (struct str){end + 1, s.n - host.n - 2};
		if (memchr(host.p, ':', host.n) == NULL || (rest.n > 0 && rest.p[0] != ':'))
			return STR_NONE;
	} else if (end != NULL && memchr(end + 1, ':', s.n - (size_t)(end - s.p) - 1) == NULL) {	/* one colon: no v6 */
		host = (struct str){s.p, (size_t)(end - s.p)};
		rest = (struct str){end, s.n - host.n};
	}
	if (rest.n > 0 && (rest.n == 1 || !format_port((struct str){rest.p + 1, rest.n - 1})))
		return STR_NONE;
	zone = host.n > 0 && memchr(host.p, ':', host.n) != NULL ? memchr(host.p, '%', host.n) : NULL;
	if (zone != NULL)
		host.n = (size_t)(zone - host.p);
	return proxy_is_address(host) ? host : STR_NONE;
}

/* The last of a comma list, which loses it; p NULL after the first of them. No proxy writes a comma into one, so quotes of a client hide nothing. */
static struct str
cut_last(struct str *list)
{
	size_t n = list->n;
	struct str last;

	while (n > 0 && list->p[n - 1] != ',')
		n--;
	last = str_trim((struct str){list->p + n, list->n - n});
	*list = n > 0 ? (struct str){list->p, n - 1} : STR_NONE;
	return last;
}

/* Of what each proxy added to the end of a list, the word of the farthest that is trusted: what stands before it, the client wrote. */
static struct str
farthest(struct str list, int hops)
{
	struct str word = cut_last(&list);

	while (--hops > 0 && list.p != NULL)
		word = cut_last(&list);
	return word;
}

/* ---- RFC 7239 ---- */

/* A token, or a quoted text without anything that needs a backslash. */
static bool
pair_value(struct str s, struct str *out)
{
	bool quoted = s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"';

	*out = quoted ? (struct str){s.p + 1, s.n - 2} : s;
	for (size_t i = 0; i < out->n; i++)
		if (out->p[i] == '"' || out->p[i] == '\\' || (!quoted && (unsigned char)out->p[i] <= ' '))
			return false;
	return out->n > 0;
}

struct forwarded {
	struct str by_for, host, proto;
};

/* "for=…;host=…;proto=…;by=…". False: it cannot be read. */
static bool
forwarded_read(struct str element, struct forwarded *out)
{
	static const struct { struct str name; size_t at; } known[] = {
		{{"for", 3}, offsetof(struct forwarded, by_for)}, {{"host", 4}, offsetof(struct forwarded, host)}, {{"proto", 5}, offsetof(struct forwarded, proto)}};

	*out = (struct forwarded){STR_NONE, STR_NONE, STR_NONE};
	while (element.n > 0) {
		struct str value = str_trim(str_cut(&element, ';')), name = str_trim(str_cut(&value, '='));

		if (name.n == 0 && value.p == NULL)
			continue;
		if (value.p == NULL || !pair_value(str_trim(value), &value))
			return false;
		for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
			struct str *to = (struct str *)(void *)((char *)out + known[i].at);

			if (!str_ieq(name, known[i].name))
				continue;
			if (to->p != NULL)
				return false;
			*to = value;
		}
	}
	return true;
}

static void
told_pairs(const struct http_msg *m, struct str list, struct told *out)
{
	struct forwarded f;

	while (list.n > 0 && proxy_trusts(out->ip)) {
		struct str hop;

		if (!forwarded_read(cut_last(&list), &f))
			break;
		if (f.host.p != NULL)
			out->host = f.host;
		if (f.proto.p != NULL)
			out->scheme = f.proto;
		hop = hop_part(f.by_for);
		if (hop.n == 0)		/* unknown, or a name that hides it */
			break;
		out->ip = str_dup(m->arena, hop);
	}
}

/* ---- the others ---- */

static int
told_list(const struct http_msg *m, struct str list, struct told *out)
{
	int hops = 0;

	for (; list.n > 0 && proxy_trusts(out->ip); hops++) {
		struct str hop = hop_part(cut_last(&list));

		if (hop.n == 0)
			break;
		out->ip = str_dup(m->arena, hop);
	}
	return hops;
}

static int
told_one(const struct http_msg *m, struct str value, struct told *out)
{
	struct str hop = hop_part(str_trim(value));

	if (hop.n > 0)
		out->ip = str_dup(m->arena, hop);
	return hop.n > 0;
}

static int
order_first(const struct http_msg *m)
{
	order_parse(conf.proxy_headers);
	for (int i = 0; i < n_order; i++)
		if (m->hdr[headers[order[i]].hdr].p != NULL)
			return order[i];
	return -1;
}

void
proxy_told(const struct http_msg *m, struct told *out)
{
	struct str host = m->hdr[HDR_X_FORWARDED_HOST], scheme = m->hdr[HDR_X_FORWARDED_PROTO];
	int i, hops = 0;

	*out = (struct told){m->peer, STR_NONE, STR_NONE};
	if (!proxy_trusted(m))
		return;
	i = order_first(m);
	if (i >= 0 && headers[i].how == PAIRS) {
		told_pairs(m, m->hdr[headers[i].hdr], out);
		return;
	}
	if (i >= 0)
		hops = headers[i].how == LIST ? told_list(m, m->hdr[headers[i].hdr], out) : told_one(m, m->hdr[headers[i].hdr], out);
	/* who writes Forwarded and is not said to write X-Forwarded-For hands on what a client puts into the others */
	if (is_named(HDR_FORWARDED) && !is_named(HDR_X_FORWARDED_FOR))
		return;
	if (host.n > 0)
		out->host = farthest(host, hops);
	if (scheme.n > 0)
		out->scheme = farthest(scheme, hops);
}

bool
proxy_shows(const struct http_msg *m)
{
	for (int i = 0; i < HEADERS_N; i++)
		if (m->hdr[headers[i].hdr].p != NULL)
			return true;
	return false;
}
