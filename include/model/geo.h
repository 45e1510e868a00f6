/* Points, lines and polygons in degrees, x being the longitude: from JSON to PostGIS and back.
 *
 * PostgreSQL's text of a value is EWKB in hexadecimal digits; the same text is what is sent to it, so that values compare by their texts. */
#ifndef BADAL_MODEL_GEO_H
#define BADAL_MODEL_GEO_H

#include "core/ctx.h"
#include "core/json.h"

enum geo_type { GEO_POINT, GEO_LINE, GEO_POLYGON };
/* Of a value; and of all in a document, where a polygon's points weigh more: PostgreSQL holds each edge against each other one to see whether it is sound. */
enum { GEO_POINTS_MAX = 10000, GEO_RINGS_WEIGH = 10 };

/* The SQL text of [x,y], [[x,y],…] or [[[x,y],…],…]; a polygon may also be its only ring. False with a reason (static). */
bool geo_read(struct arena *a, enum geo_type type, const json_t *j, struct str *out, const char **why_out);
/* Which one it is, by how its lists are nested. False: none. */
bool geo_type_by(const json_t *j, enum geo_type *out);
/* A value's SQL text as JSON; null when it is none. */
void geo_write(struct buf *b, struct str sql);
/* x and y of a point's SQL text; false: it is no point. */
bool geo_point(struct str sql, double xy[2]);
/* West, south, east and north of one; false: it has no points. */
bool geo_box(struct str sql, double box[4]);
/* About how many points a value has that PostgreSQL's text is of. */
int64_t geo_points(struct str sql);
/* How many count for GEO_POINTS_MAX. */
int64_t geo_weight(struct str sql);
/* "Point": the name of PostGIS. */
const char *geo_name(enum geo_type type);

/* SQL of the schema that PostGIS is in, quoted; NULL: it is not there, or not for us. */
#define GEO_SCHEMA_SQL "(SELECT quote_ident(n.nspname) FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace WHERE x.extname = 'postgis' AND " \
    "has_schema_privilege(n.oid, 'USAGE'))"
/* Awaits. That schema; where the database is our own, PostGIS is made on this occasion.
 * ERR_GENERAL_FEATURE_UNSUPPORTED: there is none. */
err_t geo_schema(struct ctx *cx, const char **out) MUST_CHECK;
/* Awaits, when it is a polygon. Whether its rings are apart: PostGIS can compare no others. */
err_t geo_sound(struct ctx *cx, const char *schema, enum geo_type type, struct str sql, bool *out) MUST_CHECK;

/* What the embedded database's superuser makes for geo_schema: a function that makes PostGIS in a schema of its own, where the package is installed. */
#define GEO_HOME "badal_geo"
extern const char geo_maker_sql[];

#endif
