/* Parameters: each row of a route's table takes its value from path, body or query string, in order; the first violation answers. */
#include <stdio.h>
#include <stdlib.h>

#include "gate_priv.h"
#include "core/vtime.h"

/* What an optional member holds when nothing was given; zero for every other type. */
static void
set_absent(const struct param *p, void *out)
{
	if (p->type == P_BOOL || p->type == P_BOOL_LOOSE)
		*(int *)out = -1;
	else if (p->type == P_DATETIME)
		*(int64_t *)out = TIME_NONE;
}

/* A text that is not UTF-8 cannot be a JSON string: it becomes one that no validator of ids takes. */
static json_t *
path_value(struct req *rq, struct str s)
{
	return json_keep(&rq->cx, str_utf8(s, NULL) ? json_stringn_nocheck(s.p, s.n) : json_string("%"));
}

static bool
is_nothing(const json_t *j)
{
	return j == NULL || json_is_null(j) || (json_is_string(j) && json_string_length(j) == 0);
}

/* Whether the client says nothing, by the row. */
static bool
says_nothing(const struct req *rq, const struct param *p, const json_t *v)
{
	if (p->empty_since > 0 && rq->cx.format >= p->empty_since && json_is_string(v))
		return false;
	return is_nothing(v);
}

/* Of values that have a form, which the empty text has not. */
static bool
clears(const struct req *rq, const struct param *p, const json_t *v)
{
	bool formed = p->type == P_EMAIL || p->type == P_PHONE || p->type == P_PASSWORD;

	return formed && p->empty_since > 0 && rq->cx.format >= p->empty_since && json_is_string(v) && json_string_length(v) == 0;
}

static bool
may_be_absent(const struct req *rq, const struct param *p, const json_t *v)
{
	return !p->required || (p->nullable && json_is_null(v)) || (p->optional_since > 0 && rq->cx.format >= p->optional_since);
}

static bool
said_later(const struct req *rq, const struct param *p)
{
	return p->later != NULL && rq->cx.format >= p->later_since;
}

static json_t *
find_value(struct req *rq, const struct param *p, int place)
{
	json_t *v = said_later(rq, p) ? json_object_get(rq->body, p->later) : NULL;

	if (place == PLACE_BOUND)
		return path_value(rq, str_c(rq->info->alias->bound));
	if (place >= 0)
		return path_value(rq, rq->path_arg[place]);
	return v != NULL ? v : json_object_get(rq->body, p->name);
}

static bool
param_is_text(enum param_type t)
{
	return t == P_TEXT || t == P_EMAIL || t == P_HOSTNAME || t == P_ENUM || t == P_PHONE || t == P_URL;
}

/* The empty text, where it is a value, takes away what was set: it is none of those that the type asks for. */
static err_t
take_value(struct req *rq, const struct param *p, json_t *v, void *out)
{
	const char *why = NULL;

	if (p->empty_since > 0 && param_is_text(p->type) && json_is_string(v) && json_string_length(v) == 0)
		*(const char **)out = "";
	else
		why = param_check(rq, p, v, out);

	TRY(rq->param_error);
	return why ? fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid %s: %s", said_later(rq, p) ? p->later : p->name, why) : OK;
}

err_t
param_take(struct req *rq, const struct param *p, struct str text, void *out)
{
	return take_value(rq, p, path_value(rq, text), out);
}

err_t
param_take_json(struct req *rq, const struct param *p, json_t *value, void *out)
{
	set_absent(p, out);
	return is_nothing(value) ? OK : take_value(rq, p, value, out);
}

/* `v`: what the client gives, `def`: what that is when it gives nothing. */
static err_t
read_param(struct req *rq, const struct param *p, json_t *v, json_t *def, void *out)
{
	set_absent(p, out);
	if (clears(rq, p, v)) {
		*(const char **)out = "";
		return OK;
	}
	if (says_nothing(rq, p, v)) {
		if (def == NULL && may_be_absent(rq, p, v))
			return OK;
		v = def;
	}
	if (says_nothing(rq, p, v))
		return p->required ? fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"%s\" is not optional.", said_later(rq, p) ? p->later : p->name) : OK;
	return take_value(rq, p, v, out);
}

