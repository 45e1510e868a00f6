/* The texts of rate limits in the route tables: rules, and the key of a bucket with its placeholders. */
#include "gate_priv.h"

#include "core/addr.h"
#include "core/conf.h"
#include "core/json.h"

enum { PERIOD_DEFAULT = 3600, PARAM_MAX = 512 };

#define KEY_DEFAULT "url:{url},ip:{ip}"

/* ---- the text of a table ---- */

static const int64_t *
limit_setting(struct str name)
{
	static const struct {
		const char *name;
		const int64_t *value;
	} all[] = {{"guess_client", &conf.guess_client}, {"guess_session", &conf.guess_session}};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (str_is(name, all[i].name))
			return all[i].value;
	return NULL;
}

static bool
parse_rule(struct str text, struct limit_rule *out)
{
	struct str key = str_trim(text), numbers = str_cut(&key, ' '), max = str_cut(&numbers, '/');

	*out = (struct limit_rule){.period = PERIOD_DEFAULT};
	out->setting = limit_setting(max);
	if (out->setting == NULL && (!str_to_i64(max, &out->max) || out->max < 1))
		return false;
	if (numbers.p != NULL && (!str_to_i64(numbers, &out->period) || out->period < 1))
		return false;
	key = str_trim(key);
	for (; key.n > 0 && (key.p[0] == '~' || key.p[0] == '-' || key.p[0] == '!'); key.p++, key.n--)
		*(key.p[0] == '~' ? &out->brake : key.p[0] == '-' ? &out->give_back : &out->firm) = true;
	if (key.n == 0)
		key = STR(KEY_DEFAULT);
	out->key = memcpy(mem_zalloc(key.n + 1), key.p, key.n);
	return true;
}

int
limit_parse(const char *text, struct limit_rule out[ROUTE_LIMITS_MAX])
{
	struct str rest = str_c(text);
	int n = 0;

	while (rest.p != NULL) {
		struct str rule = str_cut(&rest, ';');

		if (n == ROUTE_LIMITS_MAX || !parse_rule(rule, &out[n]))
			return -1;
		n++;
	}
	return n;
}

/* ---- keys ---- */

/* False when the request has no such parameter. What no validator will take needs no bucket of its own: the beginning of a text that is
 * longer than any e-mail address or id stands for all of it, and one word for all lists and objects. */
static bool
limit_text_add_param(struct req *rq, struct buf *b, struct str name)
{
	const json_t *j = json_object_get(rq->body, str_dup(rq->cx.arena, name));
	struct str text = json_str(j);
	struct jw w;

	if (j == NULL || json_is_null(j) || (json_is_string(j) && text.n == 0))
		return false;
	if (json_is_string(j)) {
		buf_add(b, text.p, text.n < PARAM_MAX ? text.n : PARAM_MAX);
	} else if (json_is_array(j) || json_is_object(j)) {
		BUF_LIT(b, "[]");
	} else {
		jw_init(&w, b);
		jw_value(&w, j);
	}
	return true;
}

void
limit_client(struct req *rq, struct buf *b)
{
	char net[ADDR_NET_MAX];

	buf_c(b, addr_net(rq->ip, net));
}

static bool
limit_text_add_value(struct req *rq, struct buf *b, struct str name)
{
	if (str_is(name, "url"))
		buf_c(b, rq->route->path);
	else if (str_is(name, "ip"))
		limit_client(rq, b);
	else if (str_is(name, "session"))
		buf_c(b, rq->login && rq->login->session ? rq->login->session->id : "");
	else if (str_is(name, "userId"))
		buf_c(b, rq->login ? rq->login->user->id : "");
	else if (str_is(name, "userAgent"))
		buf_c(b, rq->user_agent);
	else if (str_is(name, "method"))
		buf_c(b, rq->route->method);
	else if (str_starts(name, "param-"))
		return limit_text_add_param(rq, b, (struct str){name.p + 6, name.n - 6});
	else
		return false;
	return true;
}

/* A bucket must not be left by spelling a value differently: who calls chooses the name of the host, which is therefore no part of {url},
 * and addresses and ids are compared without case. */
struct str
limit_key(struct req *rq, const char *key)
{
	struct buf b;

	buf_init(&b, rq->cx.arena, 96);
	while (*key != '\0') {
		const char *end = *key == '{' ? strchr(key, '}') : NULL;

		if (end != NULL && limit_text_add_value(rq, &b, (struct str){key + 1, (size_t)(end - key - 1)}))
			key = end + 1;
		else
			buf_ch(&b, *key++);
	}
	return str_lower(rq->cx.arena, buf_view(&b));
}
