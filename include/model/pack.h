/* Packing: an object and all it points to in one allocation. The same walk measures (base NULL) and copies, so both agree:
 *
 *	struct pack k = {0};
 *
 *	walk(&k, NULL, from);
 *	pack_begin(&k);
 *	walk(&k, pack_room(…), from);
 *
 * Each call gives NULL while it measures. */
#ifndef BADAL_MODEL_PACK_H
#define BADAL_MODEL_PACK_H

#include "model/shape.h"

struct pack {
	char *base;	/* from pack_begin on: the allocation, which is the caller's */
	size_t n;	/* bytes used */
};
void pack_begin(struct pack *k);			/* it was measured: allocates, and begins anew */
void *pack_room(struct pack *k, size_t n);		/* aligned for anything; the first is at the beginning */
const char *pack_str(struct pack *k, const char *s);	/* NULL stays NULL */
struct strs pack_strs(struct pack *k, const struct strs *s);
/* Copies the struct and what its fields point to; `to` is NULL while it measures. Pointers that are no field are the caller's to set. */
void shape_pack(struct pack *k, const struct shape *s, void *to, const void *from);

#endif
