/* A change of the master key: everything that is sealed in the database is sealed anew, value by value.
 *
 * A value is replaced only where it still is what was read, so whoever writes meanwhile wins; and it tells itself under which key it is sealed, so the
 * work may be stopped anywhere and begun again. t/05-source holds the table below against the shapes. */
#include "io/db.h"
#include "model/seal.h"

enum { SLICE_ROWS = 500, SLICE_BYTES = 1024 * 1024 };

static const struct sealed_column {
	bool space;		/* of every project's data space; else of the platform */
	const char *table, *id, *column;
} columns[] = {
	{false, "badal.keys", "internal", "secret"},
	{false, "badal.dev_keys", "internal", "secret"},
	{false, "badal.organization_keys", "internal", "secret"},
	{false, "badal.account_keys", "internal", "secret"},
	{false, "badal.variables", "internal", "value"},
	{false, "badal.webhooks", "internal", "http_pass"},
	{false, "badal.webhooks", "internal", "signature"},
	{false, "badal.projects", "internal", "smtp_password"},
	{true, "sessions", "internal", "provider_access_token"},
	{true, "sessions", "internal", "provider_refresh_token"},
	{true, "identities", "internal", "access_token"},
	{true, "identities", "internal", "refresh_token"},
	{true, "identities", "internal", "id_token"},
	{true, "users", "internal", "totp_secret"},
	{true, "recovery_codes", "internal", "code"},
	{true, "challenges", "internal", "code"},
	{true, "data_keys", "number", "secret"},
	{true, "variables", "internal", "value"},
	{true, "transaction_operations", "internal", "sealed"},
};

/* `set` takes what it is now, what it shall be, and what names it. */
static err_t
renew_one(struct ctx *cx, const char *set, struct str sealed, const char *id, const char *name, struct seal_count *n)
{
	const char *anew;
	int changed;

	switch (seal_renew(cx->arena, sealed, &anew)) {
	case SEAL_CURRENT:
		n->current++;
		return OK;
	case SEAL_LOST:
		n->lost++;
		return OK;
	case SEAL_FORMER:
		break;
	}
	TRY(name != NULL ? db_exec(cx, &changed, set, DB(str_dup(cx->arena, sealed), anew, id, name)) : db_exec(cx, &changed, set, DB(str_dup(cx->arena, sealed), anew, id)));
	n->renewed += changed;
	return OK;
}

/* How long values are is known without reading them. */
const char *
seal_slice_sql(struct arena *a, const char *table, const char *id, const char *column, const char *where)
{
	return arena_printf(a, "SELECT id, v FROM (SELECT %s AS id, %s AS v, sum(octet_length(%s)) OVER w AS bytes FROM (SELECT %s, %s FROM %s WHERE %s > $1::bigint AND %s "
	    "ORDER BY %s LIMIT %d) AS x WINDOW w AS (ORDER BY %s)) AS y WHERE bytes - octet_length(v) < %d ORDER BY id", id, column, column, id, column, table, id, where, id,
	    SLICE_ROWS, id, SLICE_BYTES);
}

/* One slice behind *last, in memory of its own. *done_out: there was none. */
static err_t
rotate_batch(struct ctx *outer, const char *table, const struct sealed_column *c, int64_t *last, struct seal_count *n, bool *done_out)
{
	struct ctx own, *cx = &own;
	struct db_res *r;
	const char *set;
	err_t e;

	ctx_init_part(cx, outer);
	set = arena_printf(cx->arena, "UPDATE %s SET %s = $2 WHERE %s = $3 AND %s = $1", table, c->column, c->id, c->column);
	e = db_query(cx, &r, seal_slice_sql(cx->arena, table, c->id, c->column, arena_printf(cx->arena, "%s <> ''", c->column)), DB(pg_i64(cx->arena, *last)));
	for (int i = 0; e == OK && i < db_rows(r); i++) {
		*last = db_i64(r, i, 0);
		e = renew_one(cx, set, db_str(r, i, 1), db_cstr(r, i, 0), NULL, n);
	}
	*done_out = e != OK || db_rows(r) == 0;
	if (e != OK)
		e = fail(outer, e, "%s", cx->detail ? cx->detail : table);
	ctx_fini(cx);
	return e;
}

