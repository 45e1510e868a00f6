/* Blobs whose rows went, and blobs that never had one. */
#include "model/waste.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/blob_care.h"
#include "model/job.h"

enum { WASTE_BATCH = 500 };
#define ORPHAN_AGE_MS (24 * 3600 * INT64_C(1000))	/* an upload is over by then: conf.transfer_timeout is less */

/* ---- what is to go ---- */

void
waste_add(struct db_tx *tx, const struct project *p, const struct waste *w, int64_t owner, const char *blob)
{
	struct arena *a = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(a, "INSERT INTO %s.%s (%s, blob) VALUES ($1::bigint, $2)", p->schema, w->table, w->of), DB(pg_i64(a, owner), blob));
}

static err_t
remove_blob(struct ctx *cx, const struct project *p, const struct waste *w, int64_t owner, const char *blob)
{
	struct blob_place at = {p, w->kind, owner};

	return blob[0] == '\0' ? blob_remove_place(cx, &at) : blob_remove(cx, &at, blob);
}

/* A batch; *more_out when there may be another. What cannot be removed now stays for the next time, and is in nobody's way. */
static err_t
remove_batch(struct ctx *cx, const struct project *p, const struct waste *w, int64_t *after, bool *more_out)
{
	struct db_res *r;
	const char **done;
	int n = 0;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT internal, %s, blob FROM %s.%s WHERE internal > $1::bigint ORDER BY internal LIMIT %d", w->of, p->schema, w->table,
	    WASTE_BATCH), DB(pg_i64(cx->arena, *after))));
	done = arena_array(cx->arena, const char *, db_rows(r) + 1);
	for (int i = 0; i < db_rows(r); i++) {
		err_t e = remove_blob(cx, p, w, db_i64(r, i, 1), db_cstr(r, i, 2));

		*after = db_i64(r, i, 0);
		if (e == OK)
			done[n++] = db_cstr(r, i, 0);
		else if (e == ERR_CANCELLED || e == ERR_TIMEOUT)
			return e;
	}
	*more_out = db_rows(r) == WASTE_BATCH;
	if (n == 0)
		return OK;
	return db_exec(cx, NULL, arena_printf(cx->arena, "DELETE FROM %s.%s WHERE internal = ANY ($1::bigint[])", p->schema, w->table),
	    DB(pg_array(cx->arena, done, n)));
}

err_t
waste_remove(struct ctx *cx, const struct project *p, const struct waste *w)
{
	int64_t after = 0;
	bool more = true;

	while (more) {
		struct ctx part;
		err_t e;

		ctx_init_part(&part, cx);
		e = remove_batch(&part, p, w, &after, &more);
		ctx_fini(&part);
		TRY(e);
	}
	return OK;
}

err_t
waste_project(struct ctx *cx, const struct job *job, struct project **out)
{
	const json_t *j = json_parse(cx, job->payload, NULL);
	err_t e = project_get(cx, json_str(json_object_get(j, "project")), out);

	if (e != ERR_PROJECT_NOT_FOUND)
		return e;
	*out = NULL;
	return OK;
}

/* ---- all projects ---- */

err_t
project_each(struct ctx *cx, const char *work, err_t (*fn)(struct ctx *cx, const char *id))
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT 'console' UNION ALL (SELECT id FROM badal.projects ORDER BY internal)", DB0));
	for (int i = 0; i < db_rows(r); i++) {
		struct ctx one;
		err_t e;

		ctx_init_part(&one, cx);
		e = fn(&one, db_cstr(r, i, 0));
		if (e != OK && e != ERR_PROJECT_NOT_FOUND)
			log_warn(&one, "work of a project is left over", "work=%s project=%s error=%s detail=%s", work, db_cstr(r, i, 0), err_info(e)->name,
			    one.detail ? one.detail : "");
		ctx_fini(&one);
		if (e == ERR_CANCELLED)
			return e;
	}
	return OK;
}

/* ---- orphans ---- */

struct search {
	const struct waste *w;
	const struct blob_place *at;
	const char *names[WASTE_BATCH];
	int n;
};

/* w->known with the schema put in. */
static const char *
known_here(struct arena *a, const struct waste *w, const char *schema)
{
	const char *rest = w->known;
	struct buf b;

	buf_init(&b, a, 256);
	for (const char *at; (at = strstr(rest, ":schema")) != NULL; rest = at + strlen(":schema")) {
		buf_str(&b, (struct str){rest, (size_t)(at - rest)});
		buf_c(&b, schema);
	}
	buf_c(&b, rest);
	return buf_view(&b).p;
}

static err_t
remove_unknown(struct ctx *cx, struct search *s)
{
	const char *schema = s->at->p->schema;
	struct db_res *r;

	TRY(db_query(cx, &r,
	    arena_printf(cx->arena, "SELECT name FROM unnest($1::text[]) name WHERE NOT (%s) AND NOT EXISTS (SELECT 1 FROM %s.%s w WHERE w.blob = name)",
	    known_here(cx->arena, s->w, schema), schema, s->w->table),
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
	return s->n == WASTE_BATCH ? remove_unknown(cx, s) : OK;
}

struct search_all {
	const struct waste *w;
	bool asked, ours;	/* whether the devices are ours alone */
};

static err_t
look_at_place(struct ctx *cx, const char *schema, int64_t owner, void *arg)
{
	struct search_all *all = arg;
	const struct waste *w = all->w;
	const struct project p = {.schema = schema};	/* places know no more of it */
	const struct blob_place at = {&p, w->kind, owner};
	struct search s = {.w = w, .at = &at};
	struct db_res *r;

	if (!all->asked)
		TRY(blob_ours(cx, false, &all->ours));
	all->asked = true;
	if (!all->ours)
		return OK;
	TRY(db_query(cx, &r, "SELECT to_regclass($1 || '.' || $2)", DB(schema, w->owners)));
	if (!db_null(r, 0, 0))
		TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT 1 FROM %s.%s WHERE internal = $1::bigint", schema, w->owners), DB(pg_i64(cx->arena, owner))));
	if (db_rows(r) == 0 || db_null(r, 0, 0)) {	/* the owner, or the project, is gone for good: numbers are not given twice */
		metric_add(M_storage_orphans, 1);
		return blob_remove_place(cx, &at);
	}
	TRY(blob_walk(cx, &at, ORPHAN_AGE_MS, look_at_blob, &s));
	return s.n > 0 ? remove_unknown(cx, &s) : OK;
}

err_t
waste_find_orphans(struct ctx *cx, const struct waste *w)
{
	struct search_all all = {.w = w};

	return blob_places(cx, w->kind, look_at_place, &all);
}
