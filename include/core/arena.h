/* Arena: memory that lives as long as a request, freed at once.
 *
 * Out of memory is fatal in one place (mem_fatal), so nothing here returns NULL. Under ASan unused space is poisoned. */
#ifndef BADAL_CORE_ARENA_H
#define BADAL_CORE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "core/err.h"

struct arena;

/* A new arena; its first block comes from a small cache per thread. Free with arena_free. */
struct arena *arena_new(void);
/* Frees everything allocated from *ap and clears *ap; NULL is fine. Does not run defers (see ctx.h). */
void arena_free(struct arena **ap);
/* Bytes handed out so far: used to bound hostile requests. */
size_t arena_used(const struct arena *a);

/* `n` bytes, 16-byte aligned, not zeroed / zeroed. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);
/* Copy of n bytes plus a terminating NUL / of a C string (NULL gives NULL). */
char *arena_memdup(struct arena *a, const void *p, size_t n);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

#define arena_new_of(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (size_t)(n)))

/* Process-lifetime allocation: malloc family that never fails (prints and aborts instead). Free with free(). */
void *mem_alloc(size_t n);
void *mem_zalloc(size_t n);
void *mem_realloc(void *p, size_t n);
char *mem_strdup(const char *s);
/* memcpy where there may be nothing to copy: memcpy itself allows no NULL, not even for 0 bytes. */
static inline void
mem_copy(void *to, const void *from, size_t n)
{
	if (n > 0)
		memcpy(to, from, n);
}
_Noreturn void mem_fatal(size_t wanted);

#endif
