/* What the log and the counters keep, and for how long, against a real PostgreSQL. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/metric.h"
#include "core/vtime.h"
#include "model/audit.h"
#include "model/expire.h"
#include "model/usage.h"
#include "svc/functions/execution.h"
#include "svc/services.h"
#include "space.h"

static struct project one = {.id = "one", .internal = 1, .schema = "p_1", .name = "One"}, two = {.id = "two", .internal = 2, .schema = "p_2", .name = "Two"},
		      gone = {.id = "gone", .internal = 3, .schema = "p_3", .name = "Gone"};

/* One request, as a route names it. */
static void
count(const struct project *p, const char *usage, const char *outer, const char *inner)
{
	const struct usage_kind *kind;
	enum usage_op op;

	CHECK(usage_find(usage, &kind, &op));
	usage_count(p, kind, op, outer, inner);
}

static void
run(void (*fn)(struct ctx *cx))
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	services_init();
	space_run((const char *[]){one.schema, two.schema, NULL}, 60000, fn);
	cr_assert_eq(failures, 0);
}

static int64_t
number(struct ctx *cx, const char *sql)
{
	struct db_res *r;

	return db_query(cx, &r, sql, DB0) == OK && db_rows(r) == 1 ? db_i64(r, 0, 0) : -1;
}

static void
note_of(const struct project *p, const char *user, const char *event)
{
	audit_add(p, &(struct audit_entry){.user_id = user, .user_name = "Ada", .user_email = "ada@example.org", .event = event, .resource = "user/Ada",
		.mode = "default", .ip = "127.0.0.1", .user_agent = ""});
}

static void
note(const struct project *p, const char *event)
{
	note_of(p, "Ada", event);
}

/* ---- the log ---- */

static void
entries(struct ctx *cx)
{
	const struct strs none = {0};
	struct objs list;
	int64_t total;

	for (int i = 0; i < 1200; i++)	/* more than a batch */
		note(i % 2 ? &one : &two, arena_printf(cx->arena, "event.%d", i));
	note(&gone, "lost");
	note(&one, "last");
	GOOD(audit_flush(cx));	/* the others' are written although one project is gone */
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit") == 601);
	CHECK(number(cx, "SELECT count(*) FROM p_2.audit") == 600);
	GOOD(audit_list(cx, &one, AUDIT_OF_USER, "ada", 0, &none, false, NULL, &total, &list));
	CHECK(total == 601 && list.n == 601);
	CHECK(strcmp(((struct audit_log *)list.v[0])->event, "last") == 0);
	CHECK(strcmp(((struct audit_log *)list.v[600])->event, "event.1") == 0);
	CHECK(strcmp(((struct audit_log *)list.v[0])->user_email, "ada@example.org") == 0);
	GOOD(audit_list(cx, &one, AUDIT_OF_RESOURCE, "USER/ada", 0, &none, true, NULL, &total, &list));
	CHECK(total == 601 && ((struct audit_log *)list.v[0])->user_email[0] == '\0');
	GOOD(audit_list(cx, &one, AUDIT_OF_USER, "ada", ((struct audit_log *)list.v[0])->time + 3600 * 1000000LL, &none, false, NULL, &total, &list));
	CHECK(total == 0 && list.n == 0);	/* an earlier owner's */
	GOOD(audit_list(cx, &one, AUDIT_OF_RESOURCE, "user/Bob", 0, &none, true, NULL, &total, &list));
	CHECK(total == 0 && list.n == 0);
}

/* The log of one project has what was queued for it, in this order, and leaves the others' entries where they are. */
static void
own_entries(struct ctx *cx)
{
	const struct strs none = {0};
	struct objs list;
	int64_t total;

	for (int i = 0; i < 300; i++) {
		note(&two, arena_printf(cx->arena, "event.%d", i));
		note(&gone, "lost");
		note(&one, arena_printf(cx->arena, "event.%d", i));
	}
	GOOD(audit_list(cx, &one, AUDIT_OF_USER, "ada", 0, &none, false, NULL, &total, &list));
	CHECK(total == 300 && strcmp(((struct audit_log *)list.v[0])->event, "event.299") == 0);
	CHECK(number(cx, "SELECT count(*) FROM p_2.audit") == 0);
	GOOD(audit_flush(cx));
	CHECK(number(cx, "SELECT count(*) FROM p_2.audit") == 300);
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit") == 300);
}

