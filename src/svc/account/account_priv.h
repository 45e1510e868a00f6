/* Between the files of the account service. */
#ifndef BADAL_SVC_ACCOUNT_ACCOUNT_PRIV_H
#define BADAL_SVC_ACCOUNT_ACCOUNT_PRIV_H

#include "gate/gate.h"

/* Awaits the provider of the caller's session for new tokens; stored, and in `s` as it is shown. */
err_t oauth_refresh_session(struct req *rq, const struct project *home, struct session *s) MUST_CHECK;

#endif
