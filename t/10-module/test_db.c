/* The PostgreSQL adapter against a real server: the pool, deadlines, abandoned statements, transactions, prepared statements, lost
 * connections, migrations. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/fiber.h"
#include "core/gen.h"
#include "core/loop.h"
#include "io/db.h"
#include "check.h"
#include "servers.h"
#include "../../src/io/db_priv.h"

static struct server *pg;

struct run {
	void (*fn)(struct ctx *cx);
};

static void
on_fiber(struct ctx *cx, void *arg)
{
	const struct run *r = arg;

	r->fn(cx);
	db_fini();
	loop_stop();
}

static void
run(const char *setting, void (*fn)(struct ctx *cx))
{
	char text[64], *settings[] = {text};
	struct run r = {fn};

	snprintf(text, sizeof text, "%s", setting);
	cr_assert(conf_load(NULL, 1, settings, false));
	pg = server_pg();
	conf.db_url = server_url(pg);
	gen_init();
	loop_init();
	db_init();
	fib_spawn_new("test", 0, on_fiber, &r);
	loop_run();
	servers_clean();
	cr_assert_eq(failures, 0);
}

/* Waits until so many connections are in use. */
static void
until_busy(struct ctx *cx, unsigned n)
{
	uint64_t end = loop_now() + 120000;

	while (db_pool_busy() != n && loop_now() < end)
		GOOD(fib_sleep(cx, 5));
	CHECK(db_pool_busy() == n);
}

/* ---- statements ---- */

static void
statements(struct ctx *cx)
{
	struct db_res *r;
	struct strs list;
	int n;

	GOOD(db_script(cx, "CREATE TABLE t (a int PRIMARY KEY, b text, c text[], d timestamptz); INSERT INTO t VALUES (1, 'x;y', '{\"a b\",NULL}', now())"));
	GOOD(db_query(cx, &r, "SELECT a, b, c, d, NULL::text FROM t WHERE a = $1", DB("1")));
	CHECK(db_rows(r) == 1 && db_cols(r) == 5 && db_i64(r, 0, 0) == 1 && str_is(db_str(r, 0, 1), "x;y"));
	CHECK(db_null(r, 0, 4) && db_cstr(r, 0, 4) == NULL && db_time(r, 0, 3) > 0);
	list = db_strs(cx, r, 0, 2);
	CHECK(list.n == 2 && strcmp(list.v[0], "a b") == 0 && list.v[1] == NULL);
	GOOD(db_exec(cx, &n, "INSERT INTO t (a) SELECT generate_series(2, 5)", DB0));
	CHECK(n == 4);
	FAILS(db_exec(cx, NULL, "INSERT INTO t (a) VALUES (1)", DB0), DB_UNIQUE);
	CHECK(strcmp(db_constraint(cx), "t_pkey") == 0 && strcmp(db_sqlstate(cx), "23505") == 0);
	FAILS(db_exec(cx, NULL, "INSERT INTO t (a) VALUES ($1)", DB("many")), DB_DATA);
	FAILS(db_exec(cx, NULL, "SELECT nonsense", DB0), DB);
	CHECK(strcmp(db_sqlstate(cx), "42703") == 0);
	/* a script is one transaction */
	FAILS(db_script(cx, "INSERT INTO t (a) VALUES (100); INSERT INTO t (a) VALUES (1)"), DB_UNIQUE);
	GOOD(db_query(cx, &r, "SELECT 1 FROM t WHERE a = 100", DB0));
	CHECK(db_rows(r) == 0);
	GOOD(db_exec(cx, NULL, "CREATE INDEX CONCURRENTLY ON t (b)", DB0));	/* not inside a transaction */
	FAILS(db_exec(cx, NULL, "COPY t TO STDOUT", DB0), DB_DOWN);
	GOOD(db_query(cx, &r, "SHOW TimeZone", DB0));
	CHECK(str_is(db_str(r, 0, 0), "UTC"));
	GOOD(db_query(cx, &r, "SHOW random_page_cost", DB0));
	CHECK(str_is(db_str(r, 0, 0), "0.11"));
	GOOD(db_query(cx, &r, "SHOW client_connection_check_interval", DB0));
	CHECK(str_is(db_str(r, 0, 0), "10s"));
	/* what is no request is not bounded, whatever the operator has set for the rest */
	GOOD(db_query(cx, &r, "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'", DB0));
	CHECK(str_is(db_str(r, 0, 0), "0"));
	/* the operator's own limit is no mistake of ours */
	FAILS(db_script(cx, "SET LOCAL statement_timeout = 10; SELECT pg_sleep(600)"), TIMEOUT);
	CHECK(db_pool_busy() == 0);
}
Test(db, statements, .timeout = 300)
{
	run("db_pool_size=2", statements);
}

