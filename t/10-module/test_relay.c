/* The relay against real servers: order, once, whatever is killed. The witness is a second slot of the same database. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "io/bus.h"
#include "model/event.h"
#include "model/job.h"
#include "relay/relay.h"
#include "servers.h"

enum {
	PATIENCE = 120,		/* seconds until something must have happened */
	WRITERS = 3
};

static struct server *pg, *redis;
static redisContext *rc;

/* ---- helpers ---- */

static void
on_term(int signo)
{
	(void)signo;
	relay_drain();
}

/* A relay in a process of its own. */
static pid_t
relay_fork(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	loop_init();
	loop_on_signal(SIGTERM, on_term);
	if (!relay_init())
		_exit(1);
	loop_run();
	_exit(0);
}

static void
reap(pid_t pid, int signo)
{
	kill(pid, signo);
	waitpid(pid, NULL, 0);
}

static PGconn *
pg_connect(void)
{
	PGconn *c = PQconnectdb(conf.db_url);

	cr_assert_eq(PQstatus(c), CONNECTION_OK, "%s", PQerrorMessage(c));
	return c;
}

static PGresult *
sql(PGconn *c, const char *text)
{
	PGresult *r = PQexec(c, text);

	cr_assert(PQresultStatus(r) == PGRES_TUPLES_OK || PQresultStatus(r) == PGRES_COMMAND_OK, "%s: %s", text, PQerrorMessage(c));
	return r;
}

static void
run_sql(const char *text)
{
	PGconn *c = pg_connect();

	PQclear(sql(c, text));
	PQfinish(c);
}

static void
rc_connect(void)
{
	if (rc != NULL)
		redisFree(rc);
	rc = redisConnectUnix(server_url(redis) + strlen("unix://"));
	cr_assert(rc != NULL && rc->err == 0);
}

static redisReply *
cmd(const char *fmt, ...)
{
	redisReply *r;
	va_list ap;

	va_start(ap, fmt);
	r = redisvCommand(rc, fmt, ap);
	va_end(ap);
	cr_assert_not_null(r, "%s: %s", fmt, rc->errstr);
	return r;
}

static long long
number(const char *fmt, const char *arg)
{
	redisReply *r = cmd(fmt, arg);
	long long v = r->integer;

	cr_assert_eq(r->type, REDIS_REPLY_INTEGER, "%s", r->str ? r->str : fmt);
	freeReplyObject(r);
	return v;
}

/* A field of the last announcement, "" when there is none. */
static const char *
announcement(const char *field)
{
	static char text[4][BUS_NAME_MAX];
	static int turn;
	char *out = text[turn++ % 4];
	redisReply *r = cmd("XREVRANGE %s + - COUNT 1", BUS_CURRENT);

	*out = '\0';
	for (size_t i = 0; r->elements > 0 && i < r->element[0]->element[1]->elements; i += 2)
		if (strcmp(r->element[0]->element[1]->element[i]->str, field) == 0)
			snprintf(out, BUS_NAME_MAX, "%s", r->element[0]->element[1]->element[i + 1]->str);
	freeReplyObject(r);
	return out;
}

/* The announced stream's name, "" when there is none. */
static const char *
current(void)
{
	return announcement("g");
}

static const char *
key_of(enum stream_key what, int shard, const char *name)
{
	static char text[4][BUS_KEY_MAX];
	static int turn;

	return stream_key(what, shard, name, text[turn++ % 4]);
}

/* Events in the shards of a stream. */
static long long
entries(const char *name)
{
	int shards = atoi(announcement("n"));
	long long n = 0;

	for (int i = 0; i < shards; i++) {
		redisReply *r = cmd("XRANGE %s - +", key_of(STREAM_EVENTS, i, name));

		for (size_t k = 0; k < r->elements; k++) {
			redisReply *f = r->element[k]->element[1];

			n += strcmp(f->element[0]->str, "n") == 0 ? atoi(f->element[1]->str) : 1;
		}
		freeReplyObject(r);
	}
	return n;
}

#define UNTIL(cond)                                                            \
	do {                                                                   \
		int tries_ = 0;                                                \
		while (!(cond)) {                                              \
			cr_assert_lt(tries_++, PATIENCE * 50, "waited for %s", #cond); \
			usleep(20000);                                         \
		}                                                              \
	} while (0)

static bool
announced(const char *other_than)
{
	const char *k = current();

	return k[0] != '\0' && strcmp(k, other_than) != 0;
}

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", getenv("TEST_LOG") ? getenv("TEST_LOG") : "error", false);
	pg = server_pg();
	redis = server_redis();
	conf.db_url = server_url(pg);
	conf.redis_url = server_url(redis);
	rc_connect();
}

static void
teardown(void)
{
	if (rc != NULL)
		redisFree(rc);
	rc = NULL;
	servers_clean();
}

TestSuite(relay, .init = setup, .fini = teardown, .timeout = 600);

/* ---- the witness ---- */

struct list {
	int n, cap;
	char **v;
};

static void
list_add(struct list *l, const char *s, size_t n)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 1024;
		l->v = mem_realloc(l->v, (size_t)l->cap * sizeof *l->v);
	}
	l->v[l->n] = mem_alloc(n + 1);
	memcpy(l->v[l->n], s, n);
	l->v[l->n++][n] = '\0';
}

/* Of each its length, a space, and itself. */
static void
list_pack(struct list *l, const char *p, size_t n)
{
	for (const char *end = p + n; p < end;) {
		char *text;
		size_t len = strtoul(p, &text, 10);

		list_add(l, text + 1, len);
		p = text + 1 + len;
	}
}

/* Contents of the messages with this prefix, of events those of packs too, in commit order, as another slot decodes them. */
static struct list
witness(const char *prefix)
{
	PGconn *c = pg_connect();
	const char *q = "SELECT data FROM pg_logical_slot_peek_binary_changes('witness', NULL, NULL, 'proto_version', '1', "
	    "'publication_names', 'badal', 'messages', 'true')";
	PGresult *r = PQexecParams(c, q, 0, NULL, NULL, NULL, NULL, 1);
	struct list l = {0};

	cr_assert_eq(PQresultStatus(r), PGRES_TUPLES_OK, "%s", PQerrorMessage(c));
	for (int i = 0; i < PQntuples(r); i++) {
		const char *p = PQgetvalue(r, i, 0), *name = p + 10;
		size_t n = (size_t)PQgetlength(r, i, 0), head = 10 + strlen(name) + 1 + 4;

		if (p[0] == 'M' && strcmp(name, prefix) == 0)
			list_add(&l, p + head, n - head);
		else if (p[0] == 'M' && strcmp(prefix, "event") == 0 && strcmp(name, "events") == 0)
			list_pack(&l, p + head, n - head);
	}
	PQclear(r);
	PQfinish(c);
	return l;
}

