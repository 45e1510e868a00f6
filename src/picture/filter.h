/* What the process of a picture may ask the kernel for: memory, time, and reading and writing what it has open. */
#ifndef BADAL_PICTURE_FILTER_H
#define BADAL_PICTURE_FILTER_H

#include <stdbool.h>

bool filter_make(void);		/* once, before the first process */
bool filter_enter(void);	/* for good */
/* Tries what must not work, each in a process of its own behind the filter, and prints what happened; 0 when all of it was refused. */
int filter_probe(void);

#endif
