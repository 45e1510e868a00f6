/* The roles of a caller (what permissions name), from the user and the confirmed memberships. */
#include "model/roles.h"

const struct strs *
roles_guest(void)
{
	static const char *v[] = {"any", "guests"};
	static const struct strs guest = {.n = 2, .set = true, .v = v};

	return &guest;
}

struct strs
roles_of(struct arena *a, const struct user *u, const struct membership_role *m, int n)
{
	const char *state = u->email_verification || u->phone_verification ? "verified" : "unverified";
	struct strs r = {.set = true};
	int room = 5;

	for (int i = 0; i < n; i++)
		room += 2 + m[i].roles.n;
	r.v = arena_array(a, const char *, room);
	r.v[r.n++] = "any";
	r.v[r.n++] = "users";
	r.v[r.n++] = arena_printf(a, "user:%s", u->id);
	r.v[r.n++] = arena_printf(a, "user:%s/%s", u->id, state);
	r.v[r.n++] = arena_printf(a, "users/%s", state);
	for (int i = 0; i < n; i++) {
		r.v[r.n++] = arena_printf(a, "team:%s", m[i].team_id);
		r.v[r.n++] = arena_printf(a, "member:%s", m[i].id);
		for (int k = 0; k < m[i].roles.n; k++)
			r.v[r.n++] = arena_printf(a, "team:%s/%s", m[i].team_id, m[i].roles.v[k]);
	}
	return r;
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

struct strs
roles_one(struct arena *a, const char *kind, const char *id)
{
	struct strs r = {.n = 1, .set = true, .v = arena_array(a, const char *, 1)};

	r.v[0] = arena_printf(a, "%s:%s", kind, id);
	return r;
}
