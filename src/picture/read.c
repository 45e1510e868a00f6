/* From a file's bytes to frames in the size that was asked for.
 *
 * The size is settled before anything is decoded where the header tells it (all formats but AVIF and HEIC), and decoders have limits of their
 * own besides. A large JPEG is decoded at a smaller scale. Frames of an animation are put together here, on one canvas, and scaled one by
 * one, so that what is held of each is its small picture only. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libs.h"
#include "picture_priv.h"

enum {
	JPEG_SCALES = 8,	/* a JPEG of so many times the pixels is read at a smaller scale */
	WORK_FACTOR = 4		/* frames one after the other may have so many times the pixels that may be there at once */
};

/* ---- GraphicsMagick's pictures and ours ---- */

static const char *const read_names[SOURCE_N] = {[SOURCE_JPEG] = "JPEG", [SOURCE_PNG] = "PNG", [SOURCE_GIF] = "GIF", [SOURCE_WEBP] = "WEBP",
    [SOURCE_AVIF] = "AVIF", [SOURCE_HEIC] = "HEIC"};

static enum picture_outcome
read_image(const uint8_t *p, size_t n, enum picture_source kind, const char *size, unsigned frames, Image **out)
{
	ImageInfo *info = gm.CloneImageInfo(NULL);
	ExceptionInfo why;
	enum picture_outcome o;
	Image *im;

	snprintf(info->magick, sizeof info->magick, "%s", read_names[kind]);
	snprintf(info->filename, sizeof info->filename, "%s:", read_names[kind]);
	info->subrange = frames;
	info->size = size ? strdup(size) : NULL;
	gm.GetExceptionInfo(&why);
	im = gm.BlobToImage(info, p, n, &why);
	/* what there is of a picture that is cut off or damaged is shown */
	o = im != NULL && (why.severity < ErrorException || why.severity == CorruptImageError) ? OUTCOME_MADE :
	    why.severity == ResourceLimitError ? OUTCOME_LARGE : OUTCOME_BAD;
	if (o != OUTCOME_MADE && im != NULL)
		gm.DestroyImageList(im);
	gm.DestroyExceptionInfo(&why);
	free(info->size);
	info->size = NULL;
	gm.DestroyImageInfo(info);
	*out = im;
	return o;
}

static void
srgb_profile(unsigned char **p_out, cmsUInt32Number *n_out)
{
	static unsigned char *profile;
	static cmsUInt32Number n;
	cmsHPROFILE h;

	if (profile == NULL && cms.here && (h = cms.cmsCreate_sRGBProfile()) != NULL) {
		if (cms.cmsSaveProfileToMem(h, NULL, &n) && (profile = malloc(n)) != NULL && !cms.cmsSaveProfileToMem(h, profile, &n)) {
			free(profile);
			profile = NULL;
		}
		cms.cmsCloseProfile(h);
	}
	*p_out = profile;
	*n_out = n;
}

/* To sRGB by the profile that the picture brings, else as its numbers stand: no output carries a profile. */
static void
to_srgb(Image *im)
{
	unsigned char *profile;
	cmsUInt32Number n;
	size_t own;

	srgb_profile(&profile, &n);
	if (profile != NULL && gm.GetImageProfile(im, "ICM", &own) != NULL)
		(void)gm.ProfileImage(im, "ICM", profile, n, MagickTrue);	/* a broken profile: as if there were none */
	if (im->colorspace != RGBColorspace && im->colorspace != GRAYColorspace && im->colorspace != TransparentColorspace)
		(void)gm.TransformColorspace(im, RGBColorspace);
}

static bool
image_canvas(Image *im, struct canvas *out)
{
	ExceptionInfo why;
	bool ok;

	if (!canvas_make(out, (int)im->columns, (int)im->rows))
		return false;
	gm.GetExceptionInfo(&why);
	ok = gm.DispatchImage(im, 0, 0, im->columns, im->rows, "RGBA", CharPixel, out->px, &why) == MagickPass;
	gm.DestroyExceptionInfo(&why);
	if (ok && !im->matte)	/* the fourth is whatever stands there */
		for (size_t i = 0; i < (size_t)out->w * (size_t)out->h; i++)
			out->px[4 * i + 3] = 255;
	if (!ok)
		canvas_free(out);
	return ok;
}

