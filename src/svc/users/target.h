/* Targets: where a user can be reached. The addresses of an account are targets of their own accord; push tokens belong to the session that made them,
 * and end with it. What must stay true: an identifier is one target's. */
#ifndef BADAL_SVC_USERS_TARGET_H
#define BADAL_SVC_USERS_TARGET_H

#include "svc/users/user.h"

struct target_in {		/* NULL: none */
	const char *id;		/* NULL: a new one */
	const char *type;	/* email, sms, push */
	const char *identifier, *name;
	const char *session;	/* id of the session that it ends with */
};

extern const char *const target_types[];	/* NULL at the end */

/* All await. `by` NULL: the user itself. ERR_USER_TARGET_ALREADY_EXISTS, ERR_GENERAL_INVALID_EMAIL, ERR_GENERAL_INVALID_PHONE by the type,
 * ERR_GENERAL_BAD_REQUEST when the user has TARGETS_SHOWN already, ERR_USER_SESSION_NOT_FOUND. */
err_t target_create(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct target_in *in,
    struct target **out) MUST_CHECK;
/* ERR_USER_TARGET_NOT_FOUND: the user has none of this id, or it is of another type than `type` (NULL: any). */
err_t target_get(struct ctx *cx, const struct project *p, const struct user *u, const char *id, const char *type, struct target **out) MUST_CHECK;
/* A new identifier is good until it is found out not to be; NULL and "": it stays. */
err_t target_update(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct target *t,
    const char *identifier, const char *name, struct target **out) MUST_CHECK;
err_t target_delete(struct ctx *cx, const struct project *p, const struct user *u, const struct user_by *by, const struct target *t) MUST_CHECK;
err_t target_list(struct ctx *cx, const struct project *p, const struct user *u, const struct strs *queries,
    struct query_page *out) MUST_CHECK;

/* Within the transaction of what changes the account, whose user is locked. */

/* Awaits. The addresses of a new user; what is somebody's target already stays theirs. u->targets is set. */
err_t target_put_own(struct db_tx *tx, const struct project *p, struct user *u) MUST_CHECK;
/* No wait. The address that the user had is another one now, or none (NULL). ERR_DB_UNIQUE at the next wait: it is somebody else's. */
void target_move(struct db_tx *tx, const struct project *p, const struct user *u, const char *type, const char *was, const char *is);
/* No wait. The account has another owner: nothing of the former one is reached, but for the addresses that `u` has. */
void target_renew(struct db_tx *tx, const struct project *p, const struct user *u);
/* No wait. What ends with one session ends with another one of the user's from now on; ids. */
void target_pass_on(struct db_tx *tx, const struct project *p, const struct user *u, const char *from, const char *to);

#endif
