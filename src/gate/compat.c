/* Older formats (X-Appwrite-Response-Format, spec platform.md 12): what clients before 1.0 send is turned into today's parameters,
 * and replies into what they expect. One filter for requests and one for replies is picked by version; they are not chained.
 * Filters work on JSON trees: only those who ask for an older format pay for it. */
#include "gate_priv.h"

#include "aside.h"

#include "core/conf.h"
#include "core/offload.h"
#include "core/protocol.h"
#include "core/vtime.h"

enum { OLD_LIST_MAX = 100 };	/* as validators have it */
enum { CONVERT_HERE_MAX = 64 * 1024, VALUES_HERE_MAX = 1000 };

#define V PROTOCOL

/* Up to which version each format goes. */
static const struct {
	enum format format;
	const char *name, *up_to;
} formats[] = {
    {FORMAT_11, "0.11", "0.11.2"},
    {FORMAT_12, "0.12", "0.12.4"},
    {FORMAT_13, "0.13", "0.13.4"},
    {FORMAT_14, "0.14", "0.14.0"},
    {FORMAT_15, "0.15", "0.15.3"},
};
enum { FORMATS_N = sizeof formats / sizeof *formats };

bool
api_format_known(const char *version)
{
	return strcmp(version, "newest") == 0 || protocol_version(str_c(version)) != 0;
}

/* From which version on an SDK speaks a format, as its packages say in their own headers (npm: appwrite, node-appwrite, react-native-appwrite,
 * @appwrite.io/console, appwrite-cli; Dart and Python: appwrite). Those of the 1.3 generation call it 1.0.0 as the ones before did. */
static const struct sdk {
	const char *name;
	int64_t since, format;
} sdks[] = {
    {"Web", V(10, 0, 0), V(1, 0, 0)},
    {"Web", V(11, 0, 0), V(1, 3, 0)},
    {"Web", V(12, 0, 0), V(1, 4, 0)},
    {"Web", V(14, 0, 0), V(1, 5, 0)},
    {"Web", V(16, 0, 0), V(1, 6, 0)},
    {"Web", V(18, 0, 0), V(1, 7, 0)},
    {"Web", V(19, 0, 0), V(1, 8, 0)},
    {"Web", V(24, 0, 0), V(1, 9, 0)},
    {"Web", V(25, 0, 0), V(1, 9, 2)},
    {"Web", V(26, 0, 0), V(1, 9, 5)},
    {"Web", V(27, 0, 0), V(2, 0, 0)},
    {"Web", V(28, 0, 0), V(2, 3, 0)},
    {"Node.js", V(8, 0, 0), V(1, 0, 0)},
    {"Node.js", V(9, 0, 0), V(1, 3, 0)},
    {"Node.js", V(10, 0, 0), V(1, 4, 0)},
    {"Node.js", V(12, 0, 0), V(1, 5, 0)},
    {"Node.js", V(14, 0, 0), V(1, 6, 0)},
    {"Node.js", V(17, 0, 0), V(1, 7, 0)},
    {"Node.js", V(20, 0, 0), V(1, 8, 0)},
    {"Node.js", V(23, 0, 0), V(1, 9, 0)},
    {"Node.js", V(24, 0, 0), V(1, 9, 1)},
    {"Node.js", V(25, 0, 0), V(1, 9, 5)},
    {"React Native", V(0, 1, 0), V(1, 4, 0)},
    {"React Native", V(0, 4, 0), V(1, 5, 0)},
    {"React Native", V(0, 6, 0), V(1, 6, 0)},
    {"React Native", V(0, 10, 0), V(1, 7, 0)},
    {"React Native", V(0, 15, 0), V(1, 8, 0)},
    {"React Native", V(0, 29, 0), V(1, 9, 2)},
    {"React Native", V(0, 31, 0), V(1, 9, 5)},
    {"Console", V(0, 1, 0), V(1, 3, 0)},
    {"Console", V(0, 4, 0), V(1, 4, 0)},
    {"Console", V(0, 6, 0), V(1, 5, 0)},
    {"Console", V(1, 0, 0), V(1, 6, 0)},
    {"Console", V(1, 9, 0), V(1, 7, 0)},
    {"Console", V(2, 2, 0), V(1, 8, 0)},
    {"Command Line", V(1, 0, 0), V(1, 0, 0)},
    {"Command Line", V(2, 0, 0), V(1, 3, 0)},
    {"Command Line", V(6, 0, 0), V(1, 6, 0)},
    {"Command Line", V(8, 0, 0), V(1, 7, 0)},
    {"Command Line", V(12, 0, 0), V(1, 8, 0)},
    {"Flutter", V(9, 0, 0), V(1, 3, 0)},
    {"Flutter", V(10, 0, 0), V(1, 4, 0)},
    {"Python", V(2, 0, 0), V(1, 3, 0)},
    {"Python", V(3, 0, 0), V(1, 4, 0)},
};
enum { SDKS_N = sizeof sdks / sizeof *sdks };

