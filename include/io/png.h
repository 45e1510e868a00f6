/* Writing PNG pictures of one byte a pixel. No decoder of ours reads PNG: see model/picture.h. */
#ifndef BADAL_IO_PNG_H
#define BADAL_IO_PNG_H

#include "core/str.h"

/* 0 is black, 255 white. */
void png_write_gray(struct buf *b, const unsigned char *pixels, int width, int height);
/* One colour (0xrrggbb); a pixel says how opaque it is. */
void png_write_veil(struct buf *b, const unsigned char *pixels, int width, int height, unsigned color);

#endif
