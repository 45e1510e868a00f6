/* QR codes, by libqrencode. */
#ifndef BADAL_IO_QR_H
#define BADAL_IO_QR_H

#include "core/str.h"

/* The smallest code of the text (error correction L; UTF-8 as bytes), black on white, size × size pixels with a quiet zone of `margin` modules, as PNG.
 * Computes for some ten milliseconds. False: the text fits into no code. */
bool qr_png(struct buf *out, const char *text, int size, int margin);

#endif
