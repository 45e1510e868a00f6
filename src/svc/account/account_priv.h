/* Between the files of the account service. */
#ifndef BADAL_SVC_ACCOUNT_ACCOUNT_PRIV_H
#define BADAL_SVC_ACCOUNT_ACCOUNT_PRIV_H

#include "gate/gate.h"
#include "model/agent.h"
#include "model/event.h"
#include "svc/users/token.h"
#include "svc/users/user.h"

#define EVENT EVENT_DECLARE
#include "svc/account/events.h"
#undef EVENT

/* Awaits. Where the caller's account is: for people in admin mode on the console. */
err_t account_home(struct req *rq, struct project **out) MUST_CHECK;

/* What a token is told by. */
struct letter {
	struct req *rq;
	const char *kind;
	const struct user *to;
	const char *url;	/* NULL: it tells the secret itself, a code */
	const char *phrase;	/* words that the code's page shows as well; "" none */
	bool with_project;	/* the link names the project */
	struct agent agent;	/* what asks for a code */
};
/* Awaits. A token for l->to that goes out by mail, and the answer that tells it: 201. */
err_t account_mail_token(struct req *rq, enum token_type type, int64_t life_ms, const struct event_info *event, struct letter *l) MUST_CHECK;
/* Awaits. token_redeem; what the secret takes from somebody else is told in the log, and to whom it went. */
err_t account_take_token(struct req *rq, struct user **u, const struct token_use *use, struct token **out) MUST_CHECK;
/* The answer to that: 200. */
err_t account_reply_used(struct req *rq, const struct token *t) MUST_CHECK;

/* Two words drawn at random, "Calm river". */
const char *phrase_new(struct arena *a);

/* Scheme, host and port as the client wrote them. */
const char *account_self_of(struct req *rq);
/* Where the caller's account is. Awaits, in admin mode. */
err_t account_home(struct req *rq, struct project **out) MUST_CHECK;
/* ERR_USER_SESSION_ALREADY_EXISTS: who comes by a JSON web token, which is lent for minutes, gets no session by it, and links no identity. */
err_t account_no_jwt(struct req *rq) MUST_CHECK;
/* Awaits. Tells the user by mail of a session that was just made, where the project has it so. */
err_t account_alert(struct req *rq, const struct user *u, const struct session *s) MUST_CHECK;
/* Awaits. A session that begins with the request, and its answer: address and client of `in` are the request's. */
err_t account_sign_in(struct req *rq, const struct user *u, const struct session_in *in) MUST_CHECK;
/* Awaits the provider of the caller's session for new tokens; stored, and in `s` as it is shown. */
err_t oauth_refresh_session(struct req *rq, const struct project *home, struct session *s) MUST_CHECK;

/* Awaits. May somebody with this address (NULL: none) sign up? On the console: the lists of the configuration, and for the very first one the
 * token that `badal serve` prints, unless they sit at this machine and it has no domain: a server that is up before its owner has signed up is nobody else's. */
err_t account_may_sign_up(struct req *rq, const char *email) MUST_CHECK;

#endif
