/* Logical replication over libpq: connecting on a thread, then everything on the loop.
 *
 * pgoutput, protocol version 1: BEGIN, the messages, COMMIT, one committed transaction after the other. The connection is made by a
 * thread of the pool because libpq resolves names synchronously; afterwards only the loop touches it. */
#include "io/repl.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <uv.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/offload.h"

#define PG_EPOCH_MS INT64_C(946684800000)	/* 2000-01-01 */

enum { REPL_MAGIC = 0x7265706c, SLICE = 256 };

enum repl_state {
	REPL_IDLE,	/* connected, takes statements */
	REPL_ASKING,	/* a statement is under way */
	REPL_STREAMING,
	REPL_CLOSED	/* lost; waits for repl_close */
};

struct repl {
	unsigned magic;
	enum repl_state state;
	struct repl_handler h;
	PGconn *pg;
	uv_poll_t *poll;
	int events;
	bool paused, soon;
	bool starting;			/* the statement is START_REPLICATION */
	PGresult *res;			/* of the statement */
	char code[6];			/* SQLSTATE of what ended the stream */
	struct fib_event done;
	/* the transaction that is being read */
	bool in_tx;
	struct repl_tx tx;
	uint64_t index;
	uint64_t server_end, confirmed;
};

struct reader {			/* big-endian fields of a replication message */
	const unsigned char *p;
	size_t n;
	bool bad;
};

static void db_repl_take(struct repl *r);

/* ---- watching the socket ---- */

static void
db_repl_poll_closed(uv_handle_t *h)
{
	free(h);
}

static void
unwatch(struct repl *r)
{
	if (r->poll != NULL)
		uv_close((uv_handle_t *)r->poll, db_repl_poll_closed);
	if (r->poll != NULL)
		r->poll->data = NULL;
	r->poll = NULL;
	r->events = 0;
}

static void
lost(struct repl *r, const char *why)
{
	char text[256];

	if (r->state == REPL_CLOSED)
		return;
	snprintf(text, sizeof text, "%.*s", (int)strcspn(why, "\n"), why);
	unwatch(r);
	if (r->state == REPL_ASKING) {
		r->state = REPL_CLOSED;
		fib_signal(&r->done);
		return;
	}
	r->state = REPL_CLOSED;
	r->h.closed(text, r->h.arg);
}

static void
db_repl_on_poll(uv_poll_t *h, int status, int events)
{
	struct repl *r = h->data;

	if (r == NULL)
		return;
	assert(r->magic == REPL_MAGIC);
	(void)events;
	if (status < 0 || PQflush(r->pg) < 0 || ((events & UV_READABLE) && !PQconsumeInput(r->pg))) {
		lost(r, PQerrorMessage(r->pg));
		return;
	}
	db_repl_take(r);
}

static void
db_repl_watch(struct repl *r)
{
	int left = PQflush(r->pg);
	int events = (r->paused ? 0 : UV_READABLE) | (left > 0 ? UV_WRITABLE : 0);

	if (r->state == REPL_CLOSED || events == r->events)
		return;
	r->events = events;
	if (r->poll == NULL) {
		r->poll = mem_zalloc(sizeof *r->poll);
		if (uv_poll_init(loop_uv(), r->poll, PQsocket(r->pg)) != 0)
			abort();	/* the socket is open and nobody else's */
		r->poll->data = r;
	}
	if (events != 0)
		uv_poll_start(r->poll, events, db_repl_on_poll);
	else
		uv_poll_stop(r->poll);
}

/* ---- messages ---- */

