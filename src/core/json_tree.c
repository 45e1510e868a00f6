/* Where the trees of jansson live.
 *
 * A body of some megabytes becomes a hundred thousand pieces of a few dozen bytes. In malloc's own heaps they would lie between others', on
 * threads in heaps that never shrink, and the memory of one attack would stay. So the pieces of a tree that is read from a large text lie in
 * blocks of its own, which go back with the last of them. What is read from little, or made piece by piece, is malloc's.
 *
 * Before each piece stands whose it is. */
#include <stdatomic.h>
#include <stdlib.h>

#include "core/heap.h"
#include "core/json.h"

#if defined(__SANITIZE_ADDRESS__)
#define TREE_ASAN true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TREE_ASAN true
#endif
#endif
#ifndef TREE_ASAN
#define TREE_ASAN false
#endif

/* PIECE_MAX: larger ones (a table, a long text) are malloc's, so that those that were outgrown are free at once. */
enum { ALIGN = 8, PIECE_MAX = 8 * 1024, GROVE_FROM = 32 * 1024 };

struct plot {			/* a block */
	struct plot *next;
	char data[];
};

struct grove {
	struct plot *plots;
	char *at, *end;
	_Atomic(size_t) n;	/* pieces, and one while it grows: a tree may be taken apart by another thread than read it */
};

struct piece {
	struct grove *of;	/* NULL: malloc's */
	_Alignas(ALIGN) char data[];
};

static _Thread_local struct grove *growing;

static void
grove_drop(struct grove *g)
{
	struct plot *p, *next;

	if (atomic_fetch_sub(&g->n, 1) > 1)
		return;
	for (p = g->plots; p != NULL; p = next) {
		next = p->next;
		heap_block_free(p);
	}
	free(g);
}

static struct piece *
grove_piece(struct grove *g, size_t n)
{
	struct piece *x;

	if ((size_t)(g->end - g->at) < n) {
		struct plot *p = heap_block();

		p->next = g->plots;
		g->plots = p;
		g->at = p->data;
		g->end = (char *)p + HEAP_BLOCK;
	}
	x = (struct piece *)(void *)g->at;
	g->at += n;
	atomic_fetch_add_explicit(&g->n, 1, memory_order_relaxed);
	return x;
}

static void *
tree_alloc(size_t n)
{
	struct grove *g = growing;
	struct piece *x;

	n = sizeof *x + ((n + ALIGN - 1) & ~(size_t)(ALIGN - 1));
	if (n > PIECE_MAX)
		g = NULL;
	x = g != NULL ? grove_piece(g, n) : mem_alloc(n);
	x->of = g;
	return x->data;
}

static void
tree_free(void *p)
{
	struct piece *x;

	if (p == NULL)
		return;
	x = (struct piece *)(void *)((char *)p - offsetof(struct piece, data));
	if (x->of != NULL)
		grove_drop(x->of);
	else
		free(x);
}

/* Before anything is read: what jansson has made must be given back to whom it came from. */
__attribute__((constructor)) static void
tree_setup(void)
{
	if (!TREE_ASAN)		/* it watches malloc's pieces */
		json_set_alloc_funcs(tree_alloc, tree_free);
}

bool
json_grow(size_t text)
{
	if (growing != NULL || text < GROVE_FROM)
		return false;
	growing = mem_zalloc(sizeof *growing);
	growing->n = 1;
	return true;
}

void
json_grown(bool began)
{
	struct grove *g = growing;

	if (!began)
		return;
	growing = NULL;
	grove_drop(g);
}
