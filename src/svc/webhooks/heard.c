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
	buf_printf(&b, "%s\t%lld\t%s\t%s", ev->id, (long long)ev->time, ev->actor ? ev->actor : "", ev->pattern);
	for (int i = 0; i < ev->n_ids; i++)
		buf_printf(&b, "\t%s", ev->ids[i]);
	return buf_view(&b);
}

/* The resources are the beginnings of the pattern that end with an id: "users.U", "users.U.sessions.S". */
static void
note_resources(struct ctx *cx, struct delivery *d, struct str pattern, const char *const *ids)
{
	struct buf b;
	int id = 0;

	buf_init(&b, cx->arena, 128);
	while (pattern.p != NULL && id < PREFIXES_MAX) {
		struct str part = str_cut(&pattern, '.');

		if (b.n > 0)
			buf_ch(&b, '.');
		if (part.p[0] != '[') {
			buf_str(&b, part);
			continue;
		}
		buf_c(&b, ids[id++]);
		d->within[d->n_within++] = str_hash(buf_view(&b));
	}
}

bool
delivery_read(struct ctx *cx, const char *webhook, const struct line_entry *e, struct delivery *out)
{
	const char *ids[PREFIXES_MAX] = {0};
	struct str rest = e->head, event = str_cut(&rest, '\t'), time = str_cut(&rest, '\t'), actor = str_cut(&rest, '\t'), pattern = str_cut(&rest, '\t');

	*out = (struct delivery){.at = e->at, .head = e->head, .body = e->body};
	for (int i = 0; i < PREFIXES_MAX && rest.p != NULL; i++)
		ids[i] = str_dup(cx->arena, str_cut(&rest, '\t'));
	if (event.n == 0 || !str_to_i64(time, &out->time) || pattern.n == 0 || !event_pattern_good(pattern, ids))
		return false;
	out->id = arena_printf(cx->arena, "%.*s-%s", STR_FMT(event), webhook);
	out->actor = str_dup(cx->arena, actor);
	out->names = event_names(cx, str_dup(cx->arena, pattern), ids);
	note_resources(cx, out, pattern, ids);
	return true;
}

bool
delivery_conflict(const struct delivery *a, const struct delivery *b)
{
	int n = a->n_within < b->n_within ? a->n_within : b->n_within;

	return n == 0 || a->within[n - 1] == b->within[n - 1];
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
			out->v[out->n++] = w->events.v[k];
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

/* A webhook hears what was written since it was made. */
static err_t
webhooks_look(struct ctx *cx, const struct heard *ev, struct heard_out *out)
{
	struct str body = STR_NONE, head = STR_NONE;

	for (int i = 0; i < ev->project->webhooks.n; i++) {
		const struct webhook *w = ev->project->webhooks.v[i];

		if (!w->enabled || w->created > ev->time || !heard_one_of(ev, &w->events))
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
