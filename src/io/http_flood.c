/* Floods: what costs much more than its bytes tell. Each connection may send so many frames a second, and more the more it moves; what is dear counts as several.
 * Who sends more is ended, and its address remembered for a while: the next connections from there have no five seconds' worth to begin with, so
 * that coming back gains nothing. */
#include "http_priv.h"

#include "core/log.h"

enum { BURST = 5, CALM_PARTS = 2, LOG_AGAIN_MS = 60000 };	/* seconds' worth; that part of a second */

void
allowance_begin(struct allowance *a, int64_t rate, const struct far *from)
{
	a->counted = loop_now();
	a->left = far_calm(from) ? rate * 1000 / CALM_PARTS : rate * 1000 * BURST;
}

void
allowance_earn(struct allowance *a, int64_t rate, size_t bytes)
{
	a->left += (int64_t)bytes * 1000 / BYTES_PER_FRAME;
	if (a->left > rate * 1000 * BURST)
		a->left = rate * 1000 * BURST;
}

bool
allowance_spend(struct allowance *a, int64_t rate, int64_t thousandths)
{
	uint64_t now = loop_now();

	if (rate <= 0)
		return true;
	a->left += (int64_t)(now - a->counted) * rate;
	a->counted = now;
	allowance_earn(a, rate, 0);
	a->left -= thousandths;
	return a->left >= 0;
}

void
conn_flooded(const struct conn *c, const char *what)
{
	char peer[FAR_TEXT_MAX];

	metric_add(M_http_floods, 1);
	far_flooded(c->far);
	far_text(c->family, c->addr, peer);
	if (log_may(STR("floods"), 1, LOG_AGAIN_MS))
		log_warn(NULL, "connection ended", "peer=%s reason=\"%s\"", peer, what);
}
