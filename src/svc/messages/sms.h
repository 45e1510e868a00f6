/* Short messages that go out with a write. */
#ifndef BADAL_SVC_MESSAGES_SMS_H
#define BADAL_SVC_MESSAGES_SMS_H

#include "model/project.h"

/* A provider is configured; without one the API answers ERR_GENERAL_PHONE_DISABLED before it writes anything. */
bool sms_ready(void);
bool sms_provider_known(const char *setting);	/* such a value of sms_provider names a provider that there is */
/* Leaves the message to the jobs role, with the transaction's own commit. No wait. */
void sms_send(struct db_tx *tx, const struct project *p, const char *to, const char *text);

#endif