static bool
image_replace(Image **im, Image *by)
{
	if (by == NULL)
		return false;
	gm.DestroyImage(*im);
	*im = by;
	return true;
}

/* Averages when it becomes much smaller: a wide window costs much and shows nothing. */
static bool
image_resize(Image **im, unsigned long w, unsigned long h)
{
	bool small = (double)w * (double)h * 9 < (double)(*im)->columns * (double)(*im)->rows;
	ExceptionInfo why;
	bool ok;

	if (w == (*im)->columns && h == (*im)->rows)
		return true;
	gm.GetExceptionInfo(&why);
	ok = image_replace(im, gm.ResizeImage(*im, w, h, small ? BoxFilter : LanczosFilter, 1.0, &why));
	gm.DestroyExceptionInfo(&why);
	return ok;
}

static bool
image_crop(Image **im, struct box b)
{
	RectangleInfo r = {.width = (unsigned long)b.w, .height = (unsigned long)b.h, .x = b.x, .y = b.y};
	ExceptionInfo why;
	bool ok;

	(*im)->page = (RectangleInfo){0};
	gm.GetExceptionInfo(&why);
	ok = image_replace(im, gm.CropImage(*im, &r, &why));
	gm.DestroyExceptionInfo(&why);
	return ok;
}

/* ---- size ---- */

static bool
fit_seen(uint32_t w, uint32_t h, int orientation, const struct picture_limits *l, const struct picture_task *t, struct fit *out)
{
	bool turned = orientation >= 5;

	return fit_find((int)(turned ? h : w), (int)(turned ? w : h), t->width, t->height, (enum picture_gravity)t->gravity, l->pixels, out);
}

/* The picture is destroyed. It may be smaller than what `f` was found for: a JPEG at another scale. */
static enum picture_outcome
image_fit(Image *im, int orientation, const struct fit *f, struct canvas *out)
{
	bool turned = orientation >= 5, part;
	int w = (int)im->columns, h = (int)im->rows;
	double sw = f->scaled_w, sh = f->scaled_h;
	struct box b;
	bool ok = true;

	im->page = (RectangleInfo){0};
	if (im->colorspace == CMYKColorspace)
		to_srgb(im);
	part = fit_source(f, turned ? h : w, turned ? w : h, &b);
	if (part) {
		ok = image_crop(&im, box_stored(b, orientation, w, h));
		sw = f->w;
		sh = f->h;
	}
	ok = ok && image_resize(&im, (unsigned long)(turned ? sh : sw), (unsigned long)(turned ? sw : sh));
	if (ok)
		to_srgb(im);
	ok = ok && image_canvas(im, out);
	gm.DestroyImage(im);
	if (ok && (!canvas_orient(out, orientation) || (!part && !canvas_cut(out, (struct box){(int)f->x, (int)f->y, f->w, f->h})))) {
		canvas_free(out);
		ok = false;
	}
	return ok ? OUTCOME_MADE : OUTCOME_LARGE;
}

static Image *
canvas_image(const struct canvas *c)
{
	ExceptionInfo why;
	Image *im;

	gm.GetExceptionInfo(&why);
	im = gm.ConstituteImage((unsigned long)c->w, (unsigned long)c->h, canvas_opaque(c) ? "RGBP" : "RGBA", CharPixel, c->px, &why);
	gm.DestroyExceptionInfo(&why);
	return im;
}

enum picture_outcome
picture_fit(const struct canvas *whole, int orientation, const struct picture_limits *l, const struct picture_task *t, struct canvas *out)
{
	struct fit f;
	Image *im;

	if (!fit_seen((uint32_t)whole->w, (uint32_t)whole->h, orientation, l, t, &f) || (im = canvas_image(whole)) == NULL)
		return OUTCOME_LARGE;
	return image_fit(im, orientation, &f, out);
}

/* ---- still pictures ---- */

static bool
film_add(struct film *f, struct canvas *c, int ms)
{
	struct film_frame *v = realloc(f->v, sizeof *v * (size_t)(f->n + 1));

	if (v == NULL)
		return false;
	f->v = v;
	v[f->n++] = (struct film_frame){*c, ms};
	return true;
}

