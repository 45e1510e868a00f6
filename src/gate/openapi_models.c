/* The models of GET /v1/openapi.json: every member that a reply has, with its type and form, and none besides. The tests hold each reply
 * that they see against it (t/lib/shapes.mjs), so what is vague here is unchecked there. */
#include <assert.h>

#include "gate_priv.h"
#include "core/protocol.h"
#include "model/service.h"

enum { LISTED_MAX = 256 };

static void
openapi_models_add(struct jw *w, const char *key, const char *value)
{
	jw_key(w, str_c(key));
	jw_cstr(w, value);
}

void
openapi_enum(struct jw *w, const char *const *list)
{
	JW_KEY(w, "enum");
	jw_arr(w);
	for (; *list != NULL; list++)
		jw_cstr(w, *list);
	jw_arr_end(w);
}

void
openapi_reference(struct jw *w, const char *model)
{
	char ref[96];

	snprintf(ref, sizeof ref, "#/components/schemas/%s", model);
	jw_obj(w);
	openapi_models_add(w, "$ref", ref);
	jw_obj_end(w);
}

/* A member of the document that is of all formats: where a client's begins or ends. */
void
openapi_version(struct jw *w, const char *key, int64_t version)
{
	if (version > 0 && w->format == 0)
		openapi_models_add(w, key, protocol_text(w->b->arena, version));
}

/* ---- members ---- */

/* NULL: write_form says more. */
static const char *
openapi_models_type_of(const struct field *f)
{
	static const char *const types[] = {[F_STR] = "string", [F_ID] = "string", [F_ENUM] = "string", [F_DATA] = "string", [F_TIME] = "string",
		[F_TIME_OR_NONE] = "string", [F_BOOL] = "boolean", [F_INT] = "integer", [F_FLOAT] = "number", [F_STRS] = "array",
		[F_LIST] = "array"};

	if (f->type != F_CONST)
		return types[f->type];
	return f->text[0] == '"' ? "string" : f->text[0] == '[' ? "array" : f->text[0] == '{' ? "object" : f->text[0] == 'n' ? "null" :
	    f->text[0] == 't' || f->text[0] == 'f' ? "boolean" : "number";
}

/* What texts look like, beyond being texts. */
static void
write_form(struct jw *w, const struct field *f)
{
	switch (f->type) {
	case F_ID:
		openapi_models_add(w, "pattern", "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,35}$");
		return;
	case F_ENUM:
		openapi_enum(w, f->values);
		return;
	case F_TIME:
		openapi_models_add(w, "format", "date-time");
		return;
	case F_TIME_OR_NONE:
		JW_KEY(w, "anyOf");
		jw_raw(w, STR("[{\"format\":\"date-time\"},{\"maxLength\":0}]"));
		return;
	case F_JSON:	/* an empty one may be written as a list: so it came, and the contract has it so in places */
		JW_KEY(w, "anyOf");
		jw_raw(w, STR("[{\"type\":\"object\"},{\"type\":\"array\",\"maxItems\":0}]"));
		return;
	case F_CONST:
		if (f->say != NULL)
			return;
		JW_KEY(w, "enum");
		jw_arr(w);
		jw_raw(w, str_c(f->text));
		jw_arr_end(w);
		return;
	default:
		return;
	}
}

static void
openapi_models_write_items(struct jw *w, const struct field *f)
{
	JW_KEY(w, "items");
	if (f->sub != NULL) {
		openapi_reference(w, f->sub->model);
		return;
	}
	if (f->type == F_LIST) {
		jw_raw(w, str_c(f->text));
		return;
	}
	jw_obj(w);
	openapi_models_add(w, "type", "string");
	jw_obj_end(w);
}

