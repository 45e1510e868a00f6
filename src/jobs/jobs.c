/* The consumer: runs each job on a fiber, settles it, within the time that its kind allows. Where jobs come from: jobs_lane.c.
 *
 * Whatever happens to this process, an entry stays pending in its group until its outcome and its removal are written by one script;
 * a consumer that died shows no life, and others claim what it held. */
#include "jobs_priv.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "jobs/jobs.h"
#include "model/usage.h"

enum { RETRY_MAX = 3600 * 1000, AGAIN = 500, LATER_MS = 1000, RUN_MAGIC = 0x72756e6a, WRITTEN_MS = 20, JOB_ID_MAX = 128 };

struct jobs_state jobs;

/* Outcome and removal at once. 0: another consumer has settled it. */
static const char settle_lua[] =
    "redis.call('XDEL', KEYS[1], ARGV[1])\n"
    "if redis.call('XACK', KEYS[1], 'workers', ARGV[1]) == 0 then return 0 end\n"
    "if ARGV[2] == 'done' then\n"
    "  redis.call('SET', KEYS[4], 1, 'PX', 3600000)\n"
    "elseif ARGV[2] == 'retry' then\n"
    "  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4] .. '\\n' .. ARGV[5])\n"
    "elseif ARGV[2] == 'dead' then\n"
    "  redis.call('XADD', KEYS[3], 'MAXLEN', '~', 10000, '*', 'h', ARGV[4], 'b', ARGV[5], 'e', ARGV[6])\n"
    "end\n"
    "return 1";

/* ---- settling ---- */

static uint64_t
backoff(int tries)
{
	uint64_t ms = jobs.set->backoff_ms << (tries < 20 ? tries : 20);

	if (ms > RETRY_MAX)
		ms = RETRY_MAX;
	return ms - ms / 8 + (uint64_t)time_now_us() % (ms / 4 + 1);	/* not all at once */
}

void
jobs_pause(struct ctx *cx, uint64_t ms)
{
	if (fib_sleep(cx, ms) != OK)
		log_debug(cx, "a pause was cut short", NULL);
}

struct verdict {
	const char *outcome;	/* done retry dead drop */
	const char *why;
};

struct str
job_head(struct arena *a, const struct job *j, int tries)
{
	return str_c(arena_printf(a, "%s %d %lld%s%s", j->id, tries, (long long)j->created, j->project[0] ? " " : "", j->project));
}

static err_t
settle_once(struct ctx *cx, const struct run *r, const struct verdict *v)
{
	struct arena *a = cx->arena;
	const struct job *j = &r->job;
	struct bus_reply *reply;

	return bus_script(cx, &reply, settle_lua, 4, BUS(str_c(arena_printf(a, JOB_KEYS "%s", j->kind)),
	    str_c(arena_printf(a, JOB_KEYS "%s:later", j->kind)), str_c(arena_printf(a, JOB_KEYS "%s:dead", j->kind)),
	    str_c(arena_printf(a, JOB_KEYS "done:%s", j->id)), str_c(r->entry), str_c(v->outcome),
	    str_c(arena_printf(a, "%lld", (long long)time_now_ms() + (long long)backoff(j->tries))),
	    job_head(a, j, j->tries + 1), j->payload, str_c(v->why)));
}

/* Awaits, until it is written: meanwhile the claim is kept up. A stopping process gives up: the job is then repeated elsewhere. */
static void
jobs_settle(const struct run *r, const struct verdict *v)
{
	err_t e;

	do {
		struct ctx cx;

		ctx_init(&cx);
		cx.fib = r->fib;
		fib_shield(&cx, true);
		cx.deadline = loop_now() + 5000;
		e = settle_once(&cx, r, v);
		cx.deadline = 0;
		if (e != OK && !jobs.stopping)
			jobs_pause(&cx, AGAIN);
		fib_shield(&cx, false);
		ctx_fini(&cx);
	} while (e != OK && !jobs.stopping);
}

static struct verdict
jobs_judge(struct ctx *cx, const struct run *r, err_t e)
{
	struct verdict v = {"done", ""};

	if (e == OK) {
		metric_add(M_jobs_done, 1);
		return v;
	}
	v.why = arena_printf(cx->arena, "%s: %s", err_info(e)->name, cx->detail ? cx->detail : "");
	if (r->late) {
		metric_add(M_jobs_late, 1);
		v.why = arena_printf(cx->arena, "not done within %llu ms", (unsigned long long)r->info->limit_ms);
	}
	v.outcome = r->job.tries < r->info->retries && e != ERR_JOB_HOPELESS ? "retry" : "dead";
	metric_add(v.outcome[0] == 'r' ? M_jobs_retried : M_jobs_dead, 1);
	if (v.outcome[0] == 'r')
		log_info(cx, "job failed, to be tried again", "kind=%s tries=%d why=%s", r->job.kind, r->job.tries + 1, v.why);
	else
		log_error(cx, "job given up", "kind=%s tries=%d why=%s", r->job.kind, r->job.tries + 1, v.why);
	return v;
}

