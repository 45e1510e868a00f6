/* Usage counters: a table of this process, added to the projects' tables in batches. */
#include "model/usage.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"
#include "core/vtime.h"
#include "model/query.h"

enum { COUNTERS_MAX = 100000, FLUSH_MS = 10000, PAUSE_MS = 100, BATCH_MAX = 1000, SNAPSHOT_MS = 600000 };
enum { QUICK_MS = 20, PARTS = 20 };	/* counting that takes longer takes a twentieth of the time, whoever reads */
enum { HALF_HOUR_MS = 1800000, DAY_MS = 86400000 };

struct looker {			/* on the stack of who waits for the end of another's snapshot */
	struct looker *next;
	struct fib_event ended;
	err_t e;		/* what came of it */
};

struct project_counts {
	char *schema;
	struct map *metrics;	/* name -> int64_t */
	uint64_t snapshot;	/* loop_now of the next one that nobody asks for */
	uint64_t fresh;		/* until then (loop_now) the last one is new enough for whoever reads */
	bool looking;		/* one is under way: this stays */
	struct looker *lookers;
};

static struct map *projects;	/* schema -> project_counts */
static size_t n_counters;
static bool flushing, draining;

const char *const usage_ranges[] = {"24h", "7d", "30d", "90d", NULL};

static const struct field metric_fields[] = {
	TOLD("value", F_INT, "The number."),
	TOLD("date", F_TIME, "When it was so, or the period began, in ISO 8601 format."),
};
const struct shape metric_shape = SHAPE_TOLD("metric", metric_fields);

static const struct {
	int64_t period;
	int points;
} ranges[] = {{HALF_HOUR_MS, 48}, {DAY_MS, 7}, {DAY_MS, 30}, {DAY_MS, 90}};

/* ---- counting ---- */

static struct project_counts *
counts_of(const char *schema)
{
	struct project_counts *pc;

	if (projects == NULL)
		projects = map_new();
	pc = map_get(projects, str_c(schema));
	if (pc != NULL)
		return pc;
	pc = mem_zalloc(sizeof *pc);
	pc->schema = mem_strdup(schema);
	pc->metrics = map_new();
	(void)map_set(projects, str_c(schema), pc);	/* there was none */
	return pc;
}

static void
usage_add(const char *schema, struct str metric, int64_t n)
{
	struct project_counts *pc = counts_of(schema);
	int64_t *v = map_get(pc->metrics, metric);

	if (v == NULL) {
		if (n_counters >= COUNTERS_MAX) {
			metric_add(M_usage_dropped, n);
			return;
		}
		v = mem_zalloc(sizeof *v);
		(void)map_set(pc->metrics, metric, v);	/* there was none */
		n_counters++;
	}
	*v += n;
}

static const char *const ops[] = {"create", "read", "update", "delete"};

bool
usage_find(const char *text, const struct usage_kind **kind_out, enum usage_op *op_out)
{
	int n;
	const struct service *const *v = service_all(&n);
	struct str op = str_c(text), name = str_cut(&op, '.');

	for (int i = 0; i < n; i++)
		for (const struct usage_kind *k = v[i]->usage; k != NULL && k->name != NULL; k++)
			for (int o = 0; str_is(name, k->name) && o < (int)(sizeof ops / sizeof *ops); o++)
				if (str_is(op, ops[o])) {
					*kind_out = k;
					*op_out = (enum usage_op)o;
					return true;
				}
	return false;
}

static void
add_scope(const struct project *p, const char *kind, enum usage_op op, const char *outer, const char *inner)
{
	const char *const parts[] = {kind, ".", outer, inner ? "/" : "", inner ? inner : "", ".requests.", ops[op]};
	char text[160];
	size_t n = 0;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		for (const char *c = parts[i]; *c != '\0'; c++) {
			if (n == sizeof text)
				return;
			text[n++] = (char)tolower((unsigned char)*c);	/* ids do not differ by it */
		}
	usage_add(p->schema, (struct str){text, n}, 1);
}

