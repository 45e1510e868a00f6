/* The text grammar of queries: method("attribute", ["value", 1, true]). Since 1.3 there are some methods more, which every client may use;
 * other rules hold for these, and for all that clients of 1.3 and 1.4 ask.
 *
 * It is scanned byte by byte exactly as clients of that generation expect, odd corners included (spec databases.md 8.1): the last
 * byte is not looked at, blanks outside strings vanish, a backslash escapes only , [ ] " and '. */
#include "query_priv.h"

#include <math.h>
#include <stdlib.h>

#include "core/protocol.h"

struct part {			/* one parameter */
	bool array;
	struct str *items;
	int n;
};

struct scan {
	struct ctx *cx;
	struct str s;
	struct part *parts;
	int n;
	struct buf item;	/* of the item being read; its quotes are kept */
	char quote;		/* of the open string, or 0 */
	bool in_array, closed;	/* within [ ] / after ] */
};

enum { PARTS_MAX = 4 };		/* attribute, two values and one to spare: further ones are ignored */

static struct part *
part_now(struct scan *sc)
{
	return &sc->parts[sc->n < PARTS_MAX ? sc->n : PARTS_MAX - 1];
}

static void
end_item(struct scan *sc)
{
	struct part *p = part_now(sc);

	/* every item takes a byte of the query at least, so its length bounds the list */
	if (p->items == NULL)
		p->items = arena_array(sc->cx->arena, struct str, sc->s.n + 2);
	if (p->n < (int)sc->s.n + 2)
		p->items[p->n++] = (struct str){arena_memdup(sc->cx->arena, sc->item.p ? sc->item.p : "", sc->item.n), sc->item.n};
	sc->item.n = 0;
}

static void
end_part(struct scan *sc)
{
	if (!sc->closed)
		end_item(sc);
	sc->closed = false;
	if (sc->n < PARTS_MAX)
		sc->n++;
	if (sc->n >= PARTS_MAX)		/* what is ignored is not collected */
		sc->parts[PARTS_MAX - 1].n = 0;
}

static bool
query_text_plain(struct scan *sc, char c)
{
	if (sc->closed && c != ',' && c != ' ')
		return false;
	switch (c) {
	case ' ':
		return true;
	case '"':
	case '\'':
		sc->quote = c;
		buf_ch(&sc->item, c);
		return true;
	case '[':
		if (sc->in_array || sc->item.n > 0)
			return false;
		sc->in_array = part_now(sc)->array = true;
		return true;
	case ']':
		if (!sc->in_array)
			return false;
		if (sc->item.n > 0)
			end_item(sc);
		sc->in_array = false;
		sc->closed = true;
		return true;
	case ',':
		if (sc->in_array)
			end_item(sc);
		else
			end_part(sc);
		return true;
	default:
		buf_ch(&sc->item, c);
		return true;
	}
}

static bool
scan(struct scan *sc)
{
	for (size_t i = 0; i < sc->s.n; i++) {
		char c = sc->s.p[i];

		if (c == '\\' && i + 1 < sc->s.n) {
			char next = sc->s.p[++i];

			if (sc->closed)
				return false;
			if (memchr(",[]\"'", next, 5) == NULL)
				buf_ch(&sc->item, c);
			buf_ch(&sc->item, next);
		} else if (sc->quote) {
			if (c == sc->quote)
				sc->quote = 0;
			buf_ch(&sc->item, c);
		} else if (!query_text_plain(sc, c)) {
			return false;
		}
	}
	if (sc->quote || sc->in_array)
		return false;
	if (sc->item.n > 0 || sc->closed || sc->n > 0)
		end_part(sc);
	return true;
}

/* Sign, digits with an optional point, exponent. */
static bool
query_text_numeric(struct str s, bool *whole_out)
{
	size_t i = 0, digits = 0;

	*whole_out = true;
	if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
		i++;
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		digits++;
	if (i < s.n && s.p[i] == '.') {
		*whole_out = false;
		for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
			digits++;
	}
	if (digits == 0)
		return false;
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		size_t from;

		*whole_out = false;
		i++;
		if (i < s.n && (s.p[i] == '-' || s.p[i] == '+'))
			i++;
		for (from = i; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
			;
		if (i == from)
			return false;
	}
	return i == s.n;
}

static struct str
unquoted(struct ctx *cx, struct str s)
{
	if (s.n > 0 && (s.p[0] == '"' || s.p[0] == '\'')) {
		size_t n = s.n >= 2 ? s.n - 2 : 0;

		return (struct str){arena_memdup(cx->arena, s.p + 1, n), n};
	}
	return (struct str){arena_memdup(cx->arena, s.p, s.n), s.n};
}

