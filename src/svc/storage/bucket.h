/* Buckets: what files are kept in, who may do what there, and how their bytes are kept. Cached per process; every change bumps a generation. */
#ifndef BADAL_SVC_STORAGE_BUCKET_H
#define BADAL_SVC_STORAGE_BUCKET_H

#include "model/blob.h"
#include "model/event.h"
#include "model/permission.h"
#include "model/query.h"
#include "model/waste.h"

#define EVENT EVENT_DECLARE
#include "svc/storage/events.h"
#undef EVENT

struct bucket {
	int64_t internal;
	const char *id, *name;
	int64_t created, updated;
	struct strs permissions;
	bool file_security, enabled;
	int64_t maximum_file_size;
	struct strs extensions;		/* allowed ones, as they were given; none: all */
	const char *compression;	/* "none", "gzip", "zstd" */
	bool encryption, antivirus;
	int64_t total_size;		/* of a reply alone */
	struct perms perms;		/* of `permissions`; of bucket_get alone */
};
extern const struct shape bucket_shape;

/* Awaits on a cache miss. Valid until cx ends. ERR_STORAGE_BUCKET_NOT_FOUND. */
err_t bucket_get(struct ctx *cx, const struct project *p, const char *id, const struct bucket **out) MUST_CHECK;
/* All await. `b` is the new bucket, complete but for its number, id (may be set) and times. ERR_STORAGE_BUCKET_ALREADY_EXISTS. */
err_t bucket_create(struct ctx *cx, const struct project *p, const char *actor, struct bucket *b) MUST_CHECK;
err_t bucket_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search, struct query_page *out) MUST_CHECK;
/* Sets everything that can be changed from `values`; *out is the row as it is then. */
err_t bucket_update(struct ctx *cx, const struct project *p, const char *actor, const char *id, const struct bucket *values, struct bucket *out) MUST_CHECK;
/* The rows of its files go with it; the bytes by a job. */
err_t bucket_delete(struct ctx *cx, const struct project *p, const char *actor, const char *id) MUST_CHECK;

/* Where the bytes of its files are. */
struct blob_place bucket_place(const struct project *p, int64_t internal);

/* What is to go of files, and in a transaction the job that removes it. */
extern const struct waste file_waste;
void file_waste_job(struct db_tx *tx, const struct project *p);

#endif
