/* Functions, for the files of this room: their rows, and what is needed to run one.
 *
 * What must stay true: function.revision counts every change after which a running process of the function is out of date (variables, limits, generation);
 * whatever changes a function, its variables or its active deployment makes function_stale_key stale with the same commit. */
#ifndef BADAL_SVC_FUNCTIONS_PRIV_H
#define BADAL_SVC_FUNCTIONS_PRIV_H

#include "model/exec.h"
#include "model/event.h"
#include "model/record.h"

#define EVENT EVENT_DECLARE
#include "svc/functions/events.h"
#undef EVENT

/* ---- rows (sql/project/0015_functions.sql) ---- */

struct function {
	int64_t internal;
	const char *id, *name;
	int64_t created, updated;
	struct strs execute;		/* roles that may run it */
	bool enabled;
	const char *runtime;		/* as it was asked for: "node-18.0" */
	const char *deployment;		/* id of the active one, "" */
	struct objs vars;		/* struct variable; of function_vars alone */
	struct strs events;
	const char *schedule;		/* "" for none */
	int64_t schedule_next, schedule_previous;	/* TIME_NONE: none */
	int64_t timeout;		/* seconds */
	const char *generation;		/* "v2", "v5", or "": by arity */
	const char *entrypoint;		/* of deployments that bring none, "" */
	const char *commands;		/* that build it instead of the runtime's, "" */
	bool logging;
	struct strs scopes;
	bool keep_warm;
	int64_t revision;
	int64_t activated;		/* internal number of the newest deployment that was to become the active one; 0 */
};
extern const struct shape function_shape;
extern const struct record function_record;

struct variable {
	int64_t internal, function;
	const char *id, *key, *value;	/* value: clear; sealed at rest */
	int64_t created, updated;
	const char *function_id;
};
extern const struct shape variable_shape;

enum { DEPLOYMENT_PROCESSING, DEPLOYMENT_BUILDING, DEPLOYMENT_READY, DEPLOYMENT_FAILED };
extern const char *const deployment_states[];	/* "processing", …; NULL at the end */

struct deployment {		/* and its build */
	int64_t internal, function;
	const char *id, *function_id;
	int64_t created, updated;
	const char *entrypoint;
	bool activate;
	int64_t size, chunks_total, chunks_uploaded;
	bool complete;			/* the archive is */
	int64_t chunk, received, unbroken, changes;	/* while it is uploaded */
	const char *build;		/* id, "" until the archive is complete */
	const char *status;		/* one of deployment_states */
	const char *out, *err;		/* of the build; of the list alone */
	int64_t build_start, build_end;	/* TIME_NONE: not yet */
	int64_t build_try;
	struct blob result;		/* of a build that is ready; result.name "" before */
	const char *bind;
};
extern const struct shape deployment_shape;

/* ---- reading; all await ---- */

/* ERR_FUNCTION_NOT_FOUND. Without its variables. */
err_t function_get(struct ctx *cx, const struct project *p, const char *id, struct function *out) MUST_CHECK;
/* Fills in f->vars of n functions. */
err_t function_vars(struct ctx *cx, const struct project *p, struct function *const *v, int n) MUST_CHECK;
/* ERR_DEPLOYMENT_NOT_FOUND, also for one of another function. */
err_t deployment_get(struct ctx *cx, const struct project *p, const struct function *f, const char *id, struct deployment *out) MUST_CHECK;

struct runnable {		/* a function as it is run; valid until cx ends */
	const struct function *f;	/* enabled or not */
	const struct deployment *d;	/* the active one; NULL: it has none */
	struct exec_function exec;	/* complete when runnable_check says OK */
};
/* Awaits on a cache miss. ERR_FUNCTION_NOT_FOUND. */
err_t function_load(struct ctx *cx, const struct project *p, const char *id, struct runnable *out) MUST_CHECK;
/* ERR_DEPLOYMENT_NOT_FOUND, ERR_BUILD_NOT_READY with the words of an execution. */
err_t runnable_check(struct ctx *cx, const struct runnable *r) MUST_CHECK;

const char *function_stale_key(struct ctx *cx, const struct project *p, const char *id);

/* ---- schedules ---- */

enum due_kind { DUE_FUNCTION, DUE_EXECUTION };
extern const char *const due_kinds[];	/* as badal.schedules has them: "function", "execution" */
/* Says when the row is due next, for the task that looks at badal.schedules; TIME_NONE: never. The row itself has it, too (functions.schedule_next,
 * executions.scheduled), and is what counts. In the transaction that writes that. No wait. */
void schedule_due(struct db_tx *tx, const struct project *p, enum due_kind kind, int64_t internal, int64_t due);

#endif
