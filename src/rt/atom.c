/* Interned strings: a name is a number while somebody holds it.
 *
 * The table holds numbers, open addressing with backward shift, so there are no graves to sweep. One that is too small or too large is left for
 * another step by step (leave.c). */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

struct atom {
	uint32_t refs, space, n, hash;
	char text[];
};

static struct atom **atoms;	/* by number; 0 is never used */
static uint32_t n_atoms, cap_atoms;
static uint32_t *free_list, n_free, cap_free;
static uint32_t *table, table_size, used;
static uint32_t *old;		/* the table before; NULL: none */

static uint32_t
atom_hash_of(atom_t space, struct str s)
{
	uint64_t h = str_hash(s) ^ (space * 0x9e3779b97f4a7c15u);

	return (uint32_t)(h ^ (h >> 32));
}

static void
atom_place(uint32_t number)
{
	uint32_t i = atoms[number]->hash & (table_size - 1);

	while (table[i] != 0)
		i = (i + 1) & (table_size - 1);
	table[i] = number;
}

static bool
atom_taken(uint32_t place)
{
	return old[place] != 0;
}

static void
atom_move(uint32_t place)
{
	atom_place(old[place]);
	old[place] = 0;
}

static struct leaving leaving = {.taken = atom_taken, .move = atom_move};

static void
atom_leave(uint32_t places)
{
	if (!leave_on(&leaving, places))
		return;
	free(old);
	old = NULL;
}

static void
atom_resize(uint32_t size)
{
	uint32_t before = table_size;

	atom_leave(UINT32_MAX);
	old = table;
	table = mem_zalloc(size * sizeof *table);
	table_size = size;
	leave_begin(&leaving, before, used);
	atom_leave(0);
}

static uint32_t
atom_lookup_in(const uint32_t *t, uint32_t size, atom_t space, struct str s, uint32_t hash)
{
	if (t == NULL)
		return 0;
	for (uint32_t i = hash & (size - 1); t[i] != 0; i = (i + 1) & (size - 1)) {
		const struct atom *a = atoms[t[i]];

		if (a->hash == hash && a->space == space && a->n == s.n && memcmp(a->text, s.p ? s.p : "", s.n) == 0)
			return t[i];
	}
	return 0;
}

static uint32_t
atom_lookup(atom_t space, struct str s, uint32_t hash)
{
	uint32_t number = atom_lookup_in(table, table_size, space, s, hash);

	return number != 0 ? number : atom_lookup_in(old, leaving.size, space, s, hash);
}

atom_t
atom_find(atom_t space, struct str s)
{
	return atom_lookup(space, s, atom_hash_of(space, s));
}

static uint32_t
number_new(void)
{
	if (n_free > 0)
		return free_list[--n_free];
	if (n_atoms + 1 >= cap_atoms) {
		cap_atoms = cap_atoms ? cap_atoms + cap_atoms / 2 : 64;
		atoms = mem_realloc(atoms, cap_atoms * sizeof(struct atom *));
	}
	return ++n_atoms;
}

atom_t
atom_get(atom_t space, struct str s)
{
	uint32_t hash = atom_hash_of(space, s), number = atom_lookup(space, s, hash);
	struct atom *a;

	if (number != 0) {
		atoms[number]->refs++;
		return number;
	}
	assert(s.n < UINT32_MAX);
	a = mem_alloc(sizeof *a + s.n + 1);
	*a = (struct atom){.refs = 1, .space = space, .n = (uint32_t)s.n, .hash = hash};
	if (s.n > 0)
		memcpy(a->text, s.p, s.n);
	a->text[s.n] = '\0';
	number = number_new();
	atoms[number] = a;
	atom_leave(LEAVE_STEP);
	if ((used + 1) * 4 > table_size * 3)
		atom_resize(table_size ? table_size * 2 : 64);
	atom_place(number);
	used++;
	return number;
}

atom_t
atom_ref(atom_t a)
{
	assert(a > 0 && a <= n_atoms && atoms[a] != NULL);
	atoms[a]->refs++;
	return a;
}

/* False: it is not in this table. */
static bool
unplace(uint32_t *t, uint32_t size, uint32_t number)
{
	uint32_t mask = size - 1, i = atoms[number]->hash & mask, hole;

	if (t == NULL)
		return false;
	while (t[i] != number && t[i] != 0)
		i = (i + 1) & mask;
	if (t[i] == 0)
		return false;
	for (hole = i, i = (i + 1) & mask; t[i] != 0; i = (i + 1) & mask) {
		uint32_t home = atoms[t[i]]->hash & mask;

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t[hole] = t[i];
			hole = i;
		}
	}
	t[hole] = 0;
	return true;
}

void
atom_unref(atom_t a)
{
	if (a == 0)
		return;
	assert(a <= n_atoms && atoms[a] != NULL && atoms[a]->refs > 0);
	if (--atoms[a]->refs > 0)
		return;
	atom_leave(LEAVE_STEP);
	if (!unplace(table, table_size, a)) {
		bool there = unplace(old, leaving.size, a);

		assert(there);
		leaving.left--;
	}
	used--;
	free(atoms[a]);
	atoms[a] = NULL;
	if (n_free == cap_free) {
		cap_free = cap_free ? cap_free + cap_free / 2 : 64;
		free_list = mem_realloc(free_list, cap_free * sizeof *free_list);
	}
	free_list[n_free++] = a;
	if (table_size > 1024 && used * 8 < table_size)
		atom_resize(table_size / 2);
}

struct str
atom_text(atom_t a)
{
	assert(a > 0 && a <= n_atoms && atoms[a] != NULL);
	return (struct str){atoms[a]->text, atoms[a]->n};
}

size_t
atom_count(void)
{
	return used;
}

uint32_t
atom_left(void)
{
	return leaving.size > 0 ? leaving.left : 0;
}
