/* Changes of attributes. Most are a row's: documents keep their values, which are under a column that has no name of the client's. A smaller size
 * is refused where a stored value is larger; what decides how indexes are built may change with it, and then they are built anew. */
#include "svc/databases/collection.h"

#include "core/fiber.h"
#include "core/vtime.h"
#include "model/job.h"
#include "model/seal.h"
#include "schema_priv.h"

/* ---- what it becomes ---- */

static struct attribute_in
changed_attribute(const struct attribute *a, const struct attribute_change *ch)
{
	return (struct attribute_in){.key = ch->new_key ? ch->new_key : a->key, .kind = a->kind, .format = a->format, .size = ch->size > 0 ? ch->size : a->size,
	    .required = ch->required, .array = a->array, .encrypt = a->encrypt, .min = ch->min ? ch->min : a->min, .max = ch->max ? ch->max : a->max,
	    .elements = ch->elements.set ? ch->elements : a->elements, .def = ch->def};
}

/* Indexes that a client of today could not have made. */
static err_t
check_indexes(struct ctx *cx, const struct collection *c, const struct attribute *a, int64_t size)
{
	for (int i = 0; i < c->n_indexes; i++) {
		const struct index *x = &c->indexes[i];

		if (index_names(x, a->key) && index_length_sum(c, x, a, size) > INDEX_LENGTH_MAX)
			return fail_msg(cx, ERR_INDEX_INVALID, "Index length is longer than the maximum: %d", INDEX_LENGTH_MAX);
	}
	return OK;
}

static err_t
check_change(struct ctx *cx, const struct collection *c, const struct attribute *a, const struct attribute_change *ch, struct attribute_in *in)
{
	const struct attribute *other = ch->new_key ? attribute_lookup(c, ch->new_key) : NULL;
	struct attribute to;

	if (strcmp(a->status, "available") != 0)
		return fail_msg(cx, ERR_ATTRIBUTE_NOT_AVAILABLE, "Attribute not available: %s", a->key);
	if (a->kind != ch->kind || a->format != ch->format)
		return fail(cx, ERR_ATTRIBUTE_TYPE_INVALID, "key=%s", a->key);
	*in = changed_attribute(a, ch);
	TRY(attribute_check_values(cx, in));
	TRY(attribute_check_rules(cx, in));
	if (other != NULL && other->internal != a->internal)
		return fail(cx, ERR_ATTRIBUTE_ALREADY_EXISTS, "key=%s", ch->new_key);
	to = attribute_of(in);
	if (attribute_width(&to) > attribute_width(a))
		TRY(attribute_check_width(cx, collection_width(c) - attribute_width(a) + attribute_width(&to)));
	return to.size > a->size && a->format == FORMAT_NONE ? check_indexes(cx, c, a, to.size) : OK;
}

/* ---- a smaller size ---- */

static err_t
too_long(struct ctx *cx, const struct attribute *a, int64_t size)
{
	return fail_msg(cx, ERR_ATTRIBUTE_INVALID_RESIZE, "Documents have values of \"%s\" that are longer than %lld characters.", a->key, (long long)size);
}

static bool
longer(struct str s, int64_t size)
{
	size_t points;

	return s.p != NULL && str_utf8(s, &points) && (int64_t)points > size;
}

static bool
any_longer(struct arena *mem, const struct attribute *a, struct str sql, int64_t size)
{
	struct strs list;

	if (!a->array)
		return longer(sql, size);
	list = pg_array_parse(mem, sql);
	for (int i = 0; i < list.n; i++)
		if (list.v[i] != NULL && longer(str_c(list.v[i]), size))
			return true;
	return false;
}

/* Sealed values have to be opened: those of at least so many bytes, some at a time, and no more than a slice may hold but for the first. */
static err_t
sealed_batch(struct ctx *outer, const struct collection *c, const struct attribute *a, int64_t size, int64_t *last, bool *done_out)
{
	struct ctx own, *cx = &own;
	struct db_res *r;
	err_t e;

	ctx_init_part(cx, outer);
	e = db_query(cx, &r, seal_slice_sql(cx->arena, c->table, "_seq", a->column, arena_printf(cx->arena, "octet_length(%s) > $2::bigint", a->column)),
	    DB(pg_i64(cx->arena, *last), pg_i64(cx->arena, size)));
	for (int i = 0; e == OK && i < db_rows(r); i++) {
		*last = db_i64(r, i, 0);
		if (any_longer(cx->arena, a, str_c(seal_open(cx->arena, db_str(r, i, 1))), size))
			e = too_long(outer, a, size);
	}
	*done_out = e != OK || db_rows(r) == 0;
	if (e != OK && e != ERR_ATTRIBUTE_INVALID_RESIZE)
		e = fail(outer, e, "%s", cx->detail ? cx->detail : c->table);
	ctx_fini(cx);
	return e;
}

/* Nothing is locked meanwhile: a writer that is faster than the change may leave one longer value, as it might have before. */
static err_t
check_stored(struct ctx *cx, const struct collection *c, const struct attribute *a, int64_t size)
{
	int64_t last = 0;
	struct db_res *r;
	bool done = false;

	while (a->encrypt && !done) {
		TRY(sealed_batch(cx, c, a, size, &last, &done));
		TRY(fib_yield(cx));
	}
	if (a->encrypt)
		return OK;
	TRY(db_query(cx, &r, a->array ?
	    arena_printf(cx->arena, "SELECT EXISTS (SELECT 1 FROM %s, unnest(%s) AS e WHERE length(e) > $1::bigint)", c->table, a->column) :
	    arena_printf(cx->arena, "SELECT EXISTS (SELECT 1 FROM %s WHERE CASE WHEN octet_length(%s) > $1::bigint THEN length(%s) > $1::bigint ELSE false END)",
	    c->table, a->column, a->column), DB(pg_i64(cx->arena, size))));
	return db_bool(r, 0, 0) ? too_long(cx, a, size) : OK;
}

