/* The executor, as the rest sees it: it builds deployments and runs them in sandboxes, on this machine or on another. It has no connection to a
 * database and no key of ours: what a build or a run needs goes with the call, and archives are given to it when it asks for one.
 *
 * Executors announce themselves in Redis (address, load, what they have warm). A run goes to one that has the build warm, else to the one with the least
 * to do. */
#ifndef BADAL_MODEL_EXEC_H
#define BADAL_MODEL_EXEC_H

#include "model/blob.h"

/* ---- runtimes ---- */

struct exec_runtime {
	const char *id;			/* "node-18.0" */
	const char *key, *name;		/* "node", "Node.js" */
	const char *version;		/* "18.0" */
	const char *base, *image;	/* "host" or the image's address */
	const char *logo;		/* "node.png" */
	const char *entrypoint;		/* that it proposes, "index.js" */
};
/* Awaits. What can be built and run now: installed at an executor that is alive, in order of id. *why_out, when there is none, says what is missing. */
err_t exec_runtimes(struct ctx *cx, const struct exec_runtime **out, int *n_out, const char **why_out) MUST_CHECK;
/* The one that a name means here ("php-8.0" of 1.0 by language and major version); NULL: none. */
const struct exec_runtime *exec_runtime_named(const struct exec_runtime *v, int n, const char *id);

/* ---- what is built and run ---- */

struct exec_variable {
	struct str name, value;
};

enum exec_generation { EXEC_BY_ARITY, EXEC_REQ_RES, EXEC_CONTEXT };

struct exec_code {		/* an archive: parts of a content, in order */
	struct blob_place at;
	const struct blob_part *parts;
	int n_parts;
	uint64_t size;
	const char *id;		/* of the deployment or the build: unique in its project, and never another content */
};

struct exec_function {
	const struct project *project;
	const char *function, *deployment;	/* ids */
	struct exec_code code;		/* of a build: what came of exec_build. Of a run: that result */
	const char *runtime, *entrypoint;
	enum exec_generation generation;
	const struct exec_variable *variables;	/* all of the process's environment that is the function's; [A-Za-z_][A-Za-z0-9_]* */
	int n_variables;
	const char *revision;		/* another one when variables, limits or generation changed: older processes take no run any more */
	bool keep_warm;			/* of exec_keep_warm alone */
};

/* ---- building ---- */

struct exec_built {
	bool ok;
	struct blob blob;		/* ok: the archive of what was built, written and durable; keep it with blob_keep through `writer` */
	struct blob_writer *writer;
	const char *bind;
	struct str out, err;		/* text, cut to exec_output_max characters */
	const char *why;		/* not ok: for people; also at the end of err */
	double seconds;
};
/* Awaits, minutes. `result`: where the archive goes. Told of output as it comes: `progress` may be NULL. ERR_EXEC: no executor answered, worth another try;
 * what the build itself does wrong is OK with ok = false. */
err_t exec_build(struct ctx *cx, const struct exec_function *f, const struct blob_place *result, const char *bind,
    void (*progress)(struct ctx *cx, struct str out, struct str err, void *arg), void *arg, struct exec_built *built_out) MUST_CHECK;

/* ---- kept warm ---- */

struct exec_kept {
	int left;			/* of so many none is kept: there is no room, or no executor has the runtime */
	int first;			/* of these, the first one's place */
	const char *why;		/* and its reason */
};
/* Awaits. From now on a process of each of these (complete ones, n of them) is ready at one executor, and of no other function one is kept. To be said anew all
 * the time, for executors come and go. turns: of each, which one of its project it is, in rising order; where there is no room for all the lower ones go first. */
err_t exec_keep_warm(struct ctx *cx, const struct exec_function *v, const int *turns, int n, struct exec_kept *out) MUST_CHECK;

/* ---- running ---- */

struct exec_header {
	struct str name, value;
};

struct exec_run {
	struct exec_function f;
	const char *execution;		/* id */
	struct str method, path, body;	/* "POST", "/a?b=c" */
	const struct exec_header *headers;	/* that the function is to see; those of the contract are added */
	int n_headers;
	/* Of the first generation: the same run as its contract has it. */
	struct str data;		/* APPWRITE_FUNCTION_DATA, the payload */
	const char *trigger, *event;	/* "http", "event", "schedule"; name of the event or "" */
	struct str event_data;		/* its payload */
	const char *user, *jwt;		/* "" for none */
	int depth;			/* of the chain, this run included: calls of it to our API carry it */
	uint64_t limit_ms;		/* wall clock, cold start excluded */
};

enum exec_why { EXEC_DONE, EXEC_FAILED, EXEC_TIMED_OUT, EXEC_MEMORY, EXEC_DIED, EXEC_NO_ENTRYPOINT, EXEC_LOST };

struct exec_ran {		/* in the arena of cx */
	enum exec_why why;
	const char *reason;		/* not done: for people ("exit code 7", …); also at the end of errors, but of EXEC_FAILED and EXEC_NO_ENTRYPOINT, where these say it */
	int status;			/* of the answer; 500 when there is none */
	const struct exec_header *headers;
	int n_headers;
	struct str body;		/* bytes */
	struct str logs, errors;	/* text */
	double seconds;			/* of the run itself */
	bool cold;
};
/* Awaits, at most limit_ms and a cold start. ERR_EXEC: it was not begun, no executor has room or answers, worth another try (cx->detail says why).
 * EXEC_LOST: begun, and its executor is gone: not to be repeated. */
err_t exec_run(struct ctx *cx, const struct exec_run *r, struct exec_ran *out) MUST_CHECK;

/* ---- pages ---- */

/* Awaits, page_time at most and until a browser is free, and a sandbox there; a client (of cx) has one at a time. A picture of a page, made by a browser; `ask`: JSON as badal-pose reads it (src/exec/pose.c). *out->why: EXEC_DONE, the
 * body is PNG; EXEC_FAILED, the browser does not take what is asked for; EXEC_NO_ENTRYPOINT, there is no page, or none in time; any other: its browser ended. ERR_EXEC:
 * there are no browsers; ERR_BUSY: none is free. */
err_t exec_page(struct ctx *cx, struct str ask, struct exec_ran *out) MUST_CHECK;
enum { EXEC_PAGE_MAX = 32 * 1024 * 1024 };	/* bytes of such a picture */

/* Ends processes and forgets what was unpacked: of a deployment, or (NULL) of a whole function. On all executors, as far as they can be reached. Awaits. */
err_t exec_retire(struct ctx *cx, const struct project *p, const char *function, const char *deployment);

#endif
