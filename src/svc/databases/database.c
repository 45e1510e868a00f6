/* Databases of a project. */
#include "svc/databases/database.h"

#include "core/vtime.h"
#include "svc/databases/collection.h"

static const struct field database_fields[] = {
    FIELD(F_ID, struct database, id, "$id", "id", "Database ID."),
    FIELD(F_STR, struct database, name, "name", "name", "Database name."),
    FIELD(F_TIME, struct database, created, "$createdAt", "created", "Creation date in ISO 8601."),
    FIELD(F_TIME, struct database, updated, "$updatedAt", "updated", "Date of the last change in ISO 8601."),
    FIELD_HIDDEN(F_INT, struct database, internal, "internal"),
};
const struct shape database_shape = SHAPE("database", struct database, database_fields);

static const char *
lower_id(struct ctx *cx, const char *id)
{
	return str_dup(cx->arena, str_lower(cx->arena, str_c(id)));
}

const char *
database_stale_key(struct ctx *cx, const char *project_id, const char *id)
{
	return arena_printf(cx->arena, "database:%s:%s", project_id, lower_id(cx, id));
}

static struct event
database_event(struct ctx *cx, const struct event_info *kind, const struct project *p, const char *actor, const struct database *d)
{
	return (struct event){.kind = kind, .project = p->id, .ids = {d->id}, .payload = shape_json(cx, &database_shape, d),
	    .actor = actor, .stale = {database_stale_key(cx, p->id, d->id)}};
}

static const char *
search_text(struct ctx *cx, const char *id, const char *name)
{
	return arena_printf(cx->arena, "%s %s", id, name);
}

err_t
database_create(struct ctx *cx, const struct project *p, const char *actor, const char *id, const char *name, struct database *out)
{
	struct event ev;
	const char *now, *sql;
	err_t e;

	*out = (struct database){.id = id, .name = name, .created = time_now_ms()};
	out->updated = out->created;
	now = pg_time(cx->arena, out->created);
	ev = database_event(cx, &ev_database_create, p, actor, out);
	sql = arena_printf(cx->arena, "INSERT INTO %s.databases (id, name, search, created, updated) VALUES ($1, $2, $3, $4, $4) "
	    "RETURNING internal", p->schema);
	e = event_write(cx, &ev, NULL, sql, DB(id, name, search_text(cx, id, name), now));
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_DATABASE_ALREADY_EXISTS, "id=%s", id);
	return e;
}

err_t
database_get(struct ctx *cx, const struct project *p, const char *id, struct database *out)
{
	struct db_res *r;
	const char *sql = arena_printf(cx->arena, "SELECT %s FROM %s.databases WHERE lower(id) = $1", shape_columns(&database_shape),
	    p->schema);

	TRY(db_query(cx, &r, sql, DB(lower_id(cx, id))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_DATABASE_NOT_FOUND, "id=%s", id);
	shape_read(cx, &database_shape, out, r, 0, 0);
	return OK;
}

err_t
database_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search, bool total,
    struct query_page *out)
{
	static const struct query_attr attrs[] = {{"name", "name", ATTR_STRING, false, true}};
	struct query_list l = {.entity = "Database", .from = arena_printf(cx->arena, "%s.databases", p->schema), .seq = "internal",
	    .id = "id", .search = "search", .attrs = attrs, .n_attrs = 1, .flags = total ? 0 : QUERY_NO_TOTAL};

	return query_list(cx, &l, &database_shape, queries, search, out);
}

err_t
database_rename(struct ctx *cx, const struct project *p, const char *actor, const char *id, const char *name, struct database *out)
{
	struct event ev;
	struct db_res *r;
	const char *sql;

	TRY(database_get(cx, p, id, out));
	out->name = name;
	out->updated = time_now_ms();
	ev = database_event(cx, &ev_database_update, p, actor, out);
	sql = arena_printf(cx->arena, "UPDATE %s.databases SET name = $2, search = $3, updated = $4 WHERE internal = $1 RETURNING internal",
	    p->schema);
	TRY(event_write(cx, &ev, &r, sql, DB(pg_i64(cx->arena, out->internal), name, search_text(cx, out->id, name),
	    pg_time(cx->arena, out->updated))));
	return db_rows(r) ? OK : fail(cx, ERR_DATABASE_NOT_FOUND, "id=%s", id);
}

static err_t
delete(struct db_tx *tx, const struct project *p, const char *actor, const char *id)
{
	struct ctx *cx = tx_ctx(tx);
	struct database d;
	struct db_res *r;
	struct event ev;

	TRY(tx_query(tx, &r, arena_printf(cx->arena, "DELETE FROM %s.databases WHERE lower(id) = $1 RETURNING %s", p->schema,
	    shape_columns(&database_shape)), DB(lower_id(cx, id))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_DATABASE_NOT_FOUND, "id=%s", id);
	shape_read(cx, &database_shape, &d, r, 0, 0);
	schema_job(tx, p, NULL);	/* the documents' tables */
	ev = database_event(cx, &ev_database_delete, p, actor, &d);
	event_emit(tx, &ev);
	return OK;
}

err_t
database_delete(struct ctx *cx, const struct project *p, const char *actor, const char *id)
{
	return TX_RUN(cx, tx, delete(tx, p, actor, id));
}
