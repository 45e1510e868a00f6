/* Short messages, by the provider's row of sms_providers.h. */
#include "messages_priv.h"
#include "mail_words.h"
#include "svc/messages/dev.h"
#include "svc/messages/sms.h"

#include "core/conf.h"
#include "core/json.h"
#include "core/log.h"
#include "io/fetch.h"
#include "model/link.h"

enum { HEADERS_MAX = 8 };
enum body { SMS_FORM, SMS_JSON };

static const struct provider {
	const char *name, *server, *path;
	enum body kind;
	const char *body, *headers;
	bool password;
} providers[] = {
#define SMS(...) {__VA_ARGS__},
#include "sms_providers.h"
};

struct message {
	struct str user, secret, provider;
	const char *to, *text;
	struct str words;	/* with the text in them */
};

static const struct provider *
provider_by_name(struct str name)
{
	for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
		if (str_is(name, providers[i].name))
			return &providers[i];
	return NULL;
}

/* "sms://user:secret@provider". The secret may hold any character, the parts are not encoded. */
static bool
setting_parse(struct str s, struct message *m)
{
	static const size_t scheme = sizeof "sms://" - 1;
	const char *at;

	if (!str_starts(s, "sms://"))
		return false;
	s = (struct str){s.p + scheme, s.n - scheme};
	at = memrchr(s.p, '@', s.n);
	if (at == NULL)
		return false;
	m->provider = (struct str){at + 1, s.n - (size_t)(at + 1 - s.p)};
	s.n = (size_t)(at - s.p);
	m->user = str_cut(&s, ':');
	m->secret = s.p ? s : STR("");
	return true;
}

bool
sms_provider_known(const char *setting)
{
	struct message m = {0};

	return setting_parse(str_c(setting), &m) && provider_by_name(m.provider) != NULL;
}

static struct str
slot(const struct message *m, char c)
{
	const char *number = c == 'f' || c == 'F' ? conf.sms_from : m->to;

	switch (c) {
	case 'u': return m->user;
	case 's': return m->secret;
	case 'c': return str_c(m->text);
	case 'w': return m->words;
	case 'F':
	case 'T': return str_c(number + (number[0] == '+'));
	default: return str_c(number);
	}
}

/* The value of a row with its slots filled. */
static struct str
filled(struct ctx *cx, const struct message *m, struct str text)
{
	struct buf b;

	buf_init(&b, cx->arena, 64);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '%' && i + 1 < text.n)
			buf_str(&b, slot(m, text.p[++i]));
		else
			buf_ch(&b, text.p[i]);
	return buf_view(&b);
}

static struct str
form_body(struct ctx *cx, const struct provider *p, const struct message *m)
{
	struct str rest = str_c(p->body);
	struct buf b;

	buf_init(&b, cx->arena, 256);
	while (rest.p != NULL) {
		struct str value = str_cut(&rest, '|'), name = str_cut(&value, '=');

		if (b.n > 0)
			buf_ch(&b, '&');
		link_encode(&b, name);
		buf_ch(&b, '=');
		link_encode(&b, filled(cx, m, value));
	}
	return buf_view(&b);
}

static struct str
json_body(struct ctx *cx, const struct provider *p, const struct message *m)
{
	struct str rest = str_c(p->body);
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 256);
	jw_init(&w, &b);
	jw_obj(&w);
	while (rest.p != NULL) {
		struct str value = str_cut(&rest, '|'), name = str_cut(&value, '=');

		jw_key(&w, name);
		jw_str(&w, filled(cx, m, value));
	}
	jw_obj_end(&w);
	return buf_view(&b);
}

static int
headers(struct ctx *cx, const struct provider *p, const struct message *m, struct fetch_header out[HEADERS_MAX])
{
	struct str rest = str_c(p->headers);
	int n = 0;

	out[n++] = (struct fetch_header){"user-agent", "Appwrite Phone Authentication"};
	if (p->kind == SMS_FORM)
		out[n++] = (struct fetch_header){"content-type", "application/x-www-form-urlencoded"};
	while (rest.n > 0 && n < HEADERS_MAX) {
		struct str value = str_cut(&rest, '|'), name = str_cut(&value, '=');

		out[n++] = (struct fetch_header){str_dup(cx->arena, name), str_dup(cx->arena, filled(cx, m, value))};
	}
	return n;
}

static err_t
job_sms_deliver(struct ctx *cx, const struct provider *p, const struct message *m)
{
	struct fetch_header h[HEADERS_MAX];
	struct fetch_reply *reply;
	struct fetch f = {
		.url = arena_printf(cx->arena, "%s%s", conf.sms_url[0] ? conf.sms_url : p->server, filled(cx, m, str_c(p->path)).p),
		.method = "POST",
		.headers = h,
		.n_headers = headers(cx, p, m, h),
		.body = p->kind == SMS_JSON ? json_body(cx, p, m) : form_body(cx, p, m),
		.user = p->password ? str_dup(cx->arena, m->user) : NULL,
		.password = p->password ? str_dup(cx->arena, m->secret) : NULL,
		.private_ok = true,	/* the operator chose the server */
	};

	TRY(fetch(cx, &f, &reply));
	if (reply->status == 400 || reply->status == 422)	/* not this number, ever; others are troubles with the login, the load and the like */
		return fail(cx, ERR_JOB_HOPELESS, "the provider said %d", reply->status);
	if (reply->status >= 400)
		return fail(cx, ERR_FETCH, "the provider said %d", reply->status);
	return OK;
}

static err_t
word_message(struct ctx *cx, const json_t *o, struct message *m)
{
	const struct brief b = {.project = job_text(cx, o, "project"), .locale = job_text(cx, o, "locale"), .text = m->text, .invites = json_is_true(json_object_get(o, "invites"))};

	m->words = str_c(m->text);
	return json_object_get(o, "locale") != NULL ? mail_words_short(cx, &b, &m->words) : OK;
}

err_t
messages_send_sms(struct ctx *cx, const struct job *job)
{
	const json_t *o = json_parse(cx, job->payload, NULL);
	struct message m = {.to = job_text(cx, o, "to"), .text = job_text(cx, o, "text")};
	const struct provider *p;

	TRY(word_message(cx, o, &m));
	if (conf.sms_provider[0] == '\0' && conf.dev)
		return dev_keep(cx, "short message", m.to, "", m.words);
	if (conf.sms_from[0] == '\0') {
		log_warn(cx, "short message not sent: sms_from is not set", NULL);
		return OK;
	}
	/* the setting is checked when it is read, but may be gone since the message was asked for */
	if (!setting_parse(str_c(conf.sms_provider), &m) || (p = provider_by_name(m.provider)) == NULL) {
		log_warn(cx, "short message not sent: sms_provider is not set", NULL);
		return OK;
	}
	return job_sms_deliver(cx, p, &m);
}
