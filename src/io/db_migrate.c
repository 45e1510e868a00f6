/* Migrations: sql/NNNN_name.sql for the platform, sql/project/NNNN_name.sql for each project's schema. Forward only.
 *
 * Every process that migrates takes the same advisory lock, so two starting at once do not meet. */
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

static void
find_dir(const char *wanted)
{
	share_dir(wanted, "sql", "project/0001_identity.sql", SQL_DIR, dir, sizeof dir);
}

static int
is_migration(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 8 && strspn(d->d_name, "0123456789") == 4 && strcmp(d->d_name + n - 4, ".sql") == 0;
}

static err_t
load(struct ctx *cx, struct files *fs, const char *sub)
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
apply_platform(struct ctx *cx, const struct file *f)
{
	struct db_tx *tx;
	struct db_res *r;

	TRY(tx_begin(cx, &tx));
	tx_add(tx, lock_sql, 0, NULL);
	TRY(tx_query(tx, &r, "SELECT 1 FROM badal.migrations WHERE number = $1::int", DB(pg_i64(cx->arena, f->number))));
	if (db_rows(r) > 0) {
		tx_rollback(tx);
		return OK;
	}
	TRY(tx_script(tx, f->text.p));
	tx_add(tx, "INSERT INTO badal.migrations (number, name) VALUES ($1::int, $2)", DB(pg_i64(cx->arena, f->number), f->name));
	TRY(tx_commit(tx));
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
prepare_book(struct ctx *cx)
{
	struct db_tx *tx;

	TRY(tx_begin(cx, &tx));
	tx_add(tx, lock_sql, 0, NULL);
	tx_add(tx, "CREATE SCHEMA IF NOT EXISTS badal", 0, NULL);
	tx_add(tx, "CREATE TABLE IF NOT EXISTS badal.migrations (number int PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now())",
	    0, NULL);
	tx_add(tx,
	    "CREATE TABLE IF NOT EXISTS badal.project_migrations (schema text NOT NULL, number int NOT NULL, at timestamptz NOT NULL DEFAULT now(), "
	    "PRIMARY KEY (schema, number))",
	    0, NULL);
	return tx_commit(tx);
}

static err_t
apply_project(struct db_tx *tx, const char *schema, int above)
{
	struct ctx *cx = tx_ctx(tx);

	for (int i = 0; i < project.n; i++) {
		const struct file *f = &project.v[i];

		if (f->number <= above)
			continue;
		TRY(tx_script(tx, for_schema(cx, f->text, schema).p));
		tx_add(tx, "INSERT INTO badal.project_migrations (schema, number) VALUES ($1, $2::int)",
		    DB(schema, pg_i64(cx->arena, f->number)));
	}
	return OK;
}

err_t
db_migrate_load(struct ctx *cx)
{
	if (dir[0] == '\0')
		find_dir(conf.sql_dir);
	TRY(load(cx, &platform, ""));
	return load(cx, &project, "/project");
}

err_t
db_migrate_project(struct db_tx *tx, const char *schema)
{
	struct ctx *cx = tx_ctx(tx);

	TRY(db_migrate_load(cx));
	tx_add(tx, arena_printf(cx->arena, "CREATE SCHEMA IF NOT EXISTS %s", schema), 0, NULL);
	return apply_project(tx, schema, 0);
}

static err_t
migrate_schema(struct ctx *cx, const char *schema)
{
	struct db_tx *tx;
	struct db_res *r;

	TRY(tx_begin(cx, &tx));
	tx_add(tx, lock_sql, 0, NULL);
	TRY(tx_query(tx, &r, "SELECT coalesce(max(number), 0) FROM badal.project_migrations WHERE schema = $1", DB(schema)));
	TRY(refuse_newer(cx, (int)db_i64(r, 0, 0), &project, schema));
	if (db_i64(r, 0, 0) == (project.n > 0 ? project.v[project.n - 1].number : 0)) {
		tx_rollback(tx);
		return OK;
	}
	tx_add(tx, arena_printf(cx->arena, "CREATE SCHEMA IF NOT EXISTS %s", schema), 0, NULL);
	TRY(apply_project(tx, schema, (int)db_i64(r, 0, 0)));
	TRY(tx_commit(tx));
	log_info(cx, "migrated", "schema=%s", schema);
	return OK;
}

err_t
db_migrate(struct ctx *cx, const char *sql_dir)
{
	struct db_res *r;

	find_dir(sql_dir);
	TRY(db_migrate_load(cx));
	TRY(prepare_book(cx));
	TRY(db_query(cx, &r, "SELECT coalesce(max(number), 0) FROM badal.migrations", DB0));
	TRY(refuse_newer(cx, (int)db_i64(r, 0, 0), &platform, "platform schema"));
	for (int i = 0; i < platform.n; i++)
		TRY(apply_platform(cx, &platform.v[i]));
	TRY(migrate_schema(cx, "p_0"));
	TRY(db_query(cx, &r, "SELECT 'p_' || internal FROM badal.projects ORDER BY internal", DB0));
	for (int i = 0; i < db_rows(r); i++)
		TRY(migrate_schema(cx, db_cstr(r, i, 0)));
	return OK;
}
