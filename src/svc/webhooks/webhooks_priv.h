/* Webhooks: which events go to which (heard.c), the line of each and what is under way of it (work.c), one request (deliver.c), how it went (state.c),
 * what is remembered of it (log.c). The rows are the projects service's. */
#ifndef BADAL_SVC_WEBHOOKS_WEBHOOKS_PRIV_H
#define BADAL_SVC_WEBHOOKS_WEBHOOKS_PRIV_H

#include "core/fiber.h"
#include "model/hear.h"
#include "model/line.h"
#include "model/project.h"
#include "webhooks.h"

#define WEBHOOKS "webhooks"	/* the kind of job */

struct delivery {		/* of an event to a webhook; an entry of the webhook's line */
	const char *at;		/* place in the line */
	struct str head, body;	/* as they are there */
	const char *id;		/* the same at every try */
	int64_t time;		/* of the event, ms */
	const char *actor;	/* "" none */
	struct heard_about about;
};

struct outcome {		/* of one try */
	bool ok;
	bool busy;		/* it was not made: there was no room for it */
	int status;		/* 0: none */
	int64_t ms;		/* that it took */
	const char *why;	/* not ok: a line for people */
};

/* ---- heard.c ---- */
/* It was made after this time, and has nothing of what was before: ids are given again, of webhooks and of projects. */
bool webhook_later(const struct webhook *w, int64_t time);
struct str delivery_head(struct ctx *cx, const struct heard *ev);
/* False: malformed. The texts are in cx's arena. */
bool delivery_read(struct ctx *cx, const char *webhook, const struct line_entry *e, struct delivery *out);

/* ---- deliver.c ---- */
/* Awaits. One try; where it goes is the webhook as it is now. */
void deliver(struct ctx *cx, const struct project *p, const struct webhook *w, const struct delivery *d, struct outcome *out);

/* ---- state.c ---- */
/* Awaits. A try failed. *off_out: that was one too many, and the webhook is off now. *attempts_out: since the last success, this one included. */
err_t state_failed(struct ctx *cx, const struct project *p, const struct webhook *w, const char *why, int64_t *attempts_out, bool *off_out) MUST_CHECK;
/* Awaits. A try succeeded after others had not. */
err_t state_well(struct ctx *cx, const struct project *p, const struct webhook *w) MUST_CHECK;

/* ---- log.c ---- */
enum log_state { LOG_DELIVERED, LOG_FAILED, LOG_GIVEN_UP, LOG_OFF };
struct log_line {
	const struct delivery *d;
	const struct outcome *o;
	enum log_state state;
	int64_t attempts;	/* tries of this delivery */
};
/* Awaits. */
err_t log_add(struct ctx *cx, const char *line, const struct log_line *v, int n) MUST_CHECK;
/* Awaits. Nothing is remembered any more, unless somebody else holds the line by now. */
err_t log_forget(struct ctx *cx, const struct line *l) MUST_CHECK;

/* ---- work.c ---- */
err_t webhooks_work(struct ctx *cx, const struct job *job);

#endif
