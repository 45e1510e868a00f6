/* Rows against bytes, both ways.
 *
 * A row is read before its blob is looked for, and a blob is found before its row is: what is uploaded or deleted in between shows as missing, so whoever seems to
 * be wrong is asked again before it is said. */
#include "model/blob_care.h"

#include <stdlib.h>

#include "blob_care_priv.h"
#include "blob_priv.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "io/db.h"
#include "model/service.h"

enum { CHECK_BATCH = 500 };
#define CHECK_ORPHAN_MS (24 * 3600 * INT64_C(1000))

struct check {
	const struct check_how *how;
	struct check_count *n;
	const struct project *p;
	const struct blob_book *book;
	const char *select;
};

/* Where a blob is; ERR_BLOB_GONE: nowhere. */
static err_t
blob_find(struct ctx *cx, const char *key, struct device **at_out, uint64_t *size_out)
{
	struct device_source *s;
	struct devices d;
	err_t e = ERR_BLOB_GONE;

	TRY(device_configured(cx, &d));
	for (int i = 0; e == ERR_BLOB_GONE && i < d.n + (d.n > 1); i++) {	/* the first one again: it may be moved meanwhile */
		*at_out = d.v[i % d.n];
		e = device_open(cx, *at_out, key, 0, 0, &s, size_out);
		if (e == OK)
			device_close(&s);
	}
	return e;
}

static err_t
row_is_there(struct ctx *cx, const struct check *c, const char *name, bool *out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT 1 FROM (%s) b WHERE b.name = $1", c->select), DB(name)));
	*out = db_rows(r) > 0;
	return OK;
}

/* *counter and the name of what is wrong; NULL: nothing. */
static err_t
look_at_bytes(struct ctx *cx, const struct check *c, const struct db_res *r, int i, const char *key, const char **wrong_out, int64_t **counter_out)
{
	struct device *d;
	uint64_t size;
	err_t e = blob_find(cx, key, &d, &size);
	bool same;

	*wrong_out = NULL;
	if (e == ERR_BLOB_GONE) {
		*wrong_out = "missing";
		*counter_out = &c->n->missing;
		return OK;
	}
	TRY(e);
	if (size != (uint64_t)db_i64(r, i, 2)) {
		*wrong_out = "size";
		*counter_out = &c->n->size;
	} else if (c->how->deep) {
		TRY(blob_read_again(cx, d, key, size, db_cstr(r, i, 3), &same));
		if (!same) {
			*wrong_out = "damaged";
			*counter_out = &c->n->damaged;
		}
	}
	return OK;
}

static err_t
check_row(struct ctx *cx, const struct check *c, const struct db_res *r, int i)
{
	const struct blob_place at = {c->p, c->book->kind, db_i64(r, i, 0)};
	const char *key = blob_key(cx->arena, &at, db_cstr(r, i, 1)), *wrong;
	int64_t *counter;
	bool still;
	err_t e = look_at_bytes(cx, c, r, i, key, &wrong, &counter);

	c->n->rows++;
	if (e == ERR_BLOB_GONE) {	/* while it was read */
		wrong = "missing";
		counter = &c->n->missing;
		e = OK;
	}
	TRY(e);
	if (wrong == NULL)
		return OK;
	TRY(row_is_there(cx, c, db_cstr(r, i, 1), &still));
	if (!still)
		return OK;
	++*counter;
	c->how->found(wrong, db_cstr(r, i, 4), key);
	return OK;
}

/* A batch in memory of its own; *last is the name of its last row, "" at the end. */
static err_t
check_rows(struct ctx *outer, const struct check *c, char last[BLOB_NAME + 1])
{
	struct ctx own;
	struct db_res *r;
	int n = 0;
	err_t e;

	ctx_init_part(&own, outer);
	e = db_query(&own, &r, arena_printf(own.arena, "SELECT b.owner, b.name, b.stored, b.md5, b.what FROM (%s) b WHERE b.name > $1 ORDER BY b.name LIMIT %d", c->select,
	    CHECK_BATCH), DB(last));
	if (e == OK)
		n = db_rows(r);
	for (int i = 0; e == OK && i < n; i++)
		e = check_row(&own, c, r, i);
	snprintf(last, BLOB_NAME + 1, "%s", e == OK && n == CHECK_BATCH ? db_cstr(r, n - 1, 1) : "");
	if (e != OK)
		e = fail(outer, e, "%s", own.detail ? own.detail : err_info(e)->name);
	ctx_fini(&own);
	return e;
}

/* ---- bytes without a row ---- */

struct check_place {
	const struct check *c;
	const struct blob_place *at;
	const char *names[CHECK_BATCH];
	int n;
};

