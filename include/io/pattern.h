/* Regular expressions of others (PCRE2, without case) on texts of strangers, within a budget. */
#ifndef BADAL_IO_PATTERN_H
#define BADAL_IO_PATTERN_H

#include "core/str.h"

struct pattern {		/* threads share it */
	const char *text;
	_Atomic(void *) code;	/* NULL until the first text comes: most of a set are never asked for */
};

void pattern_fini(struct pattern *p);

enum { PATTERN_GROUPS = 10 };

/* One text, in one thread. `before`: what must stand before a match, the inside of a lookbehind. */
struct matcher;
struct matcher *matcher_new(struct str text, const char *before, uint64_t budget_us);
void matcher_free(struct matcher **mp);
/* Does it match? Fills in what its groups matched: [0] is the whole, p == NULL: took no part. No for what is no pattern, for a match
 * that takes too many steps, and for all once the thread has spent the budget on matching; compiling does not count. */
bool pattern_match(struct matcher *m, struct pattern *p, struct str groups[PATTERN_GROUPS]);

#endif
