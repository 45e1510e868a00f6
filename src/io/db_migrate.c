/* Migrations: sql/NNNN_name.sql for the platform, sql/project/NNNN_service.sql for each project's schema. Forward only, each file in a
 * transaction; badal.migrations and badal.project_migrations say which were applied, by their numbers alone.
 *
 * The platform and the console's own schema (p_0) are brought up to date here, at the start: every process that does so takes the same
 * advisory lock, so two starting at once do not meet. When the other schemas are is decided in model/space.c. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/share.h"
#include "db_priv.h"

enum { FILES_MAX = 1000 };

struct file {
	int number;
	char *name;		/* "0001_init.sql" */
	bool compatible;	/* programs that do not know it may go on using the schema */
	struct str text;
};
struct files {
	struct file *v;
	int n;
	bool loaded;
};

static struct files platform, project;
static char dir[PATH_MAX];

enum { FILE_BYTES_MAX = 1 << 20 };

/* How a file of sql/project begins that adds only what former programs do not see. */
static const char compatible_mark[] = "-- compatible";

static void
find_dir(const char *wanted)
{
	share_dir(wanted, "sql", "0001_platform.sql", SQL_DIR, dir, sizeof dir);
}

static int
is_migration(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 8 && strspn(d->d_name, "0123456789") == 4 && strcmp(d->d_name + n - 4, ".sql") == 0;
}

static err_t
migrate_load(struct ctx *cx, struct files *fs, const char *sub)
{
	char path[PATH_MAX + 300];
	struct dirent **list;
	int n;

	if (fs->loaded)
		return OK;
	snprintf(path, sizeof path, "%s%s", dir, sub);
	n = scandir(path, &list, is_migration, alphasort);
	if (n < 0)
		return fail(cx, ERR_DB, "%s: %s", path, strerror(errno));
	fs->v = mem_zalloc((size_t)(n > 0 ? n : 1) * sizeof *fs->v);
	for (int i = 0; i < n; i++) {
		struct file *f = &fs->v[fs->n++];

		f->number = atoi(list[i]->d_name);
		f->name = mem_strdup(list[i]->d_name);
		snprintf(path, sizeof path, "%s%s/%s", dir, sub, f->name);
		free(list[i]);
		if (!share_read(path, FILE_BYTES_MAX, &f->text))
			return fail(cx, ERR_DB, "%s: %s", path, strerror(errno));
		f->compatible = str_starts(f->text, compatible_mark);
		if (i > 0 && f[-1].number == f->number)	/* installed over an older version that named it otherwise */
			return fail(cx, ERR_DB, "%s%s: %s and %s have the same number: remove the one that is not of this version", dir, sub,
			    f[-1].name, f->name);
	}
	free(list);
	fs->loaded = true;
	return OK;
}

/* The text with every :schema replaced. */
static struct str
for_schema(struct ctx *cx, struct str text, const char *schema)
{
	static const char token[] = ":schema";
	size_t n = sizeof token - 1;
	struct buf b;

	buf_init(&b, cx->arena, text.n + 256);
	for (size_t i = 0; i < text.n;) {
		if (text.n - i >= n && memcmp(text.p + i, token, n) == 0) {
			buf_c(&b, schema);
			i += n;
		} else {
			buf_ch(&b, text.p[i++]);
		}
	}
	return buf_view(&b);
}

static const char lock_sql[] = "SELECT pg_advisory_xact_lock(4247160)";

static err_t
apply_platform(struct db_tx *tx, const struct file *f, bool *done_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	tx_add(tx, lock_sql, 0, NULL);
	TRY(tx_query(tx, &r, "SELECT 1 FROM badal.migrations WHERE number = $1::int", DB(pg_i64(cx->arena, f->number))));
	*done_out = db_rows(r) == 0;
	if (!*done_out)
		return OK;
	TRY(tx_script(tx, f->text.p));
	tx_add(tx, "INSERT INTO badal.migrations (number, name) VALUES ($1::int, $2)", DB(pg_i64(cx->arena, f->number), f->name));
	return OK;
}

static err_t
migrate_platform(struct ctx *cx, const struct file *f)
{
	bool done = false;

	TRY(TX_RUN(cx, tx, apply_platform(tx, f, &done)));
	if (done)
		log_info(cx, "migrated", "file=%s", f->name);
	return OK;
}

