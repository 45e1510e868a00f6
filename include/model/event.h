/* Events: what a write tells the world. A row of a room's events.h names the pattern and the channels; event_emit is the only
 * door to the stream: it puts the event into the write's own transaction (WAL message, prefix "event"). */
#ifndef BADAL_MODEL_EVENT_H
#define BADAL_MODEL_EVENT_H

#include "io/db.h"
#include "model/service.h"

/* The kernel's own. */
#define EVENT EVENT_DECLARE
#include "tbl/events.h"
#undef EVENT

enum event_flags {
	EVENT_ROLES = 1,	/* the roles of `user` may have changed: refresh its connections */
	EVENT_LOGOUT = 2,	/* session `ids[1]` (or all, when there is none) of `user` ended: its connections lose the identity */
	EVENT_USER_GONE = 4,	/* `user` was blocked or deleted */
	EVENT_LATER = 8,	/* what it is about was made by the later family of paths, whose name comes first (event_names_told) */
	EVENT_UNSEEN = 16,	/* it came about for its receivers alone: webhooks and functions are not told */
	EVENT_DONE = 32		/* what takes its time has come to its end: webhooks and functions have heard of it when it was asked for */
};

struct event {
	const struct event_info *kind;	/* &ev_… of the room's header */
	const char *project;		/* public id of the project it is published on */
	const char *ids[3];		/* values of the placeholders, in order */
	struct strs roles;		/* who may receive it on realtime; "any", "user:…", "team:…" */
	struct str payload;		/* JSON text; empty: [] */
	/* A payload with a member that 1.0 did not have, "$sequence": where it stands in the text; 0: it has none. */
	size_t number_at;
	/* The number that the write itself finds: a column that it returns, whose text goes between `payload` and `rest` (event_write alone); NULL: the
	 * payload is whole. */
	const char *number;
	struct str rest;
	unsigned flags;			/* enum event_flags */
	const char *user;		/* whose connections `flags` concern, may be NULL */
	const char *hide[8];		/* members of the payload that are empty to clients: webhooks and functions are told */
	const char *actor;		/* acting user id, NULL for guests and keys (webhooks) */
	const char *stale[6];		/* cache keys (gen.h) that the write makes stale: bumped here after commit, elsewhere on arrival */
};

/* Adds the event to the transaction, and its stale keys (tx_stale). No wait. */
void event_emit(struct db_tx *tx, const struct event *ev);
/* Awaits. One write and its event in one statement and one round trip. `sql` is an INSERT/UPDATE/DELETE ending in RETURNING …; the event
 * is emitted once per returned row (so not at all when no row matched). *res_out (may be NULL) gets the RETURNING columns.
 * Parameters as db_query. Bumps stale keys after success when a row was written. */
err_t event_write(struct ctx *cx, const struct event *ev, struct db_res **res_out, const char *sql, int n, const char *const *v) MUST_CHECK;
/* Adds a write and its event to the transaction, as event_write does both; no wait. */
void event_add(struct db_tx *tx, const struct event *ev, const char *sql, int n, const char *const *v);
/* Adds many events to the transaction, in order, as few messages with the prefix "events". They have no stale keys. `a`: memory
 * that lasts until the end, as what the events point to does. Not within what is undone: their payloads would be made for nothing.
 * A message has one after the other, each number with a blank behind it:
 *   h <bytes> <header>                            of those that follow, without its end and with EVENT_PACK_ID in the place of the last id
 *   e <bytes of the id> <q, or 0> <bytes of the payload> <id> <payload>
 *   <bytes> <header and payload>                  one that stands alone */
#define EVENT_PACK_ID "\177"
struct event_pack {
	struct db_tx *tx;
	struct arena *a;
	struct buf b;
	size_t whole;		/* bytes of it, taken apart */
	struct event like;	/* whose header was said last; without a kind: none was */
	size_t head;		/* bytes of that */
};
void event_pack_begin(struct event_pack *p, struct db_tx *tx, struct arena *a);
void event_pack_add(struct ctx *cx, struct event_pack *p, const struct event *ev);
void event_pack_end(struct event_pack *p);

/* Such a text, event by event. The relay cuts it into pieces, which are entries of the stream and begin with the header that is in force. */
struct event_unpack {
	struct str left;	/* what follows the event at hand */
	struct str head;	/* said last; n 0: none was */
	const char *at;		/* where the event at hand begins */
	struct str id, body;	/* of it; id.p NULL: it stands alone, and this is the whole of it */
	size_t number_at;
	bool bad;		/* it goes on, and cannot be read */
	struct buf text;
};
void event_unpack_init(struct event_unpack *u, struct str text);	/* borrowed */
void event_unpack_fini(struct event_unpack *u);
/* Goes to the next event; false: there is none. */
bool event_unpack_next(struct event_unpack *u);
/* The header of the event at hand: as it is when it stands alone, else that which it shares. */
struct str event_unpack_header(const struct event_unpack *u);
/* The event at hand as it would be alone, up to the next call. */
void event_unpack_whole(struct event_unpack *u, struct str *header_out, struct str *body_out);
/* The header in force, as a piece begins with it; nothing when there is none. */
void event_unpack_head_put(const struct event_unpack *u, struct buf *b);

/* The WAL message and stream entry: one line of JSON header, '\n', the payload. Header members: p project, e pattern, v ids, c base
 * channels (1.0 names), r roles, t time ms, f flags, u user, a actor, d depth (ctx.h), q the place of "$sequence" in the payload, b members that clients see empty, k stale keys as decimal hashes (the last, see heard_bump); absent when empty. */
struct str event_message(struct ctx *cx, const struct event *ev);
/* The expanded names of an event (spec functions-webhooks-events.md 2), in order, in cx's arena. */
struct strs event_names(struct ctx *cx, const char *pattern, const char *const *ids);

/* The same for clients of today: each name in all words that there are for it, a group after the other. `flags`: EVENT_LATER counts. */
struct strs event_names_told(struct ctx *cx, const char *pattern, const char *const *ids, unsigned flags);

/* A pattern that event_names can expand with these ids (three at most): a relay of a later version may bring ones that we do not know. */
bool event_pattern_good(struct str pattern, const char *const *ids);

/* A name that webhooks and functions of clients of that version may subscribe to (spec functions-webhooks-events.md 3). */
bool event_subscribable(struct str name, int64_t format);
/* Such a name in the words that events have: "tablesdb.*.tables.*.rows.*.create" is "databases.*.collections.*.documents.*.create". */
const char *event_in_old_words(struct arena *a, const char *name);

#endif
