/* Lanes: each kind of job has a reader of its own, which takes entries of the kind's stream into the hand, and a width; so no job waits behind one
 * of another kind.
 *
 * Within a lane projects take turns. What is in hand is served in turns (core/fair.h), but a hand holds only so much, and a stream is read in
 * its order: a project with ten thousand jobs would fill the one and stand first in the other. So what comes in while its project has `width` jobs in
 * hand is put aside: out of the stream, by one script, into a sorted set whose scores are turns. The k-th job of a project gets the k-th turn from
 * now on, so the set in its order is the projects in turns. From there jobs come back to the stream when the hand runs low, and, however
 * full it is, at each upkeep when the project whose turn it is has nothing in hand. The order of one project's jobs is not kept, as it is not by retries.
 *
 * A kind may have shares: so many of one project run at once, where each may wait long for somebody whom the project chose. What it has in hand beyond
 * that waits there, few enough that a lane full of slow projects still has room for others.
 *
 * A job that is put aside is nowhere else, and needs no consumer that shows life; whichever process has room brings it back. */
#include "jobs_priv.h"

#include <assert.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum { BLOCK_MS = 2000, READ_MAX = 64, LOOK_MS = 100, AGAIN = 500, GIVE_BACK_MS = 2000 };

/* Each job in ARGV: entry, project, header, payload. */
static const char aside_lua[] =
    "local now = tonumber(redis.call('HGET', KEYS[3], '') or '0')\n"
    "for i = 1, #ARGV, 4 do\n"
    "  redis.call('XDEL', KEYS[1], ARGV[i])\n"
    "  if redis.call('XACK', KEYS[1], 'workers', ARGV[i]) == 1 then\n"
    "    local turn = math.max(now, tonumber(redis.call('HGET', KEYS[3], 'p' .. ARGV[i + 1]) or '0')) + 1\n"
    "    redis.call('HSET', KEYS[3], 'p' .. ARGV[i + 1], turn)\n"
    "    redis.call('ZADD', KEYS[2], turn, ARGV[i + 2] .. '\\n' .. ARGV[i + 3])\n"
    "  end\n"
    "end\n"
    "return redis.call('ZCARD', KEYS[2])";

static const char back_lua[] =
    "local due = redis.call('ZPOPMIN', KEYS[2], ARGV[1])\n"
    "for i = 1, #due, 2 do\n"
    "  local h, b = string.match(due[i], '^([^\\n]*)\\n(.*)$')\n"
    "  redis.call('XADD', KEYS[1], '*', 'h', h or '', 'b', b or '')\n"
    "  redis.call('HSET', KEYS[3], '', due[i + 1])\n"
    "end\n"
    "local left = redis.call('ZCARD', KEYS[2])\n"
    "if left == 0 then redis.call('DEL', KEYS[3]) end\n"
    "return left";

static struct str
jobs_lane_stream_of(struct ctx *cx, const struct lane *l)
{
	return str_c(arena_printf(cx->arena, JOB_KEYS "%s", l->info->kind));
}

static struct str
aside_of(struct ctx *cx, const struct lane *l)
{
	return str_c(arena_printf(cx->arena, JOB_KEYS "%s:aside", l->info->kind));
}

static struct str
turns_of(struct ctx *cx, const struct lane *l)
{
	return str_c(arena_printf(cx->arena, JOB_KEYS "%s:turns", l->info->kind));
}

/* ---- the hand ---- */

static struct fair_key
jobs_lane_key_of(const struct run *r)
{
	const struct ctx cx = {.project = r->job.project};

	return fair_key(&cx);
}

int
lane_room(const struct lane *l)
{
	int most = 2 * l->info->width + 8;

	return most > (int)l->hand.n ? most - (int)l->hand.n : 0;
}

void
lane_put(struct lane *l, struct run *r)
{
	assert(r->lane == l && !r->begun);
	fair_put(&l->hand, &r->item, jobs_lane_key_of(r));
}

/* The project has less than its share of what runs. A lane is some tens of runs wide at most, and few kinds have shares. */
static bool
may_begin(const struct fair_item *it, void *arg)
{
	const struct lane *l = arg;
	int n = 0;

	for (const struct run *r = jobs.runs; l->info->each > 0 && r != NULL; r = r->next)
		n += r->lane == l && r->begun && fair_key_same(jobs_lane_key_of(r), it->key);
	return l->info->each == 0 || n < l->info->each;
}

