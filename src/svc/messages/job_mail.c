/* Mails: worded by mail_words.c, as text and HTML, to the mail server that is configured.
 *
 * Names come from strangers: in headers they go encoded, so that no line can be added. */
#include "messages_priv.h"
#include "svc/messages/dev.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/json.h"
#include "core/vtime.h"
#include "io/fetch.h"
#include "mail_words.h"

/* A text of the payload. Names are one line: their control characters become blanks. */
static const char *
job_mail_member(struct ctx *cx, const json_t *o, const char *key)
{
	struct str s = json_str(json_object_get(o, key));
	char *text = str_dup(cx->arena, s.p ? s : STR(""));

	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return text;
}

/* base64 in lines of 76. */
static void
job_mail_add_encoded(struct ctx *cx, struct buf *b, struct str text)
{
	const char *code = base64_encode(cx->arena, text, false);
	size_t n = strlen(code);

	for (size_t i = 0; i < n; i += 76) {
		buf_add(b, code + i, n - i < 76 ? n - i : 76);
		buf_c(b, "\r\n");
	}
}

/* An encoded word for each 45 bytes, cut between characters: plain text of a header may hold anything. */
static void
add_header_text(struct ctx *cx, struct buf *b, const char *text)
{
	size_t left = strlen(text);
	bool first = true;

	while (left > 0) {
		size_t n = left < 45 ? left : 45;

		while (n > 1 && n < left && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
		buf_printf(b, "%s=?UTF-8?B?%s?=", first ? "" : "\r\n ", base64_encode(cx->arena, (struct str){text, n}, false));
		text += n;
		left -= n;
		first = false;
	}
}

static void
add_address(struct ctx *cx, struct buf *b, const char *header, const char *name, const char *address)
{
	buf_printf(b, "%s: ", header);
	add_header_text(cx, b, name);
	buf_printf(b, "%s<%s>\r\n", name[0] ? " " : "", address);
}

/* Lines of a text end with CR LF on their way (RFC 2045, 6.8). */
static struct str
crlf(struct ctx *cx, struct str text)
{
	struct buf b;

	buf_init(&b, cx->arena, text.n + 64);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && (i == 0 || text.p[i - 1] != '\r'))
			buf_ch(&b, '\r');
		buf_ch(&b, text.p[i]);
	}
	return buf_view(&b);
}

/* Tue, 25 Nov 2025 03:00:00 +0000 */
static const char *
mail_date(struct ctx *cx, int64_t ms)
{
	char date[30];

	time_http(ms, ' ', date);
	return arena_printf(cx->arena, "%.26s+0000", date);
}

static struct str
message(struct ctx *cx, const struct worded *w, const struct letter *l, const struct job *job)
{
	const char *mark = sha256_hex(cx->arena, str_c(job->id));
	const char *at = strchr(conf.mail_from, '@');
	struct buf b;

	buf_init(&b, cx->arena, 8192);
	add_address(cx, &b, "From", w->sender, conf.mail_from);
	add_address(cx, &b, "To", l->name, l->to);
	buf_c(&b, "Subject: ");
	add_header_text(cx, &b, w->subject);
	/* the same at every try: a receiver can drop the second copy */
	buf_printf(&b, "\r\nDate: %s\r\nMessage-ID: <%.40s@%s>\r\nX-Mailer: Badal\r\nMIME-Version: 1.0\r\n", mail_date(cx, job->created), mark,
	    at ? at + 1 : conf.domain);
	buf_printf(&b, "Content-Type: multipart/alternative; boundary=\"%.32s\"\r\n\r\n", mark);
	buf_printf(&b, "--%.32s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", mark);
	job_mail_add_encoded(cx, &b, crlf(cx, w->text));
	buf_printf(&b, "--%.32s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", mark);
	job_mail_add_encoded(cx, &b, crlf(cx, w->html));
	buf_printf(&b, "--%.32s--\r\n", mark);
	return buf_view(&b);
}

static err_t
job_mail_deliver(struct ctx *cx, const char *to, struct str text)
{
	bool ssl = strcmp(conf.smtp_secure, "ssl") == 0, need = strcmp(conf.smtp_secure, "tls") == 0, login = conf.smtp_username[0] && conf.smtp_password[0];
	const struct fetch f = {
		.url = arena_printf(cx->arena, "%s://%s:%lld/%s", ssl ? "smtps" : "smtp", conf.smtp_host, (long long)conf.smtp_port, conf.domain),
		.body = text,
		.user = login ? conf.smtp_username : NULL,
		.password = login ? conf.smtp_password : NULL,
		.timeout_ms = 30000,
		.private_ok = true,	/* the operator's own server */
		.mail_from = conf.mail_from,
		.mail_to = &to,
		.n_mail_to = 1,
		.tls = need ? FETCH_TLS_NEED : FETCH_TLS_TRY,
		/* where no TLS would do as well, any certificate is better than none */
		.insecure = !ssl && !need && conf.smtp_ca[0] == '\0',
		.ca_file = conf.smtp_ca,
	};
	struct fetch_reply *reply;

	TRY(fetch(cx, &f, &reply));
	if (reply->status >= 550)	/* not this mail, ever: below are troubles with the login and the like */
		return fail(cx, ERR_JOB_HOPELESS, "the mail server said %d", reply->status);
	if (reply->status >= 400)
		return fail(cx, ERR_FETCH, "the mail server said %d", reply->status);
	return OK;
}

err_t
messages_send_mail(struct ctx *cx, const struct job *job)
{
	const json_t *o = json_parse(cx, job->payload, NULL);
	const struct letter l = {.kind = job_mail_member(cx, o, "kind"), .project = job_mail_member(cx, o, "project"), .to = job_mail_member(cx, o, "to"),
		.name = job_mail_member(cx, o, "name"), .link = job_mail_member(cx, o, "link"), .code = job_mail_member(cx, o, "code"),
		.phrase = job_mail_member(cx, o, "phrase"), .locale = job_mail_member(cx, o, "locale"), .owner = job_mail_member(cx, o, "owner"),
		.team = job_mail_member(cx, o, "team"), .device = job_mail_member(cx, o, "device"), .client = job_mail_member(cx, o, "client"),
		.os = job_mail_member(cx, o, "os"), .ip = job_mail_member(cx, o, "ip"), .country = job_mail_member(cx, o, "country"), .at = job->created};
	struct worded w;

	if (conf.smtp_host[0] == '\0' && !conf.dev)
		return fail(cx, ERR_GENERAL_SMTP_DISABLED, "no mail server any more");
	TRY(mail_words(cx, &l, &w));
	if (conf.smtp_host[0] == '\0')
		return dev_keep(cx, "mail", l.to, w.subject, w.text);
	return job_mail_deliver(cx, l.to, message(cx, &w, &l, job));
}
