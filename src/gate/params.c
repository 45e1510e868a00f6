/* Parameters: each row of a route's table takes its value from path, body or query string, in order; the first violation answers. */
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

static void
params_drop(void *j)
{
	json_decref(j);
}

/* A text that is not UTF-8 cannot be a JSON string: it becomes one that no validator of ids takes. */
static json_t *
path_value(struct req *rq, struct str s)
{
	json_t *j = str_utf8(s, NULL) ? json_stringn_nocheck(s.p, s.n) : json_string("%");

	defer(&rq->cx, params_drop, j);
	return j;
}

static bool
is_nothing(const json_t *j)
{
	return j == NULL || json_is_null(j) || (json_is_string(j) && json_string_length(j) == 0);
}

static json_t *
find_value(struct req *rq, const struct param *p, int place)
{
	if (place == PLACE_BOUND)
		return path_value(rq, str_c(rq->info->alias->bound));
	if (place >= 0)
		return path_value(rq, rq->path_arg[place]);
	return json_object_get(rq->body, p->name);
}

static err_t
take_value(struct req *rq, const struct param *p, json_t *v, void *out)
{
	const char *why = param_check(rq, p, v, out);

	TRY(rq->param_error);
	return why ? fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid %s: %s", p->name, why) : OK;
}

err_t
param_take(struct req *rq, const struct param *p, struct str text, void *out)
{
	return take_value(rq, p, path_value(rq, text), out);
}

static err_t
read_param(struct req *rq, const struct param *p, int place, json_t *def, void *out)
{
	json_t *v = find_value(rq, p, place);

	set_absent(p, out);
	if (is_nothing(v))
		v = def;
	if (is_nothing(v))
		return p->required ? fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"%s\" is not optional.", p->name) : OK;
	return take_value(rq, p, v, out);
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
			TRY(read_param(rq, &r->params[i], rq->info->places[i], rq->info->defaults[i], (char *)*in + r->params[i].off));
	}
	return OK;
}
