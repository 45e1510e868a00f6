/* What a project may hold (model/bound.h). */
#include "model/bound.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"

enum { KNOWN = 1000, FRESH_MS = 10000, SHARE = 100, EAGER = 10 };	/* looks take a hundredth of the time at most, or a tenth where somebody is refused */

struct held {			/* of a project, as far as this process knows */
	int64_t count, bytes;
	uint64_t at;		/* loop_now() of the look; 0: none yet */
	uint64_t fresh;		/* how long it counts, ms */
	bool looking;		/* a newer look is on its way */
};

static struct lru *known;

static struct held *
bound_held(const struct project *p, const struct bound *b)
{
	char name[64];
	struct held *h;

	snprintf(name, sizeof name, "%lld %s", (long long)p->internal, b->name);
	if (known == NULL)
		known = lru_new(KNOWN, free);
	h = lru_get(known, str_c(name));
	if (h == NULL)
		lru_put(known, str_c(name), h = mem_zalloc(sizeof *h));
	return h;
}

static err_t
bound_look(struct ctx *cx, const struct project *p, const struct bound *b)
{
	uint64_t began = loop_now(), took;
	struct db_res *r = NULL;
	struct held *h;
	err_t e;

	bound_held(p, b)->looking = true;
	e = db_query(cx, &r, b->look(cx->arena, p->schema), DB0);
	h = bound_held(p, b);	/* others were at work meanwhile */
	h->looking = false;
	TRY(e);
	took = SHARE * (loop_now() - began);
	*h = (struct held){.count = db_i64(r, 0, 0), .bytes = db_i64(r, 0, 1), .at = loop_now(), .fresh = took > FRESH_MS ? took : FRESH_MS};
	return OK;
}

err_t
bound_room(struct ctx *cx, const struct project *p, const struct bound *b, int64_t count_most, int64_t count, int64_t bytes_most, int64_t bytes)
{
	if (p->console || (count_most == 0 && bytes_most == 0))
		return OK;
	for (bool again = false;; again = true) {
		struct held *h = bound_held(p, b);
		bool full = (count_most > 0 && h->count + count > count_most) || (bytes_most > 0 && h->bytes + bytes > bytes_most);
		uint64_t age = loop_now() - h->at;

		if (!again && !h->looking && (h->at == 0 || age >= (full ? h->fresh / EAGER : h->fresh))) {
			TRY(bound_look(cx, p, b));
			continue;
		}
		if (!full)
			return OK;
		metric_add(M_project_full, 1);
		return fail(cx, ERR_PROJECT_FULL, "%s count=%lld bytes=%lld", b->name, (long long)h->count, (long long)h->bytes);
	}
}

void
bound_added(const struct project *p, const struct bound *b, int64_t count, int64_t bytes)
{
	struct held *h = known == NULL ? NULL : bound_held(p, b);

	if (h == NULL)
		return;
	h->count += count;
	h->bytes += bytes;
}
