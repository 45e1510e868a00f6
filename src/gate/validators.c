/* The validators of parameters (spec platform.md 10): each takes a JSON value, stores the member's value, and says what is wrong in words
 * that follow "Invalid <name>: ". Some tails are wire literals of the protocol. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "gate_priv.h"
#include "core/protocol.h"
#include "core/id.h"
#include "core/vtime.h"
#include "io/idna.h"
#include "model/format.h"
#include "model/origin.h"
#include "model/project.h"

enum { LIST_MAX = 100, ELEMENT_MAX = 4096, ASSOC_MAX = 65535, PASSWORD_MIN = 8, HOSTNAME_MAX = 253, MAIL_LINK_MAX = 8192 };

static const char bad_id[] = "An id has 1 to 36 characters of a-z, A-Z, 0-9, period, hyphen and underscore, and begins with a letter or digit.";
static const char bad_list[] = "It must be a list.";

static int
list_max(const struct param *p)
{
	return p->count > 0 ? p->count : LIST_MAX;
}

static char *
validators_copy(struct req *rq, const json_t *v)
{
	return str_dup(rq->cx.arena, json_str(v));
}

/* Texts travel on as C strings and into PostgreSQL: neither holds a NUL. */
static bool
has_nul(const json_t *v)
{
	return memchr(json_string_value(v), '\0', json_string_length(v)) != NULL;
}

/* ---- texts ---- */

static bool
text_ok(const json_t *v, int64_t max)
{
	size_t points;

	if (!json_is_string(v) || has_nul(v))
		return false;
	return max == 0 || (str_utf8(json_str(v), &points) && points <= (size_t)max);
}

static const char *
check_text(struct req *rq, const struct param *p, json_t *v, void *out)
{
	if (!text_ok(v, p->max))
		return tail_text(rq->cx.arena, p->max);
	*(const char **)out = validators_copy(rq, v);
	return NULL;
}

static const char *
check_bytes(struct req *rq, const struct param *p, json_t *v, void *out)
{
	size_t points;

	if (!json_is_string(v) || (p->max > 0 && (!str_utf8(json_str(v), &points) || points > (size_t)p->max)))
		return tail_text(rq->cx.arena, p->max);
	*(struct str *)out = (struct str){validators_copy(rq, v), json_string_length(v)};
	return NULL;
}

static const char *
check_uid(struct req *rq, const struct param *p, json_t *v, void *out)
{
	(void)p;
	if (!id_valid(json_str(v)))
		return bad_id;
	*(const char **)out = validators_copy(rq, v);
	return NULL;
}

static const char *
check_custom_id(struct req *rq, const struct param *p, json_t *v, void *out)
{
	if (!str_is(json_str(v), "unique()"))
		return check_uid(rq, p, v, out);
	*(const char **)out = id_unique(rq->cx.arena);
	return NULL;
}

static const char *
check_email(struct req *rq, const struct param *p, json_t *v, void *out)
{
	(void)p;
	if (!json_is_string(v) || !format_email(json_str(v)))
		return TAIL_EMAIL;
	*(const char **)out = validators_copy(rq, v);
	return NULL;
}

static const char *
check_ip(struct req *rq, const struct param *p, json_t *v, void *out)
{
	(void)p;
	if (!json_is_string(v) || !format_ip(json_str(v)))
		return TAIL_IP;
	*(const char **)out = validators_copy(rq, v);
	return NULL;
}

static const char *
validators_check_password(struct req *rq, const struct param *p, json_t *v, void *out)
{
	if (!json_is_string(v) || has_nul(v) || json_string_length(v) < PASSWORD_MIN)
		return rq->cx.format >= SINCE_1_5 ? "Password must be between 8 and 265 characters long." : "A password has at least 8 characters.";
	if (p->max > 0 && json_string_length(v) > (size_t)p->max)
		return arena_printf(rq->cx.arena, "It has at most %" PRId64 " bytes.", p->max);
	*(const char **)out = validators_copy(rq, v);
	return NULL;
}

static const char *
check_phone(struct req *rq, const struct param *p, json_t *v, void *out)
{
	(void)p;
	if (!format_phone(json_str(v)))
		return "A phone number is a plus sign and 2 to 15 digits, the first not 0.";
	if (rq->cx.format >= SINCE_1_5 && !format_calling_code(json_str(v)) && project_mock_otp(rq->project, json_string_value(v)) == NULL)	/* nothing is sent to such numbers */
		return "A phone number begins with a plus sign and a calling code.";
	*(const char **)out = validators_copy(rq, v);
	return NULL;
}

