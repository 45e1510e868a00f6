/* What executors are asked over HTTP (model/exec_wire.h). Each request is a fiber. Whoever reaches the local socket may; from other machines the key is asked for. */
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "exec_priv.h"
#include "io/http.h"

enum { BODY_SLACK = 1024 * 1024 };

static const char *key_of_all;		/* what others prove that they have */
static const char *own_address;		/* as others are told it: what was meant for another executor is nothing to this one */
static struct map *nonces, *nonces_before;	/* of requests that came: each is of use once */
static uint64_t nonces_since;
static unsigned n_serving;

void
serve_init(const char *key, const char *address)
{
	own_address = mem_strdup(address);
	key_of_all = mem_strdup(key);	/* as long as the process */
	nonces = map_new();
	nonces_before = map_new();
}

unsigned
serve_busy(void)
{
	return n_serving;
}

/* ---- bodies ---- */

/* Awaits the records of a question; *rest_out: what came behind them. */
static err_t
serve_ask(struct ctx *cx, struct http_msg *m, struct exec_ask *out, struct str *rest_out)
{
	struct str piece, text, name, value;
	enum exec_record got;
	struct buf b;
	size_t looked = 0;

	buf_init(&b, cx->arena, m->length > 0 && m->length < BODY_SLACK ? (size_t)m->length : 4096);
	for (;;) {
		TRY(http_body_read(cx, m, &piece));
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

static void
serve_text(struct http_msg *m, int status, const char *text)
{
	const struct http_header h = {"content-type", "text/plain; charset=utf-8"};

	http_reply(m, status, &h, 1, str_c(text));
}

/* ---- the questions ---- */

/* From here on it is not to be repeated, and goes on to its end, also when who asked has left. */
static void
serve_begun(void *arg)
{
	struct http_msg *m = arg;

	m->data = NULL;
	http_begin(m, 200, NULL, 0, -1);
}

static err_t
serve_ran(struct ctx *cx, struct http_msg *m, const struct exec_ran *r)
{
	struct buf b;

	buf_init(&b, cx->arena, 1024 + r->body.n + r->logs.n + r->errors.n);
	exec_ran_put(&b, r);
	if (!http_begun(m))
		serve_begun(m);
	return http_write_last(cx, m, buf_view(&b));
}

static err_t
serve_run(struct ctx *cx, struct http_msg *m)
{
	struct exec_ask q;
	struct exec_ran ran;
	struct function *f;
	struct str rest;
	const char *why;
	bool need;
	err_t e;

	TRY(serve_ask(cx, m, &q, &rest));
	TRY(function_enter(cx, &q, &f, &need, &why));
	if (need) {
		serve_text(m, 404, "the code, please");
		return OK;
	}
	if (f == NULL) {
		ran_is(&ran, EXEC_FAILED, why);
		return serve_ran(cx, m, &ran);
	}
	e = run_serve(cx, &q, f, serve_begun, m, &ran);
	function_leave(f);
	return e == OK ? serve_ran(cx, m, &ran) : e;
}

static err_t
serve_build(struct ctx *cx, struct http_msg *m)
{
	struct exec_ask q;
	struct str rest;

	TRY(serve_ask(cx, m, &q, &rest));
	build_serve(cx, &q, rest, m);
	return OK;
}

static err_t
serve_retire(struct ctx *cx, struct http_msg *m)
{
	struct exec_ask q;
	struct str rest;

	TRY(serve_ask(cx, m, &q, &rest));
	function_retire(q.project, q.run.f.function, q.run.f.deployment);
	serve_text(m, 204, "");
	return OK;
}

/* It says what it keeps at once: whoever asked looks there the next time. */
static err_t
serve_warm(struct ctx *cx, struct http_msg *m)
{
	struct function *f = NULL;
	const char *why = NULL;
	struct exec_ask q;
	struct str rest;
	bool need = false, kept = true;

	TRY(serve_ask(cx, m, &q, &rest));
	if (q.run.f.keep_warm)
		TRY(function_enter(cx, &q, &f, &need, &why));
	else
		function_let_go(arena_printf(cx->arena, "%s/%s/%s", q.project, q.code, q.run.f.revision));
	if (f != NULL) {
		kept = function_keep(f);
		function_leave(f);
	}
	if (why == NULL && !need && role_announce(cx) != OK)
		log_debug(cx, "what is kept is told with the next announcement", "reason=\"%s\"", cx->detail != NULL ? cx->detail : "");
	serve_text(m, need ? 404 : why != NULL ? 409 : kept ? 204 : 503, need ? "the code, please" : why != NULL ? why : kept ? "" : "executor_warm_max is reached");
	return OK;
}

static err_t
serve_code(struct ctx *cx, struct http_msg *m)
{
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
	TRY(code_put(cx, arena_printf(cx->arena, "%.*s/%.*s", STR_FMT(project), STR_FMT(code)), m, &why));
	serve_text(m, why == NULL ? 204 : 507, why == NULL ? "" : why);
	return OK;
}

static const struct {
	const char *method, *path;
	err_t (*serve)(struct ctx *cx, struct http_msg *m);
	bool whole;			/* to its end, also when who asked has left */
} questions[] = {
	{"POST", "/run", serve_run, false},
	{"PUT", "/code/", serve_code, false},
	{"POST", "/build", serve_build, false},
	{"POST", "/retire", serve_retire, true},
	{"POST", "/warm", serve_warm, true},
};

/* ---- requests ---- */

static void
serve_fiber(struct ctx *cx, void *arg)
{
	struct http_msg *m = arg;
	err_t e = OK;
	size_t i, n = sizeof questions / sizeof *questions;

	for (i = 0; i < n && !(str_is(m->method, questions[i].method) && str_starts(m->path, questions[i].path)); i++)
		;
	if (i < n) {
		m->data = questions[i].whole ? NULL : cx->fib;
		e = questions[i].serve(cx, m);
	} else {
		serve_text(m, 404, "nothing is here");
	}
	m->data = NULL;
	if (e != OK && !http_begun(m))
		serve_text(m, 503, cx->detail != NULL ? cx->detail : err_info(e)->message);
	http_done(m);
	n_serving--;
}

/* Each is remembered for as long as its time would be taken, which is twice what clocks may differ by. */
static bool
serve_first(struct str nonce)
{
	static char there;

	if (loop_now() - nonces_since > 2 * EXEC_PROOF_MS) {
		map_free(&nonces_before);
		nonces_before = nonces;
		nonces = map_new();
		nonces_since = loop_now();
	}
	if (map_get(nonces, nonce) != NULL || map_get(nonces_before, nonce) != NULL)
		return false;
	map_set(nonces, nonce, &there);
	return true;
}

/* NULL: it may ask. */
static const char *
serve_refusal(struct http_msg *m)
{
	struct exec_proof p = {.what = str_c(arena_printf(m->arena, "%.*s %.*s %s", STR_FMT(m->method), STR_FMT(m->path), own_address)), .length = m->length};
	int64_t apart;

	if (strcmp(m->peer, HTTP_LOCAL) == 0)
		return NULL;
	if (!exec_proved(m->arena, key_of_all, m->hdr[HDR_AUTHORIZATION], &p))
		return "this is for servers of the same installation";
	apart = time_now_ms() - p.time;
	if (apart > EXEC_PROOF_MS || apart < -EXEC_PROOF_MS)
		return "the clocks of the machines differ by more than a minute";
	return serve_first(p.nonce) ? NULL : "this was asked before";
}

static void
serve_request(struct http_msg *m)
{
	const char *refusal = serve_refusal(m);

	if (refusal != NULL) {
		metric_add(M_exec_refused_far, 1);
		serve_text(m, 401, refusal);
		http_done(m);
		return;
	}
	http_known(m);
	m->data = NULL;
	n_serving++;
	fib_spawn_new("serve", 0, serve_fiber, m);
}

static void
serve_gone(struct http_msg *m)
{
	if (m->data != NULL)
		fib_cancel(m->data);
}

const struct http_handler executor_http = {.request = serve_request, .gone = serve_gone};
