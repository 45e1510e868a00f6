/* What the files of the databases service share. */
#ifndef BADAL_API_DATABASES_PRIV_H
#define BADAL_API_DATABASES_PRIV_H

#include "api/api.h"
#include "model/collection.h"

#define DATABASE(st) PATH("databaseId", P_UID, st, db, "Database ID.")
#define COLLECTION(st) PATH("collectionId", P_UID, st, col, "Collection ID.")

/* The acting user of events, or NULL. */
static inline const char *
databases_actor(const struct req *rq)
{
	return rq->login ? rq->login->user->id : NULL;
}

/* A route below a database, also under the older path, which means the database "default". */
#define BOTH(method_, tail, name_, scope_, handler_, status_, doc_, st, rows, audit_)                                                      \
	{.method = method_, .path = "/v1/databases/:databaseId/collections" tail, .service = "databases", .name = name_,           \
	    .scope = "collections." scope_, .limit = "", .handler = handler_, .status = status_, .doc = doc_, PARAMS(st, rows)},   \
	{                                                                                                                          \
		.method = method_, .path = "/v1/database/collections" tail, .service = "databases", .name = name_,                 \
		.scope = "collections." scope_, .limit = "", .handler = handler_, .status = status_, .doc = doc_,                  \
		.alias_database = "default", PARAMS(st, rows)                                                                      \
	}

#endif
