/* JSON: what parses is written so that it parses to the same. */
#include <stdlib.h>

#include "core/json.h"
#include "fuzz.h"

static void
write_all(struct ctx *cx, const json_t *j, bool ascii, struct str *out)
{
	struct buf b;
	struct jw w;

	buf_init(&b, cx->arena, 64);
	jw_init(&w, &b);
	w.ascii = ascii;
	jw_value(&w, j);
	*out = buf_view(&b);
}

/* What parses is written as PHP does, in ASCII, and again as the same; what does not is refused or written, but read no further than it goes. */
static void
write_php(struct ctx *cx, struct str input, bool sound)
{
	struct buf b, again;
	char *copy = mem_alloc(input.n + 1);	/* ends where the input does */

	mem_copy(copy, input.p, input.n);
	buf_init(&b, cx->arena, 64);
	buf_init(&again, cx->arena, 64);
	if (json_php(&b, (struct str){copy, input.n}))
		FUZZ_CHECK(!sound || (json_php(&again, buf_view(&b)) && str_eq(buf_view(&b), buf_view(&again))), "as PHP it differs when written twice", buf_view(&again));
	else
		FUZZ_CHECK(!sound, "it parses, and is not written as PHP", input);
	free(copy);
}

static void
fuzz_one(struct ctx *cx, struct str input)
{
	const char *why = NULL;
	json_t *j = json_parse(cx, input, &why), *again;
	struct str text, text_again;

	write_php(cx, input, j != NULL && memchr(input.p, '\0', input.n) == NULL);
	if (j == NULL) {
		FUZZ_CHECK(why != NULL, "no reason", input);
		return;
	}
	for (int ascii = 0; ascii < 2; ascii++) {
		write_all(cx, j, ascii, &text);
		FUZZ_CHECK(str_utf8(text, NULL), "no UTF-8", text);
		FUZZ_CHECK((again = json_parse(cx, text, &why)) != NULL, why, text);
		write_all(cx, again, ascii, &text_again);
		/* -0 without a fraction is read as 0 */
		FUZZ_CHECK(str_eq(text, text_again) || memmem(text.p, text.n, "-0", 2) != NULL, "written twice it differs", text_again);
	}
}
