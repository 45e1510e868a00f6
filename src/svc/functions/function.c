/* Functions: rows, and what changes them. What must stay true: see functions_priv.h; and a schedule that was changed, cleared or switched off runs no more at
 * the times that it had. */
#include "functions_priv.h"

#include "core/conf.h"
#include "core/cron.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/bound.h"
#include "model/job.h"
#include "model/seal.h"

#define EMPTY "\"\""
/* Of the newest deployment, which is one row or none. */
#define LATEST(what) "(SELECT " what " FROM (SELECT * FROM :schema.deployments WHERE function = f.internal ORDER BY internal DESC LIMIT 1) d)"
static const struct field function_fields[] = {
	FIELD_HIDDEN(F_INT, struct function, internal, "f.internal"),
	FIELD(F_ID, struct function, id, "$id", "f.id", "Function ID.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_TIME, struct function, created, "$createdAt", "f.created", "Creation date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_TIME, struct function, updated, "$updatedAt", "f.updated", "Date of the last change in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_STRS, struct function, execute, "execute", "f.execute", "Roles that may run it."),
	FIELD(F_STR, struct function, name, "name", "f.name", "Function name.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_BOOL, struct function, enabled, "enabled", "f.enabled", "Whether it runs.", .flags = COL_ASKED),
	FIELD(F_STR, struct function, runtime, "runtime", "f.runtime", "Runtime.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_STR, struct function, deployment, "deployment", "f.deployment", "ID of the active deployment.", .flags = COL_ASKED),
	{.key = "vars", .type = F_LIST, .off = offsetof(struct function, vars), .doc = "Variables.", .sub = &variable_shape},
	FIELD(F_STRS, struct function, events, "events", "f.events", "Names of the events that it runs on."),
	FIELD(F_STR, struct function, schedule, "schedule", "f.schedule", "When it runs, in the form of crontab(5); empty: never.", .flags = COL_ASKED),
	FIELD(F_TIME_OR_NONE, struct function, schedule_next, "scheduleNext", "f.schedule_next", "When it runs next by its schedule, in ISO 8601 format.",
	    .flags = COL_ASKED | COL_NULL),
	FIELD(F_TIME_OR_NONE, struct function, schedule_previous, "schedulePrevious", "f.schedule_previous",
	    "When it last ran by its schedule, in ISO 8601 format.", .flags = COL_ASKED | COL_NULL),
	FIELD(F_INT, struct function, timeout, "timeout", "f.timeout", "Longest time of a run in seconds.", .flags = COL_ASKED),
	FIELD(F_STR, struct function, generation, "version", "f.generation",
	    "Which arguments its handler gets: v2 (req, res), v5 (context); empty: as many as it takes say. Told since 1.4.0, as what follows.", .since = 1004000),
	FIELD(F_STR, struct function, entrypoint, "entrypoint", "f.entrypoint", "Entrypoint of deployments that name none.", .since = 1004000),
	{.key = "commands", .type = F_CONST, .text = "\"\"", .doc = "Always empty: the runtime's build it.", .since = 1004000},
	{.key = "logging", .type = F_CONST, .text = "true", .doc = "Always true: the output of runs is kept.", .since = 1004000},
	FIELD(F_BOOL, struct function, keep_warm, "keepWarm", "f.keep_warm", "Whether the active deployment is kept ready to run.", .since = 1004000),
	{.key = "deploymentId", .type = F_STR, .off = offsetof(struct function, deployment), .doc = "ID of the active deployment. Told since 1.7.0.", .since = 1007000},
	FIELD_ALWAYS("installationId", EMPTY, SINCE_1_4, "Always empty, as what follows: archives come from clients, not from repositories."),
	FIELD_ALWAYS("providerRepositoryId", EMPTY, SINCE_1_4, "Always empty."),
	FIELD_ALWAYS("providerBranch", EMPTY, SINCE_1_4, "Always empty."),
	FIELD_ALWAYS("providerRootDirectory", EMPTY, SINCE_1_4, "Always empty."),
	FIELD_ALWAYS("providerSilentMode", "false", SINCE_1_4, "Always false."),
	FIELD_ALWAYS("providerBranches", "[]", SINCE_1_9_5, "Always empty."),
	FIELD_ALWAYS("providerPaths", "[]", SINCE_1_9_5, "Always empty."),
	FIELD_ALWAYS("live", "true", SINCE_1_4, "Always true: changes hold from the next run on."),
	FIELD_ALWAYS("scopes", "[]", SINCE_1_6, "Always empty: runs are given no key."),
	FIELD_ALWAYS("specification", EMPTY, SINCE_1_5, "Always empty.", .until = SINCE_1_9),
	FIELD_ALWAYS("buildSpecification", EMPTY, SINCE_1_9, "Always empty."),
	FIELD_ALWAYS("runtimeSpecification", EMPTY, SINCE_1_9, "Always empty."),
	FIELD_ALWAYS("deploymentRetention", "0", SINCE_1_9, "Always 0: deployments stay."),
	FIELD(F_TIME_OR_NONE, struct function, active_created, "deploymentCreatedAt",
	    "(SELECT d.created FROM :schema.deployments d WHERE d.function = f.internal AND lower(d.id) = lower(f.deployment))",
	    "Creation date of the active deployment in ISO 8601 format. Told since 1.7.0, as what follows.", .since = SINCE_1_7),
	FIELD(F_STR, struct function, latest, "latestDeploymentId", LATEST("coalesce(max(d.id), '')"), "ID of the newest deployment.", .since = SINCE_1_7),
	FIELD(F_TIME_OR_NONE, struct function, latest_created, "latestDeploymentCreatedAt", LATEST("max(d.created)"), "Its creation date in ISO 8601 format.",
	    .since = SINCE_1_7),
	FIELD(F_STR, struct function, latest_status, "latestDeploymentStatus", LATEST("coalesce(max(d.status), '')"), "State of its build.", .since = SINCE_1_7),
	FIELD_HIDDEN(F_INT, struct function, revision, "f.revision"),
	FIELD_HIDDEN(F_INT, struct function, activations, "f.activations"),
	FIELD_HIDDEN(F_INT, struct function, live, "f.live"),
};
const struct shape function_shape = SHAPE("function", struct function, function_fields);

static const char settable[] = "name execute enabled runtime events schedule schedule_next timeout generation entrypoint keep_warm revision";

static void
function_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct function *f = obj;

	ev->ids[0] = f->id;
	ev->stale[0] = function_stale_key(cx, p, f->id);
	ev->stale[1] = functions_heard_key(cx, p->id);
}

const struct record function_record = {
	.shape = &function_shape,
	.table = ":schema.functions",
	.alias = "f",
	.entity = "Function",
	.missing = ERR_FUNCTION_NOT_FOUND,
	.taken = ERR_FUNCTION_ALREADY_EXISTS,
	.concerns = function_concerns,
};

const char *
function_stale_key(struct ctx *cx, const struct project *p, const char *id)
{
	return arena_printf(cx->arena, "function:%s:%s", p->id, str_lower(cx->arena, str_c(id)).p);
}

const char *
functions_heard_key(struct ctx *cx, const char *project)
{
	return arena_printf(cx->arena, "functions:%s", project);
}

/* ---- schedules ---- */

const char *const due_kinds[] = {"function", "execution"};

void
schedule_due(struct db_tx *tx, const struct project *p, enum due_kind kind, int64_t internal, int64_t due)
{
	struct arena *a = tx_ctx(tx)->arena;
	const char *what = pg_i64(a, internal);

	if (due == TIME_NONE)
		tx_add(tx, "DELETE FROM badal.schedules WHERE schema = $1 AND kind = $2 AND what = $3::bigint", DB(p->schema, due_kinds[kind], what));
	else
		tx_add(tx, "INSERT INTO badal.schedules (schema, project, kind, what, due) VALUES ($1, $2, $3, $4::bigint, $5::timestamptz) "
		    "ON CONFLICT (schema, kind, what) DO UPDATE SET due = excluded.due", DB(p->schema, p->id, due_kinds[kind], what, pg_time(a, due)));
}

int64_t
function_next(const struct function *f, int64_t after)
{
	struct cron c;

	return f->enabled && f->schedule[0] != '\0' && cron_parse(str_c(f->schedule), &c) ? cron_next(&c, after) : TIME_NONE;
}

/* A time that has come and was not looked at yet stays, unless the schedule is another. */
static int64_t
next_after_change(const struct function *now, const struct function *values)
{
	bool same = now->enabled && values->enabled && strcmp(now->schedule, values->schedule) == 0;

	return same ? now->schedule_next : function_next(values, time_now_ms());
}

/* ---- reading ---- */

err_t
function_get(struct ctx *cx, const struct project *p, const char *id, struct function *out)
{
	return record_get(cx, p, &function_record, rows_id(id), out);
}

err_t
function_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search, struct query_page *out,
    struct objs *list_out)
{
	*list_out = (struct objs){0};
	TRY(record_list(cx, p, &function_record, (struct rows){0}, queries, search, out));
	if (out->res == NULL)
		return OK;
	*list_out = shape_rows(cx, &function_shape, out->res);
	return function_vars(cx, p, (struct function *const *)list_out->v, list_out->n);
}

/* ---- changes ---- */

/* For the task that looks at badal.warm. In the transaction that writes the row; no wait. */
static void
note_warm(struct db_tx *tx, const struct project *p, const struct function *f, bool now)
{
	if (now)
		tx_add(tx, "INSERT INTO badal.warm (schema, project, function, since) VALUES ($1, $2, $3, $4::timestamptz) ON CONFLICT DO NOTHING",
		    DB(p->schema, p->id, f->id, pg_time(tx_ctx(tx)->arena, time_now_ms())));
	else
		tx_add(tx, "DELETE FROM badal.warm WHERE schema = $1 AND function = $2", DB(p->schema, f->id));
}

static err_t
create_tx(struct db_tx *tx, const struct project *p, const char *actor, struct function *f)
{
	TRY(record_insert(tx, p, &function_record, f));
	if (f->schedule_next != TIME_NONE)
		schedule_due(tx, p, DUE_FUNCTION, f->internal, f->schedule_next);
	if (f->keep_warm)
		note_warm(tx, p, f, true);
	record_emit(tx, p, &function_record, &ev_function_create, actor, f);
	return OK;
}

static const char *
function_sum(struct arena *a, const char *schema)
{
	return arena_printf(a, "SELECT count(*), 0::bigint FROM %s.functions", schema);
}
static const struct bound functions_bound = {"functions", function_sum};

err_t
function_create(struct ctx *cx, const struct project *p, const char *actor, struct function *f)
{
	TRY(bound_room(cx, p, &functions_bound, conf.functions_max, 1, 0, 0));
	f->deployment = "";
	f->schedule_next = function_next(f, time_now_ms());
	f->schedule_previous = TIME_NONE;
	record_init(cx, &function_record, f);
	TRY(TX_RUN(cx, tx, create_tx(tx, p, actor, f)));
	bound_added(p, &functions_bound, 1, 0);
	return OK;
}

/* What a process of it has from its start. */
static bool
same_process(const struct function *a, const struct function *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->runtime, b->runtime) == 0 && strcmp(a->generation, b->generation) == 0;
}

