/* Platforms of a project: whose pages and apps may call it. Clients before 1.9 know one kind of them, with a type of many; those since know five, each with the
 * name that its apps go by. What is stored is the type of whoever made it. */
#include "core/protocol.h"
#include "model/query.h"
#include "svc/projects/projects_priv.h"

#undef linux	/* a macro of compilers that speak GNU */

/* ---- the kinds of today ---- */

#define KIND_FIELDS                                                                                                         \
	FIELD(F_ID, struct platform, id, "$id", NULL, "Platform ID."),                                                       \
	    FIELD(F_TIME, struct platform, created, "$createdAt", NULL, "Creation date in ISO 8601 format."),                \
	    FIELD(F_TIME, struct platform, updated, "$updatedAt", NULL, "Update date in ISO 8601 format."),                  \
	    FIELD(F_STR, struct platform, name, "name", NULL, "Platform name."),                                             \
	    FIELD(F_STR, struct platform, type, "type", NULL, "Platform type: web, apple, android, windows or linux.")
static const struct field web_fields[] = {KIND_FIELDS, FIELD(F_STR, struct platform, hostname, "hostname", NULL, "Host name."),
	FIELD(F_STR, struct platform, key, "key", NULL, "What else it was given to be known by.")};
static const struct field apple_fields[] = {KIND_FIELDS, FIELD(F_STR, struct platform, key, "bundleIdentifier", NULL, "Bundle ID.")};
static const struct field android_fields[] = {KIND_FIELDS, FIELD(F_STR, struct platform, key, "applicationId", NULL, "Application ID.")};
static const struct field windows_fields[] = {KIND_FIELDS, FIELD(F_STR, struct platform, key, "packageIdentifierName", NULL, "Name of the package.")};
static const struct field linux_fields[] = {KIND_FIELDS, FIELD(F_STR, struct platform, key, "packageName", NULL, "Name of the package.")};
const struct shape platform_web_shape = SHAPE("platformWeb", struct platform, web_fields);
const struct shape platform_apple_shape = SHAPE("platformApple", struct platform, apple_fields);
const struct shape platform_android_shape = SHAPE("platformAndroid", struct platform, android_fields);
const struct shape platform_windows_shape = SHAPE("platformWindows", struct platform, windows_fields);
const struct shape platform_linux_shape = SHAPE("platformLinux", struct platform, linux_fields);
static const struct shape *const any_kind[] = {&platform_web_shape, &platform_apple_shape, &platform_android_shape, &platform_windows_shape, &platform_linux_shape,
	NULL};
const struct shape platform_kind_shape = {.model = "platformKind", .any = any_kind};

/* A type, its kind of today, and what clients before that know it as. */
static const struct kind {
	const char *type, *kind, *before;
	const struct shape *shape;
} kinds[] = {
	{"web", "web", "web", &platform_web_shape},
	{"flutter-web", "web", "flutter-web", &platform_web_shape},
	{"apple", "apple", "apple-ios", &platform_apple_shape},
	{"flutter-ios", "apple", "flutter-ios", &platform_apple_shape},
	{"flutter-macos", "apple", "flutter-macos", &platform_apple_shape},
	{"apple-ios", "apple", "apple-ios", &platform_apple_shape},
	{"apple-macos", "apple", "apple-macos", &platform_apple_shape},
	{"apple-watchos", "apple", "apple-watchos", &platform_apple_shape},
	{"apple-tvos", "apple", "apple-tvos", &platform_apple_shape},
	{"react-native-ios", "apple", "react-native-ios", &platform_apple_shape},
	{"android", "android", "android", &platform_android_shape},
	{"flutter-android", "android", "flutter-android", &platform_android_shape},
	{"react-native-android", "android", "react-native-android", &platform_android_shape},
	{"unity", "android", "unity", &platform_android_shape},
	{"windows", "windows", "flutter-windows", &platform_windows_shape},
	{"flutter-windows", "windows", "flutter-windows", &platform_windows_shape},
	{"linux", "linux", "flutter-linux", &platform_linux_shape},
	{"flutter-linux", "linux", "flutter-linux", &platform_linux_shape},
};

/* Types are those of the list: a row of another is no platform of ours, and taken for a page. */
static const struct kind *
platform_kind_of(const char *type)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	return &kinds[0];
}

