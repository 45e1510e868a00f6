/* What a list's filters cost, before they are run.
 *
 * A caller multiplies: values × length of a text × rows. Texts are folded once for each row and each value once for the statement (query_sql.c);
 * what remains is estimated from a sample of the table, at most once a minute, and refused when no statement could end in its time.
 * Costs are counted in bytes that are compared, about a nanosecond each. */
#include "query_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "core/conf.h"
#include "core/loop.h"
#include "core/map.h"
#include "core/metric.h"

enum {
	FOLD = 50,		/* of a byte of text: folding is that much more than comparing */
	WORDS = 300,		/* of a byte: taking it apart into words */
	ORDER = 20,		/* of a byte: sorting long texts */
	ELEMENT = 150,		/* of an element of a list and a value: one comparison by the collation */
	SHORT = 256,		/* bytes of a value of which the list says no size */
	LONG = 2048,		/* stored apart and compressed from here on: each comparison unpacks it */
	PAGE = 8192,
	SAMPLE_PAGES = 64,
	SAMPLE_PAGES_LISTS = 8,	/* lists are unpacked to count their elements */
	SAMPLE_ROWS = 1000,	/* of which boxes are looked at */
	SAMPLES_MAX = 4000,
	SAMPLE_AGE = 60 * 1000,
	ASKED_MAX = 8,		/* filters of which is asked what they leave */
	PROBES_MAX = 3,		/* about places of which some pages are looked at for that */
	BOX = 100,		/* a box at hand and another one */
	BOX_APART = 3000,	/* unpacking a place that is stored apart, for its box */
	BOX_POINT = 20,		/* on average, for each point that the places of a table have */
	RELATED_MAX = 20,	/* sub-queries over related records */
	MILLION = 1000000
};

struct weight {			/* what one attribute costs for each unit of it: a byte, or an element of a list */
	const struct query_attr *on;
	double once, each;	/* for each row; for each filter */
	double units;		/* in the whole table */
	double unpacked, boxes;	/* for each row: unpacked for the box, boxes looked at */
};

struct weights {
	struct weight *v;
	int n, searches;
};

struct cost {
	double compared;	/* of what the best filter leaves */
	double boxes;		/* of each row that comes to them */
};

struct sample {
	uint64_t read;		/* loop_now */
	double units;		/* or a part of the rows */
};

static struct lru *samples;
static struct db_share *scans;

/* ---- what the filters do ---- */

static struct weight *
weight_of(struct query_plan *p, struct weights *w, const struct query_attr *a)
{
	for (int i = 0; i < w->n; i++)
		if (w->v[i].on == a)
			return &w->v[i];
	if ((w->n & (w->n - 1)) == 0) {
		struct weight *more = arena_array(p->cx->arena, struct weight, 2 * w->n + 1);

		for (int i = 0; i < w->n; i++)
			more[i] = w->v[i];
		w->v = more;
	}
	w->v[w->n] = (struct weight){.on = a};
	return &w->v[w->n++];
}

/* What a filter does with a unit of its attribute: before it compares, and while it compares. */
static void
filter_cost(const struct query_list *l, const struct query *q, int search, double *once_out, double *each_out)
{
	*once_out = *each_out = 0;
	if (q->on->type == ATTR_GEO) {
		*each_out = query_geo_cost(q);
		return;
	}
	if (q->method == Q_CONTAINS_ALL && !q->on->array)	/* of related records: they are compared */
		return;
	switch (q->method) {
	case Q_STARTS:
	case Q_NOT_STARTS:
	case Q_ENDS:
	case Q_NOT_ENDS:
	case Q_CONTAINS:
	case Q_CONTAINS_ANY:
	case Q_CONTAINS_ALL:
	case Q_NOT_CONTAINS:
		*once_out = q->on->array ? 0 : FOLD;
		*each_out = q->on->array ? (double)ELEMENT * q->n : q->n;
		return;
	case Q_SEARCH:		/* the first is found by its index; more of them are looked up in the text */
	case Q_NOT_SEARCH:
		if (q->method == Q_NOT_SEARCH || (query_fulltext(l, q->attr) == NULL && q->on->words == NULL))
			*once_out = WORDS;
		else if (search > 1)
			*each_out = WORDS;
		return;
	default:
		if (q->on->type == ATTR_STRING && q->on->size >= LONG && !q->on->array)
			*each_out = q->n - 1;
	}
}

