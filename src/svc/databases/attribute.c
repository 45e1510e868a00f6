/* Attributes: a row and a column of the documents' table.
 *
 * Adding a column without a value and dropping one change nothing but the catalogue, so both happen with the row in one transaction. Only
 * when the table is busy with something long is the change left to the jobs role; the row then says `processing` or `deleting`. */
#include "svc/databases/collection.h"

#include "model/job.h"
#include "schema_priv.h"

/* ---- creation ---- */

void
attribute_add_column(struct db_tx *tx, const char *schema, const struct collection *c, const struct attribute *a)
{
	struct arena *mem = tx_ctx(tx)->arena;

	const char *check = attribute_sql_check(mem, a);

	tx_add(tx, arena_printf(mem, "ALTER TABLE %s.c_%lld ADD COLUMN IF NOT EXISTS %s %s", schema, (long long)c->internal, a->column,
	    attribute_sql_type(mem, schema, a)), DB0);
	if (check != NULL)	/* there are no values yet to look at */
		tx_add(tx, arena_printf(mem, "ALTER TABLE %s.c_%lld ADD CONSTRAINT %s %s NOT VALID", schema, (long long)c->internal, a->column, check), DB0);
}

void
attribute_set_number(struct arena *mem, struct attribute *a, int64_t internal)
{
	a->internal = internal;
	a->column = arena_printf(mem, "a_%lld", (long long)internal);
}

/* The number is chosen before: that is one wait for as many rows as there are. */
void
attribute_insert(struct db_tx *tx, const struct project *p, const struct collection *c, const struct attribute *a)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "INSERT INTO %s.attributes (internal, collection, key, type, format, size, width, required, \"array\", min, max, "
	    "elements, def, status, encrypt, created, updated) OVERRIDING SYSTEM VALUE VALUES ($1::bigint, $2::bigint, $3, $4, $5, $6::bigint, $7::int, "
	    "$8::boolean, $9::boolean, $10, $11, $12::text[], $13, $14, $15::boolean, $16::timestamptz, $16::timestamptz)", p->schema),
	    DB(pg_i64(mem, a->internal), pg_i64(mem, c->internal), a->key, attr_kinds[a->kind].name, attribute_format_name(a->format), pg_i64(mem, a->size),
	    pg_i64(mem, attribute_width(a)), pg_bool(a->required), pg_bool(a->array), a->min, a->max, pg_array(mem, a->elements.v, a->elements.n), a->def,
	    a->status, pg_bool(a->encrypt), pg_time(mem, a->created)));
}

err_t
schema_numbers(struct db_tx *tx, const struct project *p, const char *table, int n, int64_t *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT nextval(pg_get_serial_sequence($1, 'internal')) FROM generate_series(1, $2::int)",
	    DB(arena_printf(cx->arena, "%s.%s", p->schema, table), pg_i64(cx->arena, n))));
	for (int i = 0; i < n; i++)
		out[i] = db_i64(r, i, 0);
	return OK;
}

/* With `now` the column is made at once, else by a job. */
static err_t
attribute_create_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known, const struct attribute_in *in, bool now,
    struct str *json_out)
{
	struct attribute a = attribute_of(in);
	struct ctx *cx = tx_ctx(tx);
	struct collection *c;
	struct event asked, done;
	int64_t internal;

	TRY(schema_lock(tx, p, known, SCHEMA_WAIT_NOW, &c));
	TRY(attribute_check_new(cx, c, &a));
	TRY(schema_numbers(tx, p, "attributes", 1, &internal));
	attribute_set_number(cx->arena, &a, internal);
	a.geo = c->geo;
	a.status = now ? "available" : "processing";
	attribute_insert(tx, p, c, &a);
	if (now)
		attribute_add_column(tx, p->schema, c, &a);
	else
		schema_job(tx, p, c);
	*json_out = attribute_json(cx, &a, "processing");
	asked = collection_event(cx, &ev_attribute_create, p, actor, c, a.key, attribute_payload(cx, &a, "processing"));
	event_emit(tx, &asked);
	if (now) {
		done = collection_done(cx, &ev_attribute_update, p, actor, c, a.key, attribute_payload(cx, &a, "available"));
		event_emit(tx, &done);
	}
	return OK;
}

