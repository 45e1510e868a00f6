/* The line of a webhook: a run of its job takes deliveries from it in order, has several under way, and takes them out when they are done.
 *
 * Two that are of one resource, or of which one's contains the other's, are never under way together, nor the later before the earlier. How many may
 * be is found out: one at first, twice as many after each that is answered soon, fewer when answers take their time. So a receiver that fails is
 * asked for one delivery, and what comes later waits until that one has succeeded, or is a day old; a receiver that is slow has few requests of ours open
 * and takes nobody's place.
 *
 * A delivery is taken out of the line after its answer: whatever crashes, the receiver gets it again, under the same id. The run ends when the line is
 * empty, when a try failed (a job of its own comes back later), and now and then, so that others get their turn and a change of the webhook counts. */
#include <assert.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "webhooks_priv.h"

enum {
	READ = 64,		/* deliveries of a line that are in memory, about */
	READ_BYTES = 8 << 20,	/* of payloads, of one line; */
	ALL_BYTES = 64 << 20,	/* and of all in this process: then each has one delivery at a time */
	TURN_MS = 30 * 1000,	/* a run takes so long, and ends when what is under way has ended */
	LOOK_MS = 100,		/* a line that is being worked on wakes nobody: who has room looks */
	LIVE_MS = 15 * 1000,	/* between signs of life */
	GATHER_MS = 3,		/* an answer waits for others so long, to be written down together */
	SLOW_MS = 1000,
	CROWD = 300,		/* so many under way in this process: then one of each webhook */
	BACKOFF_MIN = 5000, BACKOFF_MAX = 3600 * 1000,
	GIVE_UP_MS = 24 * 3600 * 1000
};

enum slot_state { SLOT_WAITING, SLOT_UNDER_WAY, SLOT_ENDED, SLOT_TOLD };

struct slot {			/* a delivery in memory; in a context of its own, which its fiber uses */
	struct ctx cx;
	struct slot *next;
	struct work *work;
	enum slot_state state;
	struct delivery d;
	struct outcome o;
	bool dropped;		/* malformed, or heard by a webhook that had the ids before ours was made */
	size_t bytes;		/* of its payload */
};

struct work {
	struct ctx *cx;
	struct line line;
	struct project *p;
	struct webhook *w;	/* NULL: it is gone, or off */
	struct slot *first, **last;
	int n, under_way, ended, window;	/* ended: of these, not told yet */
	size_t bytes;
	const char *read_to;	/* place of the last that was read */
	bool more;		/* the line may have more */
	bool failed, lost;	/* a try failed; the line is another's */
	bool replaced;		/* the ids are another webhook's now, or are one's again: what is in the line may be for that */
	bool ending, done;	/* nothing is begun any more; nothing is left to do */
	int64_t attempts;
	uint64_t began, lived, looked, told;
	struct fib_event change;
};

static int all_under_way;	/* in this process */
static size_t all_bytes;

/* ---- one delivery ---- */

static void
slot_fiber(struct ctx *cx, void *arg)
{
	struct slot *s = arg;
	struct work *k = s->work;

	deliver(cx, k->p, k->w, &s->d, &s->o);
	s->state = SLOT_ENDED;
	k->under_way--;
	k->ended++;
	metric_set(M_webhooks_under_way, --all_under_way);
	fib_signal(&k->change);
}

static void
slot_begin(struct slot *s)
{
	struct work *k = s->work;

	s->state = SLOT_UNDER_WAY;
	k->under_way++;
	metric_set(M_webhooks_under_way, ++all_under_way);
	s->cx.project = k->p->id;
	s->cx.share = k->cx->share;
	fib_spawn(&s->cx, slot_fiber, s);
}

static struct slot *
slot_new(struct work *k, const struct line_entry *e)
{
	struct slot *s = mem_zalloc(sizeof *s);
	struct line_entry mine;

	ctx_init(&s->cx);
	s->work = k;
	mine = (struct line_entry){arena_strdup(s->cx.arena, e->at), {arena_memdup(s->cx.arena, e->head.p, e->head.n), e->head.n},
	    {arena_memdup(s->cx.arena, e->body.p ? e->body.p : "", e->body.n), e->body.n}};
	s->dropped = !delivery_read(&s->cx, k->w != NULL ? k->w->id : "", &mine, &s->d) || (k->w != NULL && webhook_later(k->w, s->d.time));
	if (s->dropped)
		s->d = (struct delivery){.at = mine.at, .id = "", .actor = ""};
	*k->last = s;
	k->last = &s->next;
	k->n++;
	s->bytes = mine.body.n;
	k->bytes += s->bytes;
	all_bytes += s->bytes;
	return s;
}

