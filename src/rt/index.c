/* The fan-out index: a hash table from (channel, role) to the connections under it.
 *
 * A key that one connection has (a user's own role) keeps it in the table itself; others have a growing list. The order of a list
 * means nothing: who leaves is replaced by the last, which is told its new position. A table that is too small or too large is left for another
 * step by step (leave.c). */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/metric.h"

struct key {
	atom_t chan, role;	/* chan 0: the place is empty */
	uint32_t n, cap;	/* cap 0: the only one is inside */
	union {
		struct seat one;
		struct seat *many;
	};
};

static struct key *table, *old;	/* old: the one before; NULL: none */
static uint32_t size, used;

static bool index_taken(uint32_t place);
static void index_move(uint32_t place);
static struct leaving leaving = {.taken = index_taken, .move = index_move};

static uint32_t
index_place_of(atom_t chan, atom_t role, uint32_t in)
{
	uint64_t h = ((uint64_t)chan << 32 | role) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(h >> 32) & (in - 1);
}

static struct key *
index_lookup_in(struct key *t, uint32_t n, atom_t chan, atom_t role)
{
	if (t == NULL)
		return NULL;
	for (uint32_t i = index_place_of(chan, role, n); t[i].chan != 0; i = (i + 1) & (n - 1))
		if (t[i].chan == chan && t[i].role == role)
			return &t[i];
	return NULL;
}

static struct key *
index_lookup(atom_t chan, atom_t role)
{
	struct key *k = index_lookup_in(table, size, chan, role);

	return k != NULL ? k : index_lookup_in(old, leaving.size, chan, role);
}

static struct key *
vacancy(atom_t chan, atom_t role)
{
	uint32_t i = index_place_of(chan, role, size);

	while (table[i].chan != 0)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static bool
index_taken(uint32_t place)
{
	return old[place].chan != 0;
}

static void
index_move(uint32_t place)
{
	struct key *k = &old[place];

	*vacancy(k->chan, k->role) = *k;
	*k = (struct key){0};
}

static void
index_leave(uint32_t places)
{
	if (!leave_on(&leaving, places))
		return;
	free(old);
	old = NULL;
}

static void
index_resize(uint32_t to)
{
	uint32_t before = size;

	index_leave(UINT32_MAX);
	old = table;
	table = mem_zalloc(to * sizeof *table);
	size = to;
	leave_begin(&leaving, before, used);
	index_leave(0);
}

static struct seat *
seats(struct key *k)
{
	return k->cap > 0 ? k->many : &k->one;
}

static void
widen(struct key *k)
{
	struct seat *many;

	if (k->cap > 0) {
		k->cap += k->cap / 2 + 1;
		k->many = mem_realloc(k->many, k->cap * sizeof(struct seat));
		return;
	}
	many = mem_alloc(4 * sizeof *many);
	many[0] = k->one;
	k->many = many;
	k->cap = 4;
}

uint32_t
index_add(atom_t chan, atom_t role, struct seat s)
{
	struct key *k;

	assert(chan != 0 && role != 0);
	index_leave(LEAVE_STEP);
	k = index_lookup(chan, role);
	if (k == NULL) {
		if ((used + 1) * 4 > size * 3)
			index_resize(size ? size * 2 : 64);
		k = vacancy(chan, role);
		*k = (struct key){.chan = chan, .role = role};
		used++;
	}
	if (k->n > 0 && k->n >= k->cap)
		widen(k);
	seats(k)[k->n] = s;
	metric_add(M_rt_subscriptions, 1);
	return k->n++;
}

static void
narrow(struct key *k)
{
	struct seat one;

	if (k->n == 1) {
		one = k->many[0];
		free(k->many);
		k->cap = 0;
		k->one = one;
	} else if (k->cap > 16 && k->n * 4 < k->cap) {
		k->cap /= 2;
		k->many = mem_realloc(k->many, k->cap * sizeof(struct seat));
	}
}

static void
vacate(struct key *k)
{
	bool in_old = old != NULL && k >= old && k < old + leaving.size;
	struct key *t = in_old ? old : table;
	uint32_t n = in_old ? leaving.size : size, mask = n - 1, hole = (uint32_t)(k - t);

	for (uint32_t i = (hole + 1) & mask; t[i].chan != 0; i = (i + 1) & mask) {
		uint32_t home = index_place_of(t[i].chan, t[i].role, n);

		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t[hole] = t[i];
			hole = i;
		}
	}
	t[hole] = (struct key){0};
	used--;
	leaving.left -= in_old;
	if (size > 1024 && used * 8 < size)
		index_resize(size / 2);
}

void
index_del(atom_t chan, atom_t role, uint32_t pos)
{
	struct key *k;
	struct seat *v;

	index_leave(LEAVE_STEP);
	k = index_lookup(chan, role);
	assert(k != NULL && pos < k->n);
	v = seats(k);
	k->n--;
	metric_add(M_rt_subscriptions, -1);
	if (pos != k->n) {
		v[pos] = v[k->n];
		index_moved(v[pos], pos);
	}
	if (k->n == 0) {
		if (k->cap > 0)
			free(k->many);
		vacate(k);
	} else if (k->cap > 0)
		narrow(k);
}

const struct seat *
index_list(atom_t chan, atom_t role, uint32_t *n_out)
{
	struct key *k = index_lookup(chan, role);

	*n_out = k ? k->n : 0;
	return k ? seats(k) : NULL;
}

uint32_t
index_left(void)
{
	return leaving.size > 0 ? leaving.left : 0;
}
