/* HTTP and WebSocket: sockets, deadlines and draining.
 *
 * lws brings the sockets on the loop: polling, reads, writes with what the kernel did not take kept and continued. It runs in its raw
 * role; the bytes are parsed here (http_head.c, http_h1.c, http_ws.c), by nghttp2 (http_h2.c) and OpenSSL (http_tls.c), where every
 * limit is ours. What was seen of lws's own roles, and measured, is in doc/architecture.md. The rule: lws calls us with bytes, and a wsi is closed only by the
 * return value of its callback or from reap(), never in the middle of somebody's work. */
#include "http_priv.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "core/log.h"

enum { CLOSE_MS = 5000, TICK_MS = 250, ACCEPT_BATCH = 32, LISTENERS_MAX = 4, DESCRIPTORS = 16384 };

struct list {
	struct conn *first, *last;
};

const struct http_handler *http_handler;
const char *http_ws_path;
bool http_draining;
unsigned http_sockets;
char conn_scratch[SCRATCH_SIZE];

static struct lws_context *context;
static struct list lists[LIST_N];
static struct loop_timer *tick;
static struct listener {
	uv_poll_t *poll;	/* NULL: closed */
	int fd;
	bool tls;
} listeners[LISTENERS_MAX];
static int n_listeners;
static unsigned n_conns;
static bool reap_due;
static struct conn *serving;	/* the connection whose callback runs: lws closes it by our return value */

struct conn *
conn_cast(void *p)
{
	struct conn *c = p;

	assert(c != NULL && c->magic == CONN_MAGIC);
	return c;
}

void
rest_add(struct rest *r, const void *p, size_t n)
{
	if (n == 0)
		return;
	if (r->n + n > r->cap) {
		r->cap = (uint32_t)(r->n + n + 512);
		if (r->n > 0)
			r->cap += r->cap / 2;
		r->p = mem_realloc(r->p, r->cap);
	}
	memcpy(r->p + r->n, p, n);
	r->n += (uint32_t)n;
}

void
rest_cut(struct rest *r, size_t n)
{
	if (n >= r->n) {
		rest_free(r);
		return;
	}
	r->n -= (uint32_t)n;
	memmove(r->p, r->p + n, r->n);
}

void
rest_free(struct rest *r)
{
	free(r->p);
	*r = (struct rest){0};
}

static void
list_remove(struct conn *c)
{
	struct list *l = &lists[c->list];

	*(c->prev ? &c->prev->next : &l->first) = c->next;
	*(c->next ? &c->next->prev : &l->last) = c->prev;
}

static void
list_append(struct conn *c, enum conn_list to)
{
	struct list *l = &lists[to];

	c->list = (uint8_t)to;
	c->since = loop_now();
	c->next = NULL;
	c->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = c;
	l->last = c;
}

/* A WebSocket is on its own lists until it ends, and nobody else is. */
static bool
list_fits(const struct conn *c, enum conn_list to)
{
	bool of_sockets = to == LIST_WS || to == LIST_WS_ASKED || to == LIST_WS_PART;

	if (to == LIST_CLOSING || to == LIST_DOOMED)
		return true;
	return of_sockets == (c->proto == PROTO_WS) && (!of_sockets || c->list != LIST_CLOSING);
}

void
conn_move(struct conn *c, enum conn_list to)
{
	assert(c->magic == CONN_MAGIC && to < LIST_N);
	if (c->list == LIST_DOOMED)
		return;
	assert(list_fits(c, to));
	list_remove(c);
	list_append(c, to);
}

