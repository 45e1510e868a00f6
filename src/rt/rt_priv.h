/* Private to realtime (src/rt).
 *
 * An event comes from the stream (fanout.c), is taken apart and rendered once per dialect (news.c), looks up its receivers in the
 * index (index.c) by integers (atom.c), and is written to each. A connection (peer.c) is in the index, or it is catching up from the
 * stream (resume.c) because it resumes or because its roles are being read anew; it enters the index at exactly the position to
 * which it has been served, so nothing is lost or doubled. All of it runs on the loop; only what asks a database borrows a fiber. */
#ifndef BADAL_RT_PRIV_H
#define BADAL_RT_PRIV_H

#include <stdio.h>

#include "core/conf.h"
#include "io/bus.h"
#include "io/http.h"
#include "model/event.h"
#include "model/identity.h"

/* ---- atom.c: interned strings, counted; each project is a space of its own ---- */

typedef uint32_t atom_t;		/* 0: none */

atom_t atom_get(atom_t space, struct str s);	/* takes a reference */
atom_t atom_find(atom_t space, struct str s);	/* 0: nobody holds it; no reference */
atom_t atom_ref(atom_t a);
void atom_unref(atom_t a);			/* 0 is fine */
struct str atom_text(atom_t a);			/* NUL-terminated */
size_t atom_count(void);

/* ---- index.c: (channel, role) -> connections ---- */

struct seat {			/* one connection under one key */
	uint32_t conn;		/* number of the connection */
	uint32_t entry;		/* which of its entries this is */
};

/* Adds; returns the position, which the connection keeps to leave in constant time. */
uint32_t index_add(atom_t chan, atom_t role, struct seat s);
void index_del(atom_t chan, atom_t role, uint32_t pos);
/* Those under the key; borrowed until the next change. */
const struct seat *index_list(atom_t chan, atom_t role, uint32_t *n_out);
/* A seat moved to another position: by whoever uses the index. */
void index_moved(struct seat s, uint32_t pos);

/* ---- channel.c: names, what clients may ask for, what events are published on ---- */

struct channel {
	struct str name;
	bool later;		/* not a name of 1.0 */
};

struct slot_query {		/* documents[0][]=… */
	struct str name;	/* of the parameter: the channel with '_' for '.' */
	int slot;
	struct str query;
};

struct ask {			/* the query string of a handshake; strings in the arena */
	struct str project, mode, jwt, since;	/* p NULL: absent */
	bool has_channels, bad_channels;	/* the parameter is there; it is no list */
	int n_channels;
	struct str *channels;
	int n_queries;
	struct slot_query *queries;
};
void ask_parse(struct arena *a, struct str query, struct ask *out);

enum { SLOTS_MAX = 100 };

/* What a client's channel becomes for user `uid` (empty: guest). Returns how many names are written to out[2]: 0 when it is dropped. */
int channel_rewrite(struct arena *a, struct str asked, struct str uid, struct str out[2]);
/* What is kept of a client's channel whoever the user is: false when it is dropped. */
bool channel_allowed(struct str asked);
/* The channels of an event: the 1.0 names given, then the later ones. `ids`: values of the pattern's placeholders. */
int channels_of_event(struct arena *a, struct str project, struct str pattern, const char *const *ids, const struct strs *base,
    struct channel **out);
/* The pattern in the later vocabulary (tables, rows, columns); the same when it has none. */
struct str pattern_twin(struct arena *a, struct str pattern);

/* ---- subquery.c: queries of a subscription ---- */

struct filter;
/* `queries` are JSON texts, all of which must match. *out NULL: everything matches. On failure a reason for the client, in a. */
const char *filter_new(struct ctx *cx, const struct str *queries, int n, struct filter **out);
void filter_free(struct filter **fp);	/* NULL inside is fine */
bool filter_match(const struct filter *f, const json_t *payload);
size_t filter_size(const struct filter *f);
/* The queries as canonical JSON texts, one after the other as list elements. */
void filter_write(struct jw *w, const struct filter *f);

/* ---- news.c: one event of the stream ---- */

enum dialect { DIALECT_OLD, DIALECT_NEW, DIALECT_N };

