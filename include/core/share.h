/* Files that belong to the program: found in the source tree when it runs from a build, else where they were installed. */
#ifndef BADAL_CORE_SHARE_H
#define BADAL_CORE_SHARE_H

#include "core/str.h"

/* The directory: `configured` unless it is empty, else `sub` beside the program or above it if it holds `probe`, else `installed`.
 * Written to `out` and returned. */
const char *share_dir(const char *configured, const char *sub, const char *probe, const char *installed, char *out, size_t size);
/* Blocks: for files of ours, small, read once. The text is the process's. False when it cannot be read or is larger than `max`. */
bool share_read(const char *path, size_t max, struct str *out);

#endif
