/* What the files of the databases service share. */
#ifndef BADAL_SVC_DATABASES_DATABASES_PRIV_H
#define BADAL_SVC_DATABASES_DATABASES_PRIV_H

#include "gate/gate.h"
#include "model/audit.h"
#include "model/usage.h"
#include "svc/databases/collection.h"

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