static int finished;

static void
lists(struct ctx *cx, void *arg)
{
	const struct strs none = {0};
	struct objs list;
	int64_t total;

	(void)arg;
	GOOD(audit_list(cx, &one, AUDIT_OF_USER, "ada", 0, &none, false, NULL, &total, &list));
	CHECK(total == 1200 && strcmp(((struct audit_log *)list.v[0])->event, "event.1199") == 0);
	finished++;
}

/* Those who find a batch on its way wait for it, and write what is left. */
static void
at_once(struct ctx *cx)
{
	uint64_t end = loop_now() + 120000;

	finished = 0;
	for (int i = 0; i < 1200; i++)
		note(&one, arena_printf(cx->arena, "event.%d", i));
	for (int i = 0; i < 5; i++)
		fib_spawn_new("list", 120000, lists, NULL);
	while (finished < 5 && loop_now() < end)
		GOOD(fib_sleep(cx, 5));
	CHECK(finished == 5);
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit") == 1200);
}

Test(upkeep, own_entries, .timeout = 300)
{
	run(own_entries);
}

Test(upkeep, lists_at_once, .timeout = 300)
{
	run(at_once);
}

Test(upkeep, entries, .timeout = 300)
{
	run(entries);
}

#define FILL(schema)                                                                                                                  \
	"INSERT INTO " schema ".audit (user_id, user_name, user_email, event, resource, mode, ip, user_agent, created) "               \
	"SELECT 'u', '', '', 'e', 'r', '', '', '', now() - (n + 0.5) * interval '1 hour' FROM generate_series(0, 2999) n"
#define COUNTS                                                                                                                        \
	"INSERT INTO p_1.usage (metric, day, time, value) SELECT 'users.$all.count.total', d, now() - (n + 0.5) * interval '1 hour', 1 "     \
	"FROM generate_series(0, 2999) n, (VALUES (true), (false)) AS v(d)"

static void
retention(struct ctx *cx)
{
	GOOD(db_exec(cx, NULL, FILL("p_1"), DB0));
	GOOD(db_exec(cx, NULL, FILL("p_2"), DB0));
	GOOD(db_exec(cx, NULL, COUNTS, DB0));
	GOOD(db_exec(cx, NULL, "CREATE SCHEMA p_9", DB0));	/* one that is being made */
	conf.audit_retention = 0;
	conf.audit_per_user_max = 0;
	GOOD(expire_sweep(cx));
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit") == 3000);
	conf.audit_retention = INT64_C(14) * 86400000;
	GOOD(db_exec(cx, NULL, "INSERT INTO p_1.id_tokens VALUES ('a', now() - interval '1 second'), ('b', now() + interval '1 hour')", DB0));
	GOOD(expire_sweep(cx));
	CHECK(number(cx, "SELECT count(*) FROM p_1.id_tokens") == 1);
	GOOD(expire_sweep(cx));
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit") == 14 * 24);
	CHECK(number(cx, "SELECT count(*) FROM p_2.audit") == 14 * 24);
	CHECK(number(cx, "SELECT count(*) FROM p_1.usage WHERE NOT day") == 48);
	CHECK(number(cx, "SELECT count(*) FROM p_1.usage WHERE day") == 100 * 24);
}

Test(upkeep, retention, .timeout = 300)
{
	run(retention);
}

