/* What the subscribers of each project listen to. Most events are nobody's: that is known by the event's pattern, from a table in this process, as
 * long as no subscriber of the project has changed (core/gen.h). */
#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/gen.h"
#include "core/map.h"
#include "core/metric.h"
#include "model/event.h"
#include "model/hear.h"
#include "model/project.h"
#include "model/service.h"

enum { HEARERS_MAX = 8, ID_PARTS = 3 };

struct ears {
	int n;			/* services that hear */
	uint64_t stale[HEARERS_MAX];	/* stable hashes of their keys */
	uint32_t gen[HEARERS_MAX];
	struct map *names;	/* subscribed names with * for their ids; NULL: there are none */
	struct map *patterns;	/* of events that came by: known_no or known_yes */
};

static struct lru *cache;
static char known_no, known_yes;

static void
ears_free(void *arg)
{
	struct ears *e = arg;

	map_free(&e->names);
	map_free(&e->patterns);
	free(e);
}

/* "users.U.sessions.S.create" as "users.*.sessions.*.create". */
static struct str
starred(struct ctx *cx, struct str name)
{
	struct buf b;

	buf_init(&b, cx->arena, name.n + 8);
	for (int i = 0; name.p != NULL; i++) {
		struct str part = str_cut(&name, '.');

		if (i > 0)
			buf_ch(&b, '.');
		/* ids stand at odd places; an attribute may, too: to be in doubt is to listen */
		buf_str(&b, i % 2 == 1 ? STR("*") : part);
	}
	return buf_view(&b);
}

/* What the console alone is told, when something that takes its time is done. */
static bool
for_console(struct str pattern)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		for (const struct event_info *const *e = v[i]->events; e != NULL && *e != NULL; e++)
			if (str_is(pattern, (*e)->pattern))
				return !(*e)->subscribable && strcmp((*e)->channels, "console") == 0;
	return false;
}

/* The same for a pattern of events, in each of its forms: is one of them subscribed to? */
static bool
wanted(struct ctx *cx, const struct ears *e, struct str pattern)
{
	const char *stars[ID_PARTS] = {"*", "*", "*"};
	struct strs names;

	if (for_console(pattern) || !event_pattern_good(pattern, stars))
		return false;
	names = event_names(cx, str_dup(cx->arena, pattern), stars);
	for (int i = 0; i < names.n; i++)
		if (map_get(e->names, starred(cx, str_c(names.v[i]))) != NULL)
			return true;
	return false;
}

static bool
ears_fresh(const struct ears *e)
{
	for (int i = 0; i < e->n; i++)
		if (gen_of_hash(e->stale[i]) != e->gen[i])
			return false;
	return true;
}

static err_t
ask(struct ctx *cx, const struct hears *h, const struct project *p, struct ears *e)
{
	struct strs names = {0};

	TRY(h->names(cx, p, &names));
	if (names.n > 0 && e->names == NULL)
		e->names = map_new();
	for (int i = 0; i < names.n; i++)
		map_set(e->names, starred(cx, str_c(names.v[i])), &known_yes);
	return OK;
}

/* Generations are read before what they stand for. */
static void
ears_note(struct ctx *cx, struct ears *e, const struct hears *h, const char *project)
{
	assert(e->n < HEARERS_MAX);
	e->stale[e->n] = str_hash_stable(str_c(h->stale(cx, project)));
	e->gen[e->n] = gen_of_hash(e->stale[e->n]);
	e->n++;
}

static err_t
ears_fill(struct ctx *cx, struct str project, struct ears *e)
{
	int n;
	const struct service *const *v = service_all(&n);
	const char *id = str_dup(cx->arena, project);
	struct project *p;
	err_t err;

	for (int i = 0; i < n; i++)
		if (v[i]->hears != NULL)
			ears_note(cx, e, v[i]->hears, id);
	err = project_get_bare(cx, project, &p);
	if (err == ERR_PROJECT_NOT_FOUND || (err == OK && p->console))
		return OK;
	TRY(err);
	for (int i = 0; i < n; i++)
		if (v[i]->hears != NULL)
			TRY(ask(cx, v[i]->hears, p, e));
	return OK;
}

static err_t
ears_of(struct ctx *cx, struct str project, struct ears **out)
{
	struct ears *e = cache != NULL ? lru_get(cache, project) : NULL;
	err_t err;

	if (e == NULL || !ears_fresh(e)) {
		e = mem_zalloc(sizeof *e);
		err = ears_fill(cx, project, e);
		if (err != OK) {
			ears_free(e);
			return err;
		}
		e->patterns = map_new();
		if (cache == NULL)
			cache = lru_new(conf.cache_entries > 0 ? (size_t)conf.cache_entries : 1, ears_free);
		lru_put(cache, project, e);
	}
	*out = e;
	return OK;
}

err_t
ears_prick(struct ctx *cx, struct str project, struct str pattern, bool *out)
{
	struct ears *e;
	void *known;

	*out = false;
	TRY(ears_of(cx, project, &e));
	if (e->names == NULL)
		return OK;
	known = map_get(e->patterns, pattern);
	if (known == NULL) {
		known = wanted(cx, e, pattern) ? &known_yes : &known_no;
		map_set(e->patterns, pattern, known);
	}
	*out = known == &known_yes;
	return OK;
}

void
ears_clear(void)
{
	lru_free(&cache);
}
