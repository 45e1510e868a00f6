/* Assertions on a fiber: those of the framework must not leave one. `failures` is looked at when the loop has ended. */
#ifndef BADAL_T_CHECK_H
#define BADAL_T_CHECK_H

#include <stdio.h>

#include "core/err.h"

static int failures;

#define CHECK(what)                                                                \
	do {                                                                       \
		if (!(what)) {                                                     \
			failures++;                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
		}                                                                  \
	} while (0)
/* Returns from the test when the call fails. */
#define GOOD(expr)                                                                                           \
	do {                                                                                                 \
		err_t e_ = (expr);                                                                           \
		if (e_ != OK) {                                                                              \
			failures++;                                                                          \
			fprintf(stderr, "%s:%d: %s: %s %s\n", __FILE__, __LINE__, #expr, err_info(e_)->name, \
			    cx->detail ? cx->detail : "");                                                   \
			return;                                                                              \
		}                                                                                            \
	} while (0)
#define FAILS(expr, code) CHECK((expr) == ERR_##code)

#endif
