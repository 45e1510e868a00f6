/* Webhooks of a project: by its people in the console, and today on paths of their own (/v1/webhooks) by members in admin mode and by keys. */
#include "core/protocol.h"
#include "gate/caller.h"
#include "svc/projects/projects_priv.h"
#include "svc/webhooks/webhooks.h"

enum { SECRET_MIN = 8, SECRET_MAX = 256 };

static const char *const web_schemes[] = {"http", "https", NULL};

struct webhook_in {
	const char *project, *id, *secret;
	int security, enabled;
	struct webhook in;
};
#define WEBHOOK_FIELDS                                                                                                                                  \
	REQUIRED("name", P_TEXT, struct webhook_in, in.name, "Webhook name.", .max = 128),                                                              \
	    REQUIRED("events", P_TEXTS, struct webhook_in, in.events, "Names of events.", .max = 1024, .count = 100),                                   \
	    REQUIRED("url", P_URL, struct webhook_in, in.url, "Where events are posted to.", .list = web_schemes),                                      \
	    OPTIONAL("security", P_BOOL_LOOSE, struct webhook_in, security, "Verify the receiver's certificate.", .def = "false", .later = "tls",       \
		.later_since = SINCE_1_9_1),                                                                                                            \
	    OPTIONAL("httpUser", P_TEXT, struct webhook_in, in.http_user, "Name for basic authentication.", .max = 256, .later = "authUsername",        \
		.later_since = SINCE_1_9_1),                                                                                                            \
	    OPTIONAL("httpPass", P_TEXT, struct webhook_in, in.http_pass, "Password for basic authentication.", .max = 256, .later = "authPassword",    \
		.later_since = SINCE_1_9_1),                                                                                                            \
	    OPTIONAL("enabled", P_BOOL, struct webhook_in, enabled, "Deliver to it.", .def = "true")
#define WEBHOOK_ID(st) PATH("webhookId", P_UID, st, id, "Webhook ID.")
#define WEBHOOK_SECRET OPTIONAL("secret", P_TEXT, struct webhook_in, secret, "Key of the signature, of 8 characters at least; null: a new one.", .max = SECRET_MAX)
#define WEBHOOKS_ASKED CHILDREN_ASKED("Queries over the webhooks: name, url, httpUser, security, events, enabled, logs, attempts.")
static const struct param webhook_create_params[] = {PROJECT(struct webhook_in), WEBHOOK_FIELDS};
static const struct param webhook_update_params[] = {PROJECT(struct webhook_in), WEBHOOK_ID(struct webhook_in), WEBHOOK_FIELDS};
static const struct param webhook_sign_params[] = {PROJECT(struct webhook_in), WEBHOOK_ID(struct webhook_in)};
static const struct param webhook_path[] = {PROJECT(struct one_in), WEBHOOK_ID(struct one_in)};
static const struct param webhooks_asked[] = {PROJECT(struct children_in), WEBHOOKS_ASKED};
static const struct param own_hook_create_params[] = {REQUIRED("webhookId", P_CUSTOM_ID, struct webhook_in, id, "Webhook ID, or unique() for a generated one."),
	WEBHOOK_FIELDS, WEBHOOK_SECRET};
static const struct param own_hook_update_params[] = {WEBHOOK_ID(struct webhook_in), WEBHOOK_FIELDS};
static const struct param own_hook_sign_params[] = {WEBHOOK_ID(struct webhook_in), WEBHOOK_SECRET};
static const struct param own_hook_path[] = {WEBHOOK_ID(struct one_in)};
static const struct param own_hooks_asked[] = {WEBHOOKS_ASKED};

static err_t
check_events(struct req *rq, const struct strs *events)
{
	for (int i = 0; i < events->n; i++)
		if (!event_subscribable(str_c(events->v[i]), rq->cx.format))
			return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid events: '%s' is no event.", events->v[i]);
	return OK;
}

static err_t
check_secret(struct req *rq, const char *secret)
{
	size_t points;

	if (secret == NULL || (str_utf8(str_c(secret), &points) && points >= SECRET_MIN))
		return OK;
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid secret: It has %d characters at least.", SECRET_MIN);
}

