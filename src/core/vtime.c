/* Wall-clock time: formatting by hand (hot path), lenient parsing of users' dates. */
#include "core/vtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/zone.h"

enum { DAY_MS = 86400000 };

int64_t
time_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
time_now_ms(void)
{
	return time_now_us() / 1000;
}

/* Days since 1970-01-01 of a proleptic Gregorian date, and back (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t
days_from_civil(int64_t y, int64_t m, int64_t d)
{
	int64_t era, yoe, doy, doe;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static void
civil_from_days(int64_t z, int *y_out, int *m_out, int *d_out)
{
	int64_t era, doe, yoe, doy, mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d_out = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m_out = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y_out = (int)(yoe + era * 400 + (*m_out <= 2));
}

struct civil {
	int y, mo, d, h, mi, s, ms;
	int64_t days;
};

static struct civil
civil_of(int64_t ms)
{
	struct civil c;
	int64_t rest = ms % DAY_MS;

	c.days = ms / DAY_MS;
	if (rest < 0) {
		rest += DAY_MS;
		c.days--;
	}
	civil_from_days(c.days, &c.y, &c.mo, &c.d);
	c.h = (int)(rest / 3600000);
	c.mi = (int)(rest / 60000 % 60);
	c.s = (int)(rest / 1000 % 60);
	c.ms = (int)(rest % 1000);
	return c;
}

static void
vtime_put(char *at, int v, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + v % 10);
		v /= 10;
	}
}

static void
put_civil(int64_t ms, char *out, char sep)
{
	struct civil c = civil_of(ms);

	vtime_put(out, c.y, 4);
	out[4] = '-';
	vtime_put(out + 5, c.mo, 2);
	out[7] = '-';
	vtime_put(out + 8, c.d, 2);
	out[10] = sep;
	vtime_put(out + 11, c.h, 2);
	out[13] = ':';
	vtime_put(out + 14, c.mi, 2);
	out[16] = ':';
	vtime_put(out + 17, c.s, 2);
	out[19] = '.';
	vtime_put(out + 20, c.ms, 3);
}

char *
time_iso(int64_t ms, char out[30])
{
	put_civil(ms, out, 'T');
	memcpy(out + 23, "+00:00", 7);
	return out;
}

char *
time_sql(int64_t ms, char out[24])
{
	put_civil(ms, out, ' ');
	out[23] = '\0';
	return out;
}

static const char *const day_names[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};	/* 1970-01-01 was a Thursday */
static const char *const month_names[] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

char *
time_http(int64_t ms, char sep, char out[30])
{
	struct civil c = civil_of(ms);
	char tmp[64];

	snprintf(tmp, sizeof tmp, "%s, %02d%c%s%c%04d %02d:%02d:%02d GMT", day_names[((c.days % 7) + 7) % 7], c.d, sep,
	    month_names[c.mo - 1], sep, c.y, c.h, c.mi, c.s);
	memcpy(out, tmp, 29);
	out[29] = '\0';
	return out;
}

/* ---- a cursor over text ---- */

struct cur {
	const char *p, *end;
};

/* Reads up to `max` digits into *v; the number of digits read. */
static int
digits(struct cur *c, int max, int64_t *v)
{
	int n = 0;

	*v = 0;
	while (n < max && c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		*v = *v * 10 + (*c->p++ - '0');
		n++;
	}
	return n;
}

static bool
vtime_eat(struct cur *c, char ch)
{
	if (c->p < c->end && *c->p == ch) {
		c->p++;
		return true;
	}
	return false;
}

static bool
eat_word(struct cur *c, const char *word)
{
	struct str rest = {c->p, (size_t)(c->end - c->p)};
	size_t n = strlen(word);

	if (rest.n < n || !str_ieq((struct str){rest.p, n}, str_c(word)))
		return false;
	c->p += n;
	return true;
}

static void
blanks(struct cur *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
}

