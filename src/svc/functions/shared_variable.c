/* Variables of a project: all its functions get them, where they have none of that name. What must stay true: values are sealed at rest, one that is secret is told to
 * nobody but functions any more, and a change makes every running process of a function out of date with the same commit. */
#include "functions_priv.h"

#include "core/protocol.h"
#include "gate/caller.h"

enum { SHARED_MAX = 256, SHARED_PAGE = 5000 };

static const struct field shared_fields[] = {
	FIELD_HIDDEN(F_INT, struct shared_variable, internal, "c.internal"),
	FIELD_HIDDEN(F_INT, struct shared_variable, project, "c.project"),
	FIELD(F_ID, struct shared_variable, id, "$id", "c.id", "Variable ID."),
	FIELD(F_TIME, struct shared_variable, created, "$createdAt", "c.created", "Creation date in ISO 8601 format."),
	FIELD(F_TIME, struct shared_variable, updated, "$updatedAt", "c.updated", "Date of the last change in ISO 8601 format."),
	FIELD(F_STR, struct shared_variable, key, "key", "c.key", "Its name.", .flags = COL_ASKED),
	FIELD(F_STR, struct shared_variable, value, "value", "c.value", "Its value; empty when it is secret.", .flags = COL_SEALED),
	FIELD(F_BOOL, struct shared_variable, secret, "secret", "c.secret", "Nobody reads its value. Told since 1.7.0.", .flags = COL_ASKED, .since = SINCE_1_7),
	{.key = "resourceType", .type = F_CONST, .text = "\"project\"", .doc = "What it is of."},
	{.key = "resourceId", .type = F_CONST, .text = "\"\"", .doc = "Always empty."},
};
const struct shape shared_variable_shape = SHAPE("projectVariable", struct shared_variable, shared_fields);

static const struct record shared_variables = {
	.shape = &shared_variable_shape,
	.table = "badal.variables",
	.alias = "c",
	.entity = "Variable",
	.page = SHARED_PAGE,
	.missing = ERR_VARIABLE_NOT_FOUND,
	.taken = ERR_VARIABLE_ALREADY_EXISTS,
};

static struct rows
shared_row(struct ctx *cx, const struct project *p, const char *id)
{
	return (struct rows){"@.project = $1::bigint AND lower(@.id) = lower($2)", 2, {pg_i64(cx->arena, p->internal), id}};
}

static struct rows
shared_rows(struct ctx *cx, const struct project *p)
{
	return (struct rows){"@.project = $1::bigint", 1, {pg_i64(cx->arena, p->internal)}};
}

const char *
shared_stale_key(struct ctx *cx, const struct project *p)
{
	return str_lower(cx->arena, str_c(arena_printf(cx->arena, "functions:%s", p->id))).p;
}

err_t
shared_read(struct ctx *cx, const struct project *p, struct objs *out)
{
	return record_all(cx, p, &shared_variables, shared_rows(cx, p), SHARED_MAX, out);
}

/* ---- changes: one after the other in a project, whose row is locked ---- */

struct shared_change {
	const struct project *p;
	const char *id;
	const struct shared_variable *values;
	const char *set;		/* NULL: it is made, or deleted when there are no values */
	struct shared_variable *out;
};

static err_t
shared_room(struct db_tx *tx, const struct project *p)
{
	struct ctx *cx = tx_ctx(tx);
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT count(*) FROM badal.variables WHERE project = $1::bigint", DB(pg_i64(cx->arena, p->internal))));
	return db_i64(r, 0, 0) < SHARED_MAX ? OK : fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "A project has at most %d variables.", SHARED_MAX);
}

