/* Mails and short messages: other services leave them with their writes, the jobs role words and sends them. They have no routes. */
#include "messages_priv.h"
#include "model/service.h"

static const struct job_kind jobs[] = {
	{"mail", messages_send_mail, 12, 8, JOB_MINUTES(5), 2, "Sends a mail."},
	{"sms", messages_send_sms, 5, 4, JOB_MINUTES(5), 2, "Sends a short message."},
	{0},
};

const struct service messages_service = {
	.name = "messages",
	.jobs = jobs,
};