err_t
params_take(struct req *rq, const struct param *rows, int n, const json_t *object, void *in)
{
	for (int i = 0; i < n; i++) {
		const struct param *p = &rows[i];
		json_t *def = p->def ? json_keep(&rq->cx, json_loads(p->def, JSON_DECODE_ANY, NULL)) : NULL;

		if (p->path == NULL)
			TRY(read_param(rq, p, json_object_get(object, p->name), def, (char *)in + p->off));
	}
	return OK;
}

err_t
params_take_aside(struct ctx *cx, const struct param *rows, int n, const json_t *object, void *in)
{
	struct req *rq = arena_new_of(cx->arena, struct req);
	err_t e;

	rq->cx = *cx;
	e = params_take(rq, rows, n, object, in);
	*cx = rq->cx;		/* with what was said and is to be freed */
	return e;
}

err_t
params_read(struct req *rq, enum params_of which, void **in)
{
	const struct route *r = rq->route;

	if (*in == NULL && r->in_size > 0)
		*in = arena_zalloc(rq->cx.arena, r->in_size);
	/* A broken body gives no parameters: whoever sent one must not be told to look for one that is missing, nor pass for having sent none. */
	if (rq->body_error != NULL)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "The parameters cannot be read. %s", rq->body_error);
	for (int i = 0; i < r->n_params; i++) {
		bool of_path = rq->info->places[i] != PLACE_BODY;

		if (which == PARAMS_ALL || of_path == (which == PARAMS_PATH))
			TRY(read_param(rq, &r->params[i], find_value(rq, &r->params[i], rq->info->places[i]), rq->info->defaults[i], (char *)*in + r->params[i].off));
	}
	return OK;
}

/* ---- outside of requests ---- */

static const struct param *
api_param_row(const char *service, const char *operation, const char *name)
{
	int n;
	const struct service *const *all = service_all(&n);

	for (int i = 0; i < n; i++)
		for (const struct routes *const *t = all[i]->routes; strcmp(all[i]->name, service) == 0 && *t != NULL; t++)
			for (int k = 0; k < (*t)->n; k++) {
				const struct route *r = &(*t)->v[k];

				for (int j = 0; r->name != NULL && strcmp(r->name, operation) == 0 && j < r->n_params; j++)
					if (strcmp(r->params[j].name, name) == 0)
						return &r->params[j];
			}
	fprintf(stderr, "no parameter %s of %s.%s\n", name, service, operation);
	abort();
}

static json_t *
list_value(struct str rest)
{
	json_t *list = json_array();

	while (rest.p != NULL) {
		struct str one = str_trim(str_cut(&rest, ','));

		if (one.n > 0)
			json_array_append_new(list, json_stringn(one.p, one.n));
	}
	return list;
}

const char *
api_param_wrong(const char *service, const char *operation, const char *param, const char *text, void *out)
{
	static struct req *rq;	/* what it hands out stays */
	const struct param *p = api_param_row(service, operation, param);
	bool list = p->type >= P_TEXTS && p->type <= P_QUERIES;
	json_t *v;

	if (rq == NULL) {
		rq = mem_zalloc(sizeof *rq);
		ctx_init(&rq->cx);
	}
	if (!str_utf8(str_c(text), NULL))
		return "It must be UTF-8.";
	v = json_keep(&rq->cx, list ? list_value(str_c(text)) : json_string(text));
	set_absent(p, out);
	if (is_nothing(v) || (list && json_array_size(v) == 0))
		return p->required ? "It must not be empty." : NULL;
	return param_check(rq, p, v, out);
}
