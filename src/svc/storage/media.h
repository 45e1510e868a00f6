/* What kind of bytes a file holds, and how browsers are told. */
#ifndef BADAL_SVC_STORAGE_MEDIA_H
#define BADAL_SVC_STORAGE_MEDIA_H

#include "core/ctx.h"

enum { MEDIA_HEAD_MAX = 256 * 1024 };	/* bytes that are looked at */

/* Awaits a thread. The MIME type of a file that begins so, by libmagic; static or in the arena. */
err_t media_type(struct ctx *cx, struct str head, const char **out) MUST_CHECK;
/* What browsers may be told to show of a file of this type; NULL: it is text to them. Spec storage-avatars-locale-health.md 7. */
const char *media_shown(const char *mime, bool *active_out);	/* active: a picture that could run scripts, shown in a sandbox */
/* `disposition; filename="…"` and, where the name is not ASCII, filename*=UTF-8''… (RFC 6266, RFC 8187). */
const char *media_disposition(struct ctx *cx, const char *disposition, const char *name);

#endif
