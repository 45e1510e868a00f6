/* Headers of picture files. Every step moves forward, so a walk takes no longer than the file. */
#include "sniff.h"

#include <string.h>

struct bytes {
	const uint8_t *p;
	size_t n;
};

static bool
starts(struct bytes b, size_t at, const char *with, size_t n)
{
	return b.n >= n && at <= b.n - n && memcmp(b.p + at, with, n) == 0;
}
#define STARTS(b, at, lit) starts((b), (at), "" lit, sizeof(lit) - 1)

static uint32_t
be(const uint8_t *p, int n)
{
	uint32_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static uint32_t
le(const uint8_t *p, int n)
{
	uint32_t v = 0;

	for (int i = n; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

/* ---- EXIF ---- */

enum { TAG_ORIENTATION = 0x112, IFD_MAX = 512 };

/* The orientation of a TIFF header and its first directory; 1: none that counts. */
static int
exif_orientation(struct bytes t)
{
	uint32_t (*num)(const uint8_t *, int) = STARTS(t, 0, "MM\0*") ? be : le;
	uint32_t at, n;

	if (t.n < 14 || (!STARTS(t, 0, "MM\0*") && !STARTS(t, 0, "II*\0")))
		return 1;
	at = num(t.p + 4, 4);
	if (at > t.n - 2)
		return 1;
	n = num(t.p + at, 2);
	for (uint32_t i = 0; i < n && i < IFD_MAX && at + 2 + 12 * (i + 1) <= t.n; i++) {
		const uint8_t *e = t.p + at + 2 + 12 * i;
		uint32_t v;

		if (num(e, 2) != TAG_ORIENTATION)
			continue;
		v = num(e + 8, num(e + 2, 2) == 4 ? 4 : 2);	/* a SHORT; some write a LONG */
		return v >= 1 && v <= 8 ? (int)v : 1;
	}
	return 1;
}

/* Some writers put the name of JPEG's segment in front everywhere. */
static int
exif_named(struct bytes b)
{
	return STARTS(b, 0, "Exif\0\0") ? exif_orientation((struct bytes){b.p + 6, b.n - 6}) : exif_orientation(b);
}

/* ---- formats ---- */

static bool
jpeg_bare(uint8_t marker)
{
	return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

static bool
jpeg_frame(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static void
sniff_jpeg(struct bytes b, struct sniffed *s)
{
	bool exif = false;

	for (size_t at = 2; at + 4 <= b.n;) {
		uint8_t marker = b.p[at + 1];
		size_t n;

		if (b.p[at] != 0xff || marker == 0xff || marker == 0) {	/* filling, or junk that decoders skip, too */
			at++;
			continue;
		}
		if (jpeg_bare(marker)) {
			at += 2;
			continue;
		}
		n = be(b.p + at + 2, 2);
		if (marker == 0xda || marker == 0xd9 || n < 2 || n > b.n - at - 2)
			return;
		if (jpeg_frame(marker) && n >= 8 && s->w == 0) {
			s->h = be(b.p + at + 5, 2);
			s->w = be(b.p + at + 7, 2);
		}
		if (marker == 0xe1 && !exif && STARTS(b, at + 4, "Exif\0\0")) {
			s->orientation = exif_named((struct bytes){b.p + at + 4, n - 2});
			exif = true;
		}
		at += 2 + n;
	}
}

enum { PNG_HEAD = 8, PNG_CHUNK = 12 };	/* length, type and CRC of a chunk */

static void
sniff_png(struct bytes b, struct sniffed *s)
{
	if (b.n < 33 || !STARTS(b, 12, "IHDR"))
		return;
	s->w = be(b.p + 16, 4);
	s->h = be(b.p + 20, 4);
	for (size_t at = PNG_HEAD; at + PNG_CHUNK <= b.n;) {
		size_t n = be(b.p + at, 4);

		if (n > b.n - at - PNG_CHUNK)
			return;
		if (STARTS(b, at + 4, "eXIf"))
			s->orientation = exif_named((struct bytes){b.p + at + 8, n});
		if (STARTS(b, at + 4, "tRNS") && n == 6 && b.p[24] == 8 && b.p[25] == 2) {
			s->keyed = true;
			for (size_t i = 0; i < sizeof s->key; i++)
				s->key[i] = b.p[at + 8 + 2 * i + 1];
		}
		at += PNG_CHUNK + n;
	}
}

/* From `at`, behind sub-blocks and their end; b.n when they are cut off. */
static size_t
gif_skip(struct bytes b, size_t at)
{
	while (at < b.n && b.p[at] != 0)
		at += 1 + (size_t)b.p[at];
	return at < b.n ? at + 1 : b.n;
}

static size_t
gif_colours(uint8_t flags)
{
	return flags & 0x80 ? 3 * ((size_t)2 << (flags & 7)) : 0;
}

static void
sniff_gif(struct bytes b, struct sniffed *s)
{
	size_t at;
	uint32_t n = 0;

	if (b.n < 13)
		return;
	s->w = le(b.p + 6, 2);
	s->h = le(b.p + 8, 2);
	for (at = 13 + gif_colours(b.p[10]); at < b.n && b.p[at] != 0x3b;) {
		if (b.p[at] == 0x21) {
			at = gif_skip(b, at + 2);
		} else if (b.p[at] == 0x2c && at + 11 <= b.n) {
			s->pixels += (uint64_t)le(b.p + at + 5, 2) * le(b.p + at + 7, 2);
			n++;
			at = gif_skip(b, at + 10 + gif_colours(b.p[at + 9]) + 1);
		} else {
			break;
		}
	}
	s->frames = n > 1 ? n : 1;
}

static void
sniff_webp_chunk(struct bytes b, size_t at, size_t n, struct sniffed *s, uint32_t *frames)
{
	const uint8_t *p = b.p + at + 8;

	if (STARTS(b, at, "VP8X") && n >= 10) {
		s->w = le(p + 4, 3) + 1;
		s->h = le(p + 7, 3) + 1;
	} else if (STARTS(b, at, "VP8 ") && n >= 10 && s->w == 0) {
		s->w = le(p + 6, 2) & 0x3fff;
		s->h = le(p + 8, 2) & 0x3fff;
	} else if (STARTS(b, at, "VP8L") && n >= 5 && s->w == 0) {
		s->w = (le(p + 1, 4) & 0x3fff) + 1;
		s->h = (le(p + 1, 4) >> 14 & 0x3fff) + 1;
	} else if (STARTS(b, at, "ANMF") && n >= 16) {
		s->pixels += (uint64_t)(le(p + 6, 3) + 1) * (le(p + 9, 3) + 1);
		++*frames;
	} else if (STARTS(b, at, "EXIF")) {
		s->orientation = exif_named((struct bytes){p, n});
	}
}

static void
sniff_webp(struct bytes b, struct sniffed *s)
{
	uint32_t frames = 0;

	for (size_t at = 12; at + 8 <= b.n;) {
		size_t n = le(b.p + at + 4, 4);

		if (n > b.n - at - 8)
			n = b.n - at - 8;
		sniff_webp_chunk(b, at, n, s, &frames);
		at += 8 + n + (n & 1);
	}
	s->frames = frames > 1 ? frames : 1;
}

enum { HEIF_LOOK = 64 * 1024 };

/* The largest size that its properties name: the decoder finds out for itself which is the picture's. It turns the picture, too. */
static void
sniff_heif(struct bytes b, struct sniffed *s)
{
	size_t end = b.n < HEIF_LOOK ? b.n : HEIF_LOOK;

	for (size_t at = 0; at + 16 <= end; at++)
		if (STARTS(b, at, "ispe")) {
			uint32_t w = be(b.p + at + 8, 4), h = be(b.p + at + 12, 4);

			if ((uint64_t)w * h > (uint64_t)s->w * s->h) {
				s->w = w;
				s->h = h;
			}
		}
}

static enum picture_source
heif_kind(struct bytes b)
{
	static const char brands[][5] = {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"};

	if (!STARTS(b, 4, "ftyp") || b.n < 16)
		return SOURCE_NONE;
	for (size_t at = 8; at + 4 <= b.n && at < 64 && at < be(b.p, 4); at += 4)
		if (STARTS(b, at, "avif") || STARTS(b, at, "avis"))
			return SOURCE_AVIF;
	for (size_t i = 0; i < sizeof brands / sizeof *brands; i++)
		if (memcmp(b.p + 8, brands[i], 4) == 0)
			return SOURCE_HEIC;
	return SOURCE_NONE;
}

static enum picture_source
kind_of(struct bytes b)
{
	if (STARTS(b, 0, "\xff\xd8\xff"))
		return SOURCE_JPEG;
	if (STARTS(b, 0, "\x89PNG\r\n\x1a\n"))
		return SOURCE_PNG;
	if (STARTS(b, 0, "GIF87a") || STARTS(b, 0, "GIF89a"))
		return SOURCE_GIF;
	if (STARTS(b, 0, "RIFF") && STARTS(b, 8, "WEBP"))
		return SOURCE_WEBP;
	return heif_kind(b);
}

bool
sniff(const uint8_t *p, size_t n, struct sniffed *out)
{
	static void (*const readers[SOURCE_N])(struct bytes, struct sniffed *) = {[SOURCE_JPEG] = sniff_jpeg, [SOURCE_PNG] = sniff_png,
	    [SOURCE_GIF] = sniff_gif, [SOURCE_WEBP] = sniff_webp, [SOURCE_AVIF] = sniff_heif, [SOURCE_HEIC] = sniff_heif};
	struct bytes b = {p, n};

	*out = (struct sniffed){.kind = kind_of(b), .orientation = 1, .frames = 1};
	if (out->kind == SOURCE_NONE)
		return false;
	readers[out->kind](b, out);
	if (out->frames == 1)
		out->pixels = (uint64_t)out->w * out->h;
	return (out->w > 0 && out->h > 0) || readers[out->kind] == sniff_heif;
}

size_t
png_essence(uint8_t *p, size_t n)
{
	static const char keep[][5] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT"};
	size_t to = PNG_HEAD, at = PNG_HEAD;

	while (at + PNG_CHUNK <= n) {
		size_t whole = be(p + at, 4);
		bool kept = false;

		whole = whole > n - at - PNG_CHUNK ? n - at : whole + PNG_CHUNK;	/* cut off: the decoder may make something of it */
		for (size_t i = 0; i < sizeof keep / sizeof *keep; i++)
			kept = kept || memcmp(p + at + 4, keep[i], 4) == 0;
		if (kept) {
			memmove(p + to, p + at, whole);
			to += whole;
		}
		at += whole;
	}
	return to;
}
