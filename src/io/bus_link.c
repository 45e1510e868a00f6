/* One connection to Redis on the loop: names, handshake, watch-dog, reconnection.
 *
 * A command is answered exactly once, by its reply or by NULL. While the link is on its way up commands are held back, for HOLD at
 * most. The poller is our own: the one that comes with older hiredis does not notice a refused connection. */
#include "bus_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum {
	BACKOFF_MIN = 50,	/* ms between attempts */
	BACKOFF_MAX = 2000,
	STEADY = 2000,		/* ms a link must have been up for the back-off to begin anew */
	CONNECT_MAX = 5000,	/* ms for names, connection and handshake */
	SILENCE_MAX = 10000,	/* ms without a reply while one is due: the connection is dead */
	HOLD = 1500,		/* ms a command waits for a link that is down */
	HELD_MAX = 1000,
	PENDING_MAX = 50000,
	WATCH = 500
};

enum link_state {
	LINK_DOWN,		/* waits for the next attempt */
	LINK_CONNECTING,	/* names, connection, AUTH, SELECT, PING */
	LINK_UP
};

struct op {			/* a command without its reply */
	struct bus_link *link;
	bus_fn fn;
	void *arg;
	struct op *prev, *next;	/* among the held */
	uint64_t since;
	char *text;		/* held: the command as sent */
	int len;
};

struct resolve {
	uv_getaddrinfo_t req;
	struct bus_link *link;	/* NULL: nobody waits any more */
};

struct poller {
	uv_poll_t uv;
	redisAsyncContext *ac;	/* NULL: hiredis has let go */
	int events;
	bool soon;		/* what is to be written will be, at the end of this turn */
	bool writing, closed;
};

struct bus_link {
	unsigned magic;
	enum link_state state;
	struct arena *arena;
	struct bus_url url;
	redisAsyncContext *ac;
	struct resolve *resolve;
	struct loop_timer *timer;	/* DOWN: the next attempt; CONNECTING: gives up */
	struct loop_timer *watch;	/* runs while something is pending or held */
	unsigned backoff;
	uint64_t up_since, heard;
	unsigned pending;
	struct op *held, *held_last;
	unsigned n_held;
	bool complained;	/* one log line per outage */
	void (*on_up)(void *);
	void (*on_down)(void *);
	void *arg;
};

static const char *refusal;	/* why the configured Redis cannot be used; NULL: it can, or has not answered yet */

static void bus_link_begin(void *arg);
static void watch_tick(void *arg);

/* ---- the poller ---- */

static void
poller_closed(uv_handle_t *h)
{
	struct poller *p = h->data;

	p->closed = true;
	if (!p->soon)
		free(p);
}

static void
bus_link_on_poll(uv_poll_t *h, int status, int events)
{
	struct poller *p = h->data;

	if (status < 0)		/* libuv has stopped the handle; hiredis finds out what is wrong when it tries */
		events = UV_READABLE | UV_WRITABLE;
	if (p->ac != NULL && (events & UV_READABLE))
		redisAsyncHandleRead(p->ac);
	if (p->ac != NULL && (events & UV_WRITABLE))
		redisAsyncHandleWrite(p->ac);
	if (status < 0 && p->ac != NULL && p->events != 0)
		uv_poll_start(&p->uv, p->events, bus_link_on_poll);
}

static void
poller_want(struct poller *p, int events)
{
	if (p->events == events)
		return;
	p->events = events;
	if (events != 0)
		uv_poll_start(&p->uv, events, bus_link_on_poll);
	else
		uv_poll_stop(&p->uv);
}

static void
add_read(void *d)
{
	poller_want(d, ((struct poller *)d)->events | UV_READABLE);
}

static void
del_read(void *d)
{
	poller_want(d, ((struct poller *)d)->events & ~UV_READABLE);
}

/* The commands of a turn go out at its end, in one piece; only what the socket does not take then is waited for. */
static void
poller_write(void *arg)
{
	struct poller *p = arg;

	p->soon = false;
	p->writing = true;
	if (p->ac != NULL)
		redisAsyncHandleWrite(p->ac);	/* asks for another write when something is left; may let go */
	p->writing = false;
	if (p->closed)
		free(p);
}

/* A connection that is not there yet is told of by being writable. */
static void
add_write(void *d)
{
	struct poller *p = d;

	if (p->writing || !(p->ac->c.flags & REDIS_CONNECTED)) {
		poller_want(p, p->events | UV_WRITABLE);
	} else if (!p->soon && !(p->events & UV_WRITABLE)) {
		p->soon = true;
		loop_soon(poller_write, p);
	}
}

