/* Schedules of a project as a console lists them: those of functions, and executions that are put off. There are no rows of them: what they are of says it. */
#ifndef BADAL_SVC_FUNCTIONS_SCHEDULES_H
#define BADAL_SVC_FUNCTIONS_SCHEDULES_H

#include "model/project.h"
#include "model/query.h"

struct schedule {
	int64_t internal;
	const char *id;			/* "function-12", "execution-34": by the number of what it is of */
	int64_t created, updated;	/* of that */
	const char *type, *of;		/* function, execution; its id */
	const char *project;
	const char *schedule;		/* crontab(5), or a date in ISO 8601 */
	struct str data;		/* JSON object */
	bool active;
	const char *region;
};
extern const struct shape schedule_shape;

/* All await; the project's data space is as this program knows it. */
err_t schedule_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct query_page *page_out, struct objs *out) MUST_CHECK;
err_t schedule_get(struct ctx *cx, const struct project *p, const char *id, struct schedule *out) MUST_CHECK;	/* ERR_SCHEDULE_NOT_FOUND */
/* The function gets this schedule in the place of its former one; active: 0, 1, or -1, as it is. ERR_FUNCTION_NOT_FOUND, ERR_GENERAL_ARGUMENT_INVALID. */
err_t schedule_create(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *cron, int active, struct schedule *out)
    MUST_CHECK;

#endif
