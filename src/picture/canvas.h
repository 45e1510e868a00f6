/* Pixels and what is done to them: 8 bits each of red, green, blue and alpha, not premultiplied. Knows no format and no library. */
#ifndef BADAL_PICTURE_CANVAS_H
#define BADAL_PICTURE_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/picture_wire.h"

struct canvas {
	int w, h;
	uint8_t *px;		/* 4 * w * h, malloc; NULL: nothing in it */
};

struct box {
	int x, y, w, h;
};

/* How a source comes to its asked size: scaled to w × h of `scaled`, of which `cut` is kept. Both lie within PICTURE_SIDE_MAX but for
 * `scaled`, whose one side may be long: see fit_source. */
struct fit {
	double scaled_w, scaled_h;	/* whole numbers */
	double x, y;			/* of the cut in the scaled picture, whole numbers */
	int w, h;
};

/* False: the result would have a side of more than PICTURE_SIDE_MAX, or more than `pixels`. The source is as it is seen (after orientation). */
bool fit_find(int src_w, int src_h, int w, int h, enum picture_gravity g, uint64_t pixels, struct fit *out);
/* The part of the source that the cut comes from, when scaling the whole would make much more than is kept; false: scale the whole. */
bool fit_source(const struct fit *f, int src_w, int src_h, struct box *out);
/* A box of a picture as it is seen, in the picture as it is stored (EXIF orientation 1 to 8; stored size). */
struct box box_stored(struct box seen, int orientation, int stored_w, int stored_h);

/* All return false when there is no memory, and leave the canvas as it was. */
bool canvas_make(struct canvas *c, int w, int h);	/* clear */
void canvas_free(struct canvas *c);
bool canvas_orient(struct canvas *c, int orientation);	/* from stored to seen */
bool canvas_cut(struct canvas *c, struct box b);	/* inside the canvas */
bool canvas_border(struct canvas *c, int width, uint32_t rgb);
bool canvas_rotate(struct canvas *c, int degrees);	/* clockwise; grows to the bounding box, new area transparent */
/* Keeps a rounded rectangle. `stroke` > 0: its outline, so thick, half on either side, in that colour. */
void canvas_round(struct canvas *c, struct box b, int radius, int stroke, uint32_t rgb);
void canvas_opacity(struct canvas *c, int millionths);	/* of every pixel, whatever it was */
void canvas_flatten(struct canvas *c, uint32_t rgb);	/* onto a colour */
bool canvas_opaque(const struct canvas *c);
void canvas_fill(struct canvas *c, struct box b, uint32_t rgba);

/* Steps 2 to 6 of the pipeline (spec storage-avatars-locale-health.md 8.2), in order. */
bool canvas_decorate(struct canvas *c, const struct picture_task *t);

#endif
