/* Downloads and views: the bytes of a file, whole or a range of them, as fast as their reader takes them. */
#include "core/metric.h"
#include "core/vtime.h"
#include "files_priv.h"
#include "io/range.h"

enum { WHOLE_MAX = 64 * 1024, TAG_MAX = 80 };	/* WHOLE_MAX: what goes out with its head in one write */
#define FRESH_MS (45 * 24 * 3600 * INT64_C(1000))

struct content_in {
	const char *bucket, *id;
};
static const struct param content_params[] = {
	PATH("bucketId", P_UID, struct content_in, bucket, "Bucket ID."),
	PATH("fileId", P_UID, struct content_in, id, "File ID."),
};

/* ---- conditions ---- */

/* A file's bytes never change; under the same id there may be another one later, with another number. */
const char *
file_etag(struct ctx *cx, const struct file *f)
{
	return arena_printf(cx->arena, "\"%llx-%.16s\"", (unsigned long long)f->internal, f->signature);
}

/* ---- heads ---- */

void
file_caching(struct req *rq, const struct bucket *b, const struct file *f, int64_t fresh_ms)
{
	char date[30];

	reply_header(rq, "Expires", time_http(time_now_ms() + fresh_ms, ' ', date));
	if (!file_public(b, f))
		reply_static(rq, "Cache-Control", "private");
}

static void
content_head(struct req *rq, const struct bucket *b, const struct file *f, const char *tag, bool view, bool active)
{
	reply_static(rq, "Content-Disposition", media_disposition(&rq->cx, view ? "inline" : "attachment", f->name));
	if (view)
		reply_static(rq, "Content-Security-Policy", active ? "default-src 'none'; style-src 'unsafe-inline'; sandbox" : "script-src 'none'");
	rq->n_gate = rq->n_out;	/* refusals carry these as well */
	reply_static(rq, "ETag", tag);
	reply_static(rq, "Accept-Ranges", "bytes");
	file_caching(rq, b, f, FRESH_MS);
}

/* ---- bodies ---- */

struct slice {
	const struct file *f;
	const char *type;
	int status;
	int64_t first, n;
};

/* Small ones in one write. */
static err_t
content_whole(struct req *rq, const struct slice *s, struct blob_reader *r)
{
	struct str piece;
	struct buf b;

	buf_init(&b, rq->cx.arena, (size_t)s->n + 1);
	for (;;) {
		TRY(blob_read(r, &piece));
		if (piece.n == 0)
			break;
		buf_str(&b, piece);
	}
	return reply_raw(rq, s->status, s->type, buf_view(&b));
}

static err_t
content_send(struct req *rq, const struct slice *s)
{
	struct blob_place at = bucket_place(rq->project, s->f->owner);
	const struct blob_part *parts;
	struct blob_reader *r;
	int n;
	err_t e;

	if (str_is(rq->http->method, "HEAD")) {
		TRY(reply_begin(rq, s->status, s->type, s->n));
		return reply_end(rq);
	}
	TRY(file_parts(&rq->cx, rq->project, s->f, &parts, &n));
	e = blob_open(&rq->cx, &at, parts, n, (uint64_t)s->first, (uint64_t)s->n, &r);
	if (e == ERR_BLOB_GONE)
		return fail(&rq->cx, ERR_STORAGE_FILE_NOT_FOUND, "no bytes: file=%s", s->f->id);
	TRY(e);
	metric_add(M_storage_bytes_out, s->n);
	if (s->n <= WHOLE_MAX)
		return content_whole(rq, s, r);
	if (blob_fd(r) >= 0)
		return reply_file(rq, s->status, s->type, blob_fd(r), (uint64_t)s->first, (uint64_t)s->n);
	return reply_blob(rq, s->status, s->type, r, s->n);
}

/* What of the file is asked for. If-None-Match goes before Range, If-Range says whether the range counts. */
static err_t
content_answer(struct req *rq, const struct file *f, const char *type, const char *tag)
{
	struct slice s = {.f = f, .type = type, .status = 200, .n = f->size};
	struct str given = rq->http->hdr[HDR_IF_RANGE];
	enum range how = RANGE_NONE;
	int64_t last;

	if (str_etag_listed(rq->http->hdr[HDR_IF_NONE_MATCH], tag))
		return reply_raw(rq, 304, type, STR_NONE);
	if (given.p == NULL || str_is(given, tag))
		how = range_parse(rq->http->hdr[HDR_RANGE], f->size, &s.first, &last);
	if (how != RANGE_NONE && how != RANGE_ONE)	/* suffixes neither: the contract has none */
		return fail(&rq->cx, ERR_STORAGE_INVALID_RANGE, "%.*s of %lld", STR_FMT(rq->http->hdr[HDR_RANGE]), (long long)f->size);
	if (how == RANGE_ONE) {
		s.status = 206;
		s.n = last - s.first + 1;
		reply_static(rq, "Content-Range", arena_printf(rq->cx.arena, "bytes %lld-%lld/%lld", (long long)s.first, (long long)last, (long long)f->size));
	}
	return content_send(rq, &s);
}

static err_t
content(struct req *rq, const struct content_in *in, bool view)
{
	struct file_caller who = file_caller_of(rq);
	const struct bucket *b;
	const char *type, *tag;
	struct file f;
	bool active = false;

	TRY(file_get(&rq->cx, rq->project, &who, in->bucket, in->id, &f));
	if (!f.complete)
		return fail(&rq->cx, ERR_STORAGE_FILE_NOT_FOUND, "not complete: %s", in->id);
	TRY(bucket_get(&rq->cx, rq->project, in->bucket, &b));
	tag = file_etag(&rq->cx, &f);
	type = view ? media_shown(f.mime, &active) : f.mime;
	content_head(rq, b, &f, tag, view, active);
	return content_answer(rq, &f, type ? type : "text/plain", tag);
}

static err_t
storage_get_file_download(struct req *rq, void *arg)
{
	return content(rq, arg, false);
}

static err_t
storage_get_file_view(struct req *rq, void *arg)
{
	return content(rq, arg, true);
}

#define CONTENT_ROUTE(tail, name_, handler_, doc_)                                                                                       \
	{                                                                                                                                \
		.method = "GET", .path = "/v1/storage/buckets/:bucketId/files/:fileId/" tail, .service = "storage", .name = name_,       \
		.scope = "files.read", .limit = "", .handler = handler_, .status = 200, .doc = doc_, PARAMS(struct content_in, content_params), \
		.usage = "files.read", .media = "*/*", .flags = ROUTE_RANGES                                                                                    \
	}

static const struct route rows[] = {
	CONTENT_ROUTE("download", "getFileDownload", storage_get_file_download, "The bytes of a file, to be saved."),
	CONTENT_ROUTE("view", "getFileView", storage_get_file_view, "The bytes of a file, to be shown."),
};
const struct routes content_routes = ROUTES(rows);
