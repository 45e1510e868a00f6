/* What belongs to a project: platforms, keys, webhooks, domains. They are read with the project; a write here makes every cached
 * copy of it stale, and is answered by the row that it wrote. */
#include <netdb.h>
#include <resolv.h>

#include "core/conf.h"
#include "core/protocol.h"
#include "model/key.h"
#include "core/id.h"
#include "core/offload.h"
#include "core/vtime.h"
#include "io/psl.h"
#include "model/project_write.h"
#include "model/record.h"
#include "svc/projects/projects_priv.h"
#include "svc/webhooks/webhooks.h"

enum { SECRET_BYTES = 128, SIGNATURE_BYTES = 64, NAME_LEN = 256, CHILDREN_PAGE = 5000 };

const char *const platform_types[] = {"web", "flutter-ios", "flutter-android", "flutter-linux", "flutter-macos", "flutter-windows",
	"apple-ios", "apple-macos", "apple-watchos", "apple-tvos", "android", "unity", "flutter-web", "react-native-ios", "react-native-android", NULL};

#define CHILD(name, shape_, missing_, taken_) \
	static const struct record name = {.shape = shape_, .table = "badal." #name, .alias = "c", .entity = #name, .page = CHILDREN_PAGE, \
		.missing = missing_, .taken = taken_}

CHILD(platforms, &platform_shape, ERR_PLATFORM_NOT_FOUND, ERR_PLATFORM_ALREADY_EXISTS);
CHILD(keys, &key_shape, ERR_KEY_NOT_FOUND, ERR_KEY_ALREADY_EXISTS);
CHILD(webhooks, &webhook_shape, ERR_WEBHOOK_NOT_FOUND, ERR_WEBHOOK_ALREADY_EXISTS);
CHILD(domains, &domain_shape, ERR_DOMAIN_NOT_FOUND, ERR_DOMAIN_ALREADY_EXISTS);

/* ---- shared ---- */

/* Each child begins with its id. */
void *
project_child_find(const struct objs *list, const char *id)
{
	for (int i = 0; i < list->n; i++)
		if (str_ieq(str_c(*(const char *const *)list->v[i]), str_c(id)))
			return list->v[i];
	return NULL;
}

