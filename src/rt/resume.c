/* Catching up: a connection that is out of the index reads the stream from where it was served, until it has reached the position
 * of the fan-out, and enters the index in that same turn of the loop. */
#include "rt_priv.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum { BATCH = 128, SCAN = 64 * 1024, RETRY_MS = 200, DRAIN_MS = 20, STREAM_MS = 10000 };

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

/* One entry. Awaits when it is long: then what it is for may have changed. */
static err_t
resume_serve_one(struct ctx *cx, struct peer *c, const struct bus_entry *v)
{
	struct news news;
	err_t e = OK;

	if (news_init(&news, v->pos, v->header, v->body) && news_resolve(&news) && peer_concerned(c, &news)) {
		while (e == OK && (c->n_filters > 0 || v->body.n >= SCAN) && !news_scan(&news, SCAN))
			e = fib_yield(cx);
		if (e == OK && !c->stale && peer_concerned(c, &news))
			fanout_send(c, &news);
	}
	news_fini(&news);
	if (e == OK && !c->stale)
		c->at = v->pos;
	return e;
}

/* Serves entries up to `upto`. Stops behind one that fills the connection's queue, and before one that comes after a change of roles: first the roles,
 * then the same entry. */
static err_t
resume_serve(struct ctx *cx, struct peer *c, const struct bus_entry *v, int n, struct stream_pos upto)
{
	for (int i = 0; i < n; i++) {
		if (c->ws == NULL || c->stale)
			return OK;
		TRY(resume_serve_one(cx, c, &v[i]));
		if (c->ws != NULL && ws_lagging(c->ws))
			return OK;
		TRY(fib_yield(cx));
	}
	if (n < BATCH && !c->stale)
		c->at = upto;
	return OK;
}

/* One batch. Awaits. */
static err_t
advance(struct ctx *outer, struct peer *c)
{
	struct stream_pos upto = fanout_pos(c);
	struct bus_entry *v;
	struct ctx cx;
	err_t e;
	int n;

	ctx_init(&cx);
	cx.fib = outer->fib;
	cx.deadline = loop_now() + (uint64_t)conf.request_timeout;
	e = wait_for_room(&cx, c);
	if (e == OK)
		e = bus_range(&cx, peer_shard(c), c->at, upto, BATCH, &v, &n);
	if (e == OK)
		e = resume_serve(&cx, c, v, n, upto);
	ctx_fini(&cx);
	return e;
}

/* True when it is worth another try. */
static bool
resume_retry(struct ctx *cx, const struct peer *c, err_t e)
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

		if (!c->stale && stream_pos_cmp(c->at, fanout_pos(c)) >= 0) {
			peer_move(c, RT_LIVE);
			return;
		}
		e = c->stale ? refresh(cx, c) : advance(cx, c);
		if (e == OK)
			cx->deadline = loop_now() + (uint64_t)conf.request_timeout;
		else if (!resume_retry(cx, c, e)) {
			peer_end(c, 1013, "try again later");
			return;
		}
	}
}

/* ---- resuming ---- */

/* A process that began while Redis was away does not know where the stream stands, and would miss what is written before it does. That is
 * over soon, or the client comes again; meanwhile others may run. */
err_t
resume_now(struct ctx *cx, struct peer *c)
{
	uint64_t end = loop_now() + STREAM_MS;
	err_t e = OK;

	if (!fanout_ready(c)) {
		task_step_aside(true);
		while (e == OK && c->ws != NULL && !fanout_ready(c) && loop_now() < end)
			e = fib_sleep(cx, RETRY_MS);
		task_step_aside(false);
	}
	if (e == OK && !fanout_ready(c))
		e = fail(cx, ERR_BUS, "where the stream stands is not known yet");
	c->at = fanout_pos(c);
	return e;
}

/* A client may be ahead of us: another process served it, or Redis lost the newest entries in a crash and gets them anew. It has missed
 * nothing, and is not sent again what it has seen (peer.ahead). */
err_t
resume_check(struct ctx *cx, struct peer *c, struct str since, bool *gap_out)
{
	struct stream_pos at;
	int known;

	*gap_out = true;
	TRY(resume_now(cx, c));
	known = mark_parse(since, &at);
	if (known < 0)
		return ERR_GENERAL_ARGUMENT_INVALID;
	metric_add(M_rt_resumes, 1);
	if (known == 1 && stream_pos_cmp(at, c->at) >= 0)
		*gap_out = false;
	else if (known == 1)
		TRY(bus_gap(cx, peer_shard(c), at, gap_out));
	if (*gap_out) {
		metric_add(M_rt_gaps, 1);
		c->at = fanout_pos(c);
	} else {
		c->at = at;
	}
	return OK;
}
