/* The channels of a connection and its places in the index.
 *
 * A channel has a number that stays its own while subscriptions use it, so that one comes or goes without touching the others. In the index the
 * connection has a seat for each channel and role; where that would be too many, one for each channel, and roles are compared. Whoever gives up a
 * seat while an event's receivers are being collected is looked at first (fanout_leaving). */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

static uint64_t changes;	/* of the index */

uint64_t
seats_changes(void)
{
	return changes;
}

static uint32_t
stride(const struct peer *c)
{
	return c->wide ? 1 : c->held->n;
}

/* The place of the channel in the order; *found_out: it is there. */
static uint32_t
seats_rank(const struct peer *c, atom_t chan, bool *found_out)
{
	uint32_t from = 0, to = c->n_chans;

	while (from < to) {
		uint32_t mid = from + (to - from) / 2;

		if (c->listens[c->listens[mid].order].chan < chan)
			from = mid + 1;
		else
			to = mid;
	}
	*found_out = from < c->n_chans && c->listens[c->listens[from].order].chan == chan;
	return from;
}

bool
seats_have(const struct peer *c, atom_t chan)
{
	bool found;

	(void)seats_rank(c, chan, &found);
	return found;
}

static void
seats_add(struct peer *c, uint32_t i)
{
	uint32_t n = stride(c), e = i * n;

	for (uint32_t k = 0; k < n; k++, e++)
		c->pos[e] = index_add(c->listens[i].chan, c->wide ? ROLE_WIDE : c->held->v[k].atom, (struct seat){c->num, e});
	changes += n;
	c->changes += n;
}

static void
seats_del(struct peer *c, uint32_t i)
{
	uint32_t n = stride(c), e = i * n;

	for (uint32_t k = 0; k < n; k++, e++)
		index_del(c->listens[i].chan, c->wide ? ROLE_WIDE : c->held->v[k].atom, c->pos[e]);
	changes += n;
	c->changes += n;
}

static bool
too_wide(const struct peer *c, uint32_t n_chans)
{
	return (uint64_t)n_chans * c->held->n > (uint64_t)(conf.rt_entries_max > 0 ? conf.rt_entries_max : 0);
}

void
seats_enter(struct peer *c)
{
	assert(c->pos == NULL && c->held != NULL);
	c->wide = too_wide(c, c->n_chans);
	c->pos = mem_alloc(((size_t)c->cap_listens * stride(c) + 1) * sizeof *c->pos);
	for (uint32_t i = 0; i < c->n_listens; i++)
		if (c->listens[i].chan != 0)
			seats_add(c, i);
}

void
seats_leave(struct peer *c)
{
	assert(c->pos != NULL);
	for (uint32_t i = 0; i < c->n_listens; i++)
		if (c->listens[i].chan != 0)
			seats_del(c, i);
	free(c->pos);
	c->pos = NULL;
}

/* A number without a channel. */
static uint32_t
seats_number(struct peer *c)
{
	uint32_t i = c->free_listen;

	if (i > 0) {
		c->free_listen = c->listens[i - 1].uses;
		return i - 1;
	}
	if (c->n_listens == c->cap_listens) {
		c->cap_listens = c->cap_listens < 2 ? c->cap_listens + 1 : c->cap_listens + c->cap_listens / 2;
		c->listens = mem_realloc(c->listens, c->cap_listens * sizeof *c->listens);
		if (c->pos != NULL)
			c->pos = mem_realloc(c->pos, ((size_t)c->cap_listens * stride(c) + 1) * sizeof *c->pos);
	}
	c->listens[c->n_listens] = (struct listen){0};
	return c->n_listens++;
}

static void
seats_insert(struct peer *c, uint32_t rank, uint32_t number)
{
	for (uint32_t k = c->n_chans; k > rank; k--)
		c->listens[k].order = c->listens[k - 1].order;
	c->listens[rank].order = number;
	c->n_chans++;
}

static void
seats_remove(struct peer *c, uint32_t rank)
{
	c->n_chans--;
	for (uint32_t k = rank; k < c->n_chans; k++)
		c->listens[k].order = c->listens[k + 1].order;
}

void
seats_use(struct peer *c, atom_t chan)
{
	bool found, widens;
	uint32_t rank = seats_rank(c, chan, &found), i;

	if (found) {
		c->listens[c->listens[rank].order].uses++;
		return;
	}
	widens = c->pos != NULL && !c->wide && too_wide(c, c->n_chans + 1);
	if (widens) {
		fanout_leaving(c);
		seats_leave(c);
	}
	i = seats_number(c);
	c->listens[i].chan = atom_ref(chan);
	c->listens[i].uses = 1;
	seats_insert(c, rank, i);
	c->listen_bytes += atom_text(chan).n + sizeof(struct listen);
	if (widens)
		seats_enter(c);
	else if (c->pos != NULL)
		seats_add(c, i);
}

void
seats_drop(struct peer *c, atom_t chan)
{
	bool found;
	uint32_t rank = seats_rank(c, chan, &found), i;

	assert(found);
	i = c->listens[rank].order;
	if (--c->listens[i].uses > 0)
		return;
	if (c->pos != NULL) {
		fanout_leaving(c);
		seats_del(c, i);
	}
	seats_remove(c, rank);
	c->listen_bytes -= atom_text(chan).n + sizeof(struct listen);
	c->listens[i].chan = 0;
	c->listens[i].uses = c->free_listen;
	c->free_listen = i + 1;
	atom_unref(chan);
}

void
seats_fini(struct peer *c)
{
	assert(c->n_chans == 0 && c->pos == NULL);
	free(c->listens);
	c->listens = NULL;
	c->n_listens = c->cap_listens = c->free_listen = 0;
}

/* What they take: names, entries of the index with the peer's own notes. */
size_t
seats_bytes(const struct peer *c)
{
	uint64_t entries = c->held == NULL ? 0 : too_wide(c, c->n_chans) ? c->n_chans : (uint64_t)c->n_chans * c->held->n;

	return c->listen_bytes + (size_t)entries * (sizeof(struct seat) + sizeof *c->pos);
}
