/* Deployments: archives of code as they come, and which of them is run. What must stay true: whoever writes deployments locks their function first; a blob that
 * loses its row goes to waste with the same commit; what was to become the active one last, and can be run, is the active one. */
#include "functions_priv.h"

#include "core/conf.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/bound.h"
#include "model/job.h"
#include "model/roles.h"

const char *const deployment_states[] = {"processing", "building", "ready", "failed", NULL};

/* Rows of both shapes: with the output of the build, which is large, and without. */
#define DEPLOYMENT_FIELDS(output, errors)                                                                                                          \
	FIELD_HIDDEN(F_INT, struct deployment, internal, "d.internal"),                                                                            \
	FIELD_HIDDEN(F_INT, struct deployment, owner, "d.function"),                                                                               \
	FIELD(F_ID, struct deployment, id, "$id", "d.id", "Deployment ID.", .flags = COL_ASKED | COL_SEARCH),                                      \
	FIELD(F_TIME, struct deployment, created, "$createdAt", "d.created", "Creation date in ISO 8601 format.", .flags = COL_ASKED),             \
	FIELD(F_TIME, struct deployment, updated, "$updatedAt", "d.updated", "Date of the last change in ISO 8601 format.", .flags = COL_ASKED),   \
	FIELD(F_ID, struct deployment, function_id, "resourceId", "f.id", "ID of its function."),                                                  \
	{.key = "resourceType", .type = F_CONST, .text = "\"functions\"", .doc = "What it is of."},                                                \
	FIELD(F_STR, struct deployment, entrypoint, "entrypoint", "d.entrypoint", "File that has the handler.", .flags = COL_ASKED | COL_SEARCH),  \
	FIELD(F_INT, struct deployment, size, "size", "d.size", "Size of the archive in bytes.", .flags = COL_ASKED),                              \
	FIELD(F_STR, struct deployment, build, "buildId", "d.build", "ID of its build; empty until that begins.", .flags = COL_ASKED),              \
	FIELD(F_BOOL, struct deployment, activate, "activate", "d.activate", "Whether it becomes the active one when it is built.", .flags = COL_ASKED), \
	FIELD(F_STR, struct deployment, status, "status", "d.status",                                                                              \
	    "How its build is: processing, building, ready or failed. Up to 1.4.0 told by the list alone, as the output."),                        \
	{.key = "buildStdout", .column = output, .type = F_STR, .off = offsetof(struct deployment, out), .doc = "Output of the build."},           \
	{.key = "buildStderr", .column = errors, .type = F_STR, .off = offsetof(struct deployment, err), .doc = "Its error output."},              \
	{.key = "type", .type = F_CONST, .text = "\"manual\"", .doc = "How it came. Told since 1.4.0, as what follows.", .since = 1004000},        \
	{.key = "buildLogs", .type = F_STR, .off = offsetof(struct deployment, out), .doc = "Output of the build.", .since = 1004000},             \
	FIELD(F_INT, struct deployment, build_seconds, "buildTime", "coalesce(extract(epoch FROM d.build_end - d.build_start), 0)::bigint",        \
	    "How long the build took, in seconds. Told since 1.3.0.", .since = SINCE_1_3),                                                         \
	{.key = "sourceSize", .type = F_INT, .off = offsetof(struct deployment, size), .doc = "Size of the archive in bytes. Told since 1.7.0, as what follows.", \
	    .since = 1007000},                                                                                                                     \
	FIELD(F_INT, struct deployment, result.size, "buildSize", "d.blob_size", "Size of what was built, in bytes.", .since = SINCE_1_6),           \
	{.key = "buildDuration", .type = F_INT, .off = offsetof(struct deployment, build_seconds), .doc = "How long the build took, in seconds.", .since = 1007000}, \
	FIELD_ALWAYS("providerRepositoryName", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerRepositoryOwner", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerRepositoryUrl", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerBranch", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerBranchUrl", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerCommitHash", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerCommitAuthorUrl", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerCommitAuthor", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerCommitMessage", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD_ALWAYS("providerCommitUrl", "\"\"", SINCE_1_4, "Always empty: it came from no repository."), \
	FIELD(F_INT, struct deployment, total, "totalSize", "(d.size + d.blob_size)", "Size of both, in bytes.", .since = SINCE_1_7),                     \
	FIELD_ALWAYS("screenshotLight", "\"\"", SINCE_1_7, "Always empty."), FIELD_ALWAYS("screenshotDark", "\"\"", SINCE_1_7, "Always empty."),          \
	FIELD_HIDDEN(F_INT, struct deployment, activation, "d.activation"),                                                                        \
	FIELD_HIDDEN(F_INT, struct deployment, chunks_total, "d.chunks_total"),                                                                    \
	FIELD_HIDDEN(F_INT, struct deployment, chunks_uploaded, "d.chunks_uploaded"),                                                              \
	FIELD_HIDDEN(F_BOOL, struct deployment, complete, "d.complete"),                                                                           \
	FIELD_HIDDEN(F_INT, struct deployment, chunk, "d.chunk"),                                                                                  \
	FIELD_HIDDEN(F_INT, struct deployment, received, "d.received"),                                                                            \
	FIELD_HIDDEN(F_INT, struct deployment, unbroken, "d.unbroken"),                                                                            \
	FIELD_HIDDEN(F_INT, struct deployment, changes, "d.changes"),                                                                              \
	FIELD_HIDDEN(F_TIME_OR_NONE, struct deployment, build_start, "d.build_start", .flags = COL_NULL),                                          \
	FIELD_HIDDEN(F_TIME_OR_NONE, struct deployment, build_end, "d.build_end", .flags = COL_NULL),                                              \
	FIELD_HIDDEN(F_INT, struct deployment, build_try, "d.build_try"),                                                                          \
	FIELD_HIDDEN(F_STR, struct deployment, result.name, "d.blob"),                                                                             \
	FIELD_HIDDEN(F_STR, struct deployment, bind, "d.blob_bind"),                                                                               \
	FIELD_HIDDEN(F_INT, struct deployment, result.stored, "d.stored"),                                                                         \
	FIELD_HIDDEN(F_INT, struct deployment, coding, "d.coding"),                                                                                \
	FIELD_HIDDEN(F_INT, struct deployment, result.sealed, "d.sealed"),                                                                         \
	FIELD_HIDDEN(F_STR, struct deployment, result.md5, "d.md5")

static const struct field deployment_fields[] = {DEPLOYMENT_FIELDS(NULL, NULL)};
const struct shape deployment_shape = SHAPE("deployment", struct deployment, deployment_fields);
static const struct field deployment_told_fields[] = {DEPLOYMENT_FIELDS("d.build_stdout", "d.build_stderr")};
const struct shape deployment_told_shape = SHAPE("deployment", struct deployment, deployment_told_fields);

#define DEPLOYMENT_RECORD                                                                                                   \
	.table = ":schema.deployments", .alias = "d", .with = ":schema.functions f", .on = "f.internal = d.function",       \
	.entity = "Deployment", .missing = ERR_DEPLOYMENT_NOT_FOUND, .taken = ERR_DEPLOYMENT_NOT_FOUND	/* the id is another function's */
enum { OUTPUT_MAX = 8000000 };	/* bytes of both outputs: 1,000,000 characters each */

const struct record deployment_record = {.shape = &deployment_shape, DEPLOYMENT_RECORD};
static const struct record told_record = {.shape = &deployment_told_shape, DEPLOYMENT_RECORD,
	.width = "octet_length(build_stdout) + octet_length(build_stderr)", .width_max = OUTPUT_MAX};

struct rows
deployment_rows(struct ctx *cx, const struct function *f, const char *id)
{
	return (struct rows){"@.function = $1::bigint AND lower(@.id) = lower($2)", 2, {pg_i64(cx->arena, f->internal), id}};
}

/* ---- where the bytes are ---- */

const struct waste deployment_waste = {
	.kind = "deployments",
	.table = "deployment_waste",
	.of = "function",
	.owners = "functions",
	.known = "EXISTS (SELECT 1 FROM :schema.deployment_parts p WHERE p.blob = name)",
};
const struct waste build_waste = {
	.kind = "builds",
	.table = "build_waste",
	.of = "function",
	.owners = "functions",
	.known = "EXISTS (SELECT 1 FROM :schema.deployments d WHERE d.blob = name)",
};

static void
archive_part_wasted(struct db_tx *tx, const struct project *p, int64_t function, const char *blob)
{
	waste_add(tx, p, &deployment_waste, function, blob);
	function_delete_job(tx, p, 0, "", "");
}

const struct part_table deployment_part_table = {
	.record = &deployment_record,
	.table = "deployment_parts",
	.of = "deployment",
	.wasted = archive_part_wasted,
};

/* ---- events and jobs ---- */

/* What is told on the console: to those who run the project. */
static struct strs
project_team(struct ctx *cx, const struct project *p)
{
	return p->team_id != NULL ? roles_one(cx->arena, "team", p->team_id) : (struct strs){0};
}

/* `empty`: without its payload, as the contract has it. */
void
deployment_emit(struct db_tx *tx, const struct project *p, const struct event_info *kind, const char *actor, const struct deployment *d, bool empty)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev = {.kind = kind, .project = p->id, .ids = {d->function_id, d->id}, .actor = actor};

	if (!empty)
		ev.payload = shape_json(cx, &deployment_shape, d);
	ev.stale[0] = function_stale_key(cx, p, d->function_id);
	ev.roles = project_team(cx, p);
	event_emit(tx, &ev);
}

