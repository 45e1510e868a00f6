/* Bodies that are long: their sockets are read in turns.
 *
 * A turn of the loop takes every socket that is ready, so after a moment without a core a thousand uploads would be read, a piece each, before anybody else is
 * looked at again. A connection whose body goes on after its first pieces is therefore read here, from a set of its own of which a turn takes a few at a time
 * and stops after half a millisecond; the others are read by lws, in each turn. The kernel keeps those that are ready in a ring: each has its turn. */
#include "http_priv.h"

#include <assert.h>
#include <errno.h>
#include <libwebsockets.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum { AT_ONCE = 4, TURN_NS = 500000 };

static char input[PIECE];
static int ready = -1;			/* epoll; -1: not open */
static uv_poll_t ready_handle;

/* In the set, as long as it is read: of who is in it the kernel tells also that it has hung up, again and again. */
static void
bulk_set(struct conn *c, bool in)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (epoll_ctl(ready, in ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, lws_get_socket_fd(c->wsi), &ev) != 0 && in)
		conn_doom(c);
}

void
bulk_enter(struct conn *c)
{
	if (c->bulk || ready < 0 || conn_ending(c))
		return;
	c->bulk = true;
	metric_add(M_http_bulk, 1);
	if (c->deaf)
		return;
	lws_rx_flow_control(c->wsi, 0);
	bulk_set(c, true);
}

void
bulk_forget(struct conn *c)
{
	if (!c->bulk)
		return;
	c->bulk = false;
	metric_add(M_http_bulk, -1);
	if (!c->deaf)
		bulk_set(c, false);
}

void
bulk_listen(struct conn *c)
{
	bulk_set(c, !c->deaf);
}

static void
bulk_leave(struct conn *c)
{
	bulk_forget(c);
	if (!c->deaf)
		lws_rx_flow_control(c->wsi, 1);
}

/* Its body goes on. */
static bool
bulk_goes_on(const struct conn *c)
{
	return c->proto == PROTO_H1 && c->msg != NULL && !c->msg->ended;
}

/* A body of known length over a plain socket needs nobody to look at it on its way. */
static char *
bulk_room(struct conn *c, size_t *room_out)
{
	char *p = c->tls == NULL && c->list == LIST_BUSY && bulk_goes_on(c) ? stream_room_in(c->msg, room_out) : NULL;

	if (p == NULL)
		*room_out = sizeof input;
	return p;
}

static void
bulk_took(struct conn *c, size_t n)
{
	struct msg *x = c->msg;

	stream_took_in(x, n);
	if (x->m.received == (uint64_t)x->m.length)
		msg_body_end(x);
}

static void
bulk_read(struct conn *c)
{
	size_t room;
	char *straight;
	ssize_t n;

	if (!c->bulk || c->deaf || c->list == LIST_DOOMED)	/* since the kernel named it */
		return;
	straight = bulk_room(c, &room);
	do
		n = recv(lws_get_socket_fd(c->wsi), straight ? straight : input, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n <= 0) {
		conn_doom(c);
		return;
	}
	if (straight != NULL)
		bulk_took(c, (size_t)n);
	else
		conn_received(c, input, (size_t)n);
	if (c->list != LIST_DOOMED && !bulk_goes_on(c))
		bulk_leave(c);
}

/* All that were named are read, else some would be passed over again and again; so few at a time. */
static void
on_bulk(uv_poll_t *h, int status, int events)
{
	uint64_t began = uv_hrtime();
	struct epoll_event v[AT_ONCE];
	int n;

	(void)h, (void)status, (void)events;
	do {
		n = epoll_wait(ready, v, AT_ONCE, 0);
		for (int i = 0; i < n; i++)
			bulk_read(conn_cast(v[i].data.ptr));
	} while (n == AT_ONCE && uv_hrtime() - began < TURN_NS);
}

bool
bulk_open(void)
{
	assert(ready < 0);
	ready = epoll_create1(EPOLL_CLOEXEC);
	if (ready < 0)
		return false;
	if (uv_poll_init(loop_uv(), &ready_handle, ready) != 0 || uv_poll_start(&ready_handle, UV_READABLE, on_bulk) != 0) {
		close(ready);
		ready = -1;
		return false;
	}
	uv_unref((uv_handle_t *)&ready_handle);
	return true;
}

static void
bulk_closed(uv_handle_t *h)
{
	(void)h;
	close(ready);
	ready = -1;
}

void
bulk_fini(void)
{
	if (ready >= 0 && !uv_is_closing((uv_handle_t *)&ready_handle))
		uv_close((uv_handle_t *)&ready_handle, bulk_closed);
}
