/* Short messages that go out with a write: a job of the write's own transaction. */
#include "svc/messages/sms.h"

#include "core/conf.h"
#include "model/job.h"

bool
sms_ready(void)
{
	return conf.sms_provider[0] != '\0' || conf.dev;
}

void
sms_send(struct db_tx *tx, const struct project *p, const char *to, const char *text)
{
	struct buf b;
	struct jw w;

	(void)p;	/* the provider is the server's: all projects share it */
	buf_init(&b, tx_ctx(tx)->arena, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "to");
	jw_cstr(&w, to);
	JW_KEY(&w, "text");
	jw_cstr(&w, text);
	jw_obj_end(&w);
	tx_job(tx, "sms", buf_view(&b));
}
