/* HTTP and WebSocket over libwebsockets on the loop. The only file that names lws is src/io/http.c (and http_ws.c).
 *
 * HTTP/1.1 with keep-alive, HTTP/2 over TLS. One request in flight per HTTP/1.1 connection; pipelining and bodies longer than declared end
 * the connection. Bodies come with a length, in chunks, or in the frames of HTTP/2: a handler sees no difference. The adapter answers by itself, as JSON error
 * envelope: 400 malformed, 408 slow head or body, 413, 431, and 429 or 503 when a body finds no room in the budget of bytes.
 *
 * A request is handed over at its head. Its body is then kept until it is complete (http_collect), taken in pieces (http_body_read),
 * or not wanted; its answer is one buffer (http_reply), pieces (http_begin, http_write, http_end) or a file (http_send_file). */
#ifndef BADAL_IO_HTTP_H
#define BADAL_IO_HTTP_H

#include "core/arena.h"
#include "core/ctx.h"
#include "core/str.h"

enum http_hdr {			/* request headers the program reads; any other is dropped */
#define HDR(name, text, many) HDR_##name,
#include "tbl/headers.h"
#undef HDR
	HDR_N
};

struct http_msg {		/* one request; lives until http_done */
	struct arena *arena;	/* holds everything below; owned by the message */
	struct str method;	/* "GET"… upper case as sent */
	struct str path;	/* raw bytes before '?', starts with '/' */
	struct str mark;	/* of a path that begins with "/~<mark>/": the address that was given to the caller is a marked one. Not in `path`; STR_NONE: none */
	struct str query;	/* raw bytes after '?', may be empty */
	struct str hdr[HDR_N];	/* values, trimmed; of several of one name: tbl/headers.h */
	int64_t length;		/* of the body, as announced; 0: there is none, -1: known at its end only (chunks, HTTP/2) */
	uint64_t received;	/* bytes of the body so far */
	struct str body;	/* of http_collect: all of it */
	const char *client;	/* whom its bytes count for while its caller is nobody: the peer, until the handler knows better; NULL: nobody */
	const char *peer;	/* address of the peer as text, "127.0.0.1"; HTTP_LOCAL */
	bool tls;
	int version;		/* 10, 11, 20 */
	int64_t start_us;	/* loop time when the head was complete */
	void *data;		/* for the handler */
	void *conn;		/* private to the adapter */
};

#define HTTP_LOCAL "local"	/* who came through a socket of this machine */

struct http_header {
	const char *name;	/* lower-case or canonical; sent as given on HTTP/1.1 */
	const char *value;	/* NUL-terminated */
};

struct ws;			/* one WebSocket */

struct purse;			/* budget.h: what the WebSockets of one client make us hold together */

/* A WebSocket text message, encoded once, shared by all sockets that send it. Private headroom precedes the data. */
struct frame {
	unsigned refs;
	unsigned queued;	/* sockets whose queue it is in */
	size_t len;
	char *data;
};
struct frame *frame_new(struct str text);	/* copies; refs 1 */
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

enum { REFUSAL_HEADERS = 16 };

struct http_handler {
	/* The head of a request is complete, its body (m->length != 0) is not. Called on the loop. Unless it calls http_collect, the message
	 * is the handler's: it must be answered once, now or later, then http_done. */
	void (*request)(struct http_msg *m);
	/* All of a body that was to be collected is in m->body. The message is the handler's now, as above. */
	void (*collected)(struct http_msg *m);
	/* Headers of an error that the adapter answers by itself, as JSON; of the head, m has what could be read. Texts are static or in the
	 * message's arena. Returns how many. NULL: its type alone. */
	int (*refusal)(struct http_msg *m, struct http_header out[REFUSAL_HEADERS]);
	/* Whether this peer speaks for others (a proxy): then its connections do not count for its address. NULL: nobody does. */
	bool (*relays)(const char *peer);
	/* The client left before the end of the answer: cancel what runs. Answers are no-ops then; http_done is still due. */
	void (*gone)(struct http_msg *m);
	/* An upgrade on the WebSocket path succeeded (101 always). `up` is valid until http_done(up), which is due. */
	void (*ws_open)(struct ws *w, struct http_msg *up);
	void (*ws_message)(struct ws *w, struct str text);	/* one reassembled message, text or binary; <= conf.rt_message_max */
	void (*ws_close)(struct ws *w);				/* gone, for whatever reason; w is invalid afterwards. Always called once */
};

struct addrinfo;
/* Where conf.listen and conf.port say; to be freed with freeaddrinfo. 0, or an error of getaddrinfo. */
int http_address(struct addrinfo **out);
/* A socket of IPv6 that is about to be bound takes IPv4, too, whatever the machine's setting. */
bool http_both_families(int fd, const struct addrinfo *ai);
/* Listens on conf.listen/conf.port with SO_REUSEPORT (TLS when conf.tls_cert is set). False and a log line when it cannot. */
bool http_listen(const struct http_handler *h, const char *ws_path);
/* The same without a socket: the handler's connections come from those given to http_listen_on, which listen and do not block. TLS is set up by
 * http_listen, as conf has it, or by http_tls. */
