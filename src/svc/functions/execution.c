/* Rows of executions. */
#include "execution.h"

#include "core/json.h"
#include "core/metric.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/roles.h"

const char *const execution_states[] = {"waiting", "processing", "completed", "failed", "scheduled", NULL};
const char *const execution_triggers[] = {"http", "event", "schedule", NULL};

static const struct field header_fields[] = {
	FIELD(F_STR, struct execution_header, name, "name", NULL, "Name of the header."),
	FIELD(F_STR, struct execution_header, value, "value", NULL, "Its value."),
};
const struct shape execution_header_shape = SHAPE("headers", struct execution_header, header_fields);

/* Columns that no client is shown as they are. */
#define OWN_COLUMNS                                                                                                             \
	FIELD_HIDDEN(F_INT, struct execution, internal, "e.internal"), FIELD_HIDDEN(F_INT, struct execution, function, "e.function"), \
	FIELD_HIDDEN(F_STRS, struct execution, read, "e.read"), FIELD_HIDDEN(F_STR, struct execution, event, "e.event"),              \
	FIELD_HIDDEN(F_STR, struct execution, cause, "e.cause"), FIELD_HIDDEN(F_INT, struct execution, depth, "e.depth"),             \
	FIELD_HIDDEN(F_STR, struct execution, user_id, "e.user_id"),                                                                \
	FIELD_HIDDEN(F_DATA, struct execution, request_headers, "e.request_headers"),                                               \
	FIELD_HIDDEN(F_DATA, struct execution, response_headers, "e.response_headers"),                                             \
	FIELD_HIDDEN(F_TIME_OR_NONE, struct execution, began, "e.began", .flags = COL_NULL)
#define FIRST_COLUMNS                                                                                                           \
	FIELD(F_ID, struct execution, id, "$id", "e.id", "Execution ID.", .flags = COL_ASKED),                                      \
	FIELD(F_TIME, struct execution, created, "$createdAt", "e.created", "Creation date in ISO 8601 format.", .flags = COL_ASKED), \
	FIELD(F_TIME, struct execution, updated, "$updatedAt", "e.updated", "Update date in ISO 8601 format.", .flags = COL_ASKED),   \
	FIELD(F_STRS, struct execution, permissions, "$permissions", "e.permissions", "Who may read it."),                          \
	FIELD(F_ID, struct execution, function_id, "functionId", NULL, "Function ID.")
#define TRIGGER FIELD_ENUM(execution_triggers, struct execution, trigger, "trigger", "e.trigger", "What made the function run.", .flags = COL_ASKED)
#define STATUS FIELD_ENUM(execution_states, struct execution, status, "status", "e.status", "How far it is.", .flags = COL_ASKED)
#define CODE(key) FIELD(F_INT, struct execution, status_code, key, "e.status_code", "HTTP status of the function's answer; 0: none yet.", .flags = COL_ASKED)
#define OUT(key) FIELD(F_DATA, struct execution, out, key, "e.stdout", "What it wrote to standard output; for API keys, admins and webhooks alone.")
#define ERRORS(key) FIELD(F_DATA, struct execution, err, key, "e.stderr", "What it wrote to standard error, and why it failed; for API keys, admins and webhooks alone.")
#define DURATION FIELD(F_FLOAT, struct execution, duration, "duration", "e.duration", "Seconds that it took.", .flags = COL_ASKED)

#define FIRST_FORM                                                                                                              \
	OWN_COLUMNS, FIELD_HIDDEN(F_STR, struct execution, deployment, "e.deployment"),                                            \
	FIELD_HIDDEN(F_STR, struct execution, method, "e.method"), FIELD_HIDDEN(F_STR, struct execution, path, "e.path"),            \
	FIELD_HIDDEN(F_TIME_OR_NONE, struct execution, scheduled, "e.scheduled", .flags = COL_NULL), FIRST_COLUMNS, TRIGGER, STATUS, \
	CODE("statusCode"), FIELD(F_DATA, struct execution, response, "response", "e.response", "What the function answered."),      \
	OUT("stdout"), ERRORS("stderr"), DURATION

static const struct field execution_fields[] = {FIRST_FORM};
const struct shape execution_shape = SHAPE("execution", struct execution, execution_fields);

/* What it is to get may be large: it is written, and read by who runs it. */
static const struct field whole_fields[] = {FIRST_FORM, FIELD_HIDDEN(F_DATA, struct execution, pending, "e.pending")};
static const struct shape whole_shape = SHAPE("execution", struct execution, whole_fields);

