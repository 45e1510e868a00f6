/* Geometry and pixels of the pipeline. Every loop is over pixels that exist: sizes were bounded by fit_find. */
#include "canvas.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- geometry ---- */

static double
at_least_one(double v)
{
	return v < 1 ? 1 : v;
}

/* Offset of what is cut, on one axis: 0 at the beginning, 1 in the middle, 2 at the end. */
static double
cut_offset(double scaled, int kept, int where)
{
	double left = scaled - kept;

	return where == 0 ? 0 : where == 1 ? floor(left / 2) : left;
}

bool
fit_find(int src_w, int src_h, int w, int h, enum picture_gravity g, uint64_t pixels, struct fit *out)
{
	double sw = src_w, sh = src_h, rw = w, rh = h, scale;

	assert(src_w > 0 && src_h > 0 && w >= 0 && h >= 0);
	if (w == 0 && h == 0) {
		rw = sw;
		rh = sh;
	} else if (w == 0) {
		rw = at_least_one(trunc(rh * sw / sh));
	} else if (h == 0) {
		rh = at_least_one(trunc(rw * sh / sw));
	}
	if (rw > PICTURE_SIDE_MAX || rh > PICTURE_SIDE_MAX || rw * rh > (double)pixels)
		return false;
	scale = fmax(rw / sw, rh / sh);
	out->w = (int)rw;
	out->h = (int)rh;
	out->scaled_w = rw / sw >= rh / sh ? rw : fmax(rw, round(sw * scale));
	out->scaled_h = rw / sw >= rh / sh ? fmax(rh, round(sh * scale)) : rh;
	out->x = cut_offset(out->scaled_w, out->w, g % 3);
	out->y = cut_offset(out->scaled_h, out->h, g / 3);
	return true;
}

/* One axis: `n` of `scaled` from `at`, in a source of `src`. */
static void
source_span(double at, int n, double scaled, int src, int *from_out, int *n_out)
{
	double from = floor(at * src / scaled), to = ceil((at + n) * src / scaled);

	from = fmin(from, src - 1);
	to = fmin(fmax(to, from + 1), src);
	*from_out = (int)from;
	*n_out = (int)(to - from);
}

bool
fit_source(const struct fit *f, int src_w, int src_h, struct box *out)
{
	if (f->scaled_w * f->scaled_h <= 2.0 * f->w * f->h)
		return false;
	source_span(f->x, f->w, f->scaled_w, src_w, &out->x, &out->w);
	source_span(f->y, f->h, f->scaled_h, src_h, &out->y, &out->h);
	return true;
}

/* Where pixel x, y of the picture as it is seen is stored. */
static void
stored_at(int orientation, int w, int h, int x, int y, int *sx, int *sy)
{
	bool turned = orientation >= 5;
	int across = turned ? y : x, down = turned ? x : y;

	*sx = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8 ? w - 1 - across : across;
	*sy = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7 ? h - 1 - down : down;
}

struct box
box_stored(struct box seen, int orientation, int w, int h)
{
	int x0, y0, x1, y1;

	stored_at(orientation, w, h, seen.x, seen.y, &x0, &y0);
	stored_at(orientation, w, h, seen.x + seen.w - 1, seen.y + seen.h - 1, &x1, &y1);
	return (struct box){x0 < x1 ? x0 : x1, y0 < y1 ? y0 : y1, abs(x1 - x0) + 1, abs(y1 - y0) + 1};
}

/* ---- canvases ---- */

static uint8_t *
canvas_at(const struct canvas *c, int x, int y)
{
	return c->px + 4 * ((size_t)y * (size_t)c->w + (size_t)x);
}

bool
canvas_make(struct canvas *c, int w, int h)
{
	assert(w > 0 && h > 0 && w <= 2 * PICTURE_SIDE_MAX && h <= 2 * PICTURE_SIDE_MAX);
	*c = (struct canvas){w, h, calloc((size_t)w * (size_t)h, 4)};
	return c->px != NULL;
}

void
canvas_free(struct canvas *c)
{
	free(c->px);
	*c = (struct canvas){0};
}

static void
canvas_become(struct canvas *c, const struct canvas *other)
{
	free(c->px);
	*c = *other;
}