bool http_open(const struct http_handler *h, const char *ws_path);
bool http_listen_on(int fd, bool tls);
bool http_tls(const char *cert, const char *key);	/* TLS for these, where http_listen is not used. False and a log line when it cannot */
/* Draining: stop accepting, answer "Connection: close", close idle keep-alive connections, close WebSockets with 1012. */
void http_drain(void);
unsigned http_open_requests(void), http_open_sockets(void);
unsigned http_unsent_answers(void);	/* connections that end once the kernel has taken their answer: slow readers of a large one */
void http_fini(void);

/* Sends status line, headers and body in one write (Content-Length, Date and Connection are added; no body for HEAD, 204, 304).
 * headers and body are copied when they cannot be written at once. */
void http_reply(struct http_msg *m, int status, const struct http_header *h, int nh, struct str body);
void http_done(struct http_msg *m);	/* frees the message and its arena; an answer without its end is cut off, so that the client sees it */

/* From `request` only, and only when there is a body: keeps it, at most `max` bytes, and calls `collected`. The message is the adapter's
 * until then, and may be so for ever: a body that is too large, too slow, or one too many is answered by the adapter. */
void http_collect(struct http_msg *m, int64_t max);
/* The caller is somebody: what the message holds counts for the process alone. */
void http_known(struct http_msg *m);
/* Charges n bytes that the request makes us hold besides its body, until http_done; for its client while its caller is nobody. ERR_BYTES_…. */
err_t http_charge(struct http_msg *m, size_t n) MUST_CHECK;
/* The same for its head, when that is large. */
err_t http_charge_head(struct http_msg *m) MUST_CHECK;

/* The calls below await on the fiber that serves the message. While they wait for the client, the deadline of cx stands still; the client
 * has deadlines of its own: conf.transfer_stall without a byte, conf.rate_min on average, conf.transfer_timeout in all. Once the client has
 * left they return ERR_CANCELLED. */

/* The next piece of the body, as it comes; n is 0 at its end. Valid until the next call. The socket is not read (HTTP/2: the window is not
 * given back) while pieces wait. ERR_REQUEST_TIMEOUT: too slow; ERR_BYTES_…: no room in the budget. Not after the answer has begun. */
err_t http_body_read(struct ctx *cx, struct http_msg *m, struct str *piece_out) MUST_CHECK;

/* Says that there is no answer yet (102), to who asks by HTTP/1.1. */
void http_wait(struct http_msg *m);
/* Begins an answer in pieces of `length` bytes in all; -1: not known before (chunked, or until the connection ends for HTTP/1.0). A body that
 * was not read to its end is not wanted any more. */
void http_begin(struct http_msg *m, int status, const struct http_header *h, int nh, int64_t length);
/* Awaits until at most a piece of 64 KiB waits for the client besides this one's last. ERR_CANCELLED also when it takes too
 * little; end the message then. */
err_t http_write(struct ctx *cx, struct http_msg *m, struct str piece) MUST_CHECK;
/* The same and http_end, in one go as far as it can be. After an error the message is still to be ended. */
err_t http_write_last(struct ctx *cx, struct http_msg *m, struct str piece) MUST_CHECK;
void http_end(struct http_msg *m);	/* all of `length` must have been written */
/* Begins, writes and ends an answer of n bytes of the file from `offset`. Awaits its end, or an error, after which the answer is cut. */
err_t http_send_file(struct ctx *cx, struct http_msg *m, int status, const struct http_header *h, int nh, int fd, uint64_t offset, uint64_t n) MUST_CHECK;
bool http_begun(const struct http_msg *m);	/* an answer has been begun or given */

/* WebSocket. ws_send writes at once when nothing is queued and the connection is not choked, else queues a reference.
 * Over conf.rt_queue_soft the connection counts as lagging, over conf.rt_queue_hard (bytes) or rt_queue_frames it is closed with 1013. */
void ws_set_data(struct ws *w, void *data);
void *ws_data(const struct ws *w);
void ws_set_purse(struct ws *w, struct purse *p);	/* it counts for this one from now on; NULL: for none. Borrowed until another, or ws_close */
void ws_send(struct ws *w, struct frame *f);			/* takes its own reference */
/* The message is f's text followed by `tail`, which differs per connection (copied). */
void ws_send_tail(struct ws *w, struct frame *f, struct str tail);
void ws_send_text(struct ws *w, struct str text);
void ws_close(struct ws *w, int code, const char *reason);	/* Close frame after what is queued, then TCP */
void ws_drop(struct ws *w);					/* TCP drop without Close frame, after what is queued */
bool ws_lagging(const struct ws *w);

#endif
