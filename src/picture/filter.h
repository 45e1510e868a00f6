/* What the process of a picture may ask the kernel for: memory, time, and reading and writing what it has open. */
#ifndef BADAL_PICTURE_FILTER_H
#define BADAL_PICTURE_FILTER_H

#include <stdbool.h>

enum filter {
	FILTER_BYTES,		/* nothing that has a name */
	FILTER_FILES,		/* besides, to read files: fonts */
	FILTER_N
};
bool filter_make(void);		/* once, before the first process */
bool filter_enter(enum filter which);	/* for good */
/* fence.c: for good, and for all that is forked later. False: this kernel has no Landlock. */
bool fence_enter(void);
/* Tries what must not work, each in a process of its own behind the filter, and prints what happened; 0 when all of it was refused. */
int filter_probe(void);

#endif
