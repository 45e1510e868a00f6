/* How a project is used: the series of 1.0, and those of servers since 1.5 between two dates, with the totals that head them. */
#include "core/protocol.h"
#include "core/vtime.h"
#include "model/usage.h"
#include "svc/projects/projects_priv.h"

#define N(v) (int)(sizeof(v) / sizeof *(v))

/* ---- the model ---- */

#define BEFORE(key_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape, .until = SINCE_1_5)
#define ALWAYS(key_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape)
#define TOTAL(key_, since_, doc_) TOLD(key_, F_INT, doc_, .since = since_)
#define SERIES(key_, since_, doc_) TOLD(key_, F_LIST, doc_, .sub = &metric_shape, .since = since_)
#define NONE "Always 0: there is none of it here."
#define NO_SERIES "Always empty: there is none of it here."
static const struct field project_usage_fields[] = {
	TOLD("range", F_ENUM, "How far back.", .values = usage_ranges, .until = SINCE_1_5),
	TOTAL("executionsTotal", SINCE_1_5, "Executions of functions, ever."),
	TOTAL("documentsTotal", SINCE_1_5, "Documents."),
	TOTAL("documentsdbDocumentsTotal", SINCE_CONSOLES, NONE),
	TOTAL("rowsTotal", SINCE_1_8, "The same as documentsTotal."),
	TOTAL("databasesTotal", SINCE_1_5, "Databases."),
	TOTAL("documentsdbTotal", SINCE_CONSOLES, NONE),
	TOTAL("databasesStorageTotal", SINCE_1_6, "Bytes of tables and indexes."),
	TOTAL("documentsdbDatabasesStorageTotal", SINCE_CONSOLES, NONE),
	TOTAL("usersTotal", SINCE_1_5, "Users."),
	TOTAL("filesStorageTotal", SINCE_1_5, "Bytes of files."),
	TOTAL("functionsStorageTotal", SINCE_1_6, "Bytes of deployments."),
	TOTAL("buildsStorageTotal", SINCE_1_6, "Always 0: a build is its deployment's."),
	TOTAL("deploymentsStorageTotal", SINCE_1_6, "Bytes of deployments."),
	TOTAL("bucketsTotal", SINCE_1_5, "Buckets."),
	TOTAL("executionsMbSecondsTotal", SINCE_1_6, "Always 0: memory is not counted by time."),
	TOTAL("buildsMbSecondsTotal", SINCE_1_6, "Always 0, as the former."),
	TOTAL("databasesReadsTotal", SINCE_1_6, "Requests that read documents, ever."),
	TOTAL("databasesWritesTotal", SINCE_1_6, "Requests that wrote documents, ever."),
	TOTAL("documentsdbDatabasesReadsTotal", SINCE_CONSOLES, NONE),
	TOTAL("documentsdbDatabasesWritesTotal", SINCE_CONSOLES, NONE),
	ALWAYS("requests", "Requests."),
	ALWAYS("network", "Bytes of bodies and replies."),
	ALWAYS("users", "Users."),
	ALWAYS("executions", "Executions of functions."),
	BEFORE("documents", "Documents."),
	BEFORE("collections", "Collections."),
	BEFORE("storage", "Bytes of files."),
	TOTAL("authPhoneTotal", SINCE_1_6, "Sign-ins by phone, ever."),
	TOLD("authPhoneEstimate", F_FLOAT, "Always 0: what they cost nobody here knows.", .since = SINCE_1_6),
	TOLD("authPhoneCountryBreakdown", F_LIST, NO_SERIES, .sub = &metric_shape, .since = SINCE_1_6),
	SERIES("databasesReads", SINCE_1_6, "Requests that read documents."),
	SERIES("databasesWrites", SINCE_1_6, "Requests that wrote documents."),
	SERIES("documentsdbDatabasesReads", SINCE_CONSOLES, NO_SERIES),
	SERIES("documentsdbDatabasesWrites", SINCE_CONSOLES, NO_SERIES),
	SERIES("documentsdbDatabasesStorage", SINCE_CONSOLES, NO_SERIES),
	SERIES("imageTransformations", SINCE_1_6, "Always empty: they are not counted."),
	TOTAL("imageTransformationsTotal", SINCE_1_6, "Always 0: they are not counted."),
	TOTAL("vectorsdbDatabasesTotal", SINCE_CONSOLES, NONE),
	TOTAL("vectorsdbCollectionsTotal", SINCE_CONSOLES, NONE),
	TOTAL("vectorsdbDocumentsTotal", SINCE_CONSOLES, NONE),
	TOTAL("vectorsdbDatabasesStorageTotal", SINCE_CONSOLES, NONE),
	TOTAL("vectorsdbDatabasesReadsTotal", SINCE_CONSOLES, NONE),
	TOTAL("vectorsdbDatabasesWritesTotal", SINCE_CONSOLES, NONE),
	SERIES("vectorsdbDatabases", SINCE_CONSOLES, NO_SERIES),
	SERIES("vectorsdbCollections", SINCE_CONSOLES, NO_SERIES),
	SERIES("vectorsdbDocuments", SINCE_CONSOLES, NO_SERIES),
	SERIES("vectorsdbDatabasesStorage", SINCE_CONSOLES, NO_SERIES),
	SERIES("vectorsdbDatabasesReads", SINCE_CONSOLES, NO_SERIES),
	SERIES("vectorsdbDatabasesWrites", SINCE_CONSOLES, NO_SERIES),
	SERIES("embeddingsText", SINCE_CONSOLES, NO_SERIES),
	SERIES("embeddingsTextTokens", SINCE_CONSOLES, NO_SERIES),
	SERIES("embeddingsTextDuration", SINCE_CONSOLES, NO_SERIES),
	SERIES("embeddingsTextErrors", SINCE_CONSOLES, NO_SERIES),
	TOTAL("embeddingsTextTotal", SINCE_CONSOLES, NONE),
	TOTAL("embeddingsTextTokensTotal", SINCE_CONSOLES, NONE),
	TOTAL("embeddingsTextDurationTotal", SINCE_CONSOLES, NONE),
	TOTAL("embeddingsTextErrorsTotal", SINCE_CONSOLES, NONE),
};
static const struct shape project_usage_shape = SHAPE_TOLD("usageProject", project_usage_fields);

