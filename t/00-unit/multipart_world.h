/* A multipart body parsed in pieces into a text that says what was found; for the unit test and the fuzzer. */
#ifndef BADAL_T_MULTIPART_WORLD_H
#define BADAL_T_MULTIPART_WORLD_H

#include "../../src/gate/multipart.h"

/* Piece i is `sizes[i % n]` bytes long (0: the rest). "[name|filename|type:data]" per part, then "." or "!" for an end that is none. */
static inline struct str
multipart_parse(struct arena *a, struct str text, struct str boundary, const size_t *sizes, size_t n)
{
	struct mp *mp = arena_new_of(a, struct mp);
	struct part_head h;
	struct str data;
	enum mp_event e = MP_MORE;
	struct buf b;

	buf_init(&b, a, 256);
	if (!mp_init(mp, boundary))
		return STR("no boundary");
	for (size_t i = 0; e != MP_BAD && e != MP_END; i++) {
		size_t size = sizes[i % n] == 0 || sizes[i % n] > text.n ? text.n : sizes[i % n];
		char *copy = arena_memdup(a, text.p, size);	/* what is kept of it would be seen */
		struct str piece = {copy, size};

		if (size == 0)
			break;
		text = (struct str){text.p + size, text.n - size};
		while ((e = mp_step(mp, &piece, &data)) != MP_MORE && e != MP_BAD && e != MP_END)
			if (e == MP_PART && !part_head_parse(a, mp->head, &h))
				buf_c(&b, "[?:");
			else if (e == MP_PART)
				buf_printf(&b, "[%.*s|%.*s|%.*s:", STR_FMT(h.name), STR_FMT(h.filename), STR_FMT(h.type));
			else if (e == MP_PART_END)
				buf_ch(&b, ']');
			else
				buf_str(&b, data);
		memset(copy, '#', size);
	}
	buf_ch(&b, e == MP_END ? '.' : '!');
	return buf_view(&b);
}

#endif
