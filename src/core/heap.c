/* The heap's free end, given back in slices.
 *
 * glibc gives memory back to the kernel inside of some free(), all of it at once: 300 MB after a few large lists are 40 ms in which
 * nothing else runs. So it is told not to, and a timer does it, a slice at a time. Only the top is given back, as glibc does by itself;
 * malloc_trim would walk all free chunks. So would mallinfo2, which says how large the top is: 5 ms once a second after somebody's ten thousand
 * subscriptions. Instead glibc is told to keep so much at the top, and then a slice less, until the heap ends earlier. */
#include "core/heap.h"

#include <limits.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
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
static char *heap_begin;	/* about */

static size_t
heap_size(void)
{
	char *end = sbrk(0);

	return end > heap_begin ? (size_t)(end - heap_begin) : 0;
}

/* A slice at most, if the top is larger than `keep`. */
static bool
heap_keep(size_t keep)
{
	void *volatile p = malloc(CONSOLIDATES);	/* before: what is kept at the top is also what the heap grows by */
	size_t before = heap_size();

	mallopt(M_TOP_PAD, (int)keep);
	free(p);
	mallopt(M_TOP_PAD, TOP_PAD);
	return heap_size() < before;
}

/* A slice; false when there is none to give. */
static bool
heap_give_back(void)
{
	size_t size = heap_size();
	bool gave = false;

	if (size <= KEEP + SLICE)
		return false;
	mallopt(M_TRIM_THRESHOLD, KEEP / 2);
	for (size_t keep = size < INT_MAX ? size : INT_MAX; keep >= KEEP && !gave; keep -= SLICE)
		gave = heap_keep(keep);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	return gave;
}

static void
heap_on_timer(uv_timer_t *t)
{
	uint64_t next = heap_give_back() ? NEXT_MS : LOOK_MS;

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
	heap_begin = sbrk(0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, TOP_PAD);
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	uv_timer_init(loop_uv(), &timer);
	uv_timer_start(&timer, heap_on_timer, LOOK_MS, 0);
	uv_unref((uv_handle_t *)&timer);
}
