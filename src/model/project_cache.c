/* Projects as every request needs them, with platforms and keys: one statement on a miss, a generation check on a hit. Entries are immutable
 * and counted; a context that got one holds a reference until it ends. */
#include <assert.h>

#include "core/conf.h"
#include "core/gen.h"
#include "core/id.h"
#include "core/json.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/project_write.h"
#include "model/seal.h"
#include "model/space.h"

enum { LOOKS = 3 };

struct entry {			/* in its own arena */
	struct project p;	/* must be first */
	struct arena *arena;
	uint64_t stale;		/* stable hash of project_stale_key */
	uint32_t gen;		/* its generation before the row was read */
};

static struct lru *cache;

const char *const project_auth_keys[PROJECT_AUTHS] = {
#define AUTH(path, key, label, words) key,
#include "tbl/sign_in.h"
};
const char *const project_service_names[PROJECT_SERVICES] = {
#define FIXED(room)
#define SERVICE(room, label) #room,
#include "tbl/services.h"
#undef FIXED
};
const char *const project_provider_keys[PROJECT_PROVIDERS] = {
#define PROVIDER(name, label) #name,
#include "tbl/providers.h"
#undef PROVIDER
};

const char *
project_stale_key(struct ctx *cx, const char *id)
{
	return str_lower(cx->arena, str_c(arena_printf(cx->arena, "project:%s", id))).p;
}

static void
entry_unref(void *arg)
{
	struct entry *e = arg;
	struct arena *a = e->arena;

	assert(e->p.refs > 0);
	if (--e->p.refs == 0)
		arena_free(&a);
}

static struct project *
entry_use(struct ctx *cx, struct entry *e)
{
	e->p.refs++;
	defer(cx, entry_unref, e);
	return &e->p;
}

/* ---- reading: children come as JSON lists of our own SQL ---- */

static const char *
text_at(struct arena *a, const json_t *row, size_t i)
{
	const json_t *j = json_array_get(row, i);

	return json_is_string(j) ? str_dup(a, json_str(j)) : "";
}

static int64_t
time_at(const json_t *row, size_t i)
{
	const json_t *j = json_array_get(row, i);

	return json_is_integer(j) ? json_integer_value(j) : TIME_NONE;
}

static struct strs
texts_at(struct arena *a, const json_t *row, size_t i)
{
	const json_t *list = json_array_get(row, i);
	struct strs s = {.set = true, .v = arena_array(a, const char *, json_array_size(list) + 1)};

	for (size_t k = 0; k < json_array_size(list); k++)
		s.v[s.n++] = str_dup(a, json_str(json_array_get(list, k)));
	return s;
}

static const char *
sealed_at(struct arena *a, const json_t *row, size_t i)
{
	const char *clear = seal_open(a, json_str(json_array_get(row, i)));

	return clear ? clear : "";
}

static void *
platform_read(struct arena *a, const json_t *row)
{
	struct platform *c = arena_new_of(a, struct platform);

	*c = (struct platform){
		.id = text_at(a, row, 0),
		.created = time_at(row, 1),
		.updated = time_at(row, 2),
		.type = text_at(a, row, 3),
		.name = text_at(a, row, 4),
		.key = text_at(a, row, 5),
		.store = text_at(a, row, 6),
		.hostname = text_at(a, row, 7),
	};
	return c;
}

static void *
key_read(struct arena *a, const json_t *row)
{
	struct api_key *c = arena_new_of(a, struct api_key);

	*c = (struct api_key){
		.id = text_at(a, row, 0),
		.created = time_at(row, 1),
		.updated = time_at(row, 2),
		.name = text_at(a, row, 3),
		.scopes = texts_at(a, row, 4),
		.secret = sealed_at(a, row, 5),
		.secret_hash = text_at(a, row, 6),
		.expire = time_at(row, 7),
		.accessed = time_at(row, 8),
		.sdks = texts_at(a, row, 9),
	};
	return c;
}

static void *
webhook_read(struct arena *a, const json_t *row)
{
	struct webhook *c = arena_new_of(a, struct webhook);

	*c = (struct webhook){
		.id = text_at(a, row, 0),
		.created = time_at(row, 1),
		.updated = time_at(row, 2),
		.name = text_at(a, row, 3),
		.url = text_at(a, row, 4),
		.events = texts_at(a, row, 5),
		.security = json_is_true(json_array_get(row, 6)),
		.http_user = text_at(a, row, 7),
		.http_pass = sealed_at(a, row, 8),
		.signature = sealed_at(a, row, 9),
	};
	return c;
}

