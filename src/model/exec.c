/* Executors, as those who have something run see them: who is there, who gets a run, and the run itself.
 *
 * What executors say of themselves in Redis is read at most once a second; a call that finds nobody to answer it reads it anew. A run goes to an executor that
 * has its code warm, else to the one with the least to do, here before elsewhere. */
#include "exec_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "io/bus.h"

enum { TRIES = 4, COLD_MS = 120 * 1000, BACK_MS = 5000, LOOK_MS = 50, MISSED_MS = 60 * 1000, SETTLE_MS = 30 * 1000, EXEC_TWICE = 409, ANSWER_MAX = 128 * 1024 * 1024 };

/* ---- who is there ---- */

static struct {
	struct arena *arena;
	struct exec_announcement *v;
	bool *here;		/* of each: its socket is on this machine */
	int n;
	uint64_t read;		/* loop time; 0: never */
} known;

/* Names whose announcement has gone are taken off the list. */
static const char script_read[] =
	"local out = {} "
	"for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do "
	"local text = redis.call('GET', KEYS[1] .. ':' .. name) "
	"if text then out[#out + 1] = text else redis.call('SREM', KEYS[1], name) end end "
	"return out";

static err_t
known_read(struct ctx *cx)
{
	struct bus_reply *r;
	struct arena *a;

	TRY(bus_script(cx, &r, script_read, 1, 1, &STR(EXEC_ANNOUNCED)));
	a = arena_new();
	arena_free(&known.arena);
	known.arena = a;
	known.v = arena_array(a, struct exec_announcement, r->n + 1);
	known.here = arena_array(a, bool, r->n + 1);
	known.n = 0;
	for (int i = 0; i < r->n; i++)
		if (exec_announcement_take(a, r->v[i].s, &known.v[known.n])) {
			known.here[known.n] = known.v[known.n].local[0] != '\0' && access(known.v[known.n].local, W_OK) == 0;
			known.n++;
		}
	known.read = loop_now();
	return OK;
}

/* What is known may be another second old: who finds nothing in it reads it anew. */
static err_t
known_look(struct ctx *cx)
{
	return known.read == 0 || known.n == 0 || loop_now() - known.read > EXEC_ANNOUNCE_MS ? known_read(cx) : OK;
}

static bool
announcement_warm(const struct exec_announcement *n, struct str key)
{
	struct str text = n->warm, name, value;

	while (exec_take(&text, &name, &value) == EXEC_RECORD)
		if (str_eq(value, key))
			return true;
	return false;
}

static bool
announcement_has(const struct exec_announcement *n, const char *runtime)
{
	return runtime == NULL || exec_runtime_named(n->runtimes, n->n_runtimes, runtime) != NULL;
}

static bool
announcement_local(const struct exec_announcement *n)
{
	assert(n >= known.v && n < known.v + known.n);
	return known.here[n - known.v];
}

/* Who has certificates to look at speaks to nobody in clear. */
static bool
announcement_far(const struct exec_announcement *n)
{
	return n->address[0] != '\0' && (n->tls || *conf.executor_tls_ca == '\0');
}

/* Why nothing can run there; NULL: it may. */
static const char *
announcement_why_not(const struct exec_announcement *n)
{
	if (n->why[0] != '\0')
		return n->why;
	if (announcement_local(n) || announcement_far(n))
		return NULL;
	return n->address[0] == '\0' ? "no executor can be reached from here" : "the executor speaks no TLS: set executor_tls_cert there, or no executor_tls_ca here";
}

/* The less, the better. */
static int64_t
announcement_rank(const struct exec_announcement *n, struct str key)
{
	return (announcement_warm(n, key) ? 0 : INT64_C(1000000)) + n->busy * 2 + !announcement_local(n);
}

err_t
exec_choose(struct ctx *cx, const struct exec_choice *c, struct exec_at *out)
{
	const struct exec_announcement *best = NULL;
	const char *why = "no executor runs";

	TRY(known_look(cx));
	for (int i = 0; i < known.n; i++) {
		const struct exec_announcement *n = &known.v[i];
		const char *why_not = announcement_why_not(n);

		if (why_not != NULL)
			why = why_not;
		else if (!announcement_has(n, c->runtime))
			why = "no executor has the runtime";
		else if (c->browses && n->browsers <= 0)
			why = "no executor has a browser (page_browsers)";
		else if (c->keeps && n->room <= 0)
			why = "executors keep as many as they may (executor_warm_max)";
		else if (!exec_listed(c, n->name) && (best == NULL || announcement_rank(n, c->key) < announcement_rank(best, c->key)))
			best = n;
	}
	if (best == NULL)
		return fail(cx, ERR_EXEC, "%s", c->n_not > 0 && !c->keeps ? "no executor answers, or has room" : why);
	*out = exec_at_of(cx->arena, best);
	return OK;
}