struct news {
	struct ctx cx;
	struct stream_pos pos;
	bool local;		/* made here (probe, statistics): has no position */
	struct str project, pattern, user;
	struct strs names;	/* when given instead of a pattern */
	const char *ids[3];
	struct strs base, roles;
	int64_t time;
	unsigned flags;
	const json_t *stale;
	struct str body;
	/* made when first needed */
	int n_channels;
	struct channel *channels;
	struct str payload;
	const json_t *tree;
	bool parsed;
	struct frame *whole[DIALECT_N];	/* for connections with the one subscription of a URL */
	struct frame *head[DIALECT_N];	/* for others: up to the list of subscriptions */
	/* what somebody here knows of it */
	atom_t space;
	int n_chans, n_roles;
	atom_t *chans, *role_atoms;
	int n_old;		/* of chans: 1.0 names come first */
	bool any;		/* "any" is among the roles */
};

/* False when the header is malformed (logged); news_fini is due all the same. header and body are borrowed. */
bool news_init(struct news *n, struct stream_pos pos, struct str header, struct str body);
/* One of our own making; strings are borrowed. */
void news_local(struct news *n, const char *project, const char *name, const char *channel, const char *role, struct str payload);
void news_fini(struct news *n);
void news_bump(const struct news *n);	/* the generations of what the write made stale (other machines' writes) */
/* Looks up the atoms. False when nobody here can be a receiver. */
bool news_resolve(struct news *n);
const json_t *news_tree(struct news *n);	/* the payload, NULL when it is no JSON */
/* The id of the first subscription of a URL, and those of its further slots by printf. */
#define URL_SUBSCRIPTION "00000000000000000000"
#define URL_SUBSCRIPTIONS "%020x"
/* The frame for one subscription of a URL / what comes before `"a","b"]…` and what comes behind it. */
struct frame *news_whole(struct news *n, enum dialect d);
struct frame *news_head(struct news *n, enum dialect d, struct str *end_out);

/* "<tag>-<lsn>-<index>": what clients resume from; "" while there is no stream. The tag is that of the stream's name: a fresh stream has
 * another. */
enum { MARK_MAX = 64 };
char *mark_text(struct stream_pos p, char out[MARK_MAX]);
/* 1: a position of the current stream, 0: of another, -1: malformed. */
int mark_parse(struct str s, struct stream_pos *out);

/* ---- peer.c: one connected client ---- */

enum rt_state {
	RT_OPENING,	/* the handshake has not ended; messages wait */
	RT_LIVE,	/* in the index */
	RT_CATCHING,	/* out of the index, served up to `at`; reads on from the stream */
	RT_REFUSED,	/* told why, being closed */
	RT_CLOSED	/* the socket is gone; freed when its job lets go */
};

/* The channels of a subscription, as asked for and as they are for the user. A subscription of a URL may consist of several of
 * these with one id, as its channels may have different queries. */
struct sub {
	char *id;
	struct filter *filter;	/* NULL: everything */
	uint32_t n_asked, n_chans;
	atom_t *asked, *chans;
};

struct task;

struct peer {
	unsigned magic;
	uint32_t num;
	uint8_t state;		/* enum rt_state; peer_move is the only writer */
	bool by_url;		/* channels were in the URL: the 1.0 dialect */
	bool simple;		/* one subscription of a URL without queries: whole frames are shared */
	bool admin;		/* a user of the console looks at a project */
	bool stale;		/* roles must be read anew before the next event */
	bool wide;		/* too many channels times roles: entered under the channels only, roles compared */
	bool counted;		/* in the statistics */
	bool resumes;		/* `since` waits for the first subscription */
	uint16_t messages;	/* in this window */
	uint32_t window;
	struct ws *ws;		/* NULL once closed */
	atom_t project;
	atom_t home;		/* project of the user: `project` or the console */
	atom_t user;		/* "user:<id>" in home; 0: guest */
	uint32_t user_pos;	/* seat under (WHO, user) */
	atom_t session;		/* id in home, 0: none */
	int64_t expire;		/* of the session, ms */
	uint64_t mark;		/* number of the last event collected for it */
	struct stream_pos at;	/* served up to here, while RT_CATCHING */
	struct stream_pos ahead;	/* has seen up to here, elsewhere: this process or the stream is not that far yet */
	struct stream_pos since;	/* where to begin with the first subscription, when it `resumes` */
	uint32_t n_chans, n_roles;
	atom_t *chans;		/* union over the subscriptions; references are theirs */
	atom_t *roles;
	uint32_t *pos;		/* positions in the index */
	uint32_t n_subs;
	struct sub *subs;
	size_t filter_bytes;
	struct task *task;	/* what runs or waits for a fiber */
};

enum { PEER_MAGIC = 0x70656572, ATOM_WHO = UINT32_MAX, ROLE_WIDE = UINT32_MAX };