static void *
domain_read(struct arena *a, const json_t *row)
{
	struct domain *c = arena_new_of(a, struct domain);

	*c = (struct domain){
		.id = text_at(a, row, 0),
		.created = time_at(row, 1),
		.updated = time_at(row, 2),
		.domain = text_at(a, row, 3),
		.registerable = text_at(a, row, 4),
		.tld = text_at(a, row, 5),
		.verification = json_is_true(json_array_get(row, 6)),
		.certificate = text_at(a, row, 7),
	};
	return c;
}

/* id, created, updated and `columns` of a child table as a JSON list of lists. */
#define CHILD(table, columns)                                                                                                                 \
	", (SELECT json_agg(json_build_array(c.id, (extract(epoch FROM c.created) * 1000)::bigint, (extract(epoch FROM c.updated) * 1000)::bigint, " columns \
	")) FROM (SELECT * FROM badal." table " WHERE project = p.internal ORDER BY internal LIMIT 1000) c)"

static const char load_sql[] = "SELECT p.internal, p.id, p.name, p.team_id, p.created, p.updated, p.description, p.logo, p.url, p.legal_name, "
			       "p.legal_country, p.legal_state, p.legal_city, p.legal_address, p.legal_tax_id, p.user_limit, p.auths, p.services, p.providers, "
			       "p.version, p.needs, p.stuck, p.stuck_at"
    CHILD("platforms", "c.type, c.name, c.key, c.store, c.hostname")
    CHILD("webhooks", "c.name, c.url, c.events, c.security, c.http_user, c.http_pass, c.signature")
    CHILD("keys", "c.name, c.scopes, c.secret, c.secret_hash, (extract(epoch FROM c.expire) * 1000)::bigint, "
		  "(extract(epoch FROM c.accessed) * 1000)::bigint, c.sdks")
    CHILD("domains", "c.domain, c.registerable, c.tld, c.verification, c.certificate")
    " FROM badal.projects p WHERE lower(p.id) = lower($1)";

static struct objs
children(struct ctx *cx, struct arena *a, struct str text, void *(*read)(struct arena *, const json_t *))
{
	const json_t *list = text.n > 0 ? json_parse(cx, text, NULL) : NULL;
	struct objs o = {.v = arena_array(a, void *, json_array_size(list) + 1)};

	for (size_t i = 0; i < json_array_size(list); i++)
		o.v[o.n++] = read(a, json_array_get(list, i));
	return o;
}

static void
read_toggles(bool *to, const char *const *names, int n, const json_t *j)
{
	for (int i = 0; i < n; i++)
		to[i] = !json_is_false(json_object_get(j, names[i]));
}

static void
read_providers(struct ctx *cx, struct arena *a, struct project *p, const json_t *j)
{
	for (int i = 0; i < PROJECT_PROVIDERS; i++) {
		p->providers[i][0] = seal_open(a, json_str(json_object_get(j, arena_printf(cx->arena, "%sAppid", project_provider_keys[i]))));
		p->providers[i][1] = seal_open(a, json_str(json_object_get(j, arena_printf(cx->arena, "%sSecret", project_provider_keys[i]))));
	}
}

static struct entry *
entry_read(struct ctx *cx, const struct db_res *r)
{
	struct arena *a = arena_new();
	struct entry *e = arena_new_of(a, struct entry);
	struct project *p = &e->p;
	const char **texts[] = {&p->description, &p->logo, &p->url, &p->legal_name, &p->legal_country, &p->legal_state, &p->legal_city,
		&p->legal_address, &p->legal_tax_id};

	e->arena = a;
	p->internal = db_i64(r, 0, 0);
	p->id = str_dup(a, db_str(r, 0, 1));
	p->name = str_dup(a, db_str(r, 0, 2));
	p->team_id = str_dup(a, db_str(r, 0, 3));
	p->schema = arena_printf(a, "p_%lld", (long long)p->internal);
	p->created = db_time(r, 0, 4);
	p->updated = db_time(r, 0, 5);
	for (int i = 0; i < (int)(sizeof texts / sizeof *texts); i++)
		*texts[i] = str_dup(a, db_str(r, 0, 6 + i));
	p->user_limit = db_i64(r, 0, 15);
	read_toggles(p->auths, project_auth_keys, PROJECT_AUTHS, json_parse(cx, db_str(r, 0, 16), NULL));
	read_toggles(p->services, project_service_names, PROJECT_SERVICES, json_parse(cx, db_str(r, 0, 17), NULL));
	read_providers(cx, a, p, json_parse(cx, db_str(r, 0, 18), NULL));
	p->version = (int)db_i64(r, 0, 19);
	p->needs = (int)db_i64(r, 0, 20);
	p->stuck = str_dup(a, db_str(r, 0, 21));
	p->stuck_at = db_time(r, 0, 22);
	p->platforms = children(cx, a, db_str(r, 0, 23), platform_read);
	p->webhooks = children(cx, a, db_str(r, 0, 24), webhook_read);
	p->keys = children(cx, a, db_str(r, 0, 25), key_read);
	p->domains = children(cx, a, db_str(r, 0, 26), domain_read);
	return e;
}