/* ---- running ---- */

static err_t
is_done(struct ctx *cx, const struct job *j, bool *out)
{
	struct bus_reply *r;

	TRY(bus_cmd(cx, &r, BUS(STR("EXISTS"), str_c(arena_printf(cx->arena, JOB_KEYS "done:%s", j->id)))));
	*out = r->type == BUS_INT && r->i != 0;
	return OK;
}

void
run_forget(struct run *r)
{
	assert(r->magic == RUN_MAGIC);
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		jobs.runs = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	r->magic = 0;
	free(r->text);
	free(r);
}

static void
run_end(struct run *r)
{
	struct lane *l = r->lane;

	assert(r->limit == NULL);
	run_forget(r);
	l->n_runs--;
	metric_set(M_jobs_running, --jobs.n_runs);
	lane_go_on(l);
	jobs_fiber_ended();
}

static void
run_fiber(struct ctx *cx, void *arg)
{
	struct run *r = arg;
	struct verdict v = {"drop", ""};
	bool done = false;
	err_t e;

	assert(r->magic == RUN_MAGIC && r->begun);
	r->fib = cx->fib;
	cx->project = r->job.project[0] ? r->job.project : NULL;
	cx->share = r->lane->share;
	if (is_done(cx, &r->job, &done) != OK)
		done = false;	/* it may run twice: handlers cope */
	e = done ? OK : r->fn(cx, &r->job);
	loop_timer_stop(&r->limit);
	if (e != ERR_CANCELLED || !jobs.stopping) {
		if (!done)
			v = jobs_judge(cx, r, e);
		jobs_settle(r, &v);
	}	/* else stopped in the middle: it stays pending, and whoever claims it begins anew */
	run_end(r);
}

/* Whatever it waits for, the wait is over, in contexts of its own as well. (The deadline, a little later, is for adapters that plan by it.) */
static void
run_too_long(void *arg)
{
	struct run *r = arg;

	assert(r->magic == RUN_MAGIC);
	r->limit = NULL;
	r->late = true;
	if (r->fib != NULL)
		fib_cancel(r->fib);
}

void
run_begin(struct run *r)
{
	assert(r->magic == RUN_MAGIC && !r->begun);
	r->begun = true;
	r->lane->n_runs++;
	metric_set(M_jobs_running, ++jobs.n_runs);
	if (r->lowered)
		(void)run_claim(r, r->deaths + 1);	/* a lost one only makes it look better than it is, once */
	r->limit = loop_after(r->info->limit_ms, run_too_long, r);
	fib_spawn_new(r->job.id, r->info->limit_ms + LATER_MS, run_fiber, r);
}

bool
run_claim(const struct run *r, int64_t deliveries)
{
	char key[64], count[24];

	snprintf(key, sizeof key, JOB_KEYS "%s", r->job.kind);
	snprintf(count, sizeof count, "%lld", (long long)deliveries);
	return bus_post(BUS(STR("XCLAIM"), str_c(key), STR("workers"), str_c(jobs.me), STR("0"), str_c(r->entry), STR("RETRYCOUNT"), str_c(count),
	    STR("JUSTID")));
}

static bool
held(const char *entry, const struct lane *l)
{
	for (const struct run *r = jobs.runs; r != NULL; r = r->next)
		if (r->lane == l && strcmp(r->entry, entry) == 0)
			return true;
	return false;
}

/* Made by id_unique, or of an event and its subscriber. */
static bool
job_id_valid(struct str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (!isalnum((unsigned char)id.p[i]) && strchr("._:-", id.p[i]) == NULL)
			return false;
	return id.n > 0 && id.n <= JOB_ID_MAX;
}

