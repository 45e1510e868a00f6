/* The heap's free end, given back in slices.
 *
 * glibc gives memory back to the kernel inside of some free(), all of it at once: 300 MB after a few large lists are 40 ms in which
 * nothing else runs. So it is told not to, and a timer does it, a slice at a time. Only the top is given back, as glibc does by itself;
 * malloc_trim would walk all free chunks. */
#include "core/heap.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <uv.h>

#include "core/loop.h"

enum {
	KEEP = 16 << 20,	/* free memory that stays for the next request */
	SLICE = 4 << 20,	/* going by the figure above, half a millisecond */
	LOOK_MS = 1000,		/* between two looks, */
	NEXT_MS = 5,		/* and between two slices */
	TOP_PAD = 128 << 10,
	MMAP_FROM = 4 << 20,	/* larger pieces are mappings of their own; glibc's own moving bound ends with any of these settings */
	CONSOLIDATES = 80 << 10	/* freeing this much makes glibc look at its top */
};

static uv_timer_t timer;

static void
heap_give_back(size_t top)
{
	void *volatile p;

	mallopt(M_TOP_PAD, (int)(top - SLICE));
	mallopt(M_TRIM_THRESHOLD, KEEP / 2);
	p = malloc(CONSOLIDATES);
	free(p);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, TOP_PAD);
}

static void
heap_on_timer(uv_timer_t *t)
{
	size_t top = mallinfo2().keepcost;
	uint64_t next = LOOK_MS;

	if (top > KEEP + SLICE) {
		if (top < INT_MAX)
			heap_give_back(top);
		next = NEXT_MS;
	}
	uv_timer_start(t, heap_on_timer, next, 0);
	uv_unref((uv_handle_t *)t);
}

void
heap_setup(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return;
#endif
#endif
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, TOP_PAD);
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	uv_timer_init(loop_uv(), &timer);
	uv_timer_start(&timer, heap_on_timer, LOOK_MS, 0);
	uv_unref((uv_handle_t *)&timer);
}
