/* The health service: whether the parts that this server needs answer. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "gate/gate.h"
#include "io/bus.h"
#include "io/device.h"
#include "io/sntp.h"
#include "model/scan.h"
#include "model/job.h"
#include "model/space.h"

enum { PROBE_MS = 3000, STUCK_MAX = 25, CLOCK_MAX_S = 60 };

struct status {
	const char *name;	/* of what was asked */
	int64_t ping;
	const char *status;
};
static const char *const states[] = {"pass", "fail", NULL};
static const struct field status_fields[] = {
	FIELD(F_STR, struct status, name, "name", NULL, "What answered.", .since = SINCE_1_4),
	FIELD(F_INT, struct status, ping, "ping", NULL, "Duration of the check in milliseconds."),
	FIELD_ENUM(states, struct status, status, "status", NULL, "pass, or fail."),
};
static const struct shape status_shape = SHAPE("healthStatus", struct status, status_fields);

struct queue {
	int64_t size;
};
static const struct field queue_fields[] = {
	FIELD(F_INT, struct queue, size, "size", NULL, "Jobs that wait."),
};
static const struct shape queue_shape = SHAPE("healthQueue", struct queue, queue_fields);

struct migrations {
	int64_t behind, newer, failed;
	struct strs projects;
};
static const struct field migrations_fields[] = {
	FIELD(F_INT, struct migrations, behind, "behind", NULL, "Projects that are still to be brought up to date."),
	FIELD(F_INT, struct migrations, newer, "newer", NULL, "Projects that only a newer version of the server can work with."),
	FIELD(F_INT, struct migrations, failed, "failed", NULL, "Projects whose migration has failed; they answer 503."),
	FIELD(F_STRS, struct migrations, projects, "projects", NULL, "IDs of these, as far as they are few."),
};
static const struct shape migrations_shape = SHAPE("healthProjects", struct migrations, migrations_fields);

struct clock {
	int64_t remote, local, diff;
};
static const struct field clock_fields[] = {
	FIELD(F_INT, struct clock, remote, "remoteTime", NULL, "Time of the time server, or of the database, in Unix seconds."),
	FIELD(F_INT, struct clock, local, "localTime", NULL, "Time of this server in Unix seconds."),
	FIELD(F_INT, struct clock, diff, "diff", NULL, "Difference in seconds."),
};
static const struct shape clock_shape = SHAPE("healthTime", struct clock, clock_fields);

struct antivirus {
	const char *version, *status;
};
static const char *const scanner_states[] = {"disabled", "pass", "fail", NULL};
static const struct field antivirus_fields[] = {
	FIELD(F_STR, struct antivirus, version, "version", NULL, "Version of the scanner."),
	FIELD_ENUM(scanner_states, struct antivirus, status, "status", NULL, "disabled, pass or fail."),
};
static const struct shape antivirus_shape = SHAPE("healthAntivirus", struct antivirus, antivirus_fields);

static err_t
pass(struct req *rq, const char *name, int64_t ms)
{
	return reply(rq, 200, &status_shape, &(struct status){name, ms, "pass"});
}

/* Of what there may be several of, clients of 1.9 are given a list. */
static err_t
pass_each(struct req *rq, const char *name, int64_t ms)
{
	struct status s = {name, ms, "pass"};
	void *all[] = {&s};

	if (rq->cx.format < SINCE_1_9)
		return pass(rq, name, ms);
	return reply_list(rq, &status_shape, "statuses", 1, &(struct objs){1, all});
}

static err_t
health_get(struct req *rq, void *in)
{
	(void)in;
	return pass(rq, "http", 0);
}

/* A probe does not wait as long as a request may. */
static void
hurry(struct req *rq)
{
	rq->cx.deadline = loop_now() + PROBE_MS;
}

/* What does not answer is a failure of the server, as the contract has it; too many questions are not. */
static err_t
failed(struct req *rq, err_t e)
{
	return e == ERR_CANCELLED || e == ERR_BUSY ? e : fail(&rq->cx, ERR_GENERAL_SERVER_ERROR, "%s", rq->cx.detail != NULL ? rq->cx.detail : err_info(e)->type);
}

