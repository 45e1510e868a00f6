/* Mails and short messages while developing: kept for a while and shown to who sits at the machine, instead of being sent. */
#ifndef BADAL_SVC_MESSAGES_DEV_H
#define BADAL_SVC_MESSAGES_DEV_H

#include "core/ctx.h"

/* Awaits Redis. Keeps the newest of all processes' for a day, a bounded number of a bounded size. */
err_t dev_keep(struct ctx *cx, const char *kind, const char *to, const char *subject, struct str text) MUST_CHECK;

#endif
