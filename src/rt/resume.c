/* Catching up: a connection that is out of the index reads the stream from where it was served, until it has reached the position
 * of the fan-out, and enters the index in that same turn of the loop. */
#include "rt_priv.h"

#include "core/json.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum { BATCH = 128, ROUND = 4 * BATCH, SCAN = 64 * 1024, RETRY_MS = 200, SOON_MS = 5, DRAIN_MS = 20, STREAM_MS = 10000 };

/* Waits while the client reads slower than we could send: what it missed must not make it a slow reader. Slow clients keep nobody
 * else from being served. */
static err_t
wait_for_room(struct ctx *cx, const struct peer *c)
{
	err_t e = OK;

	if (c->ws == NULL || !ws_lagging(c->ws))
		return OK;
	task_step_aside(true);
	while (e == OK && c->ws != NULL && ws_lagging(c->ws))
		e = fib_sleep(cx, DRAIN_MS);
	task_step_aside(false);
	return e;
}

/* ---- what is shown of the past ---- */

/* One entry of a batch. */
struct past {
	struct shown shown;
	const struct shown_now *rule;	/* NULL: it is shown by the roles that it was for */
};

static const struct shown_now *
past_rule_of(struct str pattern)
{
	int n;
	const struct service *const *v = service_all(&n);

	for (int i = 0; i < n; i++)
		for (const struct shown_now *s = v[i]->shown; s != NULL && s->prefix != NULL; s++)
			if (str_starts(pattern, s->prefix))
				return s;
	return NULL;
}

static err_t
scan_all(struct ctx *cx, struct news *n)
{
	err_t e = OK;

	while (e == OK && !news_scan(n, SCAN))
		e = fib_yield(cx);
	return e;
}

static struct strs
list_in(struct ctx *cx, const struct fact *f)
{
	const json_t *j = f != NULL && f->raw.n > 0 && f->raw.p[0] == '[' ? json_parse(cx, f->raw, NULL) : NULL;
	struct strs out = {.set = true, .v = arena_array(cx->arena, const char *, json_array_size(j) + 1)};

	for (size_t i = 0; i < json_array_size(j); i++) {
		const char *s = json_string_value(json_array_get(j, i));

		if (s != NULL)
			out.v[out.n++] = s;
	}
	return out;
}

/* A text or a number as text; "" for others. */
static const char *
fact_text(struct ctx *cx, const struct fact *f)
{
	if (f == NULL || (f->kind != FACT_TEXT && f->kind != FACT_WHOLE))
		return "";
	return str_dup(cx->arena, f->kind == FACT_TEXT ? f->text : f->raw);
}

/* What the rule wants to know; copies, as the news goes. */
static void
note_past(struct ctx *cx, struct news *n, struct past *x)
{
	const char **ids = arena_array(cx->arena, const char *, 3);

	for (int i = 0; i < 3; i++)
		ids[i] = n->ids[i] ? str_dup(cx->arena, str_c(n->ids[i])) : "";
	x->shown = (struct shown){.ids = ids, .gone = str_ends(n->pattern, ".delete"), .created = fact_text(cx, facts_get(&n->facts, STR("$createdAt"))),
	    .number = fact_text(cx, facts_get(&n->facts, STR("$sequence"))),
	    .permissions = list_in(cx, facts_get(&n->facts, STR("$permissions")))};
}

/* Awaits when it is long. */
static err_t
past_look_at(struct ctx *cx, const struct peer *c, const struct bus_entry *v, struct past *x)
{
	struct news news;
	err_t e = OK;

	if (news_init(&news, v->pos, v->header, v->body) && (x->rule = past_rule_of(news.pattern)) != NULL) {
		if (news_resolve(&news) && peer_concerned(c, &news))
			e = scan_all(cx, &news);
		else
			x->rule = NULL;		/* it is not for the connection at all */
		if (e == OK && x->rule != NULL)
			note_past(cx, &news, x);
	}
	news_fini(&news);
	return e;
}

static err_t
past_ask(struct ctx *cx, const struct peer *c, struct past *all, int n)
{
	struct shown **v = arena_array(cx->arena, struct shown *, n);
	struct strs roles = held_texts(c->held, cx->arena);
	struct project *p;

	TRY(project_get(cx, str_c(str_dup(cx->arena, atom_text(c->project))), &p));
	for (int i = 0; i < n; i++) {
		const struct shown_now *rule = all[i].rule;
		bool asked = rule == NULL;
		int m = 0;

		for (int k = 0; k < i && !asked; k++)
			asked = all[k].rule == rule;
		for (int k = i; k < n && !asked; k++)
			if (all[k].rule == rule)
				v[m++] = &all[k].shown;
		if (m > 0)
			TRY(rule->look(cx, p, &roles, v, m));
	}
	return OK;
}

/* What of the batch happened before the connection came, and whether it may be shown: one question for each kind of event, and for documents one for each
 * collection. *past_out: for each entry; rows without a rule where there is nothing to ask. Awaits. */
