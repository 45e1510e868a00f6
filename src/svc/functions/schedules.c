/* Schedules as a console lists them. What must stay true: what is listed is what runs, for both are read from the rows of functions and executions. */
#include "schedules.h"

#include <strings.h>

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

/* Those of one kind; `only` is a further condition, or "". */
static const char *
of_functions(struct ctx *cx, const struct project *p, const char *only)
{
	return arena_printf(cx->arena,
	    "SELECT f.internal * 2 AS internal, 'function-' || f.internal AS id, f.created, f.updated, 'function' AS type, f.id AS of, p.id AS project, f.schedule, "
	    "'{}' AS data, f.enabled AS active, p.region FROM %s.functions f, badal.projects p WHERE p.internal = %lld AND f.schedule <> ''%s",
	    p->schema, (long long)p->internal, only);
}

static const char *
of_executions(struct ctx *cx, const struct project *p, const char *only)
{
	return arena_printf(cx->arena,
	    "SELECT e.internal * 2 + 1 AS internal, 'execution-' || e.internal AS id, e.created, e.updated, 'execution' AS type, e.id AS of, p.id AS project, "
	    SCHEDULED_AT " AS schedule, json_build_object('functionId', f.id)::text AS data, true AS active, p.region "
	    "FROM %s.executions e JOIN %s.functions f ON f.internal = e.function, badal.projects p WHERE p.internal = %lld AND e.status = 'scheduled'%s",
	    p->schema, p->schema, (long long)p->internal, only);
}

err_t
schedule_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct query_page *page_out, struct objs *out)
{
	struct query_list l = {.entity = "Schedule", .columns = shape_columns(&schedule_shape), .seq = "s.internal", .id = "s.id", .schema = p->schema,
		.from = arena_printf(cx->arena, "(%s UNION ALL %s) s", of_functions(cx, p, ""), of_executions(cx, p, "")), .flags = QUERY_DERIVED};

	*out = (struct objs){0};
	l.attrs = shape_asked(&schedule_shape, &l.n_attrs);
	TRY(query_list(cx, &l, &schedule_shape, queries, NULL, page_out));
	if (page_out->res != NULL)
		*out = shape_rows(cx, &schedule_shape, page_out->res);
	return OK;
}

/* The number in "execution-34" after "execution-", in digits; NULL: it is none. */
static const char *
number_in(const char *id, const char *kind)
{
	size_t n = strlen(kind);
	const char *digits = id + n;

	if (strncasecmp(id, kind, n) != 0 || *digits == '\0' || *digits == '0' || strlen(digits) > 18 || digits[strspn(digits, "0123456789")] != '\0')
		return NULL;
	return digits;
}

err_t
schedule_get(struct ctx *cx, const struct project *p, const char *id, struct schedule *out)
{
	const char *function = number_in(id, "function-"), *number = function != NULL ? function : number_in(id, "execution-");
	struct db_res *r;

	if (number == NULL)
		return fail(cx, ERR_SCHEDULE_NOT_FOUND, "id=%s", id);
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT %s FROM (%s) s", shape_columns(&schedule_shape),
	    function != NULL ? of_functions(cx, p, " AND f.internal = $1::bigint") : of_executions(cx, p, " AND e.internal = $1::bigint")), DB(number)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_SCHEDULE_NOT_FOUND, "id=%s", id);
	*out = (struct schedule){0};
	shape_read(cx, &schedule_shape, out, r, 0, 0);
	return OK;
}

err_t
schedule_create(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *cron, int active, struct schedule *out)
{
	struct function f;
	struct cron c;

	if (!cron_parse(str_c(cron), &c))
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid schedule: It is no cron expression, or one that never comes.");
	TRY(function_reschedule(cx, p, actor, function, cron, active, &f));
	return schedule_get(cx, p, arena_printf(cx->arena, "function-%lld", (long long)f.internal), out);
}
