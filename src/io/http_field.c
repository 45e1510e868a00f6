/* What is the same in heads of requests and of answers. */
#include "http_priv.h"

#include <ctype.h>

enum { LENGTH_DIGITS = 18 };

bool
header_value_ok(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != '\t' && ((unsigned char)p[i] < ' ' || p[i] == 127))
			return false;
	return true;
}

int64_t
header_length(struct str v)
{
	int64_t n = 0;

	for (size_t i = 0; i < v.n; i++) {
		if (!isdigit((unsigned char)v.p[i]))
			return LENGTH_BAD;
		if (i >= LENGTH_DIGITS)
			return LENGTH_LARGE;
		n = n * 10 + (v.p[i] - '0');
	}
	return v.n > 0 ? n : LENGTH_BAD;
}