struct exec_at
exec_at_of(struct arena *a, const struct exec_announcement *n)
{
	return (struct exec_at){arena_strdup(a, n->name), announcement_local(n) ? arena_strdup(a, n->local) : NULL, arena_strdup(a, announcement_far(n) ? n->address : ""),
		n->tls};
}

const struct exec_announcement *
exec_known(int *n_out)
{
	*n_out = known.n;
	return known.v;
}

err_t
exec_look(struct ctx *cx)
{
	return known_read(cx);
}

bool
exec_listed(const struct exec_choice *c, const char *name)
{
	for (int i = 0; i < c->n_not; i++)
		if (strcmp(c->not_these[i], name) == 0)
			return true;
	return false;
}

void
exec_avoid(struct exec_choice *c, const char *name)
{
	if (c->n_not < EXEC_NOT_MAX)
		c->not_these[c->n_not++] = name;
	known.read = 0;
}

/* ---- runtimes ---- */

static int
runtime_order(const void *a, const void *b)
{
	const struct exec_runtime *x = a, *y = b;

	return strcmp(x->id, y->id);
}

err_t
exec_runtimes(struct ctx *cx, const struct exec_runtime **out, int *n_out, const char **why_out)
{
	struct exec_runtime *v;
	int n = 0, most = 1;

	*out = NULL;
	*n_out = 0;
	*why_out = "no executor runs";
	TRY(known_look(cx));
	for (int i = 0; i < known.n; i++)
		most += known.v[i].n_runtimes;
	v = arena_array(cx->arena, struct exec_runtime, most);
	for (int i = 0; i < known.n; i++) {
		const struct exec_announcement *e = &known.v[i];

		*why_out = arena_strdup(cx->arena, e->why[0] != '\0' ? e->why : "no runtime is installed");
		for (int k = 0; e->why[0] == '\0' && k < e->n_runtimes; k++)
			if (bsearch(&e->runtimes[k], v, (size_t)n, sizeof *v, runtime_order) == NULL) {
				v[n++] = exec_runtime_copy(cx->arena, &e->runtimes[k]);
				qsort(v, (size_t)n, sizeof *v, runtime_order);
			}
	}
	*out = v;
	*n_out = n;
	if (n > 0)
		*why_out = NULL;
	return OK;
}

struct exec_runtime
exec_runtime_copy(struct arena *a, const struct exec_runtime *r)
{
	return (struct exec_runtime){arena_strdup(a, r->id), arena_strdup(a, r->key), arena_strdup(a, r->name), arena_strdup(a, r->version), arena_strdup(a, r->base),
	    arena_strdup(a, r->image), arena_strdup(a, r->logo), arena_strdup(a, r->entrypoint)};
}

/* "18.0" as 18000, "3.11" as 3011. */
static int
version_number(const char *text)
{
	char *end;
	long major = strtol(text, &end, 10), minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

	return major < 0 || major > 10000 || minor < 0 || minor > 999 ? 0 : (int)(major * 1000 + minor);
}

/* The less, the better; -1: it will not do. The same major version, the next minor one; else the next newer one, for code of an older version mostly runs. */
static int
runtime_fit(const struct exec_runtime *r, struct str key, int wanted)
{
	int has = version_number(r->version);

	if (!str_is(key, r->key))
		return -1;
	if (has / 1000 == wanted / 1000)
		return has >= wanted ? has - wanted : 1000 + wanted - has;
	return has > wanted ? 10000 + has - wanted : -1;
}

const struct exec_runtime *
exec_runtime_named(const struct exec_runtime *v, int n, const char *id)
{
	const struct exec_runtime *best = NULL;
	const char *dash = strrchr(id, '-');
	int fit, best_fit = 0;

	for (int i = 0; i < n; i++)
		if (strcmp(v[i].id, id) == 0)
			return &v[i];
	if (dash == NULL || version_number(dash + 1) == 0)
		return NULL;
	for (int i = 0; i < n; i++) {
		fit = runtime_fit(&v[i], (struct str){id, (size_t)(dash - id)}, version_number(dash + 1));
		if (fit >= 0 && (best == NULL || fit < best_fit)) {
			best = &v[i];
			best_fit = fit;
		}
	}
	return best;
}

