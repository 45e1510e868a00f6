/* The line of a function: a run of its job takes what waits for the function from the line, has several executions under way, and takes them out when they
 * have ended. Functions do not wait for each other: one that hangs, or is flooded, has its own line.
 *
 * Events of one resource, or of which one's contains the other's, run the function one after the other, in their order; everything else side by side. What the
 * executor does not begin (ERR_EXEC) stays in the line, and the run ends until a later one, sooner for what is young. What the code does wrong is an end like any
 * other. An entry leaves the line after its end is written, some at once: whatever crashes, it is found again. Then an event runs its function once more,
 * under the same execution, unless the end is there; what a client or a schedule asked for has begun and is told of as failed, for nobody may ask twice for
 * what was asked for once.
 *
 * An event's execution has no row before it ends, or runs for longer than SHOW_MS. */
#include "execution.h"

#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "io/bus.h"
#include "model/project.h"

enum {
	READ_MAX = 64,		/* entries of a line that are in memory, about */
	READ_SIZE = 8 << 20,	/* of payloads, of one line; */
	MEMORY = 64 << 20,	/* and of all in this process: then each has one at a time */
	BEGIN_MS = 4 * 60 * 1000,	/* a run begins things for so long; with nothing under way it ends after */
	TURN = 30 * 1000,
	LOOK = 100,		/* a line that is being worked on wakes nobody: who has room looks */
	SHOW_MS = 200,
	OUT_MAX = 16, OUT_MS = 20,	/* so many that have ended leave the line at once, or after so long */
	LIVE = 15 * 1000,	/* between signs of life */
	CROWDED = 300,		/* so many under way in this process: then one of each function */
	AGAIN_MIN = 250, AGAIN_MAX = 15 * 1000,
	RATES_MAX = 65536, MINUTE = 60 * 1000
};

enum place_state { PLACE_WAITING, PLACE_UNDER_WAY, PLACE_ENDED };

struct place {			/* an entry in memory; in a context of its own, which its fiber uses */
	struct ctx cx;
	struct place *next;
	struct shift *shift;
	enum place_state state;
	struct task t;
	struct execution_known known;	/* of an event; id NULL: nobody looked */
	bool done;		/* ended: it leaves the line; else it is to be tried again */
	const char *why;	/* not done */
	size_t bytes;
};

struct shift {			/* a run of the line's job */
	struct ctx *cx;
	struct line line;
	struct project *p;
	const char *function;	/* id */
	struct place *first, **last;
	int n, under_way, ended, n_ended;	/* ended: not looked at yet; n_ended: still in the line */
	size_t bytes;
	const char *read_to;
	bool more;		/* the line may have more */
	bool failed, lost;	/* the executor did not begin one; the line is another's */
	bool replaced;		/* the id is no longer that of our project: what is in the line may be another's */
	uint64_t began, lived, looked, out;	/* out: when entries left the line */
	struct fib_event change;
};

static int everything_under_way;
static size_t everything_bytes;

const char *
function_line(struct ctx *cx, const struct project *p, const char *function)
{
	return arena_printf(cx->arena, "%s/%s", p->id, function);
}

/* ---- how often ---- */

static struct lru *rates;	/* line and resource -> struct rate */

struct rate {
	int64_t minute, n;
};

/* What the depth of chains does not stop: a function that talks to the server by another address than the one it was given. *first_out: the first in
 * this minute that is too many. */
static bool
too_often(const struct shift *s, const struct task *t, bool *first_out)
{
	struct str key = str_c(arena_printf(s->cx->arena, "%s %llx", s->line.name, t->about.n_within > 0 ? (unsigned long long)t->about.within[t->about.n_within - 1] : 0));
	int64_t minute = time_now_ms() / MINUTE;
	struct rate *r;

	*first_out = false;
	if (conf.functions_event_rate <= 0 || t->depth > 0)
		return false;
	if (rates == NULL)
		rates = lru_new(RATES_MAX, free);
	r = lru_get(rates, key);
	if (r == NULL) {
		r = mem_zalloc(sizeof *r);
		lru_put(rates, key, r);
	}
	if (r->minute != minute)
		*r = (struct rate){.minute = minute};
	r->n++;
	*first_out = r->n == conf.functions_event_rate + 1;
	return r->n > conf.functions_event_rate;
}

/* ---- one entry ---- */

