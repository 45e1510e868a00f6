/* The databases service: databases, collections, attributes, indexes, documents. */
#include "gate/gate.h"
#include "model/job.h"
#include "model/service.h"
#include "svc/databases/collection.h"
#include "svc/databases/database.h"
#include "svc/databases/document.h"
#include "svc/databases/transaction.h"

extern const struct routes database_routes;
extern const struct routes attribute_routes;
extern const struct routes relationship_routes;
extern const struct routes document_routes;
extern const struct routes transaction_routes;

static const struct routes *const routes[] = {
	&database_routes,
	&attribute_routes,
	&relationship_routes,
	&document_routes,
	&transaction_routes,
	NULL,
};

static const struct shape *const shapes[] = {&database_shape, &collection_shape, &attribute_shape, &attribute_string_shape, &attribute_varchar_shape, &attribute_text_shape, &attribute_mediumtext_shape, &attribute_longtext_shape, &attribute_bigint_shape, &attribute_email_shape, &attribute_enum_shape, &attribute_ip_shape, &attribute_url_shape, &attribute_integer_shape, &attribute_float_shape, &attribute_boolean_shape, &attribute_datetime_shape, &attribute_point_shape, &attribute_line_shape, &attribute_polygon_shape, &attribute_relationship_shape, &index_shape, &document_shape, &transaction_shape, NULL};

static const struct scope scopes[] = {
	{"documents.read", "gua", 13},
	{"documents.write", "gua", 14},
	{"databases.read", "a", 5},
	{"databases.write", "a", 6},
	{"collections.read", "a", 7},
	{"collections.write", "a", 8},
	{"attributes.read", "", 9},
	{"attributes.write", "", 10},
	{"indexes.read", "", 11},
	{"indexes.write", "", 12},
	{"tables.read", "a", 26},
	{"tables.write", "a", 27},
	{"columns.read", "a", 28},
	{"columns.write", "a", 29},
	{"rows.read", "gua", 30},
	{"rows.write", "gua", 31},
	{0},
};

#define ROOM_EVENTS "svc/databases/events.h"
#include "model/room_events.h"

static const char *const acted_on[] = {"documents", "rows", NULL};

/* What the API calls tables, rows and columns since 1.8. */
static const struct channel_twin channels[] = {
	{"databases.[databaseId].collections.[collectionId].documents.",
	    "rows|databases.[databaseId].tables.[collectionId].rows|databases.[databaseId].tables.[collectionId].rows.[documentId]|"
	    "tablesdb.[databaseId].tables.[collectionId].rows|tablesdb.[databaseId].tables.[collectionId].rows.[documentId]"},
	{0},
};
static const struct word_twin words[] = {
	{"collections", "tables"},
	{"documents", "rows"},
	{"attributes", "columns"},
	{0},
};

static const struct shown_now shown[] = {
	{"databases.[databaseId].collections.[collectionId].documents.", documents_shown},
	{0},
};

static const struct usage_kind usage[] = {
	{"databases", {NULL, NULL}, false},
	{"collections", {"databaseId", NULL}, false},
	{"documents", {"databaseId", "collectionId"}, false},
	{0},
};