/* The format of the SDK that x-sdk-name and x-sdk-version tell of; -1: none that is known. */
static int64_t
sdk_format(const struct req *rq)
{
	struct str name = rq->http->hdr[HDR_X_SDK_NAME];
	int64_t version = protocol_version(rq->http->hdr[HDR_X_SDK_VERSION]), format = -1;

	for (int i = 0; name.n > 0 && version > 0 && i < SDKS_N; i++)
		if (version >= sdks[i].since && str_ieq(name, str_c(sdks[i].name)))
			format = sdks[i].format;
	return format;
}

/* Nobody who speaks 1.0 knows this path. */
static bool
later_path(const struct req *rq)
{
	return rq->route->since > 0 || (rq->info->alias != NULL && rq->info->alias->later);
}

/* What the caller says; else its SDK; else what the path or the setting says. -1: nobody. */
static int64_t
said_format(const struct req *rq)
{
	struct str header = rq->http->hdr[HDR_X_RESPONSE_FORMAT];
	int64_t said = protocol_version(header), sdk;

	if (said >= V(1, 3, 0) || (said >= 0 && said < V(1, 0, 0)))
		return said;
	sdk = sdk_format(rq);
	if (said > 0)
		return sdk >= V(1, 3, 0) ? V(1, 3, 0) : said;
	return sdk > 0 ? sdk : later_path(rq) ? PROTOCOL_NEWEST : header.n == 0 ? protocol_setting() : -1;
}

bool
compat_empties(const struct req *rq)
{
	return rq->cx.format < V(1, 1, 0);
}

void
compat_choose(struct req *rq)
{
	int64_t v = said_format(rq);

	rq->format = FORMAT_NOW;
	rq->cx.format = v < 0 ? 0 : v;
	if (v < 0)
		return;
	rq->format_request = v < V(0, 12, 0) ? FORMAT_12 : v < V(0, 15, 3) ? FORMAT_15 : FORMAT_NOW;
	for (int i = FORMATS_N - 1; i >= 0 && v <= protocol_version(str_c(formats[i].up_to)); i--)
		rq->format = formats[i].format;
}

/* ---- replies ---- */


/* Dates of the models, which were Unix seconds. */
static const char *const dates[] = {"registration", "passwordUpdate", "startTime", "endTime", "scheduleNext", "schedulePrevious", "expire",
	"providerAccessTokenExpiry", "invited", "joined", "time", "date", "accessedAt", NULL};

static void
describe_renames(struct jw *w, enum format format)
{
	int n;
	const struct service *const *v = service_all(&n);

	JW_KEY(w, "renames");
	jw_arr(w);
	for (int i = 0; i < n; i++)
		for (const struct older *o = v[i]->older; o != NULL && o->model != NULL; o++) {
			if (o->format != format)
				continue;
			jw_arr(w);
			jw_cstr(w, o->model);
			jw_cstr(w, o->key);
			if (o->to != NULL)
				jw_cstr(w, o->to);
			else
				jw_null(w);
			jw_arr_end(w);
		}
	jw_arr_end(w);
}

