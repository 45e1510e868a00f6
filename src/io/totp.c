/* Codes of authenticator apps, by liboath. What must stay true: a code is compared in constant time, and none of a step that was used is one any more. */
#include "io/totp.h"

#include <liboath/oath.h>
#include <sodium.h>
#include <stdlib.h>

enum { SECRET_BYTES = 20, DRIFT = 1 };	/* as long as the hash; steps that a clock may be off */

char *
totp_secret(struct arena *a)
{
	unsigned char bytes[SECRET_BYTES];
	char *text = NULL, *copy;
	size_t n;

	randombytes_buf(bytes, sizeof bytes);
	if (oath_base32_encode((const char *)bytes, sizeof bytes, &text, &n) != OATH_OK)
		abort();	/* no memory */
	copy = arena_memdup(a, text, n + 1);
	sodium_memzero(text, n);
	free(text);
	sodium_memzero(bytes, sizeof bytes);
	return copy;
}

int64_t
totp_step(const char *secret, const char *code, int64_t now_ms, int64_t after)
{
	int64_t now = now_ms / 1000 / TOTP_STEP_S, found = TOTP_NONE;
	char *bytes = NULL, is[TOTP_DIGITS + 1];
	size_t n = 0;

	if (oath_base32_decode(secret, strlen(secret), &bytes, &n) != OATH_OK)
		return TOTP_NONE;
	for (int64_t step = now - DRIFT; step <= now + DRIFT; step++)
		if (oath_hotp_generate(bytes, n, (uint64_t)step, TOTP_DIGITS, false, OATH_HOTP_DYNAMIC_TRUNCATION, is) == OATH_OK && step > after &&
		    str_eq_secret(str_c(code), str_c(is)))
			found = step;
	sodium_memzero(bytes, n);
	free(bytes);
	return found;
}
