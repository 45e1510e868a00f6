/* A server of the HTTP adapter alone, for the wire tests: answers with what it understood, late on request; a WebSocket that obeys.
 *
 *   echo name=value…		configuration; prints "ready PORT" once it listens (port=0: one that is free); SIGTERM drains, SIGINT stops
 *
 * /sink takes the body in pieces and says what it was, /sink/MS takes a piece every MS; /early/N answers N without taking it;
 * /pieces/N/SIZE answers N pieces without a length, /known/N/SIZE with one, /cut/N/SIZE breaks off after N of N + 1; /file/PATH answers
 * a file of data_dir; /held says what the budget holds and what fibers live, /floods how many were ended.
 * /delay/MS answers late, /text/N answers N bytes, /headers sends awkward ones, /status/N, /silent never answers (until the client
 * leaves), /stats counts, /broadcast sends the body to all sockets; anything else is echoed as JSON, bytes as code points. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/ctx.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/budget.h"
#include "io/http.h"
#include "io/static.h"

struct sock {
	struct sock *prev, *next;
	struct ws *ws;
};

struct late {
	struct http_msg *m;
	struct loop_timer *timer;
};

static struct sock *socks;
static unsigned n_gone, n_requests, n_closed, n_cancelled, n_written;
static bool stopping;

static void
add_text(struct buf *b, struct str s)
{
	buf_ch(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 32 || c > 126 || c == '"' || c == '\\')
			buf_printf(b, "\\u%04x", c);
		else
			buf_ch(b, (char)c);
	}
	buf_ch(b, '"');
}

static void
add_member(struct buf *b, const char *name, struct str value)
{
	buf_printf(b, "%s\"%s\":", b->n > 1 && b->p[b->n - 1] != '{' ? "," : "", name);
	add_text(b, value);
}

static void
describe(struct buf *b, const struct http_msg *m)
{
	static const char *const name[] = {
#define HDR(id, text, many) text,
#include "tbl/headers.h"
#undef HDR
	};

	buf_ch(b, '{');
	add_member(b, "method", m->method);
	add_member(b, "path", m->path);
	add_member(b, "query", m->query);
	add_member(b, "body", m->body);
	add_member(b, "peer", str_c(m->peer));
	buf_printf(b, ",\"tls\":%s,\"version\":%d,\"headers\":{", m->tls ? "true" : "false", m->version);
	for (int i = 0; i < HDR_N; i++)
		if (m->hdr[i].p != NULL)
			add_member(b, name[i], m->hdr[i]);
	buf_c(b, "}}");
}

static void
answer(struct http_msg *m, int status, struct str body)
{
	static const struct http_header h = {"Content-Type", "application/json; charset=UTF-8"};

	http_reply(m, status, &h, 1, body);
	http_done(m);
}

static void
answer_text(struct http_msg *m, const char *text)
{
	static const struct http_header h = {"Content-Type", "application/json; charset=UTF-8"};

	http_reply(m, 200, &h, 1, str_c(text));
}

static void
echo(struct http_msg *m)
{
	struct buf b;

	buf_init(&b, m->arena, 512);
	describe(&b, m);
	answer(m, 200, buf_view(&b));
}

static void
answer_late(void *arg)
{
	struct late *l = arg;

	l->m->data = NULL;
	echo(l->m);	/* l is in the message's arena: gone now */
}

static int64_t
number(struct str path, const char *prefix)
{
	size_t n = strlen(prefix);
	int64_t v;

	if (!str_starts(path, prefix) || !str_to_i64((struct str){path.p + n, path.n - n}, &v))
		return -1;
	return v;
}

static void
delay(struct http_msg *m, int64_t ms)
{
	struct late *l = arena_zalloc(m->arena, sizeof *l);

	l->m = m;
	m->data = l;
	l->timer = loop_after((uint64_t)ms, answer_late, l);
}

static void
stats(struct http_msg *m)
{
	struct buf b;

	buf_init(&b, m->arena, 256);
	buf_printf(&b,
	    "{\"requests\":%u,\"gone\":%u,\"closed\":%u,\"open\":%u,\"sockets\":%u,\"connections\":%" PRId64 ",\"slow\":%" PRId64
	    ",\"lagging\":%" PRId64 ",\"pings\":%" PRId64 ",\"silent\":%" PRId64 ",\"late\":%" PRId64 ",\"pid\":%d}",
	    n_requests, n_gone, n_closed, http_open_requests(), http_open_sockets(), metric_value(M_http_connections),
	    metric_value(M_rt_dropped), metric_value(M_rt_lagging), metric_value(M_rt_pings), metric_value(M_rt_silent),
	    metric_value(M_rt_late), (int)getpid());
	answer(m, 200, buf_view(&b));
}

