/* Messages that rooms answer (model/socket.h), and who tells rooms that a connection which said something is gone.
 *
 * A connection that has said something has a number, until it ends or is somebody else's: then the number is in the queue of farewells, which one fiber
 * works off until the rooms have heard it. What was said meanwhile under that number is taken back by the same way. Those of a project that cannot be told now (it
 * is being migrated, another version has done so) are kept apart, and tried again after a while: others are not held up. */
#include "rt_priv.h"

#include <stdlib.h>

#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "model/service.h"
#include "rt/rt.h"

enum { BATCH = 100, STEP_MS = 30000, PAUSE_MIN = 500, PAUSE_MAX = 30000 };

struct farewell {
	struct farewell *next;
	uint64_t number;
	char project[];
};

struct farewells {
	struct farewell *first, **last;
};
static struct farewells fresh = {.last = &fresh.first}, failed = {.last = &failed.first};	/* not tried yet; to be tried again */
static struct fib_event more;	/* one is fresh */
static uint64_t given;	/* numbers so far */
static int64_t waiting;	/* farewells in both */
static unsigned speakers;	/* connections that have said something */
static bool telling;
static struct loop_timer *beat;

const struct socket_word *
said_word(struct str type)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		for (const struct socket_word *w = v[i]->sockets; w != NULL && w->type != NULL; w++)
			if (str_is(type, w->type))
				return w;
	return NULL;
}

/* ---- farewells ---- */

static err_t
tell_rooms(struct ctx *cx, const char *project, const char *const *ids, int n)
{
	int services;
	const struct service *const *v = service_all(&services);
	struct project *p;

	TRY(project_get(cx, str_c(project), &p));
	for (int i = 0; i < services; i++)
		for (const struct socket_word *w = v[i]->sockets; w != NULL && w->type != NULL; w++)
			TRY(w->left(cx, p, socket_process(), ids, n));
	return OK;
}

/* Those at the head of the queue that are of one project; they stay in it. */
static int
said_batch(struct arena *a, const char **ids)
{
	int n = 0;

	for (struct farewell *f = fresh.first; f != NULL && n < BATCH && strcmp(f->project, fresh.first->project) == 0; f = f->next)
		ids[n++] = arena_printf(a, "%llu", (unsigned long long)f->number);
	return n;
}

static struct farewell *
farewell_take(struct farewells *l)
{
	struct farewell *f = l->first;

	l->first = f->next;
	if (l->first == NULL)
		l->last = &l->first;
	f->next = NULL;
	return f;
}

static void
farewell_put(struct farewells *l, struct farewell *f)
{
	*l->last = f;
	l->last = &f->next;
}

static void
said_drop(struct farewells *l, int n)
{
	for (; n > 0; n--, waiting--)
		free(farewell_take(l));
}

static bool
tell_batch(struct fib *fib)
{
	const char *ids[BATCH];
	struct ctx cx;
	bool told;
	err_t e;
	int n;

	ctx_init(&cx);
	cx.fib = fib;
	cx.id = "rt";
	cx.deadline = loop_now() + STEP_MS;
	n = said_batch(cx.arena, ids);
	e = tell_rooms(&cx, str_dup(cx.arena, str_c(fresh.first->project)), ids, n);
	told = e == OK || e == ERR_PROJECT_NOT_FOUND;
	if (!told && failed.first == NULL)
		log_warn(&cx, "rooms are not told yet of connections that are gone", "project=%s error=%s detail=%s", fresh.first->project, err_info(e)->name,
		    cx.detail ? cx.detail : "");
	if (told)
		said_drop(&fresh, n);
	for (int i = 0; !told && i < n; i++)
		farewell_put(&failed, farewell_take(&fresh));
	ctx_fini(&cx);
	return told;
}

static void
said_again(void)
{
	while (failed.first != NULL)
		farewell_put(&fresh, farewell_take(&failed));
}

