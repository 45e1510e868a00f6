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
};

/* A mail server is configured; without one the API answers ERR_GENERAL_SMTP_DISABLED before it writes anything. */
bool mail_ready(void);
/* Leaves the mail to the jobs role, with the transaction's own commit. The texts are copied. No wait. */
void mail_send(struct db_tx *tx, const struct project *p, const struct mail *m);

#endif
