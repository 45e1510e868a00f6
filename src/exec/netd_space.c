/* The namespace of a network. A child makes it, so that we stay where we are: as root with a pair of interfaces, one in there and one here; without root in a
 * user namespace of its own, with pasta or slirp4netns beside it. In both the namespace belongs to a user namespace that sandboxes are not in: nothing in
 * one has rights over its network, whatever it is in there. */
#include "netd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netdb.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUTE_REJECT = 0x200 };	/* of /proc/net/ipv6_route */

static int machine = -1;	/* the namespace that we are in */

/* ---- asking the kernel ---- */

struct link_ask {
	struct nlmsghdr head;
	char body[1024];
};

static void
ask_begin(struct link_ask *a, int type, int flags, const void *first, size_t n)
{
	memset(a, 0, sizeof *a);
	a->head = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(n), .nlmsg_type = (uint16_t)type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags)};
	memcpy(NLMSG_DATA(&a->head), first, n);
}

static struct rtattr *
ask_put(struct link_ask *a, int type, const void *p, size_t n)
{
	struct rtattr *r = (void *)((char *)a + NLMSG_ALIGN(a->head.nlmsg_len));

	r->rta_type = (unsigned short)type;
	r->rta_len = (unsigned short)RTA_LENGTH(n);
	if (n > 0)
		memcpy(RTA_DATA(r), p, n);
	a->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(a->head.nlmsg_len) + RTA_ALIGN(r->rta_len));
	return r;
}

static void
ask_close(struct link_ask *a, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)((char *)a + a->head.nlmsg_len - (char *)nest);
}

/* 0 or an errno. */
static int
ask_send(int s, struct link_ask *a)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[2048];
	} answer;
	ssize_t n;

	if (send(s, a, a->head.nlmsg_len, 0) < 0 || (n = recv(s, &answer, sizeof answer, 0)) < (ssize_t)sizeof(struct nlmsghdr))
		return errno != 0 ? errno : EPROTO;
	return answer.head.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EPROTO;
}

