/* Collections, their attributes and indexes. A collection is cached per process with the SQL of its documents' table made once;
 * every change of it or of its database bumps a generation, so that no process works with an old schema. */
#ifndef BADAL_SVC_DATABASES_COLLECTION_H
#define BADAL_SVC_DATABASES_COLLECTION_H

#include "core/protocol.h"
#include "model/permission.h"
#include "svc/databases/database.h"

enum { ROW_WIDTH_BASE = 1500, ROW_WIDTH_MAX = 65535 };	/* bytes, as the contract counts (spec databases.md 4.5) */

enum attr_kind {
	KIND_STRING, KIND_VARCHAR, KIND_TEXT, KIND_MEDIUMTEXT, KIND_LONGTEXT, KIND_INTEGER, KIND_BIGINT, KIND_FLOAT, KIND_BOOLEAN, KIND_DATETIME, KIND_RELATIONSHIP,
	KIND_POINT, KIND_LINE, KIND_POLYGON
};
extern const struct attr_kind_info {
	const char *name;		/* stored and shown */
	enum attr_type type;		/* what its values are to PostgreSQL and to queries */
	enum geo_type geo;		/* of a spatial one */
	int64_t bytes;			/* of a text without a size of its own: the most of a value; 0: it has a size, in characters */
} attr_kinds[];

enum attr_format { FORMAT_NONE, FORMAT_EMAIL, FORMAT_ENUM, FORMAT_IP, FORMAT_URL };

/* A relationship as one of its sides has it. The links are rows (parent, child) of <schema>.r_<number>, which are creation numbers of documents. */
enum relation_kind { ONE_TO_ONE, ONE_TO_MANY, MANY_TO_ONE, MANY_TO_MANY };	/* of parent to child */
enum relation_end { END_RESTRICT, END_CASCADE, END_SET_NULL };			/* what comes of the others when a document is deleted */
struct relation {
	int64_t number;			/* of the attribute on the parent's side */
	enum relation_kind kind;
	enum relation_end end;
	bool two_way, child;		/* child: this is the child's side */
	int64_t related;		/* the other collection */
	const char *related_id, *two_way_key;
};

struct attribute {
	int64_t internal;
	const char *key, *column;	/* column: "a_<internal>" */
	enum attr_kind kind;
	enum attr_type type;		/* of the kind */
	enum attr_format format;
	int64_t size;			/* code points of a string; bytes of a text without a size of its own */
	bool required, array, available;
	const char *geo;		/* of a spatial one: SQL of the schema of PostGIS */
	bool encrypt;			/* its column holds what SQL's text of a value is sealed to (model/seal.h) */
	const char *status;		/* processing available deleting stuck failed */
	const char *error;		/* why it failed or is stuck, or "" */
	int64_t created, updated;
	const char *min, *max;		/* JSON numbers; NULL for types without bounds */
	int64_t int_min, int_max;
	double float_min, float_max;
	struct strs elements;		/* of an enum */
	const char *def;		/* default as JSON, NULL: none */
	const char *def_value;		/* the same as SQL text; a date as it was given, for it may be "now" */
	struct str json_key;		/* "\"key\":" */
	int place;			/* in collection.live, -1 when not available, or a relationship, which has no column */
	const struct relation *rel;	/* NULL: it is none */
};

struct index {
	int64_t internal;
	const char *key, *type, *status, *error;
	struct strs attributes, orders;	/* orders may be shorter: the rest ascends */
	const int64_t *lengths;		/* characters of each attribute; 0: all */
	int n_lengths;			/* may be fewer than attributes: the rest has none */
	int64_t created, updated;
};

/* How the JSON of a document ends: in the words of documents, of rows, and an event that a row's request caused, whom clients of both hear. */
enum collection_tail { TAIL_DOCUMENT, TAIL_ROW, TAIL_BOTH, TAILS };

