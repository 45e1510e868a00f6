/* The time of others: one question to an NTP server. */
#ifndef BADAL_IO_SNTP_H
#define BADAL_IO_SNTP_H

#include "core/ctx.h"

/* Awaits, at most `timeout_ms`. How far the server's clock is ahead of ours, in milliseconds. `server` is "host", "host:port" or "[v6]:port". ERR_FETCH: it has no
 * such name, refuses, or is not synchronised itself; ERR_TIMEOUT: it says nothing; ERR_BUSY: too many ask at once. */
err_t sntp_offset(struct ctx *cx, const char *server, uint64_t timeout_ms, int64_t *ahead_ms_out) MUST_CHECK;

#endif