static void
del_write(void *d)
{
	poller_want(d, ((struct poller *)d)->events & ~UV_WRITABLE);
}

static void
cleanup(void *d)
{
	struct poller *p = d;

	if (p->ac == NULL)
		return;
	p->ac = NULL;
	uv_close((uv_handle_t *)&p->uv, poller_closed);
}

static bool
bus_link_attach(redisAsyncContext *ac)
{
	struct poller *p = mem_zalloc(sizeof *p);

	if (uv_poll_init(loop_uv(), &p->uv, ac->c.fd) != 0) {
		free(p);
		return false;
	}
	p->uv.data = p;
	p->ac = ac;
	ac->ev.data = p;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = cleanup;
	return true;
}

/* ---- commands ---- */

static void
bus_link_watch(struct bus_link *l)
{
	if (l->watch == NULL && (l->pending > 0 || l->n_held > 0))
		l->watch = loop_every(WATCH, watch_tick, l);
}

static void
op_end(struct op *op, const redisReply *r)
{
	bus_fn fn = op->fn;
	void *arg = op->arg;

	if (op->text != NULL)
		redisFreeCommand(op->text);
	free(op);
	if (r == NULL || r->type == REDIS_REPLY_ERROR)
		metric_add(M_bus_errors, 1);
	fn(r, arg);
}

/* The server we talk to has become a replica: look its name up again. */
static bool
is_demoted(const redisReply *r)
{
	return r->type == REDIS_REPLY_ERROR && r->len > 8 && memcmp(r->str, "READONLY", 8) == 0;
}

static void
on_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct bus_link *l = ac->data;	/* NULL: dropped or closed */
	struct op *op = privdata;
	bool demoted = reply != NULL && is_demoted(reply);

	if (l != NULL) {
		l->pending--;
		l->heard = loop_now();
	}
	op_end(op, reply);
	if (demoted && ac->data != NULL)
		link_drop(ac->data, "the server became a replica");
}

/* True when it went out. */
static bool
op_send(struct bus_link *l, struct op *op, const char *text, size_t len)
{
	if (l->ac == NULL)	/* it is being let go of: what was under way is answered first, and may ask anew */
		return false;
	if (redisAsyncFormattedCommand(l->ac, on_reply, op, text, len) != REDIS_OK)
		return false;
	if (l->pending++ == 0)
		l->heard = loop_now();
	metric_add(M_bus_commands, 1);
	return true;
}

static void
hold(struct bus_link *l, struct op *op)
{
	op->since = loop_now();
	op->prev = l->held_last;
	if (l->held_last != NULL)
		l->held_last->next = op;
	else
		l->held = op;
	l->held_last = op;
	l->n_held++;
}

static struct op *
unhold_first(struct bus_link *l)
{
	struct op *op = l->held;

	if (op == NULL)
		return NULL;
	l->held = op->next;
	if (l->held != NULL)
		l->held->prev = NULL;
	else
		l->held_last = NULL;
	op->next = NULL;
	l->n_held--;
	return op;
}

static void
send_held(struct bus_link *l)
{
	struct op *op;

	while (l->state == LINK_UP && (op = unhold_first(l)) != NULL)
		if (!op_send(l, op, op->text, (size_t)op->len))
			op_end(op, NULL);
	bus_link_watch(l);
}

static char *
format(int argc, const struct str *argv, int *len_out)
{
	const char **v = mem_alloc((size_t)argc * sizeof *v);
	size_t *n = mem_alloc((size_t)argc * sizeof *n);
	char *text = NULL;

	for (int i = 0; i < argc; i++) {
		v[i] = argv[i].p ? argv[i].p : "";
		n[i] = argv[i].n;
	}
	*len_out = redisFormatCommandArgv(&text, argc, v, n);
	if (*len_out < 0)
		mem_fatal(0);
	free(v);
	free(n);
	return text;
}

bool
link_send(struct bus_link *l, bus_fn fn, void *arg, int argc, const struct str *argv)
{
	struct op *op;
	bool ok = true;

	assert(l->magic == BUS_LINK_MAGIC);
	if (l->pending >= PENDING_MAX || l->n_held >= HELD_MAX)
		return false;
	op = mem_zalloc(sizeof *op);
	op->link = l;
	op->fn = fn;
	op->arg = arg;
	op->text = format(argc, argv, &op->len);
	if (l->state != LINK_UP)
		hold(l, op);
	else
		ok = op_send(l, op, op->text, (size_t)op->len);
	if (!ok || l->state == LINK_UP) {
		redisFreeCommand(op->text);
		op->text = NULL;
	}
	if (!ok)
		free(op);
	bus_link_watch(l);
	return ok;
}

/* ---- life ---- */

