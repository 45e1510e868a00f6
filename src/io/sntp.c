/* One question to an NTP server (RFC 5905, client mode). The time that we send is random: an answer that does not repeat it is not the server's, and nobody
 * learns our clock. A question outlives who asked until libuv has let go of its handles. */
#include "io/sntp.h"

#include <assert.h>
#include <netdb.h>
#include <sodium.h>
#include <stdlib.h>
#include <uv.h>

#include "core/fiber.h"
#include "core/loop.h"
#include "core/vtime.h"

enum { SNTP_MAGIC = 0x736e7470, PACKET = 48, AT_ONCE_MAX = 16, HOST_SIZE = 256, PORT_SIZE = 8, MODE_SERVER = 4, STRATUM_MAX = 15 };
enum { AT_STRATUM = 1, AT_ORIGIN = 24, AT_RECEIVED = 32, AT_SENT = 40 };	/* offsets in a packet */

static const uint64_t unix_in_ntp = UINT64_C(2208988800);	/* 1970, in seconds since 1900 */

struct question {
	unsigned magic;
	struct fib_event done;
	bool asked;		/* somebody waits */
	int handles;		/* of libuv, that are not closed yet */
	uv_getaddrinfo_t resolve;
	uv_udp_t udp;
	bool open;		/* udp is */
	unsigned char packet[PACKET];
	char in[PACKET * 2];
	int64_t sent_us, ahead_ms;
	const char *why;	/* NULL: ahead_ms is known */
};

static int n_questions;

static void
question_release(struct question *q)
{
	if (q->asked || q->handles > 0)
		return;
	q->magic = 0;
	n_questions--;
	free(q);
}

static void
sntp_on_closed(uv_handle_t *h)
{
	struct question *q = h->data;

	assert(q->magic == SNTP_MAGIC);
	q->handles--;
	question_release(q);
}

/* No more is expected: of what is under way nothing but its end. */
static void
question_end(struct question *q, const char *why)
{
	q->why = why;
	if (q->open)
		uv_close((uv_handle_t *)&q->udp, sntp_on_closed);
	q->open = false;
	fib_signal(&q->done);
}

/* ---- packets ---- */

static uint64_t
read_u32(const unsigned char *p)
{
	return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

/* Microseconds since 1970. The seconds began again in 2036, and the clock with which this is compared is not that far off. */
static int64_t
read_time(const unsigned char *p)
{
	uint64_t s = read_u32(p), fraction = read_u32(p + 4);

	if (s < unix_in_ntp)
		s += UINT64_C(1) << 32;
	return (int64_t)((s - unix_in_ntp) * 1000000 + (fraction * 1000000 >> 32));
}

static void
packet_make(struct question *q)
{
	q->packet[0] = 4 << 3 | 3;	/* version 4, client */
	randombytes_buf(q->packet + AT_SENT, 8);
	q->sent_us = time_now_us();
}

static void
packet_read(struct question *q, const unsigned char *p, size_t n)
{
	int64_t now = time_now_us();

	if (n < PACKET || (p[0] & 7) != MODE_SERVER || memcmp(p + AT_ORIGIN, q->packet + AT_SENT, 8) != 0)
		return;		/* somebody else's: the right one may still come */
	if (p[0] >> 6 == 3 || p[AT_STRATUM] == 0 || p[AT_STRATUM] > STRATUM_MAX || read_u32(p + AT_SENT) == 0) {
		question_end(q, "it is not synchronised, or refuses");
		return;
	}
	/* the way there and back is taken to be equal */
	q->ahead_ms = ((read_time(p + AT_RECEIVED) - q->sent_us) + (read_time(p + AT_SENT) - now)) / 2 / 1000;
	question_end(q, NULL);
}

/* ---- libuv ---- */

static void
sntp_room(uv_handle_t *h, size_t size, uv_buf_t *out)
{
	struct question *q = h->data;

	(void)size;
	*out = uv_buf_init(q->in, sizeof q->in);
}

static void
on_packet(uv_udp_t *h, ssize_t n, const uv_buf_t *b, const struct sockaddr *from, unsigned flags)
{
	struct question *q = h->data;

	(void)flags;
	assert(q->magic == SNTP_MAGIC);
	if (!q->open)
		return;
	if (n < 0)
		question_end(q, uv_strerror((int)n));
	else if (from != NULL)
		packet_read(q, (const unsigned char *)b->base, (size_t)n);
}

/* The socket is connected, so that only this server is heard. */
static const char *
sntp_send(struct question *q, const struct sockaddr *to)
{
	uv_buf_t b = uv_buf_init((char *)q->packet, PACKET);
	int e;

	if ((e = uv_udp_init(loop_uv(), &q->udp)) != 0)
		return uv_strerror(e);
	q->udp.data = q;
	q->open = true;
	q->handles++;
	packet_make(q);
	if ((e = uv_udp_connect(&q->udp, to)) != 0 || (e = uv_udp_recv_start(&q->udp, sntp_room, on_packet)) != 0 || (e = uv_udp_try_send(&q->udp, &b, 1, NULL)) < 0)
		return uv_strerror(e);
	return NULL;
}

static void
sntp_on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct question *q = req->data;
	const char *why;

	assert(q->magic == SNTP_MAGIC);
	q->handles--;
	if (q->asked) {
		why = status != 0 ? "its name is not known" : sntp_send(q, res->ai_addr);
		if (why != NULL)
			question_end(q, why);
	}
	uv_freeaddrinfo(res);
	question_release(q);
}

