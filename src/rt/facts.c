/* What a payload says: its top-level members, found in one pass without a tree, and each read when a query asks for it, once.
 *
 * A payload may be megabytes long, so the pass can be made in pieces. Values stay where they are in the text; only a text with escapes is
 * decoded. */
#include "rt_priv.h"

#include <assert.h>
#include <stdlib.h>

enum { NUMBER_MAX = 400 };	/* longer texts are no numbers: their value would not fit anyway, and reading them takes long */

void
facts_init(struct facts *f, struct ctx *cx, struct str text, char *patch)
{
	*f = (struct facts){.cx = cx, .text = text, .patch = patch};
}

void
facts_fini(struct facts *f)
{
	map_free(&f->members);
}

static bool
facts_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str
facts_piece(const struct facts *f, size_t from, size_t to)
{
	while (from < to && facts_blank(f->text.p[from]))
		from++;
	while (to > from && facts_blank(f->text.p[to - 1]))
		to--;
	return (struct str){f->text.p + from, to - from};
}

/* A text of JSON without its quotes; the rare one with escapes is decoded. */
static struct str
facts_unquote(struct ctx *cx, struct str raw)
{
	struct str inside = {raw.p + 1, raw.n - 2};

	if (memchr(inside.p, '\\', inside.n) == NULL)
		return inside;
	return json_str(json_parse(cx, raw, NULL));
}

static void
facts_add(struct facts *f)
{
	struct str key = f->key.n >= 2 ? facts_unquote(f->cx, f->key) : STR_NONE;
	struct fact *a;

	f->key = STR_NONE;
	if (key.p == NULL)
		return;
	a = arena_new_of(f->cx->arena, struct fact);
	a->raw = facts_piece(f, f->value, f->at);
	if (f->members == NULL)
		f->members = map_new();
	(void)map_set(f->members, key, a);	/* of several the last counts */
}

/* Behind the end of the string that f->at is in; false when there is none. */
static bool
facts_string(struct facts *f)
{
	const char *q;
	size_t n;

	for (;;) {
		q = memchr(f->text.p + f->at, '"', f->text.n - f->at);
		if (q == NULL)
			return false;
		f->at = (size_t)(q - f->text.p) + 1;
		for (n = 0; q - n > f->text.p + f->string && q[-1 - (ptrdiff_t)n] == '\\'; n++)
			;
		if (n % 2 == 0)
			return true;
	}
}

/* One character outside of strings. */
static void
facts_take(struct facts *f, char c)
{
	switch (c) {
	case '{':
	case '[':
		f->object |= f->depth == 0 && c == '{';
		f->depth++;
		break;
	case ':':
		if (f->depth == 1)
			f->value = f->at + 1;
		break;
	case ',':
		if (f->depth == 1)
			facts_add(f);
		break;
	case '}':
	case ']':
		if (f->depth == 1)
			facts_add(f);
		if (f->patch != NULL && c == '}' && f->at > 0 && f->text.p[f->at - 1] == '{')
			memcpy(f->patch + f->at - 1, "[]", 2);
		if (f->depth > 0 && --f->depth == 0)
			f->done = true;
		break;
	default:
		break;
	}
}

bool
facts_scan(struct facts *f, size_t bytes)
{
	size_t end = f->text.n - f->at > bytes ? f->at + bytes : f->text.n;

	while (!f->done && f->at < end) {
		char c = f->text.p[f->at];

		if (c != '"') {
			facts_take(f, c);
			f->at++;
			continue;
		}
		f->string = f->at++;
		if (!facts_string(f))
			f->at = f->text.n;
		else if (f->depth == 1 && f->key.p == NULL)
			f->key = facts_piece(f, f->string, f->at);
	}
	f->done |= f->at >= f->text.n;
	return f->done;
}

/* ---- one value ---- */

bool
facts_number(struct str s, double *out)
{
	char text[NUMBER_MAX + 1], *end;

	if (s.n == 0 || s.n > NUMBER_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (memchr("+-.0123456789eE", s.p[i], 15) == NULL)
			return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*out = strtod(text, &end);
	return *end == '\0';
}

static void
facts_read(struct ctx *cx, struct fact *a)
{
	char first = a->raw.n > 0 ? a->raw.p[0] : '\0';

	a->kind = FACT_OTHER;
	if (first == '"' && a->raw.n >= 2) {
		a->text = facts_unquote(cx, a->raw);
		if (a->text.p != NULL)
			a->kind = FACT_TEXT;
		a->numeric = facts_number(a->text, &a->real);
	} else if (first == 'n' || first == 't' || first == 'f') {
		a->kind = first == 'n' ? FACT_NULL : first == 't' ? FACT_TRUE : FACT_FALSE;
	} else if (memchr(a->raw.p, '.', a->raw.n) == NULL && str_to_i64(a->raw, &a->whole)) {
		a->kind = FACT_WHOLE;
		a->real = (double)a->whole;
		a->numeric = true;
	} else if ((a->numeric = facts_number(a->raw, &a->real)))
		a->kind = FACT_REAL;
}

const struct fact *
facts_get(struct facts *f, struct str key)
{
	struct fact *a = f->members ? map_get(f->members, key) : NULL;

	assert(f->done);
	if (a == NULL || !f->object)
		return NULL;
	if (a->kind == FACT_UNREAD)
		facts_read(f->cx, a);
	return a;
}