/* ---- indexes ---- */

/* The statements that make an index, in one text. */
static const char *
plan_text(struct ctx *cx, const struct project *p, const struct collection *c, const struct index *x)
{
	struct index_plan plan;
	const char *why;
	struct buf b;

	buf_init(&b, cx->arena, 256);
	if (index_plan(cx, p->schema, c, x, &plan, &why))
		for (int i = 0; i < plan.n; i++)
			buf_printf(&b, "%s;", plan.sql[i]);
	buf_ch(&b, '\0');
	return b.p;
}

/* Those that would be made otherwise by now go, and are made anew. Dropping them waits for the table's users. */
static err_t
build_anew(struct db_tx *tx, const struct project *p, struct collection *c, struct attribute *a, const struct attribute *to)
{
	const char **before = arena_array(tx_ctx(tx)->arena, const char *, c->n_indexes + 1);
	struct ctx *cx = tx_ctx(tx);
	bool any = false;

	for (int i = 0; i < c->n_indexes; i++)
		before[i] = index_names(&c->indexes[i], a->key) && index_works(&c->indexes[i]) ? plan_text(cx, p, c, &c->indexes[i]) : NULL;
	a->size = to->size;
	for (int i = 0; i < c->n_indexes; i++) {
		const struct index *x = &c->indexes[i];

		if (before[i] == NULL || strcmp(before[i], plan_text(cx, p, c, x)) == 0)
			continue;
		if (strcmp(x->status, "processing") == 0)	/* somebody builds it without a lock */
			return fail(cx, ERR_BUSY, "the index %s is being built", x->key);
		any = true;
		index_drop_built(tx, p, x);
		tx_add(tx, arena_printf(cx->arena, "UPDATE %s.indexes SET status = 'processing' WHERE internal = $1::bigint", p->schema),
		    DB(pg_i64(cx->arena, x->internal)));
	}
	if (any)
		schema_job(tx, p, c);
	return OK;
}

static void
rename_in_indexes(struct db_tx *tx, const struct project *p, const struct collection *c, const char *from, const char *to)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "UPDATE %s.indexes SET attributes = array_replace(attributes, $2::text, $3::text) WHERE collection = $1::bigint AND "
	    "$2::text = ANY (attributes)", p->schema), DB(pg_i64(mem, c->internal), from, to));
}

/* ---- the change ---- */

static void
set_row(struct db_tx *tx, const struct project *p, const struct attribute *to)
{
	struct arena *mem = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(mem, "UPDATE %s.attributes SET key = $2, size = $3::bigint, width = $4::int, required = $5::boolean, min = $6, max = $7, "
	    "elements = $8::text[], def = $9, updated = $10::timestamptz WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(mem, to->internal), to->key, pg_i64(mem, to->size), pg_i64(mem, attribute_width(to)), pg_bool(to->required), to->min, to->max,
	    pg_array(mem, to->elements.v, to->elements.n), to->def, pg_time(mem, to->updated)));
}

static err_t
attribute_update_tx(struct db_tx *tx, const struct project *p, const char *actor, const struct collection *known, const char *key,
    const struct attribute_change *ch, const char *wait, struct str *json_out)
{
	struct ctx *cx = tx_ctx(tx);
	const struct attribute *found;
	struct attribute *a, to;
	struct attribute_in in;
	struct collection *c;
	struct event ev;

	TRY(schema_lock(tx, p, known, wait, &c));
	TRY(attribute_find(cx, c, key, &found));
	TRY(check_change(cx, c, found, ch, &in));
	a = &c->attrs[found - c->attrs];	/* the collection is ours alone */
	to = attribute_of(&in);
	to.internal = a->internal;
	to.column = a->column;
	to.geo = a->geo;
	to.created = a->created;
	set_row(tx, p, &to);
	TRY(build_anew(tx, p, c, a, &to));
	if (strcmp(to.key, a->key) != 0)
		rename_in_indexes(tx, p, c, a->key, to.key);
	ev = collection_event(cx, &ev_attribute_update, p, actor, c, to.key, attribute_payload(cx, &to, NULL));
	event_emit(tx, &ev);
	*json_out = attribute_json(cx, &to, NULL);
	return OK;
}

err_t
attribute_update(struct ctx *cx, const struct project *p, const char *actor, const char *db, const char *col, const char *key,
    const struct attribute_change *ch, struct str *json_out)
{
	const struct collection *c;
	const struct attribute *a;
	struct attribute_in in;
	const char *geo;
	err_t e;

	TRY(collection_get(cx, p, db, col, &c));
	TRY(attribute_find(cx, c, key, &a));
	TRY(check_change(cx, c, a, ch, &in));
	TRY(attribute_check_geo(cx, in.kind, in.def, &geo));
	if (a->format == FORMAT_NONE && in.size < a->size)
		TRY(check_stored(cx, c, a, in.size));
	e = TX_RUN(cx, tx, attribute_update_tx(tx, p, actor, c, key, ch, SCHEMA_WAIT_NOW, json_out));
	if (!schema_in_use(cx, e))
		return e;
	return TX_RUN(cx, tx, attribute_update_tx(tx, p, actor, c, key, ch, SCHEMA_WAIT_JOB, json_out));
}
