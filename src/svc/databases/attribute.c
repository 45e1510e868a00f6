/* Attributes: a row and a column of the documents' table.
 *
 * Adding a column without a value and dropping one change nothing but the catalogue, so both happen with the row in one transaction. Only
 * when the table is busy with something long is the change left to the jobs role; the row then says `processing` or `deleting`. */
#include "svc/databases/collection.h"

#include "model/job.h"
#include "schema_priv.h"

enum {
	ATTRIBUTES_MAX = 1012,
	ROW_WIDTH_BASE = 1500,
	ROW_WIDTH_MAX = 65535,
	VALUE_TEXT_MAX = 16384
};

/* ---- limits ---- */

static int64_t
string_width(int64_t size)
{
	if (size <= 255)
		return 4 * size + 1;
	if (size <= 16383)
		return 4 * size + 2;
	return size <= 65535 ? 10 : size <= 16777215 ? 11 : 12;
}

static int64_t
width_of(enum attr_type type, int64_t size, int64_t max)
{
	switch (type) {
	case ATTR_STRING:
		return string_width(size);
	case ATTR_INTEGER:
		return max > INT32_MAX ? 8 : 4;
	case ATTR_FLOAT:
		return 4;
	case ATTR_BOOLEAN:
		return 1;
	case ATTR_DATETIME:
		return 19;
	}
	return 0;
}

int64_t
attribute_width(const struct attribute_in *in)
{
	int64_t max = INT64_MAX;

	if (in->max != NULL)
		(void)str_to_i64(str_c(in->max), &max);	/* a float's bound is no matter here */
	return width_of(in->type, in->size, max);
}

static err_t
attribute_check_limits(struct ctx *cx, const struct collection *c, const struct attribute_in *in)
{
	int64_t width = ROW_WIDTH_BASE + attribute_width(in);

	for (int i = 0; i < c->n_attrs; i++)
		width += width_of(c->attrs[i].type, c->attrs[i].size, c->attrs[i].int_max);
	if (c->n_attrs >= ATTRIBUTES_MAX)
		return fail(cx, ERR_ATTRIBUTE_LIMIT_EXCEEDED, "attributes=%d", c->n_attrs);
	if (width >= ROW_WIDTH_MAX)
		return fail(cx, ERR_ATTRIBUTE_LIMIT_EXCEEDED, "width=%lld", (long long)width);
	return OK;
}

static const struct attribute *
attribute_lookup(const struct collection *c, const char *key)
{
	for (int i = 0; i < c->n_attrs; i++)
		if (str_ieq(str_c(c->attrs[i].key), str_c(key)))
			return &c->attrs[i];
	return NULL;
}

static size_t
characters_of(const char *text)
{
	size_t points;

	return str_utf8(str_c(text), &points) ? points : strlen(text);
}

static err_t
attribute_check_values(struct ctx *cx, const struct attribute_in *in)
{
	size_t n = 0;

	if (in->def != NULL && in->required)
		return fail_msg(cx, ERR_ATTRIBUTE_DEFAULT_UNSUPPORTED, "Cannot set default value for required attribute");
	if (in->def != NULL && in->array)
		return fail_msg(cx, ERR_ATTRIBUTE_DEFAULT_UNSUPPORTED, "Cannot set default value for array attributes");
	for (int i = 0; i < in->elements.n; i++)
		n += characters_of(in->elements.v[i]);
	if (n > VALUE_TEXT_MAX)
		return fail_msg(cx, ERR_ATTRIBUTE_VALUE_INVALID, "The elements have more than %d characters.", VALUE_TEXT_MAX);
	if (in->def != NULL && characters_of(in->def) > VALUE_TEXT_MAX)
		return fail_msg(cx, ERR_ATTRIBUTE_VALUE_INVALID, "The default has more than %d characters.", VALUE_TEXT_MAX);
	return OK;
}

static err_t
attribute_check_new(struct ctx *cx, const struct collection *c, const struct attribute_in *in)
{
	TRY(attribute_check_limits(cx, c, in));
	return attribute_lookup(c, in->key) ? fail(cx, ERR_ATTRIBUTE_ALREADY_EXISTS, "key=%s", in->key) : OK;
}

/* ---- creation ---- */

void
attribute_add_column(struct db_tx *tx, const char *schema, const struct collection *c, const struct attribute *a)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "ALTER TABLE %s.c_%lld ADD COLUMN IF NOT EXISTS %s %s", schema, (long long)c->internal, a->column,
	    attribute_sql_type(mem, schema, a->type, a->array)), DB0);
}

static struct attribute
from_input(const struct attribute_in *in)
{
	return (struct attribute){.key = in->key, .type = in->type, .format = in->format, .size = in->size, .required = in->required,
	    .array = in->array, .min = in->min, .max = in->max, .elements = in->elements, .def = in->def};
}

static err_t
attribute_insert(struct db_tx *tx, const struct project *p, const struct collection *c, const struct attribute_in *in, const char *status,
    struct attribute *a)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;
	err_t e;

	e = tx_query(tx, &r,
	    arena_printf(cx->arena, "INSERT INTO %s.attributes (collection, key, type, format, size, width, required, \"array\", min, max, "
	    "elements, def, status) VALUES ($1::bigint, $2, $3, $4, $5::bigint, $6::int, $7::boolean, $8::boolean, $9, $10, $11::text[], $12, "
	    "$13) RETURNING internal", p->schema),
	    DB(pg_i64(cx->arena, c->internal), in->key, attribute_type_name(in->type), attribute_format_name(in->format),
	    pg_i64(cx->arena, in->size), pg_i64(cx->arena, attribute_width(in)), pg_bool(in->required), pg_bool(in->array), in->min, in->max,
	    pg_array(cx->arena, in->elements.v, in->elements.n), in->def, status));
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_ATTRIBUTE_ALREADY_EXISTS, "key=%s", in->key);
	TRY(e);
	a->internal = db_i64(r, 0, 0);
	a->column = arena_printf(cx->arena, "a_%lld", (long long)a->internal);
	return OK;
}

