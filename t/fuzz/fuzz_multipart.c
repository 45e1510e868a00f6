/* multipart/form-data in pieces: the first bytes say how it is cut, and what is found must not depend on that. */
#include "../00-unit/multipart_world.h"
#include "fuzz.h"

static void
fuzz_one(struct ctx *cx, struct str input)
{
	size_t sizes[4], whole = 0, one = 1;
	struct str a, b, c;

	if (input.n < 4)
		return;
	for (int i = 0; i < 4; i++)
		sizes[i] = (unsigned char)input.p[i] % 64 + 1;
	input = (struct str){input.p + 4, input.n - 4};
	a = multipart_parse(cx->arena, input, STR("XX"), &whole, 1);
	b = multipart_parse(cx->arena, input, STR("XX"), sizes, 4);
	c = multipart_parse(cx->arena, input, STR("XX"), &one, 1);
	/* of a body that breaks off or is no such thing, more or less may have been given before that was known */
	FUZZ_CHECK((a.p[a.n - 1] == '.') == (b.p[b.n - 1] == '.'), "an end that depends on the pieces", input);
	FUZZ_CHECK(a.p[a.n - 1] != '.' || (str_eq(a, b) && str_eq(a, c)), "parts that depend on the pieces", input);
}
