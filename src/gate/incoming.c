/* A file that comes in a form, whole or a part of it. */
#include "gate/incoming.h"

#include "core/conf.h"

err_t
incoming_judge(struct req *rq, int64_t limit, struct incoming *out)
{
	struct str range = rq->http->hdr[HDR_CONTENT_RANGE];
	struct ctx *cx = &rq->cx;

	*out = (struct incoming){.ranged = range.p != NULL, .max = limit};
	if (rq->http->length > conf.body_max)
		return ERR_REQUEST_TOO_LARGE;
	if (!out->ranged)
		return OK;
	if (!content_range_parse(range, &out->range))
		return fail(cx, ERR_STORAGE_INVALID_CONTENT_RANGE, "%.*s", STR_FMT(range));
	if (out->range.size > limit)
		return fail(cx, ERR_STORAGE_INVALID_FILE_SIZE, "%lld bytes", (long long)out->range.size);
	out->max = content_range_length(&out->range);
	if ((out->max == 0 && out->range.size > 0) || (out->range.start + out->max < out->range.size && out->max < out->range.size / conf.storage_parts_max))
		return fail(cx, ERR_STORAGE_INVALID_CONTENT_RANGE, "a part of %lld bytes", (long long)out->max);
	return OK;
}

bool
incoming_whole(const struct incoming *in)
{
	return !in->ranged || (in->range.start == 0 && in->max == in->range.size);
}

struct str
incoming_id(const struct req *rq, const struct incoming *in)
{
	return in->ranged ? rq->http->hdr[HDR_X_APPWRITE_ID] : STR_NONE;
}

struct str
incoming_name(struct str name)
{
	const char *slash = name.n > 0 ? memrchr(name.p, '/', name.n) : NULL;

	return slash ? (struct str){slash + 1, name.n - (size_t)(slash + 1 - name.p)} : name;
}

/* The piece behind n bytes. */
static err_t
incoming_piece(struct blob_writer *w, struct str piece, int64_t n, err_t (*headed)(void *arg), void *arg)
{
	size_t first = n < BLOB_HEAD ? (size_t)(BLOB_HEAD - n) : 0;

	if (headed != NULL && first > 0 && first <= piece.n) {
		TRY(blob_write(w, (struct str){piece.p, first}));
		TRY(headed(arg));
		piece = (struct str){piece.p + first, piece.n - first};
	}
	return blob_write(w, piece);
}

err_t
incoming_receive(struct req *rq, const struct incoming *in, struct form *form, struct blob_writer *w, err_t (*headed)(void *arg), void *arg)
{
	struct ctx *cx = &rq->cx;
	struct str piece;
	int64_t n = 0;

	for (;;) {
		TRY(form_read(form, &piece));
		if (piece.n == 0)
			break;
		n += (int64_t)piece.n;
		if (n > in->max)
			return fail(cx, in->ranged ? ERR_STORAGE_INVALID_CONTENT_RANGE : ERR_STORAGE_INVALID_FILE_SIZE, "more than %lld bytes", (long long)in->max);
		if (n > conf.body_max)
			return ERR_REQUEST_TOO_LARGE;
		TRY(incoming_piece(w, piece, n - (int64_t)piece.n, headed, arg));
	}
	if (in->ranged && n < in->max)
		return fail(cx, ERR_STORAGE_INVALID_CONTENT_RANGE, "%lld bytes instead of %lld", (long long)n, (long long)in->max);
	return OK;
}
