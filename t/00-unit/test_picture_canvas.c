/* Geometry of pictures, what is done to their pixels, and what their headers say: without any library of pictures. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "picture/canvas.h"
#include "picture/sniff.h"

enum { MANY = 40000000 };

Test(fit, covers_and_cuts)
{
	static const struct {
		int sw, sh, w, h;
		enum picture_gravity g;
		double scaled_w, scaled_h, x, y;
		int got_w, got_h;
	} v[] = {
		{600, 300, 0, 0, GRAVITY_CENTER, 600, 300, 0, 0, 600, 300},
		{600, 300, 300, 0, GRAVITY_CENTER, 300, 150, 0, 0, 300, 150},
		{64, 48, 0, 24, GRAVITY_CENTER, 32, 24, 0, 0, 32, 24},
		{64, 48, 29, 0, GRAVITY_CENTER, 29, 22, 0, 0, 29, 21},		/* 21.75: truncated where it is asked, rounded where it is scaled */
		{64, 48, 20, 30, GRAVITY_CENTER, 40, 30, 10, 0, 20, 30},
		{64, 48, 21, 21, GRAVITY_CENTER, 28, 21, 3, 0, 21, 21},		/* 3.5 */
		{64, 48, 20, 30, GRAVITY_TOP_LEFT, 40, 30, 0, 0, 20, 30},
		{64, 48, 20, 30, GRAVITY_RIGHT, 40, 30, 20, 0, 20, 30},
		{48, 64, 30, 20, GRAVITY_BOTTOM, 30, 40, 0, 20, 30, 20},
		{48, 64, 30, 20, GRAVITY_TOP, 30, 40, 0, 0, 30, 20},
		{48, 64, 30, 20, GRAVITY_CENTER, 30, 40, 0, 10, 30, 20},
		{300, 2, 10, 0, GRAVITY_CENTER, 150, 1, 70, 0, 10, 1},		/* a side is 1 at least */
		{1, 1, 4000, 4000, GRAVITY_CENTER, 4000, 4000, 0, 0, 4000, 4000},
		{3, 7, 4000, 3999, GRAVITY_BOTTOM_RIGHT, 4000, 9333, 0, 5334, 4000, 3999},
	};
	struct fit f;

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		cr_assert(fit_find(v[i].sw, v[i].sh, v[i].w, v[i].h, v[i].g, MANY, &f));
		cr_expect(f.scaled_w == v[i].scaled_w && f.scaled_h == v[i].scaled_h && f.x == v[i].x && f.y == v[i].y && f.w == v[i].got_w && f.h == v[i].got_h,
		    "%zu: %.0fx%.0f +%.0f+%.0f %dx%d", i, f.scaled_w, f.scaled_h, f.x, f.y, f.w, f.h);
	}
	cr_expect(!fit_find(1, 100, 4000, 0, GRAVITY_CENTER, MANY, &f));	/* 400,000 high */
	cr_expect(!fit_find(16384, 1, 0, 0, GRAVITY_CENTER, MANY, &f));
	cr_expect(!fit_find(10, 10, 4000, 4000, GRAVITY_CENTER, 15999999, &f));
}

/* Whatever is asked, the cut lies in the scaled picture, and the part of the source in the source. */
Test(fit, stays_inside)
{
	static const int sizes[] = {1, 2, 3, 7, 50, 999, 16383, 65535};
	static const int asked[] = {0, 1, 2, 33, 400, 4000};

	for (int i = 0; i < 8 * 8 * 6 * 6 * 9; i++) {
		int sw = sizes[i % 8], sh = sizes[i / 8 % 8], w = asked[i / 64 % 6], h = asked[i / 384 % 6];
		struct fit f;
		struct box b;

		if (!fit_find(sw, sh, w, h, (enum picture_gravity)(i / 2304), MANY, &f))
			continue;
		cr_assert(f.w >= 1 && f.h >= 1 && (w == 0 || f.w == w) && (h == 0 || f.h == h));
		cr_assert(f.x >= 0 && f.y >= 0 && f.x + f.w <= f.scaled_w && f.y + f.h <= f.scaled_h, "%d", i);
		if (!fit_source(&f, sw, sh, &b))
			continue;
		cr_assert(b.x >= 0 && b.y >= 0 && b.w >= 1 && b.h >= 1 && b.x + b.w <= sw && b.y + b.h <= sh, "%d", i);
	}
}

