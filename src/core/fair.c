/* Two levels of turns. Each level is a ring of flows that have something waiting; the ring's owner points at the flow whose turn it is.
 *
 * The rule: a flow exists exactly as long as something in it waits, so whoever comes anew enters at the end of the round that is under way. */
#include "core/fair.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/addr.h"

enum { LOOK_MAX = 64, FLOW_MAGIC = 0x666c6f77 };

struct fair_flow {
	unsigned magic;
	unsigned n;			/* items that wait in it, or below */
	uint64_t key;
	struct fair_flow *above;	/* of a client: its project; of a project: NULL */
	struct fair_flow *chain;	/* of its bucket */
	struct fair_flow *next, *prev;	/* ring */
	struct fair_flow *turn;		/* of a project: ring of its clients */
	struct fair_item *first, **last;	/* of a client */
};

/* ---- keys ---- */

static uint64_t
client_hash(const char *client)
{
	char key[ADDR_KEY_MAX];
	struct str k = addr_key(client, key);

	return str_hash(str_is(k, "-") ? str_c(client) : k);
}

struct fair_key
fair_key(const struct ctx *cx)
{
	return (struct fair_key){cx->project ? str_hash(str_c(cx->project)) : 0, cx->client ? client_hash(cx->client) : 0};
}

bool
fair_key_same(struct fair_key a, struct fair_key b)
{
	return a.project == b.project && a.client == b.client;
}

/* ---- flows ---- */

static unsigned
fair_bucket(const struct fair_flow *above, uint64_t key)
{
	return (unsigned)((key ^ (above ? above->key * 31 + 1 : 0)) % FAIR_BUCKETS);
}

static struct fair_flow *
fair_find(const struct fair *f, const struct fair_flow *above, uint64_t key)
{
	struct fair_flow *w = f->buckets[fair_bucket(above, key)];

	while (w != NULL && (w->above != above || w->key != key))
		w = w->chain;
	return w;
}

/* In front of the one whose turn it is: the last of this round. */
static void
ring_add(struct fair_flow **turn, struct fair_flow *w)
{
	if (*turn == NULL) {
		w->next = w->prev = w;
		*turn = w;
		return;
	}
	w->next = *turn;
	w->prev = (*turn)->prev;
	w->prev->next = w;
	w->next->prev = w;
}

static void
ring_remove(struct fair_flow **turn, struct fair_flow *w)
{
	if (*turn == w)
		*turn = w->next == w ? NULL : w->next;
	w->next->prev = w->prev;
	w->prev->next = w->next;
}

static struct fair_flow **
turn_of(struct fair *f, struct fair_flow *above)
{
	return above ? &above->turn : &f->turn;
}

static struct fair_flow *
fair_enter(struct fair *f, struct fair_flow *above, uint64_t key)
{
	struct fair_flow *w = fair_find(f, above, key), **slot;

	if (w != NULL)
		return w;
	w = mem_zalloc(sizeof *w);
	w->magic = FLOW_MAGIC;
	w->key = key;
	w->above = above;
	w->last = &w->first;
	slot = &f->buckets[fair_bucket(above, key)];
	w->chain = *slot;
	*slot = w;
	ring_add(turn_of(f, above), w);
	return w;
}

static void
fair_leave(struct fair *f, struct fair_flow *w)
{
	struct fair_flow **slot = &f->buckets[fair_bucket(w->above, w->key)];

	assert(w->magic == FLOW_MAGIC && w->n == 0);
	while (*slot != w)
		slot = &(*slot)->chain;
	*slot = w->chain;
	ring_remove(turn_of(f, w->above), w);
	w->magic = 0;
	free(w);
}

/* ---- items ---- */

void
fair_put(struct fair *f, struct fair_item *it, struct fair_key key)
{
	struct fair_flow *project = fair_enter(f, NULL, key.project), *client = fair_enter(f, project, key.client);

	assert(it->flow == NULL);
	*it = (struct fair_item){.flow = client, .key = key, .back = client->last};
	*client->last = it;
	client->last = &it->next;
	client->n++;
	project->n++;
	f->n++;
}

void
fair_remove(struct fair *f, struct fair_item *it)
{
	struct fair_flow *client = it->flow, *project = client->above;

	assert(client->magic == FLOW_MAGIC && project->magic == FLOW_MAGIC && *it->back == it);
	*it->back = it->next;
	if (it->next != NULL)
		it->next->back = it->back;
	else
		client->last = it->back;
	it->flow = NULL;
	f->n--;
	if (--client->n == 0)
		fair_leave(f, client);
	if (--project->n == 0)
		fair_leave(f, project);
}

/* The turn passes on before the item leaves, since its flows may go with it. */
static struct fair_item *
fair_serve(struct fair *f, struct fair_flow *client)
{
	struct fair_item *it = client->first;
	struct fair_flow *project = client->above;

	project->turn = client->next;
	f->turn = project->next;
	fair_remove(f, it);
	return it;
}

struct fair_item *
fair_take(struct fair *f)
{
	return f->turn == NULL ? NULL : fair_serve(f, f->turn->turn);
}

struct fair_item *
fair_take_if(struct fair *f, bool (*may)(const struct fair_item *it, void *arg), void *arg)
{
	struct fair_flow *project = f->turn;
	int looked = 0;

	if (project == NULL)
		return NULL;
	do {
		struct fair_flow *client = project->turn;

		do {
			if (may(client->first, arg))
				return fair_serve(f, client);
			client = client->next;
		} while (client != project->turn && ++looked < LOOK_MAX);
		project = project->next;
	} while (project != f->turn && ++looked < LOOK_MAX);
	return NULL;
}

unsigned
fair_of_project(const struct fair *f, struct fair_key key)
{
	const struct fair_flow *project = fair_find(f, NULL, key.project);

	return project ? project->n : 0;
}

unsigned
fair_of_client(const struct fair *f, struct fair_key key)
{
	const struct fair_flow *project = fair_find(f, NULL, key.project), *client = project ? fair_find(f, project, key.client) : NULL;

	return client ? client->n : 0;
}

bool
fair_room(const struct fair *f, struct fair_key key, unsigned bound, unsigned client_parts, unsigned project_parts)
{
	return f->n < bound && fair_of_client(f, key) < (bound + client_parts - 1) / client_parts &&
	    fair_of_project(f, key) < (bound + project_parts - 1) / project_parts;
}
