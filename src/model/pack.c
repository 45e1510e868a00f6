/* Packing: one allocation for an object and what its fields point to. */
#include "model/pack.h"

#include <assert.h>

enum { ALIGN = 16 };

void
pack_begin(struct pack *k)
{
	assert(k->base == NULL);
	k->base = mem_zalloc(k->n > 0 ? k->n : 1);
	k->n = 0;
}

void *
pack_room(struct pack *k, size_t n)
{
	size_t at = (k->n + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	k->n = at + n;
	return k->base ? k->base + at : NULL;
}

static const char *
pack_bytes(struct pack *k, const char *p, size_t n)
{
	size_t at = k->n;

	if (p == NULL)
		return NULL;
	k->n += n;
	return k->base ? memcpy(k->base + at, p, n) : NULL;
}

const char *
pack_str(struct pack *k, const char *s)
{
	return pack_bytes(k, s, s ? strlen(s) + 1 : 0);
}

struct strs
pack_strs(struct pack *k, const struct strs *s)
{
	struct strs out = {.n = s->n, .set = s->set, .v = pack_room(k, sizeof(char *) * (size_t)s->n)};

	for (int i = 0; i < s->n; i++) {
		const char *copy = pack_str(k, s->v[i]);

		if (out.v != NULL)
			out.v[i] = copy;
	}
	return out;
}

static struct objs
pack_objs(struct pack *k, const struct shape *sub, const struct objs *list)
{
	struct objs out = {.n = list->n, .v = pack_room(k, sizeof(void *) * (size_t)list->n)};

	for (int i = 0; i < list->n; i++) {
		void *to = pack_room(k, sub->size);

		shape_pack(k, sub, to, list->v[i]);
		if (out.v != NULL)
			out.v[i] = to;
	}
	return out;
}

static struct str
pack_json(struct pack *k, const struct str *s)
{
	return (struct str){pack_str(k, s->p), s->n};
}

static void
field_pack(struct pack *k, const struct field *f, void *to, const void *from)
{
	struct { const char *s; struct strs strs; struct str json; struct objs objs; } v;

	switch (f->type) {
	case F_STR:
	case F_ID:
	case F_ENUM:
		v.s = pack_str(k, *(const char *const *)from);
		if (to != NULL)
			*(const char **)to = v.s;
		return;
	case F_STRS:
		v.strs = pack_strs(k, from);
		if (to != NULL)
			*(struct strs *)to = v.strs;
		return;
	case F_DATA:
	case F_JSON:
		v.json = pack_json(k, from);
		if (to != NULL)
			*(struct str *)to = v.json;
		return;
	case F_LIST:
		v.objs = pack_objs(k, f->sub, from);
		if (to != NULL)
			*(struct objs *)to = v.objs;
		return;
	case F_TIME:
	case F_TIME_OR_NONE:
	case F_BOOL:
	case F_INT:
	case F_FLOAT:
	case F_CONST:
		return;
	}
}

void
shape_pack(struct pack *k, const struct shape *s, void *to, const void *from)
{
	assert((to == NULL) == (k->base == NULL) && s->size > 0);
	if (to != NULL)
		memcpy(to, from, s->size);
	for (int i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];

		field_pack(k, f, to ? (char *)to + f->off : NULL, (const char *)from + f->off);
	}
}
