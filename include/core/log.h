/* Structured log: one line per event on stderr: time level role[pid] message key=value…
 *
 * log_info(cx, "user created", "user=%s", id): a fixed message, then key=value. cx adds request id, project and user;
 * NULL is fine, for cx as for a line without further keys. Debug costs one test when off. Never log secrets or bodies. */
#ifndef BADAL_CORE_LOG_H
#define BADAL_CORE_LOG_H

#include "core/ctx.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_level;

void log_init(const char *role, const char *level, bool json);	/* level: error warn info debug */
void log_write(enum log_level lv, const struct ctx *cx, const char *message, const char *fmt, ...) PRINTF_LIKE(4, 5);

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
