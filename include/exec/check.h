/* Whether this machine can hold what sandboxes promise: tried, part by part, in whole sandboxes. */
#ifndef BADAL_EXEC_CHECK_H
#define BADAL_EXEC_CHECK_H

#include "core/ctx.h"

enum check_mark { CHECK_HOLDS, CHECK_ACCEPTED, CHECK_LACKS };	/* ACCEPTED: it does not hold, and executor_accept lets it be so */

struct check {
	void (*say)(void *arg, enum check_mark mark, const char *advice, const char *text);	/* advice: the way out, NULL when it holds */
	void *arg;
};
/* Awaits, some seconds; on a loop and a process of its own, for it sets up control groups. `dir`: a new directory that any user can enter. */
void sandbox_check(struct ctx *cx, const char *dir, const struct check *c);

/* Why there are to be no functions here: the first guarantee that does not hold and is not accepted, in the arena; NULL: there may be. `missing`: what
 * sandbox_setup names. `no_network`: why there is none, NULL: there is. */
const char *sandbox_refusal(struct arena *a, const char *missing, const char *no_network);
/* Whether executor_accept names it. */
bool sandbox_accepted(const char *guarantee);
/* The first word of such a setting that is no guarantee (static); NULL: all are. */
const char *sandbox_wrong_guarantee(const char *accept);

#endif
