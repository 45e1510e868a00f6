/* Logical replication of PostgreSQL: one connection that streams the messages of a slot (pgoutput, messages) in commit order. */
#ifndef BADAL_IO_REPL_H
#define BADAL_IO_REPL_H

#include "core/ctx.h"
#include "core/fiber.h"
#include "io/db.h"

struct repl;

struct repl_tx {
	uint64_t commit_lsn;
	int64_t commit_ms;
	uint32_t xid;
};

struct repl_handler {		/* all called on the loop, never inside repl_… calls except repl_resume */
	/* A message of a transaction whose commit is in the WAL (which is a moment before others see its rows); `index` counts from 0
	 * within it. prefix and content are borrowed for the call. */
	void (*message)(const struct repl_tx *tx, uint64_t index, struct str prefix, struct str content, void *arg);
	/* Everything of the server up to `lsn` has been handed over: a transaction ended, or there was nothing else. */
	void (*progress)(uint64_t lsn, void *arg);
	/* The stream ended; only repl_close is left to call. `why` is borrowed. */
	void (*closed)(const char *why, void *arg);
	void *arg;
};

/* Awaits. Connects with conf.db_url in replication mode. ERR_DB_DOWN. Free with repl_close. */
err_t repl_open(struct ctx *cx, const struct repl_handler *h, struct repl **out) MUST_CHECK;
/* Awaits. One plain statement or replication command before repl_start; the first row, unset when there is none. ERR_DB. */
err_t repl_row(struct ctx *cx, struct repl *r, struct strs *row_out, const char *sql) MUST_CHECK;
/* Awaits. Begins to stream behind what the slot has confirmed. ERR_DB_BUSY when another connection holds the slot, ERR_DB. */
err_t repl_start(struct ctx *cx, struct repl *r, const char *slot, const char *publication) MUST_CHECK;
/* Stops and goes on reading; messages of what libpq holds already may still arrive until the current callback returns. */
void repl_pause(struct repl *r);
void repl_resume(struct repl *r);
/* Tells the server that everything up to lsn is safe with us; 0: nothing new. Also what keeps the connection alive: call it often. */
void repl_confirm(struct repl *r, uint64_t lsn);
uint64_t repl_confirmed(const struct repl *r);
/* The stream ended because the publication did not exist where decoding is: it never will there, so the slot cannot go on. */
bool repl_undecodable(const struct repl *r);
/* The end of the server's WAL as last heard. */
uint64_t repl_server_end(const struct repl *r);
void repl_close(struct repl **rp);	/* NULL is fine */

bool lsn_parse(const char *text, uint64_t *out);	/* "16/B374D848" */

#endif