/* Closes what was doomed outside its own callback. */
static void
http_reap(void *arg)
{
	struct conn *c;

	(void)arg;
	reap_due = false;
	while ((c = lists[LIST_DOOMED].first) != NULL)
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

void
conn_doom(struct conn *c)
{
	conn_move(c, LIST_DOOMED);
	if (!reap_due && c != serving) {
		reap_due = true;
		loop_soon(http_reap, NULL);
	}
}

bool
conn_clear(const struct conn *c)
{
	return !lws_partial_buffered(c->wsi);
}

/* With nothing kept by lws the kernel is asked at once: a fan-out spares lws's part of the work for each of its sockets. Returns what
 * was taken, -1 when the connection is broken. */
static ssize_t
send_now(struct conn *c, const void *p, size_t n)
{
	ssize_t sent;

	if (!conn_clear(c))
		return 0;
	do
		sent = send(lws_get_socket_fd(c->wsi), p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	return sent;
}

void
conn_send(struct conn *c, const void *p, size_t n)
{
	union {
		const void *in;
		unsigned char *out;
	} u = {.in = p};	/* lws does not change raw output, its prototype only says so */
	ssize_t sent;

	if (c->list == LIST_DOOMED || c->fin_sent || n == 0)
		return;
	sent = send_now(c, p, n);
	if (sent == (ssize_t)n)
		return;
	if (sent < 0 || lws_write(c->wsi, u.out + sent, n - (size_t)sent, LWS_WRITE_RAW) < 0)
		conn_doom(c);
	else
		budget_force(&c->unread, n - (size_t)sent);
}

ssize_t
conn_send_file(struct conn *c, int fd, uint64_t *offset, size_t n)
{
	off_t at = (off_t)*offset;
	ssize_t sent;

	assert(c->tls == NULL && conn_clear(c));
	do
		sent = sendfile(lws_get_socket_fd(c->wsi), fd, &at, n);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -1;
	*offset = (uint64_t)at;
	return sent > 0 ? sent : -1;	/* the file is shorter than it was */
}

void
conn_listen(struct conn *c, bool on)
{
	if (c->deaf == !on || c->list == LIST_DOOMED)
		return;
	c->deaf = !on;
	if (c->bulk)
		bulk_listen(c);
	else
		lws_rx_flow_control(c->wsi, on);
}

int
conn_unsent(const struct conn *c)
{
	int n = 0;

	return ioctl(lws_get_socket_fd(c->wsi), SIOCOUTQ, &n) == 0 ? n : 0;
}

void
conn_write(struct conn *c, const void *p, size_t n)
{
	if (c->tls != NULL)
		tls_write(c, p, n);
	else
		conn_send(c, p, n);
}

void
conn_want_write(struct conn *c)
{
	if (c->list != LIST_DOOMED)
		lws_callback_on_writable(c->wsi);
}

/* Our FIN; what the peer still sends is thrown away for a while, so that a reset does not destroy the answer on its way. */
static void
send_fin(struct conn *c)
{
	if (c->fin_sent || c->list == LIST_DOOMED)
		return;
	if (c->tls != NULL) {
		tls_bye(c);
		if (!conn_clear(c))
			return;	/* once more when that is out */
	}
	c->fin_sent = true;
	conn_listen(c, true);
	if (shutdown(lws_get_socket_fd(c->wsi), SHUT_WR) != 0)
		conn_doom(c);
	else
		conn_move(c, LIST_CLOSING);
}

void
conn_drain(struct conn *c, enum conn_list to)
{
	uint64_t rate = (uint64_t)conf.rate_min;

	c->unsent = conn_unsent(c);
	c->patience = rate > 0 ? loop_now() + (uint64_t)conf.head_timeout + (c->unread.held + (uint64_t)c->unsent) * 1000 / rate : UINT64_MAX;
	conn_move(c, to);
}

void
conn_finish(struct conn *c)
{
	if (c->fin_due || c->list == LIST_DOOMED)
		return;
	conn_drain(c, LIST_CLOSING);
	c->fin_due = true;
	if (conn_clear(c))
		send_fin(c);
	else
		conn_want_write(c);
}

/* What is kept until the rest of it comes is charged, to its address while there is nobody else. */
static void
charge_part(struct conn *c)
{
	size_t n = c->in.cap + (c->proto == PROTO_WS ? ws_part(c) : 0);
	err_t e = OK;

	if (n < c->part.held)
		budget_release(&c->part, c->part.held - n);
	else if (n > c->part.held)
		e = budget_charge(&c->part, n - c->part.held);
	if (e == OK || conn_ending(c))
		return;
	if (c->proto == PROTO_WS)
		ws_no_room(c);
	else if (c->proto == PROTO_H1 && c->msg == NULL)
		h1_no_room(c, e);
}

static void
writable(struct conn *c)
{
	if (!conn_clear(c) || c->list == LIST_DOOMED)
		return;
	budget_close(&c->unread);
	if (c->fin_due)
		send_fin(c);
	else if (c->proto == PROTO_WS)
		ws_writable(c);
	else if (c->proto == PROTO_H2)
		h2_writable(c);
	else if (c->list == LIST_UNSENT) {
		h1_sent(c);
		charge_part(c);
	}
	else if (c->msg != NULL && c->msg->begun) {
		c->msg->choked = false;
		stream_wake(c->msg);
	}
}

static void
conn_take(struct conn *c, char *p, size_t n)
{
	if (c->list == LIST_CLOSING && !(c->proto == PROTO_WS && !c->fin_due)) {
		c->swallowed += (uint32_t)n;
		c->heard = loop_now();
		if (c->swallowed > (uint64_t)conf.linger_bytes && c->fin_sent)
			conn_listen(c, false);	/* closing now would reset what is on its way: on_tick does it when all has been taken */
		else if (c->swallowed > (uint64_t)conf.linger_bytes)
			conn_doom(c);
		return;
	}
	if (c->proto == PROTO_WS)
		ws_input(c, p, n);
	else if (c->proto == PROTO_H2)
		h2_input(c, p, n);
	else
		h1_input(c, p, n);
}

void
conn_input(struct conn *c, char *p, size_t n)
{
	conn_take(c, p, n);
	charge_part(c);
}

/* Who speaks something else than the port does is told so at once, if it can be. True: it was, and what it says counts for nothing. */
static bool
wrong_port(struct conn *c, unsigned char first)
{
	static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 34\r\nConnection: close\r\n\r\n"
				   "This port speaks TLS: use https.\r\n";

	bool fresh = c->untouched;

	c->untouched = false;
	if (!fresh || tls_looks(first) == (c->tls != NULL))
		return false;
	metric_add(M_tls_failed, 1);
	if (c->tls != NULL) {
		tls_free(&c->tls);
		conn_write(c, text, sizeof text - 1);
	}
	conn_finish(c);
	return true;
}

void
conn_received(struct conn *c, char *p, size_t n)
{
	if (c->tls != NULL)
		tls_input(c, p, n);
	else
		conn_input(c, p, n);
}

static void
closed(struct conn *c)
{
	bulk_forget(c);
	list_remove(c);
	if (c->proto == PROTO_WS)
		ws_closed(c);
	else if (c->proto == PROTO_H2)
		h2_closed(c);
	else if (c->msg != NULL) {
		struct msg *x = c->msg;

		c->msg = NULL;
		msg_gone(x);
	}
	if (c->tls != NULL)
		tls_free(&c->tls);
	rest_free(&c->in);
	budget_close(&c->part);
	budget_close(&c->unread);
	far_leave(&c->far);
	c->magic = 0;
	n_conns--;
	metric_add(M_http_connections, -1);
}

static int
on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct conn *c = user, *outer = serving;

	switch (reason) {
	case LWS_CALLBACK_RAW_ADOPT:
		c->magic = CONN_MAGIC;
		c->wsi = wsi;
		c->first = c->untouched = true;
		list_append(c, LIST_HEAD);
		n_conns++;
		metric_add(M_http_connections, 1);
		return 0;
	case LWS_CALLBACK_RAW_RX:
		c = CONN(c);
		serving = c;
		if (c->list != LIST_DOOMED && !wrong_port(c, *(unsigned char *)in))
			conn_received(c, in, len);
		serving = outer;
		return c->list == LIST_DOOMED ? -1 : 0;
	case LWS_CALLBACK_RAW_WRITEABLE:
		c = CONN(c);
		serving = c;
		writable(c);
		serving = outer;
		return c->list == LIST_DOOMED ? -1 : 0;
	case LWS_CALLBACK_RAW_CLOSE:
		if (c != NULL && c->magic == CONN_MAGIC)
			closed(c);
		return 0;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
	{"badal", on_lws, sizeof(struct conn), 0, 0, NULL, 1 << 20},
	{NULL, NULL, 0, 0, 0, NULL, 0},
};

/* ---- accepting ---- */

static void
http_adopt(int fd, const struct sockaddr_storage *a, bool tls)
{
	struct lws_vhost *vh = lws_get_vhost_by_name(context, "default");
	const void *addr = a->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr : &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
	lws_sock_file_fd_type desc = {.sockfd = fd};
	char peer[FAR_TEXT_MAX];
	struct far *far;
	struct lws *wsi;
	struct conn *c;

	if (n_conns >= (uint64_t)conf.connections_max) {
		metric_add(M_http_refused, 1);
		close(fd);
		return;
	}
	far_text(a->ss_family, addr, peer);
	far = NULL;
	if (a->ss_family != AF_UNIX && !far_enter(peer, &far)) {
		close(fd);
		return;
	}
	wsi = lws_adopt_descriptor_vhost(vh, LWS_ADOPT_SOCKET, desc, "badal", NULL);
	if (wsi == NULL) {	/* lws has closed fd */
		metric_add(M_http_refused, 1);
		far_leave(&far);
		return;
	}
	c = CONN(lws_wsi_user(wsi));
	c->far = far;
	c->part.address = far_address(far);
	c->family = (uint8_t)a->ss_family;
	memcpy(c->addr, addr, a->ss_family == AF_INET ? 4 : 16);
	if (!tls)
		return;
	if (budget_charge(&c->part, TLS_HANDSHAKE_BYTES) != OK) {
		metric_add(M_http_refused, 1);
		conn_doom(c);
		return;
	}
	c->tls = tls_new();	/* charge_part sets it right once something comes out of it */
}

static void on_accept(uv_poll_t *h, int status, int events);

static void
accept_again(void *arg)
{
	struct listener *l = arg;

	if (l->poll != NULL)
		uv_poll_start(l->poll, UV_READABLE, on_accept);
}

static void
on_accept(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;
	struct sockaddr_storage a;
	socklen_t n;
	int i, fd;

	(void)events;
	if (status < 0)
		return;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		n = sizeof a;
		memset(&a, 0, sizeof a);	/* of a local peer little comes */
		fd = accept4(l->fd, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			http_adopt(fd, &a, l->tls);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* Polling would spin: look again when some may have gone. */
			log_warn(NULL, "cannot accept", "error=\"%s\" connections=%u", strerror(errno), n_conns);
			metric_add(M_http_refused, 1);
			uv_poll_stop(h);
			loop_after(100, accept_again, l);
		}
		return;
	}
}

/* A machine that was started without IPv6 has no such sockets. */
static bool
has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != EAFNOSUPPORT;
}

