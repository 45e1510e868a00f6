/* The cache of collections: read in one round trip, with everything a document request needs made in advance.
 *
 * An entry counts while two generations stand: its own and its database's. It is immutable and counted: a request that holds it
 * keeps working with the schema it started with. */
#include "svc/databases/collection.h"

#include <stdlib.h>

#include "core/conf.h"
#include "core/gen.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"

enum { WIDTH_SYSTEM = 200, WIDTH_PLAIN = 30, WIDTH_POINT = 48, WIDTH_LIST_MAX = 6 << 20 };	/* bytes */

static struct lru *cache;

static void
unref(void *arg)
{
	struct collection *c = arg;

	if (--c->refs > 0)
		return;
	map_free(&c->by_key);
	struct arena *a = c->arena;	/* holds c itself */
	arena_free(&a);
}

static struct str
lower_key(struct arena *a, const char *kind, const char *project, const char *db, const char *id)
{
	struct buf b;

	buf_init(&b, a, 128);
	buf_printf(&b, "%s:%s:", kind, project);
	buf_str(&b, str_lower(a, str_c(db)));
	if (id != NULL) {
		buf_ch(&b, ':');
		buf_str(&b, str_lower(a, str_c(id)));
	}
	return buf_view(&b);
}

const char *
collection_stale_key(struct ctx *cx, const char *project_id, const char *db, const char *id)
{
	return lower_key(cx->arena, "collection", project_id, db, id).p;
}

/* ---- from the row ---- */

static const char *
text_in(struct arena *a, const json_t *o, const char *key)
{
	const json_t *j = json_object_get(o, key);

	return json_is_string(j) ? str_dup(a, json_str(j)) : NULL;
}

static int64_t
date_in(const json_t *o, const char *key)
{
	int64_t ms;

	return time_parse(json_str(json_object_get(o, key)), &ms) ? ms : 0;
}

static struct strs
texts_in(struct arena *a, const json_t *o, const char *key)
{
	const json_t *j = json_object_get(o, key);
	struct strs s = {.set = true, .v = arena_array(a, const char *, json_array_size(j) + 1)};

	for (size_t i = 0; i < json_array_size(j); i++)
		s.v[s.n++] = str_dup(a, json_str(json_array_get(j, i)));
	return s;
}

static struct str
key_json(struct arena *a, const char *key)
{
	struct buf b;

	buf_init(&b, a, strlen(key) + 4);
	json_escape(&b, str_c(key));
	buf_ch(&b, ':');
	return buf_view(&b);
}

/* A default's JSON without quotes and escapes. */
static const char *
default_value(struct arena *a, const struct attribute *at)
{
	json_t *j = at->def ? json_loads(at->def, JSON_DECODE_ANY, NULL) : NULL;
	const char *text = at->def, *why;
	struct str sql;

	if (at->type == ATTR_GEO)
		text = j != NULL && geo_read(a, attr_kinds[at->kind].geo, j, &sql, &why) ? sql.p : NULL;
	else if (json_is_string(j))
		text = str_dup(a, json_str(j));
	json_decref(j);
	return text;
}

/* As the side that the row is of has it. */
static void
read_relation(struct arena *a, const json_t *j, struct relation *out)
{
	*out = (struct relation){.number = json_integer_value(json_object_get(j, "relation")), .related = json_integer_value(json_object_get(j, "related")),
	    .related_id = text_in(a, j, "related_id"), .two_way = json_is_true(json_object_get(j, "two_way")), .two_way_key = text_in(a, j, "two_way_key"),
	    .child = str_is(json_str(json_object_get(j, "side")), "child"),
	    .kind = (enum relation_kind)relation_name(relation_kinds, json_string_value(json_object_get(j, "relation_type"))),
	    .end = (enum relation_end)relation_name(relation_ends, json_string_value(json_object_get(j, "on_delete")))};
}

