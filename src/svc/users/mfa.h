/* The second factor of a user: whether it is asked for, authenticator apps, recovery codes, and challenges, by which a session proves it.
 *
 * Everything that changes one locks the user first, so that of two requests at once one comes wholly after the other: a code serves once, and what is taken
 * away proves nothing any more. */
#ifndef BADAL_SVC_USERS_MFA_H
#define BADAL_SVC_USERS_MFA_H

#include "model/project.h"
#include "svc/users/user.h"

enum mfa_factor { MFA_TOTP, MFA_EMAIL, MFA_PHONE, MFA_RECOVERY, MFA_CUSTOM, MFA_FACTORS };
extern const char *const mfa_names[MFA_FACTORS + 1];	/* on the wire, and among the factors of a session; NULL at the end */

struct mfa_factors {		/* those that can be used now */
	bool totp, phone, email, recovery_code, custom;
};
struct mfa_type {		/* an authenticator app that is about to be */
	const char *secret, *uri;
};
struct mfa_codes {
	struct strs codes;
};
struct mfa_challenge {
	int64_t internal;
	const char *id, *user_id, *factor;
	const char *code, *sent_to;	/* "" where there is none of ours */
	int64_t created, expire;
};
extern const struct shape mfa_factors_shape, mfa_type_shape, mfa_codes_shape, mfa_challenge_shape, mfa_challenge_secret_shape;

/* Awaits. Whether a second factor is asked for from now on. What the user could prove counts for the session with this id (NULL: there is none) as proved;
 * ERR_USER_MORE_FACTORS_REQUIRED where that would not do: then it would have shut itself out. */
err_t mfa_set(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *session, bool on, struct user **out) MUST_CHECK;
/* Awaits. */
err_t mfa_usable(struct ctx *cx, const struct project *p, const struct user *u, struct mfa_factors *out) MUST_CHECK;

/* Await. A new secret; it is a factor once it has shown a code. ERR_USER_AUTHENTICATOR_ALREADY_VERIFIED. */
err_t mfa_totp_begin(struct ctx *cx, const struct project *p, const struct user *u, struct mfa_type *out) MUST_CHECK;
/* ERR_USER_AUTHENTICATOR_NOT_FOUND, _ALREADY_VERIFIED, ERR_USER_INVALID_TOKEN. */
err_t mfa_totp_verify(struct ctx *cx, const struct project *p, const struct user *u, const char *session, const char *code, struct user **out) MUST_CHECK;
/* ERR_USER_AUTHENTICATOR_NOT_FOUND. */
err_t mfa_totp_remove(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by) MUST_CHECK;
/* In a transaction that has locked the user: is this a code of the app, that has not been used? Then it has been. */
err_t mfa_totp_take(struct db_tx *tx, const struct project *p, const struct user *u, const char *code, bool *right_out) MUST_CHECK;

/* Await. ERR_USER_RECOVERY_CODES_ALREADY_EXISTS; of the others ERR_USER_RECOVERY_CODES_NOT_FOUND. */
err_t mfa_codes_create(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, struct mfa_codes *out) MUST_CHECK;
err_t mfa_codes_renew(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, struct mfa_codes *out) MUST_CHECK;
err_t mfa_codes_get(struct ctx *cx, const struct project *p, const struct user *u, struct mfa_codes *out) MUST_CHECK;
err_t mfa_codes_any(struct ctx *cx, const struct project *p, const struct user *u, bool *out) MUST_CHECK;
/* As mfa_totp_take. */
err_t mfa_codes_take(struct db_tx *tx, const struct project *p, const struct user *u, const char *code, bool *right_out) MUST_CHECK;

struct mfa_challenge_in {
	enum mfa_factor factor;
	const char *session;	/* id: it is solved with that one alone */
	/* Puts the mail or SMS with its code into the transaction; NULL: nothing is sent. */
	void (*send)(struct db_tx *tx, const struct user *now, const char *code, void *arg);
	void *arg;
};
/* Await. The errors of a factor that the user cannot prove; ERR_USER_SESSION_NOT_FOUND. */
err_t mfa_challenge_create(struct ctx *cx, const struct project *p, const struct user *u, const struct mfa_challenge_in *in, struct mfa_challenge **out) MUST_CHECK;
/* *out is the session, which has proved a factor more. ERR_USER_INVALID_TOKEN: unknown, over, of another session, of a factor that is none any more, or the wrong code. */
err_t mfa_challenge_solve(struct ctx *cx, const struct project *p, const struct user *u, const char *session, const char *id, const char *code,
    struct session **out) MUST_CHECK;
/* For servers that bring the code to its user themselves. ERR_USER_INVALID_TOKEN. */
err_t mfa_challenge_get(struct ctx *cx, const struct project *p, const struct user *u, const char *id, struct mfa_challenge **out) MUST_CHECK;
/* May the project's users prove this one? */
bool mfa_allowed(const struct project *p, enum mfa_factor factor);

#endif
