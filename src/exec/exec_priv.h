/* The executor: codes (unpacked archives), functions (a code in a revision) with their instances (processes), and runs of these.
 *
 *   serve.c     what is asked over HTTP           code.c      archives, unpacked once
 *   build.c     builds                            function.c  which instance gets a run, and which ones there are
 *   run.c       a run in an instance              instance.c  the life of a process
 *   output.c    what instances write              runtime.c   which languages there are
 *   tree.c      directories                       role.c      the executor's own life
 *   page.c      pictures of pages                 pose.c      what tells the browser, in there
 *   speak.c     images with servers of their own  far.c       who asks from another machine */
#ifndef BADAL_EXEC_PRIV_H
#define BADAL_EXEC_PRIV_H

#include "core/ctx.h"
#include "core/fiber.h"
#include "exec/exec.h"
#include "exec/sandbox.h"
#include "model/exec_wire.h"

struct fetch_reply;
struct http_msg;
struct image;
struct question;

#define API_VARIABLE "APPWRITE_FUNCTION_API_ENDPOINT"

/* ---- waiting: fibers, in the order in which they came ---- */

struct waiter {
	struct fib_event event;
	struct waiter *next;
};
struct waiters {
	struct waiter *first;
};
err_t waiters_wait(struct ctx *cx, struct waiters *w, uint64_t ms) MUST_CHECK;	/* awaits a wake; ERR_TIMEOUT after so long, 0: never */
void waiters_wake(struct waiters *w);		/* all of them */

/* ---- tree.c ---- */

/* Removes a directory and what is in it, following no link; on a thread, some time. Nobody may use it any more. */
void tree_leave(const char *path);
bool tree_remove(const char *path);		/* now; blocks */
/* Awaits. Bytes and entries of a directory, as far as they are at most `most`; -1: it cannot be read, or is too deep. */
err_t tree_size(struct ctx *cx, const char *path, int64_t most, int64_t *out) MUST_CHECK;
bool tree_make(const char *path, uid_t owner);	/* a new directory, that others may enter; owner 0: ours */

/* ---- runtime.c ---- */

enum contract { CONTRACT_OURS, CONTRACT_V2, CONTRACT_V5 };	/* whose server answers: ours, or the one of a public image of that generation */

struct runtime {
	struct exec_runtime pub;
	enum contract contract;
	const struct image *image;	/* NULL: this machine's */
	const char *server;		/* a directory that is /runtime in its sandboxes; NULL: none */
	const char *root;		/* of its sandboxes; NULL: this machine's programs */
	const char *start, *build;	/* commands; of CONTRACT_V5 what its helpers are told */
	const char *const *env;		/* "NAME=value", NULL at the end */
	int overlap;			/* runs that one process can serve at once */
};
/* Awaits. Reads what is configured, copies the servers to `dir`, and asks each interpreter for its version, in one sandbox. False: there is no sandbox,
 * *why_out says why. */
bool runtimes_read(struct ctx *cx, const char *dir, const char **why_out);
const struct runtime *runtime_named(const char *id);	/* NULL: none */
const struct exec_runtime *runtimes_public(int *n_out);

/* ---- code.c ---- */

enum code_state { CODE_EXPECTED, CODE_UNPACKING, CODE_READY, CODE_BAD };
struct code {
	unsigned magic;
	enum code_state state;
	char *key;			/* "project/id" */
	char *dir;			/* what is in it is /code; its user is nobody's. packed: the archive is in it, as CODE_ARCHIVE */
	bool packed;			/* it is not unpacked here: an image's own server does that */
	char *why;			/* CODE_BAD */
	char *owner;			/* "project/function/deployment" of who ran it first; NULL: nobody has */
	bool doomed;			/* it goes with its last user */
	int64_t bytes;
	uint64_t since, used;		/* loop time: in this state, last used */
	unsigned users;			/* functions that have it */
	struct waiters waiting;		/* for another state */
};
void code_init(const char *dir);
#define CODE_ARCHIVE "code.tar.gz"
/* Awaits, if somebody is bringing it. NULL: it is not here, and the caller is expected to bring it; it will be packed or not. */
struct code *code_get(struct ctx *cx, const char *key, bool packed);
/* Awaits the archive of the message. *why_out: it cannot be taken. */
err_t code_put(struct ctx *cx, const char *key, struct question *q, const char **why_out) MUST_CHECK;
err_t code_wait(struct ctx *cx, struct code *c) MUST_CHECK;	/* awaits that it is unpacked, or bad */
void code_use(struct code *c, int n);		/* so many users more, or less; with the last one a doomed one goes */
void code_own(struct code *c, const char *project, const char *function, const char *deployment);
void code_retire(const char *project, const char *function, const char *deployment);	/* deployment "": all of the function; those in use go when they are not */
/* Awaits a file with the rest of a question's body, at most `most` bytes. */
err_t code_receive(struct ctx *cx, struct question *q, const char *path, int64_t most, const char **why_out) MUST_CHECK;
/* Awaits. Unpacks `archive` into the directory `to`, as the user `uid` when we are root. *why_out: what is wrong with it, NULL: nothing. */
err_t code_unpack(struct ctx *cx, const char *archive, const char *to, uid_t uid, int64_t *bytes_out, const char **why_out) MUST_CHECK;

