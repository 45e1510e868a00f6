/* Projects, their platforms, keys, webhooks and domains; the console is the built-in project "console" (schema p_0). */
#ifndef BADAL_MODEL_PROJECT_H
#define BADAL_MODEL_PROJECT_H

#include "model/shape.h"

struct platform {
	const char *id, *type, *name, *key, *store, *hostname;
	int64_t created, updated;
};

struct api_key {
	const char *id, *name, *secret, *secret_hash;	/* secret: clear text, sealed at rest (conf.master_key) */
	int64_t created, updated, expire, accessed;	/* ms; TIME_NONE: none */
	struct strs scopes, sdks;
};

struct webhook {
	const char *id, *name, *url, *http_user, *http_pass, *signature;	/* pass and signature key: sealed at rest */
	int64_t created, updated;
	struct strs events;
	bool security;		/* verify the receiver's certificate */
};

struct domain {
	const char *id, *domain, *registerable, *tld, *certificate;
	int64_t created, updated;
	bool verification;
};

enum { PROJECT_PROVIDERS = 37, PROJECT_AUTHS = 6, PROJECT_SERVICES = 9, PROJECT_CHILDREN_MAX = 1000 };

struct project {
	unsigned refs;			/* private to the cache */
	bool console;
	int64_t internal;		/* 0 for the console */
	const char *id, *name, *schema;	/* schema: "p_<internal>" */
	const char *team_id;		/* owning team in the console's space; NULL for the console */
	int64_t created, updated;
	const char *description, *logo, *url;
	const char *legal_name, *legal_country, *legal_state, *legal_city, *legal_address, *legal_tax_id;
	int64_t user_limit;		/* 0: none */
	bool auths[PROJECT_AUTHS];	/* in the order of include/tbl/toggles.h */
	bool services[PROJECT_SERVICES];
	const char *providers[PROJECT_PROVIDERS][2];	/* app id and secret, in the order of include/tbl/providers.h; NULL: none */
	struct objs platforms;		/* struct platform */
	struct objs webhooks;		/* struct webhook */
	struct objs keys;		/* struct api_key */
	struct objs domains;		/* struct domain */
};

extern const struct shape project_shape, platform_shape, key_shape, webhook_shape, domain_shape;

/* Awaits on a cache miss. The project with this public id, valid until cx ends. ERR_PROJECT_NOT_FOUND. */
err_t project_get(struct ctx *cx, struct str id, struct project **out) MUST_CHECK;
/* Drops this process's cache (reload of the configuration, tests). */
void project_cache_clear(void);
bool project_service_on(const struct project *p, const char *service);	/* "account", "databases", … */
bool project_auth_on(const struct project *p, const char *method);	/* stored key: emailPassword, anonymous, JWT, … */
/* Spec platform.md 8.1: equality, "*", label-wise wildcards; case-sensitive. */
bool project_host_matches(const char *rule, struct str host);
/* The gen.h key whose bump makes every process of the machine read the project anew. */
const char *project_stale_key(struct ctx *cx, const char *id);

/* The key with this secret (constant-time compare), or NULL. Expiry is the caller's to judge. */
struct api_key *project_key_find(const struct project *p, struct str secret);
/* Notes that a key was used: accessedAt once per 24 h, sdks when `sdk` is a known one not listed yet. Awaits only when there is something to
 * write; a failure is logged and forgotten. */
void project_key_touch(struct ctx *cx, const struct project *p, const struct api_key *k, struct str sdk);

/* ---- writes: each emits its event and leaves no stale cache behind ---- */

struct project_in {		/* NULL: empty */
	const char *id;		/* NULL: a new one */
	const char *name, *team_id;
	const char *description, *logo, *url;
	const char *legal_name, *legal_country, *legal_state, *legal_city, *legal_address, *legal_tax_id;
};
/* Awaits. The row and its data space in one transaction. ERR_PROJECT_RESERVED_PROJECT, ERR_TEAM_NOT_FOUND (no such team in the console),
 * ERR_PROJECT_ALREADY_EXISTS. */
err_t project_create(struct ctx *cx, const struct project_in *in, struct project **out) MUST_CHECK;
err_t project_update(struct ctx *cx, const struct project *p, const struct project_in *in, struct project **out) MUST_CHECK;
err_t project_set_service(struct ctx *cx, const struct project *p, const char *service, bool on, struct project **out) MUST_CHECK;
err_t project_set_auth(struct ctx *cx, const struct project *p, const char *method_path, bool on, struct project **out) MUST_CHECK;
err_t project_set_limit(struct ctx *cx, const struct project *p, int64_t limit, struct project **out) MUST_CHECK;
err_t project_set_provider(struct ctx *cx, const struct project *p, const char *provider, const char *app_id, const char *secret,
    struct project **out) MUST_CHECK;
/* Awaits. The project, and its team when no other project belongs to it. The data space is dropped in the background (project_sweep). */
err_t project_delete(struct ctx *cx, const struct project *p, const char *actor) MUST_CHECK;
/* Awaits. Drops the data spaces of deleted projects; safe to run anywhere and again (advisory lock). */
err_t project_sweep(struct ctx *cx) MUST_CHECK;

/* Awaits. in->id is ignored: a new one is made. */
err_t platform_create(struct ctx *cx, const struct project *p, const struct platform *in, struct platform **out) MUST_CHECK;
err_t platform_update(struct ctx *cx, const struct project *p, const char *id, const struct platform *in, struct platform **out) MUST_CHECK;
err_t platform_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct platform *platform_find(const struct project *p, const char *id);	/* NULL: none */

/* Awaits. expire TIME_NONE: never. (*out)->secret is the clear text. */
err_t key_create(struct ctx *cx, const struct project *p, const char *name, const struct strs *scopes, int64_t expire,
    struct api_key **out) MUST_CHECK;
err_t key_update(struct ctx *cx, const struct project *p, const char *id, const char *name, const struct strs *scopes, int64_t expire,
    struct api_key **out) MUST_CHECK;
err_t key_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct api_key *key_find(const struct project *p, const char *id);	/* NULL: none */
extern const char *const platform_types[];	/* NULL-terminated, as is the next */
/* The 25 scopes a key may have. */
extern const char *const key_scopes[];

err_t webhook_create(struct ctx *cx, const struct project *p, const struct webhook *in, struct webhook **out) MUST_CHECK;
err_t webhook_update(struct ctx *cx, const struct project *p, const char *id, const struct webhook *in, struct webhook **out) MUST_CHECK;
err_t webhook_sign(struct ctx *cx, const struct project *p, const char *id, struct webhook **out) MUST_CHECK;	/* a new signature key */
err_t webhook_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct webhook *webhook_find(const struct project *p, const char *id);
/* A name that webhooks and functions may subscribe to (spec functions-webhooks-events.md 3). */
bool event_subscribable(struct str name);

/* Awaits. `name` lower-case, a valid host name. ERR_DOMAIN_ALREADY_EXISTS. */
err_t domain_create(struct ctx *cx, const struct project *p, const char *name, struct domain **out) MUST_CHECK;
/* Awaits a name server. The domain's CNAME must be conf.domain_target. ERR_DOMAIN_NOT_FOUND, ERR_DOMAIN_VERIFICATION_FAILED. */
err_t domain_verify(struct ctx *cx, const struct project *p, const char *id, struct domain **out) MUST_CHECK;
err_t domain_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct domain *domain_find(const struct project *p, const char *id);

#endif
