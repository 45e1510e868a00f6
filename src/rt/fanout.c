/* From the stream to the sockets, one event after the other.
 *
 * An event has a place in the order of all connections: that of the moment when its receivers begin to be collected (fanout_pos). Collecting them,
 * looking through the payload, writing, and telling those whose roles it changes each may take several turns of the loop: a turn has rt_slice
 * deliveries, and what else is done counts by what it takes. The next event waits. Who enters the index meanwhile is behind the event; who leaves it, or
 * whose seat moves, is looked at before (fanout_leaving), so that nobody is missed. What arrives meanwhile is queued; over a bound the stream
 * is not read on. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/gen.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "rt/rt.h"

enum { WAITING_BYTES = 32 << 20, AT_EASE_MS = 10 };
/* Work is counted in some 80 ns. */
enum { WORK_DELIVERY = 64, WORK_EVENT = 80, WORK_WIDE = 4, BYTES_SCANNED = 64, BYTES_SENT = 256, STEPS = 8, LONG_BODY = 64 * 1024 };

struct entry {
	struct entry *next;
	int shard;		/* -1: of our own making */
	struct stream_pos pos;	/* of the event at hand, or of the first */
	int left;		/* events that are not done with, the one at hand among them */
	bool many;		/* the text is one of event_unpack */
	size_t n_header, n_body;
	char text[];		/* header and body; of our own: project, name, channel, role, each with its NUL, and body */
};

static struct entry *first, **last = &first;
static size_t waiting;		/* bytes of text in that list */
static bool paused, scheduled;
static struct place {			/* of a shard */
	struct stream_pos at;		/* collecting has begun up to here */
	struct stream_pos told;		/* and has been done with up to here */
	bool begun;			/* an entry came; before, the reader's position is ours */
} places[BUS_SHARDS_MAX];
static uint64_t collected;	/* events so far: the mark of each */
static uint64_t role_changes;
static uint64_t sent;		/* messages that have not been counted yet */

/* What is done with the event at hand. */
enum stage {
	STAGE_NONE,	/* there is none */
	STAGE_COLLECT,	/* its receivers are being looked up */
	STAGE_SEND,	/* and written to */
	STAGE_TELL	/* those whose roles it changes are told */
};

static enum stage stage;	/* fanout_go is the only writer */
static struct news now;
static struct entry *now_entry;	/* its text; without an event at hand: what there is left of it */
static struct event_unpack now_many;	/* of an entry of many */
static int at_chan, at_role;	/* of the key that is looked at; the role behind the last: those found by channel alone */
static uint32_t at_seat;
static uint32_t *receivers, n_receivers, cap_receivers, next_receiver;

int
peer_shard(const struct peer *c)
{
	assert(c->magic == PEER_MAGIC);
	return stream_shard(atom_text(c->project), bus_stream_shards());
}

struct stream_pos
fanout_pos(const struct peer *c)
{
	int shard = peer_shard(c);

	return places[shard].begun ? places[shard].at : bus_follow_pos(shard);
}

struct stream_pos
fanout_told(int shard)
{
	return places[shard].begun ? places[shard].told : bus_follow_pos(shard);
}

bool
fanout_ready(const struct peer *c)
{
	return bus_follow_ready(peer_shard(c));
}

uint64_t
fanout_role_changes(void)
{
	return role_changes;
}

/* ---- receivers ---- */

static void
receive(struct peer *c)
{
	if (c->mark == collected)
		return;
	c->mark = collected;
	c->mark_other = c->real != 0;
	if (n_receivers == cap_receivers) {
		cap_receivers = cap_receivers ? cap_receivers * 2 : 1024;
		receivers = mem_realloc(receivers, cap_receivers * sizeof *receivers);
	}
	receivers[n_receivers++] = c->num;
}

/* The list at hand; empty at a key that nobody has. */
static const struct seat *
key_at_hand(uint32_t *n_out)
{
	return index_list(now.chans[at_chan], at_role < now.n_roles ? now.role_atoms[at_role] : ROLE_WIDE, n_out);
}

static bool
key_after(void)
{
	at_seat = 0;
	if (++at_role <= now.n_roles)
		return true;
	at_role = 0;
	return ++at_chan < now.n_chans;
}

