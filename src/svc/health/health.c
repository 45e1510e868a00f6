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
#include "io/fetch.h"
#include "io/sntp.h"
#include "model/probe.h"
#include "model/scan.h"
#include "model/job.h"
#include "model/space.h"

enum { PROBE_MS = 3000, CLOCK_MAX_S = 60 };

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
	FIELD(F_STRS, struct migrations, projects, "projects", NULL, "Empty: badal doctor names them."),
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
health_redis(struct req *rq, void *in, const char *name)
{
	int64_t from = time_now_us();
	struct bus_reply *r;
	err_t e;

	(void)in;
	hurry(rq);
	if ((e = bus_cmd(&rq->cx, &r, BUS(STR("PING")))) != OK)
		return failed(rq, e);
	return pass_each(rq, name, (time_now_us() - from) / 1000);
}

static err_t
health_get_cache(struct req *rq, void *in)
{
	return health_redis(rq, in, "cache");
}

/* Which they are, and why, is for the operator (badal doctor): a key of one project does not see into others. */
static err_t
health_get_projects(struct req *rq, void *in)
{
	struct migrations m = {0};
	struct space_report s;

	(void)in;
	hurry(rq);
	TRY(space_report(&rq->cx, &s));
	m.behind = s.behind;
	m.newer = s.newer;
	m.failed = s.stuck;
	m.projects.set = true;
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

struct queue_in {
	const char *kind;
	struct opt_int threshold;
	const char *name;
};

/* More than the client thinks right is a failure of ours. */
static err_t
queue_reply(struct req *rq, const struct queue_in *in, int64_t size)
{
	if (in->threshold.set && size >= in->threshold.v)
		return fail_msg(&rq->cx, ERR_HEALTH_QUEUE_SIZE_EXCEEDED, "Queue size threshold hit. Current size is %lld and threshold is %lld.", (long long)size, (long long)in->threshold.v);
	return reply(rq, 200, &queue_shape, &(struct queue){size});
}

/* What the protocol calls our kinds of jobs; those that are none here have an empty queue. */
static const struct { const char *name, *kinds[3]; } queue_kinds[] = {
	{"builds", {"build"}}, {"databases", {"schema"}}, {"database", {"schema"}}, {"deletes", {"sweep", "files"}}, {"mails", {"mail", "mail-own"}}, {"messaging", {"sms"}},
};

static err_t
queue_depth(struct req *rq, const char *name, err_t (*count)(struct ctx *, const char *, int64_t *), int64_t *out)
{
	const char *const *kinds = (const char *const[]){name, NULL};

	for (size_t i = 0; i < sizeof queue_kinds / sizeof *queue_kinds; i++)
		if (strcmp(queue_kinds[i].name, name) == 0)
			kinds = queue_kinds[i].kinds;
	hurry(rq);
	for (*out = 0; *kinds != NULL; kinds++) {
		int64_t n = 0;

		if (job_known(str_c(*kinds)))
			TRY(count(&rq->cx, *kinds, &n));
		*out += n;
	}
	return OK;
}

static err_t
health_get_protocol_queue(struct req *rq, void *arg)
{
	int64_t size;

	TRY(queue_depth(rq, strrchr(rq->route->path, '/') + 1, job_depth, &size));
	return queue_reply(rq, arg, size);
}

/* "v1-mails" */
static err_t
health_get_failed_jobs(struct req *rq, void *arg)
{
	const struct queue_in *in = arg;
	int64_t size;

	TRY(queue_depth(rq, in->kind + 3, job_dead, &size));
	return queue_reply(rq, in, size);
}

#define THRESHOLD OPTIONAL("threshold", P_RANGE, struct queue_in, threshold, "So many are too many.", .def = "5000", .min = 0, .max = INT64_MAX)
static const char *const failed_names[] = {"v1-database", "v1-deletes", "v1-audits", "v1-mails", "v1-functions", "v1-stats-resources", "v1-stats-usage", "v1-webhooks", "v1-certificates",
    "v1-builds", "v1-screenshots", "v1-messaging", "v1-migrations", "v1-notifications", NULL};
static const struct param queue_params[] = {
    PATH("kind", P_ENUM, struct queue_in, kind, "A kind of job.", .list = job_kinds),
};
static const struct param protocol_queue_params[] = {THRESHOLD};
static const struct param database_queue_params[] = {OPTIONAL("name", P_TEXT, struct queue_in, name, "Of several; there is one.", .max = 256), THRESHOLD};
static const struct param failed_params[] = {PATH("name", P_ENUM, struct queue_in, kind, "A queue of the protocol.", .list = failed_names), THRESHOLD};

static err_t
health_get_queue(struct req *rq, void *arg)
{
	const struct queue_in *in = arg;

	int64_t size;

	TRY(queue_depth(rq, in->kind, job_depth, &size));
	return queue_reply(rq, in, size);
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
	return pass(rq, strrchr(rq->route->path, '/') + 1, 0);
}

/* Redis carries messages as well. */
static err_t
health_get_pubsub(struct req *rq, void *in)
{
	return health_redis(rq, in, "pubsub");
}

/* ---- certificates ---- */

static const char *const certificate_schemes[] = {"http", "https", NULL};
struct certificate_in {
	const char *domain;
};
static const struct param certificate_params[] = {
    REQUIRED("domain", P_TEXT, struct certificate_in, domain, "Name of a host, or an address of https.", .max = 2048),
};
struct certificate {
	const char *name, *subject, *issuer, *from, *to, *signature;
};
static const struct field certificate_fields[] = {
	FIELD(F_STR, struct certificate, name, "name", NULL, "Whose it is."),
	FIELD(F_STR, struct certificate, subject, "subjectSN", NULL, "The host's name in it."),
	FIELD(F_STR, struct certificate, issuer, "issuerOrganisation", NULL, "Who made it."),
	FIELD(F_STR, struct certificate, from, "validFrom", NULL, "When it begins, in Unix seconds."),
	FIELD(F_STR, struct certificate, to, "validTo", NULL, "When it ends, in Unix seconds."),
	FIELD(F_STR, struct certificate, signature, "signatureTypeSN", NULL, "How it is signed."),
};
static const struct shape certificate_shape = SHAPE("healthCertificate", struct certificate, certificate_fields);

/* "C = US, O = Some, CN = host": the value of a name; "" when there is none. */
static const char *
name_part(struct ctx *cx, const char *names, const char *key)
{
	struct str rest = str_c(names);

	while (rest.p != NULL) {
		struct str value = str_trim(str_cut(&rest, ',')), name = str_trim(str_cut(&value, '='));

		if (str_is(name, key))
			return str_dup(cx->arena, str_trim(value));
	}
	return "";
}

/* "https://host:port/…", "host" */
static err_t
certificate_url(struct req *rq, const char *domain, const char **out)
{
	const struct param url = {.name = "domain", .type = P_URL, .doc = "", .list = certificate_schemes}, host = {.name = "domain", .type = P_HOSTNAME, .doc = ""};
	const char *seen;

	if (strstr(domain, "://") == NULL) {
		TRY(param_take(rq, &host, str_c(domain), &seen));
		*out = arena_printf(rq->cx.arena, "https://%s/", domain);
		return OK;
	}
	TRY(param_take(rq, &url, str_c(domain), &seen));
	*out = arena_printf(rq->cx.arena, "https%s", strstr(domain, "://"));
	return OK;
}

static err_t
health_get_certificate(struct req *rq, void *arg)
{
	const struct certificate_in *in = arg;
	struct fetch f = {.method = "HEAD", .insecure = true, .certificate = true, .timeout_ms = PROBE_MS, .private_ok = conf.health_private};
	struct certificate c = {.subject = ""};
	struct fetch_reply *r;
	err_t e;

	TRY(certificate_url(rq, in->domain, &f.url));
	TRY(probe_enter(&rq->cx, rq->project->internal));
	e = fetch(&rq->cx, &f, &r);
	if (e == ERR_CANCELLED || e == ERR_BUSY)
		return e;
	if (e != OK || r->certificate == NULL)
		return fail(&rq->cx, ERR_HEALTH_INVALID_HOST, "%s", e != OK && rq->cx.detail ? rq->cx.detail : "it has no certificate");
	c.subject = name_part(&rq->cx, r->certificate->subject, "CN");
	c.name = arena_printf(rq->cx.arena, "/CN=%s", c.subject);
	c.issuer = name_part(&rq->cx, r->certificate->issuer, "O");
	c.from = arena_printf(rq->cx.arena, "%lld", (long long)(r->certificate->from / 1000));
	c.to = arena_printf(rq->cx.arena, "%lld", (long long)(r->certificate->to / 1000));
	c.signature = r->certificate->signature;
	return r->certificate->to < time_now_ms() ? fail(&rq->cx, ERR_HEALTH_CERTIFICATE_EXPIRED, "to=%s", c.to) : reply(rq, 200, &certificate_shape, &c);
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
    HEALTH("/queue/webhooks", "getQueueWebhooks", health_get_protocol_queue, &queue_shape, "Webhook deliveries that wait.", PARAMS(struct queue_in, protocol_queue_params)),
    HEALTH("/queue/logs", "getQueueLogs", health_get_protocol_queue, &queue_shape, "Log entries that wait.", PARAMS(struct queue_in, protocol_queue_params)),
    HEALTH("/queue/certificates", "getQueueCertificates", health_get_protocol_queue, &queue_shape, "Certificates that wait.", PARAMS(struct queue_in, protocol_queue_params)),
    HEALTH("/queue/functions", "getQueueFunctions", health_get_protocol_queue, &queue_shape, "Executions that wait.", PARAMS(struct queue_in, protocol_queue_params)),
    HEALTH("/queue/audits", "getQueueAudits", health_get_protocol_queue, &queue_shape, "Log entries that wait.", PARAMS(struct queue_in, protocol_queue_params), .since = SINCE_1_9),
    HEALTH("/queue/builds", "getQueueBuilds", health_get_protocol_queue, &queue_shape, "Builds that wait.", PARAMS(struct queue_in, protocol_queue_params), .since = SINCE_1_4),
    HEALTH("/queue/databases", "getQueueDatabases", health_get_protocol_queue, &queue_shape, "Changes of schemas that wait.", PARAMS(struct queue_in, database_queue_params), .since = SINCE_1_4),
    HEALTH("/queue/deletes", "getQueueDeletes", health_get_protocol_queue, &queue_shape, "Deletions that wait.", PARAMS(struct queue_in, protocol_queue_params), .since = SINCE_1_4),
    HEALTH("/queue/mails", "getQueueMails", health_get_protocol_queue, &queue_shape, "Mails that wait.", PARAMS(struct queue_in, protocol_queue_params), .since = SINCE_1_4),
    HEALTH("/queue/messaging", "getQueueMessaging", health_get_protocol_queue, &queue_shape, "Short messages that wait.", PARAMS(struct queue_in, protocol_queue_params), .since = SINCE_1_4),
    HEALTH("/queue/migrations", "getQueueMigrations", health_get_protocol_queue, &queue_shape, "Migrations that wait.", PARAMS(struct queue_in, protocol_queue_params), .since = SINCE_1_4),
    HEALTH("/queue/stats-resources", "getQueueStatsResources", health_get_protocol_queue, &queue_shape, "Counts that wait.", PARAMS(struct queue_in, protocol_queue_params), .since = SINCE_1_6),
    HEALTH("/queue/stats-usage", "getQueueStatsUsage", health_get_protocol_queue, &queue_shape, "Figures of usage that wait.", PARAMS(struct queue_in, protocol_queue_params), .since = SINCE_1_6),
    {.method = "GET", .path = "/v1/health/queue/:kind", .service = "health", .name = "getQueue", .scope = "health.read", .limit = "",
	.handler = health_get_queue, .model = &queue_shape, .status = 200, .doc = "Jobs of a kind that wait, run or wait for another try.",
	PARAMS(struct queue_in, queue_params)},
    HEALTH("/queue/failed/:name", "getFailedJobs", health_get_failed_jobs, &queue_shape, "Jobs that have failed for good.", PARAMS(struct queue_in, failed_params), .since = SINCE_1_5),
    HEALTH("/pubsub", "getPubSub", health_get_pubsub, &status_shape, "Redis carries messages.", STATUSES, .since = SINCE_1_4),
    HEALTH("/certificate", "getCertificate", health_get_certificate, &certificate_shape, "The certificate of a host.", PARAMS(struct certificate_in, certificate_params),
	.since = SINCE_1_5),
    HEALTH("/storage", "getStorage", health_get_storage_local, &status_shape, "What is stored can be read and written.", .since = SINCE_1_5),
    HEALTH("/storage/local", "getStorageLocal", health_get_storage_local, &status_shape, "The data directory can be read and written."),
    HEALTH("/anti-virus", "getAntivirus", health_get_antivirus, &antivirus_shape, "The virus scanner answers."),
    {.method = "GET", .path = "/v1/health/stats", .service = "health", .name = "getStats", .scope = "root", .limit = "", .handler = health_get_stats,
	.status = 200, .doc = "Statistics of the machine; reserved."},
};
const struct routes health_routes = ROUTES(rows);
