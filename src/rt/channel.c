/* Channel names: what a client asks for, and what an event is published on (spec realtime.md A8, B2, B5). */
#include "rt_priv.h"

#include "core/map.h"

enum { PARAMS_MAX = 5000, IDS_MAX = 3 };	/* IDS_MAX: of an event (model/event.h) */

static const char *const actions[] = {"create", "update", "upsert", "delete", NULL};
static bool
one_of(struct str s, const char *const *list)
{
	for (; *list != NULL; list++)
		if (str_is(s, *list))
			return true;
	return false;
}

static struct str
rest_of(struct str s, size_t n)
{
	return (struct str){s.p + n, s.n - n};
}

/* ---- the query string ---- */

/* A parameter's name: "name[key][more]", where more counts for nothing. False when brackets are not as they should be. */
static bool
take_brackets(struct str key, struct str *name, struct str *first, bool *list_out)
{
	const char *open = memchr(key.p, '[', key.n), *close;
	struct str rest;

	*name = key;
	*first = STR_NONE;
	*list_out = open != NULL;
	if (open == NULL)
		return true;
	*name = (struct str){key.p, (size_t)(open - key.p)};
	close = memchr(open, ']', key.n - name->n);
	if (close == NULL || name->n == 0)
		return false;
	*first = (struct str){open + 1, (size_t)(close - open - 1)};
	rest = rest_of(key, name->n + first->n + 2);
	return rest.n == 0 || (rest.p[0] == '[' && memchr(rest.p, ']', rest.n) == rest.p + rest.n - 1);
}

/* A parameter of a list that is none of the channels is a query of a slot, of which channel ever. */
static void
ask_add_query(struct ask *q, struct str name, struct str first, bool list, struct str value)
{
	struct slot_query *s = &q->queries[q->n_queries];
	int64_t slot = 0;

	if (list && (!str_to_i64(first, &slot) || slot < 0 || slot >= SLOTS_MAX)) {
		q->wrong = "Invalid query: Slots are numbers from 0 to 99.";
		return;
	}
	*s = (struct slot_query){.name = name, .slot = (int)slot, .query = value, .plain = !list};
	q->n_queries++;
}

static void
channel_add_param(struct ask *q, struct str key, struct str value)
{
	struct { const char *name; struct str *to; } plain[] = {
		{"project", &q->project}, {"mode", &q->mode}, {"jwt", &q->jwt}, {"since", &q->since}, {"devKey", &q->dev_key},
	};
	struct { const char *name; struct str *to; } as[] = {
		{"impersonateuserid", &q->as_id}, {"impersonateemail", &q->as_email}, {"impersonatephone", &q->as_phone},
	};
	struct str name, first;
	bool list, good = take_brackets(key, &name, &first, &list);

	if (str_is(name, "channels")) {
		q->has_channels = true;
		q->bad_channels = !list || !good || rest_of(key, name.n + first.n + 2).n > 0;
		if (!q->bad_channels)
			q->channels[q->n_channels++] = value;
		return;
	}
	for (size_t i = 0; !list && i < sizeof plain / sizeof *plain; i++)
		if (str_is(name, plain[i].name)) {
			*plain[i].to = value;
			return;
		}
	for (size_t i = 0; !list && i < sizeof as / sizeof *as; i++)
		if (str_ieq(name, str_c(as[i].name))) {
			*as[i].to = value;
			return;
		}
	if (good)
		ask_add_query(q, name, first, list, value);
	else
		q->wrong = "Invalid query: The brackets of a parameter are not closed.";
}

/* One that cannot be read is told as it is of every other request. */
static void
ask_read_param(struct arena *a, struct str whole, struct str raw, struct ask *out)
{
	struct str value = raw, name = str_cut(&value, '='), key, text;
	const char *at = raw.p, *why = str_form_text(a, name, &key, &at);

	if (why == NULL)
		why = str_form_text(a, value, &text, &at);
	if (why != NULL && out->wrong == NULL)
		out->wrong = arena_printf(a, "The parameters cannot be read. %s at byte %zu.", why, (size_t)(at - whole.p) + 1);
	if (why == NULL && key.n > 0)
		channel_add_param(out, key, text);
}

void
ask_parse(struct arena *a, struct str query, struct ask *out)
{
	struct str whole = query;
	size_t n = 1;

	*out = (struct ask){0};
	for (size_t i = 0; i < query.n; i++)
		n += query.p[i] == '&';
	if (n > PARAMS_MAX) {	/* nothing is read of it, rather than a part */
		out->wrong = "Too many parameters";
		return;
	}
	out->channels = arena_array(a, struct str, n);
	out->queries = arena_array(a, struct slot_query, n);
	while (query.p != NULL)
		ask_read_param(a, whole, str_cut(&query, '&'), out);
}

/* ---- what a client asks for ---- */

bool
channel_allowed(struct str asked)
{
	return !str_starts(asked, "account.") || one_of(rest_of(asked, 8), actions);
}

bool
channel_personal(struct str asked)
{
	return str_is(asked, "account") || str_starts(asked, "account.");
}

