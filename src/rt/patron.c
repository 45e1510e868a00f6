/* Whom connections count for together: a user, or the address of guests. How many there are, and how much work their messages make, is bounded
 * by these: whoever opens twenty sockets has one allowance. */
#include "rt_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/addr.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"

enum { PATRON_MAGIC = 0x70617472, KEY_BYTES = 600 };

struct patron {
	unsigned magic;		/* PATRON_MAGIC */
	unsigned sockets;	/* it is forgotten with the last */
	uint32_t window;	/* minute that `steps` are of */
	uint64_t steps;
	struct purse purse;
	size_t n_key;
	char key[];
};

static struct map *patrons;

static struct patron *
patron_get(struct str key)
{
	struct patron *p = patrons ? map_get(patrons, key) : NULL;

	if (p != NULL)
		return p;
	p = mem_zalloc(sizeof *p + key.n);
	p->magic = PATRON_MAGIC;
	p->n_key = key.n;
	memcpy(p->key, key.p, key.n);
	if (patrons == NULL)
		patrons = map_new();
	(void)map_set(patrons, key, p);
	return p;
}

static struct patron *
patron_enter(struct patron *p, int64_t max)
{
	if (conf.rate_limits && max > 0 && p->sockets >= (uint64_t)max) {
		metric_add(M_rt_sockets_refused, 1);
		return NULL;
	}
	p->sockets++;
	return p;
}

struct patron *
patron_of_user(struct str home, struct str uid, bool force)
{
	char key[KEY_BYTES];
	int n = snprintf(key, sizeof key, "u%.*s/%.*s", STR_FMT(home), STR_FMT(uid));

	assert(n > 0 && n < KEY_BYTES);	/* two ids */
	return patron_enter(patron_get((struct str){key, (size_t)n}), force ? 0 : conf.rt_sockets_per_user);
}

struct patron *
patron_of_guest(const char *address, bool force)
{
	char key[1 + ADDR_KEY_MAX] = "@", net[ADDR_KEY_MAX];
	struct str k = addr_key(address, net);

	memcpy(key + 1, k.p, k.n);
	return patron_enter(patron_get((struct str){key, 1 + k.n}), force ? 0 : conf.rt_sockets_per_address);
}

void
patron_leave(struct patron **pp)
{
	struct patron *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	assert(p->magic == PATRON_MAGIC && p->sockets > 0);
	if (--p->sockets > 0)
		return;
	assert(p->purse.held == 0);
	(void)map_del(patrons, (struct str){p->key, p->n_key});
	if (map_count(patrons) == 0)
		map_free(&patrons);
	p->magic = 0;
	free(p);
}

bool
patron_may_work(struct patron *p)
{
	uint32_t window = (uint32_t)(time_now_ms() / 60000);

	assert(p->magic == PATRON_MAGIC);
	if (p->window != window) {
		p->window = window;
		p->steps = 0;
	}
	if (!conf.rate_limits || p->steps < (uint64_t)(conf.rt_work_rate > 0 ? conf.rt_work_rate : 0))
		return true;
	metric_add(M_rt_work_refused, 1);
	return false;
}

void
patron_worked(struct patron *p, uint64_t steps)
{
	assert(p->magic == PATRON_MAGIC);
	p->steps += steps;
}

struct purse *
patron_purse(struct patron *p)
{
	return p ? &p->purse : NULL;
}

size_t
patron_count(void)
{
	return patrons ? map_count(patrons) : 0;
}
