/* Initials by Pango: any script, right to left where it is written so, marks on their letters. */
#include <stdlib.h>
#include <string.h>

#include "io/png.h"
#include "pango.h"
#include "picture_priv.h"
#include "worker.h"

#define FAMILIES "Poppins, DejaVu Sans, sans-serif"
static const double center = 1 / 1.97, part_max = 0.9;

struct drawing {
	cairo_surface_t *surface;
	cairo_t *cr;
	PangoLayout *layout;
	int width, height;
	double size;		/* of the font, in pixels */
};

static bool
drawing_open(struct drawing *d, int width, int height)
{
	PangoFontDescription *font;

	*d = (struct drawing){.width = width, .height = height, .size = (width < height ? width : height) / 2.0};
	d->surface = cairo_image_surface_create(CAIRO_FORMAT_A8_, width, height);
	if (cairo_surface_status(d->surface) != 0)
		return false;
	d->cr = cairo_create(d->surface);
	d->layout = pango_cairo_create_layout(d->cr);
	font = pango_font_description_new();
	pango_font_description_set_family(font, FAMILIES);
	pango_font_description_set_weight(font, PANGO_MEDIUM);
	pango_font_description_set_absolute_size(font, d->size * PANGO_UNIT);
	pango_layout_set_font_description(d->layout, font);
	pango_layout_set_single_paragraph_mode(d->layout, true);
	pango_font_description_free(font);
	return true;
}

static void
drawing_close(struct drawing *d)
{
	if (d->layout != NULL)
		g_object_unref(d->layout);
	if (d->cr != NULL)
		cairo_destroy(d->cr);
	cairo_surface_destroy(d->surface);
}

/* A letter that no font has would be drawn as a box with its number: it is left out. */
static bool
letter_known(struct drawing *d, struct str letter)
{
	pango_layout_set_text(d->layout, letter.p, (int)letter.n);
	return pango_layout_get_unknown_glyphs_count(d->layout) == 0;
}

static void
set_letters(struct drawing *d, struct str letters)
{
	struct buf text;

	buf_init(&text, NULL, INITIALS_LETTERS * INITIALS_BYTES);
	while (letters.n > 0) {
		struct str letter = str_cut(&letters, '\n');

		if (letter.n > 0 && letter.n < INITIALS_BYTES && letter_known(d, letter))
			buf_str(&text, letter);
	}
	pango_layout_set_text(d->layout, text.n > 0 ? text.p : "", (int)text.n);
	buf_fini(&text);
}

static double
pixels_of(int units)
{
	return (double)units / PANGO_UNIT;
}

/* In the middle, on the baseline of the contract, which is right for capitals; what is of another build (a script that hangs, an emoji) is put into the middle
 * by its outline, and what is too large is made smaller. */
static void
draw_letters(struct drawing *d)
{
	double x, y, k, middle = d->height / 2.0, baseline = middle + d->size / 3;
	PangoRectangle ink;

	pango_layout_get_extents(d->layout, &ink, NULL);
	if (ink.width <= 0 || ink.height <= 0)
		return;
	k = d->width * part_max / pixels_of(ink.width);
	if (k > d->height * part_max / pixels_of(ink.height))
		k = d->height * part_max / pixels_of(ink.height);
	if (k > 1)
		k = 1;
	x = d->width * center - k * (pixels_of(ink.x) + pixels_of(ink.width) / 2);
	y = baseline - k * pixels_of(pango_layout_get_baseline(d->layout)) + k * (pixels_of(ink.y) + pixels_of(ink.height) / 2);
	if (y < middle - d->size / 12 || y > middle + d->size / 12)
		y = middle;
	y -= k * (pixels_of(ink.y) + pixels_of(ink.height) / 2);
	cairo_translate(d->cr, x, y);
	cairo_scale(d->cr, k, k);
	cairo_set_source_rgba(d->cr, 0, 0, 0, 1);
	pango_cairo_show_layout(d->cr, d->layout);
	cairo_surface_flush(d->surface);
}

/* Opaque where nothing was drawn. */
static void
drawing_write(const struct drawing *d, unsigned color, struct buf *out)
{
	const unsigned char *from = cairo_image_surface_get_data(d->surface);
	int stride = cairo_image_surface_get_stride(d->surface);
	unsigned char *veil = mem_alloc((size_t)d->width * (size_t)d->height);

	for (int y = 0; y < d->height; y++)
		for (int x = 0; x < d->width; x++)
			veil[y * d->width + x] = (unsigned char)(255 - from[y * stride + x]);
	png_write_veil(out, veil, d->width, d->height, color);
	free(veil);
}

enum picture_outcome
initials_work(const uint8_t *p, size_t n, const struct picture_task *t, struct made *out)
{
	struct str letters = {(const char *)p, n};
	struct drawing d;
	struct buf png;

	if (t->width < 1 || t->height < 1 || t->width > INITIALS_SIDE_MAX || t->height > INITIALS_SIDE_MAX || n > INITIALS_LETTERS * INITIALS_BYTES ||
	    !str_utf8(letters, NULL))
		return OUTCOME_BAD;
	if (!pango_open() || !drawing_open(&d, t->width, t->height))
		return OUTCOME_CANNOT;
	buf_init(&png, NULL, 16 * 1024);
	set_letters(&d, letters);
	draw_letters(&d);
	drawing_write(&d, (unsigned)t->background, &png);
	drawing_close(&d);
	*out = (struct made){PICTURE_PNG, t->width, t->height, (uint8_t *)png.p, png.n};
	return OUTCOME_MADE;
}

static const struct {
	const char *name, *sample;
} scripts[] = {
	{"Latin", "A"}, {"Cyrillic", "Ж"}, {"Greek", "Ω"}, {"Hebrew", "א"}, {"Arabic", "ع"}, {"Han", "王"}, {"Kana", "あ"}, {"Hangul", "김"},
	{"Devanagari", "अ"}, {"Thai", "ท"}, {"emoji", "😀"}, {"Bengali", "অ"}, {"Tamil", "அ"}, {"Telugu", "అ"}, {"Gujarati", "અ"}, {"Kannada", "ಅ"},
	{"Malayalam", "അ"}, {"Gurmukhi", "ਅ"}, {"Odia", "ଅ"}, {"Sinhala", "අ"}, {"Khmer", "ក"}, {"Lao", "ກ"}, {"Burmese", "က"}, {"Georgian", "ა"},
	{"Armenian", "Ա"}, {"Ethiopic", "አ"},
};
enum { N_SCRIPTS = sizeof scripts / sizeof scripts[0], N_FREQUENT = 11, SAMPLE_SIDE = 32 };

/* Reads the list of fonts, so that not every picture must. Nothing is drawn here: Pango looks for fonts in threads of its own, which a fork does not
 * take along, and their answer would be waited for in the process of the picture, or the lock that one of them holds. */
void
initials_warm_up(void)
{
	if (pango_open())
		(void)FcInit();
}

int
initials_missing(struct buf *names)
{
	struct drawing d;
	int frequent = 0;

	if (!pango_open() || !drawing_open(&d, SAMPLE_SIDE, SAMPLE_SIDE))
		return -1;
	for (int i = 0; i < N_SCRIPTS; i++) {
		if (letter_known(&d, str_c(scripts[i].sample)))
			continue;
		buf_printf(names, "%s%s", names->n > 0 ? ", " : "", scripts[i].name);
		frequent += i < N_FREQUENT;
	}
	drawing_close(&d);
	return frequent;
}