static err_t
shared_set(struct db_tx *tx, const struct shared_change *c)
{
	struct ctx *cx = tx_ctx(tx);
	err_t e;

	TRY(record_lock(tx, c->p, &shared_variables, shared_row(cx, c->p, c->id), c->out));
	if (strstr(c->set, "secret") != NULL && c->out->secret && !c->values->secret)
		return fail(cx, ERR_VARIABLE_CANNOT_UNSET_SECRET, "id=%s", c->id);
	e = record_set(tx, c->p, &shared_variables, shared_row(cx, c->p, c->id), c->set, c->values, c->out);
	return e == ERR_DB_UNIQUE ? fail(cx, ERR_VARIABLE_ALREADY_EXISTS, "id=%s", c->id) : e;
}

static err_t
shared_change_tx(struct db_tx *tx, const struct shared_change *c)
{
	struct ctx *cx = tx_ctx(tx);
	const struct event ev = {.kind = &ev_shared_variables_update, .project = c->p->id, .ids = {c->p->id}, .stale = {shared_stale_key(cx, c->p)}};
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT FROM badal.projects WHERE internal = $1::bigint FOR UPDATE", DB(pg_i64(cx->arena, c->p->internal))));
	if (db_rows(r) == 0)
		return fail(cx, ERR_PROJECT_NOT_FOUND, "project=%s", c->p->id);
	if (c->set != NULL)
		TRY(shared_set(tx, c));
	else if (c->values == NULL)
		TRY(record_delete(tx, c->p, &shared_variables, shared_row(cx, c->p, c->id), c->out));
	else
		TRY(shared_room(tx, c->p));
	if (c->set == NULL && c->values != NULL)
		TRY(record_insert(tx, c->p, &shared_variables, c->out));
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.functions SET revision = revision + 1", c->p->schema), DB0);
	event_emit(tx, &ev);
	return OK;
}

static err_t
shared_change(struct ctx *cx, const struct shared_change *c)
{
	return TX_RUN(cx, tx, shared_change_tx(tx, c));
}

/* ---- requests ---- */

struct shared_in {
	const char *id, *key, *value;
	int secret;
	struct strs queries;
};
#define SHARED_ID PATH("variableId", P_UID, struct shared_in, id, "Variable ID.")
#define SHARED_VALUE(must_, ...) must_("value", P_TEXT, struct shared_in, value, "Its value.", .max = 8192, .empty_since = 1, __VA_ARGS__)
static const struct param shared_create_params[] = {
	OPTIONAL("variableId", P_CUSTOM_ID, struct shared_in, id, "Variable ID, or unique() for a generated one."),
	REQUIRED("key", P_TEXT, struct shared_in, key, "Its name: letters, digits and underscores.", .max = 255),
	SHARED_VALUE(REQUIRED),
	OPTIONAL("secret", P_BOOL, struct shared_in, secret, "Nobody is to read its value.", .def = "true"),
};
static const struct param shared_update_params[] = {
	SHARED_ID,
	OPTIONAL("key", P_TEXT, struct shared_in, key, "Its name; left out: it stays.", .max = 255),
	SHARED_VALUE(OPTIONAL),
	OPTIONAL("secret", P_BOOL, struct shared_in, secret, "Nobody is to read its value any more."),
};
static const struct param shared_path[] = {SHARED_ID};
static const struct param shared_list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct shared_in, queries, "Queries over the variables: key, secret."),
	LIST_TOTAL,
};

static struct shared_variable *
shared_hide(struct shared_variable *v)
{
	if (v->secret)
		v->value = "";
	return v;
}

static err_t
own_project(struct req *rq)
{
	return rq->project->console ? fail(&rq->cx, ERR_GENERAL_ACCESS_FORBIDDEN, "the console has no functions") : OK;
}

static err_t
functions_create_shared_variable(struct req *rq, void *arg)
{
	const struct shared_in *in = arg;
	struct shared_variable v = {.id = in->id, .project = rq->project->internal, .key = in->key, .value = in->value,
		.secret = in->secret == 1 && rq->cx.format >= SINCE_1_7};

	TRY(own_project(rq));
	if (in->id == NULL && rq->cx.format >= SINCE_1_9)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"variableId\" is not optional.");
	TRY(variable_check_key(&rq->cx, in->key));
	record_init(&rq->cx, &shared_variables, &v);
	TRY(shared_change(&rq->cx, &(struct shared_change){.p = rq->project, .values = &v, .out = &v}));
	return reply(rq, 201, &shared_variable_shape, shared_hide(&v));
}

