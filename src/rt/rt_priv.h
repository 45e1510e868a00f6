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
#include "core/map.h"
#include "io/budget.h"
#include "io/bus.h"
#include "io/http.h"
#include "model/event.h"
#include "model/identity.h"
#include "model/socket.h"

/* ---- leave.c: a hash table of open addressing that is too small or too large is left for another, step by step ---- */

enum { LEAVE_STEP = 32 };	/* places, with each change */
struct leaving {
	bool (*taken)(uint32_t place);	/* of the old table */
	void (*move)(uint32_t place);	/* to the new one; it is empty then */
	uint32_t size;		/* of the old table, a power of two; 0: there is none */
	uint32_t at;		/* where to go on: an empty place, or the first of a run */
	uint32_t left;		/* how many are left in it; who takes one out counts it off */
};
void leave_begin(struct leaving *l, uint32_t size, uint32_t used);	/* at most three places of four are taken; size 0: there was no table */
bool leave_on(struct leaving *l, uint32_t places);	/* true: that was the last of it, and the old table is to be freed */

/* ---- atom.c: interned strings, counted; each project is a space of its own ---- */

typedef uint32_t atom_t;		/* 0: none */

atom_t atom_get(atom_t space, struct str s);	/* takes a reference */
atom_t atom_find(atom_t space, struct str s);	/* 0: nobody holds it; no reference */
atom_t atom_ref(atom_t a);
void atom_unref(atom_t a);			/* 0 is fine */
struct str atom_text(atom_t a);			/* NUL-terminated */
size_t atom_count(void);
uint32_t atom_left(void);	/* names that are still in the table before */

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
uint32_t index_left(void);	/* keys that are still in the table before */
/* A seat moved to another position: by whoever uses the index. */
void index_moved(struct seat s, uint32_t pos);

/* ---- channel.c: names, what clients may ask for, what events are published on ---- */

struct channel {
	struct str name;
	bool later;		/* not a name of 1.0 */
};

struct named;
struct slot_query {		/* documents[0][]=… */
	struct str name;	/* of the parameter: the channel, or that with '_' for '.' */
	int slot;
	struct str query;
	bool plain;		/* without brackets: it may be something else */
	struct named *of;	/* url.c: the channels of that name */
	int at;			/* url.c: its place in the URL */
};

struct ask {			/* the query string of a handshake; strings in the arena */
	struct str project, mode, jwt, since, dev_key;	/* p NULL: absent */
	struct str as_id, as_email, as_phone;	/* whom the caller wants to act as */
	bool has_channels, bad_channels;	/* the parameter is there; it is no list */
	const char *wrong;	/* why it cannot be taken as a whole, for the client; NULL: it can */
	int n_channels;
	struct str *channels;	/* as asked for; url_subscribe leaves those that are allowed, each once */
	int n_asked;
	struct str *asked;	/* url.c: all of them */
	int n_queries;
	struct slot_query *queries;	/* parameters that are none of the above */
};
void ask_parse(struct arena *a, struct str query, struct ask *out);

enum { SLOTS_MAX = 100 };

/* What a client's channel becomes for user `uid` (empty: guest). Returns how many names are written to out[2]: 0 when it is dropped. */
int channel_rewrite(struct arena *a, struct str asked, struct str uid, struct str out[2]);
/* What is kept of a client's channel whoever the user is: false when it is dropped. */
bool channel_allowed(struct str asked);
bool channel_personal(struct str asked);	/* what it becomes depends on the user */
/* The list of what these become for `uid`, each name once, what is derived from "account" last. */
void channels_write(struct jw *w, struct arena *a, const struct str *asked, int n, struct str uid);
/* The channels of an event: the 1.0 names given, then the later ones. `ids`: values of the pattern's placeholders. */
int channels_of_event(struct arena *a, struct str project, struct str pattern, const char *const *ids, const struct strs *base,
    struct channel **out);

/* ---- facts.c: the top-level members of a payload ---- */

enum fact_kind { FACT_UNREAD, FACT_NULL, FACT_TRUE, FACT_FALSE, FACT_WHOLE, FACT_REAL, FACT_TEXT, FACT_OTHER };