void
usage_count(const struct project *p, const struct usage_kind *kind, enum usage_op op, const char *outer, const char *inner)
{
	assert(kind != NULL && op <= USAGE_DELETE);
	if (!conf.usage || p->console)
		return;
	if (kind->handed && op == USAGE_CREATE && outer == NULL)	/* only a token so far */
		return;
	add_scope(p, kind->name, op, "$all", NULL);
	if (outer != NULL && (kind->handed || kind->scopes[0] != NULL))
		add_scope(p, kind->name, op, outer, NULL);
	if (outer != NULL && inner != NULL && kind->scopes[1] != NULL)
		add_scope(p, kind->name, op, outer, inner);
}

void
usage_network(const struct project *p, uint64_t bytes)
{
	if (!conf.usage || p->console)
		return;
	usage_add(p->schema, STR("project.$all.network.requests"), 1);
	usage_add(p->schema, STR("project.$all.network.bandwidth"), (int64_t)bytes);
}

static void
add_computed(const struct project *p, const char *kind, const char *what, const char *series, int64_t n)
{
	char text[160];
	int len = snprintf(text, sizeof text, "%s.%s.compute.%s", kind, what, series);

	for (int i = 0; i < len && i < (int)sizeof text; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	if (len < (int)sizeof text)
		usage_add(p->schema, (struct str){text, (size_t)len}, n);
}

void
usage_computed(const struct project *p, const char *kind, const char *what, bool good, int64_t ms)
{
	const char *const of[] = {"$all", what};

	if (!conf.usage || p->console)
		return;
	for (int i = 0; i < 2; i++) {
		add_computed(p, kind, of[i], "total", 1);
		add_computed(p, kind, of[i], good ? "success" : "failure", 1);
		add_computed(p, kind, of[i], "time", ms);
	}
	usage_add(p->schema, STR("project.$all.compute.time"), ms);
}

/* ---- writing ---- */

static int64_t
begin_of(int64_t ms, int64_t period)
{
	return ms - ms % period;
}

struct batch {
	struct arena *arena;
	const char *names[BATCH_MAX], *values[BATCH_MAX];
	int n;
};

static bool
usage_take(struct str key, void *value, void *arg)
{
	struct batch *b = arg;

	if (b->n == BATCH_MAX)
		return false;
	b->names[b->n] = str_dup(b->arena, key);
	b->values[b->n++] = pg_i64(b->arena, *(int64_t *)value);
	return true;
}

static err_t
usage_write_batch(struct ctx *cx, const char *schema, const struct batch *b)
{
	int64_t now = time_now_ms();

	/* every process writes its rows in the same order, so that none waits for another in a circle */
	return db_exec(cx, NULL,
	    arena_printf(cx->arena,
		"INSERT INTO %s.usage AS u (metric, day, time, value) SELECT c.metric, p.day, p.time, c.value "
		"FROM unnest($1::text[], $2::bigint[]) AS c(metric, value), (VALUES (false, $3::timestamptz), (true, $4::timestamptz)) AS p(day, time) "
		"ORDER BY 1, 2 ON CONFLICT (metric, day, time) DO UPDATE SET value = u.value + excluded.value", schema),
	    DB(pg_array(cx->arena, b->names, b->n), pg_array(cx->arena, b->values, b->n), pg_time(cx->arena, begin_of(now, HALF_HOUR_MS)),
		pg_time(cx->arena, begin_of(now, DAY_MS))));
}

static struct project_counts *
usage_known(const char *schema)
{
	return projects ? map_get(projects, str_c(schema)) : NULL;
}

/* Counters are taken off before the statement goes out: a lost reply loses counts, it never doubles them. */
static err_t
flush_one(struct ctx *cx, const char *schema)
{
	struct project_counts *pc;

	/* looked up anew after each await: two may flush at once, and who learns that the project is gone forgets it */
	while ((pc = usage_known(schema)) != NULL && map_count(pc->metrics) > 0) {
		struct batch *b = arena_new_of(cx->arena, struct batch);
		err_t e;

		b->arena = cx->arena;
		map_each(pc->metrics, usage_take, b);
		for (int i = 0; i < b->n; i++)
			free(map_del(pc->metrics, str_c(b->names[i])));
		n_counters -= (size_t)b->n;
		e = usage_write_batch(cx, schema, b);
		if (e != OK)
			metric_add(M_usage_dropped, b->n);
		if (e == ERR_DB_DOWN || e == ERR_DB_BUSY || e == ERR_DB_CONFLICT)	/* certainly not written: later */
			for (int i = 0; i < b->n; i++)
				usage_add(schema, str_c(b->names[i]), strtoll(b->values[i], NULL, 10));
		TRY(e);
	}
	return OK;
}

static bool
free_count(struct str key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	free(value);
	n_counters--;
	return true;
}

static void
usage_forget(const char *schema)
{
	struct project_counts *pc = usage_known(schema);

	if (pc == NULL || pc->looking)	/* then the next flush finds it out */
		return;
	(void)map_del(projects, str_c(schema));
	map_each(pc->metrics, free_count, NULL);
	map_free(&pc->metrics);
	assert(!pc->looking && pc->lookers == NULL);
	free(pc->schema);
	free(pc);
}

struct names {
	struct arena *arena;
	const char **v;
	int n;
};

static bool
name(struct str key, void *value, void *arg)
{
	struct names *l = arg;

	(void)value;
	l->v[l->n++] = str_dup(l->arena, key);
	return true;
}

static err_t snapshot(struct ctx *cx, const char *schema);

/* Awaits. One at a time, and to its end even though who asked has left: others would wait for the rows that it writes, and it looks through tables. */
static err_t
usage_look(struct ctx *cx, struct project_counts *pc, bool counters)
{
	struct db_share *share = cx->share;
	struct looker *next;
	err_t e = OK;

	assert(!pc->looking);
	pc->looking = true;
	fib_shield(cx, true);
	if (counters)
		e = flush_one(cx, pc->schema);
	cx->share = share ? share : query_scans();
	if (e == OK)
		e = snapshot(cx, pc->schema);
	cx->share = share;
	fib_shield(cx, false);
	pc->looking = false;
	for (struct looker *l = pc->lookers; l != NULL; l = next) {
		next = l->next;
		l->e = e;
		fib_signal(&l->ended);
	}
	pc->lookers = NULL;
	return e;
}

/* The console draws the counts as lines: points need values also when nobody looks. */
static err_t
look_when_due(struct ctx *cx, const char *schema)
{
	struct project_counts *pc = usage_known(schema);

	if (pc == NULL || pc->looking || loop_now() < pc->snapshot)
		return OK;
	pc->snapshot = loop_now() + SNAPSHOT_MS;
	return usage_look(cx, pc, false);
}

/* Whether the others are not tried any more. A project whose tables are not there is forgotten; nothing else says that it is gone. */
static bool
flush_ends(struct ctx *cx, const char *schema, err_t e)
{
	const char *state = db_sqlstate(cx);

	if (e == ERR_DB && (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0))
		usage_forget(schema);
	return e == ERR_TIMEOUT || e == ERR_CANCELLED || e == ERR_DB_DOWN || e == ERR_DB_BUSY;
}

err_t
usage_flush(struct ctx *cx)
{
	static err_t (*const steps[])(struct ctx *cx, const char *schema) = {flush_one, look_when_due};	/* what takes long comes last */
	struct names l = {.arena = cx->arena, .v = arena_array(cx->arena, const char *, (projects ? map_count(projects) : 0) + 1)};
	err_t last = OK;

	if (projects != NULL)
		map_each(projects, name, &l);
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < l.n; i++) {
			err_t e = steps[k](cx, l.v[i]);

			if (flush_ends(cx, l.v[i], e))
				return e;
			last = e != OK ? e : last;
		}
	return last;
}

