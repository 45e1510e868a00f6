/* Content-Range of uploads and Range of downloads (spec storage-avatars-locale-health.md 5 and 7.1). */
#ifndef BADAL_SVC_STORAGE_RANGE_H
#define BADAL_SVC_STORAGE_RANGE_H

#include <stdint.h>

#include "core/str.h"

struct content_range {
	int64_t start, end, size;	/* start <= end <= size; `end` is the last byte, or, as clients of 2022 mark the last part, the size */
};
/* "bytes 0-5242879/10485760": any unit, decimal digits, one blank. */
bool content_range_parse(struct str s, struct content_range *out);
/* How many bytes the part must have. */
int64_t content_range_length(const struct content_range *r);

enum range { RANGE_WHOLE, RANGE_PART, RANGE_BAD };
/* "bytes=0-99" of `size` bytes: ends past it are clamped. A suffix, several ranges and what is malformed cannot be served. *first_out .. *last_out are
 * its bytes when it is RANGE_PART. Absent or empty: RANGE_WHOLE. */
enum range range_parse(struct str s, int64_t size, int64_t *first_out, int64_t *last_out);

#endif
