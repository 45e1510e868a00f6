/* HTTP and WebSocket over libwebsockets on the loop. The only file that names lws is src/io/http.c (and http_ws.c).
 *
 * HTTP/1.1 with keep-alive, HTTP/2 over TLS. One request in flight per HTTP/1.1 connection; pipelining, chunked request bodies and
 * bodies longer than declared end the connection (411 where an answer is possible). The adapter answers by itself, as JSON error
 * envelope: 400 malformed, 408 slow head or body, 411, 413, 431. */
#ifndef BADAL_IO_HTTP_H
#define BADAL_IO_HTTP_H

#include "core/arena.h"
#include "core/str.h"

enum http_hdr {			/* request headers the program reads; any other is dropped */
#define HDR(name, text) HDR_##name,
#include "tbl/headers.h"
#undef HDR
	HDR_N
};

struct http_msg {		/* one complete request; lives until http_done */
	struct arena *arena;	/* holds everything below; owned by the message */
	struct str method;	/* "GET"… upper case as sent */
	struct str path;	/* raw bytes before '?', starts with '/' */
	struct str query;	/* raw bytes after '?', may be empty */
	struct str hdr[HDR_N];	/* values, trimmed; a duplicate: Cookie joined with "; ", others: the first */
	struct str body;
	const char *peer;	/* address of the peer as text, "127.0.0.1" */
	bool tls;
	int version;		/* 10, 11, 20 */
	int64_t start_us;	/* loop time when the head was complete */
	void *data;		/* for the handler */
	void *conn;		/* private to the adapter */
};

struct http_header {
	const char *name;	/* lower-case or canonical; sent as given on HTTP/1.1 */
	const char *value;	/* NUL-terminated */
};

struct ws;			/* one WebSocket */

/* A WebSocket text message, encoded once, shared by all sockets that send it. Private headroom precedes the data. */
struct frame {
	unsigned refs;
	size_t len;
	char *data;
};
struct frame *frame_new(struct str text);	/* copies; refs 1 */
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

struct http_handler {
	/* A request is complete. Called on the loop; http_reply must be called once, now or later, then http_done. */
	void (*request)(struct http_msg *m);
	/* The client left before the reply: cancel what runs. http_reply is a no-op then; http_done is still due. */
	void (*gone)(struct http_msg *m);
	/* An upgrade on the WebSocket path succeeded (101 always). `up` is valid until http_done(up), which is due. */
	void (*ws_open)(struct ws *w, struct http_msg *up);
	void (*ws_message)(struct ws *w, struct str text);	/* one reassembled message, text or binary; <= conf.rt_message_max */
	void (*ws_close)(struct ws *w);				/* gone, for whatever reason; w is invalid afterwards. Always called once */
};

/* Listens on conf.listen/conf.port with SO_REUSEPORT (TLS when conf.tls_cert is set). False and a log line when it cannot. */
bool http_listen(const struct http_handler *h, const char *ws_path);
/* Draining: stop accepting, answer "Connection: close", close idle keep-alive connections, close WebSockets with 1012. */
void http_drain(void);
unsigned http_open_requests(void), http_open_sockets(void);
unsigned http_unsent_answers(void);	/* connections that end once the kernel has taken their answer: slow readers of a large one */
void http_fini(void);

/* Sends status line, headers and body in one write (Content-Length, Date and Connection are added; no body for HEAD, 204, 304).
 * headers and body are copied when they cannot be written at once. */
void http_reply(struct http_msg *m, int status, const struct http_header *h, int nh, struct str body);
void http_done(struct http_msg *m);	/* frees the message and its arena */

/* WebSocket. ws_send writes at once when nothing is queued and the connection is not choked, else queues a reference.
 * Over conf.rt_queue_soft the connection counts as lagging, over conf.rt_queue_hard (bytes) or rt_queue_frames it is closed with 1013. */
void ws_set_data(struct ws *w, void *data);
void *ws_data(const struct ws *w);
void ws_send(struct ws *w, struct frame *f);			/* takes its own reference */
/* The message is f's text followed by `tail`, which differs per connection (copied). */
void ws_send_tail(struct ws *w, struct frame *f, struct str tail);
void ws_send_text(struct ws *w, struct str text);
void ws_close(struct ws *w, int code, const char *reason);	/* Close frame after what is queued, then TCP */
void ws_drop(struct ws *w);					/* TCP drop without Close frame, after what is queued */
bool ws_lagging(const struct ws *w);

#endif
