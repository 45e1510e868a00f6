/* The check of a document's data against its collection (spec databases.md 6.6), which leaves every value as SQL text.
 *
 * Texts are borrowed from the data; what is formatted anew lies in the context's arena. Nothing that PostgreSQL would refuse gets through:
 * no U+0000, no number beyond 64 bits, no date out of its years. */
#include "document_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/vtime.h"
#include "model/format.h"
#include "model/seal.h"

bool
doc_member_ignored(const char *key)
{
	static const char *const keys[] = {"$id", "$createdAt", "$updatedAt", "$permissions", "$collection", "$internalId",
		"$collectionId", "$databaseId", "$read", "$write", "$tableId", "$sequence"};	/* what replies say, and those of older and later versions: clients send them back */

	for (size_t i = 0; key[0] == '$' && i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

/* ---- reasons ---- */

static const char *
range(struct arena *a, const struct attribute *at)
{
	return at->type == ATTR_INTEGER ? tail_range(a, (double)at->int_min, (double)at->int_max) : tail_range(a, at->float_min, at->float_max);
}

static const char *
format_reason(struct arena *a, const struct attribute *at)
{
	switch (at->format) {
	case FORMAT_EMAIL:
		return TAIL_EMAIL;
	case FORMAT_IP:
		return TAIL_IP;
	case FORMAT_URL:
		return TAIL_URL;
	case FORMAT_ENUM:
		return tail_one_of(a, at->elements.v, at->elements.n);
	case FORMAT_NONE:
		break;
	}
	return tail_text(a, at->size);
}

/* ---- one value ---- */

static bool
in_elements(const struct attribute *a, struct str s)
{
	for (int i = 0; i < a->elements.n; i++)
		if (str_is(s, a->elements.v[i]))
			return true;
	return false;
}

static bool
fits_format(const struct attribute *a, struct str s)
{
	switch (a->format) {
	case FORMAT_EMAIL:
		return format_email(s);
	case FORMAT_IP:
		return format_ip(s);
	case FORMAT_URL:
		return format_url(s);
	case FORMAT_ENUM:
		return in_elements(a, s);
	case FORMAT_NONE:
		break;
	}
	return true;
}

/* At most `size` code points; a text of no more bytes than that needs no counting. Where bytes count they are all that counts. */
static bool
fits_size(struct str s, const struct attribute *a)
{
	size_t points;

	if ((int64_t)s.n <= a->size)
		return true;
	return attr_kinds[a->kind].bytes == 0 && str_utf8(s, &points) && (int64_t)points <= a->size;
}

static bool
check_string(struct ctx *cx, const struct attribute *a, const json_t *j, struct str *out, const char **why_out)
{
	struct str s = json_str(j);

	if (s.p != NULL && memchr(s.p, '\0', s.n) != NULL) {
		*why_out = "It must not hold U+0000";
		return false;
	}
	if (s.p != NULL && (a->format == FORMAT_ENUM || fits_size(s, a)) && fits_format(a, s)) {
		*out = s;
		return true;
	}
	*why_out = format_reason(cx->arena, a);
	return false;
}

static bool
check_integer(struct ctx *cx, const struct attribute *a, const json_t *j, struct str *out, const char **why_out)
{
	int64_t v = json_integer_value(j);

	if ((json_is_integer(j) || (json_is_string(j) && str_to_i64_rounded(str_trim(json_str(j)), &v))) && v >= a->int_min && v <= a->int_max) {
		*out = str_c(pg_i64(cx->arena, v));
		return true;
	}
	*why_out = range(cx->arena, a);
	return false;
}

struct str
doc_float_text(struct arena *a, double v)
{
	char d[32];
	int n = 0;

	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(d, sizeof d, "%.*g", digits, v);
		if (strtod(d, NULL) == v)
			break;
	}
	return (struct str){arena_memdup(a, d, (size_t)n), (size_t)n};
}

static bool
check_float(struct ctx *cx, const struct attribute *a, const json_t *j, struct str *out, const char **why_out)
{
	double v = json_number_value(j);

	if (json_is_integer(j) && v >= a->float_min && v <= a->float_max && fabs(v) < 1e15) {
		*out = str_c(pg_i64(cx->arena, json_integer_value(j)));
		return true;
	}
	if ((json_is_number(j) || (json_is_string(j) && str_to_f64(json_str(j), &v))) && v >= a->float_min && v <= a->float_max) {
		*out = doc_float_text(cx->arena, v);
		return true;
	}
	*why_out = range(cx->arena, a);
	return false;
}

static bool
check_boolean(const json_t *j, struct str *out, const char **why_out)
{
	*out = json_is_true(j) ? STR("t") : STR("f");
	*why_out = TAIL_BOOLEAN;
	return json_is_boolean(j);
}

static bool
document_check_check_datetime(struct ctx *cx, const json_t *j, struct str *out, const char **why_out)
{
	struct str s = json_is_integer(j) ? str_c(pg_i64(cx->arena, json_integer_value(j))) : json_str(j);
	int64_t ms;

	if (s.n > 0 && time_parse(s, &ms)) {
		*out = str_c(pg_time(cx->arena, ms));
		return true;
	}
	*why_out = "It must be a date";
	return false;
}

bool
doc_value_ok(struct ctx *cx, const struct attribute *a, const json_t *j, struct str *out, const char **check_out, const char **why_out)
{
	*check_out = a->type == ATTR_INTEGER || a->type == ATTR_FLOAT || a->format != FORMAT_NONE ? "format" : "type";
	switch (a->type) {
	case ATTR_STRING:
		return check_string(cx, a, j, out, why_out);
	case ATTR_INTEGER:
		return check_integer(cx, a, j, out, why_out);
	case ATTR_FLOAT:
		return check_float(cx, a, j, out, why_out);
	case ATTR_BOOLEAN:
		return check_boolean(j, out, why_out);
	case ATTR_DATETIME:
		return document_check_check_datetime(cx, j, out, why_out);
	case ATTR_GEO:
		return geo_read(cx->arena, attr_kinds[a->kind].geo, j, out, why_out);
	}
	return false;
}

/* ---- what came of an expression ---- */

bool
doc_outcome_ok(struct ctx *cx, const struct attribute *a, struct str text, const char **why_out)
{
	double f;
	int64_t i;

	switch (a->type) {
	case ATTR_STRING:
		*why_out = format_reason(cx->arena, a);
		return (a->format == FORMAT_ENUM || fits_size(text, a)) && fits_format(a, text);
	case ATTR_INTEGER:
		*why_out = range(cx->arena, a);
		return str_to_i64(text, &i) && i >= a->int_min && i <= a->int_max;
	case ATTR_FLOAT:
		*why_out = range(cx->arena, a);
		return str_to_f64(text, &f) && f >= a->float_min && f <= a->float_max;
	case ATTR_DATETIME:	/* "2020-01-01 …": four digits of a year, and of our era */
		*why_out = "It must be a date";
		return text.n > 4 && text.p[4] == '-' && !str_ends(text, "BC");
	case ATTR_BOOLEAN:
	case ATTR_GEO:
		break;
	}
	return true;
}

bool
doc_same(struct ctx *cx, const struct attribute *a, struct str x, struct str y)
{
	struct buf b, d;

	x = a->array && x.p == NULL ? STR("{}") : x;	/* clients are shown the same */
	y = a->array && y.p == NULL ? STR("{}") : y;
	if (x.p == NULL || y.p == NULL)
		return x.p == y.p;
	if (str_eq(x, y) || (a->type == ATTR_STRING && !a->array))
		return str_eq(x, y);
	buf_init(&b, cx->arena, x.n + 64);
	buf_init(&d, cx->arena, y.n + 64);
	doc_write_value(&b, a, x);
	doc_write_value(&d, a, y);
	return str_eq(buf_view(&b), buf_view(&d));
}

/* ---- a member ---- */

static err_t
document_check_bad(struct ctx *cx, const char *name, const char *check, const char *why)
{
	return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "Invalid document structure: Attribute \"%s\" has invalid %s. %s", name, check, why);
}

