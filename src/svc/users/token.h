/* Tokens: secrets sent by mail or SMS that prove who reads there, and those that servers make for their users. Stored hashed, used once, and only until they expire. */
#ifndef BADAL_SVC_USERS_TOKEN_H
#define BADAL_SVC_USERS_TOKEN_H

#include "model/event.h"
#include "svc/users/user.h"

enum token_type {		/* as stored; codes of phone sign-in and phone verification are one type */
	TOKEN_VERIFICATION = 2,
	TOKEN_RECOVERY = 3,
	TOKEN_MAGIC = 5,
	TOKEN_PHONE = 6,
	TOKEN_OAUTH2 = 8,
	TOKEN_EMAIL = 9,	/* a code by mail */
	TOKEN_GENERIC = 10,	/* made by a server for its user */
	TOKEN_RECOVERY_CODE = 11,	/* as recovery and verification, by a code of the mail */
	TOKEN_VERIFICATION_CODE = 12
};
#define TOKEN_BIT(type) (1U << (type))

enum { TOKEN_CODE_LEN = 6, TOKEN_SECRET_MIN = 4, TOKEN_SECRET_MAX = 128 };

struct token {
	const char *id, *user_id;
	const char *secret;	/* clear when just made; the hash when used */
	int64_t type;		/* enum token_type */
	const char *phrase;	/* words to compare with the mail's; NULL or "": none */
	int64_t created, expire;
	bool shown;		/* whoever asked for it was told the secret */
	bool took_over;		/* its use took the account over (user_prove) */
};
extern const struct shape token_shape;

struct token_in {
	enum token_type type;
	const char *code;	/* of a mock number: the secret, which is not drawn; NULL: it is */
	int length;		/* TOKEN_GENERIC: hex characters of its secret; else 0 */
	int64_t life_ms;
	const char *ip, *user_agent;
	const char *sent_to;	/* the e-mail address or phone number that it proves; NULL: it goes to none */
	bool shown;		/* whoever asks for it is told the secret: its use does not prove who reads at the address */
	const struct event_info *event;	/* NULL: none */
	/* Puts the mail or SMS into the transaction; NULL: it is told to who asks. */
	void (*send)(struct db_tx *tx, const struct token *t, void *arg);
	void *arg;
};

/* Awaits. A new token of `u`: 256 hex characters, 64 for OAuth2, 6 digits for a phone or the codes by mail, as many hex characters as were asked for
 * (4 to 128) of a server's. */
err_t token_create(struct ctx *cx, const struct project *p, const struct user *u, const struct token_in *in, struct token **out) MUST_CHECK;

struct token_use {
	unsigned types;		/* TOKEN_BITs: any of them will do */
	const char *secret;
	const struct event_info *event;	/* NULL: only caches and connections hear of it */
	enum proof_how how;
	const char *password;	/* new password in clear, NULL: none */
	const char *actor;
};
/* Awaits. Takes the token and does what it allows in one transaction; *u becomes the user as it is then. ERR_USER_INVALID_TOKEN when it is
 * unknown, used or expired, was sent to an address that is not the user's any more, or the user's password, address or status changed since, or
 * when it is a code and too many wrong ones were tried; ERR_USER_BLOCKED. */
err_t token_redeem(struct ctx *cx, const struct project *p, struct user **u, const struct token_use *use, struct token **out) MUST_CHECK;

#endif