/* x-sdks: [name, since which of its versions, format]. */
static void
describe_sdks(struct jw *w)
{
	JW_KEY(w, "x-sdks");
	jw_arr(w);
	for (int i = 0; i < SDKS_N; i++) {
		jw_arr(w);
		jw_cstr(w, sdks[i].name);
		jw_cstr(w, protocol_text(w->b->arena, sdks[i].since));
		jw_cstr(w, protocol_text(w->b->arena, sdks[i].format));
		jw_arr_end(w);
	}
	jw_arr_end(w);
}

/* x-formats: what of this can be said in tables. The tests know the rest, which is old_object and old_list. */
void
compat_describe(struct jw *w)
{
	describe_sdks(w);
	JW_KEY(w, "x-formats");
	jw_arr(w);
	for (int f = 0; f < FORMATS_N; f++) {
		jw_obj(w);
		JW_KEY(w, "name");
		jw_cstr(w, formats[f].name);
		JW_KEY(w, "upTo");
		jw_cstr(w, formats[f].up_to);
		describe_renames(w, formats[f].format);
		if (formats[f].format == FORMAT_15) {
			JW_KEY(w, "unixSeconds");
			jw_arr(w);
			for (const char *const *d = dates; *d != NULL; d++)
				jw_cstr(w, *d);
			jw_arr_end(w);
		}
		jw_obj_end(w);
	}
	jw_arr_end(w);
}

static bool
among(const char *const *list, const char *key)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, key) == 0)
			return true;
	return false;
}

static json_t *
unix_seconds(const json_t *v)
{
	int64_t ms;

	return json_integer(time_parse(json_str(v), &ms) ? ms / 1000 : 0);
}

static void
add_once(json_t *list, const char *text)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (strcmp(json_string_value(v), text) == 0)
			return;
	json_array_append_new(list, json_string(text));
}

/* "any" was role:all and so on; the others kept their form. */
static const char *
old_role(struct ctx *cx, struct str role)
{
	static const char *const names[][2] = {{"any", "role:all"}, {"users", "role:member"}, {"guests", "role:guest"}};

	for (int i = 0; i < 3; i++)
		if (str_is(role, names[i][0]))
			return names[i][1];
	return str_dup(cx->arena, role);
}

/* What "permission" chose between, and how that is said today. */
static const struct security {
	const char *member, *on, *off;
} securities[] = {{"documentSecurity", "document", "collection"}, {"fileSecurity", "file", "bucket"}};
enum { SECURITIES = sizeof securities / sizeof *securities };

static const struct security *
security_of(const char *key)
{
	for (int i = 0; i < SECURITIES; i++)
		if (strcmp(key, securities[i].member) == 0)
			return &securities[i];
	return NULL;
}

static void
old_permissions(struct ctx *cx, const json_t *list, json_t *into)
{
	json_t *read = json_array(), *write = json_array();
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		struct str role = json_str(v), verb = str_cut(&role, '(');

		if (role.n < 4)
			continue;
		role = (struct str){role.p + 1, role.n - 3};
		add_once(str_is(verb, "read") ? read : write, old_role(cx, role));
	}
	json_object_set_new(into, "$read", read);
	json_object_set_new(into, "$write", write);
}

/* Puts the member into the object of the older format 0.15. */
static void
member_15(struct ctx *cx, bool document, const char *key, json_t *v, json_t *into)
{
	const struct security *security = document ? NULL : security_of(key);

	if (json_is_string(v) && (strcmp(key, "$createdAt") == 0 || strcmp(key, "$updatedAt") == 0 || (!document && among(dates, key))))
		json_object_set_new(into, key, unix_seconds(v));
	else if (strcmp(key, "$permissions") == 0 && json_is_array(v) && document)
		;	/* they came last: old_object */
	else if (strcmp(key, "$permissions") == 0 && json_is_array(v))
		old_permissions(cx, v, into);
	else if (security != NULL)
		json_object_set_new(into, "permission", json_string(json_is_true(v) ? security->on : security->off));
	else if (strcmp(key, "$collectionId") == 0 && document)
		json_object_set(into, "$collection", v);
	else if (strcmp(key, "$databaseId") != 0 || !document)
		json_object_set(into, key, v);
}

