/* Requests to a server on a socket of this machine: connections are kept, and whatever the server does ends in an answer or an error. */
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "io/budget.h"
#include "io/fetch.h"
#include "fiber_run.h"

enum { LARGE = 3000000 };

static char dir[] = "/tmp/fetch-local-XXXXXX", at[64];
static pid_t server;

/* ---- a server: a process for each connection, which says which request of it this is ---- */

static void
say(int fd, const char *text)
{
	for (size_t n = strlen(text), done = 0; done < n;) {
		ssize_t one = write(fd, text + done, n - done);

		if (one <= 0)
			_exit(0);
		done += (size_t)one;
	}
}

/* Reads a request; its target. False: there is none. */
static bool
hear(int fd, char target[64], size_t *body_out)
{
	static char all[LARGE + 4096];
	size_t n = 0, length = 0;
	char *end = NULL;
	const char *said;
	ssize_t one;

	while (end == NULL || (size_t)(all + n - end - 4) < length) {
		if ((one = read(fd, all + n, sizeof all - 1 - n)) <= 0)
			return false;
		n += (size_t)one;
		all[n] = '\0';
		if (end == NULL && (end = strstr(all, "\r\n\r\n")) != NULL && (said = strstr(all, "Content-Length: ")) != NULL && said < end)
			length = strtoul(said + 16, NULL, 10);
	}
	*body_out = length;
	return sscanf(all, "%*s %63s", target) == 1;
}

static void
serve(int fd)
{
	char target[64], line[200];
	size_t body;

	for (int n = 1; hear(fd, target, &body); n++) {
		snprintf(line, sizeof line, "%d %zu", n, body);
		if (strcmp(target, "/which") == 0 || strcmp(target, "/last") == 0 || strcmp(target, "/deaf") == 0) {
			dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Pid: %d\r\n\r\n%s", strlen(line), (int)getpid(), line);
			if (strcmp(target, "/last") == 0)
				return;		/* without a word */
			if (strcmp(target, "/deaf") == 0) {	/* something comes, and is not read */
				poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
				return;
			}
		} else if (strcmp(target, "/chunks") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe");
			say(fd, "\r\n3\r\nllo\r\n0\r\n\r\n");
		} else if (strcmp(target, "/surplus") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
		} else if (strcmp(target, "/large") == 0) {
			char piece[1001];

			memset(piece, 'x', 1000);
			piece[1000] = '\0';
			dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
			for (int i = 0; i < LARGE / 1000; i++)
				say(fd, piece);
		} else if (strcmp(target, "/head") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
		} else if (strcmp(target, "/cut") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
			return;
		} else if (strcmp(target, "/begun") == 0) {
			say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
			return;
		} else if (strcmp(target, "/none") == 0) {
			return;
		} else if (strcmp(target, "/waits") == 0) {
			say(fd, "HTTP/1.1 102 Processing\r\n\r\n");
			return;
		} else if (strcmp(target, "/slow") == 0) {	/* begun, and not over */
			say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
			pause();
		} else if (strcmp(target, "/queue") == 0 || strcmp(target, "/late") == 0) {	/* not begun when who asked leaves, or just then */
			say(fd, "HTTP/1.1 102 Processing\r\n\r\n");
			while (read(fd, line, sizeof line) > 0)
				;
			if (strcmp(target, "/late") == 0)
				say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
			return;
		} else if (strcmp(target, "/small") == 0) {
			char piece[900001];

			memset(piece, 'x', 900000);
			piece[900000] = '\0';
			dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n");
			say(fd, piece);
		} else if (strcmp(target, "/noise") == 0) {
			say(fd, "SSH-2.0-OpenSSH\r\n\r\n");
		} else if (strcmp(target, "/never") == 0) {
			pause();
		} else {
			dprintf(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: %zu\r\n\r\n%s", strlen(target), target);
		}
	}
}

static void
setup(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", "warn", false);
	cr_assert_not_null(mkdtemp(dir));
	snprintf(at, sizeof at, "%s/s", dir);
	strcpy(a.sun_path, at);
	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	cr_assert_eq(listen(fd, 16), 0);
	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			int one = accept(fd, NULL, NULL);

			if (fork() == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				close(fd);
				serve(one);
				_exit(0);
			}
			close(one);
		}
	}
	close(fd);
	finish_first = fetch_fini;
	loop_init();
}

static void
teardown(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(at);
	rmdir(dir);
}

TestSuite(fetch_local, .init = setup, .fini = teardown, .timeout = 300);

static void
run(fib_fn fn)
{
	run_for(200000, fn);
}

static err_t
ask(struct ctx *cx, const char *target, struct fetch f, struct fetch_reply **r)
{
	f.url = arena_printf(cx->arena, "http://test%s", target);
	f.unix_path = f.unix_path != NULL ? f.unix_path : at;
	return fetch(cx, &f, r);
}

/* ---- tests ---- */

