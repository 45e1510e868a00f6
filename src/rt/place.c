/* What a connection stands on besides its user: a project that is there, and an origin that the project lets in.
 *
 * When a project changes, one fiber looks at the connections of it, in slices. A connection is in the list since its handshake read the project, so a change
 * in between is not missed. Where the project is gone another may have its id by then: from the event on nothing of that reaches those who wait to be looked at. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/loop.h"
#include "core/vtime.h"
#include "model/origin.h"

enum { ORIGIN_KEPT = 512, RETRY_MS = 200 };

static struct map *pending;	/* projects with connections that have changed, by id; the value is the map itself */
static struct map *gone;	/* those of them that are gone: since when, int64_t, ms */
static bool checking;

void
place_take(struct peer *c, const struct project *p, struct str origin, const char *host)
{
	assert(c->project == 0);
	c->number = p->internal;
	c->born = p->created;
	if (origin.n > ORIGIN_KEPT)
		origin.n = ORIGIN_KEPT;	/* longer than any that names a host: what is left of it names none either */
	c->project = atom_get(0, str_c(p->id));
	if (origin.n > 0) {
		c->origin = atom_get(ATOM_ORIGIN, origin);
		c->host = atom_get(ATOM_HOST, str_c(host));
	}
	c->place_pos = index_add(ATOM_PLACE, c->project, (struct seat){c->num, SEAT_PLACE});
}

void
place_take_key(struct peer *c, const struct api_key *k)
{
	assert(c->project != 0 && c->key == 0);
	c->key = atom_get(c->project, str_c(k->id));
	c->until = k->expire;
}

void
place_leave(struct peer *c)
{
	if (c->project == 0)
		return;
	index_del(ATOM_PLACE, c->project, c->place_pos);
	atom_unref(c->origin);
	atom_unref(c->host);
	atom_unref(c->key);
	atom_unref(c->project);
	c->project = c->origin = c->host = c->key = 0;
}

/* The key that let it in is there, and lasts. One that ends earlier than it did ends its connections then. */
static bool
place_key_good(struct peer *c, const struct project *p)
{
	for (int i = 0; c->key != 0 && i < p->dev_keys.n; i++) {
		const struct api_key *k = p->dev_keys.v[i];

		if (!str_is(atom_text(c->key), k->id) || k->expire <= time_now_ms())
			continue;
		c->until = k->expire;
		if (c->expire > c->until)
			deadline_set(c, c->until);
		return true;
	}
	return false;
}

/* A socket does not say which version its client speaks, so it may be from wherever requests of any version may be: by the rule of 1.0, or by that of today. Words
 * are those of who names channels in the URL, as 1.0 did, or does not. */
bool
place_origin_good(struct peer *c, struct arena *a, const struct project *p, const char **why_out)
{
	const char *text, *wrong;
	struct origin o;

	if (!conf.rt_origin_check || p->console || c->origin == 0 || origin_kind(p, text = atom_text(c->origin).p, NULL, &o) != ORIGIN_FOREIGN)
		return true;
	if ((wrong = origin_wrong(a, p, text, atom_text(c->host).p, "Origin")) == NULL || place_key_good(c, p))
		return true;
	*why_out = c->by_url ? origin_refusal(a, &o) : wrong;
	return false;
}

bool
place_protocol_good(bool member, const struct project *p, const char **why_out)
{
	if (p->protocols[PROTOCOL_WEBSOCKET] || member)
		return true;
	*why_out = "Realtime is switched off for the project";
	return false;
}

static void
place_note_gone(struct str id, int64_t when)
{
	int64_t *at = gone != NULL ? map_get(gone, id) : NULL;

	if (gone == NULL)
		gone = map_new();
	if (at == NULL)
		(void)map_set(gone, id, at = mem_alloc(sizeof *at));
	*at = when;
}

/* All who were connected to it have been refused, unless it went once more meanwhile. */
static void
place_forget_gone(struct str id)
{
	if (gone == NULL || (pending != NULL && map_get(pending, id) != NULL))
		return;
	free(map_del(gone, id));
	if (map_count(gone) == 0)
		map_free(&gone);
}

bool
place_same(const struct news *n, int64_t born)
{
	const int64_t *at = gone != NULL ? map_get(gone, n->project) : NULL;

	return n->time >= born && (at == NULL || born > *at);
}

static void
place_note(struct str id)
{
	if (pending == NULL)
		pending = map_new();
	(void)map_set(pending, id, pending);
}

/* p NULL: the project is gone. */
static void
place_look(struct ctx *cx, struct peer *c, const struct project *p)
{
	const char *why = "Missing or unknown project ID";

	if (p == NULL || p->internal != c->number || !place_origin_good(c, cx->arena, p, &why) || !place_protocol_good(c->admin && c->user != 0 && !c->half, p, &why))
		peer_refuse(c, 1008, why);
}

static err_t
place_check(struct ctx *cx, struct str id)
{
	atom_t project = atom_find(0, id);
	struct project *p = NULL;
	const struct seat *v;
	uint32_t n, *nums;
	err_t e = project_get_bare(cx, id, &p);

	if (e != OK && e != ERR_PROJECT_NOT_FOUND)
		return e;
	tail_project(id, e == OK ? p : NULL);
	v = project ? index_list(ATOM_PLACE, project, &n) : (n = 0, NULL);
	nums = arena_array(cx->arena, uint32_t, n + 1);
	for (uint32_t i = 0; i < n; i++)
		nums[i] = v[i].conn;
	for (uint32_t i = 0; i < n; i++) {
		struct peer *c = peer_by_num(nums[i]);

		/* the number may be another connection's by now, of the same project or not */
		if (c != NULL && c->project != 0 && str_eq(atom_text(c->project), id))
			place_look(cx, c, e == OK ? p : NULL);
		TRY(fib_yield(cx));
	}
	return OK;
}

struct place_round {
	struct ctx *cx;
	bool failed;		/* somebody's connections have not all been looked at */
};

/* Awaits. Who cannot be asked now, as there is no database or no time, is asked again: a platform that was removed must not go on for want of that. */
static bool
place_one(struct str id, void *value, void *arg)
{
	struct place_round *r = arg;
	struct ctx part;

	(void)value;
	ctx_init_part(&part, r->cx);
	part.deadline = loop_now() + (uint64_t)conf.request_timeout;
	if (place_check(&part, id) != OK) {
		r->failed = true;
		place_note(id);
	} else {
		place_forget_gone(id);
	}
	ctx_fini(&part);
	return true;
}

static void
place_run(struct ctx *cx, void *arg)
{
	struct place_round r = {.cx = cx};
	err_t e = OK;

	(void)arg;
	while (e == OK && pending != NULL) {
		struct map *these = pending;

		pending = NULL;
		r.failed = false;
		map_each(these, place_one, &r);
		map_free(&these);
		if (r.failed)
			e = fib_sleep(cx, RETRY_MS);
	}
	map_free(&pending);
	checking = false;
}

void
place_event(const struct news *n)
{
	struct str id = str_c(n->ids[0]);
	atom_t project;
	uint32_t count = 0;

	if (!str_starts(n->pattern, "projects.[projectId].") || str_ends(n->pattern, ".ping"))
		return;
	project = atom_find(0, id);
	if (project != 0)
		(void)index_list(ATOM_PLACE, project, &count);
	if (count == 0 && (project == 0 || !tail_of(project)))
		return;
	place_note(id);
	if (str_is(n->pattern, "projects.[projectId].delete"))
		place_note_gone(id, n->time);
	if (checking)
		return;
	checking = true;
	fib_spawn_new("rt-place", 0, place_run, NULL);
}
