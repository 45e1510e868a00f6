/* Documents: rows of a collection's table, read and written as JSON text without trees in between. */
#ifndef BADAL_MODEL_DOCUMENT_H
#define BADAL_MODEL_DOCUMENT_H

#include "model/collection.h"

struct doc_caller {
	bool bypass;			/* keys and admins: permissions are not evaluated */
	bool see_disabled;		/* admins: a disabled collection is there */
	const struct strs *roles;
	const char *user;		/* id of the user that documents without permissions are given to; NULL: nobody */
	const char *actor;		/* acting user for the event, or NULL */
};

/* All await; *json_out is the reply. `data` may be NULL; `perms->set` false: none given. */
err_t document_create(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const json_t *data, const struct strs *perms, struct str *json_out) MUST_CHECK;
err_t document_get(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const struct strs *queries, struct str *json_out) MUST_CHECK;
err_t document_list(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, bool total, struct str *json_out) MUST_CHECK;
err_t document_update(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const json_t *data, const struct strs *perms, struct str *json_out) MUST_CHECK;
err_t document_delete(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id) MUST_CHECK;

/* ---- the check of data (document_check.c) ---- */
struct doc_value {
	bool given;			/* named by the data */
	const char *v;			/* SQL text; NULL is null */
	size_t n;
};
/* Checks every member of `data` (object, list or NULL) and fills vals[place]. `stored` tells whether attribute `place` already has
 * a value (NULL: a new document). Defaults replace null and, in a new document, absence. ERR_DOCUMENT_INVALID_STRUCTURE. */
err_t doc_check(struct ctx *cx, const struct collection *c, const json_t *data, const bool *stored, struct doc_value *vals) MUST_CHECK;
/* True for $createdAt and the other members that a client may send and the server ignores. */
bool doc_member_ignored(struct str key);
/* The JSON of one value from its SQL text (NULL text: null, or [] for arrays). */
void doc_write_value(struct buf *b, const struct attribute *a, struct str text, bool null);
/* "2022-10-04 12:34:56.7+00" as "2022-10-04T12:34:56.700+00:00" in quotes. */
void doc_write_time(struct buf *b, struct str text);
/* Calls fn for each element of an array in SQL's text form; elements are unescaped into scratch memory that is reused. */
void pg_array_each(struct arena *a, struct str text, void (*fn)(struct str element, bool null, void *arg), void *arg);

#endif
