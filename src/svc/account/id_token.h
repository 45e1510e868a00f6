/* ID tokens of OpenID Connect that an app got from its provider on the device, without a browser. */
#ifndef BADAL_SVC_ACCOUNT_ID_TOKEN_H
#define BADAL_SVC_ACCOUNT_ID_TOKEN_H

#include "svc/account/oauth.h"

enum { ID_TOKEN_MAX = 8192 };
extern const char *const id_token_providers[];	/* NULL at the end */

struct id_token_in {
	const char *provider;	/* one of these */
	const char *token;
	const char *nonce;	/* as the app made it; NULL: none */
};
struct id_token {
	struct oauth_profile who;	/* `name` "" where the token has none */
	int64_t expire;		/* ms */
	const char *hash;	/* names what was signed, in hex: another text of the same token has the same */
};
/* Awaits the provider's keys. Who it is, by a token that this provider signed for an app of the project. ERR_USER_INVALID_TOKEN: it is none;
 * ERR_PROJECT_PROVIDER_DISABLED, ERR_USER_OAUTH2_PROVIDER_FAILURE (no keys). */
err_t id_token_read(struct ctx *cx, const struct project *p, const struct id_token_in *in, struct id_token *out) MUST_CHECK;
/* Awaits. A token makes one session: ERR_USER_INVALID_TOKEN from the second time on, whoever is the second. */
err_t id_token_spend(struct ctx *cx, const struct project *p, const struct id_token *t) MUST_CHECK;

/* True when it is the key's signature of text: RS256 by RSA keys of 2048 to 4096 bits, ES256 by P-256, and by nothing else. `jwk` is the key. */
bool id_token_signed(struct ctx *cx, const char *alg, const json_t *jwk, struct str text, struct str signature);

#endif
