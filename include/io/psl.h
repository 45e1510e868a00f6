/* The public suffix list: which part of a host name somebody can register. */
#ifndef BADAL_IO_PSL_H
#define BADAL_IO_PSL_H

#include "core/str.h"

/* "co.uk" of "www.example.co.uk": the public suffix by a rule of the list. STR_NONE when no rule names it (localhost, .test, addresses).
 * Both are borrowed from `host`, which must be lower-case. */
struct str psl_suffix(struct str host);
/* "example.co.uk": the suffix and one label more; STR_NONE when there is none. */
struct str psl_registrable(struct str host);

#endif
