/* Presences: what a user says of themselves while they are there. One per user; what is over counts as not there. */
#ifndef BADAL_SVC_PRESENCES_PRESENCE_H
#define BADAL_SVC_PRESENCES_PRESENCE_H

#include "model/event.h"
#include "model/identity.h"
#include "model/job.h"
#include "model/query.h"
#include "model/socket.h"

#define EVENT EVENT_DECLARE
#include "svc/presences/events.h"
#undef EVENT

/* Set in Redis of the projects that have some, to be swept. */
#define PRESENCE_PROJECTS "presences:projects"

struct presence {
	int64_t internal, user_internal;
	const char *id, *user_id, *status, *source;
	const char *sequence;	/* its number as text, for the socket that said it */
	int64_t created, updated, expires;
	struct strs permissions;
	struct strs read;	/* roles of it */
	struct str metadata;	/* JSON object */
};
/* The second is what the socket itself is told: it has the number as well. */
extern const struct shape presence_shape, presence_said_shape;

/* Whose eyes: `bypass` sees and changes all. */
struct presence_who {
	bool bypass;
	const struct strs *roles;
	int64_t user;		/* number of the user, 0: none. What is their own they may see and change, whatever its permissions are */
	const char *actor;	/* for events */
};

/* What is said. */
struct presence_in {
	const char *id;		/* NULL: a new one; the user's presence keeps the one it has */
	const char *status;
	struct strs permissions;	/* not set: as they are, or the user's alone */
	const json_t *metadata;	/* NULL: none; of a change: as it is */
	int64_t expires;	/* TIME_NONE, of a change alone: as it is */
	const struct socket *socket;	/* NULL: it came by a request */
};

/* All of these await. */

/* The presence of the user with this id is what is said from now on. ERR_USER_NOT_FOUND; ERR_USER_UNAUTHORIZED: a permission names a role that is not held;
 * ERR_PRESENCE_ALREADY_EXISTS: the id is another user's presence's. */
err_t presence_put(struct ctx *cx, const struct project *p, const struct presence_who *who, const char *user_id, const struct presence_in *in,
    struct presence *out) MUST_CHECK;
/* ERR_PRESENCE_NOT_FOUND, also where it may not be read. */
err_t presence_get(struct ctx *cx, const struct project *p, const struct presence_who *who, const char *id, struct presence *out) MUST_CHECK;
err_t presence_list(struct ctx *cx, const struct project *p, const struct presence_who *who, const struct strs *queries, struct query_page *out)
    MUST_CHECK;
/* `user_id` NULL: it stays whose it is. ERR_PRESENCE_NOT_FOUND, ERR_USER_UNAUTHORIZED, ERR_USER_NOT_FOUND, ERR_PRESENCE_ALREADY_EXISTS: that user has one. */
err_t presence_change(struct ctx *cx, const struct project *p, const struct presence_who *who, const char *id, const char *user_id,
    const struct presence_in *in, struct presence *out) MUST_CHECK;
err_t presence_delete(struct ctx *cx, const struct project *p, const struct presence_who *who, const char *id) MUST_CHECK;

/* Those sockets of the process are gone: what was theirs alone ends. */
err_t presence_left(struct ctx *cx, const struct project *p, const char *process, const char *const *ids, int n) MUST_CHECK;
/* Ends what is over, and what no socket and no user stands behind any more. *left_out: there are others. */
err_t presence_sweep(struct ctx *cx, const struct project *p, bool *left_out) MUST_CHECK;

/* Which of these events somebody who resumes may be shown (model/service.h). */
struct shown;
err_t presences_shown(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n) MUST_CHECK;

/* service.c: what sockets say, what is done from time to time. */
err_t presences_said(struct ctx *cx, const struct project *p, const struct socket *s, json_t *data, struct jw *w) MUST_CHECK;
err_t presences_expire(struct ctx *cx) MUST_CHECK;
err_t presences_walk(struct ctx *cx) MUST_CHECK;

#endif