/* 0: active, 1: active and verified, 2: blocked. */
static json_t *
old_status(const json_t *user)
{
	return json_integer(!json_is_true(json_object_get(user, "status")) ? 2 : json_is_true(json_object_get(user, "emailVerification")));
}

static json_t *
old_metrics(struct ctx *cx, const json_t *list)
{
	json_t *into = json_array(), *v;
	const char *key;
	const json_t *e;
	size_t i;

	json_array_foreach(list, i, e) {
		json_t *point = json_object();

		json_object_foreach((json_t *)(uintptr_t)e, key, v)
			member_15(cx, false, key, v, point);
		json_array_append_new(into, point);
	}
	return into;
}

/* The row of the member in the format that is asked for; NULL: it stays as it is. */
static const struct older *
renamed(const struct req *rq, const char *model, const char *key)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; model != NULL && i < n; i++)
		for (const struct older *o = v[i]->older; o != NULL && o->model != NULL; o++)
			if (o->format == rq->format && strcmp(o->model, model) == 0 && strcmp(o->key, key) == 0)
				return o;
	return NULL;
}

/* The members of a function that were something else: texts for its state, one object of the variables, roles of then. NULL: it is none of them. */
static json_t *
old_function_member(struct ctx *cx, const char *key, const json_t *v)
{
	bool roles = strcmp(key, "execute") == 0;
	json_t *into;
	const json_t *e;
	size_t i;

	if (strcmp(key, "status") == 0)
		return json_string(json_is_true(v) ? "enabled" : "disabled");
	if (!roles && strcmp(key, "vars") != 0)
		return NULL;
	into = roles ? json_array() : json_object();
	json_array_foreach(v, i, e) {
		if (roles)
			add_once(into, old_role(cx, json_str(e)));
		else
			json_object_set(into, json_string_value(json_object_get(e, "key")), json_object_get(e, "value"));
	}
	return into;
}

/* Executions are read alone. */
static void
compat_member_15(struct req *rq, bool document, const char *model, const char *key, json_t *v, json_t *into)
{
	member_15(&rq->cx, document, key, v, into);
	if (!document && model != NULL && strcmp(model, "execution") == 0 && strcmp(key, "$permissions") == 0)
		json_object_del(into, "$write");
}

static void
compat_put_member(struct req *rq, const char *model, const json_t *j, const char *key, json_t *v, json_t *into)
{
	bool document = json_object_get(j, "$collectionId") != NULL;	/* its other members are the client's own */
	bool function = rq->format == FORMAT_15 && model != NULL && strcmp(model, "function") == 0;
	json_t *other = function ? old_function_member(&rq->cx, key, v) : NULL;

	if (other != NULL)
		json_object_set_new(into, key, other);
	else if (rq->format == FORMAT_15 && model != NULL && strncmp(model, "usage", 5) == 0 && json_is_array(v))
		json_object_set_new(into, key, old_metrics(&rq->cx, v));
	else if (rq->format == FORMAT_15)
		compat_member_15(rq, document, model, key, v, into);
	else if (rq->format == FORMAT_11 && model != NULL && strcmp(model, "user") == 0 && strcmp(key, "status") == 0)
		json_object_set_new(into, key, old_status(j));
	else
		json_object_set(into, key, v);
}

