/* Contexts: what an awaiting call carries, and the way out of an error. */
#include "core/ctx.h"

#include <assert.h>
#include <string.h>

void
ctx_init(struct ctx *cx)
{
	memset(cx, 0, sizeof *cx);
	cx->arena = arena_new();
}

void
ctx_init_arena(struct ctx *cx, struct arena *a)
{
	memset(cx, 0, sizeof *cx);
	cx->arena = a;
	cx->borrowed = true;
}

void
ctx_init_part(struct ctx *cx, const struct ctx *of)
{
	ctx_init(cx);
	cx->fib = of->fib;
	cx->deadline = of->deadline;
	cx->share = of->share;
	cx->depth = of->depth;
	cx->statement_max = of->statement_max;
	cx->client = of->client;
	cx->words = of->words;
	cx->format = of->format;
	cx->locale = of->locale;
	cx->id = of->id;
	cx->project = of->project;
	cx->user = of->user;
}

void
ctx_unwind(struct ctx *cx, struct defer *mark)
{
	while (cx->defers != mark) {
		struct defer *d = cx->defers;

		cx->defers = d->next;
		d->fn(d->arg);
	}
}

void
ctx_fini(struct ctx *cx)
{
	assert(cx->holds == NULL);
	ctx_unwind(cx, NULL);
	if (!cx->borrowed)
		arena_free(&cx->arena);
	cx->arena = NULL;
}

err_t
fail(struct ctx *cx, err_t e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cx->detail = arena_vprintf(cx->arena, fmt, ap);
	va_end(ap);
	return e;
}

err_t
fail_msg(struct ctx *cx, err_t e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cx->message = arena_vprintf(cx->arena, fmt, ap);
	va_end(ap);
	return e;
}

void
defer(struct ctx *cx, void (*fn)(void *), void *arg)
{
	struct defer *d = arena_new_of(cx->arena, struct defer);

	d->fn = fn;
	d->arg = arg;
	d->next = cx->defers;
	cx->defers = d;
}
