/* The executor's role. It keeps the rights that it was started with, for it makes sandboxes, and forgets what it has no use for: it holds no key of ours that
 * opens anything, and no way to the database. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/conf.h"
#include "core/log.h"
#include "exec/exec.h"
#include "io/bus.h"
#include "io/fetch.h"
#include "main_priv.h"
#include "model/exec_wire.h"
#include "model/seal.h"

const char *
exec_role_dir(const struct place *p)
{
	static char dir[PATH_MAX + 16];

	if (*conf.executor_dir != '\0')
		snprintf(dir, sizeof dir, "%s", conf.executor_dir);
	else
		snprintf(dir, sizeof dir, "%s%s", p->data, p->root ? "-executor" : "/executor");
	return dir;
}

bool
exec_role_alone(void)
{
	return strcmp(conf.roles, "executor") == 0;
}

static void
exec_role_forget(void)
{
	static const char *const names[] = {"master_key", "master_key_old", "db_url", "relay_db_url", "storage_s3_key", "storage_s3_secret", "storage_also", NULL};

	seal_forget();
	conf_forget(names);
}

bool
exec_role_init(void)
{
	struct arena *a = arena_new();
	const char *master = seal_master(0), *key = exec_key(a, str_c(master != NULL ? master : ""));
	bool ok;

	if (master == NULL) {
		log_error(NULL, "the executor needs the master key, for what it is asked with", "advice=\"set master_key or master_key_file\"");
		return false;
	}
	exec_role_forget();
	bus_init();
	ok = executor_init(exec_role_dir(role_place), role_place->uid, role_place->gid, key);
	arena_free(&a);
	return ok;
}

bool
exec_role_up(struct ctx *cx)
{
	(void)cx;
	return executor_up();
}

void
exec_role_fini(void)
{
	executor_fini();
	fetch_fini();
	bus_fini();
}
