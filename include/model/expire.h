/* Rows whose time is over: sessions and tokens (invalid without this already), audit entries older than conf.audit_retention, counts of
 * usage that no chart shows any more. */
#ifndef BADAL_MODEL_EXPIRE_H
#define BADAL_MODEL_EXPIRE_H

#include "core/ctx.h"

/* Awaits. Deletes them in every project, in small steps; safe to run anywhere and again. Emits nothing: nobody can tell the difference. */
err_t expire_sweep(struct ctx *cx) MUST_CHECK;

#endif
