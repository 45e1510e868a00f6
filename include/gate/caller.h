/* Who calls, for the services of accounts, users and teams. */
#ifndef BADAL_GATE_CALLER_H
#define BADAL_GATE_CALLER_H

#include "gate/gate.h"

/* Keys and members of the project's team in admin mode: permissions of single records do not matter to them. */
static inline bool
caller_is_server(const struct req *rq)
{
	return rq->caller == CALLER_KEY || rq->caller == CALLER_ADMIN;
}

/* The user of the request's project who calls; NULL for guests, keys and people of the console. */
static inline const struct user *
caller_user(const struct req *rq)
{
	return rq->caller == CALLER_USER && rq->login != NULL && (!rq->admin_mode || rq->project->console) ? rq->login->user : NULL;
}

/* For the `actor` of events: whoever is signed in. */
static inline const char *
caller_id(const struct req *rq)
{
	return rq->login != NULL ? rq->login->user->id : NULL;
}

/* The caller's session lacks a second factor. Who comes by a JWT has none. */
static inline bool
caller_half(const struct req *rq)
{
	return rq->login != NULL && rq->login->session != NULL && rq->login->half;
}

/* The stored hash of the request's session secret; NULL without one (JWT). */
static inline const char *
caller_session_hash(const struct req *rq)
{
	return rq->login != NULL && !rq->jwt && rq->login->session != NULL ? rq->login->session->secret_hash : NULL;
}

/* Of routes by which people sign up and in: open to all, and to a server's key that may do it for them. */
#define SCOPE_SIGN_IN "public|sessions.write"

/* The id parameters CustomId, with "unique()" replaced, are in the handlers' inputs; this is the default limit of a route. */
#define LIMIT_DEFAULT(n) #n "/3600 url:{url},ip:{ip}"
#define LIMIT_FIRM(n) #n "/3600 !url:{url},ip:{ip}"	/* the same for developers' keys */
/* Further rules (gate_priv.h) of routes that take a secret: of whatever person by one client, and with one session. */
#define LIMIT_GUESSES ";guess_client/3600 ~-guess,ip:{ip}"
/* Of those at which people prove what is theirs by a code: the account may be the guesser's own, so neither a session nor a known client gives another bucket by client, and
 * codes of a person, of whatever kind, are so many a day. */
#define LIMIT_PROOFS LIMIT_GUESSES ";guess_client/3600 -proofs,ip:{ip}" LIMIT_CODES_DAY
#define LIMIT_CODES_DAY ";20/86400 ~-codes,userId:{param-userId}"
#define LIMIT_PASSWORD "guess_session/3600 -guess,userId:{userId},session:{session}"

#endif
