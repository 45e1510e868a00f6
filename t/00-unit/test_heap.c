/* Freed memory goes back in slices, and it does go back. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/ctx.h"
#include "core/heap.h"
#include "core/json.h"
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

static size_t mapped;

static size_t
resident(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	cr_assert_not_null(f);
	cr_assert_eq(fscanf(f, "%*u %zu", &pages), 1);
	fclose(f);
	return pages * 4096;
}

static void
look_resident(void *arg)
{
	(void)arg;
	slices += heap_spare() < mapped;
	mapped = heap_spare();
	if (mapped <= HEAP_SPARES * HEAP_BLOCK)
		loop_stop();
}

static void
until_back(void)
{
	struct loop_timer *t, *end;

	mapped = heap_spare();
	t = loop_every(1, look_resident, NULL);
	end = loop_after(60000, give_up, NULL);
	loop_run();
	loop_timer_stop(&t);
	loop_timer_stop(&end);
}

/* What needs much at once, on a thread, while something small that stays is made in between. */
enum { N_KEPT = 200, N_ARENAS = 100 };

static void *kept[N_KEPT];

static void *
arenas(void *arg)
{
	(void)arg;
	for (int i = 0; i < N_KEPT; i++) {
		struct arena *a = arena_new();

		for (int k = 0; k < 200; k++)
			memset(arena_alloc(a, 10000), 1, 10000);
		kept[i] = malloc(100);
		arena_free(&a);
	}
	return NULL;
}

static struct ctx trees_cx[N_KEPT];

static void *
trees(void *arg)
{
	static char text[400000];
	const char *why;
	size_t n = 0;

	(void)arg;
	n += (size_t)snprintf(text, sizeof text, "[0");
	while (n < sizeof text - 20)
		n += (size_t)snprintf(text + n, sizeof text - n, ",{\"a\":\"b\"}");
	text[n++] = ']';
	for (int i = 0; i < N_KEPT; i++) {
		ctx_init(&trees_cx[i]);
		cr_assert_not_null(json_parse(&trees_cx[i], (struct str){text, n}, &why));
		kept[i] = malloc(100);
		if (i >= 20)
			ctx_fini(&trees_cx[i]);
	}
	return NULL;
}

static void
on_thread(void *(*fn)(void *))
{
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, fn, NULL), 0);
	pthread_join(t, NULL);
}

Test(heap, blocks_of_arenas_go_back, .disabled = SKIP)
{
	struct arena *a[N_ARENAS];
	size_t before;

	cr_assert(conf_load(NULL, 0, NULL, false));
	loop_init();
	heap_setup();
	before = resident();
	on_thread(arenas);
	for (int i = 0; i < N_ARENAS; i++) {
		a[i] = arena_new();
		for (int k = 0; k < 100; k++)
			memset(arena_alloc(a[i], 10000), 1, 10000);
	}
	for (int i = 0; i < N_ARENAS; i++)
		arena_free(&a[i]);
	cr_expect_gt(heap_spare(), (size_t)60 << 20);	/* not all at once */
	until_back();
	cr_expect_leq(heap_spare(), (size_t)HEAP_SPARES * HEAP_BLOCK);
	cr_expect_geq(slices, 5);
	cr_expect_lt(resident(), before + (32 << 20));
}

Test(heap, trees_of_a_thread_go_back, .disabled = SKIP)
{
	size_t before, full;

	cr_assert(conf_load(NULL, 0, NULL, false));
	loop_init();
	heap_setup();
	before = resident();
	on_thread(trees);
	full = resident();
	cr_expect_gt(full, before + (100 << 20));
	for (int i = 0; i < 20; i++)
		ctx_fini(&trees_cx[i]);
	until_back();
	cr_expect_leq(heap_spare(), (size_t)HEAP_SPARES * HEAP_BLOCK);
	cr_expect_lt(resident(), before + (32 << 20), "%zu, then %zu, of %zu", before, resident(), full);
}
