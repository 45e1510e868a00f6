/* OAuth2 providers, private: the rows and what the irregular ones need. */
#ifndef BADAL_SVC_ACCOUNT_OAUTH_PRIV_H
#define BADAL_SVC_ACCOUNT_OAUTH_PRIV_H

#include "svc/account/oauth.h"

enum oauth_flags {		/* of the authorize URL */
	OAUTH_NO_TYPE = 1,	/* no response_type */
	OAUTH_NO_REDIRECT = 2,	/* no redirect_uri: the provider knows it */
	OAUTH_NO_SCOPE = 4,
	OAUTH_COMMA = 8,	/* scopes joined by commas */
	OAUTH_SCOPE_LIST = 16,	/* scope[0]=…&scope[1]=… */
	OAUTH_LOOPBACK = 32,	/* knows 127.0.0.1, but no localhost */
	OAUTH_PKCE = 64,
	OAUTH_NO_REFRESH = 128	/* its tokens are never renewed */
};

enum oauth_how {		/* the token call */
	TOKEN_FORM,		/* POST, credentials in the form */
	TOKEN_BASIC,		/* POST, credentials in Authorization */
	TOKEN_QUERY,		/* POST with everything in the query string */
	TOKEN_GET
};
enum oauth_auth { AUTH_BEARER, AUTH_TOKEN, AUTH_NONE };	/* the user call */

#define FORM_PLAIN "code client_id client_secret redirect_uri grant_type"
#define FORM_SCOPE FORM_PLAIN " scope"

struct oauth_call;
struct oauth_row {
	const char *key;
	const char *authorize, *scopes, *extra;	/* extra: parameters, ready */
	unsigned flags;
	const char *token, *params;	/* params NULL: the usual ones of `how` */
	const char *refresh, *refresh_params;	/* NULL: as token, the usual ones */
	enum oauth_how how;
	bool discovers;		/* what its secret lacks is looked up in a document of the provider's */
	bool json_secret;		/* the stored secret is a JSON object; clientSecret is the secret proper */
	err_t (*make_secret)(struct ctx *cx, const struct oauth_app *app, const char **out);
	err_t (*local)(struct ctx *cx, const char *url, struct str *out);	/* answers instead of the net */
	const char *user, *user_body, *more;	/* more: a second look-up, at "more" of the first one's reply */
	enum oauth_auth user_auth;
	const char *header[2];		/* of the user call */
	const char *id, *email, *name, *verified;
	struct {
		const char *list, *email, *flag;	/* a list of addresses: the first one with the flag */
	} emails;
	const char *(*account)(struct ctx *cx, const struct oauth_tokens *t);
	/* Completes what the paths have found; `user` is NULL for a provider without user call. */
	err_t (*profile)(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, const json_t *user, struct oauth_profile *out);
};

/* The rows, in the order of include/tbl/providers.h. */
extern const struct oauth_row oauth_rows[PROJECT_PROVIDERS];

/* A URL template filled in. ERR_PROJECT_PROVIDER_DISABLED when a member of the secret is missing or no part of an address. */
err_t oauth_expand(struct ctx *cx, const struct oauth_app *app, const char *template, const char *access, const char *account, const char **out)
    MUST_CHECK;
/* Is it made of what addresses and their parameters are made of, and of nothing that begins another part of one? */
bool oauth_address_ok(const char *s);
/* Awaits the provider. body.p NULL: GET. A reply that is no JSON object (list, when `list_ok`) or form is ERR_USER_OAUTH2_PROVIDER_FAILURE. */
struct oauth_ask {
	const char *url, *user, *password, *authorization, *type;
	const char *header[2];
	struct str body;
	bool list_ok;
};
err_t oauth_ask(struct ctx *cx, const struct oauth_app *app, const struct oauth_ask *a, json_t **out) MUST_CHECK;
/* What was found is cut to what we keep. ERR_USER_MISSING_ID: there is no id. */
err_t oauth_profile_checked(struct ctx *cx, struct oauth_profile *out) MUST_CHECK;
/* The text or number at a path; NULL when there is none. */
const char *oauth_text(struct ctx *cx, const json_t *j, const char *path);
const json_t *oauth_at(const json_t *j, const char *path);
bool oauth_true(const json_t *j);
/* The user is told `words`, the log the rest. */
err_t oauth_failed(struct ctx *cx, const char *words, const char *detail);

/* ---- the irregular ones ---- */
err_t oauth_apple_secret(struct ctx *cx, const struct oauth_app *app, const char **out);
err_t oauth_apple_profile(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, const json_t *user, struct oauth_profile *out);
err_t oauth_paypal_profile(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, const json_t *user, struct oauth_profile *out);
err_t oauth_podio_profile(struct ctx *cx, const struct oauth_app *app, const struct oauth_tokens *t, const json_t *user, struct oauth_profile *out);
const char *oauth_etsy_account(struct ctx *cx, const struct oauth_tokens *t);
const char *oauth_stripe_account(struct ctx *cx, const struct oauth_tokens *t);
err_t oauth_mock_answer(struct ctx *cx, const char *url, struct str *out);

#endif
