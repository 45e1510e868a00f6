/* Zone files: transitions as a list, and behind the last one a rule for every year. They are the system's, yet each length is checked:
 * the name of the file is the client's. */
#include "core/zone.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/map.h"

#define ZONE_DIR "/usr/share/zoneinfo/"

enum { NAME_MAX_BYTES = 64, FILE_MAX = 65536, ZONES_MAX = 1000, HEAD = 44, DAY = 86400, HOUR = 3600 };

struct change {			/* of a rule: when in the year */
	char kind;		/* 'M' month, week and weekday; 'J' day 1-365 without February 29; 0 day 0-365 */
	int month, week, day;
	int64_t at;		/* seconds after midnight, by the clock until then */
};

struct zone {
	int n;			/* transitions */
	int64_t *when;		/* UTC */
	int *offset;		/* [i + 1] from when[i] on, [0] before the first */
	bool rule;
	int standard, summer;	/* of the rule */
	bool changes;		/* it has summer time, from `begin` to `end` */
	struct change begin, end;
};

static struct lru *cache;

static void
zone_drop(void *arg)
{
	struct zone *z = arg;

	free(z->when);
	free(z->offset);
	free(z);
}

/* ---- the rule: CET-1CEST,M3.5.0,M10.5.0/3 ---- */

static bool
zone_number(struct str *s, int max, int *out)
{
	size_t n = 0;

	*out = 0;
	for (; n < s->n && n < 4 && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		*out = *out * 10 + (s->p[n] - '0');
	s->p += n;
	s->n -= n;
	return n > 0 && *out <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool
clock_of(struct str *s, int64_t *out)
{
	int sign = str_eat(s, '-') ? -1 : 1, h, m = 0, sec = 0;

	(void)str_eat(s, '+');
	if (!zone_number(s, 167, &h) || (str_eat(s, ':') && (!zone_number(s, 59, &m) || (str_eat(s, ':') && !zone_number(s, 59, &sec)))))
		return false;
	*out = sign * ((int64_t)h * HOUR + m * 60 + sec);
	return true;
}

/* "CET" or "<+03>" */
static bool
skip_name(struct str *s)
{
	bool quoted = str_eat(s, '<');
	size_t n = 0;

	while (n < s->n && (quoted ? s->p[n] != '>' : (s->p[n] | 32) >= 'a' && (s->p[n] | 32) <= 'z'))
		n++;
	s->p += n;
	s->n -= n;
	return n > 0 && (!quoted || str_eat(s, '>'));
}

static bool
change_of(struct str *s, struct change *out)
{
	*out = (struct change){.at = 2 * HOUR};
	if (!str_eat(s, ','))
		return false;
	if (str_eat(s, 'M')) {
		out->kind = 'M';
		if (!zone_number(s, 12, &out->month) || out->month == 0 || !str_eat(s, '.') || !zone_number(s, 5, &out->week) || out->week == 0 || !str_eat(s, '.') ||
		    !zone_number(s, 6, &out->day))
			return false;
	} else {
		out->kind = str_eat(s, 'J') ? 'J' : 0;
		if (!zone_number(s, 365, &out->day))
			return false;
	}
	return !str_eat(s, '/') || clock_of(s, &out->at);
}

static bool
rule_of(struct str s, struct zone *z)
{
	int64_t west;

	if (!skip_name(&s) || !clock_of(&s, &west))
		return false;
	z->standard = (int)-west;
	z->changes = s.n > 0;
	if (!z->changes)
		return true;
	if (!skip_name(&s))
		return false;
	z->summer = z->standard + HOUR;
	if (s.n > 0 && s.p[0] != ',') {
		if (!clock_of(&s, &west))
			return false;
		z->summer = (int)-west;
	}
	return change_of(&s, &z->begin) && change_of(&s, &z->end) && s.n == 0;
}

/* ---- the file ---- */

static int64_t
big_endian(const char *p, int bytes)
{
	uint64_t v = (unsigned char)p[0] & 0x80 ? UINT64_MAX : 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | (unsigned char)p[i];
	return (int64_t)v;
}

struct counts {
	int64_t utc, standard, leaps, times, types, chars;
};

static bool
zone_read_head(struct str s, struct counts *out)
{
	if (s.n < HEAD || memcmp(s.p, "TZif", 4) != 0)
		return false;
	*out = (struct counts){big_endian(s.p + 20, 4), big_endian(s.p + 24, 4), big_endian(s.p + 28, 4), big_endian(s.p + 32, 4),
	    big_endian(s.p + 36, 4), big_endian(s.p + 40, 4)};
	return (out->utc | out->standard | out->leaps | out->times | out->types | out->chars) >= 0 && out->utc <= FILE_MAX &&
	    out->standard <= FILE_MAX && out->leaps <= FILE_MAX && out->times <= FILE_MAX && out->types >= 1 && out->types <= 256 &&
	    out->chars <= FILE_MAX;
}

static size_t
body_size(const struct counts *c, int bytes)
{
	return (size_t)(c->times * (bytes + 1) + c->types * 6 + c->chars + c->leaps * (bytes + 4) + c->standard + c->utc);
}

static struct str
behind(struct str s, size_t n)
{
	return (struct str){s.p + n, s.n - n};
}

/* Zones with leap seconds count otherwise than everybody. */
static bool
zone_read_zone(struct str s, struct zone *z)
{
	struct counts c;
	const char *kinds, *types;
	size_t size;

	if (!zone_read_head(s, &c) || s.p[4] < '2' || s.n - HEAD < (size = body_size(&c, 4)))
		return false;
	s = behind(s, HEAD + size);
	if (!zone_read_head(s, &c) || c.leaps > 0 || s.n - HEAD < (size = body_size(&c, 8)))
		return false;
	s = behind(s, HEAD);
	kinds = s.p + c.times * 8;
	types = kinds + c.times;
	z->n = (int)c.times;
	z->when = mem_zalloc(((size_t)c.times + 1) * sizeof *z->when);
	z->offset = mem_zalloc(((size_t)c.times + 1) * sizeof *z->offset);
	z->offset[0] = (int)big_endian(types, 4);
	for (int i = 0; i < z->n; i++) {
		unsigned kind = (unsigned char)kinds[i];

		if (kind >= c.types)
			return false;
		z->when[i] = big_endian(s.p + i * 8, 8);
		z->offset[i + 1] = (int)big_endian(types + kind * 6, 4);
	}
	s = behind(s, size);
	if (str_eat(&s, '\n') && s.n > 1 && s.p[s.n - 1] == '\n')
		z->rule = rule_of((struct str){s.p, s.n - 1}, z);
	return true;
}

static bool
name_ok(struct str s)
{
	if (s.n == 0 || s.n > NAME_MAX_BYTES || memchr(s.p, '/', s.n) == NULL)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';

		if (!letter && (i == 0 || memchr("0123456789+-_/", c, 14) == NULL))
			return false;
	}
	return true;
}

static struct zone *
zone_load(struct str name)
{
	char path[sizeof ZONE_DIR + NAME_MAX_BYTES], *text;
	struct zone *z = NULL;
	struct stat st;
	ssize_t n;
	int fd;

	memcpy(path, ZONE_DIR, sizeof ZONE_DIR - 1);
	memcpy(path + sizeof ZONE_DIR - 1, name.p, name.n);
	path[sizeof ZONE_DIR - 1 + name.n] = '\0';
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MAX) {
		text = mem_alloc((size_t)st.st_size);
		n = read(fd, text, (size_t)st.st_size);
		z = mem_zalloc(sizeof *z);
		if (n <= 0 || !zone_read_zone((struct str){text, (size_t)n}, z)) {
			zone_drop(z);
			z = NULL;
		}
		free(text);
	}
	close(fd);
	return z;
}

