/* Projects as every request needs them, with platforms and keys: one statement on a miss, a generation check on a hit. Entries are immutable
 * and counted; a context that got one holds a reference until it ends. */
#include <assert.h>
#include <stdlib.h>

#include "core/protocol.h"
#include "core/conf.h"
#include "core/gen.h"
#include "core/id.h"
#include "core/json.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/project_write.h"
#include "model/pack.h"
#include "model/seal.h"
#include "model/space.h"

enum { LOOKS = 3 };

struct entry {			/* one allocation: everything it points to follows it */
	struct project p;	/* must be first */
	uint64_t stale;		/* stable hash of project_stale_key */
	uint32_t gen;		/* its generation before the row was read */
};

static struct lru *cache;

const char *const project_auth_keys[PROJECT_AUTHS] = {
#define AUTH(path, key, label, words, since) key,
#include "tbl/sign_in.h"
};
const char *const project_service_names[PROJECT_SERVICES] = {
#define FIXED(room)
#define SERVICE(room, label) #room,
#define FAMILY(name, label, since) #name,
#include "tbl/services.h"
#undef FIXED
};
const char *const project_provider_keys[PROJECT_PROVIDERS] = {
#define PROVIDER(name, label) #name,
#include "tbl/providers.h"
#undef PROVIDER
};

const char *const project_protocol_names[PROJECT_PROTOCOLS] = {"rest", "graphql", "websocket"};

const char *
project_stale_key(struct ctx *cx, const char *id)
{
	return str_lower(cx->arena, str_c(arena_printf(cx->arena, "project:%s", id))).p;
}

static void
project_cache_entry_unref(void *arg)
{
	struct entry *e = arg;

	assert(e->p.refs > 0);
	if (--e->p.refs == 0)
		free(e);
}

static struct project *
project_cache_entry_use(struct ctx *cx, struct entry *e)
{
	e->p.refs++;
	defer(cx, project_cache_entry_unref, e);
	return &e->p;
}

/* ---- reading ---- */

/* The rows of a child table as a JSON list. */
#define CHILDREN ", (SELECT json_agg(%s) FROM (SELECT * FROM badal.%s WHERE project = p.internal ORDER BY internal LIMIT %d) c)"

static const char *
project_cache_load_sql(void)
{
	static const struct { const char *table; const struct shape *shape; int max; } children[] = {
		{"platforms", &platform_shape, PROJECT_CHILDREN_MAX}, {"webhooks", &webhook_shape, PROJECT_CHILDREN_MAX},
		{"keys", &key_shape, PROJECT_CHILDREN_MAX}, {"domains", &domain_shape, PROJECT_CHILDREN_MAX},
		{"mock_numbers", &mock_number_shape, PROJECT_MOCK_NUMBERS_MAX}, {"dev_keys", &dev_key_shape, PROJECT_CHILDREN_MAX}};
	static struct buf b;

	if (b.n > 0)
		return b.p;
	buf_init(&b, NULL, 2048);
	BUF_LIT(&b, "SELECT p.auths, p.services, p.protocols, p.providers");
	for (size_t i = 0; i < sizeof children / sizeof *children; i++)
		buf_printf(&b, CHILDREN, shape_json_columns(children[i].shape), children[i].table, children[i].max);
	buf_printf(&b, ", %s FROM badal.projects p WHERE lower(p.id) = lower($1)", shape_columns(&project_shape));
	return b.p;
}

static void
read_toggles(bool *to, const char *const *names, int n, const json_t *j)
{
	for (int i = 0; i < n; i++)
		to[i] = !json_is_false(json_object_get(j, names[i]));
}

static void
read_providers(struct ctx *cx, struct project *p, const json_t *j)
{
	struct arena *a = cx->arena;

	for (int i = 0; i < PROJECT_PROVIDERS; i++) {
		p->providers[i][0] = seal_open(a, json_str(json_object_get(j, arena_printf(a, "%sAppid", project_provider_keys[i]))));
		p->providers[i][1] = seal_open(a, json_str(json_object_get(j, arena_printf(a, "%sSecret", project_provider_keys[i]))));
		p->providers_on[i] = !json_is_false(json_object_get(j, arena_printf(a, "%sEnabled", project_provider_keys[i]))) && p->providers[i][0] != NULL &&
				     p->providers[i][0][0] != '\0';
	}
}

static struct objs
children(struct ctx *cx, const struct shape *s, const struct db_res *r, int col)
{
	return shape_rows_json(cx, s, db_null(r, 0, col) ? NULL : json_parse(cx, db_str(r, 0, col), NULL));
}

static struct entry *
entry_pack(struct pack *k, const struct project *p)
{
	struct entry *to = pack_room(k, sizeof *to);

	shape_pack(k, &project_shape, to ? &to->p : NULL, p);
	return to;
}

