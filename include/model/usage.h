/* Usage: how often each part of the API is used, as the console draws it (spec platform.md 19, databases.md 11).
 *
 * Requests count in memory; each process writes its counts every conf.usage_interval, in one statement per project and thousand counters.
 * A process that is killed loses what it counted since (at most one interval), one that drains nothing. Counts are taken off before they
 * are written: when a statement's outcome is unknown they are lost (metric usage_dropped), never written twice.
 * How many users, databases, collections and documents there are is taken from the database now and then and when somebody looks.
 * With conf.usage off nothing is counted, and what is asked for is zero. */
#ifndef BADAL_MODEL_USAGE_H
#define BADAL_MODEL_USAGE_H

#include "model/project.h"
#include "model/service.h"
#include "model/shape.h"

void usage_init(void);		/* per process, on the loop: starts the timer */
void usage_drain(void);		/* starts writing what is held back */
bool usage_writing(void);	/* that goes on */
/* Finds "documents.create" among what the services count; false: none does. */
bool usage_find(const char *text, const struct usage_kind **kind_out, enum usage_op *op_out);
/* Counts one request for all of the project, for `outer` (a database, the provider of a session, a bucket) and for `inner` (a collection) in it, as
 * far as the kind has such scopes; NULL: not. Letter case does not matter. No wait. */
void usage_count(const struct project *p, const struct usage_kind *kind, enum usage_op op, const char *outer, const char *inner);
/* Counts a request of any kind and the bytes of its body and reply. No wait. */
void usage_network(const struct project *p, uint64_t bytes);
/* Counts something that was computed ("executions"), for all of the project and for `what`: how it went, and how long it took in ms. No wait. */
void usage_computed(const struct project *p, const char *kind, const char *what, bool good, int64_t ms);
/* Awaits. Writes what is counted (drain, tests). */
err_t usage_flush(struct ctx *cx) MUST_CHECK;
/* Awaits. Writes how many there are of everything in the project, and what is counted here, for whoever reads it: one at a time, for which all others wait, and
 * not again before twenty times as long has passed, where it takes its time. */
err_t usage_snapshot(struct ctx *cx, const struct project *p) MUST_CHECK;

extern const char *const usage_ranges[];	/* 24h 7d 30d 90d, NULL-terminated */
enum usage_add {
	USAGE_POINTS,		/* as many points as the range has, oldest first */
	USAGE_LEVELS,		/* the same of how many there are: the newest of each period, where it is longer than what is kept */
	USAGE_NEWEST,		/* the newest value of how many there are */
	USAGE_EVER		/* the sum of all that was counted */
};
enum { USAGE_MORE = 2 };
struct usage_series {
	const char *name;	/* member of the reply */
	const char *metric;	/* documents.$all.requests.create, …; NULL: there is nothing of it (usage_between) */
	const char *more[USAGE_MORE];	/* what is added to it, or NULL */
	enum usage_add add;
};
/* Awaits. {"range":…,"<name>":[{"value":…,"date":…},…],…}, or a number where a series is one. */
err_t usage_json(struct ctx *cx, const struct project *p, const char *range, const struct usage_series *v, int n, struct str *json_out)
    MUST_CHECK;

enum { USAGE_POINTS_MAX = 750 };
struct usage_span {		/* points, the newest of which begins at `newest` */
	int64_t period, newest;	/* ms */
	int n;
};
/* ERR_GENERAL_ARGUMENT_INVALID: it is none of usage_ranges. */
err_t usage_range(struct ctx *cx, const char *range, struct usage_span *out) MUST_CHECK;
/* Awaits. As usage_json, without the range. A series without a metric is 0, or empty. */
err_t usage_between(struct ctx *cx, const struct project *p, const struct usage_span *span, const struct usage_series *v, int n, struct str *json_out) MUST_CHECK;

/* Awaits. The newest value of each of these metrics as it was last written; 0: there is none. */
err_t usage_last(struct ctx *cx, const struct project *p, const char *const *metrics, int n, int64_t *out) MUST_CHECK;

/* A service's gauge "<table>.$all.count.total": how many rows a table has, of which `where` (NULL: all) is true; by its statistics where there are more
 * than are worth counting. In the arena. */
const char *usage_gauge(struct arena *a, const char *schema, const char *table, const char *where);

/* Rows of the models of such replies (SHAPE_TOLD). */
extern const struct shape metric_shape;
#define USAGE_RANGE TOLD("range", F_ENUM, "How far back.", .values = usage_ranges)
#define USAGE_ROW(key_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape)

#endif