static void
read_attribute(struct arena *a, const json_t *j, struct attribute *out)
{
	out->internal = json_integer_value(json_object_get(j, "internal"));
	out->key = text_in(a, j, "key");
	out->column = arena_printf(a, "a_%lld", (long long)out->internal);
	(void)attribute_kind_by(text_in(a, j, "type"), &out->kind);	/* what is stored is known */
	(void)attribute_format_by(text_in(a, j, "format"), &out->format);
	out->type = attr_kinds[out->kind].type;
	out->encrypt = json_is_true(json_object_get(j, "encrypt"));
	out->error = text_in(a, j, "error");
	out->created = date_in(j, "created");
	out->updated = date_in(j, "updated");
	out->size = json_integer_value(json_object_get(j, "size"));
	out->required = json_is_true(json_object_get(j, "required"));
	out->array = json_is_true(json_object_get(j, "array"));
	out->status = text_in(a, j, "status");
	/* a stuck attribute is still there; only what is being made or has failed is not */
	out->available = strcmp(out->status, "processing") != 0 && strcmp(out->status, "failed") != 0;
	out->min = text_in(a, j, "min");
	out->max = text_in(a, j, "max");
	out->elements = texts_in(a, j, "elements");
	out->def = text_in(a, j, "def");
	out->def_value = default_value(a, out);
	out->json_key = key_json(a, out->key);
	out->place = -1;
	attribute_read_bounds(out);
	if (out->kind == KIND_RELATIONSHIP) {
		struct relation *r = arena_new_of(a, struct relation);

		read_relation(a, j, r);
		out->rel = r;
	}
}

static void
read_lengths(struct arena *a, const json_t *list, struct index *out)
{
	int64_t *v = arena_array(a, int64_t, json_array_size(list) + 1);

	out->n_lengths = (int)json_array_size(list);
	for (int i = 0; i < out->n_lengths; i++)
		v[i] = json_integer_value(json_array_get(list, (size_t)i));
	out->lengths = v;
}

static void
read_index(struct arena *a, const json_t *j, struct index *out)
{
	out->internal = json_integer_value(json_object_get(j, "internal"));
	out->key = text_in(a, j, "key");
	out->type = text_in(a, j, "type");
	out->status = text_in(a, j, "status");
	out->attributes = texts_in(a, j, "attributes");
	out->orders = texts_in(a, j, "orders");
	out->error = text_in(a, j, "error");
	out->created = date_in(j, "created");
	out->updated = date_in(j, "updated");
	read_lengths(a, json_object_get(j, "lengths"), out);
}

static void
read_schema(struct collection *c, const json_t *attrs, const json_t *indexes, const json_t *incoming)
{
	struct arena *a = c->arena;

	c->n_attrs = (int)json_array_size(attrs);
	c->attrs = arena_array(a, struct attribute, c->n_attrs + 1);
	c->live = arena_array(a, const struct attribute *, c->n_attrs + 1);
	c->rels = arena_array(a, const struct attribute *, c->n_attrs + 1);
	for (int i = 0; i < c->n_attrs; i++) {
		struct attribute *at = &c->attrs[i];

		read_attribute(a, json_array_get(attrs, (size_t)i), at);
		at->geo = at->type == ATTR_GEO ? c->geo : NULL;
		(void)map_set(c->by_key, str_c(at->key), at);	/* keys are unique: nothing is replaced */
		if (at->available && at->rel != NULL) {
			c->rels[c->n_rels++] = at;
		} else if (at->available) {
			at->place = c->n_live;
			c->live[c->n_live++] = at;
		}
	}
	c->n_indexes = (int)json_array_size(indexes);
	c->indexes = arena_array(a, struct index, c->n_indexes + 1);
	for (int i = 0; i < c->n_indexes; i++)
		read_index(a, json_array_get(indexes, (size_t)i), &c->indexes[i]);
	c->n_incoming = (int)json_array_size(incoming);
	c->incoming = arena_array(a, struct relation, c->n_incoming + 1);
	for (int i = 0; i < c->n_incoming; i++)
		read_relation(a, json_array_get(incoming, (size_t)i), &c->incoming[i]);
}

/* ---- made in advance ---- */

static void
make_columns(struct collection *c)
{
	struct buf b;

	buf_init(&b, c->arena, 256);
	BUF_LIT(&b, "_id,_created,_updated,_perms,_seq");
	for (int i = 0; i < c->n_live; i++)
		buf_printf(&b, ",%s", c->live[i]->column);
	c->columns = b.p;
}