Test(canvas, turns_and_back)
{
	static const int back[9] = {0, 1, 2, 3, 4, 5, 8, 7, 6};

	for (int o = 1; o <= 8; o++) {
		struct canvas c, same;
		struct box b;

		cr_assert(canvas_make(&c, 3, 2) && canvas_make(&same, 3, 2));
		for (int i = 0; i < 24; i++)
			c.px[i] = same.px[i] = (uint8_t)i;
		cr_assert(canvas_orient(&c, o));
		cr_expect(c.w == (o >= 5 ? 2 : 3) && c.h == (o >= 5 ? 3 : 2));
		/* the pixel that is seen at a corner is stored where box_stored says */
		b = box_stored((struct box){0, 0, 1, 1}, o, 3, 2);
		cr_expect(memcmp(c.px, same.px + 4 * (b.y * 3 + b.x), 4) == 0, "%d", o);
		cr_assert(canvas_orient(&c, back[o]));
		cr_expect(c.w == 3 && memcmp(c.px, same.px, 24) == 0, "%d", o);
		canvas_free(&c);
		canvas_free(&same);
	}
}

Test(canvas, rotates_into_its_bounding_box)
{
	static const int v[][5] = {{40, 20, 0, 40, 20}, {40, 20, 90, 20, 40}, {40, 20, -90, 20, 40}, {40, 20, 180, 40, 20}, {40, 20, 45, 43, 43}, {40, 20, -315, 43, 43},
		{10, 10, 30, 14, 14}, {100, 1, 1, 101, 3}, {1, 1, 77, 2, 2}};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct canvas c;

		cr_assert(canvas_make(&c, v[i][0], v[i][1]));
		canvas_fill(&c, (struct box){0, 0, c.w, c.h}, 0x112233ff);
		cr_assert(canvas_rotate(&c, v[i][2]));
		cr_expect(c.w == v[i][3] && c.h == v[i][4], "%zu: %dx%d", i, c.w, c.h);
		canvas_free(&c);
	}
}

Test(canvas, survives_every_border_and_radius)
{
	for (int i = 0; i < 6 * 6 * 5 * 5; i++) {
		static const int sides[] = {1, 2, 3, 9, 40, 100}, borders[] = {0, 1, 2, 50, 100}, radii[] = {0, 1, 5, 60, 4000};
		struct picture_task t = {.opacity = 1000000, .background = -1, .border_color = 0xff0000, .border_width = borders[i / 36 % 5], .border_radius = radii[i / 180]};
		struct canvas c;

		cr_assert(canvas_make(&c, sides[i % 6], sides[i / 6 % 6]));
		canvas_fill(&c, (struct box){0, 0, c.w, c.h}, 0x112233ff);
		cr_assert(canvas_decorate(&c, &t));
		cr_expect(c.w == sides[i % 6] + (t.border_radius ? 0 : 2 * t.border_width));
		canvas_free(&c);
	}
}

/* ---- headers ---- */

#define FILE_OF(lit) (const uint8_t *)("" lit), sizeof(lit) - 1

