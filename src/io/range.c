/* Ranges in headers: every byte is from outside, every number may be larger than any file. */
#include "io/range.h"

/* Digits alone; false when there are none, or more than a file may have bytes. */
static bool
range_digits(struct str s, int64_t *out)
{
	if (s.n == 0 || s.p[0] < '0' || s.p[0] > '9')
		return false;
	return str_to_i64(s, out);
}

bool
content_range_parse(struct str s, struct content_range *out)
{
	struct str unit = str_cut(&s, ' '), range, start;

	if (s.p == NULL || unit.n == 0)
		return false;
	range = str_cut(&s, '/');
	start = str_cut(&range, '-');
	return s.p != NULL && range.p != NULL && range_digits(start, &out->start) && range_digits(range, &out->end) && range_digits(s, &out->size) &&
	    out->start <= out->end && out->end <= out->size;
}

int64_t
content_range_length(const struct content_range *r)
{
	return r->end == r->size ? r->size - r->start : r->end - r->start + 1;
}

static enum range
suffix_parse(struct str s, int64_t size, int64_t *first_out, int64_t *last_out)
{
	int64_t n;

	if (!range_digits(s, &n))
		return RANGE_BAD;
	*first_out = n < size ? size - n : 0;
	*last_out = size - 1;
	return n > 0 && size > 0 ? RANGE_SUFFIX : RANGE_PAST;
}

enum range
range_parse(struct str s, int64_t size, int64_t *first_out, int64_t *last_out)
{
	struct str unit = str_cut(&s, '='), start;

	if (unit.n == 0 && s.p == NULL)
		return RANGE_NONE;
	if (s.p == NULL || !str_ieq(unit, STR("bytes")))
		return RANGE_BAD;
	s = str_trim(s);
	start = str_cut(&s, '-');
	if (s.p == NULL)
		return RANGE_BAD;
	if (start.n == 0)
		return suffix_parse(s, size, first_out, last_out);
	if (!range_digits(start, first_out) || (s.n > 0 && (!range_digits(s, last_out) || *first_out > *last_out)))
		return RANGE_BAD;
	if (s.n == 0 || *last_out >= size)
		*last_out = size - 1;
	return *first_out < size ? RANGE_ONE : RANGE_PAST;
}
