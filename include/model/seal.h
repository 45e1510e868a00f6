/* Secrets at rest: XChaCha20-Poly1305 under a key derived from conf.master_key. */
#ifndef BADAL_MODEL_SEAL_H
#define BADAL_MODEL_SEAL_H

#include "core/ctx.h"

/* "v1:" and base64 of nonce and cipher text; NULL stays NULL. */
const char *seal_text(struct arena *a, const char *clear);
/* The clear text; NULL when it is absent, malformed, or sealed under another key. */
const char *seal_open(struct arena *a, struct str sealed);

/* What the first sign-up on the console shows: 32 hex characters, the same on all machines with the master key. */
const char *seal_signup_token(struct arena *a);

/* A 128-bit keyed tag of s, the same within this process: stands for a secret in the key of a cache. */
enum { SEAL_TAG_LEN = 16 };
void seal_tag(struct str s, unsigned char out[SEAL_TAG_LEN]);

#endif
