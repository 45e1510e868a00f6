/* GET /v1/openapi.json: the API as its tables say it, so that the document cannot differ from what runs. Made once per process, on a thread. */
#include "gate_priv.h"

#include <assert.h>

#include "core/conf.h"
#include "core/offload.h"
#include "core/protocol.h"

enum { DOCUMENT_HINT = 256 * 1024 };

struct param_kind {
	const char *type;	/* of JSON Schema; "array" has texts as elements */
	const char *format;	/* NULL none */
};

static struct param_kind
openapi_kind_of(enum param_type t)
{
	switch (t) {
	case P_EMAIL:
		return (struct param_kind){"string", "email"};
	case P_PASSWORD:
		return (struct param_kind){"string", "password"};
	case P_PHONE:
		return (struct param_kind){"string", "phone"};
	case P_URL:
	case P_REDIRECT:
	case P_MAIL_LINK:
		return (struct param_kind){"string", "uri"};
	case P_DATETIME:
		return (struct param_kind){"string", "date-time"};
	case P_BOOL:
	case P_BOOL_LOOSE:
	case P_TOTAL:
		return (struct param_kind){"boolean", NULL};
	case P_INT:
	case P_RANGE:
		return (struct param_kind){"integer", "int64"};
	case P_NUMBER:
	case P_FRACTION:
		return (struct param_kind){"number", "double"};
	case P_TEXTS:
	case P_ENUMS:
	case P_KEYS:
	case P_PERMISSIONS:
	case P_ROLES:
	case P_QUERIES:
	case P_OBJECTS:
	case P_INTS:
		return (struct param_kind){"array", NULL};
	case P_JSON_OBJECT:
	case P_ASSOC:
		return (struct param_kind){"object", NULL};
	case P_ANY:
		return (struct param_kind){NULL, NULL};
	default:
		return (struct param_kind){"string", NULL};
	}
}

static void
openapi_member(struct jw *w, const char *key, const char *value)
{
	jw_key(w, str_c(key));
	jw_cstr(w, value);
}

static void
openapi_write_items(struct jw *w, const struct param *p)
{
	JW_KEY(w, "items");
	jw_obj(w);
	openapi_member(w, "type", p->type == P_OBJECTS ? "object" : p->type == P_INTS ? "integer" : "string");
	if (p->type == P_ENUMS)
		openapi_enum(w, p->list);
	jw_obj_end(w);
	JW_KEY(w, "maxItems");
	jw_i64(w, p->count > 0 ? p->count : 100);
}

static void
write_param_schema(struct jw *w, const struct param *p, bool describe)
{
	struct param_kind k = openapi_kind_of(p->type);

	jw_obj(w);
	if (k.type != NULL)
		openapi_member(w, "type", k.type);
	if (k.format != NULL)
		openapi_member(w, "format", k.format);
	if (describe)
		openapi_member(w, "description", p->doc);
	if (p->later != NULL && w->format == 0) {
		JW_KEY(w, "x-later");
		jw_arr(w);
		jw_cstr(w, p->later);
		jw_cstr(w, protocol_text(w->b->arena, p->later_since));
		jw_arr_end(w);
	}
	if (p->type == P_ENUM || p->type == P_ENUM_NOCASE)
		openapi_enum(w, p->list);
	if ((p->type == P_TEXT || p->type == P_DATA) && p->max > 0) {
		JW_KEY(w, "maxLength");
		jw_i64(w, p->max);
	}
	if (p->type == P_RANGE && (p->min != INT64_MIN || p->max != INT64_MAX)) {
		JW_KEY(w, "minimum");
		jw_i64(w, p->min);
		JW_KEY(w, "maximum");
		jw_i64(w, p->max);
	}
	if (k.type != NULL && strcmp(k.type, "array") == 0)
		openapi_write_items(w, p);
	if (p->nullable) {
		JW_KEY(w, "nullable");
		jw_bool(w, true);
	}
	if (p->def != NULL) {
		JW_KEY(w, "default");
		jw_raw(w, str_c(p->def));
	}
	jw_obj_end(w);
}

static bool
openapi_is_required(const struct param *p)
{
	return p->required && p->def == NULL && p->optional_since == 0;
}

/* As clients of the document's format call it. */
static const char *
openapi_param_name(const struct jw *w, const struct param *p)
{
	return p->later != NULL && w->format >= p->later_since ? p->later : p->name;
}