/* A last label that is a number makes it an IPv4 address, which browsers write in four parts. */
static bool
ends_in_number(struct str s)
{
	size_t i = s.n;

	while (i > 0 && s.p[i - 1] != '.')
		i--;
	s = (struct str){s.p + i, s.n - i};
	if (s.n > 1 && s.p[0] == '0' && s.p[1] == 'x')
		return strspn(s.p + 2, "0123456789abcdef") == s.n - 2;
	return strspn(s.p, "0123456789") == s.n;
}

/* Labels of what hosts of origins are made of; one label may be *. Any other could never match. */
static bool
may_be_host(struct str s)
{
	int stars = 0;

	if (ends_in_number(s) && !host_is_address(s))
		return false;
	while (s.p != NULL) {
		struct str label = str_cut(&s, '.');
		bool star = str_is(label, "*");

		stars += star;
		if (label.n == 0 || stars > 1)
			return false;
		for (size_t i = 0; i < label.n && !star; i++)
			if (!((label.p[i] >= 'a' && label.p[i] <= 'z') || (label.p[i] >= '0' && label.p[i] <= '9') || label.p[i] == '-' ||
			    label.p[i] == '_'))
				return false;
	}
	return true;
}

/* The host alone of what people copy from the address line: without blanks around, the port and the root's dot. */
static struct str
bare_host(struct str s)
{
	const char *colon;

	s = str_trim(s);
	colon = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
	if (colon != NULL && format_port((struct str){colon + 1, s.n - (size_t)(colon - s.p) - 1}))
		s.n = (size_t)(colon - s.p);
	if (s.n > 1 && s.p[s.n - 1] == '.')
		s.n--;
	return s;
}

/* Stored as browsers write hosts: small, in ASCII. */
static const char *
check_hostname(struct req *rq, const struct param *p, json_t *v, void *out)
{
	struct str s = json_is_string(v) ? bare_host(json_str(v)) : STR_NONE;

	(void)p;
	s = str_c(str_dup(rq->cx.arena, idna_ascii(rq->cx.arena, s)));
	if (s.n == 0 || s.n > HOSTNAME_MAX || has_nul(v) || !may_be_host(s))
		return "A host name has at most 253 characters, no scheme, no path and at most one label *.";
	*(const char **)out = s.p;
	return NULL;
}

static bool
validators_in_list(const char *const *list, struct str s, bool nocase)
{
	for (; *list != NULL; list++)
		if (nocase ? str_ieq(s, str_c(*list)) : str_is(s, *list))
			return true;
	return false;
}

static int
validators_count(const char *const *list)
{
	int n = 0;

	while (list[n] != NULL)
		n++;
	return n;
}

static const char *
validators_join(struct req *rq, const char *const *list)
{
	return str_join(rq->cx.arena, list, validators_count(list));
}

static const char *
validators_check_url(struct req *rq, const struct param *p, json_t *v, void *out)
{
	struct str s = json_str(v), scheme = s;
	const char *colon = s.n > 0 ? memchr(s.p, ':', s.n) : NULL;
	bool ok = json_is_string(v) && colon != NULL && format_url(s);

	if (ok && p->list != NULL) {
		scheme.n = (size_t)(colon - s.p);
		ok = validators_in_list(p->list, scheme, false);
	}
	if (!ok && p->list != NULL)
		return arena_printf(rq->cx.arena, TAIL_URL " with following schemes (%s)", validators_join(rq, p->list));
	if (!ok)
		return TAIL_URL;
	*(const char **)out = validators_copy(rq, v);
	return NULL;
}

/* Schemes whose rest is no place to go to, but text for whoever follows the link to run or show. */
static bool
is_script(struct str scheme)
{
	static const char *const schemes[] = {"javascript", "data", "vbscript"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_ieq(scheme, str_c(schemes[i])))
			return true;
	return false;
}

