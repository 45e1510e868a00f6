/* Usage: how often each part of the API is used, as the console draws it (spec databases.md 11).
 *
 * Requests count in memory; each process writes its counts every conf.usage_interval in one statement per project. A process that is killed
 * loses at most its last interval, one that drains nothing. How many databases, collections and documents there are is taken from the
 * database's own statistics now and then and when somebody looks. */
#ifndef BADAL_MODEL_USAGE_H
#define BADAL_MODEL_USAGE_H

#include "model/project.h"

enum usage_kind { USAGE_DATABASES, USAGE_COLLECTIONS, USAGE_DOCUMENTS };
enum usage_op { USAGE_CREATE, USAGE_READ, USAGE_UPDATE, USAGE_DELETE };
/* What a route counts as (struct route): never 0. */
#define USAGE(kind, op) (1 + USAGE_##kind * 4 + USAGE_##op)

void usage_init(void);		/* per process, on the loop: starts the timer */
void usage_drain(void);		/* starts writing what is held back */
bool usage_writing(void);	/* that goes on */
/* Counts one request; `what` by USAGE. `db` and `col` narrow the scope, NULL: none. No wait. */
void usage_count(const struct project *p, unsigned what, const char *db, const char *col);
/* Awaits. Writes what is counted (drain, tests). */
err_t usage_flush(struct ctx *cx) MUST_CHECK;
/* Awaits. Writes how many there are of everything in the project. */
err_t usage_snapshot(struct ctx *cx, const struct project *p) MUST_CHECK;

extern const char *const usage_ranges[];	/* 24h 7d 30d 90d, NULL-terminated */
struct usage_series {
	const char *name;	/* member of the reply */
	const char *metric;	/* documents.$all.requests.create, … */
};
/* Awaits. {"range":…,"<name>":[{"value":…,"date":…},…],…}: as many points as the range has, oldest first. */
err_t usage_json(struct ctx *cx, const struct project *p, const char *range, const struct usage_series *v, int n, struct str *json_out)
    MUST_CHECK;

#endif
