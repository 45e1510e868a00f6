/* Catching up: a connection that is out of the index reads the stream from where it was served, until it has reached the position
 * of the fan-out, and enters the index in that same turn of the loop. */
#include "rt_priv.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum { BATCH = 128, RETRY_MS = 200, DRAIN_MS = 20, BEHIND_MS = 2000 };

/* Waits while the client reads slower than we could send: what it missed must not make it a slow reader. Slow clients keep nobody
 * else from being served. */
static err_t
wait_for_room(struct ctx *cx, const struct peer *c)
{
	err_t e = OK;

	if (c->ws == NULL || !ws_lagging(c->ws))
		return OK;
	task_step_aside(true);
	while (e == OK && c->ws != NULL && ws_lagging(c->ws))
		e = fib_sleep(cx, DRAIN_MS);
	task_step_aside(false);
	return e;
}

/* Serves entries up to `upto`. Stops behind one that fills the connection's queue. No await in here. */
static void
serve(struct peer *c, const struct bus_entry *v, int n, struct stream_pos upto)
{
	for (int i = 0; i < n && c->ws != NULL; i++) {
		struct news news;

		if (news_init(&news, v[i].pos, v[i].header, v[i].body) && news_resolve(&news) && peer_concerned(c, &news))
			fanout_send(c, &news);
		news_fini(&news);
		c->at = v[i].pos;
		if (c->ws != NULL && ws_lagging(c->ws))
			return;
	}
	if (n < BATCH)
		c->at = upto;
}

/* One batch. Awaits. */
static err_t
advance(struct ctx *outer, struct peer *c)
{
	struct stream_pos upto = fanout_pos();
	struct bus_entry *v;
	struct ctx cx;
	err_t e;
	int n;

	ctx_init(&cx);
	cx.fib = outer->fib;
	cx.deadline = loop_now() + (uint64_t)conf.request_timeout;
	e = wait_for_room(&cx, c);
	if (e == OK)
		e = bus_range(&cx, c->at, upto, BATCH, &v, &n);
	if (e == OK && c->ws != NULL && !c->stale)	/* stale: first the roles, then the same batch */
		serve(c, v, n, upto);
	ctx_fini(&cx);
	return e;
}

static void
give_up(struct peer *c)
{
	if (c->ws == NULL)
		return;
	peer_move(c, RT_REFUSED);
	ws_close(c->ws, 1013, "try again later");
}

/* True when it is worth another try. */
static bool
retry(struct ctx *cx, const struct peer *c, err_t e)
{
	if (c->ws == NULL || e == ERR_CANCELLED || e == ERR_TIMEOUT || loop_now() >= cx->deadline)
		return false;
	log_debug(cx, "cannot catch up yet", "error=%s", err_info(e)->name);
	return fib_sleep(cx, RETRY_MS) == OK;
}

static err_t
refresh(struct ctx *cx, struct peer *c)
{
	err_t e;

	c->stale = false;
	e = who_refresh(cx, c);
	if (e != OK)
		c->stale = true;
	return e;
}

void
peer_settle(struct ctx *cx, struct peer *c)
{
	while (c->ws != NULL && c->state == RT_CATCHING) {
		err_t e;

		if (!c->stale && stream_pos_cmp(c->at, fanout_pos()) >= 0) {
			peer_move(c, RT_LIVE);
			return;
		}
		e = c->stale ? refresh(cx, c) : advance(cx, c);
		if (e == OK)
			cx->deadline = loop_now() + (uint64_t)conf.request_timeout;
		else if (!retry(cx, c, e)) {
			give_up(c);
			return;
		}
	}
}

/* ---- resuming ---- */

/* Another process may have been ahead of this one. */
static err_t
wait_until_there(struct ctx *cx, struct stream_pos at, bool *there)
{
	uint64_t end = loop_now() + BEHIND_MS;

	while (stream_pos_cmp(at, fanout_pos()) > 0 && loop_now() < end)
		TRY(fib_sleep(cx, DRAIN_MS));
	*there = stream_pos_cmp(at, fanout_pos()) <= 0;
	return OK;
}

err_t
resume_check(struct ctx *cx, struct str since, struct stream_pos *at_out, bool *gap_out)
{
	struct stream_pos at, oldest;
	bool there = false;
	int known = mark_parse(since, &at);

	*gap_out = true;
	*at_out = fanout_pos();
	if (known < 0)
		return ERR_GENERAL_ARGUMENT_INVALID;
	metric_add(M_rt_resumes, 1);
	if (known == 1)
		TRY(wait_until_there(cx, at, &there));
	if (there && stream_pos_cmp(at, fanout_pos()) != 0) {
		TRY(bus_oldest(cx, &oldest));
		there = stream_pos_cmp(oldest, at) <= 0 && oldest.lsn != 0;
	}
	if (there) {
		*at_out = at;
		*gap_out = false;
	} else {
		metric_add(M_rt_gaps, 1);
		*at_out = fanout_pos();
	}
	return OK;
}
