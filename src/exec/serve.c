/* What executors are asked over HTTP (model/exec_wire.h). Each request is a fiber. Whoever reaches the local socket may; from other machines a proof is asked for (far.c). */
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "exec_priv.h"
#include "io/http.h"

enum { BODY_SLACK = 1024 * 1024, PIECE_MAX = 64 * 1024 };

static unsigned n_serving;

unsigned
serve_busy(void)
{
	return n_serving;
}

/* ---- bodies ---- */

/* Awaits the records of a question; *rest_out: what came behind them. */
static err_t
serve_ask_begin(struct ctx *cx, struct question *q, struct exec_ask *out, struct str *rest_out)
{
	struct str piece, text, name, value;
	enum exec_record got;
	struct buf b;
	size_t looked = 0;

	buf_init(&b, cx->arena, q->m->length > 0 && q->m->length < BODY_SLACK ? (size_t)q->m->length : 4096);
	for (;;) {
		TRY(question_read(cx, q, &piece));
		if (piece.n == 0)
			return fail(cx, ERR_EXEC, "the question is cut");
		buf_str(&b, piece);
		text = (struct str){b.p + looked, b.n - looked};
		while ((got = exec_take(&text, &name, &value)) == EXEC_RECORD && !str_is(name, EXEC_END))
			looked = b.n - text.n;
		if (got == EXEC_MALFORMED || b.n > EXEC_ASK_MAX)
			return fail(cx, ERR_EXEC, "the question is malformed, or too large");
		if (got == EXEC_RECORD)
			break;
	}
	text = buf_view(&b);
	if (!exec_ask_take(cx->arena, &text, out))
		return fail(cx, ERR_EXEC, "the question is malformed");
	*rest_out = text;
	return OK;
}

/* A question that is nothing but these. */
static err_t
serve_ask(struct ctx *cx, struct question *q, struct exec_ask *out)
{
	struct str rest;

	TRY(serve_ask_begin(cx, q, out, &rest));
	return rest.n == 0 ? question_end(cx, q) : fail(cx, ERR_EXEC, "more comes than is to be asked");
}

static void
serve_text(struct http_msg *m, int status, const char *text)
{
	const struct http_header h = {"content-type", "text/plain; charset=utf-8"};

	http_reply(m, status, &h, 1, str_c(text));
}

/* ---- the questions ---- */

static bool
serve_here(const struct http_msg *m)
{
	return strcmp(m->peer, HTTP_LOCAL) == 0;
}

struct serving {
	struct http_msg *m;
	const struct exec_ask *q;
	bool quiet;		/* nothing is said before the run's end */
};

/* From here on it is not to be repeated, and goes on to its end, also when who asked has left. */
static bool
serve_begun(void *arg)
{
	struct serving *s = arg;

	if (!serve_here(s->m) && !far_run_begins(s->m->arena, s->q))
		return false;
	s->m->data = NULL;
	if (!s->quiet)
		http_begin(s->m, 200, NULL, 0, -1);
	return true;
}

static err_t
serve_ran(struct ctx *cx, struct http_msg *m, const struct exec_ran *r)
{
	struct buf b;

	buf_init(&b, cx->arena, 1024 + r->body.n + r->logs.n + r->errors.n);
	exec_ran_put(&b, r);
	m->data = NULL;
	if (!http_begun(m) && b.n <= PIECE_MAX) {
		http_reply(m, 200, NULL, 0, buf_view(&b));
		return OK;
	}
	if (!http_begun(m))
		http_begin(m, 200, NULL, 0, (int64_t)b.n);
	return http_write_last(cx, m, buf_view(&b));
}

/* Who asks from this machine hears from the kernel whether the question was taken (struct fetch, once): when it was, and nothing is said, the run has begun. So one that
 * begins at once is told of at its end alone, and one that waits is said to. Who is far cannot know, is told when it begins, and may ask later whether it has (far.c). */
static bool
serve_quiet(struct http_msg *m, const struct exec_ask *q)
{
	if (!serve_here(m))
		return false;
	if (function_free(m->arena, q))
		return true;
	http_wait(m);
	return false;
}

static err_t
serve_run(struct ctx *cx, struct question *asked)
{
	struct http_msg *m = asked->m;
	struct exec_ask q;
	struct serving s = {.m = m, .q = &q};
	struct exec_ran ran;
	struct function *f;
	const char *why;
	bool need;
	err_t e;

	TRY(serve_ask(cx, asked, &q));
	s.quiet = serve_quiet(m, &q);
	TRY(function_enter(cx, &q, &f, &need, &why));
	if (need) {
		serve_text(m, 404, "the code, please");
		return OK;
	}
	if (f == NULL) {
		ran_is(&ran, EXEC_FAILED, why);
		return serve_ran(cx, m, &ran);
	}
	e = run_serve(cx, &q, f, serve_begun, &s, &ran);
	function_leave(f);
	return e == OK ? serve_ran(cx, m, &ran) : e;
}

