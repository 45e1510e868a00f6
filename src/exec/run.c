/* A run: one request to a process of the function, in the contract of its generation, and what is made of what came back, or of the end of the process.
 *
 * While it runs, what it writes comes over the process's standard output as well (output.c): when the process ends there is no answer, and that is what is kept. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/json.h"
#include "core/loop.h"
#include "core/metric.h"
#include "exec_priv.h"
#include "io/fetch.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, TRAILER = 48, HEADERS_MAX = 96, END_MS = 10 * 1000, OWN_END_MS = 3000, ASIDE = 64 * 1024, STATUS_LEAST = 200, STATUS_MOST = 599 };

void
ran_is(struct exec_ran *out, enum exec_why why, const char *reason)
{
	*out = (struct exec_ran){.why = why, .reason = reason, .status = 500, .body = STR(""), .logs = STR(""), .errors = str_c(reason)};
}

/* ---- (req, res) ---- */

static void
old_variable(struct jw *w, const char *name, struct str value)
{
	jw_key(w, str_c(name));
	jw_str(w, value);
}

/* Its contract has what it is called with among the variables. */
struct str
run_old_body(struct ctx *cx, const struct exec_run *r)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 1024 + r->data.n + r->event_data.n);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "variables");
	jw_obj(&w);
	for (int i = 0; i < r->f.n_variables; i++) {
		jw_key(&w, r->f.variables[i].name);
		jw_str(&w, r->f.variables[i].value);
	}
	if (*net_api() != '\0')
		old_variable(&w, API_VARIABLE, str_c(net_api_at(cx->arena, r->depth)));
	old_variable(&w, "APPWRITE_FUNCTION_TRIGGER", str_c(r->trigger));
	old_variable(&w, "APPWRITE_FUNCTION_DATA", r->data);
	if (strcmp(r->trigger, "http") != 0) {
		old_variable(&w, "APPWRITE_FUNCTION_EVENT", str_c(r->event));
		old_variable(&w, "APPWRITE_FUNCTION_EVENT_DATA", r->event_data);
	}
	old_variable(&w, "APPWRITE_FUNCTION_USER_ID", str_c(r->user));
	old_variable(&w, "APPWRITE_FUNCTION_JWT", str_c(r->jwt));
	jw_obj_end(&w);
	JW_KEY(&w, "payload");
	jw_str(&w, r->data);
	JW_KEY(&w, "headers");
	jw_obj(&w);
	for (int i = 0; i < r->n_headers; i++) {
		jw_key(&w, r->headers[i].name);
		jw_str(&w, r->headers[i].value);
	}
	jw_obj_end(&w);
	JW_KEY(&w, "timeout");
	jw_i64(&w, (int64_t)(r->limit_ms / 1000));
	jw_obj_end(&w);
	return buf_view(&b);
}

static struct str
old_response(struct ctx *cx, const json_t *v)
{
	struct buf b;
	struct jw w;

	if (v == NULL)
		return STR("");
	if (json_is_string(v))
		return json_str(v);
	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	jw_value(&w, v);
	return buf_view(&b);
}

err_t
run_old_answer(struct ctx *cx, const struct fetch_reply *r, struct exec_ran *out)
{
	json_t *told;

	if (r->body.n > ASIDE)
		TRY(json_parse_aside(cx, r->body, &told));
	else
		told = json_parse(cx, r->body, NULL);
	if (!json_is_object(told))
		return fail(cx, ERR_EXEC, "the answer makes no sense");
	out->status = r->status;
	out->body = old_response(cx, json_object_get(told, "response"));
	out->logs = json_str(json_object_get(told, "stdout"));
	out->errors = json_str(json_object_get(told, "stderr"));
	return OK;
}

/* ---- (context) ---- */

static bool
hex16(const char *p, size_t *out)
{
	char text[17], *end;

	memcpy(text, p, 16);
	text[16] = '\0';
	*out = strtoul(text, &end, 16);
	return *end == '\0';
}