/* Secrets are for those who may change them: members, as with all that is the project's, but not by what ends by itself, and keys that write webhooks. */
static bool
shows_hooks(struct req *rq, const struct project *p, bool own)
{
	for (int i = 0; rq->caller == CALLER_KEY && i < rq->key->scopes.n; i++)
		if (strcmp(rq->key->scopes.v[i], "webhooks.write") == 0)
			return true;
	return rq->caller == CALLER_ADMIN || (!own && !caller_is_lent(rq) && project_right(rq, p, RIGHT_CHANGE));
}

static const struct webhook *
hook_shown(struct req *rq, const struct project *p, bool own, const struct webhook *w)
{
	struct webhook *shown = arena_new_of(rq->cx.arena, struct webhook);

	*shown = *w;
	if (!shows_hooks(rq, p, own))
		shown->http_pass = shown->signature = "";
	return shown;
}

static err_t
projects_create_webhook(struct req *rq, void *arg)
{
	struct webhook_in *in = arg;
	struct webhook *made;
	struct project *p;

	TRY(check_events(rq, &in->in.events));
	TRY(check_secret(rq, in->secret));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	in->in.id = in->id;
	in->in.signature = in->secret;
	in->in.security = in->security == 1;
	in->in.enabled = in->enabled != 0;
	TRY(webhook_create(&rq->cx, p, &in->in, &made));
	return reply(rq, 201, &webhook_shape, made);
}

static err_t
projects_list_webhooks(struct req *rq, void *arg)
{
	const struct children_in *in = arg;
	struct project *p;
	struct objs list;
	int64_t total;

	TRY(project_of(rq, in->project, RIGHT_READ, &p));
	TRY(webhook_list(&rq->cx, p, &in->queries, &list, &total));
	for (int i = 0; i < list.n; i++)
		list.v[i] = (void *)(uintptr_t)hook_shown(rq, p, in->project == NULL, list.v[i]);
	return reply_list(rq, &webhook_shape, "webhooks", total, &list);
}

static err_t
projects_get_webhook(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct webhook *found;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_READ, &p));
	if ((found = webhook_find(p, in->id)) == NULL)
		return fail(&rq->cx, ERR_WEBHOOK_NOT_FOUND, "id=%s", in->id);
	return reply(rq, 200, &webhook_shape, hook_shown(rq, p, in->project == NULL, found));
}

static err_t
projects_update_webhook(struct req *rq, void *arg)
{
	struct webhook_in *in = arg;
	struct webhook *now;
	struct project *p;

	TRY(check_events(rq, &in->in.events));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	in->in.security = in->security == 1;
	in->in.enabled = in->enabled != 0;
	TRY(webhook_update(&rq->cx, p, in->id, &in->in, &now));
	return reply(rq, 200, &webhook_shape, hook_shown(rq, p, in->project == NULL, now));
}

static err_t
projects_update_webhook_signature(struct req *rq, void *arg)
{
	const struct webhook_in *in = arg;
	struct webhook *now;
	struct project *p;

	TRY(check_secret(rq, in->secret));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(webhook_sign(&rq->cx, p, in->id, in->secret, &now));
	return reply(rq, 200, &webhook_shape, hook_shown(rq, p, in->project == NULL, now));
}

static err_t
projects_delete_webhook(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(webhook_delete(&rq->cx, p, in->id));
	return reply_none(rq);
}

/* ---- what was delivered to webhooks ---- */

struct deliveries_in {
	const char *project, *id, *delivery;
};
static const struct param deliveries_path[] = {PROJECT(struct deliveries_in), WEBHOOK_ID(struct deliveries_in)};
static const struct param replay_params[] = {
	PROJECT(struct deliveries_in),
	WEBHOOK_ID(struct deliveries_in),
	OPTIONAL("deliveryId", P_TEXT, struct deliveries_in, delivery, "Delivery to send again; empty: all that were not delivered in the end.", .def = "\"\"", .max = 128),
};

static err_t
webhook_of(struct req *rq, const struct deliveries_in *in, enum right right, struct project **p_out, struct webhook **out)
{
	TRY(project_for(rq, in->project, right, p_out));
	*out = webhook_find(*p_out, in->id);
	return *out != NULL ? OK : fail(&rq->cx, ERR_WEBHOOK_NOT_FOUND, "id=%s", in->id);
}