/* A new reference to the object in the older format. */
static json_t *
old_object(struct req *rq, const char *model, json_t *j)
{
	json_t *into = json_object(), *v;
	const struct older *old;
	const char *key;

	json_object_foreach(j, key, v)
		if (renamed(rq, model, key) == NULL)
			compat_put_member(rq, model, j, key, v, into);
	json_object_foreach(j, key, v)
		if ((old = renamed(rq, model, key)) != NULL && old->to != NULL)
			compat_put_member(rq, model, j, old->to, v, into);
	if (rq->format == FORMAT_15 && json_object_get(j, "$collectionId") != NULL)
		old_permissions(&rq->cx, json_object_get(j, "$permissions"), into);
	if (rq->format == FORMAT_13 && model != NULL && strcmp(model, "project") == 0)
		json_object_set_new(into, "providers", json_null());
	return into;
}

static bool
is_list(const json_t *j)
{
	const char *key;
	json_t *v;
	bool total = json_is_integer(json_object_get(j, "total"));

	if (!total || json_object_size(j) != 2)
		return false;
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
		if (json_is_array(v))
			return true;
	return false;
}

/* In 0.12 the number came last, as "sum". */
static json_t *
old_list(struct req *rq, const char *model, json_t *j)
{
	json_t *into = json_object(), *v, *e;
	const char *key;
	size_t i;

	if (rq->format == FORMAT_14 && model != NULL && strcmp(model, "session") == 0)	/* as in convert */
		return json_incref(j);
	json_object_foreach(j, key, v) {
		json_t *list;

		if (!json_is_array(v)) {
			if (rq->format != FORMAT_12)
				json_object_set(into, key, v);
			continue;
		}
		list = json_array();
		json_array_foreach(v, i, e)
			json_array_append_new(list, json_is_object(e) ? old_object(rq, model, e) : json_incref(e));
		json_object_set_new(into, key, list);
	}
	if (rq->format == FORMAT_12)
		json_object_set(into, "sum", json_object_get(j, "total"));
	return into;
}

bool
compat_wanted(const struct req *rq, const struct shape *shape)
{
	/* preferences and the like are the client's own */
	return rq->format != FORMAT_NOW && shape != NULL && (!shape->open || shape->n > 0);
}

bool
compat_total_last(const struct req *rq)
{
	return rq->format == FORMAT_12;
}

struct conversion {
	struct req rq;		/* a copy: its context is the conversion's own, so that what it needs goes with it */
	const char *model;
	struct str json;
	bool member;		/* of a list */
	struct str out;
};

static void
convert_tree(struct conversion *c)
{
	struct aside aside;
	json_t *j = json_parse(&c->rq.cx, aside_take(&aside, c->rq.cx.arena, c->json), NULL), *old;
	struct buf b, whole;
	struct jw w;

	if (!json_is_object(j))
		return;
	if (c->member && c->rq.format == FORMAT_14 && strcmp(c->model, "session") == 0)	/* only lists of them had their dates */
		return;
	old = !c->member && is_list(j) ? old_list(&c->rq, c->model, j) : old_object(&c->rq, c->model, j);
	(void)json_keep(&c->rq.cx, old);
	buf_init(&b, c->rq.cx.arena, c->json.n - aside.bytes + 64);
	jw_init(&w, &b);
	jw_value(&w, old);
	c->out = buf_view(&b);
	if (aside.n == 0)
		return;
	buf_init(&whole, c->rq.cx.arena, b.n + aside.bytes);
	aside_put(&aside, c->out, &whole);
	c->out = buf_view(&whole);
}

/* On the loop, or on a thread. To take a tree down costs about what it costs to make it: that is done here, too. */
static void
compat_convert(void *arg)
{
	struct conversion *c = arg;

	c->out = c->json;
	convert_tree(c);
	ctx_unwind(&c->rq.cx, NULL);
}

/* What is large would hold up the loop, be it long or of many values. */
static err_t
run_conversion(struct req *rq, struct conversion *c)
{
	if (c->json.n > CONVERT_HERE_MAX || json_values(c->json) > VALUES_HERE_MAX)
		return offload(&rq->cx, LANE_json, compat_convert, c);
	compat_convert(c);
	return OK;
}

