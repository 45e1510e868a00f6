/* Mails that go out with a write: what is to be said, to whom, with which link. The mail module of the jobs role words and sends them. */
#ifndef BADAL_SVC_MESSAGES_MAIL_H
#define BADAL_SVC_MESSAGES_MAIL_H

#include "model/project.h"

struct mail {
	const char *kind;		/* one of its service's mails */
	const char *to;			/* address */
	const char *name;		/* display name and the greeting's; "" none */
	const char *link;		/* ready, with its secret; NULL or "" when there is a code, or nothing to be proved */
	const char *code;		/* to be typed in; NULL or "": it is a link */
	const char *phrase;		/* words that the page which asks for the code shows as well; NULL or "": none */
	const char *locale;		/* of the request */
	const char *owner, *team;	/* invitations: who invites, and to what */
	const char *device, *client, *os;	/* codes and alerts: what the request came from, in words; NULL or "": unknown */
	const char *ip, *country;	/* alerts: where it came from */
	bool ours;			/* it is the platform's word to whom a project belongs: never by the project's own server */
};

/* The project has a mail server, or one is configured for all (p NULL: that one is asked for); without one the API answers ERR_GENERAL_SMTP_DISABLED before
 * it writes anything. */
bool mail_ready(const struct project *p);
/* Leaves the mail to the jobs role, with the transaction's own commit. The texts are copied. No wait. */
void mail_send(struct db_tx *tx, const struct project *p, const struct mail *m);
/* Awaits the server. Whether it takes us and our login; *why_out: why not, in words for who set it up; NULL: it does. */
err_t mail_check(struct ctx *cx, const struct smtp *s, const char **why_out) MUST_CHECK;
/* Awaits the server. A mail that says that it comes from there; *why_out as above. */
err_t mail_try(struct ctx *cx, const struct project *p, const struct smtp *s, const struct strs *to, const char *locale, const char **why_out) MUST_CHECK;

#endif
