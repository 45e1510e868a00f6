/* The audit log: a bounded queue, written in batches, one statement per project. An entry is one allocation that holds its texts. */
#include "model/audit.h"

#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "io/country.h"
#include "model/agent.h"
#include "model/query.h"

enum { QUEUE_MAX = 10000, BATCH_MAX = 500, INTERVAL_MS = 250, FLUSH_MS = 10000 };
enum { TEXTS = 8, USER_AGENT_MAX = 1024, TEXT_MAX = 512 };

struct queued {
	struct queued *next;
	int64_t time;
	const char *schema;
	const char *text[TEXTS];	/* in the order of the columns below */
};

static const char columns[] = "user_id, user_name, user_email, event, resource, mode, ip, user_agent";

static struct queued *first, **last = &first;
static unsigned n_queued;
static bool flushing;

/* ---- the queue ---- */

static const char *
put_text(char **at, const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *to = *at;

	while (n > 0 && s[n] != '\0' && ((unsigned char)s[n] & 0xc0) == 0x80)	/* never through a code point */
		n--;
	memcpy(to, s, n);
	to[n] = '\0';
	*at += n + 1;
	return to;
}

void
audit_add(const struct project *p, const struct audit_entry *e)
{
	const char *const text[TEXTS] = {e->user_id, e->user_name, e->user_email, e->event, e->resource, e->mode, e->ip, e->user_agent};
	size_t size = sizeof(struct queued) + strlen(p->schema) + 1;
	struct queued *q;
	char *at;

	if (n_queued >= QUEUE_MAX) {
		metric_add(M_audit_dropped, 1);
		return;
	}
	for (int i = 0; i < TEXTS; i++)
		size += strnlen(text[i], USER_AGENT_MAX) + 1;
	q = mem_zalloc(size);
	at = (char *)(q + 1);
	q->time = time_now_ms();
	q->schema = put_text(&at, p->schema, TEXT_MAX);
	for (int i = 0; i < TEXTS; i++)
		q->text[i] = put_text(&at, text[i], i == TEXTS - 1 ? USER_AGENT_MAX : TEXT_MAX);
	*last = q;
	last = &q->next;
	n_queued++;
}

/* Takes the first entries that belong to one project, in order; NULL when there are none. */
static struct queued *
take_batch(int *n_out)
{
	struct queued *batch = NULL, **end = &batch, **at = &first;
	const char *schema = first ? first->schema : NULL;
	int n = 0;

	while (*at != NULL && n < BATCH_MAX) {
		struct queued *q = *at;

		if (strcmp(q->schema, schema) != 0) {
			at = &q->next;
			continue;
		}
		*at = q->next;
		q->next = NULL;
		*end = q;
		end = &q->next;
		n++;
	}
	if (*at == NULL)
		last = at;
	n_queued -= (unsigned)n;
	*n_out = n;
	return batch;
}

static void
put_back(struct queued *batch, int n)
{
	struct queued *end = batch;

	while (end->next != NULL)
		end = end->next;
	end->next = first;
	if (first == NULL)
		last = &end->next;
	first = batch;
	n_queued += (unsigned)n;
}

static void
free_batch(struct queued *batch)
{
	while (batch != NULL) {
		struct queued *q = batch;

		batch = q->next;
		free(q);
	}
}

/* ---- writing ---- */

static err_t
write_batch(struct ctx *cx, const struct queued *batch, int n)
{
	const char **list = arena_array(cx->arena, const char *, n), *v[TEXTS + 1];

	for (int c = 0; c <= TEXTS; c++) {
		const struct queued *q = batch;

		for (int i = 0; i < n; i++, q = q->next)
			list[i] = c < TEXTS ? q->text[c] : pg_time(cx->arena, q->time);
		v[c] = pg_array(cx->arena, list, n);
	}
	return db_exec(cx, NULL,
	    arena_printf(cx->arena,
		"INSERT INTO %s.audit (%s, created) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], "
		"$6::text[], $7::text[], $8::text[], $9::timestamptz[])",
		batch->schema, columns),
	    TEXTS + 1, v);
}

err_t
audit_flush(struct ctx *cx)
{
	struct queued *batch;
	err_t e = OK;
	int n;

	while (e == OK && (batch = take_batch(&n)) != NULL) {
		e = write_batch(cx, batch, n);
		if (e == ERR_DB_DOWN || e == ERR_DB_BUSY) {	/* certainly not written: later */
			put_back(batch, n);
			break;
		}
		if (e != OK) {	/* perhaps written, or the project is gone: no second try, the others go on */
			metric_add(M_audit_dropped, n);
			log_warn(cx, "audit entries lost", "schema=%s entries=%d error=%s detail=%s", batch->schema, n, err_info(e)->name,
			    cx->detail ? cx->detail : "");
			if (e != ERR_TIMEOUT && e != ERR_CANCELLED)
				e = OK;
		}
		free_batch(batch);
	}
	return e;
}

static void
flush_fiber(struct ctx *cx, void *arg)
{
	err_t e = audit_flush(cx);

	(void)arg;
	if (e != OK)
		log_warn(cx, "audit log waits", "entries=%u error=%s", n_queued, err_info(e)->name);
	flushing = false;
}

