/* Host names by ICU. What browsers let pass is let pass: hyphens may stand anywhere in a label. */
#include "io/idna.h"

#include <unicode/uidna.h>

enum { HOST_MAX = 253, FORGIVEN = UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4 };

static const UIDNA *
idna_rules(void)
{
	static UIDNA *opened;
	UErrorCode error = U_ZERO_ERROR;

	if (opened == NULL)
		opened = uidna_openUTS46(UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_NONTRANSITIONAL_TO_ASCII, &error);
	return opened;
}

struct str
idna_ascii(struct arena *a, struct str host)
{
	char text[HOST_MAX + 1];
	UIDNAInfo info = UIDNA_INFO_INITIALIZER;
	UErrorCode error = U_ZERO_ERROR;
	int32_t n;

	if (host.n == 0 || host.n > 4 * HOST_MAX || idna_rules() == NULL)
		return STR_NONE;
	n = uidna_nameToASCII_UTF8(idna_rules(), host.p, (int32_t)host.n, text, sizeof text, &info, &error);
	if (U_FAILURE(error) || n <= 0 || n > HOST_MAX || (info.errors & ~(uint32_t)FORGIVEN) != 0)
		return STR_NONE;
	return (struct str){arena_memdup(a, text, (size_t)n), (size_t)n};
}
