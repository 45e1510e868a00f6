/* Names: their letters are UTF-8 and bounded; words of a locale mean one that is known. */
#include "fuzz.h"
#include "io/letters.h"
#include "io/names.h"
#include "model/picture_wire.h"

static void
fuzz_one(struct ctx *cx, struct str input)
{
	const char *locale = names_locale(input);
	struct letters l;

	FUZZ_CHECK(locale == NULL || names_locale(str_c(locale)) == locale, "a locale that is none", input);
	if (!str_utf8(input, NULL))
		return;
	l = letters_of(cx->arena, input);
	for (int i = 0; i < LETTERS_MAX; i++) {
		struct str s = str_c(l.v[i]);

		FUZZ_CHECK(s.n < INITIALS_BYTES && str_utf8(s, NULL) && (s.n == 0 || memchr(s.p, '\n', s.n) == NULL), "a letter that is none", input);
	}
}
