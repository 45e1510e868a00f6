/* Roles: what permissions name. roles_guest is declared in identity.h. */
#ifndef BADAL_MODEL_ROLES_H
#define BADAL_MODEL_ROLES_H

#include "model/identity.h"

/* Those of an ordinary caller (spec identity.md 2.7), in the arena; *since_out: since when it has each (struct login). */
struct strs roles_of(struct arena *a, const struct user *u, const struct membership_role *m, int n, const int64_t **since_out);
/* What a user of the console is in a project that it looks at (mode admin): somebody who is signed in, and no more. Its id, teams and memberships are the
 * console's; a project may have others of the same name. Static. */
const struct strs *roles_abroad(void);
bool roles_have(const struct strs *roles, const char *role);
/* "team:<id>" or, with a role, "team:<id>/<role>" is among them. */
bool roles_in_team(struct arena *a, const struct strs *roles, const char *team_id, const char *role);
/* The role by which a team of the console gives a rank ("owner", "developer", "admin") for one of its projects alone. */
const char *role_of_project(struct arena *a, const char *project_id, const char *rank);
/* The list of one role "<kind>:<id>". */
struct strs roles_one(struct arena *a, const char *kind, const char *id);

#endif
