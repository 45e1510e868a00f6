/* The consumer: takes entries of all job streams, runs each on a fiber, settles it.
 *
 * Whatever happens to this process, an entry stays pending in its group until its outcome and its removal are written by one script;
 * a consumer that died shows no life, and others claim what it held. */
#include "jobs_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "jobs/jobs.h"
#include "model/job.h"

enum { BLOCK_MS = 2000, RETRY_MAX = 3600 * 1000, AGAIN = 500 };

struct jobs_state jobs;
static struct bus_link *link;
static struct fib *reader;

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

/* Awaits. It ends early only when the process stops, which every loop here looks at. */
static void
pause_for(struct ctx *cx, uint64_t ms)
{
	if (fib_sleep(cx, ms) != OK)
		log_debug(cx, "a pause was cut short", NULL);
}

struct verdict {
	const char *outcome;	/* done retry dead drop */
	const char *why;
};

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
	    str_c(arena_printf(a, "%s %d %lld", j->id, j->tries + 1, (long long)j->created)), j->payload, str_c(v->why)));
}

/* Awaits, until it is written: meanwhile the claim is kept up. A stopping process gives up: the job is then repeated elsewhere. */
static void
settle(const struct run *r, const struct verdict *v)
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
			pause_for(&cx, AGAIN);
		fib_shield(&cx, false);
		ctx_fini(&cx);
	} while (e != OK && !jobs.stopping);
}

