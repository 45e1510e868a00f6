/* The audit log: a bounded queue, written in batches. An entry is one allocation that holds its texts.
 *
 * What must stay true: entries wait in the book of their project, of which one batch at a time is written. Projects take turns, and who
 * reads the log of one waits for what was queued there before, not for the entries of others. */
#include "model/audit.h"

#include <assert.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/protocol.h"
#include "core/vtime.h"
#include "io/country.h"
#include "model/agent.h"
#include "model/query.h"

enum { QUEUE_MAX = 10000, BATCH_MAX = 500, INTERVAL_MS = 250, FLUSH_MS = 10000, PAUSE_MS = 100 };
enum { TEXTS = 9, USER_AGENT_MAX = 1024, TEXT_MAX = 512 };

struct queued {
	struct queued *next;
	int64_t time;
	const char *text[TEXTS];	/* in the order of the columns below */
};

enum { OF_USER = 0, OF_EVENT = 3 };	/* of these */

static const char columns[] = "user_id, user_name, user_email, event, resource, mode, ip, impersonator, user_agent";

struct waiter {			/* on the stack of who waits */
	struct waiter *next;
	struct fib_event ev;
};

struct book {			/* what one project has queued; gone when there is nothing and nobody */
	struct book *next;	/* on the list of those that are due */
	bool due;		/* it has entries, and no batch of it is being written */
	bool writing;
	struct queued *first, **last;
	unsigned n;
	uint64_t added, done;	/* entries since it was opened; `done` are written, or lost */
	struct waiter *waiters;	/* for the end of the batch */
	unsigned users;		/* fibers that hold it */
	char schema[];
};

static struct map *books;	/* by schema */
static struct book *due_first, **due_last = &due_first;
static unsigned n_queued;
static bool flushing, draining;

/* ---- books ---- */

static struct book *
book_open(const char *schema)
{
	struct book *b = map_get(books, str_c(schema));

	if (b != NULL)
		return b;
	b = mem_zalloc(sizeof *b + strlen(schema) + 1);
	strcpy(b->schema, schema);
	b->last = &b->first;
	(void)map_set(books, str_c(schema), b);
	return b;
}

/* After anything that may have left it with work, or without. */
static void
book_settle(struct book *b)
{
	if (b->n > 0 && !b->writing && !b->due) {
		b->due = true;
		b->next = NULL;
		*due_last = b;
		due_last = &b->next;
	}
	if (b->n > 0 || b->writing || b->users > 0)
		return;
	assert(!b->due && b->waiters == NULL && b->added == b->done);
	(void)map_del(books, str_c(b->schema));
	free(b);
}

static void
not_due(struct book *b)
{
	struct book **at = &due_first;

	assert(b->due);
	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	if (*at == NULL)
		due_last = at;
	b->due = false;
}

/* ---- the queue ---- */

static const char *
put_text(char **at, const char *s, size_t max)
{
	size_t n = str_head(str_c(s), max).n;
	char *to = *at;

	memcpy(to, s, n);
	to[n] = '\0';
	*at += n + 1;
	return to;
}

void
audit_add(const struct project *p, const struct audit_entry *e)
{
	const char *const text[TEXTS] = {e->user_id, e->user_name, e->user_email, e->event, e->resource, e->mode, e->ip, e->impersonator ? e->impersonator : "", e->user_agent};
	size_t size = sizeof(struct queued);
	struct book *b;
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
	for (int i = 0; i < TEXTS; i++)
		q->text[i] = put_text(&at, text[i], i == TEXTS - 1 ? USER_AGENT_MAX : TEXT_MAX);
	if (books == NULL)
		books = map_new();
	b = book_open(p->schema);
	*b->last = q;
	b->last = &q->next;
	b->n++;
	b->added++;
	n_queued++;
	book_settle(b);
}

/* Takes the oldest entries. */
static struct queued *
take_batch(struct book *b, unsigned *n_out)
{
	struct queued *batch = b->first, **end = &b->first;
	unsigned n = 0;

	for (; *end != NULL && n < BATCH_MAX; n++)
		end = &(*end)->next;
	b->first = *end;
	*end = NULL;
	if (b->first == NULL)
		b->last = &b->first;
	b->n -= n;
	n_queued -= n;
	*n_out = n;
	return batch;
}

