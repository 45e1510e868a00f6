/* Subscriptions of a URL (spec realtime.md B2): channels, and for each slot of a channel the queries in it.
 *
 * The parameter of a channel's queries is called like the channel, with '_' for '.' or as it is. The rule: what looks like a query and fits no
 * channel is an error, for without it the client would get more than it asked for. What it all comes to is counted before any query is read. */
#include "rt_priv.h"

#include <stdlib.h>

#include "core/fiber.h"
#include "core/map.h"
#include "core/metric.h"

struct named {			/* the channels whose queries have one name */
	int n, room;
	struct str *channels;
	bool queried;
};

struct url {
	struct ctx *cx;
	struct peer *c;
	struct map *names;	/* struct named by name */
	struct str *plain;	/* channels without queries */
	int n_plain;
	struct slot_query *queries;	/* those of our channels, by slot and name */
	int n_queries;
};

/* "databases.a.b" -> "databases_a_b": as PHP names a parameter. */
static struct str
param_name(struct arena *a, struct str name)
{
	char *copy = str_dup(a, name);

	for (size_t i = 0; i < name.n; i++)
		if (copy[i] == '.' || copy[i] == ' ')
			copy[i] = '_';
	return (struct str){copy, name.n};
}

static struct named *
named_of(struct url *u, struct str name)
{
	struct named *m = map_get(u->names, name);

	if (m != NULL)
		return m;
	m = arena_new_of(u->cx->arena, struct named);
	(void)map_set(u->names, name, m);
	return m;
}

static void
url_add_channel(struct url *u, struct str channel)
{
	struct named *m = named_of(u, param_name(u->cx->arena, channel));
	struct str *more;

	if (m->n == m->room) {
		m->room = m->room ? m->room * 2 : 1;
		more = arena_array(u->cx->arena, struct str, m->room);
		mem_copy(more, m->channels, sizeof *more * (size_t)m->n);
		m->channels = more;
	}
	m->channels[m->n++] = channel;
}

/* How a query begins. */
static bool
url_like_query(struct str value)
{
	value = str_trim(value);
	return value.n > 0 && value.p[0] == '{';
}

static int
url_by_slot(const void *a, const void *b)
{
	const struct slot_query *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	if (x->of != y->of)
		return (uintptr_t)x->of < (uintptr_t)y->of ? -1 : 1;
	return x->at - y->at;
}

static const char *
url_match_queries(struct url *u, const struct ask *q)
{
	u->queries = arena_array(u->cx->arena, struct slot_query, q->n_queries + 1);
	for (int i = 0; i < q->n_queries; i++) {
		struct slot_query *s = &u->queries[u->n_queries];

		*s = q->queries[i];
		s->of = map_get(u->names, param_name(u->cx->arena, s->name));
		s->at = i;
		if (s->of != NULL) {
			s->of->queried = true;
			u->n_queries++;
		} else if (!s->plain || url_like_query(s->query))
			return arena_printf(u->cx->arena, "Invalid query: The parameter %.*s is of no channel that is subscribed to.",
			    (int)(s->name.n > 100 ? 100 : s->name.n), s->name.p);
	}
	qsort(u->queries, (size_t)u->n_queries, sizeof *u->queries, url_by_slot);
	return NULL;
}

/* Queries from i on that are of one slot of one name. */
static int
url_run(const struct url *u, int i)
{
	int n = 1;

	while (i + n < u->n_queries && u->queries[i + n].slot == u->queries[i].slot && u->queries[i + n].of == u->queries[i].of)
		n++;
	return n;
}

/* Channels times slots, and the queries. */
static const char *
url_count(const struct url *u)
{
	int64_t steps = u->n_plain + u->n_queries;

	for (int i = 0; i < u->n_queries; i += url_run(u, i))
		steps += u->queries[i].of->n + 1;
	if (steps <= conf.rt_steps_max)
		return NULL;
	metric_add(M_rt_work_refused, 1);
	return "Too many queries";
}

static void
url_subscribe_slot(struct url *u, int slot, const struct str *channels, int n, struct filter *f)
{
	char id[24];

	snprintf(id, sizeof id, URL_SUBSCRIPTIONS, (unsigned)slot);
	peer_subscribe(u->c, str_c(id), channels, n, f, false);
}

/* One slot of one name. */
static const char *
url_take_run(struct url *u, int i, int n)
{
	struct str *texts = arena_array(u->cx->arena, struct str, n);
	const struct named *m = u->queries[i].of;
	struct filter *f;
	const char *why;

	for (int k = 0; k < n; k++)
		texts[k] = u->queries[i + k].query;
	if ((why = filter_new(u->cx, texts, n, &f)) != NULL)
		return arena_printf(u->cx->arena, "Invalid query: %s", why);
	if (m->n == 0)
		filter_free(&f);
	else
		url_subscribe_slot(u, u->queries[i].slot, m->channels, m->n, f);
	return peer_steps(u->c) <= (uint64_t)conf.rt_steps_max ? NULL : "Too many queries";
}

static const char *
url_take_all(struct url *u, const struct ask *q, const struct str *allowed, int n)
{
	const char *why;

	for (int i = 0; i < q->n_asked; i++)
		(void)named_of(u, param_name(u->cx->arena, q->asked[i]));	/* one of another user is none of ours, and so are its queries */
	for (int i = 0; i < n; i++)
		url_add_channel(u, allowed[i]);
	if ((why = url_match_queries(u, q)) != NULL)
		return why;
	for (int i = 0; i < n; i++)
		if (!named_of(u, param_name(u->cx->arena, allowed[i]))->queried)
			u->plain[u->n_plain++] = allowed[i];
	if ((why = url_count(u)) != NULL)
		return why;
	if (u->n_plain > 0)
		url_subscribe_slot(u, 0, u->plain, u->n_plain, NULL);
	for (int i = 0, run; i < u->n_queries && why == NULL; i += run) {
		run = url_run(u, i);
		why = fib_yield(u->cx) == OK ? url_take_run(u, i, run) : "Try again later";
	}
	return why;
}

/* The channels, each once, in their order; those of other users are left out. */
static struct str *
url_channels(struct ctx *cx, const struct ask *q, int *n_out)
{
	struct str *v = arena_array(cx->arena, struct str, q->n_asked + 1);
	struct map *seen = map_new();

	*n_out = 0;
	for (int i = 0; i < q->n_asked; i++)
		if (channel_allowed(q->asked[i]) && map_set(seen, q->asked[i], seen) == NULL)
			v[(*n_out)++] = q->asked[i];
	map_free(&seen);
	return v;
}

const char *
url_subscribe(struct ctx *cx, struct peer *c, struct ask *q)
{
	struct url u = {.cx = cx, .c = c};
	const char *why;

	if (q->wrong != NULL)
		return q->wrong;
	if (q->bad_channels)
		return "Channels must be a list";
	q->asked = q->channels;
	q->n_asked = q->n_channels;
	q->channels = url_channels(cx, q, &q->n_channels);
	if (q->n_channels > conf.rt_channels_max)
		return "Too many channels";
	u.names = map_new();
	u.plain = arena_array(cx->arena, struct str, q->n_channels + 1);
	why = url_take_all(&u, q, q->channels, q->n_channels);
	map_free(&u.names);
	if (why == NULL && q->has_channels && c->n_subs == 0)
		why = "Missing channels";
	return why;
}
