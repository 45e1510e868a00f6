/* What belongs to a project: platforms, keys, webhooks, domains. They are read with the project; a write here makes every cached
 * copy of it stale, and the answer is read back from the new one. */
#include <netdb.h>
#include <resolv.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/offload.h"
#include "core/vtime.h"
#include "io/psl.h"
#include "model/project_write.h"
#include "model/seal.h"
#include "svc/projects/project.h"

enum { SECRET_BYTES = 128, SIGNATURE_BYTES = 64, NAME_LEN = 256 };

const char *const platform_types[] = {"web", "flutter-ios", "flutter-android", "flutter-linux", "flutter-macos", "flutter-windows",
	"apple-ios", "apple-macos", "apple-watchos", "apple-tvos", "android", "unity", NULL};

/* ---- shared ---- */

/* Each child begins with its id. */
static void *
child_find(const struct objs *list, const char *id)
{
	for (int i = 0; i < list->n; i++)
		if (str_ieq(str_c(*(const char *const *)list->v[i]), str_c(id)))
			return list->v[i];
	return NULL;
}

static err_t
room_for(struct ctx *cx, const struct objs *list)
{
	if (list->n < PROJECT_CHILDREN_MAX)
		return OK;
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "A project has at most %d of these.", PROJECT_CHILDREN_MAX);
}

/* Writes, then finds the child in the project as it is now. `list` is the offset of its list in struct project. */
static err_t
write_child(struct ctx *cx, const struct project *p, size_t list, const char *id, err_t missing, void **out, const char *sql, int n,
    const char *const *v)
{
	struct project *now;

	TRY(project_write(cx, p, missing, sql, n, v));
	TRY(project_get_bare(cx, str_c(p->id), &now));
	*out = child_find((const struct objs *)(const void *)((const char *)now + list), id);
	return *out ? OK : fail(cx, missing, "id=%s", id);
}
#define WRITE_CHILD(cx, p, member, id, missing, out, sql, ...) \
	write_child(cx, p, offsetof(struct project, member), id, missing, (void **)(out), sql, DB(__VA_ARGS__))

static err_t
delete_child(struct ctx *cx, const struct project *p, const char *table, const char *id, err_t missing)
{
	return project_write(cx, p, missing,
	    arena_printf(cx->arena, "DELETE FROM badal.%s AS c WHERE c.project = $1 AND lower(c.id) = lower($2) RETURNING c.internal", table),
	    DB(pg_i64(cx->arena, p->internal), id));
}

static const char *
now_text(struct ctx *cx)
{
	return pg_time(cx->arena, time_now_ms());
}

static const char *
text(const char *s)
{
	return s ? s : "";
}

/* ---- platforms ---- */

struct platform *
platform_find(const struct project *p, const char *id)
{
	return child_find(&p->platforms, id);
}

err_t
platform_create(struct ctx *cx, const struct project *p, const struct platform *in, struct platform **out)
{
	const char *id = id_unique(cx->arena);

	TRY(room_for(cx, &p->platforms));
	return WRITE_CHILD(cx, p, platforms, id, ERR_PLATFORM_NOT_FOUND, out,
	    "INSERT INTO badal.platforms AS c (project, id, type, name, key, store, hostname, created, updated) "
	    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING c.internal",
	    pg_i64(cx->arena, p->internal), id, in->type, in->name, text(in->key), text(in->store), text(in->hostname), now_text(cx));
}

err_t
platform_update(struct ctx *cx, const struct project *p, const char *id, const struct platform *in, struct platform **out)
{
	return WRITE_CHILD(cx, p, platforms, id, ERR_PLATFORM_NOT_FOUND, out,
	    "UPDATE badal.platforms AS c SET name = $3, key = $4, store = $5, hostname = $6, updated = $7 "
	    "WHERE c.project = $1 AND lower(c.id) = lower($2) RETURNING c.internal",
	    pg_i64(cx->arena, p->internal), id, in->name, text(in->key), text(in->store), text(in->hostname), now_text(cx));
}

err_t
platform_delete(struct ctx *cx, const struct project *p, const char *id)
{
	return delete_child(cx, p, "platforms", id, ERR_PLATFORM_NOT_FOUND);
}

/* ---- keys ---- */

struct api_key *
key_find(const struct project *p, const char *id)
{
	return child_find(&p->keys, id);
}

err_t
key_create(struct ctx *cx, const struct project *p, const char *name, const struct strs *scopes, int64_t expire, struct api_key **out)
{
	struct arena *a = cx->arena;
	const char *id = id_unique(a), *secret = secret_hex(a, SECRET_BYTES);

	TRY(room_for(cx, &p->keys));
	return WRITE_CHILD(cx, p, keys, id, ERR_KEY_NOT_FOUND, out,
	    "INSERT INTO badal.keys AS c (project, id, name, scopes, secret, secret_hash, expire, created, updated) "
	    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING c.internal",
	    pg_i64(a, p->internal), id, name, pg_array(a, scopes->v, scopes->n), seal_text(a, secret), sha256_hex(a, str_c(secret)),
	    pg_time(a, expire), now_text(cx));
}