static void
audit_put_back(struct book *b, struct queued *batch, unsigned n)
{
	struct queued *end = batch;

	while (end->next != NULL)
		end = end->next;
	end->next = b->first;
	if (b->first == NULL)
		b->last = &end->next;
	b->first = batch;
	b->n += n;
	n_queued += n;
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
audit_write_batch(struct ctx *cx, const char *schema, const struct queued *batch, unsigned n)
{
	const char **list = arena_array(cx->arena, const char *, n), *v[TEXTS + 1];

	for (int c = 0; c <= TEXTS; c++) {
		const struct queued *q = batch;

		for (unsigned i = 0; i < n; i++, q = q->next)
			list[i] = c < TEXTS ? q->text[c] : pg_time(cx->arena, q->time);
		v[c] = pg_array(cx->arena, list, (int)n);
	}
	return db_exec(cx, NULL,
	    arena_printf(cx->arena,
		"INSERT INTO %s.audit (%s, created) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], "
		"$6::text[], $7::text[], $8::text[], $9::text[], $10::timestamptz[])",
		schema, columns),
	    TEXTS + 1, v);
}

static void
wake(struct book *b)
{
	struct waiter *next;

	for (struct waiter *w = b->waiters; w != NULL; w = next) {
		next = w->next;
		fib_signal(&w->ev);
	}
	b->waiters = NULL;
}

static void
note_written(const struct book *b, const struct queued *batch)
{
	for (const struct queued *q = batch; q != NULL; q = q->next)
		audit_trim_note(b->schema, q->text[OF_USER], q->text[OF_EVENT]);
}

/* Awaits. One batch of a book that is due. */
static err_t
write_book(struct ctx *cx, struct book *b)
{
	struct queued *batch;
	unsigned n;
	err_t e;

	not_due(b);
	batch = take_batch(b, &n);
	b->writing = true;
	e = audit_write_batch(cx, b->schema, batch, n);
	b->writing = false;
	if (e == ERR_DB_DOWN || e == ERR_DB_BUSY) {	/* certainly not written: later */
		audit_put_back(b, batch, n);
	} else {
		b->done += n;
		if (e == OK)
			note_written(b, batch);
		free_batch(batch);
	}
	wake(b);
	if (e == OK || e == ERR_DB_DOWN || e == ERR_DB_BUSY) {
		book_settle(b);
		return e;
	}
	/* perhaps written, or the project is gone: no second try, the others go on */
	metric_add(M_audit_dropped, n);
	log_warn(cx, "audit entries lost", "schema=%s entries=%u error=%s detail=%s", b->schema, n, err_info(e)->name, cx->detail ? cx->detail : "");
	book_settle(b);
	return e == ERR_TIMEOUT || e == ERR_CANCELLED ? e : OK;
}

err_t
audit_flush(struct ctx *cx)
{
	while (due_first != NULL)
		TRY(write_book(cx, due_first));
	return audit_trim_due(cx);
}

/* Awaits the end of the batch that is being written. */
static err_t
await_batch(struct ctx *cx, struct book *b)
{
	struct waiter w = {.next = b->waiters};
	err_t e;

	b->waiters = &w;
	e = fib_await(cx, &w.ev);
	if (!w.ev.set) {
		struct waiter **at = &b->waiters;

		while (*at != &w)
			at = &(*at)->next;
		*at = w.next;
	}
	return e;
}

/* Awaits. What is queued for this project now. */
static err_t
flush_own(struct ctx *cx, const char *schema)
{
	struct book *b = books ? map_get(books, str_c(schema)) : NULL;
	uint64_t until;
	err_t e = OK;

	if (b == NULL)
		return OK;
	until = b->added;
	b->users++;
	while (e == OK && b->done < until)
		e = b->writing ? await_batch(cx, b) : write_book(cx, b);
	b->users--;
	book_settle(b);
	return e;
}

static void audit_on_tick(void *arg);

static void
audit_flush_fiber(struct ctx *cx, void *arg)
{
	err_t e = audit_flush(cx);

	(void)arg;
	if (e != OK)
		log_warn(cx, "audit log waits", "entries=%u error=%s", n_queued, err_info(e)->name);
	if (draining && e == ERR_DB_BUSY && fib_sleep(cx, PAUSE_MS) != OK)
		log_debug(cx, "the pause was cut short", NULL);
	flushing = false;
	if (draining && (e == OK || e == ERR_DB_BUSY))	/* what came meanwhile, or found no connection */
		audit_on_tick(NULL);
}

static void
audit_on_tick(void *arg)
{
	(void)arg;
	if (due_first == NULL || flushing)
		return;
	flushing = true;
	fib_spawn_new("audit", FLUSH_MS, audit_flush_fiber, NULL);
}

void
audit_drain(void)
{
	draining = true;
	audit_on_tick(NULL);
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
		timer = loop_every(INTERVAL_MS, audit_on_tick, NULL);
}

/* ---- reading ---- */

static const char *const user_types[] = {"user", "admin", "hidden", NULL};
static const char *const modes[] = {"default", "admin", "", NULL};
static const struct field audit_fields[] = {
	FIELD(F_STR, struct audit_log, event, "event", "event", "What was done."),
	FIELD(F_STR, struct audit_log, user_id, "userId", "user_id", "User ID; empty in lists that hide who it was."),
	FIELD(F_STR, struct audit_log, user_email, "userEmail", "user_email", "User e-mail address."),
	FIELD(F_STR, struct audit_log, user_name, "userName", "user_name", "User name."),
	FIELD_ENUM(modes, struct audit_log, mode, "mode", "mode", "default, or admin for the console's admin mode; empty in lists that hide who it was."),
	FIELD_ENUM(user_types, struct audit_log, user_type, "userType", NULL, "user, or admin for the console's admin mode; hidden in lists that hide who it was.", .since = SINCE_CONSOLES),
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

/* Somebody else's, for a client: as much of who it was as the project shows of the members of a team. */
static void
veil_log(const struct project *p, struct audit_log *l)
{
	l->ip = l->user_email = "";
	l->user_id = p->shows.user_id ? l->user_id : "";
	l->user_name = p->shows.user_name ? l->user_name : "";
}

static void
complete(struct ctx *cx, const struct project *p, struct audit_log *l, struct str user_agent, uint64_t until, bool hide_user, const char *viewer)
{
	bool veiled = viewer != NULL && !str_ieq(str_c(viewer), str_c(l->user_id));
	struct agent g = agent_of(cx, veiled ? STR("") : user_agent, until);
	struct country c;

	if (veiled)
		veil_log(p, l);
	c = country_of(cx->arena, l->ip, cx->locale);
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
	l->user_type = hide_user ? "hidden" : strcmp(l->mode, "admin") == 0 ? "admin" : "user";
	if (hide_user)
		l->user_id = l->user_email = l->user_name = l->mode = "";
}

err_t
audit_list(struct ctx *cx, const struct project *p, enum audit_by by, const char *what, int64_t since, const struct strs *queries,
    bool hide_user, const char *viewer, int64_t *total_out, struct objs *out)
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

	TRY(flush_own(cx, p->schema));	/* what this process has not written yet */
	TRY(query_list(cx, &l, &audit_shape, queries, NULL, &page));
	*total_out = page.total;
	until = loop_now() + AGENT_PATIENCE_MS;
	*out = (struct objs){.v = arena_array(cx->arena, void *, (page.res ? db_rows(page.res) : 0) + 1)};
	for (int i = 0; page.res != NULL && i < db_rows(page.res); i++) {
		struct audit_log *log = arena_new_of(cx->arena, struct audit_log);

		shape_read(cx, &audit_shape, log, page.res, i, 1);
		complete(cx, p, log, db_str(page.res, i, 0), until, hide_user, viewer);
		out->v[out->n++] = log;
	}
	return OK;
}