struct fact {			/* one value */
	struct str raw;		/* as it is in the payload */
	enum fact_kind kind;
	int64_t whole;
	bool numeric;		/* a number, or a text that is one as a whole: `real` */
	double real;
	struct str text;
};

struct facts {
	struct ctx *cx;
	struct str text;
	char *patch;		/* a copy of the text, where empty objects are made lists; NULL: none */
	size_t at, string, value;	/* how far it is read; where the last string and the last value began */
	struct str key;		/* whose value comes; with quotes */
	unsigned depth;
	bool done, object;
	struct map *members;	/* struct fact by key */
};

void facts_init(struct facts *f, struct ctx *cx, struct str text, char *patch);
void facts_fini(struct facts *f);
/* Reads on, about so many bytes; true at the end. */
bool facts_scan(struct facts *f, size_t bytes);
/* A member; NULL when there is none. Only at the end. */
const struct fact *facts_get(struct facts *f, struct str key);
/* Text that is a number as a whole, and not absurdly long. */
bool facts_number(struct str s, double *out);

/* ---- subquery.c: queries of a subscription ---- */

struct filter;
/* `queries` are JSON texts, all of which must match. *out NULL: everything matches. On failure a reason for the client, in cx or static. Who asks for
 * the same texts gets the same filter. */
const char *filter_new(struct ctx *cx, const struct str *queries, int n, struct filter **out);
struct filter *filter_ref(struct filter *f);
void filter_free(struct filter **fp);	/* gives a reference back; NULL inside is fine */
/* `payload` has been scanned. `event` (not 0): the answer is kept for who asks about the same event again. */
bool filter_match(struct filter *f, struct facts *payload, uint64_t event);
size_t filter_size(const struct filter *f);	/* bytes */
unsigned filter_steps(const struct filter *f);	/* what an evaluation takes at most */
size_t filter_count(void);
/* The queries as canonical JSON texts, one after the other as list elements. */
void filter_write(struct jw *w, const struct filter *f);

/* ---- held.c: the roles of connections ---- */

struct held_role {
	atom_t atom;
	int64_t since;		/* ms: what happened before was not its holder's by this role */
};

struct held {			/* shared by all that hold the same */
	unsigned magic;
	uint32_t refs, n;
	struct held_role *v;	/* by atom */
	uint64_t asked;		/* number of the event that `meets` is about */
	bool meets;
};

/* `since`: a time for each role, or NULL: they have always been held. */
struct held *held_get(atom_t space, const struct strs *roles, const int64_t *since);
void held_unref(struct held *h);	/* NULL is fine */
size_t held_sets(void);
const struct held_role *held_find(const struct held *h, atom_t role);	/* NULL: not held */
struct strs held_texts(const struct held *h, struct arena *a);
struct news;
bool held_meets(struct held *h, const struct news *n);		/* the event is for one of them */
bool held_met(const struct held *h, const struct news *n);	/* and was so when it happened */

/* ---- patron.c: whom connections count for together ---- */

struct patron;
/* A connection more of this user or address; NULL: there are too many (counted). `force`: it is there already. */
struct patron *patron_of_user(struct str home, struct str uid, bool force);
struct patron *patron_of_guest(const char *address, bool force);
void patron_leave(struct patron **pp);	/* NULL inside is fine */
bool patron_may_work(struct patron *p);	/* what it had done this minute is within rt_work_rate; else counted */
void patron_worked(struct patron *p, uint64_t steps);
struct purse *patron_purse(struct patron *p);	/* what they make the process hold; NULL for NULL */
size_t patron_count(void);

/* ---- news.c: one event of the stream ---- */

enum dialect { DIALECT_OLD, DIALECT_NEW, DIALECT_N };
enum { NEWS_SIEVE = 8 };

