/* The API of executions. One route serves both forms: a client that says 1.4 or later is answered in the later one, and any may ask in either. */
#include "gate/caller.h"

#include <strings.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/id.h"
#include "core/json.h"
#include "core/loop.h"
#include "core/vtime.h"
#include "execution.h"
#include "model/bound.h"
#include "model/permission.h"

enum { HEADERS_MAX_GIVEN = 100, HEADER_NAME_MAX = 256, HEADER_VALUE_MAX = 8192, LATER = 1004000, SOON_MS = 60 * 1000, COLD_MS = 60 * 1000 };

static bool
later_form(const struct req *rq)
{
	return rq->cx.format >= LATER;
}

static const struct record *
record_of(const struct req *rq)
{
	return later_form(rq) ? &execution_later_record : &execution_record;
}

/* A function that is switched off is there for admins alone. */
static err_t
function_seen(struct req *rq, const struct function *f)
{
	return f->enabled || rq->caller == CALLER_ADMIN ? OK : fail(&rq->cx, ERR_FUNCTION_NOT_FOUND, "function=%s is off", f->id);
}

static err_t
find_function(struct req *rq, const char *id, struct function *out)
{
	TRY(function_get(&rq->cx, rq->project, id, out));
	return function_seen(rq, out);
}

static void
show(struct req *rq, struct execution *e, const char *function)
{
	execution_complete(&rq->cx, e, function);
	if (!caller_is_server(rq))
		execution_blank(e);
}

/* ---- list, get, delete ---- */

