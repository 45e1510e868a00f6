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
/* The statements that make an index, in a transaction that has the table for itself. ERR_INDEX_INVALID. */
err_t index_build_within(struct db_tx *tx, const struct project *p, const struct collection *c, const struct index *x) MUST_CHECK;
/* The indexes that every documents' table has. */
void collection_table_indexes(struct db_tx *tx, const char *schema, int64_t internal);

/* Its changes take numbers (query_list.changes). */
void collection_table_counted(struct db_tx *tx, const char *schema, int64_t internal);

/* Awaits. The next n numbers of "attributes" or "indexes". */
err_t schema_numbers(struct db_tx *tx, const struct project *p, const char *table, int n, int64_t *out) MUST_CHECK;

/* ---- attribute_rules.c ---- */
/* What is asked for as an attribute, without a number. */
struct attribute attribute_of(const struct attribute_in *in);
/* In its collection. ERR_ATTRIBUTE_LIMIT_EXCEEDED, ERR_ATTRIBUTE_ALREADY_EXISTS. */
err_t attribute_check_new(struct ctx *cx, const struct collection *c, const struct attribute *a) MUST_CHECK;
err_t attribute_check_width(struct ctx *cx, int64_t width) MUST_CHECK;
/* Without regard to case; NULL. */
const struct attribute *attribute_lookup(const struct collection *c, const char *key);

/* ---- index.c, index_rules.c ---- */
enum { INDEX_LENGTH_MAX = 768 };
bool index_names(const struct index *x, const char *key);	/* the attribute is one of its */
bool index_works(const struct index *x);			/* or will work */
const char *index_lengths_array(struct arena *a, const struct index *x);	/* for SQL */
/* What counts against INDEX_LENGTH_MAX, were the size of `a` this; 0: nothing does. */
int64_t index_length_sum(const struct collection *c, const struct index *x, const struct attribute *a, int64_t size);
/* In its collection, with those rules or without. ERR_INDEX_LIMIT_EXCEEDED, ERR_ATTRIBUTE_UNKNOWN, ERR_ATTRIBUTE_NOT_AVAILABLE,
 * ERR_INDEX_ALREADY_EXISTS. */
err_t index_check_new(struct ctx *cx, const struct collection *c, const struct index *x, bool rules) MUST_CHECK;
/* The rules of today, which 1.0 left to the worker. ERR_INDEX_INVALID, with words. */
err_t index_check_rules(struct ctx *cx, const struct collection *c, const struct index *x) MUST_CHECK;
/* The statement that drops what it is made of; the row stays. */
void index_drop_built(struct db_tx *tx, const struct project *p, const struct index *x);
void index_insert(struct db_tx *tx, const struct project *p, const struct collection *c, const struct index *x);

void attribute_set_number(struct arena *mem, struct attribute *a, int64_t internal);
void attribute_insert(struct db_tx *tx, const struct project *p, const struct collection *c, const struct attribute *a);
/* The statements that end an attribute's life: its column, its row, its part in indexes. */
void attribute_drop(struct db_tx *tx, const struct project *p, const struct collection *c, const struct attribute *a);
/* True when a unique index over several attributes holds it back. */
bool attribute_is_held(const struct collection *c, const struct attribute *a);
void attribute_add_column(struct db_tx *tx, const char *schema, const struct collection *c, const struct attribute *a);
/* The statements that drop an index. */
void index_drop(struct db_tx *tx, const struct project *p, const struct index *x);

#endif