/* What the members are made of; those that are not here are 0, or empty. */
#define WRITES {"documents.$all.requests.update", "documents.$all.requests.delete"}
static const struct usage_series known[] = {
	{"executionsTotal", "executions.$all.compute.total", {NULL}, USAGE_EVER},
	{"documentsTotal", "documents.$all.count.total", {NULL}, USAGE_NEWEST},
	{"rowsTotal", "documents.$all.count.total", {NULL}, USAGE_NEWEST},
	{"databasesTotal", "databases.$all.count.total", {NULL}, USAGE_NEWEST},
	{"databasesStorageTotal", "documents.$all.storage.total", {NULL}, USAGE_NEWEST},
	{"usersTotal", "users.$all.count.total", {NULL}, USAGE_NEWEST},
	{"filesStorageTotal", "project.$all.storage.size", {NULL}, USAGE_NEWEST},
	{"functionsStorageTotal", "deployments.$all.storage.size", {NULL}, USAGE_NEWEST},
	{"deploymentsStorageTotal", "deployments.$all.storage.size", {NULL}, USAGE_NEWEST},
	{"bucketsTotal", "buckets.$all.count.total", {NULL}, USAGE_NEWEST},
	{"databasesReadsTotal", "documents.$all.requests.read", {NULL}, USAGE_EVER},
	{"databasesWritesTotal", "documents.$all.requests.create", WRITES, USAGE_EVER},
	{"requests", "project.$all.network.requests"},
	{"network", "project.$all.network.bandwidth"},
	{"users", "users.$all.count.total", {NULL}, USAGE_LEVELS},
	{"executions", "executions.$all.compute.total"},
	{"authPhoneTotal", "sessions.phone.requests.create", {NULL}, USAGE_EVER},
	{"databasesReads", "documents.$all.requests.read"},
	{"databasesWrites", "documents.$all.requests.create", WRITES},
};

