/* badal-net: the networks of sandboxes. See netd.h. It is told what to do over descriptor 3 and ends when that is closed, whatever became of the executor: then it
 * takes its table out of the packet filter. Namespaces, interfaces and sockets go with the descriptors that hold them. */
#include "netd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, NETS_MAX = 16384, ROUTE_MS = 10000, TICK_MS = 1000, SAID_MAX = 300 };

enum net_state {
	STATE_MAKING,		/* a child is at it */
	STATE_ROUTING,		/* pasta is at it */
	STATE_READY
};

struct held {			/* a network and who waits for it */
	struct netd_watch watch;	/* first: the child's words, then those of the helper */
	struct netd_watch routes;
	struct netd_net net;
	enum net_state state;
	uint64_t until;
	bool dead;
	char said[SAID_MAX];
	struct held *next;
};

struct netd_options netd;
static int polled = -1;
static struct held *nets;
static void **old;		/* for after this turn */
static size_t n_old, old_size;
static unsigned next_slot;

/* ---- the loop ---- */

uint64_t
netd_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
netd_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* What waits for nothing is taken out: a hang-up is told also to who does not ask. */
void
netd_watch(struct netd_watch *w, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = w};

	if (events == 0)
		epoll_ctl(polled, EPOLL_CTL_DEL, w->fd, &e);
	else if (epoll_ctl(polled, EPOLL_CTL_MOD, w->fd, &e) != 0 && epoll_ctl(polled, EPOLL_CTL_ADD, w->fd, &e) != 0)
		abort();
}

void
netd_unwatch(struct netd_watch *w)
{
	epoll_ctl(polled, EPOLL_CTL_DEL, w->fd, NULL);
}

void
netd_after_turn(void *p)
{
	if (n_old == old_size && (old = realloc(old, (old_size = old_size * 2 + 64) * sizeof *old)) == NULL)
		abort();
	old[n_old++] = p;
}

static void
netd_forget(void)
{
	while (n_old > 0)
		free(old[--n_old]);
}

/* ---- answers ---- */

static void __attribute__((format(printf, 5, 6)))
netd_answer(uint32_t what, uint32_t number, int error, const int *fds, const char *fmt, ...)
{
	char control[CMSG_SPACE(sizeof(int) * NET_FDS_MAX)] = "";
	struct net_answer a = {.what = what, .number = number, .error = error};
	struct iovec v = {&a, sizeof a};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
	struct cmsghdr *c;
	size_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a.text, sizeof a.text, fmt, ap);
	va_end(ap);
	while (fds != NULL && n < NET_FDS_MAX && fds[n] >= 0)
		n++;
	if (n > 0) {
		h.msg_control = control;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	(void)!sendmsg(NET_CONTROL_FD, &h, MSG_NOSIGNAL);	/* gone: the loop sees it */
}

/* Descriptors of a message that has just been read. */
static int
netd_taken(struct msghdr *h, int *fds, int most)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	int n = c != NULL && c->cmsg_type == SCM_RIGHTS ? (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;

	for (int i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + sizeof(int) * (size_t)i, sizeof fd);
		if (i < most)
			fds[i] = fd;
		else
			close(fd);
	}
	return n < most ? n : most;
}

/* ---- a network's life ---- */

/* Four addresses that nobody on this machine has: a name that only one process can hold. */
static bool
slot_take(struct netd_net *n)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	for (unsigned i = 0; i < netd.slots; i++) {
		uint32_t address = netd.base + next_slot++ % netd.slots * 4;
		int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		int len = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "badal-net/%08x", address);

		if (s >= 0 && bind(s, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0) {
			n->address = address;
			n->lock = s;
			return true;
		}
		if (s < 0)
			return false;
		close(s);
	}
	errno = ENOSPC;
	return false;
}

static struct held *
held_by(uint32_t number)
{
	for (struct held *h = nets; h != NULL; h = h->next)
		if (h->net.number == number)
			return h;
	return NULL;
}

static void
held_free(struct held *h)
{
	struct held **at = &nets;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	h->dead = true;
	netd_relays_close(&h->net.relays);
	if (h->watch.fd >= 0) {
		netd_unwatch(&h->watch);
		close(h->watch.fd);
	}
	if (h->state == STATE_ROUTING)
		netd_unwatch(&h->routes);
	for (int i = 0; i < h->net.made.n_fds; i++)
		close(h->net.fds[i]);
	if (h->net.helper > 0)
		kill(h->net.helper, SIGKILL);
	if (h->net.holder > 0)
		kill(h->net.holder, SIGKILL);
	close(h->net.lock);
	netd_after_turn(h);
}

static void
held_fail(struct held *h, int error, const char *text)
{
	netd_answer(NET_MAKE, h->net.number, error, NULL, "%s", text);
	held_free(h);
}

static void
held_ready(struct held *h)
{
	const int fds[NET_FDS_MAX] = {h->net.fds[FD_NET], netd.way == WAY_VETH ? -1 : h->net.fds[FD_USER]};

	if (h->state == STATE_ROUTING)
		netd_unwatch(&h->routes);
	h->state = STATE_READY;
	h->net.relays = netd_relays_open(&h->net);
	netd_answer(NET_MAKE, h->net.number, 0, fds, "%s", h->net.made.text);
}

