/* Variables of functions. What must stay true: their values are sealed at rest, and every change counts up the function's revision. */
#include "functions_priv.h"

#include "core/protocol.h"

enum { VARIABLES_MAX = 1000 };

static const struct field variable_fields[] = {
	FIELD_HIDDEN(F_INT, struct variable, internal, "v.internal"),
	FIELD_HIDDEN(F_INT, struct variable, function, "v.function"),
	FIELD(F_ID, struct variable, id, "$id", "v.id", "Variable ID."),
	FIELD(F_TIME, struct variable, created, "$createdAt", "v.created", "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct variable, updated, "$updatedAt", "v.updated", "Date of the last change in ISO 8601 format."),
	FIELD(F_STR, struct variable, key, "key", "v.key", "Its name."),
	FIELD(F_STR, struct variable, value, "value", "v.value", "Its value.", .flags = COL_SEALED),
	FIELD(F_ID, struct variable, function_id, "functionId", "f.id", "ID of its function."),
	{.key = "resourceType", .type = F_CONST, .text = "\"function\"", .doc = "What it is of. Told since 1.4.0, as what follows.", .since = 1004000},
	{.key = "resourceId", .type = F_ID, .off = offsetof(struct variable, function_id), .doc = "ID of that.", .since = 1004000},
	FIELD_ALWAYS("secret", "false", SINCE_1_7, "Always false: keys and admins read it."),
};
const struct shape variable_shape = SHAPE("variable", struct variable, variable_fields);

static const struct record variables = {
	.shape = &variable_shape,
	.table = ":schema.variables",
	.alias = "v",
	.with = ":schema.functions f",
	.on = "f.internal = v.function",
	.entity = "Variable",
	.missing = ERR_VARIABLE_NOT_FOUND,
	.taken = ERR_VARIABLE_ALREADY_EXISTS,
};

static struct rows
variable_rows(struct ctx *cx, const struct function *f, const char *id)
{
	return (struct rows){"@.function = $1::bigint AND lower(@.id) = lower($2)", 2, {pg_i64(cx->arena, f->internal), id}};
}

static struct rows
variables_of(struct ctx *cx, const struct function *f)
{
	return (struct rows){"@.function = $1::bigint", 1, {pg_i64(cx->arena, f->internal)}};
}

/* ---- of functions ---- */

static const char *
variables_sql(struct ctx *cx, const struct project *p)
{
	return arena_printf(cx->arena, "SELECT %s FROM %s.variables v JOIN %s.functions f ON f.internal = v.function WHERE v.function = ANY ($1::bigint[]) "
	    "ORDER BY v.internal", shape_columns(&variable_shape), p->schema, p->schema);
}

static const char *
numbers_of(struct ctx *cx, struct function *const *v, int n)
{
	const char **numbers = arena_array(cx->arena, const char *, n + 1);

	for (int i = 0; i < n; i++)
		numbers[i] = pg_i64(cx->arena, v[i]->internal);
	return pg_array(cx->arena, numbers, n);
}

static void
variables_hand_out(struct ctx *cx, const struct db_res *r, struct function *const *v, int n)
{
	struct objs all = shape_rows(cx, &variable_shape, r);

	for (int i = 0; i < n; i++) {
		v[i]->vars = (struct objs){.v = arena_array(cx->arena, void *, all.n + 1)};
		for (int k = 0; k < all.n; k++)
			if (((const struct variable *)all.v[k])->function == v[i]->internal)
				v[i]->vars.v[v[i]->vars.n++] = all.v[k];
	}
}

err_t
function_vars(struct ctx *cx, const struct project *p, struct function *const *v, int n)
{
	struct db_res *r;

	if (n == 0)
		return OK;
	TRY(db_query(cx, &r, variables_sql(cx, p), DB(numbers_of(cx, v, n))));
	variables_hand_out(cx, r, v, n);
	return OK;
}

err_t
function_vars_tx(struct db_tx *tx, const struct project *p, struct function *f)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, variables_sql(cx, p), DB(numbers_of(cx, &f, 1))));
	variables_hand_out(cx, r, &f, 1);
	return OK;
}

/* ---- changes ---- */

/* Processes that have the variables of before take no run any more. */
static void
note_change(struct db_tx *tx, const struct project *p, const struct function *f)
{
	struct ctx *cx = tx_ctx(tx);
	const struct event ev = {.kind = &ev_variables_update, .project = p->id, .ids = {f->id}, .stale = {function_stale_key(cx, p, f->id)}};

	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.functions SET revision = revision + 1 WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, f->internal)));
	event_emit(tx, &ev);
}

static err_t
check_room(struct db_tx *tx, const struct project *p, const struct function *f)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, arena_printf(cx->arena, "SELECT count(*) FROM %s.variables WHERE function = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, f->internal))));
	if (db_i64(r, 0, 0) < VARIABLES_MAX)
		return OK;
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "A function has at most %d variables.", VARIABLES_MAX);
}

static err_t
variable_create_tx(struct db_tx *tx, const struct project *p, const char *function, struct variable *v)
{
	struct function f;

	TRY(record_lock(tx, p, &function_record, rows_id(function), &f));
	TRY(check_room(tx, p, &f));
	v->function = f.internal;
	v->function_id = f.id;
	TRY(record_insert(tx, p, &variables, v));
	note_change(tx, p, &f);
	return OK;
}

err_t
variable_create(struct ctx *cx, const struct project *p, const char *function, const struct variable *in, struct variable *out)
{
	*out = *in;
	record_init(cx, &variables, out);
	return TX_RUN(cx, tx, variable_create_tx(tx, p, function, out));
}

static err_t
variable_update_tx(struct db_tx *tx, const struct project *p, const char *function, const char *id, const char *key, const char *value, struct variable *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct variable v = {.key = key, .value = value};
	struct function f;
	err_t e;

	TRY(record_lock(tx, p, &function_record, rows_id(function), &f));
	e = record_set(tx, p, &variables, variable_rows(cx, &f, id), value ? "key value" : "key", &v, out);
	if (e == ERR_DB_UNIQUE)
		return fail(cx, ERR_VARIABLE_ALREADY_EXISTS, "key=%s", key);
	TRY(e);
	note_change(tx, p, &f);
	return OK;
}

err_t
variable_update(struct ctx *cx, const struct project *p, const char *function, const char *id, const char *key, const char *value, struct variable *out)
{
	return TX_RUN(cx, tx, variable_update_tx(tx, p, function, id, key, value, out));
}

static err_t
variable_delete_tx(struct db_tx *tx, const struct project *p, const char *function, const char *id)
{
	struct variable v;
	struct function f;

	TRY(record_lock(tx, p, &function_record, rows_id(function), &f));
	TRY(record_delete(tx, p, &variables, variable_rows(tx_ctx(tx), &f, id), &v));
	note_change(tx, p, &f);
	return OK;
}

err_t
variable_delete(struct ctx *cx, const struct project *p, const char *function, const char *id)
{
	return TX_RUN(cx, tx, variable_delete_tx(tx, p, function, id));
}

/* ---- reading ---- */

err_t
variable_list(struct ctx *cx, const struct project *p, const char *function, struct objs *out)
{
	struct function f;

	TRY(function_get(cx, p, function, &f));
	return record_all(cx, p, &variables, variables_of(cx, &f), VARIABLES_MAX, out);
}

err_t
variable_get(struct ctx *cx, const struct project *p, const char *function, const char *id, struct variable *out)
{
	struct function f;

	TRY(function_get(cx, p, function, &f));
	return record_get(cx, p, &variables, variable_rows(cx, &f, id), out);
}
