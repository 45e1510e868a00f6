/* Buckets. What must stay true: whatever takes a blob from its row leaves it in file_waste with the same commit, so that its bytes go some time. */
#include "svc/storage/bucket.h"

#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/protocol.h"
#include "core/gen.h"
#include "core/map.h"
#include "core/metric.h"
#include "model/job.h"
#include "model/record.h"

static const struct field bucket_fields[] = {
	FIELD_HIDDEN(F_INT, struct bucket, internal, "b.internal"),
	FIELD(F_ID, struct bucket, id, "$id", "b.id", "Bucket ID.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_TIME, struct bucket, created, "$createdAt", "b.created", "Creation date in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_TIME, struct bucket, updated, "$updatedAt", "b.updated", "Date of the last change in ISO 8601 format.", .flags = COL_ASKED),
	FIELD(F_STRS, struct bucket, permissions, "$permissions", "b.permissions", "Permissions of the bucket."),
	FIELD(F_BOOL, struct bucket, file_security, "fileSecurity", "b.file_security", "Whether files have permissions of their own.", .flags = COL_ASKED),
	FIELD(F_STR, struct bucket, name, "name", "b.name", "Bucket name.", .flags = COL_ASKED | COL_SEARCH),
	FIELD(F_BOOL, struct bucket, enabled, "enabled", "b.enabled", "Whether its files can be reached.", .flags = COL_ASKED),
	FIELD(F_INT, struct bucket, maximum_file_size, "maximumFileSize", "b.maximum_file_size", "Largest file in bytes.", .flags = COL_ASKED),
	FIELD(F_STRS, struct bucket, extensions, "allowedFileExtensions", "b.allowed_file_extensions", "File name extensions that are taken; none: all."),
	FIELD_ENUM(blob_codings, struct bucket, compression, "compression", "b.compression", "How new files are compressed."),
	FIELD(F_BOOL, struct bucket, encryption, "encryption", "b.encryption", "Whether new files are encrypted.", .flags = COL_ASKED),
	FIELD(F_BOOL, struct bucket, antivirus, "antivirus", "b.antivirus", "Whether new files are scanned for viruses.", .flags = COL_ASKED),
	FIELD_ALWAYS("transformations", "true", SINCE_1_8, "Always true: previews are made of its pictures."),
	{.key = "totalSize", .type = F_INT, .off = offsetof(struct bucket, total_size), .doc = "Bytes of its files, as they were last counted for its usage. Told since 1.8.0.", .since = SINCE_1_8},
};
const struct shape bucket_shape = SHAPE("bucket", struct bucket, bucket_fields);

static const char settable[] = "name permissions file_security enabled maximum_file_size allowed_file_extensions compression encryption antivirus";

static const char *
bucket_key(struct ctx *cx, const char *project, const char *id)
{
	return arena_printf(cx->arena, "bucket:%s:%s", project, str_lower(cx->arena, str_c(id)).p);
}

static void
bucket_concerns(struct ctx *cx, const struct project *p, const void *obj, struct event *ev)
{
	const struct bucket *b = obj;

	ev->ids[0] = b->id;
	ev->stale[0] = bucket_key(cx, p->id, b->id);
}

static const struct record buckets = {
	.shape = &bucket_shape,
	.table = ":schema.buckets",
	.alias = "b",
	.entity = "Bucket",
	.missing = ERR_STORAGE_BUCKET_NOT_FOUND,
	.taken = ERR_STORAGE_BUCKET_ALREADY_EXISTS,
	.concerns = bucket_concerns,
};

struct blob_place
bucket_place(const struct project *p, int64_t internal)
{
	return (struct blob_place){p, "files", internal};
}

const struct waste file_waste = {
	.kind = "files",
	.table = "file_waste",
	.of = "bucket",
	.owners = "buckets",
	.known = "EXISTS (SELECT 1 FROM :schema.file_parts p WHERE p.blob = name)",
};

