/* Documents: rows of a collection's table, read and written as JSON text without trees in between. */
#ifndef BADAL_SVC_DATABASES_DOCUMENT_H
#define BADAL_SVC_DATABASES_DOCUMENT_H

#include "svc/databases/collection.h"

struct doc_caller {
	bool bypass;			/* keys and admins: permissions are not evaluated */
	bool see_disabled;		/* admins: a disabled collection is there; keys, too, since 1.4 */
	const struct strs *roles;
	int64_t owner;			/* number of the user who calls; 0: a guest, or nobody of the project */
	const char *user;		/* id of the user that documents without permissions are given to; NULL: nobody */
	const char *actor;		/* acting user for the event, or NULL */
	const char *label;		/* role label of the caller, for document_explain */
	/* Reads "$permissions" of related documents, by the rules of the parameter; `arg`: its first. */
	err_t (*take_perms)(void *arg, const json_t *data, struct strs *out);
	void *arg;
	bool dated;			/* a document that was changed after `seen` is not written */
	int64_t seen;			/* milliseconds */
};

/* All await; *json_out is the reply. `data` may be NULL; `perms->set` false: none given. Errors: those of collection_get, and
 * ERR_USER_UNAUTHORIZED, ERR_DOCUMENT_NOT_FOUND, ERR_DOCUMENT_MISSING_PAYLOAD, ERR_DOCUMENT_INVALID_STRUCTURE,
 * ERR_DOCUMENT_ALREADY_EXISTS, and those of query_list. A collection that is switched off is not found. */
err_t document_create(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const json_t *data, const struct strs *perms, struct str *json_out) MUST_CHECK;
err_t document_get(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const struct strs *queries, struct str *json_out) MUST_CHECK;
/* A creation that names no id: what is said of it. */
err_t document_id_missing(struct ctx *cx) MUST_CHECK;
struct doc_list {
	int64_t total;
	int n;
	const struct collection *c;	/* private, like the next ones; they live as long as cx */
	const struct db_res *res;	/* the page; or the number and width of each of its rows */
	const bool *select;
	bool slim;
	const struct ctx *cx;		/* of who asked: in which form they are told */
	const struct str *more;		/* members of each row from its relationships; NULL: none has any */
	const char *roles;		/* of who may read the rows, which are looked at again; NULL: all may be read */
	struct ctx slice_cx;		/* of the rows in hand: those of the page from `from` to before `to` */
	const struct db_res *slice;
	int from, to;
};
err_t document_list(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, struct doc_list *out) MUST_CHECK;
/* Awaits. The i-th document can be written: a large page is read in slices. Go from the first to the last. */
err_t document_list_ready(struct ctx *cx, struct doc_list *l, int i) MUST_CHECK;
/* The i-th document as JSON; no wait. False: nothing was written, it went away since the page was looked up. */
bool document_list_write(const struct doc_list *l, int i, struct buf *b);
void document_list_end(struct doc_list *l);	/* lets the last slice go */
/* The same list, which may be up to `ttl` seconds old. Awaits. */
struct doc_kept;
err_t document_list_kept(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, struct doc_kept *kept, struct doc_list *out) MUST_CHECK;
/* The reply of a caller that may not read the document has what it has written alone. */
err_t document_update(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const json_t *data, const struct strs *perms, struct str *json_out) MUST_CHECK;
/* The document with this id is made, or gets these attributes. */
err_t document_upsert(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const json_t *data, const struct strs *perms, struct str *json_out) MUST_CHECK;
/* Adds `by` (more than 0) to a number, or takes it away; not beyond `bound` (NULL or null: none). ERR_ATTRIBUTE_NOT_FOUND, ERR_ATTRIBUTE_TYPE_INVALID,
 * ERR_ATTRIBUTE_LIMIT_EXCEEDED. */
err_t document_count(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const char *key, const json_t *by, const json_t *bound, bool down, struct str *json_out) MUST_CHECK;
/* ---- many at once, for those whose permissions are not evaluated (others: ERR_GENERAL_UNAUTHORIZED_SCOPE) ----
 * All await, and are done as a whole or not at all. There is an event for each document. */