/* What one entry has, as "header\nbody"; `at`, unless NULL: the places of its events. The id is that of the last. */
static void
entry_events(const redisReply *e, struct list *out, struct stream_pos *at)
{
	const redisReply *f = e->element[1];
	struct stream_pos pos;
	struct event_unpack u;
	static char text[32 * 1024];
	int n;

	cr_assert(stream_pos_parse(str_c(e->element[0]->str), &pos));
	if (strcmp(f->element[0]->str, "h") == 0) {
		n = snprintf(text, sizeof text, "%s\n%s", f->element[1]->str, f->element[3]->str);
		list_add(out, text, (size_t)n);
		if (at != NULL)
			*at = pos;
		return;
	}
	cr_assert_str_eq(f->element[0]->str, "n");
	cr_assert_str_eq(f->element[2]->str, "m");
	pos.index -= (uint64_t)atoi(f->element[1]->str) - 1;
	event_unpack_init(&u, (struct str){f->element[3]->str, f->element[3]->len});
	for (int i = 0; i < atoi(f->element[1]->str); i++, pos.index++) {
		struct str header, body;

		cr_assert(event_unpack_next(&u));
		event_unpack_whole(&u, &header, &body);
		n = snprintf(text, sizeof text, "%.*s\n%.*s", STR_FMT(header), STR_FMT(body));
		list_add(out, text, (size_t)n);
		if (at != NULL)
			at[i] = pos;
	}
	cr_assert_not(event_unpack_next(&u));
	cr_assert_not(u.bad);
	event_unpack_fini(&u);
}

/* "header\nbody" of the stream's events; their places must ascend. */
static struct list
stream(const char *key)
{
	struct stream_pos last = {0, 0}, at[128];
	struct list l = {0};
	redisReply *r = cmd("XRANGE %s - +", key);

	for (size_t i = 0; i < r->elements; i++) {
		int had = l.n;

		entry_events(r->element[i], &l, at);
		for (int k = 0; k < l.n - had; k++) {
			cr_assert_gt(stream_pos_cmp(at[k], last), 0);
			last = at[k];
		}
	}
	freeReplyObject(r);
	return l;
}

/* Those whose project is of the shard. */
static struct list
of_shard(struct list all, int shard, int shards)
{
	struct list l = {0};
	char id[64];

	for (int i = 0; i < all.n; i++) {
		cr_assert_eq(sscanf(all.v[i], "{\"p\":\"%63[^\"]", id), 1, "%s", all.v[i]);
		if (stream_shard(str_c(id), shards) == shard)
			list_add(&l, all.v[i], strlen(all.v[i]));
	}
	return l;
}

static void
same(struct list a, struct list b)
{
	cr_assert_eq(a.n, b.n, "%d in the WAL, %d in the stream", a.n, b.n);
	for (int i = 0; i < a.n; i++)
		cr_assert_str_eq(a.v[i], b.v[i], "at %d of %d", i, a.n);
}

/* Publication and slots as the first relay makes them, and the witness beside. */
static void
begin(void)
{
	pid_t r = relay_fork();

	UNTIL(announced(""));
	reap(r, SIGTERM);
	run_sql("SELECT pg_create_logical_replication_slot('witness', 'pgoutput')");
}

/* ---- load ---- */

struct load {
	volatile int stop, events, jobs;
};

static void
write_load(struct load *l, int who)
{
	PGconn *c = pg_connect();
	char q[900];

	for (int i = 0; !l->stop; i++) {
		int single = i % 7 == 0 ? 3 : 1, packed = i % 4 == 0 ? 2 * (i % 3) : 0, jobs = i % 5 == 0, events = single + packed;

		/* some before the others, many of them as one message (none as an empty one) */
		snprintf(q, sizeof q, "BEGIN; SELECT pg_logical_emit_message(true, 'events', coalesce(string_agg(octet_length(m) || ' ' || m, '' ORDER BY k), '')) FROM "
		    "(SELECT k, '{\"p\":\"project%d\",\"i\":%d,\"of\":' || k || E'}\\npäck' AS m FROM generate_series(1, %d) k) x, generate_series(1, 2) WHERE k %% 2 = generate_series %% 2 "
		    "GROUP BY generate_series; SELECT pg_logical_emit_message(true, 'event', '{\"p\":\"project%d\",\"i\":%d,\"k\":' || k || E'}\\npay\\nload') "
		    "FROM generate_series(1, %d) k; %s %s", who, i, packed, who, i, single,
		    jobs ? "SELECT pg_logical_emit_message(true, 'job', 'mail id' || txid_current() || E' 0\\n{}');" : "",
		    i % 11 == 10 ? "ROLLBACK" : "COMMIT");
		PQclear(sql(c, q));
		if (i % 11 == 10)
			continue;
		__sync_fetch_and_add(&l->events, events);
		__sync_fetch_and_add(&l->jobs, jobs);
		usleep(300);
	}
	PQfinish(c);
	_exit(0);
}

static bool
has(const struct list *l, const char *text)
{
	for (int i = l->n; i-- > 0;)
		if (strcmp(l->v[i], text) == 0)
			return true;
	return false;
}

/* At least once: an append-only file that was cut within a MULTI is continued behind its remains, and the next start of Redis plays
 * them too. Entries of the event stream are safe from that by their ids; jobs have an id for the consumer to know them by. */
static void
check_jobs(int want)
{
	struct list got = {0}, sent = witness("job");
	redisReply *r = cmd("XRANGE %s - +", JOB_KEYS "mail");

	for (size_t i = 0; i < r->elements; i++) {
		char text[200];

		snprintf(text, sizeof text, "mail %s\n%s", r->element[i]->element[1]->element[1]->str, r->element[i]->element[1]->element[3]->str);
		if (!has(&got, text))
			list_add(&got, text, strlen(text));
	}
	freeReplyObject(r);
	cr_assert_eq(got.n, want, "%d jobs in the stream, %d in the WAL, %d acknowledged", got.n, sent.n, want);
	same(sent, got);
}