static void
end_conversion(void *arg)
{
	struct conversion *c = arg;

	ctx_fini(&c->rq.cx);
}

static struct conversion *
begin_conversion(struct req *rq, struct conversion *c, const struct shape *shape, struct str json, bool member)
{
	*c = (struct conversion){.rq = *rq, .model = shape->model, .json = json, .member = member, .out = json};
	ctx_init(&c->rq.cx);
	return c;
}

err_t
compat_reply(struct req *rq, const struct shape *shape, struct str *json)
{
	struct conversion *c;

	if (!compat_wanted(rq, shape))
		return OK;
	c = begin_conversion(rq, arena_new_of(rq->cx.arena, struct conversion), shape, *json, false);
	defer(&rq->cx, end_conversion, c);
	TRY(run_conversion(rq, c));
	*json = c->out;
	return OK;
}

err_t
compat_member(struct req *rq, const struct shape *shape, struct str json, struct buf *out)
{
	struct conversion c;
	err_t e;

	begin_conversion(rq, &c, shape, json, true);
	e = run_conversion(rq, &c);
	if (e == OK)
		buf_str(out, c.out);
	end_conversion(&c);
	return e;
}

/* ---- requests ---- */

static struct str
take_text(struct req *rq, const char *name)
{
	const json_t *v = json_object_get(rq->body, name);

	if (json_is_integer(v))
		return str_c(arena_printf(rq->cx.arena, "%lld", (long long)json_integer_value(v)));
	return json_str(v);
}

/* The text in double quotes, as the grammar of queries wants it. */
static const char *
quoted(struct req *rq, struct str s)
{
	struct buf b;

	buf_init(&b, rq->cx.arena, s.n + 8);
	buf_ch(&b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_ch(&b, '\\');
		buf_ch(&b, s.p[i]);
	}
	buf_ch(&b, '"');
	return b.p;
}

static void
add_query(json_t *queries, const char *text)
{
	json_t *v = json_string(text);

	if (v != NULL)
		json_array_append_new(queries, v);
}

/* attr.equal(v) is equal("attr", [v]). */
static void
add_filter(struct req *rq, json_t *queries, const json_t *v)
{
	static const char *const methods[][2] = {{"equal", "equal"}, {"notEqual", "notEqual"}, {"lesser", "lessThan"}, {"lesserEqual", "lessThanEqual"},
		{"greater", "greaterThan"}, {"greaterEqual", "greaterThanEqual"}, {"search", "search"}};
	struct str s = json_str(v);
	const char *open = s.n > 0 ? memchr(s.p, '(', s.n) : NULL, *dot = NULL;

	for (const char *c = s.p; open != NULL && c < open; c++)
		if (*c == '.')
			dot = c;
	for (size_t i = 0; dot != NULL && s.p[s.n - 1] == ')' && i < sizeof methods / sizeof *methods; i++)
		if (str_is((struct str){dot + 1, (size_t)(open - dot - 1)}, methods[i][0])) {
			add_query(queries, arena_printf(rq->cx.arena, "%s(%s, [%.*s])", methods[i][1], quoted(rq, (struct str){s.p, (size_t)(dot - s.p)}),
			    (int)(s.p + s.n - 1 - open - 1), open + 1));
			return;
		}
	json_array_append(queries, (json_t *)(uintptr_t)v);
}

static void
add_orders(struct req *rq, json_t *queries)
{
	const json_t *attrs = json_object_get(rq->body, "orderAttributes"), *types = json_object_get(rq->body, "orderTypes"), *v;
	struct str type = take_text(rq, "orderType");
	size_t i;

	if (type.n > 0)
		add_query(queries, str_ieq(type, STR("DESC")) ? "orderDesc(\"\")" : "orderAsc(\"\")");
	json_array_foreach(attrs, i, v)
		if (json_is_string(v))
			add_query(queries, arena_printf(rq->cx.arena, "%s(%s)",
			    str_ieq(json_str(json_array_get(types, i)), STR("DESC")) ? "orderDesc" : "orderAsc", quoted(rq, json_str(v))));
}

