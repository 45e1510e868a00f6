/* Buckets, for keys and admins, and how the service is used. */
#include "core/conf.h"
#include "gate/caller.h"
#include "core/protocol.h"
#include "model/usage.h"
#include "svc/storage/bucket.h"

static const char *const verbs[] = {"create", "read", "update", "delete", "write", NULL};

struct bucket_in {
	const char *id, *name, *compression, *search, *range;
	struct strs perms, extensions, queries;
	int file_security, enabled, encryption, antivirus;
	struct opt_int size;
};

#define BUCKET_PATH PATH("bucketId", P_UID, struct bucket_in, id, "Bucket ID.")
#define BUCKET_MEMBERS                                                                                                                     \
	REQUIRED("name", P_TEXT, struct bucket_in, name, "Bucket name.", .max = 128),                                                      \
	OPTIONAL("permissions", P_PERMISSIONS, struct bucket_in, perms, "Who may create, read, update and delete files.", .list = verbs),  \
	OPTIONAL("fileSecurity", P_BOOL_LOOSE, struct bucket_in, file_security, "Files have permissions of their own, too.", .def = "false"),   \
	OPTIONAL("enabled", P_BOOL_LOOSE, struct bucket_in, enabled, "false: nobody but admins reaches its files.", .def = "true"),        \
	OPTIONAL("maximumFileSize", P_RANGE, struct bucket_in, size, "Largest file in bytes.", .min = 1, .max_at = &conf.storage_limit),   \
	OPTIONAL("allowedFileExtensions", P_TEXTS, struct bucket_in, extensions, "File name extensions that are taken; none: all.", .def = "[]", .max = 64), \
	OPTIONAL("compression", P_ENUM_NOCASE, struct bucket_in, compression, "How new files are compressed.", .def = "\"none\"", .list = blob_codings), \
	OPTIONAL("encryption", P_BOOL_LOOSE, struct bucket_in, encryption, "New files are encrypted.", .def = "true"),                     \
	OPTIONAL("antivirus", P_BOOL_LOOSE, struct bucket_in, antivirus, "New files are scanned for viruses.", .def = "true")

static const struct param create_params[] = {
	REQUIRED("bucketId", P_CUSTOM_ID, struct bucket_in, id, "Bucket ID, or unique() for a generated one."),
	BUCKET_MEMBERS,
};
static const struct param update_params[] = {BUCKET_PATH, BUCKET_MEMBERS};
static const struct param get_params[] = {BUCKET_PATH};
static const struct param list_params[] = {
	OPTIONAL("queries", P_QUERIES, struct bucket_in, queries, "Queries over the buckets."),
	OPTIONAL("search", P_TEXT, struct bucket_in, search, "Words to look for in names and ids.", .def = "\"\"", .max = 256),
	LIST_TOTAL,
};

static struct bucket
bucket_of(struct ctx *cx, const struct bucket_in *in)
{
	struct bucket b = {.id = in->id, .name = in->name, .permissions = in->perms, .file_security = in->file_security, .enabled = in->enabled,
		.maximum_file_size = in->size.set ? in->size.v : conf.storage_limit, .extensions = in->extensions,
		.compression = str_lower(cx->arena, str_c(in->compression)).p, .encryption = in->encryption, .antivirus = in->antivirus};

	b.permissions.set = true;
	return b;
}

static err_t
storage_create_bucket(struct req *rq, void *arg)
{
	const struct bucket_in *in = arg;
	struct bucket b = bucket_of(&rq->cx, in);

	TRY(bucket_create(&rq->cx, rq->project, caller_id(rq), &b));
	return reply(rq, 201, &bucket_shape, &b);
}

/* How large they are, for clients who are told. */
static err_t
buckets_measure(struct req *rq, struct bucket *const *v, int n)
{
	const char **metrics = arena_array(rq->cx.arena, const char *, n + 1);
	int64_t *sizes = arena_array(rq->cx.arena, int64_t, n + 1);

	if (rq->cx.format < SINCE_1_9)
		return OK;
	for (int i = 0; i < n; i++)
		metrics[i] = arena_printf(rq->cx.arena, "files.%s.storage.size", v[i]->id);
	TRY(usage_last(&rq->cx, rq->project, metrics, n, sizes));
	for (int i = 0; i < n; i++)
		v[i]->total_size = sizes[i];
	return OK;
}

static err_t
buckets_reply(struct req *rq, struct bucket *b)
{
	TRY(buckets_measure(rq, &b, 1));
	return reply(rq, 200, &bucket_shape, b);
}

static err_t
storage_list_buckets(struct req *rq, void *arg)
{
	const struct bucket_in *in = arg;
	struct query_page page;
	struct objs list = {0};

	TRY(bucket_list(&rq->cx, rq->project, &in->queries, in->search, &page));
	if (page.res != NULL)
		list = shape_rows(&rq->cx, &bucket_shape, page.res);
	TRY(buckets_measure(rq, (struct bucket *const *)list.v, list.n));
	return reply_list(rq, &bucket_shape, "buckets", page.total, &list);
}