struct peer *peer_new(struct ws *w);
void peer_free(struct peer *c);
struct peer *peer_by_num(uint32_t num);		/* NULL: none */
uint32_t peer_numbers(void);			/* numbers in use are below this */
void peer_move(struct peer *c, enum rt_state to);	/* enters and leaves the index */
/* Changes who the connection is; l NULL: a guest. Keeps its place. `home` is the project the login is of. */
void peer_identify(struct peer *c, const char *home, const struct login *l, const char *session,
    int64_t expire);
struct str peer_uid(const struct peer *c);		/* empty for a guest */
/* Replaces or adds a subscription (all parts with that id go first when `replace`). asked: allowed names. Takes the filter over. */
void peer_subscribe(struct peer *c, struct str id, const struct str *asked, int n, struct filter *f, bool replace);
bool peer_unsubscribe(struct peer *c, struct str id);
size_t peer_channel_count(const struct peer *c);
void peer_write_channels(struct jw *w, const struct peer *c, struct str only_id);	/* list of names; only_id p NULL: all */
/* Writes the ids of the subscriptions that the event concerns as `"a","b"` to out[MATCHES_MAX]; returns the length, 0: none.
 * *later_out: a name later than 1.0 matched. */
enum { MATCHES_MAX = 64 * 1024 };
size_t peer_matches(const struct peer *c, struct news *n, char *out, bool *later_out);
/* The event is for this connection by channel and role. */
bool peer_concerned(const struct peer *c, const struct news *n);

/* ---- fanout.c ---- */

void fanout_init(void);
void fanout_fini(void);
/* Everything of the connection's shard up to here has been collected. */
struct stream_pos fanout_pos(const struct peer *c);
int peer_shard(const struct peer *c);	/* of its project */
bool fanout_ready(const struct peer *c);	/* that is known: nothing that is written from now on will be missed */
uint64_t fanout_role_changes(void);	/* counts events with flags */
void fanout_local(struct news *n);	/* delivers one of our own making and ends it */
bool fanout_received(const struct peer *c);	/* the event that is being delivered was for it */
void fanout_send(struct peer *c, struct news *n);	/* one event to one connection, if its subscriptions want it */

/* ---- task.c: what needs a fiber, one at a time per connection ---- */

void task_open(struct peer *c, struct http_msg *up);
void task_settle(struct peer *c);		/* the connection is RT_CATCHING */
/* Queues a message behind what runs. False when the connection has too many waiting. */
bool task_message(struct peer *c, struct str text);
/* The running task waits for its client: others may run meanwhile. */
void task_step_aside(bool on);
void task_abandon(struct peer *c);		/* the socket is gone */

/* ---- handshake.c, message.c, resume.c, who.c (on a fiber; all await) ---- */

void peer_handshake(struct ctx *cx, struct peer *c, struct http_msg *up);
/* True when the message needs no database and was handled at once. */
bool message_quick(struct peer *c, struct str text);
void message_slow(struct ctx *cx, struct peer *c, struct str text);
/* Counts the message against the limit; false (and told) when it is over. */
bool message_counted(struct peer *c);
/* Brings an RT_CATCHING connection into the index. */
void peer_settle(struct ctx *cx, struct peer *c);
/* Where the stream stands for a client that connects: c->at. ERR_BUS when it cannot be known now. */
err_t resume_now(struct ctx *cx, struct peer *c) MUST_CHECK;
/* The same for one that names `since`: c->at is where it goes on. *gap_out: what it missed may not all be there, and c->at is now.
 * ERR_GENERAL_ARGUMENT_INVALID when it is no position. */
err_t resume_check(struct ctx *cx, struct peer *c, struct str since, bool *gap_out) MUST_CHECK;
/* The login of a token or JWT as of now: not older than any role change that fanout has seen. */
err_t who_by_token(struct ctx *cx, const struct project *p, struct str token, struct login **out) MUST_CHECK;
err_t who_by_jwt(struct ctx *cx, const struct project *p, struct str jwt, struct login **out) MUST_CHECK;
err_t who_refresh(struct ctx *cx, struct peer *c) MUST_CHECK;
/* In mode admin only members of the owning team are somebody. */
bool who_owns(struct ctx *cx, const struct project *p, const struct login *l);
/* A flagged event has been delivered: what it means for the connections of its user. */
void who_event(const struct news *n);
void who_expire(void);			/* drops identities whose session has ended by time */
void who_watch(int64_t expire);

void peer_error(struct peer *c, int code, const char *message);
void peer_refuse(struct peer *c, int code, const char *message);	/* error frame, then the end */

void stats_count(atom_t project, int n);	/* connections come and go */

#endif
