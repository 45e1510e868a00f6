/* What a function wrote, for the command line. */
#ifndef BADAL_SVC_FUNCTIONS_FUNCTIONS_H
#define BADAL_SVC_FUNCTIONS_FUNCTIONS_H

#include "model/project.h"

struct function_run {		/* an execution that has ended */
	const char *id, *trigger, *status;
	int64_t ended;		/* ms */
	int64_t code;		/* of the answer */
	double seconds;
	struct str out, err;
};

/* Awaits. Those of a function that ended at `since` or later, the first first: of its last thousand, `max` at most. ERR_FUNCTION_NOT_FOUND. */
err_t function_runs(struct ctx *cx, const struct project *p, const char *function, int64_t since, int max, struct function_run **out, int *n_out) MUST_CHECK;

#endif