struct execution_in {
	const char *function, *id, *search;
	struct strs queries;
};
#define EXECUTION_PATH(st) PATH("functionId", P_UID, st, function, "Function ID."), PATH("executionId", P_UID, st, id, "Execution ID.")
static const struct param get_params[] = {EXECUTION_PATH(struct execution_in)};
static const struct param list_params[] = {
	PATH("functionId", P_UID, struct execution_in, function, "Function ID."),
	OPTIONAL("queries", P_QUERIES, struct execution_in, queries, "Queries over the executions."),
	OPTIONAL("search", P_TEXT, struct execution_in, search, "The id of an execution, or of the function.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};

/* What a user may read is what was run on their behalf; an index has it. */
static struct rows
rows_seen(struct req *rq, const struct function *f, const char *search)
{
	const char *number = pg_i64(rq->cx.arena, f->internal), *user = rq->login != NULL ? rq->login->user->id : "";
	bool all = search[0] == '\0' || strcasecmp(search, f->id) == 0;

	if (rq->bypass && all)
		return (struct rows){"@.function = $1::bigint", 1, {number}};
	if (rq->bypass)
		return (struct rows){"@.function = $1::bigint AND lower(@.id) = lower($2)", 2, {number, search}};
	if (all)
		return (struct rows){"@.function = $1::bigint AND @.user_id = $2 AND @.user_id <> ''", 2, {number, user}};
	return (struct rows){"@.function = $1::bigint AND @.user_id = $2 AND @.user_id <> '' AND lower(@.id) = lower($3)", 3, {number, user, search}};
}

static err_t
functions_list_executions(struct req *rq, void *arg)
{
	const struct execution_in *in = arg;
	const struct record *rec = record_of(rq);
	struct function f;
	struct query_page page;
	struct objs list;

	TRY(find_function(rq, in->function, &f));
	TRY(record_list(&rq->cx, rq->project, rec, rows_seen(rq, &f, in->search ? in->search : ""), &in->queries, NULL, &page));
	list = page.res != NULL ? shape_rows(&rq->cx, rec->shape, page.res) : (struct objs){0};
	for (int i = 0; i < list.n; i++)
		show(rq, list.v[i], f.id);
	return reply_list(rq, rec->shape, "executions", page.total, &list);
}

/* One that the caller may read. */
static err_t
find_execution(struct req *rq, const struct function *f, const char *id, struct execution *out)
{
	TRY(execution_get(&rq->cx, rq->project, record_of(rq), f, id, out));
	if (!rq->bypass && !roles_meet(&rq->roles, &out->read))
		return fail(&rq->cx, ERR_EXECUTION_NOT_FOUND, "execution=%s is not the caller's", id);
	return OK;
}

static err_t
functions_get_execution(struct req *rq, void *arg)
{
	const struct execution_in *in = arg;
	struct function f;
	struct execution e;

	TRY(find_function(rq, in->function, &f));
	TRY(find_execution(rq, &f, in->id, &e));
	show(rq, &e, f.id);
	return reply(rq, 200, record_of(rq)->shape, &e);
}

/* What runs, or is about to, is not forgotten; what is put off is called off. */
static err_t
delete_within(struct db_tx *tx, const struct project *p, const struct function *f, const char *actor, const char *id)
{
	struct ctx *cx = tx_ctx(tx);
	struct rows w = {"@.function = $1::bigint AND lower(@.id) = lower($2)", 2, {pg_i64(cx->arena, f->internal), id}};
	struct execution e;

	TRY(record_lock(tx, p, &execution_record, w, &e));
	if (strcmp(e.status, "waiting") == 0 || strcmp(e.status, "processing") == 0)
		return fail(cx, ERR_EXECUTION_IN_PROGRESS, "execution=%s is %s", id, e.status);
	TRY(record_delete(tx, p, &execution_record, w, &e));
	e.function_id = f->id;
	schedule_due(tx, p, DUE_EXECUTION, e.internal, TIME_NONE);
	record_emit(tx, p, &execution_record, &ev_execution_delete, actor, &e);
	return OK;
}

static err_t
functions_delete_execution(struct req *rq, void *arg)
{
	const struct execution_in *in = arg;
	struct function f;
	struct execution e;

	TRY(find_function(rq, in->function, &f));
	if (!rq->bypass) {	/* they read what was run for them, and no more */
		TRY(find_execution(rq, &f, in->id, &e));
		return fail(&rq->cx, ERR_USER_UNAUTHORIZED, "execution=%s is forgotten by keys and admins", in->id);
	}
	TRY(TX_RUN(&rq->cx, tx, delete_within(tx, rq->project, &f, caller_id(rq), in->id)));
	return reply_none(rq);
}

/* ---- create ---- */

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", NULL};

struct create_in {
	const char *function, *path, *method;
	struct str data, body;
	int async;
	json_t *headers;
	int64_t scheduled;
};
static const struct param create_params[] = {
	PATH("functionId", P_UID, struct create_in, function, "Function ID."),
	OPTIONAL("data", P_DATA, struct create_in, data, "What the function is given, in the form of 1.0.", .max = 8192),
	OPTIONAL("body", P_DATA, struct create_in, body, "Body of the request that the function gets.", .max = 10485760),
	OPTIONAL("async", P_BOOL, struct create_in, async, "Run it in the background.", .def = "false"),
	OPTIONAL("path", P_TEXT, struct create_in, path, "Path of that request, with its query.", .def = "\"/\"", .max = 2048),
	OPTIONAL("method", P_ENUM, struct create_in, method, "Its method.", .def = "\"POST\"", .list = methods),
	OPTIONAL("headers", P_JSON_OBJECT, struct create_in, headers, "Its headers.", .def = "{}"),
	OPTIONAL("scheduledAt", P_DATETIME, struct create_in, scheduled, "When it is to begin, at least a minute from now; with async alone."),
};

struct creating {
	struct req *rq;
	const struct create_in *in;
	struct runnable r;
	struct execution e;
	struct call call;
	struct exec_ran ran;
};

/* Before 0.13 there was no other way. */
static bool
in_background(const struct creating *c)
{
	return c->in->async == 1 || c->rq->format == FORMAT_11 || c->rq->format == FORMAT_12;
}

/* Headers that would say something else than what is, or how the request is framed. */
static bool
header_ours(struct str name)
{
	static const char *const ours[] = {"content-length", "transfer-encoding", "connection", "host", "te", "upgrade", "expect", NULL};

	for (int i = 0; ours[i] != NULL; i++)
		if (str_ieq(name, str_c(ours[i])))
			return true;
	return str_starts(name, "x-appwrite-") || str_starts(name, "x-open-runtimes-") || str_starts(name, "x-badal-");
}

static bool
header_fits(struct str name, struct str value)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 127 || strchr("()<>@,;:\\\"/[]?={}", name.p[i]) != NULL)
			return false;
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 127)
			return false;
	return name.n > 0 && name.n <= HEADER_NAME_MAX && value.n <= HEADER_VALUE_MAX;
}

