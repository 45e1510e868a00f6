/* Users and sessions: creation, sign-in, changes. Every write emits its event and bumps user_stale_key where a cached login shows it. */
#ifndef BADAL_SVC_USERS_USER_H
#define BADAL_SVC_USERS_USER_H

#include "model/event.h"
#include "model/identity.h"
#include "model/query.h"
#include "model/record.h"

#define EVENT EVENT_DECLARE
#include "svc/users/events.h"
#undef EVENT

struct linked_in;

enum user_create_flags {
	USER_LIMIT = 1,		/* somebody signs up: the project's limit of users and its rules about addresses apply */
	USER_AS_ACCOUNT = 2,	/* the event carries the account model (the caller's own sign-up), not the user model */
	USER_UNCHOSEN = 4	/* the password, if there is one, is random: nobody knows it, and nobody is told its hash */
};

struct user_in {		/* NULL: none */
	const char *id;		/* NULL: a new one */
	const char *email;	/* stored lower-cased */
	const char *phone, *name;
	const char *password;	/* clear text; or, with `hash`, the hash itself */
	const char *hash;	/* kind of an imported hash */
	struct str hash_options;	/* its options as JSON */
	const char *actor;	/* who creates it; NULL: the user itself, or a key */
	bool email_verified;	/* by a provider that vouches for it: proved, too */
	bool for_reader;	/* of its address: nobody else will have anything that opens it */
	const struct linked_in *linked;	/* the OAuth2 identity that is stored with it (linked.h); NULL: none */
};

/* Awaits. ERR_USER_ALREADY_EXISTS, ERR_USER_COUNT_EXCEEDED, ERR_BUSY (too many password hashes wait), and those of user_address_allowed. */
err_t user_create(struct ctx *cx, const struct project *p, const struct user_in *in, unsigned flags, struct user **out) MUST_CHECK;
/* Awaits. ERR_USER_NOT_FOUND. Ids and e-mails are compared case-insensitively. */
err_t user_by_id(struct ctx *cx, const struct project *p, const char *id, struct user **out) MUST_CHECK;
err_t user_by_email(struct ctx *cx, const struct project *p, const char *email, struct user **out) MUST_CHECK;
err_t user_by_phone(struct ctx *cx, const struct project *p, const char *phone, struct user **out) MUST_CHECK;
/* Awaits. Locks the user until the end of tx; *out is it as it is now. ERR_USER_NOT_FOUND. */
err_t user_lock(struct db_tx *tx, const struct project *p, const struct user *u, struct user *out) MUST_CHECK;
/* What proves that an address is the caller's. */
struct user_proof {
	enum user_proves { PROVES_NOTHING, PROVES_EMAIL, PROVES_PHONE } of;
	enum proof_how {
		PROOF_LETS_IN,		/* its reader gets into the account by it */
		PROOF_BY_HOLDER,	/* it was opened by who is signed in to the account already */
		PROOF_BY_LINK,		/* it was opened by anybody */
		PROOF_BY_CONSOLE	/* the project's team was shown the secret, and may have used it */
	} how;
	const char *hash;	/* of the password from now on; NULL: it stays, or with an account that is taken over there is none */
	bool nobody_knows;	/* that password is random, and counts with an account that is taken over only */
	bool *took_over_out;
};
/* Awaits. Locks the user and does what the proof brings with it (proof.c); *now is the user after that. The caller emits an event with
 * EVENT_ROLES and the user's stale key. ERR_USER_BLOCKED, ERR_USER_NOT_FOUND. */
err_t user_prove(struct db_tx *tx, const struct project *p, const struct user *u, const struct user_proof *proof, struct user *now) MUST_CHECK;
/* Keys of the account, which are the console's alone, and those that its holder made for teams. */
void user_end_keys(struct db_tx *tx, const struct project *p, const struct user *u, bool of_teams);
/* Who may sign up on the console: lists of e-mails and addresses of the configuration. */
err_t user_signup_allowed(struct ctx *cx, const struct project *p, const char *email, const char *ip) MUST_CHECK;

/* Does the project take the address (NULL: none)? ERR_USER_EMAIL_DISPOSABLE, ERR_USER_EMAIL_FREE, ERR_USER_EMAIL_NOT_CORPORATE, ERR_USER_EMAIL_NOT_CANONICAL. */
err_t user_address_allowed(struct ctx *cx, const struct project *p, const char *email) MUST_CHECK;

struct user_by;
/* Of a change of `u`: with `by` it carries the user model, without that of the account. */
struct event user_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const struct user_by *by, const struct user *u);

/* For events that 1.0 does not have: its webhooks are told the hash of the password in some. */
struct user user_without_secrets(const struct user *u);

/* Who makes a change: NULL is the user itself, through the account; else somebody who manages users. */
struct user_by {
	const char *actor;	/* user id for webhooks, NULL for keys */
};
/* Awaits. As user_lock, for what somebody adds that opens the account: who acts for themselves (by NULL) adds nothing after it became somebody else's, or its secrets ended, since the
 * request was let in. ERR_USER_UNAUTHORIZED. */
err_t user_lock_by(struct db_tx *tx, const struct project *p, const struct user_by *by, const struct user *u, struct user *out) MUST_CHECK;

/* Changes, awaiting; `u` is not touched, *out is the new state, with what others changed since `u` was read. With `by` no password is asked for
 * and the event carries the user model; without, a password that another request changed meanwhile is ERR_USER_INVALID_CREDENTIALS. */
err_t user_set_name(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *name,
    struct user **out) MUST_CHECK;
