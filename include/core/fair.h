/* Fair queues: who waits is served in turns, one project after the other, within a project one client after the other, and what one client
 * asked for in the order in which it asked. So three hundred requests of one address cost the next address one turn, not three hundred.
 *
 * An item is embedded in what waits and costs no memory of its own; a project or client costs some while it has something waiting. */
#ifndef BADAL_CORE_FAIR_H
#define BADAL_CORE_FAIR_H

#include "core/ctx.h"

enum { FAIR_BUCKETS = 256 };

struct fair_key {
	uint64_t project, client;	/* hashes; 0: none */
};

struct fair_flow;

struct fair_item {		/* all zero while it does not wait */
	struct fair_item *next, **back;	/* back: what points at it */
	struct fair_flow *flow;
	struct fair_key key;
};

struct fair {			/* all zero: empty */
	struct fair_flow *turn;	/* ring of the projects; this one is next */
	struct fair_flow *buckets[FAIR_BUCKETS];
	unsigned n;
};

/* Of the context's project and client. An IPv6 client is its /64: who has one address of it has them all. */
struct fair_key fair_key(const struct ctx *cx);
bool fair_key_same(struct fair_key a, struct fair_key b);

void fair_put(struct fair *f, struct fair_item *it, struct fair_key key);
/* Takes out the item whose turn it is; NULL when none waits. */
struct fair_item *fair_take(struct fair *f);
/* The same, passing over clients for whose first item `may` is false; they keep their turn. NULL also when none of the first 64 clients may. */
struct fair_item *fair_take_if(struct fair *f, bool (*may)(const struct fair_item *it, void *arg), void *arg);
/* Takes `it` out, out of turn. */
void fair_remove(struct fair *f, struct fair_item *it);
/* How many items of this project, of this client of it, wait. */
unsigned fair_of_project(const struct fair *f, struct fair_key key);
unsigned fair_of_client(const struct fair *f, struct fair_key key);
/* Whether one more of this client may wait where `bound` may in all: a full queue is refused to all, so no client may fill more than one of
 * `client_parts` of it, and no project more than one of `project_parts`. */
bool fair_room(const struct fair *f, struct fair_key key, unsigned bound, unsigned client_parts, unsigned project_parts);

#endif
