/* A file that comes in a form, whole or a part of it (Content-Range): what uploads of all services have in common. */
#ifndef BADAL_GATE_INCOMING_H
#define BADAL_GATE_INCOMING_H

#include "gate/gate.h"
#include "io/range.h"
#include "model/blob.h"

struct incoming {		/* what the head of the request says */
	bool ranged;			/* it has a Content-Range */
	struct content_range range;
	int64_t max;			/* bytes that may come */
};

/* What can be judged before anything of the body is read; `limit`: the largest file. ERR_STORAGE_INVALID_CONTENT_RANGE, ERR_STORAGE_INVALID_FILE_SIZE,
 * ERR_REQUEST_TOO_LARGE. */
err_t incoming_judge(struct req *rq, int64_t limit, struct incoming *out) MUST_CHECK;
/* The whole file in one request. */
bool incoming_whole(const struct incoming *in);
/* The upload that it goes on with; STR_NONE: the header names none. */
struct str incoming_id(const struct req *rq, const struct incoming *in);
/* The name without the folders that some browsers send. */
struct str incoming_name(struct str name);
/* Awaits. The file's bytes to the device, as they come. `headed`, which may be NULL, is told once blob_head has BLOB_HEAD bytes and nothing more; of less it
 * is not. Errors as form_read, blob_write and incoming_judge. */
err_t incoming_receive(struct req *rq, const struct incoming *in, struct form *form, struct blob_writer *w,
    err_t (*headed)(void *arg), void *arg) MUST_CHECK;

#endif
