/* Pictures by real image workers: every step of the pipeline, every format, and what is no picture. */
#include <criterion/criterion.h>

#include "check.h"
#include "core/conf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "picture_lab.h"

#include <lcms2.h>
#include <libheif/heif.h>
#include <zlib.h>

static bool finished;

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", "warn", false);
	lab_open();
	metric_init(1);
	metric_slot(0);
	loop_init();
}

static void
teardown(void)
{
	lab_close();
}

static void
finish(void)
{
	finished = true;
	loop_stop();
}

static void (*body)(struct ctx *cx);

static void
run_body(struct ctx *cx, void *arg)
{
	(void)arg;
	body(cx);
	finish();
}

static void
run(void (*fn)(struct ctx *cx))
{
	body = fn;
	fib_spawn_new("test", 200000, run_body, NULL);
	loop_run();
	cr_assert(finished);
	cr_assert_eq(failures, 0);	/* here: what is asserted when a test is over fails nothing */
}

TestSuite(picture, .init = setup, .fini = teardown, .timeout = 600);

static const struct picture_ask plain = {.quality = 100, .opacity = 1};

static err_t
make(struct ctx *cx, struct str file, struct picture_ask ask, struct picture *out)
{
	struct lab_source s = {file, 4000};

	return picture_make(cx, lab_give, &s, &ask, out);
}

/* ---- formats ---- */

static void
formats(struct ctx *cx)
{
	static const char *const in[] = {"JPEG", "PNG", "GIF", "WEBP"};
	static const struct {
		enum picture_format ask;
		const char *type, *magic;
	} out[] = {{PICTURE_JPG, "image/jpeg", "\xff\xd8\xff"}, {PICTURE_PNG, "image/png", "\x89PNG"}, {PICTURE_GIF, "image/gif", "GIF8"},
	    {PICTURE_WEBP, "image/webp", "RIFF"}, {PICTURE_AVIF, "image/avif", NULL}};
	struct lab_picture q = lab_quarters(64, 48);
	struct picture p;

	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 5; k++) {
			struct picture_ask ask = plain;
			struct lab_picture seen;

			ask.width = 32;
			ask.format = out[k].ask;
			GOOD(make(cx, lab_file(&q, 1, in[i], 0), ask, &p));
			CHECK(strcmp(p.type, out[k].type) == 0);
			CHECK(p.width == 32 && p.height == 24);
			CHECK(out[k].magic == NULL || memcmp(p.bytes.p, out[k].magic, strlen(out[k].magic)) == 0);
			seen = lab_look_one(p.bytes);
			CHECK(seen.w == 32 && seen.h == 24);
			CHECK(lab_near(lab_at(&seen, 4, 4), 0xff0000ff, 24));
			CHECK(lab_near(lab_at(&seen, 28, 4), 0x00ff00ff, 24));
			CHECK(lab_near(lab_at(&seen, 4, 20), 0x0000ffff, 24));
			CHECK(lab_near(lab_at(&seen, 28, 20), 0xffff00ff, 24));
		}
}

Test(picture, every_format_becomes_every_other)
{
	run(formats);
}

/* ---- size and crop (spec 8.2, 1) ---- */

static void
sizes(struct ctx *cx)
{
	static const struct {
		int w, h;		/* of the source */
		int ask_w, ask_h;
		const char *gravity;
		int got_w, got_h;
		unsigned left, right;	/* colours at the middle of both edges: bands of a sixth each, see below; 0: not looked at */
	} cases[] = {
		{600, 300, 0, 0, NULL, 600, 300, 0, 0},
		{600, 300, 300, 0, NULL, 300, 150, 0xff0000ff, 0xff00ffff},
		{600, 300, 0, 100, NULL, 200, 100, 0xff0000ff, 0xff00ffff},
		{600, 300, 100, 100, NULL, 100, 100, 0x00ff00ff, 0x00ffffff},	/* the middle half */
		{600, 300, 100, 100, "center", 100, 100, 0x00ff00ff, 0x00ffffff},
		{600, 300, 100, 100, "CENTER", 100, 100, 0x00ff00ff, 0x00ffffff},
		{600, 300, 100, 100, "left", 100, 100, 0xff0000ff, 0x0000ffff},
		{600, 300, 100, 100, "top-left", 100, 100, 0xff0000ff, 0x0000ffff},
		{600, 300, 100, 100, "bottom-left", 100, 100, 0xff0000ff, 0x0000ffff},
		{600, 300, 100, 100, "right", 100, 100, 0xffff00ff, 0xff00ffff},
		{600, 300, 100, 100, "top-right", 100, 100, 0xffff00ff, 0xff00ffff},
		{600, 300, 100, 100, "top", 100, 100, 0x00ff00ff, 0x00ffffff},
		{600, 300, 1200, 900, NULL, 1200, 900, 0, 0},			/* enlarged */
		{600, 300, 600, 10, "bottom", 600, 10, 0xff0000ff, 0xff00ffff},
		{300, 2, 10, 0, NULL, 10, 1, 0, 0},				/* a side is never less than 1 */
		{2, 300, 0, 10, NULL, 1, 10, 0, 0},
		{3000, 1, 40, 40, NULL, 40, 40, 0, 0},				/* 120000 wide when scaled: only the cut is made */
		{1, 3000, 40, 40, "bottom", 40, 40, 0, 0},
		{1, 1, 4000, 1, NULL, 4000, 1, 0, 0},
	};
	static const unsigned bands[6] = {0xff0000ff, 0x00ff00ff, 0x0000ffff, 0xffff00ff, 0x00ffffff, 0xff00ffff};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lab_picture v = lab_new(cases[i].w, cases[i].h, 0xff), seen;
		struct picture_ask ask = plain;
		struct picture p;

		for (int b = 0; b < 6; b++)
			lab_fill(&v, b * v.w / 6, 0, (b + 1) * v.w / 6 - b * v.w / 6, v.h, bands[b]);
		ask.width = cases[i].ask_w;
		ask.height = cases[i].ask_h;
		ask.gravity = cases[i].gravity;
		GOOD(make(cx, lab_file(&v, 1, "PNG", 0), ask, &p));
		seen = lab_look_one(p.bytes);
		if (seen.w != cases[i].got_w || seen.h != cases[i].got_h || p.width != seen.w || p.height != seen.h)
			fprintf(stderr, "case %zu: %dx%d\n", i, seen.w, seen.h), failures++;
		if (cases[i].left != 0 && (!lab_near(lab_at(&seen, 2, seen.h / 2), cases[i].left, 12) ||
		    !lab_near(lab_at(&seen, seen.w - 3, seen.h / 2), cases[i].right, 12)))
			fprintf(stderr, "case %zu: %08x to %08x\n", i, lab_at(&seen, 2, seen.h / 2), lab_at(&seen, seen.w - 3, seen.h / 2)), failures++;
	}
}

