/* Permission lists of collections and documents: read("any"), update("user:ID"), … (spec databases.md 7).
 *
 * The API has checked and expanded the texts before they come here: four verbs, no duplicates. */
#ifndef BADAL_MODEL_PERMISSION_H
#define BADAL_MODEL_PERMISSION_H

#include "io/db.h"

struct perms {			/* the roles of each verb */
	struct strs create, read, update, del;
};

/* Takes the list apart; roles are copied into `a`. Texts that are no permission are left out. */
void perms_split(struct arena *a, const struct strs *list, struct perms *out);
/* The roles of one verb alone. */
struct strs perms_roles(struct arena *a, const struct strs *list, struct str verb);
/* True when the two lists share a role. */
bool roles_meet(const struct strs *a, const struct strs *b);
/* The first role in any of the permissions that `roles` lacks; NULL when it holds all. */
const char *perms_foreign(struct arena *a, const struct strs *list, const struct strs *roles);
/* The first permission that `stored` does not have and whose verb is not among those that are held; NULL: none. */
const char *perms_beyond(const struct strs *list, const struct strs *stored, bool read, bool update, bool del);
/* read, update and delete for "user:<id>": what a document gets when its creator says nothing. */
struct strs perms_own(struct arena *a, const char *user_id);
/* The union of two lists without duplicates, in order. */
struct strs roles_union(struct arena *a, const struct strs *x, const struct strs *y);

#endif
