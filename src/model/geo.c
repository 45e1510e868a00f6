/* Spatial values; and PostGIS, which is there or not. */
#include "model/geo.h"

#include <math.h>
#include <string.h>

#include "core/log.h"
#include "core/loop.h"
#include "io/db.h"

enum {
	SRID = 4326,
	HAS_SRID = 0x20000000,
	HEAD = 9,		/* bytes before a value: order, type, system of reference */
	LINE_MIN = 2, RING_MIN = 4,	/* points */
	ASK_AGAIN_MS = 5 * 1000
};

static const char *const words[] = {"It must be a point: [longitude, latitude], within ±180 and ±90",
	"It must be a line: a list of at least two points [longitude, latitude]",
	"It must be a polygon: a list of rings, each of at least four points [longitude, latitude], of which the last is the first"};
static const char too_many[] = "It has too many points";

const char *
geo_name(enum geo_type type)
{
	static const char *const names[] = {"Point", "LineString", "Polygon"};

	return names[type];
}

/* ---- from JSON ---- */

#define NOTHING 1e-12		/* degrees: less is a tenth of a micrometre, and dear to write */

struct wkb {			/* what is written: digits, until there are too many points */
	struct buf b;
	int points, most;
	bool full;
};

static void
put_bytes(struct wkb *w, uint64_t v, int n)
{
	static const char digits[] = "0123456789ABCDEF";

	for (int i = 0; i < n; i++, v >>= 8) {
		buf_ch(&w->b, digits[v >> 4 & 15]);
		buf_ch(&w->b, digits[v & 15]);
	}
}

static bool
put_number(struct wkb *w, const json_t *j, double max)
{
	double v = json_number_value(j);
	uint64_t bits;

	if (!json_is_number(j) && !(json_is_string(j) && str_to_f64(json_str(j), &v)))
		return false;
	if (!isfinite(v) || v > max || v < -max)
		return false;
	v = fabs(v) < NOTHING ? 0.0 : v;	/* there is one zero */
	memcpy(&bits, &v, sizeof bits);
	put_bytes(w, bits, sizeof bits);
	return true;
}

static bool
put_point(struct wkb *w, const json_t *j)
{
	if (++w->points > w->most) {
		w->full = true;
		return false;
	}
	return json_is_array(j) && json_array_size(j) == 2 && put_number(w, json_array_get(j, 0), 180) && put_number(w, json_array_get(j, 1), 90);
}

static bool
put_points(struct wkb *w, const json_t *j, size_t min)
{
	size_t n = json_array_size(j);

	if (!json_is_array(j) || n < min)
		return false;
	put_bytes(w, n, 4);
	for (size_t i = 0; i < n; i++)
		if (!put_point(w, json_array_get(j, i)))
			return false;
	return true;
}

/* Closed: its last point is its first, whichever way they are written. */
static bool
put_ring(struct wkb *w, const json_t *j)
{
	enum { POINT_DIGITS = 32 };
	size_t from = w->b.n + 8;

	return put_points(w, j, RING_MIN) && memcmp(w->b.p + from, w->b.p + w->b.n - POINT_DIGITS, POINT_DIGITS) == 0;
}

static bool
put_rings(struct wkb *w, const json_t *j)
{
	bool flat = json_is_array(j) && !json_is_array(json_array_get(json_array_get(j, 0), 0));
	size_t n = flat ? 1 : json_array_size(j);

	put_bytes(w, n, 4);
	if (flat)
		return put_ring(w, j);
	for (size_t i = 0; i < n; i++)
		if (!put_ring(w, json_array_get(j, i)))
			return false;
	return json_is_array(j) && n > 0;
}

bool
geo_read(struct arena *a, enum geo_type type, const json_t *j, struct str *out, const char **why_out)
{
	struct wkb w = {.most = type == GEO_POLYGON ? GEO_POINTS_MAX / GEO_RINGS_WEIGH : GEO_POINTS_MAX};
	bool ok;

	buf_init(&w.b, a, 128);
	put_bytes(&w, 1, 1);
	put_bytes(&w, (uint64_t)HAS_SRID + type + 1, 4);
	put_bytes(&w, SRID, 4);
	ok = type == GEO_POINT ? put_point(&w, j) : type == GEO_LINE ? put_points(&w, j, LINE_MIN) : put_rings(&w, j);
	*why_out = w.full ? too_many : words[type];
	buf_ch(&w.b, '\0');
	*out = (struct str){w.b.p, w.b.n - 1};
	return ok;
}