static const char *
check_redirect(struct req *rq, const struct param *p, json_t *v, void *out)
{
	const char *text = validators_copy(rq, v);
	bool mail = p->type == P_MAIL_LINK;
	const char *own = mail ? host_for_mails(rq->project, rq->host) : rq->host;
	struct origin o = origin_parse(text);
	const char *wrong;

	if (mail && json_is_string(v) && json_string_length(v) > MAIL_LINK_MAX)
		return arena_printf(rq->cx.arena, "It has at most %d bytes.", MAIL_LINK_MAX);
	if (!json_is_string(v) || has_nul(v) || is_script(o.scheme) || !api_redirect_ok(rq, text, own)) {
		wrong = rq->cx.format >= SINCE_1_9 && json_is_string(v) && !has_nul(v) ? origin_wrong(rq->cx.arena, rq->project, text, own, "URI") : NULL;
		return wrong != NULL ? wrong : "The host of the URL must be localhost, this server, or a platform of the project.";
	}
	*(const char **)out = text;
	return NULL;
}

static const char *
enum_tail(struct req *rq, const struct param *p)
{
	return tail_one_of(rq->cx.arena, p->list, validators_count(p->list));
}

static const char *
check_enum(struct req *rq, const struct param *p, json_t *v, void *out)
{
	if (!json_is_string(v) || !validators_in_list(p->list, json_str(v), p->type == P_ENUM_NOCASE))
		return enum_tail(rq, p);
	*(const char **)out = validators_copy(rq, v);
	return NULL;
}

/* ---- numbers and booleans ---- */

static const char *
check_bool(struct req *rq, const struct param *p, json_t *v, void *out)
{
	struct str s = json_str(v);
	bool loose = p->type != P_BOOL, one = json_is_integer(v) && json_integer_value(v) == 1;
	bool zero = json_is_integer(v) && json_integer_value(v) == 0;

	(void)rq;
	if (json_is_boolean(v))
		*(int *)out = json_is_true(v);
	else if (loose && (one || str_is(s, "true") || str_is(s, "1")))
		*(int *)out = 1;
	else if (loose && (zero || str_is(s, "false") || str_is(s, "0")))
		*(int *)out = 0;
	else
		return TAIL_BOOLEAN;
	return NULL;
}

static const char *
check_total(struct req *rq, const struct param *p, json_t *v, void *out)
{
	int asked = 1;
	const char *why = check_bool(rq, p, v, &asked);

	(void)out;
	rq->cx.uncounted = asked == 0;
	return why;
}

static const char *
check_int(struct req *rq, const struct param *p, json_t *v, void *out)
{
	(void)rq;
	(void)p;
	if (!json_is_integer(v))
		return TAIL_INTEGER;
	*(struct opt_int *)out = (struct opt_int){true, json_integer_value(v)};
	return NULL;
}

static const char *
check_range(struct req *rq, const struct param *p, json_t *v, void *out)
{
	int64_t n = json_integer_value(v), max = p->max_at ? *p->max_at : p->max;
	bool ok = json_is_integer(v);

	if (json_is_string(v)) {
		struct str s = str_trim(json_str(v));

		ok = str_to_i64_rounded(s, &n);
	}
	if (!ok || n < p->min || n > max)
		return tail_range(rq->cx.arena, (double)p->min, (double)max);
	*(struct opt_int *)out = (struct opt_int){true, n};
	return NULL;
}

static const char *
validators_check_number(struct req *rq, const struct param *p, json_t *v, void *out)
{
	double d = json_number_value(v);

	(void)rq;
	(void)p;
	if (!json_is_number(v) || !isfinite(d))
		return TAIL_FLOAT;
	*(struct opt_float *)out = (struct opt_float){true, d};
	return NULL;
}

static const char *
check_fraction(struct req *rq, const struct param *p, json_t *v, void *out)
{
	const char *text = json_string_value(v);
	double d = json_number_value(v);
	char *end = NULL;

	if (text != NULL && json_string_length(v) < 32 && strspn(text, "+-.0123456789eE") == json_string_length(v))
		d = strtod(text, &end);
	if ((!json_is_number(v) && (end == NULL || end == text || *end != '\0')) || !(d >= (double)p->min && d <= (double)p->max))
		return tail_range(rq->cx.arena, (double)p->min, (double)p->max);
	*(struct opt_float *)out = (struct opt_float){true, d};
	return NULL;
}