static void
keeps(struct ctx *cx, void *arg)
{
	struct fetch_reply *r, *other;

	(void)arg;
	for (int i = 1; i <= 3; i++) {
		cr_assert_eq(ask(cx, "/which", (struct fetch){.body = STR("abc")}, &r), OK, "%s", cx->detail);
		cr_expect(str_is(r->body, arena_printf(cx->arena, "%d 3", i)), "%.*s", STR_FMT(r->body));
	}
	cr_assert_eq(ask(cx, "/chunks", (struct fetch){0}, &r), OK, "%s", cx->detail);
	cr_expect(str_is(r->body, "hello"));
	cr_assert_eq(ask(cx, "/last", (struct fetch){0}, &r), OK, "%s", cx->detail);
	cr_expect(str_is(r->body, "5 0"), "%.*s", STR_FMT(r->body));
	/* it was closed meanwhile, or is just about to be */
	cr_assert_eq(ask(cx, "/which", (struct fetch){0}, &other), OK, "%s", cx->detail);
	cr_expect(str_is(other->body, "1 0"));
	cr_expect_str_neq(fetch_header(other, "x-pid"), fetch_header(r, "x-pid"));
	/* another host is another server, also behind a socket of the same name */
	cr_assert_eq(fetch(cx, &(struct fetch){.url = "http://other/which", .unix_path = at}, &r), OK);
	cr_expect(str_is(r->body, "1 0"));
	/* who has said more than an answer says nothing more */
	cr_assert_eq(ask(cx, "/surplus", (struct fetch){0}, &r), OK);
	cr_expect(str_is(r->body, "ok"));
	cr_assert_eq(ask(cx, "/which", (struct fetch){0}, &r), OK);
	cr_expect(str_is(r->body, "1 0"), "%.*s", STR_FMT(r->body));
	cr_assert_eq(ask(cx, "/head", (struct fetch){.method = "HEAD"}, &r), OK, "%s", cx->detail);
	cr_expect(r->status == 200 && r->body.n == 0);
	cr_assert_eq(ask(cx, "/which", (struct fetch){0}, &r), OK);
	cr_expect(str_is(r->body, "3 0"), "%.*s", STR_FMT(r->body));
	/* one of its own, which is not kept either */
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(ask(cx, "/which", (struct fetch){.alone = true}, &r), OK);
		cr_expect(str_is(r->body, "1 0"), "%.*s", STR_FMT(r->body));
	}
	cr_assert_eq(ask(cx, "/which", (struct fetch){0}, &r), OK);
	cr_expect(str_is(r->body, "4 0"), "%.*s", STR_FMT(r->body));
	finish();
}

Test(fetch_local, connections_are_kept_as_long_as_they_are_good)
{
	run(keeps);
}

static void
bounds(struct ctx *cx, void *arg)
{
	static const struct fetch_header bad[] = {{"X-A", "b\r\nX-C: d"}}, name[] = {{"X A", "b"}};
	char *large = arena_alloc(cx->arena, LARGE);
	struct fetch_reply *r;

	(void)arg;
	cr_assert_eq(ask(cx, "/large", (struct fetch){.max_bytes = LARGE}, &r), OK, "%s", cx->detail);
	cr_expect_eq(r->body.n, LARGE);
	cr_expect_eq(ask(cx, "/large", (struct fetch){.max_bytes = LARGE - 1}, &r), ERR_FETCH);
	memset(large, 'x', LARGE);
	cr_assert_eq(ask(cx, "/which", (struct fetch){.body = {large, LARGE}}, &r), OK, "%s", cx->detail);
	cr_expect(str_is(r->body, arena_printf(cx->arena, "1 %d", LARGE)), "%.*s", STR_FMT(r->body));
	for (const char *const *t = (const char *const[]){"/cut", "/none", "/noise", NULL}; *t != NULL; t++) {
		cr_expect_eq(ask(cx, *t, (struct fetch){0}, &r), ERR_FETCH, "%s", *t);
		cr_expect_null(r);
	}
	cr_expect_eq(ask(cx, "/never", (struct fetch){.timeout_ms = 50}, &r), ERR_TIMEOUT);
	cr_expect_eq(ask(cx, "/x", (struct fetch){.headers = bad, .n_headers = 1}, &r), ERR_FETCH_REFUSED);
	cr_expect_eq(ask(cx, "/x", (struct fetch){.headers = name, .n_headers = 1}, &r), ERR_FETCH_REFUSED);
	cr_expect_eq(ask(cx, "/x\r\nA: b", (struct fetch){0}, &r), ERR_FETCH_REFUSED);
	cr_assert_eq(ask(cx, "/a b?c=d#e", (struct fetch){0}, &r), OK);
	cr_expect(r->status == 404 && str_is(r->body, "/a%20b?c=d"), "%.*s", STR_FMT(r->body));
	cr_expect_eq(ask(cx, "/", (struct fetch){.unix_path = "/nowhere/s"}, &r), ERR_FETCH);
	finish();
}

Test(fetch_local, what_is_wrong_is_an_error)
{
	run(bounds);
}