struct news {
	struct ctx cx;
	uint64_t number;	/* each has another */
	struct stream_pos pos;
	bool local;		/* made here (probe, statistics): has no position */
	bool own;		/* told to the connections of its project, not to the console */
	struct str project, pattern, user;
	struct strs names;	/* when given instead of a pattern */
	const char *ids[3];
	struct strs base, roles;
	struct strs hide;	/* members of the body that clients see empty */
	int64_t time;
	unsigned flags;
	const json_t *stale, *actor;
	size_t number_at;	/* where "$sequence" stands in the body; 0: nowhere */
	struct str body;
	/* made when first needed */
	int n_channels;
	struct channel *channels;
	struct str payload;
	bool shut;		/* the body is without what clients are not told */
	bool patched, cleaned;	/* the payload is body with lists for empty objects; it is as clients get it */
	struct facts facts;
	struct facts *tail;	/* what a live tail says of it; NULL: none has asked */
	struct frame *whole[DIALECT_N];	/* for connections with the one subscription of a URL */
	struct frame *head[DIALECT_N];	/* for others: up to the list of subscriptions */
	/* what somebody here knows of it */
	atom_t space;
	int n_chans, n_roles;
	atom_t *chans, *role_atoms;
	int n_old;		/* of chans: 1.0 names come first */
	uint64_t sieve[NEWS_SIEVE];	/* bits of chans: who is not in it is not among them */
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
/* The payload has to be looked through before it is sent: what queries ask, and empty objects. Does a part of it; true when it is done. */
bool news_scan(struct news *n, size_t bytes);
bool news_scanned(const struct news *n);
/* Which of its channels this is; -1: none. The later names are those from n_old on. */
int news_channel(const struct news *n, atom_t chan);
/* The id of the first subscription of a URL, and those of its further slots by printf. */
#define URL_SUBSCRIPTION "00000000000000000000"
#define URL_SUBSCRIPTIONS "%020x"
/* What opens an account or tells where it is used from: for its user alone, not for who acts as that one. */
bool news_personal(const struct news *n);
/* The frame for one subscription of a URL / what comes before `"a","b"]…` and what comes behind it. */
struct frame *news_whole(struct news *n, enum dialect d);
struct frame *news_head(struct news *n, enum dialect d, struct str *end_out);

/* {"type":"event","data":{"events":[ – the caller goes on, and ends all three. */
void frame_begin_event(struct jw *w, struct buf *b);

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
	atom_t id;
	bool personal;		/* "account" is among them: what it is depends on the user */
	struct filter *filter;	/* NULL: everything */
	uint32_t n_asked, n_chans;
	atom_t *asked, *chans;	/* the same list unless it is personal */
	struct tap *taps;	/* live tails, tail.c */
};

struct tap;

struct listen {			/* one channel of a connection (seats.c) */
	atom_t chan;		/* 0: a number that is free */
	uint32_t uses;		/* in so many subscriptions; of a free one: the next that is free, + 1 */
	uint32_t order;		/* of the k-th: the number of the k-th channel by atom */
};

struct task;