static err_t
take_headers(struct creating *c)
{
	json_t *j = c->in->headers, *v;
	struct ctx *cx = &c->rq->cx;
	struct exec_header *out = arena_array(cx->arena, struct exec_header, json_object_size(j) + 1);
	const char *key;

	if (json_object_size(j) > HEADERS_MAX_GIVEN || (j != NULL && !json_is_object(j) && json_array_size(j) > 0))
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid headers: It must be an object of at most %d texts.", HEADERS_MAX_GIVEN);
	json_object_foreach(j, key, v) {
		struct str name = str_lower(cx->arena, str_c(key)), value = json_str(v);

		if (value.p == NULL || !header_fits(name, value))
			return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid headers: Each must be a name and a text in one line.");
		if (!header_ours(name))
			out[c->call.n_headers++] = (struct exec_header){name, value};
	}
	c->call.headers = out;
	return OK;
}

static err_t
take_schedule(struct creating *c)
{
	struct ctx *cx = &c->rq->cx;

	if (c->in->scheduled == TIME_NONE)
		return OK;
	if (!in_background(c))
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid scheduledAt: It goes with async alone.");
	if (c->in->scheduled < time_now_ms() + SOON_MS)
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid scheduledAt: It must be at least a minute from now.");
	return OK;
}

/* No executor says so: then it is theirs to say, later. */
static err_t
runtime_there(struct creating *c)
{
	const struct exec_runtime *v;
	const char *why = NULL;
	int n = 0;

	TRY(exec_runtimes(&c->rq->cx, &v, &n, &why));
	if (n > 0 && exec_runtime_named(v, n, c->r.f->runtime) == NULL)
		return fail_msg(&c->rq->cx, ERR_FUNCTION_RUNTIME_UNSUPPORTED, "Runtime \"%s\" is not supported", c->r.f->runtime);
	if (n == 0 && !in_background(c))
		return fail_msg(&c->rq->cx, ERR_EXEC, "Functions cannot be run here at the moment%s%s", why ? ": " : "", why ? why : "");
	return OK;
}

static const char *
roles_text(struct ctx *cx, const struct strs *roles)
{
	struct buf b;

	buf_init(&b, cx->arena, 128);
	buf_ch(&b, '[');
	for (int i = 0; i < roles->n; i++)
		buf_printf(&b, "%s\"%s\"", i > 0 ? "," : "", roles->v[i]);
	buf_ch(&b, ']');
	return b.p;
}

/* The words are those of the contract. */
static err_t
may_execute(struct req *rq, const struct function *f)
{
	struct ctx *cx = &rq->cx;

	if (rq->bypass || roles_meet(&rq->roles, &f->execute))
		return OK;
	if (f->execute.n == 0)
		return fail_msg(cx, ERR_USER_UNAUTHORIZED, "No permissions provided for action 'execute'");
	return fail_msg(cx, ERR_USER_UNAUTHORIZED, "Missing \"execute\" permission for role \"%s\". Only \"%s\" scopes are allowed and \"%s\" was given.",
	    f->execute.v[f->execute.n - 1], roles_text(cx, &rq->roles), roles_text(cx, &f->execute));
}

