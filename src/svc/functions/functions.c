/* Functions, runtimes, variables and usage, for keys and admins. */
#include "core/conf.h"
#include "core/cron.h"
#include "core/protocol.h"
#include "functions_priv.h"
#include "gate/caller.h"
#include "model/format.h"
#include "model/usage.h"

static const char *const generations[] = {"", "v2", "v5", NULL};

struct function_in {
	const char *id, *name, *runtime, *schedule, *search, *range, *generation, *entrypoint;
	struct strs execute, events, queries;
	int enabled, keep_warm;
	struct opt_int timeout;
};

#define FUNCTION_PATH PATH("functionId", P_UID, struct function_in, id, "Function ID.")
#define FUNCTION_MEMBERS                                                                                                                            \
	REQUIRED("name", P_TEXT, struct function_in, name, "Function name.", .max = 128),                                                           \
	OPTIONAL("execute", P_ROLES, struct function_in, execute, "Roles that may run it; none: keys and admins alone.", .def = "[]"),              \
	OPTIONAL("events", P_TEXTS, struct function_in, events, "Names of events that it runs on.", .def = "[]", .max = 1024, .count = 100),        \
	OPTIONAL("schedule", P_TEXT, struct function_in, schedule, "When it runs, in the form of crontab(5), in UTC; empty: never.", .max = 256), \
	OPTIONAL("timeout", P_RANGE, struct function_in, timeout, "Longest time of a run in seconds.", .def = "15", .min = 1, .max_at = &conf.functions_timeout), \
	OPTIONAL("enabled", P_BOOL, struct function_in, enabled, "false: it does not run.", .def = "true"),                                         \
	OPTIONAL("version", P_ENUM, struct function_in, generation,                                                                                 \
	    "Which arguments its handler gets: v2 (req, res), v5 (context); empty: as many as it takes say. By default what the client is used to.", \
	    .list = generations),                                                                                                                   \
	OPTIONAL("entrypoint", P_TEXT, struct function_in, entrypoint, "Entrypoint of deployments that name none.", .max = 1028),                   \
	OPTIONAL("keepWarm", P_BOOL, struct function_in, keep_warm, "true: the active deployment is kept ready to run.")

