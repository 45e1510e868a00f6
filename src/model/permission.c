/* Permission lists: taken apart into roles, compared with what a caller holds. */
#include "model/permission.h"

/* The role in verb("role"); STR_NONE when the text is another verb's or no permission. */
static struct str
role_of(struct str perm, struct str verb)
{
	if (perm.n < verb.n + 4 || memcmp(perm.p, verb.p, verb.n) != 0)
		return STR_NONE;
	if (memcmp(perm.p + verb.n, "(\"", 2) != 0 || memcmp(perm.p + perm.n - 2, "\")", 2) != 0)
		return STR_NONE;
	return (struct str){perm.p + verb.n + 2, perm.n - verb.n - 4};
}

struct strs
perms_roles(struct arena *a, const struct strs *list, struct str verb)
{
	struct strs out = {.set = true, .v = arena_array(a, const char *, list->n + 1)};

	for (int i = 0; i < list->n; i++) {
		struct str role = role_of(str_c(list->v[i]), verb);

		if (role.n)
			out.v[out.n++] = str_dup(a, role);
	}
	return out;
}

void
perms_split(struct arena *a, const struct strs *list, struct perms *out)
{
	out->create = perms_roles(a, list, STR("create"));
	out->read = perms_roles(a, list, STR("read"));
	out->update = perms_roles(a, list, STR("update"));
	out->del = perms_roles(a, list, STR("delete"));
}

static bool
permission_holds(const struct strs *roles, struct str role)
{
	for (int i = 0; i < roles->n; i++)
		if (str_is(role, roles->v[i]))
			return true;
	return false;
}

bool
roles_meet(const struct strs *a, const struct strs *b)
{
	for (int i = 0; i < a->n; i++)
		if (permission_holds(b, str_c(a->v[i])))
			return true;
	return false;
}

const char *
perms_foreign(struct arena *a, const struct strs *list, const struct strs *roles)
{
	for (int i = 0; i < list->n; i++) {
		const char *open = strchr(list->v[i], '(');
		struct str verb = {list->v[i], open ? (size_t)(open - list->v[i]) : 0};
		struct str role = role_of(str_c(list->v[i]), verb);

		if (!permission_holds(roles, role))
			return str_dup(a, role);
	}
	return NULL;
}

const char *
perms_beyond(const struct strs *list, const struct strs *stored, bool read, bool update, bool del)
{
	const struct { const char *begin; bool held; } verbs[] = {{"read(", read}, {"update(", update}, {"delete(", del}};

	for (int i = 0; i < list->n; i++)
		for (size_t k = 0; k < sizeof verbs / sizeof *verbs; k++)
			if (!verbs[k].held && str_starts(str_c(list->v[i]), verbs[k].begin) && !permission_holds(stored, str_c(list->v[i])))
				return list->v[i];
	return NULL;
}

struct strs
perms_own(struct arena *a, const char *user_id)
{
	struct strs out = {.n = 3, .set = true, .v = arena_array(a, const char *, 3)};

	out.v[0] = arena_printf(a, "read(\"user:%s\")", user_id);
	out.v[1] = arena_printf(a, "update(\"user:%s\")", user_id);
	out.v[2] = arena_printf(a, "delete(\"user:%s\")", user_id);
	return out;
}

struct strs
roles_union(struct arena *a, const struct strs *x, const struct strs *y)
{
	struct strs out = {.set = true, .v = arena_array(a, const char *, x->n + y->n + 1)};

	for (int i = 0; i < x->n + y->n; i++) {
		const char *role = i < x->n ? x->v[i] : y->v[i - x->n];

		if (!permission_holds(&out, str_c(role)))
			out.v[out.n++] = role;
	}
	return out;
}