/* Of a user the newest of each event stay; others, other events and other projects lose nothing. */
static void
many_of_one(struct ctx *cx)
{
	const int64_t most = 50;

	conf.audit_per_user_max = most;
	note(&one, "session.create");
	note_of(&one, "Bob", "user.update");
	for (int i = 0; i < 1700; i++) {
		note_of(&one, i % 3 ? "Ada" : "ADA", "user.update");	/* ids do not differ by it */
		if (i % 100 == 0)
			GOOD(audit_flush(cx));
		if (i % 50 == 0)
			note(&two, "user.update");
	}
	GOOD(audit_flush(cx));
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit WHERE user_id ILIKE 'ada' AND event = 'user.update'") >= most);
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit WHERE user_id ILIKE 'ada' AND event = 'user.update'") <= most + 2 * most / 10 + 2);	/* each spelling is counted by itself */
	CHECK(number(cx, "SELECT max(internal) - min(internal) FROM p_1.audit WHERE user_id ILIKE 'ada' AND event = 'user.update'") <= most + 2 * most / 10 + 2);	/* the newest */
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit WHERE event = 'session.create' OR user_id = 'Bob'") == 2);
	CHECK(number(cx, "SELECT count(*) FROM p_2.audit") == 34);
	/* what nobody counted */
	GOOD(db_exec(cx, NULL, FILL("p_1"), DB0));
	GOOD(expire_sweep(cx));
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit WHERE user_id = 'u'") == most);
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit WHERE user_id ILIKE 'ada' AND event = 'user.update'") == most);
	conf.audit_per_user_max = 0;
	GOOD(db_exec(cx, NULL, FILL("p_2"), DB0));
	GOOD(expire_sweep(cx));
	CHECK(number(cx, "SELECT count(*) FROM p_2.audit WHERE user_id = 'u'") > most);
}

Test(upkeep, many_of_one, .timeout = 300)
{
	run(many_of_one);
}

/* ---- executions ---- */

#define EXECUTIONS(schema, of, from, to, status)                                                                                                          \
	"INSERT INTO " schema ".executions (function, id, created, updated, permissions, read, deployment, trigger, event, cause, depth, user_id, status, status_code, "  \
	"response, stdout, stderr, duration, method, path, request_headers, response_headers) SELECT (SELECT internal FROM " schema ".functions WHERE id = '" of "'), "  \
	"'" of "' || i, now(), now(), '{}', '{}', '', 'event', '', '', 0, '', '" status "', 200, '', '', '', 0, 'POST', '/', '[]', '[]' FROM generate_series(" from ", " to ") i"

static void
function_of(struct ctx *cx, const struct project *p, const char *id)
{
	GOOD(db_exec(cx, NULL, arena_printf(cx->arena, "INSERT INTO %s.functions (id, name, search, created, updated, execute, enabled, runtime, deployment, events, schedule, "
	    "timeout, generation, entrypoint, keep_warm, revision, activations, live) VALUES ($1, $1, '', now(), now(), '{}', true, 'node-18.0', '', '{}', '', 15, '', '', false, 0, 0, 0)", p->schema), DB(id)));
}

static int64_t
executions_of(struct ctx *cx, const char *schema, const char *where)
{
	return number(cx, arena_printf(cx->arena, "SELECT count(*) FROM %s.executions WHERE %s", schema, where));
}

