/* One run: what the function is called with, and what its answer makes of the execution. */
#include "execution.h"

#include <strings.h>

#include "core/conf.h"
#include "core/json.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "io/country.h"
#include "io/names.h"
#include "model/identity.h"
#include "model/usage.h"

enum { TOLD_MAX = 9, TEXT_MAX = 1000000 };	/* TEXT_MAX: characters of an answer or of output that are kept */

/* Of the headers, what is remembered. */
const char *const headers_kept_asked[] = {"content-type", "user-agent", "content-length", "host", "x-appwrite-client-ip", NULL};
const char *const headers_kept_answered[] = {"content-type", "content-length", NULL};

/* ---- texts ---- */

struct str
text_head(struct str s, size_t points)
{
	size_t n = 0;

	if (s.n <= points)
		return s;
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n++ == points)
			return (struct str){s.p, i};
	return s;
}

/* Bytes as text, cut to what is kept; what was cut is told in the errors. */
static struct str
kept_text(struct ctx *cx, struct str s, const char *what, struct buf *told)
{
	struct str whole = str_utf8(s, NULL) ? s : str_c(str_text(cx->arena, s)), head = text_head(whole, TEXT_MAX);

	if (head.n < whole.n)
		buf_printf(told, "%sThe %s was cut to %d characters.\n", told->n > 0 ? "\n" : "", what, TEXT_MAX);
	return head;
}

/* ---- headers ---- */

static bool
header_kept(struct str name, const char *const *keep)
{
	for (; keep != NULL && *keep != NULL; keep++)
		if (str_ieq(name, str_c(*keep)))
			return true;
	return keep == NULL;
}

struct str
headers_json(struct ctx *cx, const struct exec_header *v, int n, const char *const *keep)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 64);
	jw_init(&w, &b);
	jw_arr(&w);
	for (int i = 0; i < n; i++) {
		if (keep != NULL && !header_kept(v[i].name, keep))
			continue;
		jw_obj(&w);
		JW_KEY(&w, "name");
		jw_str(&w, v[i].name);
		JW_KEY(&w, "value");
		jw_cstr(&w, str_text(cx->arena, v[i].value));
		jw_obj_end(&w);
	}
	jw_arr_end(&w);
	return buf_view(&b);
}

/* ---- what it is called with ---- */

struct str
call_json(struct ctx *cx, const struct call *c)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, c->body.n + 256);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "body");
	jw_str(&w, c->body);
	JW_KEY(&w, "headers");
	jw_raw(&w, headers_json(cx, c->headers, c->n_headers, NULL));
	JW_KEY(&w, "session");
	jw_cstr(&w, c->session);
	JW_KEY(&w, "address");
	jw_cstr(&w, c->address);
	jw_obj_end(&w);
	return buf_view(&b);
}

