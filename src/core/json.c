/* JSON: jansson reads, a streaming writer of ours writes.
 *
 * jansson's own encoder cannot escape "/" alone, nor print floats the way the protocol does; and most replies come straight
 * from database columns, without a tree. */
#include "core/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/ctx.h"
#include "core/offload.h"
#include "core/words.h"

static void
drop_json(void *j)
{
	json_decref(j);
}

/* Depth is bounded before parsing: jansson's own bound is a compile-time constant far above ours. Where it is passed, as a count of bytes; 0: nowhere. */
static size_t
too_deep(struct str text)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return i + 1;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

/* By what jansson and malloc take for one (x86-64, glibc): an object with its table, a list with its first eight, a value with its place in either. */
enum { OBJECT_BYTES = 256, LIST_BYTES = 160, VALUE_BYTES = 96 };

void
json_weigh(struct json_weight *w, struct str piece)
{
	bool in_string = w->in_string, escaped = w->escaped;

	w->bytes += piece.n;
	for (size_t i = 0; i < piece.n; i++) {
		char c = piece.p[i];

		if (escaped)
			escaped = false;
		else if (in_string && c == '\\')
			escaped = true;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == ',' || c == '[' || c == '{')) {
			w->values++;
			w->bytes += c == '{' ? OBJECT_BYTES : c == '[' ? LIST_BYTES : VALUE_BYTES;
		}
	}
	w->in_string = in_string;
	w->escaped = escaped;
}

size_t
json_values(struct str text)
{
	struct json_weight w = JSON_WEIGHT;

	json_weigh(&w, text);
	return w.values;
}

/* The end of the number that begins at i; *whole_out: it has neither point nor exponent. */
static size_t
number_end(struct str t, size_t i, bool *whole_out)
{
	*whole_out = true;
	for (i++; i < t.n && memchr("0123456789.eE+-", t.p[i], 15) != NULL; i++)
		if (t.p[i] == '.' || t.p[i] == 'e' || t.p[i] == 'E')
			*whole_out = false;
	return i;
}

/* The text with ".0" behind every integer beyond 64 bits, and with the bounds for what JavaScript makes of them. *place: a place in it, which
 * becomes that in t; the text ends behind it. */
static struct str
big_as_real(struct arena *a, struct str t, size_t *place)
{
	bool in_string = false, whole;
	struct buf b;
	size_t from = 0;
	int64_t v;

	buf_init(&b, a, t.n + 64);
	for (size_t i = 0; i < t.n && b.n + (i - from) < *place; i++) {
		char c = t.p[i];
		size_t end;

		if (c == '"')
			in_string = !in_string;
		else if (in_string && c == '\\')
			i++;
		if (in_string || (c != '-' && (c < '0' || c > '9')))
			continue;
		end = number_end(t, i, &whole);
		if (whole && !str_to_i64((struct str){t.p + i, end - i}, &v)) {
			bool bound = str_to_i64_rounded((struct str){t.p + i, end - i}, &v);

			buf_add(&b, t.p + from, (bound ? i : end) - from);
			if (bound)
				buf_i64(&b, v);
			else
				BUF_LIT(&b, ".0");
			from = end;
		}
		i = end - 1;
	}
	*place = from + (*place > b.n ? *place - b.n : 0);
	buf_add(&b, t.p + from, t.n - from);
	return buf_view(&b);
}

/* jansson refuses integers beyond 64 bits; the protocol reads them as floats (but see str_to_i64_rounded). They are rare enough for a second try. */
static json_t *
json_load(struct ctx *cx, struct str text, size_t flags, json_error_t *error)
{
	json_t *j = json_loadb(text.p, text.n, flags, error);

	if (j == NULL && json_error_code(error) == json_error_numeric_overflow) {
		size_t place = SIZE_MAX;
		struct str real = big_as_real(cx->arena, text, &place);

		if ((j = json_loadb(real.p, real.n, flags, error)) == NULL) {	/* what it is told of is a place in ours */
			place = error->position > 0 ? (size_t)error->position : 0;
			(void)big_as_real(cx->arena, text, &place);
			error->position = (int)place;
		}
	}
	return j;
}