static err_t
projects_list_webhook_deliveries(struct req *rq, void *arg)
{
	enum { MOST = 1000 };
	struct project *p;
	struct webhook *w;
	struct objs list;

	TRY(webhook_of(rq, arg, RIGHT_READ, &p, &w));
	TRY(webhook_log(&rq->cx, p, w, MOST, &list));
	return reply_list(rq, &sent_shape, "deliveries", list.n, &list);
}

static err_t
projects_replay_webhook(struct req *rq, void *arg)
{
	const struct deliveries_in *in = arg;
	struct project *p;
	struct webhook *w;
	int64_t n;

	TRY(webhook_of(rq, in, RIGHT_CHANGE, &p, &w));
	TRY(webhook_replay(&rq->cx, p, w, in->delivery != NULL && in->delivery[0] != '\0' ? in->delivery : NULL, &n));
	return reply_none(rq);
}

/* ---- routes ---- */

#define OWN_HOOKS(method_, tail, name_, verb, handler_, model_, status_, doc_, st, rows_, ...)                                                          \
	{                                                                                                                                               \
		.method = method_, .path = "/v1/webhooks" tail, .service = "webhooks", .name = name_, .scope = "webhooks." verb, .limit = "",           \
		.handler = handler_, .model = model_, .status = status_, .doc = doc_, .since = SINCE_1_9, PARAMS(st, rows_), __VA_ARGS__              \
	}
static const struct route hook_rows[] = {
	PROJECTS("POST", "/:projectId/webhooks", "createWebhook", "write", projects_create_webhook, &webhook_shape, 201, "Create a webhook.", struct webhook_in,
	    webhook_create_params),
	LISTS("/:projectId/webhooks", "listWebhooks", projects_list_webhooks, &webhook_shape, "webhooks", "List webhooks.", struct children_in, webhooks_asked),
	PROJECTS("GET", "/:projectId/webhooks/:webhookId", "getWebhook", "read", projects_get_webhook, &webhook_shape, 200, "One webhook.", struct one_in,
	    webhook_path),
	PROJECTS("PUT", "/:projectId/webhooks/:webhookId", "updateWebhook", "write", projects_update_webhook, &webhook_shape, 200, "Change a webhook.",
	    struct webhook_in, webhook_update_params),
	PROJECTS("PATCH", "/:projectId/webhooks/:webhookId/signature", "updateWebhookSignature", "write", projects_update_webhook_signature, &webhook_shape, 200,
	    "Make a new signature key.", struct webhook_in, webhook_sign_params),
	PROJECTS("DELETE", "/:projectId/webhooks/:webhookId", "deleteWebhook", "write", projects_delete_webhook, NULL, 204, "Delete a webhook.", struct one_in,
	    webhook_path),
	LISTS("/:projectId/webhooks/:webhookId/deliveries", "listWebhookDeliveries", projects_list_webhook_deliveries, &sent_shape, "deliveries",
	    "What was delivered to a webhook in the last week, or was not; as far as it is remembered, the newest first.", struct deliveries_in, deliveries_path),
	PROJECTS("POST", "/:projectId/webhooks/:webhookId/deliveries", "replayWebhook", "write", projects_replay_webhook, NULL, 204,
	    "Deliver again what was not delivered, or one delivery.", struct deliveries_in, replay_params),

	OWN_HOOKS("POST", "", "create", "write", projects_create_webhook, &webhook_shape, 201, "Create a webhook.", struct webhook_in, own_hook_create_params),
	OWN_HOOKS("GET", "", "list", "read", projects_list_webhooks, &webhook_shape, 200, "List webhooks.", struct children_in, own_hooks_asked, .list = "webhooks"),
	OWN_HOOKS("GET", "/:webhookId", "get", "read", projects_get_webhook, &webhook_shape, 200, "One webhook.", struct one_in, own_hook_path),
	OWN_HOOKS("PUT", "/:webhookId", "update", "write", projects_update_webhook, &webhook_shape, 200, "Change a webhook.", struct webhook_in,
	    own_hook_update_params),
	OWN_HOOKS("PATCH", "/:webhookId/secret", "updateSecret", "write", projects_update_webhook_signature, &webhook_shape, 200, "Set its signature key.",
	    struct webhook_in, own_hook_sign_params),
	OWN_HOOKS("DELETE", "/:webhookId", "delete", "write", projects_delete_webhook, NULL, 204, "Delete a webhook.", struct one_in, own_hook_path),
};
const struct routes hook_routes = ROUTES(hook_rows);
