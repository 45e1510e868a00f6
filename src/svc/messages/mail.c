/* Mails that go out with a write: a job of the write's own transaction. */
#include "svc/messages/mail.h"

#include "messages_priv.h"

#include "core/conf.h"
#include "core/json.h"
#include "model/job.h"

bool
mail_ready(const struct project *p)
{
	return (p != NULL && p->smtp.enabled) || (conf.smtp_host != NULL && conf.smtp_host[0] != '\0') || conf.dev;
}

const char *
job_text(struct ctx *cx, const json_t *o, const char *key)
{
	struct str s = json_str(json_object_get(o, key));
	char *text = str_dup(cx->arena, s.p ? s : STR(""));

	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return text;
}

static void
mail_put(struct jw *w, const char *key, const char *value)
{
	jw_key(w, str_c(key));
	jw_cstr(w, value);
}

void
mail_send(struct db_tx *tx, const struct project *p, const struct mail *m)
{
	struct buf b;
	struct jw w;

	buf_init(&b, tx_ctx(tx)->arena, 1024);
	jw_init(&w, &b);
	jw_obj(&w);
	mail_put(&w, "kind", m->kind);
	mail_put(&w, "project", p->console ? "" : p->name);
	mail_put(&w, "to", m->to);
	mail_put(&w, "name", m->name);
	mail_put(&w, "link", m->link);
	mail_put(&w, "code", m->code);
	mail_put(&w, "phrase", m->phrase);
	mail_put(&w, "locale", m->locale);
	mail_put(&w, "owner", m->owner);
	mail_put(&w, "team", m->team);
	mail_put(&w, "device", m->device);
	mail_put(&w, "client", m->client);
	mail_put(&w, "os", m->os);
	mail_put(&w, "ip", m->ip);
	mail_put(&w, "country", m->country);
	jw_obj_end(&w);
	tx_job(tx, p->smtp.enabled && !m->ours ? "mail-own" : "mail", buf_view(&b));
}