int
http_address(struct addrinfo **out)
{
	struct addrinfo hint = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	const char *host = conf.listen;
	char port[16];

	if (*host == '\0' || strcmp(host, "*") == 0 || strcmp(host, "::") == 0)
		host = has_ipv6() ? "::" : "0.0.0.0";
	snprintf(port, sizeof port, "%lld", (long long)conf.port);
	return conf.port > 65535 ? EAI_SERVICE : getaddrinfo(host, port, &hint, out);
}

bool
http_both_families(int fd, const struct addrinfo *ai)
{
	int off = 0;

	return ai->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
}

static int
listen_socket(void)
{
	struct addrinfo *ai;
	int fd, on = 1, idle = 120, every = 15, times = 4, e = http_address(&ai);

	if (e != 0) {
		log_error(NULL, "cannot listen", "address=%s error=\"%s\"", conf.listen, gai_strerror(e));
		return -1;
	}
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* Accepted sockets inherit TCP_NODELAY and the probes, without which a WebSocket whose client lost its network would stay for ever. */
	if (fd < 0 || !http_both_families(fd, ai) || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every) != 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times) != 0 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, 4096) != 0) {
		log_error(NULL, "cannot listen", "address=%s port=%lld error=\"%s\"", conf.listen, (long long)conf.port, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(ai);
	return fd;
}

static void
listener_closed(uv_handle_t *h)
{
	free(h);
}

static void
listen_stop(void)
{
	for (struct listener *l = listeners; l < listeners + n_listeners; l++) {
		if (l->poll == NULL)
			continue;
		uv_close((uv_handle_t *)l->poll, listener_closed);
		l->poll = NULL;
		close(l->fd);
	}
}

/* ---- deadlines ---- */

static void
expired(struct conn *c)
{
	switch ((enum conn_list)c->list) {
	case LIST_HEAD:
	case LIST_IDLE:
		h1_timeout(c);
		break;
	case LIST_H2:
		h2_timeout(c);
		break;
	default:
		conn_doom(c);
	}
}

struct conn *
conn_oldest(enum conn_list l, uint64_t ms)
{
	struct conn *c = lists[l].first;

	return c != NULL && loop_now() - c->since >= ms ? c : NULL;
}

static void
http_check_list(enum conn_list l, uint64_t ms)
{
	struct conn *c;

	while ((c = conn_oldest(l, ms)) != NULL) {
		expired(c);
		if (lists[l].first == c)	/* it stays: another life at the end of the list */
			conn_move(c, l);
	}
}

/* Whether some of an answer has to go out before the connection can go on, or end. */
static bool
drains(const struct conn *c)
{
	return c->proto != PROTO_WS && (c->fin_sent ? c->deaf && conn_unsent(c) > 0 : !conn_clear(c));
}

/* A client that takes an answer slowly gets all of it, as long as it takes any, and enough on average. */
static bool
reads_on(struct conn *c)
{
	int unsent;

	if (!drains(c) || loop_now() >= c->patience || (unsent = conn_unsent(c)) == c->unsent)
		return false;
	c->unsent = unsent;
	return true;
}

/* A connection whose answer is on its way, and which nobody needs any more. Who is still sending may read nothing before it has sent all:
 * that is thrown away for a while, since closing would reset the connection, and the answer with it. */
static bool
lingered(const struct conn *c, uint64_t now)
{
	if (c->fin_sent && !c->deaf)
		return now - c->since >= (uint64_t)conf.linger_timeout || (now - c->since >= LINGER_MS && now - c->heard >= LINGER_MS);
	return now - c->since >= CLOSE_MS || (drains(c) ? now >= c->patience : c->deaf && c->fin_sent);
}

static bool
stalled(const struct conn *c, uint64_t now)
{
	return now - c->since >= (uint64_t)conf.transfer_stall || now >= c->patience;
}

/* These lists are looked at as a whole: their order does not matter. */
static void
check_drains(enum conn_list l, bool (*over)(const struct conn *c, uint64_t now))
{
	for (struct conn *c = lists[l].first, *next; c != NULL; c = next) {
		next = c->next;
		if (reads_on(c))
			c->since = loop_now();
		else if (over(c, loop_now())) {
			metric_add(M_http_slow, drains(c));
			conn_doom(c);
		}
	}
}

static void
http_on_tick(void *arg)
{
	(void)arg;
	http_check_list(LIST_IDLE, (uint64_t)conf.keepalive_timeout);
	http_check_list(LIST_HEAD, (uint64_t)conf.head_timeout);
	http_check_list(LIST_H2, (uint64_t)conf.head_timeout);
	ws_sweep();
	check_drains(LIST_UNSENT, stalled);
	check_drains(LIST_CLOSING, lingered);
	watch_tick();
}

/* ---- texts ---- */

const char *
http_date(void)
{
	static char text[32];
	static time_t made;
	time_t now = time(NULL);
	struct tm tm;

	if (now != made) {
		made = now;
		gmtime_r(&now, &tm);
		strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return text;
}

const char *
http_hsts(const struct conn *c)
{
	static char text[32];

	if (c->tls == NULL || conf.hsts_max_age <= 0)
		return NULL;
	snprintf(text, sizeof text, "max-age=%lld", (long long)conf.hsts_max_age / 1000);
	return text;
}

const char *
status_text(int status)
{
	static const struct { int status; const char *text; } row[] = {
		{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"}, {206, "Partial Content"},
		{301, "Moved Permanently"}, {302, "Found"}, {304, "Not Modified"}, {307, "Temporary Redirect"},
		{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
		{405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"}, {410, "Gone"},
		{412, "Precondition Failed"}, {413, "Content Too Large"}, {416, "Range Not Satisfiable"},
		{429, "Too Many Requests"}, {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"},
		{501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"}, {504, "Gateway Timeout"},
		{507, "Insufficient Storage"},
	};

	for (size_t i = 0; i < sizeof row / sizeof row[0]; i++)
		if (row[i].status == status)
			return row[i].text;
	return "Unknown";
}

/* A value with a line break would let whoever chose it write headers: such a header is left out. */
bool
header_sane(const struct http_header *h)
{
	if (strpbrk(h->value, "\r\n") == NULL && strpbrk(h->name, "\r\n :") == NULL && *h->name != '\0')
		return true;
	if (log_may(STR("header left out"), 1, 60000))
		log_warn(NULL, "header left out", "reason=\"line break\" name=\"%s\"", h->name);
	return false;
}

int
error_headers(struct msg *x, struct http_header out[REFUSAL_HEADERS])
{
	if (http_handler->refusal != NULL)
		return http_handler->refusal(&x->m, out);
	out[0] = (struct http_header){"Content-Type", "application/json; charset=UTF-8"};
	return 1;
}

struct str
error_body(err_t e)
{
	static char text[512];
	const struct err_info *i = err_info(e);
	const char *version = *conf.version_label ? conf.version_label : PACKAGE_VERSION;
	int n = snprintf(text, sizeof text, "{\"message\":\"%s\",\"code\":%d,\"type\":\"%s\",\"version\":\"%s\"}", i->message,
	    i->status, i->type, version);

	return (struct str){text, n < (int)sizeof text ? (size_t)n : sizeof text - 1};
}

/* ---- set-up ---- */

static void
on_lws_log(int level, const char *line)
{
	int n = (int)strcspn(line, "\n");

	if (level & (LLL_ERR | LLL_WARN))
		log_debug(NULL, "lws", "text=\"%.*s\"", n, line);
}

/* The kernel's table grows by doubling, and once there are threads each time waits until all cores have noticed: now there are none. */
static void
descriptors_room(rlim_t limit)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)(limit < DESCRIPTORS ? limit : DESCRIPTORS) - 1);

	if (fd >= 0)
		close(fd);
}

/* lws sizes two tables by the limit of descriptors, so it is set to what is needed, up or down. */
static void
limit_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = (rlim_t)conf.connections_max + 1024;
	if (r.rlim_max != RLIM_INFINITY && r.rlim_cur > r.rlim_max)
		r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		log_warn(NULL, "cannot set the limit of open files", "error=\"%s\"", strerror(errno));
	descriptors_room(r.rlim_cur);
}

static bool
context_open(void)
{
	void *loops[1] = {loop_uv()};
	struct lws_context_creation_info info = {0};

	lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
	info.options = LWS_SERVER_OPTION_LIBUV;
	info.foreign_loops = loops;
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.vhost_name = "default";
	info.protocols = protocols;
	info.pcontext = &context;
	info.pt_serv_buf_size = 64 * 1024;
	info.max_http_header_pool = 1;
	info.gid = (gid_t)-1;
	info.uid = (uid_t)-1;
	context = lws_create_context(&info);
	if (context == NULL)
		log_error(NULL, "cannot set up libwebsockets", "plugin=evlib-uv");
	return context != NULL;
}

bool
http_open(const struct http_handler *h, const char *ws_path)
{
	http_handler = h;
	http_ws_path = ws_path;
	http_draining = false;
	header_setup();
	limit_descriptors();
	if (!context_open())
		return false;
	if (!bulk_open())
		log_warn(NULL, "long bodies are not read in turns", "error=\"%s\"", strerror(errno));
	tick = loop_every(TICK_MS, http_on_tick, NULL);
	return true;
}

bool
http_listen_on(int fd, bool tls)
{
	struct listener *l = &listeners[n_listeners];

	assert(n_listeners < LISTENERS_MAX);
	*l = (struct listener){mem_zalloc(sizeof *l->poll), fd, tls};
	l->poll->data = l;
	if (uv_poll_init(loop_uv(), l->poll, fd) != 0 || uv_poll_start(l->poll, UV_READABLE, on_accept) != 0) {
		log_error(NULL, "cannot poll a listening socket", "fd=%d", fd);
		return false;
	}
	n_listeners++;
	return true;
}

bool
http_tls(const char *cert, const char *key)
{
	return tls_setup(cert, key);
}

bool
http_listen(const struct http_handler *h, const char *ws_path)
{
	bool tls = *conf.tls_cert != '\0';
	int fd;

	if ((tls && !http_tls(conf.tls_cert, conf.tls_key)) || !http_open(h, ws_path))
		return false;
	fd = listen_socket();
	return fd >= 0 && http_listen_on(fd, tls);
}

/* An idle connection within this machine is left to the kernel: what was written into it and never read resets it then, and its writer learns that
 * nothing was begun. Our FIN would look like the end of who took it. What still comes is answered, and that answer is the last. */
static void
finish_list(enum conn_list l)
{
	for (struct conn *c = lists[l].first, *next; c != NULL; c = next) {
		next = c->next;
		if (l != LIST_IDLE || c->family != AF_UNIX)
			conn_finish(c);
	}
}

void
http_drain(void)
{
	struct conn *c, *next;

	if (http_draining)
		return;
	http_draining = true;
	listen_stop();
	finish_list(LIST_IDLE);
	finish_list(LIST_UNSENT);
	ws_drain();
	for (c = lists[LIST_H2].first; c != NULL; c = next) {
		next = c->next;
		h2_drain(c);
	}
}

unsigned
http_unsent_answers(void)
{
	unsigned n = 0;

	for (const struct conn *c = lists[LIST_CLOSING].first; c != NULL; c = c->next)
		n += c->fin_due && !c->fin_sent;
	return n;
}

unsigned
http_open_sockets(void)
{
	return http_sockets;
}

void
http_fini(void)
{
	int i;

	listen_stop();
	loop_timer_stop(&tick);
	if (context == NULL)
		return;
	/* On a loop of ours lws closes its handles through the loop, then wants a second call. */
	lws_context_destroy(context);
	bulk_fini();
	for (i = 0; i < 100; i++)
		uv_run(loop_uv(), UV_RUN_NOWAIT);
	if (context != NULL)
		lws_context_destroy(context);
	context = NULL;
	tls_fini();
}
