/* Redis adapter against a real Redis: commands, scripts, posts, reconnection, the follower. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/io/bus_priv.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metric.h"
#include "io/bus.h"
#include "servers.h"
#include "fiber_run.h"

static struct server *redis;

static void
setup(void)
{
	cr_assert(conf_load(NULL, 0, NULL, false));
	log_init("test", "warn", false);
	loop_init();
	redis = server_redis();
	conf.redis_url = server_url(redis);
	bus_init();
}

TestSuite(bus, .init = setup, .fini = servers_clean, .timeout = 300);

static void
run(fib_fn fn)
{
	run_for(200000, fn);
}

#define OKAY(expr)                                                                                          \
	do {                                                                                                \
		err_t e_ = (expr);                                                                          \
		cr_assert_eq(e_, OK, "%s: %s: %s", #expr, err_info(e_)->name, cx->detail ? cx->detail : "");   \
	} while (0)

/* ---- positions ---- */

Test(bus, positions_are_read_and_compared)
{
	static const struct {
		const char *text;
		bool ok;
		struct stream_pos pos;
	} t[] = {
	    {"0-0", true, {0, 0}}, {"12-3", true, {12, 3}}, {"18446744073709551615-1", true, {UINT64_MAX, 1}}, {"7", true, {7, 0}},
	    {"", false, {0}}, {"-", false, {0}}, {"1-", false, {0}}, {"-1", false, {0}}, {"1-2-3", false, {0}}, {"1 -2", false, {0}},
	    {"18446744073709551616-0", false, {0}}, {"a-1", false, {0}}, {"+1-1", false, {0}},
	};
	char text[42];

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct stream_pos p;

		cr_assert_eq(stream_pos_parse(str_c(t[i].text), &p), t[i].ok, "%s", t[i].text);
		if (t[i].ok)
			cr_expect_eq(stream_pos_cmp(p, t[i].pos), 0, "%s", t[i].text);
	}
	cr_expect_str_eq(stream_pos_text((struct stream_pos){UINT64_MAX, UINT64_MAX}, text), "18446744073709551615-18446744073709551615");
	cr_expect_lt(stream_pos_cmp((struct stream_pos){1, 9}, (struct stream_pos){2, 0}), 0);
	cr_expect_gt(stream_pos_cmp((struct stream_pos){2, 1}, (struct stream_pos){2, 0}), 0);
}

/* ---- commands ---- */