err_t
attribute_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col,
    const struct attribute_in *in, struct str *json_out)
{
	const struct collection *c;
	const char *geo;
	err_t e;

	TRY(collection_get(cx, p, db, col, &c));
	TRY(attribute_check_values(cx, in));
	TRY(attribute_check_geo(cx, in->kind, in->def, &geo));
	e = TX_RUN(cx, tx, attribute_create_tx(tx, p, actor, c, in, true, json_out));
	if (!schema_in_use(cx, e) && !(e == ERR_DB && schema_columns_full(cx)))
		return e;
	return TX_RUN(cx, tx, attribute_create_tx(tx, p, actor, c, in, false, json_out));
}

/* ---- deletion ---- */

bool
index_names(const struct index *x, const char *key)
{
	for (int i = 0; i < x->attributes.n; i++)
		if (strcmp(x->attributes.v[i], key) == 0)
			return true;
	return false;
}

/* Or will work. */
bool
index_works(const struct index *x)
{
	return strcmp(x->status, "available") == 0 || strcmp(x->status, "processing") == 0;
}

bool
attribute_is_held(const struct collection *c, const struct attribute *a)
{
	for (int i = 0; i < c->n_indexes; i++) {
		const struct index *x = &c->indexes[i];

		if (strcmp(x->type, "unique") == 0 && index_works(x) && x->attributes.n > 1 && index_names(x, a->key))
			return true;
	}
	return false;
}

/* The index without the attribute, its order and its length. */
static struct index
without(struct arena *mem, const struct index *x, const char *key)
{
	int64_t *lengths = arena_array(mem, int64_t, x->attributes.n + 1);
	struct index y = *x;

	y.lengths = lengths;
	y.n_lengths = 0;
	y.attributes = (struct strs){.set = true, .v = arena_array(mem, const char *, x->attributes.n + 1)};
	y.orders = (struct strs){.set = true, .v = arena_array(mem, const char *, x->orders.n + 1)};
	for (int i = 0; i < x->attributes.n; i++) {
		if (strcmp(x->attributes.v[i], key) == 0)
			continue;
		y.attributes.v[y.attributes.n++] = x->attributes.v[i];
		if (i < x->orders.n)
			y.orders.v[y.orders.n++] = x->orders.v[i];
		if (i < x->n_lengths)
			lengths[y.n_lengths++] = x->lengths[i];
	}
	return y;
}

static bool
same_texts(const struct strs *a, const struct strs *b)
{
	for (int i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return a->n == b->n;
}

/* Orders by what they mean: they may be missing or in small letters. */
static bool
same_orders(const struct index *x, const struct index *y)
{
	for (int i = 0; i < x->attributes.n; i++)
		if (index_descends(x, i) != index_descends(y, i))
			return false;
	return true;
}

/* The definitions as they are by now: those before x are shrunken already. One that works is not given up for one that does not. */
static bool
has_twin(const struct index *all, int n, const struct index *x)
{
	for (int i = 0; i < n; i++)
		if (all[i].internal != x->internal && strcmp(all[i].type, x->type) == 0 && same_texts(&all[i].attributes, &x->attributes) && same_orders(&all[i], x) &&
		    (index_works(&all[i]) || !index_works(x)))
			return true;
	return false;
}

/* The column takes its indexes in the table with it; what is left of a composite one is built anew. */
static void
shrink_indexes(struct db_tx *tx, const struct project *p, const struct collection *c, const struct attribute *a)
{
	struct arena *mem = tx_ctx(tx)->arena;
	struct index *now = arena_array(mem, struct index, c->n_indexes + 1);
	bool rebuild = false;

	memcpy(now, c->indexes, sizeof *now * (size_t)c->n_indexes);
	for (int i = 0; i < c->n_indexes; i++) {
		struct index y;

		if (!index_names(&c->indexes[i], a->key))
			continue;
		now[i] = y = without(mem, &c->indexes[i], a->key);
		if (y.attributes.n == 0 || has_twin(now, c->n_indexes, &y)) {
			struct event ev = collection_event(tx_ctx(tx), &ev_index_delete, p, NULL, c, y.key, index_payload(tx_ctx(tx), c, &c->indexes[i], NULL));

			if (strcmp(c->indexes[i].status, "deleting") == 0)	/* that was told */
				ev.flags = EVENT_DONE;
			index_drop(tx, p, &c->indexes[i]);
			event_emit(tx, &ev);
			continue;
		}
		if (index_works(&y)) {	/* what has failed does not come to life, nor what is deleted */
			rebuild = true;
			y.status = "processing";
		}
		tx_add(tx, arena_printf(mem, "UPDATE %s.indexes SET attributes = $2::text[], orders = $3::text[], status = $4, "
		    "lengths = $5::bigint[] WHERE internal = $1::bigint", p->schema), DB(pg_i64(mem, y.internal),
		    pg_array(mem, y.attributes.v, y.attributes.n), pg_array(mem, y.orders.v, y.orders.n), y.status, index_lengths_array(mem, &y)));
	}
	if (rebuild)
		schema_job(tx, p, c);
}

static void
delete_row(struct db_tx *tx, const struct project *p, const struct attribute *a)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "DELETE FROM %s.attributes WHERE internal = $1::bigint", p->schema), DB(pg_i64(mem, a->internal)));
}

