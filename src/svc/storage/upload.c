/* Uploads: a file comes whole in one request, or in parts, in any order and at once. What must stay true:
 *
 * A part (model/parts.h) is on the device before its row commits, and its row before the answer. Whoever brings the last missing part completes the file,
 * outside of any lock, for it takes as long as reading it; the row's count of changes says whether what was read is still what is there. One event, at the
 * completion. */
#include <openssl/evp.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/offload.h"
#include "core/vtime.h"
#include "model/bound.h"
#include "model/scan.h"
#include "svc/storage/file.h"
#include "svc/storage/media.h"

enum { ROUNDS_MAX = 20, MD5_BYTES = 16 };

/* ---- who, and whose ---- */

static const char *
uploader(struct ctx *cx, const struct file_caller *who)
{
	if (who->bypass)
		return "";
	return who->user ? arena_printf(cx->arena, "user:%s", who->user) : arena_printf(cx->arena, "guest:%s", who->address);
}

static bool
may_go_on(struct ctx *cx, const struct file_caller *who, const struct file *f)
{
	return who->bypass || strcmp(uploader(cx, who), f->uploader) == 0 || file_grants(cx, who, f, STR("update"));
}

static struct strs
upload_perms(struct ctx *cx, const struct file_caller *who, const struct upload *u)
{
	if (u->perms.set)
		return u->perms;
	return who->user ? perms_own(cx->arena, who->user) : (struct strs){.set = true};
}

static void
set_perms(struct ctx *cx, const struct file_caller *who, const struct upload *u, struct file *f)
{
	f->permissions = upload_perms(cx, who, u);
	f->read = perms_roles(cx->arena, &f->permissions, STR("read"));
}

err_t
upload_begun(struct ctx *cx, const struct project *p, const struct file_caller *who, const struct bucket *b, const char *id, bool *begun_out)
{
	struct file f;
	err_t e = record_get(cx, p, &file_record, file_rows(cx, b, id), &f);

	*begun_out = e == OK && !f.complete && may_go_on(cx, who, &f);
	return e == ERR_STORAGE_FILE_NOT_FOUND ? OK : e;
}

/* ---- rows ---- */

static struct file
file_new(struct ctx *cx, const struct file_caller *who, const struct upload *u)
{
	struct file f = {.owner = u->b->internal, .id = u->id, .bucket_id = u->b->id, .encryption = u->b->encryption, .compression = u->b->compression, .name = str_dup(cx->arena, u->name), .signature = "", .mime = "",
		.size = u->total, .chunks_total = 1, .uploader = uploader(cx, who)};

	record_init(cx, &file_record, &f);
	set_perms(cx, who, u, &f);
	return f;
}

static err_t
insert_file(struct db_tx *tx, const struct project *p, struct file *f)
{
	struct ctx *cx = tx_ctx(tx);
	err_t e = record_insert(tx, p, &file_record, f);

	if (e == ERR_DB && strcmp(db_sqlstate(cx), "23503") == 0)	/* the bucket's row went away */
		return fail(cx, ERR_STORAGE_BUCKET_NOT_FOUND, "id=%s", f->bucket_id);
	return e;
}

static struct part_in
upload_part_of(const struct upload *u)
{
	return (struct part_in){.start = u->start, .total = u->total, .blob = &u->blob};
}

/* ---- viruses ---- */

static err_t
upload_next_piece(struct ctx *cx, void *arg, struct str *piece_out)
{
	(void)cx;
	return blob_read(arg, piece_out);
}

/* The content as it was sent, before it was compressed or sealed. */
static err_t
scan_parts(struct ctx *cx, const struct project *p, const struct bucket *b, const struct blob_part *parts, int n, int64_t size)
{
	struct blob_place at = bucket_place(p, b->internal);
	struct blob_reader *r;
	bool wanted = false;

	if (b->antivirus)
		TRY(scan_wanted(cx, &wanted));
	if (!wanted || size == 0)
		return OK;
	TRY(blob_open(cx, &at, parts, n, 0, (uint64_t)size, &r));
	return scan_content(cx, upload_next_piece, r);
}