static void
slot_free(struct work *k, struct slot *s)
{
	assert(s->state != SLOT_UNDER_WAY);
	k->n--;
	k->bytes -= s->bytes;
	all_bytes -= s->bytes;
	ctx_fini(&s->cx);
	free(s);
}

static void
slots_free(struct work *k)
{
	while (k->first != NULL) {
		struct slot *s = k->first;

		k->first = s->next;
		slot_free(k, s);
	}
	k->last = &k->first;
}

/* ---- the line ---- */

/* *w_out NULL: there is none. They are valid until cx ends. */
static err_t
find_webhook(struct ctx *cx, const struct line *l, struct project **p_out, struct webhook **w_out)
{
	struct str rest = str_c(l->name), project = str_cut(&rest, '/');
	err_t e = project_get_bare(cx, project, p_out);

	*w_out = NULL;
	if (e == ERR_PROJECT_NOT_FOUND)
		return OK;
	TRY(e);
	for (int i = 0; i < (*p_out)->webhooks.n; i++) {
		struct webhook *w = (*p_out)->webhooks.v[i];

		if (str_is(rest, w->id))
			*w_out = w;
	}
	return OK;
}

/* Awaits. Whose line it is, after it was read: a webhook may go, and another be made under its id, while the run has the first in hand. */
static err_t
look_who(struct ctx *cx, struct work *k)
{
	struct webhook *w;
	struct project *p;

	TRY(find_webhook(cx, &k->line, &p, &w));
	k->replaced = w != NULL && (k->w == NULL || w->internal != k->w->internal);
	k->ending = k->ending || k->replaced;
	return OK;
}

/* Awaits. What is asked for counts while it is on its way: others ask meanwhile. */
static err_t
work_read_line(struct ctx *cx, struct work *k)
{
	size_t room = all_bytes < ALL_BYTES ? ALL_BYTES - all_bytes : 0, most = room < READ_BYTES ? room : READ_BYTES;
	struct line_entry *v;
	err_t e;
	int n;

	all_bytes += most;
	e = line_read(cx, &k->line, k->read_to, READ, most, &v, &n, &k->more);
	all_bytes -= most;
	TRY(e);
	for (int i = 0; i < n; i++)
		slot_new(k, &v[i]);
	if (n > 0)
		k->read_to = arena_strdup(k->cx->arena, v[n - 1].at);
	k->looked = loop_now();
	return look_who(cx, k);
}

/* Takes these out of memory and out of the line. */
static err_t
take_out(struct ctx *cx, struct work *k, bool (*which)(const struct slot *))
{
	const char **at = arena_array(cx->arena, const char *, k->n + 1);
	bool mine = true;
	int n = 0;

	for (const struct slot *s = k->first; s != NULL; s = s->next)
		if (which(s))
			at[n++] = s->d.at;
	if (n == 0 && loop_now() - k->lived < LIVE_MS)
		return OK;
	TRY(line_done(cx, &k->line, at, n, &mine));
	k->lived = loop_now();
	k->lost = !mine;
	for (struct slot **sp = &k->first; *sp != NULL;) {
		struct slot *s = *sp;

		if (!which(s)) {
			sp = &s->next;
			continue;
		}
		*sp = s->next;
		slot_free(k, s);
	}
	k->last = &k->first;
	while (*k->last != NULL)
		k->last = &(*k->last)->next;
	return OK;
}

/* ---- what has ended ---- */

static bool
went_well(const struct slot *s)
{
	return s->dropped || (s->state == SLOT_TOLD && s->o.ok);
}

