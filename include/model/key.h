/* The kinds of API keys, known by what stands before the first "_" of a secret, and the kind that is stored nowhere. */
#ifndef BADAL_MODEL_KEY_H
#define BADAL_MODEL_KEY_H

#include "model/project.h"

#define KEY_STANDARD_PREFIX "standard_"

enum key_kind {
	KEY_STANDARD,		/* of a project, stored; those without a word, too */
	KEY_EPHEMERAL,		/* a JSON web token of the server's own */
	KEY_ORGANIZATION,	/* of a team of the console */
	KEY_ACCOUNT,		/* of a user of the console */
	KEY_UNKNOWN
};
enum key_kind key_kind(struct str secret);
/* It is stored nowhere, so nobody can call it back. */
bool key_is_ephemeral(const struct api_key *k);

/* A key of these scopes that ends by itself. */
char *key_ephemeral(struct ctx *cx, const struct project *p, const struct strs *scopes, int64_t life_ms);
/* The key that such a secret is; NULL: it is none, of another project, or over. */
struct api_key *key_of_ephemeral(struct ctx *cx, const struct project *p, struct str secret);

#endif
