/* Leaving one stack for another.
 *
 * swapcontext also saves the signal mask, by a system call each time: 250 ns, and a request is switched to and from several times.
 * Fibers share one mask, so on x86-64 a switch is what the System V ABI (3.2.1, 3.2.3) asks a callee to keep: rbx, rbp, r12 to r15,
 * the stack pointer, and the control words of SSE and x87. Elsewhere glibc does it. */
#include "fiber_priv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef FIB_OWN_SWITCH

struct frame {			/* as registers_swap leaves it, from the stack pointer up */
	uint32_t mxcsr;
	uint16_t x87, unused;
	uint64_t r15, r14, r13, r12, rbx, rbp;
	void (*pc)(void);
	uint64_t caller;	/* of entry: none, where a debugger's backtrace ends */
};

/* Where the stack is from instruction to instruction is told for profilers and debuggers; both stacks are laid out alike. */
__asm__(".text\n"
	".p2align 4\n"
	".globl registers_swap\n"
	".type registers_swap, @function\n"
	"registers_swap:\n"
	"	.cfi_startproc\n"
	"	pushq %rbp\n	.cfi_adjust_cfa_offset 8\n"
	"	pushq %rbx\n	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r12\n	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r13\n	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r14\n	.cfi_adjust_cfa_offset 8\n"
	"	pushq %r15\n	.cfi_adjust_cfa_offset 8\n"
	"	subq $8, %rsp\n	.cfi_adjust_cfa_offset 8\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 4(%rsp)\n"
	"	movq %rsp, (%rdi)\n"
	"	movq (%rsi), %rsp\n"
	"	fldcw 4(%rsp)\n"
	"	ldmxcsr (%rsp)\n"
	"	addq $8, %rsp\n	.cfi_adjust_cfa_offset -8\n"
	"	popq %r15\n	.cfi_adjust_cfa_offset -8\n"
	"	popq %r14\n	.cfi_adjust_cfa_offset -8\n"
	"	popq %r13\n	.cfi_adjust_cfa_offset -8\n"
	"	popq %r12\n	.cfi_adjust_cfa_offset -8\n"
	"	popq %rbx\n	.cfi_adjust_cfa_offset -8\n"
	"	popq %rbp\n	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size registers_swap, . - registers_swap\n");

/* entry begins as if it had been called: the stack pointer is 8 below a multiple of 16, at the return address. */
void
registers_make(struct registers *r, char *low, size_t size, void (*entry)(void))
{
	struct frame f = {.pc = entry};
	char *top = (char *)((uintptr_t)(low + size) & ~(uintptr_t)15);

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(f.mxcsr), "=m"(f.x87));
	r->sp = top - sizeof f;
	memcpy(r->sp, &f, sizeof f);
}

#else

void
registers_make(struct registers *r, char *low, size_t size, void (*entry)(void))
{
	if (getcontext(&r->uc) != 0)
		abort();
	r->uc.uc_stack.ss_sp = low;
	r->uc.uc_stack.ss_size = size;
	r->uc.uc_link = NULL;
	makecontext(&r->uc, entry, 0);
}

void
registers_swap(struct registers *from, struct registers *to)
{
	swapcontext(&from->uc, &to->uc);
}

#endif