/* Of a function the newest stay, and what has not ended; others lose nothing, although theirs came in between. */
static void
executions(struct ctx *cx)
{
	conf.executions_max = 100;
	function_of(cx, &one, "many");
	function_of(cx, &one, "few");
	function_of(cx, &two, "many");
	GOOD(db_exec(cx, NULL, EXECUTIONS("p_1", "few", "1", "50", "completed"), DB0));
	GOOD(db_exec(cx, NULL, EXECUTIONS("p_1", "many", "1", "1", "scheduled"), DB0));
	GOOD(db_exec(cx, NULL, EXECUTIONS("p_1", "many", "2", "1500", "completed"), DB0));
	GOOD(db_exec(cx, NULL, EXECUTIONS("p_1", "many", "1501", "1502", "processing"), DB0));
	GOOD(db_exec(cx, NULL, EXECUTIONS("p_1", "few", "51", "100", "failed"), DB0));
	GOOD(db_exec(cx, NULL, EXECUTIONS("p_1", "many", "1503", "1600", "failed"), DB0));
	GOOD(db_exec(cx, NULL, EXECUTIONS("p_2", "many", "1", "101", "completed"), DB0));
	GOOD(executions_trim(cx, one.schema));
	CHECK(executions_of(cx, "p_1", "id LIKE 'few%'") == 100);
	CHECK(executions_of(cx, "p_1", "id LIKE 'many%'") == 101);
	CHECK(executions_of(cx, "p_1", "id LIKE 'many%' AND status = 'failed'") == 98);
	CHECK(executions_of(cx, "p_1", "status IN ('scheduled', 'processing')") == 3);
	CHECK(executions_of(cx, "p_2", "true") == 101);
	conf.executions_max = 0;
	GOOD(executions_trim(cx, two.schema));
	CHECK(executions_of(cx, "p_2", "true") == 101);
	conf.executions_max = 100;
	GOOD(executions_trim(cx, two.schema));
	CHECK(executions_of(cx, "p_2", "true") == 100 && executions_of(cx, "p_2", "id = 'many1'") == 0);
}

Test(upkeep, executions, .timeout = 300)
{
	run(executions);
}

enum { WRITES = 30 };
struct writes {
	struct execution v[WRITES];
	err_t e[WRITES];
	int n, left;
};

static void
write_fiber(struct ctx *cx, void *arg)
{
	struct writes *w = arg;
	int i = w->n++;
	struct event ev = {.kind = &ev_execution_update, .project = one.id, .ids = {w->v[i].function_id, w->v[i].id}, .payload = STR("{}")};

	w->e[i] = execution_write(cx, &one, &w->v[i], i % 2 ? &ev : NULL);
	w->left--;
}

static void
write_all(struct ctx *cx, struct writes *w)
{
	w->n = 0;
	w->left = WRITES;
	for (int i = 0; i < WRITES; i++)
		fib_spawn_new("write", 60000, write_fiber, w);
	while (w->left > 0)
		CHECK(fib_sleep(cx, 5) == OK);
}

static void
execution_of(struct ctx *cx, struct execution *e, int64_t function, int i, enum execution_status status)
{
	const struct function f = {.internal = function, .id = "many", .deployment = "d"};

	execution_init(cx, e, &f, "event", arena_printf(cx->arena, "cause%d", i), i % 3 ? "ada" : "");
	e->id = arena_printf(cx->arena, "e%d", i);
	e->status = execution_states[status];
	e->out = str_c(arena_printf(cx->arena, "quotes \" and \\ {%d},\nNULL", i));
}

/* Those that come at once share statements; one that cannot be written, or must not be, is no matter of the others. */
static void
written(struct ctx *cx)
{
	struct writes *w = arena_new_of(cx->arena, struct writes);
	struct execution_known known[] = {{.id = "e1"}, {.id = "e2"}, {.id = "none"}};
	int64_t function, statements, created;
	char *long_id = arena_alloc(cx->arena, 9001);
	uint32_t seed = 1;

	function_of(cx, &one, "many");
	function = number(cx, "SELECT internal FROM p_1.functions");
	for (int i = 0; i < 9000; i++)		/* no index takes it, and it cannot be made smaller */
		long_id[i] = (char)('a' + (seed = seed * 1103515245 + 12345) % 65536 / 2521);
	long_id[9000] = '\0';
	for (int i = 0; i < WRITES; i++)
		execution_of(cx, &w->v[i], function, i, i == 1 ? EXECUTION_PROCESSING : EXECUTION_COMPLETED);
	w->v[5].id = long_id;
	w->v[7].function = function + 1;	/* there is no such one (any more) */
	statements = metric_value(M_executions_writes);
	write_all(cx, w);
	for (int i = 0; i < WRITES; i++)
		CHECK((w->e[i] == OK) == (i != 5));
	CHECK(executions_of(cx, "p_1", "true") == WRITES - 2);
	CHECK(executions_of(cx, "p_1", "stdout = E'quotes \" and \\\\ {' || substr(id, 2) || E'},\nNULL'") == WRITES - 2);
	CHECK(executions_of(cx, "p_1", "read = '{user:ada}' AND permissions = '{\"read(\\\"user:ada\\\")\"}'") == 18);
	CHECK(metric_value(M_executions_writes) - statements <= WRITES + 1);	/* the first that came, or all; then each of them because of the one */
	created = w->v[2].created;
	/* the same once more: what has ended stays, what had not ends */
	for (int i = 0; i < WRITES; i++)
		execution_of(cx, &w->v[i], function, i == 5 || i == 7 ? 1000 + i : i, EXECUTION_FAILED);
	statements = metric_value(M_executions_writes);
	for (int i = 0; i < WRITES; i++)
		w->v[i].function = function;
	write_all(cx, w);
	for (int i = 0; i < WRITES; i++)
		CHECK(w->e[i] == OK);
	CHECK(executions_of(cx, "p_1", "true") == WRITES);
	CHECK(executions_of(cx, "p_1", "status = 'completed'") == WRITES - 3);
	CHECK(executions_of(cx, "p_1", "status = 'failed' AND id IN ('e1', 'e1005', 'e1007')") == 3);
	CHECK(metric_value(M_executions_writes) - statements < WRITES / 2);
	GOOD(executions_known(cx, &one, known, 3));
	CHECK(known[0].status == execution_states[EXECUTION_FAILED] && known[1].status == execution_states[EXECUTION_COMPLETED] && known[2].status == NULL);
	CHECK(known[1].created == created);
}

