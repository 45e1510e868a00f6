/* Projects, their platforms and keys; the console is the built-in project "console" (schema p_0). */
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
	struct str auths;		/* JSON object of stored key -> bool; missing: on (spec platform.md 13) */
	struct str services;		/* JSON object of service -> bool */
	struct str providers;		/* JSON object of <provider>Appid/<provider>Secret */
	struct objs platforms;		/* struct platform */
	struct objs keys;		/* struct api_key */
};

extern const struct shape project_shape, platform_shape, key_shape;

/* Awaits on a cache miss. The project with this public id, valid until cx ends. ERR_PROJECT_NOT_FOUND. */
err_t project_get(struct ctx *cx, struct str id, struct project **out) MUST_CHECK;
bool project_service_on(const struct project *p, const char *service);	/* "account", "databases", … */
bool project_auth_on(const struct project *p, const char *method);	/* stored key: emailPassword, anonymous, JWT, … */
/* Spec platform.md 8.1: equality, "*", label-wise wildcards; case-sensitive. */
bool project_host_matches(const char *rule, struct str host);
/* The gen.h key whose bump makes every process of the machine read the project anew. */
const char *project_stale_key(struct ctx *cx, const char *id);

#endif
