/* Redis: commands from fibers on one multiplexed asynchronous hiredis connection per process, and streams. */
#ifndef BADAL_IO_BUS_H
#define BADAL_IO_BUS_H

#include "core/ctx.h"
#include "core/fiber.h"

struct bus_reply {		/* a copy in the asker's arena */
	enum { BUS_NIL, BUS_INT, BUS_STR, BUS_LIST, BUS_ERROR } type;
	int64_t i;		/* BUS_INT */
	struct str s;		/* BUS_STR, BUS_ERROR */
	int n;			/* BUS_LIST */
	struct bus_reply *v;
};

/* A number as an argument, in cx's arena. */
struct str bus_number(struct ctx *cx, int64_t n);
/* The value of a field, of a reply that lists fields and values; STR_NONE: it is not there, or the reply is none such. */
struct str bus_field(const struct bus_reply *fields, const char *name);

void bus_init(void);		/* connects (conf.redis) and reconnects with back-off for ever */
void bus_fini(void);
bool bus_up(void);
/* Why the configured Redis can never be used (it is one of several nodes of a cluster), NULL while nothing is known against it. */
const char *bus_refusal(void);
const char *bus_url_wrong(const char *url);	/* NULL: it can be read, or is empty; else what it must be (static) */

/* Awaits. argv in binary-safe pieces. ERR_BUS when Redis is away or answers an error (detail has it), ERR_TIMEOUT, ERR_CANCELLED. */
err_t bus_cmd(struct ctx *cx, struct bus_reply **out, int argc, const struct str *argv) MUST_CHECK;
#define BUS(...)                                                          \
	(int)(sizeof((struct str[]){__VA_ARGS__}) / sizeof(struct str)), \
	    (const struct str[]){__VA_ARGS__}
/* Awaits. A Lua script by its text (EVALSHA, EVAL when unknown); keys first, then args, `nkeys` of them keys. */
err_t bus_script(struct ctx *cx, struct bus_reply **out, const char *lua, int nkeys, int argc, const struct str *argv) MUST_CHECK;
/* Fire and forget, bounded; false when it could not be queued (counted). */
bool bus_post(int argc, const struct str *argv);

/* The name of each connection (CLIENT SETNAME): the number says what it reads of streams, 1: entries of many events. Versions before that have no name. */
#define BUS_CLIENT "badal:"
#define BUS_CLIENT_NAME BUS_CLIENT "1"

/* Connections of one's own, for blocking commands and for whoever must know when a connection broke. */
struct bus_link;
struct bus_link *bus_link_open(void (*on_down)(void *arg), void *arg);	/* connects and reconnects for ever; on_down may be NULL */
void bus_link_close(struct bus_link **lp);	/* commands under way fail with ERR_BUS; on_down is not called */
bool bus_link_up(const struct bus_link *l);
int64_t bus_link_db(const struct bus_link *l);	/* the number of its database; 0 before it was connected */
/* As above on this link. A command that waits for its turn (BLOCK) must answer within 8 s: a link silent for longer is dropped. */
err_t bus_link_cmd(struct ctx *cx, struct bus_link *l, struct bus_reply **out, int argc, const struct str *argv) MUST_CHECK;
err_t bus_link_script(struct ctx *cx, struct bus_link *l, struct bus_reply **out, const char *lua, int nkeys, int argc,
    const struct str *argv) MUST_CHECK;

struct bus_call {		/* one run of a script among several */
	int nkeys, argc;
	const struct str *argv;
	struct bus_reply *reply;	/* out; BUS_ERROR when Redis refused this one */
};
/* Awaits. One script `n` times at once, for keys in different slots. OK when each has its reply, be it an error; else ERR_BUS,
 * ERR_TIMEOUT, ERR_CANCELLED, and each may have run or not. */
err_t bus_link_scripts(struct ctx *cx, struct bus_link *l, const char *lua, struct bus_call *calls, int n) MUST_CHECK;

/* ---- the event stream ---- */

/* A position is "<ms>-<seq>" as Redis writes it; here <commit LSN>-<index in the transaction>. Positions order all events of a
 * generation of the stream, whatever their shard. */
struct stream_pos {
	uint64_t lsn, index;
};
bool stream_pos_parse(struct str s, struct stream_pos *out);
char *stream_pos_text(struct stream_pos p, char out[42]);
int stream_pos_cmp(struct stream_pos a, struct stream_pos b);

