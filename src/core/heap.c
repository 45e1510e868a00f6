/* Memory that was needed once goes back to the kernel, a slice at a time.
 *
 * glibc gives memory back inside of some free(), all of it at once: 300 MB after a few large lists are 40 ms in which nothing else runs. So it is told
 * not to, and a timer does it. Only the top is given back, as glibc does by itself; malloc_trim would walk all free chunks. So would mallinfo2, which
 * says how large the top is: 5 ms once a second after somebody's ten thousand subscriptions. Instead glibc is told to keep so much at the top, and
 * then a slice less, until the heap ends earlier.
 *
 * What is made of small pieces would hold the top up, and a thread's own heap has no end that could be given back. So what is large in sum (arenas, trees
 * of JSON) is made of blocks, which are mappings: a freed one waits for the next that is needed, and those that nobody needed from one look to the
 * next go back, but for a few: a mapping waits for the lock of the address space, which a thread may hold. Large single pieces are mappings anyway. */
#include "core/heap.h"

#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#include "core/arena.h"
#include "core/loop.h"
#include "core/metric.h"

#if defined(__SANITIZE_ADDRESS__)
#define HEAP_ASAN true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_ASAN true
#endif
#endif
#ifndef HEAP_ASAN
#define HEAP_ASAN false
#endif

enum {
	KEEP = 16 << 20,	/* free memory that stays for the next request */
	SLICE = 4 << 20,	/* going by the figure above, half a millisecond */
	LOOK_MS = 1000,		/* between two looks, */
	NEXT_MS = 5,		/* and between two slices */
	TOP_PAD = 128 << 10,
	MMAP_FROM = HEAP_BLOCK,	/* larger pieces are mappings of their own; glibc's own moving bound ends with any of these settings */
	CONSOLIDATES = 80 << 10	/* freeing this much makes glibc look at its top */
};

struct spare {
	struct spare *next;
};

static uv_timer_t timer;
static char *heap_begin;	/* about */
static bool tended;		/* the timer runs */

/* Blocks that are free. Nobody waits for the lock, for who has it may have no core: the kernel has more, and takes them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct spare *spares;
static size_t n_spare, least_spare;	/* since the last look: so many were not needed */

/* ---- blocks ---- */

static struct spare *
spare_take(void)
{
	struct spare *s;

	if (pthread_mutex_trylock(&lock) != 0)
		return NULL;
	if ((s = spares) != NULL) {
		spares = s->next;
		if (--n_spare < least_spare)
			least_spare = n_spare;
	}
	pthread_mutex_unlock(&lock);
	return s;
}

static bool
spare_put(struct spare *s)
{
	if (!tended || pthread_mutex_trylock(&lock) != 0)
		return false;
	s->next = spares;
	spares = s;
	n_spare++;
	pthread_mutex_unlock(&lock);
	return true;
}

void *
heap_block(void)
{
	void *p;

	if (HEAP_ASAN)
		return mem_alloc(HEAP_BLOCK);	/* the leak checker looks for pointers in what it has allocated itself */
	p = spare_take();
	if (p == NULL && (p = mmap(NULL, HEAP_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED)
		mem_fatal(HEAP_BLOCK);
	return p;
}

void
heap_block_free(void *p)
{
	if (HEAP_ASAN)
		free(p);
	else if (!spare_put(p))
		munmap(p, HEAP_BLOCK);
}

size_t
heap_spare(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = n_spare * HEAP_BLOCK;
	pthread_mutex_unlock(&lock);
	return n;
}

/* Those that were free all the time go back, a slice of them. True: there are more. */
static bool
spares_give_back(void)
{
	struct spare *s, *out = NULL;
	bool more;

	if (pthread_mutex_trylock(&lock) != 0)
		return true;
	for (size_t n = 0; n < SLICE / HEAP_BLOCK && least_spare > HEAP_SPARES; n++) {
		s = spares;
		spares = s->next;
		s->next = out;
		out = s;
		n_spare--;
		least_spare--;	/* never more than there are */
	}
	more = least_spare > HEAP_SPARES;
	pthread_mutex_unlock(&lock);
	while ((s = out) != NULL) {
		out = s->next;
		munmap(s, HEAP_BLOCK);
	}
	return more;
}

/* Once nothing is left to give: from now on it is seen how many are not needed. */
static void
spares_look(void)
{
	if (pthread_mutex_trylock(&lock) != 0)
		return;
	least_spare = n_spare;
	metric_set(M_heap_spare, (int64_t)(n_spare * HEAP_BLOCK));
	pthread_mutex_unlock(&lock);
}

/* ---- the top of the heap ---- */

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
	bool more = spares_give_back();

	more = heap_give_back() || more;
	if (!more)
		spares_look();
	uv_timer_start(t, heap_on_timer, more ? NEXT_MS : LOOK_MS, 0);
	uv_unref((uv_handle_t *)t);
}

void
heap_setup(void)
{
	if (HEAP_ASAN)
		return;
	heap_begin = sbrk(0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, TOP_PAD);
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	uv_timer_init(loop_uv(), &timer);
	uv_timer_start(&timer, heap_on_timer, LOOK_MS, 0);
	uv_unref((uv_handle_t *)&timer);
	tended = true;
}
