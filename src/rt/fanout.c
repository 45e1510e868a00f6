/* From the stream to the sockets, one event after the other.
 *
 * An event's receivers are collected at once; that moment is its place in every connection's order (fanout_pos). Writing to them may
 * take several turns of the loop, rt_slice at a time, and the next event waits for it. What arrives meanwhile is queued; over a bound
 * the stream is not read on. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/gen.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "rt/rt.h"

enum { WAITING_BYTES = 32 << 20, EVENTS_PER_TURN = 64 };

struct entry {
	struct entry *next;
	int shard;
	struct stream_pos pos;
	size_t n_header, n_body;
	char text[];
};

static struct entry *first, **last = &first;
static size_t waiting;		/* bytes of text in that list */
static bool paused, scheduled;
static struct place {			/* of a shard */
	struct stream_pos at;		/* collected up to here */
	bool begun;			/* an entry came; before, the reader's position is ours */
} places[BUS_SHARDS_MAX];
static uint64_t collected;	/* events so far: the mark of each */
static uint64_t role_changes;
static uint64_t sent;		/* messages that have not been counted yet */

static struct news now;		/* being delivered */
static struct entry *now_entry;	/* its text; NULL: nothing is being delivered */
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
	if (n_receivers == cap_receivers) {
		cap_receivers = cap_receivers ? cap_receivers * 2 : 1024;
		receivers = mem_realloc(receivers, cap_receivers * sizeof *receivers);
	}
	receivers[n_receivers++] = c->num;
}

static bool
holds_a_role(const struct peer *c, const struct news *n)
{
	for (int i = 0; i < n->n_roles; i++)
		for (uint32_t k = 0; k < c->n_roles; k++)
			if (c->roles[k] == n->role_atoms[i])
				return true;
	return false;
}

static void
fanout_collect(const struct news *n)
{
	const struct seat *v;
	uint32_t count;

	collected++;
	n_receivers = next_receiver = 0;
	for (int i = 0; i < n->n_chans; i++) {
		for (int k = 0; k < n->n_roles; k++) {
			v = index_list(n->chans[i], n->role_atoms[k], &count);
			for (uint32_t s = 0; s < count; s++)
				receive(peer_by_num(v[s].conn));
		}
		v = index_list(n->chans[i], ROLE_WIDE, &count);
		for (uint32_t s = 0; s < count; s++)
			if (holds_a_role(peer_by_num(v[s].conn), n))
				receive(peer_by_num(v[s].conn));
	}
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
fanout_send(struct peer *c, struct news *n)
{
	static char tail[MATCHES_MAX + 2 * MARK_MAX];
	struct frame *head;
	struct str end;
	enum dialect d;
	bool later;
	size_t len;

	if (c->ws == NULL || (!n->local && stream_pos_cmp(n->pos, c->ahead) <= 0))
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

static bool
fanout_send_slice(void)
{
	uint32_t end = n_receivers;

	if (end - next_receiver > (uint64_t)conf.rt_slice)
		end = next_receiver + (uint32_t)(conf.rt_slice > 0 ? conf.rt_slice : 1);
	for (; next_receiver < end; next_receiver++) {
		struct peer *c = peer_by_num(receivers[next_receiver]);

		if (c != NULL && c->mark == collected)	/* else the number is somebody else's by now */
			fanout_send(c, &now);
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

/* Takes the oldest waiting entry as the one being delivered. */
static void
begin_next(void)
{
	struct entry *e = first;
	bool good;

	first = e->next;
	if (first == NULL)
		last = &first;
	waiting -= e->n_header + e->n_body;
	good = news_init(&now, e->pos, (struct str){e->text, e->n_header}, (struct str){e->text + e->n_header, e->n_body});
	now_entry = e;
	n_receivers = next_receiver = 0;
	if (good)
		news_bump(&now);
	if (good && now.flags != 0)
		role_changes++;
	if (good && news_resolve(&now)) {
		fanout_collect(&now);
		if (n_receivers > 0)
			observe_latency(&now);
	} else
		collected++;
	assert(places[e->shard].begun && stream_pos_cmp(places[e->shard].at, e->pos) < 0);
	places[e->shard].at = e->pos;
}

static void
end_current(void)
{
	if (now.flags != 0 && now.user.n > 0)
		who_event(&now);
	news_fini(&now);
	free(now_entry);
	now_entry = NULL;
}

static void turn(void *arg);

static void
schedule(void)
{
	if (scheduled || (first == NULL && now_entry == NULL))
		return;
	scheduled = true;
	loop_soon(turn, NULL);
}

static void
turn(void *arg)
{
	(void)arg;
	scheduled = false;
	for (uint32_t n = 0; n < EVENTS_PER_TURN;) {
		if (now_entry == NULL && first == NULL)
			break;
		if (now_entry == NULL)
			begin_next();
		if (!fanout_send_slice())
			break;
		n += 1 + n_receivers / 16;
		end_current();
	}
	if (paused && waiting < WAITING_BYTES / 2) {
		paused = false;
		bus_follow_pause(false);
	}
	schedule();
}

static void
on_entry(int shard, struct stream_pos pos, struct str header, struct str body, void *arg)
{
	struct entry *e = mem_alloc(sizeof *e + header.n + body.n + 1);

	(void)arg;
	assert(shard >= 0 && shard < BUS_SHARDS_MAX);
	if (!places[shard].begun)
		places[shard] = (struct place){bus_follow_pos(shard), true};
	*e = (struct entry){.shard = shard, .pos = pos, .n_header = header.n, .n_body = body.n};
	memcpy(e->text, header.p, header.n);
	if (body.n > 0)
		memcpy(e->text + header.n, body.p, body.n);
	*last = e;
	last = &e->next;
	waiting += header.n + body.n;
	if (!paused && waiting > WAITING_BYTES) {
		paused = true;
		bus_follow_pause(true);
	}
	schedule();
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
fanout_local(struct news *n)
{
	if (news_resolve(n) && now_entry == NULL) {	/* in the middle of an event: the next one will do */
		fanout_collect(n);
		for (uint32_t i = 0; i < n_receivers; i++)
			fanout_send(peer_by_num(receivers[i]), n);
		n_receivers = 0;
	}
	news_fini(n);
}

void
fanout_init(void)
{
	static const struct bus_follow f = {.on_entry = on_entry, .on_gap = on_gap};

	bus_follow_start(&f);
}

void
fanout_fini(void)
{
	bus_follow_stop();
	if (now_entry != NULL)
		end_current();
	forget_waiting(-1);
	memset(places, 0, sizeof places);
	free(receivers);
	receivers = NULL;
	n_receivers = cap_receivers = 0;
}
