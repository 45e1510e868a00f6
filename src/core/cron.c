/* Schedules. A field is read into a set of bits by the row of a table that says what it may hold; the next time is looked for day by day, in the
 * months that are meant, and then in the sets of that day. */
#include "core/cron.h"

#include <assert.h>
#include <time.h>

enum { DAY_S = 24 * 60 * 60, YEARS_MAX = 41 };	/* a 29 February that is a Tuesday comes every 28 years, and once more rarely around 2100 */

enum extra {				/* what a field takes besides numbers */
	NEAREST = 1,			/* 15W */
	LAST_DAY = 2,			/* L */
	NTH = 4,			/* 2#1, 5L */
	ANY = 8				/* ? */
};

static const char *const no_names[] = {NULL};
static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };
static const struct field {
	int min, max;
	const char *const *names;	/* of min and those after it */
	unsigned extras;
} fields[FIELDS] = {
	[MINUTE] = {0, 59, no_names, 0},
	[HOUR] = {0, 23, no_names, 0},
	[DAY] = {1, 31, no_names, NEAREST | LAST_DAY | ANY},
	[MONTH] = {1, 12, month_names, 0},
	[WEEKDAY] = {0, 7, weekday_names, NTH | ANY},
};

static const struct {
	const char *word, *fields;
} words[] = {
	{"@yearly", "0 0 1 1 *"},
	{"@annually", "0 0 1 1 *"},
	{"@monthly", "0 0 1 * *"},
	{"@weekly", "0 0 * * 0"},
	{"@daily", "0 0 * * *"},
	{"@midnight", "0 0 * * *"},
	{"@hourly", "0 * * * *"},
	{0},
};

/* ---- reading ---- */