Test(picture, is_cut_to_exactly_what_was_asked)
{
	run(sizes);
}

static void
too_large(struct ctx *cx)
{
	struct lab_picture v = lab_new(3000, 1, 0xff0000ff), big = lab_new(2000, 2000, 0xffff);
	struct picture_ask ask = plain;
	struct picture p;

	conf.picture_pixels = 1000000;	/* before the worker is told */
	ask.height = 4000;	/* twelve million wide */
	FAILS(make(cx, lab_file(&v, 1, "PNG", 0), ask, &p), PICTURE_LARGE);
	ask = plain;
	for (int i = 0; i < 4; i++)
		FAILS(make(cx, lab_file(&big, 1, ((const char *const[]){"PNG", "GIF", "WEBP", "JPEG"})[i], 0), ask, &p), PICTURE_LARGE);
	ask.width = ask.height = 1500;	/* it is the result, too */
	FAILS(make(cx, lab_file(&v, 1, "PNG", 0), ask, &p), PICTURE_LARGE);
	ask.width = ask.height = 300;	/* read at a smaller scale */
	GOOD(make(cx, lab_file(&big, 1, "JPEG", 0), ask, &p));
	conf.picture_source_max = 1000;
	FAILS(make(cx, lab_file(&big, 1, "JPEG", 0), ask, &p), PICTURE_LARGE);
}

Test(picture, over_a_limit_is_refused)
{
	run(too_large);
}

/* ---- EXIF ---- */

static const struct {
	int value;
	int turned;
	unsigned corners[4];	/* top left, top right, bottom left, bottom right, of quarters red green / blue yellow */
} orientations[] = {
	{1, 0, {0xff0000ff, 0x00ff00ff, 0x0000ffff, 0xffff00ff}}, {2, 0, {0x00ff00ff, 0xff0000ff, 0xffff00ff, 0x0000ffff}},
	{3, 0, {0xffff00ff, 0x0000ffff, 0x00ff00ff, 0xff0000ff}}, {4, 0, {0x0000ffff, 0xffff00ff, 0xff0000ff, 0x00ff00ff}},
	{5, 1, {0xff0000ff, 0x0000ffff, 0x00ff00ff, 0xffff00ff}}, {6, 1, {0x0000ffff, 0xff0000ff, 0xffff00ff, 0x00ff00ff}},
	{7, 1, {0xffff00ff, 0x00ff00ff, 0x0000ffff, 0xff0000ff}}, {8, 1, {0x00ff00ff, 0xffff00ff, 0xff0000ff, 0x0000ffff}},
	{77, 0, {0xff0000ff, 0x00ff00ff, 0x0000ffff, 0xffff00ff}},
};

