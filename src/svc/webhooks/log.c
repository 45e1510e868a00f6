/* What is remembered of deliveries: a stream for each webhook, bounded by its bytes (webhook_log_size) and by a week, in Redis beside the lines. An entry is
 * a try or an end, with the payload unless that is large, so that it can be sent again.
 *
 * {jobs}:webhooks:log:<line>        stream: m "<id> <event> <time> <sent> <attempts> <code> <duration> <state> <why>" by tabs, h and b as in the line
 * {jobs}:webhooks:log:<line>:bytes  what it takes */
#include <stdio.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/map.h"
#include "core/vtime.h"
#include "io/bus.h"
#include "webhooks_priv.h"

enum { WEEK_MS = 7 * 24 * 3600 * 1000, LOG_READ = 1000 };

static const char *const states[] = {[LOG_DELIVERED] = "delivered", [LOG_FAILED] = "failed", [LOG_GIVEN_UP] = "abandoned", [LOG_OFF] = "disabled"};

/* KEYS: log bytes; ARGV: most bytes, ms it is kept, then m h b of each. */
static const char log_lua[] =
    "local bytes = tonumber(redis.call('GET', KEYS[2]) or '0')\n"
    "for i = 3, #ARGV, 3 do\n"
    "  redis.call('XADD', KEYS[1], '*', 'm', ARGV[i], 'h', ARGV[i + 1], 'b', ARGV[i + 2])\n"
    "  bytes = bytes + #ARGV[i] + #ARGV[i + 1] + #ARGV[i + 2] + 100\n"
    "end\n"
    "while bytes > tonumber(ARGV[1]) do\n"
    "  local e = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]\n"
    "  if not e then bytes = 0 break end\n"
    "  redis.call('XDEL', KEYS[1], e[1])\n"
    "  bytes = bytes - #e[2][2] - #e[2][4] - #e[2][6] - 100\n"
    "end\n"
    "redis.call('SET', KEYS[2], bytes, 'PX', ARGV[2])\n"
    "redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"
    "return bytes";

static struct str
meta(struct ctx *cx, const struct log_line *l)
{
	const struct delivery *d = l->d;

	return str_c(arena_printf(cx->arena, "%s\t%s\t%lld\t%lld\t%lld\t%d\t%lld\t%d\t%s", d->id, d->about.names.n > 0 ? d->about.names.v[0] : "", (long long)d->time,
	    (long long)time_now_ms(), (long long)l->attempts, l->o->status, (long long)l->o->ms, (int)l->state, l->o->why));
}

err_t
log_add(struct ctx *cx, const char *line, const struct log_line *v, int n)
{
	struct str *words = arena_array(cx->arena, struct str, 4 + 3 * n), key = line_key(cx, WEBHOOKS, "log", line);
	struct bus_reply *r;

	if (conf.webhook_log_size == 0)
		return OK;
	words[0] = key;
	words[1] = str_c(arena_printf(cx->arena, "%s:bytes", key.p));
	words[2] = bus_number(cx, conf.webhook_log_size);
	words[3] = bus_number(cx, WEEK_MS);
	for (int i = 0; i < n; i++) {
		/* a try that will be repeated needs no copy of what is in the line; and one large payload is not worth all others */
		bool kept = v[i].state != LOG_FAILED && (int64_t)v[i].d->body.n <= conf.webhook_log_size / 4;

		words[4 + 3 * i] = meta(cx, &v[i]);
		words[5 + 3 * i] = kept ? v[i].d->head : STR("");
		words[6 + 3 * i] = kept ? v[i].d->body : STR("");
	}
	return bus_script(cx, &r, log_lua, 2, 4 + 3 * n, words);
}

/* KEYS: holders log bytes; ARGV: line token. Who holds a line writes there, and nobody else. */
static const char forget_lua[] =
    "if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end\n"
    "return redis.call('UNLINK', KEYS[2], KEYS[3])";

err_t
log_forget(struct ctx *cx, const struct line *l)
{
	struct str key = line_key(cx, WEBHOOKS, "log", l->name);
	struct bus_reply *r;

	return bus_script(cx, &r, forget_lua, 3, BUS(line_key(cx, WEBHOOKS, "holders", NULL), key, str_c(arena_printf(cx->arena, "%s:bytes", key.p)),
	    str_c(l->name), str_c(l->token)));
}

/* The line's own job: who finds no webhook there takes away what is left of it. */
void
webhook_forget(struct db_tx *tx, const char *project, const char *webhook)
{
	tx_job(tx, WEBHOOKS, str_c(arena_printf(tx_ctx(tx)->arena, "%s/%s", project, webhook)));
}

/* ---- reading ---- */

static const struct field sent_fields[] = {
	FIELD(F_STR, struct sent, id, "$id", NULL, "ID of the delivery, the same at each try: Webhook-Id."),
	FIELD(F_TIME, struct sent, created, "$createdAt", NULL, "When the event happened, in ISO 8601 format."),
	FIELD(F_STR, struct sent, event, "event", NULL, "The event's most telling name."),
	FIELD(F_TIME, struct sent, sent, "sentAt", NULL, "When this try ended, in ISO 8601 format."),
	FIELD(F_STR, struct sent, status, "status", NULL, "delivered; failed: it is tried again; abandoned: after 24 hours; disabled: the webhook was off."),
	FIELD(F_INT, struct sent, attempts, "attempts", NULL, "Tries so far."),
	FIELD(F_INT, struct sent, code, "responseCode", NULL, "HTTP status of the receiver; 0: none."),
	FIELD(F_INT, struct sent, duration, "duration", NULL, "Milliseconds that the try took."),
	FIELD(F_STR, struct sent, error, "error", NULL, "Why it was not delivered."),
	FIELD(F_BOOL, struct sent, kept, "replayable", NULL, "The payload is kept: it can be sent again."),
};
const struct shape sent_shape = SHAPE("webhookDelivery", struct sent, sent_fields);