static void
learn(struct work *k, const struct slot *s)
{
	if (s->o.busy)
		return;
	if (!s->o.ok)
		k->failed = true;
	if (!s->o.ok || s->o.ms >= SLOW_MS)
		k->window = k->window > 1 ? k->window / 2 : 1;
	else if (k->window < conf.webhook_concurrency)
		k->window *= 2;
	if (k->window > conf.webhook_concurrency)
		k->window = (int)conf.webhook_concurrency;
	metric_add(s->o.ok ? M_webhooks_delivered : M_webhooks_failed, 1);
	metric_observe(M_webhooks_time, (uint64_t)s->o.ms * 1000);
}

/* Awaits. Remembers what has ended since the last time, and what follows for the webhook. */
static err_t
work_tell(struct ctx *cx, struct work *k)
{
	struct log_line *v = arena_array(cx->arena, struct log_line, k->n + 1);
	const struct slot *bad = NULL;
	bool well = false;
	int n = 0;

	k->ended = 0;
	k->told = loop_now();
	for (struct slot *s = k->first; s != NULL; s = s->next) {
		if (s->state != SLOT_ENDED)
			continue;
		learn(k, s);
		s->state = s->o.busy ? SLOT_WAITING : SLOT_TOLD;
		if (s->o.busy)
			continue;
		v[n++] = (struct log_line){&s->d, &s->o, s->o.ok ? LOG_DELIVERED : LOG_FAILED, k->attempts + 1};
		bad = bad == NULL && !s->o.ok ? s : bad;
		well = well || s->o.ok;
	}
	if (n == 0)
		return OK;
	TRY(log_add(cx, k->line.name, v, n));
	if (well && bad == NULL && k->attempts > 0) {
		TRY(state_well(cx, k->p, k->w));
		k->attempts = 0;
	}
	return OK;
}

/* ---- beginning ---- */

static bool
held_up(const struct work *k, const struct slot *s)
{
	for (const struct slot *b = k->first; b != s; b = b->next)
		if (b->dropped || (b->state == SLOT_TOLD && b->o.ok))
			continue;
		else if (heard_about_same(&b->d.about, &s->d.about))
			return true;
	return false;
}

static void
begin_some(struct work *k)
{
	int window = all_under_way >= CROWD ? 1 : k->window;

	for (struct slot *s = k->first; s != NULL && k->under_way < window && !k->failed; s = s->next)
		if (s->state == SLOT_WAITING && !s->dropped && !held_up(k, s))
			slot_begin(s);
}

/* Awaits something: an answer, or the time to look at the line again. */
static err_t
wait_for_change(struct ctx *cx, struct work *k)
{
	bool room = k->under_way < k->window && !k->failed && !k->ending;
	err_t e = fib_await_for(cx, &k->change, k->ended > 0 ? GATHER_MS : k->under_way > 0 && !room ? LIVE_MS : LOOK_MS);

	return e == ERR_TIMEOUT ? OK : e;
}

static err_t
step(struct ctx *cx, struct work *k)
{
	bool room;

	if (k->ended == 0 || k->ended >= k->window / 2 || k->under_way == 0 || loop_now() - k->told >= GATHER_MS) {
		TRY(work_tell(cx, k));
		TRY(take_out(cx, k, went_well));
	}
	k->ending = k->ending || k->failed || k->lost || jobs_drained || loop_now() - k->began >= TURN_MS;
	room = k->n == 0 || (k->n < READ / 2 && k->bytes < READ_BYTES && all_bytes < ALL_BYTES);
	if (!k->ending && room && (k->more || k->n == 0 || loop_now() - k->looked >= LOOK_MS))
		TRY(work_read_line(cx, k));
	fib_event_reset(&k->change);
	if (!k->ending)
		begin_some(k);
	k->done = k->under_way == 0 && k->ended == 0 && (k->ending || k->n == 0);
	return k->done ? OK : wait_for_change(cx, k);
}

/* ---- a webhook that fails, or is off ---- */

static bool
is_first(const struct slot *s)
{
	return s == s->work->first;
}

static bool
everyone(const struct slot *s)
{
	(void)s;
	return true;
}

static int64_t
webhook_backoff(int64_t attempts)
{
	int64_t ms = attempts < 1 ? BACKOFF_MIN : attempts > 20 ? BACKOFF_MAX : (int64_t)BACKOFF_MIN << (attempts - 1);

	return ms < BACKOFF_MAX ? ms : BACKOFF_MAX;
}

