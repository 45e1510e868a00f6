/* What a worker is asked for, as bytes: whatever is sound has a place for every pixel, on canvases of every shape. */
#include "fuzz.h"
#include "picture/picture_priv.h"

static void
fuzz_one(struct ctx *cx, struct str input)
{
	struct picture_task t;
	struct canvas c;
	struct fit f;

	(void)cx;
	if (input.n < sizeof t + 2)
		return;
	memcpy(&t, input.p, sizeof t);
	t.magic = PICTURE_WIRE;	/* the rest is hard enough to find */
	t.kind &= 1;
	t.icon &= 1;
	t.format &= 3;
	if (!picture_task_sound(&t))
		return;
	if (fit_find(1 + (uint8_t)input.p[sizeof t], 1 + (uint8_t)input.p[sizeof t + 1], t.width, t.height, (enum picture_gravity)t.gravity, 40000000, &f))
		FUZZ_CHECK(f.x >= 0 && f.y >= 0 && f.x + f.w <= f.scaled_w && f.y + f.h <= f.scaled_h, "the cut lies outside", input);
	t.border_width %= 64;	/* for the speed of it */
	if (!canvas_make(&c, 1 + (uint8_t)input.p[sizeof t] % 40, 1 + (uint8_t)input.p[sizeof t + 1] % 40))
		abort();
	canvas_fill(&c, (struct box){1, 1, 3, 3}, 0x80ff40c0);
	FUZZ_CHECK(canvas_decorate(&c, &t) && c.w > 0 && c.h > 0, "it cannot be done", input);
	(void)canvas_opaque(&c);
	canvas_free(&c);
}
