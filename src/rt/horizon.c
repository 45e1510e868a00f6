/* Where the past of a connection that comes back ends: at what had been committed by then, whether the stream has it or not.
 *
 * An entry says for whom it was when it happened. Who was there is shown it; who comes back is shown of the past what he may read now (resume.c). The stream is
 * written behind the commits, so its end cannot tell what is past: the WAL can. So the connection waits until the stream has all that had been committed when
 * it came, and this process has gone through it. By then no cache here is older than that either: neither its roles nor the permissions that entries are judged by.
 * Nothing is kept for it meanwhile, since the stream does that.
 *
 * One fiber asks for all that wait, in rounds: PostgreSQL for its position, once for all that came since the round before, and Redis for how far the relay is,
 * where the entries themselves do not show it.
 *
 * Who connects afresh asks nothing and waits for nothing, and whose roles change while connected does not either. To them an event is shown when it was for a role,
 * as it was committed, that they hold as it is delivered. A role that was lost is never used: roles are read behind the events that took them, or earlier. A
 * role that was gained may be in use before the event that gave it is delivered, as roles are read from the database: then what the relay had not passed on by that time is
 * shown by it, also what was committed before it was gained. That ends with the relay's lag, takes a role that the event named, and could only be told from
 * what they must hear by a question for each connection. `since` asks it. */
#include "rt_priv.h"

#include <assert.h>

#include "core/loop.h"
#include "io/db.h"

enum { PAUSE_MIN = 4, PAUSE_MAX = 64, PAUSE_FAILED = 200 };	/* ms between rounds */

struct waiter {			/* on the stack of the fiber that waits */
	struct waiter *next;
	const struct peer *c;
	bool asked;		/* the question that is under way was asked after it came */
	uint64_t lsn;		/* what was committed before it came is before this; 0: not known yet */
	struct fib_event passed;
};

static struct waiter *waiters;
static bool running;
static struct fib_event came;	/* for the fiber: somebody new waits */
static struct reach {
	uint64_t lsn;		/* what was committed before this is in the stream */
	struct stream_pos end;	/* the last entry at that time */
} reach[BUS_SHARDS_MAX];

static bool
shard_passed(int shard, uint64_t lsn)
{
	struct stream_pos told = fanout_told(shard);

	return told.lsn >= lsn || (reach[shard].lsn >= lsn && stream_pos_cmp(told, reach[shard].end) >= 0);
}

/* The user's own events may be of another project than those he listens to. */
static int
shard_of_user(const struct peer *c)
{
	return c->home != 0 ? stream_shard(atom_text(c->home), bus_stream_shards()) : peer_shard(c);
}

static bool
has_passed(const struct waiter *w)
{
	return w->lsn > 0 && shard_passed(peer_shard(w->c), w->lsn) && shard_passed(shard_of_user(w->c), w->lsn);
}

static err_t
ask_where(struct ctx *cx)
{
	bool any = false;
	uint64_t lsn;

	for (struct waiter *w = waiters; w != NULL; w = w->next)
		any |= w->asked = w->lsn == 0;
	if (!any)
		return OK;
	TRY(db_wal_end(cx, &lsn));
	for (struct waiter *w = waiters; w != NULL; w = w->next)
		if (w->asked && w->lsn == 0)
			w->lsn = lsn;
	return OK;
}

static err_t
ask_reach(struct ctx *cx)
{
	bool wanted[BUS_SHARDS_MAX] = {false};

	for (const struct waiter *w = waiters; w != NULL; w = w->next)
		if (w->lsn > 0) {
			wanted[peer_shard(w->c)] |= !shard_passed(peer_shard(w->c), w->lsn);
			wanted[shard_of_user(w->c)] |= !shard_passed(shard_of_user(w->c), w->lsn);
		}
	for (int i = 0; i < BUS_SHARDS_MAX; i++)
		if (wanted[i])
			TRY(bus_reached(cx, i, &reach[i].lsn, &reach[i].end));
	return OK;
}

static err_t
horizon_round(struct ctx *cx)
{
	/* what was heard of the stream may be of another one by now */
	memset(reach, 0, sizeof reach);
	TRY(ask_where(cx));
	TRY(ask_reach(cx));
	for (struct waiter *w = waiters; w != NULL; w = w->next)
		if (has_passed(w))
			fib_signal(&w->passed);
	return OK;
}

static void
horizon_run(struct ctx *cx, void *arg)
{
	uint64_t pause = PAUSE_MIN;
	err_t e = OK;

	(void)arg;
	while (waiters != NULL && (e == OK || e == ERR_TIMEOUT)) {
		struct ctx part;

		fib_event_reset(&came);
		ctx_init_part(&part, cx);
		part.deadline = loop_now() + (uint64_t)conf.request_timeout;
		e = horizon_round(&part);
		ctx_fini(&part);
		pause = e != OK ? PAUSE_FAILED : pause < PAUSE_MAX ? pause * 2 : pause;
		e = e != OK ? fib_sleep(cx, pause) : fib_await_for(cx, &came, pause);
		if (e == OK)
			pause = PAUSE_MIN;
	}
	running = false;
}

static void
waiters_remove(struct waiter *w)
{
	struct waiter **at = &waiters;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

err_t
horizon_pass(struct ctx *cx, struct peer *c)
{
	struct waiter w = {.next = waiters, .c = c};
	struct stream_pos last;
	err_t e;

	waiters = &w;
	fib_signal(&came);
	if (!running) {
		running = true;
		fib_spawn_new("rt-horizon", 0, horizon_run, NULL);
	}
	task_step_aside(true);
	e = fib_await(cx, &w.passed);
	task_step_aside(false);
	waiters_remove(&w);
	if (e != OK)
		return e;
	assert(w.lsn > 0);
	last = (struct stream_pos){w.lsn - 1, UINT64_MAX};
	if (stream_pos_cmp(c->horizon, last) < 0)
		c->horizon = last;
	c->returns = false;
	return OK;
}
