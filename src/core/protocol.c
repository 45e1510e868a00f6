/* Versions of the protocol as numbers that sort. */
#include "core/protocol.h"

#include <ctype.h>
#include <stdbool.h>

#include "core/arena.h"
#include "core/conf.h"

enum { VERSION_PARTS = 3, PART_MAX = 999 };

/* A number that is too large is the largest: what no server speaks yet is not what none speaks any more. */
static int64_t
part_of_version(struct str s, bool *whole_out)
{
	int64_t n = 0;
	size_t i = 0;

	for (; i < s.n && isdigit((unsigned char)s.p[i]); i++)
		n = n * 10 + (s.p[i] - '0') < PART_MAX ? n * 10 + (s.p[i] - '0') : PART_MAX;
	*whole_out = i == s.n;
	return i > 0 ? n : -1;
}

int64_t
protocol_version(struct str s)
{
	int64_t v = 0;

	if (s.n == 0 || str_is(s, "0"))
		return -1;
	for (int i = 0; i < VERSION_PARTS; i++) {
		struct str part = s.p ? str_cut(&s, '.') : STR("0");
		bool whole;
		int64_t n = part_of_version(part, &whole);

		if (n < 0)
			return 0;
		if (!whole)
			s = STR_NONE;
		v = v * 1000 + n;
	}
	return v;
}

int64_t
protocol_setting(void)
{
	struct str s = str_c(conf.response_format);

	return str_is(s, "newest") ? PROTOCOL_NEWEST : protocol_version(s);
}

const char *
protocol_text(struct arena *a, int64_t version)
{
	return arena_printf(a, "%d.%d.%d", (int)(version / 1000000), (int)(version / 1000 % 1000), (int)(version % 1000));
}