Test(upkeep, executions_of_events_are_written_together, .timeout = 60)
{
	run(written);
}

/* ---- counters ---- */

static void
flush_too(struct ctx *cx, void *arg)
{
	int *left = arg;

	GOOD(usage_snapshot(cx, &one));
	(*left)--;
}

static void
counters(struct ctx *cx)
{
	int left = 3;

	for (int i = 0; i < 2500; i++) {	/* more counters than a statement takes */
		count(&one, "documents.read", "DB", arena_printf(cx->arena, "c%d", i));
		usage_network(&two, 10);
	}
	count(&one, "sessions.create", "email", "never");
	count(&one, "users.create", "never", NULL);
	count(&gone, "users.create", NULL, NULL);
	for (int i = 0; i < 3; i++)	/* several at once: each count is written once */
		fib_spawn_new("flush", 120000, flush_too, &left);
	CHECK(usage_flush(cx) != OK);	/* one project is gone; the others' are written nevertheless */
	while (left > 0)
		CHECK(fib_sleep(cx, 10) == OK);
	GOOD(usage_flush(cx));
	CHECK(number(cx, "SELECT sum(value) FROM p_1.usage WHERE day AND metric = 'documents.$all.requests.read'") == 2500);
	CHECK(number(cx, "SELECT sum(value) FROM p_1.usage WHERE NOT day AND metric = 'documents.db.requests.read'") == 2500);
	CHECK(number(cx, "SELECT sum(value) FROM p_1.usage WHERE day AND metric LIKE 'documents.db/c%'") == 2500);
	CHECK(number(cx, "SELECT count(*) FROM p_1.usage WHERE day AND metric LIKE 'sessions.%.requests.%'") == 2);
	CHECK(number(cx, "SELECT count(*) FROM p_1.usage WHERE metric LIKE '%never%'") == 0);
	CHECK(number(cx, "SELECT sum(value) FROM p_2.usage WHERE day AND metric = 'project.$all.network.bandwidth'") == 25000);
	CHECK(number(cx, "SELECT sum(value) FROM p_2.usage WHERE day AND metric = 'users.$all.count.total'") == 0);
	conf.usage = false;
	usage_network(&two, 1000000);
	GOOD(usage_flush(cx));
	CHECK(number(cx, "SELECT sum(value) FROM p_2.usage WHERE day AND metric = 'project.$all.network.bandwidth'") == 25000);
}

Test(upkeep, counters, .timeout = 300)
{
	run(counters);
}