static void
write_field(struct jw *w, const struct field *f)
{
	jw_key(w, str_c(f->key));
	jw_obj(w);
	if (openapi_models_type_of(f) != NULL)
		openapi_models_add(w, "type", openapi_models_type_of(f));
	write_form(w, f);
	if (f->type == F_STRS || f->type == F_LIST)
		openapi_models_write_items(w, f);
	if (f->type == F_CONST && f->text[0] == '[') {	/* it is empty */
		JW_KEY(w, "items");
		jw_raw(w, STR("{\"type\":\"object\"}"));
	}
	if (f->nullable) {
		JW_KEY(w, "nullable");
		jw_bool(w, true);
	}
	openapi_version(w, "x-since", f->since);
	openapi_version(w, "x-until", f->until);
	if (f->sometimes) {
		JW_KEY(w, "x-sometimes");
		jw_bool(w, true);
	}
	openapi_models_add(w, "description", f->doc ? f->doc : "");
	jw_obj_end(w);
}

/* Is the member in this document, which is of all formats (w->format 0) or of one? */
static bool
documented(const struct jw *w, const struct field *f)
{
	return w->format == 0 ? !f->hidden : field_told(f, w->format);
}

/* Is it in each reply? */
static bool
always_there(const struct jw *w, const struct field *f)
{
	return documented(w, f) && !f->sometimes && (w->format > 0 || (f->since == 0 && f->until == 0));
}

/* ---- models ---- */

static void
write_any(struct jw *w, const struct shape *const *any)
{
	JW_KEY(w, "anyOf");
	jw_arr(w);
	for (; *any != NULL; any++)
		openapi_reference(w, (*any)->model);
	jw_arr_end(w);
}

/* An object with just these members, each of which is there, or with more that are the client's own. */
static void
write_fields(struct jw *w, const struct shape *s)
{
	int n = 0;

	openapi_models_add(w, "type", "object");
	JW_KEY(w, "properties");
	jw_obj(w);
	for (int i = 0; i < s->n; i++)
		if (documented(w, &s->fields[i]))
			write_field(w, &s->fields[i]);
	jw_obj_end(w);
	for (int i = 0; i < s->n; i++) {
		if (!always_there(w, &s->fields[i]))
			continue;
		if (n++ == 0) {
			JW_KEY(w, "required");
			jw_arr(w);
		}
		jw_cstr(w, s->fields[i].key);
	}
	if (n > 0)
		jw_arr_end(w);
	JW_KEY(w, "additionalProperties");
	jw_bool(w, s->open);
}

static void
write_model(struct jw *w, const struct shape *s)
{
	jw_key(w, str_c(s->model));
	jw_obj(w);
	if (s->any != NULL)
		write_any(w, s->any);
	else
		write_fields(w, s);
	jw_obj_end(w);
}

/* {"total": …, "<list>": [ … ]} */
static void
write_list_model(struct jw *w, const struct shape *model, const char *list)
{
	jw_key(w, str_c(arena_printf(w->b->arena, "%sList", model->model)));
	jw_obj(w);
	openapi_models_add(w, "type", "object");
	JW_KEY(w, "properties");
	jw_obj(w);
	JW_KEY(w, "total");
	jw_raw(w, STR("{\"type\":\"integer\",\"minimum\":0,\"description\":\"How many there are, at most 5000.\"}"));
	jw_key(w, str_c(list));
	jw_obj(w);
	openapi_models_add(w, "type", "array");
	JW_KEY(w, "items");
	openapi_reference(w, model->model);
	jw_obj_end(w);
	jw_obj_end(w);
	JW_KEY(w, "required");
	jw_arr(w);
	jw_cstr(w, "total");
	jw_cstr(w, list);
	jw_arr_end(w);
	JW_KEY(w, "additionalProperties");
	jw_bool(w, false);
	jw_obj_end(w);
}

/* Models of which there are lists. */
struct listed {
	const struct shape *model;
	const char *list;
};

/* One for each: no two routes name theirs differently. */
static void
add_listed(struct jw *w, const struct shape *model, const char *list, struct listed *seen, int *n)
{
	for (int k = 0; k < *n; k++)
		if (seen[k].model == model) {
			assert(strcmp(seen[k].list, list) == 0);
			return;
		}
	assert(*n < LISTED_MAX);
	seen[(*n)++] = (struct listed){model, list};
	write_list_model(w, model, list);
}

