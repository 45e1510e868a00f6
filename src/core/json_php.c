/* JSON as PHP writes it, made from JSON text without a tree: receivers of webhooks compare the bytes with what they encode anew.
 *
 * Everything is copied or changed where it stands, except for objects whose keys are 0, 1, 2, …: PHP cannot tell those from lists. They are found by a
 * first pass, which is made only when some object begins with the key 0. */
#include "core/json.h"

#include <assert.h>
#include <stdlib.h>

enum { NESTED_MAX = 4096 };	/* as the text was read by a parser that allows JSON_DEPTH_MAX, more is not JSON of ours */

struct level {			/* of the first pass, an object or list that is open */
	size_t at;		/* where it begins */
	size_t next;		/* the key that a list would have now */
	bool object, listed;	/* object: all of its keys were those of a list */
};

struct php {
	struct buf *b;
	const char *p, *end;
	const char *begin;
	size_t *lists;		/* where the objects begin that are lists, in order; malloc */
	size_t n_lists, i_list;
	bool lists_known;
};

/* ---- the first pass ---- */

static const char *
skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* Behind the string that begins at p, NULL: it does not end. */
static const char *
string_end(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : NULL;
}

/* Is this key, as written between its quotes, the number n? A digit may stand as \u003N, and is the same key to PHP. */
static bool
is_number(struct str key, size_t n)
{
	char text[24];
	size_t len = (size_t)snprintf(text, sizeof text, "%zu", n), at = 0, i;

	for (i = 0; i < len && at < key.n; i++) {
		if (key.n - at >= 6 && memcmp(key.p + at, "\\u003", 5) == 0)
			at += 5;
		if (key.p[at++] != text[i])
			return false;
	}
	return i == len && at == key.n;
}

static int
by_place(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

static void
found_list(struct php *j, size_t at)
{
	if ((j->n_lists & (j->n_lists + 1)) == 0)
		j->lists = mem_realloc(j->lists, (2 * j->n_lists + 2) * sizeof *j->lists);
	j->lists[j->n_lists++] = at;
}

/* A key of the innermost object, which begins at p. */
static const char *
php_note_key(struct level *l, const char *p, const char *end)
{
	const char *q = string_end(p, end);

	if (q == NULL)
		return NULL;
	l->listed = l->listed && is_number((struct str){p + 1, (size_t)(q - p) - 2}, l->next++);
	return q;
}

static bool
find_lists(struct php *j)
{
	struct level *levels = mem_alloc(NESTED_MAX * sizeof *levels);
	bool key = false, ok = true;
	const char *p = j->begin;
	int n = 0;

	while (ok && p < j->end) {
		char c = *p;

		if (c == '"') {
			p = key ? php_note_key(&levels[n - 1], p, j->end) : string_end(p, j->end);
			ok = p != NULL;
			key = false;
			continue;
		}
		if (c == '{' || c == '[') {
			ok = n < NESTED_MAX;
			if (ok)
				levels[n++] = (struct level){(size_t)(p - j->begin), 0, c == '{', true};
			key = c == '{';
		} else if (c == '}' || c == ']') {
			ok = n > 0;
			if (ok && levels[--n].object && levels[n].listed && levels[n].next > 0)
				found_list(j, levels[n].at);
			key = false;
		} else if (c == ',') {
			key = n > 0 && levels[n - 1].object;
		}
		p++;
	}
	free(levels);
	if (j->n_lists > 1)
		qsort(j->lists, j->n_lists, sizeof *j->lists, by_place);
	return ok;
}

/* The object at `at` begins with the key 0: is it a list? Asked in the order of the text. */
static bool
php_is_list(struct php *j, const char *at, bool *ok)
{
	size_t place = (size_t)(at - j->begin);

	if (!j->lists_known)
		*ok = find_lists(j);
	j->lists_known = true;
	while (j->i_list < j->n_lists && j->lists[j->i_list] < place)
		j->i_list++;
	return j->i_list < j->n_lists && j->lists[j->i_list] == place;
}

/* ---- strings ---- */

static void
put_unit(struct buf *b, unsigned u)
{
	static const char hex[] = "0123456789abcdef";

	buf_add(b, (char[]){'\\', 'u', hex[u >> 12 & 15], hex[u >> 8 & 15], hex[u >> 4 & 15], hex[u & 15]}, 6);
}

static void
php_put_point(struct buf *b, unsigned c)
{
	if (c >= 0x10000) {
		put_unit(b, 0xd7c0 + (c >> 10));
		put_unit(b, 0xdc00 + (c & 0x3ff));
	} else if (c >= 0x80) {
		put_unit(b, c);
	} else {
		switch (c) {
		case '"': BUF_LIT(b, "\\\""); break;
		case '\\': BUF_LIT(b, "\\\\"); break;
		case '/': BUF_LIT(b, "\\/"); break;
		case '\b': BUF_LIT(b, "\\b"); break;
		case '\f': BUF_LIT(b, "\\f"); break;
		case '\n': BUF_LIT(b, "\\n"); break;
		case '\r': BUF_LIT(b, "\\r"); break;
		case '\t': BUF_LIT(b, "\\t"); break;
		default:
			if (c < 0x20)
				put_unit(b, c);
			else
				buf_ch(b, (char)c);
		}
	}
}

static bool
hex4(const char *p, const char *end, unsigned *out)
{
	*out = 0;
	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a') + 10 : 16;

		if (d > 15)
			return false;
		*out = *out << 4 | d;
	}
	return true;
}

