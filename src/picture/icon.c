/* Pictures of files that are none: plain shapes, 1200 × 800, the rest transparent (spec 8.1). */
#include "picture_priv.h"

enum { ICON_W = 1200, ICON_H = 800, INK = 0x90a4ae, PAPER = 0xffffff };

static uint32_t
opaque(uint32_t rgb)
{
	return rgb << 8 | 255;
}

/* A sheet with its corner turned down, which every icon has. */
static void
draw_sheet(struct canvas *c)
{
	canvas_fill(c, (struct box){400, 160, 400, 480}, opaque(INK));
	canvas_fill(c, (struct box){416, 176, 368, 448}, opaque(PAPER));
	for (int i = 0; i < 112; i++) {		/* off, and the fold */
		canvas_fill(c, (struct box){800 - 112 + i, 160, 112 - i, 1}, 0);
		canvas_fill(c, (struct box){688 + i, 160 + i, 112 - i, 1}, 0);
		canvas_fill(c, (struct box){688, 160 + i, i + 1, 1}, opaque(INK));
	}
}

static void
draw_lines(struct canvas *c)
{
	for (int i = 0; i < 4; i++)
		canvas_fill(c, (struct box){464, 340 + 64 * i, i == 3 ? 160 : 272, 20}, opaque(INK));
}

static void
draw_triangle(struct canvas *c)
{
	for (int y = 0; y < 200; y++)
		canvas_fill(c, (struct box){520, 340 + y, (y < 100 ? y : 200 - y) * 17 / 10 + 1, 1}, opaque(INK));
}

static void
draw_hills(struct canvas *c)
{
	for (int y = 0; y < 180; y++) {
		canvas_fill(c, (struct box){540 - y * 4 / 7, 400 + y, y * 8 / 7 + 1, 1}, opaque(INK));
		if (y < 120)
			canvas_fill(c, (struct box){670 - y * 3 / 5, 460 + y, y * 6 / 5 + 1, 1}, opaque(INK));
	}
	canvas_fill(c, (struct box){650, 350, 56, 56}, opaque(INK));
}

enum picture_outcome
picture_draw(enum picture_icon icon, const struct picture_limits *l, const struct picture_task *t, struct film *out)
{
	static void (*const signs[])(struct canvas *) = {[PICTURE_ICON_FILE] = draw_lines, [PICTURE_ICON_VIDEO] = draw_triangle,
	    [PICTURE_ICON_IMAGE] = draw_hills};
	static struct film_frame frame;
	enum picture_outcome o;
	struct canvas whole;

	if (!canvas_make(&whole, ICON_W, ICON_H))
		return OUTCOME_LARGE;
	draw_sheet(&whole);
	signs[icon](&whole);
	o = picture_fit(&whole, 1, l, t, &frame.c);
	canvas_free(&whole);
	*out = (struct film){.v = &frame, .n = 1};
	return o;
}