int
channel_rewrite(struct arena *a, struct str asked, struct str uid, struct str out[2])
{
	if (!channel_allowed(asked))
		return 0;
	out[0] = asked;
	if (uid.n == 0 || !channel_personal(asked))
		return 1;
	if (asked.n == 7) {
		out[1] = str_c(arena_printf(a, "account.%.*s", STR_FMT(uid)));
		return 2;
	}
	out[0] = str_c(arena_printf(a, "account.%.*s.%.*s", STR_FMT(uid), STR_FMT(rest_of(asked, 8))));
	return 1;
}

void
channels_write(struct jw *w, struct arena *a, const struct str *asked, int n, struct str uid)
{
	struct str *late = arena_array(a, struct str, n + 1), out[2];
	struct map *seen = map_new();
	int n_late = 0;

	jw_arr(w);
	for (int i = 0; i < n; i++) {
		int names = channel_rewrite(a, asked[i], uid, out);

		if (names == 2)
			late[n_late++] = out[1];
		if (names > 0 && map_set(seen, out[0], seen) == NULL)
			jw_str(w, out[0]);
	}
	for (int i = 0; i < n_late; i++)
		if (map_set(seen, late[i], seen) == NULL)
			jw_str(w, late[i]);
	jw_arr_end(w);
	map_free(&seen);
}

/* ---- what an event is published on ---- */

/* "create" for "….create" and "update" for "….update.email"; none when the event has no action. */
static struct str
action_of(struct str pattern)
{
	struct str part[8];
	int n = 0, at;

	while (pattern.p != NULL && n < 8)
		part[n++] = str_cut(&pattern, '.');
	for (at = n - 1; at >= 2 && at >= n - 2; at--)
		if (one_of(part[at], actions))
			return str_is(part[0], "users") && at != 2 ? STR_NONE : part[at];
	return STR_NONE;
}

/* Some service says that its channels which end so have a twin for each action. */
static bool
acted_on(struct str segment)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		if (v[i]->acted_on != NULL && one_of(segment, v[i]->acted_on))
			return true;
	return false;
}

static bool
ends_acted_on(struct str name)
{
	struct str last = STR_NONE;

	while (name.p != NULL)
		last = str_cut(&name, '.');
	return acted_on(last);
}

/* Or with an id of the event behind that, which may have points itself, and end as another one does. */
static bool
takes_action(struct arena *a, struct str name, const char *const *ids)
{
	bool takes = ends_acted_on(name);

	for (int i = 0; !takes && i < IDS_MAX && ids[i] != NULL; i++)
		takes = str_ends(name, arena_printf(a, ".%s", ids[i])) && ends_acted_on(str_head(name, name.n - strlen(ids[i]) - 1));
	return takes;
}

struct list {
	struct arena *a;
	struct channel *v;
	int n, room;
};

static void
channel_add(struct list *l, const char *name)
{
	if (l->n < l->room)
		l->v[l->n++] = (struct channel){str_c(name), true};
}

/* The value of a placeholder such as "[tableId]" of the pattern; STR_NONE when it has none of that name. */
static struct str
placeholder(struct str pattern, struct str name, const char *const *ids)
{
	for (int n = 0; pattern.p != NULL && n < IDS_MAX && ids[n] != NULL;) {
		struct str part = str_cut(&pattern, '.');

		if (part.n == 0 || part.p[0] != '[')
			continue;
		if (str_eq(part, name))
			return str_c(ids[n]);
		n++;
	}
	return STR_NONE;
}

static const char *
filled_in(struct arena *a, struct str template, struct str pattern, const char *const *ids)
{
	struct buf b;

	buf_init(&b, a, 128);
	while (template.p != NULL) {
		struct str part = str_cut(&template, '.');

		if (b.n > 0)
			buf_ch(&b, '.');
		buf_str(&b, part.n > 0 && part.p[0] == '[' ? placeholder(pattern, part, ids) : part);
	}
	return buf_view(&b).p;
}

/* The later names, of the services that have some. */
static void
add_twins(struct list *l, struct str pattern, const char *const *ids)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		for (const struct channel_twin *t = v[i]->channels; t != NULL && t->prefix != NULL; t++)
			for (struct str rest = str_starts(pattern, t->prefix) ? str_c(t->channels) : STR_NONE; rest.p != NULL;)
				channel_add(l, filled_in(l->a, str_cut(&rest, '|'), pattern, ids));
}

int
channels_of_event(struct arena *a, struct str project, struct str pattern, const char *const *ids, const struct strs *base,
    struct channel **out)
{
	struct list l = {.a = a, .room = 2 * (base->n + 6)};
	struct str action = action_of(pattern);
	int plain;

	l.v = arena_array(a, struct channel, l.room);
	for (int i = 0; i < base->n; i++)
		l.v[l.n++] = (struct channel){str_c(base->v[i]), false};
	if (base->n > 0)
		add_twins(&l, pattern, ids);
	if (base->n > 0 && strcmp(base->v[0], "console") == 0 && !str_is(project, "console"))
		channel_add(&l, arena_printf(a, "projects.%.*s", STR_FMT(project)));
	plain = l.n;
	for (int i = 0; action.n > 0 && i < plain; i++)
		if (takes_action(a, l.v[i].name, ids))
			channel_add(&l, arena_printf(a, "%.*s.%.*s", STR_FMT(l.v[i].name), STR_FMT(action)));
	*out = l.v;
	return l.n;
}
