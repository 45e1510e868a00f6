/* Private to the HTTP adapter (src/io/http*.c).
 *
 * A connection is a struct conn on one of the lists below; the list is its state and says which deadline it has. Bytes go
 * socket (http.c, the only file that names lws) -> TLS if any (http_tls.c) -> HTTP/1.1 (http_h1.c), HTTP/2 (http_h2.c) or
 * WebSocket (http_ws.c), and back through conn_write. Nobody closes a socket inside a call that others are in the middle of:
 * conn_doom and conn_finish only mark; the loop does it. A message (http_msg.c) is a request and its answer, whatever the protocol; bodies
 * and answers in pieces are in http_stream.c, files in http_file.c. */
#ifndef BADAL_IO_HTTP_PRIV_H
#define BADAL_IO_HTTP_PRIV_H

#include "config.h"

#include <sys/types.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/budget.h"
#include "io/http.h"

struct lws;
struct tls;
struct h2;

enum conn_list {	/* oldest first, so that the deadline check looks at heads only */
	LIST_IDLE,	/* between two requests; keepalive_timeout */
	LIST_UNSENT,	/* the same, but lws keeps some of the last answer: nothing is read until it is out; transfer_stall, rate_min */
	LIST_HEAD,	/* new, or a head has begun to arrive; head_timeout in all */
	LIST_BODY,	/* body being collected; the message has its deadlines (struct watch) */
	LIST_BUSY,	/* the handler has the request; no deadline of ours */
	LIST_H2,	/* HTTP/2; looked at every head_timeout */
	LIST_WS,	/* WebSocket between two messages; asked for a sign of life after rt_ping_interval */
	LIST_WS_ASKED,	/* has had a ping; has said nothing since; closed after another rt_ping_interval */
	LIST_WS_PART,	/* in the middle of a message; rt_message_timeout from its first byte */
	LIST_CLOSING,	/* flushing, or waiting for the peer to close */
	LIST_DOOMED,	/* closed at the next turn of the loop */
	LIST_N
};

enum proto { PROTO_H1, PROTO_H2, PROTO_WS };

enum { CONN_MAGIC = 0x434f4e4e, MSG_MAGIC = 0x4d534721, WS_MAGIC = 0x57534f4b };

/* Bytes kept between two reads. Freed when empty, so that an idle connection holds none. */
struct rest {
	char *p;
	uint32_t n, cap;
};
void rest_add(struct rest *r, const void *p, size_t n);
void rest_cut(struct rest *r, size_t n);	/* drops n bytes from the front */
void rest_free(struct rest *r);

/* Where in a body that comes in chunks its reader is (http_chunks.c). All zero: the body is not in chunks. */
struct chunks {
	uint64_t left;		/* of the chunk; its size as far as it has been read */
	uint16_t line;		/* bytes of the line, or of all trailers, so far */
	uint16_t excess;	/* framing that its data does not justify */
	uint8_t state;		/* enum chunks_state */
};
void chunks_begin(struct chunks *d);
/* The next bytes: returns how many were used, up to the first run of data, which is data_out (empty: there is none yet), or to the end. */
size_t chunks_take(struct chunks *d, const char *p, size_t n, struct str *data_out);
bool chunks_ended(const struct chunks *d);	/* the last chunk and its trailers are there */
bool chunks_bad(const struct chunks *d);	/* there is no knowing where the body ends */

/* Something that waits for its client without a fiber: looked at several times a second. All zero when it is not watched. */
struct watch {
	struct watch *prev, *next;
	void (*check)(struct watch *w, uint64_t now);	/* ends it when it has waited too long */
};
void watch_add(struct watch *w, void (*check)(struct watch *w, uint64_t now));
void watch_remove(struct watch *w);
void watch_tick(void);

/* What a connection may send besides what it moves, in thousandths of a frame. It comes back with time, and with bytes. */
struct allowance {
	int64_t left;
	uint64_t counted;	/* loop_now() of the last that was spent */
};

