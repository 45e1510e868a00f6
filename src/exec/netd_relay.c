/* What a sandbox reaches through us: names (127.0.0.53), the server's API (127.0.0.54), and what is connected to it from outside. The sockets that we listen at
 * are of its namespace, those behind them of ours. Everything is bounded per network: one that floods is not listened to until it has room again. */
#include "netd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PAIRS_MAX = 64, ALL_PAIRS_MAX = 4096, QUERIES_MAX = 64, QUERY_BYTES = 4096, WINDOW = 16 * 1024, QUERY_MS = 5000, SLOW_MS = 1500, BRIDGES_MAX = 4, HEAD = 12, LOOP_NET = 0x7f420000 };

struct way {			/* bytes on their way from one socket to the other */
	char *p;		/* WINDOW, while there are some */
	size_t at, n;
	bool ended;		/* no more come */
	bool shut;		/* and the receiver has been told */
};

struct side {
	struct netd_watch watch;	/* first */
	struct pair *pair;
};

struct pair {
	struct netd_relays *relays;
	struct side sides[2];	/* who came, whom it is connected to */
	struct way ways[2];	/* from sides[i] to the other */
	bool connecting, dead;
	const struct netd_address *targets;
	int n_targets;
	struct pair *next, **link;
};

struct query {
	struct netd_watch watch;	/* first; connected to the server */
	struct netd_relays *relays;
	struct sockaddr_in from;
	uint16_t id, ours;
	int server;
	uint64_t since;
	bool dead;
	size_t n;
	uint8_t bytes[QUERY_BYTES];
	struct query *next, **link;
};

struct door {			/* where we listen */
	struct netd_watch watch;	/* first */
	struct netd_relays *relays;
	const struct netd_address *targets;	/* NULL: a port in there */
	int n_targets, port;
	bool open;
};

struct netd_relays {
	struct netd_net *net;
	struct door dns_udp, dns_tcp, api, bridges[BRIDGES_MAX];
	struct pair *pairs;
	struct query *queries;
	int n_pairs, n_queries, n_bridges;
	int server;		/* the one that answers */
	struct netd_relays *next, **link;
};

static struct netd_relays *all;
static int all_pairs, reserve = -1;	/* reserve: a descriptor, to turn away with when there are no others */

/* ---- streams ---- */

static void
pair_close(struct pair *p)
{
	struct netd_relays *r = p->relays;

	if (p->dead)
		return;
	p->dead = true;
	for (int i = 0; i < 2; i++) {
		if (p->sides[i].watch.fd >= 0) {
			netd_unwatch(&p->sides[i].watch);
			close(p->sides[i].watch.fd);
		}
		free(p->ways[i].p);
	}
	if ((*p->link = p->next) != NULL)
		p->next->link = p->link;
	netd_after_turn(p);
	all_pairs--;
	if (r->n_pairs-- == PAIRS_MAX)	/* listened to again */
		for (struct door *d = &r->dns_tcp; d < r->bridges + r->n_bridges; d++)
			if (d->open)
				netd_watch(&d->watch, EPOLLIN);
}

/* Moves what can be moved; false: it is over. */
static bool
way_move(struct pair *p, int i)
{
	struct way *w = &p->ways[i];
	int from = p->sides[i].watch.fd, to = p->sides[1 - i].watch.fd;
	ssize_t n;

	for (int turns = 0; turns < 16; turns++) {
		if (w->n == 0 && !w->ended) {
			if (w->p == NULL && (w->p = malloc(WINDOW)) == NULL)
				return false;
			n = recv(from, w->p, WINDOW, 0);
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				break;
			if (n < 0)
				return false;
			w->at = 0;
			w->n = (size_t)n;
			w->ended = n == 0;
		}
		if (w->n == 0)
			break;
		n = send(to, w->p + w->at, w->n, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n < 0)
			return true;
		w->at += (size_t)n;
		w->n -= (size_t)n;
	}
	if (w->n == 0 && w->p != NULL) {	/* who is idle holds nothing */
		free(w->p);
		w->p = NULL;
	}
	if (w->ended && w->n == 0 && !w->shut) {
		w->shut = true;
		shutdown(to, SHUT_WR);
	}
	return !(p->ways[0].shut && p->ways[1].shut);
}

static void
pair_wait(struct pair *p)
{
	for (int i = 0; i < 2; i++)
		netd_watch(&p->sides[i].watch, (p->ways[i].n == 0 && !p->ways[i].ended ? EPOLLIN : 0U) | (p->ways[1 - i].n > 0 ? EPOLLOUT : 0U));
}

static void pair_on_side(struct netd_watch *w, uint32_t events);

