/* The relay: the WAL is the outbox. It decodes the messages of the logical slot "badal" in commit order and appends them to the Redis
 * stream under <commit LSN>-<index in the transaction>, not before everybody can see what the transaction wrote. Who holds the slot is
 * the leader; others wait for it. */
#ifndef BADAL_RELAY_RELAY_H
#define BADAL_RELAY_RELAY_H

#include <stdbool.h>

/* The role's work, on the loop (loop_init before; it opens its own connections to PostgreSQL and Redis from conf and retries for ever).
 * False and a log line when the configuration can never work. */
bool relay_init(void);
/* Stops decoding, confirms what is safe, closes both connections; calls loop_stop() when that is done. */
void relay_drain(void);

#endif
