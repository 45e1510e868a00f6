/* Roles: what permissions name. roles_guest is declared in identity.h. */
#ifndef BADAL_MODEL_ROLES_H
#define BADAL_MODEL_ROLES_H

#include "model/identity.h"

/* Those of an ordinary caller (spec identity.md 2.7), in the arena. */
struct strs roles_of(struct arena *a, const struct user *u, const struct membership_role *m, int n);
bool roles_have(const struct strs *roles, const char *role);
/* "team:<id>" or, with a role, "team:<id>/<role>" is among them. */
bool roles_in_team(struct arena *a, const struct strs *roles, const char *team_id, const char *role);
/* The list of one role "<kind>:<id>". */
struct strs roles_one(struct arena *a, const char *kind, const char *id);

#endif
