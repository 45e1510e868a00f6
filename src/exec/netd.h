/* badal-net, the process that makes the networks of sandboxes and serves them: a program of its own, with one thread, for it goes in and out of namespaces.
 * It knows nothing of functions. netd.c has the loop, netd_space.c namespaces and addresses, netd_rules.c the packet filter, netd_relay.c what sandboxes
 * reach through us. */
#ifndef BADAL_EXEC_NETD_H
#define BADAL_EXEC_NETD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net_wire.h"

enum netd_way { WAY_VETH, WAY_PASTA, WAY_SLIRP };
enum { NETD_DNS_MAX = 3, NETD_ALLOW_MAX = 64, NETD_API_MAX = 2 };

struct netd_allow {		/* what may be reached although it is private */
	int family;
	char net[64];		/* "10.1.2.0/24" */
	int port;		/* 0: all */
};

struct netd_options {
	enum netd_way way;
	const char *program;	/* pasta or slirp4netns */
	const char *dir;	/* of our own */
	const char *table;	/* of the packet filter of this machine */
	uint32_t base;		/* of the pool, host order */
	unsigned slots;		/* networks of four addresses in it */
	const char *api_host;	/* "": there is none */
	int api_port, api_inside;	/* as it is configured, and inside */
	const char *dns[NETD_DNS_MAX];	/* instead of those of resolv.conf */
	int n_dns;
	struct netd_allow allow[NETD_ALLOW_MAX];
	int n_allow;
};
extern struct netd_options netd;

struct netd_address {		/* to connect to */
	struct sockaddr_in6 a;	/* or a sockaddr_in in it */
	socklen_t n;
};

/* What the child that has made a network says, with its descriptors behind it in the order of netd_fd. */
enum netd_fd { FD_NET, FD_DNS_UDP, FD_DNS_TCP, FD_API, FD_ROUTES, FD_USER, FDS_MAX };
struct netd_made {
	int error;
	char text[NET_TEXT_MAX];	/* error, or the address inside */
	struct netd_address dns[NETD_DNS_MAX], api[NETD_API_MAX];	/* asked one after the other */
	int n_dns, n_api;
	bool v6, stays;
	int n_fds;
};

struct netd_net {
	uint32_t number;
	uint32_t address;	/* of its four, host order */
	int lock;		/* that keeps others from them */
	int fds[FDS_MAX];
	pid_t helper, holder;	/* pasta or slirp4netns, and who is in the namespaces for it; 0: none */
	struct netd_made made;
	struct netd_relays *relays;
};

/* ---- netd.c ---- */

/* What an event is for: the first member of what it is about. */
struct netd_watch {
	void (*fn)(struct netd_watch *w, uint32_t events);
	int fd;
};
void netd_watch(struct netd_watch *w, uint32_t events);		/* or changes what is waited for */
void netd_unwatch(struct netd_watch *w);
void netd_after_turn(void *p);	/* frees p when no event of this turn can be about it any more */
uint64_t netd_now(void);	/* ms */
void netd_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* to the log */

/* ---- netd_space.c ---- */

bool netd_space_setup(char why[NET_TEXT_MAX]);	/* what this machine needs, once */
void netd_space_keep(void);	/* what has been switched off meanwhile is on again */
void netd_space_leave(void);	/* as it was before */
pid_t netd_space_make(const struct netd_net *n, int to);	/* begins a child that makes it and says so to `to` */
int netd_space_socket(const struct netd_net *n, int type);	/* in there; -1 */
bool netd_space_helper(struct netd_net *n, int err);	/* begins pasta or slirp4netns, its words to err */
bool netd_space_routed(int routes);	/* there is a way out by now */

/* ---- netd_rules.c ---- */

bool netd_rules_open(char why[NET_TEXT_MAX]);	/* loads the library; once */
void netd_rules_prepare(void);	/* those for inside, from here: they name this machine's addresses */
bool netd_rules_inside(char why[NET_TEXT_MAX]);	/* in the namespace that the caller is in by now */
bool netd_rules_machine(bool others, char why[NET_TEXT_MAX]);	/* others: also keep this machine from forwarding for others */
void netd_rules_remove(void);

/* ---- netd_relay.c ---- */

struct netd_relays *netd_relays_open(struct netd_net *n);
void netd_relays_close(struct netd_relays **rp);
bool netd_relays_bridge(struct netd_relays *r, int listener, int port);
/* Forgets what waits too long; when to call again. */
int netd_relays_sweep(void);

#endif
