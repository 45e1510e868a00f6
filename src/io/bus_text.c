/* Arguments and replies of Redis as texts. */
#include "io/bus.h"

struct str
bus_number(struct ctx *cx, int64_t n)
{
	return str_c(arena_printf(cx->arena, "%lld", (long long)n));
}

struct str
bus_field(const struct bus_reply *fields, const char *name)
{
	for (int i = 0; fields->type == BUS_LIST && i + 1 < fields->n; i += 2)
		if (fields->v[i].type == BUS_STR && str_is(fields->v[i].s, name) && fields->v[i + 1].type == BUS_STR)
			return fields->v[i + 1].s;
	return STR_NONE;
}