/* ---- output.c ---- */

struct output {			/* one of a run */
	char *p;
	size_t n, room;
	bool cut;
};
enum { OUTPUT_CHARS = 1000000 };
void output_add(struct output *o, struct str piece);
void output_free(struct output *o);
/* Text of at most OUTPUT_CHARS characters, told when it was cut; `last` comes behind it in any case. */
struct str output_text(struct arena *a, struct str text, bool cut, const char *last);

/* What an instance writes to its standard output: of its server "\036run which length\n" and so many bytes, of others anything. */
struct frames {
	char head[48];
	size_t n_head;
	bool in_head;
	uint64_t run;
	char which;			/* 'l', 'e' */
	size_t left;			/* bytes of the frame */
};
/* run 0: of nobody. */
void frames_take(struct frames *f, struct str piece, void (*part)(uint64_t run, char which, struct str part, void *arg), void *arg);

/* ---- function.c, instance.c ---- */

struct running {		/* a run under way */
	struct running *next;
	uint64_t number;
	struct output logs, errors;	/* as they came, for the case that there is no answer */
};

enum instance_state { INSTANCE_STARTING, INSTANCE_READY, INSTANCE_ENDING, INSTANCE_GONE };
struct instance {
	unsigned magic;
	enum instance_state state;
	unsigned refs;
	struct function *fn;
	struct sandbox *box;		/* NULL: not yet, or not any more */
	char name[40];
	char *dir;			/* its private directory, /run/badal inside */
	int socket;			/* the socket itself, -1 */
	char at[48];			/* its path for us */
	char secret[33];
	bool old;			/* its contract: (req, res) */
	int told;			/* CONTRACT_V5: the directory with what it logs; -1: there is none */
	char *broken;			/* why its code could not be loaded */
	bool was_ready;
	unsigned runs;			/* under way */
	uint64_t next_run;
	struct running *running;
	struct output stray[2];		/* what nobody's run wrote, on either output */
	struct frames frames;
	uint64_t began, idle;		/* loop time */
	bool finishing;			/* work of a run goes on in it: it ends with the runs that it serves */
	bool killed;			/* we end it */
	enum exec_why cause;		/* because of this */
	enum exec_why how;		/* INSTANCE_GONE: how it ended, in words for people */
	char *reason;
	struct waiters changed;
	struct instance *next;		/* of the function */
};

struct function {
	unsigned magic;
	struct arena *arena;
	const char *key;		/* "project/code/revision" */
	const char *project;
	struct exec_function f;		/* a copy */
	const struct runtime *runtime;
	struct code *code;
	struct instance *instances;
	unsigned n_instances, n_starting, n_waiting, refs;
	uint64_t start_ms;		/* what the last process took to be ready; 0: not known */
	double run_ms;			/* what runs take, of late; below 0: not known */
	bool retired;			/* its instances end as soon as they serve nothing */
	bool kept;			/* warm: one reference is for that */
	unsigned kept_failures;		/* how often in a row a process of it that was begun for that has not lasted */
	uint64_t kept_next;		/* loop time: not begun again before */
	bool kept_over;			/* nor at all: none has lasted, so often */
	struct waiters changed;
};

/* Awaits. The function that is asked for, its code here. ERR_EXEC: NULL and *need_out: the code is to be brought first. It is to be left. */
err_t function_enter(struct ctx *cx, const struct exec_ask *q, struct function **out, bool *need_out, const char **why_out) MUST_CHECK;
void function_leave(struct function *f);
/* Whether a run of it would begin in this very turn. */
bool function_free(struct arena *a, const struct exec_ask *q);
/* Awaits an instance for a run; to be given back. ERR_BUSY: too many wait. *failed_out: the process that was begun for it ended; it is to be unref'd. */
err_t function_take(struct ctx *cx, struct function *f, struct instance **out, struct instance **failed_out, bool *cold_out) MUST_CHECK;
/* After a run that took so long. How many processes of the run were still there, and ended. */
int function_give_back(struct instance *i, double ms);
void function_retire(const char *project, const char *function, const char *deployment);	/* deployment "": all */
void functions_end(void);
void functions_tick(void);		/* idle ones, once a second */
unsigned functions_busy(void);		/* runs under way and waiting */
void functions_warm(struct buf *b);	/* records, for the announcement */
/* A process of it is ready from now on, whatever ends one. Why not: there are as many such functions as may be, or none of its processes lasts; NULL: it is. */
const char *function_keep(struct function *f);
void function_let_go(const char *key);
void functions_kept(struct buf *b);	/* records, for the announcement */
int64_t functions_keep_room(void);

