/* Host names as browsers write them (UTS 46): small, each label in ASCII. */
#ifndef BADAL_IO_IDNA_H
#define BADAL_IO_IDNA_H

#include "core/str.h"

/* "xn--bcher-kva.example" of "Bücher.example", in a. STR_NONE: it is no host name. A label of "*" stays; underscores are let through. */
struct str idna_ascii(struct arena *a, struct str host);

#endif