/* Who reads usage while somebody looks waits for that, and what took its time is not done again at once. */
static int64_t
looks_that_wait(struct db_tx *tx, const char *seconds)
{
	struct db_res *r;

	return tx_query(tx, &r, "SELECT count(l.pid) FROM pg_sleep($1::float8) LEFT JOIN pg_locks l ON NOT granted AND relation = 'p_1.usage'::regclass", DB(seconds)) == OK
	    ? db_i64(r, 0, 0) : -1;
}

static err_t
looks_wait(struct db_tx *tx, int *left)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, "LOCK TABLE p_1.usage", DB0));
	for (int i = 0; i < 20; i++)
		fib_spawn_new("look", 120000, flush_too, left);
	while (looks_that_wait(tx, "0.01") == 0)
		continue;
	CHECK(looks_that_wait(tx, "1") == 1 && *left == 20);	/* so long does it take: it holds twenty times as long */
	return OK;
}

static void
look_locked(struct ctx *cx)
{
	int left = 20;

	GOOD(TX_RUN(cx, tx, looks_wait(tx, &left)));
	while (left > 0)
		CHECK(fib_sleep(cx, 10) == OK);
	CHECK(number(cx, "SELECT value FROM p_1.usage WHERE day AND metric = 'users.$all.count.total'") == 0);
	GOOD(db_exec(cx, NULL, "DELETE FROM p_1.usage", DB0));
	GOOD(usage_snapshot(cx, &one));
	CHECK(number(cx, "SELECT count(*) FROM p_1.usage") == 0);
	GOOD(usage_snapshot(cx, &two));
	CHECK(number(cx, "SELECT count(*) FROM p_2.usage WHERE metric = 'users.$all.count.total'") == 2);
}

static void
look_fails(struct ctx *cx, void *arg)
{
	int *left = arg;

	CHECK(usage_snapshot(cx, &one) != OK);
	(*left)--;
}

/* What failed is told to all who waited for it, and is new to nobody. */
static void
look_refused(struct ctx *cx)
{
	int left = 3;

	GOOD(db_exec(cx, NULL, "DELETE FROM p_1.usage", DB0));
	GOOD(db_exec(cx, NULL, "CREATE OR REPLACE FUNCTION p_1.late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RAISE EXCEPTION 'no'; END $$", DB0));
	GOOD(db_exec(cx, NULL, "CREATE TRIGGER late BEFORE INSERT ON p_1.usage FOR EACH STATEMENT EXECUTE FUNCTION p_1.late()", DB0));
	for (int i = 0; i < 3; i++)
		fib_spawn_new("look", 120000, look_fails, &left);
	while (left > 0)
		CHECK(fib_sleep(cx, 10) == OK);
	GOOD(db_exec(cx, NULL, "DROP TRIGGER late ON p_1.usage", DB0));
	GOOD(usage_snapshot(cx, &one));
	CHECK(number(cx, "SELECT count(*) FROM p_1.usage WHERE metric = 'users.$all.count.total'") == 2);
}

struct looks_late {
	int early, late;	/* under way: one whose time is over soon, one that waits for it */
};

static void
look_early(struct ctx *cx, void *arg)
{
	struct looks_late *l = arg;

	CHECK(usage_snapshot(cx, &one) == ERR_TIMEOUT);
	l->early--;
}

static void
look_late(struct ctx *cx, void *arg)
{
	struct looks_late *l = arg;

	CHECK(usage_snapshot(cx, &one) == OK);
	l->late--;
}

static err_t
looks_in_turn(struct db_tx *tx, struct looks_late *l)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, "LOCK TABLE p_1.usage", DB0));
	fib_spawn_new("early", 10000, look_early, l);	/* enough to come to its wait on a busy machine */
	while (looks_that_wait(tx, "0.01") == 0)
		continue;
	fib_spawn_new("late", 120000, look_late, l);
	while (l->early > 0)
		CHECK(looks_that_wait(tx, "0.01") >= 0);
	while (looks_that_wait(tx, "0.01") == 0)	/* it looks itself now */
		CHECK(l->late == 1);
	return OK;
}

