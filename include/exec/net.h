/* The networks of sandboxes: the Internet and the server's own API can be reached, this machine, its networks and other sandboxes cannot. Another program,
 * badal-net, makes them: as root pairs of interfaces and rules of the packet filter, else with pasta or slirp4netns. */
#ifndef BADAL_EXEC_NET_H
#define BADAL_EXEC_NET_H

#include "core/ctx.h"

struct net_settings {
	const char *dir;		/* a directory of our own, that of sandbox_setup */
	const char *program;		/* badal-net; NULL: beside our own, or where it is installed */
	const char *way;		/* auto, veth, pasta, slirp4netns, none */
	const char *pool;		/* "198.19.0.0/16": what sandboxes have addresses of, four each */
	const char *allow;		/* private addresses that may be reached: "10.1.2.3 10.2.0.0/16:5432 [fd00::1]:80" */
	const char *dns;		/* who is asked for names; "": who this machine asks */
	const char *api;		/* our API as it is configured, "http://localhost:8080/v1"; "": it cannot be reached */
};

/* The first entry of such a setting that cannot be read (static); NULL: all can. */
const char *net_wrong_pool(const char *pool);
const char *net_wrong_allow(const char *allow);

/* As the configuration says; the texts are its, or static. */
struct net_settings net_configured(const char *dir);
/* Once, after sandbox_setup. Awaits. The way that it is done ("veth"); NULL: there are no networks, *why_out says why. */
const char *net_setup(struct ctx *cx, const struct net_settings *s, const char **why_out);
/* Our API by an address that works inside; "" when there is none, and before net_setup. */
const char *net_api(void);
const char *net_api_at(struct arena *a, int depth);	/* the same for a run that so many executions led to (model/chain.h) */
bool net_on(void);		/* there are networks */
void net_fini(void);		/* ends badal-net, and with it all networks */
void net_ended(struct ctx *cx);	/* awaits, after that, that it has left the machine as it was; a few seconds at most */

struct net;
/* One for a sandbox, and no longer than it: to be freed after its end. Awaits. ERR_SANDBOX: there is none. */
err_t net_open(struct ctx *cx, struct net **out) MUST_CHECK;
void net_free(struct net **np);	/* NULL inside is fine */
/* Calls fn(arg), once, when badal-net is gone and with it what the network has of us. */
void net_on_lost(struct net *n, void (*fn)(void *arg), void *arg);
const char *net_address(const struct net *n);	/* of the sandbox, "" when it has none of its own */

/* Who connects to the unix socket at `path`, which is made, is connected to that port of 127.0.0.1 in there until the network is freed. Awaits. */
err_t net_bridge(struct ctx *cx, struct net *n, const char *path, int port) MUST_CHECK;

/* For sandboxes, in the child: it becomes part of the network. Safe after a fork alone. */
bool net_enter(const struct net *n);

#endif
