/* Indexes: the request leaves a row, the jobs role builds (schema_work.c). Deletion is immediate unless the table is busy. */
#include "svc/databases/collection.h"

#include "core/vtime.h"
#include "schema_priv.h"

const char *
index_lengths_array(struct arena *a, const struct index *x)
{
	const char **v = arena_array(a, const char *, x->n_lengths + 1);

	for (int i = 0; i < x->n_lengths; i++)
		v[i] = x->lengths[i] > 0 ? pg_i64(a, x->lengths[i]) : NULL;
	return pg_array(a, v, x->n_lengths);
}

void
index_insert(struct db_tx *tx, const struct project *p, const struct collection *c, const struct index *x)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "INSERT INTO %s.indexes (internal, collection, key, type, attributes, orders, lengths, status, created, updated) "
	    "OVERRIDING SYSTEM VALUE VALUES ($1::bigint, $2::bigint, $3, $4, $5::text[], $6::text[], $7::bigint[], $8, $9::timestamptz, $9::timestamptz)",
	    p->schema), DB(pg_i64(mem, x->internal), pg_i64(mem, c->internal), x->key, x->type, pg_array(mem, x->attributes.v, x->attributes.n),
	    pg_array(mem, x->orders.v, x->orders.n), index_lengths_array(mem, x), x->status, pg_time(mem, x->created)));
}

static err_t
index_create_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known, struct index *x, struct str *json_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct collection *c;
	struct event ev;

	TRY(schema_lock(tx, p, known, SCHEMA_WAIT_NOW, &c));
	TRY(index_check_new(cx, c, x, cx->format >= SINCE_1_4));
	TRY(schema_numbers(tx, p, "indexes", 1, &x->internal));
	index_insert(tx, p, c, x);
	schema_job(tx, p, c);
	*json_out = index_json(cx, c, x, NULL);
	ev = collection_event(cx, &ev_index_create, p, actor, c, x->key, index_payload(cx, c, x, NULL));
	event_emit(tx, &ev);
	return OK;
}

err_t
index_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const struct index *in, struct str *json_out)
{
	const struct collection *c;
	struct index x = *in;

	TRY(collection_get(cx, p, db, col, &c));
	x.status = "processing";
	x.error = "";
	x.created = x.updated = time_now_ms();
	return TX_RUN(cx, tx, index_create_tx(tx, p, actor, c, &x, json_out));
}

void
index_drop_built(struct db_tx *tx, const struct project *p, const struct index *x)
{
	tx_add(tx, arena_printf(tx_ctx(tx)->arena, "DROP INDEX IF EXISTS %s.i_%lld, %s.i_%lld_h", p->schema, (long long)x->internal, p->schema,
	    (long long)x->internal), DB0);
}

void
index_drop(struct db_tx *tx, const struct project *p, const struct index *x)
{
	struct arena *mem = tx_ctx(tx)->arena;

	index_drop_built(tx, p, x);
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
	ev = collection_event(cx, &ev_index_delete, p, actor, c, x->key, index_payload(cx, c, x, available ? "deleting" : NULL));
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