static struct verdict
judge(struct ctx *cx, const struct run *r, err_t e)
{
	struct verdict v = {"done", ""};

	if (e == OK) {
		metric_add(M_jobs_done, 1);
		return v;
	}
	v.why = arena_printf(cx->arena, "%s: %s", err_info(e)->name, cx->detail ? cx->detail : "");
	v.outcome = r->job.tries < r->row->retries && e != ERR_JOB_HOPELESS ? "retry" : "dead";
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

static void
run_end(struct run *r)
{
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		jobs.runs = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	metric_set(M_jobs_running, --jobs.n_runs);
	fib_signal(&jobs.room);
	free(r->text);
	free(r);
	jobs_fiber_ended();
}

static void
run_fiber(struct ctx *cx, void *arg)
{
	struct run *r = arg;
	struct verdict v = {"drop", ""};
	bool done = false;
	err_t e;

	r->fib = cx->fib;
	if (is_done(cx, &r->job, &done) != OK)
		done = false;	/* it may run twice: handlers cope */
	e = done ? OK : r->row->fn(cx, &r->job);
	if (e != ERR_CANCELLED || !jobs.stopping) {
		if (!done)
			v = judge(cx, r, e);
		settle(r, &v);
	}	/* else stopped in the middle: it stays pending, and whoever claims it begins anew */
	run_end(r);
}

static bool
running(const char *entry)
{
	for (const struct run *r = jobs.runs; r != NULL; r = r->next)
		if (strcmp(r->entry, entry) == 0)
			return true;
	return false;
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
	if ((word.p != NULL && !str_to_i64(word, &tries)) || tries < 0 || tries > 1000 || (head.p != NULL && !str_to_i64(head, &ms)))
		return false;
	r->job.tries = (int)tries;
	r->job.created = ms;
	return id_valid(id);
}

static struct str
field(const struct bus_reply *f, const char *name)
{
	for (int i = 0; i + 1 < f->n; i += 2)
		if (str_is(f->v[i].s, name) && f->v[i + 1].type == BUS_STR)
			return f->v[i + 1].s;
	return STR_NONE;
}

static err_t
malformed(struct ctx *cx, const struct job *job)
{
	(void)job;
	return fail(cx, ERR_GENERAL_ARGUMENT_INVALID, "the entry is malformed");
}

static err_t
poison(struct ctx *cx, const struct job *job)
{
	(void)job;
	return fail(cx, ERR_GENERAL_SERVER_ERROR, "its consumers died again and again");
}

void
run_begin(const struct job_kind *row, const struct bus_reply *entry, bool poisonous)
{
	static const struct job_kind bad = {.fn = malformed, .retries = 0}, deadly = {.fn = poison, .retries = 0};
	struct run *r;

	if (entry->type != BUS_LIST || entry->n != 2 || entry->v[0].type != BUS_STR || entry->v[0].s.n >= sizeof r->entry)
		return;		/* deleted meanwhile */
	r = mem_zalloc(sizeof *r);
	snprintf(r->entry, sizeof r->entry, "%.*s", STR_FMT(entry->v[0].s));
	if (running(r->entry) || jobs.stopping) {
		free(r);
		return;
	}
	r->row = row;
	r->job.kind = row->kind;
	if (!job_parse(r, field(&entry->v[1], "h"), field(&entry->v[1], "b")))
		r->row = &bad;
	else if (poisonous)
		r->row = &deadly;
	r->next = jobs.runs;
	if (jobs.runs != NULL)
		jobs.runs->prev = r;
	jobs.runs = r;
	metric_set(M_jobs_running, ++jobs.n_runs);
	fib_spawn_new(r->job.id, jobs.set->timeout_ms, run_fiber, r);
}

/* ---- reading ---- */

static err_t
make_groups(struct ctx *cx)
{
	struct bus_reply *r;

	for (int i = 0; i < jobs.set->n_rows; i++) {
		err_t e = bus_link_cmd(cx, link, &r, BUS(STR("XGROUP"), STR("CREATE"),
		    str_c(arena_printf(cx->arena, JOB_KEYS "%s", jobs.set->rows[i].kind)), STR("workers"), STR("0"), STR("MKSTREAM")));

		if (e != OK && (r == NULL || r->type != BUS_ERROR || !str_starts(r->s, "BUSYGROUP")))
			return e;
	}
	return OK;
}

static const struct job_kind *
row_of(struct str key)
{
	for (int i = 0; i < jobs.set->n_rows; i++)
		if (str_starts(key, JOB_KEYS) && str_is((struct str){key.p + strlen(JOB_KEYS), key.n - strlen(JOB_KEYS)}, jobs.set->rows[i].kind))
			return &jobs.set->rows[i];
	return NULL;
}

static err_t
read_some(struct ctx *cx, int room)
{
	int n = jobs.set->n_rows, argc = 0;
	struct str *v = arena_array(cx->arena, struct str, 9 + 2 * n);
	struct bus_reply *r;

	v[argc++] = STR("XREADGROUP");
	v[argc++] = STR("GROUP");
	v[argc++] = STR("workers");
	v[argc++] = str_c(jobs.me);
	v[argc++] = STR("COUNT");
	v[argc++] = str_c(arena_printf(cx->arena, "%d", room > n ? room / n : 1));
	v[argc++] = STR("BLOCK");
	v[argc++] = str_c(arena_printf(cx->arena, "%d", BLOCK_MS));
	v[argc++] = STR("STREAMS");
	for (int i = 0; i < n; i++) {
		v[argc + i] = str_c(arena_printf(cx->arena, JOB_KEYS "%s", jobs.set->rows[i].kind));
		v[argc + n + i] = STR(">");
	}
	TRY(bus_link_cmd(cx, link, &r, argc + 2 * n, v));
	for (int i = 0; r->type == BUS_LIST && i < r->n; i++) {
		const struct bus_reply *s = &r->v[i];
		const struct job_kind *row = s->type == BUS_LIST && s->n == 2 ? row_of(s->v[0].s) : NULL;

		for (int k = 0; row != NULL && k < s->v[1].n; k++)
			run_begin(row, &s->v[1].v[k], false);
	}
	return OK;
}

static err_t
read_round(struct ctx *cx, bool *groups)
{
	if (!*groups) {
		TRY(make_groups(cx));
		TRY(jobs_adopt(cx, link));
		*groups = true;
	}
	fib_event_reset(&jobs.room);
	if (jobs.n_runs >= jobs.set->at_once)
		return fib_await(cx, &jobs.room);
	return read_some(cx, jobs.set->at_once - jobs.n_runs);
}

static void
reader_fiber(struct ctx *outer, void *arg)
{
	bool groups = false, said = false;

	(void)arg;
	reader = outer->fib;
	while (!jobs.stopping) {
		struct ctx cx;
		err_t e;

		ctx_init(&cx);
		cx.fib = reader;
		e = read_round(&cx, &groups);
		if (e != OK && !jobs.stopping) {
			groups = false;		/* a Redis that forgot may be behind it */
			if (!said)
				log_warn(&cx, "no jobs can be read", "why=%s", cx.detail ? cx.detail : err_info(e)->name);
			pause_for(&cx, AGAIN);
		}
		said = e != OK;
		ctx_fini(&cx);
	}
	reader = NULL;
	bus_link_close(&link);
	jobs.fibers--;
	jobs_fiber_ended();
}

/* ---- life ---- */

void
jobs_start(const struct jobs_setup *s)
{
	static char me[ID_LEN + 1];
	struct arena *a = arena_new();

	assert(s->n_rows > 0 && s->at_once > 0);
	snprintf(me, sizeof me, "%s", id_unique(a));
	arena_free(&a);
	jobs = (struct jobs_state){.set = s, .me = me, .fibers = 2};
	link = bus_link_open(NULL, NULL);
	fib_spawn_new("jobs", 0, reader_fiber, NULL);
	fib_spawn_new("jobs-upkeep", 0, upkeep_fiber, NULL);
}

void
jobs_fiber_ended(void)
{
	if (jobs.stopping && jobs.fibers == 0 && jobs.n_runs == 0)
		loop_stop();
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
leave(void *arg)
{
	(void)arg;
	loop_stop();
}

void
jobs_drain(void)
{
	if (jobs.stopping)
		return;
	jobs.stopping = true;
	if (reader != NULL)
		fib_cancel(reader);
	fib_signal(&jobs.room);
	fib_signal(&jobs.stop);
	jobs_spaces_stop();
	(void)loop_after((uint64_t)conf.drain_timeout, cancel_runs, NULL);
	(void)loop_after((uint64_t)conf.drain_timeout + DRAIN_EXTRA, leave, NULL);
	jobs_fiber_ended();
}
