/* The relay, private: sessions (relay.c), the slot (relay_slot.c), the stream's names and bounds (relay_stream.c) and readers
 * (relay_readers.c), the queue (relay_queue.c) to Redis (relay_write.c). */
#ifndef BADAL_RELAY_RELAY_PRIV_H
#define BADAL_RELAY_RELAY_PRIV_H

#include "io/bus.h"
#include "io/repl.h"

#define SLOT "badal"
#define RELAY_STREAMS "relay:streams"	/* hash: system identifier -> "<life> <name> <shards>" of its stream */

enum {
	SESSION_MAGIC = 0x72656c73,
	QUEUE_ITEMS = 16384, QUEUE_BYTES = 16 << 20,	/* more: PostgreSQL waits */
	MARK_EVERY = 100,	/* ms */
	MARKS = 20		/* so a position is confirmed 2 s after Redis had it: appendfsync everysec has written it by then */
};

struct item {			/* an entry on its way to Redis: a message, or a piece of one of many events */
	struct item *next;
	struct stream_pos pos;	/* of its last event */
	int n;			/* events */
	bool many;		/* body is a text of event_unpack, head the header of the first of them */
	uint64_t end;		/* the server's WAL up to here is done with this item; 0: the transaction goes on */
	int64_t commit_ms;
	uint32_t xid;
	int lane;		/* index in session.lanes; -1: not looked up yet */
	struct str key;		/* of a job's stream; absent: an event */
	struct str head, body;
	size_t size;
	char data[];
};

/* What is written by one script, because it lies in one slot of a cluster: a shard of the stream, or all job streams. Its position is
 * written together with its entries. */
struct lane {
	char pos[42];		/* as this session knows it; "" when it is not set */
	struct stream_pos written;
};

struct session {		/* from START_REPLICATION to the first trouble on either side */
	unsigned magic;
	struct repl *repl;
	struct bus_link *link;
	char system[32];	/* system identifier */
	char life[BUS_NAME_MAX];	/* of the slot: positions are comparable within it */
	char name[BUS_NAME_MAX];	/* of the stream: the life's own, or a later one with another number of shards */
	int shards;
	struct lane lanes[BUS_SHARDS_MAX + 1];	/* the shards, then the jobs */
	bool fresh;		/* the name was made by this session: nothing was ever in the stream */
	struct item *first, *last;
	size_t n, bytes;
	uint64_t pack_lsn, pack_more;	/* the last transaction with packs; how many events more than messages it had so far */
	struct fib_event more;	/* something is queued, or broken */
	bool broken;
	char why[160];
	uint64_t acked;		/* the server's WAL up to here is in Redis */
	uint64_t told;		/* readers know of it up to here */
	uint64_t next_tell;
	uint64_t marks[MARKS];	/* acked, of the last two seconds */
	unsigned mark;
	uint64_t next_upkeep;
	bool packs;		/* all who read the stream read entries of many events */
	bool noted;		/* that is on record */
	uint64_t quiet_since, next_look;	/* since when nobody was seen who does not; 0: somebody was, or nobody has looked */
	bool refused;		/* Redis refuses writes: said once */
	bool stuck;		/* the slot cannot be decoded any further */
};

/* ---- relay_slot.c ---- */
/* Awaits. Makes publication, slot and stream key where they are missing, and a stuck slot anew; notes the slot's lag. *confirmed_out: where
 * decoding begins. */
err_t slot_prepare(struct ctx *cx, struct session *s, uint64_t *confirmed_out) MUST_CHECK;

/* ---- relay_stream.c ---- */
/* Awaits. What Redis has on record of this database's stream; defaults when it has nothing. */
err_t stream_name_get(struct ctx *cx, struct session *s, bool *found_out) MUST_CHECK;
/* Awaits. Begins a fresh stream; `life`: positions begin anew as well. */
err_t stream_name_new(struct ctx *cx, struct session *s, bool life) MUST_CHECK;
/* Awaits, as leader. Where the lanes end; tells readers which stream is the current one. `confirmed`: where decoding begins. */
err_t stream_prepare(struct ctx *cx, struct session *s, uint64_t confirmed) MUST_CHECK;
/* Memory that a shard may take, 0: any; a mark of the sizes is due when it has grown by *step_out. */
int64_t stream_bound(const struct session *s, int64_t *step_out);
/* Awaits. Announces again what was lost, trims, counts. */
err_t stream_upkeep(struct ctx *cx, struct session *s) MUST_CHECK;
/* Awaits. Tells readers how far the stream has got. */
err_t stream_tell(struct ctx *cx, struct session *s) MUST_CHECK;
/* Key under which the position of the jobs is kept. */
const char *jobs_pos_key(struct ctx *cx, const struct session *s);

/* ---- relay_readers.c ---- */
/* Awaits, now and then. Whether events may stay together in the stream. */
err_t readers_look(struct session *s, bool leads) MUST_CHECK;

/* ---- relay_queue.c ---- */
void queue_message(struct session *s, const struct repl_tx *tx, uint64_t index, struct str prefix, struct str content);
void queue_progress(struct session *s, uint64_t lsn);
void queue_pop(struct session *s);
void queue_clear(struct session *s);
/* Takes the events up to this index out of an item that has more than those; how many that were. */
int queue_cut(struct session *s, struct item *it, uint64_t upto);
/* The project of an event: its header's first member, as we write it ourselves. Ids need no escapes. */
struct str queue_project(struct str head);

/* ---- relay_write.c ---- */
/* Awaits. Puts the head of the queue into Redis, of each lane all of the batch or nothing. */
err_t queue_write(struct session *s) MUST_CHECK;

#endif