static err_t
storage_get_bucket(struct req *rq, void *arg)
{
	const struct bucket_in *in = arg;
	const struct bucket *b;
	struct bucket one;

	TRY(bucket_get(&rq->cx, rq->project, in->id, &b));
	one = *b;
	return buckets_reply(rq, &one);
}

/* Everything but the permissions and the largest size goes back to its default when it is left out. */
static err_t
storage_update_bucket(struct req *rq, void *arg)
{
	const struct bucket_in *in = arg;
	struct bucket values = bucket_of(&rq->cx, in), b;
	const struct bucket *now;

	TRY(bucket_get(&rq->cx, rq->project, in->id, &now));
	if (!in->perms.set)
		values.permissions = now->permissions;
	if (!in->size.set)
		values.maximum_file_size = now->maximum_file_size;
	TRY(bucket_update(&rq->cx, rq->project, caller_id(rq), in->id, &values, &b));
	return buckets_reply(rq, &b);
}

static err_t
storage_delete_bucket(struct req *rq, void *arg)
{
	const struct bucket_in *in = arg;

	TRY(bucket_delete(&rq->cx, rq->project, caller_id(rq), in->id));
	return reply_none(rq);
}

/* ---- usage ---- */

#define RANGE OPTIONAL("range", P_ENUM, struct bucket_in, range, "How far back.", .def = "\"30d\"", .list = usage_ranges)
static const struct param usage_params[] = {RANGE};
static const struct param bucket_usage_params[] = {BUCKET_PATH, RANGE};

static const struct usage_series storage_series[] = {
	{"storage", "project.$all.storage.size"},
	{"filesCount", "files.$all.count.total"},
	{"bucketsCount", "buckets.$all.count.total"},
	{"bucketsCreate", "buckets.$all.requests.create"},
	{"bucketsRead", "buckets.$all.requests.read"},
	{"bucketsUpdate", "buckets.$all.requests.update"},
	{"bucketsDelete", "buckets.$all.requests.delete"},
	{"filesCreate", "files.$all.requests.create"},
	{"filesRead", "files.$all.requests.read"},
	{"filesUpdate", "files.$all.requests.update"},
	{"filesDelete", "files.$all.requests.delete"},
}, storage_today[] = {
	{"bucketsTotal", "buckets.$all.count.total", {NULL}, USAGE_NEWEST},
	{"filesTotal", "files.$all.count.total", {NULL}, USAGE_NEWEST},
	{"filesStorageTotal", "project.$all.storage.size", {NULL}, USAGE_NEWEST},
	{"buckets", "buckets.$all.count.total"},
	{"files", "files.$all.count.total"},
	{"storage", "project.$all.storage.size"},
};
/* Of one bucket: name, and what follows "files.<bucket>.". */
static const struct usage_series bucket_series[] = {
	{"filesCount", "count.total"},
	{"filesStorage", "storage.size"},
	{"filesCreate", "requests.create"},
	{"filesRead", "requests.read"},
	{"filesUpdate", "requests.update"},
	{"filesDelete", "requests.delete"},
}, bucket_today[] = {
	{"filesTotal", "count.total", {NULL}, USAGE_NEWEST},
	{"filesStorageTotal", "storage.size", {NULL}, USAGE_NEWEST},
	{"files", "count.total"},
	{"storage", "storage.size"},
	{"imageTransformations", "transformations"},	/* what nobody counts is zero */
	{"imageTransformationsTotal", "transformations", {NULL}, USAGE_EVER},
};
enum {
	STORAGE_SERIES = sizeof storage_series / sizeof *storage_series,
	STORAGE_TODAY = sizeof storage_today / sizeof *storage_today,
	BUCKET_SERIES = sizeof bucket_series / sizeof *bucket_series,
	BUCKET_TODAY = sizeof bucket_today / sizeof *bucket_today
};
_Static_assert(BUCKET_SERIES == BUCKET_TODAY, "one array has room for either");