/* Whether a run has begun whose answer was lost. */
static err_t
serve_whether(struct ctx *cx, struct question *asked)
{
	struct exec_ask q;

	TRY(serve_ask(cx, asked, &q));
	serve_text(asked->m, far_run_begun(asked->m->arena, &q), "");
	return OK;
}

static err_t
serve_build(struct ctx *cx, struct question *asked)
{
	struct exec_ask q;
	struct str rest;

	TRY(serve_ask_begin(cx, asked, &q, &rest));
	build_serve(cx, &q, rest, asked);
	return OK;
}

static err_t
serve_retire(struct ctx *cx, struct question *asked)
{
	struct exec_ask q;

	TRY(serve_ask(cx, asked, &q));
	function_retire(q.project, q.run.f.function, q.run.f.deployment);
	serve_text(asked->m, 204, "");
	return OK;
}

/* It says what it keeps at once: whoever asked looks there the next time. */
static err_t
serve_warm(struct ctx *cx, struct question *asked)
{
	struct function *f = NULL;
	const char *why = NULL, *full = NULL;
	struct exec_ask q;
	bool need = false;

	TRY(serve_ask(cx, asked, &q));
	if (q.run.f.keep_warm)
		TRY(function_enter(cx, &q, &f, &need, &why));
	else
		function_let_go(arena_printf(cx->arena, "%s/%s/%s", q.project, q.code, q.run.f.revision));
	if (f != NULL) {
		full = function_keep(f);
		function_leave(f);
	}
	if (why == NULL && !need && role_announce(cx) != OK)
		log_debug(cx, "what is kept is told with the next announcement", "reason=\"%s\"", cx->detail != NULL ? cx->detail : "");
	serve_text(asked->m, need ? 404 : why != NULL ? 409 : full != NULL ? 503 : 204, need ? "the code, please" : why != NULL ? why : full != NULL ? full : "");
	return OK;
}

static err_t
serve_page(struct ctx *cx, struct question *asked)
{
	struct exec_ask q;
	struct exec_ran ran;

	TRY(serve_ask(cx, asked, &q));
	TRY(page_serve(cx, &q, &ran));
	return serve_ran(cx, asked->m, &ran);
}

static err_t
serve_code(struct ctx *cx, struct question *asked)
{
	struct http_msg *m = asked->m;
	struct str path = m->path, project, code;
	const char *why;

	str_cut(&path, '/');
	str_cut(&path, '/');
	project = str_cut(&path, '/');
	code = path;
	if (!id_valid(project) || !id_valid(code)) {
		serve_text(m, 400, "these are no ids");
		return OK;
	}
	TRY(code_put(cx, arena_printf(cx->arena, "%.*s/%.*s", STR_FMT(project), STR_FMT(code)), asked, &why));
	serve_text(m, why == NULL ? 204 : 507, why == NULL ? "" : why);
	return OK;
}

static const struct {
	const char *method, *path;
	err_t (*serve)(struct ctx *cx, struct question *asked);
	bool whole;			/* to its end, also when who asked has left */
} questions[] = {
	{"POST", "/run", serve_run, false},
	{"POST", "/begun", serve_whether, true},
	{"PUT", "/code/", serve_code, false},
	{"POST", "/build", serve_build, false},
	{"POST", "/page", serve_page, false},
	{"POST", "/retire", serve_retire, true},
	{"POST", "/warm", serve_warm, true},
};

/* ---- requests ---- */

static void
serve_fiber(struct ctx *cx, void *arg)
{
	struct question *q = arg;
	struct http_msg *m = q->m;
	err_t e = OK;
	size_t i, n = sizeof questions / sizeof *questions;

	for (i = 0; i < n && !(str_is(m->method, questions[i].method) && str_starts(m->path, questions[i].path)); i++)
		;
	if (i < n) {
		m->data = questions[i].whole ? NULL : cx->fib;
		e = questions[i].serve(cx, q);
	} else {
		serve_text(m, 404, "nothing is here");
	}
	m->data = NULL;
	if (e != OK && !http_begun(m))
		serve_text(m, 503, cx->detail != NULL ? cx->detail : err_info(e)->message);
	http_done(m);
	n_serving--;
}

static void
serve_request(struct http_msg *m)
{
	struct question *q = arena_new_of(m->arena, struct question);
	const char *refusal;
	int status = 0;

	q->m = m;
	refusal = serve_here(m) ? NULL : far_begin(q, &status);
	if (refusal != NULL) {
		metric_add(M_exec_refused_far, 1);
		serve_text(m, status, refusal);
		http_done(m);
		return;
	}
	http_known(m);
	m->data = NULL;
	n_serving++;
	fib_spawn_new("serve", 0, serve_fiber, q);
}

static void
serve_gone(struct http_msg *m)
{
	if (m->data != NULL)
		fib_cancel(m->data);
}

const struct http_handler executor_http = {.request = serve_request, .gone = serve_gone};
