/* Mails and short messages: other services leave them with their writes, the jobs role words and sends them. They have no routes, but a page while
 * developing. */
#include "gate/gate.h"
#include "messages_priv.h"
#include "model/service.h"

static const struct job_kind jobs[] = {
	{"mail", messages_send_mail, 12, 8, JOB_MINUTES(5), 2, "Sends a mail."},
	{"mail-own", messages_send_project_mail, 12, 16, JOB_MINUTES(5), 2, "Sends a mail by a project's own server.", .each = 2},
	{"sms", messages_send_sms, 5, 4, JOB_MINUTES(5), 2, "Sends a short message."},
	{0},
};

extern const struct routes messages_dev_routes;
static const struct routes *const routes[] = {&messages_dev_routes, NULL};

const struct service messages_service = {
	.name = "messages",
	.routes = routes,
	.jobs = jobs,
};