/* Documents are counted by the statistics of their tables: a count would read them all. */
static const char *
databases_gauges(struct arena *a, const char *schema)
{
	return arena_printf(a,
	    "(WITH n AS (SELECT d.id AS db, c.id AS col, CASE WHEN t.n_tup_ins > 0 THEN t.n_live_tup ELSE greatest(k.reltuples::bigint, 0) END AS docs, "
	    "coalesce(pg_total_relation_size(k.oid), 0) AS bytes "
	    "FROM %s.databases d LEFT JOIN %s.collections c ON c.database = d.internal "
	    "LEFT JOIN pg_class k ON k.relname = 'c_' || c.internal AND k.relnamespace = '%s'::regnamespace "
	    "LEFT JOIN pg_stat_user_tables t ON t.relid = k.oid) "
	    "SELECT 'databases.$all.count.total', count(DISTINCT db) FROM n "
	    "UNION ALL SELECT 'collections.$all.count.total', count(col) FROM n UNION ALL SELECT 'collections.' || db || '.count.total', count(col) FROM n GROUP BY db "
	    "UNION ALL SELECT 'documents.$all.count.total', coalesce(sum(docs), 0) FROM n "
	    "UNION ALL SELECT 'documents.$all.storage.total', coalesce(sum(bytes), 0) FROM n "
	    "UNION ALL SELECT 'documents.' || db || '.count.total', coalesce(sum(docs), 0) FROM n GROUP BY db "
	    "UNION ALL SELECT 'documents.' || db || '.storage.total', coalesce(sum(bytes), 0) FROM n GROUP BY db "
	    "UNION ALL SELECT 'documents.' || db || '/' || col || '.count.total', coalesce(docs, 0) FROM n WHERE col IS NOT NULL)",
	    schema, schema, schema);
}

/* The paths of one database, before there were several. */
static const struct path_alias aliases[] = {
	{"GET", "/v1/database/:/usage", "/v1/databases/:/collections/:/usage", "default", .documented = true},
	{NULL, "/v1/database/collections", "/v1/databases/:/collections", "default", .below = true, .documented = true},
	{0},
};

static err_t
databases_change_schema(struct ctx *cx, const struct job *job)
{
	return schema_work(cx, job->payload, job->id);
}

static const struct job_kind jobs[] = {
	{"schema", databases_change_schema, 30, 4, JOB_MINUTES(24 * 60), 4, "Builds and drops indexes, changes busy tables, drops the tables of deleted collections."},
	{0},
};
static const struct job_task tasks[] = {
	{"schema-recover", 10 * 60 * 1000, schema_recover},	/* those whose job was lost with a Redis */
	{0},
};

/* The API of tables, rows and columns, since 1.8. */
static const struct word_twin stems[] = {
	{"an attribute", "a column"},
	{"attribute", "column"},
	{"collection", "table"},
	{"document", "row"},
	{0},
};
static const struct word_twin names[] = {
	{"index", "columnIndex"},	/* the model */
	{"index_", "column_index_"},	/* errors */
	{0},
};
#define COLUMN_SCOPES(part) {"collections.read", part, "tables.read|collections.read|columns.read|attributes.read"}, \
	{"collections.write", part, "tables.write|collections.write|columns.write|attributes.write"}
static const struct family_scope family_scopes[] = {
	COLUMN_SCOPES("/attributes"),
	{"collections.read", "/indexes", "tables.read|collections.read|indexes.read"},
	{"collections.write", "/indexes", "tables.write|collections.write|indexes.write"},
	{"collections.read", NULL, "tables.read|collections.read"},
	{"collections.write", NULL, "tables.write|collections.write"},
	{"documents.read|rows.read", NULL, "documents.read|rows.read"},
	{"documents.read", NULL, "rows.read|documents.read"},
	{"documents.write", NULL, "rows.write|documents.write"},
	{0},
};
static const struct family tables = {
	.name = "tablesDB", .path = "/v1/databases", .as = "/v1/tablesdb", .toggle = "tablesdb", .since = SINCE_1_8, .words = {names, stems}, .scopes = family_scopes};

const struct words *
databases_words(bool rows)
{
	return rows ? &tables.words : NULL;
}

const struct service databases_service = {
	.name = "databases",
	.routes = routes,
	.aliases = aliases,
	.family = &tables,
	.shapes = shapes,
	.scopes = scopes,
	.events = events,
	.acted_on = acted_on,
	.channels = channels,
	.words = words,
	.shown = shown,
	.usage = usage,
	.gauges = databases_gauges,
	.jobs = jobs,
	.tasks = tasks,
};