/* In the order of the contract. */
static err_t
judge(struct creating *c)
{
	TRY(function_load(&c->rq->cx, c->rq->project, c->in->function, &c->r));
	TRY(function_seen(c->rq, c->r.f));
	TRY(runtime_there(c));
	TRY(runnable_check(&c->rq->cx, &c->r));
	TRY(may_execute(c->rq, c->r.f));
	TRY(take_headers(c));
	return take_schedule(c);
}

static void
make_row(struct creating *c)
{
	struct req *rq = c->rq;
	const struct user *u = caller_user(rq);
	struct execution *e = &c->e;

	execution_init(&rq->cx, e, c->r.f, "http", "", u != NULL ? u->id : NULL);
	e->path = c->in->path[0] == '/' ? c->in->path : arena_printf(rq->cx.arena, "/%s", c->in->path);
	e->method = c->in->method;
	e->request_headers = headers_json(&rq->cx, c->call.headers, c->call.n_headers, headers_kept_asked);
	c->call.body = c->in->body.p != NULL ? c->in->body : c->in->data.p != NULL ? c->in->data : STR("");
	c->call.session = u != NULL && !rq->jwt && rq->login->session != NULL ? rq->login->session->id : "";
	c->call.address = rq->ip;
}

/* As the caller sees it: so is the event. */
static struct str
create_payload(struct creating *c)
{
	struct execution e = c->e;

	if (!caller_is_server(c->rq))
		execution_blank(&e);
	return shape_json(&c->rq->cx, &execution_shape, &e);
}

static struct event
create_event(struct creating *c)
{
	struct event ev = record_event(&c->rq->cx, c->rq->project, &execution_record, &ev_execution_create, caller_id(c->rq), &c->e);

	ev.payload = create_payload(c);
	return ev;
}

/* ---- in the background ---- */

static err_t
queue_within(struct db_tx *tx, const struct project *p, struct execution *e, const struct event *ev)
{
	TRY(record_insert(tx, p, &execution_whole_record, e));
	event_emit(tx, ev);
	if (e->scheduled != TIME_NONE)
		schedule_due(tx, p, DUE_EXECUTION, e->internal, e->scheduled);
	else
		execution_queue(tx, e);
	return OK;
}

/* Calls whose time has not come, or that nobody has begun: a guest may have a thousand of ten megabytes put off for years. */
static const char *
calls_sum(struct arena *a, const char *schema)
{
	return arena_printf(a,
	    "SELECT count(*), coalesce(sum(n), 0)::bigint FROM (SELECT octet_length(pending) AS n FROM %s.executions WHERE status = 'scheduled' "
	    "UNION ALL SELECT octet_length(pending) FROM %s.executions WHERE status IN ('waiting', 'processing')) x", schema, schema);
}
static const struct bound calls_bound = {"calls", calls_sum};

static err_t
answer_later(struct creating *c)
{
	struct req *rq = c->rq;
	int64_t most = conf.functions_project_size;
	struct event ev;
	err_t e;

	c->e.scheduled = c->in->scheduled;
	c->e.status = execution_states[c->e.scheduled != TIME_NONE ? EXECUTION_SCHEDULED : EXECUTION_WAITING];
	c->e.pending = call_json(&rq->cx, &c->call);
	if (c->e.scheduled != TIME_NONE)	/* they may stay for years: half of it is left to the others */
		most = (most + 1) / 2;
	e = bound_room(&rq->cx, rq->project, &calls_bound, 0, 0, most, (int64_t)c->e.pending.n);
	if (e == ERR_PROJECT_FULL)
		return fail(&rq->cx, ERR_EXEC, "functions_project_size: calls that wait");
	TRY(e);
	ev = create_event(c);
	TRY(TX_RUN(&rq->cx, tx, queue_within(tx, rq->project, &c->e, &ev)));
	bound_added(rq->project, &calls_bound, 0, (int64_t)c->e.pending.n);
	show(rq, &c->e, c->r.f->id);
	return reply(rq, 202, record_of(rq)->shape, &c->e);
}