static void
bus_link_retry(struct bus_link *l, const char *why)
{
	bool was_up = l->state == LINK_UP;

	if (was_up && loop_now() - l->up_since >= STEADY)
		l->backoff = BACKOFF_MIN;
	if (!l->complained)
		log_warn(NULL, "redis is away", "why=%s", why);
	l->complained = true;
	l->state = LINK_DOWN;
	l->pending = 0;
	loop_timer_stop(&l->timer);
	l->timer = loop_after(l->backoff, bus_link_begin, l);
	l->backoff = l->backoff * 2 < BACKOFF_MAX ? l->backoff * 2 : BACKOFF_MAX;
	if (was_up && l->on_down != NULL)
		l->on_down(l->arg);
}

/* Lets go of the connection: its commands are answered with NULL now, or at the end of the callback that runs. */
static void
bus_link_let_go(struct bus_link *l)
{
	redisAsyncContext *ac = l->ac;

	if (l->resolve != NULL)
		l->resolve->link = NULL;
	l->resolve = NULL;
	l->ac = NULL;
	if (ac == NULL)
		return;
	ac->data = NULL;
	redisAsyncFree(ac);
}

void
link_drop(struct bus_link *l, const char *why)
{
	assert(l->magic == BUS_LINK_MAGIC);
	if (l->state == LINK_DOWN)
		return;
	bus_link_let_go(l);
	bus_link_retry(l, why);
}

static void
bus_link_give_up(void *arg)
{
	struct bus_link *l = arg;

	l->timer = NULL;
	link_drop(l, "no connection in time");
}

static void
on_disconnect(const redisAsyncContext *ac, int status)
{
	struct bus_link *l = ac->data;

	(void)status;
	if (l == NULL)
		return;
	l->ac = NULL;
	bus_link_retry(l, ac->errstr != NULL && ac->errstr[0] ? ac->errstr : "connection closed");
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
	struct bus_link *l = ac->data;

	if (l == NULL || status == REDIS_OK)
		return;
	l->ac->data = NULL;	/* hiredis frees it by itself */
	l->ac = NULL;
	bus_link_retry(l, ac->errstr != NULL && ac->errstr[0] ? ac->errstr : "connection refused");
}

static void
on_hello(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct bus_link *l = ac->data;
	redisReply *r = reply;
	bool last = privdata != NULL;

	if (l == NULL || r == NULL)
		return;		/* on_connect or on_disconnect tells */
	if (r->type == REDIS_REPLY_ERROR) {
		link_drop(l, r->str);
		return;
	}
	if (!last)
		return;
	loop_timer_stop(&l->timer);
	l->state = LINK_UP;
	l->up_since = loop_now();
	if (l->complained)
		log_info(NULL, "redis is back", NULL);
	l->complained = false;
	metric_add(M_bus_connects, 1);
	if (l->on_up != NULL)
		l->on_up(l->arg);
	send_held(l);
}

/* Nodes of a cluster that hold slots; 0 when the server is not in cluster mode, or does not tell. */
static size_t
masters(const redisReply *r)
{
	size_t n = 0;

	if (r->type != REDIS_REPLY_ARRAY)
		return 0;
	for (size_t i = 0; i < r->elements; i++) {
		const redisReply *range = r->element[i], *node = range->elements > 2 ? range->element[2] : NULL;
		bool seen = node == NULL || node->elements < 3 || node->element[2]->type != REDIS_REPLY_STRING;

		for (size_t k = 0; k < i && !seen; k++)
			seen = r->element[k]->elements > 2 && r->element[k]->element[2]->elements > 2 &&
			    strcmp(r->element[k]->element[2]->element[2]->str, node->element[2]->str) == 0;
		n += !seen;
	}
	return n;
}

/* We do not follow a redirection to another node: half of all commands would fail, so none is sent. */
static void
on_slots(redisAsyncContext *ac, void *reply, void *privdata)
{
	static const char why[] = "redis_url names one of several nodes of a cluster: one node must hold all slots";
	struct bus_link *l = ac->data;

	(void)privdata;
	if (l == NULL || reply == NULL)
		return;
	if (masters(reply) < 2) {
		refusal = NULL;
		return;
	}
	if (refusal == NULL)
		log_error(NULL, "this Redis cannot be used", "why=\"%s\"", why);
	refusal = why;
	link_drop(l, why);
}

const char *
bus_refusal(void)
{
	return refusal;
}

