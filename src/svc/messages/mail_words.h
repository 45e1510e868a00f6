/* The words of mails: layouts and languages from files, filled with what a mail says. */
#ifndef BADAL_SVC_MESSAGES_MAIL_WORDS_H
#define BADAL_SVC_MESSAGES_MAIL_WORDS_H

#include "core/ctx.h"

struct letter {			/* what the write left for us; "" where it does not apply */
	const char *kind, *project, *to, *name, *link, *code, *phrase, *locale, *owner, *team, *device, *client, *os, *ip, *country;
	int64_t at;		/* when it was written */
};

struct brief {			/* what a short message is about */
	const char *project, *locale;
	const char *text;	/* the code or the link */
	bool invites;		/* it is a link that invites */
};

struct worded {			/* in the arena */
	const char *sender, *subject;	/* plain text */
	struct str text, html;
};

struct slot {			/* {{name}} in a text */
	const char *name;
	struct str value;
};

enum style {
	PLAIN,		/* everything as it is */
	HTML,		/* text and values are escaped, values stand apart */
	MARKUP		/* the text is HTML; values are escaped, also for attributes */
};

/* The text with its slots filled; what is no slot of ours stays. STR_NONE: the values would be too long for a mail (1 MiB in all), or one of them is
 * STR_NONE itself. */
struct str mail_words_fill(struct ctx *cx, struct str text, enum style style, const struct slot *v, int n);

/* Words a letter in its language, else in English. Blocks for the files at first. ERR_GENERAL_SERVER_ERROR when they are missing,
 * ERR_JOB_HOPELESS for an unknown kind, or what gets too long. */
err_t mail_words(struct ctx *cx, const struct letter *l, struct worded *out) MUST_CHECK;
/* The words of a short message, one line. Blocks and errors as above. */
err_t mail_words_short(struct ctx *cx, const struct brief *m, struct str *out) MUST_CHECK;
/* The words of a kind in a language, else in English, with the slots of a project's own words (mail_template.h) where the values would be. Blocks and errors as
 * above. */
err_t mail_words_open(struct ctx *cx, const char *kind, const char *locale, struct worded *out) MUST_CHECK;

#endif