/* ---- years ---- */

static int64_t
days_before_year(int64_t y)
{
	y--;
	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

static bool
is_leap(int64_t y)
{
	return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t
year_of(int64_t local_s)
{
	int64_t days = floor_div(local_s, DAY), y = 1970 + floor_div(days * 400, 146097);

	while (days < days_before_year(y))
		y--;
	while (days >= days_before_year(y + 1))
		y++;
	return y;
}

/* When the change is in the year, by the clock until then. */
static int64_t
moment(const struct change *c, int64_t y)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	int64_t first = days_before_year(y), day;
	int length;

	if (c->kind != 'M')
		return (first + c->day + (c->kind == 'J' ? (is_leap(y) && c->day >= 60) - 1 : 0)) * DAY + c->at;
	first += before[c->month - 1] + (is_leap(y) && c->month > 2);
	length = before[c->month] - before[c->month - 1] + (is_leap(y) && c->month == 2);
	/* 1970-01-01 was a Thursday */
	day = ((c->day - (first + 4) % 7) % 7 + 7) % 7 + (c->week - 1) * 7;
	while (day >= length)
		day -= 7;
	return (first + day) * DAY + c->at;
}

static int
by_rule(const struct zone *z, int64_t local_s)
{
	int64_t y = year_of(local_s), begin, end;
	bool summer;

	if (!z->changes)
		return z->standard;
	begin = moment(&z->begin, y) + (z->summer > z->standard ? z->summer - z->standard : 0);
	end = moment(&z->end, y) + (z->standard > z->summer ? z->standard - z->summer : 0);
	summer = begin < end ? local_s >= begin && local_s < end : local_s >= begin || local_s < end;
	return summer ? z->summer : z->standard;
}

bool
zone_offset(struct str name, int64_t local_s, int *offset_s_out)
{
	struct zone *z;
	int i;

	if (!name_ok(name))
		return false;
	if (cache == NULL)
		cache = lru_new(ZONES_MAX, zone_drop);
	if ((z = lru_get(cache, name)) == NULL) {
		if ((z = zone_load(name)) == NULL)
			return false;
		lru_put(cache, name, z);
	}
	for (i = z->n - 1; i >= 0; i--) {
		int later = z->offset[i + 1] > z->offset[i] ? z->offset[i + 1] : z->offset[i];

		if (local_s >= z->when[i] + later)
			break;
	}
	*offset_s_out = i == z->n - 1 && z->rule ? by_rule(z, local_s) : z->offset[i + 1];
	return true;
}
