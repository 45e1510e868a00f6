/* The models of the projects service. Providers, sign-in methods and services are rows of their tables. */
#include "model/project.h"

static const struct field platform_fields[] = {
	FIELD(F_ID, struct platform, id, "$id", NULL, "Platform ID."),
	FIELD(F_TIME, struct platform, created, "$createdAt", NULL, "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct platform, updated, "$updatedAt", NULL, "Update date in ISO 8601 format."),
	FIELD(F_STR, struct platform, name, "name", NULL, "Platform name."),
	FIELD(F_STR, struct platform, type, "type", NULL, "Platform type: web, android, apple-ios, …"),
	FIELD(F_STR, struct platform, key, "key", NULL, "Package name or bundle ID."),
	FIELD(F_STR, struct platform, store, "store", NULL, "App store ID."),
	FIELD(F_STR, struct platform, hostname, "hostname", NULL, "Host name of a web app."),
	{.key = "httpUser", .type = F_CONST, .doc = "Always empty.", .text = "\"\""},
	{.key = "httpPass", .type = F_CONST, .doc = "Always empty.", .text = "\"\""},
};
const struct shape platform_shape = SHAPE("platform", struct platform, platform_fields);

static const struct field webhook_fields[] = {
	FIELD(F_ID, struct webhook, id, "$id", NULL, "Webhook ID."),
	FIELD(F_TIME, struct webhook, created, "$createdAt", NULL, "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct webhook, updated, "$updatedAt", NULL, "Update date in ISO 8601 format."),
	FIELD(F_STR, struct webhook, name, "name", NULL, "Webhook name."),
	FIELD(F_STR, struct webhook, url, "url", NULL, "Where events are posted to."),
	FIELD(F_STRS, struct webhook, events, "events", NULL, "Names of the events."),
	FIELD(F_BOOL, struct webhook, security, "security", NULL, "The receiver's certificate is verified."),
	FIELD(F_STR, struct webhook, http_user, "httpUser", NULL, "Name for basic authentication."),
	FIELD(F_STR, struct webhook, http_pass, "httpPass", NULL, "Password for basic authentication."),
	FIELD(F_STR, struct webhook, signature, "signatureKey", NULL, "Key of the signature header."),
};
const struct shape webhook_shape = SHAPE("webhook", struct webhook, webhook_fields);

static const struct field key_fields[] = {
	FIELD(F_ID, struct api_key, id, "$id", NULL, "Key ID."),
	FIELD(F_TIME, struct api_key, created, "$createdAt", NULL, "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct api_key, updated, "$updatedAt", NULL, "Update date in ISO 8601 format."),
	FIELD(F_STR, struct api_key, name, "name", NULL, "Key name."),
	FIELD(F_TIME_OR_NONE, struct api_key, expire, "expire", NULL, "Expiration date in ISO 8601 format; empty: never."),
	FIELD(F_STRS, struct api_key, scopes, "scopes", NULL, "Allowed scopes."),
	FIELD(F_STR, struct api_key, secret, "secret", NULL, "The key itself."),
	FIELD(F_TIME_OR_NONE, struct api_key, accessed, "accessedAt", NULL, "Last use, by the day; empty: never."),
	FIELD(F_STRS, struct api_key, sdks, "sdks", NULL, "SDKs that used the key."),
};
const struct shape key_shape = SHAPE("key", struct api_key, key_fields);

static const struct field domain_fields[] = {
	FIELD(F_ID, struct domain, id, "$id", NULL, "Domain ID."),
	FIELD(F_TIME, struct domain, created, "$createdAt", NULL, "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct domain, updated, "$updatedAt", NULL, "Update date in ISO 8601 format."),
	FIELD(F_STR, struct domain, domain, "domain", NULL, "Domain name."),
	FIELD(F_STR, struct domain, registerable, "registerable", NULL, "Registrable domain."),
	FIELD(F_STR, struct domain, tld, "tld", NULL, "Public suffix."),
	FIELD(F_BOOL, struct domain, verification, "verification", NULL, "The domain was seen to point here."),
	FIELD(F_STR, struct domain, certificate, "certificateId", NULL, "Certificate ID; empty: none yet."),
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
#define TOGGLE(member, base, label, text) {.key = label, .type = F_BOOL, .off = offsetof(struct project, member) + (__COUNTER__ - base) * sizeof(bool), .doc = text},
#define AUTH(path, stored, label, words) TOGGLE(auths, AUTH_BASE, label, "Sign-in method " path " is on.")
#define FIXED(room)
#define SERVICE(room, label) TOGGLE(services, AUTH_BASE - PROJECT_AUTHS, label, "Service " #room " is on.")
enum { AUTH_BASE = __COUNTER__ + 1 };

/* clang-format off */
static const struct field project_fields[] = {
	FIELD(F_ID, struct project, id, "$id", NULL, "Project ID."),
	FIELD(F_TIME, struct project, created, "$createdAt", NULL, "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct project, updated, "$updatedAt", NULL, "Update date in ISO 8601 format."),
	FIELD(F_STR, struct project, name, "name", NULL, "Project name."),
	FIELD(F_STR, struct project, description, "description", NULL, "Description."),
	FIELD(F_ID, struct project, team_id, "teamId", NULL, "Team that owns the project."),
	FIELD(F_STR, struct project, logo, "logo", NULL, "Logo file ID."),
	FIELD(F_STR, struct project, url, "url", NULL, "Website."),
	FIELD(F_STR, struct project, legal_name, "legalName", NULL, "Company legal name."),
	FIELD(F_STR, struct project, legal_country, "legalCountry", NULL, "Country code."),
	FIELD(F_STR, struct project, legal_state, "legalState", NULL, "State name."),
	FIELD(F_STR, struct project, legal_city, "legalCity", NULL, "City name."),
	FIELD(F_STR, struct project, legal_address, "legalAddress", NULL, "Address."),
	FIELD(F_STR, struct project, legal_tax_id, "legalTaxId", NULL, "Tax ID."),
	FIELD(F_INT, struct project, user_limit, "authLimit", NULL, "Most users; 0: no limit."),
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
