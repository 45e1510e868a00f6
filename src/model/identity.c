/* Users and sessions as everybody reads them: the kernel's part of them, which logins are made of. What changes them is the users service's. */
#include "model/identity.h"

#include "core/conf.h"
#include "core/protocol.h"
#include "model/email.h"

/* In the order of the members, for TARGETS_COLUMN. */
static const struct field target_fields[] = {
	FIELD_HIDDEN(F_INT, struct target, internal, "g.internal"),
	FIELD_HIDDEN(F_INT, struct target, user_internal, "g.user_internal"),
	FIELD(F_ID, struct target, id, "$id", "g.id", "Target ID.", .flags = COL_ASKED),
	FIELD(F_TIME, struct target, created, "$createdAt", "g.created", "Target creation date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_TIME, struct target, updated, "$updatedAt", "g.updated", "Target update date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_STR, struct target, name, "name", "g.name", "Name of the target; of a push token the device."),
	FIELD(F_ID, struct target, user_id, "userId", "g.user_id", "User ID.", .flags = COL_ASKED | COL_LOWER),
	FIELD(F_STR, struct target, provider_id, "providerId", "g.provider_id", "Provider that sends there; null: any.", .flags = COL_ASKED | COL_NULL, .nullable = true),
	FIELD(F_STR, struct target, provider_type, "providerType", "g.provider_type", "Kind of the target: email, sms or push.", .flags = COL_ASKED),
	FIELD(F_STR, struct target, identifier, "identifier", "g.identifier", "E-mail address, phone number or push token.", .flags = COL_ASKED),
	FIELD(F_BOOL, struct target, expired, "expired", "g.expired", "A push token that is no good any more.", .since = SINCE_1_5),
};
const struct shape target_shape = SHAPE("target", struct target, target_fields);

/* What shape_json_columns makes of them (t/00-unit holds the two against each other), as a column of users. Sessions end in many ways, and their push
 * targets with them: so it is read with the user, not kept with it. */
#define TARGETS_COLUMN \
	"(SELECT json_agg(json_build_array(g.internal, g.user_internal, g.id, (extract(epoch FROM g.created) * 1000)::bigint, (extract(epoch FROM g.updated) * 1000)::bigint, " \
	"g.name, g.user_id, g.provider_id, g.provider_type, g.identifier, g.expired) ORDER BY g.internal) " \
	"FROM (SELECT * FROM :schema.targets t WHERE t.user_internal = u.internal ORDER BY t.internal LIMIT 100) g)"
_Static_assert(TARGETS_SHOWN == 100, "the bound of TARGETS_COLUMN");

/* ---- what is said of an address ---- */

/* Of users without one there is nothing to say. */
#define SAYS_OF_EMAIL(name, test)                                   \
	static void                                                 \
	identity_say_##name(struct jw *w, const void *at)           \
	{                                                           \
		const char *email = *(const char *const *)at;       \
                                                                    \
		if (email == NULL || email[0] == '\0')              \
			jw_null(w);                                 \
		else                                                \
			jw_bool(w, test(str_c(email)));             \
	}
SAYS_OF_EMAIL(free, email_free)
SAYS_OF_EMAIL(disposable, email_disposable)
SAYS_OF_EMAIL(corporate, email_corporate)
SAYS_OF_EMAIL(is_canonical, email_is_canonical)

static void
identity_say_canonical(struct jw *w, const void *at)
{
	char room[EMAIL_TEXT_MAX];
	struct str mailbox = email_canonical(str_c(*(const char *const *)at), room);

	if (mailbox.p != NULL)
		jw_str(w, mailbox);
	else
		jw_null(w);
}

/* ---- users ---- */

#define ACCOUNT_FIELDS_HEAD                                                                                                               \
	FIELD(F_ID, struct user, id, "$id", "u.id", "User ID.", .flags = COL_ASKED | COL_SEARCH),                                        \
	    FIELD(F_TIME, struct user, created, "$createdAt", "u.created", "User creation date in ISO 8601 format.", .flags = COL_ASKED), \
	    FIELD(F_TIME, struct user, updated, "$updatedAt", "u.updated", "User update date in ISO 8601 format.", .flags = COL_ASKED),   \
	    FIELD(F_STR, struct user, name, "name", "u.name", "User name.", .flags = COL_ASKED | COL_NULL | COL_SEARCH)
