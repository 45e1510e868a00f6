/* Phone numbers with a code of their own: nothing is sent to them. */
#include "core/vtime.h"
#include "model/project_write.h"
#include "svc/projects/project.h"

struct mock_number *
mock_find(const struct project *p, const char *number)
{
	for (int i = 0; i < p->mock_numbers.n; i++)
		if (strcmp(((struct mock_number *)p->mock_numbers.v[i])->number, number) == 0)
			return p->mock_numbers.v[i];
	return NULL;
}

static struct mock_number *
mock_read(struct ctx *cx, const struct db_res *r)
{
	struct mock_number *m = arena_zalloc(cx->arena, sizeof *m);

	shape_read(cx, &mock_number_shape, m, r, 0, 0);
	return m;
}

static struct event
mock_event(struct ctx *cx, const struct project *p, const struct event_info *kind, const char *number)
{
	struct event ev = project_event(cx, kind, p->id, NULL);

	ev.ids[1] = number;
	return ev;
}

/* One after the other changes the numbers of a project: what is counted stays so. */
static err_t
mock_lock(struct db_tx *tx, const struct project *p, int64_t *n_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT 1 FROM badal.projects WHERE internal = $1 FOR UPDATE", DB(pg_i64(cx->arena, p->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", p->id);
	TRY(tx_query(tx, &r, "SELECT count(*) FROM badal.mock_numbers WHERE project = $1", DB(pg_i64(cx->arena, p->internal))));
	*n_out = db_i64(r, 0, 0);
	return OK;
}

static err_t
mock_create_tx(struct db_tx *tx, const struct project *p, const char *number, const char *otp, struct mock_number **out)
{
	struct ctx *cx = tx_ctx(tx);
	const struct event ev = mock_event(cx, p, &ev_project_mock_create, number);
	struct db_res *r;
	int64_t n;
	err_t e;

	TRY(mock_lock(tx, p, &n));
	if (n >= PROJECT_MOCK_NUMBERS_MAX)
		return fail(cx, ERR_MOCK_NUMBER_LIMIT_EXCEEDED, "project=%s", p->id);
	e = tx_query(tx, &r,
	    arena_printf(cx->arena, "INSERT INTO badal.mock_numbers AS c (project, id, otp, created, updated) VALUES ($1, $2, $3, $4, $4) RETURNING %s",
		shape_columns(&mock_number_shape)),
	    DB(pg_i64(cx->arena, p->internal), number, otp, pg_time(cx->arena, time_now_ms())));
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_MOCK_NUMBER_ALREADY_EXISTS, "project=%s", p->id);
	TRY(e);
	*out = mock_read(cx, r);
	event_emit(tx, &ev);
	return OK;
}

err_t
mock_create(struct ctx *cx, const struct project *p, const char *number, const char *otp, struct mock_number **out)
{
	return TX_RUN(cx, tx, mock_create_tx(tx, p, number, otp, out));
}

err_t
mock_update(struct ctx *cx, const struct project *p, const char *number, const char *otp, struct mock_number **out)
{
	const struct event ev = mock_event(cx, p, &ev_project_mock_update, number);
	struct db_res *r;

	TRY(event_write(cx, &ev, &r,
	    arena_printf(cx->arena, "UPDATE badal.mock_numbers AS c SET otp = $3, updated = $4 WHERE c.project = $1 AND c.id = $2 RETURNING %s",
		shape_columns(&mock_number_shape)),
	    DB(pg_i64(cx->arena, p->internal), number, otp, pg_time(cx->arena, time_now_ms()))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_MOCK_NUMBER_NOT_FOUND, "project=%s", p->id);
	*out = mock_read(cx, r);
	return OK;
}

err_t
mock_delete(struct ctx *cx, const struct project *p, const char *number)
{
	const struct event ev = mock_event(cx, p, &ev_project_mock_delete, number);
	struct db_res *r;

	TRY(event_write(cx, &ev, &r, "DELETE FROM badal.mock_numbers AS c WHERE c.project = $1 AND c.id = $2 RETURNING c.internal",
	    DB(pg_i64(cx->arena, p->internal), number)));
	return db_rows(r) > 0 ? OK : fail(cx, ERR_MOCK_NUMBER_NOT_FOUND, "project=%s", p->id);
}

static err_t
mock_replace_tx(struct db_tx *tx, const struct project *p, const char *const *numbers, const char *const *otps, int n)
{
	struct ctx *cx = tx_ctx(tx);
	const struct event ev = project_event(cx, &ev_project_update, p->id, NULL);
	int64_t was;

	TRY(mock_lock(tx, p, &was));
	tx_add(tx, "DELETE FROM badal.mock_numbers WHERE project = $1", DB(pg_i64(cx->arena, p->internal)));
	tx_add(tx, "INSERT INTO badal.mock_numbers (project, id, otp, created, updated) SELECT $1, number, otp, $4, $4 FROM unnest($2::text[], $3::text[]) AS t (number, otp)",
	    DB(pg_i64(cx->arena, p->internal), pg_array(cx->arena, numbers, n), pg_array(cx->arena, otps, n), pg_time(cx->arena, time_now_ms())));
	event_emit(tx, &ev);
	return OK;
}

err_t
mock_replace(struct ctx *cx, const struct project *p, const char *const *numbers, const char *const *otps, int n, struct project **out)
{
	TRY(TX_RUN(cx, tx, mock_replace_tx(tx, p, numbers, otps, n)));
	return project_get_bare(cx, str_c(p->id), out);
}
