/* A letter is what stands between two boundaries of grapheme clusters (UAX 29). Chains of marks or joiners may be of any length: what is longer
 * than eight code points loses the rest. */
#include "io/letters.h"

#include <ctype.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

enum { POINTS_MAX = 8, UNITS_MAX = 64, BYTES_PER_UNIT = 3 };

static bool
is_gap(UChar32 c, bool at_underscore)
{
	return at_underscore ? c == '_' : u_isUWhiteSpace(c) || u_charType(c) == U_CONTROL_CHAR;
}

/* Marks of direction and other characters that are not seen, where a word begins. */
static bool
is_unseen(UChar32 c)
{
	return u_charType(c) == U_FORMAT_CHAR || u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

/* Cuts the next word off; empty: there is none. */
static struct str
word_cut(struct str *s, bool at_underscore)
{
	const uint8_t *p = (const uint8_t *)s->p;
	int32_t n = (int32_t)s->n, from, i = 0;
	UChar32 c = 0;

	do {
		from = i;
		if (i < n)
			U8_NEXT(p, i, n, c);
	} while (from < n && (is_gap(c, at_underscore) || is_unseen(c)));
	i = from;
	for (int32_t end = from;; end = i) {
		if (i < n)
			U8_NEXT(p, i, n, c);
		if (end >= n || is_gap(c, at_underscore)) {
			struct str word = {s->p + from, (size_t)(end - from)};

			*s = (struct str){s->p + end, s->n - (size_t)end};
			return word;
		}
	}
}

/* Units of the first cluster, at most POINTS_MAX code points. */
static int32_t
cluster_end(const UChar *text, int32_t n)
{
	UErrorCode e = U_ZERO_ERROR;
	UBreakIterator *it = ubrk_open(UBRK_CHARACTER, "en", text, n, &e);
	int32_t end = U_SUCCESS(e) ? ubrk_next(it) : n, bound = 0;

	ubrk_close(it);
	if (end == UBRK_DONE)
		end = n;
	U16_FWD_N(text, bound, end, POINTS_MAX);
	return bound;
}

static const char *
first_letter(struct arena *a, struct str word)
{
	UChar text[UNITS_MAX], up[UNITS_MAX];
	char out[UNITS_MAX * BYTES_PER_UNIT + 1];
	UErrorCode e = U_ZERO_ERROR;
	int32_t n = 0, end, bytes = 0, at = 0, to = 0;
	UChar32 c;

	u_strFromUTF8WithSub(text, UNITS_MAX, &n, word.p, (int32_t)word.n, 0xfffd, NULL, &e);
	if (U_FAILURE(e) && e != U_BUFFER_OVERFLOW_ERROR)
		return NULL;
	if (n > UNITS_MAX)
		n = UNITS_MAX;
	if (n == 0)
		return NULL;
	end = cluster_end(text, n);
	U16_NEXT(text, at, end, c);
	c = u_totitle(c);
	U16_APPEND_UNSAFE(up, to, c);
	while (at < end && to < UNITS_MAX)
		up[to++] = text[at++];
	e = U_ZERO_ERROR;
	u_strToUTF8WithSub(out, sizeof out, &bytes, up, to, 0xfffd, NULL, &e);
	return U_SUCCESS(e) ? str_dup(a, (struct str){out, (size_t)bytes}) : NULL;
}

struct letters
letters_of(struct arena *a, struct str name)
{
	struct str rest = name, words[LETTERS_MAX];
	struct letters l = {.sum = 0};

	words[0] = word_cut(&rest, false);
	words[1] = word_cut(&rest, false);
	if (words[1].n == 0) {
		rest = words[0];
		words[0] = word_cut(&rest, true);
		words[1] = word_cut(&rest, true);
	}
	for (int i = 0; i < LETTERS_MAX; i++)
		if (words[i].n > 0) {
			l.v[i] = first_letter(a, words[i]);
			l.sum += (unsigned)toupper((unsigned char)words[i].p[0]);
		}
	return l;
}
