/* Arena: a chain of blocks, bump-allocated; everything is freed together.
 *
 * First blocks are kept in a small cache per thread, so a request usually costs no malloc; large ones are the heap's blocks. Unused space is poisoned. */
#include "core/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/heap.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 16, FIRST_BLOCK = 8 * 1024, CACHED_MAX = 64 };

struct block {
	struct block *next;
	size_t size;		/* bytes of data */
	_Alignas(ALIGN) char data[];
};

static const size_t biggest_step = HEAP_BLOCK - sizeof(struct block);

struct arena {			/* lives at the start of its first block's data */
	struct block *first, *last;
	char *at, *end;		/* free space of the last block */
	size_t used;
};

static _Thread_local struct block *cached;	/* first blocks of finished arenas */
static _Thread_local unsigned n_cached;

_Noreturn void
mem_fatal(size_t wanted)
{
	fprintf(stderr, "badal: out of memory (%zu bytes wanted)\n", wanted);
	abort();
}

void *
mem_alloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (p == NULL)
		mem_fatal(n);
	return p;
}

void *
mem_zalloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (p == NULL)
		mem_fatal(n);
	return p;
}

void *
mem_realloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (p == NULL)
		mem_fatal(n);
	return p;
}

char *
mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_alloc(n), s, n);
}

static size_t
round_up(size_t n)
{
	return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static struct block *
block_new(size_t size)
{
	struct block *b = size == biggest_step ? heap_block() : mem_alloc(sizeof *b + size);

	b->next = NULL;
	b->size = size;
	ASAN_POISON_MEMORY_REGION(b->data, size);
	return b;
}

static void
block_free(struct block *b)
{
	ASAN_UNPOISON_MEMORY_REGION(b->data, b->size);
	if (b->size == biggest_step)
		heap_block_free(b);
	else
		free(b);
}

static struct block *
first_block(void)
{
	struct block *b = cached;

	if (b == NULL)
		return block_new(FIRST_BLOCK);
	cached = b->next;
	n_cached--;
	b->next = NULL;
	return b;
}

struct arena *
arena_new(void)
{
	struct block *b = first_block();
	struct arena *a = (struct arena *)(void *)b->data;

	ASAN_UNPOISON_MEMORY_REGION(a, round_up(sizeof *a));
	a->first = a->last = b;
	a->at = b->data + round_up(sizeof *a);
	a->end = b->data + b->size;
	a->used = 0;
	return a;
}

void
arena_free(struct arena **ap)
{
	struct block *b, *next, *first;

	if (*ap == NULL)
		return;
	first = (*ap)->first;
	for (b = first->next; b != NULL; b = next) {
		next = b->next;
		block_free(b);
	}
	*ap = NULL;
	if (n_cached >= CACHED_MAX) {
		block_free(first);
		return;
	}
	ASAN_POISON_MEMORY_REGION(first->data, first->size);
	first->next = cached;
	cached = first;
	n_cached++;
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}

/* A new block that holds at least n bytes; blocks double so that their number stays small. */
static void
arena_grow(struct arena *a, size_t n)
{
	size_t size = a->last->size * 2;
	struct block *b;

	if (size > biggest_step)
		size = biggest_step;
	if (size < n)
		size = n;
	b = block_new(size);
	a->last->next = b;
	a->last = b;
	a->at = b->data;
	a->end = b->data + size;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	char *p;

	if (n > SIZE_MAX / 2)
		mem_fatal(n);
	n = round_up(n ? n : 1);
	if ((size_t)(a->end - a->at) < n)
		arena_grow(a, n);
	p = a->at;
	a->at += n;
	a->used += n;
	ASAN_UNPOISON_MEMORY_REGION(p, n);
	return p;
}

void *
arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

char *
arena_memdup(struct arena *a, const void *p, size_t n)
{
	char *d = arena_alloc(a, n + 1);

	mem_copy(d, p, n);
	d[n] = '\0';
	return d;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return s == NULL ? NULL : arena_memdup(a, s, strlen(s));
}

char *
arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	char small[256], *d;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n < sizeof small) {
		d = arena_memdup(a, small, (size_t)n);
	} else {
		d = arena_alloc(a, (size_t)n + 1);
		vsnprintf(d, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	return d;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *d;

	va_start(ap, fmt);
	d = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return d;
}
