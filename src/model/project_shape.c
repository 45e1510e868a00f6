/* The models of the projects service. Providers, sign-in methods and services are rows of their tables. */
#include "core/protocol.h"
#include "model/key.h"


/* What children have besides what is shown. */
#define CHILD(st) FIELD_HIDDEN(F_INT, st, internal, "c.internal"), FIELD_HIDDEN(F_INT, st, project, "c.project")

static const struct field platform_fields[] = {
	CHILD(struct platform),
	FIELD(F_ID, struct platform, id, "$id", "c.id", "Platform ID."),
	FIELD(F_TIME, struct platform, created, "$createdAt", "c.created", "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct platform, updated, "$updatedAt", "c.updated", "Update date in ISO 8601 format."),
	FIELD(F_STR, struct platform, name, "name", "c.name", "Platform name."),
	FIELD(F_STR, struct platform, type, "type", "c.type", "Platform type: web, android, apple-ios, …"),
	FIELD(F_STR, struct platform, key, "key", "c.key", "Package name or bundle ID."),
	FIELD(F_STR, struct platform, store, "store", "c.store", "App store ID."),
	FIELD(F_STR, struct platform, hostname, "hostname", "c.hostname", "Host name of a web app."),
	{.key = "httpUser", .type = F_CONST, .doc = "Always empty.", .text = "\"\""},
	{.key = "httpPass", .type = F_CONST, .doc = "Always empty.", .text = "\"\""},
};
const struct shape platform_shape = SHAPE("platform", struct platform, platform_fields);

static const struct field webhook_fields[] = {
	CHILD(struct webhook),
	FIELD(F_ID, struct webhook, id, "$id", "c.id", "Webhook ID."),
	FIELD(F_TIME, struct webhook, created, "$createdAt", "c.created", "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct webhook, updated, "$updatedAt", "c.updated", "Update date in ISO 8601 format."),
	FIELD(F_STR, struct webhook, name, "name", "c.name", "Webhook name.", .flags = COL_ASKED),
	FIELD(F_STR, struct webhook, url, "url", "c.url", "Where events are posted to.", .flags = COL_ASKED),
	FIELD(F_STRS, struct webhook, events, "events", "c.events", "Names of the events.", .flags = COL_ASKED),
	FIELD(F_BOOL, struct webhook, security, "security", "c.security", "The receiver's certificate is verified. Told up to 1.9.0, as the next three.", .flags = COL_ASKED, .until = SINCE_1_9_1),
	FIELD(F_STR, struct webhook, http_user, "httpUser", "c.http_user", "Name for basic authentication.", .flags = COL_ASKED, .until = SINCE_1_9_1),
	FIELD(F_STR, struct webhook, http_pass, "httpPass", "c.http_pass", "Password for basic authentication.", .flags = COL_SEALED, .until = SINCE_1_9_1),
	FIELD(F_STR, struct webhook, signature, "signatureKey", "c.signature", "Key of the signature header.", .flags = COL_SEALED, .until = SINCE_1_9_1),
	{.key = "tls", .type = F_BOOL, .off = offsetof(struct webhook, security), .doc = "The receiver's certificate is verified. Told since 1.9.1, as the next three.", .since = SINCE_1_9_1},
	{.key = "authUsername", .type = F_STR, .off = offsetof(struct webhook, http_user), .doc = "Name for basic authentication.", .since = SINCE_1_9_1},
	{.key = "authPassword", .type = F_STR, .off = offsetof(struct webhook, http_pass), .doc = "Password for basic authentication.", .since = SINCE_1_9_1},
	{.key = "secret", .type = F_STR, .off = offsetof(struct webhook, signature), .doc = "Key of the signature header.", .since = SINCE_1_9_1},
	FIELD(F_BOOL, struct webhook, enabled, "enabled", "c.enabled", "It is delivered to. Told since 1.5.0, as what follows.", .flags = COL_ASKED, .since = SINCE_1_5),
	FIELD(F_STR, struct webhook, logs, "logs", "c.logs", "Why the last delivery that failed did.", .flags = COL_ASKED, .since = SINCE_1_5),
	FIELD(F_INT, struct webhook, attempts, "attempts", "c.attempts", "Tries that failed since the last that did not.", .flags = COL_ASKED, .since = SINCE_1_5),
};
const struct shape webhook_shape = SHAPE("webhook", struct webhook, webhook_fields);

/* What keys of all kinds have alike. */
#define KEY_HEAD \
	FIELD_HIDDEN(F_STR, struct api_key, secret_hash, "c.secret_hash"), \
	    FIELD(F_ID, struct api_key, id, "$id", "c.id", "Key ID."), \
	    FIELD(F_TIME, struct api_key, created, "$createdAt", "c.created", "Creation date in ISO 8601 format."), \
	    FIELD(F_TIME, struct api_key, updated, "$updatedAt", "c.updated", "Update date in ISO 8601 format."), \
	    FIELD(F_STR, struct api_key, name, "name", "c.name", "Key name.", .flags = COL_ASKED)
#define KEY_TAIL \
	FIELD(F_STR, struct api_key, secret, "secret", "c.secret", "The key itself.", .flags = COL_SEALED), \
	    FIELD(F_TIME_OR_NONE, struct api_key, accessed, "accessedAt", "c.accessed", "Last use, by the day; empty: never.", .flags = COL_ASKED | COL_NULL), \
	    FIELD(F_STRS, struct api_key, sdks, "sdks", "c.sdks", "SDKs that used the key.")

#define KEY_BODY \
	KEY_HEAD, \
	    FIELD(F_TIME_OR_NONE, struct api_key, expire, "expire", "c.expire", "Expiration date in ISO 8601 format; empty: never.", .flags = COL_ASKED | COL_NULL), \
	    FIELD(F_STRS, struct api_key, scopes, "scopes", "c.scopes", "Allowed scopes.", .flags = COL_ASKED), \
	    KEY_TAIL

static const struct field key_fields[] = {CHILD(struct api_key), KEY_BODY};
const struct shape key_shape = SHAPE("key", struct api_key, key_fields);
const struct shape ephemeral_key_shape = SHAPE("ephemeralKey", struct api_key, key_fields);

static const struct field organization_key_fields[] = {
	FIELD_HIDDEN(F_INT, struct owned_key, k.internal, "c.internal"),
	FIELD_HIDDEN(F_INT, struct owned_key, team, "c.team_internal"),
	FIELD_HIDDEN(F_INT, struct owned_key, user, "c.user_internal"),
	FIELD_HIDDEN(F_INT, struct owned_key, membership, "c.membership_internal"),
	KEY_BODY,
};
const struct shape organization_key_shape = SHAPE("key", struct owned_key, organization_key_fields);

static const struct field account_key_fields[] = {
	FIELD_HIDDEN(F_INT, struct owned_key, k.internal, "c.internal"),
	FIELD_HIDDEN(F_INT, struct owned_key, user, "c.user_internal"),
	KEY_BODY,
};
const struct shape account_key_shape = SHAPE("key", struct owned_key, account_key_fields);
_Static_assert(offsetof(struct owned_key, k) == 0, "their fields are those of a key");

static const struct field dev_key_fields[] = {
	CHILD(struct api_key),
	KEY_HEAD,
	FIELD(F_TIME, struct api_key, expire, "expire", "c.expire", "When it ends, in ISO 8601 format.", .flags = COL_ASKED),
	KEY_TAIL,
};
const struct shape dev_key_shape = SHAPE("devKey", struct api_key, dev_key_fields);

static const struct field key_jwt_fields[] = {
	FIELD(F_STRS, struct key_jwt, scopes, "scopes", NULL, "Allowed scopes."),
	FIELD(F_ID, struct key_jwt, project, "projectId", NULL, "Project that it is of."),
	FIELD(F_STR, struct key_jwt, jwt, "jwt", NULL, "The key itself."),
};
const struct shape key_jwt_shape = SHAPE("keyJwt", struct key_jwt, key_jwt_fields);

static const struct field domain_fields[] = {
	CHILD(struct domain),
	FIELD(F_ID, struct domain, id, "$id", "c.id", "Domain ID."),
	FIELD(F_TIME, struct domain, created, "$createdAt", "c.created", "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct domain, updated, "$updatedAt", "c.updated", "Update date in ISO 8601 format."),
	FIELD(F_STR, struct domain, domain, "domain", "c.domain", "Domain name."),
	FIELD(F_STR, struct domain, registerable, "registerable", "c.registerable", "Registrable domain."),
	FIELD(F_STR, struct domain, tld, "tld", "c.tld", "Public suffix."),
	FIELD(F_BOOL, struct domain, verification, "verification", "c.verification", "The domain was seen to point here."),
	FIELD(F_STR, struct domain, certificate, "certificateId", "c.certificate", "Certificate ID; empty: none yet."),
};
const struct shape domain_shape = SHAPE("domain", struct domain, domain_fields);

static const struct field mock_number_fields[] = {
	CHILD(struct mock_number),
	{.key = "phone", .type = F_STR, .off = offsetof(struct mock_number, number), .doc = "Phone number. Told up to 1.9.1.", .until = SINCE_1_9_2},
	FIELD(F_STR, struct mock_number, number, "number", "c.id", "Phone number.", .since = SINCE_1_9_2),
	FIELD(F_STR, struct mock_number, otp, "otp", "c.otp", "Its code."),
	FIELD(F_TIME, struct mock_number, created, "$createdAt", "c.created", "Creation date in ISO 8601 format.", .since = SINCE_1_9_2),
	FIELD(F_TIME, struct mock_number, updated, "$updatedAt", "c.updated", "Update date in ISO 8601 format.", .since = SINCE_1_9_2),
};
const struct shape mock_number_shape = SHAPE("mockNumber", struct mock_number, mock_number_fields);

#define SWITCHES(name, model_, what)                                                                             \
	static const struct field name##_fields[] = {                                                            \
		FIELD(F_ID, struct project_switch, id, "$id", NULL, what),                                       \
		FIELD(F_BOOL, struct project_switch, enabled, "enabled", NULL, "It is on."),                     \
	};                                                                                                       \
	const struct shape name##_shape = SHAPE(model_, struct project_switch, name##_fields)

SWITCHES(project_method, "projectAuthMethod", "Sign-in method.");
SWITCHES(project_service, "projectService", "Service.");
SWITCHES(project_protocol, "projectProtocol", "Protocol.");

static const struct field provider_fields[] = {
	FIELD(F_STR, struct project_provider, key, "key", NULL, "Provider.", .since = SINCE_1_4),
	FIELD(F_STR, struct project_provider, name, "name", NULL, "Its name."),
	FIELD(F_STR, struct project_provider, app_id, "appId", NULL, "App ID."),
	{.key = "secret", .type = F_CONST, .doc = "Always empty.", .text = "\"\""},
	FIELD(F_BOOL, struct project_provider, enabled, "enabled", NULL, "Users may sign in there."),
};
const struct shape project_provider_shape = SHAPE("projectProvider", struct project_provider, provider_fields);

enum provider {
#define PROVIDER(name, label) PROVIDER_##name,
#include "tbl/providers.h"
#undef PROVIDER
	PROVIDERS_N
};

/* What is read of it and told by no flat member is copied into the cache all the same. */
#define UNTOLD_TEXT(member) {.key = "", .type = F_STR, .off = offsetof(struct project, member), .doc = "", .hidden = true}
#define PROVIDER_LATER(name, label) UNTOLD_TEXT(providers[PROVIDER_##name][0]), UNTOLD_TEXT(providers[PROVIDER_##name][1]),
#define PROVIDER(name, label)                                                                                                        \
	{.key = "provider" label "Appid", .type = F_STR, .off = offsetof(struct project, providers[PROVIDER_##name][0]), .doc = label " app ID.", .until = SINCE_1_1}, \
	    {.key = "provider" label "Secret", .type = F_STR, .off = offsetof(struct project, providers[PROVIDER_##name][1]), .doc = label " secret.", .until = SINCE_1_1},

/* The table's rows are counted as they are read: their names are no identifiers. */
#define TOGGLE(member, base, label, text, since_) {.key = label, .type = F_BOOL, .off = offsetof(struct project, member) + (__COUNTER__ - base) * sizeof(bool), .doc = text, .since = since_, .until = SINCE_1_9_5},
#define AUTH(path, stored, label, words, since) TOGGLE(auths, AUTH_BASE, label, "Sign-in method " path " is on.", since)
#define FIXED(room)
#define SERVICE(room, label) TOGGLE(services, AUTH_BASE - PROJECT_AUTHS, label, "Service " #room " is on.", 0)
#define FAMILY(name, label, since) TOGGLE(services, AUTH_BASE - PROJECT_AUTHS, label, "Service " #name " is on.", since)
enum { AUTH_BASE = __COUNTER__ + 1 };

/* Told from a version on, until there were policies to ask for. */
#define SETTING(type_, member, key_, column_, since_, doc_) FIELD(type_, struct project, member, key_, "p." column_, doc_, .since = since_, .until = SINCE_1_9_5)
#define LISTED(member, key_, sub_, since_, until_, doc_) \
	{.key = key_, .type = F_LIST, .off = offsetof(struct project, member), .doc = doc_, .sub = &sub_, .since = since_, .until = until_}
#define PROTOCOL_STATUS(i, key_) \
	{.key = key_, .type = F_BOOL, .off = offsetof(struct project, protocols) + (i) * sizeof(bool), .doc = "The protocol is on.", .since = SINCE_1_9_1, .until = SINCE_1_9_5}
#define UNTOLD(type_, member, column_) FIELD_HIDDEN(type_, struct project, member, "p." column_)

/* clang-format off */
static const struct field project_fields[] = {
	FIELD_HIDDEN(F_INT, struct project, internal, "p.internal"),
	FIELD_HIDDEN(F_STR, struct project, schema, "'p_' || p.internal"),
	FIELD_HIDDEN(F_INT, struct project, version, "p.version"),
	FIELD_HIDDEN(F_INT, struct project, needs, "p.needs"),
	FIELD_HIDDEN(F_STR, struct project, stuck, "p.stuck"),
	FIELD_HIDDEN(F_TIME, struct project, stuck_at, "p.stuck_at"),
	FIELD(F_ID, struct project, id, "$id", "p.id", "Project ID.", .flags = COL_ASKED),
	FIELD(F_TIME, struct project, created, "$createdAt", "p.created", "Creation date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_TIME, struct project, updated, "$updatedAt", "p.updated", "Update date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_STR, struct project, name, "name", "p.name", "Project name.", .flags = COL_ASKED),
	FIELD(F_STR, struct project, description, "description", "p.description", "Description.", .until = SINCE_1_9_5),
	FIELD(F_ID, struct project, team_id, "teamId", "p.team_id", "Team that owns the project.", .flags = COL_ASKED | COL_LOWER),
	FIELD(F_STR, struct project, logo, "logo", "p.logo", "Logo file ID.", .until = SINCE_1_9_5),
	FIELD(F_STR, struct project, url, "url", "p.url", "Website.", .until = SINCE_1_9_5),
	FIELD(F_STR, struct project, legal_name, "legalName", "p.legal_name", "Company legal name.", .until = SINCE_1_9_5),
	FIELD(F_STR, struct project, legal_country, "legalCountry", "p.legal_country", "Country code.", .until = SINCE_1_9_5),
	FIELD(F_STR, struct project, legal_state, "legalState", "p.legal_state", "State name.", .until = SINCE_1_9_5),
	FIELD(F_STR, struct project, legal_city, "legalCity", "p.legal_city", "City name.", .until = SINCE_1_9_5),
	FIELD(F_STR, struct project, legal_address, "legalAddress", "p.legal_address", "Address.", .until = SINCE_1_9_5),
	FIELD(F_STR, struct project, legal_tax_id, "legalTaxId", "p.legal_tax_id", "Tax ID.", .until = SINCE_1_9_5),
	FIELD(F_INT, struct project, user_limit, "authLimit", "p.user_limit", "Most users; 0: no limit.", .until = SINCE_1_9_5),
	SETTING(F_INT, session_duration, "authDuration", "session_duration", SINCE_1_1, "Seconds that a session lasts."),
	SETTING(F_INT, sessions_limit, "authSessionsLimit", "sessions_limit", SINCE_1_2, "Most sessions of a user; 0: no limit."),
	SETTING(F_INT, password_history, "authPasswordHistory", "password_history", SINCE_1_3, "How many former passwords are refused."),
	SETTING(F_BOOL, password_dictionary, "authPasswordDictionary", "password_dictionary", SINCE_1_3, "Common passwords are refused."),
	SETTING(F_BOOL, password_personal, "authPersonalDataCheck", "password_personal", SINCE_1_4, "Passwords with data of their user are refused."),
	SETTING(F_BOOL, denies.disposable, "authDisposableEmails", "deny_disposable", SINCE_CONSOLES, "Disposable addresses are refused."),
	SETTING(F_BOOL, denies.aliased, "authCanonicalEmails", "deny_aliased", SINCE_CONSOLES, "Aliases of addresses are refused."),
	SETTING(F_BOOL, denies.free, "authFreeEmails", "deny_free", SINCE_CONSOLES, "Addresses of free providers are refused."),
	SETTING(F_BOOL, denies.corporate, "authCorporateEmails", "deny_corporate", SINCE_CONSOLES, "Addresses that are free or disposable are refused."),
	LISTED(mock_numbers, "authMockNumbers", mock_number_shape, SINCE_1_6, SINCE_1_9_5, "Phone numbers with a code of their own."),
	SETTING(F_BOOL, session_alerts, "authSessionAlerts", "session_alerts", SINCE_1_6, "Users are told of new sessions."),
	SETTING(F_BOOL, shows.user_name, "authMembershipsUserName", "members_user_name", SINCE_1_6, "Members of a team see the others' names."),
	SETTING(F_BOOL, shows.user_email, "authMembershipsUserEmail", "members_user_email", SINCE_1_6, "Members of a team see the others' addresses."),
	SETTING(F_BOOL, shows.mfa, "authMembershipsMfa", "members_mfa", SINCE_1_6, "Members of a team see whether others have a second factor."),
	SETTING(F_BOOL, shows.user_id, "authMembershipsUserId", "members_user_id", SINCE_1_9_2, "Members of a team see the others' ids."),
	SETTING(F_BOOL, shows.user_phone, "authMembershipsUserPhone", "members_user_phone", SINCE_1_9_2, "Members of a team see the others' phone numbers."),
	SETTING(F_BOOL, shows.accessed, "authMembershipsUserAccessedAt", "members_accessed", SINCE_CONSOLES, "Members of a team see when others were here."),
	SETTING(F_BOOL, invalidate_sessions, "authInvalidateSessions", "invalidate_sessions", SINCE_1_8, "A new password ends a user's other sessions."),
	UNTOLD(F_INT, strength.min, "strength_min"),
	UNTOLD(F_BOOL, strength.uppercase, "strength_uppercase"),
	UNTOLD(F_BOOL, strength.lowercase, "strength_lowercase"),
	UNTOLD(F_BOOL, strength.number, "strength_number"),
	UNTOLD(F_BOOL, strength.symbols, "strength_symbols"),
	UNTOLD(F_BOOL, factors.totp, "factor_totp"),
	UNTOLD(F_BOOL, factors.email, "factor_email"),
	UNTOLD(F_BOOL, factors.phone, "factor_phone"),
	UNTOLD(F_BOOL, factors.custom, "factor_custom"),
	FIELD(F_STR, struct project, region, "region", "p.region", "Where its data are.", .since = SINCE_1_6),
	FIELD(F_INT, struct project, ping_count, "pingCount", "p.ping_count", "Pings of its clients.", .since = SINCE_1_6),
	FIELD(F_TIME_OR_NONE, struct project, pinged, "pingedAt", "p.pinged", "The last one; empty: there was none.", .since = SINCE_1_6),
	FIELD(F_BOOL, struct project, smtp.enabled, "smtpEnabled", "p.smtp_enabled", "Mails go by the project's own server.", .since = SINCE_1_4),
	FIELD(F_STR, struct project, smtp.sender_name, "smtpSenderName", "p.smtp_sender_name", "Name of the sender.", .since = SINCE_1_4),
	FIELD(F_STR, struct project, smtp.sender_email, "smtpSenderEmail", "p.smtp_sender_email", "Address of the sender.", .since = SINCE_1_4),
	{.key = "smtpReplyTo", .type = F_STR, .off = offsetof(struct project, smtp.reply_to_email), .doc = "Where answers go. Told up to 1.9.1.", .since = SINCE_1_4, .until = SINCE_1_9_2},
	FIELD(F_STR, struct project, smtp.reply_to_name, "smtpReplyToName", "p.smtp_reply_to_name", "Name for answers.", .since = SINCE_1_9_2),
	FIELD(F_STR, struct project, smtp.reply_to_email, "smtpReplyToEmail", "p.smtp_reply_to_email", "Where answers go.", .since = SINCE_1_9_2),
	FIELD(F_STR, struct project, smtp.host, "smtpHost", "p.smtp_host", "Name of the server.", .since = SINCE_1_4),
	FIELD(F_INT, struct project, smtp.port, "smtpPort", "p.smtp_port", "Its port.", .since = SINCE_1_4),
	FIELD(F_STR, struct project, smtp.username, "smtpUsername", "p.smtp_username", "Its user.", .since = SINCE_1_4),
	FIELD_ALWAYS("smtpPassword", "\"\"", SINCE_1_4, "Always empty: it is never told."),
	FIELD_HIDDEN(F_STR, struct project, smtp.password, "p.smtp_password", .flags = COL_SEALED),
	FIELD(F_STR, struct project, smtp.secure, "smtpSecure", "p.smtp_secure", "tls, ssl or empty.", .since = SINCE_1_4),
	FIELD(F_STRS, struct project, labels, "labels", "p.labels", "Labels.", .flags = COL_ASKED, .since = SINCE_CONSOLES),
	FIELD(F_STR, struct project, status, "status", "p.status", "active, or why not.", .since = SINCE_CONSOLES),
	{.key = "platforms", .type = F_LIST, .off = offsetof(struct project, platforms), .doc = "Platforms.", .sub = &platform_shape, .until = SINCE_1_9_5},
	{.key = "webhooks", .type = F_LIST, .off = offsetof(struct project, webhooks), .doc = "Webhooks.", .sub = &webhook_shape, .until = SINCE_1_9_5},
	{.key = "keys", .type = F_LIST, .off = offsetof(struct project, keys), .doc = "API keys.", .sub = &key_shape, .until = SINCE_1_9_5},
	{.key = "domains", .type = F_LIST, .off = offsetof(struct project, domains), .doc = "Domains.", .sub = &domain_shape, .until = SINCE_1_4},
	{.key = "devKeys", .type = F_LIST, .off = offsetof(struct project, dev_keys), .doc = "Keys of developers. Told since 1.7.0.", .sub = &dev_key_shape, .since = SINCE_1_7},
#include "tbl/providers.h"
#include "tbl/sign_in.h"
#include "tbl/services.h"
	PROTOCOL_STATUS(0, "protocolStatusForRest"),
	PROTOCOL_STATUS(1, "protocolStatusForGraphql"),
	PROTOCOL_STATUS(2, "protocolStatusForWebsocket"),
	LISTED(apps, "providers", project_provider_shape, SINCE_1_1, SINCE_1_5, "Apps at providers of OAuth2."),
	LISTED(apps, "oAuthProviders", project_provider_shape, SINCE_1_5, SINCE_1_9_5, "The same."),
	LISTED(methods, "authMethods", project_method_shape, SINCE_1_9_5, 0, "Ways to sign in. Told since 1.9.5, as the next three."),
	LISTED(switches, "services", project_service_shape, SINCE_1_9_5, 0, "Services."),
	LISTED(doors, "protocols", project_protocol_shape, SINCE_1_9_5, 0, "Protocols."),
	{.key = "blocks", .type = F_CONST, .doc = "What is blocked: nothing is.", .text = "[]", .since = SINCE_CONSOLES},
	FIELD_HIDDEN(F_JSON, struct project, stages, "p.stages"),
	FIELD(F_TIME_OR_NONE, struct project, console_accessed, "consoleAccessedAt", "p.console_accessed", "When it was last looked at in a console; empty: never.", .since = SINCE_CONSOLES),
	{.key = "onboarding", .type = F_CONST, .doc = "Steps of the way into the project: see its stages.", .text = "{}", .since = SINCE_1_9_5},
	{.key = "wafEnabled", .type = F_CONST, .doc = "Whether a firewall looks at its requests: there is none.", .text = "false", .since = SINCE_1_9_5},
};
/* clang-format on */
const struct shape project_shape = SHAPE("project", struct project, project_fields);
_Static_assert((int)PROVIDERS_N == (int)PROJECT_PROVIDERS, "include/model/project.h counts the providers");
_Static_assert(__COUNTER__ - AUTH_BASE == PROJECT_AUTHS + PROJECT_SERVICES, "include/model/project.h counts the toggles");