void
lane_go_on(struct lane *l)
{
	struct run *r = NULL;

	while (!jobs.stopping && l->n_runs < l->info->width && (r = (struct run *)fair_take_if(&l->hand, may_begin, l)) != NULL)
		run_begin(r);
	l->held = l->hand.n > 0 && l->n_runs < l->info->width;
	fib_signal(&l->room);
}

/* So many of one project are in hand at most: who has no more runs at once needs no more at hand. */
static unsigned
lane_part(const struct lane *l)
{
	return (unsigned)(l->info->each > 0 ? l->info->each : l->info->width);
}

/* ---- aside, and back ---- */

struct batch {			/* of what is put aside */
	struct str v[3 + 4 * READ_MAX];
	struct run *runs[READ_MAX];
	int n;
};

static void
batch_add(struct ctx *cx, struct batch *b, struct run *r)
{
	struct str *v = &b->v[3 + 4 * b->n];

	assert(b->n < READ_MAX);
	v[0] = str_c(r->entry);
	v[1] = str_c(r->job.project);
	v[2] = job_head(cx->arena, &r->job, r->job.tries);
	v[3] = r->job.payload;
	b->runs[b->n++] = r;
}

/* Awaits. What Redis did not hear of stays pending, unheld, until it is claimed. */
static err_t
put_aside(struct ctx *cx, struct lane *l, struct batch *b)
{
	struct bus_reply *reply;
	err_t e;

	if (b->n == 0)
		return OK;
	b->v[0] = jobs_lane_stream_of(cx, l);
	b->v[1] = aside_of(cx, l);
	b->v[2] = turns_of(cx, l);
	e = bus_script(cx, &reply, aside_lua, 3, 3 + 4 * b->n, b->v);
	if (e == OK) {
		metric_add(M_jobs_aside, b->n);
		l->aside = reply->type == BUS_INT ? reply->i : l->aside;
	}
	for (int i = 0; i < b->n; i++)
		run_forget(b->runs[i]);
	return e;
}

static err_t
bring_back(struct ctx *cx, struct lane *l)
{
	struct bus_reply *r;

	l->tick = false;
	TRY(bus_script(cx, &r, back_lua, 3, BUS(jobs_lane_stream_of(cx, l), aside_of(cx, l), turns_of(cx, l),
	    str_c(arena_printf(cx->arena, "%d", l->info->width)))));
	l->aside = r->type == BUS_INT ? r->i : 0;
	return OK;
}

/* The project of a member of the set: the fourth word. */
static struct fair_key
key_aside(struct ctx *cx, struct str member)
{
	struct str head = str_cut(&member, '\n');
	struct ctx of = {0};

	for (int i = 0; i < 3; i++)
		(void)str_cut(&head, ' ');
	of.project = str_dup(cx->arena, head.n > 0 ? head : STR(""));
	return fair_key(&of);
}

err_t
lane_look_aside(struct ctx *cx, struct lane *l)
{
	struct bus_reply *r;

	TRY(bus_cmd(cx, &r, BUS(STR("ZCARD"), aside_of(cx, l))));
	l->aside = r->type == BUS_INT ? r->i : 0;
	if (l->aside == 0)
		return OK;
	TRY(bus_cmd(cx, &r, BUS(STR("ZRANGE"), aside_of(cx, l), STR("0"), STR("0"))));
	if (r->type != BUS_LIST || r->n != 1 || fair_of_project(&l->hand, key_aside(cx, r->v[0].s)) > 0)
		return OK;
	l->tick = true;
	fib_signal(&l->room);
	return OK;
}

/* ---- reading ---- */

static err_t
make_group(struct ctx *cx, struct lane *l)
{
	struct bus_reply *r;
	err_t e = bus_link_cmd(cx, l->link, &r, BUS(STR("XGROUP"), STR("CREATE"), jobs_lane_stream_of(cx, l), STR("workers"), STR("0"), STR("MKSTREAM")));

	if (e != OK && (r == NULL || r->type != BUS_ERROR || !str_starts(r->s, "BUSYGROUP")))
		return e;
	TRY(jobs_adopt(cx, l->link, l->info->kind));
	return lane_look_aside(cx, l);
}

static void
sort(struct ctx *cx, struct lane *l, const struct bus_reply *entries, struct batch *many)
{
	for (int i = 0; i < entries->n; i++) {
		struct run *r = run_new(l, &entries->v[i], 1);

		if (r == NULL)
			continue;
		if (fair_of_project(&l->hand, jobs_lane_key_of(r)) >= lane_part(l))
			batch_add(cx, many, r);
		else
			lane_put(l, r);
	}
}