/* A plan that is older than its table is made anew; a statement that is no longer cached is prepared again. */
static void
prepared(struct ctx *cx)
{
	struct db_res *r;

	GOOD(db_script(cx, "CREATE TABLE t (a int)"));
	GOOD(db_query(cx, &r, "SELECT * FROM t", DB0));
	CHECK(db_cols(r) == 1);
	GOOD(db_exec(cx, NULL, "ALTER TABLE t ADD b int", DB0));
	GOOD(db_query(cx, &r, "SELECT * FROM t", DB0));
	CHECK(db_cols(r) == 2);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 100; i++) {
			GOOD(db_query(cx, &r, arena_printf(cx->arena, "SELECT %d", i), DB0));
			CHECK(db_i64(r, 0, 0) == i);
		}
	GOOD(db_query(cx, &r, "SELECT count(*) FROM pg_prepared_statements", DB0));
	CHECK(db_i64(r, 0, 0) <= 4 + 33);	/* the cached ones, and those that wait to be deallocated */
}
Test(db, prepared, .timeout = 300)
{
	run("db_prepared_max=4", prepared);
}

/* What comes once is not kept, and what is kept has a bound in bytes, whatever the number. */
static void
prepared_once(struct ctx *cx)
{
	struct db_res *r;

	for (int i = 0; i < 100; i++)
		GOOD(db_query(cx, &r, arena_printf(cx->arena, "SELECT %d AS new_each_time", i), DB0));
	GOOD(db_query(cx, &r, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%new_each_time'", DB0));
	CHECK(db_i64(r, 0, 0) == 0);
	for (int i = 0; i < 200; i++)
		GOOD(db_query(cx, &r, arena_printf(cx->arena, "SELECT %d /* %0500d */", i / 2, 0), DB0));
	GOOD(db_query(cx, &r, "SELECT count(*) FILTER (WHERE statement ~ '00000'), sum(length(statement)) FROM pg_prepared_statements", DB0));
	CHECK(db_i64(r, 0, 0) > 0 && db_i64(r, 0, 1) < 10240 + 10240 / 4 + 1000);
}
Test(db, prepared_once, .timeout = 300)
{
	run("db_prepared_bytes=10k", prepared_once);
}

/* Whoever may not take long is let go, and the statement is cancelled behind him. */
static void
short_statements(struct ctx *cx)
{
	struct db_res *r;

	cx->statement_max = 50;
	FAILS(db_query(cx, &r, "SELECT pg_sleep(600)", DB0), TIMEOUT);
	cx->statement_max = 0;
	while (db_pool_busy() > 0)
		GOOD(fib_sleep(cx, 20));
	GOOD(db_query(cx, &r, "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'pg_sleep.600' AND state = 'active' AND pid <> pg_backend_pid()", DB0));
	CHECK(db_i64(r, 0, 0) == 0);
}
Test(db, short_statements, .timeout = 300)
{
	run("db_pool_size=2", short_statements);
}

static void
unprepared(struct ctx *cx)
{
	struct db_res *r;

	GOOD(db_query(cx, &r, "SELECT $1::int + 1", DB("1")));
	GOOD(db_query(cx, &r, "SELECT count(*) FROM pg_prepared_statements", DB0));
	CHECK(db_i64(r, 0, 0) == 0);
}
Test(db, unprepared, .timeout = 300)
{
	run("db_prepared=off", unprepared);
}

/* ---- transactions ---- */

/* Counts its tries. */
static err_t
insert(struct db_tx *tx, const char *a, int *tries)
{
	(*tries)++;
	tx_add(tx, "INSERT INTO t VALUES ($1::int)", DB(a));
	return OK;
}

static err_t
insert_and_count(struct db_tx *tx, struct ctx *cx, int64_t *n_out)
{
	struct db_res *r;

	CHECK(tx_ctx(tx) == cx && cx->holds != NULL);
	tx_add(tx, "INSERT INTO t VALUES ($1::int)", DB("1"));
	TRY(tx_query(tx, &r, "SELECT count(*) FROM t", DB0));
	*n_out = db_i64(r, 0, 0);
	tx_add(tx, "INSERT INTO t VALUES (2)", DB0);
	tx_stale(tx, "t");
	return OK;
}

/* Any failure undoes all. */
static err_t
insert_twice(struct db_tx *tx)
{
	tx_add(tx, "INSERT INTO t VALUES (3)", DB0);
	tx_add(tx, "INSERT INTO t VALUES (1)", DB0);
	tx_add(tx, "INSERT INTO t VALUES (4)", DB0);
	tx_stale(tx, "t");
	return OK;
}

/* A failure that was not heeded does not become a commit. */
static err_t
heedless(struct db_tx *tx)
{
	struct db_res *r;

	tx_add(tx, "INSERT INTO t VALUES (5)", DB0);
	CHECK(tx_query(tx, &r, "INSERT INTO t VALUES (1)", DB0) == ERR_DB_UNIQUE);
	return OK;
}

/* The body gives up: after a query, before anything was sent, with nothing at all. */
static err_t
give_up(struct db_tx *tx, const char *asked, const char *queued)
{
	struct db_res *r;

	tx_stale(tx, "t");
	if (asked != NULL)
		TRY(tx_query(tx, &r, asked, DB0));
	if (queued != NULL)
		tx_add(tx, queued, DB0);
	return ERR_STOPPING;
}

/* Who is told that it is too late can rely on it. */
static err_t
late(struct db_tx *tx)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, "INSERT INTO t VALUES (8) RETURNING a", DB0));
	tx_ctx(tx)->deadline = loop_now();
	return OK;
}

