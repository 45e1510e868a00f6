/* Changes of projects, their platforms, keys, webhooks and domains. */
#ifndef BADAL_SVC_PROJECTS_PROJECT_H
#define BADAL_SVC_PROJECTS_PROJECT_H

#include "core/json.h"
#include "model/project.h"
#include "model/service.h"

#define EVENT EVENT_DECLARE
#include "svc/projects/events.h"
#undef EVENT

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
/* Awaits. `set` is SQL: "column = $3, …" with the n values from $3 on; the event names the project and `what` (NULL: nothing more). */
struct project_setting {
	const struct event_info *event;
	const char *what;
	const char *set;
	int n;
	const char *const *v;
};
err_t project_set(struct ctx *cx, const struct project *p, const struct project_setting *s, struct project **out) MUST_CHECK;
/* Awaits. A member of one of the columns auths, services and protocols; `what`: its name in the event. */
err_t project_switch(struct ctx *cx, const struct project *p, const struct event_info *event, const char *column, const char *key, const char *what, bool on,
    struct project **out) MUST_CHECK;
/* Awaits. All members of such a column. */
err_t project_switch_all(struct ctx *cx, const struct project *p, const char *column, const char *const *keys, int n, bool on, struct project **out) MUST_CHECK;
/* Awaits. ERR_TEAM_NOT_FOUND. */
err_t project_move(struct ctx *cx, const struct project *p, const char *team_id, struct project **out) MUST_CHECK;
/* Awaits. The app at a provider of OAuth2. What is NULL (-1) stays. */
struct provider_change {
	const char *key;	/* of include/tbl/providers.h */
	const char *app_id, *secret;
	json_t *members;	/* the stored secret is a JSON object: these become members of it, `secret` its clientSecret; nulls are taken out */
	int enabled;
	const char *const *places;	/* NULL at the end: those of `members` that say where the secret is sent */
	bool anew;		/* of clients of 1.0: what is not given is emptied, and it is on when it has an app */
};
err_t project_set_provider(struct ctx *cx, const struct project *p, const struct provider_change *change, struct project **out) MUST_CHECK;
/* Awaits. Phone numbers with a code of their own: ERR_MOCK_NUMBER_ALREADY_EXISTS, _LIMIT_EXCEEDED, _NOT_FOUND. */
err_t mock_create(struct ctx *cx, const struct project *p, const char *number, const char *otp, struct mock_number **out) MUST_CHECK;
err_t mock_update(struct ctx *cx, const struct project *p, const char *number, const char *otp, struct mock_number **out) MUST_CHECK;
err_t mock_delete(struct ctx *cx, const struct project *p, const char *number) MUST_CHECK;
/* Awaits. These n in the place of all. */
err_t mock_replace(struct ctx *cx, const struct project *p, const char *const *numbers, const char *const *otps, int n, struct project **out) MUST_CHECK;
struct mock_number *mock_find(const struct project *p, const char *number);	/* NULL: none */

/* Awaits. The project, and `with_team` its team when no other project belongs to it. The data space is dropped in the background (project_sweep). */
err_t project_delete(struct ctx *cx, const struct project *p, const char *actor, bool with_team) MUST_CHECK;
/* Awaits. Drops the data spaces of deleted projects; safe to run anywhere and again. */
err_t project_sweep(struct ctx *cx) MUST_CHECK;

/* Awaits. in->id NULL: a new one. ERR_PLATFORM_ALREADY_EXISTS. `set`: the columns that change. */
err_t platform_create(struct ctx *cx, const struct project *p, const struct platform *in, struct platform **out) MUST_CHECK;
err_t platform_update(struct ctx *cx, const struct project *p, const char *id, const struct platform *in, const char *set, struct platform **out)
    MUST_CHECK;
err_t platform_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct objs *out, int64_t *total_out) MUST_CHECK;
err_t platform_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct platform *platform_find(const struct project *p, const char *id);	/* NULL: none */

/* Awaits. Of `in`: id (NULL: a new one), name, scopes, expire (TIME_NONE: never). (*out)->secret is the clear text. ERR_KEY_ALREADY_EXISTS. */
err_t key_create(struct ctx *cx, const struct project *p, const struct api_key *in, struct api_key **out) MUST_CHECK;
/* Awaits. Name, scopes and expire of `values`. `most`, if not NULL: only a key that has no more scopes, and ends no later. */
err_t key_update(struct ctx *cx, const struct project *p, const char *id, const struct api_key *values, const struct api_key *most,
    struct api_key **out) MUST_CHECK;
err_t key_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct objs *out, int64_t *total_out) MUST_CHECK;
err_t key_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct api_key *key_find(const struct project *p, const char *id);	/* NULL: none */
/* Awaits. Keys of developers: of `in` and `values` name and expire. (*out)->secret is the clear text. */
err_t dev_key_create(struct ctx *cx, const struct project *p, const struct api_key *in, struct api_key **out) MUST_CHECK;
err_t dev_key_update(struct ctx *cx, const struct project *p, const char *id, const struct api_key *values, struct api_key **out) MUST_CHECK;
err_t dev_key_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct objs *out, int64_t *total_out) MUST_CHECK;
err_t dev_key_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct api_key *dev_key_find(const struct project *p, const char *id);	/* NULL: none */
extern const char *const platform_types[];	/* NULL-terminated */

/* Awaits. in->id, in->signature NULL: new ones. ERR_WEBHOOK_ALREADY_EXISTS. */
err_t webhook_create(struct ctx *cx, const struct project *p, const struct webhook *in, struct webhook **out) MUST_CHECK;
err_t webhook_update(struct ctx *cx, const struct project *p, const char *id, const struct webhook *in, struct webhook **out) MUST_CHECK;
err_t webhook_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct objs *out, int64_t *total_out) MUST_CHECK;
err_t webhook_sign(struct ctx *cx, const struct project *p, const char *id, const char *secret, struct webhook **out) MUST_CHECK;	/* NULL: a new signature key */
err_t webhook_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct webhook *webhook_find(const struct project *p, const char *id);

/* Awaits. `name` lower-case, a valid host name. ERR_DOMAIN_ALREADY_EXISTS. */
err_t domain_create(struct ctx *cx, const struct project *p, const char *name, struct domain **out) MUST_CHECK;
/* Awaits a name server. The domain's CNAME must be conf.domain_target. ERR_DOMAIN_NOT_FOUND, ERR_DOMAIN_VERIFICATION_FAILED. */
err_t domain_verify(struct ctx *cx, const struct project *p, const char *id, struct domain **out) MUST_CHECK;
err_t domain_delete(struct ctx *cx, const struct project *p, const char *id) MUST_CHECK;
struct domain *domain_find(const struct project *p, const char *id);

#endif
