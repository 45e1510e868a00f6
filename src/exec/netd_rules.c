/* The packet filter of sandboxes. There are two, and each alone would do: one in the namespace of each network, which the sandbox has no rights over, and as
 * root one table of this machine for all, so that neither "nft flush ruleset" here nor a hole there opens the way. What is refused is told at once. */
#include "netd.h"
#include "nft.h"

#include <ifaddrs.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RULES_MAX = 64 * 1024 };

static struct nft nft;

/* Nothing in these is the Internet (RFC 6890 and its kin). */
static const char no4[] = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.0.0.0/24, 192.168.0.0/16, 198.18.0.0/15, 224.0.0.0/3";
static const char no6[] = "::/96, ::ffff:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48, 100::/64, 2002::/16, fc00::/7, fe80::/9, ff00::/8";

bool
netd_rules_open(char why[NET_TEXT_MAX])
{
	const char *said;

	return nft_open(&nft, &said) || snprintf(why, NET_TEXT_MAX, "%s", said) < 0;
}

static bool
rules_run(const char *text, char why[NET_TEXT_MAX])
{
	struct nft_ctx *c = nft.ctx_new(0);	/* its socket is of the namespace that we are in now */
	bool ok;

	if (c == NULL)
		return snprintf(why, NET_TEXT_MAX, "the packet filter cannot be reached") < 0;
	nft.buffer_error(c);
	nft.buffer_output(c);
	ok = nft.run(c, text) == 0;
	if (!ok)
		snprintf(why, NET_TEXT_MAX, "the packet filter refuses our rules: %.*s", (int)strcspn(nft.error(c), "\n"), nft.error(c));
	nft.ctx_free(c);
	return ok;
}

static void __attribute__((format(printf, 2, 3)))
rules_put(char text[RULES_MAX], const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, RULES_MAX - n, fmt, ap);
	va_end(ap);
}

/* Addresses that are this machine's now, and those of all on its networks. */
static void
rules_put_own(char text[RULES_MAX], int family)
{
	char address[INET6_ADDRSTRLEN];
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		const struct sockaddr_in *v4 = (const void *)i->ifa_addr, *mask;
		const struct sockaddr_in6 *v6 = (const void *)i->ifa_addr;

		if (i->ifa_addr != NULL && i->ifa_addr->sa_family == family &&
		    inet_ntop(family, family == AF_INET ? (const void *)&v4->sin_addr : &v6->sin6_addr, address, sizeof address) != NULL)
			rules_put(text, ", %s", address);
		mask = (i->ifa_flags & IFF_BROADCAST) != 0 ? (const void *)i->ifa_netmask : NULL;
		if (mask != NULL && i->ifa_addr->sa_family == AF_INET && family == AF_INET && mask->sin_addr.s_addr != INADDR_NONE)
			rules_put(text, ", %s", inet_ntoa((struct in_addr){v4->sin_addr.s_addr | ~mask->sin_addr.s_addr}));
	}
	freeifaddrs(all);
}

static void
rules_put_sets(char text[RULES_MAX])
{
	rules_put(text, "set no4 { type ipv4_addr; flags interval; auto-merge; elements = { %s", no4);
	rules_put_own(text, AF_INET);
	rules_put(text, " } }\nset no6 { type ipv6_addr; flags interval; auto-merge; elements = { %s", no6);
	rules_put_own(text, AF_INET6);
	rules_put(text, " } }\nchain refuse { meta l4proto tcp reject with tcp reset; reject with icmpx admin-prohibited; }\n");
}

static void
rules_put_allowed(char text[RULES_MAX])
{
	for (int i = 0; i < netd.n_allow; i++) {
		const struct netd_allow *a = &netd.allow[i];

		rules_put(text, "%s daddr %s ", a->family == AF_INET ? "ip" : "ip6", a->net);
		if (a->port != 0)
			rules_put(text, "meta l4proto { tcp, udp } th dport %d ", a->port);
		rules_put(text, "accept\n");
	}
}

/* What is allowed by name, then all but the private. Packets of neighbour discovery make the others possible; they are answered by the kernels. */
static void
rules_put_judge(char text[RULES_MAX])
{
	rules_put_allowed(text);
	rules_put(text, "ip daddr @no4 jump refuse\nip6 daddr @no6 jump refuse\nmeta l4proto != { tcp, udp, icmp, icmpv6 } jump refuse\n");
}

/* The rules of this machine's addresses are made by who is still in its namespace. */
static char inside_rules[RULES_MAX];

void
netd_rules_prepare(void)
{
	inside_rules[0] = '\0';
	rules_put(inside_rules, "table inet badal {\n");
	rules_put_sets(inside_rules);
	rules_put(inside_rules, "chain out { type filter hook output priority 0; policy accept;\noif lo accept\nicmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n");
	rules_put_judge(inside_rules);
	rules_put(inside_rules, "}\nchain in { type filter hook input priority 0; policy accept;\niif lo accept\nct state established,related accept\n"
	    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept\njump refuse\n}\n}\n");
}

bool
netd_rules_inside(char why[NET_TEXT_MAX])
{
	return rules_run(inside_rules, why);
}

bool
netd_rules_machine(bool others, char why[NET_TEXT_MAX])
{
	static char text[RULES_MAX];
	struct in_addr base = {htonl(netd.base)};
	char pool[32];
	int bits = 32;

	for (unsigned n = netd.slots * 4; n > 1; n /= 2)
		bits--;
	snprintf(pool, sizeof pool, "%s/%d", inet_ntoa(base), bits);
	text[0] = '\0';
	rules_put(text, "table inet %s\ndelete table inet %s\ntable inet %s {\n", netd.table, netd.table, netd.table);
	rules_put_sets(text);
	rules_put(text, "chain input { type filter hook input priority -10; policy accept;\niifname != \"bdl*\" accept\n"
	    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n");
	rules_put_allowed(text);
	rules_put(text, "jump refuse\n}\n");
	rules_put(text, "chain from {\noifname \"bdl*\" jump refuse\nip saddr != %s jump refuse\nip6 saddr != fd62:6164:616c::/48 jump refuse\n", pool);
	rules_put_judge(text);
	rules_put(text, "accept\n}\nchain forward { type filter hook forward priority -10; policy accept;\niifname \"bdl*\" jump from\n"
	    "oifname \"bdl*\" ct state established,related accept\noifname \"bdl*\" jump refuse\n%s}\n",
	    others ? "iifname != \"bdl*\" drop comment \"forwarding was off before us\"\n" : "");
	rules_put(text, "chain leave { type nat hook postrouting priority 100; policy accept;\nip saddr %s oifname != \"bdl*\" masquerade\n"
	    "ip6 saddr fd62:6164:616c::/48 oifname != \"bdl*\" masquerade\n}\n}\n", pool);
	return rules_run(text, why);
}

void
netd_rules_remove(void)
{
	char text[200], why[NET_TEXT_MAX];

	snprintf(text, sizeof text, "table inet %s\ndelete table inet %s\n", netd.table, netd.table);
	if (!rules_run(text, why))
		netd_say("%s", why);
}
