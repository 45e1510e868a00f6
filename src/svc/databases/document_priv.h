/* Private to src/svc/databases/document*.c. */
#ifndef BADAL_SVC_DATABASES_DOCUMENT_PRIV_H
#define BADAL_SVC_DATABASES_DOCUMENT_PRIV_H

#include "svc/databases/document.h"

/* The columns of collection.columns; attributes follow at DOC_ATTRS, and _seq behind them where sql_lock reads it. */
enum { DOC_ID, DOC_CREATED, DOC_UPDATED, DOC_PERMS, DOC_ATTRS };

struct doc_head {		/* the system members as SQL text */
	struct str id, created, updated, perms;
};
struct doc_head doc_head_of(const struct db_res *r, int row);

/* A stored row, or with `vals` what it becomes; `select` (may be NULL): only the attributes whose place is true. */
void doc_write_row(struct buf *b, const struct collection *c, const struct doc_head *h, const struct db_res *r, int row,
    const struct doc_value *vals, const bool *select);
/* A new document: the members of the data in their order, then what was filled in. */
void doc_write_new(struct buf *b, const struct collection *c, const struct doc_head *h, const json_t *data, const struct doc_value *vals);

/* Awaits, once a minute for each collection. True when these roles read so few documents that the index of readers should be asked
 * first. Only a matter of speed. */
err_t doc_readable_few(struct ctx *cx, const struct collection *c, const struct strs *roles, bool *few_out) MUST_CHECK;

#endif
