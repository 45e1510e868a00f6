/* Functions: a code in a revision, and which of its processes gets a run.
 *
 * A run gets a process that serves nothing; else, when none has become free for a moment, another process is begun, as long as there may be more, and the run
 * takes whichever is free first; else it shares one, where its runtime can; else it waits, in a queue with an end. With another revision the processes of the former one take nothing more. */
#include <assert.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "exec_priv.h"

enum { FUNCTION_MAGIC = 0x66756e63, STARTS_AT_ONCE = 4, LOOSE_FILES = 16, KEPT_TRIES = 8, KEPT_LASTS_MS = 30 * 1000, HOPELESS_MS = 60 * 60 * 1000, PATIENCE_MS = 20, PATIENCE_MAX = 250 };
#define NEWS 0.125	/* share of a run in what runs take */

static struct map *functions;
static struct map *hopeless;		/* by key: what does not stay, and is not kept for a while */
static unsigned n_runs, n_waiting, n_kept;
static bool functions_over;		/* none is begun any more */

/* ---- the list ---- */

static const char *
function_key(struct arena *a, const struct exec_ask *q)
{
	return arena_printf(a, "%s/%s/%s", q->project, q->code, q->run.f.revision);
}

static struct str
str_copy(struct arena *a, struct str s)
{
	return (struct str){arena_memdup(a, s.p, s.n), s.n};
}

static struct exec_function
function_copy(struct arena *a, const struct exec_function *f)
{
	struct exec_variable *v = arena_array(a, struct exec_variable, f->n_variables + 2);
	int n = 0;

	for (int i = 0; i < f->n_variables; i++)
		if (*net_api() == '\0' || !str_is(f->variables[i].name, API_VARIABLE))	/* whoever asks does not know what works in there */
			v[n++] = (struct exec_variable){str_copy(a, f->variables[i].name), str_copy(a, f->variables[i].value)};
	if (*net_api() != '\0')
		v[n++] = (struct exec_variable){STR(API_VARIABLE), str_c(net_api())};
	return (struct exec_function){.function = arena_strdup(a, f->function), .deployment = arena_strdup(a, f->deployment), .runtime = arena_strdup(a, f->runtime),
		.entrypoint = arena_strdup(a, f->entrypoint), .generation = f->generation, .variables = v, .n_variables = n,
		.revision = arena_strdup(a, f->revision)};
}

static struct function *
function_new(const struct exec_ask *q, const struct runtime *r, struct code *c)
{
	struct function *f = mem_zalloc(sizeof *f);

	f->magic = FUNCTION_MAGIC;
	f->arena = arena_new();
	f->key = function_key(f->arena, q);
	f->project = arena_strdup(f->arena, q->project);
	f->f = function_copy(f->arena, &q->run.f);
	f->runtime = r;
	f->code = c;
	f->run_ms = -1;
	code_use(c, 1);
	map_set(functions, str_c(f->key), f);
	return f;
}

/* Ends what serves nothing; what serves ends with its last run. */
static void
function_stop(struct function *f)
{
	f->retired = true;
	for (struct instance *i = f->instances; i != NULL; i = i->next)
		if (i->runs == 0)
			instance_end(i, EXEC_DONE);
}

static bool
function_former(struct str key, void *value, void *arg)
{
	struct function *f = value;
	const struct function *now = arg;

	(void)key;
	if (f != now && f->code == now->code && !f->retired)
		function_stop(f);
	return true;
}

void
function_leave(struct function *f)
{
	assert(f->magic == FUNCTION_MAGIC && f->refs > 0);
	if (--f->refs > 0)
		return;
	assert(f->n_instances == 0 && f->n_waiting == 0);
	if (map_get(functions, str_c(f->key)) == f)
		map_del(functions, str_c(f->key));
	code_use(f->code, -1);
	f->magic = 0;
	arena_free(&f->arena);
	free(f);
}