static bool
job_parse(struct run *r, struct str head, struct str body)
{
	struct str id, word;
	int64_t tries = 0, ms = 0;

	r->text = mem_alloc(head.n + body.n + 2);
	if (head.n > 0)
		memcpy(r->text, head.p, head.n);
	r->text[head.n] = '\0';
	if (body.n > 0)
		memcpy(r->text + head.n + 1, body.p, body.n);
	r->text[head.n + 1 + body.n] = '\0';
	r->job.payload = (struct str){r->text + head.n + 1, body.n};
	head.p = r->text;
	id = str_cut(&head, ' ');
	word = str_cut(&head, ' ');
	r->text[id.n] = '\0';
	r->job.id = r->text;
	r->job.project = "";
	if ((word.p != NULL && !str_to_i64(word, &tries)) || tries < 0 || tries > 1000)
		return false;
	word = str_cut(&head, ' ');
	if (word.n > 0 && !str_to_i64(word, &ms))
		return false;
	if (head.n > 0)		/* the last word of the header, which ends with NUL */
		r->job.project = head.p;
	r->job.tries = (int)tries;
	r->job.created = ms;
	return job_id_valid(id);
}

static err_t
malformed(struct ctx *cx, const struct job *job)
{
	(void)job;
	return fail(cx, ERR_JOB_HOPELESS, "the entry is malformed");
}

static err_t
poison(struct ctx *cx, const struct job *job)
{
	(void)job;
	return fail(cx, ERR_JOB_HOPELESS, "its consumers died again and again");
}

struct run *
run_new(struct lane *l, const struct bus_reply *entry, int64_t deliveries)
{
	struct run *r;

	if (entry->type != BUS_LIST || entry->n != 2 || entry->v[0].type != BUS_STR || entry->v[0].s.n >= sizeof r->entry)
		return NULL;		/* deleted meanwhile */
	r = mem_zalloc(sizeof *r);
	snprintf(r->entry, sizeof r->entry, "%.*s", STR_FMT(entry->v[0].s));
	if (held(r->entry, l) || jobs.stopping) {
		free(r);
		return NULL;
	}
	r->magic = RUN_MAGIC;
	r->lane = l;
	r->info = l->info;
	r->fn = l->info->fn;
	r->deaths = deliveries > 0 ? deliveries - 1 : 0;
	r->job.kind = l->info->kind;
	if (!job_parse(r, bus_field(&entry->v[1], "h"), bus_field(&entry->v[1], "b")))
		r->fn = malformed;
	else if (r->deaths > l->info->retries)
		r->fn = poison;
	r->next = jobs.runs;
	if (jobs.runs != NULL)
		jobs.runs->prev = r;
	jobs.runs = r;
	return r;
}

/* ---- life ---- */

void
jobs_start(const struct jobs_setup *s)
{
	static char me[ID_LEN + 1];
	struct arena *a = arena_new();

	assert(s->n_kinds > 0);
	snprintf(me, sizeof me, "%s", id_unique(a));
	arena_free(&a);
	jobs = (struct jobs_state){.set = s, .me = me, .fibers = 1, .lanes = mem_zalloc((size_t)s->n_kinds * sizeof *jobs.lanes)};
	for (int i = 0; i < s->n_kinds; i++)
		lane_start(&jobs.lanes[i], &s->kinds[i]);
	fib_spawn_new("jobs-upkeep", 0, upkeep_fiber, NULL);
}

/* What jobs have counted is written last; jobs_leave does not wait for it. */
static void
jobs_stop_when_written(void *arg)
{
	(void)arg;
	if (usage_writing())
		(void)loop_after(WRITTEN_MS, jobs_stop_when_written, NULL);
	else
		loop_stop();
}

void
jobs_fiber_ended(void)
{
	if (!jobs.stopping || jobs.fibers > 0 || jobs.n_runs > 0)
		return;
	usage_drain();
	jobs_stop_when_written(NULL);
}

static void
cancel_runs(void *arg)
{
	(void)arg;
	for (struct run *r = jobs.runs; r != NULL; r = r->next)
		if (r->fib != NULL)
			fib_cancel(r->fib);
}

/* A handler that heeds no cancellation does not keep the process. */
static void
jobs_leave(void *arg)
{
	(void)arg;
	loop_stop();
}

void
jobs_drain(void)
{
	if (jobs.stopping)
		return;
	jobs.stopping = jobs_drained = true;
	for (int i = 0; i < jobs.set->n_kinds; i++)
		lane_stop(&jobs.lanes[i]);
	fib_signal(&jobs.stop);
	jobs_spaces_stop();
	jobs_events_stop();
	(void)loop_after((uint64_t)conf.drain_timeout, cancel_runs, NULL);
	(void)loop_after((uint64_t)conf.drain_timeout + DRAIN_EXTRA, jobs_leave, NULL);
	jobs_fiber_ended();
}
