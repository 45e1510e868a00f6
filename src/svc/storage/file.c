/* Files. Their rows say who may do what (spec storage-avatars-locale-health.md 2): reading is the bucket's, and with file security the file's to grant;
 * changing and deleting are granted by either. */
#include "svc/storage/file.h"

#include "core/protocol.h"
#include "core/vtime.h"
#include "model/picture.h"
#include "model/record.h"

static const struct field file_fields[] = {
	FIELD_HIDDEN(F_INT, struct file, internal, "f.internal"),
	FIELD_HIDDEN(F_INT, struct file, owner, "f.bucket"),
	FIELD(F_ID, struct file, id, "$id", "f.id", "File ID.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_ID, struct file, bucket_id, "bucketId", "b.id", "ID of its bucket."),
	FIELD(F_TIME, struct file, created, "$createdAt", "f.created", "Creation date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_TIME, struct file, updated, "$updatedAt", "f.updated", "Date of the last change in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_STRS, struct file, permissions, "$permissions", "f.permissions", "Permissions of the file."),
	FIELD(F_STR, struct file, name, "name", "f.name", "File name.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_STR, struct file, signature, "signature", "f.signature", "MD5 of the stored bytes.", .flags = COL_ASKED),
	FIELD(F_STR, struct file, mime, "mimeType", "f.mime_type", "MIME type.", .flags = COL_ASKED),
	FIELD(F_INT, struct file, size, "sizeOriginal", "f.size_original", "Size in bytes.", .flags = COL_ASKED),
	FIELD(F_INT, struct file, chunks_total, "chunksTotal", "f.chunks_total", "Number of chunks.", .flags = COL_ASKED),
	FIELD(F_INT, struct file, chunks_uploaded, "chunksUploaded", "f.chunks_uploaded", "Chunks that have arrived, from the first without a gap.", .flags = COL_ASKED),
	FIELD(F_INT, struct file, actual, "sizeActual", "f.size_actual", "Bytes on the device; 0 until it is complete.", .since = SINCE_1_9_5),
	FIELD(F_BOOL, struct file, encryption, "encryption", "b.encryption", "Whether its bucket encrypts.", .since = SINCE_1_8),
	FIELD_ENUM(blob_codings, struct file, compression, "compression", "b.compression", "How its bucket compresses.", .since = SINCE_1_8),
	FIELD_ALWAYS("folder", "\"\"", PROTOCOL(2, 0, 0), "Always empty: buckets have no folders."),
	{.key = "key", .type = F_STR, .off = offsetof(struct file, name), .doc = "Its name. Told since 2.0.0.", .since = PROTOCOL(2, 0, 0)},
	FIELD_HIDDEN(F_STRS, struct file, read, "f.read"),
	FIELD_HIDDEN(F_BOOL, struct file, complete, "f.complete"),
	FIELD_HIDDEN(F_STR, struct file, uploader, "f.uploader"),
	FIELD_HIDDEN(F_INT, struct file, chunk, "f.chunk"),
	FIELD_HIDDEN(F_INT, struct file, received, "f.received"),
	FIELD_HIDDEN(F_INT, struct file, unbroken, "f.unbroken"),
	FIELD_HIDDEN(F_INT, struct file, changes, "f.changes"),
};
const struct shape file_shape = SHAPE("file", struct file, file_fields);

const struct record file_record = {
	.shape = &file_shape,
	.table = ":schema.files",
	.alias = "f",
	.with = ":schema.buckets b",
	.on = "b.internal = f.bucket",
	.entity = "File",
	.missing = ERR_STORAGE_FILE_NOT_FOUND,
	.taken = ERR_DOCUMENT_ALREADY_EXISTS,
};

static void
file_part_wasted(struct db_tx *tx, const struct project *p, int64_t bucket, const char *blob)
{
	waste_add(tx, p, &file_waste, bucket, blob);
	file_waste_job(tx, p);
}

const struct part_table file_part_table = {
	.record = &file_record,
	.table = "file_parts",
	.of = "file",
	.wasted = file_part_wasted,
	.room = quota_room,
};

struct rows
file_rows(struct ctx *cx, const struct bucket *b, const char *id)
{
	return (struct rows){"@.bucket = $1::bigint AND lower(@.id) = lower($2)", 2, {pg_i64(cx->arena, b->internal), id}};
}

/* ---- who may ---- */

static bool
file_holds(const struct file_caller *who, const struct strs *roles)
{
	return who->bypass || roles_meet(who->roles, roles);
}

const char *
file_pictures(struct arena *a, const struct project *p, const struct file *f)
{
	return arena_printf(a, "%s/%lld", p->schema, (long long)f->internal);
}

bool
file_grants(struct ctx *cx, const struct file_caller *who, const struct file *f, struct str verb)
{
	struct strs roles = perms_roles(cx->arena, &f->permissions, verb);

	return file_holds(who, &roles);
}

bool
file_readable(const struct file_caller *who, const struct bucket *b, const struct file *f)
{
	return file_holds(who, &b->perms.read) || (b->file_security && file_holds(who, &f->read));
}

bool
file_public(const struct bucket *b, const struct file *f)
{
	static const char *const any[] = {"any"};
	const struct strs everybody = {.n = 1, .set = true, .v = (const char **)(uintptr_t)any};

	return roles_meet(&b->perms.read, &everybody) || (b->file_security && roles_meet(&f->read, &everybody));
}

err_t
file_check_grants(struct ctx *cx, const struct file_caller *who, const struct strs *perms)
{
	struct buf b;

	if (who->bypass || !perms->set || perms_foreign(cx->arena, perms, who->roles) == NULL)
		return OK;
	buf_init(&b, cx->arena, 256);
	for (int i = 0; i < who->roles->n; i++)
		buf_printf(&b, "%s%s", i > 0 ? ", " : "", who->roles->v[i]);
	return fail_msg(cx, ERR_USER_UNAUTHORIZED, "Permissions must be one of: (%s)", buf_view(&b).p);
}

err_t
file_bucket(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const struct bucket **out)
{
	TRY(bucket_get(cx, p, bucket, out));
	if (!(*out)->enabled && !who->see_disabled)
		return fail(cx, ERR_STORAGE_BUCKET_NOT_FOUND, "switched off: %s", bucket);
	return OK;
}

/* ---- reading ---- */

err_t
file_get(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const char *id, struct file *out)
{
	const struct bucket *b;

	TRY(file_bucket(cx, p, who, bucket, &b));
	if (!b->file_security && !file_holds(who, &b->perms.read))
		return fail(cx, ERR_USER_UNAUTHORIZED, "bucket=%s", b->id);
	TRY(file_find(cx, p, b, id, out));
	return file_readable(who, b, out) ? OK : fail(cx, ERR_STORAGE_FILE_NOT_FOUND, "not readable: %s", id);
}

err_t
file_list(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const struct strs *queries, const char *search,
    struct query_page *out, struct objs *list_out)
{
	const struct bucket *b;
	struct rows w;

	*list_out = (struct objs){0};
	TRY(file_bucket(cx, p, who, bucket, &b));
	w = (struct rows){"@.bucket = $1::bigint", 1, {pg_i64(cx->arena, b->internal)}};
	if (!file_holds(who, &b->perms.read)) {
		if (!b->file_security)
			return fail(cx, ERR_USER_UNAUTHORIZED, "bucket=%s", b->id);
		w.where = "@.bucket = $1::bigint AND @.read && $2::text[]";
		w.v[w.n++] = pg_array(cx->arena, who->roles->v, who->roles->n);
	}
	TRY(record_list(cx, p, &file_record, w, queries, search, out));
	if (out->res != NULL)
		*list_out = shape_rows(cx, &file_shape, out->res);
	return OK;
}

err_t
file_parts(struct ctx *cx, const struct project *p, const struct file *f, const struct blob_part **out, int *n_out)
{
	*out = f->parts;
	*n_out = f->n_parts;
	return f->parts != NULL ? OK : parts_load(cx, p, &file_part_table, f->internal, FILE_BIND, out, n_out);
}

/* ---- changes ---- */

/* Who learns of a file: the readers of its bucket, and with file security its own. */
void
file_emit(struct db_tx *tx, const struct project *p, const struct bucket *b, const struct event_info *kind, const char *actor, const struct file *f)
{
	struct ctx *cx = tx_ctx(tx);
	struct event ev = {.kind = kind, .project = p->id, .ids = {b->id, f->id}, .payload = shape_json(cx, &file_shape, f), .actor = actor};

	ev.stale[0] = file_stale_key(cx, p, b->internal, f->id);
	ev.roles = b->file_security ? roles_union(cx->arena, &b->perms.read, &f->read) : b->perms.read;
	event_emit(tx, &ev);
}

/* Whoever may change a file's permissions adds only what it may do itself. */
static err_t
file_check_added(struct ctx *cx, const struct file_caller *who, const struct bucket *b, const struct file *f, const struct strs *perms)
{
	bool del = file_holds(who, &b->perms.del) || file_grants(cx, who, f, STR("delete"));
	const char *verb = perms->set && !who->bypass ? perms_beyond(perms, &f->permissions, file_readable(who, b, f), true, del) : NULL;

	return verb ? fail_msg(cx, ERR_USER_UNAUTHORIZED, "The caller does not hold what it grants: %s.", verb) : OK;
}

/* To update is not to read: whoever may not read the file is told of it what it has written itself. */
static void
file_own_part(const struct strs *perms, struct file *f)
{
	f->name = f->signature = f->mime = "";
	f->size = f->chunks_total = f->chunks_uploaded = 0;
	f->permissions = perms->set ? *perms : (struct strs){.set = true};
}

static err_t
file_update_tx(struct db_tx *tx, const struct project *p, const struct file_caller *who, const struct bucket *b, const char *id, const struct strs *perms,
    struct file *out)
{
	struct ctx *cx = tx_ctx(tx);
	struct file values;
	bool readable;

	TRY(record_lock(tx, p, &file_record, file_rows(cx, b, id), out));
	TRY(file_check_grants(cx, who, perms));
	if (!file_holds(who, &b->perms.update) && !file_grants(cx, who, out, STR("update")))
		return fail(cx, ERR_USER_UNAUTHORIZED, "file=%s", id);
	TRY(file_check_added(cx, who, b, out, perms));
	readable = file_readable(who, b, out);
	values = *out;
	if (perms->set)
		values.permissions = *perms;
	values.read = perms_roles(cx->arena, &values.permissions, STR("read"));
	TRY(record_set(tx, p, &file_record, rows_internal(cx, out->internal), "permissions read", &values, out));
	file_emit(tx, p, b, &ev_file_update, who->actor, out);
	if (!readable)
		file_own_part(perms, out);
	return OK;
}

err_t
file_update(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const char *id, const struct strs *perms,
    struct file *out)
{
	const struct bucket *b;

	TRY(file_bucket(cx, p, who, bucket, &b));
	return TX_RUN(cx, tx, file_update_tx(tx, p, who, b, id, perms, out));
}

void
file_waste_parts(struct db_tx *tx, const struct project *p, int64_t bucket, int64_t file)
{
	struct ctx *cx = tx_ctx(tx);

	tx_add(tx,
	    arena_printf(cx->arena, "INSERT INTO %s.file_waste (bucket, blob) SELECT $1::bigint, blob FROM %s.file_parts WHERE file = $2::bigint", p->schema,
	    p->schema),
	    DB(pg_i64(cx->arena, bucket), pg_i64(cx->arena, file)));
	file_waste_job(tx, p);
}

static err_t
file_delete_tx(struct db_tx *tx, const struct project *p, const struct file_caller *who, const struct bucket *b, const char *id, struct file *f)
{
	struct ctx *cx = tx_ctx(tx);

	TRY(record_lock_key(tx, p, &file_record, file_rows(cx, b, id), f));
	if (!file_holds(who, &b->perms.del) && !file_grants(cx, who, f, STR("delete")))
		return fail(cx, ERR_USER_UNAUTHORIZED, "file=%s", id);
	file_waste_parts(tx, p, b->internal, f->internal);
	TRY(record_delete(tx, p, &file_record, rows_internal(cx, f->internal), f));
	file_emit(tx, p, b, &ev_file_delete, who->actor, f);
	return OK;
}

err_t
file_delete(struct ctx *cx, const struct project *p, const struct file_caller *who, const char *bucket, const char *id)
{
	const struct bucket *b;
	struct file f;

	TRY(file_bucket(cx, p, who, bucket, &b));
	TRY(TX_RUN(cx, tx, file_delete_tx(tx, p, who, b, id, &f)));
	picture_forget(cx, file_pictures(cx->arena, p, &f));	/* no key leads to them any more, but they lie there */
	return OK;
}