/* ---- running ---- */

static struct exec_ran
exec_lost(const char *reason)
{
	return (struct exec_ran){.why = EXEC_LOST, .reason = reason, .status = 500, .body = STR(""), .logs = STR(""), .errors = str_c(reason)};
}

enum told { TOLD_RUN, TOLD_NEED, TOLD_NO };	/* by an executor: it has begun, it needs the code first, it does not run it */

/* *sent_out: all of it, so that it may have begun, whatever comes of it here. */
static err_t
exec_ask_there(struct ctx *cx, const struct exec_at *at, struct str asked, uint64_t wait_ms, bool *sent_out, struct fetch_reply **out)
{
	struct exec_asking q;
	bool whole;

	TRY(exec_open(cx, at, "POST", "/run", asked.n, wait_ms, &q));
	TRY(exec_write(cx, &q, asked));
	*sent_out = true;
	TRY(exec_end(cx, &q));
	TRY(fetch_head(cx, q.s, out));
	if ((*out)->status == EXEC_TWICE)	/* curl has asked again: it was taken the first time, and the connection ended */
		return fail(cx, ERR_FETCH, "the connection ended without an answer");
	*sent_out = false;
	TRY(exec_rest(cx, q.s, &(*out)->body, &whole));
	(*out)->cut = !whole;
	fetch_close(&q.s);
	return OK;
}

/* The same on this machine; at most twice the time, in which nothing may move there. */
static err_t
exec_ask_here(struct ctx *cx, const struct exec_at *at, struct str asked, uint64_t wait_ms, struct fetch_reply **out)
{
	const struct fetch f = {.url = arena_printf(cx->arena, "http://%s/run", at->name), .unix_path = at->local, .method = "POST", .body = asked, .once = true,
		.max_bytes = ANSWER_MAX, .timeout_ms = 2 * wait_ms};

	return fetch(cx, &f, out);
}

/* Whether the executor is there still, as far as is known. Awaits. */
static bool
known_lives(struct ctx *cx, const char *name)
{
	if (known_read(cx) != OK)
		return true;
	for (int i = 0; i < known.n; i++)
		if (strcmp(known.v[i].name, name) == 0)
			return true;
	return false;
}

/* Awaits. Its answer is lost on the way from another machine: its executor is asked whether it has begun, which lets it begin no more if it has not. */
static bool
exec_may_have_begun(struct ctx *cx, const struct exec_at *at, const struct exec_run *r, uint64_t since)
{
	struct exec_ask q = {r->f.project->id, r->f.code.id, {.f = {.function = ""}, .execution = r->execution, .limit_ms = since + SETTLE_MS}};
	uint64_t until = loop_now() + SETTLE_MS;
	const char *text;
	bool over = false;
	int status = 0;
	struct buf b;

	buf_init(&b, cx->arena, 512);
	exec_ask_put(&b, &q);
	while (!over && loop_now() < until) {
		struct ctx part;
		err_t e;

		ctx_init_part(&part, cx);
		part.deadline = until;		/* the time for the run may be over */
		e = exec_tell(&part, at, "/begun", buf_view(&b), &status, &text);
		if (e != OK && e != ERR_CANCELLED)
			e = fib_sleep(&part, LOOK_MS) == ERR_CANCELLED ? ERR_CANCELLED : e;
		over = e == OK || e == ERR_CANCELLED || !known_lives(&part, at->name);
		ctx_fini(&part);
	}
	return status != 204;
}

/* One try. Errors mean that it was not begun. An end without an answer is one of an executor that took the question, and may have begun. */
static err_t
exec_ask_one(struct ctx *cx, const struct exec_at *at, const struct exec_run *run, struct str asked, enum told *told_out, struct exec_ran *out)
{
	uint64_t wait_ms = run->limit_ms + COLD_MS, began = loop_now();
	struct fetch_reply *r;
	bool sent = false;
	err_t e = at->local != NULL ? exec_ask_here(cx, at, asked, wait_ms, &r) : exec_ask_there(cx, at, asked, wait_ms, &sent, &r);

	if (sent && e != OK && e != ERR_CANCELLED && exec_may_have_begun(cx, at, run, loop_now() - began)) {
		*told_out = TOLD_RUN;
		*out = exec_lost("The executor was lost, and may have run the function.");
		return OK;
	}
	TRY(e);
	*told_out = r->status == 200 || r->status == 0 ? TOLD_RUN : r->status == 404 ? TOLD_NEED : TOLD_NO;
	if (*told_out == TOLD_NO)
		return fail(cx, ERR_EXEC, "status=%d %.*s", r->status, (int)(r->body.n < 200 ? r->body.n : 200), r->body.p);
	if (*told_out == TOLD_RUN && (r->cut || !exec_ran_take(cx->arena, r->body, out)))
		*out = exec_lost(r->late ? "The executor did not say in time what became of the run." : "The executor ended while the function ran.");
	return OK;
}