static void
write_list_models(struct jw *w, const struct route_info *const *infos, int n)
{
	struct listed seen[LISTED_MAX];
	int n_seen = 0;

	for (int i = 0; i < n; i++) {
		const struct route *r = infos[i]->route;

		if (r->list != NULL)
			add_listed(w, r->model, r->list, seen, &n_seen);
		if (r->or_list != NULL)
			add_listed(w, r->or_model, r->or_list, seen, &n_seen);
	}
}

/* ---- errors ---- */

static bool
first_of_its_type(int e)
{
	for (int k = 1; k < e; k++)
		if (strcmp(err_info((err_t)k)->type, err_info((err_t)e)->type) == 0)
			return false;
	return true;
}

static void
write_statuses_of(struct jw *w, const char *name, const char *type)
{
	jw_key(w, str_c(name));
	jw_arr(w);
	for (int e = 1; e < ERR_N; e++)
		if (strcmp(err_info((err_t)e)->type, type) == 0)
			jw_i64(w, err_status((err_t)e, w->format));
	jw_arr_end(w);
}

static void
write_type(struct jw *w, const char *name, const char *type)
{
	(void)type;
	jw_cstr(w, name);
}

/* Each type once, as it is and as later families of paths call it. */
static void
each_type(struct jw *w, void (*put)(struct jw *w, const char *name, const char *type))
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int e = 1; e < ERR_N; e++) {
		const char *type = err_info((err_t)e)->type;

		if (!first_of_its_type(e))
			continue;
		put(w, type, type);
		for (int i = 0; i < n; i++) {
			const char *said = v[i]->family ? words_say(w->b->arena, &v[i]->family->words, type) : type;

			if (said != type)
				put(w, said, type);
		}
	}
}

/* x-statuses: with which statuses each type goes. */
static void
write_statuses(struct jw *w)
{
	JW_KEY(w, "x-statuses");
	jw_obj(w);
	each_type(w, write_statuses_of);
	jw_obj_end(w);
}

/* x-later-statuses, where the document is of all formats: [type, status, since]. */
static void
write_later_statuses(struct jw *w)
{
	int64_t since;
	int status;
	err_t e;

	JW_KEY(w, "x-later-statuses");
	jw_arr(w);
	for (int i = 0; w->format == 0 && err_later(i, &e, &since, &status); i++) {
		jw_arr(w);
		jw_cstr(w, err_info(e)->type);
		jw_i64(w, status);
		jw_cstr(w, protocol_text(w->b->arena, since));
		jw_arr_end(w);
	}
	jw_arr_end(w);
}

/* The last three are there when the server runs as env=development. */
static void
write_error_model(struct jw *w)
{
	JW_KEY(w, "error");
	jw_obj(w);
	openapi_models_add(w, "type", "object");
	JW_KEY(w, "properties");
	jw_obj(w);
	JW_KEY(w, "message");
	jw_raw(w, STR("{\"type\":\"string\",\"minLength\":1,\"description\":\"What is wrong, in words.\"}"));
	JW_KEY(w, "code");
	jw_raw(w, STR("{\"type\":\"integer\",\"description\":\"The status of the reply.\"}"));
	JW_KEY(w, "type");
	jw_obj(w);
	openapi_models_add(w, "type", "string");
	JW_KEY(w, "enum");
	jw_arr(w);
	each_type(w, write_type);
	jw_arr_end(w);
	jw_obj_end(w);
	JW_KEY(w, "version");
	jw_raw(w, STR("{\"type\":\"string\",\"description\":\"Version of the server.\"}"));
	JW_KEY(w, "file");
	jw_raw(w, STR("{\"type\":\"string\"}"));
	JW_KEY(w, "line");
	jw_raw(w, STR("{\"type\":\"integer\"}"));
	JW_KEY(w, "trace");
	jw_raw(w, STR("{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"));
	jw_obj_end(w);
	JW_KEY(w, "required");
	jw_raw(w, STR("[\"message\",\"code\",\"type\",\"version\"]"));
	JW_KEY(w, "additionalProperties");
	jw_bool(w, false);
	write_statuses(w);
	write_later_statuses(w);
	jw_obj_end(w);
}

