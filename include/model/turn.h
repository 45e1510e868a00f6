/* Turns: work that only one worker of all processes and machines does at a time, and that lasts longer than a transaction should.
 *
 * A turn is a lease in Redis that is renewed while it is held, so neither holding it nor finding it taken keeps a connection to PostgreSQL. It
 * keeps workers out of each other's way; it does not fence: a process that was stopped for long, or a Redis that forgot, can let two work at
 * once. What they do must be safe then, if not quick: rows are locked when they are changed, and what is half done is looked at before it is undone. */
#ifndef BADAL_MODEL_TURN_H
#define BADAL_MODEL_TURN_H

#include "core/ctx.h"

struct turn;

enum turn_found {
	TURN_OURS,
	TURN_AT_A_JOB,		/* taken, for a job: it will look again after it has given the turn back, whatever happens to its process */
	TURN_ELSEWHERE		/* taken, and who has it may never look again: come back later */
};

/* Awaits. Takes the turn of `what` for the job with this id (NULL: for no job), if nobody has it. A job takes it from itself: its former try is
 * dead, or as good as. *found_out is TURN_OURS exactly when *out is set. ERR_BUS. */
err_t turn_take(struct ctx *cx, const char *what, const char *job, enum turn_found *found_out, struct turn **out) MUST_CHECK;
/* False once it may be somebody else's, because Redis was away for too long or forgot it: stop. */
bool turn_ours(const struct turn *t);
/* Awaits, also when cancelled. Gives it back and clears *tp; at an error it lapses by itself, within half a minute. */
err_t turn_give(struct ctx *cx, struct turn **tp) MUST_CHECK;

#endif