static bool
carries_nothing(struct str b)
{
	static const char *const words[] = {"GPSPLACE", "Exif", "eXIf", "EXIF", "ICC_PROFILE", "iCCP", "ICCP", "tEXt", "zTXt", "iTXt", "tIME", "http:"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (memmem(b.p, b.n, words[i], strlen(words[i])) != NULL) {
			fprintf(stderr, "there is %s in it\n", words[i]);
			return false;
		}
	return true;
}

static void
upright(struct ctx *cx)
{
	static const char *const in[] = {"JPEG", "PNG", "WEBP"};
	static const struct {
		int w, h;
		const char *gravity;
	} asks[] = {{0, 0, NULL}, {60, 0, NULL}, {0, 60, NULL}, {60, 30, "top-left"}, {30, 60, NULL}};
	struct lab_picture q = lab_quarters(120, 80);

	for (size_t k = 0; k < sizeof orientations / sizeof *orientations; k++)
		for (int f = 0; f < 3; f++)
			for (size_t a = 0; a < sizeof asks / sizeof *asks; a++) {
				double w = orientations[k].turned ? 80 : 120, h = orientations[k].turned ? 120 : 80;
				struct picture_ask ask = plain;
				struct lab_picture seen;
				struct picture p;

				ask.width = asks[a].w;
				ask.height = asks[a].h;
				ask.gravity = asks[a].gravity;
				GOOD(make(cx, lab_file(&q, 1, in[f], orientations[k].value), ask, &p));
				CHECK(carries_nothing(p.bytes));
				seen = lab_look_one(p.bytes);
				CHECK(seen.w == (asks[a].w ? asks[a].w : asks[a].h ? (int)(asks[a].h * w / h) : (int)w));
				CHECK(seen.h == (asks[a].h ? asks[a].h : asks[a].w ? (int)(asks[a].w * h / w) : (int)h));
				CHECK(lab_near(lab_at(&seen, 3, 3), orientations[k].corners[0], 40));
				if (asks[a].w == 0 || asks[a].h == 0)
					for (int c = 0; c < 4; c++)
						if (!lab_near(lab_at(&seen, c & 1 ? seen.w - 4 : 3, c & 2 ? seen.h - 4 : 3), orientations[k].corners[c], 40))
							fprintf(stderr, "%s, orientation %d, corner %d\n", in[f], orientations[k].value, c), failures++;
			}
}

Test(picture, stands_upright_and_says_nothing_of_its_place)
{
	run(upright);
}

/* ---- the other steps ---- */

static void
decorated(struct ctx *cx)
{
	struct lab_picture red = lab_new(40, 20, 0xff0000ff), clear = lab_new(40, 20, 0x00ff0000), q = lab_quarters(40, 20), seen;
	struct picture_ask ask;
	struct picture p;

	/* opacity: of every pixel, and nothing under JPEG but white */
	ask = plain;
	ask.opacity = 0.5;
	GOOD(make(cx, lab_file(&red, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen, 5, 5), 0xff000080, 2));
	ask.format = PICTURE_JPG;
	GOOD(make(cx, lab_file(&red, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen, 5, 5), 0xff7f7fff, 8));
	ask = plain;
	ask.opacity = 0;	/* has no effect */
	GOOD(make(cx, lab_file(&red, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen, 5, 5), 0xff0000ff, 0));

	/* what is transparent: kept, white under JPEG, or the background */
	ask = plain;
	GOOD(make(cx, lab_file(&clear, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK((lab_at(&seen, 5, 5) & 255) == 0);
	ask.format = PICTURE_JPG;
	GOOD(make(cx, lab_file(&clear, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen, 5, 5), 0xffffffff, 3));
	ask.background = "3060c0";
	GOOD(make(cx, lab_file(&clear, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen, 5, 5), 0x3060c0ff, 6));

	/* border: around it; with a radius on it */
	ask = plain;
	ask.border_width = 3;
	FAILS(make(cx, lab_file(&red, 1, "PNG", 0), ask, &p), GENERAL_ARGUMENT_INVALID);
	ask.border_color = "0000ff";
	GOOD(make(cx, lab_file(&red, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(seen.w == 46 && seen.h == 26);
	CHECK(lab_near(lab_at(&seen, 2, 10), 0x0000ffff, 0) && lab_near(lab_at(&seen, 3, 10), 0xff0000ff, 0) && lab_near(lab_at(&seen, 0, 0), 0x0000ffff, 0));
	ask.border_radius = 6;
	GOOD(make(cx, lab_file(&red, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(seen.w == 40 && seen.h == 20);
	CHECK((lab_at(&seen, 0, 0) & 255) == 0 && lab_near(lab_at(&seen, 3, 10), 0x0000ffff, 0) && lab_near(lab_at(&seen, 20, 10), 0xff0000ff, 0));
	ask.border_width = 0;
	ask.border_color = NULL;
	GOOD(make(cx, lab_file(&red, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(seen.w == 40 && seen.h == 20 && (lab_at(&seen, 0, 0) & 255) == 0 && lab_near(lab_at(&seen, 0, 10), 0xff0000ff, 0));
	ask.border_radius = 4000;	/* as round as can be */
	ask.border_width = 100;
	ask.border_color = "000000";
	GOOD(make(cx, lab_file(&red, 1, "PNG", 0), ask, &p));
	CHECK(p.width == 40 && p.height == 20);

	/* rotation: clockwise, on top of everything; whole turns do nothing */
	ask = plain;
	ask.rotation = 90;
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(seen.w == 20 && seen.h == 40 && lab_near(lab_at(&seen, 2, 2), 0x0000ffff, 0) && lab_near(lab_at(&seen, 17, 2), 0xff0000ff, 0));
	GOOD(make(cx, lab_file(&q, 1, "PNG", 6), ask, &p));	/* after EXIF's */
	seen = lab_look_one(p.bytes);
	CHECK(seen.w == 40 && seen.h == 20 && lab_near(lab_at(&seen, 2, 2), 0xffff00ff, 0));
	ask.rotation = -360;
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), ask, &p));
	CHECK(p.width == 40 && p.height == 20);
	for (int r = -315; r <= 45; r += 360) {
		ask.rotation = r;
		GOOD(make(cx, lab_file(&q, 1, "PNG", 0), ask, &p));
		seen = lab_look_one(p.bytes);
		CHECK(seen.w == 43 && seen.h == 43 && (lab_at(&seen, 0, 0) & 255) == 0 && lab_near(lab_at(&seen, 21, 8), 0xff0000ff, 90));
	}
	ask.format = PICTURE_JPG;
	ask.background = "00ffff";
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), ask, &p));
	seen = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen, 1, 1), 0x00ffffff, 20));
}

Test(picture, goes_through_every_step)
{
	run(decorated);
}

/* Green under full transparency must not show at the edge of red when it is made smaller. */
static void
fringe(struct ctx *cx)
{
	struct lab_picture v = lab_new(400, 400, 0x00ff0000), seen;
	struct picture_ask ask = plain;
	struct picture p;

	lab_fill(&v, 101, 101, 197, 197, 0xff0000ff);
	for (int size = 20; size <= 150; size += 65)
		for (int turn = 0; turn <= 20; turn += 20) {
			ask.width = size;
			ask.rotation = turn;
			GOOD(make(cx, lab_file(&v, 1, "PNG", 0), ask, &p));
			seen = lab_look_one(p.bytes);
			for (int i = 0; i < seen.w * seen.h; i++) {
				const unsigned char *c = seen.px + 4 * i;

				if (c[3] > 8 && c[1] > 20) {
					fprintf(stderr, "size %d: %02x%02x%02x%02x\n", size, c[0], c[1], c[2], c[3]);
					failures++;
					return;
				}
			}
		}
}

Test(picture, shows_no_hidden_colour)
{
	run(fringe);
}

static void
animations(struct ctx *cx)
{
	static const enum picture_format out[] = {PICTURE_GIF, PICTURE_WEBP};
	struct lab_picture v[3] = {lab_new(40, 40, 0xff0000ff), lab_new(40, 40, 0x00ff00ff), lab_new(40, 40, 0x0000ffff)}, seen[8];
	struct picture_ask ask = plain;
	struct str file = lab_file(v, 3, "GIF", 0);
	struct picture p, again;

	ask.width = 20;
	ask.border_width = 2;
	ask.border_color = "ffffff";
	for (int i = 0; i < 2; i++) {
		ask.format = out[i];
		GOOD(make(cx, file, ask, &p));
		CHECK(p.width == 24 && p.height == 24);
		/* back to GIF, whose frames the library of the test tells */
		GOOD(make(cx, p.bytes, (struct picture_ask){.quality = 100, .opacity = 1, .format = PICTURE_GIF}, &again));
		CHECK(lab_look(again.bytes, seen, 8) == 3);
		for (int k = 0; k < 3; k++) {
			CHECK(lab_near(lab_at(&seen[k], 12, 12), lab_at(&v[k], 0, 0), 24));
			CHECK(lab_near(lab_at(&seen[k], 0, 12), 0xffffffff, 16));
		}
	}
	ask.format = PICTURE_PNG;	/* one frame, the first */
	GOOD(make(cx, file, ask, &p));
	seen[0] = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen[0], 12, 12), 0xff0000ff, 0));
}

static void
still(struct ctx *cx)
{
	struct lab_picture v[5], seen[8];
	struct picture_ask ask = plain;
	struct picture p;
	struct buf gif;

	conf.picture_frames = 4;
	for (int i = 0; i < 5; i++)
		v[i] = lab_new(10, 10, i == 0 ? 0xff0000ff : 0x0000ffff);
	for (int n = 4; n <= 5; n++) {	/* too many frames: the first */
		GOOD(make(cx, lab_file(v, n, "GIF", 0), plain, &p));
		CHECK(lab_look(p.bytes, seen, 8) == (n == 4 ? 4 : 1));
		CHECK(lab_near(lab_at(&seen[0], 5, 5), 0xff0000ff, 0));
	}
	/* frames of a pixel on a canvas of 36 million: each would cost the canvas */
	buf_init(&gif, NULL, 4000);
	buf_add(&gif, "GIF89a\x70\x17\x70\x17\x80\0\0\xff\0\0\0\0\xff", 19);
	for (int i = 0; i < 200; i++)
		buf_add(&gif, "\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0", 15);
	buf_ch(&gif, ';');
	ask.width = 50;
	GOOD(make(cx, buf_view(&gif), ask, &p));
	CHECK(p.width == 50 && p.height == 50 && lab_look(p.bytes, seen, 8) == 1);
}

Test(picture, that_moves_too_much_stands_still)
{
	run(still);
}

Test(picture, that_moves_moves_in_every_step)
{
	run(animations);
}

/* A profile whose red and green are exchanged against sRGB: whoever follows it sees green, and no output carries it. */
static struct str
odd_profile(void)
{
	cmsCIExyY white = {0.3127, 0.3290, 1};
	cmsCIExyYTRIPLE primaries = {{0.30, 0.60, 1}, {0.64, 0.33, 1}, {0.15, 0.06, 1}};
	cmsToneCurve *curve = cmsBuildGamma(NULL, 2.2), *curves[3] = {curve, curve, curve};
	cmsHPROFILE h = cmsCreateRGBProfile(&white, &primaries, curves);
	cmsUInt32Number n = 0;
	char *p;

	cr_assert(cmsSaveProfileToMem(h, NULL, &n));
	p = malloc(n);
	cr_assert(cmsSaveProfileToMem(h, p, &n));
	return (struct str){p, n};
}

static void
profiles(struct ctx *cx)
{
	static const enum picture_format out[] = {PICTURE_JPG, PICTURE_PNG, PICTURE_GIF, PICTURE_WEBP};
	struct lab_picture red = lab_new(60, 60, 0xff0000ff), seen;
	struct picture_ask ask = plain;
	struct picture p;

	lab_profile = odd_profile();
	for (int i = 0; i < 4; i++)
		for (int f = 0; f < 2; f++) {
			ask.format = out[i];
			ask.width = f == 0 ? 20 : 0;
			GOOD(make(cx, lab_file(&red, 1, f == 0 ? "JPEG" : "PNG", 0), ask, &p));
			CHECK(carries_nothing(p.bytes));
			seen = lab_look_one(p.bytes);
			CHECK(lab_near(lab_at(&seen, 10, 10), 0x00ff00ff, 60));
		}
	lab_profile = STR("no profile at all, and much too short");
	GOOD(make(cx, lab_file(&red, 1, "JPEG", 0), plain, &p));
	seen = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen, 10, 10), 0xff0000ff, 30));
	lab_profile = STR_NONE;
}