static bool
platform_of_kinds(const struct req *rq)
{
	return rq->cx.format >= SINCE_1_9;
}

static err_t
reply_platform(struct req *rq, int status, const struct platform *p)
{
	const struct kind *k = platform_kind_of(p->type);
	struct platform shown = *p;

	shown.type = platform_of_kinds(rq) ? k->kind : k->before;
	return reply(rq, status, platform_of_kinds(rq) ? k->shape : &platform_shape, &shown);
}

static bool
write_platform(struct buf *b, int i, const void *arg)
{
	const struct objs *list = arg;
	struct platform shown = *(const struct platform *)list->v[i];
	const struct kind *k = platform_kind_of(shown.type);
	struct jw w;

	shown.type = k->kind;
	jw_init(&w, b);
	shape_write(&w, k->shape, &shown);
	return true;
}

/* ---- parameters ---- */

struct platform_in {
	const char *project, *id;
	struct platform in;
};
#define PLATFORM_NEW(must_) must_("platformId", P_CUSTOM_ID, struct platform_in, id, "Platform ID, or unique() for a generated one.")
#define PLATFORM_NAME REQUIRED("name", P_TEXT, struct platform_in, in.name, "Platform name.", .max = 128)
#define PLATFORM_HOST OPTIONAL("hostname", P_HOSTNAME, struct platform_in, in.hostname, "Host name of a web app.")
#define PLATFORM_KEY(name_, must_) must_(name_, P_TEXT, struct platform_in, in.key, "Package name or bundle ID.", .max = 256)
#define PLATFORM_FIELDS                                                                                      \
	PLATFORM_NAME, PLATFORM_KEY("key", OPTIONAL),                                                        \
	    OPTIONAL("store", P_TEXT, struct platform_in, in.store, "App store ID.", .max = 256), PLATFORM_HOST
#define PLATFORM_ID(st) PATH("platformId", P_UID, st, id, "Platform ID.")
static const struct param platform_create_params[] = {
	PROJECT(struct platform_in),
	PLATFORM_NEW(OPTIONAL),
	REQUIRED("type", P_ENUM, struct platform_in, in.type, "Platform type.", .list = platform_types),
	PLATFORM_FIELDS,
};
static const struct param platform_update_params[] = {PROJECT(struct platform_in), PLATFORM_ID(struct platform_in), PLATFORM_FIELDS};
#define PLATFORM_QUERIES CHILDREN_ASKED("Queries over the platforms: type, name, hostname, and what apps are known by.")
static const struct param platforms_of_path[] = {PROJECT(struct children_in), PLATFORM_QUERIES};
static const struct param platform_path[] = {PROJECT(struct one_in), PLATFORM_ID(struct one_in)};
static const struct param own_platforms[] = {PLATFORM_QUERIES};
static const struct param own_platform[] = {PLATFORM_ID(struct one_in)};
static const struct param web_create_params[] = {
	PLATFORM_NEW(REQUIRED), PLATFORM_NAME, PLATFORM_HOST, PLATFORM_KEY("key", OPTIONAL),
	OPTIONAL("type", P_TEXT, struct platform_in, in.type, "A type of before 1.9, with a key.", .max = 256),
};
static const struct param web_update_params[] = {PLATFORM_ID(struct platform_in), PLATFORM_NAME, PLATFORM_HOST, PLATFORM_KEY("key", OPTIONAL)};
#define APP_PARAMS(kind_, name_)                                                                                                     \
	static const struct param kind_##_create_params[] = {PLATFORM_NEW(REQUIRED), PLATFORM_NAME, PLATFORM_KEY(name_, REQUIRED)};   \
	static const struct param kind_##_update_params[] = {PLATFORM_ID(struct platform_in), PLATFORM_NAME, PLATFORM_KEY(name_, REQUIRED)}
APP_PARAMS(apple, "bundleIdentifier");
APP_PARAMS(android, "applicationId");
APP_PARAMS(windows, "packageIdentifierName");
APP_PARAMS(linux, "packageName");

/* ---- requests ---- */

static err_t
not_blank(struct req *rq, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0' || text[strspn(text, " \t\n\v\f\r")] != '\0')
		return OK;
	return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid %s: It must not be blank.", name);
}