static err_t
child_add_tx(struct db_tx *tx, const struct project *p, const struct record *rec, void *child)
{
	struct ctx *cx = tx_ctx(tx);
	const struct event ev = project_event(cx, &ev_project_update, p->id, NULL);
	const char *number = pg_i64(cx->arena, p->internal);
	struct db_res *r;

	/* those that are made at the same time wait for each other, so that they are counted */
	TRY(tx_query(tx, &r, "SELECT 1 FROM badal.projects WHERE internal = $1 FOR NO KEY UPDATE", DB(number)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", p->id);
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT count(*) FROM %s WHERE project = $1", rec->table), DB(number)));
	if (db_i64(r, 0, 0) >= PROJECT_CHILDREN_MAX)
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "A project has at most %d of these.", PROJECT_CHILDREN_MAX);
	TRY(record_insert(tx, p, rec, child));
	event_emit(tx, &ev);
	return OK;
}

err_t
project_child_add(struct ctx *cx, const struct project *p, const struct record *rec, void *child)
{
	record_init(cx, rec, child);
	return TX_RUN(cx, tx, child_add_tx(tx, p, rec, child));
}

struct rows
project_child_rows(struct ctx *cx, const struct project *p, const char *id)
{
	return (struct rows){"@.project = $1::bigint AND lower(@.id) = lower($2)", 2, {pg_i64(cx->arena, p->internal), id}};
}

/* `set` NULL: it is deleted. */
static err_t
write_within(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, const char *set, const void *values, void *out)
{
	struct ctx *cx = tx_ctx(tx);
	const struct event ev = project_event(cx, &ev_project_update, p->id, NULL);

	if (set != NULL)
		TRY(record_set(tx, p, rec, w, set, values, out));
	else
		TRY(record_delete(tx, p, rec, w, out));
	event_emit(tx, &ev);
	return OK;
}

err_t
project_child_change(struct ctx *cx, const struct project *p, const struct record *rec, const char *id, const char *set, const void *values, void **out)
{
	*out = arena_zalloc(cx->arena, rec->shape->size);
	return TX_RUN(cx, tx, write_within(tx, p, rec, project_child_rows(cx, p, id), set, values, *out));
}

err_t
project_child_delete(struct ctx *cx, const struct project *p, const struct record *rec, const char *id)
{
	void *gone = arena_zalloc(cx->arena, rec->shape->size);

	return TX_RUN(cx, tx, write_within(tx, p, rec, project_child_rows(cx, p, id), NULL, NULL, gone));
}

err_t
project_child_list(struct ctx *cx, const struct project *p, const struct record *rec, const struct objs *all, const struct strs *queries,
    struct objs *out, int64_t *total_out)
{
	struct rows w = {"@.project = $1::bigint", 1, {pg_i64(cx->arena, p->internal)}};
	struct query_page page;

	*total_out = all->n;
	if (queries->n == 0) {
		*out = (struct objs){all->n, arena_array(cx->arena, void *, all->n + 1)};
		for (int i = 0; i < all->n; i++)
			out->v[i] = all->v[i];
		return OK;
	}
	TRY(record_list(cx, p, rec, w, queries, NULL, &page));
	*out = page.res != NULL ? shape_rows(cx, rec->shape, page.res) : (struct objs){0};
	*total_out = page.total;
	return OK;
}

/* ---- platforms ---- */

struct platform *
platform_find(const struct project *p, const char *id)
{
	return project_child_find(&p->platforms, id);
}

err_t
platform_create(struct ctx *cx, const struct project *p, const struct platform *in, struct platform **out)
{
	struct platform *c = arena_new_of(cx->arena, struct platform);

	*c = *in;
	c->project = p->internal;
	*out = c;
	return project_child_add(cx, p, &platforms, c);
}

err_t
platform_update(struct ctx *cx, const struct project *p, const char *id, const struct platform *in, const char *set, struct platform **out)
{
	return project_child_change(cx, p, &platforms, id, set, in, (void **)out);
}

/* What lists of platforms may be asked by, in the words of today: the types of before are kinds, and what an app is known by has a name of its kind. */
#define KEY_AS(name_) {.key = name_, .column = "c.key", .type = F_STR, .off = offsetof(struct platform, key), .flags = COL_ASKED, .doc = ""}
static const struct field platform_asked_fields[] = {
	FIELD_HIDDEN(F_INT, struct platform, internal, "c.internal"),
	FIELD(F_ID, struct platform, id, "$id", "c.id", ""),
	FIELD(F_TIME, struct platform, created, "$createdAt", "c.created", ""),
	FIELD(F_TIME, struct platform, updated, "$updatedAt", "c.updated", ""),
	FIELD(F_STR, struct platform, name, "name", "c.name", "", .flags = COL_ASKED),
	FIELD_HIDDEN(F_STR, struct platform, type, "c.type"),
	FIELD(F_STR, struct platform, kind, "type", "CASE WHEN c.type LIKE 'apple%' OR c.type IN ('flutter-ios', 'flutter-macos', 'react-native-ios') THEN 'apple' "
	    "WHEN c.type = 'unity' THEN 'android' WHEN c.type LIKE '%web' THEN 'web' ELSE regexp_replace(c.type, '^(flutter|react-native)-', '') END", "",
	    .flags = COL_ASKED),
	FIELD_HIDDEN(F_STR, struct platform, store, "c.store"),
	FIELD(F_STR, struct platform, hostname, "hostname", "c.hostname", "", .flags = COL_ASKED),
	KEY_AS("key"), KEY_AS("bundleIdentifier"), KEY_AS("applicationId"), KEY_AS("packageIdentifierName"), KEY_AS("packageName"),
};
static const struct shape platform_asked_shape = SHAPE("platform", struct platform, platform_asked_fields);
static const struct record platforms_asked = {.shape = &platform_asked_shape, .table = "badal.platforms", .alias = "c", .entity = "Platform", .page = CHILDREN_PAGE,
	.missing = ERR_PLATFORM_NOT_FOUND, .taken = ERR_PLATFORM_ALREADY_EXISTS};

err_t
platform_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct objs *out, int64_t *total_out)
{
	return project_child_list(cx, p, &platforms_asked, &p->platforms, queries, out, total_out);
}