Test(picture, has_the_colours_of_its_profile)
{
	run(profiles);
}

static void
colours(struct ctx *cx)
{
	struct lab_picture red = lab_new(30, 30, 0xff0000ff), seen;
	struct picture p;
	Image *im;
	ImageInfo *info = CloneImageInfo(NULL);
	ExceptionInfo why;
	size_t n = 0;
	void *file;

	/* CMYK as printers have it */
	lab_magick();
	GetExceptionInfo(&why);
	im = ConstituteImage(30, 30, "RGBP", CharPixel, red.px, &why);
	TransformColorspace(im, CMYKColorspace);
	snprintf(info->magick, sizeof info->magick, "JPEG");
	snprintf(im->magick, sizeof im->magick, "JPEG");
	file = ImageToBlob(info, im, &n, &why);
	CHECK(file != NULL);
	GOOD(make(cx, (struct str){file, n}, (struct picture_ask){.quality = 100, .opacity = 1, .width = 10, .format = PICTURE_PNG}, &p));
	seen = lab_look_one(p.bytes);
	CHECK(lab_near(lab_at(&seen, 5, 5), 0xff0000ff, 40));
}

Test(picture, of_inks_becomes_one_of_lights)
{
	run(colours);
}

/* ---- hostile ---- */

static void
be32(struct buf *b, uint32_t v)
{
	for (int i = 24; i >= 0; i -= 8)
		buf_ch(b, (char)(v >> i));
}

static void
png_chunk(struct buf *b, const char *type, struct str data)
{
	uLong crc;

	be32(b, (uint32_t)data.n);
	buf_c(b, type);
	buf_str(b, data);
	crc = crc32(crc32(0, (const Bytef *)type, 4), (const Bytef *)data.p, (uInt)data.n);
	be32(b, (uint32_t)crc);
}

static struct str
zeros_deflated(size_t n)
{
	size_t room = n / 500 + 10000;
	char *to = malloc(room);
	static Bytef block[65536];
	z_stream z = {0};

	deflateInit(&z, 9);
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)room;
	while (n > 0) {
		z.next_in = block;
		z.avail_in = (uInt)(n < sizeof block ? n : sizeof block);
		n -= z.avail_in;
		deflate(&z, n == 0 ? Z_FINISH : Z_NO_FLUSH);
	}
	deflateEnd(&z);
	return (struct str){to, room - z.avail_out};
}

/* Black and white, of that size, perhaps with a text of `text` zeros. */
static struct str
bomb_png(uint32_t w, uint32_t h, size_t text)
{
	struct buf b, head, note;

	buf_init(&b, NULL, 1000);
	buf_init(&head, NULL, 20);
	buf_init(&note, NULL, 20);
	BUF_LIT(&b, "\x89PNG\r\n\x1a\n");
	be32(&head, w);
	be32(&head, h);
	buf_add(&head, "\1\0\0\0\0", 5);
	png_chunk(&b, "IHDR", buf_view(&head));
	if (text > 0) {
		buf_add(&note, "Comment\0\0", 9);
		buf_str(&note, zeros_deflated(text));
		png_chunk(&b, "zTXt", buf_view(&note));
		png_chunk(&b, "iCCP", buf_view(&note));
	}
	png_chunk(&b, "IDAT", zeros_deflated((size_t)(w / 8 + 1) * h));
	png_chunk(&b, "IEND", STR_NONE);
	return buf_view(&b);
}

static struct str
copy_of(struct str s)
{
	char *p = malloc(s.n + 1);

	memcpy(p, s.p, s.n);
	return (struct str){p, s.n};
}

/* With other bytes at a place. */
static struct str
patched(struct str s, size_t at, const char *by, size_t n)
{
	struct str c = copy_of(s);

	memcpy((char *)(uintptr_t)c.p + at, by, n);
	return c;
}

static size_t
where(struct str s, const char *what, size_t n)
{
	const char *p = memmem(s.p, s.n, what, n);

	cr_assert_not_null(p);
	return (size_t)(p - s.p);
}

/* A picture or one of the two errors, and the next good one is made. */
static err_t
survive(struct ctx *cx, const char *name, struct str file, err_t must)
{
	static struct lab_picture good;
	struct picture_ask ask = plain;
	struct picture p;
	err_t e;

	if (good.px == NULL)
		good = lab_quarters(16, 16);
	ask.width = 100;
	e = make(cx, file, ask, &p);
	if ((e != OK && e != ERR_PICTURE_BAD && e != ERR_PICTURE_LARGE) || (must != ERR_N && e != must))
		fprintf(stderr, "%s: %s (%s)\n", name, err_info(e)->name, cx->detail ? cx->detail : ""), failures++;
	if (make(cx, lab_file(&good, 1, "PNG", 0), plain, &p) != OK)
		fprintf(stderr, "after %s: the next is not made\n", name), failures++;
	return e;
}