static void
under_fire(int shards)
{
	struct load *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t writers[WRITERS], relay;

	begin();
	relay = relay_fork();
	for (int i = 0; i < WRITERS; i++)
		if ((writers[i] = fork()) == 0)
			write_load(l, i);
	srand((unsigned)getpid());
	for (int i = 0; i < 9; i++) {
		usleep(200000 + (useconds_t)(rand() % 500000));
		switch (i % 3) {
		case 0:
			reap(relay, SIGKILL);
			relay = relay_fork();
			break;
		case 1:
			server_kill(redis);
			server_start(redis);
			break;
		case 2:		/* and the newest entries did not survive */
			server_kill(redis);
			server_tear(redis, 5000);
			server_start(redis);
			break;
		}
	}
	l->stop = 1;
	for (int i = 0; i < WRITERS; i++)
		waitpid(writers[i], NULL, 0);
	rc_connect();
	cr_assert_gt(l->events, 200);
	UNTIL(entries(current()) >= l->events && number("XLEN %s", JOB_KEYS "mail") >= l->jobs);
	for (int i = 0; i < shards; i++)
		same(of_shard(witness("event"), i, shards), stream(key_of(STREAM_EVENTS, i, current())));
	check_jobs(l->jobs);
	reap(relay, SIGTERM);
}

Test(relay, every_commit_is_in_the_stream_once_and_in_order_whatever_is_killed)
{
	under_fire(1);
}

Test(relay, every_commit_is_in_its_shard_once_and_in_order_whatever_is_killed)
{
	conf.event_shards = 4;
	under_fire(4);
}

/* ---- the rest ---- */

/* The i-th event: its place in the transaction, header and body. */
static const char *
entry_text(const char *key, int i)
{
	static char text[200];
	struct stream_pos at[1000];
	struct list l = {0};
	redisReply *r = cmd("XRANGE %s - +", key);

	for (size_t k = 0; k < r->elements; k++)
		entry_events(r->element[k], &l, at + l.n);
	freeReplyObject(r);
	cr_assert_lt(i, l.n);
	*strchr(l.v[i], '\n') = '/';
	snprintf(text, sizeof text, "%llu %s", (unsigned long long)at[i].index, l.v[i]);
	return text;
}

/* Each event of a message has a place of its own, also where others stand before and behind; of one that is broken, those before the break are there. */
Test(relay, events_of_one_message_are_taken_apart)
{
	static const char *const want[] = {"0 one/1", "1 a/1", "2 b/\n2", "3 two/2", "5 c/3", "6 three/3", "0 d/4", "1 behind/5"};
	pid_t r = relay_fork();

	UNTIL(announced(""));
	run_sql("BEGIN; SELECT pg_logical_emit_message(true, 'event', E'one\n1'); SELECT pg_logical_emit_message(true, 'events', E'3 a\n14 b\n\n2');"
	    "SELECT pg_logical_emit_message(true, 'event', E'two\n2'); SELECT pg_logical_emit_message(true, 'events', ''); SELECT pg_logical_emit_message(true, 'events', E'3 c\n3');"
	    "SELECT pg_logical_emit_message(true, 'event', E'three\n3'); COMMIT");
	run_sql("BEGIN; SELECT pg_logical_emit_message(true, 'events', E'3 d\n499 short'); SELECT pg_logical_emit_message(true, 'event', E'behind\n5'); COMMIT");
	UNTIL(entries(current()) == (int)(sizeof want / sizeof *want));
	for (int i = 0; i < (int)(sizeof want / sizeof *want); i++)
		cr_expect_str_eq(entry_text(key_of(STREAM_EVENTS, 0, current()), i), want[i]);
	reap(r, SIGTERM);
}

/* What headers share is said once; one that stands alone may be among them, and what has no header is none. */
Test(relay, headers_of_one_message_are_put_together)
{
	static const char *const want[] = {"0 {\"v\":\"a\",\"c\":\".a\",\"q\":7}/1", "1 {\"v\":\"bb\",\"c\":\".bb\"}/\n2", "2 x/3", "3 {\"v\":\"c\",\"c\":\".c\",\"q\":12}/", "4 {d}/5",
	    "5 behind/6", "0 {\"v\":\"e\"}/7"};
	pid_t r = relay_fork();

	UNTIL(announced(""));
	run_sql("SELECT pg_logical_emit_message(true, 'events', E'h17 {\"v\":\"\177\",\"c\":\".\177\"e1 7 1 a1e2 0 2 bb\n23 x\n3e1 12 0 ch2 {\177e1 0 1 d5')");
	run_sql("SELECT pg_logical_emit_message(true, 'events', 'e1 7 1 a1'); SELECT pg_logical_emit_message(true, 'events', 'h9 {'); SELECT pg_logical_emit_message(true, 'events', 'h1 {e1 -7 1 a1');"
	    "SELECT pg_logical_emit_message(true, 'events', 'h1 {e1 7 99 a1'); SELECT pg_logical_emit_message(true, 'events', 'h'); SELECT pg_logical_emit_message(true, 'event', E'behind\n6')");
	run_sql("SELECT pg_logical_emit_message(true, 'events', E'h8 {\"v\":\"\177\"e1 0 1 e7e9999999999999999999 0 1 f8')");
	UNTIL(entries(current()) == (int)(sizeof want / sizeof *want));
	for (int i = 0; i < (int)(sizeof want / sizeof *want); i++)
		cr_expect_str_eq(entry_text(key_of(STREAM_EVENTS, 0, current()), i), want[i]);
	reap(r, SIGTERM);
}

static void
run_sql_of(const struct buf *b)
{
	cr_assert_not_null(b->p);
	run_sql(b->p);
}

/* A message of events with the numbers from n on, whose payload has so many bytes. */
static void
put_message(struct buf *b, const char *project, int n, int many, int bytes)
{
	char head[80];

	snprintf(head, sizeof head, "{\"p\":\"%s\",\"v\":[\"\177\"]", project);
	buf_printf(b, "h%zu %s", strlen(head), head);
	for (int i = n; i < n + many; i++)
		buf_printf(b, "e4 0 %d %04d%0*d", bytes, i, bytes, i);
}

static struct list
entry_sizes(const char *key)
{
	struct list l = {0};
	redisReply *r = cmd("XRANGE %s - +", key);

	for (size_t i = 0; i < r->elements; i++) {
		redisReply *f = r->element[i]->element[1];
		const char *n = strcmp(f->element[0]->str, "n") == 0 ? f->element[1]->str : "1";

		cr_expect_leq(f->element[3]->len, 65536);
		list_add(&l, n, strlen(n));
	}
	freeReplyObject(r);
	return l;
}

static void
sizes(const char *key, const char *want)
{
	struct list l = entry_sizes(key);
	char got[400] = "";

	for (int i = 0; i < l.n; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " " : "", l.v[i]);
	cr_expect_str_eq(got, want);
}

