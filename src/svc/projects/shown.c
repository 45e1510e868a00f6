/* What is shown of a project, to whom, and in which form. Secrets are for those who may change them: a key may see a project that may not see its keys. */
#include "core/protocol.h"
#include "model/project_write.h"
#include "svc/projects/projects_priv.h"

static const char *const method_ids[PROJECT_AUTHS] = {
#define AUTH(path, key, label, words, since) path,
#include "tbl/sign_in.h"
};
static const char *const provider_labels[PROJECT_PROVIDERS] = {
#define PROVIDER(name, label) label,
#include "tbl/providers.h"
#undef PROVIDER
};

static void
hide_key(void *key)
{
	((struct api_key *)key)->secret = "";
}

static void
hide_webhook(void *webhook)
{
	((struct webhook *)webhook)->http_pass = ((struct webhook *)webhook)->signature = "";
}

/* Copies, for what is cached is everybody's. */
static struct objs
without_secrets(struct req *rq, const struct objs *list, size_t size, void (*hide)(void *))
{
	struct objs l = {.n = list->n, .v = arena_array(rq->cx.arena, void *, list->n)};

	for (int i = 0; i < l.n; i++)
		hide(l.v[i] = arena_memdup(rq->cx.arena, list->v[i], size));
	return l;
}

static void
hide_secrets(struct req *rq, struct project *q)
{
	q->keys = without_secrets(rq, &q->keys, sizeof(struct api_key), hide_key);
	q->dev_keys = without_secrets(rq, &q->dev_keys, sizeof(struct api_key), hide_key);
	q->webhooks = without_secrets(rq, &q->webhooks, sizeof(struct webhook), hide_webhook);
	q->mock_numbers = (struct objs){0};
	for (int i = 0; i < PROJECT_PROVIDERS; i++)
		q->providers[i][1] = NULL;
}

static struct objs
switches_of(struct arena *a, const char *const *ids, const bool *on, int n)
{
	struct objs l = {.n = n, .v = arena_array(a, void *, n)};

	for (int i = 0; i < n; i++) {
		struct project_switch *s = arena_new_of(a, struct project_switch);

		*s = (struct project_switch){ids[i], on[i]};
		l.v[i] = s;
	}
	return l;
}

static struct objs
apps_of(struct arena *a, const struct project *p)
{
	struct objs l = {.n = PROJECT_PROVIDERS, .v = arena_array(a, void *, PROJECT_PROVIDERS)};

	for (int i = 0; i < PROJECT_PROVIDERS; i++) {
		struct project_provider *app = arena_new_of(a, struct project_provider);

		*app = (struct project_provider){project_provider_keys[i], provider_labels[i], p->providers[i][0], p->providers_on[i]};
		l.v[i] = app;
	}
	return l;
}

const struct project *
project_shown(struct req *rq, const struct project *p)
{
	struct project *q = arena_new_of(rq->cx.arena, struct project);

	*q = *p;
	if (rq->caller != CALLER_ADMIN && (caller_is_lent(rq) || rq->caller == CALLER_KEY || rq->caller == CALLER_ORGANIZATION || !project_right(rq, p, RIGHT_CHANGE)))
		hide_secrets(rq, q);
	if (rq->cx.format >= SINCE_1_9_5) {
		q->methods = switches_of(rq->cx.arena, method_ids, p->auths, PROJECT_AUTHS);
		q->switches = switches_of(rq->cx.arena, project_service_names, p->services, PROJECT_SERVICES);
		q->doors = switches_of(rq->cx.arena, project_protocol_names, p->protocols, PROJECT_PROTOCOLS);
	} else if (rq->cx.format >= SINCE_1_1) {
		q->apps = apps_of(rq->cx.arena, p);
	}
	return q;
}

err_t
project_reply(struct req *rq, int status, const struct project *p)
{
	return reply(rq, status, &project_shape, project_shown(rq, p));
}