/* On the paths of today. The last member of a kind's shape is what its apps go by. */
static err_t
names_not_blank(struct req *rq, const struct platform_in *in, const char *type)
{
	const struct shape *s = platform_kind_of(type)->shape;

	if (in->project != NULL)
		return OK;
	TRY(not_blank(rq, "name", in->in.name));
	return not_blank(rq, s->fields[s->n - 1].key, in->in.key);
}

static err_t
create_platform(struct req *rq, const struct platform_in *in, const char *type)
{
	struct platform asked = in->in, *made;
	struct project *p;

	TRY(names_not_blank(rq, in, type));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	asked.id = in->id;
	asked.type = type;
	TRY(platform_create(&rq->cx, p, &asked, &made));
	return reply_platform(rq, 201, made);
}

static err_t
projects_create_platform(struct req *rq, void *arg)
{
	const struct platform_in *in = arg;

	return create_platform(rq, in, in->in.type);
}

static bool
platform_is_type(const char *type)
{
	for (const char *const *t = platform_types; *t != NULL; t++)
		if (strcmp(*t, type) == 0)
			return true;
	return false;
}

static bool
platform_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* With a type of before it is what the one way of before made. */
static err_t
projects_create_web_platform(struct req *rq, void *arg)
{
	const struct platform_in *in = arg;

	if (!platform_given(in->in.type) && !platform_given(in->in.key) && !platform_given(in->in.hostname))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"hostname\" is not optional.");
	if (platform_given(in->in.type) && !platform_is_type(in->in.type))
		return fail(&rq->cx, ERR_GENERAL_BAD_REQUEST, "type=%s", in->in.type);
	return create_platform(rq, in, platform_given(in->in.type) ? in->in.type : "web");
}

static err_t
change_platform(struct req *rq, const struct platform_in *in, const char *kind)
{
	const struct platform *former;
	struct platform *now;
	struct project *p;

	TRY(names_not_blank(rq, in, kind ? kind : ""));
	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	if ((former = platform_find(p, in->id)) == NULL)
		return fail(&rq->cx, ERR_PLATFORM_NOT_FOUND, "id=%s", in->id);
	if (kind != NULL && strcmp(platform_kind_of(former->type)->kind, kind) != 0)	/* a type never changes */
		return fail(&rq->cx, ERR_PLATFORM_METHOD_UNSUPPORTED, "type=%s", former->type);
	TRY(platform_update(&rq->cx, p, in->id, &in->in, kind == NULL ? "name key store hostname" : strcmp(kind, "web") == 0 ? "name hostname" : "name key", &now));
	return reply_platform(rq, 200, now);
}

static err_t
projects_update_platform(struct req *rq, void *arg)
{
	return change_platform(rq, arg, NULL);
}

static err_t
projects_update_web_platform(struct req *rq, void *arg)
{
	const struct platform_in *in = arg;

	if (!platform_given(in->in.hostname))
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"hostname\" is not optional.");
	return change_platform(rq, in, "web");
}

#define APP_HANDLERS(kind_)                                                   \
	static err_t projects_create_##kind_##_platform(struct req *rq, void *in) \
	{                                                                     \
		return create_platform(rq, in, #kind_);                       \
	}                                                                     \
	static err_t projects_update_##kind_##_platform(struct req *rq, void *in) \
	{                                                                     \
		return change_platform(rq, in, #kind_);                       \
	}
APP_HANDLERS(apple)
APP_HANDLERS(android)
APP_HANDLERS(windows)
APP_HANDLERS(linux)

static err_t
projects_list_platforms(struct req *rq, void *arg)
{
	const struct children_in *in = arg;
	struct objs list;
	struct project *p;
	int64_t total;

	TRY(project_of(rq, in->project, RIGHT_READ, &p));
	TRY(platform_list(&rq->cx, p, &in->queries, &list, &total));
	if (platform_of_kinds(rq))
		return reply_members(rq, &(struct member_list){&platform_kind_shape, "platforms", total, list.n, write_platform, &list, NULL, 200});
	for (int i = 0; i < list.n; i++) {
		struct platform *shown = arena_new_of(rq->cx.arena, struct platform);

		*shown = *(const struct platform *)list.v[i];
		shown->type = platform_kind_of(shown->type)->before;
		list.v[i] = shown;
	}
	return reply_list(rq, &platform_shape, "platforms", total, &list);
}

static err_t
projects_get_platform(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct platform *found;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_READ, &p));
	if ((found = platform_find(p, in->id)) == NULL)
		return fail(&rq->cx, ERR_PLATFORM_NOT_FOUND, "id=%s", in->id);
	return reply_platform(rq, 200, found);
}

