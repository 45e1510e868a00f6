/* A context for each test. */
#ifndef BADAL_T_CTX_WORLD_H
#define BADAL_T_CTX_WORLD_H

#include "core/ctx.h"

static struct ctx cx;

static void
setup(void)
{
	ctx_init(&cx);
}

static void
teardown(void)
{
	ctx_fini(&cx);
}

#endif
