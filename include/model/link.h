/* Links in mails: a URL of the caller's, with parameters of ours. */
#ifndef BADAL_MODEL_LINK_H
#define BADAL_MODEL_LINK_H

#include "core/str.h"

struct link_param {
	const char *name, *value;
};

/* `url` with the parameters in its query: those it has keep their place and get the new value, the others follow in order; the fragment
 * stays last. Values are percent-encoded, a blank as '+'. In the arena. */
const char *link_with(struct arena *a, const char *url, const struct link_param *v, int n);

/* Appends a name or value as a form or query string has it: percent-encoded, a blank as '+'. */
void link_encode(struct buf *b, struct str s);

#endif
