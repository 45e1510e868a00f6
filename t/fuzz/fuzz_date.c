/* Dates of users and of PostgreSQL: what is understood is written in a form that means the same. */
#include "core/vtime.h"
#include "fuzz.h"

static void
fuzz_one(struct ctx *cx, struct str input)
{
	char iso[30], sql[TIME_SQL_LEN + 1];
	int64_t ms, again;

	(void)cx;
	(void)time_from_pg(input);
	if (!time_parse(input, &ms))
		return;
	time_iso(ms, iso);
	FUZZ_CHECK(time_parse(str_c(iso), &again) && again == ms, "written in ISO 8601 it means another time", str_c(iso));
	time_sql(ms, sql);
	FUZZ_CHECK(time_parse(str_c(sql), &again) && again == ms, "written for SQL it means another time", str_c(sql));
}