static void
transactions(struct ctx *cx)
{
	uint32_t gen = gen_of(STR("t"));
	struct db_res *r;
	int64_t n = 0;

	GOOD(db_script(cx, "CREATE TABLE t (a int PRIMARY KEY)"));
	GOOD(TX_RUN(cx, tx, insert_and_count(tx, cx, &n)));
	CHECK(n == 1 && cx->holds == NULL && db_pool_busy() == 0);
	CHECK(gen_of(STR("t")) != gen);
	gen = gen_of(STR("t"));
	FAILS(TX_RUN(cx, tx, insert_twice(tx)), DB_UNIQUE);
	CHECK(TX_RUN(cx, tx, heedless(tx)) == ERR_DB);
	FAILS(TX_RUN(cx, tx, give_up(tx, "INSERT INTO t VALUES (6) RETURNING a", NULL)), STOPPING);
	FAILS(TX_RUN(cx, tx, give_up(tx, NULL, "INSERT INTO t VALUES (7)")), STOPPING);
	FAILS(TX_RUN(cx, tx, give_up(tx, NULL, NULL)), STOPPING);
	FAILS(TX_RUN(cx, tx, late(tx)), TIMEOUT);
	cx->deadline = 0;
	CHECK(gen_of(STR("t")) == gen);
	until_busy(cx, 0);
	GOOD(db_query(cx, &r, "SELECT string_agg(a::text, ',' ORDER BY a) FROM t", DB0));
	CHECK(str_is(db_str(r, 0, 0), "1,2"));
}
Test(db, transactions, .timeout = 300)
{
	run("db_pool_size=2", transactions);
}

/* `failures` tries fail as if they had lost against another transaction. */
static void
lose(struct ctx *cx, int n)
{
	GOOD(db_script(cx, arena_printf(cx->arena,
	    "DROP SEQUENCE IF EXISTS lost CASCADE; CREATE SEQUENCE lost; CREATE OR REPLACE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
	    "IF nextval('lost') <= %d THEN RAISE 'no' USING ERRCODE = '40001'; END IF; RETURN NULL; END $$; "
	    "DROP TRIGGER IF EXISTS lose ON t; CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
	    "FOR EACH ROW EXECUTE FUNCTION lose()", n)));
}