/* What jansson quotes may end within a character: then it is left out. */
static const char *
json_reason(struct ctx *cx, const json_error_t *error)
{
	const char *quote = strstr(error->text, " near ");
	struct str words = str_c(error->text);

	if (!str_utf8(words, NULL))
		words.n = quote != NULL ? (size_t)(quote - error->text) : 0;
	if (json_error_code(error) == json_error_null_character || json_error_code(error) == json_error_null_byte_in_key)
		words = STR("a text holds a NUL (\\u0000)");
	return arena_printf(cx->arena, "%.*s at byte %d", STR_FMT(words), error->position);
}

static json_t *
json_parse_as(struct ctx *cx, struct str text, size_t flags, const char **why_out)
{
	json_error_t error;
	const char *why = NULL;
	json_t *j = NULL;
	size_t deep = too_deep(text);
	bool grow = json_grow(text.n);

	if (text.n == 0)
		why = "empty";
	else if (deep > 0)
		why = arena_printf(cx->arena, "nested too deeply at byte %zu", deep);
	else if ((j = json_load(cx, text, JSON_DECODE_ANY | flags, &error)) == NULL)
		why = json_reason(cx, &error);
	json_grown(grow);
	if (why_out != NULL)
		*why_out = why;
	if (j != NULL)
		defer(cx, drop_json, j);
	return j;
}

json_t *
json_keep(struct ctx *cx, json_t *j)
{
	defer(cx, drop_json, j);
	return j;
}

json_t *
json_parse(struct ctx *cx, struct str text, const char **why_out)
{
	return json_parse_as(cx, text, JSON_ALLOW_NUL, why_out);
}

json_t *
json_parse_outside(struct ctx *cx, struct str text, const char **why_out)
{
	return json_parse_as(cx, text, 0, why_out);
}

struct aside {
	struct ctx cx;		/* the thread's own */
	struct str text;
	json_t *j;
};

static void
aside_parse(void *arg)
{
	struct aside *s = arg;

	s->j = str_utf8(s->text, NULL) ? json_parse_outside(&s->cx, s->text, NULL) : NULL;
}

static void
aside_free(void *arg)
{
	struct aside *s = arg;

	ctx_fini(&s->cx);
	free(s);
}

/* A thread frees it, too: it is a long walk, and malloc's lock for that thread's memory may be held by one that has no core. */
static void
aside_end(void *arg)
{
	offload_leave(LANE_json, aside_free, arg);
}

err_t
json_parse_aside(struct ctx *cx, struct str text, json_t **out)
{
	struct aside *s = mem_zalloc(sizeof *s);

	*out = NULL;
	s->text = text;
	ctx_init(&s->cx);
	defer(cx, aside_end, s);
	TRY(offload(cx, LANE_json, aside_parse, s));
	*out = s->j;
	return OK;
}

struct str
json_str(const json_t *j)
{
	if (!json_is_string(j))
		return STR_NONE;
	return (struct str){json_string_value(j), json_string_length(j)};
}

/* What each byte becomes: 0 as it is, 'u' \u00XX, else the letter after the backslash. */
static const char escapes[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
    [0] = 'u', [1] = 'u', [2] = 'u', [3] = 'u', [4] = 'u', [5] = 'u', [6] = 'u', [7] = 'u', [11] = 'u', [14] = 'u', [15] = 'u',
    [16] = 'u', [17] = 'u', [18] = 'u', [19] = 'u', [20] = 'u', [21] = 'u', [22] = 'u', [23] = 'u', [24] = 'u', [25] = 'u',
    [26] = 'u', [27] = 'u', [28] = 'u', [29] = 'u', [30] = 'u', [31] = 'u'};

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Whether one of eight bytes has to be escaped. The high bit of a byte is set where it is below a bound and was not set before. */
static bool
any_escaped(uint64_t w)
{
	uint64_t quote = w ^ EACH('"'), backslash = w ^ EACH('\\'), slash = w ^ EACH('/');
	uint64_t found = ((w - EACH(0x20)) & ~w) | ((quote - EACH(1)) & ~quote) | ((backslash - EACH(1)) & ~backslash) | ((slash - EACH(1)) & ~slash);

	return (found & EACH(0x80)) != 0;
}