/* 20 hex digits, the same whenever this comes about. */
static const char *
id_of_cause(struct ctx *cx, const char *function, const char *cause)
{
	char *hex = sha256_hex(cx->arena, str_c(arena_printf(cx->arena, "%s %s", function, cause)));

	hex[ID_LEN] = '\0';
	return hex;
}

static uint64_t
limit_of(const struct function *f)
{
	return (uint64_t)f->timeout * 1000;
}

/* Awaits. It has begun, and is ours. ERR_EXEC: not after all, and it waits again. */
static err_t
run_begun(struct ctx *cx, const struct project *p, const struct runnable *r, struct execution *e, const struct call *c)
{
	struct exec_ran ran;
	err_t err = execution_run(cx, p, r, e, c, limit_of(r->f), &ran);

	if (err != OK) {
		const char *detail = cx->detail;

		TRY(execution_wait(cx, p, e));
		return fail(cx, err, "%s", detail ? detail : "");
	}
	return execution_end(cx, p, e, &ev_execution_update, STR(""));
}

static bool
may_run(struct ctx *cx, const struct runnable *r)
{
	err_t err = r->f->enabled ? runnable_check(cx, r) : ERR_FUNCTION_NOT_FOUND;

	return err == OK;
}

/* An execution that runs for a while is shown. */
struct showing {
	const struct project *p;
	struct execution e;		/* as it was when it began */
	struct ctx cx;
	bool begun;
	struct fib_event over;
};

static void
show_fiber(struct ctx *cx, void *arg)
{
	struct showing *sh = arg;
	err_t err = execution_write(cx, sh->p, &sh->e, NULL);

	if (err != OK)
		log_debug(cx, "an execution is not shown", "execution=%s why=%s", sh->e.id, err_info(err)->name);
	fib_signal(&sh->over);
}

static void
show_now(void *arg)
{
	struct showing *sh = arg;

	sh->begun = true;
	fib_spawn(&sh->cx, show_fiber, sh);
}

/* Awaits the run of an event's execution, whose row is or is not there. */
static err_t
run_shown(struct ctx *cx, const struct project *p, const struct runnable *r, struct execution *e, const struct call *c)
{
	struct showing *sh = arena_new_of(cx->arena, struct showing);
	struct loop_timer *timer = loop_after(SHOW_MS, show_now, sh);
	struct exec_ran ran;
	err_t err;

	*sh = (struct showing){.p = p, .e = *e};
	ctx_init_part(&sh->cx, cx);
	err = execution_run(cx, p, r, e, c, limit_of(r->f), &ran);
	if (!sh->begun)
		loop_timer_stop(&timer);
	fib_shield(cx, true);
	while (sh->begun && !sh->over.set)
		if (fib_await(cx, &sh->over) != OK)
			log_debug(cx, "waiting for an execution to be shown", NULL);
	fib_shield(cx, false);
	ctx_fini(&sh->cx);
	return err;
}

/* Awaits. What the row says, if it is there. */
static err_t
event_known(struct ctx *cx, const struct project *p, struct place *pl)
{
	if (pl->known.id != NULL)
		return OK;
	pl->known.id = id_of_cause(cx, pl->shift->function, pl->t.id);
	return executions_known(cx, p, &pl->known, 1);
}

static err_t
event_do(struct ctx *cx, const struct project *p, const struct runnable *r, struct place *pl)
{
	const struct call c = {.body = STR(""), .event_data = pl->t.payload, .session = "", .address = ""};
	const struct task *t = &pl->t;
	struct execution e;
	err_t err;

	TRY(event_known(cx, p, pl));
	if (pl->known.status == execution_states[EXECUTION_COMPLETED] || pl->known.status == execution_states[EXECUTION_FAILED])
		return OK;
	cx->depth = t->depth;
	execution_init(cx, &e, r->f, "event", t->id, t->actor);
	e.id = pl->known.id;
	e.event = t->about.names.n > 0 ? t->about.names.v[0] : "";
	e.status = execution_states[EXECUTION_PROCESSING];
	e.began = e.created;
	if (pl->known.status != NULL)
		e.created = pl->known.created;
	err = run_shown(cx, p, r, &e, &c);
	if (err != OK) {
		const char *detail = cx->detail;

		e.status = execution_states[EXECUTION_WAITING];
		e.began = TIME_NONE;
		TRY(execution_write(cx, p, &e, NULL));
		return fail(cx, err, "%s", detail ? detail : "");
	}
	return execution_end_event(cx, p, &e);
}

