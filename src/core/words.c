/* Names in another vocabulary: whole names by one table, parts of them by the other. */
#include "core/words.h"

#include <ctype.h>
#include <string.h>

static void
words_add(char out[WORD_MAX], size_t *n, const char *from, size_t len)
{
	if (len > (size_t)WORD_MAX - 1 - *n)
		len = (size_t)WORD_MAX - 1 - *n;
	memcpy(out + *n, from, len);
	*n += len;
}

/* The row whose name this is, or begins like it. */
static const struct word_twin *
named(const struct words *words, const char *name)
{
	for (const struct word_twin *t = words->names; t->word != NULL; t++) {
		size_t n = strlen(t->word);

		if (strncmp(t->word, name, n) == 0 && (name[n] == '\0' || t->word[n - 1] == '_'))
			return t;
	}
	return NULL;
}

/* The stem that begins here: as it stands in the table, or with a capital. */
static const struct word_twin *
stem_at(const struct words *words, const char *at)
{
	for (const struct word_twin *t = words->stems; t->word != NULL; t++)
		if (tolower((unsigned char)*at) == *t->word && strncmp(at + 1, t->word + 1, strlen(t->word) - 1) == 0)
			return t;
	return NULL;
}

const char *
words_put(const struct words *words, const char *name, char out[WORD_MAX])
{
	const struct word_twin *t;
	size_t n = 0;

	if (words == NULL)
		return name;
	if ((t = named(words, name)) != NULL) {
		words_add(out, &n, t->later, strlen(t->later));
		name += strlen(t->word);
	}
	while (*name != '\0') {
		bool capital = isupper((unsigned char)*name) != 0;
		size_t at = n;

		if ((t = stem_at(words, name)) == NULL) {
			words_add(out, &n, name++, 1);
			continue;
		}
		words_add(out, &n, t->later, strlen(t->later));
		if (capital && at < n)
			out[at] = (char)toupper((unsigned char)out[at]);
		name += strlen(t->word);
	}
	out[n] = '\0';
	return out;
}

const char *
words_say(struct arena *a, const struct words *words, const char *name)
{
	char out[WORD_MAX];
	const char *said = words_put(words, name, out);

	return said == name || strcmp(said, name) == 0 ? name : a != NULL ? arena_strdup(a, said) : mem_strdup(said);
}