/* ".789" and longer: milliseconds, further digits cut. */
static int64_t
fraction(struct cur *c)
{
	int64_t ms = 0;
	int n = 0;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		if (n++ < 3)
			ms = ms * 10 + (*c->p - '0');
		c->p++;
	}
	for (; n > 0 && n < 3; n++)
		ms *= 10;
	return ms;
}

int64_t
time_from_pg(struct str s)
{
	struct cur c = {s.p, s.p + s.n};
	int64_t y, mo, d, h, mi, sec, ms = 0;

	if (s.n == 0 || digits(&c, 6, &y) < 4 || !vtime_eat(&c, '-') || digits(&c, 2, &mo) != 2 || !vtime_eat(&c, '-') ||
	    digits(&c, 2, &d) != 2 || !vtime_eat(&c, ' ') || digits(&c, 2, &h) != 2 || !vtime_eat(&c, ':') ||
	    digits(&c, 2, &mi) != 2 || !vtime_eat(&c, ':') || digits(&c, 2, &sec) != 2)
		return TIME_NONE;
	if (vtime_eat(&c, '.'))
		ms = fraction(&c);
	return days_from_civil(y, mo, d) * DAY_MS + h * 3600000 + mi * 60000 + sec * 1000 + ms;
}

/* ---- lenient dates ---- */

struct parts {
	int64_t y, mo, d, h, mi, s, ms;
	int64_t offset_min;	/* of the zone, east positive */
	struct str zone;	/* or its name */
	bool date, time;
};

struct zone {
	const char *name;
	int offset_min;
};
static const struct zone zones[] = {{"UTC", 0}, {"GMT", 0}, {"Z", 0}, {"EST", -300}, {"EDT", -240}, {"CST", -360},
    {"CDT", -300}, {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"CEST", 120}, {"CET", 60}, {"BST", 60},
    {"WET", 0}, {"EET", 120}, {"MSK", 180}, {"IST", 330}, {"JST", 540}};

static bool
at_end(struct cur *c)
{
	blanks(c);
	return c->p == c->end;
}

/* "Europe/Paris": whether there is such a zone is found out later. */
static bool
zone_name(struct cur *c, struct parts *t)
{
	t->zone.p = c->p;
	while (c->p < c->end && *c->p != ' ' && *c->p != '\t')
		c->p++;
	t->zone.n = (size_t)(c->p - t->zone.p);
	return memchr(t->zone.p, '/', t->zone.n) != NULL;
}

/* Z, ±HH[:]MM, ±HH, or a name; true when nothing or a zone was read. */
static bool
vtime_read_zone(struct cur *c, struct parts *t)
{
	int64_t h, m = 0;
	int sign;

	blanks(c);
	if (c->p == c->end)
		return true;
	if (*c->p == '+' || *c->p == '-') {
		sign = *c->p++ == '-' ? -1 : 1;
		if (digits(c, 2, &h) == 0)
			return false;
		if (vtime_eat(c, ':')) {
			if (digits(c, 2, &m) != 2)
				return false;
		} else if (digits(c, 2, &m) == 1) {
			return false;
		}
		if (h > 14 || m > 59)
			return false;
		t->offset_min = sign * (h * 60 + m);
		return true;
	}
	if (memchr(c->p, '/', (size_t)(c->end - c->p)) != NULL)
		return zone_name(c, t);
	for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
		if (eat_word(c, zones[i].name)) {
			t->offset_min = zones[i].offset_min;
			return true;
		}
	}
	return false;
}

/* HH:MM[:SS[.fraction]][zone]; hour 24 and second 60 roll over. */
static bool
read_clock(struct cur *c, struct parts *t)
{
	blanks(c);
	if (digits(c, 2, &t->h) == 0 || !vtime_eat(c, ':') || digits(c, 2, &t->mi) != 2)
		return false;
	if (vtime_eat(c, ':')) {
		if (digits(c, 2, &t->s) != 2)
			return false;
		if (vtime_eat(c, '.') || vtime_eat(c, ',')) {
			if (c->p == c->end || *c->p < '0' || *c->p > '9')
				return false;
			t->ms = fraction(c);
		}
	}
	if (t->h > 24 || t->mi > 59 || t->s > 60 || (t->h == 24 && (t->mi > 0 || t->s > 0)))
		return false;
	t->time = true;
	return vtime_read_zone(c, t);
}