/* ---- while the client waits ---- */

static uint64_t
limit_ms(const struct creating *c)
{
	uint64_t ms = (uint64_t)c->r.f->timeout * 1000;

	return later_form(c->rq) && ms > (uint64_t)conf.functions_sync_timeout ? (uint64_t)conf.functions_sync_timeout : ms;
}

static void
all_headers(struct creating *c, struct execution *e)
{
	struct ctx *cx = &c->rq->cx;
	struct execution_header *id = arena_new_of(cx->arena, struct execution_header);

	e->answered = (struct objs){.v = arena_array(cx->arena, void *, c->ran.n_headers + 1)};
	for (int i = 0; i < c->ran.n_headers; i++) {
		struct execution_header *h = arena_new_of(cx->arena, struct execution_header);

		h->name = str_dup(cx->arena, c->ran.headers[i].name);
		h->value = str_text(cx->arena, c->ran.headers[i].value);
		e->answered.v[e->answered.n++] = h;
	}
	*id = (struct execution_header){"x-appwrite-execution-id", e->id};
	e->answered.v[e->answered.n++] = id;
}

/* ---- an answer as a form: for who wants its bytes as they are ---- */

static bool
wants_form(const struct req *rq)
{
	static const char type[] = "multipart/form-data";
	struct str accept = rq->http->hdr[HDR_ACCEPT];

	return accept.n > 0 && memmem(accept.p, accept.n, type, sizeof type - 1) != NULL;
}

