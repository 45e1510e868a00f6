/* Query strings and bodies become one JSON object of parameters (spec platform.md 4). All of it is from outside: the number of variables,
 * the depth of brackets and the encoding are bounded here, the size by the adapter. */
#include <stdio.h>

#include "gate_priv.h"
#include "multipart.h"

enum { VARIABLES_MAX = 1000, DEPTH_MAX = 16, NAME_MAX_BYTES = 256 };

static const char too_many[] = "It has too many fields.";
static const char bad_utf8[] = "It is not valid UTF-8.";
static const char bad_name[] = "A field's name is too long or nested too deeply.";
static const char bad_parts[] = "It is not valid multipart/form-data.";

/* What a request without parameters has; shared, so never changed. */
static json_t *
nothing(void)
{
	static json_t *empty;

	if (empty == NULL)
		empty = json_object();
	return empty;
}

static void
drop(void *j)
{
	json_decref(j);
}

static json_t *
new_object(struct ctx *cx)
{
	json_t *j = json_object();

	defer(cx, drop, j);
	return j;
}

/* ---- brackets: a[b][]=v ---- */

/* The next free number of a container that began as a list. */
static const char *
next_key(struct ctx *cx, const json_t *container)
{
	size_t n = json_object_size(container);
	const char *key = arena_printf(cx->arena, "%zu", n);

	while (json_object_get(container, key) != NULL)
		key = arena_printf(cx->arena, "%zu", ++n);
	return key;
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

/* Puts the value at name[part][part]…; a bracket that is not closed belongs to the name. */
static const char *
put(struct ctx *cx, json_t *into, struct str name, struct str value)
{
	const char *open = memchr(name.p, '[', name.n), *key;
	struct str rest = STR_NONE;
	json_t *v;

	if (name.n > NAME_MAX_BYTES)
		return bad_name;
	if (!str_utf8(name, NULL) || !str_utf8(value, NULL) || memchr(name.p, '\0', name.n) != NULL)
		return bad_utf8;
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
		key = part.n > 0 ? str_dup(cx->arena, part) : next_key(cx, into);
		rest = (struct str){close + 1, rest.n - (size_t)(close + 1 - rest.p)};
	}
	v = json_stringn_nocheck(value.p ? value.p : "", value.n);
	json_object_set_new_nocheck(into, key, v);
	return NULL;
}

/* Containers whose keys are 0..n-1 in order were lists. */
static json_t *
settle(json_t *j)
{
	const char *key;
	json_t *v, *list;
	size_t i = 0;
	bool is_list = json_object_size(j) > 0;
	void *tmp;

	json_object_foreach_safe(j, tmp, key, v) {
		char want[24];

		if (json_is_object(v))
			json_object_set_new(j, key, settle(json_incref(v)));
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

static void
settle_members(json_t *into)
{
	const char *key;
	json_t *v;
	void *tmp;

	json_object_foreach_safe(into, tmp, key, v)
		if (json_is_object(v))
			json_object_set_new(into, key, settle(json_incref(v)));
}

bool
body_form(struct ctx *cx, struct str text, json_t *into, const char **why_out)
{
	for (int n = 0; text.p != NULL && text.n > 0; n++) {
		struct str value = str_cut(&text, '&'), name = str_cut(&value, '=');
		const char *why;

		if (name.n == 0)
			continue;
		why = n >= VARIABLES_MAX ? too_many
		                         : put(cx, into, str_url_decode(cx->arena, name, true), str_url_decode(cx->arena, value, true));
		if (why != NULL) {
			*why_out = why;
			return false;
		}
	}
	settle_members(into);
	return true;
}

/* ---- multipart/form-data ---- */

/* Fields alone: files are left out, the services that take them read the parts themselves. */
static const char *
read_part(struct ctx *cx, struct mp *mp, struct str *text, json_t *into)
{
	struct part_head head;
	enum mp_event e;
	struct str data;
	struct buf b;
	bool known = part_head_parse(cx->arena, mp->head, &head);

	buf_init(&b, cx->arena, 0);
	while ((e = mp_step(mp, text, &data)) == MP_DATA)
		if (known && head.name.n > 0 && head.filename.p == NULL)
			buf_str(&b, data);
	if (e != MP_PART_END)
		return bad_parts;
	if (!known && head.name.n > 0 && head.filename.p == NULL)
		return bad_utf8;
	return head.name.n > 0 && head.filename.p == NULL ? put(cx, into, head.name, buf_view(&b)) : NULL;
}

bool
body_multipart(struct ctx *cx, struct str text, struct str boundary, json_t *into, const char **why_out)
{
	struct mp *mp = arena_alloc(cx->arena, sizeof *mp);
	const char *why = mp_init(mp, boundary) ? NULL : bad_parts;
	enum mp_event e = MP_BAD;
	struct str data;

	for (int n = 0; why == NULL && (e = mp_step(mp, &text, &data)) == MP_PART; n++)
		why = n >= VARIABLES_MAX ? too_many : read_part(cx, mp, &text, into);
	if (why == NULL && e != MP_END)
		why = bad_parts;
	*why_out = why;
	if (why == NULL)
		settle_members(into);
	return why == NULL;
}

/* ---- requests ---- */

/* A list is as good as no parameters; a lone scalar is a mistake. */
static void
read_json(struct req *rq, struct str text)
{
	const char *why = NULL;
	json_t *j = text.n > 0 ? json_parse(&rq->cx, text, &why) : NULL;

	if (json_is_object(j))
		rq->body = j;
	else if (text.n > 0 && j == NULL)
		rq->body_error = arena_printf(rq->cx.arena, "It is not valid JSON: %s.", why);
	else if (json_is_string(j) || json_is_number(j) || json_is_true(j))
		rq->body_error = "It is no JSON object.";
}

static void
read_fields(struct req *rq, struct str text)
{
	if (text.n == 0)
		return;
	rq->body = new_object(&rq->cx);
	(void)body_form(&rq->cx, text, rq->body, &rq->body_error);	/* the error is kept for the parameters' turn */
}

void
body_read(struct req *rq, enum method m)
{
	const struct http_msg *h = rq->http;
	struct str type = h->hdr[HDR_CONTENT_TYPE], kind, text = h->body;

	rq->body = nothing();
	if (m == METHOD_GET) {
		read_fields(rq, h->query);
		return;
	}
	kind = str_trim(str_cut(&type, ';'));
	if (str_is(kind, "application/json"))
		read_json(rq, text);
	else if (str_ieq(kind, STR("application/x-www-form-urlencoded")))
		read_fields(rq, text);
	else if (str_is(kind, "multipart/form-data") && text.n > 0) {
		rq->body = new_object(&rq->cx);
		(void)body_multipart(&rq->cx, text, mp_boundary(type), rq->body, &rq->body_error);	/* as above */
	}
}

struct str
body_text(const struct req *rq, const char *name)
{
	return json_object_size(rq->body) > 0 ? json_str(json_object_get(rq->body, name)) : STR_NONE;
}
