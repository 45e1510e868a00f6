/* How a webhook fares: failed tries since the last success, switched off when there are too many. The row is the projects service's; a change of it
 * refreshes the project everywhere, and so what is listened to. */
#include "core/conf.h"
#include "core/log.h"
#include "core/metric.h"
#include "model/project_write.h"
#include "svc/messages/mail.h"
#include "webhooks_priv.h"

/* To the owners of the project's team, whom the console knows. */
static err_t
tell_owners(struct db_tx *tx, const struct project *p, const struct webhook *w)
{
	struct db_res *r;

	if (!mail_ready(NULL))
		return OK;
	TRY(tx_query(tx, &r, "SELECT u.email, coalesce(u.name, '') FROM p_0.memberships m JOIN p_0.users u ON u.internal = m.user_internal "
	    "WHERE lower(m.team_id) = lower($1) AND m.confirm AND 'owner' = ANY (m.roles) AND coalesce(u.email, '') <> '' ORDER BY m.internal LIMIT 100",
	    DB(p->team_id)));
	for (int i = 0; i < db_rows(r); i++) {
		const struct mail m = {.kind = "webhookOff", .to = db_cstr(r, i, 0), .name = db_cstr(r, i, 1), .link = w->url, .locale = conf.locale, .owner = w->name, .team = "", .ours = true};

		mail_send(tx, p, &m);
	}
	return OK;
}

static err_t
fail_within(struct db_tx *tx, const struct project *p, const struct webhook *w, const char *why, int64_t *attempts_out, bool *off_out)
{
	struct ctx *cx = tx_ctx(tx);
	const struct event ev = project_event(cx, &ev_project_update, p->id, NULL);
	struct db_res *r;

	*attempts_out = w->attempts + 1;
	*off_out = false;
	TRY(tx_query(tx, &r, "UPDATE badal.webhooks SET attempts = attempts + 1, logs = $3, enabled = enabled AND attempts + 1 < $4::bigint WHERE project = $1::bigint AND "
	    "internal = $2::bigint AND enabled RETURNING attempts, enabled", DB(pg_i64(cx->arena, p->internal), pg_i64(cx->arena, w->internal), why,
	    pg_i64(cx->arena, conf.webhook_attempts_max))));
	if (db_rows(r) == 0)
		return OK;	/* gone, or off, meanwhile */
	*attempts_out = db_i64(r, 0, 0);
	*off_out = !db_bool(r, 0, 1);
	if (*off_out)
		TRY(tell_owners(tx, p, w));
	event_emit(tx, &ev);
	return OK;
}

err_t
state_failed(struct ctx *cx, const struct project *p, const struct webhook *w, const char *why, int64_t *attempts_out, bool *off_out)
{
	TRY(TX_RUN(cx, tx, fail_within(tx, p, w, why, attempts_out, off_out)));
	if (*off_out) {
		metric_add(M_webhooks_off, 1);
		log_warn(cx, "a webhook is switched off: its deliveries fail", "webhook=%s attempts=%lld why=\"%s\"", w->id, (long long)*attempts_out, why);
	}
	return OK;
}

err_t
state_well(struct ctx *cx, const struct project *p, const struct webhook *w)
{
	err_t e = project_write(cx, p, ERR_WEBHOOK_NOT_FOUND, "UPDATE badal.webhooks SET attempts = 0 WHERE project = $1::bigint AND internal = $2::bigint RETURNING internal",
	    DB(pg_i64(cx->arena, p->internal), pg_i64(cx->arena, w->internal)));

	return e == ERR_WEBHOOK_NOT_FOUND ? OK : e;
}