static int
link_up(int s, const char *name)
{
	struct ifinfomsg i = {.ifi_index = (int)if_nametoindex(name), .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct link_ask a;

	ask_begin(&a, RTM_NEWLINK, 0, &i, sizeof i);
	return ask_send(s, &a);
}

/* What is left of one that was killed: the kernel takes its time. Its addresses are ours now. */
static void
link_delete(int s, const char *name)
{
	struct ifinfomsg i = {.ifi_index = (int)if_nametoindex(name)};
	struct link_ask a;

	ask_begin(&a, RTM_DELLINK, 0, &i, sizeof i);
	if (i.ifi_index != 0)
		(void)ask_send(s, &a);
}

/* eth0 here, its other end in the machine's namespace. */
static int
link_pair(int s, const char *outside)
{
	struct ifinfomsg none = {0};
	struct rtattr *info, *data, *peer;
	struct link_ask a;

	ask_begin(&a, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &none, sizeof none);
	ask_put(&a, IFLA_IFNAME, "eth0", sizeof "eth0");
	info = ask_put(&a, IFLA_LINKINFO, NULL, 0);
	ask_put(&a, IFLA_INFO_KIND, "veth", strlen("veth"));
	data = ask_put(&a, IFLA_INFO_DATA, NULL, 0);
	peer = ask_put(&a, VETH_INFO_PEER, &none, sizeof none);
	ask_put(&a, IFLA_IFNAME, outside, strlen(outside) + 1);
	ask_put(&a, IFLA_NET_NS_FD, &machine, sizeof machine);
	ask_close(&a, peer);
	ask_close(&a, data);
	ask_close(&a, info);
	return ask_send(s, &a);
}

static int
link_address(int s, const char *name, int family, const void *address, int bits)
{
	struct ifaddrmsg m = {.ifa_family = (uint8_t)family, .ifa_prefixlen = (uint8_t)bits, .ifa_index = if_nametoindex(name), .ifa_flags = IFA_F_NODAD};
	size_t n = family == AF_INET ? 4 : 16;
	struct link_ask a;

	ask_begin(&a, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
	ask_put(&a, IFA_LOCAL, address, n);
	ask_put(&a, IFA_ADDRESS, address, n);
	return ask_send(s, &a);
}

static int
link_gateway(int s, int family, const void *address)
{
	struct rtmsg m = {.rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST};
	struct link_ask a;

	ask_begin(&a, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
	ask_put(&a, RTA_GATEWAY, address, family == AF_INET ? 4 : 16);
	return ask_send(s, &a);
}

static bool
space_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static char
space_read(const char *path)	/* its first byte */
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '\0';

	if (fd >= 0 && read(fd, &c, 1) != 1)
		c = '\0';
	if (fd >= 0)
		close(fd);
	return c;
}

/* ---- this machine ---- */

/* A way to the Internet by IPv6: a default route that refuses nothing, by a device that is not the loopback. */
static bool
space_has_v6(void)
{
	char line[256], device[32];
	FILE *f = fopen("/proc/net/ipv6_route", "re");
	unsigned bits, flags;
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
		found = sscanf(line, "%*s %x %*s %*s %*s %*s %*s %*s %x %31s", &bits, &flags, device) == 3 && bits == 0 && (flags & ROUTE_REJECT) == 0 && strcmp(device, "lo") != 0;
	if (f != NULL)
		fclose(f);
	return found;
}

/* Forwarding by IPv6 stops the kernel from listening to routers, unless told to go on. */
static bool
space_forward_v6(void)
{
	struct if_nameindex *all = if_nameindex();
	char path[128];

	for (struct if_nameindex *i = all; i != NULL && i->if_index != 0; i++) {
		snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/accept_ra", i->if_name);
		if (space_read(path) == '1')
			space_write(path, "2");
	}
	if_freenameindex(all);
	return space_write("/proc/sys/net/ipv6/conf/all/forwarding", "1");
}

static bool switched4, switched6;	/* by us */

/* Who switches forwarding on makes a router of the machine, which it was not: then our table forwards for sandboxes alone, and in the end it is switched off
 * again. That it was us is remembered until the machine starts again. */
static bool
space_forward(char why[NET_TEXT_MAX])
{
	bool v6 = space_has_v6(), four = space_read("/proc/sys/net/ipv4/ip_forward") == '1', six = !v6 || space_read("/proc/sys/net/ipv6/conf/all/forwarding") == '1';
	char path[4096], boot[64] = "", mark[80] = "";	/* the mark: of which start of the machine, and which of them */
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	size_t n;

	if (fd >= 0 && read(fd, boot, sizeof boot - 1) < 0)
		boot[0] = '\0';
	if (fd >= 0)
		close(fd);
	n = strlen(boot);
	snprintf(path, sizeof path, "%s/forwarding", netd.dir);
	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644)) >= 0 && read(fd, mark, sizeof mark - 1) < 0)
		mark[0] = '\0';
	if (n > 0 && strncmp(boot, mark, n) == 0) {
		switched4 = strchr(mark + n, '4') != NULL;
		switched6 = strchr(mark + n, '6') != NULL;
	}
	switched4 |= !four;
	switched6 |= !six;
	n = (size_t)snprintf(mark, sizeof mark, "%s%s%s", boot, switched4 ? "4" : "", switched6 ? "6" : "");
	if ((!four || !six) && (fd < 0 || pwrite(fd, mark, n, 0) < 0))
		netd_say("%s cannot be written", path);
	if (fd >= 0)
		close(fd);
	/* in this order: between the rules and the switch nothing is open */
	if (!netd_rules_machine(switched4 || switched6, why))
		return false;
	if ((four || space_write("/proc/sys/net/ipv4/ip_forward", "1")) && (six || space_forward_v6()))
		return true;
	snprintf(why, NET_TEXT_MAX, "this machine does not forward, and that cannot be switched on here (net.ipv4.ip_forward)");
	return false;
}

