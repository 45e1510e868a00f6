/* Projects, their platforms, keys, webhooks and domains; the console is the built-in project "console" (schema p_0). */
#ifndef BADAL_MODEL_PROJECT_H
#define BADAL_MODEL_PROJECT_H

#include "model/shape.h"

struct platform {
	const char *id, *type, *name, *key, *store, *hostname;
	const char *kind;	/* of a list that was asked for by it: what the type is today */
	int64_t internal, project;	/* numbers of it and of its project */
	int64_t created, updated;
};

enum key_kind {
	KEY_STANDARD,		/* of a project, stored; those without a word, too */
	KEY_EPHEMERAL,		/* a JSON web token of the server's own */
	KEY_ORGANIZATION,	/* of a team of the console */
	KEY_ACCOUNT,		/* of a user of the console */
	KEY_UNKNOWN
};

struct api_key {
	const char *id, *name, *secret, *secret_hash;	/* secret: clear text, sealed at rest (conf.master_key) */
	enum key_kind kind;	/* of stored ones of a project, and of developers, KEY_STANDARD */
	const char *owner;	/* id of the team or user whose it is; NULL: a project's */
	int64_t internal, project;	/* numbers of it and of its project */
	int64_t created, updated, expire, accessed;	/* ms; TIME_NONE: none */
	struct strs scopes, sdks;
};

struct key_jwt {		/* a key that ends by itself, to clients before 1.9.3 */
	const char *project, *jwt;
	struct strs scopes;
};

struct webhook {
	const char *id, *name, *url, *http_user, *http_pass, *signature;	/* pass and signature key: sealed at rest */
	int64_t internal, project;	/* numbers of it and of its project */
	int64_t created, updated;
	struct strs events;
	bool security;		/* verify the receiver's certificate */
	bool enabled;
	int64_t attempts;	/* deliveries that failed since the last that did not */
	const char *logs;	/* why the last one did */
};

struct domain {
	const char *id, *domain, *registerable, *tld, *certificate;
	int64_t internal, project;	/* numbers of it and of its project */
	int64_t created, updated;
	bool verification;
};

struct project_switch {		/* of something that can be switched off */
	const char *id;
	bool enabled;
};

struct project_provider {	/* an app at a provider of OAuth2 */
	const char *key, *name, *app_id;
	bool enabled;
};

struct mock_number {		/* a phone number that is sent nothing: its code is always `otp` */
	const char *number;	/* E.164 */
	const char *otp;
	int64_t internal, project;	/* numbers of it and of its project */
	int64_t created, updated;
};

enum project_protocol { PROTOCOL_REST, PROTOCOL_GRAPHQL, PROTOCOL_WEBSOCKET, PROJECT_PROTOCOLS };
enum { PROJECT_MOCK_NUMBERS_MAX = 5000 };
enum { PROJECT_PROVIDERS = 45, PROJECT_AUTHS = 7, PROJECT_SERVICES = 18, PROJECT_CHILDREN_MAX = 1000 };

