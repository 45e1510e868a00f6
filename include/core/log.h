/* Structured log: one line per event on stderr: time level role[pid] message key=value…
 *
 * log_info(cx, "user created", "user=%s", id): a fixed message, then key=value. cx adds request id, project and user;
 * NULL is fine, for cx as for a line without further keys. Debug costs one test when off. Never log secrets or bodies. */
#ifndef BADAL_CORE_LOG_H
#define BADAL_CORE_LOG_H

#include "core/ctx.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;

void log_init(const char *role, const char *level, bool json);	/* level: error warn info debug; by each process that forks itself */
int log_pid(void);	/* the number of this process, as lines name it */
void log_write(enum log_level lv, const struct ctx *cx, const char *message, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Whether one more line may be written that somebody outside causes: at most `lines` in `ms` of the same `who`, and conf.log_rate a second of
 * all. Those that are left out are counted, and summed up in a line of their own some seconds later. 0 lines: no bound. */
bool log_may(struct str who, int64_t lines, uint64_t ms);
/* The same of a client by its address (IPv6: its /64; NULL: nobody knows which): conf.log_client_rate a second. */
bool log_may_client(const char *address);
void log_left_out(void);	/* says now what was left out */

#define LOG_AT(lv, cx, ...)                                 \
	do {                                                \
		if (log_level >= (lv))                      \
			log_write((lv), (cx), __VA_ARGS__); \
	} while (0)
#define log_error(cx, ...) LOG_AT(LOG_ERROR, cx, __VA_ARGS__)
#define log_warn(cx, ...) LOG_AT(LOG_WARN, cx, __VA_ARGS__)
#define log_info(cx, ...) LOG_AT(LOG_INFO, cx, __VA_ARGS__)
#define log_debug(cx, ...) LOG_AT(LOG_DEBUG, cx, __VA_ARGS__)

#endif