static err_t
check_unknown(struct ctx *cx, struct check_place *s)
{
	const struct check *c = s->c;
	struct db_res *r;

	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT u FROM unnest($1::text[]) u WHERE NOT EXISTS (SELECT 1 FROM (%s) b WHERE b.name = u)", c->select),
	    DB(pg_array(cx->arena, s->names, s->n))));
	s->n = 0;
	for (int i = 0; i < db_rows(r); i++) {
		c->n->orphans++;
		c->how->found("orphan", "", blob_key(cx->arena, s->at, db_cstr(r, i, 0)));
		if (!c->how->repair)
			continue;
		TRY(blob_remove(cx, s->at, db_cstr(r, i, 0)));
		c->n->removed++;
	}
	return OK;
}

static err_t
check_blob(struct ctx *cx, const char *name, int64_t stored, void *arg)
{
	struct check_place *s = arg;

	(void)stored;
	s->c->n->blobs++;
	s->names[s->n++] = arena_strdup(cx->arena, name);
	return s->n == CHECK_BATCH ? check_unknown(cx, s) : OK;
}

static err_t
check_place(struct ctx *cx, const char *schema, int64_t owner, void *arg)
{
	const struct check *c = arg;
	const struct blob_place at = {c->p, c->book->kind, owner};
	struct check_place s = {.c = c, .at = &at};

	if (strcmp(schema, c->p->schema) != 0)
		return OK;
	TRY(blob_walk(cx, &at, CHECK_ORPHAN_MS, check_blob, &s));
	return s.n > 0 ? check_unknown(cx, &s) : OK;
}

/* ---- all ---- */

/* A database is known by its cluster. Where that may not be asked nobody can tell, and nobody is kept from his own. */
err_t
blob_ours(struct ctx *cx, bool take, bool *ours_out)
{
	struct db_res *r;
	struct devices d;
	err_t e = db_query(cx, &r, "SELECT system_identifier || '-' || (SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system()", DB0);

	*ours_out = true;
	if (e != OK)
		return strcmp(db_sqlstate(cx), "42501") == 0 ? OK : e;
	TRY(device_configured(cx, &d));
	for (int i = 0; *ours_out && i < d.n; i++)
		TRY(device_claim(cx, d.v[i], db_cstr(r, 0, 0), take, ours_out));
	if (!*ours_out) {
		metric_add(M_storage_foreign, 1);
		log_error(cx, "the storage belongs to another database: nothing is looked for there that no row knows", "advice=\"badal storage check --claim, if it is ours\"");
	}
	return OK;
}

err_t
blob_tidy(struct ctx *cx)
{
	struct devices d;
	int n;

	TRY(device_configured(cx, &d));
	for (int i = 0; i < d.n; i++) {
		err_t e = device_tidy(cx, d.v[i], &n);

		metric_add(M_storage_tidied, n);
		TRY(e);
	}
	return OK;
}

static err_t
check_book(struct ctx *cx, struct check *c)
{
	char last[BLOB_NAME + 1] = "";

	c->select = c->book->select(cx->arena, c->p->schema);
	do
		TRY(check_rows(cx, c, last));
	while (last[0] != '\0');
	return blob_places(cx, c->book->kind, check_place, c);
}

static err_t
check_project(struct ctx *outer, const struct check_how *how, const char *id, struct check_count *n)
{
	struct ctx own;
	struct project *p;
	struct check c = {.how = how, .n = n};
	int n_services;
	const struct service *const *services = service_all(&n_services);
	err_t e;

	ctx_init_part(&own, outer);
	e = project_get(&own, str_c(id), &p);
	c.p = p;
	for (int i = 0; e == OK && i < n_services; i++)
		for (c.book = services[i]->blobs; e == OK && c.book != NULL && c.book->kind != NULL; c.book++)
			e = check_book(&own, &c);
	if (e != OK && e != ERR_CANCELLED && e != ERR_PROJECT_NOT_FOUND) {
		n->failed++;
		how->found("not looked at", id, own.detail ? own.detail : err_info(e)->name);
	}
	n->projects += e == OK;
	ctx_fini(&own);
	return e == ERR_CANCELLED ? e : OK;
}

err_t
blob_check(struct ctx *cx, const struct check_how *how, struct check_count *n)
{
	struct db_res *r;
	bool ours;

	memset(n, 0, sizeof *n);
	TRY(blob_ours(cx, how->claim, &ours));
	if (!ours && how->repair)
		return fail_msg(cx, ERR_DEVICE, "The storage belongs to another database; --claim takes it over.");
	TRY(db_query(cx, &r, "SELECT 'console' UNION ALL (SELECT id FROM badal.projects ORDER BY internal)", DB0));
	for (int i = 0; i < db_rows(r); i++)
		TRY(check_project(cx, how, db_cstr(r, i, 0), n));
	return how->repair ? blob_tidy(cx) : OK;
}
