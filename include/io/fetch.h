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
	const char *method;	/* NULL: GET, or POST with a body; of HTTP */
	const struct fetch_header *headers;	/* names and values with control characters are refused */
	int n_headers;
	struct str body;	/* HTTP: request body; SMTP: the message, CRLF lines, header and text */
	const char *user, *password;	/* Basic, SMTP AUTH; NULL: none. Not sent to another host after a redirect */
	uint64_t timeout_ms;	/* for the whole; 0: 15 s. cx->deadline applies too */
	uint64_t connect_ms;	/* for the connection; 0: 5 s */
	size_t max_bytes;	/* largest response body; 0: 1 MiB */
	int redirects;		/* followed at most; 0: none, a 3xx is a reply */
	bool private_ok;	/* may reach private, loopback and link-local addresses */
	bool insecure;		/* do not verify the certificate */
	const char *ca_file;	/* certificates to trust instead of the system's; NULL or "": these */
	/* SMTP */
	const char *mail_from;	/* bare addresses */
	const char *const *mail_to;
	int n_mail_to;
	enum fetch_tls tls;
};

struct fetch_reply {		/* in the asker's arena */
	int status;		/* HTTP: of the last response; SMTP: 250 …, or the refusal */
	const char *url;	/* where the redirects ended */
	struct fetch_header *headers;	/* of the last response, names lower-case; bounded: 100, 32 KiB */
	int n_headers;
	struct str body;
};

/* Awaits. OK once a response is complete, whatever its status. ERR_FETCH when there is none or it is too large, ERR_FETCH_REFUSED for a
 * private address or a bad URL, ERR_TIMEOUT, ERR_CANCELLED, ERR_BUSY (too many at once); cx->detail says why. */
err_t fetch(struct ctx *cx, const struct fetch *f, struct fetch_reply **out) MUST_CHECK;
/* The value of a response header, NULL when absent. */
const char *fetch_header(const struct fetch_reply *r, const char *lower_name);

/* True for addresses that only make sense inside: private, loopback, link-local, shared, multicast, reserved, and IPv6 forms that embed
 * one. `text` is a numeric address; anything else is true. */
bool fetch_address_private(const char *text);

void fetch_fini(void);		/* drops what is under way: waiting fibers get ERR_FETCH */

#endif