/* Lost at the commit itself: the body runs again, on what is there then. */
static void
retries(struct ctx *cx)
{
	struct db_res *r;
	int tries = 0;

	GOOD(db_script(cx, "CREATE TABLE t (a int PRIMARY KEY)"));
	lose(cx, 2);
	GOOD(TX_RUN(cx, tx, insert(tx, "1", &tries)));
	CHECK(tries == 3);
	lose(cx, 1000);
	tries = 0;
	FAILS(TX_RUN(cx, tx, insert(tx, "2", &tries)), DB_CONFLICT);
	CHECK(tries > 1 && tries < 6);
	until_busy(cx, 0);
	GOOD(db_query(cx, &r, "SELECT string_agg(a::text, ',' ORDER BY a) FROM t", DB0));
	CHECK(str_is(db_str(r, 0, 0), "1"));
}
Test(db, retries, .timeout = 300)
{
	run("db_pool_size=2", retries);
}

static err_t
read_all(struct db_tx *tx, int *cols_out)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT * FROM t", DB0));
	*cols_out = db_cols(r);
	return OK;
}

/* A table that got another column since its statement was prepared. */
static void
replans(struct ctx *cx)
{
	int cols = 0;

	GOOD(db_script(cx, "CREATE TABLE t (a int)"));
	GOOD(TX_RUN(cx, tx, read_all(tx, &cols)));
	GOOD(db_script(cx, "ALTER TABLE t ADD COLUMN b int"));
	GOOD(TX_RUN(cx, tx, read_all(tx, &cols)));
	CHECK(cols == 2);
}
Test(db, replans, .timeout = 300)
{
	run("db_pool_size=1", replans);
}

static err_t
await_other(struct db_tx *tx)
{
	return fib_sleep(tx_ctx(tx), 1);
}

static void
awaits(struct ctx *cx)
{
	GOOD(TX_RUN(cx, tx, await_other(tx)));
}
/* What is locked must not wait for anything else. */
Test(db, awaits_only_itself, .timeout = 300, .signal = SIGABRT)
{
	run("db_pool_size=1", awaits);
}

static err_t
again(struct db_tx *tx)
{
	return TX_RUN(tx_ctx(tx), inner, read_all(inner, &(int){0}));
}

static void
nests(struct ctx *cx)
{
	GOOD(TX_RUN(cx, tx, again(tx)));
}
Test(db, one_at_a_time, .timeout = 300, .signal = SIGABRT)
{
	run("db_pool_size=2", nests);
}

/* ---- the pool ---- */

static int done, order[200];

static void
one_of_many(struct ctx *cx, void *arg)
{
	struct db_res *r;
	intptr_t i = (intptr_t)arg;

	GOOD(db_query(cx, &r, "SELECT $1::int + 1, pg_sleep(0.002)", DB(pg_i64(cx->arena, i))));
	CHECK(db_i64(r, 0, 0) == i + 1);
	order[done++] = (int)i;
}

/* Bounded, and first come, first served. */
static void
pool(struct ctx *cx)
{
	uint64_t end = loop_now() + 120000;

	done = 0;
	for (intptr_t i = 0; i < 200; i++)
		fib_spawn_new("many", 120000, one_of_many, (void *)i);
	while (done < 200 && loop_now() < end) {
		CHECK(db_pool_open() <= 1);
		GOOD(fib_sleep(cx, 5));
	}
	CHECK(done == 200);
	for (int i = 0; i < done; i++)
		CHECK(order[i] == i);
	CHECK(db_pool_busy() == 0 && db_pool_waiting() == 0);
}
Test(db, pool, .timeout = 300)
{
	run("db_pool_size=1", pool);
}

/* ---- turns ---- */

static char lent[64];
static int n_lent;

/* Notes its name when it has a connection, and keeps it until it is released. */
struct borrower {
	const char *name, *project, *client;
	struct db_share *share;
	struct fib_event release;
	struct ctx cx;
};

static void
borrows(struct ctx *cx, void *arg)
{
	struct borrower *b = arg;
	struct db_conn *c;

	GOOD(dbp_get(cx, &c));
	lent[n_lent++] = b->name[0];
	GOOD(fib_await(cx, &b->release));
	dbp_put(c);
	ctx_fini(cx);
}

