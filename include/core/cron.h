/* Schedules in the form of crontab(5), in UTC (spec functions-webhooks-events.md 10): five fields, minute, hour, day of the month, month, weekday, or a
 * word such as @daily. Each field is a list of *, numbers or names, ranges, and steps; the day of the month takes ?, L (the last) and 15W (the weekday nearest
 * to the 15th, of the same month), the weekday ?, 5L (the month's last Friday) and 2#1 (its first Tuesday); 0 and 7 are Sunday. When both days are restricted,
 * either will do. */
#ifndef BADAL_CORE_CRON_H
#define BADAL_CORE_CRON_H

#include "core/str.h"

struct cron {				/* sets: bit n is for the number n */
	uint64_t minutes;
	uint32_t hours, days, months;
	uint32_t nearest;		/* days of the month that stand for the weekday nearest to them */
	uint8_t weekdays;		/* bit 0: Sunday */
	uint8_t last;			/* weekdays: the last of the month */
	uint8_t nth[7];			/* of each weekday: which of the month, from 1 */
	bool last_day;
	bool any_day, any_weekday;	/* that field restricts nothing */
};

/* False: it is no schedule, or one that never comes (30 February). */
bool cron_parse(struct str text, struct cron *out);
/* The first time of the schedule in a minute later than that of after_ms, in ms since 1970. */
int64_t cron_next(const struct cron *c, int64_t after_ms);

#endif
