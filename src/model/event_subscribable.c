/* The names of events in all their words, and which of them webhooks and functions may subscribe to (spec functions-webhooks-events.md 1 and 3): the grammar is read off the patterns
 * that services mark as subscribable.
 *
 * A resource is a stem of words: "users", "teams.memberships". What may follow its id is an action or a part of it, and what may follow an
 * action is an attribute. The contract checks what follows the third id against the resource above it; that is kept.
 *
 * A service whose things have later names, or a later family of paths, may be subscribed to in those words: they stand for the ones of its patterns. */
#include "model/event.h"

enum { PARTS_MIN = 2, PARTS_MAX = 7 };

/* The words of a pattern or name, and its ids: every other part is an id as long as resources go on. */
struct parts {
	struct str v[PARTS_MAX];
	int n;
};

static bool
split(struct str name, struct parts *out)
{
	out->n = 0;
	while (name.p != NULL && out->n < PARTS_MAX)
		out->v[out->n++] = str_cut(&name, '.');
	return name.p == NULL;
}

/* The service that the name is of: its own, or that of its later family. */
static const struct service *
service_called(struct str type)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		if (v[i]->words != NULL && (str_is(type, v[i]->name) || (v[i]->family != NULL && str_is(type, v[i]->family->toggle))))
			return v[i];
	return NULL;
}

/* The parts in the words of the patterns; false: they are in them. */
static bool
in_old_words(struct parts *p)
{
	const struct service *s = service_called(p->v[0]);
	bool changed = s != NULL && !str_is(p->v[0], s->name);

	if (s == NULL)
		return false;
	p->v[0] = str_c(s->name);
	for (int i = 2; i < p->n; i += 2)
		for (const struct word_twin *t = s->words; t->word != NULL; t++)
			if (str_is(p->v[i], t->later)) {
				p->v[i] = str_c(t->word);
				changed = true;
			}
	return changed;
}

static const char *
joined(struct arena *a, const struct parts *p)
{
	struct buf b;

	buf_init(&b, a, 128);
	for (int i = 0; i < p->n; i++) {
		if (i)
			buf_ch(&b, '.');
		buf_str(&b, p->v[i]);
	}
	return buf_view(&b).p;
}

const char *
event_in_old_words(struct arena *a, const char *name)
{
	struct parts p;

	return split(str_c(name), &p) && in_old_words(&p) ? joined(a, &p) : name;
}

/* ---- all of its names ---- */

/* The pattern in each of its words, the first ones first. */
static int
forms_of(struct arena *a, const char *pattern, unsigned flags, const char *out[3])
{
	struct parts p;
	const struct service *s = split(str_c(pattern), &p) ? service_called(p.v[0]) : NULL;
	int n = 0;

	if (s == NULL) {
		out[0] = pattern;
		return 1;
	}
	for (int i = 2; i < p.n; i += 2)
		for (const struct word_twin *t = s->words; t->word != NULL; t++)
			if (str_is(p.v[i], t->word))
				p.v[i] = str_c(t->later);
	if ((flags & EVENT_LATER) && s->family != NULL) {
		p.v[0] = str_c(s->family->toggle);
		out[n++] = joined(a, &p);
		p.v[0] = str_c(s->name);
	}
	out[n++] = pattern;
	out[n++] = joined(a, &p);
	return n;
}

struct strs
event_names_told(struct ctx *cx, const char *pattern, const char *const *ids, unsigned flags)
{
	const char *forms[3];
	struct strs of[3], all = {.set = true};
	int n = forms_of(cx->arena, pattern, flags, forms);

	for (int k = 0; k < n; k++)
		of[k] = event_names(cx, forms[k], ids);
	all.v = arena_array(cx->arena, const char *, n * of[0].n + 1);
	for (int i = 0; i < of[0].n; i++)
		for (int k = 0; k < n; k++)
			if (k == 0 || strcmp(of[k].v[i], of[k - 1].v[i]) != 0)
				all.v[all.n++] = of[k].v[i];
	return all;
}

/* ---- which may be subscribed to ---- */

static bool
is_placeholder(struct str part)
{
	return part.n > 0 && part.p[0] == '[';
}

/* Does the pattern begin with the resource `stem` (its words, `depth` of them) and an id for each? */
static bool
begins_with(const struct parts *pattern, const struct str *const *stem, int depth)
{
	for (int i = 0; i < depth; i++)
		if (pattern->n < 2 * i + 2 || !str_eq(pattern->v[2 * i], *stem[i]) || !is_placeholder(pattern->v[2 * i + 1]))
			return false;
	return true;
}

enum what { RESOURCE, FOLLOWS, ATTRIBUTE, PART };

/* A name whose grammar is looked at: its words, and the version of who says it. */
struct asked {
	const struct str *stem[3];
	int64_t format;
};

static bool
open_to(const struct event_info *e, int64_t format)
{
	return e->subscribable == true || (e->subscribable > 0 && format >= e->subscribable);
}

/* Is there a subscribable pattern in which the resource stands, `word` follows its id (FOLLOWS; PART: and is followed by an id), or
 * `attribute` the action `word`? */
static bool
described(enum what what, const struct asked *a, int depth, struct str word, struct str attribute)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		for (const struct event_info *const *e = v[i]->events; e != NULL && *e != NULL; e++) {
			struct parts p;
			int at = 2 * depth;
			bool next;

			if (!open_to(*e, a->format) || !split(str_c((*e)->pattern), &p) || !begins_with(&p, a->stem, depth))
				continue;
			if (what == RESOURCE)
				return true;
			if (p.n <= at || !str_eq(p.v[at], word))
				continue;
			next = p.n > at + 1;
			if (what == FOLLOWS || (what == PART && next && is_placeholder(p.v[at + 1])) ||
			    (what == ATTRIBUTE && next && !is_placeholder(p.v[at + 1]) && str_eq(p.v[at + 1], attribute)))
				return true;
		}
	return false;
}

static bool
id_ok(struct str id)
{
	return id.n > 0 && !str_is(id, "0");
}

/* Parts from the second id on. */
static bool
below_ok(const struct asked *a, const struct parts *p)
{
	if (p->n >= 5 && !described(FOLLOWS, a, 2, p->v[4], STR_NONE))
		return false;
	if (p->n >= 6 && described(PART, a, 2, p->v[4], STR_NONE))
		return id_ok(p->v[5]) && (p->n < 7 || described(FOLLOWS, a, 2, p->v[6], STR_NONE) || described(FOLLOWS, a, 3, p->v[6], STR_NONE));
	return p->n < 6 || described(ATTRIBUTE, a, 2, p->v[4], p->v[5]);
}

bool
event_subscribable(struct str name, int64_t format)
{
	struct parts p;
	const struct asked asked = {{&p.v[0], &p.v[2], &p.v[4]}, format}, *a = &asked;

	if (!split(name, &p) || p.n < PARTS_MIN)
		return false;
	(void)in_old_words(&p);
	if (!described(RESOURCE, a, 1, STR_NONE, STR_NONE) || !id_ok(p.v[1]))
		return false;
	if (p.n == 2)
		return true;
	if (!described(FOLLOWS, a, 1, p.v[2], STR_NONE))
		return false;
	if (p.n == 3)
		return true;
	if (described(PART, a, 1, p.v[2], STR_NONE))
		return id_ok(p.v[3]) && below_ok(a, &p);
	return p.n == 4 && described(ATTRIBUTE, a, 1, p.v[2], p.v[3]);
}