static void
weigh_filter(struct query_plan *p, struct weights *w, const struct query *q)
{
	double once, each, unpacked, boxes;
	struct weight *one;

	for (int i = 0; i < q->n_sub; i++)
		weigh_filter(p, w, &q->sub[i]);
	if (query_methods[q->method].kind != QK_FILTER || q->on == NULL)
		return;
	w->searches += q->method == Q_SEARCH;
	filter_cost(p->l, q, w->searches, &once, &each);
	if (once + each == 0)
		return;
	one = weight_of(p, w, q->on);
	one->once = once > one->once ? once : one->once;
	one->each += each;
	if (q->on->type != ATTR_GEO)
		return;
	query_geo_boxes(p->l, q, &unpacked, &boxes);
	one->unpacked += unpacked;
	one->boxes += boxes;
}

static struct weights
weights_of(struct query_plan *p)
{
	struct weights w = {0};

	for (int i = 0; i < p->n; i++)
		weigh_filter(p, &w, &p->q[i]);
	for (int i = 0; i < p->n_orders; i++)
		if (p->orders[i]->on->size >= LONG)
			weight_of(p, &w, p->orders[i]->on)->once += ORDER;
	return w;
}

/* ---- how much there is ---- */

/* "p_1.c_5" of "p_1.c_5", "p_1.users users" of "p_1.users users, p_1.teams teams"; of a statement all of it. */
static struct str
first_table(const struct query_list *l, bool alias)
{
	size_t n = l->flags & QUERY_DERIVED ? strlen(l->from) : strcspn(l->from, alias ? "," : ", ");

	return (struct str){l->from, n};
}

/* Where the attribute is: of related records in their table. */
static struct str
table_of(struct query_plan *p, const struct query_attr *a, bool alias)
{
	return a != NULL && a->via != NULL ? str_c(a->via->table) : first_table(p->l, alias);
}

static bool
is_point(const struct query_attr *a)
{
	return a->type == ATTR_GEO && a->geo_type == GEO_POINT;
}

/* The length of a text is known without reading it; a list is read. */
static const char *
units_sql(struct query_plan *p, const struct query_attr *a)
{
	if (a == NULL)
		return "1";
	if (a->type == ATTR_GEO)
		return is_point(a) ? "1" : arena_printf(p->cx->arena, "coalesce(%s.ST_NPoints(%s), 0)", a->geo, a->column);
	if (a->size == 0)
		return arena_printf(p->cx->arena, "%d", SHORT);
	return arena_printf(p->cx->arena, "coalesce(%s(%s), 0)", a->array ? "cardinality" : "octet_length", a->column);
}

static const char *
pages_sql(struct query_plan *p, const struct query_attr *a)
{
	return arena_printf(p->cx->arena, "greatest(1.0, pg_relation_size('%.*s') / %d.0)", STR_FMT(table_of(p, a, false)), PAGE);
}

/* Some pages of the table, scaled to all of them. */
static const char *
sample_sql(struct query_plan *p, const struct query_attr *a)
{
	int some = a && (a->array || (a->type == ATTR_GEO && !is_point(a))) ? SAMPLE_PAGES_LISTS : SAMPLE_PAGES;
	const char *pages = pages_sql(p, a);

	return arena_printf(p->cx->arena, DB_PLAN_ANEW "SELECT greatest(1.0, %s / %d) * coalesce(sum(u), 0) FROM (SELECT %s AS u FROM %.*s "
	    "TABLESAMPLE SYSTEM (least(100, %d / %s))) AS s", pages, some, units_sql(p, a), STR_FMT(table_of(p, a, true)), 100 * some, pages);
}

