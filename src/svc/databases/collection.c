/* Collections: creation, changes, deletion, lists. The table of the documents is made with the row; when the row goes, the table is
 * unreachable at once and dropped in the background. */
#include "svc/databases/collection.h"

#include "core/map.h"
#include "core/vtime.h"
#include "core/words.h"
#include "model/job.h"
#include "model/record.h"
#include "model/roles.h"
#include "schema_priv.h"

static const char *
search_text(struct ctx *cx, const char *id, const char *name)
{
	return arena_printf(cx->arena, "%s %s", id, name);
}

static struct event
changed(struct ctx *cx, const struct event_info *kind, const struct project *p, const char *actor, const struct collection *c)
{
	return (struct event){.kind = kind, .project = p->id, .ids = {c->database_id, c->id}, .payload = collection_json(cx, c, true),
	    .actor = actor, .stale = {collection_stale_key(cx, p->id, c->database_id, c->id)}};
}

struct event
collection_event(struct ctx *cx, const struct event_info *kind, const struct project *p, const char *actor, const struct collection *c,
    const char *key, struct str payload)
{
	const char *id = arena_printf(cx->arena, "%lld_%lld_%s", (long long)c->database, (long long)c->internal, key);
	struct event ev = {.kind = kind, .project = p->id, .ids = {c->database_id, c->id, id}, .payload = payload, .actor = actor,
	    .stale = {collection_stale_key(cx, p->id, c->database_id, c->id)}};

	if (p->team_id != NULL)
		ev.roles = roles_one(cx->arena, "team", p->team_id);
	return ev;
}

struct event
collection_done(struct ctx *cx, const struct event_info *kind, const struct project *p, const char *actor, const struct collection *c,
    const char *key, struct str payload)
{
	struct event ev = collection_event(cx, kind, p, actor, c, key, payload);

	ev.flags = EVENT_DONE;
	return ev;
}

static const char *
perms_literal(struct ctx *cx, const struct strs *perms)
{
	return perms->set ? pg_array(cx->arena, perms->v, perms->n) : NULL;
}

/* ---- creation ---- */

void
collection_table_indexes(struct db_tx *tx, const char *schema, int64_t internal)
{
	struct arena *a = tx_ctx(tx)->arena;
	const char *c = arena_printf(a, "c_%lld", (long long)internal);

	tx_add(tx, arena_printf(a, "CREATE UNIQUE INDEX %s_id ON %s.%s (lower(_id))", c, schema, c), DB0);
	tx_add(tx, arena_printf(a, "CREATE INDEX %s_read ON %s.%s USING gin (_read)", c, schema, c), DB0);
	tx_add(tx, arena_printf(a, "CREATE INDEX %s_created ON %s.%s (_created, _seq)", c, schema, c), DB0);
	tx_add(tx, arena_printf(a, "CREATE INDEX %s_updated ON %s.%s (_updated, _seq)", c, schema, c), DB0);
}

/* The condition takes the number and is never true: nothing is called, and nothing kept until the end of the statement. It goes with the table. */
void
collection_table_counted(struct db_tx *tx, const char *schema, int64_t internal)
{
	struct arena *a = tx_ctx(tx)->arena;
	const char *c = arena_printf(a, "%s.c_%lld", schema, (long long)internal), *v = arena_printf(a, "%s.v_%lld", schema, (long long)internal);

	tx_add(tx, arena_printf(a, "CREATE SEQUENCE IF NOT EXISTS %s OWNED BY %s._id", v, c), DB0);
	tx_add(tx, arena_printf(a, "CREATE TRIGGER counted AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW WHEN (nextval('%s') IS NULL) EXECUTE "
	    "FUNCTION %s.counted()", c, v, schema), DB0);
	tx_add(tx, arena_printf(a, "ALTER TABLE %s ENABLE ALWAYS TRIGGER counted", c), DB0);
}

