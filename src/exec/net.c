/* Networks, as sandboxes see them. The work is done by badal-net (netd.c), a process with one thread that we talk to; when it is gone the next network begins
 * another. What must stay true: each ask that waits is in `asks` until its answer or the end of badal-net, whoever comes first. */
#include "exec/net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/metric.h"
#include "io/child.h"
#include "io/watch.h"
#include "io/worker.h"
#include "model/chain.h"
#include "net_wire.h"
#include "programs.h"

enum { NET_MAGIC = 0x6e657473, SETUP_MS = 15000, ASK_MS = 20000, END_MS = 5000, ROOM_MS = 20, ROOM_TRIES = 50, POOL_BITS_MIN = 16, POOL_BITS_MAX = 28, ARGS_MAX = 100, API_PORT = 80, API_PORT_TLS = 443, BACKLOG = 64 };

struct ask {
	struct net_ask q;
	struct net_answer a;
	int fds[PASS_MAX];
	bool answered;
	struct fib_event done;
	struct ask *next;
};

struct net {
	unsigned magic;
	uint32_t number;
	int net_fd, user_fd;		/* user_fd -1: the namespace is ours to enter */
	char address[NET_TEXT_MAX];
	void (*lost)(void *arg);
	void *arg;
	struct net *next;
};

static struct {
	char *args[ARGS_MAX];		/* of badal-net, "name=value" */
	int n_args;
	char *program;
	const char *way;
	char *api;
	struct child *child;		/* NULL: it is not there */
	int fd;
	struct watch *watch;
	struct ask *asks;
	struct net *nets;
	uint32_t last;
	bool ending;
	struct fib_event ended;
} net = {.fd = -1};

/* ---- settings ---- */

