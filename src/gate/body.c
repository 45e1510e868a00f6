/* Query strings and bodies become one JSON object of parameters (spec platform.md 4). All of it is from outside: the number of variables
 * and values, the depth of brackets and the encoding are bounded here, the size by the adapter; what is large is read on a thread. */
#include <stdio.h>
#include <stdlib.h>

#include "gate_priv.h"
#include "core/conf.h"
#include "core/offload.h"
#include "io/http.h"
#include "multipart.h"

enum { VARIABLES_MAX = 1000, DEPTH_MAX = 16, NAME_MAX_BYTES = 256, KEY_TRIES = 16 };
enum { READ_HERE_MAX = 32 * 1024, VALUES_HERE_MAX = 1000, FREE_BYTES = 32 * 1024, FIELD_BYTES = 512, WEIGHED_AT_ONCE = 64 * 1024 };	/* a tree of that is made in well under a millisecond */

/* What is wrong; the place follows. */
static const char too_many[] = "It has too many fields";
static const char bad_name[] = "A field's name is too long or nested too deeply";
static const char bad_head[] = "The head of a part is not valid UTF-8 or holds a NUL";
static const char bad_parts[] = "It is not valid multipart/form-data";

/* What a request without parameters has; shared, so never changed. */
static json_t *
nothing(void)
{
	static json_t *empty;

	if (empty == NULL)
		empty = json_object();
	return empty;
}

json_t *
body_new(struct ctx *cx)
{
	return json_keep(cx, json_object());
}

/* ---- brackets: a[b][]=v ---- */

/* The next free number of a container that began as a list. NULL: it has been given numbers as keys that are in the way, more than
 * anybody has but who wants us to look for long. */
static const char *
next_key(struct ctx *cx, const json_t *container)
{
	size_t n = json_object_size(container);

	for (size_t i = n; i < n + KEY_TRIES; i++) {
		char key[24];

		snprintf(key, sizeof key, "%zu", i);
		if (json_object_get(container, key) == NULL)
			return arena_strdup(cx->arena, key);
	}
	return NULL;
}

/* "a.b c" is a_b_c, as forms have always had it; leading blanks go. */
static char *
base_name(struct ctx *cx, struct str name)
{
	char *s;

	while (name.n > 0 && name.p[0] == ' ')
		name = (struct str){name.p + 1, name.n - 1};
	s = str_dup(cx->arena, name);
	for (char *c = s; c != NULL && *c != '\0'; c++)
		if (*c == '.' || *c == ' ')
			*c = '_';
	return s;
}

static json_t *
container_at(json_t *parent, const char *key)
{
	json_t *kid = json_object_get(parent, key);

	if (!json_is_object(kid)) {
		kid = json_object();
		json_object_set_new(parent, key, kid);
	}
	return kid;
}

/* Puts the value at name[part][part]…, both of them clean; a bracket that is not closed belongs to the name. */
const char *
body_field(struct ctx *cx, json_t *into, struct str name, struct str value)
{
	const char *open = memchr(name.p, '[', name.n), *key;
	struct str rest = STR_NONE;
	json_t *v;

	if (name.n > NAME_MAX_BYTES)
		return bad_name;
	if (open != NULL && open != name.p && memchr(open, ']', name.n - (size_t)(open - name.p)) != NULL) {
		rest = (struct str){open, name.n - (size_t)(open - name.p)};
		name.n = (size_t)(open - name.p);
	}
	key = base_name(cx, name);
	if (key == NULL || key[0] == '\0')
		return NULL;
	for (int depth = 0; rest.n > 0 && rest.p[0] == '['; depth++) {
		const char *close = memchr(rest.p, ']', rest.n);
		struct str part;

		if (close == NULL)
			break;
		if (depth == DEPTH_MAX)
			return bad_name;
		part = (struct str){rest.p + 1, (size_t)(close - rest.p) - 1};
		into = container_at(into, key);
		if ((key = part.n > 0 ? str_dup(cx->arena, part) : next_key(cx, into)) == NULL)
			return bad_name;
		rest = (struct str){close + 1, rest.n - (size_t)(close + 1 - rest.p)};
	}
	v = json_stringn_nocheck(value.p ? value.p : "", value.n);
	json_object_set_new_nocheck(into, key, v);
	return NULL;
}

/* Containers whose keys are 0..n-1 in order were lists. */
static json_t *
body_settle(json_t *j)
{
	const char *key;
	json_t *v, *list;
	size_t i = 0;
	bool is_list = json_object_size(j) > 0;
	void *tmp;

	json_object_foreach_safe(j, tmp, key, v) {
		char want[24];

		if (json_is_object(v))
			json_object_set_new(j, key, body_settle(json_incref(v)));
		snprintf(want, sizeof want, "%zu", i++);
		is_list = is_list && strcmp(key, want) == 0;
	}
	if (!is_list)
		return j;
	list = json_array();
	json_object_foreach(j, key, v)
		json_array_append(list, v);
	json_decref(j);
	return list;
}

