/* Shares of the pool: who may have a connection, and whose turn it is.
 *
 * A share is the most connections that one kind of work has at a time; what requests do is a share without a bound. Shares with somebody waiting
 * take turns, in a share projects, in a project clients (core/fair.h). A client or project that holds its part of the pool is passed over while
 * others wait, and gets more when none does, but never all of it: db_client_max and db_project_max leave some for who comes next, who could
 * otherwise wait for as long as a statement may take.
 *
 * A connection counts for who borrowed it until it is clean, so abandoned statements count too. */
#include <assert.h>

#include "core/conf.h"
#include "db_priv.h"

enum { SHARE_MAGIC = 0x73686172 };

struct db_share {
	unsigned magic;
	unsigned max;		/* 0: the whole pool */
	unsigned busy;		/* lent, or not clean yet */
	struct fair waiting;
	struct db_share *next;	/* ring of all */
};

static struct db_share requests = {.magic = SHARE_MAGIC, .next = &requests};
static struct db_share *turn = &requests;

struct db_share *
db_share_new(unsigned max)
{
	struct db_share *s = mem_zalloc(sizeof *s);

	assert(max > 0);
	s->magic = SHARE_MAGIC;
	s->max = max;
	s->next = requests.next;
	requests.next = s;
	return s;
}

struct db_share *
dbs_of(const struct ctx *cx)
{
	struct db_share *s = cx->share ? cx->share : &requests;

	assert(s->magic == SHARE_MAGIC);
	return s;
}

/* A share leaves one connection of the pool to the others, when there are two. */
static unsigned
db_share_room(const struct db_share *s)
{
	unsigned pool = conf.db_pool_size > 1 ? (unsigned)conf.db_pool_size : 1, max = s->max;

	if (max == 0)
		return UINT32_MAX;
	if (max >= pool)
		max = pool > 1 ? pool - 1 : 1;
	return max > s->busy ? max - s->busy : 0;
}

bool
dbs_has_room(const struct db_share *s)
{
	return s->max == 0 || db_share_room(s) > 0;
}

/* ---- lent connections ---- */

void
dbs_lend(struct db_conn *c, struct db_share *s, const struct ctx *cx)
{
	assert(c->share == NULL);
	c->share = s;
	c->borrower = fair_key(cx);
	s->busy++;
}

void
dbs_returned(struct db_conn *c)
{
	if (c->share == NULL)
		return;
	assert(c->share->magic == SHARE_MAGIC && c->share->busy > 0);
	c->share->busy--;
	c->share = NULL;
}

/* ---- who waits ---- */

void
dbs_wait(struct db_waiter *w, struct db_share *s, const struct ctx *cx)
{
	w->share = s;
	w->cx = cx;
	fair_put(&s->waiting, &w->item, fair_key(cx));
}

void
dbs_leave(struct db_waiter *w)
{
	fair_remove(&w->share->waiting, &w->item);
}

unsigned
dbs_wanted(void)
{
	const struct db_share *s = turn;
	unsigned n = 0, free;

	do {
		free = db_share_room(s);
		n += s->waiting.n < free ? s->waiting.n : free;
	} while ((s = s->next) != turn);
	return n;
}

static unsigned
part(int64_t percent)
{
	int64_t n = conf.db_pool_size * percent / 100;

	return n > 1 ? (unsigned)n : 1;
}

/* What is looked at of those who wait: first both parts, then that of the client, should all projects have theirs, then only what nobody may
 * have. */
enum look { LOOK_BOTH, LOOK_CLIENT, LOOK_MAX_ONLY };

struct looking {
	enum look look;
	const struct db_conn *all;
};

/* Whether who has this key holds less than so many percent of the pool. What is nobody's from outside has its share's bound alone. */
static bool
holds_less(const struct db_conn *all, struct fair_key key, int64_t client_percent, int64_t project_percent)
{
	unsigned client = 0, project = 0;

	for (const struct db_conn *c = all; c != NULL; c = c->next) {
		if (c->share == NULL)
			continue;
		client += c->borrower.client == key.client;
		project += c->borrower.project == key.project;
	}
	return (key.client == 0 || client < part(client_percent)) && (key.project == 0 || project < part(project_percent));
}

static bool
below_max(const struct db_conn *all, struct fair_key key)
{
	return key.client == 0 || holds_less(all, key, conf.db_client_max, conf.db_project_max);
}

bool
dbs_may_have(const struct db_conn *all, const struct db_share *s, const struct ctx *cx)
{
	return dbs_has_room(s) && below_max(all, fair_key(cx));
}

static bool
may_have_more(const struct fair_item *it, void *arg)
{
	const struct looking *l = arg;

	if (!below_max(l->all, it->key))
		return false;
	return l->look == LOOK_MAX_ONLY || holds_less(l->all, it->key, conf.db_client_part, l->look == LOOK_CLIENT ? INT32_MAX : conf.db_project_part);
}

static struct fair_item *
db_share_next_of(struct db_share *s, struct looking *l)
{
	if (s->waiting.n == 0 || !dbs_has_room(s))
		return NULL;
	return fair_take_if(&s->waiting, may_have_more, l);
}

struct db_waiter *
dbs_next(const struct db_conn *all)
{
	for (struct looking l = {LOOK_BOTH, all}; l.look <= LOOK_MAX_ONLY; l.look++) {
		struct db_share *s = turn;

		do {
			struct fair_item *it = db_share_next_of(s, &l);

			if (it != NULL) {
				turn = s->next;
				return (struct db_waiter *)it;
			}
		} while ((s = s->next) != turn);
	}
	return NULL;
}
