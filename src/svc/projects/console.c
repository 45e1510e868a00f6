/* What consoles ask of the server itself: how it is set, which scopes and providers there are, and whether a name is free. */
#include "core/conf.h"
#include "core/protocol.h"
#include "model/service.h"
#include "svc/projects/projects_priv.h"

#define LIMIT_RESOURCES "120/60 userId:{userId},url:{url}"

/* ---- how it is set ---- */

/* Text, number or switch: what is said of this server. A member of the model is a row. */
struct console_value {
	const char *key;
	const char **text;	/* a setting; NULL: none */
	const int64_t *number;
	const char *json;	/* said as it is, where it is no setting */
	int64_t divisor;	/* of the number */
};
static const struct console_value console_values[] = {
	{"_APP_DOMAIN_TARGET_CNAME", .text = &conf.domain_target},
	{"_APP_DOMAIN_TARGET_A", .json = "\"\""},
	{"_APP_COMPUTE_BUILD_TIMEOUT", .number = &conf.functions_build_timeout, .divisor = 1000},
	{"_APP_DOMAIN_TARGET_AAAA", .json = "\"\""},
	{"_APP_DOMAIN_TARGET_CAA", .json = "\"\""},
	{"_APP_STORAGE_LIMIT", .number = &conf.storage_limit, .divisor = 1},
	{"_APP_COMPUTE_SIZE_LIMIT", .number = &conf.functions_size_limit, .divisor = 1},
	{"_APP_USAGE_STATS", .json = "\"enabled\""},
	{"_APP_VCS_ENABLED", .json = "false"},
	{"_APP_VCS_PROVIDERS", .json = "[]"},
	{"_APP_VCS_PROVIDERS_WITH_REPOSITORY_CREATION", .json = "[]"},
	{"_APP_VCS_PROVIDERS_WITH_PUBLIC_REPOSITORIES", .json = "[]"},
	{"_APP_DOMAIN_ENABLED", .json = "false"},
	{"_APP_ASSISTANT_ENABLED", .json = "false"},
	{"_APP_DOMAIN_SITES", .json = "\"\""},
	{"_APP_DOMAIN_FUNCTIONS", .json = "\"\""},
	{"_APP_OPTIONS_FORCE_HTTPS", .json = "\"disabled\""},
	{"_APP_DOMAINS_NAMESERVERS", .json = "\"\""},
	{"_APP_DB_ADAPTER", .json = "\"postgresql\""},
	{"supportForRelationships", .json = "true"},
	{"supportForOperators", .json = "true"},
	{"supportForSpatials", .json = "true"},
	{"supportForSpatialIndexNull", .json = "true"},
	{"supportForFulltextWildcard", .json = "true"},
	{"supportForMultipleFulltextIndexes", .json = "true"},
	{"supportForAttributeResizing", .json = "true"},
	{"supportForSchemas", .json = "true"},
	{"maxIndexLength", .json = "768"},
	{"supportForIntegerIds", .json = "true"},
	{"_APP_DOMAIN_TARGET", .text = &conf.domain_target},
	{"_APP_FUNCTIONS_SIZE_LIMIT", .number = &conf.functions_size_limit, .divisor = 1},
};
enum { CONSOLE_VALUES = sizeof console_values / sizeof *console_values };