/* ---- the whole file in one request ---- */

static err_t
store_whole(struct db_tx *tx, const struct project *p, const struct file_caller *who, const struct upload *u, struct file *f)
{
	struct part_in in = upload_part_of(u);

	TRY(insert_file(tx, p, f));
	part_insert(tx, p, &file_part_table, f->internal, &in);
	file_emit(tx, p, u->b, &ev_file_create, who->actor, f);
	return OK;
}

static err_t
upload_whole(struct ctx *cx, const struct project *p, const struct file_caller *who, const struct upload *u, struct file *out, bool *kept_out)
{
	err_t e;

	*out = file_new(cx, who, u);
	TRY(scan_parts(cx, p, u->b, &(struct blob_part){u->blob, FILE_BIND}, 1, u->total));
	out->mime = u->mime;
	out->signature = u->blob.md5;
	out->actual = u->blob.stored;
	out->chunk = out->received = out->unbroken = u->total;
	out->chunks_uploaded = 1;
	out->complete = true;
	e = TX_RUN(cx, tx, store_whole(tx, p, who, u, out));
	*kept_out = db_maybe_done(e);
	return e;
}

/* ---- one part ---- */

struct part {			/* what became of it */
	struct file f;		/* the row as it is now */
	bool repeated;		/* the file was complete already, and has this part */
};

/* Whether the caller may add to the file that has this id. */
static err_t
check_owner(struct ctx *cx, const struct file_caller *who, const struct upload *u, const struct file *f)
{
	if (may_go_on(cx, who, f))
		return OK;
	if (file_readable(who, u->b, f))
		return fail(cx, ERR_USER_UNAUTHORIZED, "upload of somebody else: %s", f->id);
	return fail(cx, ERR_DOCUMENT_ALREADY_EXISTS, "id=%s", f->id);
}

static err_t
store_part(struct db_tx *tx, const struct project *p, const struct file_caller *who, const struct upload *u, struct part *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct part_in in = upload_part_of(u);
	err_t e = record_lock(tx, p, &file_record, file_rows(cx, u->b, u->id), &out->f);
	bool fresh = e == ERR_STORAGE_FILE_NOT_FOUND;

	if (fresh) {
		out->f = file_new(cx, who, u);
		TRY(insert_file(tx, p, &out->f));
	} else {
		TRY(e);
		TRY(check_owner(cx, who, u, &out->f));
	}
	return part_take(tx, p, &file_part_table, &in, fresh, &out->f.parted, &out->repeated);
}

/* ---- the end of an upload in parts ---- */

struct digest {
	EVP_MD_CTX *md;
	struct str piece;
};

static void
digest_free(void *arg)
{
	EVP_MD_CTX_free(arg);
}

static void
digest_add(void *arg)
{
	struct digest *d = arg;

	EVP_DigestUpdate(d->md, d->piece.p, d->piece.n);
}

static void
digest_open(struct ctx *cx, struct digest *d)
{
	*d = (struct digest){.md = EVP_MD_CTX_new()};
	defer(cx, digest_free, d->md);
	EVP_DigestInit_ex(d->md, EVP_md5(), NULL);
}

static const char *
digest_hex(struct ctx *cx, struct digest *d)
{
	unsigned char sum[MD5_BYTES];

	EVP_DigestFinal_ex(d->md, sum, NULL);
	return hex_encode(cx->arena, sum, sizeof sum);
}

