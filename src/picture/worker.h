/* Image workers, as the program sees them. */
#ifndef BADAL_PICTURE_WORKER_H
#define BADAL_PICTURE_WORKER_H

#include <stdint.h>

struct buf;

/* The hidden verb: never returns to the rest of the program. */
int picture_worker_main(int argc, char **argv);
/* What this machine can read and write, as bits of picture_wire.h, and whether what moves can be read of WebP. Loads the libraries: for badal doctor. */
uint32_t picture_abilities(uint32_t *writes_out, uint32_t *moving_out);

/* The scripts whose letters no font here has, ", " between them, and how many of these are frequent ones; -1: there is no Pango, so no initials at all. For
 * badal doctor. */
int initials_missing(struct buf *names);

#endif