#define SAYS(key_, type_, since_) {.key = key_, .type = type_, .doc = "How the server is set.", .since = since_}
#define SAID(key_, type_, since_, until_) {.key = key_, .type = type_, .doc = "How the server is set, as it was called.", .since = since_, .until = until_}
static const struct field console_variables_fields[] = {
	SAYS("_APP_DOMAIN_TARGET_CNAME", F_STR, SINCE_1_7), SAYS("_APP_DOMAIN_TARGET_A", F_STR, SINCE_1_7), SAYS("_APP_COMPUTE_BUILD_TIMEOUT", F_INT, SINCE_1_8),
	SAYS("_APP_DOMAIN_TARGET_AAAA", F_STR, SINCE_1_7), SAYS("_APP_DOMAIN_TARGET_CAA", F_STR, SINCE_1_8), SAYS("_APP_STORAGE_LIMIT", F_INT, SINCE_1_3),
	SAYS("_APP_COMPUTE_SIZE_LIMIT", F_INT, SINCE_1_7), SAYS("_APP_USAGE_STATS", F_STR, SINCE_1_3), SAYS("_APP_VCS_ENABLED", F_BOOL, SINCE_1_4),
	SAYS("_APP_VCS_PROVIDERS", F_STRS, SINCE_2_3), SAYS("_APP_VCS_PROVIDERS_WITH_REPOSITORY_CREATION", F_STRS, SINCE_2_3),
	SAYS("_APP_VCS_PROVIDERS_WITH_PUBLIC_REPOSITORIES", F_STRS, SINCE_2_3),
	SAYS("_APP_DOMAIN_ENABLED", F_BOOL, SINCE_1_4), SAYS("_APP_ASSISTANT_ENABLED", F_BOOL, SINCE_1_4), SAYS("_APP_DOMAIN_SITES", F_STR, SINCE_1_7),
	SAYS("_APP_DOMAIN_FUNCTIONS", F_STR, SINCE_1_7), SAYS("_APP_OPTIONS_FORCE_HTTPS", F_STR, SINCE_1_7), SAYS("_APP_DOMAINS_NAMESERVERS", F_STR, SINCE_1_7),
	SAYS("_APP_DB_ADAPTER", F_STR, SINCE_CONSOLES), SAYS("supportForRelationships", F_BOOL, SINCE_CONSOLES), SAYS("supportForOperators", F_BOOL, SINCE_CONSOLES),
	SAYS("supportForSpatials", F_BOOL, SINCE_CONSOLES), SAYS("supportForSpatialIndexNull", F_BOOL, SINCE_CONSOLES), SAYS("supportForFulltextWildcard", F_BOOL, SINCE_CONSOLES),
	SAYS("supportForMultipleFulltextIndexes", F_BOOL, SINCE_CONSOLES), SAYS("supportForAttributeResizing", F_BOOL, SINCE_CONSOLES),
	SAYS("supportForSchemas", F_BOOL, SINCE_CONSOLES), SAYS("maxIndexLength", F_INT, SINCE_CONSOLES), SAYS("supportForIntegerIds", F_BOOL, SINCE_CONSOLES),
	SAID("_APP_DOMAIN_TARGET", F_STR, SINCE_1_3, SINCE_1_7), SAID("_APP_FUNCTIONS_SIZE_LIMIT", F_INT, SINCE_1_3, SINCE_1_7),
};
const struct shape console_variables_shape = SHAPE_TOLD("consoleVariables", console_variables_fields);
_Static_assert(CONSOLE_VALUES == sizeof console_variables_fields / sizeof *console_variables_fields, "a value for each member of the model, in its order");

static void
write_value(struct jw *w, const struct console_value *v)
{
	jw_key(w, str_c(v->key));
	if (v->text != NULL)
		jw_cstr(w, *v->text);
	else if (v->number != NULL)
		jw_i64(w, *v->number / v->divisor);
	else if (strcmp(v->key, "_APP_USAGE_STATS") == 0)
		jw_cstr(w, conf.usage ? "enabled" : "disabled");
	else if (strcmp(v->key, "_APP_OPTIONS_FORCE_HTTPS") == 0)
		jw_cstr(w, conf.force_https ? "enabled" : "disabled");
	else
		jw_raw(w, str_c(v->json));
}

static err_t
projects_get_variables(struct req *rq, void *arg)
{
	struct buf b;
	struct jw w;

	(void)arg;
	buf_init(&b, rq->cx.arena, 1024);
	jw_init(&w, &b);
	jw_obj(&w);
	for (int i = 0; i < CONSOLE_VALUES; i++)
		if (field_told(&console_variables_fields[i], rq->cx.format))
			write_value(&w, &console_values[i]);
	jw_obj_end(&w);
	return reply_json(rq, 200, buf_view(&b));
}

/* ---- scopes ---- */

struct console_scope {
	const char *id, *description, *category;
	bool deprecated;
};
static const struct field console_scope_fields[] = {
	FIELD(F_ID, struct console_scope, id, "$id", NULL, "Scope."),
	FIELD(F_STR, struct console_scope, description, "description", NULL, "What it is for."),
	FIELD(F_STR, struct console_scope, category, "category", NULL, "What it is about."),
	FIELD(F_BOOL, struct console_scope, deprecated, "deprecated", NULL, "Another one says it better."),
};
const struct shape console_scope_shape = SHAPE("consoleKeyScope", struct console_scope, console_scope_fields);

