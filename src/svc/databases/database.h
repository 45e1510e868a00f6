/* Databases of a project: a name for a set of collections. */
#ifndef BADAL_SVC_DATABASES_DATABASE_H
#define BADAL_SVC_DATABASES_DATABASE_H

#include "model/event.h"
#include "model/project.h"
#include "model/query.h"

#define EVENT EVENT_DECLARE
#include "svc/databases/events.h"
#undef EVENT

struct database {
	int64_t internal;
	const char *id, *name;
	int64_t created, updated;
	bool enabled;			/* false: its documents are hidden from everybody but keys and admins */
	const char *type;		/* which API made it; NULL: legacy */
};
extern const struct shape database_shape;

/* All await. `actor`: the acting user or NULL. Errors: ERR_DATABASE_ALREADY_EXISTS, ERR_DATABASE_NOT_FOUND. */
err_t database_create(struct ctx *cx, const struct project *p, const char *actor, const char *id, const char *name, bool enabled,
    struct database *out) MUST_CHECK;
err_t database_get(struct ctx *cx, const struct project *p, const char *id, struct database *out) MUST_CHECK;
err_t database_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search,
    struct query_page *out) MUST_CHECK;
/* `name` NULL: it stays. */
err_t database_update(struct ctx *cx, const struct project *p, const char *actor, const char *id, const char *name, bool enabled,
    struct database *out) MUST_CHECK;
/* With everything in it. */
err_t database_delete(struct ctx *cx, const struct project *p, const char *actor, const char *id) MUST_CHECK;

/* gen.h key of a database: its bump makes every process read its collections anew. */
const char *database_stale_key(struct ctx *cx, const char *project_id, const char *id);

#endif