static void
text(struct http_msg *m, size_t n)
{
	char *p = malloc(n + 1);

	memset(p, 'x', n);
	answer(m, 200, (struct str){p, n});
	free(p);
}

static void
headers(struct http_msg *m)
{
	static const struct http_header h[] = {
		{"X-One", "1"}, {"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}, {"X-Bad", "a\r\nX-Evil: yes"}, {"X-Last", "end"},
	};

	http_reply(m, 201, h, 5, STR("made"));
	http_done(m);
}

static void
broadcast(struct str body)
{
	struct frame *f = frame_new(body);

	for (struct sock *s = socks; s != NULL; s = s->next)
		ws_send(s->ws, f);
	frame_unref(f);
}

/* ---- on fibers ---- */

struct work {
	struct ctx cx;
	struct http_msg *m;
	err_t (*fn)(struct ctx *cx, struct http_msg *m, int64_t n, int64_t size);
	int64_t n, size;
};

static void
run_work(struct ctx *cx, void *arg)
{
	struct work *w = arg;
	struct http_msg *m = w->m;
	err_t e = w->fn(cx, m, w->n, w->size);

	if (e != OK && !http_begun(m)) {
		static const struct http_header h = {"Content-Type", "text/plain"};

		http_reply(m, err_info(e)->status, &h, 1, str_c(err_info(e)->name));
	}
	if (e == ERR_CANCELLED)
		n_cancelled++;
	ctx_fini(cx);
	http_done(m);
}

static void
work(struct http_msg *m, err_t (*fn)(struct ctx *, struct http_msg *, int64_t, int64_t), int64_t n, int64_t size)
{
	struct work *w = arena_new_of(m->arena, struct work);

	ctx_init_arena(&w->cx, m->arena);
	*w = (struct work){w->cx, m, fn, n, size};
	m->data = w;
	fib_spawn(&w->cx, run_work, w);
}

static int64_t sunk;	/* pieces that all of them took */

/* FNV-1a, so that what arrived can be told from what was sent. */
static err_t
sink(struct ctx *cx, struct http_msg *m, int64_t ms, int64_t size)
{
	uint32_t sum = 2166136261u;
	int64_t n = 0, pieces = 0, biggest = 0;
	struct str p;

	(void)size;
	cx->deadline = loop_now() + 2000;
	for (;;) {
		TRY(http_body_read(cx, m, &p));
		if (p.n == 0)
			break;
		pieces++;
		sunk++;
		n += (int64_t)p.n;
		biggest = (int64_t)p.n > biggest ? (int64_t)p.n : biggest;
		for (size_t i = 0; i < p.n; i++)
			sum = (sum ^ (unsigned char)p.p[i]) * 16777619u;
		if (ms > 0)
			TRY(fib_sleep(cx, (uint64_t)ms));
		if (ms > 0)
			cx->deadline += (uint64_t)ms + 100;
	}
	answer_text(m, arena_printf(m->arena, "{\"bytes\":%" PRId64 ",\"sum\":%u,\"pieces\":%" PRId64 ",\"biggest\":%" PRId64 ",\"held\":%zu}", n, sum,
	    pieces, biggest, budget_held()));
	return OK;
}

static err_t
tell_sunk(struct ctx *cx, struct http_msg *m, int64_t n, int64_t size)
{
	(void)cx, (void)n, (void)size;
	answer_text(m, arena_printf(m->arena, "{\"sunk\":%" PRId64 "}", sunk));
	return OK;
}

static char *
filled(struct http_msg *m, int64_t size)
{
	char *p = arena_alloc(m->arena, (size_t)size + 1);

	for (int64_t i = 0; i < size; i++)
		p[i] = (char)('a' + i % 26);
	return p;
}

static err_t
send_pieces(struct ctx *cx, struct http_msg *m, int64_t n, int64_t size, int64_t length, bool end)
{
	static const struct http_header h = {"Content-Type", "text/plain"};
	struct str piece = {filled(m, size), (size_t)size};

	cx->deadline = loop_now() + 2000;
	http_begin(m, 200, &h, 1, length);
	for (int64_t i = 0; i < n; i++) {
		TRY(http_write(cx, m, piece));
		n_written++;
	}
	if (end)
		http_end(m);
	return OK;
}

static err_t
pieces(struct ctx *cx, struct http_msg *m, int64_t n, int64_t size)
{
	return send_pieces(cx, m, n, size, -1, true);
}

static err_t
known(struct ctx *cx, struct http_msg *m, int64_t n, int64_t size)
{
	return send_pieces(cx, m, n, size, n * size, true);
}

/* The client has all of it before we are done. */
static err_t
late(struct ctx *cx, struct http_msg *m, int64_t n, int64_t size)
{
	TRY(send_pieces(cx, m, n, size, n * size, false));
	TRY(fib_sleep(cx, 50));
	http_end(m);
	return OK;
}

static err_t
cut(struct ctx *cx, struct http_msg *m, int64_t n, int64_t size)
{
	return send_pieces(cx, m, n, size, (n + 1) * size, false);
}

static err_t
file(struct ctx *cx, struct http_msg *m, int64_t n, int64_t size)
{
	static struct static_dir dir = {.immutable = "hashed/"};

	(void)n, (void)size;
	dir.path = conf.data_dir;
	return static_serve(cx, m, &dir, (struct str){m->path.p + 6, m->path.n - 6}, NULL, 0, NULL);
}

static bool
two_numbers(struct str path, const char *prefix, int64_t *n, int64_t *size)
{
	struct str rest = {path.p + strlen(prefix), path.n - strlen(prefix)};

	return str_starts(path, prefix) && str_to_i64(str_cut(&rest, '/'), n) && str_to_i64(rest, size);
}

/* Those whose message has a struct work. */
static bool
on_fiber_path(struct str path)
{
	static const char *const begin[] = {"/sink", "/sunk", "/pieces/", "/known/", "/late/", "/cut/", "/file/"};

	for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)
		if (str_starts(path, begin[i]))
			return true;
	return false;
}

