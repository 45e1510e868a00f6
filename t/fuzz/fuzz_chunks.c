/* Bodies in chunks: the first bytes say how it is cut, and neither data nor end may depend on that. */
#include "../../src/io/http_chunks.c"
#include "../../src/io/http_field.c"
#include "fuzz.h"

struct outcome {
	struct buf data;
	size_t used;		/* of the input, when it ended */
	bool ended, bad;
};

static struct outcome
decode(struct ctx *cx, struct str input, const size_t *sizes, int n)
{
	struct outcome o = {0};
	struct chunks d;
	struct str data;

	buf_init(&o.data, cx->arena, 64);
	chunks_begin(&d);
	for (int i = 0; o.used < input.n && !chunks_ended(&d) && !chunks_bad(&d); i++) {
		size_t end = o.used + sizes[i % n];

		for (end = end < input.n ? end : input.n; o.used < end && !chunks_ended(&d) && !chunks_bad(&d);) {
			size_t used = chunks_take(&d, input.p + o.used, end - o.used, &data);

			FUZZ_CHECK(used > 0 && used <= end - o.used && data.n <= used, "bytes that are not there", input);
			o.used += used;
			buf_str(&o.data, data);
		}
	}
	o.ended = chunks_ended(&d);
	o.bad = chunks_bad(&d);
	return o;
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	size_t sizes[4], whole = SIZE_MAX / 2, one = 1;
	struct outcome a, b, c;

	if (input.n < 4)
		return;
	for (int i = 0; i < 4; i++)
		sizes[i] = (unsigned char)input.p[i] % 64 + 1;
	input = (struct str){input.p + 4, input.n - 4};
	a = decode(cx, input, &whole, 1);
	b = decode(cx, input, sizes, 4);
	c = decode(cx, input, &one, 1);
	FUZZ_CHECK(a.ended == b.ended && a.bad == b.bad && a.used == b.used, "an end that depends on the pieces", input);
	FUZZ_CHECK(a.ended == c.ended && a.bad == c.bad && a.used == c.used, "an end that depends on the bytes", input);
	FUZZ_CHECK(str_eq(buf_view(&a.data), buf_view(&b.data)) && str_eq(buf_view(&a.data), buf_view(&c.data)), "data that depends on the pieces", input);
	FUZZ_CHECK(!a.ended || a.used >= 5, "too short a body", input);
}
