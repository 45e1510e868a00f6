/* Indexes: the request leaves a row, the jobs role builds (schema_work.c). Deletion is immediate unless the table is busy. */
#include "svc/databases/collection.h"

#include "schema_priv.h"

enum { INDEXES_MAX = 59 };

static const struct index *
index_lookup_key(const struct collection *c, const char *key)
{
	for (int i = 0; i < c->n_indexes; i++)
		if (str_ieq(str_c(c->indexes[i].key), str_c(key)))
			return &c->indexes[i];
	return NULL;
}

static err_t
check_attribute(struct ctx *cx, const struct collection *c, const char *key)
{
	const struct attribute *a = collection_attribute(c, str_c(key));

	if (strcmp(key, "$id") == 0 || strcmp(key, "$createdAt") == 0 || strcmp(key, "$updatedAt") == 0)
		return OK;
	if (a == NULL)
		return fail_msg(cx, ERR_ATTRIBUTE_UNKNOWN, "Unknown attribute: %s", key);
	if (strcmp(a->status, "available") != 0)
		return fail_msg(cx, ERR_ATTRIBUTE_NOT_AVAILABLE, "Attribute not available: %s", key);
	return OK;
}

static err_t
index_check_new(struct ctx *cx, const struct collection *c, const char *key, const struct strs *attributes)
{
	if (c->n_indexes >= INDEXES_MAX)
		return fail(cx, ERR_INDEX_LIMIT_EXCEEDED, "indexes=%d", c->n_indexes);
	/* all of them must be known before any is asked whether it is ready */
	for (int i = 0; i < attributes->n; i++) {
		err_t e = check_attribute(cx, c, attributes->v[i]);

		if (e == ERR_ATTRIBUTE_UNKNOWN)
			return e;
	}
	for (int i = 0; i < attributes->n; i++)
		TRY(check_attribute(cx, c, attributes->v[i]));
	return index_lookup_key(c, key) ? fail(cx, ERR_INDEX_ALREADY_EXISTS, "key=%s", key) : OK;
}

static err_t
index_create_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known, const struct index *x,
    struct str *json_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct collection *c;
	struct event ev;

	TRY(schema_lock(tx, p, known, SCHEMA_WAIT_NOW, &c));
	TRY(index_check_new(cx, c, x->key, &x->attributes));
	tx_add(tx, arena_printf(cx->arena, "INSERT INTO %s.indexes (collection, key, type, attributes, orders, status) "
	    "VALUES ($1::bigint, $2, $3, $4::text[], $5::text[], 'processing')", p->schema), DB(pg_i64(cx->arena, c->internal), x->key, x->type,
	    pg_array(cx->arena, x->attributes.v, x->attributes.n), pg_array(cx->arena, x->orders.v, x->orders.n)));
	schema_job(tx, p, c);
	*json_out = index_json(cx, x, "processing");
	ev = collection_event(cx, &ev_index_create, p, actor, c, x->key, *json_out);
	event_emit(tx, &ev);
	return OK;
}

err_t
index_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key,
    const char *type, const struct strs *attributes, const struct strs *orders, struct str *json_out)
{
	struct index x = {.key = key, .type = type, .attributes = *attributes, .orders = *orders};
	const struct collection *c;

	TRY(collection_get(cx, p, db, col, &c));
	return TX_RUN(cx, tx, index_create_tx(tx, p, actor, c, &x, json_out));
}

void
index_drop(struct db_tx *tx, const struct project *p, const struct index *x)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "DROP INDEX IF EXISTS %s.i_%lld, %s.i_%lld_h", p->schema, (long long)x->internal, p->schema,
	    (long long)x->internal), DB0);
	tx_add(tx, arena_printf(mem, "DELETE FROM %s.indexes WHERE internal = $1::bigint", p->schema), DB(pg_i64(mem, x->internal)));
}

/* A build that may be under way holds the table: its index is left to the job at once. */
static err_t
index_delete_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known, const char *key, bool now)
{
	struct ctx *cx = tx_ctx(tx);
	const struct index *x;
	struct collection *c;
	struct event ev;
	bool available;

	TRY(schema_lock(tx, p, known, SCHEMA_WAIT_NOW, &c));
	TRY(index_find(cx, c, key, &x));
	available = strcmp(x->status, "available") == 0;
	ev = collection_event(cx, &ev_index_delete, p, actor, c, x->key, index_json(cx, x, available ? "deleting" : NULL));
	event_emit(tx, &ev);
	if (now && strcmp(x->status, "processing") != 0 && strcmp(x->status, "deleting") != 0) {
		index_drop(tx, p, x);
	} else {
		tx_add(tx, arena_printf(cx->arena, "UPDATE %s.indexes SET status = 'deleting' WHERE internal = $1::bigint", p->schema),
		    DB(pg_i64(cx->arena, x->internal)));
		schema_job(tx, p, c);
	}
	return OK;
}

err_t
index_delete(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key)
{
	return schema_delete(cx, p, actor, db, col, key, index_delete_tx);
}

err_t
index_find(struct ctx *cx, const struct collection *c, const char *key, const struct index **out)
{
	*out = index_lookup_key(c, key);
	return *out ? OK : fail(cx, ERR_INDEX_NOT_FOUND, "key=%s", key);
}