/* A peer that came into the index since has been served the event, or begins behind it. */
static void
look_at(struct peer *c, bool wide)
{
	if (c->entered < collected && (!wide || held_meets(c->held, &now)))
		receive(c);
}

static bool
collect_slice(int64_t *left)
{
	const struct seat *v;
	uint32_t n;

	do {
		bool wide = at_role == now.n_roles;

		v = key_at_hand(&n);
		for (; at_seat < n && *left > 0; at_seat++) {
			look_at(peer_by_num(v[at_seat].conn), wide);
			*left -= wide ? WORK_WIDE : 1;
		}
		if (at_seat < n)
			return false;
		--*left;
	} while (key_after());
	return true;
}

void
fanout_leaving(struct peer *c)
{
	if (stage == STAGE_COLLECT && c->pos != NULL && c->mark != collected && c->entered < collected && peer_concerned(c, &now))
		receive(c);
}

uint64_t
fanout_number(void)
{
	return collected;
}

bool
fanout_received(const struct peer *c)
{
	return c->mark == collected;
}

/* ---- sending ---- */

/* Shared memory is written once per slice. */
static void
count_sent(void)
{
	metric_add(M_rt_deliveries, (int64_t)sent);
	sent = 0;
}

void
fanout_send(struct peer *c, struct news *n, bool other)
{
	static char tail[MATCHES_MAX + 2 * MARK_MAX];
	struct frame *head;
	struct str end;
	enum dialect d;
	bool later;
	size_t len;

	if (c->ws == NULL || (!n->local && stream_pos_cmp(n->pos, c->ahead) <= 0) || (n->own && !place_same(n, c->born)))
		return;
	if (other && news_personal(n))
		return;
	len = peer_matches(c, n, tail, &later);
	if (len == 0)
		return;
	d = c->by_url && !later ? DIALECT_OLD : DIALECT_NEW;
	sent++;
	if (c->simple) {
		ws_send(c->ws, news_whole(n, d));
		return;
	}
	head = news_head(n, d, &end);
	memcpy(tail + len, end.p, end.n);
	ws_send_tail(c->ws, head, (struct str){tail, len + end.n});
}

/* Queries are asked of what has been looked through; so is what is long, before it is copied. */
static bool
ready_for(const struct peer *c, int64_t *left)
{
	size_t before = now.facts.at;
	bool done = news_scanned(&now);

	if (done || (c->n_filters == 0 && now.body.n < LONG_BODY))
		return true;
	done = news_scan(&now, (size_t)*left * BYTES_SCANNED);
	*left -= (int64_t)((now.facts.at - before) / BYTES_SCANNED);
	return done;
}

static bool
send_slice(int64_t *left)
{
	for (; next_receiver < n_receivers && *left > 0; next_receiver++) {
		struct peer *c = peer_by_num(receivers[next_receiver]);

		if (c == NULL || c->mark != collected)
			continue;	/* the number is somebody else's by now */
		if (!ready_for(c, left))
			break;
		fanout_send(c, &now, c->mark_other);
		*left -= WORK_DELIVERY + (int64_t)(now.body.n / BYTES_SENT + c->steps / STEPS);
	}
	count_sent();
	return next_receiver == n_receivers;
}

/* ---- one event ---- */

static void
observe_latency(const struct news *n)
{
	int64_t ms = time_now_ms() - n->time;

	metric_add(M_rt_events, 1);
	if (n->time > 0 && !n->local)
		metric_observe(M_rt_latency, ms > 0 ? (uint64_t)ms * 1000 : 0);
}

static void
fanout_go(enum stage to)
{
	assert(to == (stage == STAGE_TELL ? STAGE_NONE : stage + 1) || (stage == STAGE_NONE && to == STAGE_TELL));
	stage = to;
}

static struct entry *
take_entry(void)
{
	struct entry *e = first;

	first = e->next;
	if (first == NULL)
		last = &first;
	waiting -= e->n_header + e->n_body;
	return e;
}

