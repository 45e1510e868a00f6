/* Teams and memberships. A change of a membership changes the roles of its user: it bumps user_stale_key and carries EVENT_ROLES. */
#ifndef BADAL_MODEL_TEAM_H
#define BADAL_MODEL_TEAM_H

#include "model/user.h"

struct team {
	int64_t internal;
	const char *id, *name;
	int64_t created, updated, total;	/* total: confirmed memberships */
};

struct membership {
	int64_t internal, user_internal, team_internal;
	const char *id, *user_id, *user_name, *user_email, *team_id, *team_name, *secret_hash;
	int64_t created, updated, invited, joined;	/* joined TIME_NONE until confirmed */
	bool confirm;
	struct strs roles;
};
extern const struct shape team_shape, membership_shape;

/* Awaits. `id` NULL: a new one. `owner` (may be NULL) becomes a confirmed member with `roles`. An id that is taken: ERR_TEAM_ALREADY_EXISTS. */
err_t team_create(struct ctx *cx, const struct project *p, const char *id, const char *name, const struct user *owner,
    const struct strs *roles, struct team **out) MUST_CHECK;
err_t team_get(struct ctx *cx, const struct project *p, const char *id, struct team **out) MUST_CHECK;	/* ERR_TEAM_NOT_FOUND */
err_t team_rename(struct ctx *cx, const struct project *p, const struct team *t, const char *name, const char *actor,
    struct team **out) MUST_CHECK;
err_t team_delete(struct ctx *cx, const struct project *p, const struct team *t, const char *actor) MUST_CHECK;

/* Awaits. A confirmed membership of `u`. ERR_TEAM_INVITE_ALREADY_EXISTS. */
err_t membership_create(struct ctx *cx, const struct project *p, const struct team *t, const struct user *u, const struct strs *roles,
    const char *actor, struct membership **out) MUST_CHECK;
err_t membership_get(struct ctx *cx, const struct project *p, const char *id, struct membership **out) MUST_CHECK; /* ERR_MEMBERSHIP_NOT_FOUND */
err_t membership_set_roles(struct ctx *cx, const struct project *p, const struct membership *m, const struct strs *roles, const char *actor,
    struct membership **out) MUST_CHECK;
err_t membership_delete(struct ctx *cx, const struct project *p, const struct membership *m, const char *actor) MUST_CHECK;

#endif
