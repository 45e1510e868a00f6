/* multipart/form-data as it comes: one parser for bodies in pieces (multipart_open) and for kept ones (body_multipart). */
#ifndef BADAL_GATE_MULTIPART_H
#define BADAL_GATE_MULTIPART_H

#include "gate/gate.h"

enum { MP_BOUNDARY_MAX = 200, MP_HEAD_MAX = 12 * 1024 };

enum mp_event {
	MP_MORE,	/* the input is used up */
	MP_PART,	/* a part begins: mp->head */
	MP_DATA,	/* bytes of it: *data */
	MP_PART_END,
	MP_END,		/* behind the last part; what follows means nothing */
	MP_BAD
};

struct mp {
	int state;
	size_t n_mark, matched;		/* of the delimiter; its bytes seen so far */
	size_t borrowed;		/* of these, what belongs to the line before: no data if it is no delimiter */
	struct str head;		/* lines of the part that has begun, without the empty one; valid until the next part */
	size_t n_head;
	bool in_part;
	char mark[MP_BOUNDARY_MAX + 4];	/* "\r\n--boundary" */
	char text[MP_HEAD_MAX];
};

/* False when the boundary cannot be one. */
bool mp_init(struct mp *mp, struct str boundary);
/* Takes from *in up to the next event. */
enum mp_event mp_step(struct mp *mp, struct str *in, struct str *data);

/* False when a name in it is not UTF-8 or holds a NUL. */
bool part_head_parse(struct arena *a, struct str head, struct part_head *out);

/* The boundary parameter of a Content-Type; STR_NONE. */
struct str mp_boundary(struct str type);

#endif