static void
form_part(struct buf *b, const char *boundary, const char *name, struct str value)
{
	buf_printf(b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n", boundary, name);
	buf_str(b, value);
	BUF_LIT(b, "\r\n");
}

/* Members that are no texts are parts of JSON. */
static err_t
reply_form(struct req *rq, const struct execution *e, struct str bytes)
{
	const char *boundary = arena_printf(rq->cx.arena, "badal-%s", secret_hex(rq->cx.arena, 16)), *key;
	json_t *j = json_parse(&rq->cx, shape_json(&rq->cx, &execution_later_shape, e), NULL), *v;
	struct buf b;

	buf_init(&b, rq->cx.arena, bytes.n + 4096);
	json_object_foreach(j, key, v) {
		struct buf text;
		struct jw w;

		buf_init(&text, rq->cx.arena, 64);
		jw_init(&w, &text);
		jw_value(&w, v);
		form_part(&b, boundary, key, strcmp(key, "responseBody") == 0 ? bytes : json_is_string(v) ? json_str(v) : buf_view(&text));
	}
	buf_printf(&b, "--%s--\r\n", boundary);
	return reply_raw(rq, 201, arena_printf(rq->cx.arena, "multipart/form-data; boundary=%s", boundary), buf_view(&b));
}

static err_t
answer_now(struct creating *c)
{
	struct req *rq = c->rq;
	struct execution *e = &c->e;

	if (later_form(rq) && c->ran.why == EXEC_TIMED_OUT && (uint64_t)c->r.f->timeout * 1000 > (uint64_t)conf.functions_sync_timeout)
		return fail(&rq->cx, ERR_FUNCTION_SYNCHRONOUS_TIMEOUT, "execution=%s", e->id);
	show(rq, e, c->r.f->id);
	if (!later_form(rq))
		return reply(rq, 201, &execution_shape, e);
	all_headers(c, e);
	e->response = str_utf8(c->ran.body, NULL) ? c->ran.body : str_c(str_text(rq->cx.arena, c->ran.body));
	return wants_form(rq) ? reply_form(rq, e, c->ran.body) : reply(rq, 201, &execution_later_shape, e);
}

/* Awaits. It was not begun: no row stays that says it was. */
static err_t
not_begun(struct creating *c, struct execution_now *n, err_t why)
{
	const char *detail = c->rq->cx.detail;

	execution_failed(&c->e, arena_printf(c->rq->cx.arena, "Not run: %s", detail ? detail : "no executor has room, or answers."));
	TRY(execution_now_end(&c->rq->cx, n, &ev_execution_update, STR("")));
	return fail(&c->rq->cx, why, "%s", detail ? detail : "");
}

static err_t
run_now(struct creating *c)
{
	struct req *rq = c->rq;
	struct execution *e = &c->e;
	struct execution_now *n;
	err_t err;

	e->status = execution_states[EXECUTION_PROCESSING];
	e->began = e->created;
	n = execution_now_begin(&rq->cx, rq->project, e);
	if (execution_too_deep(e)) {
		c->ran = (struct exec_ran){.why = EXEC_FAILED, .body = STR("")};
		e->status = execution_states[EXECUTION_FAILED];
		e->status_code = 500;
		e->err = str_c(execution_too_deep_words(&rq->cx));
	} else if ((err = execution_run(&rq->cx, rq->project, &c->r, e, &c->call, limit_ms(c), &c->ran)) != OK)
		return not_begun(c, n, err);
	e->updated = time_now_ms();
	return execution_now_end(&rq->cx, n, &ev_execution_create, create_payload(c));
}

/* Whoever asked may leave: what has begun comes to its end, and is remembered. */
static err_t
run_and_answer(struct creating *c)
{
	struct req *rq = c->rq;
	err_t err;

	rq->cx.deadline = loop_now() + limit_ms(c) + COLD_MS;
	fib_shield(&rq->cx, true);
	err = run_now(c);
	fib_shield(&rq->cx, false);
	TRY(err);
	return answer_now(c);
}

static err_t
functions_create_execution(struct req *rq, void *arg)
{
	struct creating *c = arena_new_of(rq->cx.arena, struct creating);

	*c = (struct creating){.rq = rq, .in = arg};
	TRY(judge(c));
	make_row(c);
	return in_background(c) ? answer_later(c) : run_and_answer(c);
}

/* ---- routes ---- */

#define EXECUTION_ROUTE(method_, tail, name_, scope_, limit_, handler_, model_, status_, doc_, st, rows, ...)                               \
	{                                                                                                                             \
		.method = method_, .path = "/v1/functions/:functionId/executions" tail, .service = "functions", .name = name_, .scope = scope_, \
		.limit = limit_, .handler = handler_, .model = model_, .status = status_, .doc = doc_, PARAMS(st, rows), __VA_ARGS__      \
	}

static const struct route rows[] = {
	EXECUTION_ROUTE("POST", "", "createExecution", "execution.write|executions.write", "60/60 ip:{ip},userId:{userId}", functions_create_execution, &execution_shape, 201,
	    "Run a function, and wait for it or not (202).", struct create_in, create_params, .or_model = &execution_later_shape, .or_status = 202),
	EXECUTION_ROUTE("GET", "", "listExecutions", "execution.read|executions.read", "", functions_list_executions, &execution_shape, 200, "List the executions of a function.",
	    struct execution_in, list_params, .list = "executions", .or_model = &execution_later_shape, .or_list = "executions"),
	EXECUTION_ROUTE("GET", "/:executionId", "getExecution", "execution.read|executions.read", "", functions_get_execution, &execution_shape, 200, "What became of an execution.",
	    struct execution_in, get_params, .or_model = &execution_later_shape),
	EXECUTION_ROUTE("DELETE", "/:executionId", "deleteExecution", "execution.write|executions.write", "", functions_delete_execution, NULL, 204,
	    "Forget an execution that has ended, or call off one that is put off.", struct execution_in, get_params),
};
const struct routes execution_routes = ROUTES(rows);
