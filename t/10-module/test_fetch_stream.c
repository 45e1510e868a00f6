/* Outgoing requests in pieces: bounded memory both ways, slow and broken servers, and the guard of addresses behind a redirect. The adapter is
 * included, so that the test decides which addresses are private: all that there is here is loopback. */
#define sockaddr_private test_private
#include "../../src/core/fiber_priv.h"
#include "../../src/io/fetch.c"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/conf.h"
#include "fiber_run.h"

#ifdef FIB_ASAN
#define MORE_MAX 50000	/* KiB: what was freed stays for a while */
#else
#define MORE_MAX 4096
#endif

enum { HUGE_BYTES = 100 << 20, PIECE = 256 << 10 };

static int port;		/* of the test's server, on all addresses */
static pid_t server;
static char block[PIECE];

/* Shared with the server. */
static struct {
	volatile uint64_t sent, received;
	volatile bool go;	/* it may read */
	volatile bool asked_inside;	/* somebody has reached the private address */
	volatile int connections;
} *seen;

/* 127.0.0.1 is the world, 127.0.0.2 is inside. */
bool
test_private(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;

	return sa->sa_family != AF_INET || in->sin_addr.s_addr != htonl(INADDR_LOOPBACK);
}

/* ---- the server: a process a connection ---- */

static bool
say_n(int fd, const char *text, size_t n)
{
	for (ssize_t got; n > 0; text += got, n -= (size_t)got)
		if ((got = write(fd, text, n)) <= 0)
			return false;
	return true;
}

static void
say(int fd, const char *text)
{
	(void)say_n(fd, text, strlen(text));
}

static void
send_huge(int fd, size_t bytes, size_t announced)
{
	char head[100];

	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", announced);
	say(fd, head);
	for (size_t n = 0; n < bytes; n += 65536, seen->sent += 65536)
		if (!say_n(fd, block, 65536))
			return;
}

static void
send_chunks(int fd, bool whole)
{
	say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 100; i++) {
		say(fd, "1000\r\n");
		(void)say_n(fd, block, 4096);
		say(fd, "\r\n");
	}
	if (whole)
		say(fd, "0\r\n\r\n");
}

/* Counts a body, and answers with its length, the headers that matter, and whether it is the block again and again. */
static void
take(int fd, const char *head, const char *body, size_t n, bool chunked)
{
	static char buf[65536];
	size_t length = strstr(head, "Content-Length: ") ? strtoul(strstr(head, "Content-Length: ") + 16, NULL, 10) : SIZE_MAX, at = 0;
	bool same = true;
	char reply[300];
	ssize_t got;

	memmove(buf, body, n);
	for (got = (ssize_t)n; at < length; got = read(fd, buf, sizeof buf)) {
		if (got <= 0 && at > 0)
			break;
		for (ssize_t i = 0; i < got && !chunked; i++)
			same = same && buf[i] == block[(at + (size_t)i) % PIECE];
		at += (size_t)got;
		seen->received = at;
		if (chunked && got >= 5 && memcmp(buf + got - 5, "0\r\n\r\n", 5) == 0)
			break;
		if (at >= length)
			break;
	}
	snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%zu|%s|%s|%s", at, same ? "same" : "other", chunked ? "chunked" : "length",
	    strstr(head, "Authorization: AWS4-HMAC-SHA256 Credential=u/") && strstr(head, "/eu-central-1/s3/aws4_request") &&
	    strstr(head, "X-Amz-Date: ") ? "signed" : "");
	say(fd, reply);
}

