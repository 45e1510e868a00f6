/* Who is calling: users, sessions and their roles, from a cookie, a JWT or a session secret; cached without staleness.
 *
 * Used by the HTTP layer and by realtime alike. A cached login counts only while the generation "user:<project>:<user>" is
 * unchanged; every write to a user, its sessions, or its memberships bumps it. */
#ifndef BADAL_MODEL_IDENTITY_H
#define BADAL_MODEL_IDENTITY_H

#include "model/project.h"

struct user {
	int64_t internal;
	const char *id, *name, *email, *phone, *password, *hash;
	struct str hash_options;	/* JSON */
	int64_t created, updated, registration, password_update;
	bool status, email_verification, phone_verification, reset;
	bool email_proved, phone_proved;	/* nobody but its reader holds the account (svc/users/proof.c) */
	bool password_mailed;		/* by a recovery: whoever reads the mail may know it, until it came with another factor */
	int64_t epoch;			/* moves when password, address or status change: what was made before opens nothing any more */
	struct str prefs;		/* JSON object */
	struct strs labels;		/* roles "label:…" */
	int64_t labelled;		/* ms: since when; TIME_NONE: never */
	int64_t accessed;		/* ms: last use, by the day; TIME_NONE: never */
	struct objs targets;		/* struct target, the oldest TARGETS_SHOWN */
	bool mfa;			/* a second factor is wanted, where there is one */
	bool totp;			/* an authenticator app is one: it has been verified */
	bool impersonator;		/* may act as other users of the project */
	const char *impersonated_by;	/* of a request: the id of who acts as this user; NULL: nobody but itself */
};

enum { TARGETS_SHOWN = 100 };		/* as many as somebody may have (svc/users/target.c) */
struct target {				/* where a user can be reached */
	int64_t internal, user_internal;
	const char *id, *name, *user_id;
	const char *provider_id;	/* NULL: none */
	const char *provider_type;	/* email, sms, push */
	const char *identifier;		/* address, number, push token */
	int64_t created, updated;
	bool expired;			/* a push token that is no good any more */
};
extern const struct shape target_shape;
extern const struct shape user_shape;		/* with password, hash, hashOptions */
extern const struct shape account_shape;	/* without */
extern const struct shape preferences_shape;	/* the client's own members, and none besides */

struct session {
	const char *id, *user_id, *secret_hash, *provider, *provider_uid;
	const char *provider_access_token, *provider_refresh_token;
	int64_t provider_access_token_expiry, created, updated, expire;
	struct strs factors;		/* what the sign-in proved, and challenges since */
	int64_t mfa_updated;		/* ms: when a challenge was last solved; TIME_NONE: never */
	bool two_shown;			/* by a challenge, a factor that is not the sign-in's */
	const char *secret;		/* as the cookie has it: for servers that have just signed somebody in; NULL: nobody is told */
	const char *ip, *user_agent;
	const char *os_code, *os_name, *os_version, *client_type, *client_code, *client_name, *client_version, *client_engine,
	    *client_engine_version, *device_name, *device_brand, *device_model, *country_code, *country_name;
	bool current;
	bool only;			/* of a new one: the user had no other */
};
extern const struct shape session_shape;
/* As SQL of the row s; those of before factors were kept have what their provider says. */
#define SESSION_FACTORS                                                                                                                                                   \
	"coalesce(s.factors, CASE s.provider WHEN 'email' THEN '{password}' WHEN 'anonymous' THEN '{anonymous}' WHEN 'magic-url' THEN '{email}' WHEN 'phone' THEN '{phone}' " \
	"ELSE '{email,oauth2}' END::text[])"
/* ms: how long a session of the project lasts, from its begin or from when it is prolonged. */
int64_t session_life(const struct project *p);

struct membership_role {	/* a confirmed membership */
	const char *id, *team_id;
	struct strs roles;
	int64_t joined;		/* ms */
};

