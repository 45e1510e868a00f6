/* Apps at providers of OAuth2, each in its own words (tbl/provider_fields.h). What is stored is what the account service reads: an app's id, and a secret, which is a
 * JSON object where a provider has more members than that. Secrets are written, and never shown. */
#include "core/protocol.h"
#include "model/probe.h"
#include "model/project_write.h"
#include "model/query.h"
#include "svc/account/oauth.h"
#include "svc/projects/projects_priv.h"

enum { TEXT_MAX = 256, SECRET_MAX = 512, ITEMS_MAX = 10 };

enum item_kind { ITEM_NONE, ITEM_APP, ITEM_SECRET, ITEM_TEXT, ITEM_HIDDEN, ITEM_HOST, ITEM_ADDRESS, ITEM_PROMPT, ITEM_AGE };
struct item {
	const char *name;
	enum item_kind kind;
	const char *member;	/* of the stored secret; NULL: of none */
	int max;
	const char *was;	/* what it was called up to 1.9.3; NULL: the same */
};

/* ---- models ---- */

#define TOLD_TEXT .type = F_STR
#define TOLD_HIDDEN .type = F_STR
#define TOLD_HOST .type = F_STR
#define TOLD_ADDRESS .type = F_STR
#define TOLD_PROMPT .type = F_STRS
#define TOLD_AGE .type = F_INT, .nullable = true
#define APP(name) {.key = name, .type = F_STR, .doc = "Id of the app."}
#define SECRET(name) {.key = name, .type = F_STR, .doc = "Always empty."}
#define MEMBER(name, member, kind, max) {.key = name, TOLD_##kind, .doc = "What the provider calls so."}
#define RENAMED(name, was, member, kind, max)                                                                              \
	{.key = was, TOLD_##kind, .doc = "The same. Told up to 1.9.3.", .until = SINCE_1_9_4},                             \
	{.key = name, TOLD_##kind, .doc = "What the provider calls so.", .since = SINCE_1_9_4}
#define FIELDS(provider, model, ...)                                                                                      \
	static const struct field oauth2_##provider##_fields[] = {{.key = "$id", .type = F_ID, .doc = "Provider."},                \
		{.key = "enabled", .type = F_BOOL, .doc = "Users may sign in there."}, __VA_ARGS__};                      \
	const struct shape oauth2_##provider##_shape = SHAPE_TOLD(model, oauth2_##provider##_fields);
#define PAIR(provider, model, id, secret) FIELDS(provider, model, APP(id), SECRET(secret))
#include "tbl/provider_fields.h"
#undef FIELDS
#undef APP
#undef SECRET
#undef MEMBER
#undef RENAMED

#define FIELDS(provider, ...) &oauth2_##provider##_shape,
#undef PAIR
#define PAIR(provider, ...) &oauth2_##provider##_shape,
static const struct shape *const provider_models[] = {
#include "tbl/provider_fields.h"
	NULL};
#undef FIELDS
#undef PAIR
const struct shape oauth2_provider_shape = {.model = "oAuth2Provider", .any = provider_models};

/* ---- providers ---- */

#define APP(name) {name, ITEM_APP, NULL, TEXT_MAX}
#define SECRET(name) {name, ITEM_SECRET, "clientSecret", SECRET_MAX}
#define MEMBER(name, member, kind, max) {name, ITEM_##kind, member, max}
#define RENAMED(name, was, member, kind, max) {name, ITEM_##kind, member, max, was}
#define FIELDS(provider, model, ...) {#provider, NULL, true, {__VA_ARGS__}},
#define PAIR(provider, model, id, secret) {#provider, NULL, false, {APP(id), SECRET(secret)}},
static const struct oauth2_row {
	const char *key, *words_of;	/* words_of: it has those of another provider */
	bool members;			/* the stored secret is an object */
	struct item items[ITEMS_MAX];
} oauth2_rows[] = {
	{"paypalSandbox", "paypal"},
	{"tradeshiftBox", "tradeshift"},
#include "tbl/provider_fields.h"
};
enum { OAUTH2_ROWS = sizeof oauth2_rows / sizeof *oauth2_rows, OAUTH2_LISTED = OAUTH2_ROWS - 1 };
#undef FIELDS
#undef PAIR
#undef APP
#undef SECRET
#undef MEMBER
#undef RENAMED

#define FIELDS(provider, ...) #provider,
#define PAIR(provider, ...) #provider,
static const char *const oauth2_keys[] = {
#include "tbl/provider_fields.h"
	"paypalSandbox", "tradeshiftBox", NULL};
#undef FIELDS
#undef PAIR

static const struct oauth2_row *
row_of(const char *key)
{
	for (int i = 0; i < OAUTH2_ROWS; i++)
		if (strcmp(oauth2_rows[i].key, key) == 0)
			return &oauth2_rows[i];
	return NULL;
}

static const struct item *
items_of(const struct oauth2_row *row)
{
	return row->words_of != NULL ? row_of(row->words_of)->items : row->items;
}

static int
place_in_project(const char *key)
{
	int i = 0;

	while (i < PROJECT_PROVIDERS - 1 && strcmp(project_provider_keys[i], key) != 0)
		i++;
	return i;
}

/* ---- what is shown ---- */

static void
write_prompt(struct jw *w, const json_t *list)
{
	const json_t *v;
	size_t i;

	jw_arr(w);
	json_array_foreach(list, i, v)
		jw_str(w, json_str(v));
	jw_arr_end(w);
}

static void
write_item(struct jw *w, const struct item *it, const char *app, const json_t *stored, int64_t format)
{
	const json_t *v = it->member ? json_object_get(stored, it->member) : NULL;

	jw_key(w, str_c(it->was != NULL && format < SINCE_1_9_4 ? it->was : it->name));
	if (it->kind == ITEM_PROMPT)
		write_prompt(w, v);
	else if (it->kind == ITEM_AGE && json_is_integer(v))
		jw_i64(w, json_integer_value(v));
	else if (it->kind == ITEM_AGE)
		jw_null(w);
	else if (it->kind == ITEM_APP)
		jw_cstr(w, app);
	else if (it->kind == ITEM_SECRET || it->kind == ITEM_HIDDEN)
		jw_cstr(w, "");
	else
		jw_str(w, json_str(v));
}

struct oauth2_page {
	struct ctx *cx;
	const struct project *p;
	int from;
};

static void
write_provider(struct ctx *cx, struct buf *b, const struct project *p, const struct oauth2_row *row)
{
	int at = place_in_project(row->key);
	const char *const *app = p->providers[at];
	const json_t *stored = app[1] != NULL && app[1][0] == '{' ? json_parse(cx, str_c(app[1]), NULL) : NULL;
	struct jw w;

	jw_init(&w, b);
	jw_obj(&w);
	JW_KEY(&w, "$id");
	jw_cstr(&w, row->key);
	JW_KEY(&w, "enabled");
	jw_bool(&w, p->providers_on[at]);
	for (const struct item *it = items_of(row); it->kind != ITEM_NONE; it++)
		write_item(&w, it, app[0], stored, cx->format);
	jw_obj_end(&w);
}

static bool
provider_write(struct buf *b, int i, const void *arg)
{
	const struct oauth2_page *page = arg;

	write_provider(page->cx, b, page->p, &oauth2_rows[page->from + i]);
	return true;
}

static err_t
reply_provider(struct req *rq, const struct project *p, const struct oauth2_row *row)
{
	struct buf b;

	buf_init(&b, rq->cx.arena, 512);
	write_provider(&rq->cx, &b, p, row);
	return reply_json(rq, 200, buf_view(&b));
}

struct oauth2_in {
	const char *provider;
	struct strs queries;
	int enabled;
};

static err_t
projects_list_providers(struct req *rq, void *arg)
{
	const struct oauth2_in *in = arg;
	struct oauth2_page page = {.cx = &rq->cx};
	struct project *p;
	int to;

	TRY(project_of(rq, NULL, RIGHT_READ, &p));
	TRY(query_window(&rq->cx, &in->queries, OAUTH2_LISTED, &page.from, &to));
	page.p = p;
	return reply_members(rq, &(struct member_list){.shape = &oauth2_provider_shape, .key = "providers", .total = OAUTH2_LISTED,
					 .n = to - page.from, .write = provider_write, .arg = &page});
}

static err_t
projects_get_provider(struct req *rq, void *arg)
{
	const struct oauth2_in *in = arg;
	struct project *p;

	TRY(project_of(rq, NULL, RIGHT_READ, &p));
	return reply_provider(rq, p, row_of(in->provider));
}

/* ---- what is set ---- */

/* A host that stands in the middle of addresses: "https://" and the slash at the end are not of it. */
static const char *
projects_bare_host(struct arena *a, const char *text)
{
	struct str s = str_c(text);

	for (size_t i = 0; i < 2; i++) {
		static const char *const schemes[] = {"https://", "http://"};

		if (str_starts(s, schemes[i]))
			s = (struct str){s.p + strlen(schemes[i]), s.n - strlen(schemes[i])};
	}
	while (s.n > 0 && s.p[s.n - 1] == '/')
		s.n--;
	return str_dup(a, s);
}

static err_t
take_prompt(struct req *rq, const struct item *it, json_t *v, json_t *into)
{
	static const char *const google[] = {"none", "consent", "select_account", NULL}, *const oidc[] = {"none", "login", "consent", "select_account", NULL};
	const struct param row = {.name = it->name, .type = P_ENUMS, .doc = "", .list = it->max == 3 ? google : oidc, .count = it->max};
	json_t *list = json_array();
	struct strs words;

	json_object_set_new(into, it->member, list);
	TRY(param_take_json(rq, &row, v, &words));
	for (int i = 0; i < words.n; i++)
		json_array_append_new(list, json_string(words.v[i]));
	return OK;
}

static err_t
take_age(struct req *rq, const struct item *it, json_t *v, json_t *into)
{
	const struct param row = {.name = it->name, .type = P_RANGE, .doc = "", .max = INT64_MAX};
	struct opt_int age = {0};

	TRY(param_take_json(rq, &row, v, &age));
	json_object_set_new(into, it->member, json_integer(age.v));
	return OK;
}

static err_t
take_words(struct req *rq, const struct item *it, json_t *v, const char **out)
{
	const struct param row = {.name = it->name, .type = it->kind == ITEM_ADDRESS ? P_URL : P_TEXT, .doc = "", .max = it->max};

	*out = NULL;
	TRY(param_take_json(rq, &row, v, out));
	if (*out == NULL)
		*out = "";	/* an empty text empties it */
	if (it->kind == ITEM_HOST)
		*out = projects_bare_host(rq->cx.arena, *out);
	return OK;
}

static err_t
take_item(struct req *rq, const struct item *it, json_t *v, struct provider_change *to)
{
	const char *text;

	if (it->kind == ITEM_PROMPT)
		return take_prompt(rq, it, v, to->members);
	if (it->kind == ITEM_AGE)
		return take_age(rq, it, v, to->members);
	TRY(take_words(rq, it, v, &text));
	if (it->kind == ITEM_APP)
		to->app_id = text;
	else if (it->kind == ITEM_SECRET)
		to->secret = text;
	else
		json_object_set_new(to->members, it->member, json_string(text));
	return OK;
}

/* Awaits the provider. Where an app of OpenID Connect is on and leaves it to its document where the routes are, that is looked at before it is relied on. */
static err_t
check_document(struct req *rq, const struct project *p, const struct provider_change *c)
{
	int at = place_in_project(c->key);
	json_t *will = NULL, *v;
	const char *key;
	err_t e;

	if (strcmp(c->key, "oidc") != 0 || !(c->enabled == 1 || (c->enabled < 0 && p->providers_on[at] && json_object_size(c->members) > 0)))
		return OK;
	if (p->providers[at][1] != NULL && p->providers[at][1][0] == '{')
		will = json_parse(&rq->cx, str_c(p->providers[at][1]), NULL);
	if (!json_is_object(will))
		will = json_keep(&rq->cx, json_object());
	json_object_foreach(c->members, key, v)
		json_object_set(will, key, v);
	if (json_str(json_object_get(will, "wellKnownEndpoint")).n == 0)
		return OK;
	TRY(probe_enter(&rq->cx, p->internal));
	e = oauth_discover(&rq->cx, p, will);
	if (e != ERR_USER_OAUTH2_PROVIDER_FAILURE)
		return e;
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid wellKnownURL: %s", "The document there could not be fetched, or names no routes to sign in by.");
}

static json_t *
value_of(const struct req *rq, const struct item *it)
{
	json_t *v = json_object_get(rq->body, it->name);

	return v == NULL && it->was != NULL ? json_object_get(rq->body, it->was) : v;
}

static err_t
projects_update_provider(struct req *rq, void *arg)
{
	const struct oauth2_in *in = arg;
	const struct oauth2_row *row = row_of(in->provider);
	const char *places[ITEMS_MAX + 1] = {NULL};
	struct provider_change change = {.key = row->key, .enabled = in->enabled, .places = places, .members = json_keep(&rq->cx, json_object())};
	struct project *p;
	int n = 0;

	for (const struct item *it = items_of(row); it->kind != ITEM_NONE; it++) {
		json_t *v = value_of(rq, it);

		if (it->kind == ITEM_HOST || it->kind == ITEM_ADDRESS)
			places[n++] = it->member;

		if (v != NULL && !json_is_null(v))
			TRY(take_item(rq, it, v, &change));
	}
	if (!row->members && json_object_size(change.members) == 0)
		change.members = NULL;
	TRY(project_of(rq, NULL, RIGHT_CHANGE, &p));
	TRY(check_document(rq, p, &change));
	TRY(project_set_provider(&rq->cx, p, &change, &p));
	return reply_provider(rq, p, row);
}

/* ---- for consoles ---- */

static const struct field console_parameter_fields[] = {TOLD("$id", F_ID, "Parameter."), TOLD("name", F_STR, "Its name."), TOLD("example", F_STR, "Empty."),
	TOLD("hint", F_STR, "Empty.")};
const struct shape console_parameter_shape = SHAPE_TOLD("consoleOAuth2ProviderParameter", console_parameter_fields);
static const struct field console_provider_fields[] = {
	TOLD("$id", F_ID, "Provider."), TOLD("parameters", F_LIST, "What its app is set by.", .sub = &console_parameter_shape)};
const struct shape console_provider_shape = SHAPE_TOLD("consoleOAuth2Provider", console_provider_fields);

static bool
console_provider_write(struct buf *b, int i, const void *arg)
{
	const struct oauth2_row *row = &oauth2_rows[i];
	struct jw w;

	(void)arg;
	jw_init(&w, b);
	jw_obj(&w);
	JW_KEY(&w, "$id");
	jw_cstr(&w, row->key);
	JW_KEY(&w, "parameters");
	jw_arr(&w);
	for (const struct item *it = items_of(row); it->kind != ITEM_NONE; it++) {
		jw_obj(&w);
		JW_KEY(&w, "$id");
		jw_cstr(&w, it->name);
		JW_KEY(&w, "name");
		jw_cstr(&w, it->name);
		JW_KEY(&w, "example");
		jw_cstr(&w, "");
		JW_KEY(&w, "hint");
		jw_cstr(&w, "");
		jw_obj_end(&w);
	}
	jw_arr_end(&w);
	jw_obj_end(&w);
	return true;
}

static err_t
projects_list_console_providers(struct req *rq, void *arg)
{
	(void)arg;
	return reply_members(rq, &(struct member_list){.shape = &console_provider_shape, .key = "oAuth2Providers", .total = OAUTH2_ROWS, .n = OAUTH2_ROWS,
					 .write = console_provider_write});
}

/* ---- rows ---- */

#define PROVIDER_PATH PATH("provider", P_ENUM, struct oauth2_in, provider, "Provider.", .list = oauth2_keys)
static const struct param oauth2_list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct oauth2_in, queries, "Queries: limit and offset.", .def = "[]"),
	LIST_TOTAL,
};
static const struct param oauth2_path[] = {PROVIDER_PATH};
static const struct param oauth2_update_params[] = {
	PROVIDER_PATH, OPTIONAL("enabled", P_BOOL, struct oauth2_in, enabled, "Users may sign in there. Besides: what the model of the provider has.")};