/* What must not be asked twice: whether it was taken is told by how the connection ends. */
static void
once(struct ctx *cx, void *arg)
{
	struct fetch_reply *r;

	(void)arg;
	for (int kept = 0; kept < 2; kept++) {
		for (const char *const *t = (const char *const[]){"/cut", "/begun", "/none", NULL}; *t != NULL; t++) {
			if (kept)
				cr_assert_eq(ask(cx, "/which", (struct fetch){.once = true}, &r), OK);
			cr_assert_eq(ask(cx, *t, (struct fetch){.once = true}, &r), OK, "%s: %s", *t, cx->detail);
			cr_expect(r->cut && r->status == (strcmp(*t, "/none") == 0 ? 0 : 200) && str_is(r->body, strcmp(*t, "/cut") == 0 ? "half" : ""), "%s: %d", *t, r->status);
		}
		if (kept)
			cr_assert_eq(ask(cx, "/which", (struct fetch){.once = true}, &r), OK);
		cr_expect_eq(ask(cx, "/waits", (struct fetch){.once = true}, &r), ERR_FETCH);
		/* not taken, and nobody else is to be asked: the first time it is the connection's end; a kept one is followed by another */
		cr_assert_eq(ask(cx, "/deaf", (struct fetch){.once = true}, &r), OK, "%s", cx->detail);
		cr_assert_eq(ask(cx, "/which", (struct fetch){.once = true}, &r), OK, "%s", cx->detail);
		cr_expect(str_is(r->body, "1 0"), "%.*s", STR_FMT(r->body));
		cr_assert_eq(ask(cx, "/last", (struct fetch){.once = true}, &r), OK);
		cr_assert_eq(ask(cx, "/which", (struct fetch){.once = true}, &r), OK, "%s", cx->detail);
		cr_expect(str_is(r->body, "1 0"), "%.*s", STR_FMT(r->body));
		cr_assert_eq(ask(cx, "/last", (struct fetch){.once = true}, &r), OK);
	}
	finish();
}

Test(fetch_local, what_may_have_been_taken_is_not_asked_again)
{
	run(once);
}

/* The time for it is over: what was taken may have been begun, what was told to wait has not. */
static void
once_late(struct ctx *cx, void *arg)
{
	struct fetch_reply *r;

	(void)arg;
	for (const char *const *t = (const char *const[]){"/never", "/slow", "/late", NULL}; *t != NULL; t++) {
		cr_assert_eq(ask(cx, *t, (struct fetch){.once = true, .timeout_ms = 300}, &r), OK, "%s: %s", *t, cx->detail);
		cr_expect(r->cut && r->late, "%s", *t);
	}
	cr_expect_eq(ask(cx, "/queue", (struct fetch){.once = true, .timeout_ms = 300}, &r), ERR_TIMEOUT);
	cr_expect_eq(ask(cx, "/never", (struct fetch){.timeout_ms = 50}, &r), ERR_TIMEOUT);
	finish();
}

Test(fetch_local, what_may_have_been_begun_is_told_when_its_time_is_over)
{
	run(once_late);
}

/* A stranger's answers are held like other bytes of strangers. */
static void
budget(struct ctx *cx, void *arg)
{
	size_t most = (size_t)conf.bytes_max;
	struct fetch_reply *r;
	struct ctx part;

	(void)arg;
	ctx_init_part(&part, cx);
	cr_assert_eq(ask(&part, "/large", (struct fetch){.max_bytes = LARGE}, &r), OK, "%s", part.detail);
	cr_expect_geq(budget_held(), LARGE);
	ctx_fini(&part);
	cr_expect_eq(budget_held(), 0);
	/* once, where its length was known before it came */
	ctx_init_part(&part, cx);
	cr_assert_eq(ask(&part, "/small", (struct fetch){0}, &r), OK, "%s", part.detail);
	cr_expect_geq(budget_held(), 900000);
	cr_expect_lt(budget_held(), 1100000);
	ctx_fini(&part);
	conf.bytes_max = LARGE / 2;
	cr_expect_eq(ask(cx, "/large", (struct fetch){.max_bytes = LARGE}, &r), ERR_BUSY);
	cr_expect_null(r);
	/* what was begun and must not be asked again has an answer, which is cut */
	cr_assert_eq(ask(cx, "/large", (struct fetch){.max_bytes = LARGE, .once = true}, &r), OK, "%s", cx->detail);
	cr_expect(r->cut && r->status == 200 && r->body.n < LARGE);
	cr_expect_eq(ask(cx, "/which", (struct fetch){0}, &r), OK);
	conf.bytes_max = (int64_t)most;
	finish();
}

Test(fetch_local, answers_are_held_within_the_budget)
{
	run(budget);
}

static void
leave(struct ctx *cx, void *arg)
{
	struct fetch_reply *r;

	(void)arg;
	cr_expect_eq(ask(cx, "/never", (struct fetch){0}, &r), ERR_FETCH);
	cr_expect_str_eq(cx->detail, "stopping");
	finished = true;
	loop_stop();
}

static void
stop(void *arg)
{
	(void)arg;
	fetch_fini();
}

Test(fetch_local, at_the_end_who_waits_is_told)
{
	fib_spawn_new("test", 120000, leave, NULL);
	loop_after(50, stop, NULL);
	loop_run();
	cr_assert(finished);
}