/* ---- all of them ---- */

/* Every model that a route or another model names, and every registered one, once. */
struct models {
	const struct shape *v[256];
	int n;
};

static void
models_add(struct models *m, const struct shape *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < m->n; i++)
		if (strcmp(m->v[i]->model, s->model) == 0)
			return;
	assert(m->n < (int)(sizeof m->v / sizeof *m->v));
	m->v[m->n++] = s;
	for (int i = 0; i < s->n; i++)
		models_add(m, s->fields[i].sub);
	for (const struct shape *const *any = s->any; any != NULL && *any != NULL; any++)
		models_add(m, *any);
}

static void
write_schemes(struct jw *w)
{
	static const char *const schemes[][2] = {{"Project", "X-Appwrite-Project"}, {"Key", "X-Appwrite-Key"}, {"JWT", "X-Appwrite-JWT"},
		{"Locale", "X-Appwrite-Locale"}, {"Mode", "X-Appwrite-Mode"}};

	JW_KEY(w, "securitySchemes");
	jw_obj(w);
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		jw_key(w, str_c(schemes[i][0]));
		jw_obj(w);
		openapi_models_add(w, "type", "apiKey");
		openapi_models_add(w, "in", "header");
		openapi_models_add(w, "name", schemes[i][1]);
		jw_obj_end(w);
	}
	jw_obj_end(w);
}

void
openapi_models(struct jw *w, const struct route_info *const *infos, int n)
{
	struct models m = {.n = 0};
	int n_services;
	const struct service *const *services = service_all(&n_services);

	for (int i = 0; i < n_services; i++)
		for (const struct shape *const *s = services[i]->shapes; s != NULL && *s != NULL; s++)
			models_add(&m, *s);
	for (int i = 0; i < n; i++) {
		models_add(&m, infos[i]->route->model);
		models_add(&m, infos[i]->route->or_model);
	}
	JW_KEY(w, "components");
	jw_obj(w);
	JW_KEY(w, "schemas");
	jw_obj(w);
	write_error_model(w);
	for (int i = 0; i < m.n; i++)
		write_model(w, m.v[i]);
	write_list_models(w, infos, n);
	jw_obj_end(w);
	write_schemes(w);
	jw_obj_end(w);
}

/* ---- events ---- */

/* Also as the later family of the service calls it: the payload is what was answered. */
static void
write_event_models(struct jw *w, const struct service *s, struct str models)
{
	while (models.p != NULL) {
		const char *model = str_dup(w->b->arena, str_cut(&models, '|'));
		const char *said = s->family ? words_say(w->b->arena, &s->family->words, model) : model;

		jw_cstr(w, model);
		if (said != model)
			jw_cstr(w, said);
	}
}

/* x-events: by name, what they mean and the models that their payload may be of. */
void
openapi_events(struct jw *w)
{
	int n;
	const struct service *const *services = service_all(&n);

	JW_KEY(w, "x-events");
	jw_obj(w);
	for (int i = 0; i < n; i++)
		for (const struct event_info *const *e = services[i]->events; e != NULL && *e != NULL; e++) {
			struct str models = (*e)->payload[0] != '\0' ? str_c((*e)->payload) : STR_NONE;

			jw_key(w, str_c((*e)->pattern));
			jw_obj(w);
			openapi_models_add(w, "description", (*e)->doc);
			JW_KEY(w, "models");
			jw_arr(w);
			write_event_models(w, services[i], models);
			jw_arr_end(w);
			jw_obj_end(w);
		}
	jw_obj_end(w);
}