void
file_waste_job(struct db_tx *tx, const struct project *p)
{
	struct buf b;
	struct jw w;

	buf_init(&b, tx_ctx(tx)->arena, 64);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "project");
	jw_cstr(&w, p->id);
	jw_obj_end(&w);
	tx_job(tx, "files", buf_view(&b));
}

/* ---- the cache ---- */

enum { CACHED_MAGIC = 0x62636b74 };
struct cached {
	unsigned magic;
	unsigned refs;		/* the cache's and those of requests */
	uint32_t gen;
	int64_t project;	/* its number: another may have the id by now */
	struct arena *arena;	/* holds it, too */
	struct bucket b;
};

static struct lru *cache;

static void
cached_unref(void *arg)
{
	struct cached *c = arg;
	struct arena *a = c->arena;

	assert(c->magic == CACHED_MAGIC && c->refs > 0);
	if (--c->refs == 0)
		arena_free(&a);
}

static struct cached *
cached_new(const struct project *p, const struct bucket *b, uint32_t gen)
{
	struct arena *a = arena_new();
	struct cached *c = arena_new_of(a, struct cached);

	*c = (struct cached){.magic = CACHED_MAGIC, .refs = 1, .gen = gen, .project = p->internal, .arena = a};
	shape_copy(a, &bucket_shape, b, &c->b);
	perms_split(a, &c->b.permissions, &c->b.perms);
	return c;
}

err_t
bucket_get(struct ctx *cx, const struct project *p, const char *id, const struct bucket **out)
{
	struct str key = str_c(bucket_key(cx, p->id, id));
	uint32_t gen = gen_of(key);
	struct bucket row;
	struct cached *c;

	if (cache == NULL)
		cache = lru_new((size_t)conf.cache_entries, cached_unref);
	c = lru_get(cache, key);
	if (c != NULL && c->gen == gen && c->project == p->internal) {
		metric_add(M_cache_hits, 1);
	} else {
		metric_add(M_cache_misses, 1);
		TRY(record_get(cx, p, &buckets, rows_id(id), &row));
		c = cached_new(p, &row, gen);
		lru_put(cache, key, c);
	}
	c->refs++;
	defer(cx, cached_unref, c);
	*out = &c->b;
	return OK;
}

/* ---- changes ---- */

err_t
bucket_create(struct ctx *cx, const struct project *p, const char *actor, struct bucket *b)
{
	struct event ev;

	record_init(cx, &buckets, b);
	ev = record_event(cx, p, &buckets, &ev_bucket_create, actor, b);
	return record_add(cx, p, &buckets, b, &ev);
}

err_t
bucket_list(struct ctx *cx, const struct project *p, const struct strs *queries, const char *search, struct query_page *out)
{
	return record_list(cx, p, &buckets, (struct rows){0}, queries, search, out);
}

static err_t
bucket_update_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *id, const struct bucket *values, struct bucket *out)
{
	TRY(record_set(tx, p, &buckets, rows_id(id), settable, values, out));
	record_emit(tx, p, &buckets, &ev_bucket_update, actor, out);
	return OK;
}

err_t
bucket_update(struct ctx *cx, const struct project *p, const char *actor, const char *id, const struct bucket *values, struct bucket *out)
{
	return TX_RUN(cx, tx, bucket_update_tx(tx, p, actor, id, values, out));
}

static err_t
bucket_delete_tx(struct db_tx *tx, const struct project *p, const char *actor, const char *id)
{
	struct bucket b;

	TRY(record_delete(tx, p, &buckets, rows_id(id), &b));
	waste_add(tx, p, &file_waste, b.internal, "");
	file_waste_job(tx, p);
	record_emit(tx, p, &buckets, &ev_bucket_delete, actor, &b);
	return OK;
}

err_t
bucket_delete(struct ctx *cx, const struct project *p, const char *actor, const char *id)
{
	return TX_RUN(cx, tx, bucket_delete_tx(tx, p, actor, id));
}