struct collection {
	unsigned refs;			/* private to the cache, like the next five */
	int64_t project;		/* its number: another may have the id by now */
	uint32_t gen, db_gen;
	struct arena *arena;
	struct map *by_key;
	int64_t database, internal;
	const char *database_id, *id, *name;	/* as they were spelt at creation */
	bool enabled, document_security;
	bool database_enabled;		/* as enabled, of all in it; set by collection_get alone, as the next */
	bool of_tables;			/* its database was made as one of tables */
	struct strs permissions;
	struct perms perms;
	int64_t created, updated;
	const char *geo;		/* SQL of the schema of PostGIS; NULL: the database has none */
	struct attribute *attrs;
	int n_attrs;
	struct index *indexes;
	int n_indexes;
	const struct attribute **live;	/* the available ones, in order */
	int n_live;
	const struct attribute **rels;	/* the available relationships, in order */
	int n_rels;
	struct relation *incoming;	/* one-way ones of others that lead here, from this side */
	int n_incoming;
	/* for documents */
	struct query_attr *query_attrs;
	int n_query_attrs;
	struct query_index *query_indexes;
	const char *table;		/* "p_1.c_5" */
	const char *columns;		/* "_id,_created,_updated,_perms,_seq,a_1,…" */
	const char *sql_get, *sql_get_readable, *sql_lock, *sql_insert, *sql_delete;
	const char *changes;		/* "p_1.v_5", the sequence of its changes (query_list.changes); NULL: an older program made it */
	const char *width;		/* SQL of the bytes of a row's values */
	const char *slim;		/* its number and width alone */
	int64_t width_max;		/* about the most that they can be */
	struct str json_tails[TAILS];	/* "\"$collectionId\":\"…\",\"$databaseId\":\"…\"}" */
};

struct attribute_in;
struct collection_in {
	const char *id, *name;
	struct strs permissions;	/* not set: [] on create, kept on update */
	bool enabled, document_security;
	/* on create: what it has from the beginning; checked by themselves (attribute_check_rules, attribute_check_values) */
	const struct attribute_in *attrs;
	int n_attrs;
	const struct index *indexes;
	int n_indexes;
};

/* Awaits on a miss. Valid until cx ends. ERR_DATABASE_NOT_FOUND, ERR_COLLECTION_NOT_FOUND. */
err_t collection_get(struct ctx *cx, const struct project *p, const char *db, const char *id, const struct collection **out) MUST_CHECK;
/* Drops it from this process's cache: its table turned out to be newer. */
void collection_forget(const struct project *p, const char *db, const char *id);
/* The attribute with exactly this key, available or not; NULL. */
const struct attribute *collection_attribute(const struct collection *c, struct str key);

/* A collection to cx's client; with `event` as the payload of an event, which is in the words of 1.0. */
struct str collection_json(struct ctx *cx, const struct collection *c, bool event);
/* The writer's format says which members there are. `status` NULL: its own. */
void collection_write(struct jw *w, const struct collection *c);
void attribute_write(struct jw *w, const struct attribute *a, const char *status);
void index_write(struct jw *w, const struct collection *c, const struct index *x, const char *status);

/* All await. A new collection is there with all its attributes and indexes, which are available, or not at all. Besides its own errors:
 * ERR_GENERAL_ARGUMENT_INVALID (keys that are named twice, too many indexes), ERR_INDEX_INVALID, ERR_COLLECTION_LIMIT_EXCEEDED. */
err_t collection_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const struct collection_in *in,
    struct str *json_out) MUST_CHECK;
err_t collection_update(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *id,
    const struct collection_in *in, struct str *json_out) MUST_CHECK;
err_t collection_delete(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *id) MUST_CHECK;
/* The database is there and has no collection of this id. ERR_DATABASE_NOT_FOUND, ERR_COLLECTION_ALREADY_EXISTS. */
err_t collection_check_free(struct ctx *cx, const struct project *p, const char *db, const char *id) MUST_CHECK;
/* {"total":…,"collections":[…]} */
err_t collection_list(struct ctx *cx, const struct project *p, const char *db, const struct strs *queries, const char *search,
    struct str *json_out) MUST_CHECK;

/* {"total":…,"attributes":[…]} and {"total":…,"indexes":[…]}; without queries all of them, else a page. */
err_t attribute_list_json(struct ctx *cx, const struct project *p, const char *db, const char *col, const struct strs *queries,
    struct str *json_out) MUST_CHECK;
err_t index_list_json(struct ctx *cx, const struct project *p, const char *db, const char *col, const struct strs *queries,
    struct str *json_out) MUST_CHECK;

/* A new attribute, checked by attribute_create as far as the collection matters. `def` is JSON text or NULL. */
struct attribute_in {
	const char *key;
	enum attr_kind kind;
	enum attr_format format;
	int64_t size;
	bool required, array, encrypt;
	const char *min, *max;		/* JSON numbers or NULL */
	struct strs elements;
	const char *def;
};
err_t attribute_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col,
    const struct attribute_in *in, struct str *json_out) MUST_CHECK;
