/* Bringing data spaces up to date: a queue of projects per process, conf.migrate_at_once of them at work, each on a fiber of its own.
 *
 * Who asks for a project waits at its entry in the queue, not for a connection, and may leave: what was begun goes on, what was not is
 * forgotten with the last who wanted it. The fiber polls for the lock of a space that another process works at. */
#include "model/space.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/gen.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/project_write.h"

enum {
	WORK_MAGIC = 0x73706163, QUEUE_MAX = 1000,
	WAITERS_PART = 8,	/* of the requests that a process works on, for one project */
	WORK_MAX_MS = 2 * 3600 * 1000,	/* one project's files; rows of large projects may be rewritten */
	POLL_MS = 50, POLL_MAX_MS = 500,
	TRIES = 5, TRY_PAUSE_MS = 200	/* after a deadlock, or a lock that somebody keeps */
};

struct waiter {			/* on the stack of who waits */
	struct waiter *next;
	struct fib_event ev;
	err_t result;
	char why[256];
};

struct work {
	unsigned magic;
	struct work *next;
	struct waiter *waiters;
	int64_t n_waiters;
	bool running;		/* else it waits for its turn */
	int64_t internal;
	char id[64];		/* public, of the project */
};

static struct work *works;	/* in the order they came */
static int n_works, n_running;

static void space_pump(void);

bool
space_fits(const struct project *p)
{
	int newest = db_migrate_newest();

	return p->console || p->version == newest || (p->version > newest && p->needs <= newest);
}

/* ---- one step ---- */

enum space_step { STEP_DONE, STEP_MORE, STEP_ELSEWHERE };

/* Locks that others keep must not keep ours: who waits for a table makes all others wait behind him. Statements may take long. */
static const char patience_sql[] = "SET LOCAL lock_timeout = '3s'";
static const char no_limit_sql[] = "SET LOCAL statement_timeout = 0";
static const char lock_sql[] = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 2))";

static void
record(struct db_tx *tx, const struct work *w, int at)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev = project_event(cx, &ev_project_update, w->id, NULL);

	tx_add(tx, "UPDATE badal.projects SET version = $2::int, needs = $3::int, stuck = '', stuck_at = NULL WHERE internal = $1::bigint",
	    DB(pg_i64(cx->arena, w->internal), pg_i64(cx->arena, at), pg_i64(cx->arena, db_migrate_needed(at))));
	event_emit(tx, &ev);
}

