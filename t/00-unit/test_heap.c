/* Freed memory goes back in slices, and it does go back. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/heap.h"
#include "core/loop.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NO_HEAP 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(NO_HEAP)
#define SKIP true
#else
#define SKIP false
#endif

enum { N = 8000, SIZE = 10000 };

static size_t least;
static int slices;

static void
look(void *arg)
{
	size_t top = mallinfo2().keepcost;

	(void)arg;
	slices += top < least;
	cr_expect(top > least || least - top < 9 << 20, "%zu at once", least - top);	/* two slices at most between two looks */
	least = top < least ? top : least;
	if (top < 24 << 20)
		loop_stop();
}

static void
give_up(void *arg)
{
	(void)arg;
	loop_stop();
}

Test(heap, goes_back_in_slices, .disabled = SKIP)
{
	static void *p[N];
	struct loop_timer *t, *end;

	cr_assert(conf_load(NULL, 0, NULL, false));
	loop_init();
	heap_setup();
	for (int i = 0; i < N; i++)
		p[i] = calloc(1, SIZE);
	for (int i = 0; i < N; i++)
		free(p[i]);
	least = mallinfo2().keepcost;
	cr_expect_gt(least, (size_t)N * SIZE * 9 / 10);	/* not all at once */
	t = loop_every(1, look, NULL);
	end = loop_after(60000, give_up, NULL);
	loop_run();
	cr_expect_lt(mallinfo2().keepcost, 24u << 20);
	cr_expect_geq(slices, 5);
	loop_timer_stop(&t);
	loop_timer_stop(&end);
}