/* With `now` the column is made at once, else by a job. */
static err_t
attribute_create_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known, const struct attribute_in *in, bool now,
    struct str *json_out)
{
	struct attribute a = from_input(in);
	struct ctx *cx = tx_ctx(tx);
	struct collection *c;
	struct event asked, done;

	TRY(schema_lock(tx, p, known, SCHEMA_WAIT_NOW, &c));
	TRY(attribute_check_new(cx, c, in));
	TRY(attribute_insert(tx, p, c, in, now ? "available" : "processing", &a));
	if (now)
		attribute_add_column(tx, p->schema, c, &a);
	else
		schema_job(tx, p, c);
	*json_out = attribute_json(cx, &a, "processing");
	asked = collection_event(cx, &ev_attribute_create, p, actor, c, a.key, *json_out);
	event_emit(tx, &asked);
	if (now) {
		done = collection_event(cx, &ev_attribute_update, p, actor, c, a.key, attribute_json(cx, &a, "available"));
		event_emit(tx, &done);
	}
	return OK;
}

err_t
attribute_create(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col,
    const struct attribute_in *in, struct str *json_out)
{
	const struct collection *c;
	err_t e;

	TRY(collection_get(cx, p, db, col, &c));
	TRY(attribute_check_values(cx, in));
	e = TX_RUN(cx, tx, attribute_create_tx(tx, p, actor, c, in, true, json_out));
	if (!schema_in_use(cx, e) && !(e == ERR_DB && schema_columns_full(cx)))
		return e;
	return TX_RUN(cx, tx, attribute_create_tx(tx, p, actor, c, in, false, json_out));
}

/* ---- deletion ---- */

static bool
names(const struct index *x, const char *key)
{
	for (int i = 0; i < x->attributes.n; i++)
		if (strcmp(x->attributes.v[i], key) == 0)
			return true;
	return false;
}

/* Or will work. */
static bool
works(const struct index *x)
{
	return strcmp(x->status, "available") == 0 || strcmp(x->status, "processing") == 0;
}

bool
attribute_is_held(const struct collection *c, const struct attribute *a)
{
	for (int i = 0; i < c->n_indexes; i++) {
		const struct index *x = &c->indexes[i];

		if (strcmp(x->type, "unique") == 0 && works(x) && x->attributes.n > 1 && names(x, a->key))
			return true;
	}
	return false;
}

/* The index without the attribute and its order. */
static struct index
without(struct arena *mem, const struct index *x, const char *key)
{
	struct index y = *x;

	y.attributes = (struct strs){.set = true, .v = arena_array(mem, const char *, x->attributes.n + 1)};
	y.orders = (struct strs){.set = true, .v = arena_array(mem, const char *, x->orders.n + 1)};
	for (int i = 0; i < x->attributes.n; i++) {
		if (strcmp(x->attributes.v[i], key) == 0)
			continue;
		y.attributes.v[y.attributes.n++] = x->attributes.v[i];
		if (i < x->orders.n)
			y.orders.v[y.orders.n++] = x->orders.v[i];
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
		if (all[i].internal != x->internal && same_texts(&all[i].attributes, &x->attributes) && same_orders(&all[i], x) &&
		    (works(&all[i]) || !works(x)))
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

		if (!names(&c->indexes[i], a->key))
			continue;
		now[i] = y = without(mem, &c->indexes[i], a->key);
		if (y.attributes.n == 0 || has_twin(now, c->n_indexes, &y)) {
			struct event ev = collection_event(tx_ctx(tx), &ev_index_delete, p, NULL, c, y.key, index_json(tx_ctx(tx), &c->indexes[i], NULL));

			index_drop(tx, p, &c->indexes[i]);
			event_emit(tx, &ev);
			continue;
		}
		if (works(&y)) {	/* what has failed does not come to life, nor what is deleted */
			rebuild = true;
			y.status = "processing";
		}
		tx_add(tx, arena_printf(mem, "UPDATE %s.indexes SET attributes = $2::text[], orders = $3::text[], status = $4 "
		    "WHERE internal = $1::bigint", p->schema), DB(pg_i64(mem, y.internal), pg_array(mem, y.attributes.v, y.attributes.n),
		    pg_array(mem, y.orders.v, y.orders.n), y.status));
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
	held = attribute_is_held(c, a);
	asked = collection_event(cx, &ev_attribute_delete, p, actor, c, a->key, attribute_json(cx, a, NULL));
	event_emit(tx, &asked);
	if (!a->available) {	/* it has no column, and must not be taken for one that still has it */
		delete_row(tx, p, a);
	} else if (held) {
		stuck = collection_event(cx, &ev_attribute_update, p, actor, c, a->key, attribute_json(cx, a, "stuck"));
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
	return schema_delete(cx, p, actor, db, col, key, attribute_delete_tx);
}

err_t
attribute_find(struct ctx *cx, const struct collection *c, const char *key, const struct attribute **out)
{
	*out = attribute_lookup(c, key);
	return *out ? OK : fail(cx, ERR_ATTRIBUTE_NOT_FOUND, "key=%s", key);
}