/* Built in, never stored. */
static struct project *
console(void)
{
	static struct platform web = {.id = "localhost", .type = "web", .name = "Localhost", .key = "", .store = "", .hostname = "localhost"};
	static void *platforms[] = {&web};
	static struct project p = {
		.console = true,
		.id = "console",
		.name = "Appwrite",
		.schema = "p_0",
		.description = "",
		.logo = "",
		.url = "",
		.legal_name = "",
		.legal_country = "",
		.legal_state = "",
		.legal_city = "",
		.legal_address = "",
		.legal_tax_id = "",
		.platforms = {1, platforms},
	};

	p.user_limit = strcmp(conf.console_signup, "open") == 0 ? 0 : 1;
	for (int i = 0; i < PROJECT_AUTHS; i++)
		p.auths[i] = true;
	for (int i = 0; i < PROJECT_SERVICES; i++)
		p.services[i] = true;
	return &p;
}

/* The cached entry, unless its project has changed since. */
static struct project *
cache_get(struct ctx *cx, struct str key)
{
	struct entry *e = cache ? lru_get(cache, key) : NULL;

	if (e != NULL && e->gen == gen_of_hash(e->stale)) {
		metric_add(M_cache_hits, 1);
		return entry_use(cx, e);
	}
	metric_add(M_cache_misses, 1);
	return NULL;
}

err_t
project_get_bare(struct ctx *cx, struct str id, struct project **out)
{
	struct str key = str_lower(cx->arena, id);
	struct db_res *r;
	struct entry *e;
	uint64_t stale;
	uint32_t gen;

	if (str_is(key, "console")) {
		*out = console();
		return OK;
	}
	if (!id_valid(id))
		return fail(cx, ERR_PROJECT_NOT_FOUND, "malformed id");
	if ((*out = cache_get(cx, key)) != NULL)
		return OK;
	stale = str_hash_stable(str_c(project_stale_key(cx, key.p)));
	gen = gen_of_hash(stale);
	TRY(db_query(cx, &r, load_sql, DB(key.p)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", key.p);
	e = entry_read(cx, r);
	e->stale = stale;
	e->gen = gen;
	e->p.refs = 1;
	if (cache == NULL)
		cache = lru_new(conf.cache_entries > 0 ? (size_t)conf.cache_entries : 1, entry_unref);
	lru_put(cache, key, e);
	*out = entry_use(cx, e);
	return OK;
}

/* What brings a space up bumps the project's generation, so the next look reads the row. A row that others have changed in the meantime
 * may be behind once more. */
err_t
project_get(struct ctx *cx, struct str id, struct project **out)
{
	TRY(db_migrate_load(cx));
	for (int i = 0; i < LOOKS; i++) {
		TRY(project_get_bare(cx, id, out));
		if (space_fits(*out))
			return OK;
		TRY(space_bring_up(cx, *out));
	}
	return fail(cx, ERR_PROJECT_BEHIND, "project=%s is behind again and again", (*out)->id);
}

void
project_cache_clear(void)
{
	lru_free(&cache);
}

bool
project_service_on(const struct project *p, const char *service)
{
	for (int i = 0; i < PROJECT_SERVICES; i++)
		if (strcmp(project_service_names[i], service) == 0)
			return p->services[i];
	return true;
}

bool
project_auth_on(const struct project *p, const char *method)
{
	for (int i = 0; i < PROJECT_AUTHS; i++)
		if (strcmp(project_auth_keys[i], method) == 0)
			return p->auths[i];
	return true;
}

bool
project_host_matches(const char *rule, struct str host)
{
	struct str r = str_c(rule);

	if (host.n == 0)
		return false;
	if (str_is(r, "*") || str_eq(r, host))
		return true;
	while (r.p != NULL && host.p != NULL) {
		struct str want = str_cut(&r, '.'), have = str_cut(&host, '.');

		if (have.n == 0 || (!str_is(want, "*") && !str_eq(want, have)))
			return false;
	}
	return r.p == NULL && host.p == NULL;
}

struct api_key *
project_key_find(const struct project *p, struct str secret)
{
	struct api_key *found = NULL;

	for (int i = 0; i < p->keys.n; i++) {
		struct api_key *k = p->keys.v[i];

		if (k->secret[0] != '\0' && str_eq_secret(str_c(k->secret), secret))
			found = k;
	}
	return found;
}
