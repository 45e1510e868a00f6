/* Identifiers and secrets. */
#ifndef BADAL_CORE_ID_H
#define BADAL_CORE_ID_H

#include "core/str.h"

enum { ID_LEN = 20, ID_MAX = 36, SECRET_HEX_LEN = 256 };

/* 20 lower-case hex characters, roughly time-ordered: 8 of seconds, 5 of microseconds, 7 random (spec platform.md 1). */
char *id_unique(struct arena *a);
/* The rule of every id and key: 1..36 of A-Z a-z 0-9 _ - . , the first not _ - . */
bool id_valid(struct str s);
bool id_valid_within(struct str s, size_t max);	/* the same of another length */
/* n random bytes as 2n lower-case hex characters. */
char *secret_hex(struct arena *a, size_t nbytes);
/* SHA-256 of s as 64 lower-case hex characters. */
char *sha256_hex(struct arena *a, struct str s);
char *base64_encode(struct arena *a, struct str s, bool url);	/* url: RFC 4648 5 without padding; else padded */
bool base64_decode(struct arena *a, struct str s, bool url, struct str *out);	/* strict */
void hmac_sha1(struct str key, struct str msg, unsigned char out[20]);	/* for signatures that others have laid down */
void hmac_sha256(struct str key, struct str msg, unsigned char out[32]);
/* The same of what comes in pieces. */
struct hmac {
	uint64_t state[32];
};
void hmac_begin(struct hmac *h, struct str key);
void hmac_add(struct hmac *h, struct str piece);
void hmac_end(struct hmac *h, unsigned char out[32]);

#endif