/* By itself, before anything is looked up: bounds, elements, size, the default. ERR_ATTRIBUTE_VALUE_INVALID, ERR_GENERAL_BAD_REQUEST. */
err_t attribute_check_rules(struct ctx *cx, const struct attribute_in *in) MUST_CHECK;
/* The same: whether it may have a default, and how long its texts are. ERR_ATTRIBUTE_DEFAULT_UNSUPPORTED, ERR_ATTRIBUTE_VALUE_INVALID. */
err_t attribute_check_values(struct ctx *cx, const struct attribute_in *in) MUST_CHECK;
/* Awaits, for a spatial one. PostGIS is there, and the default is sound: the schema, or NULL where none is needed. ERR_GENERAL_FEATURE_UNSUPPORTED,
 * ERR_ATTRIBUTE_VALUE_INVALID. */
err_t attribute_check_geo(struct ctx *cx, enum attr_kind kind, const char *def, const char **geo_out) MUST_CHECK;
/* A change of an attribute of this kind and format. ERR_ATTRIBUTE_TYPE_INVALID: it is another; ERR_ATTRIBUTE_NOT_AVAILABLE,
 * ERR_ATTRIBUTE_INVALID_RESIZE, ERR_INDEX_INVALID, and those of attribute_create. */
struct attribute_change {
	enum attr_kind kind;
	enum attr_format format;
	bool required;
	const char *def;		/* JSON; NULL: none */
	int64_t size;			/* 0: it stays */
	const char *min, *max;		/* JSON; NULL: they stay */
	struct strs elements;		/* not set: they stay */
	const char *new_key;		/* NULL: it stays */
};
err_t attribute_update(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key,
    const struct attribute_change *ch, struct str *json_out) MUST_CHECK;
err_t attribute_delete(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key)
    MUST_CHECK;
/* The attribute without regard to case; ERR_ATTRIBUTE_NOT_FOUND. */
err_t attribute_find(struct ctx *cx, const struct collection *c, const char *key, const struct attribute **out) MUST_CHECK;
/* Bytes that an attribute counts against the width of a row, and a whole row. */
int64_t attribute_width(const struct attribute *a);
int64_t collection_width(const struct collection *c);
/* Most bytes of a text of this attribute. */
int64_t attribute_bytes(const struct attribute *a);

/* ---- relationships (relation.c) ---- */
struct relation_in {
	const char *related, *key, *two_way_key;	/* id of the other collection; keys may be NULL */
	enum relation_kind kind;
	enum relation_end end;
	bool two_way;
};
err_t relation_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const struct relation_in *in,
    struct str *json_out) MUST_CHECK;
/* `end`, `new_key` NULL: it stays. */
err_t relation_update(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key,
    const enum relation_end *end, const char *new_key, struct str *json_out) MUST_CHECK;
/* With its other side. */
err_t relation_delete(struct ctx *cx, const struct project *p, const char *actor, const struct collection *c, const char *key) MUST_CHECK;
/* The attributes of others that end with this collection, with their events. Awaits. */
err_t relation_orphan(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *c) MUST_CHECK;
extern const char *const relation_kinds[], *const relation_ends[];	/* NULL-terminated, in the order of the enums */
/* The place of a name in such a list; 0 when it is not there. */
int relation_name(const char *const *names, const char *name);
/* This side has a list: it may have several. */
bool relation_many(const struct relation *r);
/* So may the other. */
bool relation_shared(const struct relation *r);

/* `x`: key, type, attributes, orders and lengths of the new index. */
err_t index_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const struct index *x,
    struct str *json_out) MUST_CHECK;
err_t index_delete(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key) MUST_CHECK;
err_t index_find(struct ctx *cx, const struct collection *c, const char *key, const struct index **out) MUST_CHECK;

/* What replies look like, for OpenAPI. An attribute is one of the others. */
extern const struct shape collection_shape, index_shape, document_shape, attribute_shape, attribute_string_shape, attribute_varchar_shape,
    attribute_text_shape, attribute_mediumtext_shape, attribute_longtext_shape, attribute_bigint_shape, attribute_email_shape,
    attribute_enum_shape, attribute_ip_shape, attribute_url_shape, attribute_integer_shape, attribute_float_shape, attribute_boolean_shape,
    attribute_datetime_shape, attribute_point_shape, attribute_line_shape, attribute_polygon_shape, attribute_relationship_shape, document_plan_shape, databases_usage_shape, database_usage_shape, collection_usage_shape;

