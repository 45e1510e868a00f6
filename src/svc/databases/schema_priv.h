/* What the writers of attributes and indexes share. */
#ifndef BADAL_SVC_DATABASES_SCHEMA_PRIV_H
#define BADAL_SVC_DATABASES_SCHEMA_PRIV_H

#include "svc/databases/collection.h"

/* How long a change of a table waits at once for those who use it; then the jobs role does it. Waiting queues others behind us. */
#define SCHEMA_WAIT_NOW "300ms"
#define SCHEMA_WAIT_JOB "2s"

/* Awaits. Locks the collection's row, so that its schema has one writer, and reads it as it is now. Waits for the table's users at most
 * `wait` from then on. ERR_COLLECTION_NOT_FOUND, ERR_BUSY. */
err_t schema_lock(struct db_tx *tx, const struct project *p, const struct collection *c, const char *wait, struct collection **out) MUST_CHECK;
/* Awaits. Deletes what `fn` deletes: at once (`now`), or, when the table is in use, by leaving it to the jobs role. */
typedef err_t (*schema_delete_fn)(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *c, const char *key,
    bool now);
err_t schema_delete(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key,
    schema_delete_fn fn) MUST_CHECK;
/* True when the error e, the last of cx, says that the table is in use. */
bool schema_in_use(const struct ctx *cx, err_t e);
/* True when the table's columns are used up, dropped ones included. */
bool schema_columns_full(const struct ctx *cx);

/* Awaits. Copies the documents' table, without the dropped columns. */
err_t schema_rebuild(struct ctx *cx, const struct project *p, const struct collection *c) MUST_CHECK;
/* The indexes that every documents' table has. */
void collection_table_indexes(struct db_tx *tx, const char *schema, int64_t internal);

/* The statements that end an attribute's life: its column, its row, its part in indexes. */
void attribute_drop(struct db_tx *tx, const struct project *p, const struct collection *c, const struct attribute *a);
/* True when a unique index over several attributes holds it back. */
bool attribute_is_held(const struct collection *c, const struct attribute *a);
void attribute_add_column(struct db_tx *tx, const char *schema, const struct collection *c, const struct attribute *a);
/* The statements that drop an index. */
void index_drop(struct db_tx *tx, const struct project *p, const struct index *x);

#endif
