/* Secrets at rest: XChaCha20-Poly1305 under a key derived from the master key (conf.master_key, or the file conf.master_key_file). */
#ifndef BADAL_MODEL_SEAL_H
#define BADAL_MODEL_SEAL_H

#include "core/ctx.h"

/* "v1:" and base64 of nonce and cipher text; NULL stays NULL. */
const char *seal_text(struct arena *a, const char *clear);
/* The clear text; NULL when it is absent, malformed, or sealed under a key that is neither the current nor a former one that is still known. */
const char *seal_open(struct arena *a, struct str sealed);
/* The master keys that are known: the current one is 0; NULL behind the last. For signatures. */
const char *seal_master(int i);
/* For a process that opens nothing: they are wiped. Settings that name them are the caller's. */
void seal_forget(void);
/* Looks whether there are others by now; true: there are. */
bool seal_look(void);

enum seal_age { SEAL_CURRENT, SEAL_FORMER, SEAL_LOST };
/* Which key a text is sealed under; of a former one, *anew_out is the same under the current one. */
enum seal_age seal_renew(struct arena *a, struct str sealed, const char **anew_out);

struct seal_count {
	int64_t renewed, current, lost;
};
/* A statement that reads a slice of sealed texts: `id` (bigint) and `column` of the rows behind number $1 that are as `where` says, in that order, as
 * many as may be opened at a time, and always one when there is one. */
const char *seal_slice_sql(struct arena *a, const char *table, const char *id, const char *column, const char *where);
/* Awaits, long. Renews everything that is sealed in the database; may be stopped and begun again anywhere. `told` is called after each project. */
err_t seal_rotate(struct ctx *cx, struct seal_count *out, void (*told)(const struct seal_count *so_far, const char *schema)) MUST_CHECK;

/* What the first sign-up on the console shows: 32 hex characters, the same on all machines with the master key. */
const char *seal_signup_token(struct arena *a);

/* A 128-bit keyed tag of s, the same within this process: stands for a secret in the key of a cache. */
enum { SEAL_TAG_LEN = 16 };
void seal_tag(struct str s, unsigned char out[SEAL_TAG_LEN]);

#endif
