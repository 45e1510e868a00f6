/* Rate limits: fixed windows counted in Redis (spec platform.md 11), one round trip for all rules of a route.
 *
 * When Redis is away or slow the requests go on: this process then counts by itself, in a bounded table, so that a limit holds per
 * process instead of for all. An outage of Redis must neither stop the API nor open its doors. */
#include <stdlib.h>

#include "gate_priv.h"
#include "core/conf.h"
#include "core/id.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "io/bus.h"

enum { KEY_MAX = 160, BUS_WAIT_MS = 500, LOCAL_MAX = 10000, BUS_PAUSE_MS = 1000 };

/* Counts before this request; counts it only when every bucket has room. */
static const char script[] =
    "local n, ok = {}, true "
    "for i, k in ipairs(KEYS) do n[i] = tonumber(redis.call('GET', k) or '0') "
    "if n[i] >= tonumber(ARGV[2 * i - 1]) then ok = false end end "
    "if ok then for i, k in ipairs(KEYS) do redis.call('INCR', k) "
    "if n[i] == 0 then redis.call('EXPIRE', k, ARGV[2 * i]) end end end "
    "return n";

static struct lru *local;	/* bucket -> int64_t, while Redis is away */
static uint64_t bus_again;	/* loop time before which a Redis that timed out is not asked again */

/* The bucket's name in Redis: long keys as their hash. The braces keep one project's buckets in one slot of a cluster. */
static struct str
limit_bucket(struct req *rq, const struct limit_rule *r, int64_t start)
{
	struct str key = limit_key(rq, r->key);

	if (key.n > KEY_MAX)
		key = str_c(sha256_hex(rq->cx.arena, key));
	return str_c(arena_printf(rq->cx.arena, "limit:{%s}:%lld:%.*s", rq->project->id, (long long)start, STR_FMT(key)));
}

/* ---- counting ---- */

static void
count_locally(const struct str *keys, const struct limit_rule *r, int n, int64_t *counts)
{
	bool room = true;

	if (local == NULL)
		local = lru_new(LOCAL_MAX, free);
	for (int i = 0; i < n; i++) {
		const int64_t *v = lru_get(local, keys[i]);

		counts[i] = v ? *v : 0;
		room = room && counts[i] < r[i].max;
	}
	for (int i = 0; room && i < n; i++) {
		int64_t *v = mem_alloc(sizeof *v);

		*v = counts[i] + 1;
		lru_put(local, keys[i], v);
	}
}

/* Awaits, but not long: OK with the counts, or why Redis did not say. */
static err_t
count_shared(struct req *rq, const struct str *keys, const struct limit_rule *r, int n, int64_t *counts)
{
	uint64_t deadline = rq->cx.deadline, soon = loop_now() + BUS_WAIT_MS;
	struct str argv[3 * ROUTE_LIMITS_MAX];
	struct bus_reply *reply = NULL;
	err_t e;

	for (int i = 0; i < n; i++) {
		argv[i] = keys[i];
		argv[n + 2 * i] = str_c(pg_i64(rq->cx.arena, r[i].max));
		argv[n + 2 * i + 1] = str_c(pg_i64(rq->cx.arena, r[i].period));
	}
	if (!bus_up() || loop_now() < bus_again)
		return ERR_BUS;
	if (deadline == 0 || soon < deadline)
		rq->cx.deadline = soon;
	e = bus_script(&rq->cx, &reply, script, n, 3 * n, argv);
	rq->cx.deadline = deadline;
	if (e == ERR_TIMEOUT)
		bus_again = loop_now() + BUS_PAUSE_MS;
	if (e == OK && (reply->type != BUS_LIST || reply->n != n))
		e = fail(&rq->cx, ERR_BUS, "odd answer of the rate limit script");
	for (int i = 0; e == OK && i < n; i++)
		counts[i] = reply->v[i].i;
	return e;
}

static void
limit_headers(struct req *rq, int64_t max, int64_t remaining, int64_t reset)
{
	reply_static(rq, "X-RateLimit-Limit", pg_i64(rq->cx.arena, max));
	reply_static(rq, "X-RateLimit-Remaining", pg_i64(rq->cx.arena, remaining));
	reply_static(rq, "X-RateLimit-Reset", pg_i64(rq->cx.arena, reset));
}

err_t
limit_pass(struct req *rq, bool exempt)
{
	const struct route_info *info = rq->info;
	const struct limit_rule *r = info->limits;
	int64_t now = time_now_ms() / 1000, counts[ROUTE_LIMITS_MAX] = {0}, left = INT64_MAX;
	struct str keys[ROUTE_LIMITS_MAX];
	bool full = false;
	int shown = 0;

	if (info->n_limits == 0)
		return OK;
	if (conf.rate_limits && !exempt) {
		for (int i = 0; i < info->n_limits; i++)
			keys[i] = limit_bucket(rq, &r[i], now - now % r[i].period);
		err_t e = count_shared(rq, keys, r, info->n_limits, counts);

		if (e == ERR_CANCELLED)
			return e;
		if (e != OK)
			count_locally(keys, r, info->n_limits, counts);
	}
	for (int i = 0; i < info->n_limits; i++) {
		int64_t rest = r[i].max - counts[i] - 1;

		full = full || rest < 0;
		if (rest < left) {
			left = rest;
			shown = i;
		}
	}
	limit_headers(rq, r[shown].max, left < 0 ? 0 : left, now - now % r[shown].period + r[shown].period);
	if (!full)
		return OK;
	metric_add(M_rate_limited, 1);
	return ERR_GENERAL_RATE_LIMIT_EXCEEDED;
}
