/* Schedules as a console lists them. What must stay true: what is listed is what runs, for both are read from the rows of functions and executions. */
#include "schedules.h"

#include "core/cron.h"
#include "core/protocol.h"
#include "functions_priv.h"
#include "model/record.h"

static const struct field schedule_fields[] = {
	FIELD_HIDDEN(F_INT, struct schedule, internal, "s.internal"),
	FIELD(F_ID, struct schedule, id, "$id", "s.id", "Schedule ID."),
	FIELD(F_TIME, struct schedule, created, "$createdAt", "s.created", "When what it is of was made, in ISO 8601 format."),
	FIELD(F_TIME, struct schedule, updated, "$updatedAt", "s.updated", "When that changed, in ISO 8601 format."),
	FIELD(F_STR, struct schedule, type, "resourceType", "s.type", "What it is of: function, execution.", .flags = COL_ASKED),
	FIELD(F_ID, struct schedule, of, "resourceId", "s.of", "The ID of that.", .flags = COL_ASKED),
	{.key = "resourceUpdatedAt", .type = F_TIME, .off = offsetof(struct schedule, updated), .doc = "The same as $updatedAt."},
	FIELD(F_ID, struct schedule, project, "projectId", "s.project", "Project ID.", .flags = COL_ASKED),
	FIELD(F_STR, struct schedule, schedule, "schedule", "s.schedule", "When it runs: in the form of crontab(5), or once, at a date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_JSON, struct schedule, data, "data", "s.data", "What else is known: functionId, of an execution."),
	FIELD(F_BOOL, struct schedule, active, "active", "s.active", "Whether it runs.", .flags = COL_ASKED),
	FIELD(F_STR, struct schedule, region, "region", "s.region", "Where: default.", .flags = COL_ASKED),
};
const struct shape schedule_shape = SHAPE("schedule", struct schedule, schedule_fields);

/* Numbers of both kinds are told apart by whether they are even. */
#define SCHEDULED_AT "to_char(e.scheduled AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"+00:00\"')"

static const char *
schedules_from(struct ctx *cx, const struct project *p)
{
	const char *s = p->schema, *of = arena_printf(cx->arena, "badal.projects p WHERE p.internal = %lld", (long long)p->internal);

	return arena_printf(cx->arena,
	    "(SELECT f.internal * 2 AS internal, 'function-' || f.internal AS id, f.created, f.updated, 'function' AS type, f.id AS of, p.id AS project, f.schedule, "
	    "'{}' AS data, f.enabled AS active, p.region FROM %s.functions f, %s AND f.schedule <> '' "
	    "UNION ALL SELECT e.internal * 2 + 1, 'execution-' || e.internal, e.created, e.updated, 'execution', e.id, p.id, " SCHEDULED_AT ", "
	    "json_build_object('functionId', f.id)::text, true, p.region FROM %s.executions e JOIN %s.functions f ON f.internal = e.function, %s AND e.status = 'scheduled') s",
	    s, of, s, s, of);
}

err_t
schedule_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct query_page *page_out, struct objs *out)
{
	struct query_list l = {.entity = "Schedule", .from = schedules_from(cx, p), .columns = shape_columns(&schedule_shape), .seq = "s.internal", .id = "s.id", .schema = p->schema};

	*out = (struct objs){0};
	l.attrs = shape_asked(&schedule_shape, &l.n_attrs);
	TRY(query_list(cx, &l, &schedule_shape, queries, NULL, page_out));
	if (page_out->res != NULL)
		*out = shape_rows(cx, &schedule_shape, page_out->res);
	return OK;
}

err_t
schedule_get(struct ctx *cx, const struct project *p, const char *id, struct schedule *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT %s FROM %s WHERE s.id = lower($1)", shape_columns(&schedule_shape), schedules_from(cx, p)), DB(id)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_SCHEDULE_NOT_FOUND, "id=%s", id);
	*out = (struct schedule){0};
	shape_read(cx, &schedule_shape, out, r, 0, 0);
	return OK;
}

err_t
schedule_create(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *cron, bool active, struct schedule *out)
{
	struct function f;
	struct cron c;

	if (!cron_parse(str_c(cron), &c))
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid schedule: It is no cron expression, or one that never comes.");
	TRY(function_reschedule(cx, p, actor, function, cron, active, &f));
	return schedule_get(cx, p, arena_printf(cx->arena, "function-%lld", (long long)f.internal), out);
}