bool
geo_type_by(const json_t *j, enum geo_type *out)
{
	int depth = 0;

	for (; json_is_array(j) && depth <= GEO_POLYGON + 1; j = json_array_get(j, 0))
		depth++;
	*out = (enum geo_type)(depth - 1);
	return depth > 0 && depth <= GEO_POLYGON + 1;
}

/* ---- to JSON ---- */

struct reading {		/* digits, two for each byte */
	struct str s;
	size_t at;		/* bytes */
	bool big;		/* the greatest byte is the first */
	bool bad;
};

static unsigned
digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

static uint64_t
geo_get_bytes(struct reading *r, int n)
{
	uint64_t v = 0;

	if ((r->at + (size_t)n) * 2 > r->s.n) {
		r->bad = true;
		return 0;
	}
	for (int i = 0; i < n; i++) {
		const char *p = r->s.p + 2 * (r->at + (size_t)(r->big ? i : n - 1 - i));
		unsigned high = digit(p[0]), low = digit(p[1]);

		r->bad |= high > 15 || low > 15;
		v = v << 8 | (high << 4 & 0xf0) | (low & 15);
	}
	r->at += (size_t)n;
	return v;
}

static double
get_number(struct reading *r)
{
	uint64_t bits = geo_get_bytes(r, sizeof bits);
	double v;

	memcpy(&v, &bits, sizeof v);
	return v;
}

static bool
get_head(struct reading *r, uint64_t *type_out)
{
	r->big = geo_get_bytes(r, 1) == 0;
	*type_out = geo_get_bytes(r, 4);
	if (*type_out & HAS_SRID)
		(void)geo_get_bytes(r, 4);
	*type_out &= 0xff;
	return !r->bad && *type_out > 0 && *type_out <= GEO_POLYGON + 1;
}

static void
write_point(struct jw *w, struct reading *r)
{
	jw_arr(w);
	jw_f64(w, get_number(r));
	jw_f64(w, get_number(r));
	jw_arr_end(w);
}

static void
write_points(struct jw *w, struct reading *r)
{
	uint64_t n = geo_get_bytes(r, 4);

	jw_arr(w);
	for (uint64_t i = 0; i < n && !r->bad; i++)
		write_point(w, r);
	jw_arr_end(w);
}

static void
write_rings(struct jw *w, struct reading *r)
{
	uint64_t n = geo_get_bytes(r, 4);

	jw_arr(w);
	for (uint64_t i = 0; i < n && !r->bad; i++)
		write_points(w, r);
	jw_arr_end(w);
}

void
geo_write(struct buf *b, struct str sql)
{
	struct reading r = {.s = sql};
	size_t from = b->n;
	uint64_t type;
	struct jw w;

	jw_init(&w, b);
	if (!get_head(&r, &type)) {
		jw_null(&w);
		return;
	}
	if (type == GEO_POINT + 1)
		write_point(&w, &r);
	else if (type == GEO_LINE + 1)
		write_points(&w, &r);
	else
		write_rings(&w, &r);
	if (r.bad) {
		b->n = from;
		BUF_LIT(b, "null");
	}
}

bool
geo_point(struct str sql, double xy[2])
{
	struct reading r = {.s = sql};
	uint64_t type;

	if (!get_head(&r, &type) || type != GEO_POINT + 1)
		return false;
	xy[0] = get_number(&r);
	xy[1] = get_number(&r);
	return !r.bad;
}

static void
geo_widen(struct reading *r, uint64_t points, double box[4])
{
	for (uint64_t i = 0; i < points && !r->bad; i++)
		for (int k = 0; k < 2; k++) {
			double at = get_number(r);

			if (r->bad)
				return;
			box[k] = fmin(box[k], at);
			box[k + 2] = fmax(box[k + 2], at);
		}
}

