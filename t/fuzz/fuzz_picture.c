/* Headers of picture files: sizes and turns are within bounds, and a PNG's essence is no longer than the PNG and sniffs as the same. */
#include "fuzz.h"
#include "picture/canvas.h"
#include "picture/sniff.h"

static void
fuzz_one(struct ctx *cx, struct str input)
{
	uint8_t *p = (uint8_t *)arena_memdup(cx->arena, input.p, input.n);
	struct sniffed s, again;
	struct fit f;
	size_t n;

	if (!sniff((const uint8_t *)input.p, input.n, &s))
		return;
	FUZZ_CHECK(s.kind > SOURCE_NONE && s.kind < SOURCE_N && s.orientation >= 1 && s.orientation <= 8 && s.frames >= 1, "out of bounds", input);
	if (s.kind == SOURCE_PNG) {
		n = png_essence(p, input.n);
		FUZZ_CHECK(n <= input.n && (!sniff(p, n, &again) || (again.w == s.w && again.h == s.h)), "its essence is another", input);
	}
	if (s.w == 0 || s.w > INT32_MAX || s.h > INT32_MAX || !fit_find((int)s.w, (int)s.h, (int)(input.n % 4001), 0, GRAVITY_CENTER, 40000000, &f))
		return;
	FUZZ_CHECK(f.w >= 1 && f.h >= 1 && f.x >= 0 && f.x + f.w <= f.scaled_w && f.y + f.h <= f.scaled_h, "the cut lies outside", input);
}
