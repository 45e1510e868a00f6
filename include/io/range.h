/* Ranges in headers: Range of what is read (RFC 9110, 14.2), Content-Range of parts of an upload (spec storage-avatars-locale-health.md 5). */
#ifndef BADAL_IO_RANGE_H
#define BADAL_IO_RANGE_H

#include <stdint.h>

#include "core/str.h"

struct content_range {
	int64_t start, end, size;	/* start <= end <= size; `end` is the last byte, or, as clients of 2022 mark the last part, the size */
};
/* "bytes 0-5242879/10485760": any unit, decimal digits, one blank. */
bool content_range_parse(struct str s, struct content_range *out);
/* How many bytes the part must have. */
int64_t content_range_length(const struct content_range *r);

enum range {
	RANGE_NONE,	/* none is named: the header is absent or empty */
	RANGE_ONE,	/* "bytes=0-99", "bytes=100-" */
	RANGE_SUFFIX,	/* "bytes=-500": the last so many */
	RANGE_PAST,	/* one of which the file has no byte */
	RANGE_BAD	/* malformed, another unit, or several of them */
};
/* Of a file of `size` bytes: ends past it are clamped. *first_out .. *last_out are the bytes of RANGE_ONE and RANGE_SUFFIX. */
enum range range_parse(struct str s, int64_t size, int64_t *first_out, int64_t *last_out);

#endif