/* Of the content: what is stored, where it is neither compressed nor sealed. */
static err_t
digest_content(struct ctx *cx, const struct blob_place *at, const struct blob_part *parts, int n, int64_t size, const char **out)
{
	struct blob_reader *r;
	struct digest d;

	digest_open(cx, &d);
	TRY(blob_open(cx, at, parts, n, 0, (uint64_t)size, &r));
	for (;;) {
		TRY(blob_read(r, &d.piece));
		if (d.piece.n == 0)
			break;
		TRY(offload(cx, LANE_compress, digest_add, &d));
	}
	*out = digest_hex(cx, &d);
	return OK;
}

/* Of the parts' own sums, as S3 has it for what came in parts. */
static const char *
digest_of_digests(struct ctx *cx, const struct blob_part *parts, int n)
{
	struct digest d;

	digest_open(cx, &d);
	for (int i = 0; i < n; i++) {
		d.piece = str_c(parts[i].blob.md5);
		digest_add(&d);
	}
	return digest_hex(cx, &d);
}

static bool
stored_as_it_is(const struct blob_part *parts, int n)
{
	for (int i = 0; i < n; i++)
		if (parts[i].blob.coding != BLOB_NONE || parts[i].blob.sealed != 0)
			return false;
	return true;
}

static bool
parts_have_md5(const struct blob_part *parts, int n)
{
	for (int i = 0; i < n; i++)
		if (!blob_has_md5(&parts[i].blob))
			return false;
	return true;
}

static err_t
read_head(struct ctx *cx, const struct blob_place *at, const struct blob_part *parts, int n, int64_t size, struct str *out)
{
	struct blob_reader *r;
	struct str piece;
	struct buf b;

	buf_init(&b, cx->arena, MEDIA_HEAD_MAX);
	TRY(blob_open(cx, at, parts, n, 0, (uint64_t)(size < MEDIA_HEAD_MAX ? size : MEDIA_HEAD_MAX), &r));
	for (;;) {
		TRY(blob_read(r, &piece));
		if (piece.n == 0)
			break;
		buf_str(&b, piece);
	}
	*out = buf_view(&b);
	return OK;
}

/* What only the whole file tells. */
static err_t
examine(struct ctx *cx, const struct project *p, const struct upload *u, struct file *f)
{
	struct blob_place at = bucket_place(p, u->b->internal);
	const struct blob_part *parts;
	struct str head;
	int n;

	TRY(file_parts(cx, p, f, &parts, &n));
	TRY(scan_parts(cx, p, u->b, parts, n, f->size));
	TRY(read_head(cx, &at, parts, n, f->size, &head));
	TRY(media_type(cx, head, &f->mime));
	f->actual = 0;
	for (int i = 0; i < n; i++)
		f->actual += parts[i].blob.stored;
	if (stored_as_it_is(parts, n) && (f->size <= conf.storage_md5_max || !parts_have_md5(parts, n)))
		return digest_content(cx, &at, parts, n, f->size, &f->signature);
	f->signature = digest_of_digests(cx, parts, n);
	return OK;
}

/* *done_out false: parts came meanwhile. */
static err_t
mark_complete(struct db_tx *tx, const struct project *p, const struct file_caller *who, const struct upload *u, struct file *f, bool *done_out)
{
	struct ctx *cx = tx_ctx(tx);
	struct file now;

	*done_out = true;
	TRY(record_lock(tx, p, &file_record, rows_internal(cx, f->internal), &now));
	if (now.complete || now.changes != f->changes) {
		*done_out = now.complete;
		*f = now;
		return OK;
	}
	now.mime = f->mime;
	now.signature = f->signature;
	now.actual = f->actual;
	now.complete = true;
	now.chunks_uploaded = now.chunks_total;
	set_perms(cx, who, u, &now);
	TRY(record_set(tx, p, &file_record, rows_internal(cx, f->internal),
	    "mime_type signature size_actual complete chunks_uploaded permissions read", &now, f));
	file_emit(tx, p, u->b, &ev_file_create, who->actor, f);
	return OK;
}

