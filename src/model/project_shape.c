/* The models of the projects service. Providers, sign-in methods and services are rows of their tables. */
#include "core/protocol.h"
#include "model/project.h"


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
	FIELD(F_STR, struct webhook, name, "name", "c.name", "Webhook name."),
	FIELD(F_STR, struct webhook, url, "url", "c.url", "Where events are posted to."),
	FIELD(F_STRS, struct webhook, events, "events", "c.events", "Names of the events."),
	FIELD(F_BOOL, struct webhook, security, "security", "c.security", "The receiver's certificate is verified. Told up to 1.9.0, as the next three.", .until = SINCE_1_9_1),
	FIELD(F_STR, struct webhook, http_user, "httpUser", "c.http_user", "Name for basic authentication.", .until = SINCE_1_9_1),
	FIELD(F_STR, struct webhook, http_pass, "httpPass", "c.http_pass", "Password for basic authentication.", .flags = COL_SEALED, .until = SINCE_1_9_1),
	FIELD(F_STR, struct webhook, signature, "signatureKey", "c.signature", "Key of the signature header.", .flags = COL_SEALED, .until = SINCE_1_9_1),
	{.key = "tls", .type = F_BOOL, .off = offsetof(struct webhook, security), .doc = "The receiver's certificate is verified. Told since 1.9.1, as the next three.", .since = SINCE_1_9_1},
	{.key = "authUsername", .type = F_STR, .off = offsetof(struct webhook, http_user), .doc = "Name for basic authentication.", .since = SINCE_1_9_1},
	{.key = "authPassword", .type = F_STR, .off = offsetof(struct webhook, http_pass), .doc = "Password for basic authentication.", .since = SINCE_1_9_1},
	{.key = "secret", .type = F_STR, .off = offsetof(struct webhook, signature), .doc = "Key of the signature header.", .since = SINCE_1_9_1},
	FIELD(F_BOOL, struct webhook, enabled, "enabled", "c.enabled", "It is delivered to. Told since 1.5.0, as what follows.", .since = 1005000),
	FIELD(F_STR, struct webhook, logs, "logs", "c.logs", "Why the last delivery that failed did.", .since = 1005000),
	FIELD(F_INT, struct webhook, attempts, "attempts", "c.attempts", "Tries that failed since the last that did not.", .since = 1005000),
};
const struct shape webhook_shape = SHAPE("webhook", struct webhook, webhook_fields);

static const struct field key_fields[] = {
	CHILD(struct api_key),
	FIELD_HIDDEN(F_STR, struct api_key, secret_hash, "c.secret_hash"),
	FIELD(F_ID, struct api_key, id, "$id", "c.id", "Key ID."),
	FIELD(F_TIME, struct api_key, created, "$createdAt", "c.created", "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct api_key, updated, "$updatedAt", "c.updated", "Update date in ISO 8601 format."),
	FIELD(F_STR, struct api_key, name, "name", "c.name", "Key name."),
	FIELD(F_TIME_OR_NONE, struct api_key, expire, "expire", "c.expire", "Expiration date in ISO 8601 format; empty: never."),
	FIELD(F_STRS, struct api_key, scopes, "scopes", "c.scopes", "Allowed scopes."),
	FIELD(F_STR, struct api_key, secret, "secret", "c.secret", "The key itself.", .flags = COL_SEALED),
	FIELD(F_TIME_OR_NONE, struct api_key, accessed, "accessedAt", "c.accessed", "Last use, by the day; empty: never."),
	FIELD(F_STRS, struct api_key, sdks, "sdks", "c.sdks", "SDKs that used the key."),
};
const struct shape key_shape = SHAPE("key", struct api_key, key_fields);

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

enum provider {
#define PROVIDER(name, label) PROVIDER_##name,
#include "tbl/providers.h"
#undef PROVIDER
	PROVIDERS_N
};

#define PROVIDER(name, label)                                                                                                        \
	{.key = "provider" label "Appid", .type = F_STR, .off = offsetof(struct project, providers[PROVIDER_##name][0]), .doc = label " app ID."}, \
	    {.key = "provider" label "Secret", .type = F_STR, .off = offsetof(struct project, providers[PROVIDER_##name][1]), .doc = label " secret."},

/* The table's rows are counted as they are read: their names are no identifiers. */
#define TOGGLE(member, base, label, text, since_) {.key = label, .type = F_BOOL, .off = offsetof(struct project, member) + (__COUNTER__ - base) * sizeof(bool), .doc = text, .since = since_},
#define AUTH(path, stored, label, words, since) TOGGLE(auths, AUTH_BASE, label, "Sign-in method " path " is on.", since)
#define FIXED(room)
#define SERVICE(room, label) TOGGLE(services, AUTH_BASE - PROJECT_AUTHS, label, "Service " #room " is on.", 0)
#define FAMILY(name, label, since) TOGGLE(services, AUTH_BASE - PROJECT_AUTHS, label, "Service " #name " is on.", since)
enum { AUTH_BASE = __COUNTER__ + 1 };

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
	FIELD(F_STR, struct project, description, "description", "p.description", "Description."),
	FIELD(F_ID, struct project, team_id, "teamId", "p.team_id", "Team that owns the project.", .flags = COL_ASKED | COL_LOWER),
	FIELD(F_STR, struct project, logo, "logo", "p.logo", "Logo file ID."),
	FIELD(F_STR, struct project, url, "url", "p.url", "Website."),
	FIELD(F_STR, struct project, legal_name, "legalName", "p.legal_name", "Company legal name."),
	FIELD(F_STR, struct project, legal_country, "legalCountry", "p.legal_country", "Country code."),
	FIELD(F_STR, struct project, legal_state, "legalState", "p.legal_state", "State name."),
	FIELD(F_STR, struct project, legal_city, "legalCity", "p.legal_city", "City name."),
	FIELD(F_STR, struct project, legal_address, "legalAddress", "p.legal_address", "Address."),
	FIELD(F_STR, struct project, legal_tax_id, "legalTaxId", "p.legal_tax_id", "Tax ID."),
	FIELD(F_INT, struct project, user_limit, "authLimit", "p.user_limit", "Most users; 0: no limit."),
	{.key = "platforms", .type = F_LIST, .off = offsetof(struct project, platforms), .doc = "Platforms.", .sub = &platform_shape},
	{.key = "webhooks", .type = F_LIST, .off = offsetof(struct project, webhooks), .doc = "Webhooks.", .sub = &webhook_shape},
	{.key = "keys", .type = F_LIST, .off = offsetof(struct project, keys), .doc = "API keys.", .sub = &key_shape},
	{.key = "domains", .type = F_LIST, .off = offsetof(struct project, domains), .doc = "Domains.", .sub = &domain_shape},
#include "tbl/providers.h"
#include "tbl/sign_in.h"
#include "tbl/services.h"
};
/* clang-format on */
const struct shape project_shape = SHAPE("project", struct project, project_fields);
_Static_assert((int)PROVIDERS_N == (int)PROJECT_PROVIDERS, "include/model/project.h counts the providers");
_Static_assert(__COUNTER__ - AUTH_BASE == PROJECT_AUTHS + PROJECT_SERVICES, "include/model/project.h counts the toggles");
