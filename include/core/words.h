/* Another vocabulary of the API: later clients call the same things by other names ("documentId" is "rowId" to them). Names only: what they stand
 * for, and what may be said about them, is one. */
#ifndef BADAL_CORE_WORDS_H
#define BADAL_CORE_WORDS_H

#include "core/arena.h"
#include "core/str.h"

struct word_twin {		/* a later word of the API for the same thing */
	const char *word, *later;
};

struct words {			/* tables that end with a row of zeros; both must be there */
	const struct word_twin *names;	/* whole names; one that ends with '_' is the beginning of names */
	const struct word_twin *stems;	/* parts of names, with a capital too: the first that fits at a place counts */
};

enum { WORD_MAX = 256 };	/* bytes of a name with its end; of what is longer, the rest is left out */

/* `name` in these words, in `out`, which is returned; with `words` NULL `name` itself is, and where nothing fits a copy of it. */
const char *words_put(const struct words *words, const char *name, char out[WORD_MAX]);
/* The same in the arena; NULL: for the process. Where nothing is said in another way, `name` itself. */
const char *words_say(struct arena *a, const struct words *words, const char *name);

#endif
