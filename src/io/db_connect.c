/* A connection on its way up: names resolved off the loop, libpq's handshake, session settings.
 *
 * libpq would block on a host name, so every name becomes addresses first and goes in as hostaddr. */
#include "db_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"

enum { CONNECT_MAX = 10000, TARGETS_MAX = 16, NAME_MAX_LEN = 256 };

/* Sent as statements, not as start-up options, because poolers refuse those.
 *
 * A page costs little: what is asked for is mostly in memory, and with the planner's defaults, made for disks, it would rather walk a
 * whole order than sort the thousand rows that an index finds (in a million documents 280 ms against 1.2 ms). */
static const char settings_sql[] =
    "SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO', false), set_config('IntervalStyle', 'postgres', false), "
    "set_config('seq_page_cost', '0.1', false), set_config('random_page_cost', '0.11', false), set_config('jit', 'off', false), "
    "set_config('standard_conforming_strings', 'on', false), set_config('extra_float_digits', '1', false), "
    "set_config('idle_in_transaction_session_timeout', '60s', false)";

/* A process of ours that died cannot cancel what it had sent: the server looks (14 and later). */
static const char watch_client_sql[] =
    "SELECT set_config(name, '10s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";

/* Builds of indexes and what else jobs do may take their time, whatever the operator has set for the rest; deadlines of ours bound them. A pooler
 * hands one server connection to requests and to jobs: there it must be the same for all, so it is left alone. */
static const char bounds_sql[] =
    "SELECT set_config('statement_timeout', coalesce($1, current_setting('statement_timeout')), false), "
    "set_config('lock_timeout', coalesce($2, current_setting('lock_timeout')), false)";
static bool bounded;

struct target {			/* one address to try */
	char host[NAME_MAX_LEN], addr[64], port[8];
};

struct resolve {		/* outlives a connection that gave up */
	uv_getaddrinfo_t req;
	struct db_conn *conn;	/* NULL: nobody waits any more */
	char *hosts, *ports;	/* what is left of the lists */
	char host[NAME_MAX_LEN], port[8];
	struct target targets[TARGETS_MAX];
	int n;
	char why[160];
};

static void resolve_next(struct resolve *s);

static void
resolve_free(struct resolve *s)
{
	free(s->hosts);
	free(s->ports);
	free(s);
}

void
dbc_resolve_stop(struct db_conn *c)
{
	if (c->resolve == NULL)
		return;
	c->resolve->conn = NULL;
	uv_cancel((uv_req_t *)&c->resolve->req);
	c->resolve = NULL;
}

/* ---- the handshake ---- */

static void
connect_timed_out(void *arg)
{
	struct db_conn *c = arg;

	c->timer = NULL;
	dbp_connect_failed(c, "timed out");
}

static void
notice(void *arg, const char *text)
{
	(void)arg;
	log_debug(NULL, "notice of PostgreSQL", "text=%.*s", (int)strcspn(text, "\n"), text);
}

void
db_bound_statements(void)
{
	bounded = true;
}

/* NULL: as the operator has set it. */
static const char *
bound(char text[24], int64_t ms)
{
	if (bounded && ms == 0)
		return NULL;
	snprintf(text, 24, "%lld", (long long)(!bounded ? 0 : ms < INT32_MAX ? ms : INT32_MAX));
	return text;
}

static void
bounds(struct db_conn *c)
{
	char statement[24], lock[24];
	const char *const v[] = {bound(statement, conf.db_statement_timeout), bound(lock, conf.db_lock_timeout)};

	dbc_statement(c, STEP_PLAIN, bounds_sql, 2, v);
}

static void
session_settings(struct db_conn *c)
{
	PQsetNoticeProcessor(c->pg, notice, NULL);
	if (PQsetnonblocking(c->pg, 1) != 0 || PQenterPipelineMode(c->pg) != 1) {
		dbp_connect_failed(c, PQerrorMessage(c->pg));
		return;
	}
	dbc_begin(c);
	dbc_statement(c, STEP_PLAIN, settings_sql, 0, NULL);
	dbc_statement(c, STEP_PLAIN, watch_client_sql, 0, NULL);
	if (conf.db_prepared)
		bounds(c);
	dbc_sync(c);
}

void
dbc_settings_done(struct db_conn *c)
{
	if (c->error != NULL) {
		dbp_connect_failed(c, PQresultErrorMessage(c->error));
		return;
	}
	loop_timer_stop(&c->timer);
	metric_add(M_db_connects, 1);
	dbp_connected(c);
}

static void
handshake(struct db_conn *c, PostgresPollingStatusType want)
{
	switch (want) {
	case PGRES_POLLING_READING:
		dbc_watch(c, UV_READABLE);
		return;
	case PGRES_POLLING_WRITING:
		dbc_watch(c, UV_WRITABLE);
		return;
	case PGRES_POLLING_OK:
		session_settings(c);
		return;
	default:
		dbp_connect_failed(c, PQerrorMessage(c->pg));
	}
}

void
dbc_connect_step(struct db_conn *c)
{
	dbc_watch(c, 0);	/* libpq may go on with another socket */
	handshake(c, PQconnectPoll(c->pg));
}

