/* Transactions of clients: operations are staged, and carried out together or not at all.
 *
 * Nothing is locked while one is open. What it has read or staged it remembers by the version of the row, and a commit finds all of them as they were, or ends in
 * a conflict; what it does is one transaction of PostgreSQL, with its events and its own new status. So there is no state in between that a crash could leave. */
#ifndef BADAL_SVC_DATABASES_TRANSACTION_H
#define BADAL_SVC_DATABASES_TRANSACTION_H

#include "svc/databases/document.h"

struct transaction {
	int64_t internal;
	const char *id, *status;
	int64_t created, updated, expires;
	int64_t operations, bytes, documents;
};
extern const struct shape transaction_shape;

enum { TRANSACTION_OPERATIONS_MAX = 100 };	/* one for many documents counts as one */

enum tx_action {
	TX_CREATE, TX_UPDATE, TX_UPSERT, TX_DELETE, TX_INCREMENT, TX_DECREMENT, TX_BULK_CREATE, TX_BULK_UPDATE, TX_BULK_UPSERT, TX_BULK_DELETE,
	TX_ACTIONS
};
extern const struct tx_action_info {
	const char *name;
	const char *many;	/* of many documents, for keys and admins: what it does to them; NULL: of one */
	bool final;		/* into a transaction that is over: general_bad_request, not transaction_not_ready */
} tx_actions[TX_ACTIONS];
enum tx_action transaction_action(struct str name);	/* TX_ACTIONS: there is none of this name */

struct tx_op {
	enum tx_action action;
	bool rows;		/* said in words of tables and rows */
	const char *db, *col;
	const char *id;		/* NULL: of many */
	/* create, update, upsert: attributes. increment, decrement: {"attribute", "value", "max" or "min"}. bulkCreate, bulkUpsert: a list of documents, each with
	 * $id and perhaps $permissions. bulkUpdate: {"queries", "data"}; bulkDelete: {"queries"}. Permissions are checked and expanded. */
	const json_t *data;
	struct strs perms;	/* of the first three; not set: none given */
	struct strs roles;	/* of what was staged: those of who staged it; not set: a key or an admin, whose permissions are not asked */
};

struct tx_staged {		/* in order */
	int n;
	struct tx_op *ops;
	int64_t *collections;	/* numbers of theirs: another one of the same id is not meant */
};

/* All await. A caller sees the transactions of its user; keys and admins see all. ERR_TRANSACTION_NOT_FOUND of any other. */
err_t transaction_create(struct ctx *cx, const struct project *p, const struct doc_caller *who, int64_t ttl, struct transaction *out) MUST_CHECK;
err_t transaction_get(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, struct transaction *out) MUST_CHECK;
err_t transaction_list(struct ctx *cx, const struct project *p, const struct doc_caller *who, const struct strs *queries, struct query_page *out) MUST_CHECK;
err_t transaction_delete(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id) MUST_CHECK;

/* Stages the operations, all or none. Nothing is written but that, and nothing is told. `shown` (may be NULL): the document of the only operation as its route
 * shows it. Errors: ERR_TRANSACTION_EXPIRED, _NOT_READY, _LIMIT_EXCEEDED, ERR_GENERAL_BAD_REQUEST; those of collection_get; ERR_DOCUMENT_NOT_FOUND,
 * ERR_USER_UNAUTHORIZED, ERR_DOCUMENT_UPDATE_CONFLICT. */
err_t transaction_stage(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, const struct tx_op *ops, int n,
    struct transaction *out, struct str *shown) MUST_CHECK;

/* ERR_TRANSACTION_CONFLICT and others: then it has failed, for good; after what says "try again" it is as it was. */
err_t transaction_commit(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, struct transaction *out,
    struct tx_staged *done) MUST_CHECK;
err_t transaction_rollback(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, struct transaction *out) MUST_CHECK;

/* What document_get and document_list give, as if what is staged were carried out. What they show is remembered: a commit finds it unchanged. */
err_t transaction_document(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, const char *db, const char *col,
    const char *doc, const struct strs *queries, struct str *json_out) MUST_CHECK;
err_t transaction_documents(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, const char *db, const char *col,
    const struct strs *queries, struct doc_list *out) MUST_CHECK;

/* ---- for the files of this module ---- */

/* The transaction, locked in tx (NULL: not locked), for a use that needs it pending. `final`: see tx_action_info. */
err_t transaction_open(struct ctx *cx, const struct project *p, const struct doc_caller *who, const char *id, struct db_tx *tx, bool final,
    struct transaction *out) MUST_CHECK;
/* Awaits. What was staged, for all collections or (not 0) one, unless anything is staged for one with relationships: that may write to the others. */
err_t transaction_staged(struct ctx *cx, const struct project *p, const struct transaction *t, int64_t collection, struct tx_staged *out) MUST_CHECK;
/* Awaits. Everything that the transaction has met is as it was, and is locked; `written`: what it has written alone, `collection` not 0: there.
 * ERR_TRANSACTION_CONFLICT, ERR_DOCUMENT_NOT_FOUND, and those of collection_get. */
err_t transaction_unchanged(struct ctx *cx, const struct project *p, const struct transaction *t, const struct tx_staged *s, struct db_tx *tx,
    bool written, int64_t collection) MUST_CHECK;
/* Awaits. Carries it out, each operation with its events; cx->within is tx. What a user has staged is done with that user's permissions where those of `who` are
 * not asked, so that nobody has others write what it may not write itself. *made_out: the documents that it made, which count once that is committed (doc_made). */
err_t transaction_apply(struct ctx *cx, const struct project *p, const struct doc_caller *who, struct db_tx *tx, const struct tx_staged *s,
    int64_t *made_out) MUST_CHECK;
json_t *transaction_texts(const struct strs *list);	/* a new list */
struct strs transaction_strs(struct ctx *cx, const json_t *list);	/* of texts; not set: it is none */
/* What an error within a commit is to the client. */
err_t transaction_error(struct ctx *cx, err_t e);
/* Words of rows, or of documents (NULL). */
const struct words *databases_words(bool rows);

#endif