err_t
platform_delete(struct ctx *cx, const struct project *p, const char *id)
{
	return project_child_delete(cx, p, &platforms, id);
}

/* ---- keys ---- */

struct api_key *
key_find(const struct project *p, const char *id)
{
	return project_child_find(&p->keys, id);
}

/* Clients before 1.6 know secrets without a word for their kind. */
err_t
key_create(struct ctx *cx, const struct project *p, const struct api_key *in, struct api_key **out)
{
	struct api_key *c = arena_new_of(cx->arena, struct api_key);

	*c = (struct api_key){.id = in->id, .project = p->internal, .name = in->name, .scopes = in->scopes, .expire = in->expire, .accessed = TIME_NONE,
		.secret = arena_printf(cx->arena, "%s%s", cx->format < SINCE_1_6 ? "" : KEY_STANDARD_PREFIX, secret_hex(cx->arena, SECRET_BYTES))};
	c->secret_hash = sha256_hex(cx->arena, str_c(c->secret));
	*out = c;
	return project_child_add(cx, p, &keys, c);
}

err_t
key_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct objs *out, int64_t *total_out)
{
	return project_child_list(cx, p, &keys, &p->keys, queries, out, total_out);
}

err_t
key_update(struct ctx *cx, const struct project *p, const char *id, const struct api_key *values, const struct api_key *most, struct api_key **out)
{
	struct rows w = {"@.project = $1::bigint AND lower(@.id) = lower($2) AND ($3::text[] IS NULL OR @.scopes <@ $3::text[]) "
		"AND ($4::timestamptz IS NULL OR @.expire <= $4::timestamptz)", 4,
	    {pg_i64(cx->arena, p->internal), id, most != NULL ? pg_array(cx->arena, most->scopes.v, most->scopes.n) : NULL,
		most != NULL && most->expire != TIME_NONE ? pg_time(cx->arena, most->expire) : NULL}};

	*out = arena_new_of(cx->arena, struct api_key);
	return TX_RUN(cx, tx, write_within(tx, p, &keys, w, "name scopes expire", values, *out));
}

err_t
key_delete(struct ctx *cx, const struct project *p, const char *id)
{
	return project_child_delete(cx, p, &keys, id);
}

/* ---- keys of developers ---- */

CHILD(dev_keys, &dev_key_shape, ERR_KEY_NOT_FOUND, ERR_KEY_ALREADY_EXISTS);

struct api_key *
dev_key_find(const struct project *p, const char *id)
{
	return project_child_find(&p->dev_keys, id);
}

err_t
dev_key_create(struct ctx *cx, const struct project *p, const struct api_key *in, struct api_key **out)
{
	struct api_key *c = arena_new_of(cx->arena, struct api_key);

	*c = (struct api_key){.project = p->internal, .name = in->name, .expire = in->expire, .accessed = TIME_NONE, .secret = secret_hex(cx->arena, SECRET_BYTES)};
	c->secret_hash = sha256_hex(cx->arena, str_c(c->secret));
	*out = c;
	return project_child_add(cx, p, &dev_keys, c);
}

err_t
dev_key_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct objs *out, int64_t *total_out)
{
	return project_child_list(cx, p, &dev_keys, &p->dev_keys, queries, out, total_out);
}

err_t
dev_key_update(struct ctx *cx, const struct project *p, const char *id, const struct api_key *values, struct api_key **out)
{
	return project_child_change(cx, p, &dev_keys, id, "name expire", values, (void **)out);
}

err_t
dev_key_delete(struct ctx *cx, const struct project *p, const char *id)
{
	return project_child_delete(cx, p, &dev_keys, id);
}

/* ---- webhooks ---- */

struct webhook *
webhook_find(const struct project *p, const char *id)
{
	return project_child_find(&p->webhooks, id);
}

err_t
webhook_create(struct ctx *cx, const struct project *p, const struct webhook *in, struct webhook **out)
{
	struct webhook *c = arena_new_of(cx->arena, struct webhook);

	*c = *in;
	c->project = p->internal;
	if (in->signature == NULL)
		c->signature = secret_hex(cx->arena, SIGNATURE_BYTES);
	c->attempts = 0;
	c->logs = "";
	*out = c;
	return project_child_add(cx, p, &webhooks, c);
}

