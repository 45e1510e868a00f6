/* Short messages that go out with a write. */
#ifndef BADAL_SVC_MESSAGES_SMS_H
#define BADAL_SVC_MESSAGES_SMS_H

#include "model/project.h"

/* A provider is configured; without one the API answers ERR_GENERAL_PHONE_DISABLED before it writes anything. */
bool sms_ready(void);
bool sms_provider_known(const char *setting);	/* such a value of sms_provider names a provider that there is */

enum { SMS_TEXT_MAX = 1000 };	/* bytes: each part of a message has about 150 and is paid for */
struct sms {
	const char *to;
	const char *text;	/* the code or the link; at most SMS_TEXT_MAX */
	const char *locale;	/* of the words around it; NULL: there are none, as 1.0 has it */
	bool invites;		/* it is a link that invites */
};
/* Leaves the message to the jobs role, with the transaction's own commit. The texts are copied. No wait. */
void sms_send(struct db_tx *tx, const struct project *p, const struct sms *m);

#endif
