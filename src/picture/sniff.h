/* What a file says it is, read from its bytes alone, and no further than its structure: before any decoder sees it. */
#ifndef BADAL_PICTURE_SNIFF_H
#define BADAL_PICTURE_SNIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/picture_wire.h"

struct sniffed {
	enum picture_source kind;
	uint32_t w, h;		/* as stored; 0: it does not say where we look (AVIF, HEIC) */
	int orientation;	/* EXIF, 1 to 8; 1 when there is none, or it is no such number */
	uint32_t frames;	/* at least 1; of GIF and WebP */
	uint64_t pixels;	/* of all frames together */
	bool keyed;		/* a PNG in RGB of eight bits has one colour that is transparent */
	uint8_t key[3];
};

/* False: none of the formats, or one without a size. */
bool sniff(const uint8_t *p, size_t n, struct sniffed *out);
/* Moves the chunks of a PNG that make its pixels together and drops the rest (texts, compressed ones among them, profiles of other programs).
 * Returns the new length. `p` is a PNG by sniff. */
size_t png_essence(uint8_t *p, size_t n);

#endif
