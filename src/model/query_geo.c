/* Filters on points, lines and polygons: their values, and the functions of PostGIS that they are. Geometry is planar, in degrees; distances in metres are those on
 * a sphere, between points. */
#include "query_priv.h"

#include <math.h>

enum { COMPARE = 1000, COMPARE_POINT = 50 };	/* nanoseconds: of two values, and of each point of the one that is asked for */
#define EARTH 6371008.7714			/* metres: PostGIS's sphere */
#define DEGREE (M_PI / 180)
#define ALL_DEGREES 720.0			/* nothing is farther apart */

struct geo_method {
	const char *function;	/* NULL: it is none of these */
	bool negated, only;	/* only: for spatial attributes alone */
	const char *distance;	/* the operator that compares it */
};
static const struct geo_method methods[Q_N] = {
    [Q_EQUAL] = {"ST_Equals", false, false, NULL},
    [Q_NOT_EQUAL] = {"ST_Equals", true, false, NULL},
    [Q_CONTAINS] = {"ST_Covers", false, false, NULL},
    [Q_CONTAINS_ANY] = {"ST_Covers", false, false, NULL},
    [Q_NOT_CONTAINS] = {"ST_Covers", true, false, NULL},
    [Q_INTERSECTS] = {"ST_Intersects", false, true, NULL},
    [Q_NOT_INTERSECTS] = {"ST_Intersects", true, true, NULL},
    [Q_CROSSES] = {"ST_Crosses", false, true, NULL},
    [Q_NOT_CROSSES] = {"ST_Crosses", true, true, NULL},
    [Q_OVERLAPS] = {"ST_Overlaps", false, true, NULL},
    [Q_NOT_OVERLAPS] = {"ST_Overlaps", true, true, NULL},
    [Q_TOUCHES] = {"ST_Touches", false, true, NULL},
    [Q_NOT_TOUCHES] = {"ST_Touches", true, true, NULL},
    [Q_DISTANCE_EQUAL] = {"ST_Distance", false, true, "="},
    [Q_DISTANCE_NOT_EQUAL] = {"ST_Distance", false, true, "<>"},
    [Q_DISTANCE_GREATER] = {"ST_Distance", false, true, ">"},
    [Q_DISTANCE_LESS] = {"ST_Distance", false, true, "<"},
};

bool
query_geo_only(enum query_method m)
{
	return methods[m].only;
}

bool
query_geo_also(enum query_method m)
{
	return methods[m].function != NULL || m == Q_IS_NULL || m == Q_IS_NOT_NULL;
}

/* ---- values ---- */

static bool
take_geometry(struct ctx *cx, const json_t *j, struct query_value *v)
{
	const char *why;

	return geo_type_by(j, &v->geo) && geo_read(cx->arena, v->geo, j, &v->s, &why);
}

/* [geometry, distance, metres?] */
static bool
take_distance(struct ctx *cx, const json_t *j, struct query_value *v)
{
	const json_t *metres = json_array_get(j, 2);

	v->f = json_number_value(json_array_get(j, 1));
	v->b = json_is_true(metres);
	return json_array_size(j) <= 3 && json_is_number(json_array_get(j, 1)) && (metres == NULL || json_is_boolean(metres)) &&
	    take_geometry(cx, json_array_get(j, 0), v);
}

bool
query_geo_check(struct ctx *cx, struct query *q, const char **why_out)
{
	static const char *const names[] = {"point", "linestring", "polygon"};

	for (int i = 0; i < q->n; i++) {
		struct query_value *v = &q->v[i];
		bool ok = v->type == QV_LIST && (methods[q->method].distance != NULL ? take_distance(cx, v->list, v) : take_geometry(cx, v->list, v));

		if (!ok)
			*why_out = arena_printf(cx->arena, "Query value is invalid for attribute \"%s\"", q->attr);
		else if (v->b && (v->geo != GEO_POINT || q->on->geo_type != GEO_POINT))
			*why_out = arena_printf(cx->arena, "Distance in meters is not supported between %s and %s", names[q->on->geo_type], names[v->geo]);
		else
			continue;
		return false;
	}
	return true;
}

/* ---- polygons that are none ---- */

/* Those among the values, in `v` if it is there. */
static int
polygons_of(const struct query *q, int n, const char **v, const char **geo_out)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		found += polygons_of(q[i].sub, q[i].n_sub, v ? v + found : NULL, geo_out);
		for (int k = 0; q[i].on != NULL && q[i].on->type == ATTR_GEO && k < q[i].n; k++) {
			if (q[i].v[k].geo != GEO_POLYGON)
				continue;
			*geo_out = q[i].on->geo;
			if (v != NULL)
				v[found] = q[i].v[k].s.p;
			found++;
		}
	}
	return found;
}

