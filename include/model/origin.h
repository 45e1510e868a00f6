/* Where a request comes from: the client behind proxies, and whether a project lets its origin in (spec platform.md 2, 8).
 * Used by the HTTP layer and by realtime alike. */
#ifndef BADAL_MODEL_ORIGIN_H
#define BADAL_MODEL_ORIGIN_H

#include "io/http.h"
#include "model/project.h"

struct client {			/* strings in the message's arena, never NULL unless stated */
	const char *ip;		/* as trusted proxies tell (model/proxy.h), else the peer; an address without port */
	const char *host;	/* as they tell, or of Host: lower-case, without port and the dot at the end; "localhost" when absent or malformed */
	const char *scheme;	/* "http" or "https" */
	const char *origin;	/* Origin, else Referer, as sent; "" for an Origin without a word; NULL */
};
void client_of(const struct http_msg *m, struct client *out);
/* The host as it was asked for, as it came, with the port. */
struct str client_authority(const struct http_msg *m);

struct origin {			/* an Origin or Referer taken apart; borrowed from the text */
	struct str scheme, host, port;	/* host empty: the text names none ("null", "example.org"), or none that we can read */
	bool odd;			/* what follows the host is no port */
	bool user;			/* a user stands before the host: browsers send none with an origin */
};
struct origin origin_parse(const char *text);	/* NULL gives an empty one */

/* localhost, the request's own host, and the project's platforms of type web; p NULL: of no project. */
bool host_allowed(const struct project *p, struct str host, const char *own_host);
/* Our host as mails name it. They go to others than who asks for them, and who asks can write any Host header: once the setting `domain` names
 * a host, only that and verified domains of the project count. */
const char *host_for_mails(const struct project *p, const char *asked);
/* The link of a mail leads where configuration says: without `domain` the host of the request alone does not make it ours, unless it is this
 * machine's loopback. */
bool mail_link_ok(const struct project *p, const char *asked, const char *url);
/* What an Origin or Referer is to a project. Every door asks here: HTTP, preflights, the console, WebSockets. */
enum origin_kind {
	ORIGIN_NONE,	/* there is none: servers and apps */
	ORIGIN_HIDDEN,	/* names no place ("null", "example.org"). Any site can make its pages such (a sandboxed frame), so what a browser adds to
			 * their requests by itself counts for nothing */
	ORIGIN_OURS,	/* as host_allowed, or a platform of the app that the scheme names, whose key is the host */
	ORIGIN_FOREIGN,	/* any other, and each that we cannot read: a browser may read it in a way of its own */
};
/* p NULL: of no project. own_host NULL: our own host is as any other. o, if not NULL, is the text taken apart. */
enum origin_kind origin_kind(const struct project *p, const char *text, const char *own_host, struct origin *o);
/* A browser adds cookies whatever page asks. They count for pages of those that the project lets in which they are of: in mode admin the console. */
bool origin_brings_cookies(const struct project *of, const char *text, const char *own_host);
/* The text is a place that we can read, or there is none. For any other nothing counts that a browser adds by itself, and no preflight is said
 * to be for it. */
bool origin_readable(const char *text);
/* Counts a refused origin (o: `text` taken apart) and logs it by its name, with what to add; not again and again. */
void origin_refused(struct ctx *cx, const struct project *p, const char *text, const struct origin *o);
/* What a refused origin is told (spec platform.md 8.2), in a. */
const char *origin_refusal(struct arena *a, const struct origin *o);
/* What is wrong with an origin, or with a URL that somebody is sent to (`what`: "Origin", "URI"), as clients since 1.9 are told; NULL: nothing. Besides what the
 * other rules let in: verified domains, extensions of browsers whose id is a web platform's host, and the scheme appwrite-callback-<project id>. */
const char *origin_wrong(struct arena *a, const struct project *p, const char *text, const char *own_host, const char *what);
/* From this machine itself: the peer is, no proxy shows, and the host that was asked for is a name of the machine's own. */
bool request_is_local(const struct http_msg *m);
/* The same, of a server that is for nobody else: it has no `domain`. */
bool request_is_owners(const struct http_msg *m);
bool host_is_loopback(const char *host);	/* localhost, or an address of the machine's own */
/* The host is an IPv4 or bracketed IPv6 address. */
bool host_is_address(struct str host);

#endif