static err_t
past_of(struct ctx *cx, const struct peer *c, const struct bus_entry *v, int n, struct past **past_out)
{
	struct past *all = arena_array(cx->arena, struct past, n + 1);
	bool any = false;

	*past_out = all;
	for (int i = 0; i < n && c->ws != NULL && stream_pos_cmp(v[i].pos, c->horizon) <= 0; i++) {
		TRY(past_look_at(cx, c, &v[i], &all[i]));
		TRY(fib_yield(cx));
		any |= all[i].rule != NULL;
	}
	return any && c->ws != NULL ? past_ask(cx, c, all, n) : OK;
}

/* ---- serving ---- */

/* Whether it may be shown: now as it comes, of the past what may be read now and was for one of its roles when it happened. */
static bool
may_be_shown(const struct peer *c, const struct news *n, const struct past *x)
{
	if (!peer_concerned(c, n))
		return false;
	if (stream_pos_cmp(n->pos, c->horizon) > 0)
		return true;
	return held_met(c->held, n) && (x->rule == NULL || x->shown.yes);
}

/* One entry. Awaits when it is long: then what it is for may have changed. */
static err_t
resume_serve_one(struct ctx *cx, struct peer *c, const struct bus_entry *v, const struct past *x)
{
	uint32_t was = c->identities;
	struct news news;
	err_t e = OK;

	if (news_init(&news, v->pos, v->header, v->body) && news_resolve(&news) && may_be_shown(c, &news, x)) {
		if (c->n_filters > 0 || v->body.n >= SCAN)
			e = scan_all(cx, &news);
		if (e == OK && !c->stale && c->identities == was)
			fanout_send(c, &news, c->real != 0);
	}
	news_fini(&news);
	if (e == OK && !c->stale && c->identities == was)
		c->at = v->pos;
	return e;
}

/* Serves events. Stops behind one that fills the connection's queue, and before one that comes after a change of roles: first the roles,
 * then the same event, which may be another question by then. *all_out: it went on to the last. */
static err_t
resume_serve(struct ctx *cx, struct peer *c, const struct bus_entry *v, int n, bool *all_out)
{
	uint32_t was = c->identities;
	struct past *past;

	*all_out = false;
	TRY(past_of(cx, c, v, n, &past));
	for (int i = 0; i < n; i++) {
		if (c->ws == NULL || c->stale || c->identities != was)
			return OK;
		TRY(resume_serve_one(cx, c, &v[i], &past[i]));
		if (c->ws != NULL && ws_lagging(c->ws))
			return OK;
		TRY(fib_yield(cx));
	}
	*all_out = !c->stale && c->identities == was;
	return OK;
}

/* ---- event by event ---- */

struct range {			/* entries of the stream, as they are gone through */
	const struct bus_entry *v;
	int n, i;		/* i: the one at hand */
	int at;			/* events of that which have been taken; 0: it has not been begun */
	struct event_unpack many;
};

static void
range_close(struct range *r)
{
	if (r->at > 0)
		event_unpack_fini(&r->many);
	r->at = 0;
}

/* The next event; of an entry of many its texts are copied. */
static bool
range_next(struct ctx *cx, struct range *r, struct bus_entry *out)
{
	const struct bus_entry *e;

	if (r->i == r->n)
		return false;
	e = &r->v[r->i];
	if (e->many == 0) {
		*out = *e;
		r->i++;
		return true;
	}
	if (r->at == 0)
		event_unpack_init(&r->many, e->body);
	*out = (struct bus_entry){.pos = bus_entry_first(e)};
	out->pos.index += (uint64_t)r->at++;
	if (event_unpack_next(&r->many)) {
		event_unpack_whole(&r->many, &out->header, &out->body);
		out->header.p = arena_memdup(cx->arena, out->header.p, out->header.n);
	}
	if (r->at == e->many) {
		range_close(r);
		r->i++;
	}
	return true;
}

/* Those between these places, BATCH at most; fewer: there are no more. */
static int
range_take(struct ctx *cx, struct range *r, struct stream_pos after, struct stream_pos upto, struct bus_entry *out)
{
	int n = 0;

	while (n < BATCH && range_next(cx, r, &out[n]))
		n += stream_pos_cmp(out[n].pos, after) > 0 && stream_pos_cmp(out[n].pos, upto) <= 0;
	return n;
}

/* Some of the range: *all_out: all of it. */
static err_t
range_serve(struct ctx *outer, struct peer *c, struct range *r, struct stream_pos upto, int *served, bool *all_out)
{
	struct bus_entry *v;
	struct ctx cx;
	bool went_on;
	err_t e;
	int n;

	ctx_init_part(&cx, outer);
	v = arena_array(cx.arena, struct bus_entry, BATCH);
	n = range_take(&cx, r, c->at, upto, v);
	e = resume_serve(&cx, c, v, n, &went_on);
	*served = went_on ? *served + n : ROUND;
	*all_out = went_on && n < BATCH;
	ctx_fini(&cx);
	return e;
}

/* Asked when a batch has been read: entries may have been trimmed since the client was told that there is no gap, as it waited with its first
 * subscription or reads slowly. Then it comes again, and is told. Awaits. */