struct peer {
	unsigned magic;
	uint32_t num;
	uint8_t state;		/* enum rt_state; peer_move is the only writer */
	bool by_url;		/* channels were in the URL: the 1.0 dialect */
	bool simple;		/* one subscription of a URL without queries: whole frames are shared */
	bool admin;		/* a user of the console looks at a project */
	bool half;		/* the user's session lacks a second factor: the connection is a guest's */
	bool stale;		/* roles must be read anew before the next event */
	bool wide;		/* too many channels times roles: entered under the channels only, roles compared */
	bool counted;		/* in the statistics */
	bool resumes;		/* `since` waits for the first subscription */
	bool returns;		/* it came back: `horizon` is to be found before it is served */
	uint16_t messages;	/* in this window */
	uint32_t window;
	struct ws *ws;		/* NULL once closed */
	atom_t project;
	atom_t home;		/* project of the user: `project` or the console */
	atom_t user;		/* "user:<id>" in home; 0: guest */
	uint32_t user_pos;	/* seat under (WHO, user) */
	atom_t real;		/* "user:<id>" in home of who acts as that user, whose session it is then; 0: itself */
	uint32_t real_pos;	/* seat under (WHO, real) */
	atom_t session;		/* id in home, 0: none */
	atom_t address;		/* of the client */
	atom_t origin;		/* of its page; 0: none */
	atom_t host;		/* that it was asked for; 0 without an origin */
	atom_t key;		/* id of the developer's key without which its origin would be a foreign one; 0: none */
	uint32_t place_pos;	/* seat under (PLACE, project) */
	int64_t number, born;	/* of its project: another may have had the id before it, and have it next; when it was made, ms */
	uint32_t identities;	/* how often its user or roles have changed */
	uint64_t changes;	/* of the index, for it */
	int64_t expire;		/* when what it was opened with ends, ms; deadline.c is the only writer */
	int64_t until;		/* when its developer's key ends, ms; INT64_MAX: there is none */
	int64_t epoch;		/* the user's that its JWT is of; -1: it was opened with a session, which does not end with that */
	uint32_t due;		/* its place among those that end by time, + 1 */
	uint64_t mark;		/* number of the last event collected for it */
	bool mark_other;	/* it was in another's name then */
	uint8_t asks;		/* entries of the stream that it asks for next, by what it got last: some hold many events; 0: the most */
	uint64_t entered;	/* number of the last event that was collected before it entered the index */
	struct stream_pos at;	/* served up to here, while RT_CATCHING */
	struct stream_pos ahead;	/* has seen up to here, elsewhere: this process or the stream is not that far yet */
	struct stream_pos horizon;	/* what is up to here happened before it came back: it is shown what it may read now of that */
	struct stream_pos since;	/* where to begin with the first subscription, when it `resumes` */
	uint32_t n_chans, n_listens, cap_listens, free_listen;	/* channels; numbers given out, room for them, the first free one + 1 */
	struct listen *listens;
	uint32_t *pos;		/* positions in the index, by number and role; NULL: not entered */
	struct held *held;	/* its roles */
	uint32_t n_subs;
	unsigned n_filters;	/* subscriptions with one */
	struct sub *subs;
	uint64_t steps;		/* see peer_steps */
	size_t listen_bytes, sub_bytes;
	struct budget text;	/* what it is charged of these, with its roles and seats */
	struct patron *patron;	/* whom it counts for; NULL until it is let in */
	size_t in_purse;	/* bytes of its channels and queries there */
	struct task *task;	/* what runs or waits for a fiber */
	uint64_t said;		/* its number among those that have said something to a room; 0: it has not */
};

enum { PEER_MAGIC = 0x70656572, ATOM_WHO = UINT32_MAX, ATOM_ADDRESS = UINT32_MAX - 1, ATOM_PLACE = UINT32_MAX - 2, ATOM_ORIGIN = UINT32_MAX - 3, ATOM_HOST = UINT32_MAX - 4, SEAT_USER = UINT32_MAX, SEAT_PLACE = UINT32_MAX - 1, SEAT_REAL = UINT32_MAX - 2, ROLE_WIDE = UINT32_MAX };

struct peer *peer_new(struct ws *w);
void peer_free(struct peer *c);
struct peer *peer_by_num(uint32_t num);		/* NULL: none */
uint32_t peer_numbers(void);			/* numbers in use are below this */
unsigned peers_open(void);			/* connections, whatever has become of them so far */
void peer_move(struct peer *c, enum rt_state to);	/* enters and leaves the index */
/* Somebody whose session lacks a second factor is known, so that events reach the connection, but is no more than a guest. A JWT is not asked. */
static inline bool
peer_half(const struct peer *c, const struct login *l)
{
	return l->half && c->epoch < 0;
}
/* Changes who the connection is; l NULL: a guest. Keeps its place. `home` is the project the login is of. */
void peer_identify(struct peer *c, const char *home, const struct login *l, const char *session,
    int64_t expire);
struct str peer_uid(const struct peer *c);		/* empty for a guest */
struct str peer_real_uid(const struct peer *c);		/* of whose session it is */
/* Adds a subscription, in place of all parts with that id when `replace`. asked: allowed names. Takes the filter over. */
void peer_subscribe(struct peer *c, struct str id, const struct str *asked, int n, struct filter *f, bool replace);
bool peer_unsubscribe(struct peer *c, struct str id);
/* It counts for p, and no longer for whom it did. */
void peer_set_patron(struct peer *c, struct patron *p);
/* What an event may take for it: channels and nodes of queries, over all subscriptions. */
uint64_t peer_steps(const struct peer *c);
/* Whether so many bytes more of channels and queries fit, here and in the budget; a refusal is counted. */
bool peer_room(const struct peer *c, size_t more);
/* Writes the ids of the subscriptions that the event concerns as `"a","b"` to out[MATCHES_MAX]; returns the length, 0: none.
 * *later_out: a name later than 1.0 matched. */