/* The next file. The project must not be deleted meanwhile, but may be changed. */
static err_t
space_apply(struct db_tx *tx, const struct work *w, const char *schema, enum space_step *out)
{
	struct ctx *cx = tx_ctx(tx);
	uint64_t began = loop_now();
	struct db_res *r;
	int at, version;

	TRY(tx_query(tx, &r, "SELECT version FROM badal.projects WHERE internal = $1::bigint FOR KEY SHARE", DB(pg_i64(cx->arena, w->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", w->id);
	version = (int)db_i64(r, 0, 0);
	TRY(db_migrate_at(tx, schema, &at));
	*out = STEP_DONE;
	if (at > db_migrate_newest() && version != at)
		return fail(cx, ERR_PROJECT_NEWER, "the space is at migration %d, the project at %d", at, version);
	if (at >= db_migrate_newest() && version == at) {	/* others did it */
		tx_stale(tx, project_stale_key(cx, w->id));
		return OK;
	}
	if (at == db_migrate_newest()) {	/* made by an older program, which knows no version */
		record(tx, w, at);
		return OK;
	}
	TRY(db_migrate_next(tx, schema, &at));
	record(tx, w, at);
	metric_add(M_migrations, 1);
	log_info(cx, "project migrated", "schema=%s migration=%d ms=%llu", schema, at, (unsigned long long)(loop_now() - began));
	if (at < db_migrate_newest())
		*out = STEP_MORE;
	return OK;
}

static err_t
space_step(struct db_tx *tx, const struct work *w, enum space_step *out)
{
	const char *schema = arena_printf(tx_ctx(tx)->arena, "p_%lld", (long long)w->internal);
	struct db_res *r;

	*out = STEP_ELSEWHERE;
	tx_add(tx, no_limit_sql, DB0);
	tx_add(tx, patience_sql, DB0);
	TRY(tx_query(tx, &r, lock_sql, DB(schema)));
	return db_bool(r, 0, 0) ? space_apply(tx, w, schema, out) : OK;
}

/* ---- one project ---- */

/* What may be otherwise the next time, whatever the file says. */
static bool
space_passing(err_t e)
{
	static const err_t list[] = {ERR_PROJECT_NEWER, ERR_DB_DOWN, ERR_DB_BUSY, ERR_DB_CONFLICT, ERR_TIMEOUT, ERR_CANCELLED, ERR_STOPPING, ERR_PROJECT_BEHIND};

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (e == list[i])
			return true;
	return false;
}

static err_t
migrate(struct ctx *cx, const struct work *w)
{
	uint64_t pause = POLL_MS, patience = loop_now() + (uint64_t)conf.migrate_wait;
	enum space_step now = STEP_MORE;
	int tries = 0;

	while (now != STEP_DONE) {
		err_t e = TX_RUN(cx, tx, space_step(tx, w, &now));

		if (e == ERR_DB_CONFLICT && ++tries < TRIES) {
			TRY(fib_sleep(cx, (uint64_t)tries * TRY_PAUSE_MS));
			continue;
		}
		TRY(e);
		if (now != STEP_ELSEWHERE) {
			patience = loop_now() + (uint64_t)conf.migrate_wait;
			continue;
		}
		if (loop_now() >= patience)
			return fail(cx, ERR_PROJECT_BEHIND, "another process is at it");
		TRY(fib_sleep(cx, pause));
		pause = pause * 2 > POLL_MAX_MS ? POLL_MAX_MS : pause * 2;
	}
	return OK;
}

/* Kept where everybody looks: the next to ask gets it without a try, until conf.migrate_retry has passed. */
static void
note_stuck(struct ctx *cx, const struct work *w, const char *why)
{
	metric_add(M_migrations_failed, 1);
	log_error(cx, "a project cannot be migrated", "project=%s schema=p_%lld why=\"%s\"", w->id, (long long)w->internal, why);
	if (db_exec(cx, NULL, "UPDATE badal.projects SET stuck = $2, stuck_at = now() WHERE internal = $1::bigint",
		DB(pg_i64(cx->arena, w->internal), why)) != OK)
		log_warn(cx, "that is not recorded", "project=%s detail=%s", w->id, cx->detail ? cx->detail : "");
	gen_bump(str_c(project_stale_key(cx, w->id)));
}

/* ---- the queue ---- */

static void
unlink_work(struct work *w)
{
	struct work **p = &works;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	n_works--;
}

static void
space_finish(struct work *w, err_t e, const char *why)
{
	assert(w->running && n_running > 0);
	unlink_work(w);
	n_running--;
	for (struct waiter *x = w->waiters, *next; x != NULL; x = next) {
		next = x->next;
		x->result = e;
		snprintf(x->why, sizeof x->why, "%s", why);
		fib_signal(&x->ev);
	}
	w->magic = 0;
	free(w);
	space_pump();
}

static void
space_work_fiber(struct ctx *cx, void *arg)
{
	struct work *w = arg;
	const char *why = "";
	err_t e;

	assert(w->magic == WORK_MAGIC && w->running);
	cx->project = w->id;
	e = migrate(cx, w);
	if (e != OK)
		why = cx->detail ? cx->detail : err_info(e)->name;
	if (e != OK && space_passing(e)) {
		log_warn(cx, "a project is not migrated yet", "error=%s detail=%s", err_info(e)->name, why);
		e = ERR_PROJECT_BEHIND;
	} else if (e != OK && e != ERR_PROJECT_NOT_FOUND) {
		note_stuck(cx, w, why);
		e = ERR_PROJECT_STUCK;
	}
	cx->project = NULL;
	space_finish(w, e, why);
}

/* As many as may run at once, the first that came first. */
static void
space_pump(void)
{
	int most = conf.migrate_at_once > 0 ? (int)conf.migrate_at_once : 1;

	for (struct work *w = works; w != NULL && n_running < most; w = w->next) {
		if (w->running)
			continue;
		w->running = true;
		n_running++;
		fib_spawn_new("migrate", WORK_MAX_MS, space_work_fiber, w);
	}
}

/* NULL: too many wait. */
static struct work *
work_for(const struct project *p)
{
	struct work **at = &works, *w;

	for (; *at != NULL; at = &(*at)->next)
		if ((*at)->internal == p->internal)
			return *at;
	if (n_works >= QUEUE_MAX)
		return NULL;
	w = mem_zalloc(sizeof *w);
	w->magic = WORK_MAGIC;
	w->internal = p->internal;
	snprintf(w->id, sizeof w->id, "%s", p->id);
	*at = w;
	n_works++;
	return w;
}

static void
space_leave(struct work *w, struct waiter *me)
{
	struct waiter **p = &w->waiters;

	assert(w->magic == WORK_MAGIC);
	while (*p != me)
		p = &(*p)->next;
	*p = me->next;
	w->n_waiters--;
	if (w->waiters != NULL || w->running)
		return;
	unlink_work(w);
	w->magic = 0;
	free(w);
}

static err_t
space_late(struct ctx *cx, const struct project *p, const char *why)
{
	metric_add(M_migrations_late, 1);
	return fail(cx, ERR_PROJECT_BEHIND, "project=%s %s", p->id, why);
}

err_t
space_bring_up(struct ctx *cx, const struct project *p)
{
	struct waiter me = {0};
	struct work *w;
	err_t e;

	assert(!p->console && p->internal > 0);
	if (p->version > db_migrate_newest())
		return fail(cx, ERR_PROJECT_NEWER, "project=%s is at migration %lld and needs a program that knows %lld, this one knows %d", p->id,
		    (long long)p->version, (long long)p->needs, db_migrate_newest());
	if (p->stuck_at != TIME_NONE && time_now_ms() - p->stuck_at < conf.migrate_retry)
		return fail(cx, ERR_PROJECT_STUCK, "project=%s %s", p->id, p->stuck);
	w = work_for(p);
	if (w == NULL)
		return space_late(cx, p, "too many wait");
	if (w->n_waiters > conf.requests_max / WAITERS_PART)	/* the others are for other projects */
		return space_late(cx, p, "too many wait for it");
	w->n_waiters++;
	me.next = w->waiters;
	w->waiters = &me;
	space_pump();
	e = fib_await_for(cx, &me.ev, (uint64_t)conf.migrate_wait);
	if (!me.ev.set) {
		space_leave(w, &me);
		return e == ERR_TIMEOUT ? space_late(cx, p, "is still at it") : e;
	}
	if (me.result == ERR_PROJECT_BEHIND)
		return space_late(cx, p, me.why);
	return me.result == OK ? OK : fail(cx, me.result, "project=%s %s", p->id, me.why);
}
