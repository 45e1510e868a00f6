/* Memory that was freed goes back to the kernel in slices, so that no free() holds the loop up. */
#ifndef BADAL_CORE_HEAP_H
#define BADAL_CORE_HEAP_H

#include <stddef.h>

/* A sanitizer watches malloc's pieces: all memory is made of those then. */
#if defined(__SANITIZE_ADDRESS__)
enum { HEAP_ASAN = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { HEAP_ASAN = 1 };
#else
enum { HEAP_ASAN = 0 };
#endif
#else
enum { HEAP_ASAN = 0 };
#endif

enum { HEAP_BLOCK = 256 * 1024, HEAP_SPARES = 16 };	/* so many blocks are kept for the next who need them */

void heap_setup(void);	/* once per process, after loop_init; without it, blocks go back at once */

/* A block of HEAP_BLOCK bytes, not zeroed, from any thread; never NULL. It may be given back by another. */
void *heap_block(void);
void heap_block_free(void *p);
size_t heap_spare(void);	/* bytes of blocks that wait to be needed or to go back */

#endif
