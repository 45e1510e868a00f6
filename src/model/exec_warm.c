/* Functions that are kept warm: what executors say that they keep is compared with what is wanted. What is missing is asked for, what is too much is let go; so
 * a change of a function, an executor that ended, and one that came late are all the same.
 *
 * Where there is no room for all, projects take turns: the first function of each goes before the second of any, and takes its place. */
#include "exec_priv.h"

#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"

enum { TRIES = 4, BACK_MS = 1000, BACK_MAX = 6 };

struct hold {		/* what an executor keeps */
	struct exec_at at;
	const char *key;		/* "project/code/revision" */
	bool wanted;
	int of;				/* wanted: the function's place in the list */
};

/* Executors were asked and would not keep it: it is asked for again after 1, 2, 4 … 64 seconds, and nobody makes room for it. */
struct trouble {
	char *key, *why;
	unsigned failures;
	uint64_t next;			/* loop time */
	bool wanted;			/* it is on this list, too */
};
static struct map *troubles;		/* by key */

/* ---- troubles ---- */

static void
trouble_end(struct trouble *t)
{
	if (t == NULL)
		return;
	map_del(troubles, str_c(t->key));
	free(t->key);
	free(t->why);
	free(t);
}

static void
trouble_more(const char *key, const char *why)
{
	struct trouble *t = map_get(troubles, str_c(key));

	if (t == NULL) {
		t = mem_zalloc(sizeof *t);
		t->key = mem_strdup(key);
		map_set(troubles, str_c(t->key), t);
	}
	free(t->why);
	t->why = mem_strdup(why);
	t->wanted = true;
	t->next = loop_now() + ((uint64_t)BACK_MS << t->failures);
	if (t->failures < BACK_MAX)
		t->failures++;
}

static bool
trouble_forgotten(struct str key, void *value, void *arg)
{
	struct trouble *t = value, **out = arg;

	(void)key;
	if (!t->wanted)
		*out = t;
	return t->wanted;
}

static bool
trouble_asked(struct str key, void *value, void *arg)
{
	struct trouble *t = value;

	(void)key;
	(void)arg;
	t->wanted = false;	/* until it is found on the next list */
	return true;
}

/* Those of functions that are wanted no longer, or of another revision. */
static void
troubles_sweep(void)
{
	struct trouble *t;

	do {
		t = NULL;
		map_each(troubles, trouble_forgotten, &t);
		trouble_end(t);
	} while (t != NULL);
	map_each(troubles, trouble_asked, NULL);
}

/* ---- what is kept ---- */

static const char *
key_of(struct arena *a, const struct exec_function *f)
{
	return arena_printf(a, "%s/%s/%s", f->project->id, f->code.id, f->revision);
}

static int
holds_count(const struct exec_announcement *v, int n)
{
	struct str name, value;
	int most = 0;

	for (int i = 0; i < n; i++)
		for (struct str text = v[i].kept; exec_take(&text, &name, &value) == EXEC_RECORD;)
			most++;
	return most;
}

static struct hold *
kept_holds(struct arena *a, int *n_out)
{
	int n, count = 0;
	const struct exec_announcement *v = exec_known(&n);
	struct hold *holds = arena_array(a, struct hold, holds_count(v, n) + 1);
	struct str name, value;

	for (int i = 0; i < n; i++) {
		struct exec_at at = exec_at_of(a, &v[i]);

		for (struct str text = v[i].kept; (at.local != NULL || at.address[0] != '\0') && exec_take(&text, &name, &value) == EXEC_RECORD;)
			holds[count++] = (struct hold){.at = at, .key = str_dup(a, value)};
	}
	*n_out = count;
	return holds;
}

/* One that is kept twice is so once from now on. */
static bool
hold_found(struct hold *v, int n, const char *key, int of)
{
	for (int i = 0; i < n; i++)
		if (!v[i].wanted && strcmp(v[i].key, key) == 0) {
			v[i].of = of;
			return v[i].wanted = true;
		}
	return false;
}

/* ---- asking ---- */

static err_t
warm_at(struct ctx *cx, const struct exec_at *at, const struct exec_function *f, struct str asked)
{
	const char *said;
	int status;

	for (int i = 0; i < 2; i++) {
		TRY(exec_tell(cx, at, "/warm", asked, &status, &said));
		if (status != 404)
			return status / 100 == 2 ? OK : fail(cx, ERR_EXEC, "%s", *said != '\0' ? said : arena_printf(cx->arena, "the executor does not keep it warm: status=%d", status));
		TRY(exec_give_code(cx, at, f));
	}
	return fail(cx, ERR_EXEC, "the executor does not keep the code");
}

