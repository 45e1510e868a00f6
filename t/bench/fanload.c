/* Many WebSockets that listen, for measuring fan-out; and the floor to compare it with: a bare send() loop.
 *
 *   fanload connect HOST PORT PATH N [COOKIES]	N sockets on ws://HOST:PORT/PATH; line i of the file COOKIES is the i-th's Cookie
 *						header, and %d in PATH its number. Prints "ready N", then obeys standard input:
 *						"stat" prints frames and bytes since the last time; end of file ends it.
 *   fanload floor N SIZE ROUNDS		N connections to itself; prints microseconds of CPU for one send() of SIZE bytes. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPENING_MAX = 200, EVENTS = 1024, OP_PING = 9 };

struct sock {
	int fd;
	bool open;		/* upgraded, and the first frame has come */
	unsigned head;		/* bytes of a frame's head kept from the last read */
	unsigned char part[4];
	uint64_t skip;		/* bytes of the current frame still to come */
	char reply[512];	/* of the upgrade */
	unsigned n_reply;
};

static struct sock *socks;
static unsigned n_socks, n_begun, n_open;
static uint64_t frames, bytes;
static struct sockaddr_in server;
static const char *host, *path;
static char **cookies;
static int poller;

static void
die(const char *what)
{
	fprintf(stderr, "fanload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
watch(int fd, uint32_t what, uint32_t who, bool add)
{
	struct epoll_event e = {.events = what, .data.u32 = who};

	if (epoll_ctl(poller, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e) != 0)
		die("epoll");
}

static void
begin(unsigned i)
{
	/* a loopback address has some 28,000 ports for one server: spread the clients over several */
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + i / 20000)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), small = 16384;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (n_socks > 20000 && bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
		die("bind");
	if (connect(fd, (struct sockaddr *)&server, sizeof server) != 0 && errno != EINPROGRESS)
		die("connect");
	socks[i] = (struct sock){.fd = fd};
	watch(fd, EPOLLOUT, i, true);
}

static void
ask(unsigned i)
{
	char text[4096], target[1024];
	int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(target, sizeof target, path, i);
#pragma GCC diagnostic pop
	n = snprintf(text, sizeof text,
	    "GET /%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s\r\n",
	    target, host, cookies ? "Cookie: " : "", cookies ? cookies[i] : "", cookies ? "\r\n" : "");
	if (send(socks[i].fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
	watch(socks[i].fd, EPOLLIN, i, false);
}

/* One whole head, or what there is of it is kept. Returns the bytes used. */
static size_t
take_head(struct sock *s, const unsigned char *p, size_t n)
{
	size_t used = 0, need;

	while (s->head < 2 && used < n)
		s->part[s->head++] = p[used++];
	if (s->head < 2)
		return used;
	need = (s->part[1] & 127) < 126 ? 2 : 4;
	while (s->head < need && used < n)
		s->part[s->head++] = p[used++];
	if (s->head < need)
		return used;
	s->skip = need == 2 ? s->part[1] & 127 : (uint64_t)s->part[2] << 8 | s->part[3];
	s->head = 0;
	if ((s->part[0] & 15) == OP_PING) {
		static const unsigned char pong[6] = {0x8a, 0x80};	/* masked with zeroes */

		send(s->fd, pong, sizeof pong, MSG_NOSIGNAL | MSG_DONTWAIT);
		return used;
	}
	frames++;
	if (!s->open) {
		s->open = true;
		n_open++;
	}
	return used;
}

static void
take(struct sock *s, const unsigned char *p, size_t n)
{
	while (n > 0) {
		size_t used = s->skip < n ? (size_t)s->skip : n;

		if (s->skip > 0)
			s->skip -= used;
		else
			used = take_head(s, p, n);
		p += used;
		n -= used;
	}
}

static void
readable(unsigned i)
{
	static unsigned char buf[65536];
	struct sock *s = &socks[i];
	ssize_t n = recv(s->fd, buf, sizeof buf, 0);
	char *end;
	size_t keep;

	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		fprintf(stderr, "fanload: socket %u was closed: %.*s\n", i, (int)s->n_reply, s->reply);
		exit(1);
	}
	bytes += (uint64_t)n;
	if (s->n_reply == UINT32_MAX) {
		take(s, buf, (size_t)n);
		return;
	}
	keep = sizeof s->reply - 1 - s->n_reply;
	if (keep > (size_t)n)
		keep = (size_t)n;
	memcpy(s->reply + s->n_reply, buf, keep);
	s->reply[s->n_reply + keep] = '\0';
	end = strstr(s->reply, "\r\n\r\n");
	if (end == NULL) {
		s->n_reply += (unsigned)keep;
		return;
	}
	keep = (size_t)(end + 4 - s->reply) - s->n_reply;
	s->n_reply = UINT32_MAX;
	take(s, buf + keep, (size_t)n - keep);
}

static void
poll_once(int ms)
{
	static struct epoll_event e[EVENTS];
	int n = epoll_wait(poller, e, EVENTS, ms);

	for (int k = 0; k < n; k++) {
		if (e[k].data.u32 == UINT32_MAX)
			continue;
		if (e[k].events & EPOLLOUT)
			ask(e[k].data.u32);
		else
			readable(e[k].data.u32);
	}
}

static void
more_files(void)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static void
read_cookies(const char *file)
{
	FILE *f = fopen(file, "r");
	char line[4096];

	if (f == NULL)
		die(file);
	cookies = calloc(n_socks, sizeof *cookies);
	for (unsigned i = 0; i < n_socks && fgets(line, sizeof line, f) != NULL; i++) {
		line[strcspn(line, "\n")] = '\0';
		cookies[i] = strdup(line);
	}
	fclose(f);
}

static int
run_connect(char **arg, int n)
{
	char line[64];

	host = arg[0];
	server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arg[1]))};
	inet_pton(AF_INET, host, &server.sin_addr);
	path = arg[2];
	n_socks = (unsigned)atoi(arg[3]);
	if (n > 4)
		read_cookies(arg[4]);
	socks = calloc(n_socks, sizeof *socks);
	poller = epoll_create1(0);
	while (n_open < n_socks) {
		while (n_begun < n_socks && n_begun - n_open < OPENING_MAX)
			begin(n_begun++);
		poll_once(1000);
	}
	frames = bytes = 0;
	printf("ready %u\n", n_open);
	fflush(stdout);
	fcntl(0, F_SETFL, O_NONBLOCK);
	watch(0, EPOLLIN, UINT32_MAX, true);
	for (;;) {
		ssize_t got;

		poll_once(1000);
		got = read(0, line, sizeof line);
		if (got == 0)
			return 0;
		if (got > 0) {
			printf("%llu %llu\n", (unsigned long long)frames, (unsigned long long)bytes);
			fflush(stdout);
			frames = bytes = 0;
		}
	}
}

