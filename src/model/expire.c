/* Sessions and tokens whose time is over. */
#include "model/expire.h"

#include "io/db.h"

enum { STEP = 1000 };

/* Data spaces that have the tables: a project's may not have been made yet. */
#define SQL_TABLES                                                                                                            \
	"SELECT quote_ident(n.nspname) || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "     \
	"WHERE n.nspname ~ '^p_[0-9]+$' AND c.relname IN ('sessions', 'tokens') AND c.relkind = 'r' ORDER BY 1"

static err_t
sweep_table(struct ctx *cx, const char *table)
{
	char *sql = arena_printf(cx->arena, "DELETE FROM %s WHERE internal IN (SELECT internal FROM %s WHERE expire < now() LIMIT %d)", table,
	    table, STEP);
	int n;

	do
		TRY(db_exec(cx, &n, sql, DB0));
	while (n == STEP);
	return OK;
}

err_t
expire_sweep(struct ctx *cx)
{
	struct db_res *r;
	err_t e = OK, first = OK;

	TRY(db_query(cx, &r, SQL_TABLES, DB0));
	for (int i = 0; i < db_rows(r); i++) {
		e = sweep_table(cx, db_cstr(r, i, 0));
		/* a project may go meanwhile: its tables do not hold up the others' */
		if (e == ERR_CANCELLED || e == ERR_TIMEOUT || e == ERR_DB_DOWN)
			return e;
		if (e != OK && first == OK)
			first = e;
	}
	return first;
}