enum { MATCHES_MAX = 64 * 1024 };
size_t peer_matches(const struct peer *c, struct news *n, char *out, bool *later_out);
/* The event is for this connection by channel and role. */
bool peer_concerned(const struct peer *c, const struct news *n);

/* ---- seats.c: the channels of a connection, and its places in the index ---- */

void seats_use(struct peer *c, atom_t chan);	/* one subscription more has it */
void seats_drop(struct peer *c, atom_t chan);
bool seats_have(const struct peer *c, atom_t chan);
void seats_enter(struct peer *c);
void seats_leave(struct peer *c);
void seats_fini(struct peer *c);
size_t seats_bytes(const struct peer *c);
uint64_t seats_changes(void);			/* of the index, so far; those for one peer: its `changes` */

/* ---- place.c: project and origin ---- */

void place_take(struct peer *c, const struct project *p, struct str origin, const char *host);	/* origin empty: none */
void place_take_key(struct peer *c, const struct api_key *k);	/* it may stay as long as that key of a developer lasts */
void place_leave(struct peer *c);
/* The project, or the key of a developer, lets the connection's origin in; else *why_out is what it is told, in a. */
bool place_origin_good(struct peer *c, struct arena *a, const struct project *p, const char **why_out);
/* The project has realtime switched on, or a member of its team looks at it (`member`). */
bool place_protocol_good(bool member, const struct project *p, const char **why_out);
/* A project has changed or is gone: its connections are looked at, those that may not stay are refused (1008). */
void place_event(const struct news *n);
/* The event is of the project that was made then, not of one that had the id before it, or has it now that it is gone. */
bool place_same(const struct news *n, int64_t born);

/* ---- url.c ---- */

/* Awaits. Subscribes to what the URL names. NULL, or why it cannot be, for the client (1008). */
const char *url_subscribe(struct ctx *cx, struct peer *c, struct ask *q);

/* ---- fanout.c ---- */

void fanout_init(void);
void fanout_hurry(bool on);		/* somebody listens, or nobody does any more */
void fanout_fini(void);
/* Everything of the connection's shard up to here has been collected. */
struct stream_pos fanout_pos(const struct peer *c);
int peer_shard(const struct peer *c);	/* of its project */
struct stream_pos fanout_told(int shard);	/* and all whom it concerns have been told */
bool fanout_ready(const struct peer *c);	/* that is known: nothing that is written from now on will be missed */
uint64_t fanout_role_changes(void);	/* counts events with flags */
/* Delivers one of our own making, behind what waits. */
void fanout_local(const char *project, const char *name, const char *channel, const char *role, struct str payload);
bool fanout_received(const struct peer *c);	/* the event that is being delivered was for it */
/* It gives up a seat, or the seat moves: an event whose receivers are being collected is still for it. */
void fanout_leaving(struct peer *c);
uint64_t fanout_number(void);			/* of the last event whose collecting has begun */
/* One event to one connection, if its subscriptions want it. `other`: it heard of the event in another's name. */
void fanout_send(struct peer *c, struct news *n, bool other);

/* ---- tail.c: live tails of projects ---- */

enum { TAILS_MAX = 10 };	/* of one connection */
bool tail_channel(struct str asked);	/* is the channel of one */
/* Awaits when the connection is of the console. Those of its subscriptions that are not open yet. False: it may not have one, and was refused, or is gone. */
bool tail_open(struct ctx *cx, struct peer *c);
bool tail_check(struct peer *c);	/* its roles are others: refused, and false, when one of its tails is not for them */
void tail_close(struct sub *s);		/* the subscription ends */
unsigned tail_count(const struct sub *s);
/* An event has happened: who follows its project. A part of them; true when all have it. */
bool tail_tell(struct news *n, int64_t *left);
bool tail_of(atom_t project);		/* somebody follows it */
void tail_project(struct str id, const struct project *p);	/* it has changed; NULL: it is gone */
void tail_fini(void);

