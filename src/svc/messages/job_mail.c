/* Mails: worded by mail_words.c, or by the project itself (mail_template.c), as text and HTML, to the mail server of all or to the project's own.
 *
 * Names come from strangers: in headers they go encoded, so that no line can be added. */
#include "messages_priv.h"
#include "svc/messages/dev.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/json.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "mail_server.h"
#include "svc/messages/mail.h"
#include "svc/messages/mail_template.h"

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

struct envelope {
	const char *to, *to_name;
	const char *id;		/* the same at every try: a receiver can drop the second copy */
	int64_t at;
};

static struct str
message(struct ctx *cx, const struct mail_server *m, const struct worded *w, const struct envelope *v)
{
	const char *mark = sha256_hex(cx->arena, str_c(v->id)), *at = strchr(m->from, '@');
	struct buf b;

	buf_init(&b, cx->arena, 8192);
	add_address(cx, &b, "From", w->sender, m->from);
	add_address(cx, &b, "To", v->to_name, v->to);
	if (m->reply_to[0] != '\0')
		add_address(cx, &b, "Reply-To", m->reply_to_name, m->reply_to);
	buf_c(&b, "Subject: ");
	add_header_text(cx, &b, w->subject);
	buf_printf(&b, "\r\nDate: %s\r\nMessage-ID: <%.40s@%s>\r\nX-Mailer: Badal\r\nMIME-Version: 1.0\r\n", mail_date(cx, v->at), mark,
	    at ? at + 1 : conf.domain);
	buf_printf(&b, "Content-Type: multipart/alternative; boundary=\"%.32s\"\r\n\r\n", mark);
	buf_printf(&b, "--%.32s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", mark);
	job_mail_add_encoded(cx, &b, crlf(cx, w->text));
	buf_printf(&b, "--%.32s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", mark);
	job_mail_add_encoded(cx, &b, crlf(cx, w->html));
	buf_printf(&b, "--%.32s--\r\n", mark);
	return buf_view(&b);
}

static struct letter
letter_read(struct ctx *cx, const struct job *job)
{
	const json_t *o = json_parse(cx, job->payload, NULL);

	return (struct letter){.kind = job_text(cx, o, "kind"), .project = job_text(cx, o, "project"), .to = job_text(cx, o, "to"),
		.name = job_text(cx, o, "name"), .link = job_text(cx, o, "link"), .code = job_text(cx, o, "code"),
		.phrase = job_text(cx, o, "phrase"), .locale = job_text(cx, o, "locale"), .owner = job_text(cx, o, "owner"),
		.team = job_text(cx, o, "team"), .device = job_text(cx, o, "device"), .client = job_text(cx, o, "client"),
		.os = job_text(cx, o, "os"), .ip = job_text(cx, o, "ip"), .country = job_text(cx, o, "country"), .at = job->created};
}

static err_t
deliver_letter(struct ctx *cx, const struct mail_server *m, struct worded *w, const struct letter *l, const struct job *job)
{
	if (m->from_name[0] != '\0')
		w->sender = m->from_name;
	return mail_server_deliver(cx, m, &l->to, 1, message(cx, m, w, &(struct envelope){l->to, l->name, job->id, job->created}));
}

static err_t
send_by_all(struct ctx *cx, const struct job *job, const struct letter *l)
{
	const struct mail_server m = mail_server_of_all();
	struct worded w;

	if (!mail_ready(NULL))
		return fail(cx, ERR_GENERAL_SMTP_DISABLED, "no mail server any more");
	TRY(mail_words(cx, l, &w));
	return m.host[0] == '\0' ? dev_keep(cx, "mail", l->to, w.subject, w.text) : deliver_letter(cx, &m, &w, l, job);
}

static void
prefer(const char **to, const char *text)
{
	if (text != NULL && text[0] != '\0')
		*to = text;
}

static err_t
send_by_own(struct ctx *cx, const struct project *p, const struct job *job, const struct letter *l)
{
	struct mail_server m = mail_server_of(&p->smtp);
	struct mail_template *t;
	struct worded w;

	TRY(mail_template_for(cx, p->internal, l->kind, l->locale, &t));
	if (t != NULL && !mail_template_render(cx, t, l, &w)) {
		log_warn(cx, "a project's own words of a mail get too long, ours are used", "project=%s kind=%s locale=%s", p->id, t->kind, t->locale);
		metric_add(M_mail_words_too_long, 1);
		t = NULL;
	}
	if (t != NULL) {
		prefer(&m.from, t->sender_email);
		prefer(&m.from_name, t->sender_name);
		prefer(&m.reply_to, t->reply_to_email);
		prefer(&m.reply_to_name, t->reply_to_name);
		w.sender = p->name;
	} else {
		TRY(mail_words(cx, l, &w));
	}
	return deliver_letter(cx, &m, &w, l, job);
}

err_t
messages_send_mail(struct ctx *cx, const struct job *job)
{
	const struct letter l = letter_read(cx, job);

	return send_by_all(cx, job, &l);
}

/* Of a project that had a server of its own when it was written. It may have another now, or none. */
err_t
messages_send_project_mail(struct ctx *cx, const struct job *job)
{
	const struct letter l = letter_read(cx, job);
	struct project *p;
	err_t e = project_get_bare(cx, str_c(job->project), &p);

	if (e == ERR_PROJECT_NOT_FOUND)
		return fail(cx, ERR_JOB_HOPELESS, "the project is gone");
	TRY(e);
	return p->smtp.enabled ? send_by_own(cx, p, job, &l) : send_by_all(cx, job, &l);
}

err_t
mail_try(struct ctx *cx, const struct project *p, const struct smtp *s, const struct strs *to, const char *locale, const char **why_out)
{
	struct mail_server m = mail_server_of(s);
	const struct letter l = {.kind = "smtpTest", .project = p->name, .to = to->v[0], .name = "", .link = "", .code = "", .phrase = "", .locale = locale, .owner = "", .team = "",
		.device = "", .client = "", .os = "", .ip = "", .country = "", .at = time_now_ms()};
	struct worded w;

	*why_out = NULL;
	TRY(mail_words(cx, &l, &w));
	if (m.from_name[0] != '\0')
		w.sender = m.from_name;
	for (int i = 0; i < to->n && *why_out == NULL; i++) {
		const struct envelope v = {to->v[i], "", id_unique(cx->arena), l.at};
		err_t e = mail_server_deliver(cx, &m, &to->v[i], 1, message(cx, &m, &w, &v));

		if (e == ERR_FETCH || e == ERR_FETCH_REFUSED || e == ERR_TIMEOUT || e == ERR_JOB_HOPELESS)
			*why_out = mail_server_trouble(cx, &m, e);
		else
			TRY(e);
	}
	return OK;
}