/* Reading the file may take longer than requests do otherwise. */
static void
be_patient(struct ctx *cx, int64_t size)
{
	uint64_t until = loop_now() + (uint64_t)conf.request_timeout + (uint64_t)size / 10000;	/* ms, at 10 MB/s */

	if (cx->deadline != 0 && cx->deadline < until)
		cx->deadline = until;
}

/* It never was: its id is free. */
static err_t
discard(struct db_tx *tx, const struct project *p, const struct file *f)
{
	struct ctx *cx = tx_ctx(tx);
	struct file now;

	TRY(record_lock_key(tx, p, &file_record, rows_internal(cx, f->internal), &now));
	if (now.complete || now.changes != f->changes)
		return OK;
	file_waste_parts(tx, p, now.owner, now.internal);
	return record_delete(tx, p, &file_record, rows_internal(cx, f->internal), &now);
}

static err_t
upload_refused(struct ctx *cx, const struct project *p, const struct file *f, err_t why)
{
	err_t e = TX_RUN(cx, tx, discard(tx, p, f));

	return e == OK || e == ERR_STORAGE_FILE_NOT_FOUND ? why : e;
}

/* Bytes went while they were read: with a part that has come again since, or with the whole upload. *f: as it is now; else they are lost. */
static err_t
look_again(struct ctx *cx, const struct project *p, struct file *f, bool *done_out)
{
	int64_t seen = f->changes;

	TRY(record_get(cx, p, &file_record, rows_internal(cx, f->internal), f));
	*done_out = f->complete;
	return f->complete || f->changes != seen ? OK : fail(cx, ERR_BLOB_GONE, "file=%s", f->id);
}

static err_t
upload_finish(struct ctx *cx, const struct project *p, const struct file_caller *who, const struct upload *u, struct file *f)
{
	bool done = false;

	be_patient(cx, f->size);
	for (int i = 0; i < ROUNDS_MAX && !done && f->received == f->size; i++) {
		err_t e = examine(cx, p, u, f);

		if (e == ERR_SCAN_FOUND)
			return upload_refused(cx, p, f, e);
		if (e == ERR_BLOB_GONE)
			e = look_again(cx, p, f, &done);
		else if (e == OK)
			e = TX_RUN(cx, tx, mark_complete(tx, p, who, u, f, &done));
		TRY(e);
	}
	return OK;	/* not complete: whoever brought the newest part completes it */
}

/* ---- what a project may have ---- */

static const char *
file_sum(struct arena *a, const char *schema)
{
	return arena_printf(a, "SELECT count(*), coalesce(sum(received), 0)::bigint FROM %s.files", schema);
}
static const struct bound files_bound = {"files", file_sum};

err_t
upload_store(struct ctx *cx, const struct project *p, const struct file_caller *who, const struct upload *u, struct file *out, bool *kept_out)
{
	struct part part;
	err_t e;

	*kept_out = false;
	TRY(bound_room(cx, p, &files_bound, conf.storage_files_max, u->start == 0, conf.storage_project_size, u->blob.size));
	if (u->start == 0 && u->blob.size == u->total) {
		e = upload_whole(cx, p, who, u, out, kept_out);
		if (*kept_out)
			bound_added(p, &files_bound, 1, u->total);
		if (e != ERR_DOCUMENT_ALREADY_EXISTS || !u->ranged)
			return e;
	}	/* the answer to it was lost, maybe: the last part comes again */
	e = TX_RUN(cx, tx, store_part(tx, p, who, u, &part));
	if (e == ERR_DOCUMENT_ALREADY_EXISTS)	/* another first part was quicker, or it is somebody else's: the row says which */
		e = TX_RUN(cx, tx, store_part(tx, p, who, u, &part));
	*kept_out = db_maybe_done(e) && !(e == OK && part.repeated);
	if (*kept_out)
		bound_added(p, &files_bound, u->start == 0, u->blob.size);
	TRY(e);
	*out = part.f;
	return part.repeated || out->received < out->size ? OK : upload_finish(cx, p, who, u, out);
}