/* The stream has a name, its generation (system identifier [":" + epoch]), and shards, each with keys of its own. The number in braces
 * is the hash tag: what one command or script touches is of one shard, so it lies in one slot of a Redis cluster. */
enum { BUS_SHARDS_MAX = 64, BUS_NAME_MAX = 64, BUS_KEY_MAX = 128 };
enum stream_key {
	STREAM_EVENTS,		/* events:{k}:<name>       stream: entries have the fields h and b, or n and m (struct bus_entry) */
	STREAM_POS,		/* relay:{k}:pos:<name>    position of the last entry, written together with it */
	STREAM_MARKS,		/* relay:{k}:marks:<name>  sorted set of positions by the time at which they were the last */
	STREAM_FLOOR,		/* relay:{k}:floor:<name>  entries up to this position may be gone; "(<pos>": those before it */
	STREAM_REACHED,		/* relay:{k}:reached:<name>  what was committed before this LSN is in the shard */
	STREAM_BYTES,		/* relay:{k}:bytes:<name>  "<memory of all entries there ever were> <the same at the last of STREAM_SIZES> <position>", written together with it */
	STREAM_SIZES,		/* relay:{k}:sizes:<name>  sorted set of positions by the memory of all entries before them */
	STREAM_KEYS
};
char *stream_key(enum stream_key what, int shard, const char *name, char out[BUS_KEY_MAX]);
/* Stream of announcements: its last entry names the current stream (g), the number of its shards (n) and where to begin in each (at,
 * comma-separated); streams with the same life (l) have comparable positions. */
#define BUS_CURRENT "events:{0}:current"
/* The shard of a project's events, of n. */
int stream_shard(struct str project, int n);

struct bus_entry {
	struct stream_pos pos;	/* of its last event */
	int many;		/* 0: it is one, header and body; else so many with places one after the other, and the body has them (event_unpack) */
	struct str header, body;
};
struct stream_pos bus_entry_first(const struct bus_entry *e);	/* of its first event */
/* An entry as it comes in a list of them; the texts are those of the reply. False: it is none. */
bool bus_entry_of(const struct bus_reply *r, struct bus_entry *out);
/* How many entries to ask for next, to get about so many events: by what the last ones had. */
int bus_entries_for(int events, int had_entries, int had_events);

/* Follows all shards of the event stream from their ends, each on a connection of its own (XREAD BLOCK), reconnecting without loss: after
 * a break it goes on behind the last entry seen. `on_entry` is called on the loop, in the order of its shard; the texts are borrowed
 * for the call. `on_gap` tells that the stream was replaced (shard -1), or that entries of a shard were trimmed before we read them. */
struct bus_follow {
	void (*on_entry)(int shard, const struct bus_entry *e, void *arg);
	void (*on_gap)(int shard, void *arg);
	void *arg;
};
void bus_follow_start(const struct bus_follow *f);	/* one per process */
void bus_follow_stop(void);
/* True once it is known where the shard stood when following began: what comes behind that is given to on_entry. Not while entries wait for bus_follow_pace. */
bool bus_follow_ready(int shard);
/* Position of the last entry given to on_entry (within it: of the one before), or where the shard ended when following began; 0-0 before
 * that is known. */
struct stream_pos bus_follow_pos(int shard);
/* Stops reading on (a batch that was asked for still comes), and goes on. */
void bus_follow_pause(bool on);
/* From now on what comes is read at most once in `ms` milliseconds, all of it together: for who is in no hurry. 0: at once, what waits too. */
void bus_follow_pace(uint64_t ms);
/* The current stream's name, "" before it is known; the number of its shards, 1 before. */
const char *bus_stream_name(void);
int bus_stream_shards(void);
/* Awaits. Entries of the followed stream's shard with events after `after` up to and including `upto`, at most `count`, in order. Those of many may have others, too. */
err_t bus_range(struct ctx *cx, int shard, struct stream_pos after, struct stream_pos upto, int count, struct bus_entry **out,
    int *n_out) MUST_CHECK;
/* Awaits. True when entries of the shard behind `after` may be gone. */
err_t bus_gap(struct ctx *cx, int shard, struct stream_pos after, bool *gap_out) MUST_CHECK;

/* Awaits. *lsn_out: what was committed before this position of the WAL and is of the shard is in the followed stream; 0: not known. *end_out: its last
 * entry then. */
err_t bus_reached(struct ctx *cx, int shard, uint64_t *lsn_out, struct stream_pos *end_out) MUST_CHECK;

#endif