/* Awaits. How many rows PostgreSQL expects. */
static err_t
rows_expected(struct query_plan *p, struct str from, struct str where, double *out)
{
	const json_t *plan;
	struct db_res *r;

	TRY(db_query(p->cx, &r, arena_printf(p->cx->arena, DB_PLAN_ANEW "EXPLAIN (FORMAT JSON) SELECT 1 FROM %.*s%.*s", STR_FMT(from), STR_FMT(where)), p->n_v, p->v));
	plan = json_object_get(json_array_get(json_parse(p->cx, db_str(r, 0, 0), NULL), 0), "Plan");
	*out = json_number_value(json_object_get(plan, "Plan Rows"));
	return OK;
}

/* Awaits. How much there is of a statement, of which there are no pages to look at. */
static err_t
units_derived(struct query_plan *p, const struct query_attr *a, double *out)
{
	struct query_plan bare = {.cx = p->cx};

	TRY(rows_expected(&bare, str_c(p->l->from), STR_NONE, out));
	*out *= a != NULL ? SHORT : 1;
	return OK;
}

/* What has been asked within a minute. */
static bool
sample_known(struct str key, double *out)
{
	struct sample *s = samples ? lru_get(samples, key) : NULL;

	if (s == NULL || loop_now() - s->read > SAMPLE_AGE)
		return false;
	*out = s->units;
	return true;
}

static void
sample_keep(struct str key, double units)
{
	struct sample *s = mem_alloc(sizeof *s);

	if (samples == NULL)
		samples = lru_new(SAMPLES_MAX, free);
	*s = (struct sample){loop_now(), units};
	lru_put(samples, key, s);
}

/* Awaits when it was not asked within a minute. How much there is of the attribute in the whole table; NULL: of rows. */
static err_t
units_of(struct query_plan *p, const struct query_attr *a, double *out)
{
	struct str key = str_c(arena_printf(p->cx->arena, "%.*s %s", STR_FMT(table_of(p, a, false)), a == NULL || is_point(a) ? "" : a->size ? a->column : "short"));
	struct db_res *r;

	if (p->l->flags & QUERY_DERIVED)
		return units_derived(p, a, out);
	if (sample_known(key, out))
		return OK;
	TRY(db_query(p->cx, &r, sample_sql(p, a), DB0));
	*out = strtod(db_cstr(r, 0, 0), NULL);
	sample_keep(key, *out);
	return OK;
}

/* ---- what other filters leave ---- */

static bool
is_light(struct query_plan *p, const struct query *q)
{
	struct weights w = {0};

	weigh_filter(p, &w, q);
	return w.n == 0;
}

/* Awaits. How many rows PostgreSQL expects of those left by who may read them and by this filter; NULL: by the former alone. */
static err_t
rows_left(struct query_plan *p, const struct query *one, double *out)
{
	struct query_plan *rest = arena_new_of(p->cx->arena, struct query_plan);

	query_plan_init(rest, p->cx, p->l, one, one != NULL, NULL);
	return rows_expected(rest, str_c(rest->from), rest->where, out);
}

/* Awaits. The same of the whole table. */
static err_t
rows_whole(struct query_plan *p, double *out)
{
	struct query_plan bare = {.cx = p->cx};

	return rows_expected(&bare, first_table(p->l, true), STR_NONE, out);
}

static bool
is_boxed(const struct query *q)
{
	return q->on != NULL && q->on->type == ATTR_GEO && query_geo_boxed(q);
}

static bool
may_narrow(struct query_plan *p, const struct query *q)
{
	return query_methods[q->method].kind == QK_FILTER && (is_boxed(q) || is_light(p, q));
}

/* Of the table, the filter and its values. */
static struct str
probe_key(struct query_plan *p, const struct query *q, const struct query_plan *bare, struct str sql)
{
	uint64_t h = 0;

	for (int i = 0; i < bare->n_v; i++)
		h = h * 31 + str_hash(str_c(bare->v[i]));
	return str_c(arena_printf(p->cx->arena, "%.*s %.*s %llx", STR_FMT(table_of(p, q->on, false)), STR_FMT(sql), (unsigned long long)h));
}

