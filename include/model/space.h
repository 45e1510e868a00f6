/* Data spaces: the schema p_<internal> of each project, and which migration of sql/project it is at.
 *
 * A start waits for none of them. A project that is behind is brought up to date when somebody asks for it (project_get) and, one after
 * the other, by the role jobs (space_walk). Whoever does it holds the space's advisory lock, a file at a time, each in a transaction that
 * also records it: a crash leaves a space between two files. A file that fails stops its project alone, which answers 503 and is tried
 * again every conf.migrate_retry. A space that is newer than this program is refused, unless all that is newer is marked compatible. */
#ifndef BADAL_MODEL_SPACE_H
#define BADAL_MODEL_SPACE_H

#include "model/project.h"

/* This program can work with the project's data space as it is. */
bool space_fits(const struct project *p);
/* Awaits, conf.migrate_wait at most; no connection is held meanwhile, and what was begun goes on. Brings the space up to date, here or
 * by waiting for who does, and makes p stale. ERR_PROJECT_BEHIND: not yet, ERR_PROJECT_STUCK: its migration fails,
 * ERR_PROJECT_NEWER: a newer program's, ERR_PROJECT_NOT_FOUND: deleted meanwhile. */
err_t space_bring_up(struct ctx *cx, const struct project *p) MUST_CHECK;

struct space_report {
	int64_t behind;		/* projects to bring up to date, with the stuck ones */
	int64_t newer;		/* that this program must leave alone */
	int64_t stuck;		/* whose last migration failed */
};
/* Awaits. How the spaces are. */
err_t space_report(struct ctx *cx, struct space_report *out) MUST_CHECK;
/* Awaits. Up to `max` of the stuck: struct project with id, schema, version, stuck and stuck_at alone. */
err_t space_stuck(struct ctx *cx, int max, struct objs *out) MUST_CHECK;

/* Awaits, long. Brings up every space that is behind and has not failed within conf.migrate_retry, one after the other, and says in the log
 * how far it is. Gently: it takes half of the time for itself, the other half is for requests. Several may walk at once. */
err_t space_walk(struct ctx *cx, bool gently) MUST_CHECK;

#endif
