/* Making a picture, from bytes to bytes: read.c, write.c and icon.c around canvas.c. Runs in a process for this one picture (worker.c), so it frees what
 * is large, and leaves the rest to the end of the process. */
#ifndef BADAL_PICTURE_PRIV_H
#define BADAL_PICTURE_PRIV_H

#include "canvas.h"
#include "model/picture.h"
#include "sniff.h"

struct film_frame {
	struct canvas c;
	int ms;			/* how long it is shown */
};

struct film {			/* one frame, or an animation */
	struct film_frame *v;
	int n, loops;		/* 0: for ever */
	int w, h;		/* of each frame */
};

struct made {
	enum picture_format format;
	int w, h;
	uint8_t *p;
	size_t n;
};

/* Starts the libraries, takes from GraphicsMagick what is not on our list, and tells what is left. False: there is no GraphicsMagick. */
bool picture_setup(const struct picture_limits *l, struct picture_able *able_out);
/* Loads tables and codecs that are loaded at first use, by making small pictures. */
void picture_warm_up(const struct picture_able *able);

/* task.c */
bool picture_task_sound(const struct picture_task *t);
/* read.c: frames in the size that was asked for, as they are seen. `animated` false: the first alone. */
enum picture_outcome picture_read(uint8_t *p, size_t n, const struct sniffed *s, const struct picture_limits *l, const struct picture_task *t, bool animated,
    struct film *out);
/* icon.c */
enum picture_outcome picture_draw(enum picture_icon icon, const struct picture_limits *l, const struct picture_task *t, struct film *out);
/* write.c. Formats that hold one frame take the first. */
enum picture_outcome picture_write(struct film *f, enum picture_format format, const struct picture_task *t, struct made *out);
bool picture_animates(enum picture_format f);

/* Scales, turns and cuts one picture, which is `whole` as it is stored. */
enum picture_outcome picture_fit(const struct canvas *whole, int orientation, const struct picture_limits *l, const struct picture_task *t, struct canvas *out);

/* initials.c: letters into pixels. The first warms up what draws them, on letters of ours. */
void initials_warm_up(void);
enum picture_outcome initials_work(const uint8_t *p, size_t n, const struct picture_task *t, struct made *out);
/* page.c: where the icon of a page is. */
enum picture_outcome page_work(const uint8_t *p, size_t n, struct made *out);

/* The whole: a source (or an icon) and a task become a picture. */
enum picture_outcome picture_work(uint8_t *p, size_t n, const struct picture_limits *l, const struct picture_task *t, const struct picture_able *able,
    struct made *out);

#endif
