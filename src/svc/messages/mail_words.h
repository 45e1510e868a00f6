/* The words of mails: layouts and languages from files, filled with what a mail says. */
#ifndef BADAL_SVC_MESSAGES_MAIL_WORDS_H
#define BADAL_SVC_MESSAGES_MAIL_WORDS_H

#include "core/ctx.h"

struct letter {			/* what the write left for us; "" where it does not apply */
	const char *kind, *project, *to, *name, *link, *code, *phrase, *locale, *owner, *team, *device, *client, *os, *ip, *country;
	int64_t at;		/* when it was written */
};

struct worded {			/* in the arena */
	const char *sender, *subject;	/* plain text */
	struct str text, html;
};

/* Words a letter in its language, else in English. Blocks for the files at first. ERR_GENERAL_SERVER_ERROR when they are missing,
 * ERR_JOB_HOPELESS for an unknown kind. */
err_t mail_words(struct ctx *cx, const struct letter *l, struct worded *out) MUST_CHECK;

#endif
