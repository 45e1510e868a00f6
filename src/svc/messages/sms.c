/* Short messages that go out with a write: a job of the write's own transaction. */
#include "svc/messages/sms.h"

#include <assert.h>
#include <string.h>

#include "core/conf.h"
#include "model/job.h"

bool
sms_ready(void)
{
	return conf.sms_provider[0] != '\0' || conf.dev;
}

void
sms_send(struct db_tx *tx, const struct project *p, const struct sms *m)
{
	struct buf b;
	struct jw w;

	assert(strlen(m->text) <= SMS_TEXT_MAX);
	buf_init(&b, tx_ctx(tx)->arena, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "to");
	jw_cstr(&w, m->to);
	JW_KEY(&w, "text");
	jw_cstr(&w, m->text);
	if (m->locale != NULL) {	/* a former program sends the text alone */
		JW_KEY(&w, "project");
		jw_cstr(&w, p->console ? "" : p->name);
		JW_KEY(&w, "locale");
		jw_cstr(&w, m->locale);
		JW_KEY(&w, "invites");
		jw_bool(&w, m->invites);
	}
	jw_obj_end(&w);
	tx_job(tx, "sms", buf_view(&b));
}