static void
borrow(struct borrower *b)
{
	ctx_init(&b->cx);
	b->cx.project = b->project;
	b->cx.client = b->client;
	b->cx.share = b->share;
	fib_spawn(&b->cx, borrows, b);
}

static void
until_lent(struct ctx *cx, const char *want)
{
	for (int i = 0; i < 1000 && n_lent < (int)strlen(want); i++)
		GOOD(fib_sleep(cx, 5));
	GOOD(fib_sleep(cx, 10));	/* nobody else comes */
	if (strcmp(lent, want) != 0)
		fprintf(stderr, "lent %s, wanted %s\n", lent, want);
	CHECK(strcmp(lent, want) == 0);
}

static void
clients(struct ctx *cx)
{
	struct borrower b[] = {{"0", "p", "a"}, {"1", "p", "a"}, {"2", "p", "a"}, {"3", "p", "b"}, {"4", "q", "c"}};

	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		borrow(&b[i]);
	until_lent(cx, "0");
	CHECK(db_pool_waiting() == 4);
	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		fib_signal(&b[i].release);
	until_lent(cx, "04312");
	CHECK(db_pool_busy() == 0 && db_pool_waiting() == 0);
}

Test(db, waiting_clients_take_turns, .timeout = 300)
{
	run("db_pool_size=1", clients);
}

/* A client may have three of four while nobody else waits, and half while somebody does: the last is there for who comes next. */
static void
parts(struct ctx *cx)
{
	struct borrower b[] = {{"0", "p", "a"}, {"1", "p", "a"}, {"2", "p", "a"}, {"3", "p", "a"}, {"4", "q", "b"}, {"5", "q", "b"}};

	for (int i = 0; i < 4; i++)
		borrow(&b[i]);
	until_lent(cx, "012");
	CHECK(db_pool_waiting() == 1);
	borrow(&b[4]);
	until_lent(cx, "0124");
	borrow(&b[5]);
	fib_signal(&b[0].release);
	until_lent(cx, "01245");
	fib_signal(&b[1].release);
	until_lent(cx, "012453");
	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		fib_signal(&b[i].release);
	until_busy(cx, 0);
}

Test(db, one_client_has_its_part_while_others_wait, .timeout = 300)
{
	run("db_pool_size=4", parts);
}

/* What has nothing to do is closed, and opened again. */
static void
burst(struct ctx *cx)
{
	struct borrower b[] = {{"0", "p", "a"}, {"1", "p", "b"}, {"2", "q", "c"}};
	uint64_t end = loop_now() + 120000;
	struct db_res *r;

	for (int i = 0; i < 3; i++)
		borrow(&b[i]);
	until_busy(cx, 3);
	CHECK(db_pool_open() == 3);
	for (int i = 0; i < 3; i++)
		fib_signal(&b[i].release);
	while (db_pool_open() > 0 && loop_now() < end)
		GOOD(fib_sleep(cx, 5));
	CHECK(db_pool_open() == 0);
	GOOD(db_query(cx, &r, "SELECT 1", DB()));
}

Test(db, idle_connections_are_closed, .timeout = 300)
{
	run("db_idle=50ms", burst);
}

/* Many clients of one project leave one to the other projects, and jobs of theirs are not counted. */
static void
one_is_left(struct ctx *cx)
{
	struct borrower b[] = {{"0", "p", "a"}, {"1", "p", "b"}, {"2", "p", "c"}, {"3", "p", "d"}, {"4", "p", "e"}, {"5", "q", "f"}, {"6", "p", NULL}};

	for (int i = 0; i < 5; i++)
		borrow(&b[i]);
	until_lent(cx, "012");
	borrow(&b[5]);
	until_lent(cx, "0125");
	fib_signal(&b[5].release);
	until_busy(cx, 3);
	borrow(&b[6]);
	until_lent(cx, "01256");
	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		fib_signal(&b[i].release);
	until_busy(cx, 0);
}

Test(db, a_project_never_has_all, .timeout = 300)
{
	run("db_pool_size=4", one_is_left);
}