struct msg {				/* what is behind a struct http_msg */
	struct http_msg m;		/* first: handlers hold a pointer to it */
	unsigned magic;
	struct conn *conn;		/* NULL once answered, or gone */
	int32_t stream;			/* HTTP/2 stream */
	bool given;			/* the handler has it */
	bool collecting;		/* its body is kept for the handler */
	bool answered;
	bool begun;			/* an answer in pieces has begun */
	bool head;			/* HEAD: no body in the answer */
	bool keep;			/* the client can keep the connection */
	bool upgrade;			/* wants a WebSocket and may have it */
	bool expects;			/* waits for "100 Continue" */
	bool ended;			/* all of the body has arrived */
	bool unwanted;			/* what is left of the body is thrown away */
	bool bodiless;			/* the answer in pieces has none: HEAD, 204, 304 */
	bool in_chunks;			/* HTTP/1.1: the body comes so */
	bool chunked;			/* the answer goes so */
	bool last;			/* its end went with its last piece */
	bool choked;			/* the kernel takes nothing of the file just now */
	err_t refused;			/* why pieces of the body were lost: no room in the budget */
	struct str ws_key;
	struct budget held;		/* bytes of the body that are here */
	struct budget besides;		/* what else it makes us hold: a large head, what is made of the body */
	uint32_t joined[HDR_N];		/* room of values that are joined */
	/* collecting */
	struct watch watch;
	uint64_t started, heard;	/* loop_now() of the head, of the last bytes of the body */
	int64_t limit;
	char *kept;			/* malloc; NULL: small ones are in the arena */
	size_t room;			/* of m.body */
	/* streaming */
	struct rest arrived, taken;	/* of the body: for the next http_body_read, of the last one */
	struct fib_event event;		/* something of what the fiber waits for may have come */
	uint64_t waited;		/* ms that it has waited for the client, for this body or answer */
	uint64_t out;			/* bytes of the answer written */
	int64_t out_length;		/* announced, or -1 */
};

enum ws_state {		/* only forward; ws_move is the only writer */
	WS_OPEN,
	WS_CLOSING,	/* our Close is queued or sent, nothing else follows; the peer's is due */
	WS_ENDING,	/* nothing is due: FIN once the queue is empty */
	WS_GONE		/* the socket went; the handler is being told */
};

struct ws {
	unsigned magic;
	uint8_t state;			/* enum ws_state */
	bool in_message;		/* a fragmented message has begun */
	bool lagging;
	struct conn *conn;		/* NULL when WS_GONE */
	void *data;			/* the handler's */
	struct frame **queue;		/* ring; NULL while empty */
	uint32_t q_cap, q_head, q_n;
	size_t q_bytes;
	struct rest text;		/* fragments of a message so far */
	struct allowance frames;
	struct purse *purse;		/* whom it counts for; NULL: nobody yet */
	size_t in_purse;		/* bytes of it there */
};

struct conn {
	unsigned magic;
	uint8_t list;			/* enum conn_list */
	uint8_t proto;			/* enum proto */
	uint8_t family;			/* AF_INET, AF_INET6 or AF_UNIX */
	bool first;			/* nothing has arrived yet: it may become HTTP/2 */
	bool untouched;			/* not a byte has come from the socket */
	bool surplus;			/* bytes behind an unanswered request: close after the answer */
	bool fin_due;			/* FIN once all output is out */
	bool fin_sent;
	bool deaf;			/* the socket is not read */
	bool bulk;			/* it is read by http_bulk.c */
	uint64_t since;			/* loop_now() when it joined its list */
	uint8_t addr[16];		/* of the peer */
	struct conn *prev, *next;
	struct lws *wsi;
	struct tls *tls;		/* NULL: plain */
	struct rest in;			/* unparsed input: a partial head or frame */
	struct far *far;		/* where it comes from; NULL: through a proxy */
	struct budget part;		/* of what is not complete: `in`, and fragments of a message */
	uint32_t scanned;		/* bytes of `in` known to hold no end of head */
	uint32_t swallowed;		/* surplus or lingering input thrown away */
	uint64_t heard;			/* LIST_CLOSING: loop_now() of the last of that */
	uint64_t patience;		/* LIST_UNSENT, LIST_CLOSING: loop_now() when all of the answer must be out, or its client is too slow on average */
	uint64_t skip;			/* bytes that may still come of a body that nobody wanted, between two requests */
	struct chunks chunks;		/* H1: of the request's body, or of that which is skipped */
	struct budget unread;		/* answers that lws keeps for the socket */
	int unsent;			/* LIST_UNSENT, LIST_CLOSING, LIST_WS_ASKED: bytes that the kernel held when last looked at */
	union {
		struct msg *msg;	/* H1: request being read or answered */
		struct h2 *h2;
		struct ws *ws;
	};
};

extern const struct http_handler *http_handler;
extern const char *http_ws_path;
extern bool http_draining;
extern unsigned http_sockets;	/* WebSockets open */