static const struct field later_fields[] = {
	OWN_COLUMNS,
	FIRST_COLUMNS,
	{.key = "resourceId", .type = F_ID, .off = offsetof(struct execution, function_id), .doc = "Function ID. Told since 2.0.0, as what follows.", .since = PROTOCOL(2, 0, 0)},
	FIELD_ALWAYS("resourceType", "\"functions\"", PROTOCOL(2, 0, 0), "What it is a run of."),
	FIELD(F_STR, struct execution, deployment, "deploymentId", "e.deployment", "ID of the deployment that ran.", .flags = COL_ASKED),
	TRIGGER,
	STATUS,
	FIELD(F_STR, struct execution, method, "requestMethod", "e.method", "HTTP method of the request.", .flags = COL_ASKED),
	FIELD(F_STR, struct execution, path, "requestPath", "e.path", "Path of the request, with its query.", .flags = COL_ASKED),
	FIELD(F_LIST, struct execution, asked, "requestHeaders", NULL, "Headers of the request, those that are kept.", .sub = &execution_header_shape),
	CODE("responseStatusCode"),
	FIELD(F_DATA, struct execution, response, "responseBody", NULL, "Body of the answer; empty unless this is the answer to who called and waited."),
	FIELD(F_LIST, struct execution, answered, "responseHeaders", NULL, "Headers of the answer; those that are kept, unless this is the answer to who called and waited.", .sub = &execution_header_shape),
	OUT("logs"),
	ERRORS("errors"),
	DURATION,
	FIELD(F_TIME_OR_NONE, struct execution, scheduled, "scheduledAt", "e.scheduled", "When it is to begin, of one that is put off.", .flags = COL_ASKED | COL_NULL),
};
const struct shape execution_later_shape = SHAPE("executionLater", struct execution, later_fields);

static void
execution_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct execution *e = obj;

	(void)cx;
	(void)p;
	ev->ids[0] = e->function_id;
	ev->ids[1] = e->id;
	ev->roles = e->read;
}

#define RECORD(shape_, width_, max_)                                                                                                          \
	{                                                                                                                       \
		.shape = &(shape_), .table = ":schema.executions", .alias = "e", .entity = "Execution", .missing = ERR_EXECUTION_NOT_FOUND, \
		.taken = ERR_EXECUTION_NOT_FOUND, .concerns = execution_concerns,                                               \
		.width = width_, .width_max = max_                                                                              \
	}
#define OUTPUT_WIDTH "octet_length(stdout) + octet_length(stderr)"
const struct record execution_record = RECORD(execution_shape, OUTPUT_WIDTH " + octet_length(response)", 3000000);
const struct record execution_later_record = RECORD(execution_later_shape, OUTPUT_WIDTH, 2000000);
const struct record execution_whole_record = RECORD(whole_shape, NULL, 0);

/* ---- new ones ---- */

void
execution_init(struct ctx *cx, struct execution *e, const struct function *f, const char *trigger, const char *cause, const char *user)
{
	*e = (struct execution){.function = f->internal, .function_id = f->id, .deployment = f->deployment, .trigger = trigger, .event = "", .cause = cause,
	    .user_id = user ? user : "", .status = execution_states[EXECUTION_WAITING], .response = STR(""), .out = STR(""), .err = STR(""), .method = "POST",
	    .path = "/", .request_headers = STR("[]"), .response_headers = STR("[]"), .scheduled = TIME_NONE, .began = TIME_NONE, .pending = STR(""),
	    .depth = cx->depth};
	e->permissions = e->read = (struct strs){.set = true, .v = arena_array(cx->arena, const char *, 1)};
	if (e->user_id[0] != '\0') {
		e->read = roles_one(cx->arena, "user", user);
		e->permissions = (struct strs){.n = 1, .set = true, .v = arena_array(cx->arena, const char *, 1)};
		e->permissions.v[0] = arena_printf(cx->arena, "read(\"user:%s\")", user);
	}
	record_init(cx, &execution_record, e);
}

void
execution_queue(struct db_tx *tx, const struct execution *e)
{
	tx_job(tx, EXECUTE, str_c(arena_printf(tx_ctx(tx)->arena, "%s %s %lld", e->function_id, e->id, (long long)e->updated)));
}

/* ---- reading ---- */

static struct objs
headers_of(struct ctx *cx, struct str json)
{
	const json_t *list = json.n > 2 ? json_parse(cx, json, NULL) : NULL;
	struct objs out = {.v = arena_array(cx->arena, void *, json_array_size(list) + 1)};

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		struct execution_header *h = arena_new_of(cx->arena, struct execution_header);

		h->name = json_string_value(json_object_get(one, "name"));
		h->value = json_string_value(json_object_get(one, "value"));
		out.v[out.n++] = h;
	}
	return out;
}

void
execution_complete(struct ctx *cx, struct execution *e, const char *function_id)
{
	e->function_id = function_id;
	e->asked = headers_of(cx, e->request_headers);
	e->answered = headers_of(cx, e->response_headers);
}

void
execution_blank(struct execution *e)
{
	e->out = e->err = STR("");
}

err_t
execution_get(struct ctx *cx, const struct project *p, const struct record *rec, const struct function *f, const char *id, struct execution *out)
{
	TRY(record_get(cx, p, rec, (struct rows){"@.function = $1::bigint AND lower(@.id) = lower($2)", 2, {pg_i64(cx->arena, f->internal), id}}, out));
	execution_complete(cx, out, f->id);
	return OK;
}

/* ---- moves ---- */

