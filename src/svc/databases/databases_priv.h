/* What the files of the databases service share. */
#ifndef BADAL_SVC_DATABASES_DATABASES_PRIV_H
#define BADAL_SVC_DATABASES_DATABASES_PRIV_H

#include "gate/gate.h"
#include "model/audit.h"
#include "model/usage.h"
#include "svc/databases/collection.h"
#include "svc/databases/transaction.h"

#define DATABASE(st) PATH("databaseId", P_UID, st, db, "Database ID.")
#define COLLECTION(st) PATH("collectionId", P_UID, st, col, "Collection ID.")

/* The acting user of events, or NULL. */
static inline const char *
databases_actor(const struct req *rq)
{
	return rq->login ? rq->login->user->id : NULL;
}

/* The definition of an attribute that comes with its collection, by the rules of the route that creates one of its type. Errors of that route. */
err_t attribute_read_inline(struct req *rq, json_t *o, struct attribute_in *out) MUST_CHECK;
struct doc_caller databases_caller(const struct req *rq);
/* X-Appwrite-Timestamp, where it was sent. */
err_t databases_take_seen(struct req *rq, struct doc_caller *who) MUST_CHECK;

/* Writes that are staged instead of done; each replies. `op` without database, collection and words, which are the request's. */
err_t databases_stage(struct req *rq, const char *transaction, struct tx_op op, const char *db, const char *col, int status);
/* Of many documents: the reply is a list without any, and `total`. */
err_t databases_stage_many(struct req *rq, const char *transaction, struct tx_op op, const char *db, const char *col, int status, int64_t total);
err_t databases_stage_found(struct req *rq, const char *transaction, enum tx_action action, const json_t *data, const struct strs *queries, const char *db,
    const char *col);
err_t databases_stage_step(struct req *rq, const char *transaction, enum tx_action action, const char *key, const json_t *by, const json_t *bound, const char *id,
    const char *db, const char *col);
#define TRANSACTION(st) OPTIONAL("transactionId", P_UID, st, transaction, "Transaction ID: what is asked for is staged there.")
#define TRANSACTION_SEEN(st) OPTIONAL("transactionId", P_UID, st, transaction, "Transaction ID: the answer is as if what is staged there were done.")
/* "$permissions" of the data, expanded; not set: there are none. ERR_GENERAL_BAD_REQUEST. */
err_t databases_take_perms(struct req *rq, const json_t *data, struct strs *out) MUST_CHECK;
/* The list of documents, each with an id and with its permissions expanded. */
err_t databases_named(struct req *rq, const json_t *list, json_t **out) MUST_CHECK;
/* A copy of the data with its permissions expanded. */
err_t databases_permitted(struct req *rq, const json_t *data, json_t **out) MUST_CHECK;

enum usage_level { USAGE_OF_ALL, USAGE_OF_DATABASE, USAGE_OF_COLLECTION };
/* Awaits. `scope`: "$all", a database, or "database/collection". */
err_t database_usage_reply(struct req *rq, enum usage_level level, const char *scope, const char *range) MUST_CHECK;

/* A route below a database. Last: audit entry and usage. */
#define BELOW(method_, tail, name_, scope_, handler_, status_, doc_, st, rows, ...)                                                 \
	{                                                                                                                          \
		.method = method_, .path = "/v1/databases/:databaseId/collections" tail, .service = "databases", .name = name_,    \
		.scope = scope_, .handler = handler_, .status = status_, .doc = doc_, PARAMS(st, rows), __VA_ARGS__                \
	}
#define ON_COLLECTION(event) .audit = event " database/{databaseId}/collection/{collectionId}"
#define READS .usage = "collections.read"
#define CHANGES .usage = "collections.update"

#endif