err_t
query_geo_sound(struct ctx *cx, const struct query *q, int n, bool *out)
{
	const char *geo = NULL, **v;
	struct db_res *r;
	int found = polygons_of(q, n, NULL, &geo);

	*out = true;
	if (found == 0)
		return OK;
	v = arena_array(cx->arena, const char *, found);
	(void)polygons_of(q, n, v, &geo);
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT bool_and(%s.ST_IsValid(v::%s.geometry)) FROM unnest($1::text[]) AS v", geo, geo),
	    DB(pg_array(cx->arena, v, found))));
	*out = db_bool(r, 0, 0);
	return OK;
}

/* ---- SQL ---- */

static const char *
geometry(struct query_plan *p, const struct query *q, const struct query_value *v)
{
	return arena_printf(p->cx->arena, "$%d::%s.geometry", query_param(p, v->s.p), q->on->geo);
}

static const char *
number(struct query_plan *p, double v)
{
	return arena_printf(p->cx->arena, "$%d::float8", query_param(p, arena_printf(p->cx->arena, "%.17g", v)));
}

/* The box around all points that are as near, in degrees: west, south, east, north. False where it would go round a pole or past the date line. */
static bool
envelope(const struct query_value *v, double box[4])
{
	double angle = v->f / EARTH * 1.001, xy[2], up = angle / DEGREE, aside;

	if (!geo_point(v->s, xy) || fabs(xy[1]) + up >= 89.9)
		return false;
	aside = asin(fmin(1, sin(angle) / cos(xy[1] * DEGREE))) / DEGREE * 1.001;
	box[0] = xy[0] - aside;
	box[1] = xy[1] - up;
	box[2] = xy[0] + aside;
	box[3] = xy[1] + up;
	return fabs(xy[0]) + aside < 180;
}

/* Whether only such rows are compared whose boxes meet: what is negated, or farther, looks at all of them. */
static bool
has_box(const struct query *q)
{
	const struct geo_method *m = &methods[q->method];
	double box[4];

	return m->distance == NULL ? !m->negated : q->method == Q_DISTANCE_LESS && (!q->v[0].b || envelope(&q->v[0], box));
}

/* The boxes of the column and of the value meet, or are as near as the distance: an index knows boxes. */
static void
sql_box(struct query_plan *p, struct buf *b, const struct query *q, const struct query_value *v)
{
	const char *geo = q->on->geo;
	double box[4];

	buf_printf(b, "%s OPERATOR(%s.&&) ", q->on->column, geo);
	if (v->b && envelope(v, box))
		buf_printf(b, "%s.ST_MakeEnvelope(%s, %s, %s, %s, 4326)", geo, number(p, box[0]), number(p, box[1]), number(p, box[2]), number(p, box[3]));
	else if (q->method == Q_DISTANCE_LESS)
		buf_printf(b, "%s.ST_Expand(%s, %s)", geo, geometry(p, q, v), number(p, fmin(v->f, ALL_DEGREES)));
	else
		buf_c(b, geometry(p, q, v));
}

/* One parameter, however many values: in hexadecimal digits, which a list needs no marks around. */
static const char *
geometries(struct query_plan *p, const struct query *q)
{
	struct buf b;

	buf_init(&b, p->cx->arena, 256);
	for (int i = 0; i < q->n; i++) {
		buf_ch(&b, i ? ':' : '{');	/* as PostGIS would have it */
		buf_str(&b, q->v[i].s);
	}
	buf_ch(&b, '}');
	return arena_printf(p->cx->arena, "$%d::%s.geometry[]", query_param(p, buf_view(&b).p), q->on->geo);
}

/* A line across the box that all values are in; NULL: there is none. */
static const char *
box_of_all(struct arena *a, const struct query *q)
{
	double all[4] = {INFINITY, INFINITY, -INFINITY, -INFINITY}, box[4];

	for (int i = 0; i < q->n; i++) {
		if (!geo_box(q->v[i].s, box))
			return NULL;
		for (int k = 0; k < 2; k++) {
			all[k] = fmin(all[k], box[k]);
			all[k + 2] = fmax(all[k + 2], box[k + 2]);
		}
	}
	return arena_printf(a, "SRID=4326;LINESTRING(%.17g %.17g,%.17g %.17g)", all[0], all[1], all[2], all[3]);
}

/* PostgreSQL unpacks a place that is stored apart for each comparison, even of its box: so many values look at a box that has been taken out, and first of all
 * one that they are all in. */