static struct entry *
entry_read(struct ctx *cx, const struct db_res *r)
{
	struct project p = {0};
	struct pack k = {0};

	read_toggles(p.auths, project_auth_keys, PROJECT_AUTHS, json_parse(cx, db_str(r, 0, 0), NULL));
	read_toggles(p.services, project_service_names, PROJECT_SERVICES, json_parse(cx, db_str(r, 0, 1), NULL));
	read_toggles(p.protocols, project_protocol_names, PROJECT_PROTOCOLS, json_parse(cx, db_str(r, 0, 2), NULL));
	read_providers(cx, &p, json_parse(cx, db_str(r, 0, 3), NULL));
	p.platforms = children(cx, &platform_shape, r, 4);
	p.webhooks = children(cx, &webhook_shape, r, 5);
	p.keys = children(cx, &key_shape, r, 6);
	p.domains = children(cx, &domain_shape, r, 7);
	p.mock_numbers = children(cx, &mock_number_shape, r, 8);
	p.dev_keys = children(cx, &dev_key_shape, r, 9);
	shape_read(cx, &project_shape, &p, r, 0, 10);
	(void)entry_pack(&k, &p);
	pack_begin(&k);
	return entry_pack(&k, &p);
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
		.region = "default",
		.status = "active",
		.pinged = TIME_NONE,
		.console_accessed = TIME_NONE,
		.stages = STR("{}"),
		.session_duration = 31536000,
		.invalidate_sessions = true,
		.strength = {.min = 8},
		.shows = {true, true, true, true, true, true},
		.factors = {.totp = true, .email = true, .phone = true},
		.smtp = {.host = "", .secure = "", .username = "", .password = "", .sender_name = "", .sender_email = "", .reply_to_name = "", .reply_to_email = ""},
		.platforms = {1, platforms},
	};

	p.user_limit = strcmp(conf.console_signup, "open") == 0 ? 0 : 1;
	for (int i = 0; i < PROJECT_AUTHS; i++)
		p.auths[i] = true;
	for (int i = 0; i < PROJECT_SERVICES; i++)
		p.services[i] = true;
	for (int i = 0; i < PROJECT_PROTOCOLS; i++)
		p.protocols[i] = true;
	return &p;
}

/* The cached entry, unless its project has changed since. */
static struct project *
project_cache_cache_get(struct ctx *cx, struct str key)
{
	struct entry *e = cache ? lru_get(cache, key) : NULL;

	if (e != NULL && e->gen == gen_of_hash(e->stale)) {
		metric_add(M_cache_hits, 1);
		return project_cache_entry_use(cx, e);
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
	if ((*out = project_cache_cache_get(cx, key)) != NULL)
		return OK;
	stale = str_hash_stable(str_c(project_stale_key(cx, key.p)));
	gen = gen_of_hash(stale);
	TRY(db_query(cx, &r, project_cache_load_sql(), DB(key.p)));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", key.p);
	e = entry_read(cx, r);
	e->stale = stale;
	e->gen = gen;
	e->p.refs = 1;
	if (cache == NULL)
		cache = lru_new(conf.cache_entries > 0 ? (size_t)conf.cache_entries : 1, project_cache_entry_unref);
	lru_put(cache, key, e);
	*out = project_cache_entry_use(cx, e);
	return OK;
}

const struct project *
project_known(struct arena *a, struct str id)
{
	struct str key = str_lower(a, id);
	struct entry *e = cache != NULL && !str_is(key, "console") ? lru_get(cache, key) : NULL;

	if (str_is(key, "console"))
		return console();
	return e != NULL ? &e->p : NULL;
}

err_t
project_get_ready(struct ctx *cx, struct str id, struct project **out)
{
	TRY(db_migrate_load(cx));
	TRY(project_get_bare(cx, id, out));
	return space_fits(*out) ? OK : fail(cx, ERR_PROJECT_BEHIND, "project=%s", (*out)->id);
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

const char *
project_mock_otp(const struct project *p, const char *number)
{
	for (int i = 0; i < p->mock_numbers.n; i++) {
		const struct mock_number *m = p->mock_numbers.v[i];

		if (strcmp(m->number, number) == 0)
			return m->otp;
	}
	return NULL;
}

/* The root's dot at the end says nothing. */
static struct str
without_root(struct str s)
{
	return s.n > 1 && s.p[s.n - 1] == '.' ? (struct str){s.p, s.n - 1} : s;
}

/* Rules of earlier versions were stored as they came. */
bool
project_host_matches(const char *rule, struct str host)
{
	struct str r = without_root(str_trim(str_c(rule)));

	host = without_root(host);
	if (host.n == 0 || r.n == 0)
		return false;
	if (str_is(r, "*") || str_ieq(r, host))
		return true;
	while (r.p != NULL && host.p != NULL) {
		struct str want = str_cut(&r, '.'), have = str_cut(&host, '.');

		if (have.n == 0 || (!str_is(want, "*") && !str_ieq(want, have)))
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

struct api_key *
project_dev_key_find(const struct project *p, struct str secret)
{
	struct api_key *found = NULL;
	int64_t now = time_now_ms();

	for (int i = 0; i < p->dev_keys.n; i++) {
		struct api_key *k = p->dev_keys.v[i];

		if (k->secret[0] != '\0' && k->expire > now && str_eq_secret(str_c(k->secret), secret))
			found = k;
	}
	return found;
}