/* Of a value that may be long; 0: it is short. */
static int64_t
most_bytes(const struct attribute *at)
{
	if (at->array)
		return WIDTH_LIST_MAX;
	if (at->type == ATTR_GEO)
		return at->kind == KIND_POINT ? 0 : (int64_t)GEO_POINTS_MAX * WIDTH_POINT;
	return at->type == ATTR_STRING ? attribute_bytes(at) : 0;
}

/* What a row's values come to as text. The length of a text is known without reading it; a list has to be read, for it may be stored
 * compressed. */
static void
make_width(struct collection *c)
{
	int64_t fixed = WIDTH_SYSTEM;
	struct buf b;

	buf_init(&b, c->arena, 256);
	for (int i = 0; i < c->n_live; i++) {
		const struct attribute *at = c->live[i];

		if (at->array && !at->encrypt)
			buf_printf(&b, " + coalesce(octet_length(%s::text), 0)", at->column);
		else if (at->type == ATTR_STRING)
			buf_printf(&b, " + coalesce(octet_length(%s), 0)", at->column);
		else if (at->type == ATTR_GEO && at->kind != KIND_POINT)
			buf_printf(&b, " + coalesce(%s.ST_MemSize(%s), 0) * 3", at->geo, at->column);
		else
			fixed += WIDTH_PLAIN;
		c->width_max += most_bytes(at);
	}
	c->width_max += fixed;
	c->width = arena_printf(c->arena, "%lld::bigint%.*s", (long long)fixed, STR_FMT(buf_view(&b)));
	c->slim = arena_printf(c->arena, "_seq, %s AS _width", c->width);
}

static void
make_insert(struct collection *c)
{
	struct buf b;

	buf_init(&b, c->arena, 512);
	buf_printf(&b, "INSERT INTO %s (_id,_created,_updated,_perms,_read", c->table);
	for (int i = 0; i < c->n_live; i++)
		buf_printf(&b, ",%s", c->live[i]->column);
	BUF_LIT(&b, ") VALUES ($1,$2,$3,$4,$5");
	for (int i = 0; i < c->n_live; i++)
		buf_printf(&b, ",$%d", 6 + i);
	BUF_LIT(&b, ") RETURNING _seq");
	c->sql_insert = b.p;
}

const char *
collection_via(struct arena *a, const char *schema, const struct relation *r)
{
	return arena_printf(a, "_seq IN (SELECT l.%s FROM %s.r_%lld AS l JOIN %s.c_%lld ON _seq = l.%s WHERE ", r->child ? "child" : "parent", schema,
	    (long long)r->number, schema, (long long)r->related, r->child ? "parent" : "child");
}

/* What may be asked of a relationship itself. */
static struct query_attr
link_attr(const struct collection *c, const char *schema, const struct attribute *at)
{
	struct query_via *via = arena_new_of(c->arena, struct query_via);

	via->begin = collection_via(c->arena, schema, at->rel);
	return (struct query_attr){.key = at->key, .column = "lower(_id)", .type = ATTR_STRING, .lower = true, .via = via, .link = true,
	    .list_side = relation_many(at->rel)};
}

static void
make_query_attrs(struct collection *c, const char *schema)
{
	int n = 0;

	c->query_attrs = arena_array(c->arena, struct query_attr, c->n_live + c->n_rels + 3);
	for (int i = 0; i < c->n_live; i++) {
		const struct attribute *at = c->live[i];

		c->query_attrs[n++] = (struct query_attr){.key = at->key, .column = at->column, .type = at->type, .array = at->array,
		    .hashes = index_hashes(c->arena, schema, at), .size = most_bytes(at), .geo = at->geo, .geo_type = attr_kinds[at->kind].geo,
		    .sealed = at->encrypt, .digits = at->kind == KIND_BIGINT, .narrow = at->kind == KIND_INTEGER && at->int_max <= INT32_MAX};
	}
	c->query_attrs[n++] = (struct query_attr){"$createdAt", "_created", ATTR_DATETIME, false, true};
	c->query_attrs[n++] = (struct query_attr){"$updatedAt", "_updated", ATTR_DATETIME, false, true};
	for (int i = 0; i < c->n_rels; i++)
		c->query_attrs[n++] = link_attr(c, schema, c->rels[i]);
	c->n_query_attrs = n;
}