/* By number, by bytes, by the project, since each may be in another shard; one that is left alone has the form of all that are. */
Test(relay, events_of_one_message_stay_together_in_pieces)
{
	const char *key;
	pid_t r = relay_fork();
	struct buf b;
	int n = 0;

	UNTIL(announced(""));
	buf_init(&b, NULL, 1 << 20);
	BUF_LIT(&b, "SELECT pg_logical_emit_message(true, 'event', E'{\"p\":\"a\",\"first\":1}\n0'); SELECT pg_logical_emit_message(true, 'events', E'");
	put_message(&b, "a", 1, 300, 5);
	put_message(&b, "b", 301, 1, 5);
	put_message(&b, "a", 302, 9, 20000);
	BUF_LIT(&b, "27 {\"p\":\"a\",\"v\":[\"alone\"]}\nyes");
	BUF_LIT(&b, "e4 0 2 0312ab");
	BUF_LIT(&b, "'); SELECT pg_logical_emit_message(true, 'event', E'{\"p\":\"a\",\"last\":1}\n0')");
	run_sql_of(&b);
	buf_fini(&b);
	UNTIL(entries(current()) == 314);
	key = key_of(STREAM_EVENTS, 0, current());
	sizes(key, "1 128 128 44 1 3 3 5 1");
	struct list all = stream(key);
	cr_expect_str_eq(all.v[0], "{\"p\":\"a\",\"first\":1}\n0");
	for (n = 1; n <= 300; n++) {
		char want[80];

		snprintf(want, sizeof want, "{\"p\":\"a\",\"v\":[\"%04d\"]}\n%05d", n, n);
		cr_expect_str_eq(all.v[n], want);
	}
	cr_expect_str_eq(all.v[301], "{\"p\":\"b\",\"v\":[\"0301\"]}\n00301");
	cr_expect_str_eq(all.v[311], "{\"p\":\"a\",\"v\":[\"alone\"]}\nyes");
	cr_expect_str_eq(all.v[312], "{\"p\":\"a\",\"v\":[\"0312\"]}\nab");
	cr_expect_str_eq(all.v[313], "{\"p\":\"a\",\"last\":1}\n0");
	cr_expect(strncmp(entry_text(key, 313), "313 ", 4) == 0, "its place counts all of them");
	reap(r, SIGTERM);
}

/* A message of three events, while so many entries are there; each comes by itself. */
static void
emit_three(long long there)
{
	struct buf b;

	buf_init(&b, NULL, 4096);
	BUF_LIT(&b, "SELECT pg_logical_emit_message(true, 'events', E'");
	put_message(&b, "a", 1, 3, 5);
	BUF_LIT(&b, "')");
	run_sql_of(&b);
	buf_fini(&b);
	UNTIL(entries(current()) == there + 3);
}

Test(relay, events_of_one_message_are_put_in_one_by_one_if_asked_for)
{
	pid_t r;

	conf.event_packs = false;
	r = relay_fork();
	UNTIL(announced(""));
	emit_three(0);
	sizes(key_of(STREAM_EVENTS, 0, current()), "1 1 1");
	cr_expect_str_eq(entry_text(key_of(STREAM_EVENTS, 0, current()), 2), "2 {\"p\":\"a\",\"v\":[\"0003\"]}/00003");
	reap(r, SIGTERM);
}

/* Blocks in a read of the stream, as a process does that has no name: one of an earlier version. */
static redisContext *
earlier_reader(const char *command)
{
	redisContext *c = redisConnectUnix(server_url(redis) + strlen("unix://"));
	int done = 0;

	cr_assert(c != NULL && c->err == 0);
	freeReplyObject(redisCommand(c, "XGROUP CREATE somewhere g 0 MKSTREAM"));
	redisAppendCommand(c, command);
	while (!done)
		cr_assert_eq(redisBufferWrite(c, &done), REDIS_OK);
	return c;
}

#define NOTED (number("EXISTS %s", "relay:packs") == 1)

/* Those who would pass over them are seen by the name that they do not have; and that nobody is seen is believed when it lasts. */
Test(relay, events_go_one_by_one_while_somebody_of_an_earlier_version_reads)
{
	redisContext *old;
	const char *key;
	pid_t r;

	old = earlier_reader("XREAD BLOCK 0 STREAMS somewhere $");
	r = relay_fork();
	UNTIL(announced(""));
	key = key_of(STREAM_EVENTS, 0, current());
	emit_three(0);
	sizes(key, "1 1 1");
	redisFree(old);
	reap(r, SIGTERM);
	cr_expect(!NOTED);
	/* nobody any more: but another may come back at any moment */
	r = relay_fork();
	UNTIL(number("HLEN %s", "relay:streams") == 1);
	emit_three(3);
	sizes(key, "1 1 1 1 1 1");
	cr_expect(!NOTED);
	UNTIL(NOTED);
	emit_three(6);
	sizes(key, "1 1 1 1 1 1 3");
	/* known, and so at once */
	reap(r, SIGTERM);
	r = relay_fork();
	emit_three(9);
	sizes(key, "1 1 1 1 1 1 3 3");
	old = earlier_reader("XREADGROUP GROUP g c BLOCK 0 STREAMS somewhere >");
	UNTIL(!NOTED);
	emit_three(12);
	sizes(key, "1 1 1 1 1 1 3 3 1 1 1");
	redisFree(old);
	reap(r, SIGTERM);
}

/* Commit position of the last transaction that the witness sees. */
static unsigned long long
last_commit(void)
{
	PGconn *c = pg_connect();
	PGresult *r = PQexecParams(c, "SELECT data FROM pg_logical_slot_peek_binary_changes('witness', NULL, NULL, 'proto_version', '1', 'publication_names', 'badal', "
	    "'messages', 'true')", 0, NULL, NULL, NULL, NULL, 1);
	unsigned long long lsn = 0;

	for (int i = 0; i < PQntuples(r); i++) {
		const unsigned char *p = (const unsigned char *)PQgetvalue(r, i, 0);

		for (int k = 0; p[0] == 'B' && k < 8; k++)
			lsn = (k > 0 ? lsn << 8 : 0) | p[1 + k];
	}
	PQclear(r);
	PQfinish(c);
	return lsn;
}

/* The leader before put some in one by one, and went in the middle. */
Test(relay, what_is_there_of_a_message_is_not_put_in_again)
{
	const char *key, *pos;
	unsigned long long lsn;
	struct buf b;
	pid_t r;

	begin();
	buf_init(&b, NULL, 4096);
	BUF_LIT(&b, "SELECT pg_logical_emit_message(true, 'events', E'");
	put_message(&b, "a", 1, 3, 5);
	put_message(&b, "a", 4, 4, 5);
	BUF_LIT(&b, "')");
	run_sql_of(&b);
	buf_fini(&b);
	lsn = last_commit();
	key = key_of(STREAM_EVENTS, 0, current());
	pos = key_of(STREAM_POS, 0, current());
	for (int i = 0; i < 5; i++)
		freeReplyObject(cmd("XADD %s %llu-%d h {\"p\":\"a\",\"v\":[\"000%d\"]} b 0000%d", key, lsn, i, i + 1, i + 1));
	freeReplyObject(cmd("SET %s %llu-4", pos, lsn));
	r = relay_fork();
	UNTIL(entries(current()) == 7);
	sizes(key, "1 1 1 1 1 2");
	for (int i = 0; i < 7; i++) {
		char want[80];

		snprintf(want, sizeof want, "%d {\"p\":\"a\",\"v\":[\"000%d\"]}/0000%d", i, i + 1, i + 1);
		cr_expect_str_eq(entry_text(key, i), want);
	}
	reap(r, SIGTERM);
}

