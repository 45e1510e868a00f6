/* Whom to believe about a client: the proxies in front of the server. */
#ifndef BADAL_MODEL_PROXY_H
#define BADAL_MODEL_PROXY_H

#include "io/http.h"

/* The message's peer is in conf.trust_proxy, so its X-Forwarded-* headers count. */
bool proxy_trusted(const struct http_msg *m);
/* The same of any address, with or without a zone. */
bool proxy_trusts(const char *address);
/* An address that calls from sandboxes come from (src/exec/netd_relay.c): on this machine, and yet of a stranger, who is neither a proxy nor its owner. */
bool proxy_is_sandbox(const char *address);
/* The first entry of such a setting that cannot be read (static); NULL: all can. */
const char *proxy_wrong_entry(const char *setting);

#endif