/* Awaits. An event that must cause nothing any more is told of once. */
static err_t
tell_event(struct ctx *cx, const struct project *p, const struct function *f, const struct task *t, const char *why)
{
	struct execution e;

	cx->depth = t->depth;
	execution_init(cx, &e, f, "event", t->id, t->actor);
	e.id = id_of_cause(cx, f->id, t->id);
	e.event = t->about.names.n > 0 ? t->about.names.v[0] : "";
	return execution_tell(cx, p, &e, why);
}

static err_t
run_event(struct ctx *cx, const struct shift *s, const struct runnable *r, struct place *pl)
{
	const struct task *t = &pl->t;
	bool first;

	if (t->depth >= conf.functions_depth_max) {
		metric_add(M_executions_too_deep, 1);
		return tell_event(cx, s->p, r->f, t, execution_too_deep_words(cx));
	}
	if (too_often(s, t, &first)) {
		metric_add(M_executions_too_often, 1);
		return first ? tell_event(cx, s->p, r->f, t, arena_printf(cx->arena, "Not run, and neither are others of this minute: events of the same resource ran the function "
		    "%lld times already (functions_event_rate). It may cause the events that it listens to.", (long long)conf.functions_event_rate)) : OK;
	}
	return event_do(cx, s->p, r, pl);
}

/* Awaits. One whose row is there: asked for by a client, or by a schedule. */
static err_t
run_asked(struct ctx *cx, const struct shift *s, const struct runnable *r, const struct task *t)
{
	struct execution e;
	struct call c;
	bool mine;
	err_t err = execution_get(cx, s->p, &execution_whole_record, r->f, t->id, &e);

	if (err == ERR_EXECUTION_NOT_FOUND)	/* deleted meanwhile */
		return OK;
	TRY(err);
	cx->depth = (int)e.depth;
	if (strcmp(e.status, "processing") == 0)
		return execution_fail(cx, s->p, &e, "The server that ran it was stopped, or crashed, before it ended.");
	if (strcmp(e.status, "waiting") != 0)
		return OK;
	if (!may_run(cx, r))
		return execution_fail(cx, s->p, &e, "Not run: the function is switched off, or has no deployment that is ready.");
	if (execution_too_deep(&e))
		return execution_fail(cx, s->p, &e, execution_too_deep_words(cx));
	TRY(execution_begin(cx, s->p, &e, EXECUTION_WAITING, &mine));
	if (!mine)
		return OK;
	call_read(cx, e.pending, &c);
	return run_begun(cx, s->p, r, &e, &c);
}

/* An event of before it was made, that one heard which had the ids then: of the project, or of one that is gone. */
static bool
function_later(const struct function *f, const struct task *t)
{
	return t->kind == TASK_EVENT && f->created > t->time;
}

static err_t
task_do(struct ctx *cx, const struct shift *s, struct place *pl)
{
	const struct task *t = &pl->t;
	struct runnable r;
	err_t err;

	if (t->kind == TASK_MALFORMED)
		return OK;
	err = function_load(cx, s->p, s->function, &r);
	if (err == ERR_FUNCTION_NOT_FOUND || (err == OK && function_later(r.f, t)))
		return OK;
	TRY(err);
	if (t->kind == TASK_EXECUTION)
		return run_asked(cx, s, &r, t);
	if (!may_run(cx, &r)) {
		metric_add(M_executions_skipped, 1);
		return OK;
	}
	return run_event(cx, s, &r, pl);
}

/* Awaits. A day, or what conf says, after it came about: dead, and visible. */
static err_t
task_give_up(struct ctx *cx, const struct shift *s, const struct task *t, const char *why)
{
	struct str head = str_c(arena_printf(cx->arena, "%s 0 %lld %s", t->id, (long long)t->time, s->p->id));
	const char *words = arena_printf(cx->arena, "Given up: no executor ran it in time. %s", why);
	struct bus_reply *reply;
	struct execution e;
	struct function f;
	err_t err;

	metric_add(M_executions_given_up, 1);
	log_error(cx, "an execution is given up", "function=%s execution=%s why=\"%s\"", s->function, t->id, why);
	TRY(bus_cmd(cx, &reply, BUS(STR("XADD"), line_key(cx, FUNCTIONS, "dead", NULL), STR("MAXLEN"), STR("~"), STR("10000"), STR("*"), STR("h"), head, STR("b"),
	    str_c(s->line.name), STR("e"), str_c(words))));
	err = function_get(cx, s->p, s->function, &f);
	if (err == OK && function_later(&f, t))
		return OK;
	if (err == OK)
		err = execution_get(cx, s->p, &execution_record, &f, t->kind == TASK_EVENT ? id_of_cause(cx, f.id, t->id) : t->id, &e);
	if (err == ERR_FUNCTION_NOT_FOUND || err == ERR_EXECUTION_NOT_FOUND)
		return err == ERR_EXECUTION_NOT_FOUND && t->kind == TASK_EVENT ? tell_event(cx, s->p, &f, t, words) : OK;
	TRY(err);
	return execution_fail(cx, s->p, &e, words);
}

