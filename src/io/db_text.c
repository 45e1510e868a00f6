/* Text forms of PostgreSQL values: arrays, numbers, times. */
#include <stdlib.h>

#include "core/vtime.h"
#include "db_priv.h"

/* In quotes. Lists of events are long, and nearly every eighth character of theirs is a quote. */
static void
put_element(struct buf *b, const char *text)
{
	char *to;

	buf_reserve(b, 2 * strlen(text) + 2);
	to = b->p + b->n;
	*to++ = '"';
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	*to++ = '"';
	*to = '\0';
	b->n = (size_t)(to - b->p);
}

const char *
pg_array(struct arena *a, const char *const *v, int n)
{
	struct buf b;

	buf_init(&b, a, 64);
	buf_ch(&b, '{');
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_ch(&b, ',');
		if (v[i] == NULL) {
			BUF_LIT(&b, "NULL");
			continue;
		}
		put_element(&b, v[i]);
	}
	buf_ch(&b, '}');
	return b.p;
}

/* One element behind a '{' or ',', unescaped into *d; *i and *d are left behind it. NULL for an unquoted NULL. */
static const char *
array_element(struct str s, size_t *i, char **d)
{
	char *from = *d;

	if (s.p[*i] == '"') {
		for (++*i; *i < s.n && s.p[*i] != '"'; ++*i) {
			if (s.p[*i] == '\\' && *i + 1 < s.n)
				++*i;
			*(*d)++ = s.p[*i];
		}
		++*i;
		*(*d)++ = '\0';
		return from;
	}
	for (; *i < s.n && s.p[*i] != ',' && s.p[*i] != '}'; ++*i)
		*(*d)++ = s.p[*i];
	*(*d)++ = '\0';
	return strcmp(from, "NULL") == 0 ? NULL : from;
}

struct strs
pg_array_parse(struct arena *a, struct str s)
{
	struct strs list = {.set = s.p != NULL};
	size_t i = 1, max = 1;
	char *d;

	if (s.n < 2 || s.p[0] != '{' || s.p[1] == '}')
		return list;
	for (size_t k = 0; k < s.n; k++)
		max += s.p[k] == ',';
	list.v = arena_array(a, const char *, max);
	d = arena_alloc(a, s.n + 1);	/* each element is followed by a mark at least as long as its NUL */
	while (i < s.n && s.p[i] != '}') {
		list.v[list.n++] = array_element(s, &i, &d);
		if (i >= s.n || s.p[i] != ',')
			break;
		i++;
	}
	if (i != s.n - 1 || s.p[i] != '}')
		list.n = 0;
	return list;
}

const char *
pg_i64(struct arena *a, int64_t v)
{
	struct buf b;

	buf_init(&b, a, 24);
	buf_i64(&b, v);
	return b.p;
}

const char *
pg_time(struct arena *a, int64_t ms)
{
	char *d;

	if (ms == TIME_NONE)
		return NULL;
	d = arena_alloc(a, 32);
	time_sql(ms, d);
	memcpy(d + TIME_SQL_LEN, "+00", 4);
	return d;
}
