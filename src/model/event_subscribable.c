/* Which event names webhooks and functions may subscribe to (spec functions-webhooks-events.md 1 and 3). */
#include "model/event.h"

enum { PARTS_MIN = 2, PARTS_MAX = 7 };

struct action {
	const char *name;
	const char *attributes;	/* ' '-separated, "" none */
};
struct resource {
	const char *name;
	struct action actions[4];
	const char *subs;	/* ' '-separated names of what may follow its id, besides actions */
};

#define ACTIONS(...) {__VA_ARGS__}
static const struct resource types[] = {
	{"users", ACTIONS({"create", ""}, {"delete", ""}, {"update", "email name password status prefs"}), "sessions recovery verification"},
	{"databases", ACTIONS({"create", ""}, {"update", ""}, {"delete", ""}), "collections"},
	{"buckets", ACTIONS({"create", ""}, {"update", ""}, {"delete", ""}), "files"},
	{"teams", ACTIONS({"create", ""}, {"update", ""}, {"delete", ""}), "memberships"},
	{"functions", ACTIONS({"create", ""}, {"update", ""}, {"delete", ""}), "deployments executions"},
};
static const struct resource subs[] = {
	{"sessions", ACTIONS({"create", ""}, {"delete", ""}), ""},
	{"recovery", ACTIONS({"create", ""}, {"update", ""}), ""},
	{"verification", ACTIONS({"create", ""}, {"update", ""}), ""},
	{"collections", ACTIONS({"create", ""}, {"update", ""}, {"delete", ""}), "documents attributes indexes"},
	{"files", ACTIONS({"create", ""}, {"update", ""}, {"delete", ""}), ""},
	{"memberships", ACTIONS({"create", ""}, {"delete", ""}, {"update", "status"}), ""},
	{"deployments", ACTIONS({"create", ""}, {"update", ""}, {"delete", ""}), ""},
	{"executions", ACTIONS({"create", ""}, {"update", ""}, {"delete", ""}), ""},
};

static bool
word_in(const char *words, struct str w)
{
	struct str rest = str_c(words);

	while (rest.p != NULL)
		if (w.n > 0 && str_eq(str_cut(&rest, ' '), w))
			return true;
	return false;
}

static const struct resource *
resource_named(const struct resource *list, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(name, list[i].name))
			return &list[i];
	return NULL;
}

static const struct action *
action_named(const struct resource *r, struct str name)
{
	for (int i = 0; i < 4 && r->actions[i].name != NULL; i++)
		if (str_is(name, r->actions[i].name))
			return &r->actions[i];
	return NULL;
}

/* An action of r, or the name of what lies below it. */
static bool
follows(const struct resource *r, struct str name)
{
	return action_named(r, name) != NULL || word_in(r->subs, name);
}

static bool
attribute_of(const struct resource *r, struct str action, struct str attribute)
{
	const struct action *a = action_named(r, action);

	return a != NULL && word_in(a->attributes, attribute);
}

static bool
id_ok(struct str id)
{
	return id.n > 0 && !str_is(id, "0");
}

/* Parts from the sub-resource's id on. */
static bool
sub_ok(const struct resource *sub, const struct str *part, int n)
{
	if (n >= 5 && !follows(sub, part[4]))
		return false;
	if (n >= 6 && word_in(sub->subs, part[4]))
		return id_ok(part[5]) && (n < 7 || follows(sub, part[6]));
	return n < 6 || attribute_of(sub, part[4], part[5]);
}

bool
event_subscribable(struct str name)
{
	struct str rest = name, part[PARTS_MAX];
	const struct resource *type, *sub;
	int n = 0;

	while (rest.p != NULL && n < PARTS_MAX)
		part[n++] = str_cut(&rest, '.');
	if (rest.p != NULL || n < PARTS_MIN)
		return false;
	type = resource_named(types, sizeof types / sizeof *types, part[0]);
	if (type == NULL || !id_ok(part[1]))
		return false;
	if (n == 2)
		return true;
	if (!follows(type, part[2]))
		return false;
	if (n == 3)
		return true;
	sub = word_in(type->subs, part[2]) ? resource_named(subs, sizeof subs / sizeof *subs, part[2]) : NULL;
	if (sub != NULL)
		return id_ok(part[3]) && sub_ok(sub, part, n);
	return n == 4 && attribute_of(type, part[2], part[3]);
}