#define BEFORE(key_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape, .until = SINCE_1_5)
#define SERIES(key_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape, .since = SINCE_1_5)
#define TOTAL(key_, doc_) TOLD(key_, F_INT, doc_, .since = SINCE_1_5)
static const struct field storage_usage_fields[] = {
	USAGE_RANGE,
	USAGE_ROW("storage", "Bytes stored."),
	BEFORE("filesCount", "Number of files."),
	BEFORE("bucketsCount", "Number of buckets."),
	BEFORE("bucketsCreate", "Buckets created."),
	BEFORE("bucketsRead", "Buckets read."),
	BEFORE("bucketsUpdate", "Buckets changed."),
	BEFORE("bucketsDelete", "Buckets deleted."),
	BEFORE("filesCreate", "Files created."),
	BEFORE("filesRead", "Files read."),
	BEFORE("filesUpdate", "Files changed."),
	BEFORE("filesDelete", "Files deleted."),
	TOTAL("bucketsTotal", "Number of buckets."),
	TOTAL("filesTotal", "Number of files."),
	TOTAL("filesStorageTotal", "Bytes stored."),
	SERIES("buckets", "Number of buckets."),
	SERIES("files", "Number of files."),
};
const struct shape storage_usage_shape = SHAPE_TOLD("usageStorage", storage_usage_fields);
static const struct field bucket_usage_fields[] = {
	USAGE_RANGE,
	BEFORE("filesCount", "Number of files in the bucket."),
	BEFORE("filesStorage", "Bytes stored in the bucket."),
	BEFORE("filesCreate", "Files created."),
	BEFORE("filesRead", "Files read."),
	BEFORE("filesUpdate", "Files changed."),
	BEFORE("filesDelete", "Files deleted."),
	TOTAL("filesTotal", "Number of files in the bucket."),
	TOTAL("filesStorageTotal", "Bytes stored in the bucket."),
	SERIES("files", "Number of files in the bucket."),
	SERIES("storage", "Bytes stored in the bucket."),
	SERIES("imageTransformations", "Always 0: they are not counted."),
	TOTAL("imageTransformationsTotal", "Always 0: they are not counted."),
};
const struct shape bucket_usage_shape = SHAPE_TOLD("usageBuckets", bucket_usage_fields);
#undef BEFORE
#undef SERIES
#undef TOTAL

/* Guests and users hold the scope, but how much a project is used is nobody's business but its owners'. */
static err_t
check_may_count(struct req *rq)
{
	return caller_is_server(rq) ? OK : fail(&rq->cx, ERR_USER_UNAUTHORIZED, "usage is for keys and admins");
}

static err_t
storage_get_usage(struct req *rq, void *arg)
{
	const struct bucket_in *in = arg;

	TRY(check_may_count(rq));
	if (rq->cx.format >= SINCE_1_5)
		return reply_usage(rq, rq->project, in->range, storage_today, STORAGE_TODAY);
	return reply_usage(rq, rq->project, in->range, storage_series, STORAGE_SERIES);
}

static err_t
storage_get_bucket_usage(struct req *rq, void *arg)
{
	const struct bucket_in *in = arg;
	const struct usage_series *of = rq->cx.format >= SINCE_1_5 ? bucket_today : bucket_series;
	struct usage_series v[BUCKET_SERIES];
	const struct bucket *b;

	TRY(check_may_count(rq));
	TRY(bucket_get(&rq->cx, rq->project, in->id, &b));
	for (int i = 0; i < BUCKET_SERIES; i++)
		v[i] = (struct usage_series){of[i].name, arena_printf(rq->cx.arena, "files.%s.%s", b->id, of[i].metric), {NULL}, of[i].add};
	return reply_usage(rq, rq->project, in->range, v, BUCKET_SERIES);
}

/* ---- routes ---- */

#define BUCKET(method_, tail, name_, scope_, handler_, model_, status_, doc_, rows, ...)                                               \
	{                                                                                                                              \
		.method = method_, .path = "/v1/storage" tail, .service = "storage", .name = name_, .scope = scope_, .limit = "",      \
		.handler = handler_, .model = model_, .status = status_, .doc = doc_, PARAMS(struct bucket_in, rows), __VA_ARGS__      \
	}

static const struct route rows[] = {
	BUCKET("POST", "/buckets", "createBucket", "buckets.write", storage_create_bucket, &bucket_shape, 201, "Create a bucket.", create_params,
	    .audit = "bucket.create bucket/{bucketId}", .usage = "buckets.create"),
	BUCKET("GET", "/buckets", "listBuckets", "buckets.read", storage_list_buckets, &bucket_shape, 200, "List buckets.", list_params,
	    .list = "buckets", .usage = "buckets.read"),
	BUCKET("GET", "/buckets/:bucketId", "getBucket", "buckets.read", storage_get_bucket, &bucket_shape, 200, "Get a bucket.", get_params,
	    .usage = "buckets.read"),
	BUCKET("PUT", "/buckets/:bucketId", "updateBucket", "buckets.write", storage_update_bucket, &bucket_shape, 200, "Change a bucket.", update_params,
	    .audit = "bucket.update bucket/{bucketId}", .usage = "buckets.update"),
	BUCKET("DELETE", "/buckets/:bucketId", "deleteBucket", "buckets.write", storage_delete_bucket, NULL, 204, "Delete a bucket with its files.", get_params,
	    .audit = "bucket.delete bucket/{bucketId}", .usage = "buckets.delete"),
	BUCKET("GET", "/usage", "getUsage", "files.read", storage_get_usage, &storage_usage_shape, 200, "How storage is used.", usage_params),
	BUCKET("GET", "/:bucketId/usage", "getBucketUsage", "files.read", storage_get_bucket_usage, &bucket_usage_shape, 200, "How a bucket is used.",
	    bucket_usage_params),
};
const struct routes bucket_routes = ROUTES(rows);