bool
netd_space_setup(char why[NET_TEXT_MAX])
{
	machine = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (machine < 0)
		return snprintf(why, NET_TEXT_MAX, "/proc is not as it should be: %s", strerror(errno)) < 0;
	return netd_rules_open(why) && (netd.way != WAY_VETH || space_forward(why));
}

void
netd_space_keep(void)
{
	char why[NET_TEXT_MAX];

	if (netd.way == WAY_VETH && space_read("/proc/sys/net/ipv4/ip_forward") == '0' && !space_forward(why))
		netd_say("%s", why);
}

void
netd_space_leave(void)
{
	char path[4096];

	if (netd.way != WAY_VETH)
		return;
	if (switched4)
		space_write("/proc/sys/net/ipv4/ip_forward", "0");
	if (switched6)
		space_write("/proc/sys/net/ipv6/conf/all/forwarding", "0");
	snprintf(path, sizeof path, "%s/forwarding", netd.dir);
	unlink(path);
	netd_rules_remove();
}

/* ---- in the child ---- */

static _Noreturn void
made_say(int to, struct netd_made *m, const int *fds)
{
	char control[CMSG_SPACE(sizeof(int) * FDS_MAX)] = "";
	struct iovec v = {m, sizeof *m};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (m->error == 0) {
		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)m->n_fds);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)m->n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)m->n_fds);
	}
	if (sendmsg(to, &h, 0) < 0 || m->error != 0 || !m->stays)
		_exit(0);
	/* pasta finds the namespaces by a process that is in them */
	closefrom(0);
	for (;;)
		pause();
}

static struct netd_made made;	/* of the child */
static int made_to;

static _Noreturn void __attribute__((format(printf, 1, 2)))
made_fail(const char *fmt, ...)
{
	int e = errno;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(made.text, sizeof made.text - 100, fmt, ap);
	va_end(ap);
	snprintf(made.text + strlen(made.text), 100, "%s%s", e != 0 ? ": " : "", e != 0 ? strerror(e) : "");
	made.error = e != 0 ? e : EPROTO;
	made_say(made_to, &made, NULL);
}

/* The addresses of a name, the first ones; how many. This machine's own by IPv6 is none: who calls there could not be told from its owner. */
static int
addresses_of(const char *host, int port, struct netd_address *out, int most)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char service[16];
	int n = 0;

	snprintf(service, sizeof service, "%d", port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return 0;
	for (struct addrinfo *i = found; i != NULL && n < most; i = i->ai_next)
		if (i->ai_addrlen <= sizeof out->a && (i->ai_family == AF_INET || !IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_addr))) {
			memcpy(&out[n].a, i->ai_addr, i->ai_addrlen);
			out[n++].n = i->ai_addrlen;
		}
	freeaddrinfo(found);
	return n;
}

/* Whom this machine asks for names, and where the API is; both may change while we run. */
static void
made_addresses(void)
{
	char line[256], server[128];
	FILE *f = netd.n_dns == 0 ? fopen("/etc/resolv.conf", "re") : NULL;

	while (f != NULL && made.n_dns < NETD_DNS_MAX && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "nameserver %127s", server) == 1)
			made.n_dns += addresses_of(server, 53, &made.dns[made.n_dns], 1);
	if (f != NULL)
		fclose(f);
	for (int i = 0; i < netd.n_dns; i++)
		made.n_dns += addresses_of(netd.dns[i], 53, &made.dns[made.n_dns], 1);
	if (made.n_dns == 0)
		made.n_dns = addresses_of("127.0.0.1", 53, made.dns, 1);
	if (*netd.api_host != '\0')
		made.n_api = addresses_of(netd.api_host, netd.api_port, made.api, NETD_API_MAX);
}

static int
inside_listen(int type, const char *address, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {inet_addr(address)}};
	int s = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) != 0 || (type == SOCK_STREAM && listen(s, 64) != 0))
		made_fail("nothing can listen at %s:%d", address, port);
	return s;
}