static struct usage_series
series_called(const struct field *f)
{
	for (int i = 0; i < N(known); i++)
		if (strcmp(known[i].name, f->key) == 0)
			return known[i];
	return (struct usage_series){.name = f->key, .add = f->type == F_LIST ? USAGE_POINTS : USAGE_NEWEST};
}

/* As the caller's version has it. */
static err_t
usage_answer(struct req *rq, const struct project *p, const struct usage_span *span)
{
	struct usage_series v[N(project_usage_fields)];
	struct str json;
	int n = 0;

	for (int i = 0; i < N(project_usage_fields); i++) {
		const struct field *f = &project_usage_fields[i];

		if ((f->since == 0 || rq->cx.format >= f->since) && f->until == 0)
			v[n++] = series_called(f);
	}
	TRY(usage_snapshot(&rq->cx, p));
	TRY(usage_between(&rq->cx, p, span, v, n, &json));
	return reply_json(rq, 200, json);
}

/* ---- of another project, by a range ---- */

struct project_usage_in {
	const char *project, *range;
};
static const struct param range_params[] = {
	PROJECT(struct project_usage_in),
	OPTIONAL("range", P_ENUM, struct project_usage_in, range, "How far back.", .def = "\"30d\"", .list = usage_ranges),
};

static err_t
projects_get_usage(struct req *rq, void *arg)
{
	static const struct usage_series v[] = {
		{"requests", "project.$all.network.requests"},
		{"network", "project.$all.network.bandwidth"},
		{"executions", "executions.$all.compute.total"},
		{"documents", "documents.$all.count.total"},
		{"collections", "collections.$all.count.total"},
		{"users", "users.$all.count.total"},
		{"storage", "project.$all.storage.size"},
	};
	const struct project_usage_in *in = arg;
	struct usage_span span;
	struct project *p;

	TRY(project_for(rq, in->project, RIGHT_READ, &p));
	TRY(project_get(&rq->cx, str_c(p->id), &p));	/* its data space is read */
	if (rq->cx.format < SINCE_1_5)
		return reply_usage(rq, p, in->range, v, N(v));
	TRY(usage_range(&rq->cx, in->range, &span));
	return usage_answer(rq, p, &span);
}

/* ---- of one's own, between two dates ---- */

struct own_usage_in {
	int64_t from, to;
	const char *period;
};
static const char *const periods[] = {"1h", "1d", NULL};
static const struct param own_params[] = {
	REQUIRED("startDate", P_DATETIME, struct own_usage_in, from, "Date from which on."),
	REQUIRED("endDate", P_DATETIME, struct own_usage_in, to, "Date up to which."),
	OPTIONAL("period", P_ENUM, struct own_usage_in, period, "How long each point is.", .def = "\"1d\"", .list = periods),
};

static err_t
projects_get_own_usage(struct req *rq, void *arg)
{
	const struct own_usage_in *in = arg;
	struct usage_span span = {.period = strcmp(in->period, "1h") == 0 ? 3600000 : 86400000};
	int64_t first = in->from / span.period, last = in->to / span.period;

	if (in->from < 0 || last < first || last - first >= USAGE_POINTS_MAX)
		return fail_msg(&rq->cx, ERR_GENERAL_ARGUMENT_INVALID, "Invalid endDate: it comes after startDate, and there are at most %d periods between them.", USAGE_POINTS_MAX);
	span.newest = last * span.period;
	span.n = (int)(last - first) + 1;
	return usage_answer(rq, rq->project, &span);
}

static const struct route usage_rows[] = {
	PROJECTS("GET", "/:projectId/usage", "getUsage", "read", projects_get_usage, &project_usage_shape, 200, "How a project is used.", struct project_usage_in, range_params),
	OWN(SINCE_1_4, "GET", "/usage", "getUsage", "project.read", projects_get_own_usage, &project_usage_shape, 200, "How the project is used.", struct own_usage_in, own_params),
};
const struct routes project_usage_routes = ROUTES(usage_rows);