/* It is kept warm no longer. */
static void
function_release(struct function *f)
{
	f->kept = false;
	metric_set(M_exec_kept, --n_kept);
	for (struct instance *i = f->instances; i != NULL; i = i->next)
		if (i->runs == 0)
			instance_end(i, EXEC_DONE);
	function_leave(f);
}

err_t
function_enter(struct ctx *cx, const struct exec_ask *q, struct function **out, bool *need_out, const char **why_out)
{
	const struct runtime *r = runtime_named(q->run.f.runtime);
	const char *key = function_key(cx->arena, q);
	struct function *f;
	struct code *c;

	*need_out = false;
	*why_out = NULL;
	*out = NULL;
	if (functions == NULL) {
		functions = map_new();
		hopeless = map_new();
	}
	if (r == NULL) {
		*why_out = arena_printf(cx->arena, "The runtime \"%s\" is not installed here.", q->run.f.runtime);
		return OK;
	}
	c = code_get(cx, arena_printf(cx->arena, "%s/%s", q->project, q->code), r->contract != CONTRACT_OURS);
	if (c == NULL)
		*need_out = true;
	else if (c->state == CODE_BAD)
		*why_out = arena_strdup(cx->arena, c->why);
	else if (c->packed != (r->contract != CONTRACT_OURS))
		*why_out = "The deployment was built for a runtime of another kind: build it again.";
	else if (r->contract != CONTRACT_OURS)
		*why_out = env_refusal(cx->arena, &q->run.f);
	if (c == NULL || *why_out != NULL)
		return OK;
	f = map_get(functions, str_c(key));
	if (f != NULL && f->retired) {	/* retired, and wanted again: a new one in its place */
		map_del(functions, str_c(key));
		if (f->kept)
			function_release(f);
		f = NULL;
	}
	code_own(c, q->project, q->run.f.function, q->run.f.deployment);
	if (f == NULL) {
		f = function_new(q, r, c);
		map_each(functions, function_former, f);
	}
	f->refs++;
	*out = f;
	return OK;
}

/* ---- who gets a run ---- */

static struct instance *
function_best(const struct function *f)
{
	struct instance *best = NULL;

	for (struct instance *i = f->instances; i != NULL; i = i->next)
		if (i->state == INSTANCE_READY && i->broken == NULL && (best == NULL || i->runs < best->runs))
			best = i;
	for (struct instance *i = f->instances; best == NULL && i != NULL; i = i->next)
		if (i->state == INSTANCE_READY)
			best = i;	/* its code is broken: it says so to whoever waits */
	return best;
}

bool
function_free(struct arena *a, const struct exec_ask *q)
{
	const struct function *f = functions != NULL ? map_get(functions, str_c(function_key(a, q))) : NULL;
	const struct instance *best = f != NULL && !f->retired && f->code->state == CODE_READY ? function_best(f) : NULL;

	return best != NULL && best->runs == 0;
}

static int64_t
function_overlap(const struct function *f)
{
	int64_t most = conf.functions_overlap_max;

	return f->runtime->overlap > 0 && f->runtime->overlap < most ? f->runtime->overlap : most;
}

struct idlest {
	struct instance *i;
	bool kept;
};

/* What is kept warm ends for others only when nothing else can. */
static bool
function_idlest(struct str key, void *value, void *arg)
{
	const struct function *f = value;
	const bool kept = f->kept && f->n_instances == 1;
	struct idlest *o = arg;

	(void)key;
	for (struct instance *i = f->instances; i != NULL; i = i->next)
		if (i->state == INSTANCE_READY && i->runs == 0 && (o->i == NULL || kept < o->kept || (kept == o->kept && i->idle < o->i->idle)))
			*o = (struct idlest){i, kept};
	return true;
}