static void usage_on_tick(void *arg);

static void
usage_flush_fiber(struct ctx *cx, void *arg)
{
	err_t e = usage_flush(cx);

	(void)arg;
	if (e != OK)
		log_warn(cx, "usage is not written", "counters=%zu error=%s detail=%s", n_counters, err_info(e)->name, cx->detail ? cx->detail : "");
	if (draining && e == ERR_DB_BUSY && fib_sleep(cx, PAUSE_MS) != OK)
		log_debug(cx, "the pause was cut short", NULL);
	flushing = false;
	if (draining && e != ERR_DB_DOWN && e != ERR_TIMEOUT && e != ERR_CANCELLED)	/* what came meanwhile, or found no connection */
		usage_on_tick(NULL);
}

static void
usage_on_tick(void *arg)
{
	(void)arg;
	if (n_counters == 0 || flushing)
		return;
	flushing = true;
	fib_spawn_new("usage", FLUSH_MS, usage_flush_fiber, NULL);
}

void
usage_init(void)
{
	static struct loop_timer *timer;

	if (timer == NULL)
		timer = loop_every(conf.usage_interval > 0 ? (uint64_t)conf.usage_interval : 30000, usage_on_tick, NULL);
}

void
usage_drain(void)
{
	draining = true;
	usage_on_tick(NULL);
}