static void
space_user(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWUSER) != 0)
		made_fail("a user namespace cannot be made");
	space_write("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "%u %u 1\n", uid, uid);
	if (!space_write("/proc/self/uid_map", map))
		made_fail("a user namespace can be made, but has no users");
	snprintf(map, sizeof map, "%u %u 1\n", gid, gid);
	if (!space_write("/proc/self/gid_map", map))
		made_fail("a user namespace can be made, but has no groups");
}

static int
rtnetlink(void)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (s < 0)
		made_fail("the kernel's interfaces cannot be asked");
	return s;
}

static void
made_must(int e, const char *what)
{
	errno = e;
	if (e != 0)
		made_fail("%s", what);
}

static struct in6_addr
space_v6(uint32_t address)
{
	struct in6_addr a;
	uint32_t low = htonl(address);

	inet_pton(AF_INET6, "fd62:6164:616c::", &a);
	memcpy(a.s6_addr + 12, &low, 4);
	return a;
}

static void
space_outside(const struct netd_net *n, char out[IFNAMSIZ])
{
	snprintf(out, IFNAMSIZ, "bdl%08x", n->address);
}

/* Both ends of the pair. Address 1 of the four is here, 2 in there. */
static void
space_pair(int s, const struct netd_net *n)
{
	uint32_t here = htonl(n->address + 1), there = htonl(n->address + 2);
	struct in6_addr here6 = space_v6(n->address + 1), there6 = space_v6(n->address + 2);
	char outside[IFNAMSIZ], path[128];
	int m;

	space_outside(n, outside);
	made_must(link_pair(s, outside), "a pair of interfaces cannot be made");
	made_must(link_address(s, "eth0", AF_INET, &there, 30), "an interface takes no address");
	if (made.v6)
		made_must(link_address(s, "eth0", AF_INET6, &there6, 126), "an interface takes no address of IPv6");
	made_must(link_up(s, "eth0"), "an interface cannot be switched on");
	made_must(link_gateway(s, AF_INET, &here), "there can be no route");
	if (made.v6)
		made_must(link_gateway(s, AF_INET6, &here6), "there can be no route of IPv6");
	if (setns(machine, CLONE_NEWNET) != 0)
		made_fail("there is no way back");
	m = rtnetlink();
	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/%s", outside, made.v6 ? "accept_ra" : "disable_ipv6");
	space_write(path, made.v6 ? "0" : "1");
	snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/rp_filter", outside);
	space_write(path, "1");
	made_must(link_address(m, outside, AF_INET, &here, 30), "an interface of ours takes no address");
	if (made.v6)
		made_must(link_address(m, outside, AF_INET6, &here6, 126), "an interface of ours takes no address of IPv6");
	made_must(link_up(m, outside), "an interface of ours cannot be switched on");
}

static _Noreturn void
space_child(const struct netd_net *n)
{
	int fds[FDS_MAX], s, group = 1 << (RTNLGRP_IPV4_ROUTE - 1) | 1 << (RTNLGRP_IPV6_ROUTE - 1);
	struct sockaddr_nl who = {.nl_family = AF_NETLINK, .nl_groups = (uint32_t)group};
	struct in_addr address = {htonl(n->address + 2)};
	char why[NET_TEXT_MAX], outside[IFNAMSIZ];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	space_outside(n, outside);
	if (netd.way == WAY_VETH)
		link_delete(rtnetlink(), outside);
	made.v6 = space_has_v6();
	made_addresses();
	netd_rules_prepare();
	errno = 0;
	if (netd.way != WAY_VETH)
		space_user();
	if (unshare(CLONE_NEWNET) != 0)
		made_fail("a network namespace cannot be made");
	fds[FD_NET] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	s = rtnetlink();
	made_must(link_up(s, "lo"), "the loopback cannot be switched on");
	if (!made.v6)	/* but [::1] stays */
		space_write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	fds[FD_DNS_UDP] = inside_listen(SOCK_DGRAM, "127.0.0.53", 53);
	fds[FD_DNS_TCP] = inside_listen(SOCK_STREAM, "127.0.0.53", 53);
	fds[FD_API] = inside_listen(SOCK_STREAM, "127.0.0.54", netd.api_inside);
	fds[FD_ROUTES] = rtnetlink();
	if (bind(fds[FD_ROUTES], (struct sockaddr *)&who, sizeof who) != 0)
		made_fail("routes cannot be watched");
	errno = 0;
	if (!netd_rules_inside(why))
		made_fail("%s", why);
	fds[FD_USER] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (netd.way == WAY_VETH)
		space_pair(s, n);
	snprintf(made.text, sizeof made.text, "%s", netd.way == WAY_VETH ? inet_ntoa(address) : "");
	made.n_fds = FDS_MAX;
	made.stays = netd.way != WAY_VETH;
	made_say(made_to, &made, fds);
}