void
body_settle_fields(json_t *into)
{
	const char *key;
	json_t *v;
	void *tmp;

	json_object_foreach_safe(into, tmp, key, v)
		if (json_is_object(v))
			json_object_set_new(into, key, body_settle(json_incref(v)));
}

/* ---- texts from outside ---- */

/* "It is not valid UTF-8 at byte 7.": bytes are counted as those of JSON, from 1. */
static const char *
body_place(struct ctx *cx, const char *why, size_t byte)
{
	return arena_printf(cx->arena, "%s at byte %zu.", why, byte);
}

static const char *
form_pair(struct ctx *cx, struct str value, json_t *into, const char **at)
{
	struct str raw = str_cut(&value, '='), name, text;
	const char *why;

	*at = raw.p;
	if ((why = str_form_text(cx->arena, raw, &name, at)) != NULL || (why = str_form_text(cx->arena, value, &text, at)) != NULL)
		return why;
	return name.n > 0 ? body_field(cx, into, name, text) : NULL;
}

bool
body_form(struct ctx *cx, struct str text, json_t *into, const char **why_out)
{
	const char *begin = text.p;

	for (int n = 0; text.p != NULL && text.n > 0; n++) {
		const char *at = text.p, *why = n >= VARIABLES_MAX ? too_many : form_pair(cx, str_cut(&text, '&'), into, &at);

		if (why != NULL) {
			*why_out = body_place(cx, why, (size_t)(at - begin) + 1);
			return false;
		}
	}
	body_settle_fields(into);
	return true;
}

/* ---- multipart/form-data ---- */

/* Fields alone: files are left out, the services that take them read the parts themselves. *at: where in the text it is wrong, if it is not where
 * the reading has come to. */
static const char *
body_read_part(struct ctx *cx, struct mp *mp, struct str *text, json_t *into, const char **at)
{
	const char *from = text->p, *why;
	struct part_head head;
	enum mp_event e;
	struct str data;
	struct buf b;
	size_t n;
	bool known = part_head_parse(cx->arena, mp->head, &head), field = head.name.n > 0 && head.filename.p == NULL;

	if (!known && head.name.n > 0) {
		*at = from - mp->n_head;
		return bad_head;
	}
	buf_init(&b, cx->arena, 0);
	while ((e = mp_step(mp, text, &data)) == MP_DATA)
		if (field)
			buf_str(&b, data);
	if (e != MP_PART_END)
		return bad_parts;
	*at = from;
	if (field && (why = str_fault(buf_view(&b), &n)) != NULL) {
		*at += n;
		return why;
	}
	return field ? body_field(cx, into, head.name, buf_view(&b)) : NULL;
}

bool
body_multipart(struct ctx *cx, struct str text, struct str boundary, json_t *into, const char **why_out)
{
	struct mp *mp = arena_alloc(cx->arena, sizeof *mp);
	const char *begin = text.p, *why = NULL, *at = NULL;
	enum mp_event e = MP_BAD;
	struct str data;

	if (!mp_init(mp, boundary)) {
		*why_out = "It is not valid multipart/form-data: its Content-Type names no boundary.";
		return false;
	}
	for (int n = 0; why == NULL && (e = mp_step(mp, &text, &data)) == MP_PART; n++) {
		at = NULL;
		why = n >= VARIABLES_MAX ? too_many : body_read_part(cx, mp, &text, into, &at);
	}
	if (why == NULL && e != MP_END) {
		why = bad_parts;
		at = NULL;
	}
	*why_out = why == NULL ? NULL : body_place(cx, why, at != NULL ? (size_t)(at - begin) + 1 : (size_t)(text.p - begin));
	if (why == NULL)
		body_settle_fields(into);
	return why == NULL;
}

/* ---- requests ---- */

enum kind { KIND_NONE, KIND_JSON, KIND_FORM, KIND_MULTIPART };

struct reading {
	struct ctx *cx;		/* the request's own, or `own`, so that a thread can use it */
	struct ctx own;
	enum kind kind;
	bool nul;		/* texts of JSON may hold one: the parameters say which */
	struct str text, boundary;
	size_t values;		/* of JSON: at most so many */
	json_t *body;		/* NULL: none */
	const char *error;
};

static void
read_json(struct reading *r)
{
	const char *why = NULL;

	if (r->text.n > READ_HERE_MAX && r->values > (size_t)conf.body_values_max)
		r->error = arena_printf(r->cx->arena, "It has more than %lld values.", (long long)conf.body_values_max);
	else if ((r->body = (r->nul ? json_parse : json_parse_outside)(r->cx, r->text, &why)) == NULL)
		r->error = arena_printf(r->cx->arena, "It is not valid JSON: %s.", why);
}