static void
create_table(struct db_tx *tx, const char *schema, const struct collection *c)
{
	struct buf b;

	buf_init(&b, tx_ctx(tx)->arena, 512);
	buf_printf(&b, "CREATE TABLE %s.c_%lld (_seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
	    "_id text COLLATE \"C\" NOT NULL, _created timestamptz(3) NOT NULL, _updated timestamptz(3) NOT NULL, _perms text[] NOT NULL, "
	    "_read text[] NOT NULL", schema, (long long)c->internal);
	for (int i = 0; i < c->n_attrs; i++)
		buf_printf(&b, ", %s %s", c->attrs[i].column, attribute_sql_type(b.arena, schema, &c->attrs[i]));
	for (int i = 0; i < c->n_attrs; i++)
		if (attribute_sql_check(b.arena, &c->attrs[i]) != NULL)
			buf_printf(&b, ", CONSTRAINT %s %s", c->attrs[i].column, attribute_sql_check(b.arena, &c->attrs[i]));
	buf_ch(&b, ')');
	tx_add(tx, buf_view(&b).p, DB0);
	collection_table_indexes(tx, schema, c->internal);
	collection_table_counted(tx, schema, c->internal);
}

/* ---- what it has from the beginning ---- */

static err_t
twice(struct ctx *cx, const char *what, const char *key)
{
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid %s: the key \"%s\" is named twice.", words_say(cx->arena, cx->words, what), key);
}

static err_t
draft_attributes(struct ctx *cx, const struct collection_in *in, struct collection *c)
{
	c->attrs = arena_array(cx->arena, struct attribute, in->n_attrs + 1);
	for (int i = 0; i < in->n_attrs; i++) {
		struct attribute *a = &c->attrs[i];

		if (attribute_lookup(c, in->attrs[i].key) != NULL)
			return twice(cx, "attributes", in->attrs[i].key);
		*a = attribute_of(&in->attrs[i]);
		a->available = true;
		a->created = a->updated = c->created;
		(void)map_set(c->by_key, str_c(a->key), a);
		c->n_attrs++;
	}
	return OK;
}

static err_t
draft_index(struct ctx *cx, const struct index *in, struct collection *c)
{
	struct index *x = &c->indexes[c->n_indexes];
	err_t e = index_check_new(cx, c, in, true);

	if (e == ERR_INDEX_ALREADY_EXISTS)
		return twice(cx, "indexes", in->key);
	if (e == ERR_INDEX_LIMIT_EXCEEDED)
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid indexes: there are more than a collection has.");
	if (e == ERR_ATTRIBUTE_UNKNOWN)
		return ERR_INDEX_INVALID;
	TRY(e);
	*x = *in;
	x->status = "available";
	x->error = "";
	x->created = x->updated = c->created;
	c->n_indexes++;
	return OK;
}

/* The collection with what is asked for, as if it were there: so far without numbers. */
static err_t
draft(struct ctx *cx, const struct collection_in *in, struct collection *c)
{
	c->by_key = map_for(cx);
	TRY(draft_attributes(cx, in, c));
	c->indexes = arena_array(cx->arena, struct index, in->n_indexes + 1);
	for (int i = 0; i < in->n_indexes; i++)
		TRY(draft_index(cx, &in->indexes[i], c));
	return collection_width(c) < ROW_WIDTH_MAX ? OK : fail(cx, ERR_COLLECTION_LIMIT_EXCEEDED, "width=%lld", (long long)collection_width(c));
}

static err_t
draft_number(struct db_tx *tx, const struct project *p, struct collection *c)
{
	struct ctx *cx = tx_ctx(tx);
	int64_t *v = arena_array(cx->arena, int64_t, c->n_attrs + c->n_indexes + 1);

	if (c->n_attrs > 0)
		TRY(schema_numbers(tx, p, "attributes", c->n_attrs, v));
	if (c->n_indexes > 0)
		TRY(schema_numbers(tx, p, "indexes", c->n_indexes, v + c->n_attrs));
	for (int i = 0; i < c->n_attrs; i++)
		attribute_set_number(cx->arena, &c->attrs[i], v[i]);
	for (int i = 0; i < c->n_indexes; i++)
		c->indexes[i].internal = v[c->n_attrs + i];
	return OK;
}

