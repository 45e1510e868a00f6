/* Storage work of the jobs role: the bytes of what was deleted, uploads that nobody went on with, and what a crash left on the device.
 *
 * Rows are the book. A blob goes when no row knows it: file_waste says so at once, the search for orphans finds what even that does not know. All of it can
 * stop anywhere and begin again. */
#include "core/conf.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/blob_care.h"
#include "model/job.h"
#include "svc/storage/file.h"

enum { BATCH = 500 };
#define ORPHAN_AGE_MS (24 * 3600 * INT64_C(1000))	/* an upload is over by then: conf.transfer_timeout is less */

/* ---- waste ---- */

static err_t
remove_blob(struct ctx *cx, const struct project *p, int64_t bucket, const char *blob)
{
	struct blob_place at = bucket_place(p, bucket);

	return blob[0] == '\0' ? blob_remove_place(cx, &at) : blob_remove(cx, &at, blob);
}

/* A batch; *more_out when there may be another. What cannot be removed now stays for the next time, and is in nobody's way. */
static err_t
remove_batch(struct ctx *cx, const struct project *p, int64_t *after, bool *more_out)
{
	struct db_res *r;
	const char **done;
	int n = 0;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT internal, bucket, blob FROM %s.file_waste WHERE internal > $1::bigint ORDER BY internal LIMIT %d", p->schema, BATCH),
	    DB(pg_i64(cx->arena, *after))));
	done = arena_array(cx->arena, const char *, db_rows(r) + 1);
	for (int i = 0; i < db_rows(r); i++) {
		err_t e = remove_blob(cx, p, db_i64(r, i, 1), db_cstr(r, i, 2));

		*after = db_i64(r, i, 0);
		if (e == OK)
			done[n++] = db_cstr(r, i, 0);
		else if (e == ERR_CANCELLED || e == ERR_TIMEOUT)
			return e;
	}
	*more_out = db_rows(r) == BATCH;
	if (n == 0)
		return OK;
	return db_exec(cx, NULL, arena_printf(cx->arena, "DELETE FROM %s.file_waste WHERE internal = ANY ($1::bigint[])", p->schema),
	    DB(pg_array(cx->arena, done, n)));
}

static err_t
remove_all(struct ctx *cx, const struct project *p)
{
	int64_t after = 0;
	bool more = true;

	while (more) {
		struct ctx part;
		err_t e;

		ctx_init_part(&part, cx);
		e = remove_batch(&part, p, &after, &more);
		ctx_fini(&part);
		TRY(e);
	}
	return OK;
}

err_t
storage_remove_waste(struct ctx *cx, const struct job *job)
{
	const json_t *j = json_parse(cx, job->payload, NULL);
	struct project *p;
	err_t e = project_get(cx, json_str(json_object_get(j, "project")), &p);

	if (e == ERR_PROJECT_NOT_FOUND)	/* its whole space went; its bytes are orphans */
		return OK;
	TRY(e);
	return remove_all(cx, p);
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
	return remove_all(cx, p);
}

/* Each in a context of its own: what one project takes is given back before the next, and its trouble is its own. */
static err_t
each_project(struct ctx *cx, const char *what, err_t (*fn)(struct ctx *cx, const char *id))
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT 'console' UNION ALL (SELECT id FROM badal.projects ORDER BY internal)", DB0));
	for (int i = 0; i < db_rows(r); i++) {
		struct ctx one;
		err_t e;

		ctx_init_part(&one, cx);
		e = fn(&one, db_cstr(r, i, 0));
		if (e != OK && e != ERR_PROJECT_NOT_FOUND)
			log_warn(&one, "storage work is left over", "work=%s project=%s error=%s detail=%s", what, db_cstr(r, i, 0), err_info(e)->name,
			    one.detail ? one.detail : "");
		ctx_fini(&one);
		if (e == ERR_CANCELLED)
			return e;
	}
	return OK;
}

err_t
storage_expire(struct ctx *cx)
{
	return each_project(cx, "expire", expire_project);
}

/* ---- orphans ---- */

struct search {
	const struct blob_place *at;
	const char *names[BATCH];
	int n;
};

static err_t
remove_unknown(struct ctx *cx, struct search *s)
{
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT name FROM unnest($1::text[]) name WHERE NOT EXISTS (SELECT 1 FROM %s.file_parts p WHERE p.blob = name) AND "
	    "NOT EXISTS (SELECT 1 FROM %s.file_waste w WHERE w.blob = name)", s->at->p->schema, s->at->p->schema),
	    DB(pg_array(cx->arena, s->names, s->n))));
	s->n = 0;
	for (int i = 0; i < db_rows(r); i++) {
		TRY(blob_remove(cx, s->at, db_cstr(r, i, 0)));
		metric_add(M_storage_orphans, 1);
	}
	return OK;
}

static err_t
look_at_blob(struct ctx *cx, const char *name, int64_t stored, void *arg)
{
	struct search *s = arg;

	(void)stored;
	s->names[s->n++] = arena_strdup(cx->arena, name);
	return s->n == BATCH ? remove_unknown(cx, s) : OK;
}

static err_t
look_at_place(struct ctx *cx, const char *schema, int64_t owner, void *arg)
{
	const struct project p = {.schema = schema};	/* places know no more of it */
	const struct blob_place at = bucket_place(&p, owner);
	struct search s = {.at = &at};
	struct db_res *r;

	(void)arg;
	TRY(db_query(cx, &r, "SELECT to_regclass($1 || '.buckets')", DB(schema)));
	if (!db_null(r, 0, 0))
		TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s.buckets WHERE internal = $1::bigint", schema), DB(pg_i64(cx->arena, owner))));
	if (db_rows(r) == 0 || db_null(r, 0, 0)) {	/* the bucket, or the project, is gone for good: numbers are not given twice */
		metric_add(M_storage_orphans, 1);
		return blob_remove_place(cx, &at);
	}
	TRY(blob_walk(cx, &at, ORPHAN_AGE_MS, look_at_blob, &s));
	return s.n > 0 ? remove_unknown(cx, &s) : OK;
}

err_t
storage_find_orphans(struct ctx *cx)
{
	bool ours;

	TRY(blob_ours(cx, false, &ours));
	if (!ours)
		return OK;
	TRY(blob_places(cx, "files", look_at_place, NULL));
	return blob_tidy(cx);
}
