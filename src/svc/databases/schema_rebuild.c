/* A table whose columns are used up is copied. PostgreSQL counts dropped columns against its 1,600, so a collection whose attributes come and
 * go a lot gets there. Writers wait meanwhile: it is rare, and there is no way around. */
#include "svc/databases/collection.h"

#include "core/log.h"
#include "schema_priv.h"

/* CREATE INDEX CONCURRENTLY is not for transactions; nobody else sees this table yet. */
static const char *
within_tx(struct arena *a, const char *sql)
{
	const char *at = strstr(sql, "CONCURRENTLY ");

	return at ? arena_printf(a, "%.*s%s", (int)(at - sql), sql, at + strlen("CONCURRENTLY ")) : sql;
}

static void
add_plan(struct db_tx *tx, const struct index_plan *plan)
{
	for (int i = 0; i < plan->n; i++)
		tx_add(tx, within_tx(tx_ctx(tx)->arena, plan->sql[i]), DB0);
}

err_t
index_build_within(struct db_tx *tx, const struct project *p, const struct collection *c, const struct index *x)
{
	struct index_plan plan;
	const char *why;

	if (!index_plan(tx_ctx(tx), p->schema, c, x, &plan, &why))
		return fail_msg(tx_ctx(tx), ERR_INDEX_INVALID, "%s", why);
	add_plan(tx, &plan);
	return OK;
}

static err_t
copy_indexes(struct db_tx *tx, const struct project *p, const struct collection *c)
{
	for (int i = 0; i < c->n_indexes; i++) {
		struct index_plan plan;
		const char *why;

		if (strcmp(c->indexes[i].status, "available") == 0 && index_plan(tx_ctx(tx), p->schema, c, &c->indexes[i], &plan, &why))
			add_plan(tx, &plan);
	}
	return OK;
}

static err_t
rebuild(struct db_tx *tx, const struct project *p, const struct collection *known)
{
	struct ctx *cx = tx_ctx(tx);
	const char *table = arena_printf(cx->arena, "%s.c_%lld", p->schema, (long long)known->internal);
	const char *copy = arena_printf(cx->arena, "%s_copy", table);
	struct collection *c;

	TRY(schema_lock(tx, p, known, SCHEMA_WAIT_JOB, &c));
	log_info(cx, "table is copied", "table=%s", table);
	tx_add(tx, arena_printf(cx->arena, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", table), DB0);
	tx_add(tx, arena_printf(cx->arena, "CREATE TABLE %s (LIKE %s INCLUDING IDENTITY INCLUDING CONSTRAINTS)", copy, table), DB0);
	tx_add(tx, arena_printf(cx->arena, "INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM %s", copy, table), DB0);
	tx_add(tx, "SELECT setval(pg_get_serial_sequence($2, '_seq'), nextval(pg_get_serial_sequence($1, '_seq')), false)", DB(table, copy));
	tx_add(tx, arena_printf(cx->arena, "ALTER SEQUENCE IF EXISTS %s.v_%lld OWNED BY %s._id", p->schema, (long long)c->internal, copy), DB0);
	tx_add(tx, arena_printf(cx->arena, "DROP TABLE %s", table), DB0);
	tx_add(tx, arena_printf(cx->arena, "ALTER TABLE %s RENAME TO c_%lld", copy, (long long)c->internal), DB0);
	tx_add(tx, arena_printf(cx->arena, "ALTER TABLE %s ADD CONSTRAINT c_%lld_pkey PRIMARY KEY (_seq)", table, (long long)c->internal), DB0);
	collection_table_indexes(tx, p->schema, c->internal);
	collection_table_counted(tx, p->schema, c->internal);
	TRY(copy_indexes(tx, p, c));
	tx_add(tx, arena_printf(cx->arena, "ANALYZE %s", table), DB0);
	return OK;
}

err_t
schema_rebuild(struct ctx *cx, const struct project *p, const struct collection *known)
{
	return TX_RUN(cx, tx, rebuild(tx, p, known));
}