static void
place_fiber(struct ctx *cx, void *arg)
{
	struct place *pl = arg;
	struct shift *s = pl->shift;
	err_t err = task_do(cx, s, pl);

	if (err != OK && err != ERR_CANCELLED && time_now_ms() - pl->t.time >= conf.functions_give_up)
		err = task_give_up(cx, s, &pl->t, cx->detail ? cx->detail : err_info(err)->name);
	pl->done = err == OK;
	pl->why = cx->detail ? cx->detail : err_info(err)->name;
	pl->state = PLACE_ENDED;
	s->under_way--;
	s->ended++;
	metric_set(M_executions_under_way, --everything_under_way);
	fib_signal(&s->change);
}

static void
place_begin(struct place *pl)
{
	struct shift *s = pl->shift;

	pl->state = PLACE_UNDER_WAY;
	s->under_way++;
	metric_set(M_executions_under_way, ++everything_under_way);
	pl->cx.project = s->p->id;
	pl->cx.share = s->cx->share;
	fib_spawn(&pl->cx, place_fiber, pl);
}

static void
place_new(struct shift *s, const struct line_entry *e)
{
	struct place *pl = mem_zalloc(sizeof *pl);
	struct line_entry mine;

	ctx_init(&pl->cx);
	pl->shift = s;
	mine = (struct line_entry){arena_strdup(pl->cx.arena, e->at), {arena_memdup(pl->cx.arena, e->head.p, e->head.n), e->head.n},
	    {arena_memdup(pl->cx.arena, e->body.p ? e->body.p : "", e->body.n), e->body.n}};
	task_read(&pl->cx, &mine, &pl->t);
	*s->last = pl;
	s->last = &pl->next;
	s->n++;
	pl->bytes = mine.body.n;
	s->bytes += pl->bytes;
	everything_bytes += pl->bytes;
}

static void
place_free(struct shift *s, struct place *pl)
{
	assert(pl->state != PLACE_UNDER_WAY);
	s->n--;
	s->bytes -= pl->bytes;
	everything_bytes -= pl->bytes;
	ctx_fini(&pl->cx);
	free(pl);
}

/* ---- the line ---- */

/* Awaits. Which of the events have executions already. What is not found out here is asked again by each. */
static void
shift_look(struct ctx *cx, struct place *from, int n)
{
	struct execution_known *v = arena_array(cx->arena, struct execution_known, n + 1);
	const struct shift *s = from->shift;
	err_t err;

	n = 0;
	for (struct place *pl = from; pl != NULL; pl = pl->next)
		if (pl->t.kind == TASK_EVENT)
			v[n++] = (struct execution_known){.id = id_of_cause(&pl->cx, s->function, pl->t.id)};
	if (n == 0)
		return;
	err = executions_known(cx, s->p, v, n);
	if (err != OK)
		log_debug(cx, "executions are not looked for", "function=%s why=%s", s->function, err_info(err)->name);
	for (struct place *pl = from; pl != NULL && err == OK; pl = pl->next)
		if (pl->t.kind == TASK_EVENT)
			pl->known = *v++;
}

/* Awaits. Whose line it is, after it was read: the project may go, and another be made under its id, while the run has the first in hand. */
static err_t
shift_look_who(struct ctx *cx, struct shift *s)
{
	struct project *now;
	err_t err = project_get_bare(cx, str_c(s->p->id), &now);

	s->replaced = err == ERR_PROJECT_NOT_FOUND || (err == OK && now->internal != s->p->internal);
	return err == ERR_PROJECT_NOT_FOUND ? OK : err;
}

