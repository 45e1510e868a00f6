/* What a search asks for, as PostgreSQL's tsquery: the function wanted() of each project (0002_databases.sql) once more, for plain ASCII.
 *
 * The planner would call that function for its estimates and again for every use in a statement, which takes longer than the search for a
 * rare word itself. Text with other characters is left to it: folding needs ICU. */
#include "query_priv.h"

#include <ctype.h>

enum { WORD_MIN = 3, WORD_MAX = 84, GAP_MAX = 16384 };

static const char *const common_words[] = {
#include "common_words.h"
};

static bool
is_common(struct str w)
{
	if (w.n < WORD_MIN || w.n > WORD_MAX)
		return true;
	for (size_t i = 0; i < sizeof common_words / sizeof common_words[0]; i++)
		if (str_is(w, common_words[i]))
			return true;
	return false;
}

/* Longer words are in no index: a prefix of that length finds nothing, and PostgreSQL would refuse one of 2 kB. */
static bool
is_wanted(struct str w, bool prefix)
{
	return prefix ? w.n <= WORD_MAX : !is_common(w);
}

static bool
query_words_is_letter(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The next word; empty at the end. */
static struct str
next_word(struct str *rest)
{
	struct str w;
	size_t n = 0;

	while (rest->n > 0 && !query_words_is_letter(rest->p[0])) {
		rest->p++;
		rest->n--;
	}
	while (n < rest->n && query_words_is_letter(rest->p[n]))
		n++;
	w = (struct str){rest->p, n};
	rest->p += n;
	rest->n -= n;
	return w;
}

/* The words between two quotes as one term. `last` is where the last word of the whole text begins: it is a prefix, but not in a phrase. */
static void
add_part(struct buf *b, struct str part, bool phrase, const char *last)
{
	int place = 0, before = 0;	/* of the last word that was kept */

	for (;;) {
		struct str w = next_word(&part);
		bool prefix = w.p == last && !phrase;

		if (w.n == 0)
			break;
		place++;
		if (!is_wanted(w, prefix))
			continue;
		if (before == 0)
			buf_c(b, b->n ? "|(" : "(");
		else if (phrase)
			buf_printf(b, "<%d>", place - before < GAP_MAX ? place - before : GAP_MAX);
		else
			buf_ch(b, '|');
		buf_printf(b, "'%.*s'%s", STR_FMT(w), prefix ? ":*" : "");
		before = place;
	}
	if (before > 0)
		buf_ch(b, ')');
}

const char *
query_wanted(struct arena *a, struct str text)
{
	struct str all = str_lower(a, text), rest = all, word;
	const char *last = NULL;
	bool phrase = false;
	struct buf b;

	for (size_t i = 0; i < all.n; i++)
		if ((unsigned char)all.p[i] >= 0x80)
			return NULL;
	while ((word = next_word(&rest)).n > 0)
		last = word.p;
	buf_init(&b, a, 2 * all.n + 64);
	/* every second part between quotes is a phrase */
	for (rest = all; rest.p != NULL; phrase = !phrase)
		add_part(&b, str_cut(&rest, '"'), phrase, last);
	return b.n ? buf_view(&b).p : "";
}
