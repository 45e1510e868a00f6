/* Storage work of the jobs role: the bytes of what was deleted, uploads that nobody went on with, and what a crash left on the device (model/waste.h). */
#include "core/conf.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/blob_care.h"
#include "model/job.h"
#include "svc/storage/file.h"

enum { BATCH = 500 };

err_t
storage_remove_waste(struct ctx *cx, const struct job *job)
{
	struct project *p;

	TRY(waste_project(cx, job, &p));
	return p != NULL ? waste_remove(cx, p, &file_waste) : OK;
}

/* ---- uploads that nobody goes on with ---- */

static err_t
expire_tx(struct db_tx *tx, const struct project *p, int64_t before, int *n_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r,
	    arena_printf(cx->arena, "WITH old AS (SELECT internal, bucket FROM %s.files WHERE NOT complete AND updated < $1::timestamptz LIMIT %d FOR UPDATE SKIP LOCKED), "
	    "waste AS (INSERT INTO %s.file_waste (bucket, blob) SELECT o.bucket, p.blob FROM old o JOIN %s.file_parts p ON p.file = o.internal) "
	    "DELETE FROM %s.files f USING old o WHERE f.internal = o.internal RETURNING f.internal", p->schema, BATCH, p->schema, p->schema, p->schema),
	    DB(pg_time(cx->arena, before))));
	*n_out = db_rows(r);
	return OK;
}

static err_t
expire_project(struct ctx *cx, const char *id)
{
	int64_t before = time_now_ms() - conf.storage_upload_expiry;
	struct project *p;
	int n = BATCH;

	TRY(project_get(cx, str_c(id), &p));
	while (n == BATCH) {
		TRY(TX_RUN(cx, tx, expire_tx(tx, p, before, &n)));
		metric_add(M_storage_expired, n);
	}
	return waste_remove(cx, p, &file_waste);
}

err_t
storage_expire(struct ctx *cx)
{
	return project_each(cx, "storage-expire", expire_project);
}

/* ---- orphans ---- */

err_t
storage_find_orphans(struct ctx *cx)
{
	bool ours;

	TRY(waste_find_orphans(cx, &file_waste));
	TRY(blob_ours(cx, false, &ours));
	return ours ? blob_tidy(cx) : OK;
}