static void
old_list_request(struct req *rq, json_t *into)
{
	struct str limit = take_text(rq, "limit"), offset = take_text(rq, "offset"), cursor = take_text(rq, "cursor");
	const json_t *given = json_object_get(rq->body, "queries"), *v;
	json_t *queries = json_array();
	size_t i;

	if (given != NULL && !json_is_array(given)) {	/* the validator's to refuse */
		json_decref(queries);
		return;
	}
	if (json_array_size(given) > OLD_LIST_MAX || json_array_size(json_object_get(rq->body, "orderAttributes")) > OLD_LIST_MAX) {
		json_object_set_new(into, "queries", json_string("too many"));	/* likewise */
		json_decref(queries);
		return;
	}
	json_array_foreach(given, i, v)
		add_filter(rq, queries, v);
	if (limit.n > 0)
		add_query(queries, arena_printf(rq->cx.arena, "limit(%.*s)", STR_FMT(limit)));
	if (offset.n > 0)
		add_query(queries, arena_printf(rq->cx.arena, "offset(%.*s)", STR_FMT(offset)));
	if (cursor.n > 0)
		add_query(queries, arena_printf(rq->cx.arena, "%s(%s)",
		    str_is(take_text(rq, "cursorDirection"), "before") ? "cursorBefore" : "cursorAfter", quoted(rq, cursor)));
	add_orders(rq, queries);
	json_object_set_new(into, "queries", queries);
}

/* role:all and the like to today's roles; NULL: dropped. */
static const char *
new_role(struct req *rq, struct str role, bool write)
{
	if (str_is(role, "role:all"))
		return write ? "users" : "any";
	if (str_is(role, "role:member"))
		return "users";
	if (str_is(role, "role:guest"))
		return write ? NULL : "guests";
	return str_dup(rq->cx.arena, role);
}

static void
add_permissions(struct req *rq, json_t *list, const char *verb)
{
	const json_t *roles = json_object_get(rq->body, verb), *v;
	size_t i;

	if (json_array_size(roles) > OLD_LIST_MAX) {
		json_array_extend(list, (json_t *)(uintptr_t)roles);	/* the validator's to refuse: there are too many, and they are no permissions */
		return;
	}
	json_array_foreach(roles, i, v) {
		const char *role = json_is_string(v) ? new_role(rq, json_str(v), verb[0] == 'w') : NULL;

		if (role != NULL)
			add_query(list, arena_printf(rq->cx.arena, "%s(\"%s\")", verb, role));
	}
}

static bool
takes(const struct route *r, const char *name, enum param_type type)
{
	for (int i = 0; i < r->n_params; i++)
		if (r->params[i].type == type && strcmp(r->params[i].name, name) == 0)
			return true;
	return false;
}

static void
old_write_request(struct req *rq, json_t *into)
{
	const json_t *given = json_object_get(rq->body, "permissions");
	struct str permission = take_text(rq, "permission");
	json_t *list;

	for (int i = 0; permission.n > 0 && i < SECURITIES; i++)
		if (takes(rq->route, securities[i].member, P_BOOL_LOOSE))
			json_object_set_new(into, securities[i].member, json_boolean(str_is(permission, securities[i].on)));
	if (json_object_get(rq->body, "read") == NULL && json_object_get(rq->body, "write") == NULL)
		return;
	list = json_is_array(given) ? json_copy((json_t *)(uintptr_t)given) : json_array();
	add_permissions(rq, list, "read");
	add_permissions(rq, list, "write");
	json_object_set_new(into, "permissions", list);
}

