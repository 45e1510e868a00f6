/* What providers publish - their keys, where their routes are - fetched once for all who sign in there. */
#ifndef BADAL_SVC_ACCOUNT_OAUTH_KEPT_H
#define BADAL_SVC_ACCOUNT_OAUTH_KEPT_H

#include "core/ctx.h"

enum kept_kind { KEPT_KEYS, KEPT_METADATA, KEPT_KINDS };

/* Awaits the provider, unless its document is kept still. `lacks`: what is kept lacks something, and is fetched anew if that was not done a short
 * while ago; else it is given as it is. The text is in the arena. ERR_GENERAL_SERVER_ERROR when there is none. */
err_t oauth_kept(struct ctx *cx, enum kept_kind kind, const char *url, bool lacks, struct str *out) MUST_CHECK;

#endif