/* Awaits. What is asked for counts while it is on its way: others ask meanwhile. */
static err_t
shift_read(struct ctx *cx, struct shift *s)
{
	size_t room = everything_bytes < MEMORY ? MEMORY - everything_bytes : 0, most = room < READ_SIZE ? room : READ_SIZE;
	struct place **from = s->last;
	struct line_entry *v;
	err_t e;
	int n;

	everything_bytes += most;
	e = line_read(cx, &s->line, s->read_to, READ_MAX, most, &v, &n, &s->more);
	everything_bytes -= most;
	TRY(e);
	for (int i = 0; i < n; i++)
		place_new(s, &v[i]);
	if (n > 0)
		s->read_to = arena_strdup(s->cx->arena, v[n - 1].at);
	s->looked = loop_now();
	TRY(shift_look_who(cx, s));
	if (n > 0 && !s->replaced)
		shift_look(cx, *from, n);
	return OK;
}

static void
note_failures(struct shift *s)
{
	for (struct place *pl = s->first; pl != NULL; pl = pl->next)
		if (pl->state == PLACE_ENDED && !pl->done) {
			pl->state = PLACE_WAITING;
			s->failed = true;
			log_info(s->cx, "an execution is not begun, to be tried again", "function=%s execution=%s why=\"%s\"", s->function, pl->t.id, pl->why);
		}
	s->ended = 0;
}

/* Awaits. Takes what is done out of memory and out of the line, and says that we live. */
static err_t
shift_take_out(struct ctx *cx, struct shift *s)
{
	const char **at = arena_array(cx->arena, const char *, s->n + 1);
	bool mine = true;
	int n = 0;

	note_failures(s);
	for (struct place *pl = s->first; pl != NULL; pl = pl->next)
		if (pl->state == PLACE_ENDED)
			at[n++] = pl->t.at;
	s->n_ended = n;
	if (loop_now() - s->lived < LIVE && (n == 0 || (n < OUT_MAX && s->under_way > 0 && loop_now() - s->out < OUT_MS)))
		return OK;
	TRY(line_done(cx, &s->line, at, n, &mine));
	s->lived = s->out = loop_now();
	s->n_ended = 0;
	s->lost = !mine;
	for (struct place **pp = &s->first; *pp != NULL && n > 0;) {
		struct place *pl = *pp;

		if (strcmp(pl->t.at, at[0]) != 0) {
			pp = &pl->next;
			continue;
		}
		at++;
		n--;
		*pp = pl->next;
		place_free(s, pl);
	}
	s->last = &s->first;
	while (*s->last != NULL)
		s->last = &(*s->last)->next;
	return OK;
}

static bool
must_wait(const struct shift *s, struct place *pl)
{
	for (const struct place *b = s->first; b != pl; b = b->next)
		if (!(b->state == PLACE_ENDED && b->done) && (task_conflict(&b->t, &pl->t) || (b->t.kind == pl->t.kind && strcmp(b->t.id, pl->t.id) == 0))) {
			pl->known.id = NULL;	/* what was looked up grows old meanwhile */
			return true;
		}
	return false;
}

static void
shift_begin_some(struct shift *s)
{
	int window = everything_under_way >= CROWDED ? 1 : (int)conf.functions_concurrency;

	for (struct place *pl = s->first; pl != NULL && s->under_way < window; pl = pl->next)
		if (pl->state == PLACE_WAITING && !must_wait(s, pl))
			place_begin(pl);
}

static err_t
shift_await(struct ctx *cx, struct shift *s, bool ending)
{
	bool room = s->under_way < conf.functions_concurrency && !ending;
	err_t e = fib_await_for(cx, &s->change, s->n_ended > 0 ? OUT_MS : s->under_way > 0 && !room ? LIVE : LOOK);

	return e == ERR_TIMEOUT ? OK : e;
}

/* Nothing is begun any more. */
static bool
shift_ending(const struct shift *s)
{
	uint64_t age = loop_now() - s->began;

	return s->failed || s->lost || s->replaced || jobs_drained || age >= BEGIN_MS || (age >= TURN && s->under_way == 0);
}

/* Awaits. One step, with memory of its own: a run may be long. *done_out: nothing is left to do. */
static err_t
shift_step(struct ctx *cx, struct shift *s, bool *done_out)
{
	bool ending, room;

	TRY(shift_take_out(cx, s));
	ending = shift_ending(s);
	room = s->n == 0 || (s->n < READ_MAX / 2 && s->bytes < READ_SIZE && everything_bytes < MEMORY);
	if (!ending && room && (s->more || s->n == 0 || loop_now() - s->looked >= LOOK))
		TRY(shift_read(cx, s));
	ending = ending || s->replaced;
	fib_event_reset(&s->change);
	if (!ending)
		shift_begin_some(s);
	*done_out = s->under_way == 0 && s->ended == 0 && (ending || s->n == 0);
	return *done_out ? OK : shift_await(cx, s, ending);
}