static void
bombs(struct ctx *cx)
{
	struct lab_picture q = lab_quarters(64, 48);
	struct str jpeg = lab_file(&q, 1, "JPEG", 0), gif = lab_file(&q, 1, "GIF", 0), webp = lab_file(&q, 1, "WEBP", 0);
	size_t sof = where(jpeg, "\xff\xc0", 2);

	survive(cx, "PNG 40000 x 40000", bomb_png(40000, 40000, 0), ERR_PICTURE_LARGE);
	survive(cx, "PNG 6000 x 6000", bomb_png(6000, 6000, 0), OK);
	survive(cx, "PNG with texts of 100 MB", bomb_png(64, 64, 100000000), OK);
	survive(cx, "JPEG 64250 x 64250", patched(jpeg, sof + 5, "\xfa\xfa\xfa\xfa", 4), ERR_PICTURE_LARGE);
	survive(cx, "JPEG 17000 x 17000 without an end", patched(jpeg, sof + 5, "\x42\x68\x42\x68", 4), ERR_N);
	survive(cx, "GIF 65535 x 65535", patched(gif, 6, "\xff\xff\xff\xff", 4), ERR_PICTURE_LARGE);
	survive(cx, "GIF whose frame is 65535 x 65535", patched(gif, where(gif, "\x2c\0\0\0\0", 5) + 5, "\xff\xff\xff\xff", 4), ERR_N);
	survive(cx, "PNG 0 x 0", patched(lab_file(&q, 1, "PNG", 0), 16, "\0\0\0\0\0\0\0\0", 8), ERR_PICTURE_BAD);
	survive(cx, "JPEG 0 x 0", patched(jpeg, sof + 5, "\0\0\0\0", 4), ERR_PICTURE_BAD);
	survive(cx, "GIF 0 x 0", patched(gif, 6, "\0\0\0\0", 4), ERR_PICTURE_BAD);
	survive(cx, "WebP 16383 x 16383", patched(webp, where(webp, "VP8 ", 4) + 14, "\xff\x3f\xff\x3f", 4), ERR_PICTURE_LARGE);
	survive(cx, "wrong CRC", patched(lab_file(&q, 1, "PNG", 0), 29, "\1\2\3\4", 4), ERR_N);
}

Test(picture, that_is_a_bomb_costs_a_bounded_time)
{
	run(bombs);
}

static void
impostors(struct ctx *cx)
{
	static const char *const texts[] = {
	    "push graphic-context\nviewbox 0 0 640 480\nfill 'url(https://example.org/x.png\"|ls \"-la)'\npop graphic-context",
	    "<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"/etc/passwd\"/></svg>",
	    "<?xml version=\"1.0\"?><svg><text>x</text></svg>",
	    "<?xml version=\"1.0\"?><image><read filename=\"/etc/passwd\"/></image>",
	    "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "%PDF-1.4\n", "text:/etc/passwd", "label:@/etc/passwd",
	    "P6\n1 1\n255\n\1\2\3", "BM", "II*", "MM", "id=ImageMagick", "\x76/1\x01", "\xc5\xd0\xd3\xc6", "https://example.org/a.png", "", "G", "GIF89a", "\xff\xd8\xff",
	    "\xff\xd8\xff\xe0", "\x89PNG\r\n\x1a\n", "RIFF....WEBP", "RIFF....WEBPVP8 ", "....ftypheic....", "....ftypavif........",
	};
	struct lab_picture q = lab_quarters(64, 48);
	struct str script = STR("*/=1;alert(1)/*<script>alert(1)</script>");
	struct buf b;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		survive(cx, texts[i], str_c(texts[i]), ERR_PICTURE_BAD);
	for (int i = 0; i < 4; i++) {	/* a picture, and something else behind it */
		buf_init(&b, NULL, 1000);
		buf_str(&b, lab_file(&q, 1, ((const char *const[]){"JPEG", "PNG", "GIF", "WEBP"})[i], 0));
		buf_str(&b, script);
		survive(cx, "polyglot", buf_view(&b), OK);
	}
}

Test(picture, that_is_none_is_told_by_its_bytes)
{
	run(impostors);
}

static void
damaged(struct ctx *cx)
{
	static const char *const in[] = {"JPEG", "PNG", "GIF", "WEBP"};
	struct lab_picture q[2] = {lab_quarters(64, 48), lab_quarters(64, 48)};
	unsigned seed = 7;

	for (int f = 0; f < 4; f++) {
		struct str file = lab_file(q, f == 2 ? 2 : 1, in[f], 6);
		char name[40];

		for (int i = 1; i < 8; i++) {
			snprintf(name, sizeof name, "%s cut off", in[f]);
			survive(cx, name, (struct str){file.p, file.n * (size_t)i / 8}, ERR_N);
		}
		for (int i = 0; i < 25; i++) {
			struct str c = copy_of(file);

			for (int k = 0; k < 4; k++) {
				seed = seed * 1103515245 + 12345;
				((char *)(uintptr_t)c.p)[(seed >> 8) % c.n] = (char)(seed >> 24);
			}
			snprintf(name, sizeof name, "%s damaged %d", in[f], i);
			survive(cx, name, c, ERR_N);
		}
	}
}

Test(picture, that_is_damaged_harms_nobody)
{
	run(damaged);
}

/* ---- letters and pages ---- */

/* Pixels that are seen through. */
static int
holes(struct lab_picture *p)
{
	int n = 0;

	for (int y = 0; y < p->h; y++)
		for (int x = 0; x < p->w; x++)
			n += (lab_at(p, x, y) & 0xff) < 128;
	return n;
}

static void
letters(struct ctx *cx)
{
	static const char *const drawn[] = {"J\nD", "Ж\n", "ع\nא", "王\n김", "अ\nท", "😀\n", "e\xcc\x81\n@"}, *const hostile[] = {"", "\n", "\n\n\n", "\xf4\x8f\xbf\xbd\n", "\x01\n\x7f",
	    "\xe2\x80\xae\n\xe2\x80\xae", "\xef\xb7\xba\n\xef\xb7\xba"};
	static const int sides[][2] = {{1, 1}, {1, 2000}, {2000, 1}, {7, 3}, {2000, 2000}};
	struct lab_picture seen;
	struct picture p;

	for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
		GOOD(picture_initials(cx, str_c(drawn[i]), 100, 80, 0x94dbd1, &p));
		seen = lab_look_one(p.bytes);
		CHECK(strcmp(p.type, "image/png") == 0 && seen.w == 100 && seen.h == 80);
		CHECK(lab_at(&seen, 0, 0) == 0x94dbd1ff && holes(&seen) > 30);
	}
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
		GOOD(picture_initials(cx, str_c(hostile[i]), 50, 50, 0, &p));
	for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
		GOOD(picture_initials(cx, STR("W\nM"), sides[i][0], sides[i][1], 0, &p));
		seen = lab_look_one(p.bytes);
		CHECK(seen.w == sides[i][0] && seen.h == sides[i][1]);
	}
	CHECK(picture_initials(cx, STR("\xff"), 50, 50, 0, &p) == ERR_PICTURE_BAD);
	GOOD(picture_initials(cx, STR("J\nD"), 100, 80, 0x94dbd1, &p));
}

