/* The kinds of API keys, known by what stands before the first "_" of a secret, and the kind that is stored nowhere. */
#ifndef BADAL_MODEL_KEY_H
#define BADAL_MODEL_KEY_H

#include "model/project.h"

#define KEY_STANDARD_PREFIX "standard_"

#define KEY_ORGANIZATION_PREFIX "organization_"
#define KEY_ACCOUNT_PREFIX "account_"

enum key_kind key_kind(struct str secret);
/* It is stored nowhere, so nobody can call it back. */
bool key_is_ephemeral(const struct api_key *k);

/* A key of these scopes that ends by itself. */
char *key_ephemeral(struct ctx *cx, const struct project *p, const struct strs *scopes, int64_t life_ms);
/* The key that such a secret is; NULL: it is none, of another project, or over. */
struct api_key *key_of_ephemeral(struct ctx *cx, const struct project *p, struct str secret);

/* Keys of the console: of a team, which its members call an organization, or of a user. They are read for each request that brings one, so what is changed
 * counts at once, and rows of them go with the user, the team, or the membership of who made them. */
struct owned_key {
	struct api_key k;	/* must be first */
	int64_t team, user, membership;	/* numbers: of an organization the team, who made it, and that one's membership; of a user that one alone */
};
extern const struct shape organization_key_shape, account_key_shape;
/* Awaits. The key of that kind with this secret; of a team only while who made it is an owner there, and not blocked. *out NULL: there is none. */
err_t owned_key_find(struct ctx *cx, enum key_kind kind, struct str secret, struct owned_key **out) MUST_CHECK;
/* As project_key_touch. */
void owned_key_touch(struct ctx *cx, const struct owned_key *k, struct str sdk);

#endif
