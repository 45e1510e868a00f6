/* What an event's header tells, and the answers of those who hear it. */
#include "model/hear.h"

#include <assert.h>
#include <stdio.h>

#include "core/gen.h"
#include "core/json.h"
#include "model/event.h"
#include "model/job.h"
#include "model/project.h"

/* ---- headers ---- */

/* The text of a member that begins here, as event_message writes it; ids and patterns need no escapes. */
static bool
peek(struct str *h, const char *before, struct str *out)
{
	size_t n = strlen(before);

	if (!str_starts(*h, before))
		return false;
	*h = (struct str){h->p + n, h->n - n};
	*out = str_cut(h, '"');
	return out->n > 0 && h->p != NULL;
}

bool
heard_peek(struct str header, struct str *project_out, struct str *pattern_out)
{
	return peek(&header, "{\"p\":\"", project_out) && peek(&header, ",\"e\":\"", pattern_out);
}

/* The keys are the header's last member: decimal texts in a list. Nothing else that a header may end with is a list. */
void
heard_bump(struct str header)
{
	static const char key[] = ",\"k\":";
	const char *open;

	if (!str_ends(header, "\"]}") || (open = memrchr(header.p, '[', header.n)) == NULL)
		return;
	if ((size_t)(open - header.p) < sizeof key - 1 || memcmp(open - (sizeof key - 1), key, sizeof key - 1) != 0)
		return;
	for (const char *c = open + 1, *end = header.p + header.n; c < end;) {
		uint64_t hash = 0;
		bool any = false;

		for (; c < end && *c >= '0' && *c <= '9'; c++, any = true)
			hash = hash * 10 + (uint64_t)(*c - '0');
		if (any)
			gen_bump_hash(hash);
		c++;
	}
}

static const char *
text_of(struct ctx *cx, const json_t *j)
{
	return json_is_string(j) ? str_dup(cx->arena, json_str(j)) : NULL;
}

bool
heard_read(struct ctx *cx, const char *id, struct str header, struct str payload, struct heard *out)
{
	const json_t *j = json_parse(cx, header, NULL), *v = json_object_get(j, "v");

	*out = (struct heard){.id = id, .pattern = text_of(cx, json_object_get(j, "e")), .payload = payload};
	if (out->pattern == NULL)
		return false;
	out->n_ids = (int)json_array_size(v);
	if (out->n_ids > (int)(sizeof out->ids / sizeof *out->ids))
		return false;
	for (int i = 0; i < out->n_ids; i++)
		if ((out->ids[i] = text_of(cx, json_array_get(v, (size_t)i))) == NULL)
			return false;
	if (!event_pattern_good(str_c(out->pattern), out->ids))
		return false;
	out->time = json_integer_value(json_object_get(j, "t"));
	out->flags = (unsigned)json_integer_value(json_object_get(j, "f"));
	out->actor = text_of(cx, json_object_get(j, "a"));
	out->depth = (int)json_integer_value(json_object_get(j, "d"));
	out->names = event_names(cx, out->pattern, out->ids);
	return true;
}

/* ---- answers ---- */

bool
heard_one_of(const struct heard *ev, const struct strs *subscribed)
{
	for (int i = 0; i < subscribed->n; i++) {
		size_t n = strlen(subscribed->v[i]);

		for (int k = 0; k < ev->names.n; k++)
			if (memcmp(subscribed->v[i], ev->names.v[k], n < 2 ? n : 2) == 0 && strcmp(subscribed->v[i], ev->names.v[k]) == 0)
				return true;
	}
	return false;
}

static struct heard_op *
add(struct heard_out *out, const char *kind, const char *subscriber)
{
	struct heard_op *op;

	assert(job_known(str_c(kind)));
	if (out->n == out->room) {
		struct heard_op *v = arena_array(out->cx->arena, struct heard_op, out->room * 2 + 16);

		mem_copy(v, out->v, sizeof *v * (size_t)out->n);
		out->v = v;
		out->room = out->room * 2 + 16;
	}
	op = &out->v[out->n++];
	*op = (struct heard_op){.kind = kind, .project = out->ev->project->id, .id = arena_printf(out->cx->arena, "%s:%s", out->ev->id, subscriber)};
	return op;
}

void
heard_job(struct heard_out *out, const char *kind, const char *subscriber, struct str payload)
{
	struct heard_op *op = add(out, kind, subscriber);

	op->body = payload;
	out->bytes += payload.n;
}

void
heard_line(struct heard_out *out, const struct heard_entry *e)
{
	struct heard_op *op = add(out, e->kind, e->subscriber);

	assert(memchr(e->head.p, '\n', e->head.n) == NULL);
	op->line = e->line;
	op->head = e->head;
	op->body = e->body;
	op->max = e->max;
	op->max_project = e->max_project;
	out->bytes += e->head.n + e->body.n;
}

/* ---- what lines remember ---- */

static const char later[] = "later";

void
heard_about_put(struct buf *b, const struct heard *ev)
{
	buf_c(b, ev->pattern);
	for (int i = 0; i < ev->n_ids; i++)
		buf_printf(b, "\t%s", ev->ids[i]);
	if ((ev->flags & EVENT_LATER) && ev->n_ids == HEARD_WITHIN_MAX)	/* earlier programs read no further than the ids */
		buf_printf(b, "\t%s", later);
}

/* The resources are the beginnings of the pattern that end with an id: "users.U", "users.U.sessions.S". */
static void
about_resources(struct ctx *cx, struct heard_about *a, struct str pattern, const char *const *ids)
{
	struct buf b;

	buf_init(&b, cx->arena, 128);
	while (pattern.p != NULL && a->n_within < HEARD_WITHIN_MAX) {
		struct str part = str_cut(&pattern, '.');

		if (b.n > 0)
			buf_ch(&b, '.');
		if (part.p[0] != '[') {
			buf_str(&b, part);
			continue;
		}
		buf_c(&b, ids[a->n_within]);
		a->within[a->n_within++] = str_hash(buf_view(&b));
	}
}

bool
heard_about_read(struct ctx *cx, struct str text, struct heard_about *out)
{
	const char *ids[HEARD_WITHIN_MAX] = {0};
	struct str pattern = str_cut(&text, '\t');

	*out = (struct heard_about){.n_within = 0};
	for (int i = 0; i < HEARD_WITHIN_MAX && text.p != NULL; i++)
		ids[i] = str_dup(cx->arena, str_cut(&text, '\t'));
	if (pattern.n == 0 || !event_pattern_good(pattern, ids))
		return false;
	out->names = event_names_told(cx, str_dup(cx->arena, pattern), ids, str_is(text, later) ? EVENT_LATER : 0);
	about_resources(cx, out, pattern, ids);
	return true;
}

bool
heard_about_same(const struct heard_about *a, const struct heard_about *b)
{
	int n = a->n_within < b->n_within ? a->n_within : b->n_within;

	return n == 0 || a->within[n - 1] == b->within[n - 1];
}
