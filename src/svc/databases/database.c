/* Databases of a project. */
#include "svc/databases/database.h"

#include "model/record.h"
#include "svc/databases/collection.h"

static const char *const types[] = {"legacy", "tablesdb", NULL};

static const struct field database_fields[] = {
    FIELD(F_ID, struct database, id, "$id", "d.id", "Database ID.", .flags = COL_ASKED | COL_SEARCH),
    FIELD(F_STR, struct database, name, "name", "d.name", "Database name.", .flags = COL_ASKED | COL_SEARCH),
    FIELD(F_TIME, struct database, created, "$createdAt", "d.created", "Creation date in ISO 8601.", .flags = COL_ASKED),
    FIELD(F_TIME, struct database, updated, "$updatedAt", "d.updated", "Date of the last change in ISO 8601.", .flags = COL_ASKED),
    FIELD(F_BOOL, struct database, enabled, "enabled", "d.enabled", "false: its documents are hidden from everybody but keys and admins. Told since 1.4.0.",
	.since = 1004000),
    FIELD_ENUM(types, struct database, type, "type", "d.type", "Which API made it. Told since 1.8.0.", .since = 1008000),
    FIELD_ALWAYS("policies", "[]", SINCE_1_6, "Always empty: backups are the operator's. Told from 1.6.0 to 1.9.5, as the next one.", .until = SINCE_1_9_6),
    FIELD_ALWAYS("archives", "[]", SINCE_1_6, "Always empty.", .until = SINCE_1_9_6),
    {.key = "status", .type = F_CONST, .text = "\"ready\"", .doc = "Always ready. Told since 1.9.6.", .since = SINCE_1_9_6},
    FIELD_HIDDEN(F_INT, struct database, internal, "d.internal"),
};
const struct shape database_shape = SHAPE("database", struct database, database_fields);

const char *
database_stale_key(struct ctx *cx, const char *project_id, const char *id)
{
	return arena_printf(cx->arena, "database:%s:%s", project_id, str_lower(cx->arena, str_c(id)).p);
}

static void
database_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct database *d = obj;

	ev->ids[0] = d->id;
	ev->stale[0] = database_stale_key(cx, p->id, d->id);
}

static const struct record databases = {
	.shape = &database_shape,
	.table = ":schema.databases",
	.alias = "d",
	.entity = "Database",
	.missing = ERR_DATABASE_NOT_FOUND,
	.taken = ERR_DATABASE_ALREADY_EXISTS,
	.concerns = database_concerns,
};

err_t
database_create(struct ctx *cx, const struct project *p, const char *actor, const char *id, const char *name, bool enabled,
    struct database *out)
{
	struct event ev;

	*out = (struct database){.id = id, .name = name, .enabled = enabled, .type = types[cx->words != NULL]};
	record_init(cx, &databases, out);
	ev = record_event(cx, p, &databases, &ev_database_create, actor, out);
	return record_add(cx, p, &databases, out, &ev);
}

err_t
database_get(struct ctx *cx, const struct project *p, const char *id, struct database *out)
{
	return record_get(cx, p, &databases, rows_id(id), out);
}

err_t
database_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search,
    struct query_page *out)
{
	return record_list(cx, p, &databases, (struct rows){0}, queries, search, out);
}

static err_t
database_update_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *id, const char *name, bool enabled,
    struct database *out)
{
	const struct database values = {.name = name, .enabled = enabled};

	TRY(record_set(tx, p, &databases, rows_id(id), name ? "name enabled" : "enabled", &values, out));
	record_emit(tx, p, &databases, &ev_database_update, actor, out);
	return OK;
}

err_t
database_update(struct ctx *cx, const struct project *p, const char *actor, const char *id, const char *name, bool enabled,
    struct database *out)
{
	return TX_RUN(cx, tx, database_update_tx(tx, p, actor, id, name, enabled, out));
}

static err_t
database_delete_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *id)
{
	struct database d;

	TRY(record_delete(tx, p, &databases, rows_id(id), &d));
	schema_job(tx, p, NULL);	/* the documents' tables */
	record_emit(tx, p, &databases, &ev_database_delete, actor, &d);
	return OK;
}

err_t
database_delete(struct ctx *cx, const struct project *p, const char *actor, const char *id)
{
	return TX_RUN(cx, tx, database_delete_tx(tx, p, actor, id));
}
