/* Pictures: made by worker processes that hold no connection and no secret (src/main/…), started on demand and ended when idle. What is
 * handed in is hostile: limits on pixels, frames, memory and seconds, no delegates, no files, no network. */
#ifndef BADAL_MODEL_PICTURE_H
#define BADAL_MODEL_PICTURE_H

#include "core/ctx.h"

enum picture_format { PICTURE_SAME, PICTURE_JPG, PICTURE_PNG, PICTURE_GIF, PICTURE_WEBP, PICTURE_AVIF };

struct picture_ask {		/* spec storage-avatars-locale-health.md 8.2 */
	int width, height;	/* 0: not given */
	const char *gravity;	/* "center", "top-left", …; NULL: center */
	int quality;		/* 0..100 */
	int border_width, border_radius;
	const char *border_color, *background;	/* "rrggbb" or "rgb"; NULL: none */
	double opacity;		/* 0..1 */
	int rotation;		/* degrees clockwise */
	enum picture_format format;
};

/* Gives the next bytes of the source; n is 0 at the end. Awaits. */
typedef err_t (*picture_source_fn)(struct ctx *cx, void *arg, struct str *piece_out);

enum picture_icon { PICTURE_ICON_NONE, PICTURE_ICON_FILE, PICTURE_ICON_VIDEO, PICTURE_ICON_IMAGE, PICTURE_ICON_N };

struct picture {
	const char *type;	/* "image/png" */
	struct str bytes;	/* in cx's arena, charged to the budget until cx ends */
	int width, height;
};
/* Awaits a worker. ERR_GENERAL_ARGUMENT_INVALID: a border without a colour. ERR_PICTURE_BAD: it is none, or broken; ERR_PICTURE_LARGE: over a
 * limit; ERR_BUSY: too many wait. */
err_t picture_make(struct ctx *cx, picture_source_fn source, void *arg, const struct picture_ask *ask, struct picture *out) MUST_CHECK;

/* The same of a picture of ours, PNG unless `ask` says otherwise, on #eceff1 unless it has a background. */
err_t picture_icon(struct ctx *cx, enum picture_icon icon, const struct picture_ask *ask, struct picture *out) MUST_CHECK;

/* ---- what else is hostile: texts and pages of strangers ---- */

/* Awaits a worker. PNG, width x height, all of one colour (0xrrggbb), with holes in the shape of the letters: UTF-8, a line each, at most two. ERR_PICTURE_BAD:
 * there is no Pango here. Other errors as picture_make. */
err_t picture_initials(struct ctx *cx, struct str letters, int width, int height, unsigned color, struct picture *out) MUST_CHECK;
/* Awaits a worker. Of an HTML page the address of its base and of its icon as they stand there, without blanks and control characters; "": it names none. */
err_t picture_page_icon(struct ctx *cx, struct str page, const char **base_out, const char **icon_out) MUST_CHECK;

/* ---- results that are kept (spec 9) ---- */

/* A directory of the data directory, bounded by conf.preview_cache_size, the least recently used go first. A key must name everything that decides the bytes
 * (the object and its version, the sorted parameters, the format), as "owner/object?variant": what stands before the "/" is whose it is (a project's
 * schema), what stands before the "?" is the object, and both can be forgotten. The caller has checked permissions. All await; a failure is a miss, or
 * nothing kept. `fd_out` is open for reading and closed with cx. */
bool picture_cached(struct ctx *cx, const char *key, int *fd_out, uint64_t *size_out, const char **type_out);
/* `secret`: what it is made of lies encrypted on the device, so it does here. */
void picture_keep(struct ctx *cx, const char *key, const struct picture *pic, bool secret);
/* All that is kept of "owner/object", or of "owner". */
void picture_forget(struct ctx *cx, const char *what);
/* A strong tag for the answer, quotes and all, the same whether it was found or made. In cx's arena. */
const char *picture_tag(struct ctx *cx, const char *key);

#endif