Test(picture, of_letters_has_holes_in_their_shape)
{
	run(letters);
}

static void
letters_late(struct ctx *cx)
{
	struct picture p;

	for (int i = 0; i < 3; i++)
		GOOD(picture_initials(cx, STR("J\nD"), 50 + 10 * i, 50, 0, &p));
}

/* Whatever a library does in threads of its own, and however long these stay. */
Test(picture, of_letters_is_forked_from_one_thread)
{
	lab_close();
	lab_preload = LATE_THREADS;
	lab_open();
	run(letters_late);
}

static void
pages(struct ctx *cx)
{
	static const struct {
		const char *page, *base, *icon;
	} rows[] = {
		{"", "", ""}, {"<p>", "", ""}, {"<link rel=icon href=/a.png>", "", "/a.png"}, {"<base href=x/><base href=y/><link rel='Shortcut Icon' href=' a.ICO\n'>", "x/", "a.ICO"},
		{"<link rel=icon href=a.png sizes=16x16><link rel=icon href=b.png sizes='32x32 1x1'><link rel=icon href=c.png sizes=8x8>", "", "b.png"},
		{"<link rel=icon href=a.png><link rel=icon href=b.png>", "", "b.png"}, {"<link rel=icon href=a.svg><link rel=stylesheet href=b.png><link rel=apple-touch-icon href=c.png>", "", ""},
		{"<!-- <link rel=icon href=a.png> --><script>'<link rel=icon href=a.png>'</script>", "", ""}, {"<link rel=icon sizes=16x16><link href=a.png>", "", ""},
		{"<link rel=icon href=a.png sizes=99999x99999><link rel=icon href=b.png sizes=1x1>", "", "b.png"}, {"<link rel=icon href='a\tb.png'>", "", "ab.png"},
	};
	struct buf deep;
	const char *base, *icon;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		GOOD(picture_page_icon(cx, str_c(rows[i].page), &base, &icon));
		CHECK(strcmp(base, rows[i].base) == 0 && strcmp(icon, rows[i].icon) == 0);
	}
	buf_init(&deep, cx->arena, 1 << 20);
	for (int i = 0; i < 100000; i++)
		buf_c(&deep, "<div>");
	buf_c(&deep, "<link rel=icon href=a.png>");
	GOOD(picture_page_icon(cx, buf_view(&deep), &base, &icon));
	CHECK(icon[0] == '\0' || strcmp(icon, "a.png") == 0);
}

Test(picture, none_but_where_a_page_has_one)
{
	run(pages);
}

/* ---- the workers ---- */

/* Those that the launcher started; their number. */
static int
workers(pid_t *v, int max)
{
	char path[100];
	FILE *f;
	int n = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)lab_launcher_pid, (int)lab_launcher_pid);
	f = fopen(path, "r");
	cr_assert_not_null(f);
	while (n < max && fscanf(f, "%d", &v[n]) == 1)
		n++;
	fclose(f);
	return n;
}

struct other {			/* a picture of a fiber of its own */
	struct str file;
	const char *client;
	err_t e;
	bool done;
};

static void
run_other(struct ctx *cx, void *arg)
{
	struct other *o = arg;
	struct picture_ask ask = plain;
	struct picture p;

	cx->client = o->client;
	cx->project = "p";
	ask.width = 64;
	o->e = make(cx, o->file, ask, &p);
	o->done = true;
}

static bool
until(struct ctx *cx, bool (*what)(void))
{
	for (int i = 0; i < 2000; i++) {
		if (what())
			return true;
		if (fib_sleep(cx, 10) != OK)
			return false;
	}
	return false;
}

static bool
one_at_work(void)
{
	return metric_value(M_picture_workers_busy) > 0;
}

static bool
one_lost(void)
{
	return metric_value(M_picture_workers_lost) > 0;
}

static struct other other;

static bool
other_done(void)
{
	return other.done;
}

static void
deaths(struct ctx *cx)
{
	struct lab_picture q = lab_quarters(64, 48);
	struct picture p;
	pid_t pid[4];

	/* one that is free dies: the next picture gets another */
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), plain, &p));
	CHECK(workers(pid, 4) == 1);
	kill(pid[0], SIGKILL);
	CHECK(until(cx, one_lost));
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), plain, &p));
	CHECK(metric_value(M_picture_workers_started) == 2);
	/* and when nobody has noticed yet, too */
	CHECK(workers(pid, 4) == 1);
	kill(pid[0], SIGKILL);
	while (kill(pid[0], 0) == 0)	/* without a turn of the loop */
		usleep(1000);
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), plain, &p));
	/* in the middle of a picture: that one is lost, nothing else */
	other = (struct other){.file = bomb_png(6000, 6000, 0)};
	fib_spawn_new("other", 200000, run_other, &other);
	CHECK(until(cx, one_at_work));
	CHECK(workers(pid, 4) == 1);
	kill(pid[0], SIGKILL);
	CHECK(until(cx, other_done));
	CHECK(other.e == ERR_PICTURE_BAD);
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), plain, &p));
	CHECK(metric_value(M_picture_workers_busy) == 0);
}

Test(picture, outlives_its_workers)
{
	run(deaths);
}

static void
lateness(struct ctx *cx)
{
	struct lab_picture q = lab_quarters(64, 48);
	struct picture_ask ask = plain;
	struct picture p;

	conf.picture_time = 100;	/* a second of CPU, and 0.3 by the clock */
	ask.width = ask.height = 4000;
	ask.rotation = 33;
	FAILS(make(cx, bomb_png(6000, 6000, 0), ask, &p), PICTURE_LARGE);
	CHECK(metric_value(M_pictures_late) == 1);
	conf.picture_time = 10000;
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), plain, &p));
}

Test(picture, that_takes_too_long_is_given_up)
{
	run(lateness);
}