struct project {
	unsigned refs;			/* private to the cache */
	bool console;
	int64_t internal;		/* 0 for the console */
	const char *id, *name, *schema;	/* schema: "p_<internal>" */
	const char *team_id;		/* owning team in the console's space; NULL for the console */
	int64_t version, needs;		/* migration that the data space is at; the oldest that a program must know to use it */
	const char *stuck;		/* why its last migration failed, "" */
	int64_t stuck_at;		/* when; TIME_NONE: it did not */
	int64_t created, updated;
	const char *description, *logo, *url;
	const char *legal_name, *legal_country, *legal_state, *legal_city, *legal_address, *legal_tax_id;
	int64_t user_limit;		/* 0: none */
	bool auths[PROJECT_AUTHS];	/* in the order of include/tbl/sign_in.h */
	bool services[PROJECT_SERVICES];	/* that can be switched off, in the order of include/tbl/services.h */
	const char *providers[PROJECT_PROVIDERS][2];	/* app id and secret, in the order of include/tbl/providers.h; NULL: none */
	bool providers_on[PROJECT_PROVIDERS];	/* users may sign in there, if it has both */
	bool protocols[PROJECT_PROTOCOLS];	/* that are on; by enum project_protocol */
	const char *region, *status;
	struct strs labels;
	int64_t ping_count, pinged;	/* pings of its clients, and the last one; TIME_NONE: there was none */
	int64_t console_accessed;	/* by the day; TIME_NONE: never */
	struct str stages;		/* JSON object: steps that were passed over, and when (ms) */
	/* Sessions. */
	int64_t session_duration;	/* s, of a new one */
	int64_t sessions_limit;		/* of a user: a login ends the oldest ones; 0: none */
	bool session_alerts;		/* a new one is told its user by mail */
	bool invalidate_sessions;	/* a new password ends the user's other ones */
	/* Passwords. */
	int64_t password_history;	/* so many former ones are refused; 0: none */
	bool password_dictionary;	/* the most common ones are refused */
	bool password_personal;		/* those that contain the user's data are refused */
	struct {
		int64_t min;		/* bytes */
		bool uppercase, lowercase, number, symbols;	/* one of them has to be in it */
	} strength;
	/* What clients see of other members of their team; keys and admins see all. */
	struct {
		bool user_name, user_email, user_phone, user_id, mfa, accessed;
	} shows;
	/* Second factors that may be used. */
	struct {
		bool totp, email, phone, custom;
	} factors;
	/* Addresses of e-mail that are refused. */
	struct {
		bool disposable, aliased, free, corporate;	/* corporate: others than those of firms */
	} denies;
	/* A mail server of its own, which its mails go by while it is enabled. */
	struct smtp {
		bool enabled;
		const char *host, *secure, *username, *password;	/* secure: "", "tls" (STARTTLS is needed), "ssl"; the password is sealed at rest */
		const char *sender_name, *sender_email, *reply_to_name, *reply_to_email;
		int64_t port;
	} smtp;
	struct objs mock_numbers;	/* struct mock_number */
	struct objs methods, switches, doors, apps;	/* of replies alone: what auths, services, protocols (struct project_switch) and providers (struct project_provider) say */
	struct objs platforms;		/* struct platform */
	struct objs webhooks;		/* struct webhook */
	struct objs keys;		/* struct api_key */
	struct objs dev_keys;		/* struct api_key, without scopes */
	struct objs domains;		/* struct domain */
};

extern const struct shape project_shape, platform_shape, key_shape, ephemeral_key_shape, key_jwt_shape, dev_key_shape, webhook_shape, domain_shape, mock_number_shape, project_method_shape, project_service_shape, project_protocol_shape, project_provider_shape;

/* Awaits on a cache miss. The project with this public id, valid until cx ends; its data space has been brought up to what this program
 * knows. ERR_PROJECT_NOT_FOUND, and as space_bring_up (model/space.h) ERR_PROJECT_BEHIND, _STUCK, _NEWER. */
err_t project_get(struct ctx *cx, struct str id, struct project **out) MUST_CHECK;
/* The same without a wait for that: ERR_PROJECT_BEHIND, also where it could be brought up. */
err_t project_get_ready(struct ctx *cx, struct str id, struct project **out) MUST_CHECK;
/* The same for those who look at its settings alone: in whatever state its data space is, which must not be touched. */
err_t project_get_bare(struct ctx *cx, struct str id, struct project **out) MUST_CHECK;
/* The project as it was last read here, NULL: it was not; awaits nothing, and is valid until something is awaited. It may be behind: for answers
 * that say nothing of anybody. */
const struct project *project_known(struct arena *a, struct str id);
/* Drops this process's cache (reload of the configuration, tests). */
void project_cache_clear(void);
bool project_service_on(const struct project *p, const char *service);	/* "account", "databases", … */
bool project_auth_on(const struct project *p, const char *method);	/* stored key: emailPassword, anonymous, JWT, … */
/* The code of a number that is sent nothing; NULL: it is a real one. */
const char *project_mock_otp(const struct project *p, const char *number);
/* Spec platform.md 8.1: equality, "*", label-wise wildcards; case-sensitive. */
bool project_host_matches(const char *rule, struct str host);
/* The gen.h key whose bump makes every process of the machine read the project anew. */
const char *project_stale_key(struct ctx *cx, const char *id);

/* The key with this secret (constant-time compare), or NULL. Expiry is the caller's to judge. */
struct api_key *project_key_find(const struct project *p, struct str secret);
/* The key of a developer with this secret that has not ended (constant time), or NULL: it gives no rights. */
struct api_key *project_dev_key_find(const struct project *p, struct str secret);
void project_dev_key_touch(struct ctx *cx, const struct project *p, const struct api_key *k, struct str sdk);
/* Awaits, once in 24 h. Notes that somebody of its team looks at the project: consoleAccessedAt. */
void project_console_touch(struct ctx *cx, const struct project *p);
/* Notes that a key was used: accessedAt once per 24 h, sdks when `sdk` is a known one not listed yet. Awaits only when there is something to
 * write; a failure is logged and forgotten. */
void project_key_touch(struct ctx *cx, const struct project *p, const struct api_key *k, struct str sdk);

#endif