bool
usage_writing(void)
{
	return flushing;
}

/* ---- how many there are ---- */

enum { EXACT_MAX = 10000 };	/* rows that are worth counting one by one */

const char *
usage_gauge(struct arena *a, const char *schema, const char *table, const char *where)
{
	return arena_printf(a,
	    "SELECT '%s.$all.count.total', CASE WHEN u.some <= %d THEN u.some ELSE greatest(u.some, t.n_live_tup, k.reltuples::bigint) END "
	    "FROM (SELECT count(*) AS some FROM (SELECT 1 FROM %s.%s WHERE %s LIMIT %d) few) u, pg_class k "
	    "LEFT JOIN pg_stat_user_tables t ON t.relid = k.oid WHERE k.oid = '%s.%s'::regclass",
	    table, EXACT_MAX, schema, table, where ? where : "true", EXACT_MAX + 1, schema, table);
}

static err_t
snapshot(struct ctx *cx, const char *schema)
{
	int64_t now = time_now_ms();
	int n;
	const struct service *const *v = service_all(&n);
	struct buf gauges;

	buf_init(&gauges, cx->arena, 2048);
	for (int i = 0; i < n; i++)
		if (v[i]->gauges != NULL)
			buf_printf(&gauges, "%s%s", gauges.n > 0 ? " UNION ALL " : "", v[i]->gauges(cx->arena, schema));
	return db_exec(cx, NULL,
	    arena_printf(cx->arena,
		"WITH m(metric, value) AS (%s) "
		"INSERT INTO %s.usage (metric, day, time, value) SELECT lower(metric), p.day, p.time, value FROM m, "
		"(VALUES (false, $1::timestamptz), (true, $2::timestamptz)) AS p(day, time) ORDER BY 1, 2 "
		"ON CONFLICT (metric, day, time) DO UPDATE SET value = excluded.value",
		buf_view(&gauges).p, schema),
	    DB(pg_time(cx->arena, begin_of(now, HALF_HOUR_MS)), pg_time(cx->arena, begin_of(now, DAY_MS))));
}

/* Awaits. What comes of it is told as it is then; *late_out: only the other's time was over, and there is nothing to tell. */
static err_t
look_along(struct ctx *cx, struct project_counts *pc, bool *late_out)
{
	struct looker me = {.next = pc->lookers}, **at = &pc->lookers;
	err_t e;

	pc->lookers = &me;
	e = fib_await(cx, &me.ended);
	*late_out = me.ended.set && me.e == ERR_TIMEOUT;
	if (me.ended.set)
		return me.e == OK || *late_out ? OK : fail(cx, me.e, "another's look at the counts failed");
	while (*at != &me)
		at = &(*at)->next;
	*at = me.next;
	return e;
}