static void
look_in_turn(struct ctx *cx)
{
	struct looks_late l = {1, 1};

	GOOD(db_exec(cx, NULL, "DELETE FROM p_1.usage", DB0));
	GOOD(TX_RUN(cx, tx, looks_in_turn(tx, &l)));
	while (l.late > 0)
		CHECK(fib_sleep(cx, 10) == OK);
	CHECK(number(cx, "SELECT count(*) FROM p_1.usage WHERE metric = 'users.$all.count.total'") == 2);
}

/* Who waits for it has more time. */
Test(upkeep, a_look_whose_time_is_over_is_done_by_the_next, .timeout = 120)
{
	run(look_in_turn);
}

Test(upkeep, a_look_that_fails_is_nobodys_answer, .timeout = 120)
{
	run(look_refused);
}

Test(upkeep, one_counts_for_all_who_ask, .timeout = 120)
{
	run(look_locked);
}

/* Whatever else a database says, the project is not gone: it has what it had not tried yet, and what was certainly not written. */
static void
refused(struct ctx *cx)
{
	static const struct {
		const char *state;
		int least, most;
	} says[] = {{"P0001", 1300, 1700}, {"40P01", 2500, 2500}};

	for (int k = 0; k < 2; k++) {
		GOOD(db_exec(cx, NULL, "DELETE FROM p_1.usage", DB0));
		GOOD(db_exec(cx, NULL, arena_printf(cx->arena, "CREATE OR REPLACE FUNCTION p_1.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
		    "RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END $$", says[k].state), DB0));
		GOOD(db_exec(cx, NULL, "CREATE TRIGGER no BEFORE INSERT ON p_1.usage EXECUTE FUNCTION p_1.no()", DB0));
		for (int i = 0; i < 2500; i++)
			count(&one, "documents.read", "DB", arena_printf(cx->arena, "c%d", i));
		CHECK(usage_flush(cx) != OK);
		GOOD(db_exec(cx, NULL, "DROP TRIGGER no ON p_1.usage", DB0));
		GOOD(usage_flush(cx));
		int64_t written = number(cx, "SELECT coalesce(sum(value), 0) FROM p_1.usage WHERE day AND metric LIKE 'documents.db/c%'");

		CHECK(written >= says[k].least && written <= says[k].most);
	}
}

Test(upkeep, counters_that_are_refused_once, .timeout = 120)
{
	run(refused);
}

/* ---- the end of a process ---- */

/* While what was begun waits for the lock, more comes, of a project that it has not begun with. */
static err_t
more_meanwhile(struct db_tx *tx)
{
	struct db_res *r;

	TRY(tx_query(tx, &r, "LOCK TABLE p_1.usage, p_1.audit", DB0));
	count(&one, "users.create", NULL, NULL);
	note(&one, "user.create");
	usage_drain();
	audit_drain();
	do
		TRY(tx_query(tx, &r, "SELECT count(*) FROM pg_locks, pg_sleep(0.01) WHERE NOT granted", DB0));
	while (db_i64(r, 0, 0) < 2);
	count(&two, "users.create", NULL, NULL);
	note(&two, "user.create");
	usage_drain();
	audit_drain();
	return OK;
}

static void
drained(struct ctx *cx)
{
	GOOD(TX_RUN(cx, tx, more_meanwhile(tx)));
	while (usage_writing() || audit_writing())
		CHECK(fib_sleep(cx, 10) == OK);
	CHECK(number(cx, "SELECT count(*) FROM p_1.usage WHERE day AND metric = 'users.$all.requests.create'") == 1);
	CHECK(number(cx, "SELECT count(*) FROM p_2.usage WHERE day AND metric = 'users.$all.requests.create'") == 1);
	CHECK(number(cx, "SELECT count(*) FROM p_1.audit") == 1);
	CHECK(number(cx, "SELECT count(*) FROM p_2.audit") == 1);
}

Test(upkeep, what_is_held_back_is_written_in_the_end, .timeout = 300)
{
	run(drained);
}