err_t
webhook_update(struct ctx *cx, const struct project *p, const char *id, const struct webhook *in, struct webhook **out)
{
	struct webhook w = *in;		/* whoever saves it has looked at it: the count of failures begins anew */

	w.attempts = 0;
	return project_child_change(cx, p, &webhooks, id, "name url events security http_user http_pass enabled attempts", &w, (void **)out);
}

err_t
webhook_list(struct ctx *cx, const struct project *p, const struct strs *queries, struct objs *out, int64_t *total_out)
{
	return project_child_list(cx, p, &webhooks, &p->webhooks, queries, out, total_out);
}

err_t
webhook_sign(struct ctx *cx, const struct project *p, const char *id, const char *secret, struct webhook **out)
{
	const struct webhook values = {.signature = secret ? secret : secret_hex(cx->arena, SIGNATURE_BYTES)};

	return project_child_change(cx, p, &webhooks, id, "signature", &values, (void **)out);
}

static err_t
webhook_delete_tx(struct db_tx *tx, const struct project *p, const char *id, struct webhook *gone)
{
	TRY(write_within(tx, p, &webhooks, project_child_rows(tx_ctx(tx), p, id), NULL, NULL, gone));
	webhook_forget(tx, p->id, gone->id);
	return OK;
}

err_t
webhook_delete(struct ctx *cx, const struct project *p, const char *id)
{
	struct webhook gone = {0};

	return TX_RUN(cx, tx, webhook_delete_tx(tx, p, id, &gone));
}

/* ---- domains ---- */

struct domain *
domain_find(const struct project *p, const char *id)
{
	return project_child_find(&p->domains, id);
}

err_t
domain_create(struct ctx *cx, const struct project *p, const char *name, struct domain **out)
{
	struct domain *c = arena_new_of(cx->arena, struct domain);

	*c = (struct domain){.project = p->internal, .domain = name, .tld = str_dup(cx->arena, psl_suffix(str_c(name))),
		.registerable = str_dup(cx->arena, psl_registrable(str_c(name)))};
	*out = c;
	return project_child_add(cx, p, &domains, c);
}

struct lookup {			/* runs on a thread of the pool: the resolver blocks */
	char name[NAME_LEN], target[NAME_LEN];
	bool found;
};

/* RFC 1035: does the answer hold a CNAME record of the name with this target? */
static void
lookup_run(void *arg)
{
	struct lookup *l = arg;
	struct __res_state rs = {0};
	unsigned char answer[4096];
	char target[NAME_LEN];
	ns_msg msg;
	ns_rr rr;
	int n;

	if (res_ninit(&rs) != 0)
		return;
	n = res_nquery(&rs, l->name, ns_c_in, ns_t_cname, answer, sizeof answer);
	if (n > 0 && n <= (int)sizeof answer && ns_initparse(answer, n, &msg) == 0)
		for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++)
			if (ns_parserr(&msg, ns_s_an, i, &rr) == 0 && ns_rr_type(rr) == ns_t_cname &&
			    ns_name_uncompress(ns_msg_base(msg), ns_msg_end(msg), ns_rr_rdata(rr), target, sizeof target) >= 0)
				l->found = l->found || str_ieq(str_c(target), str_c(l->target));
	res_nclose(&rs);
}

err_t
domain_verify(struct ctx *cx, const struct project *p, const char *id, struct domain **out)
{
	struct domain *d = domain_find(p, id);
	struct lookup *l = arena_new_of(cx->arena, struct lookup);

	if (d == NULL)
		return fail(cx, ERR_DOMAIN_NOT_FOUND, "id=%s", id);
	*out = d;
	if (d->verification)
		return OK;
	snprintf(l->name, sizeof l->name, "%s", d->domain);
	snprintf(l->target, sizeof l->target, "%s", conf.domain_target);
	if (l->target[0] != '\0')
		TRY(offload(cx, LANE_resolve, lookup_run, l));
	if (!l->found)
		return fail(cx, ERR_DOMAIN_VERIFICATION_FAILED, "domain=%s target=%s", d->domain, conf.domain_target);
	return project_child_change(cx, p, &domains, id, "verification", &(struct domain){.verification = true}, (void **)out);
}

err_t
domain_delete(struct ctx *cx, const struct project *p, const char *id)
{
	return project_child_delete(cx, p, &domains, id);
}
