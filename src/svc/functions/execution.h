/* Executions: runs of functions, as they are asked for, run, remembered and shown.
 *
 * A row is waiting (or scheduled), then processing, then completed or failed, and never anything else afterwards: whoever moves it says from which state, and
 * finds out when somebody was there before. What has begun ends: by who runs it, by who finds that that one is gone (execution_line.c, execution_care.c). */
#ifndef BADAL_SVC_FUNCTIONS_EXECUTION_H
#define BADAL_SVC_FUNCTIONS_EXECUTION_H

#include "model/hear.h"
#include "model/line.h"
#include "functions_priv.h"

#define FUNCTIONS "functions"	/* the kind of job that looks after a function's line */
#define EXECUTE "execute"	/* that puts an execution into it */

enum execution_status { EXECUTION_WAITING, EXECUTION_PROCESSING, EXECUTION_COMPLETED, EXECUTION_FAILED, EXECUTION_SCHEDULED };
extern const char *const execution_states[], *const execution_triggers[];	/* NULL at the end */

struct execution {
	int64_t internal, function;
	const char *id, *function_id, *deployment;	/* ids */
	int64_t created, updated;
	struct strs permissions, read;	/* read: the roles of those */
	const char *trigger, *event;	/* "http", "event", "schedule"; the event's first name, "" */
	const char *cause;		/* "": none that could come twice */
	int64_t depth;			/* executions that led to it, one by the other */
	const char *user_id;		/* on whose behalf, "" */
	const char *status;		/* of execution_states */
	int64_t status_code;
	struct str response, out, err;
	double duration;		/* seconds */
	const char *method, *path;
	struct str request_headers, response_headers;	/* JSON: [{"name":…,"value":…},…], those that are kept */
	struct objs asked, answered;	/* struct execution_header: these, to be shown */
	int64_t scheduled, began;	/* TIME_NONE: not put off, not begun */
	struct str pending;		/* what it is to get, while it waits (struct call) */
};
struct execution_header {
	const char *name, *value;
};
extern const struct shape execution_shape, execution_later_shape, execution_header_shape;	/* as 1.0 had it, and since 1.4 */
extern const struct record execution_record, execution_later_record, execution_whole_record;	/* whole: with `pending` */

/* ---- rows (execution.c); all that give an err_t await ---- */

/* A new one; the caller says on whose behalf. `cause` may be "". */
void execution_init(struct ctx *cx, struct execution *e, const struct function *f, const char *trigger, const char *cause, const char *user);
/* The execution of a function, by one of those records. ERR_EXECUTION_NOT_FOUND. */
err_t execution_get(struct ctx *cx, const struct project *p, const struct record *rec, const struct function *f, const char *id, struct execution *out) MUST_CHECK;
/* From waiting, or from processing when it was begun by somebody who is gone. *mine_out: it is ours to run. */
err_t execution_begin(struct ctx *cx, const struct project *p, struct execution *e, enum execution_status from, bool *mine_out) MUST_CHECK;
/* Back: it was not begun after all. */
err_t execution_wait(struct ctx *cx, const struct project *p, const struct execution *e) MUST_CHECK;
/* Writes what became of it, with an event of that kind for those who may read it; `payload` of e as it is, its time included (empty: it is made now). Nothing happens when it has ended already. */
err_t execution_end(struct ctx *cx, const struct project *p, struct execution *e, const struct event_info *kind, struct str payload) MUST_CHECK;
/* The same when its row is not there, which nobody else writes; should it be there after all, it is brought up to date. */
err_t execution_remember(struct ctx *cx, const struct project *p, struct execution *e, const struct event_info *kind, struct str payload) MUST_CHECK;
/* It never came to an answer, for a reason for people. Nothing is written. */
void execution_failed(struct execution *e, const char *why);
/* The same for one that never came to an answer: failed, with a reason for people. */
err_t execution_fail(struct ctx *cx, const struct project *p, struct execution *e, const char *why) MUST_CHECK;
/* One that is told of as failed without having been there before: an event that must cause nothing. Once per cause. */
err_t execution_tell(struct ctx *cx, const struct project *p, struct execution *e, const char *why) MUST_CHECK;
/* In a transaction that has inserted it: it is to be run soon. No wait. */
void execution_queue(struct db_tx *tx, const struct execution *e);
/* Writes what became of one that an event caused, as execution_end does, whether it has a row or not. */
err_t execution_end_event(struct ctx *cx, const struct project *p, struct execution *e) MUST_CHECK;
/* What the shapes show besides the columns. */
void execution_complete(struct ctx *cx, struct execution *e, const char *function_id);
/* Others than keys and admins are told neither what it wrote, nor in the later form what it answered afterwards. */
void execution_blank(struct execution *e);