/* Path and query parameters; those of lists are sent as name[]. */
static void
write_parameter(struct jw *w, const struct param *p)
{
	struct param_kind k = openapi_kind_of(p->type);
	char name[64];

	snprintf(name, sizeof name, "%s%s", p->name, !p->path && k.type && strcmp(k.type, "array") == 0 ? "[]" : "");
	jw_obj(w);
	openapi_member(w, "name", name);
	openapi_member(w, "in", p->path ? "path" : "query");
	openapi_member(w, "description", p->doc);
	JW_KEY(w, "required");
	jw_bool(w, p->path || openapi_is_required(p));
	JW_KEY(w, "schema");
	write_param_schema(w, p, false);
	jw_obj_end(w);
}

static bool
in_body(const struct route *r, const struct param *p)
{
	return p->path == NULL && strcmp(r->method, "GET") != 0;
}

static void
write_parameters(struct jw *w, const struct route_info *info)
{
	const struct route *r = info->route;

	JW_KEY(w, "parameters");
	jw_arr(w);
	for (int i = 0; i < r->n_params; i++)
		if (!in_body(r, &r->params[i]) && info->places[i] != PLACE_BOUND)
			write_parameter(w, &r->params[i]);
	jw_arr_end(w);
}

static void
write_body(struct jw *w, const struct route_info *info)
{
	const struct route *r = info->route;
	int n = 0;

	for (int i = 0; i < r->n_params; i++)
		n += in_body(r, &r->params[i]) && info->places[i] != PLACE_BOUND;
	if (n == 0)
		return;
	JW_KEY(w, "requestBody");
	jw_obj(w);
	JW_KEY(w, "content");
	jw_obj(w);
	JW_KEY(w, "application/json");
	jw_obj(w);
	JW_KEY(w, "schema");
	jw_obj(w);
	openapi_member(w, "type", "object");
	JW_KEY(w, "properties");
	jw_obj(w);
	for (int i = 0; i < r->n_params; i++)
		if (in_body(r, &r->params[i]) && info->places[i] != PLACE_BOUND) {
			jw_key(w, str_c(openapi_param_name(w, &r->params[i])));
			write_param_schema(w, &r->params[i], true);
		}
	jw_obj_end(w);
	n = 0;
	for (int i = 0; i < r->n_params; i++)
		if (in_body(r, &r->params[i]) && openapi_is_required(&r->params[i])) {
			if (n++ == 0) {
				JW_KEY(w, "required");
				jw_arr(w);
			}
			jw_cstr(w, openapi_param_name(w, &r->params[i]));
		}
	if (n > 0)
		jw_arr_end(w);
	for (int i = 0; i < 4; i++)
		jw_obj_end(w);
}

/* "userList" for a list of "user". */
static const char *
reply_model(struct arena *a, const struct shape *model, const char *list)
{
	return model == NULL ? NULL : list ? arena_printf(a, "%sList", model->model) : model->model;
}

static void
write_json_content(struct jw *w, const char *model, const char *or_model)
{
	JW_KEY(w, "application/json");
	jw_obj(w);
	JW_KEY(w, "schema");
	if (or_model == NULL) {
		openapi_reference(w, model);
	} else {
		jw_obj(w);
		JW_KEY(w, "oneOf");
		jw_arr(w);
		openapi_reference(w, model);
		openapi_reference(w, or_model);
		jw_arr_end(w);
		jw_obj_end(w);
	}
	jw_obj_end(w);
}

/* What is no JSON: its type, and nothing about what is in it. */
static void
write_text_content(struct jw *w, const char *media)
{
	jw_key(w, str_c(media));
	jw_obj(w);
	JW_KEY(w, "schema");
	jw_obj(w);
	openapi_member(w, "type", "string");
	jw_obj_end(w);
	jw_obj_end(w);
}

static void
write_status(struct jw *w, const struct route *r, int code, const char *what)
{
	char status[16];

	snprintf(status, sizeof status, "%d", code);
	jw_key(w, str_c(status));
	jw_obj(w);
	openapi_member(w, "description", what);
	if (code == 304) {
		jw_obj_end(w);
		return;
	}
	if (r->model != NULL || r->media != NULL) {
		JW_KEY(w, "content");
		jw_obj(w);
		if (r->model != NULL)
			write_json_content(w, reply_model(w->b->arena, r->model, r->list), reply_model(w->b->arena, r->or_model, r->or_list));
		else
			write_text_content(w, r->media);
		jw_obj_end(w);
	}
	jw_obj_end(w);
}

