/* Between the files of the account service. */
#ifndef BADAL_SVC_ACCOUNT_ACCOUNT_PRIV_H
#define BADAL_SVC_ACCOUNT_ACCOUNT_PRIV_H

#include "gate/gate.h"
#include "model/event.h"

#define EVENT EVENT_DECLARE
#include "svc/account/events.h"
#undef EVENT

/* Awaits. Where the caller's account is: for people in admin mode on the console. */
err_t account_home(struct req *rq, struct project **out) MUST_CHECK;

/* Two words drawn at random, "Calm river". */
const char *phrase_new(struct arena *a);

/* Where the caller's account is. Awaits, in admin mode. */
err_t account_home(struct req *rq, struct project **out) MUST_CHECK;
/* ERR_USER_SESSION_ALREADY_EXISTS: later clients sign out before they sign in. */
err_t account_signed_out(struct req *rq) MUST_CHECK;
/* Awaits. Tells the user by mail of a session that was just made, where the project has it so. */
err_t account_alert(struct req *rq, const struct user *u, const struct session *s) MUST_CHECK;
/* Awaits the provider of the caller's session for new tokens; stored, and in `s` as it is shown. */
err_t oauth_refresh_session(struct req *rq, const struct project *home, struct session *s) MUST_CHECK;

/* Awaits. May somebody with this address (NULL: none) sign up? On the console: the lists of the configuration, and for the very first one the
 * token that `badal serve` prints, unless they sit at this machine and it has no domain: a server that is up before its owner has signed up is nobody else's. */
err_t account_may_sign_up(struct req *rq, const char *email) MUST_CHECK;

#endif
