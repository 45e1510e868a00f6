/* From frames to a file's bytes. No output carries anything but pixels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libs.h"
#include "picture_priv.h"

enum { JPEG_QUALITY = 75, PNG_EFFORT = 65, WEBP_QUALITY = 80, AVIF_QUALITY = 60, AVIF_SPEED = 8, WHITE = 0xffffff };

static const char *const write_names[] = {[PICTURE_JPG] = "JPEG", [PICTURE_PNG] = "PNG", [PICTURE_GIF] = "GIF", [PICTURE_WEBP] = "WEBP"};

bool
picture_animates(enum picture_format f)
{
	return f == PICTURE_GIF || (f == PICTURE_WEBP && webpmux.here && webp.here);
}

/* Formats whose quality the caller does not choose by leaving it at 100. */
static int
chosen(int quality, int usual)
{
	return quality == 0 || quality == 100 ? usual : quality;
}

/* ---- by GraphicsMagick ---- */

static Image *
frame_image(struct film_frame *f)
{
	ExceptionInfo why;
	Image *im;

	gm.GetExceptionInfo(&why);
	im = gm.ConstituteImage((unsigned long)f->c.w, (unsigned long)f->c.h, canvas_opaque(&f->c) ? "RGBP" : "RGBA", CharPixel, f->c.px, &why);
	gm.DestroyExceptionInfo(&why);
	canvas_free(&f->c);
	if (im == NULL)
		return NULL;
	im->depth = 8;
	im->delay = (unsigned long)(f->ms + 5) / 10;
	im->dispose = im->matte ? BackgroundDispose : UndefinedDispose;
	return im;
}

static Image *
film_images(struct film *f, int n)
{
	Image *all = NULL;

	for (int i = 0; i < n; i++) {
		Image *im = frame_image(&f->v[i]);

		if (im == NULL)
			return NULL;
		im->iterations = (unsigned long)f->loops;
		gm.AppendImageToList(&all, im);	/* which is the last of them now */
	}
	return gm.GetFirstImageInList(all);
}

static enum picture_outcome
write_magick(struct film *f, enum picture_format format, int quality, struct made *out)
{
	int n = picture_animates(format) ? f->n : 1;
	Image *images = film_images(f, n);
	ImageInfo *info = gm.CloneImageInfo(NULL);
	ExceptionInfo why;

	if (images == NULL)
		return OUTCOME_LARGE;
	info->adjoin = n > 1;
	info->depth = 8;
	info->quality = (unsigned long)quality;
	snprintf(info->magick, sizeof info->magick, "%s", write_names[format]);
	snprintf(info->filename, sizeof info->filename, "%s:", write_names[format]);
	for (Image *im = images; im != NULL; im = im->next) {
		snprintf(im->magick, sizeof im->magick, "%s", write_names[format]);
		snprintf(im->filename, sizeof im->filename, "%s:", write_names[format]);
	}
	gm.GetExceptionInfo(&why);
	out->p = gm.ImageToBlob(info, images, &out->n, &why);
	gm.DestroyExceptionInfo(&why);
	gm.DestroyImageList(images);
	return out->p == NULL ? OUTCOME_LARGE : OUTCOME_MADE;
}

/* Half-transparent pixels: there is no such thing in a GIF. */
static void
film_all_or_nothing(struct film *f)
{
	for (int i = 0; i < f->n; i++) {
		size_t n = (size_t)f->v[i].c.w * (size_t)f->v[i].c.h;

		for (size_t k = 0; k < n; k++) {
			uint8_t *p = f->v[i].c.px + 4 * k;

			p[3] = p[3] >= 128 ? 255 : 0;
			if (p[3] == 0)
				memset(p, 0, 3);
		}
	}
}

/* ---- moving WebP, by its own library ---- */

static bool
webp_frame(WebPAnimEncoder *e, struct film_frame *f, int at, const WebPConfig *config)
{
	WebPPicture pic;
	bool ok = webp.WebPPictureInitInternal(&pic, WEBP_ENCODER_ABI_VERSION);

	pic.use_argb = 1;
	pic.width = f->c.w;
	pic.height = f->c.h;
	ok = ok && webp.WebPPictureImportRGBA(&pic, f->c.px, 4 * f->c.w) && webpmux.WebPAnimEncoderAdd(e, &pic, at, config);
	webp.WebPPictureFree(&pic);
	canvas_free(&f->c);
	return ok;
}

