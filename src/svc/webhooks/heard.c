/* Which events go to which webhooks, and what a line remembers of an event. */
#include <string.h>

#include "core/conf.h"
#include "core/json.h"
#include "core/log.h"
#include "model/event.h"
#include "webhooks_priv.h"

/* "<event> <time> <actor> <pattern> <id>…", parted by tabs: none of them has one. */
struct str
delivery_head(struct ctx *cx, const struct heard *ev)
{
	struct buf b;

	buf_init(&b, cx->arena, 256);
	buf_printf(&b, "%s\t%lld\t%s\t", ev->id, (long long)ev->time, ev->actor ? ev->actor : "");
	heard_about_put(&b, ev);
	return buf_view(&b);
}

bool
delivery_read(struct ctx *cx, const char *webhook, const struct line_entry *e, struct delivery *out)
{
	struct str rest = e->head, event = str_cut(&rest, '\t'), time = str_cut(&rest, '\t'), actor = str_cut(&rest, '\t');

	*out = (struct delivery){.at = e->at, .head = e->head, .body = e->body};
	if (event.n == 0 || !str_to_i64(time, &out->time) || !heard_about_read(cx, rest, &out->about))
		return false;
	out->id = arena_printf(cx->arena, "%.*s-%s", STR_FMT(event), webhook);
	out->actor = str_dup(cx->arena, actor);
	return true;
}

/* ---- hearing ---- */

static const char *
webhooks_stale(struct ctx *cx, const char *project)
{
	return project_stale_key(cx, project);
}

static err_t
webhooks_names(struct ctx *cx, const struct project *p, struct strs *out)
{
	int n = 0;

	for (int i = 0; i < p->webhooks.n; i++)
		n += ((const struct webhook *)p->webhooks.v[i])->events.n;
	*out = (struct strs){.set = true, .v = arena_array(cx->arena, const char *, n + 1)};
	for (int i = 0; i < p->webhooks.n; i++) {
		const struct webhook *w = p->webhooks.v[i];

		for (int k = 0; k < w->events.n && w->enabled; k++)
			out->v[out->n++] = event_in_old_words(cx->arena, w->events.v[k]);
	}
	return OK;
}

/* Once for all receivers. */
static struct str
php_body(struct ctx *cx, const struct heard *ev)
{
	struct buf b;

	buf_init(&b, cx->arena, ev->payload.n + ev->payload.n / 8 + 16);
	if (json_php(&b, ev->payload))
		return buf_view(&b);
	log_error(cx, "the payload of an event is no JSON", "event=%s pattern=%s", ev->id, ev->pattern);
	return STR_NONE;
}

static bool
webhook_hears(struct ctx *cx, const struct webhook *w, const struct heard *ev)
{
	struct strs events = {.set = true, .v = arena_array(cx->arena, const char *, w->events.n + 1)};

	for (int i = 0; i < w->events.n; i++)
		events.v[events.n++] = event_in_old_words(cx->arena, w->events.v[i]);
	return heard_one_of(ev, &events);
}

bool
webhook_later(const struct webhook *w, int64_t time)
{
	return w->created > time;
}

/* A webhook hears what was written since it was made. */
static err_t
webhooks_look(struct ctx *cx, const struct heard *ev, struct heard_out *out)
{
	struct str body = STR_NONE, head = STR_NONE;

	for (int i = 0; i < ev->project->webhooks.n; i++) {
		const struct webhook *w = ev->project->webhooks.v[i];

		if (!w->enabled || webhook_later(w, ev->time) || !webhook_hears(cx, w, ev))
			continue;
		if (body.p == NULL) {
			body = php_body(cx, ev);
			head = delivery_head(cx, ev);
		}
		if (body.p == NULL)
			return OK;
		heard_line(out, &(struct heard_entry){.kind = WEBHOOKS, .line = arena_printf(cx->arena, "%s/%s", ev->project->id, w->id), .subscriber = w->id,
		    .head = head, .body = body, .max = conf.webhook_queue_size, .max_project = conf.webhook_project_size});
	}
	return OK;
}

const struct hears webhooks_hears = {webhooks_stale, webhooks_names, webhooks_look};