/* Awaits that an executor keeps it. *asked_out: one was asked, and its reason is the one that is told. */
static err_t
warm_one(struct ctx *cx, const struct exec_function *f, bool *asked_out)
{
	struct exec_ask q = {f->project->id, f->code.id, {.f = *f}};
	struct exec_choice c = {.runtime = f->runtime, .key = str_c(arena_printf(cx->arena, "%s/%s", q.project, q.code)), .keeps = true};
	const char *why = NULL;
	struct exec_at at;
	struct buf b;
	err_t e = ERR_EXEC;

	*asked_out = false;
	q.run.f.keep_warm = true;
	buf_init(&b, cx->arena, 4096);
	exec_ask_put(&b, &q);
	for (int i = 0; i < TRIES && e != OK && e != ERR_CANCELLED; i++) {
		e = exec_choose(cx, &c, &at);
		if (e != OK)
			return why != NULL ? fail(cx, e, "%s", why) : e;
		*asked_out = true;
		e = warm_at(cx, &at, f, buf_view(&b));
		if (e != OK && why == NULL)
			why = cx->detail != NULL ? cx->detail : err_info(e)->message;
		exec_avoid(&c, at.name);
	}
	return e == OK || e == ERR_CANCELLED ? e : fail(cx, e, "%s", why);
}

/* Whom it does not reach hears it the next time. */
static void
cool(struct ctx *cx, const struct hold *h)
{
	struct str key = str_c(h->key), project = str_cut(&key, '/'), code = str_cut(&key, '/');
	struct exec_ask q = {str_dup(cx->arena, project), str_dup(cx->arena, code), {.f = {.function = "", .revision = str_dup(cx->arena, key)}}};
	struct buf b;
	int status;

	buf_init(&b, cx->arena, 512);
	exec_ask_put(&b, &q);
	if (exec_tell(cx, &h->at, "/warm", buf_view(&b), &status, NULL) != OK)
		log_debug(cx, "an executor does not hear that it keeps a function in vain", "executor=%s key=%s", h->at.name, h->key);
}

/* ---- whose turn it is ---- */

/* What goes for a function of this turn: the one with the last turn, of an executor where it would be of use. */
static struct hold *
hold_last(struct hold *v, int n, const struct exec_function *f, int turn, const int *turns)
{
	struct hold *last = NULL;
	int n_known;
	const struct exec_announcement *known = exec_known(&n_known);

	for (int k = 0; k < n_known; k++) {
		if (known[k].why[0] != '\0' || exec_runtime_named(known[k].runtimes, known[k].n_runtimes, f->runtime) == NULL)
			continue;
		for (int i = 0; i < n; i++)
			if (v[i].wanted && turns[v[i].of] > (last != NULL ? turns[last->of] : turn) && strcmp(v[i].at.name, known[k].name) == 0)
				last = &v[i];
	}
	return last;
}

struct keeping {
	const struct exec_function *v;
	const int *turns;
	bool *has;
	struct hold *holds;
	int n_holds;
};

/* Awaits. One that nobody keeps. */
static err_t
keep_one(struct ctx *cx, struct keeping *k, int i)
{
	const char *key = key_of(cx->arena, &k->v[i]);
	struct trouble *t = map_get(troubles, str_c(key));
	struct hold *last;
	bool asked;
	err_t e;

	if (t != NULL)
		t->wanted = true;
	if (t != NULL && loop_now() < t->next)
		return fail(cx, ERR_EXEC, "%s", t->why);
	e = warm_one(cx, &k->v[i], &asked);
	if (e != OK && !asked && t == NULL && (last = hold_last(k->holds, k->n_holds, &k->v[i], k->turns[i], k->turns)) != NULL) {
		last->wanted = false;
		k->has[last->of] = false;
		cool(cx, last);
		TRY(exec_look(cx));
		e = warm_one(cx, &k->v[i], &asked);
	}
	if (e == OK)
		trouble_end(map_get(troubles, str_c(key)));
	else if (asked && e != ERR_CANCELLED)
		trouble_more(key, cx->detail != NULL ? cx->detail : err_info(e)->message);
	return e;
}

err_t
exec_keep_warm(struct ctx *cx, const struct exec_function *v, const int *turns, int n, struct exec_kept *out)
{
	struct keeping k = {.v = v, .turns = turns, .has = arena_array(cx->arena, bool, n + 1)};

	*out = (struct exec_kept){.why = ""};
	if (troubles == NULL)
		troubles = map_new();
	TRY(exec_look(cx));
	k.holds = kept_holds(cx->arena, &k.n_holds);
	for (int i = 0; i < n; i++)
		k.has[i] = hold_found(k.holds, k.n_holds, key_of(cx->arena, &v[i]), i);
	for (int i = 0; i < k.n_holds; i++)	/* first, for it makes room */
		if (!k.holds[i].wanted)
			cool(cx, &k.holds[i]);
	for (int i = 0; i < n; i++) {
		err_t e = k.has[i] ? OK : keep_one(cx, &k, i);

		if (e == ERR_CANCELLED)
			return e;
		if (e != OK && out->left++ == 0) {
			out->first = i;
			out->why = cx->detail != NULL ? cx->detail : err_info(e)->message;
		}
	}
	troubles_sweep();
	return OK;
}