static bool
month_by_name(struct cur *c, int64_t *mo)
{
	static const char *const full[] = {"January", "February", "March", "April", "May", "June", "July", "August", "September",
	    "October", "November", "December"};

	for (int i = 0; i < 12; i++) {
		if (eat_word(c, full[i]) || eat_word(c, month_names[i])) {
			*mo = i + 1;
			return true;
		}
	}
	return false;
}

/* YYYY-MM-DD, YYYY-M-D, YYYY/MM/DD, YYYY-MM. */
static bool
date_year_first(struct cur *c, struct parts *t)
{
	char sep;

	if (digits(c, 4, &t->y) != 4 || c->p == c->end || (*c->p != '-' && *c->p != '/'))
		return false;
	sep = *c->p++;
	if (digits(c, 2, &t->mo) == 0)
		return false;
	t->d = 1;
	if (vtime_eat(c, sep) && digits(c, 2, &t->d) == 0)
		return false;
	return true;
}

/* MM/DD/YYYY */
static bool
date_american(struct cur *c, struct parts *t)
{
	return digits(c, 2, &t->mo) > 0 && vtime_eat(c, '/') && digits(c, 2, &t->d) > 0 && vtime_eat(c, '/') && digits(c, 4, &t->y) == 4;
}

/* YYYYMMDD */
static bool
date_packed(struct cur *c, struct parts *t)
{
	const char *from = c->p;
	int64_t v;

	if (digits(c, 9, &v) != 8 || c->p - from != 8)
		return false;
	t->y = v / 10000;
	t->mo = v / 100 % 100;
	t->d = v % 100;
	return true;
}

/* [Wdy,] DD Mon YYYY (RFC 2822), also with '-' between. */
static bool
date_rfc2822(struct cur *c, struct parts *t)
{
	for (int i = 0; i < 7; i++) {
		if (eat_word(c, day_names[i])) {
			while (c->p < c->end && ((*c->p | 32) >= 'a' && (*c->p | 32) <= 'z'))
				c->p++;
			(void)vtime_eat(c, ',');
			blanks(c);
			break;
		}
	}
	if (digits(c, 2, &t->d) == 0)
		return false;
	while (vtime_eat(c, ' ') || vtime_eat(c, '-'))
		;
	if (!month_by_name(c, &t->mo))
		return false;
	while (vtime_eat(c, ' ') || vtime_eat(c, '-') || vtime_eat(c, ','))
		;
	return digits(c, 4, &t->y) == 4;
}

/* Mon DD[,] YYYY */
static bool
date_month_first(struct cur *c, struct parts *t)
{
	if (!month_by_name(c, &t->mo))
		return false;
	blanks(c);
	if (digits(c, 2, &t->d) == 0)
		return false;
	while (vtime_eat(c, ' ') || vtime_eat(c, ','))
		;
	return digits(c, 4, &t->y) == 4;
}

static bool (*const date_forms[])(struct cur *, struct parts *) = {
    date_year_first, date_packed, date_american, date_rfc2822, date_month_first};

/* A date, then optionally 'T' or blanks and a clock. */
static bool
date_and_clock(struct str s, struct parts *t)
{
	for (size_t i = 0; i < sizeof date_forms / sizeof date_forms[0]; i++) {
		struct cur c = {s.p, s.p + s.n};

		*t = (struct parts){0};
		if (!date_forms[i](&c, t))
			continue;
		t->date = true;
		if (at_end(&c))
			return true;
		(void)(vtime_eat(&c, 'T') || vtime_eat(&c, 't') || vtime_eat(&c, ','));
		if (read_clock(&c, t) && at_end(&c))
			return true;
	}
	return false;
}

