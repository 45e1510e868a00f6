/* The budget of bytes.
 *
 * What must stay true: the total is the sum of all accounts, an address's is the sum of its accounts, and both come back to zero. An
 * address is remembered only while it holds something. IPv6 clients have a /64 each, so that is what counts as their address. */
#include "io/budget.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/addr.h"
#include "core/conf.h"
#include "core/map.h"
#include "core/metric.h"

struct budget_owner {
	size_t held;
	size_t n_key;
	char key[ADDR_KEY_MAX];
};

static struct map *owners;
static size_t held, machine = SIZE_MAX;

static void
move_total(size_t more, size_t less)
{
	assert(held + more >= less);
	held += more;
	held -= less;
	metric_set(M_bytes_held, (int64_t)held);
}

/* The address in binary; what is no address counts as one address of its own. */
static struct budget_owner *
owner_find(const struct budget *b)
{
	char key[ADDR_KEY_MAX];

	if (b->owner != NULL || b->address == NULL || owners == NULL)
		return b->owner;
	return map_get(owners, addr_key(b->address, key));
}

static struct budget_owner *
owner_of(struct budget *b)
{
	char key[ADDR_KEY_MAX];
	struct str k;

	if (b->address == NULL || b->owner != NULL || (b->owner = owner_find(b)) != NULL)
		return b->owner;
	if (owners == NULL)
		owners = map_new();
	k = addr_key(b->address, key);
	b->owner = mem_zalloc(sizeof *b->owner);
	b->owner->n_key = k.n;
	memcpy(b->owner->key, k.p, k.n);
	(void)map_set(owners, k, b->owner);	/* there was none */
	return b->owner;
}

static void
owner_release(struct budget *b, size_t n)
{
	struct budget_owner *o = b->owner;

	if (o == NULL)
		return;
	assert(o->held >= n);
	o->held -= n;
	if (n == b->held)
		b->owner = NULL;
	if (o->held > 0)
		return;
	(void)map_del(owners, (struct str){o->key, o->n_key});
	free(o);
}

void
budget_share(size_t bytes)
{
	machine = bytes;
}

err_t
budget_room(const struct budget *b, size_t n)
{
	const struct budget_owner *o = owner_find(b);

	if (b->address != NULL && (o ? o->held : 0) + n > (size_t)conf.bytes_per_address) {
		metric_add(M_bytes_refused_address, 1);
		return ERR_BYTES_ADDRESS;
	}
	if (held + n > (size_t)conf.bytes_max || held + n > machine) {
		metric_add(M_bytes_refused, 1);
		return ERR_BYTES_SPENT;
	}
	return OK;
}

void
budget_force(struct budget *b, size_t n)
{
	struct budget_owner *o;

	if (n == 0)
		return;
	o = owner_of(b);
	assert(o == NULL || o->held >= b->held);
	b->held += n;
	if (o != NULL)
		o->held += n;
	move_total(n, 0);
}

err_t
budget_charge(struct budget *b, size_t n)
{
	TRY(budget_room(b, n));
	budget_force(b, n);
	return OK;
}

void
budget_release(struct budget *b, size_t n)
{
	assert(n <= b->held);
	if (n == 0)
		return;
	owner_release(b, n);
	b->held -= n;
	move_total(0, n);
}

void
budget_close(struct budget *b)
{
	budget_release(b, b->held);
	assert(b->owner == NULL);
}

void
budget_known(struct budget *b)
{
	if (b->held > 0)
		owner_release(b, b->held);
	b->address = NULL;
	b->owner = NULL;
}

static void
unhold(void *arg)
{
	budget_close(arg);
}

err_t
budget_hold(struct ctx *cx, size_t n)
{
	struct budget *b = arena_new_of(cx->arena, struct budget);
	err_t e = budget_charge(b, n);

	if (e != OK)
		return fail(cx, e, "bytes=%zu held=%zu", n, held);
	defer(cx, unhold, b);
	return OK;
}

size_t
budget_held(void)
{
	return held;
}

unsigned
budget_owners(void)
{
	return owners ? (unsigned)map_count(owners) : 0;
}

bool
purse_room(const struct purse *p, size_t more)
{
	if (p == NULL || conf.rt_bytes_per_client <= 0 || p->held + more <= (size_t)conf.rt_bytes_per_client)
		return true;
	metric_add(M_rt_bytes_refused, 1);
	return false;
}