/* The text in which preferences are kept. */
struct str preferences_text(struct ctx *cx, const json_t *prefs);
err_t user_set_prefs(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const json_t *prefs,
    struct user **out) MUST_CHECK;
err_t user_set_status(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool status,
    struct user **out) MUST_CHECK;
/* Each of them is a role of the user. */
err_t user_set_labels(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct strs *labels,
    struct user **out) MUST_CHECK;
/* May act as other users. */
err_t user_set_impersonator(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool on, struct user **out) MUST_CHECK;
/* `old` is checked when the user has set a password before. NULL and "" for `password`: there is none from now on. Where the project has it so, the
 * sessions but for `current` (may be NULL) end. ERR_USER_INVALID_CREDENTIALS, and those of password_policy. */
err_t user_set_password(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *password,
    const char *old, const struct session *current, struct user **out) MUST_CHECK;
/* The password is checked, or becomes the password of an anonymous user. ERR_USER_EMAIL_ALREADY_EXISTS, and without `by` those of
 * user_address_allowed. */
err_t user_set_email(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *email,
    const char *password, struct user **out) MUST_CHECK;
/* ERR_USER_PHONE_ALREADY_EXISTS; with `by` ERR_USER_EMAIL_ALREADY_EXISTS (the contract has it so). */
err_t user_set_phone(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const char *phone,
    const char *password, struct user **out) MUST_CHECK;
err_t user_set_email_verification(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool on,
    struct user **out) MUST_CHECK;
err_t user_set_phone_verification(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, bool on,
    struct user **out) MUST_CHECK;
/* Awaits. With sessions, tokens and memberships; the totals of teams follow. */
err_t user_delete(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by) MUST_CHECK;
err_t user_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search, struct query_page *out) MUST_CHECK;
/* ERR_GENERAL_BAD_REQUEST in words that tell nobody whose an address is. */
err_t user_refuse(struct ctx *cx, const char *why) MUST_CHECK;
extern const struct record user_record;
bool user_anonymous(const struct user *u);	/* spec identity.md 4.1 */

struct session_in {
	const char *provider, *provider_uid;
	const char *factor;		/* what it proves, where its provider does not say */
	const char *ip, *user_agent;	/* user_agent NULL or "": unknown */
	const char *access_token, *refresh_token;	/* of an OAuth2 provider, sealed at rest; NULL: none */
	int64_t access_token_expiry;	/* counts with an access token only */
	bool unlimited;		/* the project's limit of sessions does not count */
	const struct session *replaces;	/* of the same user: it ends, and its push targets go on with the new one; NULL: none */
	const char *password;	/* the stored hash that the password was found right by, and that must still be the user's; NULL: of no matter */
};
/* Awaits. A new session; *token_out is the encoded session for the cookie. `u` must be the user still: ERR_USER_INVALID_CREDENTIALS (with a
 * password) or ERR_USER_NOT_FOUND when password, address or status changed since it was read, or the user is gone. */
err_t session_create(struct ctx *cx, const struct project *p, const struct user *u, const struct session_in *in, struct session **out,
    char **token_out) MUST_CHECK;
/* Awaits. In a transaction that has locked the user: where there are more sessions than the project allows, the oldest end, never `s`; while `s` lacks the second
 * factor, only such ones. */
err_t session_make_room(struct db_tx *tx, const struct project *p, const struct user *now, const struct session *s) MUST_CHECK;
/* Awaits. The user with this e-mail and password, with equal work for an unknown e-mail. ERR_USER_INVALID_CREDENTIALS, ERR_USER_BLOCKED. */
err_t user_sign_in(struct ctx *cx, const struct project *p, const char *email, const char *password, struct user **out) MUST_CHECK;
/* Awaits. The user's sessions, oldest first; `current_hash` (may be NULL) marks the current one. */
err_t session_list(struct ctx *cx, const struct project *p, const struct user *u, const char *current_hash, struct objs *out) MUST_CHECK;
/* Awaits. The id of the newest that is not over; "" when there is none. */
err_t session_newest(struct ctx *cx, const struct project *p, const struct user *u, const char **id_out) MUST_CHECK;
err_t session_get(struct ctx *cx, const struct project *p, const struct user *u, const char *id, const char *current_hash,
    struct session **out) MUST_CHECK;
/* Awaits. Stores new provider tokens (those of `s`) and tells so; s->updated is now. ERR_USER_SESSION_NOT_FOUND. */
err_t session_update_tokens(struct ctx *cx, const struct project *p, const struct user *u, struct session *s) MUST_CHECK;
/* Awaits. The session's end is a whole life away again; s->expire is that, and it is told. ERR_USER_SESSION_NOT_FOUND: it has ended. */
err_t session_prolong(struct ctx *cx, const struct project *p, const struct user *u, struct session *s) MUST_CHECK;
/* Awaits. In a transaction that has locked the user: the session has proved `factors` as well; `solved`: by a challenge, at that time (ms; TIME_NONE: by none).
 * *out is it as it is then. ERR_USER_SESSION_NOT_FOUND: it has ended. */
err_t session_add_factors(struct db_tx *tx, const struct project *p, const struct user *u, const char *id, const struct strs *factors, int64_t solved,
    struct session *out) MUST_CHECK;
/* Its event, as that of a sign-in is. */
struct event session_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const struct user *u, const char *session_id,
    struct str payload);
/* Awaits. Ends one session / all of them (`current` may be NULL: payload of the event). ERR_USER_SESSION_NOT_FOUND. */
err_t session_delete(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct session *s) MUST_CHECK;
/* With `by` the event is that of all sessions, and carries the user. */
err_t session_delete_all(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct session *current)
    MUST_CHECK;

#endif
