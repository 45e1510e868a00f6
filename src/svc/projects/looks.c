/* What consoles ask of one project besides its settings: that somebody looks at it, what is scheduled in it, and how far on the way into it its team is. */
#include "core/protocol.h"
#include "core/vtime.h"
#include "gate/caller.h"
#include "svc/functions/schedules.h"
#include "svc/projects/projects_priv.h"

static const struct param looks_path[] = {PROJECT(struct one_in)};

static err_t
projects_update_console_access(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	project_console_touch(&rq->cx, p);
	return reply_none(rq);
}

/* ---- status ---- */

struct status_in {
	const char *project, *status;
};
static const char *const project_states[] = {"active", NULL};	/* nothing puts a project to rest here */
static const struct param project_status_params[] = {PROJECT(struct status_in),
	REQUIRED("status", P_ENUM, struct status_in, status, "What it is to be.", .list = project_states)};

static err_t
projects_update_status(struct req *rq, void *arg)
{
	const struct status_in *in = arg;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_set(&rq->cx, p, &(struct project_setting){.event = &ev_project_update, .set = "status = $3", .n = 1, .v = &in->status}, &p));
	return reply_none(rq);
}

/* ---- schedules ---- */

struct schedule_in {
	const char *project, *id, *type, *of, *schedule;
	int active;
	json_t *data;
};
static const char *const schedule_types[] = {"function", "execution", "message", NULL};
static const struct param schedules_asked[] = {PROJECT(struct children_in),
	OPTIONAL("queries", P_QUERIES, struct children_in, queries, "Queries over resourceType, resourceId, projectId, schedule, active and region.", .def = "[]"), LIST_TOTAL};
static const struct param schedule_path[] = {PROJECT(struct schedule_in), PATH("scheduleId", P_UID, struct schedule_in, id, "Schedule ID.")};
static const struct param schedule_create_params[] = {PROJECT(struct schedule_in),
	REQUIRED("resourceType", P_ENUM, struct schedule_in, type, "What it is of: function. Executions are put off by who makes them; there are no messages.",
	    .list = schedule_types),
	REQUIRED("resourceId", P_UID, struct schedule_in, of, "The ID of that."),
	REQUIRED("schedule", P_TEXT, struct schedule_in, schedule, "When it runs, in the form of crontab(5), in UTC.", .max = 256),
	OPTIONAL("active", P_BOOL, struct schedule_in, active, "Whether it runs, which is what the function is, enabled or not; left out: as it is."),
	OPTIONAL("data", P_JSON_OBJECT, struct schedule_in, data, "Not for functions.")};

/* The project, and its data space as this program knows it. */
static err_t
project_within(struct req *rq, const char *id, enum right right, struct project **out)
{
	TRY(project_for(rq, id, right, out));
	return project_get(&rq->cx, str_c(id), out);
}

static err_t
projects_list_schedules(struct req *rq, void *arg)
{
	const struct children_in *in = arg;
	struct query_page page;
	struct project *p;
	struct objs list;

	TRY(project_within(rq, in->project, RIGHT_READ, &p));
	TRY(schedule_list(&rq->cx, p, &in->queries, &page, &list));
	return reply_list(rq, &schedule_shape, "schedules", page.total, &list);
}

static err_t
projects_get_schedule(struct req *rq, void *arg)
{
	const struct schedule_in *in = arg;
	struct schedule s;
	struct project *p;

	TRY(project_within(rq, in->project, RIGHT_READ, &p));
	TRY(schedule_get(&rq->cx, p, in->id, &s));
	return reply(rq, 200, &schedule_shape, &s);
}

static err_t
projects_create_schedule(struct req *rq, void *arg)
{
	const struct schedule_in *in = arg;
	struct schedule s;
	struct project *p;

	TRY(project_within(rq, in->project, RIGHT_CHANGE, &p));
	if (strcmp(in->type, "function") != 0)
		return fail(&rq->cx, ERR_GENERAL_NOT_IMPLEMENTED, "schedule of %s", in->type);
	if (in->data != NULL && json_object_size(in->data) > 0)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid data: The schedule of a function has none.");
	TRY(schedule_create(&rq->cx, p, caller_id(rq), in->of, in->schedule, in->active, &s));
	return reply(rq, 201, &schedule_shape, &s);
}

/* ---- stages: steps that a new project's team takes ---- */

struct stage {
	const char *id, *sdk, *status, *actor;
	int64_t at;
};
static const struct field stage_fields[] = {
	FIELD(F_ID, struct stage, id, "id", NULL, "Stage: platform, key, ping."),
	FIELD(F_STR, struct stage, sdk, "sdk", NULL, "SDK that took it, where that is known."),
	FIELD(F_STR, struct stage, status, "status", NULL, "pending, completed, skipped."),
	FIELD(F_TIME_OR_NONE, struct stage, at, "at", NULL, "Since when, in ISO 8601 format; empty while it is pending."),
	FIELD(F_STR, struct stage, actor, "actorType", NULL, "Who took it: user, client; empty while it is pending."),
};
const struct shape stage_shape = SHAPE("stage", struct stage, stage_fields);

enum { STAGE_PLATFORM, STAGE_KEY, STAGE_PING, STAGES_N };
static const char *const stage_ids[] = {[STAGE_PLATFORM] = "platform", [STAGE_KEY] = "key", [STAGE_PING] = "ping", NULL};

