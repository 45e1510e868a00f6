/* What is remembered of deliveries of webhooks, and sending them again: for the console's routes and the command line. */
#ifndef BADAL_SVC_WEBHOOKS_WEBHOOKS_H
#define BADAL_SVC_WEBHOOKS_WEBHOOKS_H

#include "io/db.h"
#include "model/project.h"

struct sent {			/* a try, or the end of a delivery */
	const char *id;		/* of the delivery: the receiver's Webhook-Id */
	const char *event, *status, *error;	/* status: delivered, failed (it is tried again), abandoned, disabled */
	int64_t created, sent;	/* the event's time; ms */
	int64_t attempts, code, duration;	/* tries so far; HTTP status, 0: none; ms */
	bool kept;		/* it can be sent again */
};
extern const struct shape sent_shape;

/* Awaits. The newest first, at most `max`. */
err_t webhook_log(struct ctx *cx, const struct project *p, const struct webhook *w, int max, struct objs *out) MUST_CHECK;
/* Awaits. Puts deliveries into the line again, in the order of their events: the one with this id, or (id NULL) each that was not delivered in the end.
 * ERR_WEBHOOK_DELIVERY_NOT_FOUND: there is none with this id, or it is not kept. */
err_t webhook_replay(struct ctx *cx, const struct project *p, const struct webhook *w, const char *id, int64_t *n_out) MUST_CHECK;
/* Within a transaction that deletes it, or its project: what waits for it, and what is remembered, is cleared away by a job. */
void webhook_forget(struct db_tx *tx, const char *project, const char *webhook);

#endif
