/* The error table as data. */
#include "core/err.h"

#include <stddef.h>

#include "core/protocol.h"

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

static const struct later {
	err_t e;
	int64_t since;
	int status;
} later[] = {
#define LATER(name, since, status) {ERR_##name, since, status},
#include "tbl/errors_later.h"
#undef LATER
};
enum { LATER_N = sizeof later / sizeof *later };

bool
err_later(int n, err_t *e_out, int64_t *since_out, int *status_out)
{
	if (n >= LATER_N)
		return false;
	*e_out = later[n].e;
	*since_out = later[n].since;
	*status_out = later[n].status;
	return true;
}

int
err_status(err_t e, int64_t format)
{
	for (int i = 0; i < LATER_N; i++)
		if (later[i].e == e && format >= later[i].since)
			return later[i].status;
	return err_info(e)->status;
}