/* Body, logs and errors, one behind the other, and then their lengths. */
static bool
new_parts(struct str all, struct exec_ran *out)
{
	size_t body, logs, errors, n;

	if (all.n < TRAILER)
		return false;
	n = all.n - TRAILER;
	if (!hex16(all.p + n, &body) || !hex16(all.p + n + 16, &logs) || !hex16(all.p + n + 32, &errors) || body > n || logs > n - body || errors != n - body - logs)
		return false;
	out->body = (struct str){all.p, body};
	out->logs = (struct str){all.p + body, logs};
	out->errors = (struct str){all.p + body + logs, errors};
	return true;
}

/* Headers of the function's answer; those of the connection are not its own. */
void
run_headers_of(struct ctx *cx, const struct fetch_reply *r, struct exec_ran *out)
{
	static const char *const not_its[] = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "x-badal-status", "x-badal-left", NULL};
	struct exec_header *v = arena_array(cx->arena, struct exec_header, r->n_headers + 1);

	for (int i = 0; i < r->n_headers; i++) {
		bool its = strncmp(r->headers[i].name, "x-open-runtimes-", 16) != 0;

		for (const char *const *x = not_its; *x != NULL; x++)
			its = its && strcmp(r->headers[i].name, *x) != 0;
		if (its)
			v[out->n_headers++] = (struct exec_header){str_c(r->headers[i].name), str_c(r->headers[i].value)};
	}
	out->headers = v;
}

static err_t
new_answer(struct ctx *cx, const struct fetch_reply *r, struct exec_ran *out)
{
	const char *status = fetch_header(r, "x-badal-status");

	if (status == NULL || !new_parts(r->body, out))
		return fail(cx, ERR_EXEC, "the answer makes no sense");
	out->status = atoi(status);
	run_headers_of(cx, r, out);
	return OK;
}

/* ---- the request ---- */

bool
run_header_sound(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n < 32768;
}

/* Where our API is for this run: the address says how many executions led to it, so it is another one than that of the process's beginning. "": none was given. */
static const char *
run_endpoint(struct ctx *cx, const struct exec_run *r)
{
	if (*net_api() != '\0')
		return net_api_at(cx->arena, r->depth);
	for (int i = 0; i < r->f.n_variables; i++)
		if (str_is(r->f.variables[i].name, API_VARIABLE) && run_header_sound(r->f.variables[i].value))
			return str_dup(cx->arena, r->f.variables[i].value);
	return "";
}

static int
run_headers(struct ctx *cx, const struct instance *i, const struct exec_run *r, uint64_t number, struct fetch_header *h)
{
	int n = 0;

	if (i->fn->runtime->contract == CONTRACT_OURS)
		h[n++] = (struct fetch_header){"x-badal-run", arena_printf(cx->arena, "%llu", (unsigned long long)number)};
	if (i->old) {
		h[n++] = (struct fetch_header){"content-type", "application/json"};
		h[n++] = (struct fetch_header){"x-internal-challenge", i->secret};
		return n;
	}
	h[n++] = (struct fetch_header){"x-open-runtimes-secret", i->secret};
	h[n++] = (struct fetch_header){"x-badal-logs", "inline"};
	h[n++] = (struct fetch_header){"x-badal-method", str_dup(cx->arena, r->method)};
	h[n++] = (struct fetch_header){"x-badal-endpoint", run_endpoint(cx, r)};
	for (int k = 0; k < r->n_headers && n < HEADERS_MAX; k++)
		if (run_header_sound(r->headers[k].value) && r->headers[k].name.n > 0 && !str_ieq(r->headers[k].name, STR("content-length")))
			h[n++] = (struct fetch_header){str_dup(cx->arena, r->headers[k].name), str_dup(cx->arena, r->headers[k].value)};
	return n;
}

