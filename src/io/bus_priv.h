/* Redis, private: links (bus_link.c), addresses (bus_url.c), commands of fibers (bus.c), the event stream (bus_stream.c). */
#ifndef BADAL_IO_BUS_PRIV_H
#define BADAL_IO_BUS_PRIV_H

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include "io/bus.h"

enum { BUS_LINK_MAGIC = 0x6275736c };

struct bus_url {		/* of conf.redis_url; the strings live as long as the process */
	const char *path;	/* unix socket, NULL: TCP */
	const char *host, *port;
	const char *user, *password;	/* NULL: none */
	int64_t db;
};
/* False when the text is no address of a Redis; `why_out` gets a static reason. */
bool bus_url_parse(struct arena *a, struct str url, struct bus_url *out, const char **why_out);

/* Called once per command on the loop: with the reply, or with NULL when the connection went or the command was never sent. */
typedef void (*bus_fn)(const redisReply *r, void *arg);

/* on_up is called each time the link is ready for commands. */
struct bus_link *link_open(void (*on_up)(void *arg), void (*on_down)(void *arg), void *arg);
/* Sends, or holds the command back for a moment while the link is on its way up. False: too much is waiting; fn is not called then. */
bool link_send(struct bus_link *l, bus_fn fn, void *arg, int argc, const struct str *argv);
/* Breaks the connection (it comes back by itself). */
void link_drop(struct bus_link *l, const char *why);

struct bus_link *bus_shared(void);	/* the process's own */

#endif
