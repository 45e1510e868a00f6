/* How databases, a database and a collection are used: the series of 1.0, and those of servers since 1.5 with the totals that head them. */
#include "databases_priv.h"
#include "model/usage.h"

#define N(v) (int)(sizeof(v) / sizeof *(v))

/* ---- 1.0: how many there are of each kind, and how often they were asked for ---- */

static const struct {
	const char *name, *kind, *what;
} series[] = {
    {"databasesCount", "databases", "count.total"},
    {"documentsCount", "documents", "count.total"},
    {"collectionsCount", "collections", "count.total"},
    {"databasesCreate", "databases", "requests.create"},
    {"databasesRead", "databases", "requests.read"},
    {"databasesUpdate", "databases", "requests.update"},
    {"databasesDelete", "databases", "requests.delete"},
    {"documentsCreate", "documents", "requests.create"},
    {"documentsRead", "documents", "requests.read"},
    {"documentsUpdate", "documents", "requests.update"},
    {"documentsDelete", "documents", "requests.delete"},
    {"collectionsCreate", "collections", "requests.create"},
    {"collectionsRead", "collections", "requests.read"},
    {"collectionsUpdate", "collections", "requests.update"},
    {"collectionsDelete", "collections", "requests.delete"},
};

/* A database has no databases in it, a collection documents only. */
static bool
has_kind(enum usage_level level, const char *kind)
{
	return level == USAGE_OF_ALL || (level == USAGE_OF_DATABASE && strcmp(kind, "databases") != 0) || strcmp(kind, "documents") == 0;
}

/* ---- since 1.5 ---- */

enum { ALL = 1 << USAGE_OF_ALL, ONE = 1 << USAGE_OF_DATABASE, INNER = 1 << USAGE_OF_COLLECTION };

/* Both vocabularies stand in the models of databases; that of a collection is said in the caller's. */
#define BOTH(suffix, what, add)                                     \
	{"databases" suffix, ALL, SINCE_1_5, "databases", what, {NULL}, add}, \
	{"collections" suffix, ALL | ONE, SINCE_1_5, "collections", what, {NULL}, add}, \
	{"tables" suffix, ALL | ONE, SINCE_1_8, "collections", what, {NULL}, add}, \
	{"documents" suffix, ALL | ONE | INNER, SINCE_1_5, "documents", what, {NULL}, add}, \
	{"rows" suffix, ALL | ONE, SINCE_1_8, "documents", what, {NULL}, add}, \
	{"storage" suffix, ALL | ONE, SINCE_1_6, "documents", "storage.total", {NULL}, add}
#define WRITES {"requests.update", "requests.delete"}
#define TURNS(suffix, add) \
	{"databasesReads" suffix, ALL, SINCE_1_6, "documents", "requests.read", {NULL}, add}, \
	{"databaseReads" suffix, ONE, SINCE_1_6, "documents", "requests.read", {NULL}, add}, \
	{"databasesWrites" suffix, ALL, SINCE_1_6, "documents", "requests.create", WRITES, add}, \
	{"databaseWrites" suffix, ONE, SINCE_1_6, "documents", "requests.create", WRITES, add}

static const struct {
	const char *name;
	unsigned levels;
	int64_t since;
	const char *kind, *what, *more[USAGE_MORE];
	enum usage_add add;
} today[] = {BOTH("Total", "count.total", USAGE_NEWEST), TURNS("Total", USAGE_EVER), BOTH("", "count.total", USAGE_POINTS), TURNS("", USAGE_POINTS)};

enum { SERIES_MAX = N(today) };

static struct usage_series
series_of(struct arena *a, int i, const char *scope)
{
	struct usage_series s = {.name = today[i].name, .metric = arena_printf(a, "%s.%s.%s", today[i].kind, scope, today[i].what), .add = today[i].add};

	for (int k = 0; k < USAGE_MORE && today[i].more[k] != NULL; k++)
		s.more[k] = arena_printf(a, "%s.%s.%s", today[i].kind, scope, today[i].more[k]);
	return s;
}

err_t
database_usage_reply(struct req *rq, enum usage_level level, const char *scope, const char *range)
{
	struct usage_series v[SERIES_MAX];
	struct arena *a = rq->cx.arena;
	int n = 0;

	if (rq->cx.format < SINCE_1_5) {
		for (int i = 0; i < N(series); i++)
			if (has_kind(level, series[i].kind))
				v[n++] = (struct usage_series){.name = series[i].name, .metric = arena_printf(a, "%s.%s.%s", series[i].kind, scope, series[i].what)};
		return reply_usage(rq, rq->project, range, v, n);
	}
	for (int i = 0; i < N(today); i++)
		if ((today[i].levels & (1u << level)) && rq->cx.format >= today[i].since)
			v[n++] = series_of(a, i, scope);
	if (level != USAGE_OF_COLLECTION)
		rq->cx.words = NULL;
	return reply_usage(rq, rq->project, range, v, n);
}