static bool
open_entry(struct entry *e)
{
	struct str header = {e->text, e->n_header}, body = {e->text + e->n_header, e->n_body};
	const char *part[4], *p = e->text;

	if (e->many && event_unpack_next(&now_many))
		event_unpack_whole(&now_many, &header, &body);
	if (e->shard >= 0)
		return news_init(&now, e->pos, header, body);
	for (int i = 0; i < 4; i++, p += strlen(p) + 1)
		part[i] = p;
	news_local(&now, part[0], part[1], part[2], part[3], body);
	return true;
}

/* The next event is the one at hand: of the entry that has some left, else of the oldest that waits. */
static void
begin_next(void)
{
	struct entry *e = now_entry != NULL ? now_entry : take_entry();
	bool fresh = e->shard < 0 || stream_pos_cmp(places[e->shard].at, e->pos) < 0, good, found;

	if (now_entry == NULL && e->many)
		event_unpack_init(&now_many, (struct str){e->text, e->n_body});
	now_entry = e;
	assert(fresh || e->many);
	good = open_entry(e) && fresh;
	n_receivers = next_receiver = at_seat = 0;
	at_chan = at_role = 0;
	if (good)
		news_bump(&now);
	if (good && (now.flags & (EVENT_ROLES | EVENT_LOGOUT | EVENT_USER_GONE)) != 0)
		role_changes++;
	found = good && news_resolve(&now);
	collected++;
	if (e->shard >= 0 && fresh) {
		assert(places[e->shard].begun);
		places[e->shard].at = e->pos;
	}
	fanout_go(found ? STAGE_COLLECT : STAGE_TELL);
}

static void
drop_entry(void)
{
	if (now_entry->many)
		event_unpack_fini(&now_many);
	free(now_entry);
	now_entry = NULL;
}

static void
end_current(void)
{
	struct place *p = now_entry->shard >= 0 ? &places[now_entry->shard] : NULL;

	if (p != NULL && stream_pos_cmp(p->at, now_entry->pos) == 0)	/* else the stream was replaced meanwhile */
		p->told = p->at;
	news_fini(&now);
	now_entry->pos.index++;
	if (--now_entry->left <= 0)
		drop_entry();
	who_told();
}

/* Works on the event at hand; what there is left of the turn goes down. */
static void
work_on(int64_t *left)
{
	switch (stage) {
	case STAGE_NONE:
		begin_next();
		*left -= WORK_EVENT + (int64_t)((now_entry->many ? now_many.text.n : now_entry->n_header) / BYTES_SCANNED);
		return;
	case STAGE_COLLECT:
		if (!collect_slice(left))
			return;
		if (n_receivers > 0)
			observe_latency(&now);
		break;
	case STAGE_SEND:
		if (!send_slice(left))
			return;
		break;
	case STAGE_TELL:
		if (!tail_tell(&now, left) || !who_tell(&now, left))
			return;
		end_current();
		fanout_go(STAGE_NONE);
		return;
	}
	fanout_go(stage + 1);
}

static void turn(void *arg);

static bool
is_busy(void)
{
	return first != NULL || now_entry != NULL;
}

static void
schedule(void)
{
	if (scheduled || !is_busy())
		return;
	scheduled = true;
	loop_soon(turn, NULL);
}

static void
turn(void *arg)
{
	int64_t left = (conf.rt_slice > 0 ? conf.rt_slice : 1) * WORK_DELIVERY, began = time_now_us();

	(void)arg;
	scheduled = false;
	while (left > 0 && is_busy())
		work_on(&left);
	metric_observe(M_rt_turn, (uint64_t)(time_now_us() > began ? time_now_us() - began : 0));
	if (paused && waiting < WAITING_BYTES / 2) {
		paused = false;
		bus_follow_pause(false);
	}
	schedule();
}

static void
append_entry(struct entry *e)
{
	*last = e;
	last = &e->next;
	waiting += e->n_header + e->n_body;
	schedule();
}

/* It says neither that something is stale nor that roles change. Within a text its quotes would be escaped. */
static bool
header_is_nothing(struct str header)
{
	return memmem(header.p, header.n, ",\"k\":", 5) == NULL && memmem(header.p, header.n, ",\"f\":", 5) == NULL;
}

static bool
many_are_nothing(struct str text)
{
	struct event_unpack u;
	const char *seen = NULL;
	bool nothing = true;

	event_unpack_init(&u, text);
	while (nothing && event_unpack_next(&u)) {
		struct str header = event_unpack_header(&u);

		nothing = header.p == seen || header_is_nothing(header);
		seen = header.p;
	}
	event_unpack_fini(&u);
	return nothing;
}

