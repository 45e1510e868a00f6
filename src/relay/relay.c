/* The relay's life: one session after the other.
 *
 * A session holds the slot and one unbroken connection to Redis. When either ends, decoding begins again from what PostgreSQL has on
 * record as confirmed; what Redis lost in a crash comes back that way, what it kept is recognised by its position. */
#include "relay/relay.h"

#include "relay_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum {
	BACKOFF_MIN = 100, BACKOFF_MAX = 2000,	/* ms between sessions */
	STANDBY = 1000,		/* ms between tries of a relay that is not the leader */
	UPKEEP_EVERY = 2000	/* ms */
};

static struct {
	struct bus_link *link;
	struct session *session;	/* the current one, NULL: none */
	struct fib *fib;
	bool running, stopping;
	unsigned backoff;
	char said[200];			/* the last complaint: not repeated */
	bool stuck;			/* what the last session found out about the slot */
} me;

static void
broke(struct session *s, const char *why)
{
	if (!s->broken)
		snprintf(s->why, sizeof s->why, "%s", why);
	s->broken = true;
	fib_signal(&s->more);
}

static void
on_redis_down(void *arg)
{
	(void)arg;
	if (me.session != NULL)
		broke(me.session, "the connection to Redis broke");
}

static struct session *
session_of(void *arg)
{
	struct session *s = arg;

	assert(s->magic == SESSION_MAGIC);
	return s;
}

static void
on_message(const struct repl_tx *tx, uint64_t index, struct str prefix, struct str content, void *arg)
{
	queue_message(session_of(arg), tx, index, prefix, content);
}

static void
on_progress(uint64_t lsn, void *arg)
{
	queue_progress(session_of(arg), lsn);
}

static void
on_closed(const char *why, void *arg)
{
	struct session *s = session_of(arg);

	s->stuck = repl_undecodable(s->repl);
	broke(s, why);
}

/* Ten times a second: what was in Redis two seconds ago is confirmed. */
static void
on_mark(void *arg)
{
	struct session *s = session_of(arg);
	uint64_t safe = s->marks[s->mark];

	s->marks[s->mark] = s->acked;
	s->mark = (s->mark + 1) % MARKS;
	/* at least once a second in any case: it keeps the connection alive */
	if (!s->broken && (safe > repl_confirmed(s->repl) || s->mark % 10 == 0))
		repl_confirm(s->repl, safe);
}

static void
measure(const struct session *s)
{
	uint64_t end = repl_server_end(s->repl), confirmed = repl_confirmed(s->repl);

	metric_set(M_relay_slot_lag, end > confirmed ? (int64_t)(end - confirmed) : 0);
}

static err_t
relay_upkeep(struct session *s)
{
	struct ctx cx;
	err_t e;

	if (loop_now() < s->next_upkeep)
		return OK;
	s->next_upkeep = loop_now() + UPKEEP_EVERY;
	measure(s);
	ctx_init(&cx);
	e = stream_upkeep(&cx, s);
	if (e == ERR_BUS && bus_link_up(s->link)) {	/* refused, not lost: the next time may do */
		log_warn(NULL, "the stream could not be trimmed", "why=%s", cx.detail ? cx.detail : "");
		e = OK;
	}
	if (e == OK)
		e = readers_look(s, true);
	ctx_fini(&cx);
	return e;
}

/* The WAL goes on without events, too, and a shard without any: who waits for the stream to get somewhere is told. */
static err_t
relay_tell(struct session *s)
{
	struct ctx cx;
	err_t e;

	if (s->acked <= s->told || loop_now() < s->next_tell)
		return OK;
	ctx_init(&cx);
	e = stream_tell(&cx, s);
	ctx_fini(&cx);
	return e;
}

/* Awaits. Something to write, to tell, or upkeep. */
static err_t
relay_wait(struct ctx *cx, struct session *s)
{
	uint64_t ms = UPKEEP_EVERY, now = loop_now();
	err_t e;

	fib_event_reset(&s->more);
	if (s->first != NULL)
		return OK;
	if (s->acked > s->told)
		ms = s->next_tell > now ? s->next_tell - now : 0;
	if (ms == 0)
		return OK;
	e = fib_await_for(cx, &s->more, ms);
	return e == ERR_TIMEOUT ? OK : e;
}