static err_t
run_ask(struct ctx *cx, struct instance *i, const struct exec_run *r, struct running *me, struct exec_ran *out)
{
	struct fetch_header h[HEADERS_MAX + 8];
	const char *path = r->path.n > 0 && r->path.p[0] == '/' && run_header_sound(r->path) ? str_dup(cx->arena, r->path) : "/";
	struct fetch f = {.url = arena_printf(cx->arena, "http://%s%s", i->name, i->old ? "/" : path), .unix_path = i->at, .method = "POST", .headers = h,
		.n_headers = run_headers(cx, i, r, me->number, h), .body = i->old ? run_old_body(cx, r) : (struct str){r->body.n > 0 ? r->body.p : "", r->body.n}, .private_ok = true,
		.max_bytes = ANSWER_MAX, .timeout_ms = r->limit_ms, .connect_ms = r->limit_ms, .alone = i->fn->runtime->contract != CONTRACT_OURS};
	struct fetch_reply *reply;

	if (i->fn->runtime->contract == CONTRACT_V5)
		return speak_run(cx, i, r, me, out);
	TRY(fetch(cx, &f, &reply));
	if (fetch_header(reply, "x-badal-left") != NULL)
		instance_finish(i);
	return i->old ? run_old_answer(cx, reply, out) : new_answer(cx, reply, out);
}

/* ---- what became of it ---- */

static void
run_ended(struct ctx *cx, struct instance *i, struct running *me, bool late, const struct exec_run *r, struct exec_ran *out)
{
	struct buf errors;
	const char *reason;

	if (late)
		instance_end(i, i->box != NULL && sandbox_starved(i->box) ? EXEC_MEMORY : EXEC_TIMED_OUT);
	late = late && i->cause == EXEC_TIMED_OUT;
	instance_close(i);
	while (i->state != INSTANCE_GONE && waiters_wait(cx, &i->changed, OWN_END_MS) == OK)
		;
	instance_end(i, EXEC_DIED);	/* it has not answered, and is still there */
	while (i->state != INSTANCE_GONE && waiters_wait(cx, &i->changed, END_MS) == OK)
		;
	if (i->fn->runtime->contract == CONTRACT_V5)
		speak_written(i, speak_id(cx->arena, me->number), me);
	reason = late ? arena_printf(cx->arena, "The function did not end within its time of %.3g s.", (double)r->limit_ms / 1000) :
	    arena_strdup(cx->arena, i->reason != NULL ? i->reason : "The process of the function ended.");
	*out = (struct exec_ran){.why = late ? EXEC_TIMED_OUT : i->how == EXEC_TIMED_OUT ? EXEC_DIED : i->how, .reason = reason, .status = 500, .body = STR("")};
	buf_init(&errors, cx->arena, me->errors.n + 1024);
	buf_add(&errors, me->errors.p, me->errors.n);
	if (i->next_run == me->number)	/* it was the last one: what else the process said may well be about it */
		buf_str(&errors, instance_stray(cx->arena, i));
	out->logs = output_text(cx->arena, (struct str){arena_memdup(cx->arena, me->logs.p, me->logs.n), me->logs.n}, me->logs.cut, "");
	out->errors = output_text(cx->arena, buf_view(&errors), me->errors.cut, reason);
}

/* It goes on, and there is no answer of it. */
static void
run_unread(struct ctx *cx, const struct running *me, const char *reason, struct exec_ran *out)
{
	*out = (struct exec_ran){.why = EXEC_FAILED, .reason = reason, .status = 500, .body = STR("")};
	out->logs = output_text(cx->arena, (struct str){arena_memdup(cx->arena, me->logs.p, me->logs.n), me->logs.n}, me->logs.cut, "");
	out->errors = output_text(cx->arena, (struct str){arena_memdup(cx->arena, me->errors.p, me->errors.n), me->errors.n}, me->errors.cut, reason);
}

static void
run_answered(struct ctx *cx, const struct instance *i, struct exec_ran *out)
{
	out->logs = output_text(cx->arena, out->logs, false, "");
	out->errors = output_text(cx->arena, out->errors, false, "");
	out->why = i->broken != NULL ? (strncmp(i->broken, "There is no file", 16) == 0 || strstr(i->broken, "There is no file") != NULL ? EXEC_NO_ENTRYPOINT : EXEC_FAILED) :
	    out->status >= 500 ? EXEC_FAILED : EXEC_DONE;
	out->reason = out->why == EXEC_DONE ? NULL : i->broken != NULL ? "The function cannot be loaded." : "The function failed.";
}

