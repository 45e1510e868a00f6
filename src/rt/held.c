/* The roles that a connection holds: a sorted set of atoms, one for all connections that hold the same.
 *
 * With each role goes the time since when it was its holder's, for those who resume: what happened before was not for them by it. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/map.h"

enum { HELD_MAGIC = 0x68656c64 };

static struct map *sets;	/* by their roles and times */

static int
held_by_atom(const void *a, const void *b)
{
	const struct held_role *x = a, *y = b;

	if (x->atom != y->atom)
		return x->atom < y->atom ? -1 : 1;
	return x->since < y->since ? -1 : x->since > y->since;
}

static struct str
held_key(const struct held_role *v, uint32_t n)
{
	return (struct str){(const char *)v, n * sizeof *v};
}

/* Of a role that is given twice the older counts. The references of the others are given back. */
static uint32_t
held_once(struct held_role *v, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (kept > 0 && v[kept - 1].atom == v[i].atom)
			atom_unref(v[i].atom);
		else
			v[kept++] = v[i];
	}
	return kept;
}

struct held *
held_get(atom_t space, const struct strs *roles, const int64_t *since)
{
	struct held_role *v = mem_zalloc(((size_t)roles->n + 1) * sizeof *v);	/* the padding is part of the key */
	struct held *h;
	uint32_t n;

	for (int i = 0; i < roles->n; i++) {
		v[i].atom = atom_get(space, str_c(roles->v[i]));
		v[i].since = since ? since[i] : INT64_MIN;
	}
	qsort(v, (size_t)roles->n, sizeof *v, held_by_atom);
	n = held_once(v, (uint32_t)roles->n);
	h = sets ? map_get(sets, held_key(v, n)) : NULL;
	if (h != NULL) {
		for (uint32_t i = 0; i < n; i++)
			atom_unref(v[i].atom);
		free(v);
		h->refs++;
		return h;
	}
	h = mem_zalloc(sizeof *h);
	*h = (struct held){.magic = HELD_MAGIC, .refs = 1, .n = n, .v = v};
	if (sets == NULL)
		sets = map_new();
	(void)map_set(sets, held_key(v, n), h);
	return h;
}

void
held_unref(struct held *h)
{
	if (h == NULL)
		return;
	assert(h->magic == HELD_MAGIC && h->refs > 0);
	if (--h->refs > 0)
		return;
	(void)map_del(sets, held_key(h->v, h->n));
	if (map_count(sets) == 0)
		map_free(&sets);
	for (uint32_t i = 0; i < h->n; i++)
		atom_unref(h->v[i].atom);
	h->magic = 0;
	free(h->v);
	free(h);
}

size_t
held_sets(void)
{
	return sets ? map_count(sets) : 0;
}

const struct held_role *
held_find(const struct held *h, atom_t role)
{
	uint32_t from = 0, to = h->n;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (h->v[mid].atom < role)
			from = mid + 1;
		else
			to = mid;
	}
	return from < h->n && h->v[from].atom == role ? &h->v[from] : NULL;
}

struct strs
held_texts(const struct held *h, struct arena *a)
{
	struct strs out = {.set = true, .v = arena_array(a, const char *, h->n + 1)};

	for (uint32_t i = 0; i < h->n; i++)
		out.v[out.n++] = str_dup(a, atom_text(h->v[i].atom));
	return out;
}

bool
held_meets(struct held *h, const struct news *n)
{
	if (h->asked == n->number)
		return h->meets;
	h->asked = n->number;
	h->meets = false;
	for (int i = 0; i < n->n_roles && !h->meets; i++)
		h->meets = held_find(h, n->role_atoms[i]) != NULL;
	return h->meets;
}

bool
held_met(const struct held *h, const struct news *n)
{
	for (int i = 0; i < n->n_roles; i++) {
		const struct held_role *r = held_find(h, n->role_atoms[i]);

		if (r != NULL && r->since <= n->time)
			return true;
	}
	return false;
}
