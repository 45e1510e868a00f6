/* Collections, attributes and indexes against a real PostgreSQL: rows and tables change together, background work ends from any point. */
#include <criterion/criterion.h>
#include <libpq-fe.h>

#include "core/conf.h"
#include "core/gen.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/bus.h"
#include "model/seal.h"
#include "model/turn.h"
#include "svc/databases/collection.h"
#include "svc/services.h"
#include "servers.h"
#include "../../src/model/query_priv.h"

static struct server *pg;
static struct project project = {.id = "shop", .schema = "p_1", .internal = 1, .team_id = "crew"};

/* ---- helpers: a test is one fiber ---- */

struct run {
	void (*fn)(struct ctx *cx);
	bool done;
};

static void
body(struct ctx *cx, void *arg)
{
	struct run *r = arg;

	r->fn(cx);
	r->done = true;
	loop_stop();
}

#define OK_(expr)                                                                                                              \
	do {                                                                                                                   \
		err_t e_ = (expr);                                                                                             \
		cr_assert_eq(e_, OK, "%s: %s (%s)", #expr, err_info(e_)->name, cx->detail ? cx->detail : "");                  \
	} while (0)
#define ERR_(want, expr)                                                                                                       \
	do {                                                                                                                   \
		err_t e_ = (expr);                                                                                             \
		cr_assert_eq(e_, want, "%s: %s (%s)", #expr, err_info(e_)->name, cx->detail ? cx->detail : "");                \
	} while (0)

static void
prepare(struct ctx *cx)
{
	struct database d;

	OK_(db_migrate(cx, SOURCE_SQL));
	OK_(db_exec(cx, NULL, "INSERT INTO badal.projects (id, name, team_id, created, updated) VALUES ('shop', 'Shop', 'crew', now(), now())", DB0));
	OK_(TX_RUN(cx, tx, db_migrate_project(tx, "p_1")));
	OK_(database_create(cx, &project, NULL, "main", "Main", true, &d));
}

/* Another program's transaction that has done `sql`; PQfinish ends it. */
static PGconn *
other(const char *sql)
{
	PGconn *c = PQconnectdb(server_url(pg));

	PQclear(PQexec(c, "BEGIN"));
	PQclear(PQexec(c, sql));
	cr_assert_eq(PQtransactionStatus(c), PQTRANS_INTRANS, "%s", PQerrorMessage(c));
	return c;
}

static void
run(void (*fn)(struct ctx *cx))
{
	struct run pre = {.fn = prepare}, r = {.fn = fn};

	services_init();
	gen_init();
	metric_init(1);
	metric_slot(0);
	conf_load(NULL, 0, NULL, false);
	log_init("test", "warn", false);
	pg = server_pg();
	conf.db_url = server_url(pg);
	conf.redis_url = server_url(server_redis());
	loop_init();
	bus_init();
	db_init();
	fib_spawn_new("prepare", 240000, body, &pre);
	loop_run();
	cr_assert(pre.done);
	fib_spawn_new("test", 500000, body, &r);
	loop_run();
	cr_assert(r.done);
	servers_clean();
}

static struct str
collection(struct ctx *cx, const char *id)
{
	struct collection_in in = {.id = id, .name = id, .enabled = true};
	struct str json;

	OK_(collection_create(cx, &project, NULL, "main", &in, &json));
	return json;
}

static err_t
try_attribute(struct ctx *cx, const char *col, const char *key, enum attr_kind kind, int64_t size, bool array)
{
	struct attribute_in in = {.key = key, .kind = kind, .size = size, .array = array};
	struct str json;

	return attribute_create(cx, &project, NULL, "main", col, &in, &json);
}

static void
attribute(struct ctx *cx, const char *col, const char *key, enum attr_kind kind, int64_t size)
{
	OK_(try_attribute(cx, col, key, kind, size, false));
}

static const struct collection *
now(struct ctx *cx, const char *col)
{
	const struct collection *c;

	OK_(collection_get(cx, &project, "main", col, &c));
	return c;
}

static const char *
index_status(struct ctx *cx, const char *col, const char *key)
{
	const struct index *x;

	return index_find(cx, now(cx, col), key, &x) == OK ? x->status : "gone";
}

static const char *
attribute_status(struct ctx *cx, const char *col, const char *key)
{
	const struct attribute *a;

	return attribute_find(cx, now(cx, col), key, &a) == OK ? a->status : "gone";
}

static struct strs
list(struct ctx *cx, const char *words)
{
	struct str rest = str_c(words);
	struct strs s = {.set = true, .v = arena_array(cx->arena, const char *, 64)};

	while (rest.n)
		s.v[s.n++] = str_dup(cx->arena, str_cut(&rest, ' '));
	return s;
}

static void
index_(struct ctx *cx, const char *col, const char *key, const char *type, const char *attributes, const char *orders)
{
	struct strs a = list(cx, attributes), o = list(cx, orders);
	struct index x = {.key = key, .type = type, .attributes = a, .orders = o};
	struct str json;

	OK_(index_create(cx, &project, NULL, "main", col, &x, &json));
}

static int64_t
number(struct ctx *cx, const char *sql)
{
	struct db_res *r;

	OK_(db_query(cx, &r, sql, DB0));
	return db_i64(r, 0, 0);
}

static int64_t
physical(struct ctx *cx)
{
	return number(cx, "SELECT count(*) FROM pg_class k JOIN pg_namespace n ON n.oid = k.relnamespace WHERE nspname = 'p_1' AND "
			  "relname ~ '^i_[0-9]+(_h)?$'");
}

/* ---- tests ---- */

static void
tables(struct ctx *cx)
{
	struct str json = collection(cx, "books");
	struct collection_in in = {.id = "BOOKS", .name = "x"};

	cr_assert(str_ends(json, "\"attributes\":[],\"indexes\":[]}"));
	ERR_(ERR_COLLECTION_ALREADY_EXISTS, collection_create(cx, &project, NULL, "main", &in, &json));
	ERR_(ERR_DATABASE_NOT_FOUND, collection_create(cx, &project, NULL, "none", &in, &json));
	cr_assert_eq(number(cx, "SELECT count(*) FROM p_1.c_1"), 0);
	OK_(schema_sweep(cx, &project));
	cr_assert_eq(number(cx, "SELECT count(*) FROM p_1.c_1"), 0);
	OK_(collection_delete(cx, &project, NULL, "main", "Books"));
	ERR_(ERR_COLLECTION_NOT_FOUND, collection_delete(cx, &project, NULL, "main", "books"));
	OK_(schema_sweep(cx, &project));
	cr_assert_eq(number(cx, "SELECT count(*) FROM pg_class WHERE relname = 'c_1'"), 0);
	collection(cx, "books");
	OK_(database_delete(cx, &project, NULL, "main"));
	ERR_(ERR_DATABASE_NOT_FOUND, collection_delete(cx, &project, NULL, "main", "books"));
	OK_(schema_recover(cx));
	cr_assert_eq(number(cx, "SELECT count(*) FROM pg_class WHERE relname ~ '^c_[0-9]+$'"), 0);
}

Test(schema, tables_go_with_their_rows)
{
	run(tables);
}

/* Tables in use, one of a deleted collection and one that waits for a change, do not keep the rest from being recovered. */
static void
recovery(struct ctx *cx)
{
	static const char *const names[] = {"gone", "used", "free"};
	PGconn *user;

	for (int i = 0; i < 3; i++) {
		collection(cx, names[i]);
		attribute(cx, names[i], "n", KIND_INTEGER, 0);
	}
	user = other("SELECT 1 FROM p_1.c_1, p_1.c_2");
	OK_(collection_delete(cx, &project, NULL, "main", "gone"));
	OK_(attribute_delete(cx, &project, NULL, "main", "used", "n"));
	cr_assert_str_eq(attribute_status(cx, "used", "n"), "deleting");
	index_(cx, "free", "n", "key", "n", "");
	OK_(schema_recover(cx));
	cr_assert_str_eq(index_status(cx, "free", "n"), "available");
	cr_assert_str_eq(attribute_status(cx, "used", "n"), "deleting");
	PQfinish(user);
	OK_(schema_recover(cx));
	ERR_(ERR_ATTRIBUTE_NOT_FOUND, attribute_delete(cx, &project, NULL, "main", "used", "n"));
	cr_assert_eq(number(cx, "SELECT count(*) FROM pg_class WHERE relname ~ '^c_[0-9]+$'"), 2);
}

Test(schema, recovery_passes_tables_in_use, .timeout = 300)
{
	run(recovery);
}

static void
limits(struct ctx *cx)
{
	collection(cx, "wide");
	ERR_(ERR_ATTRIBUTE_LIMIT_EXCEEDED, try_attribute(cx, "wide", "a", KIND_STRING, 16009, false));
	OK_(try_attribute(cx, "wide", "a", KIND_STRING, 16008, false));
	ERR_(ERR_ATTRIBUTE_LIMIT_EXCEEDED, try_attribute(cx, "wide", "b", KIND_BOOLEAN, 0, false));
	OK_(attribute_delete(cx, &project, NULL, "main", "wide", "A"));
	ERR_(ERR_ATTRIBUTE_NOT_FOUND, attribute_delete(cx, &project, NULL, "main", "wide", "a"));
	OK_(try_attribute(cx, "wide", "a", KIND_STRING, 16384, false));
	ERR_(ERR_ATTRIBUTE_ALREADY_EXISTS, try_attribute(cx, "wide", "A", KIND_STRING, 10, false));
	for (int i = 1; i < 1012; i++)
		attribute(cx, "wide", arena_printf(cx->arena, "n%d", i), KIND_BOOLEAN, 0);
	ERR_(ERR_ATTRIBUTE_LIMIT_EXCEEDED, try_attribute(cx, "wide", "n1012", KIND_BOOLEAN, 0, false));
	cr_assert_eq(now(cx, "wide")->n_live, 1012);
}

Test(schema, limits_of_attributes, .timeout = 600)
{
	run(limits);
}

static void
builds(struct ctx *cx)
{
	static const struct { const char *key, *type, *attributes, *orders, *status; int n; } rows[] = {
		{"k1", "key", "n", "", "available", 1},
		{"k2", "key", "s n", "ASC desc", "available", 1},
		{"k3", "key", "f", "DESC", "available", 1},
		{"k4", "key", "b", "", "available", 1},
		{"k5", "key", "d", "", "available", 1},
		{"k6", "key", "huge", "", "available", 1},
		{"k7", "key", "$createdAt", "", "available", 0},
		{"k8", "key", "$id", "", "available", 0},
		{"k9", "key", "$createdAt n", "", "available", 1},
		{"k10", "key", "tags", "", "available", 1},
		{"k11", "key", "nums", "", "available", 1},
		{"k12", "key", "tags n", "", "available", 1},
		{"k13", "key", "s url", "", "failed", 0},
		{"k14", "key", "n n", "", "failed", 0},
		{"k15", "key", "", "", "failed", 0},
		{"u1", "unique", "n", "", "available", 1},
		{"u2", "unique", "url", "", "available", 2},
		{"u3", "unique", "s d", "", "available", 1},
		{"u4", "unique", "huge", "", "failed", 0},
		{"u5", "unique", "tags", "", "available", 2},
		{"u6", "unique", "$id", "", "available", 0},
		{"f1", "fulltext", "s", "", "available", 1},
		{"f2", "fulltext", "s huge", "", "available", 1},
		{"f3", "fulltext", "tags", "", "available", 1},
		{"f4", "fulltext", "nums s", "", "available", 1},
		{"f5", "fulltext", "n", "", "failed", 0},
		{"f6", "fulltext", "$createdAt", "", "failed", 0},
		{"x1", "spatial", "n", "", "failed", 0},
		{"x2", "KEY", "n", "", "failed", 0},
	};
	int n = 0;

	collection(cx, "c");
	attribute(cx, "c", "n", KIND_INTEGER, 0);
	attribute(cx, "c", "f", KIND_FLOAT, 0);
	attribute(cx, "c", "b", KIND_BOOLEAN, 0);
	attribute(cx, "c", "d", KIND_DATETIME, 0);
	attribute(cx, "c", "s", KIND_STRING, 100);
	attribute(cx, "c", "url", KIND_STRING, 2000);
	attribute(cx, "c", "huge", KIND_STRING, 1000000);
	OK_(try_attribute(cx, "c", "tags", KIND_STRING, 32, true));
	OK_(try_attribute(cx, "c", "nums", KIND_INTEGER, 0, true));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		index_(cx, "c", rows[i].key, rows[i].type, rows[i].attributes, rows[i].orders);
		cr_assert_str_eq(index_status(cx, "c", rows[i].key), "processing");
		n += rows[i].n;
	}
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_assert_str_eq(index_status(cx, "c", rows[i].key), rows[i].status, "%s is %s", rows[i].key, index_status(cx, "c", rows[i].key));
	cr_assert_eq(physical(cx), n);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		OK_(index_delete(cx, &project, NULL, "main", "c", rows[i].key));
	cr_assert_eq(physical(cx), 0);
	cr_assert_eq(now(cx, "c")->n_indexes, 0);
}

Test(schema, indexes_of_every_kind, .timeout = 300)
{
	run(builds);
}

static void
fill(struct ctx *cx, const char *columns, const char *values)
{
	OK_(db_exec(cx, NULL, arena_printf(cx->arena, "INSERT INTO p_1.c_1 (_id, _created, _updated, _perms, _read, %s) SELECT 'd' || i, now(), "
	    "now(), '{}', '{}', %s FROM generate_series(1, 100) AS i", columns, values), DB0));
}

static void
failures(struct ctx *cx)
{
	const char *broken;

	collection(cx, "c");
	attribute(cx, "c", "n", KIND_INTEGER, 0);
	attribute(cx, "c", "s", KIND_STRING, 2000);
	fill(cx, "a_1, a_2", "i / 2, repeat('x', i)");
	index_(cx, "c", "dup", "unique", "n", "");
	index_(cx, "c", "fine", "unique", "s", "");
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	cr_assert_str_eq(index_status(cx, "c", "dup"), "failed");
	cr_assert_str_eq(index_status(cx, "c", "fine"), "available");
	cr_assert_eq(physical(cx), 2);
	cr_assert_eq(number(cx, "SELECT count(*) FROM p_1.indexes WHERE error = 'documents have equal values'"), 1);

	/* a build that was cut off leaves an invalid index of the same name: it is built anew */
	index_(cx, "c", "again", "key", "n", "");
	broken = "CREATE UNIQUE INDEX CONCURRENTLY i_3 ON p_1.c_1 (a_1)";
	ERR_(ERR_DB_UNIQUE, db_exec(cx, NULL, broken, DB0));
	cr_assert_eq(number(cx, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), 1);
	OK_(schema_recover(cx));
	cr_assert_str_eq(index_status(cx, "c", "again"), "available");
	cr_assert_eq(number(cx, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), 0);

	/* deleted before it was built */
	index_(cx, "c", "late", "key", "s", "");
	OK_(index_delete(cx, &project, NULL, "main", "c", "late"));
	cr_assert_str_eq(index_status(cx, "c", "late"), "deleting");
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	cr_assert_str_eq(index_status(cx, "c", "late"), "gone");
	OK_(schema_settle(cx, &project, "main", "unknown", NULL));
	OK_(schema_settle(cx, &project, "unknown", "c", NULL));
}

Test(schema, failed_and_interrupted_builds)
{
	run(failures);
}

static void
shrinking(struct ctx *cx)
{
	const struct index *x;

	collection(cx, "c");
	attribute(cx, "c", "a", KIND_INTEGER, 0);
	attribute(cx, "c", "b", KIND_INTEGER, 0);
	attribute(cx, "c", "s", KIND_STRING, 10);
	index_(cx, "c", "a", "key", "a", "");
	index_(cx, "c", "ab", "key", "a b", "");
	index_(cx, "c", "ab2", "key", "b a", "desc AsC");
	index_(cx, "c", "da", "key", "a b", "desc asc");
	index_(cx, "c", "da2", "key", "b a", "ASC DESC");
	index_(cx, "c", "sab", "key", "s a b", "ASC DESC");
	index_(cx, "c", "uas", "unique", "a s", "");
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	OK_(attribute_delete(cx, &project, NULL, "main", "c", "b"));
	cr_assert_str_eq(index_status(cx, "c", "ab"), "gone");		/* the same as a */
	cr_assert_str_eq(index_status(cx, "c", "ab2"), "gone");		/* likewise: ASC is what no order means */
	cr_assert_str_eq(index_status(cx, "c", "da"), "processing");
	cr_assert_str_eq(index_status(cx, "c", "da2"), "gone");		/* the same as da */
	OK_(index_find(cx, now(cx, "c"), "sab", &x));
	cr_assert_eq(x->attributes.n, 2);
	cr_assert_eq(x->orders.n, 2);
	cr_assert_str_eq(x->status, "processing");
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	cr_assert_str_eq(index_status(cx, "c", "sab"), "available");
	cr_assert_eq(physical(cx), 4);
	OK_(attribute_delete(cx, &project, NULL, "main", "c", "a"));
	cr_assert_str_eq(attribute_status(cx, "c", "a"), "stuck");
	OK_(index_delete(cx, &project, NULL, "main", "c", "uas"));
	OK_(attribute_delete(cx, &project, NULL, "main", "c", "a"));
	cr_assert_str_eq(attribute_status(cx, "c", "a"), "gone");
	cr_assert_str_eq(index_status(cx, "c", "a"), "gone");
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	cr_assert_eq(physical(cx), 1);
	cr_assert_eq(now(cx, "c")->n_indexes, 1);
}

Test(schema, a_deleted_attribute_leaves_its_indexes)
{
	run(shrinking);
}

static void
busy(struct ctx *cx)
{
	PGconn *reader;

	collection(cx, "c");
	attribute(cx, "c", "a", KIND_INTEGER, 0);
	reader = other("SELECT * FROM p_1.c_1");
	attribute(cx, "c", "b", KIND_INTEGER, 0);
	cr_assert_str_eq(attribute_status(cx, "c", "b"), "processing");
	cr_assert_eq(now(cx, "c")->n_live, 1);
	OK_(attribute_delete(cx, &project, NULL, "main", "c", "a"));
	cr_assert_str_eq(attribute_status(cx, "c", "a"), "deleting");
	ERR_(ERR_BUSY, schema_settle(cx, &project, "main", "c", NULL));
	PQfinish(reader);
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	cr_assert_str_eq(attribute_status(cx, "c", "b"), "available");
	cr_assert_str_eq(attribute_status(cx, "c", "a"), "gone");
	cr_assert_eq(number(cx, "SELECT count(*) FROM information_schema.columns WHERE table_name = 'c_1' AND column_name LIKE 'a\\_%'"), 1);
}

Test(schema, a_busy_table_is_changed_later)
{
	run(busy);
}

static void
worn(struct ctx *cx)
{
	collection(cx, "c");
	attribute(cx, "c", "keep", KIND_INTEGER, 0);
	index_(cx, "c", "k", "key", "keep", "");
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	fill(cx, "a_1", "i");
	OK_(db_exec(cx, NULL, "DO $$BEGIN FOR i IN 1..1593 LOOP EXECUTE 'ALTER TABLE p_1.c_1 ADD COLUMN x bool'; EXECUTE 'ALTER TABLE p_1.c_1 DROP "
	    "COLUMN x'; END LOOP; END$$", DB0));
	attribute(cx, "c", "new", KIND_STRING, 5);
	cr_assert_str_eq(attribute_status(cx, "c", "new"), "processing");
	OK_(schema_settle(cx, &project, "main", "c", NULL));
	cr_assert_str_eq(attribute_status(cx, "c", "new"), "available");
	cr_assert_eq(number(cx, "SELECT sum(a_1) FROM p_1.c_1"), 5050);
	cr_assert_eq(physical(cx), 1);
	OK_(db_exec(cx, NULL, "INSERT INTO p_1.c_1 (_id, _created, _updated, _perms, _read) VALUES ('new', now(), now(), '{}', '{}')", DB0));
	cr_assert_eq(number(cx, "SELECT max(_seq) FROM p_1.c_1"), 101);
	cr_assert_eq(number(cx, "SELECT last_value FROM p_1.v_1"), 101, "changes still take numbers");
	cr_assert_eq(number(cx, "SELECT count(*) FROM pg_class WHERE oid = 'p_1.v_1'::regclass AND oid = pg_get_serial_sequence('p_1.c_1', '_id')::regclass"), 1);
	ERR_(ERR_DB_UNIQUE, db_exec(cx, NULL, "INSERT INTO p_1.c_1 (_id, _created, _updated, _perms, _read) VALUES ('D1', now(), now(), '{}', '{}')", DB0));
}

Test(schema, a_table_out_of_columns_is_copied, .timeout = 600)
{
	run(worn);
}

/* ---- sealed texts ---- */

static void
slices(struct ctx *cx)
{
	static const struct { const char *lengths; int rows[4]; } cases[] = {
	    {"300000,300000,300000,300000,300000", {4, 1}}, {"2000000,1,1", {1, 2}}, {"10,2000000,2000000", {2, 1}}, {"", {0}}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *last = "0";

		OK_(db_exec(cx, NULL, "DROP TABLE IF EXISTS sealed", DB0));
		OK_(db_exec(cx, NULL, "CREATE TABLE sealed AS SELECT n, repeat('x', l::int) AS v FROM unnest(string_to_array($1, ',')) WITH ORDINALITY AS u(l, n)", DB(cases[i].lengths)));
		for (int k = 0; k < 4; k++) {
			struct db_res *r;

			OK_(db_query(cx, &r, seal_slice_sql(cx->arena, "sealed", "n", "v", "v <> ''"), DB(last)));
			cr_assert_eq(db_rows(r), cases[i].rows[k], "%s: %d", cases[i].lengths, k);
			if (db_rows(r) > 0)
				last = db_cstr(r, db_rows(r) - 1, 0);
		}
	}
}

Test(schema, sealed_texts_are_read_in_slices, .timeout = 300)
{
	run(slices);
}

/* ---- turns at a collection ---- */

/* One connection is enough for a worker. */
static void
alone(struct ctx *cx)
{
	collection(cx, "c");
	attribute(cx, "c", "a", KIND_INTEGER, 0);
	index_(cx, "c", "k", "key", "a", "");
	conf.db_pool_size = 1;
	OK_(schema_settle(cx, &project, "main", "c", "job"));
	cr_assert_str_eq(index_status(cx, "c", "k"), "available");
}

Test(schema, a_turn_holds_no_connection, .timeout = 300)
{
	run(alone);
}

static void
turns(struct ctx *cx)
{
	struct turn *mine, *other, *again;
	enum turn_found found;

	collection(cx, "c");
	attribute(cx, "c", "a", KIND_INTEGER, 0);
	index_(cx, "c", "k", "key", "a", "");
	/* another job has it: it will do what there is to do */
	OK_(turn_take(cx, "p_1:1", "other", &found, &other));
	cr_assert_eq(found, TURN_OURS);
	cr_assert(turn_ours(other));
	OK_(schema_settle(cx, &project, "main", "c", "job"));
	cr_assert_str_eq(index_status(cx, "c", "k"), "processing");
	/* its next try takes it over, and the former learns of it when it gives it back: that changes nothing */
	OK_(turn_take(cx, "p_1:1", "other", &found, &again));
	cr_assert_eq(found, TURN_OURS);
	OK_(turn_give(cx, &other));
	cr_assert_null(other);
	OK_(turn_take(cx, "p_1:1", "job", &found, &mine));
	cr_assert_eq(found, TURN_AT_A_JOB);
	cr_assert_null(mine);
	OK_(turn_give(cx, &again));
	/* who is no job may never come back */
	OK_(turn_take(cx, "p_1:1", NULL, &found, &other));
	cr_assert_eq(found, TURN_OURS);
	ERR_(ERR_BUSY, schema_settle(cx, &project, "main", "c", "job"));
	ERR_(ERR_BUSY, schema_settle(cx, &project, "main", "c", NULL));
	/* other turns are others */
	OK_(turn_take(cx, "p_1:2", "job", &found, &mine));
	cr_assert_eq(found, TURN_OURS);
	OK_(turn_give(cx, &mine));
	OK_(turn_give(cx, &other));
	OK_(schema_settle(cx, &project, "main", "c", "job"));
	cr_assert_str_eq(index_status(cx, "c", "k"), "available");
}

Test(schema, one_worker_at_a_collection, .timeout = 300)
{
	run(turns);
}

static void
forgets(struct ctx *cx)
{
	struct bus_reply *r;
	enum turn_found found;
	struct turn *t;

	OK_(turn_take(cx, "x", "job", &found, &t));
	OK_(bus_cmd(cx, &r, BUS(STR("FLUSHALL"))));
	for (int i = 0; i < 1000 && turn_ours(t); i++)
		OK_(fib_sleep(cx, 20));
	cr_assert_not(turn_ours(t));
	OK_(turn_give(cx, &t));
}

Test(schema, a_turn_that_redis_forgot_is_lost, .timeout = 300)
{
	run(forgets);
}

static struct fib_event built;

static void
builder(struct ctx *cx, void *arg)
{
	(void)arg;
	OK_(db_exec(cx, NULL, "CREATE INDEX CONCURRENTLY i_1 ON p_1.c_1 (a_1)", DB0));
	fib_signal(&built);
}

/* A build whose worker has died goes on in PostgreSQL: it is neither undone nor taken for one that was cut off. */
static void
orphans(struct ctx *cx)
{
	PGconn *old;

	collection(cx, "c");
	attribute(cx, "c", "a", KIND_INTEGER, 0);
	index_(cx, "c", "k", "key", "a", "");
	old = other("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM p_1.c_1");	/* the build waits for its snapshot */
	fib_spawn_new("builder", 0, builder, NULL);
	while (number(cx, "SELECT count(*) FROM pg_index x JOIN pg_stat_progress_create_index g ON g.relid = x.indrelid WHERE NOT indisvalid") == 0)
		OK_(fib_sleep(cx, 10));
	ERR_(ERR_BUSY, schema_settle(cx, &project, "main", "c", "job"));
	PQfinish(old);
	OK_(fib_await(cx, &built));
	OK_(schema_settle(cx, &project, "main", "c", "job"));
	cr_assert_str_eq(index_status(cx, "c", "k"), "available");
	cr_assert_eq(physical(cx), 1);
}

Test(schema, a_build_without_its_worker_is_left_alone, .timeout = 300)
{
	run(orphans);
}

static void
lock_row(struct ctx *cx)
{
	PGconn *writer;

	collection(cx, "c");
	attribute(cx, "c", "a", KIND_INTEGER, 0);
	index_(cx, "c", "k", "key", "a", "");
	writer = other("SELECT 1 FROM p_1.collections FOR NO KEY UPDATE");
	ERR_(ERR_BUSY, schema_settle(cx, &project, "main", "c", "job"));
	PQfinish(writer);
	OK_(schema_settle(cx, &project, "main", "c", "job"));
	cr_assert_str_eq(index_status(cx, "c", "k"), "available");
}

Test(schema, a_writer_that_does_not_end_is_come_back_for, .timeout = 300)
{
	run(lock_row);
}

/* ---- words ---- */

/* The program's own making of a search agrees with the function of the project. */
static void
searches(struct ctx *cx)
{
	static const char *const texts[] = {"", " ", "Alpha", "the", "the alpha and Beta_1 x", "\"one two\"", "\"one of the two\" three four",
	    "one \"two the\"", "one \"two", "\"the\"", "it's", "a.b.c def", "\"a\" \"bcd\" \"the efg\" the", "und und \"", "x\ty\nzzz 123 4_5", "\"\"\"abc",
	    "''quoted'' \\ back:* & | ! ()", "\"alpha and the beta\"\"gamma\""};

	struct db_res *r;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		const char *ours = query_wanted(cx->arena, str_c(texts[i]));

		OK_(db_query(cx, &r, "SELECT p_1.wanted($1::text)::text, $2::tsquery::text, p_1.wanted($1::text) = $2::tsquery", DB(texts[i], ours)));
		cr_expect(db_bool(r, 0, 2), "%s: %s and %s", texts[i], db_cstr(r, 0, 0), db_cstr(r, 0, 1));
	}
	/* longer than any word of an index, and than PostgreSQL takes */
	OK_(db_query(cx, &r, "SELECT p_1.wanted(repeat('\u65e5', 1000))::text, p_1.wanted('x ' || repeat('a', 85))::text, "
	    "length(p_1.wanted(repeat('a', 84))::text)", DB0));
	cr_expect_str_eq(db_cstr(r, 0, 0), "");
	cr_expect_str_eq(db_cstr(r, 0, 1), "");
	cr_expect_eq(db_i64(r, 0, 2), 84 + 4);
}
Test(schema, searches, .timeout = 300) { run(searches); }
