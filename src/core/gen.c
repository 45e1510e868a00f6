/* Generations in shared memory. Collisions only cost a cache miss. */
#include "core/gen.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { GEN_SLOTS = 65536 };

static _Atomic uint32_t own[GEN_SLOTS];		/* before gen_init (tests, shell verbs) */
static _Atomic uint32_t *slots = own;

void
gen_init(void)
{
	void *p = mmap(NULL, GEN_SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		mem_fatal(GEN_SLOTS * sizeof *slots);
	slots = p;
}

uint32_t
gen_of_hash(uint64_t h)
{
	return atomic_load_explicit(&slots[h % GEN_SLOTS], memory_order_acquire);
}

void
gen_bump_hash(uint64_t h)
{
	atomic_fetch_add_explicit(&slots[h % GEN_SLOTS], 1, memory_order_release);
}

void
gen_bump_all(void)
{
	for (uint64_t h = 0; h < GEN_SLOTS; h++)
		gen_bump_hash(h);
}

uint32_t
gen_of(struct str key)
{
	return gen_of_hash(str_hash_stable(key));
}

void
gen_bump(struct str key)
{
	gen_bump_hash(str_hash_stable(key));
}