static err_t
health_get_d_b(struct req *rq, void *in)
{
	int64_t from = time_now_us();
	struct db_res *r;
	err_t e;

	(void)in;
	hurry(rq);
	if ((e = db_query(&rq->cx, &r, "SELECT 1", DB0)) != OK)
		return failed(rq, e);
	return pass_each(rq, "database", (time_now_us() - from) / 1000);
}

static err_t
health_get_cache(struct req *rq, void *in)
{
	int64_t from = time_now_us();
	struct bus_reply *r;
	err_t e;

	(void)in;
	hurry(rq);
	if ((e = bus_cmd(&rq->cx, &r, BUS(STR("PING")))) != OK)
		return failed(rq, e);
	return pass_each(rq, "cache", (time_now_us() - from) / 1000);
}

/* Reasons are for the operator (badal doctor): a key of one project does not see into others. */
static err_t
health_get_projects(struct req *rq, void *in)
{
	struct migrations m = {0};
	struct space_report s;
	struct objs stuck;

	(void)in;
	hurry(rq);
	TRY(space_report(&rq->cx, &s));
	TRY(space_stuck(&rq->cx, STUCK_MAX, &stuck));
	m.behind = s.behind;
	m.newer = s.newer;
	m.failed = s.stuck;
	m.projects = (struct strs){.set = true, .v = arena_array(rq->cx.arena, const char *, stuck.n + 1)};
	for (int i = 0; i < stuck.n; i++)
		m.projects.v[m.projects.n++] = ((const struct project *)stuck.v[i])->id;
	return reply(rq, 200, &migrations_shape, &m);
}