void
attribute_drop(struct db_tx *tx, const struct project *p, const struct collection *c, const struct attribute *a)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "ALTER TABLE %s.c_%lld DROP COLUMN IF EXISTS %s", p->schema, (long long)c->internal, a->column), DB0);
	delete_row(tx, p, a);
	shrink_indexes(tx, p, c, a);
}

static void
set_status(struct db_tx *tx, const struct project *p, const struct attribute *a, const char *status)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "UPDATE %s.attributes SET status = $2 WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(mem, a->internal), status));
}

/* A worker may be building or dropping one of the indexes, without a lock that a transaction would wait for. */
static bool
indexes_settled(const struct collection *c)
{
	for (int i = 0; i < c->n_indexes; i++)
		if (strcmp(c->indexes[i].status, "processing") == 0 || strcmp(c->indexes[i].status, "deleting") == 0)
			return false;
	return true;
}

static err_t
attribute_delete_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known, const char *key, bool now)
{
	struct ctx *cx = tx_ctx(tx);
	const struct attribute *a;
	struct event asked, stuck;
	struct collection *c;
	bool held;

	TRY(schema_lock(tx, p, known, SCHEMA_WAIT_NOW, &c));
	TRY(attribute_find(cx, c, key, &a));
	if (a->rel != NULL)
		return fail(cx, ERR_BUSY, "%s was made anew", key);
	held = attribute_is_held(c, a);
	asked = collection_event(cx, &ev_attribute_delete, p, actor, c, a->key, attribute_payload(cx, a, NULL));
	event_emit(tx, &asked);
	if (!a->available) {	/* it has no column, and must not be taken for one that still has it */
		delete_row(tx, p, a);
	} else if (held) {
		stuck = collection_done(cx, &ev_attribute_update, p, actor, c, a->key, attribute_payload(cx, a, "stuck"));
		set_status(tx, p, a, "stuck");
		event_emit(tx, &stuck);
	} else if (now && indexes_settled(c)) {
		attribute_drop(tx, p, c, a);
	} else {
		set_status(tx, p, a, "deleting");
		schema_job(tx, p, c);
	}
	return OK;
}

err_t
attribute_delete(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key)
{
	const struct collection *c;
	const struct attribute *a;

	TRY(collection_get(cx, p, db, col, &c));
	TRY(attribute_find(cx, c, key, &a));
	if (a->rel != NULL)
		return relation_delete(cx, p, actor, c, key);
	return schema_delete(cx, p, actor, db, col, key, attribute_delete_tx);
}

err_t
attribute_find(struct ctx *cx, const struct collection *c, const char *key, const struct attribute **out)
{
	*out = attribute_lookup(c, key);
	return *out ? OK : fail(cx, ERR_ATTRIBUTE_NOT_FOUND, "key=%s", key);
}