/* Whether this machine may have another process, or will in a moment: the one that has waited longest for work ends for it. */
static bool
function_room(void)
{
	struct idlest o = {NULL, false};

	if (instances_alive < (uint64_t)conf.executor_instances_max)
		return true;
	map_each(functions, function_idlest, &o);
	if (o.i != NULL)
		instance_end(o.i, EXEC_DONE);
	return o.i != NULL;
}

static bool
function_wants_more(const struct function *f)
{
	return f->n_instances < (uint64_t)conf.functions_instances_max && f->n_starting < STARTS_AT_ONCE && f->n_starting < f->n_waiting;
}

/* How long a run waits for a process that is there before another is begun: a start costs as much as hundreds of short runs, and a new process is slow at
 * first. Where all that waits is served before another would be ready, that is as long as a start takes. */
static uint64_t
function_patience(const struct function *f)
{
	unsigned there = f->n_instances - f->n_starting;

	if (function_best(f) == NULL || instances_alive >= (uint64_t)conf.executor_instances_max || !function_wants_more(f))
		return 0;
	if (f->start_ms <= PATIENCE_MS || f->run_ms < 0 || f->run_ms * f->n_waiting >= (double)f->start_ms * there)
		return PATIENCE_MS;
	return f->start_ms < PATIENCE_MAX ? f->start_ms : PATIENCE_MAX;
}

/* What is left of it to a run that has waited since then. */
static uint64_t
function_patience_left(const struct function *f, uint64_t since)
{
	uint64_t waited = loop_now() - since, patience = function_patience(f);

	return waited < patience ? patience - waited : 0;
}

static void
function_put(struct instance *i, struct instance **out)
{
	i->runs++;
	i->refs++;
	n_runs++;
	metric_set(M_exec_running, n_runs);
	*out = i;
}

/* One look. True: it is decided. *mine: the process that was begun for this run. */
static bool
function_look(struct function *f, uint64_t since, struct instance **mine, struct instance **out, struct instance **failed_out)
{
	struct instance *best = function_best(f);

	if (best != NULL && best->runs == 0) {
		function_put(best, out);
		return true;
	}
	if (*mine != NULL && (*mine)->state == INSTANCE_GONE) {
		if (!(*mine)->was_ready) {
			*failed_out = *mine;
			*mine = NULL;
			return true;
		}
		instance_unref(*mine);
		*mine = NULL;
	}
	if (*mine == NULL && function_patience_left(f, since) > 0)
		return false;
	if (*mine == NULL && function_wants_more(f) && function_room()) {
		*mine = instance_start(f);
		(*mine)->refs++;
		return false;
	}
	if (best == NULL || f->n_starting > 0 || best->runs >= (uint64_t)function_overlap(f))
		return false;
	function_put(best, out);
	return true;
}

err_t
function_take(struct ctx *cx, struct function *f, struct instance **out, struct instance **failed_out, bool *cold_out)
{
	uint64_t since = loop_now(), patience;
	struct instance *mine = NULL;
	err_t e = OK;

	*out = *failed_out = NULL;
	*cold_out = false;
	if (f->n_waiting > (uint64_t)conf.functions_queue_max) {
		metric_add(M_exec_refused, 1);
		return fail(cx, ERR_BUSY, "too many runs of the function wait");
	}
	f->n_waiting++;
	metric_set(M_exec_waiting, ++n_waiting);
	while (e == OK && !function_look(f, since, &mine, out, failed_out)) {
		*cold_out = *cold_out || mine != NULL;
		patience = mine == NULL ? function_patience_left(f, since) : 0;
		e = waiters_wait(cx, &f->changed, patience);
		if (e == ERR_TIMEOUT && patience > 0 && (cx->deadline == 0 || loop_now() < cx->deadline))
			e = OK;
	}
	f->n_waiting--;
	metric_set(M_exec_waiting, --n_waiting);
	if (mine != NULL)
		instance_unref(mine);
	waiters_wake(&f->changed);	/* who comes next may begin another */
	return e;
}