/* "a,b,c" of one member of the targets, in the arena. */
static const char *
db_connect_listed(struct arena *a, const struct resolve *s, size_t member)
{
	struct buf b;

	buf_init(&b, a, 64);
	for (int i = 0; i < s->n; i++) {
		if (i > 0)
			buf_ch(&b, ',');
		buf_c(&b, (const char *)&s->targets[i] + member);
	}
	return buf_view(&b).p;
}

/* Later keys override what the connection string says; without resolved targets it is taken as it is. */
static void
db_connect_start(struct db_conn *c, const struct resolve *s)
{
	struct arena *a = arena_new();
	const char *keys[] = {"dbname", "application_name", "client_encoding", NULL, NULL, NULL, NULL};
	const char *values[] = {conf.db_url, "badal", "UTF8", NULL, NULL, NULL, NULL};

	if (s != NULL) {
		keys[3] = "host";
		values[3] = db_connect_listed(a, s, offsetof(struct target, host));
		keys[4] = "hostaddr";
		values[4] = db_connect_listed(a, s, offsetof(struct target, addr));
		keys[5] = "port";
		values[5] = db_connect_listed(a, s, offsetof(struct target, port));
	}
	c->pg = PQconnectStartParams(keys, values, 1);
	arena_free(&a);
	if (c->pg == NULL)
		mem_fatal(0);
	if (PQstatus(c->pg) == CONNECTION_BAD)
		dbp_connect_failed(c, PQerrorMessage(c->pg));
	else
		handshake(c, PGRES_POLLING_WRITING);
}

/* ---- names ---- */

static void
add_target(struct resolve *s, const char *addr)
{
	struct target *t;

	if (s->n == TARGETS_MAX)
		return;
	t = &s->targets[s->n++];
	snprintf(t->host, sizeof t->host, "%s", s->host);
	snprintf(t->addr, sizeof t->addr, "%s", addr);
	snprintf(t->port, sizeof t->port, "%s", s->port);
}

static void
db_connect_on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
	struct resolve *s = req->data;
	char addr[64];

	for (const struct addrinfo *ai = status == 0 ? list : NULL; ai != NULL; ai = ai->ai_next)
		if (uv_ip_name(ai->ai_addr, addr, sizeof addr) == 0)
			add_target(s, addr);
	uv_freeaddrinfo(list);
	if (status != 0)
		snprintf(s->why, sizeof s->why, "%.100s: %.50s", s->host, uv_strerror(status));
	if (s->conn == NULL)
		resolve_free(s);
	else
		resolve_next(s);
}

/* The next element of a comma-separated list; the last port serves all further hosts. */
static bool
db_connect_next_of(char **list, char *out, size_t size)
{
	char *at = *list, *comma;

	if (at[0] == '\0')
		return false;
	comma = strchr(at, ',');
	snprintf(out, size, "%.*s", comma ? (int)(comma - at) : (int)strlen(at), at);
	memmove(at, comma ? comma + 1 : at + strlen(at), comma ? strlen(comma + 1) + 1 : 1);
	return true;
}

static void
resolve_next(struct resolve *s)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct db_conn *c = s->conn;

	while (db_connect_next_of(&s->hosts, s->host, sizeof s->host)) {
		db_connect_next_of(&s->ports, s->port, sizeof s->port);
		if (uv_getaddrinfo(loop_uv(), &s->req, db_connect_on_resolved, s->host, NULL, &hints) == 0)
			return;
	}
	c->resolve = NULL;
	if (s->n == 0)
		dbp_connect_failed(c, s->why[0] ? s->why : "no address");
	else
		db_connect_start(c, s);
	resolve_free(s);
}

/* A socket directory needs no resolving; an address given by hostaddr has none left. */
static bool
needs_resolving(const char *host, const char *hostaddr)
{
	return host != NULL && host[0] != '\0' && host[0] != '/' && host[0] != '@' && (hostaddr == NULL || hostaddr[0] == '\0');
}

static const char *
option(const PQconninfoOption *all, const char *keyword)
{
	for (; all != NULL && all->keyword != NULL; all++)
		if (strcmp(all->keyword, keyword) == 0)
			return all->val;
	return NULL;
}

const char *
db_url_wrong(const char *url)
{
	PQconninfoOption *all = *url != '\0' ? PQconninfoParse(url, NULL) : NULL;
	bool ok = *url == '\0' || all != NULL;

	PQconninfoFree(all);
	return ok ? NULL : "it must be postgresql://user:password@host/database, or keyword=value pairs";
}

void
dbc_open(struct db_conn *c)
{
	PQconninfoOption *all = PQconninfoParse(conf.db_url, NULL);
	const char *host = option(all, "host"), *port = option(all, "port");

	c->timer = loop_after(CONNECT_MAX, connect_timed_out, c);
	if (needs_resolving(host, option(all, "hostaddr"))) {
		struct resolve *s = mem_zalloc(sizeof *s);

		s->req.data = s;
		s->conn = c;
		s->hosts = mem_strdup(host);
		s->ports = mem_strdup(port ? port : "5432");
		c->resolve = s;
		PQconninfoFree(all);
		resolve_next(s);
		return;
	}
	PQconninfoFree(all);
	db_connect_start(c, NULL);
}