/* Who may run a function: as who may write. */
static void
old_roles_request(struct req *rq, json_t *into)
{
	const json_t *roles = json_object_get(rq->body, "execute"), *v;
	json_t *list;
	size_t i;

	if (!json_is_array(roles) || json_array_size(roles) > OLD_LIST_MAX)
		return;
	list = json_array();
	json_array_foreach(roles, i, v) {
		const char *role = json_is_string(v) ? new_role(rq, json_str(v), true) : NULL;

		if (role != NULL)
			add_once(list, role);
	}
	json_object_set_new(into, "execute", list);
}

static void
old_key_request(struct req *rq, json_t *into)
{
	const json_t *expire = json_object_get(rq->body, "expire");
	char iso[30];

	if (!json_is_integer(expire))
		return;
	if (json_integer_value(expire) == 0)
		json_object_del(into, "expire");
	else if (json_integer_value(expire) > 0 && json_integer_value(expire) < INT64_C(200000000000))
		json_object_set_new(into, "expire", json_string(time_iso(json_integer_value(expire) * 1000, iso)));
}

static void
request_12(struct req *rq, json_t *into)
{
	const json_t *status = json_object_get(rq->body, "status");
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		for (const struct made_id *m = v[i]->made_ids; m != NULL && m->path != NULL; m++)
			if (strcmp(rq->route->method, "POST") == 0 && strcmp(rq->route->path, m->path) == 0)
				json_object_set_new(into, m->param, json_string("unique()"));
	if (takes(rq->route, "userId", P_UID) && takes(rq->route, "status", P_BOOL_LOOSE) && status != NULL)	/* of a user: a number then */
		json_object_set_new(into, "status", json_boolean(!json_is_integer(status) || json_integer_value(status) != 2));
}

/* Of an account, the phone was called its number (SDKs up to 9.0 of the web, 7.0 of servers). */
static void
old_phone_request(struct req *rq, json_t *into)
{
	json_t *number = json_object_get(rq->body, "number");

	if (number != NULL && json_object_get(rq->body, "phone") == NULL)
		json_object_set(into, "phone", number);
}

/* Parameters of routes that 1.0 had, which later clients call otherwise. */
static const struct {
	const char *name, *later;
	int64_t since;
} renamed_params[] = {
    {"security", "tls", SINCE_1_9_1},
    {"httpUser", "authUsername", SINCE_1_9_1},
    {"httpPass", "authPassword", SINCE_1_9_1},
};

static bool
has_param(const struct route *r, const char *name)
{
	for (int i = 0; i < r->n_params; i++)
		if (strcmp(r->params[i].name, name) == 0)
			return true;
	return false;
}

static void
later_names(struct req *rq)
{
	json_t *into = NULL;

	for (size_t i = 0; i < sizeof renamed_params / sizeof *renamed_params; i++) {
		json_t *v = json_object_get(rq->body, renamed_params[i].later);

		if (v == NULL || rq->cx.format < renamed_params[i].since || !has_param(rq->route, renamed_params[i].name))
			continue;
		if (into == NULL) {
			into = json_copy(rq->body);
			(void)json_keep(&rq->cx, into);
		}
		json_object_set(into, renamed_params[i].name, v);
	}
	if (into != NULL)
		rq->body = into;
}

void
compat_request(struct req *rq)
{
	const struct route *r = rq->route;
	json_t *into;

	if (rq->cx.format >= SINCE_1_9_1)
		later_names(rq);
	if (rq->format_request == FORMAT_NOW || r->n_params == 0)
		return;
	into = json_copy(rq->body);
	(void)json_keep(&rq->cx, into);
	if (rq->format_request == FORMAT_12)
		request_12(rq, into);
	if (takes(r, "queries", P_QUERIES))
		old_list_request(rq, into);
	if (takes(r, "permissions", P_PERMISSIONS))
		old_write_request(rq, into);
	if (takes(r, "execute", P_ROLES))
		old_roles_request(rq, into);
	if (takes(r, "expire", P_DATETIME))
		old_key_request(rq, into);
	if (takes(r, "phone", P_PHONE))
		old_phone_request(rq, into);
	rq->body = into;
}