/* Blocks for a while when there is nothing, unless `now`. */
static err_t
read_some(struct ctx *cx, struct lane *l, bool now)
{
	int argc = 0;
	struct str v[12];
	struct batch *many = arena_new_of(cx->arena, struct batch);
	struct bus_reply *r;

	v[argc++] = STR("XREADGROUP");
	v[argc++] = STR("GROUP");
	v[argc++] = STR("workers");
	v[argc++] = str_c(jobs.me);
	v[argc++] = STR("COUNT");
	v[argc++] = str_c(arena_printf(cx->arena, "%d", READ_MAX));
	if (!now) {
		v[argc++] = STR("BLOCK");
		v[argc++] = str_c(arena_printf(cx->arena, "%d", BLOCK_MS));
	}
	v[argc++] = STR("STREAMS");
	v[argc++] = jobs_lane_stream_of(cx, l);
	v[argc++] = STR(">");
	TRY(bus_link_cmd(cx, l->link, &r, argc, v));
	if (r->type == BUS_LIST && r->n == 1 && r->v[0].type == BUS_LIST && r->v[0].n == 2 && r->v[0].v[1].type == BUS_LIST)
		sort(cx, l, &r->v[0].v[1], many);
	lane_go_on(l);
	return put_aside(cx, l, many);
}

/* Some are aside: new ones and those that come back are looked for without blocking in between. */
static err_t
read_with_aside(struct ctx *cx, struct lane *l)
{
	if (((int)l->hand.n >= l->info->width || l->held) && !l->tick) {
		err_t e = fib_await_for(cx, &l->room, LOOK_MS);

		if (e != OK && e != ERR_TIMEOUT)
			return e;
	}
	if ((int)l->hand.n < l->info->width || l->tick)
		TRY(bring_back(cx, l));
	return lane_room(l) > 0 ? read_some(cx, l, true) : OK;
}

static err_t
read_round(struct ctx *cx, struct lane *l, bool *group)
{
	if (!*group) {
		TRY(make_group(cx, l));
		*group = true;
	}
	fib_event_reset(&l->room);
	if (lane_room(l) == 0)
		return fib_await(cx, &l->room);
	return l->aside > 0 ? read_with_aside(cx, l) : read_some(cx, l, false);
}

/* What is not begun goes to whoever has room, at once instead of when our silence is noticed. */
static void
jobs_lane_give_back(struct fib *fib, struct lane *l)
{
	struct ctx cx;

	ctx_init(&cx);
	cx.fib = fib;
	cx.deadline = loop_now() + GIVE_BACK_MS;
	fib_shield(&cx, true);
	while (l->hand.n > 0) {
		struct batch *b = arena_new_of(cx.arena, struct batch);

		while (l->hand.n > 0 && b->n < READ_MAX)
			batch_add(&cx, b, (struct run *)fair_take(&l->hand));
		if (put_aside(&cx, l, b) != OK)
			log_debug(&cx, "jobs are not given back", "kind=%s why=%s", l->info->kind, cx.detail ? cx.detail : "");
	}
	fib_shield(&cx, false);
	ctx_fini(&cx);
}

static void
reader_fiber(struct ctx *outer, void *arg)
{
	struct lane *l = arg;
	bool group = false, said = false;

	l->reader = outer->fib;
	while (!jobs.stopping) {
		struct ctx cx;
		err_t e;

		ctx_init(&cx);
		cx.fib = l->reader;
		e = read_round(&cx, l, &group);
		if (e != OK && !jobs.stopping) {
			group = false;		/* a Redis that forgot may be behind it */
			if (!said)
				log_warn(&cx, "no jobs can be read", "kind=%s why=%s", l->info->kind, cx.detail ? cx.detail : err_info(e)->name);
			jobs_pause(&cx, AGAIN);
		}
		said = e != OK;
		ctx_fini(&cx);
	}
	jobs_lane_give_back(l->reader, l);
	l->reader = NULL;
	bus_link_close(&l->link);
	jobs.fibers--;
	jobs_fiber_ended();
}

/* ---- life ---- */

void
lane_start(struct lane *l, const struct job_kind *info)
{
	assert(info->fn != NULL && info->retries >= 0 && info->width > 0 && info->limit_ms > 0 && info->connections > 0);
	l->info = info;
	l->share = db_share_new(info->connections);
	l->link = bus_link_open(NULL, NULL);
	jobs.fibers++;
	fib_spawn_new("jobs", 0, reader_fiber, l);
}

void
lane_stop(struct lane *l)
{
	assert(jobs.stopping);
	if (l->reader != NULL)
		fib_cancel(l->reader);
	fib_signal(&l->room);
}