static const char *
text_member(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

void
call_read(struct ctx *cx, struct str json, struct call *out)
{
	const json_t *j = json.n > 0 ? json_parse(cx, json, NULL) : NULL, *list = json_object_get(j, "headers");
	struct exec_header *v = arena_array(cx->arena, struct exec_header, json_array_size(list) + 1);

	*out = (struct call){.body = json_str(json_object_get(j, "body")), .headers = v, .session = text_member(j, "session"), .address = text_member(j, "address")};
	if (out->body.p == NULL)
		out->body = STR("");
	for (size_t i = 0; i < json_array_size(list); i++)
		v[out->n_headers++] = (struct exec_header){json_str(json_object_get(json_array_get(list, i), "name")), json_str(json_object_get(json_array_get(list, i), "value"))};
}

/* For who signed in by a session that is still one. */
static const char *
jwt_of(struct ctx *cx, const struct project *p, const struct execution *e, const char *session)
{
	struct login *l = NULL;

	if (session == NULL || session[0] == '\0' || login_by_id(cx, p, e->user_id, session, &l) != OK || l == NULL || l->half)
		return "";
	return login_jwt(cx, p, l->user, session, conf.life_jwt);
}

/* Headers that tell handlers of today what those of 1.0 are told by variables. */
static void
tell_headers(struct ctx *cx, const struct execution *e, const struct call *c, const char *jwt, struct exec_header *v, int *n)
{
	const bool called = c->address != NULL && c->address[0] != '\0';
	const struct country from = called ? country_of(cx->arena, c->address, NULL) : (struct country){.code = "", .continent = ""};
	const struct names_country *row = called ? names_country_find(from.code) : NULL;
	const struct { const char *name, *value; } told[] = {{"x-appwrite-trigger", e->trigger}, {"x-appwrite-execution-id", e->id}, {"x-appwrite-event", e->event},
		{"x-appwrite-user-id", e->user_id}, {"x-appwrite-user-jwt", jwt}, {"x-appwrite-client-ip", c->address},
		{"x-appwrite-country-code", from.code}, {"x-appwrite-continent-code", called && from.continent[0] == '\0' ? "--" : from.continent},
		{"x-appwrite-continent-eu", !called ? "" : row != NULL && row->eu ? "true" : "false"}};

	for (size_t i = 0; i < TOLD_MAX; i++)
		if (told[i].value != NULL && told[i].value[0] != '\0')
			v[(*n)++] = (struct exec_header){str_c(told[i].name), str_c(told[i].value)};
}

static struct exec_run
run_of(struct ctx *cx, const struct project *p, const struct runnable *r, const struct execution *e, const struct call *c, uint64_t limit_ms)
{
	struct exec_header *v = arena_array(cx->arena, struct exec_header, c->n_headers + TOLD_MAX);
	struct exec_run run = {.f = r->exec, .execution = e->id, .method = str_c(e->method), .path = str_c(e->path), .body = c->body, .headers = v,
	    .data = c->body, .trigger = e->trigger, .event = e->event, .event_data = c->event_data, .user = e->user_id, .depth = (int)e->depth + 1,
	    .limit_ms = limit_ms};

	for (int i = 0; i < c->n_headers; i++)
		v[run.n_headers++] = c->headers[i];
	if (strcmp(e->trigger, "event") == 0) {	/* of the first generation it is in APPWRITE_FUNCTION_EVENT_DATA */
		run.body = c->event_data;
		run.data = STR("");
	}
	run.jwt = jwt_of(cx, p, e, c->session);
	tell_headers(cx, e, c, run.jwt, v, &run.n_headers);
	return run;
}

/* ---- what becomes of it ---- */

static void
execution_answered(struct ctx *cx, struct execution *e, const struct exec_ran *ran)
{
	bool good = ran->why == EXEC_DONE && ran->status < 500;
	struct buf told;

	buf_init(&told, cx->arena, 64);
	e->status = execution_states[good ? EXECUTION_COMPLETED : EXECUTION_FAILED];
	e->status_code = ran->status;
	e->duration = ran->seconds;
	e->response = good ? kept_text(cx, ran->body, "answer", &told) : STR("");
	e->out = kept_text(cx, ran->logs, "output", &told);
	e->err = kept_text(cx, ran->errors, "error output", &told);
	if (!good && e->err.n == 0)
		e->err = str_c(ran->reason && ran->reason[0] ? ran->reason : "Internal Runtime error.");
	if (told.n > 0)
		e->err = str_c(arena_printf(cx->arena, "%.*s%s%s", STR_FMT(e->err), e->err.n > 0 ? "\n" : "", told.p));
	e->response_headers = headers_json(cx, ran->headers, ran->n_headers, headers_kept_answered);
}

static void
run_count(const struct project *p, const struct execution *e, const struct exec_ran *ran)
{
	usage_computed(p, "executions", e->function_id, strcmp(e->status, "completed") == 0, (int64_t)(ran->seconds * 1000 + 0.5));
	metric_observe(M_executions_time, (uint64_t)(ran->seconds * 1000000));
	metric_add(M_executions_cold, ran->cold);
}

err_t
execution_run(struct ctx *cx, const struct project *p, const struct runnable *r, struct execution *e, const struct call *c, uint64_t limit_ms,
    struct exec_ran *ran)
{
	struct exec_run run = run_of(cx, p, r, e, c, limit_ms);

	*ran = (struct exec_ran){.reason = ""};
	e->deployment = r->d->id;
	TRY(exec_run(cx, &run, ran));
	execution_answered(cx, e, ran);
	run_count(p, e, ran);
	return OK;
}

/* ---- chains ---- */

bool
execution_too_deep(const struct execution *e)
{
	return e->depth >= conf.functions_depth_max;
}

const char *
execution_too_deep_words(struct ctx *cx)
{
	return arena_printf(cx->arena, "Not run: %lld executions led to this one, one by the other (functions_depth_max). The function may cause the events that it listens to.",
	    (long long)conf.functions_depth_max);
}