/* Nobody else sees the table yet: indexes are made at once, without regard to writers. */
static err_t
draft_write(struct db_tx *tx, const struct project *p, const struct collection *c)
{
	for (int i = 0; i < c->n_attrs; i++)
		attribute_insert(tx, p, c, &c->attrs[i]);
	for (int i = 0; i < c->n_indexes; i++) {
		index_insert(tx, p, c, &c->indexes[i]);
		TRY(index_build_within(tx, p, c, &c->indexes[i]));
	}
	return OK;
}

static err_t
collection_insert(struct db_tx *tx, const struct project *p, const char *actor, struct collection *c, struct str *json_out)
{
	struct ctx *cx = tx_ctx(tx);
	const char *database = pg_i64(cx->arena, c->database);
	struct db_res *r;
	struct event ev;
	err_t e;

	/* the lock keeps a deletion of the database from passing between */
	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.databases WHERE internal = $1 FOR KEY SHARE", p->schema), DB(database));
	e = tx_query(tx, &r,
	    arena_printf(cx->arena, "INSERT INTO %s.collections (database, id, name, search, enabled, document_security, permissions, created, "
	    "updated) SELECT internal, $2, $3, $4, $5::boolean, $6::boolean, $7::text[], $8::timestamptz, $8::timestamptz "
	    "FROM %s.databases WHERE internal = $1::bigint RETURNING internal", p->schema, p->schema),
	    DB(database, c->id, c->name, search_text(cx, c->id, c->name), pg_bool(c->enabled), pg_bool(c->document_security),
	    perms_literal(cx, &c->permissions), pg_time(cx->arena, c->created)));
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_COLLECTION_ALREADY_EXISTS, "id=%s", c->id);
	TRY(e);
	if (db_rows(r) == 0)
		return fail(cx, ERR_DATABASE_NOT_FOUND, "id=%s", c->database_id);
	c->internal = db_i64(r, 0, 0);
	TRY(draft_number(tx, p, c));
	create_table(tx, p->schema, c);
	TRY(draft_write(tx, p, c));
	ev = changed(cx, &ev_collection_create, p, actor, c);
	event_emit(tx, &ev);
	*json_out = collection_json(cx, c, false);
	return OK;
}

err_t
collection_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const struct collection_in *in,
    struct str *json_out)
{
	struct collection c = {.id = in->id, .name = in->name, .permissions = in->permissions, .enabled = in->enabled,
	    .document_security = in->document_security, .created = time_now_ms()};
	struct database d;

	TRY(database_get(cx, p, db, &d));
	c.updated = c.created;
	c.database = d.internal;
	c.database_id = d.id;
	c.permissions.set = true;
	TRY(draft(cx, in, &c));
	for (int i = 0; i < in->n_attrs; i++)
		TRY(attribute_check_geo(cx, in->attrs[i].kind, in->attrs[i].def, &c.attrs[i].geo));
	return TX_RUN(cx, tx, collection_insert(tx, p, actor, &c, json_out));
}

err_t
collection_check_free(struct ctx *cx, const struct project *p, const char *db, const char *id)
{
	const struct collection *c;
	err_t e = collection_get(cx, p, db, id, &c);

	if (e == OK)
		return fail(cx, ERR_COLLECTION_ALREADY_EXISTS, "id=%s", id);
	return e == ERR_COLLECTION_NOT_FOUND ? OK : e;
}

/* ---- changes ---- */

/* The collection as `sql` leaves it, with its attributes and indexes. `strength` is the lock it needs anyway: whoever has it may be changing those,
 * and a statement sees only what was there when it began. */
static err_t
write_row(struct db_tx *tx, const struct project *p, const struct collection *known, const char *strength, struct collection **out, const char *sql,
    int n, const char *const *v)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	tx_add(tx, arena_printf(cx->arena, "SELECT 1 FROM %s.collections WHERE internal = $1::bigint FOR %s", p->schema, strength), DB(v[0]));
	TRY(tx_query(tx, &r, arena_printf(cx->arena, "%s WHERE internal = $1::bigint RETURNING %s", sql, collection_columns(cx, p->schema)), n, v));
	if (db_rows(r) == 0)
		return fail(cx, ERR_COLLECTION_NOT_FOUND, "id=%s", known->id);
	TRY(collection_read(cx, r, 0, 0, known->database, known->database_id, out));
	defer(cx, collection_unref, *out);
	return OK;
}