int
function_give_back(struct instance *i, double ms)
{
	struct function *f = i->fn;
	bool clean = true;
	int swept = 0;

	assert(i->runs > 0);
	f->run_ms += f->run_ms < 0 ? ms - f->run_ms : (ms - f->run_ms) * NEWS;
	i->runs--;
	n_runs--;
	metric_set(M_exec_running, n_runs);
	i->idle = loop_now();
	if (i->runs == 0 && i->state == INSTANCE_READY)
		swept = sandbox_sweep(i->box, &clean);	/* what a run began ends with it */
	if (i->runs == 0 && i->state == INSTANCE_READY && (f->retired || i->broken != NULL || !clean))
		instance_end(i, EXEC_DONE);
	if (i->runs == 0 && i->finishing) {
		f->kept_failures = 0;	/* another one may begin at once */
		instance_end(i, EXEC_DONE);
	}
	waiters_wake(&f->changed);
	instance_unref(i);
	return swept;
}

/* ---- ending ---- */

struct retiring {
	const char *project, *function, *deployment;
};

static bool
function_retire_one(struct str key, void *value, void *arg)
{
	struct function *f = value;
	const struct retiring *r = arg;

	(void)key;
	if (strcmp(f->project, r->project) != 0 || strcmp(f->f.function, r->function) != 0 || (r->deployment[0] != '\0' && strcmp(f->f.deployment, r->deployment) != 0))
		return true;
	f->retired = true;
	for (struct instance *i = f->instances; i != NULL; i = i->next)
		instance_end(i, EXEC_DONE);
	return true;
}

void
function_retire(const char *project, const char *function, const char *deployment)
{
	struct retiring r = {project, function, deployment};

	if (functions != NULL)
		map_each(functions, function_retire_one, &r);
	code_retire(project, function, deployment);
}

static bool
function_end_one(struct str key, void *value, void *arg)
{
	struct function *f = value;

	(void)key;
	(void)arg;
	for (struct instance *i = f->instances; i != NULL; i = i->next)
		instance_end(i, EXEC_DONE);
	return true;
}

void
functions_end(void)
{
	functions_over = true;
	if (functions != NULL)
		map_each(functions, function_end_one, NULL);
}

/* Without rights of our own nothing keeps a function from filling its private directory but this. */
static bool
instance_litters(const struct instance *i)
{
	DIR *d = geteuid() != 0 ? opendir(i->dir) : NULL;
	int n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n > LOOSE_FILES;
}

static bool
function_tick_one(struct str key, void *value, void *arg)
{
	struct function *f = value;
	bool kept = false;

	(void)key;
	(void)arg;
	if (f->n_waiting > f->n_starting)	/* a full machine may have room by now: nobody else tells */
		waiters_wake(&f->changed);
	for (struct instance *i = f->instances; i != NULL; i = i->next) {
		if (i->state != INSTANCE_READY)
			continue;
		if (instance_litters(i))
			instance_end(i, EXEC_DIED);
		else if (i->runs == 0 && loop_now() - i->idle >= (uint64_t)conf.functions_idle && (kept || !f->kept))
			instance_end(i, EXEC_DONE);
		else
			kept = true;
	}
	return true;
}

/* ---- kept warm ---- */

static unsigned
function_alive(const struct function *f)
{
	unsigned n = 0;

	for (const struct instance *i = f->instances; i != NULL; i = i->next)
		n += i->state < INSTANCE_ENDING;
	return n;
}

struct hopeless {
	char *key;
	uint64_t until;			/* loop time */
};

static bool
hopeless_over(struct str key, void *value, void *arg)
{
	struct hopeless *h = value, **out = arg;

	(void)key;
	if (loop_now() >= h->until)
		*out = h;
	return *out == NULL;
}

static void
hopeless_forget(void)
{
	struct hopeless *h;

	while (h = NULL, map_each(hopeless, hopeless_over, &h), h != NULL) {
		map_del(hopeless, str_c(h->key));
		free(h->key);
		free(h);
	}
}

