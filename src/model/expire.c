/* Rows whose time is over. */
#include "model/expire.h"

#include "core/conf.h"
#include "core/vtime.h"
#include "io/db.h"
#include "model/audit.h"

enum { STEP = 1000 };

/* Data spaces that have the table and are as this program knows them: others get their turn when they have been brought up to date. */
#define SQL_SPACES                                                                                                                  \
	"SELECT quote_ident(n.nspname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname ~ '^p_[0-9]+$' " \
	"AND c.relname = $1 AND c.relkind = 'r' AND (SELECT max(m.number) FROM badal.project_migrations m WHERE m.schema = n.nspname) = $2::int " \
	"ORDER BY 1"

#define DAYS(n) ((n) * INT64_C(86400000))

static const struct {
	const char *table, *row, *over;	/* `row` finds a row again; $1 of `over`: the time that `keep` begins with */
	int64_t keep;
	const int64_t *setting;		/* instead of `keep`; 0: for ever */
} tables[] = {
    {"sessions", "internal", "expire < $1::timestamptz", 0, NULL},
    {"tokens", "internal", "expire < $1::timestamptz", 0, NULL},
    {"id_tokens", "hash", "expire < $1::timestamptz", 0, NULL},
    {"challenges", "internal", "expire < $1::timestamptz", 0, NULL},
    {"audit", "internal", "created < $1::timestamptz", 0, &conf.audit_retention},
    {"transactions", "internal", "expires < $1::timestamptz", 0, NULL},
    {"executions", "internal", "created < $1::timestamptz AND status IN ('completed', 'failed')", 0, &conf.executions_retention},
    {"usage", "metric, day, time", "NOT day AND time < $1::timestamptz", DAYS(2), NULL},	/* charts show a day of half hours, */
    {"usage", "metric, day, time", "day AND time < $1::timestamptz", DAYS(100), NULL},	/* and ninety days */
};

static err_t
sweep_users(struct ctx *cx, const char *space, int i)
{
	(void)i;
	return audit_trim_all(cx, space);
}

static err_t
sweep_table(struct ctx *cx, const char *space, int i)
{
	const char *table = arena_printf(cx->arena, "%s.%s", space, tables[i].table);
	int64_t keep = tables[i].setting ? *tables[i].setting : tables[i].keep;
	const char *since = pg_time(cx->arena, time_now_ms() - keep);
	int n;

	do
		TRY(db_exec(cx, &n, arena_printf(cx->arena, "DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s WHERE %s LIMIT %d)", table,
		    tables[i].row, tables[i].row, table, tables[i].over, STEP), DB(since)));
	while (n == STEP);
	return OK;
}

/* Awaits. One table of all data spaces. */
static err_t
sweep_spaces(struct ctx *cx, const char *table, err_t (*fn)(struct ctx *cx, const char *space, int i), int i, err_t *first_out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, SQL_SPACES, DB(table, pg_i64(cx->arena, db_migrate_newest()))));
	for (int k = 0; k < db_rows(r); k++) {
		err_t e = fn(cx, db_cstr(r, k, 0), i);

		/* a project may go meanwhile: its tables do not hold up the others' */
		if (e == ERR_CANCELLED || e == ERR_TIMEOUT || e == ERR_DB_DOWN)
			return e;
		if (e != OK && *first_out == OK)
			*first_out = e;
	}
	return OK;
}

err_t
expire_sweep(struct ctx *cx)
{
	err_t first = OK;

	TRY(db_migrate_load(cx));
	for (int t = 0; t < (int)(sizeof tables / sizeof tables[0]); t++)
		if (tables[t].setting == NULL || *tables[t].setting > 0)
			TRY(sweep_spaces(cx, tables[t].table, sweep_table, t, &first));
	TRY(sweep_spaces(cx, "audit", sweep_users, 0, &first));
	return first;
}