#define EMIT(n) run_sql("SELECT pg_logical_emit_message(true, 'event', 'h' || k || E'\\nb') FROM generate_series(1, " #n ") k")

Test(relay, another_database_begins_another_stream)
{
	pid_t r = relay_fork();
	char first[160], sysid[64];
	PGconn *c;
	PGresult *res;

	UNTIL(announced(""));
	snprintf(first, sizeof first, "%s", current());
	c = pg_connect();
	res = sql(c, "SELECT system_identifier FROM pg_control_system()");
	snprintf(sysid, sizeof sysid, "%s", PQgetvalue(res, 0, 0));
	cr_expect_str_eq(first, sysid);
	PQclear(res);
	PQfinish(c);
	EMIT(5);
	UNTIL(entries(first) == 5);
	reap(r, SIGTERM);

	server_stop(pg);
	pg = server_pg();
	conf.db_url = server_url(pg);
	r = relay_fork();
	UNTIL(announced(first));
	EMIT(3);
	UNTIL(entries(current()) == 3);
	cr_expect_eq(entries(first), 5);
	cr_expect_gt(number("PTTL %s", key_of(STREAM_EVENTS, 0, first)), 0);
	reap(r, SIGTERM);
}

Test(relay, a_slot_made_anew_begins_another_stream)
{
	pid_t r = relay_fork();
	char first[160];

	UNTIL(announced(""));
	snprintf(first, sizeof first, "%s", current());
	EMIT(5);
	UNTIL(entries(first) == 5);
	reap(r, SIGKILL);
	UNTIL(({ PGconn *c = pg_connect(); PGresult *x = PQexec(c, "SELECT pg_drop_replication_slot('badal')");
	    bool ok = PQresultStatus(x) == PGRES_TUPLES_OK; PQclear(x); PQfinish(c); ok; }));
	r = relay_fork();
	UNTIL(announced(first));
	cr_expect(strncmp(current(), first, strlen(first)) == 0);
	EMIT(2);
	UNTIL(entries(current()) == 2);
	reap(r, SIGTERM);
}

/* As when a dump that has the publication in it is restored over it: what was written meanwhile can never be decoded. */
Test(relay, a_publication_that_was_away_begins_another_stream)
{
	pid_t r = relay_fork();
	char first[160];

	UNTIL(announced(""));
	snprintf(first, sizeof first, "%s", current());
	EMIT(5);
	UNTIL(entries(first) == 5);
	reap(r, SIGKILL);
	run_sql("DROP PUBLICATION badal");
	run_sql("CREATE TABLE meanwhile (n int)");
	run_sql("INSERT INTO meanwhile VALUES (1)");
	run_sql("CREATE PUBLICATION badal");
	r = relay_fork();
	UNTIL(announced(first));
	EMIT(2);
	UNTIL(entries(current()) == 2);
	reap(r, SIGTERM);
}

Test(relay, a_standby_takes_over)
{
	pid_t a = relay_fork(), b;

	UNTIL(announced(""));
	EMIT(4);
	UNTIL(entries(current()) == 4);
	b = relay_fork();
	usleep(300000);
	EMIT(4);
	UNTIL(entries(current()) == 8);
	reap(a, SIGKILL);
	EMIT(4);
	UNTIL(entries(current()) == 12);
	reap(b, SIGTERM);
}

/* Its batch arrives when the next leader is at work. */
Test(relay, a_former_leader_is_found_out)
{
	pid_t r = relay_fork();
	redisReply *pos;

	UNTIL(announced(""));
	EMIT(4);
	UNTIL(entries(current()) == 4);
	pos = cmd("GETSET %s 5-0", key_of(STREAM_POS, 0, current()));
	EMIT(4);
	UNTIL(entries(current()) == 8);	/* the relay begins anew, from what is on record */
	freeReplyObject(pos);
	reap(r, SIGTERM);
}

Test(relay, waits_while_redis_is_full)
{
	pid_t r = relay_fork();

	UNTIL(announced(""));
	run_sql("SELECT pg_create_logical_replication_slot('witness', 'pgoutput')");
	EMIT(10);
	UNTIL(entries(current()) == 10);
	freeReplyObject(cmd("CONFIG SET maxmemory 1mb"));
	EMIT(2000);
	usleep(700000);
	cr_expect_lt(entries(current()), 2010);
	freeReplyObject(cmd("CONFIG SET maxmemory 0"));
	UNTIL(entries(current()) == 2010);
	same(witness("event"), stream(key_of(STREAM_EVENTS, 0, current())));
	reap(r, SIGTERM);
}

static bool
slot_caught_up(void)
{
	PGconn *c = pg_connect();
	PGresult *r = sql(c, "SELECT confirmed_flush_lsn >= pg_current_wal_lsn() - 200 FROM pg_replication_slots WHERE slot_name = 'badal'");
	bool ok = PQntuples(r) == 1 && PQgetvalue(r, 0, 0)[0] == 't';

	PQclear(r);
	PQfinish(c);
	return ok;
}

Test(relay, an_idle_stream_does_not_hold_the_wal)
{
	pid_t r = relay_fork();

	UNTIL(announced(""));
	run_sql("CREATE TABLE noise AS SELECT g, repeat('x', 1000) FROM generate_series(1, 5000) g");
	UNTIL(slot_caught_up());
	reap(r, SIGTERM);
}

/* Each shard is said to have what was committed before `lsn`. */
static bool
reached(uint64_t lsn)
{
	for (int i = 0; i < atoi(announcement("n")); i++) {
		redisReply *r = cmd("GET %s", key_of(STREAM_REACHED, i, current()));
		uint64_t at = r->str != NULL ? strtoull(r->str, NULL, 10) : 0;

		freeReplyObject(r);
		if (at < lsn)
			return false;
	}
	return true;
}

static uint64_t
flushed(void)
{
	PGconn *c = pg_connect();
	PGresult *r = sql(c, "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')");
	uint64_t lsn = strtoull(PQgetvalue(r, 0, 0), NULL, 10);

	PQclear(r);
	PQfinish(c);
	return lsn;
}