/* GraphicsMagick (1.3.40) heeds the transparent colour of a PNG in all kinds but RGB of eight bits. */
static void
image_key(Image *im, const struct sniffed *s)
{
	const PixelPacket key = {.red = ScaleCharToQuantum(s->key[0]), .green = ScaleCharToQuantum(s->key[1]), .blue = ScaleCharToQuantum(s->key[2])};

	if (s->keyed)
		(void)gm.TransparentImage(im, key, TransparentOpacity);
}

static enum picture_outcome
read_still(uint8_t *p, size_t n, const struct sniffed *s, const struct picture_limits *l, const struct picture_task *t, struct film *out)
{
	bool told = s->w > 0, turned = s->orientation >= 5;
	enum picture_outcome o;
	char size[64];
	struct canvas c;
	struct fit f;
	Image *im;

	if (told && !fit_seen(s->w, s->h, s->orientation, l, t, &f))
		return OUTCOME_LARGE;
	if (s->kind == SOURCE_PNG)
		n = png_essence(p, n);
	if (told)
		snprintf(size, sizeof size, "%.0fx%.0f", turned ? f.scaled_h : f.scaled_w, turned ? f.scaled_w : f.scaled_h);
	o = read_image(p, n, s->kind, s->kind == SOURCE_JPEG ? size : NULL, 1, &im);
	if (o != OUTCOME_MADE)
		return o;
	if (s->kind != SOURCE_JPEG && !fit_seen((uint32_t)im->columns, (uint32_t)im->rows, s->orientation, l, t, &f)) {
		gm.DestroyImageList(im);
		return OUTCOME_LARGE;
	}
	image_key(im, s);
	o = image_fit(im, s->orientation, &f, &c);
	return o == OUTCOME_MADE && !film_add(out, &c, 0) ? OUTCOME_LARGE : o;
}

/* ---- animations ---- */

struct reel {			/* what an animation is put together with */
	const struct sniffed *s;
	const struct picture_limits *l;
	const struct picture_task *t;
	struct canvas whole;	/* as it is stored */
	struct film *out;
};

static enum picture_outcome
reel_take(struct reel *r, int ms)
{
	struct canvas c;
	enum picture_outcome o = picture_fit(&r->whole, r->s->orientation, r->l, r->t, &c);
	return o == OUTCOME_MADE && !film_add(r->out, &c, ms) ? OUTCOME_LARGE : o;
}

/* Its opaque pixels cover what is there. */
static void
reel_cover(struct canvas *whole, const struct canvas *c, long x0, long y0)
{
	for (int y = 0; y < c->h; y++)
		for (int x = 0; x < c->w; x++) {
			const uint8_t *p = c->px + 4 * ((size_t)y * (size_t)c->w + (size_t)x);

			if (p[3] >= 128 && x0 + x >= 0 && y0 + y >= 0 && x0 + x < whole->w && y0 + y < whole->h)
				memcpy(whole->px + 4 * ((size_t)(y0 + y) * (size_t)whole->w + (size_t)(x0 + x)), p, 4);
		}
}

static enum picture_outcome
reel_gif_frame(struct reel *r, Image *im)
{
	RectangleInfo page = im->page;
	enum picture_outcome o;
	uint8_t *before = NULL;
	struct canvas c;
	size_t bytes = 4 * (size_t)r->whole.w * (size_t)r->whole.h;

	if (page.x > UINT16_MAX || page.y > UINT16_MAX || page.x < 0 || page.y < 0)
		return OUTCOME_BAD;
	if (!image_canvas(im, &c) || (im->dispose == PreviousDispose && (before = malloc(bytes)) == NULL))
		return OUTCOME_LARGE;
	if (before != NULL)
		memcpy(before, r->whole.px, bytes);
	reel_cover(&r->whole, &c, page.x, page.y);
	o = reel_take(r, (int)(im->delay > 6000 ? 60000 : im->delay * 10));
	if (before != NULL)
		memcpy(r->whole.px, before, bytes);
	else if (im->dispose == BackgroundDispose)
		canvas_fill(&r->whole, (struct box){(int)page.x, (int)page.y, c.w, c.h}, 0);
	free(before);
	canvas_free(&c);
	return o;
}

