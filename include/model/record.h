/* Records: a shape that is a row of a table. The shape's columns say how the row is read, written, asked for and searched; the record adds the
 * table, the errors and whom an event concerns. Statements are made once for each record, verb and set of columns; per call only the
 * schema is put in.
 *
 * It is no more than that: nothing is fetched that was not asked for, objects know nothing of each other, and a condition is SQL. */
#ifndef BADAL_MODEL_RECORD_H
#define BADAL_MODEL_RECORD_H

#include "model/event.h"
#include "model/query.h"

struct project;

struct record {
	const struct shape *shape;
	const char *table;	/* ":schema.teams"; :schema is the project's */
	const char *alias;	/* "t": the table's own columns are "t.…" in the shape. "t.internal" is its number, "t.id" its public id */
	const char *with;	/* tables of the shape's other columns, ":schema.users u, …", and how they belong to the row; NULL: none */
	const char *on;
	const char *entity;	/* "Team": words of the cursor error of lists */
	const char *width;	/* as in struct query_list */
	int64_t width_max;
	int64_t page;		/* rows of a list that names no limit; 0: 25 */
	bool selects;		/* lists take select, by all members of the shape */
	err_t missing, taken;	/* no such row; it collides with another */
	/* Whom an event of the object concerns: ids, and what else is not of every event. NULL: it has none of its own. */
	void (*concerns)(struct ctx *cx, const struct project *p, const void *obj, struct event *ev);
};

/* Rows: `where` is SQL with $1..$n; "@." stands for the record's alias and ":schema" for the project's. It is a constant of the program, for the
 * statements that are made of it are kept: what is made at run time is for record_list alone. */
struct rows {
	const char *where;
	int n;
	const char *v[4];
};
struct rows rows_internal(struct ctx *cx, int64_t internal);
struct rows rows_id(const char *id);	/* without regard to case */

/* Awaits. The first row, into *out (of the shape's struct). `missing`. */
err_t record_get(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, void *out) MUST_CHECK;
/* Awaits. All rows by creation, at most `max`. */
err_t record_all(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, int max, struct objs *out) MUST_CHECK;
/* Awaits. A page of the rows (of the whole table when w.where is NULL), by the columns marked COL_ASKED; flags and errors of query_list. */
err_t record_list(struct ctx *cx, const struct project *p, const struct record *rec, struct rows w, const struct strs *queries,
    const char *search, struct query_page *out) MUST_CHECK;

/* A new object: an id unless it has one, and the times. */
void record_init(struct ctx *cx, const struct record *rec, void *obj);

/* In a transaction; all await. What they give is the row as it was locked, written or deleted. */

/* The row, locked against changes and deletion. `missing`. */
err_t record_lock(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out) MUST_CHECK;
/* The same with its key: nothing new refers to it meanwhile. */
err_t record_lock_key(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out) MUST_CHECK;
/* All own columns from obj, whose internal number is set. `taken`. */
err_t record_insert(struct db_tx *tx, const struct project *p, const struct record *rec, void *obj) MUST_CHECK;
/* The columns that `set` names ("name" or "email email_verification") from `values`, the search text, and the time of the update. `missing`; a
 * collision is ERR_DB_UNIQUE, for `set` decides what that means. */
err_t record_set(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, const char *set, const void *values, void *out)
    MUST_CHECK;
/* `missing`. */
err_t record_delete(struct db_tx *tx, const struct project *p, const struct record *rec, struct rows w, void *out) MUST_CHECK;

/* Awaits. record_insert of what nobody is told of, in one round trip. */
err_t record_put(struct ctx *cx, const struct project *p, const struct record *rec, void *obj) MUST_CHECK;
/* Awaits. record_insert and its event in one statement, one round trip. The event is made before the row has its internal number. */
err_t record_add(struct ctx *cx, const struct project *p, const struct record *rec, void *obj, const struct event *ev) MUST_CHECK;

/* An event with obj as its payload, and the same into the transaction. */
struct event record_event(struct ctx *cx, const struct project *p, const struct record *rec, const struct event_info *kind, const char *actor,
    const void *obj);
void record_emit(struct db_tx *tx, const struct project *p, const struct record *rec, const struct event_info *kind, const char *actor,
    const void *obj);

/* What lists of the shape may be asked: its columns marked COL_ASKED. Static per shape. */
const struct query_attr *shape_asked(const struct shape *s, int *n_out);

#endif
