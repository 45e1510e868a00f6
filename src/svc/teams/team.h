/* Teams and memberships. A change of a membership changes the roles of its user: it bumps user_stale_key and carries EVENT_ROLES. */
#ifndef BADAL_SVC_TEAMS_TEAM_H
#define BADAL_SVC_TEAMS_TEAM_H

#include "model/event.h"
#include "model/query.h"
#include "svc/users/user.h"

#define EVENT EVENT_DECLARE
#include "svc/teams/events.h"
#undef EVENT

struct team {
	int64_t internal;
	const char *id, *name;
	int64_t created, updated, total;	/* total: confirmed memberships */
	struct str prefs;		/* JSON object */
};

struct membership {
	int64_t internal, user_internal, team_internal;
	const char *id, *user_id, *user_name, *user_email, *user_phone, *team_id, *team_name;
	int64_t created, updated, invited, joined;	/* joined TIME_NONE until confirmed */
	int64_t user_accessed;		/* the account's last use, by the day */
	/* of the invitation: the address it went to (NULL: none, or not known), the end, and the user's epoch of then */
	const char *secret_hash, *sent_to;
	int64_t expire, epoch;
	bool confirm, mfa;		/* mfa: of the user */
	struct strs roles;
};
extern const struct shape team_shape, membership_shape;

/* `actor` is everywhere the acting user's id, NULL for guests and keys. All of these await. */

/* `id` NULL: a new one. `owner` (may be NULL) becomes a confirmed member with `roles`. An id that is taken: ERR_TEAM_ALREADY_EXISTS. */
err_t team_create(struct ctx *cx, const struct project *p, const char *id, const char *name, const struct user *owner,
    const struct strs *roles, struct team **out) MUST_CHECK;
err_t team_get(struct ctx *cx, const struct project *p, const char *id, struct team **out) MUST_CHECK;	/* ERR_TEAM_NOT_FOUND */
/* `member` not NULL: only the teams of that user (confirmed). Errors of query_list. */
err_t team_list(struct ctx *cx, const struct project *p, const struct user *member, const struct strs *queries, const char *search,
    struct query_page *out) MUST_CHECK;
err_t team_rename(struct ctx *cx, const struct project *p, const struct team *t, const char *name, const char *actor,
    struct team **out) MUST_CHECK;
/* `prefs` replace the former ones. */
err_t team_set_prefs(struct ctx *cx, const struct project *p, const struct team *t, const json_t *prefs, const char *actor, struct team **out) MUST_CHECK;
err_t team_delete(struct ctx *cx, const struct project *p, const struct team *t, const char *actor) MUST_CHECK;

/* What accompanies a membership that is to be accepted: the hash of its secret, where it goes, and `send`, which puts the mail into the transaction. */
struct invitation {
	const char *secret_hash, *sent_to;
	void (*send)(struct db_tx *tx, const struct membership *m, void *arg);
	void *arg;
};
/* A membership of `u`: confirmed, or pending with an invitation. One that is pending and cannot be accepted any more gets a new invitation; for clients
 * since 1.9 any that is pending does, and is confirmed without one. ERR_TEAM_INVITE_ALREADY_EXISTS, ERR_MEMBERSHIP_ALREADY_CONFIRMED; gone meanwhile: ERR_TEAM_NOT_FOUND, ERR_USER_NOT_FOUND. */
err_t membership_create(struct ctx *cx, const struct project *p, const struct team *t, const struct user *u, const struct strs *roles,
    const struct invitation *invite, const char *actor, struct membership **out) MUST_CHECK;
err_t membership_get(struct ctx *cx, const struct project *p, const char *id, struct membership **out) MUST_CHECK; /* ERR_MEMBERSHIP_NOT_FOUND */
/* `veiled`: for somebody who is shown what the project shows; what is hidden cannot be asked for. */
err_t membership_list(struct ctx *cx, const struct project *p, const struct team *t, bool veiled, const struct strs *queries, const char *search,
    struct query_page *out) MUST_CHECK;
/* It was sent to a phone number, not to an e-mail address. */
bool membership_by_phone(const struct membership *m);
/* Takes away what the project does not show clients of other members. */
void membership_veil(const struct project *p, struct membership *m);
/* Memberships of a user, pending ones included: a page; all, oldest first, at most 1000. */
err_t membership_list_user(struct ctx *cx, const struct project *p, const struct user *u, const struct strs *queries, const char *search, struct query_page *out)
    MUST_CHECK;
err_t membership_all_user(struct ctx *cx, const struct project *p, const struct user *u, struct objs *out) MUST_CHECK;
err_t membership_set_roles(struct ctx *cx, const struct project *p, const struct membership *m, const struct strs *roles, const char *actor,
    struct membership **out) MUST_CHECK;
/* Accepts the invitation that `m` was read with, once. *u_out is who accepted, after what that proves (user_prove). ERR_MEMBERSHIP_ALREADY_CONFIRMED;
 * over, or made before the user's password, address or status changed: ERR_TEAM_INVALID_SECRET; ERR_USER_BLOCKED; gone meanwhile:
 * ERR_MEMBERSHIP_NOT_FOUND, ERR_USER_NOT_FOUND. */
err_t membership_confirm(struct ctx *cx, const struct project *p, const struct membership *m, struct membership **out, struct user **u_out,
    bool *took_over_out) MUST_CHECK;
err_t membership_delete(struct ctx *cx, const struct project *p, const struct membership *m, const char *actor) MUST_CHECK;

/* Awaits. Which of these events somebody who resumes may be shown (model/service.h). */
struct shown;
err_t memberships_shown(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n) MUST_CHECK;

#endif
