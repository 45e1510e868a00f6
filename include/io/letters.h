/* The letters that stand for a name, by ICU. */
#ifndef BADAL_IO_LETTERS_H
#define BADAL_IO_LETTERS_H

#include "core/str.h"

enum { LETTERS_MAX = 2 };

struct letters {
	const char *v[LETTERS_MAX];	/* characters as their readers see them, with their marks, as capitals; NULL where there is no word more */
	unsigned sum;			/* of the first bytes of the words, small ones of ASCII as capitals */
};

/* Of the first two words of a name (UTF-8), between blanks, or between underscores where there is but one. In the arena. */
struct letters letters_of(struct arena *a, struct str name);

#endif