/* A number at the beginning of *s, -1: there is none. */
static int
cut_number(struct str *s)
{
	int n = -1;

	for (; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9' && n < 1000; s->p++, s->n--)
		n = (n < 0 ? 0 : n * 10) + (s->p[0] - '0');
	return n;
}

/* The same, or a name of the field. */
static int
cut_value(const struct field *f, struct str *s)
{
	for (int i = 0; f->names[i] != NULL && s->n >= 3; i++)
		if (str_ieq((struct str){s->p, 3}, str_c(f->names[i]))) {
			*s = (struct str){s->p + 3, s->n - 3};
			return f->min + i;
		}
	return cut_number(s);
}

static bool
cron_holds(const struct field *f, int n)
{
	return n >= f->min && n <= f->max;
}

/* What follows a single value: 15W, 5L, 2#1. False: nothing of the kind. */
static bool
take_special(const struct field *f, struct str s, int value, struct cron *c)
{
	int n;

	if ((f->extras & NEAREST) != 0 && str_ieq(s, STR("w")))
		c->nearest |= 1u << value;
	else if ((f->extras & NTH) != 0 && str_ieq(s, STR("l")))
		c->last |= (uint8_t)(1u << value % 7);
	else if ((f->extras & NTH) != 0 && str_eat(&s, '#') && (n = cut_number(&s)) >= 1 && n <= 5 && s.n == 0)
		c->nth[value % 7] |= (uint8_t)(1u << n);
	else
		return false;
	return true;
}

/* One element of a list: a range with a step, or what only this field takes. */
static bool
take_element(const struct field *f, struct str s, struct cron *c, uint64_t *set)
{
	bool star = str_eat(&s, '*'), stepped;
	int from = f->min, to = f->max, step = 1;

	if (!star) {
		if ((f->extras & LAST_DAY) != 0 && str_ieq(s, STR("l"))) {
			c->last_day = true;
			return true;
		}
		if (!cron_holds(f, from = to = cut_value(f, &s)))
			return false;
		if (take_special(f, s, from, c))
			return true;
		if (str_eat(&s, '-'))
			to = cut_value(f, &s);
		else if (s.n > 0)
			to = f->max;	/* 5/15: from there on; anything else is refused below */
		if (f == &fields[WEEKDAY] && to == 0 && from > 0)
			to = 7;		/* fri-sun */
	}
	stepped = str_eat(&s, '/');
	if (stepped && (step = cut_number(&s)) < 1)
		return false;
	if (s.n > 0 || !cron_holds(f, to) || from > to || step > f->max)
		return false;
	for (int n = from; n <= to; n += step)
		*set |= 1ull << n;
	return true;
}

/* *any_out: the field says nothing. */
static bool
take_field(const struct field *f, struct str s, struct cron *c, uint64_t *set, bool *any_out)
{
	*any_out = str_is(s, "*") || ((f->extras & ANY) != 0 && str_is(s, "?"));
	if (*any_out)
		s = STR("*");
	while (s.p != NULL)
		if (!take_element(f, str_cut(&s, ','), c, set))
			return false;
	return true;
}

static struct str
cut_word(struct str *s)
{
	struct str w = *s = str_trim(*s);

	for (w.n = 0; w.n < s->n && s->p[w.n] != ' ' && s->p[w.n] != '\t'; w.n++)
		;
	*s = str_trim((struct str){s->p + w.n, s->n - w.n});
	return w;
}

bool
cron_parse(struct str text, struct cron *out)
{
	uint64_t sets[FIELDS] = {0};
	bool any[FIELDS];
	struct cron c = {0};

	text = str_trim(text);
	for (int i = 0; words[i].word != NULL; i++)
		if (str_ieq(text, str_c(words[i].word)))
			text = str_c(words[i].fields);
	for (int i = 0; i < FIELDS; i++)
		if (!take_field(&fields[i], cut_word(&text), &c, &sets[i], &any[i]))
			return false;
	if (text.n > 0)
		return false;
	c.minutes = sets[MINUTE];
	c.hours = (uint32_t)sets[HOUR];
	c.days = (uint32_t)sets[DAY];
	c.months = (uint32_t)sets[MONTH];
	c.weekdays = (uint8_t)((sets[WEEKDAY] | sets[WEEKDAY] >> 7) & 0x7f);
	c.any_day = any[DAY];
	c.any_weekday = any[WEEKDAY];
	*out = c;
	return cron_next(&c, 0) > 0;
}

/* ---- the next time ---- */

static int
month_days(const struct tm *t)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = t->tm_year + 1900;

	return days[t->tm_mon] + (t->tm_mon == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static int
weekday_of(const struct tm *t, int day)
{
	return ((t->tm_wday + day - t->tm_mday) % 7 + 7) % 7;
}

/* The weekday nearest to a day of the month, within the month. */
static int
nearest_weekday(const struct tm *t, int day)
{
	int last = month_days(t), w = weekday_of(t, day);

	if (w == 6)
		return day > 1 ? day - 1 : day + 2;
	if (w == 0)
		return day < last ? day + 1 : day - 2;
	return day;
}

static bool
day_matches(const struct cron *c, const struct tm *t)
{
	bool hit = (c->days >> t->tm_mday & 1) != 0 || (c->last_day && t->tm_mday == month_days(t));

	for (int day = 1; !hit && day <= month_days(t); day++)
		hit = (c->nearest >> day & 1) != 0 && nearest_weekday(t, day) == t->tm_mday;
	return hit;
}

static bool
weekday_matches(const struct cron *c, const struct tm *t)
{
	int w = t->tm_wday;

	return (c->weekdays >> w & 1) != 0 || (c->nth[w] >> ((t->tm_mday - 1) / 7 + 1) & 1) != 0 ||
	    ((c->last >> w & 1) != 0 && t->tm_mday + 7 > month_days(t));
}

static bool
date_matches(const struct cron *c, const struct tm *t)
{
	if (c->any_day || c->any_weekday)
		return (c->any_day || day_matches(c, t)) && (c->any_weekday || weekday_matches(c, t));
	return day_matches(c, t) || weekday_matches(c, t);
}

/* The first minute of the day, not before `from`, in minutes; -1: none. */
static int
minute_of_day(const struct cron *c, int from)
{
	for (int m = from; m < DAY_S / 60; m++) {
		if ((c->hours >> m / 60 & 1) == 0)
			m += 59 - m % 60;
		else if ((c->minutes >> m % 60 & 1) != 0)
			return m;
	}
	return -1;
}

int64_t
cron_next(const struct cron *c, int64_t after_ms)
{
	time_t start = after_ms / 60000 * 60 + 60, day = start - start % DAY_S, end = day + YEARS_MAX * 366ll * DAY_S;
	struct tm t;

	assert(after_ms >= 0);
	for (; day < end; day += DAY_S) {
		int m;

		gmtime_r(&day, &t);
		if ((c->months >> (t.tm_mon + 1) & 1) == 0)
			day += (time_t)(month_days(&t) - t.tm_mday) * DAY_S;
		else if (date_matches(c, &t) && (m = minute_of_day(c, start > day ? (int)((start - day) / 60) : 0)) >= 0)
			return (day + m * 60ll) * 1000;
	}
	return 0;
}
