/* Functions, for the files of this room: their rows, and what is needed to run one.
 *
 * What must stay true: function.revision counts every change after which a running process of the function is out of date (variables, limits, generation);
 * whatever changes a function, its variables or its active deployment makes function_stale_key stale with the same commit, and what changes variables of the
 * project shared_stale_key. */
#ifndef BADAL_SVC_FUNCTIONS_PRIV_H
#define BADAL_SVC_FUNCTIONS_PRIV_H

#include "model/exec.h"
#include "model/event.h"
#include "model/parts.h"
#include "model/waste.h"

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
	struct objs shared;		/* struct shared_variable, of its project; of who runs it alone */
	struct strs events;
	const char *schedule;		/* "" for none */
	int64_t schedule_next, schedule_previous;	/* TIME_NONE: none */
	int64_t timeout;		/* seconds */
	const char *generation;		/* "v2", "v5", or "": by arity */
	const char *entrypoint;		/* of deployments that bring none, "" */
	bool keep_warm;
	int64_t revision;
	const char *latest, *latest_status;	/* of the newest deployment, "": there is none */
	int64_t active_created, latest_created;	/* TIME_NONE: there is none */
	int64_t activations, live;	/* counts deployments that were to become the active one; which of them it is */
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

struct shared_variable {	/* of a project, for all its functions (sql/0007_credentials.sql) */
	int64_t internal, project;
	const char *id, *key, *value;	/* value: clear; sealed at rest */
	int64_t created, updated;
	bool secret;
};
extern const struct shape shared_variable_shape;
/* Awaits. Those of the project. */
err_t shared_read(struct ctx *cx, const struct project *p, struct objs *out) MUST_CHECK;
/* gen.h key of them. */
const char *shared_stale_key(struct ctx *cx, const struct project *p);
/* ERR_GENERAL_ARGUMENT_INVALID: it cannot be one of the environment. */
err_t variable_check_key(struct ctx *cx, const char *key) MUST_CHECK;

enum { DEPLOYMENT_PROCESSING, DEPLOYMENT_BUILDING, DEPLOYMENT_READY, DEPLOYMENT_FAILED };
extern const char *const deployment_states[];	/* "processing", …; NULL at the end */

struct deployment {		/* and its build */
	union {
		struct parted parted;
		struct {
			PARTED;		/* of its archive; its owner is the function */
		};
	};
	const char *function_id;
	int64_t created, updated;
	const char *entrypoint;
	bool activate;
	int64_t activation;		/* which in order was to become the active one; 0: never */
	const char *build;		/* id, "" until the archive is complete */
	const char *status;		/* one of deployment_states */
	const char *out, *err;		/* of the build; NULL where they were not asked for */
	int64_t build_start, build_end;	/* TIME_NONE: not yet */
	int64_t total;		/* bytes of archive and build */
	int64_t build_seconds;
	int64_t build_try;
	struct blob result;		/* of a build that is ready; result.name "" before */
	int64_t coding;			/* its, as a number */
	const char *bind;
};
extern const struct shape deployment_shape, deployment_told_shape;	/* told: with the output of the build */
extern const struct record deployment_record;
extern const struct part_table deployment_part_table;
extern const struct waste deployment_waste, build_waste;	/* their places, too */
#define DEPLOYMENT_BIND "deployment"	/* what sealed archives are bound to, besides their place and name */

enum { FORMAT_TELLS_BUILDS = 1004000 };	/* clients that are told of a build by more than the list */

/* ---- reading; all await ---- */

/* ERR_FUNCTION_NOT_FOUND. Without its variables. */
err_t function_get(struct ctx *cx, const struct project *p, const char *id, struct function *out) MUST_CHECK;
err_t function_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search, struct query_page *out,
    struct objs *list_out) MUST_CHECK;
/* Fills in f->vars: of n functions, or within a transaction of one. */
err_t function_vars(struct ctx *cx, const struct project *p, struct function *const *v, int n) MUST_CHECK;
err_t function_vars_tx(struct db_tx *tx, const struct project *p, struct function *f) MUST_CHECK;
/* ERR_DEPLOYMENT_NOT_FOUND, also for one of another function. */
err_t deployment_get(struct ctx *cx, const struct project *p, const struct function *f, const char *id, struct deployment *out) MUST_CHECK;

struct runnable {		/* a function as it is run; valid until cx ends */
	const struct function *f;	/* enabled or not */
	const struct deployment *d;	/* the active one; NULL: it has none */
	struct exec_function exec;	/* complete when runnable_check says OK */
};
/* Awaits on a cache miss. ERR_FUNCTION_NOT_FOUND. */
err_t function_load(struct ctx *cx, const struct project *p, const char *id, struct runnable *out) MUST_CHECK;
/* What is the same for a build and a run: all but the code. In `a`; what f and d point at is borrowed. */
void function_exec(struct arena *a, const struct project *p, const struct function *f, const struct deployment *d, struct exec_function *out);
/* ERR_DEPLOYMENT_NOT_FOUND, ERR_BUILD_NOT_READY with the words of an execution. */
err_t runnable_check(struct ctx *cx, const struct runnable *r) MUST_CHECK;