/* Awaits. Moves messages until something breaks. */
static err_t
relay_pump(struct ctx *cx, struct session *s)
{
	while (!s->broken) {
		err_t e;

		TRY(relay_wait(cx, s));
		e = s->first != NULL && !s->broken ? queue_write(s) : OK;
		if (e == OK && !s->broken)
			e = relay_tell(s);
		if (e == OK && !s->broken)
			e = relay_upkeep(s);
		if (e != OK)
			return fail(cx, e, "%s", s->why[0] ? s->why : err_info(e)->name);
	}
	return fail(cx, ERR_BUS, "%s", s->why);
}

/* Awaits. As leader, until the end. */
static err_t
relay_lead(struct ctx *cx, struct session *s, uint64_t confirmed)
{
	struct loop_timer *marks;
	err_t e;

	metric_set(M_relay_leader, 1);
	s->acked = confirmed;
	repl_confirm(s->repl, confirmed);
	marks = loop_every(MARK_EVERY, on_mark, s);
	s->next_look = 0;	/* what was seen is put on record, and before the stream is announced */
	e = readers_look(s, true);
	if (e == OK)
		e = stream_prepare(cx, s, confirmed);
	if (e == OK) {
		log_info(NULL, "relaying events", "stream=%s shards=%d", s->name, s->shards);
		me.said[0] = '\0';
		me.backoff = BACKOFF_MIN;
		metric_add(M_relay_restarts, 1);
		e = relay_pump(cx, s);
	}
	loop_timer_stop(&marks);
	metric_set(M_relay_leader, 0);
	return e;
}

static err_t
session_run(struct ctx *cx, struct session *s)
{
	const struct repl_handler h = {.message = on_message, .progress = on_progress, .closed = on_closed, .arg = s};
	uint64_t confirmed;

	TRY(repl_open(cx, &h, &s->repl));
	TRY(slot_prepare(cx, s, &confirmed));
	TRY(readers_look(s, false));
	TRY(repl_start(cx, s->repl, SLOT, SLOT));
	return relay_lead(cx, s, confirmed);
}

static void
complain(const struct ctx *cx, err_t e)
{
	const char *why = cx->detail ? cx->detail : err_info(e)->name;

	if (strncmp(me.said, why, sizeof me.said - 1) == 0)
		return;
	snprintf(me.said, sizeof me.said, "%s", why);
	if (e == ERR_DB_BUSY)
		log_info(NULL, "another relay is the leader: waiting", "why=%s", why);
	else
		log_warn(NULL, "the relay starts again", "why=%s", why);
}

/* Awaits. One session and the pause behind it. */
static void
session(void)
{
	struct session *s = mem_zalloc(sizeof *s);
	struct ctx cx;
	err_t e;

	ctx_init(&cx);
	cx.fib = me.fib;
	s->magic = SESSION_MAGIC;
	s->link = me.link;
	s->stuck = me.stuck;
	me.session = s;
	e = session_run(&cx, s);
	me.session = NULL;
	me.stuck = s->stuck;
	queue_clear(s);
	repl_close(&s->repl);
	s->magic = 0;
	free(s);
	if (!me.stopping) {
		complain(&cx, e);
		if (fib_sleep(&cx, e == ERR_DB_BUSY ? STANDBY : me.backoff) == OK)
			me.backoff = me.backoff * 2 < BACKOFF_MAX ? me.backoff * 2 : BACKOFF_MAX;
	}
	ctx_fini(&cx);
}

static void
relay_run(struct ctx *cx, void *arg)
{
	(void)arg;
	me.fib = cx->fib;
	while (!me.stopping)
		session();
	me.running = false;
	me.fib = NULL;
	bus_link_close(&me.link);
	db_fini();
	loop_stop();
}

bool
relay_init(void)
{
	assert(!me.running);
	if (conf.event_shards < 1 || conf.event_shards > BUS_SHARDS_MAX) {
		log_error(NULL, "event_shards cannot be used", "least=1 most=%d", BUS_SHARDS_MAX);
		return false;
	}
	if (conf.db_url[0] == '\0' || conf.redis_url[0] == '\0') {
		log_error(NULL, "the relay needs db_url and redis_url", NULL);
		return false;
	}
	me.running = true;
	me.stopping = false;
	me.backoff = BACKOFF_MIN;
	me.said[0] = '\0';
	me.stuck = false;
	db_init();
	me.link = bus_link_open(on_redis_down, NULL);
	fib_spawn_new("relay", 0, relay_run, NULL);
	return true;
}

void
relay_drain(void)
{
	me.stopping = true;
	if (me.fib != NULL)
		fib_cancel(me.fib);
	else if (!me.running)
		loop_stop();
}