#define ACCOUNT_FIELDS_TAIL                                                                                                                                         \
	FIELD(F_TIME, struct user, registration, "registration", "u.registration", "Registration date in ISO 8601 format.", .flags = COL_ASKED),                    \
	    FIELD(F_BOOL, struct user, status, "status", "u.status", "False when the user is blocked.", .flags = COL_ASKED),                                        \
	    FIELD(F_STRS, struct user, labels, "labels", "u.labels", "Labels, each of which is a role.", .flags = COL_ASKED, .since = SINCE_1_4),                   \
	    FIELD(F_TIME_OR_NONE, struct user, password_update, "passwordUpdate", "u.password_update", "Time of the last password change.", .flags = COL_ASKED | COL_NULL), \
	    FIELD(F_STR, struct user, email, "email", "u.email", "E-mail address.", .flags = COL_ASKED | COL_LOWER | COL_NULL | COL_SEARCH),                        \
	    FIELD(F_STR, struct user, phone, "phone", "u.phone", "Phone number in E.164 format.", .flags = COL_ASKED | COL_NULL | COL_SEARCH),                      \
	    FIELD(F_BOOL, struct user, email_verification, "emailVerification", "u.email_verification", "E-mail verified.", .flags = COL_ASKED),                    \
	    FIELD_MADE(struct user, email, "emailCanonical", identity_say_canonical, "\"\"", SINCE_CONSOLES, "The address without tags and what else its provider ignores; null: there is none."), \
	    FIELD_MADE(struct user, email, "emailIsFree", identity_say_free, "true", SINCE_CONSOLES, "Whether it is of a provider that gives addresses to everybody."),    \
	    FIELD_MADE(struct user, email, "emailIsDisposable", identity_say_disposable, "true", SINCE_CONSOLES, "Whether it is of a provider of addresses for minutes."), \
	    FIELD_MADE(struct user, email, "emailIsCorporate", identity_say_corporate, "true", SINCE_CONSOLES, "Whether it is neither."),                                  \
	    FIELD_MADE(struct user, email, "emailIsCanonical", identity_say_is_canonical, "true", SINCE_CONSOLES, "Whether it is no alias."),                              \
	    FIELD(F_BOOL, struct user, phone_verification, "phoneVerification", "u.phone_verification", "Phone verified.", .flags = COL_ASKED),                     \
	    FIELD(F_BOOL, struct user, mfa, "mfa", "u.mfa", "A second factor is asked for, where there is one.", .since = SINCE_1_5),                               \
	    FIELD(F_JSON, struct user, prefs, "prefs", "u.prefs", "Preferences as a key-value object."),                                                            \
	    {.key = "targets", .column = TARGETS_COLUMN, .type = F_LIST, .off = offsetof(struct user, targets), .doc = "Where the user can be reached.", .sub = &target_shape, .since = SINCE_1_5}, \
	    FIELD(F_TIME_OR_NONE, struct user, accessed, "accessedAt", "u.accessed", "Last use, by the day; empty: never.", .flags = COL_ASKED | COL_NULL,          \
		.since = SINCE_1_4),                                                                                                                                \
	    FIELD(F_BOOL, struct user, impersonator, "impersonator", "u.impersonator", "Whether the user may act as others.", .flags = COL_ASKED, .since = SINCE_1_9), \
	    FIELD(F_STR, struct user, impersonated_by, "impersonatorUserId", NULL, "Who acts as the user in this request; null: nobody.", .since = SINCE_1_9, .nullable = true)

static const struct field user_fields[] = {
	FIELD_HIDDEN(F_INT, struct user, internal, "u.internal"),
	FIELD_HIDDEN(F_BOOL, struct user, reset, "u.reset"),
	FIELD_HIDDEN(F_BOOL, struct user, email_proved, "u.email_proved"),
	FIELD_HIDDEN(F_BOOL, struct user, phone_proved, "u.phone_proved"),
	FIELD_HIDDEN(F_INT, struct user, epoch, "u.epoch"),
	FIELD_HIDDEN(F_BOOL, struct user, password_mailed, "u.password_mailed"),
	FIELD_HIDDEN(F_BOOL, struct user, totp, "u.totp"),
	FIELD_HIDDEN(F_TIME_OR_NONE, struct user, labelled, "u.labelled", .flags = COL_NULL),
	ACCOUNT_FIELDS_HEAD,
	FIELD(F_STR, struct user, password, "password", "u.password", "Hashed password.", .flags = COL_NULL),
	FIELD(F_STR, struct user, hash, "hash", "u.hash", "Hash algorithm."),
	FIELD(F_JSON, struct user, hash_options, "hashOptions", "u.hash_options", "Options of the hash algorithm; since 1.2.0 with its name as `type`.",
	    .tag = offsetof(struct user, hash)),
	ACCOUNT_FIELDS_TAIL,
};
const struct shape user_shape = SHAPE("user", struct user, user_fields);

static const struct field account_fields[] = {ACCOUNT_FIELDS_HEAD, ACCOUNT_FIELDS_TAIL};
const struct shape account_shape = SHAPE("account", struct user, account_fields);

const struct shape preferences_shape = {.model = "preferences", .open = true};