struct doc_in {
	const char *id;
	const json_t *data;
	struct strs perms;
};
struct doc_many {
	int64_t total;		/* made, changed, found or deleted */
	int n;			/* of them, DOC_SHOWN_MAX at most */
	struct str *json;
	int64_t bytes;		/* of the values of all of them */
	int64_t spent;		/* given: how much of conf.bulk_bytes_max others of the transaction have written */
};
struct doc_kept {
	int64_t ttl;		/* seconds, given by who asks */
	bool hit;		/* it was kept */
	bool whole;		/* the answer is `page`; false: it is too large for that, and in the list */
	struct doc_many page;
};
enum { DOC_SHOWN_MAX = 100 };
err_t document_create_many(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct doc_in *in, int n, struct doc_many *out) MUST_CHECK;
err_t document_upsert_many(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct doc_in *in, int n, struct doc_many *out) MUST_CHECK;
/* Those that the queries find; all of them when there is no limit. More than conf.bulk_rows_max or conf.bulk_bytes_max: ERR_GENERAL_BAD_REQUEST. */
err_t document_update_many(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const json_t *data, const struct strs *perms, const struct strs *queries, struct doc_many *out) MUST_CHECK;
err_t document_delete_many(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, struct doc_many *out) MUST_CHECK;

err_t document_delete(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id) MUST_CHECK;
/* The resource "database/…/collection/…/document/…" of the audit log, for callers who may read both collection and document, switched off
 * or not. ERR_COLLECTION_NOT_FOUND, ERR_DOCUMENT_NOT_FOUND. */
err_t document_resource(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const char *id, const char **out) MUST_CHECK;
/* What a list would do: {"sql", "role", "access", "indexes", "plan"}; nothing is read but statistics. */
err_t document_explain(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *db, const char *col,
    const struct strs *queries, struct str *json_out) MUST_CHECK;

/* ---- the check of data (document_check.c) ---- */
struct doc_value {
	bool given;			/* named by the data */
	bool set;			/* to be written: given, or filled in with a default */
	struct str v;			/* SQL text, NUL-terminated; STR_NONE is null. Of an encrypted attribute: what that is sealed to */
	struct str clear;		/* of an encrypted attribute: the SQL text */
};
/* Checks every member of `data` (object, list or NULL) and fills vals[place]. `stored` tells whether attribute `place` already has
 * a value (NULL: a new document). Defaults replace null, and absence where nothing is stored. ERR_DOCUMENT_INVALID_STRUCTURE. */
err_t doc_check(struct ctx *cx, const struct collection *c, const json_t *data, const bool *stored, struct doc_value *vals) MUST_CHECK;
/* Where one of vals is a place: all of the document, those that the row keeps with them, are not too much in sum. NULL: there is no row yet. */
err_t doc_check_places(struct ctx *cx, const struct collection *c, const struct doc_value *vals, const struct db_res *r, int row) MUST_CHECK;
/* True for $createdAt and the other members that a client may send and the server ignores. */
bool doc_member_ignored(const char *key);
/* One value of an attribute as SQL text (arrays: an element). False with the reason and the failed check ("type" or "format"). */
bool doc_value_ok(struct ctx *cx, const struct attribute *a, const json_t *j, struct str *sql_out, const char **check_out,
    const char **why_out);

/* ---- SQL's text to JSON (document_json.c) ---- */
/* The JSON of one value from its SQL text (STR_NONE: null, or [] for arrays). */
void doc_write_value(struct buf *b, const struct attribute *a, struct str text);
/* "2022-10-04 12:34:56.7+00" as "2022-10-04T12:34:56.700+00:00" in quotes. */
void doc_write_time(struct buf *b, struct str text);
/* A one-dimensional array in SQL's text form as a JSON list. */
void doc_write_array(struct buf *b, enum attr_type type, struct str text);

/* Awaits. Which of these events somebody who resumes may be shown (model/service.h). */
struct shown;
err_t documents_shown(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n) MUST_CHECK;

#endif