static void
hello(struct bus_link *l)
{
	const struct bus_url *u = &l->url;

	if (u->password != NULL && u->user != NULL)
		redisAsyncCommand(l->ac, on_hello, NULL, "AUTH %s %s", u->user, u->password);
	else if (u->password != NULL)
		redisAsyncCommand(l->ac, on_hello, NULL, "AUTH %s", u->password);
	if (u->db != 0)
		redisAsyncCommand(l->ac, on_hello, NULL, "SELECT %lld", (long long)u->db);
	redisAsyncCommand(l->ac, NULL, NULL, "CLIENT SETNAME " BUS_CLIENT_NAME);	/* who is refused that passes for an earlier version */
	redisAsyncCommand(l->ac, on_slots, NULL, "CLUSTER SLOTS");
	redisAsyncCommand(l->ac, on_hello, l, "PING");	/* refused while the server still loads */
}

static void
use(struct bus_link *l, redisAsyncContext *ac)
{
	char why[128];

	if (ac == NULL)
		mem_fatal(sizeof *ac);
	if (ac->err != 0 || !bus_link_attach(ac)) {
		snprintf(why, sizeof why, "%s", ac->errstr ? ac->errstr : "cannot connect");
		redisAsyncFree(ac);
		bus_link_retry(l, why);
		return;
	}
	ac->data = l;
	l->ac = ac;
	redisAsyncSetConnectCallback(ac, on_connect);
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	hello(l);
}

static void
bus_link_on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct resolve *r = req->data;
	struct bus_link *l = r->link;
	char ip[64];

	free(r);
	if (l == NULL) {
		uv_freeaddrinfo(res);
		return;
	}
	l->resolve = NULL;
	if (status != 0 || getnameinfo(res->ai_addr, res->ai_addrlen, ip, sizeof ip, NULL, 0, NI_NUMERICHOST) != 0) {
		uv_freeaddrinfo(res);
		link_drop(l, "unknown host");
		return;
	}
	uv_freeaddrinfo(res);
	use(l, redisAsyncConnect(ip, atoi(l->url.port)));
}

static void
bus_link_begin(void *arg)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct bus_link *l = arg;

	assert(l->magic == BUS_LINK_MAGIC && l->state == LINK_DOWN);
	l->state = LINK_CONNECTING;
	l->timer = loop_after(CONNECT_MAX, bus_link_give_up, l);
	if (l->url.path != NULL) {
		use(l, redisAsyncConnectUnix(l->url.path));
		return;
	}
	l->resolve = mem_zalloc(sizeof *l->resolve);
	l->resolve->link = l;
	l->resolve->req.data = l->resolve;
	if (uv_getaddrinfo(loop_uv(), &l->resolve->req, bus_link_on_resolved, l->url.host, l->url.port, &hints) == 0)
		return;
	free(l->resolve);
	l->resolve = NULL;
	link_drop(l, "the host's name cannot be looked up");
}

static void
watch_tick(void *arg)
{
	struct bus_link *l = arg;
	uint64_t now = loop_now();

	while (l->held != NULL && now - l->held->since > HOLD)
		op_end(unhold_first(l), NULL);
	if (l->pending > 0 && now - l->heard > SILENCE_MAX)
		link_drop(l, "no reply in time");
	if (l->pending == 0 && l->n_held == 0)
		loop_timer_stop(&l->watch);
}

struct bus_link *
link_open(void (*on_up)(void *), void (*on_down)(void *), void *arg)
{
	struct bus_link *l = mem_zalloc(sizeof *l);
	const char *why;

	l->magic = BUS_LINK_MAGIC;
	l->arena = arena_new();
	l->backoff = BACKOFF_MIN;
	l->on_up = on_up;
	l->on_down = on_down;
	l->arg = arg;
	if (bus_url_parse(l->arena, str_c(conf.redis_url), &l->url, &why))
		l->timer = loop_after(0, bus_link_begin, l);
	else
		log_error(NULL, "redis_url cannot be used", "why=%s", why);
	return l;
}

struct bus_link *
bus_link_open(void (*on_down)(void *), void *arg)
{
	return link_open(NULL, on_down, arg);
}

void
bus_link_close(struct bus_link **lp)
{
	struct bus_link *l = *lp;
	struct op *op;

	*lp = NULL;
	if (l == NULL)
		return;
	assert(l->magic == BUS_LINK_MAGIC);
	l->state = LINK_DOWN;
	bus_link_let_go(l);
	while ((op = unhold_first(l)) != NULL)
		op_end(op, NULL);
	loop_timer_stop(&l->timer);
	loop_timer_stop(&l->watch);
	l->magic = 0;
	arena_free(&l->arena);
	free(l);
}

bool
bus_link_up(const struct bus_link *l)
{
	return l != NULL && l->state == LINK_UP;
}

int64_t
bus_link_db(const struct bus_link *l)
{
	return l->url.db;
}