err_t
usage_snapshot(struct ctx *cx, const struct project *p)
{
	struct project_counts *pc;
	uint64_t began, took;
	bool late = true;
	err_t e;

	if (!conf.usage)
		return OK;
	while ((pc = counts_of(p->schema))->looking && late)
		TRY(look_along(cx, pc, &late));
	if (!late)
		return OK;
	began = loop_now();
	if (began < pc->fresh)
		return OK;
	e = usage_look(cx, pc, true);
	pc = counts_of(p->schema);
	took = loop_now() - began;
	pc->fresh = e == OK && took > QUICK_MS ? loop_now() + PARTS * took : 0;
	return e;
}

/* ---- reading ---- */

static bool
is_of(const struct usage_series *s, struct str metric)
{
	bool is = s->metric != NULL && str_ieq(metric, str_c(s->metric));

	for (int i = 0; i < USAGE_MORE && s->more[i] != NULL; i++)
		is = is || str_ieq(metric, str_c(s->more[i]));
	return is;
}

struct points {
	const struct db_res *res;	/* metric, time, value; NULL: nothing is counted */
	const struct db_res *ever;	/* metric, value */
	struct usage_span span;
};

static int64_t
ever_of(const struct points *p, const struct usage_series *s)
{
	int64_t sum = 0;

	for (int i = 0; p->ever != NULL && i < db_rows(p->ever); i++)
		if (is_of(s, db_str(p->ever, i, 0)))
			sum += db_i64(p->ever, i, 1);
	return sum;
}

/* Each period's value: what was counted in it, or the newest of what there was. The newest of all comes back. */
static int64_t
values_of(const struct points *p, const struct usage_series *s, int64_t values[USAGE_POINTS_MAX])
{
	int64_t at[USAGE_POINTS_MAX] = {0}, oldest = p->span.newest - (p->span.n - 1) * p->span.period, newest = 0, newest_at = -1;

	for (int i = 0; p->res != NULL && i < db_rows(p->res); i++) {
		int64_t time = db_time(p->res, i, 1), value = db_i64(p->res, i, 2), k = (time - oldest) / p->span.period;

		if (time < oldest || k >= p->span.n || !is_of(s, db_str(p->res, i, 0)))
			continue;
		if (s->add != USAGE_LEVELS)
			values[k] += value;
		else if (time >= at[k])
			values[k] = value;
		at[k] = time > at[k] ? time : at[k];
		newest = time > newest_at ? value : newest;
		newest_at = time > newest_at ? time : newest_at;
	}
	return newest;
}

static void
write_series(struct jw *w, const struct points *p, const struct usage_series *s)
{
	int64_t values[USAGE_POINTS_MAX] = {0}, newest = values_of(p, s, values);
	char iso[30];

	jw_word(w, s->name);
	if (s->add == USAGE_NEWEST || s->add == USAGE_EVER) {
		jw_i64(w, s->add == USAGE_NEWEST ? newest : ever_of(p, s));
		return;
	}
	jw_arr(w);
	for (int i = 0; i < p->span.n && s->metric != NULL; i++) {
		jw_obj(w);
		JW_KEY(w, "value");
		jw_i64(w, values[i]);
		JW_KEY(w, "date");
		jw_cstr(w, time_iso(p->span.newest - (p->span.n - 1 - i) * p->span.period, iso));
		jw_obj_end(w);
	}
	jw_arr_end(w);
}