static void
commands(struct ctx *cx, void *arg)
{
	struct bus_reply *r;

	(void)arg;
	OKAY(bus_cmd(cx, &r, BUS(STR("SET"), STR("a\0b"), STR("x\r\n\0y"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("GET"), STR("a\0b"))));
	cr_expect(r->type == BUS_STR && str_eq(r->s, STR("x\r\n\0y")));
	OKAY(bus_cmd(cx, &r, BUS(STR("GET"), STR("none"))));
	cr_expect_eq(r->type, BUS_NIL);
	OKAY(bus_cmd(cx, &r, BUS(STR("INCRBY"), STR("n"), STR("41"))));
	cr_expect(r->type == BUS_INT && r->i == 41);
	OKAY(bus_cmd(cx, &r, BUS(STR("MGET"), STR("n"), STR("none"))));
	cr_expect(r->type == BUS_LIST && r->n == 2 && str_is(r->v[0].s, "41") && r->v[1].type == BUS_NIL);
	cr_expect_eq(bus_cmd(cx, &r, BUS(STR("INCR"), STR("a\0b"))), ERR_BUS);
	cr_expect(r->type == BUS_ERROR && strstr(cx->detail, "not an integer"));
	finish();
}

Test(bus, commands)
{
	run(commands);
}

static void
scripts(struct ctx *cx, void *arg)
{
	static const char lua[] = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}";
	struct bus_reply *r;

	(void)arg;
	for (int i = 1; i <= 3; i++) {
		OKAY(bus_script(cx, &r, lua, 1, BUS(STR("k"), STR("v"))));
		cr_expect(r->type == BUS_LIST && r->n == 3 && str_is(r->v[0].s, "k") && str_is(r->v[1].s, "v") && r->v[2].i == i);
		if (i == 2)
			OKAY(bus_cmd(cx, &r, BUS(STR("SCRIPT"), STR("FLUSH"))));
	}
	cr_expect_eq(bus_script(cx, &r, "return redis.error_reply('no')", 0, 0, NULL), ERR_BUS);
	cr_expect(bus_post(BUS(STR("SET"), STR("posted"), STR("1"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("GET"), STR("posted"))));
	cr_expect(str_is(r->s, "1"));
	finish();
}

Test(bus, scripts_and_posts)
{
	run(scripts);
}

/* ---- leaving early ---- */

static struct fib *left;

static void
leaver(struct ctx *cx, void *arg)
{
	struct bus_reply *r;

	(void)arg;
	left = fib_current();
	cr_expect_eq(bus_cmd(cx, &r, BUS(STR("BLPOP"), STR("list"), STR("1"))), ERR_CANCELLED);
	left = NULL;
}

static void
leaving(struct ctx *cx, void *arg)
{
	struct bus_reply *r;

	(void)arg;
	OKAY(bus_cmd(cx, &r, BUS(STR("PING"))));
	fib_spawn_new("leaver", 0, leaver, NULL);
	OKAY(fib_sleep(cx, 20));
	fib_cancel(left);
	OKAY(fib_sleep(cx, 1));
	cr_expect_null(left);
	/* the reply nobody waits for still comes; commands behind it are answered in order */
	OKAY(bus_cmd(cx, &r, BUS(STR("PING"))));
	cr_expect(str_is(r->s, "PONG"));
	cx->deadline = loop_now() + 50;
	cr_expect_eq(bus_cmd(cx, &r, BUS(STR("BLPOP"), STR("list"), STR("1"))), ERR_TIMEOUT);
	cx->deadline = 0;
	OKAY(bus_cmd(cx, &r, BUS(STR("PING"))));
	finish();
}

Test(bus, a_fiber_may_leave_before_the_reply)
{
	run(leaving);
}

/* ---- reconnection ---- */

static void
reconnect(struct ctx *cx, void *arg)
{
	struct bus_reply *r;
	err_t e = OK;

	(void)arg;
	OKAY(bus_cmd(cx, &r, BUS(STR("SET"), STR("k"), STR("1"))));
	server_kill(redis);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(bus_cmd(cx, &r, BUS(STR("GET"), STR("k"))), ERR_BUS);
	cr_expect_not(bus_up());
	server_start(redis);
	for (int i = 0; i < 600 && (e = bus_cmd(cx, &r, BUS(STR("PING")))) != OK; i++)
		OKAY(fib_sleep(cx, 100));
	OKAY(e);
	cr_expect(bus_up());
	finish();
}

Test(bus, comes_back_after_a_kill)
{
	run(reconnect);
}

/* ---- following ---- */

static int n_seen, n_gaps;
static int n_seen_in[BUS_SHARDS_MAX];
static struct stream_pos last_seen[BUS_SHARDS_MAX];

static void
on_entry(int shard, const struct bus_entry *e, void *arg)
{
	char want[42];

	(void)arg;
	cr_expect_gt(stream_pos_cmp(bus_entry_first(e), last_seen[shard]), 0);
	last_seen[shard] = e->pos;
	n_seen++;
	n_seen_in[shard]++;
	cr_expect(str_is(e->header, e->many > 0 ? "" : "head"));
	cr_expect(str_is(e->body, stream_pos_text(e->pos, want)));
}

static void
on_gap(int shard, void *arg)
{
	(void)arg;
	n_gaps++;
	memset(&last_seen[shard < 0 ? 0 : shard], 0, sizeof last_seen[0] * (shard < 0 ? BUS_SHARDS_MAX : 1));
}

static void
add(struct ctx *cx, const char *key, unsigned lsn)
{
	struct bus_reply *r;
	char id[42];

	stream_pos_text((struct stream_pos){lsn, 1}, id);
	OKAY(bus_cmd(cx, &r, BUS(STR("XADD"), str_c(key), str_c(id), STR("h"), STR("head"), STR("b"), str_c(id))));
}

/* So many events with the last places up to `last`. */
static void
add_many(struct ctx *cx, const char *key, unsigned lsn, unsigned last, const char *many)
{
	struct bus_reply *r;
	char id[42];

	stream_pos_text((struct stream_pos){lsn, last}, id);
	OKAY(bus_cmd(cx, &r, BUS(STR("XADD"), str_c(key), str_c(id), STR("n"), str_c(many), STR("m"), str_c(id))));
}

static void
announce(struct ctx *cx, const char *name, const char *shards, const char *at)
{
	struct bus_reply *r;

	OKAY(bus_cmd(cx, &r, BUS(STR("XADD"), STR(BUS_CURRENT), STR("*"), STR("g"), str_c(name), STR("n"), str_c(shards), STR("at"),
	    str_c(at))));
}

static void
until(struct ctx *cx, const int *counter, int want)
{
	for (int i = 0; i < 6000 && *counter < want; i++)
		OKAY(fib_sleep(cx, 10));
	cr_assert_eq(*counter, want);
}

static void
following(struct ctx *cx, void *arg)
{
	static const struct bus_follow f = {.on_entry = on_entry, .on_gap = on_gap};
	struct bus_entry *list;
	static const struct {
		const char *floor;
		struct stream_pos after;
		bool lost;
	} floors[] = {
	    {"0-0", {0, 0}, false}, {"3-1", {3, 1}, false}, {"3-1", {3, 0}, true}, {"(3-1", {3, 0}, false}, {"(3-0", {2, 9}, true},
	    {"(3-0", {2, UINT64_MAX}, false}, {"(0-0", {0, 0}, false}};
	struct bus_reply *r;
	err_t e = OK;
	bool lost;
	int n;

	(void)arg;
	/* what was there before is not delivered; what comes is */
	announce(cx, "one", "1", "0-0");
	add(cx, "events:{0}:one", 5);
	bus_follow_start(&f);
	for (int i = 0; i < 6000 && !bus_follow_ready(0); i++)
		OKAY(fib_sleep(cx, 10));
	for (unsigned i = 10; i < 610; i++)
		add(cx, "events:{0}:one", i);
	until(cx, &n_seen, 600);
	/* a break: on behind the last one */
	server_kill(redis);
	cr_expect_eq(bus_cmd(cx, &r, BUS(STR("PING"))), ERR_BUS);
	server_start(redis);
	for (int i = 0; i < 600 && (e = bus_cmd(cx, &r, BUS(STR("PING")))) != OK; i++)
		OKAY(fib_sleep(cx, 100));
	OKAY(e);
	add(cx, "events:{0}:one", 1000);
	until(cx, &n_seen, 601);
	cr_expect_eq(n_gaps, 0);
	/* ranges */
	OKAY(bus_range(cx, 0, (struct stream_pos){10, 1}, (struct stream_pos){600, 0}, 3, &list, &n));
	cr_expect(n == 3 && list[0].pos.lsn == 11 && list[2].pos.lsn == 13 && str_is(list[0].body, "11-1"));
	OKAY(bus_range(cx, 0, (struct stream_pos){608, 1}, (struct stream_pos){UINT64_MAX, 0}, 100, &list, &n));
	cr_expect(n == 2 && list[1].pos.lsn == 1000);
	/* entries of many have the id of the last: they are of a range when one of them is */
	add_many(cx, "events:{0}:one", 1001, 9, "4");
	add_many(cx, "events:{0}:one", 1001, 13, "4");
	add_many(cx, "events:{0}:one", 1002, 1, "2");
	until(cx, &n_seen, 604);
	OKAY(bus_range(cx, 0, (struct stream_pos){1001, 7}, (struct stream_pos){1001, 10}, 100, &list, &n));
	cr_expect(n == 2 && list[0].many == 4 && list[0].pos.index == 9 && bus_entry_first(&list[0]).index == 6 && list[1].pos.index == 13 && str_is(list[1].body, "1001-13"));
	OKAY(bus_range(cx, 0, (struct stream_pos){1001, 9}, (struct stream_pos){1001, 9}, 100, &list, &n));
	cr_expect_eq(n, 0);
	OKAY(bus_range(cx, 0, (struct stream_pos){1000, 1}, (struct stream_pos){1002, 0}, 2, &list, &n));
	cr_expect(n == 2 && list[1].pos.index == 13);
	OKAY(bus_range(cx, 0, (struct stream_pos){1001, 12}, (struct stream_pos){1002, 0}, 100, &list, &n));
	cr_expect(n == 2 && list[1].pos.lsn == 1002);
	/* without a floor the oldest entry tells what may be gone; with one it does, to the entry */
	OKAY(bus_gap(cx, 0, (struct stream_pos){5, 1}, &lost));
	cr_expect_not(lost);
	OKAY(bus_gap(cx, 0, (struct stream_pos){4, 9}, &lost));
	cr_expect(lost);
	OKAY(bus_cmd(cx, &r, BUS(STR("XTRIM"), STR("events:{0}:one"), STR("MINID"), STR("1001"))));
	OKAY(bus_gap(cx, 0, (struct stream_pos){1001, 6}, &lost));
	cr_expect_not(lost);
	OKAY(bus_gap(cx, 0, (struct stream_pos){1001, 5}, &lost));
	cr_expect(lost, "the first of the oldest entry is behind it");
	for (size_t i = 0; i < sizeof floors / sizeof floors[0]; i++) {
		OKAY(bus_cmd(cx, &r, BUS(STR("SET"), STR("relay:{0}:floor:one"), str_c(floors[i].floor))));
		OKAY(bus_gap(cx, 0, floors[i].after, &lost));
		cr_expect_eq(lost, floors[i].lost, "%s", floors[i].floor);
	}
	/* another database: a gap, then what comes after the place the announcement names */
	add(cx, "events:{0}:two", 3);
	add(cx, "events:{0}:two", 4);
	announce(cx, "two", "1", "3-1");
	until(cx, &n_gaps, 1);
	until(cx, &n_seen, 605);
	cr_expect_str_eq(bus_stream_name(), "two");
	/* trimmed beyond our place while we were away */
	server_kill(redis);
	cr_expect_eq(bus_cmd(cx, &r, BUS(STR("PING"))), ERR_BUS);
	bus_follow_stop();
	finish();
}

Test(bus, what_is_asked_for_follows_what_came)
{
	static const struct {
		int events, entries, had, want;
	} cases[] = {{256, 256, 256, 256}, {256, 1, 1, 256}, {256, 0, 0, 256}, {256, 3, 0, 256}, {256, 2, 8, 64}, {256, 10, 1280, 4}, {256, 1, 100000, 4}, {128, 100, 128, 100}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(bus_entries_for(cases[i].events, cases[i].entries, cases[i].had), cases[i].want, "%zu", i);
}

Test(bus, an_entry_that_says_nonsense_of_itself_has_nothing)
{
	static const char *const many[] = {"0", "-1", "x", "", "11", "99999999999"};

	for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
		struct bus_reply f[4] = {{.type = BUS_STR, .s = STR("n")}, {.type = BUS_STR, .s = str_c(many[i])}, {.type = BUS_STR, .s = STR("m")}, {.type = BUS_STR, .s = STR("text")}};
		struct bus_reply v[2] = {{.type = BUS_STR, .s = STR("7-9")}, {.type = BUS_LIST, .n = 4, .v = f}}, r = {.type = BUS_LIST, .n = 2, .v = v};
		struct bus_entry e;

		cr_assert(bus_entry_of(&r, &e));
		cr_expect(e.many == 0 && e.body.n == 0 && e.header.n == 0 && bus_entry_first(&e).index == 9, "%s", many[i]);
	}
}

Test(bus, follows_the_stream_across_breaks_and_replacement)
{
	run(following);
}

/* Who is in no hurry: what comes behind the first is read later, together, or when it is asked for; a break begins anew. */
static void
at_ease(struct ctx *cx, void *arg)
{
	static const struct bus_follow f = {.on_entry = on_entry, .on_gap = on_gap};
	struct bus_reply *r;

	(void)arg;
	announce(cx, "one", "1", "0-0");
	bus_follow_start(&f);
	for (int i = 0; i < 500 && !bus_follow_ready(0); i++)
		OKAY(fib_sleep(cx, 10));
	bus_follow_pace(3600 * 1000);
	add(cx, "events:{0}:one", 10);
	until(cx, &n_seen, 1);
	add(cx, "events:{0}:one", 11);
	add(cx, "events:{0}:one", 12);
	OKAY(fib_sleep(cx, 50));
	cr_expect_eq(n_seen, 1);
	/* who comes now is not shown what was there before */
	cr_expect_not(bus_follow_ready(0));
	bus_follow_pace(0);
	for (int i = 0; i < 500 && !bus_follow_ready(0); i++)
		OKAY(fib_sleep(cx, 10));
	cr_expect_eq(n_seen, 3);
	bus_follow_pace(20);
	add(cx, "events:{0}:one", 13);
	add(cx, "events:{0}:one", 14);
	until(cx, &n_seen, 5);
	bus_follow_pace(0);
	bus_follow_pace(3600 * 1000);
	add(cx, "events:{0}:one", 15);
	until(cx, &n_seen, 6);
	add(cx, "events:{0}:one", 16);
	server_kill(redis);
	cr_expect_eq(bus_cmd(cx, &r, BUS(STR("PING"))), ERR_BUS);
	server_start(redis);
	until(cx, &n_seen, 7);
	cr_expect_eq(n_gaps, 0);
	bus_follow_stop();
	finish();
}

Test(bus, reads_at_the_pace_of_who_is_in_no_hurry)
{
	run(at_ease);
}

/* A fresh installation: there is neither a stream nor an announcement of one. */
static void
born_later(struct ctx *cx, void *arg)
{
	static const struct bus_follow f = {.on_entry = on_entry, .on_gap = on_gap};

	(void)arg;
	bus_follow_start(&f);
	for (int i = 0; i < 6000 && !bus_follow_ready(0); i++)
		OKAY(fib_sleep(cx, 10));
	announce(cx, "one", "1", "0-0");
	add(cx, "events:{0}:one", 5);
	until(cx, &n_seen, 1);
	cr_expect_eq(metric_value(M_bus_errors), 0, "nothing that was asked made no sense");
	bus_follow_stop();
	finish();
}

Test(bus, begins_before_there_is_a_stream)
{
	metric_init(1);
	metric_slot(0);
	run(born_later);
}


static void
trimmed(struct ctx *cx, void *arg)
{
	static const struct bus_follow f = {.on_entry = on_entry, .on_gap = on_gap};
	struct bus_reply *r;

	(void)arg;
	bus_follow_start(&f);
	OKAY(fib_sleep(cx, 50));
	/* no stream at first: all of it is new */
	add(cx, "events:{0}:one", 1);
	announce(cx, "one", "1", "0-0");
	until(cx, &n_seen, 1);
	/* the follower's connection breaks and its place is trimmed before it can come back */
	OKAY(bus_cmd(cx, &r, BUS(STR("MULTI"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("CLIENT"), STR("KILL"), STR("TYPE"), STR("normal"), STR("SKIPME"), STR("yes"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("XADD"), STR("events:{0}:one"), STR("2-1"), STR("h"), STR("head"), STR("b"), STR("2-1"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("XADD"), STR("events:{0}:one"), STR("3-1"), STR("h"), STR("head"), STR("b"), STR("3-1"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("XTRIM"), STR("events:{0}:one"), STR("MAXLEN"), STR("1"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("EXEC"))));
	until(cx, &n_gaps, 1);
	until(cx, &n_seen, 2);
	bus_follow_stop();
	finish();
}

Test(bus, tells_of_a_gap_when_its_place_was_trimmed)
{
	run(trimmed);
}

static void
shards(struct ctx *cx, void *arg)
{
	static const struct bus_follow f = {.on_entry = on_entry, .on_gap = on_gap};
	struct bus_reply *r;

	(void)arg;
	add(cx, "events:{2}:four", 7);
	announce(cx, "four", "4", "0-0,0-0,7-1,0-0");
	bus_follow_start(&f);
	for (int i = 0; i < 4; i++)
		for (int n = 0; n < 6000 && !bus_follow_ready(i); n++)
			OKAY(fib_sleep(cx, 10));
	cr_expect_eq(bus_stream_shards(), 4);
	cr_expect_eq(bus_follow_pos(2).lsn, 7);
	for (unsigned i = 10; i < 50; i++)
		add(cx, arena_printf(cx->arena, "events:{%u}:four", i % 4), i);
	until(cx, &n_seen, 40);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(n_seen_in[i], 10);
	/* one shard lost what we have not seen: only that one's readers begin anew */
	OKAY(bus_cmd(cx, &r, BUS(STR("MULTI"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("SET"), STR("relay:{3}:floor:four"), STR("60-1"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("SET"), STR("relay:{1}:floor:four"), STR("10-1"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("CLIENT"), STR("KILL"), STR("TYPE"), STR("normal"), STR("SKIPME"), STR("yes"))));
	OKAY(bus_cmd(cx, &r, BUS(STR("EXEC"))));
	until(cx, &n_gaps, 1);
	cr_expect(last_seen[3].lsn == 0 && last_seen[1].lsn != 0);
	/* another number of shards: all begin where the announcement says */
	add(cx, "events:{1}:two", 100);
	announce(cx, "two", "2", "0-0,0-0");
	until(cx, &n_gaps, 2);
	until(cx, &n_seen, 41);
	add(cx, "events:{0}:two", 101);
	add(cx, "events:{3}:four", 200);	/* nobody's any more */
	until(cx, &n_seen, 42);
	cr_expect_eq(bus_stream_shards(), 2);
	bus_follow_stop();
	finish();
}

Test(bus, follows_every_shard)
{
	run(shards);
}

Test(bus, a_project_keeps_its_shard_and_projects_spread, .init = NULL, .fini = NULL)
{
	int n[4] = {0};
	char id[24];

	for (int i = 0; i < 4000; i++) {
		snprintf(id, sizeof id, "project%d", i);
		n[stream_shard(str_c(id), 4)]++;
	}
	for (int i = 0; i < 4; i++)
		cr_expect(n[i] > 800 && n[i] < 1200, "%d in %d", n[i], i);
	cr_expect_eq(stream_shard(str_c("console"), 1), 0);
	/* the hash is part of the data: another one would part a project's events */
	cr_expect_eq(stream_shard(str_c("console"), 64), 52);
}

static void
many(struct ctx *cx, void *arg)
{
	static const char lua[] = "if ARGV[1] == 'no' then return redis.error_reply('REFUSED') end return {KEYS[1], ARGV[1]}";
	struct str a[] = {STR("k1"), STR("v1")}, b[] = {STR("k2"), STR("no")}, c[] = {STR("k3"), STR("v3")};
	struct bus_call calls[] = {{1, 2, a, NULL}, {1, 2, b, NULL}, {1, 2, c, NULL}};
	struct bus_link *l = bus_link_open(NULL, NULL);

	(void)arg;
	for (int i = 0; i < 2; i++) {	/* unknown to Redis at first */
		OKAY(bus_link_scripts(cx, l, lua, calls, 3));
		cr_expect(calls[0].reply->n == 2 && str_is(calls[0].reply->v[1].s, "v1"));
		cr_expect(calls[1].reply->type == BUS_ERROR);
		cr_expect(calls[2].reply->n == 2 && str_is(calls[2].reply->v[0].s, "k3"));
	}
	OKAY(bus_link_scripts(cx, l, lua, calls, 0));
	server_kill(redis);
	cr_expect_eq(bus_link_scripts(cx, l, lua, calls, 3), ERR_BUS);
	bus_link_close(&l);
	finish();
}

Test(bus, runs_a_script_for_several_slots_at_once)
{
	run(many);
}

/* ---- addresses ---- */

Test(bus, addresses, .init = NULL, .fini = NULL)
{
	static const struct {
		const char *url;
		bool ok;
		struct bus_url want;
	} t[] = {
	    {"redis://h", true, {.host = "h", .port = "6379"}},
	    {"redis://h:1/3", true, {.host = "h", .port = "1", .db = 3}},
	    {"redis://[::1]:70/", true, {.host = "::1", .port = "70"}},
	    {"redis://[fe80::1]", true, {.host = "fe80::1", .port = "6379"}},
	    {"redis://:p%40w@h", true, {.host = "h", .port = "6379", .password = "p@w"}},
	    {"redis://u:a:b@c@h:2", true, {.host = "h", .port = "2", .user = "u", .password = "a:b@c"}},
	    {"unix:///run/r.sock", true, {.path = "/run/r.sock"}},
	    {"unix://r.sock", false, {0}}, {"redis://", false, {0}}, {"redis://h:", false, {0}}, {"redis://h:0", false, {0}},
	    {"redis://h:65536", false, {0}}, {"redis://h/x", false, {0}}, {"redis://h/-1", false, {0}}, {"redis://[::1", false, {0}},
	    {"redis://[::1]x", false, {0}}, {"rediss://h", false, {0}}, {"h:1", false, {0}}, {"", false, {0}},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct bus_url u;
		const char *why;
		const struct bus_url *w = &t[i].want;

		cr_assert_eq(bus_url_parse(a, str_c(t[i].url), &u, &why), t[i].ok, "%s", t[i].url);
		if (!t[i].ok)
			continue;
		cr_expect(str_eq(str_c(u.host), str_c(w->host)) && str_eq(str_c(u.port), str_c(w->port)), "%s", t[i].url);
		cr_expect(str_eq(str_c(u.user), str_c(w->user)) && str_eq(str_c(u.password), str_c(w->password)), "%s", t[i].url);
		cr_expect(str_eq(str_c(u.path), str_c(w->path)) && u.db == w->db, "%s", t[i].url);
	}
	arena_free(&a);
}

static int
free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void
over_tcp(struct ctx *cx, void *arg)
{
	const char *port = arena_printf(cx->arena, "%d", free_port());
	struct bus_link *l;
	struct bus_reply *r;

	(void)arg;
	OKAY(bus_cmd(cx, &r, BUS(STR("CONFIG"), STR("SET"), STR("port"), str_c(port))));
	OKAY(bus_cmd(cx, &r, BUS(STR("CONFIG"), STR("SET"), STR("requirepass"), STR("se:c@ret"))));
	conf.redis_url = arena_printf(cx->arena, "redis://:se:c%%40ret@localhost:%s/2", port);
	l = bus_link_open(NULL, NULL);
	OKAY(bus_link_cmd(cx, l, &r, BUS(STR("SET"), STR("there"), STR("1"))));
	OKAY(bus_link_cmd(cx, l, &r, BUS(STR("CLIENT"), STR("INFO"))));
	cr_expect_not_null(strstr(str_dup(cx->arena, r->s), " db=2 "));
	bus_link_close(&l);
	cr_expect_null(l);
	/* refused: never up, and commands fail in time */
	conf.redis_url = arena_printf(cx->arena, "redis://:wrong@localhost:%s", port);
	l = bus_link_open(NULL, NULL);
	cr_expect_eq(bus_link_cmd(cx, l, &r, BUS(STR("PING"))), ERR_BUS);
	bus_link_close(&l);
	conf.redis_url = arena_printf(cx->arena, "redis://localhost:%d", free_port());
	l = bus_link_open(NULL, NULL);
	cr_expect_eq(bus_link_cmd(cx, l, &r, BUS(STR("PING"))), ERR_BUS);
	bus_link_close(&l);
	finish();
}

Test(bus, speaks_tcp_with_a_password_and_a_database)
{
	run(over_tcp);
}