/* http.c */
enum { LINGER_MS = 2000 };	/* a client that has its answer and is silent for so long sends no more */
void conn_move(struct conn *c, enum conn_list to);	/* the only writer of c->list; restarts the deadline */
void conn_write(struct conn *c, const void *p, size_t n);	/* through TLS; all of it is written or buffered, or c is doomed */
void conn_send(struct conn *c, const void *p, size_t n);	/* past TLS */
struct conn *conn_oldest(enum conn_list l, uint64_t ms);	/* head of the list if it has been there for `ms`, or NULL */
bool conn_clear(const struct conn *c);			/* nothing is buffered: the next write goes to the socket */
void conn_want_write(struct conn *c);			/* conn_writable comes */
void conn_finish(struct conn *c);			/* FIN after what is buffered, then wait for the peer's */
void conn_doom(struct conn *c);				/* closed as soon as the loop turns */
void conn_drain(struct conn *c, enum conn_list to);	/* conn_move for what must be out within the client's patience, which begins now */
void conn_listen(struct conn *c, bool on);		/* whether the socket is read */
/* The next bytes of the file at *offset straight to a plain socket with nothing buffered; what was taken, 0: nothing just now, -1: broken
 * (connection or file). */
ssize_t conn_send_file(struct conn *c, int fd, uint64_t *offset, size_t n);
int conn_unsent(const struct conn *c);			/* bytes that the kernel holds for the peer */
static inline bool
conn_ending(const struct conn *c)
{
	return c->list == LIST_CLOSING || c->list == LIST_DOOMED;
}
void conn_received(struct conn *c, char *p, size_t n);	/* as they came from the socket */
void conn_input(struct conn *c, char *p, size_t n);	/* plain bytes; they may be changed in place */
extern char conn_scratch[];				/* for building output; nobody keeps it across a call */
enum { SCRATCH_SIZE = 128 * 1024 };

/* http_bulk.c */
bool bulk_open(void);
void bulk_fini(void);			/* before the loop's last turns */
void bulk_enter(struct conn *c);	/* a long body comes: its socket takes turns with others of its kind */
void bulk_forget(struct conn *c);	/* the connection goes */
void bulk_listen(struct conn *c);	/* c->deaf has changed */

/* http_far.c */
enum { FAR_TEXT_MAX = 46 };
void far_text(int family, const void *addr, char out[FAR_TEXT_MAX]);
/* A connection more of this address; false: it has too many (counted). */
bool far_enter(const char *peer, struct far **out);
void far_leave(struct far **fp);		/* NULL inside is fine */
const char *far_address(const struct far *f);	/* NULL for NULL */

void far_flooded(struct far *f);		/* NULL is fine: a connection from there was ended for a flood */
bool far_calm(const struct far *f);		/* one was, a short time ago; NULL: no */

/* http_flood.c; rate: frames a second, 0: no bound */
enum { BYTES_PER_FRAME = 512 };			/* that earn another */
void allowance_begin(struct allowance *a, int64_t rate, const struct far *from);
void allowance_earn(struct allowance *a, int64_t rate, size_t bytes);
bool allowance_spend(struct allowance *a, int64_t rate, int64_t thousandths);	/* false: it is more than there is */
void conn_flooded(const struct conn *c, const char *what);	/* the caller ends it: counts it, and notes where it came from */

/* http_msg.c */
enum { PIECE = 64 * 1024 };
struct msg *msg_new(struct conn *c);
void msg_give(struct msg *x);		/* to the handler, at its head */
void msg_upgraded(struct msg *x);	/* the handler has it with its WebSocket: only http_done is due */
void msg_gone(struct msg *x);		/* its connection is going: tell the handler or free it */
void msg_free(struct msg *x);		/* one that no handler has */
struct msg *msg_cast(const struct http_msg *m);
void msg_body(struct msg *x, const char *p, size_t n);	/* bytes of its body; it may have been refused afterwards */
void msg_body_end(struct msg *x);	/* that was all */
void msg_body_more(struct msg *x, uint64_t n);	/* so much more is announced, at least; it may have been refused afterwards */
void msg_body_bad(struct msg *x);	/* the rest cannot be read; it may have been refused afterwards */
/* The body is asked for: who waits for it says so. */
void msg_body_wanted(struct msg *x);
bool client_too_slow(uint64_t bytes, uint64_t ms);	/* under conf.rate_min */
extern unsigned msgs_given;

/* http_stream.c */
void stream_body(struct msg *x, const char *p, size_t n);
/* Where its next bytes may be read to, without a copy; NULL: they go the usual way. Then how many did come. */
char *stream_room_in(struct msg *x, size_t *room_out);
void stream_took_in(struct msg *x, size_t n);
void stream_wake(struct msg *x);	/* something came, went or ended */
void stream_fini(struct msg *x);
/* Awaits room for another piece of the answer. */
err_t stream_room(struct ctx *cx, struct msg *x) MUST_CHECK;
err_t stream_gone(struct ctx *cx, const struct msg *x) MUST_CHECK;	/* ERR_CANCELLED once the client has left */