static const char *
validators_check_datetime(struct req *rq, const struct param *p, json_t *v, void *out)
{
	struct str s = json_str(v);
	size_t digits = 0;

	(void)rq;
	(void)p;
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (s.n == 0 || digits == s.n || !time_parse(s, out)) {
		*(int64_t *)out = TIME_NONE;
		return "It must be a date, such as 2022-10-04T12:34:56.000+00:00.";
	}
	return NULL;
}

/* ---- lists ---- */

/* Every element through `why_of`, which answers NULL when it is fine. */
static const char *
validators_check_list(struct req *rq, const struct param *p, json_t *v, void *out, const char *(*why_of)(struct req *, const struct param *, json_t *))
{
	struct strs s = {.set = true};
	const char *why;

	if (!json_is_array(v))
		return bad_list;
	if (json_array_size(v) > (size_t)list_max(p))
		return arena_printf(rq->cx.arena, "Value must a valid array of at most %d elements", list_max(p));
	s.v = arena_array(rq->cx.arena, const char *, json_array_size(v) + 1);
	for (size_t i = 0; i < json_array_size(v); i++) {
		json_t *e = json_array_get(v, i);

		if ((why = why_of(rq, p, e)) != NULL)
			return arena_printf(rq->cx.arena, "Value must a valid array and %s", why);
		s.v[s.n++] = validators_copy(rq, e);
	}
	*(struct strs *)out = s;
	return NULL;
}

static const char *
why_text(struct req *rq, const struct param *p, json_t *v)
{
	return text_ok(v, p->max) ? NULL : tail_text(rq->cx.arena, p->max);
}

static const char *
check_texts(struct req *rq, const struct param *p, json_t *v, void *out)
{
	return validators_check_list(rq, p, v, out, why_text);
}

static const char *
why_query(struct req *rq, const struct param *p, json_t *v)
{
	(void)p;
	return text_ok(v, ELEMENT_MAX) ? NULL : tail_text(rq->cx.arena, ELEMENT_MAX);
}

static const char *
check_queries(struct req *rq, const struct param *p, json_t *v, void *out)
{
	return validators_check_list(rq, p, v, out, why_query);
}

static const char *
why_enum(struct req *rq, const struct param *p, json_t *v)
{
	return json_is_string(v) && validators_in_list(p->list, json_str(v), false) ? NULL : enum_tail(rq, p);
}

static const char *
check_enums(struct req *rq, const struct param *p, json_t *v, void *out)
{
	return validators_check_list(rq, p, v, out, why_enum);
}

static const char *
why_key(struct req *rq, const struct param *p, json_t *v)
{
	(void)rq;
	return id_valid_within(json_str(v), p->max > 0 ? (size_t)p->max : ID_MAX) || (p->list != NULL && json_is_string(v) && validators_in_list(p->list, json_str(v), false)) ? NULL : bad_id;
}

static const char *
check_keys(struct req *rq, const struct param *p, json_t *v, void *out)
{
	return validators_check_list(rq, p, v, out, why_key);
}

/* ---- roles and permissions (spec databases.md 7.1) ---- */

static bool
dimension_ok(struct str dim)
{
	return dim.p == NULL || str_is(dim, "verified") || str_is(dim, "unverified");
}

enum { LABEL_MAX = 36 };

bool
role_label_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isascii((unsigned char)s.p[i]) || !isalnum((unsigned char)s.p[i]))
			return false;
	return s.n > 0 && s.n <= LABEL_MAX;
}

/* any, guests, users[/dim], user:id[/dim], team:id[/role], member:id, label:name */
static bool
role_ok(struct str s)
{
	struct str id = s, kind = str_cut(&id, ':'), dim;

	if (id.p == NULL) {
		dim = kind;
		kind = str_cut(&dim, '/');
		if (str_is(kind, "users"))
			return dimension_ok(dim);
		return dim.p == NULL && (str_is(kind, "any") || str_is(kind, "guests"));
	}
	dim = id;
	id = str_cut(&dim, '/');
	if (str_is(kind, "label"))
		return dim.p == NULL && role_label_ok(id);
	if (!id_valid(id))
		return false;
	if (str_is(kind, "user"))
		return dimension_ok(dim);
	if (str_is(kind, "team"))
		return dim.p == NULL || id_valid(dim);
	return str_is(kind, "member") && dim.p == NULL;
}

static const char *
why_role(struct req *rq, const struct param *p, json_t *v)
{
	(void)rq;
	(void)p;
	return json_is_string(v) && role_ok(json_str(v)) ? NULL : "be roles such as any, guests, users, user:ID, team:ID/ROLE, member:ID or label:NAME";
}