static err_t
refuse_newer(struct ctx *cx, int in_database, const struct files *fs, const char *what)
{
	int newest = fs->n > 0 ? fs->v[fs->n - 1].number : 0;

	if (in_database <= newest)
		return OK;
	return fail(cx, ERR_DB, "the database's %s is at migration %d, this program knows %d: run a newer badal", what, in_database, newest);
}

static err_t
prepare_book(struct db_tx *tx)
{
	tx_add(tx, lock_sql, 0, NULL);
	tx_add(tx, "CREATE SCHEMA IF NOT EXISTS badal", 0, NULL);
	tx_add(tx, "CREATE TABLE IF NOT EXISTS badal.migrations (number int PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now())",
	    0, NULL);
	tx_add(tx,
	    "CREATE TABLE IF NOT EXISTS badal.project_migrations (schema text NOT NULL, number int NOT NULL, at timestamptz NOT NULL DEFAULT now(), "
	    "PRIMARY KEY (schema, number))",
	    0, NULL);
	return OK;
}

/* ---- the schemas of projects ---- */

err_t
db_migrate_load(struct ctx *cx)
{
	if (dir[0] == '\0')
		find_dir(conf.sql_dir);
	TRY(migrate_load(cx, &platform, ""));
	return migrate_load(cx, &project, "/project");
}

int
db_migrate_newest(void)
{
	assert(project.loaded);
	return project.n > 0 ? project.v[project.n - 1].number : 0;
}

int
db_migrate_needed(int at)
{
	int needed = 0;

	assert(project.loaded);
	for (int i = 0; i < project.n && project.v[i].number <= at; i++)
		if (!project.v[i].compatible)
			needed = project.v[i].number;
	return needed;
}

static const struct file *
next_after(int at)
{
	for (int i = 0; i < project.n; i++)
		if (project.v[i].number > at)
			return &project.v[i];
	return NULL;
}

err_t
db_migrate_at(struct db_tx *tx, const char *schema, int *at_out)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT coalesce(max(number), 0) FROM badal.project_migrations WHERE schema = $1", DB(schema)));
	*at_out = (int)db_i64(r, 0, 0);
	return OK;
}

err_t
db_migrate_next(struct db_tx *tx, const char *schema, int *at)
{
	struct ctx *cx = tx_ctx(tx);
	const struct file *f = next_after(*at);

	assert(f != NULL);
	TRY(tx_script(tx, for_schema(cx, f->text, schema).p));
	tx_add(tx, "INSERT INTO badal.project_migrations (schema, number) VALUES ($1, $2::int)", DB(schema, pg_i64(cx->arena, f->number)));
	*at = f->number;
	return OK;
}

err_t
db_migrate_project(struct db_tx *tx, const char *schema)
{
	struct ctx *cx = tx_ctx(tx);
	int at = 0;

	TRY(db_migrate_load(cx));
	tx_add(tx, arena_printf(cx->arena, "CREATE SCHEMA IF NOT EXISTS %s", schema), 0, NULL);
	while (at < db_migrate_newest())
		TRY(db_migrate_next(tx, schema, &at));
	return OK;
}

/* ---- what a start waits for ---- */

/* One file, or none when there is nothing left to do; *at is the newest that was applied. */
static err_t
console_step(struct db_tx *tx, int *at)
{
	tx_add(tx, lock_sql, 0, NULL);
	TRY(db_migrate_at(tx, "p_0", at));
	TRY(refuse_newer(tx_ctx(tx), *at, &project, "schema p_0"));
	if (*at == db_migrate_newest())
		return OK;
	tx_add(tx, "CREATE SCHEMA IF NOT EXISTS p_0", 0, NULL);
	TRY(db_migrate_next(tx, "p_0", at));
	log_info(tx_ctx(tx), "migrating", "schema=p_0 migration=%d", *at);
	return OK;
}

err_t
db_migrate(struct ctx *cx, const char *sql_dir)
{
	struct db_res *r;
	int at = 0;

	find_dir(sql_dir);
	TRY(db_migrate_load(cx));
	TRY(TX_RUN(cx, tx, prepare_book(tx)));
	TRY(db_query(cx, &r, "SELECT coalesce(max(number), 0) FROM badal.migrations", DB0));
	TRY(refuse_newer(cx, (int)db_i64(r, 0, 0), &platform, "platform schema"));
	for (int i = 0; i < platform.n; i++)
		TRY(migrate_platform(cx, &platform.v[i]));
	while (at < db_migrate_newest())
		TRY(TX_RUN(cx, tx, console_step(tx, &at)));
	return OK;
}