/* To this machine itself from an address that says whose it is: what comes from LOOP_NET is never taken for a client of this machine (model/proxy.h). */
static int
target_connect(const struct netd_address *to, bool marked, uint32_t address)
{
	struct sockaddr_in us = {.sin_family = AF_INET, .sin_addr = {htonl((uint32_t)LOOP_NET | (address >> 2 & 0xffff))}};
	int s = socket(to->a.sin6_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), e;

	if (s < 0)
		return -1;
	if (marked && to->a.sin6_family == AF_INET)
		(void)!bind(s, (struct sockaddr *)&us, sizeof us);
	if (connect(s, (const struct sockaddr *)&to->a, to->n) == 0 || errno == EINPROGRESS)
		return s;
	e = errno;
	close(s);
	errno = e;
	return -1;
}

/* The next address to try; false: there is none. */
static bool
pair_connect(struct pair *p)
{
	struct netd_watch *w = &p->sides[1].watch;

	for (; p->n_targets > 0; p->n_targets--, p->targets++) {
		int s = target_connect(p->targets, true, p->relays->net->address);

		if (s < 0 && errno == EINVAL)	/* it is on another machine */
			s = target_connect(p->targets, false, 0);
		if (s < 0)
			continue;
		p->n_targets--;
		p->targets++;
		*w = (struct netd_watch){pair_on_side, s};
		p->connecting = true;
		netd_watch(w, EPOLLOUT);
		return true;
	}
	return false;
}

static void
pair_on_side(struct netd_watch *w, uint32_t events)
{
	struct pair *p = ((struct side *)w)->pair;
	int e = 0;
	socklen_t n = sizeof e;

	(void)events;
	if (p->dead)
		return;
	if (p->connecting) {
		if (w != &p->sides[1].watch)
			return;
		getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &e, &n);
		if (e != 0) {
			netd_unwatch(w);
			close(w->fd);
			w->fd = -1;
			if (!pair_connect(p))
				pair_close(p);
			return;
		}
		p->connecting = false;
	}
	if (way_move(p, 0) && way_move(p, 1))
		pair_wait(p);
	else
		pair_close(p);
}

static int
door_inside(struct door *d)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)d->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int s = netd_space_socket(d->relays->net, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (s >= 0 && connect(s, (struct sockaddr *)&a, sizeof a) != 0 && errno != EINPROGRESS) {
		close(s);
		s = -1;
	}
	return s;
}

/* Too many over all networks: who comes last is told. */
static void
turn_away(int s)
{
	struct linger now = {.l_onoff = 1};

	if (s >= 0) {
		setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		close(s);
	}
	if (reserve < 0 || fcntl(reserve, F_GETFD) < 0)
		reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
door_on_stream(struct netd_watch *w, uint32_t events)
{
	struct door *d = (struct door *)w;
	struct netd_relays *r = d->relays;
	int s = d->open ? accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;
	struct pair *p;

	(void)events;
	if (s < 0 && d->open && (errno == EMFILE || errno == ENFILE)) {
		close(reserve);
		s = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);
		turn_away(s);
		return;
	}
	if (s < 0)
		return;
	if (all_pairs >= ALL_PAIRS_MAX) {
		turn_away(s);
		return;
	}
	all_pairs++;
	if ((p = calloc(1, sizeof *p)) == NULL)
		abort();
	*p = (struct pair){.relays = r, .sides = {{{pair_on_side, s}, p}, {{pair_on_side, -1}, p}}, .targets = d->targets, .n_targets = d->n_targets, .next = r->pairs, .link = &r->pairs};
	if (r->pairs != NULL)
		r->pairs->link = &p->next;
	r->pairs = p;
	if (++r->n_pairs == PAIRS_MAX)
		for (struct door *i = &r->dns_tcp; i < r->bridges + r->n_bridges; i++)
			if (i->open)
				netd_watch(&i->watch, 0);
	if (d->targets == NULL && (p->sides[1].watch.fd = door_inside(d)) >= 0) {
		p->connecting = true;
		netd_watch(&p->sides[1].watch, EPOLLOUT);
	} else if (d->targets == NULL || !pair_connect(p)) {
		pair_close(p);
	}
}

/* ---- names ---- */

static void
query_close(struct query *q)
{
	if (q->dead)
		return;
	q->dead = true;
	if (q->watch.fd >= 0) {
		netd_unwatch(&q->watch);
		close(q->watch.fd);
	}
	if ((*q->link = q->next) != NULL)
		q->next->link = q->link;
	q->relays->n_queries--;
	netd_after_turn(q);
}

static void
query_on_answer(struct netd_watch *w, uint32_t events)
{
	struct query *q = (struct query *)w;
	uint8_t bytes[65536];
	ssize_t n;

	(void)events;
	if (q->dead)
		return;
	n = recv(w->fd, bytes, sizeof bytes, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR)	/* nobody is there: the next one, by the sweep */
		q->since = netd_now() - SLOW_MS - 1;
	if (n < HEAD || memcmp(bytes, &q->ours, 2) != 0 || (bytes[2] & 0x80) == 0)
		return;
	memcpy(bytes, &q->id, 2);
	(void)!sendto(q->relays->dns_udp.watch.fd, bytes, (size_t)n, 0, (struct sockaddr *)&q->from, sizeof q->from);
	q->relays->server = q->server;
	query_close(q);
}