static void
write_success(struct jw *w, const struct route *r)
{
	write_status(w, r, r->status, r->status < 400 ? "Done." : "What it is there for.");
	if (r->or_status != 0)
		write_status(w, r, r->or_status, "It will be done.");
	if (r->flags & ROUTE_RANGES)
		write_status(w, r, 206, "The range that was asked for.");
	if (r->flags & (ROUTE_RANGES | ROUTE_ETAG))
		write_status(w, r, 304, "The client has it already.");
}

/* Its answer is an error like any other. */
static bool
fails_only(const struct route *r)
{
	return r->status >= 400 && r->model == NULL && r->media == NULL;
}

static void
write_failure(struct jw *w, const struct route *r)
{
	JW_KEY(w, "default");
	jw_obj(w);
	openapi_member(w, "description", "An error.");
	JW_KEY(w, "content");
	jw_obj(w);
	if (r->flags & ROUTE_HTML)
		write_text_content(w, "text/html; charset=UTF-8");
	else
		write_json_content(w, "error", NULL);
	jw_obj_end(w);
	jw_obj_end(w);
}

static void
write_operation(struct jw *w, const struct route_info *info)
{
	const struct route *r = info->route;

	for (char *c = arena_strdup(w->b->arena, r->method), *from = c; from != NULL; from = NULL) {
		for (; *c != '\0'; c++)
			*c = (char)(*c + 'a' - 'A');
		jw_key(w, str_c(from));
	}
	jw_obj(w);
	openapi_member(w, "summary", r->doc ? r->doc : "");
	if (r->name != NULL)
		openapi_member(w, "operationId", arena_printf(w->b->arena, "%s%s%s%s", info->tag ? info->tag : "", info->tag ? "." : "", r->name,
		    info->alias ? ".legacy" : ""));
	if (info->tag != NULL) {
		JW_KEY(w, "tags");
		jw_arr(w);
		jw_cstr(w, info->tag);
		jw_arr_end(w);
	}
	if (info->alias != NULL) {
		JW_KEY(w, "deprecated");
		jw_bool(w, true);
	}
	write_parameters(w, info);
	write_body(w, info);
	JW_KEY(w, "responses");
	jw_obj(w);
	if (!fails_only(r))
		write_success(w, r);
	write_failure(w, r);
	jw_obj_end(w);
	openapi_version(w, "x-since", r->since);
	if (r->scope != NULL)
		openapi_member(w, "x-scope", r->scope);
	if (r->limit != NULL && r->limit[0] != '\0')
		openapi_member(w, "x-rate-limit", r->limit);
	jw_obj_end(w);
}

/* "/v1/users/:userId" is "/v1/users/{userId}" there. */
static const char *
template_of(struct arena *a, const char *path)
{
	struct str rest = str_c(path);
	struct buf b;

	buf_init(&b, a, 64);
	str_cut(&rest, '/');
	while (rest.p != NULL) {
		struct str s = str_cut(&rest, '/');

		if (s.n > 0 && s.p[0] == ':')
			buf_printf(&b, "/{%.*s}", (int)s.n - 1, s.p + 1);
		else
			buf_printf(&b, "/%.*s", STR_FMT(s));
	}
	return b.p;
}

static bool
operation_here(const struct jw *w, const struct route_info *i)
{
	return (i->alias == NULL || i->alias->documented) && (w->format == 0 || i->route->since <= w->format);
}

/* Rows of one path may stand apart, even in different tables: each path is written where it is first seen. */
static void
write_paths(struct jw *w, const struct route_info *const *infos, int n)
{
	const char **paths = arena_array(w->b->arena, const char *, n);	/* NULL: it is written, or has no operation of its own */

	for (int i = 0; i < n; i++)
		paths[i] = operation_here(w, infos[i]) ? template_of(w->b->arena, infos[i]->path) : NULL;
	JW_KEY(w, "paths");
	jw_obj(w);
	for (int i = 0; i < n; i++) {
		const char *path = paths[i];

		if (path == NULL)
			continue;
		jw_key(w, str_c(path));
		jw_obj(w);
		for (int j = i; j < n; j++)
			if (paths[j] != NULL && strcmp(paths[j], path) == 0) {
				write_operation(w, infos[j]);
				paths[j] = NULL;
			}
		jw_obj_end(w);
	}
	jw_obj_end(w);
}