static void
cpu(struct ctx *cx)
{
	struct picture_ask ask = plain;
	struct picture p;

	conf.picture_time = 1000;
	conf.picture_pixels = 100000000;
	ask.width = ask.height = 9000;
	ask.rotation = 33;
	FAILS(make(cx, bomb_png(6000, 6000, 0), ask, &p), PICTURE_LARGE);
	CHECK(metric_value(M_pictures_late) + metric_value(M_picture_workers_lost) <= 2);
}

Test(picture, has_so_much_of_the_processor)
{
	run(cpu);
}

static void
memory(struct ctx *cx)
{
	struct lab_picture q = lab_quarters(64, 48);
	struct picture p;

	conf.picture_memory = 50 << 20;
	FAILS(make(cx, bomb_png(6000, 6000, 0), plain, &p), PICTURE_LARGE);
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), plain, &p));
}

Test(picture, has_so_much_memory)
{
	run(memory);
}

static void
crowd(struct ctx *cx)
{
	static struct other v[30];
	struct lab_picture q = lab_quarters(64, 48);
	int made = 0, refused = 0, other_client = 0;

	conf.picture_workers = 2;
	conf.picture_queue = 32;
	for (int i = 0; i < 30; i++) {
		v[i] = (struct other){.file = lab_file(&q, 1, "PNG", 0), .client = i < 29 ? "192.0.2.1" : "192.0.2.2"};
		fib_spawn_new("other", 200000, run_other, &v[i]);
	}
	for (int i = 0; i < 30; i++) {
		other = v[i];
		while (!v[i].done)
			if (fib_sleep(cx, 5) != OK)
				return;
		made += v[i].e == OK;
		refused += v[i].e == ERR_BUSY;
	}
	other_client = v[29].e == OK;
	CHECK(made + refused == 30 && refused > 0 && made >= 4 && other_client);
	CHECK(metric_value(M_pictures_refused) == refused);
	CHECK(metric_value(M_picture_workers_started) <= 2);
}

Test(picture, waits_its_turn_in_a_bounded_queue)
{
	run(crowd);
}

static void
leaving(struct ctx *cx)
{
	struct lab_picture q = lab_quarters(64, 48);
	struct picture p;

	for (int i = 0; i < 4; i++) {	/* a client that leaves at some moment of it */
		other = (struct other){.file = bomb_png(3000, 3000, 0)};
		fib_spawn_new("other", i == 0 ? 1 : (uint64_t)i * 60, run_other, &other);
		CHECK(until(cx, other_done));
	}
	GOOD(make(cx, lab_file(&q, 1, "PNG", 0), plain, &p));
	CHECK(metric_value(M_picture_workers_busy) == 0 && metric_value(M_bytes_held) >= 0);
}

Test(picture, is_nobodys_when_its_client_left)
{
	run(leaving);
}

static void
icons(struct ctx *cx)
{
	struct picture_ask ask = plain;
	struct lab_picture seen;
	struct picture p;

	for (int i = PICTURE_ICON_FILE; i < PICTURE_ICON_N; i++) {
		GOOD(picture_icon(cx, (enum picture_icon)i, &plain, &p));
		CHECK(p.width == 1200 && p.height == 800 && strcmp(p.type, "image/png") == 0);
		seen = lab_look_one(p.bytes);
		CHECK(lab_near(lab_at(&seen, 5, 5), 0xeceff1ff, 0));
		ask.width = ask.height = 100;
		ask.format = PICTURE_JPG;
		GOOD(picture_icon(cx, (enum picture_icon)i, &ask, &p));
		CHECK(p.width == 100 && p.height == 100 && strcmp(p.type, "image/jpeg") == 0);
	}
}

Test(picture, of_what_is_none)
{
	run(icons);
}

/* ---- what is kept ---- */

static char home[] = "/tmp/badal-pictures-XXXXXX";

static struct picture
some_bytes(struct ctx *cx, size_t n, char fill)
{
	char *p = arena_alloc(cx->arena, n);

	memset(p, fill, n);
	memcpy(p, "\x89PNG\r\n\x1a\n....SECRETSECRET", 24);
	return (struct picture){"image/png", {p, n}, 1, 1};
}

static bool
is_kept(struct ctx *cx, const char *key, const struct picture *pic)
{
	const char *type;
	uint64_t size;
	char *p;
	int fd;

	if (!picture_cached(cx, key, &fd, &size, &type))
		return false;
	p = malloc(size);
	CHECK(pread(fd, p, size, 0) == (ssize_t)size);
	CHECK(pic == NULL || (size == pic->bytes.n && memcmp(p, pic->bytes.p, size) == 0 && strcmp(type, pic->type) == 0));
	free(p);
	return true;
}

static void
keeping(struct ctx *cx)
{
	struct picture a = some_bytes(cx, 5000, 'a'), b = some_bytes(cx, 70000, 'b');
	char key[60], command[200];

	conf.data_dir = home;
	conf.master_key = mem_strdup("0123456789abcdef0123456789abcdef");
	conf.preview_cache_size = 1 << 20;
	CHECK(!is_kept(cx, "p_1/f1?w=1", NULL));
	picture_keep(cx, "p_1/f1?w=1", &a, false);
	picture_keep(cx, "p_1/f1?w=2", &b, true);
	picture_keep(cx, "p_1/f2?w=1", &b, false);
	picture_keep(cx, "p_2/f1?w=1", &a, true);
	CHECK(is_kept(cx, "p_1/f1?w=1", &a) && is_kept(cx, "p_1/f1?w=2", &b) && is_kept(cx, "p_1/f2?w=1", &b) && is_kept(cx, "p_2/f1?w=1", &a));
	CHECK(strcmp(picture_tag(cx, "p_1/f1?w=1"), picture_tag(cx, "p_1/f1?w=2")) != 0);
	/* what is secret cannot be read from the disk, nor moved, nor opened with another key */
	picture_forget(cx, "p_1/f1");
	CHECK(!is_kept(cx, "p_1/f1?w=1", NULL) && !is_kept(cx, "p_1/f1?w=2", NULL) && is_kept(cx, "p_1/f2?w=1", &b));
	picture_forget(cx, "p_1");
	CHECK(!is_kept(cx, "p_1/f2?w=1", NULL) && is_kept(cx, "p_2/f1?w=1", &a));
	snprintf(command, sizeof command, "grep -rq SECRETSECRET %s", home);
	CHECK(system(command) != 0);
	conf.master_key = mem_strdup("another key, another key, another");
	CHECK(!is_kept(cx, "p_2/f1?w=1", NULL));
	/* the bound holds, and what was used last stays */
	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof key, "p_3/f%d?", i);
		picture_keep(cx, key, &b, false);
		snprintf(command, sizeof command, "find %s -type f ! -name .count -exec touch -a -d '-2 hours' {} +", home);
		CHECK(system(command) == 0);
		CHECK(i == 0 || is_kept(cx, "p_3/f0?", &b));	/* which notes its use */
	}
	snprintf(command, sizeof command, "[ $(du -s --block-size=1k %s | cut -f1) -le 1200 ]", home);
	CHECK(system(command) == 0);
	CHECK(metric_value(M_pictures_dropped) > 30 && is_kept(cx, "p_3/f59?", &b));
	/* the directory may be cleared away */
	snprintf(command, sizeof command, "rm -rf %s/cache", home);
	CHECK(system(command) == 0 && !is_kept(cx, "p_3/f59?", NULL));
	picture_keep(cx, "p_3/f59?", &b, false);
	CHECK(is_kept(cx, "p_3/f59?", &b));
	/* nothing is kept that would push out everything else */
	b = some_bytes(cx, 500000, 'c');
	picture_keep(cx, "p_3/big?", &b, false);
	CHECK(!is_kept(cx, "p_3/big?", NULL));
	conf.preview_cache_size = 0;
	CHECK(!is_kept(cx, "p_3/f59?", NULL));
}

