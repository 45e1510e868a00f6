/* The way out for mails. A project's own server is a stranger's word: what is connected to is no address of ours, unless the operator allows it. */
#include "mail_server.h"

#include "core/conf.h"
#include "io/fetch.h"
#include "svc/messages/mail.h"

enum { SEND_MS = 30000, CHECK_MS = 10000, CONNECT_MS = 5000 };

struct mail_server
mail_server_of_all(void)
{
	return (struct mail_server){.host = conf.smtp_host, .secure = conf.smtp_secure, .username = conf.smtp_username, .password = conf.smtp_password, .port = conf.smtp_port,
		.from = conf.mail_from, .from_name = "", .reply_to = "", .reply_to_name = ""};
}

struct mail_server
mail_server_of(const struct smtp *s)
{
	return (struct mail_server){.host = s->host, .secure = s->secure, .username = s->username, .password = s->password, .port = s->port, .from = s->sender_email,
		.from_name = s->sender_name, .reply_to = s->reply_to_email, .reply_to_name = s->reply_to_name, .own = true};
}

static struct fetch
mail_server_fetch(struct ctx *cx, const struct mail_server *m)
{
	bool ssl = strcmp(m->secure, "ssl") == 0, need = strcmp(m->secure, "tls") == 0, login = m->username[0] && m->password[0], v6 = strchr(m->host, ':') != NULL && m->host[0] != '[';

	return (struct fetch){
		.url = arena_printf(cx->arena, "%s://%s%s%s:%lld/%s", ssl ? "smtps" : "smtp", v6 ? "[" : "", m->host, v6 ? "]" : "", (long long)m->port, conf.domain),
		.user = login ? m->username : NULL,
		.password = login ? m->password : NULL,
		.timeout_ms = SEND_MS,
		.connect_ms = CONNECT_MS,
		.private_ok = !m->own || conf.smtp_private,
		.tls = need ? FETCH_TLS_NEED : FETCH_TLS_TRY,
		/* where no TLS would do as well, any certificate is better than none */
		.insecure = !ssl && !need && (m->own || conf.smtp_ca[0] == '\0'),
		.ca_file = m->own ? "" : conf.smtp_ca,
	};
}

err_t
mail_server_deliver(struct ctx *cx, const struct mail_server *m, const char *const *to, int n, struct str text)
{
	struct fetch f = mail_server_fetch(cx, m);
	struct fetch_reply *reply;

	f.body = text;
	f.mail_from = m->from;
	f.mail_to = to;
	f.n_mail_to = n;
	TRY(fetch(cx, &f, &reply));
	if (reply->status >= 550)	/* not this mail, ever: below are troubles with the login and the like */
		return fail(cx, ERR_JOB_HOPELESS, "the mail server said %d", reply->status);
	if (reply->status >= 400)
		return fail(cx, ERR_FETCH, "the mail server said %d", reply->status);
	return OK;
}

const char *
mail_server_trouble(struct ctx *cx, const struct mail_server *m, err_t e)
{
	const char *why = cx->detail ? cx->detail : "it cannot be reached";

	return m->own && !conf.smtp_private && fetch_nowhere(cx, e) ? "it has no public address" : why;
}

err_t
mail_check(struct ctx *cx, const struct smtp *s, const char **why_out)
{
	const struct mail_server m = mail_server_of(s);
	struct fetch f = mail_server_fetch(cx, &m);
	struct fetch_reply *reply = NULL;
	err_t e;

	f.mail_check = true;
	f.timeout_ms = CHECK_MS;
	*why_out = NULL;
	e = fetch(cx, &f, &reply);
	if (e == ERR_FETCH || e == ERR_FETCH_REFUSED || e == ERR_TIMEOUT)
		*why_out = mail_server_trouble(cx, &m, e);
	else if (e != OK)
		return e;
	else if (reply->status >= 400)
		*why_out = arena_printf(cx->arena, "it said %d", reply->status);
	return OK;
}