/* Behind the backslash. */
static bool
php_escape(struct php *j)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *e;
	unsigned u;

	if (j->p >= j->end)
		return false;
	if (*j->p == 'u') {
		if (!hex4(j->p + 1, j->end, &u))
			return false;
		j->p += 5;
		if (u < 0x80)
			php_put_point(j->b, u);
		else
			put_unit(j->b, u);	/* halves of a pair stay as they are */
		return true;
	}
	e = strchr(from, *j->p);
	if (e == NULL || *j->p == '\0')
		return false;
	j->p++;
	php_put_point(j->b, (unsigned char)to[e - from]);
	return true;
}

static bool
php_utf8(struct php *j)
{
	const unsigned char *p = (const unsigned char *)j->p;
	unsigned n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2, c = p[0] & (0xffu >> (n + 1));

	if (p[0] < 0xc2 || p[0] > 0xf4 || j->end - j->p < (ptrdiff_t)n)
		return false;
	for (unsigned i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (p[i] & 0x3f);
	}
	j->p += n;
	php_put_point(j->b, c);
	return true;
}

/* At the quote. */
static bool
php_string(struct php *j)
{
	const char *from = j->p++;

	for (;;) {
		char c;

		while (j->p < j->end && (c = *j->p) >= 0x20 && c != '"' && c != '\\' && c != '/')
			j->p++;	/* plain, DEL too; char is signed: not what is beyond ASCII */
		buf_add(j->b, from, (size_t)(j->p - from));
		if (j->p >= j->end)
			return false;
		c = *j->p;
		if (c == '"') {
			j->p++;
			buf_ch(j->b, '"');
			return true;
		}
		if (c == '\\') {
			j->p++;
			if (!php_escape(j))
				return false;
		} else if ((unsigned char)c >= 0x80) {
			if (!php_utf8(j))
				return false;
		} else {
			php_put_point(j->b, (unsigned char)c);
			j->p++;
		}
		from = j->p;
	}
}

/* ---- numbers and words ---- */