/* From 0001-01-01 to the end of 9999. */
static bool
in_range(int64_t ms)
{
	return ms >= -62135596800000 && ms <= 253402300799999;
}

static bool
assemble(const struct parts *t, int64_t *ms_out)
{
	int offset_s = 0;
	int64_t ms;

	if (t->mo < 1 || t->mo > 12 || t->d < 1 || t->d > 31 || t->y < 1)
		return false;
	ms = days_from_civil(t->y, t->mo, t->d) * DAY_MS + t->h * 3600000 + t->mi * 60000 + t->s * 1000 + t->ms;
	if (t->zone.n > 0 && !zone_offset(t->zone, (ms - t->ms) / 1000, &offset_s))
		return false;
	ms -= t->offset_min * 60000 + offset_s * INT64_C(1000);
	*ms_out = ms;
	return in_range(ms);
}

struct unit {
	const char *name;
	int64_t ms;
};
static const struct unit units[] = {{"second", 1000}, {"sec", 1000}, {"minute", 60000}, {"min", 60000}, {"hour", 3600000},
    {"day", DAY_MS}, {"week", 7 * (int64_t)DAY_MS}, {"fortnight", 14 * (int64_t)DAY_MS}};

/* "+1 day", "-2 weeks" */
static bool
relative(struct str s, int64_t now, int64_t *ms_out)
{
	struct cur c = {s.p, s.p + s.n};
	int64_t sign = 1, v;

	if (vtime_eat(&c, '-'))
		sign = -1;
	else if (!vtime_eat(&c, '+'))
		return false;
	if (digits(&c, 6, &v) == 0)
		return false;
	blanks(&c);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (eat_word(&c, units[i].name)) {
			(void)vtime_eat(&c, 's');
			*ms_out = now + sign * v * units[i].ms;
			return at_end(&c) && in_range(*ms_out);
		}
	}
	return false;
}

static bool
words(struct str s, int64_t now, int64_t *ms_out)
{
	int64_t today = now - ((now % DAY_MS) + DAY_MS) % DAY_MS;

	if (str_ieq(s, STR("now")))
		*ms_out = now;
	else if (str_ieq(s, STR("today")) || str_ieq(s, STR("midnight")))
		*ms_out = today;
	else if (str_ieq(s, STR("noon")))
		*ms_out = today + DAY_MS / 2;
	else if (str_ieq(s, STR("tomorrow")))
		*ms_out = today + DAY_MS;
	else if (str_ieq(s, STR("yesterday")))
		*ms_out = today - DAY_MS;
	else
		return false;
	return true;
}

/* "@1665000000" with an optional sign and fraction */
static bool
unix_time(struct str s, int64_t *ms_out)
{
	struct cur c = {s.p, s.p + s.n};
	bool neg;
	int64_t v, ms = 0;

	if (!vtime_eat(&c, '@'))
		return false;
	neg = vtime_eat(&c, '-');
	if (digits(&c, 12, &v) == 0)
		return false;
	if (vtime_eat(&c, '.'))
		ms = fraction(&c);
	v = v * 1000 + ms;
	*ms_out = neg ? -v : v;
	return at_end(&c) && in_range(*ms_out);
}

bool
time_parse(struct str s, int64_t *ms_out)
{
	int64_t now = time_now_ms();
	struct parts t;
	struct cur c;

	s = str_trim(s);
	if (s.n == 0 || s.n > 64)
		return false;
	if (unix_time(s, ms_out) || words(s, now, ms_out) || relative(s, now, ms_out))
		return true;
	if (date_and_clock(s, &t))
		return assemble(&t, ms_out);
	/* a clock alone is today's */
	c = (struct cur){s.p, s.p + s.n};
	t = (struct parts){0};
	if (read_clock(&c, &t) && at_end(&c)) {
		struct civil today = civil_of(now);

		t.y = today.y;
		t.mo = today.mo;
		t.d = today.d;
		return assemble(&t, ms_out);
	}
	return false;
}