static void
add_element(struct buf *b, struct str s)
{
	buf_ch(b, '"');
	for (size_t i = 0, from = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '"' && s.p[i] != '\\')
			continue;
		buf_add(b, s.p + from, i - from);
		from = i;
		if (i < s.n)
			buf_ch(b, '\\');
	}
	buf_ch(b, '"');
}

err_t
doc_check_array(struct ctx *cx, const struct attribute *a, const json_t *j, struct str *out)
{
	size_t n = json_array_size(j);
	struct buf b;

	*out = STR("{}");
	if (!a->required && json_is_string(j) && json_string_length(j) == 0)
		return OK;
	if (!json_is_array(j))
		return document_check_bad(cx, a->key, "type", "It must be a list");
	buf_init(&b, cx->arena, 16 * n + 2);
	buf_ch(&b, '{');
	for (size_t i = 0; i < n; i++) {
		const json_t *e = json_array_get(j, i);
		const char *check = "type", *why = "It must not be null";
		struct str s;

		if (i > 0)
			buf_ch(&b, ',');
		if (json_is_null(e) && !a->required) {
			BUF_LIT(&b, "NULL");
		} else if (json_is_null(e) || !doc_value_ok(cx, a, e, &s, &check, &why)) {
			return document_check_bad(cx, arena_printf(cx->arena, "%s['%zu']", a->key, i), check, why);
		} else {
			add_element(&b, s);
		}
	}
	buf_ch(&b, '}');
	*out = buf_view(&b);
	return OK;
}