static void
build_job(struct db_tx *tx, const struct project *p, const struct deployment *d)
{
	struct buf b;
	struct jw w;

	buf_init(&b, tx_ctx(tx)->arena, 128);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "project");
	jw_cstr(&w, p->id);
	JW_KEY(&w, "deployment");
	jw_i64(&w, d->internal);
	JW_KEY(&w, "try");
	jw_i64(&w, d->build_try);
	jw_obj_end(&w);
	tx_job(tx, BUILD, buf_view(&b));
}

/* ---- uploads ---- */

static struct deployment
deployment_new(struct ctx *cx, const struct function *f, const struct archive_in *in)
{
	struct deployment d = {.owner = f->internal, .id = in->id, .function_id = f->id, .entrypoint = in->entrypoint, .activate = in->activate,
		.size = in->part.total, .total = in->part.total, .chunks_total = 1, .status = deployment_states[DEPLOYMENT_PROCESSING], .build_start = TIME_NONE, .build_end = TIME_NONE};

	record_init(cx, &deployment_record, &d);
	return d;
}

static void
count_activation(struct db_tx *tx, const struct project *p, struct function *f, struct deployment *d)
{
	struct ctx *cx = tx_ctx(tx);

	d->activation = ++f->activations;
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.functions SET activations = $2::bigint WHERE internal = $1::bigint", p->schema),
	    DB(pg_i64(cx->arena, f->internal), pg_i64(cx->arena, f->activations)));
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.deployments SET activate = false WHERE function = $1::bigint AND activate AND internal <> $2::bigint", p->schema),
	    DB(pg_i64(cx->arena, f->internal), pg_i64(cx->arena, d->internal)));
}

