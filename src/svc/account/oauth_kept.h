/* What providers publish - their keys, where their routes are - fetched once for all who sign in there. */
#ifndef BADAL_SVC_ACCOUNT_OAUTH_KEPT_H
#define BADAL_SVC_ACCOUNT_OAUTH_KEPT_H

#include "core/ctx.h"

enum kept_kind { KEPT_KEYS, KEPT_METADATA, KEPT_KINDS };

struct kept_ask {
	enum kept_kind kind;
	const char *url;
	int64_t project;	/* internal number of the one that named the address; 0: none did */
	bool lacks;		/* what is kept lacks something: it is fetched anew if that was not done a short while ago; else it is given as it is */
};
/* Awaits the provider, unless its document is kept still. The text is in the arena. ERR_USER_OAUTH2_PROVIDER_FAILURE when there is none; ERR_BUSY while too many of the project's are
 * being fetched. */
err_t oauth_kept(struct ctx *cx, const struct kept_ask *a, struct str *out) MUST_CHECK;

struct kept_age {		/* ms; 0: never */
	int64_t until;		/* it is good so long */
	int64_t tried;		/* when it was fetched last, or that failed */
};
enum kept_step { KEPT_FETCH = 1, KEPT_WAIT = 2, KEPT_USABLE = 4 };
/* What is done about a document that somebody asks for: is it fetched, does who asks wait for that, and may it be given as it is? What is over is waited for once, and while
 * the provider does not answer given for some hours more. `there`: there is a text; `busy`: it is being fetched. */
unsigned oauth_kept_steps(const struct kept_age *k, bool there, bool busy, bool lacks, int64_t now);

#endif
