/* All data spaces: how they are, and the walk through those that are behind. */
#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/space.h"

enum { BATCH = 50, TELL_MS = 10000, PAUSE_MAX_MS = 250, STALLED_MS = 1000 };

err_t
space_report(struct ctx *cx, struct space_report *out)
{
	struct db_res *r;

	TRY(db_migrate_load(cx));
	TRY(db_query(cx, &r,
	    "SELECT count(*) FILTER (WHERE version < $1::int), count(*) FILTER (WHERE needs > $1::int), count(*) FILTER (WHERE version < $1::int AND "
	    "stuck_at IS NOT NULL) FROM badal.projects WHERE version <> $1::int", DB(pg_i64(cx->arena, db_migrate_newest()))));
	*out = (struct space_report){.behind = db_i64(r, 0, 0), .newer = db_i64(r, 0, 1), .stuck = db_i64(r, 0, 2)};
	return OK;
}

static struct project *
space_walk_read_row(struct ctx *cx, const struct db_res *r, int row)
{
	struct project *p = arena_new_of(cx->arena, struct project);

	p->internal = db_i64(r, row, 0);
	p->id = db_cstr(r, row, 1);
	p->version = db_i64(r, row, 2);
	p->stuck = db_cstr(r, row, 3);
	p->stuck_at = db_time(r, row, 4);
	p->schema = arena_printf(cx->arena, "p_%lld", (long long)p->internal);
	return p;
}

err_t
space_stuck(struct ctx *cx, int max, struct objs *out)
{
	struct db_res *r;

	TRY(db_migrate_load(cx));
	TRY(db_query(cx, &r,
	    "SELECT internal, id, version, stuck, stuck_at FROM badal.projects WHERE version < $1::int AND stuck_at IS NOT NULL ORDER BY internal LIMIT $2::int",
	    DB(pg_i64(cx->arena, db_migrate_newest()), pg_i64(cx->arena, max))));
	*out = (struct objs){.v = arena_array(cx->arena, void *, db_rows(r) + 1)};
	for (int i = 0; i < db_rows(r); i++)
		out->v[out->n++] = space_walk_read_row(cx, r, i);
	return OK;
}

/* ---- the walk ---- */

struct walk {
	bool gently;
	int64_t done, failed;
	uint64_t began, told;
};

static err_t
space_walk_look(struct ctx *cx, struct space_report *out)
{
	TRY(space_report(cx, out));
	metric_set(M_projects_behind, out->behind);
	metric_set(M_projects_stuck, out->stuck);
	return OK;
}

static err_t
tell(struct ctx *cx, struct walk *k, bool end)
{
	struct space_report left;

	if (!end && loop_now() < k->told + TELL_MS)
		return OK;
	k->told = loop_now();
	TRY(space_walk_look(cx, &left));
	log_info(cx, end ? "projects brought up to date" : "bringing projects up to date", "done=%lld failed=%lld left=%lld seconds=%llu", (long long)k->done,
	    (long long)k->failed, (long long)left.behind, (unsigned long long)((loop_now() - k->began) / 1000));
	return OK;
}

/* One project, and as long a pause. An error: the walk ends. */
static err_t
visit(struct ctx *outer, struct walk *k, const struct project *p)
{
	uint64_t began = loop_now(), took;
	struct ctx cx;
	err_t e;

	ctx_init(&cx);
	cx.fib = outer->fib;
	cx.deadline = outer->deadline;
	e = space_bring_up(&cx, p);
	k->done += e == OK;
	k->failed += e == ERR_PROJECT_STUCK;
	ctx_fini(&cx);
	if (e == ERR_CANCELLED)
		return e;
	took = loop_now() - began;
	return k->gently ? fib_sleep(outer, took < PAUSE_MAX_MS ? took : PAUSE_MAX_MS) : OK;
}

/* In no order: of several that walk at once each has another part. */
static err_t
batch(struct ctx *outer, struct walk *k, int *n_out)
{
	int64_t before = k->done + k->failed;
	struct ctx cx;
	struct db_res *r;
	err_t e;

	ctx_init(&cx);
	cx.fib = outer->fib;
	cx.deadline = outer->deadline;
	e = db_query(&cx, &r,
	    "SELECT internal, id, version, '', NULL FROM badal.projects WHERE version < $1::int AND (stuck_at IS NULL OR stuck_at < $2::timestamptz) "
	    "ORDER BY random() LIMIT $3::int",
	    DB(pg_i64(cx.arena, db_migrate_newest()), pg_time(cx.arena, time_now_ms() - conf.migrate_retry), pg_i64(cx.arena, BATCH)));
	*n_out = e == OK ? db_rows(r) : 0;
	for (int i = 0; i < *n_out && e == OK; i++) {
		e = visit(&cx, k, space_walk_read_row(&cx, r, i));
		if (e == OK)
			e = tell(&cx, k, false);
	}
	if (e == OK && *n_out > 0 && k->done + k->failed == before)	/* they are all somebody else's now, or the database is busy */
		e = fib_sleep(&cx, STALLED_MS);
	ctx_fini(&cx);
	return e;
}

err_t
space_walk(struct ctx *cx, bool gently)
{
	struct walk k = {.gently = gently, .began = loop_now(), .told = loop_now()};
	struct space_report left;
	int n;

	TRY(db_migrate_load(cx));
	TRY(space_walk_look(cx, &left));
	if (left.behind == 0)
		return OK;
	if (left.behind > left.stuck)
		log_info(cx, "projects to bring up to date", "projects=%lld to=%d", (long long)left.behind, db_migrate_newest());
	do
		TRY(batch(cx, &k, &n));
	while (n > 0);
	return k.done + k.failed > 0 ? tell(cx, &k, true) : OK;
}