static err_t
database_clock(struct req *rq, int64_t *ahead_ms_out)
{
	struct db_res *r;

	TRY(db_query(&rq->cx, &r, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", DB0));
	*ahead_ms_out = db_i64(r, 0, 0) - time_now_ms();
	return OK;
}

/* Without a server of time, what must agree are this process and the database. */
static err_t
health_get_time(struct req *rq, void *in)
{
	struct clock c;
	int64_t ahead;
	err_t e;

	(void)in;
	hurry(rq);
	e = conf.time_server[0] != '\0' ? sntp_offset(&rq->cx, conf.time_server, PROBE_MS, &ahead) : database_clock(rq, &ahead);
	if (e != OK)
		return failed(rq, e);
	c.local = time_now_ms() / 1000;
	c.diff = (ahead + (ahead < 0 ? -500 : 500)) / 1000;
	c.remote = c.local + c.diff;
	if (c.diff > CLOCK_MAX_S || c.diff < -CLOCK_MAX_S)
		return fail(&rq->cx, ERR_GENERAL_SERVER_ERROR, "clocks differ by %lld s", (long long)c.diff);
	return reply(rq, 200, &clock_shape, &c);
}

static err_t
queue_reply(struct req *rq, const char *job)
{
	struct queue q = {0};

	hurry(rq);
	if (job_known(str_c(job)))
		TRY(job_depth(&rq->cx, job, &q.size));
	return reply(rq, 200, &queue_shape, &q);
}

/* The names of the protocol; those that are no kind of job here have an empty queue. */
static err_t
health_get_protocol_queue(struct req *rq, void *in)
{
	(void)in;
	return queue_reply(rq, strrchr(rq->route->path, '/') + 1);
}

struct queue_in {
	const char *kind;
};
static const struct param queue_params[] = {
    PATH("kind", P_ENUM, struct queue_in, kind, "A kind of job.", .list = job_kinds),
};

static err_t
health_get_queue(struct req *rq, void *arg)
{
	const struct queue_in *in = arg;

	return queue_reply(rq, in->kind);
}

/* Everything of ours on this machine's disk is below the data directory. */
static err_t
health_get_storage_local(struct req *rq, void *in)
{
	struct devices d;
	struct statvfs fs;
	struct stat st;

	(void)in;
	if (device_configured(&rq->cx, &d) != OK)
		return fail(&rq->cx, ERR_GENERAL_SERVER_ERROR, "%s", rq->cx.detail);
	if (stat(conf.data_dir, &st) != 0 || !S_ISDIR(st.st_mode) || access(conf.data_dir, R_OK | W_OK | X_OK) != 0)
		return fail(&rq->cx, ERR_GENERAL_SERVER_ERROR, "data_dir=%s errno=%d", conf.data_dir, errno);
	if (statvfs(conf.data_dir, &fs) != 0 || (fs.f_flag & ST_RDONLY) != 0 || fs.f_bavail == 0 || (fs.f_files != 0 && fs.f_favail == 0))
		return fail(&rq->cx, ERR_GENERAL_SERVER_ERROR, "data_dir=%s nothing can be written: it is full, or read-only", conf.data_dir);
	return pass(rq, "local", 0);
}

static err_t
health_get_antivirus(struct req *rq, void *in)
{
	struct antivirus a = {"", "disabled"};
	bool wanted = false;
	err_t e = scan_wanted(&rq->cx, &wanted);

	(void)in;
	if (e == OK && wanted)
		e = scan_version(&rq->cx, &a.version);
	if (e == ERR_CANCELLED || e == ERR_BUSY)
		return e;
	if (e != OK || wanted)
		a.status = e == OK ? "pass" : "fail";
	return reply(rq, 200, &antivirus_shape, &a);
}

/* Nobody has its scope. */
static err_t
health_get_stats(struct req *rq, void *in)
{
	(void)in;
	return fail(&rq->cx, ERR_GENERAL_ROUTE_NOT_FOUND, "not provided");
}

static const struct field version_fields[] = {
	TOLD("version", F_STR, "Version of the API."),
};
static const struct shape version_shape = SHAPE_TOLD("healthVersion", version_fields);

static err_t
health_get_version(struct req *rq, void *in)
{
	(void)in;
	return reply_json(rq, 200, STR("{\"version\":\"1.0.2\"}"));
}

#define STATUSES .or_model = &status_shape, .or_list = "statuses"	/* for clients of 1.9 and later */
#define HEALTH(path_, name_, handler_, model_, ...)                                                                           \
	{.method = "GET", .path = "/v1/health" path_, .service = "health", .name = name_, .scope = "health.read", .limit = "", \
	    .handler = handler_, .model = model_, .status = 200, .doc = __VA_ARGS__}
static const struct route rows[] = {
    HEALTH("", "get", health_get, &status_shape, "The HTTP server answers."),
    {.method = "GET", .path = "/v1/health/version", .name = "getVersion", .scope = "public", .limit = "", .handler = health_get_version, .model = &version_shape, .status = 200,
	.doc = "The version of the API."},
    HEALTH("/db", "getDB", health_get_d_b, &status_shape, "The database answers.", STATUSES),
    HEALTH("/cache", "getCache", health_get_cache, &status_shape, "Redis answers.", STATUSES),
    HEALTH("/projects", "getProjects", health_get_projects, &migrations_shape, "Whether the data spaces of all projects are up to date."),
    HEALTH("/time", "getTime", health_get_time, &clock_shape, "The clock of this machine agrees with that of the time server, or of the database."),
    HEALTH("/queue/webhooks", "getQueueWebhooks", health_get_protocol_queue, &queue_shape, "Webhook deliveries that wait."),
    HEALTH("/queue/logs", "getQueueLogs", health_get_protocol_queue, &queue_shape, "Log entries that wait."),
    HEALTH("/queue/certificates", "getQueueCertificates", health_get_protocol_queue, &queue_shape, "Certificates that wait."),
    HEALTH("/queue/functions", "getQueueFunctions", health_get_protocol_queue, &queue_shape, "Executions that wait."),
    {.method = "GET", .path = "/v1/health/queue/:kind", .service = "health", .name = "getQueue", .scope = "health.read", .limit = "",
	.handler = health_get_queue, .model = &queue_shape, .status = 200, .doc = "Jobs of a kind that wait, run or wait for another try.",
	PARAMS(struct queue_in, queue_params)},
    HEALTH("/storage/local", "getStorageLocal", health_get_storage_local, &status_shape, "The data directory can be read and written."),
    HEALTH("/anti-virus", "getAntivirus", health_get_antivirus, &antivirus_shape, "The virus scanner answers."),
    {.method = "GET", .path = "/v1/health/stats", .service = "health", .name = "getStats", .scope = "root", .limit = "", .handler = health_get_stats,
	.status = 200, .doc = "Statistics of the machine; reserved."},
};
const struct routes health_routes = ROUTES(rows);