/* All of it is there: now it is a deployment that others learn of. */
static err_t
deployment_complete(struct db_tx *tx, const struct project *p, const char *actor, struct function *f, struct deployment *d)
{
	struct deployment v = *d;

	v.complete = true;
	v.chunks_uploaded = v.chunks_total;
	if (v.activate)
		count_activation(tx, p, f, &v);
	TRY(record_set(tx, p, &deployment_record, rows_internal(tx_ctx(tx), d->internal), "complete chunks_uploaded activation", &v, d));
	build_job(tx, p, d);
	deployment_emit(tx, p, &ev_deployment_create, actor, d, false);
	return OK;
}

static err_t
store_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *function, const struct archive_in *in, struct deployment *d,
    bool *repeated_out)
{
	bool whole = in->part.blob->size == in->part.total;
	struct ctx *cx = tx_ctx(tx);
	struct function f;
	err_t e = OK;

	*repeated_out = false;
	TRY(record_lock(tx, p, &function_record, rows_id(function), &f));
	if (in->id != NULL)
		e = record_lock(tx, p, &deployment_record, deployment_rows(cx, &f, in->id), d);
	if (e != OK && e != ERR_DEPLOYMENT_NOT_FOUND)
		return e;
	if (in->id == NULL || e != OK) {
		*d = deployment_new(cx, &f, in);
		TRY(record_insert(tx, p, &deployment_record, d));
		if (whole)
			part_insert(tx, p, &deployment_part_table, d->internal, &in->part);
		else
			TRY(part_take(tx, p, &deployment_part_table, &in->part, true, &d->parted, repeated_out));
	} else {
		TRY(part_take(tx, p, &deployment_part_table, &in->part, false, &d->parted, repeated_out));
	}
	whole = whole || d->received == d->size;
	return *repeated_out || !whole ? OK : deployment_complete(tx, p, actor, &f, d);
}

/* Archives, and what was built of them. */
static const char *
deployment_sum(struct arena *a, const char *schema)
{
	return arena_printf(a, "SELECT count(*), coalesce(sum(received + stored), 0)::bigint FROM %s.deployments", schema);
}
static const struct bound deployments_bound = {"deployments", deployment_sum};

err_t
deployment_store(struct ctx *cx, const struct project *p, const char *actor, const char *function, const struct archive_in *in, struct deployment *out,
    bool *kept_out)
{
	bool repeated = false, begins = in->part.start == 0;
	err_t e;

	*kept_out = false;
	TRY(bound_room(cx, p, &deployments_bound, conf.functions_deployments_max, begins, conf.functions_deployments_size, in->part.blob->size));
	e = TX_RUN(cx, tx, store_tx(tx, p, actor, function, in, out, &repeated));

	if (e == ERR_DOCUMENT_ALREADY_EXISTS)	/* it is complete, and this is no part of it */
		e = fail(cx, ERR_STORAGE_INVALID_CONTENT_RANGE, "deployment %s is complete", in->id);
	*kept_out = db_maybe_done(e) && !(e == OK && repeated);
	if (*kept_out)
		bound_added(p, &deployments_bound, begins, in->part.blob->size);
	return e;
}