/* The first byte from i on that has to be escaped, or s.n. Eight at a time: values of megabytes are written on the loop. */
static size_t
next_escaped(struct str s, size_t i)
{
	uint64_t w;

	for (; i + sizeof w <= s.n; i += sizeof w) {
		memcpy(&w, s.p + i, sizeof w);
		if (any_escaped(w))
			break;
	}
	while (i < s.n && escapes[(unsigned char)s.p[i]] == 0)
		i++;
	return i;
}

void
json_escape_part(struct buf *b, struct str s)
{
	size_t from = 0;

	for (size_t i = next_escaped(s, 0); i < s.n; i = next_escaped(s, i + 1)) {
		char e = escapes[(unsigned char)s.p[i]];

		buf_add(b, s.p + from, i - from);
		from = i + 1;
		if (e == 'u')
			buf_printf(b, "\\u%04x", (unsigned char)s.p[i]);
		else
			buf_add(b, (char[]){'\\', e}, 2);
	}
	buf_add(b, s.p + from, s.n - from);
}

void
json_escape(struct buf *b, struct str s)
{
	buf_reserve(b, s.n + 2);
	buf_ch(b, '"');
	json_escape_part(b, s);
	buf_ch(b, '"');
}

/* One code point of well-formed UTF-8; advances *i. */
static unsigned
next_point(struct str s, size_t *i)
{
	const unsigned char *p = (const unsigned char *)s.p + *i;
	unsigned len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	unsigned c = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));

	for (unsigned k = 1; k < len && *i + k < s.n; k++)
		c = c << 6 | (p[k] & 0x3f);
	*i += len;
	return c;
}