struct instance *instance_start(struct function *f);
void instance_close(struct instance *i);	/* it gets no more runs, and ends by itself */
void instance_finish(struct instance *i);	/* the same, and with its last run */
void instance_end(struct instance *i, enum exec_why cause);
void instance_unref(struct instance *i);
const char *instance_memory_text(struct arena *a);	/* that it lacked memory, for people */
void instances_init(const char *dir);
extern unsigned instances_alive;
/* What a process had to say that no run can be told of, from its beginning. */
struct str instance_stray(struct arena *a, const struct instance *i);

/* ---- run.c ---- */

/* Awaits. begun(arg) is called when it is about to be given to the function; false: it must not be, ERR_EXEC. */
err_t run_serve(struct ctx *cx, const struct exec_ask *q, struct function *f, bool (*begun)(void *arg), void *arg, struct exec_ran *out) MUST_CHECK;
void ran_is(struct exec_ran *out, enum exec_why why, const char *reason);

/* ---- speak.c: the contract of public images ---- */

extern const char speak_logs[];	/* the directory inside that their servers write logs to */
const char *const *speak_argv(struct arena *a, const struct runtime *r);
/* What it is told in its environment: of the image, of the function, and `secret`. */
const char *const *speak_env(struct arena *a, const struct runtime *r, const struct exec_function *f, const char *secret);
/* Why the variables cannot be in the environment of a program; NULL: they can. */
const char *env_refusal(struct arena *a, const struct exec_function *f);
const char *speak_code(const struct runtime *r);	/* the directory inside that builds happen in */
const char *const *speak_build_argv(struct arena *a, const struct runtime *r);
const char *speak_build_dir(const struct runtime *r);
/* Awaits that it answers at `at`, whatever. */
err_t speak_up(struct ctx *cx, struct instance *i) MUST_CHECK;
/* Awaits the answer to a run. */
err_t speak_run(struct ctx *cx, const struct instance *i, const struct exec_run *r, struct running *me, struct exec_ran *out) MUST_CHECK;
/* What its server has written of a run so far. */
void speak_written(const struct instance *i, const char *id, struct running *me);
const char *speak_id(struct arena *a, uint64_t number);	/* of that run, for its logs */

/* What run.c has of it as well. */
struct str run_old_body(struct ctx *cx, const struct exec_run *r);
err_t run_old_answer(struct ctx *cx, const struct fetch_reply *r, struct exec_ran *out) MUST_CHECK;
bool run_header_sound(struct str s);
void run_headers_of(struct ctx *cx, const struct fetch_reply *r, struct exec_ran *out);

/* ---- build.c ---- */

void build_init(const char *dir);
/* Awaits. Answers the question, which was read up to the archive. */
void build_serve(struct ctx *cx, const struct exec_ask *q, struct str archive_begin, struct question *asked);

/* ---- page.c ---- */

void page_init(void);
int64_t page_browsers(void);	/* how many there may be at once; 0: there are none here */
/* Awaits. A picture of a page, as the question's body says. ERR_BUSY: as many browsers run as may. */
err_t page_serve(struct ctx *cx, const struct exec_ask *q, struct exec_ran *out) MUST_CHECK;

/* ---- role.c ---- */

err_t role_announce(struct ctx *cx) MUST_CHECK;	/* awaits */

/* ---- ready.c ---- */

void ready_tick(void);		/* once a second */
/* net_open, of one that is ready if there is any. Awaits. */
err_t ready_take(struct ctx *cx, struct net **out) MUST_CHECK;
void ready_end(void);

/* ---- far.c ---- */

struct question {
	struct http_msg *m;
	/* from another machine: its body ends with a seal */
	bool sealed, whole;
	struct hmac seal;
	int64_t left;			/* of the body before it */
	char end[EXEC_SEAL];
	size_t n_end;
};
void far_init(const char *key, const char *address, const char *name);
bool far_listen(const char *at);
/* Of a question that comes from there. Why it is refused, with a status; NULL: it may be read. */
const char *far_begin(struct question *q, int *status_out);
/* Of a run that was asked for from there: it begins now. False: it must not, for who asked for it has been told so. */
bool far_run_begins(struct arena *a, const struct exec_ask *q);
/* Whether it has: 200 it has; 204 it has not, and never will; 410 that is not known, for it was asked for q->run.limit_ms ago. */
int far_run_begun(struct arena *a, const struct exec_ask *q);
/* Awaits the next piece of its body as http_body_read does. The end comes only to who may act on what came before it. */
err_t question_read(struct ctx *cx, struct question *q, struct str *piece_out) MUST_CHECK;
err_t question_end(struct ctx *cx, struct question *q) MUST_CHECK;	/* awaits that nothing more comes, and that it was not altered */

/* ---- serve.c ---- */

extern const struct http_handler executor_http;
unsigned serve_busy(void);

/* The start of a sandbox's name; numbers follow. */
const char *sandbox_name(struct ctx *cx, const char *what);

#endif
