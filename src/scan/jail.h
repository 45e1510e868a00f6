/* What a process that scans may do: read what it was given, write files of its own in one directory, and nothing else. */
#ifndef BADAL_SCAN_JAIL_H
#define BADAL_SCAN_JAIL_H

#include <stdbool.h>
#include <stdint.h>

/* For good. `dir` is the only directory that it sees from then on, where the kernel can do that (Landlock, Linux 5.13); `bytes` bounds a file in it. False: the
 * kernel refuses the filter of system calls. */
bool jail_enter(const char *dir, uint64_t bytes);

#endif
