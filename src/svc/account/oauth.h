/* OAuth2: signing in through somebody else's accounts. The providers are the rows of oauth_providers.h; here is what is done with them:
 * the way there, the code for tokens, who it is, and which user of ours that is (spec identity.md 10). */
#ifndef BADAL_SVC_ACCOUNT_OAUTH_H
#define BADAL_SVC_ACCOUNT_OAUTH_H

#include "svc/users/user.h"

struct oauth_row;

struct oauth_app {		/* a provider with the app that a project has there */
	const struct oauth_row *row;
	const char *key;	/* "github" */
	const char *client;	/* app id */
	const char *secret;	/* what the token call gets as client_secret */
	json_t *members;	/* of a secret that is a JSON object; NULL otherwise */
	const char *self;	/* this server as the client sees it: scheme://host[:port] */
};

/* Awaits a provider that tells where its routes are. The app of the project. ERR_PROJECT_PROVIDER_UNSUPPORTED for an unknown provider, ERR_PROJECT_PROVIDER_DISABLED when the project has no
 * app id or secret for it, or a secret of the wrong form; ERR_USER_OAUTH2_PROVIDER_FAILURE when the provider does not tell. `self` is borrowed. */
err_t oauth_open(struct ctx *cx, const struct project *p, const char *provider, const char *self, struct oauth_app *out) MUST_CHECK;

/* The id of that app alone, for those who need no secret. ERR_PROJECT_PROVIDER_DISABLED. */
err_t oauth_app_id(struct ctx *cx, const struct project *p, const char *provider, const char **out) MUST_CHECK;

struct oauth_trip {		/* what the way there and the token call must agree on */
	const char *redirect;	/* our callback */
	const char *state;	/* as it travels */
	const char *verifier;	/* of PKCE; NULL: none */
	struct strs scopes;	/* more than the provider's default ones */
	const char *code;	/* of the way back */
};
/* Where to send the browser. ERR_PROJECT_PROVIDER_DISABLED when the app's secret names no proper address. */
err_t oauth_authorize_url(struct ctx *cx, const struct oauth_app *app, const struct oauth_trip *t, const char **out) MUST_CHECK;
bool oauth_refreshes(const char *provider);	/* false: its tokens are never renewed */
/* Awaits the provider. The addresses that an app of OpenID Connect lacks (authorizationEndpoint, tokenEndpoint, userInfoEndpoint), from the document at
 * its wellKnownEndpoint, if it has that. ERR_USER_OAUTH2_PROVIDER_FAILURE: there is none, or they are not in it. */
err_t oauth_discover(struct ctx *cx, const struct project *p, json_t *members) MUST_CHECK;
bool oauth_wants_verifier(const struct oauth_app *app);

struct oauth_tokens {
	const char *access, *refresh;	/* "" when there is none */
	int64_t expiry;			/* of access, ms */
	json_t *reply;			/* all that the provider said */
};
/* Await the provider. ERR_USER_OAUTH2_PROVIDER_FAILURE when it gives no access token; cx->message says so. */
err_t oauth_exchange(struct ctx *cx, const struct oauth_app *app, const struct oauth_trip *t, struct oauth_tokens *out) MUST_CHECK;
/* A reply without refresh token leaves `refresh` as it is, one without access token gives "". */
err_t oauth_refresh(struct ctx *cx, const struct oauth_app *app, const char *redirect, const char *refresh, struct oauth_tokens *out) MUST_CHECK;

struct oauth_profile {
	const char *id;		/* never empty */
	const char *email;	/* NULL: none, or no valid one */
	const char *name;	/* "" when there is none */
	bool verified;		/* the provider says that the address is the user's */
};
/* Awaits the provider. ERR_USER_MISSING_ID when it names no user. */
err_t oauth_profile(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, struct oauth_profile *out) MUST_CHECK;

/* Awaits. The user that this is; a new one when there is none. `current` (may be NULL) is who is signed in already: the identity becomes
 * theirs. An address links to a user only when the provider vouches for it. Where our own user never proved the address, who proves it now
 * takes the account over (user_prove; *took_over_out).
 * ERR_USER_ALREADY_EXISTS, ERR_USER_EMAIL_ALREADY_EXISTS, ERR_USER_BLOCKED, ERR_USER_COUNT_EXCEEDED. */
err_t oauth_user(struct ctx *cx, const struct project *p, const struct linked_in *from, const struct oauth_profile *who, const struct user *current,
    struct user **out, bool *took_over_out) MUST_CHECK;

/* ---- state: what a sign-in remembers while the browser is away. Sealed, so nobody reads or makes one, and short-lived ---- */
enum { OAUTH_STATE_MAX = 2048 };

struct oauth_state {
	const char *project, *provider;	/* for which it was made */
	const char *success, *failure;
	const char *user;	/* who was signed in; "" nobody */
	int64_t epoch;		/* of that user: a state does not outlive a change of password, address or status */
	const char *nonce;	/* must be in the browser's cookie; "" for a sign-in that a server began */
	const char *verifier;	/* "" none */
	bool token;		/* give a token instead of a session */
	int64_t expire;		/* ms; set by oauth_state_seal */
};
/* URL-safe text; NULL when it is longer than OAUTH_STATE_MAX. */
const char *oauth_state_seal(struct ctx *cx, struct oauth_state *s);
/* False when it is malformed, not ours, or expired. */
bool oauth_state_open(struct ctx *cx, const char *text, struct oauth_state *out);

/* ---- the built-in provider for trials, whose routes are in api/mock.c ---- */
struct oauth_mock {
	const char *client, *secret, *grant, *code, *refresh;	/* NULL: not sent */
};
/* The JSON of its token reply; NULL and the reason. */
const char *oauth_mock_token(const struct oauth_mock *in, const char **why_out);
/* The JSON of its user; NULL for a wrong token. */
const char *oauth_mock_user(const char *token);

#endif