static err_t
functions_list_shared_variables(struct req *rq, void *arg)
{
	const struct shared_in *in = arg;
	struct query_page page;
	struct objs list = {0};

	TRY(own_project(rq));
	TRY(record_list(&rq->cx, rq->project, &shared_variables, shared_rows(&rq->cx, rq->project), &in->queries, NULL, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &shared_variable_shape, page.res);
	for (int i = 0; i < list.n; i++)
		shared_hide(list.v[i]);
	return reply_list(rq, &shared_variable_shape, "variables", page.total, &list);
}

static err_t
functions_get_shared_variable(struct req *rq, void *arg)
{
	const struct shared_in *in = arg;
	struct shared_variable v;

	TRY(own_project(rq));
	TRY(record_get(&rq->cx, rq->project, &shared_variables, shared_row(&rq->cx, rq->project, in->id), &v));
	return reply(rq, 200, &shared_variable_shape, shared_hide(&v));
}

static err_t
functions_update_shared_variable(struct req *rq, void *arg)
{
	const struct shared_in *in = arg;
	const struct shared_variable values = {.key = in->key, .value = in->value, .secret = in->secret == 1};
	static const char *const sets[] = {NULL, "key", "value", "key value", "secret", "key secret", "value secret", "key value secret"};
	bool key = in->key != NULL && in->key[0] != '\0';
	const char *set = sets[(key ? 1 : 0) + (in->value != NULL ? 2 : 0) + (in->secret >= 0 ? 4 : 0)];
	struct shared_variable v;

	TRY(own_project(rq));
	if (set == NULL)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "One of key, value and secret must be there.");
	if (key)
		TRY(variable_check_key(&rq->cx, in->key));
	TRY(shared_change(&rq->cx, &(struct shared_change){.p = rq->project, .id = in->id, .values = &values, .set = set, .out = &v}));
	return reply(rq, 200, &shared_variable_shape, shared_hide(&v));
}

static err_t
functions_delete_shared_variable(struct req *rq, void *arg)
{
	const struct shared_in *in = arg;
	struct shared_variable v;

	TRY(own_project(rq));
	TRY(shared_change(&rq->cx, &(struct shared_change){.p = rq->project, .id = in->id, .out = &v}));
	return reply_none(rq);
}

/* ---- routes ---- */

#define SHARED(method_, tail, name_, scope_, handler_, model_, status_, doc_, rows_, ...)                                           \
	{                                                                                                                           \
		.method = method_, .path = "/v1/project/variables" tail, .service = "project", .name = name_, .scope = "project." scope_, \
		.limit = "", .handler = handler_, .model = model_, .status = status_, .doc = doc_, .since = SINCE_1_4,               \
		PARAMS(struct shared_in, rows_), __VA_ARGS__                                                                         \
	}

static const struct route rows[] = {
	SHARED("POST", "", "createVariable", "write", functions_create_shared_variable, &shared_variable_shape, 201, "Create a variable that all functions get.",
	    shared_create_params),
	SHARED("GET", "", "listVariables", "read", functions_list_shared_variables, &shared_variable_shape, 200, "List the variables that all functions get.",
	    shared_list_params, .list = "variables"),
	SHARED("GET", "/:variableId", "getVariable", "read", functions_get_shared_variable, &shared_variable_shape, 200, "Get a variable.", shared_path),
	SHARED("PUT", "/:variableId", "updateVariable", "write", functions_update_shared_variable, &shared_variable_shape, 200, "Change a variable.",
	    shared_update_params),
	SHARED("DELETE", "/:variableId", "deleteVariable", "write", functions_delete_shared_variable, NULL, 204, "Delete a variable.", shared_path),
};
const struct routes shared_variable_routes = ROUTES(rows);
