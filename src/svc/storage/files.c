/* Files: lists, changes, uploads and downloads. */
#include "files_priv.h"

#include "core/conf.h"
#include "core/metric.h"
#include "gate/incoming.h"

enum { NAME_MAX_POINTS = 2048 };

#define FILE_PATH(st) PATH("bucketId", P_UID, st, bucket, "Bucket ID."), PATH("fileId", P_UID, st, id, "File ID.")

static const char *const verbs[] = {"read", "update", "delete", "write", NULL};
#define PERMISSIONS(st) OPTIONAL("permissions", P_PERMISSIONS, st, perms, "Permissions: read, update, delete and write, with a role each.", .list = verbs)

struct file_caller
file_caller_of(const struct req *rq)
{
	const char *user = rq->login ? rq->login->user->id : NULL;

	return (struct file_caller){.bypass = rq->bypass, .see_disabled = rq->caller == CALLER_ADMIN, .roles = &rq->roles, .user = user, .address = rq->ip,
	    .actor = user};
}

/* ---- get, list, update, delete ---- */

struct file_in {
	const char *bucket, *id, *search;
	struct strs perms, queries;
};
static const struct param get_params[] = {FILE_PATH(struct file_in)};
static const struct param update_params[] = {FILE_PATH(struct file_in), PERMISSIONS(struct file_in)};
static const struct param list_params[] = {
	PATH("bucketId", P_UID, struct file_in, bucket, "Bucket ID."),
	OPTIONAL("queries", P_QUERIES, struct file_in, queries, "Queries over the files."),
	OPTIONAL("search", P_TEXT, struct file_in, search, "Words to look for in names and ids.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};

static err_t
storage_list_files(struct req *rq, void *arg)
{
	const struct file_in *in = arg;
	struct file_caller who = file_caller_of(rq);
	struct query_page page;
	struct objs list;

	TRY(file_list(&rq->cx, rq->project, &who, in->bucket, &in->queries, in->search, &page, &list));
	return reply_list(rq, &file_shape, "files", page.total, &list);
}

static err_t
storage_get_file(struct req *rq, void *arg)
{
	const struct file_in *in = arg;
	struct file_caller who = file_caller_of(rq);
	struct file f;

	TRY(file_get(&rq->cx, rq->project, &who, in->bucket, in->id, &f));
	return reply(rq, 200, &file_shape, &f);
}

static err_t
storage_update_file(struct req *rq, void *arg)
{
	const struct file_in *in = arg;
	struct file_caller who = file_caller_of(rq);
	struct file f;

	TRY(file_update(&rq->cx, rq->project, &who, in->bucket, in->id, &in->perms, &f));
	return reply(rq, 200, &file_shape, &f);
}

static err_t
storage_delete_file(struct req *rq, void *arg)
{
	const struct file_in *in = arg;
	struct file_caller who = file_caller_of(rq);

	TRY(file_delete(&rq->cx, rq->project, &who, in->bucket, in->id));
	return reply_none(rq);
}

/* ---- create ---- */

struct create_in {
	const char *bucket, *id;
	struct strs perms;
};
static const struct param create_params[] = {
	PATH("bucketId", P_UID, struct create_in, bucket, "Bucket ID."),
	REQUIRED("fileId", P_CUSTOM_ID, struct create_in, id, "File ID, or unique() for a generated one."),
	PERMISSIONS(struct create_in),
};

struct receiving {		/* one request that brings bytes of a file */
	struct req *rq;
	struct file_caller who;
	const struct bucket *b;
	struct form *form;
	struct part_head file;		/* of the part that carries them */
	struct incoming in;
	struct blob_writer *blob;
	struct upload u;
};

/* What can be judged before anything of the body is read. */
static err_t
judge_head(struct receiving *r)
{
	struct ctx *cx = &r->rq->cx;

	if (!r->who.bypass && !roles_meet(r->who.roles, &r->b->perms.create))
		return fail(cx, ERR_USER_UNAUTHORIZED, "bucket=%s", r->b->id);
	return incoming_judge(r->rq, r->b->maximum_file_size, &r->in);
}

static bool
extension_allowed(const struct bucket *b, struct str name)
{
	const char *dot = name.n > 0 ? memrchr(name.p, '.', name.n) : NULL;
	struct str ext = dot ? (struct str){dot + 1, name.n - (size_t)(dot + 1 - name.p)} : STR_NONE;

	for (int i = 0; i < b->extensions.n; i++) {
		struct str allowed = str_c(b->extensions.v[i]);

		if (allowed.n > 0 && allowed.p[0] == '.')
			allowed = (struct str){allowed.p + 1, allowed.n - 1};
		if (ext.n > 0 && str_ieq(ext, allowed))
			return true;
	}
	return b->extensions.n == 0;
}

static bool
name_fits(struct str name)
{
	size_t points;

	return str_utf8(name, &points) && points <= NAME_MAX_POINTS;
}

/* The id of the upload that this goes on with, from wherever the client says it; NULL: it does not yet. */
static const char *
early_id(struct receiving *r)
{
	struct str id = incoming_id(r->rq, &r->in);

	if (id.n == 0)
		id = form_field(r->form, "fileId");
	return id.n > 0 && id.n <= 36 && str_utf8(id, NULL) && !str_is(id, "unique()") ? str_dup(r->rq->cx.arena, id) : NULL;
}

/* A new file counts against the rate limit, a part of an upload that has begun does not: 1 GB is 205 of them. */
static err_t
judge_rate(struct receiving *r)
{
	const char *id = r->in.ranged ? early_id(r) : NULL;
	bool begun = false;

	if (id != NULL)
		TRY(upload_begun(&r->rq->cx, r->rq->project, &r->who, r->b, id, &begun));
	return form_limit(r->rq, begun);
}

static enum blob_coding
coding_of(const char *name)
{
	for (int i = 0; blob_codings[i] != NULL; i++)
		if (strcmp(blob_codings[i], name) == 0)
			return (enum blob_coding)i;
	return BLOB_NONE;
}

/* Of a file in parts whose own MD5 is taken when it is complete, those of the parts are no use. */
static bool
md5_later(const struct receiving *r)
{
	return !incoming_whole(&r->in) && !r->b->encryption && coding_of(r->b->compression) == BLOB_NONE && r->in.range.size <= conf.storage_md5_max;
}

/* By the first bytes, while the writer has no others. */
static err_t
tell_type(void *arg)
{
	_Static_assert((int)MEDIA_HEAD_MAX == (int)BLOB_HEAD, "the writer has all of what is looked at");
	struct receiving *r = arg;

	return media_type(&r->rq->cx, blob_head(r->blob), &r->u.mime);
}

/* The part's bytes to the device, as they come. */
static err_t
receive_bytes(struct receiving *r)
{
	struct blob_place at = bucket_place(r->rq->project, r->b->internal);
	struct ctx *cx = &r->rq->cx;
	bool whole = incoming_whole(&r->in);

	TRY(blob_create(cx, &at, coding_of(r->b->compression), r->b->encryption, FILE_BIND, &r->blob));
	if (md5_later(r))
		blob_no_md5(r->blob);
	TRY(incoming_receive(r->rq, &r->in, r->form, r->blob, whole ? tell_type : NULL, r));
	return whole && r->u.mime == NULL ? tell_type(r) : OK;
}

/* The header names the upload when there are several parts: the field is unique() then. */
static err_t
choose_id(struct receiving *r, struct create_in *in)
{
	static const struct param id = REQUIRED("X-Appwrite-ID", P_UID, struct create_in, id, "");
	struct str header = incoming_id(r->rq, &r->in);

	return header.n > 0 ? param_take(r->rq, &id, header, &in->id) : OK;
}

static err_t
files_receive(struct receiving *r, struct create_in *in)
{
	struct ctx *cx = &r->rq->cx;
	struct file f;
	bool there, kept;
	err_t e;

	TRY(form_open(r->rq, "file", &r->form, &r->file, &there));
	TRY(judge_rate(r));
	r->u.name = incoming_name(r->file.filename);
	if (there && !name_fits(r->u.name))
		return fail_msg(cx, ERR_DOCUMENT_INVALID_STRUCTURE, "Invalid file name: It may have %d characters at most.", NAME_MAX_POINTS);
	if (there && !extension_allowed(r->b, r->u.name))
		return fail(cx, ERR_STORAGE_FILE_TYPE_UNSUPPORTED, "name=%.*s", STR_FMT(r->u.name));
	if (there)
		TRY(receive_bytes(r));
	if (!there && !form_given(r->form))
		return fail(cx, ERR_STORAGE_FILE_EMPTY, "the body is no form");
	TRY(form_close(r->form, in));
	if (!there)
		return fail(cx, ERR_STORAGE_FILE_EMPTY, "no part named file");
	TRY(choose_id(r, in));
	TRY(file_check_grants(cx, &r->who, &in->perms));
	r->u.id = in->id;
	r->u.perms = in->perms;
	TRY(blob_finish(r->blob, &r->u.blob));
	r->u.ranged = r->in.ranged;
	r->u.start = r->in.ranged ? r->in.range.start : 0;
	r->u.total = r->in.ranged ? r->in.range.size : r->u.blob.size;
	e = upload_store(cx, r->rq->project, &r->who, &r->u, &f, &kept);
	if (kept)
		blob_keep(r->blob);
	TRY(e);
	r->rq->partial = !f.complete;
	if (f.complete)
		metric_add(M_storage_files, 1);
	return reply(r->rq, 201, &file_shape, &f);
}

static err_t
storage_create_file(struct req *rq, void *arg)
{
	struct create_in *in = arg;
	struct receiving *r = arena_new_of(rq->cx.arena, struct receiving);
	err_t e;

	*r = (struct receiving){.rq = rq, .who = file_caller_of(rq)};
	e = file_bucket(&rq->cx, rq->project, &r->who, in->bucket, &r->b);
	r->u.b = r->b;
	if (e == OK)
		e = judge_head(r);
	if (e != OK) {	/* what is refused at once counts as well */
		TRY(form_limit(rq, false));
		return e;
	}
	return files_receive(r, in);
}

/* ---- routes ---- */

#define FILE_LIMIT "60/60 ip:{ip},method:{method},url:{url},userId:{userId}"
#define FILE_ROUTE(method_, tail, name_, scope_, limit_, handler_, model_, status_, doc_, st, rows, ...)                                         \
	{                                                                                                                                       \
		.method = method_, .path = "/v1/storage/buckets/:bucketId/files" tail, .service = "storage", .name = name_, .scope = scope_,    \
		.limit = limit_, .handler = handler_, .model = model_, .status = status_, .doc = doc_, PARAMS(st, rows), __VA_ARGS__            \
	}

static const struct route rows[] = {
	FILE_ROUTE("POST", "", "createFile", "files.write", FILE_LIMIT, storage_create_file, &file_shape, 201,
	    "Upload a file, or with a Content-Range a part of one.", struct create_in, create_params, .flags = ROUTE_STREAM | ROUTE_FORM,
	    .audit = "file.create file/{fileId}", .usage = "files.create"),
	FILE_ROUTE("GET", "", "listFiles", "files.read", "", storage_list_files, &file_shape, 200, "List the files of a bucket.", struct file_in, list_params,
	    .list = "files", .usage = "files.read"),
	FILE_ROUTE("GET", "/:fileId", "getFile", "files.read", "", storage_get_file, &file_shape, 200, "What is known of a file.", struct file_in, get_params,
	    .usage = "files.read"),
	FILE_ROUTE("PUT", "/:fileId", "updateFile", "files.write", FILE_LIMIT, storage_update_file, &file_shape, 200, "Change a file's permissions.",
	    struct file_in, update_params, .audit = "file.update file/{fileId}", .usage = "files.update"),
	FILE_ROUTE("DELETE", "/:fileId", "deleteFile", "files.write", FILE_LIMIT, storage_delete_file, NULL, 204, "Delete a file, or an upload that has begun.",
	    struct file_in, get_params, .audit = "file.delete file/{fileId}", .usage = "files.delete"),
};
const struct routes file_routes = ROUTES(rows);
