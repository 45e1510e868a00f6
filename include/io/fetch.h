/* Outgoing requests for fibers: HTTP(S) and SMTP(S), libcurl on the loop.
 *
 * Addresses of private networks are refused unless allowed. The check is made on the very address a socket is about to connect to, so
 * neither a name that changes its mind between two look-ups nor a redirect gets around it. Proxies of the environment are not used. */
#ifndef BADAL_IO_FETCH_H
#define BADAL_IO_FETCH_H

#include "core/ctx.h"
#include "core/fiber.h"

struct fetch_header {
	const char *name, *value;
};

enum fetch_tls {		/* of smtp:// */
	FETCH_TLS_TRY,		/* STARTTLS where the server offers it */
	FETCH_TLS_NEED,		/* STARTTLS or nothing */
	FETCH_TLS_OFF
};

struct fetch {
	const char *url;	/* http https smtp smtps; smtp://host:port/name-for-EHLO */
	const char *unix_path;	/* of a socket of this machine, which is connected to instead of the host of the URL; NULL: none. At once (fetch) it is plain
				 * HTTP/1.1 of url, method, headers, body, times and max_bytes alone */
	const char *method;	/* NULL: GET, or POST with a body; of HTTP */
	const struct fetch_header *headers;	/* names and values with control characters are refused */
	int n_headers;
	struct str body;	/* HTTP: request body; SMTP: the message, CRLF lines, header and text */
	const char *user, *password;	/* Basic, SMTP AUTH; NULL: none. Not sent to another host after a redirect */
	const char *aws_sigv4;	/* sign with user and password as the key pair, "aws:amz:<region>:s3"; NULL: Basic */
	uint64_t timeout_ms;	/* for the whole; 0: 15 s, of a stream: no bound. cx->deadline applies too */
	uint64_t progress_ms;	/* of a stream: no byte moves for so long although we are ready; 0: 30 s */
	uint64_t connect_ms;	/* for the connection; 0: 5 s */
	size_t max_bytes;	/* largest response body; 0: 1 MiB, of a stream: no bound */
	bool once;		/* of a unix_path that is fetched at once: who may have taken the whole request is not sent it again. When its connection ends then, or the time for
				 * it, that is an answer that is cut: with what has come of it, of status 0 if nothing has */
	bool alone;		/* of a unix_path that is fetched at once: over a connection of its own, so that nothing is ever sent twice; else a kept one that turns
				 * out to be closed, without a byte, is followed by another */
	bool upload;		/* of a stream: the request's body is given by fetch_write, `body` is not used; no redirects */
	int64_t length;		/* of that body; -1: unknown, it is sent chunked */
	bool certificate;	/* the server's is told with the reply; it need not be a good one, nor need the server answer */
	int redirects;		/* followed at most; 0: none, a 3xx is a reply */
	bool private_ok;	/* may reach private, loopback and link-local addresses */
	bool insecure;		/* do not verify the certificate */
	const char *ca_file;	/* certificates to trust instead of the system's; NULL or "": these */
	/* SMTP */
	const char *mail_from;	/* bare addresses */
	const char *const *mail_to;
	int n_mail_to;
	enum fetch_tls tls;
	bool mail_check;	/* no mail: whether the server takes us and our login */
};

struct fetch_certificate {	/* of a server, as OpenSSL words it; "" where it says nothing */
	const char *subject, *issuer, *signature;
	int64_t from, to;	/* ms; 0: unknown */
};

struct fetch_reply {		/* in the asker's arena */
	int status;		/* HTTP: of the last response; SMTP: 250 …, or the refusal */
	const char *url;	/* where the redirects ended */
	struct fetch_header *headers;	/* of the last response, names lower-case; bounded: 100, 32 KiB */
	int n_headers;
	struct str body;
	bool cut;		/* once: it broke off */
	bool late;		/* cut: its time was over */
	struct fetch_certificate *certificate;	/* asked for, and there was one; else NULL */
};

/* Awaits. OK once a response is complete, whatever its status. ERR_FETCH when there is none or it is too large, ERR_FETCH_REFUSED for a
 * private address or a bad URL, ERR_TIMEOUT, ERR_CANCELLED, ERR_BUSY (too many at once); cx->detail says why. */
err_t fetch(struct ctx *cx, const struct fetch *f, struct fetch_reply **out) MUST_CHECK;
/* After a failure: the host has no address that may be asked, or is none. The two are to be told in the same words to whoever may not know which names there are in
 * private networks. */
bool fetch_nowhere(const struct ctx *cx, err_t e);
/* The value of a response header, NULL when absent. */
const char *fetch_header(const struct fetch_reply *r, const char *lower_name);

/* ---- in pieces ---- */

/* A request whose body is given, and whose response is taken, in pieces: HTTP/1.1 of one fiber. What curl and we hold of it is bounded
 * (FETCH_WINDOW each way); a side that is not served holds the other up. After an error nothing but fetch_close is left to do. */
struct fetch_stream;
enum { FETCH_WINDOW = 128 * 1024 };

/* Begins. The strings of f are borrowed until the stream is closed: at the end of cx, or before by fetch_close. Errors as fetch. */
err_t fetch_open(struct ctx *cx, const struct fetch *f, struct fetch_stream **out) MUST_CHECK;
/* Awaits until the piece is taken. Once the server has answered without waiting for it, it is dropped. More than f.length is ERR_FETCH. */
err_t fetch_write(struct ctx *cx, struct fetch_stream *s, struct str piece) MUST_CHECK;
/* The body is complete. Less than f.length is ERR_FETCH, and the request is given up. */
err_t fetch_end(struct ctx *cx, struct fetch_stream *s) MUST_CHECK;
/* Awaits status and headers; *out has no body. */
err_t fetch_head(struct ctx *cx, struct fetch_stream *s, struct fetch_reply **out) MUST_CHECK;
/* Awaits what comes next of the response's body, borrowed until the next call; empty: it is complete. A body that is cut off is ERR_FETCH. */
err_t fetch_read(struct ctx *cx, struct fetch_stream *s, struct str *piece_out) MUST_CHECK;
void fetch_close(struct fetch_stream **sp);	/* whatever is under way is dropped; NULL inside is fine */

/* The http or https address that a link means on the page `base`, without a fragment; in the arena. NULL: it means none. */
const char *fetch_resolve(struct arena *a, const char *base, const char *link);

/* True for addresses that only make sense inside: private, loopback, link-local, shared, multicast, reserved, and IPv6 forms that embed
 * one. `text` is a numeric address; anything else is true. */
bool fetch_address_private(const char *text);

void fetch_fini(void);		/* drops what is under way: waiting fibers get ERR_FETCH. Streams are still to be closed */

#endif
