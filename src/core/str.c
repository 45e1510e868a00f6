/* Strings and buffers. */
#include "core/str.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_TEXT_MAX = 400 };

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool
str_ieq(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool
str_starts(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return n == 0 || (s.n >= n && memcmp(s.p, prefix, n) == 0);
}

bool
str_ends(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);

	return n == 0 || (s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0);
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static int
compare_lines(struct str a, struct str b)
{
	int d = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return d != 0 ? d : a.n < b.n ? -1 : a.n > b.n;
}

/* Lines from `low` to `high`, both at the begin of one. */
bool
str_line_in(struct str sorted, struct str line)
{
	size_t low = 0, high = sorted.n;

	while (low < high) {
		size_t at = low + (high - low) / 2, end;
		int d;

		while (at > low && sorted.p[at - 1] != '\n')
			at--;
		for (end = at; end < sorted.n && sorted.p[end] != '\n'; end++)
			;
		d = compare_lines(line, (struct str){sorted.p + at, end - at});
		if (d == 0)
			return true;
		if (d < 0)
			high = at;
		else
			low = end + 1;
	}
	return false;
}

bool
str_eat(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

struct str
str_cut(struct str *s, char sep)
{
	const char *at = s->n > 0 ? memchr(s->p, sep, s->n) : NULL;
	struct str head = *s;

	if (at == NULL) {
		*s = STR_NONE;
		return head;
	}
	head.n = (size_t)(at - s->p);
	s->n -= head.n + 1;
	s->p = at + 1;
	return head;
}

bool
str_etag_listed(struct str list, const char *tag)
{
	while (list.p != NULL) {
		struct str one = str_trim(str_cut(&list, ','));

		if (str_starts(one, "W/"))
			one = (struct str){one.p + 2, one.n - 2};
		if (str_is(one, tag) || str_is(one, "*"))
			return true;
	}
	return false;
}

char *
str_dup(struct arena *a, struct str s)
{
	return arena_memdup(a, s.p, s.n);
}

struct str
str_lower(struct arena *a, struct str s)
{
	char *d = str_dup(a, s);

	for (size_t i = 0; i < s.n; i++)
		d[i] = lower(d[i]);
	return (struct str){d, s.n};
}

bool
str_to_i64(struct str s, int64_t *out)
{
	bool neg = s.n > 0 && s.p[0] == '-';
	size_t i = s.n > 0 && (neg || s.p[0] == '+') ? 1 : 0;
	int64_t v = 0;

	if (i == s.n)
		return false;
	for (; i < s.n; i++) {
		int d = s.p[i] - '0';

		if (d < 0 || d > 9 || __builtin_mul_overflow(v, 10, &v))
			return false;
		/* built up on the negative side, which reaches one further */
		if (__builtin_sub_overflow(v, d, &v))
			return false;
	}
	if (!neg && v == INT64_MIN)
		return false;
	*out = neg ? v : -v;
	return true;
}

bool
str_to_i64_rounded(struct str s, int64_t *out)
{
	if (str_is(s, "9223372036854776000"))
		*out = INT64_MAX;
	else if (str_is(s, "-9223372036854776000"))
		*out = INT64_MIN;
	else
		return str_to_i64(s, out);
	return true;
}

/* Sign, digits with a point, exponent: strtod alone would take hexadecimal, "inf" and "nan", too. */
bool
str_to_f64(struct str s, double *out)
{
	char text[NUMBER_TEXT_MAX + 1], *end;

	s = str_trim(s);
	if (s.n == 0 || s.n > NUMBER_TEXT_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (memchr("0123456789+-.eE", s.p[i], 15) == NULL)
			return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*out = strtod(text, &end);
	return *end == '\0' && isfinite(*out);
}

/* Length of the UTF-8 sequence at p (at most n bytes), 0 when malformed (RFC 3629). */
static size_t
utf8_len(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if (len == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)))
		return 0;
	if (len == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
		return 0;
	return len;
}

bool
str_utf8(struct str s, size_t *points_out)
{
	size_t points = 0;

	for (size_t i = 0; i < s.n; points++) {
		size_t len = utf8_len((const unsigned char *)s.p + i, s.n - i);

		if (len == 0)
			return false;
		i += len;
	}
	if (points_out != NULL)
		*points_out = points;
	return true;
}

struct str
str_head(struct str s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
		max--;
	return (struct str){s.p, max};
}

/* Does a character begin here whose end was cut off? */
static bool
utf8_begun(const unsigned char *p, size_t n)
{
	size_t want = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0xc2 || p[0] > 0xf4 || n >= want)
		return false;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

char *
str_text(struct arena *a, struct str s)
{
	char *to = arena_alloc(a, s.n + 1), *at = to;

	for (size_t i = 0; i < s.n;) {
		const unsigned char *p = (const unsigned char *)s.p + i;
		size_t len = utf8_len(p, s.n - i);

		if (len == 0 && utf8_begun(p, s.n - i))
			break;
		if (len == 0)
			*at++ = '?';
		else
			memcpy(at, p, len);
		at += len;
		i += len ? len : 1;
	}
	*at = '\0';
	return to;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct str
str_url_decode(struct arena *a, struct str s, bool plus)
{
	char *d = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int hi, lo;

		if (s.p[i] == '%' && i + 2 < s.n && (hi = hex_digit(s.p[i + 1])) >= 0 &&
		    (lo = hex_digit(s.p[i + 2])) >= 0) {
			d[n++] = (char)(hi << 4 | lo);
			i += 2;
		} else {
			d[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
		}
	}
	d[n] = '\0';
	return (struct str){d, n};
}

size_t
str_url_bad(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%' && (i + 2 >= s.n || hex_digit(s.p[i + 1]) < 0 || hex_digit(s.p[i + 2]) < 0))
			return i;
	return s.n;
}

size_t
str_utf8_bad(struct str s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		unsigned char c = (unsigned char)s.p[i];

		n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		if (n > s.n - i || !str_utf8((struct str){s.p + i, n}, NULL))
			return i;
	}
	return s.n;
}

const char *
str_fault(struct str s, size_t *at)
{
	const char *nul = s.n > 0 ? memchr(s.p, '\0', s.n) : NULL;

	if (!str_utf8(s, NULL)) {
		*at = str_utf8_bad(s);
		return "It is not valid UTF-8";
	}
	*at = nul != NULL ? (size_t)(nul - s.p) : 0;
	return nul != NULL ? "It holds a NUL" : NULL;
}

const char *
str_form_text(struct arena *a, struct str raw, struct str *out, const char **at)
{
	size_t bad = str_url_bad(raw), n;
	const char *why;

	if (bad < raw.n) {
		*at = raw.p + bad;
		return "It has a percent sign without two hexadecimal digits";
	}
	*out = str_url_decode(a, raw, true);
	if ((why = str_fault(*out, &n)) != NULL)
		for (*at = raw.p; n > 0; n--)
			*at += **at == '%' ? 3 : 1;
	return why;
}

const char *
str_join(struct arena *a, const char *const *v, int n)
{
	struct buf b;

	buf_init(&b, a, 128);
	for (int i = 0; i < n; i++) {
		buf_c(&b, i > 0 ? ", " : "");
		buf_c(&b, v[i]);
	}
	return b.n > 0 ? b.p : "";
}

bool
str_eq_secret(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

enum { NEAR_MAX = 63 };

/* Letters to put in, leave out, change or swap with the next, to come from one word to the other. */
static int
str_distance(struct str a, struct str b)
{
	int rows[3][NEAR_MAX + 2];
	int *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b.n; j++)
		last[j] = (int)j;
	for (size_t i = 1; i <= a.n; i++) {
		int *free_row = before;

		now[0] = (int)i;
		for (size_t j = 1; j <= b.n; j++) {
			int best = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			if (best > last[j] + 1)
				best = last[j] + 1;
			if (best > now[j - 1] + 1)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] && best > before[j - 2] + 1)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[b.n];
}

const char *
str_near(struct str word, const char *const *list)
{
	const char *found = NULL;
	int least = word.n < 4 ? 2 : word.n < 8 ? 3 : 4;	/* fewer than these */

	if (word.n < 2 || word.n > NEAR_MAX)
		return NULL;
	for (; *list != NULL; list++) {
		struct str one = str_c(*list);
		int d;

		if (one.n < 2 || one.n > NEAR_MAX)
			continue;
		d = str_distance(word, one);
		if (d > 2 && word.n >= 4 && one.n >= 4 && memcmp(one.p, word.p, one.n < word.n ? one.n : word.n) == 0)
			d = 2;
		if (d < least) {
			least = d;
			found = *list;
		}
	}
	return found;
}

uint64_t
str_hash(struct str s)
{
	static unsigned char key[crypto_shorthash_KEYBYTES];
	static bool keyed;
	uint64_t h;

	if (!keyed) {
		crypto_shorthash_keygen(key);
		keyed = true;
	}
	crypto_shorthash((unsigned char *)&h, (const unsigned char *)s.p, s.n, key);
	return h;
}

uint64_t
str_hash_stable(struct str s)
{
	uint64_t h = 0xcbf29ce484222325u;	/* FNV-1a, 64 bits */

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u;
	return h;
}

char *
hex_encode(struct arena *a, const void *p, size_t n)
{
	char *d = arena_alloc(a, 2 * n + 1);

	sodium_bin2hex(d, 2 * n + 1, p, n);
	return d;
}

void
buf_init(struct buf *b, struct arena *a, size_t hint)
{
	*b = (struct buf){.arena = a};
	if (hint > 0)
		buf_reserve(b, hint);
}

void
buf_fini(struct buf *b)
{
	if (b->arena == NULL)
		free(b->p);
	*b = (struct buf){0};
}

void
buf_reserve(struct buf *b, size_t more)
{
	size_t want, cap;
	char *p;

	if (more > SIZE_MAX / 4)
		mem_fatal(more);
	want = b->n + more + 1;
	if (want <= b->cap)
		return;
	cap = b->cap < 64 ? 64 : b->cap * 2;
	if (cap < want)
		cap = want;
	if (b->arena == NULL) {
		p = mem_realloc(b->p, cap);
	} else {
		p = arena_alloc(b->arena, cap);
		mem_copy(p, b->p, b->n);
	}
	p[b->n] = '\0';
	b->p = p;
	b->cap = cap;
}

void
buf_add(struct buf *b, const void *p, size_t n)
{
	buf_reserve(b, n);
	mem_copy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void
buf_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.n);
}

void
buf_c(struct buf *b, const char *c)
{
	buf_add(b, c, strlen(c));
}

void
buf_ch(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_i64(struct buf *b, int64_t v)
{
	char d[24], *at = d + sizeof d;
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do
		*--at = (char)('0' + u % 10);
	while ((u /= 10) > 0);
	if (v < 0)
		*--at = '-';
	buf_add(b, at, (size_t)(d + sizeof d - at));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	buf_reserve(b, 64);
	n = vsnprintf(b->p + b->n, b->cap - b->n, fmt, ap);
	if (n > 0 && (size_t)n >= b->cap - b->n) {
		buf_reserve(b, (size_t)n);
		vsnprintf(b->p + b->n, b->cap - b->n, fmt, again);
	}
	if (n > 0)
		b->n += (size_t)n;
	va_end(again);
	va_end(ap);
}
