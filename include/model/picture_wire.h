/* What a process says to its image workers and hears from them (src/model/picture.c, src/picture/worker.c).
 *
 * They speak over a socket pair that keeps messages apart. The first message of a worker is a descriptor of itself (io/worker.h); then it is told
 * its limits and answers what it can do; then one picture after the other: a task with two descriptors (the source, which can
 * change no more, and a file in memory for the result), and an end. The result begins with a header. Both sides check what they read: the worker
 * reads hostile bytes, and what it says is believed no further than these types go. */
#ifndef BADAL_MODEL_PICTURE_WIRE_H
#define BADAL_MODEL_PICTURE_WIRE_H

#include <stdint.h>

enum {
	PICTURE_WIRE = 0x50494332,	/* begins each message */
	PICTURE_SIDE_MAX = 16383,	/* pixels: what WebP can hold */
	PICTURE_RESULT_MAX = 64 * 1024 * 1024
};

enum picture_source {		/* formats that are read, told by their first bytes */
	SOURCE_NONE, SOURCE_JPEG, SOURCE_PNG, SOURCE_GIF, SOURCE_WEBP, SOURCE_AVIF, SOURCE_HEIC, SOURCE_N
};

enum picture_gravity {		/* three columns of three rows: 4 is the middle */
	GRAVITY_TOP_LEFT, GRAVITY_TOP, GRAVITY_TOP_RIGHT, GRAVITY_LEFT, GRAVITY_CENTER, GRAVITY_RIGHT, GRAVITY_BOTTOM_LEFT, GRAVITY_BOTTOM,
	GRAVITY_BOTTOM_RIGHT, GRAVITY_N
};

struct picture_limits {		/* first message to a worker */
	uint32_t magic;
	uint32_t frames;	/* of an animation; one with more is a still picture */
	uint64_t pixels;	/* that are decoded, all frames together */
	uint64_t memory;	/* bytes of address space, above what the worker itself takes */
	uint64_t seconds;	/* of CPU, for one picture */
};

struct picture_able {		/* its answer: bits 1 << enum picture_source, 1 << enum picture_format */
	uint32_t magic;
	uint32_t reads, writes;
};

enum picture_kind {		/* what is to be done */
	TASK_PICTURE,
	TASK_INITIALS,		/* the source is letters, a line each; width, height and background say the rest */
	TASK_PAGE,		/* the source is an HTML page; the result two lines, PICTURE_SAME: its base, and where its icon is */
	TASK_N
};
enum { INITIALS_LETTERS = 2, INITIALS_BYTES = 64, INITIALS_SIDE_MAX = 2000 };	/* letters, bytes of one, pixels */

struct picture_task {
	uint32_t magic;
	int32_t kind;		/* enum picture_kind */
	int32_t icon;		/* enum picture_icon; 0: the source is a picture */
	int32_t width, height, gravity, quality, border_width, border_radius, rotation;
	int32_t border_color, background;	/* 0xrrggbb; -1: none */
	int32_t opacity;	/* millionths */
	int32_t format;		/* enum picture_format */
};

enum picture_outcome { OUTCOME_MADE, OUTCOME_BAD, OUTCOME_LARGE, OUTCOME_CANNOT };

struct picture_end {		/* how the process that made it ended */
	uint32_t magic;
	uint32_t crashed;	/* its signal; 0: it said what became of it */
};

struct picture_result {		/* at the beginning of the file in memory; the bytes follow */
	uint32_t magic;
	uint32_t outcome;
	uint32_t format;	/* enum picture_format; PICTURE_SAME: text */
	uint32_t width, height;
	uint32_t bytes;
};

#endif
