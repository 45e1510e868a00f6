/* The storage service: buckets, files, previews. */
#include "gate/gate.h"
#include "model/job.h"
#include "model/service.h"
#include "svc/storage/file.h"

extern const struct routes bucket_routes;
extern const struct routes file_routes;
extern const struct routes content_routes;
extern const struct routes preview_routes;
extern const struct shape storage_usage_shape, bucket_usage_shape;

static const struct routes *const routes[] = {
	&bucket_routes,
	&file_routes,
	&content_routes,
	&preview_routes,
	NULL,
};

static const struct shape *const shapes[] = {&bucket_shape, &file_shape, &storage_usage_shape, &bucket_usage_shape, NULL};

/* The paths of one bucket, before there were several. */
static const struct path_alias aliases[] = {
	{NULL, "/v1/storage/files", "/v1/storage/buckets/:/files", "default", .below = true},
	{0},
};

static const struct scope scopes[] = {
	{"files.read", "gua", 15},
	{"files.write", "gua", 16},
	{"buckets.read", "a", 17},
	{"buckets.write", "a", 18},
	{0},
};

#define ROOM_EVENTS "svc/storage/events.h"
#include "model/room_events.h"

static const struct shown_now shown[] = {
	{"buckets.[bucketId].files.", files_shown},
	{0},
};

static const char *const acted_on[] = {"files", NULL};

static const struct usage_kind usage[] = {
	{"buckets", {NULL, NULL}, false},
	{"files", {"bucketId", NULL}, false},
	{0},
};

static const char *
storage_gauges(struct arena *a, const char *schema)
{
	return arena_printf(a,
	    "(WITH n AS (SELECT b.id, count(f.internal) AS files, coalesce(sum(f.size_original), 0)::bigint AS bytes FROM %s.buckets b "
	    "LEFT JOIN %s.files f ON f.bucket = b.internal GROUP BY b.id) "
	    "SELECT 'buckets.$all.count.total', count(*) FROM n UNION ALL SELECT 'files.$all.count.total', coalesce(sum(files), 0)::bigint FROM n "
	    "UNION ALL SELECT 'project.$all.storage.size', coalesce(sum(bytes), 0)::bigint FROM n "
	    "UNION ALL SELECT 'files.' || id || '.count.total', files FROM n UNION ALL SELECT 'files.' || id || '.storage.size', bytes FROM n)", schema, schema);
}

static const char *
storage_blobs(struct arena *a, const char *schema)
{
	return arena_printf(a, "SELECT f.bucket AS owner, p.blob AS name, p.stored, p.md5, 'file ' || f.id || ' in bucket ' || b.id AS what FROM %s.file_parts p "
	    "JOIN %s.files f ON f.internal = p.file JOIN %s.buckets b ON b.internal = f.bucket", schema, schema, schema);
}
static const struct blob_book books[] = {{"files", storage_blobs}, {0}};

static const struct job_kind jobs[] = {
	{"files", storage_remove_waste, 30, 2, JOB_MINUTES(60), 1, "Removes the bytes of deleted files and buckets."},
	{0},
};
static const struct job_task tasks[] = {
	{"storage-expire", 10 * 60 * 1000, storage_expire},
	{"storage-orphans", 24 * 3600 * 1000, storage_find_orphans},
	{0},
};

static const struct older older[] = {
	{FORMAT_15, "usageStorage", "storage", "filesStorage"},
	{FORMAT_15, "bucket", "compression", NULL},
	{0},
};

const struct service storage_service = {
	.name = "storage",
	.routes = routes,
	.aliases = aliases,
	.shapes = shapes,
	.scopes = scopes,
	.events = events,
	.shown = shown,
	.acted_on = acted_on,
	.usage = usage,
	.gauges = storage_gauges,
	.older = older,
	.blobs = books,
	.jobs = jobs,
	.tasks = tasks,
};