/* What `values` leaves open stays as it is. */
static void
keep_open(struct function *v, const struct function *now)
{
	v->runtime = v->runtime ? v->runtime : now->runtime;
	v->generation = v->generation ? v->generation : now->generation;
	v->entrypoint = v->entrypoint ? v->entrypoint : now->entrypoint;
}

static err_t
update_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *id, const struct function_change *change, struct function *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct function now, v = change->values;

	TRY(record_lock(tx, p, &function_record, rows_id(id), &now));
	keep_open(&v, &now);
	v.keep_warm = change->keep_warm < 0 ? now.keep_warm : change->keep_warm;
	v.revision = now.revision + !same_process(&now, &v);
	v.schedule_next = next_after_change(&now, &v);
	TRY(record_set(tx, p, &function_record, rows_internal(cx, now.internal), settable, &v, out));
	schedule_due(tx, p, DUE_FUNCTION, now.internal, v.schedule_next);
	if (now.keep_warm != v.keep_warm)
		note_warm(tx, p, &now, v.keep_warm);
	TRY(function_vars_tx(tx, p, out));
	record_emit(tx, p, &function_record, &ev_function_update, actor, out);
	return OK;
}

static err_t
reschedule_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *id, const char *schedule, int active, struct function *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct function now, v;

	TRY(record_lock(tx, p, &function_record, rows_id(id), &now));
	if (active == 0 && now.enabled)
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid active: The schedule of a function runs while that is enabled.");
	v = now;
	v.schedule = schedule;
	v.schedule_next = next_after_change(&now, &v);
	TRY(record_set(tx, p, &function_record, rows_internal(cx, now.internal), "schedule schedule_next", &v, out));
	schedule_due(tx, p, DUE_FUNCTION, now.internal, v.schedule_next);
	TRY(function_vars_tx(tx, p, out));
	record_emit(tx, p, &function_record, &ev_function_update, actor, out);
	return OK;
}