static err_t
still_whole(struct ctx *cx, struct peer *c, bool *whole_out)
{
	bool gap;

	TRY(bus_gap(cx, peer_shard(c), c->at, &gap));
	*whole_out = !gap;
	if (gap) {
		metric_add(M_rt_gaps, 1);
		peer_end(c, 1012, "events were lost");
	}
	return OK;
}

static err_t
advance_within(struct ctx *cx, struct peer *c)
{
	struct stream_pos upto = fanout_pos(c);
	int asked, served = 0, events = 0;
	struct range r = {0};
	bool whole, all = false;
	struct bus_entry *v;
	err_t e;

	TRY(wait_for_room(cx, c));
	asked = c->asks > 0 ? c->asks : BATCH;
	TRY(bus_range(cx, peer_shard(c), c->at, upto, asked, &v, &r.n));
	TRY(still_whole(cx, c, &whole));
	if (!whole)
		return OK;
	r.v = v;
	for (int i = 0; i < r.n; i++)
		events += v[i].many > 0 ? v[i].many : 1;
	c->asks = (uint8_t)bus_entries_for(BATCH, r.n, events);
	do {
		e = range_serve(cx, c, &r, upto, &served, &all);
	} while (e == OK && !all && served < ROUND);
	range_close(&r);
	if (e == OK && all && r.n < asked)
		c->at = upto;
	return e;
}

/* One read of the stream. Awaits. */
static err_t
advance(struct ctx *outer, struct peer *c)
{
	struct ctx cx;
	err_t e;

	ctx_init(&cx);
	cx.fib = outer->fib;
	cx.deadline = loop_now() + (uint64_t)conf.request_timeout;
	e = advance_within(&cx, c);
	ctx_fini(&cx);
	return e;
}

/* True when it is worth another try. */
static bool
resume_retry(struct ctx *cx, const struct peer *c, err_t e)
{
	if (c->ws == NULL || e == ERR_CANCELLED || e == ERR_TIMEOUT || loop_now() >= cx->deadline)
		return false;
	log_debug(cx, "cannot catch up yet", "error=%s", err_info(e)->name);
	return fib_sleep(cx, RETRY_MS) == OK;
}

static err_t
refresh(struct ctx *cx, struct peer *c)
{
	err_t e;

	c->stale = false;
	e = who_refresh(cx, c);
	if (e != OK)
		c->stale = true;
	return e;
}

void
peer_settle(struct ctx *cx, struct peer *c)
{
	while (c->ws != NULL && c->state == RT_CATCHING) {
		err_t e;

		if (!c->returns && !c->stale && stream_pos_cmp(c->at, fanout_pos(c)) >= 0) {
			peer_move(c, RT_LIVE);
			return;
		}
		e = c->returns ? horizon_pass(cx, c) : c->stale ? refresh(cx, c) : advance(cx, c);
		if (e == OK)
			cx->deadline = loop_now() + (uint64_t)conf.request_timeout;
		else if (!resume_retry(cx, c, e)) {
			if (c->ws != NULL && c->returns)
				metric_add(M_rt_resume_late, 1);
			peer_end(c, 1013, "try again later");
			return;
		}
	}
}

/* ---- resuming ---- */

/* A process that began while Redis was away does not know where the stream stands, and would miss what is written before it does; one that nobody listened to
 * reads first what it has left. That is over soon, or the client comes again; meanwhile others may run. */
err_t
resume_now(struct ctx *cx, struct peer *c)
{
	uint64_t end = loop_now() + STREAM_MS, pause = SOON_MS;
	err_t e = OK;

	if (!fanout_ready(c)) {
		task_step_aside(true);
		for (; e == OK && c->ws != NULL && !fanout_ready(c) && loop_now() < end; pause = 2 * pause < RETRY_MS ? 2 * pause : RETRY_MS)
			e = fib_sleep(cx, pause);
		task_step_aside(false);
	}
	if (e == OK && !fanout_ready(c))
		e = fail(cx, ERR_BUS, "where the stream stands is not known yet");
	c->at = fanout_pos(c);
	return e;
}

/* A client may be ahead of us: another process served it, or Redis lost the newest entries in a crash and gets them anew. It has missed
 * nothing, and is not sent again what it has seen (peer.ahead). */
err_t
resume_check(struct ctx *cx, struct peer *c, struct str since, bool *gap_out)
{
	struct stream_pos at;
	int known;

	*gap_out = true;
	TRY(resume_now(cx, c));
	known = mark_parse(since, &at);
	if (known < 0)
		return ERR_GENERAL_ARGUMENT_INVALID;
	metric_add(M_rt_resumes, 1);
	if (known == 1 && stream_pos_cmp(at, c->at) >= 0)
		*gap_out = false;
	else if (known == 1)
		TRY(bus_gap(cx, peer_shard(c), at, gap_out));
	if (*gap_out) {
		metric_add(M_rt_gaps, 1);
		c->at = fanout_pos(c);
	} else {
		c->horizon = c->at;
		c->returns = true;
		c->at = at;
	}
	return OK;
}
