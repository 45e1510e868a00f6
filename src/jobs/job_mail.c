/* Mails: the words of each kind around its link, as text and HTML, to the mail server that is configured.
 *
 * Names come from strangers: they are escaped in HTML, and in headers they go encoded, so that no line can be added. */
#include "jobs_priv.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/json.h"
#include "core/log.h"
#include "core/vtime.h"
#include "io/fetch.h"

struct letter {			/* what the write left for us; "" where it does not apply */
	const char *kind, *project, *to, *name, *link, *owner, *team;
};

/* %n name, %p project, %o who invites, %t team */
static const struct words {
	const char *kind, *subject, *hello, *body, *footer;
} words[] = {
	{"verification", "Account Verification", "Hey %n,", "Follow this link to verify your e-mail address.",
	    "If you did not ask to verify this address, you can ignore this message."},
	{"magicSession", "Login", "Hey,", "Follow this link to log in.", "If you did not ask to log in with this e-mail address, you can ignore this message."},
	{"recovery", "Password Reset", "Hello %n,", "Follow this link to set a new password for %p.",
	    "If you did not ask for a new password, you can ignore this message."},
	{"invitation", "Invitation to %t Team at %p", "Hello,", "%o invites you to join the team %t at %p. Follow this link to accept.",
	    "If you are not interested, you can ignore this message."},
};

static const char *
member(struct ctx *cx, const json_t *o, const char *key)
{
	struct str s = json_str(json_object_get(o, key));

	return s.p ? str_dup(cx->arena, s) : "";
}

static const char *
product(const struct letter *l)
{
	return l->project[0] ? l->project : conf.mail_from_name;
}

/* The words with their slots filled. Nothing in a filled value is a slot again. */
static const char *
filled(struct ctx *cx, const char *text, const struct letter *l)
{
	struct buf b;

	buf_init(&b, cx->arena, 256);
	for (const char *p = text; *p; p++) {
		if (*p != '%') {
			buf_ch(&b, *p);
			continue;
		}
		switch (*++p) {
		case 'n': buf_c(&b, l->name[0] ? l->name : "there"); break;
		case 'p': buf_c(&b, product(l)); break;
		case 'o': buf_c(&b, l->owner[0] ? l->owner : "Somebody"); break;
		case 't': buf_c(&b, l->team); break;
		}
	}
	return buf_view(&b).p;
}

static void
add_html(struct buf *b, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': buf_c(b, "&amp;"); break;
		case '<': buf_c(b, "&lt;"); break;
		case '>': buf_c(b, "&gt;"); break;
		case '"': buf_c(b, "&quot;"); break;
		default: buf_ch(b, *text);
		}
	}
}

static void
add_paragraph(struct buf *b, const char *text)
{
	buf_c(b, "<p>");
	add_html(b, text);
	buf_c(b, "</p>\n");
}

/* base64 in lines of 76. */
static void
add_encoded(struct ctx *cx, struct buf *b, struct str text)
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

static struct str
text_part(struct ctx *cx, const struct words *w, const struct letter *l)
{
	return str_c(arena_printf(cx->arena, "%s\r\n\r\n%s\r\n\r\n%s\r\n\r\n%s\r\n\r\nThanks,\r\n%s team\r\n", filled(cx, w->hello, l),
	    filled(cx, w->body, l), l->link, filled(cx, w->footer, l), product(l)));
}

static struct str
html_part(struct ctx *cx, const struct words *w, const struct letter *l)
{
	struct buf b;

	buf_init(&b, cx->arena, 2048);
	buf_c(&b, "<!doctype html>\n<html lang=\"en\" dir=\"ltr\"><head><meta charset=\"utf-8\"><title>");
	add_html(&b, filled(cx, w->subject, l));
	buf_c(&b, "</title></head>\n<body style=\"background:#f7f7f7;color:#000;font-family:sans-serif\">"
		  "<div style=\"background:#fff;max-width:36em;margin:2em auto;padding:2em\">\n");
	add_paragraph(&b, filled(cx, w->hello, l));
	add_paragraph(&b, filled(cx, w->body, l));
	buf_c(&b, "<p><a href=\"");
	add_html(&b, l->link);
	buf_c(&b, "\">");
	add_html(&b, l->link);
	buf_c(&b, "</a></p>\n");
	add_paragraph(&b, filled(cx, w->footer, l));
	buf_c(&b, "<p>Thanks,<br>");
	add_html(&b, product(l));
	buf_c(&b, " team</p>\n</div></body></html>\n");
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
message(struct ctx *cx, const struct words *w, const struct letter *l, const struct job *job)
{
	const char *mark = sha256_hex(cx->arena, str_c(job->id));
	const char *sender = l->project[0] ? arena_printf(cx->arena, "%s Team", l->project) : conf.mail_from_name;
	const char *at = strchr(conf.mail_from, '@');
	struct buf b;

	buf_init(&b, cx->arena, 8192);
	add_address(cx, &b, "From", sender, conf.mail_from);
	add_address(cx, &b, "To", l->name, l->to);
	buf_c(&b, "Subject: ");
	add_header_text(cx, &b, filled(cx, w->subject, l));
	/* the same at every try: a receiver can drop the second copy */
	buf_printf(&b, "\r\nDate: %s\r\nMessage-ID: <%.40s@%s>\r\nX-Mailer: Badal\r\nMIME-Version: 1.0\r\n", mail_date(cx, job->created), mark,
	    at ? at + 1 : conf.domain);
	buf_printf(&b, "Content-Type: multipart/alternative; boundary=\"%.32s\"\r\n\r\n", mark);
	buf_printf(&b, "--%.32s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", mark);
	add_encoded(cx, &b, text_part(cx, w, l));
	buf_printf(&b, "--%.32s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", mark);
	add_encoded(cx, &b, html_part(cx, w, l));
	buf_printf(&b, "--%.32s--\r\n", mark);
	return buf_view(&b);
}

static err_t
deliver(struct ctx *cx, const char *to, struct str text)
{
	bool ssl = strcmp(conf.smtp_secure, "ssl") == 0, login = conf.smtp_username[0] && conf.smtp_password[0];
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
		.tls = strcmp(conf.smtp_secure, "tls") == 0 ? FETCH_TLS_NEED : FETCH_TLS_TRY,
	};
	struct fetch_reply *reply;

	TRY(fetch(cx, &f, &reply));
	if (reply->status >= 400)
		return fail(cx, ERR_FETCH, "the mail server said %d", reply->status);
	return OK;
}

err_t
job_mail(struct ctx *cx, const struct job *job)
{
	const json_t *o = json_parse(cx, job->payload, NULL);
	const struct letter l = {.kind = member(cx, o, "kind"), .project = member(cx, o, "project"), .to = member(cx, o, "to"),
		.name = member(cx, o, "name"), .link = member(cx, o, "link"), .owner = member(cx, o, "owner"), .team = member(cx, o, "team")};

	if (conf.smtp_host[0] == '\0')
		return fail(cx, ERR_GENERAL_SMTP_DISABLED, "no mail server any more");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i].kind, l.kind) == 0)
			return deliver(cx, l.to, message(cx, &words[i], &l, job));
	log_error(cx, "mail of an unknown kind", "kind=%s", l.kind);
	return OK;
}
