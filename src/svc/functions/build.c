/* Builds: a job takes the archive of a deployment to an executor and keeps what comes back. What must stay true: only the newest try of a build writes
 * (build_try); a build that is ready has its blob with the same commit, and becomes the active one unless one that was to be later has. */
#include "functions_priv.h"

#include "core/conf.h"
#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/vtime.h"
#include "model/job.h"
#include "model/usage.h"

enum { TELL_MS = 1000, TELL_BURST = 5, OUTPUT_CHARS = 1000000 };

struct build {
	struct project *p;
	struct function f;
	struct deployment d;
	int64_t try;
	struct buf out, err;	/* that came and is not in the row */
	uint64_t told;		/* loop time from which it may be told, in steps of TELL_MS; TELL_BURST of them may be saved */
};

static err_t
no_build(struct ctx *cx, const struct build *b)
{
	return fail(cx, ERR_BUILD_NOT_FOUND, "deployment=%lld try=%lld", (long long)b->d.internal, (long long)b->try);
}

static bool
build_wanted(const struct build *b)
{
	const char *s = b->d.status;

	return b->d.complete && b->d.build_try == b->try &&
	    (strcmp(s, deployment_states[DEPLOYMENT_PROCESSING]) == 0 || strcmp(s, deployment_states[DEPLOYMENT_BUILDING]) == 0);
}

/* ERR_BUILD_NOT_FOUND: it is gone, done, or another's. */
static err_t
find_build(struct ctx *cx, const struct job *job, struct build *b)
{
	const json_t *j = json_parse(cx, job->payload, NULL);
	struct function *one = &b->f;
	err_t e;

	*b = (struct build){.try = json_integer_value(json_object_get(j, "try")), .d.internal = json_integer_value(json_object_get(j, "deployment"))};
	TRY(waste_project(cx, job, &b->p));
	if (b->p == NULL)
		return no_build(cx, b);
	e = record_get(cx, b->p, &deployment_record, rows_internal(cx, b->d.internal), &b->d);
	if (e == ERR_DEPLOYMENT_NOT_FOUND || (e == OK && !build_wanted(b)))
		return no_build(cx, b);
	TRY(e);
	e = record_get(cx, b->p, &function_record, rows_internal(cx, b->d.owner), &b->f);
	if (e == ERR_FUNCTION_NOT_FOUND)
		return no_build(cx, b);
	TRY(e);
	TRY(shared_read(cx, b->p, &b->f.shared));
	return function_vars(cx, b->p, &one, 1);
}

/* ---- rows ---- */

/* The row, locked, if the build is still this one's. */
static err_t
lock_build(struct db_tx *tx, struct build *b)
{
	struct ctx *cx = tx_ctx(tx);
	err_t e = record_lock(tx, b->p, &function_record, rows_internal(cx, b->d.owner), &b->f);

	if (e == OK)
		e = record_lock(tx, b->p, &deployment_record, rows_internal(cx, b->d.internal), &b->d);
	if (e == ERR_FUNCTION_NOT_FOUND || e == ERR_DEPLOYMENT_NOT_FOUND || (e == OK && !build_wanted(b)))
		return no_build(cx, b);
	return e;
}

static err_t
begin_tx(struct db_tx *tx, struct build *b)
{
	struct ctx *cx = tx_ctx(tx);
	struct deployment v;

	TRY(lock_build(tx, b));
	v = b->d;
	v.build = v.build[0] != '\0' ? v.build : id_unique(cx->arena);
	v.status = deployment_states[DEPLOYMENT_BUILDING];
	v.build_start = time_now_ms();
	v.build_end = TIME_NONE;
	if (strcmp(b->d.status, v.status) != 0)	/* not of a try that was broken off */
		deployment_emit(tx, b->p, &ev_deployment_update, NULL, &v, false);
	tx_add(tx, arena_printf(cx->arena, "UPDATE %s.deployments SET build_stdout = '', build_stderr = '' WHERE internal = $1::bigint", b->p->schema),
	    DB(pg_i64(cx->arena, v.internal)));
	return record_set(tx, b->p, &deployment_record, rows_internal(cx, v.internal), "build status build_start build_end", &v, &b->d);
}

static void
write_output(struct db_tx *tx, const struct build *b, struct str out, struct str err)
{
	struct arena *a = tx_ctx(tx)->arena;

	tx_add(tx, arena_printf(a, "UPDATE %s.deployments SET build_stdout = left($2, %d), build_stderr = left($3, %d) WHERE internal = $1::bigint", b->p->schema,
	    OUTPUT_CHARS, OUTPUT_CHARS), DB(pg_i64(a, b->d.internal), str_dup(a, out), str_dup(a, err)));
}

/* It takes the place of the active one, which was to be that earlier. */
static err_t
make_active(struct db_tx *tx, struct build *b)
{
	struct ctx *cx = tx_ctx(tx);
	struct function v = b->f;

	if (b->d.activation <= b->f.live)
		return OK;
	v.deployment = b->d.id;
	v.live = b->d.activation;
	return record_set(tx, b->p, &function_record, rows_internal(cx, b->f.internal), "deployment live", &v, &b->f);
}