const char *http_date(void);		/* "Sun, 06 Nov 1994 08:49:37 GMT", made once a second */
const char *http_hsts(const struct conn *c);	/* Strict-Transport-Security of every answer over our own TLS; NULL: none */
const char *status_text(int status);
bool header_sane(const struct http_header *h);
/* Headers and envelope of an error that the adapter answers by itself. The body is in a static buffer. */
int error_headers(struct msg *x, struct http_header out[REFUSAL_HEADERS]);
struct str error_body(err_t e);

/* http_head.c */
err_t head_parse(struct msg *x, char *head, size_t n);	/* head in the message's arena, through the empty line */
/* What a head says that is refused, or not complete: for an answer that its page can read. */
void head_guess(struct msg *x, const char *p, size_t n);
/* Offset behind the empty line, 0: not there yet, -1: there never will be. `from` is where to begin. */
ssize_t head_end(const char *p, size_t n, size_t from);
int header_known(const char *name, size_t n);		/* enum http_hdr or -1 */
bool header_once(uint64_t *seen, int hdr);		/* notes that one came; false: it may not come again */
void header_set(struct msg *x, int hdr, struct str value);
void header_setup(void);

/* http_field.c */
bool header_value_ok(const char *p, size_t n);
enum { LENGTH_BAD = -1, LENGTH_LARGE = -2 };
int64_t header_length(struct str v);	/* of Content-Length, or one of these */

/* http_h1.c */
void h1_input(struct conn *c, char *p, size_t n);
void h1_wait(struct conn *c);
void h1_reply(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh, struct str body);
void h1_timeout(struct conn *c);
void h1_no_room(struct conn *c, err_t e);	/* for the part of a head that has come */
void h1_sent(struct conn *c);		/* LIST_UNSENT: all is out */
void h1_refuse(struct conn *c, struct msg *x, err_t e);	/* an answer of the adapter's own; frees x */
void h1_begin(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh);
void h1_write(struct conn *c, struct msg *x, struct str piece, bool last);	/* last: and the end behind it */
void h1_end(struct conn *c, struct msg *x);

/* http_h2.c */
bool h2_start(struct conn *c);
void h2_input(struct conn *c, const char *p, size_t n);
void h2_reply(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh, struct str body);
void h2_refuse(struct conn *c, struct msg *x, err_t e);
void h2_begin(struct conn *c, struct msg *x, int status, const struct http_header *h, int nh);
void h2_write(struct conn *c, struct msg *x, struct str piece);
void h2_end(struct conn *c, struct msg *x);
bool h2_room(const struct conn *c, const struct msg *x);	/* its last pieces are on their way */
uint64_t h2_moved(const struct conn *c, const struct msg *x);	/* loop_now() when the client last took some */
void h2_cut(struct conn *c, struct msg *x, bool cancel);	/* resets the stream: cancelled, or an error of ours; forgets x */
void h2_took(struct conn *c, const struct msg *x, size_t n);	/* n bytes of the body were taken: their window is given back */
void h2_writable(struct conn *c);
void h2_timeout(struct conn *c);
void h2_drain(struct conn *c);
void h2_closed(struct conn *c);

/* http_ws.c */
bool ws_path_is(struct str path);
void ws_upgrade(struct conn *c, struct msg *x);
void ws_input(struct conn *c, char *p, size_t n);
void ws_writable(struct conn *c);
size_t ws_part(const struct conn *c);	/* bytes of a message that is not complete, besides `in` */
void ws_no_room(struct conn *c);	/* for these */
void ws_closed(struct conn *c);
void ws_sweep(void);	/* deadlines of WebSockets: pings, and who did not answer or does not end a message */
void ws_drain(void);

/* http_tls.c */
bool tls_setup(const char *cert, const char *key);
void tls_fini(void);
enum { TLS_HANDSHAKE_BYTES = 48 * 1024 };	/* what one that is not complete takes, about */
struct tls *tls_new(void);
void tls_free(struct tls **tp);
void tls_input(struct conn *c, const char *p, size_t n);	/* ciphertext in, conn_input out */
void tls_write(struct conn *c, const void *p, size_t n);
void tls_bye(struct conn *c);		/* close_notify */
bool tls_is_h2(const struct conn *c);
bool tls_looks(unsigned char first);	/* a connection that begins so speaks TLS */

#define CONN(ptr) conn_cast(ptr)
struct conn *conn_cast(void *p);

#endif
