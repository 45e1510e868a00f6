/* Passwords: argon2id in the thread pool. The pool's queue is bounded: ERR_BUSY when too many wait. */
#ifndef BADAL_MODEL_PASSWORD_H
#define BADAL_MODEL_PASSWORD_H

#include "core/ctx.h"

#define PASSWORD_HASH_ID "argon2"
/* What the user model reports; the real parameters are in the hash itself. */
#define PASSWORD_HASH_OPTIONS "{\"memoryCost\":2048,\"timeCost\":4,\"threads\":3}"

/* Awaits. A PHC string of `password` in cx's arena. */
err_t password_hash(struct ctx *cx, const char *password, const char **out) MUST_CHECK;
/* Awaits. *ok_out: the password belongs to the stored hash. `stored` NULL (no such user, no password) costs the same time and is false. */
err_t password_verify(struct ctx *cx, const char *password, const char *hash_id, const char *stored, bool *ok_out) MUST_CHECK;

#endif
