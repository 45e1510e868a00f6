/* What this process may have of the machine: all of it, or what the control groups leave that it is in (containers, units of systemd). */
#ifndef BADAL_CORE_MACHINE_H
#define BADAL_CORE_MACHINE_H

#include <stddef.h>

size_t machine_memory(void);	/* bytes; SIZE_MAX: unknown */
unsigned machine_cores(void);	/* that it may use at a time, a quota rounded up; 1 at least */
/* The same of a machine with so much, by the files below `root`. For tests. */
size_t machine_memory_at(const char *root, size_t have);
unsigned machine_cores_at(const char *root, unsigned have);

#endif
