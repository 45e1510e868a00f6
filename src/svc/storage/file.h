/* Files of buckets: what is known of them, who may do what, how they are uploaded, and where their bytes are. */
#ifndef BADAL_SVC_STORAGE_FILE_H
#define BADAL_SVC_STORAGE_FILE_H

#include "model/parts.h"
#include "svc/storage/bucket.h"

struct file {
	union {
		struct parted parted;
		struct {
			PARTED;		/* its owner is the bucket */
		};
	};
	const char *bucket_id, *name;
	int64_t created, updated;
	struct strs permissions, read;	/* `read`: the roles of its read permissions */
	const char *signature, *mime;	/* "" until it is complete */
	int64_t actual;			/* bytes on the device */
	bool encryption;		/* of its bucket, as the next one */
	const char *compression;
	const char *uploader;		/* who began it and may finish it: "user:<id>", "guest:<address>"; "": keys and admins alone */
	const struct blob_part *parts;	/* where its bytes are; NULL: file_parts finds them */
	int n_parts;
};
extern const struct shape file_shape;

struct file_caller {		/* who asks */
	bool bypass;		/* keys and admins: permissions are not evaluated */
	bool see_disabled;	/* admins: also in a bucket that is switched off */
	const struct strs *roles;
	const char *user;	/* id, NULL: none */
	const char *address;
	const char *actor;	/* of events, NULL: none */
};

/* ---- reading; all await ---- */

/* The bucket, unless it is switched off for the caller. ERR_STORAGE_BUCKET_NOT_FOUND. */
err_t file_bucket(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const struct bucket **out) MUST_CHECK;
/* A file that the caller may read. ERR_STORAGE_FILE_NOT_FOUND, ERR_USER_UNAUTHORIZED (spec 2). */
err_t file_get(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const char *id, struct file *out) MUST_CHECK;
err_t file_list(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const struct strs *queries, const char *search,
    struct query_page *out, struct objs *list_out) MUST_CHECK;
/* The parts of a complete file, in order, in the arena. */
err_t file_parts(struct ctx *cx, const struct project *p, const struct file *f, const struct blob_part **out, int *n_out) MUST_CHECK;
/* What its previews are kept under. */
const char *file_pictures(struct arena *a, const struct project *p, const struct file *f);
/* Anybody may read it: `b` is its bucket. */
bool file_public(const struct bucket *b, const struct file *f);

/* ---- changes; all await ---- */

/* `perms` not set: nothing changes. ERR_USER_UNAUTHORIZED. */
err_t file_update(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const char *id, const struct strs *perms,
    struct file *out) MUST_CHECK;
err_t file_delete(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const char *id) MUST_CHECK;
/* The permissions that a caller hands out are its own. ERR_USER_UNAUTHORIZED with the words of the contract. */
err_t file_check_grants(struct ctx *cx, const struct file_caller *who, const struct strs *perms) MUST_CHECK;

/* ---- uploads (upload.c) ---- */

struct upload {			/* one request that carries bytes of a file */
	const struct bucket *b;
	const char *id;
	struct str name;
	struct strs perms;	/* not set: those of whoever uploads */
	bool ranged;		/* they are a part, if of the whole file */
	int64_t start, total;	/* where they belong, of how many */
	struct blob blob;	/* they, on the device */
	const char *mime;	/* by the first bytes, of a file that is whole; NULL: it is not */
};
/* Whether there is an unfinished upload under this id that the caller may go on with. */
err_t upload_begun(struct ctx *cx, const struct project *p, const struct file_caller *who, const struct bucket *b, const char *id, bool *begun_out) MUST_CHECK;
/* Records the part, and the file with the last one. *kept_out: the blob has a row now, or may have. ERR_DOCUMENT_ALREADY_EXISTS: the id is taken by a file
 * that is complete, or by an upload of somebody else; ERR_STORAGE_INVALID_CONTENT_RANGE: the part does not fit what is there;
 * ERR_STORAGE_BUCKET_NOT_FOUND: deleted meanwhile. */
err_t upload_store(struct ctx *cx, const struct project *p, const struct file_caller *who, const struct upload *u, struct file *out, bool *kept_out) MUST_CHECK;

/* ---- what unfinished uploads may hold (quota.c) ---- */

/* Room for `more` bytes of an upload, as struct part_table has it: `row` is that of a struct file. ERR_STORAGE_OPEN_USER, ERR_STORAGE_OPEN_PROJECT. */
err_t quota_room(struct db_tx *tx, const struct project *p, const struct parted *row, int64_t more) MUST_CHECK;

/* ---- what files.c and upload.c share ---- */
extern const struct record file_record;
extern const struct part_table file_part_table;
#define FILE_BIND "file"		/* what sealed blobs of files are bound to, besides their place and name */
/* Awaits on a cache miss. The file, whoever asks; valid until cx ends. ERR_STORAGE_FILE_NOT_FOUND. */
err_t file_find(struct ctx *cx, const struct project *p, const struct bucket *b, const char *id, struct file *out) MUST_CHECK;
const char *file_stale_key(struct ctx *cx, const struct project *p, int64_t bucket, const char *id);
struct rows file_rows(struct ctx *cx, const struct bucket *b, const char *id);	/* the file with this id in a bucket */
bool file_grants(struct ctx *cx, const struct file_caller *who, const struct file *f, struct str verb);	/* whether the file grants the caller this */
bool file_readable(const struct file_caller *who, const struct bucket *b, const struct file *f);
void file_emit(struct db_tx *tx, const struct project *p, const struct bucket *b, const struct event_info *kind, const char *actor, const struct file *f);
/* Takes the blobs of the file's parts to file_waste; within the transaction that takes their rows. */
void file_waste_parts(struct db_tx *tx, const struct project *p, int64_t bucket, int64_t file);

/* What who resumes may still be shown (model/service.h). Awaits. */
struct shown;
err_t files_shown(struct ctx *cx, const struct project *p, const struct strs *roles, struct shown **v, int n) MUST_CHECK;

/* ---- background (work.c) ---- */
struct job;
err_t storage_remove_waste(struct ctx *cx, const struct job *job);
err_t storage_expire(struct ctx *cx);		/* uploads that nobody went on with, and waste whose job was lost */
err_t storage_find_orphans(struct ctx *cx);	/* bytes that no row knows: what a crash left */

#endif