bool
canvas_orient(struct canvas *c, int orientation)
{
	bool turned = orientation >= 5;
	struct canvas d;

	if (orientation <= 1 || orientation > 8)
		return true;
	if (!canvas_make(&d, turned ? c->h : c->w, turned ? c->w : c->h))
		return false;
	for (int y = 0; y < d.h; y++)
		for (int x = 0; x < d.w; x++) {
			int sx, sy;

			stored_at(orientation, c->w, c->h, x, y, &sx, &sy);
			memcpy(canvas_at(&d, x, y), canvas_at(c, sx, sy), 4);
		}
	canvas_become(c, &d);
	return true;
}

bool
canvas_cut(struct canvas *c, struct box b)
{
	struct canvas d;

	assert(b.x >= 0 && b.y >= 0 && b.w > 0 && b.h > 0 && b.x <= c->w - b.w && b.y <= c->h - b.h);
	if (b.w == c->w && b.h == c->h)
		return true;
	if (!canvas_make(&d, b.w, b.h))
		return false;
	for (int y = 0; y < b.h; y++)
		memcpy(canvas_at(&d, 0, y), canvas_at(c, b.x, b.y + y), 4 * (size_t)b.w);
	canvas_become(c, &d);
	return true;
}

static void
put(uint8_t *p, uint32_t rgba)
{
	p[0] = (uint8_t)(rgba >> 24);
	p[1] = (uint8_t)(rgba >> 16);
	p[2] = (uint8_t)(rgba >> 8);
	p[3] = (uint8_t)rgba;
}

void
canvas_fill(struct canvas *c, struct box b, uint32_t rgba)
{
	for (int y = b.y < 0 ? 0 : b.y; y < b.y + b.h && y < c->h; y++)
		for (int x = b.x < 0 ? 0 : b.x; x < b.x + b.w && x < c->w; x++)
			put(canvas_at(c, x, y), rgba);
}

bool
canvas_border(struct canvas *c, int width, uint32_t rgb)
{
	struct canvas d;

	if (!canvas_make(&d, c->w + 2 * width, c->h + 2 * width))
		return false;
	canvas_fill(&d, (struct box){0, 0, d.w, d.h}, rgb << 8 | 255);
	for (int y = 0; y < c->h; y++)
		memcpy(canvas_at(&d, width, width + y), canvas_at(c, 0, y), 4 * (size_t)c->w);
	canvas_become(c, &d);
	return true;
}

void
canvas_opacity(struct canvas *c, int millionths)
{
	size_t n = (size_t)c->w * (size_t)c->h;
	uint8_t a = (uint8_t)((millionths * 255LL + 500000) / 1000000);

	for (size_t i = 0; i < n; i++)
		c->px[4 * i + 3] = a;
}

/* What `over` of so much alpha makes of `under`. */
static uint8_t
mix(unsigned over, unsigned under, unsigned alpha)
{
	return (uint8_t)((over * alpha + under * (255 - alpha) + 127) / 255);
}

void
canvas_flatten(struct canvas *c, uint32_t rgb)
{
	size_t n = (size_t)c->w * (size_t)c->h;

	for (size_t i = 0; i < n; i++) {
		uint8_t *p = c->px + 4 * i;

		for (int k = 0; k < 3; k++)
			p[k] = mix(p[k], rgb >> (16 - 8 * k) & 255, p[3]);
		p[3] = 255;
	}
}

bool
canvas_opaque(const struct canvas *c)
{
	size_t n = (size_t)c->w * (size_t)c->h;

	for (size_t i = 0; i < n; i++)
		if (c->px[4 * i + 3] != 255)
			return false;
	return true;
}

/* ---- round corners ---- */

/* How much of the pixel at x, y lies in the rounded rectangle: 0 to 1, by the distance of its middle from the edge. */
static double
rounded_cover(double x, double y, double x0, double y0, double x1, double y1, double r)
{
	double dx, dy, out, in;

	r = fmin(fmax(r, 0), fmin(x1 - x0, y1 - y0) / 2);
	dx = fabs(x + 0.5 - (x0 + x1) / 2) - (x1 - x0) / 2 + r;
	dy = fabs(y + 0.5 - (y0 + y1) / 2) - (y1 - y0) / 2 + r;
	out = hypot(fmax(dx, 0), fmax(dy, 0));
	in = fmin(fmax(dx, dy), 0);
	return fmin(fmax(0.5 - (out + in - r), 0), 1);
}

