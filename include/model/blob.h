/* Blobs: bytes of a project that are too large for a table (parts of files, deployments, builds), on the device that is configured (device.h).
 *
 * A blob is written once, under a random name, and never changed; a row says that it is there. So it is made durable before its row commits, removed
 * after its row is gone, and what a crash leaves between the two has no row and is found by the upkeep. Content is compressed, then sealed in
 * blocks (XChaCha20-Poly1305) under a data key of the project, as the caller asks; the format is described in doc/storage.md. */
#ifndef BADAL_MODEL_BLOB_H
#define BADAL_MODEL_BLOB_H

#include "model/project.h"

enum blob_coding { BLOB_NONE, BLOB_GZIP, BLOB_ZSTD };
extern const char *const blob_codings[];	/* "none", "gzip", "zstd"; NULL at the end */

struct blob {			/* what its row keeps */
	const char *name;	/* random, lower-case hex; with the place it makes the key on the device */
	int64_t size;		/* bytes of its content */
	int64_t stored;		/* bytes on the device */
	enum blob_coding coding;	/* what was done: BLOB_NONE when the content did not shrink */
	int64_t sealed;		/* the data key of the project that it is sealed under; 0: it is not */
	const char *md5;	/* of the stored bytes, hex; x and their XXH3 when that was enough (blob_no_md5) */
};

struct blob_place {		/* whose it is: a directory (a prefix of keys) that can be removed as a whole, exactly */
	const struct project *p;
	const char *kind;	/* "files", "deployments", "builds" */
	int64_t owner;		/* internal number: of the bucket, of the function */
};

/* ---- writing; all await, memory is bounded by a few hundred KiB per blob ---- */

struct blob_writer;
/* A new blob. `bind` is what it belongs to and where in it ("file 17 at 5242880"): a sealed blob can be read only with the same words. The writer
 * ends with cx: what was not finished by then is taken away. */
err_t blob_create(struct ctx *cx, const struct blob_place *at, enum blob_coding coding, bool seal, const char *bind, struct blob_writer **out) MUST_CHECK;
/* Before anything is written: nobody asks for its MD5, so a sum will do that costs a tenth. */
void blob_no_md5(struct blob_writer *w);
bool blob_has_md5(const struct blob *b);
err_t blob_write(struct blob_writer *w, struct str piece) MUST_CHECK;
/* What was written, as long as that is no more than BLOB_HEAD bytes; until the next blob_write. */
enum { BLOB_HEAD = 256 * 1024 };
struct str blob_head(const struct blob_writer *w);
/* On disk (file and directory synced), or taken by the provider. The blob stays until blob_keep or the end of cx, whichever comes first: without
 * blob_keep the end of cx removes it again. */
err_t blob_finish(struct blob_writer *w, struct blob *out) MUST_CHECK;
/* Its row has committed, or may have. No wait. */
void blob_keep(struct blob_writer *w);

/* ---- reading ---- */

struct blob_part {		/* one of the blobs that make up a content, in order */
	struct blob blob;
	const char *bind;
};
struct blob_reader;
/* Awaits. Bytes [offset, offset + n) of what the parts make up together. ERR_BLOB_GONE: bytes that a row promises
 * are not there, or the parts do not hold the range, for they went meanwhile (the caller says what that means), ERR_BLOB_BROKEN: they are not what was written (logged and counted), ERR_DEVICE. */
err_t blob_open(struct ctx *cx, const struct blob_place *at, const struct blob_part *v, int n_parts, uint64_t offset, uint64_t n,
    struct blob_reader **out) MUST_CHECK;
/* Awaits. The next bytes, at most 256 KiB, valid until the next call; n is 0 at the end. */
err_t blob_read(struct blob_reader *r, struct str *piece_out) MUST_CHECK;
/* When the device is a local directory and the content one part that is neither compressed nor sealed: the open file, for sendfile; else -1. The reader
 * closes it. */
int blob_fd(const struct blob_reader *r);

/* ---- removing ---- */

/* Awaits. Gone, or was not there: OK. A failure is logged and counted; the upkeep finds what stays. */
err_t blob_remove(struct ctx *cx, const struct blob_place *at, const char *name);
/* Awaits, long. All blobs of the place; nothing else, whatever names resemble it. */
err_t blob_remove_place(struct ctx *cx, const struct blob_place *at);
/* Awaits, long. Calls fn for every blob of the place that is older than `age_ms`. */
typedef err_t (*blob_seen_fn)(struct ctx *cx, const char *name, int64_t stored, void *arg);
err_t blob_walk(struct ctx *cx, const struct blob_place *at, int64_t age_ms, blob_seen_fn fn, void *arg) MUST_CHECK;
/* Awaits. The places of a kind that hold anything, of all projects: their schema and owner. */
typedef err_t (*blob_place_fn)(struct ctx *cx, const char *schema, int64_t owner, void *arg);
err_t blob_places(struct ctx *cx, const char *kind, blob_place_fn fn, void *arg) MUST_CHECK;

#endif