/* Those that failed have their time, however many others come meanwhile. */
static void
said_tell(struct ctx *cx, void *arg)
{
	uint64_t pause = PAUSE_MIN, due = 0;
	err_t e = OK;

	(void)arg;
	while ((fresh.first != NULL || failed.first != NULL) && (e == OK || e == ERR_TIMEOUT)) {
		bool none = failed.first == NULL;

		fib_event_reset(&more);
		if (!none && loop_now() >= due) {
			said_again();
			pause = pause * 2 < PAUSE_MAX ? pause * 2 : PAUSE_MAX;
		} else if (fresh.first == NULL) {
			e = fib_await_for(cx, &more, due - loop_now());
		} else if (!tell_batch(cx->fib) && none) {
			due = loop_now() + pause;
		}
	}
	telling = false;
}

static void
farewell(struct str project, uint64_t number)
{
	struct farewell *f = mem_alloc(sizeof *f + project.n + 1);

	f->next = NULL;
	f->number = number;
	memcpy(f->project, project.p, project.n);
	f->project[project.n] = '\0';
	farewell_put(&fresh, f);
	waiting++;
	fib_signal(&more);
	if (telling)
		return;
	telling = true;
	fib_spawn_new("rt", 0, said_tell, NULL);
}

void
said_leave(struct peer *c)
{
	if (c->said == 0)
		return;
	farewell(atom_text(c->project), c->said);
	c->said = 0;
	speakers--;
}

bool
rt_busy(void)
{
	return waiting > 0;
}

/* ---- saying ---- */

static uint64_t
said_begin(struct peer *c)
{
	if (c->said != 0)
		return c->said;
	if (speakers++ == 0)
		socket_beat();
	return c->said = ++given;
}

static void
said_refused(struct ctx *cx, struct peer *c, err_t e)
{
	const struct err_info *i = err_info(e);

	if (i->status >= 500 && log_may_client(cx->client))
		log_warn(cx, "a message failed", "error=%s detail=%s", i->name, cx->detail ? cx->detail : "");
	peer_error(c, e == ERR_GENERAL_ARGUMENT_INVALID ? 1003 : i->status, i->status >= 500 ? "Error: Server Error" : cx->message ? cx->message : i->message);
}

/* It is said to its end, whether the client waits or not: what the farewell takes back must be there by then. */
static err_t
said_answer(struct ctx *cx, struct peer *c, const struct socket_word *word, json_t *data, struct jw *w)
{
	struct strs roles = held_texts(c->held, cx->arena);
	uint64_t number = said_begin(c);
	const struct socket s = {.process = socket_process(), .id = arena_printf(cx->arena, "%llu", (unsigned long long)number),
		.user = str_dup(cx->arena, peer_uid(c)), .roles = &roles};
	struct project *p;
	err_t e;

	fib_shield(cx, true);
	e = project_get(cx, atom_text(c->project), &p);
	if (e == OK)
		e = word->said(cx, p, &s, data, w);
	fib_shield(cx, false);
	if (c->said == number)
		return e;
	farewell(atom_text(c->project), number);	/* it is gone, or another's: it may have been said behind the farewell */
	return ERR_CANCELLED;
}

bool
said_handle(struct ctx *cx, struct peer *c, const struct socket_word *word, json_t *data, struct jw *w)
{
	err_t e;

	if (str_is(atom_text(c->project), "console")) {
		peer_refuse(c, 1008, "Missing project context. Reconnect to the project first.");
		return false;
	}
	if (c->user == 0 || c->half || c->admin) {
		peer_error(c, 401, "User must be authorized");
		return false;
	}
	if (c->said == 0 && waiting >= conf.rt_farewells_max) {	/* the rooms hear nothing: who comes and goes meanwhile must not fill the memory */
		metric_add(M_rt_work_refused, 1);
		said_refused(cx, c, ERR_BUSY);
		return false;
	}
	e = said_answer(cx, c, word, data, w);
	if (e != OK && e != ERR_CANCELLED && c->ws != NULL && c->state != RT_REFUSED)
		said_refused(cx, c, e);
	return e == OK && c->ws != NULL && c->state != RT_REFUSED;
}

static void
on_beat(void *arg)
{
	(void)arg;
	if (speakers > 0 || waiting > 0)
		socket_beat();
}

void
said_init(void)
{
	beat = loop_every(SOCKET_BEAT_MS, on_beat, NULL);
}

void
said_fini(void)
{
	loop_timer_stop(&beat);
	said_again();
	while (fresh.first != NULL)
		said_drop(&fresh, 1);
}