static err_t
collection_update_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known, const struct collection_in *in,
    struct str *json_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct collection *c;
	struct event ev;

	TRY(write_row(tx, p, known, "NO KEY UPDATE", &c,
	    arena_printf(cx->arena, "UPDATE %s.collections SET name = coalesce($2, name), search = coalesce($3, search), enabled = $4::boolean, document_security = $5::boolean, "
	    "permissions = coalesce($6::text[], permissions), updated = $7::timestamptz", p->schema),
	    DB(pg_i64(cx->arena, known->internal), in->name, in->name ? search_text(cx, known->id, in->name) : NULL, pg_bool(in->enabled),
	    pg_bool(in->document_security), perms_literal(cx, &in->permissions), pg_time(cx->arena, time_now_ms()))));
	ev = changed(cx, &ev_collection_update, p, actor, c);
	event_emit(tx, &ev);
	*json_out = collection_json(cx, c, false);
	return OK;
}

err_t
collection_update(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *id,
    const struct collection_in *in, struct str *json_out)
{
	const struct collection *c;

	TRY(collection_get(cx, p, db, id, &c));
	return TX_RUN(cx, tx, collection_update_tx(tx, p, actor, c, in, json_out));
}

static err_t
collection_delete_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known)
{
	struct ctx *cx = tx_ctx(tx);
	struct collection *c;
	struct event ev;

	TRY(relation_orphan(tx, p, actor, known));
	TRY(write_row(tx, p, known, "UPDATE", &c, arena_printf(cx->arena, "DELETE FROM %s.collections", p->schema),
	    DB(pg_i64(cx->arena, known->internal))));
	schema_job(tx, p, NULL);
	ev = changed(cx, &ev_collection_delete, p, actor, c);
	event_emit(tx, &ev);
	return OK;
}

err_t
collection_delete(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *id)
{
	const struct collection *c;

	TRY(collection_get(cx, p, db, id, &c));
	return TX_RUN(cx, tx, collection_delete_tx(tx, p, actor, c));
}

/* ---- lists ---- */

static err_t
collection_write_page(struct ctx *cx, const struct database *d, const struct query_page *page, struct str *json_out)
{
	int n = page->res ? db_rows(page->res) : 0;
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 1024);
	jw_init(&w, &b);
	w.words = cx->words;
	w.format = cx->format;
	jw_obj(&w);
	JW_KEY(&w, "total");
	jw_i64(&w, page->total);
	jw_word(&w, "collections");
	jw_arr(&w);
	for (int i = 0; i < n; i++) {
		struct collection *c;

		TRY(collection_read(cx, page->res, i, 0, d->internal, d->id, &c));
		collection_write(&w, c);
		collection_unref(c);
	}
	jw_arr_end(&w);
	jw_obj_end(&w);
	*json_out = buf_view(&b);
	return OK;
}

err_t
collection_list(struct ctx *cx, const struct project *p, const char *db, const struct strs *queries, const char *search,
    struct str *json_out)
{
	struct query_list l = {.entity = words_say(cx->arena, cx->words, "Collection"), .from = arena_printf(cx->arena, "%s.collections", p->schema),
	    .columns = collection_columns(cx, p->schema), .where = "database = $1::bigint", .n = 1, .seq = "internal", .id = "id",
	    .search = "search"};
	struct query_page page;
	struct database d;

	TRY(database_get(cx, p, db, &d));
	l.attrs = shape_asked(shape_in(cx->words, &collection_shape), &l.n_attrs);
	l.v = (const char *const[]){pg_i64(cx->arena, d.internal)};
	TRY(query_list(cx, &l, NULL, queries, search, &page));
	return collection_write_page(cx, &d, &page, json_out);
}
