/* Whom to believe about a client: the proxies in front of the server (conf.trust_proxy), and what they say in which header (conf.proxy_headers). */
#ifndef BADAL_MODEL_PROXY_H
#define BADAL_MODEL_PROXY_H

#include "io/http.h"

/* The message's peer is in conf.trust_proxy, so what it tells of the client counts. */
bool proxy_trusted(const struct http_msg *m);
/* The same of any address, with or without a zone. */
bool proxy_trusts(const char *address);
/* An address that calls from sandboxes come from (src/exec/netd_relay.c): on this machine, and yet of a stranger, who is neither a proxy nor its owner. */
bool proxy_is_sandbox(const char *address);
/* The first entry of such a setting that cannot be read (static); NULL: all can. */
const char *proxy_wrong_entry(const char *setting);
/* The same of conf.proxy_headers. */
const char *proxy_wrong_header(const char *setting);

struct told {			/* by trusted proxies; in the message's arena */
	const char *ip;		/* of the client: an address without port; the peer's when they tell none that can be read */
	struct str host, scheme;	/* that it asked for; p NULL: they do not say */
};
void proxy_told(const struct http_msg *m, struct told *out);
/* A header says that it came through a proxy, whoever sends it. */
bool proxy_shows(const struct http_msg *m);
/* It is an address, IPv6 without brackets and zone. */
bool proxy_is_address(struct str s);

#endif