static err_t
finish_tx(struct db_tx *tx, struct build *b, const struct exec_built *built)
{
	struct ctx *cx = tx_ctx(tx);
	struct deployment v;

	TRY(lock_build(tx, b));
	v = b->d;
	v.status = deployment_states[built->ok ? DEPLOYMENT_READY : DEPLOYMENT_FAILED];
	v.build_end = time_now_ms();
	if (built->ok) {
		v.result = built->blob;
		v.coding = built->blob.coding;
		v.bind = built->bind;
	}
	if (b->d.result.name[0] != '\0' && built->ok) {	/* of an earlier build */
		waste_add(tx, b->p, &build_waste, b->d.owner, b->d.result.name);
		function_delete_job(tx, b->p, 0, "", "");
	}
	write_output(tx, b, built->out.n == 0 && built->ok ? STR("Build Successful!") : built->out, built->err);
	TRY(record_set(tx, b->p, &deployment_record, rows_internal(cx, v.internal), "status build_end blob blob_bind blob_size stored coding sealed md5", &v, &b->d));
	if (built->ok)
		TRY(make_active(tx, b));
	deployment_emit(tx, b->p, &ev_deployment_update, NULL, &b->d, false);
	return OK;
}

/* ---- output as it comes ---- */

static err_t
keep_output(struct ctx *cx, const struct build *b)
{
	return db_exec(cx, NULL,
	    arena_printf(cx->arena, "UPDATE %s.deployments SET build_stdout = left(build_stdout || $3, %d), build_stderr = left(build_stderr || $4, %d), updated = $5 "
	    "WHERE internal = $1::bigint AND build_try = $2::bigint AND status = 'building'", b->p->schema, OUTPUT_CHARS, OUTPUT_CHARS),
	    DB(pg_i64(cx->arena, b->d.internal), pg_i64(cx->arena, b->try), str_dup(cx->arena, buf_view(&b->out)), str_dup(cx->arena, buf_view(&b->err)),
	    pg_time(cx->arena, time_now_ms())));
}

static bool
may_tell(struct build *b)
{
	uint64_t now = loop_now();

	if (b->told + TELL_BURST * TELL_MS < now)
		b->told = now - TELL_BURST * TELL_MS;
	if (b->told + TELL_MS > now)
		return false;
	b->told += TELL_MS;
	return true;
}

/* In memory of its own, a few pieces at once and then one in a second; what is lost here comes with the end. */
static void
build_told(struct ctx *cx, struct str out, struct str err, void *arg)
{
	struct build *b = arg;
	struct ctx part;

	buf_str(&b->out, out);
	buf_str(&b->err, err);
	if (!may_tell(b))
		return;
	ctx_init_part(&part, cx);
	if (keep_output(&part, b) != OK)
		log_info(&part, "the output of a build comes later", "deployment=%s detail=%s", b->d.id, part.detail ? part.detail : "");
	ctx_fini(&part);
	b->out.n = b->err.n = 0;
}

/* ---- the job ---- */

static err_t
run_build(struct ctx *cx, struct build *b, struct exec_built *built)
{
	const struct blob_place result = {b->p, build_waste.kind, b->d.owner};
	struct exec_function f;
	int n;

	function_exec(cx->arena, b->p, &b->f, &b->d, &f);
	f.code = (struct exec_code){.at = {b->p, deployment_waste.kind, b->d.owner}, .size = (uint64_t)b->d.size, .id = b->d.id};
	TRY(parts_load(cx, b->p, &deployment_part_table, b->d.internal, DEPLOYMENT_BIND, &f.code.parts, &n));
	f.code.n_parts = n;
	return exec_build(cx, &f, &result, "build", build_told, b, built);
}

/* How it ends when we fail; a try that may succeed later is no end. *built says it to people. */
static bool
is_end(struct ctx *cx, const struct job *job, err_t e, struct exec_built *built)
{
	bool lost = e == ERR_BLOB_GONE || e == ERR_BLOB_BROKEN;

	if (e == OK)
		return true;
	if (e == ERR_CANCELLED || (!lost && job->tries < BUILD_RETRIES))
		return false;
	*built = (struct exec_built){.err = str_c(lost ? "The archive cannot be read any more: deploy it again." :
	    arena_printf(cx->arena, "It could not be built: %s.", cx->detail ? cx->detail : err_info(e)->name))};
	return true;
}

static err_t
build_it(struct ctx *cx, const struct job *job, struct build *b)
{
	struct exec_built built = {0};
	uint64_t began = loop_now();
	err_t e;

	TRY(find_build(cx, job, b));
	TRY(TX_RUN(cx, tx, begin_tx(tx, b)));
	e = run_build(cx, b, &built);
	if (!is_end(cx, job, e, &built))
		return e;
	e = TX_RUN(cx, tx, finish_tx(tx, b, &built));
	if (built.writer != NULL && db_maybe_done(e))
		blob_keep(built.writer);
	TRY(e);
	usage_computed(b->p, "builds", b->f.id, built.ok, (int64_t)(loop_now() - began));
	log_info(cx, "deployment built", "function=%s deployment=%s ok=%d", b->f.id, b->d.id, built.ok);
	return OK;
}

static void
build_free(void *arg)
{
	struct build *b = arg;

	buf_fini(&b->out);
	buf_fini(&b->err);
}

err_t
functions_build(struct ctx *cx, const struct job *job)
{
	struct build *b = arena_new_of(cx->arena, struct build);
	err_t e;

	defer(cx, build_free, b);
	e = build_it(cx, job, b);
	return e == ERR_BUILD_NOT_FOUND ? OK : e;
}