/* A date such as "now" means the moment when it is filled in. */
struct str
doc_default(struct ctx *cx, const struct attribute *a)
{
	int64_t ms;

	if (a->def_value == NULL || a->type != ATTR_DATETIME)
		return str_c(a->def_value);
	return time_parse(str_c(a->def_value), &ms) ? str_c(pg_time(cx->arena, ms)) : STR_NONE;
}

/* null clears, or brings the default back. */
static err_t
check_member(struct ctx *cx, const struct attribute *a, const json_t *j, struct doc_value *val)
{
	const char *check, *why;

	val->given = val->set = true;
	if (json_is_null(j))
		val->v = doc_default(cx, a);
	else if (a->array)
		return doc_check_array(cx, a, j, &val->v);
	else if (!doc_value_ok(cx, a, j, &val->v, &check, &why))
		return document_check_bad(cx, a->key, check, why);
	return OK;
}

static err_t
unknown(struct ctx *cx, const char *key)
{
	return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "Invalid document structure: unknown attribute \"%s\".", key);
}

/* ---- the whole ---- */

struct member {
	const char *key;
	const json_t *j;
	const struct attribute *a;	/* NULL: unknown, or ignored */
	bool related;			/* a relationship: document_links.c */
};

static struct member *
members_of(struct ctx *cx, const struct collection *c, const json_t *data, int *n_out)
{
	json_t *o = (json_t *)(uintptr_t)data;	/* jansson's iterators take a non-const pointer although they change nothing */
	struct member *m = arena_array(cx->arena, struct member, json_object_size(data) + 1);
	int n = 0;

	for (void *it = json_object_iter(o); it != NULL; it = json_object_iter_next(o, it), n++) {
		m[n].key = json_object_iter_key(it);
		m[n].j = json_object_iter_value(it);
		m[n].a = collection_attribute(c, str_c(m[n].key));
		m[n].related = m[n].a != NULL && m[n].a->rel != NULL;
		if (m[n].a != NULL && m[n].a->place < 0)
			m[n].a = NULL;
	}
	*n_out = n;
	return m;
}

/* In the order of the schema: required attributes need a value, absent ones get their default. */
static err_t
document_check_check_required(struct ctx *cx, const struct collection *c, const struct member *m, int n, const bool *stored, struct doc_value *vals)
{
	const json_t **given = arena_array(cx->arena, const json_t *, c->n_live + 1);

	for (int i = 0; i < n; i++)
		if (m[i].a != NULL)
			given[m[i].a->place] = m[i].j;
	for (int i = 0; i < c->n_live; i++) {
		const struct attribute *a = c->live[i];
		bool absent = given[i] == NULL && (stored == NULL || !stored[i]);

		if (a->required && (absent || json_is_null(given[i])))
			return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE,
			    "Invalid document structure: the required attribute \"%s\" is missing.", a->key);
		if (absent && a->def_value != NULL)
			vals[i] = (struct doc_value){.set = true, .v = doc_default(cx, a)};
	}
	return OK;
}

/* At last: what is written of encrypted attributes. */
static void
document_check_seal(struct ctx *cx, const struct collection *c, struct doc_value *vals)
{
	for (int i = 0; i < c->n_live; i++) {
		if (!c->live[i]->encrypt || vals[i].v.p == NULL)
			continue;
		vals[i].clear = vals[i].v;
		vals[i].v = str_c(seal_text(cx->arena, vals[i].clear.p));
	}
}

err_t
doc_check(struct ctx *cx, const struct collection *c, const json_t *data, const bool *stored, struct doc_value *vals)
{
	struct member *m;
	int n;

	memset(vals, 0, sizeof *vals * (size_t)c->n_live);
	m = members_of(cx, c, data, &n);
	TRY(document_check_check_required(cx, c, m, n, stored, vals));
	if (json_is_array(data) && json_array_size(data) > 0)
		return unknown(cx, "0");
	for (int i = 0; i < n; i++) {
		if (m[i].related)
			continue;
		if (m[i].a != NULL)
			TRY(check_member(cx, m[i].a, m[i].j, &vals[m[i].a->place]));
		else if (!doc_member_ignored(m[i].key))
			return unknown(cx, m[i].key);
	}
	document_check_seal(cx, c, vals);
	return OK;
}

err_t
doc_check_places(struct ctx *cx, const struct collection *c, const struct doc_value *vals, const struct db_res *r, int row)
{
	int64_t sum = 0;
	bool any = false;

	for (int i = 0; i < c->n_live; i++) {
		bool set = vals[i].set || r == NULL;

		if (c->live[i]->type != ATTR_GEO)
			continue;
		any |= vals[i].set;
		sum += geo_weight(set ? vals[i].v : db_str(r, row, DOC_ATTRS + i));
	}
	return any && sum > GEO_POINTS_MAX ? fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "Invalid document structure: its places have too many points in sum.") : OK;
}