static enum picture_outcome
write_moving_webp(struct film *f, int quality, struct made *out)
{
	WebPAnimEncoderOptions options;
	WebPAnimEncoder *e;
	WebPConfig config;
	WebPData data;
	int at = 0;

	if (!webpmux.WebPAnimEncoderOptionsInitInternal(&options, WEBP_MUX_ABI_VERSION) ||
	    !webp.WebPConfigInitInternal(&config, WEBP_PRESET_DEFAULT, (float)quality, WEBP_ENCODER_ABI_VERSION))
		return OUTCOME_CANNOT;
	options.anim_params.loop_count = f->loops;
	config.method = 2;
	e = webpmux.WebPAnimEncoderNewInternal(f->w, f->h, &options, WEBP_MUX_ABI_VERSION);
	if (e == NULL)
		return OUTCOME_LARGE;
	for (int i = 0; i < f->n; at += f->v[i++].ms)
		if (!webp_frame(e, &f->v[i], at, &config))
			return OUTCOME_LARGE;
	if (!webpmux.WebPAnimEncoderAdd(e, NULL, at, NULL) || !webpmux.WebPAnimEncoderAssemble(e, &data))
		return OUTCOME_LARGE;
	out->p = (uint8_t *)(uintptr_t)data.bytes;
	out->n = data.size;
	webpmux.WebPAnimEncoderDelete(e);
	return OUTCOME_MADE;
}

/* ---- AVIF, by libheif ---- */

static struct heif_error
avif_take(struct heif_context *ctx, const void *data, size_t size, void *arg)
{
	struct made *out = arg;

	(void)ctx;
	out->p = malloc(size);
	out->n = out->p ? size : 0;
	if (out->p != NULL)
		memcpy(out->p, data, size);
	return (struct heif_error){out->p ? heif_error_Ok : heif_error_Memory_allocation_error, heif_suberror_Unspecified, ""};
}

static struct heif_image *
avif_image(const struct canvas *c)
{
	struct heif_image *im;
	bool opaque = canvas_opaque(c);
	int stride, bytes = opaque ? 3 : 4;
	uint8_t *to;

	if (heif.heif_image_create(c->w, c->h, heif_colorspace_RGB, opaque ? heif_chroma_interleaved_RGB : heif_chroma_interleaved_RGBA, &im).code != heif_error_Ok)
		return NULL;
	if (heif.heif_image_add_plane(im, heif_channel_interleaved, c->w, c->h, 8).code != heif_error_Ok)
		return NULL;
	to = heif.heif_image_get_plane(im, heif_channel_interleaved, &stride);
	for (int y = 0; y < c->h; y++)
		for (int x = 0; x < c->w; x++)
			memcpy(to + (ptrdiff_t)y * stride + x * bytes, c->px + 4 * ((size_t)y * (size_t)c->w + (size_t)x), (size_t)bytes);
	return im;
}

static enum picture_outcome
write_avif(struct film *f, int quality, struct made *out)
{
	struct heif_writer writer = {.writer_api_version = 1, .write = avif_take};
	struct heif_context *ctx = heif.heif_context_alloc();
	struct heif_image *im = avif_image(&f->v[0].c);
	struct heif_encoder *e;

	canvas_free(&f->v[0].c);
	if (im == NULL || heif.heif_context_get_encoder_for_format(ctx, heif_compression_AV1, &e).code != heif_error_Ok)
		return OUTCOME_LARGE;
	(void)heif.heif_encoder_set_lossy_quality(e, quality);
	(void)heif.heif_encoder_set_parameter_integer(e, "speed", AVIF_SPEED);	/* encoders without it have their own */
	(void)heif.heif_encoder_set_parameter_integer(e, "threads", 1);
	if (heif.heif_context_encode_image(ctx, im, e, NULL, NULL).code != heif_error_Ok || heif.heif_context_write(ctx, &writer, out).code != heif_error_Ok)
		return OUTCOME_LARGE;
	heif.heif_encoder_release(e);
	heif.heif_image_release(im);
	heif.heif_context_free(ctx);
	return OUTCOME_MADE;
}

/* ---- all ---- */

enum picture_outcome
picture_write(struct film *f, enum picture_format format, const struct picture_task *t, struct made *out)
{
	out->format = format;
	out->w = f->w;
	out->h = f->h;
	switch (format) {
	case PICTURE_JPG:
		canvas_flatten(&f->v[0].c, t->background >= 0 ? (uint32_t)t->background : WHITE);
		return write_magick(f, format, t->quality > 0 ? t->quality : JPEG_QUALITY, out);
	case PICTURE_PNG:
		return write_magick(f, format, PNG_EFFORT, out);
	case PICTURE_GIF:
		film_all_or_nothing(f);
		return write_magick(f, format, 0, out);
	case PICTURE_WEBP:
		if (f->n > 1 && picture_animates(format))
			return write_moving_webp(f, chosen(t->quality, WEBP_QUALITY), out);
		return write_magick(f, format, chosen(t->quality, WEBP_QUALITY), out);
	case PICTURE_AVIF:
		return heif.here ? write_avif(f, chosen(t->quality, AVIF_QUALITY), out) : OUTCOME_CANNOT;
	case PICTURE_SAME:
		break;
	}
	return OUTCOME_CANNOT;
}