Test(relay, readers_are_told_how_far_every_shard_is_with_events_and_without)
{
	pid_t r;

	conf.event_shards = 3;
	r = relay_fork();
	UNTIL(announced(""));
	run_sql("CREATE TABLE noise AS SELECT g FROM generate_series(1, 5000) g");
	UNTIL(reached(flushed()));
	EMIT(1);		/* it is of one shard */
	UNTIL(reached(flushed()));
	cr_assert_eq(entries(current()), 1);
	/* never of what it has not */
	cr_assert_eq(kill(r, SIGSTOP), 0);
	EMIT(2);
	cr_assert_not(reached(flushed()));
	cr_assert_eq(kill(r, SIGCONT), 0);
	UNTIL(reached(flushed()));
	cr_assert_eq(entries(current()), 3);
	reap(r, SIGTERM);
}

/* The end of the stream has its time. */
static bool
marked(void)
{
	redisReply *end = cmd("XREVRANGE %s + - COUNT 1", key_of(STREAM_EVENTS, 0, current())),
		   *mark = cmd("ZREVRANGE %s 0 0", key_of(STREAM_MARKS, 0, current()));
	bool is = end->elements == 1 && mark->elements == 1 && strcmp(end->element[0]->element[0]->str, mark->element[0]->str) == 0;

	freeReplyObject(end);
	freeReplyObject(mark);
	return is;
}

/* The floor is below the oldest entry, and not 0-0. */
static bool
floor_is_before_first(void)
{
	redisReply *floor = cmd("GET %s", key_of(STREAM_FLOOR, 0, current()));
	redisReply *first = cmd("XRANGE %s - + COUNT 1", key_of(STREAM_EVENTS, 0, current()));
	struct stream_pos f, e;
	bool open = floor->str != NULL && floor->str[0] == '(';
	bool ok = floor->str != NULL && stream_pos_parse(str_c(floor->str + open), &f) && f.lsn > 0 &&
	    stream_pos_parse(str_c(first->element[0]->element[0]->str), &e) && stream_pos_cmp(f, e) < open;

	freeReplyObject(floor);
	freeReplyObject(first);
	return ok;
}

/* The header of the last entry. */
static bool
ends_with(const char *head)
{
	redisReply *r = cmd("XREVRANGE %s + - COUNT 1", key_of(STREAM_EVENTS, 0, current()));
	bool ok = r->elements == 1 && strcmp(r->element[0]->element[1]->element[1]->str, head) == 0;

	freeReplyObject(r);
	return ok;
}

Test(relay, trims_what_is_larger_than_the_bound_and_says_so)
{
	pid_t r;

	conf.rt_resume_bytes = 200000;
	r = relay_fork();
	UNTIL(announced(""));
	for (int i = 1; i <= 5; i++) {
		run_sql("SELECT pg_logical_emit_message(true, 'event', 'h' || k || E'\\n' || repeat('x', 1000)) FROM generate_series(1, 400) k");
		run_sql(i % 2 ? "SELECT pg_logical_emit_message(true, 'event', E'odd\\n')" : "SELECT pg_logical_emit_message(true, 'event', E'even\\n')");
		UNTIL(ends_with(i % 2 ? "odd" : "even"));
		UNTIL(entries(current()) < 200);	/* of 400 kB half a one, at most */
		cr_expect_gt(entries(current()), 80);
	}
	cr_expect(floor_is_before_first());
	reap(r, SIGTERM);
}

/* The oldest entry has the id of its last event; nothing is missing from its first on. */
Test(relay, trims_entries_of_many_and_says_to_the_event)
{
	struct stream_pos at[128], floor;
	redisReply *first, *text;
	struct list l = {0};
	struct buf b;
	pid_t r;

	conf.rt_resume_bytes = 200000;
	r = relay_fork();
	UNTIL(announced(""));
	buf_init(&b, NULL, 1 << 20);
	BUF_LIT(&b, "SELECT pg_logical_emit_message(true, 'events', E'");
	put_message(&b, "a", 1, 900, 1000);
	BUF_LIT(&b, "'); SELECT pg_logical_emit_message(true, 'event', E'end\n')");
	run_sql_of(&b);
	buf_fini(&b);
	UNTIL(ends_with("end"));
	UNTIL(entries(current()) < 200);
	cr_expect_gt(entries(current()), 60);
	first = cmd("XRANGE %s - + COUNT 1", key_of(STREAM_EVENTS, 0, current()));
	entry_events(first->element[0], &l, at);
	cr_expect_gt(l.n, 1);
	text = cmd("GET %s", key_of(STREAM_FLOOR, 0, current()));
	cr_assert(text->str != NULL && stream_pos_parse(str_c(text->str), &floor));
	floor.index++;
	cr_expect_eq(stream_pos_cmp(floor, at[0]), 0, "%s, %llu", text->str, (unsigned long long)at[0].index);
	freeReplyObject(first);
	freeReplyObject(text);
	reap(r, SIGTERM);
}