err_t
key_update(struct ctx *cx, const struct project *p, const char *id, const char *name, const struct strs *scopes, int64_t expire,
    struct api_key **out)
{
	struct arena *a = cx->arena;

	return WRITE_CHILD(cx, p, keys, id, ERR_KEY_NOT_FOUND, out,
	    "UPDATE badal.keys AS c SET name = $3, scopes = $4, expire = $5, updated = $6 "
	    "WHERE c.project = $1 AND lower(c.id) = lower($2) RETURNING c.internal",
	    pg_i64(a, p->internal), id, name, pg_array(a, scopes->v, scopes->n), pg_time(a, expire), now_text(cx));
}

err_t
key_delete(struct ctx *cx, const struct project *p, const char *id)
{
	return delete_child(cx, p, "keys", id, ERR_KEY_NOT_FOUND);
}

/* ---- webhooks ---- */

struct webhook *
webhook_find(const struct project *p, const char *id)
{
	return child_find(&p->webhooks, id);
}

err_t
webhook_create(struct ctx *cx, const struct project *p, const struct webhook *in, struct webhook **out)
{
	struct arena *a = cx->arena;
	const char *id = id_unique(a);

	TRY(room_for(cx, &p->webhooks));
	return WRITE_CHILD(cx, p, webhooks, id, ERR_WEBHOOK_NOT_FOUND, out,
	    "INSERT INTO badal.webhooks AS c (project, id, name, url, events, security, http_user, http_pass, signature, created, updated) "
	    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING c.internal",
	    pg_i64(a, p->internal), id, in->name, in->url, pg_array(a, in->events.v, in->events.n), pg_bool(in->security), text(in->http_user),
	    seal_text(a, text(in->http_pass)), seal_text(a, secret_hex(a, SIGNATURE_BYTES)), now_text(cx));
}

err_t
webhook_update(struct ctx *cx, const struct project *p, const char *id, const struct webhook *in, struct webhook **out)
{
	struct arena *a = cx->arena;

	return WRITE_CHILD(cx, p, webhooks, id, ERR_WEBHOOK_NOT_FOUND, out,
	    "UPDATE badal.webhooks AS c SET name = $3, url = $4, events = $5, security = $6, http_user = $7, http_pass = $8, updated = $9 "
	    "WHERE c.project = $1 AND lower(c.id) = lower($2) RETURNING c.internal",
	    pg_i64(a, p->internal), id, in->name, in->url, pg_array(a, in->events.v, in->events.n), pg_bool(in->security), text(in->http_user),
	    seal_text(a, text(in->http_pass)), now_text(cx));
}

err_t
webhook_sign(struct ctx *cx, const struct project *p, const char *id, struct webhook **out)
{
	struct arena *a = cx->arena;

	return WRITE_CHILD(cx, p, webhooks, id, ERR_WEBHOOK_NOT_FOUND, out,
	    "UPDATE badal.webhooks AS c SET signature = $3, updated = $4 WHERE c.project = $1 AND lower(c.id) = lower($2) RETURNING c.internal",
	    pg_i64(a, p->internal), id, seal_text(a, secret_hex(a, SIGNATURE_BYTES)), now_text(cx));
}

err_t
webhook_delete(struct ctx *cx, const struct project *p, const char *id)
{
	return delete_child(cx, p, "webhooks", id, ERR_WEBHOOK_NOT_FOUND);
}

/* ---- domains ---- */

struct domain *
domain_find(const struct project *p, const char *id)
{
	return child_find(&p->domains, id);
}

err_t
domain_create(struct ctx *cx, const struct project *p, const char *name, struct domain **out)
{
	struct arena *a = cx->arena;
	const char *id = id_unique(a);
	err_t e;

	TRY(room_for(cx, &p->domains));
	e = WRITE_CHILD(cx, p, domains, id, ERR_DOMAIN_NOT_FOUND, out,
	    "INSERT INTO badal.domains AS c (project, id, domain, tld, registerable, created, updated) VALUES ($1, $2, $3, $4, $5, $6, $6) "
	    "RETURNING c.internal",
	    pg_i64(a, p->internal), id, name, str_dup(a, psl_suffix(str_c(name))), str_dup(a, psl_registrable(str_c(name))), now_text(cx));
	return e == ERR_DB_UNIQUE ? fail(cx, ERR_DOMAIN_ALREADY_EXISTS, "domain=%s", name) : e;
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
	return WRITE_CHILD(cx, p, domains, id, ERR_DOMAIN_NOT_FOUND, out,
	    "UPDATE badal.domains AS c SET verification = true, updated = $3 WHERE c.project = $1 AND lower(c.id) = lower($2) RETURNING c.internal",
	    pg_i64(cx->arena, p->internal), id, now_text(cx));
}

err_t
domain_delete(struct ctx *cx, const struct project *p, const char *id)
{
	return delete_child(cx, p, "domains", id, ERR_DOMAIN_NOT_FOUND);
}