/* ---- reading ---- */

err_t
deployment_get(struct ctx *cx, const struct project *p, const struct function *f, const char *id, struct deployment *out)
{
	return record_get(cx, p, cx->format >= FORMAT_TELLS_BUILDS ? &told_record : &deployment_record, deployment_rows(cx, f, id), out);
}

err_t
deployment_list(struct ctx *cx, const struct project *p, const struct function *f, const struct strs *queries, const char *search,
    struct query_page *out)
{
	struct rows w = {"@.function = $1::bigint", 1, {pg_i64(cx->arena, f->internal)}};

	return record_list(cx, p, &told_record, w, queries, search, out);
}

/* ---- which one is run ---- */

static err_t
activate_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *function, const char *id, struct function *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct function f;
	struct deployment d;

	TRY(record_lock(tx, p, &function_record, rows_id(function), &f));
	TRY(record_lock(tx, p, &deployment_record, deployment_rows(cx, &f, id), &d));
	if (d.build[0] == '\0')
		return fail(cx, ERR_BUILD_NOT_FOUND, "deployment=%s", d.id);
	if (strcmp(d.status, deployment_states[DEPLOYMENT_READY]) != 0)
		return fail(cx, ERR_BUILD_NOT_READY, "deployment=%s status=%s", d.id, d.status);
	f.deployment = d.id;
	f.live = ++f.activations;
	TRY(record_set(tx, p, &function_record, rows_internal(cx, f.internal), "deployment activations live", &f, out));
	TRY(function_vars_tx(tx, p, out));
	{
		struct event ev = record_event(cx, p, &function_record, &ev_deployment_update, actor, out);	/* the function, as the contract has it */

		ev.ids[1] = d.id;
		ev.roles = project_team(cx, p);
		event_emit(tx, &ev);
	}
	return OK;
}

err_t
deployment_activate(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *id, struct function *out)
{
	return TX_RUN(cx, tx, activate_tx(tx, p, actor, function, id, out));
}

/* ---- deletion ---- */

static void
waste_all(struct db_tx *tx, const struct project *p, const struct deployment *d)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx,
	    arena_printf(cx->arena, "INSERT INTO %s.deployment_waste (function, blob) SELECT $1::bigint, blob FROM %s.deployment_parts WHERE deployment = $2::bigint",
	    p->schema, p->schema), DB(pg_i64(cx->arena, d->owner), pg_i64(cx->arena, d->internal)));
	if (d->result.name[0] != '\0')
		waste_add(tx, p, &build_waste, d->owner, d->result.name);
}

static err_t
deployment_delete_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *function, const char *id)
{
	struct ctx *cx = tx_ctx(tx);
	struct function f;
	struct deployment d;

	TRY(record_lock(tx, p, &function_record, rows_id(function), &f));
	TRY(record_lock_key(tx, p, &deployment_record, deployment_rows(cx, &f, id), &d));
	waste_all(tx, p, &d);
	TRY(record_delete(tx, p, &deployment_record, rows_internal(cx, d.internal), &d));
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.functions SET deployment = '' WHERE internal = $1::bigint AND deployment = $2", p->schema),
	    DB(pg_i64(cx->arena, f.internal), d.id));
	function_delete_job(tx, p, 0, f.id, d.id);
	deployment_emit(tx, p, &ev_deployment_delete, actor, &d, true);
	return OK;
}

err_t
deployment_delete(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *id)
{
	return TX_RUN(cx, tx, deployment_delete_tx(tx, p, actor, function, id));
}

/* ---- another try of a build ---- */

static err_t
build_again_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *function, const char *id, const char *build)
{
	struct ctx *cx = tx_ctx(tx);
	struct function f;
	struct deployment d;

	TRY(record_lock(tx, p, &function_record, rows_id(function), &f));
	TRY(record_lock(tx, p, &deployment_record, deployment_rows(cx, &f, id), &d));
	if (d.build[0] == '\0' || strcmp(d.build, build) != 0)
		return fail(cx, ERR_BUILD_NOT_FOUND, "build=%s", build);
	if (strcmp(d.status, deployment_states[DEPLOYMENT_FAILED]) != 0)
		return fail(cx, ERR_BUILD_IN_PROGRESS, "deployment=%s status=%s", d.id, d.status);
	d.status = deployment_states[DEPLOYMENT_PROCESSING];
	d.build_try++;
	TRY(record_set(tx, p, &deployment_record, rows_internal(cx, d.internal), "status build_try", &d, &d));
	build_job(tx, p, &d);
	deployment_emit(tx, p, &ev_deployment_update, actor, &d, true);
	return OK;
}

err_t
deployment_build_again(struct ctx *cx, const struct project *p, const char *actor, const char *function, const char *id, const char *build)
{
	return TX_RUN(cx, tx, build_again_tx(tx, p, actor, function, id, build));
}
