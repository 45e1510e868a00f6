/* Functions that are kept warm: what executors say that they keep is compared with what is wanted. What is missing is asked for, what is too much is let go; so
 * a change of a function, an executor that ended, and one that came late are all the same. */
#include "exec_priv.h"

#include "core/log.h"

enum { TRIES = 4 };

struct hold {		/* what an executor keeps */
	struct exec_at at;
	const char *key;		/* "project/code/revision" */
	bool wanted;
};

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
			holds[count++] = (struct hold){at, str_dup(a, value), false};
	}
	*n_out = count;
	return holds;
}

/* One that is kept twice is so once from now on. */
static bool
hold_found(struct hold *v, int n, const char *key)
{
	for (int i = 0; i < n; i++)
		if (!v[i].wanted && strcmp(v[i].key, key) == 0)
			return v[i].wanted = true;
	return false;
}

static err_t
warm_at(struct ctx *cx, const struct exec_at *at, const struct exec_function *f, struct str asked)
{
	int status;

	for (int i = 0; i < 2; i++) {
		TRY(exec_tell(cx, at, "/warm", asked, &status));
		if (status != 404)
			return status / 100 == 2 ? OK : fail(cx, ERR_EXEC, "the executor does not keep it warm: status=%d", status);
		TRY(exec_give_code(cx, at, f));
	}
	return fail(cx, ERR_EXEC, "the executor does not keep the code");
}

/* Awaits that an executor keeps it. */
static err_t
warm_one(struct ctx *cx, const struct exec_function *f)
{
	struct exec_ask q = {f->project->id, f->code.id, {.f = *f}};
	struct exec_choice c = {.runtime = f->runtime, .key = str_c(arena_printf(cx->arena, "%s/%s", q.project, q.code)), .keeps = true};
	struct exec_at at;
	struct buf b;
	err_t e = ERR_EXEC;

	q.run.f.keep_warm = true;
	buf_init(&b, cx->arena, 4096);
	exec_ask_put(&b, &q);
	for (int i = 0; i < TRIES && e != OK && e != ERR_CANCELLED; i++) {
		TRY(exec_choose(cx, &c, &at));
		e = warm_at(cx, &at, f, buf_view(&b));
		if (e != OK)
			exec_avoid(&c, at.name);
	}
	return e;
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
	if (exec_tell(cx, &h->at, "/warm", buf_view(&b), &status) != OK)
		log_debug(cx, "an executor does not hear that it keeps a function in vain", "executor=%s key=%s", h->at.name, h->key);
}

err_t
exec_keep_warm(struct ctx *cx, const struct exec_function *v, int n, struct exec_kept *out)
{
	bool *has = arena_array(cx->arena, bool, n + 1);
	struct hold *holds;
	int n_holds;

	*out = (struct exec_kept){.why = ""};
	TRY(exec_look(cx));
	holds = kept_holds(cx->arena, &n_holds);
	for (int i = 0; i < n; i++)
		has[i] = hold_found(holds, n_holds, key_of(cx->arena, &v[i]));
	for (int i = 0; i < n_holds; i++)	/* first, for it makes room */
		if (!holds[i].wanted)
			cool(cx, &holds[i]);
	for (int i = 0; i < n; i++) {
		err_t e = has[i] ? OK : warm_one(cx, &v[i]);

		if (e == ERR_CANCELLED)
			return e;
		if (e != OK && out->left++ == 0) {
			out->first = i;
			out->why = cx->detail != NULL ? cx->detail : err_info(e)->message;
		}
	}
	return OK;
}
