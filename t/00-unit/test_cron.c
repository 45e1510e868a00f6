/* Schedules: what is one, and when it comes. A comparison with another implementation is in t/90-compat. */
#include <criterion/criterion.h>

#include "core/cron.h"
#include "core/vtime.h"

Test(cron, next_times)
{
	static const struct { const char *text, *after, *want; } rows[] = {
	    {"* * * * *", "2026-01-01T00:00:00.000Z", "2026-01-01 00:01:00.000"},
	    {"* * * * *", "2026-01-01T00:00:59.999Z", "2026-01-01 00:01:00.000"},
	    {"59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31 23:59:00.000"},
	    {"0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-02-29 00:00:00.000"},
	    {"0 0 * 2 2#5", "1972-02-29T00:00:00Z", "2000-02-29 00:00:00.000"},
	    {"0 0 15W * *", "2026-08-01T00:00:00Z", "2026-08-14 00:00:00.000"},	/* a Saturday */
	    {"0 0 1W * *", "2026-07-31T12:00:00Z", "2026-08-03 00:00:00.000"},	/* not into the month before */
	    {"0 0 31W * *", "2026-05-01T00:00:00Z", "2026-05-29 00:00:00.000"},	/* nor into the one after */
	    {"0 0 L * *", "2024-02-10T00:00:00Z", "2024-02-29 00:00:00.000"},
	    {"0 0 * * 5L", "2026-11-01T00:00:00Z", "2026-11-27 00:00:00.000"},
	    {"0 0 * * 2#2", "2026-11-01T00:00:00Z", "2026-11-10 00:00:00.000"},
	    {"0 0 * * 7", "2026-11-29T00:00:00Z", "2026-12-06 00:00:00.000"},
	    {"0 0 13 * 5", "2026-11-01T00:00:00Z", "2026-11-06 00:00:00.000"},	/* either day */
	    {"0 0 ? * 5", "2026-11-07T00:00:00Z", "2026-11-13 00:00:00.000"},
	    {"@HOURLY", "2026-11-29T20:59:59Z", "2026-11-29 21:00:00.000"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cron c;
		char got[24];
		int64_t after;

		cr_assert(cron_parse(str_c(rows[i].text), &c) && time_parse(str_c(rows[i].after), &after), "%s", rows[i].text);
		cr_expect_str_eq(time_sql(cron_next(&c, after), got), rows[i].want, "%s after %s: %s", rows[i].text, rows[i].after, got);
	}
}

Test(cron, what_is_none)
{
	static const char *const bad[] = {"", "* * * *", "* * * * * *", "60 * * * *", "* * 30 2 *", "0 0 31 4,6 *", "5-1 * * * *", "*/0 * * * *", "* * * * 1#6", "* * * * 1#", "L * * * *", "@reboot", "1,,2 * * * *"};
	struct cron c;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_not(cron_parse(str_c(bad[i]), &c), "%s", bad[i]);
}