struct logged {			/* an entry */
	struct sent s;
	struct str head, body;
};

static int64_t
next_number(struct str *rest)
{
	int64_t v = 0;

	(void)str_to_i64(str_cut(rest, '\t'), &v);	/* ours */
	return v;
}

static bool
logged_read(struct ctx *cx, const struct bus_reply *entry, struct logged *out)
{
	struct str m;
	int64_t state;

	if (entry->type != BUS_LIST || entry->n != 2 || entry->v[1].type != BUS_LIST)
		return false;
	m = bus_field(&entry->v[1], "m");
	*out = (struct logged){.head = bus_field(&entry->v[1], "h"), .body = bus_field(&entry->v[1], "b")};
	out->s.id = str_dup(cx->arena, str_cut(&m, '\t'));
	out->s.event = str_dup(cx->arena, str_cut(&m, '\t'));
	out->s.created = next_number(&m);
	out->s.sent = next_number(&m);
	out->s.attempts = next_number(&m);
	out->s.code = next_number(&m);
	out->s.duration = next_number(&m);
	state = next_number(&m);
	out->s.status = state >= 0 && state <= LOG_OFF ? states[state] : "";
	out->s.error = str_dup(cx->arena, m);
	out->s.kept = out->head.n > 0;
	return out->s.id[0] != '\0';
}

static const char *
line_of(struct ctx *cx, const struct project *p, const struct webhook *w)
{
	return arena_printf(cx->arena, "%s/%s", p->id, w->id);
}

/* Awaits. The newest first, of this webhook alone: another may have had the ids. */
static err_t
log_read(struct ctx *cx, const struct project *p, const struct webhook *w, int max, struct logged **out, int *n_out)
{
	struct bus_reply *r;

	*n_out = 0;
	TRY(bus_cmd(cx, &r, BUS(STR("XREVRANGE"), line_key(cx, WEBHOOKS, "log", line_of(cx, p, w)), STR("+"), STR("-"), STR("COUNT"), bus_number(cx, max))));
	*out = arena_array(cx->arena, struct logged, (r->type == BUS_LIST ? r->n : 0) + 1);
	for (int i = 0; r->type == BUS_LIST && i < r->n; i++)
		if (logged_read(cx, &r->v[i], &(*out)[*n_out]) && !webhook_later(w, (*out)[*n_out].s.created))
			(*n_out)++;
	return OK;
}

err_t
webhook_log(struct ctx *cx, const struct project *p, const struct webhook *w, int max, struct objs *out)
{
	struct logged *v;
	int n;

	TRY(log_read(cx, p, w, max, &v, &n));
	*out = (struct objs){.v = arena_array(cx->arena, void *, n + 1)};
	for (int i = 0; i < n; i++)
		out->v[out->n++] = &v[i].s;
	return OK;
}

/* ---- sending again ---- */

static int
by_event(const void *a, const void *b)
{
	const struct logged *x = *(struct logged *const *)a, *y = *(struct logged *const *)b;

	if (x->s.created != y->s.created)
		return x->s.created < y->s.created ? -1 : 1;
	return x < y ? 1 : x > y ? -1 : 0;	/* they were read from the newest on */
}

/* The last word of each delivery: what was sent again and arrived is not sent once more. */
static int
choose(struct ctx *cx, struct logged *v, int n, const char *id, struct logged **out)
{
	struct map *known = map_for(cx);
	int chosen = 0;

	for (int i = 0; i < n; i++) {
		bool bad = strcmp(v[i].s.status, "abandoned") == 0 || strcmp(v[i].s.status, "disabled") == 0;

		if (strcmp(v[i].s.status, "failed") == 0 || (id != NULL && strcmp(id, v[i].s.id) != 0) || map_set(known, str_c(v[i].s.id), &v[i]) != NULL)
			continue;
		if (v[i].s.kept && (id != NULL || bad))
			out[chosen++] = &v[i];
	}
	if (chosen > 1)
		qsort(out, (size_t)chosen, sizeof *out, by_event);
	return chosen;
}

err_t
webhook_replay(struct ctx *cx, const struct project *p, const struct webhook *w, const char *id, int64_t *n_out)
{
	struct logged *v, **chosen;
	int n;

	*n_out = 0;
	TRY(log_read(cx, p, w, LOG_READ, &v, &n));
	chosen = arena_array(cx->arena, struct logged *, n + 1);
	n = choose(cx, v, n, id, chosen);
	if (id != NULL && n == 0)
		return fail(cx, ERR_WEBHOOK_DELIVERY_NOT_FOUND, "delivery=%s", id);
	for (int i = 0; i < n; i++) {
		bool put;

		TRY(line_put(cx, WEBHOOKS, line_of(cx, p, w), p->id, chosen[i]->head, chosen[i]->body, conf.webhook_queue_size, conf.webhook_project_size, &put));
		if (!put)
			break;
		(*n_out)++;
	}
	return OK;
}