/* Awaits when it was not asked within a minute. The part of some pages' rows whose boxes meet, and one more: fewer pages where they hold many of the rows. */
static err_t
part_boxed(struct query_plan *p, const struct query *q, double rows, double *out)
{
	struct query_plan bare = {.cx = p->cx};
	const char *pages = pages_sql(p, q->on);
	struct db_res *r;
	struct str key;
	struct buf b;

	buf_init(&b, p->cx->arena, 256);
	(void)query_geo_sql(&bare, &b, q);
	key = probe_key(p, q, &bare, buf_view(&b));
	if (sample_known(key, out))
		return OK;
	TRY(db_query(p->cx, &r, arena_printf(p->cx->arena, DB_PLAN_ANEW "SELECT (count(*) FILTER (WHERE %.*s) + 1) / (count(*) + 1)::float8 FROM %.*s "
	    "TABLESAMPLE SYSTEM (least(100, greatest(%d / %s, least(%d / %s, %d / %.1f))))", STR_FMT(buf_view(&b)), STR_FMT(table_of(p, q->on, true)),
	    100 * SAMPLE_PAGES_LISTS, pages, 100 * SAMPLE_PAGES, pages, 100 * SAMPLE_ROWS, rows > 1 ? rows : 1), bare.n_v, bare.v));
	*out = strtod(db_cstr(r, 0, 0), NULL);
	sample_keep(key, *out);
	return OK;
}

/* ---- what is left ---- */

/* In rows as PostgreSQL expects them of the whole table. What it expects of boxes is right for points; of what is large where somebody asks for what is small it
 * expects next to nothing, and some pages say better. */
struct left {
	double whole, compared;	/* to be compared */
	double reached;		/* whose boxes are looked at */
	const struct query *boxed[ASKED_MAX];
	double expected[ASKED_MAX];
	int n_boxed;
};

/* Awaits. What filters leave that cost nothing. Boxes are looked at before most of the others: of fewer rows where an index finds these alone. */
static err_t
left_expected(struct query_plan *p, struct left *l)
{
	double rows;

	TRY(rows_whole(p, &l->whole));
	l->compared = l->reached = l->whole;
	if (p->l->where != NULL)
		TRY(rows_left(p, NULL, &l->compared));
	for (int i = 0, asked = 0; i < p->n && asked < ASKED_MAX; i++) {
		struct query one = p->q[i];

		if (!may_narrow(p, &one))
			continue;
		one.boxes = is_boxed(&one) ? BOXES_EXPECTED : BOXES_FIRST;
		TRY(rows_left(p, &one, &rows));
		asked++;
		if (query_indexed(p->l, &one))
			l->reached = rows < l->reached ? rows : l->reached;
		if (!is_boxed(&one)) {
			l->compared = rows < l->compared ? rows : l->compared;
			continue;
		}
		l->boxed[l->n_boxed] = &p->q[i];
		l->expected[l->n_boxed++] = rows;
	}
	return OK;
}

/* Awaits. What boxes leave, of a few filters. */
static err_t
left_boxed(struct query_plan *p, struct left *l, double all)
{
	for (int i = 0; i < l->n_boxed && i < PROBES_MAX; i++) {
		struct query one = *l->boxed[i];
		double part, rows;

		one.boxes = BOXES_ALONE;
		TRY(part_boxed(p, &one, all, &part));
		rows = part * l->whole > l->expected[i] ? part * l->whole : l->expected[i];
		l->compared = rows < l->compared ? rows : l->compared;
	}
	return OK;
}

/* It never expects less than a row. */
static double
part_that(const struct left *l, double left, double rows)
{
	double part = l->whole > 0 ? left / l->whole : 1;

	return part * rows < 1 ? 1 / (rows > 1 ? rows : 1) : part;
}

