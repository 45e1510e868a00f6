/* Long texts of a JSON document, set aside while it is read into a tree, changed and written again. */
#ifndef BADAL_GATE_ASIDE_H
#define BADAL_GATE_ASIDE_H

#include "core/arena.h"
#include "core/str.h"

enum { ASIDE_MARK = 32, ASIDE_NUMBER = 8, ASIDE_MIN = 512 };	/* bytes: of the mark, in hexadecimal; of a text's number; of a text that is long */

struct aside {
	char mark[ASIDE_MARK + 1];	/* by chance: nobody's text holds it */
	struct str *texts;		/* as they stand in the document, with their quotes */
	size_t n, room;
	size_t bytes;			/* of all of them */
};

/* The document with a short text in the place of each that has at least ASIDE_MIN bytes; `json` itself, when there is none. Both are in `arena` or
 * where `json` is, and stay the caller's. What is no JSON is copied as it is: whoever reads it finds that. */
struct str aside_take(struct aside *a, struct arena *arena, struct str json);
/* Appends the document with the long texts in their places again, those that it still has. */
void aside_put(const struct aside *a, struct str json, struct buf *out);

#endif