static err_t
projects_delete_platform(struct req *rq, void *arg)
{
	const struct one_in *in = arg;
	struct project *p;

	TRY(project_of(rq, in->project, RIGHT_CHANGE, &p));
	TRY(platform_delete(&rq->cx, p, in->id));
	return reply_none(rq);
}

/* ---- routes ---- */

#define OF_PATH(method_, tail, name_, scope_, handler_, status_, doc_, st, rows, ...)                                               \
	{                                                                                                                           \
		.method = method_, .path = "/v1/projects/:projectId/platforms" tail, .service = "projects", .name = name_,           \
		.scope = "projects." scope_, .limit = "", .handler = handler_, .model = &platform_shape, .or_model = &platform_kind_shape, \
		.status = status_, .doc = doc_, .flags = ROUTE_CONSOLE, PARAMS(st, rows), __VA_ARGS__                                \
	}
#define BEFORE .or_model = &platform_shape	/* for clients before 1.9 */
#define OF_KIND(kind_, words_)                                                                                                      \
	OWN(SINCE_1_9, "POST", "/platforms/" #kind_, "create" words_ "Platform", "platforms.write", projects_create_##kind_##_platform, \
	    &platform_##kind_##_shape, 201, "Add a platform of this kind.", struct platform_in, kind_##_create_params, BEFORE),      \
	    OWN(SINCE_1_9, "PUT", "/platforms/" #kind_ "/:platformId", "update" words_ "Platform", "platforms.write",               \
		projects_update_##kind_##_platform, &platform_##kind_##_shape, 200, "Change a platform of this kind.", struct platform_in, \
		kind_##_update_params, BEFORE)

static const struct route rows[] = {
	OF_PATH("POST", "", "createPlatform", "write", projects_create_platform, 201, "Add a platform.", struct platform_in, platform_create_params),
	OF_PATH("GET", "", "listPlatforms", "read", projects_list_platforms, 200, "List platforms.", struct children_in, platforms_of_path, .list = "platforms",
	    .or_list = "platforms"),
	OF_PATH("GET", "/:platformId", "getPlatform", "read", projects_get_platform, 200, "One platform.", struct one_in, platform_path),
	OF_PATH("PUT", "/:platformId", "updatePlatform", "write", projects_update_platform, 200, "Change a platform.", struct platform_in, platform_update_params),
	PROJECTS("DELETE", "/:projectId/platforms/:platformId", "deletePlatform", "write", projects_delete_platform, NULL, 204, "Remove a platform.", struct one_in,
	    platform_path),

	OWN(SINCE_1_9, "POST", "/platforms/web", "createWebPlatform", "platforms.write", projects_create_web_platform, &platform_kind_shape, 201, "Add a platform of this kind.",
	    struct platform_in, web_create_params, BEFORE),
	OWN(SINCE_1_9, "PUT", "/platforms/web/:platformId", "updateWebPlatform", "platforms.write", projects_update_web_platform, &platform_web_shape, 200,
	    "Change a platform of this kind.", struct platform_in, web_update_params, BEFORE),
	OF_KIND(apple, "Apple"),
	OF_KIND(android, "Android"),
	OF_KIND(windows, "Windows"),
	OF_KIND(linux, "Linux"),
	OWN_LIST(SINCE_1_9, "/platforms", "listPlatforms", "platforms.read", projects_list_platforms, &platform_kind_shape, "platforms", "List platforms.",
	    struct children_in, own_platforms, BEFORE, .or_list = "platforms"),
	OWN(SINCE_1_9, "GET", "/platforms/:platformId", "getPlatform", "platforms.read", projects_get_platform, &platform_kind_shape, 200, "One platform.",
	    struct one_in, own_platform, BEFORE),
	OWN(SINCE_1_9, "DELETE", "/platforms/:platformId", "deletePlatform", "platforms.write", projects_delete_platform, NULL, 204, "Remove a platform.",
	    struct one_in, own_platform),
};
const struct routes platform_routes = ROUTES(rows);