static void
serve(int fd)
{
	struct sockaddr_in to;
	socklen_t len = sizeof to;
	char head[8192], line[200], *body;
	size_t n = 0;
	ssize_t got;

	getsockname(fd, (struct sockaddr *)&to, &len);
	seen->asked_inside |= to.sin_addr.s_addr == htonl(INADDR_LOOPBACK + 1);
again:
	while ((got = read(fd, head + n, sizeof head - 1 - n)) > 0) {
		n += (size_t)got;
		head[n] = '\0';
		if (strstr(head, "\r\n\r\n"))
			break;
	}
	if (got <= 0)
		return;
	body = strstr(head, "\r\n\r\n") + 4;
	if (strncmp(head, "GET /huge", 9) == 0)
		send_huge(fd, HUGE_BYTES, HUGE_BYTES);
	else if (strncmp(head, "GET /cut", 8) == 0)
		send_huge(fd, HUGE_BYTES / 100, HUGE_BYTES / 50);
	else if (strncmp(head, "GET /chunks", 11) == 0)
		send_chunks(fd, true);
	else if (strncmp(head, "GET /torn", 9) == 0)
		send_chunks(fd, false);
	else if (strncmp(head, "GET /still", 10) == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
		sleep(30);
	} else if (strncmp(head, "GET /short", 10) == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort");
		n = 0;
		goto again;
	} else if (strncmp(head, "GET /empty", 10) == 0)
		say(fd, "HTTP/1.1 204 No Content\r\nX-Empty: yes\r\n\r\n");
	else if (strncmp(head, "GET /inside", 11) == 0) {
		snprintf(line, sizeof line, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:%d/short\r\nContent-Length: 0\r\n\r\n", port);
		say(fd, line);
	} else if (strncmp(head, "GET /around", 11) == 0) {
		snprintf(line, sizeof line, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/short\r\nContent-Length: 0\r\n\r\n", port);
		say(fd, line);
	} else if (strncmp(head, "PUT /refuse", 11) == 0) {
		say(fd, "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
		shutdown(fd, SHUT_WR);
		while (read(fd, head, sizeof head) > 0)
			continue;
	} else if (strncmp(head, "PUT /vanish", 11) == 0) {
		return;
	} else if (strstr(head, " /take ")) {
		while (!seen->go)
			usleep(1000);
		take(fd, head, body, n - (size_t)(body - head), strstr(head, "Transfer-Encoding: chunked") != NULL);
	}
}

static void
server_fork(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	cr_assert_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	port = ntohs(a.sin_port);
	server = fork();
	if (server != 0) {
		close(fd);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		seen->connections++;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(c);
			_exit(0);
		}
		close(c);
	}
}

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	for (size_t i = 0; i < PIECE; i++)
		block[i] = (char)(i * 2654435761u >> 13);
	seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	seen->go = true;
	server_fork();
	finish_first = fetch_fini;
	loop_init();
}

static void
teardown(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

TestSuite(fetch_stream, .init = setup, .fini = teardown, .timeout = 600);

static void
run(fib_fn fn)
{
	run_for(200000, fn);
}

#define OKAY(expr)                                                                                          \
	do {                                                                                                \
		err_t e_ = (expr);                                                                          \
		cr_assert_eq(e_, OK, "%s: %s: %s", #expr, err_info(e_)->name, cx->detail ? cx->detail : "");   \
	} while (0)

static err_t
open_at(struct ctx *cx, const char *path, struct fetch f, struct fetch_stream **out)
{
	f.url = arena_printf(cx->arena, "http://127.0.0.1:%d%s", port, path);
	return fetch_open(cx, &f, out);
}

/* KiB that this process holds. */
static long
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	cr_assert(f != NULL && fscanf(f, "%*d %ld", &pages) == 1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Until a counter of the server's stands still: what was sent fills the kernel's buffers, and no more. */
static uint64_t
at_rest(struct ctx *cx, volatile uint64_t *counter)
{
	uint64_t was = UINT64_MAX;

	for (int same = 0; same < 10; same = *counter == was ? same + 1 : 0) {
		was = *counter;
		OKAY(fib_sleep(cx, 20));
	}
	return was;
}

/* ---- down ---- */

static void
down(struct ctx *cx, void *arg)
{
	long before = resident(), most = 0;
	struct fetch_stream *s;
	struct fetch_reply *r;
	struct str piece;
	uint64_t n = 0;
	bool same = true;

	(void)arg;
	OKAY(open_at(cx, "/huge", (struct fetch){0}, &s));
	OKAY(fetch_head(cx, s, &r));
	cr_expect_eq(r->status, 200);
	cr_expect_str_eq(fetch_header(r, "content-length"), "104857600");
	OKAY(fetch_read(cx, s, &piece));
	n = piece.n;
	/* nobody reads: the server has to wait */
	cr_expect_lt(at_rest(cx, &seen->sent), HUGE_BYTES / 4);
	do {
		OKAY(fetch_read(cx, s, &piece));
		cr_expect_leq(piece.n, FETCH_WINDOW);
		for (size_t i = 0; i < piece.n; i += 997)
			same = same && piece.p[i] == block[(n + i) % 65536];
		n += piece.n;
		most = resident() > most ? resident() : most;
	} while (piece.n > 0);
	cr_expect_eq(n, HUGE_BYTES);
	cr_expect(same);
	cr_expect_lt(most - before, MORE_MAX, "%ld KiB more", most - before);
	OKAY(fetch_read(cx, s, &piece));	/* still the end */
	cr_expect_eq(piece.n, 0);
	fetch_close(&s);
	cr_expect_null(s);
	finish();
}

Test(fetch_stream, a_large_response_waits_for_its_reader_in_bounded_memory)
{
	run(down);
}

static err_t
read_all(struct ctx *cx, struct fetch_stream *s, uint64_t *n)
{
	struct str piece;

	*n = 0;
	do {
		TRY(fetch_read(cx, s, &piece));
		*n += piece.n;
	} while (piece.n > 0);
	return OK;
}

static void
broken(struct ctx *cx, void *arg)
{
	struct fetch_stream *s;
	struct fetch_reply *r;
	struct str piece;
	uint64_t n;

	(void)arg;
	OKAY(open_at(cx, "/chunks", (struct fetch){0}, &s));
	OKAY(read_all(cx, s, &n));
	cr_expect_eq(n, 409600);
	fetch_close(&s);
	/* cut off in the middle: what came first, then an error, and again */
	OKAY(open_at(cx, "/cut", (struct fetch){0}, &s));
	cr_expect_eq(read_all(cx, s, &n), ERR_FETCH);
	cr_expect(n > 0 && n <= HUGE_BYTES / 50);
	cr_expect_eq(fetch_read(cx, s, &piece), ERR_FETCH);
	fetch_close(&s);
	OKAY(open_at(cx, "/torn", (struct fetch){0}, &s));
	cr_expect_eq(read_all(cx, s, &n), ERR_FETCH);
	fetch_close(&s);
	/* a bound */
	OKAY(open_at(cx, "/chunks", (struct fetch){.max_bytes = 409600}, &s));
	OKAY(read_all(cx, s, &n));
	fetch_close(&s);
	OKAY(open_at(cx, "/chunks", (struct fetch){.max_bytes = 409599}, &s));
	cr_expect_eq(read_all(cx, s, &n), ERR_FETCH);
	fetch_close(&s);
	/* a reader that lets it lie, and then goes over the bound with what curl held back */
	OKAY(open_at(cx, "/huge", (struct fetch){.max_bytes = FETCH_WINDOW + 1000}, &s));
	OKAY(fetch_head(cx, s, &r));
	(void)at_rest(cx, &seen->sent);
	cr_expect_eq(read_all(cx, s, &n), ERR_FETCH);
	cr_expect_leq(n, FETCH_WINDOW + 1000);
	fetch_close(&s);
	/* no progress, and no time */
	OKAY(open_at(cx, "/still", (struct fetch){.progress_ms = 100}, &s));
	OKAY(fetch_head(cx, s, &r));
	cr_expect_eq(read_all(cx, s, &n), ERR_TIMEOUT);
	cr_expect_eq(n, 4);
	fetch_close(&s);
	OKAY(open_at(cx, "/still", (struct fetch){.timeout_ms = 100}, &s));
	cr_expect_eq(read_all(cx, s, &n), ERR_TIMEOUT);
	fetch_close(&s);
	/* no body at all */
	OKAY(open_at(cx, "/empty", (struct fetch){0}, &s));
	OKAY(fetch_head(cx, s, &r));
	cr_expect(r->status == 204 && strcmp(fetch_header(r, "x-empty"), "yes") == 0);
	OKAY(fetch_read(cx, s, &piece));
	cr_expect_eq(piece.n, 0);
	fetch_close(&s);
	fetch_close(&s);
	/* nobody there */
	OKAY(fetch_open(cx, &(struct fetch){.url = "http://127.0.0.1:1/"}, &s));
	cr_expect_eq(fetch_head(cx, s, &r), ERR_FETCH);
	finish();	/* the last one is closed by its context */
}

Test(fetch_stream, what_is_cut_off_too_large_or_too_slow_is_an_error)
{
	run(broken);
}

/* ---- up ---- */

static struct fetch_stream *upload;
static bool written;

static void
writer(struct ctx *cx, void *arg)
{
	struct str piece = {block, PIECE};

	(void)arg;
	for (int i = 0; i < HUGE_BYTES / PIECE; i++)
		OKAY(fetch_write(cx, upload, piece));
	OKAY(fetch_end(cx, upload));
	written = true;
}

static void
up(struct ctx *cx, void *arg)
{
	long before = resident();
	struct fetch_reply *r;
	struct str piece;

	(void)arg;
	seen->go = false;
	OKAY(open_at(cx, "/take", (struct fetch){.method = "PUT", .upload = true, .length = HUGE_BYTES, .progress_ms = 60000}, &upload));
	fib_spawn_new("writer", 0, writer, NULL);
	/* nobody takes it: the writer has to wait */
	while (upload->given < PIECE)
		OKAY(fib_sleep(cx, 5));
	cr_expect_lt(at_rest(cx, &upload->given), HUGE_BYTES / 4);
	cr_expect_not(written);
	seen->go = true;
	while (!written) {
		OKAY(fib_sleep(cx, 5));
		cr_assert_lt(resident() - before, MORE_MAX);
	}
	OKAY(fetch_head(cx, upload, &r));
	OKAY(fetch_read(cx, upload, &piece));
	cr_expect(str_is(piece, "104857600|same|length|"), "%.*s", STR_FMT(piece));
	fetch_close(&upload);
	finish();
}

Test(fetch_stream, a_large_request_waits_for_its_server_in_bounded_memory)
{
	run(up);
}

static void
uploads(struct ctx *cx, void *arg)
{
	struct str piece = {block, PIECE};
	struct fetch_stream *s;
	struct fetch_reply *r;
	struct str got;
	err_t e = OK;

	(void)arg;
	/* of unknown length */
	OKAY(open_at(cx, "/take", (struct fetch){.method = "PUT", .upload = true, .length = -1}, &s));
	OKAY(fetch_write(cx, s, piece));
	OKAY(fetch_write(cx, s, STR_NONE));
	OKAY(fetch_end(cx, s));
	OKAY(fetch_read(cx, s, &got));
	cr_expect(strstr(str_dup(cx->arena, got), "|chunked|") != NULL, "%.*s", STR_FMT(got));
	fetch_close(&s);
	/* an empty one; signed */
	OKAY(open_at(cx, "/take", (struct fetch){.method = "PUT", .upload = true, .aws_sigv4 = "aws:amz:eu-central-1:s3", .user = "u", .password = "p",
	    .length = PIECE, .headers = (const struct fetch_header[]){{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}, .n_headers = 1}, &s));
	OKAY(fetch_write(cx, s, piece));
	OKAY(fetch_end(cx, s));
	OKAY(fetch_read(cx, s, &got));
	cr_expect(str_is(got, "262144|same|length|signed"), "%.*s", STR_FMT(got));
	fetch_close(&s);
	/* more and less than announced */
	OKAY(open_at(cx, "/take", (struct fetch){.upload = true, .length = PIECE - 1}, &s));
	cr_expect_eq(fetch_write(cx, s, piece), ERR_FETCH);
	cr_expect_eq(fetch_head(cx, s, &r), ERR_FETCH);
	fetch_close(&s);
	OKAY(open_at(cx, "/take", (struct fetch){.upload = true, .length = PIECE + 1}, &s));
	OKAY(fetch_write(cx, s, piece));
	cr_expect_eq(fetch_end(cx, s), ERR_FETCH);
	fetch_close(&s);
	/* a server that answers at once, one that goes away, one that takes nothing */
	OKAY(open_at(cx, "/refuse", (struct fetch){.method = "PUT", .upload = true, .length = HUGE_BYTES}, &s));
	for (int i = 0; i < HUGE_BYTES / PIECE && e == OK; i++)
		e = fetch_write(cx, s, piece);
	cr_expect_eq(e, OK, "%s", cx->detail);
	OKAY(fetch_end(cx, s));
	OKAY(fetch_head(cx, s, &r));
	cr_expect_eq(r->status, 413);
	OKAY(fetch_read(cx, s, &got));
	cr_expect(str_is(got, "no"));
	fetch_close(&s);
	OKAY(open_at(cx, "/vanish", (struct fetch){.method = "PUT", .upload = true, .length = HUGE_BYTES}, &s));
	for (int i = 0; i < HUGE_BYTES / PIECE && e == OK; i++)
		e = fetch_write(cx, s, piece);
	cr_expect_eq(e, ERR_FETCH);
	fetch_close(&s);
	seen->go = false;
	OKAY(open_at(cx, "/take", (struct fetch){.method = "PUT", .upload = true, .length = HUGE_BYTES, .progress_ms = 200}, &s));
	e = OK;
	for (int i = 0; i < HUGE_BYTES / PIECE && e == OK; i++)
		e = fetch_write(cx, s, piece);
	cr_expect_eq(e, ERR_TIMEOUT);
	fetch_close(&s);
	finish();
}

Test(fetch_stream, uploads_are_whole_or_an_error)
{
	run(uploads);
}

static struct fib *left;

static void
leaver(struct ctx *cx, void *arg)
{
	struct fetch_stream *s;
	struct str piece;

	(void)arg;
	left = fib_current();
	OKAY(open_at(cx, "/still", (struct fetch){0}, &s));
	OKAY(fetch_read(cx, s, &piece));
	cr_expect_eq(fetch_read(cx, s, &piece), ERR_CANCELLED);
	left = NULL;	/* and does not close it */
}

static void
leaving(struct ctx *cx, void *arg)
{
	(void)arg;
	fib_spawn_new("leaver", 0, leaver, NULL);
	while (n_transfers == 0 || transfers->got == 0)
		OKAY(fib_sleep(cx, 5));
	fib_cancel(left);
	while (n_transfers > 0)
		OKAY(fib_sleep(cx, 5));
	cr_expect_null(left);
	finish();
}

Test(fetch_stream, who_leaves_takes_the_request_along)
{
	run(leaving);
}

/* ---- addresses ---- */

static void
guard(struct ctx *cx, void *arg)
{
	struct fetch_stream *s;
	struct fetch_reply *r;
	uint64_t n;
	int before;

	(void)arg;
	OKAY(open_at(cx, "/around", (struct fetch){.redirects = 2}, &s));
	OKAY(fetch_head(cx, s, &r));
	cr_expect(r->status == 200 && str_ends(str_c(r->url), "/short"));
	OKAY(read_all(cx, s, &n));
	cr_expect_eq(n, 5);
	fetch_close(&s);
	/* a redirect inside: in pieces, and at once */
	OKAY(open_at(cx, "/inside", (struct fetch){.redirects = 2}, &s));
	cr_expect_eq(fetch_head(cx, s, &r), ERR_FETCH_REFUSED);
	fetch_close(&s);
	cr_expect_eq(fetch(cx, &(struct fetch){.url = arena_printf(cx->arena, "http://127.0.0.1:%d/inside", port), .redirects = 2}, &r), ERR_FETCH_REFUSED);
	/* who may, leaves no connection behind for those who may not */
	OKAY(fetch(cx, &(struct fetch){.url = arena_printf(cx->arena, "http://127.0.0.1:%d/inside", port), .redirects = 2, .private_ok = true}, &r));
	cr_expect(seen->asked_inside);
	OKAY(open_at(cx, "/inside", (struct fetch){.redirects = 2}, &s));
	cr_expect_eq(fetch_head(cx, s, &r), ERR_FETCH_REFUSED);
	fetch_close(&s);
	/* a connection is used again */
	OKAY(fetch(cx, &(struct fetch){.url = arena_printf(cx->arena, "http://127.0.0.1:%d/short", port)}, &r));
	before = seen->connections;
	for (int i = 0; i < 5; i++) {
		OKAY(open_at(cx, "/short", (struct fetch){0}, &s));
		OKAY(read_all(cx, s, &n));
		fetch_close(&s);
	}
	cr_expect_eq(seen->connections, before);
	finish();
}

Test(fetch_stream, no_redirect_leads_inside)
{
	run(guard);
}