/* ---- background work: the jobs role settles what a request could not do at once (kind schema of service.c) ---- */
/* Awaits. Brings attributes and indexes of the collection that are `processing` or `deleting` to their end, or leaves that to
 * the job that is at it. Safe to repeat; gone collections are fine. `job` is the id of the job that this is done for, or NULL. ERR_BUSY: the
 * table is in use, or somebody without a job is at it: try again. */
err_t schema_settle(struct ctx *cx, const struct project *p, const char *db, const char *col, const char *job) MUST_CHECK;
/* Awaits. Drops the tables of the project's deleted collections. Safe to repeat. */
err_t schema_sweep(struct ctx *cx, const struct project *p) MUST_CHECK;
/* Awaits. A job by its payload, made by schema_job, and its id. */
err_t schema_work(struct ctx *cx, struct str payload, const char *job) MUST_CHECK;
/* Awaits. All that is left over in all projects: run when the jobs role starts. */
err_t schema_recover(struct ctx *cx) MUST_CHECK;

/* ---- for the files of this module ---- */
/* Adds the job that settles this collection (c NULL: that sweeps the project) to the transaction. */
void schema_job(struct db_tx *tx, const struct project *p, const struct collection *c);
/* Columns of a row of <schema>.collections that collection_read takes; a collection without what documents need. Give it back with
 * collection_unref. */
const char *collection_columns(struct ctx *cx, const char *schema);
err_t collection_read(struct ctx *cx, const struct db_res *r, int row, int col, int64_t database, const char *database_id,
    struct collection **out) MUST_CHECK;
void collection_unref(void *c);
const char *attribute_format_name(enum attr_format f);
/* False: there is none of this name, and *out is the first. */
bool attribute_kind_by(const char *name, enum attr_kind *out);
bool attribute_format_by(const char *name, enum attr_format *out);
/* Payloads of events. */
struct str attribute_payload(struct ctx *cx, const struct attribute *a, const char *status);
struct str index_payload(struct ctx *cx, const struct collection *c, const struct index *x, const char *status);
/* To cx's client. */
struct str attribute_json(struct ctx *cx, const struct attribute *a, const char *status);
struct str index_json(struct ctx *cx, const struct collection *c, const struct index *x, const char *status);
/* Bounds as numbers, from their texts. */
void attribute_read_bounds(struct attribute *a);
/* A condition on its column that PostgreSQL is to check; NULL: there is none. */
const char *attribute_sql_check(struct arena *a, const struct attribute *at);
/* "bigint[]": the type of an attribute's column in this schema. */
const char *attribute_sql_type(struct arena *a, const char *schema, const struct attribute *at);
/* Characters that count of the i-th attribute of an index; 0: all. */
int64_t index_length(const struct index *x, int i);
/* Whether the i-th attribute of an index descends: its order says so, in letters of any size; the rest ascends. */
bool index_descends(const struct index *x, int i);
/* Indexes on the documents' table that one index of the API is made of. */
struct index_plan {
	int n;				/* 0: one that every table has serves it */
	const char *name[2], *sql[2];	/* names without schema; CREATE INDEX CONCURRENTLY statements */
};
/* False with a reason when the definition cannot work. */
bool index_plan(struct ctx *cx, const char *schema, const struct collection *c, const struct index *x, struct index_plan *out,
    const char **why_out);
/* SQL of the hashes of a list's elements where they are too long for an index themselves, else NULL. */
const char *index_hashes(struct arena *a, const char *schema, const struct attribute *at);
/* SQL of the words (tsvector) of a fulltext index over these attributes. */
const char *index_words(struct arena *a, const char *schema, const struct collection *c, const struct strs *keys);
/* query_via.begin of a relationship. */
const char *collection_via(struct arena *a, const char *schema, const struct relation *r);
const char *collection_stale_key(struct ctx *cx, const char *project_id, const char *db, const char *id);
/* An event of this collection's schema on the console's channel, for the project's owners. */
struct event collection_event(struct ctx *cx, const struct event_info *kind, const struct project *p, const char *actor, const struct collection *c,
    const char *key, struct str payload);
/* The same when what was asked for is done (EVENT_DONE). */
struct event collection_done(struct ctx *cx, const struct event_info *kind, const struct project *p, const char *actor, const struct collection *c,
    const char *key, struct str payload);

#endif