static struct query_value
query_text_value_of(struct ctx *cx, struct str item)
{
	struct query_value v = {.type = QV_TEXT};
	struct str s = str_trim(item);
	bool whole;

	if (str_is(s, "true") || str_is(s, "false")) {
		v.type = QV_BOOL;
		v.b = s.n == 4;
	} else if (str_is(s, "null")) {
		v.type = QV_NULL;
	} else if (query_text_numeric(s, &whole)) {
		v.type = whole && str_to_i64_rounded(s, &v.i) ? QV_INT : QV_FLOAT;
		if (v.type == QV_FLOAT)
			v.f = strtod(str_dup(cx->arena, s), NULL);
	} else {
		v.s = unquoted(cx, s);
	}
	return v;
}

/* The byte that is cut off an item, or off the query, may have been part of a character. */
static bool
query_text_take_values(struct ctx *cx, const struct part *p, int n_parts, struct query *q)
{
	int n = 0;

	for (int k = 0; k < n_parts; k++)
		n += p[k].n;
	q->v = arena_array(cx->arena, struct query_value, n ? n : 1);
	for (int k = 0; k < n_parts; k++)
		for (int i = 0; i < p[k].n; i++) {
			struct query_value *v = &q->v[q->n++];

			*v = query_text_value_of(cx, p[k].items[i]);
			if (!str_utf8(v->s, NULL) || (v->type == QV_FLOAT && !isfinite(v->f)))
				return false;
		}
	return true;
}

static bool
take_attr(struct ctx *cx, const struct part *p, struct query *q)
{
	if (p->array)
		return false;
	q->attr = p->n ? unquoted(cx, str_trim(p->items[0])).p : "";
	return str_utf8(str_c(q->attr), NULL);
}

/* What a method makes of its parameters. */
static bool
query_text_fill(struct ctx *cx, const struct scan *sc, struct query *q)
{
	enum query_kind kind = query_methods[q->method].kind;

	if (*q->attr)	/* the method's own */
		return query_text_take_values(cx, &sc->parts[0], 2, q);
	if (kind == QK_FILTER) {
		if (sc->n < 1 || !take_attr(cx, &sc->parts[0], q))
			return false;
		return query_text_take_values(cx, &sc->parts[1], q->method == Q_BETWEEN ? 2 : 1, q);
	}
	if (kind == QK_ORDER)
		return sc->n == 0 || take_attr(cx, &sc->parts[0], q);
	return query_text_take_values(cx, &sc->parts[0], 1, q);
}

bool
query_parse_text(struct ctx *cx, struct str text, struct query *out, const char **why_out)
{
	const char *open = text.n ? memchr(text.p, '(', text.n) : NULL;
	struct str method = {text.p, open ? (size_t)(open - text.p) : 0};
	struct scan sc = {.cx = cx, .parts = arena_array(cx->arena, struct part, PARTS_MAX)};
	const char *own;

	*out = (struct query){.attr = ""};
	if (!str_utf8(text, NULL) || (text.n && memchr(text.p, '\0', text.n) != NULL)) {
		*why_out = "a query is not valid UTF-8 text";
		return false;
	}
	if (method.n && memchr(method.p, '.', method.n) != NULL) {
		*why_out = "a query has the form method(attribute, values)";
		return false;
	}
	out->method = query_method_of(method, &own, &out->word);
	out->sugar = own != NULL;
	if (own != NULL)
		out->attr = own;
	out->later = own != NULL || (cx->format >= SINCE_1_3 && cx->format < SINCE_1_5) ||
	    (out->method != Q_N && query_methods[out->method].text == TEXT_1_3);
	if (out->method == Q_N || query_methods[out->method].text == JSON_ONLY) {
		*why_out = arena_printf(cx->arena, "unknown query method \"%.*s\"", STR_FMT(method));
		return false;
	}
	sc.s = (struct str){open + 1, (size_t)(text.p + text.n - open - 1)};
	if (sc.s.n > 0)
		sc.s.n--;
	buf_init(&sc.item, cx->arena, sc.s.n + 1);
	if (!scan(&sc) || !query_text_fill(cx, &sc, out)) {
		*why_out = arena_printf(cx->arena, "malformed query \"%.*s\"", STR_FMT(text));
		return false;
	}
	return true;
}