static void
escape_ascii(struct buf *b, struct str s)
{
	buf_ch(b, '"');
	for (size_t i = 0; i < s.n;) {
		unsigned c = next_point(s, &i);
		char e = c < 128 ? escapes[c] : 'u';

		if (e == 0)
			buf_ch(b, (char)c);
		else if (e != 'u')
			buf_add(b, (char[]){'\\', e}, 2);
		else if (c < 0x10000)
			buf_printf(b, "\\u%04x", c);
		else
			buf_printf(b, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
	}
	buf_ch(b, '"');
}

void
jw_init(struct jw *w, struct buf *b)
{
	*w = (struct jw){.b = b};
}

static void
json_before(struct jw *w)
{
	if (w->comma)
		buf_ch(w->b, ',');
	w->comma = true;
}

static void
open_with(struct jw *w, char c)
{
	json_before(w);
	buf_ch(w->b, c);
	w->depth++;
	w->comma = false;
}

static void
close_with(struct jw *w, char c)
{
	buf_ch(w->b, c);
	w->depth--;
	w->comma = true;
}

void
jw_obj(struct jw *w)
{
	open_with(w, '{');
}

void
jw_obj_end(struct jw *w)
{
	close_with(w, '}');
}

void
jw_arr(struct jw *w)
{
	open_with(w, '[');
}

void
jw_arr_end(struct jw *w)
{
	close_with(w, ']');
}

static void
put_string(struct jw *w, struct str s)
{
	if (w->ascii)
		escape_ascii(w->b, s);
	else
		json_escape(w->b, s);
}

void
jw_key(struct jw *w, struct str key)
{
	json_before(w);
	put_string(w, key);
	buf_ch(w->b, ':');
	w->comma = false;
}

void
jw_word(struct jw *w, const char *key)
{
	char word[WORD_MAX];

	jw_key(w, str_c(words_put(w->words, key, word)));
}

void
jw_str(struct jw *w, struct str s)
{
	json_before(w);
	put_string(w, s);
}

void
jw_cstr(struct jw *w, const char *s)
{
	jw_str(w, s != NULL ? str_c(s) : STR(""));
}

void
jw_i64(struct jw *w, int64_t v)
{
	json_before(w);
	buf_i64(w->b, v);
}

/* The shortest digits that read back as v, as d.ddde±x. Fifteen and less are those of a decimal number that was read; numbers next to 0 have fewer
 * to tell them apart. */
static void
shortest(char *d, size_t size, double v)
{
	for (int digits = fabs(v) < 1e-290 ? 1 : 15; digits <= 17; digits++) {
		snprintf(d, size, "%.*e", digits - 1, v);
		if (digits == 17 || strtod(d, NULL) == v)
			return;
	}
}

/* What has at most three digits behind the point, as most numbers of people have: no printing tells them sooner. False: it has more. */
static bool
buf_thousandths(struct buf *b, double v)
{
	int64_t k = fabs(v) < 1e9 ? llround(v * 1000) : 0;
	char d[4] = ".";
	int n = 4;

	if (k == 0 || (double)k / 1000 != v)
		return false;
	if (k < 0)
		buf_ch(b, '-');
	k = llabs(k);
	buf_i64(b, k / 1000);
	d[1] = (char)('0' + k / 100 % 10);
	d[2] = (char)('0' + k / 10 % 10);
	d[3] = (char)('0' + k % 10);
	while (d[n - 1] == '0')
		n--;
	buf_add(b, d, (size_t)n);
	return true;
}

/* 1 -> 1.0e+20 and below 0.0001 with an exponent, else without: as PHP does, whose receivers encode anew what they compare. */
static void
buf_shortest(struct buf *b, double v)
{
	char d[40], digits[24];
	int n = 0, exponent;
	char *e;

	shortest(d, sizeof d, v);
	e = strchr(d, 'e');
	exponent = atoi(e + 1);
	for (char *c = d; c < e; c++)
		if (*c >= '0' && *c <= '9')
			digits[n++] = *c;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	if (d[0] == '-')
		buf_ch(b, '-');
	if (exponent < -4 || exponent >= 17) {
		buf_printf(b, "%c.%.*s%se%+d", digits[0], n - 1, digits + 1, n > 1 ? "" : "0", exponent);
	} else if (exponent < 0) {
		buf_printf(b, "0.%.*s%.*s", -1 - exponent, "000", n, digits);
	} else {
		buf_printf(b, "%.*s%.*s", n < exponent + 1 ? n : exponent + 1, digits, n < exponent + 1 ? exponent + 1 - n : 0, "0000000000000000");
		if (n > exponent + 1)
			buf_printf(b, ".%.*s", n - exponent - 1, digits + exponent + 1);
	}
}

void
jw_f64(struct jw *w, double v)
{
	if (!isfinite(v)) {
		jw_null(w);
		return;
	}
	if (v == floor(v) && fabs(v) < 1e15 && !(v == 0 && signbit(v))) {
		jw_i64(w, (int64_t)v);
		return;
	}
	json_before(w);
	if (!buf_thousandths(w->b, v))
		buf_shortest(w->b, v);
}

void
jw_bool(struct jw *w, bool v)
{
	json_before(w);
	buf_c(w->b, v ? "true" : "false");
}

void
jw_null(struct jw *w)
{
	json_before(w);
	BUF_LIT(w->b, "null");
}

void
jw_raw(struct jw *w, struct str json)
{
	json_before(w);
	buf_str(w->b, json);
}

static void
value_object(struct jw *w, const json_t *j)
{
	/* jansson's iterators take a non-const pointer although they change nothing */
	json_t *o = (json_t *)(uintptr_t)j;

	if (w->empty_as_list && json_object_size(j) == 0) {
		jw_raw(w, STR("[]"));
		return;
	}
	jw_obj(w);
	for (void *it = json_object_iter(o); it != NULL; it = json_object_iter_next(o, it)) {
		jw_key(w, str_c(json_object_iter_key(it)));
		jw_value(w, json_object_iter_value(it));
	}
	jw_obj_end(w);
}

void
jw_value(struct jw *w, const json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		value_object(w, j);
		break;
	case JSON_ARRAY:
		jw_arr(w);
		for (size_t i = 0; i < json_array_size(j); i++)
			jw_value(w, json_array_get(j, i));
		jw_arr_end(w);
		break;
	case JSON_STRING:
		jw_str(w, json_str(j));
		break;
	case JSON_INTEGER:
		jw_i64(w, json_integer_value(j));
		break;
	case JSON_REAL:
		jw_f64(w, json_real_value(j));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		jw_bool(w, json_is_true(j));
		break;
	case JSON_NULL:
		jw_null(w);
		break;
	}
}

void
json_empties_to_lists(char *text, size_t n)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == '{' && depth > 0 && i + 1 < n && text[i + 1] == '}')
			text[i] = '[', text[i + 1] = ']', i++;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']'))
			depth--;
	}
}