/* ---- the floor ---- */

static void
drain_for_ever(const struct sockaddr_in *to)
{
	static char buf[65536];
	struct epoll_event e[EVENTS];

	poller = epoll_create1(0);
	for (unsigned i = 0; i < n_socks; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
			die("connect");
		fcntl(fd, F_SETFL, O_NONBLOCK);
		watch(fd, EPOLLIN, (uint32_t)fd, true);
	}
	for (;;) {
		int n = epoll_wait(poller, e, EVENTS, -1);

		for (int k = 0; k < n; k++)
			if (recv((int)e[k].data.u32, buf, sizeof buf, 0) == 0)
				_exit(0);
	}
}

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return 1e6 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int
run_floor(char **arg)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	size_t size = (size_t)atoi(arg[1]);
	int rounds = atoi(arg[2]), door = socket(AF_INET, SOCK_STREAM, 0), on = 1, *fd;
	char *text = calloc(1, size);
	double begun;
	pid_t reader;

	n_socks = (unsigned)atoi(arg[0]);
	fd = calloc(n_socks, sizeof *fd);
	if (bind(door, (struct sockaddr *)&at, sizeof at) != 0 || listen(door, 4096) != 0 || getsockname(door, (struct sockaddr *)&at, &len) != 0)
		die("listen");
	reader = fork();
	if (reader == 0)
		drain_for_ever(&at);
	for (unsigned i = 0; i < n_socks; i++) {
		fd[i] = accept4(door, NULL, NULL, SOCK_NONBLOCK);
		setsockopt(fd[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	usleep(200000);
	begun = cpu_us();
	for (int r = 0; r < rounds; r++) {
		for (unsigned i = 0; i < n_socks; i++)
			while (send(fd[i], text, size, MSG_NOSIGNAL) != (ssize_t)size)
				if (errno != EAGAIN)
					die("send");
		usleep(1000 + n_socks * 6);	/* the reader's turn, as between two events */
	}
	printf("%.3f\n", (cpu_us() - begun) / rounds / n_socks);
	kill(reader, SIGTERM);
	waitpid(reader, NULL, 0);
	return 0;
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	more_files();
	if (argc >= 6 && strcmp(argv[1], "connect") == 0)
		return run_connect(argv + 2, argc - 2);
	if (argc == 5 && strcmp(argv[1], "floor") == 0)
		return run_floor(argv + 2);
	fprintf(stderr, "usage: fanload connect HOST PORT PATH N [COOKIES] | fanload floor N SIZE ROUNDS\n");
	return 2;
}