static struct slot *
first_failed(struct work *k)
{
	struct slot *s = k->first;

	while (s != NULL && !(s->state == SLOT_TOLD && !s->o.ok))
		s = s->next;
	return s;
}

/* Awaits. Nothing is under way. *when_out: when to try again. */
static err_t
after_failure(struct ctx *cx, struct work *k, int64_t *when_out)
{
	struct slot *s = first_failed(k);
	bool off;

	assert(s != NULL);
	TRY(state_failed(cx, k->p, k->w, s->o.why, &k->attempts, &off));
	log_info(cx, "a webhook's delivery failed", "webhook=%s delivery=%s attempts=%lld why=\"%s\"", k->w->id, s->d.id, (long long)k->attempts, s->o.why);
	*when_out = off ? 0 : time_now_ms() + webhook_backoff(k->attempts);
	if (off || time_now_ms() - s->d.time < GIVE_UP_MS || s != k->first)
		return OK;
	metric_add(M_webhooks_given_up, 1);
	TRY(log_add(cx, k->line.name, &(struct log_line){&s->d, &s->o, LOG_GIVEN_UP, k->attempts}, 1));
	return take_out(cx, k, is_first);
}

/* Awaits. Some of what waits for a webhook that is off is remembered, as far as there is room, and can be sent again. */
static err_t
put_some_away(struct ctx *cx, struct work *k)
{
	static const struct outcome none = {.why = "The webhook is off."};
	struct log_line *v;
	int n = 0;

	k->read_to = NULL;
	TRY(work_read_line(cx, k));
	if (k->replaced)
		return OK;
	v = arena_array(cx->arena, struct log_line, k->n + 1);
	for (const struct slot *s = k->first; s != NULL; s = s->next)
		if (!s->dropped)
			v[n++] = (struct log_line){&s->d, &none, LOG_OFF, 0};
	if (n > 0 && k->w != NULL)
		TRY(log_add(cx, k->line.name, v, n));
	return take_out(cx, k, everyone);
}

/* ---- the job ---- */

/* Awaits. One step, with memory of its own: a run may be long. */
static err_t
work_part(struct work *k, err_t (*fn)(struct ctx *cx, struct work *k))
{
	struct ctx cx;
	err_t e;

	ctx_init_part(&cx, k->cx);
	e = fn(&cx, k);
	if (e != OK)
		(void)fail(k->cx, e, "%s", cx.detail ? cx.detail : "");
	ctx_fini(&cx);
	return e;
}

/* Awaits. However the run ends: what is under way uses our memory. */
static void
wait_for_all(struct work *k)
{
	for (struct slot *s = k->first; s != NULL; s = s->next)
		if (s->state == SLOT_UNDER_WAY)
			fib_cancel(s->cx.fib);
	fib_shield(k->cx, true);
	k->cx->deadline = 0;
	while (k->under_way > 0) {
		fib_event_reset(&k->change);
		if (fib_await(k->cx, &k->change) != OK)
			log_debug(k->cx, "waiting for deliveries", NULL);
	}
	fib_shield(k->cx, false);
}

static err_t
work_run(struct work *k, int64_t *when_out)
{
	err_t e = OK;

	*when_out = 0;
	k->began = k->lived = loop_now();
	if (k->w == NULL || !k->w->enabled) {
		do
			TRY(work_part(k, put_some_away));
		while (k->more && !k->lost && !k->replaced);
		return k->w == NULL && !k->lost && !k->replaced ? log_forget(k->cx, &k->line) : OK;
	}
	k->attempts = k->w->attempts;
	while (e == OK && !k->done)
		e = work_part(k, step);
	if (e != OK)
		wait_for_all(k);
	TRY(e);
	return k->failed && !k->lost ? after_failure(k->cx, k, when_out) : OK;
}

err_t
webhooks_work(struct ctx *cx, const struct job *job)
{
	struct work k = {.cx = cx, .window = 1, .last = &k.first};
	int64_t when = 0;
	err_t e;

	TRY(line_hold(cx, job, &k.line));
	TRY(find_webhook(cx, &k.line, &k.p, &k.w));
	e = work_run(&k, &when);
	slots_free(&k);
	TRY(e);
	return k.lost ? OK : line_leave(cx, &k.line, when);
}
