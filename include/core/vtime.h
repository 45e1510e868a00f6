/* Wall-clock time on the wire: milliseconds since 1970 UTC (int64_t ms) in the program, ISO 8601 outside.  */
#ifndef BADAL_CORE_VTIME_H
#define BADAL_CORE_VTIME_H

#include "core/str.h"

#define TIME_NONE INT64_MIN		/* "not set" */

int64_t time_now_ms(void);		/* one clock reading, truncated to ms */
int64_t time_now_us(void);
enum { TIME_ISO_LEN = 29, TIME_SQL_LEN = 23 };
/* "2022-10-04T12:34:56.789+00:00" into out[30] (always 29 characters + NUL; years 0001-9999). Returns out. */
char *time_iso(int64_t ms, char out[30]);
/* "2022-10-04 12:34:56.789" into out[24]: realtime's form, and what PostgreSQL is given. */
char *time_sql(int64_t ms, char out[24]);
/* Parses PostgreSQL's timestamptz text under TimeZone UTC ("2022-10-04 12:34:56.7+00"); TIME_NONE when empty or malformed. */
int64_t time_from_pg(struct str s);
/* "Sun, 22-Oct-2023 12:00:00 GMT" (cookies, '-') or "Sun, 22 Oct 2023 12:00:00 GMT" (HTTP dates, ' ') into out[30]. */
char *time_http(int64_t ms, char sep, char out[30]);
/* Lenient dates of users (spec databases.md 4.6): ISO 8601 and its short forms, RFC 2822, MM/DD/YYYY, @unix, HH:MM, now,
 * today, tomorrow, noon, "+1 day"; zones as offsets, abbreviations or names (zone.h). No zone: UTC. Fractions beyond ms are cut.
 * False when not understood. */
bool time_parse(struct str s, int64_t *ms_out);

#endif