/* Nobody listens. */
static bool
entry_is_nothing(const struct bus_entry *e)
{
	return peers_open() == 0 && !is_busy() && (e->many > 0 ? many_are_nothing(e->body) : header_is_nothing(e->header));
}

static void
on_entry(int shard, const struct bus_entry *from, void *arg)
{
	struct entry *e;

	(void)arg;
	assert(shard >= 0 && shard < BUS_SHARDS_MAX);
	if (!places[shard].begun)
		places[shard] = (struct place){bus_follow_pos(shard), bus_follow_pos(shard), true};
	if (entry_is_nothing(from)) {
		places[shard].at = places[shard].told = from->pos;
		return;
	}
	e = mem_alloc(sizeof *e + from->header.n + from->body.n + 1);
	*e = (struct entry){.shard = shard, .pos = bus_entry_first(from), .left = from->many > 0 ? from->many : 1, .many = from->many > 0, .n_header = from->header.n,
	    .n_body = from->body.n};
	mem_copy(e->text, from->header.p, from->header.n);
	mem_copy(e->text + e->n_header, from->body.p, from->body.n);
	append_entry(e);
	if (!paused && waiting > WAITING_BYTES) {
		paused = true;
		bus_follow_pause(true);
	}
}

/* Drops what waits of a shard, -1: of all. */
static void
forget_waiting(int shard)
{
	struct entry **at = &first, *e;

	while ((e = *at) != NULL) {
		if (shard >= 0 && e->shard != shard) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		waiting -= e->n_header + e->n_body;
		free(e);
	}
	last = at;
	if (now_entry == NULL || (shard >= 0 && now_entry->shard != shard))
		return;
	now_entry->left = 1;
	if (stage == STAGE_NONE)
		drop_entry();
}

/* Events are gone that we have not seen: nobody can be told which, so everybody of the shard begins anew, and who resumes is told of the gap
 * if there is one for him. What other machines changed was among them: no cache may be trusted. */
static void
on_gap(int shard, void *arg)
{
	unsigned n = 0;

	(void)arg;
	forget_waiting(shard);
	for (int i = 0; i < BUS_SHARDS_MAX; i++)
		places[i].begun = places[i].begun && shard >= 0 && shard != i;
	gen_bump_all();
	for (uint32_t i = 0; i < peer_numbers(); i++) {
		struct peer *c = peer_by_num(i);

		if (c != NULL && c->ws != NULL && (shard < 0 || c->project == 0 || peer_shard(c) == shard)) {
			n++;
			ws_close(c->ws, 1012, "events were lost");
		}
	}
	metric_add(M_rt_gaps, n);
}

void
fanout_local(const char *project, const char *name, const char *channel, const char *role, struct str payload)
{
	const char *const part[] = {project, name, channel, role};
	struct entry *e;
	struct buf b;

	buf_init(&b, NULL, 200 + payload.n);
	for (int i = 0; i < 4; i++)
		buf_add(&b, part[i], strlen(part[i]) + 1);
	e = mem_alloc(sizeof *e + b.n + payload.n + 1);
	*e = (struct entry){.shard = -1, .left = 1, .n_header = b.n, .n_body = payload.n};
	memcpy(e->text, b.p, b.n);
	mem_copy(e->text + b.n, payload.p, payload.n);
	buf_fini(&b);
	append_entry(e);
}

void
fanout_init(void)
{
	static const struct bus_follow f = {.on_entry = on_entry, .on_gap = on_gap};

	bus_follow_start(&f);
	fanout_hurry(false);
}

/* Without listeners what others changed is all there is to hear. */
void
fanout_hurry(bool on)
{
	bus_follow_pace(on ? 0 : AT_EASE_MS);
}

void
fanout_fini(void)
{
	bus_follow_stop();
	if (stage != STAGE_NONE)
		end_current();
	stage = STAGE_NONE;
	forget_waiting(-1);
	memset(places, 0, sizeof places);
	free(receivers);
	receivers = NULL;
	n_receivers = cap_receivers = 0;
}