/* ---- the job ---- */

/* Awaits. However the run ends: what is under way uses our memory. */
static void
shift_wait_for_all(struct shift *s)
{
	for (struct place *pl = s->first; pl != NULL; pl = pl->next)
		if (pl->state == PLACE_UNDER_WAY)
			fib_cancel(pl->cx.fib);
	fib_shield(s->cx, true);
	s->cx->deadline = 0;
	while (s->under_way > 0) {
		fib_event_reset(&s->change);
		if (fib_await(s->cx, &s->change) != OK)
			log_debug(s->cx, "waiting for executions", NULL);
	}
	fib_shield(s->cx, false);
}

/* When to try again: soon what is young, and less often the longer it has waited. */
static int64_t
shift_again_at(const struct shift *s)
{
	int64_t now = time_now_ms(), age = s->first != NULL ? now - s->first->t.time : 0, ms = age / 4;

	if (!s->failed)
		return 0;
	return now + (ms < AGAIN_MIN ? AGAIN_MIN : ms > AGAIN_MAX ? AGAIN_MAX : ms);
}

static err_t
shift_run(struct shift *s)
{
	bool done = false;
	err_t e = OK;

	s->began = s->lived = loop_now();
	while (e == OK && !done) {
		struct ctx cx;

		ctx_init_part(&cx, s->cx);
		e = shift_step(&cx, s, &done);
		if (e != OK)
			(void)fail(s->cx, e, "%s", cx.detail ? cx.detail : "");
		ctx_fini(&cx);
	}
	if (e != OK)
		shift_wait_for_all(s);
	return e;
}

/* Awaits. What waits for a project that is gone. */
static err_t
shift_drop_all(struct shift *s)
{
	struct line_entry *v;
	bool more = true, mine = true;
	const char *at[READ_MAX];
	int n;

	while (more && mine) {
		TRY(line_read(s->cx, &s->line, NULL, READ_MAX, READ_SIZE, &v, &n, &more));
		for (int i = 0; i < n; i++)
			at[i] = v[i].at;
		TRY(line_done(s->cx, &s->line, at, n, &mine));
	}
	return mine ? line_leave(s->cx, &s->line, 0) : OK;
}

err_t
functions_work(struct ctx *cx, const struct job *job)
{
	struct shift s = {.cx = cx, .last = &s.first};
	struct str rest, project;
	int64_t when;
	err_t e;

	TRY(line_hold(cx, job, &s.line));
	rest = str_c(s.line.name);
	project = str_cut(&rest, '/');
	s.function = str_dup(cx->arena, rest);
	e = project_get(cx, project, &s.p);
	if (e == ERR_PROJECT_NOT_FOUND)
		return shift_drop_all(&s);
	TRY(e);
	e = shift_run(&s);
	when = shift_again_at(&s);
	while (s.first != NULL) {
		struct place *pl = s.first;

		s.first = pl->next;
		place_free(&s, pl);
	}
	TRY(e);
	return s.lost ? OK : line_leave(cx, &s.line, when);
}

/* Awaits. An execution whose row was written joins the others that wait for its function. */
err_t
execute_work(struct ctx *cx, const struct job *job)
{
	struct str rest = job->payload, function = str_cut(&rest, ' '), id = str_cut(&rest, ' ');
	struct execution e;
	struct function f;
	struct project *p;
	bool put;
	err_t err;

	if (function.n == 0 || id.n == 0)
		return ERR_JOB_HOPELESS;
	err = project_get(cx, str_c(job->project), &p);
	if (err == ERR_PROJECT_NOT_FOUND)
		return OK;
	TRY(err);
	TRY(line_put(cx, FUNCTIONS, function_line(cx, p, str_dup(cx->arena, function)), p->id, task_head(cx, str_dup(cx->arena, id), job->created), STR(""), conf.functions_queue_size, conf.functions_project_size, &put));
	if (put)
		return OK;
	metric_add(M_triggers_full, 1);
	err = function_get(cx, p, str_dup(cx->arena, function), &f);
	if (err == OK)
		err = execution_get(cx, p, &execution_record, &f, str_dup(cx->arena, id), &e);
	if (err == ERR_FUNCTION_NOT_FOUND || err == ERR_EXECUTION_NOT_FOUND)
		return OK;
	TRY(err);
	return execution_fail(cx, p, &e, "Not run: too much waits for this function already (functions_queue_size, functions_project_size).");
}
