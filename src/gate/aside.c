/* A tree has each text decoded, checked and copied, and encoded again in the end, character by character: some fifty times what it takes to find its
 * end. None of this is of use for a text that is only passed on, and long ones are passed on. */
#include "aside.h"

#include <sodium.h>
#include <string.h>

#include "config.h"	/* memmem */

/* Behind the closing quote of the text that begins at `p`; NULL when it has none. A quote is the end unless an odd number of backslashes is before it. */
static const char *
text_end(const char *p, const char *end)
{
	for (const char *q = p + 1; (q = memchr(q, '"', (size_t)(end - q))) != NULL; q++) {
		const char *b = q;

		while (b - 1 > p && b[-1] == '\\')
			b--;
		if ((q - b) % 2 == 0)
			return q + 1;
	}
	return NULL;
}

static void
set_aside(struct aside *a, struct arena *arena, struct str text, struct buf *out)
{
	if (a->n == a->room) {
		struct str *more = arena_alloc(arena, (a->room * 2 + 8) * sizeof *more);

		if (a->n > 0)
			memcpy(more, a->texts, a->n * sizeof *more);
		a->texts = more;
		a->room = a->room * 2 + 8;
	}
	buf_printf(out, "\"%s%0*zx\"", a->mark, ASIDE_NUMBER, a->n);
	a->texts[a->n++] = text;
	a->bytes += text.n;
}

struct str
aside_take(struct aside *a, struct arena *arena, struct str json)
{
	unsigned char chance[ASIDE_MARK / 2];
	const char *end = json.p + json.n, *done = json.p, *p = json.p;
	struct buf out;

	*a = (struct aside){0};
	randombytes_buf(chance, sizeof chance);
	sodium_bin2hex(a->mark, sizeof a->mark, chance, sizeof chance);
	buf_init(&out, arena, 0);
	while ((p = memchr(p, '"', (size_t)(end - p))) != NULL) {
		const char *after = text_end(p, end);

		if (after == NULL)
			break;
		if (after - p >= ASIDE_MIN) {
			buf_add(&out, done, (size_t)(p - done));
			set_aside(a, arena, (struct str){p, (size_t)(after - p)}, &out);
			done = after;
		}
		p = after;
	}
	if (a->n == 0)
		return json;
	buf_add(&out, done, (size_t)(end - done));
	return buf_view(&out);
}

/* The text whose number stands at `p`; none: it is not one of ours. */
static const struct str *
text_numbered(const struct aside *a, const char *p)
{
	size_t i = 0;

	for (int k = 0; k < ASIDE_NUMBER; k++) {
		const char *digits = "0123456789abcdef", *d = memchr(digits, p[k], 16);

		if (d == NULL)
			return NULL;
		i = i * 16 + (size_t)(d - digits);
	}
	return i < a->n ? &a->texts[i] : NULL;
}

void
aside_put(const struct aside *a, struct str json, struct buf *out)
{
	const size_t whole = 1 + ASIDE_MARK + ASIDE_NUMBER + 1;
	const char *end = json.p + json.n, *done = json.p, *p = json.p;

	buf_reserve(out, json.n + a->bytes);
	while (a->n > 0 && (p = memmem(p, (size_t)(end - p), a->mark, ASIDE_MARK)) != NULL) {
		const struct str *text = p > json.p && (size_t)(end - p) >= whole - 1 ? text_numbered(a, p + ASIDE_MARK) : NULL;

		if (text == NULL || p[-1] != '"' || p[whole - 2] != '"') {
			p += ASIDE_MARK;
			continue;
		}
		buf_add(out, done, (size_t)(p - 1 - done));
		buf_str(out, *text);
		done = p = p - 1 + whole;
	}
	buf_add(out, done, (size_t)(end - done));
}
