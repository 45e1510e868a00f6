/* A code is drawn straight at the size that is asked for: a pixel is as dark as the modules below it, so that codes with a broken number of pixels a
 * module, and those with less than one, are read as well as they can be. */
#include "io/qr.h"

#include <qrencode.h>
#include <stdlib.h>

#include "io/png.h"

enum { WHITE = 255, DARK = 1, ECI_UTF8 = 26 };

/* What of [0, modules) a row or column of `size` pixels lies on, in parts of 1/size of a module: pixel i on [i·modules, (i+1)·modules). */
struct lens {
	int modules, size;
};

/* How much of pixel i lies on module m. */
static int
share_of(const struct lens *l, int i, int m)
{
	int from = i * l->modules > m * l->size ? i * l->modules : m * l->size;
	int to = (i + 1) * l->modules < (m + 1) * l->size ? (i + 1) * l->modules : (m + 1) * l->size;

	return to > from ? to - from : 0;
}

static int
first_of(const struct lens *l, int i)
{
	return i * l->modules / l->size;
}

static bool
module_dark(const QRcode *code, int margin, int x, int y)
{
	x -= margin;
	y -= margin;
	return x >= 0 && y >= 0 && x < code->width && y < code->width && (code->data[y * code->width + x] & DARK) != 0;
}

static unsigned char
shade(const QRcode *code, int margin, const struct lens *l, int px, int py)
{
	int64_t dark = 0, all = (int64_t)l->modules * l->modules;
	int h, w;

	for (int y = first_of(l, py); (h = share_of(l, py, y)) > 0; y++)
		for (int x = first_of(l, px); (w = share_of(l, px, x)) > 0; x++)
			if (module_dark(code, margin, x, y))
				dark += (int64_t)w * h;
	return (unsigned char)(WHITE - dark * WHITE / all);
}

/* Numbers, capitals and bytes as they come. Text beyond ASCII is announced as UTF-8, or readers guess. */
static QRcode *
qr_encode(const char *text)
{
	struct str s = str_c(text);
	QRcode *code = NULL;
	QRinput *in;

	for (size_t i = 0; i < s.n && (unsigned char)s.p[i] < 0x80;)
		if (++i == s.n)
			return QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	in = QRinput_new2(0, QR_ECLEVEL_L);
	if (in != NULL && QRinput_appendECIheader(in, ECI_UTF8) == 0 && QRinput_append(in, QR_MODE_8, (int)s.n, (const unsigned char *)s.p) == 0)
		code = QRcode_encodeInput(in);
	QRinput_free(in);
	return code;
}

bool
qr_png(struct buf *out, const char *text, int size, int margin)
{
	QRcode *code = qr_encode(text);
	struct lens l;
	unsigned char *pixels;

	if (code == NULL)
		return false;
	l = (struct lens){code->width + 2 * margin, size};
	pixels = mem_alloc((size_t)size * (size_t)size);
	for (int y = 0; y < size; y++)
		for (int x = 0; x < size; x++)
			pixels[y * size + x] = shade(code, margin, &l, x, y);
	png_write_gray(out, pixels, size, size);
	free(pixels);
	QRcode_free(code);
	return true;
}