static uint64_t
db_repl_get(struct reader *in, size_t bytes)
{
	uint64_t v = 0;

	if (in->n < bytes) {
		in->bad = true;
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | in->p[i];
	in->p += bytes;
	in->n -= bytes;
	return v;
}

static struct str
get_bytes(struct reader *in, size_t n)
{
	struct str s = {(const char *)in->p, n};

	if (in->bad || in->n < n) {
		in->bad = true;
		return STR_NONE;
	}
	in->p += n;
	in->n -= n;
	return s;
}

static struct str
get_cstr(struct reader *in)
{
	const unsigned char *end = in->n > 0 ? memchr(in->p, 0, in->n) : NULL;
	struct str s;

	if (end == NULL) {
		in->bad = true;
		return STR_NONE;
	}
	s = get_bytes(in, (size_t)(end - in->p));
	(void)db_repl_get(in, 1);
	return s;
}

static void
take_message(struct repl *r, struct reader *in)
{
	bool transactional = db_repl_get(in, 1) & 1;
	struct str prefix, content;

	(void)db_repl_get(in, 8);	/* its own LSN */
	prefix = get_cstr(in);
	content = get_bytes(in, (size_t)db_repl_get(in, 4));
	if (in->bad || !transactional || !r->in_tx)
		return;
	r->h.message(&r->tx, r->index++, prefix, content, r->h.arg);
}

static void
take_change(struct repl *r, struct reader *in)
{
	switch (db_repl_get(in, 1)) {
	case 'B':
		r->tx.commit_lsn = db_repl_get(in, 8);
		r->tx.commit_ms = (int64_t)db_repl_get(in, 8) / 1000 + PG_EPOCH_MS;
		r->tx.xid = (uint32_t)db_repl_get(in, 4);
		r->index = 0;
		r->in_tx = !in->bad;
		break;
	case 'M':
		take_message(r, in);
		break;
	case 'C': {
		uint64_t end;

		(void)db_repl_get(in, 1 + 8);
		end = db_repl_get(in, 8);
		r->in_tx = false;
		if (!in->bad)
			r->h.progress(end, r->h.arg);
		break;
	}
	default:		/* rows of tables that somebody put into the publication, their descriptions, origins */
		break;
	}
}

static uint64_t
db_repl_later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
send_status(struct repl *r)
{
	struct timespec ts;
	uint64_t f[4] = {r->confirmed, r->confirmed, r->confirmed, 0};
	char msg[34] = {'r'};

	clock_gettime(CLOCK_REALTIME, &ts);
	f[3] = (uint64_t)((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 - PG_EPOCH_MS * 1000);
	for (int i = 0; i < 32; i++)
		msg[1 + i] = (char)(f[i / 8] >> (56 - 8 * (i % 8)));
	if (PQputCopyData(r->pg, msg, sizeof msg) > 0)
		db_repl_watch(r);
	/* else the connection is dead: the next read says so */
}

static void
take_copy(struct repl *r, const char *p, int n)
{
	struct reader in = {(const unsigned char *)p, (size_t)n, false};
	uint64_t end;

	switch (db_repl_get(&in, 1)) {
	case 'w':
		(void)db_repl_get(&in, 8);
		r->server_end = db_repl_later(r->server_end, db_repl_get(&in, 8));
		(void)db_repl_get(&in, 8);
		if (!in.bad)
			take_change(r, &in);
		break;
	case 'k':
		end = db_repl_get(&in, 8);
		(void)db_repl_get(&in, 8);
		if (in.bad)
			break;
		r->server_end = db_repl_later(r->server_end, end);
		if (db_repl_get(&in, 1) == 1)
			send_status(r);
		/* within a transaction it may speak of what has not been handed over yet */
		if (!r->in_tx)
			r->h.progress(end, r->h.arg);
		break;
	}
	if (in.bad)
		log_warn(NULL, "a replication message was cut short", NULL);
}

static void
db_repl_go_on(void *arg)
{
	struct repl *r = arg;

	r->soon = false;
	if (r->magic == 0)
		free(r);	/* closed meanwhile */
	else if (r->state == REPL_STREAMING)
		db_repl_take(r);
}

/* What remains is taken at the next turn of the loop. */
static void
later_on(struct repl *r)
{
	if (!r->soon)
		loop_soon(db_repl_go_on, r);
	r->soon = true;
}

/* "" when there is none. */
static const char *
sql_state(const PGresult *res)
{
	const char *state = res != NULL ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

	return state != NULL ? state : "";
}

static void
take_stream(struct repl *r)
{
	for (int i = 0; i < SLICE && r->state == REPL_STREAMING && !r->paused; i++) {
		char *p;
		int n = PQgetCopyData(r->pg, &p, 1);

		if (n == 0) {
			db_repl_watch(r);
			return;
		}
		if (n < 0) {	/* the reason is a result */
			PGresult *res = n == -1 ? PQgetResult(r->pg) : NULL;

			snprintf(r->code, sizeof r->code, "%s", sql_state(res));
			lost(r, res != NULL ? PQresultErrorMessage(res) : PQerrorMessage(r->pg));
			PQclear(res);
			return;
		}
		take_copy(r, p, n);
		PQfreemem(p);
	}
	if (r->state != REPL_STREAMING)
		return;
	db_repl_watch(r);
	if (!r->paused)
		later_on(r);
}

static void
take_answer(struct repl *r)
{
	while (!PQisBusy(r->pg)) {
		PGresult *res = PQgetResult(r->pg);
		bool both = res != NULL && PQresultStatus(res) == PGRES_COPY_BOTH;

		if (res != NULL) {
			if (r->res == NULL)
				r->res = res;
			else
				PQclear(res);
			if (!both)
				continue;
		}
		r->state = both ? REPL_STREAMING : REPL_IDLE;
		fib_signal(&r->done);
		break;
	}
	if (PQstatus(r->pg) == CONNECTION_BAD)
		lost(r, PQerrorMessage(r->pg));
}

static void
db_repl_take(struct repl *r)
{
	if (r->state == REPL_ASKING)
		take_answer(r);
	if (r->state == REPL_STREAMING)
		take_stream(r);
	if (r->state == REPL_IDLE || r->state == REPL_ASKING)
		db_repl_watch(r);
}

/* ---- connecting and asking ---- */

static void
connect_now(void *arg)
{
	static const char *const names[] = {"dbname", "replication", "fallback_application_name", "connect_timeout", "client_encoding",
	    "options", NULL};
	const char *const values[] = {*conf.relay_db_url ? conf.relay_db_url : conf.db_url, "database", "badal relay", "10", "UTF8", "-c statement_timeout=0", NULL};

	*(PGconn **)arg = PQconnectdbParams(names, values, 1);
}

err_t
repl_open(struct ctx *cx, const struct repl_handler *h, struct repl **out)
{
	PGconn *pg = NULL;
	struct repl *r;
	err_t e = offload(cx, LANE_resolve, connect_now, &pg);

	if (e == OK && PQstatus(pg) != CONNECTION_OK)
		e = fail(cx, ERR_DB_DOWN, "%s", PQerrorMessage(pg));
	if (e != OK || PQsetnonblocking(pg, 1) != 0) {
		PQfinish(pg);
		return e != OK ? e : fail(cx, ERR_DB_DOWN, "no non-blocking connection");
	}
	r = mem_zalloc(sizeof *r);
	r->magic = REPL_MAGIC;
	r->h = *h;
	r->pg = pg;
	*out = r;
	return OK;
}

static err_t
db_repl_ask(struct ctx *cx, struct repl *r, const char *sql)
{
	err_t e;

	assert(r->magic == REPL_MAGIC && r->state != REPL_STREAMING && r->state != REPL_ASKING);
	if (r->state == REPL_CLOSED)
		return fail(cx, ERR_DB_DOWN, "connection lost");
	fib_event_reset(&r->done);
	PQclear(r->res);
	r->res = NULL;
	r->state = REPL_ASKING;
	if (!PQsendQuery(r->pg, sql)) {
		r->state = REPL_CLOSED;
		return fail(cx, ERR_DB_DOWN, "%s", PQerrorMessage(r->pg));
	}
	db_repl_watch(r);
	e = fib_await(cx, &r->done);
	if (!r->done.set) {
		unwatch(r);
		r->state = REPL_CLOSED;	/* an answer nobody waits for would confuse the next question */
		return e;
	}
	if (r->state == REPL_CLOSED && r->res == NULL)
		return fail(cx, ERR_DB_DOWN, "%s", PQerrorMessage(r->pg));
	return OK;
}

static err_t
refused(struct ctx *cx, const PGresult *res)
{
	const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	cx->code = arena_strdup(cx->arena, sql_state(res));
	return fail(cx, strcmp(cx->code, "55006") == 0 ? ERR_DB_BUSY : ERR_DB, "%s", text ? text : PQresultErrorMessage(res));
}

err_t
repl_row(struct ctx *cx, struct repl *r, struct strs *row_out, const char *sql)
{
	ExecStatusType st;

	*row_out = (struct strs){0};
	TRY(db_repl_ask(cx, r, sql));
	st = PQresultStatus(r->res);
	if (st != PGRES_TUPLES_OK && st != PGRES_COMMAND_OK)
		return refused(cx, r->res);
	if (PQntuples(r->res) == 0)
		return OK;
	row_out->set = true;
	row_out->n = PQnfields(r->res);
	row_out->v = arena_array(cx->arena, const char *, row_out->n);
	for (int i = 0; i < row_out->n; i++)
		row_out->v[i] = PQgetisnull(r->res, 0, i) ? NULL : arena_strdup(cx->arena, PQgetvalue(r->res, 0, i));
	return OK;
}

err_t
repl_start(struct ctx *cx, struct repl *r, const char *slot, const char *publication)
{
	TRY(db_repl_ask(cx, r, arena_printf(cx->arena, "START_REPLICATION SLOT \"%s\" LOGICAL 0/0 (proto_version '1', publication_names '%s', "
	    "messages 'true')", slot, publication)));
	if (PQresultStatus(r->res) != PGRES_COPY_BOTH)
		return refused(cx, r->res);
	return OK;
}

void
repl_pause(struct repl *r)
{
	r->paused = true;
	if (r->state == REPL_STREAMING)
		db_repl_watch(r);
}

void
repl_resume(struct repl *r)
{
	if (!r->paused)
		return;
	r->paused = false;
	if (r->state == REPL_STREAMING)
		later_on(r);
}

void
repl_confirm(struct repl *r, uint64_t lsn)
{
	r->confirmed = db_repl_later(r->confirmed, lsn);
	if (r->state == REPL_STREAMING)
		send_status(r);
}

bool
repl_undecodable(const struct repl *r)
{
	return strcmp(r->code, "42704") == 0;
}

uint64_t
repl_confirmed(const struct repl *r)
{
	return r->confirmed;
}

uint64_t
repl_server_end(const struct repl *r)
{
	return r->server_end;
}

void
repl_close(struct repl **rp)
{
	struct repl *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	assert(r->magic == REPL_MAGIC && r->done.waiter == NULL);
	(void)PQflush(r->pg);
	unwatch(r);
	PQclear(r->res);
	PQfinish(r->pg);
	r->magic = 0;
	if (!r->soon)
		free(r);
}

bool
lsn_parse(const char *text, uint64_t *out)
{
	unsigned hi, lo;
	int n = 0;

	if (text == NULL || sscanf(text, "%8X/%8X%n", &hi, &lo, &n) != 2 || text[n] != '\0')
		return false;
	*out = (uint64_t)hi << 32 | lo;
	return true;
}