/* "host", "host:port", "[v6]:port", or a bare IPv6 address. */
static bool
sntp_split(const char *server, char host[HOST_SIZE], char port[PORT_SIZE])
{
	struct str s = str_c(server), h, p = STR("123");

	if (s.n > 0 && s.p[0] == '[') {
		s = (struct str){s.p + 1, s.n - 1};
		h = str_cut(&s, ']');
		if (s.n > 1)
			p = (struct str){s.p + 1, s.n - 1};
	} else {
		h = str_cut(&s, ':');
		if (s.n > 0 && memchr(s.p, ':', s.n) != NULL)
			h = str_c(server);
		else if (s.n > 0)
			p = s;
	}
	if (h.n == 0 || h.n >= HOST_SIZE || p.n >= PORT_SIZE)
		return false;
	*(char *)mempcpy(host, h.p, h.n) = '\0';
	*(char *)mempcpy(port, p.p, p.n) = '\0';
	return true;
}

static err_t
question_wait(struct ctx *cx, struct question *q, uint64_t timeout_ms, int64_t *ahead_ms_out)
{
	err_t e = fib_await_for(cx, &q->done, timeout_ms);

	if (e == OK && q->why != NULL)
		e = fail(cx, ERR_FETCH, "time server: %s", q->why);
	*ahead_ms_out = q->ahead_ms;
	return e;
}

err_t
sntp_offset(struct ctx *cx, const char *server, uint64_t timeout_ms, int64_t *ahead_ms_out)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	char host[HOST_SIZE], port[PORT_SIZE];
	struct question *q;
	err_t e;

	*ahead_ms_out = 0;
	if (!sntp_split(server, host, port))
		return fail(cx, ERR_FETCH, "time server: malformed");
	if (n_questions >= AT_ONCE_MAX)
		return fail(cx, ERR_BUSY, "too many ask for the time");
	q = mem_zalloc(sizeof *q);
	n_questions++;
	q->magic = SNTP_MAGIC;
	q->asked = true;
	q->resolve.data = q;
	q->handles = 1;
	if (uv_getaddrinfo(loop_uv(), &q->resolve, sntp_on_resolved, host, port, &hints) != 0) {
		q->handles = 0;
		q->asked = false;
		question_release(q);
		return fail(cx, ERR_FETCH, "time server: its name cannot be looked up");
	}
	e = question_wait(cx, q, timeout_ms, ahead_ms_out);
	q->asked = false;
	if (q->open)
		question_end(q, NULL);
	question_release(q);
	return e;
}
