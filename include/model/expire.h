/* Sessions and tokens whose time is over. They are invalid without this already; it only frees their space. */
#ifndef BADAL_MODEL_EXPIRE_H
#define BADAL_MODEL_EXPIRE_H

#include "core/ctx.h"

/* Awaits. Deletes them in every project, in small steps; safe to run anywhere and again. Emits nothing: nobody can tell the difference. */
err_t expire_sweep(struct ctx *cx) MUST_CHECK;

#endif
