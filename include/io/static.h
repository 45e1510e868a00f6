/* Files of a directory over HTTP: what a console, a documentation or a page of ours consists of. */
#ifndef BADAL_IO_STATIC_H
#define BADAL_IO_STATIC_H

#include "io/http.h"

struct static_dir {
	const char *path;	/* nothing outside of it is ever served, whatever links lead there */
	const char *immutable;	/* files below this ("assets/") carry a hash in their name and never change; NULL: none */
};

struct static_sent {		/* what was answered */
	int status;
	uint64_t bytes;		/* of the body */
};

/* Awaits. Answers with the file that the rest of the request's path names (as sent, still encoded; "" or a slash at its end: index.html):
 * ETag and If-None-Match, one byte range, and `file.br` or `file.gz` beside it where the client takes them. Nothing is answered when it
 * returns ERR_GENERAL_ROUTE_NOT_FOUND: there is no such file, or nothing that may be one. Other errors as http_send_file. `h` is sent
 * before the file's own headers; sent_out may be NULL. */
err_t static_serve(struct ctx *cx, struct http_msg *m, const struct static_dir *dir, struct str rest, const struct http_header *h, int nh,
    struct static_sent *sent_out) MUST_CHECK;

#endif