Test(sniff, tells_kinds_and_sizes)
{
	struct sniffed s;

	cr_assert(sniff(FILE_OF("\x89PNG\r\n\x1a\n\0\0\0\15IHDR\0\0\1\0\0\0\0\7\10\6\0\0\0abcd"), &s));
	cr_expect(s.kind == SOURCE_PNG && s.w == 256 && s.h == 7 && s.orientation == 1);
	cr_assert(sniff(FILE_OF("GIF89a\10\0\6\0\0\0\0\x2c\0\0\0\0\10\0\6\0\0\2\1x\0\x21\xf9\4....\0\x2c\0\0\0\0\4\0\6\0\0\2\1x\0;"), &s));
	cr_expect(s.kind == SOURCE_GIF && s.w == 8 && s.h == 6 && s.frames == 2 && s.pixels == 72);
	cr_assert(sniff(FILE_OF("\xff\xd8\xff\xe0\0\4ab\xff\xff\xff\xc2\0\13\10\0\5\0\11\1\1\21\0\xff\xda"), &s));
	cr_expect(s.kind == SOURCE_JPEG && s.w == 9 && s.h == 5);
	cr_assert(sniff(FILE_OF("RIFF\x1e\0\0\0WEBPVP8X\12\0\0\0\2\0\0\0\x3f\0\0\x2f\0\0ANMF\20\0\0\0\0\0\0\0\0\0\1\0\0\1\0\0\0\0\0\0ANMF\20\0\0\0\0\0\0\0\0\0\1\0\0\2\0\0\0\0\0\0"), &s));
	cr_expect(s.kind == SOURCE_WEBP && s.w == 64 && s.h == 48 && s.frames == 2 && s.pixels == 10);
	cr_assert(sniff(FILE_OF("\0\0\0\x18" "ftypmif1\0\0\0\0avifmif1\0\0\0\x14ispe\0\0\0\0\0\0\2\0\0\0\1\0"), &s));
	cr_expect(s.kind == SOURCE_AVIF && s.w == 512 && s.h == 256);
	cr_assert(sniff(FILE_OF("\0\0\0\x18" "ftypheic\0\0\0\0heicmif1\0\0\0\0"), &s));
	cr_expect(s.kind == SOURCE_HEIC && s.w == 0);
	/* no size, and no picture */
	cr_expect(!sniff(FILE_OF("\x89PNG\r\n\x1a\n\0\0\0\15IHDR\0\0\0\0\0\0\0\7\10\6\0\0\0abcd"), &s));
	cr_expect(!sniff(FILE_OF("\xff\xd8\xff\xd9"), &s));
	cr_expect(!sniff(FILE_OF("<svg/>"), &s));
	cr_expect(!sniff(FILE_OF("RIFF\x1e\0\0\0WAVE"), &s));
	cr_expect(!sniff(FILE_OF(""), &s));
}

Test(sniff, finds_the_orientation)
{
	/* little and big endian, SHORT and LONG, out of range, cut off, behind other segments */
	static const struct {
		const char *tiff;
		size_t n;
		int got;
	} v[] = {
#define TIFF(lit) lit, sizeof(lit) - 1
		{TIFF("II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"), 6}, {TIFF("MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\10\0\0\0\0\0\0"), 8},
		{TIFF("MM\0*\0\0\0\10\0\1\1\22\0\4\0\0\0\1\0\0\0\3\0\0\0\0"), 3}, {TIFF("II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\x4d\0\0\0\0\0\0\0"), 1},
		{TIFF("II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\0\0\0\0\0\0\0\0"), 1}, {TIFF("II*\0\10\0\0\0\1\0\22\1\3\0\1\0"), 1}, {TIFF("II*\0\xff\xff\xff\xff\1\0\22\1\3\0\1\0"), 1},
		{TIFF("II*\0\10\0\0\0\2\0\0\1\3\0\1\0\0\0\5\0\0\0\22\1\3\0\1\0\0\0\2\0\0\0\0\0\0\0"), 2}, {TIFF("XX*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"), 1},
	};

	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		struct sniffed s;
		struct buf b;

		buf_init(&b, NULL, 100);
		BUF_LIT(&b, "\xff\xd8\xff\xe1\0");
		buf_ch(&b, (char)(v[i].n + 8));
		BUF_LIT(&b, "Exif\0\0");
		buf_add(&b, v[i].tiff, v[i].n);
		BUF_LIT(&b, "\xff\xc0\0\13\10\0\5\0\11\1\1\21\0\xff\xda");
		cr_assert(sniff((const uint8_t *)b.p, b.n, &s), "%zu", i);
		cr_expect(s.orientation == v[i].got && s.w == 9, "%zu: %d", i, s.orientation);
		for (size_t n = 0; n < b.n; n++) {	/* cut off anywhere, in memory that ends there */
			uint8_t *p = malloc(n ? n : 1);

			memcpy(p, b.p, n);
			(void)sniff(p, n, &s);
			free(p);
		}
		buf_fini(&b);
	}
}

Test(sniff, leaves_a_png_its_pixels)
{
	static const char in[] = "\x89PNG\r\n\x1a\n\0\0\0\0IHDRcrc1\0\0\0\3zTXtabccrc2\0\0\0\2IDATxycrc3\0\0\0\1eXIfacrc4\0\0\0\0IENDcrc5\0\0\0\xffIDATcut";
	static const char out[] = "\x89PNG\r\n\x1a\n\0\0\0\0IHDRcrc1\0\0\0\2IDATxycrc3\0\0\0\0IENDcrc5";
	uint8_t b[sizeof in];
	size_t n;

	memcpy(b, in, sizeof in - 1);
	n = png_essence(b, sizeof in - 1);
	cr_assert(n >= sizeof out - 1 && memcmp(b, out, sizeof out - 1) == 0);
}
