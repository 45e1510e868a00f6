/* From PostgreSQL's text forms straight to JSON: no tree, no copy of a value in between.
 *
 * Both sides write numbers alike but for exponents; in arrays both escape " and \ with a backslash, so elements pass as they are. */
#include "svc/databases/document.h"

enum { DATE_LEN = 10, CLOCK_LEN = 8, SECONDS_LEN = DATE_LEN + 1 + CLOCK_LEN };

void
doc_write_time(struct buf *b, struct str t)
{
	char d[] = "\"0000-00-00T00:00:00.000+00:00\"";

	if (t.n < SECONDS_LEN) {
		BUF_LIT(b, "null");
		return;
	}
	memcpy(d + 1, t.p, DATE_LEN);
	memcpy(d + 1 + DATE_LEN + 1, t.p + DATE_LEN + 1, CLOCK_LEN);
	if (t.n > SECONDS_LEN && t.p[SECONDS_LEN] == '.')
		for (size_t i = 1; i <= 3 && SECONDS_LEN + i < t.n && t.p[SECONDS_LEN + i] >= '0' && t.p[SECONDS_LEN + i] <= '9'; i++)
			d[1 + SECONDS_LEN + i] = t.p[SECONDS_LEN + i];
	buf_add(b, d, sizeof d - 1);
}

/* 1e+20 as 1.0e+20, 1.5e-07 as 1.5e-7; anything else as it is. */
static void
write_float(struct buf *b, struct str t)
{
	const char *e = t.n ? memchr(t.p, 'e', t.n) : NULL;
	size_t n = e ? (size_t)(e - t.p) : t.n, at = n + 1;

	buf_add(b, t.p, n);
	if (e == NULL)
		return;
	if (memchr(t.p, '.', n) == NULL)
		BUF_LIT(b, ".0");
	buf_ch(b, 'e');
	if (at < t.n && (t.p[at] == '+' || t.p[at] == '-'))
		buf_ch(b, t.p[at++]);
	while (at + 1 < t.n && t.p[at] == '0')
		at++;
	buf_add(b, t.p + at, t.n - at);
}

static void
write_scalar(struct buf *b, enum attr_type type, struct str t)
{
	switch (type) {
	case ATTR_STRING:
		json_escape(b, t);
		break;
	case ATTR_INTEGER:
		buf_str(b, t);
		break;
	case ATTR_FLOAT:
		write_float(b, t);
		break;
	case ATTR_BOOLEAN:
		buf_c(b, t.n && t.p[0] == 't' ? "true" : "false");
		break;
	case ATTR_DATETIME:
		doc_write_time(b, t);
		break;
	case ATTR_GEO:
		geo_write(b, t);
		break;
	}
}

/* The text between an element's quotes, its backslashes kept. */
static void
write_quoted(struct buf *b, struct str raw)
{
	buf_reserve(b, raw.n + 2);
	buf_ch(b, '"');
	while (raw.n > 0) {
		const char *slash = memchr(raw.p, '\\', raw.n);
		size_t n = slash ? (size_t)(slash - raw.p) : raw.n;

		json_escape_part(b, (struct str){raw.p, n});
		if (n + 1 < raw.n)
			json_escape_part(b, (struct str){slash + 1, 1});
		n = n + 2 < raw.n ? n + 2 : raw.n;
		raw = (struct str){raw.p + n, raw.n - n};
	}
	buf_ch(b, '"');
}

/* The element at *i, without quotes; *i is left behind it. */
static struct str
element(struct str s, size_t *i, bool *quoted_out)
{
	struct str e = {s.p + *i, 0};

	*quoted_out = s.p[*i] == '"';
	if (*quoted_out) {
		for (e.p = s.p + ++*i; *i < s.n && s.p[*i] != '"'; ++*i)
			if (s.p[*i] == '\\' && *i + 1 < s.n)
				++*i;
		e.n = (size_t)(s.p + *i - e.p);
		*i = *i < s.n ? *i + 1 : s.n;
		return e;
	}
	while (*i < s.n && s.p[*i] != ',' && s.p[*i] != '}')
		++*i;
	e.n = (size_t)(s.p + *i - e.p);
	return e;
}

/* Numbers that are the same on both sides: no NULL, exponent or quote among them. */
static bool
plain_numbers(enum attr_type type, struct str s)
{
	static const char others[] = "NIe\"";

	if ((type != ATTR_INTEGER && type != ATTR_FLOAT) || s.n < 2 || s.p[s.n - 1] != '}')
		return false;
	for (const char *c = others; *c != '\0'; c++)
		if (memchr(s.p, *c, s.n) != NULL)
			return false;
	return true;
}

void
doc_write_array(struct buf *b, enum attr_type type, struct str s)
{
	size_t i = 1;

	buf_ch(b, '[');
	if (plain_numbers(type, s)) {
		buf_add(b, s.p + 1, s.n - 2);
		i = s.n;
	}
	while (i < s.n && s.p[i] != '}') {
		bool quoted;
		struct str e;

		if (s.p[i] == ',') {
			buf_ch(b, ',');
			i++;
		}
		if (i >= s.n)
			break;
		e = element(s, &i, &quoted);
		if (!quoted && str_is(e, "NULL"))
			BUF_LIT(b, "null");
		else if (quoted && type == ATTR_STRING)
			write_quoted(b, e);
		else
			write_scalar(b, type, e);
	}
	buf_ch(b, ']');
}

void
doc_write_value(struct buf *b, const struct attribute *a, struct str text)
{
	if (a->array)
		doc_write_array(b, a->type, text);
	else if (text.p == NULL)
		BUF_LIT(b, "null");
	else
		write_scalar(b, a->type, text);
}
