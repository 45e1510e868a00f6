/* From time to time: signs of life, claims of what the dead held, retries whose time has come, tasks, metrics. */
#include "jobs_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/line.h"

enum { MOVE = 100, TASK_MAX = 10 * 60 * 1000, LEAD_MS = 10000 };

static const char move_lua[] =
    "local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])\n"
    "for _, m in ipairs(due) do\n"
    "  local h, b = string.match(m, '^([^\\n]*)\\n(.*)$')\n"
    "  redis.call('XADD', KEYS[2], '*', 'h', h or '', 'b', b or '')\n"
    "  redis.call('ZREM', KEYS[1], m)\n"
    "end\n"
    "return #due";

/* One of all consumers is the first among them; it renews its turn while it lives. */
static const char lead_lua[] =
    "local l = redis.call('GET', KEYS[1])\n"
    "if l and l ~= ARGV[1] then return 0 end\n"
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
    "return 1";

/* Forgets consumers that hold nothing and have shown no life for an hour; returns what waits. */
static const char tidy_lua[] =
    "if redis.call('EXISTS', KEYS[1]) == 1 then\n"
    "  local ok = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], 'workers')\n"
    "  for _, c in ipairs(ok.err and {} or ok) do\n"
    "    local v = {}\n"
    "    for i = 1, #c, 2 do v[c[i]] = c[i + 1] end\n"
    "    if v.pending == 0 and v.idle > 3600000 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], 'workers', v.name) end\n"
    "  end\n"
    "end\n"
    "return redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[3])";

static uint64_t *next_run;	/* of each task here: no need to ask Redis before */

static struct str
jobs_upkeep_key(struct ctx *cx, const char *prefix, const char *name)
{
	return str_c(arena_printf(cx->arena, "%s%s", prefix, name));
}

static struct str
jobs_upkeep_later(struct ctx *cx, const char *kind)
{
	return str_c(arena_printf(cx->arena, JOB_KEYS "%s:later", kind));
}

/* A claim by the owner itself resets the idle time. */
static void
show_life(void)
{
	for (struct run *r = jobs.runs; r != NULL; r = r->next) {
		(void)run_claim(r, r->deaths + r->begun);	/* a lost one is made up for by the next */
		r->lowered |= !r->begun;
	}
}

/* A job whose consumers die has no failed try to count: Redis counts how often it was handed out. */
static err_t
deliveries(struct ctx *cx, const struct lane *l, struct str id, int64_t *out)
{
	struct bus_reply *r;

	*out = 1;
	TRY(bus_cmd(cx, &r, BUS(STR("XPENDING"), jobs_upkeep_key(cx, JOB_KEYS, l->info->kind), STR("workers"), id, id, STR("1"))));
	if (r->type == BUS_LIST && r->n == 1 && r->v[0].type == BUS_LIST && r->v[0].n == 4)
		*out = r->v[0].v[3].i;
	return OK;
}

static err_t
claim(struct ctx *cx, struct lane *l)
{
	int room = lane_room(l);
	struct bus_reply *r;

	if (room <= 0)
		return OK;
	TRY(bus_cmd(cx, &r, BUS(STR("XAUTOCLAIM"), jobs_upkeep_key(cx, JOB_KEYS, l->info->kind), STR("workers"), str_c(jobs.me),
	    str_c(arena_printf(cx->arena, "%llu", (unsigned long long)jobs.set->claim_ms)), STR("0"), STR("COUNT"),
	    str_c(arena_printf(cx->arena, "%d", room)))));
	for (int i = 0; r->type == BUS_LIST && r->n >= 2 && i < r->v[1].n; i++) {
		const struct bus_reply *entry = &r->v[1].v[i];
		struct run *run;
		int64_t n = 1;

		if (entry->type == BUS_LIST && entry->n == 2)
			TRY(deliveries(cx, l, entry->v[0].s, &n));
		if ((run = run_new(l, entry, n)) != NULL)
			lane_put(l, run);
	}
	lane_go_on(l);
	return OK;
}

static err_t
move_due(struct ctx *cx, const struct job_kind *row)
{
	struct bus_reply *r;
	char max[12], now[24];

	snprintf(max, sizeof max, "%d", MOVE);
	snprintf(now, sizeof now, "%lld", (long long)time_now_ms());
	do
		TRY(bus_script(cx, &r, move_lua, 2, BUS(jobs_upkeep_later(cx, row->kind), jobs_upkeep_key(cx, JOB_KEYS, row->kind), str_c(now), str_c(max))));
	while (r->type == BUS_INT && r->i == MOVE);
	return OK;
}

/* ---- tasks ---- */