Test(picture, is_kept_within_bounds)
{
	char command[100];

	cr_assert_not_null(mkdtemp(home));
	run(keeping);
	snprintf(command, sizeof command, "rm -rf %s", home);
	cr_expect_eq(system(command), 0);
}

/* ---- formats of phones ---- */

static struct heif_error
heif_take(struct heif_context *h, const void *data, size_t size, void *arg)
{
	struct str *out = arg;

	(void)h;
	*out = copy_of((struct str){data, size});
	return (struct heif_error){heif_error_Ok, heif_suberror_Unspecified, ""};
}

/* NULL: libheif has no encoder of this kind here. */
static struct str
heif_file(const struct lab_picture *v, enum heif_compression_format format)
{
	struct heif_context *h = heif_context_alloc();
	struct heif_writer writer = {.writer_api_version = 1, .write = heif_take};
	struct heif_encoder *e;
	struct heif_image *im;
	struct str out = STR_NONE;
	int stride;
	uint8_t *to;

	if (heif_context_get_encoder_for_format(h, format, &e).code != heif_error_Ok)
		return STR_NONE;
	heif_encoder_set_lossy_quality(e, 90);
	heif_image_create(v->w, v->h, heif_colorspace_RGB, heif_chroma_interleaved_RGBA, &im);
	heif_image_add_plane(im, heif_channel_interleaved, v->w, v->h, 8);
	to = heif_image_get_plane(im, heif_channel_interleaved, &stride);
	for (int y = 0; y < v->h; y++)
		memcpy(to + y * stride, v->px + 4 * y * v->w, 4 * (size_t)v->w);
	if (heif_context_encode_image(h, im, e, NULL, NULL).code == heif_error_Ok)
		heif_context_write(h, &writer, &out);
	return out;
}

static void
phones(struct ctx *cx)
{
	static const enum heif_compression_format formats_read[] = {heif_compression_HEVC, heif_compression_AV1};
	struct lab_picture q = lab_quarters(128, 96), seen;
	struct picture p;

	for (int i = 0; i < 2; i++) {
		struct str file = heif_file(&q, formats_read[i]);

		if (file.n == 0) {
			fprintf(stderr, "no encoder for %s here: not looked at\n", i == 0 ? "HEIC" : "AVIF");
			continue;
		}
		for (int f = 0; f < 2; f++) {
			GOOD(make(cx, file, (struct picture_ask){.quality = 100, .opacity = 1, .width = 64, .format = f == 0 ? PICTURE_PNG : PICTURE_SAME}, &p));
			CHECK(f == 0 || strcmp(p.type, i == 0 ? "image/jpeg" : "image/avif") == 0);
			seen = lab_look_one(p.bytes);
			CHECK(seen.w == 64 && seen.h == 48);
			CHECK(lab_near(lab_at(&seen, 5, 5), 0xff0000ff, 40) && lab_near(lab_at(&seen, 58, 42), 0xffff00ff, 40));
		}
		for (int n = 1; n < 8; n++)
			survive(cx, "HEIF cut off", (struct str){file.p, file.n * (size_t)n / 8}, ERR_N);
		survive(cx, "HEIF of 60000 x 60000", patched(file, where(file, "ispe", 4) + 8, "\0\0\xea\x60\0\0\xea\x60", 8), ERR_PICTURE_LARGE);
	}
}

Test(picture, of_phones_is_read)
{
	run(phones);
}

/* Four frames of a pixel on a canvas of two: what is left of one frame for the next is said by the frame. */
static void
leftovers(struct ctx *cx)
{
	/* GCE: 1 keep, 2 clear what I covered, 3 put back what was there */
	static const char gif[] = "GIF89a\2\0\1\0\x80\0\0\xff\0\0\0\0\xff"
	    "\x21\xf9\4\4\12\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"	/* red at the left, stays */
	    "\x21\xf9\4\x8\12\0\0\0\x2c\1\0\0\0\1\0\1\0\0\2\2\x4c\1\0"	/* blue at the right, goes */
	    "\x21\xf9\4\xc\12\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x4c\1\0"	/* blue at the left, for a moment */
	    "\x21\xf9\4\4\12\0\0\0\x2c\1\0\0\0\1\0\1\0\0\2\2\x44\1\0;";	/* red at the right */
	static const unsigned expected[4][2] = {{0xff0000ff, 0}, {0xff0000ff, 0x0000ffff}, {0x0000ffff, 0}, {0xff0000ff, 0xff0000ff}};
	struct picture p;

	for (int n = 1; n <= 4; n++) {	/* the last frame of the first n, by its picture on its own */
		struct lab_picture seen[8];
		struct buf b;

		buf_init(&b, NULL, 200);
		buf_add(&b, gif, 19 + 23 * (size_t)n);
		buf_ch(&b, ';');
		GOOD(make(cx, buf_view(&b), (struct picture_ask){.quality = 100, .opacity = 1, .width = 40, .height = 20, .format = PICTURE_WEBP}, &p));
		GOOD(make(cx, p.bytes, (struct picture_ask){.quality = 100, .opacity = 1, .format = n == 1 ? PICTURE_PNG : PICTURE_GIF}, &p));
		CHECK(lab_look(p.bytes, seen, 8) == n);
		for (int side = 0; side < 2; side++) {
			unsigned got = lab_at(&seen[n - 1], side ? 36 : 3, 10);

			if (expected[n - 1][side] == 0 ? (got & 255) != 0 : !lab_near(got, expected[n - 1][side], 60))
				fprintf(stderr, "frame %d, side %d: %08x\n", n, side, got), failures++;
		}
	}
}

Test(picture, that_moves_leaves_what_its_frames_leave)
{
	run(leftovers);
}