static void
make_query_indexes(struct collection *c, const char *schema)
{
	c->query_indexes = arena_array(c->arena, struct query_index, c->n_indexes + 1);
	for (int i = 0; i < c->n_indexes; i++) {
		const struct index *x = &c->indexes[i];
		bool available = strcmp(x->status, "available") == 0;

		c->query_indexes[i] = (struct query_index){.attributes = x->attributes, .available = available};
		if (available && strcmp(x->type, "fulltext") == 0)
			c->query_indexes[i].words = index_words(c->arena, schema, c, &x->attributes);
	}
}

static void
make_tails(struct collection *c)
{
	static const struct { bool table, collection; } members[TAILS] = {[TAIL_DOCUMENT] = {false, true}, [TAIL_ROW] = {true, false}, [TAIL_BOTH] = {true, true}};

	for (int i = 0; i < TAILS; i++) {
		struct buf b;
		struct jw w;

		buf_init(&b, c->arena, 128);
		jw_init(&w, &b);
		if (members[i].table) {
			JW_KEY(&w, "$tableId");
			jw_cstr(&w, c->id);
		}
		if (members[i].collection) {
			JW_KEY(&w, "$collectionId");
			jw_cstr(&w, c->id);
		}
		JW_KEY(&w, "$databaseId");
		jw_cstr(&w, c->database_id);
		buf_ch(&b, '}');
		c->json_tails[i] = buf_view(&b);
	}
}

static void
make_all(struct collection *c, const char *schema, bool counted)
{
	struct arena *a = c->arena;

	c->table = arena_printf(a, "%s.c_%lld", schema, (long long)c->internal);
	if (counted)
		c->changes = arena_printf(a, "%s.v_%lld", schema, (long long)c->internal);
	make_columns(c);
	make_width(c);
	make_insert(c);
	make_query_attrs(c, schema);
	make_query_indexes(c, schema);
	make_tails(c);
	c->sql_get = arena_printf(a, "SELECT %s FROM %s WHERE lower(_id) = $1", c->columns, c->table);
	c->sql_get_readable = arena_printf(a, "%s AND _read && $2::text[]", c->sql_get);
	c->sql_delete = arena_printf(a, "DELETE FROM %s WHERE _seq = $1", c->table);
	c->sql_lock = arena_printf(a, "SELECT %s FROM %s WHERE lower(_id) = $1 FOR NO KEY UPDATE", c->columns, c->table);
}

/* ---- load ---- */

const char *
collection_columns(struct ctx *cx, const char *schema)
{
	return arena_printf(cx->arena,
	    "collections.internal, collections.id, collections.name, collections.enabled, collections.document_security, "
	    "collections.permissions, collections.created, collections.updated, "
	    "(SELECT json_agg(a ORDER BY a.internal) FROM (SELECT a.*, r.id AS related_id FROM %s.attributes a LEFT JOIN %s.collections r ON r.internal = "
	    "a.related WHERE a.collection = collections.internal) AS a) AS attrs, "
	    "(SELECT json_agg(i ORDER BY i.internal) FROM %s.indexes i WHERE i.collection = collections.internal) AS idxs, "
	    "(SELECT json_agg(a ORDER BY a.relation) FROM (SELECT a.relation, a.collection AS related, a.relation_type, a.on_delete, 'child' AS side, "
	    "r.id AS related_id FROM %s.attributes a JOIN %s.collections r ON r.internal = a.collection WHERE a.related = collections.internal AND "
	    "NOT a.two_way) AS a) AS incoming, " GEO_SCHEMA_SQL " AS geo",
	    schema, schema, schema, schema, schema);
}

static const char *
collection_cache_load_sql(struct ctx *cx, const char *schema)
{
	return arena_printf(cx->arena,
	    "SELECT d.internal, d.id, d.enabled, current_setting('server_version_num')::int >= 150000 AND to_regclass('%s.v_' || collections.internal) IS NOT NULL, "
	    "d.type = 'tablesdb', %s FROM %s.databases d LEFT JOIN %s.collections ON collections.database = d.internal "
	    "AND lower(collections.id) = $2 WHERE lower(d.id) = $1",
	    schema, collection_columns(cx, schema), schema, schema);
}