/* On the loop, or on a thread. What is wrong is kept for the parameters' turn. */
static void
read_text(void *arg)
{
	struct reading *r = arg;
	bool grow;

	if (r->kind == KIND_JSON) {
		read_json(r);
		return;
	}
	grow = json_grow(r->text.n);
	r->body = body_new(r->cx);
	if (r->kind == KIND_FORM)
		(void)body_form(r->cx, r->text, r->body, &r->error);
	else
		(void)body_multipart(r->cx, r->text, r->boundary, r->body, &r->error);
	json_grown(grow);
}

static void
body_forget(void *arg)
{
	struct ctx *cx = arg;

	ctx_fini(cx);
	free(cx);
}

/* A tree that was large to make is as large to take apart. */
static void
end_reading(void *arg)
{
	struct reading *r = arg;
	struct ctx *own = mem_alloc(sizeof *own);

	*own = r->own;
	offload_leave(LANE_json, body_forget, own);
}

/* Brackets, and separators of fields: each name may be that of a list in a list. */
static size_t
form_weight(struct str text, struct str all)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '&' || text.p[i] == '[' || (text.p[i] == '%' && text.p + i + 2 < all.p + all.n && strncasecmp(text.p + i, "%5b", 3) == 0);
	return n;
}

/* What is made of a text, in bytes, until it is known to be too much. Awaits turns: a large one takes milliseconds. */
static err_t
body_cost(struct reading *r, size_t *out)
{
	struct json_weight w = JSON_WEIGHT;
	size_t fields = 0, piece;

	for (size_t i = 0; i < r->text.n && w.values <= (size_t)conf.body_values_max && fields < VARIABLES_MAX * DEPTH_MAX; i += piece) {
		if (i > 0)
			TRY(fib_yield(r->cx));
		piece = r->text.n - i < WEIGHED_AT_ONCE ? r->text.n - i : WEIGHED_AT_ONCE;
		if (r->kind == KIND_JSON)
			json_weigh(&w, (struct str){r->text.p + i, piece});
		else
			fields += form_weight((struct str){r->text.p + i, piece}, r->text);
	}
	r->values = w.values;
	*out = r->kind == KIND_JSON ? w.bytes : r->text.n + fields * FIELD_BYTES;
	return OK;
}

/* What is large, or many, would hold up the loop. What is made of it is charged, as the text itself is, and to the same client. */
static err_t
read_any(struct req *rq, enum kind kind, struct str text, struct str boundary, struct reading **out)
{
	struct reading *r = *out = arena_new_of(rq->cx.arena, struct reading);
	size_t cost;

	*r = (struct reading){.cx = &rq->cx, .kind = kind, .nul = rq->info->nul, .text = text, .boundary = boundary};
	TRY(body_cost(r, &cost));
	if (cost > FREE_BYTES)
		TRY(http_charge(rq->http, cost));
	if (text.n <= READ_HERE_MAX && r->values <= VALUES_HERE_MAX) {
		read_text(r);
		return OK;
	}
	ctx_init(&r->own);
	defer(&rq->cx, end_reading, r);
	r->cx = &r->own;
	return offload(&rq->cx, LANE_json, read_text, r);
}

static enum kind
body_kind_of(struct str type, struct str *boundary_out)
{
	struct str kind = str_trim(str_cut(&type, ';'));

	*boundary_out = STR_NONE;
	if (str_is(kind, "application/json"))
		return KIND_JSON;
	if (str_ieq(kind, STR("application/x-www-form-urlencoded")))
		return KIND_FORM;
	if (!str_is(kind, "multipart/form-data"))
		return KIND_NONE;
	*boundary_out = mp_boundary(type);
	return KIND_MULTIPART;
}

err_t
body_read(struct req *rq)
{
	const struct http_msg *h = rq->http;
	bool query = strcmp(rq->route->method, "GET") == 0 || (rq->route->flags & ROUTE_STREAM);
	struct reading *r;
	struct str boundary = STR_NONE, text = query ? h->query : h->body;
	enum kind kind = query ? KIND_FORM : body_kind_of(h->hdr[HDR_CONTENT_TYPE], &boundary);

	rq->body = nothing();
	if (text.n == 0 || kind == KIND_NONE)
		return OK;
	TRY(read_any(rq, kind, text, boundary, &r));
	if (json_is_object(r->body))
		rq->body = r->body;
	else if (json_is_string(r->body) || json_is_number(r->body) || json_is_true(r->body))	/* a list is as good as no parameters */
		r->error = "It is no JSON object.";
	rq->body_error = r->error;
	return OK;
}

err_t
body_json(struct req *rq, struct str text, json_t **out, const char **why_out)
{
	struct reading *r;

	TRY(read_any(rq, KIND_JSON, text, STR_NONE, &r));
	*out = r->body;
	*why_out = r->error;
	return OK;
}

struct str
body_text(const struct req *rq, const char *name)
{
	return json_object_size(rq->body) > 0 ? json_str(json_object_get(rq->body, name)) : STR_NONE;
}
