/* What a fiber's processor knows, while another one has it: registers.c for fiber.c. */
#ifndef BADAL_CORE_FIBER_PRIV_H
#define BADAL_CORE_FIBER_PRIV_H

#include <stddef.h>

/* Under the address sanitizer glibc's functions are used: it knows them. */
#if defined(__SANITIZE_ADDRESS__)
#define FIB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIB_ASAN 1
#endif
#endif
#if defined(__x86_64__) && !defined(FIB_ASAN)
#define FIB_OWN_SWITCH 1
#endif

#ifdef FIB_OWN_SWITCH
struct registers {
	void *sp;	/* the others are on the stack, below what it points to */
};
#else
#include <ucontext.h>
struct registers {
	ucontext_t uc;
};
#endif

/* The first registers_swap to `r` begins `entry` on the stack of `size` bytes from `low` up. It must never return. */
void registers_make(struct registers *r, char *low, size_t size, void (*entry)(void));
/* Goes on where `to` was left; returns when somebody comes back to `from`. */
void registers_swap(struct registers *from, struct registers *to);

#endif