static err_t
parse_list(struct ctx *cx, const struct db_res *r, int row, int col, const json_t **out)
{
	*out = NULL;
	if (db_null(r, row, col))
		return OK;
	*out = json_parse(cx, db_str(r, row, col), NULL);
	return *out ? OK : fail(cx, ERR_GENERAL_UNKNOWN, "a collection's schema does not parse");
}

err_t
collection_read(struct ctx *cx, const struct db_res *r, int row, int col, int64_t database, const char *database_id,
    struct collection **out)
{
	const json_t *attrs, *indexes, *incoming;
	struct strs perms = db_strs(cx, r, row, col + 5);
	struct collection *c;
	struct arena *a;

	TRY(parse_list(cx, r, row, col + 8, &attrs));
	TRY(parse_list(cx, r, row, col + 9, &indexes));
	TRY(parse_list(cx, r, row, col + 10, &incoming));
	a = arena_new();
	c = arena_new_of(a, struct collection);
	*c = (struct collection){.refs = 1, .arena = a, .by_key = map_new(), .database = database,
	    .database_id = arena_strdup(a, database_id), .internal = db_i64(r, row, col), .id = arena_strdup(a, db_cstr(r, row, col + 1)),
	    .name = arena_strdup(a, db_cstr(r, row, col + 2)), .enabled = db_bool(r, row, col + 3),
	    .document_security = db_bool(r, row, col + 4), .created = db_time(r, row, col + 6), .updated = db_time(r, row, col + 7)};
	c->geo = db_null(r, row, col + 11) ? NULL : arena_strdup(a, db_cstr(r, row, col + 11));
	c->permissions = (struct strs){.set = true, .v = arena_array(a, const char *, perms.n + 1)};
	for (int i = 0; i < perms.n; i++)
		c->permissions.v[c->permissions.n++] = arena_strdup(a, perms.v[i]);
	perms_split(a, &c->permissions, &c->perms);
	read_schema(c, attrs, indexes, incoming);
	*out = c;
	return OK;
}

void
collection_unref(void *arg)
{
	unref(arg);
}

static err_t
collection_cache_load(struct ctx *cx, const struct project *p, const char *db, const char *id, struct collection **out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, collection_cache_load_sql(cx, p->schema),
	    DB(str_dup(cx->arena, str_lower(cx->arena, str_c(db))), str_dup(cx->arena, str_lower(cx->arena, str_c(id))))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_DATABASE_NOT_FOUND, "id=%s", db);
	if (db_null(r, 0, 5))
		return fail(cx, ERR_COLLECTION_NOT_FOUND, "id=%s", id);
	TRY(collection_read(cx, r, 0, 5, db_i64(r, 0, 0), db_cstr(r, 0, 1), out));
	(*out)->database_enabled = db_bool(r, 0, 2);
	(*out)->of_tables = db_bool(r, 0, 4);
	make_all(*out, p->schema, db_bool(r, 0, 3));
	return OK;
}

err_t
collection_get(struct ctx *cx, const struct project *p, const char *db, const char *id, const struct collection **out)
{
	struct str key = lower_key(cx->arena, "collection", p->id, db, id);
	uint32_t gen = gen_of(key), db_gen = gen_of(lower_key(cx->arena, "database", p->id, db, NULL));
	struct collection *c;

	if (cache == NULL)
		cache = lru_new((size_t)conf.cache_entries, unref);
	c = lru_get(cache, key);
	if (c != NULL && c->gen == gen && c->db_gen == db_gen && c->project == p->internal) {
		metric_add(M_cache_hits, 1);
	} else {
		metric_add(M_cache_misses, 1);
		TRY(collection_cache_load(cx, p, db, id, &c));
		c->gen = gen;
		c->db_gen = db_gen;
		c->project = p->internal;
		lru_put(cache, key, c);
	}
	c->refs++;
	defer(cx, unref, c);
	*out = c;
	return OK;
}

void
collection_forget(const struct project *p, const char *db, const char *id)
{
	struct arena *a = arena_new();

	if (cache != NULL)
		lru_del(cache, lower_key(a, "collection", p->id, db, id));
	arena_free(&a);
}

const struct attribute *
collection_attribute(const struct collection *c, struct str key)
{
	return map_get(c->by_key, key);
}
