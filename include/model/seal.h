/* Secrets at rest: XChaCha20-Poly1305 under a key derived from conf.master_key. */
#ifndef BADAL_MODEL_SEAL_H
#define BADAL_MODEL_SEAL_H

#include "core/ctx.h"

/* "v1:" and base64 of nonce and cipher text; NULL stays NULL. */
const char *seal_text(struct arena *a, const char *clear);
/* The clear text; NULL when it is absent, malformed, or sealed under another key. */
const char *seal_open(struct arena *a, struct str sealed);

#endif