static const char *
check_roles(struct req *rq, const struct param *p, json_t *v, void *out)
{
	return validators_check_list(rq, p, v, out, why_role);
}

/* verb("role") taken apart; false when it is not that. */
static bool
permission_parts(struct str s, struct str *verb, struct str *role)
{
	const char *open = s.n > 0 ? memchr(s.p, '(', s.n) : NULL;

	if (open == NULL || s.n < (size_t)(open - s.p) + 5 || open[1] != '"' || memcmp(s.p + s.n - 2, "\")", 2) != 0)
		return false;
	*verb = (struct str){s.p, (size_t)(open - s.p)};
	*role = (struct str){open + 2, s.n - verb->n - 4};
	return true;
}

static void
add_permission(struct req *rq, struct strs *s, const char *verb, struct str role)
{
	const char *text = arena_printf(rq->cx.arena, "%s(\"%.*s\")", verb, STR_FMT(role));

	for (int i = 0; i < s->n; i++)
		if (strcmp(s->v[i], text) == 0)
			return;
	s->v[s->n++] = text;
}

/* write stands for all others but read, of those the table names. */
static void
expand_permission(struct req *rq, const struct param *p, struct strs *s, struct str verb, struct str role)
{
	static const char *const writes[] = {"create", "update", "delete"};

	if (!str_is(verb, "write")) {
		add_permission(rq, s, str_dup(rq->cx.arena, verb), role);
		return;
	}
	for (int i = 0; i < 3; i++)
		if (validators_in_list(p->list, str_c(writes[i]), false))
			add_permission(rq, s, writes[i], role);
}

static const char *
check_permissions(struct req *rq, const struct param *p, json_t *v, void *out)
{
	struct strs s = {.set = true};

	if (!json_is_array(v))
		return bad_list;
	if (json_array_size(v) > (size_t)list_max(p))
		return arena_printf(rq->cx.arena, "At most %d permissions are allowed.", list_max(p));
	s.v = arena_array(rq->cx.arena, const char *, json_array_size(v) * 3 + 1);
	for (size_t i = 0; i < json_array_size(v); i++) {
		struct str verb, role;

		if (!permission_parts(json_str(json_array_get(v, i)), &verb, &role) || !validators_in_list(p->list, verb, false) || !role_ok(role))
			return arena_printf(rq->cx.arena, "A permission is a verb of (%s) and a role, such as read(\"any\").", validators_join(rq, p->list));
		expand_permission(rq, p, &s, verb, role);
	}
	*(struct strs *)out = s;
	return NULL;
}

/* ---- JSON ---- */

/* null, false, 0 and "" */
static bool
holds_nothing(const json_t *v)
{
	return json_is_null(v) || json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) ||
	    (json_is_string(v) && json_string_length(v) == 0);
}

/* A text is JSON once more; one that says nothing is as good as none. */
static const char *
check_json(struct req *rq, const struct param *p, json_t *v, void *out)
{
	const char *why = NULL;

	(void)p;
	if (json_is_string(v)) {
		if ((rq->param_error = body_json(rq, json_str(v), &v, &why)) != OK)
			return "";
		if (why != NULL)
			return why;
		if (holds_nothing(v))
			return NULL;
	}
	if (!json_is_object(v) && !json_is_array(v))
		return "It must be a JSON object.";
	*(json_t **)out = v;
	return NULL;
}

static bool
keys_are_numbers(const json_t *v)
{
	const char *key;
	json_t *e;
	size_t i = 0;

	json_object_foreach((json_t *)(uintptr_t)v, key, e) {
		char want[24];

		snprintf(want, sizeof want, "%zu", i++);
		if (strcmp(key, want) != 0)
			return false;
	}
	return i > 0;
}

/* Whether v has at least *left bytes of compact JSON, told without writing more than that; *left: what remains. */
static bool
is_longer(const json_t *v, size_t *left)
{
	size_t own = json_is_string(v) ? json_string_length(v) + 2 : 1, i;
	const char *key;
	json_t *e;

	if (own >= *left)
		return true;
	*left -= own;
	json_object_foreach((json_t *)(uintptr_t)v, key, e) {
		size_t n = strlen(key) + 3;

		if (n >= *left)
			return true;
		*left -= n;
		if (is_longer(e, left))
			return true;
	}
	json_array_foreach(v, i, e)
		if (is_longer(e, left))
			return true;
	return false;
}

