/* A server of the HTTP adapter alone, for the wire tests: answers with what it understood, late on request; a WebSocket that obeys.
 *
 *   echo name=value…		configuration; prints "ready PORT" once it listens; SIGTERM drains, SIGINT stops
 *
 * /delay/MS answers late, /text/N answers N bytes, /headers sends awkward ones, /status/N, /silent never answers (until the client
 * leaves), /stats counts, /broadcast sends the body to all sockets; anything else is echoed as JSON, bytes as code points. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/http.h"

struct sock {
	struct sock *prev, *next;
	struct ws *ws;
};

struct late {
	struct http_msg *m;
	struct loop_timer *timer;
};

static struct sock *socks;
static unsigned n_gone, n_requests, n_closed;
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
#define HDR(id, text) text,
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
	    ",\"lagging\":%" PRId64 ",\"pid\":%d}",
	    n_requests, n_gone, n_closed, http_open_requests(), http_open_sockets(), metric_value(M_http_connections),
	    metric_value(M_rt_dropped), metric_value(M_rt_lagging), (int)getpid());
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

static void
on_request(struct http_msg *m)
{
	int64_t n;

	n_requests++;
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
	struct late *l = m->data;

	n_gone++;
	if (l != NULL)
		loop_timer_stop(&l->timer);
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

int
main(int argc, char **argv)
{
	static const struct http_handler handler = {on_request, on_gone, on_open, on_message, on_close};
	struct loop_timer *t;

	if (!conf_load(NULL, argc - 1, argv + 1, false))
		return 2;
	log_init("echo", conf.log_level, false);
	metric_init(1);
	metric_slot(0);
	loop_init();
	loop_on_signal(SIGTERM, on_signal);
	loop_on_signal(SIGINT, on_signal);
	if (!http_listen(&handler, "/ws"))
		return 1;
	printf("ready %d\n", (int)conf.port);
	fflush(stdout);
	t = loop_every(50, check_end, NULL);
	loop_run();
	loop_timer_stop(&t);
	http_fini();
	return http_open_requests() == 0 && socks == NULL ? 0 : 3;
}
