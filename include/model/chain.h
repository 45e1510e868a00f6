/* Chains: executions that lead to executions. What a run of a function does with our API carries the number of executions that led to it, and so do the events
 * that come of it, and what those cause. It rides on the address of the API that the run is given, so no client library needs to know: a path may begin with
 * a mark (io/http.h), as in "http://api.test/~d3/v1". A run may strip that off, and is then bounded by a rate (doc/functions.md); to write a larger
 * number helps nobody. */
#ifndef BADAL_MODEL_CHAIN_H
#define BADAL_MODEL_CHAIN_H

#include "core/str.h"

enum { CHAIN_MAX = 1000 };	/* the largest number that is read */

/* "<base>/~d<depth>/v1" in the arena: for a run that `depth` executions led to, itself included. `base` without a slash at its end. */
const char *chain_endpoint(struct arena *a, const char *base, int depth);
/* What a mark says; 0: nothing. */
int chain_depth(struct str mark);

#endif