static void
shares(struct ctx *cx)
{
	struct db_share *two = db_share_new(2), *all = db_share_new(100);
	struct borrower b[] = {{"0", "p", "a", two}, {"1", "p", "b", two}, {"2", "q", "c", two}, {"3", "p", "a"}, {"4", "x", "y", all}};
	struct db_res *r;

	for (int i = 0; i < 4; i++)
		borrow(&b[i]);
	until_lent(cx, "302");
	CHECK(db_pool_waiting() == 1);
	CHECK(db_pool_open() == 3);	/* what may not be lent is not opened */
	GOOD(db_query(cx, &r, "SELECT 1", DB0));
	fib_signal(&b[3].release);
	until_lent(cx, "302");
	fib_signal(&b[0].release);
	until_lent(cx, "3021");
	fib_signal(&b[1].release);
	fib_signal(&b[2].release);
	until_busy(cx, 0);
	/* a share of everything leaves one */
	for (size_t i = 0; i < sizeof b / sizeof *b; i++)
		b[i] = (struct borrower){"x", "x", "y", all};
	for (int i = 0; i < 4; i++)
		borrow(&b[i]);
	until_lent(cx, "3021xxx");
	GOOD(db_query(cx, &r, "SELECT 1", DB0));
	for (int i = 0; i < 4; i++)
		fib_signal(&b[i].release);
	until_busy(cx, 0);
}

Test(db, a_share_is_the_most_that_its_kind_has, .timeout = 300)
{
	run("db_pool_size=4", shares);
}

static void
unclean(struct ctx *cx)
{
	struct borrower b[] = {{"0", "p", "a", db_share_new(1)}, {"1", "p", "a", NULL}};
	struct db_res *r;
	struct ctx gone;

	GOOD(db_query(cx, &r, "SELECT 1", DB0));	/* there is a connection: the time of the next one is the statement's */
	ctx_init(&gone);
	gone.fib = cx->fib;
	gone.share = b[1].share = b[0].share;
	gone.deadline = loop_now() + 50;
	FAILS(db_query(&gone, &r, "SELECT pg_sleep(60)", DB0), TIMEOUT);
	ctx_fini(&gone);
	borrow(&b[0]);
	GOOD(fib_sleep(cx, 100));
	CHECK(n_lent == 0);	/* the abandoned statement is of the share until it has ended */
	until_lent(cx, "0");
	fib_signal(&b[0].release);
	until_busy(cx, 0);
}

Test(db, an_abandoned_statement_counts, .timeout = 300)
{
	run("db_pool_size=4", unclean);
}

/* The only connection is in use for a while. */
static void
holder(struct ctx *cx, void *arg)
{
	struct db_res *r;

	(void)arg;
	GOOD(db_query(cx, &r, "SELECT pg_sleep(2)", DB0));
}

/* Waiting for a connection has an end, and a statement that nobody waits for any more is cancelled. */
static void
deadlines(struct ctx *cx)
{
	struct db_res *r;

	fib_spawn_new("holder", 0, holder, NULL);
	until_busy(cx, 1);
	cx->deadline = loop_now() + 50;
	FAILS(db_query(cx, &r, "SELECT 1", DB0), DB_BUSY);
	FAILS(db_query(cx, &r, "SELECT 1", DB0), TIMEOUT);	/* not sent at all */
	cx->deadline = 0;
	until_busy(cx, 0);
	cx->deadline = loop_now() + 50;
	FAILS(db_query(cx, &r, "SELECT pg_sleep(600)", DB0), TIMEOUT);
	cx->deadline = 0;
	CHECK(db_pool_busy() == 1);	/* it drains, and nobody gets it meanwhile */
	GOOD(db_query(cx, &r, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active'", DB0));
	CHECK(db_i64(r, 0, 0) == 0);
	until_busy(cx, 0);
}
Test(db, deadlines, .timeout = 300)
{
	run("db_pool_size=1", deadlines);
}

static void
sleeper(struct ctx *cx, void *arg)
{
	struct db_res *r;

	*(struct fib **)arg = cx->fib;
	FAILS(db_query(cx, &r, "SELECT pg_sleep(600)", DB0), CANCELLED);
	FAILS(db_query(cx, &r, "INSERT INTO t VALUES (1)", DB0), CANCELLED);
	*(struct fib **)arg = NULL;
}

/* The client left: its statement ends early, and none follows. */
static void
cancels(struct ctx *cx)
{
	struct fib *f = NULL;
	struct db_res *r;

	GOOD(db_script(cx, "CREATE TABLE t (a int)"));
	fib_spawn_new("sleeper", 0, sleeper, &f);
	until_busy(cx, 1);
	fib_cancel(f);
	until_busy(cx, 0);
	CHECK(f == NULL);
	GOOD(db_query(cx, &r, "SELECT count(*) FROM t", DB0));
	CHECK(db_i64(r, 0, 0) == 0);
}
Test(db, cancels, .timeout = 300)
{
	run("db_pool_size=1", cancels);
}

/* ---- lost connections ---- */

static err_t
killed(struct db_tx *tx)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, "SELECT 1", DB0));
	server_kill(pg);
	tx_add(tx, "SELECT 1", DB0);
	return OK;
}

