/* Content that comes in parts. */
#include "model/parts.h"

void
part_insert(struct db_tx *tx, const struct project *p, const struct part_table *t, int64_t internal, const struct part_in *in)
{
	struct arena *a = tx_ctx(tx)->arena;
	const struct blob *b = in->blob;

	tx_add(tx,
	    arena_printf(a, "INSERT INTO %s.%s (%s, start, size, blob, stored, coding, sealed, md5) VALUES ($1::bigint, $2::bigint, $3::bigint, "
	    "$4, $5::bigint, $6::smallint, $7::bigint, $8)", p->schema, t->table, t->of),
	    DB(pg_i64(a, internal), pg_i64(a, in->start), pg_i64(a, b->size), b->name, pg_i64(a, b->stored), pg_i64(a, b->coding), pg_i64(a, b->sealed), b->md5));
}

/* The last part that begins before the end of this one: parts never overlap, so if any overlaps this one, that does. */
static err_t
neighbour(struct db_tx *tx, const struct project *p, const struct part_table *t, const struct parted *row, const struct part_in *in, struct db_res **out)
{
	struct arena *a = tx_ctx(tx)->arena;

	return tx_query(tx, out,
	    arena_printf(a, "SELECT start, size, blob FROM %s.%s WHERE %s = $1::bigint AND start < $2::bigint ORDER BY start DESC LIMIT 1", p->schema, t->table,
	    t->of), DB(pg_i64(a, row->internal), pg_i64(a, in->start + in->blob->size)));
}

static bool
same_place(const struct db_res *r, const struct part_in *in)
{
	return r != NULL && db_rows(r) > 0 && db_i64(r, 0, 0) == in->start && db_i64(r, 0, 1) == in->blob->size;
}

static bool
overlaps(const struct db_res *r, const struct part_in *in)
{
	return r != NULL && db_rows(r) > 0 && db_i64(r, 0, 0) + db_i64(r, 0, 1) > in->start;
}

/* The same part again: its new bytes take the place of the old ones. */
static void
replace_part(struct db_tx *tx, const struct project *p, const struct part_table *t, const struct parted *row, const struct part_in *in, const char *blob)
{
	struct arena *a = tx_ctx(tx)->arena;

	t->wasted(tx, p, row->owner, blob);
	tx_add(tx, arena_printf(a, "DELETE FROM %s.%s WHERE %s = $1::bigint AND start = $2::bigint", p->schema, t->table, t->of),
	    DB(pg_i64(a, row->internal), pg_i64(a, in->start)));
}

/* How far the parts go without a gap, from where they did before. */
static err_t
find_unbroken(struct db_tx *tx, const struct project *p, const struct part_table *t, struct parted *row)
{
	struct arena *a = tx_ctx(tx)->arena;
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(a, "WITH RECURSIVE w(at) AS (SELECT $2::bigint UNION ALL SELECT p.start + p.size FROM w JOIN %s.%s p ON p.%s = $1::bigint "
	    "AND p.start = w.at AND p.size > 0) SELECT max(at) FROM w", p->schema, t->table, t->of),
	    DB(pg_i64(a, row->internal), pg_i64(a, row->unbroken))));
	row->unbroken = db_i64(r, 0, 0);
	return OK;
}

/* Chunks as clients count them: all but the last are of one size. */
static void
count_chunks(struct parted *row, const struct part_in *in)
{
	bool last = in->start + in->blob->size == row->size;

	if (row->chunk == 0 && !last)
		row->chunk = in->blob->size;
	row->chunks_total = row->chunk > 0 ? (row->size + row->chunk - 1) / row->chunk : 2;
	row->chunks_uploaded = row->chunk > 0 ? row->unbroken / row->chunk : 0;
	if (row->unbroken == row->size)
		row->chunks_uploaded = row->chunks_total;
	if (!row->complete && row->chunks_uploaded == row->chunks_total)	/* not before it is */
		row->chunks_uploaded--;
}

static err_t
misplaced(struct ctx *cx, const struct parted *row, const struct part_in *in)
{
	return fail(cx, ERR_STORAGE_INVALID_CONTENT_RANGE, "%s of %lld: %lld bytes at %lld of %lld", row->id, (long long)row->size, (long long)in->blob->size,
	    (long long)in->start, (long long)in->total);
}

static err_t
parts_add(struct db_tx *tx, const struct project *p, const struct part_table *t, const struct part_in *in, const struct db_res *beside, struct parted *row)
{
	bool again = same_place(beside, in);

	if (again)
		replace_part(tx, p, t, row, in, db_cstr(beside, 0, 2));
	else if (overlaps(beside, in))
		return misplaced(tx_ctx(tx), row, in);
	if (!again && t->room != NULL)
		TRY(t->room(tx, p, row, in->blob->size));
	part_insert(tx, p, t, row->internal, in);
	if (!again)
		row->received += in->blob->size;
	TRY(find_unbroken(tx, p, t, row));
	count_chunks(row, in);
	row->changes++;
	return record_set(tx, p, t->record, rows_internal(tx_ctx(tx), row->internal), "chunks_total chunks_uploaded chunk received unbroken changes", row, row);
}

err_t
part_take(struct db_tx *tx, const struct project *p, const struct part_table *t, const struct part_in *in, bool fresh, struct parted *row, bool *repeated_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *beside = NULL;

	*repeated_out = false;
	if (fresh)
		return parts_add(tx, p, t, in, NULL, row);
	TRY(neighbour(tx, p, t, row, in, &beside));
	*repeated_out = row->complete && row->size == in->total && same_place(beside, in);
	if (*repeated_out)
		return OK;
	if (row->complete)
		return fail(cx, ERR_DOCUMENT_ALREADY_EXISTS, "id=%s", row->id);
	return row->size == in->total ? parts_add(tx, p, t, in, beside, row) : misplaced(cx, row, in);
}

err_t
parts_load(struct ctx *cx, const struct project *p, const struct part_table *t, int64_t internal, const char *bind, const struct blob_part **out, int *n_out)
{
	struct blob_part *parts;
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT size, blob, stored, coding, sealed, md5 FROM %s.%s WHERE %s = $1::bigint ORDER BY start", p->schema, t->table, t->of),
	    DB(pg_i64(cx->arena, internal))));
	*n_out = db_rows(r);
	*out = parts = arena_array(cx->arena, struct blob_part, *n_out + 1);
	for (int i = 0; i < *n_out; i++)
		parts[i] = (struct blob_part){.bind = bind, .blob = {.size = db_i64(r, i, 0), .name = db_cstr(r, i, 1), .stored = db_i64(r, i, 2),
		    .coding = (enum blob_coding)db_i64(r, i, 3), .sealed = db_i64(r, i, 4), .md5 = db_cstr(r, i, 5)}};
	return OK;
}