static bool
on_fiber(struct http_msg *m)
{
	int64_t n, size;

	if (str_is(m->path, "/sink"))
		work(m, sink, 0, 0);
	else if ((n = number(m->path, "/sink/")) >= 0)
		work(m, sink, n, 0);
	else if (two_numbers(m->path, "/pieces/", &n, &size))
		work(m, pieces, n, size);
	else if (str_is(m->path, "/sunk"))
		work(m, tell_sunk, 0, 0);
	else if (two_numbers(m->path, "/known/", &n, &size))
		work(m, known, n, size);
	else if (two_numbers(m->path, "/late/", &n, &size))
		work(m, late, n, size);
	else if (two_numbers(m->path, "/cut/", &n, &size))
		work(m, cut, n, size);
	else if (str_starts(m->path, "/file/"))
		work(m, file, 0, 0);
	else
		return false;
	return true;
}

static void
held(struct http_msg *m)
{
	answer(m, 200, str_c(arena_printf(m->arena, "{\"held\":%zu,\"owners\":%u,\"fibers\":%u,\"cancelled\":%u,\"written\":%u,\"slow\":%" PRId64
	    ",\"refused\":%" PRId64 ",\"refused_address\":%" PRId64
	    ",\"connections_refused\":%" PRId64 ",\"connections\":%" PRId64 ",\"bulk\":%" PRId64 "}", budget_held(), budget_owners(), fib_count(), n_cancelled, n_written,
	    metric_value(M_http_slow), metric_value(M_bytes_refused), metric_value(M_bytes_refused_address),
	    metric_value(M_http_refused_address), metric_value(M_http_connections), metric_value(M_http_bulk))));
}

/* ---- requests ---- */

static void on_whole(struct http_msg *m);

static void
on_request(struct http_msg *m)
{
	err_t e = http_charge_head(m);
	int64_t n;

	n_requests++;
	if (e != OK)
		answer(m, err_info(e)->status, STR("{}"));
	else if ((n = number(m->path, "/early/")) >= 0)
		answer(m, (int)n, STR("{}"));
	else if ((n = number(m->path, "/large/")) >= 0)		/* as /text/, but without waiting for a body */
		text(m, (size_t)n);
	else if (str_is(m->path, "/held"))
		held(m);
	else if (str_is(m->path, "/floods"))
		answer(m, 200, str_c(arena_printf(m->arena, "{\"floods\":%" PRId64 "}", metric_value(M_http_floods))));
	else if (on_fiber(m))
		return;
	else if (m->length != 0)
		http_collect(m, conf.body_max);
	else
		on_whole(m);
}

static void
on_whole(struct http_msg *m)
{
	int64_t n;

	if ((n = number(m->path, "/delay/")) >= 0)
		delay(m, n);
	else if ((n = number(m->path, "/text/")) >= 0)
		text(m, (size_t)n);
	else if ((n = number(m->path, "/status/")) >= 0)
		answer(m, (int)n, STR("{}"));
	else if (str_is(m->path, "/headers"))
		headers(m);
	else if (str_is(m->path, "/stats"))
		stats(m);
	else if (str_is(m->path, "/small"))
		answer(m, 200, STR("{\"status\":\"pass\"}"));
	else if (str_is(m->path, "/broadcast")) {
		broadcast(m->body);
		answer(m, 200, STR("{}"));
	} else if (!str_is(m->path, "/silent"))
		echo(m);
}