static const struct field session_fields[] = {
	FIELD_HIDDEN(F_STR, struct session, secret_hash, "s.secret_hash"),
	FIELD_HIDDEN(F_BOOL, struct session, two_shown, "s.two_shown"),
	FIELD(F_ID, struct session, id, "$id", "s.id", "Session ID."),
	FIELD(F_TIME, struct session, created, "$createdAt", "s.created", "Session creation date in ISO 8601 format."),
	FIELD(F_TIME, struct session, updated, "$updatedAt", "coalesce(s.updated, s.created)", "Session update date in ISO 8601 format.", .since = SINCE_1_5),
	FIELD(F_ID, struct session, user_id, "userId", "s.user_id", "User ID."),
	FIELD(F_TIME, struct session, expire, "expire", "s.expire", "Session expiration date in ISO 8601 format."),
	FIELD(F_STR, struct session, provider, "provider", "s.provider", "How the session was made."),
	FIELD(F_STR, struct session, provider_uid, "providerUid", "s.provider_uid", "User ID at the provider."),
	FIELD(F_STR, struct session, provider_access_token, "providerAccessToken", "s.provider_access_token", "Access token of the provider.", .flags = COL_SEALED),
	FIELD(F_TIME_OR_NONE, struct session, provider_access_token_expiry, "providerAccessTokenExpiry", "s.provider_access_token_expiry",
	    "When the provider's access token expires."),
	FIELD(F_STR, struct session, provider_refresh_token, "providerRefreshToken", "s.provider_refresh_token", "Refresh token of the provider.", .flags = COL_SEALED),
	FIELD(F_STR, struct session, ip, "ip", "s.ip", "Address of the client when the session began."),
	FIELD(F_STR, struct session, os_code, "osCode", "s.os_code", "Operating system code."),
	FIELD(F_STR, struct session, os_name, "osName", "s.os_name", "Operating system name."),
	FIELD(F_STR, struct session, os_version, "osVersion", "s.os_version", "Operating system version."),
	FIELD(F_STR, struct session, client_type, "clientType", "s.client_type", "Kind of client."),
	FIELD(F_STR, struct session, client_code, "clientCode", "s.client_code", "Client code."),
	FIELD(F_STR, struct session, client_name, "clientName", "s.client_name", "Client name."),
	FIELD(F_STR, struct session, client_version, "clientVersion", "s.client_version", "Client version."),
	FIELD(F_STR, struct session, client_engine, "clientEngine", "s.client_engine", "Client engine name."),
	FIELD(F_STR, struct session, client_engine_version, "clientEngineVersion", "s.client_engine_version", "Client engine version."),
	FIELD(F_STR, struct session, device_name, "deviceName", "s.device_name", "Kind of device."),
	FIELD(F_STR, struct session, device_brand, "deviceBrand", "s.device_brand", "Device brand."),
	FIELD(F_STR, struct session, device_model, "deviceModel", "s.device_model", "Device model."),
	FIELD(F_STR, struct session, country_code, "countryCode", "s.country_code", "Country code of two characters."),
	FIELD(F_STR, struct session, country_name, "countryName", "s.country_name", "Country name."),
	FIELD(F_BOOL, struct session, current, "current", NULL, "True for the session of the request."),
	FIELD(F_STRS, struct session, factors, "factors", SESSION_FACTORS, "What the sign-in proved, and challenges since.", .since = SINCE_1_5),
	FIELD(F_STR, struct session, secret, "secret", NULL, "The session as X-Appwrite-Session takes it: for servers, in the answer of the sign-in; else empty.", .since = SINCE_1_5),
	FIELD(F_TIME_OR_NONE, struct session, mfa_updated, "mfaUpdatedAt", "s.mfa_updated", "When a challenge was last solved; empty: never.", .since = SINCE_1_5),
};
const struct shape session_shape = SHAPE("session", struct session, session_fields);

int64_t
session_life(const struct project *p)
{
	int64_t own = p->session_duration * 1000;

	return own > 0 && own < conf.life_session ? own : conf.life_session;
}

const char *
user_stale_key(struct ctx *cx, const char *project_id, const char *user_id)
{
	/* ids are compared case-insensitively, so their key has one spelling */
	return str_lower(cx->arena, str_c(arena_printf(cx->arena, "user:%s:%s", project_id, user_id))).p;
}

bool
address_proved(const char *address, bool verified)
{
	return verified && address != NULL && address[0] != '\0';
}

bool
user_has_factor(const struct user *u)
{
	return u->totp || address_proved(u->email, u->email_verification) || address_proved(u->phone, u->phone_verification);
}

void
user_seen_by_other(struct user *u, const char *other)
{
	u->impersonated_by = other;
	u->targets = (struct objs){0};
}

bool
user_wants_two(const struct user *u)
{
	return u->mfa && user_has_factor(u);
}

bool
factors_two(const struct strs *factors)
{
	bool two = false;

	for (int i = 1; i < factors->n && !two; i++)
		two = strcmp(factors->v[i], factors->v[0]) != 0;
	return two;
}

bool
session_by_password(const struct session *s)
{
	return s->factors.n > 0 && strcmp(s->factors.v[0], "password") == 0;
}

bool
session_shown_two(const struct session *s)
{
	bool two = s->two_shown;

	for (int i = 0; i < s->factors.n && !two; i++)
		two = strcmp(s->factors.v[i], "oauth2") == 0;	/* which a sign-in alone brings */
	return two;
}

bool
user_wants_more(const struct user *u, const struct strs *factors)
{
	return user_wants_two(u) && !factors_two(factors);
}