/* Lower case, each of them once or more. */
static const char *
metrics_of(struct ctx *cx, const struct usage_series *v, int n, bool ever)
{
	const char **metrics = arena_array(cx->arena, const char *, n * (1 + USAGE_MORE) + 1);
	int m = 0;

	for (int i = 0; i < n; i++) {
		if (v[i].metric == NULL || (ever && v[i].add != USAGE_EVER))
			continue;
		metrics[m++] = str_lower(cx->arena, str_c(v[i].metric)).p;
		for (int k = 0; k < USAGE_MORE && v[i].more[k] != NULL; k++)
			metrics[m++] = str_lower(cx->arena, str_c(v[i].more[k])).p;
	}
	return m ? pg_array(cx->arena, metrics, m) : NULL;
}

/* Awaits. */
static err_t
read_points(struct ctx *cx, const struct project *p, const struct usage_series *v, int n, struct points *out)
{
	const char *ever = metrics_of(cx, v, n, true);
	struct db_res *r;

	if (!conf.usage)
		return OK;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT metric, time, value FROM %s.usage WHERE metric = ANY ($1::text[]) AND day = "
	    "$2::boolean AND time >= $3::timestamptz AND time < $4::timestamptz", p->schema), DB(metrics_of(cx, v, n, false), pg_bool(out->span.period == DAY_MS),
	    pg_time(cx->arena, out->span.newest - (out->span.n - 1) * out->span.period), pg_time(cx->arena, out->span.newest + out->span.period))));
	out->res = r;
	if (ever == NULL)
		return OK;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT metric, sum(value)::bigint FROM %s.usage WHERE metric = ANY ($1::text[]) AND day GROUP BY metric", p->schema), DB(ever)));
	out->ever = r;
	return OK;
}

err_t
usage_range(struct ctx *cx, const char *range, struct usage_span *out)
{
	int k = 0;

	while (usage_ranges[k] != NULL && strcmp(usage_ranges[k], range) != 0)
		k++;
	if (usage_ranges[k] == NULL)
		return fail(cx, ERR_GENERAL_ARGUMENT_INVALID, "range=%s", range);
	*out = (struct usage_span){.period = ranges[k].period, .newest = begin_of(time_now_ms(), ranges[k].period), .n = ranges[k].points};
	return OK;
}

/* `range` NULL: it is not told. */
static err_t
usage_write(struct ctx *cx, const struct project *p, const char *range, const struct usage_span *span, const struct usage_series *v, int n,
    struct str *json_out)
{
	struct points points = {.span = *span};
	struct buf b;
	struct jw w;

	assert(span->n > 0 && span->n <= USAGE_POINTS_MAX);
	TRY(read_points(cx, p, v, n, &points));
	buf_init(&b, cx->arena, 16384);
	jw_init(&w, &b);
	w.words = cx->words;
	jw_obj(&w);
	if (range != NULL) {
		JW_KEY(&w, "range");
		jw_cstr(&w, range);
	}
	for (int i = 0; i < n; i++)
		write_series(&w, &points, &v[i]);
	jw_obj_end(&w);
	*json_out = buf_view(&b);
	return OK;
}

err_t
usage_json(struct ctx *cx, const struct project *p, const char *range, const struct usage_series *v, int n, struct str *json_out)
{
	struct usage_span span;

	TRY(usage_range(cx, range, &span));
	return usage_write(cx, p, range, &span, v, n, json_out);
}

err_t
usage_between(struct ctx *cx, const struct project *p, const struct usage_span *span, const struct usage_series *v, int n, struct str *json_out)
{
	return usage_write(cx, p, NULL, span, v, n, json_out);
}

err_t
usage_last(struct ctx *cx, const struct project *p, const char *const *metrics, int n, int64_t *out)
{
	struct db_res *r;

	memset(out, 0, sizeof *out * (size_t)n);
	if (!conf.usage || n == 0)
		return OK;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT coalesce((SELECT value FROM %s.usage WHERE metric = lower(m) AND day ORDER BY time DESC LIMIT 1), 0) "
	    "FROM unnest($1::text[]) WITH ORDINALITY AS u(m, i) ORDER BY i", p->schema), DB(pg_array(cx->arena, metrics, n))));
	for (int i = 0; i < n; i++)
		out[i] = db_i64(r, i, 0);
	return OK;
}