static void
task_fiber(struct ctx *cx, void *arg)
{
	const struct job_task *t = arg;
	err_t e = t->fn(cx);

	if (e != OK) {
		log_warn(cx, "a periodic task failed", "task=%s why=%s %s", t->name, err_info(e)->name, cx->detail ? cx->detail : "");
		/* another try in a tenth of the interval */
		(void)bus_post(BUS(STR("PEXPIRE"), jobs_upkeep_key(cx, JOB_KEYS "task:", t->name),
		    str_c(arena_printf(cx->arena, "%llu", (unsigned long long)t->every_ms / 10 + 1))));
		next_run[t - jobs.set->tasks] = loop_now() + t->every_ms / 10 + 1;
	}
	jobs.fibers--;
	jobs_fiber_ended();
}

/* The lock is the interval: who gets it runs the task. */
static err_t
tasks(struct ctx *cx)
{
	for (int i = 0; i < jobs.set->n_tasks; i++) {
		const struct job_task *t = &jobs.set->tasks[i];
		struct bus_reply *r;
		char ms[24];

		if (loop_now() < next_run[i])
			continue;
		snprintf(ms, sizeof ms, "%llu", (unsigned long long)t->every_ms);
		TRY(bus_cmd(cx, &r, BUS(STR("SET"), jobs_upkeep_key(cx, JOB_KEYS "task:", t->name), str_c(jobs.me), STR("NX"), STR("PX"), str_c(ms))));
		next_run[i] = loop_now() + (r->type == BUS_STR ? t->every_ms : t->every_ms / 10 + 1);
		if (r->type != BUS_STR || jobs.stopping)
			continue;
		jobs.fibers++;
		fib_spawn_new(t->name, TASK_MAX, task_fiber, (void *)(uintptr_t)t);
	}
	return OK;
}

err_t
jobs_lead(struct ctx *cx, const char *key, int ms, bool *mine_out)
{
	struct bus_reply *r;

	TRY(bus_script(cx, &r, lead_lua, 1, BUS(str_c(key), str_c(jobs.me), str_c(arena_printf(cx->arena, "%d", ms)))));
	*mine_out = r->type == BUS_INT && r->i == 1;
	return OK;
}

static err_t
jobs_upkeep_lead(struct ctx *cx)
{
	struct bus_reply *r;
	int64_t waiting = 0;
	bool first;

	TRY(jobs_lead(cx, JOB_KEYS "leader", LEAD_MS, &first));
	if (!first) {
		metric_set(M_jobs_queued, 0);
		return OK;
	}
	for (int i = 0; i < jobs.set->n_kinds; i++) {
		const char *kind = jobs.set->kinds[i].kind;

		if (jobs.set->kinds[i].lines)
			TRY(line_wake_lost(cx, kind));

		TRY(bus_script(cx, &r, tidy_lua, 3, BUS(jobs_upkeep_key(cx, JOB_KEYS, kind), jobs_upkeep_later(cx, kind), str_c(arena_printf(cx->arena, JOB_KEYS "%s:aside", kind)))));
		waiting += r->type == BUS_INT ? r->i : 0;
	}
	metric_set(M_jobs_queued, waiting);
	return tasks(cx);
}

static err_t
jobs_upkeep_upkeep(struct ctx *cx)
{
	show_life();
	for (int i = 0; i < jobs.set->n_kinds && !jobs.stopping; i++) {
		TRY(move_due(cx, &jobs.set->kinds[i]));
		TRY(claim(cx, &jobs.lanes[i]));
		TRY(lane_look_aside(cx, &jobs.lanes[i]));
	}
	return jobs.stopping ? OK : jobs_upkeep_lead(cx);
}

/* Awaits until the next round. */
static void
rest(struct ctx *cx)
{
	err_t e = OK;

	if (!jobs.stopping)
		e = fib_await_for(cx, &jobs.stop, jobs.set->upkeep_ms);
	else if (jobs.n_runs > 0)
		e = fib_sleep(cx, 100);
	if (e != OK && e != ERR_TIMEOUT)
		log_debug(cx, "a pause was cut short", NULL);
}

/* Goes on while jobs run, also when stopping: their claims must not lapse. */
void
upkeep_fiber(struct ctx *outer, void *arg)
{
	struct fib *me = outer->fib;

	(void)arg;
	next_run = mem_zalloc((size_t)(jobs.set->n_tasks + 1) * sizeof *next_run);
	while (!jobs.stopping || jobs.n_runs > 0) {
		struct ctx cx;

		ctx_init(&cx);
		cx.fib = me;
		cx.deadline = loop_now() + 10000;
		if (jobs_upkeep_upkeep(&cx) != OK)	/* no group yet, or Redis is away: the reader has said so */
			log_debug(&cx, "upkeep of jobs failed", "why=%s", cx.detail ? cx.detail : "");
		cx.deadline = 0;
		rest(&cx);
		ctx_fini(&cx);
	}
	jobs.fibers--;
	jobs_fiber_ended();
}