static void
lost(struct ctx *cx)
{
	struct db_res *r;

	FAILS(db_query(cx, &r, "SELECT pg_terminate_backend(pg_backend_pid())", DB0), DB_DOWN);
	GOOD(db_query(cx, &r, "SELECT 1", DB0));
	FAILS(TX_RUN(cx, tx, killed(tx)), DB_DOWN);
	cx->deadline = loop_now() + 300;
	FAILS(db_query(cx, &r, "SELECT 1", DB0), DB_DOWN);
	cx->deadline = 0;
	server_start(pg);
	GOOD(db_query(cx, &r, "SELECT 1", DB0));
	CHECK(db_pool_busy() == 0);
}
Test(db, lost, .timeout = 300)
{
	run("db_pool_size=2", lost);
}

/* ---- migrations ---- */

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static void
migrations(struct ctx *cx)
{
	char dir[] = "/tmp/badal-sql-XXXXXX";
	struct db_res *r;

	CHECK(mkdtemp(dir) != NULL);
	mkdir(arena_printf(cx->arena, "%s/project", dir), 0700);
	write_file(arena_printf(cx->arena, "%s/0001_a.sql", dir),
	    "CREATE TABLE badal.projects (internal bigint); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$; -- ;\n");
	write_file(arena_printf(cx->arena, "%s/project/0001_b.sql", dir), "CREATE TABLE :schema.things (a int);");
	GOOD(db_migrate(cx, dir));
	GOOD(db_migrate(cx, dir));
	GOOD(TX_RUN(cx, tx, db_migrate_project(tx, "p_7")));
	GOOD(db_query(cx, &r, "SELECT count(*) FROM pg_tables WHERE tablename = 'things'", DB0));
	CHECK(db_i64(r, 0, 0) == 2);	/* the console's space and p_7 */
	GOOD(db_exec(cx, NULL, "INSERT INTO badal.migrations (number, name) VALUES (99, 'later')", DB0));
	FAILS(db_migrate(cx, dir), DB);
	CHECK(strstr(cx->detail, "newer") != NULL);
	unlink(arena_printf(cx->arena, "%s/project/0001_b.sql", dir));
	unlink(arena_printf(cx->arena, "%s/0001_a.sql", dir));
	rmdir(arena_printf(cx->arena, "%s/project", dir));
	rmdir(dir);
}
Test(db, migrations, .timeout = 300)
{
	run("db_pool_size=2", migrations);
}

/* ---- literals ---- */

Test(db, arrays)
{
	const char *v[] = {"a", "b \"c\" \\ d", "", NULL, "NULL", "{x,y}"};
	struct arena *a = arena_new();
	struct strs back = pg_array_parse(a, str_c(pg_array(a, v, 6)));

	cr_assert_eq(back.n, 6);
	for (int i = 0; i < 6; i++)
		if (v[i] == NULL)
			cr_expect_null(back.v[i]);
		else
			cr_expect_str_eq(back.v[i], v[i]);
	cr_expect_eq(pg_array_parse(a, STR("{}")).n, 0);
	cr_expect_not(pg_array_parse(a, STR_NONE).set);
	cr_expect_eq(pg_array_parse(a, STR("{a")).n, 0);	/* malformed */
	arena_free(&a);
}
