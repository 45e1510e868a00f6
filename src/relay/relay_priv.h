/* The relay, private: sessions (relay.c), what is known of slot and stream (relay_slot.c), the queue to Redis (relay_write.c). */
#ifndef BADAL_RELAY_RELAY_PRIV_H
#define BADAL_RELAY_RELAY_PRIV_H

#include "io/bus.h"
#include "io/repl.h"

#define SLOT "badal"
#define RELAY_KEYS "relay:0:keys"	/* hash: system identifier -> key of its stream */
#define RELAY_POS "relay:pos:"		/* + stream key: position of the last message in Redis, written together with it */
#define RELAY_MARKS "relay:marks:"	/* + stream key: sorted set of positions by the time at which they were the last */

enum {
	MARK_EVERY = 100,	/* ms */
	MARKS = 20		/* so a position is confirmed 2 s after Redis had it: appendfsync everysec has written it by then */
};

struct item {			/* a message on its way to Redis */
	struct item *next;
	struct stream_pos pos;
	uint64_t end;		/* the server's WAL up to here is done with this item; 0: the transaction goes on */
	int64_t commit_ms;
	uint32_t xid;
	struct str key;		/* of a job's stream; absent: an event */
	struct str head, body;
	size_t size;
	char data[];
};

struct session {		/* from START_REPLICATION to the first trouble on either side */
	struct repl *repl;
	struct bus_link *link;
	char system[32];	/* system identifier */
	char key[128];		/* of the stream */
	char pos[42];		/* RELAY_POS as this session knows it; "" when it is not set */
	struct stream_pos written;
	struct item *first, *last;
	size_t n, bytes;
	struct fib_event more;	/* something is queued, or broken */
	bool broken;
	char why[160];
	uint64_t acked;		/* the server's WAL up to here is in Redis */
	uint64_t marks[MARKS];	/* acked, of the last two seconds */
	unsigned mark;
	uint64_t next_upkeep;
	bool refused;		/* Redis refuses writes: said once */
	bool stuck;		/* the slot cannot be decoded any further */
};

/* ---- relay_slot.c ---- */
/* Awaits. Makes publication, slot and stream key where they are missing, and a stuck slot anew; notes the slot's lag. *confirmed_out: where
 * decoding begins. */
err_t slot_prepare(struct ctx *cx, struct session *s, uint64_t *confirmed_out) MUST_CHECK;
/* Awaits, as leader. Where the stream ends; tells readers which stream is the current one. */
err_t stream_prepare(struct ctx *cx, struct session *s) MUST_CHECK;
/* Awaits. Announces again what was lost, trims, counts. */
err_t stream_upkeep(struct ctx *cx, struct session *s) MUST_CHECK;

/* ---- relay_write.c ---- */
void queue_message(struct session *s, const struct repl_tx *tx, uint64_t index, struct str prefix, struct str content);
void queue_progress(struct session *s, uint64_t lsn);
void queue_clear(struct session *s);
/* Awaits. Puts the head of the queue into Redis, all of the batch or nothing. */
err_t queue_write(struct session *s) MUST_CHECK;

#endif