static bool
scope_is_former(const char *id)
{
	static const char *const former[] = {"policies.", "collections.", "attributes.", "documents.", "execution."};

	for (size_t i = 0; i < sizeof former / sizeof *former; i++)
		if (strncmp(id, former[i], strlen(former[i])) == 0)
			return true;
	return false;
}

static err_t
reply_scopes(struct req *rq, const char *const *ids)
{
	struct objs list = {.v = arena_array(rq->cx.arena, void *, KEY_SCOPES_MAX)};

	for (; ids[list.n] != NULL; list.n++) {
		struct console_scope *s = arena_new_of(rq->cx.arena, struct console_scope);
		const char *dot = strrchr(ids[list.n], '.');
		int n = dot ? (int)(dot - ids[list.n]) : (int)strlen(ids[list.n]);

		*s = (struct console_scope){.id = ids[list.n], .category = arena_printf(rq->cx.arena, "%.*s", n, ids[list.n]), .deprecated = scope_is_former(ids[list.n])};
		s->description = arena_printf(rq->cx.arena, "May %s %s.", dot && strcmp(dot, ".read") == 0 ? "read" : "write", s->category);
		list.v[list.n] = s;
	}
	return reply_list(rq, &console_scope_shape, "scopes", list.n, &list);
}

static err_t
projects_list_scopes(struct req *rq, void *arg)
{
	(void)arg;
	return reply_scopes(rq, key_scopes);
}

static err_t
projects_list_organization_scopes(struct req *rq, void *arg)
{
	(void)arg;
	return reply_scopes(rq, organization_key_scopes);
}

/* ---- names that are free ---- */

struct resource_in {
	const char *type, *value;
};

static err_t
projects_get_resource(struct req *rq, void *arg)
{
	const struct resource_in *in = arg;
	struct db_res *r;

	TRY(db_query(&rq->cx, &r, "SELECT 1 FROM badal.domains WHERE lower(domain) = lower($1) LIMIT 1", DB(in->value)));
	return db_rows(r) == 0 ? reply_none(rq) : fail(&rq->cx, ERR_RESOURCE_ALREADY_EXISTS, "domain=%s", in->value);
}

static const char *const resource_types[] = {"rules", NULL};
static const struct param resource_params[] = {
	REQUIRED("value", P_TEXT, struct resource_in, value, "Name of a host.", .max = 256),
	REQUIRED("type", P_ENUM, struct resource_in, type, "What it is to be.", .list = resource_types),
};

#define CONSOLE(since_, tail, name_, scope_, handler_, model_, doc_, ...)                                                             \
	{                                                                                                                             \
		.method = "GET", .path = "/v1/console" tail, .service = "console", .name = name_, .scope = scope_, .handler = handler_, \
		.model = model_, .doc = doc_, .since = since_, __VA_ARGS__                                                            \
	}
static const struct route console_rows[] = {
	CONSOLE(SINCE_1_3, "/variables", "variables", "projects.read", projects_get_variables, &console_variables_shape, "How the server is set.", .status = 200,
	    .limit = "", .flags = ROUTE_CONSOLE),
	CONSOLE(SINCE_1_9_5, "/scopes/project", "listProjectScopes", "public", projects_list_scopes, &console_scope_shape, "The scopes that keys of a project may have.",
	    .status = 200, .limit = "", .list = "scopes"),
	CONSOLE(SINCE_1_9_5, "/scopes/organization", "listOrganizationScopes", "public", projects_list_organization_scopes, &console_scope_shape,
	    "The scopes that keys of an organization may have.", .status = 200, .limit = "", .list = "scopes"),
	CONSOLE(SINCE_1_7, "/resources", "getResource", "rules.read", projects_get_resource, NULL, "Whether the name of a host is free.", .status = 204,
	    .limit = LIMIT_RESOURCES, .flags = ROUTE_CONSOLE, PARAMS(struct resource_in, resource_params)),
};
const struct routes console_routes = ROUTES(console_rows);
