/* Context: what every awaiting call needs: memory, the fiber, a deadline, and where an error's detail goes.
 *
 * A request, a job and a command of the shell each own one. It is the first argument of whatever can fail. */
#ifndef BADAL_CORE_CTX_H
#define BADAL_CORE_CTX_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

struct db_share;
struct db_tx;
struct fib;
struct words;

struct defer {			/* private to ctx.c */
	struct defer *next;
	void (*fn)(void *arg);
	void *arg;
};

struct ctx {
	struct arena *arena;	/* freed by ctx_fini when owned */
	bool borrowed;		/* the arena belongs to somebody else (ctx_init_arena) */
	struct fib *fib;	/* the fiber that runs it; NULL outside fibers (start-up) */
	uint64_t deadline;	/* loop_now() milliseconds; 0: none. Awaits fail with ERR_TIMEOUT after it */
	struct defer *defers;	/* run in reverse order by ctx_fini */
	const char *message;	/* what the client is told instead of the table's words; in the arena; NULL: the table's */
	const char *detail;	/* for the log only; in the arena; may be NULL */
	const char *code;	/* the adapter's own code of the last failure (SQLSTATE), "" or NULL: none */
	const char *subject;	/* what that failure names (constraint), may be NULL */
	int retries;		/* of statements and transactions, see db_again */
	struct db_tx *within;	/* its own open transaction, in which db_query runs as well; NULL: statements are transactions of their own */
	const char *holds;	/* what must not be held while anything is awaited, e.g. "a transaction"; NULL: nothing */
	const char *locale;	/* for texts that depend on it; NULL: English */
	bool uncounted;		/* nobody asks how many there are in a list: its total is 0 (model/query.h) */
	int depth;		/* executions that led to what is done here, one by the other; what it writes carries it */
	const struct words *words;	/* what the client calls things (core/words.h); NULL: as the code does */
	int64_t format;		/* version of the protocol that the client speaks, 1004000 for 1.4.0; 0: it does not say */
	/* what log lines add */
	const char *id;		/* request or job id */
	const char *project;	/* public project id, may be NULL */
	const char *user;	/* user id, may be NULL */
	struct db_share *share;	/* of the connections to PostgreSQL, see io/db.h; NULL: that of requests */
	uint64_t statement_max;	/* milliseconds that its statements may take at most; 0: as the session is set */
	const char *client;	/* address of who asked, NULL: nobody from outside. Not logged; who waits takes turns by it and by project (core/fair.h) */
};

void ctx_init(struct ctx *cx);		/* new arena, no deadline */
void ctx_init_arena(struct ctx *cx, struct arena *a);	/* the same in an arena that ctx_fini leaves alone */
/* Memory of its own for a part of what `of` does: on its fiber, within its deadline, in its name and its share. */
void ctx_init_part(struct ctx *cx, const struct ctx *of);
void ctx_fini(struct ctx *cx);		/* runs the defers, frees the arena */

/* Runs and forgets the defers that were added after `mark`, an earlier cx->defers. */
void ctx_unwind(struct ctx *cx, struct defer *mark);

/* Records the detail (log only) and returns e. The client gets the table's words. */
err_t fail(struct ctx *cx, err_t e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Records what the client is told and returns e. */
err_t fail_msg(struct ctx *cx, err_t e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Runs fn(arg) when the context ends: put it on the line after whatever needs freeing was acquired. */
void defer(struct ctx *cx, void (*fn)(void *), void *arg);

#endif