/* Awaits. Whether it is too much still where one of the filters that cost nothing narrows the rows, or one about places, which is made for those alone whose boxes
 * meet: the best of some. PostgreSQL takes filters for independent of each other and multiplies what they leave, so that forty that say the same would seem to
 * leave nothing; for the same reason no group counts. Both numbers of a part are its own, for what it knows of the table may be old: where nothing narrows, all
 * is left. Boxes that are too many are refused before any is looked at. */
static err_t
too_much(struct query_plan *p, const struct cost *c, double max, bool *out)
{
	struct left l = {0};
	double rows, boxes, part;

	TRY(units_of(p, NULL, &rows));
	TRY(left_expected(p, &l));
	boxes = c->boxes * part_that(&l, l.reached, rows);
	*out = boxes > max;
	if (*out)
		return OK;
	TRY(left_boxed(p, &l, rows));
	part = part_that(&l, l.compared, rows);
	*out = c->compared * part + boxes > max;
	return OK;
}

/* Awaits. */
static err_t
cost_of_boxes(struct query_plan *p, const struct weight *w, double *out)
{
	struct query_attr row = {.type = ATTR_GEO, .geo_type = GEO_POINT, .via = w->on->via};
	double rows, apart = 0;

	TRY(units_of(p, &row, &rows));
	if (!is_point(w->on))
		apart = BOX_POINT * w->units / (rows > 1 ? rows : 1);
	*out = rows * (w->unpacked * (BOX + (apart < BOX_APART ? apart : BOX_APART)) + w->boxes * BOX);
	return OK;
}

/* Awaits. */
static err_t
total_cost(struct query_plan *p, struct weights *w, struct cost *out)
{
	double boxes;

	*out = (struct cost){0};
	for (int i = 0; i < w->n; i++) {
		TRY(units_of(p, w->v[i].on, &w->v[i].units));
		out->compared += (w->v[i].once + w->v[i].each) * w->v[i].units;
		if (w->v[i].unpacked == 0)
			continue;
		TRY(cost_of_boxes(p, &w->v[i], &boxes));
		out->boxes += boxes;
	}
	return OK;
}

/* ---- the doors ---- */

struct db_share *
query_scans(void)
{
	if (scans == NULL)
		scans = db_share_new(conf.db_pool_size * conf.db_scan_part / 100 > 1 ? (unsigned)(conf.db_pool_size * conf.db_scan_part / 100) : 1);
	return scans;
}

static void
share_scans(struct query_plan *p)
{
	if (p->cx->share != NULL)	/* of a job */
		return;
	p->cx->share = query_scans();
	p->shared = true;
}

void
query_cost_end(struct query_plan *p)
{
	if (!p->shared)
		return;
	assert(p->cx->share == scans);
	p->cx->share = NULL;
	p->shared = false;
}

err_t
query_cost(struct query_plan *p)
{
	struct weights w = weights_of(p);
	double max = (double)conf.query_cost_max * MILLION;
	struct cost cost;
	bool refused;

	if (p->related > RELATED_MAX) {
		metric_add(M_db_refused, 1);
		return fail_msg(p->cx, ERR_GENERAL_QUERY_LIMIT_EXCEEDED,
		    "Invalid queries: the filters look %d times for related records, and may %d times. Name several values in one filter.", p->related, RELATED_MAX);
	}
	if (w.n > 0 || p->related > 0 || (p->search != NULL && *p->search))
		share_scans(p);
	if (w.n == 0 || max <= 0)
		return OK;
	TRY(total_cost(p, &w, &cost));
	if (cost.compared + cost.boxes <= max)
		return OK;
	TRY(too_much(p, &cost, max, &refused));
	if (refused) {
		metric_add(M_db_refused, 1);
		return fail_msg(p->cx, ERR_GENERAL_QUERY_LIMIT_EXCEEDED,
		    "The filters have too much to look through: ask for fewer values, or narrow it by an attribute with an index.");
	}
	return OK;
}
