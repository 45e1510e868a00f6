/* The storage service: what projects and keys can be told of it. */
#include "model/service.h"

static const struct scope scopes[] = {
	{"files.read", "gua", 15},
	{"files.write", "gua", 16},
	{"buckets.read", "a", 17},
	{"buckets.write", "a", 18},
	{0},
};

#define ROOM_EVENTS "svc/storage/events.h"
#include "model/room_events.h"

static const char *const acted_on[] = {"files", NULL};

static const struct usage_kind usage[] = {
	{"buckets", {NULL, NULL}, false},
	{"files", {"bucketId", NULL}, false},
	{0},
};

static const struct older older[] = {
	{FORMAT_15, "usageStorage", "storage", "filesStorage"},
	{0},
};

const struct service storage_service = {
	.name = "storage",
	.scopes = scopes,
	.events = events,
	.acted_on = acted_on,
	.usage = usage,
	.older = older,
};