static bool
pool_parse(const char *text, uint32_t *base_out, unsigned *slots_out)
{
	char address[INET_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	struct in_addr a;
	int64_t bits;

	if (slash == NULL || slash - text >= (int)sizeof address || !str_to_i64(str_c(slash + 1), &bits) || bits < POOL_BITS_MIN || bits > POOL_BITS_MAX)
		return false;
	snprintf(address, sizeof address, "%.*s", (int)(slash - text), text);
	if (inet_pton(AF_INET, address, &a) != 1)
		return false;
	*slots_out = 1U << (32 - bits - 2);
	*base_out = ntohl(a.s_addr);
	return (*base_out & (*slots_out * 4 - 1)) == 0;
}

const char *
net_wrong_pool(const char *pool)
{
	uint32_t base;
	unsigned slots;

	return pool_parse(pool, &base, &slots) ? NULL : pool;
}

/* "10.0.0.0/8:80", "[fd00::]/8:80", "fd00::/8": the address, its bits and a port, each as it must be. */
static bool
allow_one(struct str s, char out[128])
{
	char text[INET6_ADDRSTRLEN];
	struct str address = s, bits = STR_NONE, port = STR_NONE;
	uint8_t bytes[16];
	bool six = memchr(s.p, ':', s.n) != NULL && (s.p[0] == '[' || memchr((char *)memchr(s.p, ':', s.n) + 1, ':', s.n - (size_t)((char *)memchr(s.p, ':', s.n) + 1 - s.p)) != NULL);
	int64_t n_bits = six ? 128 : 32, n_port = 0;

	if (s.p[0] == '[') {
		struct str rest = {s.p + 1, s.n - 1};

		if (memchr(rest.p, ']', rest.n) == NULL)
			return false;
		address = str_cut(&rest, ']');
		if (rest.n > 0 && str_eat(&rest, '/'))
			bits = str_cut(&rest, ':');
		else if (rest.n > 0 && !str_eat(&rest, ':'))
			return false;
		port = rest;
	} else {
		if (!six)
			address = str_cut(&s, ':');
		port = six ? STR_NONE : s;
		bits = address;
		address = str_cut(&bits, '/');
	}
	if (address.n >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", STR_FMT(address));
	if (inet_pton(six ? AF_INET6 : AF_INET, text, bytes) != 1 || (bits.n > 0 && (!str_to_i64(bits, &n_bits) || n_bits < 0 || n_bits > (six ? 128 : 32))) ||
	    (port.n > 0 && (!str_to_i64(port, &n_port) || n_port < 1 || n_port > 65535)))
		return false;
	snprintf(out, 128, six ? "[%s/%d]:%d" : "%s/%d:%d", text, (int)n_bits, (int)n_port);
	return true;
}

const char *
net_wrong_allow(const char *allow)
{
	static char wrong[64];
	struct str rest = str_c(allow);
	char out[128];

	while (rest.n > 0) {
		struct str one = str_trim(str_cut(&rest, ' '));

		if (one.n > 0 && !allow_one(one, out)) {
			snprintf(wrong, sizeof wrong, "%.*s", STR_FMT(one));
			return wrong;
		}
	}
	return NULL;
}

static void __attribute__((format(printf, 1, 2)))
net_arg(const char *fmt, ...)
{
	va_list ap;

	assert(net.n_args < ARGS_MAX - 1);
	va_start(ap, fmt);
	if (vasprintf(&net.args[net.n_args++], fmt, ap) < 0)
		abort();
	va_end(ap);
}

/* Where the API is, and what it is called inside: there its port is one that nobody in a sandbox can take. With TLS its name must stay. */
static bool
api_args(const char *url, const char *hosts_file)
{
	bool tls = strncmp(url, "https://", 8) == 0;
	const char *host = url + (tls ? 8 : 7), *end = host + strcspn(host, "/?#"), *colon = *host == '[' ? strchr(host, ']') : host;
	char name[256];
	int port = tls ? API_PORT_TLS : API_PORT, inside = port;
	bool local;
	FILE *f;

	if (!tls && strncmp(url, "http://", 7) != 0)
		return false;
	colon = colon == NULL ? NULL : memchr(colon, ':', (size_t)(end - colon));
	if (colon != NULL)
		port = atoi(colon + 1);
	snprintf(name, sizeof name, "%.*s", (int)((colon ? colon : end) - host - 2 * (*host == '[')), host + (*host == '['));
	if (*name == '\0' || port < 1 || port > 65535)
		return false;
	local = strcmp(name, "localhost") == 0 || strncmp(name, "127.", 4) == 0 || strchr(name, ':') != NULL;
	if (tls && !local)
		inside = port;
	net_arg("api-host=%s", name);
	net_arg("api-port=%d", port);
	net_arg("api-inside=%d", inside);
	if (asprintf(&net.api, "%s%s%s", tls ? "https://" : "http://", tls && !local ? name : "127.0.0.54", tls && !local && colon != NULL ? colon : end) < 0)
		abort();
	if ((f = fopen(hosts_file, "we")) == NULL)
		return false;
	fprintf(f, "127.0.0.1 localhost\n::1 localhost\n");
	if (tls && !local)
		fprintf(f, "127.0.0.54 %s\n", name);
	return fclose(f) == 0 && chmod(hosts_file, 0644) == 0;
}

static const char *
net_way(const char *asked, const char **program_out)
{
	static const char *const pasta[] = {"/usr/bin/pasta", "/usr/local/bin/pasta", NULL}, *const slirp[] = {"/usr/bin/slirp4netns", "/usr/local/bin/slirp4netns", NULL};
	bool any = strcmp(asked, "auto") == 0;

	*program_out = "";
	if (strcmp(asked, "veth") == 0 || (any && geteuid() == 0))
		return "veth";
	if ((any || strcmp(asked, "pasta") == 0) && (*program_out = program_first(pasta)) != NULL)
		return "pasta";
	if ((any || strcmp(asked, "slirp4netns") == 0) && (*program_out = program_first(slirp)) != NULL)
		return "slirp4netns";
	return NULL;
}

/* A name for our table that another data directory does not have. */
static unsigned
net_hash(const char *text)
{
	unsigned h = 2166136261U;

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 16777619U;
	return h;
}

static const char *
net_args(const struct net_settings *s)
{
	const char *program;
	char hosts[PATH_MAX], one[128];
	struct str rest;
	struct in_addr a;
	uint32_t base;
	unsigned slots;

	snprintf(hosts, sizeof hosts, "%s/etc/hosts.net", s->dir);
	if (strcmp(s->way, "none") == 0)
		return "it is switched off (executor_network_way)";
	if ((net.way = net_way(s->way, &program)) == NULL)
		return strcmp(s->way, "auto") == 0 ? "neither passt (pasta) nor slirp4netns is installed, and we are not root" : "the program for it is not installed";
	if ((net.program = program_beside(s->program, "badal-net")) == NULL)
		return "badal-net is not installed";
	if (!pool_parse(s->pool, &base, &slots))
		return "executor_network is no network of /16 to /28";
	a.s_addr = htonl(base);
	net_arg("badal-net");
	net_arg("way=%s", net.way);
	net_arg("program=%s", program);
	net_arg("dir=%s", s->dir);
	net_arg("table=badal_%08x", net_hash(s->dir));
	net_arg("base=%s", inet_ntoa(a));
	net_arg("slots=%u", slots);
	rest = str_c(s->allow);
	while (rest.n > 0) {
		struct str entry = str_trim(str_cut(&rest, ' '));

		if (entry.n > 0 && net.n_args < ARGS_MAX - 16 && allow_one(entry, one))
			net_arg("allow=%s", one);
	}
	rest = str_c(s->dns);
	for (int i = 0; rest.n > 0 && i < 3;) {
		struct str entry = str_trim(str_cut(&rest, ' '));

		if (entry.n > 0) {
			net_arg("dns=%.*s", STR_FMT(entry));
			i++;
		}
	}
	if (*s->api == '\0')
		net_arg("api-inside=%d", API_PORT);
	else if (!api_args(s->api, hosts))
		return "the address of the API is none, or its file cannot be written";
	return NULL;
}

/* ---- talking to badal-net ---- */

static void
ask_drop(struct ask *q)
{
	struct ask **at = &net.asks;

	while (*at != NULL && *at != q)
		at = &(*at)->next;
	if (*at != NULL)
		*at = q->next;
}

static void
net_on_end(struct child *c, int status, void *arg)
{
	(void)arg;
	assert(c == net.child);
	net.child = NULL;
	watch_close(&net.watch);
	if (net.fd >= 0)
		close(net.fd);
	net.fd = -1;
	if (!net.ending)
		log_error(NULL, "badal-net has ended", "status=%d", status);
	while (net.asks != NULL) {
		struct ask *q = net.asks;

		net.asks = q->next;
		q->answered = true;
		q->a.error = ECONNRESET;
		if (q->a.text[0] == '\0')
			snprintf(q->a.text, sizeof q->a.text, "badal-net has ended");
		fib_signal(&q->done);
	}
	while (net.nets != NULL) {
		struct net *n = net.nets;

		net.nets = n->next;
		n->number = 0;
		if (n->lost != NULL)
			n->lost(n->arg);
	}
	fib_signal(&net.ended);
}

static void
net_on_output(struct child *c, int fd, struct str piece, void *arg)
{
	(void)c;
	(void)fd;
	(void)arg;
	while (piece.n > 0) {
		struct str line = str_cut(&piece, '\n');

		if (line.n > 0)
			log_warn(NULL, "badal-net", "said=\"%.*s\"", STR_FMT(line));
	}
}

static void
net_on_answer(void *arg)
{
	struct net_answer a;
	int fds[PASS_MAX];
	ssize_t n = pass_recv(net.fd, &a, sizeof a, fds, MSG_DONTWAIT);
	struct ask *q = net.asks;

	(void)arg;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof a) {		/* it is ending */
		watch_close(&net.watch);
		return;
	}
	while (q != NULL && (q->q.what != a.what || q->q.number != a.number))
		q = q->next;
	if (q == NULL) {		/* nobody waits any more */
		struct net_ask free_it = {.what = NET_FREE, .net = a.number};

		if (a.what == NET_MAKE && a.error == 0)
			(void)pass_send(net.fd, &free_it, sizeof free_it, NULL, 0);
		for (int i = 0; i < PASS_MAX; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		return;
	}
	ask_drop(q);
	q->a = a;
	q->a.text[sizeof q->a.text - 1] = '\0';
	memcpy(q->fds, fds, sizeof fds);
	q->answered = true;
	fib_signal(&q->done);
}

/* Awaits the answer to q, which has been sent. */
static err_t
ask_wait(struct ctx *cx, struct ask *q, uint64_t ms)
{
	err_t e;

	q->next = net.asks;
	net.asks = q;
	e = fib_await_for(cx, &q->done, ms);
	if (!q->answered) {
		ask_drop(q);
		return e != OK && e != ERR_TIMEOUT ? e : fail(cx, ERR_SANDBOX, "badal-net says nothing");
	}
	if (q->a.error != 0)
		return fail(cx, ERR_SANDBOX, "network=\"%s\"", q->a.text);
	return e;
}

static err_t
net_begin(struct ctx *cx)
{
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	struct child_spec c = {.program = net.program, .argv = (const char *const *)net.args, .env = env, .n_fds = 1, .output = net_on_output, .end = net_on_end};
	struct ask ready = {.q = {.what = NET_READY}};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return fail(cx, ERR_SANDBOX, "error=\"%s\"", strerror(errno));
	c.fds[0] = pair[1];
	fib_event_reset(&net.ended);
	net.child = child_start(&c);
	close(pair[1]);
	if (net.child == NULL) {
		close(pair[0]);
		return fail(cx, ERR_SANDBOX, "badal-net cannot be started");
	}
	net.fd = pair[0];
	net.watch = watch_open(net.fd, net_on_answer, NULL);
	return ask_wait(cx, &ready, SETUP_MS);
}

static err_t
net_do(struct ctx *cx, struct ask *q, int fd)
{
	if (net.program == NULL)
		return fail(cx, ERR_SANDBOX, "there are no networks");
	if (net.child == NULL)
		TRY(net_begin(cx));
	q->q.number = ++net.last;
	if (!pass_send(net.fd, &q->q, sizeof q->q, &fd, fd >= 0))
		return fail(cx, ERR_SANDBOX, "badal-net takes nothing: %s", strerror(errno));
	return ask_wait(cx, q, ASK_MS);
}

/* ---- for sandboxes ---- */

/* Without functions_endpoint: this machine's web processes, by the name that a certificate of theirs has. */
struct net_settings
net_configured(const char *dir)
{
	static char api[512];
	bool tls = *conf.tls_cert != '\0';

	snprintf(api, sizeof api, "%s://%s:%lld/v1", tls ? "https" : "http", tls && *conf.domain != '\0' ? conf.domain : "localhost", (long long)conf.port);
	return (struct net_settings){.dir = dir, .way = conf.executor_network_way, .pool = conf.executor_network, .allow = conf.executor_allow, .dns = conf.executor_dns,
		.api = *conf.functions_endpoint != '\0' ? conf.functions_endpoint : api};
}

/* One whole network, tried. */
static err_t
net_try(struct ctx *cx)
{
	struct net *n;

	TRY(net_begin(cx));
	TRY(net_open(cx, &n));
	net_free(&n);
	return OK;
}

const char *
net_setup(struct ctx *cx, const struct net_settings *s, const char **why_out)
{
	*why_out = net_args(s);
	if (*why_out == NULL && net_try(cx) != OK) {
		*why_out = arena_printf(cx->arena, "%s", cx->detail != NULL ? cx->detail : "");
		net_fini();
	}
	if (*why_out != NULL) {
		net.program = NULL;
		return NULL;
	}
	return net.way;
}

const char *
net_api(void)
{
	return net.api != NULL && net.program != NULL ? net.api : "";
}

const char *
net_api_at(struct arena *a, int depth)
{
	struct str base = str_c(net_api());

	return str_ends(base, "/v1") ? chain_endpoint(a, arena_printf(a, "%.*s", (int)base.n - 3, base.p), depth) : net_api();
}

bool
net_on(void)
{
	return net.program != NULL;
}

void
net_fini(void)
{
	net.ending = true;
	net.program = NULL;
	if (net.fd >= 0 && net.child != NULL) {
		watch_close(&net.watch);
		close(net.fd);
		net.fd = -1;
	}
}

void
net_ended(struct ctx *cx)
{
	if (net.child != NULL && fib_await_for(cx, &net.ended, END_MS) != OK)
		log_warn(cx, "badal-net does not end", "ms=%d", END_MS);
}

static unsigned n_open;

err_t
net_open(struct ctx *cx, struct net **out)
{
	struct ask q;
	struct net *n;
	err_t e;

	for (int i = 0;; i++) {	/* an address is free a moment after its network was given back */
		q = (struct ask){.q = {.what = NET_MAKE}};
		e = net_do(cx, &q, -1);
		if (e == OK || q.a.error != ENOSPC || i == ROOM_TRIES)
			break;
		TRY(fib_sleep(cx, ROOM_MS));
	}
	if (e != OK) {
		metric_add(q.a.error == ENOSPC ? M_net_full : M_net_failed, 1);
		return e;
	}
	metric_add(M_net_made, 1);
	metric_set(M_net_open, ++n_open);
	if ((n = calloc(1, sizeof *n)) == NULL)
		abort();
	*n = (struct net){.magic = NET_MAGIC, .number = q.q.number, .net_fd = q.fds[0], .user_fd = q.fds[1], .next = net.nets};
	snprintf(n->address, sizeof n->address, "%s", q.a.text);
	net.nets = n;
	*out = n;
	return OK;
}

void
net_free(struct net **np)
{
	struct net *n = *np, **at = &net.nets;
	struct net_ask q = {.what = NET_FREE};

	*np = NULL;
	if (n == NULL)
		return;
	assert(n->magic == NET_MAGIC);
	metric_set(M_net_open, --n_open);
	while (*at != NULL && *at != n)
		at = &(*at)->next;
	if (*at != NULL)
		*at = n->next;
	q.net = n->number;
	if (net.fd >= 0 && n->number != 0 && !pass_send(net.fd, &q, sizeof q, NULL, 0))
		log_error(NULL, "a network cannot be given back", "error=\"%s\"", strerror(errno));
	close(n->net_fd);
	if (n->user_fd >= 0)
		close(n->user_fd);
	n->magic = 0;
	free(n);
}

void
net_on_lost(struct net *n, void (*fn)(void *arg), void *arg)
{
	n->lost = fn;
	n->arg = arg;
}

const char *
net_address(const struct net *n)
{
	return n->address;
}

err_t
net_bridge(struct ctx *cx, struct net *n, const char *path, int port)
{
	struct ask q = {.q = {.what = NET_BRIDGE, .net = n->number, .port = (uint32_t)port}};
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err_t e;

	if (s < 0 || strlen(path) >= sizeof a.sun_path)
		e = fail(cx, ERR_SANDBOX, "path=%s", path);
	else {
		strcpy(a.sun_path, path);
		e = bind(s, (struct sockaddr *)&a, sizeof a) == 0 && listen(s, BACKLOG) == 0 ? OK : fail(cx, ERR_SANDBOX, "path=%s error=\"%s\"", path, strerror(errno));
	}
	if (e == OK)
		e = net_do(cx, &q, s);
	if (s >= 0)
		close(s);
	return e;
}

bool
net_enter(const struct net *n)
{
	return (n->user_fd < 0 || setns(n->user_fd, CLONE_NEWUSER) == 0) && setns(n->net_fd, CLONE_NEWNET) == 0;
}