void
canvas_round(struct canvas *c, struct box b, int radius, int stroke, uint32_t rgb)
{
	double half = stroke / 2.0;

	for (int y = 0; y < c->h; y++)
		for (int x = 0; x < c->w; x++) {
			uint8_t *p = canvas_at(c, x, y);
			double outer = rounded_cover(x, y, b.x - half, b.y - half, b.x + b.w + half, b.y + b.h + half, radius + half), line = 0;

			if (stroke > 0 && outer > 0)
				line = 1 - rounded_cover(x, y, b.x + half, b.y + half, b.x + b.w - half, b.y + b.h - half, radius - half);
			if (line > 0) {
				unsigned alpha = (unsigned)lround(line * 255);

				for (int k = 0; k < 3; k++)
					p[k] = mix(rgb >> (16 - 8 * k) & 255, p[k], alpha);
				p[3] = mix(255, p[3], alpha);
			}
			p[3] = (uint8_t)lround(p[3] * outer);
		}
}

/* ---- rotation ---- */

/* The colour at a point, from the four pixels around it; what lies outside is clear. Weighted by alpha: hidden colours do not show. */
static void
sample(const struct canvas *c, double x, double y, uint8_t *to)
{
	double fx = floor(x), fy = floor(y), sum[3] = {0}, alpha = 0;

	for (int i = 0; i < 4; i++) {
		int px = (int)fx + (i & 1), py = (int)fy + (i >> 1);
		double weight = ((i & 1) ? x - fx : 1 - (x - fx)) * ((i >> 1) ? y - fy : 1 - (y - fy)), a;
		const uint8_t *p;

		if (px < 0 || py < 0 || px >= c->w || py >= c->h)
			continue;
		p = canvas_at(c, px, py);
		a = weight * p[3];
		alpha += a;
		for (int k = 0; k < 3; k++)
			sum[k] += a * p[k];
	}
	if (alpha < 0.5)
		return;
	for (int k = 0; k < 3; k++)
		to[k] = (uint8_t)lround(sum[k] / alpha);
	to[3] = (uint8_t)lround(fmin(alpha, 255));
}

bool
canvas_rotate(struct canvas *c, int degrees)
{
	double t, cs, sn;
	struct canvas d;

	degrees = (degrees % 360 + 360) % 360;
	if (degrees % 90 == 0)	/* exactly, as EXIF's turns do */
		return canvas_orient(c, ((const int[]){1, 6, 3, 8})[degrees / 90]);
	t = degrees * M_PI / 180;
	cs = cos(t);
	sn = sin(t);
	if (!canvas_make(&d, (int)ceil(fabs(c->w * cs) + fabs(c->h * sn) - 1e-6), (int)ceil(fabs(c->w * sn) + fabs(c->h * cs) - 1e-6)))
		return false;
	for (int y = 0; y < d.h; y++)
		for (int x = 0; x < d.w; x++) {
			double rx = x + 0.5 - d.w / 2.0, ry = y + 0.5 - d.h / 2.0;

			sample(c, rx * cs + ry * sn + c->w / 2.0 - 0.5, -rx * sn + ry * cs + c->h / 2.0 - 0.5, canvas_at(&d, x, y));
		}
	canvas_become(c, &d);
	return true;
}

/* ---- the pipeline ---- */

/* With a border the frame is cut away again: the outline is drawn on the picture itself (spec 8.2, 5). */
static bool
canvas_edges(struct canvas *c, const struct picture_task *t)
{
	int b = t->border_width;

	if (t->border_radius == 0)
		return b == 0 || canvas_border(c, b, (uint32_t)t->border_color);
	if (c->w <= 2 * b || c->h <= 2 * b)	/* nothing is left between the lines */
		b = (c->w < c->h ? c->w : c->h) / 2;
	canvas_round(c, (struct box){b, b, c->w - 2 * b, c->h - 2 * b}, t->border_radius, b, (uint32_t)t->border_color);
	return true;
}

bool
canvas_decorate(struct canvas *c, const struct picture_task *t)
{
	if (t->opacity > 0 && t->opacity < 1000000)
		canvas_opacity(c, t->opacity);
	if (t->background >= 0)
		canvas_flatten(c, (uint32_t)t->background);
	return canvas_edges(c, t) && canvas_rotate(c, t->rotation);
}