static const struct param create_params[] = {
	REQUIRED("functionId", P_CUSTOM_ID, struct function_in, id, "Function ID, or unique() for a generated one."),
	REQUIRED("runtime", P_TEXT, struct function_in, runtime, "Runtime: one of those that the server has.", .max = 64),
	FUNCTION_MEMBERS,
};
static const struct param update_params[] = {
	FUNCTION_PATH,
	OPTIONAL("runtime", P_TEXT, struct function_in, runtime, "Another runtime, for the next builds.", .max = 64),
	FUNCTION_MEMBERS,
};
static const struct param get_params[] = {FUNCTION_PATH};
static const struct param list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct function_in, queries, "Queries over the functions."),
	OPTIONAL("search", P_TEXT, struct function_in, search, "Words to look for in names, ids and runtimes.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};

/* ---- what validators do not know ---- */

static err_t
check_runtime(struct ctx *cx, const char *id)
{
	const struct exec_runtime *v;
	const char **names, *why = NULL;
	int n;

	TRY(exec_runtimes(cx, &v, &n, &why));
	if (exec_runtime_named(v, n, id) != NULL)
		return OK;
	if (n == 0)
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid runtime: This server has none. %s", why ? why : "");
	names = arena_array(cx->arena, const char *, n + 1);
	for (int i = 0; i < n; i++)
		names[i] = v[i].id;
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid runtime: %s", tail_one_of(cx->arena, names, n));
}

static err_t
functions_check_events(struct ctx *cx, const struct strs *events)
{
	for (int i = 0; i < events->n; i++)
		if (!event_subscribable(str_c(events->v[i]), cx->format))
			return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid events: '%s' is no event.", events->v[i]);
	return OK;
}

static err_t
check_schedule(struct ctx *cx, const char *schedule)
{
	struct cron c;

	if (cron_parse(str_c(schedule), &c))
		return OK;
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid schedule: It is no cron expression, or one that never comes.");
}

static err_t
check_function(struct ctx *cx, const struct function_in *in)
{
	if (in->runtime != NULL)
		TRY(check_runtime(cx, in->runtime));
	TRY(functions_check_events(cx, &in->events));
	return in->schedule != NULL ? check_schedule(cx, in->schedule) : OK;
}

/* ---- functions ---- */

/* What clients of that time write handlers for. */
static const char *
generation_of_client(const struct ctx *cx)
{
	return cx->format >= FORMAT_TELLS_BUILDS ? "v5" : cx->format >= 1000000 ? "v2" : "";
}

static struct function
function_of(const struct function_in *in)
{
	return (struct function){.id = in->id, .name = in->name, .execute = in->execute, .enabled = in->enabled, .runtime = in->runtime, .events = in->events,
		.schedule = in->schedule ? in->schedule : "", .timeout = in->timeout.v, .generation = in->generation,
		.entrypoint = in->entrypoint};
}

static err_t
functions_create(struct req *rq, void *arg)
{
	const struct function_in *in = arg;
	struct function f = function_of(in);

	TRY(check_function(&rq->cx, in));
	if (f.generation == NULL)
		f.generation = generation_of_client(&rq->cx);
	f.keep_warm = in->keep_warm > 0;
	TRY(function_create(&rq->cx, rq->project, caller_id(rq), &f));
	return reply(rq, 201, &function_shape, &f);
}

static err_t
functions_list(struct req *rq, void *arg)
{
	const struct function_in *in = arg;
	struct query_page page;
	struct objs list;

	TRY(function_list(&rq->cx, rq->project, &in->queries, in->search, &page, &list));
	return reply_list(rq, &function_shape, "functions", page.total, &list);
}

static err_t
functions_get(struct req *rq, void *arg)
{
	const struct function_in *in = arg;
	struct function f, *one = &f;

	TRY(function_get(&rq->cx, rq->project, in->id, &f));
	TRY(function_vars(&rq->cx, rq->project, &one, 1));
	return reply(rq, 200, &function_shape, &f);
}

/* An empty text counts as left out, but for what then stays as it is. */
static const char *
emptied(const struct req *rq, const char *name, const char *value)
{
	return value == NULL && json_is_string(json_object_get(rq->body, name)) ? "" : value;
}

static err_t
functions_update(struct req *rq, void *arg)
{
	const struct function_in *in = arg;
	struct function_change change = {.values = function_of(in), .keep_warm = in->keep_warm};
	struct function f;

	TRY(check_function(&rq->cx, in));
	change.values.generation = emptied(rq, "version", in->generation);
	change.values.entrypoint = emptied(rq, "entrypoint", in->entrypoint);
	TRY(function_update(&rq->cx, rq->project, caller_id(rq), in->id, &change, &f));
	return reply(rq, 200, &function_shape, &f);
}

static err_t
functions_delete_one(struct req *rq, void *arg)
{
	const struct function_in *in = arg;

	TRY(function_delete(&rq->cx, rq->project, caller_id(rq), in->id));
	return reply_none(rq);
}

/* ---- runtimes ---- */

struct runtime_row {
	struct exec_runtime r;
	struct strs supports;
};
static const struct field runtime_fields[] = {
	FIELD(F_ID, struct runtime_row, r.id, "$id", NULL, "Runtime ID."),
	FIELD(F_STR, struct runtime_row, r.name, "name", NULL, "Name of the language."),
	FIELD(F_STR, struct runtime_row, r.version, "version", NULL, "Its version."),
	FIELD(F_STR, struct runtime_row, r.base, "base", NULL, "Where it comes from."),
	FIELD(F_STR, struct runtime_row, r.image, "image", NULL, "Its image."),
	FIELD(F_STR, struct runtime_row, r.logo, "logo", NULL, "File of its logo."),
	FIELD(F_STRS, struct runtime_row, supports, "supports", NULL, "Processors that it runs on."),
	FIELD(F_STR, struct runtime_row, r.key, "key", NULL, "Key of the language. Told since 1.5.0.", .since = 1005000),
};
const struct shape runtime_shape = SHAPE("runtime", struct runtime_row, runtime_fields);

static err_t
functions_list_runtimes(struct req *rq, void *arg)
{
	static const char *processors[] = {"x86", "arm"};
	const struct exec_runtime *v;
	struct runtime_row *rows;
	const char *why;
	struct objs list;
	int n;

	(void)arg;
	TRY(exec_runtimes(&rq->cx, &v, &n, &why));
	rows = arena_array(rq->cx.arena, struct runtime_row, n + 1);
	list = (struct objs){.v = arena_array(rq->cx.arena, void *, n + 1)};
	for (int i = 0; i < n; i++) {
		rows[i] = (struct runtime_row){v[i], {.n = 2, .set = true, .v = processors}};
		list.v[list.n++] = &rows[i];
	}
	return reply_list(rq, &runtime_shape, "runtimes", n, &list);
}

/* ---- specifications ---- */

/* All functions of a server have the same. Its slug is what functions tell of theirs, so that a folder which names it differs from no function. */
struct specification {
	int64_t memory;
	double cpus;
	int enabled;
	const char *slug;
};
static const struct field specification_fields[] = {
	FIELD(F_INT, struct specification, memory, "memory", NULL, "Memory of a process in MiB."),
	FIELD(F_FLOAT, struct specification, cpus, "cpus", NULL, "Processors that it may use; 0: all that there are."),
	FIELD(F_BOOL, struct specification, enabled, "enabled", NULL, "Can it be chosen?"),
	FIELD(F_STR, struct specification, slug, "slug", NULL, "What stands for it: nothing, there is one."),
};
const struct shape specification_shape = SHAPE("specification", struct specification, specification_fields);

static err_t
functions_list_specifications(struct req *rq, void *arg)
{
	struct specification one = {.memory = conf.functions_memory >> 20, .cpus = (double)conf.functions_cpu / 100, .enabled = true, .slug = ""};
	void *v[] = {&one};
	const struct objs list = {.v = v, .n = 1};

	(void)arg;
	return reply_list(rq, &specification_shape, "specifications", 1, &list);
}

/* ---- usage ---- */

#define RANGE OPTIONAL("range", P_ENUM, struct function_in, range, "How far back.", .def = "\"30d\"", .list = usage_ranges)
static const struct param usage_params[] = {RANGE};
static const struct param function_usage_params[] = {FUNCTION_PATH, RANGE};

/* Name, kind, and what is counted of it. */
static const struct { const char *name, *kind, *what; } series[] = {
	{"executionsTotal", "executions", "total"},
	{"executionsFailure", "executions", "failure"},
	{"executionsSuccess", "executions", "success"},
	{"executionsTime", "executions", "time"},
	{"buildsTotal", "builds", "total"},
	{"buildsFailure", "builds", "failure"},
	{"buildsSuccess", "builds", "success"},
	{"buildsTime", "builds", "time"},
};
enum { SERIES = sizeof series / sizeof *series };

static const struct field functions_usage_fields[] = {
	USAGE_RANGE,
	USAGE_ROW("executionsTotal", "Executions that ended."),
	USAGE_ROW("executionsFailure", "Of these, failed ones."),
	USAGE_ROW("executionsSuccess", "And completed ones."),
	USAGE_ROW("executionsTime", "Milliseconds that they took."),
	USAGE_ROW("buildsTotal", "Builds that ended."),
	USAGE_ROW("buildsFailure", "Of these, failed ones."),
	USAGE_ROW("buildsSuccess", "And successful ones."),
	USAGE_ROW("buildsTime", "Milliseconds that they took."),
};
const struct shape functions_usage_shape = SHAPE_TOLD("usageFunctions", functions_usage_fields);

/* `of`: "$all", or the id of a function. */
static err_t
reply_compute(struct req *rq, const char *range, const char *of)
{
	struct usage_series v[SERIES];

	for (int i = 0; i < SERIES; i++)
		v[i] = (struct usage_series){series[i].name, arena_printf(rq->cx.arena, "%s.%s.compute.%s", series[i].kind, of, series[i].what)};
	return reply_usage(rq, rq->project, range, v, SERIES);
}

static err_t
functions_get_usage(struct req *rq, void *arg)
{
	const struct function_in *in = arg;

	return reply_compute(rq, in->range, "$all");
}

static err_t
functions_get_function_usage(struct req *rq, void *arg)
{
	const struct function_in *in = arg;
	struct function f;

	TRY(function_get(&rq->cx, rq->project, in->id, &f));
	return reply_compute(rq, in->range, f.id);
}

/* ---- variables ---- */

struct variable_in {
	const char *function, *id, *key, *value;
};
#define VARIABLE_PATH PATH("functionId", P_UID, struct variable_in, function, "Function ID.")
#define VARIABLE_ID PATH("variableId", P_UID, struct variable_in, id, "Variable ID.")
#define VARIABLE_KEY REQUIRED("key", P_TEXT, struct variable_in, key, "Its name: letters, digits and underscores.", .max = 255)

static const struct param variable_create_params[] = {
	VARIABLE_PATH,
	VARIABLE_KEY,
	REQUIRED("value", P_TEXT, struct variable_in, value, "Its value.", .max = 8192),
	OPTIONAL("variableId", P_CUSTOM_ID, struct variable_in, id, "Variable ID; left out or unique(): a generated one."),
};
static const struct param variable_update_params[] = {
	VARIABLE_PATH,
	VARIABLE_ID,
	VARIABLE_KEY,
	OPTIONAL("value", P_TEXT, struct variable_in, value, "Its value; left out: it stays.", .max = 8192),
};
static const struct param variable_list_params[] = {VARIABLE_PATH, LIST_TOTAL};
static const struct param variable_get_params[] = {VARIABLE_PATH, VARIABLE_ID};

/* It becomes one of the environment. */
err_t
variable_check_key(struct ctx *cx, const char *key)
{
	size_t n = strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

	if (key[0] != '\0' && key[n] == '\0' && strchr("0123456789", key[0]) == NULL)
		return OK;
	return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid key: It has letters, digits and underscores, and does not begin with a digit.");
}

static err_t
functions_create_variable(struct req *rq, void *arg)
{
	const struct variable_in *in = arg;
	struct variable v;

	TRY(variable_check_key(&rq->cx, in->key));
	TRY(variable_create(&rq->cx, rq->project, in->function, &(struct variable){.id = in->id, .key = in->key, .value = in->value}, &v));
	return reply(rq, 201, &variable_shape, &v);
}

static err_t
functions_list_variables(struct req *rq, void *arg)
{
	const struct variable_in *in = arg;
	struct objs list;

	TRY(variable_list(&rq->cx, rq->project, in->function, &list));
	return reply_list(rq, &variable_shape, "variables", list.n, &list);
}

static err_t
functions_get_variable(struct req *rq, void *arg)
{
	const struct variable_in *in = arg;
	struct variable v;

	TRY(variable_get(&rq->cx, rq->project, in->function, in->id, &v));
	return reply(rq, 200, &variable_shape, &v);
}

static err_t
functions_update_variable(struct req *rq, void *arg)
{
	const struct variable_in *in = arg;
	struct variable v;

	TRY(variable_check_key(&rq->cx, in->key));
	TRY(variable_update(&rq->cx, rq->project, in->function, in->id, in->key, in->value, &v));
	return reply(rq, 200, &variable_shape, &v);
}

static err_t
functions_delete_variable(struct req *rq, void *arg)
{
	const struct variable_in *in = arg;

	TRY(variable_delete(&rq->cx, rq->project, in->function, in->id));
	return reply_none(rq);
}

/* ---- routes ---- */

#define FUNCTION(method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows, ...)                                                \
	{                                                                                                                                      \
		.method = method_, .path = "/v1/functions" tail, .service = "functions", .name = name_, .scope = scope_, .limit = "",          \
		.handler = handler_, .model = model_, .status = status_, .doc = doc_, PARAMS(st, rows), __VA_ARGS__                            \
	}
#define OF_FUNCTION "function/{functionId}"

static const struct route rows[] = {
	FUNCTION("POST", "", "create", "functions.write", functions_create, &function_shape, 201, "Create a function.", struct function_in, create_params,
	    .audit = "function.create " OF_FUNCTION),
	FUNCTION("GET", "", "list", "functions.read", functions_list, &function_shape, 200, "List functions.", struct function_in, list_params, .list = "functions"),
	{.method = "GET", .path = "/v1/functions/runtimes", .service = "functions", .name = "listRuntimes", .scope = "functions.read", .limit = "",
	    .handler = functions_list_runtimes, .model = &runtime_shape, .status = 200, .doc = "List the runtimes that this server has.", .list = "runtimes"},
	{.method = "GET", .path = "/v1/functions/specifications", .service = "functions", .name = "listSpecifications", .scope = "functions.read", .limit = "",
	    .handler = functions_list_specifications, .model = &specification_shape, .status = 200, .doc = "List what a process of a function may have: the same for all.",
	    .list = "specifications", .since = SINCE_1_6},
	FUNCTION("GET", "/usage", "getUsage", "functions.read", functions_get_usage, &functions_usage_shape, 200, "How functions are used.", struct function_in,
	    usage_params),
	FUNCTION("GET", "/:functionId", "get", "functions.read", functions_get, &function_shape, 200, "Get a function.", struct function_in, get_params),
	FUNCTION("GET", "/:functionId/usage", "getFunctionUsage", "functions.read", functions_get_function_usage, &functions_usage_shape, 200,
	    "How a function is used.", struct function_in, function_usage_params),
	FUNCTION("PUT", "/:functionId", "update", "functions.write", functions_update, &function_shape, 200, "Change a function.", struct function_in, update_params,
	    .audit = "function.update " OF_FUNCTION),
	FUNCTION("DELETE", "/:functionId", "delete", "functions.write", functions_delete_one, NULL, 204, "Delete a function with its deployments.",
	    struct function_in, get_params, .audit = "function.delete " OF_FUNCTION),
	FUNCTION("POST", "/:functionId/variables", "createVariable", "functions.write", functions_create_variable, &variable_shape, 201, "Create a variable.",
	    struct variable_in, variable_create_params, .audit = "variable.create " OF_FUNCTION),
	FUNCTION("GET", "/:functionId/variables", "listVariables", "functions.read", functions_list_variables, &variable_shape, 200,
	    "List the variables of a function.", struct variable_in, variable_list_params, .list = "variables"),
	FUNCTION("GET", "/:functionId/variables/:variableId", "getVariable", "functions.read", functions_get_variable, &variable_shape, 200, "Get a variable.",
	    struct variable_in, variable_get_params),
	FUNCTION("PUT", "/:functionId/variables/:variableId", "updateVariable", "functions.write", functions_update_variable, &variable_shape, 200,
	    "Change a variable.", struct variable_in, variable_update_params, .audit = "variable.update " OF_FUNCTION),
	FUNCTION("DELETE", "/:functionId/variables/:variableId", "deleteVariable", "functions.write", functions_delete_variable, NULL, 204, "Delete a variable.",
	    struct variable_in, variable_get_params, .audit = "variable.delete " OF_FUNCTION),
};
const struct routes function_routes = ROUTES(rows);
