/* Codes of authenticator apps (RFC 6238, as all of them know it: SHA-1, six digits, 30 seconds). liboath is named in its source alone. */
#ifndef BADAL_IO_TOTP_H
#define BADAL_IO_TOTP_H

#include "core/arena.h"
#include "core/str.h"

enum { TOTP_NONE = -1, TOTP_DIGITS = 6, TOTP_STEP_S = 30 };

/* A new secret, in base32. */
char *totp_secret(struct arena *a);
/* The number of the step whose code this is, of those that clocks which are not quite right may be at; TOTP_NONE: it is none of them, or not later
 * than `after`. */
int64_t totp_step(const char *secret, const char *code, int64_t now_ms, int64_t after);

#endif