static bool
php_number(struct php *j)
{
	const char *from = j->p;
	struct jw w;
	char text[64], *copy = text;
	bool whole = true;
	struct str s;
	int64_t i;

	for (j->p++; j->p < j->end && strchr("0123456789.eE+-", *j->p) != NULL && *j->p != '\0'; j->p++)
		whole = whole && *j->p >= '0' && *j->p <= '9';
	s = (struct str){from, (size_t)(j->p - from)};
	if (whole && (str_to_i64(s, &i) || str_is(s, "-0"))) {
		buf_str(j->b, s);
		return true;
	}
	if (s.n >= sizeof text)
		copy = mem_alloc(s.n + 1);
	memcpy(copy, s.p, s.n);
	copy[s.n] = '\0';
	jw_init(&w, j->b);
	jw_f64(&w, strtod(copy, NULL));
	if (copy != text)
		free(copy);
	return true;
}

static bool
php_word(struct php *j)
{
	const char *from = j->p;

	while (j->p < j->end && *j->p >= 'a' && *j->p <= 'z')
		j->p++;
	buf_add(j->b, from, (size_t)(j->p - from));
	return j->p > from;
}

/* ---- all of it ---- */

/* What begins here opens an object: as what is it written? */
static bool
php_open(struct php *j, bool *list_out, bool *ok)
{
	const char *at = j->p, *next = skip_blank(at + 1, j->end), *behind;

	*list_out = next < j->end && *next == '}';
	if (j->end - next >= 3 && *next == '"' && (next[1] == '0' || next[1] == '\\') && (behind = string_end(next, j->end)) != NULL &&
	    is_number((struct str){next + 1, (size_t)(behind - next) - 2}, 0))
		*list_out = php_is_list(j, at, ok);
	return *ok;
}

static bool
php_key(struct php *j, bool list)
{
	const char *q;

	if (*j->p != '"')
		return false;
	if (list) {
		if ((q = string_end(j->p, j->end)) == NULL)
			return false;
		j->p = q;
	} else if (!php_string(j)) {
		return false;
	}
	j->p = skip_blank(j->p, j->end);
	if (j->p >= j->end || *j->p != ':')
		return false;
	j->p++;
	if (!list)
		buf_ch(j->b, ':');
	return true;
}

static bool
php_scalar(struct php *j)
{
	char c = *j->p;

	return c == '"' ? php_string(j) : c == '-' || (c >= '0' && c <= '9') ? php_number(j) : php_word(j);
}

/* Objects and lists that are open: one byte each. */
static bool
php_all(struct php *j, char *open)
{
	int n = 0;
	bool key = false, ok = true, list;

	while ((j->p = skip_blank(j->p, j->end)) < j->end) {
		char c = *j->p;

		if (key && c != '}') {
			if (!php_key(j, open[n - 1] == ']'))
				return false;
			key = false;
			continue;
		}
		switch (c) {
		case '{':
			if (n == NESTED_MAX || !php_open(j, &list, &ok))
				return false;
			open[n++] = list ? ']' : '}';
			buf_ch(j->b, list ? '[' : '{');
			key = true;
			j->p++;
			break;
		case '[':
			if (n == NESTED_MAX)
				return false;
			open[n++] = 'l';
			buf_ch(j->b, '[');
			j->p++;
			break;
		case '}':
		case ']':
			if (n == 0 || (c == ']') != (open[n - 1] == 'l'))
				return false;
			n--;
			buf_ch(j->b, open[n] == 'l' ? ']' : open[n]);
			key = false;
			j->p++;
			break;
		case ',':
			if (n == 0)
				return false;
			buf_ch(j->b, ',');
			key = open[n - 1] != 'l';
			j->p++;
			break;
		default:
			if (!php_scalar(j))
				return false;
		}
	}
	return n == 0 && j->b->n > 0;
}

bool
json_php(struct buf *b, struct str text)
{
	struct php j = {.b = b, .p = text.p, .begin = text.p, .end = text.p + text.n};
	char *open = mem_alloc(NESTED_MAX);
	bool ok;

	buf_reserve(b, text.n + text.n / 8);
	ok = text.n > 0 && php_all(&j, open);
	free(open);
	free(j.lists);
	return ok;
}