pid_t
netd_space_make(const struct netd_net *n, int to)
{
	pid_t pid = fork();

	if (pid == 0) {
		made_to = to;
		space_child(n);
	}
	return pid;
}

/* ---- afterwards ---- */

int
netd_space_socket(const struct netd_net *n, int type)
{
	int pair[2], s = -1;

	if (netd.way == WAY_VETH) {
		if (setns(n->fds[FD_NET], CLONE_NEWNET) != 0)
			return -1;
		s = socket(AF_INET, type, 0);
		if (setns(machine, CLONE_NEWNET) != 0)
			abort();	/* in there nothing of ours may go on */
		return s;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	switch (fork()) {	/* a user namespace is entered for good */
	case 0: {
		struct netd_made m = {.n_fds = 1};

		s = setns(n->fds[FD_USER], CLONE_NEWUSER) == 0 && setns(n->fds[FD_NET], CLONE_NEWNET) == 0 ? socket(AF_INET, type, 0) : -1;
		m.error = s < 0 ? errno : 0;
		made_say(pair[1], &m, &s);
	}
	default: {
		char control[CMSG_SPACE(sizeof(int))];
		struct netd_made m;
		struct iovec v = {&m, sizeof m};
		struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

		close(pair[1]);
		if (recvmsg(pair[0], &h, MSG_CMSG_CLOEXEC) == (ssize_t)sizeof m && m.error == 0 && CMSG_FIRSTHDR(&h) != NULL)
			memcpy(&s, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof s);
		close(pair[0]);
		return s;
	}
	case -1:
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
}

bool
netd_space_helper(struct netd_net *n, int err)
{
	char pid[16];
	const char *pasta4[] = {"pasta", "--foreground", "--quiet", "--config-net", "--no-map-gw", "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--ipv4-only", pid, NULL};
	const char *pasta[] = {"pasta", "--foreground", "--quiet", "--config-net", "--no-map-gw", "-t", "none", "-u", "none", "-T", "none", "-U", "none", pid, NULL};
	const char *slirp[] = {"slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", pid, "tap0", NULL};
	const char *const *argv = netd.way == WAY_SLIRP ? slirp : n->made.v6 ? pasta : pasta4;

	snprintf(pid, sizeof pid, "%d", (int)n->holder);
	n->helper = fork();
	if (n->helper == 0) {
		int null = open("/dev/null", O_RDWR);
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(null, 0) < 0 || dup2(err, 1) < 0 || dup2(err, 2) < 0)
			_exit(126);
		execv(netd.program, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return n->helper > 0;
}

/* Reads what has happened to routes; true once there was one to everywhere. */
bool
netd_space_routed(int routes)
{
	char text[8192];
	ssize_t n;

	while ((n = recv(routes, text, sizeof text, MSG_DONTWAIT)) > 0)
		for (struct nlmsghdr *h = (void *)text; NLMSG_OK(h, (size_t)n); h = NLMSG_NEXT(h, n))
			if (h->nlmsg_type == RTM_NEWROUTE) {
				const struct rtmsg *m = NLMSG_DATA(h);

				if (m->rtm_dst_len == 0 && m->rtm_type == RTN_UNICAST)
					return true;
			}
	return false;
}
