/* Delivery of webhooks. What the console manages is the projects service's. */
#include "model/service.h"

#include "webhooks_priv.h"

extern const struct hears webhooks_hears;

/* A run's own time, and then the longest that a receiver may take (webhook_timeout): it is never cut off with requests under way. */
static const struct job_kind jobs[] = {
	{WEBHOOKS, webhooks_work, 8, 500, JOB_MINUTES(7), 4, "Delivers what waits for one webhook.", .lines = true},
	{0},
};

static const char *const mails[] = {"webhookOff", NULL};

static const struct shape *const shapes[] = {&sent_shape, NULL};

const struct service webhooks_service = {
	.name = "webhooks",
	.shapes = shapes,
	.jobs = jobs,
	.hears = &webhooks_hears,
	.mails = mails,
};