static const struct route oauth2_setting_rows[] = {
	{.method = "GET", .path = "/v1/console/oauth2-providers", .service = "console", .name = "listOAuth2Providers", .scope = "public", .limit = "",
	    .handler = projects_list_console_providers, .model = &console_provider_shape, .list = "oAuth2Providers", .status = 200,
	    .doc = "What apps at providers of OAuth2 are set by.", .since = SINCE_1_9_5},
	OWN_LIST(SINCE_1_9_5, "/oauth2", "listOAuth2Providers", "project.oauth2.read", projects_list_providers, &oauth2_provider_shape, "providers",
	    "The apps at all providers of OAuth2.", struct oauth2_in, oauth2_list_params),
	OWN(SINCE_1_9_5, "GET", "/oauth2/:provider", "getOAuth2Provider", "project.oauth2.read", projects_get_provider, &oauth2_provider_shape, 200,
	    "The app at one of them.", struct oauth2_in, oauth2_path),
	OWN(SINCE_1_9_5, "PATCH", "/oauth2/:provider", "updateOAuth2Provider", "project.oauth2.write", projects_update_provider, &oauth2_provider_shape, 200,
	    "Set the app at a provider; what is not given stays.", struct oauth2_in, oauth2_update_params),
};
const struct routes oauth2_setting_routes = ROUTES(oauth2_setting_rows);