static void
sql_each_box(struct query_plan *p, struct buf *b, const struct query *q)
{
	const char *geo = q->on->geo, *all = box_of_all(p->cx->arena, q);

	if (all != NULL)
		buf_printf(b, "%s OPERATOR(%s.&&) $%d::%s.geometry AND ", q->on->column, geo, query_param(p, all), geo);
	buf_printf(b, "EXISTS (SELECT FROM (SELECT %s::%s.box2d::%s.geometry AS _box OFFSET 0) AS _boxes WHERE _box OPERATOR(%s.&&) ANY (%s))", q->on->column, geo, geo,
	    geo, geometries(p, q));
}

/* An index looks for each of the values by itself. */
static void
sql_boxes(struct query_plan *p, struct buf *b, const struct query *q)
{
	if (q->n == 1)
		sql_box(p, b, q, &q->v[0]);
	else if (q->boxes == BOXES_EXPECTED || query_indexed(p->l, q))
		buf_printf(b, "%s OPERATOR(%s.&&) ANY (%s)", q->on->column, q->on->geo, geometries(p, q));
	else
		sql_each_box(p, b, q);
}

static void
sql_distance(struct query_plan *p, struct buf *b, const struct query *q)
{
	const struct query_value *v = &q->v[0];
	const char *geo = q->on->geo;

	buf_printf(b, "%s.%s(%s, %s)", geo, v->b ? "ST_DistanceSphere" : "ST_Distance", q->on->column, geometry(p, q, v));
	buf_printf(b, " %s %s", methods[q->method].distance, number(p, v->f));
}

/* One parameter, however many values, which are read once for the statement. */
static void
sql_any(struct query_plan *p, struct buf *b, const struct query *q, const char *function)
{
	const char **v = arena_array(p->cx->arena, const char *, q->n), *geo = q->on->geo;

	for (int i = 0; i < q->n; i++)
		v[i] = q->v[i].s.p;
	buf_printf(b, "EXISTS (SELECT FROM unnest((SELECT array_agg(x::%s.geometry) FROM unnest($%d::text[]) AS x)) AS v WHERE %s.%s(%s, v))", geo,
	    query_param(p, pg_array(p->cx->arena, v, q->n)), geo, function, q->on->column);
}

static void
sql_compared(struct query_plan *p, struct buf *b, const struct query *q, const struct geo_method *m)
{
	if (m->negated)		/* null is not elsewhere, either */
		buf_printf(b, "%s IS NOT NULL AND NOT ", q->on->column);
	if (m->distance != NULL)
		sql_distance(p, b, q);
	else if (q->n > 1)
		sql_any(p, b, q, m->function);
	else
		buf_printf(b, "%s.%s(%s, %s)", q->on->geo, m->function, q->on->column, geometry(p, q, &q->v[0]));
}

/* The boxes go before: they are compared first, whatever other filters take, and of a row of which they do not meet nothing is unpacked. */
bool
query_geo_sql(struct query_plan *p, struct buf *b, const struct query *q)
{
	const struct geo_method *m = &methods[q->method];

	if (m->function == NULL)
		return false;
	if (q->method == Q_DISTANCE_LESS && q->v[0].f <= 0) {	/* nothing is nearer than that */
		BUF_LIT(b, "false");
		return true;
	}
	buf_ch(b, '(');
	if (has_box(q))
		sql_boxes(p, b, q);
	if (has_box(q) && !q->boxes)
		BUF_LIT(b, " AND ");
	if (!q->boxes)
		sql_compared(p, b, q, m);
	buf_ch(b, ')');
	return true;
}

double
query_geo_cost(const struct query *q)
{
	double cost = 0;

	for (int i = 0; methods[q->method].function != NULL && i < q->n; i++)
		cost += COMPARE + (double)(COMPARE_POINT * geo_points(q->v[i].s));
	return cost;
}

bool
query_indexed(const struct query_list *l, const struct query *q)
{
	if (l == NULL || q->on == NULL || q->on->via != NULL)
		return false;
	for (int i = 0; i < l->n_indexes; i++) {
		const struct query_index *x = &l->indexes[i];

		if (x->available && x->words == NULL && x->attributes.n > 0 && strcmp(x->attributes.v[0], q->on->key) == 0)
			return true;
	}
	return strcmp(q->on->key, "$id") == 0;
}

void
query_geo_boxes(const struct query_list *l, const struct query *q, double *unpacked_out, double *compared_out)
{
	bool one = q->n == 1 || query_indexed(l, q);

	*unpacked_out = *compared_out = 0;
	if (methods[q->method].function == NULL || !has_box(q))
		return;
	*unpacked_out = one ? q->n : 2;
	*compared_out = one ? 0 : q->n;
}

bool
query_geo_boxed(const struct query *q)
{
	return q->on->via == NULL && methods[q->method].function != NULL && has_box(q);
}