/* Sends it to its server, by a socket of its own: who would answer in the server's place has to guess its port besides the number. */
static bool
query_send(struct query *q)
{
	const struct netd_address *to = &q->relays->net->made.dns[q->server];

	if (q->watch.fd >= 0) {
		netd_unwatch(&q->watch);
		close(q->watch.fd);
	}
	q->watch.fd = socket(to->a.sin6_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->watch.fd < 0 || getrandom(&q->ours, sizeof q->ours, 0) != sizeof q->ours)
		return false;
	memcpy(q->bytes, &q->ours, 2);
	if (connect(q->watch.fd, (const struct sockaddr *)&to->a, to->n) == 0)
		(void)!send(q->watch.fd, q->bytes, q->n, MSG_NOSIGNAL);
	netd_watch(&q->watch, EPOLLIN);
	return true;
}

static void
door_on_query(struct netd_watch *w, uint32_t events)
{
	struct netd_relays *r = ((struct door *)w)->relays;
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	uint8_t bytes[QUERY_BYTES];
	ssize_t n = ((struct door *)w)->open ? recvfrom(w->fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size) : -1;
	struct query *q;

	(void)events;
	if (n < HEAD || (bytes[2] & 0x80) != 0 || r->n_queries >= QUERIES_MAX || r->net->made.n_dns == 0)
		return;
	if ((q = calloc(1, sizeof *q)) == NULL)
		abort();
	q->watch = (struct netd_watch){query_on_answer, -1};
	q->relays = r;
	q->from = from;
	q->server = r->server;
	q->since = netd_now();
	q->n = (size_t)n;
	memcpy(q->bytes, bytes, (size_t)n);
	memcpy(&q->id, bytes, 2);
	q->next = r->queries;
	q->link = &r->queries;
	if (r->queries != NULL)
		r->queries->link = &q->next;
	r->queries = q;
	r->n_queries++;
	if (!query_send(q))
		query_close(q);
}

/* A server that says nothing is passed over. */
int
netd_relays_sweep(void)
{
	uint64_t now = netd_now();
	bool some = false;

	for (struct netd_relays *r = all; r != NULL; r = r->next)
		for (struct query *q = r->queries, *next; q != NULL; q = next) {
			int tried = (q->server - r->server + r->net->made.n_dns) % r->net->made.n_dns;

			next = q->next;
			some = true;
			if (now - q->since > QUERY_MS) {
				query_close(q);
			} else if (now - q->since > SLOW_MS && tried + 1 < r->net->made.n_dns) {
				q->server = (q->server + 1) % r->net->made.n_dns;
				q->since = now;
				if (!query_send(q))
					query_close(q);
			}
		}
	return some ? 100 : -1;
}

/* ---- all of a network ---- */

static void
door_open(struct door *d, struct netd_relays *r, void (*fn)(struct netd_watch *w, uint32_t events), int fd, const struct netd_address *targets, int n)
{
	*d = (struct door){.watch = {fn, fd}, .relays = r, .targets = targets, .n_targets = n, .open = true};
	netd_watch(&d->watch, r->n_pairs < PAIRS_MAX || fn == door_on_query ? EPOLLIN : 0);
}

struct netd_relays *
netd_relays_open(struct netd_net *n)
{
	struct netd_relays *r = calloc(1, sizeof *r);

	if (r == NULL)
		abort();
	turn_away(-1);		/* there is one from the beginning */
	r->net = n;
	r->next = all;
	r->link = &all;
	if (all != NULL)
		all->link = &r->next;
	all = r;
	door_open(&r->dns_udp, r, door_on_query, n->fds[FD_DNS_UDP], NULL, 0);
	door_open(&r->dns_tcp, r, door_on_stream, n->fds[FD_DNS_TCP], n->made.dns, n->made.n_dns);
	door_open(&r->api, r, door_on_stream, n->fds[FD_API], n->made.api, n->made.n_api);
	return r;
}

bool
netd_relays_bridge(struct netd_relays *r, int listener, int port)
{
	struct door *d = &r->bridges[r->n_bridges];

	if (r->n_bridges == BRIDGES_MAX)
		return false;
	r->n_bridges++;
	door_open(d, r, door_on_stream, listener, NULL, 0);
	d->port = port;
	return true;
}

void
netd_relays_close(struct netd_relays **rp)
{
	struct netd_relays *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	for (struct door *d = &r->dns_udp; d < r->bridges + r->n_bridges; d++) {
		netd_unwatch(&d->watch);
		d->open = false;
		if (d >= r->bridges)
			close(d->watch.fd);
	}
	while (r->queries != NULL)
		query_close(r->queries);
	while (r->pairs != NULL)
		pair_close(r->pairs);
	if ((*r->link = r->next) != NULL)
		r->next->link = r->link;
	netd_after_turn(r);
}
