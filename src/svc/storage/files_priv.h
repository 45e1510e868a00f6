/* Between the handlers of this room. */
#ifndef BADAL_SVC_STORAGE_FILES_PRIV_H
#define BADAL_SVC_STORAGE_FILES_PRIV_H

#include "gate/caller.h"
#include "svc/storage/file.h"
#include "svc/storage/media.h"

struct file_caller file_caller_of(const struct req *rq);

/* ---- content.c ---- */
const char *file_etag(struct ctx *cx, const struct file *f);	/* strong: another one for other bytes, also under the same id */
/* Expires, and Cache-Control where not everybody may read it. */
void file_caching(struct req *rq, const struct bucket *b, const struct file *f, int64_t fresh_ms);

#endif