static void
hopeless_add(const char *key)
{
	struct hopeless *h = mem_zalloc(sizeof *h);

	assert(map_get(hopeless, str_c(key)) == NULL);
	*h = (struct hopeless){mem_strdup(key), loop_now() + HOPELESS_MS};
	map_set(hopeless, str_c(h->key), h);
}

/* What ends soon after it was begun is begun again later and later, and after so often not any more: its place is for others. */
static void
function_keep_now(struct function *f)
{
	for (const struct instance *i = f->instances; i != NULL; i = i->next)
		if (i->state == INSTANCE_READY && loop_now() - i->began >= KEPT_LASTS_MS)
			f->kept_failures = 0;
	f->kept_over = f->kept_failures >= KEPT_TRIES && function_alive(f) == 0 && loop_now() >= f->kept_next;
	if (f->kept_over || functions_over || function_alive(f) > 0 || loop_now() < f->kept_next || instances_alive >= (uint64_t)conf.executor_instances_max)
		return;
	f->kept_next = loop_now() + ((uint64_t)conf.executor_warm_retry << f->kept_failures++);
	(void)instance_start(f);
}

const char *
function_keep(struct function *f)
{
	if (map_get(hopeless, str_c(f->key)) != NULL)
		return "no process of it stays: it was begun in vain too often";
	if (!f->kept && functions_keep_room() <= 0)
		return "executor_warm_max is reached";
	if (!f->kept) {
		f->kept = true;
		f->refs++;
		metric_set(M_exec_kept, ++n_kept);
	}
	function_keep_now(f);
	return NULL;
}

struct kept_look {
	struct function *found;
};

static bool
function_kept_in_vain(struct str key, void *value, void *arg)
{
	struct function *f = value;
	struct kept_look *look = arg;

	(void)key;
	if (f->kept && (f->retired || f->kept_over))
		look->found = f;
	return look->found == NULL;
}

void
function_let_go(const char *key)
{
	struct function *f = functions != NULL ? map_get(functions, str_c(key)) : NULL;

	if (f != NULL && f->kept)
		function_release(f);
}

int64_t
functions_keep_room(void)
{
	return conf.executor_warm_max - (int64_t)n_kept;
}

static bool
function_keep_one(struct str key, void *value, void *arg)
{
	struct function *f = value;

	(void)key;
	(void)arg;
	if (f->kept)
		function_keep_now(f);
	return true;
}

void
functions_tick(void)
{
	struct kept_look look;

	if (functions == NULL)
		return;
	map_each(functions, function_tick_one, NULL);
	do {
		look.found = NULL;
		map_each(functions, function_kept_in_vain, &look);
		if (look.found != NULL && !look.found->retired) {
			hopeless_add(look.found->key);
			look.found->kept_over = false;
			look.found->kept_failures = 0;
		}
		if (look.found != NULL)
			function_release(look.found);
	} while (look.found != NULL);
	map_each(functions, function_keep_one, NULL);
	hopeless_forget();
}

unsigned
functions_busy(void)
{
	return n_runs + n_waiting;
}

static bool
function_warm_one(struct str key, void *value, void *arg)
{
	const struct function *f = value;

	(void)key;
	if (f->n_instances > 0 && !f->retired)
		exec_put(arg, "warm", str_c(f->code->key));
	return true;
}

void
functions_warm(struct buf *b)
{
	if (functions != NULL)
		map_each(functions, function_warm_one, b);
}

static bool
function_kept_one(struct str key, void *value, void *arg)
{
	const struct function *f = value;

	(void)key;
	if (f->kept && !f->retired)
		exec_put(arg, "kept", str_c(f->key));
	return true;
}

void
functions_kept(struct buf *b)
{
	if (functions != NULL)
		map_each(functions, function_kept_one, b);
}
