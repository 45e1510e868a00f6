/* The roles of a caller (what permissions name), from the user and the confirmed memberships. */
#include "model/roles.h"

const struct strs *
roles_guest(void)
{
	static const char *v[] = {"any", "guests"};
	static const struct strs guest = {.n = 2, .set = true, .v = v};

	return &guest;
}

const struct strs *
roles_abroad(void)
{
	static const char *v[] = {"any", "users"};
	static const struct strs abroad = {.n = 2, .set = true, .v = v};

	return &abroad;
}

struct list {			/* roles, and since when */
	struct strs r;
	int64_t *since;
};

static void
roles_add(struct list *l, const char *role, int64_t since)
{
	l->since[l->r.n] = since;
	l->r.v[l->r.n++] = role;
}

struct strs
roles_of(struct arena *a, const struct user *u, const struct membership_role *m, int n, const int64_t **since_out)
{
	const char *state = u->email_verification || u->phone_verification ? "verified" : "unverified";
	struct list l = {.r = {.set = true}};
	int room = 5 + u->labels.n;

	for (int i = 0; i < n; i++)
		room += 2 + m[i].roles.n;
	l.r.v = arena_array(a, const char *, room);
	l.since = arena_array(a, int64_t, room);
	roles_add(&l, "any", INT64_MIN);
	roles_add(&l, "users", u->created);
	roles_add(&l, arena_printf(a, "user:%s", u->id), u->created);
	roles_add(&l, arena_printf(a, "user:%s/%s", u->id, state), u->created);
	roles_add(&l, arena_printf(a, "users/%s", state), u->created);
	for (int i = 0; i < u->labels.n; i++)
		roles_add(&l, arena_printf(a, "label:%s", u->labels.v[i]), u->labelled);
	for (int i = 0; i < n; i++) {
		roles_add(&l, arena_printf(a, "team:%s", m[i].team_id), m[i].joined);
		roles_add(&l, arena_printf(a, "member:%s", m[i].id), m[i].joined);
		for (int k = 0; k < m[i].roles.n; k++)
			roles_add(&l, arena_printf(a, "team:%s/%s", m[i].team_id, m[i].roles.v[k]), m[i].joined);
	}
	*since_out = l.since;
	return l.r;
}

bool
roles_have(const struct strs *roles, const char *role)
{
	for (int i = 0; i < roles->n; i++)
		if (strcmp(roles->v[i], role) == 0)
			return true;
	return false;
}

bool
roles_in_team(struct arena *a, const struct strs *roles, const char *team_id, const char *role)
{
	if (role == NULL)
		return roles_have(roles, arena_printf(a, "team:%s", team_id));
	return roles_have(roles, arena_printf(a, "team:%s/%s", team_id, role));
}

const char *
role_of_project(struct arena *a, const char *project_id, const char *rank)
{
	return arena_printf(a, "project-%s-%s", project_id, rank);
}

struct strs
roles_one(struct arena *a, const char *kind, const char *id)
{
	struct strs r = {.n = 1, .set = true, .v = arena_array(a, const char *, 1)};

	r.v[0] = arena_printf(a, "%s:%s", kind, id);
	return r;
}
