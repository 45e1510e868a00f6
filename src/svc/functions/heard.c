/* Which events run which functions, and what a line remembers of an event.
 *
 * All that functions of a project listen to is kept in this process, as long as none of them changes: an event costs no statement. */
#include <stdlib.h>

#include "core/conf.h"
#include "core/gen.h"
#include "core/map.h"
#include "core/metric.h"
#include "execution.h"
#include "model/project.h"

enum { CACHED_MAX = 4096 };

struct listener {
	char *id;
	int64_t created;
	struct strs events;	/* malloc'ed, in one piece */
};
struct listeners {		/* of a project: the functions that are on and listen to something */
	uint32_t gen;
	int n;
	struct listener *v;
};

static struct lru *cache_of_listeners;

/* ---- heads ---- */

/* "x <time> <execution>" or "e <time> <event> <actor> <depth> <pattern> <id>…", parted by tabs: none of them has one. */
struct str
task_head(struct ctx *cx, const char *execution, int64_t time)
{
	return str_c(arena_printf(cx->arena, "x\t%lld\t%s", (long long)time, execution));
}

static struct str
event_head(struct ctx *cx, const struct heard *ev)
{
	struct buf b;

	buf_init(&b, cx->arena, 256);
	buf_printf(&b, "e\t%lld\t%s\t%s\t%d\t", (long long)ev->time, ev->id, ev->actor ? ev->actor : "", ev->depth);
	heard_about_put(&b, ev);
	return buf_view(&b);
}

static bool
read_event(struct ctx *cx, struct str rest, struct str body, struct task *t)
{
	struct str event = str_cut(&rest, '\t'), actor = str_cut(&rest, '\t'), depth = str_cut(&rest, '\t');
	int64_t n;

	if (event.n == 0 || !str_to_i64(depth, &n) || !heard_about_read(cx, rest, &t->about))
		return false;
	t->kind = TASK_EVENT;
	t->id = str_dup(cx->arena, event);
	t->actor = str_dup(cx->arena, actor);
	t->depth = (int)n;
	t->payload = body;
	return true;
}

void
task_read(struct ctx *cx, const struct line_entry *entry, struct task *out)
{
	struct str rest = entry->head, kind = str_cut(&rest, '\t'), time = str_cut(&rest, '\t');

	*out = (struct task){.at = entry->at, .kind = TASK_MALFORMED, .id = "", .actor = ""};
	if (!str_to_i64(time, &out->time) || rest.n == 0)
		return;
	if (str_is(kind, "e") && read_event(cx, rest, entry->body, out))
		return;
	if (!str_is(kind, "x"))
		return;
	out->kind = TASK_EXECUTION;
	out->id = str_dup(cx->arena, rest);
}

bool
task_conflict(const struct task *a, const struct task *b)
{
	return a->kind == TASK_EVENT && b->kind == TASK_EVENT && heard_about_same(&a->about, &b->about);
}

/* ---- who listens ---- */

static void
listeners_free(void *arg)
{
	struct listeners *l = arg;

	for (int i = 0; i < l->n; i++) {
		free(l->v[i].id);
		for (int k = 0; k < l->v[i].events.n; k++)
			free((char *)(uintptr_t)l->v[i].events.v[k]);
		free(l->v[i].events.v);
	}
	free(l->v);
	free(l);
}

static void
keep_listener(struct listener *to, struct ctx *cx, const struct db_res *r, int row)
{
	struct strs events = db_strs(cx, r, row, 2);

	to->id = mem_strdup(db_cstr(r, row, 0));
	to->created = db_time(r, row, 1);
	to->events = (struct strs){.set = true, .v = mem_alloc(sizeof *events.v * (size_t)(events.n + 1))};
	for (int i = 0; i < events.n; i++)
		to->events.v[to->events.n++] = mem_strdup(event_in_old_words(cx->arena, events.v[i]));
}

/* Awaits on a miss. A data space that is behind has no functions yet, or none that this program may read. */
static err_t
listeners_of(struct ctx *cx, const struct project *p, const struct listeners **out)
{
	struct str key = str_c(functions_heard_key(cx, p->id));
	struct listeners *l = cache_of_listeners != NULL ? lru_get(cache_of_listeners, str_c(p->schema)) : NULL;
	uint32_t gen = gen_of(key);
	struct db_res *r;

	*out = l;
	if (l != NULL && l->gen == gen)
		return OK;
	TRY(db_query(cx, &r, "SELECT to_regclass($1 || '.functions')", DB(p->schema)));
	if (!db_null(r, 0, 0))
		TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT id, created, events FROM %s.functions WHERE events <> '{}' AND enabled ORDER BY internal", p->schema), DB0));
	else
		r = NULL;
	l = mem_zalloc(sizeof *l);
	l->gen = gen;
	l->v = mem_zalloc(sizeof *l->v * (size_t)((r != NULL ? db_rows(r) : 0) + 1));
	for (int i = 0; r != NULL && i < db_rows(r); i++)
		keep_listener(&l->v[l->n++], cx, r, i);
	if (cache_of_listeners == NULL)
		cache_of_listeners = lru_new(CACHED_MAX, listeners_free);
	lru_put(cache_of_listeners, str_c(p->schema), l);
	*out = l;
	return OK;
}

static err_t
functions_names(struct ctx *cx, const struct project *p, struct strs *out)
{
	const struct listeners *l;
	int n = 0;

	TRY(listeners_of(cx, p, &l));
	for (int i = 0; i < l->n; i++)
		n += l->v[i].events.n;
	*out = (struct strs){.set = true, .v = arena_array(cx->arena, const char *, n + 1)};
	for (int i = 0; i < l->n; i++)
		for (int k = 0; k < l->v[i].events.n; k++)
			out->v[out->n++] = arena_strdup(cx->arena, l->v[i].events.v[k]);
	return OK;
}

/* A function hears what was written since it was made. What an execution causes that was itself one too many in its chain causes nothing. */
static err_t
functions_look(struct ctx *cx, const struct heard *ev, struct heard_out *out)
{
	const struct listeners *l;
	struct str head = STR_NONE;

	if (ev->depth > conf.functions_depth_max) {
		metric_add(M_executions_too_deep, 1);
		return OK;
	}
	TRY(listeners_of(cx, ev->project, &l));
	for (int i = 0; i < l->n; i++) {
		const struct listener *f = &l->v[i];

		if (f->created > ev->time || !heard_one_of(ev, &f->events))
			continue;
		if (head.p == NULL)
			head = event_head(cx, ev);
		heard_line(out, &(struct heard_entry){.kind = FUNCTIONS, .line = function_line(cx, ev->project, f->id), .subscriber = arena_strdup(cx->arena, f->id),
		    .head = head, .body = ev->payload, .max = conf.functions_queue_size, .max_project = conf.functions_project_size});
	}
	return OK;
}

const struct hears functions_hears = {functions_heard_key, functions_names, functions_look};
