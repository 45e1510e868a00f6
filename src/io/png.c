/* PNG (RFC 2083) with eight bits a pixel, grey or of a palette, deflated by zlib. */
#include "io/png.h"

#include <assert.h>
#include <zlib.h>

enum { COLOR_GRAY = 0, COLOR_PALETTE = 3, LEVEL = 6, FILTER_NONE = 0, CHUNK = 32 * 1024, SHADES = 256 };

static void
png_u32(unsigned char *p, size_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* A chunk that was put into b since `from`, its length and type before it: they are known now. */
static void
chunk_end(struct buf *b, size_t from)
{
	unsigned char sum[4];

	png_u32((unsigned char *)b->p + from, b->n - from - 8);
	png_u32(sum, crc32(0, (const unsigned char *)b->p + from + 4, (unsigned)(b->n - from - 4)));
	buf_add(b, sum, sizeof sum);
}

static size_t
chunk_begin(struct buf *b, const char *type)
{
	size_t from = b->n;

	buf_add(b, "\0\0\0\0", 4);
	buf_add(b, type, 4);
	return from;
}

static void
png_head(struct buf *b, int width, int height, int color)
{
	unsigned char head[13] = {[8] = 8, [9] = (unsigned char)color};
	size_t from;

	png_u32(head, (size_t)width);
	png_u32(head + 4, (size_t)height);
	buf_add(b, "\x89PNG\r\n\x1a\n", 8);
	from = chunk_begin(b, "IHDR");
	buf_add(b, head, sizeof head);
	chunk_end(b, from);
}

static void
deflate_into(struct buf *b, z_stream *z, int flush)
{
	unsigned char out[CHUNK];
	int e;

	do {
		z->next_out = out;
		z->avail_out = sizeof out;
		e = deflate(z, flush);
		assert(e != Z_STREAM_ERROR);
		buf_add(b, out, sizeof out - z->avail_out);
	} while (z->avail_out == 0);
}

static void
png_pixels(struct buf *b, const unsigned char *pixels, int width, int height)
{
	static const unsigned char filter = FILTER_NONE;
	z_stream z = {0};
	size_t from = chunk_begin(b, "IDAT");

	if (deflateInit(&z, LEVEL) != Z_OK)
		mem_fatal(0);
	for (int y = 0; y < height; y++) {
		z.next_in = (unsigned char *)(uintptr_t)&filter;
		z.avail_in = 1;
		deflate_into(b, &z, Z_NO_FLUSH);
		z.next_in = (unsigned char *)(uintptr_t)(pixels + (size_t)y * (size_t)width);
		z.avail_in = (unsigned)width;
		deflate_into(b, &z, Z_NO_FLUSH);
	}
	deflate_into(b, &z, Z_FINISH);
	deflateEnd(&z);
	chunk_end(b, from);
	chunk_end(b, chunk_begin(b, "IEND"));
}

void
png_write_gray(struct buf *b, const unsigned char *pixels, int width, int height)
{
	png_head(b, width, height, COLOR_GRAY);
	png_pixels(b, pixels, width, height);
}

void
png_write_veil(struct buf *b, const unsigned char *pixels, int width, int height, unsigned color)
{
	const char rgb[3] = {(char)(color >> 16), (char)(color >> 8), (char)color};
	size_t from;

	png_head(b, width, height, COLOR_PALETTE);
	from = chunk_begin(b, "PLTE");
	for (int i = 0; i < SHADES; i++)
		buf_add(b, rgb, sizeof rgb);
	chunk_end(b, from);
	from = chunk_begin(b, "tRNS");
	for (int i = 0; i < SHADES; i++)
		buf_ch(b, (char)i);
	chunk_end(b, from);
	png_pixels(b, pixels, width, height);
}
