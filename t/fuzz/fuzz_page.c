/* HTML pages: what is found in them is two lines of text within bounds, which mean an address of the web or none. */
#include <stdlib.h>

#include "fuzz.h"
#include "io/fetch.h"
#include "picture/picture_priv.h"

static void
fuzz_one(struct ctx *cx, struct str input)
{
	struct made made = {0};
	struct str text, base;
	const char *means;

	FUZZ_CHECK(page_work((const uint8_t *)input.p, input.n, &made) == OUTCOME_MADE && made.format == PICTURE_SAME, "no answer", input);
	text = (struct str){(const char *)made.p, made.n};
	FUZZ_CHECK(text.n <= 2 * 2048 + 1, "too long", input);
	base = str_cut(&text, '\n');
	for (size_t i = 0; i < text.n; i++)
		FUZZ_CHECK((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7f, "a control character", input);
	for (size_t i = 0; i < base.n; i++)
		FUZZ_CHECK((unsigned char)base.p[i] >= ' ' && base.p[i] != 0x7f, "a control character", input);
	means = fetch_resolve(cx->arena, "http://example.org/a/b?c", str_dup(cx->arena, text.n > 0 ? text : STR("/favicon.ico")));
	FUZZ_CHECK(means == NULL || strncmp(means, "http://", 7) == 0 || strncmp(means, "https://", 8) == 0, "another scheme", input);
	free(made.p);
}
