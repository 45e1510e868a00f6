/* Deployments, for keys and admins. */
#include "core/conf.h"
#include "core/protocol.h"
#include "functions_priv.h"
#include "gate/caller.h"
#include "gate/incoming.h"

struct deployment_in {
	const char *function, *id, *build, *search, *type;
	struct strs queries;
};
#define FUNCTION_PATH(st) PATH("functionId", P_UID, st, function, "Function ID.")
#define DEPLOYMENT_ID PATH("deploymentId", P_UID, struct deployment_in, id, "Deployment ID.")

static const struct param get_params[] = {FUNCTION_PATH(struct deployment_in), DEPLOYMENT_ID};
static const struct param activate_params[] = {
	FUNCTION_PATH(struct deployment_in),
	REQUIRED("deploymentId", P_UID, struct deployment_in, id, "Deployment ID."),
};
static const struct param build_params[] = {FUNCTION_PATH(struct deployment_in), DEPLOYMENT_ID, PATH("buildId", P_UID, struct deployment_in, build, "Build ID.")};
static const char *const downloads[] = {"source", NULL};	/* what a build made is for executors alone */
static const struct param download_params[] = {
	FUNCTION_PATH(struct deployment_in),
	DEPLOYMENT_ID,
	OPTIONAL("type", P_ENUM, struct deployment_in, type, "What of it: the archive that was uploaded.", .list = downloads, .def = "\"source\""),
};
static const struct param list_params[] = {
	FUNCTION_PATH(struct deployment_in),
	OPTIONAL("queries", P_QUERIES, struct deployment_in, queries, "Queries over the deployments."),
	OPTIONAL("search", P_TEXT, struct deployment_in, search, "Words to look for in ids and entrypoints.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};

/* Older clients are told of the build by the list alone. */
static void
tell_less(const struct ctx *cx, struct deployment *d)
{
	if (cx->format < FORMAT_TELLS_BUILDS)
		d->status = d->out = d->err = "";
}

/* ---- create ---- */

struct archive_form {
	const char *function, *id, *entrypoint;
	int activate;
};
static const struct param create_params[] = {
	FUNCTION_PATH(struct archive_form),
	OPTIONAL("entrypoint", P_TEXT, struct archive_form, entrypoint, "File that has the handler; left out: that of the function.", .max = 1028),
	OPTIONAL("activate", P_BOOL_LOOSE, struct archive_form, activate, "true: it becomes the active one when it is built.", .def = "false"),
};

/* "npm start" names no file, and neither do "src/" and "../index.js". */
static bool
names_file(const char *path)
{
	size_t n = strlen(path), word = strcspn(path, " ");
	bool command = path[word] == ' ' && strcspn(path, "./") > word;

	return n > 0 && path[0] != '/' && path[n - 1] != '/' && !command && strpbrk(path, "\n\r\t") == NULL && strstr(path, "//") == NULL &&
	    strncmp(path, "../", 3) != 0 && strstr(path, "/../") == NULL && strcmp(path, ".") != 0 && strcmp(path, "..") != 0 &&
	    (n < 3 || strcmp(path + n - 3, "/..") != 0);
}

static err_t
choose_entrypoint(struct ctx *cx, const struct function *f, struct archive_form *in)
{
	if (in->entrypoint == NULL || in->entrypoint[0] == '\0')
		in->entrypoint = f->entrypoint;
	if (in->entrypoint[0] == '\0')
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Param \"entrypoint\" is not optional.");
	if (!names_file(in->entrypoint))
		return fail_msg(cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid entrypoint: It is the path of a file within the archive, like src/index.js.");
	return OK;
}

/* The header names the upload that a part goes on with. */
static err_t
deployment_choose_id(struct req *rq, const struct incoming *in, struct archive_form *form)
{
	static const struct param id = REQUIRED("X-Appwrite-ID", P_UID, struct archive_form, id, "");
	struct str header = incoming_id(rq, in);

	form->id = NULL;
	return header.n > 0 ? param_take(rq, &id, header, &form->id) : OK;
}

static bool
named_gz(struct str name)
{
	const char *dot = name.n > 0 ? memrchr(name.p, '.', name.n) : NULL;

	return dot != NULL && str_is((struct str){dot + 1, name.n - (size_t)(dot + 1 - name.p)}, "gz");
}

/* What comes, up to its end; the blob is written and not kept. */
static err_t
receive_archive(struct req *rq, const struct function *f, struct archive_form *in, struct incoming *inc, struct blob_writer **blob_out, struct blob *out)
{
	const struct blob_place at = {rq->project, deployment_waste.kind, f->internal};
	struct ctx *cx = &rq->cx;
	struct part_head file;
	struct form *form;
	bool there;

	TRY(form_open(rq, "code", &form, &file, &there));
	TRY(form_limit(rq, true));
	if (!there)
		return fail_msg(cx, ERR_STORAGE_FILE_EMPTY, "No file sent");
	if (!named_gz(incoming_name(file.filename)))
		return fail_msg(cx, ERR_STORAGE_FILE_TYPE_UNSUPPORTED, "The name of an archive ends in .gz");
	TRY(incoming_judge(rq, conf.functions_size_limit, inc));
	TRY(blob_create(cx, &at, BLOB_NONE, true, DEPLOYMENT_BIND, blob_out));
	TRY(incoming_receive(rq, inc, form, *blob_out, NULL, NULL));
	TRY(form_close(form, in));
	TRY(deployment_choose_id(rq, inc, in));
	TRY(choose_entrypoint(cx, f, in));
	return blob_finish(*blob_out, out);
}

static err_t
functions_create_deployment(struct req *rq, void *arg)
{
	struct archive_form *in = arg;
	struct archive_in archive;
	struct incoming inc;
	struct blob_writer *w;
	struct deployment d;
	struct function f;
	struct blob blob;
	bool kept;
	err_t e;

	TRY(function_get(&rq->cx, rq->project, in->function, &f));
	TRY(receive_archive(rq, &f, in, &inc, &w, &blob));
	archive = (struct archive_in){.id = in->id, .entrypoint = in->entrypoint, .activate = in->activate > 0,
		.part = {.start = inc.ranged ? inc.range.start : 0, .total = inc.ranged ? inc.range.size : blob.size, .blob = &blob}};
	e = deployment_store(&rq->cx, rq->project, caller_id(rq), f.id, &archive, &d, &kept);
	if (kept)
		blob_keep(w);
	TRY(e);
	rq->partial = !d.complete;
	tell_less(&rq->cx, &d);
	return reply(rq, 202, &deployment_shape, &d);
}

/* ---- the others ---- */

static err_t
functions_list_deployments(struct req *rq, void *arg)
{
	const struct deployment_in *in = arg;
	struct query_page page;
	struct objs list = {0};
	struct function f;

	TRY(function_get(&rq->cx, rq->project, in->function, &f));
	TRY(deployment_list(&rq->cx, rq->project, &f, &in->queries, in->search, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &deployment_told_shape, page.res);
	return reply_list(rq, &deployment_told_shape, "deployments", page.total, &list);
}

static err_t
functions_get_deployment(struct req *rq, void *arg)
{
	const struct deployment_in *in = arg;
	struct deployment d;
	struct function f;

	TRY(function_get(&rq->cx, rq->project, in->function, &f));
	TRY(deployment_get(&rq->cx, rq->project, &f, in->id, &d));
	tell_less(&rq->cx, &d);
	return reply(rq, 200, &deployment_shape, &d);
}

static err_t
functions_activate_deployment(struct req *rq, void *arg)
{
	const struct deployment_in *in = arg;
	struct function f;

	TRY(deployment_activate(&rq->cx, rq->project, caller_id(rq), in->function, in->id, &f));
	return reply(rq, 200, &function_shape, &f);
}

/* The archive as it came: what a command line unpacks into a folder. */
static err_t
functions_get_deployment_download(struct req *rq, void *arg)
{
	const struct deployment_in *in = arg;
	const struct blob_part *parts;
	struct blob_reader *r;
	struct deployment d;
	struct function f;
	err_t e;
	int n;

	TRY(function_get(&rq->cx, rq->project, in->function, &f));
	TRY(deployment_get(&rq->cx, rq->project, &f, in->id, &d));
	if (!d.complete)
		return fail(&rq->cx, ERR_DEPLOYMENT_NOT_FOUND, "not complete: %s", d.id);
	TRY(parts_load(&rq->cx, rq->project, &deployment_part_table, d.internal, DEPLOYMENT_BIND, &parts, &n));
	e = blob_open(&rq->cx, &(struct blob_place){rq->project, deployment_waste.kind, f.internal}, parts, n, 0, (uint64_t)d.size, &r);
	if (e == ERR_BLOB_GONE)
		return fail(&rq->cx, ERR_DEPLOYMENT_NOT_FOUND, "no bytes: deployment=%s", d.id);
	TRY(e);
	reply_static(rq, "Content-Disposition", arena_printf(rq->cx.arena, "attachment; filename=\"%s.tar.gz\"", d.id));
	reply_static(rq, "Cache-Control", "private, no-store");
	reply_static(rq, "X-Content-Type-Options", "nosniff");
	return reply_blob(rq, 200, "application/gzip", r, d.size);
}

static err_t
functions_delete_deployment(struct req *rq, void *arg)
{
	const struct deployment_in *in = arg;

	TRY(deployment_delete(&rq->cx, rq->project, caller_id(rq), in->function, in->id));
	return reply_none(rq);
}

static err_t
functions_retry_build(struct req *rq, void *arg)
{
	const struct deployment_in *in = arg;

	TRY(deployment_build_again(&rq->cx, rq->project, caller_id(rq), in->function, in->id, in->build));
	return reply_none(rq);
}

/* ---- routes ---- */

#define DEPLOYMENT(method_, tail, name_, scope_, handler_, model_, status_, doc_, st, rows, ...)                                                       \
	{                                                                                                                                              \
		.method = method_, .path = "/v1/functions/:functionId/deployments" tail, .service = "functions", .name = name_, .scope = scope_,       \
		.limit = "", .handler = handler_, .model = model_, .status = status_, .doc = doc_, PARAMS(st, rows), __VA_ARGS__                       \
	}
#define OF_FUNCTION "function/{functionId}"

static const struct route rows[] = {
	DEPLOYMENT("POST", "", "createDeployment", "functions.write", functions_create_deployment, &deployment_shape, 202,
	    "Upload an archive of code, or with a Content-Range a part of one.", struct archive_form, create_params, .flags = ROUTE_STREAM | ROUTE_FORM,
	    .audit = "deployment.create " OF_FUNCTION),
	DEPLOYMENT("GET", "", "listDeployments", "functions.read", functions_list_deployments, &deployment_shape, 200, "List the deployments of a function.",
	    struct deployment_in, list_params, .list = "deployments"),
	DEPLOYMENT("GET", "/:deploymentId", "getDeployment", "functions.read", functions_get_deployment, &deployment_shape, 200, "Get a deployment.",
	    struct deployment_in, get_params),
	DEPLOYMENT("PATCH", "/:deploymentId", "updateDeployment", "functions.write", functions_activate_deployment, &function_shape, 200,
	    "Make a deployment the active one.", struct deployment_in, get_params, .audit = "deployment.update " OF_FUNCTION),
	DEPLOYMENT("GET", "/:deploymentId/download", "getDeploymentDownload", "functions.read", functions_get_deployment_download, NULL, 200,
	    "The archive of a deployment, as it was uploaded.", struct deployment_in, download_params, .media = "application/gzip", .since = SINCE_1_4),
	DEPLOYMENT("DELETE", "/:deploymentId", "deleteDeployment", "functions.write", functions_delete_deployment, NULL, 204, "Delete a deployment.",
	    struct deployment_in, get_params, .audit = "deployment.delete " OF_FUNCTION),
	DEPLOYMENT("POST", "/:deploymentId/builds/:buildId", "createBuild", "functions.write", functions_retry_build, NULL, 204, "Build a deployment again.",
	    struct deployment_in, build_params, .audit = "deployment.update " OF_FUNCTION),
	{.method = "PATCH", .path = "/v1/functions/:functionId/deployment", .service = "functions", .name = "updateFunctionDeployment", .scope = "functions.write",
	    .limit = "", .handler = functions_activate_deployment, .model = &function_shape, .status = 200, .doc = "Make a deployment the active one.",
	    PARAMS(struct deployment_in, activate_params), .audit = "deployment.update " OF_FUNCTION, .since = SINCE_1_7},
};
const struct routes deployment_routes = ROUTES(rows);
