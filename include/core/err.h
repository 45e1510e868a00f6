/* Errors: one enum from one table (include/tbl/errors.h), one way out.
 *
 * An err_t says what the client will see; the detail that helps an operator is kept in the context by fail(). */
#ifndef BADAL_CORE_ERR_H
#define BADAL_CORE_ERR_H

#include <stdbool.h>
#include <stdint.h>

typedef enum err {
	OK = 0,
#define ERR(name, status, type, message) ERR_##name,
#include "tbl/errors.h"
#undef ERR
	ERR_N
} err_t;

struct err_info {
	int status;		/* HTTP status, also the `code` of the error body */
	const char *type;	/* wire literal, e.g. "user_not_found" */
	const char *message;	/* default words for the client */
	const char *name;	/* the enum's name, for logs */
};

/* The row of `e`; never NULL, unknown values give GENERAL_UNKNOWN. Borrowed, static. */
const struct err_info *err_info(err_t e);

/* The status for clients of that version (core/protocol.h); of some errors it changed. */
int err_status(err_t e, int64_t format);
/* The n-th of these: false when there is none. */
bool err_later(int n, err_t *e_out, int64_t *since_out, int *status_out);

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Returns from the calling function with the error of `expr`, if it has one. */
#define TRY(expr)                          \
	do {                               \
		err_t try_err_ = (expr);   \
		if (try_err_ != OK)        \
			return try_err_;   \
	} while (0)

#endif
