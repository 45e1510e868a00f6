/* Outgoing requests against local servers: sizes, times, addresses, redirects, mail. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "io/fetch.h"
#include "fiber_run.h"

static int port;		/* of the test's server */
static pid_t server;

/* ---- a server of a process of its own: one connection after the other ---- */

static void
say(int fd, const char *text)
{
	(void)!write(fd, text, strlen(text));
}

static void
serve_http(int fd, const char *head, size_t n)
{
	char line[400];

	if (strncmp(head, "GET /hello", 10) == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing:  a b \r\n\r\nhello");
	} else if (strncmp(head, "POST /echo", 10) == 0) {
		const char *body = strstr(head, "\r\n\r\n") + 4;

		snprintf(line, sizeof line, "HTTP/1.1 201 Created\r\nConnection: close\r\n\r\n%.*s|%s|%s", (int)(head + n - body), body,
		    strstr(head, "X-Sig: abc\r\n") ? "sig" : "", strstr(head, "Authorization: Basic dTpw\r\n") ? "auth" : "");
		say(fd, line);
	} else if (strncmp(head, "GET /big", 8) == 0) {
		say(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
		for (int i = 0; i < 1000; i++)
			say(fd, "0123456789012345678901234567890123456789012345678901234567890123456789");
	} else if (strncmp(head, "GET /heads", 10) == 0) {
		say(fd, "HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < 1000; i++)
			say(fd, "X-Long: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
		say(fd, "\r\n");
	} else if (strncmp(head, "GET /slow", 9) == 0) {
		sleep(20);
	} else if (strncmp(head, "GET /loop", 9) == 0) {
		say(fd, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
	} else if (strncmp(head, "GET /away", 9) == 0) {
		say(fd, "HTTP/1.1 302 Found\r\nLocation: /hello\r\nX-First: 1\r\nContent-Length: 0\r\n\r\n");
	} else if (strncmp(head, "GET /file", 9) == 0) {
		say(fd, "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
	} else {
		say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	}
}

static ssize_t
read_line(int fd, char *out, size_t max)
{
	size_t n = 0;

	while (n + 1 < max && read(fd, out + n, 1) == 1)
		if (out[n++] == '\n')
			break;
	out[n] = '\0';
	return (ssize_t)n;
}

/* Accepts one mail; refuses it when its text does not hold "Subject: hi" and a line that began with a dot. */
static void
serve_smtp(int fd)
{
	char line[1000];
	bool subject = false, dot = false, sender = false, auth = false;

	say(fd, "220 test\r\n");
	while (read_line(fd, line, sizeof line) > 0) {
		if (strncmp(line, "EHLO", 4) == 0) {
			say(fd, "250-test\r\n250 AUTH PLAIN\r\n");
		} else if (strncmp(line, "AUTH PLAIN", 10) == 0) {
			auth = strstr(line, "AHUAcA==") != NULL;	/* \0u\0p */
			if (line[10] != ' ') {
				say(fd, "334 \r\n");
				read_line(fd, line, sizeof line);
				auth = strstr(line, "AHUAcA==") != NULL;
			}
			say(fd, auth ? "235 ok\r\n" : "535 no\r\n");
		} else if (strncmp(line, "DATA", 4) == 0) {
			say(fd, "354 go\r\n");
			while (read_line(fd, line, sizeof line) > 0 && strcmp(line, ".\r\n") != 0) {
				subject |= strcmp(line, "Subject: hi\r\n") == 0;
				dot |= strcmp(line, "..dot\r\n") == 0;
			}
			say(fd, subject && dot && sender && auth ? "250 queued\r\n" : "554 no\r\n");
		} else if (strncmp(line, "QUIT", 4) == 0) {
			say(fd, "221 bye\r\n");
			return;
		} else {
			sender |= strncmp(line, "MAIL FROM:<a@example.org>", 25) == 0;
			say(fd, strstr(line, "nobody@") ? "550 no such user\r\n" : "250 ok\r\n");
		}
	}
}

static void
serve(int lfd, bool mail)
{
	for (;;) {
		int fd = accept(lfd, NULL, NULL);
		char head[4096];
		size_t n = 0;
		ssize_t got;

		if (fork() == 0) {
			if (mail) {
				serve_smtp(fd);
				_exit(0);
			}
			while (n + 1 < sizeof head && (got = read(fd, head + n, sizeof head - 1 - n)) > 0) {
				n += (size_t)got;
				head[n] = '\0';
				if (strstr(head, "\r\n\r\n") && (strncmp(head, "POST", 4) != 0 || strstr(head, "payload")))
					break;
			}
			head[n] = '\0';
			serve_http(fd, head, n);
			_exit(0);
		}
		close(fd);
	}
}

static void
server_fork(bool mail)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	cr_assert_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	port = ntohs(a.sin_port);
	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGCHLD, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		serve(fd, mail);
	}
	close(fd);
}

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", "warn", false);
	setenv("http_proxy", "http://127.0.0.1:1", 1);	/* must not be used */
	server_fork(false);
	finish_first = fetch_fini;
	loop_init();
}

static void
teardown(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

TestSuite(fetch, .init = setup, .fini = teardown, .timeout = 300);

static void
run(fib_fn fn)
{
	run_for(200000, fn);
}

static err_t
get(struct ctx *cx, const char *path, struct fetch f, struct fetch_reply **r)
{
	f.url = path[0] == '/' ? arena_printf(cx->arena, "http://127.0.0.1:%d%s", port, path) : path;
	return fetch(cx, &f, r);
}

/* ---- tests ---- */

Test(fetch, tells_private_addresses, .init = NULL, .fini = NULL)
{
	static const char *const inside[] = {
	    "127.0.0.1", "127.255.255.255", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
	    "224.0.0.1", "255.255.255.255", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1",
	    "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2001:db8::1", "::127.0.0.1", "localhost", "", "1.2.3",
	};
	static const char *const outside[] = {
	    "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.128.0.1", "1.1.1.1", "223.255.255.255", "2606:4700::1111", "::ffff:8.8.8.8",
	    "64:ff9b::8.8.8.8", "2002:808:808::", "2a00::1",
	};

	for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
		cr_expect(fetch_address_private(inside[i]), "%s", inside[i]);
	for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
		cr_expect_not(fetch_address_private(outside[i]), "%s", outside[i]);
}

static void
plain(struct ctx *cx, void *arg)
{
	static const struct fetch_header h[] = {{"X-Sig", "abc"}};
	struct fetch_reply *r;

	(void)arg;
	cr_assert_eq(get(cx, "/hello", (struct fetch){.private_ok = true}, &r), OK, "%s", cx->detail);
	cr_expect(r->status == 200 && str_is(r->body, "hello"));
	cr_expect_str_eq(fetch_header(r, "x-thing"), "a b");
	cr_expect_null(fetch_header(r, "x-none"));
	cr_assert_eq(get(cx, "/echo", (struct fetch){.private_ok = true, .body = STR("payload"), .headers = h, .n_headers = 1, .user = "u",
	    .password = "p"}, &r), OK, "%s", cx->detail);
	cr_expect(r->status == 201 && str_is(r->body, "payload|sig|auth"), "%.*s", STR_FMT(r->body));
	cr_assert_eq(get(cx, "/none", (struct fetch){.private_ok = true}, &r), OK);
	cr_expect_eq(r->status, 404);
	finish();
}

Test(fetch, requests_and_replies)
{
	run(plain);
}

static void
bounds(struct ctx *cx, void *arg)
{
	static const struct fetch_header bad[] = {{"X-A", "b\r\nX-C: d"}}, name[] = {{"X A", "b"}};
	struct fetch_reply *r;
	struct fetch ok = {.private_ok = true};

	(void)arg;
	cr_assert_eq(get(cx, "/big", (struct fetch){.private_ok = true, .max_bytes = 70000}, &r), OK, "%s", cx->detail);
	cr_expect_eq(r->body.n, 70000);
	cr_expect_eq(get(cx, "/big", (struct fetch){.private_ok = true, .max_bytes = 69999}, &r), ERR_FETCH);
	cr_expect_null(r);
	cr_expect_eq(get(cx, "/heads", ok, &r), ERR_FETCH);
	cr_expect_eq(get(cx, "/slow", (struct fetch){.private_ok = true, .timeout_ms = 100}, &r), ERR_TIMEOUT);
	cx->deadline = loop_now() + 100;
	cr_expect_eq(get(cx, "/slow", ok, &r), ERR_TIMEOUT);
	cx->deadline = 0;
	cr_expect_eq(get(cx, "http://127.0.0.1:1/", ok, &r), ERR_FETCH);
	cr_expect_eq(get(cx, "file:///etc/passwd", ok, &r), ERR_FETCH_REFUSED);
	cr_expect_eq(get(cx, "gopher://127.0.0.1/", ok, &r), ERR_FETCH_REFUSED);
	cr_expect_eq(get(cx, "http://127.0.0.1/\r\nx", ok, &r), ERR_FETCH_REFUSED);
	cr_expect_eq(get(cx, "", ok, &r), ERR_FETCH_REFUSED);
	cr_expect_eq(get(cx, "/hello", (struct fetch){.private_ok = true, .headers = bad, .n_headers = 1}, &r), ERR_FETCH_REFUSED);
	cr_expect_eq(get(cx, "/hello", (struct fetch){.private_ok = true, .headers = name, .n_headers = 1}, &r), ERR_FETCH_REFUSED);
	finish();
}

Test(fetch, sizes_times_and_hostile_input)
{
	run(bounds);
}

static void
addresses(struct ctx *cx, void *arg)
{
	static const char *const urls[] = {"http://127.0.0.1:%d/hello", "http://localhost:%d/hello", "http://2130706433:%d/hello",
	    "http://0x7f.1:%d/hello", "http://[::1]:%d/hello", "http://[::ffff:127.0.0.1]:%d/hello", "http://0.0.0.0:%d/hello"};
	struct fetch_reply *r;

	(void)arg;
	/* an allowed request must not leave a connection behind for the others */
	cr_assert_eq(get(cx, "/hello", (struct fetch){.private_ok = true}, &r), OK);
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		const char *url = arena_printf(cx->arena, urls[i], port);
#pragma GCC diagnostic pop
		cr_expect_eq(get(cx, url, (struct fetch){.redirects = 3}, &r), ERR_FETCH_REFUSED, "%s: %s", url, cx->detail);
	}
	finish();
}

Test(fetch, private_addresses_are_refused_in_every_spelling)
{
	run(addresses);
}

static void
redirects(struct ctx *cx, void *arg)
{
	struct fetch_reply *r;

	(void)arg;
	cr_assert_eq(get(cx, "/away", (struct fetch){.private_ok = true}, &r), OK);
	cr_expect(r->status == 302 && strcmp(fetch_header(r, "location"), "/hello") == 0);
	cr_assert_eq(get(cx, "/away", (struct fetch){.private_ok = true, .redirects = 2}, &r), OK);
	cr_expect(r->status == 200 && str_is(r->body, "hello") && str_ends(str_c(r->url), "/hello"));
	cr_expect_null(fetch_header(r, "x-first"));
	cr_expect_eq(get(cx, "/loop", (struct fetch){.private_ok = true, .redirects = 3}, &r), ERR_FETCH);
	cr_expect_eq(get(cx, "/file", (struct fetch){.private_ok = true, .redirects = 3}, &r), ERR_FETCH_REFUSED);
	finish();
}

Test(fetch, redirects)
{
	run(redirects);
}

static struct fib *left;

static void
leaver(struct ctx *cx, void *arg)
{
	struct fetch_reply *r;

	(void)arg;
	left = fib_current();
	cr_expect_eq(get(cx, "/slow", (struct fetch){.private_ok = true}, &r), ERR_CANCELLED);
	left = NULL;
}

static void
leaving(struct ctx *cx, void *arg)
{
	struct fetch_reply *r;

	(void)arg;
	fib_spawn_new("leaver", 0, leaver, NULL);
	cr_expect_eq(fib_sleep(cx, 50), OK);
	fib_cancel(left);
	cr_expect_eq(fib_sleep(cx, 10), OK);
	cr_expect_null(left);
	cr_assert_eq(get(cx, "/hello", (struct fetch){.private_ok = true}, &r), OK);
	finish();
}

Test(fetch, a_fiber_may_leave_before_the_reply)
{
	run(leaving);
}

static void
mails(struct ctx *cx, void *arg)
{
	static const char *const to[] = {"b@example.org", "c@example.org"}, *const none[] = {"nobody@example.org"}, *const evil[] = {"a> b"};
	struct fetch f = {.private_ok = true, .mail_from = "a@example.org", .mail_to = to, .n_mail_to = 2, .user = "u", .password = "p",
	    .body = STR("Subject: hi\r\n\r\n.dot\r\n"), .timeout_ms = 5000};
	const char *url = arena_printf(cx->arena, "smtp://127.0.0.1:%d/here", port);
	struct fetch_reply *r;

	(void)arg;
	cr_assert_eq(get(cx, url, f, &r), OK, "%s", cx->detail);
	cr_expect_eq(r->status / 100, 2);
	f.body = STR("Subject: no\r\n\r\n");
	cr_assert_eq(get(cx, url, f, &r), OK, "%s", cx->detail);
	cr_expect_eq(r->status / 100, 5);
	f.mail_to = none, f.n_mail_to = 1;
	cr_assert_eq(get(cx, url, f, &r), OK, "%s", cx->detail);
	cr_expect_eq(r->status / 100, 5);
	f.mail_to = evil;
	cr_expect_eq(get(cx, url, f, &r), ERR_FETCH_REFUSED);
	f.mail_to = to;
	f.tls = FETCH_TLS_NEED;
	cr_expect_eq(get(cx, url, f, &r), ERR_FETCH);
	f.private_ok = false;
	cr_expect_eq(get(cx, url, f, &r), ERR_FETCH_REFUSED);
	finish();
}

static void
mail_setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", "warn", false);
	server_fork(true);
	finish_first = fetch_fini;
	loop_init();
}

Test(mail, is_sent_and_refused, .init = mail_setup, .fini = teardown, .timeout = 300)
{
	run(mails);
}
