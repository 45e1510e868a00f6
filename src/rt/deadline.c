/* When connections end by time: with the session or the JWT that they were opened with.
 *
 * A heap of those that have such a time, and one timer: a connection has none of its own. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"

enum { ENDED = 3000, SLICE = 100 };	/* at once: about a millisecond */

static struct peer **heap;
static uint32_t n_heap, cap_heap;

static void
deadline_put(struct peer *c, uint32_t i)
{
	heap[i] = c;
	c->due = i + 1;
}

static void
deadline_up(struct peer *c, uint32_t i)
{
	for (; i > 0 && heap[(i - 1) / 2]->expire > c->expire; i = (i - 1) / 2)
		deadline_put(heap[(i - 1) / 2], i);
	deadline_put(c, i);
}

static void
deadline_down(struct peer *c, uint32_t i)
{
	for (;;) {
		uint32_t kid = 2 * i + 1;

		if (kid + 1 < n_heap && heap[kid + 1]->expire < heap[kid]->expire)
			kid++;
		if (kid >= n_heap || heap[kid]->expire >= c->expire)
			break;
		deadline_put(heap[kid], i);
		i = kid;
	}
	deadline_put(c, i);
}

static void
deadline_remove(struct peer *c)
{
	uint32_t i = c->due - 1;
	struct peer *other = heap[--n_heap];

	assert(i <= n_heap);
	c->due = 0;
	if (other == c)
		return;
	if (i > 0 && heap[(i - 1) / 2]->expire > other->expire)
		deadline_up(other, i);
	else
		deadline_down(other, i);
}

void
deadline_set(struct peer *c, int64_t ms)
{
	if (c->due != 0)
		deadline_remove(c);
	c->expire = ms;
	if (ms == INT64_MAX)
		return;
	if (n_heap == cap_heap) {
		cap_heap = cap_heap ? cap_heap * 2 : 64;
		heap = mem_realloc(heap, cap_heap * sizeof(struct peer *));
	}
	deadline_up(c, n_heap++);
}

void
deadline_pass(void *arg)
{
	static bool again;
	int left = SLICE;

	if (arg == &again)
		again = false;
	while (n_heap > 0 && heap[0]->expire < time_now_ms() && left-- > 0) {
		struct peer *c = heap[0];

		deadline_remove(c);
		metric_add(M_rt_expired, 1);
		peer_end(c, ENDED, "what it was opened with has expired");
	}
	if (left >= 0 || again)
		return;
	again = true;	/* many may end in one moment: the loop turns between the slices */
	loop_soon(deadline_pass, &again);
}