/* Keys (core/gen.h): of a function as function_load has it; of what the project's functions listen to. */
const char *function_stale_key(struct ctx *cx, const struct project *p, const char *id);
const char *functions_heard_key(struct ctx *cx, const char *project);

/* ---- schedules ---- */

enum due_kind { DUE_FUNCTION, DUE_EXECUTION };
extern const char *const due_kinds[];	/* as badal.schedules has them: "function", "execution" */
/* Says when the row is due next, for the task that looks at badal.schedules; TIME_NONE: never. The row itself has it, too (functions.schedule_next,
 * executions.scheduled), and is what counts. In the transaction that writes that. No wait. */
void schedule_due(struct db_tx *tx, const struct project *p, enum due_kind kind, int64_t internal, int64_t due);
/* When the function's schedule comes next after that time; TIME_NONE: never, or it is off. */
int64_t function_next(const struct function *f, int64_t after);

/* Awaits. Another schedule alone; ERR_FUNCTION_NOT_FOUND. `active`: whether the function is to be one that runs: ERR_GENERAL_ARGUMENT_INVALID where it is the other. */
err_t function_reschedule(struct ctx *cx, const struct project *p, const char *actor, const char *id, const char *schedule, int active, struct function *out)
    MUST_CHECK;

/* ---- changes; all await; actor: user id, NULL for guests and keys ---- */

struct function_change {
	struct function values;		/* texts that are NULL stay as they are */
	int keep_warm;			/* -1: stays */
};
err_t function_create(struct ctx *cx, const struct project *p, const char *actor, struct function *f) MUST_CHECK;
err_t function_update(struct ctx *cx, const struct project *p, const char *actor, const char *id, const struct function_change *change, struct function *out)
    MUST_CHECK;
/* Its deployments, variables and executions go with it, what takes long by a job. */
err_t function_delete(struct ctx *cx, const struct project *p, const char *actor, const char *id) MUST_CHECK;

/* ERR_FUNCTION_NOT_FOUND, ERR_VARIABLE_NOT_FOUND, ERR_VARIABLE_ALREADY_EXISTS. `value` NULL: it stays. */
err_t variable_create(struct ctx *cx, const struct project *p, const char *function, const struct variable *in, struct variable *out) MUST_CHECK;
err_t variable_list(struct ctx *cx, const struct project *p, const char *function, struct objs *out) MUST_CHECK;
err_t variable_get(struct ctx *cx, const struct project *p, const char *function, const char *id, struct variable *out) MUST_CHECK;
err_t variable_update(struct ctx *cx, const struct project *p, const char *function, const char *id, const char *key, const char *value, struct variable *out)
    MUST_CHECK;
err_t variable_delete(struct ctx *cx, const struct project *p, const char *function, const char *id) MUST_CHECK;

struct archive_in {		/* bytes of an archive that came */
	const char *id;			/* NULL: of a new deployment */
	const char *entrypoint;
	bool activate;
	struct part_in part;
};
/* Records them, and asks for a build with the last. *kept_out: the blob has a row now, or may have. */
err_t deployment_store(struct ctx *cx, const struct project *p, const char *actor, const char *function, const struct archive_in *in, struct deployment *out,
    bool *kept_out) MUST_CHECK;
err_t deployment_list(struct ctx *cx, const struct project *p, const struct function *f, const struct strs *queries, const char *search,
    struct query_page *out) MUST_CHECK;
/* Makes it the active one. ERR_BUILD_NOT_FOUND, ERR_BUILD_NOT_READY. */
err_t deployment_activate(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *id, struct function *out) MUST_CHECK;
err_t deployment_delete(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *id) MUST_CHECK;
/* ERR_BUILD_NOT_FOUND, ERR_BUILD_IN_PROGRESS. */
err_t deployment_build_again(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *id, const char *build) MUST_CHECK;

/* ---- what the files of the room share ---- */

void deployment_emit(struct db_tx *tx, const struct project *p, const struct event_info *kind, const char *actor, const struct deployment *d, bool empty);
struct rows deployment_rows(struct ctx *cx, const struct function *f, const char *id);
/* The processes of a deployment (of all, when it is "") are to end, and what lies in waste is to go. In a transaction, no wait. */
void function_delete_job(struct db_tx *tx, const struct project *p, int64_t internal, const char *function, const char *deployment);
#define FUNCTION_DELETE "function_delete"
#define BUILD "build"
enum { BUILD_RETRIES = 8 };

/* ---- background ---- */
struct job;
err_t functions_build(struct ctx *cx, const struct job *job);
err_t functions_delete(struct ctx *cx, const struct job *job);
err_t functions_expire(struct ctx *cx);		/* uploads that nobody goes on with, builds whose job was lost, what badal.schedules and badal.warm do not know */
err_t functions_find_orphans(struct ctx *cx);
err_t functions_keep_warm(struct ctx *cx);	/* warm.c */

#endif