static void
on_tick(void *arg)
{
	(void)arg;
	if (first == NULL || flushing)
		return;
	flushing = true;
	fib_spawn_new("audit", FLUSH_MS, flush_fiber, NULL);
}

void
audit_drain(void)
{
	on_tick(NULL);
}

bool
audit_writing(void)
{
	return flushing;
}

void
audit_init(void)
{
	static struct loop_timer *timer;

	if (timer == NULL)
		timer = loop_every(INTERVAL_MS, on_tick, NULL);
}

/* ---- reading ---- */

static const struct field audit_fields[] = {
	FIELD(F_STR, struct audit_log, event, "event", "event", "What was done."),
	FIELD(F_STR, struct audit_log, user_id, "userId", "user_id", "User ID."),
	FIELD(F_STR, struct audit_log, user_email, "userEmail", "user_email", "User e-mail address."),
	FIELD(F_STR, struct audit_log, user_name, "userName", "user_name", "User name."),
	FIELD(F_STR, struct audit_log, mode, "mode", "mode", "default, or admin for the console's admin mode."),
	FIELD(F_STR, struct audit_log, ip, "ip", "ip", "Address of the client."),
	FIELD(F_TIME, struct audit_log, time, "time", "created", "When it was done, in ISO 8601 format."),
	FIELD(F_STR, struct audit_log, os_code, "osCode", NULL, "Operating system code."),
	FIELD(F_STR, struct audit_log, os_name, "osName", NULL, "Operating system name."),
	FIELD(F_STR, struct audit_log, os_version, "osVersion", NULL, "Operating system version."),
	FIELD(F_STR, struct audit_log, client_type, "clientType", NULL, "Kind of client."),
	FIELD(F_STR, struct audit_log, client_code, "clientCode", NULL, "Client code."),
	FIELD(F_STR, struct audit_log, client_name, "clientName", NULL, "Client name."),
	FIELD(F_STR, struct audit_log, client_version, "clientVersion", NULL, "Client version."),
	FIELD(F_STR, struct audit_log, client_engine, "clientEngine", NULL, "Client engine name."),
	FIELD(F_STR, struct audit_log, client_engine_version, "clientEngineVersion", NULL, "Client engine version."),
	FIELD(F_STR, struct audit_log, device_name, "deviceName", NULL, "Kind of device."),
	FIELD(F_STR, struct audit_log, device_brand, "deviceBrand", NULL, "Device brand."),
	FIELD(F_STR, struct audit_log, device_model, "deviceModel", NULL, "Device model."),
	FIELD(F_STR, struct audit_log, country_code, "countryCode", NULL, "Country code of two characters."),
	FIELD(F_STR, struct audit_log, country_name, "countryName", NULL, "Country name."),
};
const struct shape audit_shape = SHAPE("log", struct audit_log, audit_fields);

static void
complete(struct ctx *cx, struct audit_log *l, struct str user_agent, uint64_t until, bool hide_user)
{
	struct agent g = agent_of(cx, user_agent, until);
	struct country c = country_of(cx->arena, l->ip, cx->locale);

	l->os_code = g.os_code;
	l->os_name = g.os_name;
	l->os_version = g.os_version;
	l->client_type = g.client_type;
	l->client_code = g.client_code;
	l->client_name = g.client_name;
	l->client_version = g.client_version;
	l->client_engine = g.client_engine;
	l->client_engine_version = g.client_engine_version;
	l->device_name = g.device_name;
	l->device_brand = g.device_brand;
	l->device_model = g.device_model;
	l->country_code = c.code;
	l->country_name = c.name;
	if (hide_user)
		l->user_id = l->user_email = l->user_name = l->mode = "";
}

err_t
audit_list(struct ctx *cx, const struct project *p, enum audit_by by, const char *what, int64_t since, const struct strs *queries,
    bool hide_user, int64_t *total_out, struct objs *out)
{
	const char *const v[] = {what, pg_time(cx->arena, since)};
	const char *fields = shape_columns(&audit_shape);
	uint64_t until;
	struct query_page page;
	const struct query_list l = {
		.entity = "Log",
		.from = arena_printf(cx->arena, "%s.audit", p->schema),
		.columns = arena_printf(cx->arena, "user_agent, %s", fields),
		.where = by == AUDIT_OF_USER ? "lower(user_id) = lower($1) AND created >= $2::timestamptz"
					     : "lower(resource) = lower($1) AND created >= $2::timestamptz",
		.n = 2,
		.v = v,
		.seq = "internal",
		.id = "internal",
		.flags = QUERY_ONLY_PAGE,
	};

	TRY(audit_flush(cx));	/* what this process has not written yet */
	TRY(query_list(cx, &l, &audit_shape, queries, NULL, &page));
	*total_out = page.total;
	until = loop_now() + AGENT_PATIENCE_MS;
	*out = (struct objs){.v = arena_array(cx->arena, void *, (page.res ? db_rows(page.res) : 0) + 1)};
	for (int i = 0; page.res != NULL && i < db_rows(page.res); i++) {
		struct audit_log *log = arena_new_of(cx->arena, struct audit_log);

		shape_read(cx, &audit_shape, log, page.res, i, 1);
		complete(cx, log, db_str(page.res, i, 0), until, hide_user);
		out->v[out->n++] = log;
	}
	return OK;
}