err_t
function_reschedule(struct ctx *cx, const struct project *p, const char *actor, const char *id, const char *schedule, int active, struct function *out)
{
	return TX_RUN(cx, tx, reschedule_tx(tx, p, actor, id, schedule, active, out));
}

err_t
function_update(struct ctx *cx, const struct project *p, const char *actor, const char *id, const struct function_change *change, struct function *out)
{
	return TX_RUN(cx, tx, update_tx(tx, p, actor, id, change, out));
}

/* ---- deletion ---- */

void
function_delete_job(struct db_tx *tx, const struct project *p, int64_t internal, const char *function, const char *deployment)
{
	struct buf b;
	struct jw w;

	buf_init(&b, tx_ctx(tx)->arena, 160);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "project");
	jw_cstr(&w, p->id);
	JW_KEY(&w, "internal");
	jw_i64(&w, internal);
	JW_KEY(&w, "function");
	jw_cstr(&w, function);
	JW_KEY(&w, "deployment");
	jw_cstr(&w, deployment);
	jw_obj_end(&w);
	tx_job(tx, FUNCTION_DELETE, buf_view(&b));
}

static err_t
delete_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *id)
{
	struct ctx *cx = tx_ctx(tx);
	struct function f;
	struct event ev;

	TRY(record_delete(tx, p, &function_record, rows_id(id), &f));
	waste_add(tx, p, &deployment_waste, f.internal, "");
	waste_add(tx, p, &build_waste, f.internal, "");
	schedule_due(tx, p, DUE_FUNCTION, f.internal, TIME_NONE);
	if (f.keep_warm)
		note_warm(tx, p, &f, false);
	function_delete_job(tx, p, f.internal, f.id, "");
	ev = record_event(cx, p, &function_record, &ev_function_delete, actor, &f);
	ev.payload = STR_NONE;	/* as the contract has it */
	event_emit(tx, &ev);
	return OK;
}

err_t
function_delete(struct ctx *cx, const struct project *p, const char *actor, const char *id)
{
	return TX_RUN(cx, tx, delete_tx(tx, p, actor, id));
}