/* When the step was taken, by what the project has; TIME_NONE: it was not. */
static int64_t
stage_taken(const struct project *p, int which, struct stage *s)
{
	const struct api_key *k = p->keys.n > 0 ? p->keys.v[0] : NULL;
	const struct platform *first = p->platforms.n > 0 ? p->platforms.v[0] : NULL;

	s->actor = which == STAGE_PING ? "client" : "user";
	if (which == STAGE_PLATFORM)
		return first != NULL ? first->created : TIME_NONE;
	if (which == STAGE_PING)
		return p->ping_count > 0 ? p->pinged : TIME_NONE;
	s->sdk = k != NULL && k->sdks.n > 0 ? k->sdks.v[0] : "";
	return k != NULL ? k->created : TIME_NONE;
}

static void
stage_read(struct ctx *cx, const struct project *p, int which, struct stage *s)
{
	const json_t *skipped = json_object_get(json_parse(cx, p->stages, NULL), stage_ids[which]);

	*s = (struct stage){.id = stage_ids[which], .sdk = "", .status = "completed"};
	if ((s->at = stage_taken(p, which, s)) != TIME_NONE)
		return;
	s->sdk = "";
	s->status = json_is_integer(skipped) ? "skipped" : "pending";
	s->actor = json_is_integer(skipped) ? "user" : "";
	s->at = json_is_integer(skipped) ? json_integer_value(skipped) : TIME_NONE;
}

static err_t
projects_list_stages(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct stage all[STAGES_N];
	struct project *p;
	struct buf b;
	struct jw w;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	buf_init(&b, rq->cx.arena, 512);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "stages");
	jw_arr(&w);
	for (int i = 0; i < STAGES_N; i++) {
		stage_read(&rq->cx, p, i, &all[i]);
		shape_write(&w, &stage_shape, &all[i]);
	}
	jw_arr_end(&w);
	jw_obj_end(&w);
	return reply_json(rq, 200, buf_view(&b));
}

struct stage_in {
	const char *project, *id;
	int skip;
};
static const struct param stage_params[] = {PROJECT(struct stage_in),
	{.name = "stageId", .type = P_ENUM, .off = offsetof(struct stage_in, id), .required = true, .doc = "Stage.", .path = "stageId", .list = stage_ids},
	OPTIONAL("skip", P_BOOL, struct stage_in, skip, "Whether it is passed over.", .def = "true")};

static err_t
projects_update_stage(struct req *rq, void *arg)
{
	const struct stage_in *in = arg;
	const char *const v[] = {in->id, pg_i64(rq->cx.arena, time_now_ms()), pg_bool(in->skip != 0)};
	struct stage s;
	struct project *p;
	int which = 0;

	TRY(project_for(rq, in->project, RIGHT_CHANGE, &p));
	TRY(project_set(&rq->cx, p,
	    &(struct project_setting){.event = &ev_project_update, .n = 3, .v = v,
		.set = "stages = (CASE WHEN $5::boolean THEN jsonb_build_object($3::text, $4::bigint) || stages::jsonb ELSE stages::jsonb - $3::text END)::text"}, &p));
	while (strcmp(stage_ids[which], in->id) != 0)
		which++;
	stage_read(&rq->cx, p, which, &s);
	return reply(rq, 200, &stage_shape, &s);
}

static const struct field stage_list_fields[] = {
	{.key = "stages", .type = F_LIST, .doc = "The steps, in order.", .sub = &stage_shape},
};
const struct shape stage_list_shape = SHAPE_TOLD("stageList", stage_list_fields);

/* ---- routes ---- */

#define LOOKS(since_, method_, tail, name_, verb, handler_, status_, doc_, st, rows_, ...)                                                              \
	{                                                                                                                                               \
		.method = method_, .path = "/v1/projects/:projectId/" tail, .service = "projects", .name = name_, .scope = "projects." verb, .limit = "", \
		.handler = handler_, .status = status_, .doc = doc_, .flags = ROUTE_CONSOLE, .since = since_, PARAMS(st, rows_), __VA_ARGS__            \
	}
static const struct route looks_rows[] = {
	LOOKS(SINCE_1_9_5, "PATCH", "console-access", "updateConsoleAccess", "read", projects_update_console_access, 204,
	    "Note that somebody looks at the project, once a day.", struct one_in, looks_path, .model = NULL),
	LOOKS(SINCE_1_9_5, "PATCH", "status", "updateStatus", "write", projects_update_status, 204, "Set the status of the project.", struct status_in,
	    project_status_params, .model = NULL),
	LOOKS(SINCE_1_9, "GET", "schedules", "listSchedules", "read", projects_list_schedules, 200, "What is scheduled in the project.", struct children_in,
	    schedules_asked, .model = &schedule_shape, .list = "schedules"),
	LOOKS(SINCE_1_9, "POST", "schedules", "createSchedule", "write", projects_create_schedule, 201, "Give a function another schedule.", struct schedule_in,
	    schedule_create_params, .model = &schedule_shape),
	LOOKS(SINCE_1_9, "GET", "schedules/:scheduleId", "getSchedule", "read", projects_get_schedule, 200, "One schedule.", struct schedule_in, schedule_path,
	    .model = &schedule_shape),
	LOOKS(SINCE_1_9_5, "GET", "stages", "listStages", "read", projects_list_stages, 200, "Steps of the way into the project, and which are taken.",
	    struct one_in, looks_path, .model = &stage_list_shape),
	LOOKS(SINCE_1_9_5, "PATCH", "stages/:stageId", "updateStage", "write", projects_update_stage, 200, "Pass over a step, or do not.", struct stage_in,
	    stage_params, .model = &stage_shape),
};
const struct routes looks_routes = ROUTES(looks_rows);
