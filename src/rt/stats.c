/* Connections per project, and the two built-in channels of the console (spec realtime.md A13).
 *
 * Each process writes its own numbers to Redis every five seconds; whoever has somebody on the console's channel "project" reads all. */
#include "rt_priv.h"

#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/id.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "rt/rt.h"

enum { EVERY_MS = 5000, CURRENT_MS = 15000, ROWS_MAX = 1000 };
#define STATS_KEY "rt:connections"

static struct map *counts;	/* project id -> number + 1 as a pointer */
static struct loop_timer *timer, *expiry;
static char node[48];
static bool busy, published;

static intptr_t
count_of(struct str id)
{
	return (intptr_t)map_get(counts, id);
}

void
stats_count(atom_t project, int n)
{
	struct str id = atom_text(project);
	intptr_t now = counts ? count_of(id) + n : 0;

	if (counts == NULL)
		return;
	if (now > 0)
		map_set(counts, id, (void *)now);
	else
		map_del(counts, id);
}

static bool
write_count(struct str id, void *value, void *arg)
{
	struct jw *w = arg;

	jw_key(w, id);
	jw_i64(w, (intptr_t)value);
	return true;
}

/* {"t":ms,"n":{"<project>":3}} under our name. */
static void
stats_store(struct arena *a)
{
	struct buf b;
	struct jw w;

	if (map_count(counts) == 0 && !published)
		return;
	buf_init(&b, a, 256);
	jw_init(&w, &b);
	jw_obj(&w);
	JW_KEY(&w, "t");
	jw_i64(&w, time_now_ms());
	JW_KEY(&w, "n");
	jw_obj(&w);
	map_each(counts, write_count, &w);
	jw_obj_end(&w);
	jw_obj_end(&w);
	published = map_count(counts) > 0;
	if (!published)
		(void)bus_post(BUS(STR("HDEL"), STR(STATS_KEY), str_c(node)));
	else
		(void)bus_post(BUS(STR("HSET"), STR(STATS_KEY), str_c(node), buf_view(&b)));
}

static bool
anybody(const char *channel, const char *role)
{
	atom_t console = atom_find(0, STR("console"));
	atom_t c = console ? atom_find(console, str_c(channel)) : 0, r = c ? atom_find(console, str_c(role)) : 0;
	uint32_t n = 0;

	if (r != 0)
		(void)index_list(c, r, &n);
	return n > 0;
}

/* ---- totals ---- */

static void
add_row(struct ctx *cx, struct map *totals, struct str name, struct str text)
{
	json_t *j = json_parse(cx, text, NULL), *v;
	const char *project;

	if (!json_is_object(j) || json_integer_value(json_object_get(j, "t")) < time_now_ms() - CURRENT_MS) {
		(void)bus_post(BUS(STR("HDEL"), STR(STATS_KEY), name));	/* its process is gone */
		return;
	}
	json_object_foreach(json_object_get(j, "n"), project, v) {
		intptr_t n = (intptr_t)map_get(totals, str_c(project)) + (intptr_t)json_integer_value(v);

		if (n > 0)
			map_set(totals, str_c(project), (void *)n);
	}
}

struct names {
	struct ctx *cx;
	const char *v[ROWS_MAX];
	intptr_t count[ROWS_MAX];
	int n;
};

static bool
stats_collect(struct str id, void *value, void *arg)
{
	struct names *l = arg;

	l->v[l->n] = str_dup(l->cx->arena, id);
	l->count[l->n++] = (intptr_t)value;
	return l->n < ROWS_MAX;
}

static void
stats_publish(struct ctx *cx, const struct map *totals)
{
	struct names *l = arena_new_of(cx->arena, struct names);

	l->cx = cx;
	map_each(totals, stats_collect, l);
	for (int i = 0; i < l->n; i++) {
		struct project *p;

		if (project_get_bare(cx, str_c(l->v[i]), &p) != OK || p->team_id == NULL)
			continue;
		fanout_local("console", "stats.connections", "project", arena_printf(cx->arena, "team:%s", p->team_id),
		    str_c(arena_printf(cx->arena, "{\"%s\":%ld}", p->id, (long)l->count[i])));
		if (fib_yield(cx) != OK)
			return;
	}
}

static void
stats_report(struct ctx *cx, void *arg)
{
	struct bus_reply *r;
	struct map *totals;

	(void)arg;
	if (bus_cmd(cx, &r, BUS(STR("HGETALL"), STR(STATS_KEY))) == OK && r->type == BUS_LIST) {
		totals = map_new();
		for (int i = 0; i + 1 < r->n; i += 2)
			if (fib_yield(cx) == OK)
				add_row(cx, totals, r->v[i].s, r->v[i + 1].s);
		stats_publish(cx, totals);
		map_free(&totals);
	}
	busy = false;
}

static void
stats_on_timer(void *arg)
{
	struct arena *a = arena_new();

	(void)arg;
	stats_store(a);
	arena_free(&a);
	if (anybody("tests", "guests"))
		fanout_local("console", "test.event", "tests", "guests", STR("{\"response\":\"WS:/v1/realtime:passed\"}"));
	if (!busy && anybody("project", "users")) {
		busy = true;
		fib_spawn_new("rt-stats", EVERY_MS, stats_report, NULL);
	}
}

void
rt_init(void)
{
	struct arena *a = arena_new();

	snprintf(node, sizeof node, "%s-%ld", secret_hex(a, 8), (long)getpid());
	arena_free(&a);
	counts = map_new();
	timer = loop_every(EVERY_MS, stats_on_timer, NULL);
	expiry = loop_every(1000, deadline_pass, NULL);
	fanout_init();
	said_init();
}

void
rt_fini(void)
{
	loop_timer_stop(&timer);
	loop_timer_stop(&expiry);
	tail_fini();
	said_fini();
	fanout_fini();
	map_free(&counts);
}