/* What the helper says before it is ready is why it will not be; later it is of no interest, but that it ends is. */
static void
held_on_helper(struct netd_watch *w, uint32_t events)
{
	struct held *h = (struct held *)w;
	char text[1000];
	ssize_t n = h->dead ? -1 : read(w->fd, text, sizeof text - 1);

	(void)events;
	if (h->dead)
		return;
	if (n > 0) {
		text[n] = '\0';
		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
			size_t have = strlen(h->said);

			if (strstr(line, "to syslog") == NULL)	/* pasta's complaint that there is none in there */
				snprintf(h->said + have, sizeof h->said - have, "%s%s", have > 0 ? " " : "", line);
		}
		return;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	netd_unwatch(w);
	close(w->fd);
	w->fd = -1;
	h->net.helper = 0;
	if (h->state == STATE_ROUTING) {
		char why[SAID_MAX + 100];

		snprintf(why, sizeof why, "%s ended: %s", netd.way == WAY_PASTA ? "pasta" : "slirp4netns", h->said);
		held_fail(h, EPROTO, why);
	} else {
		netd_say("network=%u helper=gone said=\"%s\"", h->net.number, h->said);
	}
}

static void
held_on_routes(struct netd_watch *w, uint32_t events)
{
	struct held *h = (struct held *)((char *)w - offsetof(struct held, routes));

	(void)events;
	if (!h->dead && h->state == STATE_ROUTING && netd_space_routed(w->fd))
		held_ready(h);
}

static void
held_begin_helper(struct held *h)
{
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) != 0 || !netd_space_helper(&h->net, pipes[1])) {
		held_fail(h, errno, "no process can be begun");
		return;
	}
	close(pipes[1]);
	h->state = STATE_ROUTING;
	h->until = netd_now() + ROUTE_MS;
	h->watch = (struct netd_watch){held_on_helper, pipes[0]};
	h->routes = (struct netd_watch){held_on_routes, h->net.fds[FD_ROUTES]};
	netd_watch(&h->watch, EPOLLIN);
	netd_watch(&h->routes, EPOLLIN);
}

static void
held_on_made(struct netd_watch *w, uint32_t events)
{
	struct held *h = (struct held *)w;
	char control[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	struct iovec v = {&h->net.made, sizeof h->net.made};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	ssize_t n;

	(void)events;
	if (h->dead)
		return;
	n = recvmsg(w->fd, &m, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof h->net.made)
		h->net.made = (struct netd_made){.error = EPROTO, .text = "the process that makes networks came to grief"};
	h->net.made.n_fds = netd_taken(&m, h->net.fds, FDS_MAX);
	netd_unwatch(w);
	close(w->fd);
	w->fd = -1;
	if (h->net.made.error != 0 || h->net.made.n_fds != FDS_MAX)
		held_fail(h, h->net.made.error != 0 ? h->net.made.error : EPROTO, h->net.made.text);
	else if (netd.way == WAY_VETH) {
		h->net.holder = 0;
		held_ready(h);
	}
	else
		held_begin_helper(h);
}

static void
do_make(const struct net_ask *q)
{
	struct held *h = calloc(1, sizeof *h);
	int pair[2];

	if (h == NULL)
		abort();
	h->net.number = q->number;
	if (!slot_take(&h->net)) {
		netd_answer(NET_MAKE, q->number, errno, NULL, "all %u addresses of sandboxes are in use", netd.slots);
		free(h);
		return;
	}
	netd_space_keep();
	h->next = nets;
	nets = h;
	h->watch.fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0 || (h->net.holder = netd_space_make(&h->net, pair[1])) < 0) {
		held_fail(h, errno, "no process can be begun");
		return;
	}
	close(pair[1]);
	h->watch = (struct netd_watch){held_on_made, pair[0]};
	netd_watch(&h->watch, EPOLLIN);
}

/* ---- what we are told ---- */

static void
on_control(struct netd_watch *w, uint32_t events)
{
	char control[CMSG_SPACE(sizeof(int) * 4)];
	struct net_ask q;
	struct iovec v = {&q, sizeof q};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	ssize_t n = recvmsg(w->fd, &m, MSG_CMSG_CLOEXEC);
	int fd = -1;
	struct held *h;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof q) {	/* the executor is gone */
		netd_space_leave();
		exit(0);
	}
	netd_taken(&m, &fd, 1);
	h = q.what == NET_MAKE ? NULL : held_by(q.net);
	if (q.what == NET_MAKE)
		do_make(&q);
	else if (q.what == NET_FREE && h != NULL)
		held_free(h);
	else if (q.what != NET_FREE && (h == NULL || h->state != STATE_READY))
		netd_answer(q.what, q.number, ENOENT, NULL, "there is no such network");
	else if (q.what == NET_BRIDGE && fd >= 0 && netd_relays_bridge(h->net.relays, fd, (int)q.port)) {
		netd_answer(NET_BRIDGE, q.number, 0, NULL, "%s", "");
		fd = -1;
	} else if (q.what == NET_BRIDGE)
		netd_answer(NET_BRIDGE, q.number, EINVAL, NULL, "there are too many");
	if (fd >= 0)
		close(fd);
}

