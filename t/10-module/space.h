/* What tests of the model begin with: a PostgreSQL of their own that has the platform's schema and those of some projects, and a fiber on it.
 * Settings and what else a test needs are made before. */
#ifndef BADAL_T_SPACE_H
#define BADAL_T_SPACE_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/gen.h"
#include "core/loop.h"
#include "io/db.h"
#include "check.h"
#include "servers.h"

struct space_test {
	const char *const *schemas;
	void (*fn)(struct ctx *cx);
};

static void
space_prepare(struct ctx *cx, const struct space_test *t)
{
	const char *top = getenv("srcdir");

	GOOD(db_migrate(cx, arena_printf(cx->arena, "%s/sql", top ? top : ".")));
	for (int i = 0; t->schemas[i] != NULL; i++)
		GOOD(TX_RUN(cx, tx, db_migrate_project(tx, t->schemas[i])));
	t->fn(cx);
}

static void
space_fiber(struct ctx *cx, void *arg)
{
	space_prepare(cx, arg);
	db_fini();
	loop_stop();
}

/* `schemas`: ends with NULL. The test has so many milliseconds. */
static void
space_run(const char *const *schemas, uint64_t ms, void (*fn)(struct ctx *cx))
{
	struct space_test t = {schemas, fn};

	conf.db_url = server_url(server_pg());
	gen_init();
	loop_init();
	db_init();
	fib_spawn_new("test", ms, space_fiber, &t);
	loop_run();
	servers_clean();
}

#endif
