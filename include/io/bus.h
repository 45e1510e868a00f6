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

void bus_init(void);		/* connects (conf.redis) and reconnects with back-off for ever */
void bus_fini(void);
bool bus_up(void);

/* Awaits. argv in binary-safe pieces. ERR_BUS when Redis is away or answers an error (detail has it), ERR_TIMEOUT, ERR_CANCELLED. */
err_t bus_cmd(struct ctx *cx, struct bus_reply **out, int argc, const struct str *argv) MUST_CHECK;
#define BUS(...)                                                          \
	(int)(sizeof((struct str[]){__VA_ARGS__}) / sizeof(struct str)), \
	    (const struct str[]){__VA_ARGS__}
/* Awaits. A Lua script by its text (EVALSHA, EVAL when unknown); keys first, then args, `nkeys` of them keys. */
err_t bus_script(struct ctx *cx, struct bus_reply **out, const char *lua, int nkeys, int argc, const struct str *argv) MUST_CHECK;
/* Fire and forget, bounded; false when it could not be queued (counted). */
bool bus_post(int argc, const struct str *argv);

/* Connections of one's own, for blocking commands and for whoever must know when a connection broke. */
struct bus_link;
struct bus_link *bus_link_open(void (*on_down)(void *arg), void *arg);	/* connects and reconnects for ever; on_down may be NULL */
void bus_link_close(struct bus_link **lp);	/* commands under way fail with ERR_BUS; on_down is not called */
bool bus_link_up(const struct bus_link *l);
/* As above on this link. A command that waits for its turn (BLOCK) must answer within 8 s: a link silent for longer is dropped. */
err_t bus_link_cmd(struct ctx *cx, struct bus_link *l, struct bus_reply **out, int argc, const struct str *argv) MUST_CHECK;
err_t bus_link_script(struct ctx *cx, struct bus_link *l, struct bus_reply **out, const char *lua, int nkeys, int argc,
    const struct str *argv) MUST_CHECK;

/* The event stream: a position is "<ms>-<seq>" as Redis writes it; here <commit LSN>-<index in the transaction>. */
struct stream_pos {
	uint64_t lsn, index;
};
#define BUS_STREAM "events:0:"		/* + system identifier [":" + epoch]: a stream of events; its entries have the fields h and b */
#define BUS_CURRENT "events:0:current"	/* stream of announcements: its last entry names the current stream (k) and where to begin (at) */
bool stream_pos_parse(struct str s, struct stream_pos *out);
char *stream_pos_text(struct stream_pos p, char out[42]);
int stream_pos_cmp(struct stream_pos a, struct stream_pos b);

/* Follows the event stream from its end on a connection of its own (XREAD BLOCK), reconnecting without loss: after a break it goes
 * on behind the last entry seen. `on_entry` is called on the loop in order; header and body are borrowed for the call.
 * `on_gap` tells that the stream was replaced (new system identifier) or trimmed beyond our position. */
struct bus_follow {
	void (*on_entry)(struct stream_pos pos, struct str header, struct str body, void *arg);
	void (*on_gap)(void *arg);
	void *arg;
};
void bus_follow_start(const struct bus_follow *f);	/* one per process */
void bus_follow_stop(void);
/* Position of the last entry given to on_entry, or where the stream ended when following began; 0-0 before that is known. */
struct stream_pos bus_follow_pos(void);
/* Stops reading on (a batch that was asked for still comes), and goes on. */
void bus_follow_pause(bool on);
/* The current stream key ("events:0:<system identifier>"), "" before it is known. */
const char *bus_stream_key(void);
/* Awaits. Entries after `after` up to and including `upto`, at most `count`, in order. *oldest_out: the oldest id in the stream. */
struct bus_entry {
	struct stream_pos pos;
	struct str header, body;
};
err_t bus_range(struct ctx *cx, struct stream_pos after, struct stream_pos upto, int count, struct bus_entry **out, int *n_out) MUST_CHECK;
/* Awaits. {0, 0} when the stream is empty or not there yet. */
err_t bus_oldest(struct ctx *cx, struct stream_pos *oldest_out) MUST_CHECK;

#endif