/* A data space that is behind may not have the table yet: then it has nothing to renew. */
static err_t
rotate_column(struct ctx *cx, const char *schema, const struct sealed_column *c, struct seal_count *n)
{
	const char *table = schema != NULL ? arena_printf(cx->arena, "%s.%s", schema, c->table) : c->table;
	int64_t last = INT64_MIN;
	bool done = false;
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT to_regclass($1) IS NOT NULL", DB(table)));
	if (!db_bool(r, 0, 0))
		return OK;
	while (!done)
		TRY(rotate_batch(cx, table, c, &last, n, &done));
	return OK;
}

static err_t
rotate_columns(struct ctx *cx, const char *schema, struct seal_count *n)
{
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		if (columns[i].space == (schema != NULL))
			TRY(rotate_column(cx, schema, &columns[i], n));
	return OK;
}

/* Encrypted attributes: columns of the documents' tables. */
static err_t
rotate_attributes(struct ctx *cx, const char *schema, struct seal_count *n)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT to_regclass($1) IS NOT NULL AND EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = 'encrypt')",
	    DB(arena_printf(cx->arena, "%s.attributes", schema))));
	if (!db_bool(r, 0, 0))
		return OK;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT 'c_' || a.collection, 'a_' || a.internal FROM %s.attributes a JOIN pg_attribute k ON "
	    "k.attrelid = to_regclass('%s.c_' || a.collection) AND k.attname = 'a_' || a.internal WHERE a.encrypt", schema, schema), DB0));
	for (int i = 0; i < db_rows(r); i++)
		TRY(rotate_column(cx, schema, &(struct sealed_column){true, db_cstr(r, i, 0), "_seq", db_cstr(r, i, 1)}, n));
	return OK;
}

static err_t
rotate_providers(struct ctx *cx, const char *internal, struct seal_count *n)
{
	static const char set[] = "UPDATE badal.projects SET providers = jsonb_set(providers, ARRAY[$4::text], to_jsonb($2::text)) WHERE internal = $3 AND providers->>$4 = $1";
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT e.key, e.value FROM badal.projects p, jsonb_each_text(p.providers) e WHERE p.internal = $1 AND e.value <> '' AND e.key NOT LIKE '%Enabled'", DB(internal)));
	for (int i = 0; i < db_rows(r); i++)
		TRY(renew_one(cx, set, db_str(r, i, 1), internal, db_cstr(r, i, 0), n));
	return OK;
}

static err_t
rotate_project(struct ctx *outer, const char *internal, struct seal_count *n, const char **schema_out)
{
	struct ctx own;
	const char *schema = *schema_out = arena_printf(outer->arena, "p_%s", internal);
	err_t e;

	ctx_init_part(&own, outer);
	e = rotate_columns(&own, schema, n);
	if (e == OK)
		e = rotate_attributes(&own, schema, n);
	if (e == OK)
		e = rotate_providers(&own, internal, n);
	if (e != OK)
		e = fail(outer, e, "%s: %s", schema, own.detail ? own.detail : "");
	ctx_fini(&own);
	return e;
}

err_t
seal_rotate(struct ctx *cx, struct seal_count *out, void (*told)(const struct seal_count *so_far, const char *schema))
{
	struct db_res *r;
	const char *schema;

	memset(out, 0, sizeof *out);
	TRY(rotate_columns(cx, NULL, out));
	TRY(db_query(cx, &r, "SELECT 0 UNION SELECT internal FROM badal.projects ORDER BY 1", DB0));
	for (int i = 0; i < db_rows(r); i++) {
		TRY(rotate_project(cx, db_cstr(r, i, 0), out, &schema));
		told(out, schema);
	}
	return OK;
}
