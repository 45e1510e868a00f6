/* The error table as data. */
#include "core/err.h"

#include <stddef.h>

static const struct err_info table[ERR_N] = {
#define ERR(name, status, type, message) [ERR_##name] = {status, type, message, #name},
#include "tbl/errors.h"
#undef ERR
};

const struct err_info *
err_info(err_t e)
{
	unsigned i = (unsigned)e;

	if (i >= ERR_N || table[i].type == NULL)
		i = ERR_GENERAL_UNKNOWN;
	return &table[i];
}
