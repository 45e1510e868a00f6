/* Private servers for tests: PostgreSQL (wal_level=logical) and Redis (appendonly) in a temporary directory, on unix sockets.
 *
 * They die with the test: by servers_clean in its teardown, by the kernel when the test's process is gone. Run as root, PostgreSQL
 * runs as user postgres or nobody. Whatever fails aborts the test with a message. */
#ifndef BADAL_T_SERVERS_H
#define BADAL_T_SERVERS_H

#include <stdbool.h>

struct server;

struct server *server_pg(void);			/* initdb, start, ready */
struct server *server_redis(void);		/* start, ready */
struct server *server_redis_cluster(void);	/* a cluster of this one node, which holds all slots; ready */
const char *server_url(const struct server *s);	/* for conf.db_url / conf.redis_url */
void server_stop(struct server *s);		/* orderly */
void server_kill(struct server *s);		/* SIGKILL, to its children as well; gone when this returns */
void server_tear(struct server *s, long bytes);	/* of a Redis that is down: as if its last bytes had not reached the disk */
void server_freeze(struct server *s, bool on);	/* SIGSTOP / SIGCONT */
void server_start(struct server *s);		/* again on the same data, until it is ready */
void servers_clean(void);			/* stops all, removes their directories */

#endif