/* ---- deadline.c: connections that end by time ---- */

void deadline_set(struct peer *c, int64_t ms);	/* INT64_MAX: never */
void deadline_pass(void *arg);			/* ends those whose time has come; arg is its own */

/* ---- task.c: what needs a fiber, one at a time per connection ---- */

void task_open(struct peer *c, struct http_msg *up);
void task_settle(struct peer *c);		/* the connection is RT_CATCHING */
/* Queues a message behind what runs. False when the connection has too many waiting. */
bool task_message(struct peer *c, struct str text);
/* The running task waits for its client: others may run meanwhile. */
void task_step_aside(bool on);
void task_abandon(struct peer *c);		/* the socket is gone */

/* ---- said.c: messages that rooms answer ---- */

void said_init(void);
void said_fini(void);
const struct socket_word *said_word(struct str type);	/* NULL: no room's */
/* Awaits. True when the members of the answer are in w; else the client has been told why not, or is gone. */
bool said_handle(struct ctx *cx, struct peer *c, const struct socket_word *word, json_t *data, struct jw *w);
void said_leave(struct peer *c);	/* it ends, or is somebody else's: the rooms that it spoke to are told */

/* ---- handshake.c, horizon.c, message.c, resume.c, who.c (on a fiber; all await) ---- */

void peer_handshake(struct ctx *cx, struct peer *c, struct http_msg *up);
/* True when the message needs no database and was handled at once. */
bool message_quick(struct peer *c, struct str text);
void message_slow(struct ctx *cx, struct peer *c, struct str text);
/* Counts the message against the limit; false (and told) when it is over. */
bool message_counted(struct peer *c);
/* Brings an RT_CATCHING connection into the index. */
void peer_settle(struct ctx *cx, struct peer *c);
/* Sets the horizon of a connection that returns, when all that is up to it has been gone through here. */
err_t horizon_pass(struct ctx *cx, struct peer *c) MUST_CHECK;
/* Where the stream stands for a client that connects: c->at. ERR_BUS when it cannot be known now. */
err_t resume_now(struct ctx *cx, struct peer *c) MUST_CHECK;
/* The same for one that names `since`: c->at is where it goes on. *gap_out: what it missed may not all be there, and c->at is now.
 * ERR_GENERAL_ARGUMENT_INVALID when it is no position. */
err_t resume_check(struct ctx *cx, struct peer *c, struct str since, bool *gap_out) MUST_CHECK;
/* The login of a token or JWT as of now: not older than any role change that fanout has seen. */
err_t who_by_token(struct ctx *cx, const struct project *p, struct str token, struct login **out) MUST_CHECK;
err_t who_by_tokens(struct ctx *cx, const struct project *p, const struct login_tokens *t, struct login **out) MUST_CHECK;
err_t who_by_jwt(struct ctx *cx, const struct project *p, struct str jwt, struct login **out) MUST_CHECK;
err_t who_refresh(struct ctx *cx, struct peer *c) MUST_CHECK;
/* Awaits. *l, a user who may act as others, is the one with this id, address or number from now on, if there is one (not NULL, not empty). `factors`: what the
 * session has proved; NULL: a JWT's. */
err_t who_as_other(struct ctx *cx, const struct project *p, struct str id, struct str email, struct str phone, struct login **l) MUST_CHECK;
/* In mode admin only members of the owning team are somebody. */
bool who_owns(struct ctx *cx, const struct project *p, const struct login *l);
/* An event has been delivered: what it means for the connections of its user, when it is flagged. A part of them; true when all have been told. */
bool who_tell(const struct news *n, int64_t *left);
void who_told(void);			/* it is over */

void peer_error(struct peer *c, int code, const char *message);
void peer_refuse(struct peer *c, int code, const char *message);	/* error frame, then the end */
void peer_end(struct peer *c, int code, const char *reason);	/* a Close frame behind what is queued; nothing more is sent */

void stats_count(atom_t project, int n);	/* connections come and go */

#endif