static enum picture_outcome
read_gif(uint8_t *p, size_t n, struct reel *r, unsigned frames)
{
	Image *all;
	enum picture_outcome o = read_image(p, n, SOURCE_GIF, NULL, frames, &all);
	unsigned i = 0;

	if (o != OUTCOME_MADE)
		return o;
	if (!canvas_make(&r->whole, (int)r->s->w, (int)r->s->h))
		return OUTCOME_LARGE;
	r->out->loops = (int)(all->iterations < UINT16_MAX ? all->iterations : 0);
	for (Image *im = all; im != NULL && i < frames && o == OUTCOME_MADE; im = im->next, i++)
		o = reel_gif_frame(r, im);
	gm.DestroyImageList(all);
	canvas_free(&r->whole);
	return o;
}

static enum picture_outcome
read_webp(uint8_t *p, size_t n, struct reel *r, unsigned frames)
{
	WebPData data = {p, n};
	WebPAnimDecoderOptions options;
	WebPAnimDecoder *d;
	enum picture_outcome o = OUTCOME_MADE;
	struct WebPAnimInfo info;
	int shown = 0, until;
	uint8_t *px;

	if (!webpdemux.WebPAnimDecoderOptionsInitInternal(&options, WEBP_DEMUX_ABI_VERSION))
		return OUTCOME_CANNOT;
	options.color_mode = MODE_RGBA;
	options.use_threads = 0;
	d = webpdemux.WebPAnimDecoderNewInternal(&data, &options, WEBP_DEMUX_ABI_VERSION);
	if (d == NULL || !webpdemux.WebPAnimDecoderGetInfo(d, &info) || info.canvas_width != r->s->w || info.canvas_height != r->s->h)
		return OUTCOME_BAD;
	r->out->loops = (int)(info.loop_count < UINT16_MAX ? info.loop_count : 0);
	for (unsigned i = 0; i < frames && o == OUTCOME_MADE && webpdemux.WebPAnimDecoderHasMoreFrames(d); i++) {
		if (!webpdemux.WebPAnimDecoderGetNext(d, &px, &until))
			break;
		r->whole = (struct canvas){(int)info.canvas_width, (int)info.canvas_height, px};
		o = reel_take(r, until > shown ? until - shown : 0);
		shown = until;
	}
	webpdemux.WebPAnimDecoderDelete(d);
	return r->out->n == 0 && o == OUTCOME_MADE ? OUTCOME_BAD : o;
}

/* How many frames are taken: all of an animation that keeps the limits, as it comes in, as it is put together (each frame on the whole canvas, however
 * small it is itself) and as it goes out, else one. */
static unsigned
frames_taken(const struct sniffed *s, const struct picture_limits *l, const struct picture_task *t, bool animated)
{
	struct fit f;

	if (!animated || s->frames > l->frames || s->pixels > l->pixels || s->frames * (uint64_t)s->w * s->h > WORK_FACTOR * l->pixels)
		return 1;
	if (!fit_seen(s->w, s->h, s->orientation, l, t, &f))
		return 1;
	return (uint64_t)s->frames * (uint64_t)f.w * (uint64_t)f.h > l->pixels ? 1 : s->frames;
}

enum picture_outcome
picture_read(uint8_t *p, size_t n, const struct sniffed *s, const struct picture_limits *l, const struct picture_task *t, bool animated, struct film *out)
{
	uint64_t scale = s->kind == SOURCE_JPEG ? JPEG_SCALES : 1;
	struct reel r = {.s = s, .l = l, .t = t, .out = out};
	unsigned frames;
	struct fit f;

	if ((uint64_t)s->w * s->h > l->pixels * scale || (s->w > 0 && !fit_seen(s->w, s->h, s->orientation, l, t, &f)))
		return OUTCOME_LARGE;
	frames = frames_taken(s, l, t, animated);
	if (s->kind == SOURCE_GIF)
		return read_gif(p, n, &r, frames);
	if (s->kind == SOURCE_WEBP && s->frames > 1)
		return webpdemux.here ? read_webp(p, n, &r, frames) : OUTCOME_CANNOT;
	return read_still(p, n, s, l, t, out);
}