bool
geo_box(struct str sql, double box[4])
{
	struct reading r = {.s = sql};
	uint64_t type, rings;

	box[0] = box[1] = INFINITY;
	box[2] = box[3] = -INFINITY;
	if (!get_head(&r, &type))
		return false;
	rings = type == GEO_POLYGON + 1 ? geo_get_bytes(&r, 4) : 1;
	for (uint64_t i = 0; i < rings && !r.bad; i++)
		geo_widen(&r, type == GEO_POINT + 1 ? 1 : geo_get_bytes(&r, 4), box);
	return !r.bad && box[0] <= box[2] && box[1] <= box[3];
}

int64_t
geo_points(struct str sql)
{
	enum { POINT_DIGITS = 32 };

	return (int64_t)(sql.n / POINT_DIGITS) + 1;
}

int64_t
geo_weight(struct str sql)
{
	enum { POINT_BYTES = 16, COUNT_BYTES = 4 };
	struct reading r = {.s = sql};
	uint64_t type, n;

	if (!get_head(&r, &type))
		return 0;
	if (type == GEO_POINT + 1)
		return 1;
	n = geo_get_bytes(&r, COUNT_BYTES);
	if (type == GEO_LINE + 1 || r.bad)
		return (int64_t)n;
	return ((int64_t)(sql.n / 2 - r.at) - (int64_t)n * COUNT_BYTES) / POINT_BYTES * GEO_RINGS_WEIGH;
}

/* ---- PostGIS ---- */

const char geo_maker_sql[] =
    "CREATE SCHEMA IF NOT EXISTS " GEO_HOME ";"
    "REVOKE ALL ON SCHEMA " GEO_HOME " FROM PUBLIC;"
    "GRANT USAGE ON SCHEMA " GEO_HOME " TO PUBLIC;"
    "CREATE OR REPLACE FUNCTION " GEO_HOME ".make() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN "
    "IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgis') THEN "
    "PERFORM pg_advisory_xact_lock(hashtextextended('" GEO_HOME "', 0)); CREATE EXTENSION IF NOT EXISTS postgis SCHEMA " GEO_HOME "; END IF; END $$;";

static uint64_t asked;		/* loop_now, when it could not be made */

static err_t
geo_ask(struct ctx *cx, const char **out)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT " GEO_SCHEMA_SQL, DB0));
	*out = db_null(r, 0, 0) ? NULL : arena_strdup(cx->arena, db_cstr(r, 0, 0));
	return OK;
}

/* The function is there where the database is embedded. */
static err_t
geo_make(struct ctx *cx)
{
	struct db_res *r;

	TRY(db_query(cx, &r, "SELECT to_regprocedure('" GEO_HOME ".make()') IS NOT NULL", DB0));
	return db_bool(r, 0, 0) ? db_exec(cx, NULL, "SELECT " GEO_HOME ".make()", DB0) : OK;
}

/* What fails is not tried again with each request. */
static err_t
geo_make_asked(struct ctx *cx, const char **out)
{
	err_t e;

	if (asked != 0 && loop_now() - asked < ASK_AGAIN_MS)
		return OK;
	e = geo_make(cx);
	if (e == ERR_DB) {
		log_warn(cx, "PostGIS cannot be made", "reason=\"%s\"", cx->detail != NULL ? cx->detail : "");
		asked = loop_now();
		return OK;
	}
	TRY(e);
	TRY(geo_ask(cx, out));
	if (*out == NULL)
		asked = loop_now();
	return OK;
}

err_t
geo_schema(struct ctx *cx, const char **out)
{
	TRY(geo_ask(cx, out));	/* anew: it may have moved */
	if (*out == NULL)
		TRY(geo_make_asked(cx, out));
	if (*out != NULL)
		return OK;
	return fail_msg(cx, ERR_GENERAL_FEATURE_UNSUPPORTED, "Points, lines and polygons need PostGIS, which the database of this server does not have.");
}

err_t
geo_sound(struct ctx *cx, const char *schema, enum geo_type type, struct str sql, bool *out)
{
	struct db_res *r;

	*out = true;
	if (type != GEO_POLYGON)
		return OK;
	TRY(db_query(cx, &r, arena_printf(cx->arena, "SELECT %s.ST_IsValid($1::%s.geometry)", schema, schema), DB(sql.p)));
	*out = db_bool(r, 0, 0);
	return OK;
}