static void
on_children(struct netd_watch *w, uint32_t events)
{
	struct signalfd_siginfo si;

	(void)events;
	while (read(w->fd, &si, sizeof si) > 0)
		;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void
held_sweep(void)
{
	for (struct held *h = nets, *next; h != NULL; h = next) {
		next = h->next;
		if (h->state == STATE_ROUTING && netd_now() > h->until)
			held_fail(h, ETIMEDOUT, netd.way == WAY_PASTA ? "pasta makes no way out" : "slirp4netns makes no way out");
	}
}

/* ---- the beginning ---- */

static bool
option_allow(char *text)	/* "10.1.0.0/16", "10.1.2.3:5432", "[fd00::1]:80" */
{
	struct netd_allow *a = &netd.allow[netd.n_allow];
	char *port = *text == '[' ? strchr(text, ']') : strchr(text, ':');

	if (netd.n_allow == NETD_ALLOW_MAX)
		return false;
	a->family = strchr(text, ':') != NULL && (*text == '[' || strchr(port + 1, ':') != NULL) ? AF_INET6 : AF_INET;
	if (*text == '[') {
		text++;
		*port++ = '\0';
		port = *port == ':' ? port : NULL;
	} else if (a->family == AF_INET6) {
		port = NULL;
	}
	if (port != NULL) {
		*port++ = '\0';
		a->port = atoi(port);
	}
	netd.n_allow++;
	return snprintf(a->net, sizeof a->net, "%s", text) < (int)sizeof a->net && strspn(text, "0123456789abcdefABCDEF.:/") == strlen(text);
}

static bool
option_set(const char *name, char *value)
{
	if (strcmp(name, "way") == 0)
		netd.way = strcmp(value, "veth") == 0 ? WAY_VETH : strcmp(value, "pasta") == 0 ? WAY_PASTA : WAY_SLIRP;
	else if (strcmp(name, "program") == 0)
		netd.program = value;
	else if (strcmp(name, "dir") == 0)
		netd.dir = value;
	else if (strcmp(name, "table") == 0)
		netd.table = value;
	else if (strcmp(name, "base") == 0)
		netd.base = ntohl(inet_addr(value));
	else if (strcmp(name, "slots") == 0)
		netd.slots = (unsigned)atoi(value);
	else if (strcmp(name, "api-host") == 0)
		netd.api_host = value;
	else if (strcmp(name, "api-port") == 0)
		netd.api_port = atoi(value);
	else if (strcmp(name, "api-inside") == 0)
		netd.api_inside = atoi(value);
	else if (strcmp(name, "dns") == 0 && netd.n_dns < NETD_DNS_MAX)
		netd.dns[netd.n_dns++] = value;
	else if (strcmp(name, "allow") == 0)
		return option_allow(value);
	else
		return false;
	return true;
}

static void
netd_loop(void)
{
	struct epoll_event e[EVENTS];
	int wait = -1, n;

	for (;;) {
		n = epoll_wait(polled, e, EVENTS, wait < 0 || wait > TICK_MS ? TICK_MS : wait);
		for (int i = 0; i < n; i++) {
			struct netd_watch *w = e[i].data.ptr;

			w->fn(w, e[i].events);
		}
		held_sweep();
		wait = netd_relays_sweep();
		netd_forget();
	}
}

int
main(int argc, char **argv)
{
	struct netd_watch control = {on_control, NET_CONTROL_FD}, children = {on_children, -1};
	char why[NET_TEXT_MAX] = "";
	struct rlimit files;
	sigset_t chld;

	netd.api_host = "";
	netd.dir = ".";
	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value == NULL)
			return 2;
		*value++ = '\0';
		if (!option_set(argv[i], value))
			return 2;
	}
	if (netd.slots == 0 || netd.slots > NETS_MAX || netd.table == NULL)
		return 2;
	prctl(PR_SET_NAME, "badal-net");
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {	/* about ten a network, and two a connection */
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	umask(022);
	for (int i = 0; i < 3; i++)	/* a service that stops tells all its processes: we end behind the executor, and clean up */
		signal((const int[]){SIGTERM, SIGINT, SIGHUP}[i], SIG_IGN);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	polled = epoll_create1(EPOLL_CLOEXEC);
	children.fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	fcntl(NET_CONTROL_FD, F_SETFD, FD_CLOEXEC);
	if (!netd_space_setup(why)) {
		netd_answer(NET_READY, 0, EPERM, NULL, "%s", why);
		return 1;
	}
	netd_watch(&control, EPOLLIN);
	netd_watch(&children, EPOLLIN);
	netd_answer(NET_READY, 0, 0, NULL, "%s", "");
	netd_loop();
}