static const char *
check_assoc(struct req *rq, const struct param *p, json_t *v, void *out)
{
	static const char too_long[] = "It must be at most 65535 bytes of JSON.";
	size_t left = ASSOC_MAX + 1;
	struct buf b;
	struct jw w;

	(void)p;
	if (is_longer(v, &left))
		return too_long;
	if (!(json_is_object(v) && !keys_are_numbers(v)) && !(json_is_array(v) && json_array_size(v) == 0))
		return "It must be a JSON object.";
	buf_init(&b, rq->cx.arena, 256);
	jw_init(&w, &b);
	w.ascii = true;
	jw_value(&w, v);
	if (b.n > ASSOC_MAX)
		return too_long;
	*(json_t **)out = v;
	return NULL;
}

static const char *
check_color(struct req *rq, const struct param *p, json_t *v, void *out)
{
	struct str s = json_str(v);

	(void)p;
	if ((s.n != 3 && s.n != 6) || strspn(s.p, "0123456789abcdefABCDEF") != s.n)
		return "Value must be a valid Hex color code";
	*(const char **)out = str_lower(rq->cx.arena, s).p;
	return NULL;
}

static const char *
check_objects(struct req *rq, const struct param *p, json_t *v, void *out)
{
	if (!json_is_array(v))
		return bad_list;
	if (json_array_size(v) > (size_t)list_max(p))
		return arena_printf(rq->cx.arena, "It has at most %d elements.", list_max(p));
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!json_is_object(json_array_get(v, i)))
			return "Its elements must be JSON objects.";
	*(json_t **)out = v;
	return NULL;
}

static const char *
check_ints(struct req *rq, const struct param *p, json_t *v, void *out)
{
	if (!json_is_array(v))
		return bad_list;
	if (json_array_size(v) > (size_t)list_max(p))
		return arena_printf(rq->cx.arena, "It has at most %d elements.", list_max(p));
	for (size_t i = 0; i < json_array_size(v); i++)
		if (!json_is_integer(json_array_get(v, i)) && !json_is_null(json_array_get(v, i)))
			return "Its elements must be integers.";
	*(json_t **)out = v;
	return NULL;
}

static const char *
check_any(struct req *rq, const struct param *p, json_t *v, void *out)
{
	(void)rq;
	(void)p;
	*(json_t **)out = v;
	return NULL;
}

const char *
param_check(struct req *rq, const struct param *p, json_t *v, void *out)
{
	static const char *(*const check[])(struct req *, const struct param *, json_t *, void *) = {
	    [P_UID] = check_uid,
	    [P_CUSTOM_ID] = check_custom_id,
	    [P_KEY] = check_uid,
	    [P_TEXT] = check_text,
	    [P_EMAIL] = check_email,
	    [P_IP] = check_ip,
	    [P_PASSWORD] = validators_check_password,
	    [P_PHONE] = check_phone,
	    [P_HOSTNAME] = check_hostname,
	    [P_URL] = validators_check_url,
	    [P_REDIRECT] = check_redirect,
	    [P_MAIL_LINK] = check_redirect,
	    [P_COLOR] = check_color,
	    [P_ENUM] = check_enum,
	    [P_ENUM_NOCASE] = check_enum,
	    [P_BOOL] = check_bool,
	    [P_BOOL_LOOSE] = check_bool,
	    [P_TOTAL] = check_total,
	    [P_INT] = check_int,
	    [P_RANGE] = check_range,
	    [P_NUMBER] = validators_check_number,
	    [P_FRACTION] = check_fraction,
	    [P_DATETIME] = validators_check_datetime,
	    [P_TEXTS] = check_texts,
	    [P_ENUMS] = check_enums,
	    [P_KEYS] = check_keys,
	    [P_PERMISSIONS] = check_permissions,
	    [P_ROLES] = check_roles,
	    [P_QUERIES] = check_queries,
	    [P_DATA] = check_bytes,
	    [P_JSON_OBJECT] = check_json,
	    [P_ASSOC] = check_assoc,
	    [P_OBJECTS] = check_objects,
	    [P_INTS] = check_ints,
	    [P_ANY] = check_any,
	};

	return check[p->type](rq, p, v, out);
}