#define EMIT_SINGLES(n, size) \
	run_sql("SELECT pg_logical_emit_message(true, 'event', '{\"p\":\"a\",\"k\":' || k || E'}\\n' || repeat('x', " #size ")) FROM generate_series(1, " #n ") k")
#define EMIT_MANY(n, size)                                                                                                                  \
	run_sql("SELECT pg_logical_emit_message(true, 'events', string_agg(octet_length(m) || ' ' || m, '' ORDER BY k)) FROM (SELECT k, "       \
	    "'{\"p\":\"a\",\"k\":' || k || E'}\\n' || repeat('x', " #size ") AS m FROM generate_series(1, " #n ") k) x")

/* What Redis takes for the stream, each of its nodes looked at. */
static long long
memory(void)
{
	return number("MEMORY USAGE %s SAMPLES 0", key_of(STREAM_EVENTS, 0, current()));
}

/* The stream's end has its time, so it was looked at for its size, since `end` was written. */
static bool
settled(const char *end)
{
	return ends_with(end) && marked();
}

/* A sample of its oldest entries says nothing of the others. */
Test(relay, a_bound_in_bytes_holds_where_large_entries_follow_small_ones)
{
	pid_t r;

	conf.rt_resume_bytes = 1000000;
	r = relay_fork();
	UNTIL(announced(""));
	EMIT_SINGLES(1000, 100);
	EMIT_MANY(4000, 1000);
	run_sql("SELECT pg_logical_emit_message(true, 'event', E'end\\n')");
	UNTIL(settled("end"));
	UNTIL(memory() < 1150000);
	cr_expect_gt(memory(), 500000);
	cr_expect(floor_is_before_first());
	cr_expect_leq(number("ZCARD %s", key_of(STREAM_SIZES, 0, current())), 130);
	reap(r, SIGTERM);
}

Test(relay, a_bound_in_bytes_takes_nothing_below_it_where_small_entries_follow_large_ones)
{
	redisReply *floor;
	pid_t r;

	conf.rt_resume_bytes = 4000000;
	r = relay_fork();
	UNTIL(announced(""));
	EMIT_MANY(2600, 1000);
	EMIT_SINGLES(1000, 300);
	run_sql("SELECT pg_logical_emit_message(true, 'event', E'end\\n')");
	UNTIL(settled("end"));
	cr_assert_lt(memory(), 3600000);
	cr_expect_eq(entries(current()), 3601);
	floor = cmd("GET %s", key_of(STREAM_FLOOR, 0, current()));
	cr_expect_str_eq(floor->str, "0-0");
	freeReplyObject(floor);
	/* then small ones drive the large ones out, to the bound */
	EMIT_SINGLES(6000, 300);
	run_sql("SELECT pg_logical_emit_message(true, 'event', E'end2\\n')");
	UNTIL(settled("end2"));
	UNTIL(memory() < 4600000);
	cr_expect_gt(memory(), 3200000);
	cr_expect_lt(entries(current()), 9602);
	cr_expect(floor_is_before_first());
	reap(r, SIGTERM);
}

/* The sum of the stream, as it is on record. */
static long long
reckoned(void)
{
	redisReply *r = cmd("GET %s", key_of(STREAM_BYTES, 0, current()));
	long long n = r->str != NULL ? atoll(r->str) : -1;

	freeReplyObject(r);
	return n;
}

/* What an earlier version has written, or is on record no more, is measured. */
Test(relay, a_bound_in_bytes_holds_for_a_stream_that_was_not_reckoned)
{
	static const char *const wrong[] = {"", "nonsense", "100000000 100000000 5-0"};
	pid_t r;

	conf.rt_resume_bytes = 1000000;
	r = relay_fork();
	UNTIL(announced(""));
	for (int i = 0; i < (int)(sizeof wrong / sizeof *wrong); i++) {
		long long was;

		EMIT_MANY(500, 1000);
		EMIT_SINGLES(1, 10);
		run_sql("SELECT pg_logical_emit_message(true, 'event', E'before\\n')");
		UNTIL(settled("before"));
		freeReplyObject(cmd("SET %s %s", key_of(STREAM_BYTES, 0, current()), wrong[i]));
		was = memory();
		run_sql("SELECT pg_logical_emit_message(true, 'event', E'first\\n')");
		UNTIL(settled("first"));
		cr_expect_gt(reckoned(), was);
		cr_expect_lt(reckoned(), was + 1000);
		EMIT_MANY(2000, 1000);
		run_sql("SELECT pg_logical_emit_message(true, 'event', E'end\\n')");
		UNTIL(settled("end"));
		UNTIL(memory() < 1150000);
		cr_expect_gt(memory(), 500000);
	}
	cr_expect(floor_is_before_first());
	reap(r, SIGTERM);
}

/* What a group has not read stays, whatever it takes. */
Test(relay, a_bound_in_bytes_takes_nothing_from_a_group)
{
	pid_t r;

	conf.rt_resume_bytes = 20000;
	r = relay_fork();
	UNTIL(announced(""));
	freeReplyObject(cmd("XGROUP CREATE %s hooks 0 MKSTREAM", key_of(STREAM_EVENTS, 0, current())));
	EMIT(1000);
	UNTIL(entries(current()) == 1000);
	UNTIL(marked());
	cr_expect_eq(entries(current()), 1000);
	freeReplyObject(cmd("XREADGROUP GROUP hooks me COUNT 990 NOACK STREAMS %s >", key_of(STREAM_EVENTS, 0, current())));
	UNTIL(entries(current()) < 990);
	cr_expect_geq(entries(current()), 10);
	reap(r, SIGTERM);
}

/* A group whose place is set and not read up to: Redis does not know how far behind it is. */
Test(relay, a_bound_in_bytes_holds_with_a_group_in_the_middle)
{
	char id[64];
	redisReply *r;
	pid_t p;

	conf.rt_resume_bytes = 5000;
	p = relay_fork();
	UNTIL(announced(""));
	freeReplyObject(cmd("XGROUP CREATE %s hooks 0 MKSTREAM", key_of(STREAM_EVENTS, 0, current())));
	EMIT(1000);
	UNTIL(entries(current()) == 1000);
	r = cmd("XRANGE %s - + COUNT 600", key_of(STREAM_EVENTS, 0, current()));
	snprintf(id, sizeof id, "%s", r->element[599]->element[0]->str);
	freeReplyObject(r);
	freeReplyObject(cmd("XGROUP SETID %s hooks %s", key_of(STREAM_EVENTS, 0, current()), id));
	UNTIL(entries(current()) < 600);
	cr_expect_gt(entries(current()), 400);
	cr_expect(floor_is_before_first());
	reap(p, SIGTERM);
}

/* ---- shards, names ---- */

#define EMIT_OF(project, n) \
	run_sql("SELECT pg_logical_emit_message(true, 'event', '{\"p\":\"" project "\",\"n\":' || k || E'}\\nb') FROM generate_series(1, " #n ") k")

Test(relay, another_number_of_shards_begins_another_stream)
{
	pid_t r = relay_fork();
	char first[BUS_NAME_MAX], second[BUS_NAME_MAX];

	UNTIL(announced(""));
	snprintf(first, sizeof first, "%s", current());
	EMIT_OF("a", 5);
	run_sql("SELECT pg_logical_emit_message(true, 'job', E'mail one 0 1\\n{}')");
	UNTIL(entries(first) == 5 && number("XLEN %s", JOB_KEYS "mail") == 1);
	reap(r, SIGTERM);

	conf.event_shards = 4;
	EMIT_OF("b", 3);	/* while nobody relays */
	r = relay_fork();
	UNTIL(announced(first));
	cr_expect_str_eq(announcement("n"), "4");
	snprintf(second, sizeof second, "%s", current());
	EMIT_OF("c", 2);
	UNTIL(number("XLEN %s", key_of(STREAM_EVENTS, stream_shard(str_c("c"), 4), second)) >= 2);
	cr_expect_geq(number("XLEN %s", key_of(STREAM_EVENTS, stream_shard(str_c("b"), 4), second)), 3);
	cr_expect_eq(number("XLEN %s", key_of(STREAM_EVENTS, 0, first)), 5);
	cr_expect_gt(number("PTTL %s", key_of(STREAM_EVENTS, 0, first)), 0);
	cr_expect_eq(number("XLEN %s", JOB_KEYS "mail"), 1, "a job is not doubled");
	reap(r, SIGTERM);

	conf.event_shards = 1;
	r = relay_fork();
	UNTIL(announced(second));
	cr_expect_str_neq(current(), first, "what is in the first one has a hole behind it");
	reap(r, SIGTERM);
}

/* A stream that Redis has forgotten goes on under its name; what PostgreSQL does not decode again is below the floor. */
Test(relay, a_redis_that_forgot_is_noticed)
{
	pid_t r = relay_fork();
	char name[BUS_NAME_MAX];
	redisReply *floor;

	UNTIL(announced(""));
	snprintf(name, sizeof name, "%s", current());
	EMIT(5);
	UNTIL(entries(name) == 5);
	UNTIL(slot_caught_up());
	floor = cmd("GET %s", key_of(STREAM_FLOOR, 0, name));
	cr_expect_str_eq(floor->str, "0-0");
	freeReplyObject(floor);
	reap(r, SIGTERM);
	freeReplyObject(cmd("FLUSHALL"));
	r = relay_fork();
	UNTIL(announced(""));
	cr_expect_str_eq(current(), name);
	EMIT(2);
	UNTIL(entries(name) == 2);
	cr_expect(floor_is_before_first());
	reap(r, SIGTERM);
}

/* Makes of the stream what an earlier version had. */
static void
age(const char *name)
{
	char old[2 * BUS_NAME_MAX];

	snprintf(old, sizeof old, "events:0:%s", name);
	freeReplyObject(cmd("RENAME %s %s", key_of(STREAM_EVENTS, 0, name), old));
	freeReplyObject(cmd("RENAME %srelay:%s relay:pos:%s", JOB_KEYS, name, old));	/* the job was last */
	freeReplyObject(cmd("HSET relay:0:keys %s %s", name, old));
	freeReplyObject(cmd("XADD events:0:current * k %s at 0-0", old));
	freeReplyObject(cmd("DEL relay:streams %s %s %s", BUS_CURRENT, key_of(STREAM_FLOOR, 0, name), JOB_KEYS "mail"));
	freeReplyObject(cmd("DEL %s %s", key_of(STREAM_POS, 0, name), key_of(STREAM_MARKS, 0, name)));
}

Test(relay, the_stream_of_an_earlier_version_goes_on)
{
	char name[BUS_NAME_MAX];
	pid_t r;

	begin();
	snprintf(name, sizeof name, "%s", current());
	r = relay_fork();
	EMIT(5);
	run_sql("SELECT pg_logical_emit_message(true, 'job', E'mail one 0 1\\n{}')");
	UNTIL(entries(name) == 5 && number("XLEN %s", JOB_KEYS "mail") == 1);
	reap(r, SIGKILL);	/* confirms nothing: all of it is decoded again */
	age(name);
	EMIT(4);
	r = relay_fork();
	UNTIL(announced(""));
	cr_expect_str_eq(current(), name);
	UNTIL(entries(name) == 9);
	same(witness("event"), stream(key_of(STREAM_EVENTS, 0, name)));
	cr_expect_eq(number("XLEN %s", JOB_KEYS "mail"), 0, "the earlier version has written it");
	cr_expect_eq(number("EXISTS %s", "relay:0:keys"), 0);
	reap(r, SIGTERM);
}

Test(relay, runs_on_a_cluster)
{
	pid_t r;

	redis = server_redis_cluster();
	conf.redis_url = server_url(redis);
	conf.event_shards = 4;
	conf.rt_resume_window = 500;
	rc_connect();
	begin();
	r = relay_fork();
	for (int i = 0; i < 3; i++) {
		EMIT_OF("a", 100);
		EMIT_OF("b", 100);
		EMIT_OF("c", 100);
		run_sql("SELECT pg_logical_emit_message(true, 'job', E'mail one 0 1\\n{}'), pg_logical_emit_message(true, 'job', E'sms one 0 1\\n{}')");
	}
	UNTIL(number("XLEN %s", JOB_KEYS "mail") == 3 && number("XLEN %s", JOB_KEYS "sms") == 3);
	UNTIL(number("XLEN %s", key_of(STREAM_EVENTS, stream_shard(str_c("c"), 4), current())) > 0);
	for (int i = 0; i < 2; i++) {	/* trimmed to the last one, again and again */
		EMIT_OF("c", 10);
		UNTIL(number("XLEN %s", key_of(STREAM_EVENTS, stream_shard(str_c("c"), 4), current())) == 1);
	}
	reap(r, SIGTERM);
}

Test(relay, trims_what_is_older_than_the_window_and_read_by_every_group)
{
	pid_t r;

	conf.rt_resume_window = 1000;
	r = relay_fork();
	UNTIL(announced(""));
	/* before there is anything: what it has not read stays, however long it takes here to see it */
	freeReplyObject(cmd("XGROUP CREATE %s hooks 0 MKSTREAM", key_of(STREAM_EVENTS, 0, current())));
	EMIT(50);
	UNTIL(entries(current()) == 50);
	usleep(2500000);
	EMIT(1);
	UNTIL(entries(current()) == 51);
	usleep(2000000);
	cr_expect_eq(entries(current()), 51);	/* the group has read nothing yet */
	freeReplyObject(cmd("XGROUP DESTROY %s hooks", key_of(STREAM_EVENTS, 0, current())));
	UNTIL(entries(current()) == 1);	/* the last one stays */
	cr_expect(floor_is_before_first());
	reap(r, SIGTERM);
}

Test(relay, trims_a_redis_that_is_full)
{
	pid_t r;

	conf.rt_resume_window = 1000;
	r = relay_fork();
	UNTIL(announced(""));
	/* a group has what is there until it was seen */
	freeReplyObject(cmd("XGROUP CREATE %s hooks 0 MKSTREAM", key_of(STREAM_EVENTS, 0, current())));
	for (int i = 0; i < 2; i++) {
		EMIT(20);
		UNTIL(entries(current()) == 20 * (i + 1));
		UNTIL(marked());
	}
	freeReplyObject(cmd("CONFIG SET maxmemory 1"));
	freeReplyObject(cmd("XGROUP DESTROY %s hooks", key_of(STREAM_EVENTS, 0, current())));
	UNTIL(entries(current()) == 1);
	freeReplyObject(cmd("CONFIG SET maxmemory 0"));
	freeReplyObject(cmd("XGROUP CREATE %s hooks $", key_of(STREAM_EVENTS, 0, current())));
	EMIT(5);
	UNTIL(entries(current()) >= 5);
	reap(r, SIGTERM);
}
