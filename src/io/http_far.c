/* Where connections come from: how many one address has, and for whom what they hold counts before there is a request.
 *
 * An address is remembered while it has connections, and for a while after one was ended for a flood. What comes through a proxy is not counted: its address stands for everybody's. */
#include "http_priv.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#include "core/addr.h"
#include "core/log.h"
#include "core/map.h"

enum { CALM_MS = 60000, CALM_MAX = 4096 };	/* so many that have no connections are remembered at most */

struct far {		/* the far end: an address, IPv6 a /64 */
	unsigned conns;
	uint64_t calm_until;	/* loop_now(); 0: no flood came from there */
	struct loop_timer *calm;
	size_t n_key;
	char key[ADDR_KEY_MAX];
	char text[];		/* of the first that came */
};

static struct map *fars;
static unsigned n_calm;

void
far_text(int family, const void *addr, char out[FAR_TEXT_MAX])
{
	if (family == AF_UNIX)
		strcpy(out, HTTP_LOCAL);
	else if (inet_ntop(family, addr, out, FAR_TEXT_MAX) == NULL)
		strcpy(out, "0.0.0.0");
	if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.') != NULL)
		memmove(out, out + 7, strlen(out + 7) + 1);
}

static struct far *
far_get(const char *peer)
{
	char key[ADDR_KEY_MAX];
	struct str k = addr_key(peer, key);
	struct far *p = fars ? map_get(fars, k) : NULL;
	size_t n = strlen(peer) + 1;

	if (p != NULL)
		return p;
	p = mem_zalloc(sizeof *p + n);
	p->n_key = k.n;
	memcpy(p->key, k.p, k.n);
	memcpy(p->text, peer, n);
	if (fars == NULL)
		fars = map_new();
	(void)map_set(fars, k, p);	/* there was none */
	return p;
}

bool
far_enter(const char *peer, struct far **out)
{
	struct far *p;

	*out = NULL;
	if (http_handler->relays != NULL && http_handler->relays(peer))
		return true;
	p = far_get(peer);
	if (conf.connections_per_address > 0 && p->conns >= (uint64_t)conf.connections_per_address) {
		metric_add(M_http_refused_address, 1);
		if (log_may(STR("connections of an address"), 1, 60000))
			log_warn(NULL, "connection refused", "peer=%s connections=%u reason=connections_per_address", peer, p->conns);
		return false;
	}
	p->conns++;
	*out = p;
	return true;
}

static void
far_settle(struct far *p)
{
	if (p->conns > 0 || p->calm != NULL)
		return;
	(void)map_del(fars, (struct str){p->key, p->n_key});
	if (map_count(fars) == 0)
		map_free(&fars);
	free(p);
}

static void
far_calmed(void *arg)
{
	struct far *p = arg;
	uint64_t now = loop_now();

	p->calm = NULL;
	if (now < p->calm_until) {	/* there was another */
		p->calm = loop_after(p->calm_until - now, far_calmed, p);
		return;
	}
	n_calm--;
	far_settle(p);
}

void
far_leave(struct far **pp)
{
	struct far *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	assert(p->conns > 0);
	p->conns--;
	far_settle(p);
}

void
far_flooded(struct far *p)
{
	if (p == NULL)
		return;
	p->calm_until = loop_now() + CALM_MS;
	if (p->calm != NULL || n_calm >= CALM_MAX)
		return;
	n_calm++;
	p->calm = loop_after(CALM_MS, far_calmed, p);
}

bool
far_calm(const struct far *p)
{
	return p != NULL && loop_now() < p->calm_until;
}

const char *
far_address(const struct far *p)
{
	return p ? p->text : NULL;
}
