/* Channel names: what a client asks for, and what an event is published on (spec realtime.md A8, B2, B5). */
#include "rt_priv.h"

enum { PARAMS_MAX = 5000 };

static const char *const actions[] = {"create", "update", "upsert", "delete", NULL};
/* Channels of which the last or last but one segment is one of these have a twin for each action. */
static const char *const acted_on[] = {"documents", "rows", "files", "executions", "functions", "account", "teams", "memberships",
	"presences", NULL};

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

/* "name[key][more]": the name, and the first key. False when there is no bracket. */
static bool
take_brackets(struct str key, struct str *name, struct str *first)
{
	const char *open = memchr(key.p, '[', key.n), *close;

	*name = key;
	*first = STR_NONE;
	if (open == NULL || open == key.p)
		return false;
	*name = (struct str){key.p, (size_t)(open - key.p)};
	close = memchr(open, ']', key.n - name->n);
	if (close == NULL)
		return false;
	*first = (struct str){open + 1, (size_t)(close - open - 1)};
	return true;
}

static void
add_param(struct ask *q, struct str key, struct str value)
{
	struct str name, first;
	int64_t slot;

	if (str_is(key, "channels")) {
		q->has_channels = q->bad_channels = true;
		return;
	}
	if (!take_brackets(key, &name, &first)) {
		struct { const char *name; struct str *to; } plain[] = {
			{"project", &q->project}, {"mode", &q->mode}, {"jwt", &q->jwt}, {"since", &q->since},
		};

		for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
			if (str_is(key, plain[i].name))
				*plain[i].to = value;
	} else if (str_is(name, "channels")) {
		q->has_channels = true;
		q->bad_channels = false;
		q->channels[q->n_channels++] = value;
	} else if (str_to_i64(first, &slot) && slot >= 0 && slot < SLOTS_MAX)
		q->queries[q->n_queries++] = (struct slot_query){name, (int)slot, value};
}

void
ask_parse(struct arena *a, struct str query, struct ask *out)
{
	size_t n = 1;

	*out = (struct ask){0};
	for (size_t i = 0; i < query.n; i++)
		n += query.p[i] == '&';
	if (n > PARAMS_MAX)
		n = PARAMS_MAX;
	out->channels = arena_array(a, struct str, n);
	out->queries = arena_array(a, struct slot_query, n);
	while (query.p != NULL && n-- > 0) {
		struct str value = str_cut(&query, '&'), key;

		key = str_url_decode(a, str_cut(&value, '='), true);
		value = value.p ? str_url_decode(a, value, true) : STR("");
		if (key.n > 0)
			add_param(out, key, value.p ? value : STR(""));
	}
}

/* ---- what a client asks for ---- */

bool
channel_allowed(struct str asked)
{
	return !str_starts(asked, "account.") || one_of(rest_of(asked, 8), actions);
}

int
channel_rewrite(struct arena *a, struct str asked, struct str uid, struct str out[2])
{
	if (!channel_allowed(asked))
		return 0;
	out[0] = asked;
	if (uid.n == 0 || !(str_is(asked, "account") || str_starts(asked, "account.")))
		return 1;
	if (asked.n == 7) {
		out[1] = str_c(arena_printf(a, "account.%.*s", STR_FMT(uid)));
		return 2;
	}
	out[0] = str_c(arena_printf(a, "account.%.*s.%.*s", STR_FMT(uid), STR_FMT(rest_of(asked, 8))));
	return 1;
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

static bool
takes_action(struct str name)
{
	struct str before = STR_NONE, last = STR_NONE;

	while (name.p != NULL) {
		before = last;
		last = str_cut(&name, '.');
	}
	return one_of(last, acted_on) || (before.p != NULL && one_of(before, acted_on));
}

struct list {
	struct arena *a;
	struct channel *v;
	int n, room;
};

static void
add(struct list *l, const char *name)
{
	if (l->n < l->room)
		l->v[l->n++] = (struct channel){str_c(name), true};
}

static void
add_tables(struct list *l, const char *const *ids)
{
	static const char *const kind[] = {"databases", "tablesdb"};

	add(l, "rows");
	for (int i = 0; i < 2; i++) {
		add(l, arena_printf(l->a, "%s.%s.tables.%s.rows", kind[i], ids[0], ids[1]));
		add(l, arena_printf(l->a, "%s.%s.tables.%s.rows.%s", kind[i], ids[0], ids[1], ids[2]));
	}
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
	if (base->n > 0 && str_starts(pattern, "databases.[databaseId].collections.[collectionId].documents.") && ids[2] != NULL)
		add_tables(&l, ids);
	if (base->n > 0 && strcmp(base->v[0], "console") == 0 && !str_is(project, "console"))
		add(&l, arena_printf(a, "projects.%.*s", STR_FMT(project)));
	plain = l.n;
	for (int i = 0; action.n > 0 && i < plain; i++)
		if (takes_action(l.v[i].name))
			add(&l, arena_printf(a, "%.*s.%.*s", STR_FMT(l.v[i].name), STR_FMT(action)));
	*out = l.v;
	return l.n;
}

struct str
pattern_twin(struct arena *a, struct str pattern)
{
	static const struct { const char *old, *later; } word[] = {
		{"collections", "tables"}, {"documents", "rows"}, {"attributes", "columns"},
	};
	struct buf b;

	if (!str_starts(pattern, "databases."))
		return pattern;
	buf_init(&b, a, pattern.n + 1);
	while (pattern.p != NULL) {
		struct str part = str_cut(&pattern, '.');

		for (size_t i = 0; i < sizeof word / sizeof *word; i++)
			if (str_is(part, word[i].old))
				part = str_c(word[i].later);
		if (b.n > 0)
			buf_ch(&b, '.');
		buf_str(&b, part);
	}
	return buf_view(&b);
}