static void
on_gone(struct http_msg *m)
{
	n_gone++;
	if (m->data != NULL && on_fiber_path(m->path)) {
		fib_cancel(((struct work *)m->data)->cx.fib);
		return;
	}
	if (m->data != NULL)
		loop_timer_stop(&((struct late *)m->data)->timer);
	http_done(m);
}

static void
on_open(struct ws *w, struct http_msg *up)
{
	struct sock *s = calloc(1, sizeof *s);
	struct buf b;

	s->ws = w;
	s->next = socks;
	if (socks != NULL)
		socks->prev = s;
	socks = s;
	ws_set_data(w, s);
	if (up->query.n > 0) {
		buf_init(&b, up->arena, 512);
		describe(&b, up);
		ws_send_text(w, buf_view(&b));
	}
	http_done(up);
}

static void
flood(struct ws *w, struct str arg)
{
	int64_t count, size;
	struct buf b;
	struct frame *f;

	if (!str_to_i64(str_cut(&arg, ':'), &count) || !str_to_i64(arg, &size))
		return;
	buf_init(&b, NULL, (size_t)size);
	for (int64_t i = 0; i < size; i++)
		buf_ch(&b, 'f');
	f = frame_new(buf_view(&b));
	for (int64_t i = 0; i < count; i++) {
		char number_text[24];

		snprintf(number_text, sizeof number_text, "%" PRId64, i);
		if (i % 2 == 0)
			ws_send(w, f);
		else
			ws_send_tail(w, f, str_c(number_text));
	}
	frame_unref(f);
	buf_fini(&b);
}

static void
on_message(struct ws *w, struct str t)
{
	struct str verb = str_cut(&t, ':');
	int64_t code;

	if (str_is(verb, "close") && str_to_i64(t, &code))
		ws_close(w, (int)code, "as asked");
	else if (str_is(verb, "drop")) {
		ws_send_text(w, STR("last words"));
		ws_drop(w);
	} else if (str_is(verb, "flood"))
		flood(w, t);
	else if (str_is(verb, "all"))
		broadcast(t);
	else if (t.p != NULL)
		ws_send_text(w, (struct str){verb.p, verb.n + 1 + t.n});
	else
		ws_send_text(w, verb);
}

static void
on_close(struct ws *w)
{
	struct sock *s = ws_data(w);

	n_closed++;
	*(s->prev ? &s->prev->next : &socks) = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	free(s);
}

static void
on_signal(int signo)
{
	stopping = true;
	http_drain();
	if (signo == SIGINT)
		loop_stop();
}

static void
check_end(void *arg)
{
	(void)arg;
	if (stopping && http_open_requests() == 0 && http_unsent_answers() == 0 && http_open_sockets() == 0)
		loop_stop();
}

/* The kernel chooses, and a socket that shares the port keeps it: one that was free a moment ago may be somebody else's by now. */
static bool
hold_port(void)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	bool all = inet_pton(AF_INET, conf.listen, &four.sin_addr) != 1;
	struct sockaddr *at = all ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	socklen_t n = all ? sizeof six : sizeof four;
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)) != 0 || bind(fd, at, n) != 0 || getsockname(fd, at, &n) != 0)
		return false;
	conf.port = ntohs(all ? six.sin6_port : four.sin_port);
	return true;
}

int
main(int argc, char **argv)
{
	static const struct http_handler handler = {.request = on_request, .collected = on_whole, .gone = on_gone, .ws_open = on_open, .ws_message = on_message,
		.ws_close = on_close};
	struct loop_timer *t;

	if (!conf_load(NULL, argc - 1, argv + 1, false))
		return 2;
	log_init("echo", conf.log_level, false);
	metric_init(1);
	metric_slot(0);
	loop_init();
	loop_on_signal(SIGTERM, on_signal);
	loop_on_signal(SIGINT, on_signal);
	if ((conf.port == 0 && !hold_port()) || !http_listen(&handler, "/ws"))
		return 1;
	printf("ready %d\n", (int)conf.port);
	fflush(stdout);
	t = loop_every(50, check_end, NULL);
	loop_run();
	loop_timer_stop(&t);
	http_fini();
	return http_open_requests() == 0 && socks == NULL ? 0 : 3;
}