err_t
execution_begin(struct ctx *cx, const struct project *p, struct execution *e, enum execution_status from, bool *mine_out)
{
	int n;

	e->began = time_now_ms();
	TRY(db_exec(cx, &n, arena_printf(cx->arena, "UPDATE %s.executions SET status = 'processing', began = $2::timestamptz, updated = $2::timestamptz "
	    "WHERE internal = $1::bigint AND status = $3", p->schema), DB(pg_i64(cx->arena, e->internal), pg_time(cx->arena, e->began), execution_states[from])));
	e->status = execution_states[EXECUTION_PROCESSING];
	e->updated = e->began;
	*mine_out = n > 0;
	return OK;
}

err_t
execution_wait(struct ctx *cx, const struct project *p, const struct execution *e)
{
	return db_exec(cx, NULL, arena_printf(cx->arena, "UPDATE %s.executions SET status = 'waiting', began = NULL WHERE internal = $1::bigint AND status = 'processing'",
	    p->schema), DB(pg_i64(cx->arena, e->internal)));
}

/* What follows from it was led to by one execution more. */
static err_t
write_end(struct ctx *cx, const struct project *p, struct execution *e, const struct event *ev)
{
	struct arena *a = cx->arena;
	int depth = cx->depth;
	err_t err;

	cx->depth = (int)e->depth + 1;
	err = event_write(cx, ev, NULL, arena_printf(a, "UPDATE %s.executions SET status = $2, status_code = $3::bigint, response = $4, stdout = $5, stderr = $6, "
	    "duration = $7::double precision, response_headers = $8, updated = $9::timestamptz, deployment = $10, pending = NULL "
	    "WHERE internal = $1::bigint AND status IN ('waiting', 'processing') RETURNING internal", p->schema),
	    DB(pg_i64(a, e->internal), e->status, pg_i64(a, e->status_code), shape_data_column(a, e->response), shape_data_column(a, e->out),
	    shape_data_column(a, e->err), arena_printf(a, "%.17g", e->duration), shape_data_column(a, e->response_headers), pg_time(a, e->updated), e->deployment));
	cx->depth = depth;
	return err;
}

static struct event
end_event(struct ctx *cx, const struct project *p, struct execution *e, const struct event_info *kind, struct str payload)
{
	struct event ev = {.kind = kind, .project = p->id, .actor = e->user_id[0] ? e->user_id : NULL};

	if (payload.n == 0)
		e->updated = time_now_ms();
	ev.payload = payload.n > 0 ? payload : shape_json(cx, &execution_shape, e);
	execution_concerns(cx, p, e, &ev);
	return ev;
}

static void
count_end(const struct execution *e)
{
	metric_add(e->status == execution_states[EXECUTION_FAILED] ? M_executions_failed : M_executions_completed, 1);
}

err_t
execution_end(struct ctx *cx, const struct project *p, struct execution *e, const struct event_info *kind, struct str payload)
{
	struct event ev = end_event(cx, p, e, kind, payload);

	TRY(write_end(cx, p, e, &ev));
	count_end(e);
	return OK;
}

err_t
execution_end_event(struct ctx *cx, const struct project *p, struct execution *e)
{
	struct event ev = end_event(cx, p, e, &ev_execution_update, STR(""));

	TRY(execution_write(cx, p, e, &ev));
	count_end(e);
	return OK;
}

err_t
execution_remember(struct ctx *cx, const struct project *p, struct execution *e, const struct event_info *kind, struct str payload)
{
	struct event ev = end_event(cx, p, e, kind, payload);
	int depth = cx->depth;
	struct execution row;
	err_t err;

	cx->depth = (int)e->depth + 1;
	err = record_add(cx, p, &execution_whole_record, e, &ev);
	cx->depth = depth;
	if (err == ERR_EXECUTION_NOT_FOUND) {
		TRY(record_get(cx, p, &execution_record, (struct rows){"@.function = $1::bigint AND @.id = $2", 2, {pg_i64(cx->arena, e->function), e->id}}, &row));
		e->internal = row.internal;
		return execution_end(cx, p, e, kind, ev.payload);
	}
	TRY(err);
	count_end(e);
	return OK;
}

void
execution_failed(struct execution *e, const char *why)
{
	e->status = execution_states[EXECUTION_FAILED];
	e->status_code = 500;
	e->err = str_c(why);
	e->duration = e->began != TIME_NONE ? (double)(time_now_ms() - e->began) / 1000 : 0;
}

err_t
execution_fail(struct ctx *cx, const struct project *p, struct execution *e, const char *why)
{
	execution_failed(e, why);
	return execution_end(cx, p, e, &ev_execution_update, STR(""));
}

err_t
execution_tell(struct ctx *cx, const struct project *p, struct execution *e, const char *why)
{
	struct event ev;
	int depth = cx->depth;
	err_t err;

	execution_failed(e, why);
	ev = record_event(cx, p, &execution_record, &ev_execution_update, e->user_id[0] ? e->user_id : NULL, e);
	cx->depth = (int)e->depth + 1;
	err = record_add(cx, p, &execution_whole_record, e, &ev);
	cx->depth = depth;
	metric_add(M_executions_failed, err == OK);
	return err == ERR_EXECUTION_NOT_FOUND ? OK : err;	/* it was told before */
}