struct login {			/* an authenticated user; immutable, valid until the context it was resolved for ends */
	struct user *user;
	struct session *session;	/* NULL for a JWT */
	bool half;		/* its session, a JWT's too, lacks the second factor that its user wants */
	bool twofold;		/* its session, a JWT's too, has proved two factors */
	int64_t expire;		/* ms: when its session ends by itself, a JWT's too; INT64_MAX: it stands on none */
	struct membership_role *members;
	int n_members;
	struct strs roles;	/* of an ordinary caller (spec 2.7), including "any" and "users": ready for permission checks */
	const int64_t *since;	/* ms, for each of them: when the caller got it; INT64_MIN: it was never without */
};

/* Roles of a guest: {"any", "guests"}. Static. */
const struct strs *roles_guest(void);

/* Awaits on a cache miss. `token`: base64 of {"id":…,"secret":…}. *out NULL (and OK) when it names no valid session: a guest. */
err_t login_by_token(struct ctx *cx, const struct project *p, struct str token, struct login **out) MUST_CHECK;
/* Awaits. ERR_USER_JWT_INVALID when it does not decode or verify; *out NULL when user or session is gone, the session has expired, or
 * password, address or status changed since it was made. */
err_t login_by_jwt(struct ctx *cx, const struct project *p, struct str jwt, struct login **out) MUST_CHECK;
/* ms: when a JWT that has been verified is not accepted any more. */
int64_t login_jwt_expiry(struct ctx *cx, struct str jwt);
/* Awaits. The current roles of a user by id (realtime's role refresh); *out NULL when the user is gone. `session_id` (may be NULL): must be one of
 * the user's and not expired. */
err_t login_by_id(struct ctx *cx, const struct project *p, const char *user_id, const char *session_id, struct login **out) MUST_CHECK;
/* There is an address, and it is verified. */
bool address_proved(const char *address, bool verified);
/* The user as who acts in their name sees them: without targets, push tokens are among them. */
void user_seen_by_other(struct user *u, const char *other);
/* Something besides the first factor by which the user can be asked to prove itself. */
bool user_has_factor(const struct user *u);
/* The user wants to be asked for a second factor, and can be. */
bool user_wants_two(const struct user *u);
bool factors_two(const struct strs *factors);
/* It began by a password. */
bool session_by_password(const struct session *s);
/* Two factors were shown with it: one that was only added to stay in, or an app that was set up with it, is none. */
bool session_shown_two(const struct session *s);
/* A session that has proved so much lacks a factor. One that is proved twice is one. */
bool user_wants_more(const struct user *u, const struct strs *factors);
/* Awaits. The user with this id, e-mail address or phone number (the first that is not NULL), as login_by_id has it. */
err_t login_by_address(struct ctx *cx, const struct project *p, const char *id, const char *email, const char *phone, struct login **out) MUST_CHECK;
bool login_touch_due(const struct login *l);
/* Awaits. Notes the use of an account, where that is due: once a day. */
void login_touch(struct ctx *cx, const struct project *p, const struct login *l);
/* A new JWT of `life_ms` for the user's session (spec identity.md 2.4). `session` "": it stands for the user without one, and says which user of which project
 * that is; else the session does. */
char *login_jwt(struct ctx *cx, const struct project *p, const struct user *u, const char *session, int64_t life_ms);

/* What a request has that may be a session, in the order in which it is tried: cookies "a_session_<project>" (the name in lower case; there may be
 * several), their _legacy twins, the members of these names (as they are) of X-Fallback-Cookies, and X-Appwrite-Session. What is no token at all is
 * left out, and so is what goes beyond LOGIN_TOKENS_MAX. */
enum { LOGIN_TOKENS_MAX = 6 };
struct login_headers {
	struct str cookie, fallback, session;
};
struct login_tokens {
	int n;
	struct {
		struct str token;
		bool cookie;	/* sent by a browser on its own */
	} v[LOGIN_TOKENS_MAX];
};
void login_tokens_of(struct ctx *cx, const char *project_id, const struct login_headers *h, struct login_tokens *out);
/* Awaits. The first that is valid, of a user who is not blocked if there is one: a dead cookie stands in nobody's way. *which_out: its number; -1
 * and *out NULL: none is. */
err_t login_by_tokens(struct ctx *cx, const struct project *p, const struct login_tokens *t, struct login **out, int *which_out) MUST_CHECK;
/* gen.h key of a user's logins. */
const char *user_stale_key(struct ctx *cx, const char *project_id, const char *user_id);

#endif