/* A part of it was killed for want of memory, and it went on without. */
static void
run_starved(struct ctx *cx, struct instance *i, struct exec_ran *out)
{
	const char *reason = instance_memory_text(cx->arena);

	instance_end(i, EXEC_MEMORY);
	*out = (struct exec_ran){.why = EXEC_MEMORY, .reason = reason, .status = 500, .body = STR(""), .logs = output_text(cx->arena, out->logs, false, ""),
		.errors = output_text(cx->arena, out->errors, false, reason)};
}

static struct running *
run_enter(struct instance *i)
{
	struct running *me = mem_zalloc(sizeof *me);

	me->number = ++i->next_run;
	me->next = i->running;
	i->running = me;
	return me;
}

static void
run_leave(struct instance *i, struct running *me)
{
	struct running **at;

	for (at = &i->running; *at != me; at = &(*at)->next)
		;
	*at = me->next;
	output_free(&me->logs);
	output_free(&me->errors);
	free(me);
}

/* In an instance that is the run's. */
static void
run_in(struct ctx *cx, struct instance *i, const struct exec_run *r, struct exec_ran *out)
{
	struct running *me = run_enter(i);
	uint64_t began = loop_now();
	err_t e = run_ask(cx, i, r, me, out);

	if (e == OK && (out->status < STATUS_LEAST || out->status > STATUS_MOST))
		e = fail(cx, ERR_EXEC, "the status of an answer is a number from 200 to 599");
	if (e == OK && i->box != NULL && sandbox_starved(i->box))
		run_starved(cx, i, out);
	else if (e == OK)
		run_answered(cx, i, out);
	else if (e == ERR_EXEC)
		run_unread(cx, me, "What the function answered cannot be read.", out);
	else if (e == ERR_BUSY || e == ERR_FETCH_REFUSED)	/* the process is not to blame */
		run_unread(cx, me, "The function could not be asked: too much is under way.", out);
	else
		run_ended(cx, i, me, e == ERR_TIMEOUT, r, out);
	out->seconds = (double)(loop_now() - began) / 1000;
	run_leave(i, me);
}

/* The process that was begun for it did not get so far. */
static void
run_not_begun(struct ctx *cx, const struct function *f, const struct instance *i, struct exec_ran *out)
{
	const char *reason = arena_strdup(cx->arena, f->code->state == CODE_BAD ? f->code->why : i->reason != NULL ? i->reason : "The function cannot be started.");

	ran_is(out, i->how == EXEC_MEMORY ? EXEC_MEMORY : i->how == EXEC_TIMED_OUT ? EXEC_TIMED_OUT : EXEC_DIED, reason);
	out->errors = output_text(cx->arena, instance_stray(cx->arena, i), false, reason);
	out->cold = true;
}

/* Processes that it had begun were there when it had answered. */
static void
run_left(struct ctx *cx, int n, struct exec_ran *out)
{
	if (n > 0 && (out->why == EXEC_DONE || out->why == EXEC_FAILED))
		out->errors = output_text(cx->arena, out->errors, false, n == 1 ? "A process that the run had begun went on after its answer: it was ended with the run." :
		    arena_printf(cx->arena, "%d processes that the run had begun went on after its answer: they were ended with the run.", n));
}

err_t
run_serve(struct ctx *cx, const struct exec_ask *q, struct function *f, bool (*begun)(void *arg), void *arg, struct exec_ran *out)
{
	struct instance *i, *failed;
	bool cold;

	*out = (struct exec_ran){.status = 500, .body = STR("")};
	TRY(function_take(cx, f, &i, &failed, &cold));
	if (!begun(arg)) {
		if (failed != NULL)
			instance_unref(failed);
		else
			(void)function_give_back(i, f->run_ms);
		return fail(cx, ERR_EXEC, "it was called off");
	}
	metric_add(cold ? M_exec_cold : M_exec_warm, 1);
	if (failed != NULL) {
		run_not_begun(cx, f, failed, out);
		instance_unref(failed);
	} else {
		run_in(cx, i, &q->run, out);
		out->cold = cold;
		run_left(cx, function_give_back(i, out->seconds * 1000), out);
	}
	metric_observe(M_exec_time, (uint64_t)(out->seconds * 1e6));
	if (out->why != EXEC_DONE)
		metric_add(M_exec_failed, 1);
	return OK;
}