/* x-aliases: other paths of the same operations, which have none of their own here: [method, path, the operation's path, whether clients of 1.0 do not know it]. */
static void
write_aliases(struct jw *w, const struct route_info *const *infos, int n)
{
	JW_KEY(w, "x-aliases");
	jw_arr(w);
	for (int i = 0; i < n; i++) {
		if (infos[i]->alias == NULL || infos[i]->alias->documented)
			continue;
		jw_arr(w);
		jw_cstr(w, infos[i]->route->method);
		jw_cstr(w, template_of(w->b->arena, infos[i]->path));
		jw_cstr(w, template_of(w->b->arena, infos[i]->route->path));
		jw_bool(w, infos[i]->alias->later);
		jw_arr_end(w);
	}
	jw_arr_end(w);
}

static void
openapi_write(struct jw *w, const struct route_info *const *infos, int n)
{
	jw_obj(w);
	openapi_member(w, "openapi", "3.0.0");
	JW_KEY(w, "info");
	jw_obj(w);
	openapi_member(w, "title", "Badal");
	openapi_member(w, "version", w->format == 0 ? "1.0.2" : protocol_text(w->b->arena, w->format));
	openapi_member(w, "description", "A realtime backend. Made from the tables of the running server.");
	jw_obj_end(w);
	JW_KEY(w, "servers");
	jw_arr(w);
	jw_obj(w);
	openapi_member(w, "url", "/");
	jw_obj_end(w);
	jw_arr_end(w);
	write_paths(w, infos, n);
	write_aliases(w, infos, n);
	openapi_models(w, infos, n);
	openapi_events(w);
	compat_describe(w);
	jw_obj_end(w);
}

/* Where documents may differ: each is made once. */
static const int64_t steps[] = {0, PROTOCOL(1, 0, 0), SINCE_1_1, SINCE_1_2, SINCE_1_3, SINCE_1_4, SINCE_1_5, SINCE_1_6, SINCE_1_6_1, SINCE_1_7, SINCE_1_8, SINCE_1_9, SINCE_1_9_1,
	SINCE_1_9_2, SINCE_1_9_3, SINCE_1_9_4, SINCE_1_9_5, PROTOCOL(1, 9, 6), PROTOCOL(2, 0, 0), PROTOCOL_NEWEST};
enum { STEPS_N = sizeof steps / sizeof *steps };

struct reader {			/* on the stack of who waits for a document that is being made */
	struct reader *next;
	struct fib_event ended;
};

static struct document {
	struct str text;	/* for the process, once it is made */
	bool making;
	struct reader *readers;
} documents[STEPS_N];

struct making {
	int64_t format;
	struct str text;
};

/* On a thread: it reads nothing but tables that stay as they are. */
static void
openapi_make(void *arg)
{
	struct making *m = arg;
	struct arena *a = arena_new();
	const struct route_info *const *infos;
	struct buf b;
	struct jw w;
	int n;

	infos = gate_routes(&n);
	buf_init(&b, a, DOCUMENT_HINT);
	jw_init(&w, &b);
	w.format = m->format;
	openapi_write(&w, infos, n);
	m->text = (struct str){memcpy(mem_alloc(b.n + 1), b.p, b.n), b.n};
	arena_free(&a);
}

/* Awaits. The others wait for it, for it is large. */
static err_t
document_make(struct ctx *cx, struct document *d, int64_t format)
{
	struct making m = {.format = format};
	err_t e;

	assert(!d->making && d->text.p == NULL);
	d->making = true;
	e = offload(cx, LANE_json, openapi_make, &m);
	d->making = false;
	d->text = m.text;	/* also when nobody waits for it any more */
	for (struct reader *r = d->readers; r != NULL; r = r->next)
		fib_signal(&r->ended);
	d->readers = NULL;
	return e;
}

/* Awaits the end of another's making, whatever comes of it. */
static err_t
document_wait(struct ctx *cx, struct document *d)
{
	struct reader me = {.next = d->readers}, **at = &d->readers;
	err_t e;

	d->readers = &me;
	e = fib_await(cx, &me.ended);
	while (!me.ended.set && *at != &me)
		at = &(*at)->next;
	if (!me.ended.set)
		*at = me.next;
	return e;
}

err_t
api_openapi(struct ctx *cx, int64_t format, struct str *out)
{
	struct document *d;
	int i = format > 0 ? 1 : 0;

	while (i > 0 && i + 1 < STEPS_N && steps[i + 1] <= format)
		i++;
	d = &documents[i];
	while (d->text.p == NULL)
		TRY(d->making ? document_wait(cx, d) : document_make(cx, d, steps[i]));
	*out = d->text;
	return OK;
}
