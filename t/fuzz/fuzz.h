/* What every fuzz program shares: include it, write fuzz_one. */
#ifndef BADAL_FUZZ_H
#define BADAL_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "core/ctx.h"

static void fuzz_one(struct ctx *cx, struct str input);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t n);
int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t n)
{
	struct ctx cx;
	char *copy = malloc(n ? n : 1);	/* no NUL behind it: reading on is seen */

	if (copy == NULL)
		abort();
	memcpy(copy, data, n);
	ctx_init(&cx);
	fuzz_one(&cx, (struct str){copy, n});
	ctx_fini(&cx);
	free(copy);
	return 0;
}

/* An invariant; unlike assert it says what it saw. */
#define FUZZ_CHECK(cond, what, text)                                                \
	do {                                                                        \
		if (!(cond)) {                                                      \
			fprintf(stderr, "%s: %.*s\n", (what), STR_FMT(text));       \
			abort();                                                    \
		}                                                                   \
	} while (0)

#endif