/* Until it runs there, or cannot. */
static err_t
exec_run_at(struct ctx *cx, const struct exec_at *at, const struct exec_run *r, struct str asked, struct exec_ran *out)
{
	enum told told;

	for (int i = 0; i < 2; i++) {
		TRY(exec_ask_one(cx, at, r, asked, &told, out));
		if (told == TOLD_RUN)
			return OK;
		TRY(exec_give_code(cx, at, &r->f));
	}
	return fail(cx, ERR_EXEC, "the executor does not keep the code");
}

/* Awaits one to ask; when one did not answer it may be back in a moment, and is waited for. */
static err_t
exec_choose_patiently(struct ctx *cx, struct exec_choice *c, uint64_t until, struct exec_at *out)
{
	err_t e;

	while ((e = exec_choose(cx, c, out)) != OK && c->lost && loop_now() < until) {
		TRY(fib_sleep(cx, LOOK_MS));
		known.read = 0;
	}
	return e;
}

/* Said of each once a minute. */
static void
exec_missed(const struct ctx *cx, const struct exec_at *at)
{
	if (log_may(str_c(at->name), 1, MISSED_MS))
		log_warn(cx, "an executor does not take a run", "executor=%s address=%s reason=\"%s\"", at->name, at->local != NULL ? at->local : at->address,
		    cx->detail != NULL ? cx->detail : "");
}

/* Whether it is of no use to ask another executor. */
static bool
exec_final(const struct ctx *cx, err_t e)
{
	return e == OK || e == ERR_CANCELLED || e == ERR_BLOB_GONE || e == ERR_BLOB_BROKEN || (cx->deadline != 0 && loop_now() >= cx->deadline);
}

err_t
exec_run(struct ctx *cx, const struct exec_run *r, struct exec_ran *out)
{
	const struct exec_ask q = {r->f.project->id, r->f.code.id, *r};
	struct exec_choice c = {.runtime = r->f.runtime, .key = str_c(arena_printf(cx->arena, "%s/%s", q.project, q.code))};
	uint64_t until = loop_now() + BACK_MS;
	struct exec_at at;
	struct buf b;
	err_t e;

	buf_init(&b, cx->arena, 4096 + r->body.n + r->data.n + r->event_data.n);
	exec_ask_put(&b, &q);
	for (int i = 0; i < TRIES; i++) {
		TRY(exec_choose_patiently(cx, &c, until, &at));
		e = exec_run_at(cx, &at, r, buf_view(&b), out);
		if (exec_final(cx, e))
			return e;
		exec_missed(cx, &at);
		c.lost = c.lost || e == ERR_FETCH;
		exec_avoid(&c, at.name);
	}
	return ERR_EXEC;
}

/* ---- ending ---- */

static err_t
exec_retire_at(struct ctx *cx, const struct exec_at *at, struct str asked)
{
	int status;

	TRY(exec_tell(cx, at, "/retire", asked, &status, NULL));
	return status / 100 == 2 ? OK : fail(cx, ERR_EXEC, "status=%d", status);
}

err_t
exec_retire(struct ctx *cx, const struct project *p, const char *function, const char *deployment)
{
	const struct exec_ask q = {p->id, "", {.f = {.function = function, .deployment = deployment != NULL ? deployment : ""}}};
	struct exec_choice c = {0};
	struct exec_at at;
	struct buf b;
	err_t e = OK, one;

	buf_init(&b, cx->arena, 512);
	exec_ask_put(&b, &q);
	TRY(known_read(cx));
	while (c.n_not < EXEC_NOT_MAX && c.n_not < known.n && exec_choose(cx, &c, &at) == OK) {
		one = exec_retire_at(cx, &at, buf_view(&b));
		e = one != OK ? one : e;
		c.not_these[c.n_not++] = at.name;
	}
	return e;
}
