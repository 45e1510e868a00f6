/* Range and Content-Range: what is understood lies inside of the file, and no other spelling of it means something else. */
#include "fuzz.h"
#include "io/range.h"

static void
check_range(struct str input, int64_t size)
{
	int64_t first = -1, last = -1, again_first, again_last;
	enum range r = range_parse(input, size, &first, &last);
	char text[64];

	if (r != RANGE_ONE && r != RANGE_SUFFIX)
		return;
	FUZZ_CHECK(first >= 0 && first <= last && last < size, "bytes that the file has not", input);
	snprintf(text, sizeof text, "bytes=%lld-%lld", (long long)first, (long long)last);
	FUZZ_CHECK(range_parse(str_c(text), size, &again_first, &again_last) == RANGE_ONE && again_first == first && again_last == last, "written down it is another", input);
}

static void
check_content_range(struct str input)
{
	struct content_range r, again;
	int64_t n;
	char text[96];

	if (!content_range_parse(input, &r))
		return;
	n = content_range_length(&r);
	FUZZ_CHECK(r.start >= 0 && r.start <= r.end && r.end <= r.size && n >= 0 && n <= r.size - r.start, "a part that is not in the file", input);
	snprintf(text, sizeof text, "bytes %lld-%lld/%lld", (long long)r.start, (long long)r.end, (long long)r.size);
	FUZZ_CHECK(content_range_parse(str_c(text), &again) && again.start == r.start && again.end == r.end && again.size == r.size, "written down it is another", input);
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	static const int64_t sizes[] = {0, 1, 100, 5242881, INT64_MAX};

	(void)cx;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		check_range(input, sizes[i]);
	check_content_range(input);
}