/* ---- those of events, which are written late and together (execution_write.c) ---- */

/* Awaits. Writes the row as it is, as new or over one that has not ended, and its event when it has. Of a function that is gone nothing. */
err_t execution_write(struct ctx *cx, const struct project *p, const struct execution *e, const struct event *ev) MUST_CHECK;
struct execution_known {
	const char *id;		/* as id_of_cause makes it */
	const char *status;	/* of execution_states; NULL: there is no row */
	int64_t created;
};
/* Awaits. What is known of these: all but the ids is filled in. */
err_t executions_known(struct ctx *cx, const struct project *p, struct execution_known *v, int n) MUST_CHECK;

/* ---- one run (execution_run.c) ---- */

struct call {			/* what a function is called with, besides its row */
	struct str body;
	const struct exec_header *headers;
	int n_headers;
	struct str event_data;
	const char *session;	/* id of the session that a JWT is made for, "" */
	const char *address;	/* of who calls, "" */
};
struct str call_json(struct ctx *cx, const struct call *c);
void call_read(struct ctx *cx, struct str json, struct call *out);
/* [{"name":…,"value":…},…] of those among `keep` (NULL: of all). */
struct str headers_json(struct ctx *cx, const struct exec_header *v, int n, const char *const *keep);
extern const char *const headers_kept_asked[], *const headers_kept_answered[];

/* Awaits. One run; e is what became of it then, but not written. ERR_EXEC: it was not begun, and may be tried again. */
err_t execution_run(struct ctx *cx, const struct project *p, const struct runnable *r, struct execution *e, const struct call *c, uint64_t limit_ms,
    struct exec_ran *ran) MUST_CHECK;
/* So many executions may lead to one; one more is told of and not run, and what is beyond that causes nothing. */
bool execution_too_deep(const struct execution *e);
const char *execution_too_deep_words(struct ctx *cx);
/* The text's beginning of at most `points` characters. */
struct str text_head(struct str s, size_t points);

/* ---- while a client waits (execution_now.c) ---- */

struct execution_now;
/* A run begins, of an execution that has no row. */
struct execution_now *execution_now_begin(struct ctx *cx, const struct project *p, struct execution *e);
/* Awaits. It has ended, and e is what became of it: written as by execution_end, whatever time there was for the run. Is to be called, on a fiber that is not cancelled. */
err_t execution_now_end(struct ctx *cx, struct execution_now *n, const struct event_info *kind, struct str payload) MUST_CHECK;

/* ---- the line of a function (execution_line.c) ---- */
err_t functions_work(struct ctx *cx, const struct job *job);
err_t execute_work(struct ctx *cx, const struct job *job);
const char *function_line(struct ctx *cx, const struct project *p, const char *function);

/* ---- what the lines have (heard.c) ---- */

enum task_kind { TASK_EXECUTION, TASK_EVENT, TASK_MALFORMED };
struct task {			/* an entry of a line */
	const char *at;
	enum task_kind kind;
	int64_t time;		/* ms, when it came about */
	const char *id;		/* of the execution, or of the event */
	/* of an event */
	const char *actor;	/* "" */
	int depth;
	struct heard_about about;
	struct str payload;
};
struct str task_head(struct ctx *cx, const char *execution, int64_t time);
void task_read(struct ctx *cx, const struct line_entry *entry, struct task *out);
/* One must be done before the other: events of the same resource, or of one within the other. */
bool task_conflict(const struct task *a, const struct task *b);
extern const struct hears functions_hears;

/* ---- schedules (schedule.c) and what is left over (execution_care.c) ---- */
err_t functions_schedule(struct ctx *cx);
err_t executions_care(struct ctx *cx);		/* those whose web process died */
err_t executions_sweep(struct ctx *cx);		/* those that nobody else ends */
err_t executions_bound(struct ctx *cx);		/* those that are too many */
/* Awaits. The same of one data space. */
err_t executions_trim(struct ctx *cx, const char *schema) MUST_CHECK;
/* A run that a client waits for lives while its process says so: it begins, and ends, or its end cannot be written and is left to who cares for those of processes that died. No wait. */
void execution_watch(struct ctx *cx, const struct project *p, const struct execution *e);
void execution_unwatch(struct ctx *cx, const struct project *p, const struct execution *e);
void execution_give_up(struct ctx *cx, const struct project *p, const struct execution *e);

#endif
